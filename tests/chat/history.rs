//! `history` and `who`: questions that need no membership.

use crate::harness::{World, list, number};
use serde_json::{Value, json};

fn seqs(messages: &Value) -> Vec<u64> {
    list(messages)
        .iter()
        .map(|message| number(&message["seq"]))
        .collect()
}

#[test]
fn pages_of_any_channel_that_exists() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &[])];
    for n in 0..60 {
        world.ask_ok(ada, &format!("message {n}"));
    }
    let table = [
        ("the newest 50", "", 11..=60, true),
        ("the newest 10", r#","limit":10"#, 51..=60, true),
        ("all", r#","limit":200"#, 1..=60, false),
        ("before 11", r#","before":11"#, 1..=10, false),
        ("5 before 11", r#","before":11,"limit":5"#, 6..=10, true),
        ("after 5", r#","after":5"#, 6..=55, true),
        ("after 55", r#","after":55"#, 56..=60, false),
        ("1 after 0", r#","after":0,"limit":1"#, 1..=1, true),
    ];
    for (name, range, expected, more) in table {
        let history = world.ask_ok(
            ben,
            &format!(r#"{{"type":"history","channel":"tea"{range},"id":1}}"#),
        );
        assert_eq!(
            seqs(&history["messages"]),
            expected.collect::<Vec<_>>(),
            "{name}"
        );
        assert_eq!(
            (&history["more"], &history["first"], &history["channel"]),
            (&json!(more), &json!(1), &json!("tea")),
            "{name}"
        );
        assert_eq!(history["messages"][0]["type"], "message", "whole events");
    }
    for range in [
        r#","before":1"#,
        r#","before":0"#,
        r#","after":60"#,
        r#","after":1000"#,
    ] {
        let history = world.ask_ok(
            ben,
            &format!(r#"{{"type":"history","channel":"tea"{range}}}"#),
        );
        assert_eq!(
            (&history["messages"], &history["more"]),
            (&json!([]), &json!(false)),
            "{range}"
        );
    }
    let history = world.ask_ok(ben, r#"{"type":"history","channel":"general"}"#);
    assert_eq!(
        history,
        json!({"type": "history", "channel": "general", "messages": [], "more": false, "first": 1})
    );
    assert_eq!(
        world.error(ben, r#"{"type":"history","channel":"coffee"}"#),
        "no_such_channel"
    );
    assert_eq!(
        world.error(ben, r#"{"type":"history","channel":"-"}"#),
        "bad_name"
    );
}

#[test]
fn a_page_has_at_most_256_kib_and_what_is_left_of_them_in_the_turn_but_one_message_always() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &[])];
    let text = "ä".repeat(4_000);
    for _ in 0..100 {
        world.ask_ok(ada, &text);
    }
    world.effects.clear();
    world.say_within(
        ben,
        r#"{"type":"join","channel":"tea","since":0}"#,
        usize::MAX,
    );
    let joined = world.take(ben).remove(0);
    let bytes = joined.to_string().len();
    assert!((240 << 10..256 << 10).contains(&bytes), "{bytes} bytes");
    assert_eq!(
        (&joined["more"], seqs(&joined["history"])[0]),
        (&json!(true), 1)
    );
    assert!(
        (bytes - 4_096..=256 << 10).contains(&world.outcome.page_bytes),
        "{:?}",
        world.outcome
    );
    assert_eq!(world.outcome.pages, 1);
    for (page_bytes, messages) in [(0, 1), (100, 1), (8_300, 1), (17_000, 2)] {
        world.say_within(
            ben,
            r#"{"type":"history","channel":"tea","after":7}"#,
            page_bytes,
        );
        let history = world.take(ben).remove(0);
        assert_eq!(
            (seqs(&history["messages"]), &history["more"]),
            ((8..8 + messages).collect(), &json!(true)),
            "{page_bytes} bytes"
        );
    }
    world.say_within(ben, r#"{"type":"history","channel":"tea"}"#, 0);
    let newest = world.take(ben).remove(0);
    assert_eq!(
        (seqs(&newest["messages"]), &newest["more"]),
        (vec![100], &json!(true))
    );
}

#[test]
fn first_moves_and_seq_goes_on_where_old_messages_are_not_kept() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    for n in 0..1_010 {
        world.ask_ok(ada, &format!("message {n}"));
    }
    let joined = world.ask_ok(ada, r#"{"type":"join","channel":"tea","since":3}"#);
    assert_eq!(
        (
            &joined["first"],
            &joined["seq"],
            seqs(&joined["history"])[0]
        ),
        (&json!(11), &json!(1_010), 11)
    );
}

#[test]
fn who_tells_the_users_online_or_the_members_of_any_channel() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["chess"])];
    assert_eq!(
        world.ask_ok(ben, "/who"),
        json!({"type": "users", "users": ["Ada", "Ben"], "count": 2})
    );
    let users = json!({"type": "users", "channel": "tea", "users": ["Ada"], "count": 1, "id": 7});
    assert_eq!(
        world.ask_ok(ben, r#"{"type":"who","channel":"TEA","id":7}"#),
        users
    );
    assert_eq!(
        world.ask_ok(ada, "/who general"),
        json!({"type": "users", "channel": "general", "users": [], "count": 0})
    );
    assert_eq!(world.error(ada, "/who coffee"), "no_such_channel");
    assert_eq!(world.error(ada, "/who -"), "bad_name");
}
