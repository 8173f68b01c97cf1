//! Log lines on standard error, which never hold up the loop.
//!
//! The loop logs from its one thread. Were standard error a pipe whose reader has fallen asleep, or
//! a terminal that somebody
//! stopped with Ctrl-S, a plain `write` would stop the whole chat; so a line that would have to
//! wait is dropped. Making the
//! descriptor non-blocking instead would do that to everybody who shares it, the shell among them.
//!
//! Not here: what is logged (`hub` and `server` do).

use env_logger::{Builder, Target};
use std::ffi::OsString;
use std::io::{self, Write};

/// What is logged where nobody said otherwise: nothing about single peers.
const DEFAULT: &str = "info";
/// So much always goes into a pipe that is writable at all (`PIPE_BUF`, pipe(7)).
const LINE_BYTES: usize = 4_096;

/// From here on, `log` writes to standard error what `PARLOR_LOG`, or else `RUST_LOG`, asks for.
pub(super) fn begin(variable: impl Fn(&str) -> Option<OsString>) {
    let mut asked = ["PARLOR_LOG", "RUST_LOG"]
        .into_iter()
        .filter_map(|name| variable(name)?.into_string().ok());
    let filter = asked
        .find(|filter| !filter.is_empty())
        .unwrap_or_else(|| DEFAULT.to_owned());
    let mut builder = Builder::new();
    builder
        .parse_filters(&filter)
        .target(Target::Pipe(Box::new(Stderr)));
    builder.format(|out, record| writeln!(out, "{:5} {}", record.level(), record.args()));
    // An error says that somebody has set a logger already: then that one it is.
    let _ = builder.try_init();
}

/// Standard error without waiting.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if super::has_room(&io::stderr()) {
            // Cut, so that it can't be longer than what there is room for.
            let _ = io::stderr().write(&line[..line.len().min(LINE_BYTES)]);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
