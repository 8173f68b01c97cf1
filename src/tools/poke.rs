//! `parlor poke`: what the standard forbids, played against a server on one's own machine, to see
//! what it lets pass.
//!
//! Each case has a connection of its own. Behind wrong frames comes a ping: who answers that has
//! noticed nothing. A server
//! fails a connection with a close frame that says why (RFC 6455 §7.1.7); that it only hangs up, or
//! gives another reason, is
//! told and is no fault.
//!
//! Not here: the cases (`cases`), the address (`address`).

use super::Failure;
use super::address::Address;
use super::cases::{Attempt, CASES, Case};
use super::terminal::{Style, Terminal};
use crate::http::ResponseHead;
use crate::progress::Progress;
use crate::text::EscapedText;
use crate::websocket::{
    CloseCode, Event, Opcode, Received, Scratch, WebSocket, encode_masked_message,
};
use lexopt::Arg;
use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// For an answer. Who says nothing for so long waits for more, and so has let it pass.
const PATIENCE: Duration = Duration::from_secs(3);
/// So long a server has for its verdict before the ping follows: one that hangs up at once with
/// something unread would reset
/// the connection, and its close frame could be lost on the way.
const BEFORE_THE_PING: Duration = Duration::from_millis(200);
/// What the ping says.
const PROBE: &[u8] = b"still there?";
const MESSAGE_BYTES: usize = 1 << 20;

const HELP: &str = "\
Usage: parlor poke [--json] [--case NAME]... URL
       parlor poke [--json] --list

Plays what RFC 6455 forbids against a WebSocket server on this machine, each case
on a connection of its own, and tells what the standard demands and what came back:
  kept       the connection was refused or failed, and the reason given was right
  otherwise  it was refused or failed, with another reason or without one
  let pass   the server went on as if nothing was wrong

  --case NAME     only this one; may be given several times
  --list          the cases, one a line
  --json          one object a line

Exit status: 0 where nothing was let pass, 1 where something was, or the server
can't be reached, 2 for a wrong option.";

/// What a server made of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    Otherwise,
    LetPass,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Otherwise => "otherwise",
            Self::LetPass => "let pass",
        }
    }
}

/// Plays the cases. `false`: something was let pass.
pub(super) fn run(
    arguments: Vec<OsString>,
    _: &mut dyn Read,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let wrong = |error: lexopt::Error| Failure::wrong(error.to_string());
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut url, mut chosen, mut is_list, mut is_json) = (None, Vec::new(), false, false);
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => {
                terminal.line(HELP);
                return Ok(true);
            }
            Arg::Long("list") => is_list = true,
            Arg::Long("json") => is_json = true,
            Arg::Long("case") => {
                chosen.push(case(&parser.value().map_err(wrong)?.to_string_lossy())?)
            }
            Arg::Value(value) if url.is_none() => url = Some(value.to_string_lossy().into_owned()),
            other => return Err(wrong(other.unexpected())),
        }
    }
    let cases: Vec<&Case> = if chosen.is_empty() {
        CASES.iter().collect()
    } else {
        chosen
    };
    if is_list {
        cases.iter().for_each(|case| list(case, is_json, terminal));
        return Ok(true);
    }
    let url = url.ok_or_else(|| {
        Failure::wrong("an address is missing, such as ws://127.0.0.1:8080/echo".to_owned())
    })?;
    let address = Address::parse(&url)?;
    only_this_machine(&address)?;
    is_a_websocket_server(&address)?;
    let mut counts = [0; 3];
    for case in &cases {
        let (verdict, came) = play(case, &address)?;
        counts[verdict as usize] += 1;
        tell(case, verdict, &came, is_json, terminal);
    }
    if !is_json {
        let [kept, otherwise, let_pass] = counts;
        let cases = if cases.len() == 1 {
            "1 case".to_owned()
        } else {
            format!("{} cases", cases.len())
        };
        terminal.line(&format!(
            "{cases}: {kept} kept, {otherwise} otherwise, {let_pass} let pass"
        ));
    }
    Ok(counts[Verdict::LetPass as usize] == 0)
}

fn case(name: &str) -> Result<&'static Case, Failure> {
    let known = CASES.iter().find(|case| case.name == name);
    known.ok_or_else(|| {
        Failure::wrong(format!(
            "there is no case {name:?}; parlor poke --list has them"
        ))
    })
}

fn list(case: &Case, is_json: bool, terminal: &mut Terminal<'_>) {
    if is_json {
        terminal.line(&serde_json::json!({ "name": case.name, "section": case.section, "demand": case.demand }).to_string());
    } else {
        terminal.line(&format!(
            "{:37} {:22} {}",
            case.name, case.section, case.demand
        ));
    }
}

fn tell(case: &Case, verdict: Verdict, came: &str, is_json: bool, terminal: &mut Terminal<'_>) {
    if is_json {
        let line = serde_json::json!({
            "name": case.name, "section": case.section, "demand": case.demand, "verdict": verdict.word(), "came": came,
        });
        return terminal.line(&line.to_string());
    }
    let style = match verdict {
        Verdict::Kept => Style::Right,
        Verdict::Otherwise => Style::Strong,
        Verdict::LetPass => Style::Wrong,
    };
    terminal.line(&format!(
        "{}  {}",
        terminal.paint(style, &format!("{:9}", verdict.word())),
        case.name
    ));
    terminal.line(&format!("           {} ({})", case.demand, case.section));
    terminal.line(&format!(
        "           {}",
        terminal.paint(Style::Faint, came)
    ));
}

/// Others did not ask for this. An address is of this machine if one can listen on it.
fn only_this_machine(address: &Address) -> Result<(), Failure> {
    let own = |ip| TcpListener::bind((ip, 0)).is_ok();
    match address
        .resolve()?
        .iter()
        .find(|resolved| !resolved.ip().is_loopback() && !own(resolved.ip()))
    {
        None => Ok(()),
        Some(other) => Err(Failure::wrong(format!(
            "poke is for servers on this machine, and {} is elsewhere",
            other.ip()
        ))),
    }
}

/// Without a fault it has to work, or every refusal would mean nothing.
fn is_a_websocket_server(address: &Address) -> Result<(), Failure> {
    let (mut stream, came) = address.open(None)?;
    match outcome(&mut stream, came, &[])? {
        Heard::Pong => Ok(()),
        other => Err(Failure::failed(format!(
            "{} answers no ping: {}",
            address.authority,
            other.sentence()
        ))),
    }
}

fn play(case: &Case, address: &Address) -> Result<(Verdict, String), Failure> {
    match case.attempt {
        Attempt::Handshake { .. } => play_handshake(
            &case
                .request(&address.authority, &address.target)
                .unwrap_or_default(),
            address,
        ),
        Attempt::Frames { codes, bytes } => {
            let (mut stream, came) = address.open(None)?;
            let bytes = bytes();
            let heard = outcome(&mut stream, came, &bytes)?;
            // Who answers a wrong close as if it were a right one has let it pass, whatever the
            // code.
            let is_close = bytes
                .first()
                .is_some_and(|first| first & 0x0F == Opcode::Close.bits());
            let verdict = match heard {
                Heard::Close(Some(code), _) if codes.contains(&code) => Verdict::Kept,
                Heard::Close(code, _)
                    if is_close && !matches!(code, Some(1002 | 1003 | 1007..=1011)) =>
                {
                    Verdict::LetPass
                }
                Heard::Close(..) | Heard::End | Heard::Nonsense(_) => Verdict::Otherwise,
                Heard::Pong | Heard::Nothing => Verdict::LetPass,
            };
            Ok((verdict, heard.sentence()))
        }
    }
}

fn play_handshake(request: &[u8], address: &Address) -> Result<(Verdict, String), Failure> {
    let mut stream = address.connect()?;
    let _ = stream.write_all(request);
    let (mut came, until) = (Vec::new(), Instant::now() + PATIENCE);
    loop {
        match ResponseHead::parse(&came, 64 << 10) {
            Ok(Progress::Done { value: head, .. }) if head.status() == 101 => {
                return Ok((
                    Verdict::LetPass,
                    "answered 101: the connection is open".to_owned(),
                ));
            }
            Ok(Progress::Done { value: head, .. }) if head.status() >= 400 => {
                return Ok((Verdict::Kept, format!("refused with {}", head.status())));
            }
            Ok(Progress::Done { value: head, .. }) => {
                return Ok((
                    Verdict::Otherwise,
                    format!("no upgrade, but {}", head.status()),
                ));
            }
            Ok(Progress::NeedMore) => {}
            Err(sentence) => return Ok((Verdict::Otherwise, sentence.to_owned())),
        }
        match read(&mut stream, until) {
            Some(bytes) if bytes.is_empty() => {
                return Ok((Verdict::Otherwise, "hung up without an answer".to_owned()));
            }
            Some(bytes) => came.extend_from_slice(&bytes),
            None => return Ok((Verdict::LetPass, Heard::Nothing.sentence())),
        }
    }
}

/// What came back on an open connection.
enum Heard {
    /// The code and its reason.
    Close(Option<u16>, String),
    /// Of the connection, without a close frame.
    End,
    /// To the ping behind the fault.
    Pong,
    Nothing,
    /// A rule that the server broke itself.
    Nonsense(&'static str),
}

impl Heard {
    fn sentence(&self) -> String {
        match self {
            Self::Close(None, _) => "closed without a code".to_owned(),
            Self::Close(Some(code), reason) if reason.is_empty() => {
                format!("closed with {code}, {}", CloseCode::name_of(*code))
            }
            Self::Close(Some(code), reason) => format!("closed with {code}: {reason}"),
            Self::End => "hung up without a close frame".to_owned(),
            Self::Pong => "answered the ping behind it: it goes on".to_owned(),
            Self::Nothing => format!(
                "said nothing for {} s: it waits for more",
                PATIENCE.as_secs()
            ),
            Self::Nonsense(rule) => format!("broke a rule itself: {rule}"),
        }
    }
}

/// Sends `bytes`, and a ping behind them; listens until it is clear what the server makes of them.
fn outcome(stream: &mut TcpStream, came: Vec<u8>, bytes: &[u8]) -> Result<Heard, Failure> {
    let (mut websocket, mut scratch) = (
        WebSocket::client(MESSAGE_BYTES, || [0; 4]),
        Scratch::default(),
    );
    // Who has heard enough may have hung up: that is an answer, which is still to be read.
    let _ = stream.write_all(bytes);
    let (mut came, start, mut was_pinged) = (came, Instant::now(), false);
    loop {
        let mut rest = &mut came[..];
        loop {
            match websocket.receive(rest, &mut scratch, &mut Vec::new()) {
                Ok(Received::Nothing) => break,
                Ok(Received::Event {
                    event: Event::Pong(payload),
                    ..
                }) if payload == PROBE => return Ok(Heard::Pong),
                Ok(Received::Event {
                    event: Event::Close(frame),
                    ..
                }) => {
                    let reason = EscapedText(frame.reason).to_string();
                    return Ok(Heard::Close(frame.code.map(CloseCode::get), reason));
                }
                Ok(Received::Event { used, .. }) => rest = &mut rest[used..],
                Err(violation) => return Ok(Heard::Nonsense(violation.rule().reason)),
            }
        }
        let until = if was_pinged || bytes.is_empty() {
            start + PATIENCE
        } else {
            start + BEFORE_THE_PING
        };
        if !was_pinged && (bytes.is_empty() || Instant::now() >= until) {
            let mut ping = Vec::new();
            encode_masked_message(
                Opcode::Ping,
                PROBE,
                crate::cli::serve::random().map_err(Failure::failed)?,
                &mut ping,
            );
            let _ = stream.write_all(&ping);
            was_pinged = true;
            came = Vec::new();
            continue;
        }
        came = match read(stream, until) {
            Some(bytes_read) if bytes_read.is_empty() => return Ok(Heard::End),
            Some(bytes_read) => bytes_read,
            None if was_pinged => return Ok(Heard::Nothing),
            None => Vec::new(),
        };
    }
}

/// What comes next: nothing at all at the end of the connection, none where it does not come in
/// time.
fn read(stream: &mut TcpStream, until: Instant) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return None;
        }
        match stream.read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Some(buffer);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(_) => return Some(Vec::new()),
        }
    }
}
