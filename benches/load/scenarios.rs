//! The scenarios: what is done to a server, and what is measured of it.
//!
//! Not here: how the load is made (`generator`), how figures become a table (`main`).

use crate::floor::Shape;
use crate::generator::{Crowd, Drive, Entry};
use crate::servers::{Server, cpu_of};
use crate::text;
use std::io;
use std::time::{Duration, Instant};

/// What is done.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    /// CPU time for each delivery, in microseconds.
    Closed(Drive),
    /// The same, by the clock; and the 99th percentile of how long a delivery took, in milliseconds.
    Rate { per_second: u32 },
    /// CPU time for opening handshake, `hello`, `welcome` and the end, in microseconds.
    Connect,
    /// The median time until the last member has a message, in milliseconds.
    Last { per_second: u32 },
    /// Memory of its own for each member that says nothing, in bytes.
    Idle,
}

/// One row of the table.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    members: usize,
    senders: usize,
    bytes: usize,
    deed: Deed,
    pub(crate) goal: Goal,
}

/// What is to be reached.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    Floor(f64),
    FloorBatched(f64),
    /// In the figure's own unit.
    Figure(f64),
}

/// What a run gave.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) p99: Option<f64>,
    /// The generator's share of its core.
    pub(crate) load: f64,
}

const OWN: Deed = Deed::Closed(Drive::Own { window: 1 });

const fn row(name: &'static str, about: &'static str, [members, senders, bytes]: [usize; 3], deed: Deed, goal: Goal) -> Scenario {
    Scenario { name, about, members, senders, bytes, deed, goal }
}

/// Every scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[
    row("fan-1", "1,000 members, 1 sender, 1 in flight", [1_000, 1, 64], OWN, Goal::Floor(1.05)),
    row("fan-10", "100 members, 10 senders, 1 in flight each", [100, 10, 64], OWN, Goal::FloorBatched(1.1)),
    row("fan-40", "100 members, 40 in flight", [100, 40, 64], OWN, Goal::FloorBatched(1.3)),
    row("fan-100", "1,000 members, 100 in flight", [1_000, 100, 64], OWN, Goal::FloorBatched(1.3)),
    row("fan-2k", "as fan-10, texts of 2,000 bytes", [100, 10, 2_000], OWN, Goal::FloorBatched(1.1)),
    row(
        "bun-lock",
        "32 clients, each sends when it has the whole round",
        [32, 32, 64],
        Deed::Closed(Drive::Rounds { batch: 1 }),
        Goal::FloorBatched(1.1),
    ),
    row(
        "bun-pub",
        "32 clients, 64 texts of each in a round",
        [32, 32, 16],
        Deed::Closed(Drive::Rounds { batch: 64 }),
        Goal::FloorBatched(2.5),
    ),
    row("rate-1000", "open loop, 1,000 messages a second to 60 members", [60, 1, 64], Deed::Rate { per_second: 1_000 }, Goal::Floor(1.05)),
    row("echo-1", "64 connections, 1 in flight", [64, 64, 64], Deed::Closed(Drive::Echo { window: 1 }), Goal::Floor(1.05)),
    row("echo-16", "64 connections, 16 in flight each", [64, 64, 64], Deed::Closed(Drive::Echo { window: 16 }), Goal::FloorBatched(1.05)),
    row("echo-16k", "64 connections, 16 KiB messages", [64, 64, 16 << 10], Deed::Closed(Drive::Echo { window: 1 }), Goal::Floor(1.05)),
    row("connect", "opening handshake, hello, welcome", [32, 0, 64], Deed::Connect, Goal::Floor(1.3)),
    row("bigchan", "10,000 members: ms to the last of them", [10_000, 1, 64], Deed::Last { per_second: 10 }, Goal::FloorBatched(1.1)),
    row("idle", "bytes for a member that says nothing, of 9,000", [9_000, 0, 64], Deed::Idle, Goal::Figure(500.0)),
];

impl Scenario {
    /// Whether it can be measured once only: it does not vary.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(self.deed, Deed::Idle)
    }

    /// Whether a history has something to do in it.
    pub(crate) fn fans(&self) -> bool {
        self.name.starts_with("fan-")
    }

    fn is_echo(&self) -> bool {
        matches!(self.deed, Deed::Closed(Drive::Echo { .. }))
    }

    /// Starts a server, does it for so long, and stops it. A load that is `slower` waits so long in each turn of a closed loop.
    pub(crate) fn measure(&self, server: &Server, time: Duration, slower: Duration) -> io::Result<Figure> {
        let echo = self.is_echo();
        let sent = if echo { text::client_frame(&"x".repeat(self.bytes)) } else { text::message(0, self.bytes) };
        let batched = *server == Server::FloorBatched;
        let running = server.start(Shape { batched, echo, text: self.bytes, sent: sent.len() })?;
        if let Deed::Connect = self.deed {
            return connects(&|| running.cpu(), running.address, self.members, time);
        }
        let before = running.memory()?;
        let mut crowd = Crowd::gather(running.address, if echo { Entry::Echo } else { Entry::Join }, 0, self.members)?;
        crowd.settle()?;
        crowd.slow_down(slower);
        if let Deed::Idle = self.deed {
            let each = (running.memory()?.saturating_sub(before)) as f64 / self.members as f64;
            return Ok(Figure { value: each, p99: None, load: 0.0 });
        }
        if let Deed::Closed(drive) = self.deed {
            crowd.closed_loop(self.senders, self.bytes, drive, time / 4)?;
        }
        let (cpu, own, began) = (running.cpu()?, cpu_of("self")?, Instant::now());
        let mut value = 0.0;
        let mut p99 = None;
        let deliveries = match self.deed {
            Deed::Closed(drive) => crowd.closed_loop(self.senders, self.bytes, drive, time)?.deliveries,
            Deed::Rate { per_second } | Deed::Last { per_second } => {
                let messages = (f64::from(per_second) * time.as_secs_f64()).max(5.0) as usize;
                let took = crowd.open_loop(self.bytes, Duration::from_secs(1) / per_second, messages)?;
                let last = took.iter().filter_map(|each| each.iter().max()).map(|micros| f64::from(*micros) / 1e3);
                value = quantile(last.collect(), 0.5);
                p99 = Some(quantile(took.iter().flatten().map(|micros| f64::from(*micros) / 1e3).collect(), 0.99));
                (messages * self.members) as u64
            }
            Deed::Connect | Deed::Idle => 1,
        };
        let load = (cpu_of("self")? - own) as f64 / began.elapsed().as_nanos() as f64;
        if !matches!(self.deed, Deed::Last { .. }) {
            value = (running.cpu()? - cpu) as f64 / 1e3 / deliveries as f64;
        }
        Ok(Figure { value, p99, load })
    }
}

/// Waves of clients come, say hello, are welcomed and go.
fn connects(cpu: &dyn Fn() -> io::Result<u64>, address: std::net::SocketAddr, wave: usize, time: Duration) -> io::Result<Figure> {
    let mut number = 0;
    let mut for_so_long = |time: Duration| -> io::Result<usize> {
        let (began, first) = (Instant::now(), number);
        while began.elapsed() < time {
            drop(Crowd::gather(address, Entry::Hello, number, wave)?);
            number += wave;
        }
        // The last ones are still going.
        std::thread::sleep(Duration::from_millis(20));
        Ok(number - first)
    };
    for_so_long(time / 4)?;
    let (used, own, began) = (cpu()?, cpu_of("self")?, Instant::now());
    let count = for_so_long(time)?;
    let load = (cpu_of("self")? - own) as f64 / began.elapsed().as_nanos() as f64;
    Ok(Figure { value: (cpu()? - used) as f64 / 1e3 / count as f64, p99: None, load })
}

/// A quantile of some numbers.
pub(crate) fn quantile(mut numbers: Vec<f64>, part: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().saturating_sub(1);
    numbers.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}
