//! The backlog of a slow reader, and the count of all bytes that are held in memory.
//!
//! A backlog owns its bytes: a share of a buffer that several connections receive, or a copy of
//! private bytes. It knows where frames begin, so that it can be cut between two of them: a close
//! frame that follows half a frame would be a broken frame.

use super::Socket;
use crate::websocket::frame_end;
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::ops::Range;
use std::rc::Rc;

/// Slices of one `writev`. Linux takes 1,024; gathered by topic, a connection seldom needs more
/// than three.
pub(super) const SLICES: usize = 16;
/// Private bytes are gathered in blocks of this size, so that written ones can be freed.
const BLOCK_BYTES: usize = 64 << 10;
/// The cost of a piece beside its bytes: an entry in a deque that may be half empty.
const PIECE_BYTES: usize = 2 * size_of::<Held>();

/// Counts the bytes held for all connections together (`--max-buffered-bytes`), as allocated. A
/// buffer that several backlogs share counts once.
#[derive(Default)]
pub(super) struct Buffered {
    bytes: usize,
    /// The number of backlog pieces that hold each shared buffer, by its address.
    holders: HashMap<usize, u32>,
}

impl Buffered {
    /// Returns the bytes held now.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Replaces what was counted before for something by what it takes now.
    pub(super) fn replace(&mut self, before: usize, now: usize) {
        debug_assert!(before <= self.bytes, "{before} of {} bytes", self.bytes);
        self.bytes = self.bytes - before + now;
    }

    fn hold(&mut self, held: &Held) {
        self.bytes += PIECE_BYTES + held.bytes.own_capacity();
        if let HeldBytes::Shared(shared) = &held.bytes {
            let holders = self.holders.entry(Rc::as_ptr(shared) as usize).or_default();
            *holders += 1;
            if *holders == 1 {
                self.bytes += shared.capacity();
            }
        }
    }

    fn release(&mut self, held: &Held) {
        self.replace(PIECE_BYTES + held.bytes.own_capacity(), 0);
        if let HeldBytes::Shared(shared) = &held.bytes {
            let address = Rc::as_ptr(shared) as usize;
            let holders = self.holders.get_mut(&address);
            debug_assert!(holders.is_some(), "a held buffer is counted");
            if let Some(holders) = holders {
                *holders -= 1;
                if *holders == 0 {
                    self.holders.remove(&address);
                    self.replace(shared.capacity(), 0);
                }
            }
        }
    }
}

/// Bytes that the socket did not accept yet, in order.
#[derive(Default)]
pub(super) struct Backlog {
    held: VecDeque<Held>,
    waiting_bytes: usize,
}

/// A piece of a backlog.
pub(super) struct Held {
    bytes: HeldBytes,
    /// The whole piece; with `frames` it begins where a frame begins.
    range: Range<usize>,
    /// The next byte to write.
    at: usize,
    frames: bool,
}

/// Where the bytes of a piece are.
pub(super) enum HeldBytes {
    Own(Vec<u8>),
    Shared(Rc<Vec<u8>>),
    Static(&'static [u8]),
}

impl Backlog {
    /// Returns how many bytes wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Appends a piece to the queue.
    pub(super) fn push(&mut self, held: Held, buffered: &mut Buffered) {
        self.waiting_bytes += held.range.end - held.at;
        if let (Some(last), HeldBytes::Own(new)) = (self.held.back_mut(), &held.bytes)
            && let HeldBytes::Own(own) = &mut last.bytes
            && last.frames == held.frames
            && held.at == 0
            && own.len() + new.len() <= BLOCK_BYTES
        {
            let before = own.capacity();
            own.extend_from_slice(new);
            last.range.end = own.len();
            buffered.replace(before, own.capacity());
            return;
        }
        buffered.hold(&held);
        self.held.push_back(held);
    }

    /// Writes until everything is written or the socket is full. Returns how many bytes were
    /// written, and whether the socket would take more.
    pub(super) fn write<S: Socket>(
        &mut self,
        socket: &mut S,
        buffered: &mut Buffered,
    ) -> io::Result<(usize, bool)> {
        let mut total = 0;
        while !self.held.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut wanted = 0;
            for (slice, held) in slices.iter_mut().zip(&self.held) {
                let bytes = &held.bytes.as_slice()[held.at..held.range.end];
                wanted += bytes.len();
                *slice = IoSlice::new(bytes);
            }
            let written = write_once(socket, &slices[..self.held.len().min(SLICES)])?;
            total += written;
            self.waiting_bytes -= written;
            let mut left = written;
            while let Some(front) = self.held.front_mut() {
                let rest = front.range.end - front.at;
                if left < rest {
                    front.at += left;
                    break;
                }
                left -= rest;
                if let Some(front) = self.held.pop_front() {
                    buffered.release(&front);
                }
            }
            if written < wanted {
                return Ok((total, false));
            }
        }
        Ok((total, true))
    }

    /// Returns the length of the message added last, or of what is left of it. All of an HTTP
    /// response counts as one message.
    pub(super) fn last_message_bytes(&self) -> usize {
        match self.held.back() {
            Some(last) if last.frames => {
                let frames = &last.bytes.as_slice()[last.range.clone()];
                let begins = frame_start(frames, frames.len() - 1);
                frames.len() - begins.max(last.at - last.range.start)
            }
            Some(_) => self.waiting_bytes,
            None => 0,
        }
    }

    /// Drops everything but the frame that is partly written. That frame is copied, so that it
    /// keeps no larger buffer alive.
    pub(super) fn cut(&mut self, buffered: &mut Buffered) {
        let mut held = std::mem::take(&mut self.held);
        self.waiting_bytes = 0;
        let begun = held.front().and_then(|front| {
            let bytes = &front.bytes.as_slice()[..front.range.end];
            if !front.frames {
                return Some(Held::copy(bytes, front.at, false));
            }
            let (frames, at) = (&bytes[front.range.start..], front.at - front.range.start);
            let end = frame_start_after(frames, at);
            (end > at).then(|| Held::copy(&frames[..end], at, true))
        });
        held.drain(..).for_each(|held| buffered.release(&held));
        if let Some(begun) = begun {
            self.push(begun, buffered);
        }
    }

    /// Takes everything out of the count.
    pub(super) fn release(self, buffered: &mut Buffered) {
        self.held.iter().for_each(|held| buffered.release(held));
    }
}

impl Held {
    /// Copies private bytes, the first `written` of which are out. A frame that is partly written
    /// is kept from its first byte, so that its end can be found.
    pub(super) fn copy(bytes: &[u8], written: usize, frames: bool) -> Self {
        let from = if frames {
            frame_start(bytes, written)
        } else {
            written
        };
        let own = bytes[from..].to_vec();
        Self {
            range: 0..own.len(),
            bytes: HeldBytes::Own(own),
            at: written - from,
            frames,
        }
    }

    /// Holds a range of a buffer, the first `written` bytes of which are out.
    pub(super) fn share(
        bytes: HeldBytes,
        range: Range<usize>,
        written: usize,
        frames: bool,
    ) -> Self {
        let at = range.start + written;
        Self {
            bytes,
            range,
            at,
            frames,
        }
    }
}

impl HeldBytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }

    fn own_capacity(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.capacity(),
            Self::Shared(_) | Self::Static(_) => 0,
        }
    }
}

/// Writes once. `WouldBlock` counts as a write of no bytes.
pub(super) fn write_once<S: Socket>(socket: &mut S, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    loop {
        match socket.write(slices) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            done => return done,
        }
    }
}

/// Returns where the frame begins that holds byte `at` of whole frames.
fn frame_start(frames: &[u8], at: usize) -> usize {
    let mut start = 0;
    loop {
        let end = frame_end(frames, start);
        if end > at || end >= frames.len() {
            return start;
        }
        start = end;
    }
}

/// Returns where the first frame begins of which nothing is written, `at` bytes being out.
fn frame_start_after(frames: &[u8], at: usize) -> usize {
    let start = frame_start(frames, at);
    if start == at {
        at
    } else {
        frame_end(frames, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Opcode, encode_message};

    /// Takes `room` more bytes.
    struct Slow {
        sent: Vec<u8>,
        room: usize,
    }

    impl Socket for Slow {
        fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let bytes = pieces.iter().flat_map(|piece| piece.iter().copied());
            let bytes: Vec<u8> = bytes.take(self.room).collect();
            self.room -= bytes.len();
            self.sent.extend(&bytes);
            Ok(bytes.len())
        }

        fn shutdown_write(&mut self) {}
    }

    #[test]
    fn cut_backlog_keeps_only_the_frame_that_is_partly_written() {
        let frames = [&b"first"[..], b"second", b"third", b"goodbye"].map(|payload| {
            let mut frame = Vec::new();
            encode_message(Opcode::Text, payload, &mut frame);
            frame
        });
        let (sent, room) = (Vec::new(), 3);
        let mut socket = Slow { sent, room };
        let (mut backlog, mut buffered) = (Backlog::default(), Buffered::default());
        backlog.push(Held::copy(&frames[..3].concat(), 0, true), &mut buffered);
        let written = backlog.write(&mut socket, &mut buffered).unwrap();
        assert_eq!(written, (3, false));
        backlog.cut(&mut buffered);
        assert_eq!(backlog.waiting_bytes(), frames[0].len() - 3);
        backlog.push(Held::copy(&frames[3], 0, true), &mut buffered);
        socket.room = usize::MAX;
        backlog.write(&mut socket, &mut buffered).unwrap();
        assert_eq!(socket.sent, [frames[0].as_slice(), &frames[3]].concat());
        assert_eq!(
            (
                backlog.waiting_bytes(),
                backlog.is_empty(),
                buffered.bytes()
            ),
            (0, true, 0)
        );
    }

    #[test]
    fn shared_buffer_counts_once_with_its_capacity() {
        let mut bytes = Vec::with_capacity(1_000);
        bytes.extend_from_slice(b"\x81\x02hi");
        let shared = Rc::new(bytes);
        let mut buffered = Buffered::default();
        let mut backlogs = [Backlog::default(), Backlog::default()];
        for backlog in &mut backlogs {
            let bytes = HeldBytes::Shared(Rc::clone(&shared));
            backlog.push(Held::share(bytes, 0..4, 0, true), &mut buffered);
        }
        assert_eq!(buffered.bytes(), 1_000 + 2 * PIECE_BYTES);
        let [one, other] = backlogs;
        one.release(&mut buffered);
        assert_eq!(buffered.bytes(), 1_000 + PIECE_BYTES);
        other.release(&mut buffered);
        assert_eq!((buffered.bytes(), buffered.holders.len()), (0, 0));
    }
}
