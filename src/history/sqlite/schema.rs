//! What stands in the file: its tables, their version, and which files are refused.
//!
//! A file is looked at before SQLite opens it, so that a stranger's is not touched: SQLite would
//! already make files beside it.
//!
//! Not here: what is written and read (`commit`, `read`), who holds the file (`mod.rs`).

use rusqlite::{Connection, Result, TransactionBehavior};

/// `parl`: tells our databases from others (the header's application id,
/// <https://sqlite.org/fileformat2.html>).
const APPLICATION: i32 = 0x7061_726c;

/// The steps from an empty file to the newest schema. A version is how many of them were taken;
/// steps are only ever added.
pub(super) const STEPS: &[&str] = &["
    -- One row. `authors`: numbers up to this one may have been given.
    CREATE TABLE history (epoch TEXT NOT NULL, authors INTEGER NOT NULL) STRICT;
    -- What numbers messages: a channel by its name, or a conversation by its two sessions, the smaller number first.
    -- `first` is the oldest message that is kept (`newest` + 1: none), `first_at` and `at` are the times of the oldest and of
    -- the newest; `used` counts messages of all places, so that the greater one was used later.
    CREATE TABLE places (
        id INTEGER PRIMARY KEY, name TEXT UNIQUE, one INTEGER, other INTEGER,
        first INTEGER NOT NULL, newest INTEGER NOT NULL, first_at INTEGER, at INTEGER NOT NULL, used INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX conversations ON places (one, other) WHERE name IS NULL;
    CREATE INDEX conversations_of_one ON places (one, used) WHERE name IS NULL;
    CREATE INDEX conversations_of_other ON places (other, used) WHERE name IS NULL;
    CREATE INDEX channels_by_use ON places (used) WHERE name IS NOT NULL;
    CREATE INDEX places_by_use ON places (used);
    CREATE INDEX places_by_age ON places (first_at) WHERE first_at IS NOT NULL;
    CREATE TABLE messages (
        place INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, author INTEGER NOT NULL,
        sender TEXT NOT NULL, recipient TEXT, text TEXT NOT NULL, action INTEGER NOT NULL, nonce TEXT,
        PRIMARY KEY (place, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX nonces ON messages (place, author, nonce, seq) WHERE nonce IS NOT NULL;
    -- `secret` is a hash. `quit`: it left by itself.
    CREATE TABLE sessions (
        author INTEGER PRIMARY KEY, secret BLOB NOT NULL, name TEXT NOT NULL, seen INTEGER NOT NULL, quit INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX sessions_by_seen ON sessions (seen);
"];

/// Bytes of SQLite's header that are looked at.
pub(super) const HEADER_BYTES: usize = 72;

/// Whether a file with this beginning is one of ours; the error says what it is instead. Nothing is
/// a file that was just made.
pub(super) fn check_header(header: &[u8]) -> std::result::Result<(), String> {
    if header.is_empty() {
        return Ok(());
    }
    let number = |at: usize| {
        header
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(i32::from_be_bytes)
    };
    if !header.starts_with(b"SQLite format 3\0") {
        return Err("it is not a database".to_owned());
    }
    if number(68) != Some(APPLICATION) {
        return Err("it is the database of another program".to_owned());
    }
    match number(60) {
        Some(version) if version > STEPS.len() as i32 => Err(format!(
            "it was written by a newer parlor (version {version} of its tables)"
        )),
        _ => Ok(()),
    }
}

/// Brings an empty file, or an older one, to the newest schema, in one transaction.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str], epoch: &str) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let newest = steps.len() as i64;
    for step in steps
        .get(usize::try_from(version).unwrap_or(0)..)
        .unwrap_or_default()
    {
        transaction.execute_batch(step)?;
    }
    if version == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.execute(
            "INSERT INTO history (epoch, authors) VALUES (?1, 0)",
            [epoch],
        )?;
    }
    if version < newest {
        transaction.pragma_update(None, "user_version", newest)?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_ours() {
        let header = |application: i32, version: i32| {
            let mut header = b"SQLite format 3\0".to_vec();
            header.resize(100, 0);
            header[60..64].copy_from_slice(&version.to_be_bytes());
            header[68..72].copy_from_slice(&application.to_be_bytes());
            header
        };
        let newest = STEPS.len() as i32;
        let table: &[(&str, Vec<u8>, Option<&str>)] = &[
            ("a new file", vec![], None),
            ("ours", header(APPLICATION, newest), None),
            ("an older one", header(APPLICATION, 0), None),
            (
                "a newer one",
                header(APPLICATION, newest + 1),
                Some("newer parlor"),
            ),
            (
                "another program's",
                header(0, newest),
                Some("another program"),
            ),
            (
                "half a header",
                header(APPLICATION, 1)[..40].to_vec(),
                Some("another program"),
            ),
            (
                "a text",
                b"Dear diary, today I wrote a chat".to_vec(),
                Some("not a database"),
            ),
        ];
        for (name, bytes, expected) in table {
            let got = check_header(bytes);
            assert_eq!(got.is_err(), expected.is_some(), "{name}");
            assert!(
                got.is_ok_and(|()| true)
                    || check_header(bytes)
                        .unwrap_err()
                        .contains(expected.unwrap_or("?")),
                "{name}"
            );
        }
    }

    #[test]
    fn an_older_file_is_brought_forward_and_keeps_what_it_has() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS, "epoch").unwrap();
        connection
            .execute("INSERT INTO sessions VALUES (7, x'00', 'Ada', 5, 0)", [])
            .unwrap();
        let later = [
            STEPS,
            &["ALTER TABLE sessions ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'"],
        ]
        .concat();
        for _ in 0..2 {
            migrate(&mut connection, &later, "another").unwrap();
            let row =
                "SELECT name || ' ' || colour || ' ' || (SELECT epoch FROM history) FROM sessions";
            assert_eq!(
                connection
                    .query_row(row, [], |row| row.get::<_, String>(0))
                    .unwrap(),
                "Ada blue epoch"
            );
            let version: i64 = connection
                .pragma_query_value(None, "user_version", |row| row.get(0))
                .unwrap();
            assert_eq!(version, later.len() as i64);
        }
    }
}
