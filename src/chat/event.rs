//! What clients are told, and what follows from a command: events and effects. Plain data, owned,
//! so that it can be
//! compared in tests and encoded once for all who get it.

use super::command::RequestId;
use super::error::CommandError;
use crate::history::{Author, Epoch, Record, Seq};
use crate::time::UnixMillis;
use std::rc::Rc;

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer to `hello`.
    Welcome(Box<Welcome>),
    /// The answer to `join`.
    Joined(Box<Joined>),
    /// The answer to `leave`.
    Left {
        /// The channel's name.
        channel: Rc<str>,
    },
    /// The message is stored.
    Ack {
        /// Where it stands.
        place: PlaceName,
        /// Its number there.
        seq: Seq,
        /// When it was stored.
        at: UnixMillis,
    },
    /// Somebody said something in a channel.
    Message {
        /// The channel's name.
        channel: Rc<str>,
        /// What was said.
        record: Record,
    },
    /// Somebody said something to one user.
    Direct {
        /// The conversation's identifier.
        conversation: Rc<str>,
        /// What was said.
        record: Record,
    },
    /// Somebody is writing.
    Typing {
        /// Where: a channel or a conversation (`to` is not told).
        place: PlaceName,
        /// Who.
        user: Rc<str>,
    },
    /// The answer to `history`.
    History {
        /// Of what (`to` is not told).
        place: PlaceName,
        /// Oldest first.
        messages: Vec<Record>,
        /// There are others in the direction that was asked.
        more: bool,
        /// The oldest that is kept.
        first: Seq,
    },
    /// The answer to `who`.
    Users {
        /// The channel, where one was asked for.
        channel: Option<Rc<str>>,
        /// At most 500 names.
        users: Vec<Rc<str>>,
        /// How many there are.
        count: usize,
    },
    /// The answer to `channels`.
    Channels(Vec<ChannelSummary>),
    /// Channels came or went.
    ChannelsChanged {
        /// New ones.
        created: Vec<Rc<str>>,
        /// Those that are no longer listed.
        gone: Vec<Rc<str>>,
    },
    /// Users came or went.
    Presence {
        /// Who came.
        joined: Vec<Rc<str>>,
        /// Who went; applies first.
        left: Vec<Rc<str>>,
        /// How many are online.
        online: usize,
    },
    /// Members of a channel came or went.
    Members {
        /// The channel.
        channel: Rc<str>,
        /// Who came.
        joined: Vec<Rc<str>>,
        /// Who went; applies first.
        left: Vec<Rc<str>>,
        /// How many members there are.
        count: usize,
    },
    /// A user has another name.
    Renamed {
        /// The old one.
        from: Rc<str>,
        /// The new one.
        to: Rc<str>,
    },
    /// The answer to `/help`.
    Help,
    /// A command failed.
    Error(CommandError),
}

/// The answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The user's name.
    pub name: Rc<str>,
    /// The session's public number.
    pub author: Author,
    /// The session's token, a secret.
    pub session: Box<str>,
    /// At most 500, the most recently used first.
    pub channels: Vec<ChannelSummary>,
    /// At most 500 names of those online.
    pub users: Vec<Rc<str>>,
    /// How many are online.
    pub online: usize,
    /// At most 200, the newest first.
    pub directs: Vec<DirectSummary>,
    /// `limits.text`, in characters.
    pub text_chars: usize,
    /// `limits.message_bytes`.
    pub message_bytes: usize,
    /// Which history it is that `seq`s belong to.
    pub epoch: Epoch,
    /// The server's clock.
    pub time: UnixMillis,
}

/// The answer to `join`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The channel's name.
    pub channel: Rc<str>,
    /// The newest message, 0 where there is none.
    pub seq: Seq,
    /// The oldest that is kept; `seq + 1` where none is.
    pub first: Seq,
    /// At most 500 names.
    pub members: Vec<Rc<str>>,
    /// How many members there are.
    pub count: usize,
    /// Oldest first.
    pub history: Vec<Record>,
    /// With `since`: newer ones are still to be fetched. Without: older ones exist.
    pub more: bool,
}

/// A row of `channels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSummary {
    /// The channel's name.
    pub name: Rc<str>,
    /// How many users are in it.
    pub members: usize,
    /// Its newest message.
    pub seq: Seq,
}

/// A row of `directs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectSummary {
    /// Its identifier.
    pub conversation: Rc<str>,
    /// The name that the other one has or last had.
    pub with: Rc<str>,
    /// Its newest message.
    pub seq: Seq,
    /// Whether the other one is online.
    pub online: bool,
}

/// A place as it is told to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceName {
    /// A channel's name.
    Channel(Rc<str>),
    /// A conversation.
    Conversation {
        /// Its identifier.
        conversation: Rc<str>,
        /// In an `ack`, the name of the one it was sent to.
        to: Option<Rc<str>>,
    },
}

/// The hub's word for where a client is. Chat only keeps it and gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

/// Chat's word for one client (a tab). The hub only keeps it and gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// A channel while it is listed; a number that another channel may have once this one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u32);

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Everyone who was welcomed.
    Everyone,
    /// Every connection in a channel.
    Channel(ChannelId),
}

/// What follows from a command, in order. The hub carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// One client's answer.
    Answer {
        /// Whose.
        to: Address,
        /// What it says.
        event: Event,
        /// The id of the command that it answers.
        id: Option<RequestId>,
    },
    /// The same for a handful of clients, encoded once.
    Deliver {
        /// Whose.
        to: Vec<Address>,
        /// What it says.
        event: Event,
    },
    /// The same for every subscriber of a topic, encoded once.
    Publish {
        /// Of which.
        topic: Topic,
        /// What it says.
        event: Event,
        /// Subscribers that do not get it.
        except: Vec<Address>,
    },
    /// From here on the client gets what is published.
    Subscribe {
        /// Who.
        who: Address,
        /// To what.
        topic: Topic,
    },
    /// From here on it does not.
    Unsubscribe {
        /// Who.
        who: Address,
        /// From what.
        topic: Topic,
    },
    /// The connection ends; the hub then reports it as disconnected.
    Close {
        /// Whose.
        who: Address,
        /// Which close code that is, the hub knows.
        why: Farewell,
    },
}

/// Why the chat ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// `/quit`: 1000.
    Quit,
    /// No `hello` in time: 1008.
    NoHello,
}
