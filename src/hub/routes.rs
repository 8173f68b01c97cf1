//! Which path is answered by what, and who may ask from where.
//!
//! A browser opens a WebSocket to any host that a page asks for, with the cookies and from within
//! the network of whoever
//! looks at the page; its `Origin` header is all that tells one page from another (RFC 6455 §10.2).
//! Comparing it with `Host` is
//! not enough: a foreign name can be made to point at this machine (DNS rebinding), and then both
//! are the foreign name. So
//! without `--origin` only hosts are believed that nobody outside can own.
//!
//! Not here: whether the request is well formed (`http`) and asks for an upgrade as it should
//! (`websocket::handshake`).

use crate::http::pages::{self, Pages};
use crate::http::{Authority, Body, Head, Refusal, Response};
use crate::metrics::Metrics;
use crate::websocket::handshake::NEEDS_UPGRADE;
use crate::websocket::{self, Upgrade};
use std::fmt;
use std::net::Ipv4Addr;

/// What a request gets.
pub(super) enum Reply {
    /// This answer; the connection goes on if the client wants to.
    Answer(Response),
    /// Another protocol.
    Upgrade(Upgrade, Path),
}

/// The paths that speak WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Chat,
    Echo,
}

/// From which pages a browser may open `/chat` and `/echo` (`--origin`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// The page's host is the one that the request is for, and nobody outside can own it.
    SameHost,
    /// These.
    Listed(Vec<Origin>),
    /// Any.
    Any,
}

impl Origins {
    /// Whether the page that asks may connect (RFC 6455 §4.2.2, item 4). Who sends no `Origin` is
    /// no browser, and can
    /// say what it likes anyway.
    pub fn check(&self, head: &Head<'_>) -> Result<(), Refusal> {
        let mut values = head.values("origin");
        let Some(value) = values.next() else {
            return Ok(());
        };
        if values.next().is_some() {
            return Err(Refusal::bad_request("Origin must stand in the request once").closing());
        }
        let origin = std::str::from_utf8(value).ok().and_then(Origin::parse);
        let welcome = match (self, origin) {
            (Self::Any, _) => true,
            (_, None) => false,
            (Self::Listed(listed), Some(origin)) => listed.contains(&origin),
            (Self::SameHost, Some(origin)) => is_same_host(&origin, head.host()),
        };
        if welcome {
            Ok(())
        } else {
            Err(Refusal::forbidden(FOREIGN))
        }
    }
}

/// Scheme, host and port of a page (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Box<str>,
    host: Box<str>,
    port: Option<u16>,
}

impl Origin {
    /// Reads `scheme://host[:port]` in any case; the default ports of `http` and `https` are filled
    /// in. Any other spelling is
    /// none, a path or a final slash too.
    ///
    /// ```
    /// use parlor::hub::Origin;
    /// assert_eq!(Origin::parse("https://Chat.Example"), Origin::parse("https://chat.example:443"));
    /// assert_eq!(Origin::parse("chat.example"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let legal = letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
            && letters
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let Authority { host, port } = Authority::parse(authority).filter(|_| legal)?;
        let scheme = scheme.to_ascii_lowercase();
        let port = port.or_else(|| default_port(&scheme));
        Some(Self {
            scheme: scheme.into(),
            host: host.to_ascii_lowercase().into(),
            port,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if Some(port) != default_port(&self.scheme) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Whether nobody outside this network can have a name that points here: an address, a name without
/// a dot, or one under an
/// ending that is never delegated (RFC 6761, RFC 6762, RFC 8375, and `.internal` and `.lan` by
/// custom).
fn is_private(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let private_ending = || {
        [".localhost", ".local", ".lan", ".home.arpa", ".internal"]
            .iter()
            .any(|ending| host.ends_with(ending))
    };
    host.starts_with('[')
        || host.parse::<Ipv4Addr>().is_ok()
        || !host.contains('.')
        || private_ending()
}

const FOREIGN: &str = "a page from elsewhere may not open a WebSocket here; the server's option --origin URL lets it in";
const FOREIGN_HOST: &str = "no page may open a WebSocket under this host name; start the server with --origin URL, the address of this page";

/// Finds the answer to each request.
pub(super) struct Router {
    origins: Origins,
    pages: Box<dyn Pages>,
}

impl Router {
    pub(super) fn new(origins: Origins, pages: Box<dyn Pages>) -> Self {
        Self { origins, pages }
    }

    /// The answer to one request, or why there is none.
    ///
    /// A refused upgrade closes, whatever it was refused for: a client that did not wait for the
    /// answer means by what follows
    /// frames, and no further request.
    pub(super) fn route(&mut self, head: &Head<'_>, metrics: &Metrics) -> Result<Reply, Refusal> {
        self.reply(head, metrics).map_err(|refusal| {
            if asks_for_upgrade(head) {
                refusal.closing()
            } else {
                refusal
            }
        })
    }

    fn reply(&mut self, head: &Head<'_>, metrics: &Metrics) -> Result<Reply, Refusal> {
        match head.method() {
            "GET" | "HEAD" => {}
            "OPTIONS" => return Ok(Reply::Answer(Response::options())),
            _ => return Err(Refusal::method_not_allowed()),
        }
        let text = |media_type, text: String| {
            Ok(Reply::Answer(no_store(Response::new(
                200,
                media_type,
                Body::Text(text.into()),
            ))))
        };
        match head.path() {
            "/chat" => self.upgrade(head, Path::Chat),
            "/echo" => self.upgrade(head, Path::Echo),
            "/healthz" => text("text/plain; charset=utf-8", "ok".to_owned()),
            "/metrics" => text(Metrics::MEDIA_TYPE, metrics.render()),
            path => match self.pages.page(page_of(path)) {
                Some(page) => Ok(Reply::Answer(pages::respond(page, head))),
                None => Err(Refusal::not_found()),
            },
        }
    }

    fn upgrade(&self, head: &Head<'_>, path: Path) -> Result<Reply, Refusal> {
        self.origins.check(head)?;
        let asked = asks_for_upgrade(head);
        if !asked
            && self.origins == Origins::SameHost
            && !Authority::parse(head.host()).is_some_and(|host| is_private(host.host))
        {
            return Err(Refusal::forbidden(FOREIGN_HOST));
        }
        if head.method() != "GET" {
            // HEAD gets what GET gets without an upgrade, and never an upgrade.
            return Err(Refusal::upgrade_required(NEEDS_UPGRADE));
        }
        // A request that did not ask for another protocol leaves no doubt about what is spoken
        // next.
        let refused = |refusal: Refusal| Refusal {
            closes: refusal.status != 426,
            ..refusal
        };
        websocket::check(head)
            .map(|upgrade| Reply::Upgrade(upgrade, path))
            .map_err(refused)
    }
}

/// The pages that have an address without an ending.
fn page_of(path: &str) -> &str {
    match path {
        "/wire" => "/wire.html",
        "/join" => "/invite.html",
        path => path,
    }
}

fn asks_for_upgrade(head: &Head<'_>) -> bool {
    head.values("upgrade").next().is_some()
}

fn is_same_host(origin: &Origin, host: &str) -> bool {
    let Some(default) = default_port(&origin.scheme) else {
        return false;
    };
    let Some(Authority { host, port }) = Authority::parse(host) else {
        return false;
    };
    is_private(host)
        && host.eq_ignore_ascii_case(&origin.host)
        && Some(port.unwrap_or(default)) == origin.port
}

/// What is true only now is not for a cache.
fn no_store(mut response: Response) -> Response {
    response.headers.push(("Cache-Control", "no-store".into()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    struct NoPages;
    impl Pages for NoPages {
        fn page(&mut self, _: &str) -> Option<pages::Page> {
            None
        }
    }

    /// The status that a request for `/chat` gets: 101 where it is let in.
    fn status(origins: Origins, request: &str) -> u16 {
        let Ok(Progress::Done { value: head, .. }) = Head::parse(request.as_bytes(), 8192) else {
            panic!("{request}")
        };
        match Router::new(origins, Box::new(NoPages)).route(&head, &Metrics::default()) {
            Ok(Reply::Answer(response)) => response.status,
            Ok(Reply::Upgrade(..)) => 101,
            Err(refusal) => refusal.status,
        }
    }

    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn upgrade(origins: Origins, host: &str, origin: &str) -> u16 {
        let origin = if origin.is_empty() {
            String::new()
        } else {
            format!("Origin: {origin}\r\n")
        };
        status(
            origins,
            &format!("GET /chat HTTP/1.1\r\nHost: {host}\r\n{origin}{UPGRADE}\r\n"),
        )
    }

    #[test]
    fn without_the_option_the_page_must_come_from_the_same_private_host() {
        let table = [
            ("no browser", "chat.example", "", 101),
            (
                "the same host",
                "localhost:8080",
                "http://localhost:8080",
                101,
            ),
            ("any case", "LocalHost:8080", "HTTP://localhost:8080", 101),
            (
                "an IPv4 address",
                "192.168.0.7:8080",
                "http://192.168.0.7:8080",
                101,
            ),
            ("an IPv6 address", "[::1]:8080", "http://[::1]:8080", 101),
            ("a name without a dot", "raspberry", "http://raspberry", 101),
            (
                "a name of the home network",
                "pi.local:80",
                "http://pi.local",
                101,
            ),
            (
                "TLS in front: its default port",
                "box.lan",
                "https://box.lan",
                101,
            ),
            (
                "another port",
                "localhost:8080",
                "http://localhost:8081",
                403,
            ),
            (
                "a default port is no wild card",
                "localhost:8080",
                "http://localhost",
                403,
            ),
            ("another host", "localhost:8080", "http://evil.example", 403),
            (
                "a foreign name that points here",
                "evil.example:8080",
                "http://evil.example:8080",
                403,
            ),
            (
                "an ending that only looks private",
                "evil.notlocal",
                "http://evil.notlocal",
                403,
            ),
            ("a page without an origin", "localhost:8080", "null", 403),
            (
                "an extension",
                "localhost",
                "chrome-extension://localhost",
                403,
            ),
            ("no origin at all", "localhost", "localhost", 403),
            (
                "two origins in one",
                "localhost",
                "http://localhost http://localhost",
                403,
            ),
        ];
        for (name, host, origin, expected) in table {
            assert_eq!(upgrade(Origins::SameHost, host, origin), expected, "{name}");
        }
    }

    #[test]
    fn with_the_option_the_list_decides() {
        let listed = || {
            Origins::Listed(vec![
                Origin::parse("https://chat.example").unwrap(),
                Origin::parse("http://a:81").unwrap(),
            ])
        };
        let table = [
            (
                "listed, whatever the proxy made of Host",
                listed(),
                "127.0.0.1:8080",
                "https://chat.example",
                101,
            ),
            (
                "its default port spelled out",
                listed(),
                "chat.example",
                "https://CHAT.example:443",
                101,
            ),
            (
                "another scheme",
                listed(),
                "chat.example",
                "http://chat.example",
                403,
            ),
            (
                "the same host, but not listed",
                listed(),
                "localhost",
                "http://localhost",
                403,
            ),
            ("no browser", listed(), "localhost", "", 101),
            (
                "any",
                Origins::Any,
                "localhost",
                "https://evil.example",
                101,
            ),
            ("any, even none", Origins::Any, "localhost", "null", 101),
        ];
        for (name, origins, host, origin, expected) in table {
            assert_eq!(upgrade(origins, host, origin), expected, "{name}");
        }
    }

    #[test]
    fn paths_and_methods() {
        let table = [
            (
                "a plain request for the chat",
                "GET /chat HTTP/1.1\r\nHost: a\r\n\r\n",
                426,
            ),
            (
                "and for the echo",
                "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
                426,
            ),
            (
                "under a name that no page could use",
                "GET /chat HTTP/1.1\r\nHost: chat.example\r\n\r\n",
                403,
            ),
            (
                "HEAD is told the same",
                "HEAD /chat HTTP/1.1\r\nHost: a\r\n\r\n",
                426,
            ),
            (
                "the query is not the path",
                "GET /healthz?x HTTP/1.1\r\nHost: a\r\n\r\n",
                200,
            ),
            ("metrics", "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200),
            ("no page", "GET /chat/ HTTP/1.1\r\nHost: a\r\n\r\n", 404),
            (
                "another method",
                "POST /chat HTTP/1.1\r\nHost: a\r\n\r\n",
                405,
            ),
            (
                "methods have a case",
                "get / HTTP/1.1\r\nHost: a\r\n\r\n",
                405,
            ),
            (
                "two origins",
                "GET /chat HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://a\r\n\r\n",
                400,
            ),
        ];
        for (name, request, expected) in table {
            assert_eq!(status(Origins::SameHost, request), expected, "{name}");
        }
    }

    #[test]
    fn origins_are_shown_as_they_are_written() {
        for text in ["https://chat.example", "http://[::1]:8080", "http://a:443"] {
            assert_eq!(
                Origin::parse(text)
                    .map(|origin| origin.to_string())
                    .as_deref(),
                Some(text)
            );
        }
        for text in [
            "",
            "https://",
            "https://a/",
            "https://a/b",
            "://a",
            "1a://b",
            "https:/a",
            "https://u@a",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
