//! The address of a WebSocket (RFC 6455 §3) or of a page, and connections to it.

use super::tool::Failure;
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::http::{Authority, ResponseHead};
use crate::progress::Progress;
use crate::text::EscapedText;
use crate::websocket::HandshakeError;
use crate::websocket::client::{Asked, check_response, key};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The time for a connection, and for each read of a handshake's response.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest response that is read.
const RESPONSE_BYTES: usize = 64 << 10;
/// The part of a refusal's body that is shown, in characters.
const SHOWN_CHARS: usize = 200;

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `ws`, `wss`, `http` or `https`.
    pub(super) scheme: String,
    /// The host and port as they were written, for the `Host` header.
    pub(super) authority: String,
    /// The path with its query.
    pub(super) target: String,
    /// The host without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Parses the operand of a command line, the address of a WebSocket. With `has_tls`, another
    /// program does the TLS, and `wss://` is valid.
    pub(super) fn operand(given: &Arguments, has_tls: bool) -> Result<Self, Failure> {
        let url = given.operand("an address").map_err(Failure::Wrong)?;
        let parsed = Self::parse(&url.to_string_lossy());
        let error = match parsed {
            Ok(address) if address.scheme == "ws" || has_tls && address.scheme == "wss" => {
                return Ok(address);
            }
            Ok(address) if address.scheme == "wss" => {
                "TLS (wss://) is not supported: use the address behind the proxy"
            }
            Ok(_) => "a WebSocket address begins with ws://",
            Err(error) => error,
        };
        let example = "such as ws://127.0.0.1:8080/chat";
        Err(Failure::Wrong(format!("{error}, {example}")))
    }

    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let port = match &*scheme {
            "ws" | "http" => 80,
            "wss" | "https" => 443,
            _ => return Err("an address begins with ws://, http:// or https://"),
        };
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if target.contains('#') {
            return Err("an address has no fragment (RFC 6455 §3)");
        }
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("an address has only visible ASCII characters");
        }
        let parts = Authority::parse(authority).ok_or("the address needs a valid host and port")?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            scheme,
            authority: authority.to_owned(),
            target: format!("{slash}{target}"),
            host: parts.host.trim_matches(['[', ']']).to_owned(),
            port: parts.port.unwrap_or(port),
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
    /// the bytes received after the response too. An error has the server's own reason.
    pub(super) fn open(&self, subprotocol: Option<&str>) -> Result<(TcpStream, Vec<u8>), String> {
        let (host, target, key) = (&self.authority, &self.target, key(random()?));
        let protocol = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        let upgrade = upgrade(&key) + &protocol.unwrap_or_default();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n");
        let mut stream = self.connect(TIMEOUT)?;
        let answer = ask(&mut stream, &request, &key, subprotocol);
        let answer = answer.map_err(|error| format!("no handshake with {host}: {error}"))?;
        match &answer.broken {
            None => Ok((stream, answer.rest)),
            Some(error) => {
                let line: String = answer.first_line().chars().take(SHOWN_CHARS).collect();
                let colon = if line.is_empty() { "" } else { ": " };
                Err(format!("{error}{colon}{line}"))
            }
        }
    }
}

/// Returns the headers that ask for a WebSocket.
pub(super) fn upgrade(key: &str) -> String {
    format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\n"
    )
}

/// The response to a request.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: String,
    /// Why it opens no WebSocket.
    pub(super) broken: Option<HandshakeError>,
    /// The body, or the first frames.
    pub(super) rest: Vec<u8>,
}

impl Answer {
    /// Returns the first line of the body.
    pub(super) fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.rest);
        EscapedText(text.lines().next().unwrap_or_default()).to_string()
    }
}

/// Sends a request, and reads the response; `key` and `subprotocol` are those of an upgrade.
pub(super) fn ask(
    stream: &mut TcpStream,
    request: &str,
    key: &str,
    subprotocol: Option<&str>,
) -> io::Result<Answer> {
    // An error of the write shows when the answer is read.
    let _ = stream.write_all(request.as_bytes());
    let (mut received, mut buffer) = (Vec::new(), [0; 4 << 10]);
    loop {
        let length = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            length => length?,
        };
        received.extend_from_slice(&buffer[..length]);
        let parsed = ResponseHead::parse(&received, RESPONSE_BYTES);
        let Progress::Done { value: head, used } = parsed.map_err(io::Error::other)? else {
            if length == 0 {
                return Err(io::Error::other("it hung up instead of an answer"));
            }
            continue;
        };
        let text = |name| head.values(name).next().map(String::from_utf8_lossy);
        let body: Option<usize> = text("content-length").and_then(|it| it.parse().ok());
        let is_whole = received.len() - used >= body.unwrap_or(RESPONSE_BYTES);
        if head.status() != 101 && !is_whole && length > 0 {
            continue;
        }
        let asked = Asked {
            key,
            subprotocols: subprotocol.as_slice(),
            extensions: &[],
        };
        return Ok(Answer {
            status: head.status(),
            location: EscapedText(&text("location").unwrap_or_default()).to_string(),
            broken: check_response(&head, &asked).err(),
            rest: received.split_off(used),
        });
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.target)
    }
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
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
            ("wss://a", "a / a 443"),
            ("http://a:81", "a:81 / a 81"),
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
