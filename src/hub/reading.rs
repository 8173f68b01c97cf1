//! Which connection is read next. Production, simulation and fuzzing all schedule by this queue.
//!
//! * A turn reads each connection at most once, and all together at most [`TURN_READ_BYTES`]; the
//!   connections that were not reached come first in the next turn.
//! * A connection that must wait (its requests are not applied yet, its send queue is long, …)
//!   leaves the queue, and returns by [`ReadQueue::update`] when it may be read again.
//! * When the turn has enough to do, the hub stops reading altogether. It does not skip single
//!   connections: a skipped one would queue up again after those that filled the buffers, and could
//!   starve.

use super::connection::{Connection, ReadState};
use super::connections::Connections;
use super::context::Context;
use super::inbox::ConnectionId;
use crate::limits::TURN_READ_BYTES;
use std::collections::VecDeque;

/// The queue of connections that have, or may have, something to read.
#[derive(Default)]
pub(super) struct ReadQueue {
    queue: VecDeque<ConnectionId>,
    /// The entries that this turn has not reached; `None` before the turn's first read.
    round: Option<usize>,
    /// The bytes that this turn has read.
    pub(super) bytes: usize,
}

impl ReadQueue {
    /// Returns whether a connection is in the queue.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Queues a connection that has, or may have, something to read.
    pub(super) fn push<S>(&mut self, connection: &mut Connection<S>, cx: &Context) {
        if connection.read_state == ReadState::Idle {
            connection.read_state = ReadState::Blocked;
            self.update(connection, cx);
        }
    }

    /// Queues a connection again if it no longer has to wait. To be called when its state may have
    /// changed.
    pub(super) fn update<S>(&mut self, connection: &mut Connection<S>, cx: &Context) {
        if connection.read_state != ReadState::Blocked {
        } else if connection.must_wait(&cx.limits) {
            connection.pause(cx.now.mono);
        } else {
            connection.resume(cx.now.mono);
            connection.read_state = ReadState::Queued;
            self.queue.push_back(connection.id);
        }
    }

    /// Takes the next connection of this turn. `None`: each was read once, or enough was read.
    pub(super) fn next<S>(
        &mut self,
        connections: &mut Connections<S>,
        cx: &Context,
    ) -> Option<ConnectionId> {
        let round = self.round.get_or_insert(self.queue.len());
        while *round > 0 && self.bytes < TURN_READ_BYTES {
            *round -= 1;
            let id = self.queue.pop_front()?;
            // The connection may be closed, and its index in use by another one.
            let Some(connection) = connections.get_mut(id) else {
                continue;
            };
            if connection.must_wait(&cx.limits) {
                connection.read_state = ReadState::Blocked;
                connection.pause(cx.now.mono);
                continue;
            }
            connection.read_state = ReadState::Idle;
            if connection.wants_input() {
                return Some(id);
            }
        }
        None
    }

    /// Ends this turn's round.
    pub(super) fn end_turn(&mut self) {
        (self.round, self.bytes) = (None, 0);
        if self.queue.len() < self.queue.capacity() / 4 {
            self.queue.shrink_to(64.max(2 * self.queue.len()));
        }
    }
}
