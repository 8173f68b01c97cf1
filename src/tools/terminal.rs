//! What is printed, with colours where a person looks at it and none where a program reads it.
//!
//! Colours are only ever an addition: every word that matters stands there without them too.
//!
//! Not here: what a peer sent (`escaped` makes that harmless before it comes here).

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

/// How a word looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// What one looks for first.
    Strong,
    /// What one looks at last.
    Faint,
    /// As it should be.
    Right,
    /// As it must not be.
    Wrong,
    /// The parts of something, told apart: any number.
    Part(usize),
}

/// Standard output, or what stands for it in a test.
pub(crate) struct Terminal<'a> {
    out: &'a mut dyn Write,
    has_colours: bool,
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, has_colours: bool) -> Self {
        Self { out, has_colours }
    }

    /// One line. That nobody reads it is no error: `parlor explain frames FILE | head -3`.
    pub(crate) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
    }

    /// A word in a style.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if !self.has_colours || text.is_empty() {
            return text.to_owned();
        }
        const PARTS: [u8; 6] = [36, 33, 35, 34, 32, 96];
        let code = match style {
            Style::Strong => 1,
            Style::Faint => 2,
            Style::Right => 32,
            Style::Wrong => 31,
            Style::Part(number) => PARTS[number % PARTS.len()],
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Whether standard output is a terminal that can show colours and whose owner likes them:
/// `NO_COLOR` with anything in it says
/// no (<https://no-color.org>).
pub(crate) fn wants_colours(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal()
        && !is_unwanted
        && variable("TERM").is_none_or(|terminal| terminal != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_without_colours() {
        let mut out = Vec::new();
        let mut plain = Terminal::new(&mut out, false);
        let word = plain.paint(Style::Wrong, "wrong");
        plain.line(&word);
        assert_eq!(out, b"wrong\n");
        let mut out = Vec::new();
        let mut coloured = Terminal::new(&mut out, true);
        let word = coloured.paint(Style::Part(7), "x");
        coloured.line(&word);
        assert_eq!(out, b"\x1b[33mx\x1b[0m\n");
    }
}
