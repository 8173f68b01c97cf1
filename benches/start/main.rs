//! Measures how long a start takes: from the call to the line with the address.
//!
//! ```text
//! cargo bench --bench start                              a million messages: a minute, 500 MB
//! cargo bench --bench start -- --messages 1000 --runs 3  fewer messages
//! ```
//!
//! The history is made by `parlor import`, in a folder that is removed afterwards: a hundred
//! channels, a thousand users. Each run stops its server gracefully, so the next one finds the
//! history as after a restart. The first run brings the file into the machine's page cache, as
//! after a restart of the server without a reboot.
//!
//! `load` measures a running server.

#[allow(dead_code)]
#[path = "../micro/timer.rs"]
mod timer;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use timer::{count, median, number};

const CHANNELS: usize = 100;
const PEOPLE: usize = 1_000;

fn main() -> ExitCode {
    let (mut messages, mut runs) = (1_000_000, 11);
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    for pair in arguments.chunks(2) {
        match (
            pair[0].as_str(),
            pair.get(1).and_then(|value| value.parse::<usize>().ok()),
        ) {
            ("--messages", Some(value)) => messages = value,
            ("--runs", Some(value)) if value > 0 => runs = value,
            _ => {
                eprintln!("start: the options are --messages N and --runs N");
                return ExitCode::FAILURE;
            }
        }
    }
    let folder = std::env::temp_dir().join(format!("parlor-start-{}", std::process::id()));
    let done = fs::create_dir_all(&folder).and_then(|()| measured(&folder, messages, runs));
    let _ = fs::remove_dir_all(&folder);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measured(folder: &Path, messages: usize, runs: usize) -> io::Result<()> {
    let full = folder.join("full.db");
    let took = import(folder, &full, messages)?;
    let megabytes = fs::metadata(&full)?.len() as f64 / 1e6;
    println!("| start with | ms to the listening line, median of {runs} | the slowest |");
    println!("| --- | --- | --- |");
    row("no history", runs, |_| None)?;
    row("a new history", runs, |run| {
        Some(folder.join(format!("new{run}.db")))
    })?;
    row(
        &format!(
            "a history of {} messages ({} MB)",
            count(messages),
            number(megabytes)
        ),
        runs,
        |_| Some(full.clone()),
    )?;
    println!("\nThe import of the lines took {} s.", number(took));
    Ok(())
}

fn row(what: &str, runs: usize, history: impl Fn(usize) -> Option<PathBuf>) -> io::Result<()> {
    let millis = (0..runs)
        .map(|run| started(history(run).as_deref()))
        .collect::<io::Result<Vec<_>>>()?;
    let slowest = millis.iter().copied().fold(0.0, f64::max);
    println!(
        "| {what} | {} | {} |",
        number(median(millis)),
        number(slowest)
    );
    Ok(())
}

/// Returns the milliseconds from the call to the line.
fn started(history: Option<&Path>) -> io::Result<f64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command
        .args(["--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match history {
        Some(file) => command.arg("--history").arg(file),
        None => command.arg("--no-history"),
    };
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let took = began.elapsed().as_nanos() as f64 / 1e6;
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let ended = child.wait_with_output()?;
    if line.contains("listening on") && ended.status.success() {
        Ok(took)
    } else {
        Err(io::Error::other(format!(
            "{line:?}, {}: {}",
            ended.status,
            String::from_utf8_lossy(&ended.stderr)
        )))
    }
}

/// Makes a history; returns how many seconds the import took.
fn import(folder: &Path, history: &Path, messages: usize) -> io::Result<f64> {
    let file = folder.join("lines.jsonl");
    let mut lines = BufWriter::new(File::create(&file)?);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as usize);
    writeln!(lines, r#"{{"type":"parlor","version":1}}"#)?;
    for author in 1..=PEOPLE {
        let name = format!(r#""secret":"{author:040x}","name":"member{author}""#);
        let end = format!(r#""seen":{now},"quit":false"#);
        writeln!(
            lines,
            r#"{{"type":"session","author":{author},{name},{end}}}"#
        )?;
    }
    for channel in 0..CHANNELS {
        let newest = messages / CHANNELS;
        writeln!(
            lines,
            r#"{{"type":"channel","name":"c{channel:02}","newest":{newest}}}"#
        )?;
        for seq in 1..=newest {
            let author = seq % PEOPLE + 1;
            let at = now - newest + seq;
            let from = format!(r#""author":{author},"from":"member{author}""#);
            let text = format!("what was said in channel {channel}, number {seq} of many messages");
            let fields = format!(r#""at":{at},{from},"text":"{text}""#);
            writeln!(lines, r#"{{"type":"message","seq":{seq},{fields}}}"#)?;
        }
    }
    lines.flush()?;
    let began = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_parlor"))
        .arg("import")
        .arg("--history")
        .arg(history)
        .arg(&file)
        .output()?;
    fs::remove_file(&file)?;
    if done.status.success() {
        Ok(began.elapsed().as_secs_f64())
    } else {
        Err(io::Error::other(format!(
            "parlor import: {}",
            String::from_utf8_lossy(&done.stderr)
        )))
    }
}
