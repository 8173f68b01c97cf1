//! Carries out what the chat decided: events become frames, each encoded once, and frames become
//! pieces.
//!
//! Not here: what is decided (`chat`), how pieces reach a socket (`outbox`).

use super::Hub;
use super::Socket;
use super::connection::Connection;
use super::inbox::{ConnectionId, Parting};
use super::outbox::{KEPT_BYTES, Source, empty};
use super::topics::{Encoding, Moved, Topics};
use crate::chat::codec;
use crate::chat::command::RequestId;
use crate::chat::event::{Address, Effect, Event, Farewell, Topic};
use crate::tables::Slots;
use crate::websocket::{self, CloseCode, Deflate, DeflateParameters, Opcode};
use std::ops::Range;

/// What a turn of a busy channel leads to.
const KEPT_EFFECTS: usize = 128;

impl<S: Socket> Hub<S> {
    /// Carries out effects in their order, and empties the list.
    pub(super) fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Answer { to, event, id } => self.answer(to, &event, id),
                Effect::Deliver { to, event } => self.deliver(&to, &event),
                Effect::Publish {
                    topic,
                    event,
                    except,
                } => self.publish(topic, &event, &except),
                Effect::Subscribe { who, topic } => {
                    if let Some((index, connection)) = find(&mut self.connections, who) {
                        let encoding = connection.encoding();
                        self.topics.subscribe(
                            index,
                            &mut connection.subscriptions,
                            topic,
                            encoding,
                        );
                    }
                }
                Effect::Unsubscribe { who, topic } => self.unsubscribe(who, topic),
                Effect::Close { who, why } => self.dismiss(who, why),
            }
        }
        // Keeps its room for the next turn; a burst's is given back.
        effects.shrink_to(KEPT_EFFECTS);
        self.effects = effects;
    }

    pub(super) fn answer(&mut self, to: Address, event: &Event, id: Option<RequestId>) {
        let Self {
            connections,
            topics,
            turn,
            metrics,
            encoder,
            ..
        } = self;
        let Some((index, connection)) = find(connections, to) else {
            return;
        };
        topics.catch_up(&connection.subscriptions, &mut connection.outbox, turn);
        let encoding = connection.encoding();
        turn.write(index, &mut connection.outbox, Source::Frames, |out| {
            encoder.encode(event, id, encoding, out)
        });
        metrics.messages_delivered += 1;
    }

    fn deliver(&mut self, to: &[Address], event: &Event) {
        let Self {
            connections,
            topics,
            turn,
            metrics,
            encoder,
            ..
        } = self;
        let mut written = [None, None];
        for address in to {
            let Some((index, connection)) = find(connections, *address) else {
                continue;
            };
            topics.catch_up(&connection.subscriptions, &mut connection.outbox, turn);
            let encoding = connection.encoding();
            match &mut written[encoding as usize] {
                Some(range) => turn.hand(
                    index,
                    &mut connection.outbox,
                    Source::Frames,
                    Range::clone(range),
                ),
                first => {
                    let outbox = &mut connection.outbox;
                    *first = Some(turn.write(index, outbox, Source::Frames, |out| {
                        encoder.encode(event, None, encoding, out)
                    }));
                }
            }
            metrics.messages_delivered += 1;
        }
    }

    fn publish(&mut self, topic: Topic, event: &Event, except: &[Address]) {
        let Self {
            connections,
            topics,
            turn,
            metrics,
            encoder,
            ..
        } = self;
        for address in except {
            if let Some((_, connection)) = find(connections, *address) {
                topics.catch_up(&connection.subscriptions, &mut connection.outbox, turn);
            }
        }
        let mut receivers = 0;
        for encoding in [Encoding::Plain, Encoding::Deflated] {
            if topics.has_subscribers(topic, encoding) {
                receivers += topics.publish(topic, encoding, |out| {
                    encoder.encode(event, None, encoding, out)
                });
            }
        }
        for address in except {
            if let Some((_, connection)) = find(connections, *address)
                && topics.pass_over(&connection.subscriptions, topic)
            {
                receivers = receivers.saturating_sub(1);
            }
        }
        metrics.messages_delivered += receivers as u64;
    }

    fn unsubscribe(&mut self, who: Address, topic: Topic) {
        let Self {
            connections,
            topics,
            turn,
            ..
        } = self;
        let Some((_, connection)) = find(connections, who) else {
            return;
        };
        let moved = topics.unsubscribe(
            &mut connection.subscriptions,
            &mut connection.outbox,
            turn,
            topic,
        );
        tell(connections, moved);
    }

    /// Leaves every topic: a connection that is about to close gets nothing more.
    pub(super) fn unsubscribe_all(&mut self, id: ConnectionId) {
        let Self {
            connections,
            topics,
            turn,
            ..
        } = self;
        while let Some((_, connection)) = find(connections, id.address())
            && let Some(topic) = Topics::any_of(&connection.subscriptions)
        {
            let moved = topics.unsubscribe(
                &mut connection.subscriptions,
                &mut connection.outbox,
                turn,
                topic,
            );
            tell(connections, moved);
        }
    }

    fn dismiss(&mut self, who: Address, why: Farewell) {
        let (code, reason) = match why {
            Farewell::Quit => (CloseCode::NORMAL, "goodbye"),
            Farewell::NoHello => (CloseCode::POLICY, "no hello came within --hello-timeout"),
        };
        // Not through the inbox: what this connection asked behind its /quit is not to be heard any
        // more.
        self.farewells
            .push((ConnectionId::of(who), Parting::Ours(code, reason)));
    }

    /// Each subscriber gets the range of each topic that it has not been given.
    pub(super) fn hand_out(&mut self) {
        let Self {
            connections,
            topics,
            turn,
            ..
        } = self;
        topics.hand_out(turn, connections);
    }
}

/// A connection by its address, if it is still the one that was meant. Nothing may follow its close
/// frame.
fn find<S>(
    connections: &mut Slots<Connection<S>>,
    address: Address,
) -> Option<(u32, &mut Connection<S>)> {
    let id = ConnectionId::of(address);
    let connection = connections.get_mut(id.index())?;
    (connection.id == id && !connection.parted).then_some((id.index, connection))
}

fn tell<S>(connections: &mut Slots<Connection<S>>, moved: Option<Moved>) {
    if let Some(moved) = moved
        && let Some(connection) = connections.get_mut(moved.connection as usize)
    {
        connection.subscriptions.moved(&moved);
    }
}

/// Events as frames.
#[derive(Default)]
pub(super) struct Encoder {
    pub(super) deflate: Deflate,
    /// An event on its way to be compressed.
    payload: Vec<u8>,
}

impl Encoder {
    /// Appends an event as one frame.
    fn encode(
        &mut self,
        event: &Event,
        id: Option<RequestId>,
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) {
        // A welcome holds a secret beside names that others choose: its length, compressed, would
        // tell of the one by the other
        // (RFC 7692 §8).
        if encoding == Encoding::Deflated && !matches!(event, Event::Welcome(_)) {
            empty(&mut self.payload, KEPT_BYTES);
            codec::encode(event, id, &mut self.payload);
            if !self.deflate.compress(
                Opcode::Text,
                &self.payload,
                DeflateParameters::default(),
                out,
            ) {
                websocket::encode_message(Opcode::Text, &self.payload, out);
            }
        } else {
            websocket::write_message(Opcode::Text, out, |out| codec::encode(event, id, out));
        }
    }
}
