//! What the machine makes of frames, whole and in every number of pieces: messages, control frames
//! between, and every rule
//! that can be broken.

use crate::pieces::{LIMIT, frame, in_pieces};
use parlor::websocket::{CloseCode, CloseFrame, Event, Received, Scratch, Violation, WebSocket};

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

#[test]
#[rustfmt::skip]
fn messages() {
    let longest = format!("Binary({:?})", [7_u8; LIMIT]);
    type Row<'a> = (&'a str, Vec<Vec<u8>>, &'a [&'a str]);
    let table: &[Row<'_>] = &[
        ("an empty text", vec![frame(FIN | TEXT, b"")], &["Text(\"\")"]),
        (
            "two in one packet",
            vec![frame(FIN | TEXT, b"a"), frame(FIN | BINARY, b"b")],
            &["Text(\"a\")", "Binary([98])"],
        ),
        (
            "fragments",
            vec![
                frame(TEXT, b"a"),
                frame(CONTINUATION, b"b"),
                frame(FIN, b"c"),
            ],
            &["Text(\"abc\")"],
        ),
        ("empty fragments",
            vec![frame(BINARY, b""), frame(CONTINUATION, b""), frame(FIN, b"")], &["Binary([])"]),
        ("a text of empty fragments", vec![frame(TEXT, b""), frame(FIN, b"")], &["Text(\"\")"]),
        (
            "control frames between fragments come first",
            vec![
                frame(TEXT, b"a"),
                frame(FIN | PING, b"p"),
                frame(CONTINUATION, b"b"),
                frame(FIN | PONG, b""),
                frame(FIN, b"c"),
            ],
            &["Ping([112])", "Pong([])", "Text(\"abc\")"],
        ),
        ("a character cut by fragments",
            vec![frame(TEXT, b"\xE2"), frame(FIN, b"\x82\xAC")], &["Text(\"€\")"]),
        ("as long as it may be", vec![frame(FIN | BINARY, &[7; LIMIT])], &[&longest]),
        ("and in fragments", vec![frame(BINARY, &[7; LIMIT - 1]), frame(FIN, &[7])], &[&longest]),
        (
            "a close ends it",
            vec![frame(FIN | CLOSE, b"\x03\xE8"), frame(FIN | TEXT, b"late")],
            &["Close(1000), replied 880203e8"],
        ),
        ("one without a code", vec![frame(FIN | CLOSE, b"")], &["Close(none), replied 8800"]),
        ("an application's code",
            vec![frame(FIN | CLOSE, b"\x0F\xA0why")], &["Close(4000), replied 88020fa0"]),
        ("a close between fragments",
            vec![frame(TEXT, b"a"), frame(FIN | CLOSE, b"")], &["Close(none), replied 8800"]),
    ];
    for (name, frames, expected) in table {
        assert_eq!(in_pieces(&frames.concat()), *expected, "{name}");
    }
}

#[test]
#[rustfmt::skip]
fn every_rule_that_can_be_broken() {
    let unmasked = [0x81, 0x01, b'a'].to_vec();
    let announced =
        |length: u64| [&[0x82, 0xFF][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat();
    let table: &[(&str, Vec<Vec<u8>>, Violation)] = &[
        ("no mask", vec![unmasked], Violation::UnmaskedFrame),
        ("RSV1 and nothing agreed on",
            vec![frame(FIN | 0x40 | TEXT, b"a")], Violation::ReservedBits),
        ("opcode 11", vec![frame(FIN | 11, b"")], Violation::UnknownOpcode { opcode: 11 }),
        ("a ping in fragments", vec![frame(PING, b"")], Violation::FragmentedControlFrame),
        ("a long ping", vec![frame(FIN | PING, &[0; 126])], Violation::LongControlFrame),
        ("a continuation of nothing",
            vec![frame(FIN | CONTINUATION, b"a")], Violation::NothingToContinue),
        (
            "after a message that ended",
            vec![frame(TEXT, b"a"), frame(FIN, b"b"), frame(FIN, b"c")],
            Violation::NothingToContinue,
        ),
        ("a message in a message",
            vec![frame(TEXT, b"a"), frame(FIN | TEXT, b"b")], Violation::UnfinishedMessage),
        ("an empty fragment begins one too",
            vec![frame(TEXT, b""), frame(FIN | BINARY, b"")], Violation::UnfinishedMessage),
        ("text that is not UTF-8", vec![frame(FIN | TEXT, b"\xFF")], Violation::InvalidUtf8),
        ("half a character at the end",
            vec![frame(TEXT, b"a"), frame(FIN, b"\xE2\x82")], Violation::InvalidUtf8),
        ("in a close reason", vec![frame(FIN | CLOSE, b"\x03\xE8\xFF")], Violation::InvalidUtf8),
        ("half a close code", vec![frame(FIN | CLOSE, b"\x03")], Violation::CloseLength),
        ("a code that says there was none",
            vec![frame(FIN | CLOSE, b"\x03\xED")], Violation::CloseCode { code: 1005 }),
        ("one byte too many", vec![frame(FIN | BINARY, &[0; LIMIT + 1])], Violation::MessageTooBig),
        ("in fragments",
            vec![frame(BINARY, &[0; LIMIT]), frame(FIN, b"x")], Violation::MessageTooBig),
        ("announced alone, and never sent", vec![announced(1 << 62)], Violation::MessageTooBig),
    ];
    for (name, frames, violation) in table {
        let seen = in_pieces(&frames.concat());
        assert_eq!(
            seen.last(),
            Some(&format!("{violation:?}")),
            "{name}: {seen:?}"
        );
    }
}

#[test]
fn a_server_must_not_mask() {
    let mut client = WebSocket::client(LIMIT, || [0; 4]);
    assert_eq!(
        client.receive(
            &mut frame(FIN | TEXT, b"a"),
            &mut Scratch::default(),
            &mut Vec::new()
        ),
        Err(Violation::MaskedFrame)
    );
}

#[test]
fn text_is_refused_before_its_frame_ends() {
    let mut websocket = WebSocket::server(LIMIT);
    let mut whole = frame(
        FIN | TEXT,
        &[b"right ", &b"\xFF"[..], &[b'x'; 100]].concat(),
    );
    assert_eq!(
        websocket.receive(&mut whole[..12], &mut Scratch::default(), &mut Vec::new()),
        Ok(Received::Nothing)
    );
    assert_eq!(
        websocket.receive(&mut whole[12..13], &mut Scratch::default(), &mut Vec::new()),
        Err(Violation::InvalidUtf8)
    );
    assert_eq!(
        websocket.receive(
            &mut frame(FIN | TEXT, b"a"),
            &mut Scratch::default(),
            &mut Vec::new()
        ),
        Ok(Received::Nothing),
        "nothing is read as a message"
    );
}

#[test]
fn after_our_close_frame_only_the_peers_counts() {
    let mut websocket = WebSocket::server(LIMIT);
    let mut out = Vec::new();
    assert_eq!(
        websocket.receive(
            &mut frame(TEXT, b"begun"),
            &mut Scratch::default(),
            &mut out
        ),
        Ok(Received::Nothing)
    );
    let mut cut = frame(FIN | BINARY, &[9; 50]);
    websocket.close(CloseFrame::new(CloseCode::GOING_AWAY, ""), &mut out);
    websocket.close(CloseFrame::new(CloseCode::NORMAL, "twice"), &mut out);
    assert_eq!(out, [0x88, 0x02, 0x03, 0xE9], "one close frame, the first");
    assert!(websocket.close_sent() && !websocket.is_closed());
    for _ in 0..100 {
        assert_eq!(
            websocket.receive(
                &mut frame(FIN | TEXT, b"late"),
                &mut Scratch::default(),
                &mut out
            ),
            Ok(Received::Nothing)
        );
        assert_eq!(
            websocket.receive(
                &mut frame(FIN | PING, b"late"),
                &mut Scratch::default(),
                &mut out
            ),
            Ok(Received::Nothing)
        );
        assert_eq!(
            websocket.receive(
                &mut frame(TEXT, &[1; LIMIT]),
                &mut Scratch::default(),
                &mut out
            ),
            Ok(Received::Nothing),
            "no limit on what is passed over"
        );
    }
    assert_eq!(
        websocket.receive(&mut cut[..20], &mut Scratch::default(), &mut out),
        Ok(Received::Nothing)
    );
    assert_eq!(
        websocket.receive(&mut cut[20..], &mut Scratch::default(), &mut out),
        Ok(Received::Nothing)
    );
    assert_eq!(websocket.held_bytes(), 0);
    assert_eq!(websocket.take_fragments(), 1, "those before");
    let closes = Event::Close(CloseFrame::new(CloseCode::GOING_AWAY, ""));
    let received = websocket.receive(
        &mut frame(FIN | CLOSE, b"\x03\xE9"),
        &mut Scratch::default(),
        &mut out,
    ) == Ok(Received::Event {
        event: closes,
        used: 8,
    });
    assert!(received);
    assert!(websocket.is_closed() && out.len() == 4);
}

#[test]
fn memory_grows_with_what_arrived_and_goes_when_it_is_done() {
    let mut websocket = WebSocket::server(1 << 30);
    let idle = websocket.held_bytes();
    assert_eq!((idle, websocket.in_progress()), (0, false));
    let mut out = Vec::new();
    let header = [&[0x82, 0xFF][..], &(1_u64 << 30).to_be_bytes(), &[0; 4]].concat();
    for byte in header {
        assert_eq!(
            websocket.receive(&mut [byte], &mut Scratch::default(), &mut out),
            Ok(Received::Nothing)
        );
    }
    assert!(
        websocket.in_progress() && websocket.held_bytes() < 300,
        "a gigabyte was announced, and nothing came"
    );
    let mut websocket = WebSocket::server(LIMIT);
    for _ in 0..10_000 {
        assert_eq!(
            websocket.receive(
                &mut frame(
                    CONTINUATION | if websocket.in_progress() { 0 } else { TEXT },
                    b""
                ),
                &mut Scratch::default(),
                &mut out
            ),
            Ok(Received::Nothing)
        );
    }
    assert!(websocket.held_bytes() < 300, "empty fragments cost nothing");
    assert_eq!(
        (websocket.take_fragments(), websocket.take_fragments()),
        (10_000, 0)
    );
    let Ok(Received::Event { used: 6, .. }) =
        websocket.receive(&mut frame(FIN, b""), &mut Scratch::default(), &mut out)
    else {
        panic!()
    };
    assert!(!websocket.in_progress());
    assert_eq!(
        websocket.receive(&mut [], &mut Scratch::default(), &mut out),
        Ok(Received::Nothing)
    );
    assert_eq!(websocket.held_bytes(), 0);
}
