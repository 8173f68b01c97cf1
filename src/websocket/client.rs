//! The client's half of the opening handshake (RFC 6455 §4.1): the request, and the rules for the
//! response.
//!
//! A client sends a random key, and accepts only a response that was computed from it. See
//! [`WebSocket::client`](super::WebSocket::client) for the frames.

use super::config::{Accepted, Config, HandshakeError};
use super::deflate::{self, DeflateParameters};
use super::handshake::{BASE64, Requirement, accept, write_headers};
use crate::http::{Authority, Fields, ResponseHead};
use crate::progress::Progress;
use base64::Engine;

/// Returns the value of `Sec-WebSocket-Key` (§4.1, 7): 16 random bytes in base64, new for each
/// connection.
///
/// ```
/// let key = parlor::websocket::client::key(*b"the sample nonce");
/// assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
/// ```
pub fn key(nonce: [u8; 16]) -> String {
    BASE64.encode(nonce)
}

/// The client's side: a request, and the check of its response.
///
/// ```
/// use parlor::websocket::{ClientHandshake, Config, Progress};
/// let config = Config::default().header("Authorization", "Bearer secret")?;
/// // The nonce must be random, and so must be the masking keys.
/// let nonce = *b"the sample nonce";
/// let handshake = ClientHandshake::new("example.com:80", "/chat", nonce, &config)?;
/// let mut out = Vec::new();
/// handshake.request(&mut out);
/// assert!(out.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com:80\r\n"));
/// let response = b"HTTP/1.1 101 Switching Protocols\r\n\
///     Upgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// let parsed = handshake.parse(response)?;
/// let Progress::Done { value: accepted, .. } = parsed else { panic!("more is needed") };
/// let websocket = accepted.client(|| [1, 2, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    host: String,
    target: String,
    key: String,
    config: Config,
}

impl ClientHandshake {
    /// Creates a request (§4.1). `host` is the host and port of the address, `target` the path
    /// with its query. `nonce` is 16 random bytes, new for each connection;
    /// [`masking_keys`](crate::blocking::masking_keys) is a source of them.
    pub fn new(
        host: &str,
        target: &str,
        nonce: [u8; 16],
        config: &Config,
    ) -> Result<Self, HandshakeError> {
        let wrong = |sentence, section| Err(HandshakeError::new(sentence, section));
        if Authority::parse(host).is_none() {
            return wrong("the host is not valid", "RFC 9110 §7.2");
        }
        let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !target.starts_with('/') || !target.bytes().all(is_visible) {
            let sentence = "the target is not a path of visible ASCII characters";
            return wrong(sentence, "RFC 6455 §3");
        }
        Ok(Self {
            host: host.to_owned(),
            target: target.to_owned(),
            key: key(nonce),
            config: config.clone(),
        })
    }

    /// Appends the request, after which the server answers.
    pub fn request(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("GET {} HTTP/1.1\r\n", self.target).as_bytes());
        write_headers(&self.headers(), out);
    }

    /// Returns the headers of the request, for another HTTP library to send.
    pub fn headers(&self) -> Vec<(&str, String)> {
        let mut headers = vec![
            ("Host", self.host.clone()),
            ("Upgrade", "websocket".to_owned()),
            ("Connection", "Upgrade".to_owned()),
            ("Sec-WebSocket-Key", self.key.clone()),
            ("Sec-WebSocket-Version", "13".to_owned()),
        ];
        let config = &self.config;
        if !config.subprotocols.is_empty() {
            headers.push(("Sec-WebSocket-Protocol", config.subprotocols.join(", ")));
        }
        if let Some(offer) = DeflateParameters::offer(config.compression) {
            headers.push(("Sec-WebSocket-Extensions", offer));
        }
        let further = config.headers.iter();
        headers.extend(further.map(|(name, value)| (name.as_str(), value.clone())));
        headers
    }

    /// Parses the response at the beginning of `bytes`, and checks it. `used` is its length; frames
    /// may follow it.
    pub fn parse(&self, bytes: &[u8]) -> Result<Progress<Accepted>, HandshakeError> {
        let malformed = |sentence| HandshakeError::new(sentence, "RFC 9112 §4");
        let parsed = ResponseHead::parse(bytes, self.config.max_head_bytes).map_err(malformed)?;
        parsed.try_map(|head| self.check_head(&head))
    }

    /// Checks a response that another HTTP library parsed: its status, and the names and values of
    /// its headers.
    pub fn check<'a>(
        &self,
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Accepted, HandshakeError> {
        self.check_head(&ResponseHead::new(status, Fields::from_iter(headers)))
    }

    fn check_head(&self, head: &ResponseHead<'_>) -> Result<Accepted, HandshakeError> {
        let config = &self.config;
        let subprotocols: Vec<_> = config.subprotocols.iter().map(String::as_str).collect();
        let asked = Asked {
            key: &self.key,
            subprotocols: &subprotocols,
            extensions: match DeflateParameters::offer(config.compression) {
                Some(_) => &[deflate::NAME],
                None => &[],
            },
        };
        check_response(head, &asked)?;
        let values = head.values("sec-websocket-extensions");
        let agreed = DeflateParameters::agreed(values, config.compression);
        let agreed = agreed.map_err(|()| {
            let sentence = "the parameters of permessage-deflate are not those of the offer";
            HandshakeError::new(sentence, "RFC 7692 §7.1")
        })?;
        Ok(Accepted {
            subprotocol: head
                .tokens("sec-websocket-protocol")
                .next()
                .map(str::to_owned),
            deflate: agreed,
            config: config.clone(),
        })
    }
}

/// The parts of a request that its response depends on.
///
/// ```
/// use parlor::http::{Fields, ResponseHead};
/// use parlor::websocket::client::{Asked, REQUIREMENTS, check_response};
/// let key = "dGhlIHNhbXBsZSBub25jZQ==";
/// let asked = Asked { key, subprotocols: &[], extensions: &[] };
/// let response = ResponseHead::new(101, Fields::from_iter([("upgrade", &b"h2c"[..])]));
/// let error = check_response(&response, &asked).unwrap_err();
/// assert_eq!(error.sentence, "the Upgrade header of the response must be websocket");
/// let broken = REQUIREMENTS.iter().filter(|rule| (rule.judge)(&response, &asked).is_err());
/// let broken: Vec<_> = broken.map(|rule| rule.about).collect();
/// assert_eq!(broken, ["Upgrade", "Connection", "Sec-WebSocket-Accept"]);
/// ```
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

/// Checks the server's response. An error is the first broken rule.
pub fn check_response(head: &ResponseHead<'_>, asked: &Asked<'_>) -> Result<(), HandshakeError> {
    REQUIREMENTS.iter().try_for_each(|rule| {
        (rule.judge)(head, asked).map_err(|sentence| HandshakeError {
            status: Some(head.status()).filter(|status| *status != 101),
            ..HandshakeError::new(sentence, rule.section)
        })
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
                (Err(error), Some(part)) => {
                    assert!(error.sentence.contains(part), "{error}");
                    assert!(error.section.contains("RFC 6455 §4"), "{error}");
                }
                other => panic!("{bytes}: {other:?}"),
            }
        }
    }

    #[test]
    fn hosts_and_targets_are_checked() {
        let table = [
            ("localhost:8080", "/chat?x", true),
            ("[::1]", "/", true),
            ("a b", "/", false),
            ("a\r\nX: y", "/", false),
            ("", "/", false),
            ("a", "", false),
            ("a", "chat", false),
            ("a", "/a b", false),
            ("a", "/#b", false),
            ("a", "/\r\n", false),
        ];
        for (host, target, is_valid) in table {
            let handshake = ClientHandshake::new(host, target, [0; 16], &Config::default());
            assert_eq!(handshake.is_ok(), is_valid, "{host:?} {target:?}");
        }
    }
}
