//! `parlor health`: whether a server answers, for containers and scripts.

use super::address::Address;
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::cli::options::LISTEN;
use crate::http::ResponseHead;
use crate::progress::Progress;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The time for the connection, and for each read and write.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A longer response is none of parlor's.
const RESPONSE_BYTES: usize = 16 << 10;

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
    if let Some(path) = url.strip_prefix("unix:") {
        let connected = UnixStream::connect(path)
            .map(OwnedFd::from)
            .map(TcpStream::from);
        let stream = connected.map_err(|error| format!("can't connect to {url}: {error}"))?;
        return ask(&url, stream, "localhost", "", terminal);
    }
    let rest = match url.split_once("://") {
        None => &url,
        Some(("http", rest)) => rest,
        Some(_) => return Err(Failure::wrong("the address must begin with http://")),
    };
    let address = Address::parse(&format!("ws://{rest}"));
    let address = address.map_err(|error| Failure::Wrong(error.replace("a WebSocket", "an")))?;
    let stream = address.connect(TIMEOUT)?;
    let path = address.target.trim_end_matches('/');
    ask(&url, stream, &address.authority, path, terminal)
}

/// Asks for `/healthz` below a path.
fn ask(
    url: &str,
    mut stream: TcpStream,
    host: &str,
    path: &str,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("no answer from {url}: {error}"));
    let request =
        format!("GET {path}/healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut response = Vec::new();
    let mut stream = stream.take(RESPONSE_BYTES as u64);
    stream.read_to_end(&mut response).map_err(failed)?;
    match ResponseHead::parse(&response, RESPONSE_BYTES).map_err(Failure::failed)? {
        Progress::Done { value: head, .. } if head.status() == 200 => {
            terminal.line("ok");
            Ok(true)
        }
        Progress::Done { value: head, .. } => {
            Err(Failure::Failed(format!("{url} answers {}", head.status())))
        }
        Progress::NeedMore => Err(Failure::Failed(format!("no answer from {url}"))),
    }
}
