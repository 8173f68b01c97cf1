//! Private messages: who gets them, who can't, and what waits for somebody who is away.

use serde_json::{Value, json};

use crate::harness::{Person, Server, eventually};

const SHORT: &[&str] = &["--rate", "0", "--resume-window", "0.2"];

fn by(conversation: &Value, text: &str) -> Value {
    json!({"type": "direct", "conversation": conversation, "text": text})
}

#[test]
fn a_direct_reaches_every_connection_of_both_and_nobody_else() {
    let server = Server::start(&[]);
    let [mut ada, mut bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    let (mut ada_tab, mut bob_tab) = (ada.tab(&server), bob.tab(&server));
    for person in [&mut ada, &mut bob, &mut eve] {
        person.join("general");
    }
    let ack = ada.ask(json!({"type": "direct", "to": "bob", "text": " hi\n", "nonce": "n"}));
    let direct = ada.take("direct");
    let expected = json!({"type": "direct", "conversation": ack["conversation"], "from": "Ada", "author": ada.welcome["author"],
                          "to": "Bob", "text": " hi\n", "seq": 1, "at": ack["at"], "nonce": "n"});
    assert_eq!(direct, expected);
    assert_eq!(
        ack,
        json!({"type": "ack", "id": ack["id"], "conversation": ack["conversation"], "to": "Bob", "seq": 1, "at": ack["at"]})
    );
    assert!(
        ack["conversation"]
            .as_str()
            .is_some_and(|name| (1..=64).contains(&name.chars().count()))
    );
    for person in [&mut bob, &mut ada_tab, &mut bob_tab] {
        assert_eq!(person.take("direct"), direct);
    }
    let again = ada.ask(json!({"type": "direct", "to": "Bob", "text": "other", "nonce": "n"}));
    assert_eq!(
        (&again["seq"], &again["at"]),
        (&json!(1), &ack["at"]),
        "a nonce gives one message"
    );
    let reply = bob.ask(by(&ack["conversation"], "by its name"));
    assert_eq!(
        (&reply["seq"], &reply["to"]),
        (&json!(2), &json!("Ada")),
        "one sequence for both"
    );
    assert_eq!(
        bob.whisper("Ada", "by the user's")["conversation"],
        ack["conversation"]
    );
    for person in [&mut ada, &mut ada_tab, &mut bob, &mut bob_tab] {
        for (seq, text) in [(2, "by its name"), (3, "by the user's")] {
            let direct = person.take("direct");
            assert_eq!(
                (
                    &direct["seq"],
                    &direct["text"],
                    &direct["from"],
                    &direct["to"]
                ),
                (&json!(seq), &json!(text), &json!("Bob"), &json!("Ada"))
            );
        }
        person.assert_quiet("each once");
    }
    eve.assert_quiet("nothing of it");
}

#[test]
fn others_cannot_read_or_write_a_conversation() {
    let server = Server::start(&[]);
    let [mut ada, mut bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    let conversation = ada.whisper("Bob", "secret")["conversation"].clone();
    for command in [
        by(&conversation, "x"),
        by(&conversation, ""),
        json!({"type": "history", "conversation": conversation}),
        json!({"type": "typing", "conversation": conversation}),
    ] {
        assert_eq!(eve.refused(command), "no_such_conversation");
    }
    assert_eq!(eve.whisper("Bob", "mine")["seq"], 1, "another conversation");
    assert_eq!(bob.take("direct")["text"], "secret");
    assert_eq!(bob.take("direct")["from"], "Eve");
    assert_ne!(
        bob.ask(json!({"type": "direct", "to": "Eve", "text": "x"}))["conversation"],
        conversation
    );
}

#[test]
fn a_conversation_has_a_history_for_its_two() {
    let server = Server::unhurried();
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    for n in 1..=60 {
        ada.whisper("Bob", &n.to_string());
    }
    let first = bob.take("direct");
    let conversation = &first["conversation"];
    let page = bob.ask(json!({"type": "history", "conversation": conversation, "before": 3}));
    assert_eq!(
        (&page["conversation"], &page["more"], &page["first"]),
        (conversation, &json!(false), &json!(1))
    );
    assert_eq!(
        (
            &page["messages"][0],
            page["messages"].as_array().map(Vec::len)
        ),
        (&first, Some(2)),
        "whole events, oldest first"
    );
    let page = ada.ask(json!({"type": "history", "conversation": conversation}));
    assert_eq!(
        (&page["messages"][0]["seq"], &page["more"]),
        (&json!(11), &json!(true)),
        "the newest 50"
    );
    let page = ada.ask(json!({"type": "history", "conversation": conversation, "after": 58}));
    assert_eq!(
        (&page["messages"][0]["text"], &page["more"]),
        (&json!("59"), &json!(false))
    );
}

#[test]
fn typing_in_a_conversation() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    let conversation = ada.whisper("Bob", "hi")["conversation"].clone();
    for _ in 0..2 {
        ada.send(json!({"type": "typing", "conversation": conversation}));
    }
    assert_eq!(
        bob.take("typing"),
        json!({"type": "typing", "conversation": conversation, "user": "Ada"})
    );
    bob.take("direct");
    bob.assert_quiet("once a second");
    ada.take("direct");
    ada.assert_quiet("not to oneself");
}

#[test]
fn to_oneself() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    let mut tab = ada.tab(&server);
    let ack = ada.whisper("ada", "note");
    for person in [&mut ada, &mut tab] {
        let direct = person.take("direct");
        assert_eq!(
            (&direct["from"], &direct["to"], &direct["seq"]),
            (&json!("Ada"), &json!("Ada"), &json!(1))
        );
        person.assert_quiet("once");
    }
    let third = ada.tab(&server);
    let entry =
        json!([{"conversation": ack["conversation"], "with": "Ada", "seq": 1, "online": true}]);
    assert_eq!(third.welcome["directs"], entry);
}

#[test]
fn welcome_lists_conversations_newest_first() {
    let server = Server::start(&[]);
    let [mut ada, bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    let with_bob = ada.whisper("Bob", "1")["conversation"].clone();
    let with_eve = ada.whisper("Eve", "1")["conversation"].clone();
    let entry = |conversation: &Value, with: &str, seq: u64| json!({"conversation": conversation, "with": with, "seq": seq, "online": true});
    assert_eq!(
        ada.tab(&server).welcome["directs"],
        json!([entry(&with_eve, "Eve", 1), entry(&with_bob, "Bob", 1)])
    );
    ada.ask(by(&with_bob, "2"));
    assert_eq!(
        ada.tab(&server).welcome["directs"],
        json!([entry(&with_bob, "Bob", 2), entry(&with_eve, "Eve", 1)])
    );
    assert_eq!(
        bob.tab(&server).welcome["directs"],
        json!([entry(&with_bob, "Ada", 2)])
    );
    eve.ask(json!({"type": "rename", "name": "Grace"}));
    assert_eq!(
        ada.tab(&server).welcome["directs"][1]["with"],
        "Grace",
        "the name that the other one has"
    );
}

#[test]
fn who_is_away_is_reached_by_the_conversation() {
    let server = Server::start(SHORT);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    let conversation = ada.whisper("Bob", "1")["conversation"].clone();
    bob.take("direct");
    let (session, author) = (bob.session(), bob.welcome["author"].clone());
    bob.vanish();
    eventually("Bob is gone", || {
        ada.ask(json!({"type": "who"}))["count"] == 1
    });
    assert_eq!(
        ada.refused(json!({"type": "direct", "to": "Bob", "text": "x"})),
        "no_such_user",
        "nobody has that name now"
    );
    let ack = ada.ask(by(&conversation, "2"));
    assert_eq!((&ack["seq"], &ack["to"]), (&json!(2), &json!("Bob")));
    assert_eq!(
        ada.tab(&server).welcome["directs"],
        json!([{"conversation": conversation, "with": "Bob", "seq": 2, "online": false}])
    );
    let mut bob = Person::return_of(&server, &session, "Robert");
    assert_eq!(
        (&bob.welcome["author"], &bob.welcome["name"]),
        (&author, &json!("Robert")),
        "the same session under another name"
    );
    assert_eq!(
        bob.welcome["directs"],
        json!([{"conversation": conversation, "with": "Ada", "seq": 2, "online": true}])
    );
    let page = bob.ask(json!({"type": "history", "conversation": conversation, "after": 1}));
    assert_eq!(
        (&page["messages"][0]["text"], &page["more"]),
        (&json!("2"), &json!(false))
    );
    assert_eq!(bob.ask(by(&conversation, "3"))["seq"], 3);
    assert_eq!(
        ada.take_where("the answer", |event| event["text"] == "3")["from"],
        "Robert"
    );
}

/// Whoever takes a name that became free does not take what belonged to the one who had it.
#[test]
fn an_impostor_has_the_name_and_nothing_else() {
    let server = Server::start(SHORT);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    let conversation = ada.whisper("Bob", "for Bob alone")["conversation"].clone();
    bob.take("direct");
    let author = bob.welcome["author"].clone();
    bob.quit();
    let mut impostor = server.enter("Bob");
    assert_ne!(impostor.welcome["author"], author);
    assert_eq!(impostor.welcome["directs"], json!([]));
    assert_eq!(
        impostor.refused(json!({"type": "history", "conversation": conversation})),
        "no_such_conversation"
    );
    ada.ask(by(&conversation, "still for Bob"));
    impostor.assert_quiet("it was for the other one");
    assert_ne!(
        ada.whisper("Bob", "to the new one")["conversation"],
        conversation
    );
    assert_eq!(impostor.take("direct")["text"], "to the new one");
}
