//! A network of memory, for tests, fuzzers and benchmarks: sockets, a driver, and random numbers.
//!
//! It is compiled for this crate's own tests and with the feature `testing`, which `Cargo.toml`
//! turns on for `tests/`, `benches/` and `fuzz/` by a dev-dependency of parlor on itself.

use crate::chat::Keys;
use crate::history::{Author, Memory};
use crate::http::Head;
use crate::http::pages::BuiltIn;
use crate::hub::{ConnectionId, Driven, Ended, Hub, Input, Origins, Setup, Socket};
use crate::limits::{Limits, READ_BYTES};
use crate::progress::Progress;
pub use crate::random::Random;
use crate::time::{Millis, Now, UnixMillis};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

/// The state that the two ends of a connection share.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Bytes that the server wrote and the client has not read yet.
    pub sent: Vec<u8>,
    /// The number of bytes that the server may still write before it has to wait.
    pub room: usize,
    /// The maximum length of one write in bytes.
    pub write_most: usize,
    /// The server has shut down its sending side.
    pub shut: bool,
    /// Whether every write fails.
    pub broken: bool,
    /// The server has dropped its end.
    pub closed: bool,
    /// The number of writes.
    pub writes: usize,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            sent: Vec::new(),
            room: usize::MAX,
            write_most: usize::MAX,
            shut: false,
            broken: false,
            closed: false,
            writes: 0,
        }
    }
}

/// The server's end of a connection.
#[derive(Default)]
pub struct MemorySocket(pub Rc<RefCell<Wire>>);

impl Socket for MemorySocket {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        assert!(!wire.shut, "nothing is written after the FIN");
        assert!(pieces.iter().any(|it| !it.is_empty()), "a write has bytes");
        if wire.broken {
            return Err(ErrorKind::ConnectionReset.into());
        }
        wire.writes += 1;
        let before = wire.sent.len();
        let mut left = wire.room.min(wire.write_most);
        if left == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        for piece in pieces {
            let part = &piece[..piece.len().min(left)];
            wire.sent.extend_from_slice(part);
            left -= part.len();
        }
        let written = wire.sent.len() - before;
        wire.room = wire.room.saturating_sub(written);
        Ok(written)
    }

    fn shutdown_write(&mut self) {
        self.0.borrow_mut().shut = true;
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.0.borrow_mut().closed = true;
    }
}

/// Implements the methods of [`History`](crate::history::History) that may fail, except `commit`
/// and `decide`, by a method `call` of the type, which passes the history to a closure or fails.
#[macro_export]
macro_rules! forward_history {
    () => {
        $crate::forward_history! {
            settings(channel: &std::rc::Rc<str>) -> $crate::history::ChannelSettings;
            each(
                place: &$crate::history::Place,
                ask: $crate::history::PageRequest,
                visit: &mut dyn FnMut($crate::history::Record) -> bool
            ) -> ();
            scan(
                place: &$crate::history::Place,
                before: $crate::history::Seq,
                rows: u32,
                budget: &mut usize,
                visit: &mut $crate::history::Visit<'_>
            ) -> Option<$crate::history::Seq>;
            span(place: &$crate::history::Place) -> $crate::history::Span;
            session(author: $crate::history::Author) -> Option<$crate::history::SessionRow>;
            session_with_mark(mark: &[u8; 20]) -> Option<$crate::history::Author>;
            conversations(
                of: $crate::history::Author,
                most: usize
            ) -> Vec<$crate::history::ConversationRow>;
            maintain(now: $crate::time::Now) -> ();
        }
    };
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        fn $method(
            &mut self,
            $($argument: $type),*
        ) -> std::result::Result<$result, $crate::history::StoreError> {
            self.call(|history| history.$method($($argument),*))
        }
    )*};
}

/// Returns the rows of a table in a text: one a line, with `|` between the cells. The escapes `\r`
/// and `\n` in a cell become characters.
///
/// # Panics
///
/// Panics if a row has another number of cells.
pub fn rows<const CELLS: usize>(table: &str) -> Vec<[String; CELLS]> {
    let cell = |cell: &str| cell.trim().replace(r"\r", "\r").replace(r"\n", "\n");
    let cells = |row: &str| {
        let cells: Vec<_> = row.split('|').map(cell).collect();
        let cells = cells.try_into();
        cells.unwrap_or_else(|_| panic!("not {CELLS} cells: {row}"))
    };
    table.trim().lines().map(cells).collect()
}

/// Returns an opening handshake with the key of RFC 6455 §1.3.
pub fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Parses the head at the beginning of a request.
///
/// # Panics
///
/// Panics if there is none.
pub fn head(request: &str) -> Head<'_> {
    match Head::parse(request.as_bytes(), 8192) {
        Ok(Progress::Done { value, .. }) => value,
        other => panic!("{request:?} is {other:?}"),
    }
}

/// Returns the default limits with a change.
pub fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::DEFAULT;
    change(&mut limits);
    limits
}

/// Returns a setup with a history in memory, the built-in pages, and tokens that count up.
pub fn setup(limits: Limits, now: Now) -> Setup {
    let mut token = 0_u128;
    Setup {
        #[cfg(feature = "tools")]
        wire: Some(Box::new(crate::tools::wire::Wire {
            message_bytes: limits.message_bytes,
        })),
        #[cfg(not(feature = "tools"))]
        wire: None,
        limits,
        origins: Origins::SameHost,
        keys: Keys::default(),
        trusted_proxies: Vec::new(),
        user_header: None,
        pages: Box::new(BuiltIn::default()),
        history: Box::new(Memory::new("epoch".into(), Author(0))),
        tokens: Box::new(move || {
            token += 1;
            token.to_be_bytes()
        }),
        now,
    }
}

/// A hub, its clock, and its driver. It follows the contract at the head of [`crate::hub`], with
/// bytes in memory instead of sockets.
pub struct World<S> {
    /// The server under test.
    pub hub: Hub<S>,
    /// The time, which passes by [`World::pass`] alone.
    pub now: Now,
    arriving: BTreeMap<ConnectionId, Arriving>,
}

/// Bytes that a connection's client has sent and the server has not read.
#[derive(Default)]
struct Arriving {
    bytes: Vec<u8>,
    /// How many bytes one read returns at most; 0: as many as there are.
    piece: usize,
    end: Option<Ended>,
}

impl<S: Socket> World<S> {
    /// Makes a world around the hub of a setup, at the setup's time.
    pub fn new(setup: Setup) -> Self {
        Self {
            now: setup.now,
            hub: Hub::new(setup),
            arriving: BTreeMap::new(),
        }
    }

    /// Makes a world with these limits, one second after the start.
    pub fn with_limits(limits: Limits) -> Self {
        let (mono, unix) = (Millis(1_000), UnixMillis(1_700_000_000_000));
        Self::new(setup(limits, Now { mono, unix }))
    }

    /// Connects. `None`: the connection was dropped at once.
    pub fn accept(&mut self, socket: S, peer: &str) -> Option<ConnectionId> {
        let peer = peer.parse().expect("an address and a port");
        let index = self.hub.next_index();
        self.hub.handle(Input::Accepted { socket, peer }, self.now);
        self.hub.id(index)
    }

    /// Lets bytes arrive; the server reads them in its turn.
    pub fn send(&mut self, id: ConnectionId, bytes: &[u8]) {
        let arriving = self.arriving.entry(id).or_default();
        arriving.bytes.extend_from_slice(bytes);
        self.hub.handle(Input::Readable(id), self.now);
    }

    /// Sets how many bytes one read returns at most.
    pub fn set_piece(&mut self, id: ConnectionId, piece: usize) {
        self.arriving.entry(id).or_default().piece = piece;
    }

    /// Lets the peer end its side, after what was sent; with [`Ended::Failed`], instead of that.
    pub fn end(&mut self, id: ConnectionId, end: Ended) {
        let arriving = self.arriving.entry(id).or_default();
        if end == Ended::Failed {
            arriving.bytes.clear();
        }
        arriving.end = Some(end);
        self.hub.handle(Input::Readable(id), self.now);
        if end == Ended::Failed {
            // An error is reported to writers, too.
            self.writable(id);
        }
    }

    /// Reports that a socket has room again.
    pub fn writable(&mut self, id: ConnectionId) {
        self.hub.handle(Input::Writable(id), self.now);
    }

    /// Returns the number of bytes that were sent and are not read yet.
    pub fn unread(&self, id: ConnectionId) -> usize {
        self.arriving.get(&id).map_or(0, |it| it.bytes.len())
    }

    /// Reads what the hub wants to read (contract 3).
    pub fn read(&mut self) {
        while let Some(id) = self.hub.next_read(self.now) {
            let arriving = self.arriving.entry(id).or_default();
            let piece = if arriving.piece == 0 {
                READ_BYTES
            } else {
                arriving.piece
            };
            let count = arriving.bytes.len().min(piece).min(READ_BYTES);
            let mut bytes: Vec<u8> = arriving.bytes.drain(..count).collect();
            let more = !arriving.bytes.is_empty() || arriving.end.is_some();
            let input = match arriving.end {
                Some(end) if count == 0 => {
                    self.arriving.remove(&id);
                    Input::Ended(id, end)
                }
                _ => Input::Received {
                    id,
                    bytes: &mut bytes,
                    more,
                },
            };
            self.hub.handle(input, self.now);
        }
    }

    /// Takes one turn of the hub.
    pub fn turn(&mut self) {
        self.read();
        self.hub.end_turn(self.now);
    }

    /// Returns whether a turn must begin at once.
    pub fn has_work(&self) -> bool {
        let next = self.hub.next_deadline();
        next.is_some_and(|at| at <= self.now.mono)
    }

    /// Takes turns until nothing is left to do.
    pub fn settle(&mut self) {
        self.turn();
        for turns in 0.. {
            if !self.has_work() {
                return;
            }
            assert!(turns < 10_000, "the loop spins");
            self.turn();
        }
    }

    /// Lets time pass, with a turn at each deadline.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now.mono.0 + millis;
        while let Some(at) = self.hub.next_deadline().filter(|at| at.0 <= end) {
            self.jump(at.0.saturating_sub(self.now.mono.0));
            self.settle();
        }
        self.jump(end - self.now.mono.0);
    }

    /// Lets time pass at once, as for a process that was suspended.
    pub fn jump(&mut self, millis: u64) {
        self.now.mono.0 += millis;
        self.now.unix.0 += millis;
    }
}
