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

use crate::http::Refusal;
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
    let mut head = Head::new(stream);
    loop {
        match ServerHandshake::parse(&head.received, config) {
            Ok(Progress::NeedMore) => head.read()?,
            Ok(Progress::Done { value, used }) => {
                let mut out = Vec::new();
                value.response(&mut out);
                head.stream.write_all(&out)?;
                let subprotocol = value.accepted.subprotocol.as_deref().map(str::to_owned);
                return Ok(head.upgraded(used, value.accepted.server(), subprotocol));
            }
            Err(refusal) => {
                let mut out = Vec::new();
                refusal.encode(&mut out);
                head.stream.write_all(&out)?;
                return Err(Error::Refused(refusal));
            }
        }
    }
}

/// Does the handshake of a client on a connected stream, for an address such as
/// `ws://example.com/chat`. For `wss://` the stream is a TLS session.
pub fn connect<S: Read + Write>(
    stream: S,
    url: &str,
    config: &Config,
) -> Result<Connection<S>, Error> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let slash = if target.starts_with('/') { "" } else { "/" };
    let mut masking_key = masking_keys();
    let nonce = std::array::from_fn(|_| masking_key()[0]);
    let handshake = ClientHandshake::new(host, &format!("{slash}{target}"), nonce, config)?;
    let (mut head, mut out) = (Head::new(stream), Vec::new());
    handshake.request(&mut out);
    head.stream.write_all(&out)?;
    loop {
        match handshake.parse(&head.received)? {
            Progress::NeedMore => head.read()?,
            Progress::Done { value, used } => {
                let subprotocol = value.subprotocol.clone();
                let websocket = value.client(masking_key);
                return Ok(head.upgraded(used, websocket, subprotocol));
            }
        }
    }
}

/// Returns a source of masking keys (RFC 6455 §5.3): a keyed hash of a counter. The key is that of
/// [`RandomState`], which the standard library draws from the system's random numbers.
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
    /// With a read timeout on the stream, the error of a timeout loses nothing: call it again.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        loop {
            let (input, out) = (&mut self.received[self.used..], &mut self.out);
            let message = match self.websocket.receive(input, &mut self.scratch, out) {
                Ok(Progress::NeedMore) if self.websocket.is_closed() => {
                    self.flush()?;
                    return Ok(None);
                }
                Ok(Progress::NeedMore) => {
                    self.flush()?;
                    self.received.resize(READ_BYTES, 0);
                    self.used = READ_BYTES;
                    let count = read(&mut self.stream, &mut self.received)?;
                    self.received.truncate(count);
                    self.used = 0;
                    None
                }
                Ok(Progress::Done { value, used }) => {
                    self.used += used;
                    match value {
                        Event::Text(text) => Some(Message::Text(text.to_owned())),
                        Event::Binary(payload) => Some(Message::Binary(payload.to_owned())),
                        Event::Close(frame) => {
                            self.peer_close = Some((frame.code, frame.reason.to_owned()));
                            None
                        }
                        _ => None,
                    }
                }
                Err(violation) => {
                    self.websocket.close(violation.close_frame(), out);
                    self.flush()?;
                    return Err(Error::Violation(violation));
                }
            };
            if message.is_some() {
                return Ok(message);
            }
        }
    }

    /// Sends a message: `&str`, `&[u8]`, `&Message`, or an [`Event`] such as a ping.
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

    fn flush(&mut self) -> io::Result<()> {
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
}

/// A stream before its handshake is complete.
struct Head<S> {
    stream: S,
    received: Vec<u8>,
}

impl<S: Read> Head<S> {
    fn new(stream: S) -> Self {
        let received = Vec::new();
        Self { stream, received }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4 << 10];
        let count = read(&mut self.stream, &mut buffer)?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(())
    }

    fn upgraded(
        self,
        used: usize,
        websocket: WebSocket,
        subprotocol: Option<String>,
    ) -> Connection<S> {
        Connection {
            stream: self.stream,
            websocket,
            subprotocol,
            scratch: Scratch::default(),
            received: self.received,
            used,
            out: Vec::new(),
            peer_close: None,
        }
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
