//! Topics and their subscribers.
//!
//! There is one topic for everyone, and one for each channel. Within a turn, the frames published
//! in a topic are appended to one shared buffer (one for each encoding that has a subscriber), and
//! each subscriber receives a range of it. Each subscriber has a cursor into the buffer, `given`. A
//! connection that subscribes within a turn gets only later frames. Before a connection gets an
//! answer, `catch_up` hands it the frames published so far, so events keep their order. Between
//! turns no topic has a buffer, and every cursor is 0.

use super::outbox::{NONE, Outbox, Source, Turn};
use crate::chat::event::{ChannelId, Topic};
use smallvec::SmallVec;

/// How events reach a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    #[default]
    Plain,
    /// Compressed by permessage-deflate, if that makes the event shorter.
    Deflated,
}

/// Finds the outboxes of connections, by index.
pub(super) trait Outboxes {
    fn outbox(&mut self, index: u32) -> Option<&mut Outbox>;
}

/// All topics and their subscribers.
#[derive(Default)]
pub(super) struct Topics {
    /// Everyone comes first, then the channels by number; each twice, once for each encoding.
    topics: Vec<Subscribers>,
    /// Topics with a buffer in this turn.
    published: Vec<u32>,
}

/// One topic in one encoding.
struct Subscribers {
    /// The buffer of this turn, or [`NONE`].
    buffer: u32,
    list: Vec<Subscriber>,
}

struct Subscriber {
    connection: u32,
    /// The bytes of the buffer that it was handed so far.
    given: u32,
}

/// A connection's subscriptions, with its position among the subscribers of each topic.
#[derive(Default)]
pub(super) struct Subscriptions(SmallVec<[Subscription; 2]>);

#[derive(Clone, Copy)]
struct Subscription {
    topic: u32,
    position: u32,
}

/// A subscriber whose position changed because another one left. The caller must update its
/// [`Subscriptions`].
#[must_use]
pub(super) struct Moved {
    pub(super) connection: u32,
    topic: u32,
    position: u32,
}

impl Subscriptions {
    /// Updates the position that [`Topics::unsubscribe`] changed.
    pub(super) fn on_moved(&mut self, moved: &Moved) {
        let mut all = self.0.iter_mut();
        if let Some(subscription) = all.find(|subscription| subscription.topic == moved.topic) {
            subscription.position = moved.position;
        }
    }

    /// Returns any topic that is subscribed to.
    pub(super) fn any(&self) -> Option<Topic> {
        self.0.last().map(|last| match last.topic / 2 {
            0 => Topic::Everyone,
            channel => Topic::Channel(ChannelId(channel - 1)),
        })
    }

    fn find(&self, topic: Topic) -> Option<usize> {
        let wanted = number(topic, Encoding::Plain) / 2;
        let mut topics = self.0.iter();
        topics.position(|subscription| subscription.topic / 2 == wanted)
    }
}

impl Topics {
    /// Subscribes a connection to the events that follow.
    pub(super) fn subscribe(
        &mut self,
        connection: u32,
        subscriptions: &mut Subscriptions,
        (topic, encoding): (Topic, Encoding),
        turn: &Turn,
    ) {
        if subscriptions.find(topic).is_some() {
            return;
        }
        let topic = number(topic, encoding);
        let subscribers = self.subscribers(topic);
        let position = subscribers.list.len() as u32;
        let given = turn.length(subscribers.buffer);
        subscribers.list.push(Subscriber { connection, given });
        subscriptions.0.push(Subscription { topic, position });
    }

    /// Unsubscribes a connection, after handing it the events published so far.
    pub(super) fn unsubscribe(
        &mut self,
        subscriptions: &mut Subscriptions,
        outbox: &mut Outbox,
        turn: &mut Turn,
        topic: Topic,
    ) -> Option<Moved> {
        let place = subscriptions.find(topic)?;
        let Subscription { topic, position } = subscriptions.0.remove(place);
        self.hand(topic, position, outbox, turn);
        let list = &mut self.subscribers(topic).list;
        list.swap_remove(position as usize);
        if list.len() < list.capacity() / 4 {
            list.shrink_to(2 * list.len());
        }
        let moved = list.get(position as usize)?;
        let connection = moved.connection;
        Some(Moved {
            connection,
            topic,
            position,
        })
    }

    /// Appends a frame for the subscribers with this encoding. Returns their number; with none,
    /// nothing is encoded.
    pub(super) fn publish(
        &mut self,
        topic: Topic,
        encoding: Encoding,
        turn: &mut Turn,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let topic = number(topic, encoding);
        let Some(subscribers) = self.topics.get_mut(topic as usize) else {
            return 0;
        };
        if subscribers.list.is_empty() {
            return 0;
        }
        let buffer = turn.append(subscribers.buffer, write);
        if std::mem::replace(&mut subscribers.buffer, buffer) == NONE {
            self.published.push(topic);
        }
        subscribers.list.len()
    }

    /// Hands a connection everything published so far, so that an answer can follow.
    pub(super) fn catch_up(
        &mut self,
        subscriptions: &Subscriptions,
        outbox: &mut Outbox,
        turn: &mut Turn,
    ) {
        if !self.published.is_empty() {
            for subscription in &subscriptions.0 {
                self.hand(subscription.topic, subscription.position, outbox, turn);
            }
        }
    }

    /// Skips what was published in a topic since [`Topics::catch_up`]. Returns whether the
    /// connection is subscribed.
    pub(super) fn skip(
        &mut self,
        subscriptions: &Subscriptions,
        topic: Topic,
        turn: &Turn,
    ) -> bool {
        let Some(place) = subscriptions.find(topic) else {
            return false;
        };
        let Subscription { topic, position } = subscriptions.0[place];
        let subscribers = self.subscribers(topic);
        subscribers.list[position as usize].given = turn.length(subscribers.buffer);
        true
    }

    /// Hands each subscriber the rest of its topic's buffer, at the end of the turn.
    pub(super) fn hand_out(&mut self, turn: &mut Turn, outboxes: &mut impl Outboxes) {
        for topic in self.published.drain(..) {
            let subscribers = &mut self.topics[topic as usize];
            let source = Source::Shared(subscribers.buffer);
            let end = turn.length(subscribers.buffer);
            subscribers.buffer = NONE;
            for Subscriber { connection, given } in &mut subscribers.list {
                let given = std::mem::take(given);
                if let Some(outbox) = outboxes.outbox(*connection) {
                    turn.hand(*connection, outbox, source, given..end);
                }
            }
        }
    }

    /// Frees the memory of channels that no longer exist.
    pub(super) fn shrink(&mut self) {
        while self.topics.last().is_some_and(|last| last.list.is_empty()) {
            self.topics.pop();
        }
        if self.topics.len() < self.topics.capacity() / 4 {
            self.topics.shrink_to(2 * self.topics.len());
            self.published.shrink_to(2 * self.topics.len());
        }
    }

    fn hand(&mut self, topic: u32, position: u32, outbox: &mut Outbox, turn: &mut Turn) {
        let subscribers = &mut self.topics[topic as usize];
        let end = turn.length(subscribers.buffer);
        let subscriber = &mut subscribers.list[position as usize];
        let given = std::mem::replace(&mut subscriber.given, end);
        let source = Source::Shared(subscribers.buffer);
        turn.hand(subscriber.connection, outbox, source, given..end);
    }

    fn subscribers(&mut self, topic: u32) -> &mut Subscribers {
        let index = topic as usize;
        while index >= self.topics.len() {
            self.topics.push(Subscribers {
                buffer: NONE,
                list: Vec::new(),
            });
        }
        &mut self.topics[index]
    }
}

fn number(topic: Topic, encoding: Encoding) -> u32 {
    let topic = match topic {
        Topic::Everyone => 0,
        Topic::Channel(ChannelId(channel)) => channel + 1,
    };
    2 * topic + encoding as u32
}
