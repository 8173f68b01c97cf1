//! What is not waited for: heads, hellos, messages, pongs. The times are short, the patience is
//! long.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{PATIENCE, Person, Server, frame, frame_with, header};

#[test]
fn heads_that_do_not_come_get_408() {
    let server = Server::start(&["--handshake-timeout", "0.3"]);
    let mut halves: Vec<_> = [
        "",
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: xyzzy\r\n",
    ]
    .iter()
    .map(|half| {
        let mut raw = server.raw();
        raw.send(half);
        raw
    })
    .collect();
    for raw in &mut halves {
        raw.response().assert_refusal("half a head", &[408]);
        raw.assert_ended("half a head");
    }
    // Half of the next head on a kept connection.
    let mut raw = server.raw();
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he");
    assert_eq!(raw.response().status, 200);
    raw.response()
        .assert_refusal("half of the next head", &[408]);
}

/// The time counts for the whole head: a byte now and then buys nothing.
#[test]
fn a_head_that_trickles() {
    let server = Server::start(&["--handshake-timeout", "0.4"]);
    let mut raw = server.raw();
    let start = Instant::now();
    for byte in "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "
        .bytes()
        .chain(std::iter::repeat(b'x'))
    {
        if raw.stream.write_all(&[byte]).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
        assert!(start.elapsed() < PATIENCE, "it could go on for ever");
        raw.stream.set_nonblocking(true).unwrap();
        let came = raw.fill();
        raw.stream.set_nonblocking(false).unwrap();
        if came.is_ok() {
            break;
        }
    }
    raw.response()
        .assert_refusal("a head that trickles", &[408]);
}

#[test]
fn who_says_no_hello_is_closed_with_1008() {
    let server = Server::start(&["--hello-timeout", "0.3"]);
    let mut guest = Person::guest(&server);
    assert_eq!(
        guest.refused(json!({"type": "channels"})),
        "hello_first",
        "this is no hello"
    );
    let mut echo = server.open("/echo");
    let mut ada = server.enter("Ada");
    guest.wire.assert_failed("no hello", 1008);
    thread::sleep(Duration::from_millis(300));
    echo.text("hi");
    assert_eq!(echo.message("/echo asks for none").1, b"hi");
    ada.join("general");
    let server = Server::start(&["--hello-timeout", "0"]);
    let mut guest = Person::guest(&server);
    guest
        .wire
        .raw
        .assert_silent(Duration::from_millis(300), "0: no limit");
}

#[test]
fn a_message_that_does_not_end_is_closed_with_1008() {
    let server = Server::start(&["--message-timeout", "0.4", "--rate", "0"]);
    for (name, path, start) in [
        (
            "half a frame",
            "/echo",
            frame_with(header(0x81, 100), "half"),
        ),
        ("half a header", "/echo", vec![0x81]),
        ("half a message", "/echo", frame(0x01, "half")),
        ("half a message on /chat", "/chat", frame(0x01, "half")),
    ] {
        let mut wire = server.open(path);
        wire.send(start);
        wire.assert_cut_off(name, 1008);
    }
    // Neither bytes nor pings in between make the time longer.
    let mut wire = server.open("/echo");
    wire.send(frame(0x01, "a"));
    let start = Instant::now();
    let closed = loop {
        assert!(start.elapsed() < PATIENCE, "it could go on for ever");
        wire.send([frame(0x00, "b"), frame(0x89, "")].concat());
        let next = wire.frame("a pong or the close");
        if next.opcode == 8 {
            break next.payload;
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(closed.get(..2), Some(&1008u16.to_be_bytes()[..]));
    // Messages that end may come for as long as they like.
    let mut wire = server.open("/echo");
    for _ in 0..8 {
        wire.send(frame(0x01, "a"));
        thread::sleep(Duration::from_millis(80));
        wire.send(frame(0x80, "b"));
        assert_eq!(wire.message("whole").1, b"ab");
    }
}

#[test]
fn who_is_silent_is_asked_and_then_dropped() {
    let server = Server::start(&[
        "--ping-interval",
        "0.2",
        "--pong-timeout",
        "0.4",
        "--hello-timeout",
        "0",
    ]);
    for path in ["/echo", "/chat"] {
        let mut wire = server.open(path);
        assert_eq!(wire.frame("a ping").opcode, 9, "{path}");
        let start = Instant::now();
        let end = loop {
            match wire.try_frame() {
                Ok(frame) => assert!(frame.opcode == 8 || frame.opcode == 9, "{path}: {frame:?}"),
                Err(nothing) => break format!("{nothing:?}"),
            }
        };
        assert!(end != "Silence", "{path}: dropped");
        assert!(
            start.elapsed() >= Duration::from_millis(200),
            "{path}: not before its time"
        );
    }
    // Pongs keep a connection; so does anything else.
    let mut wire = server.open("/echo");
    for _ in 0..4 {
        let ping = wire.frame("a ping");
        assert_eq!(ping.opcode, 9);
        wire.send(frame(0x8a, &ping.payload));
    }
    let mut talker = server.open("/echo");
    for _ in 0..15 {
        talker.text("hi");
        assert_eq!(talker.message("no ping to one who talks").1, b"hi");
        thread::sleep(Duration::from_millis(50));
    }
    let server = Server::start(&["--ping-interval", "0", "--pong-timeout", "0.1"]);
    server
        .open("/echo")
        .raw
        .assert_silent(Duration::from_millis(400), "0: none");
}

/// A response that nobody takes is not held for ever.
#[test]
fn a_response_without_progress_is_given_up() {
    let folder = crate::harness::Folder::new("www-slow");
    std::fs::write(folder.0.join("index.html"), "x").unwrap();
    std::fs::File::create(folder.0.join("large.bin"))
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    let server = Server::start(&[
        "--handshake-timeout",
        "1.5",
        "--www",
        folder.0.to_str().unwrap(),
    ]);
    let mut raw = server.raw();
    raw.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(3));
    thread::sleep(Duration::from_millis(3000));
    let mut total = 0;
    while raw.fill().is_ok() {
        total += raw.buffer.len();
        raw.buffer.clear();
    }
    assert!(
        total < 3 * (16 << 20),
        "the connection ended before all was sent"
    );
    // One that takes it slowly, but takes it, gets all.
    let mut raw = server.raw();
    raw.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let start = Instant::now();
    let mut total = 0;
    loop {
        if start.elapsed() < Duration::from_millis(2500) {
            thread::sleep(Duration::from_millis(5));
        }
        match raw.fill() {
            Ok(()) => {
                total += raw.buffer.len();
                raw.buffer.clear();
            }
            Err(_) => break,
        }
    }
    assert!(total > 16 << 20, "{total} bytes came");
}
