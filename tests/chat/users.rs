//! Names of users, `rename`, and the events `presence`, `members` and `channels_changed`. That
//! lists stay right is tested in `random`.

use crate::harness::{World, list};
use parlor::limits::Limits;
use serde_json::json;

#[test]
fn renamed_goes_to_everyone_and_costs_twenty() {
    let mut world = World::new();
    let (ada, session) = world.hello("Ada");
    let [other, ben] = [world.resume(&session), world.enter("Ben", &[])];
    world.take(other);
    let renamed = json!({"type": "renamed", "from": "Ada", "to": "Eve"});
    let mut answer = renamed.clone();
    answer["id"] = json!(3);
    assert_eq!(
        world.ask(ada, r#"{"type":"rename","name":"Eve","id":3}"#),
        [answer]
    );
    assert_eq!(world.outcome.cost, 20);
    for tab in [other, ben] {
        assert_eq!(world.take(tab), std::slice::from_ref(&renamed));
    }
    world.ask_ok(ben, "/nick Ada");
    for (name, code) in [("ada", "name_taken"), ("-", "bad_name")] {
        assert_eq!(world.error(ada, &format!("/nick {name}")), code);
        assert_eq!(world.outcome.cost, 1, "a rename that fails");
    }
    assert_eq!(world.ask_ok(ada, "/nick EVE")["from"], "Eve");
    world.take(ben);
    let unchanged = json!({"type": "renamed", "from": "EVE", "to": "EVE"});
    assert_eq!(world.ask_ok(ada, "/nick EVE"), unchanged);
    assert_eq!((world.outcome.cost, world.take(ben).len()), (1, 0));
    assert_eq!(world.error(ben, "/nick eve"), "name_taken");
}

#[test]
fn rename_frees_the_old_name_at_once() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.ask_ok(ada, "one");
    world.ask_ok(ada, "/nick Eve");
    assert_eq!(world.error(ben, "/msg Ada hello"), "no_such_user");
    world.ask_ok(ben, "/nick ada");
    world.ask_ok(ada, "two");
    let history = world.ask_ok(ada, "/history");
    let sent = list(&history["messages"]).iter();
    let sent: Vec<_> = sent
        .map(|message| (&message["from"], &message["author"]))
        .collect();
    assert_eq!(
        sent,
        [(&json!("Ada"), &json!(1)), (&json!("Eve"), &json!(1))]
    );
}

#[test]
fn rename_is_followed_by_both_names_in_the_lists() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.wait(1_000);
    world.ask_ok(ada, "/nick Eve");
    world.take(ben);
    world.wait(250);
    let presence = json!({"type": "presence", "joined": ["Eve"], "left": ["Ada"], "online": 2});
    let members = json!({"type": "members", "channel": "tea", "joined": ["Eve"], "left": ["Ada"],
        "count": 2});
    assert_eq!(world.take(ben), [presence, members]);
}

#[cfg(feature = "unicode")]
#[test]
fn look_alike_names_are_taken_and_the_second_key_decides() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("lda", &[])];
    for name in ["\u{410}d\u{430}", "Ida", "1da"] {
        let tab = world.connect();
        assert_eq!(
            world.error(tab, &format!("/nick {name}")),
            "name_taken",
            "{name}"
        );
    }
    world.ask_ok(ada, "/msg Lda hello");
    assert_eq!(world.take_all(ben, "direct").len(), 1);
}

#[test]
fn presence_comes_after_a_quarter_of_a_second() {
    let mut world = World::new();
    let ada = world.enter("Ada", &[]);
    world.wait(1_000);
    world.take(ada);
    let presence = |joined, left, online| {
        [json!({"type": "presence", "joined": joined, "left": left, "online": online})]
    };
    let [ben, cleo] = [world.enter("Ben", &[]), world.enter("Cleo", &[])];
    world.wait(249);
    assert!(world.take(ada).is_empty());
    world.wait(1);
    assert_eq!(
        world.take(ada),
        presence(json!(["Ben", "Cleo"]), json!([]), 3)
    );
    world.quit(ben);
    world.enter("Dan", &[]);
    world.wait(250);
    assert_eq!(world.take(ada), presence(json!(["Dan"]), json!(["Ben"]), 3));
    world.quit(cleo);
    world.enter("Eve", &[]);
    world.enter("Cleo", &[]);
    world.wait(250);
    let changed = presence(json!(["Cleo", "Eve"]), json!([]), 4);
    assert_eq!(world.take(ada), changed, "a new user with the same name");
}

/// The count changes though the only name is the same.
#[test]
fn count_is_sent_when_a_name_passes_to_another_user() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.wait(1_000);
    world.take(ada);
    world.quit(ben);
    let cleo = world.enter("Cleo", &["tea"]);
    world.ask_ok(cleo, "/nick Ben");
    world.wait(250);
    let events = world.take(ada);
    let presence = json!({"type": "presence", "joined": ["Ben"], "left": ["Cleo"], "online": 2});
    assert_eq!(events[1], presence, "{events:?}");
    assert_eq!(events[2]["count"], 2);
}

#[test]
fn changes_are_sent_at_most_four_times_a_second() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["general"]);
    world.wait(1_000);
    world.take(ada);
    for n in 0..100 {
        world.enter(&format!("user{n}"), &["general", &format!("channel{n}")]);
        world.wait(20);
    }
    let events = world.take(ada);
    for kind in ["presence", "members", "channels_changed"] {
        let times = events.iter().filter(|event| event["type"] == kind).count();
        assert!(
            (7..=8).contains(&times),
            "{kind} came {times} times in two seconds"
        );
    }
}

#[test]
fn members_are_sent_to_the_members() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea"]),
        world.enter("Ben", &["general"]),
    ];
    world.wait(1_000);
    world.take_from(&[ada, ben]);
    let (cleo, session) = world.hello("Cleo");
    world.ask_ok(cleo, "/join tea");
    world.wait(250);
    let members = |joined, left, count| {
        [
            json!({"type": "members", "channel": "tea", "joined": joined, "left": left,
            "count": count}),
        ]
    };
    assert_eq!(
        world.take_all(ada, "members"),
        members(json!(["Cleo"]), json!([]), 2)
    );
    assert!(world.take_all(ben, "members").is_empty());
    assert_eq!(world.take_all(cleo, "members").len(), 1);
    let other = world.resume(&session);
    world.ask_ok(other, "/join tea");
    world.drop(cleo);
    world.wait(60_000);
    assert!(
        world.take(ada).is_empty(),
        "another connection changes nothing"
    );
    world.ask_ok(other, "/leave tea");
    world.wait(250);
    assert_eq!(
        world.take_all(ada, "members"),
        members(json!([]), json!(["Cleo"]), 1)
    );
}

#[test]
fn more_than_500_changes_are_sent_as_a_count() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    world.wait(1_000);
    world.take(ada);
    let user = |n| format!("user{n}");
    let tabs: Vec<_> = (0..500).map(|n| world.enter(&user(n), &["tea"])).collect();
    world.wait(250);
    let events = world.take(ada);
    let lengths: Vec<_> = events
        .iter()
        .map(|event| list(&event["joined"]).len())
        .collect();
    assert_eq!(lengths, [500, 500]);
    world.enter("Ben", &["tea"]);
    tabs.iter().for_each(|tab| world.quit(*tab));
    world.wait(250);
    let expected = [
        json!({"type": "presence", "joined": [], "left": [], "online": 2}),
        json!({"type": "members", "channel": "tea", "joined": [], "left": [], "count": 2}),
    ];
    assert_eq!(world.take(ada), expected);
}

#[test]
fn users_that_left_leave_nothing_behind() {
    let mut world = World::with(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    for round in 0..50 {
        let mut enter = |n: usize| {
            let channel = format!("c{n}");
            world.enter(&format!("r{round}u{n}"), &["general", &channel])
        };
        let tabs: Vec<_> = (0..20).map(&mut enter).collect();
        for (n, tab) in tabs.into_iter().enumerate() {
            world.ask_ok(tab, &format!("/nick r{round}v{n}"));
            world.ask(tab, r#"{"type":"typing","channel":"general"}"#);
            match n % 2 {
                0 => world.drop(tab),
                _ => world.quit(tab),
            }
        }
        world.connect();
    }
    world.wait(33_000);
    let chat = &world.chat;
    assert_eq!(
        (chat.online(), chat.users_kept(), chat.channels()),
        (0, 0, 1)
    );
    assert_eq!(chat.next_deadline(), None);
}
