//! Log lines on standard error, written so that they never block the event loop.
//!
//! If standard error is a pipe that nothing reads, or a terminal stopped with Ctrl-S, a plain
//! write would stop the whole chat. A line that would block is dropped instead. (The descriptor
//! itself stays blocking, since the shell shares it.)

use super::output::is_ready;
use crate::time::civil;
use log::{LevelFilter, Log, Metadata, Record};
use std::ffi::OsString;
use std::io::{self, Write};
use std::time::UNIX_EPOCH;

/// A pipe that is writable at all takes this many bytes (`PIPE_BUF`, pipe(7)).
const LINE_BYTES: usize = 4_096;

/// Starts logging at the level that `PARLOR_LOG`, or else `RUST_LOG`, names.
pub(super) fn start(variable: impl Fn(&str) -> Option<OsString>) {
    let level = |name| variable(name)?.into_string().ok()?.parse().ok();
    let level = level("PARLOR_LOG").or_else(|| level("RUST_LOG"));
    // The default says nothing about single peers.
    let level = level.unwrap_or(LevelFilter::Info);
    let has_time = !is_journal(variable("JOURNAL_STREAM"));
    // This fails if there is a logger already, which is kept.
    if log::set_logger(Box::leak(Box::new(Stderr { has_time }))).is_ok() {
        log::set_max_level(level);
    }
}

/// Whether standard error goes to systemd's journal, which stamps each line itself. The variable
/// has the device and inode of the journal's socket (systemd.exec(5)).
fn is_journal(variable: Option<OsString>) -> bool {
    let stderr = rustix::fs::fstat(io::stderr());
    let stderr = stderr.map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
    variable.is_some_and(|journal| stderr.is_ok_and(|stderr| journal.to_str() == Some(&stderr)))
}

/// Formats seconds since 1970 as `2026-11-29T01:48:49Z` (RFC 3339).
fn utc(seconds: u64) -> String {
    let ((year, month, day), time) = (civil(seconds / 86_400), seconds % 86_400);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!(
        "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z",
        month + 1
    )
}

/// Standard error without blocking.
struct Stderr {
    has_time: bool,
}

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let time = if self.has_time {
            utc(now) + " "
        } else {
            String::new()
        };
        let line = format!("{time}{:5} {}\n", record.level(), record.args());
        if is_ready(&io::stderr()) {
            let _ = io::stderr().write(&line.as_bytes()[..line.len().min(LINE_BYTES)]);
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    #[test]
    fn log_times_are_rfc_3339() {
        assert_eq!(super::utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(super::utc(1_709_251_199), "2024-02-29T23:59:59Z");
    }
}
