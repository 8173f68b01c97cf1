//! Events as JSON, parsed again by serde_json; and that [`Record::weight`] is an upper bound.

use parlor::chat::codec::encode;
use parlor::chat::command::RequestId;
use parlor::chat::error::CommandError;
use parlor::chat::event::{
    ChannelSummary, DirectSummary, Event, Joined, MessageLimits, Sanctioned, Welcome,
};
use parlor::history::{Author, Place, Proposal, Record, Seq};
use parlor::testing::Random;
use parlor::time::UnixMillis;
use serde_json::{Value, json};
use std::rc::Rc;

fn encoded(event: &Event, id: Option<RequestId>) -> String {
    let mut out = b"before".to_vec();
    encode(event, id, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    text.strip_prefix("before").expect("appended").to_owned()
}

fn names(names: &str) -> Vec<Rc<str>> {
    names.split_whitespace().map(Into::into).collect()
}

fn record(place: Place, to: Option<&str>, nonce: Option<&str>) -> Record {
    let what = Proposal {
        place,
        author: Author(7),
        from: "Ada".into(),
        to: to.map(Into::into),
        text: "hi".into(),
        action: nonce.is_some(),
        nonce: nonce.map(Into::into),
        owner: false,
    };
    Record {
        what: Rc::new(what),
        seq: Seq(41),
        at: UnixMillis(5),
    }
}

/// Returns every event of the protocol, in the order of [`EXPECTED`].
fn events() -> Vec<Event> {
    let rust = || Place::Channel("rust".into());
    let conversation = || Place::between(Author(9), Author(7));
    let message = |nonce| record(rust(), None, nonce);
    let direct = || record(conversation(), Some("Bob"), None);
    let (at, seq, first, count) = (UnixMillis(5), Seq(41), Seq(2), 1);
    let channels = vec![ChannelSummary {
        name: "rust".into(),
        members: 2,
        seq,
    }];
    let welcome = Welcome {
        name: "Ada".into(),
        author: Author(7),
        session: "secret".into(),
        channels: channels.clone(),
        users: names("Ada Bob"),
        online: 2,
        directs: vec![DirectSummary {
            conversation: "c7-9".into(),
            with: "Bob".into(),
            seq,
            online: true,
        }],
        limits: MessageLimits {
            text: 4_000,
            message_bytes: 65_536,
        },
        epoch: "e1".into(),
        time: at,
        server: "parlor 1",
    };
    let joined = Joined {
        channel: "rust".into(),
        seq,
        first,
        members: names("Ada"),
        count,
        history: vec![message(None), message(Some("n"))],
        more: true,
    };
    let ack = |place, to: Option<&str>| Event::Ack {
        place,
        to: to.map(Into::into),
        seq,
        at,
    };
    let typing = |place| Event::Typing {
        place,
        user: "Ada".into(),
    };
    let history = |place, messages| Event::History {
        place,
        messages,
        more: false,
        first,
    };
    let users = |channel: Option<&str>| Event::Users {
        channel: channel.map(Into::into),
        users: names("Ada"),
        count,
    };
    let owned = Event::Owned {
        on: true,
        muted: vec![Sanctioned {
            user: "Bob".into(),
            until: at,
        }],
        kicked: Vec::new(),
    };
    let channel = "rust".into();
    let (from, to) = ("Ada".into(), "Zoë".into());
    let (created, gone) = (names("rust"), names("go c"));
    let (joined_names, left) = (names(""), names("Ada"));
    vec![
        Event::Welcome(Box::new(welcome)),
        Event::Joined(Box::new(joined)),
        Event::Left { channel },
        ack(rust(), None),
        ack(conversation(), Some("Bob")),
        Event::Message(message(None)),
        Event::Message(direct()),
        typing(rust()),
        typing(conversation()),
        history(rust(), vec![message(Some("n"))]),
        history(conversation(), vec![direct()]),
        users(None),
        users(Some("rust")),
        Event::Channels { channels },
        Event::ChannelsChanged { created, gone },
        Event::Presence {
            joined: joined_names.clone(),
            left: left.clone(),
            online: 1,
        },
        Event::Members {
            channel: "rust".into(),
            joined: joined_names,
            left,
            count,
        },
        Event::Renamed { from, to },
        Event::Help { text: "/help" },
        owned,
        Event::Error(CommandError::TooLong { limit: 4_000 }),
        Event::Error(CommandError::BadName("\"<b>\" is none".into())),
        Event::Error(CommandError::RateLimited { retry_ms: 250 }),
    ]
}

const EXPECTED: &str = r#"
{"type": "welcome", "name": "Ada", "author": 7, "session": "secret",
    "channels": [{"name": "rust", "members": 2, "seq": 41}], "users": ["Ada", "Bob"], "online": 2,
    "directs": [{"conversation": "c7-9", "with": "Bob", "seq": 41, "online": true}],
    "limits": {"text": 4000, "message_bytes": 65536}, "epoch": "e1", "time": 5,
    "server": "parlor 1"}
{"type": "joined", "channel": "rust", "seq": 41, "first": 2, "members": ["Ada"], "count": 1,
    "history": [
        {"type": "message", "channel": "rust", "from": "Ada", "author": 7, "text": "hi", "seq": 41,
            "at": 5},
        {"type": "message", "channel": "rust", "from": "Ada", "author": 7, "text": "hi", "seq": 41,
            "at": 5, "action": true, "nonce": "n"}], "more": true}
{"type": "left", "channel": "rust"}
{"type": "ack", "channel": "rust", "seq": 41, "at": 5}
{"type": "ack", "conversation": "c7-9", "to": "Bob", "seq": 41, "at": 5}
{"type": "message", "channel": "rust", "from": "Ada", "author": 7, "text": "hi", "seq": 41, "at": 5}
{"type": "direct", "conversation": "c7-9", "from": "Ada", "author": 7, "to": "Bob", "text": "hi",
    "seq": 41, "at": 5}
{"type": "typing", "channel": "rust", "user": "Ada"}
{"type": "typing", "conversation": "c7-9", "user": "Ada"}
{"type": "history", "channel": "rust", "messages": [
    {"type": "message", "channel": "rust", "from": "Ada", "author": 7, "text": "hi", "seq": 41,
        "at": 5, "action": true, "nonce": "n"}], "more": false, "first": 2}
{"type": "history", "conversation": "c7-9", "messages": [
    {"type": "direct", "conversation": "c7-9", "from": "Ada", "author": 7, "to": "Bob",
        "text": "hi", "seq": 41, "at": 5}], "more": false, "first": 2}
{"type": "users", "users": ["Ada"], "count": 1}
{"type": "users", "channel": "rust", "users": ["Ada"], "count": 1}
{"type": "channels", "channels": [{"name": "rust", "members": 2, "seq": 41}]}
{"type": "channels_changed", "created": ["rust"], "gone": ["go", "c"]}
{"type": "presence", "joined": [], "left": ["Ada"], "online": 1}
{"type": "members", "channel": "rust", "joined": [], "left": ["Ada"], "count": 1}
{"type": "renamed", "from": "Ada", "to": "Zoë"}
{"type": "help", "text": "/help"}
{"type": "owned", "on": true, "muted": [{"user": "Bob", "until": 5}], "kicked": []}
{"type": "error", "code": "too_long", "message": "messages can be up to 4000 characters"}
{"type": "error", "code": "bad_name", "message": "\"<b>\" is none"}
{"type": "error", "code": "rate_limited", "message": "too many commands; wait a moment",
    "retry_ms": 250}
"#;

#[test]
fn events_have_the_fields_of_the_protocol() {
    let expected = serde_json::Deserializer::from_str(EXPECTED).into_iter::<Value>();
    let expected: Vec<_> = expected.map(Result::unwrap).collect();
    assert_eq!(events().len(), expected.len());
    for (event, mut expected) in events().iter().zip(expected) {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let text = encoded(event, None);
        assert_eq!(parse(&text), expected);
        // A duplicate key would not show in the value.
        let keys = |text: &str| text.matches("\":").count();
        assert_eq!(keys(&text), keys(&expected.to_string()));
        expected["id"] = json!((1_u64 << 53) - 1);
        let answer = encoded(event, Some(RequestId((1 << 53) - 1)));
        assert_eq!(parse(&answer), expected);
    }
}

#[test]
fn record_weighs_at_least_its_json() {
    let pieces = "\" \\ \n \t / < a é \u{2028} \u{FEFF} \u{FFFF} 😀 \u{10FFFF} \\u0041 \u{202E}";
    let pieces: Vec<_> = pieces.split(' ').collect();
    let mut random = Random::new(7);
    for round in 0..20_000 {
        let most = if round % 100 == 0 { 4_000 } else { 20 };
        let name = |random: &mut Random| -> Rc<str> {
            random.text(&["a", "é", "東", "\u{2070E}", "."], 32).into()
        };
        let largest = Author((1 << 53) - 1);
        let private = random.below(2) == 0;
        let what = Rc::new(Proposal {
            place: match private {
                true => Place::between(largest, largest),
                false => Place::Channel(name(&mut random)),
            },
            author: largest,
            from: name(&mut random),
            to: private.then(|| name(&mut random)),
            text: random.text(&pieces, most).into(),
            action: !private && random.below(2) == 0,
            nonce: (random.below(2) == 0)
                .then(|| random.text(&["\"", "\\", "é", "x", "😀"], 64).into()),
            owner: !private && random.below(2) == 0,
        });
        let (seq, at) = (Seq(u64::MAX), UnixMillis(u64::MAX));
        let record = Record {
            what: what.clone(),
            seq,
            at,
        };
        let text = encoded(&Event::Message(record.clone()), None);
        // In a page, a comma follows.
        assert!(
            record.weight() > text.len(),
            "{} for {text}",
            record.weight()
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        let (text, from) = (read["text"].as_str(), read["from"].as_str());
        assert_eq!((text, from), (Some(&*what.text), Some(&*what.from)));
        let (nonce, to) = (read["nonce"].as_str(), read["to"].as_str());
        assert_eq!((nonce, to), (what.nonce.as_deref(), what.to.as_deref()));
    }
}
