//! The deadlines of the chat.

use super::event::{Address, ChannelId};
use crate::history::{Author, Place};
use crate::time::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// What happens when a deadline has passed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection that sent no `hello` is closed.
    Hello(Address),
    /// A user without a connection goes offline.
    Offline(Author),
    /// A lost connection no longer makes its user a member.
    Dropped(Author, ChannelId),
    /// A session that ended by `/quit` is forgotten.
    Departed(Author),
    /// Clients are informed of changes.
    Announce(List),
    /// A user's `typing` is passed on again.
    Typing(Author, Place),
    /// Names held since the restart are freed.
    HeldNames,
    /// Rows of users who are online and silent are updated.
    StaleRows,
    /// The history prunes, or looks at its file.
    Maintenance,
}

/// A list of names that clients are informed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Users,
    Channels,
    Members(ChannelId),
}

/// The timers that are set, each with its deadline.
#[derive(Default)]
pub(super) struct Timers {
    deadlines: BTreeMap<Timer, Millis>,
    order: BTreeSet<(Millis, Timer)>,
}

impl Timers {
    /// Sets a timer, or moves its deadline.
    pub(super) fn set(&mut self, timer: Timer, at: Millis) {
        self.clear(&timer);
        self.deadlines.insert(timer.clone(), at);
        self.order.insert((at, timer));
    }

    /// Clears a timer, if it is set.
    pub(super) fn clear(&mut self, timer: &Timer) {
        if let Some((timer, at)) = self.deadlines.remove_entry(timer) {
            self.order.remove(&(at, timer));
        }
    }

    pub(super) fn deadline(&self, timer: &Timer) -> Option<Millis> {
        self.deadlines.get(timer).copied()
    }

    pub(super) fn is_set(&self, timer: &Timer) -> bool {
        self.deadline(timer).is_some()
    }

    /// Returns the timers of a range that are set.
    pub(super) fn within(&self, range: RangeInclusive<Timer>) -> impl Iterator<Item = &Timer> {
        self.deadlines.range(range).map(|(timer, _)| timer)
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Removes the next timer whose deadline has passed.
    pub(super) fn pop(&mut self, now: Millis) -> Option<Timer> {
        self.next_deadline().filter(|at| *at <= now)?;
        let (_, timer) = self.order.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }
}
