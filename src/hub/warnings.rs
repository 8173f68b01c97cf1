//! Warnings that peers can bring about: each kind once a minute, with a count, so that nobody fills
//! a disk with log lines.
//!
//! Not here: what goes wrong with a single peer (told at `debug` alone), how lines are written
//! (`cli/log_output`).

use crate::limits::WARNING_INTERVAL;
use crate::time::Millis;
use std::fmt::Display;

/// One kind of warning.
#[derive(Debug, Default)]
pub struct Warning {
    told_at: Option<Millis>,
    /// How often it was left out since.
    left_out: u64,
}

impl Warning {
    /// Tells it in the log, if a minute has passed since the last time.
    pub fn tell(&mut self, now: Millis, what: impl Display) {
        match self.due(now) {
            None => {}
            Some(0) => log::warn!("{what}"),
            Some(left_out) => log::warn!("{what} (and {left_out} times since this was told last)"),
        }
    }

    /// How often it was left out, if it is to be told now.
    fn due(&mut self, now: Millis) -> Option<u64> {
        if self
            .told_at
            .is_some_and(|told_at| now < told_at.after(WARNING_INTERVAL))
        {
            self.left_out += 1;
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_with_a_count() {
        let mut warning = Warning::default();
        let minute = WARNING_INTERVAL.as_millis() as u64;
        let at = [0, 1, minute - 1, minute, minute + 1, 3 * minute, 4 * minute];
        let told = at.map(|now| warning.due(Millis(now)));
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1), Some(0)]);
    }
}
