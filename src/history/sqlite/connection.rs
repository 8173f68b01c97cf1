//! The connection to the database: how it is opened, its checkpoints, and what its errors mean.

use crate::history::{StoreError, Sync};
use crate::limits::WAL_KEPT_BYTES;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Result, Row};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Opens the database for reading and writing.
pub(super) fn connect(path: &Path, sync: Sync) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // The event loop must not wait for another program's lock.
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // SQLite's own checkpoints would hide their errors.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    let sync = match sync {
        Sync::Full => "FULL",
        Sync::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", sync)?;
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES as i64)?;
    // The memory for reading and writing: 4,096 KiB.
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.set_prepared_statement_cache_capacity(32);
    // The first read makes the log.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Runs a statement, which stays prepared.
pub(crate) fn execute(connection: &Connection, sql: &str, values: impl Params) -> Result<usize> {
    connection.prepare_cached(sql)?.execute(values)
}

/// Returns the first row of a query, which stays prepared.
pub(crate) fn select_one<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    row: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    connection
        .prepare_cached(sql)?
        .query_row(values, row)
        .optional()
}

/// Returns all rows of a query, which stays prepared.
pub(crate) fn select_all<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    row: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    connection
        .prepare_cached(sql)?
        .query_map(values, row)?
        .collect()
}

/// Returns the path of a file beside another one.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Runs a checkpoint. Returns the number of pages in the log, and how many of them are in the file.
/// Fails while another program runs one.
pub(super) fn checkpoint(connection: &Connection, kind: &str) -> Result<(i64, i64)> {
    let checkpoint = format!("PRAGMA wal_checkpoint({kind})");
    connection.query_row(&checkpoint, [], |row| {
        let (is_busy, log, done): (bool, i64, i64) = row.try_into()?;
        match is_busy && log < 0 {
            true => Err(busy()),
            false => Ok((log, done)),
        }
    })
}

/// Returns SQLite's error for a database that another program has locked.
pub(super) fn busy() -> rusqlite::Error {
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(busy, None)
}

/// Returns whether the error is the lock of another program.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// Returns whether the content of the disk is unknown after this error.
pub(super) fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use ErrorCode::*;
    !matches!(
        error.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked | DiskFull | TooBig | ConstraintViolation)
    )
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode::*;
        let text = match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => "another program has locked it",
            Some(DiskFull) => "the disk is full",
            Some(ReadOnly) => "it can't be written",
            Some(CannotOpen) => {
                "it, or the files that SQLite keeps beside it, can't be opened for writing"
            }
            Some(NotADatabase | DatabaseCorrupt) => "it is damaged, or not a database",
            _ => return Self(error.to_string()),
        };
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        static SECOND: RefCell<Option<(Connection, Option<ErrorCode>)>> = RefCell::default();
    }

    #[test]
    fn checkpoint_beside_that_of_another_is_busy() {
        let path = std::env::temp_dir().join(format!("parlor-checkpoint-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let open = || connect(&path, Sync::Normal).unwrap();
        let (mut first, reader) = (open(), Connection::open(&path).unwrap());
        first.execute_batch("CREATE TABLE t (n)").unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM t")
            .unwrap();
        first.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        SECOND.set(Some((open(), None)));
        // While the first checkpoint waits for the reader, the second connection tries one.
        let wait = |_| {
            SECOND.with_borrow_mut(|second| {
                let (second, error) = second.as_mut().unwrap();
                let tried = checkpoint(second, "PASSIVE");
                *error = tried.err().and_then(|it| it.sqlite_error_code());
            });
            false
        };
        first.busy_handler(Some(wait)).unwrap();
        let (log, done) = checkpoint(&first, "FULL").unwrap();
        assert!(done < log, "{done} of {log}");
        let (_, error) = SECOND.take().unwrap();
        assert_eq!(error, Some(ErrorCode::DatabaseBusy));
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
    }
}
