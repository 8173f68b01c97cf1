//! `/metrics`: the names, the labels, that it counts; and what logs may not hold.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Person, Server, eventually, frame, parlor};

#[test]
fn all_names_are_there_and_no_label_comes_from_a_peer() {
    let server = Server::start(&[]);
    for request in [
        "XYZZY /xyzzy HTTP/1.1\r\nHost: xyzzy\r\n\r\n",
        "GET /xyzzy HTTP/1.1\r\nHost: xyzzy\r\n\r\n",
        "xyzzy\0",
    ] {
        let mut raw = server.raw();
        raw.send(request);
        raw.response();
    }
    let mut ada = server.enter("xyzzy");
    ada.join("xyzzy");
    ada.say("xyzzy", "xyzzy");
    for code in [1000u16, 1001, 1013, 3000, 4999] {
        let mut wire = server.open("/echo");
        wire.send(frame(0x88, [&code.to_be_bytes()[..], b"xyzzy"].concat()));
        wire.close_frame("its close");
    }
    let response = server.get("/metrics");
    assert!(
        response
            .header("content-type")
            .is_some_and(|media| media.starts_with("text/plain; version=0.0.4")),
        "{}",
        response.head
    );
    let text = response.text();
    assert!(!text.to_lowercase().contains("xyzzy"), "{text}");
    let mut types = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            types.insert(rest.to_owned());
        } else if !line.starts_with('#') && !line.is_empty() {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let labels = name.split_once('{').map_or("", |(_, labels)| labels);
            let label = labels.split('=').next().unwrap();
            assert!(["", "status", "code", "le"].contains(&label), "{line}");
        }
    }
    let expected = [
        "parlor_bytes_received_total counter",
        "parlor_bytes_sent_total counter",
        "parlor_channels gauge",
        "parlor_closed_total counter",
        "parlor_commit_seconds histogram",
        "parlor_connections gauge",
        "parlor_buffered_bytes gauge",
        "parlor_handshakes_total counter",
        "parlor_messages_delivered_total counter",
        "parlor_messages_received_total counter",
        "parlor_rate_limited_total counter",
        "parlor_refused_total counter",
        "parlor_turn_seconds histogram",
        "parlor_users_online gauge",
    ];
    assert_eq!(
        types,
        expected.iter().map(|&name| name.to_owned()).collect(),
        "a fixed set of names"
    );
    for name in ["parlor_turn_seconds", "parlor_commit_seconds"] {
        assert!(
            server.metric(&format!("{name}_count")) >= 0.0
                && server.metric(&format!("{name}_sum")) >= 0.0,
            "{name}"
        );
        assert!(
            text.contains(&format!("{name}_bucket{{le=\"+Inf\"}} ")),
            "{name}"
        );
    }
}

#[test]
fn what_happens_is_counted() {
    let server = Server::start(&[]);
    let names = [
        "parlor_connections",
        "parlor_users_online",
        "parlor_channels",
        "parlor_handshakes_total",
        "parlor_messages_received_total",
    ];
    let values = |server: &Server| names.map(|name| server.metric(name));
    assert_eq!(
        values(&server),
        [0.0, 0.0, 1.0, 0.0, 0.0],
        "general always exists"
    );
    let mut ada = server.enter("Ada");
    let tab = ada.tab(&server);
    let mut echo = server.open("/echo");
    ada.join("rust");
    echo.text("hi");
    echo.message("hi");
    assert_eq!(values(&server), [3.0, 1.0, 2.0, 3.0, 4.0]);
    let delivered = server.metric("parlor_messages_delivered_total");
    ada.say("rust", "hi");
    ada.take("message");
    assert!(server.metric("parlor_messages_delivered_total") >= delivered + 1.0);
    let (received, sent) = (
        server.metric("parlor_bytes_received_total"),
        server.metric("parlor_bytes_sent_total"),
    );
    echo.send(frame(0x82, vec![0; 100_000]));
    echo.message("large");
    assert!(server.metric("parlor_bytes_received_total") >= received + 100_000.0);
    assert!(server.metric("parlor_bytes_sent_total") >= sent + 100_000.0);
    for person in [ada, tab] {
        person.quit();
    }
    echo.leave();
    eventually("all have gone", || values(&server)[..2] == [0.0, 0.0]);
    assert_eq!(server.metric("parlor_handshakes_total"), 3.0);
    assert_eq!(server.metric("parlor_closed_total{code=\"1000\"}"), 3.0);
    server.get("/nowhere");
    assert_eq!(server.metric("parlor_refused_total{status=\"404\"}"), 1.0);
}

/// Whatever is switched on: no text, no token, no byte of a peer as it came.
#[test]
fn logs_hold_no_secrets() {
    let mut command = parlor();
    command
        .args(["--listen", "127.0.0.1:0", "--no-history", "--rate", "0"])
        .env("RUST_LOG", "trace");
    let mut server = Server::spawn(command);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("general");
    ada.say("general", "plugh-in-a-channel");
    ada.whisper("Bob", "plugh-in-private");
    ada.line("plugh-as-a-line");
    ada.line("{plugh-that-is-no-json");
    bob.ask(json!({"type": "history", "channel": "general"}));
    let sessions = [ada.session(), bob.session()];
    let back = Person::return_of(&server, &sessions[0], "Ada");
    let mut raw = server.raw();
    raw.send("GET /plugh\u{1b}[31m HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw.response();
    let mut wire = server.open("/chat");
    wire.send(frame(0x81, b"plugh\xff"));
    wire.assert_failed("no UTF-8", 1007);
    let mut wire = server.open("/chat");
    wire.send(frame(0x88, b"\x03\xe8plugh\x1b[31m"));
    wire.close_frame("a reason");
    back.quit();
    server.signal(Signal::TERM);
    for person in [&mut ada, &mut bob] {
        while let Ok(frame) = person.wire.try_frame() {
            if frame.opcode == 8 {
                person.wire.send(crate::harness::frame(0x88, b"\x03\xe9"));
            }
        }
    }
    assert_eq!(server.wait().code(), Some(0));
    let logs = server.logs();
    for session in &sessions {
        assert!(
            !logs.contains(session.as_str().unwrap()),
            "a token in {logs}"
        );
    }
    for text in ["plugh-", "\u{1b}["] {
        assert!(!logs.contains(text), "{text:?} in {logs}");
    }
}

#[test]
fn by_default_nothing_is_logged_per_peer() {
    let server = Server::start(&[]);
    for _ in 0..30 {
        let mut raw = server.raw();
        raw.send("\0");
        raw.response();
        let mut wire = server.open("/echo");
        wire.send(frame(0xf1, ""));
        wire.assert_failed("reserved bits", 1002);
        server.enter("Ada").quit();
    }
    assert!(server.logs().lines().count() < 10, "{}", server.logs());
}
