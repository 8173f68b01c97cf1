//! The tables of a history on disk, their versions, and which files are refused.
//!
//! A file is inspected before SQLite opens it, because SQLite would make files beside it even if it
//! belongs to another program.

use rusqlite::{Connection, Result, TransactionBehavior};

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

/// The bytes of a file's beginning, and of its log's, that are inspected.
pub(crate) const HEADER_BYTES: usize = 128;

/// What a file with a given beginning is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A history of this version or an older one.
    History,
    /// Empty: a first start that was cut short, or `touch`.
    Unfinished,
}

/// Tells what a file is by its beginning and the beginning of its write-ahead log. The error says
/// why it can't be used.
pub(crate) fn inspect(header: &[u8], log: &[u8]) -> std::result::Result<Kind, String> {
    let number = |bytes: &[u8], at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        four.map(i32::from_be_bytes)
    };
    if header.is_empty() && log.is_empty() {
        return Ok(Kind::Unfinished);
    }
    if header.is_empty() {
        let why = "it is empty, but its log (-wal) is not: it was truncated; restore a backup, or \
                   remove the log to begin a new history";
        return Err(why.to_owned());
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err("it is not a database".to_owned());
    }
    if number(header, 68) != Some(APPLICATION) {
        // A database of one page without tables: what the first start of an older parlor left when
        // it was killed. Its log is empty, or begins with our header as page 1.
        let is_empty = number(header, 28) == Some(1) && header.get(103..105) == Some(&[0, 0]);
        let is_unnamed = number(header, 60) == Some(0) && number(header, 68) == Some(0);
        return match (number(log, 32), number(log, 56 + 68)) {
            (None, _) if is_empty && is_unnamed => Ok(Kind::Unfinished),
            (Some(1), Some(APPLICATION)) if is_empty && is_unnamed => Ok(Kind::History),
            _ => Err("it is the database of another program".to_owned()),
        };
    }
    match number(header, 60) {
        Some(version) if version > STEPS.len() as i32 => Err(format!(
            "it was written by a newer parlor (version {version} of its tables)"
        )),
        _ => Ok(Kind::History),
    }
}

/// Brings an empty or older database to the newest schema, in one transaction.
pub(crate) fn migrate(connection: &mut Connection, steps: &[&str], epoch: &str) -> Result<()> {
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
        let header = |application: i32, version: i32, cells: u8| {
            let mut header = b"SQLite format 3\0".to_vec();
            header.resize(HEADER_BYTES, 0);
            header[31] = 1;
            header[60..64].copy_from_slice(&version.to_be_bytes());
            header[68..72].copy_from_slice(&application.to_be_bytes());
            header[104] = cells;
            header
        };
        let mut log = [0; 56];
        log[35] = 1;
        let log = |application| [&log[..], &header(application, 2, 0)].concat();
        let newest = STEPS.len() as i32;
        let half = header(APPLICATION, 1, 0)[..40].to_vec();
        let (ours, empty, none) = (|it| header(APPLICATION, it, 9), header(0, 0, 0), vec![]);
        let (history, unfinished) = (Ok(Kind::History), Ok(Kind::Unfinished));
        let (foreign, text) = (Err("another program"), b"Dear diary, today".to_vec());
        let (newer, truncated) = (ours(newest + 1), Err("truncated"));
        let table = [
            ("an empty file", &none, none.clone(), &unfinished),
            (
                "an empty file with a log",
                &none,
                log(APPLICATION),
                &truncated,
            ),
            ("ours", &ours(newest), none.clone(), &history),
            ("an older one", &ours(1), none.clone(), &history),
            ("a newer one", &newer, none.clone(), &Err("newer parlor")),
            (
                "another program's",
                &header(0, newest, 9),
                none.clone(),
                &foreign,
            ),
            ("an empty database", &empty, none.clone(), &unfinished),
            ("ours in the log", &empty, log(APPLICATION), &history),
            ("a foreign log", &empty, log(7), &foreign),
            ("half a header", &half, none.clone(), &foreign),
            ("a text", &text, none.clone(), &Err("not a database")),
        ];
        for (name, header, log, expected) in table {
            match (inspect(header, &log), expected) {
                (Ok(kind), Ok(expected)) => assert_eq!(kind, *expected, "{name}"),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{name}: {why}"),
                (got, _) => panic!("{name}: {got:?}"),
            }
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
