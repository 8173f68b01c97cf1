//! Rules for what users write: which texts, emojis and nonces are valid, and when a text counts as
//! empty.

use super::error::CommandError;
use crate::limits::{EMOJI_BYTES, NONCE_CHARS};

/// Returns whether `character` is white space or U+FEFF, with which some tools begin every text.
pub(crate) fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == '\u{FEFF}'
}

/// Returns whether `text` has only characters that a message may have.
pub(crate) fn is_text(text: &str) -> bool {
    !text.contains(|one: char| one.is_control() && !"\n\t".contains(one))
}

/// Returns whether `emoji` may be a reaction: short, and without words and white space.
pub(crate) fn is_emoji(emoji: &str) -> bool {
    let is_forbidden = |one: char| one.is_control() || is_blank(one) || one.is_ascii_alphabetic();
    (1..=EMOJI_BYTES).contains(&emoji.len()) && !emoji.contains(is_forbidden)
}

/// Returns whether `nonce` has a valid length and no control characters.
pub(crate) fn is_nonce(nonce: &str) -> bool {
    (1..=NONCE_CHARS).contains(&nonce.chars().count()) && !nonce.contains(char::is_control)
}

/// Returns `text` if its characters are allowed in a message; [`check_length`] checks its length.
pub(super) fn checked_text(text: Box<str>) -> Result<Box<str>, CommandError> {
    if !is_text(&text) {
        return Err(CommandError::bad_field(
            "text must not contain control characters other than line feed and tab",
        ));
    }
    Ok(text)
}

/// Fails if `text` is empty or has more than `limit` characters.
pub(super) fn check_length(text: &str, limit: usize) -> Result<(), CommandError> {
    if text.chars().all(is_blank) {
        return Err(CommandError::EMPTY);
    }
    // A text has no more characters than bytes, so most texts need not be counted.
    if text.len() > limit && text.chars().count() > limit {
        return Err(CommandError::too_long(limit));
    }
    Ok(())
}

/// Returns `emoji` if [`is_emoji`] says that it may be a reaction.
pub(super) fn checked_emoji(emoji: Box<str>) -> Result<Box<str>, CommandError> {
    match is_emoji(&emoji) {
        true => Ok(emoji),
        false => Err(CommandError::bad_field(
            "emoji must have 1 to 32 bytes, without ASCII letters, white space and control \
             characters",
        )),
    }
}
