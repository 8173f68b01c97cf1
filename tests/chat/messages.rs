//! Messages in channels: order, acks, nonces, errors, `typing`; and a history that fails.

use crate::harness::{START, World, hello_again, number};
use parlor::chat::Departure;
use parlor::history::{
    Author, ConversationRow, Epoch, History, Memory, PageRequest, Place, Proposal, Record,
    SessionRow, Span, StoreError, Stored,
};
use parlor::limits::Limits;
use parlor::time::Now;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;

fn message(channel: &str, text: &str) -> String {
    json!({"type": "message", "channel": channel, "text": text}).to_string()
}

fn with_id(channel: &str, text: &str, id: u64) -> String {
    json!({"type": "message", "channel": channel, "text": text, "id": id}).to_string()
}

#[test]
fn message_reaches_the_channel_and_is_acknowledged() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    let cleo = world.enter("Cleo", &["general"]);
    let request = json!({"type": "message", "channel": "tea", "text": "hello", "action": true,
        "nonce": "n1", "id": 9});
    let answer = world.ask(ada, &request.to_string());
    let event = json!({"type": "message", "channel": "tea", "from": "Ada", "author": 1,
        "text": "hello", "seq": 1, "at": START, "action": true, "nonce": "n1"});
    let ack = json!({"type": "ack", "id": 9, "channel": "tea", "seq": 1, "at": START});
    assert_eq!(answer, [event.clone(), ack]);
    assert!(world.outcome.proposed);
    assert_eq!(world.take(ben), [event]);
    assert!(world.take(cleo).is_empty());
    let plain = json!({"type": "message", "channel": "tea", "from": "Ada", "author": 1,
        "text": "plain", "seq": 2, "at": START});
    assert_eq!(world.ask(ada, &message("tea", "plain")), [plain]);
}

#[test]
fn messages_of_a_turn_are_numbered_in_order_and_acks_follow() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea"]),
        world.enter("Ben", &["tea", "chess"]),
    ];
    world.take(ada);
    world.effects.clear();
    for (tab, channel, text, id) in [
        (ada, "tea", "a", 1),
        (ben, "tea", "b", 2),
        (ben, "chess", "c", 3),
        (ada, "tea", "d", 4),
    ] {
        world.say(tab, &with_id(channel, text, id));
    }
    assert!(
        world.effects.is_empty(),
        "nothing is published before the commit"
    );
    world.commit();
    assert_eq!(
        world.effect_kinds(),
        [["Publish"; 4], ["Answer"; 4]].concat()
    );
    let received = world.take(ada);
    let received = received.iter();
    let received: Vec<_> = received
        .map(|event| json!([event["text"], event["seq"], event["id"]]))
        .collect();
    let expected = json!([
        ["a", 1, null],
        ["b", 2, null],
        ["d", 3, null],
        [null, 1, 1],
        [null, 3, 4]
    ]);
    assert_eq!(Value::Array(received), expected);
}

#[test]
fn message_of_the_same_turn_follows_joined() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &[])];
    world.say(ada, "hello");
    world.say(ben, "/join tea");
    world.commit();
    let received = world.take(ben);
    let kinds = [&received[0]["type"], &received[1]["type"]];
    assert_eq!(kinds, ["joined", "message"]);
    assert_eq!(
        (&received[0]["seq"], &received[1]["seq"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn invalid_messages_are_refused() {
    let mut world = World::with(Limits {
        text_chars: 5,
        ..Limits::DEFAULT
    });
    let ada = world.enter("Ada", &["tea"]);
    let direct =
        |to: &str, text: &str| json!({"type": "direct", "to": to, "text": text}).to_string();
    let table = [
        (message("-", "a"), "bad_name"),
        (message("coffee", "a"), "no_such_channel"),
        (message("general", "a"), "not_in_channel"),
        (message("tea", ""), "empty"),
        (message("tea", " \n\t\u{3000}\u{feff}"), "empty"),
        (message("tea", "äöüßéè"), "too_long"),
        (message("tea", "\u{7}"), "bad_field"),
        (direct("Ben", "a"), "no_such_user"),
        (direct("-", "a"), "bad_name"),
        (direct("Ada", ""), "empty"),
        (direct("Ada", "123456"), "too_long"),
        (
            r#"{"type":"typing","channel":"general"}"#.into(),
            "not_in_channel",
        ),
    ];
    for (request, code) in table {
        assert_eq!(world.error(ada, &request), code, "{request}");
        assert!(
            !world.outcome.proposed && world.outcome.cost == 1,
            "{request}"
        );
    }
    for text in ["äöüßé", " a\n"] {
        assert_eq!(world.ask_ok(ada, &message("tea", text))["text"], text);
    }
}

#[test]
fn known_nonce_is_answered_with_the_first_ack() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea", "chess"]);
    let ben = world.enter("Ben", &["tea"]);
    let send = |channel: &str, nonce: &str, id: Value| {
        json!({"type": "message", "channel": channel, "text": "x", "nonce": nonce, "id": id})
            .to_string()
    };
    let first = world.ask(ada, &send("tea", "n", json!(1)));
    world.ask_ok(ada, "/nick Eve");
    world.wait(1_000);
    world.take(ben);
    let ack = json!({"type": "ack", "id": 2, "channel": "tea", "seq": 1, "at": first[1]["at"]});
    assert_eq!(
        world.ask(ada, &send("tea", "n", json!(2))),
        [ack],
        "under any name"
    );
    assert!(
        world.ask(ada, &send("tea", "n", Value::Null)).is_empty(),
        "no id, no answer"
    );
    assert!(world.take(ben).is_empty(), "it is not sent again");
    assert_eq!(
        world.ask(ada, &send("chess", "n", json!(3))).len(),
        2,
        "another channel"
    );
    assert_eq!(
        world.ask(ben, &send("tea", "n", json!(4)))[1]["seq"],
        2,
        "another user"
    );
    world.take(ben);
    for id in [5, 6] {
        world.say(ben, &send("tea", "m", json!(id)));
    }
    world.commit();
    let received = world.take(ben);
    let received = received
        .iter()
        .map(|event| (number(&event["seq"]), &event["id"]));
    let expected = [(3, &Value::Null), (3, &json!(5)), (3, &json!(6))];
    assert_eq!(
        received.collect::<Vec<_>>(),
        expected,
        "known within one commit"
    );
}

#[test]
fn typing_is_passed_on_at_most_once_a_second() {
    let mut world = World::new();
    let (tab, session) = world.hello("Ada");
    let other = world.resume(&session);
    for tab in [tab, other] {
        world.ask_ok(tab, "/join tea");
        world.ask_ok(tab, "/join chess");
    }
    let ben = world.enter("Ben", &["tea", "chess"]);
    world.wait(2_000);
    world.take_from(&[tab, other, ben]);
    let typing = |channel: &str| format!(r#"{{"type":"typing","channel":"{channel}","id":1}}"#);
    let event = |channel: &str| json!({"type": "typing", "channel": channel, "user": "Ada"});
    assert!(
        world.ask(tab, &typing("tea")).is_empty(),
        "there is no answer"
    );
    world.ask(tab, &typing("chess"));
    world.ask(other, &typing("tea"));
    world.wait(999);
    world.ask(tab, &typing("tea"));
    assert_eq!(world.take(ben), [event("tea"), event("chess")]);
    world.wait(1);
    world.ask(other, &typing("tea"));
    assert_eq!(world.take(ben), [event("tea")]);
    assert!(world.take(tab).is_empty() && world.take(other).is_empty());
}

/// A history that fails while `fails` is set.
struct Failing {
    memory: Memory,
    fails: Rc<Cell<bool>>,
}

impl Failing {
    fn check(&self) -> Result<(), StoreError> {
        if self.fails.get() {
            Err(StoreError("the disk is full".into()))
        } else {
            Ok(())
        }
    }
}

impl History for Failing {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>, StoreError> {
        self.check()?;
        self.memory.commit(proposals, sessions, now)
    }
    fn page(
        &mut self,
        place: &Place,
        ask: PageRequest,
        out: &mut Vec<Record>,
    ) -> Result<bool, StoreError> {
        self.check()?;
        self.memory.page(place, ask, out)
    }
    fn span(&mut self, place: &Place) -> Result<Span, StoreError> {
        self.check()?;
        self.memory.span(place)
    }
    fn session(&mut self, author: Author) -> Result<Option<SessionRow>, StoreError> {
        self.check()?;
        self.memory.session(author)
    }
    fn conversations(
        &mut self,
        of: Author,
        most: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        self.check()?;
        self.memory.conversations(of, most)
    }
    fn epoch(&self) -> Epoch {
        self.memory.epoch()
    }
    fn next_author(&mut self) -> Author {
        self.memory.next_author()
    }
}

#[test]
fn failing_history_is_storage_failed_and_changes_nothing() {
    let fails = Rc::new(Cell::new(false));
    let history = Failing {
        memory: Memory::new("epoch".into(), Author(0)),
        fails: fails.clone(),
    };
    let mut world = World::remembering(Limits::DEFAULT, Box::new(history));
    let (tab, session) = world.hello("Ada");
    let ben = world.enter("Ben", &["tea"]);
    world.ask_ok(tab, "/join tea");
    world.ask_ok(tab, "/msg Ben hello");
    world.wait(1_000);
    world.take_from(&[tab, ben]);
    fails.set(true);
    let with_nonce = r#"{"type":"message","channel":"tea","text":"a","nonce":"n","id":1}"#;
    world.say(tab, with_nonce);
    world.say(tab, &message("tea", "b"));
    world.say(ben, "/msg Ada c");
    world.commit();
    let mut failures = |tab| {
        let events = world.take(tab).into_iter();
        events
            .map(|event| json!([event["code"], event["id"]]))
            .collect::<Value>()
    };
    assert_eq!(
        failures(tab),
        json!([["storage_failed", 1], ["storage_failed", null]])
    );
    assert_eq!(failures(ben), json!([["storage_failed", null]]));
    let history = r#"{"type":"history","conversation":"c1-2"}"#;
    for command in ["/join coffee", "/join tea", "/history", history] {
        assert_eq!(world.error(tab, command), "storage_failed", "{command}");
    }
    assert_eq!(world.chat.channels(), 2);
    world.drop(tab);
    world.wait(30_000);
    let tab = world.connect();
    let hello = hello_again("Ada", &session);
    assert_eq!(world.error(tab, &hello), "storage_failed");
    assert_eq!(world.chat.online(), 1);
    fails.set(false);
    assert_eq!(world.ask_ok(tab, &hello)["author"], 1);
    world.ask_ok(tab, "/join tea");
    let answer = world.ask(tab, with_nonce);
    let seqs = (&answer[0]["seq"], &answer[1]["seq"]);
    assert_eq!(
        seqs,
        (&json!(1), &json!(1)),
        "no number was used, and no nonce"
    );
}

#[test]
fn ack_for_a_connection_that_is_gone_is_dropped() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.say(ada, &with_id("tea", "last words", 1));
    world.disconnect_in_turn(ada, Departure::Quit);
    let cleo = world.connect();
    world.commit();
    assert_eq!(world.take_all(ben, "message").len(), 1);
    assert!(world.take(cleo).is_empty(), "it may have the same number");
}
