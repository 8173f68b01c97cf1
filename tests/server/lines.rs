//! Typed lines: what a person types into `websocat` or `wscat`.

use serde_json::{Value, json};

use crate::harness::{Person, Server, frame};

/// What a line is answered with: the first event of the expected type has these fields.
fn assert_line(person: &mut Person, line: &str, kind: &str, fields: Value) -> Value {
    person.line(line);
    let event = person.take(kind);
    for (field, value) in fields.as_object().expect("fields") {
        assert_eq!(&event[field], value, "{line:?}: {event}");
    }
    assert!(
        event.get("id").is_none(),
        "{line:?}: a line has no id: {event}"
    );
    event
}

#[test]
fn lines_are_commands() {
    let server = Server::unhurried();
    let mut bob = server.enter("Bob");
    let mut ada = Person::guest(&server);
    let table = [
        ("/nick", "error", json!({"code": "bad_field"})),
        ("/nick a b", "error", json!({"code": "bad_name"})),
        ("/join general", "error", json!({"code": "hello_first"})),
        ("hello?", "error", json!({"code": "hello_first"})),
        ("/unknown", "error", json!({"code": "unknown_type"})),
        ("  /nick Ada  ", "welcome", json!({"name": "Ada"})),
        (
            "nobody hears it",
            "error",
            json!({"code": "not_in_channel"}),
        ),
        ("/me waves", "error", json!({"code": "not_in_channel"})),
        ("/leave", "error", json!({"code": "not_in_channel"})),
        (
            "/join #Rust",
            "joined",
            json!({"channel": "rust", "count": 1}),
        ),
        (
            "hi all",
            "message",
            json!({"channel": "rust", "text": "hi all", "from": "Ada"}),
        ),
        (
            "  white space around it  \n",
            "message",
            json!({"text": "white space around it"}),
        ),
        (
            "two\nlines are one message",
            "message",
            json!({"text": "two\nlines are one message"}),
        ),
        ("a tab\tstays", "message", json!({"text": "a tab\tstays"})),
        ("[1, 2]", "message", json!({"text": "[1, 2]"})),
        ("\"quoted\"", "message", json!({"text": "\"quoted\""})),
        ("42", "message", json!({"text": "42"})),
        ("a { within", "message", json!({"text": "a { within"})),
        (
            "//not a command",
            "message",
            json!({"text": "/not a command"}),
        ),
        ("//", "message", json!({"text": "/"})),
        ("///", "message", json!({"text": "//"})),
        (
            "/me waves  and smiles",
            "message",
            json!({"text": "waves  and smiles", "action": true}),
        ),
        ("", "error", json!({"code": "empty"})),
        ("   \n\t ", "error", json!({"code": "empty"})),
        ("\u{feff}", "error", json!({"code": "empty"})),
        ("/unknown", "error", json!({"code": "unknown_type"})),
        ("/", "error", json!({"code": "unknown_type"})),
        ("/ join", "error", json!({"code": "unknown_type"})),
        ("a bell\u{7}", "error", json!({"code": "bad_field"})),
        ("/join", "error", json!({"code": "bad_field"})),
        ("/join a b", "error", json!({"code": "bad_name"})),
        ("/join other", "joined", json!({"channel": "other"})),
        ("to the newest", "message", json!({"channel": "other"})),
        ("/who", "users", json!({"count": 2})),
        (
            "/who #rust",
            "users",
            json!({"channel": "rust", "users": ["Ada"]}),
        ),
        ("/who nowhere", "error", json!({"code": "no_such_channel"})),
        (
            "/history 1",
            "history",
            json!({"channel": "other", "more": false}),
        ),
        ("/history", "history", json!({"channel": "other"})),
        ("/history x", "error", json!({"code": "bad_field"})),
        ("/history 0", "error", json!({"code": "bad_field"})),
        ("/history 201", "error", json!({"code": "bad_field"})),
        ("/channels", "channels", json!({})),
        (
            "/msg Bob  two  words ",
            "direct",
            json!({"to": "Bob", "text": "two  words"}),
        ),
        ("/msg Nobody hi", "error", json!({"code": "no_such_user"})),
        ("/msg", "error", json!({"code": "bad_field"})),
        ("/leave rust", "left", json!({"channel": "rust"})),
        (
            "/leave nowhere",
            "error",
            json!({"code": "no_such_channel"}),
        ),
        (
            "/nick Grace",
            "renamed",
            json!({"from": "Ada", "to": "Grace"}),
        ),
        ("/nick Bob", "error", json!({"code": "name_taken"})),
        ("/leave", "left", json!({"channel": "other"})),
        (
            "nobody hears it",
            "error",
            json!({"code": "not_in_channel"}),
        ),
    ];
    for (line, kind, fields) in table {
        assert_line(&mut ada, line, kind, fields);
    }
    assert_eq!(bob.take("direct")["text"], "two  words");
}

#[test]
fn history_by_a_line_counts() {
    let server = Server::unhurried();
    let mut ada = server.enter("Ada");
    ada.line("/join general");
    for text in ["one", "two", "three"] {
        ada.line(text);
        ada.take("message");
    }
    let page = assert_line(&mut ada, "/history 2", "history", json!({"more": true}));
    assert_eq!(
        (
            page["messages"][0]["text"].as_str(),
            page["messages"].as_array().map(Vec::len)
        ),
        (Some("two"), Some(2))
    );
}

#[test]
fn json_begins_with_a_brace_whatever_white_space_stands_before_it() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    for space in ["", " ", "\n\t", "\u{feff}", " \u{feff} ", "\u{3000}"] {
        ada.line(&format!(
            "{space}{{\"type\":\"channels\"}}{}",
            if space.is_ascii() { space } else { "" }
        ));
        ada.take("channels");
    }
    assert_eq!(
        ada.refused_line("\u{feff}/nope"),
        "unknown_type",
        "a line after a U+FEFF"
    );
}

#[test]
fn help_is_there_before_hello_and_after() {
    let server = Server::start(&[]);
    let mut guest = Person::guest(&server);
    for _ in 0..2 {
        let help = assert_line(&mut guest, "/help", "help", json!({}));
        let text = help["text"].as_str().unwrap();
        for word in [
            "/nick",
            "/join",
            "/leave",
            "/msg",
            "/history",
            "/who",
            "/channels",
            "/me",
            "/help",
            "/quit",
        ] {
            assert!(text.contains(word), "{word} in {text}");
        }
        guest.line("/nick Ada");
    }
}

#[test]
fn quit_closes_with_1000() {
    let server = Server::start(&[]);
    let mut bob = server.enter("Bob");
    Person::guest(&server).quit(); // before hello too
    let ada = server.enter("Ada");
    ada.quit();
    assert_eq!(
        bob.ask(json!({"type": "who"}))["count"],
        1,
        "gone at once, not after the resume window"
    );
    // What stands behind it in the same packet is not done.
    let mut eve = server.enter("Eve");
    eve.wire.send(
        [
            frame(0x81, "/join after"),
            frame(0x81, "/quit"),
            frame(0x81, "/join never"),
        ]
        .concat(),
    );
    eve.take("joined");
    assert_eq!(eve.wire.close_frame("quit").code, Some(1000));
    assert!(
        !bob.ask(json!({"type": "channels"}))
            .to_string()
            .contains("never")
    );
}
