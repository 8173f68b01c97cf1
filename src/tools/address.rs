//! Where a client goes: `ws://host:port/path` (RFC 6455 §3), and the connection to it.
//!
//! Not here: what is said on it (`client`, `poke`).

use super::Failure;
use crate::http::{Authority, ResponseHead};
use crate::progress::Progress;
use crate::websocket::client::{Asked, check_response, key, request};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// For a connection, and for each part of the answer to a handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// As much as any server says in an answer.
const HEAD_BYTES: usize = 64 << 10;

/// A WebSocket's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Host and port as they were written, for the `Host` header.
    pub(super) authority: String,
    /// The path with its query.
    pub(super) target: String,
    host: String,
    port: u16,
}

impl Address {
    /// Reads it; an error is one line that says what would do.
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = |sentence: &str| {
            Failure::wrong(format!("{sentence}, such as ws://127.0.0.1:8080/chat"))
        };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("a WebSocket's address begins with ws://"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "ws" => {}
            "wss" => {
                return Err(wrong(
                    "TLS is not spoken here, so wss:// is out of reach: take the address behind the proxy",
                ));
            }
            _ => return Err(wrong("a WebSocket's address begins with ws://")),
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if target.contains('#') {
            return Err(wrong("a WebSocket's address has no fragment (RFC 6455 §3)"));
        }
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("an address has visible ASCII characters only"));
        }
        let parts = Authority::parse(authority)
            .ok_or_else(|| wrong("the address has no legal host and port"))?;
        let host = parts
            .host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            authority: authority.to_owned(),
            target: format!("{slash}{target}"),
            host,
            port: parts.port.unwrap_or(80),
        })
    }

    /// The addresses that its host has, IPv4 first.
    pub(super) fn resolve(&self) -> Result<Vec<SocketAddr>, Failure> {
        let failed =
            |error: io::Error| Failure::failed(format!("can't find {}: {error}", self.authority));
        let mut addresses: Vec<_> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(failed)?
            .collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        Ok(addresses)
    }

    /// A connection on which nothing was said yet.
    pub(super) fn connect(&self) -> Result<TcpStream, Failure> {
        let mut last = Failure::failed(format!("{} has no address", self.authority));
        for address in self.resolve()? {
            match TcpStream::connect_timeout(&address, PATIENCE).and_then(prepared) {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    last = Failure::failed(format!("can't connect to {}: {error}", self.authority))
                }
            }
        }
        Err(last)
    }

    /// A connection whose opening handshake is done, and what came behind the answer.
    /// `subprotocol`: what is offered.
    pub(super) fn open(&self, subprotocol: Option<&str>) -> Result<(TcpStream, Vec<u8>), Failure> {
        let failed = |error: io::Error| {
            Failure::failed(format!(
                "{} did not answer the handshake: {error}",
                self.authority
            ))
        };
        let mut stream = self.connect()?;
        let (key, mut out) = (
            key(crate::cli::serve::random().map_err(Failure::failed)?),
            Vec::new(),
        );
        request(&self.authority, &self.target, &key, subprotocol, &mut out);
        stream.write_all(&out).map_err(failed)?;
        let offered: Vec<_> = subprotocol.into_iter().collect();
        let asked = Asked {
            key: &key,
            subprotocols: &offered,
            extensions: &[],
        };
        let (mut came, mut buffer) = (Vec::new(), [0; 4 << 10]);
        loop {
            match stream.read(&mut buffer).map_err(failed)? {
                0 => {
                    return Err(Failure::failed(format!(
                        "{} closed the connection instead of an answer",
                        self.authority
                    )));
                }
                length => came.extend_from_slice(&buffer[..length]),
            }
            let answer = ResponseHead::parse(&came, HEAD_BYTES)
                .map_err(|sentence| Failure::failed(sentence.to_owned()))?;
            if let Progress::Done { value: head, used } = answer {
                check_response(&head, &asked).map_err(|sentence| {
                    Failure::failed(refused(&sentence, head.status(), &came[used..]))
                })?;
                came.drain(..used);
                return Ok((stream, came));
            }
        }
    }
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Where the server said why it refuses, that is what helps.
fn refused(sentence: &str, status: u16, body: &[u8]) -> String {
    let said = String::from_utf8_lossy(body);
    let line = said.lines().next().unwrap_or_default();
    let line: String = crate::text::EscapedText(line)
        .to_string()
        .chars()
        .take(200)
        .collect();
    if line.is_empty() {
        format!("{sentence}; it is {status}")
    } else {
        format!("{sentence}; it is {status}: {line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            (
                "ws://127.0.0.1:8080/chat",
                Some(("127.0.0.1:8080", "/chat", "127.0.0.1", 8080)),
            ),
            ("WS://localhost", Some(("localhost", "/", "localhost", 80))),
            ("ws://[::1]:9/a?b=c", Some(("[::1]:9", "/a?b=c", "::1", 9))),
            ("ws://a?b", Some(("a", "/?b", "a", 80))),
            ("ws://a/b#c", None),
            ("wss://a", None),
            ("http://a", None),
            ("a:8080", None),
            ("ws://", None),
            ("ws://me@a/", None),
            ("ws://a/b c", None),
            ("ws://a/\r\nX: y", None),
        ];
        for (url, expected) in table {
            let address = Address::parse(url);
            let parts = address
                .as_ref()
                .map(|a| {
                    (
                        a.authority.as_str(),
                        a.target.as_str(),
                        a.host.as_str(),
                        a.port,
                    )
                })
                .ok();
            assert_eq!(parts, expected, "{url}");
        }
        assert!(
            Address::parse("wss://a")
                .unwrap_err()
                .sentence
                .contains("TLS")
        );
    }
}
