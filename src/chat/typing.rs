//! `typing`: shows a user's contacts that a message is being written, at most once a second.

use super::command::Target;
use super::event::{Effect, Event, Topic};
use super::{Applied, Chat, Context, Destination, Timer};
use crate::history::{Author, Place};
use crate::limits::TYPING_INTERVAL;

impl Chat {
    pub(super) fn typing(&mut self, context: &mut Context<'_>, target: &Target) -> Applied {
        let author = context.author()?;
        let destination = self.destination(context, target)?;
        let place = self.place(author, destination)?;
        let user = self.own_name(author)?;
        self.check_muted(context)?;
        if !self.passes_typing(author, &place) {
            return Ok(());
        }
        let event = Event::Typing { place, user };
        match destination {
            Destination::Channel(id) => context.effects.push(Effect::Publish {
                topic: Topic::Channel(id),
                event,
                except: self.addresses(author),
            }),
            Destination::User(other) => {
                let to = self.addresses(other);
                if other != author && !to.is_empty() {
                    context.effects.push(Effect::Deliver { to, event });
                }
            }
        }
        Ok(())
    }

    /// Returns whether a user's `typing` may be sent now, and records the time if so.
    fn passes_typing(&mut self, author: Author, place: &Place) -> bool {
        let now = self.now.mono;
        let key = (author, place.clone());
        if let Some(last) = self.typing.get(&key)
            && now.since(*last) < TYPING_INTERVAL
        {
            return false;
        }
        if self.typing.is_empty() {
            self.set_timer(TYPING_INTERVAL, Timer::Typing);
        }
        self.typing.insert(key, now);
        true
    }

    /// Removes entries older than [`TYPING_INTERVAL`] from `typing`.
    pub(super) fn forget_typing(&mut self) {
        let now = self.now.mono;
        self.typing
            .retain(|_, last| now.since(*last) < TYPING_INTERVAL);
        if !self.typing.is_empty() {
            self.set_timer(TYPING_INTERVAL, Timer::Typing);
        }
    }
}
