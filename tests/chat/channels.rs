//! Joining and leaving, and which channels there are.

use crate::harness::{START, Tab, World, list, number, seqs, text};
use parlor::limits::{Limits, PUT_AWAY};
use serde_json::json;

fn channel_names(world: &mut World, tab: Tab) -> Vec<String> {
    let channels = world.ask_ok(tab, "/channels");
    let channels = list(&channels["channels"]).iter();
    channels.map(|channel| text(&channel["name"])).collect()
}

#[test]
fn joined_lists_members_and_messages_and_then_subscribes() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    world.ask_ok(ada, "one");
    let ben = world.enter("Ben", &[]);
    let joined = world.ask_ok(ben, r##"{"type":"join","channel":"#Tea","id":5}"##);
    let message = json!({"type": "message", "channel": "tea", "from": "Ada", "author": 1,
        "text": "one", "seq": 1, "at": START});
    let expected = json!({"type": "joined", "id": 5, "channel": "tea", "seq": 1, "first": 1,
        "members": ["Ada", "Ben"], "count": 2, "history": [message], "more": false});
    assert_eq!(joined, expected);
    assert_eq!(world.outcome.cost, 1);
    assert_eq!(world.effect_kinds(), ["Answer", "Subscribe"]);
    world.ask_ok(ada, "two");
    assert_eq!(world.take(ben).pop().unwrap()["text"], "two");
}

#[test]
fn join_creates_a_channel_and_costs_five() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    let joined = world.ask_ok(ada, "/join Tea");
    assert_eq!(
        (&joined["channel"], &joined["first"]),
        (&json!("tea"), &json!(1))
    );
    assert_eq!(
        (&joined["seq"], &joined["history"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(world.outcome.cost, 5);
    world.wait(250);
    let changed = json!({"type": "channels_changed", "created": ["tea"], "gone": []});
    assert_eq!(world.take_all(ben, "channels_changed"), [changed]);
    assert_eq!(channel_names(&mut world, ben), ["tea", "general"]);
}

#[test]
fn joining_again_changes_nothing() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.ask_ok(ada, "one");
    world.wait(1_000);
    world.take(ben);
    let joined = world.ask_ok(ada, "/join tea");
    let (count, history) = (&joined["count"], seqs(&joined["history"]));
    assert_eq!(
        (count, history, world.outcome.cost),
        (&json!(2), vec![1], 1)
    );
    world.ask_ok(ada, "two");
    world.wait(1_000);
    assert_eq!(world.take(ben).len(), 1, "nothing but the message");
    let received = world.take(ada);
    let received = received.iter().filter(|event| event["text"] == "two");
    assert_eq!(received.count(), 1);
    world.ask_ok(ada, "/leave tea");
    let message = r#"{"type":"message","channel":"tea","text":"three"}"#;
    assert_eq!(
        world.error(ada, message),
        "not_in_channel",
        "one leave is enough"
    );
}

#[test]
fn join_with_since_returns_the_oldest_after_it() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    for n in 0..300 {
        world.ask_ok(ada, &format!("message {n}"));
    }
    let ben = world.enter("Ben", &[]);
    let table = [
        ("", 251..301, true),
        (r#","since":0"#, 1..201, true),
        (r#","since":99"#, 100..300, true),
        (r#","since":100"#, 101..301, false),
        (r#","since":299"#, 300..301, false),
        (r#","since":300"#, 1..1, false),
        (r#","since":301"#, 1..1, false),
        (r#","since":9007199254740991"#, 1..1, false),
    ];
    for (since, expected, more) in table {
        let joined = world.ask_ok(ben, &format!(r#"{{"type":"join","channel":"tea"{since}}}"#));
        assert_eq!(
            seqs(&joined["history"]),
            expected.collect::<Vec<_>>(),
            "{since}"
        );
        assert_eq!(joined["more"], more, "{since}");
        assert_eq!(
            (&joined["seq"], &joined["first"]),
            (&json!(300), &json!(1)),
            "{since}"
        );
    }
}

#[test]
fn look_alike_of_a_channel_is_a_bad_name() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["music1"]);
    assert_eq!(world.ask_ok(ada, "/join MUSIC1")["channel"], "music1");
    assert_eq!(world.error(ada, "/join -"), "bad_name");
    #[cfg(feature = "unicode")]
    for name in ["musicl", "musicI", "mu\u{455}ic1"] {
        let answer = world.ask(ada, &format!("/join {name}"));
        assert_eq!(answer[0]["code"], "bad_name", "{name}");
        assert!(
            text(&answer[0]["message"]).contains("#music1"),
            "{answer:?}"
        );
        assert_eq!(world.error(ada, &format!("/who {name}")), "no_such_channel");
    }
    assert_eq!(world.chat.channels(), 2);
}

#[test]
fn nothing_of_a_channel_follows_left() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea", "chess"]),
        world.enter("Ben", &["tea"]),
    ];
    world.say(ben, "before");
    world.commit();
    world.take(ada);
    let left = json!({"type": "left", "channel": "tea", "id": 4});
    assert_eq!(
        world.ask(ada, r#"{"type":"leave","channel":"tea","id":4}"#),
        [left]
    );
    world.take(ada);
    world.ask_ok(ben, "after");
    world.wait(1_000);
    let received = world.take(ada);
    assert!(
        received.iter().all(|event| event["channel"] != "tea"),
        "{received:?}"
    );
    for (line, code) in [("tea", "not_in_channel"), ("coffee", "no_such_channel")] {
        assert_eq!(world.error(ada, &format!("/leave {line}")), code);
    }
    assert_eq!(world.error(ada, "/leave -"), "bad_name");
}

#[test]
fn typed_lines_go_to_the_channel_joined_last() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea", "chess"]);
    let table = [
        ("hello", "chess"),
        ("/join tea", "tea"),
        ("hello", "tea"),
        ("/history", "tea"),
        ("/leave", "tea"),
        ("/me sighs", "chess"),
        ("/leave", "chess"),
    ];
    for (line, channel) in table {
        assert_eq!(world.ask_ok(ada, line)["channel"], channel, "{line}");
    }
    for line in ["hello", "/leave", "/me sighs", "/history"] {
        assert_eq!(world.error(ada, line), "not_in_channel");
    }
}

#[test]
fn empty_channel_without_messages_goes() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea", "chess", "general"]);
    world.ask_ok(ada, r#"{"type":"message","channel":"chess","text":"e4"}"#);
    world.wait(1_000);
    world.take(ada);
    for channel in ["tea", "chess", "general"] {
        world.ask_ok(ada, &format!("/leave {channel}"));
    }
    world.wait(1_000);
    let changed = json!({"type": "channels_changed", "created": [], "gone": ["tea"]});
    assert_eq!(world.take_all(ada, "channels_changed"), [changed]);
    assert_eq!(channel_names(&mut world, ada), ["chess", "general"]);
    assert_eq!(world.error(ada, "/who tea"), "no_such_channel");
    assert_eq!(world.ask_ok(ada, "/join chess")["seq"], 1);
}

#[test]
fn lost_connection_keeps_memberships_for_the_window() {
    let mut world = World::new();
    let ben = world.enter("Ben", &["tea", "chess", "rust"]);
    let (tab, session) = world.hello("Ada");
    for channel in ["tea", "chess", "rust", "go"] {
        world.ask_ok(tab, &format!("/join {channel}"));
    }
    let other = world.resume(&session);
    world.ask_ok(other, "/join rust");
    let counts = |world: &mut World| {
        let count = |channel| number(&world.ask_ok(ben, &format!("/who {channel}"))["count"]);
        ["tea", "chess", "rust"].map(count)
    };
    world.drop(tab);
    world.wait(20_000);
    assert_eq!(counts(&mut world), [2, 2, 2]);
    world.ask_ok(other, "/join tea");
    world.ask_ok(other, "/leave rust");
    assert_eq!(counts(&mut world), [2, 2, 1], "left since");
    world.wait(9_999);
    assert_eq!(counts(&mut world), [2, 2, 1]);
    assert_eq!(world.chat.channels(), 5);
    world.wait(1);
    assert_eq!(counts(&mut world), [2, 1, 1], "rejoined, and not");
    assert_eq!(world.chat.channels(), 4, "its last member is gone");
    world.quit(other);
    assert_eq!(counts(&mut world), [1, 1, 1]);
}

#[test]
fn channels_are_listed_by_use() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea", "chess", "rust"]);
    let ben = world.enter("Ben", &["general"]);
    assert_eq!(
        channel_names(&mut world, ben),
        ["general", "rust", "chess", "tea"]
    );
    for (tab, channel) in [(ada, "tea"), (ada, "rust"), (ben, "general")] {
        let message = json!({"type": "message", "channel": channel, "text": "hello"});
        world.say(tab, &message.to_string());
    }
    world.commit();
    assert_eq!(
        channel_names(&mut world, ben),
        ["general", "rust", "tea", "chess"]
    );
    let general = json!({"name": "general", "members": 1, "seq": 1});
    assert_eq!(world.ask_ok(ben, "/channels")["channels"][0], general);
}

#[test]
fn connection_is_in_a_hundred_channels_at_most() {
    let mut world = World::new();
    let ada = world.enter("Ada", &[]);
    for n in 0..100 {
        world.ask_ok(ada, &format!("/join c{n}"));
    }
    for channel in ["c100", "general"] {
        assert_eq!(
            world.error(ada, &format!("/join {channel}")),
            "too_many_channels"
        );
    }
    world.ask_ok(ada, "/join c5");
    world.ask_ok(ada, "/leave c7");
    world.ask_ok(ada, "/join general");
}

#[test]
fn least_used_empty_channel_is_put_away_at_the_limit() {
    let mut world = World::with(Limits {
        channels: 4,
        ..Limits::DEFAULT
    });
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    for channel in ["tea", "chess", "rust"] {
        world.ask_ok(ada, &format!("/join {channel}"));
        world.ask_ok(ada, "hello");
    }
    // All but general have members, and general stays.
    assert_eq!(world.error(ben, "/join music"), "too_many_channels");
    world.ask_ok(ada, "/leave chess");
    world.ask_ok(ada, "/leave tea");
    world.wait(1_000);
    world.take(ben);
    let changed = |created: &str, gone: &str| {
        [json!({"type": "channels_changed", "created": [created], "gone": [gone]})]
    };
    world.ask_ok(ben, "/join music");
    world.wait(1_000);
    assert_eq!(
        world.take_all(ben, "channels_changed"),
        changed("music", "tea")
    );
    assert_eq!(
        channel_names(&mut world, ben),
        ["music", "rust", "chess", "general"]
    );
    for command in [
        r#"{"type":"history","channel":"tea"}"#,
        "/who tea",
        "/leave tea",
    ] {
        assert_eq!(world.error(ada, command), "no_such_channel");
    }
    let joined = world.ask_ok(ada, "/join tea");
    assert_eq!((&joined["seq"], world.outcome.cost), (&json!(1), 5));
    assert_eq!(joined["history"][0]["text"], "hello");
    world.wait(1_000);
    assert_eq!(
        world.take_all(ben, "channels_changed"),
        changed("tea", "chess")
    );
    world.take(ada);
    assert_eq!(world.ask_ok(ada, "again")["seq"], 2);
}

#[test]
fn ten_thousand_channels_are_put_away_at_most() {
    let mut world = World::with(Limits {
        channels: 2,
        rate: 0,
        ..Limits::DEFAULT
    });
    let ada = world.enter("Ada", &[]);
    let mut visit = |channel: &str| {
        let seq = number(&world.ask_ok(ada, &format!("/join {channel}"))["seq"]);
        world.ask_ok(ada, "hello");
        world.ask_ok(ada, "/leave");
        world.take(ada);
        seq
    };
    for n in 0..=PUT_AWAY {
        visit(&format!("c{n}"));
    }
    // Of these, c0 to c9999 are put away. It comes back, and later goes again as the newest one.
    assert_eq!(visit("c0"), 1);
    visit("one-more");
    visit("and-another");
    assert_eq!(
        [visit("c1"), visit("c0"), visit("c3"), visit("c9")],
        [0, 2, 0, 1]
    );
}
