//! What clients may ask.
//!
//! A request comes from JSON (`json.rs`) or from a typed line (`line.rs`); from here on nobody can
//! tell which. Names are
//! still plain text: only the chat knows what exists, and PROTOCOL's order of errors puts a bad
//! name behind
//! `hello_first`. That order is also why a request holds a `Result`: a field that is wrong is told
//! only if it is the
//! first thing that is wrong.

use super::error::CommandError;
use super::{json, line};
use crate::history::Seq;

/// A number that a client puts into a command and finds again in the answer; below 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u64);

/// One command with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the answer carries.
    pub id: Option<RequestId>,
    /// In which part of a client's life the command may come.
    pub when: When,
    /// The command, or what is wrong with the message whatever the chat's state is.
    pub command: Result<Command, CommandError>,
}

/// In which part of a client's life a command may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `hello`: later it is `already_welcomed`.
    BeforeHello,
    /// Nearly everything: before, it is `hello_first`.
    AfterHello,
    /// Typed lines that make sense in both, and what can't be read at all.
    Always,
}

/// What a client may ask. A channel of `None` is the one joined last; typed lines alone have that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begins a session, or goes on with one.
    Hello {
        /// The name wished for; not looked at where `session` is that of a user who is online.
        name: Box<str>,
        /// The token of an earlier `welcome`.
        session: Option<Box<str>>,
    },
    /// Another name for the same user.
    Rename {
        /// The name wished for.
        name: Box<str>,
    },
    /// The typed `/nick NAME`: `hello` before the welcome, `rename` after it.
    Nick {
        /// The name wished for.
        name: Box<str>,
    },
    /// Enters a channel, and creates it where there is none.
    Join {
        /// Its name.
        channel: Box<str>,
        /// The newest message that the client has.
        since: Option<Seq>,
    },
    /// Leaves a channel.
    Leave {
        /// Its name.
        channel: Option<Box<str>>,
    },
    /// Says something to a channel.
    Message {
        /// Its name.
        channel: Option<Box<str>>,
        /// What is said.
        text: Box<str>,
        /// `/me`.
        action: bool,
        /// Makes sending again safe.
        nonce: Option<Box<str>>,
    },
    /// Says something to one user.
    Direct {
        /// To whom.
        to: Recipient,
        /// What is said.
        text: Box<str>,
        /// Makes sending again safe.
        nonce: Option<Box<str>>,
    },
    /// Somebody is writing.
    Typing {
        /// Where.
        target: Target,
    },
    /// Earlier or missed messages.
    History {
        /// Of what.
        target: Target,
        /// Which of them.
        range: Range,
        /// How many at most, 1 to 200.
        limit: u32,
    },
    /// Who is online, or in a channel.
    Who {
        /// Its name.
        channel: Option<Box<str>>,
    },
    /// Every channel.
    Channels,
    /// Shows this connection its own frames, or ends that. The hub's: it reaches the chat only
    /// where that is off.
    Trace {
        /// Whether from now on.
        on: bool,
    },
    /// Frames made by hand, to be checked: the whole command as JSON. Handled by the wire view,
    /// like `Trace`.
    Try(Box<str>),
    /// The typed `/help`.
    Help,
    /// The typed `/quit`.
    Quit,
}

/// To whom a private message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The user who has this name now.
    User(Box<str>),
    /// The other one of this conversation, online or not.
    Conversation(Box<str>),
}

/// A channel by its name, or a conversation by its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A channel's name.
    Channel(Box<str>),
    /// The channel joined last (typed lines).
    JoinedLast,
    /// A conversation's identifier.
    Conversation(Box<str>),
}

/// Which messages of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The newest.
    Newest,
    /// The newest of those whose `seq` is below this one.
    Before(Seq),
    /// The oldest of those whose `seq` is above this one.
    After(Seq),
}

impl Request {
    /// Parses one text message: JSON where it begins with `{`, else a typed line.
    pub fn parse(text: &str) -> Self {
        let begun = text.trim_start_matches(is_white_space);
        if begun.starts_with('{') {
            json::parse(begun)
        } else {
            line::parse(begun)
        }
    }

    /// Nothing in it could be understood: it is told so before the rate is looked at.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            self.command,
            Err(CommandError::BadJson | CommandError::BadId)
        )
    }

    /// Whether it must be applied in a turn in which its connection has no proposal: it would
    /// otherwise be answered as if
    /// what was said before it had not been said (proposals are numbered at the end of the turn).
    pub fn waits_for_commit(&self) -> bool {
        !matches!(
            self.command,
            Err(_) | Ok(Command::Message { .. } | Command::Direct { .. } | Command::Typing { .. })
        )
    }
}

/// White space, and U+FEFF: some tools begin every text with it, as a mark of its encoding.
pub(super) fn is_white_space(character: char) -> bool {
    character.is_whitespace() || character == '\u{FEFF}'
}

/// The rule that every text obeys, however it came. Its length and emptiness are judged later.
pub(super) fn checked_text(text: Box<str>) -> Result<Box<str>, CommandError> {
    let is_wrong = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if !is_plain(&text) && text.chars().any(is_wrong) {
        return Err(CommandError::BadField(
            "text must not have control characters but line feed and tab",
        ));
    }
    Ok(text)
}

/// Whether a text has neither control characters nor what JSON escapes, by its bytes alone: nearly
/// every text is known by that to
/// be right, and to be copied as it stands. Of the others some are plain too; they have to be
/// looked at character by character.
pub(super) fn is_plain(text: &str) -> bool {
    // 0xC2 begins the control characters beyond ASCII, and a few others.
    let stands_out = |byte: u8| {
        (byte < b' ') | (byte == b'"') | (byte == b'\\') | (byte == 0x7F) | (byte == 0xC2)
    };
    // To the end, and without a jump: so the compiler makes one wide instruction of many bytes.
    !text.bytes().fold(false, |any, byte| any | stands_out(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_has_no_control_character_and_stands_in_json_as_it_is() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            let is_right = !character.is_control()
                && serde_json::to_string(&text).unwrap() == format!("\"{text}\"");
            assert!(is_right || !is_plain(&text), "{character:?}");
            // Those of U+0080 to U+00BF begin as control characters do.
            let hard_to_tell = ('\u{80}'..'\u{C0}').contains(&character);
            assert!(
                !is_right || is_plain(&text) || hard_to_tell,
                "{character:?}"
            );
        }
    }

    #[test]
    fn wherever_it_stands() {
        for length in [1, 15, 16, 17, 31, 32, 33, 64, 100] {
            for at in 0..length {
                let text = format!("{}\"{}", "x".repeat(at), "x".repeat(length - at - 1));
                assert!(!is_plain(&text), "at {at} of {length}");
            }
            assert!(is_plain(&"x".repeat(length)));
        }
    }
}
