//! How many may come in, and from where.
//!
//! A connection that is one too many is still taken, to be told so: a slot of its own kind, of
//! which there are few. When
//! those are gone too, it is closed without a word.
//!
//! Whoever comes by way of a trusted proxy is counted where the proxy says that the request comes
//! from: as long as the request
//! is answered, or the WebSocket is open. Between two requests a proxy's connection is nobody's.
//!
//! Not here: how many users there may be (`chat` counts them), whom a proxy speaks for (`proxies`),
//! and descriptors that run
//! out (`server/listener.rs`).

use super::proxies::{Network, Proxies, is_forwarded};
use crate::http::{Head, Refusal};
use crate::limits::{Limits, REFUSED_CONNECTIONS};
use crate::tables::fewer;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Counts open connections, and those of each address.
pub(super) struct Admission {
    open: u32,
    refused: usize,
    by_origin: HashMap<Neighbourhood, u32>,
    proxies: Proxies,
    /// The log has told of a header that is not believed.
    told: bool,
}

/// What is counted as one address: an IPv4 address, or the /64 that one household is given in IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Neighbourhood {
    V4(u32),
    V6(u64),
}

/// As what a connection is counted, until [`Admission::leave`]. It is shown as the address that it
/// comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// Where it comes from: the peer, or whom it named last as the one it speaks for. Whoever is
    /// counted is counted there. An
    /// IPv4 address stands within IPv6: so it takes sixteen bytes, where an `IpAddr` takes
    /// seventeen and a place for each of two.
    address: Ipv6Addr,
    /// The peer is a trusted proxy.
    by_proxy: bool,
    counted: Counted,
}

/// Among whom a connection is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// Among those that are only told why they can't come in.
    Refused,
    /// Among the open ones.
    Open,
    /// Among the open ones, and among those of its address.
    OfAddress,
}

/// What becomes of a connection that was accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It is let in.
    Welcome(Seat),
    /// It is told why not.
    Refused(Seat, Refusal),
    /// Too many are being told already.
    Dropped,
}

impl Admission {
    pub(super) fn new(trusted: Vec<Network>) -> Self {
        Self {
            open: 0,
            refused: 0,
            by_origin: HashMap::new(),
            proxies: Proxies(trusted),
            told: false,
        }
    }

    /// Counts a connection in. What got a seat must be counted out again by [`Admission::leave`].
    pub(super) fn enter(&mut self, peer: IpAddr, limits: &Limits) -> Admitted {
        let mut seat = Seat {
            address: within_v6(peer),
            by_proxy: self.proxies.trusts(peer),
            counted: Counted::Open,
        };
        let admitted = if self.open >= limits.connections {
            Err(Refusal::unavailable(
                "this server has as many connections as --max-connections lets it have; try again later",
            ))
        } else if seat.by_proxy {
            Ok(())
        } else {
            self.count(&mut seat, peer, limits)
        };
        let Err(refusal) = admitted else {
            self.open += 1;
            return Admitted::Welcome(seat);
        };
        if self.refused >= REFUSED_CONNECTIONS {
            return Admitted::Dropped;
        }
        self.refused += 1;
        seat.counted = Counted::Refused;
        Admitted::Refused(seat, refusal)
    }

    /// A request came: it is counted as the client that a trusted proxy names, and refused if that
    /// one has too many.
    pub(super) fn asked(
        &mut self,
        seat: &mut Seat,
        head: &Head<'_>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        if !seat.by_proxy {
            if !self.told && is_forwarded(head) {
                self.told = true;
                let peer = seat.address();
                log::warn!(
                    "{peer} names by X-Forwarded-For or Forwarded whom it asks for, and is not believed; if it is your proxy, use \
                     --trusted-proxy {peer}"
                );
            }
            return Ok(());
        }
        self.answered(seat);
        let Some(client) = self.proxies.client(head) else {
            return Ok(());
        };
        seat.address = within_v6(client);
        self.count(seat, client, limits).map_err(Refusal::closing)
    }

    /// A request was answered and its connection goes on: what comes next on a proxy's may be
    /// somebody else's.
    pub(super) fn answered(&mut self, seat: &mut Seat) {
        if seat.by_proxy {
            self.uncount(seat);
        }
    }

    /// Counts a connection out.
    pub(super) fn leave(&mut self, seat: &mut Seat) {
        self.uncount(seat);
        match seat.counted {
            Counted::Refused => self.refused -= 1,
            Counted::Open | Counted::OfAddress => self.open -= 1,
        }
    }

    fn count(&mut self, seat: &mut Seat, address: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        if limits.connections_per_ip == 0 {
            return Ok(());
        }
        let neighbourhood = Neighbourhood::of(address);
        let count = self.by_origin.entry(neighbourhood).or_default();
        if *count >= limits.connections_per_ip {
            return Err(Refusal::too_many(
                "your address has as many connections here as --max-connections-per-ip lets it have",
            ));
        }
        *count += 1;
        seat.counted = Counted::OfAddress;
        Ok(())
    }

    fn uncount(&mut self, seat: &mut Seat) {
        if seat.counted != Counted::OfAddress {
            return;
        }
        seat.counted = Counted::Open;
        let neighbourhood = Neighbourhood::of(seat.address());
        if let Some(count) = self.by_origin.get_mut(&neighbourhood) {
            *count -= 1;
            if *count == 0 {
                self.by_origin.remove(&neighbourhood);
                if let Some(room) = fewer(self.by_origin.len(), self.by_origin.capacity()) {
                    self.by_origin.shrink_to(room);
                }
            }
        }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

impl Seat {
    fn address(&self) -> IpAddr {
        IpAddr::V6(self.address).to_canonical()
    }
}

fn within_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

impl Neighbourhood {
    fn of(address: IpAddr) -> Self {
        // An IPv4 client of an IPv6 socket comes as ::ffff:a.b.c.d: all of those would share one
        // /64.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    fn status(admitted: &Admitted) -> u16 {
        match admitted {
            Admitted::Welcome(_) => 200,
            Admitted::Refused(_, refusal) => refusal.status,
            Admitted::Dropped => 0,
        }
    }

    fn statuses(limits: &Limits, addresses: &[&str]) -> Vec<u16> {
        let mut admission = Admission::new(Vec::new());
        addresses
            .iter()
            .map(|address| status(&admission.enter(address.parse().unwrap(), limits)))
            .collect()
    }

    #[test]
    fn addresses_are_counted_by_household() {
        let limits = Limits {
            connections_per_ip: 2,
            ..Limits::DEFAULT
        };
        let table: &[(&str, &[&str], &[u16])] = &[
            (
                "one IPv4 address",
                &["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"],
                &[200, 200, 429, 200],
            ),
            (
                "one /64",
                &[
                    "2001:db8::1",
                    "2001:db8::2",
                    "2001:db8::3",
                    "2001:db8:0:1::1",
                ],
                &[200, 200, 429, 200],
            ),
            (
                "IPv4 within IPv6",
                &[
                    "10.0.0.1",
                    "::ffff:10.0.0.1",
                    "::ffff:10.0.0.1",
                    "::ffff:10.0.0.2",
                ],
                &[200, 200, 429, 200],
            ),
        ];
        for (name, addresses, expected) in table {
            assert_eq!(statuses(&limits, addresses), *expected, "{name}");
        }
        let unlimited = Limits {
            connections_per_ip: 0,
            ..Limits::DEFAULT
        };
        assert_eq!(statuses(&unlimited, &["10.0.0.1"; 5]), [200; 5]);
    }

    #[test]
    fn who_left_makes_room_and_few_are_told_why_not() {
        let limits = Limits {
            connections: 1,
            ..Limits::DEFAULT
        };
        let mut admission = Admission::new(Vec::new());
        let enter =
            |admission: &mut Admission| admission.enter("10.0.0.1".parse().unwrap(), &limits);
        let Admitted::Welcome(mut first) = enter(&mut admission) else {
            panic!()
        };
        let mut seats = Vec::new();
        for _ in 0..REFUSED_CONNECTIONS {
            let Admitted::Refused(seat, Refusal { status: 503, .. }) = enter(&mut admission) else {
                panic!()
            };
            seats.push(seat);
        }
        assert_eq!(enter(&mut admission), Admitted::Dropped);
        admission.leave(&mut seats[0]);
        assert_eq!(status(&enter(&mut admission)), 503);
        admission.leave(&mut first);
        assert_eq!(status(&enter(&mut admission)), 200);
        assert_eq!(admission.by_origin.len(), 1);
    }

    /// A request that a proxy passes on for somebody.
    fn ask(admission: &mut Admission, seat: &mut Seat, client: &str, limits: &Limits) -> u16 {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n");
        let Ok(Progress::Done { value: head, .. }) = Head::parse(request.as_bytes(), 8192) else {
            panic!("{client}")
        };
        admission
            .asked(seat, &head, limits)
            .map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn who_comes_through_a_trusted_proxy_is_counted_and_the_proxy_is_not() {
        let limits = Limits {
            connections_per_ip: 2,
            ..Limits::DEFAULT
        };
        let mut admission = Admission::new(vec![Network::parse("127.0.0.1").unwrap()]);
        let mut seats: Vec<_> = (0..8)
            .map(
                |_| match admission.enter("127.0.0.1".parse().unwrap(), &limits) {
                    Admitted::Welcome(seat) => seat,
                    other => panic!("{other:?}"),
                },
            )
            .collect();
        let table = [
            ("the first of one address", 0, "192.0.2.1", 200),
            ("its second", 1, "192.0.2.1", 200),
            ("one more", 2, "192.0.2.1", 429),
            ("another address", 3, "192.0.2.2", 200),
            (
                "what it makes up does not help",
                2,
                "192.0.2.9, 192.0.2.1",
                429,
            ),
            ("the same connection again, once more", 0, "192.0.2.1", 200),
            ("and for somebody else", 0, "192.0.2.2", 200),
            ("who has two now", 4, "192.0.2.2", 429),
            ("and the one before has one", 5, "192.0.2.1", 200),
            ("it does not say for whom", 6, "unknown", 200),
        ];
        for (name, seat, client, expected) in table {
            assert_eq!(
                ask(&mut admission, &mut seats[seat], client, &limits),
                expected,
                "{name}"
            );
        }
        admission.answered(&mut seats[0]);
        assert_eq!(
            ask(&mut admission, &mut seats[4], "192.0.2.2", &limits),
            200,
            "between two requests it is nobody's"
        );
        for seat in &mut seats {
            admission.leave(seat);
        }
        assert_eq!((admission.open, admission.by_origin.len()), (0, 0));
    }

    #[test]
    fn nobody_else_is_believed() {
        let limits = Limits {
            connections_per_ip: 1,
            ..Limits::DEFAULT
        };
        let mut admission = Admission::new(vec![Network::parse("127.0.0.1").unwrap()]);
        let Admitted::Welcome(mut seat) = admission.enter("192.0.2.7".parse().unwrap(), &limits)
        else {
            panic!()
        };
        assert_eq!(ask(&mut admission, &mut seat, "192.0.2.8", &limits), 200);
        assert_eq!(seat.to_string(), "192.0.2.7");
        assert!(admission.told, "and the log says so");
        assert_eq!(
            status(&admission.enter("192.0.2.7".parse().unwrap(), &limits)),
            429,
            "it is still counted as what it is"
        );
        assert_eq!(
            status(&admission.enter("192.0.2.8".parse().unwrap(), &limits)),
            200
        );
    }
}
