//! The output of a turn, and the write that sends it.
//!
//! A [`Turn`] holds the bytes. A connection's [`Outbox`] is a linked list of *pieces*: ranges of
//! buffers that several connections may share, so no bytes are copied for a receiver. The flush
//! sends them by one vectored write. Bytes that the socket does not accept become the backlog.

use super::backlog::{Backlog, Buffered, Held};
use crate::http::Body;
use smallvec::SmallVec;
use std::io::{self, ErrorKind, IoSlice};
use std::ops::Range;
use std::rc::Rc;

/// The sending side of a connection. The driver has real sockets, tests have memory.
pub trait Socket {
    /// Writes as much as possible without waiting, as `writev(2)` does. After `WouldBlock` or a
    /// short write, [`Input::Writable`](super::Input::Writable) reports when there is room.
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Shuts down the sending side (FIN). Reading goes on.
    fn shutdown_write(&mut self);
}

/// How events are encoded for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    #[default]
    Plain,
    /// Compressed by permessage-deflate, if that makes the event shorter.
    Deflated,
}

/// Slices of one `writev`. Linux takes 1,024; gathered by topic, a connection seldom needs more
/// than three.
const SLICES: usize = 16;

/// The end of a linked list of pieces, and a topic without a buffer.
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
    pub(super) dirty: Vec<u32>,
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
        outbox: &mut Outbox,
        source: Source,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Range<u32> {
        let start = self.private.len() as u32;
        write(&mut self.private);
        let range = start..self.private.len() as u32;
        self.hand(outbox, source, range.clone());
        range
    }

    pub(super) fn write_body(&mut self, outbox: &mut Outbox, body: Body) {
        self.shared_bytes += body.held_bytes();
        let range = 0..body.as_bytes().len() as u32;
        let source = Source::Body(self.bodies.len() as u32);
        self.bodies.push(body);
        self.hand(outbox, source, range);
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
    pub(super) fn hand(&mut self, outbox: &mut Outbox, source: Source, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        self.mark_dirty(outbox);
        outbox.turn_bytes += range.end - range.start;
        if let Some(last) = self.pieces.get_mut(outbox.last as usize)
            && last.source == source
            && last.range.end == range.start
        {
            last.range.end = range.end;
            return;
        }
        let (new, next) = (self.pieces.len() as u32, NONE);
        let piece = Piece {
            source,
            range,
            next,
        };
        self.pieces.push(piece);
        match self.pieces.get_mut(outbox.last as usize) {
            Some(last) => last.next = new,
            None => outbox.first = new,
        }
        outbox.last = new;
    }

    /// Schedules a connection for this turn's flush.
    pub(super) fn mark_dirty(&mut self, outbox: &mut Outbox) {
        if !outbox.dirty {
            outbox.dirty = true;
            self.dirty.push(outbox.index);
        }
    }

    /// Returns the size of this turn's output in bytes: encoded events, each counted once for all
    /// its receivers, and files.
    pub(super) fn bytes(&self) -> usize {
        self.private.len() + self.shared_bytes
    }

    /// Empties everything for the next turn. Buffers that a backlog shares stay alive until it
    /// drains.
    pub(super) fn clear(&mut self) {
        recycle(&mut self.dirty, KEPT_LIST_BYTES);
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

    /// Returns the frames that a connection was handed in this turn.
    pub(super) fn frames<'a>(&'a self, outbox: &Outbox) -> impl Iterator<Item = &'a [u8]> {
        let pieces = self.pieces_from(outbox.first);
        let frames = pieces.filter(|piece| piece.has_frames());
        frames.map(|piece| self.piece_bytes(piece))
    }

    fn pieces_from(&self, first: u32) -> impl Iterator<Item = &Piece> {
        let next = |piece: &&Piece| self.pieces.get(piece.next as usize);
        std::iter::successors(self.pieces.get(first as usize), next)
    }

    fn piece_bytes(&self, piece: &Piece) -> &[u8] {
        let all = match piece.source {
            Source::Http | Source::Frames => &self.private,
            Source::Shared(buffer) => self.shared[buffer as usize].as_slice(),
            Source::Body(body) => self.bodies[body as usize].as_bytes(),
        };
        &all[piece.range.start as usize..piece.range.end as usize]
    }

    /// Returns the entry of a backlog for a piece of which `written` bytes were sent.
    fn held(&self, piece: &Piece, written: usize) -> Held {
        let frames = piece.has_frames();
        let bytes = match piece.source {
            Source::Http | Source::Frames => {
                return Held::copy(self.piece_bytes(piece), written, frames);
            }
            Source::Shared(buffer) => Body::Shared(Rc::clone(&self.shared[buffer as usize])),
            Source::Body(body) => self.bodies[body as usize].clone(),
        };
        let range = piece.range.start as usize..piece.range.end as usize;
        Held::share(bytes, range, written, frames)
    }
}

impl Piece {
    fn has_frames(&self) -> bool {
        matches!(self.source, Source::Frames | Source::Shared(_))
    }
}

/// Empties a buffer for the next turn. It keeps room for twice the length of this turn, at least
/// for `kept` bytes: a steady load allocates nothing, and the memory of a burst is freed.
pub(super) fn recycle<T>(buffer: &mut Vec<T>, kept: usize) {
    let room = (kept / size_of::<T>()).max(2 * buffer.len());
    buffer.clear();
    buffer.shrink_to(room);
}

/// The outgoing side of a connection.
pub(super) struct Outbox {
    /// The index of the connection.
    pub(super) index: u32,
    /// The topics that the connection is subscribed to, by number.
    pub(super) topics: SmallVec<[u32; 4]>,
    pub(super) encoding: Encoding,
    /// The ends of the list of pieces, as positions in [`Turn::pieces`].
    first: u32,
    last: u32,
    /// Bytes of this turn's pieces.
    turn_bytes: u32,
    dirty: bool,
    /// Cleared by a short write; set when the socket is reported writable.
    pub(super) writable: bool,
    /// The bytes that the socket did not accept; `None` if there are none.
    pub(super) backlog: Option<Box<Backlog>>,
}

impl Outbox {
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            topics: SmallVec::new(),
            encoding: Encoding::Plain,
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

    pub(super) fn backlog_bytes(&self) -> usize {
        let backlog = self.backlog.as_ref();
        backlog.map_or(0, |backlog| backlog.waiting_bytes)
    }

    /// Returns whether the backlog is over the limit. Its last message is not counted, so that one
    /// message longer than the limit can be sent.
    pub(super) fn is_over(&self, limit: usize) -> bool {
        let backlog = self.backlog.as_ref();
        let long = backlog.filter(|backlog| backlog.waiting_bytes > limit);
        long.is_some_and(|it| it.waiting_bytes - it.last_message_bytes() > limit)
    }

    /// Writes the backlog, then this turn's pieces, until the socket takes no more. Returns how
    /// many bytes were written.
    pub(super) fn flush<S: Socket>(
        &mut self,
        socket: &mut S,
        turn: &Turn,
        buffered: &mut Buffered,
    ) -> io::Result<usize> {
        // Before the write, which may fail: the pieces are invalid after this turn.
        let first = std::mem::replace(&mut self.first, NONE);
        (self.last, self.turn_bytes, self.dirty) = (NONE, 0, false);
        let mut written = 0;
        if self.writable {
            let old = self.backlog.iter().flat_map(|backlog| backlog.slices());
            let new = turn.pieces_from(first).map(|piece| turn.piece_bytes(piece));
            (written, self.writable) = write_slices(socket, old.chain(new))?;
        }
        let mut left = written;
        if let Some(backlog) = &mut self.backlog {
            left = backlog.advance(left, buffered);
            self.backlog.take_if(|backlog| backlog.is_empty());
        }
        for piece in turn.pieces_from(first) {
            match left.checked_sub(piece.range.len()) {
                Some(rest) => left = rest,
                None => {
                    let backlog = self.backlog.get_or_insert_default();
                    backlog.push(turn.held(piece, left), buffered);
                    left = 0;
                }
            }
        }
        Ok(written)
    }

    /// Drops all frames of which nothing was sent, so that a close frame follows a whole frame.
    pub(super) fn cut(&mut self, buffered: &mut Buffered) {
        if let Some(backlog) = &mut self.backlog {
            backlog.cut(buffered);
            self.backlog.take_if(|backlog| backlog.is_empty());
        }
    }
}

/// Writes slices until all are written or the socket is full. Returns how many bytes were written,
/// and whether the socket would take more.
fn write_slices<'a, S: Socket>(
    socket: &mut S,
    mut slices: impl Iterator<Item = &'a [u8]>,
) -> io::Result<(usize, bool)> {
    let mut total = 0;
    loop {
        let mut batch = [IoSlice::new(&[]); SLICES];
        let (mut count, mut wanted) = (0, 0);
        for (slot, bytes) in batch.iter_mut().zip(&mut slices) {
            *slot = IoSlice::new(bytes);
            (count, wanted) = (count + 1, wanted + bytes.len());
        }
        if count == 0 {
            return Ok((total, true));
        }
        let written = loop {
            match socket.write(&batch[..count]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break 0,
                result => break result?,
            }
        };
        total += written;
        if written < wanted || count < SLICES {
            return Ok((total, written == wanted));
        }
    }
}
