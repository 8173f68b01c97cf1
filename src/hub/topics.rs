//! Topics and their subscribers.
//!
//! There is one topic for everyone, and one for each channel. Within a turn, a topic appends its
//! frames to one shared buffer (one for each encoding that has a subscriber). Each subscriber gets
//! a range of that buffer, and has a cursor into it, `given`. A connection that subscribes within a
//! turn gets only later frames. Before a connection gets an answer, `catch_up` hands it the frames
//! published so far, so events keep their order. Between turns no topic has a buffer, and every
//! cursor is 0.

use super::outbox::{Encoding, NONE, Outbox, Source, Turn};
use crate::chat::event::{ChannelId, Topic};
use std::ops::Range;

/// All topics and their subscribers.
#[derive(Default)]
pub(super) struct Topics {
    /// The topic of everyone, then those of channels by number; each twice, once per encoding.
    topics: Vec<Subscribers>,
    /// Topics with a buffer in this turn.
    published: Vec<u32>,
}

/// One topic in one encoding.
struct Subscribers {
    /// The buffer of this turn, or [`NONE`].
    buffer: u32,
    /// Sorted by their connections.
    list: Vec<Subscriber>,
}

struct Subscriber {
    connection: u32,
    /// The bytes of the buffer that it was handed so far.
    given: u32,
}

impl Subscribers {
    /// Returns the position of a connection, or the one at which to insert it.
    fn position(&self, connection: u32) -> Result<usize, usize> {
        let list = &self.list;
        list.binary_search_by_key(&connection, |subscriber| subscriber.connection)
    }

    /// Moves a connection's cursor to the end of the buffer. Returns the range that it passed.
    fn advance(&mut self, connection: u32, turn: &Turn) -> Range<u32> {
        let end = turn.length(self.buffer);
        let given = match self.position(connection) {
            Ok(position) => std::mem::replace(&mut self.list[position].given, end),
            Err(_) => end,
        };
        given..end
    }
}

impl Topics {
    /// Subscribes a connection to the events that follow.
    pub(super) fn subscribe(&mut self, outbox: &mut Outbox, topic: Topic, turn: &Turn) {
        let topic = number(topic, outbox.encoding);
        while topic as usize >= self.topics.len() {
            let (buffer, list) = (NONE, Vec::new());
            self.topics.push(Subscribers { buffer, list });
        }
        let subscribers = &mut self.topics[topic as usize];
        if let Err(position) = subscribers.position(outbox.index) {
            let (connection, given) = (outbox.index, turn.length(subscribers.buffer));
            let new = Subscriber { connection, given };
            subscribers.list.insert(position, new);
            outbox.topics.push(topic);
        }
    }

    /// Unsubscribes a connection, after handing it the events published so far.
    pub(super) fn unsubscribe(&mut self, outbox: &mut Outbox, topic: Topic, turn: &mut Turn) {
        self.catch_up(outbox, turn);
        self.remove(outbox, number(topic, outbox.encoding));
    }

    pub(super) fn unsubscribe_all(&mut self, outbox: &mut Outbox, turn: &mut Turn) {
        self.catch_up(outbox, turn);
        while let Some(last) = outbox.topics.last().copied() {
            self.remove(outbox, last);
        }
    }

    fn remove(&mut self, outbox: &mut Outbox, topic: u32) {
        outbox.topics.retain(|known| *known != topic);
        if let Some(subscribers) = self.topics.get_mut(topic as usize)
            && let Ok(position) = subscribers.position(outbox.index)
        {
            let list = &mut subscribers.list;
            list.remove(position);
            if list.len() < list.capacity() / 4 {
                list.shrink_to(2 * list.len());
            }
        }
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
        let subscribers = self.topics.get_mut(topic as usize);
        let Some(subscribers) = subscribers.filter(|it| !it.list.is_empty()) else {
            return 0;
        };
        let buffer = turn.append(subscribers.buffer, write);
        if std::mem::replace(&mut subscribers.buffer, buffer) == NONE {
            self.published.push(topic);
        }
        subscribers.list.len()
    }

    /// Hands a connection everything published so far, so that an answer can follow.
    pub(super) fn catch_up(&mut self, outbox: &mut Outbox, turn: &mut Turn) {
        for index in 0..outbox.topics.len() {
            let subscribers = &mut self.topics[outbox.topics[index] as usize];
            if subscribers.buffer != NONE {
                let range = subscribers.advance(outbox.index, turn);
                turn.hand(outbox, Source::Shared(subscribers.buffer), range);
            }
        }
    }

    /// Skips the frames that a topic got since [`Topics::catch_up`]. Returns whether the connection
    /// is subscribed.
    pub(super) fn skip(&mut self, outbox: &Outbox, topic: Topic, turn: &Turn) -> bool {
        let topic = number(topic, outbox.encoding);
        let is_subscribed = outbox.topics.contains(&topic);
        if is_subscribed {
            self.topics[topic as usize].advance(outbox.index, turn);
        }
        is_subscribed
    }

    /// Hands each subscriber the rest of its topic's buffer, at the end of the turn. `hand` gets
    /// the index of a connection, and the range for it.
    pub(super) fn hand_out(
        &mut self,
        turn: &mut Turn,
        mut hand: impl FnMut(&mut Turn, u32, Source, Range<u32>),
    ) {
        for topic in self.published.drain(..) {
            let subscribers = &mut self.topics[topic as usize];
            let buffer = std::mem::replace(&mut subscribers.buffer, NONE);
            let end = turn.length(buffer);
            for Subscriber { connection, given } in &mut subscribers.list {
                let range = std::mem::take(given)..end;
                hand(turn, *connection, Source::Shared(buffer), range);
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
        }
    }
}

/// Returns the position of a topic in [`Topics::topics`].
fn number(topic: Topic, encoding: Encoding) -> u32 {
    let topic = match topic {
        Topic::Everyone => 0,
        Topic::Channel(ChannelId(channel)) => channel + 1,
    };
    2 * topic + encoding as u32
}
