//! The server under test: how to reach it and to open connections to it.

use super::cases::Request;
use super::compressor::Compressor;
use super::session::{End, HEAD_BYTES, Reaction, Session};
use crate::cli::serve::random;
use crate::http::ResponseHead;
use crate::tools::address::Address;
use crate::tools::tool::Failure;
use crate::tools::tunnel::connect;
use crate::websocket::client::{Asked, check_response, key};
use crate::websocket::deflate::{Compression, DeflateParameters};
use std::net::TcpListener;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The time to a second try.
const PAUSE: Duration = Duration::from_millis(400);
/// A valid `Sec-WebSocket-Key` (RFC 6455 §1.2).
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A server under test: how to reach it, and what was found out about it.
pub(super) struct Server {
    pub(super) address: Address,
    /// The command whose standard input and output are the stream.
    pub(super) command: Option<String>,
    /// More header lines of every opening handshake. One that has the name of ours replaces it.
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
    pub(super) fn check_is_local(&self) -> Result<(), Failure> {
        let is_elsewhere = |ip| TcpListener::bind((ip, 0)).is_err();
        let addresses = self.address.resolve().map_err(Failure::Unreachable)?;
        let mut addresses = addresses.into_iter().map(|one| one.ip());
        match addresses.find(|ip| !ip.is_loopback() && is_elsewhere(*ip)) {
            None => Ok(()),
            Some(ip) => Err(Failure::Wrong(format!(
                "{ip} is elsewhere, not on this machine: --allow-remote tests your own server there"
            ))),
        }
    }

    /// Sends an opening handshake on a new connection, and receives the response. An error of the
    /// second result is what came instead.
    pub(super) fn shake_hands<T>(
        &self,
        request: &Request,
        timeout: Duration,
        judge: impl Fn(&ResponseHead<'_>) -> Result<T, String>,
    ) -> Result<(Session, Result<T, End>), String> {
        let (stream, tunnel) = connect(&self.address, self.command.as_deref(), self.timeout)?;
        let mut session = Session::new(stream, tunnel, self.timeout, true)?;
        let bytes = request.bytes();
        bytes
            .chunks(request.chop)
            .for_each(|piece| session.send(piece));
        let response = session.receive_head(timeout, |bytes| {
            ResponseHead::parse(bytes, HEAD_BYTES)?.try_map(|head| judge(&head))
        });
        Ok((session, response))
    }

    /// Returns the request of an opening handshake, with this value of `Sec-WebSocket-Key`.
    pub(super) fn request(&self, key: &str) -> Request {
        let mut request = Request::new(&self.address.authority, &self.address.target, key);
        for line in &self.headers {
            request.edit(&format!("- {}", line.split(':').next().unwrap_or_default()));
        }
        let headers = self.headers.iter().map(|line| line.clone().into_bytes());
        request.lines.extend(headers);
        if !self.subprotocols.is_empty() {
            request.add("Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        request
    }

    /// Opens a WebSocket, with an offer of compression. Returns the `Server` header, too.
    pub(super) fn open(&self, offer: Option<&str>) -> Result<(Session, String), String> {
        let key = key(random()?);
        let mut request = self.request(&key);
        if let Some(offer) = offer {
            request.add("Sec-WebSocket-Extensions", offer);
        }
        let subprotocols: Vec<_> = self.subprotocols.iter().map(String::as_str).collect();
        let asked = Asked {
            key: &key,
            subprotocols: &subprotocols,
            extensions: offer.map_or(&[], |_| &["permessage-deflate"]),
        };
        let (mut session, response) = self.shake_hands(&request, self.timeout, |head| {
            check_response(head, &asked).map_err(|error| error.to_string())?;
            let values = head.values("sec-websocket-extensions");
            let deflate = DeflateParameters::agreed(values, Compression::ContextTakeover);
            let deflate = deflate.map_err(|()| "the server changed the offer of compression")?;
            let name = head.values("server").next().unwrap_or_default();
            Ok((deflate, String::from_utf8_lossy(name).into_owned()))
        })?;
        let authority = &self.address.authority;
        let (deflate, name) = response.map_err(|end| match end {
            End::Invalid(error) => error,
            End::HungUp if self.command.is_some() => {
                "the command ended instead of an answer".to_owned()
            }
            End::HungUp => format!("{authority} hung up instead of an answer"),
            _ => format!("{authority} does not answer the opening handshake"),
        })?;
        session.websocket = session.websocket.with_deflate(deflate);
        session.compressor = deflate.map(Compressor::new);
        if self.speaks_first {
            session.ping();
            (session.answers, session.is_answered) = (Vec::new(), false);
        }
        session.forget();
        Ok((session, name))
    }

    /// Like [`Server::open`], with a second try: a server may have a limit, and close others late.
    pub(super) fn open_patiently(&self, offer: Option<&str>) -> Result<Session, String> {
        let opened = self.open(offer).or_else(|_| {
            sleep(PAUSE);
            self.open(offer)
        });
        opened.map(|(session, _)| session)
    }

    /// Checks that the server answers a ping in time, whatever else it sends. An error is what came
    /// instead.
    pub(super) fn ping(&self) -> Result<(), String> {
        let mut session = self.open_patiently(None)?;
        session.give_up = Instant::now() + self.timeout;
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
            session.send_frame(0x82, &vec![0; *length]);
            session.send_frame(0x80, b"");
            session.receive(None, |_| false);
            matches!(session.end, Some(End::Close(Some(1009), _)))
        })
    }
}
