//! Somebody who chats, loses the connection, comes back, sends again what was not acknowledged, and
//! remembers what it saw.

use crate::disk::Said;
use parlor::hub::ConnectionId;
use parlor::testing::Wire;
use parlor::websocket::{CloseCode, Opcode};
use parlor::websocket::{
    DeflateParameters, Event, Received, Scratch, WebSocket, encode_masked_message,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// So many messages of one client are under way at a time.
const UNDER_WAY: usize = 8;

/// A message that is not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) place: Place,
    pub(crate) text: String,
    /// It is under way on this connection.
    pub(crate) sent: bool,
}

/// Where something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Channel(String),
    To(String),
}

/// A connection as its client sees it.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) wire: Rc<RefCell<Wire>>,
    /// Bytes on their way to the server.
    pub(crate) outgoing: Vec<u8>,
    got: Vec<u8>,
    upgraded: bool,
    websocket: WebSocket,
    pub(crate) welcomed: bool,
    pub(crate) joined: BTreeSet<String>,
    /// Channels whose pages are still to be fetched: live messages may run ahead.
    behind: BTreeSet<String>,
    /// The newest live message of each place: they come in order, each once.
    live: BTreeMap<String, u64>,
    /// Its reading is stopped until this time.
    pub(crate) stalled_until: u64,
    pub(crate) closing: bool,
}

pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) number: usize,
    pub(crate) deflate: bool,
    pub(crate) token: String,
    pub(crate) author: u64,
    pub(crate) connection: Option<Connection>,
    pub(crate) channels: BTreeSet<String>,
    pub(crate) pending: BTreeMap<u64, Pending>,
    pub(crate) acknowledged: Vec<(u64, Pending, u64)>,
    /// What was seen, by place and number.
    pub(crate) seen: BTreeMap<String, BTreeMap<u64, String>>,
    pub(crate) online: BTreeSet<String>,
    pub(crate) count: u64,
    pub(crate) retry_at: u64,
    next_nonce: u64,
    pub(crate) refusals: u64,
}

/// What every client is held to.
pub(crate) struct Truth<'a> {
    pub(crate) log: &'a BTreeMap<String, Vec<Said>>,
}

impl Client {
    pub(crate) fn new(
        number: usize,
        name: String,
        channels: BTreeSet<String>,
        deflate: bool,
    ) -> Self {
        Self {
            name,
            number,
            deflate,
            token: String::new(),
            author: 0,
            connection: None,
            channels,
            pending: BTreeMap::new(),
            acknowledged: Vec::new(),
            seen: BTreeMap::new(),
            online: BTreeSet::new(),
            count: 0,
            retry_at: 0,
            next_nonce: 1,
            refusals: 0,
        }
    }

    /// The connection stands: everything that is known is said at once, as a good client may.
    pub(crate) fn begin(&mut self, id: ConnectionId, wire: Rc<RefCell<Wire>>) {
        let websocket = WebSocket::client(1 << 24, || KEY);
        let websocket = websocket.with_deflate(self.deflate.then(DeflateParameters::default));
        let extension = if self.deflate {
            "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        } else {
            ""
        };
        let head = format!(
            "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             {extension}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.connection = Some(Connection {
            id,
            wire,
            outgoing: head.into_bytes(),
            got: Vec::new(),
            upgraded: false,
            websocket,
            welcomed: false,
            joined: BTreeSet::new(),
            behind: BTreeSet::new(),
            live: BTreeMap::new(),
            stalled_until: 0,
            closing: false,
        });
        self.online.clear();
        self.pending
            .values_mut()
            .for_each(|pending| pending.sent = false);
        self.hello();
    }

    pub(crate) fn hello(&mut self) {
        let token = if self.token.is_empty() {
            Value::Null
        } else {
            json!(self.token)
        };
        self.send(&json!({"type": "hello", "name": self.name, "session": token}));
    }

    /// Up to which number nothing is missing.
    pub(crate) fn newest(&self, place: &str) -> u64 {
        let seen = self.seen.get(place).into_iter().flatten();
        seen.zip(1..).take_while(|((seq, _), n)| *seq == n).count() as u64
    }

    pub(crate) fn send(&mut self, command: &Value) {
        self.send_text(&command.to_string());
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        if let Some(connection) = &mut self.connection {
            encode_masked_message(Opcode::Text, text.as_bytes(), KEY, &mut connection.outgoing);
        }
    }

    pub(crate) fn join(&mut self, channel: &str) {
        self.channels.insert(channel.to_owned());
        let since = self.newest(channel);
        if let Some(connection) = &mut self.connection {
            connection.behind.insert(channel.to_owned());
        }
        self.send(&json!({"type": "join", "channel": channel, "since": since}));
    }

    pub(crate) fn say(&mut self, place: Place, text: String) {
        self.pending.insert(
            self.next_nonce,
            Pending {
                place,
                text,
                sent: false,
            },
        );
        self.next_nonce += 1;
        self.send_pending();
    }

    /// Sends what is not under way, in its order, as far as the client is where it is to be said.
    pub(crate) fn send_pending(&mut self) {
        let Some(connection) = self
            .connection
            .as_ref()
            .filter(|connection| connection.welcomed)
        else {
            return;
        };
        let joined = connection.joined.clone();
        let ready = |pending: &Pending| match &pending.place {
            Place::Channel(channel) => joined.contains(channel),
            Place::To(_) => true,
        };
        // Not all at once: who is refused a hundred times in ten seconds is sent away.
        let under_way = self.pending.values().filter(|pending| pending.sent).count();
        let unsent = self
            .pending
            .iter()
            .filter(|(_, pending)| !pending.sent && ready(pending));
        let to_send: Vec<u64> = unsent
            .map(|(n, _)| *n)
            .take(UNDER_WAY.saturating_sub(under_way))
            .collect();
        for nonce in to_send {
            let Some(pending) = self.pending.get_mut(&nonce) else {
                continue;
            };
            pending.sent = true;
            let command = message(self.number, nonce, pending);
            self.send(&command);
        }
    }

    /// Sends again what was acknowledged long ago.
    pub(crate) fn send_again(&mut self, which: usize) {
        if let Some((nonce, pending, _)) = self.acknowledged.get(which)
            && let Place::Channel(channel) = &pending.place
            && self
                .connection
                .as_ref()
                .is_some_and(|connection| connection.joined.contains(channel))
        {
            let command = message(self.number, *nonce, pending);
            self.send(&command);
        }
    }

    /// Hears what came. Returns whether the connection is over.
    pub(crate) fn take(&mut self, truth: &Truth<'_>, log: &mut dyn FnMut(&str)) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let mut messages = Vec::new();
        let over = connection.receive(&mut messages);
        for text in messages {
            log(&text);
            let event: Value = serde_json::from_str(&text).expect("an event is JSON");
            self.hear(&event, truth);
        }
        over
    }

    fn hear(&mut self, event: &Value, truth: &Truth<'_>) {
        let number = |value: &Value| {
            value
                .as_u64()
                .unwrap_or_else(|| panic!("a number in {event}"))
        };
        let text = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("a text in {event}"))
                .to_owned()
        };
        match event["type"].as_str().expect("a type") {
            "welcome" => self.welcome(event),
            "joined" | "history" => {
                let place = text(if event["channel"].is_null() {
                    &event["conversation"]
                } else {
                    &event["channel"]
                });
                let messages = event[if event["type"] == "joined" {
                    "history"
                } else {
                    "messages"
                }]
                .as_array()
                .expect("messages");
                let numbers: Vec<u64> = messages
                    .iter()
                    .map(|message| number(&message["seq"]))
                    .collect();
                assert!(
                    numbers.windows(2).all(|two| two[1] == two[0] + 1),
                    "a page has no gap: {numbers:?}"
                );
                messages.iter().for_each(|message| self.see(message, truth));
                if event["type"] == "joined" {
                    self.channels.insert(place.clone());
                    self.connection
                        .as_mut()
                        .expect("it is there")
                        .joined
                        .insert(place.clone());
                    let live = number(&event["seq"]);
                    let before = self
                        .connection
                        .as_mut()
                        .expect("it is there")
                        .live
                        .insert(place.clone(), live);
                    assert!(before.is_none_or(|before| before <= live));
                }
                if event["more"] == true {
                    let command = json!({"type": "history", "channel": place, "after": self.newest(&place), "limit": 200});
                    if event["channel"].is_string()
                        && number(&command["after"]) < number(&truth_len(truth, &place))
                    {
                        self.send(&command);
                    }
                } else if let Some(connection) = &mut self.connection {
                    connection.behind.remove(&place);
                }
            }
            "message" | "direct" => {
                let place = text(if event["channel"].is_null() {
                    &event["conversation"]
                } else {
                    &event["channel"]
                });
                self.see(event, truth);
                let seq = number(&event["seq"]);
                let connection = self.connection.as_mut().expect("it is there");
                if event["type"] == "message" {
                    assert!(
                        connection.joined.contains(&place),
                        "a message of a channel that it is not in: {event}"
                    );
                }
                let before = connection.live.insert(place.clone(), seq);
                assert!(
                    before.is_none_or(|before| before < seq),
                    "live messages come in order, each once: {before:?}, then {event}"
                );
                if self.newest(&place) < seq {
                    // A gap: what a failed commit left behind after all, or what came while it was
                    // away.
                    let field = if event["type"] == "message" {
                        "channel"
                    } else {
                        "conversation"
                    };
                    self.send(&json!({"type": "history", field: place, "after": self.newest(&place), "limit": 200}));
                }
            }
            "ack" => self.acknowledge(event, truth),
            "error" => self.refused(event),
            "presence" => {
                for (list, come) in [("left", false), ("joined", true)] {
                    for name in event[list].as_array().expect("a list") {
                        if come {
                            self.online.insert(text(name))
                        } else {
                            self.online.remove(&text(name))
                        };
                    }
                }
                self.count = number(&event["online"]);
            }
            "renamed" => {
                if self.online.remove(event["from"].as_str().expect("a name")) {
                    self.online.insert(text(&event["to"]));
                }
                if event["from"] == self.name {
                    self.name = text(&event["to"]);
                }
            }
            "left" => {
                let channel = text(&event["channel"]);
                let connection = self.connection.as_mut().expect("it is there");
                connection.joined.remove(&channel);
                connection.live.remove(&channel);
            }
            "users" => {
                let names: Vec<String> = event["users"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(text)
                    .collect();
                let keys: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
                assert_eq!(keys.len(), names.len(), "a name is one user's: {names:?}");
            }
            "typing" | "members" | "channels" | "channels_changed" | "help" => {}
            other => panic!("an event that is not known: {other}"),
        }
    }

    fn welcome(&mut self, event: &Value) {
        self.token = event["session"].as_str().expect("a token").to_owned();
        let author = event["author"].as_u64().expect("an author");
        if author != self.author && self.author != 0 {
            // Its session was not kept, so nothing that it had proposed was stored.
            assert!(
                self.acknowledged.is_empty(),
                "a session that has written is known after a restart"
            );
        }
        self.author = author;
        self.name = event["name"].as_str().expect("a name").to_owned();
        self.online = event["users"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        self.count = event["online"].as_u64().expect("a number");
        let connection = self.connection.as_mut().expect("it is there");
        connection.welcomed = true;
        if self.number.is_multiple_of(4) {
            // More questions than one turn answers, before what matters.
            (0..20).for_each(|_| self.send_text("/channels"));
        }
        for channel in self.channels.clone() {
            self.join(&channel);
        }
        for direct in event["directs"].as_array().expect("a list") {
            let conversation = direct["conversation"]
                .as_str()
                .expect("an identifier")
                .to_owned();
            if self.newest(&conversation) < direct["seq"].as_u64().expect("a seq") {
                let after = self.newest(&conversation);
                self.send(&json!({"type": "history", "conversation": conversation, "after": after, "limit": 200}));
            }
        }
        self.send_pending();
    }

    /// A message, live or from a page: it is the one that is stored under its number.
    fn see(&mut self, message: &Value, truth: &Truth<'_>) {
        let place = if message["channel"].is_null() {
            &message["conversation"]
        } else {
            &message["channel"]
        };
        let place = place.as_str().expect("a place");
        let seq = message["seq"].as_u64().expect("a seq");
        let stored = truth
            .log
            .get(place)
            .and_then(|messages| messages.get(seq as usize - 1));
        let stored = stored.unwrap_or_else(|| panic!("it was told and is not stored: {message}"));
        assert_eq!(
            (&message["text"], &message["author"]),
            (&json!(stored.text), &json!(stored.author)),
            "{message}"
        );
        if message["type"] == "direct" {
            let mine = [format!("c{}-", self.author), format!("-{}", self.author)];
            assert!(
                place.starts_with(&mine[0]) || place.ends_with(&mine[1]),
                "a private message of others: {message}"
            );
        }
        let before = self
            .seen
            .entry(place.to_owned())
            .or_default()
            .insert(seq, stored.text.clone());
        assert!(before.is_none_or(|before| before == stored.text));
    }

    fn acknowledge(&mut self, event: &Value, truth: &Truth<'_>) {
        let nonce = event["id"].as_u64().expect("an id");
        let seq = event["seq"].as_u64().expect("a seq");
        let place = if event["channel"].is_null() {
            &event["conversation"]
        } else {
            &event["channel"]
        };
        let stored = truth
            .log
            .get(place.as_str().expect("a place"))
            .and_then(|messages| messages.get(seq as usize - 1));
        let stored =
            stored.unwrap_or_else(|| panic!("it was acknowledged and is not stored: {event}"));
        assert_eq!(
            (&stored.author, &stored.nonce),
            (&self.author, &Some(format!("{}-{nonce}", self.number))),
            "{event}"
        );
        if let Some(pending) = self.pending.remove(&nonce) {
            assert_eq!(stored.text, pending.text);
            self.acknowledged.push((nonce, pending, seq));
            self.send_pending();
        } else {
            let first = self.acknowledged.iter().find(|(known, ..)| *known == nonce);
            assert!(
                first.is_some_and(|(_, _, known)| *known == seq),
                "the same nonce, another number: {event}"
            );
        }
    }

    fn refused(&mut self, event: &Value) {
        self.refusals += 1;
        match event["code"].as_str().expect("a code") {
            "name_taken" => {
                self.name = format!(
                    "{}{}",
                    self.name.chars().take(8).collect::<String>(),
                    self.number
                )
            }
            "no_such_user" => {
                // Who it was meant for has gone; it is not to be said any more.
                if let Some(nonce) = event["id"].as_u64() {
                    self.pending.remove(&nonce);
                }
            }
            _ => {}
        }
        if let Some(pending) = event["id"]
            .as_u64()
            .and_then(|nonce| self.pending.get_mut(&nonce))
        {
            pending.sent = false;
        }
    }
}

fn truth_len(truth: &Truth<'_>, place: &str) -> Value {
    json!(truth.log.get(place).map_or(0, Vec::len))
}

fn message(number: usize, nonce: u64, pending: &Pending) -> Value {
    let tag = format!("{number}-{nonce}");
    match &pending.place {
        Place::Channel(channel) => {
            json!({"type": "message", "channel": channel, "text": pending.text, "nonce": tag, "id": nonce})
        }
        Place::To(name) => {
            json!({"type": "direct", "to": name, "text": pending.text, "nonce": tag, "id": nonce})
        }
    }
}

impl Connection {
    /// Takes what came; returns whether there is nothing more to come.
    fn receive(&mut self, messages: &mut Vec<String>) -> bool {
        self.got.append(&mut self.wire.borrow_mut().sent);
        if !self.upgraded {
            let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") else {
                return self.is_over();
            };
            let head =
                String::from_utf8(self.got.drain(..end + 4).collect()).expect("a head is text");
            if !head.starts_with("HTTP/1.1 101 ") {
                return true;
            }
            self.upgraded = true;
        }
        let mut bytes = std::mem::take(&mut self.got);
        let (mut rest, mut replies, mut scratch) =
            (bytes.as_mut_slice(), Vec::new(), Scratch::default());
        loop {
            match self.websocket.receive(rest, &mut scratch, &mut replies) {
                Ok(Received::Nothing) => break,
                Ok(Received::Event { event, used }) => {
                    match event {
                        Event::Text(text) => messages.push(text.to_owned()),
                        Event::Close(frame) => {
                            let code = frame.code.map(CloseCode::get);
                            assert!(
                                code.is_some_and(
                                    |code| [1000, 1001, 1002, 1008, 1013].contains(&code)
                                ),
                                "closed with {code:?}"
                            );
                            self.closing = true;
                        }
                        Event::Ping(payload) => parlor::websocket::encode_masked_message(
                            Opcode::Pong,
                            payload,
                            KEY,
                            &mut self.outgoing,
                        ),
                        Event::Pong(_) | Event::Binary(_) => {}
                    }
                    rest = &mut rest[used..];
                }
                Err(violation) => panic!("the server broke a rule: {violation:?}"),
            }
        }
        self.outgoing.append(&mut replies);
        self.is_over()
    }

    fn is_over(&self) -> bool {
        let wire = self.wire.borrow();
        self.closing || wire.shut || wire.closed
    }
}
