//! The listening socket: accepts connections in batches, and pauses when file descriptors run out.
//!
//! A socket from which nothing can be accepted stays readable. To retry at once would spin, and no
//! further event reports it (edge-triggered). So the listener retries after a pause; meanwhile the
//! connections wait in the kernel's queue. The last descriptors are reserved for the history and
//! for pages. The limits on connections are in `hub::admission`.

use crate::hub::Warning;
use crate::limits::{SPARE_DESCRIPTORS, TURN_ACCEPTS};
use crate::time::Millis;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The length of the kernel's queue. mio asks for 128, too few after a restart: a client that finds
/// no room waits a second until it repeats its SYN.
const BACKLOG: i32 = 1_024;
/// The time until the next `accept` after a failure that it would repeat.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket with its pauses.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// Whether an event has reported connections, and the queue was not found empty since.
    waiting: bool,
    retry_at: Option<Millis>,
    warning: Warning,
    /// The number of connections for which there are descriptors.
    room: usize,
}

impl Listener {
    /// Binds and listens. [`super::Server::run`] accepts the connections, which wait until then.
    /// Port 0 is any free port.
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

    /// Returns the bound address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Counts the descriptors left for connections. Call it when everything else is open.
    pub(super) fn measure_room(&mut self) -> io::Result<()> {
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            // A new descriptor is the lowest free number (open(2)), so this many are in use.
            let used = File::open("/dev/null")?.as_raw_fd() as usize;
            let left = usize::try_from(limit).unwrap_or(usize::MAX);
            let left = left.saturating_sub(used);
            self.room = (left - SPARE_DESCRIPTORS.min(left / 4)).max(1);
        }
        Ok(())
    }

    /// Notes that an event has reported connections.
    pub(super) fn set_waiting(&mut self) {
        self.waiting = true;
    }

    /// Returns whether connections may wait that no event will report.
    pub(super) fn has_more(&self) -> bool {
        self.waiting && self.retry_at.is_none()
    }

    /// Returns the end of the pause after a failure.
    pub(super) fn retry_at(&self) -> Option<Millis> {
        self.retry_at
    }

    /// Passes a batch of connections to `take`, beside the `open` ones. An error of `take` concerns
    /// the machine, so it causes a pause.
    pub(super) fn accept(
        &mut self,
        now: Millis,
        open: usize,
        mut take: impl FnMut(TcpStream, SocketAddr) -> io::Result<()>,
    ) {
        self.retry_at.take_if(|at| *at <= now);
        for taken in 0..TURN_ACCEPTS {
            if !self.has_more() {
                return;
            }
            if open + taken >= self.room {
                return self.pause(&Errno::MFILE.into(), now);
            }
            let accepted = self.socket.accept();
            match accepted.and_then(|(stream, peer)| take(stream, peer)) {
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
        let sentence = format_args!("can't accept connections: {error}; retrying");
        self.warning.log(now, sentence);
    }
}

/// Returns whether an error concerns the connection that was about to be accepted, not the next
/// one: Linux reports its network errors here (accept(2)), and those of a firewall.
#[rustfmt::skip] // a list
fn is_of_the_connection(error: &io::Error) -> bool {
    use Errno as E;
    matches!(Errno::from_io_error(error), Some(
        E::CONNABORTED | E::CONNRESET | E::INTR | E::PROTO | E::NOPROTOOPT | E::OPNOTSUPP
        | E::TIMEDOUT | E::HOSTDOWN | E::HOSTUNREACH | E::NETDOWN | E::NETUNREACH | E::PERM
        | E::ACCESS
    ))
}

/// Raises the soft limit on open files to the hard one, and returns the limit; `None`: there is
/// none. In most shells the soft limit is 1,024 because of `select(2)`, which parlor doesn't use.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        // macOS refuses more than a limit of its own, and keeps the old one.
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

    /// Opens this many connections, which the listener has not accepted.
    fn clients(listener: &Listener, count: usize) -> Vec<Client> {
        let connect = || Client::connect(listener.address()).unwrap();
        std::iter::repeat_with(connect).take(count).collect()
    }

    #[test]
    fn listener_accepts_a_batch_and_continues() {
        let mut listener = listener();
        let _clients = clients(&listener, TURN_ACCEPTS + 1);
        let mut taken = Vec::new();
        for (count, has_more) in [(TURN_ACCEPTS, true), (TURN_ACCEPTS + 1, false)] {
            listener.accept(Millis(0), 0, |stream, _| {
                taken.push(stream);
                Ok(())
            });
            assert_eq!((taken.len(), listener.has_more()), (count, has_more));
        }
    }

    #[test]
    fn listener_pauses_after_a_failure() {
        let mut listener = listener();
        let _clients = clients(&listener, 3);
        let mut calls = 0;
        let mut accept = |listener: &mut Listener, now, result: Option<Errno>| {
            listener.accept(Millis(now), 0, |_, _| {
                calls += 1;
                result.map_or(Ok(()), |error| Err(error.into()))
            });
            calls
        };
        assert_eq!(accept(&mut listener, 0, Some(Errno::MFILE)), 1);
        assert_eq!(listener.retry_at(), Some(Millis(100)));
        assert!(!listener.has_more());
        assert_eq!(accept(&mut listener, 99, None), 1);
        assert_eq!(accept(&mut listener, 100, None), 3, "all after the pause");
        assert_eq!((listener.has_more(), listener.retry_at()), (false, None));
    }

    #[test]
    fn listener_reserves_the_last_descriptors() {
        let mut listener = listener();
        listener.measure_room().unwrap();
        assert!(listener.room > 1, "{}", listener.room);
        listener.room = 3;
        let _clients = clients(&listener, 3);
        let mut taken = Vec::new();
        let mut accept = |listener: &mut Listener, now, open| {
            listener.accept(Millis(now), open, |stream, _| {
                taken.push(stream);
                Ok(())
            });
            taken.len()
        };
        assert_eq!(accept(&mut listener, 0, 1), 2);
        assert_eq!(listener.retry_at(), Some(Millis(100)));
        assert!(!listener.has_more());
        assert_eq!(accept(&mut listener, 100, 3), 2, "none was closed");
        assert_eq!(accept(&mut listener, 200, 2), 3, "one was closed");
    }

    #[test]
    fn errors_of_one_connection_cause_no_pause() {
        use Errno as E;
        for errno in [E::CONNABORTED, E::INTR, E::PROTO, E::HOSTUNREACH, E::PERM] {
            assert!(is_of_the_connection(&errno.into()), "{errno:?}");
        }
        for errno in [E::MFILE, E::NFILE, E::NOBUFS, E::NOMEM, E::INVAL] {
            assert!(!is_of_the_connection(&errno.into()), "{errno:?}");
        }
    }
}
