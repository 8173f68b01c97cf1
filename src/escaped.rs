//! A peer's bytes, made harmless for a log or a terminal.

use std::fmt;

/// Shows bytes with everything escaped that is not printable ASCII: no control sequence of a peer's reaches a terminal, and a
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
