//! A listening socket: accepts connections in batches, and pauses when file descriptors run out.
//!
//! If `accept` fails because no descriptor is left, an immediate retry would spin, and no further
//! event reports the connections (edge-triggered). So the listener retries after a pause; meanwhile
//! they wait in the kernel's queue. The last descriptors are reserved for the history and for
//! pages. The limits on connections are in `hub::admission`.

use crate::hub::Warning;
use crate::limits::{SPARE_DESCRIPTORS, TURN_ACCEPTS};
use crate::time::Millis;
use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Interest, Registry, Token};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The length of the kernel's queue. mio asks for 128, too few after a restart: a client that finds
/// no room waits a second until it repeats its SYN.
const BACKLOG: i32 = 1_024;
/// The time until the next `accept` after a failure that it would repeat.
const PAUSE: Duration = Duration::from_millis(100);

/// The address of a Unix socket's peer, which has none. See [`Input::Accepted`](crate::hub::Input).
const UNIX_PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// Where a server listens. Displays as in the listening line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listening socket with its pauses.
pub struct Listener {
    socket: Socket,
    /// The bound address, with the real port.
    pub address: Address,
    /// The file of a Unix socket, which is removed at the end.
    file: Option<PathBuf>,
    /// Whether an event has reported connections, and the queue was not found empty since.
    pub(super) waiting: bool,
    /// The end of the pause after a failure.
    pub(super) retry_at: Option<Millis>,
    warning: Warning,
    /// The number of connections for which there are descriptors.
    room: usize,
}

impl Listener {
    /// Binds and listens. Port 0 is any free port. The file of a Unix socket is for its owner and
    /// group; it is removed when the listener is dropped.
    pub fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let socket = TcpListener::bind(*address)?;
                rustix::net::listen(&socket, BACKLOG)?;
                Self::new(Socket::Tcp(socket), None)
            }
            Address::Unix(path) => {
                let socket = bind_unix(path)?;
                rustix::net::listen(&socket, BACKLOG)?;
                Self::new(Socket::Unix(socket), Some(path.clone()))
            }
        }
    }

    /// Takes over a listening socket of the service manager.
    pub fn from_tcp(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::new(Socket::Tcp(TcpListener::from_std(socket)), None)
    }

    /// Takes over a listening Unix socket of the service manager, who removes its file.
    pub fn from_unix(socket: unix::UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::new(Socket::Unix(UnixListener::from_std(socket)), None)
    }

    fn new(socket: Socket, file: Option<PathBuf>) -> io::Result<Self> {
        let address = match &socket {
            Socket::Tcp(socket) => Address::Tcp(socket.local_addr()?),
            Socket::Unix(socket) => {
                let path = socket.local_addr()?.as_pathname().map(Path::to_owned);
                Address::Unix(path.unwrap_or_default())
            }
        };
        Ok(Self {
            address,
            socket,
            file,
            waiting: false,
            retry_at: None,
            warning: Warning::default(),
            room: usize::MAX,
        })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let socket: &mut dyn Source = match &mut self.socket {
            Socket::Tcp(socket) => socket,
            Socket::Unix(socket) => socket,
        };
        registry.register(socket, token, Interest::READABLE)
    }

    /// Counts the descriptors left for connections. Call it when everything else is open.
    pub(super) fn measure_room(&mut self) -> io::Result<()> {
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            // A new descriptor is the lowest free number (open(2)), so this many are in use.
            let used = unix::UnixDatagram::unbound()?.as_raw_fd() as usize;
            let left = usize::try_from(limit).unwrap_or(usize::MAX);
            let left = left.saturating_sub(used);
            self.room = (left - SPARE_DESCRIPTORS.min(left / 4)).max(1);
        }
        Ok(())
    }

    /// Returns whether connections may wait that no event will report.
    pub(super) fn has_more(&self) -> bool {
        self.waiting && self.retry_at.is_none()
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
            let accepted = match &self.socket {
                Socket::Tcp(socket) => socket.accept(),
                // Reads, writes and shutdowns are the same calls for both kinds of sockets.
                Socket::Unix(socket) => socket
                    .accept()
                    .map(|(stream, _)| (TcpStream::from(OwnedFd::from(stream)), UNIX_PEER)),
            };
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

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

/// Binds a Unix socket whose file only its owner and group can use. A file that a killed server has
/// left is replaced.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::FileTypeExt;
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::other("there is a file that is no socket"));
        }
        match unix::UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Ok(_) => return Err(ErrorKind::AddrInUse.into()),
            Err(error) => return Err(error),
        }
    }
    let umask = rustix::process::umask(Mode::from_raw_mode(0o117));
    let bound = UnixListener::bind(path);
    rustix::process::umask(umask);
    bound
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
        let mut listener = Listener::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        listener.waiting = true;
        listener
    }

    /// Opens this many connections, which the listener has not accepted.
    fn clients(listener: &Listener, count: usize) -> Vec<Client> {
        let Address::Tcp(address) = &listener.address else {
            panic!("a Unix socket")
        };
        let connect = || Client::connect(address).unwrap();
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
        assert_eq!(listener.retry_at, Some(Millis(100)));
        assert!(!listener.has_more());
        assert_eq!(accept(&mut listener, 99, None), 1);
        assert_eq!(accept(&mut listener, 100, None), 3, "all after the pause");
        assert_eq!((listener.has_more(), listener.retry_at), (false, None));
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
        assert_eq!(listener.retry_at, Some(Millis(100)));
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
