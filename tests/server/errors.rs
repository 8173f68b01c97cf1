//! Commands that fail: which error code, and which one first where several are possible.

use serde_json::json;

use crate::harness::{Person, Server};

#[test]
fn json_that_is_wrong() {
    let server = Server::unhurried();
    for entered in [false, true] {
        let mut ada = if entered {
            server.enter("Ada")
        } else {
            Person::guest(&server)
        };
        for (name, line) in [
            ("an end that is missing", r#"{"type":"channels""#),
            ("a brace alone", "{"),
            ("something behind it", r#"{"type":"channels"} x"#),
            ("two of them", r#"{"type":"channels"}{"type":"channels"}"#),
            ("a comma too many", r#"{"type":"channels",}"#),
            ("a key without quotes", r#"{type:"channels"}"#),
            ("single quotes", "{'type':'channels'}"),
            ("half of a pair", r#"{"type":"\ud800"}"#),
            (
                "a control character within a string",
                "{\"type\":\"chan\nnels\"}",
            ),
            ("an unknown escape", r#"{"type":"\x63hannels"}"#),
            (
                "a number with a leading zero",
                r#"{"type":"channels","id":01}"#,
            ),
            ("NaN", r#"{"type":"channels","id":NaN}"#),
            ("a comment", r#"{"type":"channels"/**/}"#),
            ("the type twice", r#"{"type":"channels","type":"channels"}"#),
            (
                "the type twice, once in escapes",
                r#"{"type":"channels","\u0074ype":"channels"}"#,
            ),
            ("an id twice", r#"{"type":"channels","id":1,"id":1}"#),
            (
                "a channel twice",
                r#"{"type":"join","channel":"a","channel":"b"}"#,
            ),
            (
                "a text twice",
                r#"{"type":"message","channel":"a","text":"x","text":"y"}"#,
            ),
            (
                "a broken field that is unknown",
                r#"{"type":"channels","x":[1,}"#,
            ),
        ] {
            assert_eq!(ada.refused_line(line), "bad_json", "{name}");
        }
        assert_eq!(
            ada.refused_line("  \u{feff}\t{]"),
            "bad_json",
            "white space in front"
        );
        assert!(
            ada.refused_line(&format!(
                "{{\"type\":\"nope\",\"x\":{}{}}}",
                "[".repeat(20_000),
                "]".repeat(20_000)
            ))
            .len()
                > 3
        );
    }
}

#[test]
fn ids() {
    let server = Server::unhurried();
    let mut ada = server.enter("Ada");
    for id in [
        "-1",
        "1.5",
        "\"1\"",
        "true",
        "[1]",
        "{}",
        "9007199254740992",
        "1e400",
        "18446744073709551616",
    ] {
        for kind in ["channels", "unknown", "hello"] {
            let line = format!("{{\"type\":\"{kind}\",\"id\":{id}}}");
            ada.line(&line);
            let error = ada.take("error");
            let expected = if id == "1e400" {
                ["bad_field", "bad_json"]
            } else {
                ["bad_field"; 2]
            };
            assert!(
                expected.iter().any(|code| error["code"] == *code),
                "{line}: {error}"
            );
            assert!(
                error.get("id").is_none(),
                "{line}: answered without it: {error}"
            );
        }
    }
    for id in [0u64, 1, (1 << 53) - 1] {
        ada.send(json!({"type": "channels", "id": id}));
        assert_eq!(ada.take("channels")["id"], id);
        ada.send(json!({"type": "unknown", "id": id}));
        assert_eq!(ada.take("error")["id"], id, "errors carry it too");
    }
    ada.send(json!({"type": "channels", "id": null}));
    assert!(
        ada.take("channels").get("id").is_none(),
        "null is as absent"
    );
    ada.send(json!({"type": "channels"}));
    assert!(ada.take("channels").get("id").is_none());
}

#[test]
fn before_hello() {
    let server = Server::unhurried();
    let mut guest = Person::guest(&server);
    for (line, code) in [
        (r#"{"type":"unknown"}"#, "unknown_type"),
        (r#"{"type":"channels"}"#, "hello_first"),
        (r#"{"type":"join"}"#, "hello_first"),
        (r#"{"type":"join","channel":5}"#, "hello_first"),
        (
            r#"{"type":"message","channel":"general","text":""}"#,
            "hello_first",
        ),
        (r#"{"type":"rename","name":"Ada"}"#, "hello_first"),
        (r#"{"type":"who"}"#, "hello_first"),
        (r#"{"type":"hello"}"#, "bad_field"),
        (r#"{"type":"hello","name":5}"#, "bad_field"),
        (r#"{"type":"hello","name":null}"#, "bad_field"),
        (r#"{"type":"hello","name":["Ada"]}"#, "bad_field"),
        (r#"{"type":"hello","name":"Ada","session":5}"#, "bad_field"),
        (r#"{"type":"hello","name":"a b","session":5}"#, "bad_field"),
        (r#"{"type":"hello","name":""}"#, "bad_name"),
        (r#"{"type":"hello","name":"a b"}"#, "bad_name"),
        (r#"{"type":"HELLO","name":"Ada"}"#, "unknown_type"),
        (r#"{"type":"welcome","name":"Ada"}"#, "unknown_type"),
        (r#"{"type":"help"}"#, "unknown_type"),
        (r#"{"type":"quit"}"#, "unknown_type"),
    ] {
        assert_eq!(guest.refused_line(line), code, "{line}");
    }
    guest.line(r#"{"type":"hello","name":"Ada","session":null,"unknown":{"type":1},"x":1,"x":2}"#);
    assert_eq!(
        guest.take("welcome")["name"],
        "Ada",
        "a hello that failed changes nothing; null is as absent; the unknown is ignored"
    );
}

/// Each row is wrong in several ways; the first of PROTOCOL.md's order is told.
#[test]
fn the_order_of_errors() {
    let server = Server::unhurried();
    let mut ada = server.enter("Ada");
    let mut bob = server.enter("Bob");
    bob.join("bobs");
    ada.join("general");
    let table = [
        (r#"{"type":"hello"}"#, "already_welcomed"),
        (r#"{"type":"hello","name":5}"#, "already_welcomed"),
        (r#"{"type":"hello","name":"Bob"}"#, "already_welcomed"),
        // join
        (r#"{"type":"join"}"#, "bad_field"),
        (r#"{"type":"join","channel":7}"#, "bad_field"),
        (r#"{"type":"join","channel":null}"#, "bad_field"),
        (r#"{"type":"join","channel":"a b","since":-1}"#, "bad_field"),
        (
            r#"{"type":"join","channel":"general","since":1.5}"#,
            "bad_field",
        ),
        (
            r#"{"type":"join","channel":"general","since":"1"}"#,
            "bad_field",
        ),
        (r#"{"type":"join","channel":""}"#, "bad_name"),
        (r##"{"type":"join","channel":"#"}"##, "bad_name"),
        (r#"{"type":"join","channel":"a b"}"#, "bad_name"),
        // leave
        (r#"{"type":"leave"}"#, "bad_field"),
        (r#"{"type":"leave","channel":"a b"}"#, "bad_name"),
        (r#"{"type":"leave","channel":"nowhere"}"#, "no_such_channel"),
        (r#"{"type":"leave","channel":"bobs"}"#, "not_in_channel"),
        // message
        (r#"{"type":"message","text":"x"}"#, "bad_field"),
        (r#"{"type":"message","channel":"a b"}"#, "bad_field"),
        (
            r#"{"type":"message","channel":"a b","text":5}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"\u0000"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"\u001b[1m"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"\r"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"\u007f"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"\u0085"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"","nonce":""}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"","nonce":7}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"","action":"yes"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":"","action":1}"#,
            "bad_field",
        ),
        (
            r#"{"type":"message","channel":"a b","text":""}"#,
            "bad_name",
        ),
        (
            r#"{"type":"message","channel":"nowhere","text":""}"#,
            "no_such_channel",
        ),
        (
            r#"{"type":"message","channel":"bobs","text":""}"#,
            "not_in_channel",
        ),
        (
            r#"{"type":"message","channel":"general","text":""}"#,
            "empty",
        ),
        (
            r#"{"type":"message","channel":"general","text":" \n\t\u3000\u00a0"}"#,
            "empty",
        ),
        // direct
        (r#"{"type":"direct","text":"x"}"#, "bad_field"),
        (r#"{"type":"direct","to":null,"text":"x"}"#, "bad_field"),
        (
            r#"{"type":"direct","to":"Bob","conversation":"c","text":""}"#,
            "bad_field",
        ),
        (r#"{"type":"direct","to":"Bob"}"#, "bad_field"),
        (r#"{"type":"direct","to":5,"text":"x"}"#, "bad_field"),
        (
            r#"{"type":"direct","conversation":5,"text":"x"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"direct","to":"a b","text":"\u0000"}"#,
            "bad_field",
        ),
        (r#"{"type":"direct","to":"a b","text":""}"#, "bad_name"),
        (
            r#"{"type":"direct","to":"Nobody","text":""}"#,
            "no_such_user",
        ),
        (
            r#"{"type":"direct","conversation":"nothing","text":""}"#,
            "no_such_conversation",
        ),
        (
            r#"{"type":"direct","to":null,"conversation":"nothing","text":""}"#,
            "no_such_conversation",
        ),
        (r#"{"type":"direct","to":"Bob","text":" "}"#, "empty"),
        // typing
        (r#"{"type":"typing"}"#, "bad_field"),
        (
            r#"{"type":"typing","channel":"general","conversation":"c"}"#,
            "bad_field",
        ),
        (r#"{"type":"typing","channel":"a b"}"#, "bad_name"),
        (
            r#"{"type":"typing","channel":"nowhere"}"#,
            "no_such_channel",
        ),
        (r#"{"type":"typing","channel":"bobs"}"#, "not_in_channel"),
        (
            r#"{"type":"typing","conversation":"nothing"}"#,
            "no_such_conversation",
        ),
        // history
        (r#"{"type":"history"}"#, "bad_field"),
        (
            r#"{"type":"history","channel":"general","conversation":"c"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"history","channel":"a b","before":1,"after":1}"#,
            "bad_field",
        ),
        (
            r#"{"type":"history","channel":"general","before":-1}"#,
            "bad_field",
        ),
        (
            r#"{"type":"history","channel":"general","after":"1"}"#,
            "bad_field",
        ),
        (
            r#"{"type":"history","channel":"a b","limit":0}"#,
            "bad_field",
        ),
        (
            r#"{"type":"history","channel":"general","limit":201}"#,
            "bad_field",
        ),
        (
            r#"{"type":"history","channel":"general","limit":1.5}"#,
            "bad_field",
        ),
        (r#"{"type":"history","channel":"a b"}"#, "bad_name"),
        (
            r#"{"type":"history","channel":"nowhere"}"#,
            "no_such_channel",
        ),
        (
            r#"{"type":"history","conversation":"nothing"}"#,
            "no_such_conversation",
        ),
        // who
        (r#"{"type":"who","channel":5}"#, "bad_field"),
        (r#"{"type":"who","channel":"a b"}"#, "bad_name"),
        (r#"{"type":"who","channel":"nowhere"}"#, "no_such_channel"),
        // rename
        (r#"{"type":"rename"}"#, "bad_field"),
        (r#"{"type":"rename","name":5}"#, "bad_field"),
        (r#"{"type":"rename","name":"a b"}"#, "bad_name"),
        (r#"{"type":"rename","name":"bob"}"#, "name_taken"),
    ];
    for (line, code) in table {
        assert_eq!(ada.refused_line(line), code, "{line}");
    }
    let nonce = "x".repeat(65);
    assert_eq!(
        ada.refused(json!({"type": "message", "channel": "general", "text": "", "nonce": nonce})),
        "bad_field"
    );
    let long = "x".repeat(4001);
    for (command, code) in [
        (
            json!({"type": "message", "channel": "nowhere", "text": long}),
            "no_such_channel",
        ),
        (
            json!({"type": "message", "channel": "bobs", "text": long}),
            "not_in_channel",
        ),
        (
            json!({"type": "message", "channel": "general", "text": long}),
            "too_long",
        ),
        (
            json!({"type": "direct", "to": "Nobody", "text": long}),
            "no_such_user",
        ),
        (
            json!({"type": "direct", "to": "Bob", "text": long}),
            "too_long",
        ),
    ] {
        assert_eq!(ada.refused(command), code);
    }
    // None of these changed anything.
    bob.assert_quiet("after all those errors");
    assert_eq!(bob.ask(json!({"type": "who"}))["count"], 2);
    assert_eq!(ada.join("general")["seq"], 0);
}

#[test]
fn a_name_that_is_taken() {
    let server = Server::start(&[]);
    let _ada = server.enter("Ada");
    let mut other = Person::guest(&server);
    assert_eq!(
        other.refused(json!({"type": "hello", "name": "ADA"})),
        "name_taken"
    );
    assert_eq!(
        other.ask(json!({"type": "hello", "name": "Bob"}))["type"],
        "welcome",
        "the connection stays open"
    );
}
