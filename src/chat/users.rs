//! Users: they come online by `hello`, change their names, and go offline. And the rows of their
//! sessions in the history, which are written with the messages of a turn, in one transaction.

use super::command::Hello;
use super::error::CommandError;
use super::event::{Address, ChannelId, Effect, Event, MessageLimits, Topic, Welcome};
use super::name::Name;
use super::sessions::{Secret, Token, User};
use super::{Applied, Chat, Context, Departure, List, Timer};
use crate::history::{Author, Place, SessionRow};
use crate::limits::{COST_OF_RENAME, LIST_NAMES};
use crate::time::Millis;
use sha1::{Digest, Sha1};
use smallvec::SmallVec;
use std::rc::Rc;
use std::time::Duration;

/// A session's row is written again when it sends a message, but not more often than this.
const ROW_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How often the rows of users who are online and silent are written again.
const STALE_ROWS_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// The number of those rows that one turn writes.
const STALE_ROWS: usize = 500;

impl Chat {
    /// Answers `hello`: begins a session, or continues the one of the token.
    pub(super) fn hello(&mut self, context: &mut Context<'_>, hello: &Hello) -> Applied {
        let proxy_user = self.proxy_users.get(&context.address).cloned();
        let admitted = self.admit(context, hello, proxy_user.as_deref())?;
        let known = admitted.as_ref().map(|token| token.author);
        let online = known.and_then(|author| self.sessions.users.get(&author));
        let (name, is_online) = match online {
            Some(user) => (user.name.clone(), true),
            None => {
                let name = proxy_user.as_ref().unwrap_or(&hello.name);
                (self.free_name(name, known)?, false)
            }
        };
        let directs = match known {
            Some(author) => self.directs(author, &name.shown)?,
            None => Vec::new(),
        };
        let token = admitted.unwrap_or_else(|| Token {
            author: self.history.next_author(),
            bits: (self.tokens)(),
        });
        if !is_online {
            self.come_online(&token, &name, known.is_some());
        }
        self.attach(context.address, token.author)?;
        let welcome = Welcome {
            name: name.shown,
            author: token.author,
            session: token.text(),
            channels: self.channels.summaries().take(LIST_NAMES).collect(),
            users: self.sessions.list(),
            online: self.sessions.users.len(),
            directs,
            door: self.door_is_open,
            limits: MessageLimits {
                text: self.limits.text_chars,
                message_bytes: self.limits.message_bytes,
            },
            epoch: self.history.epoch(),
            time: self.now.unix,
            server: concat!(
                "parlor ",
                env!("CARGO_PKG_VERSION"),
                "+",
                env!("PARLOR_BUILD")
            ),
            name_fixed: proxy_user.is_some(),
        };
        context.answer(Event::Welcome(Box::new(welcome)));
        context.effects.push(Effect::Subscribe {
            who: context.address,
            topic: Topic::Everyone,
        });
        Ok(())
    }

    /// Decides whether a `hello` is let in. Returns the session that it continues, if any.
    fn admit(
        &mut self,
        context: &Context<'_>,
        hello: &Hello,
        proxy_user: Option<&str>,
    ) -> Result<Option<Token>, CommandError> {
        if let Some(key) = &hello.key {
            self.check_key(context.peer, key)?;
        }
        let known = match proxy_user {
            Some(name) => self.session_of_proxy_user(name)?,
            None => {
                let known = self.identify(hello.session.as_deref())?;
                let has_password = known
                    .as_ref()
                    .is_some_and(|(_, has_password)| *has_password);
                if self.keys.password.is_some() && !has_password && hello.key.is_none() {
                    let given = hello.password.as_deref();
                    let given = given.ok_or(CommandError::PASSWORD_NEEDED)?;
                    let (right, wrong) = (self.keys.password, CommandError::BAD_PASSWORD);
                    let (tries, now) = (&mut self.wrong_passwords, self.now.mono);
                    tries.check(context.peer, given, right, wrong, now)?;
                }
                known.map(|(token, _)| token)
            }
        };
        match known {
            Some(token) => self.check_kicked(token.author).map(|()| Some(token)),
            None if self.door_is_open || hello.key.is_some() => Ok(None),
            None => Err(CommandError::DOOR_CLOSED),
        }
    }

    /// Finds the session of a user whom the proxy names: the same one for all browsers. Its token
    /// is a fresh one, because a token proves nothing here.
    fn session_of_proxy_user(&mut self, name: &str) -> Result<Option<Token>, CommandError> {
        let online = self.sessions.find(&Name::of_user(name)?);
        let online = online.filter(|author| self.own_name(*author).is_ok_and(|it| *it == *name));
        let author = match (online, self.password_mark(name)) {
            (None, Some(mark)) => {
                let stored = self.history.session_with_mark(&mark);
                stored.map_err(|error| self.failed(error))?
            }
            _ => online,
        };
        Ok(author.map(|author| Token {
            author,
            bits: (self.tokens)(),
        }))
    }

    /// Returns the mark in the row of a session that was admitted by the room's password, or by the
    /// proxy under this name.
    fn password_mark(&self, name: &str) -> Option<Secret> {
        let epoch = self.history.epoch();
        let proof = match self.has_proxy_users {
            true => Sha1::digest(format!("proxy user {name}")).into(),
            false => self.keys.password?,
        };
        Some(Sha1::digest([&proof[..], epoch.as_bytes()].concat()).into())
    }

    /// Parses a token. Returns it with whether its session was admitted by the room's password;
    /// `None` if the session is not known, or has another token.
    fn identify(&mut self, token: Option<&str>) -> Result<Option<(Token, bool)>, CommandError> {
        let Some(token) = token.and_then(Token::parse) else {
            return Ok(None);
        };
        let (secret, has_password) = match self.sessions.users.get(&token.author) {
            Some(user) => (user.secret, true),
            None => match self.session_row(token.author)? {
                Some(row) => (row.secret, row.password == self.password_mark(&row.name)),
                None => return Ok(None),
            },
        };
        Ok(token.matches(&secret).then_some((token, has_password)))
    }

    /// Parses a name that is free for a session; `None` is a new one.
    fn free_name(&self, name: &str, author: Option<Author>) -> Result<Name, CommandError> {
        let name = Name::of_user(name)?;
        if self.sessions.is_free(&name, author) {
            Ok(name)
        } else {
            Err(CommandError::NAME_TAKEN)
        }
    }

    fn come_online(&mut self, token: &Token, name: &Name, is_known: bool) {
        let author = token.author;
        let has_row = is_known && !self.sessions.departed.contains_key(&author);
        let user = User {
            name: name.clone(),
            secret: token.secret(),
            clients: SmallVec::new(),
            row_written: has_row.then_some(self.now.mono),
        };
        // If new sessions may be rejected, this one must be known after a restart.
        if has_row || !self.door_is_open || self.keys.password.is_some() || self.has_proxy_users {
            self.rows.insert(author, self.row(author, &user, false));
        }
        self.sessions.add(author, user);
        self.timers.clear(&Timer::Departed(author));
        self.changed(List::Users, &name.shown, true);
    }

    /// Adds a connection to a user.
    fn attach(&mut self, address: Address, author: Author) -> Applied {
        self.client(address)?.author = Some(author);
        self.timers.clear(&Timer::Hello(address));
        self.timers.clear(&Timer::Offline(author));
        if let Some(user) = self.sessions.users.get_mut(&author) {
            user.clients.push(address);
        }
        Ok(())
    }

    pub(super) fn own_name(&self, author: Author) -> Result<Rc<str>, CommandError> {
        let user = self.sessions.users.get(&author);
        user.map(|user| user.name.shown.clone())
            .ok_or(CommandError::HELLO_FIRST)
    }

    pub(super) fn addresses(&self, author: Author) -> Vec<Address> {
        let user = self.sessions.users.get(&author);
        user.map_or(Vec::new(), |user| user.clients.to_vec())
    }

    /// Answers `rename`. The old name is free at once.
    pub(super) fn rename(&mut self, context: &mut Context<'_>, name: &str) -> Applied {
        let author = context.author()?;
        if self.has_proxy_users {
            return Err(CommandError::NAME_FIXED);
        }
        self.check_muted(context)?;
        let name = self.free_name(name, Some(author))?;
        let current = self.own_name(author)?;
        if name.shown == current {
            let (from, to) = (current.clone(), current);
            context.answer(Event::Renamed { from, to });
            return Ok(());
        }
        let renamed = self.sessions.rename(author, name);
        let (from, to) = renamed.ok_or(CommandError::HELLO_FIRST)?;
        context.outcome.cost = COST_OF_RENAME;
        self.update_row(author, false);
        self.announce_rename(author, &from, &to);
        context.answer_and_publish(Event::Renamed { from, to }, Topic::Everyone);
        Ok(())
    }

    /// Removes a connection from its user. After the last one the user goes offline, or the resume
    /// window begins.
    pub(super) fn client_left(
        &mut self,
        address: Address,
        author: Author,
        channels: &[ChannelId],
        departure: Departure,
    ) {
        let Some(user) = self.sessions.users.get_mut(&author) else {
            return;
        };
        user.clients.retain(|other| *other != address);
        let is_last = user.clients.is_empty();
        self.leave_all(author, channels, departure);
        if !is_last {
            return;
        }
        self.update_row(author, departure == Departure::Quit);
        if departure == Departure::Quit || self.limits.resume_window.is_zero() {
            self.go_offline(author, departure);
        } else {
            self.set_timer(self.limits.resume_window, Timer::Offline(author));
        }
    }

    pub(super) fn go_offline(&mut self, author: Author, departure: Departure) {
        self.forget_all_drops(author);
        let Some(user) = self.sessions.remove(author) else {
            return;
        };
        self.changed(List::Users, &user.name.shown, false);
        let window = self.limits.resume_window;
        if departure == Departure::Quit && user.row_written.is_none() && !window.is_zero() {
            self.set_timer(window, Timer::Departed(author));
            let row = self.row(author, &user, true);
            self.sessions.departed.insert(author, row);
        }
    }

    pub(super) fn row(&self, author: Author, user: &User, quit: bool) -> SessionRow {
        SessionRow {
            author,
            secret: user.secret,
            name: user.name.shown.clone(),
            seen: self.now.unix,
            quit,
            password: self.password_mark(&user.name.shown),
        }
    }

    /// Holds the names of sessions that were online before the restart, for the resume window. Of
    /// two with the same name, the first row has it.
    pub(super) fn hold_names(&mut self, rows: &[SessionRow]) {
        let window = self.limits.resume_window;
        if window.is_zero() || rows.is_empty() {
            return;
        }
        for row in rows {
            if let Ok(name) = Name::of_user(&row.name) {
                self.sessions.hold(row.author, name);
            }
        }
        self.set_timer(window, Timer::HeldNames);
    }

    /// Lets the next commit write a user's row, if the user has one.
    pub(super) fn update_row(&mut self, author: Author, quit: bool) {
        if let Some(user) = self.sessions.users.get(&author)
            && user.row_written.is_some()
        {
            let row = self.row(author, user, quit);
            self.rows.insert(author, row);
        }
    }

    /// Returns the row of a session that is offline, if it is known.
    pub(super) fn session_row(
        &mut self,
        author: Author,
    ) -> Result<Option<SessionRow>, CommandError> {
        let known = self.rows.get(&author);
        if let Some(row) = known.or_else(|| self.sessions.departed.get(&author)) {
            return Ok(Some(row.clone()));
        }
        self.history
            .session(author)
            .map_err(|error| self.failed(error))
    }

    /// Returns the rows that this turn's commit has to write: those that changed, and those of
    /// sessions with messages in this turn that have none or an old one.
    pub(super) fn take_rows(&mut self) -> Vec<SessionRow> {
        for index in 0..self.proposals.len() {
            let proposal = &self.proposals[index];
            let authors = match proposal.place {
                Place::Conversation(one, other) => [one, other],
                Place::Channel(_) => [proposal.author; 2],
            };
            for author in authors {
                if !self.rows.contains_key(&author)
                    && let Some(row) = self.missing_row(author)
                {
                    self.rows.insert(author, row);
                }
            }
        }
        std::mem::take(&mut self.rows).into_values().collect()
    }

    fn missing_row(&self, author: Author) -> Option<SessionRow> {
        let is_recent = |at: Millis| self.now.mono.since(at) < ROW_INTERVAL;
        match self.sessions.users.get(&author) {
            Some(user) if user.row_written.is_some_and(is_recent) => None,
            Some(user) => Some(self.row(author, user, false)),
            None => self.sessions.departed.get(&author).cloned(),
        }
    }

    pub(super) fn rows_written(&mut self, rows: &[SessionRow]) {
        for row in rows {
            if let Some(user) = self.sessions.users.get_mut(&row.author) {
                user.row_written = Some(self.now.mono);
            }
        }
        if !rows.is_empty() && !self.timers.is_set(&Timer::StaleRows) {
            self.set_timer(STALE_ROWS_INTERVAL, Timer::StaleRows);
        }
    }

    /// Updates rows of users who are connected but have long been silent, so that they do not
    /// expire.
    pub(super) fn update_stale_rows(&mut self) {
        let is_stale = |at: Millis| self.now.mono.since(at) >= ROW_INTERVAL;
        let stale =
            self.sessions.users.iter().filter(|(_, user)| {
                !user.clients.is_empty() && user.row_written.is_some_and(is_stale)
            });
        let stale: Vec<_> = stale.map(|(author, _)| *author).take(STALE_ROWS).collect();
        for author in &stale {
            self.update_row(*author, false);
        }
        let wait = match stale.len() {
            STALE_ROWS => Duration::from_secs(1),
            _ => STALE_ROWS_INTERVAL,
        };
        if !self.sessions.users.is_empty() {
            self.set_timer(wait, Timer::StaleRows);
        }
    }
}
