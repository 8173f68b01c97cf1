//! Who is in which channel.
//!
//! Clients join and leave; users are members. A user is a member while a client of theirs is in the
//! channel, and for the resume
//! window after one that was in it dropped, unless they left, or came back, since.
//!
//! Not here: the lists of channels and members themselves (`channel.rs`), when others are told
//! (`gathered.rs`).

use super::channel::{Found, GENERAL};
use super::error::CommandError;
use super::event::{ChannelId, ClientId, Effect, Event, Joined, Topic};
use super::name::ChannelName;
use super::{Ask, Chat, Departure, Reminder};
use crate::history::{Author, PageRequest, Place, Seq};
use crate::limits::{
    CHANNELS_PER_CONNECTION, COST_OF_EVERYBODY, LIST_NAMES, PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT,
};
use crate::time::Now;
use std::rc::Rc;

impl Chat {
    /// `join`. What can fail comes before what changes anything.
    pub(super) fn join(
        &mut self,
        ask: &mut Ask<'_>,
        author: Author,
        channel: &str,
        since: Option<Seq>,
    ) -> Result<(), CommandError> {
        let name = ChannelName::parse(channel)?;
        let found = match self.channels.find(&name) {
            Found::LooksLike(other) => {
                return Err(CommandError::BadName(
                    format!("there is #{other} already, which looks the same; join that one")
                        .into(),
                ));
            }
            Found::Listed(id) => Some(id),
            Found::PutAway | Found::Nothing => None,
        };
        let joined = &self.clients[ask.client.0 as usize].channels;
        let again = found.is_some_and(|id| joined.contains(&id));
        if !again && joined.len() >= CHANNELS_PER_CONNECTION {
            return Err(CommandError::TooManyChannels);
        }
        let makes_room = match found {
            None if self.channels.len() >= self.limits.channels => Some(
                self.channels
                    .least_used()
                    .ok_or(CommandError::TooManyChannels)?,
            ),
            _ => None,
        };
        let own = self.own_name(author)?;
        let place = Place::Channel(name.shown().into());
        let span = self.span(&place)?;
        let (history, more) = self.page(ask, &place, page_of_join(since))?;
        let id = found.unwrap_or_else(|| self.create(ask, &name, span.newest));
        // Not before: what is put away may push out, for good, what was put away first, and that
        // may be this very channel.
        if let Some(least_used) = makes_room {
            self.put_away(least_used, ask.now);
        }
        self.enter(ask.client, author, id, ask.now);
        self.list_given(Reminder::Members(id), Some(&own));
        let (channel, members, count) = self.members_of(id);
        let (seq, first) = (span.newest, span.first);
        ask.answer(Event::Joined(Box::new(Joined {
            channel,
            seq,
            first,
            members,
            count,
            history,
            more,
        })));
        if !again {
            ask.effects.push(Effect::Subscribe {
                who: ask.address,
                topic: Topic::Channel(id),
            });
        }
        Ok(())
    }

    fn create(&mut self, ask: &mut Ask<'_>, name: &ChannelName, newest: Seq) -> ChannelId {
        let id = self.channels.open(name, newest);
        ask.outcome.cost = COST_OF_EVERYBODY;
        if let Some(news) = self.news(Reminder::Channels, ask.now) {
            news.came(&name.shown().into());
        }
        id
    }

    /// `leave`: whatever other clients of the user dropped from this channel, it has left it now.
    pub(super) fn leave(&mut self, ask: &mut Ask<'_>, author: Author, id: ChannelId) {
        if let Some(client) = self.clients.get_mut(ask.client.0 as usize) {
            client.channels.take_out(id);
        }
        let Some(channel) = self.channels.get(id) else {
            return;
        };
        let name = channel.name.shown.clone();
        ask.effects.push(Effect::Unsubscribe {
            who: ask.address,
            topic: Topic::Channel(id),
        });
        ask.answer(Event::Left { channel: name });
        if let Some(user) = self.sessions.user_mut(author) {
            user.forget_drop(id);
        }
        self.step_out(author, id, ask.now);
    }

    /// A client went, and with it its part in its channels; the user stays a member for a while if
    /// it only dropped.
    pub(super) fn leave_all(
        &mut self,
        author: Author,
        channels: &[ChannelId],
        departure: Departure,
        now: Now,
    ) {
        let until = now.mono.after(self.limits.resume_window);
        for id in channels {
            if departure == Departure::Lost
                && until > now.mono
                && let Some(user) = self.sessions.user_mut(author)
            {
                user.ends_mut().dropped_from.insert(*id, until);
            }
            self.step_out(author, *id, now);
        }
    }

    /// The time is over for which a client that dropped makes its user a member.
    pub(super) fn forget_drops(&mut self, author: Author, now: Now) {
        let Some(user) = self.sessions.user(author) else {
            return;
        };
        let over: Vec<_> = user
            .ends()
            .dropped_from
            .iter()
            .filter(|(_, until)| **until <= now.mono)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.forget_drop(author, id, now);
        }
    }

    /// Takes a user who is about to go offline, and has no client any more, out of every channel.
    pub(super) fn forget_all_drops(&mut self, author: Author, now: Now) {
        let Some(user) = self.sessions.user(author) else {
            return;
        };
        let all: Vec<_> = user.ends().dropped_from.keys().copied().collect();
        for id in all {
            self.forget_drop(author, id, now);
        }
    }

    fn forget_drop(&mut self, author: Author, id: ChannelId, now: Now) {
        if let Some(user) = self.sessions.user_mut(author) {
            user.forget_drop(id);
        }
        if self
            .channels
            .get(id)
            .is_some_and(|channel| channel.members.get(author) == Some(&0))
        {
            self.expel(author, id, now);
        }
    }

    /// A client comes in, or makes a channel it is in the one joined last.
    fn enter(&mut self, client: ClientId, author: Author, id: ChannelId, now: Now) {
        let Some(client) = self.clients.get_mut(client.0 as usize) else {
            return;
        };
        if let Some(position) = client.channels.iter().position(|joined| *joined == id) {
            client.channels.remove(position);
            client.channels.push(id);
            return;
        }
        client.channels.push(id);
        let Some(user) = self.sessions.user_mut(author) else {
            return;
        };
        user.forget_drop(id);
        let name = user.name.shown.clone();
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        let new = match channel.members.get_mut(author) {
            Some(clients) => {
                *clients += 1;
                false
            }
            None => channel.members.insert(author, 1).is_none(),
        };
        self.channels.was_used(id);
        if new && let Some(news) = self.news(Reminder::Members(id), now) {
            news.came(&name);
        }
    }

    /// One client of a member is no longer in a channel.
    fn step_out(&mut self, author: Author, id: ChannelId, now: Now) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        let Some(clients) = channel.members.get_mut(author) else {
            return;
        };
        *clients = clients.saturating_sub(1);
        let gone = *clients == 0;
        let stays = self
            .sessions
            .user(author)
            .is_some_and(|user| user.ends().dropped_from.contains_key(&id));
        if gone && !stays {
            self.expel(author, id, now);
        }
    }

    /// A user is no longer a member. An empty channel in which nothing was ever said goes.
    fn expel(&mut self, author: Author, id: ChannelId, now: Now) {
        let name = self
            .sessions
            .user(author)
            .map(|user| user.name.shown.clone());
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        channel.members.remove(author);
        let forgettable = id != GENERAL && channel.members.is_empty() && channel.newest == Seq(0);
        self.channels.members_changed(id);
        if forgettable {
            if let Some(channel) = self.channels.close(id) {
                self.unlisted(id, &channel, now);
            }
        } else if let Some(name) = name
            && let Some(news) = self.news(Reminder::Members(id), now)
        {
            news.went(&name);
        }
    }

    fn put_away(&mut self, id: ChannelId, now: Now) {
        if let Some((channel, forgotten)) = self.channels.put_away(id) {
            self.unlisted(id, &channel, now);
            if let Some(place) = forgotten {
                self.history.forget(&place);
            }
        }
    }

    fn unlisted(&mut self, id: ChannelId, channel: &super::channel::Channel, now: Now) {
        self.drop_news(id, channel);
        if let Some(news) = self.news(Reminder::Channels, now) {
            news.went(&channel.name.shown);
        }
    }

    /// A channel's name, the names of its members as far as they are listed, and how many there
    /// are.
    pub(super) fn members_of(&self, id: ChannelId) -> (Rc<str>, Vec<Rc<str>>, usize) {
        let Some(channel) = self.channels.get(id) else {
            return Default::default();
        };
        let users = channel
            .members
            .iter()
            .filter_map(|(author, _)| self.sessions.user(author));
        let names = users
            .map(|user| user.name.shown.clone())
            .take(LIST_NAMES)
            .collect();
        (channel.name.shown.clone(), names, channel.members.len())
    }
}

/// The newest messages; or those that came since, oldest first.
fn page_of_join(since: Option<Seq>) -> PageRequest {
    let (after, rows) = since.map_or((Seq(0), PAGE_MESSAGES_DEFAULT), |since| {
        (since, PAGE_MESSAGES)
    });
    PageRequest {
        after,
        before: Seq(u64::MAX),
        from_oldest: since.is_some(),
        rows,
        bytes: 0,
    }
}
