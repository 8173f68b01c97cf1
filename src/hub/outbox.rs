//! The output of a turn, and the write that sends it.
//!
//! A [`Turn`] holds the bytes. A connection's [`Outbox`] is a linked list of *pieces*: ranges of
//! buffers that several connections may share, so nothing is copied for a receiver. The flush
//! writes them by one vectored write. Bytes that the socket does not accept become the backlog.

use super::Socket;
use super::backlog::{Backlog, Buffered, Held, HeldBytes, SLICES, write_once};
use crate::http::Body;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::rc::Rc;

/// The end of a chain, and a topic without a buffer.
pub(super) const NONE: u32 = u32::MAX;
/// The capacity of [`Turn::private`] that stays allocated between turns.
pub(super) const KEPT_BYTES: usize = 256 << 10;
/// The same for each list of a turn, and for each shared buffer.
const KEPT_LIST_BYTES: usize = 16 << 10;
/// Shared buffers that are kept for the next turn.
const KEPT_BUFFERS: usize = 16;

/// The buffer that a piece is a range of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The turn's private bytes: an HTTP head, perhaps with a short body.
    Http,
    /// The turn's private bytes: whole frames.
    Frames,
    /// A buffer that several connections receive: whole frames.
    Shared(u32),
    /// The body of a page.
    Body(u32),
}

/// Everything that a turn sends, before it is written.
#[derive(Default)]
pub(super) struct Turn {
    /// Bytes for one connection, or for a few. Encoders append here.
    private: Vec<u8>,
    /// The buffers of topics. The backlog of a slow reader keeps a reference beyond the turn.
    shared: Vec<Rc<Vec<u8>>>,
    bodies: Vec<Body>,
    /// Bytes of `shared` and of files in `bodies`.
    shared_bytes: usize,
    pieces: Vec<Piece>,
    /// Connections to flush: they have a piece, or a backlog and a writable socket.
    dirty: Vec<u32>,
    /// Empty buffers for the next turn.
    spare: Vec<Rc<Vec<u8>>>,
}

struct Piece {
    source: Source,
    range: Range<u32>,
    next: u32,
}

impl Turn {
    /// Appends private bytes by `write`, and hands them to a connection. Returns their range.
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
        match &body {
            Body::None => return,
            Body::Text(text) => {
                let append = |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
                self.write(index, outbox, Source::Http, append);
                return;
            }
            Body::Static(_) => {}
            Body::Shared(bytes) => self.shared_bytes += bytes.capacity(),
        }
        let range = 0..body.as_bytes().len() as u32;
        let source = Source::Body(self.bodies.len() as u32);
        self.bodies.push(body);
        self.hand(index, outbox, source, range);
    }

    /// Appends to a shared buffer, a new one for [`NONE`]. Returns the buffer's number.
    pub(super) fn append(&mut self, buffer: u32, write: impl FnOnce(&mut Vec<u8>)) -> u32 {
        let number = if buffer == NONE {
            self.shared.push(self.spare.pop().unwrap_or_default());
            self.shared.len() as u32 - 1
        } else {
            buffer
        };
        // Before the flush there is one reference, so this copies nothing.
        let bytes = Rc::make_mut(&mut self.shared[number as usize]);
        let before = bytes.len();
        write(bytes);
        self.shared_bytes += bytes.len() - before;
        number
    }

    /// Returns the length of a shared buffer; 0 for [`NONE`].
    pub(super) fn length(&self, buffer: u32) -> u32 {
        let bytes = self.shared.get(buffer as usize);
        bytes.map_or(0, |bytes| bytes.len() as u32)
    }

    /// Hands a connection a range of a buffer. If it continues the last piece, that piece grows.
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
        self.mark_dirty(index, outbox);
        outbox.turn_bytes += range.end - range.start;
        if let Some(last) = self.pieces.get_mut(outbox.last as usize)
            && last.source == source
            && last.range.end == range.start
        {
            last.range.end = range.end;
            return;
        }
        let new = self.pieces.len() as u32;
        let next = NONE;
        self.pieces.push(Piece {
            source,
            range,
            next,
        });
        match self.pieces.get_mut(outbox.last as usize) {
            Some(last) => last.next = new,
            None => outbox.first = new,
        }
        outbox.last = new;
    }

    /// Schedules a connection for this turn's flush.
    pub(super) fn mark_dirty(&mut self, index: u32, outbox: &mut Outbox) {
        if !outbox.dirty {
            outbox.dirty = true;
            self.dirty.push(index);
        }
    }

    /// Takes the list of connections to flush.
    pub(super) fn take_dirty(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dirty)
    }

    /// Returns the size of this turn's output in bytes: encoded events, each counted once for all
    /// its receivers, and files.
    pub(super) fn bytes(&self) -> usize {
        self.private.len() + self.shared_bytes
    }

    /// Empties everything for the next turn; `dirty` is the list from [`Turn::take_dirty`], to be
    /// used again. Buffers that a backlog shares stay alive until it drains.
    pub(super) fn clear(&mut self, mut dirty: Vec<u32>) {
        debug_assert!(self.dirty.is_empty(), "every connection was flushed");
        recycle(&mut dirty, KEPT_LIST_BYTES);
        self.dirty = dirty;
        recycle(&mut self.bodies, KEPT_LIST_BYTES);
        recycle(&mut self.pieces, KEPT_LIST_BYTES);
        recycle(&mut self.private, KEPT_BYTES);
        self.shared_bytes = 0;
        // Buffers that this turn did not use shrink, too.
        for unused in self.spare.iter_mut().filter_map(Rc::get_mut) {
            recycle(unused, KEPT_LIST_BYTES);
        }
        for mut buffer in self.shared.drain(..) {
            if self.spare.len() < KEPT_BUFFERS
                && let Some(bytes) = Rc::get_mut(&mut buffer)
            {
                recycle(bytes, KEPT_LIST_BYTES);
                self.spare.push(buffer);
            }
        }
    }

    fn piece_bytes(&self, piece: &Piece) -> &[u8] {
        let all = match piece.source {
            Source::Http | Source::Frames => &self.private,
            Source::Shared(buffer) => self.shared[buffer as usize].as_slice(),
            Source::Body(body) => self.bodies[body as usize].as_bytes(),
        };
        &all[piece.range.start as usize..piece.range.end as usize]
    }

    /// Returns the frames that a connection was handed in this turn.
    pub(super) fn frames<'a>(&'a self, outbox: &Outbox) -> impl Iterator<Item = &'a [u8]> {
        let next = |piece: &&'a Piece| self.pieces.get(piece.next as usize);
        let pieces = std::iter::successors(self.pieces.get(outbox.first as usize), next);
        pieces
            .filter(|piece| matches!(piece.source, Source::Frames | Source::Shared(_)))
            .map(|piece| self.piece_bytes(piece))
    }

    /// Returns the entry of a backlog for a piece of which `written` bytes were sent.
    fn held(&self, piece: &Piece, written: usize) -> Held {
        let range = piece.range.start as usize..piece.range.end as usize;
        let frames = matches!(piece.source, Source::Frames | Source::Shared(_));
        let bytes = match piece.source {
            Source::Http | Source::Frames => {
                return Held::copy(&self.private[range], written, frames);
            }
            Source::Shared(buffer) => HeldBytes::Shared(Rc::clone(&self.shared[buffer as usize])),
            Source::Body(body) => match &self.bodies[body as usize] {
                Body::Static(bytes) => HeldBytes::Static(bytes),
                Body::Shared(bytes) => HeldBytes::Shared(Rc::clone(bytes)),
                other => HeldBytes::Own(other.as_bytes().to_vec()),
            },
        };
        Held::share(bytes, range, written, frames)
    }
}

/// Empties a buffer for the next turn. It keeps the larger of `kept` bytes and twice what this turn
/// used, so a steady load allocates nothing, and the memory of a burst is freed.
pub(super) fn recycle<T>(buffer: &mut Vec<T>, kept: usize) {
    let room = (kept / size_of::<T>()).max(2 * buffer.len());
    buffer.clear();
    buffer.shrink_to(room);
}

/// The outgoing side of a connection.
pub(super) struct Outbox {
    first: u32,
    last: u32,
    /// Bytes of this turn's pieces.
    turn_bytes: u32,
    dirty: bool,
    /// Cleared by a short write; set when the socket is reported writable.
    writable: bool,
    /// The bytes that the socket did not accept; `None` if there are none.
    backlog: Option<Box<Backlog>>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            first: NONE,
            last: NONE,
            turn_bytes: 0,
            dirty: false,
            writable: true,
            backlog: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.backlog.is_none() && self.first == NONE
    }

    /// Returns the bytes of this connection's output in this turn.
    pub(super) fn turn_bytes(&self) -> usize {
        self.turn_bytes as usize
    }

    /// Returns the number of unsent bytes, including this turn's.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.turn_bytes as usize + self.backlog_bytes()
    }

    /// Returns the number of bytes in the backlog.
    pub(super) fn backlog_bytes(&self) -> usize {
        let backlog = self.backlog.as_ref();
        backlog.map_or(0, |backlog| backlog.waiting_bytes())
    }

    /// Returns whether the backlog is over the limit. Its last message is not counted, so that one
    /// message longer than the limit can be sent.
    pub(super) fn is_over(&self, limit: usize) -> bool {
        self.backlog_bytes() > limit
            && self.backlog.as_ref().is_some_and(|backlog| {
                backlog.waiting_bytes() - backlog.last_message_bytes() > limit
            })
    }

    /// Notes that the socket has room again.
    pub(super) fn set_writable(&mut self) {
        self.writable = true;
    }

    /// Writes the backlog, then this turn's pieces, until the socket takes no more. Returns how
    /// many bytes were written.
    pub(super) fn flush<S: Socket>(
        &mut self,
        socket: &mut S,
        turn: &Turn,
        buffered: &mut Buffered,
    ) -> io::Result<usize> {
        // This comes first: the pieces are invalid after this turn, even if a write fails.
        let mut next = std::mem::replace(&mut self.first, NONE);
        (self.last, self.turn_bytes, self.dirty) = (NONE, 0, false);
        let (mut written, mut skip) = (0, 0);
        if self.writable
            && let Some(backlog) = &mut self.backlog
        {
            (written, self.writable) = backlog.write(socket, buffered)?;
            if backlog.is_empty() {
                self.backlog = None;
            }
        }
        if self.backlog.is_none() && self.writable {
            let taken;
            (next, skip, taken, self.writable) = write_pieces(next, socket, turn)?;
            written += taken;
        }
        while let Some(piece) = turn.pieces.get(next as usize) {
            let backlog = self.backlog.get_or_insert_default();
            backlog.push(turn.held(piece, skip), buffered);
            (skip, next) = (0, piece.next);
        }
        Ok(written)
    }

    /// Drops all frames of which nothing was sent, so that a close frame follows a whole frame.
    pub(super) fn cut(&mut self, buffered: &mut Buffered) {
        if let Some(backlog) = &mut self.backlog {
            backlog.cut(buffered);
            if backlog.is_empty() {
                self.backlog = None;
            }
        }
    }

    /// Frees the backlog of a closed connection.
    pub(super) fn release(&mut self, buffered: &mut Buffered) {
        if let Some(backlog) = self.backlog.take() {
            backlog.release(buffered);
        }
    }
}

/// Writes a list of pieces. Returns the first piece that was not written completely, the number of
/// its bytes that were, the number of bytes written in all, and whether the socket has room.
fn write_pieces<S: Socket>(
    mut first: u32,
    socket: &mut S,
    turn: &Turn,
) -> io::Result<(u32, usize, usize, bool)> {
    let (mut skip, mut total) = (0, 0);
    while first != NONE {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut wanted, mut next) = (0, 0, first);
        while count < SLICES
            && let Some(piece) = turn.pieces.get(next as usize)
        {
            let bytes = &turn.piece_bytes(piece)[if count == 0 { skip } else { 0 }..];
            slices[count] = IoSlice::new(bytes);
            (count, wanted, next) = (count + 1, wanted + bytes.len(), piece.next);
        }
        let written = write_once(socket, &slices[..count])?;
        total += written;
        let mut left = written;
        while first != next
            && let Some(piece) = turn.pieces.get(first as usize)
        {
            let rest = piece.range.len() - skip;
            if left < rest {
                skip += left;
                break;
            }
            (left, skip, first) = (left - rest, 0, piece.next);
        }
        if written < wanted {
            return Ok((first, skip, total, false));
        }
    }
    Ok((NONE, 0, total, true))
}
