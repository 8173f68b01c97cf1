//! What clients may ask for.
//!
//! Commands come from JSON or from typed lines (`codec`); from here on the two are the same. Names
//! are still text as it was sent: they are checked when the command is applied.

use super::error::CommandError;
use crate::history::Seq;

/// A number below 2^53 that a client puts into a command; the answer carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u64);

/// One message of a client: a command and its id, or why the message is not a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id that the answer carries.
    pub id: Option<RequestId>,
    /// Whether the command is answered `hello_first` before `hello`, whatever else is wrong.
    pub needs_user: bool,
    /// The command, or what is wrong with the message itself.
    pub command: Result<Command, CommandError>,
}

/// A command. Its fields are those of the protocol (`docs/protocol.md`).
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begins a session, or continues one. `name` is ignored if the session's user is online.
    Hello {
        name: Box<str>,
        session: Option<Box<str>>,
    },
    /// Changes the user's name.
    Rename { name: Box<str> },
    /// The typed `/nick NAME`: `hello` before the welcome, `rename` after it.
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
    /// Reports that the user is typing.
    Typing { target: Target },
    /// Asks for earlier or missed messages.
    History(Query),
    /// Asks who is online, or in a channel.
    Who { channel: Option<Box<str>> },
    /// Asks for all channels.
    Channels,
    /// Starts or stops showing this connection its own frames. Handled by the wire view; the chat
    /// gets it only where that is off.
    Trace { on: bool },
    /// Frames made by hand, to be checked: the whole command as JSON. Handled by the wire view,
    /// like `Trace`.
    Try(Box<str>),
    /// The typed `/help`: asks for the list of commands.
    Help,
    /// The typed `/quit`: ends the connection.
    Quit,
}

/// A message to be sent.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub to: Target,
    pub text: Box<str>,
    pub action: bool,
    pub nonce: Option<Box<str>>,
}

/// Which messages are asked for, and how many at most: 1 to 200.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub target: Target,
    pub range: Range,
    pub limit: u32,
}

/// Where a message goes, or which messages are asked for.
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

/// Which messages of a channel or conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The newest of them.
    Newest,
    /// The newest ones below this number.
    Before(Seq),
    /// The oldest ones above this number.
    After(Seq),
}

impl Request {
    /// Makes a request that is answered with `error`.
    pub fn failed(id: Option<RequestId>, error: CommandError) -> Self {
        Self {
            id,
            needs_user: false,
            command: Err(error),
        }
    }

    /// Returns whether the message could not be parsed, which is reported even over the rate.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            self.command,
            Err(CommandError::BadJson | CommandError::BadId)
        )
    }

    /// Returns whether the command must not share a turn with a message sent before it on the same
    /// connection: the message has no number until the commit, and the answer would lack it.
    pub fn waits_for_commit(&self) -> bool {
        !matches!(
            self.command,
            Err(_) | Ok(Command::Send(_) | Command::Typing { .. })
        )
    }
}

/// The text of the `help` event.
pub const HELP: &str = "\
/nick NAME: choose a name, or change it
/join CHANNEL: join or create a channel
/leave [CHANNEL]: leave a channel, or the one joined last
/msg USER TEXT: send a private message
/history [N]: show the latest messages of the channel joined last
/who [CHANNEL]: list who's online, or in a channel
/channels: list all channels
/me TEXT: describe an action
/help: show this list
/quit: leave the chat
Anything else is a message to the channel joined last. \
To send a line that starts with a slash, type two.";
