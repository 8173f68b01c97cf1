//! Limits by the real binary: how many, how often, how long, how much. The rules are in tests/hub.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Folder, PATIENCE, Person, Server, eventually, frame, frame_with, header};

#[test]
fn connections_over_the_limit_are_refused() {
    for (options, most, status) in [
        ("--max-connections 3", 3, 503),
        ("--max-connections-per-ip 2", 2, 429),
        ("--rate 0", 100, 429),
    ] {
        let server = Server::with(options);
        let mut open: Vec<_> = (0..most).map(|_| server.open("/echo")).collect();
        for _ in 0..2 {
            let mut raw = server.raw();
            raw.response().assert_refusal("one more", &[status]);
            raw.assert_ended("one more");
        }
        open[0].text("still");
        assert_eq!(open[0].message("the others stay").1, b"still");
        drop(open.pop());
        eventually("there is room again", || {
            let mut raw = server.raw();
            raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
            raw.response().status == 200
        });
    }
}

/// Sends something 400 times in one packet. Returns how many answers have this text, and the code
/// of the close, if there is one.
fn flood(server: &Server, bytes: &[u8], text: &str) -> (usize, Option<u16>) {
    let mut guest = Person::guest(server);
    guest.wire.send(bytes.repeat(400));
    let mut count = 0;
    while count < 400 {
        let next = guest.wire.frame("an answer or the close");
        if next.opcode == 8 {
            return (count, next.code());
        }
        count += usize::from(String::from_utf8_lossy(&next.payload).contains(text));
    }
    (count, None)
}

#[test]
fn floods_are_limited_and_then_closed() {
    let server = Server::start(&[]);
    let (command, ping) = (frame(0x81, "/unknown"), frame(0x89, "p"));
    let (limited, code) = flood(&server, &command, "rate_limited");
    assert_eq!(code, Some(1008));
    assert!((99..=101).contains(&limited), "{limited}");
    assert!(server.metric("parlor_rate_limited_total") >= 99.0);
    let (pongs, code) = flood(&server, &ping, "p");
    assert_eq!(code, Some(1008));
    assert!((50..=70).contains(&pongs), "{pongs}");
    let fragments = [frame(0x01, ""), frame(0x80, "/help")].concat();
    assert_eq!(flood(&server, &fragments, "rate_limited").1, Some(1008));
    let server = Server::start(&["--rate", "0"]);
    assert_eq!(flood(&server, &command, "unknown_type"), (400, None));
    assert_eq!(flood(&server, &ping, "p"), (400, None));
}

#[test]
fn head_that_does_not_end_gets_408() {
    let server = Server::start(&["--handshake-timeout", "0.3"]);
    for half in ["", "GET / HTTP/1.1\r\nX-A: xyzzy\r\n"] {
        let mut raw = server.raw();
        raw.send(half);
        raw.response().assert_refusal("half a head", &[408]);
        raw.assert_ended("half a head");
    }
    let mut raw = server.raw();
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nX-A: ");
    assert_eq!(raw.response().status, 200);
    let start = Instant::now();
    while raw.buffer.is_empty() {
        // A byte now and then does not prolong it.
        let _ = raw.stream.write_all(b"x");
        assert!(start.elapsed() < PATIENCE, "no end");
        let timeout = Some(Duration::from_millis(20));
        raw.stream.set_read_timeout(timeout).unwrap();
        let _ = raw.fill();
    }
    raw.response().assert_refusal("the next head", &[408]);
}

#[test]
fn client_without_hello_is_closed_with_1008() {
    let server = Server::start(&["--hello-timeout", "0.3"]);
    let mut guest = Person::guest(&server);
    let (mut echo, mut ada) = (server.open("/echo"), server.enter("Ada"));
    assert_eq!(guest.refused(json!({"type": "channels"})), "hello_first");
    guest.wire.assert_failed("no hello", 1008);
    thread::sleep(Duration::from_millis(300));
    echo.text("hi");
    assert_eq!(echo.message("/echo needs none").1, b"hi");
    ada.join("general");
    let server = Server::start(&["--hello-timeout", "0"]);
    let mut guest = Person::guest(&server);
    guest.wire.raw.assert_silent(300, "no timeout");
}

#[test]
fn message_that_does_not_end_is_closed_with_1008() {
    let server = Server::with("--message-timeout 0.4 --rate 0");
    let half = frame_with(header(0x81, 100), "half");
    for (path, start) in [
        ("/echo", half),
        ("/echo", vec![0x81]),
        ("/chat", frame(0x01, "half")),
    ] {
        let mut wire = server.open(path);
        wire.send(start);
        wire.assert_failed(path, 1008);
    }
    // Messages that end may go on for longer.
    let mut wire = server.open("/echo");
    for _ in 0..6 {
        wire.send(frame(0x01, "a"));
        thread::sleep(Duration::from_millis(80));
        wire.send(frame(0x80, "b"));
        assert_eq!(wire.message("whole").1, b"ab");
    }
}

#[test]
fn silent_connection_is_pinged_then_dropped() {
    let server = Server::with("--ping-interval 0.2 --pong-timeout 0.4 --hello-timeout 0");
    for path in ["/echo", "/chat"] {
        let mut wire = server.open(path);
        let mut pings = 0;
        let end = loop {
            match wire.try_frame() {
                Ok(frame) => pings += usize::from(frame.opcode == 9),
                Err(nothing) => break format!("{nothing:?}"),
            }
        };
        assert!(pings > 0 && end != "Silence", "{path}: {end}");
    }
    let mut wire = server.open("/echo");
    for _ in 0..4 {
        let ping = wire.frame("a ping");
        assert_eq!(ping.opcode, 9);
        wire.send(frame(0x8a, &ping.payload));
    }
    let server = Server::start(&["--ping-interval", "0", "--pong-timeout", "0.1"]);
    let mut wire = server.open("/echo");
    wire.raw.assert_silent(400, "no pings");
}

#[test]
fn response_without_progress_is_given_up() {
    let folder = Folder::new("www-slow");
    std::fs::write(folder.0.join("index.html"), "x").unwrap();
    let large = std::fs::File::create(folder.0.join("large.bin")).unwrap();
    large.set_len(16 << 20).unwrap();
    let www = folder.0.to_str().unwrap();
    let server = Server::start(&["--handshake-timeout", "1", "--www", www]);
    let get = "GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // One client reads nothing for two seconds, the other a little all the time.
    let (mut idle, mut slow) = (server.raw(), server.raw());
    idle.send(get);
    slow.send(get);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        slow.fill().unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    assert!(slow.until_the_end().len() > 16 << 20);
    while idle.fill().is_ok() {}
    assert!(idle.buffer.len() < 16 << 20);
}

#[test]
fn slow_reader_is_closed_with_1013_alone() {
    let server = Server::with("--rate 0 --send-queue-bytes 100000");
    let [mut ada, mut slow] = ["Ada", "Slow"].map(|name| server.enter(name));
    slow.wire.raw.narrow();
    ada.join("general");
    slow.join("general");
    // Until more is sent than the kernel holds. From the close on it has five seconds to read.
    let closed = || server.metric("parlor_closed_total{code=\"1013\"}") > 0.0;
    let mut sent = 0;
    while sent % 10 > 0 || !closed() {
        ada.say("general", &"😀".repeat(4000));
        ada.take("message");
        sent += 1;
        assert!(sent < 2_000, "it is never closed");
    }
    let mut received = 0;
    let code = loop {
        let next = slow.wire.frame("a message or the close");
        if next.opcode == 8 {
            break next.payload;
        }
        let event: serde_json::Value = serde_json::from_slice(&next.payload).unwrap();
        if event["type"] == "message" {
            received += 1;
            assert_eq!(event["seq"], received, "no gap");
        }
    };
    assert!(received < sent, "{received}");
    assert!(code.starts_with(b"\x03\xf5"), "{code:?}");
}

#[test]
fn client_that_does_not_read_is_not_read() {
    for (option, count, length) in [("50000", 1000, 20_000), ("1000", 12, 1 << 20)] {
        let server = Server::start(&["--send-queue-bytes", option]);
        let mut wire = server.open("/echo");
        wire.raw.narrow();
        let mut writer = wire.raw.stream.try_clone().unwrap();
        let message = frame(0x82, vec![b'x'; length]);
        let sending = thread::spawn(move || (0..count).all(|_| writer.write_all(&message).is_ok()));
        thread::sleep(Duration::from_millis(300)); // every buffer is full
        let held = server.metric("parlor_buffered_bytes");
        assert!(held < 4e6, "{held} bytes are held");
        for n in 0..count {
            assert_eq!(wire.message("an echo").1.len(), length, "{n}");
        }
        assert!(sending.join().unwrap());
    }
}
