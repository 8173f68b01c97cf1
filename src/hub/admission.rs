//! How many may come in, and from where.
//!
//! A connection that is one too many is still taken, to be told so: a slot of its own kind, of which there are few. When
//! those are gone too, it is closed without a word.
//!
//! Not here: how many users there may be (`chat` counts them), and descriptors that run out (`server/listener.rs`).

use crate::http::Refusal;
use crate::limits::{Limits, REFUSED_CONNECTIONS};
use std::collections::HashMap;
use std::net::IpAddr;

/// Counts open connections, and those of each address.
#[derive(Default)]
pub(super) struct Admission {
    open: u32,
    refused: usize,
    by_origin: HashMap<Neighbourhood, u32>,
}

/// What is counted as one address: an IPv4 address, or the /64 that one household is given in IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Neighbourhood {
    V4(u32),
    V6(u64),
}

/// What becomes of a connection that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It is let in.
    Welcome,
    /// It is told why not.
    Refused(Refusal),
    /// Too many are being told already.
    Dropped,
}

impl Admission {
    /// Counts a connection in. What was `Welcome` or `Refused` must be counted out again by [`Admission::leave`].
    pub(super) fn enter(&mut self, address: IpAddr, limits: &Limits) -> Admitted {
        let refusal = if self.open >= limits.connections {
            Refusal::unavailable("this server has as many connections as --max-connections lets it have; try again later")
        } else if limits.connections_per_ip != 0 && self.of(address) >= limits.connections_per_ip {
            Refusal::too_many("your address has as many connections here as --max-connections-per-ip lets it have")
        } else {
            self.open += 1;
            if limits.connections_per_ip != 0 {
                *self.by_origin.entry(Neighbourhood::of(address)).or_default() += 1;
            }
            return Admitted::Welcome;
        };
        if self.refused >= REFUSED_CONNECTIONS {
            return Admitted::Dropped;
        }
        self.refused += 1;
        Admitted::Refused(refusal)
    }

    /// Counts a connection out; `welcome` says as what it was counted in.
    pub(super) fn leave(&mut self, address: IpAddr, welcome: bool) {
        if !welcome {
            self.refused -= 1;
            return;
        }
        self.open -= 1;
        let neighbourhood = Neighbourhood::of(address);
        if let Some(count) = self.by_origin.get_mut(&neighbourhood) {
            *count -= 1;
            if *count == 0 {
                self.by_origin.remove(&neighbourhood);
            }
        }
    }

    fn of(&self, address: IpAddr) -> u32 {
        self.by_origin.get(&Neighbourhood::of(address)).copied().unwrap_or(0)
    }
}

impl Neighbourhood {
    fn of(address: IpAddr) -> Self {
        // An IPv4 client of an IPv6 socket comes as ::ffff:a.b.c.d: all of those would share one /64.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(limits: &Limits, addresses: &[&str]) -> Vec<u16> {
        let mut admission = Admission::default();
        let status = |admitted| match admitted {
            Admitted::Welcome => 200,
            Admitted::Refused(refusal) => refusal.status,
            Admitted::Dropped => 0,
        };
        addresses.iter().map(|address| status(admission.enter(address.parse().unwrap(), limits))).collect()
    }

    #[test]
    fn addresses_are_counted_by_household() {
        let limits = Limits { connections_per_ip: 2, ..Limits::DEFAULT };
        let table: &[(&str, &[&str], &[u16])] = &[
            ("one IPv4 address", &["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"], &[200, 200, 429, 200]),
            ("one /64", &["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"], &[200, 200, 429, 200]),
            ("IPv4 within IPv6", &["10.0.0.1", "::ffff:10.0.0.1", "::ffff:10.0.0.1", "::ffff:10.0.0.2"], &[200, 200, 429, 200]),
        ];
        for (name, addresses, expected) in table {
            assert_eq!(statuses(&limits, addresses), *expected, "{name}");
        }
        let unlimited = Limits { connections_per_ip: 0, ..Limits::DEFAULT };
        assert_eq!(statuses(&unlimited, &["10.0.0.1"; 5]), [200; 5]);
    }

    #[test]
    fn who_left_makes_room_and_few_are_told_why_not() {
        let limits = Limits { connections: 1, ..Limits::DEFAULT };
        let mut admission = Admission::default();
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(admission.enter(address, &limits), Admitted::Welcome);
        for _ in 0..REFUSED_CONNECTIONS {
            assert!(matches!(admission.enter(address, &limits), Admitted::Refused(Refusal { status: 503, .. })));
        }
        assert_eq!(admission.enter(address, &limits), Admitted::Dropped);
        admission.leave(address, false);
        assert!(matches!(admission.enter(address, &limits), Admitted::Refused(_)));
        admission.leave(address, true);
        assert_eq!(admission.enter(address, &limits), Admitted::Welcome);
        assert_eq!(admission.by_origin.len(), 1);
    }
}
