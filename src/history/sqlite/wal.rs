//! The write-ahead log: how long it is, and which pages have to be cleaned of deleted texts.
//!
//! Another program, such as Litestream, may run checkpoints and restart the log. So the numbers of
//! the pages are read after each of our own commits, and not when our own checkpoint is due.

use super::connection::with_ending;
use super::scrub::{self, PAGE};
use crate::limits::WAL_CHECKPOINT_PAGES;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The bytes of a page in the log, with its header (<https://sqlite.org/walformat.html>).
const FRAME: u64 = 24 + PAGE as u64;
/// The bytes of the log's header.
const HEADER: u64 = 32;

/// What was written into the log.
#[derive(Default)]
pub(super) struct Log {
    file: Option<File>,
    /// Changes when the log is restarted.
    salt: [u8; 8],
    /// Its pages up to the last commit of any program: all are in `written`.
    pages: u32,
    /// The value of `pages` when all of them were in the database.
    done: u32,
    /// The number of pages at which a checkpoint is due.
    checkpoint_at: u32,
    /// The numbers of the pages in the log.
    written: BTreeSet<u32>,
    /// Those of earlier logs. A log is restarted only when all its pages are in the database.
    pub(super) in_file: BTreeSet<u32>,
}

impl Log {
    /// Opens the log of a database that was just opened, and notes all of its pages.
    pub(super) fn open(&mut self, database: &Path) {
        self.file = File::open(with_ending(database, "-wal")).ok();
        self.salt = [0; 8];
        self.update();
    }

    /// Returns whether enough was written since the last checkpoint for another one.
    pub(super) fn is_due(&self) -> bool {
        self.pages != self.done && self.pages >= self.checkpoint_at
    }

    /// Notes a checkpoint, and whether all pages are in the file now. If so the next transaction
    /// restarts the log, unless a program reads in it.
    pub(super) fn checked(&mut self, is_done: bool) {
        self.checkpoint_at = self.pages + WAL_CHECKPOINT_PAGES;
        if is_done {
            self.done = self.pages;
        }
    }

    /// Returns the size of the log after the last commit, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        match self.pages == self.done {
            true => 0,
            false => u64::from(self.pages) * FRAME,
        }
    }

    /// Cleans the written pages in the database, while no program can write. `is_done` says whether
    /// a checkpoint, begun after the last update, has put all of the log into the file. If not,
    /// another program may be doing so: the pages of this log stay.
    pub(super) fn clean(&mut self, database: &File, is_done: bool) -> io::Result<()> {
        let before = (self.salt, self.pages);
        self.update();
        if is_done && before == (self.salt, self.pages) {
            self.in_file.append(&mut self.written);
        }
        scrub::clean(database, self.in_file.difference(&self.written).copied())?;
        self.in_file.retain(|page| self.written.contains(page));
        Ok(())
    }

    /// Returns whether no page has to be cleaned.
    pub(super) fn is_clean(&self) -> bool {
        self.in_file.is_empty() && self.written.is_empty()
    }

    /// Reads which pages were written since the last update. The next update reads those that can't
    /// be read now.
    pub(super) fn update(&mut self) {
        let _ = self.read();
    }

    fn read(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut salt = [0; 8];
        file.read_exact_at(&mut salt, 16)?;
        if salt != self.salt {
            (self.salt, self.pages, self.done) = (salt, 0, 0);
            self.checkpoint_at = WAL_CHECKPOINT_PAGES;
            self.in_file.append(&mut self.written);
        }
        // The number of the page, whether it ends a transaction, and the salt: behind the log is
        // what was left of longer ones.
        let mut header = [0; 16];
        for frame in self.pages.. {
            file.read_exact_at(&mut header, HEADER + u64::from(frame) * FRAME)?;
            let [a, b, c, d, is_last @ .., _, _, _, _, _, _, _, _] = header;
            if header[8..] != salt {
                break;
            }
            self.written.insert(u32::from_be_bytes([a, b, c, d]));
            if is_last != [0; 4] {
                self.pages = frame + 1;
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
    fn database(name: &str) -> (PathBuf, Log, Connection) {
        let path = std::env::temp_dir().join(format!("parlor-{name}-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let (own, mut log) = (connect(&path, Sync::Normal).unwrap(), Log::default());
        log.open(&path);
        own.execute_batch("CREATE TABLE t (n)").unwrap();
        own.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        log.update();
        (path, log, own)
    }

    /// Returns the numbers of the pages that are cleaned.
    fn clean(path: &Path, log: &mut Log, is_done: bool) -> Vec<u32> {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let before = &log.in_file | &log.written;
        log.clean(&file, is_done).unwrap();
        let after = &log.in_file | &log.written;
        (&before - &after).into_iter().collect()
    }

    fn remove(path: &Path) {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_ending(path, ending));
        }
    }

    #[test]
    fn pages_are_cleaned_after_another_program_restarts_the_log() {
        let (path, mut log, own) = database("restarted");
        assert_eq!(clean(&path, &mut log, false), [0; 0]);
        let other = Connection::open(&path).unwrap();
        other
            .execute_batch("PRAGMA wal_checkpoint; CREATE TABLE other (n)")
            .unwrap();
        // Page 1 is in the new log, and a checkpoint of the other program may write it now.
        assert_eq!(clean(&path, &mut log, false), [2]);
        assert_eq!(clean(&path, &mut log, true), [1, 3]);
        own.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        log.update();
        other.execute_batch("INSERT INTO other VALUES (1)").unwrap();
        // The other program wrote after our update.
        assert_eq!(clean(&path, &mut log, true), [0; 0]);
        assert_eq!(clean(&path, &mut log, true), [2, 3]);
        assert!(log.is_clean());
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
        let (own, mut log) = (connect(&path, Sync::Normal).unwrap(), Log::default());
        log.open(&path);
        assert_eq!(clean(&path, &mut log, true), [2]);
        own.execute_batch("CREATE TABLE more (n)").unwrap();
        log.update();
        assert_eq!(clean(&path, &mut log, true), [1, 3]);
        remove(&path);
    }
}
