//! The channels that are listed, and their members.
//!
//! At `--max-channels`, a new channel takes the place of the one without members that was used
//! longest ago. That one is *put away*: it is no longer listed, its messages stay in the history,
//! and joining it lists it again. A channel is used when someone joins it or writes in it.

use super::changes::Changes;
use super::error::CommandError;
use super::event::{ChannelId, ChannelSummary, Event};
use super::name::{Name, NameIndex};
use crate::history::{Author, ChannelRow, ChannelSettings, Kind, Place, Seq, Span};
use crate::time::Millis;
use slab::Slab;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

/// `general`, which always exists.
pub(super) const GENERAL: ChannelId = ChannelId(0);

/// A channel that is listed.
pub(super) struct Channel {
    pub(super) name: Name,
    /// The members, each with the number of its connections in the channel: 0 while the user is a
    /// member only because of a lost connection.
    pub(super) members: BTreeMap<Author, u32>,
    pub(super) newest: Seq,
    /// Member names that clients have yet to be informed of.
    pub(super) changes: Changes,
    /// What an owner has set.
    pub(super) settings: ChannelSettings,
    /// In slow mode, when each user sent the last message, and its nonce.
    pub(super) last_sent: BTreeMap<Author, (Millis, Option<Box<str>>)>,
    /// It had no messages when it was listed, and has none yet.
    pub(super) is_blank: bool,
    last_use: u64,
}

impl Channel {
    /// Returns the event with the channel's settings.
    pub(super) fn changed(&self) -> Event {
        Event::ChannelChanged {
            channel: self.name.shown.clone(),
            writing: self.settings.writing,
            pinned: self.settings.pinned,
        }
    }

    /// Unpins the pinned message if `kind` deletes it. Returns the event with the new settings.
    pub(super) fn unpin(&mut self, kind: Kind) -> Option<Event> {
        let Kind::Delete { of } = kind else {
            return None;
        };
        self.settings.pinned.take_if(|pinned| *pinned == of)?;
        Some(self.changed())
    }
}

#[derive(Default)]
pub(super) struct Channels {
    listed: Slab<Channel>,
    names: NameIndex<ChannelId>,
    uses: u64,
}

/// What a name refers to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Listed(ChannelId),
    /// No channel, but this one looks the same.
    LooksLike(Rc<str>),
    Nothing,
}

impl Channels {
    /// Lists `general` and the channels of `rows`, which begin with the most recently used one, up
    /// to `limit`.
    pub(super) fn new(rows: &[ChannelRow], limit: usize) -> Self {
        let mut channels = Self::default();
        if let Ok(general) = Name::of_channel("general") {
            channels.list(general, Span::EMPTY, ChannelSettings::default());
        }
        channels.uses += rows.len() as u64;
        for (row, last_use) in rows.iter().zip((0..=channels.uses).rev()) {
            if channels.len() < limit || *row.name == *"general" {
                channels.restore(row, last_use);
            }
        }
        channels
    }

    /// Lists a channel of the history. One whose name is no longer valid (with other tables of
    /// Unicode, or without them) stays in the history.
    fn restore(&mut self, row: &ChannelRow, last_use: u64) {
        let name = Name::of_channel(&row.name).ok();
        let Some(name) = name.filter(|name| name.shown == row.name) else {
            return;
        };
        let id = match self.find(&name) {
            Found::Listed(id) => id,
            Found::Nothing => self.list(name, Span::EMPTY, row.settings),
            Found::LooksLike(_) => return,
        };
        if let Some(channel) = self.get_mut(id) {
            channel.newest = row.newest;
            channel.settings = row.settings;
            channel.is_blank = row.newest == Seq(0);
            channel.last_use = last_use;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    /// Returns where the messages of a channel are stored.
    pub(super) fn place(&self, id: ChannelId) -> Result<Place, CommandError> {
        self.name(id).map(Place::Channel)
    }

    pub(super) fn name(&self, id: ChannelId) -> Result<Rc<str>, CommandError> {
        let channel = self.get(id).ok_or(CommandError::NO_SUCH_CHANNEL)?;
        Ok(channel.name.shown.clone())
    }

    pub(super) fn get(&self, id: ChannelId) -> Option<&Channel> {
        self.listed.get(id.0 as usize)
    }

    pub(super) fn get_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.listed.get_mut(id.0 as usize)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ChannelId> {
        self.listed.iter().map(|(id, _)| ChannelId(id as u32))
    }

    /// Looks a name up. A name that only looks like a channel's does not refer to it.
    pub(super) fn find(&self, name: &Name) -> Found {
        let mut found = Found::Nothing;
        for id in self.names.owners(name) {
            match self.get(id) {
                Some(channel) if channel.name.shown == name.shown => return Found::Listed(id),
                Some(channel) => found = Found::LooksLike(channel.name.shown.clone()),
                None => {}
            }
        }
        found
    }

    /// Lists a channel that is not listed, and that no listed one looks like.
    pub(super) fn list(&mut self, name: Name, span: Span, settings: ChannelSettings) -> ChannelId {
        let id = ChannelId(self.listed.vacant_key() as u32);
        self.names.insert(&name, id);
        self.listed.insert(Channel {
            name,
            members: BTreeMap::new(),
            newest: span.newest,
            settings,
            last_sent: BTreeMap::new(),
            is_blank: span.first > span.newest,
            changes: Changes::default(),
            last_use: 0,
        });
        self.was_used(id);
        id
    }

    pub(super) fn unlist(&mut self, id: ChannelId) -> Option<Channel> {
        let channel = self.listed.try_remove(id.0 as usize)?;
        self.names.remove(&channel.name, id);
        Some(channel)
    }

    pub(super) fn was_used(&mut self, id: ChannelId) {
        self.uses += 1;
        if let Some(channel) = self.listed.get_mut(id.0 as usize) {
            channel.last_use = self.uses;
        }
    }

    /// Returns the channel without members that was used longest ago, other than `general`.
    pub(super) fn least_used(&self) -> Option<ChannelId> {
        let empty = self.listed.iter().filter(|(_, it)| it.members.is_empty());
        let ids = empty.map(|(id, channel)| (channel.last_use, ChannelId(id as u32)));
        let (_, id) = ids.filter(|(_, id)| *id != GENERAL).min()?;
        Some(id)
    }

    /// Returns all channels, the most recently used first.
    pub(super) fn summaries(&self) -> impl Iterator<Item = ChannelSummary> {
        let mut channels: Vec<_> = self.listed.iter().map(|(_, channel)| channel).collect();
        channels.sort_by_key(|channel| Reverse(channel.last_use));
        channels.into_iter().map(|channel| ChannelSummary {
            name: channel.name.shown.clone(),
            members: channel.members.len(),
            seq: channel.newest,
        })
    }
}
