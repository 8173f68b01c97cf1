//! A small timer: it alternates between a step and what the step is compared with, and returns
//! medians.
//!
//! `main` lists the measurements.

use std::time::{Duration, Instant};

/// How long and how often to measure.
pub(crate) struct Timer {
    /// The number of rounds for the median.
    pub(crate) rounds: usize,
    /// The duration of one side of a round.
    pub(crate) each: Duration,
}

/// The result of a comparison.
pub(crate) struct Compared {
    /// Nanoseconds of one call.
    pub(crate) nanos: f64,
    /// The time divided by that of the other side: the median of the rounds.
    pub(crate) ratio: f64,
}

impl Timer {
    /// Measures both sides in turn, round by round, so that other work of the machine affects both.
    pub(crate) fn compare(&self, mut work: impl FnMut(), mut other: impl FnMut()) -> Compared {
        let (calls, calls_of_other) = (self.calls(&mut work), self.calls(&mut other));
        let rounds =
            (0..self.rounds).map(|_| (nanos(calls, &mut work), nanos(calls_of_other, &mut other)));
        let rounds: Vec<_> = rounds.collect();
        Compared {
            nanos: median(rounds.iter().map(|round| round.0).collect()),
            ratio: median(rounds.iter().map(|round| round.0 / round.1).collect()),
        }
    }

    /// Returns how many calls fill the time. Making them also warms up the caches.
    fn calls(&self, work: &mut impl FnMut()) -> u32 {
        let mut calls = 1;
        while nanos(calls, work) * f64::from(calls) < self.each.as_nanos() as f64 && calls < 1 << 24
        {
            calls *= 2;
        }
        calls
    }
}

/// Returns the nanoseconds of one call, as the mean of this many.
fn nanos(calls: u32, work: &mut impl FnMut()) -> f64 {
    let began = Instant::now();
    (0..calls).for_each(|_| work());
    began.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// Returns the median of these numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Formats a number with three significant digits.
pub(crate) fn number(value: f64) -> String {
    let digits = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 2) as usize;
    format!("{value:.digits$}")
}

/// Formats a number with commas: 10,000.
pub(crate) fn count(value: usize) -> String {
    let digits = value.to_string();
    let groups = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}
