//! The byte stream to a server or client, with what was sent and received.
//!
//! A thread reads all that arrives, so that a peer that waits until its bytes are read can't block
//! the tool.

use crate::progress::Progress;
use crate::tools::dissect::code_name;
use crate::tools::tunnel::Tunnel;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The bytes of each direction that are kept for a report.
const LOGGED_BYTES: usize = 256;
/// The longest time of a case, however slowly it goes on, in timeouts.
const CASE_TIMEOUTS: u32 = 20;

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
}

/// A stream that is open, with what was sent and received since the last [`Transport::forget`].
pub(super) struct Transport {
    stream: TcpStream,
    _tunnel: Tunnel,
    /// Bytes that the reading thread received: none at the end of the stream.
    arrived: Receiver<Vec<u8>>,
    /// Makes that thread read nothing for a while.
    pub(super) pause: Sender<Duration>,
    /// Bytes received after a head.
    unread: Vec<u8>,
    /// The peer has closed the stream, or reads nothing.
    is_broken: bool,
    /// The longest silence of the peer.
    pub(super) timeout: Duration,
    /// The time at which bytes were last written or read.
    progress: Instant,
    give_up: Instant,
    pub(super) sent: Log,
    pub(super) received: Log,
}

impl Drop for Transport {
    /// Ends the reading thread, too.
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Transport {
    pub(super) fn new(
        stream: TcpStream,
        tunnel: Tunnel,
        timeout: Duration,
    ) -> Result<Self, String> {
        let failed = |error| format!("can't set up the stream: {error}");
        // The stream of a command is no TCP.
        let _ = stream.set_nodelay(true);
        stream.set_read_timeout(None).map_err(failed)?;
        stream.set_write_timeout(Some(timeout)).map_err(failed)?;
        let reading = stream.try_clone().map_err(failed)?;
        let ((send, arrived), (pause, pauses)) = (channel(), channel());
        thread::spawn(move || read(reading, &send, &pauses));
        Ok(Self {
            stream,
            _tunnel: tunnel,
            arrived,
            pause,
            unread: Vec::new(),
            is_broken: false,
            timeout,
            progress: Instant::now(),
            give_up: Instant::now() + CASE_TIMEOUTS * timeout,
            sent: Log::default(),
            received: Log::default(),
        })
    }

    /// Sends bytes, as long as the peer reads them.
    pub(super) fn send(&mut self, mut bytes: &[u8]) {
        self.sent.add(bytes);
        while !bytes.is_empty() && !self.is_broken && Instant::now() < self.give_up {
            match self.stream.write(bytes) {
                Ok(length) => {
                    bytes = &bytes[length..];
                    self.progress = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A server may hang up before it has read everything; its answer can still be read.
                Err(_) => self.is_broken = true,
            }
        }
    }

    /// Returns the time at which a peer that does nothing is given up.
    pub(super) fn deadline(&self) -> Instant {
        (self.progress + self.timeout).min(self.give_up)
    }

    /// Receives bytes: none at the end of the stream, and `None` if nothing arrives before `until`.
    pub(super) fn receive(&mut self, until: Instant) -> Option<Vec<u8>> {
        if !self.unread.is_empty() {
            return Some(std::mem::take(&mut self.unread));
        }
        let left = until.saturating_duration_since(Instant::now());
        match self.arrived.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => None,
            bytes => {
                let bytes = bytes.unwrap_or_default();
                self.received.add(&bytes);
                self.progress = Instant::now();
                Some(bytes)
            }
        }
    }

    /// Receives what `parse` finds at the beginning of the stream. An error is what came instead.
    pub(super) fn receive_head<T, E: ToString>(
        &mut self,
        timeout: Duration,
        parse: impl Fn(&[u8]) -> Result<Progress<T>, E>,
    ) -> Result<T, End> {
        let (mut received, until) = (Vec::new(), Instant::now() + timeout);
        loop {
            let bytes = self.receive(until).ok_or(End::Nothing(timeout))?;
            if bytes.is_empty() {
                return Err(End::HungUp);
            }
            received.extend(bytes);
            let parsed = parse(&received).map_err(|error| End::Invalid(error.to_string()))?;
            if let Progress::Done { value, used } = parsed {
                self.unread = received.split_off(used);
                return Ok(value);
            }
        }
    }

    /// Forgets the bytes sent and received so far, except for those that are unread.
    pub(super) fn forget(&mut self) {
        (self.sent, self.received) = Default::default();
        self.received.add(&self.unread);
    }
}

/// Reads a stream to its end.
fn read(mut stream: TcpStream, arrived: &Sender<Vec<u8>>, pauses: &Receiver<Duration>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        pauses.try_iter().for_each(thread::sleep);
        let length = stream.read(&mut buffer).unwrap_or(0);
        if arrived.send(buffer[..length].to_vec()).is_err() || length == 0 {
            return;
        }
    }
}
