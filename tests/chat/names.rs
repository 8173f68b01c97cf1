//! `rename`, and who may have which name («From the client», «Names»).

use crate::harness::World;
use parlor::limits::Limits;
use serde_json::json;

#[test]
fn renamed_goes_to_everyone_and_answers_the_asker() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    let answer = world.ask(ada, r#"{"type":"rename","name":"Eve","id":3}"#);
    assert_eq!(
        answer,
        [json!({"type": "renamed", "from": "Ada", "to": "Eve", "id": 3})]
    );
    assert_eq!(world.outcome.cost, 5);
    assert_eq!(
        world.take(ben),
        [json!({"type": "renamed", "from": "Ada", "to": "Eve"})]
    );
}

#[test]
fn the_users_other_connections_are_told_as_everybody_is() {
    let mut world = World::new();
    let tab = world.connect();
    let session = world.ask_ok(tab, "/nick Ada")["session"]
        .as_str()
        .map(str::to_owned)
        .expect("a token");
    let other = world.resume(&session);
    world.take(other);
    world.ask(tab, "/nick Eve");
    assert_eq!(
        world.take(other),
        [json!({"type": "renamed", "from": "Ada", "to": "Eve"})]
    );
}

#[test]
fn what_was_said_stays_under_the_old_name() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["tea"]);
    world.ask_ok(ada, "one");
    world.ask_ok(ada, "/nick Eve");
    world.ask_ok(ada, "two");
    let history = world.ask_ok(ada, "/history");
    assert_eq!(
        [
            &history["messages"][0]["from"],
            &history["messages"][1]["from"]
        ],
        ["Ada", "Eve"]
    );
    assert_eq!(
        history["messages"][0]["author"],
        history["messages"][1]["author"]
    );
}

#[test]
fn three_renames_then_one_in_ten_seconds_and_those_that_fail_do_not_count() {
    let mut world = World::new();
    let ada = world.enter("Ada", &[]);
    world.enter("Ben", &[]);
    for (name, code) in [
        ("ben", "name_taken"),
        ("-", "bad_name"),
        ("Ben", "name_taken"),
        ("?", "bad_name"),
    ] {
        assert_eq!(world.error(ada, &format!("/nick {name}")), code);
        assert_eq!(world.outcome.cost, 1);
    }
    for name in ["a1", "a2", "a3"] {
        world.ask_ok(ada, &format!("/nick {name}"));
    }
    let refused = world.ask(ada, "/nick -");
    assert_eq!(
        (&refused[0]["code"], &refused[0]["retry_ms"]),
        (&json!("rate_limited"), &json!(10_000)),
        "told before a bad name"
    );
    world.wait(9_999);
    assert_eq!(world.error(ada, "/nick a4"), "rate_limited");
    world.wait(1);
    world.ask_ok(ada, "/nick a4");
    assert_eq!(world.error(ada, "/nick a5"), "rate_limited");
}

#[test]
fn coming_back_does_not_bring_more_renames() {
    let mut world = World::new();
    let tab = world.connect();
    let session = world.ask_ok(tab, "/nick Ada")["session"]
        .as_str()
        .map(str::to_owned)
        .expect("a token");
    for name in ["a1", "a2", "a3"] {
        world.ask_ok(tab, &format!("/nick {name}"));
    }
    world.quit(tab);
    let tab = world.resume(&session);
    assert_eq!(world.error(tab, "/nick a4"), "rate_limited");
    // Nor where it is the history that knows the session.
    world.ask_ok(tab, "/msg anybody one");
    world.quit(tab);
    let tab = world.resume(&session);
    assert_eq!(world.error(tab, "/nick a4"), "rate_limited");
    world.quit(tab);
    world.wait(30_000);
    assert_eq!(world.chat.users_kept(), 0);
    let tab = world.resume(&session);
    world.ask_ok(tab, "/nick a4");
}

#[test]
fn without_a_rate_there_is_no_limit_on_renames() {
    let mut world = World::with(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    let ada = world.enter("Ada", &[]);
    for n in 0..500 {
        world.ask_ok(ada, &format!("/nick a{n}"));
    }
}

#[test]
fn a_name_that_was_given_up_is_held_for_its_user_for_the_resume_window() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    world.ask_ok(ada, "/nick Eve");
    assert_eq!(world.error(ben, "/nick ada"), "name_taken");
    assert_eq!(
        world.error(ben, "/msg Ada hello"),
        "no_such_user",
        "nobody is called so now"
    );
    world.wait(29_999);
    assert_eq!(world.error(ben, "/nick ada"), "name_taken");
    world.wait(1);
    world.ask_ok(ben, "/nick ada");
}

#[test]
fn its_owner_may_take_a_held_name_back_and_then_the_other_one_is_held() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    world.ask_ok(ada, "/nick Eve");
    world.wait(20_000);
    world.ask_ok(ada, "/nick ada");
    world.wait(10_000);
    assert_eq!(
        world.error(ben, "/nick ADA"),
        "name_taken",
        "the first hold ended, but it is her name"
    );
    assert_eq!(world.error(ben, "/nick Eve"), "name_taken");
    world.wait(20_000);
    world.ask_ok(ben, "/nick Eve");
}

#[test]
fn another_spelling_of_ones_own_name_is_a_rename_and_the_same_one_is_none() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    assert_eq!(
        world.ask_ok(ada, "/nick ADA"),
        json!({"type": "renamed", "from": "Ada", "to": "ADA"})
    );
    assert_eq!(world.take(ben).len(), 1);
    for _ in 0..10 {
        assert_eq!(
            world.ask_ok(ada, "/nick ADA"),
            json!({"type": "renamed", "from": "ADA", "to": "ADA"})
        );
    }
    assert!(
        world.take(ben).is_empty(),
        "nothing has changed for anybody"
    );
    world.wait(30_000);
    assert_eq!(world.error(ben, "/nick ada"), "name_taken");
}

#[test]
fn the_names_of_who_goes_offline_are_free() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    world.ask_ok(ada, "/nick Eve");
    world.quit(ada);
    world.ask_ok(ben, "/nick Eve");
    world.ask_ok(ben, "/nick Ada");
}

#[cfg(feature = "unicode")]
#[test]
fn names_that_look_alike_are_the_same_and_the_second_key_decides_who_is_meant() {
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
