//! Opening handshakes, good and bad (RFC 6455 §4.2.1).

use parlor::http::{Head, Refusal};
use parlor::progress::Progress;
use parlor::time::UnixMillis;
use parlor::websocket::{Upgrade, check};

pub fn judge(request_line: &str, headers: &str) -> Result<Upgrade, Refusal> {
    let request = format!("{request_line}\r\nHost: a\r\n{headers}\r\n");
    match Head::parse(request.as_bytes(), 8192) {
        Ok(Progress::Done { value: head, .. }) => check(&head),
        other => panic!("{request:?} is {other:?}"),
    }
}

pub const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
pub const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
pub const UPGRADE: &str = "Upgrade: websocket\r\n";
pub const CONNECTION: &str = "Connection: Upgrade\r\n";

#[test]
#[rustfmt::skip]
fn good_ones() {
    let table: &[(&str, &[&str], Option<&str>)] = &[
        ("as in the standard", &[UPGRADE, CONNECTION, KEY, VERSION], None),
        ("tokens in any case",
            &["upgrade: WebSocket\r\n", "CONNECTION: uPGRADE\r\n", KEY, VERSION], None),
        ("Firefox keeps alive",
            &[UPGRADE, "Connection: keep-alive, Upgrade\r\n", KEY, VERSION], None),
        ("lists in several headers",
            &[UPGRADE, "Connection: keep-alive\r\n", CONNECTION, KEY, VERSION], None),
        ("several protocols to choose from",
            &["Upgrade: h2c, websocket\r\n", CONNECTION, KEY, VERSION], None),
        ("a subprotocol",
            &[UPGRADE, CONNECTION, KEY, VERSION, "Sec-WebSocket-Protocol: chat\r\n"], Some("chat")),
        (
            "among others",
            &[
                UPGRADE,
                CONNECTION,
                KEY,
                VERSION,
                "Sec-WebSocket-Protocol: a,chat ,b\r\n",
            ],
            Some("chat"),
        ),
        (
            "in a second header",
            &[
                UPGRADE,
                CONNECTION,
                KEY,
                VERSION,
                "Sec-WebSocket-Protocol: a\r\n",
                "Sec-WebSocket-Protocol: chat\r\n",
            ],
            Some("chat"),
        ),
        ("one that is not known",
            &[UPGRADE, CONNECTION, KEY, VERSION, "Sec-WebSocket-Protocol: superchat\r\n"], None),
        ("subprotocols have a case",
            &[UPGRADE, CONNECTION, KEY, VERSION, "Sec-WebSocket-Protocol: Chat\r\n"], None),
        ("an extension that nobody speaks",
            &[UPGRADE, CONNECTION, KEY, VERSION, "Sec-WebSocket-Extensions: x-y; z=1\r\n"], None),
    ];
    for (name, headers, subprotocol) in table {
        let upgrade = judge("GET /chat HTTP/1.1", &headers.concat())
            .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(upgrade.subprotocol(), *subprotocol, "{name}");
    }
}

#[test]
fn compression_is_agreed_on_where_it_is_built_in() {
    let headers = [
        UPGRADE,
        CONNECTION,
        KEY,
        VERSION,
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    ];
    let upgrade = judge("GET /chat HTTP/1.1", &headers.concat()).expect("a good handshake");
    let mut response = Vec::new();
    upgrade.response(UnixMillis(0), &mut response);
    let answers = String::from_utf8(response)
        .expect("ASCII")
        .contains("Sec-WebSocket-Extensions: permessage-deflate; ");
    assert_eq!(
        (upgrade.deflate().is_some(), answers),
        (cfg!(feature = "deflate"), cfg!(feature = "deflate"))
    );
}

#[test]
#[rustfmt::skip]
fn bad_ones() {
    let get = "GET /chat HTTP/1.1";
    let key = |key: &str| format!("Sec-WebSocket-Key: {key}\r\n");
    let table: &[(&str, &str, Vec<&str>, u16, &str)] = &[
        ("no Upgrade", get, vec![CONNECTION, KEY, VERSION], 426, "Upgrade"),
        ("another protocol",
            get, vec!["Upgrade: websockets\r\n", CONNECTION, KEY, VERSION], 426, "Upgrade"),
        ("no Connection", get, vec![UPGRADE, KEY, VERSION], 426, "Connection"),
        ("Connection names another",
            get, vec![UPGRADE, "Connection: close\r\n", KEY, VERSION], 426, "Connection"),
        ("another method",
            "POST /chat HTTP/1.1", vec![UPGRADE, CONNECTION, KEY, VERSION], 405, "GET"),
        ("HTTP/1.0",
            "GET /chat HTTP/1.0", vec![UPGRADE, CONNECTION, KEY, VERSION], 400, "HTTP/1.1"),
        ("no version", get, vec![UPGRADE, CONNECTION, KEY], 426, "Sec-WebSocket-Version"),
        (
            "an old version",
            get,
            vec![UPGRADE, CONNECTION, KEY, "Sec-WebSocket-Version: 8\r\n"],
            426,
            "Sec-WebSocket-Version",
        ),
        (
            "two in one",
            get,
            vec![UPGRADE, CONNECTION, KEY, "Sec-WebSocket-Version: 13, 8\r\n"],
            426,
            "Sec-WebSocket-Version",
        ),
        (
            "013",
            get,
            vec![UPGRADE, CONNECTION, KEY, "Sec-WebSocket-Version: 013\r\n"],
            426,
            "Sec-WebSocket-Version",
        ),
        ("the version twice",
            get, vec![UPGRADE, CONNECTION, KEY, VERSION, VERSION], 400, "Sec-WebSocket-Version"),
        ("no key", get, vec![UPGRADE, CONNECTION, VERSION], 400, "Sec-WebSocket-Key"),
        ("the key twice",
            get, vec![UPGRADE, CONNECTION, KEY, KEY, VERSION], 400, "Sec-WebSocket-Key"),
        (
            "an empty key",
            get,
            vec![UPGRADE, CONNECTION, "Sec-WebSocket-Key:\r\n", VERSION],
            400,
            "Sec-WebSocket-Key",
        ),
    ];
    let keys = [
        ("15 bytes", key("MTIzNDU2Nzg5MDEyMzQ1")),
        ("17 bytes", key("MTIzNDU2Nzg5MDEyMzQ1Njc=")),
        ("no padding", key("dGhlIHNhbXBsZSBub25jZQ")),
        ("no base64", key("dGhlIHNhbXBsZSBub25j*Q==")),
        ("the alphabet of addresses", key("__8BAgMEBQYHCAkKCwwNDg==")),
        ("a list", key("dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==")),
        ("white space inside", key("dGhlIHNhbXBs ZSBub25jZQ==")),
    ];
    let keys = keys.iter().map(|(name, key)| {
        (
            *name,
            get,
            vec![UPGRADE, CONNECTION, key.as_str(), VERSION],
            400,
            "Sec-WebSocket-Key",
        )
    });
    for (name, request_line, headers, status, names) in table.iter().cloned().chain(keys) {
        let refusal = judge(request_line, &headers.concat()).expect_err(name);
        assert_eq!(
            (refusal.status, refusal.closes),
            (status, true),
            "{name}: {refusal:?}"
        );
        assert!(
            refusal.sentence.contains(names),
            "{name}: {:?} says what is wrong",
            refusal.sentence
        );
    }
}
