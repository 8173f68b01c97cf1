//! Clients on an in-memory network.

use parlor::hub::{ConnectionId, Ended, Setup};
use parlor::limits::Limits;
pub use parlor::testing::handshake;
use parlor::testing::{self, MemorySocket, Wire};
use parlor::websocket::{
    CloseCode, Event, Opcode, Progress, Scratch, WebSocket, encode_masked_message,
};
use serde_json::Value;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// A hub with its driver.
pub struct World(testing::World<MemorySocket>);

impl Deref for World {
    type Target = testing::World<MemorySocket>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl World {
    pub fn new(limits: Limits) -> Self {
        Self(testing::World::with_limits(limits))
    }

    pub fn of(setup: Setup) -> Self {
        Self(testing::World::new(setup))
    }

    pub fn connect(&mut self) -> Client {
        self.connect_from("10.0.0.1:1")
    }

    pub fn connect_from(&mut self, peer: &str) -> Client {
        let socket = MemorySocket::default();
        let wire = Rc::clone(&socket.0);
        Client {
            id: self.accept(socket, peer),
            wire,
            got: Vec::new(),
            http: None,
            websocket: WebSocket::client(1 << 24, || [1, 2, 3, 4]).answering_pings(false),
            close: None,
        }
    }

    /// Opens a WebSocket at this path.
    pub fn open(&mut self, path: &str) -> Client {
        let mut client = self.connect();
        client.send(self, handshake(path).as_bytes());
        self.settle();
        client.take();
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    /// Adds a user who says hello and joins `general`.
    pub fn enter(&mut self, name: &str) -> Client {
        let mut client = self.open("/chat");
        client.say(self, &format!(r#"{{"type":"hello","name":"{name}"}}"#));
        client.say(self, r#"{"type":"join","channel":"general"}"#);
        self.settle();
        client
    }

    /// Adds members of `general`, and discards the events that follow.
    pub fn enter_all<const N: usize>(&mut self, names: [&str; N]) -> [Client; N] {
        let mut clients = names.map(|name| self.enter(name));
        self.pass(1_000);
        self.settle();
        clients.iter_mut().for_each(|client| drop(client.take()));
        clients
    }

    pub fn buffered(&self) -> u64 {
        self.hub.metrics().buffered_bytes
    }
}

/// A message for `general`.
pub fn message(text: &str) -> String {
    format!(r#"{{"type":"message","channel":"general","text":"{text}"}}"#)
}

/// The client's end of a connection.
pub struct Client {
    /// The connection; `None` if it was dropped at once.
    pub id: Option<ConnectionId>,
    pub wire: Rc<RefCell<Wire>>,
    got: Vec<u8>,
    /// The head of the answer to the handshake.
    pub http: Option<String>,
    websocket: WebSocket,
    /// The close code received; 1005 if the frame had none.
    pub close: Option<u16>,
}

impl Client {
    pub fn id(&self) -> ConnectionId {
        self.id.expect("it was accepted")
    }

    pub fn send(&mut self, world: &mut World, bytes: &[u8]) {
        world.0.send(self.id(), bytes);
    }

    /// Whether everything that was sent has been read.
    pub fn is_read(&self, world: &World) -> bool {
        world.unread(self.id()) == 0
    }

    pub fn say(&mut self, world: &mut World, text: &str) {
        self.send(world, &masked(Opcode::Text, text.as_bytes()));
    }

    /// Sends bytes, and runs turns until no work is left.
    pub fn settle(&mut self, world: &mut World, bytes: &[u8]) {
        self.send(world, bytes);
        world.settle();
    }

    pub fn reset(&self, world: &mut World) {
        self.wire.borrow_mut().broken = true;
        world.end(self.id(), Ended::Failed);
    }

    /// Lets the server write `room` more bytes, and runs turns.
    pub fn make_room(&self, world: &mut World, room: usize) {
        self.wire.borrow_mut().room = room;
        world.writable(self.id());
        world.settle();
    }

    /// Returns the head of the response, or an empty text.
    pub fn head(&self) -> &str {
        self.http.as_deref().unwrap_or_default()
    }

    /// Reads everything, and returns the close code.
    pub fn closed(&mut self) -> Option<u16> {
        self.take();
        self.close
    }

    /// Reads everything, and returns the messages.
    pub fn take(&mut self) -> Vec<String> {
        self.got.append(&mut self.wire.borrow_mut().sent);
        if self.http.is_none() {
            let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Vec::new();
            };
            self.http = Some(String::from_utf8(self.got.drain(..end + 4).collect()).unwrap());
        }
        if !self.head().starts_with("HTTP/1.1 101 ") {
            return Vec::new(); // a body follows
        }
        let mut messages = Vec::new();
        let mut bytes = std::mem::take(&mut self.got);
        let mut rest = bytes.as_mut_slice();
        let (mut replies, mut scratch) = (Vec::new(), Scratch::default());
        while let Progress::Done { value: event, used } = self
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
        let parse = |text: &String| serde_json::from_str(text).expect("events are JSON");
        self.take().iter().map(parse).collect()
    }

    /// Returns the types of the events received.
    pub fn types(&mut self) -> Vec<String> {
        let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
        self.events().iter().map(kind).collect()
    }

    /// Returns the events of one type.
    pub fn events_of(&mut self, kind: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["type"] == kind);
        events
    }
}

/// A whole frame as a client sends it.
pub fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(true, opcode, payload)
}

pub fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_masked_message(opcode, payload, [0x37, 0xfa, 0x21, 0x3d], &mut bytes);
    bytes[0] &= if fin { 0xFF } else { 0x7F };
    bytes
}
