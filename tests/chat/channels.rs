//! Joining and leaving, and which channels there are («From the client», «Names»,
//! `--max-channels`).

use crate::harness::{Tab, World, list, number};
use parlor::limits::Limits;
use serde_json::{Value, json};

fn channel_names(world: &mut World, tab: Tab) -> Vec<String> {
    let channels = world.ask_ok(tab, "/channels");
    list(&channels["channels"])
        .iter()
        .map(|channel| crate::harness::text(&channel["name"]))
        .collect()
}

fn seqs(messages: &Value) -> Vec<u64> {
    list(messages)
        .iter()
        .map(|message| number(&message["seq"]))
        .collect()
}

#[test]
fn joined_tells_what_there_is_and_the_channel_is_subscribed_to_behind_it() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    world.ask_ok(ada, "one");
    let ben = world.enter("Ben", &[]);
    let joined = world.ask_ok(ben, r##"{"type":"join","channel":"#Tea","id":5}"##);
    let message = json!({"type": "message", "channel": "tea", "from": "Ada", "author": 1, "text": "one", "seq": 1, "at": 1_700_000_000_000_u64});
    let expected = json!({
        "type": "joined", "id": 5, "channel": "tea", "seq": 1, "first": 1, "members": ["Ada", "Ben"], "count": 2,
        "history": [message], "more": false,
    });
    assert_eq!(joined, expected);
    assert_eq!(world.outcome.cost, 1);
    let kinds: Vec<_> = world
        .effects
        .iter()
        .map(|effect| {
            format!("{effect:?}")
                .split(' ')
                .next()
                .unwrap_or("")
                .to_owned()
        })
        .collect();
    assert_eq!(kinds, ["Answer", "Subscribe"]);
    world.ask_ok(ada, "two");
    assert_eq!(
        world.take(ben).last().map(|event| event["text"].clone()),
        Some(json!("two"))
    );
}

#[test]
fn a_join_creates_the_channel_and_costs_five() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    let joined = world.ask_ok(ada, "/join Tea");
    assert_eq!(
        (
            &joined["channel"],
            &joined["seq"],
            &joined["first"],
            &joined["history"]
        ),
        (&json!("tea"), &json!(0), &json!(1), &json!([]))
    );
    assert_eq!(world.outcome.cost, 5);
    world.wait(250);
    assert_eq!(
        world.take_all(ben, "channels_changed"),
        [json!({"type": "channels_changed", "created": ["tea"], "gone": []})]
    );
    assert_eq!(channel_names(&mut world, ben), ["tea", "general"]);
}

#[test]
fn joining_again_is_answered_as_the_first_time_and_changes_nothing_else() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.ask_ok(ada, "one");
    world.wait(1_000);
    world.take(ben);
    let joined = world.ask_ok(ada, "/join tea");
    assert_eq!(
        (
            &joined["count"],
            seqs(&joined["history"]),
            world.outcome.cost
        ),
        (&json!(2), vec![1], 1)
    );
    world.ask_ok(ada, "two");
    world.wait(1_000);
    assert_eq!(world.take(ben).len(), 1, "nobody came");
    assert_eq!(
        world
            .take(ada)
            .iter()
            .filter(|event| event["text"] == "two")
            .count(),
        1,
        "it is heard once"
    );
    world.ask_ok(ada, "/leave tea");
    assert_eq!(
        world.error(ada, r#"{"type":"message","channel":"tea","text":"three"}"#),
        "not_in_channel",
        "one leave is enough"
    );
}

#[test]
fn since_gives_what_came_after_it_oldest_first() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    for n in 0..300 {
        world.ask_ok(ada, &format!("message {n}"));
    }
    let ben = world.enter("Ben", &[]);
    let table = [
        ("nothing", "", 251..=300, true),
        ("since 0", r#","since":0"#, 1..=200, true),
        ("since 99", r#","since":99"#, 100..=299, true),
        ("since 100", r#","since":100"#, 101..=300, false),
        ("since 299", r#","since":299"#, 300..=300, false),
    ];
    for (name, since, expected, more) in table {
        let joined = world.ask_ok(ben, &format!(r#"{{"type":"join","channel":"tea"{since}}}"#));
        assert_eq!(
            (seqs(&joined["history"]), &joined["more"]),
            (expected.collect(), &json!(more)),
            "{name}"
        );
        assert_eq!(
            (&joined["seq"], &joined["first"]),
            (&json!(300), &json!(1)),
            "{name}"
        );
    }
    for since in ["300", "301", "9007199254740991"] {
        let joined = world.ask_ok(
            ben,
            &format!(r#"{{"type":"join","channel":"tea","since":{since}}}"#),
        );
        assert_eq!(
            (&joined["history"], &joined["more"]),
            (&json!([]), &json!(false)),
            "since {since}"
        );
    }
}

#[test]
fn what_only_looks_like_a_channel_is_a_bad_name_that_says_which() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["music1"]);
    assert_eq!(world.ask_ok(ada, "/join MUSIC1")["channel"], "music1");
    #[cfg(feature = "unicode")]
    for name in ["musicl", "musicI", "mu\u{455}ic1"] {
        let answer = world.ask(ada, &format!("/join {name}"));
        assert_eq!(answer[0]["code"], "bad_name", "{name}");
        assert!(
            answer[0]["message"]
                .as_str()
                .is_some_and(|message| message.contains("#music1")),
            "{answer:?}"
        );
        assert_eq!(
            world.error(ada, &format!(r#"{{"type":"who","channel":"{name}"}}"#)),
            "no_such_channel"
        );
    }
    #[cfg(feature = "unicode")]
    assert_eq!(world.error(ada, "/join genera1"), "bad_name");
    assert_eq!(world.error(ada, "/join -"), "bad_name");
    assert_eq!(world.chat.channels(), 2);
}

#[test]
fn leave_is_answered_and_nothing_of_the_channel_comes_behind_it() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea", "chess"]),
        world.enter("Ben", &["tea"]),
    ];
    world.say(ben, "before");
    world.commit();
    world.take(ada);
    assert_eq!(
        world.ask(ada, r#"{"type":"leave","channel":"tea","id":4}"#),
        [json!({"type": "left", "channel": "tea", "id": 4})]
    );
    world.take(ada);
    world.ask_ok(ben, "behind");
    world.wait(1_000);
    assert!(
        world
            .take(ada)
            .iter()
            .all(|event| event["channel"] != "tea")
    );
    assert_eq!(world.error(ada, "/leave tea"), "not_in_channel");
    assert_eq!(world.error(ada, "/leave coffee"), "no_such_channel");
    assert_eq!(world.error(ada, "/leave -"), "bad_name");
}

#[test]
fn typed_lines_go_to_the_channel_joined_last() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea", "chess"]);
    assert_eq!(world.ask_ok(ada, "hello")["channel"], "chess");
    world.ask_ok(ada, "/join tea");
    assert_eq!(
        world.ask_ok(ada, "hello")["channel"],
        "tea",
        "joined again is joined last"
    );
    assert_eq!(world.ask_ok(ada, "/history")["channel"], "tea");
    assert_eq!(world.ask_ok(ada, "/leave")["channel"], "tea");
    assert_eq!(world.ask_ok(ada, "/me sighs")["channel"], "chess");
    assert_eq!(world.ask_ok(ada, "/leave")["channel"], "chess");
    for line in ["hello", "/leave", "/me sighs", "/history"] {
        assert_eq!(world.error(ada, line), "not_in_channel");
    }
}

#[test]
fn an_empty_channel_goes_if_nothing_was_said_in_it_and_general_never() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea", "chess", "general"]);
    world.ask_ok(ada, r#"{"type":"message","channel":"chess","text":"e4"}"#);
    world.wait(1_000);
    world.take(ada);
    for channel in ["tea", "chess", "general"] {
        world.ask_ok(ada, &format!("/leave {channel}"));
    }
    world.wait(1_000);
    assert_eq!(
        world.take_all(ada, "channels_changed"),
        [json!({"type": "channels_changed", "created": [], "gone": ["tea"]})]
    );
    assert_eq!(channel_names(&mut world, ada), ["chess", "general"]);
    assert_eq!(world.error(ada, "/who tea"), "no_such_channel");
    assert_eq!(world.ask_ok(ada, "/join chess")["seq"], 1);
}

#[test]
fn a_user_is_a_member_for_the_resume_window_after_a_connection_dropped() {
    let mut world = World::new();
    let ben = world.enter("Ben", &["tea", "chess", "rust"]);
    let tab = world.connect();
    let session = crate::harness::text(&world.ask_ok(tab, "/nick Ada")["session"]);
    for channel in ["tea", "chess", "rust"] {
        world.ask_ok(tab, &format!("/join {channel}"));
    }
    let other = world.resume(&session);
    world.ask_ok(other, "/join rust");
    let count = |world: &mut World, channel: &str| {
        number(&world.ask_ok(ben, &format!("/who {channel}"))["count"])
    };
    world.drop(tab);
    world.wait(20_000);
    assert_eq!(
        ["tea", "chess", "rust"].map(|channel| count(&mut world, channel)),
        [2, 2, 2]
    );
    world.ask_ok(other, "/join tea");
    world.ask_ok(other, "/leave rust");
    assert_eq!(count(&mut world, "rust"), 1, "left since");
    world.wait(9_999);
    assert_eq!(
        ["tea", "chess"].map(|channel| count(&mut world, channel)),
        [2, 2]
    );
    world.wait(1);
    assert_eq!(
        ["tea", "chess"].map(|channel| count(&mut world, channel)),
        [2, 1],
        "rejoined, and not"
    );
    world.take(ben);
    world.quit(other);
    assert_eq!(count(&mut world, "tea"), 1);
    world.wait(1_000);
    let members = |channel: &str| json!({"type": "members", "channel": channel, "joined": [], "left": ["Ada"], "count": 1});
    assert_eq!(
        world.take_all(ben, "members"),
        [members("tea"), members("chess")]
    );
}

#[test]
fn the_last_connection_that_drops_takes_its_channels_along_when_the_window_ends() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    let ben = world.enter("Ben", &[]);
    world.drop(ada);
    world.wait(29_999);
    assert_eq!(channel_names(&mut world, ben), ["tea", "general"]);
    world.wait(1);
    assert_eq!(channel_names(&mut world, ben), ["general"]);
}

#[test]
fn channels_are_listed_by_when_they_were_used() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea", "chess", "rust"]),
        world.enter("Ben", &["general"]),
    ];
    assert_eq!(
        channel_names(&mut world, ben),
        ["general", "rust", "chess", "tea"]
    );
    world.ask_ok(ada, r#"{"type":"message","channel":"tea","text":"hello"}"#);
    world.say(ada, r#"{"type":"message","channel":"rust","text":"hello"}"#);
    world.say(
        ben,
        r#"{"type":"message","channel":"general","text":"hello"}"#,
    );
    world.commit();
    assert_eq!(
        channel_names(&mut world, ben),
        ["general", "rust", "tea", "chess"]
    );
    let channels = world.ask_ok(ben, "/channels");
    assert_eq!(
        channels["channels"][0],
        json!({"name": "general", "members": 1, "seq": 1})
    );
}

#[test]
fn a_connection_is_in_a_hundred_channels_at_most() {
    let mut world = World::new();
    let ada = world.enter("Ada", &[]);
    for n in 0..100 {
        world.ask_ok(ada, &format!("/join c{n}"));
    }
    assert_eq!(world.error(ada, "/join c100"), "too_many_channels");
    assert_eq!(world.error(ada, "/join general"), "too_many_channels");
    assert_eq!(
        world.ask_ok(ada, "/join c5")["type"],
        "joined",
        "it is in that one"
    );
    world.ask_ok(ada, "/leave c7");
    world.ask_ok(ada, "/join general");
}

#[test]
fn at_the_limit_the_channel_without_members_used_longest_ago_is_put_away() {
    let mut world = World::with(Limits {
        channels: 4,
        ..Limits::DEFAULT
    });
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    for channel in ["tea", "chess", "rust"] {
        world.ask_ok(ada, &format!("/join {channel}"));
        world.ask_ok(ada, "hello");
    }
    assert_eq!(
        world.error(ben, "/join music"),
        "too_many_channels",
        "all have members but general, which stays"
    );
    world.ask_ok(ada, "/leave chess");
    world.ask_ok(ada, "/leave tea");
    world.wait(1_000);
    world.take(ben);
    world.ask_ok(ben, "/join music");
    world.wait(1_000);
    let changed = json!({"type": "channels_changed", "created": ["music"], "gone": ["tea"]});
    assert_eq!(world.take_all(ben, "channels_changed"), [changed]);
    assert_eq!(
        channel_names(&mut world, ben),
        ["music", "rust", "chess", "general"]
    );
    for command in [
        r#"{"type":"history","channel":"tea"}"#,
        "/who tea",
        "/leave tea",
    ] {
        assert_eq!(
            world.error(ada, command),
            "no_such_channel",
            "to other commands it does not exist"
        );
    }
    #[cfg(feature = "unicode")]
    assert_eq!(
        world.error(ada, "/join te\u{430}"),
        "bad_name",
        "its look-alikes stay refused"
    );
    let joined = world.ask_ok(ada, "/join tea");
    assert_eq!(
        (
            &joined["seq"],
            &joined["history"][0]["text"],
            world.outcome.cost
        ),
        (&json!(1), &json!("hello"), 5)
    );
    world.wait(1_000);
    let changed = json!({"type": "channels_changed", "created": ["tea"], "gone": ["chess"]});
    assert_eq!(world.take_all(ben, "channels_changed"), [changed]);
    world.take(ada);
    assert_eq!(world.ask_ok(ada, "again")["seq"], 2, "its numbers go on");
}

#[cfg(feature = "unicode")]
#[test]
fn what_comes_back_in_another_spelling_takes_no_key_of_a_look_alike() {
    let mut world = World::with(Limits {
        channels: 3,
        rate: 0,
        ..Limits::DEFAULT
    });
    let [ada, ben] = [world.enter("Ada", &["foi"]), world.enter("Ben", &[])];
    world.ask_ok(ada, "one");
    world.ask_ok(ada, "/leave");
    world.ask_ok(ada, "/join other");
    world.ask_ok(ada, "/join fol");
    world.ask_ok(ada, "/leave other");
    assert_eq!(
        world.ask_ok(ben, "/join foI")["channel"],
        "foi",
        "a capital I: the first key of this spelling is that of fol"
    );
    for line in ["/leave fol", "/join another"] {
        world.ask_ok(ada, line);
    }
    world.ask_ok(ben, "/leave");
    assert_eq!(
        world.ask_ok(ben, "/join fol")["channel"],
        "fol",
        "it was gone, and nothing that exists looks like it"
    );
}
