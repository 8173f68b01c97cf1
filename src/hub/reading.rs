//! Which connection is read next. Production, simulation and fuzzing all schedule by this queue.
//!
//! * A turn reads each connection at most once, and all together at most [`TURN_READ_BYTES`]; who
//!   was not reached comes first in the next turn.
//! * A connection that must wait (its requests are not applied yet, it does not read what it is
//!   sent, …) leaves the queue, and returns by [`ReadQueue::update`] when it may be read again.
//! * When the turn has enough to do, the hub stops reading altogether. It does not skip single
//!   connections: a skipped one would queue up again after those that filled the buffers, and could
//!   starve.

use super::connection::{Connection, ReadState};
use super::connections::Connections;
use super::inbox::ConnectionId;
use crate::limits::{Limits, TURN_READ_BYTES};
use crate::time::Millis;
use std::collections::VecDeque;

/// The queue of connections that have, or may have, something to read.
#[derive(Default)]
pub(super) struct ReadQueue {
    queue: VecDeque<ConnectionId>,
    /// Entries left in this turn's round; `None`: it has not begun.
    round: Option<usize>,
    bytes: usize,
}

impl ReadQueue {
    /// Returns whether a connection is in the queue.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Queues a connection that has, or may have, something to read.
    pub(super) fn push<S>(&mut self, connection: &mut Connection<S>, limits: &Limits, now: Millis) {
        if connection.read_state == ReadState::Idle {
            connection.read_state = ReadState::Blocked;
            self.update(connection, limits, now);
        }
    }

    /// Queues a connection again if it no longer has to wait. To be called when its state may have
    /// changed.
    pub(super) fn update<S>(
        &mut self,
        connection: &mut Connection<S>,
        limits: &Limits,
        now: Millis,
    ) {
        if connection.read_state != ReadState::Blocked {
        } else if connection.must_wait(limits) {
            connection.pause(now);
        } else {
            connection.resume(now);
            connection.read_state = ReadState::Queued;
            self.queue.push_back(connection.id);
        }
    }

    /// Takes the next connection of this turn. `None`: each had its turn, or enough was read.
    pub(super) fn next<S>(
        &mut self,
        connections: &mut Connections<S>,
        limits: &Limits,
        now: Millis,
    ) -> Option<ConnectionId> {
        let round = self.round.get_or_insert(self.queue.len());
        while *round > 0 && self.bytes < TURN_READ_BYTES {
            *round -= 1;
            let id = self.queue.pop_front()?;
            // It may be closed, and its index in use by another one.
            let Some(connection) = connections.get_mut(id) else {
                continue;
            };
            if connection.must_wait(limits) {
                connection.read_state = ReadState::Blocked;
                connection.pause(now);
                continue;
            }
            connection.read_state = ReadState::Idle;
            if connection.wants_input() {
                return Some(id);
            }
        }
        None
    }

    /// Counts bytes that were read.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Ends this turn's round.
    pub(super) fn end_turn(&mut self) {
        (self.round, self.bytes) = (None, 0);
        if self.queue.len() < self.queue.capacity() / 4 {
            self.queue.shrink_to(64.max(2 * self.queue.len()));
        }
    }
}
