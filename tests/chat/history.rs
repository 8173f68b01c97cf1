//! `history` and `who`, which need no membership.

use crate::harness::{World, seqs};
use serde_json::json;

#[test]
fn history_returns_pages_of_any_channel() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &[])];
    for n in 0..60 {
        world.ask_ok(ada, &format!("message {n}"));
    }
    let table = [
        ("", 11..61, true),
        (r#","limit":10"#, 51..61, true),
        (r#","limit":200"#, 1..61, false),
        (r#","before":11"#, 1..11, false),
        (r#","before":11,"limit":5"#, 6..11, true),
        (r#","after":5"#, 6..56, true),
        (r#","after":55"#, 56..61, false),
        (r#","after":0,"limit":1"#, 1..2, true),
        (r#","before":1"#, 1..1, false),
        (r#","before":0"#, 1..1, false),
        (r#","after":60"#, 1..1, false),
        (r#","after":1000"#, 1..1, false),
    ];
    for (range, expected, more) in table {
        let request = format!(r#"{{"type":"history","channel":"TEA"{range}}}"#);
        let history = world.ask_ok(ben, &request);
        assert_eq!(
            seqs(&history["messages"]),
            expected.collect::<Vec<_>>(),
            "{range}"
        );
        assert_eq!(
            (&history["more"], &history["first"]),
            (&json!(more), &json!(1)),
            "{range}"
        );
        assert_eq!(history["channel"], "tea");
    }
    let history = world.ask_ok(ben, r#"{"type":"history","channel":"general"}"#);
    let empty =
        json!({"type": "history", "channel": "general", "messages": [], "more": false, "first": 1});
    assert_eq!(history, empty);
    for (channel, code) in [("coffee", "no_such_channel"), ("-", "bad_name")] {
        let request = format!(r#"{{"type":"history","channel":"{channel}"}}"#);
        assert_eq!(world.error(ben, &request), code);
    }
}

#[test]
fn page_is_limited_in_bytes_but_has_one_message() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &[])];
    for _ in 0..100 {
        world.ask_ok(ada, &"ä".repeat(4_000));
    }
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
    assert!((bytes - 4_096..=256 << 10).contains(&world.outcome.page_bytes));
    assert_eq!(world.outcome.pages, 1);
    let newest = r#"{"type":"history","channel":"tea"}"#;
    let after = r#"{"type":"history","channel":"tea","after":7}"#;
    for (request, page_bytes, expected) in [
        (after, 0, vec![8]),
        (after, 8_300, vec![8]),
        (after, 17_000, vec![8, 9]),
        (newest, 0, vec![100]),
    ] {
        world.say_within(ben, request, page_bytes);
        let history = world.take(ben).remove(0);
        assert_eq!(
            (seqs(&history["messages"]), &history["more"]),
            (expected, &json!(true))
        );
    }
}

#[test]
fn first_moves_when_old_messages_are_dropped() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    for n in 0..1_010 {
        world.ask_ok(ada, &format!("message {n}"));
    }
    let joined = world.ask_ok(ada, r#"{"type":"join","channel":"tea","since":3}"#);
    assert_eq!(
        (&joined["first"], &joined["seq"]),
        (&json!(11), &json!(1_010))
    );
    assert_eq!(seqs(&joined["history"])[0], 11);
}

#[test]
fn who_lists_users_online_or_in_any_channel() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["chess"])];
    let all = json!({"type": "users", "users": ["Ada", "Ben"], "count": 2});
    assert_eq!(world.ask_ok(ben, "/who"), all);
    let tea = json!({"type": "users", "channel": "tea", "users": ["Ada"], "count": 1, "id": 7});
    assert_eq!(
        world.ask_ok(ben, r#"{"type":"who","channel":"TEA","id":7}"#),
        tea
    );
    let empty = json!({"type": "users", "channel": "general", "users": [], "count": 0});
    assert_eq!(world.ask_ok(ada, "/who general"), empty);
    assert_eq!(world.error(ada, "/who coffee"), "no_such_channel");
    assert_eq!(world.error(ada, "/who -"), "bad_name");
}
