//! Timers: reminders to look at a connection, and the rule for a process that was suspended.

use crate::time::Millis;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A queue of reminders, soonest first.
///
/// A reminder is a hint; the truth is what it points at. A deadline that moves later costs nothing:
/// when the reminder comes up, its owner says when to look again. None is ever removed, so an owner
/// whose deadline moved *earlier* adds a second one and ignores the first.
pub(super) struct Reminders<K>(BinaryHeap<Reverse<(Millis, K)>>);

impl<K: Copy + Ord> Reminders<K> {
    pub(super) fn new() -> Self {
        Self(BinaryHeap::new())
    }

    pub(super) fn add(&mut self, at: Millis, key: K) {
        self.0.push(Reverse((at, key)));
    }

    /// Returns when the next one comes up.
    pub(super) fn next(&self) -> Option<Millis> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one that is due, with the time it was set for.
    pub(super) fn take_due(&mut self, now: Millis) -> Option<(Millis, K)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse(due)| due)
    }

    /// Frees what a crowd took.
    pub(super) fn shrink(&mut self) {
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(2 * self.0.len());
        }
    }
}

/// A deadline that is noticed this late was missed because the whole process stood still (a stop, a
/// paused machine).
const LATE: Duration = Duration::from_secs(1);
/// How long judging deadlines waits after that at most.
const GRACE: Duration = Duration::from_secs(1);

/// After a suspension of the process, holds deadlines back until what peers sent meanwhile has been
/// read: until a turn without input, or for a second.
#[derive(Default)]
pub(super) struct SuspendGuard {
    until: Option<Millis>,
}

impl SuspendGuard {
    /// Returns whether deadlines count in this turn. `promised` is the deadline that the last turn
    /// ended with; `quiet`: this turn had no input,
    /// and left nothing to read.
    pub(super) fn may_judge(&mut self, promised: Option<Millis>, quiet: bool, now: Millis) -> bool {
        match self.until {
            None if promised.is_some_and(|promised| promised.after(LATE) < now) => {
                self.until = Some(now.after(GRACE));
            }
            Some(until) if quiet || until <= now => self.until = None,
            _ => {}
        }
        self.until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminders_come_soonest_first_when_due() {
        let mut reminders = Reminders::new();
        for (at, key) in [(30, 'c'), (10, 'a'), (20, 'b')] {
            reminders.add(Millis(at), key);
        }
        assert_eq!(reminders.next(), Some(Millis(10)));
        let due = [9, 20, 20, 20].map(|now| reminders.take_due(Millis(now)));
        let expected = [None, Some((Millis(10), 'a')), Some((Millis(20), 'b')), None];
        assert_eq!(due, expected);
    }

    /// What happens; and of each turn, whose promised deadline is at 5 s (9 s for the last one):
    /// whether it was quiet, the time, and whether deadlines count.
    const TURNS: &str = "
        in time                       | busy 5000 yes, quiet 6000 yes
        suspended, then a quiet turn  | busy 6001 no, quiet 6002 yes
        suspended, first turn quiet   | quiet 6001 no, quiet 6001 yes
        suspended, never quiet        | busy 8000 no, busy 8999 no, busy 9000 yes
        suspended twice               | busy 8000 no, quiet 8001 yes, busy 10001 no";

    #[test]
    fn suspended_process_judges_after_a_quiet_turn_or_a_second() {
        for [name, turns] in crate::testing::rows(TURNS) {
            let mut guard = SuspendGuard::default();
            for turn in turns.split(", ") {
                let words: Vec<_> = turn.split(' ').collect();
                let now = words[1].parse().unwrap();
                let promised = Some(Millis(if now > 10_000 { 9_000 } else { 5_000 }));
                let may = guard.may_judge(promised, words[0] == "quiet", Millis(now));
                assert_eq!(may, words[2] == "yes", "{name}, at {now}");
            }
        }
        assert!(SuspendGuard::default().may_judge(None, false, Millis(9_000)));
    }
}
