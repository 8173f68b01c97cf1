//! Responses: status line, headers, body (RFC 9112 §4, RFC 9110 §15), and refusals, which are HTTP
//! errors as values.
//!
//! The head is the same for `GET` and `HEAD` (RFC 9110 §9.3.2); the hub omits the body for `HEAD`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io::Write;
use std::rc::Rc;

/// A response. [`Response::encode_head`] adds `X-Content-Type-Options`, `Content-Length` and
/// `Connection`.
///
/// ```
/// use parlor::http::{Body, Response};
/// let moved = Response::empty(301).with("Location", "/chat/");
/// assert_eq!((moved.header("location"), moved.body.as_bytes()), (Some("/chat/"), &b""[..]));
/// let page = Response::new(200, "text/plain", Body::Own(vec![b'o', b'k']));
/// assert_eq!((page.body.as_bytes(), page.body.held_bytes()), (&b"ok"[..], 2));
/// assert_eq!(Response::options().header("Allow"), Some("GET, HEAD, OPTIONS"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, such as 200.
    pub status: u16,
    /// The other headers. Values are written as they are, so they must not contain unchecked data
    /// of a peer. A 101 includes its `Connection: Upgrade`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, which is not sent in the answer to a `HEAD`.
    pub body: Body,
}

/// The bytes of a response. A file that many clients request is held once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Bytes that are compiled in. None for a status without a body: 101, 204 and 304.
    Static(&'static [u8]),
    /// A file that was read, shared by all responses with it.
    Shared(Rc<Vec<u8>>),
    /// Bytes of this response alone.
    Own(Vec<u8>),
}

impl Body {
    /// Returns the bytes of the body.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }

    /// Returns the memory that the body holds, in bytes.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Static(_) => 0,
            Self::Shared(bytes) => bytes.capacity(),
            Self::Own(bytes) => bytes.capacity(),
        }
    }
}

impl Response {
    /// Creates a response with a body of this media type.
    pub fn new(status: u16, media_type: &'static str, body: Body) -> Self {
        let headers = vec![("Content-Type", media_type.into())];
        Self {
            status,
            headers,
            body,
        }
    }

    /// Creates a response without headers and body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Static(&[]),
        }
    }

    /// Creates the answer to `OPTIONS`: 204 with the methods (RFC 9110 §9.3.7).
    pub fn options() -> Self {
        Self::empty(204).with("Allow", METHODS)
    }

    /// Adds a header to the others.
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the first value of a header; its name is compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_ref())
    }

    /// Appends the status line and the headers, with the empty line at the end. `keep_alive` says
    /// whether the connection stays open. A caller with a clock adds `Date` (RFC 9110 §6.6.1).
    ///
    /// ```
    /// use parlor::http::{Body, Response};
    /// let mut out = Vec::new();
    /// let response = Response::new(200, "text/plain", Body::Static(b"ok"));
    /// response.encode_head(false, &mut out);
    /// assert_eq!(String::from_utf8(out).unwrap(), "HTTP/1.1 200 OK\r\n\
    ///     X-Content-Type-Options: nosniff\r\nContent-Type: text/plain\r\n\
    ///     Content-Length: 2\r\nConnection: close\r\n\r\n");
    /// ```
    pub fn encode_head(&self, keep_alive: bool, out: &mut Vec<u8>) {
        // Writing to a Vec can't fail. The version is our own, not the request's (RFC 9110 §6.2).
        let _ = write!(out, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        out.extend_from_slice(b"X-Content-Type-Options: nosniff\r\n");
        for (name, value) in &self.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        // These have no body, and so no length (RFC 9110 §8.6).
        if !matches!(self.status, 101 | 204 | 304) {
            let _ = write!(out, "Content-Length: {}\r\n", self.body.as_bytes().len());
        }
        if self.status != 101 {
            // Always written, because the default differs between HTTP/1.0 and 1.1.
            let option = if keep_alive { "keep-alive" } else { "close" };
            // `Upgrade` is for this hop only, so `Connection` must name it (RFC 9110 §7.8).
            let upgrade = self.header("Upgrade").map_or("", |_| ", Upgrade");
            let _ = write!(out, "Connection: {option}{upgrade}\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The methods of all paths.
const METHODS: &str = "GET, HEAD, OPTIONS";

/// Why a request is refused: an HTTP error as a value.
///
/// The connection is closed if it is in doubt where the next request begins (RFC 9112 §2.2); it may
/// stay open after 404, 405 and 426.
///
/// ```
/// use parlor::http::Refusal;
/// let refusal = Refusal::method_not_allowed().closing();
/// assert_eq!((refusal.status, refusal.closes), (405, true));
/// assert_eq!(refusal.response().header("Allow"), Some("GET, HEAD, OPTIONS"));
/// assert_eq!(Refusal::bad_request("no host").to_string(), "no host (status 400)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code, from 400 to 505.
    pub status: u16,
    /// A sentence without its capital letter and full stop. It contains nothing of the request.
    pub sentence: Cow<'static, str>,
    /// Whether the connection is closed after the answer.
    pub closes: bool,
}

impl Refusal {
    /// Creates a refusal with a status from 400 to 505.
    pub fn new(status: u16, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
            closes: !matches!(status, 404 | 405 | 426),
        }
    }

    /// Creates a 400: the request breaks a rule of the standard.
    pub fn bad_request(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, sentence)
    }

    /// Creates a 405 for a method that is not supported.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "only GET and HEAD are supported")
    }

    /// Returns the same refusal, closing the connection.
    pub fn closing(self) -> Self {
        let closes = true;
        Self { closes, ..self }
    }

    /// Appends the response, with `Connection: close`.
    ///
    /// ```
    /// let mut out = Vec::new();
    /// parlor::http::Refusal::new(426, "this path needs a WebSocket").encode(&mut out);
    /// assert!(out.starts_with(b"HTTP/1.1 426 Upgrade Required\r\n"));
    /// assert!(out.ends_with(b"\r\n\r\nThis path needs a WebSocket.\n"));
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        let response = self.response();
        response.encode_head(false, out);
        out.extend_from_slice(response.body.as_bytes());
    }

    /// Returns the response: the sentence as plain text, and the headers that the status requires.
    pub fn response(&self) -> Response {
        let mut line = format!("{}.\n", self.sentence);
        if let Some(first) = line.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let media_type = "text/plain; charset=utf-8";
        let response = Response::new(self.status, media_type, Body::Own(line.into()));
        let response = match self.status {
            405 => response.with("Allow", METHODS),
            // RFC 9110 §15.5.22, RFC 6455 §4.2.2.
            426 => response
                .with("Upgrade", "websocket")
                .with("Sec-WebSocket-Version", "13"),
            _ => response,
        };
        // Without `no-store` a cache might keep 404 and 405 (RFC 9111 §4.2.2).
        response.with("Cache-Control", "no-store")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (status {})", self.sentence, self.status)
    }
}

impl Error for Refusal {}

/// Returns the reason phrase (RFC 9110 §15), which is for people and may be empty (RFC 9112 §4).
fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn lengths_and_connections_by_status() {
        let page = Response::new(200, "text/css", Body::Shared(Rc::new(vec![0; 70_000])));
        let switch = Response::empty(101).with("Upgrade", "websocket");
        let switch = switch.with("Connection", "Upgrade");
        let offer = Response::empty(426).with("Upgrade", "x");
        let table = [
            ("a body", page, true, Some("70000"), "keep-alive"),
            ("an empty body", Response::empty(404), false, Some("0"), "close"),
            ("not modified", Response::empty(304), true, None, "keep-alive"),
            ("no content", Response::options(), true, None, "keep-alive"),
            ("a switch of protocols", switch, true, None, "Upgrade"),
            ("an offered upgrade", offer, false, Some("0"), "close, Upgrade"),
        ];
        for (name, response, keep_alive, length, connection) in table {
            let mut out = Vec::new();
            response.encode_head(keep_alive, &mut out);
            let head = String::from_utf8(out).unwrap();
            let all = |name: &str| {
                let lines = head.lines();
                let values = lines.filter_map(|it| it.strip_prefix(name)?.strip_prefix(": "));
                values.collect::<Vec<_>>()
            };
            assert_eq!(all("Content-Length"), Vec::from_iter(length), "{name}");
            assert_eq!(all("Connection"), [connection], "{name}");
            assert_eq!(all("X-Content-Type-Options"), ["nosniff"], "{name}");
            assert_eq!(head.find("\r\n\r\n"), Some(head.len() - 4), "{name}");
        }
    }

    #[test]
    fn sentences_of_refusals_may_be_any_text() {
        for (sentence, line) in [("", ".\n"), ("évitez", "évitez.\n"), ("no", "No.\n")] {
            let response = Refusal::new(401, sentence).response();
            assert_eq!(response.body.as_bytes(), line.as_bytes());
        }
    }

    #[test]
    fn refusals_close_where_the_next_request_is_in_doubt() {
        let table = [
            (Refusal::bad_request("why"), 400, true),
            (Refusal::new(403, "why"), 403, true),
            (Refusal::new(404, "why"), 404, false),
            (Refusal::method_not_allowed(), 405, false),
            (Refusal::new(408, "why"), 408, true),
            (Refusal::new(426, "why"), 426, false),
            (Refusal::new(426, "why").closing(), 426, true),
            (Refusal::new(429, "why"), 429, true),
            (Refusal::new(431, "why"), 431, true),
            (Refusal::new(503, "why"), 503, true),
            (Refusal::new(505, "why"), 505, true),
        ];
        for (refusal, status, closes) in table {
            assert_eq!((refusal.status, refusal.closes), (status, closes));
            let response = refusal.response();
            let body = str::from_utf8(response.body.as_bytes()).unwrap();
            assert!(body.starts_with(char::is_uppercase), "{body}");
            assert!(body.ends_with(".\n"), "{body}");
            let upgrade = (status == 426).then_some("websocket");
            assert_eq!(response.header("upgrade"), upgrade);
            assert_eq!(response.header("Allow").is_some(), status == 405);
        }
    }
}
