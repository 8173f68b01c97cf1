//! The write-ahead log: how long it is, and which pages have to be cleaned.
//!
//! Another program, such as Litestream, may run checkpoints and restart the log. So the numbers of
//! the pages are read after each of our own commits, and not when our own checkpoint is due.

use super::file::with_ending;
use super::scrub::PAGE;
use crate::limits::WAL_CHECKPOINT_PAGES;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes of a page in the log, with its header (<https://sqlite.org/walformat.html>).
const FRAME: u64 = 24 + PAGE as u64;
/// The bytes of the log's header.
const HEADER: u64 = 32;

/// A log that its connection's hook also writes to.
#[derive(Clone, Default)]
pub(super) struct SharedLog(Arc<Mutex<Log>>);

/// What our own commits wrote into the log.
#[derive(Default)]
pub(super) struct Log {
    file: Option<File>,
    /// Changes when the log is restarted.
    salt: [u8; 8],
    /// The pages in the log after the last commit. Those up to `noted` are in `written`.
    pages: u32,
    noted: u32,
    /// The number of pages at which a checkpoint is due.
    checkpoint_at: u32,
    /// The numbers of the pages in the log.
    written: BTreeSet<u32>,
    /// Those of earlier logs. A log is only restarted when all of it is in the file.
    in_file: BTreeSet<u32>,
}

impl SharedLog {
    pub(super) fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the log of a database that was just opened, and notes all of its pages.
    pub(super) fn open(&self, database: &Path) {
        let mut log = self.lock();
        log.file = File::open(with_ending(database, "-wal")).ok();
        (log.salt, log.noted, log.pages) = ([0; 8], 0, 0);
        let bytes = log.file.as_ref().and_then(|file| file.metadata().ok());
        let bytes = bytes.map_or(0, |about| about.len());
        let _ = log.read(u32::try_from(bytes.saturating_sub(HEADER) / FRAME).unwrap_or(0));
    }

    /// Notes a commit after which the log has this number of pages.
    pub(super) fn note(&self, pages: u32) {
        let mut log = self.lock();
        log.pages = pages;
        // What can't be read now is noted with the next commit.
        let _ = log.read(pages);
    }
}

impl Log {
    /// Returns whether enough was written since the last checkpoint for another one.
    pub(super) fn is_due(&self) -> bool {
        self.pages >= self.checkpoint_at
    }

    /// Notes a checkpoint that found this number of pages, and whether all are in the file now.
    pub(super) fn checked(&mut self, pages: i64, is_done: bool) {
        let pages = u32::try_from(pages).unwrap_or(0);
        // Another program may have restarted the log.
        let _ = self.read(0);
        self.checkpoint_at = pages + WAL_CHECKPOINT_PAGES;
        // The next transaction restarts the log, unless a program reads in it.
        self.pages = if is_done { 0 } else { pages };
    }

    /// Returns the size of the log after the last commit, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.pages) * FRAME
    }

    /// Takes the pages that are in the file, to be cleaned. `is_done` says whether all of the log
    /// is in it.
    pub(super) fn take_in_file(&mut self, is_done: bool) -> BTreeSet<u32> {
        if is_done {
            self.in_file.append(&mut self.written);
        }
        std::mem::take(&mut self.in_file)
    }

    /// Puts back pages that could not be cleaned.
    pub(super) fn put_back(&mut self, pages: BTreeSet<u32>) {
        self.in_file.extend(pages);
    }

    fn read(&mut self, pages: u32) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut salt = [0; 8];
        file.read_exact_at(&mut salt, 16)?;
        if salt != self.salt {
            (self.salt, self.noted, self.checkpoint_at) = (salt, 0, WAL_CHECKPOINT_PAGES);
            self.in_file.append(&mut self.written);
        }
        let mut number = [0; 4];
        for page in self.noted..pages {
            file.read_exact_at(&mut number, HEADER + u64::from(page) * FRAME)?;
            self.written.insert(u32::from_be_bytes(number));
            self.noted = page + 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Sync;
    use crate::history::sqlite::connection::connect;
    use rusqlite::Connection;

    #[test]
    fn pages_are_cleaned_after_another_program_restarts_the_log() {
        let path = std::env::temp_dir().join(format!("parlor-wal-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let log = SharedLog::default();
        let own = connect(&path, Sync::Normal, &log).unwrap();
        own.execute_batch("CREATE TABLE t (n)").unwrap();
        own.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        log.lock().checked(3, false);
        assert_eq!(log.lock().take_in_file(false), BTreeSet::new());
        let other = Connection::open(&path).unwrap();
        other
            .execute_batch("PRAGMA wal_checkpoint; CREATE TABLE other (n)")
            .unwrap();
        log.lock().checked(2, false);
        assert_eq!(log.lock().take_in_file(false), [1, 2].into());
        own.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        let in_log: BTreeSet<u32> = [1, 2, 3].into();
        assert_eq!(log.lock().take_in_file(true), in_log);
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_ending(&path, ending));
        }
    }
}
