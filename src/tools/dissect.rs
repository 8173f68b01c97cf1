//! Frames taken apart for a person: each field with its bits, its bytes and its meaning (RFC 6455
//! §5.2), and the result of each frame for a connection.
//!
//! This is no second decoder: [`FrameHeader::decode`] parses headers, and [`WebSocket::receive`]
//! judges frames. Of an invalid header, only the bytes that `decode` had to see are shown.

use crate::progress::Progress;
use crate::text::Hex;
use crate::websocket::{CloseFrame, Event, FrameHeader, Opcode, Scratch, Violation, WebSocket};
use serde::Serialize;

/// One field of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The name in RFC 6455 §5.2.
    pub name: &'static str,
    /// The index of its first byte in the frame.
    pub from: usize,
    /// The index after its last byte.
    pub to: usize,
    /// Its bits, the highest first; empty for a payload and its parts.
    pub bits: String,
    /// The meaning of its value.
    pub meaning: String,
}

/// One frame, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dissection {
    /// The fields in the order of their bytes.
    pub fields: Vec<Field>,
    /// The result of [`FrameHeader::decode`]; `Ok(None)` if the header is incomplete.
    pub header: Result<Option<FrameHeader>, Violation>,
    /// The length of the header in bytes; of an invalid or incomplete one, the bytes looked at.
    pub header_bytes: usize,
    /// The payload received so far, unmasked.
    pub payload: Vec<u8>,
}

/// The fields of the first two bytes: name, byte, first bit, number of bits.
const FIXED: [(&str, usize, u32, u32); 7] = [
    ("FIN", 0, 0, 1),
    ("RSV1", 0, 1, 1),
    ("RSV2", 0, 2, 1),
    ("RSV3", 0, 3, 1),
    ("opcode", 0, 4, 4),
    ("MASK", 1, 0, 1),
    ("payload length", 1, 1, 7),
];

impl Dissection {
    /// Takes the first frame of `bytes` apart. Its end may be missing, and bytes may follow it.
    ///
    /// ```
    /// use parlor::tools::dissect::Dissection;
    /// // RFC 6455 §5.7: a masked "Hello".
    /// let frame = Dissection::of(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    /// let opcode = &frame.fields[4];
    /// assert_eq!((opcode.name, &*opcode.bits, &*opcode.meaning), ("opcode", "0001", "1: text"));
    /// assert_eq!((frame.header_bytes, &*frame.payload), (6, &b"Hello"[..]));
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        let (header, header_bytes) = match FrameHeader::decode(bytes) {
            Ok(Progress::Done { value, used }) => (Ok(Some(value)), used),
            Ok(Progress::NeedMore) => (Ok(None), bytes.len()),
            Err(violation) => {
                let is_enough = |length: &usize| FrameHeader::decode(&bytes[..*length]).is_err();
                let length = (1..bytes.len()).find(is_enough).unwrap_or(bytes.len());
                (Err(violation), length)
            }
        };
        let mut dissection = Self {
            fields: Vec::new(),
            header,
            header_bytes,
            payload: Vec::new(),
        };
        dissection.add_header_fields(&bytes[..header_bytes]);
        if let Ok(Some(header)) = header {
            dissection.add_payload(&header, &bytes[header_bytes..]);
        }
        dissection
    }

    fn add(&mut self, name: &'static str, from: usize, to: usize, bits: String, meaning: String) {
        self.fields.push(Field {
            name,
            from,
            to,
            bits,
            meaning,
        });
    }

    fn add_header_fields(&mut self, bytes: &[u8]) {
        for (name, byte, first, count) in FIXED {
            let Some(whole) = bytes.get(byte) else { return };
            let value = (whole << first) >> (8 - count);
            let bits = format!("{value:0width$b}", width = count as usize);
            self.add(name, byte, byte + 1, bits, meaning_of(name, value));
        }
        let key = self.decoded().and_then(|header| header.masking_key);
        let key_at = bytes.len() - key.map_or(0, |key| key.len());
        let length = &bytes[2..key_at];
        let value = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (name, meaning) = match self.header {
            Ok(None) => ("unfinished header", "incomplete".to_owned()),
            _ => ("extended payload length", payload_bytes(value)),
        };
        if !length.is_empty() {
            self.add(name, 2, key_at, bits_of(length), meaning);
        }
        if let Some(key) = key {
            let meaning = "the payload is XORed with this key, repeating";
            let meaning = format!("{}: {meaning}", Hex(&key));
            self.add("masking key", key_at, bytes.len(), bits_of(&key), meaning);
        }
    }

    fn add_payload(&mut self, header: &FrameHeader, rest: &[u8]) {
        let length = header.payload_length.min(rest.len() as u64) as usize;
        let key = header.masking_key.unwrap_or_default();
        let bytes = rest[..length].iter().zip(key.iter().cycle());
        let payload: Vec<u8> = bytes.map(|(byte, key)| byte ^ key).collect();
        let (from, to) = (self.header_bytes, self.header_bytes + length);
        let mut add = |name, from, to, meaning| self.add(name, from, to, String::new(), meaning);
        match payload[..] {
            [] => {}
            [high, low, ..] if header.opcode == Opcode::Close => {
                let code = u16::from_be_bytes([high, low]);
                let meaning = format!("{code}: {}", code_name(code));
                add("close code", from, from + 2, meaning);
                if length > 2 {
                    add("close reason", from + 2, to, String::new());
                }
            }
            _ => add("payload", from, to, String::new()),
        }
        self.payload = payload;
    }

    /// Returns the header if it is complete and valid.
    pub fn decoded(&self) -> Option<FrameHeader> {
        self.header.ok().flatten()
    }

    /// Returns the length of the frame in bytes, as its header gives it.
    pub fn frame_bytes(&self) -> Option<u64> {
        let length = self.decoded()?.payload_length;
        Some(length.saturating_add(self.header_bytes as u64))
    }

    /// Returns whether the whole frame is there.
    pub fn is_whole(&self) -> bool {
        let length = self.decoded().map(|header| header.payload_length);
        length == Some(self.payload.len() as u64)
    }

    /// Describes the frame in a few words: `text, 5 bytes, masked`.
    pub fn title(&self) -> String {
        let Some(header) = self.decoded() else {
            let state = if self.header.is_ok() {
                "incomplete"
            } else {
                "invalid"
            };
            return format!("an {state} header");
        };
        let (opcode, bytes) = (header.opcode.name(), plural(header.payload_length, "byte"));
        let not = if header.masking_key.is_some() {
            ""
        } else {
            "not "
        };
        let more = if header.fin { "" } else { ", more to follow" };
        format!("{opcode}, {bytes}, {not}masked{more}")
    }

    /// Returns the content of a whole close frame.
    pub fn close_frame(&self) -> Option<Result<CloseFrame<'_>, Violation>> {
        let is_close = self.decoded()?.opcode == Opcode::Close && self.is_whole();
        is_close.then(|| CloseFrame::decode(&self.payload))
    }
}

/// The JSON of `explain frames --json` and of the wire view.
impl Serialize for Dissection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let header = self.decoded();
        let close = self.close_frame().and_then(Result::ok);
        let close = close.and_then(|close| Some((close.code?.get(), close.reason)));
        let key = header.and_then(|header| header.masking_key);
        let json = serde_json::json!({
            "opcode": header.map(|header| header.opcode.name()),
            "fin": header.map(|header| header.fin),
            "rsv1": header.map(|header| header.rsv1),
            "masking_key": key.map(|key| Hex(&key).to_string()),
            "payload_length": header.map(|header| header.payload_length),
            "header_bytes": self.header_bytes,
            "frame_bytes": self.frame_bytes(),
            "whole": self.is_whole(),
            "fields": self.fields,
            "payload": Hex(&self.payload).to_string(),
            "close": close.map(|(code, reason)| (code, code_name(code), reason)),
            "violation": self.header.err().map(|violation| violation.rule().reason),
        });
        json.serialize(serializer)
    }
}

fn meaning_of(field: &str, value: u8) -> String {
    let meaning = match (field, value) {
        ("FIN", 0) => "more frames of this message follow",
        ("FIN", _) => "the last frame of its message",
        ("RSV1", 1) => "the message is compressed, if that was negotiated (RFC 7692)",
        ("RSV1" | "RSV2" | "RSV3", 0) => "reserved, not set",
        ("RSV2" | "RSV3", _) => "reserved, without a meaning",
        ("opcode", opcode) => Opcode::try_from(opcode).map_or("reserved", Opcode::name),
        ("MASK", 0) => "not masked (server to client)",
        ("MASK", _) => "masked (client to server)",
        (_, 126) => "the length is in the next 2 bytes",
        (_, 127) => "the length is in the next 8 bytes",
        (_, length) => return payload_bytes(length.into()),
    };
    format!("{value}: {meaning}")
}

fn bits_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:08b}")).collect()
}

fn payload_bytes(length: u64) -> String {
    format!("{} of payload", plural(length, "byte"))
}

/// Returns a count with its unit: `1 byte`, `2 bytes`.
pub(crate) fn plural(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Shows at most `most` bytes in hexadecimal.
pub(super) fn shortened(bytes: &[u8], most: usize) -> String {
    let more = if bytes.len() > most { " …" } else { "" };
    format!("{}{more}", Hex(bytes.get(..most).unwrap_or(bytes)))
}

/// The meaning of a frame for its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A fragment of a message that goes on.
    Fragment,
    /// An incomplete frame, valid so far.
    Unfinished,
    /// A complete message (put together and inflated) or control frame. Of a close frame, the bytes
    /// are the reason.
    Whole(Opcode, Vec<u8>),
    /// A broken rule. Nothing after it is read.
    Broken(Violation),
    /// A frame after a close frame, which is ignored.
    Unread,
}

impl Outcome {
    /// Returns the word for it in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Fragment => "fragment",
            Self::Unfinished => "unfinished",
            Self::Whole(..) => "whole",
            Self::Broken(_) => "broken",
            Self::Unread => "unread",
        }
    }
}

/// One frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The index of its first byte in the stream.
    pub at: usize,
    /// The number of its bytes; after a header that is wrong, all that follow.
    pub length: usize,
    /// The fields of the frame.
    pub frame: Dissection,
    /// The result for the receiver.
    pub outcome: Outcome,
    /// The receiver's close frame, if it sends one. (Pongs are left to the caller.)
    pub answer: Vec<u8>,
}

/// Returns the frames of a stream as this end receives them, up to the first broken rule.
///
/// ```
/// use parlor::tools::dissect::{Outcome, walk};
/// use parlor::websocket::{Violation, WebSocket};
/// // A ping, then a continuation frame without a message.
/// let steps: Vec<_> = walk(b"\x89\x00\x80\x00", WebSocket::client(1024, || [0; 4])).collect();
/// let broken = Outcome::Broken(Violation::NothingToContinue);
/// assert_eq!((steps[1].at, &steps[1].outcome), (2, &broken));
/// ```
pub fn walk(bytes: &[u8], websocket: WebSocket) -> impl Iterator<Item = Step> {
    let mut websocket = websocket.answering_pings(false);
    let (mut at, mut scratch, mut is_over) = (0, Scratch::default(), false);
    std::iter::from_fn(move || {
        let rest = bytes
            .get(at..)
            .filter(|rest| !rest.is_empty() && !is_over)?;
        let (frame, mut answer) = (Dissection::of(rest), Vec::new());
        let length = frame.frame_bytes().unwrap_or(u64::MAX);
        let length = length.min(rest.len() as u64) as usize;
        let is_unread = websocket.is_closed();
        // Receiving unmasks in place.
        let mut copy = rest[..length].to_vec();
        let outcome = match websocket.receive(&mut copy, &mut scratch, &mut answer) {
            Ok(Progress::Done { value: event, .. }) => whole(event),
            Err(violation) => {
                websocket.close(violation.close_frame(), &mut answer);
                is_over = true;
                Outcome::Broken(violation)
            }
            Ok(Progress::NeedMore) if is_unread => Outcome::Unread,
            Ok(Progress::NeedMore) if frame.is_whole() => Outcome::Fragment,
            Ok(Progress::NeedMore) => Outcome::Unfinished,
        };
        let step = Step {
            at,
            length,
            frame,
            outcome,
            answer,
        };
        at += length;
        Some(step)
    })
}

/// Returns the meaning of a close code, including those that may not be in a frame (RFC 6455
/// §7.4.1, §7.4.2, §11.7).
pub(super) const fn code_name(code: u16) -> &'static str {
    match code {
        1000 => "normal closure",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1004 => "reserved (never in a frame)",
        1005 => "no status code (never in a frame)",
        1006 => "no close frame (never in a frame)",
        1007 => "invalid payload data",
        1008 => "policy violation",
        1009 => "message too big",
        1010 => "mandatory extension not negotiated",
        1011 => "internal error",
        1012 => "service restart",
        1013 => "try again later",
        1014 => "bad gateway",
        1015 => "TLS failure (never in a frame)",
        3000..=3999 => "a library's or a framework's code",
        4000..=4999 => "an application's code",
        _ => "unassigned (never in a frame)",
    }
}

fn whole(event: Event<'_>) -> Outcome {
    let (opcode, bytes) = match event {
        Event::Text(text) => (Opcode::Text, text.as_bytes()),
        Event::Binary(bytes) => (Opcode::Binary, bytes),
        Event::Ping(bytes) => (Opcode::Ping, bytes),
        Event::Pong(bytes) => (Opcode::Pong, bytes),
        Event::Close(frame) => (Opcode::Close, frame.reason.as_bytes()),
    };
    Outcome::Whole(opcode, bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rows;
    use crate::text::parse_hex;
    use crate::websocket::CloseCode;

    #[test]
    fn code_names_say_which_are_never_in_a_frame() {
        for code in 0..=u16::MAX {
            let is_never = code_name(code).contains("never in a frame");
            assert_eq!(is_never, CloseCode::new(code).is_none(), "{code}");
        }
    }

    /// The bytes in hex, and the last fields with the places where they begin and end.
    const FIELDS: &str = "
        81                         | opcode 0 1
        81 05 48 65 6c 6c 6f       | payload length 1 2, payload 2 7
        81 05 48 65                | payload 2 4
        82 fe 01 00 01 02 03 04 61 | extended payload length 2 4, masking key 4 8, payload 8 9
        82 7f 00 00 00 00 00 01 00 00 | payload length 1 2, extended payload length 2 10
        81 7f 00 00 00             | payload length 1 2, unfinished header 2 5
        81 7e 00 05 48             | payload length 1 2, extended payload length 2 4
        88 05 03 e9 62 79 65       | close code 2 4, close reason 4 7
        88 80 01 02 03 04          | masking key 2 6
        83 80                      | opcode 0 1";

    #[test]
    fn fields_lie_one_behind_the_other() {
        for [hex, expected] in rows(FIELDS) {
            let dissection = Dissection::of(&parse_hex(&hex).unwrap());
            let shown = |field: &Field| format!("{} {} {}", field.name, field.from, field.to);
            let shown: Vec<_> = dissection.fields.iter().map(shown).collect();
            assert!(shown.join(", ").ends_with(&expected), "{hex}: {shown:?}");
            let follows = |two: &[Field]| [two[0].from, two[0].to].contains(&two[1].from);
            assert!(dissection.fields.windows(2).all(follows), "{hex}");
            let bits: usize = dissection.fields.iter().map(|field| field.bits.len()).sum();
            assert_eq!(bits, 8 * dissection.header_bytes);
        }
    }

    #[test]
    fn wrong_frames_are_shown_up_to_the_error() {
        let ping = Dissection::of(b"\x89\xfe\x00\x7e\x01\x02\x03\x04");
        let seen = (ping.header, ping.header_bytes, ping.frame_bytes());
        assert_eq!(seen, (Err(Violation::LongControlFrame), 2, None));
        let close = Dissection::of(b"\x88\x02\x03\xed");
        let meaning = &close.fields.last().unwrap().meaning;
        assert_eq!(meaning, "1005: no status code (never in a frame)");
        let violation = Violation::CloseCode { code: 1005 };
        assert_eq!(close.close_frame(), Some(Err(violation)));
        let json = serde_json::to_value(Dissection::of(b"\x88\x03\x03\xe8x")).unwrap();
        assert_eq!(
            json["close"],
            serde_json::json!([1000, "normal closure", "x"])
        );
    }
}
