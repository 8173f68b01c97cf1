//! `parlor test --fuzz SECONDS`: random sequences of frames, judged by the reference model.
//!
//! Seed and number determine a sequence, so a run can be repeated. A sequence that fails is shrunk,
//! explained, and written to a file, a table of one case, that `--replay FILE` plays again.

use super::cases::{self, Case, Expected, Script, parse};
use super::grammar::{LEGAL, Sequence};
use super::judge::{Verdict, judge};
use super::play::{Outcome, play};
use super::runner::{in_parallel, show_progress};
use super::server::{KEY, Server};
use super::session::{End, Reaction};
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::random::Random;
use crate::text::{EscapedText, Hex};
use crate::tools::dissect::plural;
use crate::tools::explain::frames::explain_from;
use crate::tools::terminal::{Style, Terminal};
use crate::tools::tool::{Failure, number};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Sequences that are played to find the shortest one, and the time for that: one that makes the
/// server hang takes a timeout.
const TRIES: usize = 300;
const SHRINK_TIME: Duration = Duration::from_secs(10);
/// How often a connection is tried again, and the time to the next try: a server may have a limit.
const RETRIES: usize = 5;
const DELAY: Duration = Duration::from_millis(300);
const ALIVE: &str = "the server accepts connections";

/// A demand, and an answer that is not the demanded one.
type Fault = (String, String);

struct Fuzz<'a> {
    server: &'a Server,
    /// The server sends messages back.
    is_echo: bool,
    is_json: bool,
}

impl Fuzz<'_> {
    /// Plays a case. Returns what is wrong with the answer.
    fn fault(&self, case: &Case) -> Option<Fault> {
        let is_refused =
            |it: &Outcome| matches!(it.end, End::NotOpened(_) | End::Status(429 | 503, _));
        let mut outcome = play(case, self.server);
        for _ in 0..RETRIES {
            if !is_refused(&outcome) {
                break;
            }
            sleep(DELAY);
            outcome = play(case, self.server);
        }
        let is_other = self.is_echo && outcome.has_other_message();
        let answer = match &outcome.end {
            End::NotOpened(error) => return Some((ALIVE.to_owned(), error.clone())),
            _ if is_other => "sent back another message".to_owned(),
            _ if is_right(case, &outcome, self.is_echo) => return None,
            // Reasons of one code differ.
            End::Close(Some(code), _) => format!("closed with {code}"),
            end => end.sentence(),
        };
        Some((format!("{}: {}", case.section, case.demand), answer))
    }

    fn show(&self, (demand, answer): &Fault, case: &Case, terminal: &mut Terminal<'_>) {
        terminal.styled(Style::Wrong, &format!("violated  {demand}: {answer}"));
        if case.is_of_handshake() {
            let mut request = self.server.request(KEY);
            request.edit(&case.input);
            for line in String::from_utf8_lossy(&request.bytes()).lines() {
                terminal.line(&EscapedText(line).to_string());
            }
        } else {
            explain_from(&bytes(case), true, false, false, terminal);
        }
    }

    /// Prints the shortest sequence that still has the same fault, and writes it to a file.
    fn tell(
        &self,
        fault: &Fault,
        mut sequence: Sequence<'_>,
        is_same: impl Fn(&Fault) -> bool,
        path: &str,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + SHRINK_TIME;
        let fails = |one: &Sequence<'_>| {
            let case = one.case().filter(|_| Instant::now() < until);
            let found = case.and_then(|case| self.fault(&case));
            found.is_some_and(|found| is_same(&found))
        };
        let is_repeated = fault.0 != ALIVE && fails(&sequence);
        if is_repeated {
            sequence = sequence.shrink(TRIES, fails);
        }
        let Some(case) = sequence.case() else {
            return Ok(());
        };
        if self.is_json {
            let bytes = Hex(&bytes(&case)).to_string();
            let line = json!({ "demand": fault.0, "answer": fault.1, "bytes": bytes,
                               "repeated": is_repeated, "file": path });
            terminal.line(&line.to_string());
        } else {
            self.show(fault, &case, terminal);
            if !is_repeated {
                terminal.line("It did not fail a second time.");
            }
            terminal.line(&format!("--replay {path} plays it again.\n"));
        }
        let table = sequence.table().unwrap_or_default();
        fs::write(path, table)
            .map_err(|error| Failure::failed(format!("can't write {path}: {error}")))
    }
}

/// Returns whether the answer to a random sequence is allowed. `is_echo`: the server sends messages
/// back.
fn is_right(case: &Case, outcome: &Outcome, is_echo: bool) -> bool {
    let is_data =
        |word: &str| matches!(word.as_bytes(), [b'0' | b'8', b'0'..=b'2', b':' | b'/', ..]);
    match (&case.expected, &outcome.end) {
        // A server may close for reasons of its own: policy, limits, overload, a restart.
        (_, End::Close(Some(1001 | 1003 | 1008 | 1009 | 1012..), _)) => true,
        // It may have answered a ping that stands behind the fault.
        (Expected::Fails(codes), End::Close(Some(code), _)) if codes.contains(code) => true,
        // After a close frame, right or wrong, every code ends the connection.
        (Expected::Closes(_), End::Close(..)) => true,
        // A server that fails the connection should send a close frame, but need not (§7.1.7).
        (Expected::Fails(_) | Expected::Refused, End::Close(None, _) | End::HungUp) => true,
        (Expected::Closes(codes), End::HungUp) if !codes.contains(&1000) => true,
        // The application may have ended it.
        (
            Expected::GoesOn | Expected::Closes(_),
            End::Close(None | Some(1000 | 1011), _) | End::HungUp,
        ) => !is_echo && case.input.split(' ').any(is_data),
        (Expected::GoesOn, End::Nothing(_)) => outcome.lacks_only_pongs(),
        _ => matches!(judge(case, outcome), Verdict::Held | Verdict::NotApplicable),
    }
}

/// Returns the frames of a case.
fn bytes(case: &Case) -> Vec<u8> {
    Script::parse(&case.input).unwrap_or_default().bytes()
}

/// Plays random sequences, or that of `--replay`. `false`: a fault was found.
pub(super) fn run(
    given: &Arguments,
    server: &Server,
    jobs: usize,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let has = |reaction| server.reactions.contains(&reaction);
    let is_echo = has(Reaction::Echoes) && !has(Reaction::GoesOn);
    let is_json = given.has("json");
    let fuzz = Fuzz {
        server,
        is_echo,
        is_json,
    };
    if let Some(path) = given.value("replay") {
        let case = read(&path.to_string_lossy())?;
        let fault = fuzz.fault(&case);
        match &fault {
            Some(fault) => fuzz.show(fault, &case, terminal),
            None => terminal.styled(Style::Right, "held"),
        }
        return Ok(fault.is_none());
    }
    // The rules of HTTP differ by server, and the policy on origins is its own.
    let is_of_handshake = |case: &Case| case.section.starts_with("RFC 6455 §4");
    let mut refused = cases::all();
    refused.retain(|case| case.expected == Expected::Refused && is_of_handshake(case));
    let opcodes: &[u8] = match server
        .reactions
        .map(|reaction| reaction == Reaction::Closes)
    {
        [true, false] => &[2],
        [false, true] => &[1],
        _ => &[1, 2],
    };
    let seconds = number(given, "fuzz")?.map(|seconds| Duration::from_secs(seconds as u64));
    let end = seconds.and_then(|seconds| Instant::now().checked_add(seconds));
    let is_over = || end.is_some_and(|end| Instant::now() >= end);
    let seed = match number(given, "seed")? {
        Some(seed) => seed as u64,
        None => u64::from(u16::from_be_bytes(random()?)).max(1),
    };
    let play = |number: usize| {
        let random = &mut Random::new(seed << 32 ^ number as u64);
        let mut sequences = std::iter::repeat_with(|| Sequence::new(random, opcodes, &refused));
        let (sequence, case) = sequences.find_map(|one| Some((one.clone(), one.case()?)))?;
        fuzz.fault(&case).map(|fault| (fault, sequence))
    };
    let (mut failed, mut played, mut faults) = (Ok(()), 0, BTreeMap::<Fault, u64>::new());
    let count = number(given, "sequences")?.unwrap_or(usize::MAX);
    in_parallel(jobs, count, play, |_, result| {
        played += 1;
        let mut is_gone = false;
        if let Some((fault, sequence)) = result {
            // A broken rule is accepted in one way or another, by chance.
            let is_same =
                |one: &Fault| one.0 == fault.0 && (!one.0.ends_with(LEGAL) || one.1 == fault.1);
            let is_known = faults.keys().any(is_same);
            *faults.entry(fault.clone()).or_default() += 1;
            is_gone = fault.0 == ALIVE;
            if !is_known {
                show_progress("");
                let path = format!("parlor-test-{seed}-{}.txt", faults.len());
                failed = fuzz.tell(&fault, sequence, is_same, &path, terminal);
            }
        }
        let found = plural(faults.len() as u64, "fault");
        show_progress(&format!("{played} sequences, {found}"));
        failed.is_ok() && !is_over() && !is_gone
    });
    show_progress("");
    failed?;
    if is_json {
        let faults: Vec<_> = faults.iter().collect();
        let json = json!({ "sequences": played, "seed": seed, "faults": faults });
        terminal.line(&json.to_string());
        return Ok(faults.is_empty());
    }
    for ((demand, answer), count) in &faults {
        terminal.line(&format!("{count:>9} × {demand}: {answer}"));
    }
    let found = plural(faults.len() as u64, "fault");
    terminal.line(&format!("{played} sequences with seed {seed}: {found}"));
    Ok(faults.is_empty())
}

fn read(path: &str) -> Result<Case, Failure> {
    let wrong = |error: String| Failure::Wrong(format!("can't replay {path}: {error}"));
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let case = parse(&text).ok().and_then(|mut cases| cases.pop());
    case.ok_or_else(|| wrong("it is no sequence that --fuzz wrote".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_the_standard_allows_are_no_faults() {
        let judged = |expected: &str, input: &str, end: End, answers: &[u8], is_echo| {
            let table = format!("# 5 | pedantic | {expected} | a demand\nname | {input}\n");
            let case = &parse(&table).unwrap()[0];
            let [answers, expected] = [answers, b"123"].map(|payloads| {
                let pongs = payloads.iter().map(|byte| (0xa, vec![*byte]));
                pongs.collect()
            });
            let outcome = Outcome {
                answers,
                expected,
                ..Outcome::from(end)
            };
            is_right(case, &outcome, is_echo)
        };
        let silent = || End::Nothing(DELAY);
        // A pong for the last of several pings is enough (RFC 6455 §5.5.3).
        assert!(judged("goes on", "89:1 89:2 89:3", silent(), b"3", true));
        assert!(judged("goes on", "89:1 89:2 89:3", silent(), b"13", true));
        assert!(!judged("goes on", "89:1 89:2 89:3", silent(), b"12", true));
        assert!(!judged("goes on", "89:1 89:2 89:3", silent(), b"", true));
        // A close frame is answered; an invalid one may end the connection at once.
        assert!(judged("closes 1002", "88:1", End::HungUp, b"123", true));
        assert!(!judged("closes 1000", "88:", End::HungUp, b"123", true));
        // An application may end it because of a message.
        assert!(judged("closes 1000", "81: 88:", End::HungUp, b"123", false));
        assert!(!judged("closes 1000", "81: 88:", End::HungUp, b"123", true));
    }

    #[test]
    fn unreadable_replay_is_a_wrong_value_in_one_sentence() {
        for path in ["/nowhere", "/", "Cargo.toml"] {
            match read(path) {
                Err(Failure::Wrong(error)) => assert!(error.starts_with("can't replay"), "{error}"),
                other => panic!("{path}: {:?}", other.map(|case| case.input)),
            }
        }
    }
}
