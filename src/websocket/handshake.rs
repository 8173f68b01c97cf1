//! The server's half of the opening handshake (RFC 6455 §4.2): an HTTP request asks to continue in
//! another protocol.
//!
//! ```text
//! GET /chat HTTP/1.1                                   HTTP/1.1 101 Switching Protocols
//! Host: server.example.com                             Upgrade: websocket
//! Upgrade: websocket                                   Connection: Upgrade
//! Connection: Upgrade                                  Sec-WebSocket-Accept:
//! Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==            s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
//! Sec-WebSocket-Protocol: chat, superchat              Sec-WebSocket-Protocol: chat
//! Sec-WebSocket-Version: 13
//! ```
//!
//! Two things make it safe: a form or an image can't set these headers, so a browser sends such a
//! request only for a script that asks for a WebSocket; and a server that doesn't know WebSocket
//! can't give this answer. [`http`](crate::http) checks `Host` and the form of the request, the hub
//! checks `Origin`.

use super::config::{Accepted, Config};
use super::deflate::DeflateParameters;
use crate::http::{Fields, Head, Refusal};
use crate::progress::Progress;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};

/// The constant that is hashed with the key (§1.3). No secret: the hash shows that the server
/// understood the request, and isn't a cache that repeats an old answer.
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The sentence for a request without `Upgrade: websocket`.
pub const NEEDS_UPGRADE: &str = "this path needs a WebSocket: send the header Upgrade: websocket";

/// Base64 (RFC 4648 §4) with padding. Unused bits of the last character may be set, as in an
/// example of RFC 6455 §4.1.
pub(super) static BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Computes `Sec-WebSocket-Accept` from the value of `Sec-WebSocket-Key`, which stays in base64
/// (RFC 6455 §4.2.2, step 5.4).
///
/// ```
/// // The example of RFC 6455 §1.3.
/// let accept = parlor::websocket::accept("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept(key: &str) -> String {
    BASE64.encode(accept_sha1(key))
}

/// Computes the SHA-1 of the key followed by [`GUID`], the step before base64.
///
/// ```
/// // The example of RFC 6455 §1.3.
/// let hash = parlor::websocket::handshake::accept_sha1("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(hash[..4], [0xb3, 0x7a, 0x4f, 0x2c]);
/// ```
pub fn accept_sha1(key: &str) -> [u8; 20] {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    sha1.finalize().into()
}

/// The server's side: a request that may be answered with 101.
///
/// ```
/// use parlor::websocket::{Config, Progress, ServerHandshake};
/// let request = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// let parsed = ServerHandshake::parse(request, &Config::default())?;
/// let Progress::Done { value: handshake, .. } = parsed else { panic!("more is needed") };
/// let mut out = Vec::new();
/// handshake.response(&mut out);
/// assert!(out.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// let websocket = handshake.accepted.server();
/// # Ok::<(), parlor::http::Refusal>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandshake {
    /// What the response agrees to.
    pub accepted: Accepted,
    accept: String,
}

impl ServerHandshake {
    /// Parses the request at the beginning of `bytes`, and checks it. `used` is its length; frames
    /// may follow it. Answer a refusal by [`Refusal::encode`], and close the connection.
    pub fn parse(bytes: &[u8], config: &Config) -> Result<Progress<Self>, Refusal> {
        let parsed = Head::parse(bytes, config.max_head_bytes)?;
        parsed.try_map(|head| Self::from_head(&head, config))
    }

    /// Checks a request that another HTTP library parsed: its method, and the names and values of
    /// its headers.
    ///
    /// ```
    /// use parlor::websocket::{Config, ServerHandshake};
    /// let mut headers = [httparse::EMPTY_HEADER; 16];
    /// let mut request = httparse::Request::new(&mut headers);
    /// request.parse(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    ///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")?;
    /// let headers = request.headers.iter().map(|header| (header.name, header.value));
    /// let handshake = ServerHandshake::new("GET", headers, &Config::default())?;
    /// assert_eq!(handshake.headers()[2].1, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new<'a>(
        method: &'a str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        config: &Config,
    ) -> Result<Self, Refusal> {
        let head = Head::from_fields(method, Fields::from_iter(headers));
        Self::from_head(&head, config)
    }

    /// Checks a request against §4.2.1. A request that doesn't ask for WebSocket, or asks for
    /// another version, gets 426; a wrong one gets 400. Both close the connection, because it is
    /// unclear what the client sends next.
    ///
    /// ```
    /// use parlor::{http::Head, progress::Progress};
    /// use parlor::websocket::{Config, ServerHandshake, handshake::NEEDS_UPGRADE};
    /// let parsed = Head::parse(b"GET /chat HTTP/1.1\r\nHost: a\r\n\r\n", 8192);
    /// let Ok(Progress::Done { value: head, .. }) = parsed else { panic!() };
    /// assert_eq!(head.path, "/chat");
    /// let refusal = ServerHandshake::from_head(&head, &Config::default()).unwrap_err();
    /// assert_eq!((refusal.status, &*refusal.sentence), (426, NEEDS_UPGRADE));
    /// ```
    pub fn from_head(head: &Head<'_>, config: &Config) -> Result<Self, Refusal> {
        for rule in REQUIREMENTS {
            (rule.judge)(head)?;
        }
        // Names of subprotocols are case-sensitive (§11.3.4).
        let mut offered = head.tokens("sec-websocket-protocol");
        let subprotocol = offered.find(|name| config.subprotocols.iter().any(|own| own == name));
        let offers = head.values("sec-websocket-extensions");
        let deflate = DeflateParameters::negotiate(offers, config.compression);
        Ok(Self {
            accept: accept(key(head)?),
            accepted: Accepted {
                subprotocol: subprotocol.map(str::to_owned),
                deflate,
                config: config.clone(),
            },
        })
    }

    /// Appends the response, after which both ends send frames (§4.2.2, step 5).
    pub fn response(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        write_headers(&self.headers(), out);
    }

    /// Returns the headers of the response, for another HTTP library to send with status 101.
    pub fn headers(&self) -> Vec<(&str, String)> {
        let mut headers = vec![
            ("Upgrade", "websocket".to_owned()),
            ("Connection", "Upgrade".to_owned()),
            ("Sec-WebSocket-Accept", self.accept.clone()),
        ];
        if let Some(name) = &self.accepted.subprotocol {
            headers.push(("Sec-WebSocket-Protocol", name.clone()));
        }
        if let Some(parameters) = self.accepted.deflate {
            headers.push(("Sec-WebSocket-Extensions", parameters.to_string()));
        }
        let further = self.accepted.config.headers.iter();
        headers.extend(further.map(|(name, value)| (name.as_str(), value.clone())));
        headers
    }
}

pub(super) fn write_headers(headers: &[(&str, String)], out: &mut Vec<u8>) {
    for (name, value) in headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// One requirement of the standard on a request or a response.
#[derive(Clone, Copy, Debug)]
pub struct Requirement<J> {
    /// The header, or the part of the first line, that the rule is about.
    pub about: &'static str,
    /// The section of the standard.
    pub section: &'static str,
    /// The function that checks the rule.
    pub judge: J,
}

impl<J: Copy> Requirement<J> {
    pub(super) const fn new(about: &'static str, section: &'static str, judge: J) -> Self {
        Self {
            about,
            section,
            judge,
        }
    }
}

/// Checks a request against one rule.
pub type JudgeRequest = fn(&Head<'_>) -> Result<(), Refusal>;

/// The requirements of §4.2.1 for a request, in the order of the checks. ([`Head`] checks `Host`.)
///
/// ```
/// use parlor::websocket::handshake::{JudgeRequest, REQUIREMENTS, Requirement};
/// let first: Requirement<JudgeRequest> = REQUIREMENTS[0];
/// assert_eq!((first.about, first.section), ("method", "RFC 6455 §4.2.1, 1"));
/// ```
pub const REQUIREMENTS: &[Requirement<JudgeRequest>] = &[
    Requirement::new("method", "RFC 6455 §4.2.1, 1", |head| {
        let wrong = || Refusal::method_not_allowed().closing();
        (head.method == "GET").then_some(()).ok_or_else(wrong)
    }),
    Requirement::new("Upgrade", "RFC 6455 §4.2.1, 3", |head| {
        upgrade_required(head.has_token("upgrade", "websocket"), NEEDS_UPGRADE)
    }),
    Requirement::new("Connection", "RFC 6455 §4.2.1, 4", |head| {
        let sentence = "this path needs a WebSocket: the Connection header must name Upgrade";
        upgrade_required(head.has_token("connection", "upgrade"), sentence)
    }),
    Requirement::new("version", "RFC 6455 §4.2.1, 1", |head| {
        match head.minor_version {
            0 => Err(Refusal::bad_request("WebSocket needs HTTP/1.1")),
            _ => Ok(()),
        }
    }),
    Requirement::new("Sec-WebSocket-Version", "RFC 6455 §4.2.1, 6", |head| {
        let twice = "the request has more than one Sec-WebSocket-Version header";
        let version = single(head, "sec-websocket-version", twice)?;
        let sentence = "only Sec-WebSocket-Version 13 is supported";
        upgrade_required(version == Some(b"13"), sentence)
    }),
    Requirement::new("Sec-WebSocket-Key", "RFC 6455 §4.2.1, 5", |head| {
        key(head).map(|_| ())
    }),
];

/// Returns the key if it is 16 bytes in base64.
fn key<'a>(head: &Head<'a>) -> Result<&'a str, Refusal> {
    let twice = "the request has more than one Sec-WebSocket-Key header";
    let none = || Refusal::bad_request("the request has no Sec-WebSocket-Key header");
    let key = single(head, "sec-websocket-key", twice)?.ok_or_else(none)?;
    str::from_utf8(key)
        .ok()
        .filter(|key| BASE64.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or_else(|| Refusal::bad_request("Sec-WebSocket-Key must be 16 bytes in base64"))
}

/// Returns the value of a header, or an error if there are several.
fn single<'a>(
    head: &Head<'a>,
    name: &str,
    twice: &'static str,
) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = head.values(name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal::bad_request(twice)),
    }
}

fn upgrade_required(is_met: bool, sentence: &'static str) -> Result<(), Refusal> {
    let wrong = || Refusal::new(426, sentence).closing();
    is_met.then_some(()).ok_or_else(wrong)
}
