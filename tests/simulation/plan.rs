//! What a seed determines in advance: the number of clients, the kinds and frequency of faults, and
//! the limits. A third of the seeds has no faults, to find bugs that faults would hide.

use parlor::limits::Limits;
use parlor::testing::Random;
use std::time::Duration;

/// Kinds of faults, one bit each, so that a failing seed can be played without one of them.
pub(crate) const NETWORK: u32 = 1;
pub(crate) const STALLS: u32 = 2;
pub(crate) const DISK: u32 = 4;
pub(crate) const CRASHES: u32 = 8;
pub(crate) const CLOCK: u32 = 16;
pub(crate) const VIOLATIONS: u32 = 32;
pub(crate) const ALL_FAULTS: u32 = 63;

/// The parameters of a simulation: the same plan gives the same run, byte by byte.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) steps: usize,
    pub(crate) faults: u32,
    /// The percentage of steps with a fault.
    pub(crate) ratio: usize,
    pub(crate) channels: usize,
    pub(crate) deflate: bool,
    pub(crate) limits: Limits,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let clients = match random.below(100) {
            0 => 1_000 + random.below(1_001),
            1..5 => 100 + random.below(200),
            5..40 => 10 + random.below(30),
            _ => 1 + random.below(10),
        };
        let faults = match random.below(3) {
            0 => 0,
            _ => random.number() as u32 & ALL_FAULTS,
        };
        let is_crowd = clients > 300;
        let channels = if is_crowd { 3 } else { 1 + random.below(8) };
        let pick = |random: &mut Random, choices: &[usize]| choices[random.below(choices.len())];
        let limits = Limits {
            connections: 10_000,
            connections_per_ip: 0,
            channels: channels + 1,
            rate: [0, 0, 20][random.below(3)],
            send_queue_bytes: pick(&mut random, &[4 << 10, 64 << 10, 1 << 20]),
            buffered_bytes: pick(&mut random, &[256 << 10, 64 << 20]),
            message_bytes: pick(&mut random, &[4_096, 64 << 10]),
            resume_window: Duration::from_millis([0, 1_000, 30_000][random.below(3)]),
            ..Limits::DEFAULT
        };
        let steps = if is_crowd {
            400
        } else {
            200 + random.below(600)
        };
        Self {
            seed,
            clients,
            steps,
            faults,
            ratio: 1 + random.below(30),
            channels,
            deflate: random.below(3) == 0,
            limits,
        }
    }

    pub(crate) fn has(&self, fault: u32) -> bool {
        self.faults & fault != 0
    }
}
