//! Bytes as hexadecimal digits, to be shown and to be read.
//!
//! Not here: bytes that are meant to be text (`escaped`).

use std::fmt;

/// Shows bytes in hex, one space between two of them.
///
/// ```
/// assert_eq!(parlor::hex::Hex(b"\x81\x05Hello").to_string(), "81 05 48 65 6c 6c 6f");
/// ```
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // Many at a time: recordings and traces are long.
        let mut line = [b' '; 3 * 64];
        for (index, bytes) in self.0.chunks(64).enumerate() {
            for (place, byte) in line.chunks_mut(3).zip(bytes) {
                (place[1], place[2]) = (
                    DIGITS[usize::from(byte >> 4)],
                    DIGITS[usize::from(byte & 15)],
                );
            }
            let shown = &line[usize::from(index == 0)..3 * bytes.len()];
            f.write_str(str::from_utf8(shown).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Reads hex as people paste it: with or without white space, commas, colons and dashes between the
/// bytes, with `0x` or `\x`
/// before them, in any case. An error is one line.
///
/// ```
/// use parlor::hex::parse;
/// for text in ["8105 4865", "81:05:48:65", "0x81, 0x05, 0x48, 0x65", r"\x81\x05\x48\x65", "81\n05\n4865\n", "0x81054865"] {
///     assert_eq!(parse(text).unwrap(), b"\x81\x05He", "{text}");
/// }
/// assert_eq!(parse("8").unwrap_err(), "a byte has two hexadecimal digits, and \"8\" ends in the middle of one");
/// ```
pub fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let is_gap = |c: char| c.is_whitespace() || ",:;-[]{}\"'".contains(c);
    let words = text
        .split(is_gap)
        .filter(|word| !word.is_empty())
        .flat_map(|word| word.split("\\x").filter(|word| !word.is_empty()));
    for word in words {
        let digits = word
            .strip_prefix("0x")
            .or_else(|| word.strip_prefix("0X"))
            .unwrap_or(word);
        if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("{:?} is not a hexadecimal digit", wrong));
        }
        // A lone digit that had its `0x` is a number of its own, as in a list in C.
        if digits.len() % 2 == 1 && !(digits.len() == 1 && digits.len() != word.len()) {
            return Err(format!(
                "a byte has two hexadecimal digits, and {:?} ends in the middle of one",
                shortened(word)
            ));
        }
        let nibbles: Vec<u8> = digits
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|digit| digit as u8)
            .collect();
        bytes.extend(
            nibbles
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble)),
        );
    }
    Ok(bytes)
}

/// What an error shows of a long word: its end.
fn shortened(word: &str) -> &str {
    &word[word.len().saturating_sub(16)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(parse(&Hex(&bytes).to_string()), Ok(bytes.clone()));
        assert_eq!(
            parse(&Hex(&bytes).to_string().replace(' ', "").to_uppercase()),
            Ok(bytes)
        );
        assert_eq!(parse(" \n"), Ok(Vec::new()));
        assert_eq!(parse("0x8, 0x1"), Ok(vec![8, 1]));
    }

    #[test]
    fn what_is_no_hex_is_said() {
        for (text, part) in [
            ("81 0", "middle"),
            ("xyz", "'x'"),
            ("8g", "'g'"),
            ("Grüße", "'G'"),
            ("0xé", "'é'"),
            ("810", "middle"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse(&"8".repeat(1001)).unwrap_err().len() < 100);
    }
}
