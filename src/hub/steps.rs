//! The steps of a turn from *due* to *free*, in that order.
//!
//! Not here: *read* (`connection` takes the bytes), and what *share* does with effects (`share`).

use super::connection::{Emptied, Stage};
use super::due::Due;
use super::endpoint::{Endpoint, FLOODING};
use super::inbox::{ConnectionId, Inbox, Parting, Said};
use super::rate::Refused;
use super::trace::Teller;
use super::{Hub, Socket};
use crate::chat::command::Request;
use crate::chat::error::CommandError;
use crate::http::Refusal;
use crate::limits::{PAGE_BYTES, TRACE_TURN_BYTES, TURN_OUTPUT_BYTES, TURN_PAGES};
use crate::tables::cut;
use crate::time::Now;
use crate::websocket::CloseCode;

/// Room for a turn's requests that is kept for the next one.
const KEPT_ENTRIES: usize = 256;

impl<S: Socket> Hub<S> {
    /// Everything that came since the last turn is settled here: see the list at the head of
    /// `hub/mod.rs`.
    pub fn end_turn(&mut self, now: Now) {
        self.now = now;
        self.take_up();
        if self.judging {
            self.due();
        }
        self.apply();
        self.commit();
        self.hand_out();
        self.flush();
        self.free();
    }

    /// **read**, what had to wait: of one connection at least, of others until so much is to be put
    /// out that they are better
    /// left for the next turn.
    fn take_up(&mut self) {
        let mut kept = std::mem::take(&mut self.to_take_up);
        let mut taken_up = 0;
        let before = self.turn.private_bytes();
        for &id in &kept {
            taken_up += 1;
            self.at_desk(id, self.now, |connection, desk| {
                connection.taken_up_next = false;
                connection.take_up(desk);
                if connection.read_closed && !connection.has_kept() {
                    connection.doomed |= connection.end_of_stream(desk);
                }
            });
            self.remind(id);
            self.settle(id);
            if self.turn.private_bytes() - before > TURN_OUTPUT_BYTES
                || self.inbox.len() > super::INBOX_LENGTH
            {
                break;
            }
        }
        kept.drain(..taken_up);
        kept.append(&mut self.to_take_up);
        self.to_take_up = kept;
    }

    /// **due**: looks at whom a reminder names. The connection is the truth, and says when to look
    /// again.
    fn due(&mut self) {
        while let Some((at, id)) = self.deadlines.due(self.now.mono) {
            let now = self.now;
            let Self {
                limits,
                connections,
                ..
            } = self;
            let Some(connection) = connections
                .get_mut(id.index())
                .filter(|connection| connection.id == id)
            else {
                continue;
            };
            if connection.reminder != at {
                continue;
            }
            connection.reminder = crate::time::Millis(u64::MAX);
            if let Some((_, due)) = connection
                .deadline(limits)
                .filter(|(deadline, _)| *deadline <= now.mono)
            {
                self.overdue(id, due);
            }
            self.remind(id);
        }
        if self
            .chat
            .next_deadline()
            .is_some_and(|deadline| deadline <= self.now.mono)
        {
            self.chat.tick(self.now, &mut self.effects);
            self.carry_out();
            self.see_off();
        }
    }

    fn overdue(&mut self, id: ConnectionId, due: Due) {
        let now = self.now;
        match due {
            Due::Gone => {
                log::debug!("connection {}: nothing came or went in time", id.serial);
                self.failed(id);
            }
            Due::Message => {
                let parting = Parting::Ours(
                    CloseCode::POLICY,
                    "a message did not end within --message-timeout",
                );
                self.at_desk(id, now, |connection, desk| {
                    connection.part(parting, desk.inbox)
                });
            }
            Due::Ping => {
                self.at_desk(id, now, |connection, desk| {
                    connection.ping(desk.turn, now.mono)
                });
            }
            Due::Head => {
                let told = self.at_desk(id, now, |connection, desk| {
                    let awaited = connection.awaits_a_head();
                    if awaited {
                        connection.refuse(&Refusal::timeout(), desk);
                    }
                    awaited
                });
                // Between two requests there is nobody to be told anything: it is closed.
                if told == Some(false) {
                    self.doom(id);
                }
            }
        }
    }

    /// **apply**: the inbox in its order, until so much is to be put out that the rest is better
    /// left for the next turn.
    fn apply(&mut self) {
        let mut later = Inbox::new();
        let mut pages = 0;
        // What *read* and *due* put out is not counted: whoever has enough echoed in every turn
        // would silence the chat.
        let before = self.turn.private_bytes() + self.topics.bytes();
        while pages < TURN_PAGES
            && self.turn.private_bytes() + self.topics.bytes() - before < TURN_OUTPUT_BYTES
        {
            let Some((id, said)) = self.inbox.pop_front() else {
                break;
            };
            let Some(connection) = self.connection(id) else {
                continue;
            };
            let waits = match &said {
                Said::Came => false,
                Said::Asked(request) => request.waits_for_commit(),
                Said::Went(_) => true,
            };
            if connection.deferred || (connection.proposed && waits) {
                // It would be answered as if what was said before it in this turn had not been
                // said: one commit a turn.
                connection.deferred = true;
                later.push_back((id, said));
                continue;
            }
            connection.waiting -= 1;
            connection.questions -= u8::from(waits && matches!(said, Said::Asked(_)));
            if self.touched.last() != Some(&id) {
                self.touched.push(id);
            }
            match said {
                Said::Came => self.came(id),
                Said::Asked(request) => pages += self.asked(id, request),
                Said::Went(parting) => self.went(id, parting),
            }
        }
        if !later.is_empty() {
            later.append(&mut self.inbox);
            self.inbox = later;
        }
        self.inbox.shrink_to(KEPT_ENTRIES);
    }

    fn came(&mut self, id: ConnectionId) {
        // Told to go before it was heard: its end stood at the front of the inbox.
        if self
            .connection(id)
            .is_none_or(|connection| connection.parted)
        {
            return;
        }
        let client = self.chat.connected(id.address(), self.now);
        if let Some(connection) = self.connection(id)
            && let Stage::Open { endpoint, .. } = &mut connection.stage
        {
            *endpoint = Endpoint::Chat(Some(client));
        }
    }

    /// Returns how many pages of history were read for it.
    fn asked(&mut self, id: ConnectionId, mut request: Request) -> usize {
        let now = self.now;
        let Self {
            connections,
            limits,
            metrics,
            ..
        } = self;
        let Some(connection) = connections.get_mut(id.index()) else {
            return 0;
        };
        // None: it was dismissed, and this came behind.
        let Stage::Open {
            endpoint: Endpoint::Chat(Some(client)),
            ..
        } = connection.stage
        else {
            return 0;
        };
        // Every text message counts for the rate; but what can't be read is told before that it was
        // too fast.
        match connection
            .rate
            .command(limits.rate, now.mono, &mut connection.seldom)
        {
            Ok(()) => {}
            Err(Refused::Wait { retry_ms }) => {
                metrics.rate_limited += 1;
                connection.disarm(&request.command);
                if !request.is_unreadable() {
                    request = Request::failed(request.id, CommandError::RateLimited { retry_ms });
                }
            }
            Err(Refused::Flooding) => {
                metrics.rate_limited += 1;
                self.went(id, FLOODING);
                return 0;
            }
        }
        let Some(request) = self.study(id, request) else {
            return 0;
        };
        let Self {
            connections,
            chat,
            effects,
            limits,
            ..
        } = self;
        let Some(connection) = connections.get_mut(id.index()) else {
            return 0;
        };
        let outcome = chat.apply(
            client,
            request,
            PAGE_BYTES.saturating_sub(connection.page_bytes()),
            now,
            effects,
        );
        if outcome.page_bytes > 0 {
            connection.seldom_mut().page_bytes += outcome.page_bytes;
        }
        connection.proposed |= outcome.proposed;
        connection
            .rate
            .charge(outcome.cost.saturating_sub(1), limits.rate, now.mono);
        self.carry_out();
        self.see_off();
        outcome.pages as usize
    }

    /// **commit**: numbers what was proposed. Publications come first, then acks.
    fn commit(&mut self) {
        self.chat.commit(self.now, &mut self.effects);
        self.carry_out();
        if let Some(took) = self.chat.take_commit_time() {
            self.metrics.commit_seconds.observe(took);
        }
        if let Some(trouble) = self.chat.take_trouble() {
            self.storage_warning
                .tell(self.now.mono, format_args!("the history fails: {trouble}"));
        }
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            if let Some(connection) = self.connection(id) {
                (connection.proposed, connection.deferred) = (false, false);
                if let Some(seldom) = &mut connection.seldom {
                    seldom.page_bytes = 0;
                    connection.drop_nothing();
                }
                self.settle(id);
            }
        }
        touched.shrink_to(KEPT_ENTRIES);
        self.touched = touched;
        if self.inbox.len() < super::INBOX_LENGTH / 2 {
            for id in std::mem::take(&mut self.owed_by_inbox) {
                self.settle(id);
            }
        }
    }

    /// **flush**: one write for each connection with something to get.
    fn flush(&mut self) {
        let dirty = self.turn.take_dirty();
        let now = self.now.mono;
        let mut trace_room = TRACE_TURN_BYTES;
        for index in &dirty {
            let Self {
                connections,
                admission,
                turn,
                topics,
                scratch,
                metrics,
                buffered,
                limits,
                ..
            } = self;
            let Some(connection) = connections.get_mut(*index as usize) else {
                continue;
            };
            let id = connection.id;
            if connection.is_tapped() {
                let mut teller = Teller {
                    turn,
                    topics,
                    scratch,
                    limits,
                    now: self.now,
                    room: trace_room,
                };
                teller.tell(connection, &[]);
                trace_room = teller.room;
                connection.recount(buffered);
            }
            let Ok(flushed) =
                connection
                    .outbox
                    .flush(&mut connection.socket, turn, topics, buffered)
            else {
                self.failed(id);
                continue;
            };
            metrics.bytes_sent += flushed.written as u64;
            if flushed.written > 0 {
                connection.progressed(now);
            }
            if flushed.empty {
                match connection.emptied(now) {
                    Emptied::GoesOn => {}
                    Emptied::Answered => admission.answered(&mut connection.seat),
                    Emptied::Shut => connection.socket.shutdown_write(),
                    Emptied::Through => self.doom(id),
                }
            } else if connection.outbox.is_over(limits.send_queue_bytes) {
                self.too_slow(id, "the reader is too slow for what is sent to it");
            }
            self.remind(id);
            self.settle(id);
        }
        self.turn.clear(dirty);
        self.topics.clear();
        if self.buffered > self.limits.buffered_bytes {
            self.close_largest();
        }
    }

    /// Reading goes on where nothing is in its way any more.
    fn settle(&mut self, id: ConnectionId) {
        let Self {
            connections,
            limits,
            to_take_up,
            resumed,
            ..
        } = self;
        let Some(connection) = connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id)
        else {
            return;
        };
        if connection.waiting > 0 || connection.doomed || connection.must_wait(limits) {
            return;
        }
        if connection.has_kept() {
            if !connection.taken_up_next {
                connection.taken_up_next = true;
                to_take_up.push(id);
            }
        } else if connection.owed {
            connection.owed = false;
            resumed.push(id);
        }
    }

    /// **free**: closed slots leave.
    fn free(&mut self) {
        while let Some(id) = self.doomed.pop() {
            let Some(mut connection) = self.connections.remove(id.index()) else {
                continue;
            };
            // Whoever is open leaves through the inbox: what it asked is heard to its end, and the
            // chat forgets it.
            debug_assert!(connection.parted || !matches!(connection.stage, Stage::Open { .. }));
            connection.outbox.release(&mut self.buffered);
            connection.begin_closing(self.now.mono);
            connection.recount(&mut self.buffered);
            self.admission.leave(&mut connection.seat);
        }
        [
            &mut self.doomed,
            &mut self.to_take_up,
            &mut self.owed_by_inbox,
        ]
        .into_iter()
        .for_each(cut);
        self.rest();
        self.metrics.users_online = self.chat.online() as u64;
        self.metrics.channels = self.chat.channels() as u64;
        self.metrics.buffered_bytes = self.buffered as u64;
    }

    /// The last turn before a long silence may be one in which everybody was told something: what
    /// its buffers have room for would
    /// stay until the next one. So one turn more comes, a while later, and gives it up; under load
    /// that never comes to be.
    fn rest(&mut self) {
        if self.rest_at.is_some_and(|at| at <= self.now.mono) {
            self.turn.rest();
            self.topics.rest();
        }
        let has_room = self.turn.room() + self.topics.room() > super::ROOM_AT_REST;
        self.rest_at = has_room.then(|| self.now.mono.after(super::REST));
    }
}
