//! Names that changed in a list since clients were last informed of it.

use std::collections::BTreeMap;
use std::rc::Rc;

/// Changed names, each with whether it is in the list now. A name may be back where it was: clients
/// apply changes as set operations, so that does no harm.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<Rc<str>, bool>);

impl Changes {
    /// Records that `name` is in the list, or not. Returns whether it is the first change.
    pub(super) fn record(&mut self, name: &Rc<str>, present: bool) -> bool {
        let first = self.0.is_empty();
        self.0.insert(name.clone(), present);
        first
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all changes, if there are any, and returns the names that are present, and those
    /// that are not. Both lists are empty if there are more than `limit` names.
    pub(super) fn take(&mut self, limit: usize) -> Option<[Vec<Rc<str>>; 2]> {
        let mut names = std::mem::take(&mut self.0);
        if names.is_empty() {
            return None;
        }
        if names.len() > limit {
            names.clear();
        }
        let (present, absent): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, here)| *here);
        let names = |list: Vec<(Rc<str>, bool)>| list.into_iter().map(|(name, _)| name).collect();
        Some([names(present), names(absent)])
    }
}
