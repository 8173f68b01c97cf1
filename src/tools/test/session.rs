//! The server under test, and open connections to it, or from a client under test.

use super::cases::{Request, frame};
use super::compressor::Compressor;
use super::model::Message;
use super::transport::{End, Transport};
use crate::cli::serve::random;
use crate::http::ResponseHead;
use crate::progress::Progress;
use crate::text::EscapedText;
use crate::tools::address::Address;
use crate::tools::tunnel::connect;
use crate::websocket::client::{Asked, check_response, key};
use crate::websocket::deflate::{Compression, DeflateParameters};
use crate::websocket::{CloseCode, Event, Scratch, WebSocket};
use std::net::TcpListener;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A longer head is refused.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// A longer message of the peer breaks off the case.
const MESSAGE_BYTES: usize = 64 << 20;
/// The time from invalid frames to the ping. A server that hangs up before it has read the ping
/// resets the connection, which could lose its close frame.
pub(super) const PING_DELAY: Duration = Duration::from_millis(200);
/// The length of a pause within an input.
pub(super) const PAUSE: Duration = Duration::from_millis(400);
const PING: &[u8] = b"still there?";
/// A valid `Sec-WebSocket-Key` (RFC 6455 §1.2).
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The reaction of a peer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    Echoes,
    GoesOn,
    Closes,
}

/// A server under test: how to reach it, and what was found out about it.
pub(super) struct Server {
    pub(super) address: Address,
    /// The command whose standard input and output are the stream.
    pub(super) command: Option<String>,
    /// The header lines that every opening handshake has, too.
    pub(super) headers: Vec<String>,
    pub(super) subprotocols: Vec<String>,
    /// The longest silence, for connecting too.
    pub(super) timeout: Duration,
    /// Its reactions to text and to binary messages.
    pub(super) reactions: [Reaction; 2],
    /// Whether it sends messages before it has received one.
    pub(super) speaks_first: bool,
}

impl Server {
    /// Refuses a server elsewhere, whose owner did not ask for this. An address is of this machine
    /// if it can be listened on.
    pub(super) fn check_is_local(&self) -> Result<(), String> {
        let is_elsewhere = |ip| TcpListener::bind((ip, 0)).is_err();
        let mut addresses = self.address.resolve()?.into_iter().map(|one| one.ip());
        match addresses.find(|ip| !ip.is_loopback() && is_elsewhere(*ip)) {
            None => Ok(()),
            Some(ip) => Err(format!(
                "{ip} is elsewhere, not on this machine: --allow-remote tests your own server there"
            )),
        }
    }

    /// Sends an opening handshake on a new stream. Returns the stream and the response.
    pub(super) fn shake_hands(
        &self,
        request: &Request,
        timeout: Duration,
    ) -> Result<(Transport, End), String> {
        let mut transport = self.connect()?;
        let bytes = request.bytes();
        bytes
            .chunks(request.chop)
            .for_each(|piece| transport.send(piece));
        let response = transport.receive_head(timeout, |bytes| {
            ResponseHead::parse(bytes, HEAD_BYTES)?.try_map(|head| {
                let has_extension = head.values("sec-websocket-extensions").next().is_some();
                Ok::<_, &str>(End::Status(head.status(), has_extension))
            })
        });
        Ok((transport, response.unwrap_or_else(|end| end)))
    }

    fn connect(&self) -> Result<Transport, String> {
        let command = self.command.as_deref();
        let (stream, tunnel) = connect(&self.address, command, self.timeout)?;
        Transport::new(stream, tunnel, self.timeout)
    }

    /// Returns the request of an opening handshake, with this value of `Sec-WebSocket-Key`.
    pub(super) fn request(&self, key: &str) -> Request {
        let mut request = Request::new(&self.address.authority, &self.address.target, key);
        let headers = self.headers.iter().map(|line| line.clone().into_bytes());
        request.lines.extend(headers);
        if !self.subprotocols.is_empty() {
            request.add("Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        request
    }

    /// Opens a WebSocket, with an offer of compression. Returns the `Server` header, too.
    pub(super) fn open(&self, offer: Option<&str>) -> Result<(Session, String), String> {
        let (mut transport, key) = (self.connect()?, key(random()?));
        let mut request = self.request(&key);
        if let Some(offer) = offer {
            request.add("Sec-WebSocket-Extensions", offer);
        }
        transport.send(&request.bytes());
        let subprotocols: Vec<_> = self.subprotocols.iter().map(String::as_str).collect();
        let asked = Asked {
            key: &key,
            subprotocols: &subprotocols,
            extensions: offer.map_or(&[], |_| &["permessage-deflate"]),
        };
        let response = transport.receive_head(self.timeout, |bytes| {
            ResponseHead::parse(bytes, HEAD_BYTES)?.try_map(|head| {
                check_response(&head, &asked).map_err(|error| error.to_string())?;
                let values = head.values("sec-websocket-extensions");
                let deflate = DeflateParameters::agreed(values, Compression::ContextTakeover);
                let deflate =
                    deflate.map_err(|()| "the server changed the offer of compression")?;
                let name = head.values("server").next().unwrap_or_default();
                Ok::<_, String>((deflate, String::from_utf8_lossy(name).into_owned()))
            })
        });
        let authority = &self.address.authority;
        let (deflate, name) = response.map_err(|end| match end {
            End::Invalid(error) => error,
            End::HungUp if self.command.is_some() => {
                "the command ended instead of an answer".to_owned()
            }
            End::HungUp => format!("{authority} hung up instead of an answer"),
            _ => format!("{authority} does not answer the opening handshake"),
        })?;
        transport.forget();
        Ok((self.session(transport, deflate), name))
    }

    /// Like [`Server::open`], with a second try: a server may have a limit, and close others late.
    pub(super) fn open_patiently(&self, offer: Option<&str>) -> Result<Session, String> {
        let opened = self.open(offer).or_else(|_| {
            sleep(PAUSE);
            self.open(offer)
        });
        opened.map(|(session, _)| session)
    }

    /// Creates the state of a connection to the server, after the messages that it sends first.
    pub(super) fn session(
        &self,
        transport: Transport,
        deflate: Option<DeflateParameters>,
    ) -> Session {
        // Only tests receive these frames, so their masking key needs no secret.
        let websocket = WebSocket::client(MESSAGE_BYTES, || [0; 4]).with_deflate(deflate);
        let mut session = Session::new(transport, websocket);
        session.masks = true;
        session.compressor = deflate.map(Compressor::new);
        if self.speaks_first {
            session.ping();
            (session.answers, session.is_answered) = (Vec::new(), false);
            session.transport.forget();
        }
        session
    }

    /// Checks that the server answers a ping. An error is what came instead.
    pub(super) fn ping(&self) -> Result<(), String> {
        let mut session = self.open_patiently(None)?;
        session.ping();
        session.end.map_or(Ok(()), |end| Err(end.sentence()))
    }

    pub(super) fn reaction_to(&self, opcode: u8) -> Reaction {
        let session = self.open_patiently(None);
        session.map_or(Reaction::Closes, |mut session| session.probe(opcode))
    }

    /// Returns the shortest message that the server refuses as too long, of some lengths in bytes.
    pub(super) fn refused_length(&self) -> Option<usize> {
        (17..=23).map(|bits| 1 << bits).find(|length| {
            let Ok(mut session) = self.open_patiently(None) else {
                return false;
            };
            session.send(0x82, &vec![0; *length]);
            session.send(0x80, b"");
            session.receive(None, |_| false);
            matches!(session.end, Some(End::Close(Some(1009), _)))
        })
    }
}

/// An open connection with what came back so far.
pub(super) struct Session {
    pub(super) transport: Transport,
    websocket: WebSocket,
    scratch: Scratch,
    /// Bytes received, and how many of them `websocket` has taken.
    input: (Vec<u8>, usize),
    /// Whether our frames are masked, because the peer is a server.
    pub(super) masks: bool,
    pub(super) compressor: Option<Compressor>,
    pub(super) answers: Vec<Message>,
    /// Whether the ping was answered that judges the connection.
    pub(super) is_answered: bool,
    pub(super) end: Option<End>,
}

impl Session {
    /// Creates the state of a connection to a client.
    pub(super) fn with_client(transport: Transport) -> Self {
        Self::new(transport, WebSocket::server(MESSAGE_BYTES))
    }

    fn new(transport: Transport, websocket: WebSocket) -> Self {
        Self {
            transport,
            websocket,
            scratch: Scratch::default(),
            input: Default::default(),
            masks: false,
            compressor: None,
            answers: Vec::new(),
            is_answered: false,
            end: None,
        }
    }

    /// Sends the response to a client's opening handshake.
    pub(super) fn accept(&mut self, response: &Request) {
        self.transport.send(&response.bytes());
        self.transport.forget();
    }

    pub(super) fn send(&mut self, first: u8, payload: &[u8]) {
        let frame = frame(first, payload.to_vec(), self.masks);
        self.transport.send(&frame.bytes());
    }

    /// Sends a ping, and waits for its pong.
    pub(super) fn ping(&mut self) {
        self.send(0x89, PING);
        self.receive(None, |session| session.is_answered);
    }

    /// Sends a close frame, and waits for the answer.
    pub(super) fn close(&mut self) {
        self.send(0x88, &1000_u16.to_be_bytes());
        self.receive(None, |_| false);
    }

    /// Sends a message of this opcode, and returns the peer's reaction.
    pub(super) fn probe(&mut self, opcode: u8) -> Reaction {
        let message = &(opcode, b"parlor test".to_vec());
        self.send(0x80 | opcode, &message.1);
        self.ping();
        self.receive(Some(PING_DELAY), |session| {
            session.answers.contains(message)
        });
        match self.end {
            _ if self.answers.contains(message) => Reaction::Echoes,
            None => Reaction::GoesOn,
            Some(_) => Reaction::Closes,
        }
    }

    /// Receives until `is_done`, at most for `time`, and as long as the peer does something. Sets
    /// `end` if the connection ends.
    pub(super) fn receive(&mut self, time: Option<Duration>, is_done: impl Fn(&Self) -> bool) {
        let until = time.map(|time| Instant::now() + time);
        while !is_done(self) && self.end.is_none() {
            if self.take_message() {
                continue;
            }
            let deadline = self.transport.deadline();
            let next = until.map_or(deadline, |until| until.min(deadline));
            match self.transport.receive(next) {
                Some(bytes) if bytes.is_empty() => self.end = Some(End::HungUp),
                Some(bytes) => self.input = (bytes, 0),
                None if next == deadline => self.end = Some(End::Nothing(self.transport.timeout)),
                None => return,
            }
        }
    }

    /// Takes the next message or control frame from the input. `false`: there is no whole one.
    fn take_message(&mut self) -> bool {
        let (bytes, taken) = &mut self.input;
        // We answer no pings and close frames.
        let mut unsent = Vec::new();
        let received = self
            .websocket
            .receive(&mut bytes[*taken..], &mut self.scratch, &mut unsent);
        match received {
            Ok(Progress::NeedMore) => {
                bytes.clear();
                *taken = 0;
                return false;
            }
            Err(violation) => self.end = Some(End::Invalid(violation.rule().reason.to_owned())),
            Ok(Progress::Done { value, used }) => {
                *taken += used;
                match value {
                    Event::Text(text) => self.answers.push((0x1, text.into())),
                    Event::Binary(bytes) => self.answers.push((0x2, bytes.into())),
                    Event::Ping(_) => {}
                    Event::Pong(PING) => self.is_answered = true,
                    Event::Pong(payload) => self.answers.push((0xa, payload.into())),
                    Event::Close(frame) => {
                        let reason = EscapedText(frame.reason).to_string();
                        self.end = Some(End::Close(frame.code.map(CloseCode::get), reason));
                    }
                }
            }
        }
        true
    }
}
