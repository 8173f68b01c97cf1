//! `parlor test --fuzz SECONDS`: random sequences of frames, judged by the reference model.
//!
//! Seed and number determine a sequence, so a run can be repeated. A ping follows each, and a
//! connection that stays open is used for the next one of its batch. A sequence that fails is
//! shrunk, explained, and written to a file that `--replay FILE` plays again.

use super::cases::{self, Case, Expected, frame};
use super::grammar::{Demand, LEGAL, Sequence};
use super::model::{Frame, Message};
use super::play::{End, KEY, PING, Reader, read_response};
use super::runner::in_parallel;
use super::transport::{Target, Transport};
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::text::EscapedText;
use crate::tools::dissect::plural;
use crate::tools::explain::frames::explain_from;
use crate::tools::terminal::{Style, Terminal};
use crate::tools::tool::{Failure, number};
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

/// A run of random sequences.
struct Fuzz<'a> {
    target: &'a Target,
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

/// A connection after its opening handshake.
struct Peer {
    transport: Transport,
    reader: Reader,
}

/// Sends bytes, the first ones in pieces of these lengths.
fn send(transport: &mut Transport, mut bytes: &[u8], pieces: &[usize]) {
    for length in pieces {
        let (piece, rest) = bytes.split_at(bytes.len().min(*length));
        transport.send(piece);
        bytes = rest;
    }
    transport.send(bytes);
}

impl Peer {
    /// Sends frames and a ping, and reads up to the pong and all echoes.
    fn play(
        &mut self,
        sequence: &Sequence,
        demand: &Demand,
        is_echo: bool,
        timeout: Duration,
    ) -> (End, Vec<Message>) {
        let mut bytes = sequence.bytes();
        if !demand.closes {
            bytes.extend(frame(0x89, PING, &[]));
        }
        send(&mut self.transport, &bytes, &sequence.pieces);
        let echoes = if is_echo { demand.echoes.len() } else { 0 };
        let (mut messages, mut is_answered) = (Vec::new(), false);
        let mut until = Instant::now() + timeout;
        let end = loop {
            let is_complete = is_answered && (messages.len() >= echoes || !demand.may_go_on);
            match self.reader.next() {
                Err(rule) => break End::Invalid(rule),
                Ok(Some((0x8, payload))) => break End::close(&payload),
                Ok(Some((0xa, payload))) if payload == PING => {
                    is_answered = true;
                    until = if demand.may_go_on {
                        until
                    } else {
                        Instant::now() + DELAY
                    };
                }
                Ok(Some((opcode @ 1..=2, payload))) => messages.push((opcode, payload)),
                Ok(Some(_)) => {}
                Ok(None) if is_complete && demand.may_go_on => break End::Pong,
                Ok(None) => match self.transport.exchange(until) {
                    None if is_complete => break End::Pong,
                    None => break End::Nothing(timeout),
                    Some(bytes) if bytes.is_empty() => break End::HungUp,
                    Some(bytes) => self.reader.add(&bytes),
                },
            }
        };
        (end, messages)
    }
}

impl Fuzz<'_> {
    fn case(&self, sequence: &Sequence) -> Option<&Case> {
        let name = sequence.case.as_deref()?;
        self.cases.iter().find(|case| case.name == name)
    }

    fn request(&self, sequence: &Sequence) -> Vec<u8> {
        let mut request = self.target.request("");
        if let Some(case) = self.case(sequence) {
            case.apply(&mut request);
        }
        sequence.vary(&request.bytes(KEY))
    }

    /// Opens a connection. `Err`: the answer to the opening handshake.
    fn open(&self, sequence: &Sequence) -> Result<Peer, End> {
        let mut transport = self.target.connect().map_err(End::NotOpened)?;
        send(&mut transport, &self.request(sequence), &sequence.pieces);
        let (end, rest) = read_response(&mut transport, self.target.timeout);
        let mut reader = Reader::default();
        reader.add(&rest);
        let peer = Peer { transport, reader };
        Some(peer)
            .filter(|_| end == End::Status(101, false))
            .ok_or(end)
    }

    /// Opens a connection and judges the opening handshake. `None`: refused, as demanded.
    fn open_judged(&self, sequence: &Sequence) -> Result<Option<Peer>, Fault> {
        for _ in 0..RETRIES {
            return match (self.open(sequence), self.case(sequence)) {
                (Err(End::NotOpened(_) | End::Status(429 | 503, _)), _) => {
                    sleep(DELAY);
                    continue;
                }
                (Ok(peer), None) => Ok(Some(peer)),
                (Err(end), None) => Err((OPENED, end.sentence())),
                (Ok(_), Some(case)) => Err((case.demand, End::Status(101, false).sentence())),
                (Err(_), Some(_)) => Ok(None),
            };
        }
        Err((ALIVE, "no connection can be opened".to_owned()))
    }

    /// Plays a sequence on an open connection. Returns the connection if it can be used again.
    fn play_on(&self, mut peer: Peer, sequence: &Sequence) -> Result<Option<Peer>, Fault> {
        let demand = sequence.demand();
        let (end, messages) = peer.play(sequence, &demand, self.is_echo, self.target.timeout);
        match demand.fault(&end, &messages, self.is_echo) {
            Some(answer) => Err((demand.rule, answer)),
            None => Ok(Some(peer).filter(|_| end == End::Pong && demand.is_reusable())),
        }
    }

    /// Plays a sequence on a connection of its own.
    fn play(&self, sequence: &Sequence) -> Result<(), Fault> {
        match self.open_judged(sequence)? {
            Some(peer) => self.play_on(peer, sequence).map(drop),
            None => Ok(()),
        }
    }

    /// Plays a batch of sequences. Returns the new faults.
    fn batch(&self, sequences: impl Iterator<Item = Sequence>) -> Vec<Finding> {
        let (mut peer, mut before, mut findings) = (None, Vec::new(), Vec::new());
        for sequence in sequences {
            let open = match peer.take() {
                Some(peer) if sequence.case.is_none() => Ok(Some(peer)),
                _ => self.open_judged(&sequence).inspect(|_| before.clear()),
            };
            match open.and_then(|open| open.map_or(Ok(None), |peer| self.play_on(peer, &sequence)))
            {
                Ok(open) => peer = open,
                Err(fault) => findings.extend(self.found(fault, &sequence, &before)),
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
        let mut candidates = [sequence, &long].into_iter();
        let repeated = candidates.find(|one| fault.0 != ALIVE && fails(one));
        Some(Finding {
            sequence: repeated.map_or(long.clone(), |one| one.clone().shrink(TRIES, fails)),
            is_repeated: repeated.is_some(),
            fault,
        })
    }

    /// Sends a message. Returns whether the server accepts it, and whether it sends it back.
    fn probe(&self, opcode: u8) -> (bool, bool) {
        let sequence = Sequence::of_message(opcode);
        let (demand, timeout) = (sequence.demand(), self.target.timeout.min(3 * DELAY));
        let Ok(mut peer) = self.open(&sequence) else {
            return (false, false);
        };
        let (end, messages) = peer.play(&sequence, &demand, true, timeout);
        let is_accepted = matches!(end, End::Pong | End::Nothing(_));
        (is_accepted, messages == demand.echoes)
    }

    /// Prints a fault and the sequence that shows it.
    fn show(&self, finding: &Finding, terminal: &mut Terminal<'_>) {
        let (demand, answer) = &finding.fault;
        terminal.styled(Style::Wrong, &format!("violated  {demand}: {answer}"));
        if !finding.is_repeated {
            terminal.line("These frames did not fail a second time on a connection of their own.");
        }
        let sequence = &finding.sequence;
        if sequence.case.is_some() || finding.fault.0 == OPENED {
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
    target: &Target,
    jobs: usize,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let replayed = given.values("replay").next_back();
    let replayed = replayed.map(|path| read(Path::new(path))).transpose()?;
    let mut cases = cases::all();
    // What is left to a server's policy is no fault, and long heads are slow.
    let is_policy = |name: &str| {
        ["origin", "header-of", "headers-of"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    cases.retain(|case| case.expected == Expected::Refused && !is_policy(&case.name));
    let mut fuzz = Fuzz {
        target,
        cases,
        is_echo: false,
        faults: Mutex::default(),
    };
    let mut opcodes = vec![1, 2];
    let probed = [1, 2].map(|opcode| fuzz.probe(opcode));
    if probed.iter().any(|(is_accepted, _)| *is_accepted) {
        opcodes.retain(|opcode| probed[usize::from(opcode - 1)].0);
        fuzz.is_echo = probed
            .iter()
            .all(|(is_accepted, is_echo)| is_accepted == is_echo);
    }
    if let Some(sequence) = replayed {
        let Err(fault) = fuzz.play(&sequence) else {
            terminal.styled(Style::Right, "held");
            return Ok(true);
        };
        let is_repeated = true;
        fuzz.show(
            &Finding {
                fault,
                sequence,
                is_repeated,
            },
            terminal,
        );
        return Ok(false);
    }
    let seconds = number(given, "fuzz")?.map(|seconds| Duration::from_secs(seconds as u64));
    let count = number(given, "sequences")?.map_or(u64::MAX, |count| count as u64);
    let seed = match number(given, "seed")? {
        Some(seed) => seed as u64,
        None => u16::from_be_bytes(random()?).into(),
    };
    let end = seconds.and_then(|seconds| Instant::now().checked_add(seconds));
    let is_over = || end.is_some_and(|end| Instant::now() >= end);
    let (next, played) = (AtomicU64::new(0), AtomicU64::new(0));
    let batches = vec![(); count.div_ceil(BATCH) as usize];
    let play = |_: &()| {
        let first = next.fetch_add(BATCH, Relaxed);
        let numbers = (first..count.min(first + BATCH)).take_while(|_| !is_over());
        fuzz.batch(numbers.map(|number| {
            played.fetch_add(1, Relaxed);
            Sequence::new(seed, number, &opcodes, &fuzz.cases)
        }))
    };
    let mut failed = Ok(());
    in_parallel(jobs, &batches, play, |batch, findings| {
        for finding in &findings {
            let path = format!("parlor-test-{seed}-{batch}.json");
            fuzz.show(finding, terminal);
            terminal.line(&format!("--replay {path} plays it again.\n"));
            failed = serde_json::to_string(&finding.sequence)
                .map_err(Failure::failed)
                .and_then(|text| fs::write(&path, text).map_err(Failure::failed));
        }
        failed.is_ok() && !is_over() && findings.iter().all(|finding| finding.fault.0 != ALIVE)
    });
    failed?;
    let faults = fuzz
        .faults
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    for ((demand, answer), count) in &faults {
        terminal.line(&format!("{count:>9} × {demand}: {answer}"));
    }
    let (played, found) = (played.into_inner(), plural(faults.len() as u64, "fault"));
    terminal.line(&format!("{played} sequences with seed {seed}: {found}"));
    Ok(faults.is_empty())
}

/// Reads the file of `--replay`.
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
