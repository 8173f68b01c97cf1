//! WebSocket on real sockets: the handshake, frames, closes. The rules are in tests/websocket.

use serde_json::Value;

use crate::harness::{Raw, Server, Wire, eventually, frame, header, rows};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The example that many tutorials print. The whole answer, but for `Date`.
#[test]
fn handshake_of_the_tutorials_is_answered() {
    let server = Server::start(&[]);
    let host = server.address;
    let response = server.request(format!(
        "GET /chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nOrigin: http://{host}\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ));
    let date = format!("Date: {}\r\n", response.header("date").unwrap());
    assert_eq!(
        response.head.replace(&date, ""),
        "HTTP/1.1 101 Switching Protocols\r\nX-Content-Type-Options: nosniff\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
}

/// A client that did not wait for the answer means frames by what follows, or a body. A server that
/// answers it as requests can be used for request smuggling.
#[test]
fn refused_upgrade_closes_and_what_follows_is_discarded() {
    let server = Server::start(&[]);
    let usual = Wire::handshake("/chat");
    let table = "
        a wrong key         | dGhlIHNhbXBsZSBub25jZQ== | xyzzy                                | 400
        another version     | 13                       | 8                                    | 426
        another host's page | Upgrade: w               | Origin: http://xyzzy\\r\\nUpgrade: w  | 403
        a body              | Upgrade: w               | Content-Length: 51\\r\\nUpgrade: w    | 400
        HTTP/1.0            | HTTP/1.1                 | HTTP/1.0                             | 400
        no Connection       | Connection:              | X-Other:                             | 426
        another method      | GET                      | POST                                 | 405
        another path        | /chat                    | /xyzzy                               | 404";
    let message = frame(0x81, "/nick xyzzy");
    for [name, part, change, status] in rows(table) {
        for behind in [HEALTH.as_bytes(), usual.as_bytes(), &message] {
            let mut raw = server.raw();
            raw.send([usual.replace(&part, &change).as_bytes(), behind].concat());
            let response = raw.response();
            response.assert_refusal(&name, &[status.parse().unwrap()]);
            let version = response.header("sec-websocket-version");
            assert_eq!(version, (status == "426").then_some("13"), "{name}");
            raw.assert_ended(&name);
        }
    }
    for path in ["/", "/healthz"] {
        let mut raw = server.raw();
        raw.send(Wire::handshake(path) + HEALTH);
        assert_eq!(raw.response().status, 200, "{path} has no WebSocket");
        raw.assert_ended(path);
    }
}

#[test]
fn requests_before_and_frames_after_a_handshake_are_answered() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let before = [HEALTH, "GET /xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
    let requests = before + &Wire::handshake("/chat");
    let frames = [frame(0x81, "/nick Ada"), frame(0x81, "/join general")];
    raw.send([requests.as_bytes(), &frames.concat()].concat());
    for status in [200, 404, 101] {
        assert_eq!(raw.response().status, status);
    }
    let mut wire = Wire { raw };
    for expected in ["welcome", "joined"] {
        let event: Value = serde_json::from_slice(&wire.message(expected).1).unwrap();
        assert_eq!(event["type"], expected);
    }
    let mut raw = server.raw();
    raw.send(Wire::handshake("/echo") + HEALTH);
    assert_eq!(raw.response().status, 101);
    Wire { raw }.assert_failed("a request instead of a frame", 1002);
}

#[test]
fn conversation_byte_by_byte_is_the_same() {
    let server = Server::start(&[]);
    let long = vec![b'x'; 300];
    let frames = [
        frame(0x81, "text"),
        frame(0x01, "ä"),
        frame(0x89, "ping"),
        frame(0x80, "ö"),
        frame(0x82, &long),
        frame(0x88, b"\x03\xe8bye"),
    ];
    let bytes = [Wire::handshake("/echo").as_bytes(), &frames.concat()].concat();
    for slowly in [false, true] {
        let mut raw = server.raw();
        if slowly {
            raw.send_slowly(&bytes);
        } else {
            raw.send(&bytes);
        }
        assert_eq!(raw.response().status, 101);
        let mut wire = Wire { raw };
        assert_eq!(wire.message("text"), (1, b"text".to_vec()));
        assert_eq!(wire.frame("pong").payload, b"ping");
        assert_eq!(wire.message("fragments"), (1, "äö".as_bytes().to_vec()));
        assert_eq!(wire.message("binary"), (2, long.clone()));
        assert_eq!(wire.close_code("close"), Some(1000));
        wire.raw.assert_ended("after the closing handshake");
    }
}

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

#[test]
fn close_codes_are_returned() {
    let server = Server::start(&[]);
    for path in ["/echo", "/chat"] {
        for code in [1000u16, 1001, 1014, 3000, 4999] {
            let mut wire = server.open(path);
            let payload = [&code.to_be_bytes()[..], &[b'r'; 123]].concat();
            wire.send(frame(0x88, payload));
            assert_eq!(wire.close_code(path), Some(code), "{path}");
            wire.raw.assert_ended("after the closing handshake");
        }
        let mut wire = server.open(path);
        wire.send(frame(0x88, ""));
        assert_eq!(wire.close_code(path), None, "{path}");
    }
}

/// One row for each close code. Each row has a message behind it, which is not answered.
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

#[test]
fn vanished_clients_leave_nothing_behind() {
    let server = Server::start(&[]);
    let mut other = server.open("/echo");
    for bytes in [vec![], vec![0x81], frame(0x01, "half"), frame(0x81, "x")] {
        server.open("/echo").send(bytes);
        other.text("still there");
        assert_eq!(other.message("the other").1, b"still there");
    }
    eventually("one is open", || server.metric("parlor_connections") == 1.0);
}

#[test]
fn client_of_another_library_is_served() {
    use tungstenite::{Message, client};
    let server = Server::start(&[]);
    let connect = |path: &str| {
        let Raw { stream, .. } = server.raw();
        let url = format!("ws://{}{path}", server.address);
        client(url, stream).unwrap().0
    };
    let mut echo = connect("/echo");
    for message in [Message::text(""), Message::binary(vec![7; 70_000])] {
        echo.send(message.clone()).unwrap();
        assert_eq!(echo.read().unwrap(), message);
    }
    echo.close(None).unwrap();
    assert_eq!(echo.read().unwrap(), Message::Close(None));
    assert!(echo.read().is_err(), "closed");
    let mut chat = connect("/chat");
    for line in ["/nick Ada", "/join general", "hello"] {
        chat.send(Message::text(line)).unwrap();
    }
    loop {
        let event: Value = serde_json::from_str(chat.read().unwrap().to_text().unwrap()).unwrap();
        if event["type"] == "message" {
            assert_eq!(event["from"], "Ada");
            break;
        }
    }
}
