//! `--record FILE`: every input of a hub, as lines of a file. With them and the results of its
//! writes, `replay` repeats what happened.
//!
//! A recording is a head and then one line of JSON for each call of [`Driven::handle`] and
//! [`Driven::end_turn`], in order. The results of a turn's writes follow its `EndTurn`. The lines
//! of a turn are in the file before the hub works on them, so a file from a process that died lacks
//! at most the results of its last writes.

use crate::cli::options::ServeOptions;
use crate::cli::serve::random;
use crate::history::Author;
use crate::hub::{ConnectionId, Driven, Ended, Hub, Input, Setup, Socket};
use crate::text::Hex;
use crate::time::{Millis, Now, UnixMillis};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::cell::RefCell;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::rc::Rc;

/// The version of the format. Others are not read.
pub(super) const VERSION: u32 = 2;

/// The first line of a recording, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) parlor_recording: u32,
    /// The version of the parlor that wrote it.
    pub(super) server: String,
    /// The random bytes of the session tokens: 16 bytes in hex.
    pub(super) seed: String,
    /// The epoch of the history.
    pub(super) epoch: String,
    /// The newest author number that was used before.
    pub(super) newest_author: u64,
    /// When the server started, in milliseconds since 1970.
    pub(super) started: u64,
    /// The hash of the owner's key, in hex.
    #[serde(default)]
    pub(super) owner_key: Option<String>,
    /// The hash of the room's password, in hex.
    #[serde(default)]
    pub(super) password: Option<String>,
    /// The options that were given, including those from the environment.
    pub(super) options: Vec<String>,
}

/// Both clocks, in milliseconds: monotonic, and since 1970.
pub(super) type At = (u64, u64);

pub(super) fn now((mono, unix): At) -> Now {
    let (mono, unix) = (Millis(mono), UnixMillis(unix));
    Now { mono, unix }
}

/// A line of a recording. Connections are named by their index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Line {
    Accepted(At, SocketAddr),
    Readable(At, usize),
    /// Whether there may be more, and the bytes in hex.
    Received(At, usize, bool, String),
    EndOfStream(At, usize),
    Failed(At, usize),
    Writable(At, usize),
    /// How long the turn took, in nanoseconds.
    TurnTook(At, u64),
    Drain(At),
    EndTurn(At),
    Wrote(Wrote),
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wrote {
    Bytes(usize),
    WouldBlock,
    Interrupted,
    Failed,
}

/// A hub, and the file in which its inputs are recorded.
pub(crate) struct Recorder<S> {
    hub: Hub<Taped<S>>,
    /// `None`: the recording has ended by an error.
    file: Option<File>,
    lines: Vec<u8>,
    tape: Tape,
}

/// The results of the writes of this turn.
type Tape = Rc<RefCell<Vec<Wrote>>>;

struct Taped<S> {
    socket: S,
    tape: Tape,
}

/// Lines that stay allocated between turns, in bytes.
const KEPT_BYTES: usize = 256 << 10;

impl<S> Recorder<S> {
    fn record(&mut self, line: &Line) {
        if self.file.is_some() {
            let written = serde_json::to_writer(&mut self.lines, line);
            debug_assert!(written.is_ok(), "{written:?}");
            self.lines.push(b'\n');
        }
    }

    /// Writes the lines to the file. An error ends the recording, not the server.
    fn flush(&mut self) {
        let written = self.file.as_mut().map(|file| file.write_all(&self.lines));
        self.lines.clear();
        self.lines.shrink_to(KEPT_BYTES);
        if let Some(Err(error)) = written {
            log::error!("the recording ends here, and the server goes on: {error}");
            self.file = None;
        }
    }
}

impl<S> Drop for Recorder<S> {
    fn drop(&mut self) {
        self.flush();
    }
}

impl<S: Socket> Driven<S> for Recorder<S> {
    fn handle(&mut self, input: Input<'_, S>, now: Now) {
        let at = (now.mono.0, now.unix.0);
        let (line, input) = match input {
            Input::Accepted { socket, peer } => {
                let tape = Rc::clone(&self.tape);
                let socket = Taped { socket, tape };
                (Line::Accepted(at, peer), Input::Accepted { socket, peer })
            }
            Input::Readable(id) => (Line::Readable(at, id.index()), Input::Readable(id)),
            Input::Received { id, bytes, more } => {
                let hex = format!("{:x}", Hex(bytes));
                let line = Line::Received(at, id.index(), more, hex);
                (line, Input::Received { id, bytes, more })
            }
            Input::Ended(id, Ended::EndOfStream) => {
                let line = Line::EndOfStream(at, id.index());
                (line, Input::Ended(id, Ended::EndOfStream))
            }
            Input::Ended(id, why) => (Line::Failed(at, id.index()), Input::Ended(id, why)),
            Input::Writable(id) => (Line::Writable(at, id.index()), Input::Writable(id)),
            Input::TurnTook(took) => {
                let line = Line::TurnTook(at, took.as_nanos() as u64);
                (line, Input::TurnTook(took))
            }
            Input::Drain => (Line::Drain(at), Input::Drain),
        };
        self.record(&line);
        self.hub.handle(input, now);
    }

    fn next_read(&mut self, now: Now) -> Option<ConnectionId> {
        self.hub.next_read(now)
    }

    fn end_turn(&mut self, now: Now) {
        self.record(&Line::EndTurn((now.mono.0, now.unix.0)));
        self.flush();
        self.hub.end_turn(now);
        for wrote in self.tape.take() {
            self.record(&Line::Wrote(wrote));
        }
    }

    fn next_deadline(&self) -> Option<Millis> {
        self.hub.next_deadline()
    }

    fn next_index(&self) -> usize {
        self.hub.next_index()
    }

    fn id(&self, index: usize) -> Option<ConnectionId> {
        self.hub.id(index)
    }

    fn socket(&mut self, id: ConnectionId) -> Option<&mut S> {
        self.hub.socket(id).map(|taped| &mut taped.socket)
    }

    fn connections(&self) -> usize {
        self.hub.connections()
    }
}

impl<S: Socket> Socket for Taped<S> {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.socket.write(pieces);
        self.tape.borrow_mut().push(match &result {
            Ok(count) => Wrote::Bytes(*count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Wrote::WouldBlock,
            Err(error) if error.kind() == ErrorKind::Interrupted => Wrote::Interrupted,
            Err(_) => Wrote::Failed,
        });
        result
    }

    fn shutdown_write(&mut self) {
        self.socket.shutdown_write();
    }
}

/// Begins a recording, readable for its owner alone, and warns about it on standard error. The
/// session tokens come from a seed in the file.
pub(crate) fn begin<S: Socket>(
    path: &Path,
    options: &ServeOptions,
    (epoch, author): (&str, Author),
    mut setup: Setup,
) -> Result<Recorder<S>, String> {
    let seed = random::<16>()?;
    // A replay doesn't record, listen or read files.
    let dropped = ["--record=", "--listen=", "--owner-key=", "--password-file="];
    let is_kept = |given: &&String| !dropped.iter().any(|option| given.starts_with(option));
    let hex = |hash: [u8; 20]| format!("{:x}", Hex(&hash));
    let head = Head {
        parlor_recording: VERSION,
        server: env!("CARGO_PKG_VERSION").to_owned(),
        seed: format!("{:x}", Hex(&seed)),
        epoch: epoch.to_owned(),
        newest_author: author.0,
        started: setup.now.unix.0,
        owner_key: setup.keys.owner.map(hex),
        password: setup.keys.password.map(hex),
        options: options.given.iter().filter(is_kept).cloned().collect(),
    };
    let head = serde_json::to_string(&head).map_err(|error| error.to_string())?;
    let file = create(path, &head)
        .map_err(|error| format!("can't record to {}: {error}", path.display()))?;
    let warning = format!(
        "parlor: WARNING: everything that people send to this server is recorded in {}, with the \
         seed of their sessions: anyone who has that file can read it and take over their sessions",
        path.display()
    );
    let _ = writeln!(io::stderr(), "{}", warning.replace(char::is_control, " "));
    setup.tokens = Box::new(tokens(seed));
    Ok(Recorder {
        hub: Hub::new(setup),
        file: Some(file),
        lines: Vec::new(),
        tape: Tape::default(),
    })
}

/// Creates a file for its owner alone, or empties it, and writes a line into it.
pub(super) fn create(path: &Path, line: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true);
    let mut file = options.mode(0o600).open(path)?;
    // An existing file may have been readable for others.
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{line}")?;
    Ok(file)
}

/// Returns the session tokens of a recorded server: as unguessable as the seed, and the same for
/// the same seed.
pub(super) fn tokens(seed: [u8; 16]) -> impl FnMut() -> [u8; 16] {
    let mut number = 0_u64;
    move || {
        number += 1;
        let digest = Sha1::digest([&seed[..], &number.to_be_bytes()].concat());
        std::array::from_fn(|index| digest[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::testing::{MemorySocket, setup};

    #[test]
    fn recording_that_failed_holds_nothing() {
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
            return;
        };
        let now = Now::default();
        let mut recorder = Recorder {
            hub: Hub::new(setup(Limits::DEFAULT, now)),
            file: Some(full),
            lines: Vec::new(),
            tape: Tape::default(),
        };
        let (socket, peer) = (MemorySocket::default(), "10.0.0.1:1".parse().unwrap());
        recorder.handle(Input::Accepted { socket, peer }, now);
        recorder.end_turn(now);
        let id = recorder.id(0).unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
        for _ in 0..100 {
            let (mut bytes, more) = (request.to_vec(), false);
            let bytes = bytes.as_mut_slice();
            recorder.handle(Input::Received { id, bytes, more }, now);
            recorder.end_turn(now);
        }
        assert!(recorder.file.is_none() && recorder.tape.borrow().is_empty());
        assert!(recorder.lines.capacity() < 1 << 10);
    }
}
