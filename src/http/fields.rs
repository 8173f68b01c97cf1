//! The header fields of a head (RFC 9110 §5), and the head of a response, which only clients read.

use crate::progress::Progress;
use httparse::{EMPTY_HEADER, Error, Header, Status};

/// Header lines of one head; a request with more gets 431, in which this number is written.
pub const HEADER_LINES: usize = 100;

/// Header fields in their order. Names are compared without case.
///
/// ```
/// use parlor::http::Fields;
/// let fields = Fields::from_iter([("Accept", &b"text/*, image/*"[..]), ("DNT", b"1")]);
/// assert_eq!(fields.headers().count(), 2);
/// assert_eq!(fields.values("dnt").next(), Some(&b"1"[..]));
/// assert_eq!(fields.tokens("accept").last(), Some("image/*"));
/// assert!(fields.has_token("accept", "TEXT/*"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>(Vec<Header<'a>>);

impl<'a> FromIterator<(&'a str, &'a [u8])> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(pairs: I) -> Self {
        let header = |(name, value)| Header { name, value };
        Self(pairs.into_iter().map(header).collect())
    }
}

impl<'a> Fields<'a> {
    /// Parses complete header lines, up to and including the empty line.
    pub(super) fn parse(lines: &'a [u8]) -> Result<Self, Error> {
        let mut headers = [EMPTY_HEADER; HEADER_LINES];
        match httparse::parse_headers(lines, &mut headers)? {
            Status::Complete((_, headers)) => Ok(Self(headers.to_vec())),
            Status::Partial => Err(Error::NewLine),
        }
    }

    /// Returns names and values.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().map(|header| (header.name, header.value))
    }

    /// Returns the values of all fields of this name, without white space around them. Values are
    /// bytes, because they may contain bytes that are not ASCII.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.headers();
        let named = named.filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    }

    /// Returns the elements of a list, over all fields of this name (RFC 9110 §5.6.1). Empty
    /// elements, and those that are not UTF-8, are omitted.
    ///
    /// For lists without quoted commas; use [`Fields::values`] for `Sec-WebSocket-Extensions`.
    pub fn tokens(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .filter_map(|element| str::from_utf8(element.trim_ascii()).ok())
            .filter(|element| !element.is_empty())
    }

    /// Returns whether a list contains this token, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.tokens(name);
        tokens.any(|element| element.eq_ignore_ascii_case(token))
    }
}

/// The head of a response, borrowed from the received bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    status: u16,
    minor_version: u8,
    fields: Fields<'a>,
}

impl<'a> ResponseHead<'a> {
    /// Parses the head at the beginning of `bytes` (RFC 9112 §4). `used` is its length with the
    /// empty line; an error is one sentence.
    ///
    /// ```
    /// use parlor::{http::ResponseHead, progress::Progress};
    /// let bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
    /// let parsed = ResponseHead::parse(bytes, 8192);
    /// let Ok(Progress::Done { value: head, used: 56 }) = parsed else { panic!() };
    /// assert_eq!((head.status(), head.has_token("upgrade", "WebSocket")), (101, true));
    /// assert_eq!(head.minor_version(), 1);
    /// ```
    pub fn parse(bytes: &'a [u8], max_head_bytes: usize) -> Result<Progress<Self>, &'static str> {
        let mut headers = [EMPTY_HEADER; HEADER_LINES];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&bytes[..bytes.len().min(max_head_bytes)]);
        match (parsed, response.code, response.version) {
            (Ok(Status::Complete(used)), Some(status), Some(minor_version)) => {
                let fields = Fields(response.headers.to_vec());
                let value = Self {
                    status,
                    minor_version,
                    fields,
                };
                Ok(Progress::Done { value, used })
            }
            (Ok(_), ..) if bytes.len() < max_head_bytes => Ok(Progress::NeedMore),
            (Ok(_), ..) => Err("the head of the response is too long"),
            (Err(Error::Status | Error::Version), ..) => {
                Err("the response does not begin with HTTP/1.1 and a status")
            }
            (Err(_), ..) => Err("the head of the response is malformed"),
        }
    }

    /// Creates the head of an HTTP/1.1 response that another library parsed.
    pub fn new(status: u16, fields: Fields<'a>) -> Self {
        Self {
            status,
            minor_version: 1,
            fields,
        }
    }

    /// Returns the status code, such as 101.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub fn minor_version(&self) -> u8 {
        self.minor_version
    }
}

impl<'a> std::ops::Deref for ResponseHead<'a> {
    type Target = Fields<'a>;

    fn deref(&self) -> &Fields<'a> {
        &self.fields
    }
}

/// Returns whether this is a token (RFC 9110 §5.6.2), such as a method or a header name.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Returns whether this is a `tchar`, a character of a token.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_heads_complete_partial_and_malformed() {
        let whole = b"HTTP/1.0 200 OK\r\nA: 1\r\na: 2, x\r\n\r\n";
        let Ok(Progress::Done { value: head, used }) = ResponseHead::parse(whole, 8192) else {
            panic!()
        };
        assert_eq!(
            (used, head.status(), head.minor_version()),
            (whole.len(), 200, 0)
        );
        assert_eq!(head.values("A").collect::<Vec<_>>(), [&b"1"[..], b"2, x"]);
        assert_eq!(head.headers().count(), 2);
        for end in 0..whole.len() {
            assert_eq!(
                ResponseHead::parse(&whole[..end], 8192),
                Ok(Progress::NeedMore)
            );
        }
        let table: &[(&[u8], usize, &str)] = &[
            (whole, 20, "too long"),
            (b"SSH-2.0-OpenSSH\r\n", 8192, "HTTP/1.1"),
            (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 8192, "malformed"),
        ];
        for (bytes, limit, part) in table {
            let error = ResponseHead::parse(bytes, *limit).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
