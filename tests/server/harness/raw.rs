//! A TCP connection to the server, and HTTP responses on it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::PATIENCE;

/// A connection, and bytes received that were not used yet.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

/// Why no bytes were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    Ended,
    Reset,
    Silence,
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the server reads");
    }

    /// Sends each byte in a packet of its own.
    pub(crate) fn send_slowly(&mut self, bytes: impl AsRef<[u8]>) {
        for (n, byte) in bytes.as_ref().iter().enumerate() {
            self.send([*byte]);
            if n % 8 == 0 {
                thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Shuts down the sending side.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a half close");
    }

    /// Makes the receive buffer of the kernel small.
    pub(crate) fn narrow(&self) {
        rustix::net::sockopt::set_socket_recv_buffer_size(&self.stream, 65_536).expect("a size");
    }

    /// Reads once into the buffer.
    pub(crate) fn fill(&mut self) -> Result<(), Nothing> {
        let mut chunk = [0; 64 << 10];
        loop {
            return match self.stream.read(&mut chunk) {
                Ok(0) => Err(Nothing::Ended),
                Ok(n) => {
                    self.buffer.extend_from_slice(&chunk[..n]);
                    Ok(())
                }
                Err(error) => match error.kind() {
                    // A process that was stopped and continued (signal(7)).
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(Nothing::Silence),
                    ErrorKind::ConnectionReset => Err(Nothing::Reset),
                    _ => panic!("reading fails: {error}"),
                },
            };
        }
    }

    /// The buffer as text, for messages.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads until the server ends the connection without a reset.
    pub(crate) fn until_the_end(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(Nothing::Ended) => return std::mem::take(&mut self.buffer),
                Err(other) => panic!("{other:?} before the end, after {:?}", self.shown()),
            }
        }
    }

    /// Checks that the server sends nothing more and ends the connection.
    pub(crate) fn assert_ended(&mut self, name: &str) {
        let rest = self.until_the_end();
        let rest = String::from_utf8_lossy(&rest);
        assert!(rest.is_empty(), "{name}: more bytes: {rest:?}");
    }

    /// Reads the response to a `GET`.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = self.response_head();
        if response.status == 101 || response.status == 304 {
            return response;
        }
        let length = response.header("content-length").expect("a length");
        let length: usize = length.parse().expect("a number");
        while self.buffer.len() < length {
            if let Err(nothing) = self.fill() {
                panic!("{nothing:?} within the body of {}", response.head);
            }
        }
        response.body = self.buffer.drain(..length).collect();
        response
    }

    /// Asks for `/metrics`. Returns the value of one line.
    pub(crate) fn metric(&mut self, name: &str) -> Option<f64> {
        self.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let text = self.response().text();
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        Some(value.parse().expect("a number"))
    }

    /// Reads a response without a body.
    pub(crate) fn response_head(&mut self) -> Response {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if let Err(nothing) = self.fill() {
                panic!("{nothing:?} instead of a head: {:?}", self.shown());
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        Response::parse(String::from_utf8(head).expect("a head in ASCII"))
    }
}

/// An HTTP response with its body.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Checks the headers that every response but a 101 has.
    fn parse(head: String) -> Self {
        let status = head.strip_prefix("HTTP/1.1 ").expect("a status line");
        let response = Self {
            status: status[..3].parse().expect("a status"),
            head,
            body: Vec::new(),
        };
        if response.status != 101 {
            let date = response.header("date").expect("a date");
            assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
            assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        }
        response
    }

    /// A header's value. Fails if the header is repeated.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value);
        assert_eq!(values.next(), None, "{name} comes twice in {}", self.head);
        value
    }

    /// Whether a list header has this token, in any case.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.header(name).unwrap_or_default().split(',');
        tokens.any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body in UTF-8")
    }

    /// Checks a refusal: one line of text, without `xyzzy`, which tests put into requests.
    pub(crate) fn assert_refusal(&self, name: &str, statuses: &[u16]) {
        let text = self.text();
        assert!(statuses.contains(&self.status), "{name}: {self:?}");
        let media = self.header("content-type").unwrap_or_default();
        assert!(media.starts_with("text/plain"), "{name}: {media}");
        let line = text.trim_end();
        assert!(line.contains(' ') && !line.contains('\n'), "{text}");
        let whole = format!("{}{text}", self.head).to_lowercase();
        assert!(!whole.contains("xyzzy"), "{name}: {whole}");
    }
}
