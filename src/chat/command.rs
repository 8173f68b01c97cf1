//! The commands of clients.
//!
//! `codec` parses JSON and typed lines into the same commands. Names are still unchecked text: they
//! are validated when the command is applied.

#![allow(missing_docs)]

use super::error::CommandError;
use crate::history::{Kind, Seq, Writing};

/// Numbers from clients are below this, so that JavaScript can represent them.
pub(super) const NUMBER_LIMIT: u64 = 1 << 53;

/// A number below 2^53 that a client puts into a command. The answer repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u64);

/// One message of a client: its id, and a command or the error that it is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id that the answer repeats.
    pub id: Option<RequestId>,
    /// Whether the command is only allowed after `hello`. Before it, the answer is `hello_first`,
    /// even if the command has an error.
    pub needs_user: bool,
    /// The command, or the error of parsing it.
    pub command: Result<Command, CommandError>,
}

/// A command. Its fields are those of the protocol (`docs/protocol.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begins a session, or continues one. `name` is ignored if the session's user is online.
    Hello(Hello),
    /// Changes the user's name.
    Rename { name: Box<str> },
    /// The typed `/nick NAME [PASSWORD]`: `hello` before the welcome, `rename` after it.
    Nick { name: Box<str> },
    /// Joins a channel, and creates it if it does not exist.
    Join {
        channel: Box<str>,
        since: Option<Seq>,
    },
    /// Leaves a channel, by default the one joined last.
    Leave { channel: Option<Box<str>> },
    /// Sends a message to a channel (`message`), a user or a conversation (`direct`).
    Send(Draft),
    /// Changes an earlier message (`edit`, `delete`, `react`). The text is the new one, the emoji,
    /// or empty.
    Change(Kind, Draft),
    /// Reports that the user is typing.
    Typing { target: Target },
    /// Asks for earlier or missed messages.
    History(Query),
    /// Asks for messages that contain a text.
    Search(SearchQuery),
    /// Asks who is online, or in a channel.
    Who { channel: Option<Box<str>> },
    /// Asks for all channels.
    Channels,
    /// Makes the connection an owner's by the owner's key; without a key, ends that.
    Own { key: Option<Box<str>> },
    /// Mutes or kicks a user for some minutes; 0 ends it.
    Sanction {
        kick: bool,
        user: Box<str>,
        minutes: u32,
    },
    /// Lets new sessions in, or not.
    Door { open: bool },
    /// Sets who may write in a channel, by default in the one joined last.
    Writing {
        channel: Option<Box<str>>,
        who: Writing,
    },
    /// Pins a message of a channel, by default the one joined last, or none.
    Pin {
        channel: Option<Box<str>>,
        seq: Option<Seq>,
    },
    /// Deletes the messages of a channel, by default of the one joined last.
    Clear { channel: Option<Box<str>> },
    /// Deletes a channel and its messages.
    RemoveChannel { channel: Box<str> },
    /// Starts or stops showing this connection its own frames. The wire view handles it; the chat
    /// gets it only if the wire view is off.
    Trace { on: bool },
    /// Explains frames that the user composed. Contains the whole command as JSON, which the wire
    /// view parses.
    Try(Box<str>),
    /// The typed `/help`: asks for the list of commands.
    Help,
    /// The typed `/quit`: ends the connection.
    Quit,
}

impl Command {
    /// Returns whether the command is for owners only.
    pub(super) fn is_owners(&self) -> bool {
        matches!(
            self,
            Self::Sanction { .. }
                | Self::Door { .. }
                | Self::Writing { .. }
                | Self::Pin { .. }
                | Self::Clear { .. }
                | Self::RemoveChannel { .. }
        )
    }
}

/// The first command of a connection. With the owner's `key`, neither the room's `password` nor an
/// open door is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    pub name: Box<str>,
    pub session: Option<Box<str>>,
    pub password: Option<Box<str>>,
    pub key: Option<Box<str>>,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub to: Target,
    pub text: Box<str>,
    pub action: bool,
    pub nonce: Option<Box<str>>,
}

/// A request for messages of the history: the oldest ones above `after`, otherwise the newest ones,
/// below `before` if it is given. `limit` is from 1 to 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub target: Target,
    pub before: Option<Seq>,
    pub after: Option<Seq>,
    pub limit: u32,
}

/// A search; without a target, of all that the session can read. `limit` is from 1 to 50.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    pub text: Box<str>,
    pub target: Option<Target>,
    pub before: Option<Box<str>>,
    pub limit: u32,
}

/// The channel or conversation that a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A channel, by its name.
    Channel(Box<str>),
    /// The channel joined last (typed lines only).
    JoinedLast,
    /// The user who has this name now (`Send` only).
    User(Box<str>),
    /// The identifier of a conversation, whose other participant may be offline.
    Conversation(Box<str>),
}

impl Request {
    /// Makes a request from its `type`, or from the word after the slash.
    pub(super) fn new(
        id: Option<RequestId>,
        kind: &str,
        command: Result<Command, CommandError>,
    ) -> Self {
        const WITHOUT_USER: [&str; 6] = ["hello", "trace", "try", "nick", "help", "quit"];
        // These errors take precedence over `hello_first`.
        let first = [CommandError::BAD_JSON, CommandError::UNKNOWN_TYPE];
        let is_first = command.as_ref().is_err_and(|error| first.contains(error));
        Self {
            id,
            needs_user: !is_first && !WITHOUT_USER.contains(&kind),
            command,
        }
    }

    /// Makes a request that is answered with `error`.
    pub fn failed(id: Option<RequestId>, error: CommandError) -> Self {
        Self {
            id,
            needs_user: false,
            command: Err(error),
        }
    }

    /// Returns whether the message could not be parsed. This error takes precedence over
    /// `rate_limited`.
    pub fn is_unreadable(&self) -> bool {
        let errors = [CommandError::BAD_JSON, CommandError::BAD_ID];
        let error = self.command.as_ref().err();
        error.is_some_and(|error| errors.contains(error))
    }

    /// Returns whether the command must wait for the next turn if the same connection sent a
    /// message in this one. The message has no number until the commit, so the answer would lack
    /// it.
    pub fn waits_for_commit(&self) -> bool {
        !matches!(
            self.command,
            Err(_) | Ok(Command::Send(_) | Command::Change(..) | Command::Typing { .. })
        )
    }
}
