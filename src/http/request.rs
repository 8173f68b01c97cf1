//! Request heads (RFC 9112 §2 to §6, RFC 9110 §7.2): the bytes of a connection become heads, one
//! after another.
//!
//! A scanner finds the end of a head and looks at each byte once, however the bytes are cut. (To
//! parse the head again with each packet can take minutes: CVE-2023-43669.) It refuses input that
//! can't become a request, such as TLS, without waiting for its end. A complete head is split once:
//! the request line here, the header lines by `httparse`.

use super::authority::Authority;
use super::fields::{Fields, is_token, is_token_byte};
use super::response::Refusal;
use crate::progress::Progress;
use std::ops::Deref;

/// The requests of one connection. Holds no buffer between two of them.
#[derive(Debug, Default)]
pub struct Requests {
    scan: Scan,
    /// The beginning of an incomplete head, or a complete one until the next call.
    kept: Vec<u8>,
}

impl Requests {
    /// Reads the next bytes of the connection, up to the end of one head. `used` counts bytes of
    /// this input; the rest belongs to the next request or, after an upgrade, to the new protocol.
    /// After a refusal the connection has no further requests.
    ///
    /// ```
    /// use parlor::{http::Requests, progress::Progress};
    /// let mut requests = Requests::default();
    /// assert_eq!(requests.receive(b"GET / HTTP/1.1\r\nHo", 8192), Ok(Progress::NeedMore));
    /// let received = requests.receive(b"st: a\r\n\r\nGET /next", 8192);
    /// let Ok(Progress::Done { value: head, used: 9 }) = received else { panic!() };
    /// assert_eq!(head.host, "a");
    /// assert_eq!(requests.held_bytes(), 0);
    /// ```
    pub fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        max_head_bytes: usize,
    ) -> Result<Progress<Head<'a>>, Refusal> {
        if self.scan.seen_bytes == 0 {
            self.kept = Vec::new();
        }
        let was_in_request_line = self.scan.lines == 0;
        match self.scan.feed(input, max_head_bytes) {
            Ok(Some(used)) => {
                self.scan = Scan::default();
                let mut bytes = &input[..used];
                if !self.kept.is_empty() {
                    self.kept.extend_from_slice(bytes);
                    bytes = &self.kept;
                }
                let value = Head::of(bytes)?;
                Ok(Progress::Done { value, used })
            }
            incomplete => {
                if self.scan.seen_bytes > 0 {
                    self.kept.extend_from_slice(input);
                }
                if was_in_request_line && self.scan.lines > 0 {
                    Head::parse_line(&self.kept)?;
                }
                incomplete.map(|_| Progress::NeedMore)
            }
        }
    }

    /// Returns the memory for an incomplete head, in bytes. 0: between two requests.
    pub fn held_bytes(&self) -> usize {
        let is_between = self.scan.seen_bytes == 0;
        if is_between { 0 } else { self.kept.capacity() }
    }
}

/// Finds the end of a head.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    /// Bytes of the head so far, without a blank line before it.
    seen_bytes: usize,
    /// Complete lines so far.
    lines: u32,
    had_blank_line: bool,
    /// Whether the current line has a byte other than a carriage return.
    in_line: bool,
    last: u8,
}

impl Scan {
    /// Reads the next bytes of the same head. Returns the number of bytes up to its end.
    fn feed(&mut self, input: &[u8], max_head_bytes: usize) -> Result<Option<usize>, Refusal> {
        const TOO_LONG: &str = "the head of the request is too long";
        for (index, &byte) in input.iter().enumerate() {
            self.seen_bytes += 1;
            if self.ends_with(byte).map_err(Refusal::bad_request)? {
                return Ok(Some(index + 1));
            }
            if self.seen_bytes >= max_head_bytes {
                return Err(Refusal::new(431, TOO_LONG));
            }
        }
        Ok(None)
    }

    /// Reads one byte. Returns whether the head ends with it.
    fn ends_with(&mut self, byte: u8) -> Result<bool, &'static str> {
        let is_start = self.lines == 0 && !self.in_line;
        match (std::mem::replace(&mut self.last, byte), byte) {
            (b'\r', b'\n') if self.in_line => {
                self.lines += 1;
                self.in_line = false;
            }
            (b'\r', b'\n') if self.lines > 0 => return Ok(true),
            // RFC 9112 §2.2: a blank line before a request is ignored.
            (b'\r', b'\n') => (self.had_blank_line, self.seen_bytes) = (true, 0),
            (b'\r', _) => return Err("a carriage return without a line feed"),
            (_, b'\n') => return Err("a line feed without a carriage return"),
            (_, b'\r') if !(is_start && self.had_blank_line) => {}
            (_, 0x16) if is_start => {
                return Err("this port speaks HTTP, but the request looks like HTTPS");
            }
            (_, byte) if is_start && !is_token_byte(byte) => {
                return Err("a request begins with its method");
            }
            (_, b'\t' | b' '..=b'~' | 0x80..) => self.in_line = true,
            _ => return Err("the request has a control character"),
        }
        Ok(false)
    }
}

/// The head of a request, borrowed from the received bytes. See [`Fields`] for its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The bytes of the head, with the empty line at its end.
    pub bytes: &'a [u8],
    /// The method, which may be any token. Methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// The path of the target, percent-encoded, which begins with a slash; `*` for `OPTIONS *`.
    pub path: &'a str,
    /// The part of the target after the first `?`.
    pub query: Option<&'a str>,
    /// 0 for HTTP/1.0, and 1 for HTTP/1.1 and later minor versions (RFC 9110 §2.5).
    pub minor_version: u8,
    /// The requested host and port, a legal [`Authority`]: `Host`, unless an absolute target
    /// overrides it (RFC 9112 §3.2.2). Empty if an HTTP/1.0 request has neither.
    pub host: &'a str,
    fields: Fields<'a>,
}

impl<'a> Head<'a> {
    /// Parses the head at the beginning of `bytes`. `used` is its length with the empty line.
    ///
    /// A head longer than `max_head_bytes` is refused (431) as soon as that is known. Any prefix of
    /// an acceptable head is `NeedMore`, and what is refused stays refused whatever follows.
    ///
    /// ```
    /// use parlor::{http::Head, progress::Progress};
    /// let bytes = b"GET /chat?room=1 HTTP/1.1\r\nHost: localhost:8080\r\n\r\nmore bytes";
    /// let parsed = Head::parse(bytes, 8192);
    /// let Ok(Progress::Done { value: head, used: 51 }) = parsed else { panic!() };
    /// assert_eq!((head.method, head.path, head.query), ("GET", "/chat", Some("room=1")));
    /// assert!(head.keeps_alive());
    /// assert_eq!(Head::parse(b"GET /chat HT", 8192), Ok(Progress::NeedMore));
    /// assert_eq!(Head::parse(b"GET chat HTTP/1.1\r\n", 8192).unwrap_err().status, 400);
    /// ```
    pub fn parse(bytes: &'a [u8], max_head_bytes: usize) -> Result<Progress<Self>, Refusal> {
        let mut scan = Scan::default();
        match scan.feed(bytes, max_head_bytes) {
            Ok(Some(used)) => Ok(Progress::Done {
                value: Self::of(&bytes[..used])?,
                used,
            }),
            incomplete => {
                if scan.lines > 0 {
                    Head::parse_line(bytes)?;
                }
                incomplete.map(|_| Progress::NeedMore)
            }
        }
    }

    /// Creates the head of an HTTP/1.1 request that another library parsed, for its headers.
    pub(crate) fn from_fields(method: &'a str, fields: Fields<'a>) -> Self {
        Self {
            bytes: &[],
            method,
            path: "/",
            query: None,
            minor_version: 1,
            host: "",
            fields,
        }
    }

    /// Parses a complete head whose end [`Scan`] found.
    fn of(bytes: &'a [u8]) -> Result<Self, Refusal> {
        // Folded lines are obsolete, and the white space hides names (RFC 9112 §5.1, §5.2).
        const NOT_A_HEADER: &str = "a header line is not a name, a colon and a value; folded lines \
            and white space before the colon are not supported";
        const TOO_MANY: &str = "the request has more than 100 header lines";
        let (mut head, fields) = Self::parse_line(bytes)?;
        head.fields = Fields::parse(fields).map_err(|error| match error {
            httparse::Error::TooManyHeaders => Refusal::new(431, TOO_MANY),
            _ => Refusal::bad_request(NOT_A_HEADER),
        })?;
        let host = check_host(&head.fields, head.minor_version)?;
        if head.host.is_empty() {
            head.host = host;
        }
        check_no_body(&head.fields)?;
        Ok(head)
    }

    /// Parses the request line (RFC 9112 §3). Returns a head without fields, and the bytes after
    /// the line.
    fn parse_line(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let wrong = |sentence: &'static str| Err(Refusal::bad_request(sentence));
        let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
        let end = bytes.windows(2).position(|two| two == b"\r\n");
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        let line = str::from_utf8(line).unwrap_or_default();
        let [method, target, version] = line.split(' ').collect::<Vec<_>>()[..] else {
            return wrong("the request line is not a method, a target and a version");
        };
        if !is_token(method) {
            return wrong("the method is not a token");
        }
        // Browsers send some characters in a query that RFC 3986 forbids, such as `|`.
        let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !target.bytes().all(is_visible) {
            return wrong("the request target has a fragment or a byte that is not visible ASCII");
        }
        let (authority, path) = match target {
            // RFC 9112 §3.2.4: this form is for `OPTIONS` only.
            "*" if method == "OPTIONS" => (None, target),
            target => split_target(target)?,
        };
        let query = path.split_once('?');
        let (path, query) = query.map_or((path, None), |(path, query)| (path, Some(query)));
        let minor_version = match version.strip_prefix("HTTP/").map(str::as_bytes) {
            Some([b'1', b'.', minor @ b'0'..=b'9']) => u8::from(*minor != b'0'),
            Some([b'0'..=b'9', b'.', b'0'..=b'9']) => {
                return Err(Refusal::new(505, "only HTTP/1.1 and 1.0 are supported"));
            }
            _ => return wrong("the request line does not end with a version, such as HTTP/1.1"),
        };
        let head = Self {
            bytes,
            method,
            // RFC 9112 §3.2.1: an absolute target may omit the path.
            path: if path.is_empty() { "/" } else { path },
            query,
            minor_version,
            host: authority.unwrap_or_default(),
            fields: Fields::default(),
        };
        Ok((head, &rest[rest.len().min(2)..]))
    }

    /// Returns whether the client keeps the connection open after this request (RFC 9112 §9.3).
    pub fn keeps_alive(&self) -> bool {
        !self.has_token("connection", "close")
            && (self.minor_version == 1 || self.has_token("connection", "keep-alive"))
    }
}

impl<'a> Deref for Head<'a> {
    type Target = Fields<'a>;

    fn deref(&self) -> &Fields<'a> {
        &self.fields
    }
}

/// Splits a target into authority and path. Origin form has no authority, absolute form has one
/// (RFC 9112 §3.2).
fn split_target(target: &str) -> Result<(Option<&str>, &str), Refusal> {
    let wrong = |sentence: &'static str| Err(Refusal::bad_request(sentence));
    if target.starts_with('/') {
        return Ok((None, target));
    }
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let Some(rest) = rest else {
        return wrong("the request target is neither a path nor an http address");
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match Authority::parse(authority) {
        Some(_) => Ok((Some(authority), path)),
        None => wrong("the address in the request target has an invalid host"),
    }
}

/// Checks that there is one legal `Host` (RFC 9112 §3.2): of two, a proxy might use the other.
fn check_host<'a>(fields: &Fields<'a>, minor_version: u8) -> Result<&'a str, Refusal> {
    let mut hosts = fields.values("host");
    let sentence = match (hosts.next(), hosts.next()) {
        (None, _) if minor_version == 0 => return Ok(""),
        (None, _) => "the request has no Host header",
        (Some(_), Some(_)) => "the request has more than one Host header",
        (Some(host), None) => match str::from_utf8(host) {
            Ok(host) if Authority::parse(host).is_some() => return Ok(host),
            _ => "the Host header is invalid",
        },
    };
    Err(Refusal::bad_request(sentence))
}

/// Checks that no body is announced (RFC 9112 §6). A single plain zero is allowed, because some
/// clients always send it; lists, signs and second headers can smuggle requests.
fn check_no_body(fields: &Fields<'_>) -> Result<(), Refusal> {
    let mut lengths = fields.values("content-length");
    let sentence = match (lengths.next(), lengths.next()) {
        _ if fields.values("transfer-encoding").next().is_some() => {
            "the request has a Transfer-Encoding header, but request bodies are not accepted"
        }
        (None, _) | (Some(b"0"), None) => return Ok(()),
        (Some(_), Some(_)) => "the request has more than one Content-Length header",
        (Some(_), None) => {
            "the Content-Length header is not 0, but request bodies are not accepted"
        }
    };
    Err(Refusal::bad_request(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &str) -> Head<'_> {
        match Head::parse(bytes.as_bytes(), 8192) {
            Ok(Progress::Done { value, used }) if used == bytes.len() => value,
            other => panic!("{bytes:?} is {other:?}"),
        }
    }

    #[test]
    #[rustfmt::skip]
    fn targets_are_split_into_path_query_and_host() {
        let table = [
            ("a path", "/a/b", ("/a/b", None, "h:1")),
            ("a query", "/a?b=c?d", ("/a", Some("b=c?d"), "h:1")),
            ("an empty query", "/?", ("/", Some(""), "h:1")),
            ("a path like an authority", "//x/a", ("//x/a", None, "h:1")),
            ("escapes", "/%2e%2E/%41", ("/%2e%2E/%41", None, "h:1")),
            ("an absolute target", "http://x:9/a", ("/a", None, "x:9")),
            ("an absolute target in any case", "HttpS://[::1]/", ("/", None, "[::1]")),
            ("an absolute target without path", "http://x", ("/", None, "x")),
            ("a query without path", "http://x?a/b", ("/", Some("a/b"), "x")),
        ];
        for (name, target, expected) in table {
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: h:1\r\n\r\n");
            let head = head(&bytes);
            assert_eq!((head.path, head.query, head.host), expected, "{name}");
        }
    }

    #[test]
    fn fields_are_found_in_any_case_and_lists_split() {
        let lines = "A: 1\r\na:\t2 \r\nB:\r\nb: x , ,Y,\r\nB: \"\u{e4}\"\r\n\r\n";
        let bytes = format!("get / HTTP/1.0\r\n{lines}");
        let head = head(&bytes);
        assert_eq!((head.method, head.minor_version, head.host), ("get", 0, ""));
        assert_eq!(head.values("a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(head.tokens("B").collect::<Vec<_>>(), ["x", "Y", "\"ä\""]);
        assert_eq!(head.values("c").count(), 0);
        assert!(head.has_token("b", "y") && !head.has_token("b", "z") && !head.has_token("b", ""));
    }

    #[test]
    #[rustfmt::skip]
    fn connections_stay_open_by_version_and_header() {
        let table = [
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "Connection: Upgrade\r\nconnection: foo, CLOSE\r\n", false),
            ("HTTP/1.1", "Connection: keep-alive\r\n", true),
            ("HTTP/1.1", "Connection: closed\r\n", true),
            ("HTTP/1.2", "", true),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
        ];
        for (version, lines, expected) in table {
            let bytes = format!("GET / {version}\r\nHost: h\r\n{lines}\r\n");
            assert_eq!(head(&bytes).keeps_alive(), expected, "{version} {lines}");
        }
    }

    #[test]
    fn pipelined_heads_are_the_same_however_they_are_cut() {
        let request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        let stream = format!("{request}HEAD /b HTTP/1.0\r\n\r\n\r\n{request}GET /c");
        for piece_length in 1..=stream.len() {
            let mut requests = Requests::default();
            let mut seen = Vec::new();
            for mut piece in stream.as_bytes().chunks(piece_length) {
                while let Progress::Done { value, used } = requests.receive(piece, 8192).unwrap() {
                    seen.push(format!("{} {}", value.method, value.path));
                    piece = &piece[used..];
                }
            }
            let expected = ["GET /a", "HEAD /b", "GET /a"];
            assert_eq!(seen, expected, "in pieces of {piece_length}");
            assert_eq!(requests.kept, b"GET /c");
        }
    }

    #[test]
    fn complete_heads_are_borrowed_from_the_input() {
        let input = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut requests = Requests::default();
        let received = requests.receive(input, 8192);
        let Ok(Progress::Done { value, .. }) = received else {
            panic!()
        };
        assert!(input.as_ptr_range().contains(&value.path.as_ptr()));
        // A gathered head is freed by the next call.
        for piece in [&input[..10], &input[10..], b""] {
            let _ = requests.receive(piece, 8192);
        }
        assert_eq!((requests.held_bytes(), requests.kept.capacity()), (0, 0));
    }
}
