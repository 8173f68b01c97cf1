//! Drives a [`Chat`] as the hub does, and keeps what each client was sent, as JSON.
//!
//! It also checks what holds always: no effect names a client that is gone, a topic is subscribed
//! to once, and what is due is
//! announced by `next_deadline`.

use parlor::chat::command::{Request, RequestId};
use parlor::chat::event::{Address, ClientId, Effect, Event, Farewell, Topic};
use parlor::chat::{Chat, Departure, Outcome, json};
use parlor::history::{Author, History, Memory};
use parlor::limits::{Limits, PAGE_BYTES};
use parlor::time::{Millis, Now, UnixMillis};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// When the tests begin, by the wall clock.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tab(pub(crate) Address);

struct Connection {
    client: ClientId,
    topics: BTreeSet<Topic>,
    inbox: Vec<Value>,
    /// What topics said in this turn and is not yet handed out.
    said: Vec<(Topic, Value)>,
    farewell: Option<Farewell>,
}

pub(crate) struct World {
    pub(crate) chat: Chat,
    pub(crate) now: Now,
    /// Everything that a turn led to, in order.
    pub(crate) effects: Vec<Effect>,
    pub(crate) outcome: Outcome,
    connections: BTreeMap<Address, Connection>,
    next_address: u64,
    /// In which of two orders a client is handed what topics said in one turn.
    pub(crate) topic_order: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::DEFAULT)
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::remembering(limits, Box::new(Memory::new("epoch".into(), Author(0))))
    }

    pub(crate) fn remembering(limits: Limits, history: Box<dyn History>) -> Self {
        let mut tokens = 0u128;
        let tokens = move || {
            tokens += 0x0123_4567_89ab_cdef;
            tokens.to_be_bytes()
        };
        let now = Now {
            mono: Millis(1_000),
            unix: UnixMillis(START),
        };
        Self {
            chat: Chat::new(&limits, history, Box::new(tokens), now),
            now,
            effects: Vec::new(),
            outcome: Outcome {
                cost: 0,
                proposed: false,
                page_bytes: 0,
                pages: 0,
            },
            connections: BTreeMap::new(),
            next_address: 1,
            topic_order: false,
        }
    }

    /// Another tab, that has said nothing yet.
    pub(crate) fn connect(&mut self) -> Tab {
        let address = Address(self.next_address);
        self.next_address += 1;
        let client = self.chat.connected(address, self.now);
        self.connections.insert(
            address,
            Connection {
                client,
                topics: BTreeSet::new(),
                inbox: Vec::new(),
                said: Vec::new(),
                farewell: None,
            },
        );
        Tab(address)
    }

    /// Another tab, of a new session of this name, in these channels. What it was sent until then
    /// is thrown away.
    pub(crate) fn enter(&mut self, name: &str, channels: &[&str]) -> Tab {
        let tab = self.connect();
        self.ask_ok(tab, &format!(r#"{{"type":"hello","name":"{name}"}}"#));
        for channel in channels {
            self.ask_ok(tab, &format!(r#"{{"type":"join","channel":"{channel}"}}"#));
        }
        self.take(tab);
        tab
    }

    /// Another tab of the same session.
    pub(crate) fn resume(&mut self, session: &str) -> Tab {
        let tab = self.connect();
        self.ask_ok(
            tab,
            &format!(r#"{{"type":"hello","name":"anybody","session":"{session}"}}"#),
        );
        tab
    }

    /// Says something without ending the turn.
    pub(crate) fn say(&mut self, tab: Tab, text: &str) {
        self.say_within(tab, text, PAGE_BYTES);
    }

    pub(crate) fn say_within(&mut self, tab: Tab, text: &str, page_bytes: usize) {
        let client = self.connections[&tab.0].client;
        let mut effects = Vec::new();
        self.outcome = self.chat.apply(
            client,
            Request::parse(text),
            page_bytes,
            self.now,
            &mut effects,
        );
        self.carry_out(effects);
    }

    /// The end of a turn.
    pub(crate) fn commit(&mut self) {
        let mut effects = Vec::new();
        self.chat.commit(self.now, &mut effects);
        self.carry_out(effects);
        self.hand_out();
    }

    /// One request in a turn of its own; what this client was sent by it.
    pub(crate) fn ask(&mut self, tab: Tab, text: &str) -> Vec<Value> {
        let before = self.connections[&tab.0].inbox.len();
        self.effects.clear();
        self.say(tab, text);
        self.commit();
        self.connections
            .get(&tab.0)
            .map_or_else(Vec::new, |connection| connection.inbox[before..].to_vec())
    }

    /// One request whose answer is one event, and no error.
    #[track_caller]
    pub(crate) fn ask_ok(&mut self, tab: Tab, text: &str) -> Value {
        let answer = self.ask(tab, text);
        assert!(
            answer.iter().all(|event| event["type"] != "error"),
            "{text} was answered {answer:?}"
        );
        answer.into_iter().next().unwrap_or(Value::Null)
    }

    /// The code of the error with which a request is answered; whatever else is sent is no error
    /// but a surprise.
    #[track_caller]
    pub(crate) fn error(&mut self, tab: Tab, text: &str) -> String {
        let answer = self.ask(tab, text);
        assert_eq!(answer.len(), 1, "{text} was answered {answer:?}");
        assert_eq!(answer[0]["type"], "error", "{text} was answered {answer:?}");
        assert!(
            answer[0]["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
        answer[0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Time goes by, and everything that is due in between happens at its moment.
    pub(crate) fn wait(&mut self, ms: u64) {
        let until = self.now.mono.0 + ms;
        while let Some(Millis(at)) = self.chat.next_deadline().filter(|at| at.0 <= until) {
            assert!(
                at >= self.now.mono.0,
                "a deadline at {at} was passed over at {:?}",
                self.now.mono
            );
            self.advance(at - self.now.mono.0);
            let mut effects = Vec::new();
            self.chat.tick(self.now, &mut effects);
            self.carry_out(effects);
            self.commit();
            assert!(
                self.chat
                    .next_deadline()
                    .is_none_or(|next| next > self.now.mono),
                "something is due and was not done"
            );
        }
        self.advance(until - self.now.mono.0);
    }

    /// Time goes by, and a turn begins with what is due by then.
    pub(crate) fn begin_turn(&mut self, ms: u64) {
        self.advance(ms);
        if self
            .chat
            .next_deadline()
            .is_some_and(|at| at <= self.now.mono)
        {
            let mut effects = Vec::new();
            self.chat.tick(self.now, &mut effects);
            self.carry_out(effects);
        }
    }

    pub(crate) fn advance(&mut self, ms: u64) {
        self.now.mono.0 += ms;
        self.now.unix.0 += ms;
    }

    /// The connection breaks.
    pub(crate) fn drop(&mut self, tab: Tab) {
        self.disconnect(tab, Departure::Lost);
    }

    /// A close with 1000.
    pub(crate) fn quit(&mut self, tab: Tab) {
        self.disconnect(tab, Departure::Quit);
    }

    fn disconnect(&mut self, tab: Tab, departure: Departure) {
        self.disconnect_in_turn(tab, departure);
        self.commit();
    }

    pub(crate) fn disconnect_in_turn(&mut self, tab: Tab, departure: Departure) {
        let Some(connection) = self.connections.remove(&tab.0) else {
            panic!("{tab:?} is not connected")
        };
        let mut effects = Vec::new();
        self.chat
            .disconnected(connection.client, departure, self.now, &mut effects);
        self.carry_out(effects);
    }

    /// What a client was sent since it was last asked for.
    pub(crate) fn take(&mut self, tab: Tab) -> Vec<Value> {
        std::mem::take(&mut self.connection(tab.0).inbox)
    }

    /// The same, of one type.
    pub(crate) fn take_all(&mut self, tab: Tab, kind: &str) -> Vec<Value> {
        self.take(tab)
            .into_iter()
            .filter(|event| event["type"] == kind)
            .collect()
    }

    /// Throws away what some clients were sent.
    pub(crate) fn take_from(&mut self, tabs: &[Tab]) {
        tabs.iter()
            .for_each(|tab| self.connection(tab.0).inbox.clear());
    }

    pub(crate) fn farewell(&mut self, tab: Tab) -> Option<Farewell> {
        self.connection(tab.0).farewell
    }

    /// It has said hello, and was welcome.
    pub(crate) fn is_welcome(&self, tab: Tab) -> bool {
        self.connections[&tab.0].topics.contains(&Topic::Everyone)
    }

    fn connection(&mut self, address: Address) -> &mut Connection {
        self.connections
            .get_mut(&address)
            .unwrap_or_else(|| panic!("{address:?} is not connected"))
    }

    /// The turn is over: each client is handed what the topics said, one topic after the other.
    fn hand_out(&mut self) {
        let order = self.topic_order;
        self.connections
            .values_mut()
            .for_each(|connection| connection.catch_up(order));
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let order = self.topic_order;
        for effect in effects {
            match &effect {
                Effect::Answer { to, event, id } => {
                    let event = shown(event, *id);
                    let connection = self.connection(*to);
                    connection.catch_up(order);
                    connection.inbox.push(event);
                }
                Effect::Deliver { to, event } => {
                    assert_eq!(
                        to.iter().collect::<BTreeSet<_>>().len(),
                        to.len(),
                        "delivered twice"
                    );
                    for address in to {
                        let connection = self.connection(*address);
                        connection.catch_up(order);
                        connection.inbox.push(shown(event, None));
                    }
                }
                Effect::Publish {
                    topic,
                    event,
                    except,
                } => {
                    except.iter().for_each(|address| {
                        assert!(
                            self.connections.contains_key(address),
                            "{address:?} is not connected"
                        )
                    });
                    let event = shown(event, None);
                    for (address, connection) in &mut self.connections {
                        if connection.topics.contains(topic) && !except.contains(address) {
                            connection.said.push((*topic, event.clone()));
                        }
                    }
                }
                Effect::Subscribe { who, topic } => assert!(
                    self.connection(*who).topics.insert(*topic),
                    "subscribed twice"
                ),
                Effect::Unsubscribe { who, topic } => {
                    let connection = self.connection(*who);
                    connection.catch_up(order);
                    assert!(connection.topics.remove(topic), "was not subscribed");
                }
                Effect::Close { who, why } => self.connection(*who).farewell = Some(*why),
            }
            self.effects.push(effect);
        }
    }
}

impl Connection {
    /// Between topics no order is promised: the hub hands out one after the other, and `order` is
    /// one of the two orders.
    fn catch_up(&mut self, order: bool) {
        self.said
            .sort_by_key(|(topic, _)| (*topic == Topic::Everyone) == order);
        self.inbox
            .extend(self.said.drain(..).map(|(_, event)| event));
    }
}

fn shown(event: &Event, id: Option<RequestId>) -> Value {
    let mut bytes = Vec::new();
    json::encode(event, id, &mut bytes);
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{event:?} is no JSON: {error}"))
}

/// A list of names.
pub(crate) fn names(value: &Value) -> Vec<&str> {
    list(value)
        .iter()
        .map(|name| name.as_str().unwrap_or_else(|| panic!("{name} is no name")))
        .collect()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is no list"))
}

pub(crate) fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
