//! A host and its port, as `Host`, an absolute target and `Origin` spell them (RFC 9110 §7.2, RFC
//! 3986 §3.2).
//!
//! Only the spelling is judged here: `uri-host [ ":" port ]`, without a user. Which hosts are ours
//! to answer for is asked
//! by `hub::routes`, which compares the host of an `Origin` with the one of `Host`.

use std::net::Ipv6Addr;

/// The two halves of an authority, as they were spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address within its brackets. Never empty; any case is
    /// the caller's to compare.
    pub host: &'a str,
    /// The port where one was given; `host:` gives none (RFC 3986 §3.2.3).
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Takes an authority apart, or says by `None` that it is not spelled like one.
    ///
    /// Refused although RFC 3986 has them: an empty host (no `http` URI may have one, RFC 9110
    /// §4.2.1), a user before an
    /// `@` (RFC 9110 §4.2.4), address forms that nobody has defined yet (`[v1.…]`), and ports that
    /// don't fit 16 bits.
    ///
    /// ```
    /// use parlor::http::Authority;
    /// assert_eq!(Authority::parse("[::1]:8080"), Some(Authority { host: "[::1]", port: Some(8080) }));
    /// assert_eq!(Authority::parse("chat.example"), Some(Authority { host: "chat.example", port: None }));
    /// assert_eq!(Authority::parse("me@chat.example"), None);
    /// ```
    pub fn parse(text: &'a str) -> Option<Self> {
        // The colons of an IPv6 address stand within brackets, so the port's is the first one
        // behind them.
        let host_end = match text.strip_prefix('[') {
            Some(rest) => {
                let address_length = rest.find(']')?;
                rest[..address_length].parse::<Ipv6Addr>().ok()?;
                address_length + 2
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                is_registered_name(&text[..end]).then_some(end)?
            }
        };
        let (host, rest) = text.split_at(host_end);
        let port = match rest.strip_prefix(':') {
            Some("") => None,
            // `parse` alone would let a sign pass.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }
}

/// `reg-name` with at least one character (RFC 3986 §3.2.2); an IPv4 address is spelled like one.
fn is_registered_name(mut name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    while let Some(byte) = name.bytes().next() {
        let length = match (byte, name.as_bytes()) {
            (b'%', [_, a, b, ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => 3,
            (b'-' | b'.' | b'_' | b'~', _) => 1,
            (b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=', _) => 1,
            (byte, _) if byte.is_ascii_alphanumeric() => 1,
            _ => return false,
        };
        name = &name[length..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        let table = [
            ("a name", "chat.example", Some(("chat.example", None))),
            (
                "a name and a port",
                "localhost:8080",
                Some(("localhost", Some(8080))),
            ),
            (
                "an IPv4 address",
                "127.0.0.1:80",
                Some(("127.0.0.1", Some(80))),
            ),
            (
                "an IPv6 address",
                "[2001:db8::1]",
                Some(("[2001:db8::1]", None)),
            ),
            (
                "an IPv6 address and a port",
                "[::1]:65535",
                Some(("[::1]", Some(65535))),
            ),
            (
                "an IPv6 address with an IPv4 tail",
                "[::ffff:1.2.3.4]",
                Some(("[::ffff:1.2.3.4]", None)),
            ),
            ("a port without digits", "a:", Some(("a", None))),
            ("a port with leading zeros", "a:0080", Some(("a", Some(80)))),
            (
                "an underscore, as in some networks at home",
                "my_box",
                Some(("my_box", None)),
            ),
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
            assert_eq!(
                Authority::parse(text),
                expected.map(|(host, port)| Authority { host, port }),
                "{name}"
            );
        }
    }
}
