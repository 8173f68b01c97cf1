//! A hub whose sockets are of memory and swallow everything: the server without the kernel.
//!
//! Not here: what is asked of it (`main`, `sizes`, `tests/allocations.rs`).

use parlor::history::{Author, Memory};
use parlor::http::pages::BuiltIn;
use parlor::hub::{ConnectionId, Ended, Hub, Origins, Setup, Socket};
use parlor::limits::Limits;
use parlor::time::{Millis, Now, UnixMillis};
use parlor::websocket::{Opcode, encode_masked_message};
use std::io::{self, IoSlice};
use std::time::Duration;

/// A socket that takes everything, and is as large as a real one.
pub(crate) struct Swallows([u64; 2]);

impl Socket for Swallows {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0[0] = self.0[0].wrapping_add(1);
        Ok(pieces.iter().map(|piece| piece.len()).sum())
    }

    fn shutdown_write(&mut self) {}
}

/// A server, its clock, and who came in.
pub(crate) struct World {
    pub(crate) hub: Hub<Swallows>,
    pub(crate) now: Now,
    pub(crate) members: Vec<ConnectionId>,
    /// Names are never given twice.
    named: usize,
}

const HEAD: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A client's frame. Its masking key is 0, so that the bytes are the same after they were unmasked,
/// and can be used again; the
/// work is the same with every key.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_message(Opcode::Text, text.as_bytes(), [0; 4], &mut frame);
    frame
}

/// The channel of them all.
pub(crate) fn in_one(_: usize) -> String {
    "general".to_owned()
}

pub(crate) fn join(channel: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"join","channel":"{channel}"}}"#))
}

pub(crate) fn leave(channel: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"leave","channel":"{channel}"}}"#))
}

pub(crate) fn message(channel: &str, text: &str) -> Vec<u8> {
    frame(&format!(
        r#"{{"type":"message","channel":"{channel}","text":"{text}"}}"#
    ))
}

impl World {
    /// Without the limits that a crowd would meet.
    pub(crate) fn new() -> Self {
        let limits = Limits {
            rate: 0,
            connections: 1 << 20,
            connections_per_ip: 0,
            channels: 1 << 20,
            resume_window: Duration::ZERO,
            // Nobody here answers a ping.
            ping_interval: Duration::ZERO,
            ..Limits::DEFAULT
        };
        let mut token = 0_u128;
        let tokens = Box::new(move || {
            token += 1;
            token.to_be_bytes()
        });
        let now = Now {
            mono: Millis(1_000),
            unix: UnixMillis(1_700_000_000_000),
        };
        let (pages, history) = (
            Box::new(BuiltIn::new()),
            Box::new(Memory::new("epoch".into(), Author(0))),
        );
        let (origins, trusted_proxies) = (Origins::SameHost, Vec::new());
        let hub = Hub::new(Setup {
            limits,
            origins,
            trusted_proxies,
            pages,
            history,
            tokens,
            now,
        });
        Self {
            hub,
            now,
            members: Vec::new(),
            named: 0,
        }
    }

    /// One that shook hands.
    pub(crate) fn open(&mut self, path: &str) -> ConnectionId {
        let peer = std::net::SocketAddr::from(([10, 0, 0, 1], 1));
        let id = self
            .hub
            .accepted(Swallows([0; 2]), peer, self.now)
            .expect("there is room");
        self.hub
            .received(id, &mut HEAD.replace("/chat", path).into_bytes(), self.now);
        id
    }

    /// One more has said hello, when the turn is over. Returns its place among the members.
    pub(crate) fn hello(&mut self) -> usize {
        let id = self.open("/chat");
        self.named += 1;
        self.members.push(id);
        let member = self.members.len() - 1;
        self.ask(
            member,
            &mut frame(&format!(
                r#"{{"type":"hello","name":"member{:05}"}}"#,
                self.named
            )),
        );
        member
    }

    /// So many more come in, a hundred in a turn, each into a channel, and what is told of them is
    /// told.
    pub(crate) fn enter(&mut self, count: usize, channel: impl Fn(usize) -> String) {
        let first = self.members.len();
        for number in first..first + count {
            self.hello();
            self.ask(number, &mut join(&channel(number)));
            if number % 100 == 99 {
                self.turn();
                self.pass(20);
            }
        }
        self.rest();
    }

    /// All but the first so many are lost.
    pub(crate) fn leave(&mut self, stay: usize) {
        for id in self.members.split_off(stay) {
            self.hub.ended(id, Ended::Failed, self.now);
        }
        self.members.shrink_to_fit();
        self.rest();
    }

    /// What a member sends.
    pub(crate) fn ask(&mut self, member: usize, frame: &mut [u8]) {
        self.hub.received(self.members[member], frame, self.now);
    }

    pub(crate) fn turn(&mut self) {
        self.hub.end_turn(self.now);
        while self.hub.has_work() {
            self.hub.take_resumed().for_each(drop);
            self.hub.end_turn(self.now);
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.mono.0 += millis;
        self.now.unix.0 += millis;
    }

    /// What was gathered is told.
    pub(crate) fn rest(&mut self) {
        for _ in 0..4 {
            self.turn();
            self.pass(300);
        }
    }
}
