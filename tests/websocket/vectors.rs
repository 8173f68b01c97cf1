//! The examples that RFC 6455 prints, by section, in both directions.

use crate::pieces;
use parlor::http::Head;
use parlor::progress::Progress;
use parlor::websocket::{
    CloseCode, CloseFrame, Config, Event, Opcode, Scratch, ServerHandshake, WebSocket,
    encode_masked_message, encode_message,
};

/// Returns the events of an endpoint for these bytes, whole and in pieces.
fn events(is_client: bool, bytes: &[u8]) -> Vec<String> {
    let endpoint = || match is_client {
        true => WebSocket::client(1 << 20, || [1, 2, 3, 4]),
        false => WebSocket::server(1 << 20),
    };
    let whole = pieces::events(endpoint(), bytes, || bytes.len());
    for length in [1, 2, 3, 7] {
        let pieces = pieces::events(endpoint(), bytes, || length);
        assert_eq!(pieces, whole, "in pieces of {length}");
    }
    whole
}

#[test]
#[rustfmt::skip]
fn section_1_2_opening_handshakes_are_answered() {
    let table = [
        ("the sample nonce", "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("the key of many tutorials", "x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        ("unused bits set, as in §4.1", "AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
    ];
    let config = Config::default().subprotocols(["chat"]);
    for (name, key, accept) in table {
        let request = format!(
            "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nOrigin: http://example.com\r\n\
             Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let parsed = Head::parse(request.as_bytes(), 8192);
        let Ok(Progress::Done { value: head, .. }) = parsed else { panic!("{name}") };
        let mut out = Vec::new();
        ServerHandshake::from_head(&head, &config).expect(name).response(&mut out);
        let expected = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
        );
        assert_eq!(String::from_utf8(out).expect("ASCII"), expected, "{name}");
    }
}

#[test]
#[rustfmt::skip]
fn section_5_7_frames_are_decoded() {
    let text = "Text(\"Hello\")";
    let ping = "Ping([72, 101, 108, 108, 111])";
    let pong = "Pong([72, 101, 108, 108, 111])";
    let table: &[(&str, bool, &[u8], &str)] = &[
        ("unmasked text", true, b"\x81\x05Hello", text),
        ("masked text", false, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", text),
        ("a fragmented message", true, b"\x01\x03Hel\x80\x02lo", text),
        ("an unmasked ping", true, b"\x89\x05Hello", ping),
        ("a masked pong", false, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", pong),
    ];
    for (name, is_client, bytes, expected) in table {
        assert_eq!(events(*is_client, bytes), [*expected], "{name}");
    }
}

#[test]
fn section_5_7_frames_are_encoded() {
    let encoded = |encode: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        encode(&mut out);
        out
    };
    let unmasked = encoded(&|out| encode_message(Opcode::Text, b"Hello", out));
    assert_eq!(unmasked, b"\x81\x05Hello");
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let masked = encoded(&|out| encode_masked_message(Opcode::Text, b"Hello", key, out));
    assert_eq!(masked, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(
        encoded(&|out| encode_message(Opcode::Pong, b"Hello", out)),
        b"\x8a\x05Hello"
    );
    let headers = [
        (&b"\x82\x7E\x01\x00"[..], 256),
        (b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 65_536),
    ];
    for (header, length) in headers {
        let payload = vec![0xAB; length];
        let frame = [header, &payload].concat();
        let encoded = encoded(&|out| encode_message(Opcode::Binary, &payload, out));
        assert_eq!(encoded, frame);
        assert_eq!(events(true, &frame), [format!("Binary({payload:?})")]);
    }
}

#[test]
fn section_7_1_closing_handshake_ends_both_sides() {
    let (mut server, mut client) = (WebSocket::server(100), WebSocket::client(100, || [9; 4]));
    let (mut to_client, mut to_server, mut more) = (Vec::new(), Vec::new(), Vec::new());
    let mut scratch = Scratch::default();
    let going_away = |reason| CloseFrame::new(CloseCode::GOING_AWAY, reason);
    server.close(going_away("bye"), &mut to_client);
    let received = client.receive(&mut to_client, &mut scratch, &mut to_server);
    let event = Event::Close(going_away("bye"));
    let (value, used) = (event, 7);
    assert_eq!(received, Ok(Progress::Done { value, used }));
    assert!(client.is_closed() && !server.is_closed());
    let received = server.receive(&mut to_server, &mut scratch, &mut more);
    let event = Event::Close(going_away(""));
    let (value, used) = (event, 8);
    assert_eq!(received, Ok(Progress::Done { value, used }));
    assert!(server.is_closed() && more.is_empty());
}
