//! Frames that are right (RFC 6455 §5, §7), on `/echo`: every length, fragments, control frames
//! between them, closes.
//!
//! Not here: what is wrong (`violations`).

use std::time::Duration;

use crate::harness::{Closed, Server, Wire, frame, frame_with};

#[test]
fn every_length_comes_back() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    for length in [
        0,
        1,
        2,
        124,
        125,
        126,
        127,
        128,
        65_535,
        65_536,
        65_537,
        131_072,
        200_000,
        (1 << 20) - 1,
        1 << 20,
    ] {
        let text: Vec<u8> = (0..length).map(|n| b'a' + (n % 26) as u8).collect();
        wire.send(frame(0x81, &text));
        assert_eq!(wire.message("text"), (1, text), "{length} as text");
        let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        wire.send(frame(0x82, &bytes));
        assert_eq!(wire.message("binary"), (2, bytes), "{length} as binary");
    }
    wire.leave();
}

#[test]
fn every_masking_key() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    for key in [[0, 0, 0, 0], [0xff; 4], [1, 2, 3, 4], [0, 0, 0, 1]] {
        let text = b"a text that is longer than the key";
        let mut bytes = vec![0x81, 0x80 | text.len() as u8];
        bytes.extend_from_slice(&key);
        bytes.extend(
            text.iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        wire.send(bytes);
        assert_eq!(wire.message("masked"), (1, text.to_vec()), "{key:?}");
    }
    // The example of RFC 6455 §5.7.
    wire.send([
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ]);
    assert_eq!(wire.message("§5.7"), (1, b"Hello".to_vec()));
}

#[test]
fn texts_in_all_scripts() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    for text in [
        "κόσμε",
        "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\0\u{1}",
        "\u{feff}",
        "𝄞😀",
        "\u{d7ff}\u{e000}",
    ] {
        wire.text(text);
        assert_eq!(wire.message(text), (1, text.as_bytes().to_vec()));
    }
}

#[test]
fn fragments() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    type Frames = &'static [(u8, &'static [u8])];
    let table: &[(&str, Frames, Frames)] = &[
        ("two", &[(0x01, b"Hel"), (0x80, b"lo")], &[(1, b"Hello")]),
        (
            "binary",
            &[(0x02, b"\xff"), (0x00, b"\xfe"), (0x80, b"\xfd")],
            &[(2, b"\xff\xfe\xfd")],
        ),
        (
            "empty ones",
            &[(0x01, b""), (0x00, b""), (0x00, b"a"), (0x80, b"")],
            &[(1, b"a")],
        ),
        ("all empty", &[(0x01, b""), (0x80, b"")], &[(1, b"")]),
        (
            "a letter in two of them",
            &[(0x01, b"\xc3"), (0x80, b"\xa4")],
            &[(1, b"\xc3\xa4")],
        ),
        (
            "a letter in four of them",
            &[
                (0x01, b"\xf0"),
                (0x00, b"\x9f"),
                (0x00, b"\x98"),
                (0x80, b"\x80"),
            ],
            &[(1, b"\xf0\x9f\x98\x80")],
        ),
        (
            "a ping between them",
            &[(0x01, b"a"), (0x89, b"p"), (0x80, b"b")],
            &[(10, b"p"), (1, b"ab")],
        ),
        (
            "a ping within a letter",
            &[(0x01, b"\xc3"), (0x89, b""), (0x80, b"\xa4")],
            &[(10, b""), (1, b"\xc3\xa4")],
        ),
        (
            "pongs that nobody asked for",
            &[(0x01, b"a"), (0x8a, b"x"), (0x80, b"b"), (0x8a, b"")],
            &[(1, b"ab")],
        ),
        (
            "two messages",
            &[(0x01, b"a"), (0x80, b"b"), (0x02, b"c"), (0x80, b"d")],
            &[(1, b"ab"), (2, b"cd")],
        ),
    ];
    for (name, sent, expected) in table {
        for split in [false, true] {
            let bytes: Vec<u8> = sent
                .iter()
                .flat_map(|(first, payload)| frame(*first, payload))
                .collect();
            if split {
                wire.raw.send_slowly(&bytes)
            } else {
                wire.send(&bytes)
            }
            for (opcode, payload) in *expected {
                let frame = wire.frame(name);
                assert_eq!(
                    (frame.opcode, frame.fin, frame.payload.as_slice()),
                    (*opcode, true, *payload),
                    "{name}, split: {split}"
                );
            }
        }
    }
    wire.leave();
}

#[test]
fn a_message_of_many_tiny_fragments() {
    let server = Server::start(&["--rate", "0"]);
    let mut wire = server.open("/echo");
    let mut bytes = frame(0x01, "a");
    for n in 0..20_000 {
        bytes.extend(frame(0x00, if n % 2 == 0 { "b" } else { "" }));
    }
    bytes.extend(frame(0x80, "c"));
    wire.send(bytes);
    assert_eq!(
        wire.message("whole"),
        (1, format!("a{}c", "b".repeat(10_000)).into_bytes())
    );
}

#[test]
fn pings_are_answered_with_what_they_carry() {
    let server = Server::start(&[]);
    for path in ["/echo", "/chat"] {
        let mut wire = server.open(path);
        for payload in [&b""[..], b"x", &[0xff; 125]] {
            wire.send(frame(0x89, payload));
            let pong = wire.frame("pong");
            assert_eq!(
                (pong.opcode, pong.payload.as_slice()),
                (10, payload),
                "{path}"
            );
        }
    }
}

#[test]
fn many_messages_in_one_packet_keep_their_order() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    let bytes: Vec<u8> = (0..2_000)
        .flat_map(|n| frame(0x81 + u8::from(n % 3 == 0), format!("message {n}")))
        .collect();
    wire.send(bytes);
    for n in 0..2_000 {
        assert_eq!(
            wire.message("one of many"),
            (
                1 + u8::from(n % 3 == 0),
                format!("message {n}").into_bytes()
            )
        );
    }
}

#[test]
fn byte_by_byte() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let long = "x".repeat(300);
    let mut bytes = Wire::handshake("/echo").into_bytes();
    let sent: [(u8, &[u8]); 6] = [
        (0x81, b"text"),
        (0x01, "ä".as_bytes()),
        (0x89, b"ping"),
        (0x80, "ö".as_bytes()),
        (0x82, long.as_bytes()),
        (0x88, b"\x03\xe8bye"),
    ];
    for (first, payload) in sent {
        bytes.extend(frame(first, payload));
    }
    raw.send_slowly(bytes);
    assert_eq!(raw.response().status, 101);
    let mut wire = Wire { raw };
    assert_eq!(wire.message("text"), (1, b"text".to_vec()));
    assert_eq!(wire.frame("pong").opcode, 10);
    assert_eq!(wire.message("fragments"), (1, "äö".as_bytes().to_vec()));
    assert_eq!(wire.message("long"), (2, long.into_bytes()));
    assert_eq!(wire.close_frame("close").code, Some(1000));
    wire.raw.assert_ended("after the closing handshake");
}

#[test]
fn close_codes_come_back() {
    let server = Server::start(&[]);
    let codes = (1000..=1003)
        .chain(1007..=1014)
        .chain([3000, 3001, 3999, 4000, 4999]);
    for code in codes {
        for (path, reason) in [("/echo", "".to_owned()), ("/chat", "r".repeat(123))] {
            let mut wire = server.open(path);
            wire.send(frame(
                0x88,
                [&u16::to_be_bytes(code)[..], reason.as_bytes()].concat(),
            ));
            assert_eq!(wire.close_frame(path).code, Some(code), "{path}");
            wire.raw.assert_ended("after the closing handshake");
        }
    }
}

#[test]
fn an_empty_close_is_answered_with_an_empty_one() {
    let server = Server::start(&[]);
    for path in ["/echo", "/chat"] {
        let mut wire = server.open(path);
        wire.send(frame(0x88, ""));
        assert_eq!(
            wire.close_frame(path),
            Closed {
                code: None,
                reason: String::new()
            }
        );
        wire.raw.assert_ended("after the closing handshake");
    }
}

#[test]
fn after_a_close_nothing_is_read_as_a_message() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    wire.send(
        [
            frame(0x81, "before"),
            frame(0x88, b"\x03\xe8"),
            frame(0x81, "after"),
            frame(0x89, "after"),
            vec![0xff; 100],
        ]
        .concat(),
    );
    assert_eq!(wire.message("before"), (1, b"before".to_vec()));
    assert_eq!(wire.close_frame("close").code, Some(1000));
    wire.raw.assert_ended("nothing of what came after");
}

#[test]
fn a_close_between_fragments() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    wire.send([frame(0x01, "half"), frame(0x88, b"\x03\xe9")].concat());
    assert_eq!(wire.close_frame("close").code, Some(1001));
    wire.raw.assert_ended("after the closing handshake");
}

#[test]
fn half_a_frame_is_waited_for() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    let bytes = frame_with(vec![0x81, 0x80 | 6, 0x37, 0xfa, 0x21, 0x3d], "a\u{20ac}bc");
    let (start, rest) = bytes.split_at(8); // within the euro sign
    wire.send(start);
    wire.raw.assert_silent(
        Duration::from_millis(100),
        "a letter that could still become right",
    );
    wire.send(rest);
    assert_eq!(
        wire.message("whole"),
        (1, "a\u{20ac}bc".as_bytes().to_vec())
    );
}

#[test]
fn who_vanishes_harms_nobody() {
    let server = Server::start(&[]);
    let mut other = server.open("/echo");
    for bytes in [
        vec![],
        vec![0x81],
        frame(0x81, "whole"),
        frame(0x01, "half"),
        frame(0x81, "x".repeat(200))[..100].to_vec(),
    ] {
        let mut wire = server.open("/echo");
        wire.send(bytes);
        drop(wire);
        other.text("still there");
        assert_eq!(other.message("the other").1, b"still there");
    }
    crate::harness::eventually("the gone are not counted", || {
        server.metric("parlor_connections") == 1.0
    });
}
