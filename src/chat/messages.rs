//! Sends messages.
//!
//! A message is checked and kept as a *proposal*. The commit at the end of the turn stores all
//! proposals, publishes them, and then acknowledges them, so an `ack` follows its message.

use super::command::{Draft, Target};
use super::error::CommandError;
use super::event::{Effect, Event, Sender, Topic};
use super::queries::other_in;
use super::text::check_length;
use super::{Applied, Chat, Context, Timer};
use crate::history::{Kind, Place, Proposal, Record, Seq, Stored};
use crate::limits::{LOCK_PATIENCE, TYPING_INTERVAL};
use std::rc::Rc;

/// The capacity, in proposals, that stays allocated between turns.
const KEPT_PROPOSALS: usize = 64;

impl Chat {
    /// Checks a message and keeps it for the commit. The commit checks whether the message that a
    /// change is about exists, since an earlier change of this turn may delete it.
    pub(super) fn send(&mut self, context: &mut Context<'_>, kind: Kind, draft: Draft) -> Applied {
        let author = context.author()?;
        let (place, channel) = self.destination(context, &draft.to)?;
        let to = match other_in(&place, author) {
            Some(other) => self.name_of(other)?,
            None => None,
        };
        if channel.is_none() && to.is_none() && kind == Kind::Message {
            return Err(CommandError::NO_SUCH_USER);
        }
        if !matches!(kind, Kind::Delete { .. }) {
            self.check_muted(context)?;
        }
        if matches!(kind, Kind::Message | Kind::Edit { .. }) {
            check_length(&draft.text, self.limits.text_chars)?;
        }
        match (kind, channel) {
            (Kind::Delete { .. }, _) | (_, None) => {}
            (Kind::Message, Some(id)) => self.check_writing(context, id, draft.nonce.as_deref())?,
            (_, Some(id)) => self.check_read_only(context, id)?,
        }
        self.proposals.push(Rc::new(Proposal {
            kind,
            place,
            author,
            from: self.own_name(author)?,
            to,
            text: draft.text,
            action: draft.action,
            nonce: draft.nonce,
            owner: context.is_owner && channel.is_some(),
        }));
        self.senders.push(context.sender(channel));
        context.outcome.proposed = true;
        Ok(())
    }

    /// Answers `typing`: passes it on to the other users there, at most once a second.
    pub(super) fn typing(&mut self, context: &mut Context<'_>, target: &Target) -> Applied {
        let author = context.author()?;
        let (place, channel) = self.destination(context, target)?;
        let user = self.own_name(author)?;
        self.check_muted(context)?;
        let timer = Timer::Typing(author, place.clone());
        if self.timers.is_set(&timer) {
            return Ok(());
        }
        self.set_timer(TYPING_INTERVAL, timer);
        let other = other_in(&place, author).filter(|other| *other != author);
        let event = Event::Typing { place, user };
        if let Some(id) = channel {
            context.effects.push(Effect::Publish {
                topic: Topic::Channel(id),
                event,
                except: self.addresses(author),
            });
        } else if let Some(other) = other {
            let to = self.addresses(other);
            context.effects.push(Effect::Deliver { to, event });
        }
        Ok(())
    }

    /// Stores this turn's proposals and changed sessions (`rows`), and sends messages and answers.
    pub(super) fn store(&mut self, effects: &mut Vec<Effect>) {
        let rows = self.take_rows();
        if self.proposals.is_empty() && rows.is_empty() {
            return;
        }
        let stored = self.history.commit(&self.proposals, &rows, self.now);
        self.is_waiting = stored.is_err() && self.history.is_locked() && {
            let since = *self.locked_since.get_or_insert(self.now.mono);
            self.now.mono.since(since) < LOCK_PATIENCE
        };
        if self.is_waiting {
            self.rows
                .extend(rows.into_iter().map(|row| (row.author, row)));
            return;
        }
        let mut proposals = std::mem::take(&mut self.proposals);
        let mut senders = std::mem::take(&mut self.senders);
        match stored {
            Ok(stored) => {
                self.locked_since = None;
                self.rows_written(&rows);
                self.schedule_maintenance();
                let deleted = deleted(&proposals, &stored);
                for ((proposal, sender), stored) in proposals.iter().zip(&senders).zip(&stored) {
                    if !stored.repeated && stored.refused.is_none() {
                        self.publish(proposal, sender, *stored, &deleted, effects);
                    }
                }
                for ((proposal, sender), stored) in proposals.iter().zip(&senders).zip(&stored) {
                    if let Some(why) = stored.refused {
                        self.answer_sender(sender, Event::Error(why.into()), effects);
                    } else if sender.id.is_some() {
                        let ack = Event::Ack {
                            place: proposal.place.clone(),
                            to: proposal.to.clone(),
                            seq: stored.seq,
                            at: stored.at,
                        };
                        self.answer_sender(sender, ack, effects);
                    }
                }
            }
            Err(error) => {
                let error = self.failed(error);
                for (proposal, sender) in proposals.iter().zip(&senders) {
                    self.not_sent(proposal.author, sender.channel);
                    self.answer_sender(sender, Event::Error(error.clone()), effects);
                }
            }
        }
        proposals.clear();
        proposals.shrink_to(KEPT_PROPOSALS);
        senders.clear();
        senders.shrink_to(KEPT_PROPOSALS);
        (self.proposals, self.senders) = (proposals, senders);
    }

    fn publish(
        &mut self,
        proposal: &Rc<Proposal>,
        sender: &Sender,
        stored: Stored,
        deleted: &[(&Place, Seq)],
        effects: &mut Vec<Effect>,
    ) {
        let mut what = proposal.clone();
        // The text of a message that this turn also deletes is not published.
        let about = what.changes().unwrap_or(stored.seq);
        if !matches!(what.kind, Kind::Delete { .. }) && deleted.contains(&(&what.place, about)) {
            let what = Rc::make_mut(&mut what);
            (what.kind, what.text) = (Kind::Deleted, Box::default());
        }
        let event = Event::Message(Record {
            what: what.clone(),
            seq: stored.seq,
            at: stored.at,
            changes: None,
        });
        match (&what.place, sender.channel) {
            (Place::Conversation(one, other), _) => {
                let mut to = self.addresses(*one);
                if one != other {
                    to.extend(self.addresses(*other));
                }
                if !to.is_empty() {
                    effects.push(Effect::Deliver { to, event });
                }
            }
            (Place::Channel(name), Some(id)) => {
                // If the last member left in this turn, the channel is gone and another one may
                // have its number.
                if let Some(channel) = self.channels.get_mut(id)
                    && channel.name.shown == *name
                {
                    channel.newest = stored.seq;
                    channel.is_blank = false;
                    let unpinned = channel.unpin(what.kind);
                    self.channels.was_used(id);
                    let topic = Topic::Channel(id);
                    effects.push(Effect::publish(topic, event));
                    effects.extend(unpinned.map(|event| Effect::publish(topic, event)));
                }
            }
            (Place::Channel(_), None) => {}
        }
    }

    /// Answers the sender of a proposal, if it is still connected.
    pub(super) fn answer_sender(&self, sender: &Sender, event: Event, effects: &mut Vec<Effect>) {
        if self.clients.contains_key(&sender.address) {
            effects.push(Effect::Answer {
                to: sender.address,
                event,
                id: sender.id,
            });
        }
    }
}

/// Returns the messages that the turn deleted, so that none of their texts is published.
fn deleted<'a>(proposals: &'a [Rc<Proposal>], stored: &[Stored]) -> Vec<(&'a Place, Seq)> {
    let stored = proposals.iter().zip(stored);
    let stored = stored.filter(|(_, stored)| !stored.repeated && stored.refused.is_none());
    let deleted = stored.filter_map(|(proposal, _)| match proposal.kind {
        Kind::Delete { of } => Some((&proposal.place, of)),
        _ => None,
    });
    deleted.collect()
}
