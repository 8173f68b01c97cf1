//! A client's WebSocket that doesn't block, and the lines of standard input: `parlor client` and
//! `parlor say` wait for both in one loop.

use super::address::Address;
use crate::blocking::{Connection, Error, Message, masking_keys};
use crate::text::EscapedText;
use crate::websocket::WebSocket;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, BufRead, ErrorKind, Read, Stdin, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A longer message is refused with 1009.
const MESSAGE_BYTES: usize = 64 << 20;

/// A stream. Until its frames are shown, `tap` keeps what was received (`true`) and sent, in order;
/// `None` if they are not shown.
pub(super) struct Tapped {
    pub(super) stream: TcpStream,
    pub(super) tap: Option<Vec<(bool, Vec<u8>)>>,
}

impl Read for Tapped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        if let Some(tap) = &mut self.tap {
            tap.push((true, buffer[..length].to_vec()));
        }
        Ok(length)
    }
}

impl Write for Tapped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.stream.write(bytes)?;
        if let Some(tap) = &mut self.tap {
            tap.push((false, bytes[..length].to_vec()));
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Opens a WebSocket for the chat, and taps it if its frames are shown.
pub(super) fn open(address: &Address, is_shown: bool) -> Result<Connection<Tapped>, String> {
    let (stream, received) = address.open(Some("chat"))?;
    let tap = is_shown.then(|| vec![(true, received.clone())]);
    over(Tapped { stream, tap }, received)
}

/// Makes a WebSocket of a stream after its opening handshake. Reads and writes don't block.
pub(super) fn over(tapped: Tapped, received: Vec<u8>) -> Result<Connection<Tapped>, String> {
    let set = tapped.stream.set_nonblocking(true);
    set.map_err(|error| format!("can't set up the connection: {error}"))?;
    let websocket = WebSocket::client(MESSAGE_BYTES, masking_keys());
    Ok(Connection::new(tapped, websocket, received))
}

/// Waits until the socket can be read, or written to if it `is_full`. Returns whether standard
/// input, if it is given, can be read.
pub(super) fn wait(
    connection: &Connection<Tapped>,
    is_full: bool,
    input: Option<&Stdin>,
    timeout: Duration,
) -> bool {
    let mut flags = PollFlags::IN;
    flags.set(PollFlags::OUT, is_full);
    let mut descriptors = vec![PollFd::new(&connection.get_ref().stream, flags)];
    descriptors.extend(input.map(|input| PollFd::new(input, PollFlags::IN)));
    // After an error, such as a signal, nothing is ready, and the caller waits again.
    let _ = poll(&mut descriptors, timeout.try_into().ok().as_ref());
    let input = descriptors.get(1);
    input.is_some_and(|input| !input.revents().is_empty())
}

/// Returns the next text message. `None`: none came until then. An error: the connection ended.
pub(super) fn next_text(
    connection: &mut Connection<Tapped>,
    until: Instant,
) -> Result<Option<String>, Error> {
    loop {
        match connection.read() {
            Ok(Some(Message::Text(text))) => return Ok(Some(text)),
            Ok(Some(Message::Binary(_))) => {}
            Ok(None) => {
                let (_, reason) = connection.peer_close().unwrap_or_default();
                let error = format!("the server closes: {}", EscapedText(reason));
                return Err(io::Error::other(error).into());
            }
            Err(Error::Io(error)) if is_temporary(&error) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(None);
                }
                let is_full = connection.flush().is_err();
                wait(connection, is_full, None, left);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the operation works later.
pub(super) fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Says why a connection failed.
pub(super) fn failure(error: &Error) -> String {
    match error {
        Error::Violation(rule) => format!("the server broke a rule: {rule}"),
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            "the server ended the connection without a close frame (1006)".to_owned()
        }
        error => format!("the connection is lost: {error}"),
    }
}

/// Prints a line on standard error, and ignores an error.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Reads standard input once, and passes each whole line without its end to `take`. `partial` keeps
/// the beginning of a line whose end was not read yet. `false`: the input has ended.
pub(super) fn read_lines(partial: &mut Vec<u8>, mut take: impl FnMut(&[u8])) -> bool {
    let mut stdin = io::stdin().lock();
    let bytes = match stdin.fill_buf() {
        Ok(bytes) => bytes,
        Err(error) if is_temporary(&error) => return true,
        Err(_) => &[],
    };
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        partial.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
        if part.ends_with(b"\n") {
            take(partial.strip_suffix(b"\r").unwrap_or(partial));
            partial.clear();
        }
    }
    let length = bytes.len();
    stdin.consume(length);
    if length == 0 && !partial.is_empty() {
        take(partial);
    }
    length > 0
}
