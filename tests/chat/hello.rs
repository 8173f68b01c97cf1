//! `hello`, `welcome`, and how long sessions and users last.

use crate::harness::{World, hello_again, list};
use crate::script::{Script, play, play_with};
use parlor::chat::Keys;
use parlor::chat::event::Farewell;
use parlor::history::{Author, Memory};
use parlor::http::pages::BUILD;
use parlor::limits::Limits;
use parlor::testing::limits;
use serde_json::json;
use std::time::Duration;

conversations! {
fn commands_need_hello_which_comes_once() r#"
Ada ! bad_json {
Ada ! bad_field {"type":"who","id":-1}
Ada ! unknown_type {"type":"dance"}
Ada ! unknown_type /dance
Ada ! hello_first {"type":"join"}
Ada ! hello_first {"type":"join","channel":"-"}
Ada ! hello_first good morning
Ada ! hello_first
Ada ! bad_field {"type":"hello"}
Ada ! bad_name {"type":"hello","name":"-"}
Ada ! unknown_type {"type":"trace"}
Ada > /help
Ada + {"type":"who","id":8}
Ada < {"type":"error","code":"hello_first","id":8}
Ada > {"type":"hello","name":"Ada","id":1}
Ada < {"type":"welcome","id":1}
Ada ! already_welcomed {"type":"hello","name":"Ada","id":1}
Ada ! unknown_type {"type":"dance"}
Ada ! empty
Ada ! not_in_channel good morning
Ada > {"type":"who","id":9007199254740991}
Ada = {"type":"users","users":["Ada"],"count":1,"id":9007199254740991}
Ada > /who
Ada = {"type":"users","users":["Ada"],"count":1}"#

fn author_numbers_are_spent_on_success_only() r#"
Ada enters
Eve ! name_taken /nick Ada
Eve ! name_taken /nick ADA
Eve > /nick Eve
Eve < {"type":"welcome","author":2}"#

fn user_stays_online_for_the_resume_window() r#"
Ada,Ben enters
Tab of Ada
Ada drops
wait 60000
online 2
Tab drops
wait 29999
Ben > /who
Ben < {"type":"users","users":["Ada","Ben"]}
Third of Ada
Third drops
wait 29999
online 2
Ben ! name_taken /nick Ada
wait 1
Ben > /who
Ben < {"type":"users","users":["Ben"]}
Ben > /nick Ada"#

fn session_with_messages_outlives_its_window() r#"
Ada,Ben,Cleo enters
Ada > /msg Ben hello
Ada,Ben,Cleo drops
wait 86400000
kept 0
A ! bad_name {"type":"hello","name":"-","session":"$Ada"}
A > {"type":"hello","name":"Eve","session":"$Ada"}
A < {"type":"welcome","author":1,"name":"Eve"}
B ! name_taken {"type":"hello","name":"eve","session":"$Ben"}
B > {"type":"hello","name":"Ben","session":"$Ben"}
B < {"type":"welcome","author":2}
C > {"type":"hello","name":"Cleo","session":"$Cleo"}
C < {"type":"welcome","author":4}"#

fn quit_frees_the_name_and_keeps_the_session_for_the_window() r#"
Ada,Ben enters
Tab of Ada
Ada quits
online 2
Tab quits
online 1
kept 2
Ben > /nick Ada
wait 29000
Eve ! name_taken {"type":"hello","name":"Ada","session":"$Ada"}
Eve > {"type":"hello","name":"Eve","session":"$Ada"}
Eve < {"type":"welcome","author":1,"session":"$Ada"}
wait 10000
Eve quits
wait 29000
Tab of Ada
Tab < {"type":"welcome","author":1}
Tab quits
wait 30000
kept 1
Eve > {"type":"hello","name":"Eve","session":"$Ada"}
Eve < {"type":"welcome","author":3}"#

fn without_a_resume_window_users_leave_at_once(resume_window = Duration::ZERO) r#"
Ada,Ben enters tea
Ada drops
kept 1
Ben > /who tea
Ben < {"type":"users","users":["Ben"]}
Ben > /nick Ada"#
}

#[test]
fn welcome_lists_channels_and_users() {
    let mut script = play("Ben enters tea");
    let tab = script.tab("Ada");
    let welcome = script
        .world
        .ask_ok(tab, r#"{"type":"hello","name":"Ada","id":1}"#);
    let version = env!("CARGO_PKG_VERSION");
    script.play(&format!(
        r#"
Ada = {{"type":"welcome","id":1,"name":"Ada","author":2,"session":{session},
 "channels":[{{"name":"tea","members":1,"seq":0}},{{"name":"general","members":0,"seq":0}}],
 "users":["Ben","Ada"],"online":2,"directs":[],"door":true,
 "limits":{{"text":4000,"message_bytes":65536}},
 "epoch":"epoch","time":$START,"server":"parlor {version}+{BUILD}"}}"#,
        session = welcome["session"]
    ));
    let session = welcome["session"].as_str().map(str::len);
    assert!(session.is_some_and(|length| (20..=64).contains(&length)));
}

#[test]
fn user_of_a_proxy_is_the_same_in_every_browser() {
    let mut world = World::with(Limits::DEFAULT);
    world.chat.take_names_from_proxy();
    let enter = |world: &mut World, name: &str, hello: &str| {
        let tab = world.connect_as(Some(name));
        let welcome = world.ask_ok(tab, hello);
        assert_eq!(welcome["name_fixed"], true);
        (tab, welcome["name"].clone(), welcome["author"].clone())
    };
    let hello = r#"{"type":"hello","name":"Mallory","id":1}"#;
    let (first, name, author) = enter(&mut world, "Ada", hello);
    assert_eq!((&name, &author), (&json!("Ada"), &json!(1)));
    let (second, ..) = enter(&mut world, "Ada", "/nick Eve");
    let (_, ben, other) = enter(&mut world, "Ben", hello);
    assert_eq!((ben, other), (json!("Ben"), json!(2)));
    assert_eq!(world.error(second, "/nick Eve"), "name_fixed");
    world.commit();
    // Offline in between, without a token and without a message.
    world.disconnect(first, true);
    world.disconnect(second, true);
    world.wait(10 * 60 * 1_000);
    let (_, name, again) = enter(&mut world, "Ada", hello);
    assert_eq!((name, again), (json!("Ada"), json!(1)));
}

#[test]
fn lists_stop_at_500_and_counts_are_whole() {
    let mut script = play("");
    for n in 0..520 {
        script.play(&format!("user{n} enters"));
    }
    for n in 0..510 {
        script.play(&format!("user{} > /join channel{n}", n / 99));
    }
    let tab = script.tab("Ada");
    let welcome = script.world.ask_ok(tab, "/nick Ada");
    assert_eq!(list(&welcome["users"]).len(), 500);
    assert_eq!(welcome["online"], 521);
    assert_eq!(list(&welcome["channels"]).len(), 500);
    assert_eq!(welcome["channels"][0]["name"], "channel509");
    let channels = script.world.ask_ok(tab, "/channels");
    assert_eq!(list(&channels["channels"]).len(), 511);
    let who = script.world.ask_ok(tab, "/who");
    assert_eq!(list(&who["users"]).len(), 500);
    assert_eq!(who["count"], 521);
}

#[test]
fn token_makes_another_connection_of_the_same_user() {
    let mut script = play("Ada enters");
    for (n, name) in ["Ben", "Ada", "-", ""].iter().enumerate() {
        script.play(&format!(
            r#"
tab{n} > {{"type":"hello","name":"{name}","session":"$Ada"}}
tab{n} < {{"type":"welcome","name":"Ada","author":1,"session":"$Ada","online":1}}
online 1"#
        ));
    }
}

#[test]
fn unknown_token_begins_a_new_session() {
    let mut script = play("Ada enters");
    let session = script.session("Ada").to_owned();
    let (author, secret) = session.split_once('-').expect("a token has two parts");
    let last = if secret.ends_with('0') { "1" } else { "0" };
    let wrong = [
        format!("{author}-{}{last}", &secret[..31]),
        format!("7-{secret}"),
        "nonsense".to_owned(),
        "x".repeat(1_000),
    ];
    for (n, token) in wrong.iter().enumerate() {
        let tab = script.tab(token);
        let welcome = script
            .world
            .ask_ok(tab, &hello_again(&format!("user{n}"), token));
        assert_eq!(welcome["author"], n + 2, "{token}");
        assert_ne!(welcome["session"], session);
    }
}

#[test]
fn quit_and_a_missing_hello_close() {
    let mut script = play("Ada enters\nearly + /quit\ncommit\nsilent > /help\nwait 29999");
    let [ada, early, silent] = ["Ada", "early", "silent"].map(|name| script.tab(name));
    assert_eq!(script.world.farewell(early), Some(Farewell::Quit));
    assert_eq!(script.world.farewell(silent), None);
    script.play("wait 1");
    assert_eq!(script.world.farewell(silent), Some(Farewell::NoHello));
    assert_eq!(script.world.farewell(ada), None);
    script.play("early quits\nsilent drops\nAda > /quit");
    assert_eq!(script.world.farewell(ada), Some(Farewell::Quit));
    script.play("Ada quits\nwait 60000");
    assert_eq!(script.world.chat.next_deadline(), None);
    let mut script = play_with(limits(|it| it.hello_timeout = Duration::ZERO), "");
    script.tab("Ada");
    assert_eq!(script.world.chat.next_deadline(), None, "no timeout");
}

#[test]
fn room_with_a_password_sends_nothing_before_it() {
    let memory = Memory::new("epoch".into(), Author(0));
    let keys = Keys::new(Some("key"), Some("word"));
    let world = World::new(Limits::DEFAULT, keys, Box::new(memory));
    let mut script = Script::new(world);
    script.play(
        r#"
Ada ! password_needed /nick Ada
Ada ! hello_first /who
Ada ! bad_password /nick Ada a word
Ada > /nick Ada word
Ada < {"type":"welcome","author":1}
Ben ! password_needed {"type":"hello","name":"Ada"}
Ben ! bad_password {"type":"hello","name":"Ada","password":"Word"}
Ben ! bad_field {"type":"hello","name":"Ben","password":5}
Ben ! bad_password {"type":"hello","name":"Ben","session":"1-00000000000000000123456789abcdee",
 "password":""}
Ben ! name_taken {"type":"hello","name":"Ada","password":"word"}
Ben ! bad_key {"type":"hello","name":"Ben","key":"word"}
Ben > {"type":"hello","name":"Ben","key":"key"}"#,
    );
    let tab = script.tab("Cleo");
    let hello = r#"{"type":"hello","name":"Cleo","password":"word"}"#;
    let welcome = script.world.ask_ok(tab, hello);
    // The session is not asked again, long after its window.
    script.play("Cleo drops\nwait 86400000");
    let again = hello_again("Cleo", welcome["session"].as_str().unwrap_or_default());
    let back = script.tab("Cleo");
    assert_eq!(script.world.ask_ok(back, &again)["author"], 3);
    for n in 0..10 {
        let hello = format!(r#"{{"type":"hello","name":"Eve","password":"{n}"}}"#);
        script.play(&format!("Eve ! bad_password {hello}"));
    }
    script.play(
        r#"
Eve ! rate_limited {"type":"hello","name":"Eve","password":"word"}
Eve ! password_needed /nick Eve
Cleo drops
wait 1000"#,
    );
    let tab = script.tab("Cleo");
    assert_eq!(script.world.ask_ok(tab, &again)["author"], 3);
}
