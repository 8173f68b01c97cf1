//! Whose turn it is to be read: each in the ready list once in a turn, until the turn has read
//! enough.
//!
//! So of one socket a turn reads one buffer, however much it has to say, and of all together no
//! more than
//! [`TURN_READ_BYTES`]; and who was not reached comes first in the next turn.
//!
//! Not here: who is in the list, and how a socket is read (`mod.rs`).

use crate::limits::TURN_READ_BYTES;
use std::collections::VecDeque;

/// What is left to be read in a turn.
pub(super) struct Round {
    /// Those who stood in the list when it began; who comes into it now stands behind them.
    entries: usize,
    bytes: usize,
}

impl Round {
    pub(super) fn of<T>(ready: &VecDeque<T>) -> Self {
        Self {
            entries: ready.len(),
            bytes: TURN_READ_BYTES,
        }
    }

    /// The next one. `None`: all have had their turn, or enough was read.
    pub(super) fn next<T>(&mut self, ready: &mut VecDeque<T>) -> Option<T> {
        if self.bytes == 0 {
            return None;
        }
        self.entries = self.entries.checked_sub(1)?;
        ready.pop_front()
    }

    /// So many bytes were read.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::READ_BYTES;

    /// Whom a turn reads: `floods` of those in the list fill the buffer at each read, and so stand
    /// in it again; others say little.
    fn turn(ready: &mut VecDeque<usize>, floods: usize) -> Vec<usize> {
        let mut round = Round::of(ready);
        let mut read = Vec::new();
        while let Some(who) = round.next(ready) {
            read.push(who);
            round.count(if who < floods { READ_BYTES } else { 10 });
            if who < floods {
                ready.push_back(who);
            }
        }
        read
    }

    #[test]
    fn a_flood_is_read_once_a_turn_and_keeps_nobody_waiting() {
        let mut ready: VecDeque<_> = (0..5).collect();
        assert_eq!(turn(&mut ready, 2), [0, 1, 2, 3, 4]);
        ready.push_back(9);
        assert_eq!(turn(&mut ready, 2), [0, 1, 9], "each once, who is new too");
    }

    #[test]
    fn a_turn_reads_at_most_four_mebibytes_and_who_was_not_reached_is_first_in_the_next() {
        let mut ready: VecDeque<_> = (0..100).collect();
        let most = TURN_READ_BYTES / READ_BYTES;
        assert_eq!(most, 64);
        assert!(turn(&mut ready, 100).into_iter().eq(0..64));
        assert!(turn(&mut ready, 100).into_iter().eq((64..100).chain(0..28)));
    }
}
