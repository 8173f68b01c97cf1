//! The file of a history: claims it for this process, makes a new one whole or not at all, and
//! notices when it is removed, replaced, moved or cut short while the server runs.

use super::connection::with_ending;
use super::{schema, scrub};
use crate::history::{Result, StoreError};
use crate::time::UnixMillis;
use rusqlite::Connection;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Identifies a file: its device and its inode.
type Identity = (u64, u64);

pub(super) struct HistoryFile {
    /// Absolute, so that SQLite takes no name (`:memory:`, `file:…`) for anything but a path.
    pub(super) path: PathBuf,
    /// Holds the lock. When it is closed, SQLite's own locks on the file go too, so it must outlive
    /// the connection.
    pub(super) file: File,
    identity: Identity,
    bytes: u64,
    /// Its time of modification, in seconds and nanoseconds.
    modified: (i64, i64),
    log: Option<Identity>,
}

impl HistoryFile {
    /// Opens a history and locks it against another server. If there is none, or an empty file, it
    /// is made with this epoch.
    pub(super) fn claim(path: &Path, epoch: &str) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let was_there = path.exists();
        let mut file = open_private(&path, false)?;
        // Other files are made beside it, and not beside a link to it.
        let path = fs::canonicalize(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(StoreError("it is no regular file".to_owned()));
        }
        lock(&file, &path)?;
        // The log of a file that was removed does not matter.
        let is_new = !was_there && metadata.len() == 0;
        if is_new || schema::is_empty(&file, &path)? {
            make(&path, epoch)?;
            file = open_private(&path, false)?;
            lock(&file, &path)?;
        }
        let mode = file.metadata()?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            log::warn!(
                "other users of this machine can read the history {path} (its mode is {mode:o}); \
                 to change that: chmod 600 {path}"
            );
        }
        Self::of(path, file)
    }

    fn of(path: PathBuf, file: File) -> Result<Self> {
        Ok(Self {
            path,
            identity: identity(&file.metadata()?),
            file,
            bytes: 0,
            modified: (0, 0),
            log: None,
        })
    }

    /// Notes which log the database has, once it is open. Does nothing if that is known: a log that
    /// was replaced is not the right one.
    pub(super) fn note_log(&mut self) {
        self.log = self.log.or_else(|| self.log());
    }

    fn log(&self) -> Option<Identity> {
        let metadata = fs::metadata(with_ending(&self.path, "-wal"));
        metadata.ok().as_ref().map(identity)
    }

    /// Checks that the path still leads to the open file and its log. The error completes "the
    /// history PATH …". Two system calls.
    pub(super) fn check(&mut self, epoch: &str) -> std::result::Result<(), &'static str> {
        let metadata = fs::metadata(&self.path).map_err(|_| "was removed or moved")?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        if identity(&metadata) != self.identity {
            return Err("was replaced by another file");
        }
        if metadata.len() < self.bytes {
            return Err("was truncated");
        }
        // Checkpoints write into it, those of other programs too.
        if modified != self.modified && !self.holds(epoch) {
            return Err("was overwritten by another program");
        }
        (self.bytes, self.modified) = (metadata.len(), modified);
        match self.log() == self.log {
            true => Ok(()),
            false => Err("lost its write-ahead log"),
        }
    }

    /// Returns whether the file became shorter. Pages of its log would make it look whole.
    pub(super) fn is_truncated(&self) -> bool {
        let metadata = self.file.metadata();
        metadata.is_ok_and(|metadata| metadata.len() < self.bytes)
    }

    /// Returns whether the file holds this epoch, which is on one of its first pages.
    pub(super) fn holds(&self, epoch: &str) -> bool {
        let mut start = vec![0; 64 << 10];
        let count = self.file.read_at(&mut start, 0).unwrap_or(0);
        let mut texts = start[..count].windows(epoch.len());
        texts.any(|text| text == epoch.as_bytes())
    }

    /// Copies the database as `connection` sees it into a new file beside it.
    pub(super) fn copy(&self, connection: &Connection) -> Result<PathBuf> {
        let copy = with_ending(&self.path, ".restored");
        let _ = fs::remove_file(&copy);
        let made = open_private(&copy, true)?;
        let copied = connection.execute("VACUUM INTO ?1", [copy.to_str()]);
        let copied = copied.map_err(StoreError::from).and_then(|_| {
            scrub::clean(&made, 1..=u32::MAX)?;
            Ok(made.sync_all()?)
        });
        if copied.is_err() {
            let _ = fs::remove_file(&copy);
        }
        copied.map(|()| copy)
    }

    /// Gives a copy the name of the database, and takes it for the database from now on. Another
    /// file that has the name is renamed.
    pub(super) fn take_over(&mut self, copy: &Path, now: UnixMillis) -> Result<()> {
        if let Ok(other) = File::open(&self.path)
            && identity(&other.metadata()?) != self.identity
        {
            lock(&other, &self.path)?;
            let aside = with_ending(&self.path, &format!(".replaced-{}", now.0 / 1_000));
            fs::rename(&self.path, &aside)?;
            log::warn!("the file in its place is now {}", aside.display());
        }
        remove_logs(&self.path);
        fs::rename(copy, &self.path)?;
        let file = open_private(&self.path, false)?;
        lock(&file, &self.path)?;
        *self = Self::of(self.path.clone(), file)?;
        Ok(())
    }
}

/// Opens a file for its owner alone. If there is none, it is made; with `is_new`, there must be
/// none.
pub(crate) fn open_private(path: &Path, is_new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options.create_new(is_new).open(path)
}

/// Locks a file against other servers.
fn lock(file: &File, path: &Path) -> Result<()> {
    let is_replaced =
        || Ok::<_, io::Error>(identity(&fs::metadata(path)?) != identity(&file.metadata()?));
    match file.try_lock() {
        Err(TryLockError::Error(error)) => Err(StoreError(format!("it can't be locked: {error}"))),
        // Another server may have made the history in the meantime.
        Ok(()) if !is_replaced()? => Ok(()),
        _ => Err(StoreError("another parlor uses it".to_owned())),
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn remove_logs(path: &Path) {
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(with_ending(path, ending));
    }
}

/// Makes a new history under another name and then gives it the right one, so that a start that is
/// cut short leaves nothing but the empty file, which is locked meanwhile.
fn make(path: &Path, epoch: &str) -> Result<()> {
    let making = with_ending(path, ".new");
    // A start that was cut short may have left it.
    let _ = fs::remove_file(&making);
    let made = open_private(&making, true)?;
    let fill = || -> Result<()> {
        let connection = schema::create(&making, epoch)?;
        connection.close().map_err(|(_, error)| error)?;
        made.sync_all()?;
        // The log of a history that was removed would be taken for the new one's.
        remove_logs(path);
        Ok(fs::rename(&making, path)?)
    };
    fill().inspect_err(|_| _ = fs::remove_file(&making))
}
