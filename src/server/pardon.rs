//! When deadlines count: not after a pause of the whole process (a stop, a paused machine), before
//! what came meanwhile was read.
//!
//! Not here: which deadlines there are, and what follows from them (`hub`).

use crate::time::Millis;
use std::time::Duration;

/// A deadline that is noticed so much too late was missed because the whole process stood still;
/// what peers sent meanwhile is
/// then read before anybody is judged. A laptop's sleep does not even come to this: the monotonic
/// clock of Linux and macOS
/// stands still with it.
const LATE: Duration = Duration::from_secs(1);
/// How long judging waits at most. Under full load a poll never comes back empty.
const PARDON: Duration = Duration::from_secs(1);

/// Whether somebody is judged now.
#[derive(Default)]
pub(super) struct Pardon {
    until: Option<Millis>,
}

impl Pardon {
    /// Whether deadlines count in this turn. `promised` is when the loop was to wake up for the
    /// next one; `quiet`: there was
    /// nothing to be told and nothing left to be read.
    pub(super) fn may_judge(&mut self, promised: Option<Millis>, quiet: bool, now: Millis) -> bool {
        match self.until {
            None if promised.is_some_and(|promised| promised.after(LATE) < now) => {
                self.until = Some(now.after(PARDON))
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
    fn after_a_pause_it_is_read_until_a_poll_is_quiet_or_a_second_has_passed() {
        // Of each turn: when the loop was to wake up, whether the poll was quiet, the time; and
        // whether it judges.
        type Turn = (Option<u64>, bool, u64, bool);
        let table: &[(&str, &[Turn])] = &[
            ("nothing is promised", &[(None, false, 9_000, true)]),
            (
                "in time",
                &[
                    (Some(5_000), false, 5_000, true),
                    (Some(5_000), true, 6_000, true),
                ],
            ),
            (
                "stopped, then a quiet poll",
                &[
                    (Some(5_000), false, 6_001, false),
                    (Some(5_000), true, 6_002, true),
                ],
            ),
            (
                "even where the first poll is quiet",
                &[
                    (Some(5_000), true, 6_001, false),
                    (Some(5_000), true, 6_001, true),
                ],
            ),
            (
                "stopped, and never quiet",
                &[
                    (Some(5_000), false, 8_000, false),
                    (Some(5_000), false, 8_999, false),
                    (Some(5_000), false, 9_000, true),
                ],
            ),
            (
                "stopped twice",
                &[
                    (Some(5_000), false, 8_000, false),
                    (Some(5_000), true, 8_001, true),
                    (Some(9_000), false, 10_001, false),
                ],
            ),
        ];
        for (name, turns) in table {
            let mut pardon = Pardon::default();
            for (promised, quiet, now, judges) in *turns {
                assert_eq!(
                    pardon.may_judge(promised.map(Millis), *quiet, Millis(*now)),
                    *judges,
                    "{name}, at {now}"
                );
            }
        }
    }
}
