//! The scenarios: the load of a server, and the figure that is measured.
//!
//! `generator` makes the load; `main` prints the table.

use crate::floor::Shape;
use crate::generator::{Crowd, Drive, Entry};
use crate::servers::{Running, Server, cpu_of};
use crate::text;
use std::io;
use std::time::{Duration, Instant};

/// The load and its figure.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    /// CPU time for each delivery, in microseconds.
    Closed(Drive),
    /// The same at a fixed rate, and the 99th percentile of a delivery's time, in milliseconds.
    Rate { per_second: u32 },
    /// CPU time for opening handshake, `hello`, `welcome` and closing, in microseconds.
    Connect,
    /// The median time until the last member has received a message, in milliseconds.
    Last { per_second: u32 },
    /// Private memory for each silent member, in bytes.
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

/// The goal of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    Floor(f64),
    FloorBatched(f64),
    /// In the unit of the figure.
    Figure(f64),
}

/// The results of a run.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) p99: Option<f64>,
    /// The generator's share of its core.
    pub(crate) load: f64,
}

const OWN: Deed = Deed::Closed(Drive::Own { window: 1 });

const fn row(
    name: &'static str,
    about: &'static str,
    [members, senders, bytes]: [usize; 3],
    deed: Deed,
    goal: Goal,
) -> Scenario {
    Scenario {
        name,
        about,
        members,
        senders,
        bytes,
        deed,
        goal,
    }
}

/// All scenarios, in the order of the table.
pub(crate) const SCENARIOS: &[Scenario] = &[
    row(
        "fan-1",
        "1,000 members, 1 sender, 1 in flight",
        [1_000, 1, 64],
        OWN,
        Goal::Floor(1.05),
    ),
    row(
        "fan-10",
        "100 members, 10 senders, 1 in flight each",
        [100, 10, 64],
        OWN,
        Goal::FloorBatched(1.05),
    ),
    row(
        "fan-40",
        "100 members, 40 in flight",
        [100, 40, 64],
        OWN,
        Goal::FloorBatched(1.1),
    ),
    row(
        "fan-100",
        "1,000 members, 100 in flight",
        [1_000, 100, 64],
        OWN,
        Goal::FloorBatched(1.15),
    ),
    row(
        "fan-2k",
        "as fan-10, texts of 2,000 bytes",
        [100, 10, 2_000],
        OWN,
        Goal::FloorBatched(1.05),
    ),
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
        Goal::FloorBatched(2.0),
    ),
    row(
        "rate-1000",
        "open loop, 1,000 messages a second to 60 members",
        [60, 1, 64],
        Deed::Rate { per_second: 1_000 },
        Goal::Floor(1.05),
    ),
    row(
        "echo-1",
        "64 connections, 1 in flight",
        [64, 64, 64],
        Deed::Closed(Drive::Echo { window: 1 }),
        Goal::Floor(1.05),
    ),
    row(
        "echo-16",
        "64 connections, 16 in flight each",
        [64, 64, 64],
        Deed::Closed(Drive::Echo { window: 16 }),
        Goal::FloorBatched(1.1),
    ),
    row(
        "echo-16k",
        "64 connections, 16 KiB messages",
        [64, 64, 16 << 10],
        Deed::Closed(Drive::Echo { window: 1 }),
        Goal::FloorBatched(1.1),
    ),
    row(
        "connect",
        "opening handshake, hello, welcome",
        [32, 0, 64],
        Deed::Connect,
        Goal::Floor(1.1),
    ),
    row(
        "bigchan",
        "10,000 members: ms to the last of them",
        [10_000, 1, 64],
        Deed::Last { per_second: 10 },
        Goal::FloorBatched(1.05),
    ),
    row(
        "idle",
        "bytes for a member that says nothing, of 9,000",
        [9_000, 0, 64],
        Deed::Idle,
        Goal::Figure(620.0),
    ),
];

impl Scenario {
    /// Whether one measurement is enough, because the figure does not vary.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(self.deed, Deed::Idle)
    }

    /// Whether the scenario sends messages that a history stores.
    pub(crate) fn fans(&self) -> bool {
        self.name.starts_with("fan-")
    }

    fn is_echo(&self) -> bool {
        matches!(self.deed, Deed::Closed(Drive::Echo { .. }))
    }

    /// Whether all servers can run with their members at the same time, and be measured in turn in
    /// short slices.
    pub(crate) fn is_sliced(&self) -> bool {
        matches!(self.deed, Deed::Closed(_) | Deed::Connect)
    }

    /// Starts a server and connects the members. What is measured comes after that. A `slower` load
    /// wastes this time in each turn of a closed loop.
    pub(crate) fn begin(
        &self,
        server: &Server,
        time: Duration,
        slower: Duration,
    ) -> io::Result<Session<'_>> {
        let echo = self.is_echo();
        let sent = if echo {
            text::client_frame(&"x".repeat(self.bytes))
        } else {
            text::message(0, self.bytes)
        };
        let batched = *server == Server::FloorBatched;
        let running = server.start(Shape {
            batched,
            echo,
            text: self.bytes,
            sent: sent.len(),
        })?;
        let memory_before = running.memory()?;
        let members = if let Deed::Connect = self.deed {
            0
        } else {
            self.members
        };
        let crowd = Crowd::gather(
            running.address,
            if echo { Entry::Echo } else { Entry::Join },
            0,
            members,
        )?;
        let mut session = Session {
            scenario: self,
            running,
            memory_before,
            crowd,
            came: 0,
        };
        session.crowd.settle()?;
        session.crowd.slow_down(slower);
        if self.is_sliced() {
            session.deed(time / 4)?;
        }
        Ok(session)
    }
}

/// A server with its members, ready to be measured.
pub(crate) struct Session<'a> {
    scenario: &'a Scenario,
    running: Running,
    memory_before: u64,
    crowd: Crowd,
    /// Clients that have connected and left.
    came: usize,
}

impl Session<'_> {
    /// Runs the load for this time and measures it.
    pub(crate) fn measure(&mut self, time: Duration) -> io::Result<Figure> {
        if let Deed::Idle = self.scenario.deed {
            let each = self.running.memory()?.saturating_sub(self.memory_before) as f64
                / self.scenario.members as f64;
            return Ok(Figure {
                value: each,
                p99: None,
                load: 0.0,
            });
        }
        let (cpu, own, began) = (self.running.cpu()?, cpu_of("self")?, Instant::now());
        let Outcome {
            deliveries,
            last,
            p99,
        } = self.deed(time)?;
        let load = (cpu_of("self")? - own) as f64 / began.elapsed().as_nanos() as f64;
        let value = match (self.scenario.deed, last) {
            (Deed::Last { .. }, Some(last)) => last,
            _ => (self.running.cpu()? - cpu) as f64 / 1e3 / deliveries as f64,
        };
        Ok(Figure { value, p99, load })
    }

    fn deed(&mut self, time: Duration) -> io::Result<Outcome> {
        let Scenario {
            members,
            senders,
            bytes,
            deed,
            ..
        } = *self.scenario;
        match deed {
            Deed::Closed(drive) => {
                let deliveries = self
                    .crowd
                    .closed_loop(senders, bytes, drive, time)?
                    .deliveries;
                Ok(Outcome {
                    deliveries,
                    last: None,
                    p99: None,
                })
            }
            Deed::Rate { per_second } | Deed::Last { per_second } => {
                let messages = (f64::from(per_second) * time.as_secs_f64()).max(5.0) as usize;
                let took =
                    self.crowd
                        .open_loop(bytes, Duration::from_secs(1) / per_second, messages)?;
                let last = took
                    .iter()
                    .filter_map(|each| each.iter().max())
                    .map(|micros| f64::from(*micros) / 1e3);
                let last = Some(quantile(last.collect(), 0.5));
                let p99 = Some(quantile(
                    took.iter()
                        .flatten()
                        .map(|micros| f64::from(*micros) / 1e3)
                        .collect(),
                    0.99,
                ));
                Ok(Outcome {
                    deliveries: (messages * members) as u64,
                    last,
                    p99,
                })
            }
            Deed::Connect => {
                // Waves of clients connect, send `hello`, receive `welcome` and close.
                let (began, first) = (Instant::now(), self.came);
                while began.elapsed() < time {
                    drop(Crowd::gather(
                        self.running.address,
                        Entry::Hello,
                        self.came,
                        members,
                    )?);
                    self.came += members;
                }
                // The last clients are still closing.
                std::thread::sleep(Duration::from_millis(20));
                Ok(Outcome {
                    deliveries: (self.came - first) as u64,
                    last: None,
                    p99: None,
                })
            }
            Deed::Idle => Ok(Outcome {
                deliveries: 1,
                last: None,
                p99: None,
            }),
        }
    }
}

/// The work of one measurement.
struct Outcome {
    deliveries: u64,
    /// Milliseconds until the last member had a message, and the 99th percentile of all.
    last: Option<f64>,
    p99: Option<f64>,
}

/// Returns a quantile of these numbers.
pub(crate) fn quantile(mut numbers: Vec<f64>, part: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().saturating_sub(1);
    numbers
        .get((last as f64 * part).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}
