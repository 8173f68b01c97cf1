//! What a history on disk keeps over a restart, in order or by `kill -9`; and starts that are
//! refused.

use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;

use crate::harness::{Person, Server, parlor};

/// A database that goes with the test.
struct Database(PathBuf);

impl Database {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("parlor-restart-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn start(&self, options: &[&str]) -> Server {
        let mut command = parlor();
        command
            .args(["--listen", "127.0.0.1:0", "--history"])
            .arg(self.0.join("parlor.db"))
            .args(options);
        Server::spawn(command)
    }

    /// Ends a server without a word, and starts another one on what it has left.
    fn restart(&self, mut server: Server, signal: Signal, options: &[&str]) -> Server {
        server.signal(signal);
        server.wait();
        self.start(options)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn say(person: &mut Person, channel: &str, text: &str) -> Value {
    let ack =
        person.ask(json!({"type": "message", "channel": channel, "text": text, "nonce": text}));
    assert_eq!(ack["type"], "ack", "{ack}");
    ack
}

#[test]
fn everything_is_kept() {
    let database = Database::new("kept");
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = std::fs::remove_dir_all(&database.0);
        std::fs::create_dir_all(&database.0).expect("a folder");
        let server = database.start(&[]);
        let (mut ada, mut ben) = (server.enter("Ada"), server.enter("Ben"));
        ada.join("coffee");
        ada.join("tea");
        let first = say(&mut ada, "tea", "first");
        say(&mut ada, "coffee", "in another channel");
        say(&mut ada, "tea", "second");
        let direct = ada.ask(json!({"type": "direct", "to": "Ben", "text": "psst", "nonce": "d"}));
        ben.take("direct");
        let server = database.restart(server, signal, &[]);

        let mut guest = Person::guest(&server);
        let code = guest.refused(json!({"type": "hello", "name": "ada"}));
        assert_eq!(code, "name_taken", "it is held for the one who had it");
        let mut back = Person::return_of(&server, &ada.session(), "Ada");
        assert_eq!(
            (&back.welcome["author"], &back.welcome["epoch"]),
            (&ada.welcome["author"], &ada.welcome["epoch"])
        );
        let channels: Vec<_> = back.welcome["channels"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (&one["name"], &one["seq"]))
            .collect();
        let expected = [("tea", 2), ("coffee", 1), ("general", 0)]
            .map(|(name, seq)| (json!(name), json!(seq)));
        assert_eq!(
            channels,
            expected
                .iter()
                .map(|(name, seq)| (name, seq))
                .collect::<Vec<_>>()
        );
        assert_eq!(
            back.welcome["users"],
            json!(["Ada"]),
            "who is only held for is not online"
        );
        let known = json!([{"conversation": direct["conversation"], "with": "Ben", "seq": 1, "online": false}]);
        assert_eq!(back.welcome["directs"], known);
        let joined = back.ask(json!({"type": "join", "channel": "tea", "since": 1}));
        assert_eq!(
            (
                &joined["seq"],
                &joined["first"],
                &joined["history"][0]["text"]
            ),
            (&json!(2), &json!(1), &json!("second"))
        );
        let again = back
            .ask(json!({"type": "message", "channel": "tea", "text": "first", "nonce": "first"}));
        assert_eq!(
            (&again["seq"], &again["at"]),
            (&first["seq"], &first["at"]),
            "a nonce is known after a restart"
        );
        let history = back.ask(json!({"type": "history", "conversation": direct["conversation"]}));
        assert_eq!(history["messages"][0]["text"], "psst");
        assert_eq!(say(&mut back, "tea", "third")["seq"], 3);
        let newcomer = server.enter("Cleo");
        assert!(
            newcomer.welcome["author"].as_u64() > ben.welcome["author"].as_u64(),
            "no number is given twice"
        );
    }
}

#[test]
fn a_name_is_held_for_the_window_and_not_for_who_quit() {
    let database = Database::new("names");
    let server = database.start(&[]);
    let (mut ada, mut ben) = (server.enter("Ada"), server.enter("Ben"));
    for person in [&mut ada, &mut ben] {
        person.join("general");
        say(person, "general", "hello");
    }
    ben.line("/quit");
    ben.wire.close_frame("quit");
    let server = database.restart(server, Signal::KILL, &["--resume-window", "0.5"]);
    server.enter("Ben");
    let mut guest = Person::guest(&server);
    let patience = std::time::Instant::now() + crate::harness::PATIENCE;
    while guest.ask(json!({"type": "hello", "name": "Ada"}))["type"] != "welcome" {
        assert!(
            std::time::Instant::now() < patience,
            "the window never ends"
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn what_is_beyond_the_history_is_told_by_first() {
    let database = Database::new("first");
    let server = database.start(&["--history-keep", "3"]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    (1..=10).for_each(|n| drop(say(&mut ada, "general", &n.to_string())));
    let patience = std::time::Instant::now() + crate::harness::PATIENCE;
    while ada.ask(json!({"type": "join", "channel": "general", "since": 2}))["first"] != 8 {
        assert!(
            std::time::Instant::now() < patience,
            "it keeps more than it was told to"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let server = database.restart(server, Signal::TERM, &["--max-channels", "1"]);
    let ada = Person::return_of(&server, &ada.session(), "Ada");
    assert_eq!(ada.welcome["channels"][0]["seq"], 10);
}

#[test]
fn channels_that_are_too_many_are_put_away_and_come_back_whole() {
    let database = Database::new("away");
    let server = database.start(&[]);
    let mut ada = server.enter("Ada");
    for channel in ["one", "two", "three"] {
        ada.join(channel);
        say(&mut ada, channel, "hello");
    }
    let server = database.restart(server, Signal::KILL, &["--max-channels", "2"]);
    let mut ben = server.enter("Ben");
    let names = |list: &Value| {
        list.as_array()
            .expect("a list")
            .iter()
            .map(|one| one["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&ben.welcome["channels"]), ["three", "general"]);
    assert_eq!(
        ben.refused(json!({"type": "history", "channel": "one"})),
        "no_such_channel"
    );
    let joined = ben.join("one");
    assert_eq!(
        (&joined["seq"], &joined["history"][0]["text"]),
        (&json!(1), &json!("hello"))
    );
}

#[test]
fn a_start_that_fails_is_one_line_and_status_1() {
    let database = Database::new("refused");
    let _server = database.start(&[]);
    let file = database.0.join("parlor.db");
    let text = database.0.join("diary.txt");
    std::fs::write(&text, "Dear diary, today I wrote a chat.").expect("a file");
    let table = [
        (
            "another server has it",
            file.as_os_str(),
            "another parlor uses it",
        ),
        ("no database", text.as_os_str(), "not a database"),
        ("a folder", database.0.as_os_str(), "s a directory"),
    ];
    for (name, path, expected) in table {
        let output = parlor()
            .args(["--listen", "127.0.0.1:0", "--history"])
            .arg(path)
            .output()
            .expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(1), 0),
            "{name}"
        );
        assert!(
            error.contains(expected) && error.trim_end().lines().count() == 1,
            "{name}: {error}"
        );
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file)
        .expect("the database")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner alone");
}

#[test]
fn history_and_no_history_exclude_each_other() {
    let run = |options: &[&str], variables: &[(&str, &str)]| {
        let mut command = parlor();
        // It never gets as far as to listen: where the options are right, the folder is not.
        command
            .args(["--www", "/nowhere"])
            .args(options)
            .envs(variables.iter().copied());
        String::from_utf8(command.output().expect("it runs").stderr).expect("a line")
    };
    let exclusive = "exclude each other";
    let (history, none) = (
        ("PARLOR_HISTORY", "/nowhere/a.db"),
        ("PARLOR_NO_HISTORY", "1"),
    );
    type Row<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], bool);
    let table: &[Row<'_>] = &[
        (
            "both options",
            &["--history", "a.db", "--no-history"],
            &[],
            true,
        ),
        ("both variables", &[], &[history, none], true),
        ("the option wins", &["--history", "a.db"], &[none], false),
        ("either option", &["--no-history"], &[history], false),
        (
            "a variable that says no",
            &[],
            &[history, ("PARLOR_NO_HISTORY", "0")],
            false,
        ),
    ];
    for (name, options, variables, refused) in table {
        let error = run(options, variables);
        assert_eq!(error.contains(exclusive), *refused, "{name}: {error}");
    }
}
