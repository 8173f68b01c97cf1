//! `parlor test --fuzz SECONDS`: random sequences of frames, judged by the reference model.
//!
//! Seed and number determine a sequence, so a run can be repeated. A ping follows each, and a
//! connection that stays open is used for the next one of its batch. A sequence that fails is
//! shrunk, explained, and written to a file that `--replay FILE` plays again.

use super::cases::{self, Case, Expected};
use super::grammar::{LEGAL, Sequence};
use super::model::Frame;
use super::runner::{in_parallel, show_progress};
use super::session::{KEY, Reaction, Server, Session};
use super::transport::End;
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::text::{EscapedText, Hex};
use crate::tools::dissect::plural;
use crate::tools::explain::frames::explain_from;
use crate::tools::terminal::{Style, Terminal};
use crate::tools::tool::{Failure, number};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Sequences that may share a connection.
const BATCH: u64 = 32;
/// Sequences that are played to find the shortest one.
const TRIES: usize = 300;
/// How often a connection is tried again: a server may have a limit.
const RETRIES: u32 = 5;
/// The time to the next try, and from a pong to the failure of a server that checks text late.
const DELAY: Duration = Duration::from_millis(300);
const OPENED: &str = "RFC 6455 §4.2.2: a valid opening handshake is accepted";
const ALIVE: &str = "the server accepts connections";

/// A demand, and an answer that is not the demanded one.
type Fault = (&'static str, String);

struct Fuzz<'a> {
    server: &'a Server,
    /// The invalid opening handshakes.
    cases: Vec<Case>,
    /// The server sends messages back.
    is_echo: bool,
    /// The faults, and how often each was found.
    faults: Mutex<BTreeMap<Fault, u64>>,
}

/// A fault with the shortest sequence that shows it.
struct Finding {
    fault: Fault,
    sequence: Sequence,
    /// It failed again on a connection of its own.
    is_repeated: bool,
}

impl Fuzz<'_> {
    fn case(&self, sequence: &Sequence) -> Option<&Case> {
        let name = sequence.case.as_deref()?;
        self.cases.iter().find(|case| case.name == name)
    }

    fn request(&self, sequence: &Sequence) -> Vec<u8> {
        let mut request = self.server.request(KEY);
        sequence.edits.iter().for_each(|edit| request.edit(edit));
        if let Some(case) = self.case(sequence) {
            request.edit(&case.input);
        }
        request.bytes()
    }

    /// Opens a connection and judges the opening handshake. `None`: refused, as demanded.
    fn open(&self, sequence: &Sequence) -> Result<Option<Session>, Fault> {
        let (request, timeout) = (self.request(sequence), self.server.timeout);
        for _ in 0..RETRIES {
            let opened = self.server.shake_hands(&request, &sequence.pieces, timeout);
            return match (opened, self.case(sequence)) {
                (Err(_) | Ok((_, End::Status(429 | 503, _))), _) => {
                    sleep(DELAY);
                    continue;
                }
                (Ok((transport, End::Status(101, false))), None) => {
                    Ok(Some(self.server.session(transport, None)))
                }
                (Ok((_, end)), None) => Err((OPENED, end.sentence())),
                (Ok((_, end @ End::Status(101, _))), Some(case)) => {
                    Err((case.demand, end.sentence()))
                }
                (Ok(_), Some(_)) => Ok(None),
            };
        }
        Err((ALIVE, "no connection can be opened".to_owned()))
    }

    /// Plays a sequence on an open connection: its frames, and a ping. Returns the connection if it
    /// can be used again.
    fn play_on(&self, mut open: Session, sequence: &Sequence) -> Result<Option<Session>, Fault> {
        let demand = sequence.demand();
        open.transport
            .send_in_pieces(&sequence.bytes(), &sequence.pieces);
        match demand.closes {
            true => open.receive(None, |_| false),
            false => open.ping(),
        }
        if self.is_echo && demand.may_go_on {
            let is_complete = |open: &Session| open.messages().count() >= demand.echoes.len();
            open.receive(None, is_complete);
        } else if !demand.may_go_on {
            open.receive(Some(DELAY), |_| false);
        }
        let end = open.end.take().unwrap_or(End::Pong);
        let messages: Vec<_> = open.messages().cloned().collect();
        open.reset();
        match demand.fault(&end, &messages, self.is_echo) {
            Some(answer) => Err((demand.rule, answer)),
            None => Ok(Some(open).filter(|_| end == End::Pong && demand.is_reusable(self.is_echo))),
        }
    }

    fn play(&self, sequence: &Sequence) -> Result<Option<Session>, Fault> {
        match self.open(sequence)? {
            Some(open) => self.play_on(open, sequence),
            None => Ok(None),
        }
    }

    fn batch(&self, sequences: impl Iterator<Item = Sequence>) -> Vec<Finding> {
        let (mut open, mut before, mut findings) = (None, Vec::new(), Vec::new());
        for sequence in sequences {
            let played = match open.take() {
                Some(open) if sequence.case.is_none() => self.play_on(open, &sequence),
                _ => {
                    before.clear();
                    self.play(&sequence)
                }
            };
            match played {
                Ok(reusable) => open = reusable,
                Err(fault) => {
                    let is_gone = fault.0 == ALIVE;
                    findings.extend(self.found(fault, &sequence, &before));
                    if is_gone {
                        break;
                    }
                }
            }
            before.extend(sequence.frames);
        }
        findings
    }

    /// Counts a fault. If it is new, returns it with the shortest sequence that shows it. `before`
    /// are the frames that were sent on the same connection.
    fn found(&self, fault: Fault, sequence: &Sequence, before: &[Frame]) -> Option<Finding> {
        // A broken rule is accepted in one way or another, by chance.
        let is_same = |one: &Fault| one.0 == fault.0 && (one.0 != LEGAL || one.1 == fault.1);
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = faults.keys().any(is_same);
        *faults.entry(fault.clone()).or_default() += 1;
        drop(faults);
        if is_known {
            return None;
        }
        let fails = |one: &Sequence| self.play(one).is_err_and(|fault| is_same(&fault));
        let mut long = sequence.clone();
        long.frames.splice(..0, before.iter().cloned());
        let mut candidates = [sequence.clone(), long.clone()].into_iter();
        let repeated = candidates.find(|one| fault.0 != ALIVE && fails(one));
        Some(Finding {
            is_repeated: repeated.is_some(),
            sequence: repeated.map_or(long, |one| one.shrink(TRIES, fails)),
            fault,
        })
    }

    fn show(&self, (demand, answer): &Fault, sequence: &Sequence, terminal: &mut Terminal<'_>) {
        terminal.styled(Style::Wrong, &format!("violated  {demand}: {answer}"));
        if sequence.case.is_some() || *demand == OPENED {
            let request = self.request(sequence);
            let lines = String::from_utf8_lossy(&request);
            let lines = lines.lines().map(|line| EscapedText(line).to_string());
            lines.for_each(|line| terminal.line(&line));
        } else {
            explain_from(&sequence.bytes(), true, false, false, terminal);
        }
    }
}

/// Plays random sequences, or that of `--replay`. `false`: a fault was found.
pub(super) fn run(
    given: &Arguments,
    server: &Server,
    jobs: usize,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let mut cases = cases::all();
    // The rules of HTTP differ by server, and the policy on origins is its own.
    let is_of_handshake = |case: &Case| case.section.starts_with("RFC 6455 §4");
    cases.retain(|case| case.expected == Expected::Refused && is_of_handshake(case));
    let has = |reaction| server.reactions.contains(&reaction);
    let opcodes: &[u8] = match server
        .reactions
        .map(|reaction| reaction == Reaction::Closes)
    {
        [true, false] => &[2],
        [false, true] => &[1],
        _ => &[1, 2],
    };
    let fuzz = Fuzz {
        server,
        cases,
        is_echo: has(Reaction::Echoes) && !has(Reaction::GoesOn),
        faults: Mutex::default(),
    };
    if let Some(path) = given.values("replay").next_back() {
        let sequence = read(Path::new(path))?;
        let Err(fault) = fuzz.play(&sequence) else {
            terminal.styled(Style::Right, "held");
            return Ok(true);
        };
        fuzz.show(&fault, &sequence, terminal);
        return Ok(false);
    }
    let is_json = given.has("json");
    let seconds = number(given, "fuzz")?.map(|seconds| Duration::from_secs(seconds as u64));
    let count = number(given, "sequences")?.map_or(u64::MAX, |count| count as u64);
    let seed = match number(given, "seed")? {
        Some(seed) => seed as u64,
        None => u16::from_be_bytes(random()?).into(),
    };
    let end = seconds.and_then(|seconds| Instant::now().checked_add(seconds));
    let is_over = || end.is_some_and(|end| Instant::now() >= end);
    let played = AtomicU64::new(0);
    let play = |batch: usize| {
        let first = batch as u64 * BATCH;
        let numbers = (first..count.min(first + BATCH)).take_while(|_| !is_over());
        fuzz.batch(numbers.map(|number| {
            played.fetch_add(1, Relaxed);
            Sequence::new(seed, number, opcodes, &fuzz.cases)
        }))
    };
    let (mut failed, mut found) = (Ok(()), 0);
    let batches = count.div_ceil(BATCH) as usize;
    in_parallel(jobs, batches, play, |_, findings| {
        for Finding {
            fault,
            sequence,
            is_repeated,
        } in &findings
        {
            found += 1;
            show_progress("");
            let path = format!("parlor-test-{seed}-{found}.json");
            if is_json {
                let bytes = Hex(&sequence.bytes()).to_string();
                let line = json!({ "demand": fault.0, "answer": fault.1, "bytes": bytes,
                                   "repeated": is_repeated, "file": path });
                terminal.line(&line.to_string());
            } else {
                fuzz.show(fault, sequence, terminal);
                if !is_repeated {
                    terminal.line("It did not fail a second time on a connection of its own.");
                }
                terminal.line(&format!("--replay {path} plays it again.\n"));
            }
            let text = serde_json::to_string(sequence).map_err(Failure::failed);
            failed = text.and_then(|text| fs::write(&path, text).map_err(Failure::failed));
        }
        let is_gone = findings.iter().any(|finding| finding.fault.0 == ALIVE);
        show_progress(&format!(
            "{} sequences, {}",
            played.load(Relaxed),
            plural(found, "finding")
        ));
        failed.is_ok() && !is_over() && !is_gone
    });
    show_progress("");
    failed?;
    let faults = fuzz
        .faults
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let played = played.into_inner();
    if is_json {
        let list: Vec<_> = faults.iter().collect();
        terminal.line(&json!({ "sequences": played, "seed": seed, "faults": list }).to_string());
        return Ok(faults.is_empty());
    }
    for ((demand, answer), count) in &faults {
        terminal.line(&format!("{count:>9} × {demand}: {answer}"));
    }
    let found = plural(faults.len() as u64, "fault");
    terminal.line(&format!("{played} sequences with seed {seed}: {found}"));
    Ok(faults.is_empty())
}

fn read(path: &Path) -> Result<Sequence, Failure> {
    let text = fs::read(path).map_err(|error| error.to_string());
    let parsed = text.and_then(|text| serde_json::from_slice(&text).map_err(|it| it.to_string()));
    parsed.map_err(|error| Failure::Wrong(format!("can't replay {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_replay_is_a_wrong_value_in_one_sentence() {
        for path in ["/nowhere", "/", "Cargo.toml"] {
            match read(Path::new(path)) {
                Err(Failure::Wrong(error)) => assert!(error.starts_with("can't replay"), "{error}"),
                other => panic!("{path}: {:?}", other.map(|sequence| sequence.frames.len())),
            }
        }
    }
}
