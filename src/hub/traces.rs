//! The commands of the wire view, and the traces that it sends. See [`WireView`](super::WireView).

use super::connection::{Connection, Life};
use super::context::Context;
use super::inbox::ConnectionId;
use super::outbox::Source;
use super::wire::Tap;
use super::{Hub, Socket};
use crate::chat::command::{Command, Request};
use crate::chat::event::Event;
use crate::limits::COST_OF_HEAVY_COMMAND;
use crate::websocket::{self, Opcode};
use serde_json::json;

impl<S: Socket> Hub<S> {
    /// Answers the commands `trace` and `try`.
    pub(super) fn apply_wire(&mut self, id: ConnectionId, request: Request) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(wire) = &self.cx.wire else { return };
        let answered = match &request.command {
            Ok(Command::Trace { on }) => {
                let rare = connection.rare.get_or_insert_default();
                rare.tap_waits = false;
                if *on {
                    // `read_frames` has made it, unless an earlier `trace` was over the rate.
                    rare.tap.get_or_insert_with(|| wire.tap());
                } else {
                    rare.tap = None;
                }
                Ok(json!({ "type": "tracing", "on": on }))
            }
            Ok(Command::Try(command)) => {
                if let Life::Open(open) = &mut connection.life {
                    let (rate, now) = (self.cx.limits.rate, self.cx.now.mono);
                    open.rate.charge(COST_OF_HEAVY_COMMAND, rate, now);
                }
                wire.answer_try(command)
            }
            _ => return,
        };
        match answered {
            Ok(mut answer) => {
                if let Some(id) = request.id {
                    answer["id"] = id.0.into();
                }
                let answer = answer.to_string();
                self.send(&[id.address()], |_, _, out| {
                    websocket::encode_message(Opcode::Text, answer.as_bytes(), out)
                });
            }
            Err(error) => self.send_event(&[id.address()], &Event::Error(error), request.id),
        }
    }
}

impl<S> Connection<S> {
    pub(super) fn tap(&mut self) -> Option<&mut Box<dyn Tap>> {
        self.rare.as_mut()?.tap.as_mut()
    }

    /// Sends a traced connection the traces of its own frames. Traces beyond `room`, or beyond a
    /// quarter of the send queue, are only counted.
    pub(super) fn write_traces(&mut self, room: &mut usize, cx: &mut Context) {
        let Life::Open(open) = &self.life else { return };
        let deflate = open.websocket.deflate();
        let Some(rare) = &mut self.rare else { return };
        let Some(tap) = &mut rare.tap else { return };
        for frames in cx.turn.frames(&self.outbox) {
            tap.sent(frames, cx.now.unix);
        }
        if rare.tap_waits {
            return;
        }
        let most = cx.limits.send_queue_bytes / 4;
        while *room > 0
            && self.outbox.waiting_bytes() <= most
            && let Some(trace) = tap.next_trace(deflate)
        {
            let trace = trace.to_string();
            let range = cx.turn.write(&mut self.outbox, Source::Frames, |out| {
                websocket::encode_message(Opcode::Text, trace.as_bytes(), out)
            });
            *room = room.saturating_sub(range.len());
        }
        tap.skip();
    }
}
