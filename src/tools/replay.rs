//! `parlor replay`: a recording is run through the same layers, on a clock that says what it said
//! then, and what happened is printed.
//!
//! It is a driver like `server`, with lines of a file in the place of events, and sockets that take
//! what they took. The same file
//! gives the same lines, byte for byte, every time. Nothing is believed of a file: a line that is
//! odd, or that tells of a connection
//! that is not there, ends it with the number of the line, and no line takes more memory than it
//! may be long.
//!
//! Not here: the format (`hub::record`), what options mean (`options`).

use super::Failure;
use super::terminal::Terminal;
use crate::cli::options::{self, Asked};
use crate::cli::output::NAME_AND_VERSION;
use crate::cli::serve::open_history;
use crate::history::Author;
use crate::http::pages::BuiltIn;
use crate::hub::record::{Call, HEAD_BYTES, Head, LINE_BYTES, VERSION, Wrote, tokens};
use crate::hub::{Ended, Hub, Setup, Socket};
use crate::text::Escaped;
use crate::time::{Millis, Now, UnixMillis};
use lexopt::Arg;
use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, Read};
use std::rc::Rc;

/// More writes than that in one turn there are not.
const WRITES: usize = 4_000_000;

const HELP: &str = "\
Usage: parlor replay [--hex] FILE

Runs what `parlor --record FILE` kept through the same code again, on the clock of then,
and prints what came and went on each connection; the same lines every time.

  --hex           show bytes in hex; without it as text, with everything odd escaped

A recording holds what people wrote, and what their sessions can be taken over with.
Exit status: 0 where it was played to its end, 1 where the file is odd or cut in a line.";

/// What sockets do: shared by all of them and the one who reads the file.
#[derive(Clone, Default)]
struct Sockets {
    /// What the next writes take.
    takes: Rc<Cell<VecDeque<Wrote>>>,
    did: Rc<Cell<Vec<(u64, Did)>>>,
}

enum Did {
    Wrote(Vec<u8>),
    Waits,
    Failed,
    Shut,
}

/// A connection's socket.
struct Played {
    number: u64,
    sockets: Sockets,
}

impl Sockets {
    fn did(&self, number: u64, what: Did) {
        let mut all = self.did.take();
        all.push((number, what));
        self.did.set(all);
    }
}

impl Socket for Played {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut takes = self.sockets.takes.take();
        // At the end of a file that was cut: all of it.
        let next = takes.pop_front().unwrap_or(Wrote::Bytes(all));
        self.sockets.takes.set(takes);
        match next {
            Wrote::Bytes(count) => {
                let mut left = count.min(all);
                let mut bytes = Vec::with_capacity(left);
                for piece in pieces {
                    let part = &piece[..piece.len().min(left)];
                    bytes.extend_from_slice(part);
                    left -= part.len();
                }
                let written = bytes.len();
                self.sockets.did(self.number, Did::Wrote(bytes));
                Ok(written)
            }
            Wrote::Wait => {
                self.sockets.did(self.number, Did::Waits);
                Err(ErrorKind::WouldBlock.into())
            }
            Wrote::Again => Err(ErrorKind::Interrupted.into()),
            Wrote::Failed => {
                self.sockets.did(self.number, Did::Failed);
                Err(ErrorKind::ConnectionReset.into())
            }
        }
    }

    fn shutdown_write(&mut self) {
        self.sockets.did(self.number, Did::Shut);
    }
}

/// Replays a file.
pub(super) fn run(
    arguments: Vec<OsString>,
    _: &mut dyn Read,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let wrong = |error: lexopt::Error| Failure::wrong(error.to_string());
    let (mut file, mut in_hex) = (None, false);
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("hex") => in_hex = true,
            Arg::Long("help") | Arg::Short('h') => {
                terminal.line(HELP);
                return Ok(true);
            }
            Arg::Value(value) if file.is_none() => file = Some(value),
            other => return Err(Failure::wrong(other.unexpected().to_string())),
        }
    }
    let file = file.ok_or_else(|| Failure::wrong("replay which file?".to_owned()))?;
    let name = file.to_string_lossy().into_owned();
    let opened =
        File::open(&file).map_err(|error| Failure::wrong(format!("can't read {name}: {error}")))?;
    play(&mut BufReader::new(opened), in_hex, &mut |line| {
        terminal.line(line)
    })
    .map_err(|error| Failure::failed(format!("{name}, {error}")))?;
    Ok(true)
}

/// One line of at most so many bytes, without its end. An error says what is wrong with it.
fn line(input: &mut impl BufRead, most: usize, line: &mut Vec<u8>) -> Result<bool, String> {
    line.clear();
    input
        .take(most as u64 + 1)
        .read_until(b'\n', line)
        .map_err(|error| error.to_string())?;
    match line.pop() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) if line.len() >= most => {
            Err("it is longer than a line of a recording can be".to_owned())
        }
        Some(_) => Err("the file ends in the middle of it".to_owned()),
    }
}

/// Plays a recording to its end. An error names the line.
fn play(input: &mut impl BufRead, in_hex: bool, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let mut bytes = Vec::new();
    let head = match line(input, HEAD_BYTES, &mut bytes) {
        Ok(true) => serde_json::from_slice::<Head>(&bytes)
            .map_err(|_| "line 1: this is no recording of parlor's".to_owned())?,
        Ok(false) => return Err("line 1: the file is empty".to_owned()),
        Err(error) => return Err(format!("line 1: {error}")),
    };
    let setup = setup(&head).map_err(|error| format!("line 1: {error}"))?;
    if format!("parlor {}", head.server) != NAME_AND_VERSION {
        say(&format!(
            "(recorded by parlor {}; this is {NAME_AND_VERSION}, and may do other things)",
            head.server
        ));
    }
    let mut player = Player {
        hub: Hub::new(setup),
        sockets: Sockets::default(),
        accepted: 0,
        now: Now::default(),
        in_hex,
        say,
    };
    let (mut number, mut buffer) = (1, Vec::new());
    // A call waits until it is known what sockets took in it.
    let mut waiting: Option<(u64, Call<'static>)> = None;
    loop {
        number += 1;
        let is_there = line(input, LINE_BYTES, &mut bytes)
            .map_err(|error| format!("line {number}: {error}"))?;
        let text = str::from_utf8(&bytes).unwrap_or_default();
        let call = if is_there {
            Call::parse(text, &mut buffer)
                .ok_or_else(|| format!("line {number}: this is no call of the hub's"))?
        } else {
            Call::TakeResumed
        };
        if let (Call::Wrote(wrote), Some(_)) = (&call, &waiting) {
            player
                .takes(*wrote)
                .map_err(|error| format!("line {number}: {error}"))?;
            continue;
        }
        if let Some((at, call)) = waiting.take() {
            player
                .tell(&call)
                .map_err(|error| format!("line {at}: {error}"))?;
        }
        match call {
            _ if !is_there => break,
            Call::EndTurn(now) => waiting = Some((number, Call::EndTurn(now))),
            Call::Drain(now) => waiting = Some((number, Call::Drain(now))),
            call => player
                .tell(&call)
                .map_err(|error| format!("line {number}: {error}"))?,
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

/// The server of then.
fn setup(head: &Head) -> Result<Setup, String> {
    if head.parlor_recording != VERSION {
        return Err(format!(
            "its format is version {}, and this parlor reads {VERSION}",
            head.parlor_recording
        ));
    }
    let seed = crate::text::parse_hex(&head.seed)
        .ok()
        .and_then(|seed| <[u8; 16]>::try_from(seed).ok())
        .ok_or("its seed must be 16 bytes in hex")?;
    if head.epoch.len() > 64 || head.newest_author >= 1 << 53 {
        return Err("its epoch or its author is none".to_owned());
    }
    let Asked::Serve(options) = options::parse(head.options.iter().map(OsString::from), |_| None)?
    else {
        return Err("its options are none of a server".to_owned());
    };
    // A file from elsewhere opens no database, and no folder.
    if !options.in_memory {
        return Err("it must have been made with --no-history".to_owned());
    }
    Ok(Setup {
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
    sockets: Sockets,
    accepted: u64,
    now: Now,
    in_hex: bool,
    say: &'a mut dyn FnMut(&str),
}

impl Player<'_> {
    fn takes(&mut self, wrote: Wrote) -> Result<(), String> {
        let mut takes = self.sockets.takes.take();
        if takes.len() >= WRITES {
            return Err("no turn has so many writes".to_owned());
        }
        takes.push_back(wrote);
        self.sockets.takes.set(takes);
        Ok(())
    }

    fn tell(&mut self, call: &Call<'_>) -> Result<(), String> {
        match *call {
            Call::Accepted { peer, now } => {
                self.passes(now)?;
                let number = self.accepted;
                self.accepted += 1;
                self.show(number, &format!("accepted from {peer}"));
                if self
                    .hub
                    .accepted(
                        Played {
                            number,
                            sockets: self.sockets.clone(),
                        },
                        peer,
                        now,
                    )
                    .is_none()
                {
                    self.show(number, "dropped");
                }
            }
            Call::WantsRead { index } => {
                let id = self.hub.id(index).ok_or_else(|| missing(index))?;
                self.hub.wants_read(id);
            }
            Call::Received { index, bytes, now } => {
                self.passes(now)?;
                let id = self.hub.id(index).ok_or_else(|| missing(index))?;
                self.show_bytes(index, "in", bytes)?;
                self.hub.received(id, &mut bytes.to_vec(), now);
            }
            Call::Ended { index, why, now } => {
                self.passes(now)?;
                let id = self.hub.id(index).ok_or_else(|| missing(index))?;
                let number = self.number(index)?;
                self.show(
                    number,
                    if why == Ended::EndOfStream {
                        "end of stream"
                    } else {
                        "reading failed"
                    },
                );
                self.hub.ended(id, why, now);
            }
            Call::Writable { index } => {
                let id = self.hub.id(index).ok_or_else(|| missing(index))?;
                self.hub.writable(id);
            }
            Call::TakeResumed => drop(self.hub.take_resumed()),
            Call::Judge(judge) => self.hub.set_judge_deadlines(judge),
            Call::EndTurn(now) => {
                self.passes(now)?;
                self.hub.end_turn(now);
                self.show_what_sockets_did()?;
            }
            Call::Drain(now) => {
                self.passes(now)?;
                self.hub.drain(now);
                self.show_what_sockets_did()?;
            }
            Call::TurnTook(took) => self.hub.turn_took(took),
            Call::Wrote(_) => return Err("a socket took something outside of a turn".to_owned()),
        }
        Ok(())
    }

    fn passes(&mut self, now: Now) -> Result<(), String> {
        if now.mono < self.now.mono {
            return Err("the clock goes back".to_owned());
        }
        self.now = now;
        Ok(())
    }

    fn number(&mut self, index: usize) -> Result<u64, String> {
        let id = self.hub.id(index).ok_or_else(|| missing(index))?;
        self.hub
            .socket(id)
            .map(|socket| socket.number)
            .ok_or_else(|| missing(index))
    }

    fn show(&mut self, number: u64, what: &str) {
        let mono = self.now.mono.0;
        (self.say)(&format!(
            "{}.{:03} #{number} {what}",
            mono / 1000,
            mono % 1000
        ));
    }

    fn show_bytes(&mut self, index: usize, what: &str, bytes: &[u8]) -> Result<(), String> {
        let number = self.number(index)?;
        self.show_piece(number, what, bytes);
        Ok(())
    }

    fn show_piece(&mut self, number: u64, what: &str, bytes: &[u8]) {
        let shown = if self.in_hex {
            crate::text::Hex(bytes).to_string()
        } else {
            Escaped(bytes).to_string()
        };
        self.show(number, &format!("{what} {} {shown}", bytes.len()));
    }

    fn show_what_sockets_did(&mut self) -> Result<(), String> {
        if !self.sockets.takes.take().is_empty() {
            return Err(
                "sockets took more than they were given: this is not what happened then".to_owned(),
            );
        }
        for (number, did) in self.sockets.did.take() {
            match did {
                Did::Wrote(bytes) => self.show_piece(number, "out", &bytes),
                Did::Waits => self.show(number, "takes nothing now"),
                Did::Failed => self.show(number, "writing failed"),
                Did::Shut => self.show(number, "nothing more goes out"),
            }
        }
        Ok(())
    }
}

fn missing(index: usize) -> String {
    format!("there is no connection {index} now")
}
