//! The wire view: a connection receives traces of its own frames only.

use serde_json::{Value, json};

use crate::harness::{Person, Server, Wire, assert_fields, frame, handshake};

/// The next text message, as JSON.
fn next(wire: &mut Wire) -> Value {
    serde_json::from_slice(&wire.message("a trace").1).expect("JSON")
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// Opens a WebSocket that is traced, and reads the trace of its handshake.
fn traced(server: &Server) -> Wire {
    let mut wire = server.open("/echo?trace=1");
    assert_eq!(next(&mut wire)["n"], 0);
    wire
}

#[test]
fn handshake_is_traced() {
    let server = Server::start(&[]);
    for path in ["/echo?trace=1", "/chat?a=b&trace=1"] {
        let first = next(&mut server.open(path));
        let request = &first["handshake"]["request"];
        assert_eq!(request["bytes"], hex(handshake(path).as_bytes()));
        assert_eq!(request["lines"][0]["text"], format!("GET {path} HTTP/1.1"));
        // RFC 6455 §1.3.
        assert_fields(
            &first["handshake"]["accept"],
            json!({
                "key": "dGhlIHNhbXBsZSBub25jZQ==", "value": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                "sha1": "b37a4f2cc0624f1690f64606cf385945b2bec4ea",
            }),
        );
    }
}

#[test]
fn frames_in_and_out_are_traced_in_order() {
    let server = Server::start(&[]);
    let mut wire = traced(&server);
    let sent = frame(0x81, "Hello");
    wire.send([&sent[..], &frame(0x89, "!")].concat());
    assert_eq!(wire.message("the echo").1, b"Hello");
    assert_eq!(wire.frame("the pong").opcode, 10);
    for (n, direction, bytes, opcode) in [
        (1, "in", hex(&sent), "text"),
        (2, "in", hex(&frame(0x89, "!")), "ping"),
        (3, "out", hex(b"\x81\x05Hello"), "text"),
        (4, "out", hex(b"\x8a\x01!"), "pong"),
    ] {
        let trace = next(&mut wire);
        let fields = json!({"n": n, "direction": direction, "bytes": bytes, "cut": 0});
        assert_fields(&trace, fields);
        assert_eq!(trace["frame"]["opcode"], opcode);
    }
    wire.send(frame(0x88, b"\x0f\xa0bye"));
    assert_eq!(next(&mut wire)["frame"]["close"][0], 4000);
    assert_eq!(next(&mut wire)["bytes"], "88 02 0f a0");
    assert_eq!(wire.close_code("after its trace"), Some(4000));

    let mut wire = traced(&server);
    wire.send([0xc1, 0x80, 1, 2, 3, 4]);
    assert_eq!(next(&mut wire)["bytes"], "c1 80 01 02 03 04");
    assert_eq!(next(&mut wire)["frame"]["close"][0], 1002);
    wire.assert_failed("a reserved bit", 1002);
}

#[test]
fn connection_sees_its_own_frames_only() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    let on = ada.ask(json!({"type": "trace", "on": true}));
    assert_fields(&on, json!({"type": "tracing", "on": true}));
    ada.join("general");
    bob.join("general");
    bob.whisper("Bob", "secret-of-bob");
    bob.say("general", "for-all-members");
    ada.take("message");
    ada.say("general", "by-ada");
    let mut traces = ada.drain();
    traces.retain(|event| event["type"] == "trace");
    let count = |words: &str| {
        let words = hex(words.as_bytes());
        let bytes = traces.iter().filter_map(|trace| trace["bytes"].as_str());
        bytes.filter(|bytes| bytes.contains(&words)).count()
    };
    let frames_out = |word: &str| count(&format!("\"text\":\"{word}\""));
    assert_eq!(frames_out("secret-of-bob"), 0);
    assert_eq!(
        frames_out("for-all-members"),
        1,
        "what was sent to it, once"
    );
    assert_eq!(count("\"type\":\"trace\""), 0, "traces are not traced");
    assert!(bob.drain().iter().all(|event| event["type"] != "trace"));
    assert_eq!(ada.ask(json!({"type": "trace", "on": false}))["on"], false);
    ada.drain();
    ada.say("general", "unseen");
    assert!(ada.drain().iter().all(|event| event["type"] != "trace"));
}

#[test]
fn trace_over_the_rate_changes_nothing() {
    let server = Server::start(&["--rate=5"]);
    let mut ada = server.enter("Ada");
    let trace = json!({"type": "trace", "on": true});
    assert!((0..20).any(|_| ada.ask(trace.clone())["code"] == "rate_limited"));
    std::thread::sleep(std::time::Duration::from_secs(1));
    ada.drain();
    assert!(ada.drain().iter().any(|event| event["type"] == "trace"));
}

#[test]
fn frames_by_hand_are_tried_without_being_received() {
    let server = Server::start(&[]);
    let mut guest = Person::guest(&server);
    let tried = guest.ask(json!({"type": "try", "frames": "81 05 48 65 6c 6c 6f"}));
    let step = &tried["steps"][0];
    assert_eq!(step["violation"]["section"], "RFC 6455 5.1");
    let frames = hex(&[frame(1, "He"), frame(0x80, "llo")].concat());
    let tried = guest.ask(json!({"type": "try", "frames": frames}));
    assert_eq!(tried["steps"][1]["message"]["length"], 5);
    let mut ask = |command: Value| guest.ask(command)["code"].clone();
    assert_eq!(ask(json!({"type": "hello", "name": "Ada"})), Value::Null);
    let frames = json!({"type": "try", "frames": "8a 80 00 00 00 00"});
    // It costs five commands.
    assert!((0..20).any(|_| ask(frames.clone()) == "rate_limited"));

    let server = Server::start(&["--no-trace"]);
    let mut guest = Person::guest(&server);
    for command in [json!({"type": "trace", "on": true}), frames] {
        assert_eq!(guest.refused(command), "unknown_type");
    }
    let mut wire = server.open("/echo?trace=1");
    wire.send(frame(0x89, ""));
    assert_eq!(wire.frame("no trace before the pong").opcode, 10);
}
