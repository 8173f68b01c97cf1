//! Commands from JSON: each with its fields, and what is wrong with a message.

use parlor::chat::command::{Command, Draft, Query, Range, Request, RequestId, Target};
use parlor::chat::error::CommandError;
use parlor::history::Seq;
use parlor::testing::Random;

/// The code of the error, or `ok`.
fn code(json: &str) -> &'static str {
    let command = Request::parse(json).command;
    command.map_or_else(|error| error.code(), |_| "ok")
}

#[test]
fn commands_have_the_fields_of_the_protocol() {
    let channel = || Target::Channel("a".into());
    let conversation = || Target::Conversation("c".into());
    let hello = |session: Option<&str>| Command::Hello {
        name: "Ada".into(),
        session: session.map(Into::into),
    };
    let join = |since| Command::Join {
        channel: "a".into(),
        since,
    };
    let send = |to, action, nonce: Option<&str>| {
        let (text, nonce) = ("hi".into(), nonce.map(Into::into));
        Command::Send(Draft {
            to,
            text,
            action,
            nonce,
        })
    };
    let history = |target, range, limit| {
        Command::History(Query {
            target,
            range,
            limit,
        })
    };
    let leave = Command::Leave {
        channel: Some("a".into()),
    };
    let who = |channel: Option<&str>| Command::Who {
        channel: channel.map(Into::into),
    };
    let largest = Seq((1 << 53) - 1);
    let table = [
        (r#""hello","name":"Ada""#, hello(None)),
        (r#""hello","name":"Ada","session":"s""#, hello(Some("s"))),
        (
            r#""rename","name":"Ada""#,
            Command::Rename { name: "Ada".into() },
        ),
        (r#""join","channel":"a""#, join(None)),
        (r#""join","channel":"a","since":0"#, join(Some(Seq(0)))),
        (r#""leave","channel":"a""#, leave),
        (
            r#""message","channel":"a","text":"hi""#,
            send(channel(), false, None),
        ),
        (
            r#""message","channel":"a","text":"hi","action":false"#,
            send(channel(), false, None),
        ),
        (
            r#""message","channel":"a","text":"hi","action":true,"nonce":"n""#,
            send(channel(), true, Some("n")),
        ),
        (
            r#""direct","to":"Bob","text":"hi","nonce":"n""#,
            send(Target::User("Bob".into()), false, Some("n")),
        ),
        (
            r#""direct","conversation":"c","text":"hi""#,
            send(conversation(), false, None),
        ),
        (
            r#""typing","channel":"a""#,
            Command::Typing { target: channel() },
        ),
        (
            r#""typing","conversation":"c""#,
            Command::Typing {
                target: conversation(),
            },
        ),
        (
            r#""history","channel":"a""#,
            history(channel(), Range::Newest, 50),
        ),
        (
            r#""history","channel":"a","before":7,"limit":1"#,
            history(channel(), Range::Before(Seq(7)), 1),
        ),
        (
            r#""history","channel":"a","after":9007199254740991,"limit":200"#,
            history(channel(), Range::After(largest), 200),
        ),
        (
            r#""history","conversation":"c""#,
            history(conversation(), Range::Newest, 50),
        ),
        (r#""who""#, who(None)),
        (r#""who","channel":"a""#, who(Some("a"))),
        (r#""channels""#, Command::Channels),
        (r#""trace""#, Command::Trace { on: true }),
        (r#""trace","on":false"#, Command::Trace { on: false }),
    ];
    for (fields, command) in table {
        for (id, number) in [("", None), (r#""id":7,"#, Some(7)), (r#""id":null,"#, None)] {
            let json = format!(r#"{{{id}"type":{fields}}}"#);
            let request = Request::parse(&json);
            assert_eq!(request.command.as_ref(), Ok(&command), "{json}");
            assert_eq!(request.id, number.map(RequestId), "{json}");
            let free = matches!(command, Command::Hello { .. } | Command::Trace { .. });
            assert_eq!(request.needs_user, !free, "{json}");
        }
    }
    let json = r#"{"type":"try","frames":"8100"}"#;
    assert_eq!(Request::parse(json).command, Ok(Command::Try(json.into())));
}

#[test]
fn json_is_read_however_it_is_written() {
    let nested = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let deep = format!(r#"{{"type":"who","channel":"a","x":{nested}}}"#);
    let table = [
        " \t\r\n{ \"type\" : \"who\" ,\n\"channel\":\"a\" } \n",
        "\u{FEFF}{\"type\":\"who\",\"channel\":\"a\"}",
        "\u{3000}{\"type\":\"who\",\"channel\":\"a\"}",
        r#"{"\u0074ype":"\u0077ho","channel":"\u0061"}"#,
        r#"{"type":"who","channel":"a","x":1,"x":[{"y":null}],"":true}"#,
        r#"{"type":"who","channel":"a","text":5,"limit":"x","action":[]}"#,
        r#"{"type":"who","channel":"a","text":null,"since":null}"#,
        r#"{"type":"who","channel":"a","x":-1e99999,"limit":1e99999}"#,
        r#"{"type":"who","channel":"a","x":["\ud83d\ude00 \\ud83d"]}"#,
        &deep,
    ];
    let channel = Some("a".into());
    let who = Ok(Command::Who { channel });
    for json in table {
        assert_eq!(Request::parse(json).command, who, "{json:.60}");
    }
    let table = [
        (r#"\ud83d\ude00\u00e9\n\t\"\\\/"#, "😀é\n\t\"\\/"),
        (" \u{2028}\u{FEFF}\u{200D} ", " \u{2028}\u{FEFF}\u{200D} "),
    ];
    for (written, expected) in table {
        let json = format!(r#"{{"type":"message","channel":"a","text":"{written}"}}"#);
        match Request::parse(&json).command {
            Ok(Command::Send(draft)) => assert_eq!(&*draft.text, expected),
            other => panic!("{json}: {other:?}"),
        }
    }
}

#[test]
fn invalid_json_is_bad_json() {
    let table = [
        "{",
        r#"{"type":"who"}}"#,
        r#"{"type":"who"}{"type":"who"}"#,
        r#"{"type":"who"} please"#,
        "{\"type\":\"who\"}\u{FEFF}",
        "{type:who}",
        "{'type':'who'}",
        r#"{"type":"who",}"#,
        r#"{"type"}"#,
        r#"{"type":"who"/**/}"#,
        r#"{"type":"who","id":01}"#,
        r#"{"type":"who","id":+1}"#,
        r#"{"type":"who","id":NaN}"#,
        "{\"type\":\"who\",\"x\":\"\n\"}",
        r#"{"type":"who","x":"\q"}"#,
        r#"{"type":"who","x":"\u12"}"#,
        r#"{"type":"who","x":[}]}"#,
        r#"{"type":"frobnicate","x":[1,]}"#,
        r#"{"id":-1,"type":"who""#,
        // Known keys that appear twice.
        r#"{"type":"who","type":"who"}"#,
        r#"{"type":"who","channel":"a","ch\u0061nnel":"a"}"#,
        r#"{"type":"who","channel":null,"channel":"a"}"#,
        r#"{"id":1,"type":"who","id":1}"#,
        r#"{"type":"who","limit":1,"limit":1}"#,
        // Halves of surrogate pairs.
        r#"{"type":"message","channel":"a","text":"\ud83d"}"#,
        r#"{"type":"message","channel":"a","text":"\ude00"}"#,
        r#"{"type":"message","channel":"a","text":"\ude00\ud83d"}"#,
        r#"{"type":"who","x":"\uD83D\u0061"}"#,
        r#"{"type":"who","x":"\ud83d\\ude00"}"#,
        r#"{"type":"who","x":[{"y":"\uDFFF"}]}"#,
        r#"{"type":"who","\ud800":1}"#,
        r#"{"type":"who","x":{"\ud800":1}}"#,
    ];
    for json in table {
        let request = Request::parse(json);
        assert_eq!(
            request,
            Request::failed(None, CommandError::BadJson),
            "{json}"
        );
        assert!(request.is_unreadable(), "{json}");
    }
}

#[test]
fn id_is_an_unsigned_integer_below_2_to_53() {
    for id in [0, 1, (1 << 53) - 1] {
        let request = Request::parse(&format!(r#"{{"type":"who","id":{id}}}"#));
        assert_eq!(request.id, Some(RequestId(id)));
    }
    let digits = "9".repeat(5_000);
    let bad = "9007199254740992 18446744073709551616 -1 -0 1.0 0.5 1e3 1E400 \"1\" true [] [1] {} \
        {\"id\":1} \"\"";
    for id in bad.split(' ').chain([&*digits]) {
        for rest in [r#""type":"who""#, r#""type":"frobnicate""#, r#""x":1"#] {
            let request = Request::parse(&format!(r#"{{{rest},"id":{id}}}"#));
            assert_eq!(request, Request::failed(None, CommandError::BadId), "{id}");
            assert!(request.is_unreadable());
        }
    }
}

#[test]
fn unknown_types_are_unknown_and_missing_ones_bad_fields() {
    for kind in "frobnicate||Hello|hello |help|quit|nick|\\u0000".split('|') {
        let request = Request::parse(&format!(r#"{{"type":"{kind}","id":3,"text":5}}"#));
        let expected = Request::failed(Some(RequestId(3)), CommandError::UnknownType);
        assert_eq!(request, expected, "{kind}");
    }
    for kind in ["", r#","type":null"#, r#","type":5"#, r#","type":["who"]"#] {
        let request = Request::parse(&format!(r#"{{"id":3{kind}}}"#));
        assert!(
            matches!(request.command, Err(CommandError::BadField(_))),
            "{kind}"
        );
        assert_eq!(
            (request.id, request.needs_user),
            (Some(RequestId(3)), false),
            "{kind}"
        );
        assert!(!request.is_unreadable(), "{kind}");
    }
}

#[test]
fn missing_and_mistyped_fields_are_bad_fields() {
    let a = r#""channel":"a","#;
    let table = [
        (
            "hello",
            r#"| "name":null | "name":5 | "name":["a"] | "name":"a","session":5"#,
        ),
        ("rename", r#"| "name":true"#),
        (
            "join",
            r#"| "channel":1 | A"since":-1 | A"since":"1" | A"since":1.0 | A"since":false"#,
        ),
        ("join", r#"A"since":9007199254740992 | A"since":1e400"#),
        ("leave", r#"| "channel":null | "channel":{}"#),
        (
            "message",
            r#"| "channel":"a" | "text":"hi" | A"text":5 | "channel":5,"text":"hi""#,
        ),
        (
            "message",
            r#"A"text":"hi","action":1 | A"text":"hi","action":"true""#,
        ),
        (
            "direct",
            r#"| "text":"hi" | "to":"a" | "to":"a","conversation":"c","text":"hi""#,
        ),
        (
            "direct",
            r#""to":5,"text":"hi" | "to":"a","conversation":5,"text":"hi""#,
        ),
        ("direct", r#""to":null,"conversation":null,"text":"hi""#),
        (
            "typing",
            r#"| A"conversation":"c" | "channel":5 | "to":"a""#,
        ),
        (
            "history",
            r#"| A"conversation":"c" | A"before":1,"after":1 | A"before":"1""#,
        ),
        (
            "history",
            r#"A"after":-1 | A"limit":0 | A"limit":201 | A"limit":4294967297"#,
        ),
        ("history", r#"A"limit":"5" | A"limit":5.0"#),
        ("who", r#""channel":5 | "channel":[] | "channel":false"#),
        ("trace", r#""on":1 | "on":"true""#),
    ];
    for (kind, rows) in table {
        for fields in rows.split('|').map(str::trim) {
            let comma = if fields.is_empty() { "" } else { "," };
            let fields = fields.replace('A', a);
            let json = format!(r#"{{"type":"{kind}","id":3{comma}{fields}}}"#);
            let request = Request::parse(&json);
            let is_bad_field = matches!(request.command, Err(CommandError::BadField(_)));
            assert!(is_bad_field, "{json}: {request:?}");
            let needs_user = !matches!(kind, "hello" | "trace");
            assert_eq!(
                (request.id, request.needs_user),
                (Some(RequestId(3)), needs_user)
            );
        }
    }
}

#[test]
fn texts_and_nonces_have_no_control_characters() {
    let with = |key: &str, value: &str| {
        let text = if key == "text" { "" } else { r#","text":"hi""# };
        let kinds = [
            r#""type":"message","channel":"a""#,
            r#""type":"direct","to":"a""#,
            r#""type":"direct","conversation":"c""#,
        ];
        kinds.map(|kind| code(&format!(r#"{{{kind}{text},"{key}":"{value}"}}"#)))
    };
    let long = "é".repeat(70_000);
    let table = [
        ("text", "ok", &[r"a\nb\tc", "", &long, r"a\u2028b"][..]),
        (
            "text",
            "bad_field",
            &[r"a\u0000b", r"a\r\nb", r"a\b", r"\u001b[2J", r"a\u007f"],
        ),
        ("text", "bad_field", &["a\u{7F}", "\u{9B}2J", r"a\u0085"]),
        ("nonce", "ok", &["x", &"é".repeat(64), r#" \"\\ "#]),
        (
            "nonce",
            "bad_field",
            &["", &"é".repeat(65), r"a\n", r"\u0080"],
        ),
    ];
    for (key, expected, values) in table {
        for value in values {
            assert_eq!(with(key, value), [expected; 3], "{key} {value:.20}");
        }
    }
    let number = r#"{"type":"message","channel":"a","text":"hi","nonce":5}"#;
    assert_eq!(code(number), "bad_field");
    // A name is checked when the command is applied.
    assert_eq!(code(r#"{"type":"join","channel":"a\u0007"}"#), "ok");
}

/// serde_json's own reader, which does not use ours, must agree on what is JSON.
#[test]
fn random_messages_are_json_exactly_if_serde_says_so() {
    let pieces = "{ } [ ] , : \" \\ \\\" \\u d83d \\ud83d \\ude00 \\u0041 type \"type\" \"who\" \"id\" 1 -1 1.5 \
        1e-5 null true fal \n é 😀 \"x\": \"a\" \u{7} {} []";
    let mut pieces: Vec<_> = pieces.split(' ').collect();
    pieces.push(" ");
    let (mut random, mut valid) = (Random::new(42), 0);
    for _ in 0..100_000 {
        let inside = random.text(&pieces, 12);
        let messages = [
            format!("{{{inside}"),
            format!("{{\"type\":\"who\",\"x\":{inside}}}"),
            format!("{{\"x\":\"{inside}\"}}"),
        ];
        for json in messages {
            let is_bad = Request::parse(&json).command == Err(CommandError::BadJson);
            match serde_json::from_str::<serde_json::Value>(&json) {
                Err(_) => assert!(is_bad, "{json}"),
                // Known keys may appear twice, which is valid JSON.
                Ok(_) => valid += usize::from(!is_bad),
            }
        }
    }
    assert!(valid > 5_000, "only {valid} of them were JSON");
}
