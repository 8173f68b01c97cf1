//! The table of subcommands, and how one is run.

use super::terminal::{self, Terminal};
use super::{client, explain, poke, replay};
use crate::cli::output::{FAILED, WRONG, fail};
use std::ffi::OsString;
use std::io::{self, Read};
use std::process::ExitCode;

/// A word that stands where the first option would, and is another program.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// For `--help`.
    pub(crate) usage: &'static str,
    pub(crate) help: &'static str,
    /// `false`: it went well, and the answer is no (status 1).
    run: fn(Vec<OsString>, &mut dyn Read, &mut Terminal<'_>) -> Result<bool, Failure>,
}

/// **The** table of subcommands.
pub(crate) const TOOLS: &[Tool] = &[
    #[cfg(feature = "history")]
    Tool {
        name: "export",
        usage: "export FILE",
        help: "write the history as lines of JSON",
        run: crate::cli::backup::export,
    },
    #[cfg(feature = "history")]
    Tool {
        name: "import",
        usage: "import FILE",
        help: "make a history from such lines",
        run: crate::cli::backup::import,
    },
    Tool {
        name: "client",
        usage: "client URL",
        help: "talk to a WebSocket from the terminal",
        run: client::run,
    },
    Tool {
        name: "explain",
        usage: "explain handshake|frames",
        help: "what is right and wrong with a handshake or with frames, with the sections of the standard",
        run: explain::run,
    },
    Tool {
        name: "poke",
        usage: "poke URL",
        help: "what the standard forbids, played against a server on this machine",
        run: poke::run,
    },
    Tool {
        name: "replay",
        usage: "replay FILE",
        help: "what --record kept, run through the same code again",
        run: replay::run,
    },
];

/// Returns the tool of this name.
pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// Runs the tool and returns its exit status.
    pub(crate) fn run(
        &self,
        arguments: Vec<OsString>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> ExitCode {
        let mut stdout = io::stdout();
        let mut terminal = Terminal::new(&mut stdout, terminal::wants_colours(variable));
        match (self.run)(arguments, &mut io::stdin(), &mut terminal) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(FAILED),
            Err(Failure { status, sentence }) if status == WRONG => {
                let name = self.name;
                fail(WRONG, &format!("{sentence}; see parlor {name} --help"))
            }
            Err(Failure { status, sentence }) => fail(status, &sentence),
        }
    }
}

/// Why a subcommand came to nothing: exit status and one line.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    pub(super) sentence: String,
}

impl Failure {
    /// A wrong option or value.
    pub(crate) fn wrong(sentence: String) -> Self {
        Self {
            status: WRONG,
            sentence,
        }
    }

    /// The world did not let it.
    pub(crate) fn failed(sentence: String) -> Self {
        Self {
            status: FAILED,
            sentence,
        }
    }
}
