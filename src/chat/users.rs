//! Users: they come online by `hello`, change their names, and go offline. And the rows of their
//! sessions in the history, which are written with the messages of a turn, in one transaction.

use super::error::CommandError;
use super::event::{ChannelId, ClientId, Effect, Event, MessageLimits, Topic, Welcome};
use super::name::UserName;
use super::sessions::{Token, User};
use super::{Chat, Context, Departure, List, Timer};
use crate::history::{Author, History, Place, Remembered, SessionRow};
use crate::limits::{COST_OF_RENAME, LIST_NAMES, Limits, NAMES_HELD_OVER};
use crate::time::{Millis, Now};
use std::rc::Rc;
use std::time::Duration;

/// A session's row is written again when it sends a message, but not more often than this.
const ROW_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How often the rows of users who are online and silent are written again.
const STALE_ROWS_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// How many of those rows one turn writes.
const STALE_ROWS: usize = 500;

/// Reads what the history knows at the start.
pub(super) fn remembered(history: &mut dyn History, limits: &Limits, now: Now) -> Remembered {
    history.remembered(limits.channels, NAMES_HELD_OVER, now)
}

impl Chat {
    /// Answers `hello`.
    pub(super) fn hello(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        session: Option<&str>,
    ) -> Result<(), CommandError> {
        let now = context.now;
        let (token, directs) = match self.identify(session)? {
            Some(token) if self.sessions.user(token.author).is_some() => {
                let own_name = self.own_name(token.author)?;
                let directs = self.directs(token.author, &own_name)?;
                (token, directs)
            }
            Some(token) => {
                let name = self.free_name(name, Some(token.author))?;
                let directs = self.directs(token.author, name.shown())?;
                let has_row = self.sessions.departed(token.author).is_none();
                self.come_online(&token, &name, has_row, now);
                (token, directs)
            }
            None => {
                let name = self.free_name(name, None)?;
                let token = Token::new(self.new_author()?, (self.tokens)());
                self.come_online(&token, &name, false, now);
                (token, Vec::new())
            }
        };
        self.attach(context.client, token.author);
        let welcome = Welcome {
            name: self.own_name(token.author)?,
            author: token.author,
            session: token.text(),
            channels: self.channels.summaries().take(LIST_NAMES).collect(),
            users: self.sessions.names().take(LIST_NAMES).cloned().collect(),
            online: self.sessions.online(),
            directs,
            limits: MessageLimits {
                text: self.limits.text_chars,
                message_bytes: self.limits.message_bytes,
            },
            epoch: self.history.epoch(),
            time: now.unix,
            server: concat!("parlor ", env!("CARGO_PKG_VERSION")),
        };
        context.answer(Event::Welcome(Box::new(welcome)));
        context.effects.push(Effect::Subscribe {
            who: context.address,
            topic: Topic::Everyone,
        });
        Ok(())
    }

    /// Parses a token. Returns `None` where its session is not known, or has another token.
    fn identify(&mut self, token: Option<&str>) -> Result<Option<Token>, CommandError> {
        let Some(token) = token.and_then(Token::parse) else {
            return Ok(None);
        };
        let secret = match self.sessions.user(token.author) {
            Some(user) => Some(user.secret),
            None => self.session_row(token.author)?.map(|row| row.secret),
        };
        let matches = secret.is_some_and(|secret| token.matches(&secret));
        Ok(matches.then_some(token))
    }

    /// Parses a name that is free for a session; `None` is a new one.
    fn free_name(&self, name: &str, author: Option<Author>) -> Result<UserName, CommandError> {
        let name = UserName::parse(name)?;
        if self.sessions.is_free(&name, author) {
            Ok(name)
        } else {
            Err(CommandError::NameTaken)
        }
    }

    /// Returns an author number that was never used.
    fn new_author(&mut self) -> Result<Author, CommandError> {
        Ok(self.history.next_author())
    }

    fn come_online(&mut self, token: &Token, name: &UserName, has_row: bool, now: Now) {
        let author = token.author;
        let row_written = has_row.then_some(now.mono);
        if let Some(until) = self.sessions.add(author, name, token.secret(), row_written) {
            self.timers.remove(&(until, Timer::Departed(author)));
        }
        self.update_row(author, false, now);
        self.changed(List::Users, &name.shown().into(), true, now);
    }

    /// Makes a connection one of a user's.
    fn attach(&mut self, id: ClientId, author: Author) {
        let Some(client) = self.clients.get_mut(id.0 as usize) else {
            return;
        };
        client.author = Some(author);
        if let Some(at) = client.hello_by.take() {
            self.timers.remove(&(at, Timer::Hello(id)));
        }
        if let Some(user) = self.sessions.user_mut(author) {
            user.clients.push(id);
            if let Some(at) = user.offline_at.take() {
                self.timers.remove(&(at, Timer::Offline(author)));
            }
        }
    }

    pub(super) fn own_name(&self, author: Author) -> Result<Rc<str>, CommandError> {
        let user = self.sessions.user(author);
        user.map(|user| user.name.shown.clone())
            .ok_or(CommandError::HelloFirst)
    }

    /// Answers `rename`. The old name is free at once.
    pub(super) fn rename(
        &mut self,
        context: &mut Context<'_>,
        author: Author,
        name: &str,
    ) -> Result<(), CommandError> {
        let now = context.now;
        let current = self.own_name(author)?;
        let name = self.free_name(name, Some(author))?;
        if *name.shown() == *current {
            context.answer(Event::Renamed {
                from: current.clone(),
                to: current,
            });
            return Ok(());
        }
        let renamed = self.sessions.rename(author, &name);
        let (from, to) = renamed.ok_or(CommandError::HelloFirst)?;
        context.outcome.cost = COST_OF_RENAME;
        self.update_row(author, false, now);
        self.announce_rename(author, &from, &to, now);
        let event = Event::Renamed { from, to };
        context.answer(event.clone());
        context.effects.push(Effect::Publish {
            topic: Topic::Everyone,
            event,
            except: vec![context.address],
        });
        Ok(())
    }

    /// Removes a connection of a user.
    pub(super) fn client_left(
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
        user.clients.retain(|other| *other != client);
        let is_last = user.clients.is_empty();
        self.leave_all(author, channels, departure, now);
        if !is_last {
            return;
        }
        self.update_row(author, departure == Departure::Quit, now);
        if departure == Departure::Quit || self.limits.resume_window.is_zero() {
            self.go_offline(author, departure, now);
        } else if let Some(user) = self.sessions.user_mut(author) {
            let at = now.mono.after(self.limits.resume_window);
            user.offline_at = Some(at);
            self.timers.insert((at, Timer::Offline(author)));
        }
    }

    pub(super) fn go_offline(&mut self, author: Author, departure: Departure, now: Now) {
        self.forget_all_drops(author, now);
        let Some(user) = self.sessions.remove(author) else {
            return;
        };
        self.changed(List::Users, &user.name.shown, false, now);
        let until = now.mono.after(self.limits.resume_window);
        if departure == Departure::Quit && user.row_written.is_none() && until > now.mono {
            self.timers.insert((until, Timer::Departed(author)));
            let row = self.row(author, &user, true, now);
            self.sessions.remember(row, until);
        }
    }

    fn row(&self, author: Author, user: &User, quit: bool, now: Now) -> SessionRow {
        SessionRow {
            author,
            secret: user.secret,
            name: user.name.shown.clone(),
            seen: now.unix,
            quit,
        }
    }

    /// Holds the names of sessions that were online before the restart, for the resume window. Of
    /// two with the same name, the first row has it.
    pub(super) fn hold_names(&mut self, rows: &[SessionRow], now: Now) {
        let window = self.limits.resume_window;
        if window.is_zero() {
            return;
        }
        for row in rows {
            if let Ok(name) = UserName::parse(&row.name) {
                self.sessions.hold(row.author, &name);
            }
        }
        if self.sessions.holds_names() {
            self.timers
                .insert((now.mono.after(window), Timer::HeldNames));
        }
    }

    /// Has the next commit write a user's row, if the user has one.
    pub(super) fn update_row(&mut self, author: Author, quit: bool, now: Now) {
        if let Some(user) = self.sessions.user(author)
            && user.row_written.is_some()
        {
            let row = self.row(author, user, quit, now);
            self.rows.insert(author, row);
        }
    }

    /// Returns the row of a session that is offline, if it is known.
    pub(super) fn session_row(
        &mut self,
        author: Author,
    ) -> Result<Option<SessionRow>, CommandError> {
        let known = self.rows.get(&author);
        if let Some(row) = known.or_else(|| self.sessions.departed(author)) {
            return Ok(Some(row.clone()));
        }
        self.history
            .session(author)
            .map_err(|error| self.failed(error))
    }

    /// Returns the rows that this turn's commit has to write: those that changed, and those of
    /// sessions with messages in this turn that have none or an old one.
    pub(super) fn take_rows(&mut self, now: Now) -> Vec<SessionRow> {
        for index in 0..self.proposals.len() {
            let proposal = &self.proposals[index];
            let authors = match proposal.place {
                Place::Conversation(one, other) => [one, other],
                Place::Channel(_) => [proposal.author; 2],
            };
            for author in authors {
                if !self.rows.contains_key(&author)
                    && let Some(row) = self.missing_row(author, now)
                {
                    self.rows.insert(author, row);
                }
            }
        }
        std::mem::take(&mut self.rows).into_values().collect()
    }

    fn missing_row(&self, author: Author, now: Now) -> Option<SessionRow> {
        let is_recent = |at: Millis| now.mono.since(at) < ROW_INTERVAL;
        match self.sessions.user(author) {
            Some(user) if user.row_written.is_some_and(is_recent) => None,
            Some(user) => Some(self.row(author, user, false, now)),
            None => self.sessions.departed(author).cloned(),
        }
    }

    /// Records that the commit wrote rows.
    pub(super) fn rows_written(&mut self, rows: &[SessionRow], now: Now) {
        for row in rows {
            if let Some(user) = self.sessions.user_mut(row.author) {
                user.row_written = Some(now.mono);
            }
        }
        if !rows.is_empty() && !std::mem::replace(&mut self.watches_rows, true) {
            let at = now.mono.after(STALE_ROWS_INTERVAL);
            self.timers.insert((at, Timer::StaleRows));
        }
    }

    /// Updates rows of users who are connected but have long been silent, so that they do not
    /// expire.
    pub(super) fn update_stale_rows(&mut self, now: Now) {
        let is_stale = |at: Millis| now.mono.since(at) >= ROW_INTERVAL;
        let users = self.sessions.users();
        let connected = users.filter(|(_, user)| !user.clients.is_empty());
        let stale = connected.filter(|(_, user)| user.row_written.is_some_and(is_stale));
        let stale: Vec<_> = stale.map(|(author, _)| author).take(STALE_ROWS).collect();
        for author in &stale {
            self.update_row(*author, false, now);
        }
        let wait = match stale.len() {
            STALE_ROWS => Duration::from_secs(1),
            _ => STALE_ROWS_INTERVAL,
        };
        self.watches_rows = self.sessions.online() > 0;
        if self.watches_rows {
            self.timers.insert((now.mono.after(wait), Timer::StaleRows));
        }
    }

    /// Sets the timer for the history's next maintenance, if it needs any.
    pub(super) fn schedule_maintenance(&mut self, now: Now) {
        let Some(wait) = self.history.next_maintenance() else {
            return;
        };
        let at = now.mono.after(wait);
        if self.maintain_at.is_none_or(|earlier| at < earlier) {
            if let Some(later) = self.maintain_at.replace(at) {
                self.timers.remove(&(later, Timer::Maintenance));
            }
            self.timers.insert((at, Timer::Maintenance));
        }
    }

    /// Runs a step of the history's maintenance.
    pub(super) fn maintain_history(&mut self, now: Now) {
        self.maintain_at = None;
        if let Err(error) = self.history.maintain(now) {
            self.failed(error);
        }
        self.schedule_maintenance(now);
    }
}
