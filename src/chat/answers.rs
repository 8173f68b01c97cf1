//! Answers to questions: earlier messages, and who is here.

use super::command::{Range, Target};
use super::error::CommandError;
use super::event::{Event, PlaceName};
use super::{Ask, Chat, Reminder, direct};
use crate::history::{Author, PageRequest, Place, Record, Seq};
use crate::limits::{LIST_NAMES, PAGE_BYTES};

impl Chat {
    /// `history`, of any channel that exists and of one's own conversations.
    pub(super) fn tell_history(
        &mut self,
        ask: &mut Ask<'_>,
        author: Author,
        target: &Target,
        range: Range,
        limit: u32,
    ) -> Result<(), CommandError> {
        let (place, name) = match target {
            Target::Conversation(conversation) => {
                let other = self.conversation(author, conversation)?;
                let conversation = direct::identifier(author, other);
                (
                    Place::between(author, other),
                    PlaceName::Conversation {
                        conversation,
                        to: None,
                    },
                )
            }
            Target::Channel(_) | Target::JoinedLast => {
                let id = match target {
                    Target::Channel(name) => self.channel(name)?,
                    _ => self.joined_channel(ask.client, None)?,
                };
                let channel = self.channels.get(id).ok_or(CommandError::NoSuchChannel)?;
                (
                    channel.place(),
                    PlaceName::Channel(channel.name.shown.clone()),
                )
            }
        };
        let (after, before) = match range {
            Range::Newest => (Seq(0), Seq(u64::MAX)),
            Range::Before(before) => (Seq(0), before),
            Range::After(after) => (after, Seq(u64::MAX)),
        };
        let from_oldest = matches!(range, Range::After(_));
        let first = self.span(&place)?.first;
        let (messages, more) = self.page(
            ask,
            &place,
            PageRequest {
                after,
                before,
                from_oldest,
                rows: limit,
                bytes: 0,
            },
        )?;
        ask.answer(Event::History {
            place: name,
            messages,
            more,
            first,
        });
        Ok(())
    }

    /// Reads a page of as many bytes as the asker may still be given in this turn.
    pub(super) fn page(
        &mut self,
        ask: &mut Ask<'_>,
        place: &Place,
        wanted: PageRequest,
    ) -> Result<(Vec<Record>, bool), CommandError> {
        let mut messages = Vec::new();
        let wanted = PageRequest {
            bytes: PAGE_BYTES.min(ask.page_bytes),
            ..wanted
        };
        let more = self
            .history
            .page(place, wanted, &mut messages)
            .map_err(|error| self.failed(error))?;
        ask.outcome.pages += 1;
        ask.outcome.page_bytes += messages.iter().map(|record| record.weight()).sum::<usize>();
        Ok((messages, more))
    }

    /// `who`.
    pub(super) fn tell_users(
        &mut self,
        ask: &mut Ask<'_>,
        channel: Option<&str>,
    ) -> Result<(), CommandError> {
        let event = match channel.map(|name| self.channel(name)).transpose()? {
            Some(id) => {
                self.list_given(Reminder::Members(id), None);
                let (name, users, count) = self.members_of(id);
                Event::Users {
                    channel: Some(name),
                    users,
                    count,
                }
            }
            None => {
                self.list_given(Reminder::Presence, None);
                let users = self.sessions.names().take(LIST_NAMES).cloned().collect();
                Event::Users {
                    channel: None,
                    users,
                    count: self.sessions.online(),
                }
            }
        };
        ask.answer(event);
        Ok(())
    }

    /// `channels`: whole, the most recently used first.
    pub(super) fn tell_all_channels(&mut self, ask: &mut Ask<'_>) {
        self.list_given(Reminder::Channels, None);
        ask.answer(Event::Channels(self.channels.summaries().collect()));
    }
}
