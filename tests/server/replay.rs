//! `--record` and `parlor replay`: a replay sends the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::{Folder, Raw, Server, assert_private, frame, handshake, output, parlor, rows};

/// Opens `/chat` and joins `general`. The buffer keeps every byte received.
fn enter(server: &Server, name: &str) -> Raw {
    let mut raw = server.raw();
    raw.send(handshake("/chat"));
    say(&mut raw, &format!(r#"{{"type":"hello","name":"{name}"}}"#));
    say(&mut raw, r#"{"type":"join","channel":"general","id":1}"#);
    until(&mut raw, r#""type":"joined""#);
    raw
}

fn say(raw: &mut Raw, text: &str) {
    raw.send(frame(0x81, text));
}

/// Reads until these words were received.
fn until(raw: &mut Raw, words: &str) {
    let words = words.as_bytes();
    while !raw.buffer.windows(words.len()).any(|part| part == words) {
        raw.fill().unwrap();
    }
}

/// Exit status, standard output and standard error of a replay.
fn replay(file: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    output(parlor().arg("replay").args(arguments).arg(file))
}

/// Bytes sent on each connection, from the lines of a replay.
fn sent(lines: &str) -> BTreeMap<&str, Vec<u8>> {
    let mut sent = BTreeMap::<_, Vec<u8>>::new();
    for line in lines.lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(number), Some("out"), Some(_)) = (words.next(), words.next(), words.next()) {
            let bytes = words.map(|byte| u8::from_str_radix(byte, 16).unwrap());
            sent.entry(number).or_default().extend(bytes);
        }
    }
    sent
}

fn recorded(folder: &Folder, options: &str) -> (Server, PathBuf) {
    let file = folder.0.join("recording");
    let server = Server::with(&format!("{options} --record {}", file.display()));
    (server, file)
}

#[test]
fn session_is_replayed_byte_for_byte() {
    let folder = Folder::new("replay");
    let (options, key) = (
        "--send-queue-bytes 20000 --rate 0 --drain 10",
        folder.0.join("key"),
    );
    let key = key.display();
    let (mut server, file) = recorded(&folder, &format!("{options} --owner-key {key}"));
    #[cfg(feature = "log-output")]
    crate::harness::eventually("a warning", || server.logs().contains("WARNING"));
    assert_private(&file);

    let mut page = server.raw();
    page.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    until(&mut page, "</html>");
    let (mut ada, mut bob) = (enter(&server, "Ada"), enter(&server, "Bob"));
    say(&mut ada, "Gr\u{fc}\u{df}e");
    let key = fs::read_to_string(key.to_string()).unwrap();
    for key in ["wrong", key.trim_end()] {
        say(&mut ada, &format!("/own {key}"));
    }
    until(&mut ada, r#""type":"owned""#);
    until(&mut bob, "Grüße");
    until(&mut ada, "Grüße");
    // A frame in pieces, a broken rule, a reset, and a reader that is too slow.
    let mut eve = server.raw();
    eve.send(handshake("/echo"));
    eve.send_slowly(frame(0x81, "in pieces"));
    until(&mut eve, "\x09in pieces");
    eve.send([0xf1, 0x80, 0, 0, 0, 0]);
    until(&mut eve, "RFC 6455");
    eve.half_close();
    while eve.fill().is_ok() {}
    let reset = enter(&server, "Reset");
    let zero = Some(std::time::Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&reset.stream, zero).unwrap();
    drop(reset);
    let mut slow = enter(&server, "Slow");
    slow.narrow();
    let text = "x".repeat(3_000);
    while server.metric(r#"parlor_closed_total{code="1013"}"#) == 0.0 {
        (0..50).for_each(|n| say(&mut ada, &format!("{n}{text}")));
        say(&mut ada, r#"{"type":"who","id":8}"#);
        until(&mut ada, r#""type":"users""#);
        until(&mut bob, &format!("49{text}"));
    }
    slow.half_close();
    while slow.fill().is_ok() {}
    server.signal(rustix::process::Signal::TERM);
    for raw in [&mut ada, &mut bob] {
        raw.send(frame(0x88, b"\x03\xe9"));
    }
    for raw in [&mut page, &mut ada, &mut bob] {
        while raw.fill().is_ok() {}
    }
    assert!(server.wait().success());

    let (status, lines, errors) = replay(&file, &["--hex"]);
    assert_eq!((status, &*errors), (Some(0), ""));
    assert_eq!(replay(&file, &["--hex"]).1, lines, "the same every time");
    let sent = sent(&lines);
    for (number, raw) in [page, ada, bob, eve].iter().enumerate() {
        assert!(sent[&*format!("#{number}")] == raw.buffer, "{number}");
    }
    // Bytes may have been lost on their way when the connection ended.
    assert!(sent["#5"].starts_with(&slow.buffer));
    assert!(lines.contains("#4 reading failed"), "the reset");
    let last = lines.lines().last().unwrap();
    assert!(last.ends_with("0 of them open"), "{last}");
}

#[test]
fn recording_of_a_killed_server_is_replayed() {
    let folder = Folder::new("replay-killed");
    let (mut server, file) = recorded(&folder, "--rate 0");
    let mut ada = enter(&server, "Ada");
    say(&mut ada, "last words");
    until(&mut ada, "last words");
    server.signal(rustix::process::Signal::KILL);
    server.wait();
    let (status, lines, _) = replay(&file, &["--hex"]);
    assert_eq!(status, Some(0));
    assert!(sent(&lines)["#0"].starts_with(&ada.buffer));
    assert!(replay(&file, &[]).1.contains(r#"\"text\":\"last words\""#));
}

#[test]
fn wrong_recordings_are_refused_with_their_line() {
    let folder = Folder::new("replay-wrong");
    let head = json!({
        "parlor_recording": 2, "server": env!("CARGO_PKG_VERSION"), "seed": "00".repeat(16),
        "epoch": "e", "newest_author": 1, "started": 1, "options": ["--no-history"],
    });
    let head = head.to_string();
    let table = r#"
                                                  | line 1: not a parlor recording
        GET / HTTP/1.1\n                          | line 1: not a parlor recording
        HEAD\nTURN5\nhello\n                      | line 3: this is not an input
        HEAD\n{"Readable":[[5,5],5]}\n           | line 2: there is no connection 5
        HEAD\nTURN5\nTURN4\n                      | line 3: time goes backwards
        HEAD\n{"EndT                              | line 2: this is not an input
        HEAD\nTURN5\n{"Wrote":{"Bytes":5}}\n      | line 2: more was written then"#;
    let file = folder.0.join("wrong");
    for [text, error] in rows(table) {
        let text = text.replace("HEAD", &head);
        let turn = |at| format!(r#"{{"EndTurn":[{at},5]}}"#);
        let text = text.replace("TURN5", &turn(5)).replace("TURN4", &turn(4));
        fs::write(&file, text).unwrap();
        let (status, _, errors) = replay(&file, &[]);
        assert!(errors.contains(&error), "{error}: {errors}");
        assert_eq!((status, errors.lines().count()), (Some(1), 1), "{error}");
    }
    let (file, www) = (file.to_str().unwrap(), folder.0.to_str().unwrap());
    for arguments in [
        &["replay", "--fly"][..],
        &["--record=", "--no-history"],
        #[cfg(feature = "history")]
        &["--record", file],
        &["--record", file, "--no-history", "--www", www],
    ] {
        let output = parlor().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
