//! Which nonces were used, where there is no history on disk.

use super::memory::PlaceNumber;
use super::{Author, Seq};
use crate::limits::NONCE_AGE;
use crate::time::UnixMillis;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// The newest nonces, with what became of them.
#[derive(Default)]
pub(super) struct Nonces {
    pub(super) known: HashMap<Rc<Nonce>, (Seq, UnixMillis)>,
    /// Oldest first, with the message that each stands for: a nonce that was used again after a day
    /// is in here twice.
    pub(super) oldest_first: VecDeque<(Rc<Nonce>, Seq)>,
}

/// A nonce belongs to its sender and to a place.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Nonce {
    pub(super) place: PlaceNumber,
    pub(super) author: Author,
    pub(super) text: Box<str>,
}

impl Nonces {
    /// The message that a nonce stands for, if it was sent less than a day ago by the wall clock.
    pub(super) fn known(&self, nonce: &Nonce, now: UnixMillis) -> Option<(Seq, UnixMillis)> {
        let (seq, at) = *self.known.get(nonce)?;
        (u128::from(now.0.saturating_sub(at.0)) < NONCE_AGE.as_millis()).then_some((seq, at))
    }

    pub(super) fn remember(&mut self, nonce: Rc<Nonce>, seq: Seq, at: UnixMillis, most: usize) {
        self.known.insert(nonce.clone(), (seq, at));
        self.oldest_first.push_back((nonce, seq));
        while self.oldest_first.len() > most
            && let Some((oldest, seq)) = self.oldest_first.pop_front()
        {
            if self
                .known
                .get(&oldest)
                .is_some_and(|(known, _)| *known == seq)
            {
                self.known.remove(&oldest);
            }
        }
    }
}
