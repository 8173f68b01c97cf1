//! Carries out the chat's effects: encodes each event once as a frame, and adds the frame to the
//! output of its receivers.
//!
//! An event goes to one connection (`answer`), to a few (`deliver`), or to a topic's subscribers
//! (`publish`). A connection may use compression or not, so there are two encodings of an event.

use super::connection::Connection;
use super::connections::Connections;
use super::context::Encoder;
use super::inbox::{CloseReason, ConnectionId};
use super::outbox::Source;
use super::topics::{Encoding, Moved};
use super::{Hub, Socket};
use crate::chat::command::RequestId;
use crate::chat::event::{Address, Effect, Event, Farewell, Topic};
use crate::websocket::CloseCode;
use std::ops::Range;

/// The capacity, in effects, that stays allocated between turns.
const KEPT_EFFECTS: usize = 128;

impl<S: Socket> Hub<S> {
    /// Carries out the chat's effects in their order.
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
                        let topic = (topic, connection.encoding());
                        let (topics, turn) = (&mut self.cx.topics, &self.cx.turn);
                        topics.subscribe(index, &mut connection.subscriptions, topic, turn);
                    }
                }
                Effect::Unsubscribe { who, topic } => self.unsubscribe(who, topic),
                Effect::Close { who, why } => {
                    let (code, reason) = match why {
                        Farewell::Quit => (CloseCode::NORMAL, "goodbye"),
                        Farewell::NoHello => (CloseCode::POLICY, "no hello within --hello-timeout"),
                    };
                    // This bypasses the inbox, so that requests after a /quit are not applied.
                    let reason = CloseReason::Ours(code, reason);
                    self.dismissed.push((ConnectionId::of(who), reason));
                }
            }
        }
        effects.shrink_to(KEPT_EFFECTS);
        self.effects = effects;
    }

    /// Sends an event to one connection.
    pub(super) fn answer(&mut self, to: Address, event: &Event, id: Option<RequestId>) {
        self.send(to, |encoder, encoding, out| {
            encoder.encode(event, id, encoding, out)
        });
    }

    /// Sends one frame to one connection, after everything published before it.
    pub(super) fn send(
        &mut self,
        to: Address,
        write: impl FnOnce(&mut Encoder, Encoding, &mut Vec<u8>),
    ) {
        if let Some((index, connection)) = find(&mut self.connections, to) {
            let (cx, encoding) = (&mut self.cx, connection.encoding());
            let outbox = &mut connection.outbox;
            cx.topics
                .catch_up(&connection.subscriptions, outbox, &mut cx.turn);
            cx.turn.write(index, outbox, Source::Frames, |out| {
                write(&mut cx.encoder, encoding, out)
            });
            cx.metrics.messages_delivered += 1;
        }
    }

    /// Sends an event to a few connections; it is encoded once.
    fn deliver(&mut self, to: &[Address], event: &Event) {
        let mut written = [None, None];
        for address in to {
            let Some((index, connection)) = find(&mut self.connections, *address) else {
                continue;
            };
            let (cx, encoding) = (&mut self.cx, connection.encoding());
            let outbox = &mut connection.outbox;
            cx.topics
                .catch_up(&connection.subscriptions, outbox, &mut cx.turn);
            match &mut written[encoding as usize] {
                Some(range) => cx
                    .turn
                    .hand(index, outbox, Source::Frames, Range::clone(range)),
                first => {
                    *first = Some(cx.turn.write(index, outbox, Source::Frames, |out| {
                        cx.encoder.encode(event, None, encoding, out)
                    }));
                }
            }
            cx.metrics.messages_delivered += 1;
        }
    }

    /// Appends an event to a topic, once for each encoding. The connections in `except` don't get
    /// it.
    fn publish(&mut self, topic: Topic, event: &Event, except: &[Address]) {
        let cx = &mut self.cx;
        for address in except {
            if let Some((_, connection)) = find(&mut self.connections, *address) {
                let outbox = &mut connection.outbox;
                cx.topics
                    .catch_up(&connection.subscriptions, outbox, &mut cx.turn);
            }
        }
        let mut receivers = 0;
        for encoding in [Encoding::Plain, Encoding::Deflated] {
            receivers += cx.topics.publish(topic, encoding, &mut cx.turn, |out| {
                cx.encoder.encode(event, None, encoding, out)
            });
        }
        for address in except {
            if let Some((_, connection)) = find(&mut self.connections, *address) {
                let skipped = cx.topics.skip(&connection.subscriptions, topic, &cx.turn);
                receivers = receivers.saturating_sub(usize::from(skipped));
            }
        }
        cx.metrics.messages_delivered += receivers as u64;
    }

    fn unsubscribe(&mut self, who: Address, topic: Topic) {
        if let Some((_, connection)) = find(&mut self.connections, who) {
            let (cx, outbox) = (&mut self.cx, &mut connection.outbox);
            let subscriptions = &mut connection.subscriptions;
            let moved = cx
                .topics
                .unsubscribe(subscriptions, outbox, &mut cx.turn, topic);
            update_moved(&mut self.connections, moved);
        }
    }

    /// Unsubscribes a connection from every topic, because it is about to close.
    pub(super) fn unsubscribe_all(&mut self, id: ConnectionId) {
        while let Some((_, connection)) = find(&mut self.connections, id.address())
            && let Some(topic) = connection.subscriptions.any()
        {
            self.unsubscribe(id.address(), topic);
        }
    }
}

/// Finds an open connection by its address.
fn find<S>(
    connections: &mut Connections<S>,
    address: Address,
) -> Option<(u32, &mut Connection<S>)> {
    let connection = connections.get_mut(ConnectionId::of(address))?;
    connection
        .is_open()
        .then_some((connection.id.index, connection))
}

fn update_moved<S>(connections: &mut Connections<S>, moved: Option<Moved>) {
    if let Some(moved) = moved
        && let Some(connection) = connections.at(moved.connection)
    {
        connection.subscriptions.on_moved(&moved);
    }
}
