//! `parlor export` and `parlor import`: a history as lines of JSON, to keep, to read, or to move.
//!
//! An export reads a database that may be in use, a thousand rows at a time without a lock in
//! between: a reader that takes long would keep the running server's log from being emptied. An
//! import goes into a new file beside the one that it is to become, and takes its name when it is
//! whole.

use super::lines::{Change, LINE_BYTES, Line, Lines, VERSION};
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use super::transcript::Excerpt;
use crate::cli::args::Arguments;
use crate::cli::serve::random_id;
use crate::history::sqlite::{execute, open_private, schema, select_all, select_one, with_ending};
use crate::history::{self, Settings, StoreError};
use crate::text::decode_hex;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
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
const ROWS: usize = 1_000;

/// The lines of `lines`, made by SQLite. `json_patch` removes what is NULL.
const SESSIONS: &str = "SELECT author, json_object('type', 'session', 'author', author,
        'secret', lower(hex(secret)), 'name', name, 'seen', seen,
        'quit', json(iif(quit, 'true', 'false')))
    FROM sessions WHERE author > ?1 ORDER BY author LIMIT ?2";
const PLACE: &str = "SELECT first, newest, json_patch('{}', iif(name IS NULL,
        json_object('type', 'conversation', 'between', json_array(one, other), 'newest', newest),
        json_object('type', 'channel', 'name', name, 'newest', newest, 'pinned', pinned,
            'writing', nullif(writing, 0))))
    FROM places WHERE id = ?1";
const MESSAGES: &str = "SELECT seq, json_patch('{}', json_object('type', 'message', 'seq', seq,
        'at', at, 'author', author, 'from', sender, 'to', recipient, 'text', nullif(text, ''),
        'action', iif(action, json('true'), NULL), 'nonce', nonce,
        'owner', iif(owner, json('true'), NULL), 'change', CASE kind WHEN 0 THEN NULL
            WHEN 1 THEN json_object('edit', of) WHEN 2 THEN json_object('delete', of)
            WHEN 3 THEN json_object('react', of) WHEN 4 THEN json_object('unreact', of)
            ELSE 'deleted' END))
    FROM messages WHERE place = ?1 AND seq >= ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";

/// Ends an import. Until then each place has the numbers of one whose messages were all pruned.
const FINISH: &str = "
    UPDATE places SET first = m.seq, first_at = m.at
        FROM (SELECT place, min(seq) AS seq, at FROM messages GROUP BY place) AS m
        WHERE id = m.place;
    UPDATE places SET at = m.at
        FROM (SELECT place, max(seq), at FROM messages GROUP BY place) AS m
        WHERE id = m.place;
    UPDATE messages SET edited = e.at
        FROM (SELECT place, of, max(seq), at FROM messages WHERE kind = 1 GROUP BY place, of) AS e
        WHERE messages.place = e.place AND messages.seq = e.of;
    -- The last reaction of each author with each emoji stands, unless it is a withdrawal.
    INSERT INTO reactions SELECT place, of, text, author, by FROM (
        SELECT place, of, text, author, max(seq) AS by, kind FROM messages
        WHERE kind IN (3, 4) GROUP BY place, of, text, author
    ) WHERE kind = 3;
    UPDATE messages SET reacted = 1
        WHERE (place, seq) IN (SELECT place, seq FROM reactions);
    UPDATE history SET authors = (SELECT coalesce(max(author), 0) FROM (
        SELECT author FROM sessions UNION ALL SELECT author FROM messages
        UNION ALL SELECT other FROM places));
    COMMIT";

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
    let made = open_private(&file, true).map_err(|error| cant(error.into()))?;
    let written = write(&connection, excerpt.as_ref(), made).and_then(|made| Ok(made.sync_all()?));
    if written.is_err() {
        // Half of an export is useless.
        let _ = fs::remove_file(&file);
    }
    written.map(|()| true).map_err(cant)
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

/// Returns the part of the history that is exported as HTML.
fn excerpt(given: &Arguments) -> Result<Option<Excerpt>, Failure> {
    let value = |name| given.value(name).and_then(OsStr::to_str);
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
    let target = history_path(given)?;
    let file = PathBuf::from(given.operand("the file").map_err(Failure::Wrong)?);
    let cant = |why| Failure::failed(format!("can't import {}: {why}", file.display()));
    let epoch = random_id().map_err(cant)?;
    let opened = File::open(&file).map_err(|error| cant(error.to_string()))?;
    if target.exists() {
        let target = target.display();
        return Err(Failure::failed(format!(
            "there is a history {target} already; move it away, or name another with --history"
        )));
    }
    // SQLite would put it into the new history.
    let log = with_ending(&target, "-wal");
    if log.exists() {
        let log = log.display();
        return Err(Failure::failed(format!(
            "there is the log of another history, {log}; move it to where its history is"
        )));
    }
    let cant_make = |why: StoreError| {
        Failure::failed(format!(
            "can't make the history {}: {why}",
            target.display()
        ))
    };
    let making = with_ending(&target, &format!(".import-{}", std::process::id()));
    open_private(&making, true).map_err(|error| cant_make(error.into()))?;
    let make = || {
        let failed = |error: rusqlite::Error| cant_make(error.into());
        let connection = schema::create(&making, &epoch).map_err(failed)?;
        connection.execute_batch("BEGIN").map_err(failed)?;
        let insert = |line: &Line| {
            let inserted = insert(&connection, line);
            inserted.map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => "it is in the file twice".to_owned(),
                _ => StoreError::from(error).0,
            })
        };
        read_lines(BufReader::new(opened), insert).map_err(cant)?;
        finish(connection, &making, &target).map_err(cant_make)
    };
    let made = make();
    let _ = fs::remove_file(&making);
    made.map(|()| true)
}

/// Reads every line, in the memory of one. The error names the line.
fn read_lines(
    mut file: impl BufRead,
    take: impl Fn(&Line) -> Result<usize, String>,
) -> Result<(), String> {
    let mut count = progress("lines are read");
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
        count();
    }
}

fn history_path(given: &Arguments) -> Result<PathBuf, Failure> {
    let history = given.value("history").map(OsStr::to_owned);
    let from_variable = || std::env::var_os("PARLOR_HISTORY").filter(|value| !value.is_empty());
    let history = history.or_else(from_variable).map(PathBuf::from);
    let history = history.unwrap_or_else(|| Settings::default().path);
    // SQLite takes some relative names, such as `:memory:`, for something else than a path.
    let history = std::path::absolute(history);
    history.map_err(|_| Failure::wrong("--history must be a file"))
}

fn open(path: &Path) -> history::Result<Connection> {
    if schema::is_empty(&File::open(path)?, path)? {
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

/// Writes every line of a history in its order.
fn write_lines(connection: &Connection, out: &mut impl Write) -> history::Result<()> {
    let mut count = progress("lines are written");
    let mut write = |line: &str| {
        count();
        writeln!(out, "{line}")
    };
    write(&format!(r#"{{"type":"parlor","version":{VERSION}}}"#))?;
    let mut after = 0;
    loop {
        let rows = select_all(connection, SESSIONS, (after, ROWS), |row| row.try_into())?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        after = *last;
        rows.iter()
            .try_for_each(|(_, line): &(u64, String)| write(line))?;
    }
    // In the order of use now: a place that is used meanwhile would come twice.
    let places = "SELECT id FROM places WHERE newest > 0 AND NOT removed ORDER BY used";
    for id in select_all(connection, places, [], |row| row.get::<_, i64>(0))? {
        let place = select_one(connection, PLACE, [id], |row| row.try_into())?;
        // It may have been forgotten meanwhile.
        let Some((first, newest, line)): Option<(u64, u64, String)> = place else {
            continue;
        };
        write(&line)?;
        write_messages(connection, (id, first, newest), &mut write)?;
    }
    Ok(())
}

/// Writes the messages of a place from `first` to `newest`. Pruning deletes messages that were
/// written already; if it overtakes the export there is a gap, which no import accepts.
fn write_messages(
    connection: &Connection,
    (place, first, newest): (i64, u64, u64),
    write: &mut impl FnMut(&str) -> io::Result<()>,
) -> history::Result<()> {
    let (mut next, mut is_first) = (first, true);
    loop {
        let values = (place, next, newest, ROWS);
        let rows = select_all(connection, MESSAGES, values, |row| row.try_into())?;
        let begin = rows.first().map_or(newest + 1, |(seq, _)| *seq);
        if begin != next && !is_first {
            let why = "messages were pruned while they were read; export it again";
            return Err(StoreError(why.to_owned()));
        }
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        (next, is_first) = (last + 1, false);
        rows.iter()
            .try_for_each(|(_, line): &(u64, String)| write(line))?;
    }
}

/// Inserts the row of a line that [`Lines`] accepted.
fn insert(connection: &Connection, line: &Line) -> rusqlite::Result<usize> {
    match line {
        Line::Parlor { .. } => Ok(0),
        Line::Session(session) => {
            let insert = "INSERT INTO sessions (author, secret, name, seen, quit)
                VALUES (?1, ?2, ?3, ?4, ?5)";
            let (author, secret) = (session.author, decode_hex(session.secret.as_bytes()));
            let row = (author, secret, &session.name, session.seen, session.quit);
            execute(connection, insert, row)
        }
        Line::Channel {
            name,
            newest,
            pinned,
            writing,
        } => {
            let insert = "INSERT INTO places (name, first, newest, at, used, pinned, writing)
                SELECT ?1, ?2 + 1, ?2, 0, coalesce(max(used), 0) + 1, ?3, coalesce(?4, 0)
                FROM places";
            execute(connection, insert, (name, newest, pinned, writing))
        }
        Line::Conversation { between, newest } => {
            let insert = "INSERT INTO places (one, other, first, newest, at, used)
                SELECT ?1, ?2, ?3 + 1, ?3, 0, coalesce(max(used), 0) + 1 FROM places";
            execute(connection, insert, (between[0], between[1], newest))
        }
        Line::Message(message) => {
            let (kind, of) = match message.change {
                None => (0, None),
                Some(Change::Edit(of)) => (1, Some(of)),
                Some(Change::Delete(of)) => (2, Some(of)),
                Some(Change::React(of)) => (3, Some(of)),
                Some(Change::Unreact(of)) => (4, Some(of)),
                Some(Change::Deleted) => (5, None),
            };
            let insert = "INSERT INTO messages (place, seq, at, author, sender, recipient,
                    text, action, nonce, owner, kind, of)
                VALUES ((SELECT max(id) FROM places),
                    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
            let row = params![
                message.seq,
                message.at,
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
            execute(connection, insert, row)
        }
    }
}

/// Computes what no line says, and gives the history its name.
fn finish(connection: Connection, making: &Path, target: &Path) -> history::Result<()> {
    connection.execute_batch(FINISH)?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(making)?.sync_all()?;
    // A link fails if the name is in use by now; a rename would replace that file.
    Ok(fs::hard_link(making, target)?)
}

/// Counts something, and reports the number on standard error if it takes long.
fn progress(what: &'static str) -> impl FnMut() {
    let (mut count, mut reported) = (0_u64, Instant::now());
    move || {
        count += 1;
        if count.is_multiple_of(1_024) && reported.elapsed() >= PROGRESS {
            reported = Instant::now();
            let _ = writeln!(io::stderr(), "parlor: {count} {what} so far");
        }
    }
}
