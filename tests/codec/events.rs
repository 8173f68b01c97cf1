//! Events as JSON, read back by serde_json; and that a message never weighs less than it is long.

use crate::random::Random;
use parlor::chat::command::RequestId;
use parlor::chat::error::CommandError;
use parlor::chat::event::{ChannelSummary, DirectSummary, Event, Joined, PlaceName, Welcome};
use parlor::chat::json::encode;
use parlor::history::{Author, Place, Proposal, Record, Seq};
use parlor::time::UnixMillis;
use serde_json::{Value, json};
use std::rc::Rc;

fn encoded(event: &Event, id: Option<RequestId>) -> String {
    let mut out = Vec::new();
    encode(event, id, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn names(names: &[&str]) -> Vec<Rc<str>> {
    names.iter().map(|name| Rc::from(*name)).collect()
}

fn said(text: &str, action: bool, nonce: Option<&str>) -> Record {
    let what = Proposal {
        place: Place::Channel("rust".into()),
        author: Author(7),
        from: "Ada".into(),
        to: None,
        text: text.into(),
        action,
        nonce: nonce.map(Into::into),
    };
    Record {
        what: Rc::new(what),
        seq: Seq(41),
        at: UnixMillis(1_700_000_000_123),
    }
}

fn said_privately(text: &str, nonce: Option<&str>) -> Record {
    let what = Proposal {
        place: Place::between(Author(9), Author(7)),
        author: Author(7),
        from: "Ada".into(),
        to: Some("Bob".into()),
        text: text.into(),
        action: false,
        nonce: nonce.map(Into::into),
    };
    Record {
        what: Rc::new(what),
        seq: Seq(1),
        at: UnixMillis(5),
    }
}

fn conversation(to: Option<&str>) -> PlaceName {
    PlaceName::Conversation {
        conversation: "7-9".into(),
        to: to.map(Into::into),
    }
}

fn channels() -> Vec<ChannelSummary> {
    vec![
        ChannelSummary {
            name: "rust".into(),
            members: 2,
            seq: Seq(41),
        },
        ChannelSummary {
            name: "go".into(),
            members: 0,
            seq: Seq(0),
        },
    ]
}

/// The whole table of PROTOCOL, «From the server».
fn table() -> Vec<(Event, Value)> {
    let rust = || PlaceName::Channel("rust".into());
    let shown =
        json!([{"name": "rust", "members": 2, "seq": 41}, {"name": "go", "members": 0, "seq": 0}]);
    let message = json!({"type": "message", "channel": "rust", "from": "Ada", "author": 7, "text": "hi", "seq": 41, "at": 1_700_000_000_123_u64});
    let direct = json!({"type": "direct", "conversation": "7-9", "from": "Ada", "author": 7, "to": "Bob", "text": "psst", "seq": 1, "at": 5});
    let with = |mut event: Value, key: &str, value: Value| {
        event[key] = value;
        event
    };
    let welcome = Welcome {
        name: "Ada".into(),
        author: Author(7),
        session: "secret".into(),
        channels: channels(),
        users: names(&["Ada", "Bob"]),
        online: 2,
        directs: vec![DirectSummary {
            conversation: "7-9".into(),
            with: "Bob".into(),
            seq: Seq(1),
            online: true,
        }],
        text_chars: 4_000,
        message_bytes: 65_536,
        epoch: "e1".into(),
        time: UnixMillis(9),
    };
    let joined = Joined {
        channel: "rust".into(),
        seq: Seq(41),
        first: Seq(2),
        members: names(&["Ada"]),
        count: 1,
        history: vec![said("hi", false, None), said("hi", false, Some("n"))],
        more: true,
    };
    vec![
        (
            Event::Welcome(Box::new(welcome)),
            json!({"type": "welcome", "name": "Ada", "author": 7, "session": "secret", "channels": shown, "users": ["Ada", "Bob"], "online": 2,
                "directs": [{"conversation": "7-9", "with": "Bob", "seq": 1, "online": true}], "limits": {"text": 4000, "message_bytes": 65536},
                "epoch": "e1", "time": 9, "server": format!("parlor {}", env!("CARGO_PKG_VERSION"))}),
        ),
        (
            Event::Joined(Box::new(joined)),
            json!({"type": "joined", "channel": "rust", "seq": 41, "first": 2, "members": ["Ada"], "count": 1,
                "history": [message, with(message.clone(), "nonce", json!("n"))], "more": true}),
        ),
        (
            Event::Left {
                channel: "rust".into(),
            },
            json!({"type": "left", "channel": "rust"}),
        ),
        (
            Event::Ack {
                place: rust(),
                seq: Seq(41),
                at: UnixMillis(5),
            },
            json!({"type": "ack", "channel": "rust", "seq": 41, "at": 5}),
        ),
        (
            Event::Ack {
                place: conversation(Some("Bob")),
                seq: Seq(1),
                at: UnixMillis(5),
            },
            json!({"type": "ack", "conversation": "7-9", "to": "Bob", "seq": 1, "at": 5}),
        ),
        (
            Event::Message {
                channel: "rust".into(),
                record: said("hi", false, None),
            },
            message.clone(),
        ),
        (
            Event::Message {
                channel: "rust".into(),
                record: said("hi", true, Some("n")),
            },
            with(
                with(message.clone(), "action", json!(true)),
                "nonce",
                json!("n"),
            ),
        ),
        (
            Event::Direct {
                conversation: "7-9".into(),
                record: said_privately("psst", None),
            },
            direct.clone(),
        ),
        (
            Event::Direct {
                conversation: "7-9".into(),
                record: said_privately("psst", Some("n")),
            },
            with(direct.clone(), "nonce", json!("n")),
        ),
        (
            Event::Typing {
                place: rust(),
                user: "Ada".into(),
            },
            json!({"type": "typing", "channel": "rust", "user": "Ada"}),
        ),
        (
            Event::Typing {
                place: conversation(Some("Bob")),
                user: "Ada".into(),
            },
            json!({"type": "typing", "conversation": "7-9", "user": "Ada"}),
        ),
        (
            Event::History {
                place: rust(),
                messages: vec![said("hi", false, None)],
                more: true,
                first: Seq(1),
            },
            json!({"type": "history", "channel": "rust", "messages": [message], "more": true, "first": 1}),
        ),
        (
            Event::History {
                place: conversation(None),
                messages: vec![said_privately("psst", None)],
                more: false,
                first: Seq(1),
            },
            json!({"type": "history", "conversation": "7-9", "messages": [direct], "more": false, "first": 1}),
        ),
        (
            Event::History {
                place: rust(),
                messages: Vec::new(),
                more: false,
                first: Seq(42),
            },
            json!({"type": "history", "channel": "rust", "messages": [], "more": false, "first": 42}),
        ),
        (
            Event::Users {
                channel: None,
                users: names(&["Ada", "Bob"]),
                count: 2,
            },
            json!({"type": "users", "users": ["Ada", "Bob"], "count": 2}),
        ),
        (
            Event::Users {
                channel: Some("rust".into()),
                users: Vec::new(),
                count: 0,
            },
            json!({"type": "users", "channel": "rust", "users": [], "count": 0}),
        ),
        (
            Event::Channels(channels()),
            json!({"type": "channels", "channels": shown}),
        ),
        (
            Event::ChannelsChanged {
                created: names(&["rust"]),
                gone: names(&["go", "c"]),
            },
            json!({"type": "channels_changed", "created": ["rust"], "gone": ["go", "c"]}),
        ),
        (
            Event::Presence {
                joined: names(&["Ada"]),
                left: names(&[]),
                online: 1,
            },
            json!({"type": "presence", "joined": ["Ada"], "left": [], "online": 1}),
        ),
        (
            Event::Members {
                channel: "rust".into(),
                joined: names(&[]),
                left: names(&["Ada"]),
                count: 0,
            },
            json!({"type": "members", "channel": "rust", "joined": [], "left": ["Ada"], "count": 0}),
        ),
        (
            Event::Renamed {
                from: "Ada".into(),
                to: "Zoë".into(),
            },
            json!({"type": "renamed", "from": "Ada", "to": "Zoë"}),
        ),
        (
            Event::Help,
            json!({"type": "help", "text": parlor::chat::line::HELP}),
        ),
        (
            Event::Error(CommandError::TooLong { limit: 4_000 }),
            json!({"type": "error", "code": "too_long", "message": "a text has at most 4000 characters"}),
        ),
        (
            Event::Error(CommandError::BadName("\"<b>\" is none".into())),
            json!({"type": "error", "code": "bad_name", "message": "\"<b>\" is none"}),
        ),
        (
            Event::Error(CommandError::RateLimited { retry_ms: 250 }),
            json!({"type": "error", "code": "rate_limited", "message": CommandError::RateLimited { retry_ms: 250 }.sentence(), "retry_ms": 250}),
        ),
    ]
}

#[test]
fn every_event() {
    for (event, expected) in table() {
        assert_eq!(
            serde_json::from_str::<Value>(&encoded(&event, None)).unwrap(),
            expected
        );
        let mut answer = expected;
        answer["id"] = json!((1_u64 << 53) - 1);
        let read: Value =
            serde_json::from_str(&encoded(&event, Some(RequestId((1 << 53) - 1)))).unwrap();
        assert_eq!(read, answer);
    }
}

#[test]
fn an_event_is_appended() {
    let mut out = b"before".to_vec();
    encode(
        &Event::Left {
            channel: "rust".into(),
        },
        None,
        &mut out,
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"before{"type":"left","channel":"rust"}"#
    );
}

#[test]
fn keys_come_once() {
    for (event, expected) in table() {
        let text = encoded(&event, Some(RequestId(1)));
        for key in expected.as_object().unwrap().keys() {
            // One level deep: nested objects have keys of their own.
            let inner: usize = expected
                .as_object()
                .unwrap()
                .values()
                .map(|value| value.to_string().matches(&format!("\"{key}\":")).count())
                .sum();
            assert_eq!(
                text.matches(&format!("\"{key}\":")).count(),
                1 + inner,
                "{key} in {text}"
            );
        }
    }
}

/// What texts and nonces may be made of, with all that is escaped or long.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "\n",
    "\t",
    "/",
    "<",
    "a",
    " ",
    "é",
    "\u{2028}",
    "\u{FEFF}",
    "\u{FFFF}",
    "😀",
    "\u{10FFFF}",
    "\\u0041",
    "\u{202E}",
];

#[test]
fn a_message_weighs_at_least_its_json() {
    let mut random = Random(7);
    for round in 0..20_000 {
        let most = if round % 100 == 0 { 4_000 } else { 20 };
        let name = |random: &mut Random| -> Rc<str> {
            random.text(&["a", "é", "東", "\u{2070E}", "."], 32).into()
        };
        let private = random.below(2) == 0;
        let what = Proposal {
            place: if private {
                Place::between(Author(1), Author(2))
            } else {
                Place::Channel(name(&mut random))
            },
            author: Author((1 << 53) - 1),
            from: name(&mut random),
            to: private.then(|| name(&mut random)),
            text: random.text(PIECES, most).into(),
            action: !private && random.below(2) == 0,
            nonce: (random.below(2) == 0)
                .then(|| random.text(&["\"", "\\", "é", "x", "😀"], 64).into()),
        };
        let record = Record {
            what: Rc::new(what),
            seq: Seq(u64::MAX),
            at: UnixMillis(u64::MAX),
        };
        let event = match &record.what.place {
            Place::Channel(channel) => Event::Message {
                channel: channel.clone(),
                record: record.clone(),
            },
            Place::Conversation(..) => Event::Direct {
                conversation: "c".repeat(64).into(),
                record: record.clone(),
            },
        };
        let text = encoded(&event, None);
        // In a page there is a comma behind it.
        assert!(
            record.weight() > text.len(),
            "{} for {} bytes: {text}",
            record.weight(),
            text.len()
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        let what = &record.what;
        assert_eq!(
            (read["text"].as_str(), read["from"].as_str()),
            (Some(&*what.text), Some(&*what.from))
        );
        assert_eq!(
            (read["nonce"].as_str(), read["to"].as_str()),
            (what.nonce.as_deref(), what.to.as_deref())
        );
    }
}
