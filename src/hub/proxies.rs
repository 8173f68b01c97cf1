//! Which proxies are believed about whom they speak for, and what they say (RFC 7239, and
//! `X-Forwarded-For` by custom).
//!
//! Anybody can write these headers. Each proxy adds, at the end, the address that it was asked
//! from; so the list is read from
//! its end, and only as long as who wrote the entry is trusted. The first address that is not a
//! trusted proxy's is the client,
//! and what stands before it is hearsay.
//!
//! Not here: what is counted by that address (`admission`).

use crate::http::Head;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address, or all that begin alike (`--trusted-proxy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Reads an address, or a range in the notation of CIDR (RFC 4632 §3.1, RFC 4291 §2.3). Bits
    /// behind the prefix don't count.
    ///
    /// ```
    /// use parlor::hub::Network;
    /// let network = Network::parse("10.0.0.0/8").unwrap();
    /// assert!(network.contains("10.1.2.3".parse().unwrap()) && !network.contains("11.0.0.1".parse().unwrap()));
    /// assert!(Network::parse("::1").is_some() && Network::parse("proxy.example").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= most)?
            }
            Some(_) => return None,
        };
        // An IPv4 address may be written as one of IPv6 (RFC 4291 §2.5.5.2); it is compared as what
        // it is.
        Some(match address.to_canonical() {
            IpAddr::V4(inner) if address.is_ipv6() && prefix_bits >= 96 => Self {
                address: inner.into(),
                prefix_bits: prefix_bits - 96,
            },
            IpAddr::V4(_) if address.is_ipv6() => Self {
                address,
                prefix_bits,
            },
            canonical => Self {
                address: canonical,
                prefix_bits,
            },
        })
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(32 - u32::from(self.prefix_bits))
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(128 - u32::from(self.prefix_bits))
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

/// The proxies that are believed.
pub(super) struct Proxies(pub(super) Vec<Network>);

impl Proxies {
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// For whom a trusted proxy asks. `None`: it does not say, or not in words that are understood.
    ///
    /// Where both headers are there, `X-Forwarded-For` counts: it is what nearly all proxies write,
    /// and they pass on a
    /// `Forwarded` that the client made up.
    pub(super) fn client(&self, head: &Head<'_>) -> Option<IpAddr> {
        let hops = match head.values("x-forwarded-for").next() {
            Some(_) => plain_hops(head),
            None => forwarded_hops(head),
        };
        let mut nearest = None;
        for hop in hops.into_iter().rev() {
            let Some(address) = hop else { break };
            nearest = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }
}

/// Whether a request says that it is passed on for somebody.
pub(super) fn is_forwarded(head: &Head<'_>) -> bool {
    ["x-forwarded-for", "forwarded"]
        .iter()
        .any(|name| head.values(name).next().is_some())
}

/// The addresses of `X-Forwarded-For`, the farthest first. `None` stands for what is no address.
fn plain_hops(head: &Head<'_>) -> Vec<Option<IpAddr>> {
    let elements = head
        .values("x-forwarded-for")
        .flat_map(|value| value.split(|byte| *byte == b','));
    let named = elements
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty());
    named
        .map(|element| node(std::str::from_utf8(element).ok()?))
        .collect()
}

/// The addresses of `Forwarded`, the farthest first (RFC 7239 §4).
fn forwarded_hops(head: &Head<'_>) -> Vec<Option<IpAddr>> {
    let elements = head
        .values("forwarded")
        .flat_map(|value| unquoted_parts(value, b','));
    let named = elements
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty());
    named.map(forwarded_for).collect()
}

/// What an element of `Forwarded` says by `for`, which it says once.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let pairs = unquoted_parts(element, b';')
        .into_iter()
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='));
    let mut names = pairs
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"))
        .map(|(_, value)| value.trim());
    let value = names.next()?;
    if names.next().is_some() {
        return None;
    }
    // No address has a character that would have to be escaped within the quotes.
    node(
        value
            .strip_prefix('"')
            .map_or(Some(value), |rest| rest.strip_suffix('"'))?,
    )
}

/// What stands between separators; those within quotes separate nothing (RFC 9110 §5.6.4).
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

/// An address with or without a port, with or without the brackets of IPv6: each is written by some
/// proxy (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let in_brackets = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<Ipv6Addr>()
            .ok()
            .map(IpAddr::V6)
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(with_port)
        .or_else(in_brackets)?;
    // Nobody comes from there; whoever is counted by it would be counted with all others who say
    // so.
    let somebody = ![
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ]
    .contains(&address);
    somebody.then(|| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    fn proxies(list: &[&str]) -> Proxies {
        Proxies(
            list.iter()
                .map(|text| Network::parse(text).unwrap())
                .collect(),
        )
    }

    #[test]
    fn networks() {
        let table = [
            (
                "one address",
                "10.0.0.1",
                &["10.0.0.1", "::ffff:10.0.0.1"][..],
                &["10.0.0.2", "::1"][..],
            ),
            (
                "a range",
                "10.0.0.0/8",
                &["10.0.0.0", "10.255.255.255"],
                &["9.255.255.255", "11.0.0.0"],
            ),
            (
                "bits behind the prefix",
                "10.1.2.3/8",
                &["10.0.0.0"],
                &["11.1.2.3"],
            ),
            (
                "half a byte",
                "172.16.0.0/12",
                &["172.31.255.255"],
                &["172.32.0.0", "172.15.0.0"],
            ),
            (
                "every address of IPv4",
                "0.0.0.0/0",
                &["1.2.3.4", "::ffff:1.2.3.4"],
                &["::1", "2001:db8::1"],
            ),
            (
                "one address of IPv6",
                "::1",
                &["::1"],
                &["::2", "127.0.0.1"],
            ),
            (
                "a range of IPv6",
                "2001:db8::/32",
                &["2001:db8:ffff::1"],
                &["2001:db9::1"],
            ),
            (
                "every address of IPv6",
                "::/0",
                &["::1", "2001:db8::1"],
                &["1.2.3.4"],
            ),
            (
                "IPv4 as IPv6",
                "::ffff:10.0.0.0/104",
                &["10.1.2.3"],
                &["11.1.2.3"],
            ),
        ];
        for (name, text, inside, outside) in table {
            let network = Network::parse(text).unwrap();
            assert!(
                inside
                    .iter()
                    .all(|address| network.contains(address.parse().unwrap())),
                "{name}"
            );
            assert!(
                !outside
                    .iter()
                    .any(|address| network.contains(address.parse().unwrap())),
                "{name}"
            );
        }
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "[::1]",
            "::1%eth0",
            "*",
            "a.example",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_not_trusted() {
        let trusted = proxies(&["127.0.0.1", "10.0.0.0/8", "::1"]);
        let table = [
            ("one proxy", "X-Forwarded-For: 192.0.2.1", Some("192.0.2.1")),
            (
                "what a client made up stands on the left",
                "X-Forwarded-For: 1.1.1.1, 192.0.2.1",
                Some("192.0.2.1"),
            ),
            (
                "over several proxies",
                "X-Forwarded-For: 1.1.1.1,192.0.2.1, 10.0.0.7 ,127.0.0.1",
                Some("192.0.2.1"),
            ),
            (
                "over several lines",
                "X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.7",
                Some("192.0.2.1"),
            ),
            ("IPv6", "X-Forwarded-For: 2001:db8::1", Some("2001:db8::1")),
            (
                "with a port",
                "X-Forwarded-For: 192.0.2.1:4711",
                Some("192.0.2.1"),
            ),
            (
                "IPv6 with a port",
                "X-Forwarded-For: [2001:db8::1]:4711",
                Some("2001:db8::1"),
            ),
            (
                "IPv4 as IPv6",
                "X-Forwarded-For: ::ffff:192.0.2.1",
                Some("192.0.2.1"),
            ),
            (
                "all of them trusted: the farthest",
                "X-Forwarded-For: 10.0.0.8, 10.0.0.7",
                Some("10.0.0.8"),
            ),
            (
                "empty elements",
                "X-Forwarded-For: ,, 192.0.2.1 ,,",
                Some("192.0.2.1"),
            ),
            ("none but empty elements", "X-Forwarded-For: ,,", None),
            (
                "an unknown one ends the walk",
                "X-Forwarded-For: 192.0.2.1, unknown",
                None,
            ),
            (
                "and leaves what was known before",
                "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.7",
                Some("10.0.0.7"),
            ),
            ("no address", "X-Forwarded-For: a.example", None),
            (
                "an address that nobody has",
                "X-Forwarded-For: 0.0.0.0",
                None,
            ),
            ("bytes that are no text", "X-Forwarded-For: \u{fc}", None),
            (
                "RFC 7239 §4",
                "Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43",
                Some("192.0.2.60"),
            ),
            (
                "in any case, quoted, with a port",
                "Forwarded: For=\"[2001:db8:cafe::17]:4711\"",
                Some("2001:db8:cafe::17"),
            ),
            (
                "a list",
                "Forwarded: for=1.1.1.1, for=192.0.2.1, For=\"10.0.0.7\"",
                Some("192.0.2.1"),
            ),
            (
                "separators within quotes",
                "Forwarded: for=192.0.2.1;by=\"a,b;for=1.1.1.1\\\",for=2.2.2.2\"",
                Some("192.0.2.1"),
            ),
            (
                "an obfuscated one",
                "Forwarded: for=192.0.2.1, for=_hidden",
                None,
            ),
            (
                "one without `for`",
                "Forwarded: for=192.0.2.1, proto=https",
                None,
            ),
            (
                "twice `for`",
                "Forwarded: for=192.0.2.1;for=192.0.2.2",
                None,
            ),
            (
                "quotes that do not end",
                "Forwarded: for=\"192.0.2.1, for=192.0.2.2",
                None,
            ),
            (
                "both headers",
                "Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 192.0.2.1",
                Some("192.0.2.1"),
            ),
            ("neither", "X-Real-IP: 192.0.2.1", None),
        ];
        for (name, lines, expected) in table {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
            let Ok(Progress::Done { value: head, .. }) = Head::parse(request.as_bytes(), 8192)
            else {
                panic!("{name}")
            };
            assert_eq!(
                trusted.client(&head),
                expected.map(|text| text.parse().unwrap()),
                "{name}"
            );
            assert_eq!(is_forwarded(&head), name != "neither", "{name}");
        }
    }
}
