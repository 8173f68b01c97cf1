//! Reminders to look at something, soonest first.
//!
//! A reminder is a hint, what it points at is the truth: a deadline that moves later (a byte came,
//! so the ping can wait)
//! costs nothing here; when the reminder comes up, its owner says when to look again. Nothing is
//! ever removed, so an owner
//! whose deadline moved *earlier* adds a second reminder and passes over the first.

use crate::tables::{fewer, more};
use crate::time::Millis;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Reminders, soonest first.
pub(super) struct Deadlines<K> {
    reminders: BinaryHeap<Reverse<(Millis, K)>>,
}

impl<K: Copy + Ord> Deadlines<K> {
    pub(super) fn new() -> Self {
        Self {
            reminders: BinaryHeap::new(),
        }
    }

    pub(super) fn remind(&mut self, at: Millis, key: K) {
        if self.reminders.len() == self.reminders.capacity() {
            self.reminders
                .reserve_exact(more::<(Millis, K)>(self.reminders.len()));
        }
        self.reminders.push(Reverse((at, key)));
    }

    /// When the loop must wake up at the latest.
    pub(super) fn next(&self) -> Option<Millis> {
        self.reminders.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one reminder that is due, with the moment it was meant for.
    pub(super) fn due(&mut self, now: Millis) -> Option<(Millis, K)> {
        let Reverse((at, key)) = *self.reminders.peek()?;
        if at > now {
            return None;
        }
        self.reminders.pop();
        if let Some(room) = fewer(self.reminders.len(), self.reminders.capacity()) {
            self.reminders.shrink_to(room);
        }
        Some((at, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_comes_first_and_only_when_it_is_due() {
        let mut deadlines = Deadlines::new();
        deadlines.remind(Millis(30), 'c');
        deadlines.remind(Millis(10), 'a');
        deadlines.remind(Millis(20), 'b');
        assert_eq!(deadlines.next(), Some(Millis(10)));
        assert_eq!(deadlines.due(Millis(9)), None);
        assert_eq!(deadlines.due(Millis(20)), Some((Millis(10), 'a')));
        assert_eq!(deadlines.due(Millis(20)), Some((Millis(20), 'b')));
        assert_eq!(deadlines.due(Millis(20)), None);
        assert_eq!(deadlines.next(), Some(Millis(30)));
    }
}
