//! `parlor health`: whether a server answers, for containers and scripts.

use super::address::{Address, ask};
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::cli::options::LISTEN;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The time for the connection, and for each read and write.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) const TOOL: Tool = Tool {
    usage: "health [URL]",
    help: "ask a running server whether it answers",
    manual: "\
Usage: parlor health [URL]

Asks /healthz of a running server, for containers and scripts. The URL may be a
socket, such as unix:/run/parlor.sock. Without one it asks the first address of
PARLOR_LISTEN, or else http://127.0.0.1:8080/.

Exit status: 0 if the server answers 200, 1 otherwise, 2 for a wrong URL.",
    options: &[],
    operands: 1,
    run,
};

fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let listen = std::env::var("PARLOR_LISTEN").unwrap_or_default();
    let listen = listen.split(',').next().unwrap_or_default().trim();
    let url = match given.operands.first() {
        Some(url) => url.to_string_lossy().into_owned(),
        None if listen.is_empty() => LISTEN.to_owned(),
        None => listen.to_owned(),
    };
    let (mut stream, host, path) = if let Some(path) = url.strip_prefix("unix:") {
        let connected = UnixStream::connect(path);
        let connected = connected.map_err(|error| format!("can't connect to {url}: {error}"))?;
        let stream = TcpStream::from(OwnedFd::from(connected));
        (stream, "localhost".to_owned(), String::new())
    } else {
        let scheme = if url.contains("://") { "" } else { "http://" };
        let address = Address::parse(&format!("{scheme}{url}")).map_err(Failure::wrong)?;
        if address.scheme != "http" {
            return Err(Failure::wrong("the address must begin with http://"));
        }
        let stream = address.connect(TIMEOUT)?;
        (stream, address.authority, address.target)
    };
    let path = path.trim_end_matches('/');
    let request =
        format!("GET {path}/healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let failed = |error| Failure::Failed(format!("no answer from {url}: {error}"));
    stream.set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
    let answer = ask(&mut stream, &request, "", None).map_err(failed)?;
    if answer.status != 200 {
        return Err(Failure::Failed(format!("{url} answers {}", answer.status)));
    }
    terminal.line("ok");
    Ok(true)
}
