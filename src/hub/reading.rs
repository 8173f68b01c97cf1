//! Which connection is read next. Production, simulation and fuzzing all schedule by this queue.
//!
//! * A turn reads each connection at most once, and all together at most [`TURN_READ_BYTES`]; the
//!   connections that were not reached come first in the next turn.
//! * A connection that must wait (its requests are not applied yet, its send queue is long, …)
//!   leaves the queue, and returns by [`ReadQueue::update`] when it may be read again.
//! * When the turn has enough to do, the hub reads no connection at all. If it skipped single ones,
//!   they would return to the queue behind those that filled the buffers, and could starve.

use super::connection::{Connection, Exchange, Life, Open, Phase, ReadState};
use super::connections::Connections;
use super::context::Context;
use super::inbox::ConnectionId;
use crate::limits::{CONNECTION_OUTPUT_BYTES, Limits, TURN_READ_BYTES};
use std::collections::VecDeque;

/// The assumed length of an answer, charged against [`CONNECTION_OUTPUT_BYTES`] for each question.
const QUESTION_BYTES: usize = 16 << 10;

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
        if connection.read_state != ReadState::Idle {
        } else if connection.must_wait(&cx.limits) {
            connection.read_state = ReadState::Blocked;
        } else {
            self.enqueue(connection);
        }
    }

    /// Queues a connection that had to wait, if its state has changed.
    pub(super) fn update<S>(&mut self, connection: &mut Connection<S>, cx: &Context) {
        if connection.read_state == ReadState::Blocked && !connection.must_wait(&cx.limits) {
            connection.resume(cx.now.mono);
            self.enqueue(connection);
        }
    }

    fn enqueue<S>(&mut self, connection: &mut Connection<S>) {
        connection.read_state = ReadState::Queued;
        self.queue.push_back(connection.id);
    }

    /// Takes the next connection of this turn, until each was read once or enough was read.
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
                continue;
            }
            connection.read_state = ReadState::Idle;
            if !connection.is_dead() && (!connection.input_ended || connection.has_unparsed()) {
                return Some(id);
            }
        }
        None
    }

    pub(super) fn end_turn(&mut self) {
        (self.round, self.bytes) = (None, 0);
        if self.queue.len() < self.queue.capacity() / 4 {
            self.queue.shrink_to(64.max(2 * self.queue.len()));
        }
    }
}

// Which connections must wait.
impl<S> Connection<S> {
    /// Returns whether input must be kept unparsed: a response is in progress, the connection's end
    /// is in the inbox, it has used up its questions for this turn, or its send queue is more than
    /// half full. After our close frame, input is always parsed, to find that of the peer.
    pub(super) fn must_not_parse(&self, limits: &Limits) -> bool {
        match &self.life {
            Life::Http(http) => http.exchange == Exchange::Answering,
            Life::Open(open) if open.phase != Phase::CloseSent => {
                let questions = usize::from(open.pending.questions) * QUESTION_BYTES;
                open.phase == Phase::Leaving
                    || questions >= CONNECTION_OUTPUT_BYTES
                    || self.outbox.waiting_bytes() > limits.send_queue_bytes / 2
            }
            Life::Open(_) | Life::Closing(_) | Life::Dead => false,
        }
    }

    /// Returns whether the socket must not be read for now.
    pub(super) fn must_wait(&self, limits: &Limits) -> bool {
        let has_entries = |open: &Open| open.phase != Phase::CloseSent && open.pending.entries > 0;
        matches!(&self.life, Life::Open(open) if has_entries(open)) || self.must_not_parse(limits)
    }

    pub(super) fn has_unparsed(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| !rare.unparsed.is_empty())
    }
}
