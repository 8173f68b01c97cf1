//! What of a connection only few have at a time: bytes that wait to be taken, a message that has
//! not ended, a tap, refusals.
//!
//! It stands beside the slot and not in it, and is given back when nothing is left of it: most
//! connections say nothing most of
//! the time, and pay eight bytes for all of this.
//!
//! Not here: what the fields mean to a connection (`connection`, `due`, `steps`), how refusals are
//! judged (`rate`).

use super::connection::Connection;
use super::rate::Refusals;
use super::tap::Tap;
use crate::time::Millis;

/// What only few connections have.
#[derive(Default)]
pub(super) struct Seldom {
    /// What was read and may not be taken yet; at most one read.
    pub(super) kept: Vec<u8>,
    /// What of `kept`, of the tap, and of an unfinished head or message is in the sum of all
    /// connections.
    pub(super) counted: usize,
    /// When the first byte came of a message that has not ended.
    pub(super) message_since: Option<Millis>,
    /// Since when it is not read, on our own account.
    pub(super) paused_since: Option<Millis>,
    /// What the wire view of this connection is told.
    pub(super) tap: Option<Box<Tap>>,
    /// What was too fast for `--rate`.
    pub(super) refusals: Refusals,
    /// Pages of history that it was given in this turn, in bytes.
    pub(super) page_bytes: usize,
}

impl Seldom {
    /// Bytes that are kept for the connection here.
    pub(super) fn held_bytes(&self) -> usize {
        self.kept.len() + self.tap.as_ref().map_or(0, |tap| tap.held_bytes())
    }

    /// Nothing more is read as anything.
    pub(super) fn nothing_is_read(&mut self) {
        (self.kept, self.tap) = (Vec::new(), None);
        (self.message_since, self.paused_since) = (None, None);
    }

    fn is_nothing(&self) -> bool {
        let Self {
            kept,
            counted,
            message_since,
            paused_since,
            tap,
            refusals,
            page_bytes,
        } = self;
        let idle = message_since.is_none()
            && paused_since.is_none()
            && *page_bytes == 0
            && refusals.is_empty();
        idle && kept.is_empty() && *counted == 0 && tap.is_none()
    }
}

impl<S> Connection<S> {
    /// To add something to it.
    pub(super) fn seldom_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    /// Gives it back where nothing is left of it. To be called where something of it may have
    /// ended.
    pub(super) fn drop_nothing(&mut self) {
        self.seldom.take_if(|seldom| seldom.is_nothing());
    }

    pub(super) fn has_kept(&self) -> bool {
        self.seldom
            .as_ref()
            .is_some_and(|seldom| !seldom.kept.is_empty())
    }

    pub(super) fn is_tapped(&self) -> bool {
        self.seldom
            .as_ref()
            .is_some_and(|seldom| seldom.tap.is_some())
    }

    pub(super) fn tap_mut(&mut self) -> Option<&mut Tap> {
        self.seldom.as_mut()?.tap.as_deref_mut()
    }

    pub(super) fn drop_tap(&mut self) {
        if let Some(seldom) = &mut self.seldom {
            seldom.tap = None;
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.seldom
            .as_ref()
            .is_some_and(|seldom| seldom.paused_since.is_some())
    }

    /// Pages of history that it was given in this turn, in bytes.
    pub(super) fn page_bytes(&self) -> usize {
        self.seldom.as_ref().map_or(0, |seldom| seldom.page_bytes)
    }

    /// No message is on its way any more, or the one that was does not matter.
    pub(super) fn message_ended(&mut self) {
        if let Some(seldom) = &mut self.seldom {
            seldom.message_since = None;
        }
    }
}
