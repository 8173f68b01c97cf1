//! The error codes, each with a sentence for people.

use crate::history::Refusal;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Why a command failed. A failed command changes nothing, and the connection stays open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The message is not one JSON object, or a known key appears twice in it.
    BadJson,
    /// `id` is not an unsigned integer below 2^53. The error is sent without an `id`.
    BadId,
    /// The command does not exist.
    UnknownType,
    /// A field is missing, has the wrong type or an invalid value; holds the sentence.
    BadField(&'static str),
    /// The command needs a `hello` first.
    HelloFirst,
    /// `hello` was already answered with `welcome`.
    AlreadyWelcomed,
    /// The name is not valid for a user or channel; holds the sentence.
    BadName(Cow<'static, str>),
    /// Another user has the name, or one that looks like it.
    NameTaken,
    /// The proxy names the users (`--user-header`).
    NameFixed,
    /// No user by that name is online, or the other session of a conversation is not known.
    NoSuchUser,
    /// The channel does not exist.
    NoSuchChannel,
    /// The conversation does not exist, or belongs to others.
    NoSuchConversation,
    /// The connection has not joined the channel.
    NotInChannel,
    /// The message does not exist, is deleted, or is no longer stored.
    NoSuchMessage,
    /// Another session sent the message.
    NotYours,
    /// The text is empty or all white space.
    Empty,
    /// The text has more characters than `--max-text-chars`.
    TooLong {
        /// The limit in characters.
        limit: usize,
    },
    /// The server's limit on channels is reached, or the connection's.
    TooManyChannels,
    /// The connection sent more commands than `--rate` allows.
    RateLimited {
        /// When the next command would be accepted, in milliseconds from now.
        retry_ms: u64,
    },
    /// The command needs a connection that sent `own` with the owner's key.
    NotOwner,
    /// An owner has muted the user.
    Muted {
        /// When that ends, in milliseconds from now.
        retry_ms: u64,
    },
    /// An owner has removed the user.
    Kicked {
        /// When the user can come back, in milliseconds from now.
        retry_ms: u64,
    },
    /// An owner has closed the door for new sessions.
    DoorClosed,
    /// Only owners may write in the channel.
    ReadOnly,
    /// The channel is in slow mode.
    Slow {
        /// When the user's next message would be accepted, in milliseconds from now.
        retry_ms: u64,
    },
    /// The room has a password, and `hello` had none.
    PasswordNeeded,
    /// The password is not the room's.
    BadPassword,
    /// The key is not the owner's key, or there is none.
    BadKey,
    /// Ten wrong keys or passwords came from the address within a minute.
    TooManyTries {
        /// When the next one would be compared, in milliseconds from now.
        retry_ms: u64,
    },
    /// The history could not be read or written.
    StorageFailed,
}

impl CommandError {
    /// Returns the code, for programs.
    pub fn code(&self) -> &'static str {
        self.describe().0
    }

    /// Returns the sentence, for people.
    pub fn sentence(&self) -> Cow<'static, str> {
        match self {
            Self::BadName(sentence) => sentence.clone(),
            Self::TooLong { limit } => format!("messages can be up to {limit} characters").into(),
            other => other.describe().1.into(),
        }
    }

    fn describe(&self) -> (&'static str, &'static str) {
        match self {
            Self::BadJson => ("bad_json", "send one JSON object without duplicate keys"),
            Self::BadId => ("bad_field", "id must be an unsigned integer below 2^53"),
            Self::UnknownType => ("unknown_type", "unknown command; /help lists the commands"),
            Self::BadField(sentence) => ("bad_field", sentence),
            Self::HelloFirst => ("hello_first", "send hello (or /nick NAME) first"),
            Self::AlreadyWelcomed => (
                "already_welcomed",
                "you've already said hello; use rename to change your name",
            ),
            Self::BadName(_) => ("bad_name", "this name is not valid"),
            Self::NameTaken => (
                "name_taken",
                "that name (or one that looks like it) is taken",
            ),
            Self::NameFixed => (
                "name_fixed",
                "your name comes from the sign-in of this server",
            ),
            Self::NoSuchUser => ("no_such_user", "no one by that name is online"),
            Self::NoSuchChannel => ("no_such_channel", "that channel doesn't exist"),
            Self::NoSuchConversation => ("no_such_conversation", "that conversation doesn't exist"),
            Self::NotInChannel => ("not_in_channel", "join the channel first"),
            Self::NoSuchMessage => (
                "no_such_message",
                "that message is deleted, or does not exist",
            ),
            Self::NotYours => ("not_yours", "you can only change your own messages"),
            Self::Empty => ("empty", "type a message first"),
            Self::TooLong { .. } => ("too_long", "the message is too long"),
            Self::TooManyChannels => (
                "too_many_channels",
                "too many channels; leave one or use an existing one",
            ),
            Self::RateLimited { .. } => ("rate_limited", "too many commands; wait a moment"),
            Self::NotOwner => ("not_owner", "only the owner of this chat can do that"),
            Self::Muted { .. } => ("muted", "you can't write for now: the owner muted you"),
            Self::Kicked { .. } => ("kicked", "the owner removed you; come back later"),
            Self::DoorClosed => ("door_closed", "this chat is closed for new people"),
            Self::ReadOnly => (
                "read_only",
                "only the owner can write in this channel for now",
            ),
            Self::Slow { .. } => ("slow", "this channel is in slow mode; wait a moment"),
            Self::PasswordNeeded => ("password_needed", "this chat needs a password"),
            Self::BadPassword => ("bad_password", "that is not the password"),
            Self::BadKey => ("bad_key", "that is not the owner's key"),
            Self::TooManyTries { .. } => (
                "rate_limited",
                "too many wrong keys or passwords from your address; wait a minute",
            ),
            Self::StorageFailed => (
                "storage_failed",
                "the server's message history is not available, so nothing was sent or changed",
            ),
        }
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchMessage => Self::NoSuchMessage,
            Refusal::NotYours => Self::NotYours,
            Refusal::TooManyReactions => {
                Self::BadField("the message has 20 different reactions already; use one of them")
            }
        }
    }
}

/// Serializes the fields of an `error` event.
impl Serialize for CommandError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            code: &'static str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            retry_ms: Option<u64>,
        }
        let retry_ms = match self {
            Self::RateLimited { retry_ms }
            | Self::TooManyTries { retry_ms }
            | Self::Muted { retry_ms }
            | Self::Kicked { retry_ms }
            | Self::Slow { retry_ms } => Some(*retry_ms),
            _ => None,
        };
        Fields {
            code: self.code(),
            message: &self.sentence(),
            retry_ms,
        }
        .serialize(serializer)
    }
}
