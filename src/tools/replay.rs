//! `parlor replay`: runs a recording through the same code on the clock of then, and prints what
//! happened.
//!
//! It is a driver like `server`, with lines of a file instead of events, and sockets that take what
//! they took then. The same file gives the same output every time. Nothing in a file is trusted: a
//! line that is wrong ends the replay with its number, and no line takes more memory than it may
//! be long.

use super::record::{Head, Line, VERSION, Wrote, tokens};
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use super::wire::Wire;
use crate::cli::args::Arguments;
use crate::cli::options::{self, Asked};
use crate::cli::output::NAME_AND_VERSION;
use crate::cli::serve::open_history;
use crate::history::Author;
use crate::http::pages::BuiltIn;
use crate::hub::{ConnectionId, Driven, Ended, Hub, Input, Setup, Socket};
use crate::limits::READ_BYTES;
use crate::text::{Escaped, Hex, decode_hex};
use crate::time::{Millis, Now, UnixMillis};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, Read};
use std::rc::Rc;
use std::time::Duration;

/// The longest line: one read's bytes in hex.
const LINE_BYTES: usize = 2 * READ_BYTES + 256;
/// The longest first line.
const HEAD_BYTES: usize = 64 << 10;
/// No turn has more writes than this.
const WRITES: usize = 4_000_000;

const HELP: &str = "\
Usage: parlor replay [--hex] FILE

Runs what `parlor --record FILE` recorded through the same code again, on the clock of then,
and prints what was received and sent on each connection; the same lines every time.

  --hex           show bytes in hex; without it as text, with special characters escaped

A recording contains what people wrote, and the keys to their sessions.
Exit status: 0 if it was replayed to its end, 1 if the file is damaged.";

/// What the sockets take and did, shared by all of them.
#[derive(Default)]
struct Sockets {
    /// Results of the next writes.
    results: VecDeque<Wrote>,
    done: Vec<(u64, Done)>,
}

enum Done {
    Wrote(Vec<u8>),
    WouldBlock,
    Failed,
    Shut,
}

/// A connection's socket.
struct Played {
    number: u64,
    sockets: Rc<RefCell<Sockets>>,
}

impl Socket for Played {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut sockets = self.sockets.borrow_mut();
        // At the end of a file that was cut, everything is taken.
        let result = sockets
            .results
            .pop_front()
            .unwrap_or(Wrote::Bytes(usize::MAX));
        let (done, result) = match result {
            Wrote::Bytes(count) => {
                let bytes = pieces.iter().flat_map(|piece| piece.iter().copied());
                let bytes: Vec<u8> = bytes.take(count).collect();
                let count = bytes.len();
                (Done::Wrote(bytes), Ok(count))
            }
            Wrote::WouldBlock => (Done::WouldBlock, Err(ErrorKind::WouldBlock.into())),
            Wrote::Interrupted => return Err(ErrorKind::Interrupted.into()),
            Wrote::Failed => (Done::Failed, Err(ErrorKind::ConnectionReset.into())),
        };
        sockets.done.push((self.number, done));
        result
    }

    fn shutdown_write(&mut self) {
        self.sockets
            .borrow_mut()
            .done
            .push((self.number, Done::Shut));
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
    let in_hex = given.has("hex");
    let file = given.operands.first();
    let file = file.ok_or_else(|| Failure::wrong("replay which file?"))?;
    let name = file.to_string_lossy().into_owned();
    let opened =
        File::open(file).map_err(|error| Failure::wrong(format!("can't read {name}: {error}")))?;
    play(&mut BufReader::new(opened), in_hex, &mut |line| {
        terminal.line(line)
    })
    .map_err(|error| Failure::failed(format!("{name}, {error}")))?;
    Ok(true)
}

/// Reads a line of at most `most` bytes, without its end. Returns whether there was one.
fn read_line(input: &mut impl BufRead, most: usize, line: &mut Vec<u8>) -> Result<bool, String> {
    line.clear();
    let mut input = input.take(most as u64 + 1);
    input
        .read_until(b'\n', line)
        .map_err(|error| error.to_string())?;
    match line.pop() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) if line.len() >= most => Err("the line is too long".to_owned()),
        Some(_) => Err("the file ends in the middle of the line".to_owned()),
    }
}

/// Plays a recording to its end. An error names the line.
fn play(input: &mut impl BufRead, in_hex: bool, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let mut bytes = Vec::new();
    let head = match read_line(input, HEAD_BYTES, &mut bytes) {
        Ok(true) => serde_json::from_slice::<Head>(&bytes)
            .map_err(|_| "line 1: not a parlor recording".to_owned())?,
        Ok(false) => return Err("line 1: the file is empty".to_owned()),
        Err(error) => return Err(format!("line 1: {error}")),
    };
    let setup = setup(&head).map_err(|error| format!("line 1: {error}"))?;
    if format!("parlor {}", head.server) != NAME_AND_VERSION {
        say(&format!(
            "(recorded by parlor {}; this is {NAME_AND_VERSION}, and may behave differently)",
            head.server
        ));
    }
    let mut player = Player {
        hub: Hub::new(setup),
        sockets: Rc::default(),
        accepted: 0,
        now: Now::default(),
        in_hex,
        say,
    };
    let mut number = 1;
    // The end of a turn waits until the results of its writes are read.
    let mut turn: Option<(u64, Now)> = None;
    loop {
        number += 1;
        let at_line = |error| format!("line {number}: {error}");
        let line = if read_line(input, LINE_BYTES, &mut bytes).map_err(at_line)? {
            let line = serde_json::from_slice::<Line>(&bytes);
            Some(line.map_err(|_| at_line("this is not an input of the hub".to_owned()))?)
        } else {
            None
        };
        if let (Some(Line::Wrote(wrote)), Some(_)) = (&line, turn) {
            player.expect(*wrote).map_err(at_line)?;
            continue;
        }
        if let Some((number, now)) = turn.take() {
            player
                .end_turn(now)
                .map_err(|error| format!("line {number}: {error}"))?;
        }
        match line {
            None => break,
            Some(Line::EndTurn(at)) => turn = Some((number, at.into())),
            Some(line) => player.handle(line).map_err(at_line)?,
        }
    }
    let left = player.hub.connections();
    (player.say)(&format!(
        "end: {} lines, {} connections, {left} of them open",
        number - 1,
        player.accepted
    ));
    Ok(())
}

/// Makes the setup of the recorded server.
fn setup(head: &Head) -> Result<Setup, String> {
    if head.parlor_recording != VERSION {
        return Err(format!(
            "its format is version {}, and this parlor reads {VERSION}",
            head.parlor_recording
        ));
    }
    let seed = decode_hex(head.seed.as_bytes()).and_then(|seed| seed.try_into().ok());
    let seed: [u8; 16] = seed.ok_or("its seed must be 16 bytes in hex")?;
    if head.epoch.len() > 64 || head.newest_author >= 1 << 53 {
        return Err("its epoch or its author is invalid".to_owned());
    }
    let Asked::Serve(options) = options::parse(head.options.iter().map(Into::into), |_| None)?
    else {
        return Err("its options are not server options".to_owned());
    };
    // A file from elsewhere must not open a database or a folder.
    if !options.in_memory {
        return Err("it must have been made with --no-history".to_owned());
    }
    Ok(Setup {
        wire: Some(Box::new(Wire::new(&options.limits))),
        limits: options.limits.clone(),
        origins: options.origins.clone(),
        trusted_proxies: options.trusted_proxies.clone(),
        pages: Box::new(BuiltIn::new()),
        history: open_history(&options, &head.epoch, Author(head.newest_author))?.0,
        tokens: Box::new(tokens(seed)),
        now: Now {
            mono: Millis(0),
            unix: UnixMillis(head.started),
        },
    })
}

struct Player<'a> {
    hub: Hub<Played>,
    sockets: Rc<RefCell<Sockets>>,
    accepted: u64,
    now: Now,
    in_hex: bool,
    say: &'a mut dyn FnMut(&str),
}

const DIVERGED: &str = "this is not what happened then";

impl Player<'_> {
    /// Adds the result of a write of the turn that is about to end.
    fn expect(&mut self, wrote: Wrote) -> Result<(), String> {
        let results = &mut self.sockets.borrow_mut().results;
        if results.len() >= WRITES {
            return Err("no turn has so many writes".to_owned());
        }
        results.push_back(wrote);
        Ok(())
    }

    fn handle(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Accepted(at, peer) => {
                let now = self.set_clock(at.into())?;
                let (number, index) = (self.accepted, self.hub.next_index());
                self.accepted += 1;
                self.show(number, &format!("accepted from {peer}"));
                let sockets = Rc::clone(&self.sockets);
                let socket = Played { number, sockets };
                self.hub.handle(Input::Accepted { socket, peer }, now);
                if self.hub.id(index).is_none() {
                    self.show(number, "dropped");
                }
            }
            Line::Received(at, index, more, hex) => {
                let now = self.set_clock(at.into())?;
                let id = self.reads(index)?;
                let bytes = decode_hex(hex.as_bytes()).filter(|bytes| bytes.len() <= READ_BYTES);
                let mut bytes = bytes.ok_or("these bytes are not from one read")?;
                if !bytes.is_empty() {
                    let number = self.number(id);
                    self.show_bytes(number, "in", &bytes);
                }
                let bytes = bytes.as_mut_slice();
                self.hub.handle(Input::Received { id, bytes, more }, now);
            }
            Line::EndOfStream(at, index) => {
                let now = self.set_clock(at.into())?;
                let id = self.reads(index)?;
                let number = self.number(id);
                self.show(number, "end of stream");
                self.hub.handle(Input::Ended(id, Ended::EndOfStream), now);
            }
            Line::Failed(at, index) => {
                let now = self.set_clock(at.into())?;
                let id = self.reads(index)?;
                let number = self.number(id);
                self.show(number, "reading failed");
                self.hub.handle(Input::Ended(id, Ended::Failed), now);
            }
            Line::Readable(at, index) => {
                let (now, id) = (self.set_clock(at.into())?, self.id(index)?);
                self.hub.handle(Input::Readable(id), now);
            }
            Line::Writable(at, index) => {
                let (now, id) = (self.set_clock(at.into())?, self.id(index)?);
                self.hub.handle(Input::Writable(id), now);
            }
            Line::TurnTook(at, nanos) => {
                let now = self.set_clock(at.into())?;
                self.hub
                    .handle(Input::TurnTook(Duration::from_nanos(nanos)), now);
            }
            Line::Drain(at) => {
                let now = self.set_clock(at.into())?;
                self.hub.handle(Input::Drain, now);
            }
            Line::EndTurn(at) => self.end_turn(at.into())?,
            Line::Wrote(_) => return Err("a write outside of a turn".to_owned()),
        }
        Ok(())
    }

    fn end_turn(&mut self, now: Now) -> Result<(), String> {
        self.set_clock(now)?;
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
                Done::WouldBlock => self.show(number, "takes nothing now"),
                Done::Failed => self.show(number, "writing failed"),
                Done::Shut => self.show(number, "sending side shut down"),
            }
        }
        Ok(())
    }

    fn set_clock(&mut self, now: Now) -> Result<Now, String> {
        if now.mono < self.now.mono {
            return Err("time goes backwards".to_owned());
        }
        self.now = now;
        Ok(now)
    }

    fn id(&self, index: usize) -> Result<ConnectionId, String> {
        let id = self.hub.id(index);
        id.ok_or_else(|| format!("there is no connection {index} now"))
    }

    /// Returns the connection with this index, which must be the one to read.
    fn reads(&mut self, index: usize) -> Result<ConnectionId, String> {
        let id = self.id(index)?;
        if self.hub.next_read(self.now) != Some(id) {
            return Err(DIVERGED.to_owned());
        }
        Ok(id)
    }

    fn number(&mut self, id: ConnectionId) -> u64 {
        self.hub.socket(id).map_or(0, |socket| socket.number)
    }

    fn show(&mut self, number: u64, what: &str) {
        let mono = self.now.mono.0;
        (self.say)(&format!(
            "{}.{:03} #{number} {what}",
            mono / 1000,
            mono % 1000
        ));
    }

    fn show_bytes(&mut self, number: u64, what: &str, bytes: &[u8]) {
        let shown = if self.in_hex {
            Hex(bytes).to_string()
        } else {
            Escaped(bytes).to_string()
        };
        self.show(number, &format!("{what} {} {shown}", bytes.len()));
    }
}
