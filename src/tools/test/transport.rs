//! The byte stream to a server or client, with what was sent and received.
//!
//! Neither side can block the tool: one call both writes what is pending and reads what arrived,
//! until a deadline.

use super::cases::Request;
use crate::cli::serve::random;
use crate::http::ResponseHead;
use crate::progress::Progress;
use crate::tools::address::Address;
use crate::tools::tunnel::{Tunnel, connect};
use crate::websocket::client::{Asked, check_response, key};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// The bytes of each direction that are kept for a report.
const LOGGED_BYTES: usize = 256;
const READ_BYTES: usize = 64 << 10;
/// A longer head is refused.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// The first bytes of one direction, and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) start: Vec<u8>,
    pub(super) total: usize,
}

impl Log {
    fn add(&mut self, bytes: &[u8]) {
        let room = LOGGED_BYTES - self.start.len();
        self.start
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.total += bytes.len();
    }
}

/// A stream that is open, with what was sent and received since the last [`Transport::forget`].
pub(super) struct Transport {
    stream: TcpStream,
    _tunnel: Tunnel,
    unread: Vec<u8>,
    pending: Vec<u8>,
    written: usize,
    is_broken: bool,
    /// Nothing is read before this time.
    pub(super) deaf_until: Instant,
    /// The time at which bytes were last written or read.
    pub(super) progress: Instant,
    pub(super) sent: Log,
    pub(super) received: Log,
}

impl Transport {
    pub(super) fn new(stream: TcpStream, tunnel: Tunnel) -> Result<Self, String> {
        let set = stream.set_nonblocking(true);
        set.map_err(|error| format!("can't set up the stream: {error}"))?;
        Ok(Self {
            stream,
            _tunnel: tunnel,
            unread: Vec::new(),
            pending: Vec::new(),
            written: 0,
            is_broken: false,
            deaf_until: Instant::now(),
            progress: Instant::now(),
            sent: Log::default(),
            received: Log::default(),
        })
    }

    /// Sends bytes, as far as the peer reads them; [`Transport::exchange`] sends the rest.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.sent.add(bytes);
        self.pending.extend_from_slice(bytes);
        self.write();
    }

    /// Returns whether all bytes were sent, or can't be because the peer closed the stream.
    pub(super) fn is_flushed(&self) -> bool {
        self.pending.is_empty()
    }

    fn write(&mut self) {
        while self.written < self.pending.len() {
            match self.stream.write(&self.pending[self.written..]) {
                Ok(length) => {
                    self.written += length;
                    self.progress = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A server may hang up before it has read everything; its answer can still be read.
                Err(_) => {
                    self.is_broken = true;
                    break;
                }
            }
        }
        self.pending = Vec::new();
        self.written = 0;
    }

    /// Writes pending bytes and waits for received ones: none at the end of the stream, and `None`
    /// if nothing arrives before `until`.
    pub(super) fn exchange(&mut self, until: Instant) -> Option<Vec<u8>> {
        loop {
            let received = self.exchange_or_flush(until);
            if received.is_some() || Instant::now() >= until {
                return received;
            }
        }
    }

    /// Like [`Transport::exchange`], and returns `None` too as soon as all pending bytes are
    /// written.
    pub(super) fn exchange_or_flush(&mut self, until: Instant) -> Option<Vec<u8>> {
        if !self.unread.is_empty() {
            return Some(std::mem::take(&mut self.unread));
        }
        let was_flushed = self.is_flushed();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            self.write();
            let is_deaf = Instant::now() < self.deaf_until;
            let read = match is_deaf {
                true => Err(ErrorKind::WouldBlock.into()),
                false => self.stream.read(&mut buffer),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => {
                    buffer.truncate(result.unwrap_or(0));
                    self.received.add(&buffer);
                    self.progress = Instant::now();
                    return Some(buffer);
                }
            }
            if Instant::now() >= until || self.is_flushed() != was_flushed {
                return None;
            }
            let next = if is_deaf {
                until.min(self.deaf_until)
            } else {
                until
            };
            let left = next.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let mut events = PollFlags::empty();
            events.set(PollFlags::IN, !is_deaf);
            events.set(PollFlags::OUT, !self.is_flushed() && !self.is_broken);
            let _ = poll(&mut [PollFd::new(&self.stream, events)], Some(&left));
        }
    }

    /// Receives until `is_whole` holds for all the bytes, or until the stream ends. `None`: the
    /// time is over.
    pub(super) fn receive_until(
        &mut self,
        timeout: Duration,
        is_whole: impl Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let (mut received, until) = (Vec::new(), Instant::now() + timeout);
        loop {
            let bytes = self.exchange(until)?;
            received.extend_from_slice(&bytes);
            if bytes.is_empty() || is_whole(&received) {
                return Some(received);
            }
        }
    }

    /// Receives the response to an opening handshake, whole unless the stream ends. `None`: the
    /// time is over.
    pub(super) fn receive_response(&mut self, timeout: Duration) -> Option<Vec<u8>> {
        let needs_more = |bytes: &[u8]| {
            let parsed = ResponseHead::parse(bytes, HEAD_BYTES);
            matches!(parsed, Ok(Progress::NeedMore))
        };
        self.receive_until(timeout, |bytes| !needs_more(bytes))
    }

    /// Makes the next call that receives return these bytes first, which were received before.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        self.unread = bytes.to_vec();
    }

    /// Forgets the bytes sent and received so far, except for those that are unread.
    pub(super) fn forget(&mut self) {
        (self.sent, self.received) = Default::default();
        self.received.add(&self.unread);
    }
}

/// The server under test, and how to reach and open it.
pub(super) struct Target {
    pub(super) address: Address,
    /// The command whose standard input and output are the stream.
    pub(super) command: Option<String>,
    /// The headers that every opening handshake has, too.
    pub(super) headers: Vec<(String, String)>,
    pub(super) subprotocols: Vec<String>,
    /// The longest silence, for connecting too.
    pub(super) timeout: Duration,
}

pub(super) struct Opened {
    pub(super) transport: Transport,
    /// The extensions that the server chose.
    pub(super) extensions: String,
    /// The `Server` header of the response.
    pub(super) server: String,
}

impl Target {
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

    /// Opens a stream, before any handshake.
    pub(super) fn connect(&self) -> Result<Transport, String> {
        let command = self.command.as_deref();
        let (stream, tunnel) = connect(&self.address, command, self.timeout)?;
        Transport::new(stream, tunnel)
    }

    /// Returns the request of an opening handshake, with this value of `Sec-WebSocket-Key`.
    pub(super) fn request(&self, key: &str) -> Request {
        let mut request = Request::new(&self.address.authority, &self.address.target, key);
        for (name, value) in &self.headers {
            request.add(name, value);
        }
        if !self.subprotocols.is_empty() {
            request.add("Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        request
    }

    /// Opens a WebSocket, with an offer of extensions. An error is one sentence.
    pub(super) fn open(&self, offer: Option<&str>) -> Result<Opened, String> {
        let (mut transport, key) = (self.connect()?, key(random()?));
        let mut request = self.request(&key);
        if let Some(offer) = offer {
            request.add("Sec-WebSocket-Extensions", offer);
        }
        transport.send(&request.bytes());
        let authority = &self.address.authority;
        let received = transport.receive_response(self.timeout);
        let received =
            received.ok_or_else(|| format!("{authority} does not answer the opening handshake"))?;
        let parsed = ResponseHead::parse(&received, HEAD_BYTES)?;
        let Progress::Done { value: head, used } = parsed else {
            return Err(match &self.command {
                Some(_) => "the command ended instead of an answer".to_owned(),
                None => format!("{authority} hung up instead of an answer"),
            });
        };
        let subprotocols: Vec<_> = self.subprotocols.iter().map(String::as_str).collect();
        let asked = Asked {
            key: &key,
            subprotocols: &subprotocols,
            extensions: offer.map_or(&[], |_| &["permessage-deflate"]),
        };
        check_response(&head, &asked).map_err(|error| error.to_string())?;
        let text = |name| {
            let values = head.values(name).map(String::from_utf8_lossy);
            values.collect::<Vec<_>>().join(", ")
        };
        let (extensions, server) = (text("sec-websocket-extensions"), text("server"));
        transport.unread(&received[used..]);
        transport.forget();
        Ok(Opened {
            transport,
            extensions,
            server,
        })
    }
}
