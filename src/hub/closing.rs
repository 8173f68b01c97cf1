//! How WebSockets end: what the peer is sent, when the chat forgets it, and which connections are
//! closed when too much is held.

use super::connection::{Endpoint, Life, Phase};
use super::inbox::{CloseReason, ConnectionId};
use super::outbox::Source;
use super::{Hub, Socket};
use crate::chat::Departure;
use crate::limits::TRACE_TURN_BYTES;
use crate::websocket::{CloseCode, CloseFrame};
use std::cmp::Reverse;

impl<S: Socket> Hub<S> {
    /// Ends a WebSocket. The close frame follows everything that it was sent before.
    pub(super) fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        self.forget(id, &reason);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Life::Open(open) = &mut connection.life else {
            return;
        };
        if open.phase == Phase::CloseSent {
            return;
        }
        let mut frame = Vec::new();
        let mut peer_answers = false;
        match &reason {
            CloseReason::Peer { reply, .. } => frame.extend_from_slice(reply),
            CloseReason::Violation(violation) => {
                open.websocket.close(violation.close_frame(), &mut frame);
            }
            CloseReason::Ours(code, reason) => {
                open.websocket
                    .close(CloseFrame::new(*code, reason), &mut frame);
                peer_answers = !connection.input_ended;
            }
            CloseReason::EndOfStream | CloseReason::Failed => {}
        }
        let cx = &mut self.cx;
        if matches!(reason, CloseReason::Ours(CloseCode::TRY_AGAIN_LATER, _)) {
            connection.outbox.cut(&mut cx.buffered);
            if let Some(rare) = &mut connection.rare {
                rare.tap = None;
            }
        }
        if let Some(tap) = connection.tap() {
            // The trace of the close frame comes before it, because nothing may follow it.
            tap.sent(&frame, cx.now.unix);
            connection.write_traces(&mut TRACE_TURN_BYTES.clone(), cx);
        }
        let append = |out: &mut Vec<u8>| out.extend_from_slice(&frame);
        cx.turn
            .write(&mut connection.outbox, Source::Frames, append);
        connection.close_sent(cx.now.mono);
        if let CloseReason::Failed = reason {
            connection.kill();
        } else if !peer_answers {
            connection.begin_closing(cx);
        }
        cx.turn.mark_dirty(&mut connection.outbox);
        self.settle(id);
    }

    /// Makes the chat and the topics forget a connection, and counts its end.
    fn forget(&mut self, id: ConnectionId, reason: &CloseReason) {
        let connection = self.connections.get_mut(id);
        let Some(connection) = connection.filter(|connection| connection.is_open()) else {
            return;
        };
        let cx = &mut self.cx;
        cx.topics
            .unsubscribe_all(&mut connection.outbox, &mut cx.turn);
        let Life::Open(open) = &mut connection.life else {
            return;
        };
        let client = match &mut open.endpoint {
            Endpoint::Chat(client) => client.take(),
            Endpoint::Echo => None,
        };
        let (code, seat) = (reason.code(), &connection.seat);
        log::debug!("connection {} of {seat}: closes with {code}", id.serial);
        self.cx.metrics.closed.count(code);
        self.cx.metrics.connections -= 1;
        if let Some(client) = client {
            let departure = if code == CloseCode::NORMAL.get() {
                Departure::Quit
            } else {
                Departure::Lost
            };
            self.chat.disconnected(client, departure, self.cx.now);
        }
    }

    /// Closes the connections that the chat dismissed.
    pub(super) fn close_dismissed(&mut self) {
        while let Some((id, reason)) = self.dismissed.pop() {
            self.close(id, reason);
        }
    }

    /// Closes every connection, for a graceful shutdown.
    pub(super) fn close_all(&mut self) {
        let ids: Vec<_> = self
            .connections
            .iter()
            .map(|connection| connection.id)
            .collect();
        ids.into_iter().for_each(|id| self.close_for_drain(id));
    }

    /// Closes with 1001, or at once where nothing is being sent.
    fn close_for_drain(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        match &connection.life {
            Life::Open(open) if open.phase == Phase::CloseSent => {}
            Life::Open(_) => {
                let reason = "the server is shutting down";
                self.close(id, CloseReason::Ours(CloseCode::GOING_AWAY, reason));
            }
            Life::Http(_) if connection.outbox.is_empty() => connection.kill(),
            Life::Http(_) => connection.begin_closing(&mut self.cx),
            Life::Closing(_) | Life::Dead => {}
        }
        self.settle(id);
    }

    /// Closes a slow reader with 1013, before its requests: the buffers of this turn are flushed
    /// already.
    pub(super) fn close_slow(&mut self, id: ConnectionId, why: &'static str) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if !matches!(connection.life, Life::Open(_)) {
            connection.kill();
        } else if connection.is_open() {
            // Its backlog after our close frame is bounded by that.
            let reason = CloseReason::Ours(CloseCode::TRY_AGAIN_LATER, why);
            connection.end(reason, true, &mut self.cx);
        }
        self.settle(id);
    }

    /// Closes the connections that hold most, until what is left is within `--max-buffered-bytes`.
    /// A shared buffer is freed only by its last holder; if that is not enough, the next turn goes
    /// on.
    pub(super) fn close_largest(&mut self) {
        let limit = self.cx.limits.buffered_bytes;
        let mut excess = self.cx.buffered.bytes().saturating_sub(limit);
        if excess == 0 {
            return;
        }
        let living = self
            .connections
            .iter()
            .filter(|connection| !connection.is_dead());
        // Those whose end is in the inbox come first: they free their bytes in the next turn.
        let mut holders: Vec<_> = living
            .map(|connection| {
                let held = (connection.is_in(Phase::Leaving), connection.held_bytes());
                (Reverse(held), connection.id)
            })
            .collect();
        holders.sort_unstable_by_key(|(held, id)| (*held, id.index));
        for (Reverse((leaving, held)), id) in holders {
            if excess == 0 || held == 0 && !leaving {
                return;
            }
            excess = excess.saturating_sub(held);
            let Some(connection) = self.connections.get_mut(id).filter(|_| !leaving) else {
                continue;
            };
            if connection.is_in(Phase::CloseSent) {
                // It may still hold half a frame. It is reset, or others would be closed for it.
                connection.kill();
                self.settle(id);
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
