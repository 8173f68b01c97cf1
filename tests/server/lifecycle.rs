//! The beginning and the end: signals, the drain, a taken port, a start anew, a process that was
//! stopped for a while.

use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Person, Server, eventually, frame, parlor, wait};

/// Whether this process was started with SIGHUP ignored (`nohup`): the server inherits it and
/// leaves it so.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.unwrap_or(0) & 1 == 1
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        if signal == Signal::HUP && hangups_are_ignored() {
            continue; // the row below is about that
        }
        let mut server = Server::start(&["--drain", "10"]);
        let (mut echo, mut ada, mut idle) =
            (server.open("/echo"), server.enter("Ada"), server.raw());
        ada.join("general");
        ada.send(
            json!({"type": "message", "channel": "general", "text": "the last word", "id": 5}),
        );
        ada.take_where("its ack", |event| event["id"] == 5);
        server.signal(signal);
        let closed = echo.close_frame("going away");
        assert_eq!(closed.code, Some(1001), "{signal:?}");
        assert!(!closed.reason.is_empty());
        idle.assert_ended("what asked for nothing");
        assert!(!server.has_ended(), "{signal:?}: it waits for the closes");
        echo.send(frame(0x88, b"\x03\xe9"));
        echo.raw.assert_ended("echo");
        drop((echo, idle)); // a server waits a while for the client's end
        ada.wire.assert_failed("going away", 1001);
        drop(ada);
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        assert_eq!(server.rest_of_stdout(), "", "one line is all");
    }
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "trap '' HUP; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_parlor"),
        "--listen",
        "127.0.0.1:0",
        "--no-history",
    ]);
    let mut server = Server::spawn(command);
    server.signal(Signal::HUP);
    thread::sleep(Duration::from_millis(200));
    assert!(!server.has_ended());
    assert_eq!(server.get("/healthz").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn without_connections_it_ends_at_once() {
    let mut server = Server::start(&["--drain", "60"]);
    assert_eq!(server.get("/healthz").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let mut server = Server::start(&["--drain", "60"]);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn who_does_not_answer_is_waited_for_as_long_as_was_said() {
    let mut server = Server::start(&["--drain", "0.3"]);
    let mut silent = server.open("/echo");
    server.signal(Signal::TERM);
    assert_eq!(silent.close_frame("going away").code, Some(1001));
    assert_eq!(server.wait().code(), Some(0));
    let mut server = Server::start(&["--drain", "0"]);
    let _silent = server.open("/echo");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "0: not at all");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(&["--drain", "60"]);
    let mut silent = server.open("/echo");
    server.signal(Signal::TERM);
    assert_eq!(silent.close_frame("going away").code, Some(1001));
    assert!(!server.has_ended());
    server.signal(Signal::INT);
    server.wait();
}

#[test]
fn while_it_drains_nobody_comes_in() {
    let mut server = Server::start(&["--drain", "60"]);
    let mut open = server.open("/echo");
    server.signal(Signal::TERM);
    assert_eq!(open.close_frame("going away").code, Some(1001));
    eventually("nobody is let in", || {
        TcpStream::connect(server.address).is_err()
    });
    open.send(frame(0x88, b"\x03\xe9"));
    drop(open);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_port_that_is_taken() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let mut command = parlor();
    command
        .args(["--no-history", "--listen", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    assert_eq!(wait(&mut child).code(), Some(1));
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "one clear line: {error}");
    assert!(error.contains(&address), "{error}");
    assert!(output.stdout.is_empty());
}

/// The port can be had again at once, though connections of the old process are not forgotten by
/// the system yet.
#[test]
fn a_start_anew_on_the_same_port() {
    let mut server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    ada.say("general", "before");
    let (address, session, epoch) = (server.address, ada.session(), ada.welcome["epoch"].clone());
    server.signal(Signal::KILL);
    server.wait();
    while ada.wire.try_frame().is_ok() {}
    let mut command = parlor();
    command.args(["--no-history", "--listen", &address.to_string()]);
    let server = Server::spawn(command);
    let mut back = Person::return_of(&server, &session, "Ada");
    assert_ne!(back.welcome["epoch"], epoch, "a memory that is gone");
    let joined = back.ask(json!({"type": "join", "channel": "general", "since": 1}));
    assert_eq!(
        (&joined["seq"], &joined["history"]),
        (&json!(0), &json!([]))
    );
}

/// After a stop of the whole process it reads before it judges: what came in the meantime came in
/// time. (When it judges:
/// `src/server/pardon.rs`.)
#[test]
fn a_process_that_was_stopped_reads_before_it_judges() {
    let timeouts = [
        "--hello-timeout",
        "3",
        "--message-timeout",
        "3",
        "--ping-interval",
        "3",
        "--pong-timeout",
        "60",
    ];
    // On a busy machine something may be due before the process is stopped: then that is not what
    // is asked here.
    let (server, mut guest, mut half, mut silent, mut head) = loop {
        let server = Server::start(&timeouts);
        let began = Instant::now();
        let (guest, silent) = (Person::guest(&server), server.enter("Silent"));
        let (mut half, mut head) = (server.open("/echo"), server.raw());
        half.send(frame(0x01, "half"));
        half.send(frame(0x89, "read so far"));
        head.send("GET /healthz HTTP/1.1\r\n");
        assert_eq!(
            half.frame("the beginning of the message was read").opcode,
            10
        );
        server.signal(Signal::STOP);
        if began.elapsed() < Duration::from_secs(2) {
            break (server, guest, half, silent, head);
        }
    };
    guest.line("/nick Ada");
    half.send(frame(0x80, "whole"));
    head.send("Host: localhost\r\n\r\n");
    thread::sleep(Duration::from_millis(5_500)); // more than a second after the last of them is due
    server.signal(Signal::CONT);
    assert_eq!(guest.take("welcome")["name"], "Ada");
    assert_eq!(half.message("whole").1, b"halfwhole");
    assert_eq!(head.response().status, 200);
    assert_eq!(
        silent.ask(json!({"type": "who"}))["count"],
        2,
        "it is asked by a ping and not dropped unasked"
    );
}

/// Nobody reads what it prints: that must not end it.
#[test]
fn its_output_may_be_closed() {
    let mut child = parlor()
        .args(["--no-history", "--listen", "127.0.0.1:0"])
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    let address = line.trim_end().rsplit('/').next().unwrap().parse().unwrap();
    for request in ["\0", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut raw = crate::harness::Raw::connect(address);
        raw.send(request);
        assert!([200, 400].contains(&raw.response().status));
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
