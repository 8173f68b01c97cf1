//! An HTTP error as a value: its status, what a header has to add, one sentence for a person, and
//! whether it closes.
//!
//! The sentence says what was wrong (which header, which limit) in our words alone: nothing of the
//! request stands in it, so
//! there is nothing to escape, and no cache or browser can be made to show what an attacker wrote.
//!
//! Whatever leaves doubt about where the next request begins closes the connection (RFC 9112 §2.2);
//! a request that was
//! understood and only can't be granted (404, 405, 426) need not.
//!
//! Not here: when a refusal is due (`head`, `websocket::handshake`, `hub::routes`), and how a
//! connection is closed so that
//! the answer arrives (`hub::connection`).

use super::response::{Body, Response};
use std::borrow::Cow;

/// Why a request gets no answer of its own, and what it gets instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code, 400 to 505.
    pub status: u16,
    /// Headers that this status demands: `Allow` with 405, `Upgrade` and `Sec-WebSocket-Version`
    /// with 426.
    pub headers: &'static [(&'static str, &'static str)],
    /// One sentence for a person, the whole body of the answer; it gets its capital letter and its
    /// full stop there.
    pub sentence: Cow<'static, str>,
    /// Whether the connection ends with this answer.
    pub closes: bool,
}

/// RFC 9110 §15.5.22 and RFC 6455 §4.2.2: what the client should speak instead.
const UPGRADE: &[(&str, &str)] = &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];

impl Refusal {
    /// 400: the request breaks a rule of the standard. Closes.
    pub fn bad_request(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, sentence)
    }

    /// 403: understood and not allowed, such as a foreign `Origin`. Closes.
    pub fn forbidden(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, sentence)
    }

    /// 404: no page has this name. The connection may go on.
    pub fn not_found() -> Self {
        Self {
            closes: false,
            ..Self::new(404, "there is no page of this name")
        }
    }

    /// 405: a method other than `GET` and `HEAD`. The connection may go on.
    pub fn method_not_allowed() -> Self {
        let headers = &[("Allow", "GET, HEAD")];
        Self {
            headers,
            closes: false,
            ..Self::new(405, "the only methods here are GET and HEAD")
        }
    }

    /// 408: the head of the request did not arrive in time. Closes.
    pub fn timeout() -> Self {
        Self::new(
            408,
            "the head of the request did not arrive within --handshake-timeout",
        )
    }

    /// 426: this path speaks WebSocket, or it speaks another version of it. The connection may go
    /// on; a refused upgrade
    /// closes, see [`Refusal::closing`].
    pub fn upgrade_required(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            headers: UPGRADE,
            closes: false,
            ..Self::new(426, sentence)
        }
    }

    /// 429: one address has too many connections. Closes.
    pub fn too_many(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(429, sentence)
    }

    /// 431: the head has too many bytes or lines. Closes.
    pub fn too_large(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(431, sentence)
    }

    /// 503: the server has no room, or is about to stop. Closes.
    pub fn unavailable(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(503, sentence)
    }

    /// 505: a version of HTTP that is well spelled and not spoken here. Closes.
    pub fn version() -> Self {
        Self::new(505, "the versions of HTTP spoken here are 1.1 and 1.0")
    }

    /// The same refusal, and the connection ends with it.
    pub fn closing(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    /// The answer that carries it: plain text, the sentence alone, on a line of its own.
    ///
    /// ```
    /// use parlor::http::Refusal;
    /// let response = Refusal::method_not_allowed().response();
    /// assert_eq!((response.status, response.body.as_bytes()), (405, &b"The only methods here are GET and HEAD.\n"[..]));
    /// assert_eq!(response.header("allow"), Some("GET, HEAD"));
    /// ```
    pub fn response(&self) -> Response {
        let (first, rest) = self.sentence.split_at(1);
        let line = format!("{}{rest}.\n", first.to_ascii_uppercase());
        let mut response = Response::new(
            self.status,
            "text/plain; charset=utf-8",
            Body::Text(line.into()),
        );
        response.headers.extend(
            self.headers
                .iter()
                .map(|&(name, value)| (name, Cow::Borrowed(value))),
        );
        // A refusal is about this one moment; 404 and 405 could be kept by a cache without this
        // (RFC 9111 §4.2.2).
        response
            .headers
            .push(("Cache-Control", Cow::Borrowed("no-store")));
        response
    }

    fn new(status: u16, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            headers: &[],
            sentence: sentence.into(),
            closes: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_status_and_closes_or_not() {
        let table = [
            (
                "broken syntax leaves doubt about what follows",
                Refusal::bad_request("why"),
                400,
                true,
            ),
            ("a foreign origin", Refusal::forbidden("why"), 403, true),
            ("the next page may exist", Refusal::not_found(), 404, false),
            (
                "the next method may be GET",
                Refusal::method_not_allowed(),
                405,
                false,
            ),
            (
                "half a head may still be on its way",
                Refusal::timeout(),
                408,
                true,
            ),
            (
                "the next request may upgrade",
                Refusal::upgrade_required("why"),
                426,
                false,
            ),
            (
                "a refused upgrade",
                Refusal::upgrade_required("why").closing(),
                426,
                true,
            ),
            ("one address too often", Refusal::too_many("why"), 429, true),
            (
                "the rest of the head is still on its way",
                Refusal::too_large("why"),
                431,
                true,
            ),
            ("no room", Refusal::unavailable("why"), 503, true),
            (
                "another version may end its head elsewhere",
                Refusal::version(),
                505,
                true,
            ),
        ];
        for (name, refusal, status, closes) in table {
            assert_eq!((refusal.status, refusal.closes), (status, closes), "{name}");
            let body = String::from_utf8(refusal.response().body.as_bytes().to_vec()).unwrap();
            assert!(
                body.ends_with(".\n") && body.starts_with(|first: char| first.is_ascii_uppercase()),
                "{name}: {body:?}"
            );
        }
    }

    #[test]
    fn upgrade_required_says_to_what() {
        let response = Refusal::upgrade_required("why").response();
        assert_eq!(response.header("Upgrade"), Some("websocket"));
        assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"));
    }
}
