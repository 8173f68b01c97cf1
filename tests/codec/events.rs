//! Events as JSON, parsed again by serde_json; and that [`Record::weight`] is an upper bound.

use crate::random::Random;
use parlor::chat::codec::encode;
use parlor::chat::command::{HELP, RequestId};
use parlor::chat::error::CommandError;
use parlor::chat::event::{
    ChannelSummary, DirectSummary, Event, Joined, MessageLimits, PlaceName, Welcome,
};
use parlor::history::{Author, Place, Proposal, Record, Seq};
use parlor::time::UnixMillis;
use serde_json::{Value, json};
use std::rc::Rc;

fn encoded(event: &Event, id: Option<RequestId>) -> String {
    let mut out = b"before".to_vec();
    encode(event, id, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    text.strip_prefix("before").expect("appended").to_owned()
}

fn names(names: &[&str]) -> Vec<Rc<str>> {
    names.iter().map(|name| Rc::from(*name)).collect()
}

fn record(place: Place, to: Option<&str>, nonce: Option<&str>, action: bool) -> Record {
    let what = Proposal {
        place,
        author: Author(7),
        from: "Ada".into(),
        to: to.map(Into::into),
        text: "hi".into(),
        action,
        nonce: nonce.map(Into::into),
    };
    Record {
        what: Rc::new(what),
        seq: Seq(41),
        at: UnixMillis(1_700_000_000_123),
    }
}

/// Every event of the protocol.
fn table() -> Vec<(Event, Value)> {
    let rust = || PlaceName::Channel("rust".into());
    let conversation = || PlaceName::Conversation("c7-9".into());
    let message = |nonce, action| record(Place::Channel("rust".into()), None, nonce, action);
    let direct = record(
        Place::between(Author(9), Author(7)),
        Some("Bob"),
        None,
        false,
    );
    let summary = |name: &str, members, seq| ChannelSummary {
        name: name.into(),
        members,
        seq: Seq(seq),
    };
    let channels = || vec![summary("rust", 2, 41), summary("go", 0, 0)];
    let (at, seq) = (UnixMillis(5), Seq(41));
    let welcome = Welcome {
        name: "Ada".into(),
        author: Author(7),
        session: "secret".into(),
        channels: channels(),
        users: names(&["Ada", "Bob"]),
        online: 2,
        directs: vec![DirectSummary {
            conversation: "c7-9".into(),
            with: "Bob".into(),
            seq: Seq(1),
            online: true,
        }],
        limits: MessageLimits {
            text: 4_000,
            message_bytes: 65_536,
        },
        epoch: "e1".into(),
        time: UnixMillis(9),
        server: "parlor 1",
    };
    let joined = Joined {
        channel: "rust".into(),
        seq,
        first: Seq(2),
        members: names(&["Ada"]),
        count: 1,
        history: vec![message(None, false), message(Some("n"), true)],
        more: true,
    };
    let history = |place, messages, more| Event::History {
        place,
        messages,
        more,
        first: Seq(1),
    };
    let users = |channel: Option<&str>| Event::Users {
        channel: channel.map(Into::into),
        users: names(&["Ada"]),
        count: 1,
    };
    let members = Event::Members {
        channel: "rust".into(),
        joined: names(&[]),
        left: names(&["Ada"]),
        count: 0,
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
    let shown_channels =
        json!([{"name": "rust", "members": 2, "seq": 41}, {"name": "go", "members": 0, "seq": 0}]);
    let shown = json!({"type": "message", "channel": "rust", "from": "Ada", "author": 7,
        "text": "hi", "seq": 41, "at": 1_700_000_000_123_u64});
    let mut shown_action = shown.clone();
    shown_action["action"] = json!(true);
    shown_action["nonce"] = json!("n");
    let shown_direct = json!({"type": "direct", "conversation": "c7-9", "from": "Ada",
        "author": 7, "to": "Bob", "text": "hi", "seq": 41, "at": 1_700_000_000_123_u64});
    vec![
        (
            Event::Welcome(Box::new(welcome)),
            json!({"type": "welcome", "name": "Ada", "author": 7, "session": "secret",
                "channels": shown_channels, "users": ["Ada", "Bob"], "online": 2,
                "directs": [{"conversation": "c7-9", "with": "Bob", "seq": 1, "online": true}],
                "limits": {"text": 4000, "message_bytes": 65536}, "epoch": "e1", "time": 9,
                "server": "parlor 1"}),
        ),
        (
            Event::Joined(Box::new(joined)),
            json!({"type": "joined", "channel": "rust", "seq": 41, "first": 2,
                "members": ["Ada"], "count": 1, "history": [shown, shown_action], "more": true}),
        ),
        (
            Event::Left {
                channel: "rust".into(),
            },
            json!({"type": "left", "channel": "rust"}),
        ),
        (
            ack(rust(), None),
            json!({"type": "ack", "channel": "rust", "seq": 41, "at": 5}),
        ),
        (
            ack(conversation(), Some("Bob")),
            json!({"type": "ack", "conversation": "c7-9", "to": "Bob", "seq": 41, "at": 5}),
        ),
        (Event::Message(message(None, false)), shown.clone()),
        (Event::Message(message(Some("n"), true)), shown_action),
        (Event::Message(direct.clone()), shown_direct.clone()),
        (
            typing(rust()),
            json!({"type": "typing", "channel": "rust", "user": "Ada"}),
        ),
        (
            typing(conversation()),
            json!({"type": "typing", "conversation": "c7-9", "user": "Ada"}),
        ),
        (
            history(rust(), vec![message(None, false)], true),
            json!({"type": "history", "channel": "rust", "messages": [shown], "more": true,
                "first": 1}),
        ),
        (
            history(conversation(), vec![direct], false),
            json!({"type": "history", "conversation": "c7-9", "messages": [shown_direct],
                "more": false, "first": 1}),
        ),
        (
            users(None),
            json!({"type": "users", "users": ["Ada"], "count": 1}),
        ),
        (
            users(Some("rust")),
            json!({"type": "users", "channel": "rust", "users": ["Ada"], "count": 1}),
        ),
        (
            Event::Channels {
                channels: channels(),
            },
            json!({"type": "channels", "channels": shown_channels}),
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
            members,
            json!({"type": "members", "channel": "rust", "joined": [], "left": ["Ada"],
                "count": 0}),
        ),
        (
            Event::Renamed {
                from: "Ada".into(),
                to: "Zoë".into(),
            },
            json!({"type": "renamed", "from": "Ada", "to": "Zoë"}),
        ),
        (
            Event::Help { text: HELP },
            json!({"type": "help", "text": HELP}),
        ),
        (
            Event::Error(CommandError::TooLong { limit: 4_000 }),
            json!({"type": "error", "code": "too_long",
                "message": "messages can be up to 4000 characters"}),
        ),
        (
            Event::Error(CommandError::BadName("\"<b>\" is none".into())),
            json!({"type": "error", "code": "bad_name", "message": "\"<b>\" is none"}),
        ),
        (
            Event::Error(CommandError::RateLimited { retry_ms: 250 }),
            json!({"type": "error", "code": "rate_limited", "retry_ms": 250,
                "message": "too many commands; wait a moment"}),
        ),
    ]
}

#[test]
fn events_have_the_fields_of_the_protocol() {
    for (event, mut expected) in table() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let text = encoded(&event, None);
        assert_eq!(parse(&text), expected);
        // serde_json keeps the last of two equal keys, so their number is compared too.
        assert_eq!(
            text.matches("\":").count(),
            expected.to_string().matches("\":").count()
        );
        expected["id"] = json!((1_u64 << 53) - 1);
        assert_eq!(
            parse(&encoded(&event, Some(RequestId((1 << 53) - 1)))),
            expected
        );
    }
}

#[test]
fn record_weighs_at_least_its_json() {
    let pieces = [
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
    let mut random = Random(7);
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
