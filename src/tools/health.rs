//! `parlor health`: whether a server answers, for containers and scripts.

use super::address::Address;
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::cli::options::LISTEN;
use crate::http::ResponseHead;
use crate::progress::Progress;
use std::io::{Read, Write};
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

Asks /healthz of a running server, for containers and scripts. Without a URL it
asks the address of PARLOR_LISTEN, or else http://127.0.0.1:8080/.

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
    let rest = match url.split_once("://") {
        None => &url,
        Some(("http", rest)) => rest,
        Some(_) => return Err(Failure::wrong("the address must begin with http://")),
    };
    let address = Address::parse(&format!("ws://{rest}"));
    let address = address.map_err(|error| Failure::Wrong(error.replace("a WebSocket", "an")))?;
    match status(&address) {
        Ok(200) => terminal.line("ok"),
        Ok(status) => return Err(Failure::Failed(format!("{url} answers {status}"))),
        Err(error) => return Err(Failure::Failed(error)),
    }
    Ok(true)
}

/// Returns the status of the response to `/healthz`, below the path of the address.
fn status(address: &Address) -> Result<u16, String> {
    let mut stream = address.connect(TIMEOUT)?;
    let failed = |error: std::io::Error| format!("no answer from {}: {error}", address.authority);
    let (path, host) = (address.target.trim_end_matches('/'), &address.authority);
    let request =
        format!("GET {path}/healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut response = Vec::new();
    let mut stream = stream.take(RESPONSE_BYTES as u64);
    stream.read_to_end(&mut response).map_err(failed)?;
    match ResponseHead::parse(&response, RESPONSE_BYTES)? {
        Progress::Done { value: head, .. } => Ok(head.status()),
        Progress::NeedMore => Err(format!("no answer from {}", address.authority)),
    }
}
