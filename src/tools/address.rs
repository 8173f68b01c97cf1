//! The address of a WebSocket, `ws://host:port/path` (RFC 6455 §3), and connections to it.

use super::tool::Failure;
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::http::Authority;
use crate::progress::Progress;
use crate::text::EscapedText;
use crate::websocket::{ClientHandshake, Config, HandshakeError};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The time for a connection, and for each read of a handshake's response.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A response with longer headers is refused.
const HEAD_BYTES: usize = 64 << 10;
/// The part of a refusal's body that is shown, in characters.
const SHOWN_CHARS: usize = 200;

/// The parsed address of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The host and port as they were written, for the `Host` header.
    pub(super) authority: String,
    /// The path with its query.
    pub(super) target: String,
    /// The host without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Parses the operand of a command line. With `has_tls`, another program does the TLS, and
    /// `wss://` is valid.
    pub(super) fn operand(given: &Arguments, has_tls: bool) -> Result<Self, Failure> {
        let url = given.operand("an address").map_err(Failure::Wrong)?;
        let url = url.to_string_lossy();
        let url = url
            .strip_prefix("wss")
            .filter(|_| has_tls)
            .map(|rest| format!("ws{rest}"))
            .unwrap_or_else(|| url.into_owned());
        Self::parse(&url)
            .map_err(|error| Failure::Wrong(format!("{error}, such as ws://127.0.0.1:8080/chat")))
    }

    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "ws" => {}
            "wss" => return Err("TLS (wss://) is not supported: use the address behind the proxy"),
            _ => return Err("a WebSocket address begins with ws://"),
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if target.contains('#') {
            return Err("a WebSocket address has no fragment (RFC 6455 §3)");
        }
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("an address has only visible ASCII characters");
        }
        let parts = Authority::parse(authority).ok_or("the address needs a valid host and port")?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            authority: authority.to_owned(),
            target: format!("{slash}{target}"),
            host: parts.host.trim_matches(['[', ']']).to_owned(),
            port: parts.port.unwrap_or(80),
        })
    }

    /// Returns the addresses of the host, IPv4 first.
    pub(super) fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let resolved = (self.host.as_str(), self.port).to_socket_addrs();
        let resolved = resolved.map_err(|error| format!("can't find {}: {error}", self.authority));
        let mut addresses: Vec<_> = resolved?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        Ok(addresses)
    }

    /// Opens a TCP connection within this time.
    pub(super) fn connect(&self, within: Duration) -> Result<TcpStream, String> {
        let mut error = "the host has no address".to_owned();
        for address in self.resolve()? {
            match TcpStream::connect_timeout(&address, within).and_then(prepared) {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = failed.to_string(),
            }
        }
        Err(format!("can't connect to {}: {error}", self.authority))
    }

    /// Opens a connection and does the opening handshake, in which it offers `subprotocol`. Returns
    /// the bytes received after the response too.
    pub(super) fn open(&self, subprotocol: Option<&str>) -> Result<(TcpStream, Vec<u8>), String> {
        let failed = |error: io::Error| format!("no handshake with {}: {error}", self.authority);
        let config = Config::default()
            .subprotocols(subprotocol)
            .max_head_bytes(HEAD_BYTES);
        let (host, target) = (&self.authority, &self.target);
        let handshake = ClientHandshake::new(host, target, random()?, &config);
        let handshake = handshake.map_err(|error| error.to_string())?;
        let mut stream = self.connect(TIMEOUT)?;
        let (mut out, mut received, mut buffer) = (Vec::new(), Vec::new(), [0; 4 << 10]);
        handshake.request(&mut out);
        stream.write_all(&out).map_err(failed)?;
        loop {
            let length = stream.read(&mut buffer).map_err(failed)?;
            if length == 0 {
                return Err(format!("{} hung up instead of an answer", self.authority));
            }
            received.extend_from_slice(&buffer[..length]);
            let parsed = handshake.parse(&received);
            if let Progress::Done { used, .. } = parsed.map_err(|it| refused(&it, &received))? {
                received.drain(..used);
                return Ok((stream, received));
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority, self.target)
    }
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Adds the server's own reason, the first line of the body.
fn refused(error: &HandshakeError, response: &[u8]) -> String {
    let response = String::from_utf8_lossy(response);
    let (_, body) = response.split_once("\r\n\r\n").unwrap_or_default();
    let line = EscapedText(body.lines().next().unwrap_or_default()).to_string();
    let line: String = line.chars().take(SHOWN_CHARS).collect();
    let colon = if line.is_empty() { "" } else { ": " };
    format!("{error}{colon}{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed() {
        let table = [
            (
                "ws://127.0.0.1:8080/chat",
                "127.0.0.1:8080 /chat 127.0.0.1 8080",
            ),
            ("WS://localhost", "localhost / localhost 80"),
            ("ws://[::1]:9/a?b=c", "[::1]:9 /a?b=c ::1 9"),
            ("ws://a?b", "a /?b a 80"),
            ("ws://a/b#c", "no fragment"),
            ("wss://a", "TLS"),
            ("http://a", "begins with ws://"),
            ("a:8080", "begins with ws://"),
            ("ws://", "valid host"),
            ("ws://me@a/", "valid host"),
            ("ws://a/b c", "visible ASCII"),
            ("ws://a/\r\nX: y", "visible ASCII"),
        ];
        for (url, expected) in table {
            let shown = match Address::parse(url) {
                Ok(a) => format!("{} {} {} {}", a.authority, a.target, a.host, a.port),
                Err(error) => error.to_owned(),
            };
            assert!(shown.contains(expected), "{url}: {shown}");
        }
    }
}
