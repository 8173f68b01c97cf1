//! Rate limits: token buckets for commands and control frames, and the count of refusals.
//!
//! A bucket stores the moment at which it would be full again, and each command moves that moment.
//! So it never has to be refilled.

use crate::limits::{FLOOD_REFUSALS, FLOOD_WINDOW, FREE_CHORES};
use crate::time::Millis;

/// Tokens that return at a steady rate, up to a burst.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// The time at which it is full again, in microseconds since the start.
    full_at: u64,
}

impl Bucket {
    /// Takes a token of a bucket that holds `burst` and regains `rate` per second. An error says in
    /// how many milliseconds there will be one.
    fn take(&mut self, rate: u32, burst: u32, now: Millis) -> Result<(), u64> {
        let now = now.0.saturating_mul(1_000);
        let token = (1_000_000 / u64::from(rate)).max(1);
        let wanted = self.full_at.max(now).saturating_add(token);
        let allowed = now.saturating_add(token * u64::from(burst));
        if wanted > allowed {
            return Err((wanted - allowed).div_ceil(1_000));
        }
        self.full_at = wanted;
        Ok(())
    }

    /// Takes tokens even if they are not there: the next command waits longer.
    fn charge(&mut self, cost: u32, rate: u32, now: Millis) {
        let token = (1_000_000 / u64::from(rate)).max(1);
        let from = self.full_at.max(now.0.saturating_mul(1_000));
        self.full_at = from.saturating_add(token * u64::from(cost));
    }
}

/// Whether a command or control frame is within the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// The client may repeat it after this time.
    Refused {
        retry_ms: u64,
    },
    /// The connection reached [`FLOOD_REFUSALS`], and must be closed.
    Flooding,
}

/// The buckets of one connection, and its refusals.
#[derive(Debug, Default)]
pub(super) struct Rate {
    commands: Bucket,
    chores: Bucket,
    /// Refusals are counted from the first one on, for [`FLOOD_WINDOW`].
    refusals: u32,
    first_refusal: Millis,
}

impl Rate {
    /// Takes one command. `rate` is `--rate`; 0 means no limit.
    pub(super) fn command(&mut self, rate: u32, now: Millis) -> Verdict {
        if rate == 0 {
            return Verdict::Allowed;
        }
        let Err(retry_ms) = self.commands.take(rate, rate.saturating_mul(2), now) else {
            return Verdict::Allowed;
        };
        if self.refusals == 0 || now.since(self.first_refusal) > FLOOD_WINDOW {
            (self.refusals, self.first_refusal) = (0, now);
        }
        self.refusals += 1;
        match self.refusals {
            FLOOD_REFUSALS.. => Verdict::Flooding,
            _ => Verdict::Refused { retry_ms },
        }
    }

    /// Takes one control frame or fragment: ten per second cost nothing, others count as commands.
    pub(super) fn chore(&mut self, rate: u32, now: Millis) -> Verdict {
        match self.chores.take(FREE_CHORES, FREE_CHORES, now) {
            Ok(()) => Verdict::Allowed,
            Err(_) => self.command(rate, now),
        }
    }

    /// Charges a command's cost, except for the token that it has taken.
    pub(super) fn charge(&mut self, cost: u32, rate: u32, now: Millis) {
        if rate != 0 && cost > 1 {
            self.commands.charge(cost - 1, rate, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Verdict::{Allowed, Flooding, Refused};

    #[test]
    fn burst_is_twice_the_rate_then_the_rate() {
        let mut rate = Rate::default();
        let mut command = |at| rate.command(20, Millis(at));
        assert!((0..40).all(|_| command(5) == Allowed));
        let verdicts = [5, 54, 55, 55].map(&mut command);
        let refused = |retry_ms| Refused { retry_ms };
        assert_eq!(verdicts, [refused(50), refused(1), Allowed, refused(50)]);
        let mut unlimited = (0..1_000).map(|_| rate.command(0, Millis(55)));
        assert!(unlimited.all(|verdict| verdict == Allowed));
    }

    #[test]
    fn charge_delays_the_next_command() {
        let mut rate = Rate::default();
        rate.charge(45, 20, Millis(0));
        let retry_ms = 250;
        assert_eq!(rate.command(20, Millis(0)), Refused { retry_ms });
        assert_eq!(rate.command(20, Millis(250)), Allowed);
    }

    #[test]
    fn chores_are_free_up_to_ten_per_second() {
        let mut rate = Rate::default();
        // Ten are free, two are the burst of one command per second.
        assert!((0..12).all(|_| rate.chore(1, Millis(0)) == Allowed));
        assert_ne!(rate.chore(1, Millis(0)), Allowed);
        assert_eq!(rate.chore(1, Millis(100)), Allowed);
    }

    #[test]
    fn hundred_refusals_in_ten_seconds_are_a_flood() {
        for (name, gap, flood_at) in [
            ("at once", 0, Some(99)),
            ("in two seconds", 20, Some(99)),
            ("slower", 200, None),
        ] {
            let mut rate = Rate::default();
            rate.charge(1_001, 1, Millis(9_000));
            let mut verdicts = (0..300).map(|n| rate.command(1, Millis(9_000 + n * gap)));
            let floods = verdicts.position(|verdict| verdict == Flooding);
            assert_eq!(floods, flood_at, "{name}");
        }
    }
}
