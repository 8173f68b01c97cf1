//! A history on disk: an SQLite database, of which this process is the only writer.
//!
//! * **One writer.** The file is locked (`flock`) while the server runs. SQLite's own locks are
//!   others, so that readers, such as a backup, are let in.
//! * **One transaction a turn**, in a write-ahead log: `ack` survives the death of the process,
//!   and with `--sync full` that of the machine.
//! * **No waiting.** A lock of another program is an error at once. The log is put into the file
//!   every 1,000 pages by our own checkpoint, since SQLite hides the errors of its automatic one.
//! * **A failed `fsync` is not repeated**: the kernel may have dropped the pages that it could not
//!   write. After an I/O error the database is opened again before anything is stored, and what a
//!   failed transaction may have left in the log is removed. A full disk needs none of this.
//! * **A lost file is noticed** before the next commit, or within a second: nothing is acknowledged
//!   that only an unlinked file has. The open file is copied back to its path.

mod file;
mod prune;
mod read;
pub(crate) mod schema;
mod write;

pub(crate) use file::with_ending;

use super::{
    Author, ConversationRow, Epoch, History, PageRequest, Place, Proposal, Record, Remembered, Seq,
    SessionRow, Settings, Span, StoreError, Stored, Sync,
};
use crate::limits::{WAL_BYTES, WAL_CHECKPOINT_PAGES};
use crate::time::{ClockChange, Millis, Now, TrustedClock, UnixMillis};
use file::{HistoryFile, Loss};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Author numbers that are reserved by one write. A clean stop gives back the unused ones.
const AUTHORS_AT_ONCE: u64 = 16;
/// Places whose numbers are kept in memory.
const KNOWN_PLACES: usize = 10_000;
/// A page in the log: SQLite's default, and what precedes it.
const PAGE_BYTES: u64 = 4_096 + 24;
/// The file is looked at this often while nothing is stored.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// A lost file is copied back after this time: whoever replaces files does it in several steps.
const RESTORE_AFTER: Duration = Duration::from_secs(2);
/// The additional time after an attempt that failed: copying may take long.
const RESTORE_AGAIN: Duration = Duration::from_secs(60);
/// The believed time is stored this often while nothing else is, in milliseconds.
const STORE_TIME: u64 = 30 * 60 * 1_000;

/// A history on disk.
pub struct Sqlite {
    settings: Settings,
    /// `None`: it could not be opened again after an error.
    connection: Option<Connection>,
    epoch: Epoch,
    newest_author: Author,
    /// Authors up to this one are marked as given in the file.
    reserved_authors: u64,
    places: HashMap<Place, Known>,
    /// The greatest `used` of a place.
    uses: u64,
    clock: TrustedClock,
    /// The believed time in the file.
    stored_time: UnixMillis,
    /// The newest age stamps of messages and sessions.
    newest_at: UnixMillis,
    newest_seen: UnixMillis,
    /// Nothing is stored until the database has been opened again.
    is_sick: bool,
    /// A failed transaction may have left messages above these.
    doubtful: Vec<(Place, Seq)>,
    /// The pages in the log, and the number at which they are put into the file.
    wal_pages: Arc<AtomicU32>,
    checkpoint_at: u32,
    pruning: prune::Pruning,
    commit_time: Option<Duration>,
    lost: Option<Lost>,
    /// Closed after the connection, so the last field.
    file: HistoryFile,
}

/// The numbers of a place that has a row.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: i64,
    first: Seq,
    newest: Seq,
}

/// A file that can't be written any more.
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
    pub fn open(settings: Settings, epoch: &str) -> Result<Self, String> {
        let path = settings.path.clone();
        let cant = |why: String| {
            format!(
                "can't use the history {}: {why}; name another with --history, or use --no-history",
                path.display()
            )
        };
        let mut file = HistoryFile::claim(&path, epoch).map_err(cant)?;
        let wal_pages = Arc::new(AtomicU32::new(0));
        let opened = connect(&file, &settings, &wal_pages).and_then(|mut connection| {
            schema::migrate(&mut connection, schema::STEPS, epoch)?;
            let row = "SELECT epoch, authors, believed, (SELECT coalesce(max(author), 0)
                FROM sessions), (SELECT coalesce(max(used), 0) FROM places) FROM history";
            let row: (String, u64, i64, u64, u64) =
                connection.query_row(row, [], |row| row.try_into())?;
            let stamps = prune::newest_stamps(&connection)?;
            let pruning = prune::Pruning::begin(&connection, settings.keep)?;
            Ok((connection, row, stamps, pruning))
        });
        let (connection, row, [newest_at, newest_seen], pruning) =
            opened.map_err(|error| cant(sentence(&error)))?;
        let (epoch, authors, believed, newest_session, uses) = row;
        file.note();
        let believed = match believed {
            0 => newest_at.max(newest_seen),
            believed => millis(believed),
        };
        let mut history = Self {
            settings,
            connection: Some(connection),
            epoch: epoch.into(),
            newest_author: Author(authors.max(newest_session)),
            reserved_authors: authors,
            places: HashMap::new(),
            uses,
            clock: TrustedClock::continuing(believed),
            stored_time: UnixMillis(0),
            newest_at,
            newest_seen,
            is_sick: false,
            doubtful: Vec::new(),
            wal_pages,
            checkpoint_at: WAL_CHECKPOINT_PAGES,
            pruning,
            commit_time: None,
            lost: None,
            file,
        };
        // The first write shows that it can be written.
        history
            .store_time()
            .map_err(|error| cant(sentence(&error)))?;
        history.checkpoint();
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
        if self.connection.is_none() {
            self.connection = Some(connect(&self.file, &self.settings, &self.wal_pages)?);
            self.file.note();
        }
        self.connection
            .as_ref()
            .ok_or(rusqlite::Error::InvalidQuery)
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

    /// Reads both clocks, and logs what is thought of them.
    fn observe(&mut self, now: Now) {
        let days = |millis: i64| millis as f64 / 86_400_000.0;
        match self.clock.observe(now) {
            Some(ClockChange::Doubted(ahead)) => {
                let days = days(ahead);
                log::warn!(
                    "the clock jumped by {days:.1} days; nothing is deleted by it for a day"
                );
            }
            Some(ClockChange::Believed(ahead)) => {
                log::warn!(
                    "the clock's jump by {:.1} days lasts and is believed",
                    days(ahead)
                );
            }
            Some(ClockChange::Cleared) => log::info!("the clock is right again"),
            None => {}
        }
    }

    /// Prepares for a write: the file is there, the database is well, and its log has room.
    fn ready_to_write(&mut self, now: Now) -> Result<(), StoreError> {
        self.check_file(now)?;
        if self.is_sick {
            self.places.clear();
            let recovered = self.recover();
            recovered.map_err(|error| {
                StoreError(format!(
                    "{}, and it could not be opened again",
                    sentence(&error)
                ))
            })?;
            self.is_sick = false;
            self.doubtful.clear();
        }
        if self.wal_bytes() > WAL_BYTES * 3 / 4 {
            self.checkpoint();
            if self.wal_bytes() > WAL_BYTES * 3 / 4 {
                return Err(StoreError(
                    "its log is full, because another program has been reading it for too long"
                        .to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn wal_bytes(&self) -> u64 {
        u64::from(self.wal_pages.load(Ordering::Relaxed)) * PAGE_BYTES
    }

    /// Opens the database again after an I/O error, puts its log into the file, and removes what
    /// was never acknowledged. If that fails the old connection goes on reading.
    fn recover(&mut self) -> rusqlite::Result<()> {
        let old = self.connection.take();
        let doubtful = std::mem::take(&mut self.doubtful);
        let outcome = self.reopen(&doubtful);
        self.doubtful = doubtful;
        if outcome.is_err() && old.is_some() {
            self.connection = old;
        }
        outcome
    }

    fn reopen(&mut self, doubtful: &[(Place, Seq)]) -> rusqlite::Result<()> {
        let connection = self.connection()?;
        let (log, done) = checkpoint(connection, "FULL")?;
        if log != done {
            let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
            return Err(rusqlite::Error::SqliteFailure(busy, None));
        }
        let transaction = connection.unchecked_transaction()?;
        for (place, newest) in doubtful {
            if let Some(known) = read::known(&transaction, place)? {
                for undo in [
                    "DELETE FROM messages WHERE place = ?1 AND seq > ?2",
                    "UPDATE places SET newest = ?2 WHERE id = ?1",
                ] {
                    transaction.execute(undo, (known.id, newest.0))?;
                }
            }
        }
        transaction.commit()?;
        self.file.note();
        Ok(())
    }

    /// Puts the log into the file once it has grown. An error here may be one of `fsync`.
    fn tend_log(&mut self) {
        if self.wal_pages.load(Ordering::Relaxed) >= self.checkpoint_at {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        self.checkpoint_at = pages + WAL_CHECKPOINT_PAGES;
        let Some(connection) = &self.connection else {
            return;
        };
        match checkpoint(connection, "PASSIVE") {
            // The next transaction begins the log again, unless a program reads in it.
            Ok((log, done)) if log == done => {
                self.wal_pages.store(0, Ordering::Relaxed);
                self.checkpoint_at = WAL_CHECKPOINT_PAGES;
            }
            Ok(_) => {}
            Err(error) => self.is_sick |= is_of_the_disk(&error),
        }
        self.file.note();
    }

    /// Notes a transaction that failed and may have reached the log.
    fn write_failed(
        &mut self,
        error: &rusqlite::Error,
        touched: impl IntoIterator<Item = (Place, Seq)>,
    ) -> StoreError {
        if is_of_the_disk(error) {
            self.is_sick = true;
            self.doubtful.extend(touched);
        }
        StoreError(sentence(error))
    }

    /// Fails if the path no longer leads to the open file.
    fn check_file(&mut self, now: Now) -> Result<(), StoreError> {
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
    fn restore(&mut self, now: UnixMillis) -> Result<(), String> {
        let Some(connection) = &self.connection else {
            return Err("it is not open".to_owned());
        };
        let text = |error: std::io::Error| error.to_string();
        let is_there = self.file.check(&self.epoch);
        if matches!(is_there, Ok(()) | Err(Loss::WithoutLog)) {
            checkpoint(connection, "TRUNCATE").map_err(|error| sentence(&error))?;
            self.close_silently();
            if is_there.is_err() {
                self.file.remove_logs();
            }
        } else {
            if is_there == Err(Loss::Replaced) && self.is_same_history() {
                let aside = with_ending(&self.file.path, &format!(".replaced-{}", now.0 / 1_000));
                std::fs::rename(&self.file.path, &aside).map_err(text)?;
                log::warn!("the file in its place is now {}", aside.display());
            } else if is_there == Err(Loss::Replaced) {
                if self.file.is_deleted() && self.lost.is_some_and(|lost| !lost.is_saved) {
                    let ending = format!(".saved-{}", now.0 / 1_000);
                    let copy = self.file.copy(connection, &ending)?;
                    log::error!("the history as it was is saved as {}", copy.display());
                    self.lost.iter_mut().for_each(|lost| lost.is_saved = true);
                }
                return Err("another file has its name".to_owned());
            }
            let copy = self.file.copy(connection, ".restored")?;
            // From here on the old connection must not touch files by their names.
            connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
                .map_err(|error| sentence(&error))?;
            self.file.take_over(&copy)?;
            self.close_silently();
        }
        self.wal_pages.store(0, Ordering::Relaxed);
        (self.is_sick, self.lost) = (false, None);
        self.doubtful.clear();
        self.places.clear();
        self.connection().map_err(|error| sentence(&error))?;
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

    /// Whether the file at the path is an older or newer copy of this history.
    fn is_same_history(&self) -> bool {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let epoch = Connection::open_with_flags(&self.file.path, flags).and_then(|connection| {
            connection.query_row("SELECT epoch FROM history", [], |row| {
                row.get::<_, String>(0)
            })
        });
        epoch.is_ok_and(|epoch| *epoch == *self.epoch)
    }

    /// Returns the numbers of a place, from memory if they are known.
    fn known(&mut self, place: &Place) -> rusqlite::Result<Option<Known>> {
        if let Some(known) = self.places.get(place) {
            return Ok(Some(*known));
        }
        let found = read::known(self.connection()?, place)?;
        if let Some(known) = found {
            self.remember(place.clone(), known);
        }
        Ok(found)
    }

    fn remember(&mut self, place: Place, known: Known) {
        if self.places.len() >= KNOWN_PLACES {
            self.places.clear();
        }
        self.places.insert(place, known);
    }

    /// Writes a turn, and updates what is known of the places in it.
    fn write(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        places: write::Places,
        now: UnixMillis,
    ) -> rusqlite::Result<Vec<Stored>> {
        let (stamp, believed) = (self.clock.stamp(now), self.clock.believed());
        let uses = self.uses;
        let times = [now, stamp, believed];
        let turn = write::Turn::begin(self.connection()?, places, uses, times)?;
        let (stored, places, uses) = turn.write(proposals, sessions)?;
        if uses > self.uses {
            self.newest_at = stamp;
        }
        if !sessions.is_empty() {
            self.newest_seen = stamp;
        }
        self.pruning.count(uses - self.uses, believed);
        self.uses = uses;
        let keep = self.settings.keep;
        for (place, known) in places {
            let Some(known) = known else { continue };
            if known.newest.0 + 1 - known.first.0 > keep + keep / 64 {
                self.pruning.add_too_long(known.id);
            }
            self.remember(place, known);
        }
        Ok(stored)
    }
}

impl History for Sqlite {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>, StoreError> {
        self.observe(now);
        self.ready_to_write(now)?;
        let began = Instant::now();
        let mut places = write::Places::new();
        for proposal in proposals {
            if !places.contains_key(&proposal.place) {
                places.insert(proposal.place.clone(), self.known(&proposal.place)?);
            }
        }
        let before = places.clone();
        let stored = self
            .write(proposals, sessions, places, now.unix)
            .map_err(|error| {
                let newest = |known: Option<Known>| known.map_or(Seq(0), |known| known.newest);
                let touched = before
                    .into_iter()
                    .map(|(place, known)| (place, newest(known)));
                self.write_failed(&error, touched)
            })?;
        self.tend_log();
        self.commit_time = Some(began.elapsed());
        Ok(stored)
    }

    fn page(
        &mut self,
        place: &Place,
        ask: PageRequest,
        out: &mut Vec<Record>,
    ) -> Result<bool, StoreError> {
        match self.known(place)? {
            Some(known) => Ok(read::page(self.connection()?, place, known.id, ask, out)?),
            None => Ok(false),
        }
    }

    fn span(&mut self, place: &Place) -> Result<Span, StoreError> {
        let span = |Known { first, newest, .. }| Span { first, newest };
        Ok(self.known(place)?.map_or(Span::EMPTY, span))
    }

    fn session(&mut self, author: Author) -> Result<Option<SessionRow>, StoreError> {
        let found = read::session(self.connection()?, author)?;
        Ok(found.filter(|row| self.is_known(row)))
    }

    fn conversations(
        &mut self,
        of: Author,
        most: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        Ok(read::conversations(self.connection()?, of, most)?)
    }

    fn remembered(&mut self, channels: usize, seen_within: Duration, now: Now) -> Remembered {
        self.observe(now);
        let within = seen_within.as_millis() as u64;
        let since = UnixMillis(self.clock.believed().0.saturating_sub(within));
        // It was read a moment ago, when it was opened.
        let read = self
            .connection()
            .and_then(|it| read::remembered(it, channels, since));
        read.unwrap_or_default()
    }

    fn maintain(&mut self, now: Now) -> Result<(), StoreError> {
        self.observe(now);
        if let Some(lost) = self.lost {
            let is_back = self.file.check(&self.epoch).is_ok();
            if is_back || now.mono.since(lost.since) >= RESTORE_AFTER {
                self.restore(now.unix).map_err(|why| {
                    let since = now.mono.after(RESTORE_AGAIN);
                    self.lost.iter_mut().for_each(|lost| lost.since = since);
                    StoreError(format!(
                        "its file {}; not restored: {why}",
                        lost.loss.sentence()
                    ))
                })?;
            }
        }
        self.check_file(now)?;
        let is_old = self.clock.believed().0.abs_diff(self.stored_time.0) >= STORE_TIME;
        if self.pruning.interval().is_none() && !is_old {
            return Ok(());
        }
        self.ready_to_write(now)?;
        let stored = if is_old { self.store_time() } else { Ok(()) };
        let done = stored.and_then(|()| self.prune(now.mono));
        done.map_err(|error| self.write_failed(&error, []))?;
        self.tend_log();
        Ok(())
    }

    fn next_maintenance(&self) -> Option<Duration> {
        match self.lost {
            Some(_) => Some(FILE_CHECK),
            None => Some(self.pruning.interval().unwrap_or(FILE_CHECK)),
        }
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
                self.write_failed(&error, []);
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
        }
    }
}

fn connect(
    file: &HistoryFile,
    settings: &Settings,
    wal_pages: &Arc<AtomicU32>,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&file.path, flags)?;
    // The event loop must not wait for another program's lock.
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let sync = match settings.sync {
        Sync::Full => "FULL",
        Sync::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", sync)?;
    connection.pragma_update(None, "journal_size_limit", (WAL_BYTES / 2) as i64)?;
    // The memory for reading and writing: 4,096 KiB.
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.set_prepared_statement_cache_capacity(32);
    // The first read makes the log.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let pages = wal_pages.clone();
    // The hook replaces SQLite's own checkpoints.
    connection.wal_hook(Some(
        move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
            pages.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        },
    ))?;
    Ok(connection)
}

/// Runs a checkpoint. Returns the pages in the log, and how many of them are in the file.
fn checkpoint(connection: &Connection, kind: &str) -> rusqlite::Result<(i64, i64)> {
    let checkpoint = format!("PRAGMA wal_checkpoint({kind})");
    connection.query_row(&checkpoint, [], |row| Ok((row.get(1)?, row.get(2)?)))
}

/// Returns whether it is unknown after this error what is on the disk.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    let harmless = [
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::DiskFull,
        ErrorCode::TooBig,
        ErrorCode::ConstraintViolation,
    ];
    error
        .sqlite_error_code()
        .is_none_or(|code| !harmless.contains(&code))
}

/// Says what happened, for a person.
pub(crate) fn sentence(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has locked it".to_owned()
        }
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::ReadOnly) => "it can't be written".to_owned(),
        Some(ErrorCode::CannotOpen) => {
            "it, or the files that SQLite keeps beside it, can't be opened for writing".to_owned()
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "it is damaged, or not a database".to_owned()
        }
        _ => error.to_string(),
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(sentence(&error))
    }
}

fn millis(stored: i64) -> UnixMillis {
    UnixMillis(u64::try_from(stored).unwrap_or(0))
}
