//! Bytes and text made fit to be shown: hexadecimal digits, and escapes for logs, terminals and
//! markup.

use std::fmt::{self, Write};

/// Shows bytes as hexadecimal digits: `{}` puts a space between two bytes, `{:x}` puts nothing.
pub struct Hex<'a>(pub &'a [u8]);

impl Hex<'_> {
    /// Writes 64 bytes at a time, because recordings and traces are long.
    fn write(&self, separator: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = String::with_capacity(3 * 64);
        for (index, bytes) in self.0.chunks(64).enumerate() {
            digits.clear();
            for byte in bytes {
                digits.push_str(separator);
                digits.push(char::from(DIGITS[usize::from(byte >> 4)]));
                digits.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            // No separator before the first byte.
            f.write_str(&digits[if index == 0 { separator.len() } else { 0 }..])?;
        }
        Ok(())
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(" ", f)
    }
}

impl fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write("", f)
    }
}

/// Returns the value of one hexadecimal digit, in either case.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Decodes hexadecimal digits without anything between them. `None`: a character is no digit, or
/// the number of digits is odd.
pub(crate) fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?))
        .collect()
}

/// Parses hex as people paste it: white space, commas, colons and dashes may separate bytes, `0x`
/// or `\x` may precede them, in either case. An error is one line.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let is_gap = |c: char| c.is_whitespace() || ",:;-[]{}\"'".contains(c);
    let mut bytes = Vec::new();
    for word in text.split(is_gap).flat_map(|word| word.split("\\x")) {
        let prefixed = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
        let digits = prefixed.unwrap_or(word);
        if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("{wrong:?} is not a hexadecimal digit"));
        }
        let decoded = match digits.as_bytes() {
            // `0x8` is a whole number, as in a list in C.
            [digit] if prefixed.is_some() => hex_digit(*digit).map(|byte| vec![byte]),
            digits => decode_hex(digits),
        };
        let end = &word[word.len().saturating_sub(16)..];
        bytes.extend(decoded.ok_or_else(|| {
            format!("each byte needs two hexadecimal digits, and {end:?} has an odd number")
        })?);
    }
    Ok(bytes)
}

/// Shows a peer's text with letters of every script, and escapes what moves the cursor or reverses
/// the line: control characters, line ends, and invisible formatting characters.
pub struct EscapedText<'a>(pub &'a str);

impl fmt::Display for EscapedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\n' | '\r' | '\t' => write!(f, "{}", character.escape_default()),
            // Soft hyphen, zero width, directions, line and paragraph ends, tags.
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

/// Escapes text for HTML and XML.
pub fn escape_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_with_and_without_spaces() {
        let bytes: Vec<u8> = (0..=255).collect();
        let compact = format!("{:x}", Hex(&bytes));
        assert_eq!(parse_hex(&Hex(&bytes).to_string()), Ok(bytes.clone()));
        assert_eq!(parse_hex(&compact.to_uppercase()), Ok(bytes.clone()));
        assert_eq!(decode_hex(compact.as_bytes()), Some(bytes));
        assert_eq!(parse_hex(" \n"), Ok(Vec::new()));
        assert_eq!(parse_hex("0x8, 0x1"), Ok(vec![8, 1]));
        for pasted in [
            "8105 4865",
            "81:05:48:65",
            "0x81, 0x05, 0x48,0x65",
            r"\x81\x05\x48\x65",
        ] {
            assert_eq!(parse_hex(pasted), Ok(b"\x81\x05He".to_vec()), "{pasted}");
        }
    }

    #[test]
    fn letters_are_shown_and_the_cursor_stays() {
        let shown = EscapedText("Grüße\u{1b}[2J\n\u{202e}x").to_string();
        assert_eq!(shown, r"Grüße\u{1b}[2J\n\u{202e}x");
    }

    #[test]
    fn parse_hex_names_the_wrong_part() {
        for (text, part) in [
            ("81 0", "odd"),
            ("xyz", "'x'"),
            ("8g", "'g'"),
            ("Grüße", "'G'"),
            ("0xé", "'é'"),
            ("810", "odd"),
            ("0x", ""),
        ] {
            match parse_hex(text) {
                Err(error) => assert!(error.contains(part), "{text}: {error}"),
                bytes => assert_eq!((bytes, part), (Ok(Vec::new()), ""), "{text}"),
            }
        }
        assert!(parse_hex(&"8".repeat(1001)).unwrap_err().len() < 100);
    }
}
