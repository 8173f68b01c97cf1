//! Which web pages may open a WebSocket here.
//!
//! A browser opens a WebSocket to any host that a page asks for, with the user's cookies and from
//! the user's network; only the `Origin` header says which page it was (RFC 6455 §10.2).
//! Comparing `Origin` with `Host` is not enough: an attacker can make a domain name resolve to this
//! machine (DNS rebinding), and then both headers hold that name. Without `--origin`, parlor
//! therefore accepts only hosts that an outsider can't register.

use crate::http::{Authority, Head, Refusal};
use std::fmt;
use std::net::Ipv4Addr;

/// The origins from which a browser may open `/chat` and `/echo` (`--origin`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// The page's own host, if an outsider can't register its name.
    SameHost,
    /// The origins in this list.
    Listed(Vec<Origin>),
    /// Every origin is allowed.
    Any,
}

impl Origins {
    /// Checks the page that a request comes from (RFC 6455 §4.2.2, item 4). A client without
    /// `Origin` is not a browser, and could send anything.
    pub fn check(&self, head: &Head<'_>) -> Result<(), Refusal> {
        match head.values("origin").count() {
            0 => Ok(()),
            1 if self.allow(Origin::of(head).as_ref(), head.host) => Ok(()),
            1 => Err(Refusal::new(
                403,
                "this page's origin isn't allowed; start the server with --origin URL to allow it",
            )),
            _ => Err(Refusal::bad_request(
                "the request has more than one Origin header",
            )),
        }
    }

    /// Returns whether pages of this origin may connect; `None` is one that can't be parsed.
    fn allow(&self, origin: Option<&Origin>, host: &str) -> bool {
        match (self, origin) {
            (Self::Any, _) => true,
            (_, None) => false,
            (Self::Listed(listed), Some(origin)) => listed.contains(origin),
            (Self::SameHost, Some(origin)) => origin.is_same_host(host),
        }
    }

    /// Returns whether any page can be opened under this host name and be allowed to connect.
    pub(super) fn allow_host(&self, head: &Head<'_>) -> bool {
        let host = Authority::parse(head.host);
        *self != Self::SameHost || host.is_some_and(|host| is_private(host.host))
    }
}

/// Scheme, host and port of a page (RFC 6454) as browsers send them, without a default port; or the
/// opaque origin `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Parses `scheme://host[:port]` in any case, without a final slash, or `null`. A host with
    /// other letters than ASCII must be in the form that browsers send, `xn--…`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self(text.to_owned()));
        }
        let (scheme, authority) = text.split_once("://")?;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let legal =
            scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_letter);
        let Authority { host, port } = Authority::parse(authority).filter(|_| legal)?;
        let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        let port = port.filter(|port| Some(*port) != default_port(&scheme));
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        Some(Self(format!("{scheme}://{host}{port}")))
    }

    /// Returns the origin that a request names, if it can be parsed.
    pub(super) fn of(head: &Head<'_>) -> Option<Self> {
        let value = head.values("origin").next()?;
        Self::parse(std::str::from_utf8(value).ok()?)
    }

    /// Returns whether this is a page of a private host that a `Host` header names.
    fn is_same_host(&self, host: &str) -> bool {
        let scheme = self.0.split_once("://").map_or("", |(scheme, _)| scheme);
        let authority = Authority::parse(host).filter(|it| is_private(it.host));
        let is_web = authority.is_some() && default_port(scheme).is_some();
        is_web && Self::parse(&format!("{scheme}://{host}")).as_ref() == Some(self)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Returns whether an outsider can't register this host: an address, a name without a dot, or one
/// under a suffix that is never delegated (RFC 6761, 6762, 8375; `.internal` and `.lan` by custom).
fn is_private(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let mut endings = [".localhost", ".local", ".lan", ".home.arpa", ".internal"].iter();
    host.starts_with('[')
        || host.parse::<Ipv4Addr>().is_ok()
        || !host.contains('.')
        || endings.any(|ending| host.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rows;

    fn allows(origins: &Origins, host: &str, origin: &str) -> bool {
        origins.allow(Origin::parse(origin).as_ref(), host)
    }

    #[test]
    fn same_private_host_is_allowed_without_the_option() {
        // What it is, the host, the origin, whether it is allowed.
        const TABLE: &str = "\
the same host | localhost:8080 | http://localhost:8080 | yes
any case | LocalHost:8080 | HTTP://localhost:8080 | yes
an IPv4 address | 192.168.0.7:8080 | http://192.168.0.7:8080 | yes
an IPv6 address | [::1]:8080 | http://[::1]:8080 | yes
a name without a dot | raspberry | http://raspberry | yes
a name of the home network | pi.local:80 | http://pi.local | yes
TLS in front with its default port | box.lan | https://box.lan | yes
another port | localhost:8080 | http://localhost:8081 | no
the default port for another | localhost:8080 | http://localhost | no
another host | localhost:8080 | http://evil.example | no
DNS rebinding | evil.example:8080 | http://evil.example:8080 | no
an ending that looks private | evil.notlocal | http://evil.notlocal | no
an opaque origin | localhost:8080 | null | no
an opaque origin for a host of that name | null | null | no
an extension | localhost | chrome-extension://localhost | no
no origin at all | localhost | localhost | no
two origins in one | localhost | http://localhost http://localhost | no";
        for [name, host, origin, expected] in rows(TABLE) {
            let allowed = allows(&Origins::SameHost, &host, &origin);
            assert_eq!(allowed, expected == "yes", "{name}");
        }
    }

    #[test]
    fn listed_origins_are_allowed_whatever_the_host() {
        let urls = ["https://chat.example", "http://a:81", "null"];
        let listed = Origins::Listed(urls.map(|url| Origin::parse(url).unwrap()).into());
        // What it is, the option, the origin, whether it is allowed.
        const TABLE: &str = "\
a listed one | listed | https://chat.example | yes
its default port spelled out | listed | https://CHAT.example:443 | yes
another scheme | listed | http://chat.example | no
the same host, not listed | listed | http://localhost | no
the opaque one | listed | null | yes
any | any | https://evil.example | yes
any, unparsable | any | x | yes";
        for [name, option, origin, expected] in rows(TABLE) {
            let origins = if option == "any" {
                &Origins::Any
            } else {
                &listed
            };
            let allowed = allows(origins, "localhost", &origin);
            assert_eq!(allowed, expected == "yes", "{name}");
        }
    }

    #[test]
    fn origins_display_as_browsers_send_them() {
        for text in [
            "https://chat.example",
            "http://[::1]:8080",
            "http://a:443",
            "null",
        ] {
            let shown = Origin::parse(text).map(|origin| origin.to_string());
            assert_eq!(shown.as_deref(), Some(text));
        }
        const WRONG: &str = "https:// https://a/ https://a/b ://a 1a://b https:/a https://u@a \
            https://bücher.example";
        for text in WRONG.split(' ').chain([""]) {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
