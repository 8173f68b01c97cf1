//! The door: binding, taking connections in batches, and what happens when descriptors run out.
//!
//! A listener that can't accept for want of a descriptor stays ready: with a level-triggered poll
//! the loop would spin, with
//! an edge-triggered one nobody would be told again. So it pauses and tries again by the clock;
//! those who came wait in the
//! kernel's queue, and are served when somebody else has left. It does not come to the last
//! descriptor: some are left for
//! the history and for pages.
//!
//! Not here: how many connections are welcome (`hub::admission`).

use crate::hub::Warning;
use crate::limits::{SPARE_DESCRIPTORS, TURN_ACCEPTS};
use crate::time::Millis;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Connections that the kernel holds until they are accepted. mio asks for 128: after a restart a
/// thousand clients return at
/// once, and whoever finds no room waits a second for his SYN's retry.
const BACKLOG: i32 = 1_024;
/// How long it pauses after a failure that the next `accept` would meet again.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// Somebody may wait in the kernel's queue: an event told so, and since then it was not found
    /// empty.
    waiting: bool,
    retry_at: Option<Millis>,
    warning: Warning,
    /// Connections for which there are descriptors.
    room: usize,
}

impl Listener {
    /// Listens; connections are taken by [`super::Server::run`], and wait till then. Port 0 is any
    /// free one.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            waiting: false,
            retry_at: None,
            warning: Warning::default(),
            room: usize::MAX,
        })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Counts the descriptors that are left for connections. To be called when all else is open
    /// that stays open.
    pub(super) fn measure_room(&mut self) -> io::Result<()> {
        let Some(most) = getrlimit(Resource::Nofile).current else {
            return Ok(());
        };
        // A new descriptor is the lowest number that is free (POSIX, open(2)): so many are in use
        // below the limit.
        let used = File::open("/dev/null")?.as_raw_fd() as usize;
        let left = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .saturating_sub(used);
        self.room = (left - SPARE_DESCRIPTORS.min(left / 4)).max(1);
        Ok(())
    }

    /// An event told that somebody came.
    pub(super) fn set_waiting(&mut self) {
        self.waiting = true;
    }

    /// Whether connections may wait that no event will tell of.
    pub(super) fn has_more(&self) -> bool {
        self.waiting && self.retry_at.is_none()
    }

    /// When to try again after a failure.
    pub(super) fn retry_at(&self) -> Option<Millis> {
        self.retry_at
    }

    /// Hands a batch of connections to `take`, whose failure is one of this machine's and not of
    /// the connection's. `open` have
    /// been taken before and are still there.
    pub(super) fn accept(
        &mut self,
        now: Millis,
        open: usize,
        mut take: impl FnMut(TcpStream, SocketAddr) -> io::Result<()>,
    ) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
        for taken in 0..TURN_ACCEPTS {
            if !self.has_more() {
                return;
            }
            if open + taken >= self.room {
                return self.pause(&rustix::io::Errno::MFILE.into(), now);
            }
            match self
                .socket
                .accept()
                .and_then(|(stream, peer)| take(stream, peer))
            {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.waiting = false,
                Err(error) if is_of_the_connection(&error) => {
                    log::debug!("a connection was lost before it was accepted: {error}")
                }
                Err(error) => self.pause(&error, now),
            }
        }
    }

    fn pause(&mut self, error: &io::Error, now: Millis) {
        self.retry_at = Some(now.after(PAUSE));
        self.warning.log(
            now,
            format_args!("can't accept connections: {error}; retrying"),
        );
    }
}

/// Whether an error concerns a connection that was about to be accepted, and not the next one
/// (accept(2): Linux passes on
/// what happened to it in the network).
fn is_of_the_connection(error: &io::Error) -> bool {
    use ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, PermissionDenied,
    };
    let network = matches!(
        error.kind(),
        HostUnreachable | NetworkDown | NetworkUnreachable
    );
    // A firewall's word.
    let denied = error.kind() == PermissionDenied;
    network
        || denied
        || matches!(
            error.kind(),
            ConnectionAborted | ConnectionReset | Interrupted
        )
        || is_protocol_error(error)
}

fn is_protocol_error(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::PROTO | Errno::NOPROTOOPT | Errno::OPNOTSUPP | Errno::HOSTDOWN | Errno::TIMEDOUT
        )
    )
}

/// Raises the soft limit on open files to the hard one, and returns what it is now; `None`: there
/// is none.
///
/// The soft limit is 1,024 in most shells, for the sake of programs that use `select(2)`; ours does
/// not.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        Ok(()) => maximum,
        // macOS takes no more than a limit of its own. It stays as it was.
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream as Client;

    fn listener() -> Listener {
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        listener.set_waiting();
        listener
    }

    #[test]
    fn a_batch_is_bounded_and_the_rest_is_remembered() {
        let mut listener = listener();
        let clients: Vec<_> = (0..TURN_ACCEPTS + 1)
            .map(|_| Client::connect(listener.address()).unwrap())
            .collect();
        let mut taken = Vec::new();
        let mut accept = |listener: &mut Listener| {
            listener.accept(Millis(0), 0, |stream, _| {
                taken.push(stream);
                Ok(())
            });
            taken.len()
        };
        assert_eq!(
            (accept(&mut listener), listener.has_more()),
            (TURN_ACCEPTS, true)
        );
        assert_eq!(
            (accept(&mut listener), listener.has_more()),
            (clients.len(), false)
        );
    }

    #[test]
    fn a_failure_is_a_pause_and_neither_a_spin_nor_a_stop() {
        let mut listener = listener();
        let _clients = [(); 3].map(|()| Client::connect(listener.address()).unwrap());
        let mut calls = 0;
        let mut accept = |listener: &mut Listener, now, result: Option<rustix::io::Errno>| {
            listener.accept(Millis(now), 0, |_, _| {
                calls += 1;
                result.map_or(Ok(()), |error| Err(error.into()))
            });
            calls
        };
        assert_eq!(accept(&mut listener, 0, Some(rustix::io::Errno::MFILE)), 1);
        assert_eq!(
            (listener.has_more(), listener.retry_at()),
            (false, Some(Millis(100)))
        );
        assert_eq!(
            accept(&mut listener, 99, None),
            1,
            "it waits, whatever happens meanwhile"
        );
        assert_eq!(accept(&mut listener, 100, None), 3, "and then takes all");
        assert_eq!((listener.has_more(), listener.retry_at()), (false, None));
    }

    #[test]
    fn the_last_descriptors_are_not_for_connections() {
        let mut listener = listener();
        listener.measure_room().unwrap();
        assert!(listener.room > 1, "{}", listener.room);
        listener.room = 3;
        let _clients = [(); 3].map(|()| Client::connect(listener.address()).unwrap());
        let mut taken = Vec::new();
        let mut accept = |listener: &mut Listener, now, open| {
            listener.accept(Millis(now), open, |stream, _| {
                taken.push(stream);
                Ok(())
            });
            taken.len()
        };
        assert_eq!(accept(&mut listener, 0, 1), 2);
        assert_eq!(
            (listener.has_more(), listener.retry_at()),
            (false, Some(Millis(100)))
        );
        assert_eq!(accept(&mut listener, 100, 3), 2, "nobody has left");
        assert_eq!(accept(&mut listener, 200, 2), 3, "one has");
    }

    #[test]
    fn whose_fault_an_error_is() {
        use rustix::io::Errno;
        for errno in [
            Errno::CONNABORTED,
            Errno::INTR,
            Errno::PROTO,
            Errno::HOSTUNREACH,
            Errno::NETDOWN,
            Errno::PERM,
            Errno::TIMEDOUT,
        ] {
            assert!(is_of_the_connection(&errno.into()), "{errno:?}");
        }
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::INVAL,
            Errno::NOSPC,
        ] {
            assert!(!is_of_the_connection(&errno.into()), "{errno:?}");
        }
    }
}
