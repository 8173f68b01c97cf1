//! How many connections are admitted, in all and from one address.
//!
//! A connection over a limit is still accepted in order to be refused with a status, in one of
//! [`REFUSED_CONNECTIONS`] slots; when those are used up, it is dropped.
//!
//! `--max-connections-per-ip` counts WebSockets. Connections that only fetch pages have a limit of
//! their own, [`PAGES_FACTOR`] times as high: a browser opens six at a time, and a whole class
//! behind one address opens the page in the same minute.
//!
//! A connection through a trusted proxy counts for the address that the proxy names, while its
//! request is answered or its WebSocket is open.

use super::proxies::{Network, Proxies, is_forwarded};
use super::wire::Client;
use crate::chat::event::Peer;
use crate::http::{Head, Refusal};
use crate::limits::{Limits, PAGES_FACTOR, REFUSED_CONNECTIONS};
use std::collections::HashMap;
use std::net::IpAddr;

/// Below this limit every connection counts like a WebSocket: a small limit is meant literally.
const STRICT_BELOW: u32 = 20;

const FULL: &str = "the server is full (--max-connections); try again later";
const TOO_MANY: &str = "too many connections from your address (--max-connections-per-ip)";

#[derive(Default)]
pub(super) struct Admission {
    open: u32,
    refused: usize,
    by_address: HashMap<u128, Count>,
    proxies: Proxies,
    /// The log has a warning about a header from a peer that is not trusted.
    warned: bool,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Count {
    all: u32,
    websockets: u32,
}

/// How a connection is counted, until [`Admission::leave`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// The peer, or the client that a trusted proxy named last.
    pub(super) address: IpAddr,
    pub(super) by_proxy: bool,
    counted: Counted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// Among those that only get a refusal.
    Refused,
    /// Among the open ones.
    Open,
    /// Among the open ones, and those of its address.
    OfAddress,
    /// Among the open ones, and the WebSockets of its address.
    WebSocket,
}

impl Admission {
    pub(super) fn new(trusted: Vec<Network>) -> Self {
        let proxies = Proxies(trusted);
        Self {
            proxies,
            ..Self::default()
        }
    }

    /// Counts an accepted connection. A refusal must be sent to the peer. `None`: too many refusals
    /// are being sent already, and the connection must be dropped.
    pub(super) fn enter(
        &mut self,
        peer: IpAddr,
        limits: &Limits,
    ) -> Option<(Seat, Option<Refusal>)> {
        let mut seat = Seat {
            address: peer.to_canonical(),
            by_proxy: peer.is_unspecified() || self.proxies.trusts(peer),
            counted: Counted::Open,
        };
        let admitted = if self.open >= limits.connections {
            Err(Refusal::new(503, FULL))
        } else if seat.by_proxy {
            Ok(())
        } else {
            self.count(&mut seat, limits)
        };
        let Err(refusal) = admitted else {
            self.open += 1;
            return Some((seat, None));
        };
        if self.refused >= REFUSED_CONNECTIONS {
            return None;
        }
        self.refused += 1;
        seat.counted = Counted::Refused;
        Some((seat, Some(refusal)))
    }

    /// Counts a request for the client that a trusted proxy names.
    pub(super) fn request(
        &mut self,
        seat: &mut Seat,
        head: &Head<'_>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        if !seat.by_proxy {
            if !self.warned && is_forwarded(head) {
                self.warned = true;
                let peer = seat.address;
                log::warn!(
                    "{peer} sends X-Forwarded-For or Forwarded and is not trusted; if it is your \
                     proxy, use --trusted-proxy {peer}"
                );
            }
            return Ok(());
        }
        self.uncount(seat);
        let Some(client) = self.proxies.client(head) else {
            return Ok(());
        };
        seat.address = client;
        self.count(seat, limits)
    }

    /// Returns the client that a request counts for. The address of the seat may be that of another
    /// client's earlier request.
    pub(super) fn client(&self, seat: &Seat, head: &Head<'_>) -> Client {
        Client {
            address: match seat.by_proxy {
                true => self.proxies.client(head),
                false => Some(seat.address),
            },
            is_by_proxy: seat.by_proxy,
        }
    }

    /// Counts a connection as a WebSocket from here on.
    pub(super) fn upgrade(&mut self, seat: &mut Seat, limits: &Limits) -> Result<(), Refusal> {
        if seat.counted == Counted::OfAddress
            && let Some(count) = self.by_address.get_mut(&network(seat.address))
        {
            if count.websockets >= limits.connections_per_ip {
                return Err(Refusal::new(429, TOO_MANY));
            }
            count.websockets += 1;
            seat.counted = Counted::WebSocket;
        }
        Ok(())
    }

    /// A request was answered: the next one on a proxy's connection may be another client's.
    pub(super) fn answered(&mut self, seat: &mut Seat) {
        if seat.by_proxy {
            self.uncount(seat);
        }
    }

    pub(super) fn leave(&mut self, seat: &mut Seat) {
        self.uncount(seat);
        match seat.counted {
            Counted::Refused => self.refused -= 1,
            _ => self.open -= 1,
        }
    }

    fn count(&mut self, seat: &mut Seat, limits: &Limits) -> Result<(), Refusal> {
        let most = limits.connections_per_ip;
        if most == 0 {
            return Ok(());
        }
        let all = match most {
            ..STRICT_BELOW => most,
            _ => most.saturating_mul(PAGES_FACTOR),
        };
        let count = self.by_address.entry(network(seat.address)).or_default();
        if count.all >= all || count.websockets >= most {
            return Err(Refusal::new(429, TOO_MANY));
        }
        count.all += 1;
        seat.counted = Counted::OfAddress;
        Ok(())
    }

    fn uncount(&mut self, seat: &mut Seat) {
        let websocket = seat.counted == Counted::WebSocket;
        if !websocket && seat.counted != Counted::OfAddress {
            return;
        }
        seat.counted = Counted::Open;
        let address = network(seat.address);
        if let Some(count) = self.by_address.get_mut(&address) {
            count.all -= 1;
            count.websockets -= u32::from(websocket);
            if count.all == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Seat {
    /// Returns whether a request comes from this machine, and not through a proxy on it.
    pub(super) fn is_local(&self, head: &Head<'_>) -> bool {
        let is_local = self.address.is_loopback() || self.address.is_unspecified();
        is_local && !is_forwarded(head)
    }

    /// Returns the address for which the chat counts wrong keys.
    pub(super) fn peer(&self) -> Peer {
        Peer(network(self.address))
    }
}

/// What counts as one address: an IPv4 address, or the /64 that a household gets in IPv6.
fn network(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{head, rows};

    fn limits(connections: u32, connections_per_ip: u32) -> Limits {
        crate::testing::limits(|it| {
            (it.connections, it.connections_per_ip) = (connections, connections_per_ip);
        })
    }

    /// The status of a new connection: 200 if it is admitted, 0 if it is dropped.
    fn enter(admission: &mut Admission, peer: &str, limits: &Limits) -> (u16, Option<Seat>) {
        match admission.enter(peer.parse().unwrap(), limits) {
            Some((seat, None)) => (200, Some(seat)),
            Some((seat, Some(refusal))) => (refusal.status, Some(seat)),
            None => (0, None),
        }
    }

    /// A name, and four addresses that connect in turn. The first three count as one address.
    const HOUSEHOLDS: &str = "
        one IPv4 address | 10.0.0.1    | 10.0.0.1        | 10.0.0.1        | 10.0.0.2
        one /64          | 2001:db8::1 | 2001:db8::2     | 2001:db8::3     | 2001:db8:0:1::1
        IPv4 within IPv6 | 10.0.0.1    | ::ffff:10.0.0.1 | ::ffff:10.0.0.1 | ::ffff:10.0.0.2";

    #[test]
    fn addresses_are_counted_by_household() {
        for (most, third) in [(2, 429), (0, 200)] {
            for [name, a, b, c, d] in rows(HOUSEHOLDS) {
                let mut admission = Admission::new(Vec::new());
                let limits = limits(10, most);
                let status = [a, b, c, d].map(|peer| enter(&mut admission, &peer, &limits).0);
                assert_eq!(status, [200, 200, third, 200], "{name}");
            }
        }
    }

    /// A class of 60 browsers behind one address: six connections each, one becomes a WebSocket.
    #[test]
    fn pages_have_a_higher_limit_than_websockets() {
        let (mut admission, limits) = (Admission::new(Vec::new()), limits(10_000, 100));
        let enter = |admission: &mut Admission| enter(admission, "10.0.0.1", &limits);
        let seats = (0..800).map(|_| enter(&mut admission).1.unwrap());
        let mut seats: Vec<_> = seats.collect();
        assert_eq!(enter(&mut admission).0, 429);
        for (n, seat) in seats.iter_mut().enumerate() {
            let upgraded = admission.upgrade(seat, &limits);
            assert_eq!(upgraded.is_ok(), n < 100);
        }
        admission.leave(&mut seats[300]);
        assert_eq!(enter(&mut admission).0, 429, "100 are WebSockets");
        admission.leave(&mut seats[0]);
        let (status, seat) = enter(&mut admission);
        assert_eq!(status, 200);
        assert!(admission.upgrade(&mut seat.unwrap(), &limits).is_ok());
    }

    #[test]
    fn full_server_refuses_a_few_and_drops_the_others() {
        let (mut admission, limits) = (Admission::new(Vec::new()), limits(1, 100));
        let mut first = enter(&mut admission, "10.0.0.1", &limits).1.unwrap();
        let refused = (0..REFUSED_CONNECTIONS).map(|_| enter(&mut admission, "10.0.0.1", &limits));
        let mut refused: Vec<_> = refused.collect();
        assert!(refused.iter().all(|(status, _)| *status == 503));
        assert_eq!(enter(&mut admission, "10.0.0.1", &limits).0, 0);
        admission.leave(refused[0].1.as_mut().unwrap());
        assert_eq!(enter(&mut admission, "10.0.0.1", &limits).0, 503);
        admission.leave(&mut first);
        assert_eq!(enter(&mut admission, "10.0.0.1", &limits).0, 200);
        assert_eq!(admission.by_address.len(), 1);
    }

    #[test]
    fn client_of_an_earlier_request_is_not_shown() {
        let limits = limits(100, 2);
        let mut admission = Admission::new(vec![Network::parse("127.0.0.1").unwrap()]);
        let mut seat = enter(&mut admission, "127.0.0.1", &limits).1.unwrap();
        for (header, expected) in [
            ("X-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1")),
            ("", None),
        ] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
            let head = head(&request);
            assert!(admission.request(&mut seat, &head, &limits).is_ok());
            let client = admission.client(&seat, &head);
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!((client.address, client.is_by_proxy), (expected, true));
        }
    }

    /// Sends a request that a proxy passes on for a client.
    fn request(admission: &mut Admission, seat: &mut Seat, client: &str, limits: &Limits) -> u16 {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n");
        let head = head(&request);
        let admitted = admission.request(seat, &head, limits);
        admitted.map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn client_of_a_trusted_proxy_is_counted_and_the_proxy_is_not() {
        let limits = limits(100, 2);
        let mut admission = Admission::new(vec![Network::parse("127.0.0.1").unwrap()]);
        let seats = (0..8).map(|_| enter(&mut admission, "127.0.0.1", &limits).1.unwrap());
        let mut seats: Vec<_> = seats.collect();
        let table = "
            the first of one address            | 0 | 192.0.2.1            | 200
            its second                          | 1 | 192.0.2.1            | 200
            its third                           | 2 | 192.0.2.1            | 429
            another address                     | 3 | 192.0.2.2            | 200
            a made-up hop before the real one   | 2 | 192.0.2.9, 192.0.2.1 | 429
            the same connection again           | 0 | 192.0.2.1            | 200
            the same one for another client     | 0 | 192.0.2.2            | 200
            that client's third                 | 4 | 192.0.2.2            | 429
            the first client, which has one now | 5 | 192.0.2.1            | 200
            no address                          | 6 | unknown              | 200";
        for [name, seat, client, expected] in rows(table) {
            let seat = &mut seats[seat.parse::<usize>().unwrap()];
            let status = request(&mut admission, seat, &client, &limits);
            assert_eq!(status.to_string(), expected, "{name}");
        }
        admission.answered(&mut seats[0]);
        let freed = request(&mut admission, &mut seats[4], "192.0.2.2", &limits);
        assert_eq!(freed, 200);
        seats.iter_mut().for_each(|seat| admission.leave(seat));
        assert_eq!((admission.open, admission.by_address.len()), (0, 0));
    }

    #[test]
    fn other_peers_are_not_believed() {
        let limits = limits(100, 1);
        let mut admission = Admission::new(vec![Network::parse("127.0.0.1").unwrap()]);
        let mut seat = enter(&mut admission, "192.0.2.7", &limits).1.unwrap();
        let passed_on = request(&mut admission, &mut seat, "192.0.2.8", &limits);
        assert_eq!(passed_on, 200);
        assert_eq!(seat.address.to_string(), "192.0.2.7");
        assert!(admission.warned);
        assert_eq!(enter(&mut admission, "192.0.2.7", &limits).0, 429);
        assert_eq!(enter(&mut admission, "192.0.2.8", &limits).0, 200);
    }
}
