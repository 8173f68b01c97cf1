//! Rate limits: token buckets for commands and control frames, and the count of refusals.
//!
//! A bucket stores the moment at which it would be full again, and each command moves that moment.
//! So it never has to be refilled.

use crate::limits::{FLOOD_REFUSALS, FLOOD_WINDOW, FREE_CHORES};
use crate::time::Millis;
use std::collections::VecDeque;

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

/// The buckets of one connection.
#[derive(Debug, Default)]
pub(super) struct Rate {
    commands: Bucket,
    chores: Bucket,
}

impl Rate {
    /// Takes one command. `rate` is `--rate`; 0 means no limit. An error is the time to wait, in
    /// milliseconds.
    pub(super) fn command(&mut self, rate: u32, now: Millis) -> Result<(), u64> {
        match rate {
            0 => Ok(()),
            rate => self.commands.take(rate, rate.saturating_mul(2), now),
        }
    }

    /// Takes one control frame or fragment: ten per second cost nothing, others count as commands.
    pub(super) fn chore(&mut self, rate: u32, now: Millis) -> Result<(), u64> {
        if rate == 0 || self.chores.take(FREE_CHORES, FREE_CHORES, now).is_ok() {
            return Ok(());
        }
        self.command(rate, now)
    }

    /// Charges a command that costs more than the one token it was accepted for.
    pub(super) fn charge(&mut self, more: u32, rate: u32, now: Millis) {
        if rate != 0 && more > 0 {
            self.commands.charge(more, rate, now);
        }
    }
}

/// When commands were refused, within the last [`FLOOD_WINDOW`].
#[derive(Debug, Default)]
pub(super) struct Refusals(VecDeque<Millis>);

impl Refusals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops refusals that no longer count.
    pub(super) fn expire(&mut self, now: Millis) {
        while self
            .0
            .front()
            .is_some_and(|at| now.since(*at) > FLOOD_WINDOW)
        {
            self.0.pop_front();
        }
    }

    /// Counts a refusal. Returns whether it is one too many, and the connection must be closed.
    pub(super) fn add(&mut self, now: Millis) -> bool {
        self.expire(now);
        self.0.push_back(now);
        self.0.len() >= FLOOD_REFUSALS as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_twice_the_rate_then_the_rate() {
        let mut rate = Rate::default();
        assert!((0..40).all(|_| rate.command(20, Millis(5)).is_ok()));
        assert_eq!(rate.command(20, Millis(5)), Err(50));
        assert_eq!(rate.command(20, Millis(54)), Err(1));
        assert_eq!(rate.command(20, Millis(55)), Ok(()));
        assert_eq!(rate.command(20, Millis(55)), Err(50));
        assert!((0..1_000).all(|_| rate.command(0, Millis(55)).is_ok()));
    }

    #[test]
    fn charge_delays_the_next_command() {
        let mut rate = Rate::default();
        rate.charge(44, 20, Millis(0));
        assert_eq!(rate.command(20, Millis(0)), Err(250));
        assert_eq!(rate.command(20, Millis(250)), Ok(()));
    }

    #[test]
    fn chores_are_free_up_to_ten_per_second() {
        let mut rate = Rate::default();
        // Ten are free, two are the burst of one command per second.
        assert!((0..12).all(|_| rate.chore(1, Millis(0)).is_ok()));
        assert!(rate.chore(1, Millis(0)).is_err());
        assert_eq!(rate.chore(1, Millis(100)), Ok(()));
    }

    #[test]
    fn hundred_refusals_in_ten_seconds_are_a_flood() {
        for (name, gap, flood_at) in [
            ("at once", 0, Some(99)),
            ("in two seconds", 20, Some(99)),
            ("slower", 200, None),
        ] {
            let mut refusals = Refusals::default();
            let floods = (0..300).position(|n| refusals.add(Millis(9_000 + n * gap)));
            assert_eq!(floods, flood_at, "{name}");
        }
    }
}
