//! The history: messages and sessions that outlive a connection, and the settings of both.
//!
//! [`History`] is what the chat uses. Two types implement it: [`Memory`], which ends with the
//! process, and `sqlite::Sqlite`, which keeps a file.
//!
//! A *place* (a channel or a conversation) numbers its messages 1, 2, 3 … without a gap. A message
//! gets its number when it is committed: a message that could not be stored was never counted.
//! An edit, a deletion and a reaction are messages with a number of their own ([`Kind`]). Reading
//! gives every message in its present form; an earlier text is stored nowhere.
//! Times come from the wall clock and may go back; ages are judged by a
//! [`crate::time::TrustedClock`].

mod memory;
mod messages;
#[cfg(feature = "history")]
pub mod sqlite;

pub use memory::Memory;

use crate::limits::{REACTIONS, WAL_BYTES};
use crate::time::{Now, UnixMillis};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// A message's number in its place; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Seq(pub u64);

/// The public number of a session. Below 2^53, so that JavaScript can hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Author(pub u64);

/// A random name of a history, by which clients notice that it is another one. At most 64
/// characters.
pub type Epoch = Rc<str>;

/// Where messages are kept and numbered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A channel, by its name as it is shown.
    Channel(Rc<str>),
    /// The private messages of two sessions, the smaller number first.
    Conversation(Author, Author),
}

impl Place {
    /// Returns the conversation of two sessions, in either order.
    pub fn between(one: Author, other: Author) -> Self {
        Self::Conversation(one.min(other), one.max(other))
    }
}

/// What a message is: a text of its own, or a change of an earlier message of its place.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A text of its own.
    #[default]
    Message,
    /// A new text for the message `of`.
    Edit { of: Seq },
    /// The removal of the message `of`.
    Delete { of: Seq },
    /// A reaction to the message `of`, or its withdrawal. The text is the emoji.
    React { of: Seq, on: bool },
    /// A deleted message, or a change of one. It has no content, and is never proposed.
    Deleted,
}

/// A message that was checked and waits for the turn's commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What it is. The commit checks that the message that it changes exists.
    pub kind: Kind,
    /// The channel or conversation it is for.
    pub place: Place,
    /// The session that sends it.
    pub author: Author,
    /// The name of that session at this time.
    pub from: Rc<str>,
    /// The recipient's name, in a conversation.
    pub to: Option<Rc<str>>,
    /// The text that was sent.
    pub text: Box<str>,
    /// Whether it was sent by `/me`.
    pub action: bool,
    /// A text that the client made up, which makes sending again safe.
    pub nonce: Option<Box<str>>,
    /// Whether it was sent to a channel, or last edited there, by an owner's connection.
    pub owner: bool,
}

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The message as it was proposed.
    pub what: Rc<Proposal>,
    /// Its number in its place.
    pub seq: Seq,
    /// When it was stored, by the wall clock. It may go back within a place.
    pub at: UnixMillis,
    /// Later changes, boxed because few messages have any.
    pub changes: Option<Box<Changes>>,
}

/// What happened to a message since it was sent, as one session sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// When it was last edited.
    pub edited_at: Option<UnixMillis>,
    /// Its reactions, the emoji used first at the beginning.
    pub reactions: Vec<Reaction>,
}

/// The reactions to a message with one emoji.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Reaction {
    /// The emoji that was sent.
    pub emoji: Box<str>,
    /// The number of sessions that reacted with it.
    pub count: u64,
    /// Whether the reading session is one of them.
    pub mine: bool,
}

/// Why a change of an earlier message was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No message with that number is kept, or it is deleted, or it is a change itself.
    NoSuchMessage,
    /// Another session sent the message.
    NotYours,
    /// The message has [`REACTIONS`] other emojis.
    TooManyReactions,
}

/// The result of a proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The number of the message. If `repeated`, the number of the first message with this nonce,
    /// or of the message that already has the proposed state.
    pub seq: Seq,
    /// When that message was stored.
    pub at: UnixMillis,
    /// Whether nothing was stored because the nonce was known, or nothing would have changed.
    pub repeated: bool,
    /// Why nothing was stored; the other fields then have no meaning.
    pub refused: Option<Refusal>,
}

impl Stored {
    /// Returns the result of a change that is refused or would change nothing; `None` if `what` is
    /// to be stored. `target` is the message that it changes, as the author of `what` sees it.
    fn without_change(what: &Proposal, target: Option<&Record>) -> Option<Self> {
        what.changes()?;
        let refused = |why| {
            Some(Self {
                refused: Some(why),
                ..Self::default()
            })
        };
        let target = target.filter(|target| target.what.kind == Kind::Message);
        let Some(target) = target else {
            return refused(Refusal::NoSuchMessage);
        };
        // An owner may delete any message in a channel, and everyone may react.
        let is_allowed = match (what.kind, &what.place) {
            (Kind::React { .. }, _) => true,
            (Kind::Delete { .. }, Place::Channel(_)) if what.owner => true,
            _ => target.what.author == what.author,
        };
        if !is_allowed {
            return refused(Refusal::NotYours);
        }
        let Kind::React { on, .. } = what.kind else {
            return None;
        };
        let changes = target.changes.as_ref();
        let reactions = changes.map_or(&[][..], |changes| &changes.reactions);
        let same = reactions.iter().find(|it| it.emoji == what.text);
        // With a nonce it is stored: sent again after the opposite, it must not undo that.
        if what.nonce.is_none() && same.is_some_and(|it| it.mine) == on {
            return Some(Self {
                seq: target.seq,
                at: target.at,
                repeated: true,
                refused: None,
            });
        }
        match same {
            None if on && reactions.len() >= REACTIONS => refused(Refusal::TooManyReactions),
            _ => None,
        }
    }
}

/// The part of a place to read. A page holds at least one message if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only messages above this number.
    pub after: Seq,
    /// Only messages below this number.
    pub before: Seq,
    /// Take the oldest of these messages instead of the newest.
    pub from_oldest: bool,
    /// The maximum number of messages.
    pub rows: u32,
    /// The maximum sum of [`Record::weight`], in bytes.
    pub bytes: usize,
    /// The session that reads, to which `mine` of a [`Reaction`] refers.
    pub reader: Author,
}

impl PageRequest {
    /// Makes the request for the message with this number alone.
    pub fn one(seq: Seq, reader: Author) -> Self {
        Self {
            after: Seq(seq.0.saturating_sub(1)),
            before: Seq(seq.0.saturating_add(1)),
            from_oldest: true,
            rows: 1,
            bytes: 0,
            reader,
        }
    }
}

/// The numbers of a place that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The oldest message that is kept; `newest + 1` if there is none.
    pub first: Seq,
    /// The newest message; 0 if there was none.
    pub newest: Seq,
}

impl Span {
    /// The span of a place without messages.
    pub const EMPTY: Self = Self {
        first: Seq(1),
        newest: Seq(0),
    };
}

/// A session that sent or received a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The number of the session.
    pub author: Author,
    /// SHA-1 of the secret half of its token.
    pub secret: [u8; 20],
    /// Its name, now or when it was last online.
    pub name: Rc<str>,
    /// When it was last seen. The history sets it in a commit.
    pub seen: UnixMillis,
    /// Whether it left by `/quit` or a close with 1000, so that its name is not reserved for it
    /// after a restart.
    pub quit: bool,
    /// A hash of the room's password that the session gave, if any, or of the user name that a
    /// trusted proxy gave.
    pub password: Option<[u8; 20]>,
}

/// Until which times a session is muted and kicked, by the wall clock; 0 if it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanction {
    /// The number of the session.
    pub author: Author,
    /// Its name when the owner decided.
    pub name: Rc<str>,
    /// The time until which it can't write.
    pub muted_until: UnixMillis,
    /// The time until which it can't come back.
    pub kicked_until: UnixMillis,
}

impl Sanction {
    /// Returns the time from which the session is neither muted nor kicked.
    pub fn until(&self) -> UnixMillis {
        self.muted_until.max(self.kicked_until)
    }
}

/// Who may write in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Writing {
    /// All of its members.
    #[default]
    All,
    /// Connections of owners only.
    Owner,
    /// All, with this many seconds between two messages of one user.
    #[serde(untagged)]
    Slow(u32),
}

/// An owner's settings of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Who may write in it.
    pub writing: Writing,
    /// The message that is shown above the others.
    pub pinned: Option<Seq>,
}

/// A decision of an owner, stored at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Mutes or kicks a session, or ends that.
    Sanction(Sanction),
    /// Opens or closes the door for new sessions.
    Door {
        /// Whether new sessions are let in.
        is_open: bool,
    },
    /// Changes the settings of a channel.
    Settings(Rc<str>, ChannelSettings),
    /// Deletes the messages of a channel. The next message gets the next number.
    Clear(Rc<str>),
    /// Does the same, and resets the settings. A start restores the channel only if it has had a
    /// message since.
    Remove(Rc<str>),
}

/// A channel that has messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its name as it is shown.
    pub name: Rc<str>,
    /// The number of its newest message.
    pub newest: Seq,
    /// What an owner has set.
    pub settings: ChannelSettings,
}

/// The state that a server restores when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Channels, the most recently used first.
    pub channels: Vec<ChannelRow>,
    /// Sessions that were seen lately and did not quit, the last seen first.
    pub sessions: Vec<SessionRow>,
    /// Sessions that are muted or kicked.
    pub sanctions: Vec<Sanction>,
    /// Whether an owner has closed the door for new sessions.
    pub door_is_closed: bool,
}

/// A conversation in a session's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationRow {
    /// The other session; the same one in a conversation with oneself.
    pub other: Author,
    /// The number of its newest message.
    pub newest: Seq,
}

/// Why the history could not be read or written, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(pub String);

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// The result of reading or writing a history.
pub type Result<T> = std::result::Result<T, StoreError>;

impl std::fmt::Display for StoreError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// Receives a message from [`History::scan`]: its number, its time, and its present text, which is
/// `None` if the message is deleted or a change.
pub type Visit<'a> = dyn FnMut(Seq, UnixMillis, Option<&str>) + 'a;

/// A store of messages and sessions. Its methods are the only ones in the event loop that may wait
/// for a disk.
pub trait History {
    /// Stores all proposals and session rows, or none, and numbers the messages in their order. A
    /// proposal whose nonce the author used in that place within 24 hours, even in the same call,
    /// is not stored; its result is that of the first one. A refused change is not stored either.
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>>;
    /// Stores a decision and the session rows, or nothing.
    fn decide(&mut self, decision: &Decision, sessions: &[SessionRow], now: Now) -> Result<()>;
    /// Returns an owner's settings of a channel.
    fn settings(&mut self, channel: &Rc<str>) -> Result<ChannelSettings>;
    /// Passes the messages of a page to `visit` until it returns `false`, the ones asked for first
    /// at the beginning. There may be one more than `rows`.
    fn each(
        &mut self,
        place: &Place,
        ask: PageRequest,
        visit: &mut dyn FnMut(Record) -> bool,
    ) -> Result<()>;
    /// Appends a page to `out`, oldest first. Returns whether there are more messages on the side
    /// away from where the page begins.
    fn page(&mut self, place: &Place, ask: PageRequest, out: &mut Vec<Record>) -> Result<bool> {
        let (start, most) = (out.len(), ask.rows.max(1) as usize);
        let (mut bytes, mut has_more) = (0, false);
        self.each(place, ask, &mut |record| {
            bytes += record.weight();
            let taken = out.len() - start;
            has_more = taken == most || (taken > 0 && bytes > ask.bytes);
            if !has_more {
                out.push(record);
            }
            !has_more
        })?;
        if !ask.from_oldest {
            out[start..].reverse();
        }
        Ok(has_more)
    }
    /// Passes at most `rows` messages of a place below `before` to `visit`, newest first. Subtracts
    /// the bytes that it reads from `budget`, and stops after the message that uses it up. Returns
    /// the number below which the remaining messages are; `None` if none remain.
    fn scan(
        &mut self,
        place: &Place,
        before: Seq,
        rows: u32,
        budget: &mut usize,
        visit: &mut Visit<'_>,
    ) -> Result<Option<Seq>>;
    /// Returns the numbers of a place; [`Span::EMPTY`] if it is unknown.
    fn span(&mut self, place: &Place) -> Result<Span>;
    /// Returns a session that is kept.
    fn session(&mut self, author: Author) -> Result<Option<SessionRow>>;
    /// Returns the session seen last of those with this mark in [`SessionRow::password`].
    fn session_with_mark(&mut self, mark: &[u8; 20]) -> Result<Option<Author>>;
    /// Returns the conversations of a session, the most recently used first, at most `most`.
    fn conversations(&mut self, of: Author, most: usize) -> Result<Vec<ConversationRow>>;
    /// Returns what a server restores when it starts: at most `channels` channels, and the sessions
    /// seen within the last `seen_within`.
    fn remembered(&mut self, _channels: usize, _seen_within: Duration, _now: Now) -> Remembered {
        Remembered::default()
    }
    /// Does a short step of maintenance: prunes, and checks that the file is still there.
    fn maintain(&mut self, _now: Now) -> Result<()> {
        Ok(())
    }
    /// Returns after what time to call [`History::maintain`]; `None`: it need not be called.
    fn next_maintenance(&self) -> Option<Duration> {
        None
    }
    /// Returns whether the last [`History::commit`] failed because another program was writing, so
    /// that the same commit may succeed a moment later.
    fn is_locked(&self) -> bool {
        false
    }
    /// Returns how long the last commit took, once, for the metrics.
    fn take_commit_time(&mut self) -> Option<Duration> {
        None
    }
    /// Forgets a place that is unreachable from now on. A history on disk keeps it.
    fn forget(&mut self, _place: &Place) {}
    /// Returns the name of this history.
    fn epoch(&self) -> Epoch;
    /// Returns the number of a new session; each number is given once.
    fn next_author(&mut self) -> Author;
}

impl Proposal {
    /// Returns the message that this one changes.
    pub fn changes(&self) -> Option<Seq> {
        match self.kind {
            Kind::Edit { of } | Kind::Delete { of } | Kind::React { of, .. } => Some(of),
            Kind::Message | Kind::Deleted => None,
        }
    }
}

/// Returns what searching a text takes from the budget, in bytes. Text that is not ASCII takes
/// longer.
fn cost(text: &str) -> usize {
    let each = if text.is_ascii() { 1 } else { 8 };
    64 + each * text.len()
}

impl Record {
    /// Returns an upper bound of the message's size as JSON, in bytes, to limit pages. It
    /// includes the cost of counting the reactions.
    pub fn weight(&self) -> usize {
        // A text has no control characters but line feed and tab, so an escape has two characters.
        let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n' | b'\t');
        let changes = self.changes.iter().map(|changes| {
            let emojis = changes.reactions.iter();
            let weight = |it: &Reaction| 2 * it.emoji.len() + 64 + 16 * it.count as usize;
            40 + emojis.map(weight).sum::<usize>()
        });
        let added = changes.sum::<usize>();
        self.bytes() + added + self.what.text.bytes().filter(is_escaped).count()
    }

    /// Returns about the memory that the message takes, in bytes, to limit what is kept.
    pub fn bytes(&self) -> usize {
        let what = &self.what;
        let names = what.from.len() + what.to.as_ref().map_or(0, |to| to.len());
        let nonce = what.nonce.as_ref().map_or(0, |nonce| nonce.len());
        let place = match &what.place {
            Place::Channel(name) => name.len(),
            Place::Conversation(..) => 64,
        };
        what.text.len() + names + place + 2 * nonce + 224
    }
}

/// What an `ack` survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// A crash of the process.
    #[default]
    Normal,
    /// A crash of the machine.
    Full,
}

/// How a history on disk is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--history`: the path of the database.
    pub path: PathBuf,
    /// `--sync`: what an `ack` survives.
    pub sync: Sync,
    /// `--history-keep`: the messages that a place keeps.
    pub keep: u64,
    /// `--history-days`: the days before the newest message that are kept; 0: no limit.
    pub days: u32,
    /// `--history-bytes`: the maximum size of the database.
    pub bytes: u64,
    /// `--session-days`: the days that a session is known after it was last seen.
    pub session_days: u32,
    /// The size of the write-ahead log at which nothing more is stored, in bytes.
    pub log_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: "parlor.db".into(),
            sync: Sync::Normal,
            keep: 100_000,
            days: 0,
            bytes: 10 << 30,
            session_days: 30,
            log_bytes: WAL_BYTES,
        }
    }
}
