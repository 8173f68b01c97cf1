//! What somebody could make grow, and that it shrinks again.

use crate::harness::World;
use parlor::limits::{Limits, PUT_AWAY};

#[test]
fn who_comes_and_goes_leaves_nothing_behind() {
    let mut world = World::with(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    for round in 0..50 {
        let tabs: Vec<_> = (0..20)
            .map(|n| world.enter(&format!("r{round}u{n}"), &["general", &format!("c{n}")]))
            .collect();
        for (n, tab) in tabs.iter().enumerate() {
            world.ask_ok(*tab, &format!("/nick r{round}v{n}"));
            world.ask(*tab, r#"{"type":"typing","channel":"general"}"#);
        }
        for (n, tab) in tabs.into_iter().enumerate() {
            if n % 2 == 0 {
                world.drop(tab)
            } else {
                world.quit(tab)
            }
        }
        world.connect();
    }
    world.wait(31_000);
    assert_eq!(
        (
            world.chat.online(),
            world.chat.users_kept(),
            world.chat.channels()
        ),
        (0, 0, 1)
    );
    assert_eq!(world.chat.next_deadline(), None);
}

#[test]
fn names_held_without_a_limit_on_renames_are_let_go() {
    let mut world = World::with(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    for n in 0..200 {
        world.ask_ok(ada, &format!("/nick a{n}"));
    }
    assert_eq!(world.error(ben, "/nick a198"), "name_taken");
    world.ask_ok(ben, "/nick a100");
}

#[test]
fn of_the_channels_that_are_put_away_ten_thousand_are_remembered() {
    let mut world = World::with(Limits {
        channels: 2,
        rate: 0,
        ..Limits::DEFAULT
    });
    let ada = world.enter("Ada", &[]);
    for n in 0..=PUT_AWAY {
        for line in [
            format!("/join c{n}"),
            "hello".to_owned(),
            format!("/leave c{n}"),
        ] {
            world.ask_ok(ada, &line);
        }
        world.take(ada);
    }
    assert_eq!(
        world.ask_ok(ada, "/join c0")["seq"],
        1,
        "the last one is listed, the ten thousand before it are put away"
    );
    world.ask_ok(ada, "/leave c0");
    world.ask_ok(ada, "/join one-more");
    world.ask_ok(ada, "hello");
    world.ask_ok(ada, "/leave one-more");
    world.ask_ok(ada, "/join and-another");
    world.ask_ok(ada, "/leave and-another");
    assert_eq!(
        world.ask_ok(ada, "/join c1")["seq"],
        0,
        "it was put away longest ago, and begins anew"
    );
}
