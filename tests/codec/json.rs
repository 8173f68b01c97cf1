//! Commands as JSON: each with its fields, and what is wrong with a message, in PROTOCOL's order.

use crate::random::Random;
use parlor::chat::command::{Command, Range, Recipient, Request, RequestId, Target, When};
use parlor::chat::error::CommandError;
use parlor::history::Seq;

fn text(text: &str) -> Box<str> {
    text.into()
}

fn some(text: &str) -> Option<Box<str>> {
    Some(text.into())
}

/// The code alone: `BadField` has a sentence, `BadId` the same code.
fn code(json: &str) -> &'static str {
    Request::parse(json)
        .command
        .map_or_else(|error| error.code(), |_| "ok")
}

#[test]
fn every_command() {
    let message = |action, nonce| Command::Message {
        channel: some("a"),
        text: text("hi"),
        action,
        nonce,
    };
    let target = || Target::Channel(text("a"));
    let history = |target, range, limit| Command::History {
        target,
        range,
        limit,
    };
    let table: Vec<(&str, Command)> = vec![
        (
            r#"{"type":"hello","name":"Ada"}"#,
            Command::Hello {
                name: text("Ada"),
                session: None,
            },
        ),
        (
            r#"{"type":"hello","name":"Ada","session":"s"}"#,
            Command::Hello {
                name: text("Ada"),
                session: some("s"),
            },
        ),
        (
            r#"{"type":"rename","name":"Ada"}"#,
            Command::Rename { name: text("Ada") },
        ),
        (
            r#"{"type":"join","channel":"a"}"#,
            Command::Join {
                channel: text("a"),
                since: None,
            },
        ),
        (
            r#"{"type":"join","channel":"a","since":0}"#,
            Command::Join {
                channel: text("a"),
                since: Some(Seq(0)),
            },
        ),
        (
            r#"{"type":"leave","channel":"a"}"#,
            Command::Leave { channel: some("a") },
        ),
        (
            r#"{"type":"message","channel":"a","text":"hi"}"#,
            message(false, None),
        ),
        (
            r#"{"type":"message","channel":"a","text":"hi","action":false}"#,
            message(false, None),
        ),
        (
            r#"{"type":"message","channel":"a","text":"hi","action":true,"nonce":"n"}"#,
            message(true, some("n")),
        ),
        (
            r#"{"type":"direct","to":"Bob","text":"hi","nonce":"n"}"#,
            Command::Direct {
                to: Recipient::User(text("Bob")),
                text: text("hi"),
                nonce: some("n"),
            },
        ),
        (
            r#"{"type":"direct","conversation":"c","text":"hi"}"#,
            Command::Direct {
                to: Recipient::Conversation(text("c")),
                text: text("hi"),
                nonce: None,
            },
        ),
        (
            r#"{"type":"typing","channel":"a"}"#,
            Command::Typing { target: target() },
        ),
        (
            r#"{"type":"typing","conversation":"c"}"#,
            Command::Typing {
                target: Target::Conversation(text("c")),
            },
        ),
        (
            r#"{"type":"history","channel":"a"}"#,
            history(target(), Range::Newest, 50),
        ),
        (
            r#"{"type":"history","channel":"a","before":7,"limit":1}"#,
            history(target(), Range::Before(Seq(7)), 1),
        ),
        (
            r#"{"type":"history","channel":"a","after":9007199254740991,"limit":200}"#,
            { history(target(), Range::After(Seq((1 << 53) - 1)), 200) },
        ),
        (
            r#"{"type":"history","conversation":"c"}"#,
            history(Target::Conversation(text("c")), Range::Newest, 50),
        ),
        (r#"{"type":"who"}"#, Command::Who { channel: None }),
        (
            r#"{"type":"who","channel":"a"}"#,
            Command::Who { channel: some("a") },
        ),
        (r#"{"type":"channels"}"#, Command::Channels),
    ];
    for (json, command) in table {
        let when = if matches!(command, Command::Hello { .. }) {
            When::BeforeHello
        } else {
            When::AfterHello
        };
        let request = |id| Request {
            id,
            when,
            command: Ok(command.clone()),
        };
        assert_eq!(Request::parse(json), request(None), "{json}");
        let with_id = json.replacen('{', r#"{"id":7,"#, 1);
        assert_eq!(
            Request::parse(&with_id),
            request(Some(RequestId(7))),
            "{with_id}"
        );
        let with_nulls = json.replacen('{', r#"{"id":null,"#, 1);
        assert_eq!(Request::parse(&with_nulls), request(None), "{with_nulls}");
    }
}

#[test]
fn how_a_message_may_be_written() {
    let who = Ok(Command::Who { channel: some("a") });
    let deep = format!(
        r#"{{"type":"who","channel":"a","x":{}{}}}"#,
        "[".repeat(30_000),
        "]".repeat(30_000)
    );
    let table: &[(&str, &str)] = &[
        (
            "white space around it",
            " \t\r\n{ \"type\" : \"who\" ,\n\"channel\":\"a\" } \n",
        ),
        (
            "U+FEFF before it",
            "\u{FEFF}{\"type\":\"who\",\"channel\":\"a\"}",
        ),
        (
            "other white space before it",
            "\u{3000}{\"type\":\"who\",\"channel\":\"a\"}",
        ),
        (
            "escapes in keys and values",
            r#"{"\u0074ype":"\u0077ho","channel":"\u0061"}"#,
        ),
        (
            "unknown fields",
            r#"{"type":"who","channel":"a","x":1,"x":[{"y":null}],"":true}"#,
        ),
        (
            "fields of other commands, whatever they are",
            r#"{"type":"who","channel":"a","text":5,"limit":"x","action":[]}"#,
        ),
        (
            "null where nothing is wanted",
            r#"{"type":"who","channel":"a","text":null,"since":null}"#,
        ),
        (
            "an unknown number that no machine can hold",
            r#"{"type":"who","channel":"a","x":-1e99999,"limit":1e99999}"#,
        ),
        (
            "a pair of surrogates in an unknown field",
            r#"{"type":"who","channel":"a","x":["\ud83d\ude00 \\ud83d"]}"#,
        ),
        ("deep nesting in an unknown field", &deep),
    ];
    for (name, json) in table {
        assert_eq!(
            Request::parse(json),
            Request {
                id: None,
                when: When::AfterHello,
                command: who.clone()
            },
            "{name}"
        );
    }
    let spoken = |json| match Request::parse(json).command {
        Ok(Command::Message { text, .. }) => text,
        other => panic!("{json}: {other:?}"),
    };
    assert_eq!(
        &*spoken(r#"{"type":"message","channel":"a","text":"\ud83d\ude00\u00e9\n\t\"\\\/"}"#),
        "😀é\n\t\"\\/"
    );
    assert_eq!(
        &*spoken(
            "{\"type\":\"message\",\"channel\":\"a\",\"text\":\" \u{2028}\u{FEFF}\u{200D} \"}"
        ),
        " \u{2028}\u{FEFF}\u{200D} "
    );
}

#[test]
fn what_is_not_one_json_object() {
    let table: &[(&str, &str)] = &[
        ("an open brace", "{"),
        ("a brace too many", r#"{"type":"who"}}"#),
        ("two objects", r#"{"type":"who"}{"type":"who"}"#),
        ("words behind it", r#"{"type":"who"} please"#),
        (
            "U+FEFF behind it is not JSON's white space",
            "{\"type\":\"who\"}\u{FEFF}",
        ),
        ("no quotes", "{type:who}"),
        ("single quotes", "{'type':'who'}"),
        ("a comma too many", r#"{"type":"who",}"#),
        ("a key without a value", r#"{"type"}"#),
        ("a comment", r#"{"type":"who"/**/}"#),
        ("a number with a leading zero", r#"{"type":"who","id":01}"#),
        ("a number with a plus", r#"{"type":"who","id":+1}"#),
        ("not a number", r#"{"type":"who","id":NaN}"#),
        (
            "a line feed within a string",
            "{\"type\":\"who\",\"x\":\"\n\"}",
        ),
        ("an unknown escape", r#"{"type":"who","x":"\q"}"#),
        ("half an escape", r#"{"type":"who","x":"\u12"}"#),
        ("brackets that do not match", r#"{"type":"who","x":[}]}"#),
        ("a type twice", r#"{"type":"who","type":"who"}"#),
        (
            "a key twice, once by an escape",
            r#"{"type":"who","channel":"a","ch\u0061nnel":"a"}"#,
        ),
        (
            "a key twice, once null",
            r#"{"type":"who","channel":null,"channel":"a"}"#,
        ),
        ("an id twice", r#"{"id":1,"type":"who","id":1}"#),
        (
            "a key of another command twice",
            r#"{"type":"who","limit":1,"limit":1}"#,
        ),
        (
            "a high surrogate alone",
            r#"{"type":"message","channel":"a","text":"\ud83d"}"#,
        ),
        (
            "a low surrogate alone",
            r#"{"type":"message","channel":"a","text":"\ude00"}"#,
        ),
        (
            "surrogates in the wrong order",
            r#"{"type":"message","channel":"a","text":"\ude00\ud83d"}"#,
        ),
        (
            "a high surrogate and a letter",
            r#"{"type":"who","x":"\uD83D\u0061"}"#,
        ),
        (
            "a high surrogate and a backslash",
            r#"{"type":"who","x":"\ud83d\\ude00"}"#,
        ),
        (
            "a surrogate in an unknown field, deep down",
            r#"{"type":"who","x":[{"y":"\uDFFF"}]}"#,
        ),
        (
            "a surrogate in an unknown key",
            r#"{"type":"who","\ud800":1}"#,
        ),
        (
            "a surrogate in a key deep down",
            r#"{"type":"who","x":{"\ud800":1}}"#,
        ),
        (
            "wrong in a field that is not looked at",
            r#"{"type":"frobnicate","x":[1,]}"#,
        ),
        ("a bad id does not matter then", r#"{"id":-1,"type":"who""#),
    ];
    for (name, json) in table {
        let expected = Request {
            id: None,
            when: When::Always,
            command: Err(CommandError::BadJson),
        };
        assert_eq!(Request::parse(json), expected, "{name}");
        assert!(Request::parse(json).is_unreadable(), "{name}");
    }
}

#[test]
fn ids() {
    for (id, number) in [("0", 0), ("1", 1), ("9007199254740991", (1 << 53) - 1)] {
        assert_eq!(
            Request::parse(&format!(r#"{{"type":"who","id":{id}}}"#)).id,
            Some(RequestId(number)),
            "{id}"
        );
    }
    let digits = "9".repeat(5_000);
    let bad = [
        "9007199254740992",
        "18446744073709551616",
        "-1",
        "-0",
        "1.0",
        "0.5",
        "1e3",
        "1E400",
        "-1e400",
        &digits,
        r#""1""#,
        "true",
        "[]",
        "[1]",
        "{}",
        r#"{"id":1}"#,
        r#""""#,
    ];
    for id in bad {
        for rest in [
            r#""type":"who""#,
            r#""type":"frobnicate""#,
            r#""type":"message","text":5"#,
            r#""x":1"#,
        ] {
            let request = Request::parse(&format!(r#"{{{rest},"id":{id}}}"#));
            assert_eq!(
                request,
                Request {
                    id: None,
                    when: When::Always,
                    command: Err(CommandError::BadId)
                },
                "{id}"
            );
            assert!(request.is_unreadable());
        }
    }
}

#[test]
fn types_that_are_none() {
    for kind in [
        "frobnicate",
        "",
        "Hello",
        "hello ",
        "help",
        "quit",
        "nick",
        "welcome",
        "\\u0000",
    ] {
        let request = Request::parse(&format!(r#"{{"type":"{kind}","id":3,"text":5}}"#));
        let expected = Request {
            id: Some(RequestId(3)),
            when: When::Always,
            command: Err(CommandError::UnknownType),
        };
        assert_eq!(request, expected, "{kind}");
    }
    for json in [
        r#"{"id":3}"#,
        r#"{"id":3,"type":null}"#,
        r#"{"id":3,"type":5}"#,
        r#"{"id":3,"type":["who"]}"#,
        r#"{"id":3,"type":true}"#,
    ] {
        let request = Request::parse(json);
        assert_eq!(
            (code(json), request.id, request.when),
            ("bad_field", Some(RequestId(3)), When::Always),
            "{json}"
        );
        assert!(!request.is_unreadable(), "{json}");
    }
}

#[test]
fn fields_that_are_missing_or_wrong() {
    let table: &[(&str, &[&str])] = &[
        (
            "hello",
            &[
                "",
                r#""name":null"#,
                r#""name":5"#,
                r#""name":["a"]"#,
                r#""name":"a","session":5"#,
                r#""name":"a","session":{}"#,
            ],
        ),
        ("rename", &["", r#""name":true"#]),
        (
            "join",
            &[
                "",
                r#""channel":1"#,
                r#""channel":"a","since":-1"#,
                r#""channel":"a","since":"1""#,
                r#""channel":"a","since":1.0"#,
            ],
        ),
        (
            "join",
            &[
                r#""channel":"a","since":9007199254740992"#,
                r#""channel":"a","since":1e400"#,
                r#""channel":"a","since":false"#,
            ],
        ),
        ("leave", &["", r#""channel":null"#, r#""channel":{}"#]),
        (
            "message",
            &[
                "",
                r#""channel":"a""#,
                r#""text":"hi""#,
                r#""channel":"a","text":5"#,
                r#""channel":5,"text":"hi""#,
            ],
        ),
        (
            "message",
            &[
                r#""channel":"a","text":"hi","action":1"#,
                r#""channel":"a","text":"hi","action":"true""#,
            ],
        ),
        (
            "direct",
            &[
                "",
                r#""text":"hi""#,
                r#""to":"a""#,
                r#""to":"a","conversation":"c","text":"hi""#,
                r#""to":5,"text":"hi""#,
            ],
        ),
        (
            "direct",
            &[
                r#""to":"a","conversation":5,"text":"hi""#,
                r#""to":null,"conversation":null,"text":"hi""#,
            ],
        ),
        (
            "typing",
            &[
                "",
                r#""channel":"a","conversation":"c""#,
                r#""channel":5"#,
                r#""to":"a""#,
            ],
        ),
        (
            "history",
            &[
                "",
                r#""channel":"a","conversation":"c""#,
                r#""channel":"a","before":1,"after":1"#,
                r#""channel":"a","before":"1""#,
            ],
        ),
        (
            "history",
            &[
                r#""channel":"a","after":-1"#,
                r#""channel":"a","limit":0"#,
                r#""channel":"a","limit":201"#,
            ],
        ),
        (
            "history",
            &[
                r#""channel":"a","limit":4294967297"#,
                r#""channel":"a","limit":"5""#,
                r#""channel":"a","limit":5.0"#,
            ],
        ),
        (
            "who",
            &[r#""channel":5"#, r#""channel":[]"#, r#""channel":false"#],
        ),
    ];
    for (kind, rows) in table {
        for fields in *rows {
            let comma = if fields.is_empty() { "" } else { "," };
            let json = format!(r#"{{"type":"{kind}","id":3{comma}{fields}}}"#);
            let request = Request::parse(&json);
            let when = if *kind == "hello" {
                When::BeforeHello
            } else {
                When::AfterHello
            };
            assert!(
                matches!(request.command, Err(CommandError::BadField(sentence)) if !sentence.is_empty()),
                "{json}: {request:?}"
            );
            assert_eq!(
                (request.id, request.when),
                (Some(RequestId(3)), when),
                "{json}"
            );
        }
    }
}

#[test]
fn texts_and_nonces() {
    let with = |key: &str, value: &str| {
        let text = if key == "text" {
            String::new()
        } else {
            r#","text":"hi""#.to_owned()
        };
        [
            r#""type":"message","channel":"a""#,
            r#""type":"direct","to":"a""#,
            r#""type":"direct","conversation":"c""#,
        ]
        .map(|kind| code(&format!(r#"{{{kind}{text},"{key}":"{value}"}}"#)))
    };
    let long = "é".repeat(70_000);
    let table: &[(&str, &str, &str, &str)] = &[
        ("line feed and tab", "text", r"a\nb\tc", "ok"),
        ("nothing: for the chat to judge", "text", "", "ok"),
        ("too much: for the chat to judge", "text", &long, "ok"),
        ("NUL", "text", r"a\u0000b", "bad_field"),
        ("carriage return", "text", r"a\r\nb", "bad_field"),
        ("backspace", "text", r"a\b", "bad_field"),
        ("escape", "text", r"\u001b[2J", "bad_field"),
        ("delete", "text", r"a\u007f", "bad_field"),
        ("delete, unescaped", "text", "a\u{7F}", "bad_field"),
        ("C1", "text", "\u{9B}2J", "bad_field"),
        ("next line", "text", r"a\u0085", "bad_field"),
        ("line separator is none", "text", r"a\u2028b", "ok"),
        ("a nonce of one", "nonce", "x", "ok"),
        ("a nonce of 64", "nonce", &"é".repeat(64), "ok"),
        ("a nonce of 65", "nonce", &"é".repeat(65), "bad_field"),
        ("an empty nonce", "nonce", "", "bad_field"),
        ("a line feed in a nonce", "nonce", r"a\n", "bad_field"),
        ("C1 in a nonce", "nonce", r"\u0080", "bad_field"),
        ("a nonce of spaces and quotes", "nonce", r#" \"\\ "#, "ok"),
    ];
    for (name, key, value, expected) in table {
        assert_eq!(with(key, value), [*expected; 3], "{name}");
    }
    assert_eq!(
        code(r#"{"type":"message","channel":"a","text":"hi","nonce":5}"#),
        "bad_field"
    );
    // A name's characters are judged with the name (`bad_name`), so this is a command still.
    assert_eq!(code(r#"{"type":"join","channel":"a\u0007"}"#), "ok");
}

/// serde_json's own reader, which knows nothing of ours, must agree about what is JSON.
#[test]
fn made_up_messages() {
    let pieces = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\\"", "\\u", "d83d", "\\ud83d", "\\ude00",
        "\\u0041", "type", "\"type\"", "\"who\"", "\"id\"", "1", "-1", "1.5", "1e-5", "null",
        "true", "fal", " ", "\n", "é", "😀", "\"x\":", "\"a\"", "\u{7}", "{}", "[]",
    ];
    let (mut random, mut read) = (Random(42), 0);
    for _ in 0..100_000 {
        let inside = random.text(&pieces, 12);
        for json in [
            format!("{{{inside}"),
            format!("{{\"type\":\"who\",\"x\":{inside}}}"),
            format!("{{\"x\":\"{inside}\"}}"),
        ] {
            let unreadable = Request::parse(&json).command == Err(CommandError::BadJson);
            match serde_json::from_str::<serde_json::Value>(&json) {
                Err(_) => assert!(unreadable, "{json}"),
                // A known key may come twice, which is JSON for others.
                Ok(_) => read += usize::from(!unreadable),
            }
        }
    }
    assert!(read > 5_000, "only {read} of them were JSON");
}
