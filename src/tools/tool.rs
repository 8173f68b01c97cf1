//! A tool is a subcommand that runs instead of the server: its row in the table, how it starts, and
//! how it fails.

use super::terminal::Terminal;
use crate::cli::args::{self, Arguments, Parsed};
use crate::cli::output::{FAILED, NAME_AND_VERSION, UNREACHABLE, WRONG, fail};
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

/// A program that runs instead of the server if its name is the first argument.
pub(crate) struct Tool {
    /// The name and operands, for the server's `--help`.
    pub(crate) usage: &'static str,
    pub(crate) help: &'static str,
    /// The text of the tool's own `--help`.
    pub(crate) manual: &'static str,
    /// The names of its options; those that end with `=` have a value.
    pub(crate) options: &'static [&'static str],
    /// The number of operands that it takes, at most.
    pub(super) operands: usize,
    /// Runs the tool. `false` means exit status 1.
    pub(super) run: fn(&Arguments, &mut Terminal<'_>) -> Result<bool, Failure>,
}

/// Why a tool could not do its work, in one line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A wrong option or value: exit status 2.
    Wrong(String),
    /// Anything else: exit status 1.
    Failed(String),
    /// A server that can't be reached, where status 1 has another meaning: exit status 3.
    Unreachable(String),
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self::Failed(error)
    }
}

impl Failure {
    pub(crate) fn wrong(error: impl ToString) -> Self {
        Self::Wrong(error.to_string())
    }

    pub(crate) fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Tool {
    pub(crate) fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn run(
        &self,
        arguments: impl Iterator<Item = OsString>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> ExitCode {
        let mut stdout = io::stdout();
        let mut terminal = Terminal::new(&mut stdout, variable);
        match self.run_in(&mut terminal, arguments) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(FAILED),
            Err(Failure::Failed(error)) => fail(FAILED, &error),
            Err(Failure::Unreachable(error)) => fail(UNREACHABLE, &error),
            Err(Failure::Wrong(error)) => {
                let name = self.name();
                fail(WRONG, &format!("{error}; see parlor {name} --help"))
            }
        }
    }

    fn run_in(
        &self,
        terminal: &mut Terminal<'_>,
        arguments: impl Iterator<Item = OsString>,
    ) -> Result<bool, Failure> {
        let takes_value = |name: &str| {
            let mut named = self
                .options
                .iter()
                .filter_map(|option| option.strip_prefix(name));
            named
                .find(|rest| ["", "="].contains(rest))
                .map(|rest| rest == "=")
        };
        match args::parse(arguments, self.operands, takes_value).map_err(Failure::Wrong)? {
            Parsed::Help => terminal.line(self.manual),
            Parsed::Version => terminal.line(NAME_AND_VERSION),
            Parsed::Arguments(given) => return (self.run)(&given, terminal),
        }
        Ok(true)
    }
}

/// Parses the value of an option that is a number from 1 to 1,000,000.
pub(super) fn number(given: &Arguments, name: &str) -> Result<Option<usize>, Failure> {
    let Some(value) = given.value(name) else {
        return Ok(None);
    };
    match value.to_str().and_then(|value| value.parse().ok()) {
        Some(number @ 1..=1_000_000) => Ok(Some(number)),
        _ => Err(Failure::Wrong(format!(
            "--{name} needs a number from 1 to 1000000"
        ))),
    }
}

/// Checks lines that are to be sent as headers.
pub(super) fn check_headers(lines: &[String]) -> Result<(), Failure> {
    let is_wrong = |line: &&String| !line.contains(':') || line.contains(['\r', '\n']);
    let wrong = lines.iter().find(is_wrong);
    wrong.map_or(Ok(()), |line| {
        let error = format!("{line:?} is not a header such as 'Name: value'");
        Err(Failure::Wrong(error))
    })
}
