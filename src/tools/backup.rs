//! `parlor export` and `parlor import`: a history as lines of JSON, to keep, to read, or to move.
//!
//! An export reads a database that may be in use, a thousand rows at a time without a lock in
//! between: a reader that takes long would keep the running server's log from being emptied. An
//! import goes into a new file beside the one that it is to become, and takes its name when it is
//! whole.

use super::lines::{Change, LINE_BYTES, Line, Lines, Message, Session, VERSION};
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use super::transcript::Excerpt;
use crate::cli::args::Arguments;
use crate::cli::serve::random_id;
use crate::history::sqlite::{count_reactions, schema, sentence, with_ending};
use crate::history::{self, Seq, Settings, Span, StoreError};
use crate::text::{Hex, decode_hex};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXPORT_HELP: &str = "\
Usage: parlor export [--history DB] FILE
       parlor export [--history DB] --html CHANNEL [--from DATE] [--to DATE] [FILE]

Writes the history as lines of JSON, the server's running or not. FILE must not be
there yet; - is standard output. It holds private messages and hashes of session
secrets, so it is made readable for its owner alone.

  --history DB    the database (default parlor.db, or PARLOR_HISTORY)
  --html CHANNEL  write this channel as one HTML file instead, to standard output if
                  there is no FILE
  --from DATE     only messages since this day, such as 2026-11-29 (UTC)
  --to DATE       only messages up to and including this day

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
    help: "write the history as lines of JSON, or a channel as HTML",
    manual: EXPORT_HELP,
    options: &["history=", "html=", "from=", "to="],
    operands: 1,
    run: export,
};

fn export(given: &Arguments, _: &mut Terminal<'_>) -> Result<bool, Failure> {
    let excerpt = excerpt(given)?;
    let history = history_path(given)?;
    let file = match given.operand("the file") {
        Err(_) if excerpt.is_some() => PathBuf::from("-"),
        file => file.map_err(Failure::Wrong)?.into(),
    };
    let cant = |why| {
        Failure::failed(format!(
            "can't read the history {}: {why}",
            history.display()
        ))
    };
    let connection = open(&history).map_err(cant)?;
    if file.as_os_str() == "-" {
        let written = write(&connection, excerpt.as_ref(), io::stdout().lock());
        return written.map(|_| true).map_err(Failure::failed);
    }
    let cant = |why: StoreError| Failure::failed(format!("can't write {}: {why}", file.display()));
    let made = create(&file).map_err(|error| cant(error.into()))?;
    let written = write(&connection, excerpt.as_ref(), made).and_then(|made| Ok(made.sync_all()?));
    if written.is_err() {
        // Half of an export is useless.
        let _ = fs::remove_file(&file);
    }
    written.map(|()| true).map_err(cant)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn write<W: Write>(
    connection: &Connection,
    excerpt: Option<&Excerpt>,
    out: W,
) -> history::Result<W> {
    let mut out = BufWriter::new(out);
    match excerpt {
        Some(excerpt) => excerpt.write(connection, &mut out)?,
        None => write_lines(connection, &mut out)?,
    }
    Ok(out.into_inner().map_err(io::IntoInnerError::into_error)?)
}

fn write_lines(connection: &Connection, out: &mut impl Write) -> history::Result<()> {
    let (mut progress, mut buffer) = (Progress::new("lines are written"), Vec::new());
    each_line(connection, |line| {
        buffer.clear();
        line.encode(&mut buffer);
        progress.count();
        Ok(out.write_all(&buffer)?)
    })
}

/// Returns the part of the history that is exported as HTML.
fn excerpt(given: &Arguments) -> Result<Option<Excerpt>, Failure> {
    let value = |name| given.values(name).next_back().and_then(OsStr::to_str);
    match (value("html"), value("from"), value("to")) {
        (Some(channel), from, to) => Excerpt::parse(channel, from, to).map(Some),
        (None, None, None) => Ok(None),
        (None, ..) => Err(Failure::wrong("--from and --to need --html CHANNEL")),
    }
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
    let history = history_path(given)?;
    let file = PathBuf::from(given.operand("the file").map_err(Failure::Wrong)?);
    let cant = |why| Failure::failed(format!("can't import {}: {why}", file.display()));
    let epoch = random_id().map_err(cant)?;
    let opened = File::open(&file).map_err(|error| cant(error.to_string()))?;
    let mut import = Import::begin(&history, &epoch)?;
    read_lines(BufReader::new(opened), |line| import.take(line)).map_err(cant)?;
    let finished = import.finish();
    finished.map_err(|why| cant_make(&history, &why))?;
    Ok(true)
}

fn cant_make(target: &Path, why: &StoreError) -> String {
    format!("can't make the history {}: {why}", target.display())
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

fn history_path(given: &Arguments) -> Result<PathBuf, Failure> {
    let history = given.values("history").next_back().map(OsStr::to_owned);
    let from_variable = || std::env::var_os("PARLOR_HISTORY").filter(|value| !value.is_empty());
    let history = history.or_else(from_variable).map(PathBuf::from);
    let history = history.unwrap_or_else(|| Settings::default().path);
    // SQLite takes some relative names, such as `:memory:`, for something else than a path.
    let history = std::path::absolute(history);
    history.map_err(|_| Failure::wrong("--history must be a file"))
}

fn open(path: &Path) -> history::Result<Connection> {
    let begin = |path: &Path| {
        let mut begin = Vec::new();
        let file = File::open(path)?;
        Read::take(file, schema::HEADER_BYTES as u64).read_to_end(&mut begin)?;
        Ok::<_, io::Error>(begin)
    };
    let log = begin(&with_ending(path, "-wal")).unwrap_or_default();
    if schema::inspect(&begin(path)?, &log).map_err(StoreError)? == schema::Kind::Unfinished {
        return Err(StoreError("it is empty".to_owned()));
    }
    // Nothing is written to it, but SQLite may have to make its own files beside it.
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version < schema::STEPS.len() {
        let path = path.display();
        return Err(StoreError(format!(
            "an older parlor wrote it; to upgrade it, start a server with --history {path}"
        )));
    }
    Ok(connection)
}

/// Gives every line of a history in its order. Stops with the first error.
fn each_line(
    connection: &Connection,
    mut take: impl FnMut(&Line) -> history::Result<()>,
) -> history::Result<()> {
    take(&Line::Parlor { version: VERSION })?;
    let mut after = 0;
    loop {
        let sessions = sessions(connection, after)?;
        let Some(last) = sessions.last() else {
            break;
        };
        after = last.author;
        let mut lines = sessions.into_iter().map(Line::Session);
        lines.try_for_each(|line| take(&line))?;
    }
    // In the order of use now: a place that is used meanwhile would come twice.
    let mut select = connection
        .prepare("SELECT id FROM places WHERE newest > 0 AND NOT removed ORDER BY used")?;
    let places: Vec<i64> = select
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in places {
        // It may have been forgotten meanwhile.
        if let Some((place, span)) = place(connection, id)? {
            take(&place)?;
            each_message(connection, id, span, &mut take)?;
        }
    }
    Ok(())
}

fn sessions(connection: &Connection, after: u64) -> rusqlite::Result<Vec<Session>> {
    let select = "SELECT author, secret, name, seen, quit FROM sessions
        WHERE author > ?1 ORDER BY author LIMIT ?2";
    let row = |row: &Row<'_>| {
        Ok(Session {
            author: row.get(0)?,
            secret: format!("{:x}", Hex(row.get_ref(1)?.as_blob()?)),
            name: row.get(2)?,
            seen: row.get(3)?,
            quit: row.get(4)?,
        })
    };
    let mut select = connection.prepare_cached(select)?;
    select.query_map((after, ROWS), row)?.collect()
}

/// Returns the line of a place, and its span.
fn place(connection: &Connection, id: i64) -> rusqlite::Result<Option<(Line, Span)>> {
    let row = |row: &Row<'_>| {
        let newest = row.get(3)?;
        let line = match row.get(0)? {
            Some(name) => Line::Channel {
                name,
                newest,
                pinned: row.get(5)?,
                writing: row.get(6)?,
            },
            None => Line::Conversation {
                between: [row.get(1)?, row.get(2)?],
                newest,
            },
        };
        let (first, newest) = (Seq(row.get(4)?), Seq(newest));
        Ok((line, Span { first, newest }))
    };
    let select = "SELECT name, one, other, newest, first, pinned, nullif(writing, 0)
        FROM places WHERE id = ?1";
    connection
        .prepare_cached(select)?
        .query_row([id], row)
        .optional()
}

/// Passes a place's messages of a span to `take`. Pruning deletes messages that were passed
/// already; if it overtakes the export there is a gap, which no import accepts.
fn each_message(
    connection: &Connection,
    id: i64,
    span: Span,
    take: &mut impl FnMut(&Line) -> history::Result<()>,
) -> history::Result<()> {
    let select = "SELECT seq, at, author, sender, recipient, text, action, nonce, owner, kind, of
        FROM messages WHERE place = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";
    let row = |row: &Row<'_>| {
        let of = || row.get(10);
        let change = match row.get(9)? {
            0 => None,
            1 => Some(Change::Edit(of()?)),
            2 => Some(Change::Delete(of()?)),
            3 => Some(Change::React(of()?)),
            4 => Some(Change::Unreact(of()?)),
            _ => Some(Change::Deleted),
        };
        Ok(Message {
            seq: row.get(0)?,
            at: row.get(1)?,
            author: row.get(2)?,
            from: row.get(3)?,
            to: row.get(4)?,
            text: row.get(5)?,
            action: row.get(6)?,
            nonce: row.get(7)?,
            owner: row.get(8)?,
            change,
        })
    };
    let mut select = connection.prepare_cached(select)?;
    let (mut after, newest) = (span.first.0 - 1, span.newest.0);
    let mut is_first = true;
    loop {
        let rows = select.query_map((id, after, newest, ROWS), row)?;
        let rows: Vec<Message> = rows.collect::<Result<_, _>>()?;
        let first = rows.first().map_or(newest + 1, |message| message.seq);
        if !std::mem::take(&mut is_first) && first != after + 1 {
            let why = "messages were pruned while they were read; export it again";
            return Err(StoreError(why.to_owned()));
        }
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.seq;
        let mut lines = rows.into_iter().map(Line::Message);
        lines.try_for_each(|line| take(&line))?;
    }
}

/// A database that is made from lines.
struct Import {
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
    fn begin(target: &Path, epoch: &str) -> Result<Self, String> {
        if target.exists() {
            let target = target.display();
            return Err(format!(
                "there is a history {target} already; move it away, or name another with --history"
            ));
        }
        // SQLite would put it into the new history.
        let log = with_ending(target, "-wal");
        if log.exists() {
            let log = log.display();
            return Err(format!(
                "there is the log of another history, {log}; move it to where its history is"
            ));
        }
        let making = with_ending(target, &format!(".import-{}", std::process::id()));
        create(&making).map_err(|error| cant_make(target, &error.into()))?;
        let target = target.to_owned();
        let (connection, place, uses, newest_author) = (None, 0, 0, 0);
        let mut import = Self {
            connection,
            making,
            target,
            place,
            uses,
            newest_author,
        };
        let opened = import.open(epoch);
        opened.map_err(|error| cant_make(&import.target, &error.into()))?;
        Ok(import)
    }

    fn open(&mut self, epoch: &str) -> rusqlite::Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut connection = Connection::open_with_flags(&self.making, flags)?;
        // If this process dies the file is thrown away.
        connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        schema::migrate(&mut connection, schema::STEPS, epoch)?;
        connection.execute_batch("BEGIN")?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Takes a line that [`Lines`] accepted. The error says what is wrong.
    fn take(&mut self, line: &Line) -> Result<(), String> {
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
            Line::Session(session) => session.author,
            Line::Message(message) => message.author,
        };
        self.newest_author = self.newest_author.max(greatest);
        match line {
            Line::Parlor { .. } => {}
            Line::Session(session) => {
                let insert = "INSERT INTO sessions (author, secret, name, seen, quit)
                    VALUES (?1, ?2, ?3, ?4, ?5)";
                let secret = decode_hex(session.secret.as_bytes());
                let row = (
                    session.author,
                    secret,
                    &session.name,
                    session.seen,
                    session.quit,
                );
                connection.prepare_cached(insert)?.execute(row)?;
            }
            Line::Channel { newest, .. } | Line::Conversation { newest, .. } => {
                self.uses += 1;
                let (name, [one, other], pinned, writing) = match line {
                    Line::Channel {
                        name,
                        pinned,
                        writing,
                        ..
                    } => (Some(name), [None; 2], *pinned, writing.unwrap_or(0)),
                    Line::Conversation { between, .. } => (None, between.map(Some), None, 0),
                    _ => return Ok(()),
                };
                // As if all were pruned: the first message sets `first`.
                let insert = "INSERT INTO places
                    (name, one, other, first, newest, at, used, pinned, writing)
                    VALUES (?1, ?2, ?3, ?4 + 1, ?4, 0, ?5, ?6, ?7)";
                let row = (name, one, other, newest, self.uses, pinned, writing);
                connection.prepare_cached(insert)?.execute(row)?;
                self.place = connection.last_insert_rowid();
            }
            Line::Message(message) => {
                let (seq, at, change) = (message.seq, message.at, message.change);
                let kind = match change {
                    None => 0,
                    Some(Change::Edit(_)) => 1,
                    Some(Change::Delete(_)) => 2,
                    Some(Change::React(_)) => 3,
                    Some(Change::Unreact(_)) => 4,
                    Some(Change::Deleted) => 5,
                };
                let of = change.and_then(Change::of);
                let insert = "INSERT INTO messages (place, seq, at, author, sender, recipient,
                        text, action, nonce, owner, kind, of)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
                let row = params![
                    self.place,
                    seq,
                    at,
                    message.author,
                    message.from,
                    message.to,
                    message.text,
                    message.action,
                    message.nonce,
                    message.owner,
                    kind,
                    of,
                ];
                connection.prepare_cached(insert)?.execute(row)?;
                if kind == 1 {
                    let edit = "UPDATE messages SET edited = ?3 WHERE place = ?1 AND seq = ?2";
                    connection
                        .prepare_cached(edit)?
                        .execute((self.place, of, at))?;
                }
                let update = "UPDATE places SET at = ?3, first_at = coalesce(first_at, ?3),
                    first = min(first, ?2) WHERE id = ?1";
                connection
                    .prepare_cached(update)?
                    .execute((self.place, seq, at))?;
            }
        }
        Ok(())
    }

    /// Gives the history its name, after the last line.
    fn finish(mut self) -> history::Result<()> {
        if let Some(connection) = self.connection.take() {
            count_reactions(&connection, "true", [])?;
            connection.execute("UPDATE history SET authors = ?1", [self.newest_author])?;
            connection.execute_batch("COMMIT")?;
            connection.close().map_err(|(_, error)| error)?;
            File::open(&self.making)?.sync_all()?;
            // A link fails if the name is in use by now; a rename would replace that file.
            fs::hard_link(&self.making, &self.target)?;
        }
        Ok(())
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
    reported: Instant,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            count: 0,
            reported: Instant::now(),
        }
    }

    fn count(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(1_024) && self.reported.elapsed() >= PROGRESS {
            self.reported = Instant::now();
            let _ = writeln!(io::stderr(), "parlor: {} {} so far", self.count, self.what);
        }
    }
}
