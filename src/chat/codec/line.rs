//! Typed lines: what a person writes in a tool such as `websocat`, as the command it stands for.
//!
//! A line that begins with `/` is a command, and the rest after its first word is the argument.
//! Any other line is a message to the channel joined last.

use crate::chat::command::{
    Command, Draft, NUMBER_LIMIT, Query, Range, Request, SearchQuery, Target,
};
use crate::chat::error::CommandError;
use crate::chat::text::{checked_emoji, checked_text, is_blank};
use crate::history::{Kind, Seq, Writing};
use crate::limits::{
    PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT, SANCTION_MINUTES, SEARCH_RESULTS_DEFAULT, SLOW_SECONDS,
};

/// The text of the `help` event.
pub(crate) const HELP: &str = "\
/nick NAME: choose a name, or change it
/join CHANNEL: join or create a channel
/leave [CHANNEL]: leave a channel, or the one joined last
/msg USER TEXT: send a private message
/history [N]: show the latest messages of the channel joined last
/search TEXT: find messages that contain a text
/who [CHANNEL]: list who's online, or in a channel
/channels: list all channels
/me TEXT: describe an action
/edit SEQ TEXT: give one of your messages another text
/delete SEQ: delete one of your messages
/react SEQ EMOJI: react to a message
/unreact SEQ EMOJI: take a reaction back
/pin SEQ: show a message above the others, or none with /pin none (owners)
/help: show this list
/quit: leave the chat
/own KEY: become the owner of this chat, who can use these:
/mute USER MINUTES: stop a user from writing; 0 ends it
/kick USER MINUTES: remove a user for some minutes; 0 ends it
/door open|closed: let new users in, or not
/writing [CHANNEL] all|owner|SECONDS: set who may write, or how often
/clear [CHANNEL]: delete all messages of a channel
/remove CHANNEL: delete a channel
Anything else is a message to the channel joined last. \
To send a line that starts with a slash, type two.";

/// Parses one line. A line feed within it belongs to its text.
pub(super) fn parse(line: &str) -> Request {
    let line = line.trim_matches(is_blank);
    let (word, command) = match line.strip_prefix('/') {
        _ if line.is_empty() => ("", Err(CommandError::EMPTY)),
        None => ("", send(Target::JoinedLast, line, false)),
        Some(text) if text.starts_with('/') => ("", send(Target::JoinedLast, text, false)),
        Some(command) => {
            let (word, argument) = split(command);
            (word, slash(word, argument))
        }
    };
    Request {
        id: None,
        needs_user: !matches!(word, "help" | "quit" | "nick")
            && command != Err(CommandError::UNKNOWN_TYPE),
        command,
    }
}

/// Parses the command after a slash. Words after a command without arguments are ignored.
fn slash(word: &str, argument: &str) -> Result<Command, CommandError> {
    Ok(match word {
        "help" => Command::Help,
        "quit" => Command::Quit,
        "nick" => Command::Nick {
            name: required(argument, "usage: /nick NAME")?,
        },
        "join" => Command::Join {
            channel: required(argument, "usage: /join CHANNEL")?,
            since: None,
        },
        "leave" => Command::Leave {
            channel: optional(argument),
        },
        "msg" => {
            let (user, text) = split(argument);
            let user = required(user, "usage: /msg USER TEXT")?;
            send(Target::User(user), text, false)?
        }
        "history" => Command::History(Query {
            target: Target::JoinedLast,
            range: Range::Newest,
            limit: limit(argument)?,
        }),
        "search" => Command::Search(SearchQuery {
            text: required(argument, "usage: /search TEXT")?,
            target: None,
            before: None,
            limit: SEARCH_RESULTS_DEFAULT,
        }),
        "who" => Command::Who {
            channel: optional(argument),
        },
        "channels" => Command::Channels,
        "own" => Command::Own {
            key: optional(argument),
        },
        "mute" | "kick" => {
            const USAGE: &str = "usage: /mute USER MINUTES or /kick USER MINUTES, up to 525600";
            let (user, minutes) = split(argument);
            let given = optional(user).zip(number(minutes, SANCTION_MINUTES));
            let (user, minutes) = given.ok_or(CommandError::bad_field(USAGE))?;
            Command::Sanction {
                kick: word == "kick",
                user,
                minutes,
            }
        }
        "door" => Command::Door {
            open: door(argument)?,
        },
        "writing" => {
            let (channel, who) = argument.rsplit_once(is_blank).unwrap_or(("", argument));
            Command::Writing {
                channel: optional(channel.trim_end_matches(is_blank)),
                who: writing(who)?,
            }
        }
        "pin" => Command::Pin {
            channel: None,
            seq: pinned(argument)?,
        },
        "clear" => Command::Clear {
            channel: optional(argument),
        },
        "remove" => Command::RemoveChannel {
            channel: required(argument, "usage: /remove CHANNEL")?,
        },
        "me" => send(Target::JoinedLast, argument, true)?,
        "edit" => {
            let (of, text) = numbered(argument, "usage: /edit SEQ TEXT")?;
            let text = checked_text(text.into())?;
            change(Kind::Edit { of }, text)
        }
        "delete" => {
            let (of, _) = numbered(argument, "usage: /delete SEQ")?;
            change(Kind::Delete { of }, Box::default())
        }
        "react" => reaction(argument, true)?,
        "unreact" => reaction(argument, false)?,
        _ => return Err(CommandError::UNKNOWN_TYPE),
    })
}

fn send(to: Target, text: &str, action: bool) -> Result<Command, CommandError> {
    let text = checked_text(text.into())?;
    Ok(Command::Send(draft(to, text, action)))
}

fn change(kind: Kind, text: Box<str>) -> Command {
    Command::Change(kind, draft(Target::JoinedLast, text, false))
}

fn pinned(argument: &str) -> Result<Option<Seq>, CommandError> {
    match argument {
        "none" => Ok(None),
        _ => Ok(Some(numbered(argument, "usage: /pin SEQ, or /pin none")?.0)),
    }
}

fn reaction(argument: &str, on: bool) -> Result<Command, CommandError> {
    let (of, emoji) = numbered(argument, "usage: /react SEQ EMOJI")?;
    let emoji = checked_emoji(emoji.into())?;
    Ok(change(Kind::React { of, on }, emoji))
}

fn draft(to: Target, text: Box<str>, action: bool) -> Draft {
    Draft {
        to,
        text,
        action,
        nonce: None,
    }
}

/// Splits off the number of a message.
fn numbered<'a>(argument: &'a str, usage: &'static str) -> Result<(Seq, &'a str), CommandError> {
    let (number, rest) = split(argument);
    let number = number.parse().ok();
    let number = number.filter(|number| *number < NUMBER_LIMIT);
    Ok((Seq(number.ok_or(CommandError::bad_field(usage))?), rest))
}

fn limit(argument: &str) -> Result<u32, CommandError> {
    if argument.is_empty() {
        return Ok(PAGE_MESSAGES_DEFAULT);
    }
    let limit = number(argument, PAGE_MESSAGES).filter(|limit| *limit > 0);
    limit.ok_or(CommandError::bad_field(
        "/history takes a number from 1 to 200",
    ))
}

fn door(argument: &str) -> Result<bool, CommandError> {
    match argument {
        "open" => Ok(true),
        "closed" => Ok(false),
        _ => Err(CommandError::bad_field("usage: /door open or /door closed")),
    }
}

fn writing(who: &str) -> Result<Writing, CommandError> {
    const USAGE: &str = "usage: /writing [CHANNEL] all, or owner, or seconds from 1 to 86400";
    match (who, number(who, SLOW_SECONDS)) {
        ("all", _) => Ok(Writing::All),
        ("owner", _) => Ok(Writing::Owner),
        (_, Some(seconds @ 1..)) => Ok(Writing::Slow(seconds)),
        _ => Err(CommandError::bad_field(USAGE)),
    }
}

fn number(argument: &str, most: u32) -> Option<u32> {
    argument.parse().ok().filter(|number| *number <= most)
}

/// A name may contain spaces here, so that the error is about the name.
fn required(argument: &str, usage: &'static str) -> Result<Box<str>, CommandError> {
    optional(argument).ok_or(CommandError::bad_field(usage))
}

fn optional(argument: &str) -> Option<Box<str>> {
    (!argument.is_empty()).then(|| argument.into())
}

/// Splits off the first word, and the white space after it.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(is_blank).unwrap_or((text, ""));
    (word, rest.trim_start_matches(is_blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_command() {
        let listed = |line: &'static str| line.strip_prefix('/').map(|line| split(line).0);
        let words: Vec<_> = HELP.lines().filter_map(listed).collect();
        let expected = [
            "nick",
            "join",
            "leave",
            "msg",
            "history",
            "search",
            "who",
            "channels:",
            "me",
            "edit",
            "delete",
            "react",
            "unreact",
            "pin",
            "help:",
            "quit:",
            "own",
            "mute",
            "kick",
            "door",
            "writing",
            "clear",
            "remove",
        ];
        assert_eq!(words, expected);
        for word in words {
            let command = slash(word.trim_end_matches(':'), "1 2");
            assert_ne!(command, Err(CommandError::UNKNOWN_TYPE), "/{word}");
        }
    }
}
