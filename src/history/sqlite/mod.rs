//! A history on disk: an SQLite database, of which this process is the only writer.
//!
//! * **One writer.** The file is locked (`flock`) while the server runs. SQLite's own locks are
//!   others, so that readers, such as a backup, are let in.
//! * **One transaction a turn**, in a write-ahead log: `ack` survives the death of the process,
//!   and with `--sync full` that of the machine.
//! * **No waiting.** A lock of another program is an error at once, and the chat tries again. The
//!   log is put into the file every 1,000 pages by our own checkpoint, since SQLite hides the
//!   errors of its automatic one. Another program may run checkpoints, too: see `wal`.
//! * **A failed `fsync` is not repeated**: the kernel may have dropped the pages that it could not
//!   write. After an I/O error the database is opened again before anything is stored, and what a
//!   failed transaction may have left in the log is removed. A full disk needs none of this.
//! * **A deleted text is gone** from the file and its log a second after its commit: see `scrub`.
//! * **A lost file is noticed** before the next commit, or within a second: nothing is acknowledged
//!   that only an unlinked file has. The open file is copied back to its path.

mod connection;
mod decisions;
mod file;
mod prune;
mod rows;
pub(crate) mod schema;
mod scrub;
mod wal;

pub(crate) use connection::sentence;
pub(crate) use file::with_ending;
#[cfg(feature = "tools")]
pub(crate) use rows::count_reactions;

use super::{
    Author, ChannelSettings, ConversationRow, Decision, Epoch, History, PageRequest, Place,
    Proposal, Record, Remembered, Result, Seq, SessionRow, Settings, Span, StoreError, Stored,
    Visit,
};
use crate::time::{ClockChange, Millis, Now, TrustedClock, UnixMillis};
use connection::{busy, checkpoint, connect, is_busy, is_of_the_disk};
use file::{HistoryFile, Loss};
use prune::Pruning;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::collections::HashMap;
use std::fs::File;
use std::rc::Rc;
use std::time::{Duration, Instant};
use wal::SharedLog;

/// Author numbers that are reserved by one write. A clean stop gives back the unused ones.
const AUTHORS_AT_ONCE: u64 = 16;
/// The file is checked this often while nothing is stored.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// A lost file is copied back after this time, since a replacement takes several steps.
const RESTORE_AFTER: Duration = Duration::from_secs(2);
/// The additional time after an attempt that failed: copying may take long.
const RESTORE_AGAIN: Duration = Duration::from_secs(60);
/// The wait for another program's lock at the start, and for an owner's decision.
const START_WAIT: Duration = Duration::from_secs(5);
const DECISION_WAIT: Duration = Duration::from_millis(250);
/// The believed time is stored this often while nothing else is, in milliseconds.
const STORE_TIME: u64 = 30 * 60 * 1_000;

/// Returns the version of the SQLite that is compiled in.
pub fn version() -> &'static str {
    rusqlite::version()
}

/// A history on disk.
pub struct Sqlite {
    settings: Settings,
    /// `None` if it could not be opened again after an error.
    connection: Option<Connection>,
    epoch: Epoch,
    newest_author: Author,
    /// Authors up to this one are marked as given in the file.
    reserved_authors: u64,
    /// The greatest `used` of a place.
    uses: u64,
    clock: TrustedClock,
    /// The believed time in the file.
    stored_time: UnixMillis,
    /// Nothing is stored until the database has been opened again.
    is_sick: bool,
    /// Places in which a failed transaction may have left messages above these numbers, and what it
    /// may have overwritten.
    doubtful: Vec<(Place, Seq)>,
    undo: Vec<rows::Overwritten>,
    log: SharedLog,
    /// Whether the last transaction failed because another program writes.
    is_locked: bool,
    /// Whether the log may have deleted texts, and when it was last emptied for that reason.
    holds_deleted: bool,
    emptied_at: Millis,
    pruning: Pruning,
    commit_time: Option<Duration>,
    lost: Option<Lost>,
    /// Closed after the connection, so the last field.
    file: HistoryFile,
}

/// A file that can't be written until it is restored.
#[derive(Clone, Copy, Debug)]
struct Lost {
    loss: Loss,
    since: Millis,
    /// It was copied to another name, since its own one belongs to a file that is not ours.
    is_saved: bool,
}

impl Sqlite {
    /// Opens a history; if there is none, makes it with this epoch. The error is one line for the
    /// person who starts the server.
    pub fn open(settings: Settings, epoch: &str) -> std::result::Result<Self, String> {
        let path = settings.path.clone();
        Self::begin(settings, epoch).map_err(|why| {
            let path = path.display();
            format!(
                "can't use the history {path}: {why}; name another with --history, or use \
                 --no-history"
            )
        })
    }

    fn begin(settings: Settings, epoch: &str) -> Result<Self> {
        let mut file = HistoryFile::claim(&settings.path, epoch)?;
        let log = SharedLog::default();
        let mut connection = connect(&file.path, settings.sync, &log)?;
        connection.busy_timeout(START_WAIT)?;
        schema::migrate(&mut connection, schema::STEPS, epoch)?;
        let row = "SELECT epoch, authors, believed, (SELECT coalesce(max(author), 0)
            FROM sessions), (SELECT coalesce(max(used), 0) FROM places), clean FROM history";
        type Row = (String, u64, u64, u64, u64, bool);
        let (epoch, authors, believed, newest_session, uses, is_clean): Row =
            connection.query_row(row, [], |row| row.try_into())?;
        let pruning = Pruning::begin(&connection, settings.keep)?;
        file.note();
        let believed = match believed {
            0 => pruning.newest(),
            believed => UnixMillis(believed),
        };
        let mut history = Self {
            settings,
            connection: Some(connection),
            epoch: epoch.into(),
            newest_author: Author(authors.max(newest_session)),
            reserved_authors: authors,
            uses,
            clock: TrustedClock::continuing(believed),
            stored_time: UnixMillis(0),
            is_sick: false,
            doubtful: Vec::new(),
            undo: Vec::new(),
            log,
            is_locked: false,
            holds_deleted: true,
            emptied_at: Millis(0),
            pruning,
            commit_time: None,
            lost: None,
            file,
        };
        // The first write shows that it can be written.
        history.store_time()?;
        history.connection()?.busy_timeout(Duration::ZERO)?;
        history.checkpoint("TRUNCATE");
        if !is_clean
            && !history.holds_deleted
            && let Some(connection) = &history.connection
        {
            let all = |file: &File| scrub::clean(file, 1..=u32::MAX);
            history.file.clean(connection, all)?;
            connection.execute("UPDATE history SET clean = 1", [])?;
        }
        Ok(history)
    }

    /// Returns the number of stored messages; a place's numbers have no gaps.
    pub fn messages(&self) -> u64 {
        let sum = "SELECT coalesce(sum(newest - first + 1), 0) FROM places";
        let connection = self.connection.as_ref();
        let count = connection.and_then(|it| it.query_row(sum, [], |row| row.get(0)).ok());
        count.unwrap_or(0)
    }

    /// Returns the connection. After an I/O error it is opened again.
    fn connection(&mut self) -> rusqlite::Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let made = connect(&self.file.path, self.settings.sync, &self.log)?;
                self.file.note();
                Ok(none.insert(made))
            }
        }
    }

    /// Stores the believed time, and which author numbers were given.
    fn store_time(&mut self) -> rusqlite::Result<()> {
        let believed = self.clock.believed();
        let row = (self.reserved_authors, believed.0);
        let update = "UPDATE history SET authors = ?1, believed = ?2";
        self.connection()?.execute(update, row)?;
        self.stored_time = believed;
        Ok(())
    }

    /// Reads both clocks, and logs a jump of the wall clock.
    fn observe(&mut self, now: Now) {
        let days = |millis: i64| millis as f64 / 86_400_000.0;
        let change = match self.clock.observe(now) {
            None => return,
            Some(ClockChange::Cleared) => "the clock is right again".to_owned(),
            Some(ClockChange::Doubted(ahead)) => {
                let days = days(ahead);
                format!("the clock jumped by {days:.1} days; nothing is deleted by it for a day")
            }
            Some(ClockChange::Believed(ahead)) => {
                let days = days(ahead);
                format!("the clock's jump by {days:.1} days lasts and is believed")
            }
        };
        log::warn!("{change}");
    }

    /// Prepares for a write: the file is there, the database is well, and its log has room.
    fn ready_to_write(&mut self, now: Now) -> Result<()> {
        self.check_file(now)?;
        if self.is_sick {
            self.recover().map_err(|error| {
                let why = sentence(&error);
                StoreError(format!("{why}, and it could not be opened again"))
            })?;
        }
        let is_full = |it: &Self| it.log.lock().bytes() > it.settings.log_bytes;
        if is_full(self) {
            self.checkpoint("PASSIVE");
            if is_full(self) {
                let why =
                    "its log is full, because another program has been reading it for too long";
                return Err(StoreError(why.to_owned()));
            }
        }
        Ok(())
    }

    /// Opens the database again after an I/O error, puts its log into the file, and removes what
    /// was never acknowledged. If that fails the old connection goes on reading.
    fn recover(&mut self) -> rusqlite::Result<()> {
        let connection = connect(&self.file.path, self.settings.sync, &self.log)?;
        self.log.lock().look();
        let (log, done) = checkpoint(&connection, "FULL")?;
        if log != done {
            return Err(busy());
        }
        self.holds_deleted |= !self.clean(&connection, true);
        let transaction = connection.unchecked_transaction()?;
        for overwritten in self.undo.iter().rev() {
            overwritten.restore(&transaction)?;
        }
        for (place, newest) in &self.doubtful {
            if let Some(known) = rows::known(&transaction, place)? {
                let undo = "DELETE FROM messages WHERE place = ?1 AND seq > ?2";
                transaction.execute(undo, (known.id, newest.0))?;
                let undo = "UPDATE places SET newest = ?2 WHERE id = ?1";
                transaction.execute(undo, (known.id, newest.0))?;
            }
        }
        for overwritten in &self.undo {
            overwritten.count_reactions(&transaction)?;
        }
        transaction.commit()?;
        self.connection = Some(connection);
        self.file.note();
        self.is_sick = false;
        self.doubtful.clear();
        self.undo.clear();
        Ok(())
    }

    /// Puts the log into the file once it has grown. Its error may be one of `fsync`.
    fn tend_log(&mut self) {
        if self.log.lock().is_due() {
            self.checkpoint("PASSIVE");
        }
    }

    /// Puts the log into the file; `TRUNCATE` also empties it, unless a program reads in it.
    fn checkpoint(&mut self, kind: &str) {
        let Some(connection) = &self.connection else {
            return;
        };
        self.log.lock().look();
        match checkpoint(connection, "PASSIVE") {
            Ok((pages, done)) => {
                let is_done = pages == done;
                self.log.lock().checked(pages, is_done);
                let is_clean = self.clean(connection, is_done);
                self.holds_deleted |= !is_clean;
                // Not earlier: the next start finds the pages to clean in the log.
                if is_done && is_clean && kind == "TRUNCATE" {
                    match checkpoint(connection, kind) {
                        Ok((log, _)) => self.holds_deleted &= log != 0,
                        Err(error) => self.is_sick |= is_of_the_disk(&error),
                    }
                }
            }
            Err(error) => self.is_sick |= is_of_the_disk(&error),
        }
        self.file.note();
    }

    /// Cleans the pages of logs that are in the file; with `is_done`, also those of this log.
    /// Returns whether none of them is left.
    fn clean(&self, connection: &Connection, is_done: bool) -> bool {
        let log = &self.log;
        let is_clean = || log.lock().is_clean();
        let clean = |file: &File| {
            let pages = log.lock().take_in_file(is_done);
            let cleaned = scrub::clean(file, pages.iter().copied());
            if cleaned.is_err() {
                log.lock().put_back(pages);
            }
            cleaned
        };
        let is_cleaned = is_clean() || self.file.clean(connection, clean).is_ok();
        is_cleaned && (!is_done || is_clean())
    }

    /// Notes a transaction that failed and may have reached the log.
    fn write_failed(&mut self, error: rusqlite::Error, turn: Option<rows::Turn>) -> StoreError {
        self.is_locked = is_busy(&error);
        if is_of_the_disk(&error) {
            self.is_sick = true;
            if let Some(turn) = turn {
                let places = turn.places.into_iter();
                let touched = places.map(|(place, (before, _))| (place, before));
                self.doubtful.extend(touched);
                self.undo.extend(turn.undo);
            }
        }
        error.into()
    }

    /// Fails if the path no longer leads to the open file.
    fn check_file(&mut self, now: Now) -> Result<()> {
        if self.lost.is_none()
            && let Err(loss) = self.file.check(&self.epoch)
        {
            let (path, what) = (self.file.path.display(), loss.sentence());
            log::error!("the history {path} {what}: nothing is stored until it is back");
            self.lost = Some(Lost {
                loss,
                since: now.mono,
                is_saved: false,
            });
            if let (Loss::Removed | Loss::Replaced, Some(connection)) = (loss, &self.connection) {
                // So that a file that was moved is complete without its log.
                let _ = checkpoint(connection, "FULL");
            }
        }
        match self.lost {
            Some(Lost { loss, .. }) => Err(StoreError(format!("its file {}", loss.sentence()))),
            None => Ok(()),
        }
    }

    /// Tries to get a lost file back to its path.
    fn restore(&mut self, now: UnixMillis) -> Result<()> {
        let Some(connection) = &self.connection else {
            return Err(StoreError("it is not open".to_owned()));
        };
        let is_there = self.file.check(&self.epoch);
        if matches!(is_there, Ok(()) | Err(Loss::WithoutLog)) {
            // Pages that a reader keeps in the log would be lost with it.
            let (log, done) = checkpoint(connection, "TRUNCATE")?;
            if log != done {
                return Err(busy().into());
            }
            self.close_silently();
            if is_there.is_err() {
                self.file.remove_logs();
            }
        } else {
            if is_there == Err(Loss::Replaced) {
                if !file::holds(&File::open(&self.file.path)?, &self.epoch) {
                    if self.file.is_deleted() && self.lost.is_some_and(|lost| !lost.is_saved) {
                        let ending = format!(".saved-{}", now.0 / 1_000);
                        let copy = self.file.copy(connection, &ending)?;
                        log::error!("the history as it was is saved as {}", copy.display());
                        self.lost.iter_mut().for_each(|lost| lost.is_saved = true);
                    }
                    return Err(StoreError("another file has its name".to_owned()));
                }
                let aside = with_ending(&self.file.path, &format!(".replaced-{}", now.0 / 1_000));
                std::fs::rename(&self.file.path, &aside)?;
                log::warn!("the file in its place is now {}", aside.display());
            }
            let copy = self.file.copy(connection, ".restored")?;
            // From here on the old connection must not touch files by their names.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            self.file.take_over(&copy)?;
            self.close_silently();
        }
        (self.is_sick, self.lost) = (false, None);
        self.doubtful.clear();
        self.undo.clear();
        self.connection()?;
        log::warn!(
            "the history {} is back with all that it had",
            self.file.path.display()
        );
        Ok(())
    }

    /// Closes the connection without a checkpoint, and without removing the log by its name.
    fn close_silently(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
    }
}

impl History for Sqlite {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>> {
        self.observe(now);
        self.is_locked = false;
        self.ready_to_write(now)?;
        let began = Instant::now();
        let mut turn = rows::Turn {
            now: now.unix,
            stamp: self.clock.stamp(now.unix),
            believed: self.clock.believed(),
            uses: self.uses,
            places: HashMap::new(),
            undo: Vec::new(),
        };
        let written = self
            .connection()
            .and_then(|it| turn.write(it, proposals, sessions));
        let stored = match written {
            Ok(stored) => stored,
            Err(error) => return Err(self.write_failed(error, Some(turn))),
        };
        let (messages, keep) = (turn.uses - self.uses, self.settings.keep);
        self.pruning
            .count(&turn, messages, !sessions.is_empty(), keep);
        self.uses = turn.uses;
        self.holds_deleted |= turn.undo.iter().any(rows::Overwritten::has_text);
        self.tend_log();
        self.commit_time = Some(began.elapsed());
        Ok(stored)
    }

    fn decide(&mut self, decision: &Decision, sessions: &[SessionRow], now: Now) -> Result<()> {
        self.observe(now);
        self.ready_to_write(now)?;
        let stamp = self.clock.stamp(now.unix);
        // Decisions are rare, so this one may wait.
        let written = self.connection().and_then(|it| {
            it.busy_timeout(DECISION_WAIT)?;
            let stored = decisions::store(it, decision, sessions, (now.unix, stamp));
            it.busy_timeout(Duration::ZERO)?;
            stored
        });
        written.map_err(|error| self.write_failed(error, None))?;
        self.pruning.wake();
        self.tend_log();
        Ok(())
    }

    fn settings(&mut self, channel: &Rc<str>) -> Result<ChannelSettings> {
        Ok(decisions::settings(self.connection()?, channel)?)
    }

    fn page(&mut self, place: &Place, ask: PageRequest, out: &mut Vec<Record>) -> Result<bool> {
        Ok(rows::page(self.connection()?, place, ask, out)?)
    }

    fn scan(
        &mut self,
        place: &Place,
        before: Seq,
        rows: u32,
        budget: &mut usize,
        visit: &mut Visit<'_>,
    ) -> Result<Option<Seq>> {
        let connection = self.connection()?;
        Ok(rows::scan(connection, place, before, rows, budget, visit)?)
    }

    fn span(&mut self, place: &Place) -> Result<Span> {
        let known = rows::known(self.connection()?, place)?;
        Ok(known.map_or(Span::EMPTY, |it| Span {
            first: it.first,
            newest: it.newest,
        }))
    }

    fn session(&mut self, author: Author) -> Result<Option<SessionRow>> {
        let oldest = self.pruning.oldest_session(&self.settings, &self.clock);
        let found = rows::session(self.connection()?, author)?;
        Ok(found.filter(|row| row.seen >= oldest))
    }

    fn session_with_mark(&mut self, mark: &[u8; 20]) -> Result<Option<Author>> {
        let oldest = self.pruning.oldest_session(&self.settings, &self.clock);
        Ok(rows::session_with_mark(self.connection()?, mark, oldest)?)
    }

    fn conversations(&mut self, of: Author, most: usize) -> Result<Vec<ConversationRow>> {
        Ok(rows::conversations(self.connection()?, of, most)?)
    }

    fn remembered(&mut self, channels: usize, seen_within: Duration, now: Now) -> Remembered {
        self.observe(now);
        let within = seen_within.as_millis() as u64;
        let since = UnixMillis(self.clock.believed().0.saturating_sub(within));
        // An error is unlikely: the file was read when it was opened, a moment ago.
        let read = self.connection();
        let read = read.and_then(|it| decisions::remembered(it, channels, since));
        read.unwrap_or_default()
    }

    fn maintain(&mut self, now: Now) -> Result<()> {
        self.observe(now);
        if let Some(lost) = self.lost {
            let is_back = self.file.check(&self.epoch).is_ok();
            if is_back || now.mono.since(lost.since) >= RESTORE_AFTER {
                self.restore(now.unix).map_err(|why| {
                    let since = now.mono.after(RESTORE_AGAIN);
                    self.lost.iter_mut().for_each(|lost| lost.since = since);
                    let loss = lost.loss.sentence();
                    StoreError(format!("its file {loss}; not restored: {why}"))
                })?;
            }
        }
        self.check_file(now)?;
        if self.holds_deleted && now.mono.since(self.emptied_at) >= FILE_CHECK {
            self.emptied_at = now.mono;
            self.checkpoint("TRUNCATE");
        }
        let is_old = self.clock.believed().0.abs_diff(self.stored_time.0) >= STORE_TIME;
        if self.pruning.interval().is_none() && !is_old {
            return Ok(());
        }
        self.ready_to_write(now)?;
        let stored = if is_old { self.store_time() } else { Ok(()) };
        let done = stored.and_then(|()| match &self.connection {
            Some(it) => {
                self.holds_deleted = true;
                self.pruning.step(it, &self.settings, &self.clock, now.mono)
            }
            None => Ok(()),
        });
        match done {
            Err(error) if !is_busy(&error) => return Err(self.write_failed(error, None)),
            // The next step comes soon.
            _ => self.tend_log(),
        }
        Ok(())
    }

    fn next_maintenance(&self) -> Option<Duration> {
        let pruning = self.pruning.interval().filter(|_| self.lost.is_none());
        Some(pruning.unwrap_or(FILE_CHECK))
    }

    fn is_locked(&self) -> bool {
        self.is_locked
    }

    fn take_commit_time(&mut self) -> Option<Duration> {
        self.commit_time.take()
    }

    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    /// A number that could not be reserved is given all the same: a full disk keeps no user out.
    fn next_author(&mut self) -> Author {
        self.newest_author.0 += 1;
        if self.newest_author.0 > self.reserved_authors && self.lost.is_none() && !self.is_sick {
            let reserved = self.reserved_authors;
            self.reserved_authors = self.newest_author.0 + AUTHORS_AT_ONCE - 1;
            if let Err(error) = self.store_time() {
                self.reserved_authors = reserved;
                self.write_failed(error, None);
            }
        }
        self.newest_author
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let is_there = self.file.check(&self.epoch).is_ok();
        if !is_there && let Err(why) = self.restore(self.clock.believed()) {
            log::error!(
                "the history {} is not restored: {why}",
                self.file.path.display()
            );
            return self.close_silently();
        }
        if !self.is_sick {
            self.reserved_authors = self.newest_author.0;
            // If it fails, numbers are lost, and the time is an hour old.
            let _ = self.store_time();
            // SQLite's own checkpoint at the close of the connection would not clean the pages.
            self.checkpoint("TRUNCATE");
        }
    }
}
