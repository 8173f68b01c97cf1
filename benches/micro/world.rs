//! A hub with in-memory sockets that accept and discard all output: the server without the kernel.

use parlor::hub::{ConnectionId, Driven, Ended, Hub, Input, Setup, Socket};
use parlor::limits::Limits;
use parlor::testing;
use parlor::time::{Millis, Now, UnixMillis};
use parlor::websocket::{Opcode, encode_masked_message};
use std::io::{self, IoSlice};
use std::time::Duration;

/// A socket that accepts everything, and is as large as a real one.
pub(crate) struct Swallows([u64; 2]);

impl Socket for Swallows {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0[0] = self.0[0].wrapping_add(1);
        Ok(pieces.iter().map(|piece| piece.len()).sum())
    }

    fn shutdown_write(&mut self) {}
}

/// A hub, its clock, and its members.
pub(crate) struct World {
    pub(crate) hub: Hub<Swallows>,
    pub(crate) now: Now,
    pub(crate) members: Vec<ConnectionId>,
    /// The number of the next name, so that no name is used twice.
    named: usize,
}

/// Encodes a client's frame. Its masking key is 0, so that the bytes don't change by unmasking and
/// can be used again. The work is the same with every key.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_message(Opcode::Text, text.as_bytes(), [0; 4], &mut frame);
    frame
}

/// The one channel of all members.
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
    /// Creates a hub without the limits that many clients would exceed.
    pub(crate) fn new() -> Self {
        let limits = Limits {
            rate: 0,
            connections: 1 << 20,
            connections_per_ip: 0,
            channels: 1 << 20,
            resume_window: Duration::ZERO,
            // No client here answers a ping.
            ping_interval: Duration::ZERO,
            trace: false,
            ..Limits::DEFAULT
        };
        let now = Now {
            mono: Millis(1_000),
            unix: UnixMillis(1_700_000_000_000),
        };
        let setup = Setup {
            wire: None,
            ..testing::setup(limits, now)
        };
        Self {
            hub: Hub::new(setup),
            now,
            members: Vec::new(),
            named: 0,
        }
    }

    /// Opens a WebSocket without frames.
    pub(crate) fn open(&mut self, path: &str) -> ConnectionId {
        self.open_with(path, &[])
    }

    /// Opens a WebSocket with frames in the packet of its handshake.
    fn open_with(&mut self, path: &str, frames: &[u8]) -> ConnectionId {
        let (socket, peer) = (Swallows([0; 2]), ([10, 0, 0, 1], 1).into());
        let index = self.hub.next_index();
        self.hub.handle(Input::Accepted { socket, peer }, self.now);
        let id = self.hub.id(index).expect("there is room");
        let head = testing::handshake(path);
        self.receive(id, &mut [head.as_bytes(), frames].concat());
        id
    }

    /// Passes bytes to the hub, as a driver does for a readable connection, after the unread input
    /// of other connections.
    pub(crate) fn receive(&mut self, id: ConnectionId, bytes: &mut [u8]) {
        self.hub.handle(Input::Readable(id), self.now);
        while let Some(next) = self.hub.next_read(self.now) {
            let (id, found) = (next, next == id);
            let bytes = if found { &mut *bytes } else { &mut [][..] };
            let more = false;
            self.hub
                .handle(Input::Received { id, bytes, more }, self.now);
            if found {
                return;
            }
        }
        // The turn's budget is used up.
        self.hub.end_turn(self.now);
        self.receive(id, bytes);
    }

    /// Adds a member at the end of the turn. Returns its index.
    pub(crate) fn hello(&mut self) -> usize {
        self.hello_with(&[])
    }

    fn hello_with(&mut self, frames: &[u8]) -> usize {
        self.named += 1;
        let hello = format!(r#"{{"type":"hello","name":"member{:05}"}}"#, self.named);
        let id = self.open_with("/chat", &[&frame(&hello), frames].concat());
        self.members.push(id);
        self.members.len() - 1
    }

    /// Adds `count` members, a hundred in a turn, each in its channel, and waits until the presence
    /// events are sent.
    pub(crate) fn enter(&mut self, count: usize, channel: impl Fn(usize) -> String) {
        let first = self.members.len();
        for number in first..first + count {
            self.hello_with(&join(&channel(number)));
            if number % 100 == 99 {
                self.turn();
                self.pass(20);
            }
        }
        self.rest();
    }

    /// Drops the connections of all members but the first `stay`.
    pub(crate) fn leave(&mut self, stay: usize) {
        for id in self.members.split_off(stay) {
            self.lose(id);
        }
        self.members.shrink_to_fit();
        self.rest();
    }

    /// Drops the connection of a member.
    pub(crate) fn lose(&mut self, id: ConnectionId) {
        self.hub.handle(Input::Ended(id, Ended::Failed), self.now);
    }

    /// Passes a member's frame to the hub.
    pub(crate) fn ask(&mut self, member: usize, frame: &mut [u8]) {
        self.receive(self.members[member], frame);
    }

    /// Runs turns until no work is left.
    pub(crate) fn turn(&mut self) {
        loop {
            while let Some(id) = self.hub.next_read(self.now) {
                let (bytes, more) = (&mut [][..], false);
                self.hub
                    .handle(Input::Received { id, bytes, more }, self.now);
            }
            self.hub.end_turn(self.now);
            if self.hub.next_deadline().is_none_or(|at| at > Millis(0)) {
                return;
            }
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.mono.0 += millis;
        self.now.unix.0 += millis;
    }

    /// Waits until collected presence events are sent.
    pub(crate) fn rest(&mut self) {
        for _ in 0..4 {
            self.turn();
            self.pass(300);
        }
    }
}
