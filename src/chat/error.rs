//! The error codes, each with a sentence for people. `docs/protocol.md` says when each is sent.

use crate::history::Refusal;
use serde::Serialize;
use std::borrow::Cow;

/// Why a command failed. A failed command changes nothing, and the connection stays open. The
/// fields are those of an `error` event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandError {
    /// The code, for programs.
    pub code: &'static str,
    /// The sentence, for people.
    pub message: Cow<'static, str>,
    /// When the command would be accepted, in milliseconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
}

/// Declares the errors that need no arguments, from rows of a name, a code and a sentence.
macro_rules! errors {
    ($($name:ident $code:literal $sentence:literal)+) => {
        #[allow(missing_docs)]
        impl CommandError {
            $(pub const $name: Self = Self::new($code, $sentence);)+
        }
    };
}

errors! {
    BAD_JSON "bad_json" "send one JSON object without duplicate keys"
    BAD_ID "bad_field" "id must be an unsigned integer below 2^53"
    UNKNOWN_TYPE "unknown_type" "unknown command; /help lists the commands"
    HELLO_FIRST "hello_first" "send hello (or /nick NAME) first"
    ALREADY_WELCOMED "already_welcomed" "you've already said hello; use rename to change your name"
    NAME_TAKEN "name_taken" "that name (or one that looks like it) is taken"
    NAME_FIXED "name_fixed" "your name comes from the sign-in of this server"
    NO_SUCH_USER "no_such_user" "no one by that name is online"
    NO_SUCH_CHANNEL "no_such_channel" "that channel doesn't exist"
    NO_SUCH_CONVERSATION "no_such_conversation" "that conversation doesn't exist"
    NOT_IN_CHANNEL "not_in_channel" "join the channel first"
    NO_SUCH_MESSAGE "no_such_message" "that message is deleted, or does not exist"
    NOT_YOURS "not_yours" "you can only change your own messages"
    EMPTY "empty" "type a text first"
    TOO_MANY_CHANNELS "too_many_channels" "too many channels; leave one or use an existing one"
    RATE_LIMITED "rate_limited" "too many commands; wait a moment"
    TOO_MANY_TRIES "rate_limited"
        "too many wrong keys or passwords from your address; wait a minute"
    NOT_OWNER "not_owner" "only the owner of this chat can do that"
    MUTED "muted" "you can't write for now: the owner muted you"
    KICKED "kicked" "the owner removed you; come back later"
    DOOR_CLOSED "door_closed" "this chat is closed for new people"
    READ_ONLY "read_only" "only the owner can write in this channel for now"
    SLOW "slow" "this channel is in slow mode; wait a moment"
    PASSWORD_NEEDED "password_needed" "this chat needs a password"
    BAD_PASSWORD "bad_password" "that is not the password"
    BAD_KEY "bad_key" "that is not the owner's key"
    STORAGE_FAILED "storage_failed"
        "the server's message history is not available, so nothing was sent or changed"
}

impl CommandError {
    const fn new(code: &'static str, message: &'static str) -> Self {
        Self {
            code,
            message: Cow::Borrowed(message),
            retry_ms: None,
        }
    }

    /// Makes the error for a field that is missing, or has an impossible type or value.
    pub fn bad_field(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            ..Self::new("bad_field", "")
        }
    }

    /// Makes the error for an impossible name.
    pub fn bad_name(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            ..Self::new("bad_name", "")
        }
    }

    /// Makes the error for a text of more than `limit` characters.
    pub fn too_long(limit: usize) -> Self {
        Self {
            message: format!("texts can be up to {limit} characters").into(),
            ..Self::new("too_long", "")
        }
    }

    /// Adds when the command would be accepted, in milliseconds from now.
    pub fn after(self, retry_ms: u64) -> Self {
        Self {
            retry_ms: Some(retry_ms),
            ..self
        }
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchMessage => Self::NO_SUCH_MESSAGE,
            Refusal::NotYours => Self::NOT_YOURS,
            Refusal::TooManyReactions => {
                Self::bad_field("the message has 20 different reactions already; use one of them")
            }
        }
    }
}
