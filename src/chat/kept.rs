//! What of sessions outlives them: their rows in the history, and the names that are held for them
//! after a restart.
//!
//! A row is brought up to date with the turn's messages, in the same transaction: a thousand users
//! who come back at once are one
//! commit. Until then it stands here, where it is looked for first.
//!
//! Not here: which sessions have a row (`speak.rs` makes it with the first message), how long it is
//! kept (`history`).

use super::claims::Name;
use super::error::CommandError;
use super::name::UserName;
use super::{Chat, Reminder};
use crate::history::{Author, Place, Proposal, Remembered, SessionRow, StoreError};
use crate::limits::{NAMES_HELD_OVER, PUT_AWAY};
use crate::time::{Millis, Now, Sometime, UnixMillis};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// A session's row is brought up to date when it says something, but not more often than this.
const ROW_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Who is online and silent was seen all the same: their rows are looked through so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// Rows that are brought up to date in one turn because they are old.
const OLD_ROWS: usize = 500;

/// Between two steps of pruning.
pub(super) const PRUNE_INTERVAL: Duration = Duration::from_millis(50);
/// The same where the last one failed.
const PRUNE_RETRY: Duration = Duration::from_secs(60);

/// Rows that wait for the turn's commit, and names that are held for sessions which were there
/// before the restart.
#[derive(Default)]
pub(super) struct Rows {
    due: BTreeMap<Author, SessionRow>,
    held_over: Vec<Name>,
    /// When old rows are looked for.
    look_at: Option<Millis>,
    /// A step of pruning has its reminder: there is one at a time, however many commits ask for it.
    prunes: bool,
}

impl Chat {
    /// Takes over what the history had at the start: channels are listed again, the least recently
    /// used ones put away, and the
    /// names of sessions that were online not long ago are held for them.
    pub(super) fn take_over(&mut self, now: Now) {
        let since = now
            .unix
            .0
            .saturating_sub(NAMES_HELD_OVER.as_millis() as u64);
        let most = self.limits.channels.saturating_add(PUT_AWAY);
        let Remembered { channels, sessions } = self.history.remembered(most, UnixMillis(since));
        self.channels.take_over(&channels, self.limits.channels);
        self.prune_in(Duration::ZERO, now);
        let window = self.limits.resume_window;
        if window.is_zero() {
            return;
        }
        for row in sessions {
            // Of two that had the same name it is for the one seen last, which comes first here.
            if let Ok(name) = UserName::parse(&row.name)
                && self.sessions.is_free_for(row.author, &name)
            {
                self.rows
                    .held_over
                    .push(self.sessions.hold(row.author, &name));
            }
        }
        if !self.rows.held_over.is_empty() {
            self.reminders
                .insert((now.mono.after(window), Reminder::HeldOver));
        }
    }

    /// Has the history pruned in a while, if it wants that.
    pub(super) fn prune_in(&mut self, wait: Duration, now: Now) {
        if self.history.wants_pruning() && !std::mem::replace(&mut self.rows.prunes, true) {
            self.reminders
                .insert((now.mono.after(wait), Reminder::Pruning));
        }
    }

    /// Has the history give up a little of what it need not keep; the rest has time.
    pub(super) fn prune(&mut self, now: Now) {
        self.rows.prunes = false;
        let wait = match self.history.prune() {
            Ok(()) => PRUNE_INTERVAL,
            Err(error) => {
                self.failed(error);
                PRUNE_RETRY
            }
        };
        self.prune_in(wait, now);
    }

    /// The window after the restart is over: who did not come back has no claim any more.
    pub(super) fn release_held_over(&mut self) {
        for name in std::mem::take(&mut self.rows.held_over) {
            self.sessions.release(&name);
        }
    }

    /// Has a user's row in the history brought up to date, where it has one.
    pub(super) fn was_seen(&mut self, author: Author, quit: bool, now: Now) {
        if let Some(user) = self.sessions.user_mut(author)
            && user.stored != Sometime::NEVER
        {
            // If it can't be written, the row tells of an earlier day; the next one that can puts
            // it right.
            user.stored = Some(now.mono).into();
            let row = SessionRow {
                author,
                secret: user.secret,
                name: user.name.shown.clone(),
                seen: now.unix,
                quit,
            };
            self.rows.due.insert(author, row);
        }
    }

    /// A session that is kept.
    pub(super) fn kept_session(
        &mut self,
        author: Author,
    ) -> Result<Option<SessionRow>, CommandError> {
        if let Some(row) = self.rows.due.get(&author) {
            return Ok(Some(row.clone()));
        }
        self.history
            .session(author)
            .map_err(|error| self.failed(error))
    }

    /// The rows that this turn's commit has to write: of sessions that have to be kept from now on,
    /// and of those that changed.
    pub(super) fn take_rows(&mut self, proposals: &[Rc<Proposal>], now: Now) -> Vec<SessionRow> {
        let mut rows = std::mem::take(&mut self.rows.due);
        let row = |author: Author| {
            let (secret, name) = match (self.sessions.user(author), self.sessions.parted(author)) {
                (Some(user), _)
                    if user
                        .stored
                        .get()
                        .is_some_and(|at| now.mono.since(at) < ROW_INTERVAL) =>
                {
                    return None;
                }
                (Some(user), _) => (user.secret, user.name.shown.clone()),
                // One that has a row was not seen because somebody wrote to it.
                (None, Some(parted)) if parted.stored.is_none() => {
                    (parted.secret, parted.name.clone())
                }
                (None, _) => return None,
            };
            Some(SessionRow {
                author,
                secret,
                name,
                seen: now.unix,
                quit: self.sessions.user(author).is_none(),
            })
        };
        for proposal in proposals {
            let others = match proposal.place {
                Place::Conversation(one, other) => [one, other],
                Place::Channel(_) => [proposal.author; 2],
            };
            for author in others {
                if !rows.contains_key(&author)
                    && let Some(row) = row(author)
                {
                    rows.insert(author, row);
                }
            }
        }
        rows.into_values().collect()
    }

    /// The commit wrote them.
    pub(super) fn rows_stored(&mut self, rows: &[SessionRow], now: Now) {
        for row in rows {
            if let Some(user) = self.sessions.user_mut(row.author) {
                user.stored = Some(now.mono).into();
            }
        }
        if !rows.is_empty() && self.rows.look_at.is_none() && self.sessions.online() > 0 {
            self.look_at_rows_in(LOOK_INTERVAL, now);
        }
    }

    fn look_at_rows_in(&mut self, wait: Duration, now: Now) {
        let at = now.mono.after(wait);
        self.rows.look_at = Some(at);
        self.reminders.insert((at, Reminder::OldRows));
    }

    /// Nobody is online any more, so nobody's row grows old.
    pub(super) fn no_more_rows(&mut self) {
        if let Some(at) = self.rows.look_at.take() {
            self.reminders.remove(&(at, Reminder::OldRows));
        }
    }

    /// Who is online and has said nothing for long was seen all the same.
    pub(super) fn look_at_rows(&mut self, now: Now) {
        let is_old = |stored: &Millis| now.mono.since(*stored) >= ROW_INTERVAL;
        let old: Vec<_> = self
            .sessions
            .present()
            .filter(|(_, stored)| is_old(stored))
            .map(|(author, _)| author)
            .take(OLD_ROWS)
            .collect();
        for author in &old {
            self.was_seen(*author, false, now);
        }
        self.look_at_rows_in(
            if old.len() == OLD_ROWS {
                Duration::from_secs(1)
            } else {
                LOOK_INTERVAL
            },
            now,
        );
    }

    /// The history could not be read or written; what it said is for the log.
    pub(super) fn failed(&mut self, error: StoreError) -> CommandError {
        self.trouble = Some(error);
        CommandError::StorageFailed
    }
}
