//! Frames that break a rule of RFC 6455 or a limit: which close code they get, and when.

use crate::harness::{Server, Wire, frame, frame_with, header};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn assert_rows(server: &Server, path: &str, code: u16, rows: &[(&str, Vec<u8>)]) {
    for (name, bytes) in rows {
        let mut wire = server.open(path);
        // A message that stands behind it would be answered if it were read.
        wire.send([bytes.as_slice(), &frame(0x81, "after")].concat());
        let closed = wire.assert_failed(name, code);
        assert!(
            closed.reason.contains("RFC 6455") || code == 1009,
            "{name}: the section is named: {closed:?}"
        );
    }
}

#[test]
fn frames_that_are_wrong() {
    let server = Server::start(&[]);
    let mut rows = vec![
        (
            "a frame without a mask",
            vec![0x81, 0x05, b'H', b'e', b'l', b'l', b'o'],
        ),
        ("an empty frame without a mask", vec![0x81, 0x00]),
        ("RSV1 without an extension", frame(0xc1, "a")),
        ("RSV2", frame(0xa1, "a")),
        ("RSV3", frame(0x91, "a")),
        ("RSV1 on a ping", frame(0xc9, "a")),
        ("a ping in fragments", frame(0x09, "a")),
        ("a close in fragments", frame(0x08, "")),
        ("a ping of 126 bytes", frame(0x89, [0; 126])),
        ("a pong of 126 bytes", frame(0x8a, [0; 126])),
        ("a close of 126 bytes", frame(0x88, [0x03; 126])),
        ("a ping with 64 bits of length", header(0x89, 1 << 20)),
        ("a continuation of nothing", frame(0x80, "a")),
        ("a continuation of nothing, unfinished", frame(0x00, "a")),
        (
            "a new text within a message",
            [frame(0x01, "a"), frame(0x81, "b")].concat(),
        ),
        (
            "a new binary within a message",
            [frame(0x01, "a"), frame(0x02, "b")].concat(),
        ),
        (
            "0 in 16 bits",
            [vec![0x81, 0xfe, 0, 0], KEY.to_vec()].concat(),
        ),
        (
            "125 in 16 bits",
            frame_with(
                [vec![0x81, 0xfe, 0, 125], KEY.to_vec()].concat(),
                [b'a'; 125],
            ),
        ),
        (
            "5 in 64 bits",
            frame_with(
                [vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5], KEY.to_vec()].concat(),
                "Hello",
            ),
        ),
        (
            "65,535 in 64 bits",
            [vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], KEY.to_vec()].concat(),
        ),
        (
            "a length of 2^63",
            [vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], KEY.to_vec()].concat(),
        ),
        (
            "a length of 2^64-1",
            [vec![0x82, 0xff], vec![0xff; 8], KEY.to_vec()].concat(),
        ),
        (
            "125 in 16 bits, on a ping",
            frame_with(
                [vec![0x89, 0xfe, 0, 125], KEY.to_vec()].concat(),
                [b'a'; 125],
            ),
        ),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        rows.push(("an opcode without a meaning", frame(0x80 | opcode, "")));
    }
    assert_rows(&server, "/echo", 1002, &rows);
    let mut wire = server.open("/echo");
    wire.send([frame(0x01, "a"), frame(0x80, "b"), frame(0x80, "c")].concat());
    assert_eq!(wire.message("what was whole before").1, b"ab");
    wire.assert_failed("a continuation after the end", 1002);
}

#[test]
fn close_frames_that_are_wrong() {
    let server = Server::start(&[]);
    let mut rows = vec![("one byte", frame(0x88, [3]))];
    for code in [
        0u16, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65_535,
    ] {
        rows.push((
            "a code that nobody may send",
            frame(0x88, code.to_be_bytes()),
        ));
    }
    assert_rows(&server, "/echo", 1002, &rows);
    assert_rows(&server, "/chat", 1002, &rows[..2]);
    for reason in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80"] {
        let mut wire = server.open("/echo");
        wire.send(frame(0x88, [b"\x03\xe8", reason].concat()));
        wire.assert_failed("a reason that is no UTF-8", 1007);
    }
}

#[test]
fn texts_that_are_no_utf8() {
    let server = Server::start(&[]);
    let rows: Vec<(&str, Vec<u8>)> = [
        ("a byte that never stands", &b"a\xff"[..]),
        ("a continuation alone", b"\x80"),
        ("two bytes for one", b"\xc0\xaf"),
        ("two bytes for one, the largest", b"\xc1\xbf"),
        ("three bytes for two", b"\xe0\x80\xaf"),
        ("four bytes for three", b"\xf0\x80\x80\xaf"),
        ("half of a pair", b"\xed\xa0\x80"),
        ("a pair of halves", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("beyond the last letter", b"\xf4\x90\x80\x80"),
        ("five bytes", b"\xf8\x88\x80\x80\x80"),
        ("an end within a letter", b"a\xe2\x82"),
        ("an end after the first byte of four", b"\xf0"),
        ("a letter that is cut off by another", b"\xe2\x82a"),
        (
            "the letters of Autobahn 6.3",
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        ),
    ]
    .into_iter()
    .map(|(name, payload)| (name, frame(0x81, payload)))
    .collect();
    assert_rows(&server, "/echo", 1007, &rows);
    assert_rows(&server, "/chat", 1007, &rows[..3]);
    assert_rows(
        &server,
        "/echo",
        1007,
        &[(
            "an end within a letter, in fragments",
            [frame(0x01, b"\xe2"), frame(0x80, b"\x82")].concat(),
        )],
    );
}

/// The client says no more: the first byte that can't be right is enough, the frame and the message
/// need not be whole.
#[test]
fn texts_fail_at_the_first_impossible_byte() {
    let server = Server::start(&[]);
    for (name, start) in [
        ("a byte that never stands", &b"\xff"[..]),
        ("after some letters", b"abc\xc3\x28"),
        ("half of a pair, by its second byte", b"\xed\xa0"),
        ("beyond the last letter, by its second byte", b"\xf4\x90"),
        ("a byte too many, by its second byte", b"\xe0\x80"),
        ("a byte too many, by its first", b"\xc0"),
    ] {
        let mut wire = server.open("/echo");
        wire.send(frame_with(header(0x81, 1000), start));
        wire.assert_failed(&format!("{name}, within a frame"), 1007);
        let mut wire = server.open("/echo");
        wire.send(frame(0x01, start));
        wire.assert_failed(&format!("{name}, within a message"), 1007);
        let mut wire = server.open("/echo");
        let (before, last) = start.split_at(start.len() - 1);
        wire.send([frame(0x01, before), frame(0x89, ""), frame(0x00, last)].concat());
        assert_eq!(wire.frame(name).opcode, 10, "{name}: the ping between");
        wire.assert_failed(&format!("{name}, over two fragments"), 1007);
    }
}

#[test]
fn messages_that_are_too_big_are_refused_by_their_header() {
    let server = Server::start(&["--max-message-bytes", "1000", "--max-echo-bytes", "70000"]);
    for (path, limit) in [("/chat", 1000u64), ("/echo", 70_000)] {
        let refused: &[(&str, Vec<u8>)] = &[
            ("one byte more", header(0x81, limit + 1)),
            ("binary", header(0x82, limit + 1)),
            ("an enormous one", header(0x81, (1 << 63) - 1)),
            (
                "by its fragments",
                [
                    frame(0x01, vec![b'a'; limit as usize / 2]),
                    header(0x00, limit / 2 + 1),
                ]
                .concat(),
            ),
            (
                "by the last byte",
                [frame(0x01, vec![b'a'; limit as usize]), header(0x80, 1)].concat(),
            ),
            (
                "by a sum that would wrap",
                [frame(0x01, "aa"), header(0x00, (1 << 63) - 1)].concat(),
            ),
        ];
        for (name, bytes) in refused {
            if path == "/chat" && *name == "binary" {
                continue; // 1003 would be as right
            }
            let mut wire = server.open(path);
            wire.send(bytes);
            wire.assert_failed(&format!("{path}: {name}"), 1009);
        }
    }
    let mut wire = server.open("/echo");
    wire.send(
        [
            frame(0x01, vec![b'a'; 35_000]),
            frame(0x80, vec![b'a'; 35_000]),
        ]
        .concat(),
    );
    assert_eq!(wire.message("as much as may be").1.len(), 70_000);
    let mut wire = server.open("/chat");
    wire.send(frame(0x81, vec![b' '; 1000]));
    assert_eq!(wire.message("an answer: it is blank").0, 1);
}

#[test]
fn binary_is_not_for_the_chat() {
    let server = Server::start(&[]);
    for (name, bytes) in [
        ("a message", frame(0x82, "{}")),
        ("an empty one", frame(0x82, "")),
        ("fragments", [frame(0x02, "a"), frame(0x80, "b")].concat()),
    ] {
        let mut wire = server.open("/chat");
        wire.send(bytes);
        wire.assert_failed(name, 1003);
    }
}

/// After its close the server reads on until the peer's, however much comes, and passes nothing on.
#[test]
fn a_client_that_talks_on_after_the_servers_close() {
    let server = Server::start(&[]);
    let mut wire = server.open("/chat");
    wire.send(frame(0x82, "no"));
    assert_eq!(wire.close_frame("1003").code, Some(1003));
    for _ in 0..20 {
        let _ = std::io::Write::write_all(&mut wire.raw.stream, &frame(0x81, vec![b'x'; 10_000]));
    }
    let _ = std::io::Write::write_all(&mut wire.raw.stream, &frame(0x88, b"\x03\xeb"));
    assert!(
        matches!(wire.try_frame(), Err(nothing) if format!("{nothing:?}") != "Silence"),
        "only the end follows"
    );
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn closes_are_counted_by_their_code() {
    let server = Server::start(&[]);
    server.open("/echo").leave();
    let mut wire = server.open("/echo");
    wire.send(frame(0x88, 4321u16.to_be_bytes()));
    wire.close_frame("4321");
    let mut wire: Wire = server.open("/echo");
    wire.send(frame(0xf1, ""));
    wire.assert_failed("reserved bits", 1002);
    for code in ["1000", "1002", "other"] {
        let name = format!("parlor_closed_total{{code=\"{code}\"}}");
        crate::harness::eventually(&name, || server.metric(&name) == 1.0);
    }
}
