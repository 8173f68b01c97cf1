//! What is gathered: `presence`, `members`, `channels_changed`. That lists stay right is played in
//! `random`.

use crate::harness::World;
use parlor::time::Millis;
use serde_json::json;

#[test]
fn who_comes_and_goes_is_told_to_everyone_after_a_quarter_of_a_second() {
    let mut world = World::new();
    let ada = world.enter("Ada", &[]);
    world.wait(1_000);
    world.take(ada);
    let [ben, _cleo] = [world.enter("Ben", &[]), world.enter("Cleo", &[])];
    world.wait(249);
    assert!(world.take(ada).is_empty());
    world.wait(1);
    assert_eq!(
        world.take(ada),
        [json!({"type": "presence", "joined": ["Ben", "Cleo"], "left": [], "online": 3})]
    );
    world.quit(ben);
    world.enter("Dan", &[]);
    world.wait(250);
    assert_eq!(
        world.take(ada),
        [json!({"type": "presence", "joined": ["Dan"], "left": ["Ben"], "online": 3})]
    );
}

#[test]
fn it_is_told_at_most_four_times_a_second() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["general"]);
    world.wait(1_000);
    world.take(ada);
    for n in 0..100 {
        world.enter(&format!("user{n}"), &["general", &format!("channel{n}")]);
        world.wait(20);
    }
    let told = world.take(ada);
    for kind in ["presence", "members", "channels_changed"] {
        let times = told.iter().filter(|event| event["type"] == kind).count();
        assert!(
            (7..=8).contains(&times),
            "{kind} came {times} times in two seconds"
        );
    }
}

#[test]
fn who_came_and_went_in_between_is_in_neither_list() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    world.wait(1_000);
    world.take(ada);
    let ben = world.enter("Ben", &["tea", "chess"]);
    world.quit(ben);
    world.wait(1_000);
    assert!(world.take(ada).is_empty());
    let cleo = world.enter("Cleo", &["tea"]);
    world.wait(1_000);
    world.take(ada);
    world.ask_ok(cleo, "/leave tea");
    world.ask_ok(cleo, "/join tea");
    world.wait(1_000);
    assert!(world.take(ada).is_empty());
    assert_eq!(
        world.chat.next_deadline(),
        Some(Millis(world.now.mono.0 + 27_000)),
        "Ben's session may still come back"
    );
}

#[test]
fn members_are_told_to_the_members() {
    let mut world = World::new();
    let [ada, ben] = [
        world.enter("Ada", &["tea"]),
        world.enter("Ben", &["general"]),
    ];
    world.wait(1_000);
    world.take_from(&[ada, ben]);
    let cleo = world.enter("Cleo", &["tea"]);
    world.wait(250);
    assert_eq!(
        world.take_all(ada, "members"),
        [json!({"type": "members", "channel": "tea", "joined": ["Cleo"], "left": [], "count": 2})]
    );
    assert!(world.take_all(ben, "members").is_empty());
    assert_eq!(
        world.take_all(cleo, "members").len(),
        1,
        "it may name the receiver itself"
    );
    world.ask_ok(cleo, "/leave tea");
    world.wait(250);
    assert_eq!(
        world.take_all(ada, "members"),
        [json!({"type": "members", "channel": "tea", "joined": [], "left": ["Cleo"], "count": 1})]
    );
}

#[test]
fn a_second_connection_of_a_user_is_no_news() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    let tab = world.connect();
    let session = crate::harness::text(&world.ask_ok(tab, "/nick Ben")["session"]);
    world.ask_ok(tab, "/join tea");
    world.wait(1_000);
    world.take(ada);
    let second = world.resume(&session);
    world.ask_ok(second, "/join tea");
    world.drop(tab);
    let third = world.resume(&session);
    world.drop(second);
    world.ask_ok(third, "/join tea");
    world.wait(100_000);
    assert!(world.take(ada).is_empty());
}

#[test]
fn of_more_than_500_only_the_number_is_told() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    world.wait(1_000);
    world.take(ada);
    let tabs: Vec<_> = (0..500)
        .map(|n| world.enter(&format!("user{n}"), &["tea"]))
        .collect();
    world.wait(250);
    let told = world.take(ada);
    assert!(
        told.iter()
            .all(|event| crate::harness::list(&event["joined"]).len() == 500),
        "five hundred are still named"
    );
    assert_eq!(told.len(), 2);
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
fn a_channel_that_came_and_went_is_no_news() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    world.wait(1_000);
    world.take(ada);
    world.ask_ok(ben, "/join tea");
    world.ask_ok(ben, "/leave tea");
    world.wait(1_000);
    assert!(world.take(ada).is_empty());
    assert_eq!(world.chat.next_deadline(), None);
}
