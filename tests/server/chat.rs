//! Entering, and what is said in a channel: `hello`, `message`, `ack`, numbers, nonces, two tabs,
//! typing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Person, Server, frame};

fn now_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

#[test]
fn welcome_has_all_its_fields() {
    let server = Server::start(&["--max-text-chars", "1234", "--max-message-bytes", "5678"]);
    let ada = Person::enter(&server, "Ada");
    let welcome = &ada.welcome;
    assert_eq!(welcome["name"], "Ada");
    assert!(
        welcome["author"]
            .as_u64()
            .is_some_and(|author| author < 1 << 53)
    );
    for token in ["session", "epoch"] {
        assert!(
            welcome[token]
                .as_str()
                .is_some_and(|token| (1..=64).contains(&token.chars().count())),
            "{token}: {welcome}"
        );
    }
    assert_eq!(
        welcome["channels"],
        json!([{"name": "general", "members": 0, "seq": 0}])
    );
    assert_eq!(
        (&welcome["users"], &welcome["online"]),
        (&json!(["Ada"]), &json!(1))
    );
    assert_eq!(welcome["directs"], json!([]));
    assert_eq!(
        welcome["limits"],
        json!({"text": 1234, "message_bytes": 5678})
    );
    assert!(
        welcome["time"]
            .as_u64()
            .is_some_and(|time| time.abs_diff(now_millis()) < 10_000),
        "{welcome}"
    );
    assert_eq!(
        welcome["server"],
        concat!("parlor ", env!("CARGO_PKG_VERSION"))
    );

    let bob = Person::enter(&server, "Bob");
    let mut users: Vec<&str> = bob.welcome["users"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    users.sort_unstable();
    assert_eq!(
        (users, &bob.welcome["online"]),
        (vec!["Ada", "Bob"], &json!(2))
    );
    assert_ne!(ada.session(), bob.session());
    assert_ne!(ada.welcome["author"], bob.welcome["author"]);
    assert_eq!(ada.welcome["epoch"], bob.welcome["epoch"]);
    assert!(
        ada.session().as_str().unwrap().len() >= 20,
        "a token can't be guessed"
    );
}

#[test]
fn the_epoch_is_another_after_a_start_without_a_history() {
    let epoch = || Person::enter(&Server::start(&[]), "Ada").welcome["epoch"].clone();
    assert_ne!(epoch(), epoch());
}

#[test]
fn a_message_reaches_everybody_in_the_channel_and_nobody_else() {
    let server = Server::start(&[]);
    let [mut ada, mut bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    ada.join("general");
    bob.join("general");
    eve.join("elsewhere");
    let before = now_millis();
    let ack = ada.ask(
        json!({"type": "message", "channel": "general", "text": "Hi & <b>bye</b> 😀\n\tend  "}),
    );
    let message = ada.take("message");
    assert_eq!(bob.take("message"), message, "everybody gets the same");
    let at = message["at"].as_u64().unwrap();
    assert!(
        at + 1000 >= before && at <= now_millis() + 1000,
        "{at} is not now"
    );
    assert_eq!(
        message,
        json!({"type": "message", "channel": "general", "from": "Ada", "author": ada.welcome["author"],
               "text": "Hi & <b>bye</b> 😀\n\tend  ", "seq": 1, "at": at}),
        "and nothing more: no id, no action, no nonce"
    );
    assert_eq!(
        ack,
        json!({"type": "ack", "id": ack["id"], "channel": "general", "seq": 1, "at": at})
    );
    eve.assert_quiet("elsewhere");
    bob.assert_quiet("once");
    ada.assert_quiet("once to the sender too");
}

#[test]
fn without_an_id_there_is_no_ack() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    ada.send(json!({"type": "message", "channel": "general", "text": "hi"}));
    assert_eq!(ada.take("message")["text"], "hi");
    ada.assert_quiet("no ack");
}

#[test]
fn an_action_is_marked() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    ada.ask(json!({"type": "message", "channel": "general", "text": "waves", "action": true}));
    let message = ada.take("message");
    assert_eq!(
        (&message["text"], &message["action"]),
        (&json!("waves"), &json!(true))
    );
    let page = ada.ask(json!({"type": "history", "channel": "general"}));
    assert_eq!(page["messages"], json!([message]), "in the history too");
}

/// Two that speak at the same time: everybody sees one order, without a gap, and `at` never goes
/// back.
#[test]
fn numbers_have_no_gap_and_all_see_one_order() {
    let server = Server::unhurried();
    let mut people = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    for person in &mut people {
        person.join("general");
    }
    for n in 0..100 {
        for person in &mut people[..2] {
            person.send(json!({"type": "message", "channel": "general", "text": n.to_string(), "id": 1000 + n}));
        }
    }
    let seen = people
        .each_mut()
        .map(|person| (0..200).map(|_| person.take("message")).collect::<Vec<_>>());
    assert!(seen[0] == seen[1] && seen[0] == seen[2], "one order");
    let mut last = 0;
    for (n, message) in seen[0].iter().enumerate() {
        assert_eq!(message["seq"], n as u64 + 1);
        assert!(message["at"].as_u64().unwrap() >= last, "{message}");
        last = message["at"].as_u64().unwrap();
    }
    for person in &mut people[..2] {
        let author = &person.welcome["author"].clone();
        for (n, own) in seen[0]
            .iter()
            .filter(|message| message["author"] == *author)
            .enumerate()
        {
            assert_eq!(own["text"], n.to_string(), "one's own order");
            let ack = person.take_where("an ack", |event| event["id"] == 1000 + n);
            assert_eq!((&ack["seq"], &ack["at"]), (&own["seq"], &own["at"]));
        }
    }
}

#[test]
fn who_pipelines_sees_his_own_commands_in_their_order() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    let lines = [
        json!({"type": "message", "channel": "general", "text": "one", "id": 11}),
        json!({"type": "history", "channel": "general", "id": 12}),
        json!({"type": "message", "channel": "general", "text": "two", "id": 13}),
        json!({"type": "leave", "channel": "general", "id": 14}),
        json!({"type": "message", "channel": "general", "text": "three", "id": 15}),
        json!({"type": "join", "channel": "general", "id": 16}),
    ];
    ada.wire.send(
        lines
            .iter()
            .flat_map(|line| frame(0x81, line.to_string()))
            .collect::<Vec<u8>>(),
    );
    let mut answer = |id: u64| ada.take_where("an answer", |event| event["id"] == id);
    assert_eq!(
        answer(12)["messages"].as_array().unwrap().len(),
        1,
        "the history has what was said before it"
    );
    assert_eq!(answer(13)["seq"], 2);
    assert_eq!(answer(14)["type"], "left");
    assert_eq!(answer(15)["code"], "not_in_channel");
    assert_eq!(answer(16)["history"].as_array().unwrap().len(), 2);
    for text in ["one", "two"] {
        assert_eq!(
            ada.take("message")["text"],
            text,
            "what was said before one left is heard"
        );
    }
}

#[test]
fn a_nonce_gives_one_message() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    for person in [&mut ada, &mut bob] {
        person.join("general");
        person.join("other");
    }
    let say = |channel: &str, text: &str| json!({"type": "message", "channel": channel, "text": text, "nonce": "n-1"});
    let first = ada.ask(say("general", "once"));
    assert_eq!(bob.take("message")["nonce"], "n-1", "it comes back");
    let again = ada.ask(say("general", "twice"));
    assert_eq!(
        (&again["seq"], &again["at"], &again["type"]),
        (&first["seq"], &first["at"], &json!("ack"))
    );
    ada.send(say("#General", "by another spelling, and without an id"));
    assert_eq!(ada.take("message")["text"], "once");
    ada.assert_quiet("no second message, and no answer where there was no id");
    bob.assert_quiet("no second message");
    assert_eq!(ada.ask(say("other", "another channel"))["seq"], 1);
    assert_eq!(bob.ask(say("general", "another user"))["seq"], 2);
    let mut tab = ada.tab(&server);
    tab.join("general");
    assert_eq!(
        tab.ask(say("general", "a second tab"))["seq"],
        1,
        "a nonce belongs to the session"
    );
    let renamed = ada.ask(json!({"type": "rename", "name": "Grace"}));
    assert_eq!(renamed["type"], "renamed");
    assert_eq!(
        ada.ask(say("general", "another name"))["seq"],
        1,
        "by any name"
    );
    // Twice in one packet: one commit, and one message all the same.
    let line =
        json!({"type": "message", "channel": "general", "text": "pair", "nonce": "n-2", "id": 77})
            .to_string();
    ada.wire
        .send([frame(0x81, &line), frame(0x81, &line)].concat());
    for _ in 0..2 {
        assert_eq!(
            ada.take_where("its ack", |event| event["id"] == 77)["seq"],
            3
        );
    }
    for nonce in ["x".to_owned(), "😀".repeat(64), " ".to_owned()] {
        let ack =
            ada.ask(json!({"type": "message", "channel": "other", "text": "t", "nonce": nonce}));
        assert_eq!(ack["type"], "ack", "{nonce}");
    }
}

#[test]
fn two_tabs_are_one_user() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    let mut tab = ada.tab(&server);
    for field in ["name", "author", "session"] {
        assert_eq!(tab.welcome[field], ada.welcome[field], "{field}");
    }
    assert_eq!(tab.welcome["online"], 2);
    ada.join("general");
    bob.join("general");
    bob.say("general", "to one tab");
    ada.take("message");
    tab.assert_quiet("a connection hears the channels that it joined");
    let joined = tab.join("general");
    assert_eq!(
        (&joined["count"], joined["history"].as_array().map(Vec::len)),
        (&json!(2), Some(1))
    );
    tab.say("general", "from a tab");
    for person in [&mut ada, &mut bob, &mut tab] {
        assert_eq!(
            person.take_where("the tab's", |event| event["text"] == "from a tab")["from"],
            "Ada"
        );
    }
    ada.ask(json!({"type": "leave", "channel": "general"}));
    let users = bob.ask(json!({"type": "who", "channel": "general"}));
    assert_eq!(
        users["count"], 2,
        "a member as long as one connection is in it"
    );
    ada.quit();
    tab.say("general", "still here");
    assert_eq!(
        bob.ask(json!({"type": "who"}))["count"],
        2,
        "online as long as one connection is there"
    );
    tab.quit();
    let news = bob.take_where("that Ada left", |event| {
        event["type"] == "presence" && event["left"] == json!(["Ada"])
    });
    assert_eq!(news["online"], 1);
}

#[test]
fn typing_is_told_to_the_others_there_once_a_second() {
    let server = Server::start(&[]);
    let [mut ada, mut bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| server.enter(name));
    let mut tab = ada.tab(&server);
    for person in [&mut ada, &mut bob, &mut tab] {
        person.join("general");
    }
    let typing = json!({"type": "typing", "channel": "general"});
    ada.send(typing.clone());
    assert_eq!(
        bob.take("typing"),
        json!({"type": "typing", "channel": "general", "user": "Ada"})
    );
    for _ in 0..3 {
        ada.send(typing.clone());
        tab.send(typing.clone());
    }
    ada.assert_quiet("not to oneself");
    tab.assert_quiet("nor to one's other tab");
    eve.assert_quiet("nor to who is not there");
    bob.assert_quiet("at most once a second");
    bob.send(typing.clone());
    for person in [&mut ada, &mut tab] {
        assert_eq!(
            person.take("typing")["user"],
            "Bob",
            "another user's is another's"
        );
    }
    std::thread::sleep(Duration::from_millis(1100));
    ada.send(typing);
    assert_eq!(bob.take("typing")["user"], "Ada");
}

#[test]
fn texts_are_passed_on_as_they_came() {
    let server = Server::unhurried();
    let mut ada = server.enter("Ada");
    ada.join("general");
    let table = [
        "  spaces around  ".to_owned(),
        "a\nb\tc".to_owned(),
        "\n\nx".to_owned(),
        "\u{202e}right to left".to_owned(),
        "e\u{301} stays decomposed".to_owned(),
        "\u{fdd0}\u{ffff}\u{10ffff}".to_owned(),
        "\u{200b}".to_owned(),
        "\"\\/ </script>".to_owned(),
        "x".repeat(4000),
        "😀".repeat(4000),
    ];
    for text in table {
        ada.say("general", &text);
        assert_eq!(ada.take("message")["text"], text);
    }
    ada.line(r#"{"type":"message","channel":"general","text":"\ud83d\ude00 \u00e4 \/"}"#);
    assert_eq!(ada.take("message")["text"], "😀 ä /", "escapes of JSON");
}
