//! What the subcommands share: why one fails, and how it parses its arguments.

use super::terminal::Terminal;
use crate::cli::args::{self, Arguments, Parsed};
use crate::cli::output::NAME_AND_VERSION;
use std::ffi::OsString;

/// Why a tool could not do its work, in one line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A wrong option or value: exit status 2.
    Wrong(String),
    /// Anything else: exit status 1.
    Failed(String),
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

/// Parses a tool's arguments with at most `operands` operands. `options` are names; those that end
/// with `=` have a value. Returns `None` after printing `help` or the version.
pub(crate) fn arguments(
    arguments: Vec<OsString>,
    operands: usize,
    options: &[&str],
    help: &str,
    terminal: &mut Terminal<'_>,
) -> Result<Option<Arguments>, Failure> {
    let takes_value = |name: &str| {
        let option = options
            .iter()
            .find(|option| option.trim_end_matches('=') == name)?;
        Some(option.ends_with('='))
    };
    match args::parse(arguments, operands, takes_value).map_err(Failure::Wrong)? {
        Parsed::Help => terminal.line(help),
        Parsed::Version => terminal.line(NAME_AND_VERSION),
        Parsed::Arguments(arguments) => return Ok(Some(arguments)),
    }
    Ok(None)
}
