//! What a seed decides before anything happens: how many are there, what may go wrong and how
//! often, and how small the limits are.
//! A third of the seeds has no faults at all, so that what only goes wrong in quiet is found too.

use parlor::limits::Limits;
use parlor::testing::Random;
use std::time::Duration;

/// Kinds of faults, each a bit, so that a failing seed can be tried without one of them.
pub(crate) const NETWORK: u32 = 1;
pub(crate) const STALLS: u32 = 2;
pub(crate) const DISK: u32 = 4;
pub(crate) const DEATHS: u32 = 8;
pub(crate) const CLOCK: u32 = 16;
pub(crate) const RUDENESS: u32 = 32;
pub(crate) const ALL_FAULTS: u32 = 63;

/// A simulation, whole: the same plan is the same history, byte for byte.
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
