//! The client's half of the opening handshake (RFC 6455 §4.1): the request, and the rules for the
//! response.
//!
//! A client sends a random key, and accepts only a response that was computed from it. See
//! [`WebSocket::client`](super::WebSocket::client) for the frames.

use super::handshake::{BASE64, Requirement, accept};
use crate::http::ResponseHead;
use base64::Engine;

/// Returns the value of `Sec-WebSocket-Key` (§4.1, 7): 16 random bytes, new for each connection, in
/// base64.
///
/// ```
/// let key = parlor::websocket::client::key(*b"the sample nonce");
/// assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
/// ```
pub fn key(nonce: [u8; 16]) -> String {
    BASE64.encode(nonce)
}

/// Appends the request (§4.1). `host` is the host and port of the address, `target` the path with
/// its query. Neither may contain white space or control characters.
pub fn request(host: &str, target: &str, key: &str, subprotocol: Option<&str>, out: &mut Vec<u8>) {
    let subprotocol = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    let lines = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{}\r\n",
        subprotocol.unwrap_or_default()
    );
    out.extend_from_slice(lines.as_bytes());
}

/// The parts of a request that its response depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The value of `Sec-WebSocket-Key`.
    pub key: &'a str,
    /// The subprotocols that were offered.
    pub subprotocols: &'a [&'a str],
    /// The names of the offered extensions.
    pub extensions: &'a [&'a str],
}

/// Checks a response against one rule; an error is one sentence.
pub type JudgeResponse = fn(&ResponseHead<'_>, &Asked<'_>) -> Result<(), &'static str>;

/// The requirements of §4.1 for a response, in the order of the checks.
pub const REQUIREMENTS: &[Requirement<JudgeResponse>] = &[
    Requirement::new("status", "RFC 6455 §4.1", |head, _| match head.status() {
        101 => Ok(()),
        _ => Err("the server did not switch protocols: the status must be 101"),
    }),
    Requirement::new("Upgrade", "RFC 6455 §4.1", |head, _| {
        match head.tokens("upgrade").collect::<Vec<_>>()[..] {
            [protocol] if protocol.eq_ignore_ascii_case("websocket") => Ok(()),
            _ => Err("the Upgrade header of the response must be websocket"),
        }
    }),
    Requirement::new("Connection", "RFC 6455 §4.1", |head, _| {
        match head.has_token("connection", "upgrade") {
            true => Ok(()),
            false => Err("the Connection header of the response must contain Upgrade"),
        }
    }),
    Requirement::new(
        "Sec-WebSocket-Accept",
        "RFC 6455 §4.1, §4.2.2",
        |head, asked| {
            let mut values = head.values("sec-websocket-accept");
            match (values.next(), values.next()) {
                (Some(value), None) if value == accept(asked.key).as_bytes() => Ok(()),
                (Some(_), None) => Err("Sec-WebSocket-Accept doesn't match this request's key"),
                (Some(_), Some(_)) => Err("Sec-WebSocket-Accept appears more than once"),
                (None, _) => Err("the response has no Sec-WebSocket-Accept header"),
            }
        },
    ),
    Requirement::new(
        "Sec-WebSocket-Protocol",
        "RFC 6455 §4.1",
        |head, asked| match head.tokens("sec-websocket-protocol").collect::<Vec<_>>()[..] {
            [] => Ok(()),
            [one] if asked.subprotocols.contains(&one) => Ok(()),
            [_] => Err("the server chose a subprotocol that was not offered"),
            _ => Err("the server must choose one subprotocol"),
        },
    ),
    Requirement::new(
        "Sec-WebSocket-Extensions",
        "RFC 6455 §4.1, §9.1",
        |head, asked| {
            let mut names = head
                .tokens("sec-websocket-extensions")
                .map(|token| token.split(';').next().unwrap_or_default().trim());
            match names.all(|name| asked.extensions.contains(&name)) {
                true => Ok(()),
                false => Err("the server chose an extension that was not offered"),
            }
        },
    ),
];

/// Checks the server's response. An error is the first broken rule: one sentence with its section.
///
/// ```
/// use parlor::{http::ResponseHead, progress::Progress};
/// use parlor::websocket::client::{Asked, check_response};
/// let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// let parsed = ResponseHead::parse(answer, 8192);
/// let Ok(Progress::Done { value: head, .. }) = parsed else { panic!() };
/// let key = "dGhlIHNhbXBsZSBub25jZQ==";
/// let asked = Asked { key, subprotocols: &["chat"], extensions: &[] };
/// assert_eq!(check_response(&head, &asked), Ok(()));
/// assert!(check_response(&head, &Asked { key: "another", ..asked }).is_err());
/// ```
pub fn check_response(head: &ResponseHead<'_>, asked: &Asked<'_>) -> Result<(), String> {
    REQUIREMENTS.iter().try_for_each(|rule| {
        (rule.judge)(head, asked).map_err(|sentence| format!("{sentence} ({})", rule.section))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    #[test]
    #[rustfmt::skip]
    fn responses_are_checked_against_section_4_1() {
        const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let good = ["101 x", "Upgrade: websocket", "Connection: Upgrade", ACCEPT];
        // A line of the good response, what it is replaced by, and a part of the error.
        let table: &[(usize, &[&str], Option<&str>)] = &[
            (1, &["UPGRADE: WebSocket"], None),
            (2, &["connection: keep-alive, UPGRADE"], None),
            (3, &[ACCEPT, "Sec-WebSocket-Protocol: chat"], None),
            (3, &[ACCEPT, "Sec-WebSocket-Extensions: a; b=1"], None),
            (0, &["200 OK"], Some("101")),
            (1, &[], Some("Upgrade")),
            (1, &["Upgrade: h2c"], Some("Upgrade")),
            (2, &[], Some("Connection")),
            (3, &[], Some("no Sec-WebSocket-Accept")),
            (3, &[ACCEPT, ACCEPT], Some("more than once")),
            (3, &["Sec-WebSocket-Accept: x"], Some("match this")),
            (3, &[ACCEPT, "Sec-WebSocket-Protocol: soap"], Some("not offered")),
            (3, &[ACCEPT, "Sec-WebSocket-Protocol: chat, a"], Some("one subprotocol")),
            (3, &[ACCEPT, "Sec-WebSocket-Extensions: c"], Some("extension")),
        ];
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let asked = Asked { key, subprotocols: &["a", "chat"], extensions: &["a"] };
        for (at, lines, wrong) in table {
            let lines = [&good[..*at], lines, &good[at + 1..]].concat().join("\r\n");
            let bytes = format!("HTTP/1.1 {lines}\r\n\r\n");
            let parsed = ResponseHead::parse(bytes.as_bytes(), 8192);
            let Ok(Progress::Done { value: head, .. }) = parsed else { panic!("{bytes}") };
            match (check_response(&head, &asked), wrong) {
                (Ok(()), None) => {}
                (Err(sentence), Some(part)) => assert!(
                    sentence.contains(part) && sentence.contains("RFC 6455 §4"), "{sentence}"),
                other => panic!("{bytes}: {other:?}"),
            }
        }
    }

    #[test]
    fn request_is_accepted_by_the_server() {
        let mut bytes = Vec::new();
        request(
            "localhost:8080",
            "/chat?x",
            &key([7; 16]),
            Some("chat"),
            &mut bytes,
        );
        let parsed = crate::http::Head::parse(&bytes, 8192);
        let Ok(Progress::Done { value: head, .. }) = parsed else {
            panic!()
        };
        let target = (head.host, head.path, head.query);
        assert_eq!(target, ("localhost:8080", "/chat", Some("x")));
        let upgrade = crate::websocket::check(&head).expect("a good handshake");
        assert_eq!(upgrade.subprotocol(), Some("chat"));
    }
}
