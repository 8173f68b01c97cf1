//! Typed lines: what a person writes in a tool such as `websocat`, as the command it stands for.
//!
//! A line that begins with `/` is a command, and the rest after its first word is the argument.
//! Any other line is a message to the channel joined last.

use crate::chat::command::{Command, Draft, NUMBER_LIMIT, Query, Request, SearchQuery, Target};
use crate::chat::error::CommandError;
use crate::chat::text::{checked_emoji, checked_text, is_blank};
use crate::history::{Kind, Seq, Writing};
use crate::limits::{
    PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT, SANCTION_MINUTES, SEARCH_RESULTS_DEFAULT, SLOW_SECONDS,
};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The text of the `help` event. A command with wrong arguments is answered with its line.
pub(crate) const HELP: &str = "\
/nick NAME: choose a name, or change it
/join CHANNEL: join or create a channel
/leave [CHANNEL]: leave a channel, or the one joined last
/msg USER TEXT: send a private message
/history [N]: show the latest messages of the channel joined last, 1 to 200
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
/mute USER MINUTES: stop a user from writing, for up to 525600 minutes; 0 ends it
/kick USER MINUTES: remove a user for up to 525600 minutes; 0 ends it
/door open|closed: let new users in, or not
/writing [CHANNEL] all|owner|SECONDS: set who may write, or how often (1 to 86400)
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
    Request::new(None, word, command)
}

/// Parses the command after a slash. Words after a command without arguments are ignored.
fn slash(word: &str, argument: &str) -> Result<Command, CommandError> {
    let usage = || {
        let mut lines = HELP.lines();
        let about = lines.find(|line| split(line).0.trim_matches(['/', ':']) == word);
        CommandError::bad_field(about.unwrap_or_default())
    };
    let (first, rest) = split(argument);
    let some = |text: &str| (!text.is_empty()).then(|| text.into());
    // A name may contain spaces here, so that the error is about the name.
    let required = |text| some(text).ok_or_else(usage);
    let seq = || {
        let number = number(first, 0..=NUMBER_LIMIT - 1);
        number.map(Seq).ok_or_else(usage)
    };
    Ok(match word {
        "help" => Command::Help,
        "quit" => Command::Quit,
        "nick" => Command::Nick {
            name: required(argument)?,
        },
        "join" => Command::Join {
            channel: required(argument)?,
            since: None,
        },
        "leave" => Command::Leave {
            channel: some(argument),
        },
        "msg" => send(Target::User(required(first)?), rest, false)?,
        "history" => Command::History(Query {
            target: Target::JoinedLast,
            before: None,
            after: None,
            limit: if argument.is_empty() {
                PAGE_MESSAGES_DEFAULT
            } else {
                number(argument, 1..=PAGE_MESSAGES).ok_or_else(usage)?
            },
        }),
        "search" => Command::Search(SearchQuery {
            text: required(argument)?,
            target: None,
            before: None,
            limit: SEARCH_RESULTS_DEFAULT,
        }),
        "who" => Command::Who {
            channel: some(argument),
        },
        "channels" => Command::Channels,
        "own" => Command::Own {
            key: some(argument),
        },
        "mute" | "kick" => Command::Sanction {
            kick: word == "kick",
            user: required(first)?,
            minutes: number(rest, 0..=SANCTION_MINUTES).ok_or_else(usage)?,
        },
        "door" => Command::Door {
            open: door(argument).ok_or_else(usage)?,
        },
        "writing" => {
            let (channel, who) = argument.rsplit_once(is_blank).unwrap_or(("", argument));
            Command::Writing {
                channel: some(channel.trim_end_matches(is_blank)),
                who: writing(who).ok_or_else(usage)?,
            }
        }
        "pin" => Command::Pin {
            channel: None,
            seq: if argument == "none" {
                None
            } else {
                Some(seq()?)
            },
        },
        "clear" => Command::Clear {
            channel: some(argument),
        },
        "remove" => Command::RemoveChannel {
            channel: required(argument)?,
        },
        "me" => send(Target::JoinedLast, argument, true)?,
        "edit" => change(Kind::Edit { of: seq()? }, checked_text(rest.into())?),
        "delete" => change(Kind::Delete { of: seq()? }, Box::default()),
        "react" | "unreact" => {
            let (of, on) = (seq()?, word == "react");
            change(Kind::React { of, on }, checked_emoji(rest.into())?)
        }
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

fn draft(to: Target, text: Box<str>, action: bool) -> Draft {
    Draft {
        to,
        text,
        action,
        nonce: None,
    }
}

fn door(state: &str) -> Option<bool> {
    match state {
        "open" => Some(true),
        "closed" => Some(false),
        _ => None,
    }
}

fn writing(who: &str) -> Option<Writing> {
    match who {
        "all" => Some(Writing::All),
        "owner" => Some(Writing::Owner),
        seconds => number(seconds, 1..=SLOW_SECONDS).map(Writing::Slow),
    }
}

fn number<T: FromStr + PartialOrd>(text: &str, range: RangeInclusive<T>) -> Option<T> {
    text.parse().ok().filter(|number| range.contains(number))
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
        let expected = "nick join leave msg history search who channels: me edit delete react \
            unreact pin help: quit: own mute kick door writing clear remove";
        assert_eq!(words.join(" "), expected);
        for word in words {
            let command = slash(word.trim_end_matches(':'), "1 2");
            assert_ne!(command, Err(CommandError::UNKNOWN_TYPE), "/{word}");
        }
    }
}
