//! Who somebody is: `hello`, `welcome`, sessions, and how long they last («Users, sessions,
//! connections»).

use crate::harness::{START, World, list, names, text};
use parlor::chat::event::Farewell;
use parlor::limits::Limits;
use serde_json::json;
use std::time::Duration;

const HELLO: &str = r#"{"type":"hello","name":"Ada","id":1}"#;

#[test]
fn welcome_says_who_one_is_and_what_there_is() {
    let mut world = World::new();
    world.enter("Ben", &["tea"]);
    let tab = world.connect();
    let welcome = world.ask_ok(tab, HELLO);
    let expected = json!({
        "type": "welcome", "id": 1, "name": "Ada", "author": 2, "session": welcome["session"],
        "channels": [{"name": "tea", "members": 1, "seq": 0}, {"name": "general", "members": 0, "seq": 0}],
        "users": ["Ben", "Ada"], "online": 2, "directs": [], "limits": {"text": 4000, "message_bytes": 65536},
        "epoch": "epoch", "time": START, "server": concat!("parlor ", env!("CARGO_PKG_VERSION")),
    });
    assert_eq!(welcome, expected);
    assert!((20..=64).contains(&text(&welcome["session"]).len()));
}

#[test]
fn before_hello_everything_else_is_hello_first_and_after_it_hello_is_already_welcomed() {
    let mut world = World::new();
    let tab = world.connect();
    let before = [
        ("JSON that is none", "{", "bad_json"),
        (
            "an id that is none",
            r#"{"type":"who","id":-1}"#,
            "bad_field",
        ),
        ("an unknown type", r#"{"type":"dance"}"#, "unknown_type"),
        ("an unknown line", "/dance", "unknown_type"),
        ("a command", r#"{"type":"who"}"#, "hello_first"),
        (
            "a command that is wrong besides",
            r#"{"type":"join"}"#,
            "hello_first",
        ),
        ("a line", "good morning", "hello_first"),
        ("an empty line", "", "hello_first"),
        ("a hello without a name", r#"{"type":"hello"}"#, "bad_field"),
        (
            "a name that is none",
            r#"{"type":"hello","name":"-"}"#,
            "bad_name",
        ),
    ];
    for (name, request, code) in before {
        assert_eq!(world.error(tab, request), code, "{name}");
    }
    assert_eq!(world.ask_ok(tab, "/help")["type"], "help");
    assert_eq!(world.ask_ok(tab, HELLO)["type"], "welcome");
    let after = [
        ("a second hello", HELLO, "already_welcomed"),
        (
            "one that is wrong besides",
            r#"{"type":"hello"}"#,
            "already_welcomed",
        ),
        ("an unknown type", r#"{"type":"dance"}"#, "unknown_type"),
        ("an empty line", "  ", "empty"),
        ("a message to no channel", "good morning", "not_in_channel"),
    ];
    for (name, request, code) in after {
        assert_eq!(world.error(tab, request), code, "{name}");
    }
}

#[test]
fn an_answer_carries_the_id_of_its_command_and_an_error_too() {
    let mut world = World::new();
    let tab = world.connect();
    assert_eq!(world.ask(tab, r#"{"type":"who","id":8}"#)[0]["id"], 8);
    assert_eq!(world.ask(tab, HELLO)[0]["id"], 1);
    assert_eq!(
        world.ask(tab, r#"{"type":"who","id":9007199254740991}"#)[0]["id"],
        9_007_199_254_740_991_u64
    );
    assert!(world.ask(tab, "/who")[0].get("id").is_none());
}

#[test]
fn nick_is_hello_before_and_rename_after_it() {
    let mut world = World::new();
    let tab = world.connect();
    assert_eq!(world.ask_ok(tab, "/nick Ada")["name"], "Ada");
    assert_eq!(
        world.ask_ok(tab, "/nick Eve"),
        json!({"type": "renamed", "from": "Ada", "to": "Eve"})
    );
}

#[test]
fn a_token_makes_another_connection_of_the_same_user_whose_name_is_not_looked_at() {
    let mut world = World::new();
    let first = world.connect();
    let welcome = world.ask_ok(first, HELLO);
    for name in ["Ben", "Ada", "-", ""] {
        let tab = world.connect();
        let again = world.ask_ok(
            tab,
            &json!({"type": "hello", "name": name, "session": welcome["session"]}).to_string(),
        );
        assert_eq!(
            (&again["name"], &again["author"], &again["session"]),
            (&welcome["name"], &welcome["author"], &welcome["session"])
        );
        assert_eq!(again["online"], 1);
    }
    assert_eq!(world.chat.online(), 1);
}

#[test]
fn a_token_that_is_not_known_begins_a_new_session() {
    let mut world = World::new();
    let first = world.connect();
    let session = text(&world.ask_ok(first, HELLO)["session"]);
    let (author, secret) = session.split_once('-').expect("a token has two parts");
    let other_secret = secret.replacen(
        &secret[31..],
        if &secret[31..] == "0" { "1" } else { "0" },
        1,
    );
    let wrong = [
        format!("{author}-{other_secret}"),
        format!("7-{secret}"),
        "nonsense".to_owned(),
        "x".repeat(1_000),
    ];
    for (n, token) in wrong.iter().enumerate() {
        let tab = world.connect();
        let welcome = world.ask_ok(
            tab,
            &json!({"type": "hello", "name": format!("user{n}"), "session": token}).to_string(),
        );
        assert_eq!(welcome["author"], n + 2, "{token}");
        assert_ne!(welcome["session"], session);
    }
}

#[test]
fn a_name_that_another_user_has_is_taken() {
    let mut world = World::new();
    world.enter("Ada", &[]);
    let tab = world.connect();
    for name in ["Ada", "ada", "ADA"] {
        assert_eq!(
            world.error(tab, &format!(r#"{{"type":"hello","name":"{name}"}}"#)),
            "name_taken"
        );
    }
    assert_eq!(
        world.ask_ok(tab, "/nick Eve")["type"],
        "welcome",
        "the connection stays, and may try another one"
    );
}

#[test]
fn a_user_stays_online_for_the_resume_window_after_the_last_connection_went() {
    let mut world = World::new();
    let [first, other] = [world.connect(), world.enter("Ben", &[])];
    let session = text(&world.ask_ok(first, HELLO)["session"]);
    let second = world.resume(&session);
    world.drop(first);
    world.wait(60_000);
    assert_eq!(world.chat.online(), 2, "there is another connection");
    world.drop(second);
    world.wait(29_999);
    assert_eq!(names(&world.ask_ok(other, "/who")["users"]), ["Ben", "Ada"]);
    let third = world.resume(&session);
    world.drop(third);
    world.wait(29_999);
    assert_eq!(world.chat.online(), 2, "the window begins anew");
    assert_eq!(world.error(other, "/nick Ada"), "name_taken");
    world.wait(1);
    assert_eq!(names(&world.ask_ok(other, "/who")["users"]), ["Ben"]);
    assert_eq!(
        world.ask_ok(other, "/nick Ada")["type"],
        "renamed",
        "the name is free"
    );
}

#[test]
fn a_session_that_wrote_nothing_is_known_until_its_window_has_passed() {
    let mut world = World::new();
    let tab = world.connect();
    let session = text(&world.ask_ok(tab, HELLO)["session"]);
    world.drop(tab);
    world.wait(30_000);
    let welcome = world.connect();
    let again = world.ask_ok(
        welcome,
        &json!({"type": "hello", "name": "Ada", "session": session}).to_string(),
    );
    assert_eq!(again["author"], 2, "an author is never given twice");
    assert_ne!(again["session"], session);
}

#[test]
fn a_session_that_wrote_or_was_written_to_is_kept() {
    let mut world = World::new();
    let [ada, ben, cleo] = ["Ada", "Ben", "Cleo"].map(|name| {
        let tab = world.connect();
        (
            tab,
            text(&world.ask_ok(tab, &format!("/nick {name}"))["session"]),
        )
    });
    world.ask_ok(ada.0, "/msg Ben hello");
    for (tab, _) in [&ada, &ben, &cleo] {
        world.drop(*tab);
    }
    world.wait(24 * 60 * 60 * 1_000);
    assert_eq!(world.chat.users_kept(), 0);
    let hello = |session: &str, name: &str| {
        json!({"type": "hello", "name": name, "session": session}).to_string()
    };
    let tab = world.connect();
    assert_eq!(
        world.error(tab, &hello(&ada.1, "-")),
        "bad_name",
        "who is offline needs a name"
    );
    let welcome = world.ask_ok(tab, &hello(&ada.1, "Eve"));
    assert_eq!(
        (&welcome["author"], &welcome["name"]),
        (&json!(1), &json!("Eve"))
    );
    let tab = world.connect();
    assert_eq!(world.error(tab, &hello(&ben.1, "eve")), "name_taken");
    assert_eq!(world.ask_ok(tab, &hello(&ben.1, "Ben"))["author"], 2);
    let tab = world.connect();
    assert_eq!(world.ask_ok(tab, &hello(&cleo.1, "Cleo"))["author"], 4);
}

#[test]
fn who_quits_is_offline_at_once_but_may_come_back_as_the_same_session() {
    let mut world = World::new();
    let first = world.connect();
    let session = text(&world.ask_ok(first, HELLO)["session"]);
    let ben = world.enter("Ben", &[]);
    let second = world.resume(&session);
    world.quit(first);
    assert_eq!(world.chat.online(), 2, "not its last connection");
    world.quit(second);
    assert_eq!((world.chat.online(), world.chat.users_kept()), (1, 2));
    assert_eq!(
        world.ask_ok(ben, "/nick Ada")["type"],
        "renamed",
        "the name is free at once"
    );
    world.wait(29_000);
    let tab = world.connect();
    assert_eq!(
        world.error(
            tab,
            &json!({"type": "hello", "name": "Ada", "session": session}).to_string()
        ),
        "name_taken"
    );
    let welcome = world.ask_ok(
        tab,
        &json!({"type": "hello", "name": "Eve", "session": session}).to_string(),
    );
    assert_eq!(
        (&welcome["author"], &welcome["session"]),
        (&json!(1), &json!(session))
    );
    world.quit(tab);
    world.wait(30_000);
    assert_eq!(world.chat.users_kept(), 1);
    let tab = world.connect();
    assert_eq!(
        world.ask_ok(
            tab,
            &json!({"type": "hello", "name": "Eve", "session": session}).to_string()
        )["author"],
        3
    );
}

#[test]
fn without_a_resume_window_a_user_goes_with_its_last_connection() {
    let mut world = World::with(Limits {
        resume_window: Duration::ZERO,
        ..Limits::DEFAULT
    });
    let ada = world.enter("Ada", &["tea"]);
    let ben = world.enter("Ben", &["tea"]);
    world.drop(ada);
    assert_eq!(world.chat.users_kept(), 1);
    let members = world.ask_ok(ben, "/who tea");
    assert_eq!(names(&members["users"]), ["Ben"]);
    world.ask_ok(ben, "/nick Ada");
    world.ask_ok(ben, "/nick Eve");
    let tab = world.connect();
    assert_eq!(
        world.ask_ok(tab, "/nick Ada")["type"],
        "welcome",
        "no name is held either"
    );
}

#[test]
fn quit_closes_and_who_says_no_hello_in_time_is_closed() {
    let mut world = World::new();
    let [silent, early, ada] = [world.connect(), world.connect(), world.enter("Ada", &[])];
    assert_eq!(world.ask(early, "/quit"), Vec::<serde_json::Value>::new());
    assert_eq!(world.farewell(early), Some(Farewell::Quit));
    world.quit(early);
    world.ask(silent, "/help");
    world.wait(29_999);
    assert_eq!(world.farewell(silent), None);
    world.wait(1);
    assert_eq!(world.farewell(silent), Some(Farewell::NoHello));
    world.drop(silent);
    assert_eq!(world.farewell(ada), None);
    world.ask(ada, "/quit");
    assert_eq!(world.farewell(ada), Some(Farewell::Quit));
    world.quit(ada);
    world.wait(60_000);
    assert_eq!(
        world.chat.next_deadline(),
        None,
        "nothing is left to be done"
    );
}

#[test]
fn without_a_hello_timeout_silence_is_fine() {
    let mut world = World::with(Limits {
        hello_timeout: Duration::ZERO,
        ..Limits::DEFAULT
    });
    world.connect();
    assert_eq!(world.chat.next_deadline(), None);
}

#[test]
fn the_lists_of_welcome_stop_at_500_names_and_its_counts_are_whole() {
    let mut world = World::new();
    for n in 0..520 {
        world.enter(&format!("user{n}"), &[]);
    }
    let tabs: Vec<_> = (0..6)
        .map(|n| world.enter(&format!("maker{n}"), &[]))
        .collect();
    for n in 0..510 {
        world.ask_ok(tabs[n / 99], &format!("/join channel{n}"));
    }
    let tab = world.connect();
    let welcome = world.ask_ok(tab, "/nick Ada");
    assert_eq!(
        (list(&welcome["users"]).len(), &welcome["online"]),
        (500, &json!(527))
    );
    assert_eq!(list(&welcome["channels"]).len(), 500);
    assert_eq!(
        welcome["channels"][0]["name"], "channel509",
        "the most recently used comes first"
    );
    assert_eq!(list(&world.ask_ok(tab, "/channels")["channels"]).len(), 511);
    let who = world.ask_ok(tab, "/who");
    assert_eq!(
        (list(&who["users"]).len(), &who["count"]),
        (500, &json!(527))
    );
}
