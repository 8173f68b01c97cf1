//! Saying something: proposals, what the commit makes of them, and `typing`.
//!
//! A message is checked when it comes and numbered by the commit at the end of the turn, with all
//! others of the turn. First
//! everything is told that was stored, then it is acknowledged: so a client's acks stand together
//! behind its messages.
//!
//! Not here: what is kept, and which nonces are known (`history`).

use super::command::{RequestId, Target};
use super::error::CommandError;
use super::event::{Address, ChannelId, ClientId, Effect, Event, PlaceName, Topic};
use super::{Ask, Chat, direct};
use crate::history::{Author, Place, Proposal, Record, Stored};
use crate::limits::TYPING_INTERVAL;
use crate::time::{Millis, Now};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// Room for a turn's messages that is kept for the next one.
const KEPT_PROPOSALS: usize = 64;

/// What is said in this turn, and who was typing in the last second.
#[derive(Default)]
pub(super) struct Speaking {
    proposals: Vec<Rc<Proposal>>,
    /// One for each proposal.
    senders: Vec<Sender>,
    typing: Typing,
}

/// Whom to tell what became of a proposal.
struct Sender {
    client: ClientId,
    address: Address,
    id: Option<RequestId>,
    spot: Spot,
}

/// A place, by what is quickest to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Channel(ChannelId),
    Conversation(Author),
}

/// Who was typing where in the last second.
#[derive(Default)]
struct Typing {
    oldest_first: VecDeque<(Millis, Author, Spot)>,
    told: BTreeSet<(Author, Spot)>,
}

impl Typing {
    /// Whether it is to be passed on; it then was.
    fn passes(&mut self, author: Author, spot: Spot, now: Millis) -> bool {
        self.forget(now);
        let passes = self.told.insert((author, spot));
        if passes {
            self.oldest_first.push_back((now, author, spot));
        }
        passes
    }

    fn forget(&mut self, now: Millis) {
        while let Some((_, author, spot)) = self
            .oldest_first
            .front()
            .filter(|(at, ..)| now.since(*at) >= TYPING_INTERVAL)
        {
            self.told.remove(&(*author, *spot));
            self.oldest_first.pop_front();
        }
        if self.oldest_first.is_empty() {
            self.oldest_first.shrink_to(KEPT_PROPOSALS);
        }
    }
}

impl Chat {
    /// `message`, in a channel that the client is in.
    pub(super) fn say_in_channel(
        &mut self,
        ask: &mut Ask<'_>,
        author: Author,
        channel: ChannelId,
        text: Box<str>,
        action: bool,
        nonce: Option<Box<str>>,
    ) -> Result<(), CommandError> {
        self.check(&text)?;
        let place = self
            .channels
            .get(channel)
            .ok_or(CommandError::NoSuchChannel)?
            .place();
        let from = self.own_name(author)?;
        self.propose(
            ask,
            Proposal {
                place,
                author,
                from,
                to: None,
                text,
                action,
                nonce,
            },
            Spot::Channel(channel),
        );
        Ok(())
    }

    /// `direct`, to a session that may be offline.
    pub(super) fn say_to(
        &mut self,
        ask: &mut Ask<'_>,
        author: Author,
        other: Author,
        text: Box<str>,
        nonce: Option<Box<str>>,
    ) -> Result<(), CommandError> {
        let to = self.name_of(other)?.ok_or(CommandError::NoSuchUser)?;
        self.check(&text)?;
        let from = self.own_name(author)?;
        let place = Place::between(author, other);
        self.propose(
            ask,
            Proposal {
                place,
                author,
                from,
                to: Some(to),
                text,
                action: false,
                nonce,
            },
            Spot::Conversation(other),
        );
        Ok(())
    }

    fn check(&self, text: &str) -> Result<(), CommandError> {
        if text
            .chars()
            .all(|character| character.is_whitespace() || character == '\u{feff}')
        {
            return Err(CommandError::Empty);
        }
        let limit = self.limits.text_chars;
        // A character has at least one byte: most texts need not be counted.
        if text.len() > limit && text.chars().count() > limit {
            return Err(CommandError::TooLong { limit });
        }
        Ok(())
    }

    pub(super) fn own_name(&self, author: Author) -> Result<Rc<str>, CommandError> {
        self.sessions
            .user(author)
            .map(|user| user.name.shown.clone())
            .ok_or(CommandError::HelloFirst)
    }

    fn propose(&mut self, ask: &mut Ask<'_>, proposal: Proposal, spot: Spot) {
        self.speaking.proposals.push(Rc::new(proposal));
        self.speaking.senders.push(Sender {
            client: ask.client,
            address: ask.address,
            id: ask.id,
            spot,
        });
        ask.outcome.proposed = true;
    }

    /// Stores what was proposed in this turn.
    pub(super) fn store(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.speaking.typing.forget(now.mono);
        let mut proposals = std::mem::take(&mut self.speaking.proposals);
        let mut senders = std::mem::take(&mut self.speaking.senders);
        let sessions = self.take_rows(&proposals, now);
        if proposals.is_empty() && sessions.is_empty() {
            return;
        }
        match self.history.commit(&proposals, &sessions, now.unix) {
            Ok(stored) => {
                self.rows_stored(&sessions, now);
                self.prune_in(super::kept::PRUNE_INTERVAL, now);
                self.tell(&proposals, &senders, &stored, effects);
                self.acknowledge(&proposals, &senders, &stored, effects);
            }
            Err(error) => {
                self.failed(error);
                for sender in senders.iter().filter(|sender| self.is_there(sender)) {
                    let event = Event::Error(CommandError::StorageFailed);
                    effects.push(Effect::Answer {
                        to: sender.address,
                        event,
                        id: sender.id,
                    });
                }
            }
        }
        proposals.clear();
        proposals.shrink_to(KEPT_PROPOSALS);
        senders.clear();
        senders.shrink_to(KEPT_PROPOSALS);
        (self.speaking.proposals, self.speaking.senders) = (proposals, senders);
    }

    /// Publications, in the order of the proposals.
    fn tell(
        &mut self,
        proposals: &[Rc<Proposal>],
        senders: &[Sender],
        stored: &[Stored],
        effects: &mut Vec<Effect>,
    ) {
        for ((what, sender), stored) in proposals
            .iter()
            .zip(senders)
            .zip(stored)
            .filter(|(_, stored)| !stored.repeated)
        {
            let record = Record {
                what: what.clone(),
                seq: stored.seq,
                at: stored.at,
            };
            match sender.spot {
                Spot::Channel(id) => {
                    // A number may be another channel's by now, if this one's last member left in
                    // this very turn.
                    let channel = self
                        .channels
                        .get_mut(id)
                        .filter(|channel| what.place == channel.place());
                    let Some(channel) = channel else { continue };
                    channel.newest = stored.seq;
                    let event = Event::Message {
                        channel: channel.name.shown.clone(),
                        record,
                    };
                    self.channels.was_used(id);
                    effects.push(Effect::Publish {
                        topic: Topic::Channel(id),
                        event,
                        except: Vec::new(),
                    });
                }
                Spot::Conversation(other) => {
                    let mut to = self.addresses(what.author);
                    if other != what.author {
                        to.extend(self.addresses(other));
                    }
                    if !to.is_empty() {
                        let event = Event::Direct {
                            conversation: direct::identifier(what.author, other),
                            record,
                        };
                        effects.push(Effect::Deliver { to, event });
                    }
                }
            }
        }
    }

    fn acknowledge(
        &self,
        proposals: &[Rc<Proposal>],
        senders: &[Sender],
        stored: &[Stored],
        effects: &mut Vec<Effect>,
    ) {
        for ((what, sender), stored) in proposals.iter().zip(senders).zip(stored) {
            if sender.id.is_none() || !self.is_there(sender) {
                continue;
            }
            let place = match (&what.place, sender.spot) {
                (_, Spot::Conversation(other)) => PlaceName::Conversation {
                    conversation: direct::identifier(what.author, other),
                    to: what.to.clone(),
                },
                (Place::Channel(name), Spot::Channel(_)) => PlaceName::Channel(name.clone()),
                (Place::Conversation(..), Spot::Channel(_)) => continue,
            };
            let event = Event::Ack {
                place,
                seq: stored.seq,
                at: stored.at,
            };
            effects.push(Effect::Answer {
                to: sender.address,
                event,
                id: sender.id,
            });
        }
    }

    /// Whether a sender is still connected; a number may be another client's by now, an address
    /// never is.
    fn is_there(&self, sender: &Sender) -> bool {
        self.clients
            .get(sender.client.0 as usize)
            .is_some_and(|client| client.address == sender.address)
    }

    /// Where a user's clients are.
    fn addresses(&self, author: Author) -> Vec<Address> {
        let clients = self
            .sessions
            .user(author)
            .map_or(&[][..], |user| &user.clients);
        clients
            .iter()
            .filter_map(|client| self.clients.get(client.0 as usize))
            .map(|client| client.address)
            .collect()
    }

    /// `typing`: told to the other users' clients, not to the sender's own.
    pub(super) fn types(
        &mut self,
        ask: &mut Ask<'_>,
        author: Author,
        target: &Target,
    ) -> Result<(), CommandError> {
        let spot = match target {
            Target::Channel(name) => Spot::Channel(self.joined_channel(ask.client, Some(name))?),
            Target::JoinedLast => Spot::Channel(self.joined_channel(ask.client, None)?),
            Target::Conversation(conversation) => {
                Spot::Conversation(self.conversation(author, conversation)?)
            }
        };
        if !self.speaking.typing.passes(author, spot, ask.now.mono) {
            return Ok(());
        }
        let user = self.own_name(author)?;
        match spot {
            Spot::Channel(id) => {
                let channel = self.channels.get(id).ok_or(CommandError::NoSuchChannel)?;
                let event = Event::Typing {
                    place: PlaceName::Channel(channel.name.shown.clone()),
                    user,
                };
                ask.effects.push(Effect::Publish {
                    topic: Topic::Channel(id),
                    event,
                    except: self.addresses(author),
                });
            }
            Spot::Conversation(other) => {
                let to = self.addresses(other);
                if other != author && !to.is_empty() {
                    let conversation = direct::identifier(author, other);
                    let event = Event::Typing {
                        place: PlaceName::Conversation {
                            conversation,
                            to: None,
                        },
                        user,
                    };
                    ask.effects.push(Effect::Deliver { to, event });
                }
            }
        }
        Ok(())
    }

    /// The user of this name.
    pub(super) fn user_named(&self, name: &str) -> Result<Author, CommandError> {
        self.sessions
            .find(&super::name::UserName::parse(name)?)
            .ok_or(CommandError::NoSuchUser)
    }
}
