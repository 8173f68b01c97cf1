//! Splits a command line into options and operands: one loop for the server and for every tool.

use lexopt::Arg;
use std::ffi::{OsStr, OsString};

/// The action that a command line asks for.
pub(crate) enum Parsed {
    /// The option `--help` or `-h`.
    Help,
    /// The option `--version` or `-V`.
    Version,
    /// All other command lines.
    Arguments(Arguments),
}

/// The options and operands of a command line, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    options: Vec<(String, OsString)>,
    pub(crate) operands: Vec<OsString>,
}

/// Parses arguments with at most `operands` operands. `takes_value` says of an option, named
/// without its dashes, whether it has a value; `None` means that there is no such option. An error
/// is one line.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    operands: usize,
    takes_value: impl Fn(&str) -> Option<bool>,
) -> Result<Parsed, String> {
    let text = |error: lexopt::Error| error.to_string();
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut parsed = Arguments::default();
    while let Some(argument) = parser.next().map_err(text)? {
        let name = match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Parsed::Version),
            Arg::Long(name) => name.to_owned(),
            Arg::Value(value) if parsed.operands.len() < operands => {
                parsed.operands.push(value);
                continue;
            }
            other => return Err(text(other.unexpected())),
        };
        let value = match takes_value(&name) {
            None => return Err(format!("there is no option --{name}")),
            Some(false) => OsString::new(),
            Some(true) => parser.value().map_err(text)?,
        };
        parsed.options.push((name, value));
    }
    Ok(Parsed::Arguments(parsed))
}

impl Arguments {
    /// Returns the first operand. An error says that it is missing.
    #[cfg(feature = "tools")]
    pub(crate) fn operand(&self, name: &str) -> Result<&OsStr, String> {
        let first = self.operands.first().map(OsString::as_os_str);
        first.ok_or_else(|| format!("{name} is missing"))
    }

    /// Returns whether any option was given.
    #[cfg(feature = "tools")]
    pub(crate) fn has_options(&self) -> bool {
        !self.options.is_empty()
    }

    /// Returns whether this option was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Returns the value of this option: the last one that was given.
    #[cfg(feature = "tools")]
    pub(crate) fn value(&self, name: &str) -> Option<&OsStr> {
        self.values(name).next_back()
    }

    /// Returns every value that was given for this option.
    pub(crate) fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &OsStr> {
        let named = self.options.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_os_str())
    }
}
