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

/// Returns the length of the valid beginning of `bytes`, which may end in the middle of a character
/// if more bytes can follow.
pub(super) fn valid_up_to(bytes: &[u8]) -> Result<usize, Violation> {
    #[cfg(feature = "simd")]
    let text = simdutf8::compat::from_utf8(bytes);
    #[cfg(not(feature = "simd"))]
    let text = str::from_utf8(bytes);
    match text {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(Violation::InvalidUtf8),
    }
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
                let (mut arrived, mut valid) = (0, 0);
                let failed = bytes.chunks(length).position(|piece| {
                    arrived += piece.len();
                    let more = valid_up_to(&bytes[valid..arrived]);
                    valid += more.unwrap_or_default();
                    more.is_err()
                });
                assert_eq!(failed, wrong.map(|at| at / length), "{name}, in pieces of {length}");
                if wrong.is_none() {
                    assert_eq!((valid, text(bytes).is_ok()), (bytes.len(), true), "{name}");
                }
            }
        }
    }

    #[test]
    fn text_must_not_end_within_a_character() {
        for (bytes, valid) in [(&b"\xE2"[..], 0), (b"a\xE2\x82", 1), (b"\xF0\x9D\x84", 0)] {
            assert_eq!(valid_up_to(bytes), Ok(valid));
            assert_eq!(text(bytes), Err(Violation::InvalidUtf8));
        }
    }
}
