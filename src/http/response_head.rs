//! The head of a response, for whoever is a client: status and headers (RFC 9112 §4).
//!
//! The server never reads one. It is here since `httparse` is, for `websocket::client` and what is
//! built on that.
//!
//! Not here: bodies (a WebSocket's 101 has none), what the headers mean (`websocket::client`).

use super::head::{tokens, values};
use crate::limits;
use crate::progress::Progress;
use httparse::{EMPTY_HEADER, Header, Response, Status};

/// A response without its body. Borrowed from the bytes that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    status: u16,
    minor_version: u8,
    headers: Vec<Header<'a>>,
}

impl<'a> ResponseHead<'a> {
    /// Reads the head at the beginning of `bytes`. `used` is its length with the empty line; an
    /// error is one sentence.
    ///
    /// ```
    /// use parlor::{http::ResponseHead, progress::Progress};
    /// let bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
    /// let Ok(Progress::Done { value: head, used: 56 }) = ResponseHead::parse(bytes, 8192) else { panic!() };
    /// assert_eq!((head.status(), head.has_token("upgrade", "WebSocket")), (101, true));
    /// ```
    pub fn parse(bytes: &'a [u8], max_head_bytes: usize) -> Result<Progress<Self>, &'static str> {
        let mut headers = [EMPTY_HEADER; limits::HEADER_LINES];
        let mut response = Response::new(&mut headers);
        let whole = response.parse(&bytes[..bytes.len().min(max_head_bytes)]);
        match (whole, response.code, response.version) {
            (Ok(Status::Complete(used)), Some(status), Some(minor_version)) => Ok(Progress::Done {
                value: Self {
                    status,
                    minor_version,
                    headers: response.headers.to_vec(),
                },
                used,
            }),
            (Ok(_), ..) if bytes.len() < max_head_bytes => Ok(Progress::NeedMore),
            (Ok(_), ..) => Err("the head of the response is too long"),
            (Err(httparse::Error::Status | httparse::Error::Version), ..) => {
                Err("the response does not begin with HTTP/1.1 and a status")
            }
            (Err(_), ..) => Err("the head of the response is malformed"),
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// Names and values of all headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers
            .iter()
            .map(|header| (header.name, header.value))
    }

    /// As [`Head::values`](super::Head::values).
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        values(&self.headers, name)
    }

    /// As [`Head::tokens`](super::Head::tokens).
    pub fn tokens(&self, name: &str) -> impl Iterator<Item = &'a str> {
        tokens(&self.headers, name)
    }

    /// As [`Head::has_token`](super::Head::has_token).
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name)
            .any(|element| element.eq_ignore_ascii_case(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whole_what_is_not_and_what_is_none() {
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
        assert!(
            ResponseHead::parse(whole, 20).is_err(),
            "longer than it may be"
        );
        assert!(
            ResponseHead::parse(b"SSH-2.0-OpenSSH\r\n", 8192)
                .unwrap_err()
                .contains("HTTP/1.1")
        );
        assert!(ResponseHead::parse(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 8192).is_err());
    }
}
