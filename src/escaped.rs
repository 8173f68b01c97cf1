//! A peer's bytes, made harmless for a log or a terminal.

use std::fmt;

/// Shows bytes with everything escaped that is not printable ASCII: no control sequence of a peer's
/// reaches a terminal, and a
/// line of the log stays one line.
///
/// ```
/// use parlor::escaped::Escaped;
/// assert_eq!(Escaped(b"a\x1b[2J\n\"").to_string(), r#"a\x1b[2J\n\""#);
/// ```
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_ascii(), f)
    }
}

/// Shows text with its letters, in every script, and without what moves a cursor or turns the line
/// round: control characters,
/// line ends, and the invisible ones that change how what follows is read.
///
/// ```
/// use parlor::escaped::EscapedText;
/// assert_eq!(EscapedText("Gr\u{fc}\u{df}e\u{1b}[2J\n\u{202e}x").to_string(), "Gr\u{fc}\u{df}e\\u{1b}[2J\\n\\u{202e}x");
/// ```
pub struct EscapedText<'a>(pub &'a str);

impl fmt::Display for EscapedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|character| match character {
            '\n' | '\r' | '\t' => write!(f, "{}", character.escape_default()),
            // Invisible or turning: soft hyphen, zero width and directions, line and paragraph
            // ends, tags.
            '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}' => write!(f, "{}", character.escape_unicode()),
            character if character.is_control() => write!(f, "{}", character.escape_unicode()),
            character => f.write_char(character),
        })
    }
}
