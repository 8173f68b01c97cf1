//! The wire view: a connection sees its own frames, and nobody else's.

use serde_json::{Value, json};

use crate::harness::{Person, Server, Wire, frame, header};

/// The text messages of an echo, as JSON where they are that.
fn next(wire: &mut Wire) -> Value {
    let (opcode, payload) = wire.message("a trace");
    assert_eq!(opcode, 1);
    serde_json::from_slice(&payload).expect("JSON")
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn enter_traced(server: &Server, name: &str) -> Person {
    let mut person = Person::enter(server, name);
    let answer = person.ask(json!({"type": "trace", "on": true}));
    assert_eq!(
        (&answer["type"], &answer["on"]),
        (&json!("tracing"), &json!(true))
    );
    person
}

#[test]
fn from_the_handshake_on() {
    let server = Server::start(&[]);
    for path in ["/echo?trace=1", "/chat?a=b&trace=1"] {
        let mut wire = server.open(path);
        let first = next(&mut wire);
        let handshake = &first["handshake"];
        assert_eq!((&first["type"], &first["n"]), (&json!("trace"), &json!(0)));
        assert_eq!(
            handshake["request"]["bytes"],
            hex(Wire::handshake(path).as_bytes())
        );
        assert_eq!(
            handshake["request"]["lines"][0]["text"],
            format!("GET {path} HTTP/1.1")
        );
        assert_eq!(
            handshake["request"]["lines"][4]["section"],
            "RFC 6455 §4.1, 7"
        );
        assert!(
            handshake["response"]["lines"][0]["text"]
                .as_str()
                .unwrap()
                .starts_with("HTTP/1.1 101")
        );
        // RFC 6455 §1.3.
        assert_eq!(
            handshake["accept"],
            json!({
                "key": "dGhlIHNhbXBsZSBub25jZQ==", "guid": "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                "sha1": "b37a4f2cc0624f1690f64606cf385945b2bec4ea", "value": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            })
        );
    }
    let mut plain = server.open("/echo?trace=0");
    plain.text("x");
    assert_eq!(plain.message("nothing but the echo"), (1, b"x".to_vec()));
}

#[test]
fn each_frame_on_echo_in_and_out() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo?trace=1");
    next(&mut wire);
    let sent = frame(0x81, "Hello");
    // In pieces, and with a ping within the same packet.
    wire.send([&sent[..7], &sent[7..], &frame(0x89, "!")].concat());
    assert_eq!(wire.message("the echo"), (1, b"Hello".to_vec()));
    assert_eq!(wire.frame("the pong").opcode, 10);
    let [text, ping, echo, pong] = std::array::from_fn(|_| next(&mut wire));
    for (trace, n, direction, bytes, opcode) in [
        (&text, 1, "in", hex(&sent), "text"),
        (&ping, 2, "in", hex(&frame(0x89, "!")), "ping"),
        (&echo, 3, "out", hex(b"\x81\x05Hello"), "text"),
        (&pong, 4, "out", hex(b"\x8a\x01!"), "pong"),
    ] {
        assert_eq!(
            (
                trace["n"].as_u64(),
                trace["direction"].as_str(),
                trace["bytes"].as_str()
            ),
            (Some(n), Some(direction), Some(&*bytes))
        );
        assert_eq!(trace["frame"]["opcode"], opcode);
        assert!(
            trace["at"]
                .as_u64()
                .is_some_and(|at| at > 1_600_000_000_000)
                && trace["cut"] == 0
                && trace.get("missed").is_none()
        );
    }
    assert_eq!(
        (&text["frame"]["masking_key"], &text["frame"]["payload"]),
        (&json!("37 fa 21 3d"), &json!("48 65 6c 6c 6f"))
    );
    assert_eq!(echo["frame"]["masking_key"], Value::Null);
}

#[test]
fn the_trace_of_a_close_stands_before_it() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo?trace=1");
    next(&mut wire);
    wire.send(frame(0x88, [&4000u16.to_be_bytes()[..], b"bye"].concat()));
    let [theirs, ours] = std::array::from_fn(|_| next(&mut wire));
    assert_eq!(
        (&theirs["direction"], &theirs["frame"]["close"]),
        (&json!("in"), &json!([4000, "an application's code", "bye"]))
    );
    assert_eq!(
        (&ours["direction"], &ours["bytes"]),
        (&json!("out"), &json!("88 02 0f a0"))
    );
    assert_eq!(wire.close_frame("then it comes").code, Some(4000));
    wire.raw.assert_ended("and nothing behind it");

    let mut wire = server.open("/echo?trace=1");
    next(&mut wire);
    wire.send([0xc1, 0x80, 1, 2, 3, 4]);
    let [theirs, ours] = std::array::from_fn(|_| next(&mut wire));
    assert_eq!(theirs["bytes"], "c1 80 01 02 03 04");
    assert_eq!(ours["frame"]["close"][0], 1002);
    wire.assert_failed("a reserved bit", 1002);
}

#[test]
fn the_command_begins_with_the_next_frame_and_ends_it() {
    let server = Server::start(&[]);
    let mut ada = Person::enter(&server, "Ada");
    ada.join("general");
    // The frames behind the command in the same packet are seen already.
    let commands = [
        r#"{"type":"trace","id":90}"#,
        r#"{"type":"typing","channel":"general"}"#,
    ]
    .map(|text| frame(0x81, text));
    ada.wire.send(commands.concat());
    assert_eq!(ada.take("tracing")["id"], 90);
    let first = ada.take("trace");
    assert_eq!(
        (&first["n"], &first["direction"], &first["bytes"]),
        (&json!(1), &json!("in"), &json!(hex(&commands[1])))
    );
    let answer = ada.take("trace");
    assert_eq!(answer["direction"], "out");
    let payload = answer["frame"]["payload"]
        .as_str()
        .unwrap()
        .replace(' ', "");
    let payload: Vec<u8> = (0..payload.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&payload[at..at + 2], 16).unwrap())
        .collect();
    assert_eq!(
        serde_json::from_slice::<Value>(&payload).unwrap()["type"],
        "tracing"
    );

    assert_eq!(ada.ask(json!({"type": "trace", "on": false}))["on"], false);
    ada.drain();
    ada.say("general", "unseen");
    assert!(ada.drain().iter().all(|event| event["type"] != "trace"));
}

#[test]
fn a_connection_sees_itself_alone() {
    let server = Server::start(&[]);
    let mut ada = enter_traced(&server, "Ada");
    let [mut bob, mut eve] = ["Bob", "Eve"].map(|name| server.enter(name));
    for person in [&mut ada, &mut bob, &mut eve] {
        person.join("general");
    }
    bob.whisper("Eve", "secret-of-bob");
    bob.say("general", "for-everybody");
    ada.take("message");
    ada.say("general", "by-ada");
    // "secret" in hex.
    let traces: Vec<Value> = ada
        .drain()
        .into_iter()
        .filter(|event| event["type"] == "trace")
        .collect();
    let shown = |word: &str| {
        traces
            .iter()
            .filter(|trace| {
                trace["frame"]["payload"]
                    .as_str()
                    .unwrap()
                    .contains(&hex(word.as_bytes()))
            })
            .count()
    };
    assert_eq!(shown("secret-of-bob"), 0);
    assert_eq!(
        shown("for-everybody"),
        1,
        "what was fanned out to it is its own too, and traced once"
    );
    assert_eq!(shown("by-ada"), 2, "said and heard");
    let nested = hex(b"\"type\":\"trace\"");
    assert!(
        traces
            .iter()
            .all(|trace| !trace["bytes"].as_str().unwrap().contains(&nested)),
        "traces are not traced"
    );
    assert!(
        bob.drain()
            .iter()
            .chain(&eve.drain())
            .all(|event| event["type"] != "trace"),
        "nobody else is told"
    );
}

#[test]
fn long_payloads_are_cut_and_floods_are_counted() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo?trace=1");
    next(&mut wire);
    wire.send(frame(0x82, vec![7; 100_000]));
    assert_eq!(wire.message("the echo").1.len(), 100_000);
    for header_bytes in [14, 10] {
        let trace = next(&mut wire);
        assert_eq!(trace["length"], 100_000 + header_bytes);
        assert_eq!(trace["cut"], 100_000 + header_bytes - 4096);
        assert_eq!(trace["bytes"].as_str().unwrap().len(), 4096 * 3 - 1);
        assert_eq!(
            (&trace["frame"]["payload_length"], &trace["frame"]["whole"]),
            (&json!(100_000), &json!(false))
        );
    }
    // Told or counted: each of 6,000 frames in and out.
    wire.send(frame(0x82, "x").repeat(3_000));
    wire.send(frame(0x81, "the end"));
    let (mut told, mut missed, mut echoes) = (0, 0, 0);
    loop {
        let (opcode, payload) = wire.message("the flood");
        if opcode == 2 {
            echoes += 1;
            continue;
        }
        let Ok(trace) = serde_json::from_slice::<Value>(&payload) else {
            continue;
        };
        told += 1;
        missed += trace["missed"].as_u64().unwrap_or(0);
        if trace["n"].as_u64() >= Some(2) && told + missed >= 6_000 {
            break;
        }
        if echoes == 3_000 && trace["direction"] == "out" {
            // Whatever was passed over at the end is told with the next one.
            wire.send(frame(0x8a, ""));
        }
    }
    assert!(missed > 0 && told < 3_000, "{told} told, {missed} missed");
}

#[cfg(feature = "deflate")]
#[test]
fn what_is_compressed_is_shown_inflated() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n";
    raw.send(format!(
        "{}\r\n{offer}",
        Wire::handshake("/echo?trace=1").trim_end()
    ));
    assert_eq!(raw.response().status, 101);
    let mut wire = Wire { raw };
    next(&mut wire);
    // RFC 7692 §7.2.3.1: "Hello", in two fragments, too.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    wire.send([frame(0x41, &hello[..3]), frame(0x80, &hello[3..])].concat());
    assert_eq!(
        wire.message("short texts are echoed as they are").1,
        b"Hello"
    );
    let [first, last] = std::array::from_fn(|_| next(&mut wire));
    assert!(first.get("inflated").is_none());
    assert_eq!(
        last["inflated"],
        json!({"length": 5, "bytes": "48 65 6c 6c 6f"})
    );
}

#[test]
fn frames_made_by_hand() {
    let server = Server::start(&[]);
    // Whoever has no name yet may try too.
    let mut guest = Person::guest(&server);
    let tried = guest.ask(json!({"type": "try", "frames": "81 05 48 65 6c 6c 6f"}));
    assert_eq!(tried["type"], "tried");
    let step = &tried["steps"][0];
    assert_eq!(
        (&step["outcome"], &step["violation"]["code"]),
        (&json!("broken"), &json!(1002))
    );
    assert_eq!(step["violation"]["section"], "RFC 6455 5.1");
    assert!(step["answer"].as_str().unwrap().starts_with("88 "));
    let tried = guest
        .ask(json!({"type": "try", "frames": hex(&[frame(1, "He"), frame(0x80, "llo")].concat())}));
    assert_eq!(
        (
            &tried["steps"][0]["outcome"],
            &tried["steps"][1]["message"]["length"]
        ),
        (&json!("fragment"), &json!(5))
    );
    assert_eq!(
        guest.refused(json!({"type": "try", "frames": "8"})),
        "bad_field"
    );
    assert_eq!(guest.refused(json!({"type": "try"})), "bad_field");
    // The connection itself saw nothing of it.
    assert_eq!(
        guest.ask(json!({"type": "hello", "name": "Ada"}))["type"],
        "welcome"
    );
    // It counts as five commands.
    let refused = (0..20).any(|_| {
        guest.ask(json!({"type": "try", "frames": "8a 80 00 00 00 00"}))["code"] == "rate_limited"
    });
    assert!(refused);
}

#[test]
fn without_it_there_are_no_such_commands() {
    let server = Server::start(&["--no-trace"]);
    let mut ada = server.enter("Ada");
    assert_eq!(
        ada.refused(json!({"type": "trace", "on": true})),
        "unknown_type"
    );
    assert_eq!(
        ada.refused(json!({"type": "try", "frames": "81 00"})),
        "unknown_type"
    );
    ada.assert_quiet("nothing is traced");
    let mut wire = server.open("/echo?trace=1");
    wire.send(header(0x89, 0));
    assert_eq!(wire.frame("the pong, and no trace before it").opcode, 10);
}

#[test]
fn a_reader_that_is_slow_is_not_closed_for_its_traces() {
    let server = Server::start(&["--send-queue-bytes", "65536", "--rate", "0"]);
    let mut ada = enter_traced(&server, "Ada");
    for number in 0..2_000 {
        ada.send(json!({"type": "who", "id": 1_000 + number}));
    }
    let answer = ada.take_where("the last answer", |event| event["id"] == 2_999);
    assert_eq!(answer["type"], "users");
}
