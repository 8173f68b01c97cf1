//! Typed lines: what a person writes in `websocat`, turned into the command that it stands for.
//!
//! A line that begins with `/` is a command, with everything behind its word as the argument; any
//! other line is said in
//! the channel joined last. Names and emptiness are judged by the chat, as they are for JSON.

use super::command::{
    Command, Range, Recipient, Request, Target, When, checked_text, is_white_space,
};
use super::error::CommandError;
use crate::limits::{PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT};

/// The text of `help`.
pub const HELP: &str = "\
/nick NAME: enter, or take another name
/join CHANNEL: enter a channel, or create it
/leave [CHANNEL]: leave it, or the one joined last
/msg USER TEXT: say something to one person
/history [N]: the last messages of the channel joined last
/who [CHANNEL]: who is online, or in a channel
/channels: every channel
/me TEXT: say what you do
/help: this list
/quit: go
Anything else is said in the channel joined last; // at the start says a line that begins with one slash.";

/// Parses one line; it may have line feeds within, which belong to its text.
pub fn parse(line: &str) -> Request {
    let line = line.trim_matches(is_white_space);
    let (when, command) = match line.strip_prefix('/') {
        // A line that says nothing is told so where a text that says nothing would be.
        _ if line.is_empty() => (When::AfterHello, Err(CommandError::Empty)),
        None => (When::AfterHello, say(line, false)),
        Some(text) if text.starts_with('/') => (When::AfterHello, say(text, false)),
        Some(command) => {
            let (word, argument) = split(command);
            slash(word, argument)
        }
    };
    Request {
        id: None,
        when,
        command,
    }
}

/// What the word behind the slash means, and when it may come.
fn slash(word: &str, argument: &str) -> (When, Result<Command, CommandError>) {
    // What stands behind a word that takes nothing is not looked at: `/quit` with a farewell still
    // quits.
    let command = match word {
        "help" => return (When::Always, Ok(Command::Help)),
        "quit" => return (When::Always, Ok(Command::Quit)),
        "nick" => {
            return (
                When::Always,
                name(argument, "a name is missing: /nick NAME").map(|name| Command::Nick { name }),
            );
        }
        "join" => {
            name(argument, "a channel is missing: /join CHANNEL").map(|channel| Command::Join {
                channel,
                since: None,
            })
        }
        "leave" => Ok(Command::Leave {
            channel: optional(argument),
        }),
        "msg" => msg(argument),
        "history" => history(argument),
        "who" => Ok(Command::Who {
            channel: optional(argument),
        }),
        "channels" => Ok(Command::Channels),
        "me" => say(argument, true),
        _ => return (When::Always, Err(CommandError::UnknownType)),
    };
    (When::AfterHello, command)
}

fn say(text: &str, action: bool) -> Result<Command, CommandError> {
    Ok(Command::Message {
        channel: None,
        text: checked_text(text.into())?,
        action,
        nonce: None,
    })
}

fn msg(argument: &str) -> Result<Command, CommandError> {
    let (user, text) = split(argument);
    let user = name(user, "somebody is missing: /msg USER TEXT")?;
    Ok(Command::Direct {
        to: Recipient::User(user),
        text: checked_text(text.into())?,
        nonce: None,
    })
}

fn history(argument: &str) -> Result<Command, CommandError> {
    let limit = match argument {
        "" => Some(PAGE_MESSAGES_DEFAULT),
        number => number
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_MESSAGES).contains(limit)),
    };
    let limit = limit.ok_or(CommandError::BadField(
        "a number from 1 to 200 is all that may follow: /history [N]",
    ))?;
    Ok(Command::History {
        target: Target::JoinedLast,
        range: Range::Newest,
        limit,
    })
}

/// A name is whatever stands there: of `Ada Lovelace` the chat says better what is wrong than «one
/// word too many» would.
fn name(argument: &str, missing: &'static str) -> Result<Box<str>, CommandError> {
    optional(argument).ok_or(CommandError::BadField(missing))
}

fn optional(argument: &str) -> Option<Box<str>> {
    (!argument.is_empty()).then(|| argument.into())
}

/// The first word, and what follows the white space behind it.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(is_white_space).unwrap_or((text, ""));
    (word, rest.trim_start_matches(is_white_space))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_what_there_is() {
        for word in HELP
            .lines()
            .filter_map(|line| line.strip_prefix('/'))
            .map(|line| split(line).0.trim_end_matches(':'))
        {
            let request = parse(&format!("/{word} 1 2"));
            assert_ne!(request.command, Err(CommandError::UnknownType), "/{word}");
        }
        for word in [
            "nick", "join", "leave", "msg", "history", "who", "channels", "me", "help", "quit",
        ] {
            assert!(
                HELP.lines()
                    .any(|line| line.starts_with(&format!("/{word}"))),
                "/{word}"
            );
        }
    }
}
