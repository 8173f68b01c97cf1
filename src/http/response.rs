//! Responses: status line, headers, body (RFC 9112 §4, RFC 9110 §15), and refusals, which are HTTP
//! errors as values.
//!
//! The head is the same for `GET` and `HEAD` (RFC 9110 §9.3.2); the hub omits the body for `HEAD`.

use crate::time::{UnixMillis, civil};
use std::borrow::Cow;
use std::io::Write;
use std::rc::Rc;

/// A response without the headers that [`Response::encode_head`] adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, such as 200.
    pub status: u16,
    /// Headers other than `Date`, `X-Content-Type-Options`, `Content-Length` and `Connection`.
    /// Values are written as they are, so they must not contain unchecked data of a peer. A 101
    /// includes its `Connection: Upgrade`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, which is not sent in the answer to a `HEAD`.
    pub body: Body,
}

/// The methods of all paths.
const METHODS: &str = "GET, HEAD, OPTIONS";

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
        Self {
            body,
            ..Self::empty(status)
        }
        .with("Content-Type", media_type)
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

    /// Appends the status line and the headers, with the empty line at the end.
    ///
    /// `now` becomes `Date` (RFC 9110 §6.6.1). `keep_alive` says whether the connection stays open;
    /// it is always written, because the default differs between HTTP/1.0 and 1.1.
    ///
    /// ```
    /// use parlor::{http::{Body, Response}, time::UnixMillis};
    /// let mut out = Vec::new();
    /// let response = Response::new(200, "text/plain", Body::Static(b"ok"));
    /// response.encode_head(UnixMillis(784_111_777_000), false, &mut out);
    /// assert_eq!(String::from_utf8(out).unwrap(), "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    ///     X-Content-Type-Options: nosniff\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    /// ```
    pub fn encode_head(&self, now: UnixMillis, keep_alive: bool, out: &mut Vec<u8>) {
        // Writing to a Vec can't fail. The version is always our own, whatever that of the request
        // (RFC 9110 §6.2).
        let _ = write!(out, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let _ = write!(
            out,
            "Date: {}\r\nX-Content-Type-Options: nosniff\r\n",
            imf_fixdate(now)
        );
        for (name, value) in &self.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        // These have no body, and so no length (RFC 9110 §8.6).
        if !matches!(self.status, 101 | 204 | 304) {
            let _ = write!(out, "Content-Length: {}\r\n", self.body.as_bytes().len());
        }
        if self.status != 101 {
            let option = if keep_alive { "keep-alive" } else { "close" };
            // `Upgrade` is for this hop only, so `Connection` must name it (RFC 9110 §7.8).
            let upgrade = self.header("Upgrade").map_or("", |_| ", Upgrade");
            let _ = write!(out, "Connection: {option}{upgrade}\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Why a request is refused: an HTTP error as a value.
///
/// The connection is closed if it is in doubt where the next request begins (RFC 9112 §2.2); it may
/// stay open after 404, 405 and 426.
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
    /// Creates a refusal. The status may be any of [`STATUSES`](crate::metrics::STATUSES).
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

    /// Returns the response: the sentence as plain text, and the headers that the status requires.
    ///
    /// ```
    /// let response = parlor::http::Refusal::new(404, "page not found").response();
    /// assert_eq!((response.status, response.body.as_bytes()), (404, &b"Page not found.\n"[..]));
    /// ```
    pub fn response(&self) -> Response {
        let (first, rest) = self.sentence.split_at(1);
        let line = format!("{}{rest}.\n", first.to_ascii_uppercase());
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

/// Returns the reason phrase (RFC 9110 §15), which is for people only; it may be empty (RFC 9112
/// §4).
fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
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

/// Formats a date in the form of RFC 9110 §5.6.7, always in GMT.
fn imf_fixdate(at: UnixMillis) -> String {
    // 1970 began on a Thursday.
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let seconds = at.0 / 1_000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (weekday, month) = (WEEKDAYS[days as usize % 7], &MONTHS[3 * month..][..3]);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn dates_are_imf_fixdates() {
        let table = [
            ("the beginning", 0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("the example of RFC 9110 §5.6.7", 784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("a leap day of a leap century", 951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"),
            ("the day after it", 951_868_800_000, "Wed, 01 Mar 2000 00:00:00 GMT"),
            ("the end of a year", 1_735_689_599_000, "Tue, 31 Dec 2024 23:59:59 GMT"),
            ("a leap day", 1_709_164_800_000, "Thu, 29 Feb 2024 00:00:00 GMT"),
            ("a century without one", 4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 GMT"),
            ("more than 32 bits", 4_294_967_296_000, "Sun, 07 Feb 2106 06:28:16 GMT"),
        ];
        for (name, at, expected) in table {
            assert_eq!(imf_fixdate(UnixMillis(at)), expected, "{name}");
        }
        imf_fixdate(UnixMillis(u64::MAX)); // no overflow
    }

    #[test]
    #[rustfmt::skip]
    fn lengths_and_connections_by_status() {
        let page = Response::new(200, "text/css", Body::Shared(Rc::new(vec![0; 70_000])));
        let switch = Response::empty(101).with("Upgrade", "websocket").with("Connection", "Upgrade");
        let table = [
            ("a body", page, true, Some("70000"), "keep-alive"),
            ("an empty body", Response::empty(404), false, Some("0"), "close"),
            ("not modified", Response::empty(304), true, None, "keep-alive"),
            ("no content", Response::options(), true, None, "keep-alive"),
            ("a switch of protocols", switch, true, None, "Upgrade"),
            ("an offered upgrade", Response::empty(426).with("Upgrade", "x"), false, Some("0"), "close, Upgrade"),
        ];
        for (name, response, keep_alive, length, connection) in table {
            let mut out = Vec::new();
            response.encode_head(UnixMillis(0), keep_alive, &mut out);
            let head = String::from_utf8(out).unwrap();
            let all = |name: &str| {
                let lines = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                lines.collect::<Vec<_>>()
            };
            assert_eq!(all("Content-Length"), Vec::from_iter(length), "{name}");
            assert_eq!(all("Connection"), [connection], "{name}");
            assert_eq!(all("X-Content-Type-Options"), ["nosniff"], "{name}");
            assert_eq!(head.find("\r\n\r\n"), Some(head.len() - 4), "{name}");
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
            assert!(
                body.starts_with(char::is_uppercase) && body.ends_with(".\n"),
                "{body}"
            );
            let upgrade = (status == 426).then_some("websocket");
            assert_eq!(response.header("upgrade"), upgrade);
            assert_eq!(response.header("Allow").is_some(), status == 405);
        }
    }
}
