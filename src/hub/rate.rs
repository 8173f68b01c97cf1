//! What a client may make the server do in a second.
//!
//! A token bucket that never has to be filled: it keeps the moment at which it would be full again, and each command moves
//! that moment. So an idle connection costs eight bytes and no work.
//!
//! Not here: what a command costs (`chat` says so), and what is told to who was refused (`connection`).

use crate::limits::{FLOOD_REFUSALS, FLOOD_WINDOW, FREE_CHORES};
use crate::time::Millis;
use std::collections::VecDeque;

/// Tokens that come back at a steady rate, up to a burst.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When it is full again, in microseconds since the start.
    full_at: u64,
}

impl Bucket {
    /// Takes `cost` tokens of a bucket that holds `burst` and regains `rate` a second, or says in how many milliseconds they
    /// would be there.
    fn take(&mut self, cost: u32, rate: u32, burst: u32, now: Millis) -> Result<(), u64> {
        let now = now.0.saturating_mul(1_000);
        let token = (1_000_000 / u64::from(rate)).max(1);
        let wanted = self.full_at.max(now).saturating_add(token * u64::from(cost));
        let allowed = now.saturating_add(token * u64::from(burst));
        if wanted > allowed {
            return Err((wanted - allowed).div_ceil(1_000));
        }
        self.full_at = wanted;
        Ok(())
    }

    /// Takes tokens that may not be there: the next ones have to wait longer.
    fn charge(&mut self, cost: u32, rate: u32, now: Millis) {
        let token = (1_000_000 / u64::from(rate)).max(1);
        self.full_at = self.full_at.max(now.0.saturating_mul(1_000)).saturating_add(token * u64::from(cost));
    }
}

/// One connection's account.
#[derive(Debug, Default)]
pub(super) struct Rate {
    commands: Bucket,
    chores: Bucket,
    /// When it was refused, as far as [`FLOOD_WINDOW`] goes back: fewer than [`FLOOD_REFUSALS`].
    refused: Option<Box<Refusals>>,
}

/// Boxed: few are ever refused anything.
#[derive(Debug, Default)]
struct Refusals(VecDeque<Millis>);

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// One more would be taken in so many milliseconds.
    Wait { retry_ms: u64 },
    /// It was one too many: the connection is to be closed.
    Flooding,
}

impl Rate {
    /// Takes one command. `rate` is `--rate`; 0: no limit.
    pub(super) fn command(&mut self, rate: u32, now: Millis) -> Result<(), Refused> {
        if rate == 0 {
            return Ok(());
        }
        self.commands.take(1, rate, rate.saturating_mul(2), now).map_err(|retry_ms| self.refuse(retry_ms, now))
    }

    /// Takes one control frame or fragment: ten a second cost nothing, what is beyond counts as a command.
    pub(super) fn chore(&mut self, rate: u32, now: Millis) -> Result<(), Refused> {
        if rate == 0 || self.chores.take(1, FREE_CHORES, FREE_CHORES, now).is_ok() {
            return Ok(());
        }
        self.command(rate, now)
    }

    /// A command turned out to cost more than the one token that it was let in for.
    pub(super) fn charge(&mut self, more: u32, rate: u32, now: Millis) {
        if rate != 0 && more > 0 {
            self.commands.charge(more, rate, now);
        }
    }

    fn refuse(&mut self, retry_ms: u64, now: Millis) -> Refused {
        let Refusals(refused) = &mut **self.refused.get_or_insert_default();
        while refused.front().is_some_and(|at| now.since(*at) > FLOOD_WINDOW) {
            refused.pop_front();
        }
        if refused.len() + 1 >= FLOOD_REFUSALS as usize {
            return Refused::Flooding;
        }
        refused.push_back(now);
        Refused::Wait { retry_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_twice_the_rate_then_the_rate() {
        let mut rate = Rate::default();
        for n in 0..40 {
            assert_eq!(rate.command(20, Millis(5)), Ok(()), "command {n} of the burst");
        }
        assert_eq!(rate.command(20, Millis(5)), Err(Refused::Wait { retry_ms: 50 }));
        assert_eq!(rate.command(20, Millis(54)), Err(Refused::Wait { retry_ms: 1 }));
        assert_eq!(rate.command(20, Millis(55)), Ok(()));
        assert_eq!(rate.command(20, Millis(55)), Err(Refused::Wait { retry_ms: 50 }));
    }

    #[test]
    fn a_debt_has_to_be_paid_first() {
        let mut rate = Rate::default();
        rate.charge(44, 20, Millis(0));
        assert_eq!(rate.command(20, Millis(0)), Err(Refused::Wait { retry_ms: 250 }));
        assert_eq!(rate.command(20, Millis(250)), Ok(()));
    }

    #[test]
    fn chores_are_free_up_to_ten_a_second() {
        let mut rate = Rate::default();
        for n in 0..12 {
            assert_eq!(rate.chore(1, Millis(0)), Ok(()), "chore {n}: ten are free, two are the burst of one a second");
        }
        assert!(rate.chore(1, Millis(0)).is_err());
        assert_eq!(rate.chore(1, Millis(100)), Ok(()), "a tenth of a second brings one that is free");
    }

    #[test]
    fn a_hundred_refusals_in_ten_seconds_are_a_flood_and_slower_ones_are_not() {
        let mut fast = Rate::default();
        let seen: Vec<_> = (0..142).map(|_| fast.command(20, Millis(0))).filter(Result::is_err).collect();
        assert_eq!(seen.iter().position(|refused| *refused == Err(Refused::Flooding)), Some(99));
        let mut late = Rate::default();
        late.charge(1_000_000, 20, Millis(0));
        assert!(late.command(20, Millis(0)).is_err());
        let seen: Vec<_> = (0..120).map(|n| late.command(20, Millis(9_000 + n * 20))).collect();
        assert_eq!(seen.iter().position(|refused| *refused == Err(Refused::Flooding)), Some(99), "whenever the ten seconds begin");
        let mut slow = Rate::default();
        slow.charge(1_000_000, 20, Millis(0));
        for n in 0..1_000 {
            assert_ne!(slow.command(20, Millis(n * 200)), Err(Refused::Flooding), "refusal {n}");
        }
    }

    #[test]
    fn no_rate_no_limit() {
        let mut rate = Rate::default();
        assert!((0..10_000).all(|_| rate.command(0, Millis(0)).is_ok() && rate.chore(0, Millis(0)).is_ok()));
    }
}
