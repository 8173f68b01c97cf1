//! UTF-8 validation (RFC 6455 §8.1). Text that arrives in pieces is validated piece by piece and
//! rejected at the first wrong byte.
//!
//! A fragmented message may take a minute to arrive. Validation at its end would first buffer all
//! of a message whose third byte is wrong.

use super::violation::Violation;

/// Returns complete bytes as text. Of the passes over a long message this would be the slowest
/// with `std`, which is why there is a feature `simd`.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Violation> {
    #[cfg(feature = "simd")]
    let text = simdutf8::basic::from_utf8(bytes);
    #[cfg(not(feature = "simd"))]
    let text = str::from_utf8(bytes);
    text.map_err(|_| Violation::InvalidUtf8)
}

/// The text of a message so far. Each byte is validated once.
#[derive(Debug, Default)]
pub(super) struct Text {
    valid: String,
    /// The beginning of a character whose end has not arrived: at most three bytes.
    begun: [u8; 4],
    begun_length: u8,
}

impl Text {
    /// Appends the next bytes, which may begin and end in the middle of a character.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while self.begun_length > 0 {
            let [first, rest @ ..] = bytes else {
                return Ok(());
            };
            bytes = rest;
            self.begun[usize::from(self.begun_length)] = *first;
            self.begun_length += 1;
            match str::from_utf8(&self.begun[..usize::from(self.begun_length)]) {
                Ok(character) => {
                    self.valid.push_str(character);
                    self.begun_length = 0;
                }
                Err(error) if is_cut(&error) => {}
                Err(_) => return Err(Violation::InvalidUtf8),
            }
        }
        let (whole, begun) = bytes.split_at(cut_character(bytes));
        self.valid.push_str(text(whole)?);
        self.begun[..begun.len()].copy_from_slice(begun);
        self.begun_length = begun.len() as u8;
        Ok(())
    }

    /// Returns the complete text; an error if it ends in the middle of a character.
    pub(super) fn finish(&self) -> Result<&str, Violation> {
        match self.begun_length {
            0 => Ok(&self.valid),
            _ => Err(Violation::InvalidUtf8),
        }
    }

    /// Returns the length so far in bytes.
    pub(super) fn length(&self) -> usize {
        self.valid.len() + usize::from(self.begun_length)
    }

    /// Returns the allocated memory in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.valid.capacity()
    }
}

/// Returns the length of the valid beginning of `bytes`, which may end in the middle of a character
/// if more bytes can follow.
#[cfg(feature = "deflate")]
pub(super) fn valid_up_to(bytes: &[u8]) -> Result<usize, Violation> {
    match str::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if is_cut(&error) => Ok(error.valid_up_to()),
        Err(_) => Err(Violation::InvalidUtf8),
    }
}

/// Returns whether the only fault is that the last character is incomplete.
fn is_cut(error: &std::str::Utf8Error) -> bool {
    error.error_len().is_none()
}

/// Returns the position of the incomplete character at the end, or the length if there is none.
fn cut_character(bytes: &[u8]) -> usize {
    let near = bytes.len().saturating_sub(3);
    let first = bytes[near..].iter().rposition(|byte| *byte >= 0xC0);
    first
        .map(|at| near + at)
        .filter(|at| str::from_utf8(&bytes[*at..]).is_err_and(|error| is_cut(&error)))
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn text_is_refused_at_the_first_wrong_byte() {
        // The position of the first wrong byte.
        let table: &[(&str, &[u8], Option<usize>)] = &[
            ("ASCII", b"Hello", None),
            ("two, three and four bytes", "µ€𝄞".as_bytes(), None),
            ("the last character", "\u{10FFFF}".as_bytes(), None),
            ("a byte that begins nothing", b"a\x80", Some(1)),
            ("a letter in a character", b"\xE2\x82x", Some(2)),
            ("overlong in two bytes", b"\xC0\x80", Some(0)),
            ("overlong in three bytes", b"\xE0\x80\x80", Some(1)),
            ("overlong in four bytes", b"\xF0\x8F\xBF\xBF", Some(1)),
            ("a surrogate", b"\xED\xA0\x80", Some(1)),
            ("after the last character", b"\xF4\x90\x80\x80", Some(1)),
            ("a byte of no character", b"\xF5\x80\x80\x80", Some(0)),
        ];
        for (name, bytes, wrong) in table {
            for length in 1..=bytes.len() {
                let mut text = Text::default();
                let failed = bytes.chunks(length).position(|piece| text.feed(piece).is_err());
                assert_eq!(failed, wrong.map(|at| at / length), "{name}, in pieces of {length}");
                if wrong.is_none() {
                    assert_eq!(text.finish(), Ok(str::from_utf8(bytes).unwrap()), "{name}");
                }
            }
        }
    }

    #[test]
    fn text_must_not_end_within_a_character() {
        for bytes in [&b"\xE2"[..], b"a\xE2\x82", b"\xF0\x9D\x84"] {
            let mut text = Text::default();
            assert_eq!(text.feed(bytes), Ok(()));
            assert_eq!(text.length(), bytes.len());
            assert_eq!(text.finish(), Err(Violation::InvalidUtf8));
        }
    }
}
