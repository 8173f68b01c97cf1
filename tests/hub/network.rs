//! A network of memory: sockets that take as much as they are told to, and a clock that moves when
//! somebody says so.

use parlor::history::Memory;
use parlor::http::pages::BuiltIn;
use parlor::hub::{ConnectionId, Ended, Hub, Origins, Setup, Socket};
use parlor::limits::Limits;
use parlor::time::{Millis, Now, UnixMillis};
use parlor::websocket::{CloseCode, Event, FrameHeader, Opcode, Received, Scratch, WebSocket};
use serde_json::Value;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;

/// The server's end of a connection.
#[derive(Clone)]
pub struct Line(Rc<RefCell<Wire>>);

/// What a connection's two ends share.
pub struct Wire {
    /// What the server wrote and the client has not taken yet.
    pub sent: Vec<u8>,
    /// How many more bytes the server may write before it has to wait.
    pub room: usize,
    /// How much one write takes at most.
    pub write_most: usize,
    pub shut: bool,
    pub broken: bool,
    pub writes: usize,
}

impl Socket for Line {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        assert!(!wire.shut, "nothing is written after the FIN");
        if wire.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        wire.writes += 1;
        let mut left = wire.room.min(wire.write_most);
        if left == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = wire.sent.len();
        for piece in pieces {
            let part = &piece[..piece.len().min(left)];
            wire.sent.extend_from_slice(part);
            left -= part.len();
        }
        let written = wire.sent.len() - before;
        wire.room -= written;
        Ok(written)
    }

    fn shutdown_write(&mut self) {
        self.0.borrow_mut().shut = true;
    }
}

/// A hub and its clock.
pub struct World {
    pub hub: Hub<Line>,
    pub now: Now,
}

impl World {
    pub fn new(limits: Limits) -> Self {
        let mut token = 0_u128;
        let tokens = Box::new(move || {
            token += 1;
            token.to_be_bytes()
        });
        let history = Box::new(Memory::new("epoch".into(), parlor::history::Author(0)));
        let now = Now {
            mono: Millis(1_000),
            unix: UnixMillis(1_700_000_000_000),
        };
        let hub = Hub::new(Setup {
            limits,
            origins: Origins::SameHost,
            trusted_proxies: Vec::new(),
            pages: Box::new(BuiltIn::new()),
            history,
            tokens,
            now,
        });
        Self { hub, now }
    }

    pub fn pass(&mut self, millis: u64) {
        self.now.mono.0 += millis;
        self.now.unix.0 += millis;
    }

    /// Turns, until there is no more to do.
    pub fn turn(&mut self) {
        self.hub.end_turn(self.now);
        let mut turns = 0;
        while self.hub.has_work() {
            self.hub.take_resumed().for_each(drop);
            self.hub.end_turn(self.now);
            turns += 1;
            assert!(turns < 10_000, "the loop spins");
        }
    }

    pub fn connect(&mut self) -> Client {
        self.connect_from("10.0.0.1:1")
    }

    pub fn connect_from(&mut self, peer: &str) -> Client {
        let wire = Rc::new(RefCell::new(Wire {
            sent: Vec::new(),
            room: usize::MAX,
            write_most: usize::MAX,
            shut: false,
            broken: false,
            writes: 0,
        }));
        let id = self
            .hub
            .accepted(Line(Rc::clone(&wire)), peer.parse().unwrap(), self.now);
        Client {
            id,
            wire,
            got: Vec::new(),
            http: None,
            websocket: WebSocket::client(1 << 24, || [1, 2, 3, 4]),
            close: None,
        }
    }

    /// A client that shook hands.
    pub fn open(&mut self, path: &str) -> Client {
        let mut client = self.connect();
        client.send(self, handshake(path).as_bytes());
        self.turn();
        client.take();
        assert!(
            client
                .http
                .as_deref()
                .is_some_and(|head| head.starts_with("HTTP/1.1 101 ")),
            "{:?}",
            client.http
        );
        client
    }

    /// A client that said hello and joined `general`.
    pub fn enter(&mut self, name: &str) -> Client {
        let mut client = self.open("/chat");
        client.say(self, &format!(r#"{{"type":"hello","name":"{name}"}}"#));
        client.say(self, r#"{"type":"join","channel":"general"}"#);
        self.turn();
        client
    }
}

pub fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The client's end.
pub struct Client {
    /// None: it was dropped at the door.
    pub id: Option<ConnectionId>,
    pub wire: Rc<RefCell<Wire>>,
    got: Vec<u8>,
    /// The head of the answer to the handshake.
    pub http: Option<String>,
    websocket: WebSocket,
    /// The close code that came; 1005 where there was none in the frame.
    pub close: Option<u16>,
}

impl Client {
    pub fn id(&self) -> ConnectionId {
        self.id.expect("let in")
    }

    pub fn send(&mut self, world: &mut World, bytes: &[u8]) {
        world
            .hub
            .received(self.id(), &mut bytes.to_vec(), world.now);
    }

    pub fn say(&mut self, world: &mut World, text: &str) {
        self.send(world, &masked(Opcode::Text, text.as_bytes()));
    }

    pub fn reset(&self, world: &mut World) {
        self.wire.borrow_mut().broken = true;
        world.hub.ended(self.id(), Ended::Failed, world.now);
    }

    /// Lets the server write so many bytes more.
    pub fn make_room(&self, world: &mut World, room: usize) {
        self.wire.borrow_mut().room = room;
        world.hub.writable(self.id());
    }

    /// Takes what came, and returns the messages in it.
    pub fn take(&mut self) -> Vec<String> {
        self.got.append(&mut self.wire.borrow_mut().sent);
        if self.http.is_none() {
            let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Vec::new();
            };
            self.http = Some(String::from_utf8(self.got.drain(..end + 4).collect()).unwrap());
        }
        if self
            .http
            .as_deref()
            .is_some_and(|head| !head.starts_with("HTTP/1.1 101 "))
        {
            return Vec::new(); // what follows is a body
        }
        let mut messages = Vec::new();
        let mut bytes = std::mem::take(&mut self.got);
        let mut rest = bytes.as_mut_slice();
        let (mut replies, mut scratch) = (Vec::new(), Scratch::default());
        while let Received::Event { event, used } = self
            .websocket
            .receive(rest, &mut scratch, &mut replies)
            .expect("the server's frames are legal")
        {
            match event {
                Event::Text(text) => messages.push(text.to_owned()),
                Event::Binary(bytes) => messages.push(format!("binary {bytes:?}")),
                Event::Close(frame) => self.close = Some(frame.code.map_or(1005, CloseCode::get)),
                Event::Ping(_) | Event::Pong(_) => {}
            }
            rest = &mut rest[used..];
        }
        messages
    }

    pub fn events(&mut self) -> Vec<Value> {
        self.take()
            .iter()
            .map(|text| serde_json::from_str(text).expect("events are JSON"))
            .collect()
    }

    /// The events of one type that came.
    pub fn events_of(&mut self, kind: &str) -> Vec<Value> {
        self.events()
            .into_iter()
            .filter(|event| event["type"] == kind)
            .collect()
    }
}

/// A whole frame as a client sends it.
pub fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(true, opcode, payload)
}

pub fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let header = FrameHeader {
        fin,
        rsv1: false,
        opcode,
        masking_key: Some(key),
        payload_length: payload.len() as u64,
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    bytes.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    bytes
}

/// Small random numbers from a seed (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}
