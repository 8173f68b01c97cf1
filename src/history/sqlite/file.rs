//! The file of a history: claims it for this process, makes a new one whole or not at all, and
//! notices when it is removed, replaced, moved or cut short while the server runs.

use super::schema::{HEADER_BYTES, Kind, STEPS, inspect, migrate};
use super::scrub;
use crate::history::{Result, StoreError};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Identifies a file: its device and its inode.
type Identity = (u64, u64);

pub(super) struct HistoryFile {
    /// Absolute, so that SQLite takes no name (`:memory:`, `file:…`) for anything but a path.
    pub(super) path: PathBuf,
    /// Holds the lock. When it is closed, SQLite's own locks on the file go too, so it must outlive
    /// the connection.
    file: File,
    identity: Identity,
    bytes: u64,
    /// Its time of modification, in seconds and nanoseconds.
    modified: (i64, i64),
    log: Option<Identity>,
}

/// Why a file can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing has its name.
    Removed,
    /// Another file has its name.
    Replaced,
    /// It is shorter than it was.
    CutShort,
    /// Another program wrote into it.
    Overwritten,
    /// Its write-ahead log was removed or replaced.
    WithoutLog,
}

impl Loss {
    /// Completes "the history PATH …".
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Removed => "was removed or moved",
            Self::Replaced => "was replaced by another file",
            Self::CutShort => "was truncated",
            Self::Overwritten => "was overwritten by another program",
            Self::WithoutLog => "lost its write-ahead log",
        }
    }
}

impl HistoryFile {
    /// Opens a history and locks it against another server. If there is none, or an unfinished
    /// one, it is made with this epoch.
    pub(super) fn claim(path: &Path, epoch: &str) -> Result<Self> {
        let path = resolve(path)?;
        match open(&path, false) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(&path, epoch, |making, path| fs::hard_link(making, path))?;
            }
            Ok(file) if !file.metadata()?.is_file() => {
                return Err(StoreError("it is no regular file".to_owned()));
            }
            opened => {
                let file = opened?;
                lock(&file)?;
                if inspect_file(&file, &path)? == Kind::History {
                    return Self::of(path, file);
                }
                make(&path, epoch, |making, path| fs::rename(making, path))?;
            }
        }
        let file = open(&path, false)?;
        lock(&file)?;
        inspect_file(&file, &path)?;
        Self::of(path, file)
    }

    fn of(path: PathBuf, file: File) -> Result<Self> {
        let about = file.metadata()?;
        if about.mode() & 0o077 != 0 {
            let (path, mode) = (path.display(), about.mode() & 0o777);
            log::warn!(
                "other users of this machine can read the history {path} (its mode is {mode:o}); \
                 to change that: chmod 600 {path}"
            );
        }
        let identity = identity(&about);
        Ok(Self {
            path,
            file,
            identity,
            bytes: 0,
            modified: (0, 0),
            log: None,
        })
    }

    fn log(&self) -> Option<Identity> {
        let about = fs::metadata(with_ending(&self.path, "-wal"));
        about.ok().as_ref().map(identity)
    }

    /// Takes the files as they are now for the right ones: after our own writes to the database.
    pub(super) fn note(&mut self) {
        let about = fs::metadata(&self.path).ok();
        if let Some(about) = about.filter(|about| identity(about) == self.identity) {
            (self.bytes, self.modified) = (about.len(), modified(&about));
        }
        // Only once: a log that was replaced between two checks is not the right one.
        self.log = self.log.or_else(|| self.log());
    }

    /// Checks that the path still leads to the open file and its log. Two system calls.
    pub(super) fn check(&mut self, epoch: &str) -> std::result::Result<(), Loss> {
        let about = fs::metadata(&self.path).map_err(|_| Loss::Removed)?;
        if identity(&about) != self.identity {
            return Err(Loss::Replaced);
        }
        if about.len() < self.bytes {
            return Err(Loss::CutShort);
        }
        if modified(&about) != self.modified && !holds(&self.file, epoch) {
            return Err(Loss::Overwritten);
        }
        // Another program may have run a checkpoint.
        (self.bytes, self.modified) = (about.len(), modified(&about));
        match self.log() == self.log {
            true => Ok(()),
            false => Err(Loss::WithoutLog),
        }
    }

    /// Lets `clean` remove the remains of deleted texts from the file. Meanwhile other programs
    /// can't write into the log, but they can put what is in it into the file.
    pub(super) fn clean(
        &self,
        connection: &Connection,
        clean: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<()> {
        let lock = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        clean(&self.file)?;
        drop(lock);
        // SQLite's cached pages are not clean, and it would write them into the file again.
        Ok(connection.execute_batch("PRAGMA shrink_memory")?)
    }

    /// Returns whether the open file has no path left.
    pub(super) fn is_deleted(&self) -> bool {
        self.file.metadata().is_ok_and(|about| about.nlink() == 0)
    }

    /// Copies the database as `connection` sees it into a new file beside it.
    pub(super) fn copy(&self, connection: &Connection, ending: &str) -> Result<PathBuf> {
        let copy = with_ending(&self.path, ending);
        let _ = fs::remove_file(&copy);
        let made = open(&copy, true)?;
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

    /// Gives a copy the name of the database, and takes it for the database from now on.
    pub(super) fn take_over(&mut self, copy: &Path) -> Result<()> {
        self.remove_logs();
        match fs::metadata(&self.path) {
            Ok(about) if identity(&about) == self.identity => fs::rename(copy, &self.path)?,
            _ => fs::hard_link(copy, &self.path).and_then(|()| fs::remove_file(copy))?,
        }
        let file = open(&self.path, false)?;
        lock(&file)?;
        *self = Self::of(self.path.clone(), file)?;
        Ok(())
    }

    /// Removes the files that SQLite keeps beside the database.
    pub(super) fn remove_logs(&mut self) {
        remove_logs(&self.path);
        self.log = None;
    }
}

/// Returns whether a file holds the history of this epoch, which is on one of its first pages.
pub(super) fn holds(file: &File, epoch: &str) -> bool {
    let mut start = vec![0; 64 << 10];
    let count = file.read_at(&mut start, 0).unwrap_or(0);
    let mut texts = start[..count].windows(epoch.len());
    texts.any(|text| text == epoch.as_bytes())
}

/// Returns the absolute path, with links resolved.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    fs::canonicalize(&path).or_else(|_| match fs::read_link(&path) {
        Ok(target) => Ok(path.parent().unwrap_or(&path).join(target)),
        Err(_) => Ok(path),
    })
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create_new(create)
        .mode(0o600)
        .open(path)
}

fn lock(file: &File) -> Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError("another parlor uses it".to_owned()),
        TryLockError::Error(error) => StoreError(format!("it can't be locked: {error}")),
    })
}

fn modified(about: &Metadata) -> (i64, i64) {
    (about.mtime(), about.mtime_nsec())
}

fn identity(about: &Metadata) -> Identity {
    (about.dev(), about.ino())
}

fn inspect_file(file: &File, path: &Path) -> Result<Kind> {
    let read = |file: &File| {
        let mut bytes = [0; HEADER_BYTES];
        let count = file.read_at(&mut bytes, 0)?;
        Ok::<_, io::Error>(bytes[..count].to_vec())
    };
    let log = File::open(with_ending(path, "-wal")).and_then(|log| read(&log));
    inspect(&read(file)?, &log.unwrap_or_default()).map_err(StoreError)
}

fn remove_logs(path: &Path) {
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(with_ending(path, ending));
    }
}

/// Makes a new history under another name and then gives it the right one, so that a start that is
/// cut short leaves nothing under that name.
fn make(
    path: &Path,
    epoch: &str,
    publish: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<()> {
    let making = with_ending(path, ".new");
    if let Ok(file) = open(&making, false) {
        // A start that was cut short left it, unless another one is at work.
        lock(&file)?;
        fs::remove_file(&making)?;
    }
    let file = open(&making, true)?;
    lock(&file)?;
    let fill = || -> Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut connection = Connection::open_with_flags(&making, flags)?;
        connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
        migrate(&mut connection, STEPS, epoch)?;
        connection.close().map_err(|(_, error)| error)?;
        file.sync_all()?;
        // The log of a history that was removed would be taken for the new one's.
        remove_logs(path);
        Ok(publish(&making, path)?)
    };
    let made = fill();
    // After a rename it is gone already.
    let _ = fs::remove_file(&making);
    made
}

pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
