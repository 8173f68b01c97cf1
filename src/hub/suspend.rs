//! The rule for deadlines after the process was suspended.

use crate::time::Millis;
use std::time::Duration;

/// A deadline that is noticed this late was missed because the whole process stood still (a stop, a
/// paused machine).
const LATE: Duration = Duration::from_secs(1);
/// The longest time for which deadlines are held back after that.
const GRACE: Duration = Duration::from_secs(1);

/// After a suspension of the process, holds deadlines back until what peers sent meanwhile has been
/// read: until a turn without input, or for a second.
#[derive(Default)]
pub(super) struct SuspendGuard {
    until: Option<Millis>,
}

impl SuspendGuard {
    /// Returns whether deadlines count in this turn. `promised` is the next deadline as of the end
    /// of the last turn; a turn is `quiet` if it had no input and left nothing to read.
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
