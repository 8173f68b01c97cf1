//! What goes to one connection in a turn, and how it is written.
//!
//! In a turn nothing is copied for a receiver: it gets *pieces*, ranges of buffers that many may
//! share, chained through one
//! arena. At the end of the turn its pieces are one vectored write. Only what a socket does not
//! take becomes a backlog.
//!
//! Not here: who gets what (`topics`, `share`), and what a socket does not take (`backlog`).

use super::Socket;
use super::backlog::{Backlog, Held, HeldBytes, write_once};
use super::topics::Topics;
use crate::http::Body;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::rc::Rc;

/// The end of a chain.
const NONE: u32 = u32::MAX;
/// Slices of one `writev`. Linux takes 1,024; what is gathered by topic and joined seldom needs
/// more than three.
pub(super) const SLICES: usize = 16;
/// The turn's bytes keep this capacity, whether it is used or not, …
pub(super) const KEPT_BYTES: usize = 256 << 10;
/// … and its lists this one, in bytes: what stands in them is small.
const KEPT_LIST_BYTES: usize = 16 << 10;
/// What each of them keeps at rest.
pub(super) const LITTLE_BYTES: usize = 1 << 10;

/// Whose bytes a piece is a range of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// This turn's private bytes: an HTTP head, with a short body perhaps.
    Http,
    /// This turn's private bytes: whole frames.
    Frames,
    /// A topic's buffer: whole frames.
    Topic(u32),
    /// The body of a page.
    Body(u32),
}

/// What is written in this turn, before it is written.
#[derive(Default)]
pub(super) struct Turn {
    /// What goes to one connection, or to a handful. Encoders append here.
    private: Vec<u8>,
    bodies: Vec<Body>,
    pieces: Vec<Piece>,
    /// Every connection that has a piece, or whose backlog is to be tried.
    dirty: Vec<u32>,
}

struct Piece {
    source: Source,
    range: Range<u32>,
    next: u32,
}

impl Turn {
    /// Hands a connection what `write` appends to the private bytes, and says which range that is.
    pub(super) fn write(
        &mut self,
        index: u32,
        outbox: &mut Outbox,
        source: Source,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Range<u32> {
        let start = self.private.len() as u32;
        write(&mut self.private);
        let range = start..self.private.len() as u32;
        self.hand(index, outbox, source, range.clone());
        range
    }

    /// Hands a connection the body of a response.
    pub(super) fn write_body(&mut self, index: u32, outbox: &mut Outbox, body: Body) {
        let range = 0..body.as_bytes().len() as u32;
        match body {
            Body::None => {}
            Body::Text(text) => {
                self.write(index, outbox, Source::Http, |out| {
                    out.extend_from_slice(text.as_bytes())
                });
            }
            Body::Static(_) | Body::Shared(_) => {
                self.bodies.push(body);
                self.hand(
                    index,
                    outbox,
                    Source::Body(self.bodies.len() as u32 - 1),
                    range,
                );
            }
        }
    }

    /// Hands a connection a range. One that touches the one before it becomes one piece with it.
    pub(super) fn hand(
        &mut self,
        index: u32,
        outbox: &mut Outbox,
        source: Source,
        range: Range<u32>,
    ) {
        if range.is_empty() {
            return;
        }
        self.list(index, outbox);
        outbox.turn_bytes += range.end - range.start;
        if let Some(last) = self.pieces.get_mut(outbox.last as usize)
            && last.source == source
            && last.range.end == range.start
        {
            last.range.end = range.end;
            return;
        }
        let new = self.pieces.len() as u32;
        self.pieces.push(Piece {
            source,
            range,
            next: NONE,
        });
        match self.pieces.get_mut(outbox.last as usize) {
            Some(last) => last.next = new,
            None => outbox.first = new,
        }
        outbox.last = new;
    }

    /// Has a connection looked at in *flush*.
    pub(super) fn list(&mut self, index: u32, outbox: &mut Outbox) {
        if !outbox.listed {
            outbox.listed = true;
            self.dirty.push(index);
        }
    }

    /// Whom *flush* has to look at; they come off the list.
    pub(super) fn take_dirty(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dirty)
    }

    /// Bytes that stand in private buffers.
    pub(super) fn private_bytes(&self) -> usize {
        self.private.len()
    }

    /// Empties everything for the next turn; `dirty` is the list that [`Turn::take_dirty`] gave, to
    /// be used again.
    pub(super) fn clear(&mut self, mut dirty: Vec<u32>) {
        debug_assert!(self.dirty.is_empty(), "all of a turn is flushed in it");
        empty(&mut dirty, KEPT_LIST_BYTES);
        self.dirty = dirty;
        empty(&mut self.bodies, KEPT_LIST_BYTES);
        empty(&mut self.pieces, KEPT_LIST_BYTES);
        empty(&mut self.private, KEPT_BYTES);
    }

    /// Gives up what its buffers and lists have room for, but for a little: a large block that is
    /// made smaller goes back to the
    /// system, while for one that is freed the C library would keep the next ones of its size.
    pub(super) fn rest(&mut self) {
        self.private.shrink_to(LITTLE_BYTES);
        self.pieces.shrink_to(LITTLE_BYTES / size_of::<Piece>());
        self.dirty.shrink_to(LITTLE_BYTES / size_of::<u32>());
        self.bodies.shrink_to(LITTLE_BYTES / size_of::<Body>());
    }

    /// Bytes that its buffers and lists have room for.
    pub(super) fn room(&self) -> usize {
        let lists =
            self.pieces.capacity() * size_of::<Piece>() + self.dirty.capacity() * size_of::<u32>();
        self.private.capacity() + lists + self.bodies.capacity() * size_of::<Body>()
    }

    fn bytes<'a>(&'a self, piece: &Piece, topics: &'a Topics) -> &'a [u8] {
        let all = match piece.source {
            Source::Http | Source::Frames => &self.private,
            Source::Topic(topic) => topics.frames(topic),
            Source::Body(body) => self.bodies[body as usize].as_bytes(),
        };
        &all[piece.range.start as usize..piece.range.end as usize]
    }

    /// The frames that a connection was handed in this turn.
    pub(super) fn frames<'a>(
        &'a self,
        outbox: &Outbox,
        topics: &'a Topics,
    ) -> impl Iterator<Item = &'a [u8]> {
        let next = |piece: &&'a Piece| self.pieces.get(piece.next as usize);
        let pieces = std::iter::successors(self.pieces.get(outbox.first as usize), next);
        pieces
            .filter(|piece| matches!(piece.source, Source::Frames | Source::Topic(_)))
            .map(|piece| self.bytes(piece, topics))
    }

    /// What a backlog keeps of a piece of which `written` bytes are out.
    fn held(&self, piece: &Piece, topics: &Topics, written: usize) -> Held {
        let (start, end) = (piece.range.start as usize, piece.range.end as usize);
        let frames = matches!(piece.source, Source::Frames | Source::Topic(_));
        let bytes = match piece.source {
            Source::Topic(topic) => HeldBytes::Shared(topics.share(topic)),
            Source::Body(body) => match &self.bodies[body as usize] {
                Body::Static(bytes) => HeldBytes::Static(bytes),
                Body::Shared(bytes) => HeldBytes::Shared(Rc::clone(bytes)),
                other => HeldBytes::Own(other.as_bytes().to_vec()),
            },
            Source::Http | Source::Frames => {
                return Held::copy(&self.private[start..end], written, frames);
            }
        };
        Held::share(bytes, start..end, written, frames)
    }
}

/// Empties a turn's buffer. It keeps `kept` bytes, and what another turn like this one needs: a
/// load that goes on would otherwise
/// pay in every turn for fresh pages of the kernel. The first turn without it gives them back.
pub(super) fn empty<T>(buffer: &mut Vec<T>, kept: usize) {
    let room = (kept / size_of::<T>()).max(2 * buffer.len());
    buffer.clear();
    buffer.shrink_to(room);
}

/// The outgoing side of a connection.
pub(super) struct Outbox {
    first: u32,
    last: u32,
    /// Bytes of the pieces of this turn.
    turn_bytes: u32,
    listed: bool,
    /// Cleared by a short write, set by the event that says there is room again.
    writable: bool,
    /// Exists exactly while the socket did not take everything.
    backlog: Option<Box<Backlog>>,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flushed {
    /// Bytes that the socket took.
    pub(super) written: usize,
    /// Nothing is left to be written.
    pub(super) empty: bool,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            first: NONE,
            last: NONE,
            turn_bytes: 0,
            listed: false,
            writable: true,
            backlog: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.backlog.is_none() && self.first == NONE
    }

    /// Bytes that wait for the reader, those of this turn too.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.turn_bytes as usize + self.backlog_bytes()
    }

    /// Bytes that a socket did not take.
    pub(super) fn backlog_bytes(&self) -> usize {
        self.backlog
            .as_ref()
            .map_or(0, |backlog| backlog.waiting_bytes())
    }

    /// Whether more waited than may when the last message came. That one may have any length: else
    /// whoever echoes messages
    /// longer than the limit would be closed for what was asked, and taken, with a queue that was
    /// nearly empty.
    pub(super) fn is_over(&self, limit: usize) -> bool {
        let Some(backlog) = &self.backlog else {
            return false;
        };
        backlog.waiting_bytes() > limit
            && backlog.waiting_bytes() - backlog.last_message_bytes() > limit
    }

    /// There is room in the socket's buffer again.
    pub(super) fn set_writable(&mut self) {
        self.writable = true;
    }

    /// Writes what a connection has: its backlog first, then its pieces of this turn, until the
    /// socket takes no more.
    /// `buffered` is the sum that all connections hold.
    pub(super) fn flush<S: Socket>(
        &mut self,
        socket: &mut S,
        turn: &Turn,
        topics: &Topics,
        buffered: &mut usize,
    ) -> io::Result<Flushed> {
        self.listed = false;
        // First of all: the pieces are this turn's, and a chain that outlived it would lead into
        // another's.
        let mut next = std::mem::replace(&mut self.first, NONE);
        (self.last, self.turn_bytes) = (NONE, 0);
        let mut written = 0;
        if self.writable
            && let Some(backlog) = &mut self.backlog
        {
            let taken;
            (taken, self.writable) = backlog.write(socket, buffered)?;
            written += taken;
            if backlog.is_empty() {
                self.backlog = None;
            }
        }
        let mut skip = 0;
        if self.backlog.is_none() && self.writable {
            let taken;
            (next, skip, taken, self.writable) = write_pieces(next, socket, turn, topics)?;
            written += taken;
        }
        while let Some(piece) = turn.pieces.get(next as usize) {
            self.backlog
                .get_or_insert_default()
                .push(turn.held(piece, topics, skip), buffered);
            skip = 0;
            next = piece.next;
        }
        Ok(Flushed {
            written,
            empty: self.backlog.is_none(),
        })
    }

    /// Throws away what was not begun: no frame is left half written, and nothing else follows it.
    pub(super) fn cut(&mut self, buffered: &mut usize) {
        if let Some(backlog) = &mut self.backlog {
            backlog.cut(buffered);
            if backlog.is_empty() {
                self.backlog = None;
            }
        }
    }

    /// Gives back everything, when the connection is gone.
    pub(super) fn release(&mut self, buffered: &mut usize) {
        if let Some(backlog) = self.backlog.take() {
            backlog.release(buffered);
        }
    }
}

/// Writes a chain of pieces. Returns the piece that was not written whole, how much of it was, how
/// much there was in all,
/// and whether the socket would take more.
fn write_pieces<S: Socket>(
    mut first: u32,
    socket: &mut S,
    turn: &Turn,
    topics: &Topics,
) -> io::Result<(u32, usize, usize, bool)> {
    let (mut skip, mut total) = (0, 0);
    while first != NONE {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut wanted, mut next) = (0, 0, first);
        while count < SLICES
            && let Some(piece) = turn.pieces.get(next as usize)
        {
            let bytes = &turn.bytes(piece, topics)[if count == 0 { skip } else { 0 }..];
            slices[count] = IoSlice::new(bytes);
            (count, wanted, next) = (count + 1, wanted + bytes.len(), piece.next);
        }
        let written = write_once(socket, &slices[..count])?;
        total += written;
        let full = written < wanted;
        // Passes over what is out.
        let mut left = written;
        while let Some(piece) = turn.pieces.get(first as usize) {
            let rest = piece.range.len() - skip;
            if left < rest {
                skip += left;
                break;
            }
            (left, skip, first) = (left - rest, 0, piece.next);
            if left == 0 && first == next {
                break;
            }
        }
        if full {
            return Ok((first, skip, total, false));
        }
    }
    Ok((NONE, 0, total, true))
}
