//! Sockets of memory: a server's end that takes as much as it is told to, breaks when it is told
//! to, and may lose everything
//! from some moment on, as a machine does that dies in the middle of a turn.

use crate::disk::Fate;
use parlor::hub::Socket;
use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

/// What the two ends of a connection share.
#[derive(Default)]
pub(crate) struct Wire {
    /// What the server wrote and the client has not taken yet.
    pub(crate) sent: Vec<u8>,
    /// How many bytes more the server may write before it has to wait.
    pub(crate) room: usize,
    /// How much one write takes at most.
    pub(crate) write_most: usize,
    /// The server has shut down its sending side.
    pub(crate) shut: bool,
    /// Writing fails.
    pub(crate) broken: bool,
    /// The server has let go of its end.
    pub(crate) closed: bool,
}

/// The server's end.
pub(crate) struct SimSocket {
    pub(crate) wire: Rc<RefCell<Wire>>,
    pub(crate) fate: Rc<RefCell<Fate>>,
}

impl Socket for SimSocket {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.wire.borrow_mut();
        assert!(!wire.shut, "nothing is written after the FIN");
        assert!(
            pieces.iter().any(|piece| !piece.is_empty()),
            "a write has something to write"
        );
        if wire.broken {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let mut left = wire.room.min(wire.write_most);
        if left == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        if !self.fate.borrow_mut().lives() {
            // Who is dead writes to nobody, and does not learn of it.
            return Ok(pieces.iter().map(|piece| piece.len()).sum());
        }
        let before = wire.sent.len();
        for piece in pieces {
            let part = &piece[..piece.len().min(left)];
            wire.sent.extend_from_slice(part);
            left -= part.len();
        }
        let written = wire.sent.len() - before;
        wire.room = wire.room.saturating_sub(written);
        Ok(written)
    }

    fn shutdown_write(&mut self) {
        self.wire.borrow_mut().shut = true;
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.wire.borrow_mut().closed = true;
    }
}
