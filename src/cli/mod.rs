//! The command line: what is asked for, and how it ends.
//!
//! Exit status: 0 for all that went well, 1 for a start that failed (or a rule that is broken), 2
//! for a wrong option. What
//! goes wrong is one line on standard error. Nothing here panics because nobody reads: `println!`
//! would.
//!
//! Not here: the options (`options`), the server (`serve`), log lines (`log_output`), the
//! subcommands (a file each).

mod address;
mod addresses;
#[cfg(feature = "history")]
mod backup;
pub mod cases;
mod client;
mod explain;
mod help;
mod invitation;
#[cfg(feature = "log-output")]
mod log_output;
pub mod options;
mod poke;
mod record;
mod replay;
mod serve;
mod terminal;
mod values;

pub use help::help;

use options::Asked;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use terminal::Terminal;

const FAILED: u8 = 1;
const WRONG: u8 = 2;

/// What `parlor VERSION` is called, wherever it says so.
const NAME_AND_VERSION: &str = concat!("parlor ", env!("CARGO_PKG_VERSION"));

/// A word that stands where the first option would, and is another program.
struct Subcommand {
    name: &'static str,
    /// For `--help`.
    usage: &'static str,
    help: &'static str,
    /// `false`: it went well, and the answer is no (status 1).
    run: fn(Vec<OsString>, &mut dyn Read, &mut Terminal<'_>) -> Result<bool, Failure>,
}

/// **The** table of subcommands.
const SUBCOMMANDS: &[Subcommand] = &[
    #[cfg(feature = "history")]
    Subcommand {
        name: "export",
        usage: "export FILE",
        help: "write the history as lines of JSON",
        run: backup::export,
    },
    #[cfg(feature = "history")]
    Subcommand {
        name: "import",
        usage: "import FILE",
        help: "make a history from such lines",
        run: backup::import,
    },
    Subcommand {
        name: "client",
        usage: "client URL",
        help: "talk to a WebSocket from the terminal",
        run: client::run,
    },
    Subcommand {
        name: "explain",
        usage: "explain handshake|frames",
        help: "what is right and wrong with a handshake or with frames, with the sections of the standard",
        run: explain::run,
    },
    Subcommand {
        name: "poke",
        usage: "poke URL",
        help: "what the standard forbids, played against a server on this machine",
        run: poke::run,
    },
    Subcommand {
        name: "replay",
        usage: "replay FILE",
        help: "what --record kept, run through the same code again",
        run: replay::run,
    },
];

/// Why a subcommand came to nothing: exit status and one line.
#[derive(Debug)]
struct Failure {
    status: u8,
    sentence: String,
}

impl Failure {
    /// A wrong option or value.
    fn wrong(sentence: String) -> Self {
        Self {
            status: WRONG,
            sentence,
        }
    }

    /// The world did not let it.
    fn failed(sentence: String) -> Self {
        Self {
            status: FAILED,
            sentence,
        }
    }
}

/// Does what the arguments (without the program's name) and the environment ask for.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> ExitCode {
    let mut arguments = arguments.into_iter().peekable();
    if let Some(subcommand) = SUBCOMMANDS
        .iter()
        .find(|known| arguments.peek().is_some_and(|first| first == known.name))
    {
        return run_subcommand(subcommand, arguments.skip(1).collect(), &variable);
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

fn run_subcommand(
    subcommand: &Subcommand,
    arguments: Vec<OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> ExitCode {
    let mut stdout = io::stdout();
    let mut terminal = Terminal::new(&mut stdout, terminal::wants_colours(variable));
    match (subcommand.run)(arguments, &mut io::stdin(), &mut terminal) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(Failure { status, sentence }) if status == WRONG => complain(
            WRONG,
            &format!("{sentence}; see parlor {} --help", subcommand.name),
        ),
        Err(Failure { status, sentence }) => complain(status, &sentence),
    }
}

/// Bytes by chance.
fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], String> {
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
fn complain(status: u8, error: &str) -> ExitCode {
    let _ = writeln!(
        io::stderr(),
        "parlor: {}",
        error.replace(char::is_control, " ")
    );
    ExitCode::from(status)
}
