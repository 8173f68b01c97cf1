//! What may be asked of a memory: the trait, and the words that it speaks.
//!
//! A *place* (a channel or a conversation) numbers its messages 1, 2, 3 … without a gap. The number
//! is given by the
//! commit and by nothing else: what failed to be stored was never counted.

mod kept;
mod lines;
mod memory;
mod nonces;
mod settings;
#[cfg(feature = "history")]
pub mod sqlite;

pub use lines::{LINE_BYTES, Line, Lines};
pub use memory::Memory;
pub use settings::{Settings, Sync};

use crate::time::UnixMillis;
use std::rc::Rc;
use std::time::Duration;

/// A message's number in its place. 0: before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Seq(pub u64);

/// The public number of a session; below 2^53, never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Author(pub u64);

/// Names a history; another one has another. At most 64 characters.
pub type Epoch = Rc<str>;

/// What numbers messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A channel, by its name as it is shown.
    Channel(Rc<str>),
    /// The private messages of two sessions, the smaller number first.
    Conversation(Author, Author),
}

impl Place {
    /// The conversation of two sessions, whoever asks.
    pub fn between(one: Author, other: Author) -> Self {
        Self::Conversation(one.min(other), one.max(other))
    }
}

/// A message that was checked and waits for the turn's commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Where it was said.
    pub place: Place,
    /// By which session.
    pub author: Author,
    /// Under which name.
    pub from: Rc<str>,
    /// The name of the one it was said to; private messages alone have it.
    pub to: Option<Rc<str>>,
    /// What was said.
    pub text: Box<str>,
    /// `/me`.
    pub action: bool,
    /// Makes sending again safe.
    pub nonce: Option<Box<str>>,
}

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was proposed.
    pub what: Rc<Proposal>,
    /// Its number in its place.
    pub seq: Seq,
    /// When it was stored; never goes back within a place.
    pub at: UnixMillis,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The number of the message, of the first one with this nonce where it is `repeated`.
    pub seq: Seq,
    /// When that one was stored.
    pub at: UnixMillis,
    /// The nonce was known: nothing new was stored.
    pub repeated: bool,
}

/// Which part of a place is read, in rows and in bytes ([`Record::weight`]); at least one message
/// where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Messages above this number. With `from_oldest` those next to it come first.
    pub after: Seq,
    /// Messages below this number.
    pub before: Seq,
    /// Take the oldest of them, not the newest.
    pub from_oldest: bool,
    /// At most so many.
    pub rows: u32,
    /// At most so heavy, in bytes of JSON.
    pub bytes: usize,
}

/// The numbers that a place has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The oldest that is kept; `newest + 1` where none is.
    pub first: Seq,
    /// The newest that was given; 0 where none was.
    pub newest: Seq,
}

/// What outlives a user: kept from a session's first message, sent or received, on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Whose.
    pub author: Author,
    /// SHA-1 of the secret half of its token.
    pub secret: [u8; 20],
    /// The name that it has or last had.
    pub name: Rc<str>,
    /// When it was last seen.
    pub seen: UnixMillis,
    /// It left by itself, by `/quit` or a close with 1000: its name is not held for it after a
    /// restart.
    pub quit: bool,
}

/// A channel in which something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its name as it is shown.
    pub name: Rc<str>,
    /// Its newest message.
    pub newest: Seq,
}

/// What a server finds when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Channels, the most recently used first, as many as can be listed or put away.
    pub channels: Vec<ChannelRow>,
    /// Sessions that were seen lately and did not leave by themselves, the last one first.
    pub sessions: Vec<SessionRow>,
}

/// A conversation as its owner finds it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationRow {
    /// The other session; one's own where one writes to oneself.
    pub other: Author,
    /// Its newest message.
    pub newest: Seq,
}

/// The history could not be read or written; says why, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(pub String);

impl std::fmt::Display for StoreError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// What remembers. Its calls are the only ones on the loop that may wait for a disk, and each is
/// bounded.
pub trait History {
    /// Stores all of them or none, with rows of sessions that are kept from now on or have changed,
    /// and numbers them in their
    /// order. A `nonce` that its author used in that place within the last 24 hours gives back the
    /// first one's number; it may be
    /// known from this very call.
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: UnixMillis,
    ) -> Result<Vec<Stored>, StoreError>;
    /// Appends a page to `out`, oldest first, and says whether there are others on the side away
    /// from where it began.
    fn page(
        &mut self,
        place: &Place,
        ask: PageRequest,
        out: &mut Vec<Record>,
    ) -> Result<bool, StoreError>;
    /// The numbers of a place; those of an empty one where it is unknown.
    fn span(&mut self, place: &Place) -> Result<Span, StoreError>;
    /// A session that was kept.
    fn session(&mut self, author: Author) -> Result<Option<SessionRow>, StoreError>;
    /// The conversations of a session, the most recently used first.
    fn conversations(
        &mut self,
        of: Author,
        most: usize,
    ) -> Result<Vec<ConversationRow>, StoreError>;
    /// What was there at the start: the channels used last, `channels` of them at most, and the
    /// sessions seen after `since`.
    fn remembered(&mut self, _channels: usize, _since: UnixMillis) -> Remembered {
        Remembered::default()
    }
    /// Whether there is more than is to be kept.
    fn wants_pruning(&self) -> bool {
        false
    }
    /// Gives up a little of what is not to be kept any more: a step that nobody has to wait for.
    fn prune(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
    /// How long the last commit took, once: for the metrics.
    fn take_commit_time(&mut self) -> Option<Duration> {
        None
    }
    /// Nobody can ask for this place again: a memory that has no disk to keep it on may drop it.
    fn forget(&mut self, _place: &Place) {}
    /// Which history this is.
    fn epoch(&self) -> Epoch;
    /// The greatest author number that was ever given.
    fn newest_author(&self) -> Author;
}

impl Record {
    /// No less than the bytes of its JSON: for the limits on pages. Looks at each byte of the text.
    pub fn weight(&self) -> usize {
        let what = &self.what;
        // A text has no control characters but line feed and tab, so what is escaped at all becomes
        // two characters.
        let escapes = what
            .text
            .bytes()
            .filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t'))
            .count();
        self.bytes() + escapes
    }

    /// About the bytes that it takes, whatever is escaped in its JSON: for the limits on what is
    /// kept.
    pub fn bytes(&self) -> usize {
        let what = &self.what;
        let names = what.from.len() + what.to.as_ref().map_or(0, |to| to.len());
        let place = match &what.place {
            Place::Channel(name) => name.len(),
            Place::Conversation(..) => 64,
        };
        what.text.len()
            + names
            + place
            + 2 * what.nonce.as_ref().map_or(0, |nonce| nonce.len())
            + 192
    }
}
