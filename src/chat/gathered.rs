//! When gathered news is told, and to whom: who is online, and which channels there are, to
//! everybody; a channel's members to
//! its members.
//!
//! The first piece of news waits a quarter of a second for others; so each kind is told at most
//! four times a second.
//!
//! Not here: what is left of the news when it is told (`presence.rs`).

use super::channel::Channel;
use super::event::{ChannelId, Effect, Event, Topic};
use super::presence::{News, Told};
use super::{Chat, Reminder};
use crate::history::Author;
use crate::limits::{GATHERING, LIST_NAMES};
use crate::time::{Millis, Now};
use std::collections::BTreeSet;
use std::rc::Rc;

/// News for everybody, and which channels have some of their own.
#[derive(Default)]
pub(super) struct Gathered {
    presence: Pending,
    channels: Pending,
    /// Channels whose members are still to be told something.
    of_members: BTreeSet<ChannelId>,
    /// What was told in this turn to the members of channels.
    told_in_turn: Vec<(ChannelId, Told)>,
}

/// News that waits to be told.
#[derive(Default)]
pub(super) struct Pending {
    news: News,
    /// When it is told; there is a reminder for exactly then.
    due: Option<Millis>,
}

impl Gathered {
    /// Between turns there is an order between what different topics were told.
    pub(super) fn turn_ends(&mut self) {
        self.told_in_turn = Vec::new();
    }
}

impl Chat {
    /// The news of one kind, to which something is about to be added.
    pub(super) fn news(&mut self, of: Reminder, now: Now) -> Option<&mut News> {
        let pending = match of {
            Reminder::Presence => &mut self.gathered.presence,
            Reminder::Channels => &mut self.gathered.channels,
            Reminder::Members(channel) => {
                let pending = self.channels.get_mut(channel)?.news.get_or_insert_default();
                self.gathered.of_members.insert(channel);
                &mut **pending
            }
            Reminder::Hello(_)
            | Reminder::User(_)
            | Reminder::Parted(_)
            | Reminder::HeldOver
            | Reminder::OldRows
            | Reminder::Pruning => {
                return None;
            }
        };
        if pending.due.is_none() {
            let due = now.mono.after(GATHERING);
            pending.due = Some(due);
            self.reminders.insert((due, of));
        }
        Some(&mut pending.news)
    }

    /// Somebody is given a whole list: what is gathered has to be right for that client too. `own`:
    /// the name in that list of the
    /// client's own user, who leaves the list no earlier than the client does.
    pub(super) fn list_given(&mut self, of: Reminder, own: Option<&Rc<str>>) {
        let news = match of {
            Reminder::Presence => &mut self.gathered.presence.news,
            Reminder::Channels => &mut self.gathered.channels.news,
            Reminder::Members(channel) => match self
                .channels
                .get_mut(channel)
                .and_then(|channel| channel.news.as_mut())
            {
                Some(pending) => &mut pending.news,
                None => return,
            },
            Reminder::Hello(_)
            | Reminder::User(_)
            | Reminder::Parted(_)
            | Reminder::HeldOver
            | Reminder::OldRows
            | Reminder::Pruning => {
                return;
            }
        };
        match own {
            Some(name) => news.list_given_to(name),
            None => news.list_given(),
        }
    }

    /// A channel is not listed any more, and nobody is in it who could be told of it.
    pub(super) fn drop_news(&mut self, id: ChannelId, channel: &Channel) {
        self.gathered.of_members.remove(&id);
        if let Some(due) = channel.news.as_ref().and_then(|pending| pending.due) {
            self.reminders.remove(&(due, Reminder::Members(id)));
        }
    }

    /// Everybody is told that a user has another name: what is gathered under the old one has to be
    /// told under the new one.
    pub(super) fn gather_renaming(
        &mut self,
        author: Author,
        from: &Rc<str>,
        to: &Rc<str>,
        now: Now,
    ) {
        if self.gathered.presence.due.is_some() {
            self.gathered.presence.news.renamed(from, to, true);
        }
        for id in &self.gathered.of_members {
            if let Some(channel) = self.channels.get_mut(*id)
                && let Some(pending) = &mut channel.news
            {
                pending
                    .news
                    .renamed(from, to, channel.members.contains(author));
            }
        }
        // Within a turn there is no order between what a channel and what everybody is told: its
        // members may hear of the new
        // name first, and take what they hear of the old one, or of who had the new one before, for
        // news of this user.
        let concerned = |told: &Told| {
            [from, to]
                .iter()
                .any(|name| told.came.contains(name) || told.went.contains(name))
        };
        let told = self
            .gathered
            .told_in_turn
            .iter()
            .filter(|(_, told)| concerned(told));
        let told: Vec<_> = told.map(|(id, _)| *id).collect();
        for id in told {
            let here = self
                .channels
                .get(id)
                .is_some_and(|channel| channel.members.contains(author));
            if let Some(news) = self.news(Reminder::Members(id), now) {
                news.renamed_meanwhile(from, to, here);
            }
        }
    }

    pub(super) fn tell_presence(&mut self, effects: &mut Vec<Effect>) {
        let Told {
            came: joined,
            went: left,
        } = std::mem::take(&mut self.gathered.presence).news.tell();
        if !joined.is_empty() || !left.is_empty() {
            let (joined, left) = listed(joined, left);
            let event = Event::Presence {
                joined,
                left,
                online: self.sessions.online(),
            };
            effects.push(Effect::Publish {
                topic: Topic::Everyone,
                event,
                except: Vec::new(),
            });
        }
    }

    /// Always whole: there are at most `--max-channels` of them.
    pub(super) fn tell_channels(&mut self, effects: &mut Vec<Effect>) {
        let Told {
            came: created,
            went: gone,
        } = std::mem::take(&mut self.gathered.channels).news.tell();
        if !created.is_empty() || !gone.is_empty() {
            let event = Event::ChannelsChanged { created, gone };
            effects.push(Effect::Publish {
                topic: Topic::Everyone,
                event,
                except: Vec::new(),
            });
        }
    }

    pub(super) fn tell_members(&mut self, id: ChannelId, effects: &mut Vec<Effect>) {
        self.gathered.of_members.remove(&id);
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        let Some(pending) = channel.news.take() else {
            return;
        };
        let told = pending.news.tell();
        if told.came.is_empty() && told.went.is_empty() {
            return;
        }
        let (joined, left) = listed(told.came.clone(), told.went.clone());
        let event = Event::Members {
            channel: channel.name.shown.clone(),
            joined,
            left,
            count: channel.members.len(),
        };
        effects.push(Effect::Publish {
            topic: Topic::Channel(id),
            event,
            except: Vec::new(),
        });
        self.gathered.told_in_turn.push((id, told));
    }
}

/// Lists that are too long to be told are left empty; whoever wants to know asks `who`.
fn listed(joined: Vec<Rc<str>>, left: Vec<Rc<str>>) -> (Vec<Rc<str>>, Vec<Rc<str>>) {
    if joined.len() + left.len() > LIST_NAMES {
        Default::default()
    } else {
        (joined, left)
    }
}
