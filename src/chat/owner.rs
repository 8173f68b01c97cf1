//! The commands of owners, and the restrictions that they set for other users.
//!
//! A connection is an owner's from its `own` with the right key until it ends or sends `own`
//! without a key. A decision of an owner is stored before it takes effect, so it holds after a
//! restart. An owner's connection can write even if its user is muted or the channel is read-only.

use super::channels::GENERAL;
use super::error::CommandError;
use super::event::{Address, ChannelId, Effect, Event, Farewell, Peer, Sanctioned, Topic};
use super::name::Name;
use super::{Applied, Chat, Context, Departure, Timer};
use crate::history::{
    Author, ChannelSettings, Decision, Kind, Place, Proposal, Record, Sanction, Seq, SessionRow,
    Writing,
};
use crate::limits::{COST_OF_HEAVY_COMMAND, SANCTIONS, SLOW_USERS};
use crate::time::UnixMillis;
use std::collections::BTreeSet;
use std::time::Duration;

impl Context<'_> {
    /// Answers an owner's command, and sends the same event to others.
    fn answer_and_deliver(&mut self, event: Event, mut to: BTreeSet<Address>) {
        self.answer(event.clone());
        to.remove(&self.address);
        let to = to.into_iter().collect();
        self.effects.push(Effect::Deliver { to, event });
    }
}

// The owner's commands.
impl Chat {
    /// Answers `own`: makes the connection an owner's, or ends that.
    pub(super) fn own(&mut self, context: &mut Context<'_>, key: Option<&str>) -> Applied {
        context.outcome.cost = COST_OF_HEAVY_COMMAND;
        self.owners.remove(&context.address);
        if let Some(key) = key {
            self.check_key(context.peer, key)?;
            self.owners.insert(context.address);
        }
        let list = |until: fn(&Sanction) -> UnixMillis| {
            let all = self.sanctions.values().filter(|_| key.is_some());
            let lasting = all.filter(|it| until(it) > self.now.unix);
            let row = |it: &Sanction| Sanctioned {
                user: self.own_name(it.author).unwrap_or(it.name.clone()),
                until: until(it),
            };
            lasting.map(row).collect()
        };
        context.answer(Event::Owned {
            on: key.is_some(),
            muted: list(|it| it.muted_until),
            kicked: list(|it| it.kicked_until),
        });
        Ok(())
    }

    /// Fails if `key` is not the owner's, or if the peer has sent too many wrong ones.
    pub(super) fn check_key(&mut self, peer: Peer, key: &str) -> Applied {
        let (right, wrong, now) = (self.keys.owner, CommandError::BAD_KEY, self.now.mono);
        self.wrong_keys.check(peer, key, right, wrong, now)
    }

    /// Answers `mute` and `kick`. A muted user's messages of this turn are not sent; a kicked
    /// user's connections are closed, and the user is offline at once.
    pub(super) fn sanction(
        &mut self,
        context: &mut Context<'_>,
        kicks: bool,
        user: &str,
        minutes: u32,
    ) -> Applied {
        let now = self.now.unix;
        self.sanctions.retain(|_, it| it.until() > now);
        let mut sanction = self.sanction_of(context, user, minutes)?;
        let until = match minutes {
            0 => UnixMillis(0),
            _ => UnixMillis(now.0 + u64::from(minutes) * 60_000),
        };
        match kicks {
            true => sanction.kicked_until = until,
            false => sanction.muted_until = until,
        }
        let (author, user) = (sanction.author, sanction.name.clone());
        // The session must be known after a restart, so its row is stored, too.
        let row = self.sessions.users.get(&author);
        let row = row.map(|user| self.row(author, user, false));
        self.decide(&Decision::Sanction(sanction.clone()), row.as_slice())?;
        self.sanctions.insert(author, sanction);
        let (sanctioned, mut to) = (Sanctioned { user, until }, self.owners.clone());
        if kicks {
            self.dismiss(context, author);
            context.answer_and_deliver(Event::Kicked(sanctioned), to);
            return Ok(());
        }
        if let Err(error) = self.check_sanction(author, |it| it.muted_until, CommandError::MUTED) {
            self.withdraw(context, &error, |it| it.author == author && !it.owner);
        }
        to.extend(self.addresses(author));
        context.answer_and_deliver(Event::Muted(sanctioned), to);
        Ok(())
    }

    /// Answers `door`. When it closes, all sessions online are stored, so that they are known after
    /// a restart.
    pub(super) fn set_door(&mut self, context: &mut Context<'_>, open: bool) -> Applied {
        let users = self.sessions.users.iter().filter(|_| !open);
        let rows: Vec<_> = users.map(|(id, user)| self.row(*id, user, false)).collect();
        self.decide(&Decision::Door { is_open: open }, &rows)?;
        self.door_is_open = open;
        context.answer_and_publish(Event::Door { open }, Topic::Everyone);
        Ok(())
    }

    /// Answers `pin`: sets the message that is shown above the others of a channel.
    pub(super) fn pin(
        &mut self,
        context: &mut Context<'_>,
        channel: Option<&str>,
        seq: Option<Seq>,
    ) -> Applied {
        let id = self.owners_channel(context, channel)?;
        if let Some(seq) = seq {
            let (place, before) = (self.channels.place(id)?, Some(Seq(seq.0 + 1)));
            let (messages, _) = self.page(context, &place, before, None, 1)?;
            let is_message = |it: &Record| it.seq == seq && it.what.kind == Kind::Message;
            if !messages.first().is_some_and(is_message) {
                return Err(CommandError::NO_SUCH_MESSAGE);
            }
        }
        self.change_settings(context, id, |settings| settings.pinned = seq)
    }

    /// Changes a channel's settings, and informs its connections and the owner that asked.
    pub(super) fn change_settings(
        &mut self,
        context: &mut Context<'_>,
        id: ChannelId,
        change: impl FnOnce(&mut ChannelSettings),
    ) -> Applied {
        let channel = self.channels.get(id).ok_or(CommandError::NO_SUCH_CHANNEL)?;
        let (name, mut settings) = (channel.name.shown.clone(), channel.settings);
        change(&mut settings);
        self.decide(&Decision::Settings(name, settings), &[])?;
        if let Some(channel) = self.channels.get_mut(id) {
            if channel.settings.writing != settings.writing {
                channel.last_sent.clear();
            }
            channel.settings = settings;
            context.answer_and_publish(channel.changed(), Topic::Channel(id));
        }
        Ok(())
    }

    /// Answers `clear`: deletes the messages of a channel.
    pub(super) fn clear(&mut self, context: &mut Context<'_>, channel: Option<&str>) -> Applied {
        let id = self.owners_channel(context, channel)?;
        let channel = self.channels.get(id).ok_or(CommandError::NO_SUCH_CHANNEL)?;
        let (channel, newest) = (channel.name.shown.clone(), channel.newest);
        self.decide(&Decision::Clear(channel.clone()), &[])?;
        if let Some(channel) = self.channels.get_mut(id) {
            channel.settings.pinned = None;
        }
        let first = Seq(newest.0 + 1);
        context.answer_and_publish(Event::Cleared { channel, first }, Topic::Channel(id));
        Ok(())
    }

    /// Answers `remove_channel`: takes everyone out of it. The history keeps the number of its
    /// newest message, so that the numbers go on if it is made again.
    pub(super) fn remove_channel(&mut self, context: &mut Context<'_>, name: &str) -> Applied {
        let id = self.channel(name)?;
        if id == GENERAL {
            return Err(CommandError::bad_field("general can't be removed"));
        }
        let channel = self.channels.name(id)?;
        self.decide(&Decision::Remove(channel.clone()), &[])?;
        let place = Place::Channel(channel.clone());
        self.withdraw(context, &CommandError::NOT_IN_CHANNEL, |it| {
            it.place == place
        });
        let mut to = BTreeSet::new();
        let members = self
            .channels
            .get(id)
            .into_iter()
            .flat_map(|it| it.members.keys());
        let addresses: Vec<_> = members.flat_map(|author| self.addresses(*author)).collect();
        for who in addresses {
            let joined = &mut self.client(who)?.channels;
            let before = joined.len();
            joined.retain(|joined| *joined != id);
            if joined.len() < before {
                to.insert(who);
                let topic = Topic::Channel(id);
                context.effects.push(Effect::Unsubscribe { who, topic });
            }
        }
        self.put_away(id);
        context.answer_and_deliver(Event::Left { channel }, to);
        Ok(())
    }

    /// Finds the channel of an owner's command, which the owner need not be in.
    pub(super) fn owners_channel(
        &self,
        context: &Context<'_>,
        name: Option<&str>,
    ) -> Result<ChannelId, CommandError> {
        match name {
            Some(name) => self.channel(name),
            None => self.joined_channel(context.address, None),
        }
    }
}

// Decisions about users.
impl Chat {
    /// Finds the user that an owner names. Returns the current sanction of that session, or an
    /// empty one. A user who is offline is found by the name in the lists of muted and kicked
    /// users.
    fn sanction_of(
        &self,
        context: &Context<'_>,
        user: &str,
        minutes: u32,
    ) -> Result<Sanction, CommandError> {
        let own = context.author()?;
        let name = Name::of_user(user)?;
        let online = self.sessions.find(&name);
        let is_meant = |it: &&Sanction| it.name.to_lowercase() == name.shown.to_lowercase();
        let listed = self.sanctions.values().find(is_meant);
        let listed = listed.map(|it| it.author);
        let is_listed = |author: &Author| self.sanctions.contains_key(author);
        let author = match minutes {
            // Another user may have taken the name of a kicked one.
            0 => online.filter(is_listed).or(listed).or(online),
            _ => online.or(listed),
        };
        let author = author.ok_or(CommandError::NO_SUCH_USER)?;
        let known = self.sanctions.get(&author);
        if author == own {
            return Err(CommandError::bad_field("this is your own session"));
        }
        if known.is_none() && self.sanctions.len() >= SANCTIONS {
            return Err(CommandError::bad_field(
                "too many users are muted or kicked; end that for one first, with 0 minutes",
            ));
        }
        let mut sanction = known.cloned().unwrap_or(Sanction {
            author,
            name: name.shown.clone(),
            muted_until: UnixMillis(0),
            kicked_until: UnixMillis(0),
        });
        if let Ok(name) = self.own_name(author) {
            sanction.name = name;
        }
        Ok(sanction)
    }

    fn decide(&mut self, decision: &Decision, rows: &[SessionRow]) -> Applied {
        let stored = self.history.decide(decision, rows, self.now);
        stored.map_err(|error| self.failed(error))?;
        self.rows_written(rows);
        self.schedule_maintenance();
        Ok(())
    }

    /// Closes a user's connections and makes the user offline.
    fn dismiss(&mut self, context: &mut Context<'_>, author: Author) {
        let Some(user) = self.sessions.users.get_mut(&author) else {
            return;
        };
        for who in std::mem::take(&mut user.clients) {
            self.owners.remove(&who);
            let client = self.clients.get_mut(&who).map(std::mem::take);
            let channels = client.map(|client| client.channels).unwrap_or_default();
            let why = Farewell::Removed;
            context.effects.push(Effect::Close { who, why });
            self.leave_all(author, &channels, Departure::Quit);
        }
        self.timers.clear(&Timer::Offline(author));
        self.withdraw(context, &CommandError::HELLO_FIRST, |it| {
            it.author == author
        });
        self.go_offline(author, Departure::Lost);
    }

    /// Drops messages of this turn, which are not stored yet, and answers them with an error.
    fn withdraw(
        &mut self,
        context: &mut Context<'_>,
        error: &CommandError,
        is_withdrawn: impl Fn(&Proposal) -> bool,
    ) {
        let proposals = std::mem::take(&mut self.proposals);
        let senders = std::mem::take(&mut self.senders);
        for (what, sender) in proposals.into_iter().zip(senders) {
            if is_withdrawn(&what) {
                self.answer_sender(&sender, Event::Error(error.clone()), context.effects);
            } else {
                self.proposals.push(what);
                self.senders.push(sender);
            }
        }
    }

    /// Fails while the session is kicked.
    pub(super) fn check_kicked(&self, author: Author) -> Applied {
        self.check_sanction(author, |it| it.kicked_until, CommandError::KICKED)
    }

    /// Fails while the user is muted, except on an owner's connection.
    pub(super) fn check_muted(&self, context: &Context<'_>) -> Applied {
        match context.is_owner {
            true => Ok(()),
            false => {
                self.check_sanction(context.author()?, |it| it.muted_until, CommandError::MUTED)
            }
        }
    }

    fn check_sanction(
        &self,
        author: Author,
        until: fn(&Sanction) -> UnixMillis,
        error: CommandError,
    ) -> Applied {
        let until = self.sanctions.get(&author).map_or(UnixMillis(0), until);
        match until.0.saturating_sub(self.now.unix.0) {
            0 => Ok(()),
            retry_ms => Err(error.after(retry_ms)),
        }
    }

    /// Fails where only owners may write.
    pub(super) fn check_read_only(&self, context: &Context<'_>, id: ChannelId) -> Applied {
        let channel = self.channels.get(id).filter(|_| !context.is_owner);
        match channel.map(|channel| channel.settings.writing) {
            Some(Writing::Owner) => Err(CommandError::READ_ONLY),
            _ => Ok(()),
        }
    }

    /// Fails where only owners may write, or while the user has to wait. Otherwise the user's next
    /// message has to wait, unless it is the same one again, which the commit only acknowledges.
    pub(super) fn check_writing(
        &mut self,
        context: &Context<'_>,
        id: ChannelId,
        nonce: Option<&str>,
    ) -> Applied {
        self.check_read_only(context, id)?;
        let (author, now) = (context.author()?, self.now.mono);
        let channel = self.channels.get_mut(id).filter(|_| !context.is_owner);
        let Some(channel) = channel else {
            return Ok(());
        };
        let Writing::Slow(seconds) = channel.settings.writing else {
            return Ok(());
        };
        let interval = Duration::from_secs(seconds.into());
        let wait = |last| interval.saturating_sub(now.since(last));
        if let Some((last, last_nonce)) = channel.last_sent.get(&author) {
            if nonce.is_some() && nonce == last_nonce.as_deref() {
                return Ok(());
            }
            let retry_ms = wait(*last).as_millis() as u64;
            if retry_ms > 0 {
                return Err(CommandError::SLOW.after(retry_ms));
            }
        }
        // Beyond the limit, all are forgotten: slow mode does not stop 10,000 users anyway.
        if channel.last_sent.len() >= SLOW_USERS {
            channel.last_sent.clear();
        }
        channel
            .last_sent
            .insert(author, (now, nonce.map(Into::into)));
        Ok(())
    }

    /// Forgets the time of a message that could not be stored.
    pub(super) fn not_sent(&mut self, author: Author, channel: Option<ChannelId>) {
        if let Some(channel) = channel.and_then(|id| self.channels.get_mut(id)) {
            channel.last_sent.remove(&author);
        }
    }
}
