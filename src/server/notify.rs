//! Messages to systemd (sd_notify(3)): the server is ready or stopping, and that it still runs.

use crate::time::Millis;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The socket of a service manager.
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
    /// Half of the time after which the manager ends a silent server.
    interval: Option<Duration>,
    next: Millis,
}

impl Notifier {
    /// Opens the socket that `$NOTIFY_SOCKET` names. `watchdog` is `$WATCHDOG_USEC` as a duration.
    pub fn open(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            address: address(name)?,
            interval: watchdog.map(|watchdog| watchdog / 2),
            next: Millis(0),
        })
    }

    /// Returns when [`Notifier::beat`] must be called at the latest.
    pub(super) fn next(&self) -> Option<Millis> {
        self.interval.map(|_| self.next)
    }

    /// Reports that the server runs, if that is due.
    pub(super) fn beat(&mut self, connections: usize, now: Millis) {
        if let Some(interval) = self.interval.filter(|_| self.next <= now) {
            self.next = now.after(interval);
            self.send(&format!("WATCHDOG=1\nSTATUS={connections} connections"));
        }
    }

    /// Sends lines of `NAME=value`. Errors are ignored: the chat goes on without its manager.
    pub(super) fn send(&self, lines: &str) {
        let _ = self.socket.send_to_addr(lines.as_bytes(), &self.address);
    }
}

/// A name that begins with `@` is not a file's (unix(7), abstract sockets).
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_bytes().strip_prefix(b"@") {
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}
