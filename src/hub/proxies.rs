//! Trusted proxies, and the clients that they forward for (RFC 7239, and `X-Forwarded-For` by
//! custom).
//!
//! Any client can send these headers. Each proxy appends the address that it received the request
//! from, so the list is read from its end, as long as the sender of the entry is trusted. The first
//! address that is not a trusted proxy's is the client; entries before it are not verified.

use crate::http::Head;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An address, or a range of addresses (`--trusted-proxy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Parses an address, or a range in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3).
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            // `parse` alone would accept a sign.
            Some((_, bits)) if bits.starts_with('+') => return None,
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = bits.unwrap_or(most);
        (prefix_bits <= most).then_some(Self {
            address,
            prefix_bits,
        })
    }

    /// Returns whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.prefix_bits);
        let (differing, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => ((one.to_bits() ^ other.to_bits()).into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
            _ => return false,
        };
        differing.checked_shr(width - bits).unwrap_or(0) == 0
    }
}

/// The networks of the trusted proxies.
#[derive(Default)]
pub(super) struct Proxies(pub(super) Vec<Network>);

impl Proxies {
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns the client that a trusted proxy forwards for, if a header names it legibly.
    /// `X-Forwarded-For` wins over `Forwarded`, which most proxies pass on unchanged even if the
    /// client made it up.
    pub(super) fn client(&self, head: &Head<'_>) -> Option<IpAddr> {
        let hops: Vec<_> = if head.values("x-forwarded-for").next().is_some() {
            // Without quoting: a quote that a client made up must not hide the hop after it.
            head.tokens("x-forwarded-for").map(node).collect()
        } else {
            let elements = head
                .values("forwarded")
                .flat_map(|value| unquoted_parts(value, b','));
            let elements = elements.filter(|element| !element.trim_ascii().is_empty());
            elements.map(forwarded_for).collect()
        };
        let mut nearest = None;
        for address in hops.into_iter().rev().map_while(|hop| hop) {
            nearest = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }
}

/// Returns whether a request says that it is forwarded.
pub(super) fn is_forwarded(head: &Head<'_>) -> bool {
    let mut names = ["x-forwarded-for", "forwarded"].iter();
    names.any(|name| head.values(name).next().is_some())
}

/// Returns the address in an element of `Forwarded`: its one `for` (RFC 7239 §4).
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let pairs = unquoted_parts(element, b';').into_iter();
    let mut values = pairs
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"))
        .map(|(_, value)| value.trim());
    let value = values.next().filter(|_| values.next().is_none())?;
    // No character of an address has to be escaped within quotes.
    node(match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    })
}

/// Splits at separators outside of quotes (RFC 9110 §5.6.4).
fn unquoted_parts(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|&byte| {
        let separates = byte == separator && !quoted;
        quoted ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && quoted && !escaped;
        separates
    });
    parts.collect()
}

/// Parses an address with or without a port, with or without the brackets of IPv6 (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let in_brackets = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: IpAddr = text.parse().ok().or_else(with_port).or_else(in_brackets)?;
    // All clients behind "0.0.0.0" would count as one.
    (!address.is_unspecified()).then(|| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{head, rows};

    #[test]
    fn networks_contain_their_addresses() {
        // What it is, the network, addresses in it, addresses outside.
        const NETWORKS: &str = "\
one address | 10.0.0.1 | 10.0.0.1 ::ffff:10.0.0.1 | 10.0.0.2 ::1
a range | 10.0.0.0/8 | 10.0.0.0 10.255.255.255 | 9.255.255.255 11.0.0.0
bits after the prefix | 10.1.2.3/8 | 10.0.0.0 | 11.1.2.3
half a byte | 172.16.0.0/12 | 172.31.255.255 | 172.32.0.0 172.15.0.0
every address of IPv4 | 0.0.0.0/0 | 1.2.3.4 ::ffff:1.2.3.4 | ::1 2001:db8::1
one address of IPv6 | ::1 | ::1 | ::2 127.0.0.1
a range of IPv6 | 2001:db8::/32 | 2001:db8:ffff::1 | 2001:db9::1
every address of IPv6 | ::/0 | ::1 2001:db8::1 | 1.2.3.4
IPv4 as IPv6 | ::ffff:10.1.2.3 | 10.1.2.3 | 10.1.2.4";
        for [name, network, inside, outside] in rows(NETWORKS) {
            let network = Network::parse(&network).unwrap();
            let contains = |address: &str| network.contains(address.parse().unwrap());
            assert!(inside.split_whitespace().all(contains), "{name}");
            assert!(!outside.split_whitespace().any(contains), "{name}");
        }
        const WRONG: &str = "10.0.0 10.0.0.0/33 ::/129 10.0.0.0/ 10.0.0.0/+8 10.0.0.0/8/8 [::1] \
            ::1%eth0 * a.example";
        for text in WRONG.split(' ').chain([""]) {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn client_is_the_first_untrusted_from_the_right() {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap());
        let trusted = Proxies(trusted.into());
        // What it is, the headers (divided by slashes), the client.
        const REQUESTS: &str = r#"one proxy | X-Forwarded-For: 192.0.2.1 | 192.0.2.1
a made-up hop on the left | X-Forwarded-For: 1.1.1.1, 192.0.2.1 | 192.0.2.1
over several proxies | X-Forwarded-For: 1.1.1.1,192.0.2.1, 10.0.0.7 ,127.0.0.1 | 192.0.2.1
over several lines | x-forwarded-for: 1.1.1.1, 192.0.2.1 // X-Forwarded-For: 10.0.0.7 | 192.0.2.1
IPv6 | X-Forwarded-For: 2001:db8::1 | 2001:db8::1
with a port | X-Forwarded-For: 192.0.2.1:4711 | 192.0.2.1
IPv6 with a port | X-Forwarded-For: [2001:db8::1]:4711 | 2001:db8::1
IPv4 as IPv6 | X-Forwarded-For: ::ffff:192.0.2.1 | 192.0.2.1
all hops trusted: the farthest | X-Forwarded-For: 10.0.0.8, 10.0.0.7 | 10.0.0.8
empty elements | X-Forwarded-For: ,, 192.0.2.1 ,, | 192.0.2.1
a made-up quote on the left | X-Forwarded-For: ", 192.0.2.1 | 192.0.2.1
none but empty elements | X-Forwarded-For: ,, | none
an unknown hop at the end | X-Forwarded-For: 192.0.2.1, unknown | none
an unknown hop in the middle | X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.7 | 10.0.0.7
no address | X-Forwarded-For: a.example | none
the unspecified address | X-Forwarded-For: 0.0.0.0 | none
bytes that are not text | X-Forwarded-For: ü | none
RFC 7239 §4 | Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43 | 192.0.2.60
in any case, quoted, with a port | Forwarded: For="[2001:db8:cafe::17]:4711" | 2001:db8:cafe::17
a list | Forwarded: for=1.1.1.1, for=192.0.2.1, For="10.0.0.7" | 192.0.2.1
separators within quotes | Forwarded: for=192.0.2.1;by="a,b;for=1.1.1.1\",for=2.2.2.2" | 192.0.2.1
an obfuscated hop | Forwarded: for=192.0.2.1, for=_hidden | none
a hop without `for` | Forwarded: for=192.0.2.1, proto=https | none
two `for` in a hop | Forwarded: for=192.0.2.1;for=192.0.2.2 | none
quotes that do not end | Forwarded: for="192.0.2.1, for=192.0.2.2 | none
both headers | Forwarded: for=1.1.1.1 // X-Forwarded-For: 192.0.2.1 | 192.0.2.1
neither | X-Real-IP: 192.0.2.1 | none"#;
        for [name, headers, expected] in rows(REQUESTS) {
            let headers = headers.replace(" // ", "\r\n");
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
            let head = head(&request);
            let expected = (expected != "none").then(|| expected.parse().unwrap());
            assert_eq!(trusted.client(&head), expected, "{name}");
            assert_eq!(is_forwarded(&head), name != "neither", "{name}");
        }
    }
}
