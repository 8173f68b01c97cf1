//! Events, which clients receive, and effects, which tell the hub what to do. Plain data, so that
//! tests can compare it and the hub can encode an event once for all receivers.

#![allow(missing_docs)]

use super::command::RequestId;
use super::error::CommandError;
use crate::history::{Author, Epoch, Kind, Place, Record, Seq, Writing};
use crate::time::UnixMillis;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::rc::Rc;

/// One JSON message to a client. The variants are its `type`, in snake case, and the fields are
/// those of the protocol (`docs/protocol.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The answer to `hello`.
    Welcome(Box<Welcome>),
    /// The answer to `join`.
    Joined(Box<Joined>),
    /// The answer to `leave`.
    Left { channel: Rc<str> },
    /// Confirms that a message is stored.
    Ack {
        #[serde(flatten, serialize_with = "serialize_place")]
        place: Place,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<Rc<str>>,
        seq: Seq,
        at: UnixMillis,
    },
    /// A user is typing.
    Typing {
        #[serde(flatten, serialize_with = "serialize_place")]
        place: Place,
        user: Rc<str>,
    },
    /// The answer to `history`.
    History {
        #[serde(flatten, serialize_with = "serialize_place")]
        place: Place,
        messages: Vec<Record>,
        more: bool,
        first: Seq,
    },
    /// The answer to `search`.
    Found {
        results: Vec<Record>,
        more: bool,
        before: Option<Box<str>>,
    },
    /// The answer to `who`.
    Users {
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<Rc<str>>,
        users: Vec<Rc<str>>,
        count: usize,
    },
    /// The answer to `channels`.
    Channels { channels: Vec<ChannelSummary> },
    /// Channels that changed since the last such event.
    ChannelsChanged {
        created: Vec<Rc<str>>,
        gone: Vec<Rc<str>>,
    },
    /// User names that changed since the last such event.
    Presence {
        joined: Vec<Rc<str>>,
        left: Vec<Rc<str>>,
        online: usize,
    },
    /// Names in a channel that changed since the last such event.
    Members {
        channel: Rc<str>,
        joined: Vec<Rc<str>>,
        left: Vec<Rc<str>>,
        count: usize,
    },
    /// A user changed their name.
    Renamed { from: Rc<str>, to: Rc<str> },
    /// The answer to `/help`.
    Help { text: &'static str },
    /// The answer to `own`. The lists are for owners only.
    Owned {
        on: bool,
        muted: Vec<Sanctioned>,
        kicked: Vec<Sanctioned>,
    },
    /// A user is muted, or no longer (`until` is 0). Sent to owners and to that user.
    Muted(Sanctioned),
    /// A user was removed, or may come back (`until` is 0). Sent to owners.
    Kicked(Sanctioned),
    /// The door was opened for new sessions, or closed.
    Door { open: bool },
    /// A channel has other settings.
    ChannelChanged {
        channel: Rc<str>,
        writing: Writing,
        pinned: Option<Seq>,
    },
    /// The messages of a channel below `first` were deleted.
    Cleared { channel: Rc<str>, first: Seq },
    /// Says why a command failed.
    Error(CommandError),
    /// A message in a channel (`message`) or a conversation (`direct`), or a change of an earlier
    /// one (`edited`, `deleted`, `reacted`).
    #[serde(untagged)]
    Message(Record),
}

/// The answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Welcome {
    pub name: Rc<str>,
    pub author: Author,
    pub session: Box<str>,
    pub channels: Vec<ChannelSummary>,
    pub users: Vec<Rc<str>>,
    pub online: usize,
    pub directs: Vec<DirectSummary>,
    pub door: bool,
    pub limits: MessageLimits,
    pub epoch: Epoch,
    pub time: UnixMillis,
    pub server: &'static str,
    /// The user can't choose another name, because a proxy sets it.
    #[serde(skip_serializing_if = "is_default")]
    pub name_fixed: bool,
}

/// The limits that a client needs before it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MessageLimits {
    pub text: usize,
    pub message_bytes: usize,
}

/// The answer to `join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Joined {
    pub channel: Rc<str>,
    pub seq: Seq,
    pub first: Seq,
    pub members: Vec<Rc<str>>,
    pub count: usize,
    pub history: Vec<Record>,
    pub more: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub writing: Writing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Seq>,
}

/// A row of `channels`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelSummary {
    pub name: Rc<str>,
    pub members: usize,
    pub seq: Seq,
}

/// A row of `directs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirectSummary {
    pub conversation: Rc<str>,
    pub with: Rc<str>,
    pub seq: Seq,
    pub online: bool,
}

/// A user who is muted or kicked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sanctioned {
    pub user: Rc<str>,
    pub until: UnixMillis,
}

/// Serializes a place as clients know it: a channel's name, or a conversation's identifier.
fn serialize_place<S: Serializer>(place: &Place, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    add_place(&mut map, place)?;
    map.end()
}

fn add_place<M: SerializeMap>(event: &mut M, place: &Place) -> Result<(), M::Error> {
    match place {
        Place::Channel(name) => event.serialize_entry("channel", name),
        Place::Conversation(one, other) => {
            event.serialize_entry("conversation", &conversation_id(*one, *other))
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Returns the identifier of a conversation. It is no secret: access is checked on each use.
pub(super) fn conversation_id(one: Author, other: Author) -> String {
    format!("c{}-{}", one.min(other).0, one.max(other).0)
}

/// Returns the conversation that has this identifier.
pub(super) fn conversation_of(id: &str) -> Option<Place> {
    let (one, other) = id.strip_prefix('c')?.split_once('-')?;
    let (one, other) = (Author(one.parse().ok()?), Author(other.parse().ok()?));
    (conversation_id(one, other) == id).then_some(Place::Conversation(one, other))
}

/// Serializes a stored message as a whole event. [`Record::weight`] is an upper bound of its
/// length.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn add<M: SerializeMap>(
            event: &mut M,
            key: &'static str,
            value: Option<impl Serialize>,
        ) -> Result<(), M::Error> {
            value.map_or(Ok(()), |value| event.serialize_entry(key, &value))
        }
        let what = &*self.what;
        let (kind, on) = match (what.kind, &what.place) {
            (Kind::Message, Place::Channel(_)) => ("message", None),
            (Kind::Message, Place::Conversation(..)) => ("direct", None),
            (Kind::Edit { .. }, _) => ("edited", None),
            (Kind::Delete { .. }, _) => ("deleted", None),
            (Kind::React { on, .. }, _) => ("reacted", Some(on)),
            (Kind::Deleted, _) => ("deleted_message", None),
        };
        let mut event = serializer.serialize_map(None)?;
        event.serialize_entry("type", kind)?;
        add_place(&mut event, &what.place)?;
        if what.kind == Kind::Deleted {
            event.serialize_entry("seq", &self.seq)?;
            return event.end();
        }
        let is_message = what.kind == Kind::Message;
        let is_deletion = matches!(what.kind, Kind::Delete { .. });
        let has_text = on.is_none() && !is_deletion;
        let changes = self.changes.as_deref().filter(|_| is_message);
        let reactions = changes.map(|changes| &changes.reactions);
        add(&mut event, "of", what.changes())?;
        event.serialize_entry(if is_deletion { "by" } else { "from" }, &what.from)?;
        add(&mut event, "author", (!is_deletion).then_some(what.author))?;
        add(&mut event, "to", what.to.as_ref().filter(|_| is_message))?;
        add(&mut event, "text", has_text.then_some(&what.text))?;
        add(&mut event, "emoji", on.and(Some(&what.text)))?;
        add(&mut event, "on", on)?;
        event.serialize_entry("seq", &self.seq)?;
        event.serialize_entry("at", &self.at)?;
        add(
            &mut event,
            "action",
            (is_message && what.action).then_some(true),
        )?;
        add(&mut event, "nonce", what.nonce.as_ref())?;
        add(&mut event, "owner", what.owner.then_some(true))?;
        add(
            &mut event,
            "edited_at",
            changes.and_then(|changes| changes.edited_at),
        )?;
        add(
            &mut event,
            "reactions",
            reactions.filter(|all| !all.is_empty()),
        )?;
        event.end()
    }
}

/// The hub's address of a connection, which is never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

/// The address by which wrong keys are counted: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u128);

/// The number of a listed channel. It is reused when the channel is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u32);

/// The connection that a later answer goes to, and the channel of its message.
pub(super) struct Sender {
    pub(super) address: Address,
    pub(super) id: Option<RequestId>,
    pub(super) channel: Option<ChannelId>,
}

/// A list of receivers that a connection can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Events for everyone after their `welcome`.
    Everyone,
    /// Events for the connections in a channel.
    Channel(ChannelId),
}

/// A consequence of a command. The hub carries out effects in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sends an answer to one connection.
    Answer {
        to: Address,
        event: Event,
        id: Option<RequestId>,
    },
    /// Sends an event to some connections, encoded once.
    Deliver { to: Vec<Address>, event: Event },
    /// Sends an event to all subscribers of a topic, encoded once.
    Publish {
        topic: Topic,
        event: Event,
        except: Vec<Address>,
    },
    /// Subscribes a connection to a topic.
    Subscribe { who: Address, topic: Topic },
    /// Ends a connection's subscription to a topic.
    Unsubscribe { who: Address, topic: Topic },
    /// Closes a connection; the hub then reports it as disconnected.
    Close { who: Address, why: Farewell },
}

impl Effect {
    /// Makes the effect that sends an event to all subscribers of a topic.
    pub(super) fn publish(topic: Topic, event: Event) -> Self {
        let except = Vec::new();
        Self::Publish {
            topic,
            event,
            except,
        }
    }
}

/// Why the chat closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The client sent `/quit`: 1000.
    Quit,
    /// No `hello` came within `--hello-timeout`: 1008.
    NoHello,
    /// An owner removed the user: 1008.
    Removed,
}
