//! The opening handshake (RFC 6455 §4), as tables: what is accepted, what is refused, and with
//! which answer.
//!
//! Not here: who may come by `Origin` (`origins`).

use base64::prelude::*;
use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::harness::{Person, Response, Server, Wire, frame};

/// RFC 6455 §1.3.
fn accept(key: &str) -> String {
    BASE64_STANDARD.encode(Sha1::digest(format!(
        "{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    )))
}

const KEY: (&str, &str) = ("Sec-WebSocket-Key", Wire::KEY);
const USUAL: [(&str, &str); 5] = [
    ("Host", "localhost"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    KEY,
    ("Sec-WebSocket-Version", "13"),
];

/// The usual handshake with other values of the named headers: none removes it, several repeat it.
fn upgrade(path: &str, changes: &[(&str, &[&str])]) -> String {
    let mut text = format!("GET {path} HTTP/1.1\r\n");
    for (name, value) in USUAL {
        if changes.iter().all(|(changed, _)| *changed != name) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, values) in changes {
        for value in *values {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text + "\r\n"
}

fn ask(server: &Server, request: &str) -> (Response, crate::harness::Raw) {
    let mut raw = server.raw();
    raw.send(request);
    let response = raw.response();
    (response, raw)
}

/// The example that many tutorials print: the whole answer, byte by byte but for the clock's line.
#[test]
fn the_example_of_the_tutorials() {
    let server = Server::start(&[]);
    let host = format!("127.0.0.1:{}", server.port());
    let request = format!(
        "GET /chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Version: 13\r\nOrigin: http://{host}\r\n\r\n"
    );
    let (response, mut raw) = ask(&server, &request);
    let date = format!("Date: {}\r\n", response.header("date").unwrap());
    let rest = response
        .head
        .replace(&date, "")
        .replace("X-Content-Type-Options: nosniff\r\n", "");
    assert_eq!(
        rest,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
    assert_eq!(
        response.head.len(),
        rest.len() + date.len() + "X-Content-Type-Options: nosniff\r\n".len(),
        "both once"
    );
    raw.assert_silent(
        std::time::Duration::from_millis(100),
        "nothing follows until the client speaks",
    );
}

#[test]
fn the_example_of_section_1_3() {
    let server = Server::start(&[]);
    let request = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let (response, _) = ask(&server, request);
    assert_eq!(response.status, 101);
    assert_eq!(
        response.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(response.header("sec-websocket-protocol"), Some("chat"));
}

#[test]
fn handshakes_that_are_accepted() {
    let server = Server::start(&[]);
    type Changes = &'static [(&'static str, &'static [&'static str])];
    let table: &[(&str, Changes, Option<&str>)] = &[
        ("the usual one", &[], None),
        (
            "a list in Connection, as Firefox sends it",
            &[("Connection", &["keep-alive, Upgrade"])],
            None,
        ),
        (
            "two Connection headers",
            &[("Connection", &["keep-alive", "Upgrade"])],
            None,
        ),
        (
            "tokens in any case",
            &[("Connection", &["uPGRADE"]), ("Upgrade", &["WebSocket"])],
            None,
        ),
        (
            "empty elements of a list",
            &[("Connection", &[", Upgrade ,,"])],
            None,
        ),
        (
            "a list in Upgrade",
            &[("Upgrade", &["h2c, websocket"])],
            None,
        ),
        (
            "two Upgrade headers",
            &[("Upgrade", &["h2c", "websocket"])],
            None,
        ),
        (
            "white space around the key",
            &[("Sec-WebSocket-Key", &[" \t dGhlIHNhbXBsZSBub25jZQ== \t"])],
            None,
        ),
        (
            "header names in any case",
            &[
                ("Sec-WebSocket-Version", &[]),
                ("sEC-wEBSOCKET-vERSION", &["13"]),
            ],
            None,
        ),
        (
            "chat among others",
            &[("Sec-WebSocket-Protocol", &["superchat, chat"])],
            Some("chat"),
        ),
        (
            "chat in a second header",
            &[("Sec-WebSocket-Protocol", &["superchat", "chat"])],
            Some("chat"),
        ),
        (
            "chat without spaces",
            &[("Sec-WebSocket-Protocol", &["a,chat,b"])],
            Some("chat"),
        ),
        (
            "protocols that are unknown",
            &[("Sec-WebSocket-Protocol", &["superchat, soap"])],
            None,
        ),
        (
            "a protocol that only begins so",
            &[("Sec-WebSocket-Protocol", &["chatter"])],
            None,
        ),
        (
            "an unknown extension",
            &[("Sec-WebSocket-Extensions", &["x-unknown; a=1"])],
            None,
        ),
        (
            "an extension that is called as something of an object",
            &[(
                "Sec-WebSocket-Extensions",
                &["constructor, __proto__; toString"],
            )],
            None,
        ),
        (
            "many broken extensions",
            &[(
                "Sec-WebSocket-Extensions",
                &[",;=\"\\,,;; ; = x\"", "a;b;b;b=", "permessage-deflate;;"],
            )],
            None,
        ),
        (
            "a compression that can't be",
            &[(
                "Sec-WebSocket-Extensions",
                &["permessage-deflate; server_max_window_bits=99"],
            )],
            None,
        ),
        (
            "a compression with an unknown word",
            &[("Sec-WebSocket-Extensions", &["permessage-deflate; xyzzy"])],
            None,
        ),
        (
            "a length of 0, which is no body",
            &[("Content-Length", &["0"])],
            None,
        ),
        (
            "an expectation, and no body",
            &[("Expect", &["100-continue"])],
            None,
        ),
        (
            "headers that browsers add",
            &[
                ("User-Agent", &["x"]),
                ("Cookie", &["a=b"]),
                ("Pragma", &["no-cache"]),
            ],
            None,
        ),
    ];
    for path in ["/chat", "/echo"] {
        for (name, changes, protocol) in table {
            let (response, _) = ask(&server, &upgrade(path, changes));
            assert_eq!(response.status, 101, "{path}: {name}: {}", response.head);
            assert!(response.has_token("connection", "upgrade"), "{name}");
            assert_eq!(
                response
                    .header("upgrade")
                    .map(str::to_ascii_lowercase)
                    .as_deref(),
                Some("websocket"),
                "{name}"
            );
            assert_eq!(
                response.header("sec-websocket-accept"),
                Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                "{name}"
            );
            assert_eq!(response.header("sec-websocket-extensions"), None, "{name}");
            if path == "/chat" {
                assert_eq!(
                    response.header("sec-websocket-protocol"),
                    *protocol,
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn handshakes_that_are_refused() {
    let server = Server::start(&[]);
    type Changes = &'static [(&'static str, &'static [&'static str])];
    const KEY_NAME: &str = "Sec-WebSocket-Key";
    const VERSION: &str = "Sec-WebSocket-Version";
    let table: &[(&str, Changes, &[u16])] = &[
        ("no Upgrade", &[("Upgrade", &[])], &[426]),
        (
            "an Upgrade to something else",
            &[("Upgrade", &["h2c"])],
            &[426],
        ),
        (
            "an Upgrade that only begins so",
            &[("Upgrade", &["websockets"])],
            &[426],
        ),
        ("no Connection", &[("Connection", &[])], &[400, 426]),
        (
            "a Connection that doesn't name it",
            &[("Connection", &["keep-alive"])],
            &[400, 426],
        ),
        ("version 8", &[(VERSION, &["8"])], &[426]),
        ("version 0", &[(VERSION, &["0"])], &[426]),
        ("version 14", &[(VERSION, &["14"])], &[426]),
        ("no version", &[(VERSION, &[])], &[400, 426]),
        ("a list of versions", &[(VERSION, &["13, 8"])], &[400, 426]),
        ("version 13 twice", &[(VERSION, &["13", "13"])], &[400, 426]),
        (
            "a version that is no number",
            &[(VERSION, &["xyzzy"])],
            &[400, 426],
        ),
        ("version 013", &[(VERSION, &["013"])], &[400, 426]),
        ("no key", &[(KEY_NAME, &[])], &[400]),
        ("an empty key", &[(KEY_NAME, &[""])], &[400]),
        ("a key of 3 bytes", &[(KEY_NAME, &["AAAA"])], &[400]),
        (
            "a key of 15 bytes",
            &[(KEY_NAME, &["AAAAAAAAAAAAAAAAAAAA"])],
            &[400],
        ),
        (
            "a key of 17 bytes",
            &[(KEY_NAME, &["AAAAAAAAAAAAAAAAAAAAAAA="])],
            &[400],
        ),
        (
            "a key without its padding",
            &[(KEY_NAME, &["dGhlIHNhbXBsZSBub25jZQ"])],
            &[400],
        ),
        (
            "a key with half of its padding",
            &[(KEY_NAME, &["dGhlIHNhbXBsZSBub25jZQ="])],
            &[400],
        ),
        (
            "a key that is no base64",
            &[(KEY_NAME, &["xyzzy!!!XBsZSBub25jZQ=="])],
            &[400],
        ),
        (
            "a key with a space",
            &[(KEY_NAME, &["dGhlIHNhbXBs ZSBub25jZQ=="])],
            &[400],
        ),
        (
            "a key in the other alphabet",
            &[(KEY_NAME, &["-_-_-_-_-_-_-_-_-_-_-w=="])],
            &[400],
        ),
        (
            "two keys",
            &[(
                KEY_NAME,
                &["dGhlIHNhbXBsZSBub25jZQ==", "x3JJHMbDL1EzLkh9GBhXDw=="],
            )],
            &[400],
        ),
        (
            "two keys, the same",
            &[(
                KEY_NAME,
                &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
            )],
            &[400],
        ),
        ("a body", &[("Content-Length", &["5"])], &[400]),
        (
            "a body in chunks",
            &[("Transfer-Encoding", &["chunked"])],
            &[400],
        ),
        (
            "a body by both",
            &[
                ("Content-Length", &["0"]),
                ("Transfer-Encoding", &["chunked"]),
            ],
            &[400],
        ),
        (
            "a length that is misspelled",
            &[("Content-Length", &["+0"])],
            &[400],
        ),
        ("two lengths", &[("Content-Length", &["0", "0"])], &[400]),
        (
            "a body that waits to be asked for",
            &[("Expect", &["100-continue"]), ("Content-Length", &["5"])],
            &[400],
        ),
        ("no Host", &[("Host", &[])], &[400]),
    ];
    for path in ["/chat", "/echo"] {
        for (name, changes, statuses) in table {
            let (response, mut raw) = ask(&server, &upgrade(path, changes));
            response.assert_refusal(name, statuses);
            if response.status == 426 {
                assert!(
                    response.has_token("upgrade", "websocket"),
                    "{name}: {}",
                    response.head
                );
                assert!(
                    response.has_token("connection", "upgrade"),
                    "{name}: RFC 9110 §7.8: {}",
                    response.head
                );
                assert_eq!(
                    response.header("sec-websocket-version"),
                    Some("13"),
                    "{name}"
                );
            }
            // A request that asks for no WebSocket is a request like others, and its connection may
            // be kept.
            if !changes
                .iter()
                .any(|(header, _)| *header == "Upgrade" || *header == "Connection")
            {
                raw.assert_ended(name);
            }
        }
    }
}

#[test]
fn other_requests_that_want_a_websocket() {
    let server = Server::start(&[]);
    for (name, request, statuses) in [
        (
            "a plain GET",
            "GET /chat HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            vec![426],
        ),
        (
            "a POST",
            upgrade("/chat", &[]).replace("GET", "POST"),
            vec![405],
        ),
        (
            "a HEAD",
            upgrade("/chat", &[]).replace("GET", "HEAD"),
            vec![400, 405, 426],
        ),
        (
            "HTTP/1.0",
            upgrade("/chat", &[]).replace("HTTP/1.1", "HTTP/1.0"),
            vec![400, 426, 505],
        ),
        ("another path", upgrade("/xyzzy", &[]), vec![404]),
    ] {
        let mut raw = server.raw();
        raw.send(&request);
        let response = if name == "a HEAD" {
            raw.response_head()
        } else {
            raw.response()
        };
        assert!(
            statuses.contains(&response.status),
            "{name}: {}",
            response.head
        );
        if response.has_token("connection", "close") {
            raw.assert_ended(name);
        }
    }
    ask(&server, "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .0
        .assert_refusal("/echo without an upgrade", &[426]);
}

#[test]
fn frames_in_the_packet_of_the_handshake_are_not_lost() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(
        [
            Wire::handshake("/echo").as_bytes(),
            &frame(0x81, "first"),
            &frame(0x82, "second"),
            &frame(0x89, "ping"),
        ]
        .concat(),
    );
    assert_eq!(raw.response().status, 101);
    let mut wire = Wire { raw };
    assert_eq!(wire.message("first"), (1, b"first".to_vec()));
    assert_eq!(wire.message("second"), (2, b"second".to_vec()));
    assert_eq!(wire.frame("pong").opcode, 10);

    let mut raw = server.raw();
    let hello = frame(0x81, r#"{"type":"hello","name":"Ada","id":1}"#);
    raw.send(
        [
            Wire::handshake("/chat").as_bytes(),
            &hello,
            &frame(0x81, "/join general"),
        ]
        .concat(),
    );
    assert_eq!(raw.response().status, 101);
    let mut wire = Wire { raw };
    for expected in ["welcome", "joined"] {
        let event: Value = serde_json::from_slice(&wire.message(expected).1).unwrap();
        assert_eq!(event["type"], expected);
    }
}

#[test]
fn a_handshake_after_requests_on_the_same_connection() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw.send([Wire::handshake("/echo").as_bytes(), &frame(0x81, "hi")].concat());
    assert_eq!(raw.response().status, 200);
    assert_eq!(raw.response().status, 101);
    assert_eq!(Wire { raw }.message("hi"), (1, b"hi".to_vec()));
}

#[test]
fn requests_before_a_handshake_in_its_packet() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let before = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n";
    raw.send(
        [
            before.as_bytes(),
            Wire::handshake("/echo").as_bytes(),
            &frame(0x81, "hi"),
        ]
        .concat(),
    );
    for status in [200, 404, 101] {
        assert_eq!(raw.response().status, status);
    }
    assert_eq!(Wire { raw }.message("hi"), (1, b"hi".to_vec()));
}

/// Behind a handshake stand frames: a request there is a broken frame, and no second answer in HTTP
/// ever comes.
#[test]
fn a_request_behind_a_handshake_is_a_broken_frame() {
    let server = Server::start(&[]);
    for path in ["/chat", "/echo"] {
        for behind in [
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &Wire::handshake("/echo"),
            "\r\n",
        ] {
            let mut raw = server.raw();
            raw.send(Wire::handshake(path) + behind);
            assert_eq!(raw.response().status, 101);
            Wire { raw }.assert_failed(behind, 1002);
        }
    }
}

/// A client that did not wait for the answer means frames by what follows, or a body; a server that
/// reads it as requests can
/// be made to answer what nobody asked (request smuggling).
#[test]
fn what_stands_behind_a_refused_upgrade_is_never_answered() {
    let server = Server::start(&[]);
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = get.len().to_string();
    let usual = Wire::handshake("/chat");
    for (name, request, status) in [
        (
            "a key that is none",
            upgrade("/chat", &[("Sec-WebSocket-Key", &["xyzzy"])]),
            400,
        ),
        (
            "another version",
            upgrade("/chat", &[("Sec-WebSocket-Version", &["8"])]),
            426,
        ),
        (
            "a foreign page",
            upgrade("/chat", &[("Origin", &["http://xyzzy.example"])]),
            403,
        ),
        (
            "a body",
            upgrade("/chat", &[("Content-Length", &[&length])]),
            400,
        ),
        (
            "a body in chunks",
            upgrade("/chat", &[("Transfer-Encoding", &["chunked"])]),
            400,
        ),
        ("HTTP/1.0", usual.replace("HTTP/1.1", "HTTP/1.0"), 400),
        (
            "no Connection",
            upgrade("/chat", &[("Connection", &[])]),
            426,
        ),
        ("another method", usual.replace("GET", "POST"), 405),
        ("another path", upgrade("/xyzzy", &[]), 404),
    ] {
        for behind in [
            get.as_bytes(),
            usual.as_bytes(),
            &frame(0x81, "/nick xyzzy"),
        ] {
            let mut raw = server.raw();
            raw.send([request.as_bytes(), behind].concat());
            raw.response().assert_refusal(name, &[status]);
            raw.assert_ended(name);
        }
    }
    let mut raw = server.raw();
    raw.send(usual.replace("GET", "HEAD") + get);
    assert_eq!(raw.response_head().status, 426);
    raw.assert_ended("HEAD");
}

/// A client that shuts its sending side after what it said is still answered.
#[test]
fn a_half_closed_client_gets_its_echo() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    wire.send([frame(0x81, "the last word"), frame(0x82, vec![7; 100_000])].concat());
    wire.raw.half_close();
    assert_eq!(wire.message("text").1, b"the last word");
    assert_eq!(wire.message("binary").1.len(), 100_000);
    while let Ok(frame) = wire.try_frame() {
        assert_eq!(frame.opcode, 8, "a close at most");
    }
}

#[test]
fn a_handshake_byte_by_byte() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send_slowly(upgrade("/echo", &[(KEY.0, &["AQIDBAUGBwgJCgsMDQ4PEA=="])]));
    let response = raw.response();
    assert_eq!(
        response.header("sec-websocket-accept"),
        Some(accept("AQIDBAUGBwgJCgsMDQ4PEA==").as_str())
    );
}

#[test]
fn a_client_that_we_did_not_write() {
    use tungstenite::{Message, client};
    let server = Server::start(&[]);
    let connect = |path: &str| {
        let stream = server.raw().stream;
        client(format!("ws://{}{path}", server.address), stream)
            .expect("tungstenite is content with the handshake")
            .0
    };
    let mut echo = connect("/echo");
    for message in [
        Message::text("hi"),
        Message::text(""),
        Message::binary(vec![7; 70_000]),
        Message::text("ä".repeat(50_000)),
    ] {
        echo.send(message.clone()).unwrap();
        assert_eq!(echo.read().unwrap(), message);
    }
    echo.send(Message::Ping(vec![1, 2].into())).unwrap();
    assert_eq!(echo.read().unwrap(), Message::Pong(vec![1, 2].into()));
    echo.close(None).unwrap();
    assert_eq!(
        echo.read().unwrap(),
        Message::Close(None),
        "an empty close is answered with an empty one"
    );
    assert!(matches!(
        echo.read(),
        Err(tungstenite::Error::ConnectionClosed)
    ));

    let mut chat = connect("/chat");
    let mut other = Person::enter(&server, "Bob");
    other.join("general");
    for line in ["/nick Ada", "/join general", "hello, Bob"] {
        chat.send(Message::text(line)).unwrap();
    }
    let heard = other.take("message");
    assert_eq!(
        (&heard["from"], &heard["text"]),
        (&Value::from("Ada"), &Value::from("hello, Bob"))
    );
    loop {
        let event: Value = serde_json::from_str(chat.read().unwrap().to_text().unwrap()).unwrap();
        if event["type"] == "message" {
            assert_eq!(event, heard, "everybody gets the same");
            break;
        }
    }
}
