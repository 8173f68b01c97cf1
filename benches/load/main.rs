//! Measures the cost of a delivery, beside the least that it can cost.
//!
//! ```text
//! cargo bench --bench load                                     the table of docs/performance.md
//! cargo bench --bench load -- --only fan-40,echo-1 --rounds 3  some rows
//! cargo bench --bench load -- --peers ws,bun                   other servers too
//! cargo bench --bench load -- --slower 200                     a slower load
//! ```
//!
//! With peers, a second table has the same figure for each of them, and its ratio to the floor that
//! the goal names.
//!
//! The figures are CPU time of the server, not throughput, so the load itself is not measured. If
//! the load's share of its core (column `load`) is near 100 %, the server idles while it waits,
//! which costs no CPU time. It may still change how many messages the server finds per turn, and
//! how warm its caches are. The scenario bounds the messages in flight. To see that effect,
//! `--slower MICROSECONDS` makes the load waste that time in each turn of its loop. With 50 and 200
//! µs, on a busy machine, figures and floors moved together by less than between rounds. Their
//! ratios moved by an eighth at most.
//!
//! The server runs on core 0, the load on core 1. Each round starts all servers with their own
//! members, and loads one after another for a tenth of a second, forwards and backwards. So other
//! work of the machine affects all of them. Servers with ten thousand members are started and
//! loaded one by one. A figure is the median of all slices, a ratio the median of the slices'
//! ratios.
//!
//! The scenarios are in `scenarios`, the floors in `floor`, the load in `generator`.

mod floor;
mod generator;
mod scenarios;
mod servers;
mod text;

use floor::{Floor, Shape};
use scenarios::{Figure, Goal, SCENARIOS, Scenario, quantile};
use servers::Server;
use std::io;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Slices of a server's round.
const SLICES: u32 = 7;

struct Options {
    rounds: usize,
    only: Vec<String>,
    peers: Vec<String>,
    time: Duration,
    /// The time that the load wastes in each turn of its loop.
    slower: Duration,
    /// Whether the fan-out is also measured with a history.
    history: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--floor") {
        let numbers: Vec<usize> = arguments
            .drain(1..)
            .filter_map(|number| number.parse().ok())
            .collect();
        let [batched, echo, text, sent] = numbers[..] else {
            return Err(io::Error::other("--floor takes four numbers"));
        };
        parlor::server::raise_open_files();
        return Floor::new(Shape {
            batched: batched != 0,
            echo: echo != 0,
            text,
            sent,
        })
        .run();
    }
    let options = options(&arguments).map_err(io::Error::other)?;
    parlor::server::raise_open_files();
    // taskset(1) pins it, as it pins the servers.
    let pinned = Command::new("taskset")
        .args(["-cp", "1", &std::process::id().to_string()])
        .output()?;
    if !pinned.status.success() {
        return Err(io::Error::other(
            "two cores are needed: one for the server, one for the load",
        ));
    }
    let mut servers = vec![Server::Floor, Server::FloorBatched, Server::Parlor];
    servers.extend(options.peers.iter().map(|name| Server::Peer(name.clone())));
    println!(
        "| scenario | what it is | floor | floor-batched | parlor | parlor / floor | goal \
         | with history | p99 ms | load |"
    );
    println!("|{}", " --- |".repeat(10));
    let chosen = |scenario: &&Scenario| {
        options.only.is_empty() || options.only.iter().any(|name| name == scenario.name)
    };
    let (mut failed, mut beside) = (Vec::new(), Vec::new());
    for scenario in SCENARIOS.iter().filter(chosen) {
        // The other scenarios run if one fails, but the whole run has failed.
        match measured(scenario, &servers, &options) {
            Ok(row) => {
                println!("{}", row.own);
                beside.push(row.beside);
            }
            Err(error) => failed.push(error.to_string()),
        }
    }
    if !options.peers.is_empty() {
        println!(
            "\n| scenario | floor that counts | parlor | {} |",
            options.peers.join(" | ")
        );
        println!("|{}", " --- |".repeat(3 + options.peers.len()));
        beside.iter().for_each(|row| println!("{row}"));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(io::Error::other(failed.join("; ")))
    }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let (only, peers, slower) = (Vec::new(), Vec::new(), Duration::ZERO);
    let mut options = Options {
        rounds: 5,
        only,
        peers,
        time: Duration::from_millis(700),
        slower,
        history: true,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .cloned()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        let list = |text: String| text.split(',').map(str::to_owned).collect();
        match argument.as_str() {
            // Cargo passes it to every benchmark.
            "--bench" => {}
            "--no-history" => options.history = false,
            "--rounds" => {
                options.rounds = value()?.parse().map_err(|_| "--rounds takes a number")?
            }
            "--only" => options.only = list(value()?),
            "--peers" => options.peers = list(value()?),
            "--seconds" => {
                options.time = Duration::from_secs_f64(
                    value()?.parse().map_err(|_| "--seconds takes a number")?,
                )
            }
            "--slower" => {
                options.slower = Duration::from_micros(
                    value()?
                        .parse()
                        .map_err(|_| "--slower takes microseconds")?,
                )
            }
            other => {
                return Err(format!(
                    "unknown option {other}. Options: --rounds N, --only SCENARIOS, --peers NAMES, \
                     --no-history, --seconds S and --slower MICROSECONDS"
                ));
            }
        }
    }
    let unknown = options
        .only
        .iter()
        .find(|name| SCENARIOS.iter().all(|scenario| scenario.name != **name));
    match unknown {
        Some(name) => Err(format!("unknown scenario {name}")),
        None => Ok(options),
    }
}

/// The rows of one scenario.
struct Row {
    /// The row of the table of floors and parlor.
    own: String,
    /// The row of the table of parlor and its peers.
    beside: String,
}

/// Measures all servers in turn, round by round.
fn measured(scenario: &Scenario, servers: &[Server], options: &Options) -> io::Result<Row> {
    let rounds = if scenario.is_steady() {
        1
    } else {
        options.rounds
    };
    let mut all: Vec<Server> = servers.to_vec();
    if scenario.fans() && options.history {
        all.push(Server::ParlorHistory);
    }
    let mut figures: Vec<Vec<Figure>> = vec![Vec::new(); all.len()];
    let told = |of: usize, error: io::Error| {
        io::Error::other(format!("{}, {}: {error}", scenario.name, all[of].name()))
    };
    for round in 0..rounds {
        let (beside, slices) = if scenario.is_sliced() {
            (all.len(), SLICES)
        } else {
            (1, 1)
        };
        let in_turn: Vec<_> = if round % 2 == 0 {
            (0..all.len()).collect()
        } else {
            (0..all.len()).rev().collect()
        };
        for group in in_turn.chunks(beside) {
            let mut sessions = Vec::new();
            for of in group {
                sessions.push((
                    *of,
                    scenario
                        .begin(&all[*of], options.time, options.slower)
                        .map_err(|error| told(*of, error))?,
                ));
            }
            for _ in 0..slices {
                for (of, session) in &mut sessions {
                    figures[*of].push(
                        session
                            .measure(options.time / slices)
                            .map_err(|error| told(*of, error))?,
                    );
                }
                sessions.reverse();
            }
        }
    }
    let median = |of: usize| quantile(figures[of].iter().map(|figure| figure.value).collect(), 0.5);
    let ratio = |of: usize, to: usize| {
        quantile(
            figures[of]
                .iter()
                .zip(&figures[to])
                .map(|(one, other)| one.value / other.value)
                .collect(),
            0.5,
        )
    };
    let (reached, goal) = match scenario.goal {
        Goal::Floor(most) => (ratio(2, 0), format!("≤ {most} × floor")),
        Goal::FloorBatched(most) => (ratio(2, 1), format!("≤ {most} × floor-batched")),
        Goal::Figure(most) => (median(2), format!("≤ {most}")),
    };
    let (Goal::Floor(most) | Goal::FloorBatched(most) | Goal::Figure(most)) = scenario.goal;
    let verdict = if reached <= most { "met" } else { "**missed**" };
    let history = if all.len() > servers.len() {
        format!("{:.2} × parlor", ratio(all.len() - 1, 2))
    } else {
        String::new()
    };
    let p99 = |of: usize| {
        let p99: Vec<_> = figures[of].iter().filter_map(|figure| figure.p99).collect();
        (!p99.is_empty()).then(|| number(quantile(p99, 0.5)))
    };
    let load = quantile(
        figures[2]
            .iter()
            .map(|figure| figure.load * 100.0)
            .collect(),
        0.5,
    );
    let own = format!(
        "| {} | {} | {} | {} | {goal}: {verdict} | {history} | {} | {load:.0} % |",
        scenario.name,
        scenario.about,
        (0..3)
            .map(|of| number(median(of)))
            .collect::<Vec<_>>()
            .join(" | "),
        number(reached),
        (0..3).filter_map(p99).collect::<Vec<_>>().join(" / "),
    );
    let floor = match scenario.goal {
        Goal::Floor(_) => Some(0),
        Goal::FloorBatched(_) => Some(1),
        Goal::Figure(_) => None,
    };
    let cell = |of: usize| {
        let ratio = floor
            .map(|floor| format!(" ({} ×)", number(ratio(of, floor))))
            .unwrap_or_default();
        format!(
            "{}{ratio}{}",
            number(median(of)),
            p99(of)
                .map(|p99| format!(", p99 {p99}"))
                .unwrap_or_default()
        )
    };
    let that_counts = floor.map(|floor| number(median(floor))).unwrap_or_default();
    let beside = format!(
        "| {} | {that_counts} | {} |",
        scenario.name,
        (2..servers.len()).map(cell).collect::<Vec<_>>().join(" | ")
    );
    Ok(Row { own, beside })
}

/// Formats a number with three significant digits.
fn number(value: f64) -> String {
    let digits = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 4) as usize;
    format!("{value:.digits$}")
}
