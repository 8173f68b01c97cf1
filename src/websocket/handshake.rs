//! The opening handshake (RFC 6455 §4.2): an HTTP request asks to go on in another protocol.
//!
//! ```text
//! GET /chat HTTP/1.1                                   HTTP/1.1 101 Switching Protocols
//! Host: server.example.com                             Upgrade: websocket
//! Upgrade: websocket                                   Connection: Upgrade
//! Connection: Upgrade                                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
//! Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==          Sec-WebSocket-Protocol: chat
//! Sec-WebSocket-Protocol: chat, superchat
//! Sec-WebSocket-Version: 13
//! ```
//!
//! What makes it safe is that nobody can get a browser to send such a request without meaning it (a
//! form or an image can't
//! set these headers), and that no server that knows nothing of WebSocket could give this answer.
//!
//! Not here: `Host`, the length of the head, a body (`http`); `Origin` and paths (`hub::routes`).

use super::offer::DeflateParameters;
use crate::http::{Body, Head, Refusal, Response};
use crate::time::UnixMillis;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};

/// Keeps no secret: it only shows that the server understood the question and is no cache that
/// repeats an old answer.
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The one subprotocol that is spoken here (§1.9).
const SUBPROTOCOL: &str = "chat";

/// Base64 (RFC 4648 §4) with padding. Bits behind the last byte may be set, as they are in the key
/// that RFC 6455 §4.1 itself
/// gives as an example.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Computes `Sec-WebSocket-Accept` from the client's `Sec-WebSocket-Key` (RFC 6455 §4.2.2, step
/// 5.4).
///
/// The key goes in as it stood in the header, still in base64, without surrounding white space.
/// Whether it decodes
/// to 16 bytes is [`check`]'s question; here it would make no difference. The answer has 28
/// characters.
///
/// ```
/// // The example of RFC 6455 §1.3.
/// assert_eq!(parlor::websocket::accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept(key: &str) -> String {
    BASE64.encode(accept_sha1(key))
}

/// The step before that: the SHA-1 of the key with [`GUID`] behind it.
pub fn accept_sha1(key: &str) -> [u8; 20] {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    sha1.finalize().into()
}

/// A request that may be answered with 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    accept: String,
    subprotocol: Option<&'static str>,
    deflate: Option<DeflateParameters>,
}

impl Upgrade {
    /// Appends the answer, after which the connection speaks frames (§4.2.2, step 5).
    pub fn response(&self, now: UnixMillis, out: &mut Vec<u8>) {
        let mut headers = vec![
            ("Upgrade", "websocket".into()),
            ("Connection", "Upgrade".into()),
            ("Sec-WebSocket-Accept", self.accept.clone().into()),
        ];
        headers.extend(
            self.subprotocol
                .map(|subprotocol| ("Sec-WebSocket-Protocol", subprotocol.into())),
        );
        headers.extend(
            self.deflate
                .map(|parameters| ("Sec-WebSocket-Extensions", parameters.answer().into())),
        );
        Response {
            status: 101,
            headers,
            body: Body::None,
        }
        .encode_head(now, true, out);
    }

    /// What both will speak, if they agreed on something.
    pub fn subprotocol(&self) -> Option<&'static str> {
        self.subprotocol
    }

    /// What was agreed on about compression, if anything was:
    /// [`WebSocket::with_deflate`](super::WebSocket::with_deflate)
    /// has to be told.
    pub fn deflate(&self) -> Option<DeflateParameters> {
        self.deflate
    }
}

/// Judges a request by RFC 6455 §4.2.1. Names and tokens have no case, lists may be spread over
/// several headers.
///
/// A request that does not ask for WebSocket at all, or for another version of it, is told what it
/// should ask for (426); one
/// that does so wrongly is told what is wrong (400). Either way the connection closes: nobody knows
/// what the client believes
/// to be speaking now.
///
/// ```
/// use parlor::{http::Head, progress::Progress, websocket::check};
/// let request = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// let Ok(Progress::Done { value: head, .. }) = Head::parse(request, 8192) else { panic!() };
/// assert_eq!(check(&head).unwrap().subprotocol(), None);
/// ```
pub fn check(head: &Head<'_>) -> Result<Upgrade, Refusal> {
    RULES.iter().try_for_each(|rule| (rule.judge)(head))?;
    let key = key(head)?;
    // Which of those offered is taken is the server's choice (§4.2.2, step 4), and there is only
    // one that it knows. Unlike
    // the tokens above, names of subprotocols have a case (§11.3.4).
    let offered = head
        .tokens("sec-websocket-protocol")
        .any(|token| token == SUBPROTOCOL);
    // A server answers as if it did not know an extension where it can't speak it (§9.1).
    let extensions = head.values("sec-websocket-extensions");
    let deflate = if cfg!(feature = "deflate") {
        DeflateParameters::negotiate(extensions)
    } else {
        None
    };
    Ok(Upgrade {
        accept: accept(key),
        subprotocol: offered.then_some(SUBPROTOCOL),
        deflate,
    })
}

/// One demand of the standard on a head.
#[derive(Clone, Copy, Debug)]
pub struct Rule<J> {
    /// The header, or the part of the first line, that it is about.
    pub about: &'static str,
    /// Where the standard says so.
    pub section: &'static str,
    /// Looks whether it is met.
    pub judge: J,
}

/// Judges a request by one demand.
pub type JudgeRequest = fn(&Head<'_>) -> Result<(), Refusal>;

const fn rule(
    about: &'static str,
    section: &'static str,
    judge: JudgeRequest,
) -> Rule<JudgeRequest> {
    Rule {
        about,
        section,
        judge,
    }
}

/// What §4.2.1 demands of a request, in the order in which it is looked at. (`Host` is there in
/// every [`Head`].)
pub const RULES: &[Rule<JudgeRequest>] = &[
    rule("method", "RFC 6455 §4.2.1, 1", |head| {
        match head.method() {
            "GET" => Ok(()),
            _ => Err(Refusal::method_not_allowed().closing()),
        }
    }),
    rule("Upgrade", "RFC 6455 §4.2.1, 3", |head| {
        match head.has_token("upgrade", "websocket") {
            true => Ok(()),
            false => Err(upgrade_required(
                "this path speaks WebSocket: the request needs the header Upgrade: websocket",
            )),
        }
    }),
    rule("Connection", "RFC 6455 §4.2.1, 4", |head| {
        match head.has_token("connection", "upgrade") {
            true => Ok(()),
            false => Err(upgrade_required(
                "this path speaks WebSocket: the Connection header must name Upgrade",
            )),
        }
    }),
    rule("version", "RFC 6455 §4.2.1, 1", |head| {
        match head.minor_version() {
            0 => Err(Refusal::bad_request(
                "a WebSocket begins with a request of HTTP/1.1",
            )),
            _ => Ok(()),
        }
    }),
    rule(
        "Sec-WebSocket-Version",
        "RFC 6455 §4.2.1, 6",
        |head| match once(head, "sec-websocket-version") {
            Ok(b"13") => Ok(()),
            Ok(_) | Err(Count::None) => Err(upgrade_required(
                "the Sec-WebSocket-Version that is spoken here is 13",
            )),
            Err(Count::Several) => Err(Refusal::bad_request(
                "Sec-WebSocket-Version must stand in the request once",
            )),
        },
    ),
    rule("Sec-WebSocket-Key", "RFC 6455 §4.2.1, 5", |head| {
        key(head).map(|_| ())
    }),
];

/// The key, if it is one.
fn key<'a>(head: &Head<'a>) -> Result<&'a str, Refusal> {
    let key = match once(head, "sec-websocket-key") {
        Ok(key) => str::from_utf8(key)
            .ok()
            .filter(|key| BASE64.decode(key).is_ok_and(|nonce| nonce.len() == 16)),
        Err(Count::None) => {
            return Err(Refusal::bad_request(
                "the request has no Sec-WebSocket-Key header",
            ));
        }
        Err(Count::Several) => {
            return Err(Refusal::bad_request(
                "Sec-WebSocket-Key must stand in the request once",
            ));
        }
    };
    key.ok_or_else(|| Refusal::bad_request("Sec-WebSocket-Key must be 16 bytes in base64"))
}

fn upgrade_required(sentence: &'static str) -> Refusal {
    Refusal::upgrade_required(sentence).closing()
}

/// How often a header stands in a request where it should stand once.
enum Count {
    None,
    Several,
}

fn once<'a>(head: &Head<'a>, name: &str) -> Result<&'a [u8], Count> {
    let mut values = head.values(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (Some(_), Some(_)) => Err(Count::Several),
        (None, _) => Err(Count::None),
    }
}
