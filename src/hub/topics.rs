//! Who gets what is published.
//!
//! A topic is everyone, or one channel. In a turn its frames stand one after another in one buffer,
//! encoded once for each
//! encoding that has a subscriber; a subscriber gets a range of it. Each has a cursor, so that
//! somebody who came in mid-turn
//! gets only what came after, and can be *caught up* before an answer of its own overtakes what was
//! said before. Between
//! turns no topic has a buffer, and the cursors are 0.
//!
//! Not here: who may subscribe (`chat`), how a range reaches the socket and what a slow reader
//! costs (`outbox`).

use super::connection::Connection;
use super::outbox::{self, KEPT_BYTES, Outbox, Source, Turn};
use crate::chat::event::{ChannelId, Topic};
use crate::few::Few;
use crate::tables::{Slots, cut, more};
use std::rc::Rc;

/// Buffers that wait for the next turn, whichever topics that will be about; so a thousand channels
/// keep no more than a few.
const STOCK: usize = 16;
/// What each of them keeps.
const STOCK_BYTES: usize = KEPT_BYTES / STOCK;

/// How what is said reaches a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    #[default]
    Plain,
    /// Compressed where that is worth it.
    Deflated,
}

/// Every topic, its subscribers, and what is said in it in this turn.
#[derive(Default)]
pub(super) struct Topics {
    /// Everyone comes first, then the channels by their numbers; each twice, once for each
    /// encoding.
    topics: Vec<TopicBuffer>,
    /// Topics in which something was said in this turn.
    spoken: Vec<u32>,
    bytes: usize,
    stock: Vec<Rc<Vec<u8>>>,
}

#[derive(Default)]
struct TopicBuffer {
    /// What was said in this turn. Shared with the backlogs of slow readers; nobody else holds it
    /// while frames are appended.
    frames: Option<Rc<Vec<u8>>>,
    subscribers: Vec<Subscriber>,
}

impl TopicBuffer {
    fn bytes(&self) -> &[u8] {
        self.frames.as_deref().map_or(&[], |frames| frames)
    }

    fn end(&self) -> u32 {
        self.bytes().len() as u32
    }
}

struct Subscriber {
    connection: u32,
    /// How much of `frames` it has been handed.
    given: u32,
}

/// A connection's subscriptions: where it stands among the subscribers of each topic.
#[derive(Default)]
pub(super) struct Subscriptions {
    list: Few<Subscription>,
}

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
        if let Some(subscription) = self
            .list
            .iter_mut()
            .find(|subscription| subscription.topic == moved.topic)
        {
            subscription.position = moved.position;
        }
    }

    /// Where a topic stands in the list, in whichever encoding.
    fn position(&self, topic: Topic) -> Option<usize> {
        let [plain, deflated] =
            [Encoding::Plain, Encoding::Deflated].map(|encoding| number(topic, encoding));
        self.list
            .iter()
            .position(|subscription| subscription.topic == plain || subscription.topic == deflated)
    }
}

impl Topics {
    /// A topic's frames of this turn.
    pub(super) fn frames(&self, topic: u32) -> &[u8] {
        self.topics[topic as usize].bytes()
    }

    /// The same, for whom this turn is not long enough.
    pub(super) fn share(&self, topic: u32) -> Rc<Vec<u8>> {
        self.topics[topic as usize]
            .frames
            .clone()
            .unwrap_or_default()
    }

    /// Bytes that stand in all buffers.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A new subscriber starts at the end: what was said before it came is in its `joined`.
    pub(super) fn subscribe(
        &mut self,
        connection: u32,
        subscriptions: &mut Subscriptions,
        topic: Topic,
        encoding: Encoding,
    ) {
        if subscriptions.position(topic).is_some() {
            return;
        }
        let topic = number(topic, encoding);
        let buffer = self.buffer(topic);
        let position = buffer.subscribers.len() as u32;
        if buffer.subscribers.len() == buffer.subscribers.capacity() {
            buffer
                .subscribers
                .reserve_exact(more::<Subscriber>(buffer.subscribers.len()));
        }
        buffer.subscribers.push(Subscriber {
            connection,
            given: buffer.end(),
        });
        subscriptions.list.push(Subscription { topic, position });
    }

    /// Hands out what was said until now, and nothing from here on.
    pub(super) fn unsubscribe(
        &mut self,
        subscriptions: &mut Subscriptions,
        outbox: &mut Outbox,
        turn: &mut Turn,
        topic: Topic,
    ) -> Option<Moved> {
        let place = subscriptions.position(topic)?;
        let Subscription { topic, position } = subscriptions.list.remove(place)?;
        self.hand(topic, position, outbox, turn);
        let subscribers = &mut self.buffer(topic).subscribers;
        subscribers.swap_remove(position as usize);
        if subscribers.is_empty() {
            *subscribers = Vec::new();
        } else {
            cut(subscribers);
        }
        subscribers.get(position as usize).map(|moved| Moved {
            connection: moved.connection,
            topic,
            position,
        })
    }

    /// Any topic that is still subscribed to: to leave them one by one.
    pub(super) fn any_of(subscriptions: &Subscriptions) -> Option<Topic> {
        subscriptions
            .list
            .last()
            .map(|subscription| match subscription.topic / 2 {
                0 => Topic::Everyone,
                channel => Topic::Channel(ChannelId(channel - 1)),
            })
    }

    /// Whether anybody is subscribed, in this encoding.
    pub(super) fn has_subscribers(&self, topic: Topic, encoding: Encoding) -> bool {
        self.topics
            .get(number(topic, encoding) as usize)
            .is_some_and(|buffer| !buffer.subscribers.is_empty())
    }

    /// Appends a frame for every subscriber of this encoding; returns how many those are.
    pub(super) fn publish(
        &mut self,
        topic: Topic,
        encoding: Encoding,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let topic = number(topic, encoding);
        let mut frames = self
            .buffer(topic)
            .frames
            .take()
            .or_else(|| self.stock.pop())
            .unwrap_or_default();
        let before = frames.len();
        write(Rc::make_mut(&mut frames));
        self.bytes += frames.len() - before;
        if before == 0 {
            self.spoken.push(topic);
        }
        let buffer = self.buffer(topic);
        buffer.frames = Some(frames);
        buffer.subscribers.len()
    }

    /// Hands a subscriber what was said until now in every topic of its own, so that an answer can
    /// follow.
    pub(super) fn catch_up(
        &mut self,
        subscriptions: &Subscriptions,
        outbox: &mut Outbox,
        turn: &mut Turn,
    ) {
        if self.bytes > 0 {
            subscriptions.list.iter().for_each(|subscription| {
                self.hand(subscription.topic, subscription.position, outbox, turn)
            });
        }
    }

    /// What was said until now in one topic is not for this subscriber; call it after
    /// [`Topics::catch_up`] and `publish`.
    pub(super) fn pass_over(&mut self, subscriptions: &Subscriptions, topic: Topic) -> bool {
        let Some(place) = subscriptions.position(topic) else {
            return false;
        };
        let Subscription { topic, position } = subscriptions.list[place];
        let buffer = self.buffer(topic);
        buffer.subscribers[position as usize].given = buffer.end();
        true
    }

    /// At the end of the turn: a range for each subscriber, never a copy.
    pub(super) fn hand_out<S>(&mut self, turn: &mut Turn, connections: &mut Slots<Connection<S>>) {
        for topic in &self.spoken {
            let buffer = &mut self.topics[*topic as usize];
            let end = buffer.end();
            for subscriber in &mut buffer.subscribers {
                if let Some(connection) = connections.get_mut(subscriber.connection as usize) {
                    turn.hand(
                        subscriber.connection,
                        &mut connection.outbox,
                        Source::Topic(*topic),
                        subscriber.given..end,
                    );
                }
                subscriber.given = 0;
            }
        }
    }

    /// Takes the buffers back once all is flushed; those that a slow reader holds are left to it.
    pub(super) fn clear(&mut self) {
        let Self {
            topics,
            stock,
            spoken,
            bytes,
        } = self;
        // What this turn had no use for shrinks, too.
        stock
            .iter_mut()
            .filter_map(Rc::get_mut)
            .for_each(|unused| outbox::empty(unused, STOCK_BYTES));
        for topic in spoken.drain(..) {
            let topic = &mut topics[topic as usize];
            debug_assert!(
                topic
                    .subscribers
                    .iter()
                    .all(|subscriber| subscriber.given == 0)
            );
            if let Some(mut frames) = topic.frames.take()
                && let Some(used) = Rc::get_mut(&mut frames)
                && stock.len() < STOCK
            {
                outbox::empty(used, STOCK_BYTES);
                stock.push(frames);
            }
        }
        *bytes = 0;
        self.give_back();
    }

    /// Bytes that the stock has room for.
    pub(super) fn room(&self) -> usize {
        self.stock.iter().map(|buffer| buffer.capacity()).sum()
    }

    /// Gives up what the stock has room for, but for a little.
    pub(super) fn rest(&mut self) {
        self.stock
            .iter_mut()
            .filter_map(Rc::get_mut)
            .for_each(|buffer| buffer.shrink_to(outbox::LITTLE_BYTES));
    }

    /// Channels with high numbers are gone, after a crowd.
    fn give_back(&mut self) {
        while self
            .topics
            .last()
            .is_some_and(|buffer| buffer.subscribers.is_empty())
        {
            self.topics.pop();
        }
        cut(&mut self.topics);
        cut(&mut self.spoken);
    }

    fn hand(&mut self, topic: u32, position: u32, outbox: &mut Outbox, turn: &mut Turn) {
        let buffer = &mut self.topics[topic as usize];
        let end = buffer.end();
        let subscriber = &mut buffer.subscribers[position as usize];
        let given = std::mem::replace(&mut subscriber.given, end);
        turn.hand(
            subscriber.connection,
            outbox,
            Source::Topic(topic),
            given..end,
        );
    }

    fn buffer(&mut self, topic: u32) -> &mut TopicBuffer {
        let index = topic as usize;
        if index >= self.topics.len() {
            self.topics.resize_with(index + 1, TopicBuffer::default);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_quiet_turn_no_burst_is_kept() {
        let mut topics = Topics::default();
        let publish = |topics: &mut Topics, channel, bytes| {
            topics.publish(Topic::Channel(ChannelId(channel)), Encoding::Plain, |out| {
                out.resize(out.len() + bytes, 0)
            });
        };
        for turn in 0..3 {
            (0..100).for_each(|channel| publish(&mut topics, channel, 1_000 * channel as usize));
            let slow_reader = topics.share(number(Topic::Channel(ChannelId(99)), Encoding::Plain));
            topics.clear();
            assert!(
                topics.topics.iter().all(|topic| topic.frames.is_none()),
                "turn {turn}"
            );
            assert_eq!(
                (slow_reader.len(), Rc::strong_count(&slow_reader)),
                (99_000, 1),
                "left to it"
            );
            assert_eq!(topics.stock.len(), STOCK);
        }
        publish(&mut topics, 1, 100_000);
        topics.clear();
        assert!(
            (100_000..300_000 + KEPT_BYTES).contains(&topics.room()),
            "the next turn may be as this one: {}",
            topics.room()
        );
        topics.clear();
        assert!(topics.room() <= KEPT_BYTES, "{}", topics.room());
    }
}
