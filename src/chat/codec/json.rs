//! Commands from JSON.
//!
//! The message is read into one struct of all known keys, whose values stay raw JSON until the
//! command's `type` says which of them matter and what they must be.

use crate::chat::command::{
    Command, Draft, Hello, NUMBER_LIMIT, Query, Range, Request, RequestId, SearchQuery, Target,
};
use crate::chat::error::CommandError;
use crate::chat::text::{checked_emoji, checked_text};
use crate::history::{Kind, Seq, Writing};
use crate::limits::{
    NONCE_CHARS, PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT, SANCTION_MINUTES, SEARCH_RESULTS,
    SEARCH_RESULTS_DEFAULT, SLOW_SECONDS,
};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::RangeInclusive;

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

const SEQ: &str = "seq must be an unsigned integer below 2^53";

type Field<'a> = Option<&'a RawValue>;

/// Parses a message that begins with `{`. Fails where not even an id can be read.
pub(super) fn parse(text: &str) -> Result<Request, CommandError> {
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|_| CommandError::BAD_JSON)?;
    if !surrogates_are_paired(text) {
        return Err(CommandError::BAD_JSON);
    }
    let id = number(fields.id, "").map_err(|_| CommandError::BAD_ID)?;
    let id = id.map(RequestId);
    let Ok(Some(kind)) = borrowed(fields.r#type, "") else {
        let error = CommandError::bad_field("type must be a string");
        return Ok(Request::failed(id, error));
    };
    let command = command(&kind, &fields, text);
    Ok(Request {
        id,
        needs_user: !matches!(&*kind, "hello" | "trace" | "try")
            && command != Err(CommandError::UNKNOWN_TYPE),
        command,
    })
}

fn command(kind: &str, fields: &Fields<'_>, text: &str) -> Result<Command, CommandError> {
    const OPEN: &str = "open must be true or false";
    const NAME: &str = "name must be a string";
    const KEY: &str = "key must be a string";
    const CHANNEL: &str = "channel must be a string";
    Ok(match kind {
        "hello" => Command::Hello(Hello {
            name: required(fields.name, NAME)?,
            session: string(fields.session, "session must be a string")?,
            password: string(fields.password, "password must be a string")?,
            key: string(fields.key, KEY)?,
        }),
        "rename" => Command::Rename {
            name: required(fields.name, NAME)?,
        },
        "join" => Command::Join {
            channel: required(fields.channel, CHANNEL)?,
            since: number(fields.since, "since must be an unsigned integer below 2^53")?.map(Seq),
        },
        "leave" => Command::Leave {
            channel: Some(required(fields.channel, CHANNEL)?),
        },
        "message" => Command::Send(Draft {
            to: Target::Channel(required(fields.channel, CHANNEL)?),
            text: message_text(fields)?,
            action: flag(fields.action, "action must be true or false")?.unwrap_or(false),
            nonce: nonce(fields)?,
        }),
        "direct" => Command::Send(Draft {
            to: target(
                fields.to,
                Target::User,
                fields,
                "give either to or conversation",
            )?,
            text: message_text(fields)?,
            action: false,
            nonce: nonce(fields)?,
        }),
        "edit" => change(fields, |of| Kind::Edit { of }, message_text(fields)?)?,
        "delete" => change(fields, |of| Kind::Delete { of }, Box::default())?,
        "react" => {
            let on = flag(fields.on, "on must be true or false")?.unwrap_or(true);
            let emoji = checked_emoji(required(fields.emoji, "emoji must be a string")?)?;
            change(fields, |of| Kind::React { of, on }, emoji)?
        }
        "typing" => Command::Typing {
            target: place(fields)?,
        },
        "history" => Command::History(Query {
            target: place(fields)?,
            range: range(fields)?,
            limit: limit(fields)?,
        }),
        "search" => Command::Search(SearchQuery {
            text: required(fields.text, "text must be a string")?,
            target: anywhere(fields)?,
            before: string(fields.before, "before must be a string")?,
            limit: results(fields)?,
        }),
        "who" => Command::Who {
            channel: string(fields.channel, CHANNEL)?,
        },
        "channels" => Command::Channels,
        "own" => Command::Own {
            key: string(fields.key, KEY)?,
        },
        "mute" | "kick" => Command::Sanction {
            kick: kind == "kick",
            user: required(fields.user, "user must be a string")?,
            minutes: minutes(fields)?,
        },
        "door" => Command::Door {
            open: flag(fields.open, OPEN)?.ok_or(CommandError::bad_field(OPEN))?,
        },
        "pin" => Command::Pin {
            channel: Some(required(fields.channel, CHANNEL)?),
            seq: number(fields.seq, SEQ)?.map(Seq),
        },
        "writing" => Command::Writing {
            channel: Some(required(fields.channel, CHANNEL)?),
            who: who(fields)?,
        },
        "clear" => Command::Clear {
            channel: Some(required(fields.channel, CHANNEL)?),
        },
        "remove_channel" => Command::RemoveChannel {
            channel: required(fields.channel, CHANNEL)?,
        },
        "trace" => Command::Trace {
            on: flag(fields.on, "on must be true or false")?.unwrap_or(true),
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
    let of = number(fields.seq, SEQ)?.ok_or(CommandError::bad_field(SEQ))?;
    let draft = Draft {
        to: place(fields)?,
        text,
        action: false,
        nonce: nonce(fields)?,
    };
    Ok(Command::Change(kind(Seq(of)), draft))
}

fn place(fields: &Fields<'_>) -> Result<Target, CommandError> {
    const EITHER: &str = "give either channel or conversation";
    target(fields.channel, Target::Channel, fields, EITHER)
}

fn anywhere(fields: &Fields<'_>) -> Result<Option<Target>, CommandError> {
    let is_given = fields.channel.is_some() || fields.conversation.is_some();
    is_given.then(|| place(fields)).transpose()
}

/// Reads either a name, from which `kind` makes a target, or a conversation.
fn target(
    name: Field<'_>,
    kind: fn(Box<str>) -> Target,
    fields: &Fields<'_>,
    wrong: &'static str,
) -> Result<Target, CommandError> {
    match (string(name, wrong)?, string(fields.conversation, wrong)?) {
        (Some(name), None) => Ok(kind(name)),
        (None, Some(conversation)) => Ok(Target::Conversation(conversation)),
        _ => Err(CommandError::bad_field(wrong)),
    }
}

fn range(fields: &Fields<'_>) -> Result<Range, CommandError> {
    const BEFORE: &str = "before must be an unsigned integer below 2^53";
    const AFTER: &str = "after must be an unsigned integer below 2^53";
    match (number(fields.before, BEFORE)?, number(fields.after, AFTER)?) {
        (None, None) => Ok(Range::Newest),
        (Some(before), None) => Ok(Range::Before(Seq(before))),
        (None, Some(after)) => Ok(Range::After(Seq(after))),
        (Some(_), Some(_)) => Err(CommandError::bad_field(
            "before and after can't be combined",
        )),
    }
}

fn limit(fields: &Fields<'_>) -> Result<u32, CommandError> {
    const LIMIT: &str = "limit must be an integer from 1 to 200";
    let limit = number_within(fields.limit, 1..=PAGE_MESSAGES, LIMIT)?;
    Ok(limit.unwrap_or(PAGE_MESSAGES_DEFAULT))
}

fn results(fields: &Fields<'_>) -> Result<u32, CommandError> {
    const LIMIT: &str = "limit must be an integer from 1 to 50";
    let limit = number_within(fields.limit, 1..=SEARCH_RESULTS, LIMIT)?;
    Ok(limit.unwrap_or(SEARCH_RESULTS_DEFAULT))
}

fn minutes(fields: &Fields<'_>) -> Result<u32, CommandError> {
    const MINUTES: &str = "minutes must be an integer from 0 to 525600, a year";
    let minutes = number_within(fields.minutes, 0..=SANCTION_MINUTES, MINUTES)?;
    minutes.ok_or(CommandError::bad_field(MINUTES))
}

fn who(fields: &Fields<'_>) -> Result<Writing, CommandError> {
    const WHO: &str = "who must be all, owner, or seconds from 1 to 86400";
    let seconds = match borrowed(fields.who, "") {
        Ok(Some(word)) if word == "all" => return Ok(Writing::All),
        Ok(Some(word)) if word == "owner" => return Ok(Writing::Owner),
        Ok(_) => None,
        Err(_) => number_within(fields.who, 1..=SLOW_SECONDS, WHO)?,
    };
    let seconds = seconds.ok_or(CommandError::bad_field(WHO))?;
    Ok(Writing::Slow(seconds))
}

fn message_text(fields: &Fields<'_>) -> Result<Box<str>, CommandError> {
    checked_text(required(fields.text, "text must be a string")?)
}

fn nonce(fields: &Fields<'_>) -> Result<Option<Box<str>>, CommandError> {
    const NONCE: &str = "nonce must be a string of 1 to 64 characters without control characters";
    let nonce = string(fields.nonce, NONCE)?;
    let is_valid = |nonce: &str| {
        (1..=NONCE_CHARS).contains(&nonce.chars().take(NONCE_CHARS + 1).count())
            && !nonce.contains(char::is_control)
    };
    if nonce.as_deref().is_none_or(is_valid) {
        Ok(nonce)
    } else {
        Err(CommandError::bad_field(NONCE))
    }
}

fn flag(field: Field<'_>, wrong: &'static str) -> Result<Option<bool>, CommandError> {
    match field.map(RawValue::get) {
        None => Ok(None),
        Some("false") => Ok(Some(false)),
        Some("true") => Ok(Some(true)),
        Some(_) => Err(CommandError::bad_field(wrong)),
    }
}

fn required(field: Field<'_>, wrong: &'static str) -> Result<Box<str>, CommandError> {
    string(field, wrong)?.ok_or(CommandError::bad_field(wrong))
}

fn string(field: Field<'_>, wrong: &'static str) -> Result<Option<Box<str>>, CommandError> {
    Ok(borrowed(field, wrong)?.map(Box::from))
}

/// Returns a string without a copy where nothing in it is escaped.
fn borrowed<'a>(
    field: Field<'a>,
    wrong: &'static str,
) -> Result<Option<Cow<'a, str>>, CommandError> {
    let Some(value) = field.map(RawValue::get) else {
        return Ok(None);
    };
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    match quoted {
        Some(text) if !text.contains('\\') => Ok(Some(Cow::Borrowed(text))),
        Some(_) => serde_json::from_str(value)
            .map(Some)
            .map_err(|_| CommandError::bad_field(wrong)),
        None => Err(CommandError::bad_field(wrong)),
    }
}

/// Reads an unsigned integer below 2^53, in digits alone: neither `1.0` nor `1e3`.
fn number(field: Field<'_>, wrong: &'static str) -> Result<Option<u64>, CommandError> {
    let Some(value) = field else { return Ok(None) };
    match value.get().parse() {
        Ok(number) if number < NUMBER_LIMIT => Ok(Some(number)),
        _ => Err(CommandError::bad_field(wrong)),
    }
}

fn number_within(
    field: Field<'_>,
    range: RangeInclusive<u32>,
    wrong: &'static str,
) -> Result<Option<u32>, CommandError> {
    let number = number(field, wrong)?.map(u32::try_from);
    match number {
        None => Ok(None),
        Some(Ok(number)) if range.contains(&number) => Ok(Some(number)),
        Some(_) => Err(CommandError::bad_field(wrong)),
    }
}

/// Returns whether each escaped half of a surrogate pair (`\ud83d`) is followed by its other half,
/// in any key or value. serde_json checks only strings that it decodes.
fn surrogates_are_paired(json: &str) -> bool {
    // In valid JSON, backslashes are in strings only.
    let mut rest = json;
    while let Some((_, escape)) = rest.split_once('\\') {
        rest = match unit(escape) {
            Some((0xD800..0xDC00, after)) => match after.strip_prefix('\\').and_then(unit) {
                Some((0xDC00..0xE000, after)) => after,
                _ => return false,
            },
            Some((0xDC00..0xE000, _)) => return false,
            Some((_, after)) => after,
            // One of \" \\ \/ \b \f \n \r \t.
            None => escape.get(1..).unwrap_or_default(),
        };
    }
    true
}

/// Splits the UTF-16 unit off an escape, which begins at its `u`.
fn unit(escape: &str) -> Option<(u16, &str)> {
    let digits = escape.strip_prefix('u')?;
    let (digits, after) = (digits.get(..4)?, digits.get(4..)?);
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}
