//! `parlor poke`: sends inputs that the standard forbids to a server on this machine, to see which
//! of them it accepts.
//!
//! Each case has its own connection. A ping follows invalid frames: a server that answers it has
//! noticed nothing. A server should fail the connection with a close frame that gives the reason
//! (RFC 6455 §7.1.7). One that just hangs up, or gives another reason, is reported as such.

use super::address::Address;
use super::cases::{Attempt, CASES, Case};
use super::dissect::plural;
use super::terminal::{Style, Terminal};
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::http::ResponseHead;
use crate::progress::Progress;
use crate::text::EscapedText;
use crate::websocket::{
    CloseCode, Event, Opcode, Received, Scratch, WebSocket, encode_masked_message,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// The time for an answer. A server that is silent for longer waits for more, so it has accepted
/// the input.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The time from the frames to the ping. A server that hangs up before it has read the ping resets
/// the connection, which could lose its close frame.
const PING_DELAY: Duration = Duration::from_millis(200);
const PING: &[u8] = b"still there?";
const MESSAGE_BYTES: usize = 1 << 20;
const HEAD_BYTES: usize = 64 << 10;

const HELP: &str = "\
Usage: parlor poke [--json] [--case NAME]... URL
       parlor poke [--json] --list

Sends inputs that RFC 6455 forbids to a WebSocket server on this machine, each on
its own connection, and prints what the standard demands and what came back:
  rejected    the server refused or failed the connection, for the right reason
  differently it did so for another reason, or without one
  accepted    the server went on as if nothing was wrong

  --case NAME     only this case; can be given several times
  --list          print the cases, one a line
  --json          print one object a line, with the verdict kept (rejected),
                  otherwise (differently) or let pass (accepted)

Exit status: 0 if nothing was accepted, 1 if something was or the server can't be
reached, 2 for a wrong option.";

/// What a server made of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Rejected,
    Differently,
    Accepted,
}

impl Verdict {
    /// Returns the look, the word for a person and the word in JSON.
    const fn words(self) -> (Style, &'static str, &'static str) {
        match self {
            Self::Rejected => (Style::Right, "rejected   ", "kept"),
            Self::Differently => (Style::Strong, "differently", "otherwise"),
            Self::Accepted => (Style::Wrong, "accepted   ", "let pass"),
        }
    }
}

pub(super) const TOOL: Tool = Tool {
    usage: "poke URL",
    help: "send inputs that the standard forbids to a server on this machine",
    manual: HELP,
    options: &["list", "json", "case="],
    operands: 1,
    run,
};

/// Sends the cases. `false`: one was accepted.
fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let is_json = given.has("json");
    let mut cases = Vec::new();
    for name in given.values("case") {
        let unknown = || format!("there is no case {name:?}; parlor poke --list prints them");
        let case = CASES.iter().find(|case| name == case.name);
        cases.push(case.ok_or_else(|| Failure::wrong(unknown()))?);
    }
    if cases.is_empty() {
        cases.extend(CASES);
    }
    if given.has("list") {
        cases.iter().for_each(|case| list(case, is_json, terminal));
        return Ok(true);
    }
    let address = Address::operand(given)?;
    check_is_local(&address)?;
    check_speaks_websocket(&address)?;
    let mut counts = [0; 3];
    for case in &cases {
        let (verdict, answer) = play(case, &address)?;
        counts[verdict as usize] += 1;
        show(case, verdict, &answer, is_json, terminal);
    }
    let [rejected, differently, accepted] = counts;
    if !is_json {
        terminal.line(&format!(
            "{}: {rejected} rejected correctly, {differently} rejected differently, \
             {accepted} accepted",
            plural(cases.len() as u64, "case")
        ));
    }
    Ok(accepted == 0)
}

fn list(case: &Case, is_json: bool, terminal: &mut Terminal<'_>) {
    let (name, section, demand) = (case.name, case.section, case.demand);
    let json = serde_json::json!({ "name": name, "section": section, "demand": demand });
    terminal.line(&match is_json {
        true => json.to_string(),
        false => format!("{name:37} {section:22} {demand}"),
    });
}

fn show(case: &Case, verdict: Verdict, answer: &str, is_json: bool, terminal: &mut Terminal<'_>) {
    let (style, word, in_json) = verdict.words();
    let (name, section, demand) = (case.name, case.section, case.demand);
    if is_json {
        let line = serde_json::json!({
            "name": name, "section": section, "demand": demand, "verdict": in_json, "came": answer,
        });
        return terminal.line(&line.to_string());
    }
    let (word, answer) = (
        terminal.paint(style, word),
        terminal.paint(Style::Faint, answer),
    );
    terminal.line(&format!("{word}  {name}"));
    terminal.line(&format!("             {demand} ({section})"));
    terminal.line(&format!("             {answer}"));
}

/// Refuses a server elsewhere, whose owner did not ask for this. An address is of this machine if
/// it can be listened on.
fn check_is_local(address: &Address) -> Result<(), Failure> {
    let is_elsewhere = |ip| TcpListener::bind((ip, 0)).is_err();
    let mut addresses = address.resolve()?.into_iter().map(|address| address.ip());
    match addresses.find(|ip| !ip.is_loopback() && is_elsewhere(*ip)) {
        None => Ok(()),
        Some(ip) => Err(Failure::Wrong(format!(
            "{ip} is elsewhere, not on this machine"
        ))),
    }
}

/// Checks that the server works with valid input. Otherwise every rejection would mean nothing.
fn check_speaks_websocket(address: &Address) -> Result<(), Failure> {
    match send_frames(address, &[])? {
        Answer::Pong => Ok(()),
        other => {
            let (server, answer) = (&address.authority, other.sentence());
            Err(Failure::Failed(format!(
                "{server} answers no ping: {answer}"
            )))
        }
    }
}

fn play(case: &Case, address: &Address) -> Result<(Verdict, String), Failure> {
    let (codes, bytes) = match case.attempt {
        Attempt::Frames { codes, bytes } => (codes, bytes()),
        Attempt::Handshake { .. } => {
            let request = case.request(&address.authority, &address.target);
            return send_request(&request.unwrap_or_default(), address);
        }
    };
    let answer = send_frames(address, &bytes)?;
    let is_close = bytes[0] & 0x0f == Opcode::Close.bits();
    let verdict = match answer {
        Answer::Close(Some(code), _) if codes.contains(&code) => Verdict::Rejected,
        // An invalid close frame that is answered like a valid one was accepted.
        Answer::Close(Some(1002 | 1003 | 1007..=1011), _) => Verdict::Differently,
        Answer::Close(..) if is_close => Verdict::Accepted,
        Answer::Close(..) | Answer::End | Answer::Invalid(_) => Verdict::Differently,
        Answer::Pong | Answer::Nothing => Verdict::Accepted,
    };
    Ok((verdict, answer.sentence()))
}

/// Sends a request and judges the response.
fn send_request(request: &[u8], address: &Address) -> Result<(Verdict, String), Failure> {
    let mut stream = address.connect()?;
    // A server may hang up before it has read everything; its response can still be read.
    let _ = stream.write_all(request);
    let (mut received, until) = (Vec::new(), Instant::now() + TIMEOUT);
    loop {
        match ResponseHead::parse(&received, HEAD_BYTES) {
            Ok(Progress::NeedMore) => {}
            Err(error) => return Ok((Verdict::Differently, error.to_owned())),
            Ok(Progress::Done { value: head, .. }) => {
                return Ok(match head.status() {
                    101 => (Verdict::Accepted, "answered 101: it is open".to_owned()),
                    status @ 400.. => (Verdict::Rejected, format!("refused with {status}")),
                    status => (Verdict::Differently, format!("no upgrade, but {status}")),
                });
            }
        }
        match read(&mut stream, until) {
            Some(bytes) if bytes.is_empty() => {
                return Ok((Verdict::Differently, "hung up without an answer".to_owned()));
            }
            Some(bytes) => received.extend_from_slice(&bytes),
            None => return Ok((Verdict::Accepted, Answer::Nothing.sentence())),
        }
    }
}

/// What came back on an open connection.
enum Answer {
    /// A close frame with this code and reason.
    Close(Option<u16>, String),
    /// The end of the connection without a close frame.
    End,
    /// A pong for the ping after the frames.
    Pong,
    Nothing,
    /// A frame that breaks a rule itself.
    Invalid(&'static str),
}

impl Answer {
    fn sentence(&self) -> String {
        match self {
            Self::Close(None, _) => "closed without a code".to_owned(),
            Self::Close(Some(code), reason) => match reason.as_str() {
                "" => format!("closed with {code}, {}", CloseCode::name_of(*code)),
                reason => format!("closed with {code}: {reason}"),
            },
            Self::End => "hung up without a close frame".to_owned(),
            Self::Pong => "answered the ping that followed: it goes on".to_owned(),
            Self::Nothing => format!("sent nothing for {TIMEOUT:?}: it waits for more"),
            Self::Invalid(rule) => format!("broke a rule itself: {rule}"),
        }
    }
}

/// Sends `bytes`, then a ping, and reads until it is clear what the server made of them.
fn send_frames(address: &Address, bytes: &[u8]) -> Result<Answer, Failure> {
    let (mut stream, mut received) = address.open(None)?;
    let mut websocket = WebSocket::client(MESSAGE_BYTES, || [0; 4]);
    let mut scratch = Scratch::default();
    // A server may hang up before it has read everything; its close frame can still be read.
    let _ = stream.write_all(bytes);
    let mut ping_at = (!bytes.is_empty()).then(|| Instant::now() + PING_DELAY);
    let mut is_pinged = false;
    let give_up = Instant::now() + TIMEOUT;
    loop {
        if !is_pinged && ping_at.is_none_or(|at| Instant::now() >= at) {
            let (mut ping, key) = (Vec::new(), random()?);
            encode_masked_message(Opcode::Ping, PING, key, &mut ping);
            let _ = stream.write_all(&ping);
            (is_pinged, ping_at) = (true, None);
        }
        let mut rest = &mut received[..];
        loop {
            match websocket.receive(rest, &mut scratch, &mut Vec::new()) {
                Ok(Received::Nothing) => break,
                Err(violation) => return Ok(Answer::Invalid(violation.rule().reason)),
                Ok(Received::Event { event, used }) => {
                    match event {
                        Event::Pong(PING) => return Ok(Answer::Pong),
                        Event::Close(frame) => {
                            let reason = EscapedText(frame.reason).to_string();
                            return Ok(Answer::Close(frame.code.map(CloseCode::get), reason));
                        }
                        _ => {}
                    }
                    rest = &mut rest[used..];
                }
            }
        }
        received = match read(&mut stream, ping_at.unwrap_or(give_up)) {
            Some(bytes) if bytes.is_empty() => return Ok(Answer::End),
            Some(bytes) => bytes,
            None if is_pinged => return Ok(Answer::Nothing),
            None => Vec::new(),
        };
    }
}

/// Reads some bytes; none at the end of the connection, and `None` after `until`.
fn read(stream: &mut TcpStream, until: Instant) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return None;
        }
        match stream.read(&mut buffer).map_err(|error| error.kind()) {
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            result => {
                buffer.truncate(result.unwrap_or(0));
                return Some(buffer);
            }
        }
    }
}
