//! Warnings that peers can cause: each kind is logged once a minute, with a count, so that no peer
//! can fill a disk with log lines.

use crate::limits::WARNING_INTERVAL;
use crate::time::Millis;
use std::fmt::Display;

/// One kind of warning.
#[derive(Debug, Default)]
pub struct Warning {
    logged_at: Option<Millis>,
    skipped: u64,
}

impl Warning {
    /// Logs the warning, unless it was logged within the last minute.
    pub fn log(&mut self, now: Millis, what: impl Display) {
        match self.due(now) {
            None => {}
            Some(0) => log::warn!("{what}"),
            Some(skipped) => log::warn!("{what} (repeated {skipped} times)"),
        }
    }

    /// Returns how many were skipped, if the warning is due now.
    fn due(&mut self, now: Millis) -> Option<u64> {
        let last = self.logged_at;
        if last.is_some_and(|logged_at| now < logged_at.after(WARNING_INTERVAL)) {
            self.skipped += 1;
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warning_is_logged_once_a_minute_with_a_count() {
        let mut warning = Warning::default();
        let minute = WARNING_INTERVAL.as_millis() as u64;
        let at = [0, 1, minute - 1, minute, minute + 1, 3 * minute, 4 * minute];
        let logged = at.map(|now| warning.due(Millis(now)));
        assert_eq!(
            logged,
            [Some(0), None, None, Some(2), None, Some(1), Some(0)]
        );
    }
}
