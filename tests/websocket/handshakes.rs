//! Opening handshakes (RFC 6455 §4.2.1), accepted and refused.

use parlor::http::{Head, Refusal};
use parlor::progress::Progress;
use parlor::websocket::{Compression, Config, ServerHandshake};

const HEADERS: [&str; 5] = [
    "Host: a",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// Checks a good handshake after the lines of one header are replaced by others.
pub fn judge(
    request_line: &str,
    replaced: &str,
    lines: &[&str],
) -> Result<ServerHandshake, Refusal> {
    let config = Config::default()
        .subprotocols(["chat"])
        .compression(Compression::EachMessage);
    let kept = HEADERS
        .iter()
        .filter(|line| line.split(':').next() != Some(replaced));
    let headers: Vec<&str> = kept.chain(lines).copied().collect();
    let request = format!("{request_line}\r\n{}\r\n\r\n", headers.join("\r\n"));
    match Head::parse(request.as_bytes(), 8192) {
        Ok(Progress::Done { value: head, .. }) => ServerHandshake::from_head(&head, &config),
        other => panic!("{request:?} is {other:?}"),
    }
}

/// Returns the value of a header in the 101.
pub fn answer(upgrade: &ServerHandshake, name: &str) -> Option<String> {
    let mut response = Vec::new();
    upgrade.response(&mut response);
    let response = String::from_utf8(response).expect("ASCII");
    let value = response
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.map(str::to_owned)
}

#[test]
#[rustfmt::skip]
fn accepted_with_a_subprotocol_or_none() {
    let table: &[(&str, &str, &[&str], Option<&str>)] = &[
        ("the smallest", "", &[], None),
        ("tokens in any case", "Upgrade", &["upgrade: WebSocket"], None),
        ("Firefox", "Connection", &["Connection: keep-alive, UPGRADE"], None),
        ("two lists", "Connection", &["Connection: keep-alive", "connection: upgrade"], None),
        ("a choice of protocols", "Upgrade", &["Upgrade: h2c, websocket"], None),
        ("a subprotocol", "", &["Sec-WebSocket-Protocol: chat"], Some("chat")),
        ("a list of subprotocols", "", &["Sec-WebSocket-Protocol: a,chat ,b"], Some("chat")),
        ("a second header", "",
            &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: chat"], Some("chat")),
        ("an unknown subprotocol", "", &["Sec-WebSocket-Protocol: superchat"], None),
        ("another case", "", &["Sec-WebSocket-Protocol: Chat"], None),
        ("an unknown extension", "", &["Sec-WebSocket-Extensions: x-y; z=1"], None),
    ];
    for (name, replaced, lines, subprotocol) in table {
        let upgrade = judge("GET /chat HTTP/1.1", replaced, lines).expect(name);
        assert_eq!(upgrade.accepted.subprotocol.as_deref(), *subprotocol, "{name}");
        assert_eq!(answer(&upgrade, "Sec-WebSocket-Protocol").as_deref(), *subprotocol, "{name}");
    }
}

#[test]
fn compression_is_negotiated_if_it_is_built_in() {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let upgrade = judge("GET /chat HTTP/1.1", "", &[offer]).expect("a good handshake");
    let has_answer = answer(&upgrade, "Sec-WebSocket-Extensions").is_some();
    assert_eq!(
        upgrade.accepted.deflate.is_some(),
        cfg!(feature = "deflate")
    );
    assert_eq!(has_answer, cfg!(feature = "deflate"));
}

#[test]
#[rustfmt::skip]
fn refused_with_a_status_and_the_name_of_the_header() {
    const VERSION: &str = "Sec-WebSocket-Version";
    let get = "GET /chat HTTP/1.1";
    let table: &[(&str, &str, &str, &[&str], u16)] = &[
        ("no Upgrade", get, "Upgrade", &[], 426),
        ("another protocol", get, "Upgrade", &["Upgrade: websockets"], 426),
        ("no Connection", get, "Connection", &[], 426),
        ("another option", get, "Connection", &["Connection: close"], 426),
        ("no version", get, VERSION, &[], 426),
        ("an old version", get, VERSION, &["Sec-WebSocket-Version: 8"], 426),
        ("a list of versions", get, VERSION, &["Sec-WebSocket-Version: 13, 8"], 426),
        ("a leading zero", get, VERSION, &["Sec-WebSocket-Version: 013"], 426),
        ("the version twice", get, VERSION, &[HEADERS[4], HEADERS[4]], 400),
        ("POST", "POST /chat HTTP/1.1", "GET", &[], 405),
        ("HTTP/1.0", "GET /chat HTTP/1.0", "HTTP/1.1", &[], 400),
    ];
    for (name, line, replaced, lines, status) in table {
        let refusal = judge(line, replaced, lines).expect_err(name);
        assert_eq!((refusal.status, refusal.closes), (*status, true), "{name}");
        assert!(refusal.sentence.contains(replaced), "{name}: {}", refusal.sentence);
    }
    let keys: &[(&str, &[&str])] = &[
        ("none", &[]),
        ("two", &[HEADERS[3], HEADERS[3]]),
        ("an empty one", &["Sec-WebSocket-Key:"]),
        ("15 bytes", &["Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1"]),
        ("17 bytes", &["Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Njc="]),
        ("no padding", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"]),
        ("a character outside base64", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q=="]),
        ("base64 for URLs", &["Sec-WebSocket-Key: __8BAgMEBQYHCAkKCwwNDg=="]),
        ("white space inside", &["Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ=="]),
    ];
    for (name, lines) in keys {
        let refusal = judge(get, "Sec-WebSocket-Key", lines).expect_err(name);
        assert_eq!((refusal.status, refusal.closes), (400, true), "{name}");
        assert!(refusal.sentence.contains("Sec-WebSocket-Key"), "{name}: {}", refusal.sentence);
    }
}
