//! A client of `/chat`: sends commands, waits for events, and checks that no others came.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Server, Wire, frame};

/// A connection to `/chat`.
pub(crate) struct Person {
    pub(crate) wire: Wire,
    /// The `welcome`, null before it.
    pub(crate) welcome: Value,
    /// Events received that no test asked for yet, in order.
    pending: VecDeque<Value>,
    last_id: u64,
}

/// Events that the server gathers and sends at a time of its choice.
pub(crate) const GATHERED: [&str; 3] = ["presence", "members", "channels_changed"];

/// Checks some fields of an event.
#[track_caller]
pub(crate) fn assert_fields(event: &Value, fields: Value) {
    for (field, value) in fields.as_object().expect("fields") {
        assert_eq!(&event[field], value, "{field} of {event}");
    }
}

impl Person {
    /// Opens `/chat` without `hello`.
    pub(crate) fn guest(server: &Server) -> Self {
        Self {
            wire: server.open("/chat"),
            welcome: Value::Null,
            pending: VecDeque::new(),
            last_id: 0,
        }
    }

    pub(crate) fn enter(server: &Server, name: &str) -> Self {
        Self::return_of(server, &Value::Null, name)
    }

    /// Opens another connection of a session.
    pub(crate) fn return_of(server: &Server, session: &Value, name: &str) -> Self {
        let mut person = Self::guest(server);
        let hello = json!({"type": "hello", "name": name, "session": session});
        person.welcome = person.ask(hello);
        assert_eq!(person.welcome["type"], "welcome", "{}", person.welcome);
        person
    }

    /// Opens a second tab.
    pub(crate) fn tab(&self, server: &Server) -> Self {
        Self::return_of(server, &self.welcome["session"], "anything")
    }

    pub(crate) fn session(&self) -> Value {
        self.welcome["session"].clone()
    }

    /// Sends a text message: a typed line, or JSON.
    pub(crate) fn line(&mut self, text: &str) {
        self.wire.text(text);
    }

    pub(crate) fn send(&mut self, command: Value) {
        self.wire.text(&command.to_string());
    }

    /// Sends a command with an id and returns its answer.
    pub(crate) fn ask(&mut self, mut command: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        command["id"] = json!(id);
        self.send(command);
        self.take_where(&format!("an answer to {id}"), |event| event["id"] == id)
    }

    /// Sends a command and returns the code of its error.
    pub(crate) fn refused(&mut self, command: Value) -> String {
        let event = self.ask(command);
        assert_eq!(event["type"], "error", "{event}");
        event["code"].as_str().expect("a code").to_owned()
    }

    pub(crate) fn join(&mut self, channel: &str) -> Value {
        let joined = self.ask(json!({"type": "join", "channel": channel}));
        assert_eq!(joined["type"], "joined", "{joined}");
        joined
    }

    /// Sends a message to a channel and returns the `ack`.
    pub(crate) fn say(&mut self, channel: &str, text: &str) -> Value {
        let ack = self.ask(json!({"type": "message", "channel": channel, "text": text}));
        assert_eq!(ack["type"], "ack", "{ack}");
        ack
    }

    /// Sends a message to a user and returns the `ack`.
    pub(crate) fn whisper(&mut self, to: &str, text: &str) -> Value {
        let ack = self.ask(json!({"type": "direct", "to": to, "text": text}));
        assert_eq!(ack["type"], "ack", "{ack}");
        ack
    }

    /// Asks how many users are online.
    pub(crate) fn online(&mut self) -> u64 {
        let users = self.ask(json!({"type": "who"}));
        users["count"].as_u64().expect("a number")
    }

    /// Receives an event, and answers pings.
    fn receive(&mut self, wanted: &str) -> Value {
        loop {
            let next = self.wire.frame(wanted);
            match next.opcode {
                1 => {
                    assert!(next.fin, "an event in one frame");
                    return serde_json::from_slice(&next.payload).expect("an event is JSON");
                }
                9 => self.wire.send(frame(0x8a, &next.payload)),
                _ => panic!("{wanted}: {next:?}; before it: {:?}", self.pending),
            }
        }
    }

    /// Takes the first event of this type and keeps the events before it.
    pub(crate) fn take(&mut self, kind: &str) -> Value {
        self.take_where(kind, |event| event["type"] == kind)
    }

    /// Takes the first matching event and keeps the events before it.
    pub(crate) fn take_where(&mut self, wanted: &str, matches: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.pending.iter().position(&matches) {
            return self.pending.remove(at).expect("it was found there");
        }
        loop {
            let event = self.receive(wanted);
            if matches(&event) {
                return event;
            }
            self.pending.push_back(event);
        }
    }

    /// Takes everything that was sent before the answer to a question asked now.
    pub(crate) fn drain(&mut self) -> Vec<Value> {
        let answer = self.ask(json!({"type": "who", "channel": "general"}));
        assert_eq!(answer["type"], "users", "{answer}");
        self.pending.drain(..).collect()
    }

    /// Checks that no event is left but gathered ones.
    pub(crate) fn assert_quiet(&mut self, name: &str) {
        let mut rest = self.drain();
        rest.retain(|event| !GATHERED.contains(&event["type"].as_str().unwrap_or_default()));
        assert!(rest.is_empty(), "{name}: {rest:?}");
    }

    /// Ends the TCP connection without a close frame.
    pub(crate) fn vanish(self) {
        drop(self);
    }

    /// Sends `/quit` and reads the close with 1000.
    pub(crate) fn quit(mut self) {
        self.line("/quit");
        assert_eq!(self.wire.skip_to_close("/quit"), Some(1000));
        self.wire.send(frame(0x88, 1000u16.to_be_bytes()));
        self.wire.raw.assert_ended("after /quit");
    }
}
