//! A host and its port, as in `Host`, an absolute target and `Origin` (RFC 9110 §7.2, RFC 3986
//! §3.2): `uri-host [ ":" port ]`.

use std::net::Ipv6Addr;

/// A host and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets. Never empty; in any case.
    pub host: &'a str,
    /// The port if there is one; `host:` has none (RFC 3986 §3.2.3).
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses an authority. Stricter than RFC 3986: an empty host (RFC 9110 §4.2.1), a user before
    /// an `@` (§4.2.4), future address forms (`[v1.…]`) and ports over 65535 are wrong.
    ///
    /// ```
    /// use parlor::http::Authority;
    /// let expected = Authority { host: "[::1]", port: Some(8080) };
    /// assert_eq!(Authority::parse("[::1]:8080"), Some(expected));
    /// assert_eq!(Authority::parse("me@chat.example"), None);
    /// ```
    pub fn parse(text: &'a str) -> Option<Self> {
        // Colons within brackets are those of an IPv6 address.
        let (is_host, length) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, _) = rest.split_once(']')?;
                (address.parse::<Ipv6Addr>().is_ok(), address.len() + 2)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                (is_registered_name(&text[..end]), end)
            }
        };
        let (host, rest) = text.split_at(length);
        let port = match rest.strip_prefix(':') {
            Some("") => None,
            // `parse` alone would accept a sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            None if rest.is_empty() => None,
            _ => return None,
        };
        is_host.then_some(Self { host, port })
    }
}

/// Returns whether this is a `reg-name` of at least one character (RFC 3986 §3.2.2), which includes
/// IPv4 addresses.
fn is_registered_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte);
    let (start, escaped) = name.split_once('%').unwrap_or((name, "00"));
    let is_escaped = |part: &str| {
        let is_hex = part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        is_hex && part.bytes().skip(2).all(is_plain)
    };
    !name.is_empty() && start.bytes().all(is_plain) && escaped.split('%').all(is_escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn authorities() {
        let table = [
            ("a name", "chat.example", Some(("chat.example", None))),
            ("a name and a port", "localhost:8080", Some(("localhost", Some(8080)))),
            ("an IPv4 address", "127.0.0.1:80", Some(("127.0.0.1", Some(80)))),
            ("an IPv6 address", "[2001:db8::1]", Some(("[2001:db8::1]", None))),
            ("an IPv6 address and a port", "[::1]:65535", Some(("[::1]", Some(65535)))),
            ("an IPv6 address with an IPv4 tail",
                "[::ffff:1.2.3.4]", Some(("[::ffff:1.2.3.4]", None))),
            ("a port without digits", "a:", Some(("a", None))),
            ("a port with leading zeros", "a:0080", Some(("a", Some(80)))),
            ("an underscore, as in some networks at home", "my_box", Some(("my_box", None))),
            ("an escaped byte", "a%2Db", Some(("a%2Db", None))),
            ("nothing", "", None),
            ("a port alone", ":80", None),
            ("a port of 17 bits", "a:65536", None),
            ("a signed port", "a:+80", None),
            ("a word for a port", "a:http", None),
            ("two ports", "a:80:80", None),
            ("an IPv6 address without brackets", "::1", None),
            ("an open bracket", "[::1", None),
            ("brackets around a name", "[localhost]", None),
            ("no colon behind the bracket", "[::1]80", None),
            ("a zone", "[fe80::1%25eth0]", None),
            ("a user", "me@a", None),
            ("a path", "a/b", None),
            ("white space", "a b", None),
            ("a list", "a, b", None),
            ("half an escape", "a%2", None),
            ("an escape that is none", "a%zz", None),
            ("a letter beyond ASCII", "ä", None),
        ];
        for (name, text, expected) in table {
            let expected = expected.map(|(host, port)| Authority { host, port });
            assert_eq!(Authority::parse(text), expected, "{name}");
        }
    }
}
