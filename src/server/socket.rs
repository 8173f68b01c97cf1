//! A connection's socket: what the hub writes to, and what the driver keeps of it between events.
//!
//! Not here: when it is read (`server/mod.rs`), what a short write leads to (`hub`).

use super::recording::{Taken, note};
use crate::hub::Socket;
use mio::net::TcpStream;
use std::io::{self, IoSlice, Write};
use std::net::Shutdown;

/// A socket that does not block, with two marks of the driver's.
pub(super) struct PeerSocket {
    pub(super) stream: TcpStream,
    /// It stands in the ready list.
    pub(super) listed: bool,
    /// An event told that the peer has shut down its side, or of an error; there will be no other
    /// event about it.
    pub(super) peer_closed: bool,
    /// Where it tells what its writes came to, while that is recorded.
    taken: Option<Taken>,
}

impl PeerSocket {
    pub(super) fn new(stream: TcpStream, taken: Option<Taken>) -> Self {
        Self {
            stream,
            listed: false,
            peer_closed: false,
            taken,
        }
    }
}

impl Socket for PeerSocket {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = match pieces {
            // What most writes are; the kernel has a shorter way for it.
            [piece] => self.stream.write(piece),
            pieces => self.stream.write_vectored(pieces),
        };
        if let Some(taken) = &self.taken {
            note(taken, &result);
        }
        result
    }

    fn shutdown_write(&mut self) {
        // If it fails the peer is gone, and reading tells so.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}
