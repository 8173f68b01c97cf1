//! The tables of a history on disk, their versions, and which files are refused.
//!
//! A file is inspected before SQLite opens it, because SQLite would make files beside it even if it
//! belongs to another program.

use super::connection::with_ending;
use crate::history::{self, StoreError};
use rusqlite::{Connection, OpenFlags, Result, TransactionBehavior};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// `parl`: the application id in the header (<https://sqlite.org/fileformat2.html>).
const APPLICATION: i32 = 0x7061_726c;

/// The steps from an empty file to the newest schema. The version of a file is the number of steps
/// taken; steps are only ever added.
pub(crate) const STEPS: &[&str] = &[
    "
    -- One row. `authors`: numbers up to this one may have been given.
    CREATE TABLE history (epoch TEXT NOT NULL, authors INTEGER NOT NULL) STRICT;
    -- Channels (`name`) and conversations (`one`, `other`, the smaller number first). `first`: the
    -- oldest message that is kept (`newest` + 1: none). `first_at`, `at`: the age stamps of the
    -- oldest and the newest one. `used` counts messages of all places: greater was used later.
    CREATE TABLE places (
        id INTEGER PRIMARY KEY, name TEXT UNIQUE, one INTEGER, other INTEGER,
        first INTEGER NOT NULL, newest INTEGER NOT NULL,
        first_at INTEGER, at INTEGER NOT NULL, used INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX conversations ON places (one, other) WHERE name IS NULL;
    CREATE INDEX conversations_of_one ON places (one, used) WHERE name IS NULL;
    CREATE INDEX conversations_of_other ON places (other, used) WHERE name IS NULL;
    CREATE INDEX channels_by_use ON places (used) WHERE name IS NOT NULL;
    CREATE INDEX places_by_use ON places (used);
    CREATE INDEX places_by_age ON places (first_at) WHERE first_at IS NOT NULL;
    CREATE TABLE messages (
        place INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        author INTEGER NOT NULL, sender TEXT NOT NULL, recipient TEXT, text TEXT NOT NULL,
        action INTEGER NOT NULL, nonce TEXT,
        PRIMARY KEY (place, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX nonces ON messages (place, author, nonce, seq) WHERE nonce IS NOT NULL;
    -- `secret` is a hash, `seen` an age stamp. `quit`: it left by itself.
    CREATE TABLE sessions (
        author INTEGER PRIMARY KEY, secret BLOB NOT NULL, name TEXT NOT NULL,
        seen INTEGER NOT NULL, quit INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX sessions_by_seen ON sessions (seen);
",
    "
    -- The time that was believed when the history was last used.
    ALTER TABLE history ADD COLUMN believed INTEGER NOT NULL DEFAULT 0;
    -- The time by which a message's age is judged, if that is not `at`.
    ALTER TABLE messages ADD COLUMN stamp INTEGER;
    -- Nonces of messages that were pruned within a day.
    CREATE TABLE pruned_nonces (
        id INTEGER PRIMARY KEY, place INTEGER NOT NULL, author INTEGER NOT NULL,
        nonce TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, stamp INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX pruned_nonces_by_text ON pruned_nonces (place, author, nonce);
",
    "
    -- Whether an owner sent it.
    ALTER TABLE messages ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
",
    "
    -- The decisions of owners. `door`: new sessions are let in.
    ALTER TABLE history ADD COLUMN door INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE sanctions (
        author INTEGER PRIMARY KEY, name TEXT NOT NULL,
        muted_until INTEGER NOT NULL, kicked_until INTEGER NOT NULL
    ) STRICT;
    -- `writing`: 0: all; -1: owners; else the seconds between two messages of a user. `removed`: by
    -- an owner, with no message since. `cleared`: messages below `first` are yet to be deleted.
    ALTER TABLE places ADD COLUMN writing INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE places ADD COLUMN pinned INTEGER;
    ALTER TABLE places ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE places ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX places_cleared ON places (id) WHERE cleared;
    -- A hash of the password with which it got in.
    ALTER TABLE sessions ADD COLUMN password BLOB;
",
    "
    -- 0: a message, 1: an edit, 2: a deletion, 3: a reaction, 4: its withdrawal, of message `of`;
    -- 5: deleted. The text of an edit is in its message alone; that of a reaction is the emoji.
    ALTER TABLE messages ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN of INTEGER;
    -- When it was last edited, and whether there may be reactions.
    ALTER TABLE messages ADD COLUMN edited INTEGER;
    ALTER TABLE messages ADD COLUMN reacted INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX changes ON messages (place, of) WHERE of IS NOT NULL;
    -- The reactions that stand: message `seq` has `emoji` from `author` by message `by`.
    CREATE TABLE reactions (
        place INTEGER NOT NULL, seq INTEGER NOT NULL, emoji TEXT NOT NULL, author INTEGER NOT NULL,
        by INTEGER NOT NULL, PRIMARY KEY (place, seq, emoji, author)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- Whether all pages were cleaned of what older versions, or an import, left of moved rows.
    ALTER TABLE history ADD COLUMN clean INTEGER NOT NULL DEFAULT 0;
",
    "
    -- Finds the session of a user whom a proxy names.
    CREATE INDEX sessions_by_password ON sessions (password, seen) WHERE password IS NOT NULL;
",
];

/// Returns whether a file is empty, so that a history can be made in its place. The error says why
/// it is not a history that this version can use.
pub(crate) fn is_empty(file: &File, path: &Path) -> history::Result<bool> {
    let mut header = [0; 72];
    let count = file.read_at(&mut header, 0)?;
    let number = |at: usize| {
        header[at..]
            .first_chunk()
            .map_or(0, |four| i32::from_be_bytes(*four))
    };
    let has_log = fs::metadata(with_ending(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let why = match number(60) {
        _ if count == 0 && !has_log => return Ok(true),
        _ if count == 0 => {
            "it is empty, but its log (-wal) is not: it was truncated; restore a backup, or \
             remove the log to begin a new history"
        }
        _ if !header.starts_with(b"SQLite format 3\0") => "it is not a database",
        _ if number(68) != APPLICATION => "it is the database of another program",
        version if version > STEPS.len() as i32 => {
            return Err(StoreError(format!(
                "it was written by a newer parlor (version {version} of its tables)"
            )));
        }
        _ => return Ok(false),
    };
    Err(StoreError(why.to_owned()))
}

/// Makes the tables of a new history in an empty file. A crash before it is closed and synced
/// damages it.
pub(crate) fn create(path: &Path, epoch: &str) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    migrate(&mut connection, STEPS, epoch)?;
    Ok(connection)
}

/// Brings an empty or older database to the newest schema, in one transaction.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str], epoch: &str) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: usize = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in steps.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    if version == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        let insert = "INSERT INTO history (epoch, authors) VALUES (?1, 0)";
        transaction.execute(insert, [epoch])?;
    }
    if version < steps.len() {
        transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognised_by_their_beginning() {
        let header = |application: i32, version: i32| {
            let mut header = b"SQLite format 3\0".to_vec();
            header.resize(128, 0);
            header[60..64].copy_from_slice(&version.to_be_bytes());
            header[68..72].copy_from_slice(&application.to_be_bytes());
            header
        };
        let newest = STEPS.len() as i32;
        let ours = |version| header(APPLICATION, version);
        let (half, text) = (ours(1)[..40].to_vec(), b"Dear diary".to_vec());
        let table = [
            ("an empty file", vec![], false, Ok(true)),
            ("with a log", vec![], true, Err("truncated")),
            ("ours", ours(newest), true, Ok(false)),
            ("an older one", ours(1), false, Ok(false)),
            ("a newer one", ours(newest + 1), false, Err("newer parlor")),
            ("a foreign one", header(0, 1), false, Err("another program")),
            ("half a header", half, false, Err("another program")),
            ("a text", text, false, Err("not a database")),
        ];
        let path = std::env::temp_dir().join(format!("parlor-schema-{}", std::process::id()));
        let log = with_ending(&path, "-wal");
        for (name, header, has_log, expected) in table {
            fs::write(&path, header).unwrap();
            fs::write(&log, if has_log { "log" } else { "" }).unwrap();
            match (is_empty(&File::open(&path).unwrap(), &path), expected) {
                (Err(why), Err(expected)) => assert!(why.0.contains(expected), "{name}: {why}"),
                (found, expected) => assert_eq!(found.ok(), expected.ok(), "{name}"),
            }
        }
        for file in [path, log] {
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn older_file_is_migrated_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STEPS[..1], "epoch").unwrap();
        let insert = "INSERT INTO sessions VALUES (7, x'00', 'Ada', 5, 0)";
        connection.execute(insert, []).unwrap();
        for _ in 0..2 {
            migrate(&mut connection, STEPS, "another").unwrap();
            let row = "SELECT name || epoch || believed FROM sessions, history";
            let row: String = connection.query_row(row, [], |row| row.get(0)).unwrap();
            assert_eq!(row, "Adaepoch0");
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
            assert_eq!(version, Ok(STEPS.len()));
        }
    }
}
