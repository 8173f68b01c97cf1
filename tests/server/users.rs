//! Sessions and users: returning within the resume window and after it, leaving, renames.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Person, Server, eventually, frame};

const SHORT: &[&str] = &["--rate", "0", "--resume-window", "0.3"];
const LONG: &[&str] = &["--rate", "0", "--resume-window", "60"];

fn count(person: &mut Person) -> u64 {
    person.ask(json!({"type": "who"}))["count"]
        .as_u64()
        .unwrap()
}

#[test]
fn within_the_resume_window_a_user_stays() {
    let server = Server::start(LONG);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("general");
    bob.join("general");
    let (session, author) = (ada.session(), ada.welcome["author"].clone());
    ada.vanish();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(count(&mut bob), 2, "still online");
    assert_eq!(
        bob.ask(json!({"type": "who", "channel": "general"}))["count"],
        2,
        "and a member"
    );
    assert_eq!(
        Person::guest(&server).refused(json!({"type": "hello", "name": "Ada"})),
        "name_taken"
    );
    bob.say("general", "missed");
    bob.take("message");
    let mut ada = Person::return_of(&server, &session, "Bob");
    assert_eq!(
        ada.welcome["name"], "Ada",
        "while a user is online, the name of hello is not looked at"
    );
    assert_eq!(
        (&ada.welcome["author"], &ada.welcome["session"]),
        (&author, &session)
    );
    ada.assert_quiet("a connection joins anew");
    let joined = ada.ask(json!({"type": "join", "channel": "general", "since": 0}));
    assert_eq!(
        (&joined["history"][0]["text"], &joined["count"]),
        (&json!("missed"), &json!(2))
    );
    let news = bob.drain();
    assert!(
        news.iter()
            .all(|event| !event["left"].to_string().contains("Ada")),
        "nobody was told that Ada left: {news:?}"
    );
}

#[test]
fn after_the_resume_window_a_user_is_gone() {
    let server = Server::start(SHORT);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("general");
    bob.join("general");
    let (session, author) = (ada.session(), ada.welcome["author"].clone());
    ada.vanish();
    let news = bob.take_where("that Ada left", |event| {
        event["type"] == "presence" && event["left"] == json!(["Ada"])
    });
    assert_eq!(news["online"], 1);
    bob.take_where("that Ada left", |event| {
        event["type"] == "members" && event["left"] == json!(["Ada"])
    });
    let other = server.enter("Ada");
    assert_ne!(other.welcome["author"], author, "the name is free");
    // That session never wrote anything: it lived for the resume window only.
    let back = Person::return_of(&server, &session, "Grace");
    assert_ne!(back.welcome["author"], author);
}

#[test]
fn a_session_that_wrote_is_kept() {
    let server = Server::start(SHORT);
    let [mut ada, mut bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    ada.join("general");
    ada.say("general", "hi");
    eve.whisper("Bob", "hi");
    let sessions = [&ada, &bob].map(|person| (person.session(), person.welcome["author"].clone()));
    ada.vanish();
    bob.take("direct");
    bob.vanish();
    eventually("both are gone", || count(&mut eve) == 1);
    let [ada, bob] = &sessions;
    let back = Person::return_of(&server, &ada.0, "Grace");
    assert_eq!(
        (&back.welcome["author"], &back.welcome["name"]),
        (&ada.1, &json!("Grace")),
        "who wrote, under a new name"
    );
    let back = Person::return_of(&server, &bob.0, "Bob");
    assert_eq!(back.welcome["author"], bob.1, "who was written to");
    assert_eq!(back.welcome["session"], bob.0, "the token stays");
    // Somebody else has the name now: it is refused, and the session may come under another.
    let mut third = Person::guest(&server);
    let (session, author) = (back.session(), back.welcome["author"].clone());
    back.quit();
    let _impostor = server.enter("Bob");
    assert_eq!(
        third.refused(json!({"type": "hello", "name": "Bob", "session": session})),
        "name_taken"
    );
    let welcome = third.ask(json!({"type": "hello", "name": "Bobby", "session": session}));
    assert_eq!(
        (&welcome["author"], &welcome["name"]),
        (&author, &json!("Bobby"))
    );
}

#[test]
fn tokens_that_nobody_has() {
    let server = Server::start(&[]);
    let ada = server.enter("Ada");
    let token = ada.session().as_str().unwrap().to_owned();
    let mut changed = token.clone();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    for (n, other) in [
        "".to_owned(),
        "x".to_owned(),
        "x".repeat(5000),
        changed,
        token[..token.len() - 1].to_owned(),
        format!("{token}0"),
        "ä\0".into(),
    ]
    .into_iter()
    .enumerate()
    {
        let person = Person::return_of(&server, &json!(other), &format!("Other{n}"));
        assert_ne!(person.welcome["author"], ada.welcome["author"], "{other}");
        assert_ne!(
            person.session(),
            json!(other),
            "a new session has a token of the server's making"
        );
    }
}

/// Each of a token's 128 bits is 0 in one of them and 1 in another: by chance alone one test in
/// 2^52 would fail.
#[test]
fn nobody_can_guess_a_token() {
    let server = Server::start(&[]);
    let (mut ones, mut zeros, mut tokens) = (0, 0, std::collections::BTreeSet::new());
    for n in 0..60 {
        let person = server.enter(&format!("Person{n}"));
        let token = person.session().as_str().unwrap().to_owned();
        let secret = token.rsplit('-').next().unwrap();
        assert_eq!(secret.len(), 32, "128 bits in hexadecimal: {token}");
        let bits = u128::from_str_radix(secret, 16).unwrap();
        (ones, zeros) = (ones | bits, zeros | !bits);
        assert!(tokens.insert(bits), "{token} was given before");
    }
    assert_eq!(
        (ones, zeros),
        (u128::MAX, u128::MAX),
        "bits that never change"
    );
}

#[test]
fn how_one_leaves() {
    let server = Server::start(LONG);
    let mut bob = server.enter("Bob");
    for (name, bytes, gone) in [
        (
            "a close with 1000",
            frame(0x88, 1000u16.to_be_bytes()),
            true,
        ),
        ("/quit", frame(0x81, "/quit"), true),
        (
            "a close with 1001, as of a page that is left",
            frame(0x88, 1001u16.to_be_bytes()),
            false,
        ),
        ("an empty close", frame(0x88, ""), false),
        ("a broken rule", frame(0xf1, ""), false),
        ("nothing at all", vec![], false),
    ] {
        let mut ada = server.enter("Ada");
        let session = ada.session();
        ada.wire.send(&bytes);
        if !bytes.is_empty() {
            while ada.wire.frame(name).opcode != 8 {}
        }
        ada.vanish();
        thread::sleep(Duration::from_millis(50));
        assert_eq!(count(&mut bob), if gone { 1 } else { 2 }, "{name}");
        if !gone {
            Person::return_of(&server, &session, "Ada").quit();
        }
        assert_eq!(count(&mut bob), 1, "{name}");
    }
    // The last one's close counts, and only the last one's.
    let ada = server.enter("Ada");
    let tab = ada.tab(&server);
    ada.quit();
    assert_eq!(count(&mut bob), 2);
    tab.vanish();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(count(&mut bob), 2, "the last one was lost, it did not quit");
}

#[test]
fn a_resume_window_of_zero() {
    let server = Server::start(&["--resume-window", "0"]);
    let mut bob = server.enter("Bob");
    server.enter("Ada").vanish();
    eventually("Ada is gone", || count(&mut bob) == 1);
}

#[test]
fn a_rename_is_told_to_everyone() {
    let server = Server::start(LONG);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    let mut tab = ada.tab(&server);
    ada.join("general");
    ada.say("general", "as Ada");
    let answer = ada.ask(json!({"type": "rename", "name": "Grace"}));
    assert_eq!(
        answer,
        json!({"type": "renamed", "id": answer["id"], "from": "Ada", "to": "Grace"})
    );
    for person in [&mut bob, &mut tab] {
        assert_eq!(
            person.take("renamed"),
            json!({"type": "renamed", "from": "Ada", "to": "Grace"})
        );
        person.assert_quiet("once");
    }
    ada.take("message");
    ada.assert_quiet("once, as the answer");
    ada.say("general", "as Grace");
    let page = bob.ask(json!({"type": "history", "channel": "general"}));
    let said: Vec<(&str, bool)> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            (
                message["from"].as_str().unwrap(),
                message["author"] == ada.welcome["author"],
            )
        })
        .collect();
    assert_eq!(
        said,
        [("Ada", true), ("Grace", true)],
        "what was said stays under the old name, and has the same author"
    );
    assert_eq!(ada.tab(&server).welcome["name"], "Grace");
    assert_eq!(
        bob.refused(json!({"type": "direct", "to": "Ada", "text": "x"})),
        "no_such_user"
    );
    assert_eq!(bob.whisper("grace", "x")["to"], "Grace");
}

#[test]
fn a_name_that_was_given_up_is_held() {
    let server = Server::start(SHORT);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.ask(json!({"type": "rename", "name": "Grace"}));
    assert_eq!(
        bob.refused(json!({"type": "rename", "name": "ada"})),
        "name_taken",
        "held for the resume window"
    );
    assert_eq!(
        ada.ask(json!({"type": "rename", "name": "Ada"}))["to"],
        "Ada",
        "for its user"
    );
    ada.ask(json!({"type": "rename", "name": "Grace"}));
    eventually("it is free", || {
        bob.ask(json!({"type": "rename", "name": "Ada"}))["type"] == "renamed"
    });
    assert_eq!(
        ada.refused(json!({"type": "rename", "name": "Ada"})),
        "name_taken"
    );
}

#[test]
fn three_renames_and_then_one_in_ten_seconds() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    let _bob = server.enter("Bob");
    for n in 0..3 {
        assert_eq!(
            ada.refused(json!({"type": "rename", "name": "Bob"})),
            "name_taken",
            "those that fail don't count"
        );
        assert_eq!(
            ada.ask(json!({"type": "rename", "name": format!("Ada{n}")}))["type"],
            "renamed"
        );
    }
    let error = ada.ask(json!({"type": "rename", "name": "Ada3"}));
    assert_eq!(error["code"], "rate_limited", "{error}");
    let retry = error["retry_ms"].as_u64().unwrap();
    assert!((1..=10_000).contains(&retry), "{error}");
    let mut tab = ada.tab(&server);
    assert_eq!(
        tab.refused(json!({"type": "rename", "name": "Ada4"})),
        "rate_limited",
        "they are the session's, not the connection's"
    );
    assert_eq!(tab.welcome["name"], "Ada2");
    let server = Server::start(&["--rate", "0"]);
    let mut ada = server.enter("Ada");
    for n in 0..10 {
        assert_eq!(
            ada.ask(json!({"type": "rename", "name": format!("Ada{n}")}))["type"],
            "renamed",
            "--rate 0: no limit here either"
        );
    }
}

#[test]
fn another_spelling_of_ones_own_name_is_free() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    assert_eq!(
        ada.ask(json!({"type": "rename", "name": "ADA"}))["to"],
        "ADA"
    );
    assert_eq!(
        Person::guest(&server).refused(json!({"type": "hello", "name": "ada"})),
        "name_taken"
    );
    let mut bob = server.enter("Bob");
    assert_eq!(bob.whisper("ada", "hi")["to"], "ADA");
}

/// What was sent, and perhaps lost its ack with the connection, is sent again after the return: one
/// message, one ack.
#[test]
fn sending_again_after_a_return_is_safe() {
    let server = Server::start(LONG);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    bob.join("general");
    ada.join("general");
    let said = json!({"type": "message", "channel": "general", "text": "once", "nonce": "n-1"});
    let whispered = json!({"type": "direct", "to": "Bob", "text": "once", "nonce": "n-1"});
    let acks = [ada.ask(said.clone()), ada.ask(whispered.clone())];
    let session = ada.session();
    ada.vanish();
    let mut ada = Person::return_of(&server, &session, "Ada");
    ada.join("general");
    for (command, ack) in [said, whispered].into_iter().zip(&acks) {
        let again = ada.ask(command);
        assert_eq!(
            (&again["type"], &again["seq"], &again["at"]),
            (&json!("ack"), &ack["seq"], &ack["at"])
        );
    }
    bob.take("message");
    bob.take("direct");
    bob.assert_quiet("each once");
}

/// One that comes within the window under the same token while a tab is open elsewhere, over and
/// over.
#[test]
fn many_returns_leave_one_user() {
    let server = Server::start(LONG);
    let mut bob = server.enter("Bob");
    let ada = server.enter("Ada");
    let session = ada.session();
    ada.vanish();
    for _ in 0..30 {
        let mut back = Person::return_of(&server, &session, "Ada");
        back.join("general");
        back.vanish();
    }
    assert_eq!(count(&mut bob), 2);
    assert_eq!(
        bob.ask(json!({"type": "who", "channel": "general"}))["users"],
        json!(["Ada"])
    );
}
