//! Text (RFC 6455 §8.1). What arrives in pieces is checked as it comes, and refused at the first
//! byte that can't be right.
//!
//! A message of many frames may take a minute to arrive. Whoever checked it only at its end would
//! gather a megabyte of what
//! was wrong in its third byte.

use super::violation::Violation;

/// Bytes as text, if they are UTF-8 to their end. A long message costs a server three passes over
/// its bytes, and this one would
/// be the longest: `std` takes 16 bytes of ASCII in a step, and other characters one by one.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Violation> {
    #[cfg(feature = "simd")]
    let text = simdutf8::basic::from_utf8(bytes);
    #[cfg(not(feature = "simd"))]
    let text = str::from_utf8(bytes);
    text.map_err(|_| Violation::InvalidUtf8)
}

/// The text of a message so far. Each byte is checked once: what is in the string is known to be
/// right.
#[derive(Debug, Default)]
pub(super) struct Text {
    whole: String,
    /// The beginning of a character whose end has not come: at most three bytes.
    begun: [u8; 4],
    begun_length: u8,
}

impl Text {
    /// Appends the next bytes, cut anywhere, in the middle of a character too.
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
                    self.whole.push_str(character);
                    self.begun_length = 0;
                }
                // `None`: nothing is wrong yet, the end is only missing.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Violation::InvalidUtf8),
            }
        }
        let (whole, begun) = bytes.split_at(begun_at(bytes));
        self.whole.push_str(text(whole)?);
        self.begun[..begun.len()].copy_from_slice(begun);
        self.begun_length = begun.len() as u8;
        Ok(())
    }

    /// The text, once the message has ended; half a character is none.
    pub(super) fn finish(&self) -> Result<&str, Violation> {
        if self.begun_length > 0 {
            Err(Violation::InvalidUtf8)
        } else {
            Ok(&self.whole)
        }
    }

    /// How much there is so far, in bytes.
    pub(super) fn length(&self) -> usize {
        self.whole.len() + usize::from(self.begun_length)
    }
}

/// Where the character begins whose end has not come; where there is none, the end. So all before
/// it is judged at once.
fn begun_at(bytes: &[u8]) -> usize {
    let near = bytes.len().saturating_sub(3);
    let first = bytes[near..]
        .iter()
        .rposition(|byte| *byte >= 0xC0)
        .map(|at| near + at);
    let is_begun =
        |at: &usize| str::from_utf8(&bytes[*at..]).is_err_and(|error| error.error_len().is_none());
    first.filter(is_begun).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_at_the_first_byte_that_cannot_be_right() {
        // How many bytes are still right, and whether they may be all.
        let table: &[(&str, &[u8], Result<(), usize>)] = &[
            ("ASCII", b"Hello", Ok(())),
            ("two, three and four bytes", "µ€𝄞".as_bytes(), Ok(())),
            ("the last character of all", "\u{10FFFF}".as_bytes(), Ok(())),
            ("a byte that begins nothing", b"a\x80", Err(1)),
            (
                "a character that is cut short by a letter",
                b"\xE2\x82x",
                Err(2),
            ),
            (
                "an overlong form shows in its first byte",
                b"\xC0\x80",
                Err(0),
            ),
            ("or in its second", b"\xE0\x80\x80", Err(1)),
            (
                "a surrogate shows in its second byte",
                b"\xED\xA0\x80",
                Err(1),
            ),
            (
                "beyond the last character, in the second byte",
                b"\xF4\x90\x80\x80",
                Err(1),
            ),
            ("and in the first", b"\xF5\x80\x80\x80", Err(0)),
            ("overlong in four bytes", b"\xF0\x8F\xBF\xBF", Err(1)),
        ];
        for (name, bytes, expected) in table {
            for piece_length in 1..=bytes.len() {
                let mut text = Text::default();
                let fed = bytes
                    .chunks(piece_length)
                    .enumerate()
                    .try_for_each(|(i, piece)| {
                        text.feed(piece)
                            .map_err(|_| i * piece_length..i * piece_length + piece.len())
                    });
                match (expected, fed) {
                    (Ok(()), Ok(())) => {
                        assert_eq!(text.finish(), Ok(str::from_utf8(bytes).unwrap()), "{name}")
                    }
                    (Err(right), Err(piece)) => assert!(
                        piece.contains(right),
                        "{name}: in the piece with the bad byte"
                    ),
                    (expected, fed) => panic!("{name}: {fed:?} and not {expected:?}"),
                }
            }
        }
    }

    #[test]
    fn half_a_character_is_no_end() {
        for bytes in [&b"\xE2"[..], b"a\xE2\x82", b"\xF0\x9D\x84"] {
            let mut text = Text::default();
            assert_eq!(text.feed(bytes), Ok(()));
            assert_eq!(text.length(), bytes.len());
            assert_eq!(text.finish(), Err(Violation::InvalidUtf8));
        }
    }
}
