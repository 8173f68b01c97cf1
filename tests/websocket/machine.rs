//! Frames become events, whole and in pieces: messages, control frames between fragments, and every
//! rule that a peer can break.

use crate::pieces::{BINARY, FIN, Frames, LIMIT, PING, TEXT, bytes, frame, in_pieces};
use parlor::websocket::{CloseCode, CloseFrame, Event, Progress, Scratch, Violation, WebSocket};

const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const PONG: u8 = 10;

#[test]
#[rustfmt::skip]
fn messages_are_put_together() {
    let longest = format!("Binary({:?})", [7_u8; LIMIT]);
    let table: &[(&str, Frames<'_>, &[&str])] = &[
        ("an empty text", &[(FIN | TEXT, b"")], &["Text(\"\")"]),
        ("two messages", &[(FIN | TEXT, b"a"), (FIN | BINARY, b"b")],
            &["Text(\"a\")", "Binary([98])"]),
        ("fragments", &[(TEXT, b"a"), (CONTINUATION, b"b"), (FIN, b"c")], &["Text(\"abc\")"]),
        ("empty fragments", &[(BINARY, b""), (CONTINUATION, b""), (FIN, b"")], &["Binary([])"]),
        ("a text of empty fragments", &[(TEXT, b""), (FIN, b"")], &["Text(\"\")"]),
        ("control frames between fragments",
            &[(TEXT, b"a"), (FIN | PING, b"p"), (CONTINUATION, b"b"), (FIN | PONG, b""),
                (FIN, b"c")],
            &["Ping([112])", "Pong([])", "Text(\"abc\")"]),
        ("a character cut by fragments", &[(TEXT, b"\xE2"), (FIN, b"\x82\xAC")], &["Text(\"€\")"]),
        ("the longest message", &[(FIN | BINARY, &[7; LIMIT])], &[&longest]),
        ("the longest in fragments", &[(BINARY, &[7; LIMIT - 1]), (FIN, &[7])], &[&longest]),
        ("a close, and a message after it", &[(FIN | CLOSE, b"\x03\xE8"), (FIN | TEXT, b"late")],
            &["Close(Some(1000)), replied 880203e8"]),
        ("a close without a code", &[(FIN | CLOSE, b"")], &["Close(None), replied 8800"]),
        ("an application's code", &[(FIN | CLOSE, b"\x0F\xA0why")],
            &["Close(Some(4000)), replied 88020fa0"]),
        ("a close between fragments", &[(TEXT, b"a"), (FIN | CLOSE, b"")],
            &["Close(None), replied 8800"]),
    ];
    for (name, frames, expected) in table {
        assert_eq!(in_pieces(None, &bytes(frames)), *expected, "{name}");
    }
}

#[test]
#[rustfmt::skip]
fn violations_end_the_input() {
    use Violation::*;
    let table: &[(&str, Frames<'_>, Violation)] = &[
        ("RSV1 without negotiation", &[(FIN | 0x40 | TEXT, b"a")], ReservedBits),
        ("RSV1 after a message", &[(FIN | TEXT, b""), (FIN | 0x40 | TEXT, b"a")], ReservedBits),
        ("opcode 11", &[(FIN | 11, b"")], UnknownOpcode { opcode: 11 }),
        ("a fragmented ping", &[(PING, b"")], FragmentedControlFrame),
        ("a long ping", &[(FIN | PING, &[0; 126])], LongControlFrame),
        ("a continuation of nothing", &[(FIN, b"a")], NothingToContinue),
        ("a continuation after the end", &[(TEXT, b"a"), (FIN, b"b"), (FIN, b"c")],
            NothingToContinue),
        ("a message in a message", &[(TEXT, b"a"), (FIN | TEXT, b"b")], UnfinishedMessage),
        ("a message after an empty fragment", &[(TEXT, b""), (FIN | BINARY, b"")],
            UnfinishedMessage),
        ("text that is not UTF-8", &[(FIN | TEXT, b"\xFF")], InvalidUtf8),
        ("half a character at the end", &[(TEXT, b"a"), (FIN, b"\xE2\x82")], InvalidUtf8),
        ("a close reason that is not UTF-8", &[(FIN | CLOSE, b"\x03\xE8\xFF")], InvalidUtf8),
        ("half a close code", &[(FIN | CLOSE, b"\x03")], CloseLength),
        ("a reserved close code", &[(FIN | CLOSE, b"\x03\xED")], CloseCode { code: 1005 }),
        ("one byte too many", &[(FIN | BINARY, &[0; LIMIT + 1])], MessageTooBig),
        ("too many in fragments", &[(BINARY, &[0; LIMIT]), (FIN, b"x")], MessageTooBig),
    ];
    let mut table: Vec<_> = table.iter().map(|row| (row.0, bytes(row.1), row.2)).collect();
    table.push(("no mask", [0x81, 0x01, b'a'].to_vec(), UnmaskedFrame));
    // The header is enough: the payload never comes.
    let announced = [&[0x82, 0xFF][..], &(1_u64 << 62).to_be_bytes(), &[1, 2, 3, 4]].concat();
    table.push(("an announced payload", announced, MessageTooBig));
    for (name, mut bytes, violation) in table {
        bytes.extend(frame(FIN | TEXT, b"not read"));
        assert_eq!(in_pieces(None, &bytes).last(), Some(&format!("{violation:?}")), "{name}");
    }
}

/// Feeds bytes that complete nothing.
fn feed(websocket: &mut WebSocket, mut bytes: Vec<u8>, out: &mut Vec<u8>) {
    let mut scratch = Scratch::default();
    let received = websocket.receive(&mut bytes, &mut scratch, out);
    assert_eq!(received, Ok(Progress::NeedMore));
}

#[test]
fn text_is_refused_before_its_frame_ends() {
    let mut websocket = WebSocket::server(LIMIT);
    let (mut out, mut scratch) = (Vec::new(), Scratch::default());
    let whole = frame(FIN | TEXT, &[b"right \xFF", &[b'x'; 100][..]].concat());
    feed(&mut websocket, whole[..12].to_vec(), &mut out);
    let mut wrong = whole[12..13].to_vec();
    let received = websocket.receive(&mut wrong, &mut scratch, &mut out);
    assert_eq!(received, Err(Violation::InvalidUtf8));
    assert!(!websocket.close_sent() && !websocket.is_closed());
    websocket.close(Violation::InvalidUtf8.close_frame(), &mut out);
    assert!(websocket.is_closed() && out.starts_with(b"\x88\x22\x03\xEF"));
}

#[test]
fn only_a_close_frame_counts_after_ours() {
    let mut websocket = WebSocket::server(LIMIT);
    let mut out = Vec::new();
    feed(&mut websocket, frame(TEXT, b"begun"), &mut out);
    websocket.close(CloseFrame::new(CloseCode::GOING_AWAY, ""), &mut out);
    websocket.close(CloseFrame::new(CloseCode::NORMAL, "twice"), &mut out);
    assert_eq!(out, [0x88, 0x02, 0x03, 0xE9], "one close frame, the first");
    assert!(websocket.close_sent() && !websocket.is_closed());
    let late = [
        frame(FIN | TEXT, b"late"),
        frame(FIN | PING, b"late"),
        frame(TEXT, &[1; LIMIT + 1]),
        frame(FIN | BINARY, &[9; 50])[..20].to_vec(),
        frame(FIN | BINARY, &[9; 50])[20..].to_vec(),
    ];
    for bytes in late {
        feed(&mut websocket, bytes, &mut out);
    }
    assert_eq!((websocket.held_bytes(), websocket.take_fragments()), (0, 1));
    let mut answer = frame(FIN | CLOSE, b"\x03\xE9");
    let mut scratch = Scratch::default();
    let received = websocket.receive(&mut answer, &mut scratch, &mut out);
    let event = Event::Close(CloseFrame::new(CloseCode::GOING_AWAY, ""));
    let (value, used) = (event, 8);
    assert_eq!(received, Ok(Progress::Done { value, used }));
    assert!(websocket.is_closed() && out.len() == 4);
}

#[test]
fn memory_follows_the_input_and_is_freed() {
    let mut websocket = WebSocket::server(1 << 30);
    assert!(websocket.held_bytes() == 0 && !websocket.in_progress());
    let mut out = Vec::new();
    // A gigabyte is announced, and nothing arrives.
    for byte in [&[0x82, 0xFF][..], &(1_u64 << 30).to_be_bytes(), &[0; 4]].concat() {
        feed(&mut websocket, vec![byte], &mut out);
    }
    assert!(websocket.in_progress() && websocket.held_bytes() < 300);
    let mut websocket = WebSocket::server(LIMIT);
    feed(&mut websocket, frame(TEXT, b""), &mut out);
    for _ in 1..10_000 {
        feed(&mut websocket, frame(CONTINUATION, b""), &mut out);
    }
    assert!(websocket.held_bytes() < 300, "empty fragments cost nothing");
    let counts = [websocket.take_fragments(), websocket.take_fragments()];
    assert_eq!(counts, [10_000, 0]);
    let mut last = frame(FIN, b"");
    let mut scratch = Scratch::default();
    let received = websocket.receive(&mut last, &mut scratch, &mut out);
    assert!(matches!(received, Ok(Progress::Done { used: 6, .. })));
    assert!(!websocket.in_progress());
    feed(&mut websocket, Vec::new(), &mut out);
    assert_eq!(websocket.held_bytes(), 0);
}
