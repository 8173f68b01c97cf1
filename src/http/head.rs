//! One request head: its lines by `httparse`, and what their fields mean (RFC 9112 §3, §6, §9; RFC
//! 9110 §7.2).
//!
//! By the time a head comes here, `scan` has let its bytes pass; what is judged here needs the
//! whole head: the form of the
//! target, `Host`, and the lengths that announce a body. A request of this server has no body, so
//! there is nothing to
//! measure and nothing to disagree about with a proxy in front.
//!
//! `Expect` is passed over: it asks whether a body may be sent, and there is none (RFC 9110
//! §10.1.1).
//!
//! Not here: which methods and paths there are (`hub::routes`), the fields of an upgrade
//! (`websocket::handshake`), how the
//! bytes of a head come together (`requests`).

use super::authority::Authority;
use super::refusal::Refusal;
use super::scan::Scan;
use crate::limits;
use crate::progress::Progress;
use httparse::{Header, Request, Status};
use std::mem::MaybeUninit;

/// A request without its body, which it has not got. Borrowed from the bytes that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    bytes: &'a [u8],
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    minor_version: u8,
    host: &'a str,
    headers: Vec<Header<'a>>,
}

impl<'a> Head<'a> {
    /// Reads the head at the beginning of `bytes`, which begin with the first byte of a request.
    ///
    /// `used` is the length of the head with its empty line. A head longer than `max_head_bytes` is
    /// refused (431) as soon
    /// as that is known, whether or not its end has come. Any prefix of an acceptable head is
    /// `NeedMore`, and what is
    /// refused stays refused whatever follows. For bytes that come in pieces
    /// [`Requests`](super::Requests) looks at each
    /// of them only once.
    ///
    /// ```
    /// use parlor::{http::Head, progress::Progress};
    /// let bytes = b"GET /chat?room=1 HTTP/1.1\r\nHost: localhost:8080\r\n\r\nbytes behind it";
    /// let Ok(Progress::Done { value: head, used: 51 }) = Head::parse(bytes, 8192) else { panic!() };
    /// assert_eq!((head.method(), head.path(), head.query()), ("GET", "/chat", Some("room=1")));
    /// assert_eq!(Head::parse(b"GET /chat HT", 8192), Ok(Progress::NeedMore));
    /// assert_eq!(Head::parse(b"GET chat", 8192).unwrap_err().status, 400);
    /// ```
    pub fn parse(bytes: &'a [u8], max_head_bytes: usize) -> Result<Progress<Self>, Refusal> {
        Ok(match Scan::default().feed(bytes, max_head_bytes)? {
            Progress::NeedMore => Progress::NeedMore,
            Progress::Done { used, .. } => Progress::Done {
                value: Self::of(&bytes[..used])?,
                used,
            },
        })
    }

    /// Reads a whole head that [`Scan`] let pass: from the first byte of its method to the last of
    /// its empty line.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Refusal> {
        // Not filled with empty ones first: of a hundred lines most heads have ten.
        let mut headers = [const { MaybeUninit::uninit() }; limits::HEADER_LINES];
        let mut request = Request::new(&mut []);
        // `Scan` is the stricter one, so no request fails here; should the two ever differ, the
        // narrower answer counts.
        let Ok(Status::Complete(_)) = request.parse_with_uninit_headers(bytes, &mut headers) else {
            return Err(Refusal::bad_request("the head is malformed"));
        };
        let (Some(method), Some(target), Some(minor_version)) =
            (request.method, request.path, request.version)
        else {
            return Err(Refusal::bad_request("the request line is not complete"));
        };
        let headers = request.headers.to_vec();
        let host = check_host(&headers, minor_version)?;
        check_no_body(&headers)?;
        let (authority, path) = split_target(target)?;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        // RFC 9112 §3.2.1: an absolute target may leave the path out.
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            bytes,
            method,
            path,
            query,
            minor_version,
            host: authority.unwrap_or(host),
            headers,
        })
    }

    /// All of it as it came, with the empty line at its end.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The method as it was spelled; methods are told apart by case (RFC 9110 §9.1). Any token:
    /// which are known is for the
    /// caller to say.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The path of the target, still percent-encoded, without the query; it begins with a slash.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// What stands behind the first `?` of the target.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// Host and port that the client asked for, a legal [`Authority`]: an absolute target's, which
    /// overrules `Host` (RFC
    /// 9112 §3.2.2), or the one of `Host`. Empty where a request of HTTP/1.0 names neither.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The values of all headers of this name, in their order, without white space around them.
    /// They are bytes: a value
    /// may have some that are not ASCII. Names are compared without case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        values(&self.headers, name)
    }

    /// The elements of a header that is a list, over all headers of that name (RFC 9110 §5.6.1):
    /// what stands between
    /// commas, trimmed. Empty elements, and those that are not UTF-8, are left out.
    ///
    /// For lists whose elements have no quoted commas; others (`Sec-WebSocket-Extensions`) have to
    /// take [`Head::values`].
    pub fn tokens(&self, name: &str) -> impl Iterator<Item = &'a str> {
        tokens(&self.headers, name)
    }

    /// Names and values of all headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers
            .iter()
            .map(|header| (header.name, header.value))
    }

    /// Whether a list names this token, in any case: `has_token("connection", "upgrade")`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name)
            .any(|element| element.eq_ignore_ascii_case(token))
    }

    /// Whether the client lets the connection go on after this request (RFC 9112 §9.3). With
    /// HTTP/1.0 it has to ask for it.
    pub fn keeps_alive(&self) -> bool {
        !self.has_token("connection", "close")
            && (self.minor_version == 1 || self.has_token("connection", "keep-alive"))
    }
}

pub(super) fn values<'a>(headers: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

pub(super) fn tokens<'a>(headers: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a str> {
    let elements = values(headers, name).flat_map(|value| value.split(|&byte| byte == b','));
    elements
        .filter_map(|element| str::from_utf8(element.trim_ascii()).ok())
        .filter(|element| !element.is_empty())
}

/// RFC 9112 §3.2: one `Host`, a legal one, in every request of HTTP/1.1. An absolute target changes
/// nothing about that.
/// Two that differ would be read by a proxy and by us as two sites.
fn check_host<'a>(headers: &[Header<'a>], minor_version: u8) -> Result<&'a str, Refusal> {
    let mut hosts = values(headers, "host");
    match (hosts.next(), hosts.next()) {
        (None, _) if minor_version == 0 => Ok(""),
        (None, _) => Err(Refusal::bad_request("the request has no Host header")),
        (Some(_), Some(_)) => Err(Refusal::bad_request(
            "the request has more than one Host header",
        )),
        (Some(host), None) => {
            let host = str::from_utf8(host)
                .ok()
                .filter(|host| Authority::parse(host).is_some());
            host.ok_or_else(|| {
                Refusal::bad_request("the Host header is not a host with an optional port")
            })
        }
    }
}

/// RFC 9112 §6: a body is announced by `Transfer-Encoding` or `Content-Length`. The one
/// announcement that is taken is a
/// single plain zero, which some clients send with every request; a list, a sign, a second header
/// are ways to make two
/// servers read one stream as different requests.
fn check_no_body(headers: &[Header<'_>]) -> Result<(), Refusal> {
    if values(headers, "transfer-encoding").next().is_some() {
        return Err(Refusal::bad_request(
            "the request has a Transfer-Encoding header, and requests here have no body",
        ));
    }
    let mut lengths = values(headers, "content-length");
    match (lengths.next(), lengths.next()) {
        (None, _) | (Some(b"0"), None) => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::bad_request(
            "the request has more than one Content-Length header",
        )),
        (Some(length), None) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            Err(Refusal::bad_request(
                "the Content-Length header announces a body, and requests here have none",
            ))
        }
        (Some(_), None) => Err(Refusal::bad_request(
            "the Content-Length header is not a plain number",
        )),
    }
}

/// Takes a target apart into authority and the rest: origin-form has no authority, absolute-form
/// has one (RFC 9112 §3.2).
fn split_target(target: &str) -> Result<(Option<&str>, &str), Refusal> {
    if target.starts_with('/') {
        return Ok((None, target));
    }
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let Some(rest) = rest else {
        return Err(Refusal::bad_request(
            "the request target is neither a path nor an http or https address",
        ));
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if Authority::parse(authority).is_none() {
        return Err(Refusal::bad_request(
            "the address in the request target has no legal host",
        ));
    }
    Ok((Some(authority), path))
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
    fn targets() {
        let table = [
            ("a path", "/a/b", ("/a/b", None, "h:1")),
            ("a query", "/a?b=c?d", ("/a", Some("b=c?d"), "h:1")),
            ("an empty query", "/?", ("/", Some(""), "h:1")),
            (
                "what looks like an authority is a path",
                "//x/a",
                ("//x/a", None, "h:1"),
            ),
            ("escapes stay", "/%2e%2E/%41", ("/%2e%2E/%41", None, "h:1")),
            (
                "absolute-form: its authority counts",
                "http://x:9/a",
                ("/a", None, "x:9"),
            ),
            (
                "absolute-form, any case, IPv6",
                "HttpS://[::1]/",
                ("/", None, "[::1]"),
            ),
            ("absolute-form without a path", "http://x", ("/", None, "x")),
            (
                "absolute-form without a path, with a query",
                "http://x?a/b",
                ("/", Some("a/b"), "x"),
            ),
        ];
        for (name, target, expected) in table {
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: h:1\r\n\r\n");
            let head = head(&bytes);
            assert_eq!((head.path(), head.query(), head.host()), expected, "{name}");
        }
    }

    #[test]
    fn fields() {
        let head =
            head("get / HTTP/1.0\r\nA: 1\r\na:\t2 \r\nB:\r\nb: x , ,Y,\r\nB: \"\u{e4}\"\r\n\r\n");
        assert_eq!(
            (head.method(), head.minor_version(), head.host()),
            ("get", 0, "")
        );
        assert_eq!(head.values("a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(head.tokens("B").collect::<Vec<_>>(), ["x", "Y", "\"ä\""]);
        assert_eq!(head.values("c").count(), 0);
        assert!(head.has_token("b", "y") && !head.has_token("b", "z") && !head.has_token("b", ""));
    }

    #[test]
    fn connections_go_on_or_not() {
        let table = [
            ("1.1 says nothing", "HTTP/1.1", "", true),
            (
                "1.1 closes, in any case and place",
                "HTTP/1.1",
                "Connection: Upgrade\r\nconnection: foo, CLOSE\r\n",
                false,
            ),
            ("1.1 keeps", "HTTP/1.1", "Connection: keep-alive\r\n", true),
            (
                "a word that only begins alike",
                "HTTP/1.1",
                "Connection: closed\r\n",
                true,
            ),
            ("1.0 says nothing", "HTTP/1.0", "", false),
            ("1.0 asks", "HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            (
                "close counts more",
                "HTTP/1.0",
                "Connection: keep-alive, close\r\n",
                false,
            ),
        ];
        for (name, version, lines, expected) in table {
            let bytes = format!("GET / {version}\r\nHost: h\r\n{lines}\r\n");
            assert_eq!(head(&bytes).keeps_alive(), expected, "{name}");
        }
    }
}
