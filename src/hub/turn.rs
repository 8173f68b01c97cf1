//! The steps of a turn: **due**, **apply**, **commit**, **share**, **flush**, **free**. The driver
//! does the two before them, *wait* and *read*; *due* is in `timers.rs`.
//!
//! Only owned data passes from one step to the next.

use super::connection::{Endpoint, Life, Phase};
use super::inbox::{CloseReason, ConnectionId, Entry, Inbox};
use super::rate::Verdict;
use super::{Hub, Socket};
use crate::chat::command::{Command, Request};
use crate::chat::error::CommandError;
use crate::limits::{CONNECTION_OUTPUT_BYTES, TRACE_TURN_BYTES, TURN_OUTPUT_BYTES};

/// Entries that the inbox keeps allocated between turns.
const KEPT_ENTRIES: usize = 256;

impl<S: Socket> Hub<S> {
    /// Runs the steps after *read*.
    pub(super) fn run_turn(&mut self) {
        self.due();
        self.apply();
        self.commit();
        if self.draining {
            // No input is read before the closes, so a client that keeps sending can't delay them.
            while !self.cx.inbox.is_empty() && !self.chat.is_waiting() {
                self.share();
                self.flush();
                self.apply();
                self.commit();
            }
            if !self.chat.is_waiting() {
                self.draining = false;
                self.close_all();
            }
        }
        self.share();
        self.flush();
        self.free();
        self.promised = self.wake_at();
    }

    /// Step 4: gives the inbox's requests to the chat. Stops after [`TURN_OUTPUT_BYTES`] of output;
    /// the rest comes first in the next turn. The echoes of *read* are not counted, because a flood
    /// of them could stop the chat.
    fn apply(&mut self) {
        if self.chat.is_waiting() {
            return;
        }
        let mut later = Inbox::new();
        let most = self.cx.turn.bytes() + TURN_OUTPUT_BYTES;
        while self.cx.turn.bytes() < most {
            let Some((id, entry)) = self.cx.inbox.pop_front() else {
                break;
            };
            let Some(connection) = self.connections.get_mut(id) else {
                continue;
            };
            let Life::Open(open) = &mut connection.life else {
                continue;
            };
            let is_question = matches!(&entry, Entry::Request(it) if it.waits_for_commit());
            let waits = is_question || matches!(entry, Entry::Closed(_));
            let is_over = connection.outbox.turn_bytes() >= CONNECTION_OUTPUT_BYTES;
            let pending = &mut open.pending;
            if self.touched.last() != Some(&id) {
                self.touched.push(id);
            }
            // A question after a proposal of the same connection waits for the next turn: its
            // answer must contain the proposed message, which has no number before the commit.
            if pending.deferred || pending.proposed && waits || is_over && is_question {
                pending.deferred = true;
                later.push_back((id, entry));
                continue;
            }
            pending.entries -= 1;
            pending.questions -= u8::from(is_question);
            match entry {
                Entry::Opened(_) if open.phase == Phase::CloseSent => {}
                Entry::Opened(user) => {
                    self.chat.connected(id.address(), user, self.cx.now);
                    open.endpoint = Endpoint::Chat(true);
                }
                Entry::Request(request) => self.apply_request(id, request),
                Entry::Closed(reason) => self.close(id, reason),
            }
        }
        if !later.is_empty() {
            later.append(&mut self.cx.inbox);
            self.cx.inbox = later;
        }
        self.cx.inbox.shrink_to(KEPT_ENTRIES);
    }

    fn apply_request(&mut self, id: ConnectionId, mut request: Request) {
        let (now, rate) = (self.cx.now, self.cx.limits.rate);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Life::Open(open) = &mut connection.life else {
            return;
        };
        // The connection may have left the chat before this request.
        if open.endpoint != Endpoint::Chat(true) {
            return;
        }
        let verdict = open.rate.command(rate, now.mono);
        self.cx.metrics.rate_limited += u64::from(verdict != Verdict::Allowed);
        match verdict {
            Verdict::Allowed => {}
            Verdict::Flooding => return self.close(id, CloseReason::FLOODING),
            Verdict::Refused { retry_ms } => {
                // Drops the tap that `read_frames` has made.
                if let Some(rare) = connection.rare.as_mut().filter(|rare| rare.tap_waits) {
                    rare.tap = None;
                }
                // A message without a readable id gets its own error, not `rate_limited`.
                if !request.is_unreadable() {
                    request =
                        Request::failed(request.id, CommandError::RATE_LIMITED.after(retry_ms));
                }
            }
        }
        if let (Some(_), Ok(Command::Trace { .. } | Command::Try(_))) =
            (&self.cx.wire, &request.command)
        {
            return self.apply_wire(id, request);
        }
        let peer = connection.seat.peer();
        let page_bytes = CONNECTION_OUTPUT_BYTES.saturating_sub(connection.outbox.turn_bytes());
        let outcome = self.chat.apply(
            id.address(),
            request,
            peer,
            page_bytes,
            now,
            &mut self.effects,
        );
        open.pending.proposed |= outcome.proposed;
        open.rate.charge(outcome.cost, rate, now.mono);
        self.carry_out();
    }

    /// Step 5: stores the turn's messages in one transaction, which numbers them; all are published
    /// first, then acknowledged. While another program has locked the history, this step is
    /// repeated, and *apply* does nothing.
    fn commit(&mut self) {
        self.chat.commit(self.cx.now, &mut self.effects);
        self.carry_out();
        if let Some(took) = self.chat.take_commit_time() {
            self.cx.metrics.commit_seconds.observe(took);
        }
        if let Some(error) = self.chat.take_last_error() {
            let now = self.cx.now.mono;
            self.storage_failed
                .log(now, format_args!("history error: {error}"));
        }
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            if let Some(connection) = self.connections.get_mut(id)
                && let Life::Open(open) = &mut connection.life
            {
                (open.pending.proposed, open.pending.deferred) = (false, false);
            }
            self.update_derived(id);
        }
        touched.shrink_to(KEPT_ENTRIES);
        self.touched = touched;
    }

    /// Step 6: gives each subscriber its range of the frames that its topics have gathered.
    fn share(&mut self) {
        let (cx, connections) = (&mut self.cx, &mut self.connections);
        cx.topics
            .hand_out(&mut cx.turn, |turn, index, source, range| {
                if let Some(connection) = connections.at(index) {
                    turn.hand(&mut connection.outbox, source, range);
                }
            });
    }

    /// Step 7: writes once to every connection that has output. The rest becomes its backlog.
    fn flush(&mut self) {
        let mut trace_room = TRACE_TURN_BYTES;
        let mut flushed = 0;
        while let Some(index) = self.cx.turn.dirty.get(flushed).copied() {
            flushed += 1;
            let cx = &mut self.cx;
            let Some(connection) = self.connections.at(index) else {
                continue;
            };
            let id = connection.id;
            if connection.tap().is_some() {
                connection.write_traces(&mut trace_room, cx);
            }
            let (outbox, socket) = (&mut connection.outbox, &mut connection.socket);
            match outbox.flush(socket, &cx.turn, &mut cx.buffered) {
                Err(_) => connection.on_failed(cx),
                Ok(written) => {
                    cx.metrics.bytes_sent += written as u64;
                    if written > 0 {
                        connection.on_progress(cx.now.mono);
                    }
                    if connection.outbox.is_empty() {
                        connection.on_sent(cx);
                    } else if connection.outbox.is_over(cx.limits.send_queue_bytes) {
                        self.close_slow(id, "client reads too slowly");
                    }
                }
            }
            self.update_derived(id);
        }
        self.cx.turn.clear();
        self.close_largest();
    }

    /// Step 8: removes closed connections, and shrinks tables that a crowd has left too large.
    fn free(&mut self) {
        while let Some(id) = self.dead.pop() {
            if let Some(mut connection) = self.connections.remove(id) {
                connection.release(&mut self.cx.buffered);
                self.cx.admission.leave(&mut connection.seat);
            }
        }
        self.connections.shrink();
        self.cx.topics.shrink();
        if self.reminders.len() < self.reminders.capacity() / 4 {
            self.reminders.shrink_to(2 * self.reminders.len());
        }
        self.reading.end_turn();
        self.dead.shrink_to(KEPT_ENTRIES);
        let metrics = &mut self.cx.metrics;
        metrics.users_online = self.chat.online() as u64;
        metrics.channels = self.chat.channels() as u64;
        metrics.buffered_bytes = self.cx.buffered.bytes() as u64;
    }
}
