//! The chat by the real binary: one conversation, random session tokens, and closes that end a
//! user. The rules are in tests/chat, the forms of commands and names in tests/codec.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Person, Server, assert_fields, eventually, frame};

/// Each of a token's 128 bits is 0 in one of them and 1 in another. By chance this fails once in
/// 2^52 runs.
#[test]
fn session_tokens_are_random() {
    let server = Server::start(&[]);
    let (mut ones, mut zeros, mut tokens) = (0, 0, BTreeSet::new());
    for n in 0..60 {
        let token = server.enter(&format!("Person{n}")).session();
        let secret = token.as_str().unwrap().rsplit('-').next().unwrap();
        let bits = u128::from_str_radix(secret, 16).unwrap();
        assert!(secret.len() == 32 && tokens.insert(bits), "{token}");
        (ones, zeros) = (ones | bits, zeros | !bits);
    }
    assert_eq!((ones, zeros), (u128::MAX, u128::MAX));
}

#[test]
fn users_talk_by_commands_and_typed_lines() {
    let server = Server::with("--rate 0 --max-text-chars 1234");
    let [mut ada, mut bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    assert_eq!(ada.welcome["limits"]["text"], 1234);
    ada.join("#Rust");
    bob.line("/join rust");
    assert_fields(&bob.take("joined"), json!({"channel": "rust", "count": 2}));
    let text = "Hi & <b>bye</b> 😀\n\tend  ";
    let ack = ada.say("rust", text);
    for person in [&mut ada, &mut bob] {
        let fields = json!({"from": "Ada", "text": text, "seq": 1, "at": ack["at"]});
        assert_fields(&person.take("message"), fields);
    }
    let mut tab = bob.tab(&server);
    ada.line("/msg bob psst");
    for person in [&mut ada, &mut bob, &mut tab] {
        assert_fields(&person.take("direct"), json!({"to": "Bob", "text": "psst"}));
    }
    eve.line("/history rust");
    assert_eq!(eve.take("error")["code"], "bad_field");
    eve.quit();
    bob.take_where("presence", |event| event["left"] == json!(["Eve"]));
    for mut person in [ada, bob, tab] {
        person.assert_quiet("all was received");
    }
}

#[test]
fn only_a_deliberate_close_ends_the_user_at_once() {
    let server = Server::with("--rate 0 --resume-window 60");
    let mut bob = server.enter("Bob");
    for (name, bytes, online) in [
        ("a close with 1000", frame(0x88, b"\x03\xe8"), 1),
        ("/quit", frame(0x81, "/quit"), 1),
        ("a close with 1001", frame(0x88, b"\x03\xe9"), 2),
        ("an empty close", frame(0x88, ""), 2),
        ("a broken rule", frame(0xf1, ""), 2),
    ] {
        let mut ada = server.enter("Ada");
        let session = ada.session();
        ada.wire.send(&bytes);
        ada.wire.skip_to_close(name);
        drop(ada);
        assert_eq!(bob.online(), online, "{name}");
        Person::return_of(&server, &session, "Ada").quit();
    }
    let server = Server::start(&["--resume-window", "0"]);
    let mut bob = server.enter("Bob");
    server.enter("Ada").vanish();
    eventually("Ada is offline without a window", || bob.online() == 1);
}
