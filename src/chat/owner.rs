//! The commands of an owner.
//!
//! A connection is an owner's from its `own` with the right key until it ends or gives it up.

use super::error::CommandError;
use super::event::Event;
use super::{Applied, Chat, Context};
use crate::limits::COST_OF_KEY;

impl Chat {
    /// Answers `own`: makes the connection an owner's, or takes that back.
    pub(super) fn own(&mut self, context: &mut Context<'_>, key: Option<&str>) -> Applied {
        context.author()?;
        context.outcome.cost = COST_OF_KEY;
        match key {
            None => _ = self.owners.remove(&context.client),
            Some(key) => {
                let (wrong, now) = (CommandError::BadKey, self.now.mono);
                self.wrong_keys
                    .check(context.peer, key, self.keys.owner, wrong, now)?;
                self.owners.insert(context.client);
            }
        }
        context.answer(Event::Owned {
            on: key.is_some(),
            muted: Vec::new(),
            kicked: Vec::new(),
        });
        Ok(())
    }
}
