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
    /// The pages in the log after our last commit.
    pages: u32,
    /// Its pages up to the last commit of any program: all are in `written`.
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
        (log.salt, log.noted) = ([0; 8], 0);
        log.look();
        log.pages = log.noted;
    }

    /// Notes a commit after which the log has this number of pages.
    pub(super) fn note(&self, pages: u32) {
        let mut log = self.lock();
        log.pages = pages;
        log.look();
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
        self.checkpoint_at = pages + WAL_CHECKPOINT_PAGES;
        // The next transaction restarts the log, unless a program reads in it.
        self.pages = if is_done { 0 } else { pages };
    }

    /// Returns the size of the log after the last commit, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.pages) * FRAME
    }

    /// Takes the pages that can be cleaned in the file, while no program can write. `is_done` says
    /// whether a checkpoint, begun after the last look, has put all of the log into the file. If
    /// not, another program may be doing so: the pages of this log stay.
    pub(super) fn take_in_file(&mut self, is_done: bool) -> BTreeSet<u32> {
        let before = (self.salt, self.noted);
        self.look();
        if is_done && before == (self.salt, self.noted) {
            self.in_file.append(&mut self.written);
        }
        let is_in_log = |page: &u32| self.written.contains(page);
        let (stay, taken) = std::mem::take(&mut self.in_file)
            .into_iter()
            .partition(is_in_log);
        self.in_file = stay;
        taken
    }

    /// Returns whether no page has to be cleaned.
    pub(super) fn is_clean(&self) -> bool {
        self.in_file.is_empty() && self.written.is_empty()
    }

    /// Puts back pages that could not be cleaned.
    pub(super) fn put_back(&mut self, pages: BTreeSet<u32>) {
        self.in_file.extend(pages);
    }

    /// Notes what was written since the last look. What can't be read now is noted by the next one.
    pub(super) fn look(&mut self) {
        let _ = self.read();
    }

    fn read(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut salt = [0; 8];
        file.read_exact_at(&mut salt, 16)?;
        if salt != self.salt {
            (self.salt, self.noted, self.checkpoint_at) = (salt, 0, WAL_CHECKPOINT_PAGES);
            self.in_file.append(&mut self.written);
        }
        // The number of the page, whether it ends a transaction, and the salt: behind the log is
        // what was left of longer ones.
        let mut header = [0; 16];
        for frame in self.noted.. {
            file.read_exact_at(&mut header, HEADER + u64::from(frame) * FRAME)?;
            let [a, b, c, d, is_last @ .., _, _, _, _, _, _, _, _] = header;
            if header[8..] != salt {
                break;
            }
            self.written.insert(u32::from_be_bytes([a, b, c, d]));
            if is_last != [0; 4] {
                self.noted = frame + 1;
            }
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
    use std::path::PathBuf;

    /// Opens a new database, and its log.
    fn database(name: &str) -> (PathBuf, SharedLog, Connection) {
        let path = std::env::temp_dir().join(format!("parlor-{name}-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let log = SharedLog::default();
        let own = connect(&path, Sync::Normal, &log).unwrap();
        own.execute_batch("CREATE TABLE t (n)").unwrap();
        own.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        (path, log, own)
    }

    fn remove(path: &Path) {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_ending(path, ending));
        }
    }

    #[test]
    fn pages_are_cleaned_after_another_program_restarts_the_log() {
        let (path, log, own) = database("restarted");
        log.lock().checked(3, false);
        assert_eq!(log.lock().take_in_file(false), BTreeSet::new());
        let other = Connection::open(&path).unwrap();
        other
            .execute_batch("PRAGMA wal_checkpoint; CREATE TABLE other (n)")
            .unwrap();
        log.lock().checked(2, false);
        // Page 1 is in the new log, and a checkpoint of the other program may write it now.
        assert_eq!(log.lock().take_in_file(false), [2].into());
        assert_eq!(log.lock().take_in_file(true), [1, 3].into());
        own.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        other.execute_batch("INSERT INTO other VALUES (1)").unwrap();
        // The other program wrote after our look.
        assert_eq!(log.lock().take_in_file(true), BTreeSet::new());
        assert_eq!(log.lock().take_in_file(true), [2, 3].into());
        assert!(log.lock().is_clean());
        remove(&path);
    }

    #[test]
    fn pages_are_noted_before_the_rest_of_a_longer_log() {
        let (path, _, own) = database("longer");
        own.execute_batch("PRAGMA wal_checkpoint; UPDATE t SET n = 2")
            .unwrap();
        // As a killed server leaves it, while another program reads.
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        drop(own);
        let log = SharedLog::default();
        let own = connect(&path, Sync::Normal, &log).unwrap();
        assert_eq!(log.lock().take_in_file(true), [2].into());
        own.execute_batch("CREATE TABLE more (n)").unwrap();
        assert_eq!(log.lock().take_in_file(true), [1, 3].into());
        remove(&path);
    }
}
