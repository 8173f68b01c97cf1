//! The error codes, each with its sentence for a person.

use std::borrow::Cow;

/// Why a command failed. It changed nothing, and the connection stays open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// Not one JSON object, or a key that has a meaning comes twice.
    BadJson,
    /// `id` is not an unsigned integer below 2^53; it can't be given back.
    BadId,
    /// There is no such command.
    UnknownType,
    /// A field is missing, has the wrong type, or a value that it can't have: says which, and what
    /// it should be.
    BadField(&'static str),
    /// Everything but `hello` comes after it.
    HelloFirst,
    /// `hello` comes once.
    AlreadyWelcomed,
    /// A name that no user or channel can have: says why.
    BadName(Cow<'static, str>),
    /// Another user has it.
    NameTaken,
    /// Nobody of this name is online, or the other session of a conversation is no longer known.
    NoSuchUser,
    /// There is no such channel.
    NoSuchChannel,
    /// There is none, or it is not the asker's.
    NoSuchConversation,
    /// Join first.
    NotInChannel,
    /// Nothing but white space.
    Empty,
    /// More characters than `--max-text-chars`.
    TooLong {
        /// How many there may be.
        limit: usize,
    },
    /// The server's limit, or the connection's.
    TooManyChannels,
    /// Slow down.
    RateLimited {
        /// When one more would be taken, in milliseconds from now.
        retry_ms: u64,
    },
    /// The history could not be written or read.
    StorageFailed,
}

impl CommandError {
    /// The code for a program.
    pub fn code(&self) -> &'static str {
        self.describe().0
    }

    /// The sentence for a person.
    pub fn sentence(&self) -> Cow<'static, str> {
        match self {
            Self::BadName(why) => why.clone(),
            Self::TooLong { limit } => format!("a text has at most {limit} characters").into(),
            other => other.describe().1.into(),
        }
    }

    /// How long to wait, where waiting helps.
    pub fn retry_ms(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_ms } => Some(*retry_ms),
            _ => None,
        }
    }

    /// Code and sentence: the table.
    fn describe(&self) -> (&'static str, &'static str) {
        match self {
            Self::BadJson => (
                "bad_json",
                "a message is one JSON object, and no key in it comes twice",
            ),
            Self::BadId => ("bad_field", "id must be an unsigned integer below 2^53"),
            Self::UnknownType => ("unknown_type", "there is no such command; /help lists them"),
            Self::BadField(sentence) => ("bad_field", sentence),
            Self::HelloFirst => ("hello_first", "say hello (or /nick NAME) first"),
            Self::AlreadyWelcomed => (
                "already_welcomed",
                "hello comes only once; rename gives another name",
            ),
            Self::BadName(_) => ("bad_name", "this can't be a name"),
            Self::NameTaken => (
                "name_taken",
                "somebody else has that name, or one that looks like it",
            ),
            Self::NoSuchUser => ("no_such_user", "nobody of that name is here"),
            Self::NoSuchChannel => ("no_such_channel", "there is no such channel"),
            Self::NoSuchConversation => ("no_such_conversation", "there is no such conversation"),
            Self::NotInChannel => ("not_in_channel", "join the channel first"),
            Self::Empty => ("empty", "there is nothing to send"),
            Self::TooLong { .. } => ("too_long", "the text is too long"),
            Self::TooManyChannels => (
                "too_many_channels",
                "there are too many channels; leave one, or use one that exists",
            ),
            Self::RateLimited { .. } => ("rate_limited", "too many commands; wait a moment"),
            Self::StorageFailed => (
                "storage_failed",
                "the history could not be written or read; nothing was sent",
            ),
        }
    }
}
