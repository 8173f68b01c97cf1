//! What a client may make the server do in a second.
//!
//! A token bucket that never has to be filled: it keeps the moment at which it would be full again,
//! and each command moves
//! that moment. So an idle connection costs eight bytes and no work.
//!
//! Not here: what a command costs (`chat` says so), and what is told to who was refused
//! (`connection`).

use super::seldom::Seldom;
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
    /// Takes `cost` tokens of a bucket that holds `burst` and regains `rate` a second, or says in
    /// how many milliseconds they
    /// would be there.
    fn take(&mut self, cost: u32, rate: u32, burst: u32, now: Millis) -> Result<(), u64> {
        let now = now.0.saturating_mul(1_000);
        let token = (1_000_000 / u64::from(rate)).max(1);
        let wanted = self
            .full_at
            .max(now)
            .saturating_add(token * u64::from(cost));
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
        self.full_at = self
            .full_at
            .max(now.0.saturating_mul(1_000))
            .saturating_add(token * u64::from(cost));
    }
}

/// One connection's account.
#[derive(Debug, Default)]
pub(super) struct Rate {
    commands: Bucket,
    chores: Bucket,
}

/// When it was refused, as far as [`FLOOD_WINDOW`] goes back: fewer than [`FLOOD_REFUSALS`].
#[derive(Debug, Default)]
pub(super) struct Refusals(VecDeque<Millis>);

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
    pub(super) fn command(
        &mut self,
        rate: u32,
        now: Millis,
        seldom: &mut Option<Box<Seldom>>,
    ) -> Result<(), Refused> {
        if rate == 0 {
            return Ok(());
        }
        self.commands
            .take(1, rate, rate.saturating_mul(2), now)
            .map_err(|retry_ms| seldom.get_or_insert_default().refusals.add(retry_ms, now))
    }

    /// Takes one control frame or fragment: ten a second cost nothing, what is beyond counts as a
    /// command.
    pub(super) fn chore(
        &mut self,
        rate: u32,
        now: Millis,
        seldom: &mut Option<Box<Seldom>>,
    ) -> Result<(), Refused> {
        if rate == 0 || self.chores.take(1, FREE_CHORES, FREE_CHORES, now).is_ok() {
            return Ok(());
        }
        self.command(rate, now, seldom)
    }

    /// A command turned out to cost more than the one token that it was let in for.
    pub(super) fn charge(&mut self, more: u32, rate: u32, now: Millis) {
        if rate != 0 && more > 0 {
            self.commands.charge(more, rate, now);
        }
    }
}

impl Refusals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that do not count any more need not be kept.
    pub(super) fn forget(&mut self, now: Millis) {
        while self
            .0
            .front()
            .is_some_and(|at| now.since(*at) > FLOOD_WINDOW)
        {
            self.0.pop_front();
        }
    }

    fn add(&mut self, retry_ms: u64, now: Millis) -> Refused {
        self.forget(now);
        let Self(refused) = self;
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
        let (mut rate, mut seldom) = (Rate::default(), None);
        for n in 0..40 {
            assert_eq!(
                rate.command(20, Millis(5), &mut seldom),
                Ok(()),
                "command {n} of the burst"
            );
        }
        assert_eq!(
            rate.command(20, Millis(5), &mut seldom),
            Err(Refused::Wait { retry_ms: 50 })
        );
        assert_eq!(
            rate.command(20, Millis(54), &mut seldom),
            Err(Refused::Wait { retry_ms: 1 })
        );
        assert_eq!(rate.command(20, Millis(55), &mut seldom), Ok(()));
        assert_eq!(
            rate.command(20, Millis(55), &mut seldom),
            Err(Refused::Wait { retry_ms: 50 })
        );
    }

    #[test]
    fn a_debt_has_to_be_paid_first() {
        let (mut rate, mut seldom) = (Rate::default(), None);
        rate.charge(44, 20, Millis(0));
        assert_eq!(
            rate.command(20, Millis(0), &mut seldom),
            Err(Refused::Wait { retry_ms: 250 })
        );
        assert_eq!(rate.command(20, Millis(250), &mut seldom), Ok(()));
    }

    #[test]
    fn chores_are_free_up_to_ten_a_second() {
        let (mut rate, mut seldom) = (Rate::default(), None);
        for n in 0..12 {
            assert_eq!(
                rate.chore(1, Millis(0), &mut seldom),
                Ok(()),
                "chore {n}: ten are free, two are the burst of one a second"
            );
        }
        assert!(rate.chore(1, Millis(0), &mut seldom).is_err());
        assert_eq!(
            rate.chore(1, Millis(100), &mut seldom),
            Ok(()),
            "a tenth of a second brings one that is free"
        );
    }

    #[test]
    fn a_hundred_refusals_in_ten_seconds_are_a_flood_and_slower_ones_are_not() {
        let (mut fast, mut seldom) = (Rate::default(), None);
        let seen: Vec<_> = (0..142)
            .map(|_| fast.command(20, Millis(0), &mut seldom))
            .filter(Result::is_err)
            .collect();
        assert_eq!(
            seen.iter()
                .position(|refused| *refused == Err(Refused::Flooding)),
            Some(99)
        );
        let (mut late, mut seldom) = (Rate::default(), None);
        late.charge(1_000_000, 20, Millis(0));
        assert!(late.command(20, Millis(0), &mut seldom).is_err());
        let seen: Vec<_> = (0..120)
            .map(|n| late.command(20, Millis(9_000 + n * 20), &mut seldom))
            .collect();
        assert_eq!(
            seen.iter()
                .position(|refused| *refused == Err(Refused::Flooding)),
            Some(99),
            "whenever the ten seconds begin"
        );
        let (mut slow, mut seldom) = (Rate::default(), None);
        slow.charge(1_000_000, 20, Millis(0));
        for n in 0..1_000 {
            assert_ne!(
                slow.command(20, Millis(n * 200), &mut seldom),
                Err(Refused::Flooding),
                "refusal {n}"
            );
        }
    }

    #[test]
    fn no_rate_no_limit() {
        let (mut rate, mut seldom) = (Rate::default(), None);
        assert!(
            (0..10_000).all(|_| rate.command(0, Millis(0), &mut seldom).is_ok()
                && rate.chore(0, Millis(0), &mut seldom).is_ok())
        );
    }
}
