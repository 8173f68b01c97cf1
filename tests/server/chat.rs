//! The chat by the real binary: one conversation for each feature. The rules are in tests/chat, the
//! forms of commands and names in tests/codec.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Person, Server, assert_fields, eventually, frame};
use crate::script::play;

#[test]
fn welcome_has_all_fields() {
    let server = Server::start(&["--max-text-chars", "1234", "--max-message-bytes", "5678"]);
    let [ada, bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    assert_fields(
        &ada.welcome,
        json!({
            "name": "Ada", "users": ["Ada"], "online": 1, "directs": [],
            "channels": [{"name": "general", "members": 0, "seq": 0}],
            "limits": {"text": 1234, "message_bytes": 5678},
            "server": concat!("parlor ", env!("CARGO_PKG_VERSION")),
        }),
    );
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    assert!(ada.welcome["time"].as_u64().unwrap().abs_diff(now) < 10_000);
    assert_eq!(ada.welcome["epoch"], bob.welcome["epoch"]);
    assert_ne!(ada.welcome["author"], bob.welcome["author"]);
    assert_eq!(bob.welcome["online"], 2);
}

/// Each of a token's 128 bits is 0 in one of them and 1 in another. By chance this fails once in
/// 2^52 runs.
#[test]
fn session_tokens_are_random() {
    let server = Server::start(&[]);
    let (mut ones, mut zeros, mut tokens) = (0, 0, BTreeSet::new());
    for n in 0..60 {
        let token = server.enter(&format!("Person{n}")).session();
        let secret = token.as_str().unwrap().rsplit('-').next().unwrap();
        let bits = u128::from_str_radix(secret, 16).unwrap();
        assert!(secret.len() == 32 && tokens.insert(bits), "{token}");
        (ones, zeros) = (ones | bits, zeros | !bits);
    }
    assert_eq!((ones, zeros), (u128::MAX, u128::MAX));
}

#[test]
fn message_reaches_the_members_of_its_channel() {
    let script = r##"
Ada hello
Bob hello
Eve hello
Ada > {"type":"join","channel":"#Rust","id":1}
Ada = {"type":"joined","id":1,"channel":"rust","seq":0,"first":1,"members":["Ada"],"count":1,
 "history":[],"more":false}
Bob > {"type":"join","channel":"rust"}
Bob < {"type":"joined","count":2}
Ada < {"type":"members","channel":"rust","joined":["Bob"],"count":2}
Ada > {"type":"message","channel":"rust","text":"Hi & <b>bye</b> 😀\n\tend  ","nonce":"n","id":2}
Ada = {"type":"message","channel":"rust","from":"Ada","author":"$ada","seq":1,"at":"$at",
 "text":"Hi & <b>bye</b> 😀\n\tend  ","nonce":"n"}
Ada = {"type":"ack","id":2,"channel":"rust","seq":1,"at":"$at"}
Bob < {"type":"message","author":"$ada","seq":1,"at":"$at"}
Ada > {"type":"message","channel":"rust","text":"sent again","nonce":"n","id":3}
Ada = {"type":"ack","id":3,"channel":"rust","seq":1,"at":"$at"}
Ada > {"type":"message","channel":"rust","text":"waves","action":true}
Bob < {"type":"message","text":"waves","action":true,"seq":2}
Ada < {"type":"message","seq":2}
Ada > {"type":"typing","channel":"rust"}
Bob = {"type":"typing","channel":"rust","user":"Ada"}
Bob > {"type":"leave","channel":"#RUST","id":4}
Bob = {"type":"left","id":4,"channel":"rust"}
Ada < {"type":"members","channel":"rust","left":["Bob"],"count":1}
Ada > to the channel joined last
Ada < {"type":"message","channel":"rust","seq":3}
Bob quiet
Eve quiet
Ada quiet
"##;
    play("--rate 20", script);
}

#[test]
fn direct_reaches_every_connection_of_two_users() {
    let script = r##"
Ada hello
Bob hello
Eve hello
Tab of Bob
Ada > {"type":"direct","to":"bob","text":" hi\n","nonce":"n","id":1}
Ada = {"type":"direct","conversation":"$c","from":"Ada","author":"$ada","to":"Bob","text":" hi\n",
 "seq":1,"at":"$at","nonce":"n"}
Ada = {"type":"ack","id":1,"conversation":"$c","to":"Bob","seq":1,"at":"$at"}
Bob < {"type":"direct","conversation":"$c","author":"$ada","at":"$at"}
Tab < {"type":"direct","conversation":"$c","author":"$ada","at":"$at"}
Bob > {"type":"direct","conversation":"$c","text":"by its name","id":2}
Bob < {"type":"ack","id":2,"to":"Ada","seq":2}
Ada < {"type":"direct","from":"Bob","text":"by its name","seq":2}
Bob > {"type":"typing","conversation":"$c"}
Ada = {"type":"typing","conversation":"$c","user":"Bob"}
Ada > {"type":"history","conversation":"$c","after":1,"id":3}
Ada < {"type":"history","id":3,"conversation":"$c","messages":[{"seq":2,"from":"Bob"}],"more":false}
Eve > {"type":"history","conversation":"$c"}
Eve < {"type":"error","code":"no_such_conversation"}
Eve > {"type":"direct","conversation":"$c","text":"x"}
Eve < {"type":"error","code":"no_such_conversation"}
Eve quiet
Ada quiet
"##;
    play("--rate 20", script);
}

#[test]
fn two_tabs_are_one_user() {
    let script = r##"
Ada hello
Bob hello
Tab of Ada
Ada > /join general
Ada < {"type":"joined"}
Tab quiet
Tab > /join general
Tab < {"type":"joined","members":["Ada"],"count":1}
Tab > from a tab
Ada < {"type":"message","from":"Ada","text":"from a tab"}
Ada > /nick Grace
Ada = {"type":"renamed","from":"Ada","to":"Grace"}
Tab = {"type":"renamed","from":"Ada","to":"Grace"}
Bob = {"type":"renamed","from":"Ada","to":"Grace"}
Ada > /quit
Ada closed 1000
Bob > {"type":"who","channel":"general"}
Bob < {"type":"users","channel":"general","users":["Grace"],"count":1}
Tab > /quit
Tab closed 1000
Bob < {"type":"presence","left":["Grace"],"online":1}
"##;
    play("--rate 20", script);
}

#[test]
fn history_is_paged() {
    let script = r##"
Ada hello
Ada > /join general
Ada > one
Ada > two
Ada > three
Ada > {"type":"history","channel":"general","limit":2}
Ada < {"type":"history","messages":[{"seq":2},{"seq":3}],"more":true,"first":1}
Ada > {"type":"history","channel":"general","before":3}
Ada < {"type":"history","messages":[{"seq":1},{"seq":2}],"more":false}
Ada > {"type":"history","channel":"general","after":2}
Ada < {"type":"history","messages":[{"seq":3}],"more":false}
Bob hello
Bob > {"type":"join","channel":"general","since":2}
Bob < {"type":"joined","history":[{"text":"three"}],"seq":3,"first":1,"more":false}
Bob > {"type":"channels"}
Bob < {"type":"channels","channels":[{"name":"general","members":2,"seq":3}]}
"##;
    play("--rate 0", script);
}

#[test]
fn least_recent_channel_gives_way_at_the_limit() {
    let script = r##"
Ada hello
Bob hello
Ada > /join one
Ada < {"type":"joined"}
Ada > kept
Ada < {"type":"message"}
Bob > {"type":"join","channel":"two"}
Bob < {"type":"error","code":"too_many_channels"}
Ada > /leave
Ada < {"type":"left"}
Bob < {"type":"channels_changed","created":["one"]}
Bob > {"type":"join","channel":"two"}
Bob < {"type":"joined","channel":"two"}
Ada > {"type":"history","channel":"one"}
Ada < {"type":"error","code":"no_such_channel"}
Bob > /leave
Bob < {"type":"left"}
Ada > /join one
Ada < {"type":"joined","history":[{"text":"kept"}],"seq":1}
"##;
    play("--rate 0 --max-channels 2", script);
}

#[test]
fn typed_lines_are_commands() {
    let script = r##"
Bob hello
Ada > /help
Ada < {"type":"help"}
Ada > hello?
Ada < {"type":"error","code":"hello_first"}
Ada > /nick Ada
Ada < {"type":"welcome","name":"Ada"}
Ada > /join #Rust
Ada < {"type":"joined","channel":"rust"}
Ada > //not a command
Ada < {"type":"message","text":"/not a command"}
Ada > /me waves
Ada < {"type":"message","text":"waves","action":true}
Ada > /who #rust
Ada < {"type":"users","users":["Ada"]}
Ada > /history 1
Ada < {"type":"history","channel":"rust","more":true}
Ada > /msg Bob two  words
Bob < {"type":"direct","text":"two  words"}
Ada > /leave
Ada < {"type":"left","channel":"rust"}
"##;
    play("--rate 0", script);
}

#[test]
fn failed_commands_get_error_codes() {
    let script = r##"
Bob hello
Bob > /join bobs
Bob < {"type":"joined"}
Ada > {
Ada < {"type":"error","code":"bad_json"}
Ada > {"type":"unknown","id":7}
Ada < {"type":"error","code":"unknown_type","id":7}
Ada > {"type":"channels"}
Ada < {"type":"error","code":"hello_first"}
Ada > {"type":"hello","name":"a b"}
Ada < {"type":"error","code":"bad_name"}
Ada > {"type":"hello","name":"BOB"}
Ada < {"type":"error","code":"name_taken"}
Ada > {"type":"hello","name":"Ada"}
Ada < {"type":"welcome"}
Ada > {"type":"hello","name":"Ada"}
Ada < {"type":"error","code":"already_welcomed"}
Ada > {"type":"join"}
Ada < {"type":"error","code":"bad_field"}
Ada > {"type":"leave","channel":"none"}
Ada < {"type":"error","code":"no_such_channel"}
Ada > {"type":"message","channel":"bobs","text":"x"}
Ada < {"type":"error","code":"not_in_channel"}
Ada > {"type":"direct","to":"none","text":"x"}
Ada < {"type":"error","code":"no_such_user"}
Ada > {"type":"direct","to":"Bob","text":" "}
Ada < {"type":"error","code":"empty"}
Ada > {"type":"direct","to":"Bob","text":"123456"}
Ada < {"type":"error","code":"too_long"}
Bob quiet
"##;
    play("--rate 0 --max-text-chars 5", script);
}

#[test]
fn dropped_user_stays_for_the_resume_window() {
    let server = Server::with("--rate 0 --resume-window 60");
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("general");
    bob.join("general");
    let session = ada.session();
    ada.vanish();
    bob.say("general", "missed");
    assert_eq!(bob.online(), 2);
    let mut ada = Person::return_of(&server, &session, "other");
    assert_fields(&ada.welcome, json!({"name": "Ada", "session": session}));
    let joined = ada.ask(json!({"type": "join", "channel": "general", "since": 0}));
    assert_eq!(joined["history"][0]["text"], "missed");
    let left = |event: &Value| event["left"].to_string().contains("Ada");
    assert!(!bob.drain().iter().any(left));
}

#[test]
fn only_a_deliberate_close_ends_the_user_at_once() {
    let server = Server::with("--rate 0 --resume-window 60");
    let mut bob = server.enter("Bob");
    for (name, bytes, gone) in [
        ("a close with 1000", frame(0x88, b"\x03\xe8"), true),
        ("/quit", frame(0x81, "/quit"), true),
        ("a close with 1001", frame(0x88, b"\x03\xe9"), false),
        ("an empty close", frame(0x88, ""), false),
        ("a broken rule", frame(0xf1, ""), false),
    ] {
        let mut ada = server.enter("Ada");
        let session = ada.session();
        ada.wire.send(&bytes);
        ada.wire.skip_to_close(name);
        drop(ada);
        assert_eq!(bob.online(), if gone { 1 } else { 2 }, "{name}");
        Person::return_of(&server, &session, "Ada").quit();
    }
    let server = Server::start(&["--resume-window", "0"]);
    let mut bob = server.enter("Bob");
    server.enter("Ada").vanish();
    eventually("Ada is offline without a window", || bob.online() == 1);
}
