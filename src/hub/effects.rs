//! Carries out the chat's effects: encodes each event as a frame, and adds the frame to the output
//! of its receivers.
//!
//! An event goes to one connection or a few (`send`), or to the subscribers of a topic (`publish`).
//! Some connections use compression and some don't, so an event is encoded at most twice.

use super::connections::Connections;
use super::context::Encoder;
use super::inbox::{CloseReason, ConnectionId};
use super::outbox::{Encoding, Outbox, Source};
use super::{Hub, Socket};
use crate::chat::command::RequestId;
use crate::chat::event::{Address, Effect, Event, Farewell, Topic};
use crate::websocket::CloseCode;
use std::ops::Range;

/// The capacity, in effects, that stays allocated between turns.
const KEPT_EFFECTS: usize = 128;

impl<S: Socket> Hub<S> {
    pub(super) fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        let mut dismissed = Vec::new();
        for effect in effects.drain(..) {
            let (topics, turn) = (&mut self.cx.topics, &mut self.cx.turn);
            match effect {
                Effect::Answer { to, event, id } => self.send_event(&[to], &event, id),
                Effect::Deliver { to, event } => self.send_event(&to, &event, None),
                Effect::Publish {
                    topic,
                    event,
                    except,
                } => self.publish(topic, &event, &except),
                Effect::Subscribe { who, topic } => {
                    if let Some(outbox) = find(&mut self.connections, who) {
                        topics.subscribe(outbox, topic, turn);
                    }
                }
                Effect::Unsubscribe { who, topic } => {
                    if let Some(outbox) = find(&mut self.connections, who) {
                        topics.unsubscribe(outbox, topic, turn);
                    }
                }
                Effect::Close { who, why } => {
                    let (code, reason) = match why {
                        Farewell::Quit => (CloseCode::NORMAL, "goodbye"),
                        Farewell::Removed => (CloseCode::POLICY, "removed by the owner"),
                        Farewell::NoHello => (CloseCode::POLICY, "no hello within --hello-timeout"),
                    };
                    let reason = CloseReason::Ours(code, reason);
                    dismissed.push((ConnectionId::of(who), reason));
                }
            }
        }
        effects.shrink_to(KEPT_EFFECTS);
        self.effects = effects;
        // At once and not by the inbox, so that requests after a `/quit` are not applied.
        for (id, reason) in dismissed {
            self.close(id, reason);
        }
    }

    /// Sends an event to a few connections.
    pub(super) fn send_event(&mut self, to: &[Address], event: &Event, id: Option<RequestId>) {
        self.cx.count(event);
        self.send(to, |encoder, encoding, out| {
            encoder.encode(event, id, encoding, out)
        });
    }

    /// Sends one frame to a few connections, after everything published before it. It is written
    /// once for each encoding.
    pub(super) fn send(
        &mut self,
        to: &[Address],
        mut write: impl FnMut(&mut Encoder, Encoding, &mut Vec<u8>),
    ) {
        let mut written = [None, None];
        for address in to {
            let Some(outbox) = find(&mut self.connections, *address) else {
                continue;
            };
            let (cx, encoding) = (&mut self.cx, outbox.encoding);
            cx.topics.catch_up(outbox, &mut cx.turn);
            match &mut written[encoding as usize] {
                Some(range) => cx.turn.hand(outbox, Source::Frames, Range::clone(range)),
                first => {
                    *first = Some(cx.turn.write(outbox, Source::Frames, |out| {
                        write(&mut cx.encoder, encoding, out)
                    }));
                }
            }
            cx.metrics.messages_delivered += 1;
        }
    }

    /// Appends an event to a topic, once for each encoding. The connections in `except` don't get
    /// it.
    fn publish(&mut self, topic: Topic, event: &Event, except: &[Address]) {
        self.cx.count(event);
        let cx = &mut self.cx;
        for address in except {
            if let Some(outbox) = find(&mut self.connections, *address) {
                cx.topics.catch_up(outbox, &mut cx.turn);
            }
        }
        let mut receivers = 0;
        for encoding in [Encoding::Plain, Encoding::Deflated] {
            receivers += cx.topics.publish(topic, encoding, &mut cx.turn, |out| {
                cx.encoder.encode(event, None, encoding, out)
            });
        }
        for address in except {
            if let Some(outbox) = find(&mut self.connections, *address) {
                receivers -= usize::from(cx.topics.skip(outbox, topic, &cx.turn));
            }
        }
        cx.metrics.messages_delivered += receivers as u64;
    }
}

/// Finds the outbox of an open connection by its address.
fn find<S>(connections: &mut Connections<S>, address: Address) -> Option<&mut Outbox> {
    let connection = connections.get_mut(ConnectionId::of(address))?;
    connection.is_open().then_some(&mut connection.outbox)
}
