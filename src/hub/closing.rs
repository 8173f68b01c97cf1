//! Closes WebSockets: sends the close frame, informs the chat, and chooses the connections to close
//! when the buffers are full.

use super::connection::{Endpoint, Life, Phase};
use super::inbox::{CloseReason, ConnectionId};
use super::outbox::Source;
use super::{Hub, Socket};
use crate::chat::Departure;
use crate::limits::TRACE_TURN_BYTES;
use crate::websocket::{CloseCode, CloseFrame};
use std::cmp::Reverse;

impl<S: Socket> Hub<S> {
    /// Ends a WebSocket. The chat forgets it, and a close frame follows everything that it was
    /// sent before.
    pub(super) fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let cx = &mut self.cx;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Life::Open(open) = &mut connection.life else {
            return;
        };
        if open.phase == Phase::CloseSent {
            return;
        }
        let code = reason.code();
        let peer = connection.seat.address;
        log::debug!("connection {} of {peer}: closes with {code}", id.serial);
        cx.metrics.closed.count(code);
        cx.metrics.connections -= 1;
        cx.topics
            .unsubscribe_all(&mut connection.outbox, &mut cx.turn);
        if open.endpoint == Endpoint::Chat(true) {
            open.endpoint = Endpoint::Chat(false);
            let departure = if code == CloseCode::NORMAL.get() {
                Departure::Quit
            } else {
                Departure::Lost
            };
            self.chat.disconnected(id.address(), departure, cx.now);
        }
        let mut frame = Vec::new();
        let mut peer_answers = false;
        match &reason {
            CloseReason::Peer { reply, .. } => frame.extend_from_slice(reply),
            CloseReason::Violation(violation) => {
                open.websocket.close(violation.close_frame(), &mut frame);
            }
            CloseReason::Ours(code, reason) => {
                let close = CloseFrame::new(*code, reason);
                open.websocket.close(close, &mut frame);
                peer_answers = !connection.input_ended;
            }
            CloseReason::EndOfStream | CloseReason::Failed => {}
        }
        if matches!(reason, CloseReason::Ours(CloseCode::TRY_AGAIN_LATER, _)) {
            connection.outbox.cut(&mut cx.buffered);
            if let Some(rare) = &mut connection.rare {
                rare.tap = None;
            }
        }
        if let Some(tap) = connection.tap() {
            // The trace of the close frame comes before it, because nothing may follow it.
            tap.sent(&frame, cx.now.unix);
            let mut room = TRACE_TURN_BYTES;
            connection.write_traces(&mut room, cx);
        }
        let append = |out: &mut Vec<u8>| out.extend_from_slice(&frame);
        cx.turn
            .write(&mut connection.outbox, Source::Frames, append);
        cx.turn.mark_dirty(&mut connection.outbox);
        connection.close_sent(cx.now.mono);
        if let CloseReason::Failed = reason {
            connection.kill();
        } else if !peer_answers {
            connection.begin_closing(cx);
        }
        self.update_derived(id);
    }

    /// Closes every connection, for a graceful shutdown: WebSockets with 1001, and others as soon
    /// as their response is sent.
    pub(super) fn close_all(&mut self) {
        let ids: Vec<_> = self.connections.iter().map(|it| it.id).collect();
        for id in ids {
            let reason = "the server is shutting down";
            self.close(id, CloseReason::Ours(CloseCode::GOING_AWAY, reason));
            if let Some(connection) = self.connections.get_mut(id)
                && let Life::Http(_) = connection.life
            {
                if connection.outbox.is_empty() {
                    connection.kill();
                } else {
                    connection.begin_closing(&mut self.cx);
                }
                self.update_derived(id);
            }
        }
    }

    /// Closes a slow reader with 1013, in the next turn and before its requests are applied: this
    /// turn is flushed already.
    pub(super) fn close_slow(&mut self, id: ConnectionId, why: &'static str) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if !matches!(connection.life, Life::Open(_)) {
            connection.kill();
        } else if connection.is_open() {
            // Nothing follows our close frame, so a connection that has sent it can't grow.
            let reason = CloseReason::Ours(CloseCode::TRY_AGAIN_LATER, why);
            connection.end(reason, true, &mut self.cx);
        }
        self.update_derived(id);
    }

    /// Closes the connections that hold most, until the rest is within `--max-buffered-bytes`. A
    /// shared buffer is freed only by its last holder; if that is not enough, the next turn closes
    /// more.
    pub(super) fn close_largest(&mut self) {
        let limit = self.cx.limits.buffered_bytes;
        let mut excess = self.cx.buffered.bytes().saturating_sub(limit);
        if excess == 0 {
            return;
        }
        let living = self.connections.iter().filter(|it| !it.is_dead());
        // Connections whose end is in the inbox come first: they free their bytes in the next turn.
        let held = living.map(|it| (!it.is_in(Phase::Leaving), Reverse(it.held_bytes()), it.id));
        let mut held: Vec<_> = held.collect();
        held.sort_unstable();
        for (stays, Reverse(bytes), id) in held {
            if excess == 0 || bytes == 0 && stays {
                return;
            }
            excess = excess.saturating_sub(bytes);
            let connection = self.connections.get_mut(id);
            let Some(connection) = connection.filter(|_| stays) else {
                continue;
            };
            if connection.is_in(Phase::CloseSent) {
                // It may still hold half a frame. Without a reset, others would be closed for it.
                connection.kill();
                self.update_derived(id);
                continue;
            }
            self.buffers_full.log(
                self.cx.now.mono,
                "the connections together hold more than --max-buffered-bytes; closing the largest",
            );
            let why = "the server's buffers are full, and this connection holds the most";
            self.close_slow(id, why);
        }
    }
}
