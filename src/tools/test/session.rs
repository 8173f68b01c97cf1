//! An open connection to a server or client, with what was sent and received.
//!
//! It reads while it can't write, so that a peer that waits until its bytes are read can't block
//! the tool.

use super::cases::{Request, frame};
use super::compressor::Compressor;
use super::model::Message;
use crate::progress::Progress;
use crate::text::{EscapedText, Hex};
use crate::tools::dissect::code_name;
use crate::tools::tunnel::Tunnel;
use crate::websocket::{CloseCode, Event, FrameHeader, Scratch, WebSocket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The bytes of each direction that are kept during a case: 5,000 empty answers fit.
const LOGGED_BYTES: usize = 32 << 10;
/// A longer head is refused.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// A longer message of the peer breaks off the case, and so do more bytes.
const MESSAGE_BYTES: usize = 64 << 20;
/// The longest time of a case, however slowly it goes on, in timeouts.
const CASE_TIMEOUTS: u32 = 20;
/// The time from invalid frames to the ping. A server that hangs up before it has read the ping
/// resets the connection, which could lose its close frame.
pub(super) const PING_DELAY: Duration = Duration::from_millis(200);
const PING: &[u8] = b"still there?";

/// The reaction of a peer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    Echoes,
    GoesOn,
    Closes,
}

/// How a case ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// The response to an opening handshake, and whether it has an extension.
    Status(u16, bool),
    /// A close frame with this code and reason.
    Close(Option<u16>, String),
    /// The end of the stream without a close frame or response.
    #[default]
    HungUp,
    /// The end of the stream after our response to a client's opening handshake.
    Refused,
    /// The ping that followed was answered.
    Pong,
    /// Silence until the timeout.
    Nothing(Duration),
    /// A frame or response that breaks a rule itself.
    Invalid(String),
    /// The opening handshake failed.
    NotOpened(String),
    /// More and more, but not the answer.
    Endless,
    /// All answers came that were expected.
    Answers,
    /// The case is not for this server.
    NotApplicable(&'static str),
}

impl End {
    /// Returns what came back in one sentence.
    pub(super) fn sentence(&self) -> String {
        let fixed = match self {
            Self::Status(101, false) => "answered 101: it is open",
            Self::Status(101, true) => "answered 101 and chose an extension",
            Self::Status(status @ 400.., _) => return format!("refused with {status}"),
            Self::Status(status, _) => return format!("no upgrade, but {status}"),
            Self::Close(None, _) => "closed without a code",
            Self::Close(Some(code), reason) if reason.is_empty() => {
                return format!("closed with {code}, {}", code_name(*code));
            }
            Self::Close(Some(code), reason) => return format!("closed with {code}: {reason}"),
            Self::Refused => "ended the connection",
            Self::HungUp => "hung up without an answer",
            Self::Pong => "answered the ping that followed: it goes on",
            Self::Nothing(time) => return format!("sent nothing for {time:?}: it waits for more"),
            Self::Invalid(rule) => return format!("broke a rule itself: {rule}"),
            Self::NotOpened(error) => error,
            Self::Endless => "sent more and more, but gave no answer",
            Self::Answers => "gave an answer",
            Self::NotApplicable(reason) => reason,
        };
        fixed.to_owned()
    }
}

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

    /// Returns a sentence about the first frame that has the masking key of the frame before it
    /// (RFC 6455 §5.3).
    pub(super) fn repeated_key(&self) -> Option<String> {
        let (mut rest, mut last) = (&self.start[..], None);
        for number in 1.. {
            let Ok(Progress::Done { value, used }) = FrameHeader::decode(rest) else {
                break;
            };
            if let Some(key) = value.masking_key.filter(|_| value.masking_key == last) {
                let same = "has the masking key of the frame before it";
                return Some(format!("frame {number} {same}, {}", Hex(&key)));
            }
            last = value.masking_key;
            rest = rest.get(used + value.payload_length as usize..)?;
        }
        None
    }
}

/// An open connection, with what came back so far. Bytes are counted since the last
/// [`Session::forget`].
pub(super) struct Session {
    stream: TcpStream,
    _tunnel: Tunnel,
    /// The time before which nothing is read.
    pub(super) deaf_until: Instant,
    /// The peer has closed the stream, or reads nothing.
    is_broken: bool,
    /// The longest silence of the peer.
    pub(super) timeout: Duration,
    /// The time at which bytes were last written or read.
    progress: Instant,
    /// The time at which the peer is given up.
    pub(super) give_up: Instant,
    pub(super) sent: Log,
    pub(super) received: Log,
    /// Bytes received, and how many of them were parsed.
    input: (Vec<u8>, usize),
    pub(super) websocket: WebSocket,
    scratch: Scratch,
    pub(super) compressor: Option<Compressor>,
    /// Whether our frames are masked, because the peer is a server.
    pub(super) masks: bool,
    pub(super) answers: Vec<Message>,
    /// Whether the ping was answered that judges the connection.
    pub(super) is_answered: bool,
    pub(super) end: Option<End>,
}

impl Session {
    /// Begins a connection, before the opening handshake. `masks`: the peer is a server.
    pub(super) fn new(
        stream: TcpStream,
        tunnel: Tunnel,
        timeout: Duration,
        masks: bool,
    ) -> Result<Self, String> {
        let failed = |error| format!("can't set up the stream: {error}");
        // The stream of a command is no TCP.
        let _ = stream.set_nodelay(true);
        stream.set_nonblocking(true).map_err(failed)?;
        let now = Instant::now();
        Ok(Self {
            stream,
            _tunnel: tunnel,
            deaf_until: now,
            is_broken: false,
            timeout,
            progress: now,
            give_up: now + CASE_TIMEOUTS * timeout,
            sent: Log::default(),
            received: Log::default(),
            input: Default::default(),
            websocket: match masks {
                // No other connection depends on these keys.
                true => WebSocket::client(MESSAGE_BYTES, || [0; 4]),
                false => WebSocket::server(MESSAGE_BYTES),
            },
            scratch: Scratch::default(),
            compressor: None,
            masks,
            answers: Vec::new(),
            is_answered: false,
            end: None,
        })
    }

    /// Sends bytes, as long as the peer reads them.
    pub(super) fn send(&mut self, mut bytes: &[u8]) {
        self.sent.add(bytes);
        let mut until = Instant::now() + self.timeout;
        while !bytes.is_empty() && !self.is_broken && Instant::now() < self.give_up {
            match self.stream.write(bytes) {
                Ok(length) => {
                    bytes = &bytes[length..];
                    self.progress = Instant::now();
                    until = self.progress + self.timeout;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                    self.wait(PollFlags::OUT, until);
                    self.receive_more(Instant::now());
                }
                // A server may hang up before it has read everything; its answer can still be read.
                Err(_) => self.is_broken = true,
            }
        }
    }

    pub(super) fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let frame = frame(first, payload.to_vec(), self.masks);
        self.send(&frame.bytes());
    }

    /// Sends the response to a client's opening handshake.
    pub(super) fn accept(&mut self, response: &Request) {
        self.send(&response.bytes());
        self.forget();
    }

    /// Forgets the bytes sent and received so far, except for those that are not parsed.
    pub(super) fn forget(&mut self) {
        (self.sent, self.received) = Default::default();
        self.received.add(&self.input.0[self.input.1..]);
    }

    /// Receives bytes, and returns their number: 0 at the end of the stream, and `None` if nothing
    /// arrives before `until`.
    pub(super) fn receive_more(&mut self, until: Instant) -> Option<usize> {
        let mut buffer = [0; 16 << 10];
        let length = loop {
            let received = match Instant::now() < self.deaf_until {
                true => Err(ErrorKind::WouldBlock.into()),
                false => self.stream.read(&mut buffer),
            };
            match received.map_err(|error| error.kind()) {
                Err(ErrorKind::Interrupted) => {}
                Err(ErrorKind::WouldBlock) if Instant::now() >= until => return None,
                Err(ErrorKind::WouldBlock) => self.wait(PollFlags::empty(), until),
                received => break received.unwrap_or(0),
            }
        };
        self.is_broken |= length == 0;
        self.received.add(&buffer[..length]);
        self.progress = Instant::now();
        self.input.0.extend_from_slice(&buffer[..length]);
        Some(length)
    }

    /// Waits for one of these events or for bytes that may be read, at most until this time.
    fn wait(&self, mut events: PollFlags, mut until: Instant) {
        let now = Instant::now();
        match now < self.deaf_until {
            true => until = until.min(self.deaf_until),
            false => events |= PollFlags::IN,
        }
        let time = Timespec::try_from(until.saturating_duration_since(now)).ok();
        let _ = poll(&mut [PollFd::new(&self.stream, events)], time.as_ref());
    }

    /// Receives the head that `parse` finds at the beginning of the stream. An error is what came
    /// instead.
    pub(super) fn receive_head<T, E: ToString>(
        &mut self,
        timeout: Duration,
        parse: impl Fn(&[u8]) -> Result<Progress<T>, E>,
    ) -> Result<T, End> {
        let until = Instant::now() + timeout;
        loop {
            // The whole head may have arrived while the request was sent.
            let parsed = parse(&self.input.0).map_err(|error| End::Invalid(error.to_string()))?;
            if let Progress::Done { value, used } = parsed {
                self.input.1 = used;
                return Ok(value);
            }
            if self.receive_more(until).ok_or(End::Nothing(timeout))? == 0 {
                return Err(End::HungUp);
            }
        }
    }

    /// Sends a ping, and waits for its pong.
    pub(super) fn ping(&mut self) {
        self.send_frame(0x89, PING);
        self.receive(None, |session| session.is_answered);
    }

    /// Sends a close frame, and waits for the answer.
    pub(super) fn close(&mut self) {
        self.send_frame(0x88, &1000_u16.to_be_bytes());
        self.receive(None, |_| false);
    }

    /// Sends a message of this opcode, and returns the peer's reaction.
    pub(super) fn probe(&mut self, opcode: u8) -> Reaction {
        let message = &(opcode, b"parlor test".to_vec());
        self.send_frame(0x80 | opcode, &message.1);
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
            if self.received.total > MESSAGE_BYTES || Instant::now() >= self.give_up {
                self.end = Some(End::Endless);
                return;
            }
            let silence = self.progress + self.timeout;
            let next = until.unwrap_or(silence).min(silence).min(self.give_up);
            match self.receive_more(next) {
                Some(0) => self.end = Some(End::HungUp),
                Some(_) => {}
                None if next == silence => self.end = Some(End::Nothing(self.timeout)),
                None if Some(next) == until => return,
                None => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Opcode, encode_masked_message};
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn masking_key_of_the_frame_before_is_found() {
        const ZERO: [u8; 4] = [0; 4];
        const OTHER: [u8; 4] = [1, 2, 3, 4];
        let table: [(&[_], _); 5] = [
            (&[], None),
            (&[ZERO], None),
            (&[ZERO, OTHER, ZERO], None),
            (&[OTHER, OTHER], Some(("frame 2 ", "01 02 03 04"))),
            (&[OTHER, ZERO, ZERO], Some(("frame 3 ", "00 00 00 00"))),
        ];
        for (keys, expected) in table {
            let mut log = Log::default();
            for key in keys {
                encode_masked_message(Opcode::Pong, b"payload", *key, &mut log.start);
            }
            let same = "has the masking key of the frame before it, ";
            let found = log.repeated_key();
            let found = found.as_deref().and_then(|text| text.split_once(same));
            assert_eq!(found, expected, "{keys:?}");
        }
    }

    #[test]
    fn peer_that_sends_without_an_answer_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("an address"));
        let (mut peer, _) = listener.accept().expect("a connection");
        let endless = thread::spawn(move || while peer.write_all(b"\x82\x01a").is_ok() {});
        let (stream, minute) = (stream.expect("a connection"), Duration::from_secs(60));
        let mut session = Session::new(stream, Tunnel::default(), minute, true).expect("set up");
        session.give_up = Instant::now() + Duration::from_millis(10);
        session.ping();
        assert_eq!(session.end, Some(End::Endless));
        drop(session);
        endless.join().expect("the peer ends");
    }

    #[test]
    fn head_received_while_sending_is_parsed() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("an address"));
        let (mut peer, _) = listener.accept().expect("a connection");
        peer.write_all(b"head").expect("written");
        drop(peer);
        let (stream, second) = (stream.expect("a connection"), Duration::from_secs(1));
        let mut session = Session::new(stream, Tunnel::default(), second, true).expect("set up");
        session
            .receive_more(Instant::now() + second)
            .expect("bytes");
        let head = session.receive_head(second, |bytes| {
            let (value, used) = (bytes.to_vec(), bytes.len());
            Ok::<_, String>(Progress::Done { value, used })
        });
        assert_eq!(head, Ok(b"head".to_vec()));
    }
}
