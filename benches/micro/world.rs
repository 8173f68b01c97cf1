//! A hub whose sockets are of memory and swallow everything: the server without the kernel.
//!
//! Not here: what is asked of it (`main`, and `sizes`).

use parlor::history::{Author, Memory};
use parlor::http::pages::BuiltIn;
use parlor::hub::{ConnectionId, Ended, Hub, Origins, Setup, Socket};
use parlor::limits::Limits;
use parlor::time::{Millis, Now, UnixMillis};
use parlor::websocket::{Opcode, encode_masked_message};
use std::io::{self, IoSlice};
use std::time::Duration;

/// A socket that takes everything.
pub(crate) struct Swallows;

impl Socket for Swallows {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
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

/// A client's frame. Its masking key is 0, so that the bytes are the same after they were unmasked, and can be used again; the
/// work is the same with every key.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_message(Opcode::Text, text.as_bytes(), [0; 4], &mut frame);
    frame
}

pub(crate) fn join(channel: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"join","channel":"{channel}"}}"#))
}

pub(crate) fn leave(channel: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"leave","channel":"{channel}"}}"#))
}

pub(crate) fn message(channel: &str, text: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"message","channel":"{channel}","text":"{text}"}}"#))
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
        let now = Now { mono: Millis(1_000), unix: UnixMillis(1_700_000_000_000) };
        let (pages, history) = (Box::new(BuiltIn::new()), Box::new(Memory::new("epoch".into(), Author(0))));
        let (origins, trusted_proxies) = (Origins::SameHost, Vec::new());
        let hub = Hub::new(Setup { limits, origins, trusted_proxies, pages, history, tokens, now });
        Self { hub, now, members: Vec::new(), named: 0 }
    }

    /// One more shook hands and has said hello, when the turn is over. Returns its place among the members.
    pub(crate) fn enter(&mut self) -> usize {
        let peer = std::net::SocketAddr::from(([10, 0, 0, 1], 1));
        let id = self.hub.accepted(Swallows, peer, self.now).expect("there is room");
        self.hub.received(id, &mut HEAD.as_bytes().to_vec(), self.now);
        self.named += 1;
        self.members.push(id);
        let member = self.members.len() - 1;
        self.ask(member, &mut frame(&format!(r#"{{"type":"hello","name":"member{:06}"}}"#, self.named)));
        member
    }

    /// So many more come in, each into its channel, and what is told of them is told.
    pub(crate) fn gather(&mut self, count: usize, channel: &str) {
        let mut join = join(channel);
        for number in 1..=count {
            let member = self.enter();
            self.ask(member, &mut join);
            if number % 100 == 0 {
                self.turn();
                self.pass(20);
            }
        }
        self.rest();
    }

    /// What a member sends.
    pub(crate) fn ask(&mut self, member: usize, frame: &mut [u8]) {
        self.hub.received(self.members[member], frame, self.now);
    }

    /// The member that came last is lost.
    pub(crate) fn lose_last(&mut self) {
        let id = self.members.pop().expect("somebody is there");
        self.hub.ended(id, Ended::Failed, self.now);
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
