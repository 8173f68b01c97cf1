//! At which addresses others reach a server that listens beyond this machine, for whoever starts it
//! in front of a class.
//!
//! Linux tells them in `/proc/net`, which needs no crate and no unsafe call. Elsewhere a UDP socket
//! is connected, which sends
//! nothing, and says which address of ours leads out; that is one, and the likeliest.
//!
//! Not here: how they are shown (`invitation`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Every address under which a server that listens there is reached from elsewhere, the likeliest
/// first; none for one that
/// listens for this machine alone.
pub(super) fn of_others(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return if listen.ip().is_loopback() {
            Vec::new()
        } else {
            vec![listen]
        };
    }
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut found = vec![leads_out("0.0.0.0:0", "192.0.2.1:9")];
    found.extend(local_v4(&read("/proc/net/fib_trie")).into_iter().map(Some));
    // Listening on [::] is listening for IPv4 too.
    if listen.is_ipv6() {
        found.push(leads_out("[::]:0", "[2001:db8::1]:9"));
        found.extend(local_v6(&read("/proc/net/if_inet6")).into_iter().map(Some));
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for ip in found.into_iter().flatten().filter(is_for_others) {
        let address = SocketAddr::new(ip, listen.port());
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Not this machine's own, and not one that needs an interface's name beside it.
fn is_for_others(ip: &IpAddr) -> bool {
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !is_link_local
}

/// Our end of a way to elsewhere (addresses for documentation, RFC 5737, RFC 3849: nothing is
/// sent).
fn leads_out(from: &str, to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// `/proc/net/fib_trie`: an address stands on the line before `/32 host LOCAL`.
fn local_v4(fib_trie: &str) -> Vec<IpAddr> {
    let lines: Vec<_> = fib_trie.lines().collect();
    let is_local = |pair: &&[&str]| pair[1].trim() == "/32 host LOCAL";
    let address = |pair: &[&str]| {
        pair[0]
            .trim()
            .strip_prefix("|-- ")?
            .parse::<Ipv4Addr>()
            .ok()
            .map(IpAddr::V4)
    };
    lines
        .windows(2)
        .filter(is_local)
        .filter_map(address)
        .collect()
}

/// `/proc/net/if_inet6`: the address in 32 hexadecimal digits, then index, prefix, scope, flags,
/// name.
fn local_v6(if_inet6: &str) -> Vec<IpAddr> {
    let address = |line: &str| u128::from_str_radix(line.split_whitespace().next()?, 16).ok();
    if_inet6
        .lines()
        .filter_map(address)
        .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     +-- 192.0.2.0/24 2 0 2\n           |-- 192.0.2.0\n              /24 link UNICAST\n           \
                    |-- 192.0.2.7\n              /32 host LOCAL\n           |-- 127.0.0.1\n              /32 host LOCAL\n";
        assert_eq!(
            local_v4(trie),
            ["192.0.2.7", "127.0.0.1"].map(|ip| ip.parse::<IpAddr>().expect("an address"))
        );
        let inet6 = "fe8000000000000000fc00fffe000001 04 40 20 80 eth0\nfd000000000000000000000000000002 04 40 00 82 eth0\nodd\n";
        assert_eq!(
            local_v6(inet6),
            ["fe80::fc:ff:fe00:1", "fd00::2"].map(|ip| ip.parse::<IpAddr>().expect("an address"))
        );
        let of_others: Vec<_> = local_v4(trie)
            .into_iter()
            .chain(local_v6(inet6))
            .filter(is_for_others)
            .map(|ip| ip.to_string())
            .collect();
        assert_eq!(of_others, ["192.0.2.7", "fd00::2"]);
    }

    #[test]
    fn one_that_was_chosen_is_the_one() {
        let of = |listen: &str| super::of_others(listen.parse().expect("an address"));
        assert_eq!(of("127.0.0.1:80"), []);
        assert_eq!(of("[::1]:80"), []);
        assert_eq!(
            of("192.0.2.9:80"),
            ["192.0.2.9:80".parse().expect("an address")]
        );
        let any = of("0.0.0.0:80");
        assert!(
            any.iter().all(|address| address.port() == 80
                && address.is_ipv4()
                && is_for_others(&address.ip())),
            "{any:?}"
        );
    }
}
