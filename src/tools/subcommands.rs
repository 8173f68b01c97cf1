//! The table of subcommands, and how one of them runs.

#[cfg(feature = "history")]
use super::backup;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{client, explain, poke, replay};
use crate::cli::output::{FAILED, WRONG, fail};
use std::ffi::OsString;
use std::io::{self, Read};
use std::process::ExitCode;

/// A program that runs instead of the server if its name is the first argument.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The name and operands, for `--help`.
    pub(crate) usage: &'static str,
    pub(crate) help: &'static str,
    /// Runs the tool. `false` means exit status 1.
    run: fn(Vec<OsString>, &mut dyn Read, &mut Terminal<'_>) -> Result<bool, Failure>,
}

/// Every tool, in the order of `--help`.
pub(crate) const TOOLS: &[Tool] = &[
    #[cfg(feature = "history")]
    Tool {
        name: "export",
        usage: "export FILE",
        help: "write the history as lines of JSON",
        run: backup::export,
    },
    #[cfg(feature = "history")]
    Tool {
        name: "import",
        usage: "import FILE",
        help: "create a history from exported lines",
        run: backup::import,
    },
    Tool {
        name: "client",
        usage: "client URL",
        help: "chat, or talk to any WebSocket server, in the terminal",
        run: client::run,
    },
    Tool {
        name: "explain",
        usage: "explain handshake|frames",
        help: "check a handshake or frames, and name the sections of the standard",
        run: explain::run,
    },
    Tool {
        name: "poke",
        usage: "poke URL",
        help: "send inputs that the standard forbids to a server on this machine",
        run: poke::run,
    },
    Tool {
        name: "replay",
        usage: "replay FILE",
        help: "run a recording of --record through the same code again",
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
        let mut terminal = Terminal::new(&mut stdout, variable);
        match (self.run)(arguments, &mut io::stdin(), &mut terminal) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(FAILED),
            Err(Failure::Failed(error)) => fail(FAILED, &error),
            Err(Failure::Wrong(error)) => {
                fail(WRONG, &format!("{error}; see parlor {} --help", self.name))
            }
        }
    }
}
