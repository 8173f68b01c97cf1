//! Finds the response to each request, by its path.

use super::admission::Seat;
use super::origins::{Origin, Origins};
use super::warnings::Warning;
use crate::chat::name::Name;
use crate::http::gzip::Gzip;
use crate::http::pages::{self, Pages};
use crate::http::{Body, Head, Refusal, Response};
use crate::metrics::Metrics;
use crate::time::Millis;
use crate::websocket::handshake::NEEDS_UPGRADE;
use crate::websocket::{Compression, Config, ServerHandshake};

pub(super) enum Reply {
    /// A response; the connection stays open if the client wants that.
    Response(Response),
    /// The switch to WebSocket.
    Upgrade(ServerHandshake, Path),
}

/// The paths that speak WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// The chat, and the user whom a trusted proxy names.
    Chat(Option<Box<str>>),
    Echo,
}

pub(super) struct Router {
    pub(super) origins: Origins,
    pub(super) pages: Box<dyn Pages>,
    pub(super) gzip: Gzip,
    /// The header in which a trusted proxy names the user.
    pub(super) user_header: Option<String>,
    /// The chat has a password, or takes its users from a proxy. Hides `/metrics`.
    pub(super) is_private: bool,
    pub(super) refused_origin: Warning,
    pub(super) config: Config,
}

impl Router {
    /// Returns the user whom a trusted proxy names; `None` if users choose their names.
    fn user(&self, head: &Head<'_>, seat: &Seat) -> Result<Option<Box<str>>, Refusal> {
        const NO_USER: &str =
            "the name of the user must come from a trusted proxy, and be valid (--user-header)";
        let Some(header) = &self.user_header else {
            return Ok(None);
        };
        let mut values = head.values(header).filter(|_| seat.by_proxy);
        let user = match (values.next(), values.next()) {
            (Some(user), None) => str::from_utf8(user).ok(),
            _ => None,
        };
        let name = user.and_then(|user| Name::of_user(user).ok());
        let name = name.ok_or_else(|| Refusal::new(403, NO_USER))?;
        Ok(Some((*name.shown).into()))
    }

    pub(super) fn route(
        &mut self,
        head: &Head<'_>,
        seat: &Seat,
        metrics: &Metrics,
        now: Millis,
    ) -> Result<Reply, Refusal> {
        match head.method {
            "GET" | "HEAD" => {}
            "OPTIONS" => {
                // Tells a page whether its origin is allowed: its own GET has no `Origin`.
                if matches!(head.path, "/chat" | "/echo") {
                    self.origins.check(head)?;
                }
                return Ok(Reply::Response(Response::options()));
            }
            _ => return Err(Refusal::method_not_allowed()),
        }
        let current = |media_type, text: String| {
            let response = Response::new(200, media_type, Body::Own(text.into()));
            Ok(Reply::Response(response.with("Cache-Control", "no-store")))
        };
        let user = match head.path {
            "/healthz" | "/metrics" => None,
            _ => self.user(head, seat)?,
        };
        match head.path {
            "/chat" => self.upgrade(head, Path::Chat(user), now),
            "/echo" => self.upgrade(head, Path::Echo, now),
            "/healthz" => current("text/plain; charset=utf-8", "ok".to_owned()),
            // Lets the page omit the form that asks for a name.
            "/user.json" => {
                let user = serde_json::json!({ "name": user });
                current("application/json", user.to_string())
            }
            "/metrics" if self.is_private && !seat.is_local(head) => {
                let why = "this chat is private, so only this machine can read its metrics";
                Err(Refusal::new(403, why))
            }
            "/metrics" => current("text/plain; version=0.0.4; charset=utf-8", metrics.render()),
            path => {
                let page = match path {
                    "/wire" => self.pages.page("/wire.html"),
                    "/join" => self.pages.page("/invite.html"),
                    path => self.pages.page(path),
                };
                let page = page.ok_or_else(|| Refusal::new(404, "page not found"))?;
                Ok(Reply::Response(pages::respond(page, head, &mut self.gzip)))
            }
        }
    }

    fn upgrade(&mut self, head: &Head<'_>, path: Path, now: Millis) -> Result<Reply, Refusal> {
        if let Err(refusal) = self.origins.check(head) {
            if let Some(origin) = Origin::of(head) {
                self.refused_origin.log(
                    now,
                    format_args!("refused a page of {origin}; --origin {origin} would allow it"),
                );
            }
            return Err(refusal);
        }
        if !asks_for_upgrade(head) && !self.origins.allow_host(head) {
            return Err(Refusal::new(
                403,
                "this host name isn't allowed; start the server with --origin set to this page's \
                 address",
            ));
        }
        if head.method != "GET" {
            // HEAD gets what a plain GET would get, and never an upgrade (RFC 6455 §4.1, item 2).
            return Err(Refusal::new(426, NEEDS_UPGRADE));
        }
        match ServerHandshake::from_head(head, &self.config) {
            Ok(mut upgrade) => {
                // `?deflate=0` lets a student read the first frames without an inflater.
                let mut words = head.query.unwrap_or_default().split('&');
                if words.any(|word| word == "deflate=0") {
                    upgrade.accepted.deflate = None;
                }
                Ok(Reply::Upgrade(upgrade, path))
            }
            // A request without an upgrade leaves no doubt about what is spoken next.
            Err(refusal) => Err(Refusal {
                closes: refusal.status != 426,
                ..refusal
            }),
        }
    }
}

/// Returns what the server agrees to in a handshake. Events are compressed once for many clients,
/// so no message may refer to an earlier one.
pub(crate) fn handshake_config() -> Config {
    let config = Config::default().subprotocols(["chat"]);
    config.compression(Compression::EachMessage)
}

pub(super) fn asks_for_upgrade(head: &Head<'_>) -> bool {
    head.values("upgrade").next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Network;
    use crate::hub::admission::Admission;
    use crate::limits::Limits;
    use crate::testing::{head, rows};

    struct NoPages;
    impl Pages for NoPages {
        fn page(&mut self, _: &str) -> Option<pages::Page> {
            None
        }
    }

    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    /// Returns the router of a chat with this header for users, which is private with one.
    fn router(user_header: Option<&str>) -> Router {
        Router {
            origins: Origins::SameHost,
            pages: Box::new(NoPages),
            gzip: Gzip::default(),
            user_header: user_header.map(str::to_owned),
            is_private: user_header.is_some(),
            refused_origin: Warning::default(),
            config: handshake_config(),
        }
    }

    fn reply(request: &str) -> Result<Reply, Refusal> {
        reply_to(&mut router(None), "192.0.2.7", request)
    }

    /// Returns the reply to a request of this peer; 127.0.0.1 is a trusted proxy.
    fn reply_to(router: &mut Router, peer: &str, request: &str) -> Result<Reply, Refusal> {
        let head = head(request);
        let mut admission = Admission::new(vec![Network::parse("127.0.0.1").unwrap()]);
        let entered = admission.enter(peer.parse().unwrap(), &Limits::DEFAULT);
        let (mut seat, _) = entered.unwrap();
        admission.request(&mut seat, &head, &Limits::DEFAULT)?;
        router.route(&head, &seat, &Metrics::default(), Millis(0))
    }

    #[test]
    fn private_chat_needs_a_user_and_hides_its_metrics() {
        // The path, the peer, other headers (divided by slashes), the status and the body.
        const TABLE: &str = "\
/user.json | 127.0.0.1 | Remote-User: Ada | 200 {\"name\":\"Ada\"}
/user.json | 127.0.0.1 | remote-user: Jörg // X-Forwarded-For: 192.0.2.1 | 200 {\"name\":\"Jörg\"}
/user.json | 127.0.0.1 |  | 403
/user.json | 127.0.0.1 | Remote-User: | 403
/user.json | 127.0.0.1 | Remote-User: ada@chat.example | 403
/user.json | 127.0.0.1 | Remote-User: Ada // Remote-User: Bob | 403
/user.json | 192.0.2.7 | Remote-User: Ada | 403
/chat | 127.0.0.1 |  | 403
/chat | 127.0.0.1 | Remote-User: Ada | 426
/ | 192.0.2.7 |  | 403
/healthz | 192.0.2.7 |  | 200 ok
/metrics | 127.0.0.1 |  | 200 # HELP
/metrics | ::1 |  | 200 # HELP
/metrics | ::1 | X-Forwarded-For: 192.0.2.1 | 403
/metrics | 127.0.0.1 | X-Forwarded-For: 192.0.2.1 | 403
/metrics | 127.0.0.1 | X-Forwarded-For: unknown | 403
/metrics | 127.0.0.1 | Forwarded: for=\"a, for=192.0.2.1 | 403
/metrics | 192.0.2.7 | Remote-User: Ada | 403";
        let mut router = router(Some("Remote-User"));
        for [path, peer, headers, expected] in rows(TABLE) {
            if !cfg!(feature = "unicode") && !headers.is_ascii() {
                continue;
            }
            let headers = headers.replace(" // ", "\r\n");
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
            let reply = match reply_to(&mut router, &peer, &request) {
                Ok(Reply::Response(response)) => {
                    let body = str::from_utf8(response.body.as_bytes()).unwrap();
                    format!("{} {body}", response.status)
                }
                Ok(Reply::Upgrade(..)) => "101".to_owned(),
                Err(refusal) => refusal.status.to_string(),
            };
            assert!(
                reply.starts_with(&expected),
                "{path} by {peer}, {headers}: {reply}"
            );
        }
    }

    #[test]
    fn paths_methods_and_origins_have_their_status() {
        // What it is, the request, the host, other headers (divided by slashes), the status.
        const TABLE: &str = "\
a plain request for the chat | GET /chat | a |  | 426
a plain request for the echo | GET /echo | a |  | 426
a name that no page could use | GET /chat | chat.example |  | 403
HEAD | HEAD /chat | a |  | 426
HEAD with an upgrade | HEAD /chat | a | UPGRADE | 426
a query | GET /healthz?x | a |  | 200
metrics | HEAD /metrics | a |  | 200
no page | GET /chat/ | a |  | 404
another method | POST /chat | a |  | 405
OPTIONS of a path | OPTIONS / | a |  | 204
OPTIONS of the server | OPTIONS * | a |  | 204
OPTIONS of the chat by a foreign origin | OPTIONS /chat | a | Origin: http://b | 403
OPTIONS of the chat by the same origin | OPTIONS /chat | a | Origin: http://a | 204
a method in lower case | get / | a |  | 405
two origins | GET /chat | a | Origin: http://a // Origin: http://a | 400
an upgrade without an origin | GET /chat | chat.example | UPGRADE | 101
a foreign origin | GET /chat | a | Origin: http://b | 403
the same origin | GET /chat | a | Origin: http://a | 426";
        for [name, request, host, headers, expected] in rows(TABLE) {
            let headers = headers.replace(" // ", "\r\n").replace("UPGRADE", UPGRADE);
            let request = format!("{request} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n\r\n");
            let status = match reply(&request) {
                Ok(Reply::Response(response)) => response.status,
                Ok(Reply::Upgrade(..)) => 101,
                Err(refusal) => refusal.status,
            };
            assert_eq!(status.to_string(), expected, "{name}");
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn deflate_is_declined_by_the_query() {
        const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        for (query, expected) in [
            ("", true),
            ("?deflate=1", true),
            ("?trace=1&deflate=0", false),
        ] {
            let head = format!("GET /echo{query} HTTP/1.1\r\nHost: a");
            let request = format!("{head}\r\n{UPGRADE}{OFFER}\r\n");
            let Ok(Reply::Upgrade(upgrade, _)) = reply(&request) else {
                panic!("{query} is no upgrade")
            };
            assert_eq!(upgrade.accepted.deflate.is_some(), expected, "{query}");
        }
    }

    #[test]
    fn head_and_get_are_refused_alike() {
        let refusal = |method| {
            let reply = reply(&format!("{method} /chat HTTP/1.1\r\nHost: a\r\n\r\n"));
            reply.err().map(|refusal| refusal.sentence)
        };
        assert_eq!(refusal("HEAD"), refusal("GET"));
    }
}
