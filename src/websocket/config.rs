//! The settings of one end: what its handshake offers or accepts, and its limits.

use super::connection::WebSocket;
use super::deflate::{Compression, DeflateParameters};
use crate::http::is_token;
use std::error::Error;
use std::fmt;

/// The settings of a handshake and of the [`WebSocket`] that it makes.
///
/// ```
/// use parlor::websocket::{Compression, Config};
/// let config = Config::default()
///     .subprotocols(["graphql-transport-ws"])
///     .header("Authorization", "Bearer secret")?
///     .compression(Compression::ContextTakeover)
///     .max_head_bytes(8 << 10)
///     .max_message_bytes(1 << 20)
///     .answering_pings(true);
/// # Ok::<(), parlor::websocket::HandshakeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) subprotocols: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) compression: Compression,
    pub(crate) max_head_bytes: usize,
    pub(super) max_message_bytes: usize,
    pub(super) answers_pings: bool,
}

impl Default for Config {
    /// Creates settings without subprotocols, headers and compression, for heads of 16 KiB and
    /// messages of 16 MiB, that answer pings.
    fn default() -> Self {
        Self {
            subprotocols: Vec::new(),
            headers: Vec::new(),
            compression: Compression::Off,
            max_head_bytes: 16 << 10,
            max_message_bytes: 16 << 20,
            answers_pings: true,
        }
    }
}

impl Config {
    /// Sets the subprotocols (RFC 6455 §1.9): those that a client offers, in its order of
    /// preference, or those that a server accepts. They are compared with case.
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.subprotocols = names.into_iter().map(S::into).collect();
        self
    }

    /// Adds a header to the request of a client, such as `Authorization`, or to the response of a
    /// server, such as `Set-Cookie`.
    ///
    /// ```
    /// use parlor::websocket::Config;
    /// assert!(Config::default().header("Cookie", "a=1\r\nEvil: 2").is_err());
    /// assert!(Config::default().header("Sec-WebSocket-Key", "mine").is_err());
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HandshakeError> {
        const OWN: [&str; 3] = ["host", "upgrade", "connection"];
        let lower = name.to_ascii_lowercase();
        let is_own = OWN.contains(&lower.as_str()) || lower.starts_with("sec-websocket-");
        let is_safe = value.chars().all(|it| !it.is_control() || it == '\t');
        let (sentence, section) = match (is_token(name), is_own, is_safe) {
            (false, ..) => ("the name of a header must be a token", "RFC 9110 §5.1"),
            (_, true, _) => ("the handshake has this header already", "RFC 6455 §4"),
            (.., false) => (
                "the value of a header has a control character",
                "RFC 9110 §5.5",
            ),
            _ => {
                self.headers.push((name.to_owned(), value.to_owned()));
                return Ok(self);
            }
        };
        Err(HandshakeError::new(sentence, section))
    }

    /// Sets the compression that is offered or accepted (RFC 7692). It needs the feature `deflate`;
    /// without it every offer is declined.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Sets the longest head of a request or response, in bytes.
    pub fn max_head_bytes(mut self, max_head_bytes: usize) -> Self {
        self.max_head_bytes = max_head_bytes;
        self
    }

    /// Sets the longest message that is accepted, in bytes, on the wire and inflated. A longer one
    /// is [`Violation::MessageTooBig`](super::Violation::MessageTooBig).
    pub fn max_message_bytes(mut self, max_message_bytes: usize) -> Self {
        self.max_message_bytes = max_message_bytes;
        self
    }

    /// Sets whether pings are answered at once, as they are by default. See
    /// [`WebSocket::answering_pings`](super::WebSocket::answering_pings).
    pub fn answering_pings(mut self, answers_pings: bool) -> Self {
        self.answers_pings = answers_pings;
        self
    }
}

/// What both ends agreed to.
///
/// ```
/// use parlor::blocking::masking_keys;
/// use parlor::websocket::{Accepted, ClientHandshake, Config, ServerHandshake};
/// let config = Config::default().subprotocols(["chat", "news"]);
/// let client = ClientHandshake::new("example.com", "/", *b"the sample nonce", &config)?;
/// let headers = client.headers();
/// let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
/// let server = ServerHandshake::new("GET", headers, &config.subprotocols(["news"]))?;
/// let headers = server.headers();
/// let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
/// let accepted: Accepted = client.check(101, headers)?;
/// assert_eq!(accepted.subprotocol.as_deref(), Some("news"));
/// assert_eq!(accepted.deflate, None);
/// let (client, server) = (accepted.client(masking_keys()), server.accepted.server());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The subprotocol, if there is one (RFC 6455 §1.9).
    pub subprotocol: Option<String>,
    /// The compression, if there is any. A server can still decline it by `None`.
    pub deflate: Option<DeflateParameters>,
    pub(super) config: Config,
}

impl Accepted {
    /// Returns the client's end. `masking_key` returns four new, unpredictable bytes at each call
    /// (RFC 6455 §5.3).
    pub fn client(&self, masking_key: impl FnMut() -> [u8; 4] + Send + 'static) -> WebSocket {
        self.configured(WebSocket::client(
            self.config.max_message_bytes,
            masking_key,
        ))
    }

    /// Returns the server's end, once the response is sent.
    pub fn server(&self) -> WebSocket {
        self.configured(WebSocket::server(self.config.max_message_bytes))
    }

    fn configured(&self, websocket: WebSocket) -> WebSocket {
        let websocket = websocket.with_deflate(self.deflate);
        websocket.answering_pings(self.config.answers_pings)
    }
}

/// Why a handshake failed: a request that can't be sent, or a response that breaks a rule.
///
/// ```
/// use parlor::websocket::{ClientHandshake, Config};
/// let config = Config::default();
/// let client = ClientHandshake::new("example.com", "/", *b"the sample nonce", &config)?;
/// let error = client.check(302, [("location", &b"https://example.com/chat"[..])]).unwrap_err();
/// assert_eq!((error.status, error.section), (Some(302), "RFC 6455 §4.1"));
/// # Ok::<(), parlor::websocket::HandshakeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeError {
    /// The status of the response, if it is not 101.
    pub status: Option<u16>,
    /// The broken rule, in one sentence without its full stop.
    pub sentence: &'static str,
    /// The section of the standard, such as `RFC 6455 §4.1`.
    pub section: &'static str,
}

impl HandshakeError {
    pub(super) const fn new(sentence: &'static str, section: &'static str) -> Self {
        let status = None;
        Self {
            status,
            sentence,
            section,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.sentence, self.section)?;
        let status = self.status.map(|status| format!("; it is {status}"));
        f.write_str(&status.unwrap_or_default())
    }
}

impl Error for HandshakeError {}
