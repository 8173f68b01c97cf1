//! The history on disk: an SQLite database, of which this process is the only writer.
//!
//! * **One writer.** The file itself is locked (`flock`) as long as the server runs, which a second
//!   server sees; SQLite's own
//!   locks are others, so that readers are let in: a backup of the running server works.
//! * **One transaction a turn** (`commit.rs`), in a write-ahead log: `ack` survives the death of
//!   the process, and with
//!   `--sync full` that of the machine.
//! * **No waiting.** A lock of another program is an error at once. The log goes back into the file
//!   every 1,000 pages, by our
//!   own hand: what SQLite does by itself there hides its errors.
//! * **An `fsync` that failed may lie the second time**: the system may have dropped the pages that
//!   it could not write. So after
//!   an error of input or output nothing is stored until the database was opened anew and its log
//!   was put into the file; what
//!   the failed transaction may have left in the log was never told to anybody, and is taken out
//!   again.
//! * **A full disk** needs none of that: the transaction is undone, and the next one may have room.
//!
//! Not here: tables and versions (`schema.rs`), reading (`read.rs`), what is given up (`prune.rs`),
//! files to take away (`dump.rs`).

mod commit;
mod dump;
mod prune;
mod read;
mod schema;

pub use dump::{Export, Import};

use crate::history::{Author, Epoch, Place, Seq, SessionRow, Settings, StoreError, Sync};
use crate::limits::{WAL_BYTES, WAL_CHECKPOINT_PAGES};
use crate::time::UnixMillis;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Numbers that a start sets aside: no more sessions than that begin before the next one.
const AUTHORS_OF_A_START: u64 = 1 << 32;
/// Places whose numbers are kept in memory.
const KNOWN_PLACES: usize = 10_000;
/// SQLite's default: a page, and what stands before it in the log.
const PAGE_BYTES: u64 = 4_096 + 24;

/// A history on disk.
pub struct Sqlite {
    settings: Settings,
    /// `None`: it could not be opened anew after an error.
    connection: Option<Connection>,
    epoch: Epoch,
    newest_author: Author,
    places: HashMap<Place, Known>,
    /// The greatest `used` of a place.
    uses: u64,
    /// When the newest message was stored, and when anybody was seen last.
    newest_at: UnixMillis,
    newest_seen: UnixMillis,
    /// Nothing is stored before the database was opened anew.
    sick: bool,
    /// What a failed transaction may have left: messages above these.
    doubtful: Vec<(Place, Seq)>,
    /// Pages in the log, and at how many they go into the file.
    wal_pages: Arc<AtomicU32>,
    checkpoint_at: u32,
    pruning: prune::Pruning,
    commit_time: Option<Duration>,
    /// Holds the lock. Closed last, so the last field: to close a file drops all locks that the
    /// process has on it, SQLite's too.
    _file: File,
}

/// The numbers of a place that has a row.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: i64,
    first: Seq,
    newest: Seq,
    at: UnixMillis,
}

impl Sqlite {
    /// Opens a history, and makes it where there is none, with this epoch. The error is one line
    /// for whoever starts the server.
    pub fn open(settings: Settings, epoch: &str) -> Result<Self, String> {
        let path = settings.path.clone();
        let cant = |why: String| {
            format!(
                "can't use the history {}: {why}; name another with --history, or use --no-history",
                path.display()
            )
        };
        let file = claim(&path).map_err(cant)?;
        let wal_pages = Arc::new(AtomicU32::new(0));
        let connection = connect(&settings, &wal_pages).and_then(|mut connection| {
            schema::migrate(&mut connection, schema::STEPS, epoch)?;
            Ok(connection)
        });
        let connection = connection.map_err(|error| cant(sentence(&error)))?;
        let mut history = Self {
            settings,
            _file: file,
            connection: Some(connection),
            epoch: epoch.into(),
            newest_author: Author(0),
            places: HashMap::new(),
            uses: 0,
            newest_at: UnixMillis(0),
            newest_seen: UnixMillis(0),
            sick: false,
            doubtful: Vec::new(),
            wal_pages,
            checkpoint_at: WAL_CHECKPOINT_PAGES,
            pruning: prune::Pruning::default(),
            commit_time: None,
        };
        history.begin().map_err(|error| cant(sentence(&error)))?;
        Ok(history)
    }

    /// Returns the number of stored messages; a place's numbers have no gaps.
    pub fn messages(&self) -> u64 {
        let sum = "SELECT coalesce(sum(newest - first + 1), 0) FROM places";
        let connection = self.connection.as_ref();
        let count = connection.and_then(|it| it.query_row(sum, [], |row| row.get(0)).ok());
        count.unwrap_or(0_i64) as u64
    }

    /// Reads what is needed at once, and sets the start's author numbers aside: the first write,
    /// which shows that it can.
    fn begin(&mut self) -> rusqlite::Result<()> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let given: i64 =
            connection.query_row("SELECT authors FROM history", [], |row| row.get(0))?;
        let set_aside = given.saturating_add(AUTHORS_OF_A_START as i64);
        connection.execute("UPDATE history SET authors = ?1", [set_aside])?;
        connection.pragma_query(None, "wal_checkpoint", |_| Ok(()))?;
        let epoch: String =
            connection.query_row("SELECT epoch FROM history", [], |row| row.get(0))?;
        let newest = "SELECT used, at FROM places ORDER BY used DESC LIMIT 1";
        let newest = connection.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (uses, at): (i64, i64) = if_any(newest)?.unwrap_or_default();
        let seen: Option<i64> =
            connection.query_row("SELECT max(seen) FROM sessions", [], |row| row.get(0))?;
        self.epoch = epoch.into();
        self.newest_author = Author(given as u64);
        (self.uses, self.newest_at, self.newest_seen) =
            (uses as u64, millis(at), millis(seen.unwrap_or(0)));
        Ok(())
    }

    /// What reads. After an error of the disk it is opened anew.
    fn connection(&mut self) -> rusqlite::Result<&Connection> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.settings, &self.wal_pages)?);
        }
        match &self.connection {
            Some(connection) => Ok(connection),
            None => Err(rusqlite::Error::InvalidQuery),
        }
    }

    /// Before something is written: the database is well, and its log has room.
    fn ready_to_write(&mut self) -> Result<(), StoreError> {
        if self.sick {
            self.places.clear();
            self.recover().map_err(|error| {
                StoreError(format!(
                    "{}, and it could not be opened anew",
                    sentence(&error)
                ))
            })?;
            self.sick = false;
            self.doubtful.clear();
        }
        if self.wal_bytes() > WAL_BYTES * 3 / 4 {
            self.checkpoint();
            if self.wal_bytes() > WAL_BYTES * 3 / 4 {
                return Err(StoreError("its log is full, since another program has been reading the history for too long".to_owned()));
            }
        }
        Ok(())
    }

    fn wal_bytes(&self) -> u64 {
        u64::from(self.wal_pages.load(Ordering::Relaxed)) * PAGE_BYTES
    }

    /// Opens the database anew, has its log put into the file, and takes out what was never told to
    /// anybody.
    ///
    /// The old connection is let go when that has gone well. Else it goes on reading: a disk that
    /// takes nothing any more, not even
    /// the files that SQLite keeps beside the database, still gives back what is there.
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
        let (log, done): (i64, i64) =
            connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| {
                Ok((row.get(1)?, row.get(2)?))
            })?;
        if log != done {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                None,
            ));
        }
        let transaction = connection.unchecked_transaction()?;
        for (place, newest) in doubtful {
            if let Some(known) = read::known(&transaction, place)? {
                transaction.execute(
                    "DELETE FROM messages WHERE place = ?1 AND seq > ?2",
                    (known.id, newest.0 as i64),
                )?;
                transaction.execute(
                    "UPDATE places SET newest = ?2 WHERE id = ?1",
                    (known.id, newest.0 as i64),
                )?;
            }
        }
        transaction.commit()
    }

    /// Puts the log into the file once it has grown. Its errors count: they may be those of an
    /// `fsync`.
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
        let done = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        match done {
            // All of it is in the file: the next transaction begins the log anew, if nobody reads
            // in it.
            Ok((log, done)) if log == done => {
                self.wal_pages.store(0, Ordering::Relaxed);
                self.checkpoint_at = WAL_CHECKPOINT_PAGES;
            }
            Ok(_) => {}
            Err(error) => self.sick |= is_of_the_disk(&error),
        }
    }

    /// A transaction failed that may have reached the log.
    fn write_failed(
        &mut self,
        error: &rusqlite::Error,
        touched: impl IntoIterator<Item = (Place, Seq)>,
    ) -> StoreError {
        if is_of_the_disk(error) {
            self.sick = true;
            self.doubtful.extend(touched);
        }
        StoreError(sentence(error))
    }

    fn is_known_session(&self, row: &SessionRow) -> bool {
        let days = u64::from(self.settings.session_days) * crate::limits::DAY_MILLIS;
        row.seen.0.saturating_add(days) >= self.newest_seen.0
    }
}

/// Opens the file and locks it against another server. It is made for its owner alone.
fn claim(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    let mut file = file.map_err(|error| error.to_string())?;
    if !file
        .metadata()
        .map_err(|error| error.to_string())?
        .is_file()
    {
        return Err("it is no regular file".to_owned());
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err("another parlor uses it".to_owned()),
        Err(TryLockError::Error(error)) => return Err(format!("it can't be locked: {error}")),
    }
    let mut header = Vec::new();
    Read::take(&mut file, schema::HEADER_BYTES as u64)
        .read_to_end(&mut header)
        .map_err(|error| error.to_string())?;
    schema::check_header(&header)?;
    Ok(file)
}

fn connect(settings: &Settings, wal_pages: &Arc<AtomicU32>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&settings.path, flags)?;
    // Nobody on the loop waits for another program's lock.
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let sync = if settings.sync == Sync::Full {
        "FULL"
    } else {
        "NORMAL"
    };
    connection.pragma_update(None, "synchronous", sync)?;
    connection.pragma_update(None, "journal_size_limit", (WAL_BYTES / 2) as i64)?;
    // In KiB: what reading and writing keeps in memory.
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.set_prepared_statement_cache_capacity(32);
    let pages = wal_pages.clone();
    // A hook takes the place of SQLite's own checkpoints, and tells how long the log is.
    connection.wal_hook(Some(
        move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
            pages.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        },
    ))?;
    Ok(connection)
}

/// Whether after this error it is unknown what is on the disk. Not so where there was no room, or
/// another program was in the way.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    let fine = [
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::DiskFull,
        ErrorCode::TooBig,
        ErrorCode::ConstraintViolation,
    ];
    error
        .sqlite_error_code()
        .is_none_or(|code| !fine.contains(&code))
}

/// What happened, for a person.
fn sentence(error: &rusqlite::Error) -> String {
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

fn if_any<T>(found: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error),
    }
}

fn millis(stored: i64) -> UnixMillis {
    UnixMillis(u64::try_from(stored).unwrap_or(0))
}

type PlaceIds = BTreeSet<i64>;
