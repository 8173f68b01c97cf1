//! Saying something in a channel: order, acks, nonces, errors, `typing`; and what a history that
//! fails leads to.

use crate::harness::{START, World, number};
use parlor::history::{
    Author, ConversationRow, Epoch, History, Memory, PageRequest, Place, Proposal, Record,
    SessionRow, Span, StoreError, Stored,
};
use parlor::limits::Limits;
use parlor::time::UnixMillis;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;

fn say(channel: &str, text: &str) -> String {
    json!({"type": "message", "channel": channel, "text": text}).to_string()
}

#[test]
fn every_connection_in_the_channel_gets_a_message_the_senders_too_and_then_there_is_an_ack() {
    let mut world = World::new();
    let [ada, ben, cleo] = [
        world.enter("Ada", &["tea"]),
        world.enter("Ben", &["tea"]),
        world.enter("Cleo", &["general"]),
    ];
    let answer = world.ask(
        ada,
        r#"{"type":"message","channel":"tea","text":"hello","action":true,"nonce":"n1","id":9}"#,
    );
    let message = json!({
        "type": "message", "channel": "tea", "from": "Ada", "author": 1, "text": "hello", "seq": 1, "at": START, "action": true, "nonce": "n1",
    });
    assert_eq!(
        answer,
        [
            message.clone(),
            json!({"type": "ack", "id": 9, "channel": "tea", "seq": 1, "at": START})
        ]
    );
    assert!(world.outcome.proposed);
    assert_eq!(world.take(ben), [message]);
    assert!(world.take(cleo).is_empty());
    let plain = world.ask(ada, &say("tea", "plain"));
    assert_eq!(
        plain,
        [
            json!({"type": "message", "channel": "tea", "from": "Ada", "author": 1, "text": "plain", "seq": 2, "at": START})
        ]
    );
}

#[test]
fn a_turns_messages_are_numbered_at_its_end_in_their_order_and_acknowledged_behind_them() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea"]),
        world.enter("Ben", &["tea", "chess"]),
    ];
    world.take(ada);
    world.effects.clear();
    world.say(
        ada,
        r#"{"type":"message","channel":"tea","text":"a","id":1}"#,
    );
    world.say(
        ben,
        r#"{"type":"message","channel":"tea","text":"b","id":2}"#,
    );
    world.say(
        ben,
        r#"{"type":"message","channel":"chess","text":"c","id":3}"#,
    );
    world.say(
        ada,
        r#"{"type":"message","channel":"tea","text":"d","id":4}"#,
    );
    assert!(
        world.effects.is_empty(),
        "nothing is told before the commit"
    );
    world.commit();
    let kinds: Vec<_> = world
        .effects
        .iter()
        .map(|effect| {
            format!("{effect:?}")
                .split(' ')
                .next()
                .unwrap_or("")
                .to_owned()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "Publish", "Publish", "Publish", "Publish", "Answer", "Answer", "Answer", "Answer"
        ]
    );
    let heard: Vec<_> = world
        .take(ada)
        .iter()
        .map(|event| {
            (
                event["text"].clone(),
                event["seq"].clone(),
                event["id"].clone(),
            )
        })
        .collect();
    let event = |text: Value, seq: u64, id: Value| (text, json!(seq), id);
    let null = Value::Null;
    let expected = [
        event(json!("a"), 1, null.clone()),
        event(json!("b"), 2, null.clone()),
        event(json!("d"), 3, null.clone()),
        event(null.clone(), 1, json!(1)),
        event(null, 3, json!(4)),
    ];
    assert_eq!(heard, expected);
}

#[test]
fn who_joins_in_the_turn_of_a_message_hears_it_behind_joined() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &[])];
    world.say(ada, "hello");
    world.say(ben, "/join tea");
    world.commit();
    let heard = world.take(ben);
    assert_eq!(
        (&heard[0]["type"], &heard[0]["seq"], &heard[0]["history"]),
        (&json!("joined"), &json!(0), &json!([]))
    );
    assert_eq!(
        (&heard[1]["type"], &heard[1]["seq"]),
        (&json!("message"), &json!(1))
    );
}

#[test]
fn the_order_of_errors() {
    let mut world = World::with(Limits {
        text_chars: 5,
        ..Limits::DEFAULT
    });
    let ada = world.enter("Ada", &["tea"]);
    let long = " ".repeat(6);
    let table = [
        ("a bad name before all else", say("-", ""), "bad_name"),
        (
            "no such channel before an empty text",
            say("coffee", ""),
            "no_such_channel",
        ),
        (
            "not in it before an empty text",
            say("general", ""),
            "not_in_channel",
        ),
        ("empty", say("tea", ""), "empty"),
        ("white space", say("tea", " \n\t\u{3000}\u{feff}"), "empty"),
        ("empty before too long", say("tea", &long), "empty"),
        ("six characters", say("tea", "äöüßéè"), "too_long"),
        (
            "a control character before a bad name",
            say("-", "\u{7}"),
            "bad_field",
        ),
        (
            "a nonce that is none before a bad name",
            r#"{"type":"message","channel":"-","text":"a","nonce":""}"#.into(),
            "bad_field",
        ),
        (
            "to nobody",
            r#"{"type":"direct","to":"Ben","text":""}"#.into(),
            "no_such_user",
        ),
        (
            "to a name that is none",
            r#"{"type":"direct","to":"-","text":""}"#.into(),
            "bad_name",
        ),
        (
            "to no conversation",
            r#"{"type":"direct","conversation":"c1-1","text":""}"#.into(),
            "no_such_conversation",
        ),
        (
            "nothing to oneself",
            r#"{"type":"direct","to":"Ada","text":""}"#.into(),
            "empty",
        ),
        (
            "too much to oneself",
            r#"{"type":"direct","to":"Ada","text":"123456"}"#.into(),
            "too_long",
        ),
        (
            "typing elsewhere",
            r#"{"type":"typing","channel":"general"}"#.into(),
            "not_in_channel",
        ),
    ];
    for (name, request, code) in table {
        assert_eq!(world.error(ada, &request), code, "{name}");
        assert!(!world.outcome.proposed && world.outcome.cost == 1, "{name}");
    }
    let text = "äöüßé";
    assert_eq!(
        world.ask_ok(ada, &say("tea", text))["text"],
        text,
        "five characters are not too long, however many bytes they have"
    );
    assert_eq!(
        world.ask_ok(ada, &say("tea", " a\n"))["text"],
        " a\n",
        "a text is passed on as it came"
    );
}

#[test]
fn a_known_nonce_is_not_sent_again_but_answered_with_the_ack_of_the_first() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea", "chess"]),
        world.enter("Ben", &["tea"]),
    ];
    let send = |channel: &str, id: u64| {
        format!(r#"{{"type":"message","channel":"{channel}","text":"x","nonce":"n","id":{id}}}"#)
    };
    let first = world.ask(ada, &send("tea", 1));
    world.ask_ok(ada, "/nick Eve");
    world.wait(1_000);
    world.take(ben);
    let again = world.ask(ada, &send("tea", 2));
    assert_eq!(
        again,
        [json!({"type": "ack", "id": 2, "channel": "tea", "seq": 1, "at": first[1]["at"]})],
        "by any name"
    );
    assert_eq!(
        world.ask(
            ada,
            r#"{"type":"message","channel":"tea","text":"x","nonce":"n"}"#
        ),
        Vec::<Value>::new(),
        "no answer without an id"
    );
    assert!(world.take(ben).is_empty(), "it is not sent again");
    assert_eq!(
        world.ask(ada, &send("chess", 3)).len(),
        2,
        "another channel"
    );
    assert_eq!(world.ask(ben, &send("tea", 4))[1]["seq"], 2, "another user");
    world.say(
        ben,
        r#"{"type":"message","channel":"tea","text":"x","nonce":"m","id":5}"#,
    );
    world.say(
        ben,
        r#"{"type":"message","channel":"tea","text":"y","nonce":"m","id":6}"#,
    );
    world.take(ben);
    world.commit();
    let told: Vec<_> = world
        .take(ben)
        .iter()
        .map(|event| (number(&event["seq"]), event["id"].clone()))
        .collect();
    assert_eq!(
        told,
        [(3, Value::Null), (3, json!(5)), (3, json!(6))],
        "known from the same commit"
    );
}

#[test]
fn typing_is_told_to_the_others_at_most_once_a_second() {
    let mut world = World::new();
    let tab = world.connect();
    let session = crate::harness::text(&world.ask_ok(tab, "/nick Ada")["session"]);
    let other = world.resume(&session);
    for tab in [tab, other] {
        world.ask_ok(tab, "/join tea");
        world.ask_ok(tab, "/join chess");
    }
    let ben = world.enter("Ben", &["tea", "chess"]);
    world.wait(2_000);
    world.take_from(&[tab, other, ben]);
    let typing = |channel: &str| format!(r#"{{"type":"typing","channel":"{channel}","id":1}}"#);
    assert_eq!(
        world.ask(tab, &typing("tea")),
        Vec::<Value>::new(),
        "there is no answer"
    );
    world.ask(tab, &typing("chess"));
    world.ask(other, &typing("tea"));
    world.wait(999);
    world.ask(tab, &typing("tea"));
    let event = |channel: &str| json!({"type": "typing", "channel": channel, "user": "Ada"});
    assert_eq!(world.take(ben), [event("tea"), event("chess")]);
    world.wait(1);
    world.ask(other, &typing("tea"));
    assert_eq!(world.take(ben), [event("tea")]);
    assert!(
        world.take(tab).is_empty() && world.take(other).is_empty(),
        "not to one's own connections"
    );
}

/// A history that fails where it is told to.
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
        now: UnixMillis,
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
    fn newest_author(&self) -> Author {
        self.memory.newest_author()
    }
}

#[test]
fn a_history_that_fails_is_storage_failed_and_changes_nothing() {
    let fails = Rc::new(Cell::new(false));
    let history = Failing {
        memory: Memory::new("epoch".into(), Author(0)),
        fails: fails.clone(),
    };
    let mut world = World::remembering(Limits::DEFAULT, Box::new(history));
    let tab = world.connect();
    let session = crate::harness::text(&world.ask_ok(tab, "/nick Ada")["session"]);
    let ben = world.enter("Ben", &["tea"]);
    world.ask_ok(tab, "/join tea");
    world.ask_ok(tab, "/msg Ben hello");
    world.wait(1_000);
    world.take_from(&[tab, ben]);
    fails.set(true);
    let code = |event: &Value| {
        (
            event["type"].clone(),
            event["code"].clone(),
            event["id"].clone(),
        )
    };
    let failed = |id: Value| (json!("error"), json!("storage_failed"), id);
    world.say(
        tab,
        r#"{"type":"message","channel":"tea","text":"a","nonce":"n","id":1}"#,
    );
    world.say(tab, r#"{"type":"message","channel":"tea","text":"b"}"#);
    world.say(ben, "/msg Ada c");
    world.commit();
    assert_eq!(
        world.take(tab).iter().map(code).collect::<Vec<_>>(),
        [failed(json!(1)), failed(Value::Null)]
    );
    assert_eq!(
        world.take(ben).iter().map(code).collect::<Vec<_>>(),
        [failed(Value::Null)],
        "and nobody heard anything"
    );
    for command in [
        "/join coffee",
        "/join tea",
        "/history",
        r#"{"type":"history","conversation":"c1-2"}"#,
    ] {
        assert_eq!(world.error(tab, command), "storage_failed", "{command}");
    }
    assert_eq!(world.chat.channels(), 2);
    world.drop(tab);
    world.wait(30_000);
    let tab = world.connect();
    let hello = json!({"type": "hello", "name": "Ada", "session": session}).to_string();
    assert_eq!(world.error(tab, &hello), "storage_failed");
    assert_eq!(world.chat.online(), 1);
    fails.set(false);
    assert_eq!(world.ask_ok(tab, &hello)["author"], 1);
    world.ask_ok(tab, "/join tea");
    let answer = world.ask(
        tab,
        r#"{"type":"message","channel":"tea","text":"a","nonce":"n","id":1}"#,
    );
    assert_eq!(
        (&answer[0]["seq"], &answer[1]["seq"]),
        (&json!(1), &json!(1)),
        "what failed has no number and its nonce is not known"
    );
}

#[test]
fn the_ack_of_who_is_gone_is_told_to_nobody() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.say(
        ada,
        r#"{"type":"message","channel":"tea","text":"last words","id":1}"#,
    );
    world.disconnect_in_turn(ada, parlor::chat::Departure::Quit);
    let cleo = world.connect();
    world.commit();
    assert_eq!(world.take_all(ben, "message").len(), 1);
    assert!(
        world.take(cleo).is_empty(),
        "though it may have the same number"
    );
}

#[test]
fn at_does_not_go_back_within_a_channel_when_the_wall_clock_does() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    let first = world.ask_ok(ada, "one");
    world.now.unix.0 -= 60_000;
    assert_eq!(world.ask_ok(ada, "two")["at"], first["at"]);
}
