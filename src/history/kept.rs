//! What is kept of one place, where there is no history on disk.
//!
//! Not here: how much that may be, of one place and of all (`memory`).

use super::{Record, Seq, Span};
use crate::time::UnixMillis;
use std::collections::VecDeque;

/// Counts uses of places.
pub(super) type Use = u64;

/// What is kept of a place. Its records have the numbers up to `newest`, without a gap.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) records: VecDeque<Record>,
    pub(super) newest: Seq,
    pub(super) at: UnixMillis,
    pub(super) bytes: usize,
    pub(super) used: Use,
}

impl Kept {
    pub(super) fn push(&mut self, record: Record) {
        self.bytes += record.bytes();
        self.records.push_back(record);
    }

    pub(super) fn drop_oldest(&mut self) {
        if let Some(oldest) = self.records.pop_front() {
            self.bytes -= oldest.bytes();
        }
        if self.records.len() < self.records.capacity() / 4 {
            self.records.shrink_to(self.records.len() * 2);
        }
    }

    pub(super) fn span(&self) -> Span {
        Span {
            first: Seq(self.newest.0 + 1 - self.records.len() as u64),
            newest: self.newest,
        }
    }
}
