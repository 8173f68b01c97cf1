//! A client that chats, loses its connection and returns. It sends unacknowledged messages again,
//! and remembers the messages it has received. Client 0 is the chat's owner.

use crate::disk::{Disk, LoggedMessage};
use parlor::history::Kind;
use parlor::hub::ConnectionId;
use parlor::testing::{Wire, handshake};
use parlor::websocket::{
    CloseCode, DeflateParameters, Event, Opcode, Progress, Scratch, WebSocket,
    encode_masked_message,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const OWNER_KEY: &str = "a key";

/// The most unanswered messages of one client: a client with a hundred refusals in ten seconds is
/// closed.
const UNDER_WAY: usize = 8;

/// A message that is not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) place: Place,
    pub(crate) change: Change,
    pub(crate) text: String,
    /// Whether it was sent on this connection.
    pub(crate) sent: bool,
}

/// The change of an earlier message, if a message is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// No change: a new message.
    New,
    Edit(u64),
    Delete(u64),
    React(u64, bool),
}

/// The place of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Channel(String),
    Conversation(String),
    To(String),
}

/// A message that was acknowledged.
pub(crate) struct Acknowledged {
    nonce: u64,
    pending: Pending,
    seq: u64,
    /// A conversation is named by its identifier.
    place: Place,
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
    /// Channels with pages left to fetch: live messages may arrive earlier.
    behind: BTreeSet<String>,
    /// The newest live message of each place. They arrive in order, each once.
    live: BTreeMap<String, u64>,
    /// Texts removed before this commit must not arrive: the client connected later, or has
    /// received a message of this commit.
    newest_commit: u64,
    /// Messages below these numbers must not arrive: the channels were cleared.
    firsts: BTreeMap<String, u64>,
    pub(crate) is_owner: bool,
    /// It doesn't read until this time.
    pub(crate) stalled_until: u64,
    pub(crate) closing: bool,
}

#[derive(Default)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) number: usize,
    pub(crate) deflate: bool,
    pub(crate) token: String,
    pub(crate) author: u64,
    pub(crate) connection: Option<Connection>,
    pub(crate) channels: BTreeSet<String>,
    pub(crate) pending: BTreeMap<u64, Pending>,
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// The texts of received messages, by place and number; `None` for a deleted message or a
    /// change.
    pub(crate) seen: BTreeMap<String, BTreeMap<u64, Option<String>>>,
    /// The messages up to these numbers are no longer kept.
    floors: BTreeMap<String, u64>,
    /// Whether the door was closed while the client had this session, which then is never refused.
    is_inside: bool,
    /// Whether the owner reverses every decision.
    pub(crate) reverses_decisions: bool,
    pub(crate) online: BTreeSet<String>,
    pub(crate) count: u64,
    pub(crate) retry_at: u64,
    next_nonce: u64,
    pub(crate) refusals: u64,
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
            channels,
            next_nonce: 1,
            ..Self::default()
        }
    }

    /// Sends all first commands at once after the handshake, as a client may.
    pub(crate) fn begin(&mut self, id: ConnectionId, wire: Rc<RefCell<Wire>>, truth: &Disk) {
        let websocket = WebSocket::client(1 << 24, || KEY).answering_pings(false);
        let websocket = websocket.with_deflate(self.deflate.then(DeflateParameters::default));
        let offer = "Host: localhost\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
        let mut head = handshake("/chat");
        if self.deflate {
            head = head.replace("Host: localhost\r\n", offer);
        }
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
            newest_commit: truth.commits + 1,
            firsts: truth.firsts.clone(),
            is_owner: false,
            stalled_until: 0,
            closing: false,
        });
        self.online.clear();
        self.pending.values_mut().for_each(|it| it.sent = false);
        self.hello();
    }

    pub(crate) fn hello(&mut self) {
        let token = Some(&self.token).filter(|token| !token.is_empty());
        self.send(&json!({"type": "hello", "name": self.name, "session": token}));
    }

    /// Returns the number up to which no message is missing.
    pub(crate) fn newest(&self, place: &str) -> u64 {
        let floor = self.floors.get(place).copied().unwrap_or(0);
        let seen = self.seen.get(place).into_iter();
        let kept = seen
            .flat_map(|seen| seen.range(floor + 1..))
            .zip(floor + 1..);
        floor + kept.take_while(|((seq, _), n)| *seq == n).count() as u64
    }

    /// Notes that the messages below a number are no longer kept.
    fn forget_below(&mut self, place: &str, first: u64) {
        let floor = self.floors.entry(place.to_owned()).or_default();
        *floor = (*floor).max(first - 1);
        let kept = self.seen.entry(place.to_owned()).or_default();
        *kept = kept.split_off(&(*floor + 1));
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

    pub(crate) fn say(&mut self, place: Place, change: Change, text: String) {
        let pending = Pending {
            place,
            change,
            text,
            sent: false,
        };
        self.pending.insert(self.next_nonce, pending);
        self.next_nonce += 1;
        self.send_pending();
    }

    /// Returns the connection if it has received `welcome`.
    pub(crate) fn welcomed(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|it| it.welcomed)
    }

    fn is_in(&self, place: &Place) -> bool {
        self.welcomed().is_some_and(|connection| match place {
            Place::Channel(channel) => connection.joined.contains(channel),
            Place::Conversation(_) | Place::To(_) => true,
        })
    }

    /// Sends pending messages in order, in places where the client is a member, up to
    /// [`UNDER_WAY`].
    pub(crate) fn send_pending(&mut self) {
        let under_way = self.pending.values().filter(|pending| pending.sent).count();
        let pending = self.pending.iter();
        let ready = pending.filter(|(_, it)| !it.sent && self.is_in(&it.place));
        let nonces: Vec<u64> = ready.map(|(nonce, _)| *nonce).collect();
        for nonce in nonces.iter().take(UNDER_WAY.saturating_sub(under_way)) {
            let pending = self.pending.get_mut(nonce).expect("it is pending");
            pending.sent = true;
            let command = message(self.number, *nonce, pending);
            self.send(&command);
        }
    }

    /// Sends an acknowledged message again.
    pub(crate) fn send_again(&mut self, which: usize) {
        if let Some(known) = self.acknowledged.get(which)
            && matches!(known.pending.place, Place::Channel(_))
            && self.is_in(&known.pending.place)
        {
            let command = message(self.number, known.nonce, &known.pending);
            self.send(&command);
        }
    }

    /// Returns the place and number of a message that it sent.
    pub(crate) fn own_message(&self, which: usize) -> Option<(Place, u64)> {
        let own = self.acknowledged.get(which)?;
        let is_new = own.pending.change == Change::New;
        is_new.then(|| (own.place.clone(), own.seq))
    }

    /// Requests the messages of a place after the newest one without a gap.
    pub(crate) fn ask_history(&mut self, field: &str, place: &str) {
        let after = self.newest(place);
        self.send(&json!({"type": "history", field: place, "after": after, "limit": 200}));
    }

    /// Handles received events. Returns whether the connection has ended.
    pub(crate) fn take(&mut self, truth: &Disk, log: &mut dyn FnMut(&str)) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let mut messages = Vec::new();
        let over = connection.receive(&mut messages);
        for text in messages {
            log(&text);
            let event: Value = serde_json::from_str(&text).expect("an event is JSON");
            self.handle(&event, truth);
        }
        over
    }

    fn handle(&mut self, event: &Value, truth: &Disk) {
        let kind = event["type"].as_str().expect("a type");
        match kind {
            "welcome" => self.welcome(event),
            "joined" | "history" => {
                let (field, place) = place_of(event);
                let list = if kind == "joined" {
                    "history"
                } else {
                    "messages"
                };
                let messages = event[list].as_array().expect("messages");
                let numbers: Vec<u64> = messages.iter().map(|it| number(&it["seq"])).collect();
                let no_gap = numbers.windows(2).all(|two| two[1] == two[0] + 1);
                assert!(no_gap, "a page has no gap: {numbers:?}");
                self.forget_below(place, number(&event["first"]));
                messages.iter().for_each(|message| self.see(message, truth));
                let newest = self.newest(place);
                let connection = self.connection.as_mut().expect("a connection");
                if kind == "joined" {
                    self.channels.insert(place.to_owned());
                    connection.joined.insert(place.to_owned());
                    let live = number(&event["seq"]);
                    let before = connection.live.insert(place.to_owned(), live);
                    assert!(before.is_none_or(|before| before <= live));
                }
                if event["more"] != true {
                    connection.behind.remove(place);
                } else if field == "channel" && newest < truth.count(place) {
                    self.ask_history(field, place);
                }
            }
            "message" | "direct" | "edited" | "deleted" | "reacted" | "deleted_message" => {
                let (field, place) = place_of(event);
                let seq = number(&event["seq"]);
                let stored = truth.stored(place, seq);
                let connection = self.connection.as_mut().expect("a connection");
                connection.newest_commit = connection.newest_commit.max(stored.commit);
                self.see(event, truth);
                let about = truth.stored(place, event["of"].as_u64().unwrap_or(seq));
                let is_gone = stored.deleted && about.gone_at() == Some(stored.commit);
                assert!(
                    !is_gone || event["text"].is_null(),
                    "it was deleted in the same turn: {event}"
                );
                let connection = self.connection.as_mut().expect("a connection");
                let is_in = field == "conversation" || connection.joined.contains(place);
                assert!(is_in, "a message of a channel that was not joined: {event}");
                let before = connection.live.insert(place.to_owned(), seq);
                let in_order = before.is_none_or(|before| before < seq);
                assert!(in_order, "out of order or twice: {before:?}, then {event}");
                if self.newest(place) < seq {
                    // A gap: a commit that failed had stored messages, or messages arrived while
                    // the client was offline.
                    self.ask_history(field, place);
                }
            }
            "cleared" => {
                let (channel, first) = (text(&event["channel"]), number(&event["first"]));
                self.forget_below(&channel, first);
                let connection = self.connection.as_mut().expect("a connection");
                connection.firsts.insert(channel, first);
            }
            "owned" => {
                let connection = self.connection.as_mut().expect("a connection");
                connection.is_owner = event["on"] == true;
                if self.reverses_decisions {
                    self.reverse_decisions(event);
                }
            }
            "ack" => self.acknowledge(event, truth),
            "error" => self.refused(event),
            "presence" => {
                for name in event["left"].as_array().expect("a list") {
                    self.online.remove(&text(name));
                }
                self.online.extend(texts(&event["joined"]));
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
                let connection = self.connection.as_mut().expect("a connection");
                connection.joined.remove(&channel);
                connection.live.remove(&channel);
            }
            "users" => {
                let names: Vec<String> = texts(&event["users"]).collect();
                let keys: BTreeSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
                assert_eq!(keys.len(), names.len(), "a name is one user's: {names:?}");
            }
            "typing" | "members" | "channels" | "channels_changed" | "help" => {}
            "door" => self.is_inside |= event["open"] == false,
            "muted" | "kicked" | "channel_changed" => {}
            other => panic!("unknown event: {other}"),
        }
    }

    /// Reverses the owner's decisions about users, as listed in `owned`, and about the door.
    fn reverse_decisions(&mut self, owned: &Value) {
        self.send(&json!({"type": "door", "open": true}));
        for (kind, list) in [("mute", "muted"), ("kick", "kicked")] {
            for row in owned[list].as_array().expect("a list") {
                self.send(&json!({"type": kind, "user": row["user"], "minutes": 0}));
            }
        }
    }

    pub(crate) fn own(&mut self) {
        self.send(&json!({"type": "own", "key": OWNER_KEY}));
    }

    fn welcome(&mut self, event: &Value) {
        self.token = text(&event["session"]);
        let author = number(&event["author"]);
        // If its session was not kept, none of its proposals was stored.
        let is_kept = [0, author].contains(&self.author) || self.acknowledged.is_empty();
        // A session that has sent messages is known after a restart.
        assert!(is_kept);
        self.is_inside &= self.author == author;
        self.is_inside |= event["door"] == false;
        self.author = author;
        self.name = text(&event["name"]);
        self.online = texts(&event["users"]).collect();
        self.count = number(&event["online"]);
        let connection = self.connection.as_mut().expect("a connection");
        connection.welcomed = true;
        if self.number == 0 {
            self.own();
        }
        if self.number.is_multiple_of(4) {
            // More requests than one turn answers, before the important ones.
            (0..20).for_each(|_| self.send_text("/channels"));
        }
        for channel in self.channels.clone() {
            self.join(&channel);
        }
        for direct in event["directs"].as_array().expect("a list") {
            let conversation = text(&direct["conversation"]);
            if self.newest(&conversation) < number(&direct["seq"]) {
                self.ask_history("conversation", &conversation);
            }
        }
        self.send_pending();
    }

    /// Compares a message or a change, live or from a page, with the one stored under its number,
    /// and keeps it.
    fn see(&mut self, event: &Value, truth: &Disk) {
        let (_, place) = place_of(event);
        let seq = number(&event["seq"]);
        let stored = truth.stored(place, seq);
        let connection = self.connection.as_ref().expect("a connection");
        let first = connection.firsts.get(place).copied().unwrap_or(1);
        assert!(seq >= first, "the channel was cleared: {event}");
        let is_mine = event["channel"].is_string() || is_of(place, self.author);
        assert!(is_mine, "a private message of others: {event}");
        let of = event["of"].as_u64();
        let newest_commit = connection.newest_commit;
        let seen = self.seen.entry(place.to_owned()).or_default();
        match (event["type"].as_str().expect("a type"), stored.kind) {
            ("message" | "direct", Kind::Message) => {
                assert_eq!(event["author"], stored.author, "{event}");
                let before = seen.insert(seq, Some(text(&event["text"])));
                check_text(event, stored, before.as_ref(), newest_commit);
            }
            ("edited", Kind::Edit { of: about }) if of == Some(about.0) => {
                let target = truth.stored(place, about.0);
                check_text(event, target, seen.get(&about.0), newest_commit);
                seen.insert(seq, None);
                if let Some(Some(known)) = seen.get_mut(&about.0) {
                    *known = text(&event["text"]);
                }
            }
            ("deleted", Kind::Delete { of: about }) if of == Some(about.0) => {
                seen.insert(seq, None);
                if let Some(known) = seen.get_mut(&about.0) {
                    *known = None;
                }
            }
            ("reacted", Kind::React { of: about, on }) if of == Some(about.0) => {
                assert_eq!(event["on"], on, "{event}");
                seen.insert(seq, None);
            }
            ("deleted_message", _) if stored.deleted => {
                seen.insert(seq, None);
            }
            _ => panic!("the stored message differs: {event}, {stored:?}"),
        }
    }

    fn acknowledge(&mut self, event: &Value, truth: &Disk) {
        let (nonce, seq) = (number(&event["id"]), number(&event["seq"]));
        let (field, place) = place_of(event);
        let stored = truth.stored(place, seq);
        let pending = self.pending.remove(&nonce);
        let known = self.acknowledged.iter().find(|known| known.nonce == nonce);
        assert_eq!(stored.author, self.author, "{event}");
        let tag = format!("{}-{nonce}", self.number);
        assert_eq!(stored.nonce, Some(tag), "{event}");
        if let Some(pending) = pending {
            if pending.change == Change::New {
                assert_eq!(stored.texts[0].0, pending.text);
            }
            let place = match field {
                "channel" => Place::Channel(place.to_owned()),
                _ => Place::Conversation(place.to_owned()),
            };
            self.acknowledged.push(Acknowledged {
                nonce,
                pending,
                seq,
                place,
            });
            self.send_pending();
        } else {
            let is_same = known.is_some_and(|known| known.seq == seq);
            assert!(is_same, "the same nonce, another number: {event}");
        }
    }

    fn refused(&mut self, event: &Value) {
        self.refusals += 1;
        match event["code"].as_str().expect("a code") {
            "name_taken" => {
                let begin: String = self.name.chars().take(8).collect();
                self.name = format!("{begin}{}", self.number);
            }
            "door_closed" => assert!(!self.is_inside, "{} had a session", self.author),
            "no_such_user" | "no_such_message" | "not_yours" => {
                // The user or the message is gone; nothing is sent again.
                _ = event["id"]
                    .as_u64()
                    .map(|nonce| self.pending.remove(&nonce));
            }
            _ => {}
        }
        let nonce = event["id"].as_u64();
        if let Some(pending) = nonce.and_then(|nonce| self.pending.get_mut(&nonce)) {
            pending.sent = false;
        }
    }
}

/// Checks the text of an event: the message has it, or had it when the event was sent, and the
/// client has seen no newer one.
fn check_text(
    event: &Value,
    stored: &LoggedMessage,
    before: Option<&Option<String>>,
    newest_commit: u64,
) {
    let index = |text: &str| stored.texts.iter().position(|(known, _)| known == text);
    let now = index(event["text"].as_str().expect("a text"));
    let now = now.unwrap_or_else(|| panic!("the message never had this text: {event}, {stored:?}"));
    let gone = stored.texts[now].1;
    let is_known = gone.is_none_or(|commit| commit >= newest_commit);
    assert!(
        is_known,
        "removed before commit {newest_commit}: {event}, {stored:?}"
    );
    let is_newer = match before {
        None => true,
        Some(None) => false,
        Some(Some(before)) => index(before).is_some_and(|before| before <= now),
    };
    assert!(is_newer, "after {before:?} came {event}");
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[track_caller]
fn texts(list: &Value) -> impl Iterator<Item = String> {
    list.as_array().expect("a list").iter().map(text)
}

/// Returns the field of an event's place, and the place.
fn place_of(event: &Value) -> (&'static str, &str) {
    let named = |field| event[field].as_str().map(|place| (field, place));
    named("channel")
        .or_else(|| named("conversation"))
        .expect("a place")
}

/// Returns whether a conversation is one of this session's.
pub(crate) fn is_of(place: &str, author: u64) -> bool {
    let two = place
        .strip_prefix('c')
        .and_then(|rest| rest.split_once('-'));
    two.is_some_and(|(one, other)| one.parse() == Ok(author) || other.parse() == Ok(author))
}

fn message(number: usize, nonce: u64, pending: &Pending) -> Value {
    let (field, place) = match &pending.place {
        Place::Channel(channel) => ("channel", channel),
        Place::Conversation(conversation) => ("conversation", conversation),
        Place::To(name) => ("to", name),
    };
    let tag = format!("{number}-{nonce}");
    let mut command = match pending.change {
        Change::New if field == "channel" => json!({"type": "message", "text": pending.text}),
        Change::New => json!({"type": "direct", "text": pending.text}),
        Change::Edit(seq) => json!({"type": "edit", "seq": seq, "text": pending.text}),
        Change::Delete(seq) => json!({"type": "delete", "seq": seq}),
        Change::React(seq, on) => json!({"type": "react", "seq": seq, "emoji": "👍", "on": on}),
    };
    command[field] = json!(place);
    (command["nonce"], command["id"]) = (json!(tag), json!(nonce));
    command
}

impl Connection {
    /// Reads messages. Returns whether the connection has ended.
    fn receive(&mut self, messages: &mut Vec<String>) -> bool {
        self.got.append(&mut self.wire.borrow_mut().sent);
        if !self.upgraded {
            let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") else {
                return self.is_over();
            };
            let head: Vec<u8> = self.got.drain(..end + 4).collect();
            if !head.starts_with(b"HTTP/1.1 101 ") {
                return true;
            }
            self.upgraded = true;
        }
        let mut bytes = std::mem::take(&mut self.got);
        let mut rest = bytes.as_mut_slice();
        let (mut replies, mut scratch) = (Vec::new(), Scratch::default());
        while let Progress::Done { value: event, used } = self
            .websocket
            .receive(rest, &mut scratch, &mut replies)
            .expect("the server's frames are valid")
        {
            match event {
                Event::Text(text) => messages.push(text.to_owned()),
                Event::Close(frame) => {
                    let code = frame.code.map_or(0, CloseCode::get);
                    let is_expected = [1000, 1001, 1002, 1008, 1013].contains(&code);
                    assert!(is_expected, "closed with {code}");
                    self.closing = true;
                }
                Event::Ping(payload) => {
                    encode_masked_message(Opcode::Pong, payload, KEY, &mut self.outgoing);
                }
                Event::Pong(_) | Event::Binary(_) => {}
            }
            rest = &mut rest[used..];
        }
        self.outgoing.append(&mut replies);
        self.is_over()
    }

    fn is_over(&self) -> bool {
        let wire = self.wire.borrow();
        self.closing || wire.shut || wire.closed
    }
}
