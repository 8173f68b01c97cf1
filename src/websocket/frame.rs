//! Decodes and encodes frames (RFC 6455 §5.2): a header, and the payload after it.
//!
//! ```text
//!       0                   1                   2                   3
//!       0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!      +-+-+-+-+-------+-+-------------+-------------------------------+
//!      |F|R|R|R|       |M|             |                               |
//!      |I|S|S|S|opcode |A| length (7)  |  length, if those 7 bits are  |
//!      |N|V|V|V|  (4)  |S|             |  126 (16 bits), 127 (64 bits) |
//!      | |1|2|3|       |K|             |                               |
//!      +-+-+-+-+-------+-+-------------+-------------------------------+
//!      |  masking key (32 bits), if MASK is set; then the payload      |
//!      +---------------------------------------------------------------+
//! ```
//!
//! `FrameHeader::decode` checks the rules of §5.2 and §5.5 that hold for every frame, so a decoded
//! header is valid. Rules that depend on earlier frames or on the sender are in
//! [`connection`](super::connection).

use super::mask::apply_mask;
use super::violation::Violation;
use crate::progress::Progress;

/// The longest payload of a control frame, in bytes (RFC 6455 §5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;

/// The type of a frame (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next fragment of a message.
    Continuation = 0x0,
    /// UTF-8 text, or its first fragment.
    Text = 0x1,
    /// Binary data, or its first fragment.
    Binary = 0x2,
    /// A part of the closing handshake (§5.5.1).
    Close = 0x8,
    /// Asks the peer for a pong, to check that it is alive (§5.5.2).
    Ping = 0x9,
    /// The answer to a ping (§5.5.3).
    Pong = 0xA,
}

impl Opcode {
    /// Returns the four bits of the opcode.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Returns the name of the opcode in RFC 6455 §11.8.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        }
    }

    /// Returns whether this is close, ping or pong. A control frame is short, never fragmented, and
    /// allowed between the fragments of a message (§5.5).
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

impl TryFrom<u8> for Opcode {
    type Error = Violation;

    fn try_from(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            opcode => return Err(Violation::UnknownOpcode { opcode }),
        })
    }
}

/// The bit of a frame's first byte that permessage-deflate uses.
pub(super) const RSV1: u8 = 0x40;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Set in the last frame of a message, which may be its only one.
    pub fin: bool,
    /// Set in the first frame of a compressed message (RFC 7692 §6). Whether compression was
    /// negotiated is checked elsewhere.
    pub rsv1: bool,
    /// The type of the frame.
    pub opcode: Opcode,
    /// The key of a client's frame; a server's frame has none (§5.1).
    pub masking_key: Option<[u8; 4]>,
    /// The length of the payload in bytes, below 2^63.
    pub payload_length: u64,
}

impl FrameHeader {
    /// The longest header: two bytes, eight of length, four of masking key.
    pub const BYTES_MAX: usize = 14;

    /// Decodes the header at the beginning of `input` (RFC 6455 §5.2). `used` is its length; the
    /// payload follows. A violation is reported at the earliest byte that shows it.
    ///
    /// ```
    /// use parlor::{progress::Progress, websocket::{FrameHeader, Opcode}};
    /// // The first example of §5.7, "a single-frame unmasked text message".
    /// let decoded = FrameHeader::decode(b"\x81\x05Hello");
    /// let Ok(Progress::Done { value: header, used: 2 }) = decoded else { panic!() };
    /// assert_eq!((header.fin, header.opcode, header.payload_length), (true, Opcode::Text, 5));
    /// ```
    pub fn decode(input: &[u8]) -> Result<Progress<Self>, Violation> {
        let [first, rest @ ..] = input else {
            return Ok(Progress::NeedMore);
        };
        // No known extension uses RSV2 and RSV3.
        if first & 0x30 != 0 {
            return Err(Violation::ReservedBits);
        }
        let (fin, rsv1) = (first & 0x80 != 0, first & RSV1 != 0);
        let opcode = Opcode::try_from(first & 0x0F)?;
        // RSV1 is only allowed in the first frame of a message (RFC 7692 §6).
        if rsv1 && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Violation::ReservedBits);
        }
        if opcode.is_control() && !fin {
            return Err(Violation::FragmentedControlFrame);
        }
        let [second, rest @ ..] = rest else {
            return Ok(Progress::NeedMore);
        };
        if opcode.is_control() && usize::from(second & 0x7F) > CONTROL_PAYLOAD_MAX {
            return Err(Violation::LongControlFrame);
        }
        let (payload_length, shortest, rest) = match (second & 0x7F, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 126, rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (length, 1 << 16, rest)
            }
            (126 | 127, _) => return Ok(Progress::NeedMore),
            (short, rest) => (u64::from(short), 0, rest),
        };
        if payload_length < shortest || payload_length > i64::MAX as u64 {
            return Err(Violation::LengthForm);
        }
        let (masking_key, rest) = match (second & 0x80 != 0, rest) {
            (false, rest) => (None, rest),
            (true, [a, b, c, d, rest @ ..]) => (Some([*a, *b, *c, *d]), rest),
            (true, _) => return Ok(Progress::NeedMore),
        };
        let value = Self {
            fin,
            rsv1,
            opcode,
            masking_key,
            payload_length,
        };
        let used = input.len() - rest.len();
        Ok(Progress::Done { value, used })
    }

    /// Appends the header, with its length in the shortest form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (bytes, length) = self.bytes();
        // A copy of fixed length is two instructions; one of 2 to 14 bytes is a call.
        let start = out.len();
        out.extend_from_slice(&bytes);
        out.truncate(start + length);
    }

    /// Returns the header in a fixed array, and its length.
    fn bytes(&self) -> ([u8; Self::BYTES_MAX], usize) {
        let mut bytes = [0; Self::BYTES_MAX];
        let (fin, rsv1) = (u8::from(self.fin) << 7, u8::from(self.rsv1) << 6);
        bytes[0] = fin | rsv1 | self.opcode.bits();
        let mut length = 2;
        match self.payload_length {
            short @ 0..=125 => bytes[1] = short as u8,
            medium @ 126..=0xFFFF => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(medium as u16).to_be_bytes());
                length = 4;
            }
            long => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&long.to_be_bytes());
                length = 10;
            }
        }
        if let Some(masking_key) = self.masking_key {
            bytes[1] |= 0x80;
            bytes[length..length + 4].copy_from_slice(&masking_key);
            length += 4;
        }
        (bytes, length)
    }

    fn of_message(opcode: Opcode, payload_length: usize, masking_key: Option<[u8; 4]>) -> Self {
        Self {
            fin: true,
            rsv1: false,
            opcode,
            masking_key,
            payload_length: payload_length as u64,
        }
    }
}

/// Appends a message as a server sends it: one frame, not masked.
pub fn encode_message(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    FrameHeader::of_message(opcode, payload.len(), None).encode(out);
    out.extend_from_slice(payload);
}

/// Appends a message as a client sends it: one frame, masked. Each frame needs a new, unpredictable
/// key (RFC 6455 §5.3).
pub fn encode_masked_message(opcode: Opcode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
    FrameHeader::of_message(opcode, payload.len(), Some(key)).encode(out);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], key, 0);
}

/// Appends a message as a server sends it, with the payload that `write` appends. The payload's
/// length need not be known in advance, and it is not copied.
///
/// ```
/// use parlor::websocket::{Opcode, write_message};
/// let mut out = Vec::new();
/// write_message(Opcode::Text, &mut out, |out| out.extend_from_slice(b"Hello"));
/// assert_eq!(out, b"\x81\x05Hello");
/// ```
pub fn write_message(opcode: Opcode, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    write_frame(false, opcode, None, out, write);
}

/// Like [`write_message`], for a message that is compressed if `rsv1` is set, and masked if there
/// is a key.
#[inline]
pub(super) fn write_frame(
    rsv1: bool,
    opcode: Opcode,
    key: Option<[u8; 4]>,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) {
    // Most chat messages have a header of four bytes. For other lengths the payload is moved.
    const ROOM: usize = 4;
    let start = out.len();
    out.extend_from_slice(&[0; ROOM]);
    write(out);
    if let Some(key) = key {
        apply_mask(&mut out[start + ROOM..], key, 0);
    }
    let mut header = FrameHeader::of_message(opcode, out.len() - start - ROOM, key);
    header.rsv1 = rsv1;
    let (bytes, length) = header.bytes();
    out.splice(start..start + ROOM, bytes[..length].iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn headers_are_decoded_by_section_5_2() {
        let key = Some([0x37, 0xfa, 0x21, 0x3d]);
        let done = |fin, rsv1, opcode, masking_key, payload_length, used| {
            let value = FrameHeader { fin, rsv1, opcode, masking_key, payload_length };
            Ok(Progress::Done { value, used })
        };
        use Violation::*;
        let more = Ok(Progress::NeedMore);
        type Row<'a> = (&'a str, &'a [u8], Result<Progress<FrameHeader>, Violation>);
        let table: &[Row<'_>] = &[
            ("nothing", &[], more),
            ("one byte", &[0x81], more),
            ("§5.7: unmasked", &[0x81, 0x05], done(true, false, Opcode::Text, None, 5, 2)),
            ("§5.7: masked", &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d],
                done(true, false, Opcode::Text, key, 5, 6)),
            ("half of a masking key", &[0x81, 0x85, 0x37, 0xfa], more),
            ("half of a length", &[0x82, 0x7F, 0, 0, 0, 0], more),
            ("125 in 16 bits", &[0x81, 0x7E, 0x00, 0x7D], Err(LengthForm)),
            ("126 in 16 bits", &[0x81, 0x7E, 0, 0x7E],
                done(true, false, Opcode::Text, None, 126, 4)),
            ("65535 in 64 bits", &[0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Err(LengthForm)),
            ("2^63", &[0x81, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], Err(LengthForm)),
            ("opcode 3", &[0x83], Err(UnknownOpcode { opcode: 3 })),
            ("opcode 15", &[0x8F, 0x80], Err(UnknownOpcode { opcode: 15 })),
            ("RSV1 in a text", &[0xC1, 0x07], done(true, true, Opcode::Text, None, 7, 2)),
            ("RSV1 in a continuation", &[0xC0], Err(ReservedBits)),
            ("RSV1 in a ping", &[0xC9], Err(ReservedBits)),
            ("RSV1 and an unknown opcode", &[0xC3], Err(UnknownOpcode { opcode: 3 })),
            ("RSV2", &[0xA1], Err(ReservedBits)),
            ("RSV3", &[0x91], Err(ReservedBits)),
            ("a fragmented ping", &[0x09], Err(FragmentedControlFrame)),
            ("a ping of 125 bytes", &[0x89, 0x7D], done(true, false, Opcode::Ping, None, 125, 2)),
            ("a longer ping", &[0x89, 0x7E], Err(LongControlFrame)),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(&FrameHeader::decode(bytes), expected, "{name}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn headers_round_trip_and_prefixes_need_more() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 40, i64::MAX as u64];
        for payload_length in lengths {
            for masking_key in [None, Some([1, 2, 3, 4])] {
                let kinds = [(true, false, Opcode::Text), (false, true, Opcode::Binary)];
                for (fin, rsv1, opcode) in kinds {
                    let value = FrameHeader { fin, rsv1, opcode, masking_key, payload_length };
                    let mut bytes = Vec::new();
                    value.encode(&mut bytes);
                    let used = bytes.len();
                    assert_eq!(FrameHeader::decode(&bytes), Ok(Progress::Done { value, used }));
                    for end in 0..used {
                        assert_eq!(FrameHeader::decode(&bytes[..end]), Ok(Progress::NeedMore));
                    }
                }
            }
        }
    }

    #[test]
    fn messages_written_in_place_are_the_same() {
        for length in [0, 1, 125, 126, 500, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; length];
            let (mut encoded, mut written) = (b"before".to_vec(), b"before".to_vec());
            encode_message(Opcode::Text, &payload, &mut encoded);
            write_message(Opcode::Text, &mut written, |out| out.extend(&payload));
            assert_eq!(encoded, written, "{length} bytes");
        }
    }
}
