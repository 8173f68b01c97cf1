//! When a connection is to be looked at, and what that means: the deadlines of each stage of its
//! life.
//!
//! Nothing here is a timer. A connection's own fields say what is due; a reminder in the heap
//! (`deadlines`) only says *look*.
//! Time in which we do not read a connection, for reasons of ours, is not counted against it.
//!
//! Not here: what is done about it (`steps::overdue`).

use super::connection::{Connection, Stage};
use super::outbox::{Source, Turn};
use crate::limits::{CLOSE_TIMEOUT, LINGER_TIMEOUT, Limits};
use crate::time::Millis;
use crate::websocket;

/// What a deadline that has come means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// No whole head came.
    Head,
    /// A message began and did not end.
    Message,
    /// Nothing came: a ping is sent.
    Ping,
    /// There is nothing to wait for any more: no answer to the ping or to our close, nothing taken,
    /// or all is said.
    Gone,
}

impl<S> Connection<S> {
    /// It is not read for a while, for reasons of ours.
    pub(super) fn pause(&mut self, now: Millis) {
        self.seldom_mut().paused_since.get_or_insert(now);
    }

    /// It is read again; the time between does not count against its message.
    pub(super) fn resume(&mut self, now: Millis) {
        let Some(seldom) = &mut self.seldom else {
            return;
        };
        let Some(paused_since) = seldom.paused_since.take() else {
            return;
        };
        seldom.message_since = seldom
            .message_since
            .map(|began| began.after(now.since(paused_since)));
        self.drop_nothing();
        // A ping that went out meanwhile is still to be answered.
        if !self.pinged {
            self.heard(now);
        }
    }

    /// There is somebody at the other end; after our close frame that counts no more.
    pub(super) fn heard(&mut self, now: Millis) {
        if matches!(&self.stage, Stage::Open { websocket, .. } if !websocket.close_sent()) {
            (self.since, self.pinged) = (now, false);
        }
    }

    /// The socket took some bytes.
    pub(super) fn progressed(&mut self, now: Millis) {
        match &self.stage {
            Stage::Http { .. } | Stage::Closing { shut: false, .. } => self.since = now,
            // While it is not read, taking what it is sent is its only sign of life.
            Stage::Open { .. } if self.is_paused() => self.heard(now),
            Stage::Open { .. } | Stage::Closing { .. } => {}
        }
    }

    /// The true deadline, and what it means. The reminder in the heap is never later.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<(Millis, Due)> {
        match &self.stage {
            Stage::Http { answering, .. } => Some((
                self.since.after(limits.handshake_timeout),
                if *answering { Due::Gone } else { Due::Head },
            )),
            Stage::Closing { shut: true, .. } => {
                Some((self.since.after(LINGER_TIMEOUT), Due::Gone))
            }
            Stage::Closing { shut: false, .. } => {
                Some((self.since.after(limits.handshake_timeout), Due::Gone))
            }
            // Its end stands in the inbox, and is taken out in this turn or the next.
            Stage::Open { .. } if self.parting => None,
            Stage::Open { websocket, .. } if websocket.close_sent() => {
                Some((self.since.after(CLOSE_TIMEOUT), Due::Gone))
            }
            Stage::Open { .. } => {
                let silence = match self.pinged {
                    true => Some((self.since.after(limits.pong_timeout), Due::Gone)),
                    false if limits.ping_interval.is_zero() => None,
                    false => Some((self.since.after(limits.ping_interval), Due::Ping)),
                };
                let message = self
                    .seldom
                    .as_ref()
                    .filter(|seldom| seldom.paused_since.is_none())
                    .and_then(|seldom| seldom.message_since);
                let message =
                    message.map(|began| (began.after(limits.message_timeout), Due::Message));
                [silence, message]
                    .into_iter()
                    .flatten()
                    .min_by_key(|(at, _)| *at)
            }
        }
    }

    /// Sends a ping; silence from here on is counted against the peer.
    pub(super) fn ping(&mut self, turn: &mut Turn, now: Millis) {
        (self.pinged, self.since) = (true, now);
        if let Some(seldom) = &mut self.seldom {
            seldom.refusals.forget(now);
            self.drop_nothing();
        }
        turn.write(
            self.id.index,
            &mut self.outbox,
            Source::Frames,
            websocket::ping,
        );
    }

    /// Whether a head has begun: if its time is up, it is told so.
    pub(super) fn awaits_a_head(&self) -> bool {
        matches!(&self.stage, Stage::Http { requests, served, .. } if !served || requests.held_bytes() > 0)
    }
}
