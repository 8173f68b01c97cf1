//! Coming, going, and being called something else: sessions begin and go on, users come online and
//! go.
//!
//! Not here: what a session or a token is (`session.rs`), and what becomes of a user's channels
//! (`membership.rs`).

use super::error::CommandError;
use super::event::{ChannelId, ClientId, Effect, Event, Topic, Welcome};
use super::name::UserName;
use super::session::{Parted, Secret, Token};
use super::{Ask, Chat, Departure, Reminder, Whose, direct};
use crate::history::Author;
use crate::limits::{COST_OF_EVERYBODY, LIST_NAMES};
use crate::time::{Millis, Now};

/// Who says hello.
enum Comer {
    /// A user who is online: this is another client of theirs.
    Online(Token),
    /// A session that is known; in the history since `stored`.
    Known {
        token: Token,
        secret: Secret,
        stored: Option<Millis>,
    },
    /// Nobody that we know.
    New,
}

impl Chat {
    /// `hello`. What can fail comes before what changes anything.
    pub(super) fn hello(
        &mut self,
        ask: &mut Ask<'_>,
        name: &str,
        session: Option<&str>,
    ) -> Result<(), CommandError> {
        let comer = self.recognise(session.and_then(Token::parse), ask.now)?;
        let (token, directs) = match comer {
            Comer::Online(token) => {
                let directs = self.directs(token.author)?;
                (token, directs)
            }
            Comer::Known {
                token,
                secret,
                stored,
            } => {
                let name = self.free_name(token.author, name)?;
                let mut directs = self.directs(token.author)?;
                self.come_online(token.author, &name, secret, stored, ask.now);
                // When they were read it was offline, and had its last name: what it wrote to
                // itself says so.
                let own = direct::identifier(token.author, token.author);
                if let Some(notes) = directs.iter_mut().find(|row| row.conversation == own) {
                    (notes.with, notes.online) = (name.shown().into(), true);
                }
                (token, directs)
            }
            Comer::New => {
                let name = UserName::parse(name)?;
                // No author has this number yet, so every name that anybody has is somebody else's.
                if !self.sessions.is_free_for(Author(u64::MAX), &name) {
                    return Err(CommandError::NameTaken);
                }
                let token = Token::new(self.sessions.next_author(), (self.tokens)());
                self.come_online(token.author, &name, token.secret(), None, ask.now);
                (token, Vec::new())
            }
        };
        self.attach(ask.client, token.author);
        let Some(user) = self.sessions.user(token.author) else {
            return Err(CommandError::StorageFailed);
        };
        let welcome = Welcome {
            name: user.name.shown.clone(),
            author: token.author,
            session: token.text(),
            channels: self.channels.summaries().take(LIST_NAMES).collect(),
            users: self.sessions.names().take(LIST_NAMES).cloned().collect(),
            online: self.sessions.online(),
            directs,
            text_chars: self.limits.text_chars,
            message_bytes: self.limits.message_bytes,
            epoch: self.history.epoch(),
            time: ask.now.unix,
        };
        self.list_given(Reminder::Presence, Some(&welcome.name));
        self.list_given(Reminder::Channels, None);
        ask.answer(Event::Welcome(Box::new(welcome)));
        ask.effects.push(Effect::Subscribe {
            who: ask.address,
            topic: Topic::Everyone,
        });
        Ok(())
    }

    fn recognise(&mut self, token: Option<Token>, now: Now) -> Result<Comer, CommandError> {
        let Some(token) = token else {
            return Ok(Comer::New);
        };
        if let Some(user) = self.sessions.user(token.author) {
            return Ok(if token.proves(&user.secret) {
                Comer::Online(token)
            } else {
                Comer::New
            });
        }
        let (secret, stored) = match self.sessions.parted(token.author) {
            Some(parted) => (parted.secret, parted.stored),
            None => match self.kept_session(token.author)? {
                Some(row) => (row.secret, Some(now.mono)),
                None => return Ok(Comer::New),
            },
        };
        Ok(if token.proves(&secret) {
            Comer::Known {
                token,
                secret,
                stored,
            }
        } else {
            Comer::New
        })
    }

    fn free_name(&self, author: Author, name: &str) -> Result<UserName, CommandError> {
        let name = UserName::parse(name)?;
        if self.sessions.is_free_for(author, &name) {
            Ok(name)
        } else {
            Err(CommandError::NameTaken)
        }
    }

    fn come_online(
        &mut self,
        author: Author,
        name: &UserName,
        secret: Secret,
        stored: Option<Millis>,
        now: Now,
    ) {
        if let Some(parted) = self.sessions.come(author, name, secret, stored) {
            self.reminders
                .remove(&(parted.until, Reminder::Parted(author)));
        }
        self.was_seen(author, false, now);
        if let Some(news) = self.news(Reminder::Presence, now) {
            news.came(&name.shown().into());
        }
    }

    /// A client becomes one of a user's.
    fn attach(&mut self, id: ClientId, author: Author) {
        let Some(client) = self.clients.get_mut(id.0 as usize) else {
            return;
        };
        if let Whose::Unknown(Some(at)) = std::mem::replace(&mut client.whose, Whose::Of(author)) {
            self.reminders.remove(&(at, Reminder::Hello(id)));
        }
        if let Some(user) = self.sessions.user_mut(author) {
            user.clients.push(id);
            user.stays();
        }
        self.remind_of_user(author);
    }

    /// `rename`.
    pub(super) fn rename(
        &mut self,
        ask: &mut Ask<'_>,
        author: Author,
        name: &str,
    ) -> Result<(), CommandError> {
        let now = ask.now.mono;
        let Some(user) = self.sessions.user(author) else {
            return Err(CommandError::HelloFirst);
        };
        let current = user.name.shown.clone();
        if self.limits.rate != 0 {
            user.ends()
                .renames
                .check(now)
                .map_err(|retry_ms| CommandError::RateLimited { retry_ms })?;
        }
        let name = self.free_name(author, name)?;
        if *name.shown() == *current {
            // It has that name: nobody but the asker needs to be told, and it is no rename that
            // counts.
            ask.answer(Event::Renamed {
                from: current.clone(),
                to: current,
            });
            return Ok(());
        }
        let hold = now.after(self.limits.resume_window);
        let Some((from, to)) = self.sessions.rename(author, &name, hold) else {
            return Err(CommandError::HelloFirst);
        };
        if self.limits.rate != 0
            && let Some(user) = self.sessions.user_mut(author)
        {
            user.ends_mut().renames.count(now);
        }
        ask.outcome.cost = COST_OF_EVERYBODY;
        self.sessions.release_held(author, now);
        self.remind_of_user(author);
        self.was_seen(author, false, ask.now);
        self.gather_renaming(author, &from, &to, ask.now);
        let event = Event::Renamed { from, to };
        ask.answer(event.clone());
        ask.effects.push(Effect::Publish {
            topic: Topic::Everyone,
            event,
            except: vec![ask.address],
        });
        Ok(())
    }

    /// A client of a user went.
    pub(super) fn client_went(
        &mut self,
        client: ClientId,
        author: Author,
        channels: &[ChannelId],
        departure: Departure,
        now: Now,
    ) {
        let Some(user) = self.sessions.user_mut(author) else {
            return;
        };
        user.clients.take_out(client);
        let last = user.clients.is_empty();
        self.leave_all(author, channels, departure, now);
        if last {
            self.was_seen(author, departure == Departure::Quit, now);
        }
        if !last {
            self.remind_of_user(author);
        } else if departure == Departure::Quit || self.limits.resume_window.is_zero() {
            self.go_offline(author, departure, now);
        } else {
            let gone_at = now.mono.after(self.limits.resume_window);
            if let Some(user) = self.sessions.user_mut(author) {
                user.ends_mut().gone_at = Some(gone_at);
            }
            self.remind_of_user(author);
        }
    }

    /// Something of a user may have ended by itself.
    pub(super) fn look_at_user(&mut self, author: Author, now: Now) {
        let Some(user) = self.sessions.user(author) else {
            return;
        };
        if user.ends().gone_at.is_some_and(|at| at <= now.mono) {
            self.go_offline(author, Departure::Lost, now);
            return;
        }
        self.sessions.release_held(author, now.mono);
        self.sessions.forget_renames(author, now.mono);
        self.forget_drops(author, now);
        self.remind_of_user(author);
    }

    fn go_offline(&mut self, author: Author, departure: Departure, now: Now) {
        self.forget_all_drops(author, now);
        let Some(user) = self.sessions.go(author) else {
            return;
        };
        if self.sessions.online() == 0 {
            self.no_more_rows();
        }
        if let Some(at) = user.reminder() {
            self.reminders.remove(&(at, Reminder::User(author)));
        }
        if let Some(news) = self.news(Reminder::Presence, now) {
            news.went(&user.name.shown);
        }
        let (renames, stored) = (user.ends().renames, user.stored.get());
        let until = match stored {
            // Coming back must not bring more renames.
            Some(_) if self.limits.rate != 0 => renames.full_at(),
            Some(_) => return,
            // Who left by itself may come back as the same session within its window, though its
            // name is free.
            None if departure == Departure::Quit => now.mono.after(self.limits.resume_window),
            None => return,
        };
        if until > now.mono {
            self.reminders.insert((until, Reminder::Parted(author)));
            let parted = Parted {
                secret: user.secret,
                name: user.name.shown,
                renames,
                stored,
                until,
            };
            self.sessions.remember(author, parted);
        }
    }

    /// Sees to it that a user is looked at when its next deadline comes.
    fn remind_of_user(&mut self, author: Author) {
        let Some(user) = self.sessions.user_mut(author) else {
            return;
        };
        let (before, next) = user.remind();
        if let Some(at) = before {
            self.reminders.remove(&(at, Reminder::User(author)));
        }
        if let Some(at) = next {
            self.reminders.insert((at, Reminder::User(author)));
        }
    }
}
