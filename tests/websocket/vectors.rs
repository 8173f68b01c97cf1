//! The examples that RFC 6455 prints, named after their sections, run both ways.

use parlor::http::Head;
use parlor::progress::Progress;
use parlor::time::UnixMillis;
use parlor::websocket::{
    CloseCode, CloseFrame, Event, Received, Scratch, WebSocket, accept, check,
};
use parlor::websocket::{Opcode, encode_masked_message, encode_message, pong};

/// What an endpoint makes of these bytes, whole and in every other number of pieces.
fn events(client: bool, bytes: &[u8]) -> Vec<String> {
    let all = |piece_length: usize| {
        let mut websocket = if client {
            WebSocket::client(1 << 20, || [1, 2, 3, 4])
        } else {
            WebSocket::server(1 << 20)
        };
        let (mut seen, mut scratch) = (Vec::new(), Scratch::default());
        for piece in bytes.to_vec().chunks_mut(piece_length) {
            let mut rest = piece;
            loop {
                match websocket
                    .receive(rest, &mut scratch, &mut Vec::new())
                    .expect("the standard's own example")
                {
                    Received::Nothing => break,
                    Received::Event { event, used } => {
                        seen.push(format!("{event:?}"));
                        rest = &mut rest[used..];
                    }
                }
            }
        }
        assert!(
            !websocket.in_progress() && websocket.held_bytes() == 0,
            "nothing is left over"
        );
        seen
    };
    let whole = all(bytes.len());
    for piece_length in [1, 2, 3, 7] {
        assert_eq!(all(piece_length), whole, "in pieces of {piece_length}");
    }
    whole
}

fn answer(request: &[u8]) -> String {
    let Ok(Progress::Done { value: head, used }) = Head::parse(request, 8192) else {
        panic!("a whole request")
    };
    assert_eq!(used, request.len());
    let mut out = Vec::new();
    check(&head)
        .expect("a good handshake")
        .response(UnixMillis(784_111_777_000), &mut out);
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn section_1_2_the_opening_handshake() {
    let request = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert_eq!(
        answer(request),
        "HTTP/1.1 101 Switching Protocols\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Content-Type-Options: nosniff\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
}

#[test]
fn the_handshake_that_many_tutorials_print() {
    let request = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\r\n";
    assert_eq!(
        answer(request),
        "HTTP/1.1 101 Switching Protocols\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Content-Type-Options: nosniff\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
}

#[test]
fn section_1_3_the_accept_key() {
    assert_eq!(
        accept("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[test]
fn section_4_1_the_key_whose_last_bits_are_set() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert!(answer(request).contains("Sec-WebSocket-Accept: "));
}

#[test]
fn section_5_7_a_single_frame() {
    let unmasked = b"\x81\x05Hello";
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(events(true, unmasked), ["Text(\"Hello\")"]);
    assert_eq!(events(false, masked), ["Text(\"Hello\")"]);
    let (mut as_server, mut as_client) = (Vec::new(), Vec::new());
    encode_message(Opcode::Text, b"Hello", &mut as_server);
    encode_masked_message(
        Opcode::Text,
        b"Hello",
        [0x37, 0xfa, 0x21, 0x3d],
        &mut as_client,
    );
    assert_eq!(
        (as_server.as_slice(), as_client.as_slice()),
        (&unmasked[..], &masked[..])
    );
}

#[test]
fn section_5_7_a_fragmented_message() {
    assert_eq!(events(true, b"\x01\x03Hel\x80\x02lo"), ["Text(\"Hello\")"]);
}

#[test]
fn section_5_7_ping_and_its_answer() {
    assert_eq!(
        events(true, b"\x89\x05Hello"),
        ["Ping([72, 101, 108, 108, 111])"]
    );
    assert_eq!(
        events(false, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
        ["Pong([72, 101, 108, 108, 111])"]
    );
    let mut out = Vec::new();
    pong(b"Hello", &mut out);
    assert_eq!(out, b"\x8a\x05Hello");
}

#[test]
fn section_5_7_256_bytes_and_64_kibibytes() {
    for (header, length) in [
        (&b"\x82\x7E\x01\x00"[..], 256),
        (b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 65_536),
    ] {
        let payload = vec![0xAB; length];
        let frame = [header, &payload].concat();
        assert_eq!(events(true, &frame), [format!("Binary({payload:?})")]);
        let mut out = Vec::new();
        encode_message(Opcode::Binary, &payload, &mut out);
        assert_eq!(out, frame);
    }
}

#[test]
fn section_7_1_the_closing_handshake_from_either_side() {
    let (mut server, mut client) = (
        WebSocket::server(100),
        WebSocket::client(100, || [9, 8, 7, 6]),
    );
    let (mut to_client, mut to_server, mut to_nobody) = (Vec::new(), Vec::new(), Vec::new());
    let (mut of_client, mut of_server) = (Scratch::default(), Scratch::default());
    server.close(
        CloseFrame::new(CloseCode::GOING_AWAY, "bye"),
        &mut to_client,
    );
    let closes = |reason| {
        Event::Close(CloseFrame {
            code: Some(CloseCode::GOING_AWAY),
            reason,
        })
    };
    let received = client.receive(&mut to_client, &mut of_client, &mut to_server);
    assert_eq!(
        received,
        Ok(Received::Event {
            event: closes("bye"),
            used: 7
        })
    );
    assert!(client.is_closed() && !server.is_closed());
    let received = server.receive(&mut to_server, &mut of_server, &mut to_nobody);
    assert_eq!(
        received,
        Ok(Received::Event {
            event: closes(""),
            used: 8
        })
    );
    assert!(
        server.is_closed() && to_nobody.is_empty(),
        "an answer is not answered"
    );
}
