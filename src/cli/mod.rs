//! The command line: what is asked for, and how it ends.
//!
//! Exit status: 0 for all that went well, 1 for a start that failed (or a rule that is broken), 2
//! for a wrong option. What
//! goes wrong is one line on standard error. Nothing here panics because nobody reads: `println!`
//! would.
//!
//! Not here: the options (`options`), the server (`serve`), log lines (`log_output`), the
//! subcommands (a file each).

mod addresses;
#[cfg(all(feature = "history", feature = "tools"))]
pub(crate) mod backup;
mod help;
mod invitation;
#[cfg(feature = "log-output")]
mod log_output;
pub mod options;
pub(crate) mod serve;
mod values;

pub use help::help;

use crate::tools;
use options::Asked;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

pub(crate) const FAILED: u8 = 1;
pub(crate) const WRONG: u8 = 2;

/// What `parlor VERSION` is called, wherever it says so.
pub(crate) const NAME_AND_VERSION: &str = concat!("parlor ", env!("CARGO_PKG_VERSION"));

/// Does what the arguments (without the program's name) and the environment ask for.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> ExitCode {
    let mut arguments = arguments.into_iter().peekable();
    if let Some(first) = arguments.peek().and_then(|first| first.to_str()) {
        #[cfg(feature = "tools")]
        if let Some(tool) = tools::TOOLS.iter().find(|tool| tool.name == first) {
            return tool.run(arguments.skip(1).collect(), &variable);
        }
        #[cfg(not(feature = "tools"))]
        if tools::NAMES.contains(&first) {
            let error = format!("{first} needs a parlor that was built with the feature tools");
            return complain(WRONG, &error);
        }
    }
    let asked = match options::parse(arguments, &variable) {
        Ok(asked) => asked,
        Err(error) => return complain(WRONG, &format!("{error}; see parlor --help")),
    };
    match asked {
        Asked::Help => say(&help()),
        Asked::Version => say(&format!("{NAME_AND_VERSION}\n")),
        Asked::Serve(options) => {
            #[cfg(feature = "log-output")]
            log_output::begin(&variable);
            if let Err(error) = serve::serve(&options, announce) {
                return complain(FAILED, &error);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Bytes by chance.
pub(crate) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], String> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| format!("the system has no random numbers: {error}"))?;
    Ok(bytes)
}

/// Writes to standard output. That nobody reads it (`parlor --help | head -1`) is no error.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Writes to standard output, unless that would have to wait: the server's start depends on nobody
/// who reads.
fn announce(text: &str) {
    if has_room(&io::stdout()) {
        say(text);
    }
}

/// Whether a write to this output would not have to wait for a reader.
fn has_room(output: &impl AsFd) -> bool {
    let mut descriptors = [PollFd::new(output, PollFlags::OUT)];
    let asked = poll(
        &mut descriptors,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    );
    asked.is_ok() && descriptors[0].revents().contains(PollFlags::OUT)
}

/// One line on standard error, whatever stands in it.
pub(crate) fn complain(status: u8, error: &str) -> ExitCode {
    let _ = writeln!(
        io::stderr(),
        "parlor: {}",
        error.replace(char::is_control, " ")
    );
    ExitCode::from(status)
}
