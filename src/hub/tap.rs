//! What a connection's wire view is to be told: its frames as they came and went, gathered until
//! the turn's end.
//!
//! A tap hangs on a connection that asked for it, and on no other; without one it costs a pointer
//! that is looked at. Bytes
//! that came are seen in `Hub::received`, before they are unmasked where they lie, and cut into
//! frames here by
//! [`FrameHeader::decode`] itself; frames that go are seen in *flush*. Of each frame so many bytes
//! are kept as are shown, and
//! of frames that come in one turn so many as are told: what a peer sends faster than that is
//! counted and passed over.
//!
//! Not here: what is told of a frame (`trace`), when a tap is asked for (`endpoint`, `requests`).

use crate::limits::{TRACE_FRAME_BYTES, TRACE_FRAMES};
use crate::progress::Progress;
use crate::time::UnixMillis;
use crate::websocket::{FrameHeader, Opcode, frame_end};

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// A frame that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) direction: Direction,
    pub(super) at: UnixMillis,
    /// As many of its bytes as are shown.
    pub(super) bytes: Box<[u8]>,
    /// How many it has.
    pub(super) length: u64,
    /// The frames of the compressed message that ends with this one, where they can be shown whole.
    pub(super) compressed: Option<Box<[u8]>>,
}

/// The opening handshake as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handshake {
    pub(super) request: Vec<u8>,
    pub(super) response: Vec<u8>,
}

/// What a connection is traced by.
#[derive(Default)]
pub(super) struct Tap {
    /// Asked for, but the command has not been applied: until then nothing is told.
    pub(super) armed_only: bool,
    /// Frames told so far.
    pub(super) number: u64,
    /// Frames of which nothing was told since the last one that was.
    pub(super) missed: u64,
    pub(super) handshake: Option<Handshake>,
    /// What came in this turn.
    seen: Vec<Seen>,
    incoming: Incoming,
}

/// The frame whose end has not come, and the compressed message that it belongs to.
#[derive(Default)]
struct Incoming {
    bytes: Vec<u8>,
    came: u64,
    /// How long it is; unknown until its header is whole.
    length: Option<u64>,
    /// The frames of a compressed message in pieces; given up where they are too long to be shown.
    message: Option<Vec<u8>>,
    /// A header was wrong: nothing can be told from anything any more.
    is_over: bool,
}

impl Tap {
    /// Begins with the opening handshake, on `/chat?trace=1` and `/echo?trace=1`.
    pub(super) fn with_handshake(request: Vec<u8>, response: Vec<u8>) -> Self {
        Self {
            handshake: Some(Handshake { request, response }),
            ..Self::default()
        }
    }

    /// Begins with the frame behind the command `trace`, which is still to be applied.
    pub(super) fn armed() -> Self {
        Self {
            armed_only: true,
            ..Self::default()
        }
    }

    /// Sees bytes that came, still masked. The first ones are the beginning of a frame.
    pub(super) fn came(&mut self, mut bytes: &[u8], at: UnixMillis) {
        while !bytes.is_empty() && !self.incoming.is_over {
            let (used, whole) = self.incoming.take(bytes);
            bytes = &bytes[used..];
            if whole {
                self.whole(at);
            }
        }
    }

    fn whole(&mut self, at: UnixMillis) {
        let Incoming {
            bytes,
            came,
            length,
            message,
            ..
        } = &mut self.incoming;
        let (bytes, length) = (std::mem::take(bytes), length.take().unwrap_or(*came));
        *came = 0;
        let compressed = ends_compressed_message(message, &bytes, length);
        if self.seen.len() < TRACE_FRAMES {
            self.seen.push(Seen {
                direction: Direction::In,
                at,
                bytes: bytes.into(),
                length,
                compressed,
            });
        } else {
            self.missed += 1;
        }
    }

    /// What came since this was asked last.
    pub(super) fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Memory that is held for it, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        let handshake = self.handshake.as_ref().map_or(0, |handshake| {
            handshake.request.len() + handshake.response.len()
        });
        let seen = |seen: &Seen| {
            seen.bytes.len()
                + seen.compressed.as_ref().map_or(0, |bytes| bytes.len())
                + size_of::<Seen>()
        };
        let incoming =
            self.incoming.bytes.len() + self.incoming.message.as_ref().map_or(0, Vec::len);
        size_of::<Self>() + handshake + incoming + self.seen.iter().map(seen).sum::<usize>()
    }
}

impl Incoming {
    /// Takes bytes of one frame. Returns how many, and whether it is whole, or wrong.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let before = self.came;
        let wanted = self
            .length
            .map_or(FrameHeader::BYTES_MAX as u64, |length| length)
            - before;
        let used = wanted.min(bytes.len() as u64) as usize;
        let shown = used.min(TRACE_FRAME_BYTES.saturating_sub(self.bytes.len()));
        self.bytes.extend_from_slice(&bytes[..shown]);
        self.came += used as u64;
        if self.length.is_some() {
            return (used, self.length == Some(self.came));
        }
        match FrameHeader::decode(&self.bytes) {
            Ok(Progress::NeedMore) => (used, false),
            Ok(Progress::Done {
                value: header,
                used: header_bytes,
            }) => {
                let length = (header_bytes as u64).saturating_add(header.payload_length);
                self.length = Some(length);
                let too_many = self.came.saturating_sub(length);
                self.came -= too_many;
                self.bytes.truncate(self.came as usize);
                (used - too_many as usize, self.came == length)
            }
            Err(_) => {
                self.is_over = true;
                (bytes.len(), true)
            }
        }
    }
}

/// Gathers the frames of a compressed message (RFC 7692 §6). Returns them with its last one.
fn ends_compressed_message(
    message: &mut Option<Vec<u8>>,
    frame: &[u8],
    length: u64,
) -> Option<Box<[u8]>> {
    let Ok(Progress::Done { value: header, .. }) = FrameHeader::decode(frame) else {
        return None;
    };
    if header.opcode.is_control() {
        return None;
    }
    if header.opcode != Opcode::Continuation {
        *message = header.rsv1.then(Vec::new);
    }
    let gathered = message.as_mut()?;
    gathered.extend_from_slice(frame);
    if frame.len() as u64 != length || gathered.len() > TRACE_FRAME_BYTES {
        *message = None;
    }
    if header.fin {
        message.take().map(Vec::into_boxed_slice)
    } else {
        None
    }
}

/// Sees frames of ours, which are whole; those beyond so many are only counted.
pub(super) fn went(frames: &[u8], at: UnixMillis, seen: &mut Vec<Seen>, missed: &mut u64) {
    let mut start = 0;
    while start < frames.len() {
        let end = frame_end(frames, start);
        let frame = &frames[start..end];
        start = end;
        if seen.len() >= 2 * TRACE_FRAMES {
            *missed += 1;
            continue;
        }
        let shown = frame.len().min(TRACE_FRAME_BYTES);
        let compressed = ends_compressed_message(&mut None, &frame[..shown], frame.len() as u64);
        seen.push(Seen {
            direction: Direction::Out,
            at,
            bytes: frame[..shown].into(),
            length: frame.len() as u64,
            compressed,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(pieces: &[&[u8]]) -> (Vec<(Vec<u8>, u64)>, u64) {
        let mut tap = Tap::default();
        for piece in pieces {
            tap.came(piece, UnixMillis(1));
        }
        let missed = tap.missed;
        (
            tap.take_seen()
                .into_iter()
                .map(|seen| (seen.bytes.to_vec(), seen.length))
                .collect(),
            missed,
        )
    }

    #[test]
    fn frames_are_cut_where_they_end_however_they_come() {
        let stream =
            b"\x81\x82\x01\x02\x03\x04ab\x89\x80\x05\x06\x07\x08\x82\xfe\x00\x7e\x01\x02\x03\x04"
                .to_vec();
        let stream = [stream, vec![7; 126], b"\x8a\x80\0\0\0\0".to_vec()].concat();
        let (whole, _) = frames_of(&[&stream]);
        assert_eq!(
            whole.iter().map(|(_, length)| *length).collect::<Vec<_>>(),
            [8, 6, 134, 6]
        );
        assert_eq!(
            whole
                .iter()
                .flat_map(|(bytes, _)| bytes.clone())
                .collect::<Vec<_>>(),
            stream
        );
        for size in 1..20 {
            assert_eq!(
                frames_of(&stream.chunks(size).collect::<Vec<_>>()).0,
                whole,
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn of_a_long_frame_the_beginning_is_kept_and_the_next_one_is_found() {
        let length = 3 * TRACE_FRAME_BYTES;
        let frame = [
            b"\x82\x7e".as_slice(),
            &(length as u16).to_be_bytes(),
            &vec![9; length],
            b"\x81\x00",
        ]
        .concat();
        let (seen, _) = frames_of(&frame.chunks(1000).collect::<Vec<_>>());
        assert_eq!(
            seen.iter()
                .map(|(bytes, length)| (bytes.len(), *length))
                .collect::<Vec<_>>(),
            [(TRACE_FRAME_BYTES, length as u64 + 4), (2, 2)]
        );
    }

    #[test]
    fn behind_a_wrong_header_nothing_is_seen() {
        let (seen, _) = frames_of(&[
            b"\x81\x80\0\0\0\0\xf1\x80\0\0\0\0\x81\x80\0\0\0\0",
            b"\x81\x80",
        ]);
        assert_eq!(seen.len(), 2, "the wrong one is the last");
    }

    #[test]
    fn what_comes_too_fast_is_counted() {
        let (seen, missed) = frames_of(&[&b"\x8a\x80\0\0\0\0".repeat(TRACE_FRAMES + 5)]);
        assert_eq!((seen.len(), missed), (TRACE_FRAMES, 5));
    }

    #[test]
    fn compressed_messages_are_gathered_over_their_fragments() {
        let mut tap = Tap::default();
        tap.came(
            b"\x41\x02ab\x89\x00\x80\x01c\x81\x01x\x01\x01y\x80\x01z",
            UnixMillis(1),
        );
        let gathered: Vec<_> = tap
            .take_seen()
            .into_iter()
            .map(|seen| seen.compressed.map(Vec::from))
            .collect();
        assert_eq!(
            gathered,
            [
                None,
                None,
                Some(b"\x41\x02ab\x80\x01c".to_vec()),
                None,
                None,
                None
            ]
        );
    }
}
