//! Answers that change nothing: earlier messages, who is where, and a user's conversations.

use super::command::{Query, Target};
use super::error::CommandError;
use super::event::{ChannelId, DirectSummary, Event, conversation_id, conversation_of};
use super::name::Name;
use super::{Applied, Chat, Context};
use crate::history::{Author, ConversationRow, PageRequest, Place, Record, Seq, Span};
use crate::limits::{CONNECTION_OUTPUT_BYTES, LIST_CONVERSATIONS};
use std::rc::Rc;

impl Chat {
    /// Answers `history`, for any channel that is listed and for the user's own conversations.
    pub(super) fn answer_history(&mut self, context: &mut Context<'_>, query: &Query) -> Applied {
        let place = self.readable_place(context, &query.target)?;
        let first = self.span(&place)?.first;
        let (messages, more) =
            self.page(context, &place, query.before, query.after, query.limit)?;
        context.answer(Event::History {
            place,
            messages,
            more,
            first,
        });
        Ok(())
    }

    /// Reads a page of at most `rows` messages, with as many bytes as the connection may still get
    /// in this turn: the oldest ones above `after`, otherwise the newest ones below `before`.
    /// Returns it with whether there are more messages.
    pub(super) fn page(
        &mut self,
        context: &mut Context<'_>,
        place: &Place,
        before: Option<Seq>,
        after: Option<Seq>,
        rows: u32,
    ) -> Result<(Vec<Record>, bool), CommandError> {
        let mut messages = Vec::new();
        let wanted = PageRequest {
            after: after.unwrap_or(Seq(0)),
            before: before.unwrap_or(Seq(u64::MAX)),
            from_oldest: after.is_some(),
            rows,
            bytes: CONNECTION_OUTPUT_BYTES.min(context.page_bytes),
            reader: context.author()?,
        };
        let page = self.history.page(place, wanted, &mut messages);
        let more = page.map_err(|error| self.failed(error))?;
        Ok((messages, more))
    }

    pub(super) fn span(&mut self, place: &Place) -> Result<Span, CommandError> {
        self.history.span(place).map_err(|error| self.failed(error))
    }

    /// Answers `who`, for everyone or for one channel.
    pub(super) fn answer_who(
        &mut self,
        context: &mut Context<'_>,
        channel: Option<&str>,
    ) -> Applied {
        let (channel, (users, count)) = match channel {
            Some(name) => {
                let channel = self.channels.get(self.channel(name)?);
                let channel = channel.ok_or(CommandError::NO_SUCH_CHANNEL)?;
                (Some(channel.name.shown.clone()), self.members_of(channel))
            }
            None => (None, (self.sessions.list(), self.sessions.users.len())),
        };
        context.answer(Event::Users {
            channel,
            users,
            count,
        });
        Ok(())
    }

    /// Returns where the messages of a target are stored. The connection need not be in the
    /// channel.
    pub(super) fn readable_place(
        &mut self,
        context: &Context<'_>,
        target: &Target,
    ) -> Result<Place, CommandError> {
        match target {
            Target::Channel(name) => self.channels.place(self.channel(name)?),
            other => Ok(self.destination(context, other)?.0),
        }
    }

    /// Finds what a target means: a channel that the connection is in, with its number, or a
    /// conversation.
    pub(super) fn destination(
        &mut self,
        context: &Context<'_>,
        target: &Target,
    ) -> Result<(Place, Option<ChannelId>), CommandError> {
        let author = context.author()?;
        let id = match target {
            Target::Channel(name) => self.joined_channel(context.address, Some(name))?,
            Target::JoinedLast => self.joined_channel(context.address, None)?,
            Target::User(name) => {
                let user = self.sessions.find(&Name::of_user(name)?);
                let user = user.ok_or(CommandError::NO_SUCH_USER)?;
                return Ok((Place::between(author, user), None));
            }
            Target::Conversation(id) => {
                let place = conversation_of(id).filter(|place| other_in(place, author).is_some());
                let place = place.ok_or(CommandError::NO_SUCH_CONVERSATION)?;
                if self.span(&place)?.newest == Seq(0) {
                    return Err(CommandError::NO_SUCH_CONVERSATION);
                }
                return Ok((place, None));
            }
        };
        Ok((self.channels.place(id)?, Some(id)))
    }

    /// Returns the name that a session has or last had, or `None` if the session is not known.
    pub(super) fn name_of(&mut self, author: Author) -> Result<Option<Rc<str>>, CommandError> {
        if let Some(user) = self.sessions.users.get(&author) {
            return Ok(Some(user.name.shown.clone()));
        }
        Ok(self.session_row(author)?.map(|row| row.name))
    }

    /// Returns a session's conversations, the most recently used first. `own_name` is its name, in
    /// case it is not online yet.
    pub(super) fn directs(
        &mut self,
        author: Author,
        own_name: &str,
    ) -> Result<Vec<DirectSummary>, CommandError> {
        let rows = self.history.conversations(author, LIST_CONVERSATIONS);
        let rows = rows.map_err(|error| self.failed(error))?;
        let mut directs = Vec::with_capacity(rows.len());
        for row in rows {
            let is_own = row.other == author;
            let with = match is_own {
                true => Some(own_name.into()),
                false => self.name_of(row.other)?,
            };
            directs.push(DirectSummary {
                conversation: conversation_id(author, row.other).into(),
                with: match with {
                    Some(name) => name,
                    None => self.last_name_of(&row, author)?,
                },
                seq: row.newest,
                online: is_own || self.sessions.users.contains_key(&row.other),
            });
        }
        Ok(directs)
    }

    /// Returns the name of a session that is not known, from the newest message of a conversation.
    fn last_name_of(
        &mut self,
        row: &ConversationRow,
        author: Author,
    ) -> Result<Rc<str>, CommandError> {
        let place = Place::between(author, row.other);
        let wanted = PageRequest::one(row.newest, author);
        let mut messages = Vec::new();
        let page = self.history.page(&place, wanted, &mut messages);
        page.map_err(|error| self.failed(error))?;
        let newest = messages.pop().map(|message| message.what);
        let name = newest.and_then(|what| match what.author == row.other {
            true => Some(what.from.clone()),
            false => what.to.clone(),
        });
        Ok(name.unwrap_or_default())
    }
}

/// Returns the other session of a conversation if `author` is one of its two.
pub(super) fn other_in(place: &Place, author: Author) -> Option<Author> {
    match *place {
        Place::Conversation(one, other) if one == author => Some(other),
        Place::Conversation(one, other) if other == author => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversation_id_is_accepted_only_from_its_two() {
        let largest = Author((1 << 53) - 1);
        assert!(conversation_id(largest, largest).len() <= 64);
        assert_eq!(conversation_id(Author(12), Author(7)), "c7-12");
        let table = [
            ("one", "c7-12", 7, Some(12)),
            ("the other", "c7-12", 12, Some(7)),
            ("a third", "c7-12", 8, None),
            ("oneself", "c7-7", 7, Some(7)),
            ("the wrong order", "c12-7", 7, None),
            ("a leading zero", "c07-12", 7, None),
            ("a sign", "c+7-12", 7, None),
            ("half of it", "c7", 7, None),
            ("a channel", "general", 7, None),
            ("nothing", "", 7, None),
        ];
        for (name, conversation, author, other) in table {
            let place = conversation_of(conversation);
            let found = place.and_then(|place| other_in(&place, Author(author)));
            assert_eq!(found, other.map(Author), "{name}");
        }
    }
}
