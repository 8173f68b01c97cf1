//! Channels: joining, leaving, who is there, the lists, what is gathered, and how many there may
//! be.

use serde_json::{Value, json};

use crate::harness::{Person, Server};

fn names(list: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// Reads gathered news of a kind until all that is expected was told, whatever the parts are.
fn told(person: &mut Person, kind: &str, list: &str, expected: &[&str]) -> Vec<Value> {
    let (mut seen, mut events) = (Vec::new(), Vec::new());
    while expected
        .iter()
        .any(|name| !seen.iter().any(|known| known == name))
    {
        let event = person.take(kind);
        seen.extend(names(&event[list]).into_iter().map(str::to_owned));
        events.push(event);
    }
    events
}

/// One channel went and another came: in one event or in two.
fn swapped(person: &mut Person, gone: &str, created: &str) {
    let (mut went, mut came) = (false, false);
    while !(went && came) {
        let event = person.take("channels_changed");
        went |= names(&event["gone"]).contains(&gone);
        came |= names(&event["created"]).contains(&created);
    }
}

#[test]
fn joining_and_leaving() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    let joined = ada.ask(json!({"type": "join", "channel": "#Rust"}));
    assert_eq!(
        joined,
        json!({"type": "joined", "id": joined["id"], "channel": "rust", "seq": 0, "first": 1, "members": ["Ada"], "count": 1,
               "history": [], "more": false})
    );
    ada.say("rust", "first");
    let joined = bob.join("rust");
    assert_eq!(
        (&joined["seq"], &joined["first"], &joined["count"]),
        (&json!(1), &json!(1), &json!(2))
    );
    assert_eq!(names(&joined["members"]), ["Ada", "Bob"]);
    assert_eq!(
        joined["history"],
        json!([ada.take("message")]),
        "whole events"
    );
    assert_eq!(joined["more"], false);
    let news = told(&mut ada, "members", "joined", &["Bob"]).pop().unwrap();
    assert_eq!(
        (&news["channel"], &news["count"]),
        (&json!("rust"), &json!(2))
    );

    let again = bob.join("RUST");
    assert_eq!(
        again["members"].as_array().map(Vec::len),
        Some(2),
        "joining again is answered as the first time"
    );
    assert_eq!(
        (&again["history"], &again["count"]),
        (&joined["history"], &json!(2))
    );
    bob.say("rust", "second");
    assert_eq!(bob.take("message")["text"], "second");
    bob.assert_quiet("once, though joined twice");

    assert_eq!(
        bob.ask(json!({"type": "leave", "channel": "#RUST"}))["channel"],
        "rust"
    );
    assert_eq!(
        bob.refused(json!({"type": "leave", "channel": "rust"})),
        "not_in_channel"
    );
    assert_eq!(
        bob.refused(json!({"type": "message", "channel": "rust", "text": "x"})),
        "not_in_channel"
    );
    let news = told(&mut ada, "members", "left", &["Bob"]).pop().unwrap();
    assert_eq!(news["count"], 1);
    ada.say("rust", "third");
    bob.assert_quiet("who left hears nothing");
}

#[test]
fn who_and_channels() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("rust");
    ada.say("rust", "hi");
    let users = bob.ask(json!({"type": "who"}));
    assert_eq!(
        (names(&users["users"]), &users["count"]),
        (vec!["Ada", "Bob"], &json!(2))
    );
    assert!(users.get("channel").is_none_or(Value::is_null), "{users}");
    let users = bob.ask(json!({"type": "who", "channel": "#Rust"}));
    assert_eq!(
        (&users["users"], &users["count"], &users["channel"]),
        (&json!(["Ada"]), &json!(1), &json!("rust"))
    );
    let list = bob.ask(json!({"type": "channels"}));
    let mut channels = list["channels"].as_array().unwrap().clone();
    channels.sort_by_key(|channel| channel["name"].to_string());
    assert_eq!(
        json!(channels),
        json!([{"name": "general", "members": 0, "seq": 0}, {"name": "rust", "members": 1, "seq": 1}])
    );
    let eve = server.enter("Eve");
    assert_eq!(
        eve.welcome["channels"][0],
        json!({"name": "rust", "members": 1, "seq": 1}),
        "the most recently used first"
    );
}

#[test]
fn channels_come_and_go() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("kept");
    ada.join("empty");
    told(&mut bob, "channels_changed", "created", &["kept", "empty"]);
    ada.say("kept", "something");
    for channel in ["kept", "empty"] {
        ada.ask(json!({"type": "leave", "channel": channel}));
    }
    let gone = told(&mut bob, "channels_changed", "gone", &["empty"]);
    assert!(
        gone.iter().all(|event| event["gone"] == json!(["empty"])),
        "{gone:?}: what has a history stays"
    );
    assert_eq!(
        bob.refused(json!({"type": "history", "channel": "empty"})),
        "no_such_channel"
    );
    assert_eq!(
        bob.ask(json!({"type": "history", "channel": "kept"}))["messages"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let names: Vec<Value> = bob.ask(json!({"type": "channels"}))["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|channel| channel["name"].clone())
        .collect();
    assert!(
        names.contains(&json!("general")) && names.contains(&json!("kept")) && names.len() == 2,
        "{names:?}"
    );
}

#[test]
fn presence_is_told_to_everybody() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    let bob = server.enter("Bob");
    let news = told(&mut ada, "presence", "joined", &["Bob"])
        .pop()
        .unwrap();
    assert_eq!(news["online"], 2);
    bob.quit();
    let news = told(&mut ada, "presence", "left", &["Bob"]).pop().unwrap();
    assert_eq!(news["online"], 1);
}

#[test]
fn who_comes_and_goes_in_between_is_not_told() {
    use crate::harness::frame;
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    for n in 0..5 {
        let mut flash = Person::guest(&server);
        flash
            .wire
            .send([frame(0x81, format!("/nick Flash{n}")), frame(0x81, "/quit")].concat());
        flash.take("welcome");
    }
    let _bob = server.enter("Bob");
    for event in told(&mut ada, "presence", "joined", &["Bob"]) {
        assert!(!event.to_string().contains("Flash"), "{event}");
    }
}

/// The same for who joins and leaves a channel, and for a channel that is created and goes away.
#[test]
fn who_joins_and_leaves_in_between_is_not_told() {
    use crate::harness::frame;
    let server = Server::unhurried();
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("general");
    for lines in [["/join general", "/leave"], ["/join flash", "/leave"]] {
        bob.wire.send(
            lines
                .iter()
                .flat_map(|line| frame(0x81, line))
                .collect::<Vec<u8>>(),
        );
        bob.take("left");
    }
    let mut eve = server.enter("Eve");
    eve.join("general");
    eve.join("lasting");
    for event in told(&mut ada, "members", "joined", &["Eve"]) {
        assert!(!event.to_string().contains("Bob"), "{event}");
    }
    for event in told(&mut ada, "channels_changed", "created", &["lasting"]) {
        assert!(!event.to_string().contains("flash"), "{event}");
    }
}

/// News are gathered: a storm of comings is a handful of events, in which nobody is missing or
/// twice.
#[test]
fn a_storm_is_gathered() {
    let server = Server::start(&["--rate", "0", "--max-connections-per-ip", "0"]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    ada.drain();
    let start = std::time::Instant::now();
    let people: Vec<Person> = (0..60)
        .map(|n| {
            let mut person = server.enter(&format!("p{n:02}"));
            person.join("general");
            person
        })
        .collect();
    let expected: Vec<String> = (0..60).map(|n| format!("p{n:02}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    for (kind, count) in [("presence", "online"), ("members", "count")] {
        let events: Vec<Value> = told(&mut ada, kind, "joined", &expected);
        let most = 4 * (start.elapsed().as_secs() as usize + 1) + 1;
        assert!(
            events.len() <= most,
            "{} of {kind}, at most four a second",
            events.len()
        );
        let mut all: Vec<&str> = events
            .iter()
            .flat_map(|event| names(&event["joined"]))
            .filter(|name| *name != "Ada")
            .collect();
        all.sort_unstable();
        assert_eq!(all, expected, "each once");
        assert_eq!(events.last().unwrap()[count], 61, "{kind}");
    }
    drop(people);
}

#[test]
fn a_name_that_only_looks_like_a_channels_is_refused() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    for name in [
        Some("genera1"),
        cfg!(feature = "unicode").then_some("gener\u{430}l"),
    ]
    .into_iter()
    .flatten()
    {
        if !cfg!(feature = "unicode") {
            continue; // without it, only ASCII letters in another case are the same
        }
        let error = ada.ask(json!({"type": "join", "channel": name}));
        assert_eq!(error["code"], "bad_name", "{name}: {error}");
        assert!(
            error["message"].as_str().unwrap().contains("general"),
            "it says which: {error}"
        );
        assert_eq!(
            ada.refused(json!({"type": "history", "channel": name})),
            "no_such_channel",
            "{name}"
        );
    }
    assert_eq!(ada.join("GENERAL")["channel"], "general");
}

#[test]
fn a_connection_is_in_a_hundred_channels_at_most() {
    let server = Server::start(&["--rate", "0"]);
    let mut ada = server.enter("Ada");
    for n in 0..100 {
        ada.join(&format!("c{n}"));
    }
    assert_eq!(
        ada.refused(json!({"type": "join", "channel": "c100"})),
        "too_many_channels"
    );
    assert_eq!(
        ada.refused(json!({"type": "join", "channel": "general"})),
        "too_many_channels",
        "one that exists too"
    );
    assert_eq!(
        ada.refused(json!({"type": "join", "channel": "a b"})),
        "bad_name"
    );
    ada.join("c50");
    ada.ask(json!({"type": "leave", "channel": "c50"}));
    ada.join("general");
    let mut tab = ada.tab(&server);
    assert_eq!(
        tab.ask(json!({"type": "join", "channel": "c100"}))["type"],
        "joined",
        "another connection has its own hundred"
    );
}

#[test]
fn beyond_max_channels_the_longest_unused_is_put_away() {
    let server = Server::start(&["--rate", "0", "--max-channels", "3"]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("one");
    ada.join("two");
    ada.say("one", "kept");
    ada.say("two", "kept too");
    assert_eq!(
        bob.refused(json!({"type": "join", "channel": "three"})),
        "too_many_channels",
        "all have members; general stays"
    );
    ada.say("two", "used later");
    for channel in ["two", "one"] {
        ada.ask(json!({"type": "leave", "channel": channel}));
    }
    // What comes and goes between two news is not told: each change is waited for.
    for person in [&mut ada, &mut bob] {
        told(person, "channels_changed", "created", &["one", "two"]);
    }
    bob.join("three");
    let list = bob.ask(json!({"type": "channels"}))["channels"].clone();
    let mut listed: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|channel| channel["name"].as_str())
        .collect();
    listed.sort_unstable();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(
        listed.contains(&"general") && listed.contains(&"three"),
        "{listed:?}"
    );
    let (away, stays) = if listed.contains(&"two") {
        ("one", "two")
    } else {
        ("two", "one")
    };
    for person in [&mut ada, &mut bob] {
        swapped(person, away, "three");
    }
    assert_eq!(
        ada.refused(json!({"type": "history", "channel": away})),
        "no_such_channel"
    );
    assert_eq!(
        ada.refused(json!({"type": "who", "channel": away})),
        "no_such_channel"
    );
    if cfg!(feature = "unicode") {
        let alike = if away == "one" { "0ne" } else { "tw0" };
        assert_eq!(
            ada.refused(json!({"type": "join", "channel": alike})),
            "bad_name",
            "its look-alikes stay refused"
        );
    }
    let joined = ada.join(away);
    assert_eq!(
        joined["history"][0]["text"]
            .as_str()
            .map(|text| text.starts_with("kept")),
        Some(true),
        "its history came back: {joined}"
    );
    assert_eq!(
        joined["seq"].as_u64(),
        Some(if away == "one" { 1 } else { 2 }),
        "it goes on where it was"
    );
    swapped(&mut bob, stays, away);
}

/// Lists stop at 500 names; the counts are whole.
#[test]
fn more_than_500_people() {
    let server = Server::start(&["--rate", "0", "--max-connections-per-ip", "0"]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    let mut crowd: Vec<Person> = (0..505).map(|_| Person::guest(&server)).collect();
    for (n, person) in crowd.iter_mut().enumerate() {
        person.line(&format!("/nick p{n}"));
        person.line("/join general");
    }
    for person in &mut crowd {
        person.take("joined");
    }
    let mut last = server.enter("Last");
    assert_eq!(
        (
            last.welcome["users"].as_array().map(Vec::len),
            &last.welcome["online"]
        ),
        (Some(500), &json!(507))
    );
    let joined = last.join("general");
    assert_eq!(
        (joined["members"].as_array().map(Vec::len), &joined["count"]),
        (Some(500), &json!(507))
    );
    for command in [
        json!({"type": "who"}),
        json!({"type": "who", "channel": "general"}),
    ] {
        let users = last.ask(command);
        assert_eq!(
            (users["users"].as_array().map(Vec::len), &users["count"]),
            (Some(500), &json!(507))
        );
    }
    ada.say("general", "to all");
    for person in &mut crowd {
        assert_eq!(person.take("message")["text"], "to all");
    }
}
