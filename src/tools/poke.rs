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
use serde_json::json;
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

/// The reaction of a server to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Rejected,
    Differently,
    Accepted,
}

/// The look of each verdict, its word for a person and its word in JSON.
const WORDS: [(Style, &str, &str); 3] = [
    (Style::Right, "rejected   ", "kept"),
    (Style::Strong, "differently", "otherwise"),
    (Style::Wrong, "accepted   ", "let pass"),
];

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
        for Case {
            name,
            section,
            demand,
            ..
        } in cases
        {
            let json = json!({ "name": name, "section": section, "demand": demand });
            terminal.line(&match is_json {
                true => json.to_string(),
                false => format!("{name:37} {section:22} {demand}"),
            });
        }
        return Ok(true);
    }
    let address = Address::operand(given)?;
    check_is_local(&address)?;
    // If valid input didn't work, every rejection would mean nothing.
    match send_frames(&address, &[])? {
        Answer::Pong => {}
        other => {
            let (server, answer) = (&address.authority, other.sentence());
            return Err(Failure::Failed(format!(
                "{server} answers no ping: {answer}"
            )));
        }
    }
    let mut counts = [0; 3];
    for case in &cases {
        let (verdict, answer) = play(case, &address)?;
        counts[verdict as usize] += 1;
        let (style, word, in_json) = WORDS[verdict as usize];
        let Case {
            name,
            section,
            demand,
            ..
        } = case;
        if is_json {
            let line = json!({ "name": name, "section": section, "demand": demand,
                               "verdict": in_json, "came": answer });
            terminal.line(&line.to_string());
            continue;
        }
        let (word, answer) = (
            terminal.paint(style, word),
            terminal.paint(Style::Faint, &answer),
        );
        let margin = "             ";
        let demand = format!("{margin}{demand} ({section})");
        terminal.line(&format!("{word}  {name}\n{demand}\n{margin}{answer}"));
    }
    let [rejected, differently, accepted] = counts;
    if !is_json {
        let cases = plural(cases.len() as u64, "case");
        let counts = format!("{rejected} rejected correctly, {differently} rejected differently");
        terminal.line(&format!("{cases}: {counts}, {accepted} accepted"));
    }
    Ok(accepted == 0)
}

/// Refuses a server elsewhere, whose owner did not ask for this. An address is of this machine if
/// it can be listened on.
fn check_is_local(address: &Address) -> Result<(), Failure> {
    let is_elsewhere = |ip| TcpListener::bind((ip, 0)).is_err();
    let mut addresses = address.resolve()?.into_iter().map(|address| address.ip());
    match addresses.find(|ip| !ip.is_loopback() && is_elsewhere(*ip)) {
        None => Ok(()),
        Some(ip) => Err(Failure::wrong(format!(
            "{ip} is elsewhere, not on this machine"
        ))),
    }
}

fn play(case: &Case, address: &Address) -> Result<(Verdict, String), Failure> {
    let (codes, bytes) = match case.attempt {
        Attempt::Frames(codes, bytes) => (codes, bytes()),
        Attempt::Handshake(..) => {
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
        let (verdict, answer) = match ResponseHead::parse(&received, HEAD_BYTES) {
            Ok(Progress::NeedMore) => match read(&mut stream, until) {
                Some(bytes) if bytes.is_empty() => {
                    (Verdict::Differently, "hung up without an answer".to_owned())
                }
                Some(bytes) => {
                    received.extend_from_slice(&bytes);
                    continue;
                }
                None => (Verdict::Accepted, Answer::Nothing.sentence()),
            },
            Err(error) => (Verdict::Differently, error.to_owned()),
            Ok(Progress::Done { value: head, .. }) => match head.status() {
                101 => (Verdict::Accepted, "answered 101: it is open".to_owned()),
                status @ 400.. => (Verdict::Rejected, format!("refused with {status}")),
                status => (Verdict::Differently, format!("no upgrade, but {status}")),
            },
        };
        return Ok((verdict, answer));
    }
}

/// The response on an open connection.
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
        let (mut rest, mut out) = (&mut received[..], Vec::new());
        loop {
            let (event, used) = match websocket.receive(rest, &mut scratch, &mut out) {
                Ok(Received::Event { event, used }) => (event, used),
                Ok(Received::Nothing) => break,
                Err(violation) => return Ok(Answer::Invalid(violation.rule().reason)),
            };
            match event {
                Event::Pong(PING) => return Ok(Answer::Pong),
                Event::Close(frame) => {
                    let reason = EscapedText(frame.reason).to_string();
                    return Ok(Answer::Close(frame.code.map(CloseCode::get), reason));
                }
                _ => rest = &mut rest[used..],
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
