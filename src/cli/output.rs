//! Standard output and standard error. Unlike `println!`, nothing here panics when the reader is
//! gone, and a running server never waits for it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// Exit status of a start that failed, or of a tool that found a broken rule.
pub(crate) const FAILED: u8 = 1;
/// Exit status of a wrong option or value.
pub(crate) const WRONG: u8 = 2;
/// Exit status of `parlor test` for a server that can't be reached.
#[cfg(feature = "tools")]
pub(crate) const UNREACHABLE: u8 = 3;

/// The program's name with its version, as `--version` and the listening line show it.
pub(crate) const NAME_AND_VERSION: &str = concat!("parlor ", env!("CARGO_PKG_VERSION"));

/// Prints to standard output. A closed pipe (`parlor --help | head -1`) is no error.
pub(super) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    let _ = written.and_then(|()| stdout.flush());
}

/// Prints to standard output unless the write would block.
pub(super) fn print_if_ready(text: &str) {
    if is_ready(&io::stdout()) {
        print(text);
    }
}

/// Whether a write to this output would not block.
pub(super) fn is_ready(output: &impl AsFd) -> bool {
    let mut descriptors = [PollFd::new(output, PollFlags::OUT)];
    let polled = poll(&mut descriptors, Some(&Timespec::default()));
    polled.is_ok() && descriptors[0].revents().contains(PollFlags::OUT)
}

/// Prints an error as one line on standard error, whatever characters it has, and returns the exit
/// status.
pub(crate) fn fail(status: u8, error: &str) -> ExitCode {
    let line = error.replace(char::is_control, " ");
    let _ = writeln!(io::stderr(), "parlor: {line}");
    ExitCode::from(status)
}
