//! A small timer: what is measured takes turns with what it is compared with, and medians are told.
//!
//! `main` lists the measurements.

use std::time::{Duration, Instant};

/// How long is measured.
pub(crate) struct Timer {
    /// Of these the median is taken.
    pub(crate) rounds: usize,
    /// The duration of one side of a round.
    pub(crate) each: Duration,
}

/// What a comparison gave.
pub(crate) struct Compared {
    /// Nanoseconds of one call.
    pub(crate) nanos: f64,
    /// How many times as long as the other side, the median of the rounds.
    pub(crate) ratio: f64,
}

impl Timer {
    /// Both in turn, round by round, so that what else the machine does meets them alike.
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

    /// How many calls fill the time; they warm up what is called.
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

/// The middle one of some numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits that count.
pub(crate) fn number(value: f64) -> String {
    let digits = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 2) as usize;
    format!("{value:.digits$}")
}

/// 10,000 and not 10000.
pub(crate) fn count(value: usize) -> String {
    let digits = value.to_string();
    let groups = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}
