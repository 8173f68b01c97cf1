//! WebSocket on real sockets: the handshake, frames, closes. The rules are in tests/websocket.

use crate::harness::{Server, eventually, frame, header};

#[test]
fn messages_of_every_length_are_echoed() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    for length in [0, 1, 125, 126, 65_535, 65_536, 200_000, 1 << 20] {
        let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        wire.send(frame(0x82, &bytes));
        assert!(wire.message("binary") == (2, bytes), "{length} bytes");
    }
    wire.send(frame(0x81, "x").repeat(2_000));
    for _ in 0..2_000 {
        assert_eq!(wire.message("one of many in a packet").1, b"x");
    }
    wire.leave();
}

/// One row for each close code. A message after it is not answered.
#[test]
fn broken_rules_close_with_their_code() {
    let server = Server::with("--max-message-bytes 1000 --max-echo-bytes 70000");
    let no_mask = vec![0x81, 0x01, b'H'];
    for (path, name, bytes, code) in [
        ("/echo", "no mask", no_mask, 1002),
        ("/chat", "RSV1", frame(0xc1, "a"), 1002),
        ("/chat", "close code 1005", frame(0x88, b"\x03\xed"), 1002),
        ("/chat", "a binary message", frame(0x82, "{}"), 1003),
        ("/chat", "not UTF-8", frame(0x81, b"a\xff"), 1007),
        ("/echo", "not UTF-8, early", frame(0x01, b"\xed\xa0"), 1007),
        ("/chat", "too large", header(0x81, 1001), 1009),
        ("/echo", "too large", header(0x82, 70_001), 1009),
    ] {
        let mut wire = server.open(path);
        wire.send([bytes, frame(0x81, "after")].concat());
        wire.assert_failed(name, code);
    }
    for (code, count) in [("1002", 3.0), ("1003", 1.0), ("1007", 2.0), ("1009", 2.0)] {
        let name = format!("parlor_closed_total{{code=\"{code}\"}}");
        eventually(&name, || server.metric(&name) == count);
    }
    let mut wire = server.open("/echo");
    wire.send([frame(0x01, [b'a'; 35_000]), frame(0x80, [b'a'; 35_000])].concat());
    assert_eq!(wire.message("the largest that is allowed").1.len(), 70_000);
}

/// Bytes that a server leaves unread when it closes would reset the connection, and the close frame
/// would be lost.
#[test]
fn close_reaches_a_client_that_is_still_sending() {
    let server = Server::start(&[]);
    let mut wire = server.open("/chat");
    wire.send(frame(0x81, vec![b'x'; 5 << 20]));
    assert_eq!(wire.close_code("too large"), Some(1009));
    wire.send(frame(0x88, b"\x03\xf1"));
    wire.raw.assert_ended("after the close");
}

#[test]
fn half_closed_client_gets_its_echo() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    wire.send([frame(0x81, "last"), frame(0x82, vec![7; 100_000])].concat());
    wire.raw.half_close();
    assert_eq!(wire.message("text").1, b"last");
    assert_eq!(wire.message("binary").1.len(), 100_000);
    while let Ok(frame) = wire.try_frame() {
        assert_eq!(frame.opcode, 8, "a close at most");
    }
}
