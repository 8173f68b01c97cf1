//! Who gets what is published.
//!
//! A topic is everyone, or one channel. In a turn its frames stand one after another in one buffer, encoded once; a
//! subscriber gets a range of it. Each has a cursor, so that somebody who came in mid-turn gets only what came after, and
//! can be *caught up* before an answer of its own overtakes what was said before. Between turns the buffers are empty and
//! the cursors are 0.
//!
//! Not here: who may subscribe (`chat`), how a range reaches the socket and what a slow reader costs (`outbox`).

use super::connection::Connection;
use super::outbox::{KEPT_BYTES, Outbox, Source, Turn};
use crate::chat::event::{ChannelId, Topic};
use slab::Slab;
use std::rc::Rc;

/// Every topic, its subscribers, and what is said in it in this turn.
#[derive(Default)]
pub(super) struct Topics {
    /// Everyone comes first, then the channels by their numbers.
    topics: Vec<TopicBuffer>,
    /// Topics in which something was said in this turn.
    spoken: Vec<u32>,
    bytes: usize,
}

#[derive(Default)]
struct TopicBuffer {
    /// Shared with the backlogs of slow readers; nobody else holds it while frames are appended.
    frames: Rc<Vec<u8>>,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    connection: u32,
    /// How much of `frames` it has been handed.
    given: u32,
}

/// A connection's subscriptions: where it stands among the subscribers of each topic.
#[derive(Default)]
pub(super) struct Subscriptions(Vec<Subscription>);

#[derive(Clone, Copy)]
struct Subscription {
    topic: u32,
    position: u32,
}

/// Somebody whose position changed because another one left: its [`Subscriptions`] are to be told.
#[must_use]
pub(super) struct Moved {
    pub(super) connection: u32,
    topic: u32,
    position: u32,
}

impl Subscriptions {
    /// Another one left, and this connection took its position.
    pub(super) fn moved(&mut self, moved: &Moved) {
        if let Some(subscription) = self.0.iter_mut().find(|subscription| subscription.topic == moved.topic) {
            subscription.position = moved.position;
        }
    }

    fn position(&self, topic: u32) -> Option<usize> {
        self.0.iter().position(|subscription| subscription.topic == topic)
    }
}

impl Topics {
    /// A topic's frames of this turn.
    pub(super) fn frames(&self, topic: u32) -> &Rc<Vec<u8>> {
        &self.topics[topic as usize].frames
    }

    /// Bytes that stand in all buffers.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A new subscriber starts at the end: what was said before it came is in its `joined`.
    pub(super) fn subscribe(&mut self, connection: u32, subscriptions: &mut Subscriptions, topic: Topic) {
        let topic = number(topic);
        if subscriptions.position(topic).is_some() {
            return;
        }
        let buffer = self.buffer(topic);
        let position = buffer.subscribers.len() as u32;
        buffer.subscribers.push(Subscriber { connection, given: buffer.frames.len() as u32 });
        subscriptions.0.push(Subscription { topic, position });
    }

    /// Hands out what was said until now, and nothing from here on.
    pub(super) fn unsubscribe(
        &mut self,
        subscriptions: &mut Subscriptions,
        outbox: &mut Outbox,
        turn: &mut Turn,
        topic: Topic,
    ) -> Option<Moved> {
        let place = subscriptions.position(number(topic))?;
        let Subscription { topic, position } = subscriptions.0.swap_remove(place);
        self.hand(topic, position, outbox, turn);
        let subscribers = &mut self.buffer(topic).subscribers;
        subscribers.swap_remove(position as usize);
        if subscribers.is_empty() {
            *subscribers = Vec::new();
        }
        subscribers.get(position as usize).map(|moved| Moved { connection: moved.connection, topic, position })
    }

    /// Any topic that is still subscribed to: to leave them one by one.
    pub(super) fn any_of(subscriptions: &Subscriptions) -> Option<Topic> {
        subscriptions.0.last().map(|subscription| match subscription.topic {
            0 => Topic::Everyone,
            number => Topic::Channel(ChannelId(number - 1)),
        })
    }

    /// Appends a frame for every subscriber; returns how many those are.
    pub(super) fn publish(&mut self, topic: Topic, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let topic = number(topic);
        let buffer = self.buffer(topic);
        let subscribers = buffer.subscribers.len();
        if subscribers == 0 {
            return 0;
        }
        let before = buffer.frames.len();
        write(Rc::make_mut(&mut buffer.frames));
        let more = buffer.frames.len() - before;
        if before == 0 {
            self.spoken.push(topic);
        }
        self.bytes += more;
        subscribers
    }

    /// Hands a subscriber what was said until now in every topic of its own, so that an answer can follow.
    pub(super) fn catch_up(&mut self, subscriptions: &Subscriptions, outbox: &mut Outbox, turn: &mut Turn) {
        if self.bytes > 0 {
            subscriptions.0.iter().for_each(|subscription| self.hand(subscription.topic, subscription.position, outbox, turn));
        }
    }

    /// What was said until now in one topic is not for this subscriber; call it after [`Topics::catch_up`] and `publish`.
    pub(super) fn pass_over(&mut self, subscriptions: &Subscriptions, topic: Topic) -> bool {
        let Some(place) = subscriptions.position(number(topic)) else { return false };
        let buffer = self.buffer(number(topic));
        buffer.subscribers[subscriptions.0[place].position as usize].given = buffer.frames.len() as u32;
        true
    }

    /// At the end of the turn: a range for each subscriber, never a copy.
    pub(super) fn hand_out<S>(&mut self, turn: &mut Turn, connections: &mut Slab<Connection<S>>) {
        for topic in &self.spoken {
            let buffer = &mut self.topics[*topic as usize];
            let end = buffer.frames.len() as u32;
            for subscriber in &mut buffer.subscribers {
                if let Some(connection) = connections.get_mut(subscriber.connection as usize) {
                    turn.hand(subscriber.connection, &mut connection.outbox, Source::Topic(*topic), subscriber.given..end);
                }
                subscriber.given = 0;
            }
        }
    }

    /// Empties the buffers once all is flushed; those that a slow reader holds are left to it.
    pub(super) fn clear(&mut self) {
        for topic in self.spoken.drain(..) {
            let buffer = &mut self.topics[topic as usize];
            match Rc::get_mut(&mut buffer.frames) {
                Some(frames) => {
                    frames.clear();
                    frames.shrink_to(KEPT_BYTES);
                }
                None => buffer.frames = Rc::default(),
            }
            debug_assert!(buffer.subscribers.iter().all(|subscriber| subscriber.given == 0));
        }
        self.bytes = 0;
    }

    fn hand(&mut self, topic: u32, position: u32, outbox: &mut Outbox, turn: &mut Turn) {
        let buffer = &mut self.topics[topic as usize];
        let end = buffer.frames.len() as u32;
        let subscriber = &mut buffer.subscribers[position as usize];
        let given = std::mem::replace(&mut subscriber.given, end);
        turn.hand(subscriber.connection, outbox, Source::Topic(topic), given..end);
    }

    fn buffer(&mut self, topic: u32) -> &mut TopicBuffer {
        let index = topic as usize;
        if index >= self.topics.len() {
            self.topics.resize_with(index + 1, TopicBuffer::default);
        }
        &mut self.topics[index]
    }
}

fn number(topic: Topic) -> u32 {
    match topic {
        Topic::Everyone => 0,
        Topic::Channel(ChannelId(number)) => number + 1,
    }
}
