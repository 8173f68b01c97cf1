//! What a slow reader has still to take.
//!
//! A backlog owns what it needs: a share of a topic's buffer, which is counted once however many
//! hold it, or a copy of
//! private bytes. It knows where frames begin, so that it can be cut between two of them: a close
//! frame behind half a frame
//! would be one broken frame.
//!
//! Not here: when a backlog comes to be (`outbox`), and what happens to a reader that is too slow
//! (`Hub::too_slow`).

use super::Socket;
use super::outbox::SLICES;
use crate::websocket::frame_end;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::ops::Range;
use std::rc::Rc;

/// Private bytes are gathered up to this size, so that what has been written can be given back.
const GATHERED_BYTES: usize = 64 << 10;
/// What a held piece costs beside its bytes.
const HELD_BYTES: usize = 96;

/// What a reader has still to take, in its order.
#[derive(Default)]
pub(super) struct Backlog {
    held: VecDeque<Held>,
    waiting_bytes: usize,
}

pub(super) struct Held {
    bytes: HeldBytes,
    /// The whole piece; with `frames` it begins where a frame begins.
    range: Range<usize>,
    /// The next byte to be written.
    at: usize,
    frames: bool,
}

pub(super) enum HeldBytes {
    Own(Vec<u8>),
    Shared(Rc<Vec<u8>>),
    Static(&'static [u8]),
}

impl Backlog {
    /// Bytes that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Appends; `buffered` is the sum that all connections hold.
    pub(super) fn push(&mut self, held: Held, buffered: &mut usize) {
        self.waiting_bytes += held.range.end - held.at;
        if let (
            Some(Held {
                bytes: HeldBytes::Own(last),
                range,
                frames,
                ..
            }),
            HeldBytes::Own(new),
        ) = (self.held.back_mut(), &held.bytes)
            && *frames == held.frames
            && held.at == 0
            && last.len() + new.len() <= GATHERED_BYTES
        {
            last.extend_from_slice(new);
            range.end = last.len();
            *buffered += new.len();
            return;
        }
        *buffered += HELD_BYTES
            + match &held.bytes {
                HeldBytes::Own(own) => own.len(),
                // Counted once for all: by the first who holds it. (`held` and the topic itself
                // make two.)
                HeldBytes::Shared(shared) if Rc::strong_count(shared) == 2 => shared.len(),
                HeldBytes::Shared(_) | HeldBytes::Static(_) => 0,
            };
        self.held.push_back(held);
    }

    /// Writes until all is out or the socket is full. Returns how much was written, and whether it
    /// would take more.
    pub(super) fn write<S: Socket>(
        &mut self,
        socket: &mut S,
        buffered: &mut usize,
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
                    front.release(buffered);
                }
            }
            if written < wanted {
                return Ok((total, false));
            }
        }
        Ok((total, true))
    }

    /// The message that came last, or what is left of it; all of an HTTP answer is one.
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

    /// Throws away what was not begun. The frame that was begun is copied, so that it holds nothing
    /// beside itself.
    pub(super) fn cut(&mut self, buffered: &mut usize) {
        let mut held = std::mem::take(&mut self.held);
        self.waiting_bytes = 0;
        let Some(front) = held.front() else { return };
        let begun = if front.frames {
            let (frames, at) = (
                &front.bytes.as_slice()[front.range.clone()],
                front.at - front.range.start,
            );
            let end = frame_start_after(frames, at);
            (end > at).then(|| Held::copy(&frames[..end], at, true))
        } else {
            let (bytes, at) = (&front.bytes.as_slice()[..front.range.end], front.at);
            Some(Held::copy(bytes, at, false))
        };
        held.drain(..).for_each(|held| held.release(buffered));
        if let Some(begun) = begun {
            self.push(begun, buffered);
        }
    }

    /// Takes everything out of the sum.
    pub(super) fn release(self, buffered: &mut usize) {
        self.held
            .into_iter()
            .for_each(|held| held.release(buffered));
    }
}

impl Held {
    /// Copies private bytes of which `written` are out. The frame that is partly written is kept
    /// from its first byte, so that
    /// its end can be found.
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

    /// Holds a range of bytes that others have too, `written` of it being out.
    pub(super) fn share(
        bytes: HeldBytes,
        range: Range<usize>,
        written: usize,
        frames: bool,
    ) -> Self {
        Self {
            bytes,
            at: range.start + written,
            range,
            frames,
        }
    }

    /// Takes it out of the sum. The last who holds a shared buffer takes that out too.
    fn release(self, buffered: &mut usize) {
        *buffered -= HELD_BYTES
            + match &self.bytes {
                HeldBytes::Own(own) => own.len(),
                HeldBytes::Shared(shared) if Rc::strong_count(shared) == 1 => shared.len(),
                HeldBytes::Shared(_) | HeldBytes::Static(_) => 0,
            };
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
}

/// One write; a socket that takes nothing now is one that takes no bytes.
pub(super) fn write_once<S: Socket>(socket: &mut S, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    loop {
        match socket.write(slices) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            done => return done,
        }
    }
}

/// Where the frame begins that holds byte `at` of our own whole frames.
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

/// Where the first frame begins that nothing was written of, `at` bytes being out.
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

    /// Takes so many bytes more.
    struct Slow {
        sent: Vec<u8>,
        room: usize,
    }

    impl Socket for Slow {
        fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let bytes: Vec<u8> = pieces
                .iter()
                .flat_map(|piece| piece.iter().copied())
                .take(self.room)
                .collect();
            self.room -= bytes.len();
            self.sent.extend(&bytes);
            Ok(bytes.len())
        }

        fn shutdown_write(&mut self) {}
    }

    #[test]
    fn what_was_cut_does_not_come_back_with_what_follows() {
        let frames: Vec<Vec<u8>> = [&b"first"[..], b"second", b"third", b"goodbye"]
            .iter()
            .map(|payload| {
                let mut frame = Vec::new();
                encode_message(Opcode::Text, payload, &mut frame);
                frame
            })
            .collect();
        let mut socket = Slow {
            sent: Vec::new(),
            room: 3,
        };
        let (mut backlog, mut buffered) = (Backlog::default(), 0);
        backlog.push(Held::copy(&frames[..3].concat(), 0, true), &mut buffered);
        assert_eq!(
            backlog.write(&mut socket, &mut buffered).unwrap(),
            (3, false)
        );
        backlog.cut(&mut buffered);
        assert_eq!(
            backlog.waiting_bytes(),
            frames[0].len() - 3,
            "the frame that is partly out"
        );
        backlog.push(Held::copy(&frames[3], 0, true), &mut buffered);
        assert_eq!(
            backlog.waiting_bytes(),
            frames[0].len() - 3 + frames[3].len()
        );
        socket.room = usize::MAX;
        backlog.write(&mut socket, &mut buffered).unwrap();
        assert_eq!(socket.sent, [frames[0].as_slice(), &frames[3]].concat());
        assert_eq!(
            (backlog.waiting_bytes(), backlog.is_empty(), buffered),
            (0, true, 0)
        );
    }
}
