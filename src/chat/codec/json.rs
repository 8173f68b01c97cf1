//! Commands from JSON.
//!
//! The message is read into one struct of all known keys, whose values stay raw JSON until the
//! command's `type` says which of them matter and what they must be.

use crate::chat::command::{
    Command, Draft, Hello, NUMBER_LIMIT, Query, Request, RequestId, SearchQuery, Target,
};
use crate::chat::error::CommandError;
use crate::chat::text::{checked_emoji, checked_text, is_nonce};
use crate::history::{Kind, Seq, Writing};
use crate::limits::{
    PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT, SANCTION_MINUTES, SEARCH_RESULTS, SEARCH_RESULTS_DEFAULT,
    SLOW_SECONDS,
};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The keys that have a meaning; a duplicate is an error. `None`: absent or `null`. A raw value has
/// valid syntax but is not interpreted, so huge numbers and deep nesting cost nothing.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    r#type: Field<'a>,
    id: Field<'a>,
    name: Field<'a>,
    session: Field<'a>,
    channel: Field<'a>,
    since: Field<'a>,
    text: Field<'a>,
    action: Field<'a>,
    nonce: Field<'a>,
    to: Field<'a>,
    conversation: Field<'a>,
    before: Field<'a>,
    after: Field<'a>,
    limit: Field<'a>,
    on: Field<'a>,
    key: Field<'a>,
    password: Field<'a>,
    user: Field<'a>,
    minutes: Field<'a>,
    open: Field<'a>,
    who: Field<'a>,
    seq: Field<'a>,
    emoji: Field<'a>,
}

/// The numbers that JavaScript can represent.
const NUMBERS: RangeInclusive<u64> = 0..=NUMBER_LIMIT - 1;

type Field<'a> = Option<&'a RawValue>;

/// Parses a message that begins with `{`. Fails where not even an id can be read.
pub(super) fn parse(text: &str) -> Result<Request, CommandError> {
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|_| CommandError::BAD_JSON)?;
    let id = number(fields.id, "id", NUMBERS).map_err(|_| CommandError::BAD_ID)?;
    let id = id.map(RequestId);
    let Ok(Some(kind)) = borrowed(fields.r#type, "type") else {
        let error = CommandError::bad_field("type must be a string");
        return Ok(Request::failed(id, error));
    };
    Ok(Request::new(id, &kind, command(&kind, &fields, text)))
}

fn command(kind: &str, fields: &Fields<'_>, text: &str) -> Result<Command, CommandError> {
    let channel = || required(fields.channel, "channel");
    Ok(match kind {
        "hello" => Command::Hello(Hello {
            name: required(fields.name, "name")?,
            session: string(fields.session, "session")?,
            password: string(fields.password, "password")?,
            key: string(fields.key, "key")?,
        }),
        "rename" => Command::Rename {
            name: required(fields.name, "name")?,
        },
        "join" => Command::Join {
            channel: channel()?,
            since: seq(fields.since, "since")?,
        },
        "leave" => Command::Leave {
            channel: Some(channel()?),
        },
        "message" => Command::Send(Draft {
            to: Target::Channel(channel()?),
            text: message_text(fields)?,
            action: flag(fields.action, "action")?.unwrap_or(false),
            nonce: nonce(fields)?,
        }),
        "direct" => {
            const EITHER: &str = "give either to or conversation";
            Command::Send(Draft {
                to: target(fields.to, Target::User, fields, EITHER)?,
                text: message_text(fields)?,
                action: false,
                nonce: nonce(fields)?,
            })
        }
        "edit" => change(fields, |of| Kind::Edit { of }, message_text(fields)?)?,
        "delete" => change(fields, |of| Kind::Delete { of }, Box::default())?,
        "react" => {
            let on = flag(fields.on, "on")?.unwrap_or(true);
            let emoji = checked_emoji(required(fields.emoji, "emoji")?)?;
            change(fields, |of| Kind::React { of, on }, emoji)?
        }
        "typing" => Command::Typing {
            target: place(fields)?,
        },
        "history" => {
            let (before, after) = (seq(fields.before, "before")?, seq(fields.after, "after")?);
            if before.is_some() && after.is_some() {
                return Err(CommandError::bad_field(
                    "before and after can't be combined",
                ));
            }
            let limit = number(fields.limit, "limit", 1..=PAGE_MESSAGES)?;
            Command::History(Query {
                target: place(fields)?,
                before,
                after,
                limit: limit.unwrap_or(PAGE_MESSAGES_DEFAULT),
            })
        }
        "search" => {
            let has_target = fields.channel.is_some() || fields.conversation.is_some();
            let limit = number(fields.limit, "limit", 1..=SEARCH_RESULTS)?;
            Command::Search(SearchQuery {
                text: required(fields.text, "text")?,
                target: has_target.then(|| place(fields)).transpose()?,
                before: string(fields.before, "before")?,
                limit: limit.unwrap_or(SEARCH_RESULTS_DEFAULT),
            })
        }
        "who" => Command::Who {
            channel: string(fields.channel, "channel")?,
        },
        "channels" => Command::Channels,
        "own" => Command::Own {
            key: string(fields.key, "key")?,
        },
        "mute" | "kick" => Command::Sanction {
            kick: kind == "kick",
            user: required(fields.user, "user")?,
            minutes: number(fields.minutes, "minutes", 0..=SANCTION_MINUTES)?
                .ok_or_else(|| missing("minutes"))?,
        },
        "door" => Command::Door {
            open: flag(fields.open, "open")?.ok_or_else(|| missing("open"))?,
        },
        "pin" => Command::Pin {
            channel: Some(channel()?),
            seq: seq(fields.seq, "seq")?,
        },
        "writing" => Command::Writing {
            channel: Some(channel()?),
            who: who(fields)?,
        },
        "clear" => Command::Clear {
            channel: Some(channel()?),
        },
        "remove_channel" => Command::RemoveChannel {
            channel: channel()?,
        },
        "trace" => Command::Trace {
            on: flag(fields.on, "on")?.unwrap_or(true),
        },
        "try" => Command::Try(text.into()),
        _ => return Err(CommandError::UNKNOWN_TYPE),
    })
}

fn change(
    fields: &Fields<'_>,
    kind: impl FnOnce(Seq) -> Kind,
    text: Box<str>,
) -> Result<Command, CommandError> {
    let of = seq(fields.seq, "seq")?.ok_or_else(|| missing("seq"))?;
    let draft = Draft {
        to: place(fields)?,
        text,
        action: false,
        nonce: nonce(fields)?,
    };
    Ok(Command::Change(kind(of), draft))
}

fn place(fields: &Fields<'_>) -> Result<Target, CommandError> {
    const EITHER: &str = "give either channel or conversation";
    target(fields.channel, Target::Channel, fields, EITHER)
}

/// Reads either a name, from which `kind` makes a target, or a conversation.
fn target(
    name: Field<'_>,
    kind: fn(Box<str>) -> Target,
    fields: &Fields<'_>,
    wrong: &'static str,
) -> Result<Target, CommandError> {
    match (string(name, ""), string(fields.conversation, "")) {
        (Ok(Some(name)), Ok(None)) => Ok(kind(name)),
        (Ok(None), Ok(Some(conversation))) => Ok(Target::Conversation(conversation)),
        (Err(error), _) | (_, Err(error)) if error == CommandError::BAD_JSON => Err(error),
        _ => Err(CommandError::bad_field(wrong)),
    }
}

fn who(fields: &Fields<'_>) -> Result<Writing, CommandError> {
    let word = borrowed(fields.who, "who").ok().flatten();
    match word.as_deref() {
        Some("all") => Ok(Writing::All),
        Some("owner") => Ok(Writing::Owner),
        _ => match number(fields.who, "who", 1..=SLOW_SECONDS) {
            Ok(Some(seconds)) => Ok(Writing::Slow(seconds)),
            _ => Err(must_be("who", "all, owner, or seconds from 1 to 86400")),
        },
    }
}

fn message_text(fields: &Fields<'_>) -> Result<Box<str>, CommandError> {
    checked_text(required(fields.text, "text")?)
}

fn nonce(fields: &Fields<'_>) -> Result<Option<Box<str>>, CommandError> {
    let nonce = string(fields.nonce, "nonce")?;
    if nonce.as_deref().is_none_or(is_nonce) {
        Ok(nonce)
    } else {
        Err(CommandError::bad_field(
            "nonce must have 1 to 64 characters, without control characters",
        ))
    }
}

fn must_be(key: &str, what: &str) -> CommandError {
    CommandError::bad_field(format!("{key} must be {what}"))
}

fn missing(key: &str) -> CommandError {
    CommandError::bad_field(format!("{key} is missing"))
}

fn flag(field: Field<'_>, key: &str) -> Result<Option<bool>, CommandError> {
    match field.map(RawValue::get) {
        None => Ok(None),
        Some("false") => Ok(Some(false)),
        Some("true") => Ok(Some(true)),
        Some(_) => Err(must_be(key, "true or false")),
    }
}

fn required(field: Field<'_>, key: &str) -> Result<Box<str>, CommandError> {
    string(field, key)?.ok_or_else(|| missing(key))
}

fn string(field: Field<'_>, key: &str) -> Result<Option<Box<str>>, CommandError> {
    Ok(borrowed(field, key)?.map(Box::from))
}

/// Returns a string without a copy where nothing in it is escaped.
fn borrowed<'a>(field: Field<'a>, key: &str) -> Result<Option<Cow<'a, str>>, CommandError> {
    let Some(value) = field.map(RawValue::get) else {
        return Ok(None);
    };
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    match quoted {
        Some(text) if !text.contains('\\') => Ok(Some(Cow::Borrowed(text))),
        // Half of a surrogate pair (`\ud83d`) is valid in JSON and stands for no character.
        Some(_) => serde_json::from_str(value).map_err(|_| CommandError::BAD_JSON),
        None => Err(must_be(key, "a string")),
    }
}

fn seq(field: Field<'_>, key: &str) -> Result<Option<Seq>, CommandError> {
    Ok(number(field, key, NUMBERS)?.map(Seq))
}

/// Reads an integer, in digits alone: neither `1.0` nor `1e3`.
fn number<T: FromStr + PartialOrd + Display>(
    field: Field<'_>,
    key: &str,
    range: RangeInclusive<T>,
) -> Result<Option<T>, CommandError> {
    let Some(value) = field else { return Ok(None) };
    match value.get().parse() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => {
            let (start, end) = range.into_inner();
            Err(must_be(key, &format!("an integer from {start} to {end}")))
        }
    }
}
