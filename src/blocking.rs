//! A blocking WebSocket over any stream that has [`Read`] and [`Write`]: a TCP or Unix socket, or a
//! TLS session of another library. The only I/O of the library; the protocol is in
//! [`websocket`](crate::websocket).
//!
//! ```
//! use parlor::blocking::{accept, connect};
//! use parlor::websocket::{CloseCode, Config};
//! use std::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = std::thread::spawn(move || -> Result<(), parlor::blocking::Error> {
//!     let (stream, _) = listener.accept()?;
//!     let mut websocket = accept(stream, &Config::default())?;
//!     while let Some(message) = websocket.read()? {
//!         websocket.send(&message)?;
//!     }
//!     Ok(())
//! });
//! let stream = TcpStream::connect(address)?;
//! let mut websocket = connect(stream, &format!("ws://{address}/echo"), &Config::default())?;
//! websocket.send("Hello")?;
//! assert_eq!(websocket.read()?, Some("Hello".into()));
//! websocket.close(CloseCode::NORMAL, "that was all")?;
//! server.join().expect("the server does not panic")?;
//! # Ok::<(), parlor::blocking::Error>(())
//! ```

use crate::http::{Head, Refusal};
use crate::progress::Progress;
use crate::websocket::{
    ClientHandshake, CloseCode, CloseFrame, Config, Event, HandshakeError, Scratch, SendError,
    ServerHandshake, Violation, WebSocket,
};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};

/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;

/// Receives the handshake of a client. A wrong request is answered before the error is returned.
pub fn accept<S: Read + Write>(stream: S, config: &Config) -> Result<Connection<S>, Error> {
    accept_with(stream, config, |_| Ok(()))
}

/// Like [`accept`], for a server that reads the request: its path, `Origin`, `Authorization`. A
/// refusal that `check` returns is the answer.
///
/// ```
/// use parlor::{blocking::accept_with, http::Refusal, websocket::Config};
/// # use std::io::Write;
/// # let (mut client, stream) = std::os::unix::net::UnixStream::pair()?;
/// # client.write_all(b"GET /news HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
/// #     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nOrigin: https://evil.example\r\n\
/// #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")?;
/// let mut path = String::new();
/// let accepted = accept_with(stream, &Config::default(), |request| {
///     path = request.path.to_owned();
///     match request.values("Origin").next() {
///         Some(b"https://chat.example") => Ok(()),
///         _ => Err(Refusal::new(403, "this page may not connect")),
///     }
/// });
/// assert_eq!(path, "/news");
/// assert_eq!(accepted.unwrap_err().to_string(), "this page may not connect (status 403)");
/// # Ok::<(), parlor::blocking::Error>(())
/// ```
pub fn accept_with<S: Read + Write>(
    mut stream: S,
    config: &Config,
    mut check: impl FnMut(&Head<'_>) -> Result<(), Refusal>,
) -> Result<Connection<S>, Error> {
    let parse = |bytes: &[u8]| {
        Head::parse(bytes, config.max_head_bytes)?.try_map(|head| {
            let handshake = ServerHandshake::from_head(&head, config)?;
            check(&head).map(|()| handshake)
        })
    };
    let (parsed, mut out) = (read_head(&mut stream, parse), Vec::new());
    match &parsed {
        Ok((handshake, _)) => handshake.response(&mut out),
        Err(Error::Refused(refusal)) => refusal.encode(&mut out),
        Err(_) => {}
    }
    stream.write_all(&out)?;
    let (ServerHandshake { accepted, .. }, received) = parsed?;
    let mut connection = Connection::new(stream, accepted.server(), received);
    connection.subprotocol = accepted.subprotocol;
    Ok(connection)
}

/// Does the handshake of a client on a connected stream, for an address such as
/// `ws://example.com/chat`. For `wss://` the stream is a TLS session.
pub fn connect<S: Read + Write>(
    mut stream: S,
    url: &str,
    config: &Config,
) -> Result<Connection<S>, Error> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let slash = if target.starts_with('/') { "" } else { "/" };
    let mut masking_key = masking_keys();
    let nonce = std::array::from_fn(|_| masking_key()[0]);
    let handshake = ClientHandshake::new(host, &format!("{slash}{target}"), nonce, config)?;
    let mut out = Vec::new();
    handshake.request(&mut out);
    stream.write_all(&out)?;
    let (accepted, received) = read_head(&mut stream, |bytes| handshake.parse(bytes))?;
    let mut connection = Connection::new(stream, accepted.client(masking_key), received);
    connection.subprotocol = accepted.subprotocol;
    Ok(connection)
}

/// Reads until `parse` has a result. Returns it, and the bytes after it.
fn read_head<T, E>(
    stream: &mut impl Read,
    mut parse: impl FnMut(&[u8]) -> Result<Progress<T>, E>,
) -> Result<(T, Vec<u8>), Error>
where
    Error: From<E>,
{
    let (mut received, mut buffer) = (Vec::new(), [0; 4 << 10]);
    loop {
        if let Progress::Done { value, used } = parse(&received)? {
            received.drain(..used);
            return Ok((value, received));
        }
        let count = read(stream, &mut buffer)?;
        received.extend_from_slice(&buffer[..count]);
    }
}

/// Returns a source of masking keys (RFC 6455 §5.3): a keyed hash of a counter. The key is that of
/// [`RandomState`], which the standard library draws from the system's random numbers. The target
/// `wasm32-unknown-unknown` has none; pass keys of your own there.
///
/// ```
/// let mut keys = parlor::blocking::masking_keys();
/// assert_ne!([keys(), keys()], [keys(), keys()]);
/// ```
pub fn masking_keys() -> impl FnMut() -> [u8; 4] + Send + 'static {
    let (state, mut counter) = (RandomState::new(), 0_u64);
    move || {
        counter += 1;
        (state.hash_one(counter) as u32).to_ne_bytes()
    }
}

/// A text or binary message.
///
/// ```
/// use parlor::blocking::Message;
/// assert_eq!(Message::from("Hello"), Message::Text("Hello".to_owned()));
/// assert_ne!(Message::from("Hello"), Message::Binary(b"Hello".to_vec()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text, which is UTF-8.
    Text(String),
    /// A message of any bytes.
    Binary(Vec<u8>),
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<'a> From<&'a Message> for Event<'a> {
    fn from(message: &'a Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Binary(payload) => Self::Binary(payload),
        }
    }
}

/// A WebSocket on its stream.
///
/// ```
/// use parlor::blocking::{Connection, masking_keys};
/// use parlor::websocket::{CloseCode, CloseFrame, Event, WebSocket};
/// use std::{os::unix::net::UnixStream, time::Duration};
/// // Without a handshake; otherwise `accept` and `connect` return this.
/// let (server, client) = UnixStream::pair()?;
/// let mut server = Connection::new(server, WebSocket::server(1 << 20), Vec::new());
/// let websocket = WebSocket::client(1 << 20, masking_keys());
/// let mut client = Connection::new(client, websocket, Vec::new());
/// client.get_ref().set_read_timeout(Some(Duration::from_secs(60)))?;
/// client.get_mut().set_write_timeout(Some(Duration::from_secs(60)))?;
/// client.send(Event::Ping(b"are you there?"))?;
/// client.send("Hello")?;
/// client.flush()?;
/// assert_eq!(server.read()?, Some("Hello".into()));
/// server.send(Event::Close(CloseFrame::new(CloseCode::GOING_AWAY, "bye")))?;
/// assert_eq!(client.read()?, None);
/// assert_eq!(client.peer_close(), Some((Some(CloseCode::GOING_AWAY), "bye")));
/// assert_eq!(client.subprotocol(), None);
/// # Ok::<(), parlor::blocking::Error>(())
/// ```
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    websocket: WebSocket,
    subprotocol: Option<String>,
    scratch: Scratch,
    /// Received bytes, of which the first `used` are parsed.
    received: Vec<u8>,
    used: usize,
    out: Vec<u8>,
    peer_close: Option<(Option<CloseCode>, String)>,
}

impl<S: Read + Write> Connection<S> {
    /// Waits for the next message. `None`: the closing handshake is complete. Pings are answered
    /// meanwhile; pongs are ignored.
    ///
    /// With a read timeout on the stream, or one that doesn't block, the error
    /// [`ErrorKind::WouldBlock`] loses nothing: call it again.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        loop {
            let (input, out) = (&mut self.received[self.used..], &mut self.out);
            match self.websocket.receive(input, &mut self.scratch, out) {
                Ok(Progress::Done { value, used }) => {
                    self.used += used;
                    match value {
                        Event::Text(text) => return Ok(Some(Message::Text(text.to_owned()))),
                        Event::Binary(bytes) => return Ok(Some(Message::Binary(bytes.to_owned()))),
                        Event::Close(frame) => {
                            self.peer_close = Some((frame.code, frame.reason.to_owned()));
                        }
                        Event::Ping(_) | Event::Pong(_) => {}
                    }
                    continue;
                }
                Ok(Progress::NeedMore) => {}
                Err(violation) => {
                    self.websocket.close(violation.close_frame(), out);
                    let _ = self.flush();
                    return Err(Error::Violation(violation));
                }
            }
            match self.flush() {
                _ if self.websocket.is_closed() => return Ok(None),
                // A full socket can be read, and so can one whose peer reads no more.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) if self.websocket.close_sent() => {}
                flushed => flushed?,
            }
            self.received.resize(READ_BYTES, 0);
            self.used = READ_BYTES;
            let count = read(&mut self.stream, &mut self.received)?;
            self.received.truncate(count);
            self.used = 0;
        }
    }

    /// Sends a message: `&str`, `&[u8]`, `&Message`, or an [`Event`] such as a ping. After
    /// [`ErrorKind::WouldBlock`] the rest of it is sent by [`Connection::flush`].
    pub fn send<'a>(&mut self, message: impl Into<Event<'a>>) -> Result<(), Error> {
        self.websocket.send(message, &mut self.out)?;
        Ok(self.flush()?)
    }

    /// Does the closing handshake: sends our close frame, and waits for that of the peer. Messages
    /// that arrive meanwhile are discarded.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.websocket
            .close(CloseFrame::new(code, reason), &mut self.out);
        while self.read()?.is_some() {}
        Ok(())
    }

    /// Writes everything that was sent and not written yet.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream.flush()
    }
}

impl<S> Connection<S> {
    /// Creates the connection of a stream after its opening handshake. `received` are the bytes
    /// that were read after it.
    pub fn new(stream: S, websocket: WebSocket, received: Vec<u8>) -> Self {
        Self {
            stream,
            websocket,
            subprotocol: None,
            scratch: Scratch::default(),
            received,
            used: 0,
            out: Vec::new(),
            peer_close: None,
        }
    }

    /// Returns the negotiated subprotocol.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the code and the reason of the peer's close frame, once it has arrived.
    pub fn peer_close(&self) -> Option<(Option<CloseCode>, &str)> {
        let (code, reason) = self.peer_close.as_ref()?;
        Some((*code, reason))
    }

    /// Returns the stream, for example to set a timeout.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream. Bytes that the caller reads or writes are missing in the WebSocket.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

/// Reads once. The end of the stream is an error, because a close frame has to come before it.
fn read(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Why a connection failed.
///
/// ```
/// use parlor::{blocking::{Error, accept}, websocket::Config};
/// let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// let accepted = accept(std::io::Cursor::new(request.to_vec()), &Config::default());
/// let Err(Error::Refused(refusal)) = accepted else { panic!() };
/// assert_eq!(refusal.status, 426);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The stream failed, or ended without a close frame ([`ErrorKind::UnexpectedEof`]).
    Io(io::Error),
    /// A client's request was refused, and the answer was sent.
    Refused(Refusal),
    /// The server's response breaks a rule, or the address is not valid.
    Handshake(HandshakeError),
    /// The peer broke a rule; our close frame says so.
    Violation(Violation),
    /// The message can't be sent.
    Send(SendError),
}

macro_rules! from {
    ($($variant:ident($error:ty)),+) => {
        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(error) => error.fmt(f),)+
                }
            }
        }
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

from!(
    Io(io::Error),
    Refused(Refusal),
    Handshake(HandshakeError),
    Violation(Violation),
    Send(SendError)
);

impl std::error::Error for Error {}
