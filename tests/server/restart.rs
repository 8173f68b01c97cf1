//! A history on disk after a restart, orderly or by `kill -9`, and starts that are refused. The
//! rules are in tests/history.

use rustix::process::Signal;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

use crate::harness::{Folder, Person, Server, assert_fields, assert_private, eventually, parlor};

fn start(folder: &Folder, options: &[&str]) -> Server {
    let mut command = parlor();
    command.args(["--listen", "127.0.0.1:0", "--history"]);
    command.arg(folder.0.join("parlor.db")).args(options);
    Server::spawn(command)
}

/// Ends the server, and starts another one on the same file.
fn restart(folder: &Folder, mut server: Server, signal: Signal, options: &[&str]) -> Server {
    server.signal(signal);
    server.wait();
    start(folder, options)
}

/// The names and last numbers of channels.
fn channels(welcome: &Value) -> Vec<(&str, u64)> {
    let list = welcome["channels"].as_array().unwrap().iter();
    list.map(|one| (one["name"].as_str().unwrap(), one["seq"].as_u64().unwrap()))
        .collect()
}

#[test]
fn restart_keeps_everything() {
    for signal in [Signal::TERM, Signal::KILL] {
        let folder = Folder::new("restart-kept");
        let server = start(&folder, &[]);
        let [mut ada, ben] = ["Ada", "Ben"].map(|name| server.enter(name));
        ada.join("coffee");
        ada.join("tea");
        let first =
            json!({"type": "message", "channel": "tea", "text": "first", "nonce": "n", "id": 1});
        let ack = ada.ask(first.clone());
        ada.say("coffee", "in another channel");
        ada.say("tea", "second");
        let conversation = ada.whisper("Ben", "psst")["conversation"].clone();
        let (session, before, last) = (ada.session(), ada.welcome.clone(), ben.welcome.clone());
        drop((ada, ben));
        let server = restart(&folder, server, signal, &["--resume-window", "1"]);

        let mut guest = Person::guest(&server);
        let hello = json!({"type": "hello", "name": "ada"});
        // The name stays reserved for its session.
        assert_eq!(guest.refused(hello.clone()), "name_taken");
        let mut back = Person::return_of(&server, &session, "Ada");
        let fields = json!({
            "author": before["author"], "epoch": before["epoch"], "users": ["Ada"],
            "directs": [{"conversation": conversation, "with": "Ben", "seq": 1, "online": false}],
        });
        assert_fields(&back.welcome, fields);
        let expected = [("tea", 2), ("coffee", 1), ("general", 0)];
        assert_eq!(channels(&back.welcome), expected);
        let joined = back.ask(json!({"type": "join", "channel": "tea", "since": 1}));
        assert_eq!(joined["history"][0]["text"], "second");
        let again = back.ask(first);
        assert_fields(&again, json!({"seq": ack["seq"], "at": ack["at"]}));
        let page = back.ask(json!({"type": "history", "conversation": conversation}));
        assert_eq!(page["messages"][0]["text"], "psst");
        assert_eq!(back.say("tea", "third")["seq"], 3);
        back.vanish();
        let author = server.enter("Cleo").welcome["author"].as_u64();
        assert!(author > last["author"].as_u64(), "no number is used twice");
        assert_private(&folder.0.join("parlor.db"));
        eventually("the window is over", || {
            guest.ask(hello.clone())["type"] == "welcome"
        });
    }
}

#[test]
fn limits_of_a_restart_hold_for_stored_messages() {
    let folder = Folder::new("restart-limits");
    let server = start(&folder, &["--history-keep", "3", "--rate", "0"]);
    let mut ada = server.enter("Ada");
    for channel in ["one", "two"] {
        ada.join(channel);
        for n in 1..=10 {
            ada.say(channel, &n.to_string());
        }
    }
    eventually("old messages are deleted", || ada.join("one")["first"] == 8);
    ada.vanish();
    let server = restart(&folder, server, Signal::TERM, &["--max-channels", "2"]);
    let mut ben = server.enter("Ben");
    assert_eq!(channels(&ben.welcome), [("two", 10), ("general", 0)]);
    let history = json!({"type": "history", "channel": "one"});
    assert_eq!(ben.refused(history), "no_such_channel");
    let joined = ben.join("one");
    assert_fields(&joined, json!({"seq": 10, "first": 8, "count": 1}));
}

/// Another program, such as Litestream, locks the database for a short time.
#[test]
fn messages_wait_for_a_lock_on_the_history() {
    let folder = Folder::new("lock");
    let mut server = start(&folder, &["--drain", "0.5"]);
    let mut ada = server.enter("Ada");
    ada.join("tea");
    let other = rusqlite::Connection::open(folder.0.join("parlor.db")).unwrap();
    for (id, stops) in [(1, false), (3, true)] {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        ada.send(json!({"type": "message", "channel": "tea", "text": "text", "id": id}));
        ada.send(json!({"type": "who", "id": id + 1}));
        if stops {
            server.signal(Signal::TERM);
        }
        sleep(Duration::from_millis(200));
        other.execute_batch("COMMIT").unwrap();
        let answers = [0; 2].map(|_| ada.take_where("an answer", |event| !event["id"].is_null()));
        let expected = ["ack", "users"].map(|kind| json!({"type": kind}));
        for (answer, fields) in answers.iter().zip(expected) {
            assert_fields(answer, fields);
        }
    }
    assert!(server.wait().success());
}
