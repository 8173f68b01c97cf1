//! The owner's key, the room's password, and the count of wrong ones.

use super::error::CommandError;
use super::event::Peer;
use super::sessions::{Secret, same};
use crate::limits::{WRONG_KEY_PEERS, WRONG_KEYS, WRONG_KEYS_WINDOW};
use crate::time::Millis;
use sha1::{Digest, Sha1};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// The SHA-1 of the owner's key, and of the room's password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Without one, no connection can become an owner's.
    pub owner: Option<Secret>,
    /// Without one, `hello` needs no password.
    pub password: Option<Secret>,
}

impl Keys {
    /// Hashes a key and a password.
    pub fn new(owner: Option<&str>, password: Option<&str>) -> Self {
        Self {
            owner: owner.map(hash),
            password: password.map(hash),
        }
    }
}

fn hash(text: &str) -> Secret {
    Sha1::digest(text).into()
}

/// The wrong keys of each address within the last minute.
#[derive(Default)]
pub(super) struct Tries(BTreeMap<Peer, SmallVec<[Millis; WRONG_KEYS]>>);

impl Tries {
    /// Compares what a peer sent with the right key. Fails with `wrong`, or with `rate_limited`
    /// after ten wrong keys within a minute, even if this one is right.
    pub(super) fn check(
        &mut self,
        peer: Peer,
        given: &str,
        right: Option<Secret>,
        wrong: CommandError,
        now: Millis,
    ) -> Result<(), CommandError> {
        if let Some(times) = self.0.get_mut(&peer) {
            times.retain(|at| now.since(*at) < WRONG_KEYS_WINDOW);
            if times.len() >= WRONG_KEYS {
                let retry_ms = times[0].after(WRONG_KEYS_WINDOW).since(now).as_millis() as u64;
                return Err(CommandError::TOO_MANY_TRIES.after(retry_ms));
            }
        }
        if right.is_some_and(|right| same(&hash(given), &right)) {
            return Ok(());
        }
        // An attacker with that many addresses gains nothing by it.
        if self.0.len() >= WRONG_KEY_PEERS {
            self.0.clear();
        }
        self.0.entry(peer).or_default().push(now);
        Err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_keys_a_minute_and_address_are_judged() {
        let mut tries = Tries::default();
        let right = Keys::new(Some("key"), None).owner;
        let mut check = |peer, given, now| {
            let wrong = CommandError::BAD_KEY;
            tries.check(Peer(peer), given, right, wrong, Millis(now))
        };
        for n in 0..10 {
            assert_eq!(check(1, "kez", n * 1_000), Err(CommandError::BAD_KEY));
            assert_eq!(check(2, "key", n * 1_000), Ok(()), "right ones don't count");
        }
        let limited = |retry_ms| Err(CommandError::TOO_MANY_TRIES.after(retry_ms));
        assert_eq!(check(1, "key", 10_000), limited(50_000));
        assert_eq!(check(1, "", 59_999), limited(1));
        assert_eq!(check(2, "", 59_999), Err(CommandError::BAD_KEY));
        assert_eq!(check(1, "key", 60_000), Ok(()));
        for peer in 0..2 * WRONG_KEY_PEERS as u128 {
            let _ = check(peer, "", 60_000);
        }
        assert!(tries.0.len() <= WRONG_KEY_PEERS);
        let none = tries.check(Peer(0), "", None, CommandError::BAD_KEY, Millis(200_000));
        assert_eq!(none, Err(CommandError::BAD_KEY), "there is no key");
    }
}
