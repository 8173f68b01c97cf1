//! `parlor export` and `parlor import`: a history as lines of JSON, to keep, to read, or to move.
//!
//! Not here: what a line is (`history/lines.rs`), how it gets out of a database and into one
//! (`history/sqlite/dump.rs`).

use super::serve::random;
use crate::chat::name::{ChannelName, UserName};
use crate::history::sqlite::{Export, Import};
use crate::history::{LINE_BYTES, Line, Lines, Place, Settings};
use crate::text::Hex;
use crate::tools::{Failure, terminal::Terminal};
use lexopt::Arg;
use std::ffi::OsString;
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
yet. A line that is wrong is told with its number, and nothing is made.

  --history DB    the database (default parlor.db, or PARLOR_HISTORY)

Exit status: 0, 1 where it could not be done, 2 for a wrong option.";

/// How often it is said how far it is.
const PROGRESS: Duration = Duration::from_secs(2);

/// `parlor export`.
pub(crate) fn export(
    arguments: Vec<OsString>,
    _: &mut dyn Read,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let Some((history, file)) = read_arguments(arguments, EXPORT_HELP, terminal)? else {
        return Ok(true);
    };
    let export = Export::open(&history).map_err(Failure::failed)?;
    let cant =
        |error: io::Error| Failure::failed(format!("can't write {}: {error}", file.display()));
    if file.as_os_str() == "-" {
        return write_lines(&export, &mut io::stdout().lock()).map(|()| true);
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .map_err(cant)?;
    let mut out = BufWriter::new(made);
    let written = write_lines(&export, &mut out)
        .and_then(|()| out.into_inner().map_err(|error| cant(error.into_error())));
    let synced = written.and_then(|made| made.sync_all().map_err(cant));
    if synced.is_err() {
        // Half of an export is none. That it can't be removed changes nothing of what is told.
        let _ = fs::remove_file(&file);
    }
    synced.map(|()| true)
}

fn write_lines(export: &Export, out: &mut dyn Write) -> Result<(), Failure> {
    let mut progress = Progress::new("lines are written");
    let mut buffer = Vec::new();
    let written = export.each(|line| {
        buffer.clear();
        line.encode(&mut buffer);
        progress.count();
        out.write_all(&buffer)
            .map_err(|error| format!("can't write: {error}"))
    });
    written
        .and_then(|()| out.flush().map_err(|error| format!("can't write: {error}")))
        .map_err(Failure::failed)
}

/// `parlor import`.
pub(crate) fn import(
    arguments: Vec<OsString>,
    _: &mut dyn Read,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let Some((history, file)) = read_arguments(arguments, IMPORT_HELP, terminal)? else {
        return Ok(true);
    };
    let cant = |why: String| Failure::failed(format!("can't import {}: {why}", file.display()));
    let epoch = random::<16>().map_err(cant)?;
    let opened = File::open(&file).map_err(|error| cant(error.to_string()))?;
    let epoch = format!("{:x}", Hex(&epoch));
    let mut import = Import::begin(&history, &epoch).map_err(Failure::failed)?;
    read_lines(BufReader::new(opened), |line| import.take(line)).map_err(cant)?;
    import.finish().map_err(Failure::failed)?;
    Ok(true)
}

/// Reads every line, in the memory of one; the error names the line.
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
        let taken = lines
            .read(&text)
            .and_then(|line| check_names(&line).map(|()| line))
            .and_then(|line| take(&line));
        taken.map_err(|why| format!("line {number}: {why}"))?;
        progress.count();
    }
}

/// A name that nobody could have would have nobody who could ask for it.
fn check_names(line: &Line) -> Result<(), String> {
    let user = |name: &str| {
        UserName::parse(name)
            .map(|_| ())
            .map_err(|error| format!("{name:?}: {}", error.sentence()))
    };
    match line {
        Line::Head | Line::Place(Place::Conversation(..), _) => Ok(()),
        Line::Session(row) => user(&row.name),
        Line::Place(Place::Channel(name), _) => match ChannelName::parse(name) {
            Ok(parsed) if parsed.shown() == &**name => Ok(()),
            Ok(parsed) => Err(format!(
                "the channel {name:?} is called {:?}",
                parsed.shown()
            )),
            Err(error) => Err(format!("{name:?}: {}", error.sentence())),
        },
        Line::Message(record) => {
            user(&record.what.from).and_then(|()| record.what.to.as_deref().map_or(Ok(()), user))
        }
    }
}

/// The database and the file; `None`: the help was asked for.
fn read_arguments(
    arguments: Vec<OsString>,
    help: &str,
    terminal: &mut Terminal<'_>,
) -> Result<Option<(PathBuf, PathBuf)>, Failure> {
    let wrong = |error: lexopt::Error| Failure::wrong(error.to_string());
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut history, mut file) = (None, None);
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => {
                terminal.line(help);
                return Ok(None);
            }
            Arg::Long("history") => history = Some(PathBuf::from(parser.value().map_err(wrong)?)),
            Arg::Value(value) if file.is_none() => file = Some(PathBuf::from(value)),
            other => return Err(wrong(other.unexpected())),
        }
    }
    let file = file.ok_or_else(|| Failure::wrong("which file?".to_owned()))?;
    let from_variable = || {
        std::env::var_os("PARLOR_HISTORY")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let history = history
        .or_else(from_variable)
        .unwrap_or_else(|| Settings::default().path);
    if history == *Path::new("") {
        return Err(Failure::wrong("--history must be a file".to_owned()));
    }
    Ok(Some((history, file)))
}

/// Says on standard error how far it is, where it takes long.
struct Progress {
    what: &'static str,
    count: u64,
    told: Instant,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            count: 0,
            told: Instant::now(),
        }
    }

    fn count(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(1_024) && self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            // Nobody has to read it.
            let _ = writeln!(io::stderr(), "parlor: {} {} so far", self.count, self.what);
        }
    }
}
