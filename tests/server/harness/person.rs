//! Somebody who chats: sends commands, looks for the events that are expected, and can prove that
//! nothing else came.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Server, Wire, frame};

/// A client on `/chat`.
pub(crate) struct Person {
    pub(crate) wire: Wire,
    /// The `welcome`, null before it.
    pub(crate) welcome: Value,
    /// Events that came and were not asked for yet, in their order.
    pending: VecDeque<Value>,
    last_id: u64,
}

/// What is told when it suits the server, so that no test may depend on when.
fn is_gathered(event: &Value) -> bool {
    ["presence", "members", "channels_changed"]
        .iter()
        .any(|kind| event["type"] == *kind)
}

impl Person {
    /// A client that has not said `hello`.
    pub(crate) fn guest(server: &Server) -> Self {
        Self {
            wire: server.open("/chat"),
            welcome: Value::Null,
            pending: VecDeque::new(),
            last_id: 0,
        }
    }

    pub(crate) fn enter(server: &Server, name: &str) -> Self {
        let mut person = Self::guest(server);
        let welcome = person.ask(json!({"type": "hello", "name": name}));
        assert_eq!(welcome["type"], "welcome", "{name}: {welcome}");
        person.welcome = welcome;
        person
    }

    /// Another connection of the same session: a second tab, or a return.
    pub(crate) fn return_of(server: &Server, session: &Value, name: &str) -> Self {
        let mut person = Self::guest(server);
        let welcome = person.ask(json!({"type": "hello", "name": name, "session": session}));
        assert_eq!(welcome["type"], "welcome", "{name}: {welcome}");
        person.welcome = welcome;
        person
    }

    /// A second tab.
    pub(crate) fn tab(&self, server: &Server) -> Self {
        Self::return_of(server, &self.welcome["session"], "anything")
    }

    pub(crate) fn session(&self) -> Value {
        self.welcome["session"].clone()
    }

    /// Sends a text message as it is: a typed line, or JSON made by hand.
    pub(crate) fn line(&mut self, text: &str) {
        self.wire.text(text);
    }

    pub(crate) fn send(&mut self, command: Value) {
        self.wire.text(&command.to_string());
    }

    /// Sends a command with an id of its own, and gives back what answers it.
    pub(crate) fn ask(&mut self, mut command: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        command["id"] = json!(id);
        self.send(command);
        self.take_where(&format!("an answer to {id}"), |event| event["id"] == id)
    }

    /// The code of the error that a command gets.
    pub(crate) fn refused(&mut self, command: Value) -> String {
        let shown = command.to_string();
        let event = self.ask(command);
        code_of(&shown, &event)
    }

    /// The code of the error that a line, or JSON made by hand, gets next.
    pub(crate) fn refused_line(&mut self, line: &str) -> String {
        self.line(line);
        let event = self.take("error");
        code_of(line, &event)
    }

    pub(crate) fn join(&mut self, channel: &str) -> Value {
        let joined = self.ask(json!({"type": "join", "channel": channel}));
        assert_eq!(joined["type"], "joined", "{joined}");
        joined
    }

    /// Says something in a channel, and gives back the `ack`.
    pub(crate) fn say(&mut self, channel: &str, text: &str) -> Value {
        let ack = self.ask(json!({"type": "message", "channel": channel, "text": text}));
        assert_eq!(ack["type"], "ack", "{ack}");
        ack
    }

    /// Says something to a user, and gives back the `ack`.
    pub(crate) fn whisper(&mut self, to: &str, text: &str) -> Value {
        let ack = self.ask(json!({"type": "direct", "to": to, "text": text}));
        assert_eq!(ack["type"], "ack", "{ack}");
        ack
    }

    /// The next event from the socket.
    fn receive(&mut self, wanted: &str) -> Value {
        loop {
            let next = self.wire.frame(wanted);
            match next.opcode {
                1 => {
                    assert!(next.fin, "an event in one frame");
                    let event: Value =
                        serde_json::from_slice(&next.payload).expect("an event is JSON");
                    assert!(event["type"].is_string(), "{event}");
                    return event;
                }
                9 => self.wire.send(frame(0x8a, &next.payload)),
                _ => panic!(
                    "{wanted} was expected: {next:?}, {}; before: {:?}",
                    String::from_utf8_lossy(&next.payload),
                    self.pending
                ),
            }
        }
    }

    /// The first event of this type; what came before it is kept.
    pub(crate) fn take(&mut self, kind: &str) -> Value {
        self.take_where(kind, |event| event["type"] == kind)
    }

    /// The first event that is the wanted one; what came before it is kept.
    pub(crate) fn take_where(&mut self, wanted: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.pending.iter().position(&is_it) {
            return self.pending.remove(at).expect("it was found there");
        }
        loop {
            let event = self.receive(wanted);
            if is_it(&event) {
                return event;
            }
            self.pending.push_back(event);
        }
    }

    /// Everything that has come, until the server has answered a question that is asked now.
    pub(crate) fn drain(&mut self) -> Vec<Value> {
        let answer = self.ask(json!({"type": "who", "channel": "general"}));
        assert!(answer["type"] == "users", "{answer}");
        self.pending.drain(..).collect()
    }

    /// Nothing came that was not taken, besides what is told when it suits the server.
    pub(crate) fn assert_quiet(&mut self, name: &str) {
        let rest: Vec<Value> = self
            .drain()
            .into_iter()
            .filter(|event| !is_gathered(event))
            .collect();
        assert!(rest.is_empty(), "{name}: {rest:?}");
    }

    /// Ends the TCP connection without a word.
    pub(crate) fn vanish(self) {
        drop(self);
    }

    /// `/quit`: answered with 1000, and gone at once.
    pub(crate) fn quit(mut self) {
        self.line("/quit");
        loop {
            let next = self.wire.frame("the close");
            if next.opcode == 8 {
                assert_eq!(next.payload.get(..2), Some(&1000u16.to_be_bytes()[..]));
                break;
            }
        }
        self.wire.send(frame(0x88, 1000u16.to_be_bytes()));
        self.wire.raw.assert_ended("after /quit");
    }
}

fn code_of(command: &str, event: &Value) -> String {
    assert_eq!(event["type"], "error", "{command}: {event}");
    assert!(
        event["message"]
            .as_str()
            .is_some_and(|message| message.len() > 5),
        "{command}: {event} explains itself"
    );
    assert_eq!(
        event["code"] == "rate_limited",
        event["retry_ms"].is_u64(),
        "{command}: {event}"
    );
    event["code"].as_str().expect("a code").to_owned()
}
