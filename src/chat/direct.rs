//! Conversations: what they are called, and who may ask for them.
//!
//! A conversation is between two sessions, and its identifier says which, in a form that clients
//! have no use for. To know one
//! opens nothing: it is only ever looked up on behalf of one of the two.
//!
//! Not here: how something is said in one (`speak.rs`), what is kept of it (`history`).

use super::Chat;
use super::error::CommandError;
use super::event::DirectSummary;
use crate::history::{Author, PageRequest, Place, Seq};
use crate::limits::LIST_CONVERSATIONS;
use std::rc::Rc;

/// The identifier of a conversation.
pub(super) fn identifier(one: Author, other: Author) -> Rc<str> {
    format!("c{}-{}", one.min(other).0, one.max(other).0).into()
}

/// The other session of a conversation, if `asker` is one of the two.
fn other_of(conversation: &str, asker: Author) -> Option<Author> {
    let (one, other) = conversation.strip_prefix('c')?.split_once('-')?;
    let (one, other) = (Author(one.parse().ok()?), Author(other.parse().ok()?));
    let found = if one == asker { other } else { one };
    ((one == asker || other == asker) && *identifier(one, other) == *conversation).then_some(found)
}

impl Chat {
    /// The other session of a conversation in which something has been said.
    pub(super) fn conversation(
        &mut self,
        asker: Author,
        conversation: &str,
    ) -> Result<Author, CommandError> {
        let other = other_of(conversation, asker).ok_or(CommandError::NoSuchConversation)?;
        // Nobody can make up the identifier of a conversation that was never begun.
        match self.span(&Place::between(asker, other))?.newest {
            Seq(0) => Err(CommandError::NoSuchConversation),
            _ => Ok(other),
        }
    }

    /// The name that a session has or last had. None: it is not known any more.
    pub(super) fn name_of(&mut self, author: Author) -> Result<Option<Rc<str>>, CommandError> {
        if let Some(user) = self.sessions.user(author) {
            return Ok(Some(user.name.shown.clone()));
        }
        if let Some(parted) = self.sessions.parted(author) {
            return Ok(Some(parted.name.clone()));
        }
        Ok(self.kept_session(author)?.map(|row| row.name))
    }

    /// A session's conversations, the most recently used first.
    pub(super) fn directs(&mut self, of: Author) -> Result<Vec<DirectSummary>, CommandError> {
        let rows = self
            .history
            .conversations(of, LIST_CONVERSATIONS)
            .map_err(|error| self.failed(error))?;
        let mut directs = Vec::with_capacity(rows.len());
        for row in rows {
            let with = match self.name_of(row.other)? {
                Some(name) => name,
                None => self.name_last_heard(of, row.other)?,
            };
            let (conversation, online) = (
                identifier(of, row.other),
                self.sessions.user(row.other).is_some(),
            );
            directs.push(DirectSummary {
                conversation,
                with,
                seq: row.newest,
                online,
            });
        }
        Ok(directs)
    }

    /// The name of a session that is forgotten, as the newest message of a conversation has it.
    fn name_last_heard(&mut self, of: Author, other: Author) -> Result<Rc<str>, CommandError> {
        let newest = PageRequest {
            after: Seq(0),
            before: Seq(u64::MAX),
            from_oldest: false,
            rows: 1,
            bytes: 0,
        };
        let mut found = Vec::new();
        self.history
            .page(&Place::between(of, other), newest, &mut found)
            .map_err(|error| self.failed(error))?;
        let name = found
            .first()
            .and_then(|record| match record.what.author == other {
                true => Some(record.what.from.clone()),
                false => record.what.to.clone(),
            });
        Ok(name.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_opens_nothing_to_others() {
        let (ada, ben) = (Author(7), Author(12));
        assert_eq!(*identifier(ben, ada), *"c7-12");
        let largest = Author((1 << 53) - 1);
        assert!(identifier(largest, largest).len() <= 64);
        let table: &[(&str, &str, u64, Option<u64>)] = &[
            ("the one", "c7-12", 7, Some(12)),
            ("the other", "c7-12", 12, Some(7)),
            ("a third", "c7-12", 8, None),
            ("oneself", "c7-7", 7, Some(7)),
            ("the wrong way round", "c12-7", 7, None),
            ("spelt otherwise", "c07-12", 7, None),
            ("with a sign", "c+7-12", 7, None),
            ("half of it", "c7", 7, None),
            ("a channel", "general", 7, None),
            ("nothing", "", 7, None),
        ];
        for (name, conversation, asker, other) in table {
            assert_eq!(
                other_of(conversation, Author(*asker)),
                other.map(Author),
                "{name}"
            );
        }
    }
}
