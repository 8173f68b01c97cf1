//! What was said before: pages with `before`, `after`, `limit`, and `join` with `since`.

use serde_json::{Value, json};

use crate::harness::{Person, Server};

/// A server where the channel has `count` messages, 1 to `count`, and who said them.
fn told(count: u64) -> (Server, Person) {
    let server = Server::unhurried();
    let mut ada = server.enter("Ada");
    ada.join("general");
    for n in 1..=count {
        ada.send(json!({"type": "message", "channel": "general", "text": n.to_string()}));
    }
    for _ in 0..count {
        ada.take("message");
    }
    (server, ada)
}

fn numbers(messages: &Value) -> Vec<u64> {
    messages
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| message["seq"].as_u64().expect("a seq"))
        .collect()
}

#[test]
fn pages() {
    let (_server, mut ada) = told(230);
    let table = [
        ("the newest 50 by default", json!({}), 181..=230, true),
        ("as many as one says", json!({"limit": 3}), 228..=230, true),
        ("200 at most", json!({"limit": 200}), 31..=230, true),
        ("before", json!({"before": 100}), 50..=99, true),
        (
            "before, with a limit",
            json!({"before": 100, "limit": 2}),
            98..=99,
            true,
        ),
        (
            "before, to the beginning",
            json!({"before": 51}),
            1..=50,
            false,
        ),
        (
            "before, less than a page",
            json!({"before": 3}),
            1..=2,
            false,
        ),
        (
            "before what is to come",
            json!({"before": 1_000_000, "limit": 1}),
            230..=230,
            true,
        ),
        (
            "after, oldest first",
            json!({"after": 100}),
            101..=150,
            true,
        ),
        (
            "after, with a limit",
            json!({"after": 100, "limit": 2}),
            101..=102,
            true,
        ),
        (
            "after nothing",
            json!({"after": 0, "limit": 200}),
            1..=200,
            true,
        ),
        ("after, to the end", json!({"after": 180}), 181..=230, false),
        (
            "after, less than a page",
            json!({"after": 228}),
            229..=230,
            false,
        ),
        (
            "null is as absent",
            json!({"before": null, "after": 228, "limit": null}),
            229..=230,
            false,
        ),
    ];
    for (name, mut command, expected, more) in table {
        command["type"] = json!("history");
        command["channel"] = json!("general");
        let page = ada.ask(command);
        assert_eq!(page["type"], "history", "{name}: {page}");
        assert_eq!(
            numbers(&page["messages"]),
            expected.collect::<Vec<u64>>(),
            "{name}"
        );
        assert_eq!(
            (&page["more"], &page["first"], &page["channel"]),
            (&json!(more), &json!(1), &json!("general")),
            "{name}"
        );
        for message in page["messages"].as_array().unwrap() {
            assert_eq!(
                (&message["type"], &message["text"]),
                (&json!("message"), &json!(message["seq"].to_string())),
                "{name}"
            );
        }
    }
    for (name, ask) in [
        ("after the newest", json!({"after": 230})),
        ("beyond it", json!({"after": 9_000})),
        ("before the first", json!({"before": 1})),
    ] {
        let mut command = ask;
        command["type"] = json!("history");
        command["channel"] = json!("general");
        let page = ada.ask(command);
        assert_eq!(
            (&page["messages"], &page["more"]),
            (&json!([]), &json!(false)),
            "{name}"
        );
    }
}

#[test]
fn joining_with_since() {
    let (server, _ada) = told(230);
    for (name, since, expected, more) in [
        ("the newest 50 without it", json!(null), 181..=230, None),
        ("what came after", json!(225), 226..=230, Some(false)),
        ("oldest first, 200 at most", json!(0), 1..=200, Some(true)),
        ("exactly to the end", json!(30), 31..=230, Some(false)),
    ] {
        let mut bob = Person::guest(&server);
        bob.line("/nick Bob");
        let joined = bob.ask(json!({"type": "join", "channel": "general", "since": since}));
        assert_eq!(
            numbers(&joined["history"]),
            expected.collect::<Vec<u64>>(),
            "{name}"
        );
        assert_eq!(
            (&joined["seq"], &joined["first"]),
            (&json!(230), &json!(1)),
            "{name}"
        );
        if let Some(more) = more {
            assert_eq!(joined["more"], more, "{name}");
        }
        bob.quit();
    }
    let mut eve = server.enter("Eve");
    for since in [230, 231, 1_000_000] {
        let joined = eve.ask(json!({"type": "join", "channel": "general", "since": since}));
        assert_eq!(
            (&joined["history"], &joined["more"]),
            (&json!([]), &json!(false)),
            "since {since}"
        );
    }
}

#[test]
fn history_needs_no_membership() {
    let (server, _ada) = told(2);
    let mut bob = server.enter("Bob");
    assert_eq!(
        numbers(&bob.ask(json!({"type": "history", "channel": "#General"}))["messages"]),
        [1, 2]
    );
    assert_eq!(
        bob.ask(json!({"type": "who", "channel": "general"}))["users"],
        json!(["Ada"])
    );
    bob.assert_quiet("and gives none");
}

#[test]
fn an_empty_channel() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    let page = ada.ask(json!({"type": "history", "channel": "general"}));
    let expected = json!({"type": "history", "id": page["id"], "channel": "general", "messages": [], "more": false, "first": 1});
    assert_eq!(page, expected, "where nothing is kept, first is seq + 1");
}

/// Pages stop at 256 KiB, and with `more` everything is fetched, once and in order.
#[test]
fn large_messages_come_in_several_pages() {
    let server = Server::unhurried();
    let mut ada = server.enter("Ada");
    ada.join("general");
    let text = "😀".repeat(4000);
    for _ in 0..40 {
        ada.send(json!({"type": "message", "channel": "general", "text": text}));
    }
    for _ in 0..40 {
        ada.take("message");
    }
    let (mut after, mut pages) = (0, 0);
    loop {
        let page =
            ada.ask(json!({"type": "history", "channel": "general", "after": after, "limit": 200}));
        assert!(
            page.to_string().len() <= (256 << 10) + 17_000,
            "{} bytes",
            page.to_string().len()
        );
        let numbers = numbers(&page["messages"]);
        assert!(!numbers.is_empty(), "a page has one message at least");
        assert_eq!(
            numbers,
            (after + 1..=after + numbers.len() as u64).collect::<Vec<_>>()
        );
        after += numbers.len() as u64;
        pages += 1;
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(after, 40);
    assert!(pages >= 3, "640 KB in {pages} pages");
    let mut bob = server.enter("Bob");
    let joined = bob.ask(json!({"type": "join", "channel": "general", "since": 0}));
    let got = joined["history"].as_array().unwrap().len();
    assert!(
        joined["more"] == true && (1..20).contains(&got),
        "{got} with joined"
    );
}

/// Who pipelines many pages gets them all, and is not closed for what he asked.
#[test]
fn pipelined_pages_are_all_answered() {
    let (_server, mut ada) = told(200);
    for n in 0..100 {
        ada.send(json!({"type": "history", "channel": "general", "limit": 200, "after": 0, "id": 5000 + n}));
    }
    for n in 0..100 {
        let page = ada.take_where("its page", |event| event["id"] == 5000 + n);
        let got = numbers(&page["messages"]);
        assert_eq!(got, (1..=got.len() as u64).collect::<Vec<_>>(), "page {n}");
        assert!(
            !got.is_empty() && (got.len() == 200 || page["more"] == true),
            "page {n}"
        );
    }
}

#[test]
fn without_a_history_the_newest_thousand_are_kept() {
    let (_server, mut ada) = told(1100);
    let page = ada.ask(json!({"type": "history", "channel": "general", "after": 0, "limit": 5}));
    assert_eq!(
        (numbers(&page["messages"]), &page["first"]),
        ((101..=105).collect(), &json!(101))
    );
    let page = ada.ask(json!({"type": "history", "channel": "general", "before": 103}));
    assert_eq!(
        (numbers(&page["messages"]), &page["more"]),
        (vec![101, 102], &json!(false))
    );
    let joined = ada.ask(json!({"type": "join", "channel": "general", "since": 50}));
    assert_eq!(
        (
            &joined["first"],
            &joined["seq"],
            numbers(&joined["history"])[0]
        ),
        (&json!(101), &json!(1100), 101)
    );
}
