//! The socket of a connection as the hub sees it. The driver has real ones, tests have memory.

use std::io::{self, IoSlice};

/// Where a connection's bytes go. Reading is the driver's.
pub trait Socket {
    /// Writes as much as possible without waiting, as `writev(2)` does. After `WouldBlock` or a
    /// short write, [`Input::Writable`](super::Input::Writable) must follow when there is room
    /// again.
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Shuts down the sending side (FIN). Reading goes on.
    fn shutdown_write(&mut self);
}
