//! The history as lines, out of a database that may be in use, and into a new one.
//!
//! An export reads a thousand rows at a time and holds no lock in between: a reader that never ends
//! would keep the log of the
//! running server from its end. An import goes into a file of its own beside the one that it is to
//! become, and takes that name
//! when it is whole: whatever goes wrong on the way changes nothing.
//!
//! Not here: what a line is (`lines.rs`).

use super::{commit, if_any, read, schema, sentence};
use crate::history::lines::Line;
use crate::history::{Author, Place, Record, Seq, SessionRow};
use rusqlite::{Connection, OpenFlags, Row};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Rows that are read at once.
const ROWS: i64 = 1_000;

/// A database that lines are read from.
pub struct Export {
    connection: Connection,
}

impl Export {
    /// Opens a history to read it. The error is one line.
    pub fn open(path: &Path) -> Result<Self, String> {
        let cant = |why: &str| format!("can't read the history {}: {why}", path.display());
        let header = fs::File::open(path).and_then(|file| {
            let mut header = Vec::new();
            std::io::Read::read_to_end(
                &mut std::io::Read::take(file, schema::HEADER_BYTES as u64),
                &mut header,
            )
            .map(|_| header)
        });
        let header = header.map_err(|error| cant(&error.to_string()))?;
        if header.is_empty() {
            return Err(cant("it is empty"));
        }
        schema::check_header(&header).map_err(|why| cant(&why))?;
        let open = || {
            // Written to it is not; but SQLite's own files beside it may have to be made.
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            Ok(connection)
        };
        open()
            .map(|connection| Self { connection })
            .map_err(|error| cant(&sentence(&error)))
    }

    /// Gives every line in its order. It stops with the first error of `take`, and with its own,
    /// which is one line.
    pub fn each(&self, mut take: impl FnMut(&Line) -> Result<(), String>) -> Result<(), String> {
        take(&Line::Head)?;
        let mut after = 0;
        loop {
            let rows = self.sessions(after).map_err(|error| sentence(&error))?;
            let Some(last) = rows.last() else { break };
            after = last.author.0 as i64;
            rows.into_iter()
                .try_for_each(|row| take(&Line::Session(row)))?;
        }
        // As they are used now: what is said meanwhile would move a place behind us to the end, and
        // it would come twice.
        for id in self.places().map_err(|error| sentence(&error))? {
            // It may have been given up meanwhile.
            if let Some((place, newest)) = self.place(id).map_err(|error| sentence(&error))? {
                take(&Line::Place(place.clone(), newest))?;
                self.messages(id, &place, newest, &mut take)?;
            }
        }
        Ok(())
    }

    fn sessions(&self, after: i64) -> rusqlite::Result<Vec<SessionRow>> {
        let select = "SELECT author, secret, name, seen, quit FROM sessions WHERE author > ?1 ORDER BY author LIMIT ?2";
        let mut select = self.connection.prepare_cached(select)?;
        select.query_map((after, ROWS), read::session)?.collect()
    }

    /// All places, the least recently used first.
    fn places(&self) -> rusqlite::Result<Vec<i64>> {
        let mut select = self
            .connection
            .prepare("SELECT id FROM places WHERE newest > 0 ORDER BY used")?;
        select.query_map([], |row| row.get(0))?.collect()
    }

    fn place(&self, id: i64) -> rusqlite::Result<Option<(Place, Seq)>> {
        let row = |row: &Row<'_>| {
            let author =
                |column| Ok::<_, rusqlite::Error>(Author(row.get::<_, i64>(column)? as u64));
            let place = match row.get::<_, Option<String>>(0)? {
                Some(name) => Place::Channel(name.into()),
                None => Place::Conversation(author(1)?, author(2)?),
            };
            Ok((place, Seq(row.get::<_, i64>(3)? as u64)))
        };
        if_any(
            self.connection
                .prepare_cached("SELECT name, one, other, newest FROM places WHERE id = ?1")?
                .query_row([id], row),
        )
    }

    /// A place's messages up to the newest that was announced. What is pruned meanwhile is behind
    /// us, as a rule: where it overtook
    /// us there would be a gap, which no import takes.
    fn messages(
        &self,
        id: i64,
        place: &Place,
        newest: Seq,
        take: &mut impl FnMut(&Line) -> Result<(), String>,
    ) -> Result<(), String> {
        let select = format!(
            "SELECT {} FROM messages WHERE place = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4",
            read::COLUMNS
        );
        let mut after = 0;
        loop {
            let page = || {
                let mut select = self.connection.prepare_cached(&select)?;
                let rows = select.query_map((id, after, newest.0 as i64, ROWS), |row| {
                    read::record(place, row)
                })?;
                rows.collect::<rusqlite::Result<Vec<Record>>>()
            };
            let records = page().map_err(|error| sentence(&error))?;
            let goes_on = |next: Option<&Record>| {
                after == 0 || next.map_or(newest.0, |next| next.seq.0 - 1) == after as u64
            };
            if !goes_on(records.first()) {
                return Err(
                    "messages were given up while they were read; export it again".to_owned(),
                );
            }
            let Some(last) = records.last() else {
                return Ok(());
            };
            after = last.seq.0 as i64;
            records
                .into_iter()
                .try_for_each(|record| take(&Line::Message(record)))?;
        }
    }
}

/// A database that is made from lines.
pub struct Import {
    connection: Option<Connection>,
    making: PathBuf,
    target: PathBuf,
    place: i64,
    uses: u64,
    newest_author: Author,
}

impl Import {
    /// Begins a new history, with an epoch of its own, that will be `target`. It must not be there
    /// yet. The error is one line.
    pub fn begin(target: &Path, epoch: &str) -> Result<Self, String> {
        if target.exists() {
            return Err(format!(
                "there is a history {} already; move it away, or name another with --history",
                target.display()
            ));
        }
        // SQLite would put it into whatever has the name next.
        let log = with_ending(target, "-wal");
        if log.exists() {
            return Err(format!(
                "there is the log of another history, {}; move it to where its history is",
                log.display()
            ));
        }
        let making = with_ending(target, &format!(".import-{}", std::process::id()));
        let cant = |why: String| format!("can't make the history {}: {why}", making.display());
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&making);
        made.map_err(|error| cant(error.to_string()))?;
        let mut import = Self {
            connection: None,
            making,
            target: target.to_owned(),
            place: 0,
            uses: 0,
            newest_author: Author(0),
        };
        match import.open(epoch) {
            Ok(connection) => import.connection = Some(connection),
            Err(error) => {
                return Err(format!(
                    "can't make the history {}: {}",
                    target.display(),
                    sentence(&error)
                ));
            }
        }
        Ok(import)
    }

    fn open(&self, epoch: &str) -> rusqlite::Result<Connection> {
        let mut connection =
            Connection::open_with_flags(&self.making, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // It is nobody's yet: if this process dies it is thrown away.
        connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        schema::migrate(&mut connection, schema::STEPS, epoch)?;
        connection.execute_batch("BEGIN")?;
        Ok(connection)
    }

    /// Takes a line that [`crate::history::Lines`] has read. The error says what is wrong.
    pub fn take(&mut self, line: &Line) -> Result<(), String> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let taken = match line {
            Line::Head => Ok(()),
            Line::Session(row) => {
                self.newest_author = self.newest_author.max(row.author);
                commit::keep_session(connection, row)
            }
            Line::Place(place, newest) => {
                self.uses += 1;
                if let Place::Conversation(_, other) = place {
                    self.newest_author = self.newest_author.max(*other);
                }
                begin_place(connection, place, *newest, self.uses).map(|id| self.place = id)
            }
            Line::Message(Record { what, seq, at }) => {
                self.newest_author = self.newest_author.max(what.author);
                commit::insert(connection, self.place, *seq, *at, &Rc::clone(what))
                    .and_then(|()| count(connection, self.place, *seq, at.0))
            }
        };
        taken.map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => {
                "it says again what was said before".to_owned()
            }
            _ => sentence(&error),
        })
    }

    /// The last line was taken: the history gets its name. The error is one line.
    pub fn finish(mut self) -> Result<(), String> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        let ended = connection
            .execute(
                "UPDATE history SET authors = ?1",
                [self.newest_author.0 as i64],
            )
            .and_then(|_| connection.execute_batch("COMMIT"))
            .and_then(|()| connection.close().map_err(|(_, error)| error));
        let cant = |why: String| format!("can't make the history {}: {why}", self.target.display());
        ended.map_err(|error| cant(sentence(&error)))?;
        let synced = File::open(&self.making).and_then(|file| file.sync_all());
        // A link is refused where the name was taken meanwhile; a rename would take it.
        synced
            .and_then(|()| fs::hard_link(&self.making, &self.target))
            .map_err(|error| cant(error.to_string()))
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.connection = None;
        // It may not have been made; there is nobody to tell.
        let _ = fs::remove_file(&self.making);
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A place whose messages are to come: until they do, all of them were given up.
fn begin_place(
    connection: &Connection,
    place: &Place,
    newest: Seq,
    used: u64,
) -> rusqlite::Result<i64> {
    commit::make_place(connection, place, used)?;
    let id = connection.last_insert_rowid();
    connection.execute(
        "UPDATE places SET first = ?2, newest = ?3 WHERE id = ?1",
        (id, newest.0 as i64 + 1, newest.0 as i64),
    )?;
    Ok(id)
}

/// The first message of a place says what is kept of it, and each what time it is there.
fn count(connection: &Connection, place: i64, seq: Seq, at: u64) -> rusqlite::Result<()> {
    let update = "UPDATE places SET at = ?3, first_at = coalesce(first_at, ?3), first = min(first, ?2) WHERE id = ?1";
    connection
        .prepare_cached(update)?
        .execute((place, seq.0 as i64, at as i64))?;
    Ok(())
}
