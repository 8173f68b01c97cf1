//! The owner's key and the room's password: their files, the owner's link, the close frame of a
//! kick, and the owner's decisions after a restart. The rules are in tests/chat.

use crate::harness::{
    Folder, Person, Server, assert_fields, assert_private, frame, output, parlor,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

fn command(folder: &Folder, options: &[&str]) -> Command {
    let mut command = parlor();
    command.current_dir(&folder.0).arg("--listen=127.0.0.1:0");
    command.args(options);
    command
}

fn own(person: &mut Person, key: &str) -> Value {
    person.ask(json!({"type": "own", "key": key}))
}

fn secret(folder: &Folder, name: &str, text: &str) {
    fs::write(folder.0.join(name), text).unwrap();
    let mode = Permissions::from_mode(0o600);
    fs::set_permissions(folder.0.join(name), mode).unwrap();
}

fn hello(name: &str, session: &Value, password: &str) -> Value {
    json!({"type": "hello", "name": name, "session": session, "password": password})
}

#[test]
fn decisions_hold_after_a_restart() {
    let folder = Folder::new("owner-restart");
    secret(&folder, "word", "open sesame\r\nand nothing else");
    let options = [
        "--owner-key=key",
        "--password-file=word",
        "--resume-window=0",
    ];
    let mut server = Server::spawn(command(&folder, &options));
    let key = fs::read_to_string(folder.0.join("key")).unwrap();
    assert_private(&folder.0.join("key"));
    assert_eq!(key.trim_end().len(), 32);
    let people = ["Ada", "Ben", "Cleo", "Dan"].map(|name| {
        let mut person = Person::guest(&server);
        let refused = person.refused(hello(name, &Value::Null, "x"));
        assert_eq!(refused, "bad_password");
        person.welcome = person.ask(hello(name, &Value::Null, "open sesame"));
        person.join("tea");
        person
    });
    let [mut ada, mut ben, cleo, dan] = people;
    assert_eq!(own(&mut ada, "wrong")["code"], "bad_key");
    assert_eq!(own(&mut ada, key.trim_end())["on"], true);
    assert_eq!(server.metric("parlor_wrong_keys_total"), 1.0);
    assert_eq!(server.metric("parlor_wrong_passwords_total"), 4.0);
    ben.say("tea", "gone");
    for (order, answer) in [
        (
            json!({"type": "mute", "user": "Ben", "minutes": 5}),
            "muted",
        ),
        (
            json!({"type": "kick", "user": "Cleo", "minutes": 5}),
            "kicked",
        ),
        (json!({"type": "clear", "channel": "tea"}), "cleared"),
        (json!({"type": "door", "open": false}), "door"),
    ] {
        assert_eq!(ada.ask(order)["type"], answer);
    }
    let slow = ada.ask(json!({"type": "writing", "channel": "tea", "who": 60}));
    assert_eq!(slow["type"], "channel_changed");
    let sessions = [&ada, &ben, &cleo, &dan].map(Person::session);
    let mut kicked = cleo.wire;
    let close = std::iter::repeat_with(|| kicked.frame("a close")).find(|it| it.opcode == 8);
    assert_eq!(close.unwrap().payload, b"\x03\xf0removed by the owner");
    kicked.send(frame(0x88, 1008_u16.to_be_bytes()));
    server.signal(Signal::KILL);
    server.wait();

    let mut server = Server::spawn(command(&folder, &options));
    let enter = |server: &Server, n: usize, password: &str| {
        let mut person = Person::guest(server);
        person.welcome = person.ask(hello(&format!("user{n}"), &sessions[n], password));
        person
    };
    for n in [0, 1, 3] {
        let welcome = enter(&server, n, "").welcome;
        assert_fields(&welcome, json!({"type": "welcome", "door": false}));
    }
    assert_eq!(enter(&server, 2, "").welcome["code"], "kicked");
    let mut eve = Person::guest(&server);
    let refused = eve.refused(hello("Eve", &Value::Null, "open sesame"));
    assert_eq!(refused, "door_closed");
    let mut ben = enter(&server, 1, "");
    let joined = ben.join("tea");
    let fields = json!({"first": 2, "seq": 1, "writing": 60, "history": []});
    assert_fields(&joined, fields);
    let message = json!({"type": "message", "channel": "tea", "text": "a"});
    let refused = ben.ask(message.clone());
    assert_eq!(refused["code"], "muted");
    assert!((240_000..300_000).contains(&refused["retry_ms"].as_u64().unwrap()));
    let mut dan = enter(&server, 3, "");
    dan.join("tea");
    assert_eq!(dan.say("tea", "one")["seq"], 2);
    assert_eq!(dan.refused(message), "slow");
    server.signal(Signal::KILL);
    server.wait();

    // After a change of the password, each session must give the new one once.
    secret(&folder, "word", "another");
    let server = Server::spawn(command(&folder, &options));
    let refused = &enter(&server, 3, "open sesame").welcome["code"];
    assert_eq!(refused, "bad_password");
    assert_eq!(enter(&server, 3, "another").welcome["type"], "welcome");
    assert_eq!(enter(&server, 3, "").welcome["type"], "welcome");
}

#[test]
fn unusable_files_of_secrets_are_refused() {
    let folder = Folder::new("owner-refused");
    secret(&folder, "empty", "");
    secret(&folder, "blank", "\nword");
    secret(&folder, "long", &"x".repeat(2_000));
    secret(&folder, "open", "word");
    fs::set_permissions(folder.0.join("open"), Permissions::from_mode(0o640)).unwrap();
    for (option, why) in [
        ("--password-file=none", "No such file"),
        ("--password-file=empty", "first line is empty"),
        ("--password-file=blank", "first line is empty"),
        ("--password-file=long", "too long"),
        ("--password-file=open", "chmod 600 open"),
        ("--owner-key=open", "chmod 600 open"),
        ("--owner-key=empty", "first line is empty"),
        ("--owner-key=no/where", "No such file"),
    ] {
        let (status, _, error) = output(&mut command(&folder, &[option, "--no-history"]));
        assert_eq!(status, Some(1), "{option}");
        assert!(error.contains(why) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn owners_link_is_shown_on_a_terminal_only() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let folder = Folder::new("owner-link");
    let server = Server::spawn(command(&folder, &["--no-history", "--owner-key=key"]));
    let key = fs::read_to_string(folder.0.join("key")).unwrap();
    let mut ada = server.enter("Ada");
    assert_eq!(own(&mut ada, key.trim_end())["on"], true);
    assert!(!server.logs().contains(key.trim_end()), "{}", server.logs());
    let server = Server::spawn(command(&folder, &["--no-history"]));
    let mut ada = server.enter("Ada");
    for key in [key.trim_end(), ""] {
        assert_eq!(own(&mut ada, key)["code"], "bad_key", "there is no key");
    }
    for options in [&["--no-history", "--owner-key=key"][..], &["--no-history"]] {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let side = fs::OpenOptions::new()
            .write(true)
            .open(name.to_str().unwrap());
        let mut command = command(&folder, options);
        command.stdout(Stdio::piped()).stderr(side.unwrap());
        let mut child = command.spawn().unwrap();
        drop(command);
        let (mut terminal, mut shown) = (fs::File::from(terminal), String::new());
        let mut buffer = [0; 4_096];
        while !shown.contains("#owner=") || !shown.ends_with('\n') {
            let count = terminal.read(&mut buffer).unwrap();
            shown += &String::from_utf8_lossy(&buffer[..count]);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (link, shown_key) = shown.trim_end().rsplit_once("#owner=").unwrap();
        assert!(link.contains("You own this chat at http://127.0.0.1:"));
        let is_ours = shown_key == key.trim_end();
        assert!(is_ours == (options.len() == 2) && shown_key.len() == 32);
    }
}
