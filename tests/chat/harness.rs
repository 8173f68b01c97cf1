//! Drives a [`Chat`] as the hub does, and collects what each client receives, as JSON.
//!
//! It also checks what always holds: no effect names a connection that is gone, a topic is
//! subscribed to once, and `next_deadline` announces what is due.

use parlor::chat::command::{Request, RequestId};
use parlor::chat::event::{Address, Effect, Event, Farewell, Peer, Topic};
use parlor::chat::{Chat, Departure, Keys, Outcome, codec};
use parlor::history::{Author, History, Memory};
use parlor::limits::{CONNECTION_OUTPUT_BYTES, Limits};
use parlor::time::{Millis, Now, UnixMillis};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The wall clock at the beginning.
pub(crate) const START: u64 = 1_700_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tab(pub(crate) Address);

struct Connection {
    topics: BTreeSet<Topic>,
    inbox: Vec<Value>,
    /// What was published in this turn and not yet received.
    published: Vec<(Topic, Value)>,
    farewell: Option<Farewell>,
}

pub(crate) struct World {
    pub(crate) chat: Chat,
    pub(crate) now: Now,
    pub(crate) outcome: Outcome,
    connections: BTreeMap<Address, Connection>,
    next_address: u64,
    /// Which of two topics a client receives first within a turn.
    pub(crate) topic_order: bool,
}

impl World {
    pub(crate) fn with(limits: Limits) -> Self {
        Self::remembering(limits, Box::new(Memory::new("epoch".into(), Author(0))))
    }

    pub(crate) fn remembering(limits: Limits, history: Box<dyn History>) -> Self {
        Self::new(limits, Keys::new(Some("key"), None), history)
    }

    /// Makes a world with these keys.
    pub(crate) fn new(limits: Limits, keys: Keys, history: Box<dyn History>) -> Self {
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
            chat: Chat::new(&limits, keys, history, Box::new(tokens), now),
            now,
            outcome: Outcome::default(),
            connections: BTreeMap::new(),
            next_address: 1,
            topic_order: false,
        }
    }

    pub(crate) fn connect(&mut self) -> Tab {
        self.connect_as(None)
    }

    /// Connects through a proxy that names the user, or without one.
    pub(crate) fn connect_as(&mut self, proxy_user: Option<&str>) -> Tab {
        let address = Address(self.next_address);
        self.next_address += 1;
        self.chat
            .connected(address, proxy_user.map(Box::from), self.now);
        let connection = Connection {
            topics: BTreeSet::new(),
            inbox: Vec::new(),
            published: Vec::new(),
            farewell: None,
        };
        self.connections.insert(address, connection);
        Tab(address)
    }

    /// Connects, says hello and joins channels. Discards what was received until then, and returns
    /// the session's token, too.
    pub(crate) fn enter(&mut self, name: &str, channels: &[&str]) -> (Tab, String) {
        let tab = self.connect();
        let welcome = self.ask_ok(tab, &format!("/nick {name}"));
        for channel in channels {
            self.ask_ok(tab, &format!("/join {channel}"));
        }
        self.take(tab);
        (tab, text(&welcome["session"]))
    }

    /// Sends a message without ending the turn.
    pub(crate) fn say(&mut self, tab: Tab, text: &str) {
        self.say_within(tab, text, CONNECTION_OUTPUT_BYTES);
    }

    pub(crate) fn say_within(&mut self, tab: Tab, text: &str, page_bytes: usize) {
        let mut effects = Vec::new();
        self.outcome = self.chat.apply(
            tab.0,
            Request::parse(text),
            Peer(7),
            page_bytes,
            self.now,
            &mut effects,
        );
        self.carry_out(effects);
    }

    /// Ends the turn, and delivers its events.
    pub(crate) fn commit(&mut self) {
        let mut effects = Vec::new();
        self.chat.commit(self.now, &mut effects);
        self.carry_out(effects);
        self.hand_out();
    }

    /// Sends one request in a turn of its own. Returns what the client receives.
    pub(crate) fn ask(&mut self, tab: Tab, text: &str) -> Vec<Value> {
        let before = self.connections[&tab.0].inbox.len();
        self.say(tab, text);
        self.commit();
        let connection = self.connections.get(&tab.0);
        connection.map_or_else(Vec::new, |it| it.inbox[before..].to_vec())
    }

    /// Sends one request that is not answered by an error. Returns the first event.
    #[track_caller]
    pub(crate) fn ask_ok(&mut self, tab: Tab, text: &str) -> Value {
        let answer = self.ask(tab, text);
        let is_right = answer.iter().all(|event| event["type"] != "error");
        assert!(is_right, "{text} got {answer:?}");
        answer.into_iter().next().unwrap_or(Value::Null)
    }

    /// Sends one request that is answered by an error alone. Returns the code.
    #[track_caller]
    pub(crate) fn error(&mut self, tab: Tab, text: &str) -> String {
        let answer = self.ask(tab, text);
        let is_error = answer.len() == 1 && answer[0]["type"] == "error";
        assert!(is_error, "{text} got {answer:?}");
        self.connection(tab.0).inbox.pop();
        assert!(answer[0]["message"].as_str() > Some(""));
        answer[0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Lets time pass, with a turn for each deadline.
    pub(crate) fn wait(&mut self, ms: u64) {
        let until = self.now.mono.0 + ms;
        while let Some(Millis(at)) = self.chat.next_deadline().filter(|at| at.0 <= until) {
            assert!(at >= self.now.mono.0, "the deadline at {at} was missed");
            self.begin_turn(at - self.now.mono.0);
            self.commit();
            let next = self.chat.next_deadline();
            assert!(next.is_none_or(|next| next > self.now.mono), "not done");
        }
        self.advance(until - self.now.mono.0);
    }

    /// Lets time pass, and begins a turn with what is due by then.
    pub(crate) fn begin_turn(&mut self, ms: u64) {
        self.advance(ms);
        let next = self.chat.next_deadline();
        if next.is_some_and(|at| at <= self.now.mono) {
            let mut effects = Vec::new();
            self.chat.tick(self.now, &mut effects);
            self.carry_out(effects);
        }
    }

    pub(crate) fn advance(&mut self, ms: u64) {
        self.now.mono.0 += ms;
        self.now.unix.0 += ms;
    }

    /// Ends a connection, and the turn.
    pub(crate) fn disconnect(&mut self, tab: Tab, quits: bool) {
        self.disconnect_in_turn(tab, [Departure::Lost, Departure::Quit][usize::from(quits)]);
        self.commit();
    }

    pub(crate) fn disconnect_in_turn(&mut self, tab: Tab, departure: Departure) {
        self.connections.remove(&tab.0).expect("it is connected");
        self.chat.disconnected(tab.0, departure, self.now);
    }

    /// Returns what a client received since the last call.
    pub(crate) fn take(&mut self, tab: Tab) -> Vec<Value> {
        std::mem::take(&mut self.connection(tab.0).inbox)
    }

    /// Takes the first event of one type from what a client received.
    pub(crate) fn take_first(&mut self, tab: Tab, kind: &Value) -> Option<Value> {
        let inbox = &mut self.connection(tab.0).inbox;
        let at = inbox.iter().position(|event| event["type"] == *kind)?;
        Some(inbox.remove(at))
    }

    pub(crate) fn farewell(&mut self, tab: Tab) -> Option<Farewell> {
        self.connection(tab.0).farewell
    }

    pub(crate) fn is_welcome(&self, tab: Tab) -> bool {
        self.connections[&tab.0].topics.contains(&Topic::Everyone)
    }

    fn connection(&mut self, address: Address) -> &mut Connection {
        let connection = self.connections.get_mut(&address);
        connection.unwrap_or_else(|| panic!("{address:?} is not connected"))
    }

    fn hand_out(&mut self) {
        let connections = self.connections.values_mut();
        connections.for_each(|connection| connection.catch_up(self.topic_order));
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let order = self.topic_order;
        for effect in effects {
            match effect {
                Effect::Answer { to, event, id } => {
                    self.connection(to).receive(order, shown(&event, id));
                }
                Effect::Deliver { to, event } => {
                    // Delivered twice.
                    assert_eq!(to.iter().collect::<BTreeSet<_>>().len(), to.len());
                    for address in to {
                        self.connection(address).receive(order, shown(&event, None));
                    }
                }
                Effect::Publish {
                    topic,
                    event,
                    except,
                } => {
                    let is_known = |address| self.connections.contains_key(address);
                    assert!(except.iter().all(is_known), "not connected");
                    let event = shown(&event, None);
                    for (address, connection) in &mut self.connections {
                        if connection.topics.contains(&topic) && !except.contains(address) {
                            connection.published.push((topic, event.clone()));
                        }
                    }
                }
                Effect::Subscribe { who, topic } => {
                    let is_new = self.connection(who).topics.insert(topic);
                    assert!(is_new, "subscribed twice");
                }
                Effect::Unsubscribe { who, topic } => {
                    let connection = self.connection(who);
                    connection.catch_up(order);
                    assert!(connection.topics.remove(&topic), "was not subscribed");
                }
                Effect::Close { who, why } => self.connection(who).farewell = Some(why),
            }
        }
    }
}

impl Connection {
    /// Receives an event, after what was published before it.
    fn receive(&mut self, order: bool, event: Value) {
        self.catch_up(order);
        self.inbox.push(event);
    }

    /// Receives what was published, one topic after the other, in one of the two orders.
    fn catch_up(&mut self, order: bool) {
        let is_late = |(topic, _): &(Topic, Value)| (*topic == Topic::Everyone) == order;
        self.published.sort_by_key(is_late);
        let published = self.published.drain(..);
        self.inbox.extend(published.map(|(_, event)| event));
    }
}

fn shown(event: &Event, id: Option<RequestId>) -> Value {
    let mut bytes = Vec::new();
    codec::encode(event, id, &mut bytes);
    let text = String::from_utf8(bytes).expect("JSON is UTF-8");
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    // A duplicate key would not show in the value.
    let keys = |text: &str| text.matches("\":").count();
    assert!(
        text.len() > 2_000 || keys(&text) == keys(&json.to_string()),
        "{text}"
    );
    json
}

/// A `hello` with a token.
pub(crate) fn hello_again(name: &str, session: &str) -> String {
    json!({"type": "hello", "name": name, "session": session}).to_string()
}

pub(crate) fn names(value: &Value) -> Vec<&str> {
    let names = list(value).iter();
    names.map(|name| name.as_str().expect("a name")).collect()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

pub(crate) fn seqs(messages: &Value) -> Vec<u64> {
    let messages = list(messages).iter();
    messages.map(|message| number(&message["seq"])).collect()
}
