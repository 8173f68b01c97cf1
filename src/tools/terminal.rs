//! Standard output of a tool: lines, with colours if a person sees them and none for a program.
//!
//! Colours only ever add to words. What a peer sent is escaped (`text`) before it comes here.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

/// The look of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Strong,
    Faint,
    Right,
    Wrong,
    /// One of several parts, each in its own colour.
    Part(usize),
}

/// Standard output, or a buffer in a test.
pub(crate) struct Terminal<'a> {
    out: &'a mut dyn Write,
    has_colours: bool,
}

impl<'a> Terminal<'a> {
    /// Uses colours if standard output is a terminal that shows them and `NO_COLOR` is not set
    /// (<https://no-color.org>).
    pub(crate) fn new(out: &'a mut dyn Write, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = variable("TERM").is_some_and(|terminal| terminal == "dumb");
        let has_colours = io::stdout().is_terminal() && !is_unwanted && !is_dumb;
        Self { out, has_colours }
    }

    /// Prints one line. A closed pipe (`parlor explain … | head -3`) is no error.
    pub(crate) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
    }

    pub(crate) fn styled(&mut self, style: Style, text: &str) {
        self.line(&self.paint(style, text));
    }

    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        const PARTS: [u8; 6] = [36, 33, 35, 34, 32, 96];
        let code = match style {
            Style::Strong => 1,
            Style::Faint => 2,
            Style::Right => 32,
            Style::Wrong => 31,
            Style::Part(number) => PARTS[number % PARTS.len()],
        };
        match self.has_colours && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_added_only_for_a_terminal() {
        for (has_colours, expected) in [(false, "x\n"), (true, "\x1b[33mx\x1b[0m\n")] {
            let mut out = Vec::new();
            let mut terminal = Terminal {
                out: &mut out,
                has_colours,
            };
            let word = terminal.paint(Style::Part(7), "x");
            terminal.line(&word);
            assert_eq!(out, expected.as_bytes());
        }
    }
}
