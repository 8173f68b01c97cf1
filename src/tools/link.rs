//! A client's WebSocket that doesn't block, on the same code as the server, and the lines of
//! standard input. `parlor client` and `parlor say` wait for both in one loop.

use super::address::Address;
use crate::cli::serve::random;
use crate::websocket::{
    CloseCode, Event, Opcode, Progress, Scratch, WebSocket, encode_masked_message,
};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A longer message is refused with 1009.
const MESSAGE_BYTES: usize = 64 << 20;
/// A longer line of standard input is dropped.
const LINE_BYTES: usize = 16 << 20;

/// A WebSocket that is open to a server.
pub(super) struct Link {
    stream: TcpStream,
    websocket: WebSocket,
    scratch: Scratch,
    /// Bytes to send, of which `written` were sent.
    out: Vec<u8>,
    written: usize,
    /// The frames that were queued since the caller took them, if it shows them.
    pub(super) shown: Option<Vec<Vec<u8>>>,
    /// The caller has closed the connection. `websocket` stays open, because a closed one ignores
    /// the messages that still arrive.
    pub(super) is_closing: bool,
}

impl Link {
    /// Opens a WebSocket for the chat. Returns the bytes received after the handshake too.
    pub(super) fn open(address: &Address) -> Result<(Self, Vec<u8>), String> {
        let (stream, received) = address.open(Some("chat"))?;
        Ok((Self::over(stream)?, received))
    }

    /// Makes a WebSocket of a stream after its opening handshake.
    pub(super) fn over(stream: TcpStream) -> Result<Self, String> {
        let set = stream.set_nonblocking(true);
        set.map_err(|error| format!("can't set up the connection: {error}"))?;
        Ok(Self {
            stream,
            websocket: WebSocket::client(MESSAGE_BYTES, masking_key),
            scratch: Scratch::default(),
            out: Vec::new(),
            written: 0,
            shown: None,
            is_closing: false,
        })
    }

    /// Returns the number of queued bytes.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Queues a message or a control frame.
    pub(super) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::new();
        encode_masked_message(opcode, payload, masking_key(), &mut frame);
        self.queue(frame);
    }

    fn queue(&mut self, frame: Vec<u8>) {
        self.out.extend_from_slice(&frame);
        if let Some(shown) = self.shown.as_mut().filter(|_| !frame.is_empty()) {
            shown.push(frame);
        }
    }

    /// Queues a close frame with 1000, once.
    pub(super) fn send_close(&mut self) {
        if !self.is_closing && !self.websocket.close_sent() {
            self.send(Opcode::Close, &CloseCode::NORMAL.get().to_be_bytes());
        }
        self.is_closing = true;
    }

    /// Writes as much as the socket takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server may have hung up after its close frame, which can still be read.
                Err(_) if self.is_closing || self.websocket.close_sent() => break,
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Waits for the socket and other descriptors, and returns which of them can be read.
    pub(super) fn wait<const N: usize>(
        &self,
        others: [Option<BorrowedFd<'_>>; N],
        timeout: Option<Duration>,
    ) -> Result<(bool, [bool; N]), String> {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, self.waiting() > 0);
        let mut descriptors = vec![PollFd::new(&self.stream, flags)];
        let others_in = others.iter().flatten();
        descriptors.extend(others_in.map(|other| PollFd::from_borrowed_fd(*other, PollFlags::IN)));
        let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("can't wait for events: {error}")),
        }
        let is_ready = |polled: &PollFd<'_>| !(polled.revents() - PollFlags::OUT).is_empty();
        let mut ready = descriptors.iter().map(is_ready);
        let mut next = || ready.next().unwrap_or_default();
        Ok((next(), others.map(|other| other.is_some() && next())))
    }

    /// Reads once. `None`: nothing has arrived. No bytes: the server has ended the stream.
    pub(super) fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(length) => buffer.truncate(length),
            Err(error) if is_temporary(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some(buffer))
    }

    /// Passes each event in received bytes to `take`, and answers pings and close frames. The error
    /// is the rule that the server broke.
    pub(super) fn receive(
        &mut self,
        bytes: &mut [u8],
        mut take: impl FnMut(Event<'_>),
    ) -> Result<(), &'static str> {
        let (mut rest, mut broken) = (bytes, Ok(()));
        loop {
            let (mut answer, mut length) = (Vec::new(), rest.len());
            match self.websocket.receive(rest, &mut self.scratch, &mut answer) {
                Ok(Progress::NeedMore) => return broken,
                Ok(Progress::Done { value: event, used }) => {
                    length = used;
                    take(event);
                }
                Err(violation) => {
                    broken = Err(violation.rule().reason);
                    self.websocket.close(violation.close_frame(), &mut answer);
                }
            }
            if !self.is_closing {
                self.queue(answer);
            }
            rest = &mut rest[length..];
        }
    }
}

/// Returns a new key for each frame, from a strong source of randomness (RFC 6455 §5.3).
fn masking_key() -> [u8; 4] {
    random().expect("the system's random number generator failed")
}

/// Prints a line on standard error, and ignores an error.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// The lines of standard input.
#[derive(Default)]
pub(super) struct InputLines {
    /// The beginning of a line whose end was not read yet.
    line: Vec<u8>,
    /// The line is longer than `LINE_BYTES`; its rest is dropped.
    is_too_long: bool,
}

impl InputLines {
    /// Reads standard input once, and passes each whole line without its end to `take`. `false`:
    /// the input has ended.
    pub(super) fn read(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        let mut stdin = io::stdin().lock();
        let bytes = match stdin.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if is_temporary(&error) => return true,
            Err(_) => &[],
        };
        let length = bytes.len();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.add(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") {
                self.end_line(&mut take);
            }
        }
        stdin.consume(length);
        if length == 0 && (self.is_too_long || !self.line.is_empty()) {
            self.end_line(&mut take);
        }
        length > 0
    }

    fn add(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.line.len() + bytes.len() > LINE_BYTES;
        match self.is_too_long {
            true => self.line.clear(),
            false => self.line.extend_from_slice(bytes),
        }
    }

    fn end_line(&mut self, take: &mut impl FnMut(&[u8])) {
        let line = std::mem::take(&mut self.line);
        match std::mem::take(&mut self.is_too_long) {
            true => remark("that line was not sent: it is longer than 16 MiB"),
            false => take(line.strip_suffix(b"\r").unwrap_or(&line)),
        }
    }
}
