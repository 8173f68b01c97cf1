//! Who has which name.
//!
//! A name has two keys, and names that share one are the same name to the chat. Claims of a key are
//! counted: somebody
//! who goes from `Ada` to `ada` claims the same keys twice, and one of the two claims ends later.
//!
//! Not here: what a name is and what its keys are (`name.rs`), how long a claim lasts
//! (`session.rs`, `channel.rs`).

use super::name::{ChannelName, UserName};
use crate::tables::fewer;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// A name with its keys, cheap to pass on.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) shown: Rc<str>,
    keys: [Key; 2],
}

/// The hash of a key: of 64 bits, so that not even a million names have two that share one by
/// chance. Whoever looks for such
/// a pair finds that one of his own names is taken.
type Key = u64;

fn key(text: &str) -> Key {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Name {
    fn new(shown: &str, keys: [&str; 2]) -> Self {
        Self {
            shown: shown.into(),
            keys: keys.map(key),
        }
    }

    /// Its keys, each once: most names have but one.
    fn distinct_keys(&self) -> &[Key] {
        if self.keys[0] == self.keys[1] {
            &self.keys[..1]
        } else {
            &self.keys
        }
    }

    /// Whether a name with these keys is the same.
    pub(super) fn is(&self, keys: [&str; 2]) -> bool {
        keys.map(key).iter().any(|key| self.keys.contains(key))
    }
}

impl From<&UserName> for Name {
    fn from(name: &UserName) -> Self {
        Self::new(name.shown(), name.keys())
    }
}

impl From<&ChannelName> for Name {
    fn from(name: &ChannelName) -> Self {
        Self::new(name.shown(), name.keys())
    }
}

/// Which keys are claimed, and by whom.
pub(super) struct Claims<Owner> {
    by_key: HashMap<Key, Owner>,
    /// How often a key is claimed beyond the first time: seldom at all, so it does not stand with
    /// the owner.
    again: HashMap<Key, u32>,
}

impl<Owner: Copy + PartialEq> Claims<Owner> {
    pub(super) fn new() -> Self {
        Self {
            by_key: HashMap::new(),
            again: HashMap::new(),
        }
    }

    /// Who has claimed a name that is the same as this one, by its second key first; there may be
    /// two.
    pub(super) fn owners(&self, [first, second]: [&str; 2]) -> impl Iterator<Item = Owner> {
        [second, first]
            .into_iter()
            .filter_map(|text| self.by_key.get(&key(text)))
            .copied()
    }

    /// Whether nobody else has it.
    pub(super) fn is_free_for(&self, owner: Owner, keys: [&str; 2]) -> bool {
        keys.iter().all(|text| {
            self.by_key
                .get(&key(text))
                .is_none_or(|claimant| *claimant == owner)
        })
    }

    /// Only for a name that is free for this owner.
    pub(super) fn claim(&mut self, name: &Name, owner: Owner) {
        for key in name.distinct_keys() {
            match self.by_key.entry(*key) {
                Entry::Vacant(entry) => {
                    entry.insert(owner);
                }
                Entry::Occupied(_) => *self.again.entry(*key).or_default() += 1,
            }
        }
    }

    pub(super) fn release(&mut self, name: &Name) {
        for key in name.distinct_keys() {
            match self.again.get_mut(key) {
                Some(1) => {
                    self.again.remove(key);
                }
                Some(claims) => *claims -= 1,
                None => {
                    self.by_key.remove(key);
                }
            }
        }
        if let Some(room) = fewer(self.by_key.len(), self.by_key.capacity()) {
            self.by_key.shrink_to(room);
        }
        if let Some(room) = fewer(self.again.len(), self.again.capacity()) {
            self.again.shrink_to(room);
        }
    }
}
