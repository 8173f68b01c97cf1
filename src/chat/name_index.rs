//! An index from names to what has them.

use super::name::Name;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// A name with its keys, small and cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct IndexedName {
    pub(super) shown: Rc<str>,
    keys: [Key; 2],
}

/// A 64-bit hash of a key, to save memory. Two names with the same hash count as the same name,
/// which does not happen by chance.
type Key = u64;

fn key(text: &str) -> Key {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl<Kind> From<&Name<Kind>> for IndexedName {
    fn from(name: &Name<Kind>) -> Self {
        Self {
            shown: name.shown().into(),
            keys: name.keys().map(key),
        }
    }
}

/// Names and their owners. A key has at most one owner.
pub(super) struct NameIndex<Owner>(BTreeMap<Key, Owner>);

impl<Owner> Default for NameIndex<Owner> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Owner: Copy + PartialEq> NameIndex<Owner> {
    /// Returns the owners of names that count as the same: of the second key's first.
    pub(super) fn owners<Kind>(&self, name: &Name<Kind>) -> impl Iterator<Item = Owner> {
        let [first, second] = name.keys().map(key);
        let owner = |key| self.0.get(&key).copied();
        [owner(second), owner(first)].into_iter().flatten()
    }

    /// Adds a name. Keys that have an owner keep it.
    pub(super) fn insert(&mut self, name: &IndexedName, owner: Owner) {
        for key in name.keys {
            self.0.entry(key).or_insert(owner);
        }
    }

    pub(super) fn remove(&mut self, name: &IndexedName, owner: Owner) {
        for key in name.keys {
            if self.0.get(&key) == Some(&owner) {
                self.0.remove(&key);
            }
        }
    }
}
