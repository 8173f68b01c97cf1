//! Reads the owner's key and the room's password, each the first line of a file, and prints the
//! owner's link.

use super::options::ServeOptions;
use crate::chat::Keys;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The bytes of a file that are read; a first line must be shorter.
const LINE_BYTES: u64 = 1_024;

/// The owner's key as text, for the owner's link, and the hashes of the key and the password.
pub(super) struct Secrets {
    owner: Option<String>,
    pub(super) keys: Keys,
}

impl Secrets {
    /// Reads the files that the options name, or else systemd's credentials `owner-key` and
    /// `password`. `fresh` is an unguessable key. It becomes the owner's key if the file doesn't
    /// exist yet, which is then created. Without the option it becomes the key if standard error is
    /// a terminal, where the owner sees it. An error is one line.
    pub(super) fn read(
        options: &ServeOptions,
        credentials: Option<&Path>,
        fresh: String,
    ) -> Result<Self, String> {
        let file = |given: &Option<PathBuf>, name| {
            let credential = || Some(credentials?.join(name)).filter(|path| path.exists());
            given.clone().or_else(credential)
        };
        let is_credential =
            |path: &Path| credentials.is_some_and(|folder| path.starts_with(folder));
        let owner = match file(&options.owner_key, "owner-key") {
            Some(path) => Some(
                read_or_make(&path, fresh, is_credential(&path))
                    .map_err(|why| cant_use("owner's key", &path, &why))?,
            ),
            None => Some(fresh).filter(|_| io::stderr().is_terminal()),
        };
        let password = match file(&options.password_file, "password") {
            Some(_) if options.user_header.is_some() => {
                return Err("--user-header excludes a password".to_owned());
            }
            Some(path) => Some(
                read(&path, is_credential(&path))
                    .map_err(|why| cant_use("password", &path, &why))?,
            ),
            None => None,
        };
        let keys = Keys::new(owner.as_deref(), password.as_deref());
        Ok(Self { owner, keys })
    }

    /// Prints the owner's link, if standard error is a terminal. The fragment of an address reaches
    /// no server and no log. Without a port to listen on, only the proxy knows the address.
    pub(super) fn announce(&self, listen: Option<SocketAddr>) {
        if let Some(key) = self.owner.as_ref().filter(|_| io::stderr().is_terminal()) {
            let line = format!("You own this chat at {}\n", link(listen, key));
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
}

fn link(listen: Option<SocketAddr>, key: &str) -> String {
    let local = |listen: SocketAddr| match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut link = match listen {
        Some(at) => format!("http://{}/#owner=", SocketAddr::new(local(at), at.port())),
        None => "your proxy's address with /#owner=".to_owned(),
    };
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            link.push(byte.into());
        } else {
            let _ = write!(link, "%{byte:02X}"); // a String takes everything
        }
    }
    link
}

fn read_or_make(path: &Path, fresh: String, is_credential: bool) -> Result<String, String> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    let written = made.and_then(|mut file| {
        writeln!(file, "{fresh}")?;
        file.sync_all()
    });
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path, is_credential),
        written => written.map(|()| fresh).map_err(|error| error.to_string()),
    }
}

/// Reads the first line of a file that only its user can read. systemd guards its credentials by
/// their folder and an access list, which looks like a mode of 440.
fn read(path: &Path, is_credential: bool) -> Result<String, String> {
    let text = |error: io::Error| error.to_string();
    let file = File::open(path).map_err(text)?;
    let mode = file.metadata().map_err(text)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && !is_credential {
        let path = path.display();
        return Err(format!(
            "other users of this machine can read it (its mode is {mode:o}); to change that: \
             chmod 600 {path}"
        ));
    }
    let mut begin = String::new();
    file.take(LINE_BYTES)
        .read_to_string(&mut begin)
        .map_err(text)?;
    match begin.lines().next() {
        None | Some("") => Err("its first line is empty".to_owned()),
        Some(line) if line.len() as u64 == LINE_BYTES => {
            Err("its first line is too long".to_owned())
        }
        Some(line) => Ok(line.to_owned()),
    }
}

fn cant_use(what: &str, path: &Path, why: &str) -> String {
    format!("can't use the {what} in {}: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_link_is_for_this_machine() {
        for (listen, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.7:80", "http://192.0.2.7:80"),
            ("unix", "your proxy's address with "),
        ] {
            let expected = format!("{expected}/#owner=a-b%20%C3%A9%25");
            assert_eq!(link(listen.parse().ok(), "a-b é%"), expected);
        }
    }
}
