//! `hello`, `welcome`, and how long sessions and users last.

use crate::harness::{START, World, hello_again, list, names, text};
use parlor::chat::event::Farewell;
use parlor::limits::Limits;
use serde_json::json;
use std::time::Duration;

const HELLO: &str = r#"{"type":"hello","name":"Ada","id":1}"#;

#[test]
fn welcome_lists_what_there_is() {
    let mut world = World::new();
    world.enter("Ben", &["tea"]);
    let tab = world.connect();
    let welcome = world.ask_ok(tab, HELLO);
    let channels = json!([
        {"name": "tea", "members": 1, "seq": 0},
        {"name": "general", "members": 0, "seq": 0},
    ]);
    let expected = json!({
        "type": "welcome", "id": 1, "name": "Ada", "author": 2, "session": welcome["session"],
        "channels": channels, "users": ["Ben", "Ada"], "online": 2, "directs": [],
        "limits": {"text": 4000, "message_bytes": 65536}, "epoch": "epoch", "time": START,
        "server": concat!("parlor ", env!("CARGO_PKG_VERSION")),
    });
    assert_eq!(welcome, expected);
    assert!((20..=64).contains(&text(&welcome["session"]).len()));
}

#[test]
fn lists_stop_at_500_and_counts_are_whole() {
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
    assert_eq!(welcome["channels"][0]["name"], "channel509");
    assert_eq!(list(&world.ask_ok(tab, "/channels")["channels"]).len(), 511);
    let who = world.ask_ok(tab, "/who");
    assert_eq!(
        (list(&who["users"]).len(), &who["count"]),
        (500, &json!(527))
    );
}

#[test]
fn commands_need_hello_which_comes_once() {
    let mut world = World::new();
    let tab = world.connect();
    let before = [
        ("{", "bad_json"),
        (r#"{"type":"who","id":-1}"#, "bad_field"),
        (r#"{"type":"dance"}"#, "unknown_type"),
        ("/dance", "unknown_type"),
        (r#"{"type":"who"}"#, "hello_first"),
        (r#"{"type":"join"}"#, "hello_first"),
        (r#"{"type":"join","channel":"-"}"#, "hello_first"),
        ("good morning", "hello_first"),
        ("", "hello_first"),
        (r#"{"type":"hello"}"#, "bad_field"),
        (r#"{"type":"hello","name":"-"}"#, "bad_name"),
        (r#"{"type":"trace"}"#, "unknown_type"),
    ];
    for (request, code) in before {
        assert_eq!(world.error(tab, request), code, "{request}");
    }
    assert_eq!(world.ask_ok(tab, "/help")["type"], "help");
    assert_eq!(world.ask(tab, r#"{"type":"who","id":8}"#)[0]["id"], 8);
    assert_eq!(world.ask_ok(tab, HELLO)["id"], 1);
    let after = [
        (HELLO, "already_welcomed"),
        (r#"{"type":"dance"}"#, "unknown_type"),
        ("  ", "empty"),
        ("good morning", "not_in_channel"),
    ];
    for (request, code) in after {
        assert_eq!(world.error(tab, request), code, "{request}");
    }
    let largest = world.ask_ok(tab, r#"{"type":"who","id":9007199254740991}"#);
    assert_eq!(largest["id"], 9_007_199_254_740_991_u64);
    assert!(world.ask_ok(tab, "/who").get("id").is_none());
}

#[test]
fn token_makes_another_connection_of_the_same_user() {
    let mut world = World::new();
    let first = world.connect();
    let welcome = world.ask_ok(first, HELLO);
    let session = text(&welcome["session"]);
    for name in ["Ben", "Ada", "-", ""] {
        let tab = world.connect();
        let again = world.ask_ok(tab, &hello_again(name, &session));
        for field in ["name", "author", "session"] {
            assert_eq!(again[field], welcome[field], "the name is ignored: {name}");
        }
        assert_eq!(again["online"], 1);
    }
    assert_eq!(world.chat.online(), 1);
}

#[test]
fn unknown_token_begins_a_new_session() {
    let mut world = World::new();
    let (_, session) = world.hello("Ada");
    let (author, secret) = session.split_once('-').expect("a token has two parts");
    let last = if secret.ends_with('0') { "1" } else { "0" };
    let wrong = [
        format!("{author}-{}{last}", &secret[..31]),
        format!("7-{secret}"),
        "nonsense".to_owned(),
        "x".repeat(1_000),
    ];
    for (n, token) in wrong.iter().enumerate() {
        let tab = world.connect();
        let welcome = world.ask_ok(tab, &hello_again(&format!("user{n}"), token));
        assert_eq!(welcome["author"], n + 2, "{token}");
        assert_ne!(welcome["session"], session);
    }
}

#[test]
fn author_numbers_are_spent_on_success_only() {
    let mut world = World::new();
    world.enter("Ada", &[]);
    let tab = world.connect();
    for name in ["Ada", "ADA"] {
        assert_eq!(world.error(tab, &format!("/nick {name}")), "name_taken");
    }
    assert_eq!(world.ask_ok(tab, "/nick Eve")["author"], 2);
}

#[test]
fn user_stays_online_for_the_resume_window() {
    let mut world = World::new();
    let (first, session) = world.hello("Ada");
    let [other, second] = [world.enter("Ben", &[]), world.resume(&session)];
    world.drop(first);
    world.wait(60_000);
    assert_eq!(world.chat.online(), 2, "there is another connection");
    world.drop(second);
    world.wait(29_999);
    assert_eq!(names(&world.ask_ok(other, "/who")["users"]), ["Ada", "Ben"]);
    let third = world.resume(&session);
    world.drop(third);
    world.wait(29_999);
    assert_eq!(world.chat.online(), 2, "the window began again");
    assert_eq!(world.error(other, "/nick Ada"), "name_taken");
    world.wait(1);
    assert_eq!(names(&world.ask_ok(other, "/who")["users"]), ["Ben"]);
    world.ask_ok(other, "/nick Ada");
}

#[test]
fn session_with_messages_outlives_its_window() {
    let mut world = World::new();
    let [ada, ben, cleo] = ["Ada", "Ben", "Cleo"].map(|name| world.hello(name));
    world.ask_ok(ada.0, "/msg Ben hello");
    for (tab, _) in [&ada, &ben, &cleo] {
        world.drop(*tab);
    }
    world.wait(24 * 60 * 60 * 1_000);
    assert_eq!(world.chat.users_kept(), 0);
    let tab = world.connect();
    assert_eq!(world.error(tab, &hello_again("-", &ada.1)), "bad_name");
    let welcome = world.ask_ok(tab, &hello_again("Eve", &ada.1));
    assert_eq!(
        (&welcome["author"], &welcome["name"]),
        (&json!(1), &json!("Eve"))
    );
    let tab = world.connect();
    assert_eq!(world.error(tab, &hello_again("eve", &ben.1)), "name_taken");
    assert_eq!(world.ask_ok(tab, &hello_again("Ben", &ben.1))["author"], 2);
    let tab = world.connect();
    assert_eq!(
        world.ask_ok(tab, &hello_again("Cleo", &cleo.1))["author"],
        4,
        "new"
    );
}

#[test]
fn quit_frees_the_name_and_keeps_the_session_for_the_window() {
    let mut world = World::new();
    let (first, session) = world.hello("Ada");
    let [ben, second] = [world.enter("Ben", &[]), world.resume(&session)];
    world.quit(first);
    assert_eq!(world.chat.online(), 2, "not its last connection");
    world.quit(second);
    assert_eq!((world.chat.online(), world.chat.users_kept()), (1, 2));
    world.ask_ok(ben, "/nick Ada");
    world.wait(29_000);
    let tab = world.connect();
    assert_eq!(
        world.error(tab, &hello_again("Ada", &session)),
        "name_taken"
    );
    let welcome = world.ask_ok(tab, &hello_again("Eve", &session));
    assert_eq!(
        (&welcome["author"], &welcome["session"]),
        (&json!(1), &json!(session))
    );
    world.wait(10_000);
    world.quit(tab);
    world.wait(29_000);
    let tab = world.resume(&session);
    assert_eq!(world.take(tab)[0]["author"], 1, "in a window of its own");
    world.quit(tab);
    world.wait(30_000);
    assert_eq!(world.chat.users_kept(), 1);
    let tab = world.connect();
    assert_eq!(
        world.ask_ok(tab, &hello_again("Eve", &session))["author"],
        3
    );
}

#[test]
fn without_a_resume_window_users_leave_at_once() {
    let mut world = World::with(Limits {
        resume_window: Duration::ZERO,
        ..Limits::DEFAULT
    });
    let [ada, ben] = [world.enter("Ada", &["tea"]), world.enter("Ben", &["tea"])];
    world.drop(ada);
    assert_eq!(world.chat.users_kept(), 1);
    assert_eq!(names(&world.ask_ok(ben, "/who tea")["users"]), ["Ben"]);
    world.ask_ok(ben, "/nick Ada");
}

#[test]
fn quit_and_a_missing_hello_close() {
    let mut world = World::new();
    let [silent, early, ada] = [world.connect(), world.connect(), world.enter("Ada", &[])];
    assert!(world.ask(early, "/quit").is_empty());
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
    assert_eq!(world.chat.next_deadline(), None);
    let mut world = World::with(Limits {
        hello_timeout: Duration::ZERO,
        ..Limits::DEFAULT
    });
    world.connect();
    assert_eq!(world.chat.next_deadline(), None, "no timeout");
}
