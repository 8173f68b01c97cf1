//! `parlor replay`: runs a recording through the same code with the recorded times, and prints what
//! happened.
//!
//! It is a driver like `server`, with lines of a file instead of events, and sockets whose writes
//! have the recorded results. The same file gives the same output every time. A line that is wrong
//! ends the replay with its number.

use super::record::{Head, Line, VERSION, Wrote, now, tokens};
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use super::wire::Wire;
use crate::chat::Keys;
use crate::cli::args::Arguments;
use crate::cli::options::{self, Asked};
use crate::cli::output::NAME_AND_VERSION;
use crate::cli::serve::open_history;
use crate::history::Author;
use crate::http::pages::BuiltIn;
use crate::hub::{ConnectionId, Driven, Ended, Hub, Input, Setup, Socket};
use crate::limits::READ_BYTES;
use crate::text::{Hex, decode_hex};
use crate::time::Now;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, IoSlice, Read};
use std::rc::Rc;
use std::time::Duration;

const HELP: &str = "\
Usage: parlor replay [--hex] FILE

Runs what `parlor --record FILE` recorded through the same code again, on the clock of then,
and prints what was received and sent on each connection; the same lines every time.

  --hex           show bytes in hex; without it as text, with special characters escaped

A recording contains what people wrote, and the keys to their sessions.
Exit status: 0 if it was replayed to its end, 1 if the file is damaged.";

/// The results of the next writes of all sockets, and what they did.
#[derive(Default)]
struct Sockets {
    results: VecDeque<Wrote>,
    done: Vec<(u64, Done)>,
}

enum Done {
    Wrote(Vec<u8>),
    /// Anything else, in words.
    Other(&'static str),
}

struct Played {
    number: u64,
    sockets: Rc<RefCell<Sockets>>,
}

impl Socket for Played {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut sockets = self.sockets.borrow_mut();
        let (done, result) = match sockets.results.pop_front() {
            Some(Wrote::Interrupted) => return Err(ErrorKind::Interrupted.into()),
            Some(Wrote::WouldBlock) => ("takes nothing now", ErrorKind::WouldBlock),
            Some(Wrote::Failed) => ("writing failed", ErrorKind::ConnectionReset),
            wrote => {
                let bytes = pieces.iter().flat_map(|piece| piece.iter().copied());
                let bytes: Vec<u8> = match wrote {
                    Some(Wrote::Bytes(count)) => bytes.take(count).collect(),
                    // At the end of a file that was cut, everything is taken.
                    _ => bytes.collect(),
                };
                let count = bytes.len();
                sockets.done.push((self.number, Done::Wrote(bytes)));
                return Ok(count);
            }
        };
        sockets.done.push((self.number, Done::Other(done)));
        Err(result.into())
    }

    fn shutdown_write(&mut self) {
        let done = Done::Other("sending side shut down");
        self.sockets.borrow_mut().done.push((self.number, done));
    }
}

pub(super) const TOOL: Tool = Tool {
    usage: "replay FILE",
    help: "run a recording of --record through the same code again",
    manual: HELP,
    options: &["hex"],
    operands: 1,
    run,
};

fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let file = given.operands.first();
    let file = file.ok_or_else(|| Failure::wrong("replay which file?"))?;
    let name = file.to_string_lossy();
    let opened = File::open(file);
    let opened = opened.map_err(|error| Failure::wrong(format!("can't read {name}: {error}")))?;
    let mut print = |line: &str| terminal.line(line);
    let played = play(BufReader::new(opened), given.has("hex"), &mut print);
    played.map_err(|error| Failure::Failed(format!("{name}, {error}")))?;
    Ok(true)
}

/// Plays a recording to its end. An error names the line that it is about.
fn play(input: impl Read, in_hex: bool, print: &mut dyn FnMut(&str)) -> Result<(), String> {
    let mut values = serde_json::Deserializer::from_reader(input);
    let head = Head::deserialize(&mut values).map_err(|_| "line 1: not a parlor recording")?;
    let setup = setup(&head).map_err(|error| format!("line 1: {error}"))?;
    let server = format!("parlor {}", head.server);
    if server != NAME_AND_VERSION {
        print(&format!(
            "(recorded by {server}; this is {NAME_AND_VERSION}, and may behave differently)"
        ));
    }
    let mut player = Player {
        hub: Hub::new(setup),
        sockets: Rc::default(),
        accepted: 0,
        now: Now::default(),
        in_hex,
        print,
    };
    let (mut lines, mut count) = (values.into_iter::<Line>().peekable(), 1);
    while let Some(line) = lines.next() {
        count += 1;
        let number = count;
        // The results of a turn's writes follow its end.
        let is_result = |line: &serde_json::Result<Line>| matches!(line, Ok(Line::Wrote(_)));
        if let Ok(Line::EndTurn(_)) = line {
            while let Some(Ok(Line::Wrote(wrote))) = lines.next_if(is_result) {
                count += 1;
                player.sockets.borrow_mut().results.push_back(wrote);
            }
        }
        let line = line.map_err(|_| "this is not an input of the hub".to_owned());
        let played = line.and_then(|line| player.handle(line));
        played.map_err(|error| format!("line {number}: {error}"))?;
    }
    let (accepted, open) = (player.accepted, player.hub.connections());
    print(&format!(
        "end: {count} lines, {accepted} connections, {open} of them open"
    ));
    Ok(())
}

fn setup(head: &Head) -> Result<Setup, String> {
    let version = head.parlor_recording;
    if version != VERSION {
        return Err(format!(
            "its format is version {version}, and this parlor reads {VERSION}"
        ));
    }
    let seed = bytes(&head.seed)?;
    if head.epoch.len() > 64 || head.newest_author >= 1 << 53 {
        return Err("its epoch or author is invalid".to_owned());
    }
    let keys = Keys {
        owner: head.owner_key.as_deref().map(bytes).transpose()?,
        password: head.password.as_deref().map(bytes).transpose()?,
    };
    let options = options::parse(head.options.iter().map(Into::into), |_| None)?;
    let Asked::Serve(options) = options else {
        return Err("its options are not server options".to_owned());
    };
    // A file from elsewhere must not open a database or a folder.
    if !options.in_memory {
        return Err("it must have been made with --no-history".to_owned());
    }
    let (history, _) = open_history(&options, &head.epoch, Author(head.newest_author))?;
    Ok(Setup {
        wire: Some(Box::new(Wire {
            message_bytes: options.limits.message_bytes,
        })),
        limits: options.limits,
        origins: options.origins,
        keys,
        trusted_proxies: options.trusted_proxies,
        user_header: options.user_header,
        pages: Box::new(BuiltIn::default()),
        history,
        tokens: Box::new(tokens(seed)),
        now: now((0, head.started)),
    })
}

fn bytes<const LENGTH: usize>(hex: &str) -> Result<[u8; LENGTH], String> {
    let bytes = decode_hex(hex.as_bytes()).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("its keys must be {LENGTH} bytes in hex"))
}

struct Player<'a> {
    hub: Hub<Played>,
    sockets: Rc<RefCell<Sockets>>,
    accepted: u64,
    now: Now,
    in_hex: bool,
    print: &'a mut dyn FnMut(&str),
}

const DIVERGED: &str = "this is not what happened then";

impl Player<'_> {
    fn handle(&mut self, line: Line) -> Result<(), String> {
        let now = match line {
            Line::Accepted(at, ..)
            | Line::Readable(at, ..)
            | Line::Received(at, ..)
            | Line::EndOfStream(at, ..)
            | Line::Failed(at, ..)
            | Line::Writable(at, ..)
            | Line::TurnTook(at, ..)
            | Line::Drain(at)
            | Line::EndTurn(at) => now(at),
            Line::Wrote(_) => return Err("a write outside of a turn".to_owned()),
        };
        if now.mono < self.now.mono {
            return Err("time goes backwards".to_owned());
        }
        self.now = now;
        let mut bytes;
        let input = match line {
            Line::Accepted(_, peer) => {
                let (number, index) = (self.accepted, self.hub.next_index());
                self.accepted += 1;
                self.show(number, &format!("accepted from {peer}"));
                let sockets = Rc::clone(&self.sockets);
                let socket = Played { number, sockets };
                self.hub.handle(Input::Accepted { socket, peer }, now);
                if self.hub.id(index).is_none() {
                    self.show(number, "dropped");
                }
                return Ok(());
            }
            Line::Received(_, index, more, hex) => {
                let (id, number) = self.reads(index)?;
                let decoded = decode_hex(hex.as_bytes()).filter(|it| it.len() <= READ_BYTES);
                bytes = decoded.ok_or("these bytes are not from one read")?;
                if !bytes.is_empty() {
                    self.show_bytes(number, "in", &bytes);
                }
                let bytes = bytes.as_mut_slice();
                Input::Received { id, bytes, more }
            }
            Line::EndOfStream(_, index) => {
                let (id, number) = self.reads(index)?;
                self.show(number, "end of stream");
                Input::Ended(id, Ended::EndOfStream)
            }
            Line::Failed(_, index) => {
                let (id, number) = self.reads(index)?;
                self.show(number, "reading failed");
                Input::Ended(id, Ended::Failed)
            }
            Line::Readable(_, index) => Input::Readable(self.id(index)?),
            Line::Writable(_, index) => Input::Writable(self.id(index)?),
            Line::TurnTook(_, nanos) => Input::TurnTook(Duration::from_nanos(nanos)),
            Line::Drain(_) => Input::Drain,
            Line::EndTurn(_) | Line::Wrote(_) => return self.end_turn(now),
        };
        self.hub.handle(input, now);
        Ok(())
    }

    fn end_turn(&mut self, now: Now) -> Result<(), String> {
        if self.hub.next_read(now).is_some() {
            return Err(DIVERGED.to_owned());
        }
        self.hub.end_turn(now);
        let Sockets { results, done } = self.sockets.take();
        if !results.is_empty() {
            return Err(format!("more was written then: {DIVERGED}"));
        }
        for (number, done) in done {
            match done {
                Done::Wrote(bytes) => self.show_bytes(number, "out", &bytes),
                Done::Other(words) => self.show(number, words),
            }
        }
        Ok(())
    }

    fn id(&self, index: usize) -> Result<ConnectionId, String> {
        let id = self.hub.id(index);
        id.ok_or_else(|| format!("there is no connection {index} now"))
    }

    /// Returns the connection with this index, which must be the one to read, and its number.
    fn reads(&mut self, index: usize) -> Result<(ConnectionId, u64), String> {
        let id = self.id(index)?;
        if self.hub.next_read(self.now) != Some(id) {
            return Err(DIVERGED.to_owned());
        }
        let number = self.hub.socket(id).map_or(0, |socket| socket.number);
        Ok((id, number))
    }

    fn show(&mut self, number: u64, what: &str) {
        let (seconds, millis) = (self.now.mono.0 / 1_000, self.now.mono.0 % 1_000);
        (self.print)(&format!("{seconds}.{millis:03} #{number} {what}"));
    }

    fn show_bytes(&mut self, number: u64, what: &str, bytes: &[u8]) {
        let shown = match self.in_hex {
            true => Hex(bytes).to_string(),
            false => bytes.escape_ascii().to_string(),
        };
        self.show(number, &format!("{what} {} {shown}", bytes.len()));
    }
}
