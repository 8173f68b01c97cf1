//! The chat: commands go in, effects come out. It knows neither frames nor sockets, only clients
//! and their addresses.
//!
//! A turn is a row of [`Chat::apply`] and one [`Chat::commit`]. A message is only checked and kept
//! as a proposal by the one;
//! the other has all of them stored and numbered, and only then do they exist. Nothing else waits
//! for the commit, so nothing
//! has to be taken back if it fails.
//!
//! Reading order: `command.rs` (what clients may ask), `event.rs` (what they are told, and what
//! follows from a command), here,
//! `session.rs` and `welcome.rs` (who somebody is), `channel.rs` and `membership.rs`, `speak.rs`
//! and `direct.rs` (messages),
//! `answers.rs` (questions), `presence.rs` and `gathered.rs` (who came and went), `json.rs` and
//! `line.rs` (the codecs).
//!
//! Invariants:
//! * What is not committed has no number; no proposal outlives its turn.
//! * An effect names only addresses of clients that are connected.
//! * Each deadline has an entry in `reminders`, at its time or earlier.
//! * Every list that is told has an order of its own: that of authors, of names, or of use.

mod answers;
mod channel;
mod claims;
pub mod command;
mod direct;
pub mod error;
pub mod event;
mod gathered;
pub mod json;
mod kept;
pub mod line;
mod membership;
pub mod name;
mod object;
mod presence;
mod session;
mod speak;
mod welcome;

use crate::few::Few;
use crate::history::{Author, History, Place, Span, StoreError};
use crate::limits::Limits;
use crate::tables::Slots;
use crate::time::{Millis, Now};
use channel::{Channels, Found};
use command::{Command, Recipient, Request, RequestId, When};
use error::CommandError;
use event::{Address, ChannelId, ClientId, Effect, Event, Farewell};
use gathered::Gathered;
use kept::Rows;
use name::ChannelName;
use session::Sessions;
use speak::Speaking;
use std::collections::BTreeSet;
use std::time::Duration;

/// The chat.
pub struct Chat {
    limits: Limits,
    history: Box<dyn History>,
    tokens: Box<dyn FnMut() -> [u8; 16]>,
    clients: Slots<Client>,
    sessions: Sessions,
    channels: Channels,
    gathered: Gathered,
    speaking: Speaking,
    rows: Rows,
    reminders: BTreeSet<(Millis, Reminder)>,
    /// What the history said when it failed last.
    trouble: Option<StoreError>,
}

/// What an `apply` cost and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it takes from the client's rate, in commands.
    pub cost: u32,
    /// A message waits for the commit.
    pub proposed: bool,
    /// Bytes of history that were given.
    pub page_bytes: usize,
    /// Pages of history that were read.
    pub pages: u32,
}

/// How a connection went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// By `/quit`, or a close with 1000.
    Quit,
    /// In any other way.
    Lost,
}

/// A tab, or a program.
struct Client {
    address: Address,
    whose: Whose,
    /// Where it is, the channel joined last at the end.
    channels: Few<ChannelId>,
}

/// Whose a client is.
#[derive(Clone, Copy)]
enum Whose {
    /// Nobody's yet; when it must have said hello.
    Unknown(Option<Millis>),
    /// This session's.
    Of(Author),
}

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reminder {
    /// A client that has not said hello.
    Hello(ClientId),
    /// A user: a window has ended.
    User(Author),
    /// A session that left by itself, to be forgotten.
    Parted(Author),
    /// News of who is online.
    Presence,
    /// News of channels.
    Channels,
    /// News of a channel's members.
    Members(ChannelId),
    /// Names that are held since the restart.
    HeldOver,
    /// Rows of users who are online and silent.
    OldRows,
    /// The history holds more than it is to keep.
    Pruning,
}

/// A command on its way: who asks, and where the answer goes.
struct Ask<'a> {
    client: ClientId,
    address: Address,
    id: Option<RequestId>,
    now: Now,
    /// Bytes of history that may still be given.
    page_bytes: usize,
    outcome: Outcome,
    effects: &'a mut Vec<Effect>,
}

impl Ask<'_> {
    fn answer(&mut self, event: Event) {
        self.effects.push(Effect::Answer {
            to: self.address,
            event,
            id: self.id,
        });
    }
}

impl Chat {
    /// A chat that nobody is in, with what the history has kept. `tokens` gives 128 unguessable
    /// bits, anew at each call.
    pub fn new(
        limits: &Limits,
        history: Box<dyn History>,
        tokens: Box<dyn FnMut() -> [u8; 16]>,
        now: Now,
    ) -> Self {
        let mut chat = Self {
            limits: limits.clone(),
            sessions: Sessions::new(history.newest_author()),
            history,
            tokens,
            clients: Slots::new(),
            channels: Channels::new(),
            gathered: Gathered::default(),
            speaking: Speaking::default(),
            rows: Rows::default(),
            reminders: BTreeSet::new(),
            trouble: None,
        };
        chat.take_over(now);
        chat
    }

    /// A connection shook hands. Its `hello` has to come within `--hello-timeout`.
    pub fn connected(&mut self, address: Address, now: Now) -> ClientId {
        let limit = self.limits.hello_timeout;
        let hello_by = (!limit.is_zero()).then(|| now.mono.after(limit));
        let client = ClientId(self.clients.insert(Client {
            address,
            whose: Whose::Unknown(hello_by),
            channels: Few::default(),
        }) as u32);
        if let Some(at) = hello_by {
            self.reminders.insert((at, Reminder::Hello(client)));
        }
        client
    }

    /// Takes one request; appends what follows from it. `page_bytes` are the bytes of history that
    /// this connection may still be
    /// given in this turn; a page holds one message even where there are none.
    pub fn apply(
        &mut self,
        client: ClientId,
        request: Request,
        page_bytes: usize,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Outcome {
        let outcome = Outcome {
            cost: 1,
            proposed: false,
            page_bytes: 0,
            pages: 0,
        };
        let Some(Client { address, whose, .. }) = self.clients.get(client.0 as usize) else {
            return outcome;
        };
        let author = match whose {
            Whose::Unknown(_) => None,
            Whose::Of(author) => Some(*author),
        };
        let mut ask = Ask {
            client,
            address: *address,
            id: request.id,
            now,
            page_bytes,
            outcome,
            effects,
        };
        if let Err(error) = self.carry_out(&mut ask, author, request.when, request.command) {
            ask.answer(Event::Error(error));
        }
        ask.outcome
    }

    /// The end of the turn: what was proposed is stored, numbered and told, then acknowledged.
    pub fn commit(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.gathered.turn_ends();
        self.store(now, effects);
    }

    /// A connection went. Where it was its user's last one, the resume window begins, or the user
    /// goes.
    pub fn disconnected(
        &mut self,
        client: ClientId,
        departure: Departure,
        now: Now,
        _effects: &mut Vec<Effect>,
    ) {
        let Some(gone) = self.clients.remove(client.0 as usize) else {
            return;
        };
        match gone.whose {
            Whose::Of(author) => self.client_went(client, author, &gone.channels, departure, now),
            Whose::Unknown(Some(at)) => {
                self.reminders.remove(&(at, Reminder::Hello(client)));
            }
            Whose::Unknown(None) => {}
        }
    }

    /// Does what has come due.
    pub fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while let Some((at, reminder)) = self.reminders.first().copied()
            && at <= now.mono
        {
            self.reminders.pop_first();
            match reminder {
                Reminder::Hello(client) => {
                    if let Some(client) = self.clients.get_mut(client.0 as usize) {
                        client.whose = Whose::Unknown(None);
                        effects.push(Effect::Close {
                            who: client.address,
                            why: Farewell::NoHello,
                        });
                    }
                }
                Reminder::User(author) => self.look_at_user(author, now),
                Reminder::Parted(author) => self.sessions.forget(author),
                Reminder::Presence => self.tell_presence(effects),
                Reminder::Channels => self.tell_channels(effects),
                Reminder::Members(channel) => self.tell_members(channel, effects),
                Reminder::HeldOver => self.release_held_over(),
                Reminder::OldRows => self.look_at_rows(now),
                Reminder::Pruning => self.prune(now),
            }
        }
    }

    /// When [`Chat::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.reminders.first().map(|(at, _)| *at)
    }

    /// How long the history's last commit took, once.
    pub fn take_commit_time(&mut self) -> Option<Duration> {
        self.history.take_commit_time()
    }

    /// What the history said when it failed, once: for the log.
    pub fn take_trouble(&mut self) -> Option<StoreError> {
        self.trouble.take()
    }

    /// Users who are online.
    pub fn online(&self) -> usize {
        self.sessions.online()
    }

    /// Channels that are listed.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    /// Users who are online, and sessions that are remembered though they left: what takes memory
    /// for each.
    pub fn users_kept(&self) -> usize {
        self.sessions.kept()
    }

    /// The order of errors: what is always wrong, then whether it is time for it, then everything
    /// else.
    fn carry_out(
        &mut self,
        ask: &mut Ask<'_>,
        author: Option<Author>,
        when: When,
        command: Result<Command, CommandError>,
    ) -> Result<(), CommandError> {
        match (when, author) {
            (When::BeforeHello, Some(_)) => return Err(CommandError::AlreadyWelcomed),
            (When::AfterHello, None) => return Err(CommandError::HelloFirst),
            _ => {}
        }
        match (command?, author) {
            (Command::Help, _) => ask.answer(Event::Help),
            (Command::Quit, _) => ask.effects.push(Effect::Close {
                who: ask.address,
                why: Farewell::Quit,
            }),
            // With --no-trace the hub lets them through, and then there are none.
            (Command::Trace { .. } | Command::Try(_), _) => return Err(CommandError::UnknownType),
            (Command::Hello { .. }, Some(_)) => return Err(CommandError::AlreadyWelcomed),
            (Command::Hello { name, session }, None) => {
                self.hello(ask, &name, session.as_deref())?
            }
            (Command::Nick { name }, None) => self.hello(ask, &name, None)?,
            (_, None) => return Err(CommandError::HelloFirst),
            (command, Some(author)) => self.carry_out_for(ask, author, command)?,
        }
        Ok(())
    }

    fn carry_out_for(
        &mut self,
        ask: &mut Ask<'_>,
        author: Author,
        command: Command,
    ) -> Result<(), CommandError> {
        match command {
            Command::Hello { .. }
            | Command::Help
            | Command::Quit
            | Command::Trace { .. }
            | Command::Try(_) => Ok(()),
            Command::Rename { name } | Command::Nick { name } => self.rename(ask, author, &name),
            Command::Join { channel, since } => self.join(ask, author, &channel, since),
            Command::Leave { channel } => {
                let channel = self.joined_channel(ask.client, channel.as_deref())?;
                self.leave(ask, author, channel);
                Ok(())
            }
            Command::Message {
                channel,
                text,
                action,
                nonce,
            } => {
                let channel = self.joined_channel(ask.client, channel.as_deref())?;
                self.say_in_channel(ask, author, channel, text, action, nonce)
            }
            Command::Direct {
                to: Recipient::User(name),
                text,
                nonce,
            } => {
                let to = self.user_named(&name)?;
                self.say_to(ask, author, to, text, nonce)
            }
            Command::Direct {
                to: Recipient::Conversation(conversation),
                text,
                nonce,
            } => {
                let to = self.conversation(author, &conversation)?;
                self.say_to(ask, author, to, text, nonce)
            }
            Command::Typing { target } => self.types(ask, author, &target),
            Command::History {
                target,
                range,
                limit,
            } => self.tell_history(ask, author, &target, range, limit),
            Command::Who { channel } => self.tell_users(ask, channel.as_deref()),
            Command::Channels => {
                self.tell_all_channels(ask);
                Ok(())
            }
        }
    }

    /// The listed channel of this name.
    fn channel(&self, name: &str) -> Result<ChannelId, CommandError> {
        match self.channels.find(&ChannelName::parse(name)?) {
            Found::Listed(id) => Ok(id),
            Found::PutAway | Found::LooksLike(_) | Found::Nothing => {
                Err(CommandError::NoSuchChannel)
            }
        }
    }

    /// A channel that the client is in; without a name, the one that it joined last.
    fn joined_channel(
        &self,
        client: ClientId,
        name: Option<&str>,
    ) -> Result<ChannelId, CommandError> {
        let joined = self
            .clients
            .get(client.0 as usize)
            .map_or(&[][..], |client| &client.channels);
        let Some(name) = name else {
            return joined.last().copied().ok_or(CommandError::NotInChannel);
        };
        // Most clients say a channel's name as they were told it, and that leads back to the
        // channel: the rules for names, which
        // cost more than all else that is done for a short message, are asked for other spellings
        // alone.
        let as_told = |id: &&ChannelId| {
            self.channels
                .get(**id)
                .is_some_and(|channel| *channel.name.shown == *name)
        };
        if let Some(id) = joined.iter().rev().find(as_told) {
            return Ok(*id);
        }
        let wanted = self.channel(name)?;
        joined
            .contains(&wanted)
            .then_some(wanted)
            .ok_or(CommandError::NotInChannel)
    }

    fn span(&mut self, place: &Place) -> Result<Span, CommandError> {
        self.history.span(place).map_err(|error| self.failed(error))
    }
}
