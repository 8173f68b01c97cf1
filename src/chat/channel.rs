//! Channels and their members; which channels are listed, and which are put away.
//!
//! A listed channel has a number, which others may have after it. At `--max-channels` the one
//! without members that was used
//! longest ago is put away: nobody sees it any more, but its name stays taken and its messages stay
//! in the history, so that
//! a join can bring it back. A channel is used when somebody joins it and when something is said in
//! it.
//!
//! Not here: messages (`history`), clients and what they are told (`membership.rs`).

use super::claims::{Claims, Name};
use super::event::{ChannelId, ChannelSummary};
use super::gathered::Pending;
use super::name::ChannelName;
use crate::history::{Author, ChannelRow, Place, Seq};
use crate::limits::PUT_AWAY;
use crate::ordered::Ordered;
use crate::tables::Slots;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Counts uses of channels: what was used later has the greater one.
type Use = u64;

/// A channel that is listed.
pub(super) struct Channel {
    pub(super) name: Name,
    /// Its members, and in how many clients each of them is in it; in none where the client dropped
    /// a moment ago.
    pub(super) members: Ordered<Author, u32>,
    /// The number of its newest message.
    pub(super) newest: Seq,
    used: Use,
    /// What its members are still to be told of each other.
    pub(super) news: Option<Box<Pending>>,
}

/// Every channel.
pub(super) struct Channels {
    listed: Slots<Channel>,
    names: Claims<Spot>,
    /// Listed ones by when they were used.
    by_use: BTreeSet<(Use, ChannelId)>,
    /// Those of them that may be put away.
    empty: BTreeSet<(Use, ChannelId)>,
    put_away: BTreeMap<Use, Name>,
    uses: Use,
}

/// Where a channel is.
#[derive(Clone, Copy, PartialEq)]
enum Spot {
    Listed(ChannelId),
    PutAway(Use),
}

/// What a name leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Listed(ChannelId),
    PutAway,
    /// Nothing, but an existing one looks like it.
    LooksLike(Rc<str>),
    Nothing,
}

impl Channels {
    /// `general` and no other.
    pub(super) fn new() -> Self {
        let mut channels = Self {
            listed: Slots::new(),
            names: Claims::new(),
            by_use: BTreeSet::new(),
            empty: BTreeSet::new(),
            put_away: BTreeMap::new(),
            uses: 1,
        };
        if let Ok(general) = ChannelName::parse("general") {
            channels.list(Name::from(&general), Seq(0));
        }
        channels
    }

    /// Lists the channels that the history has, the most recently used first; what is too many for
    /// the list is put away.
    pub(super) fn take_over(&mut self, rows: &[ChannelRow], most: usize) {
        // `general` has its place in any case.
        let others = rows.iter().filter(|row| *row.name != *"general").count();
        let mut too_many = (others + 1).saturating_sub(most);
        for row in rows.iter().rev() {
            // What no name can be any more, by newer tables of Unicode or a build without them,
            // stays where it is.
            let Ok(name) = ChannelName::parse(&row.name) else {
                continue;
            };
            if *name.shown() != *row.name {
                continue;
            }
            match self.find(&name) {
                Found::Listed(id) => {
                    if let Some(channel) = self.get_mut(id) {
                        channel.newest = row.newest;
                    }
                    self.was_used(id);
                }
                Found::Nothing => {
                    let id = self.list(Name::from(&name), row.newest);
                    if too_many > 0 {
                        too_many -= 1;
                        self.put_away(id);
                    }
                }
                Found::PutAway | Found::LooksLike(_) => {}
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    pub(super) fn get(&self, id: ChannelId) -> Option<&Channel> {
        self.listed.get(id.0 as usize)
    }

    pub(super) fn get_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.listed.get_mut(id.0 as usize)
    }

    /// What a name leads to; a name that only looks like a channel's does not lead to it.
    pub(super) fn find(&self, name: &ChannelName) -> Found {
        let mut looks_like = Found::Nothing;
        for spot in self.names.owners(name.keys()) {
            let (known, found) = match spot {
                Spot::Listed(id) => (self.get(id).map(|channel| &channel.name), Found::Listed(id)),
                Spot::PutAway(used) => (self.put_away.get(&used), Found::PutAway),
            };
            match known {
                Some(known) if *known.shown == *name.shown() => return found,
                Some(known) if looks_like == Found::Nothing => {
                    looks_like = Found::LooksLike(known.shown.clone())
                }
                _ => {}
            }
        }
        looks_like
    }

    /// The channel that has to make room for another one: without members, not used for longest,
    /// never `general`.
    pub(super) fn least_used(&self) -> Option<ChannelId> {
        self.empty.first().map(|(_, id)| *id)
    }

    /// Lists a channel that is not listed, under a name of which nothing listed or put away is a
    /// mere look-alike.
    pub(super) fn open(&mut self, name: &ChannelName, newest: Seq) -> ChannelId {
        let away = self.names.owners(name.keys()).find_map(|spot| match spot {
            Spot::PutAway(used) => Some(used),
            Spot::Listed(_) => None,
        });
        let name = match away.and_then(|used| self.put_away.remove(&used)) {
            // It comes back under its own keys: the first one of this spelling may be another
            // channel's by now.
            Some(away) => {
                self.names.release(&away);
                away
            }
            None => Name::from(name),
        };
        self.list(name, newest)
    }

    fn list(&mut self, name: Name, newest: Seq) -> ChannelId {
        let id = ChannelId(self.listed.vacant() as u32);
        self.names.claim(&name, Spot::Listed(id));
        self.listed.insert(Channel {
            name,
            members: Ordered::new(),
            newest,
            used: 0,
            news: None,
        });
        self.was_used(id);
        id
    }

    /// Takes a channel off the list for good: it is empty and nothing was ever said in it.
    pub(super) fn close(&mut self, id: ChannelId) -> Option<Channel> {
        let channel = self.listed.remove(id.0 as usize)?;
        self.names.release(&channel.name);
        self.by_use.remove(&(channel.used, id));
        self.empty.remove(&(channel.used, id));
        Some(channel)
    }

    /// Takes a channel off the list, and keeps its name. The second one, if any, nobody can ask for
    /// any more.
    pub(super) fn put_away(&mut self, id: ChannelId) -> Option<(Channel, Option<Place>)> {
        let channel = self.close(id)?;
        self.names.claim(&channel.name, Spot::PutAway(channel.used));
        self.put_away.insert(channel.used, channel.name.clone());
        let mut forgotten = None;
        if self.put_away.len() > PUT_AWAY
            && let Some((_, name)) = self.put_away.pop_first()
        {
            self.names.release(&name);
            forgotten = Some(Place::Channel(name.shown));
        }
        Some((channel, forgotten))
    }

    /// Somebody joined it, or something was said in it.
    pub(super) fn was_used(&mut self, id: ChannelId) {
        let Some(channel) = self.listed.get_mut(id.0 as usize) else {
            return;
        };
        if channel.used != self.uses {
            self.uses += 1;
            let before = std::mem::replace(&mut channel.used, self.uses);
            self.by_use.remove(&(before, id));
            self.empty.remove(&(before, id));
            self.by_use.insert((self.uses, id));
        }
        self.members_changed(id);
    }

    /// To be called when a channel may have become empty, or no longer is.
    pub(super) fn members_changed(&mut self, id: ChannelId) {
        let Some(channel) = self.listed.get(id.0 as usize) else {
            return;
        };
        if channel.members.is_empty() && id != GENERAL {
            self.empty.insert((channel.used, id));
        } else {
            self.empty.remove(&(channel.used, id));
        }
    }

    /// The most recently used first.
    pub(super) fn summaries(&self) -> impl Iterator<Item = ChannelSummary> {
        self.by_use
            .iter()
            .rev()
            .filter_map(|(_, id)| self.get(*id))
            .map(|channel| ChannelSummary {
                name: channel.name.shown.clone(),
                members: channel.members.len(),
                seq: channel.newest,
            })
    }
}

/// It was there first, and it never leaves.
pub(super) const GENERAL: ChannelId = ChannelId(0);

impl Channel {
    pub(super) fn place(&self) -> Place {
        Place::Channel(self.name.shown.clone())
    }
}
