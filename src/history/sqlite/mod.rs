//! A history on disk: an SQLite database, of which this process is the only writer.
//!
//! * **One writer.** The file is locked (`flock`) while the server runs. SQLite's own locks are
//!   separate, so a backup can read the file meanwhile.
//! * **One transaction a turn**, in a write-ahead log: `ack` survives the death of the process,
//!   and with `--sync full` that of the machine.
//! * **No waiting.** A lock of another program is an error at once, and the chat tries again. The
//!   log is put into the file every 1,000 pages by our own checkpoint, since SQLite hides the
//!   errors of its automatic one. Another program may run checkpoints, too: see `wal`.
//! * **A failed `fsync` is not repeated**: the kernel may have dropped the pages that it could not
//!   write. After an I/O error the database is opened again, and its log put into the file, before
//!   anything is stored. A full disk needs none of this.
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
mod store;
mod wal;

#[cfg(feature = "tools")]
pub(crate) use {
    connection::{execute, select_all, select_one, with_ending},
    file::open_private,
};

use super::{Author, Epoch, Result, Settings, StoreError};
use crate::time::{ClockChange, Millis, Now, TrustedClock, UnixMillis};
use connection::{busy, checkpoint, connect, is_busy, is_of_the_disk};
use file::HistoryFile;
use prune::Pruning;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::time::Duration;
use wal::Log;

/// A lost file is copied back after this time, since a replacement takes several steps.
const RESTORE_AFTER: Duration = Duration::from_secs(2);
/// The wait for another program's lock at the start.
const START_WAIT: Duration = Duration::from_secs(5);

/// Returns the version of the SQLite that is compiled in.
pub fn version() -> &'static str {
    rusqlite::version()
}

/// A history on disk.
pub struct Sqlite {
    settings: Settings,
    connection: Connection,
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
    must_reopen: bool,
    log: Log,
    /// Whether the last transaction failed because another program writes.
    is_locked: bool,
    /// Whether the log may have deleted texts, and when it was last emptied for that reason.
    holds_deleted: bool,
    emptied_at: Millis,
    pruning: Pruning,
    commit_time: Option<Duration>,
    /// What happened to a file that can't be written, and when it is to be restored.
    lost: Option<(&'static str, Millis)>,
    /// Closed after the connection, so the last field.
    file: HistoryFile,
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
        let mut connection = connect(&file.path, settings.sync)?;
        let mut log = Log::default();
        log.open(&file.path);
        file.note_log();
        connection.busy_timeout(START_WAIT)?;
        schema::migrate(&mut connection, schema::STEPS, epoch)?;
        let row = "SELECT epoch, authors, believed, (SELECT coalesce(max(author), 0)
            FROM sessions), (SELECT coalesce(max(used), 0) FROM places), clean FROM history";
        type Row = (String, u64, UnixMillis, u64, u64, bool);
        let (epoch, authors, believed, newest_session, uses, is_clean): Row =
            connection.query_row(row, [], |row| row.try_into())?;
        let pruning = Pruning::begin(&connection, settings.keep)?;
        let believed = match believed {
            UnixMillis(0) => {
                let newest = |select| prune::newest(&connection, select);
                newest(prune::NEWEST_AT)?.max(newest(prune::NEWEST_SEEN)?)
            }
            believed => believed,
        };
        let mut history = Self {
            settings,
            connection,
            epoch: epoch.into(),
            newest_author: Author(authors.max(newest_session)),
            reserved_authors: authors,
            uses,
            clock: TrustedClock::continuing(believed),
            stored_time: UnixMillis(0),
            must_reopen: false,
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
        history.connection.busy_timeout(Duration::ZERO)?;
        if !is_clean {
            let pages = history
                .connection
                .pragma_query_value(None, "page_count", |row| row.get(0));
            history.log.in_file.extend(1..=pages?);
        }
        history.checkpoint(true);
        if !is_clean && !history.holds_deleted {
            history
                .connection
                .execute("UPDATE history SET clean = 1", [])?;
        }
        Ok(history)
    }

    /// Returns the number of stored messages; a place's numbers have no gaps.
    pub fn messages(&self) -> u64 {
        let sum = "SELECT coalesce(sum(newest - first + 1), 0) FROM places";
        let count = self.connection.query_row(sum, [], |row| row.get(0));
        count.unwrap_or(0)
    }

    /// Stores the believed time, and which author numbers were given.
    fn store_time(&mut self) -> rusqlite::Result<()> {
        let believed = self.clock.believed();
        let update = "UPDATE history SET authors = ?1, believed = ?2";
        self.connection
            .execute(update, (self.reserved_authors, believed))?;
        self.stored_time = believed;
        Ok(())
    }

    /// Reads both clocks, and logs a jump of the wall clock.
    fn observe(&mut self, now: Now) {
        let days = |millis: i64| millis as f64 / 86_400_000.0;
        match self.clock.observe(now) {
            None => {}
            Some(ClockChange::Cleared) => log::warn!("the clock is right again"),
            Some(ClockChange::Doubted(ahead)) => log::warn!(
                "the clock jumped by {:.1} days; nothing is deleted by it for a day",
                days(ahead)
            ),
            Some(ClockChange::Believed(ahead)) => log::warn!(
                "the clock's jump by {:.1} days lasts and is believed",
                days(ahead)
            ),
        }
    }

    /// Prepares for a write: checks the file, opens the database again after an error, and makes
    /// room in its log.
    fn ready_to_write(&mut self, now: Now) -> Result<()> {
        self.check_file(now)?;
        if self.must_reopen {
            self.reopen().map_err(|error| {
                let why = StoreError::from(error);
                StoreError(format!("{why}, and it could not be opened again"))
            })?;
        }
        if self.log.bytes() > self.settings.log_bytes {
            self.checkpoint(false);
        }
        if self.log.bytes() > self.settings.log_bytes {
            let why = "its log is full, because another program has been reading it for too long; \
                       end that program";
            return Err(StoreError(why.to_owned()));
        }
        Ok(())
    }

    /// Opens the database again, and puts its log into the file. If that fails the old connection
    /// goes on reading. A transaction that failed is not in the log: only a commit that succeeds
    /// moves the end of the log, which all connections share.
    fn reopen(&mut self) -> rusqlite::Result<()> {
        let connection = connect(&self.file.path, self.settings.sync)?;
        self.log.open(&self.file.path);
        self.file.note_log();
        let (pages, done) = checkpoint(&connection, "FULL")?;
        if pages != done {
            return Err(busy());
        }
        self.connection = connection;
        (self.must_reopen, self.holds_deleted) = (false, true);
        Ok(())
    }

    /// Puts the log into the file once it has grown by enough pages.
    fn checkpoint_if_due(&mut self) {
        self.log.update();
        if self.log.is_due() {
            self.checkpoint(false);
        }
    }

    /// Puts the log into the file, and cleans the pages. `is_emptied` also empties the log, unless
    /// a program reads in it. An error may be one of `fsync`.
    fn checkpoint(&mut self, is_emptied: bool) {
        if let Err(error) = self.try_checkpoint(is_emptied) {
            self.must_reopen |= is_of_the_disk(&error);
        }
    }

    fn try_checkpoint(&mut self, is_emptied: bool) -> rusqlite::Result<()> {
        self.log.update();
        let (pages, done) = checkpoint(&self.connection, "PASSIVE")?;
        let is_done = pages == done;
        self.log.checked(is_done);
        let is_clean = self.clean(is_done).is_ok() && (!is_done || self.log.is_clean());
        self.holds_deleted |= !is_clean;
        // Not earlier: the next start finds the pages to clean in the log.
        if is_done && is_clean && is_emptied {
            self.holds_deleted &= checkpoint(&self.connection, "TRUNCATE")?.0 != 0;
        }
        Ok(())
    }

    /// Removes the remains of deleted texts from the file. Meanwhile other programs can't write
    /// into the log, but they can put what is in it into the file.
    fn clean(&mut self, is_done: bool) -> Result<()> {
        if self.log.is_clean() {
            return Ok(());
        }
        let lock = TransactionBehavior::Immediate;
        let lock = Transaction::new_unchecked(&self.connection, lock)?;
        self.log.clean(&self.file.file, is_done)?;
        drop(lock);
        // SQLite's cached pages are not clean, and it would write them into the file again.
        Ok(self.connection.execute_batch("PRAGMA shrink_memory")?)
    }

    /// Notes a transaction that failed.
    fn write_failed(&mut self, error: rusqlite::Error) -> StoreError {
        self.is_locked = is_busy(&error);
        self.must_reopen |= is_of_the_disk(&error);
        error.into()
    }

    /// Fails if the path no longer leads to the open file.
    fn check_file(&mut self, now: Now) -> Result<()> {
        if self.lost.is_none()
            && let Err(what) = self.file.check(&self.epoch)
        {
            let path = self.file.path.display();
            log::error!("the history {path} {what}: nothing is stored until it is back");
            self.lost = Some((what, now.mono.after(RESTORE_AFTER)));
        }
        match self.lost {
            Some((what, _)) => Err(StoreError(format!("its file {what}"))),
            None => Ok(()),
        }
    }

    /// Copies the open file back to its path.
    fn restore(&mut self, now: UnixMillis) -> Result<()> {
        if !self.file.holds(&self.epoch) {
            return Err(StoreError("restore a backup".to_owned()));
        }
        if !self.file.is_truncated() {
            // So that a file that was moved is complete without its log.
            let _ = checkpoint(&self.connection, "FULL");
        }
        let copy = self.file.copy(&self.connection)?;
        // From here on the old connection must not touch files by their names.
        self.keep_files_at_close()?;
        self.file.take_over(&copy, now).map_err(|StoreError(why)| {
            let copy = copy.display();
            StoreError(format!("{why}; it is saved as {copy}"))
        })?;
        let path = self.file.path.display();
        log::warn!("the history {path} is back with all that it had");
        // The old connection has a file without a name.
        (self.lost, self.must_reopen) = (None, true);
        Ok(self.reopen()?)
    }

    /// Turns off the checkpoint at the close of the connection, which removes the log.
    fn keep_files_at_close(&self) -> rusqlite::Result<bool> {
        let setting = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.connection.set_db_config(setting, true)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let is_there = self.file.check(&self.epoch).is_ok();
        if !is_there && let Err(why) = self.restore(self.clock.believed()) {
            let path = self.file.path.display();
            log::error!("the history {path} is not restored: {why}");
            let _ = self.keep_files_at_close();
        } else if !self.must_reopen {
            self.reserved_authors = self.newest_author.0;
            // If it fails, numbers are lost, and the time is an hour old.
            let _ = self.store_time();
            // SQLite's own checkpoint at the close of the connection would not clean the pages.
            self.checkpoint(true);
        }
    }
}
