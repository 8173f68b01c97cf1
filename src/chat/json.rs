//! Commands and events as JSON.
//!
//! A command is read into one struct of the keys that have a meaning, each still as it stands in
//! the message, and judged
//! once its `type` is known: the order of errors that PROTOCOL asks for can't come from types
//! alone. An event is written
//! straight into the buffer that is sent; nothing is built in between.
//!
//! Not here: how an object is written (`object.rs`), what a name may be (`name.rs`), whether a text
//! is empty or too long, what exists (the chat).

use super::command::{Command, Range, Recipient, Request, RequestId, Target, When, checked_text};
use super::error::CommandError;
use super::event::{ChannelSummary, Event, Joined, PlaceName, Welcome};
use super::line::HELP;
use super::object::Object;
use crate::history::{Record, Seq};
use crate::limits::{NONCE_CHARS, PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Numbers that clients put in are below this: those that JavaScript can count.
const NUMBER_LIMIT: u64 = 1 << 53;

/// The keys that have a meaning. Each value is the text that stands in the message, valid but not
/// looked at, so a number
/// of any size, or brackets of any depth, costs nothing; `None` where it is absent or `null`. A key
/// that comes twice is an
/// error of the struct itself.
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
}

/// One value as it stands in the message.
type Field<'a> = Option<&'a RawValue>;

/// Parses one message that begins with `{`.
pub fn parse(text: &str) -> Request {
    let unreadable = |error| Request {
        id: None,
        when: When::Always,
        command: Err(error),
    };
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(text) else {
        return unreadable(CommandError::BadJson);
    };
    if !surrogates_are_paired(text) {
        return unreadable(CommandError::BadJson);
    }
    let Ok(id) = number(fields.id, "") else {
        return unreadable(CommandError::BadId);
    };
    let (when, command) = match borrowed(fields.r#type, "type must be a string") {
        Ok(Some(kind)) => command(&kind, &fields, text),
        // What it is can't be told, so it is not known to come too early either: this is told where
        // an unknown type is.
        Ok(None) => (When::Always, Err(CommandError::BadField("type is missing"))),
        Err(error) => (When::Always, Err(error)),
    };
    Request {
        id: id.map(RequestId),
        when,
        command,
    }
}

/// When a command may come, and what it is. Keys that this one does not know are not looked at.
fn command(kind: &str, fields: &Fields<'_>, text: &str) -> (When, Result<Command, CommandError>) {
    let command = match kind {
        "hello" => return (When::BeforeHello, hello(fields)),
        "rename" => {
            required(fields.name, "name must be a string").map(|name| Command::Rename { name })
        }
        "join" => join(fields),
        "leave" => {
            required(fields.channel, "channel must be a string").map(|channel| Command::Leave {
                channel: Some(channel),
            })
        }
        "message" => message(fields),
        "direct" => direct(fields),
        "typing" => target(fields).map(|target| Command::Typing { target }),
        "history" => history(fields),
        "who" => string(fields.channel, "channel must be a string")
            .map(|channel| Command::Who { channel }),
        "channels" => Ok(Command::Channels),
        "trace" => {
            let on = flag(fields.on, "on must be true or false");
            let command = on.map(|on| Command::Trace {
                on: on.unwrap_or(true),
            });
            return (When::Always, command);
        }
        "try" => return (When::Always, Ok(Command::Try(text.into()))),
        _ => return (When::Always, Err(CommandError::UnknownType)),
    };
    (When::AfterHello, command)
}

fn hello(fields: &Fields<'_>) -> Result<Command, CommandError> {
    let name = required(fields.name, "name must be a string")?;
    Ok(Command::Hello {
        name,
        session: string(fields.session, "session must be a string")?,
    })
}

fn join(fields: &Fields<'_>) -> Result<Command, CommandError> {
    let channel = required(fields.channel, "channel must be a string")?;
    Ok(Command::Join {
        channel,
        since: seq(fields.since, "since must be an unsigned integer below 2^53")?,
    })
}

fn message(fields: &Fields<'_>) -> Result<Command, CommandError> {
    Ok(Command::Message {
        channel: Some(required(fields.channel, "channel must be a string")?),
        text: text(fields)?,
        action: flag(fields.action, "action must be true or false")?.unwrap_or(false),
        nonce: nonce(fields)?,
    })
}

fn direct(fields: &Fields<'_>) -> Result<Command, CommandError> {
    let to = string(fields.to, "to must be a string")?;
    let conversation = string(fields.conversation, "conversation must be a string")?;
    let to = match (to, conversation) {
        (Some(name), None) => Recipient::User(name),
        (None, Some(conversation)) => Recipient::Conversation(conversation),
        _ => {
            return Err(CommandError::BadField(
                "one of to and conversation must be there, and not both",
            ));
        }
    };
    Ok(Command::Direct {
        to,
        text: text(fields)?,
        nonce: nonce(fields)?,
    })
}

fn target(fields: &Fields<'_>) -> Result<Target, CommandError> {
    let channel = string(fields.channel, "channel must be a string")?;
    let conversation = string(fields.conversation, "conversation must be a string")?;
    match (channel, conversation) {
        (Some(name), None) => Ok(Target::Channel(name)),
        (None, Some(conversation)) => Ok(Target::Conversation(conversation)),
        _ => Err(CommandError::BadField(
            "one of channel and conversation must be there, and not both",
        )),
    }
}

fn history(fields: &Fields<'_>) -> Result<Command, CommandError> {
    let target = target(fields)?;
    let before = seq(
        fields.before,
        "before must be an unsigned integer below 2^53",
    )?;
    let after = seq(fields.after, "after must be an unsigned integer below 2^53")?;
    let range = match (before, after) {
        (None, None) => Range::Newest,
        (Some(before), None) => Range::Before(before),
        (None, Some(after)) => Range::After(after),
        (Some(_), Some(_)) => {
            return Err(CommandError::BadField(
                "before and after exclude each other",
            ));
        }
    };
    const LIMIT: &str = "limit must be an integer from 1 to 200";
    let limit = match number(fields.limit, LIMIT)?.map(u32::try_from) {
        None => PAGE_MESSAGES_DEFAULT,
        Some(Ok(limit @ 1..=PAGE_MESSAGES)) => limit,
        Some(_) => return Err(CommandError::BadField(LIMIT)),
    };
    Ok(Command::History {
        target,
        range,
        limit,
    })
}

fn text(fields: &Fields<'_>) -> Result<Box<str>, CommandError> {
    checked_text(required(fields.text, "text must be a string")?)
}

fn nonce(fields: &Fields<'_>) -> Result<Option<Box<str>>, CommandError> {
    const WRONG: &str =
        "nonce must be a string of 1 to 64 characters, none of them a control character";
    let nonce = string(fields.nonce, WRONG)?;
    let fits = |nonce: &str| {
        !nonce.is_empty()
            && nonce.chars().nth(NONCE_CHARS).is_none()
            && !nonce.chars().any(char::is_control)
    };
    if nonce.as_deref().is_none_or(fits) {
        Ok(nonce)
    } else {
        Err(CommandError::BadField(WRONG))
    }
}

fn flag(field: Field<'_>, wrong: &'static str) -> Result<Option<bool>, CommandError> {
    match field.map(RawValue::get) {
        None => Ok(None),
        Some("false") => Ok(Some(false)),
        Some("true") => Ok(Some(true)),
        Some(_) => Err(CommandError::BadField(wrong)),
    }
}

fn required(field: Field<'_>, wrong: &'static str) -> Result<Box<str>, CommandError> {
    string(field, wrong)?.ok_or(CommandError::BadField(wrong))
}

fn string(field: Field<'_>, wrong: &'static str) -> Result<Option<Box<str>>, CommandError> {
    Ok(borrowed(field, wrong)?.map(Box::from))
}

/// A string in which nothing is escaped, as in most, is taken as it stands in the message.
fn borrowed<'a>(
    field: Field<'a>,
    wrong: &'static str,
) -> Result<Option<Cow<'a, str>>, CommandError> {
    let Some(value) = field.map(RawValue::get) else {
        return Ok(None);
    };
    match value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
    {
        Some(text) if !text.contains('\\') => Ok(Some(Cow::Borrowed(text))),
        Some(_) => serde_json::from_str(value)
            .map(Some)
            .map_err(|_| CommandError::BadField(wrong)),
        None => Err(CommandError::BadField(wrong)),
    }
}

fn seq(field: Field<'_>, wrong: &'static str) -> Result<Option<Seq>, CommandError> {
    Ok(number(field, wrong)?.map(Seq))
}

/// An unsigned integer below 2^53, written as one: neither `1.0` nor `1e3` is.
fn number(field: Field<'_>, wrong: &'static str) -> Result<Option<u64>, CommandError> {
    let Some(value) = field else { return Ok(None) };
    match value.get().parse() {
        Ok(number) if number < NUMBER_LIMIT => Ok(Some(number)),
        _ => Err(CommandError::BadField(wrong)),
    }
}

/// Whether each escape of half a character (`\ud83d`) has its other half, in whatever key or value.
/// Alone it is no
/// character, and a text with it could not be passed on; serde_json looks for that only where a
/// string is wanted.
fn surrogates_are_paired(json: &str) -> bool {
    // In valid JSON a backslash stands in strings alone.
    let mut rest = json;
    while let Some((_, escape)) = rest.split_once('\\') {
        rest = match half(escape) {
            Some((0xD800..0xDC00, behind)) => match behind.strip_prefix('\\').and_then(half) {
                Some((0xDC00..0xE000, behind)) => behind,
                _ => return false,
            },
            Some((0xDC00..0xE000, _)) => return false,
            Some((_, behind)) => behind,
            // One of \" \\ \/ \b \f \n \r \t.
            None => escape.get(1..).unwrap_or_default(),
        };
    }
    true
}

/// The UTF-16 unit of an escape, from its `u` on, and what follows it.
fn half(escape: &str) -> Option<(u16, &str)> {
    let digits = escape.strip_prefix('u')?;
    Some((
        u16::from_str_radix(digits.get(..4)?, 16).ok()?,
        &digits[4..],
    ))
}

/// Appends an event as one JSON object, with the id of the command that it answers. Allocates
/// nothing but room in `out`,
/// and where an error's sentence is made up.
pub fn encode(event: &Event, id: Option<RequestId>, out: &mut Vec<u8>) {
    put_event(event, Object::begin(out))
        .put_some("id", id.map(|id| id.0))
        .end();
}

/// The table of events: each with its fields.
fn put_event<'a>(event: &Event, object: Object<'a>) -> Object<'a> {
    match event {
        Event::Welcome(welcome) => put_welcome(welcome, object),
        Event::Joined(joined) => put_joined(joined, object),
        Event::Left { channel } => object.put("type", "left").put("channel", &**channel),
        Event::Ack { place, seq, at } => {
            let to = if let PlaceName::Conversation { to, .. } = place {
                to.as_deref()
            } else {
                None
            };
            object
                .put("type", "ack")
                .put_place(place)
                .put_some("to", to)
                .put("seq", &seq.0)
                .put("at", &at.0)
        }
        Event::Message { channel, record } => put_message(channel, record, object),
        Event::Direct {
            conversation,
            record,
        } => put_direct(conversation, record, object),
        Event::Typing { place, user } => object
            .put("type", "typing")
            .put_place(place)
            .put("user", &**user),
        Event::History {
            place,
            messages,
            more,
            first,
        } => {
            let object = object.put("type", "history").put_place(place).put_list(
                "messages",
                messages,
                |record, object| match place {
                    PlaceName::Channel(channel) => put_message(channel, record, object),
                    PlaceName::Conversation { conversation, .. } => {
                        put_direct(conversation, record, object)
                    }
                },
            );
            object.put("more", more).put("first", &first.0)
        }
        Event::Users {
            channel,
            users,
            count,
        } => object
            .put("type", "users")
            .put_some("channel", channel.as_deref())
            .put_names("users", users)
            .put("count", count),
        Event::Channels(channels) => {
            object
                .put("type", "channels")
                .put_list("channels", channels, put_channel)
        }
        Event::ChannelsChanged { created, gone } => object
            .put("type", "channels_changed")
            .put_names("created", created)
            .put_names("gone", gone),
        Event::Presence {
            joined,
            left,
            online,
        } => object
            .put("type", "presence")
            .put_names("joined", joined)
            .put_names("left", left)
            .put("online", online),
        Event::Members {
            channel,
            joined,
            left,
            count,
        } => {
            let object = object.put("type", "members").put("channel", &**channel);
            object
                .put_names("joined", joined)
                .put_names("left", left)
                .put("count", count)
        }
        Event::Renamed { from, to } => object
            .put("type", "renamed")
            .put("from", &**from)
            .put("to", &**to),
        Event::Help => object.put("type", "help").put("text", HELP),
        Event::Error(error) => {
            let object = object
                .put("type", "error")
                .put("code", error.code())
                .put("message", &*error.sentence());
            object.put_some("retry_ms", error.retry_ms())
        }
    }
}

fn put_welcome<'a>(welcome: &Welcome, object: Object<'a>) -> Object<'a> {
    object
        .put("type", "welcome")
        .put("name", &*welcome.name)
        .put("author", &welcome.author.0)
        .put("session", &*welcome.session)
        .put_list("channels", &welcome.channels, put_channel)
        .put_names("users", &welcome.users)
        .put("online", &welcome.online)
        .put_list("directs", &welcome.directs, |direct, object| {
            let object = object
                .put("conversation", &*direct.conversation)
                .put("with", &*direct.with);
            object
                .put("seq", &direct.seq.0)
                .put("online", &direct.online)
        })
        .put_object("limits", |object| {
            object
                .put("text", &welcome.text_chars)
                .put("message_bytes", &welcome.message_bytes)
        })
        .put("epoch", &*welcome.epoch)
        .put("time", &welcome.time.0)
        .put("server", concat!("parlor ", env!("CARGO_PKG_VERSION")))
}

fn put_joined<'a>(joined: &Joined, object: Object<'a>) -> Object<'a> {
    object
        .put("type", "joined")
        .put("channel", &*joined.channel)
        .put("seq", &joined.seq.0)
        .put("first", &joined.first.0)
        .put_names("members", &joined.members)
        .put("count", &joined.count)
        .put_list("history", &joined.history, |record, object| {
            put_message(&joined.channel, record, object)
        })
        .put("more", &joined.more)
}

fn put_channel<'a>(channel: &ChannelSummary, object: Object<'a>) -> Object<'a> {
    object
        .put("name", &*channel.name)
        .put("members", &channel.members)
        .put("seq", &channel.seq.0)
}

fn put_message<'a>(channel: &str, record: &Record, object: Object<'a>) -> Object<'a> {
    let action = record.what.action.then_some(true);
    put_record(
        record,
        object.put("type", "message").put("channel", channel),
    )
    .put_some("action", action)
}

fn put_direct<'a>(conversation: &str, record: &Record, object: Object<'a>) -> Object<'a> {
    let to = record.what.to.as_deref();
    put_record(
        record,
        object
            .put("type", "direct")
            .put("conversation", conversation),
    )
    .put_some("to", to)
}

/// What a message has wherever it was said. [`Record::weight`] counts on these fields.
fn put_record<'a>(record: &Record, object: Object<'a>) -> Object<'a> {
    let what = &record.what;
    object
        .put("from", &*what.from)
        .put("author", &what.author.0)
        .put_text("text", &what.text)
        .put("seq", &record.seq.0)
        .put("at", &record.at.0)
        .put_some("nonce", what.nonce.as_deref())
}
