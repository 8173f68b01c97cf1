//! The socket of one connection.

use crate::hub::Socket;
use mio::net::TcpStream;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

/// A non-blocking socket. A Unix socket is treated like a TCP socket.
pub struct PeerSocket {
    pub(super) stream: TcpStream,
    /// An event reported that the peer has shut down its side, or an error. No other event will.
    pub(super) peer_closed: bool,
}

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadResult {
    /// Bytes, perhaps none; `more`: it must be read again, because no event will report the rest.
    Bytes { count: usize, more: bool },
    /// The peer has shut down its sending side.
    EndOfStream,
}

impl PeerSocket {
    /// Reads once, into `buffer`.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<ReadResult> {
        read_once(&mut self.stream, buffer, self.peer_closed)
    }
}

impl Socket for PeerSocket {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match pieces {
            // Most writes have one piece; the kernel has a shorter path for it.
            [piece] => self.stream.write(piece),
            pieces => self.stream.write_vectored(pieces),
        }
    }

    fn shutdown_write(&mut self) {
        // If it fails the peer is gone, and reading reports that.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Reads once. Readiness is reported once, when it *begins* (edge-triggered), so the result says
/// whether the caller must come back on its own.
fn read_once(
    socket: &mut impl Read,
    buffer: &mut [u8],
    peer_closed: bool,
) -> io::Result<ReadResult> {
    let bytes = |count, more| Ok(ReadResult::Bytes { count, more });
    match socket.read(buffer) {
        Ok(0) => Ok(ReadResult::EndOfStream),
        // A short read has emptied the socket (epoll(7), question 9). But if the peer's FIN was in
        // the same event, no further event reports it, so it has to be read.
        Ok(count) => bytes(count, count == buffer.len() || peer_closed),
        Err(error) if error.kind() == ErrorKind::WouldBlock => bytes(0, false),
        Err(error) if error.kind() == ErrorKind::Interrupted => bytes(0, true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the same result to every read.
    struct Answer(Result<usize, ErrorKind>);
    impl Read for Answer {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.map_err(io::Error::from)
        }
    }

    #[test]
    #[rustfmt::skip]
    fn read_says_whether_an_event_will_report_the_rest() {
        let bytes = |count, more| Ok(ReadResult::Bytes { count, more });
        let table = [
            ("a full buffer", Ok(8), false, bytes(8, true)),
            ("a short read", Ok(7), false, bytes(7, false)),
            ("a short read after the FIN", Ok(7), true, bytes(7, true)),
            ("the end", Ok(0), true, Ok(ReadResult::EndOfStream)),
            ("nothing yet", Err(ErrorKind::WouldBlock), false, bytes(0, false)),
            ("a signal", Err(ErrorKind::Interrupted), false, bytes(0, true)),
            ("a reset", Err(ErrorKind::ConnectionReset), false, Err(ErrorKind::ConnectionReset)),
        ];
        for (name, answer, peer_closed, expected) in table {
            let result = read_once(&mut Answer(answer), &mut [0; 8], peer_closed);
            assert_eq!(result.map_err(|error| error.kind()), expected, "{name}");
        }
    }
}
