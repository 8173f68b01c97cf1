//! Counts the server's system calls for each message that it delivers, by kind, and asserts that an
//! idle server makes none.
//!
//! ```text
//! cargo bench --bench syscalls                               all rows: some 20 seconds
//! cargo bench --bench syscalls -- --only fan-1,idle          some rows
//! cargo bench --bench syscalls -- --with perf --seconds 0.2  with perf(1), for a shorter time
//! ```
//!
//! The load is that of `load`. After all clients have connected and the server is warm, a counter
//! is attached to it. strace(1) works for a user's own processes unless ptrace(2) is forbidden.
//! Otherwise perf(1) is used, which needs root or a low `kernel.perf_event_paranoid`. The table
//! names the counter. Both slow the server down, strace far more than perf. That changes how many
//! messages it finds per turn, which the scenario bounds by the messages in flight.
//!
//! `load` measures time, and `tests/allocations.rs` the allocations of a delivery.

#[allow(dead_code)]
#[path = "../load/floor.rs"]
mod floor;
#[allow(dead_code)]
#[path = "../load/generator.rs"]
mod generator;
#[allow(dead_code)]
#[path = "../load/servers.rs"]
mod servers;
#[allow(dead_code)]
#[path = "../load/text.rs"]
mod text;

use floor::Shape;
use generator::{Crowd, Drive, Entry};
use servers::{Running, Server};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// The load while calls are counted.
#[derive(Clone, Copy)]
enum Deed {
    /// Members, senders, and when a sender sends again.
    Closed(usize, usize, Drive),
    /// Opening handshake, `hello`, `welcome` and closing; each counts as one delivery.
    Connect,
    /// Five seconds of silence with a hundred members.
    Idle,
}

const DEEDS: &[(&str, &str, Deed)] = &[
    (
        "fan-1",
        "1,000 members, 1 sender, 1 in flight",
        Deed::Closed(1_000, 1, Drive::Own { window: 1 }),
    ),
    (
        "fan-40",
        "100 members, 40 in flight",
        Deed::Closed(100, 40, Drive::Own { window: 1 }),
    ),
    (
        "fan-100",
        "1,000 members, 100 in flight",
        Deed::Closed(1_000, 100, Drive::Own { window: 1 }),
    ),
    (
        "echo-1",
        "64 connections, 1 in flight",
        Deed::Closed(64, 64, Drive::Echo { window: 1 }),
    ),
    (
        "echo-16",
        "64 connections, 16 in flight each",
        Deed::Closed(64, 64, Drive::Echo { window: 16 }),
    ),
    (
        "connect",
        "opening handshake, hello, welcome, end: for each",
        Deed::Connect,
    ),
    ("idle", "100 members, 5 s of silence: all calls", Deed::Idle),
];

/// Length of a text, in bytes.
const BYTES: usize = 64;
const WAVE: usize = 32;
const SILENCE: Duration = Duration::from_secs(5);

/// The program that counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum With {
    Strace,
    Perf,
}

struct Options {
    only: Vec<String>,
    with: Option<With>,
    time: Duration,
}

fn main() -> ExitCode {
    match options()
        .map_err(io::Error::other)
        .and_then(|options| run(&options))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("syscalls: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        only: Vec::new(),
        with: None,
        time: Duration::from_secs(1),
    };
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{argument} needs a value"))?;
        match (argument.as_str(), value.as_str()) {
            ("--only", list) => options.only = list.split(',').map(str::to_owned).collect(),
            ("--with", "strace") => options.with = Some(With::Strace),
            ("--with", "perf") => options.with = Some(With::Perf),
            ("--seconds", seconds) => {
                options.time = Duration::from_secs_f64(
                    seconds.parse().map_err(|_| "--seconds takes a number")?,
                );
            }
            _ => {
                let known = "--only SCENARIOS, --with strace|perf and --seconds S";
                return Err(format!(
                    "unknown option {argument} {value}. Options: {known}"
                ));
            }
        }
    }
    match options
        .only
        .iter()
        .find(|name| DEEDS.iter().all(|(deed, ..)| deed != name))
    {
        Some(name) => Err(format!("unknown scenario {name}")),
        None => Ok(options),
    }
}

fn run(options: &Options) -> io::Result<()> {
    parlor::server::raise_open_files();
    // As in `load`. With one core only, the counts are the same.
    let _ = Command::new("taskset")
        .args(["-cp", "1", &std::process::id().to_string()])
        .output();
    let with = match options.with {
        Some(with) => with,
        None => match usable_counter()? {
            Ok(with) => with,
            Err(why) => return not_tried(&why),
        },
    };
    println!(
        "Counted by {}.\n",
        if with == With::Strace {
            "`strace -f -c`"
        } else {
            "`perf stat -e 'syscalls:sys_enter_*'`"
        }
    );
    println!("| scenario | what it is | deliveries | calls for each | of those |");
    println!("|{}", " --- |".repeat(5));
    for (name, about, deed) in DEEDS.iter().filter(|(name, ..)| {
        options.only.is_empty() || options.only.iter().any(|only| only == name)
    }) {
        let (deliveries, calls) = counted(*deed, with, options.time)?;
        let sum: u64 = calls.values().sum();
        if matches!(deed, Deed::Idle) && sum > 0 {
            return Err(io::Error::other(format!(
                "an idle server made calls: {calls:?}"
            )));
        }
        if !matches!(deed, Deed::Idle) && sum == 0 {
            return Err(io::Error::other(
                "no call was counted: the counter may lack the permission",
            ));
        }
        let each = |count: u64| number(count as f64 / deliveries as f64);
        let mut kinds: Vec<_> = calls.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let kinds: Vec<_> = kinds
            .into_iter()
            .take(8)
            .map(|(kind, count)| format!("{kind} {}", each(*count)))
            .collect();
        println!(
            "| {name} | {about} | {deliveries} | {} | {} |",
            each(sum),
            kinds.join(", ")
        );
    }
    Ok(())
}

/// Returns the number of deliveries, and the calls by kind. An idle run has one delivery.
fn counted(deed: Deed, with: With, time: Duration) -> io::Result<(u64, BTreeMap<String, u64>)> {
    let server = Server::Parlor.start(Shape {
        batched: false,
        echo: false,
        text: BYTES,
        sent: 0,
    })?;
    match deed {
        Deed::Closed(members, senders, drive) => {
            let entry = if matches!(drive, Drive::Echo { .. }) {
                Entry::Echo
            } else {
                Entry::Join
            };
            let mut crowd = Crowd::gather(server.address, entry, 0, members)?;
            crowd.settle()?;
            crowd.closed_loop(senders, BYTES, drive, time / 4)?;
            let counter = Counter::attach(with, &server)?;
            let done = crowd.closed_loop(senders, BYTES, drive, time)?;
            Ok((done.deliveries, counter.detach()?))
        }
        Deed::Connect => {
            let mut wave = |number: usize| {
                Crowd::gather(server.address, Entry::Hello, number * WAVE, WAVE).map(drop)
            };
            wave(0)?;
            std::thread::sleep(Duration::from_millis(300));
            let counter = Counter::attach(with, &server)?;
            let waves = ((time.as_secs_f64() * 20.0) as usize).max(2);
            (1..=waves).try_for_each(&mut wave)?;
            // The last clients are still closing.
            std::thread::sleep(Duration::from_millis(300));
            Ok(((waves * WAVE) as u64, counter.detach()?))
        }
        Deed::Idle => {
            let mut crowd = Crowd::gather(server.address, Entry::Join, 0, 100)?;
            crowd.settle()?;
            let counter = Counter::attach(with, &server)?;
            std::thread::sleep(SILENCE);
            Ok((1, counter.detach()?))
        }
    }
}

/// Adds a line to the list of skipped measurements if the caller keeps one; otherwise returns an
/// error.
fn not_tried(why: &str) -> io::Result<()> {
    let path =
        std::env::var_os("PARLOR_NOT_TRIED").ok_or_else(|| io::Error::other(why.to_owned()))?;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    writeln!(file, "not tried: system calls for each delivery: {why}")
}

/// Returns strace if it can be attached to a server here, else perf, else the reasons why neither
/// can.
fn usable_counter() -> io::Result<Result<With, String>> {
    let server = Server::Parlor.start(Shape {
        batched: false,
        echo: false,
        text: BYTES,
        sent: 0,
    })?;
    let mut refused = Vec::new();
    for with in [With::Strace, With::Perf] {
        let tried = Counter::attach(with, &server).and_then(|counter| {
            drop(Crowd::gather(server.address, Entry::Hello, 0, 1)?);
            counter.detach()
        });
        match tried {
            Ok(calls) if !calls.is_empty() => return Ok(Ok(with)),
            Ok(_) => refused.push("it counted no call".to_owned()),
            Err(error) => refused.push(error.to_string()),
        }
    }
    Ok(Err(format!(
        "neither strace ({}) nor perf ({}) may count the calls of a server here",
        refused[0], refused[1]
    )))
}

/// A running counter, attached to a server.
struct Counter {
    with: With,
    child: Child,
    file: PathBuf,
}

impl Counter {
    fn attach(with: With, server: &Running) -> io::Result<Self> {
        let file = std::env::temp_dir().join(format!("parlor-syscalls-{}", std::process::id()));
        let mut command = match with {
            With::Strace => Command::new("strace"),
            With::Perf => Command::new("perf"),
        };
        match with {
            With::Strace => command.args(["-f", "-c", "-U", "calls,name", "-o"]),
            With::Perf => command.args(["stat", "-e", "syscalls:sys_enter_*", "-x,", "-o"]),
        };
        command
            .arg(&file)
            .arg("-p")
            .arg(server.id().to_string())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| io::Error::other(format!("{:?}: {error}", command.get_program())))?;
        match (with, child.stderr.take()) {
            // strace prints a line once it is attached.
            (With::Strace, Some(told)) => {
                let mut line = String::new();
                BufReader::new(told).read_line(&mut line)?;
                if !line.contains("attached") {
                    let _ = child.wait();
                    return Err(io::Error::other(line.trim().to_owned()));
                }
            }
            // perf prints nothing.
            _ => std::thread::sleep(Duration::from_millis(500)),
        }
        Ok(Self { with, child, file })
    }

    fn detach(mut self) -> io::Result<BTreeMap<String, u64>> {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        self.child.wait()?;
        let told = fs::read_to_string(&self.file)?;
        fs::remove_file(&self.file)?;
        Ok(match self.with {
            // Columns: calls, name. Lines without a number are rulers.
            With::Strace => {
                let rows = told.lines().filter_map(|line| {
                    let mut words = line.split_whitespace();
                    Some((words.next()?.parse().ok()?, words.next()?))
                });
                rows.filter(|(_, name)| *name != "total")
                    .map(|(count, name)| (name.to_owned(), count))
                    .collect()
            }
            // Columns: count,,syscalls:sys_enter_NAME,… Kinds that could not be counted have no
            // number.
            With::Perf => {
                let rows = told.lines().filter_map(|line| {
                    let (count, rest) = line.split_once(",,syscalls:sys_enter_")?;
                    Some((count.parse().ok()?, rest.split(',').next()?))
                });
                rows.filter(|(count, _)| *count > 0)
                    .map(|(count, name)| (name.to_owned(), count))
                    .collect()
            }
        })
    }
}

/// Formats a number with three significant digits.
fn number(value: f64) -> String {
    if value < 1e-5 {
        return if value == 0.0 { "0" } else { "< 0.00001" }.to_owned();
    }
    let digits = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 5) as usize;
    format!("{value:.digits$}")
}
