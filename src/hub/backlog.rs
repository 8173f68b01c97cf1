//! The backlog of a slow reader, and the count of all bytes that are held in memory.
//!
//! A backlog owns its bytes: a share of a buffer that several connections receive, or a copy of
//! private bytes. It knows where frames begin, so that it can be cut between two of them: a close
//! frame that follows half a frame would be a broken frame.

use crate::http::Body;
use crate::progress::Progress;
use crate::websocket::FrameHeader;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

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
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Replaces what was counted before for something by what it takes now.
    pub(super) fn replace(&mut self, before: usize, now: usize) {
        debug_assert!(before <= self.bytes, "{before} of {} bytes", self.bytes);
        self.bytes = self.bytes - before + now;
    }

    fn hold(&mut self, held: &Held) {
        self.bytes += PIECE_BYTES;
        if let Body::Shared(shared) = &held.bytes {
            let holders = self.holders.entry(Rc::as_ptr(shared) as usize).or_default();
            *holders += 1;
            if *holders > 1 {
                return;
            }
        }
        self.bytes += held.bytes.held_bytes();
    }

    fn release(&mut self, held: &Held) {
        self.replace(PIECE_BYTES, 0);
        if let Body::Shared(shared) = &held.bytes
            && let Entry::Occupied(mut holders) = self.holders.entry(Rc::as_ptr(shared) as usize)
        {
            *holders.get_mut() -= 1;
            if *holders.get() > 0 {
                return;
            }
            holders.remove();
        }
        self.replace(held.bytes.held_bytes(), 0);
    }
}

/// Bytes that the socket did not accept yet, in order.
#[derive(Default)]
pub(super) struct Backlog {
    held: VecDeque<Held>,
    pub(super) waiting_bytes: usize,
}

/// A piece of a backlog.
pub(super) struct Held {
    bytes: Body,
    /// The whole piece; with `frames` it begins where a frame begins.
    range: Range<usize>,
    /// The next byte to write.
    at: usize,
    frames: bool,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn push(&mut self, held: Held, buffered: &mut Buffered) {
        self.waiting_bytes += held.range.end - held.at;
        if let (Some(last), Body::Own(new)) = (self.held.back_mut(), &held.bytes)
            && let Body::Own(own) = &mut last.bytes
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

    /// Returns the bytes to write, in order.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let held = self.held.iter();
        held.map(|held| &held.bytes.as_bytes()[held.at..held.range.end])
    }

    /// Removes the first `written` bytes. Returns how many of them were not in the backlog.
    pub(super) fn advance(&mut self, mut written: usize, buffered: &mut Buffered) -> usize {
        while let Some(front) = self.held.front_mut() {
            let rest = front.range.end - front.at;
            let taken = rest.min(written);
            front.at += taken;
            written -= taken;
            self.waiting_bytes -= taken;
            if taken < rest {
                break;
            }
            buffered.release(front);
            self.held.pop_front();
        }
        written
    }

    /// Returns the length of the message added last, or of what is left of it. All of an HTTP
    /// response counts as one message.
    pub(super) fn last_message_bytes(&self) -> usize {
        match self.held.back() {
            Some(last) if last.frames => {
                let frames = &last.bytes.as_bytes()[last.range.clone()];
                let frame = frame_at(frames, frames.len() - 1);
                frames.len() - frame.start.max(last.at - last.range.start)
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
            let bytes = &front.bytes.as_bytes()[..front.range.end];
            if !front.frames {
                return Some(Held::copy(bytes, front.at, false));
            }
            let (frames, at) = (&bytes[front.range.start..], front.at - front.range.start);
            let frame = frame_at(frames, at);
            (frame.start < at).then(|| Held::copy(&frames[..frame.end], at, true))
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
    /// Copies private bytes, the first `written` of which are sent. A frame that is partly sent is
    /// kept from its first byte, so that its end can be found.
    pub(super) fn copy(bytes: &[u8], written: usize, frames: bool) -> Self {
        let from = match frames {
            true => frame_at(bytes, written).start,
            false => written,
        };
        let own = bytes[from..].to_vec();
        let range = 0..own.len();
        Self::share(Body::Own(own), range, written - from, frames)
    }

    /// Holds a range of a buffer, the first `written` bytes of which are sent.
    pub(super) fn share(bytes: Body, range: Range<usize>, written: usize, frames: bool) -> Self {
        let at = range.start + written;
        Self {
            bytes,
            range,
            at,
            frames,
        }
    }
}

/// Returns the end of the frame that begins at `start`. `frames` must contain whole frames that
/// this server encoded.
pub(crate) fn frame_end(frames: &[u8], start: usize) -> usize {
    match FrameHeader::decode(&frames[start..]) {
        Ok(Progress::Done { value, used }) => start + used + value.payload_length as usize,
        Ok(Progress::NeedMore) | Err(_) => frames.len(),
    }
}

/// Returns the frame that holds byte `at`, in a buffer of whole frames.
fn frame_at(frames: &[u8], at: usize) -> Range<usize> {
    let mut frame = 0..frame_end(frames, 0);
    while frame.end <= at && frame.end < frames.len() {
        frame = frame.end..frame_end(frames, frame.end);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Opcode, encode_message};

    #[test]
    fn cut_backlog_keeps_only_the_frame_that_is_partly_written() {
        let frames = [&b"first"[..], b"second", b"third", b"goodbye"].map(|payload| {
            let mut frame = Vec::new();
            encode_message(Opcode::Text, payload, &mut frame);
            frame
        });
        let (mut backlog, mut buffered) = (Backlog::default(), Buffered::default());
        backlog.push(Held::copy(&frames[..3].concat(), 0, true), &mut buffered);
        assert_eq!(backlog.advance(3, &mut buffered), 0);
        backlog.cut(&mut buffered);
        assert_eq!(backlog.waiting_bytes, frames[0].len() - 3);
        backlog.push(Held::copy(&frames[3], 0, true), &mut buffered);
        let sent: Vec<_> = backlog.slices().collect();
        assert_eq!(sent.concat(), [&frames[0][3..], &frames[3]].concat());
        let left = 1_000 - backlog.waiting_bytes;
        assert_eq!(backlog.advance(1_000, &mut buffered), left);
        assert_eq!((backlog.is_empty(), buffered.bytes()), (true, 0));
    }

    #[test]
    fn shared_buffer_counts_once_with_its_capacity() {
        let mut bytes = Vec::with_capacity(1_000);
        bytes.extend_from_slice(b"\x81\x02hi");
        let shared = Rc::new(bytes);
        let mut buffered = Buffered::default();
        let mut backlogs = [Backlog::default(), Backlog::default()];
        for backlog in &mut backlogs {
            let bytes = Body::Shared(Rc::clone(&shared));
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
