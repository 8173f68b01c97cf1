//! Starts the server that the options describe.

use super::invitation::Invitation;
use super::keys::Secrets;
use super::options::{LISTEN, ServeOptions};
use super::output::NAME_AND_VERSION;
use crate::history::{Author, History, Memory};
#[cfg(feature = "history")]
use crate::history::{Settings, sqlite::Sqlite};
use crate::http::pages::{BuiltIn, Pages};
use crate::hub::{Driven, Hub, Setup};
use crate::limits::{REFUSED_CONNECTIONS, SPARE_DESCRIPTORS};
use crate::server::{Address, Folder, Listener, Notifier, PeerSocket, Server, raise_open_files};
use crate::text::Hex;
use crate::time::{Millis, Now, UnixMillis};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Serves until a signal stops the server. `print` gets the listening line. An error is one line,
/// and nothing else has been printed by then.
pub(super) fn serve(
    options: &ServeOptions,
    variable: impl Fn(&str) -> Option<OsString>,
    print: impl Fn(&str),
) -> Result<(), String> {
    let open_files = raise_open_files();
    let mut pages: Box<dyn Pages> = match &options.www {
        None => Box::new(BuiltIn::default()),
        Some(path) => Box::new(Folder::new(path.clone()).map_err(|error| {
            let path = path.display();
            format!("can't serve pages from the folder {path}: {error}")
        })?),
    };
    let listeners = listen(options)?;
    let addresses: Vec<_> = listeners.iter().map(|it| it.address.clone()).collect();
    let credentials = variable("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    let credentials = credentials.map(PathBuf::from);
    let notifier = notifier(&variable)?;
    let secrets = Secrets::read(options, credentials.as_deref(), random_id()?)?;
    let epoch = random_id()?;
    let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = Now {
        mono: Millis(0),
        unix: UnixMillis(unix.as_millis() as u64),
    };
    let author = newest_author(now.unix);
    let (history, opened) = open_history(options, &epoch, author)?;
    let ports = addresses.iter().filter_map(|address| match address {
        Address::Tcp(address) => Some(*address),
        Address::Unix(_) => None,
    });
    let ports: Vec<_> = ports.collect();
    let invitation = Invitation::new(&ports);
    // A replay doesn't know the addresses.
    if options.record.is_none() {
        pages = invitation.add_to(pages);
    }
    let setup = Setup {
        #[cfg(feature = "tools")]
        wire: Some(Box::new(crate::tools::wire::Wire {
            message_bytes: options.limits.message_bytes,
        })),
        #[cfg(not(feature = "tools"))]
        wire: None,
        limits: options.limits.clone(),
        origins: options.origins.clone(),
        keys: secrets.keys,
        trusted_proxies: options.trusted_proxies.clone(),
        user_header: options.user_header.clone(),
        pages,
        history,
        tokens: Box::new(token),
        now,
    };
    let started = || {
        let addresses: Vec<_> = addresses.iter().map(Address::to_string).collect();
        let addresses = addresses.join(", ");
        print(&format!("{NAME_AND_VERSION} listening on {addresses}\n"));
        log::info!("{opened}");
        let few_files = few_files(options, open_files);
        for warning in options.warnings.iter().cloned().chain(few_files) {
            log::warn!("{warning}");
        }
        invitation.announce();
        secrets.announce(ports.first().copied());
    };
    #[cfg(feature = "tools")]
    if let Some(path) = &options.record {
        let recorder = crate::tools::record::begin(path, options, (&epoch, author), setup)?;
        return run(listeners, recorder, options, notifier, started);
    }
    run(listeners, Hub::new(setup), options, notifier, started)
}

/// Runs the server until it is stopped. `started` is called once it can serve.
fn run(
    listeners: Vec<Listener>,
    hub: impl Driven<PeerSocket>,
    options: &ServeOptions,
    notifier: Option<Notifier>,
    started: impl FnOnce(),
) -> Result<(), String> {
    let server = Server::new(listeners, hub, options.limits.drain, notifier);
    let server = server.map_err(|error| format!("can't start: {error}"))?;
    started();
    let stopped = server.run();
    stopped.map_err(|error| format!("can't wait for events: {error}"))
}

/// Opens the history, and says for the log what it found. `newest_author` is the greatest author
/// number in use if nothing is stored.
pub(crate) fn open_history(
    options: &ServeOptions,
    epoch: &str,
    newest_author: Author,
) -> Result<(Box<dyn History>, String), String> {
    let session_days = options.limits.session_days;
    #[cfg(feature = "history")]
    if !options.in_memory {
        let settings = Settings {
            session_days,
            ..options.history.clone()
        };
        let path = std::path::absolute(&settings.path).unwrap_or(settings.path.clone());
        let (is_new, path) = (!path.exists(), path.display());
        let history = Sqlite::open(settings, epoch)?;
        let opened = match history.messages() {
            _ if is_new => format!("created the history {path}"),
            1 => format!("opened the history {path} with 1 message"),
            count => format!("opened the history {path} with {count} messages"),
        };
        return Ok((Box::new(history), opened));
    }
    let history = Memory::new(epoch.into(), newest_author).knowing_sessions_for(session_days);
    let opened = "messages are kept in memory only, until the server stops".to_owned();
    Ok((Box::new(history), opened))
}

/// Random bytes from the operating system.
pub(crate) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], String> {
    let mut bytes = [0; LENGTH];
    let filled = fill_random(&mut bytes);
    filled.map_err(|error| format!("the system's random number generator failed: {error}"))?;
    Ok(bytes)
}

/// Returns 128 random bits in hexadecimal digits.
pub(crate) fn random_id() -> Result<String, String> {
    Ok(format!("{:x}", Hex(&random::<16>()?)))
}

#[cfg(target_os = "linux")]
fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    // Requests of up to 256 bytes are never cut short (getrandom(2)).
    rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, bytes)
}

/// The secret of a session.
fn token() -> [u8; 16] {
    // It worked at the start, and Linux's generator doesn't fail later. A token that can be guessed
    // would be worse than a stop.
    random().expect("the system's random number generator failed")
}

/// Returns a number above the author numbers of all earlier runs, if none of them is stored: 1,024
/// for each millisecond since 1970. It stays below 2^53 until the year 2248.
fn newest_author(now: UnixMillis) -> Author {
    Author(now.0.min((1 << 43) - 1) << 10)
}

/// Opens the socket of systemd, if there is one (sd_notify(3), sd_watchdog_enabled(3)).
fn notifier(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Notifier>, String> {
    let Some(socket) = variable("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return Ok(None);
    };
    let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
    let is_own = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let watchdog = number("WATCHDOG_USEC").filter(|time| is_own && *time > 0);
    let opened = Notifier::open(&socket, watchdog.map(Duration::from_micros));
    let opened = opened.map_err(|error| format!("can't use NOTIFY_SOCKET: {error}"));
    opened.map(Some)
}

/// Takes the sockets that systemd passes (sd_listen_fds(3)).
#[cfg(feature = "systemd")]
fn passed_sockets() -> Result<Vec<Listener>, String> {
    let error = |error: io::Error| format!("can't use a socket of systemd: {error}");
    let mut passed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for number in 0..passed.len() {
        let listener = match passed.take_tcp_listener(number) {
            Ok(socket) => socket.map(Listener::from_tcp),
            Err(_) => {
                let socket = passed.take_unix_listener(number).map_err(error)?;
                socket.map(Listener::from_unix)
            }
        };
        listeners.extend(listener.transpose().map_err(error)?);
    }
    Ok(listeners)
}

#[cfg(not(feature = "systemd"))]
fn passed_sockets() -> Result<Vec<Listener>, String> {
    Ok(Vec::new())
}

/// Takes the sockets of systemd, and opens those that `--listen` names; without any, the default.
fn listen(options: &ServeOptions) -> Result<Vec<Listener>, String> {
    let mut listeners = passed_sockets()?;
    let bind = |listen: &str| {
        let bound = resolve(listen).and_then(|address| Listener::bind(&address));
        bound.map_err(|error| cant_listen(listen, &error))
    };
    for listen in &options.listen {
        listeners.push(bind(listen)?);
    }
    if listeners.is_empty() {
        listeners.push(bind(LISTEN)?);
    }
    Ok(listeners)
}

/// Returns the first address of a host name, IPv4 before IPv6: programs that know only one expect
/// `localhost` to be 127.0.0.1.
fn resolve(listen: &str) -> io::Result<Address> {
    if let Some(path) = listen.strip_prefix("unix:") {
        return Ok(Address::Unix(path.into()));
    }
    let addresses = listen.to_socket_addrs()?;
    let first = addresses.min_by_key(SocketAddr::is_ipv6).map(Address::Tcp);
    first.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address"))
}

fn cant_listen(listen: &str, error: &io::Error) -> String {
    let reason = match error.kind() {
        ErrorKind::AddrInUse if listen.starts_with("unix:") => {
            "another program listens there; stop it, or choose another path"
        }
        _ if listen.starts_with("unix:") => return format!("can't listen on {listen}: {error}"),
        ErrorKind::AddrInUse => "another program uses that port; stop it, or choose another port",
        ErrorKind::PermissionDenied => "ports below 1024 need root privileges; choose another port",
        ErrorKind::AddrNotAvailable => "this machine has no such address; choose another one",
        _ => return format!("can't listen on {listen}: {error}"),
    };
    format!("can't listen on {listen}: {reason} with --listen")
}

/// Files that are open beside those of connections: the standard three, the event loop's, the
/// history's.
const OTHER_FILES: usize = 16;

/// Returns a warning if the system lets the server open fewer files than its connections need.
fn few_files(options: &ServeOptions, open_files: Option<u64>) -> Option<String> {
    let connections = options.limits.connections;
    let others = (REFUSED_CONNECTIONS + OTHER_FILES + SPARE_DESCRIPTORS) as u64;
    let files = open_files.filter(|files| *files < u64::from(connections) + others)?;
    Some(format!(
        "this system lets parlor open {files} files, too few for --max-connections {connections}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn author_numbers_stay_below_2_to_the_53() {
        let at = |year: u64| newest_author(UnixMillis(year * 31_556_952_000)).0;
        assert_eq!(newest_author(UnixMillis(1_000)).0, 1_000 << 10);
        assert!(at(277) < at(278) && at(278) < 1 << 53, "until 2248");
        assert!(at(10_000) < 1 << 53, "a clock that is far off");
    }

    #[test]
    fn host_names_and_addresses_are_resolved() {
        for (listen, expected) in [("[::1]:80", "[::1]:80"), ("localhost:80", "127.0.0.1:80")] {
            let expected = Address::Tcp(expected.parse().unwrap());
            assert_eq!(resolve(listen).unwrap(), expected);
        }
        assert!(resolve("nothing.invalid:80").is_err());
    }
}
