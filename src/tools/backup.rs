//! `parlor export` and `parlor import`: a history as lines of JSON, to keep, to read, or to move.
//!
//! An export reads a database that may be in use, a thousand rows at a time without a lock in
//! between: a reader that takes long would keep the running server's log from being emptied. An
//! import goes into a new file beside the one that it is to become, and takes its name when it is
//! whole.

use super::lines::{LINE_BYTES, Line, Lines, VERSION};
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::history::Settings;
use crate::history::sqlite::{schema, sentence, with_ending};
use crate::text::{Hex, decode_hex};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXPORT_HELP: &str = "\
Usage: parlor export [--history DB] FILE

Writes the history as lines of JSON, the server's running or not. FILE must not be
there yet; - is standard output. It holds private messages and hashes of session
secrets, so it is made readable for its owner alone.

  --history DB    the database (default parlor.db, or PARLOR_HISTORY)

Exit status: 0, 1 where it could not be done, 2 for a wrong option.";

const IMPORT_HELP: &str = "\
Usage: parlor import [--history DB] FILE

Makes a history from lines that parlor export wrote. The database must not be there
yet. A wrong line is reported with its number, and nothing is made.

  --history DB    the database (default parlor.db, or PARLOR_HISTORY)

Exit status: 0, 1 where it could not be done, 2 for a wrong option.";

/// Progress is reported at this interval.
const PROGRESS: Duration = Duration::from_secs(2);
/// Rows that are read at once.
const ROWS: i64 = 1_000;

pub(super) const EXPORT: Tool = Tool {
    usage: "export FILE",
    help: "write the history as lines of JSON",
    manual: EXPORT_HELP,
    options: &["history="],
    operands: 1,
    run: export,
};

fn export(given: &Arguments, _: &mut Terminal<'_>) -> Result<bool, Failure> {
    let (history, file) = history_and_file(given)?;
    let export = Export::open(&history).map_err(Failure::failed)?;
    if file.as_os_str() == "-" {
        write_lines(&export, &mut io::stdout().lock()).map_err(Failure::failed)?;
        return Ok(true);
    }
    let cant = |error: io::Error| format!("can't write {}: {error}", file.display());
    let made = create(&file).map_err(|error| Failure::failed(cant(error)))?;
    let mut out = BufWriter::new(made);
    let written = write_lines(&export, &mut out)
        .and_then(|()| out.into_inner().map_err(|error| cant(error.into_error())))
        .and_then(|made| made.sync_all().map_err(cant));
    if written.is_err() {
        // Half of an export is useless.
        let _ = fs::remove_file(&file);
    }
    written.map(|()| true).map_err(Failure::failed)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn write_lines(export: &Export, out: &mut dyn Write) -> Result<(), String> {
    let mut progress = Progress::new("lines are written");
    let mut buffer = Vec::new();
    let cant = |error: io::Error| format!("can't write: {error}");
    export.each(|line| {
        buffer.clear();
        line.encode(&mut buffer);
        progress.count();
        out.write_all(&buffer).map_err(cant)
    })?;
    out.flush().map_err(cant)
}

pub(super) const IMPORT: Tool = Tool {
    usage: "import FILE",
    help: "create a history from exported lines",
    manual: IMPORT_HELP,
    options: &["history="],
    operands: 1,
    run: import,
};

fn import(given: &Arguments, _: &mut Terminal<'_>) -> Result<bool, Failure> {
    let (history, file) = history_and_file(given)?;
    let cant = |why: String| Failure::failed(format!("can't import {}: {why}", file.display()));
    let epoch = random::<16>().map_err(cant)?;
    let opened = File::open(&file).map_err(|error| cant(error.to_string()))?;
    let epoch = format!("{:x}", Hex(&epoch));
    let mut import = Import::begin(&history, &epoch).map_err(Failure::failed)?;
    read_lines(BufReader::new(opened), |line| import.take(line)).map_err(cant)?;
    import.finish().map_err(Failure::failed)?;
    Ok(true)
}

/// Reads every line, in the memory of one. The error names the line.
fn read_lines(
    mut file: impl BufRead,
    mut take: impl FnMut(&Line) -> Result<(), String>,
) -> Result<(), String> {
    let mut progress = Progress::new("lines are read");
    let (mut lines, mut text, mut number) = (Lines::default(), Vec::new(), 0_u64);
    loop {
        text.clear();
        let read = Read::take(&mut file, LINE_BYTES as u64 + 1)
            .read_until(b'\n', &mut text)
            .map_err(|error| error.to_string())?;
        if read == 0 {
            return lines.end();
        }
        number += 1;
        if text.pop_if(|last| *last == b'\n').is_none() && read > LINE_BYTES {
            return Err(format!(
                "line {number}: it is longer than {LINE_BYTES} bytes"
            ));
        }
        let taken = lines.read(&text).and_then(|line| take(&line));
        taken.map_err(|why| format!("line {number}: {why}"))?;
        progress.count();
    }
}

/// Returns the paths of the database and of the file.
fn history_and_file(given: &Arguments) -> Result<(PathBuf, PathBuf), Failure> {
    let file = given.operand("the file").map_err(Failure::Wrong)?.into();
    let history = given.values("history").next_back().map(OsStr::to_owned);
    let from_variable = || std::env::var_os("PARLOR_HISTORY").filter(|value| !value.is_empty());
    let history = history.or_else(from_variable).map(PathBuf::from);
    let history = history.unwrap_or_else(|| Settings::default().path);
    // SQLite takes some relative names, such as `:memory:`, for something else than a path.
    let history = std::path::absolute(history);
    let history = history.map_err(|_| Failure::wrong("--history must be a file".to_owned()))?;
    Ok((history, file))
}

/// A database that lines are read from.
pub(super) struct Export {
    connection: Connection,
}

impl Export {
    /// Opens a history to read it. The error is one line.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let cant = |why: &str| format!("can't read the history {}: {why}", path.display());
        let begin = |path: &Path| {
            let mut begin = Vec::new();
            let file = File::open(path)?;
            Read::take(file, schema::HEADER_BYTES as u64).read_to_end(&mut begin)?;
            Ok(begin)
        };
        let header = begin(path).map_err(|error: io::Error| cant(&error.to_string()))?;
        let log = begin(&with_ending(path, "-wal")).unwrap_or_default();
        if schema::inspect(&header, &log).map_err(|why| cant(&why))? == schema::Kind::Unfinished {
            return Err(cant("it is empty"));
        }
        let open = || {
            // Nothing is written to it, but SQLite may have to make its own files beside it.
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            Ok(Self { connection })
        };
        open().map_err(|error: rusqlite::Error| cant(&sentence(&error)))
    }

    /// Gives every line in its order. Stops with the first error.
    pub(super) fn each(
        &self,
        mut take: impl FnMut(&Line) -> Result<(), String>,
    ) -> Result<(), String> {
        take(&Line::Parlor { version: VERSION })?;
        let mut after = 0;
        loop {
            let rows = self.sessions(after).map_err(|error| sentence(&error))?;
            let Some(Line::Session { author, .. }) = rows.last() else {
                break;
            };
            after = *author;
            rows.iter().try_for_each(&mut take)?;
        }
        // In the order of use now: a place that is used meanwhile would come twice.
        for id in self.places().map_err(|error| sentence(&error))? {
            // It may have been forgotten meanwhile.
            if let Some(place) = self.place(id).map_err(|error| sentence(&error))? {
                take(&place)?;
                let (Line::Channel { newest, .. } | Line::Conversation { newest, .. }) = place
                else {
                    continue;
                };
                self.messages(id, newest, &mut take)?;
            }
        }
        Ok(())
    }

    fn sessions(&self, after: u64) -> rusqlite::Result<Vec<Line>> {
        let select = "SELECT author, secret, name, seen, quit FROM sessions
            WHERE author > ?1 ORDER BY author LIMIT ?2";
        let row = |row: &Row<'_>| {
            Ok(Line::Session {
                author: row.get(0)?,
                secret: format!("{:x}", Hex(row.get_ref(1)?.as_blob()?)),
                name: row.get(2)?,
                seen: row.get(3)?,
                quit: row.get(4)?,
            })
        };
        let mut select = self.connection.prepare_cached(select)?;
        select.query_map((after, ROWS), row)?.collect()
    }

    /// All places, the least recently used first.
    fn places(&self) -> rusqlite::Result<Vec<i64>> {
        let select = "SELECT id FROM places WHERE newest > 0 ORDER BY used";
        let mut select = self.connection.prepare(select)?;
        select.query_map([], |row| row.get(0))?.collect()
    }

    fn place(&self, id: i64) -> rusqlite::Result<Option<Line>> {
        let row = |row: &Row<'_>| {
            let newest = row.get(3)?;
            Ok(match row.get(0)? {
                Some(name) => Line::Channel { name, newest },
                None => {
                    let between = [row.get(1)?, row.get(2)?];
                    Line::Conversation { between, newest }
                }
            })
        };
        let select = "SELECT name, one, other, newest FROM places WHERE id = ?1";
        self.connection
            .prepare_cached(select)?
            .query_row([id], row)
            .optional()
    }

    /// Gives a place's messages up to `newest`. What is pruned meanwhile is behind us as a rule; if
    /// pruning overtook us there would be a gap, which no import accepts.
    fn messages(
        &self,
        id: i64,
        newest: u64,
        take: &mut impl FnMut(&Line) -> Result<(), String>,
    ) -> Result<(), String> {
        let select = "SELECT seq, at, author, sender, recipient, text, action, nonce FROM messages
            WHERE place = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";
        let row = |row: &Row<'_>| {
            Ok(Line::Message {
                seq: row.get(0)?,
                at: row.get(1)?,
                author: row.get(2)?,
                from: row.get(3)?,
                to: row.get(4)?,
                text: row.get(5)?,
                action: row.get(6)?,
                nonce: row.get(7)?,
            })
        };
        let mut after = 0;
        loop {
            let page = || {
                let mut select = self.connection.prepare_cached(select)?;
                let rows = select.query_map((id, after, newest, ROWS), row)?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            };
            let lines = page().map_err(|error| sentence(&error))?;
            let seq = |line: Option<&Line>| match line {
                Some(Line::Message { seq, .. }) => Some(*seq),
                _ => None,
            };
            if after > 0 && seq(lines.first()).unwrap_or(newest + 1) != after + 1 {
                return Err("messages were pruned while they were read; export it again".to_owned());
            }
            lines.iter().try_for_each(&mut *take)?;
            match seq(lines.last()) {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// A database that is made from lines.
pub(super) struct Import {
    connection: Option<Connection>,
    making: PathBuf,
    target: PathBuf,
    place: i64,
    uses: u64,
    newest_author: u64,
}

impl Import {
    /// Begins a new history, with an epoch of its own, which will be `target`. The error is one
    /// line.
    pub(super) fn begin(target: &Path, epoch: &str) -> Result<Self, String> {
        if target.exists() {
            return Err(format!(
                "there is a history {} already; move it away, or name another with --history",
                target.display()
            ));
        }
        // SQLite would put it into the new history.
        let log = with_ending(target, "-wal");
        if log.exists() {
            return Err(format!(
                "there is the log of another history, {}; move it to where its history is",
                log.display()
            ));
        }
        let making = with_ending(target, &format!(".import-{}", std::process::id()));
        let cant = |why: String| format!("can't make the history {}: {why}", target.display());
        create(&making).map_err(|error| cant(error.to_string()))?;
        let mut import = Self {
            connection: None,
            making,
            target: target.to_owned(),
            place: 0,
            uses: 0,
            newest_author: 0,
        };
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
            let mut connection = Connection::open_with_flags(&import.making, flags)?;
            // If this process dies the file is thrown away.
            connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "OFF")?;
            schema::migrate(&mut connection, schema::STEPS, epoch)?;
            connection.execute_batch("BEGIN")?;
            Ok(connection)
        };
        let opened = open().map_err(|error: rusqlite::Error| cant(sentence(&error)))?;
        import.connection = Some(opened);
        Ok(import)
    }

    /// Takes a line that [`Lines`] accepted. The error says what is wrong.
    pub(super) fn take(&mut self, line: &Line) -> Result<(), String> {
        self.insert(line)
            .map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => "it is in the file twice".to_owned(),
                _ => sentence(&error),
            })
    }

    fn insert(&mut self, line: &Line) -> rusqlite::Result<()> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let greatest = match line {
            Line::Parlor { .. } | Line::Channel { .. } => 0,
            Line::Conversation { between, .. } => between[1],
            Line::Session { author, .. } | Line::Message { author, .. } => *author,
        };
        self.newest_author = self.newest_author.max(greatest);
        match line {
            Line::Parlor { .. } => {}
            Line::Session {
                author,
                secret,
                name,
                seen,
                quit,
            } => {
                let insert = "INSERT INTO sessions (author, secret, name, seen, quit)
                    VALUES (?1, ?2, ?3, ?4, ?5)";
                let row = (author, decode_hex(secret.as_bytes()), name, seen, quit);
                connection.prepare_cached(insert)?.execute(row)?;
            }
            Line::Channel { newest, .. } | Line::Conversation { newest, .. } => {
                self.uses += 1;
                let (name, between) = match line {
                    Line::Channel { name, .. } => (Some(name), None),
                    Line::Conversation { between, .. } => (None, Some(between)),
                    _ => (None, None),
                };
                let (one, other) = (between.map(|it| it[0]), between.map(|it| it[1]));
                // As if all were pruned: the first message sets `first`.
                let insert = "INSERT INTO places (name, one, other, first, newest, at, used)
                    VALUES (?1, ?2, ?3, ?4 + 1, ?4, 0, ?5)";
                let row = (name, one, other, newest, self.uses);
                connection.prepare_cached(insert)?.execute(row)?;
                self.place = connection.last_insert_rowid();
            }
            Line::Message {
                seq,
                at,
                author,
                from,
                to,
                text,
                action,
                nonce,
            } => {
                let insert = "INSERT INTO messages
                    (place, seq, at, author, sender, recipient, text, action, nonce)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
                let row = (self.place, seq, at, author, from, to, text, action, nonce);
                connection.prepare_cached(insert)?.execute(row)?;
                let update = "UPDATE places SET at = ?3, first_at = coalesce(first_at, ?3),
                    first = min(first, ?2) WHERE id = ?1";
                connection
                    .prepare_cached(update)?
                    .execute((self.place, seq, at))?;
            }
        }
        Ok(())
    }

    /// Gives the history its name, after the last line. The error is one line.
    pub(super) fn finish(mut self) -> Result<(), String> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        let ended = connection
            .execute("UPDATE history SET authors = ?1", [self.newest_author])
            .and_then(|_| connection.execute_batch("COMMIT"))
            .and_then(|()| connection.close().map_err(|(_, error)| error));
        let cant = |why: String| format!("can't make the history {}: {why}", self.target.display());
        ended.map_err(|error| cant(sentence(&error)))?;
        let synced = File::open(&self.making).and_then(|file| file.sync_all());
        // A link fails if the name is in use by now; a rename would replace that file.
        synced
            .and_then(|()| fs::hard_link(&self.making, &self.target))
            .map_err(|error| cant(error.to_string()))
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.connection = None;
        let _ = fs::remove_file(&self.making);
    }
}

/// Reports progress on standard error, if it takes long.
struct Progress {
    what: &'static str,
    count: u64,
    told: Instant,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        let told = Instant::now();
        Self {
            what,
            count: 0,
            told,
        }
    }

    fn count(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(1_024) && self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            let _ = writeln!(io::stderr(), "parlor: {} {} so far", self.count, self.what);
        }
    }
}
