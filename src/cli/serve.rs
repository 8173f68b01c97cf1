//! From options to a running server.
//!
//! Not here: the options (`options`), the loop (`server`).

use super::options::ServeOptions;
use super::{NAME_AND_VERSION, invitation, random};
use crate::history::{Author, History, Memory};
#[cfg(feature = "history")]
use crate::history::{Settings, sqlite::Sqlite};
use crate::http::pages::{BuiltIn, Pages};
use crate::hub::Setup;
use crate::limits::{REFUSED_CONNECTIONS, SPARE_DESCRIPTORS};
use crate::server::{Folder, Listener, Server, raise_open_files};
use crate::text::Hex;
use crate::time::{Millis, Now, UnixMillis};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::SystemTime;

/// Serves until it is told to stop. An error is one line; the listening line goes to `say`.
pub(super) fn serve(options: &ServeOptions, say: impl Fn(&str)) -> Result<(), String> {
    warn_of_few_files(options);
    let pages: Box<dyn Pages> = match &options.www {
        None => Box::new(BuiltIn::new()),
        Some(path) => Box::new(Folder::new(path.clone()).map_err(|error| {
            format!(
                "can't serve pages from the folder {}: {error}",
                path.display()
            )
        })?),
    };
    let listener = resolve(&options.listen)
        .and_then(Listener::bind)
        .map_err(|error| cant_listen(&options.listen, &error))?;
    let epoch = random::<16>()?;
    let epoch = format!("{:x}", Hex(&epoch));
    let (author, now) = (
        newest_author(SystemTime::now()),
        Now {
            mono: Millis(0),
            unix: clock(),
        },
    );
    let history = open_history(options, &epoch, author)?;
    let mut setup = Setup {
        limits: options.limits.clone(),
        origins: options.origins.clone(),
        trusted_proxies: options.trusted_proxies.clone(),
        pages,
        history,
        tokens: Box::new(token),
        now,
    };
    #[cfg(not(feature = "tools"))]
    let recording = None;
    #[cfg(feature = "tools")]
    let recording = match &options.record {
        Some(path) => {
            let begin = crate::tools::record::begin;
            let (recording, seed) = begin(path, options, &epoch, author, now)?;
            setup.tokens = Box::new(crate::hub::record::tokens(seed));
            Some(recording)
        }
        None => None,
    };
    let address = listener.address();
    // A replay has no addresses to tell.
    if recording.is_none() {
        setup.pages = Box::new(invitation::WithInvitation::new(setup.pages, address));
    }
    let server =
        Server::new(listener, setup, recording).map_err(|error| format!("can't start: {error}"))?;
    say(&format!(
        "{NAME_AND_VERSION} listening on http://{address}\n"
    ));
    invitation::announce(address);
    server
        .run()
        .map_err(|error| format!("can't wait for events: {error}"))
}

/// What remembers: a database, or memory alone. `newest_author` counts where nothing is on disk.
pub(crate) fn open_history(
    options: &ServeOptions,
    epoch: &str,
    newest_author: Author,
) -> Result<Box<dyn History>, String> {
    let days = options.limits.session_days;
    #[cfg(feature = "history")]
    if !options.in_memory {
        let settings = Settings {
            session_days: days,
            ..options.history.clone()
        };
        return Ok(Box::new(Sqlite::open(settings, epoch)?));
    }
    Ok(Box::new(
        Memory::new(epoch.into(), newest_author).knowing_sessions_for(days),
    ))
}

/// The wall clock.
fn clock() -> UnixMillis {
    UnixMillis(
        SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_millis() as u64,
    )
}

/// A secret of a session.
fn token() -> [u8; 16] {
    // It worked at the start, and a kernel that could give random numbers once always can. Should
    // it fail after all, no
    // token is better than one that can be guessed, and the loop has nobody to tell it to.
    random().expect("the system has no random numbers any more")
}

/// The author numbers that were given before this start, all of them: where nothing is kept on disk
/// the clock is what tells.
///
/// 1,024 for each millisecond since 1970, so a server would have to begin a million sessions a
/// second to reach those of its
/// next start; and they stay below 2^53 until the year 2248.
fn newest_author(now: SystemTime) -> Author {
    let millis = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    Author((millis.min((1 << 43) - 1) as u64) << 10)
}

/// An address, or the first one that a name has: IPv4 before IPv6, since a page at `localhost` is
/// looked for at 127.0.0.1 by
/// whatever knows only that.
fn resolve(listen: &str) -> io::Result<SocketAddr> {
    let mut addresses: Vec<_> = listen.to_socket_addrs()?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses
        .first()
        .copied()
        .ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address"))
}

/// What happened, and what to do.
fn cant_listen(listen: &str, error: &io::Error) -> String {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there already; stop it, or choose another port with --listen"
                .to_owned()
        }
        ErrorKind::PermissionDenied => {
            "it needs a privilege to listen there; choose a port from 1024 on with --listen"
                .to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one with --listen".to_owned()
        }
        _ => error.to_string(),
    };
    format!("can't listen on {listen}: {hint}")
}

/// Descriptors that stay open beside connections: the standard three, those of the loop, the
/// history's.
const OTHER_FILES: usize = 16;

fn warn_of_few_files(options: &ServeOptions) {
    let needed = u64::from(options.limits.connections)
        + (REFUSED_CONNECTIONS + OTHER_FILES + SPARE_DESCRIPTORS) as u64;
    if let Some(files) = raise_open_files().filter(|files| *files < needed) {
        log::warn!(
            "this system lets parlor open {files} files, which is less than --max-connections {}",
            options.limits.connections
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn authors_are_below_two_to_the_fifty_third_for_two_centuries() {
        let at = |seconds| newest_author(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).0;
        assert_eq!(at(1), 1_000 << 10);
        let year = 31_556_952;
        assert!(
            at(277 * year) < at(278 * year) && at(278 * year) < 1 << 53,
            "1970 + 278 = 2248"
        );
        assert!(at(10_000 * year) < 1 << 53, "a clock that is quite wrong");
        assert_eq!(
            newest_author(SystemTime::UNIX_EPOCH - Duration::from_secs(1)).0,
            0,
            "or before its beginning"
        );
    }

    #[test]
    fn names_and_addresses() {
        assert_eq!(resolve("[::1]:80").unwrap(), "[::1]:80".parse().unwrap());
        assert_eq!(
            resolve("localhost:80").unwrap(),
            "127.0.0.1:80".parse().unwrap()
        );
        assert!(resolve("nothing.invalid:80").is_err());
    }
}
