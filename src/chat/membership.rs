//! Members of channels, and informing clients of who is where.
//!
//! Connections join and leave; users are members. A user is a member while one of their connections
//! is in the channel, and for the resume window after one was lost, unless they left since.
//!
//! Changes of the lists of users, channels and members are sent a quarter of a second after the
//! first one, so each list changes at most four times a second for a client.

use super::changes::Changes;
use super::channels::{Channel, Found, GENERAL};
use super::error::CommandError;
use super::event::{Address, ChannelId, Effect, Event, Joined, Topic};
use super::name::Name;
use super::{Applied, Chat, Context, Departure, List, Timer};
use crate::history::{Author, ChannelSettings, Place, Seq, Span};
use crate::limits::{
    CHANNELS_PER_CONNECTION, COST_OF_HEAVY_COMMAND, GATHERING, LIST_NAMES, PAGE_MESSAGES,
    PAGE_MESSAGES_DEFAULT, PUT_AWAY,
};
use std::rc::Rc;

impl Chat {
    /// Answers `join`. What can fail comes before any change.
    pub(super) fn join(
        &mut self,
        context: &mut Context<'_>,
        channel: &str,
        since: Option<Seq>,
    ) -> Applied {
        let name = Name::of_channel(channel)?;
        let listed = match self.channels.find(&name) {
            Found::Listed(id) => Some(id),
            Found::Nothing => None,
            Found::LooksLike(other) => {
                let sentence =
                    format!("#{other} already exists and looks the same; join that one instead");
                return Err(CommandError::bad_name(sentence));
            }
        };
        let joined = &self.client(context.address)?.channels;
        let again = listed.is_some_and(|id| joined.contains(&id));
        if !again && joined.len() >= CHANNELS_PER_CONNECTION {
            return Err(CommandError::TOO_MANY_CHANNELS);
        }
        let put_away = match listed {
            None if self.channels.len() >= self.limits.channels => {
                let least_used = self.channels.least_used();
                Some(least_used.ok_or(CommandError::TOO_MANY_CHANNELS)?)
            }
            _ => None,
        };
        // A channel that was put away is found by its name in the history.
        let place = Place::Channel(name.shown.clone());
        let span = self.span(&place)?;
        let rows = since.map_or(PAGE_MESSAGES_DEFAULT, |_| PAGE_MESSAGES);
        let (history, more) = self.page(context, &place, None, since, rows)?;
        let id = match listed {
            Some(id) => id,
            None => self.create(context, &name, span)?,
        };
        if let Some(id) = put_away {
            self.put_away(id);
        }
        let joined = &mut self.client(context.address)?.channels;
        joined.retain(|joined| *joined != id);
        joined.push(id);
        if !again {
            self.add_connection(context.author()?, id);
        }
        let channel = self.channels.get(id).ok_or(CommandError::NO_SUCH_CHANNEL)?;
        let (members, count) = self.members_of(channel);
        context.answer(Event::Joined(Box::new(Joined {
            channel: channel.name.shown.clone(),
            seq: span.newest,
            first: span.first,
            members,
            count,
            history,
            more,
            writing: channel.settings.writing,
            pinned: channel.settings.pinned,
        })));
        if !again {
            context.effects.push(Effect::Subscribe {
                who: context.address,
                topic: Topic::Channel(id),
            });
        }
        Ok(())
    }

    fn create(
        &mut self,
        context: &mut Context<'_>,
        name: &Name,
        span: Span,
    ) -> Result<ChannelId, CommandError> {
        self.check_muted(context)?;
        let settings = self.history.settings(&name.shown);
        let settings = settings.map_err(|error| self.failed(error))?;
        context.outcome.cost = COST_OF_HEAVY_COMMAND;
        self.changed(List::Channels, &name.shown, true);
        self.put_away.retain(|other| *other != name.shown);
        Ok(self.channels.list(name.clone(), span, settings))
    }

    /// Removes a channel from the list that is still in the history. A history in memory forgets
    /// the one that was put away longest ago, if there are too many.
    pub(super) fn put_away(&mut self, id: ChannelId) {
        let name = self.unlist(id);
        self.put_away.extend(name);
        if self.put_away.len() > PUT_AWAY
            && let Some(name) = self.put_away.pop_front()
        {
            self.history.forget(&Place::Channel(name));
        }
    }

    /// Removes a channel that has no members from the list. Returns its name.
    fn unlist(&mut self, id: ChannelId) -> Option<Rc<str>> {
        let name = self.channels.unlist(id)?.name.shown;
        self.changed(List::Channels, &name, false);
        Some(name)
    }

    /// Answers `leave`. The user's lost connections no longer make them a member, either.
    pub(super) fn leave(&mut self, context: &mut Context<'_>, name: Option<&str>) -> Applied {
        let author = context.author()?;
        let id = self.joined_channel(context.address, name)?;
        let channel = self.channels.name(id)?;
        let joined = &mut self.client(context.address)?.channels;
        joined.retain(|joined| *joined != id);
        context.effects.push(Effect::Unsubscribe {
            who: context.address,
            topic: Topic::Channel(id),
        });
        context.answer(Event::Left { channel });
        self.timers.clear(&Timer::Dropped(author, id));
        self.remove_connection(author, id);
        Ok(())
    }

    /// Removes a closed connection from its channels. If it was lost, its user stays a member for
    /// the resume window.
    pub(super) fn leave_all(
        &mut self,
        author: Author,
        channels: &[ChannelId],
        departure: Departure,
    ) {
        for id in channels {
            if departure == Departure::Lost && !self.limits.resume_window.is_zero() {
                self.set_timer(self.limits.resume_window, Timer::Dropped(author, *id));
            }
            self.remove_connection(author, *id);
        }
    }

    /// Ends the membership of a user who has no connection in the channel.
    pub(super) fn forget_drop(&mut self, author: Author, id: ChannelId) {
        self.timers.clear(&Timer::Dropped(author, id));
        let channel = self.channels.get(id);
        if channel.is_some_and(|channel| channel.members.get(&author) == Some(&0)) {
            self.remove_member(author, id);
        }
    }

    /// Ends all memberships of a user who has no connection.
    pub(super) fn forget_all_drops(&mut self, author: Author) {
        let dropped = |id| Timer::Dropped(author, ChannelId(id));
        let timers = self.timers.within(dropped(0)..=dropped(u32::MAX));
        for timer in timers.cloned().collect::<Vec<_>>() {
            if let Timer::Dropped(author, id) = timer {
                self.forget_drop(author, id);
            }
        }
    }

    /// Adds one connection of a user to a channel.
    fn add_connection(&mut self, author: Author, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        let is_new = !channel.members.contains_key(&author);
        *channel.members.entry(author).or_default() += 1;
        self.timers.clear(&Timer::Dropped(author, id));
        self.channels.was_used(id);
        if is_new && let Ok(name) = self.own_name(author) {
            self.changed(List::Members(id), &name, true);
        }
    }

    /// Removes one connection of a member from a channel.
    fn remove_connection(&mut self, author: Author, id: ChannelId) {
        let channel = self.channels.get_mut(id);
        if let Some(connections) = channel.and_then(|it| it.members.get_mut(&author)) {
            *connections = connections.saturating_sub(1);
            if *connections == 0 && !self.timers.is_set(&Timer::Dropped(author, id)) {
                self.remove_member(author, id);
            }
        }
    }

    /// Ends a user's membership, and unlists an empty channel without messages or settings.
    fn remove_member(&mut self, author: Author, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        channel.members.remove(&author);
        let is_plain = channel.is_blank && channel.settings == ChannelSettings::default();
        if id != GENERAL && channel.members.is_empty() && is_plain {
            self.unlist(id);
        } else if let Ok(name) = self.own_name(author) {
            self.changed(List::Members(id), &name, false);
        }
    }

    /// Returns at most 500 names of the members of a channel, and how many there are.
    pub(super) fn members_of(&self, channel: &Channel) -> (Vec<Rc<str>>, usize) {
        let authors = channel.members.keys();
        let users = authors.filter_map(|author| self.sessions.users.get(author));
        let names = users.map(|user| user.name.shown.clone());
        (names.take(LIST_NAMES).collect(), channel.members.len())
    }

    pub(super) fn channel(&self, name: &str) -> Result<ChannelId, CommandError> {
        match self.channels.find(&Name::of_channel(name)?) {
            Found::Listed(id) => Ok(id),
            Found::LooksLike(_) | Found::Nothing => Err(CommandError::NO_SUCH_CHANNEL),
        }
    }

    /// Finds a channel that the connection is in: by its name, or the one joined last.
    pub(super) fn joined_channel(
        &self,
        address: Address,
        name: Option<&str>,
    ) -> Result<ChannelId, CommandError> {
        let client = self.clients.get(&address);
        let joined = client.map_or(&[][..], |client| &client.channels);
        let Some(name) = name else {
            return joined.last().copied().ok_or(CommandError::NOT_IN_CHANNEL);
        };
        // Parsing a name costs more than all else that is done for a short message, and is not
        // needed for a name as it is shown.
        let is_shown = |id: &&ChannelId| {
            let channel = self.channels.get(**id);
            channel.is_some_and(|channel| *channel.name.shown == *name)
        };
        if let Some(id) = joined.iter().rev().find(is_shown) {
            return Ok(*id);
        }
        let id = self.channel(name)?;
        let is_joined = joined.contains(&id);
        is_joined.then_some(id).ok_or(CommandError::NOT_IN_CHANNEL)
    }

    fn changes(&mut self, list: List) -> Option<&mut Changes> {
        match list {
            List::Users => Some(&mut self.user_changes),
            List::Channels => Some(&mut self.channel_changes),
            List::Members(id) => self
                .channels
                .get_mut(id)
                .map(|channel| &mut channel.changes),
        }
    }

    /// Records a change in a list, which clients will be informed of.
    pub(super) fn changed(&mut self, list: List, name: &Rc<str>, present: bool) {
        let changes = self.changes(list);
        if changes.is_some_and(|changes| changes.record(name, present)) {
            self.set_timer(GATHERING, Timer::Announce(list));
        }
    }

    /// Records both names of a user in the lists that have them. Clients replace the old name when
    /// they receive `renamed`, but may receive it before or after changes that name the user.
    pub(super) fn announce_rename(&mut self, author: Author, from: &Rc<str>, to: &Rc<str>) {
        self.changed(List::Users, from, false);
        self.changed(List::Users, to, true);
        let ids: Vec<_> = self.channels.ids().collect();
        for id in ids {
            let Some(channel) = self.channels.get(id) else {
                continue;
            };
            let is_member = channel.members.contains_key(&author);
            if is_member || !channel.changes.is_empty() {
                self.changed(List::Members(id), from, false);
                self.changed(List::Members(id), to, is_member);
            }
        }
    }

    /// Publishes the changes of a list. Where they concern more than 500 users, only the count is
    /// sent, and the lists are empty.
    pub(super) fn announce(&mut self, list: List) -> Option<Effect> {
        let most = match list {
            List::Channels => usize::MAX,
            List::Users | List::Members(_) => LIST_NAMES,
        };
        let [joined, left] = self.changes(list)?.take(most)?;
        let (topic, event) = match list {
            List::Users => {
                let online = self.sessions.users.len();
                let event = Event::Presence {
                    joined,
                    left,
                    online,
                };
                (Topic::Everyone, event)
            }
            List::Channels => {
                let (created, gone) = (joined, left);
                (Topic::Everyone, Event::ChannelsChanged { created, gone })
            }
            List::Members(id) => {
                let channel = self.channels.get(id)?;
                let event = Event::Members {
                    channel: channel.name.shown.clone(),
                    joined,
                    left,
                    count: channel.members.len(),
                };
                (Topic::Channel(id), event)
            }
        };
        Some(Effect::publish(topic, event))
    }
}
