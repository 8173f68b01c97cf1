//! Frames, taken apart for a person: each field with its bits, its bytes and its meaning (RFC 6455
//! §5.2).
//!
//! There is no second decoder here. [`FrameHeader::decode`] says what a header is and how long, and
//! [`WebSocket::receive`]
//! what a frame means after those before it; what is added is only where in the bytes that stands.
//! Of a header that is wrong
//! as much is shown as `decode` had to see.
//!
//! Not here: how it looks on a terminal (`cli::explain`) or in the page (`www/`).

use crate::progress::Progress;
use crate::text::Hex;
use crate::websocket::{
    CloseCode, CloseFrame, Event, FrameHeader, Opcode, Received, Scratch, Violation, WebSocket,
};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// One field of a frame.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Field {
    /// As RFC 6455 §5.2 calls it.
    pub name: &'static str,
    /// Its first byte, counted from the frame's first.
    pub from: usize,
    /// The byte behind its last one.
    pub to: usize,
    /// Its bits, the highest first; none for a payload and its parts.
    pub bits: String,
    /// What that says.
    pub meaning: String,
}

/// One frame, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dissection {
    /// In the order of their bytes.
    pub fields: Vec<Field>,
    /// What [`FrameHeader::decode`] made of it; nothing where the header's end has not come.
    pub header: Result<Option<FrameHeader>, Violation>,
    /// The length of the header, in bytes; where it is wrong or unfinished, what was looked at.
    pub header_bytes: usize,
    /// As much of the payload as came, unmasked.
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
    /// Takes the frame apart that begins with the first of `bytes`. What stands behind it does not
    /// matter, and its end may
    /// be missing.
    ///
    /// ```
    /// use parlor::tools::dissect::Dissection;
    /// // RFC 6455 §5.7: a masked "Hello".
    /// let frame = Dissection::of(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    /// assert_eq!((frame.fields[4].name, frame.fields[4].bits.as_str(), frame.fields[4].meaning.as_str()), ("opcode", "0001", "1: text"));
    /// assert_eq!((frame.header_bytes, frame.payload.as_slice()), (6, &b"Hello"[..]));
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        let (header, header_bytes) = match FrameHeader::decode(bytes) {
            Ok(Progress::Done { value, used }) => (Ok(Some(value)), used),
            Ok(Progress::NeedMore) => (Ok(None), bytes.len()),
            // Whatever is wrong shows at the earliest byte that tells; those behind it were not
            // looked at.
            Err(violation) => {
                let tells = |length: &usize| FrameHeader::decode(&bytes[..*length]).is_err();
                (
                    Err(violation),
                    (1..=bytes.len()).find(tells).unwrap_or(bytes.len()),
                )
            }
        };
        let mut dissection = Self {
            fields: Vec::new(),
            header,
            header_bytes,
            payload: Vec::new(),
        };
        dissection.header_fields(&bytes[..header_bytes]);
        if let Ok(Some(header)) = header {
            dissection.payload_fields(&header, &bytes[header_bytes..]);
        }
        dissection
    }

    fn header_fields(&mut self, bytes: &[u8]) {
        for (name, byte, first, count) in FIXED {
            let Some(whole) = bytes.get(byte) else { return };
            let value = (whole << first) >> (8 - count);
            let bits = format!("{value:0width$b}", width = count as usize);
            self.fields.push(Field {
                name,
                from: byte,
                to: byte + 1,
                bits,
                meaning: fixed_meaning(name, value),
            });
        }
        let masking_key = self
            .header
            .ok()
            .flatten()
            .and_then(|header| header.masking_key);
        let key_at = bytes.len() - masking_key.map_or(0, |key| key.len());
        if let Some(length) = bytes.get(2..key_at).filter(|length| !length.is_empty()) {
            let (name, meaning) = match self.header {
                Ok(None) => ("unfinished header", "its end has not come".to_owned()),
                _ => (
                    "extended payload length",
                    bytes_of(
                        length
                            .iter()
                            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                    ),
                ),
            };
            self.fields.push(Field {
                name,
                from: 2,
                to: key_at,
                bits: bits(length),
                meaning,
            });
        }
        if let Some(key) = masking_key {
            let meaning = format!(
                "{}: the payload is XORed with it, byte by byte, over and over",
                Hex(&key)
            );
            self.fields.push(Field {
                name: "masking key",
                from: key_at,
                to: bytes.len(),
                bits: bits(&key),
                meaning,
            });
        }
    }

    fn payload_fields(&mut self, header: &FrameHeader, rest: &[u8]) {
        let came = header.payload_length.min(rest.len() as u64) as usize;
        self.payload.extend_from_slice(&rest[..came]);
        if let Some(masking_key) = header.masking_key {
            for (byte, key) in self.payload.iter_mut().zip(masking_key.iter().cycle()) {
                *byte ^= key;
            }
        }
        let from = self.header_bytes;
        let mut field = |name, from, to, meaning| {
            self.fields.push(Field {
                name,
                from,
                to,
                bits: String::new(),
                meaning,
            })
        };
        let code = self
            .payload
            .get(..2)
            .map(|code| u16::from_be_bytes([code[0], code[1]]));
        match (header.opcode, code) {
            (Opcode::Close, Some(code)) => {
                field(
                    "close code",
                    from,
                    from + 2,
                    format!("{code}: {}", CloseCode::name_of(code)),
                );
                if came > 2 {
                    field("close reason", from + 2, from + came, String::new());
                }
            }
            _ if came > 0 => field("payload", from, from + came, String::new()),
            _ => {}
        }
    }

    /// How long the frame is by its header, in bytes; nothing where that is wrong or unfinished.
    pub fn frame_bytes(&self) -> Option<u64> {
        let header = self.header.ok().flatten()?;
        Some(
            header
                .payload_length
                .saturating_add(self.header_bytes as u64),
        )
    }

    /// The frame in a few words: `text, 5 bytes, masked`.
    pub fn title(&self) -> String {
        let header = match self.header {
            Ok(Some(header)) => header,
            Ok(None) => return "a header whose end has not come".to_owned(),
            Err(_) => return "a wrong header".to_owned(),
        };
        let bytes = if header.payload_length == 1 {
            "byte"
        } else {
            "bytes"
        };
        let mask = if header.masking_key.is_some() {
            "masked"
        } else {
            "not masked"
        };
        let more = if header.fin { "" } else { ", more to follow" };
        format!(
            "{}, {} {bytes}, {mask}{more}",
            header.opcode.name(),
            header.payload_length
        )
    }

    /// Whether all of it came.
    pub fn is_whole(&self) -> bool {
        self.header
            .ok()
            .flatten()
            .is_some_and(|header| header.payload_length == self.payload.len() as u64)
    }

    /// Of a close frame: what [`CloseFrame::decode`] says.
    pub fn close_frame(&self) -> Option<Result<CloseFrame<'_>, Violation>> {
        let is_close = self
            .header
            .ok()
            .flatten()
            .is_some_and(|header| header.opcode == Opcode::Close);
        (is_close && self.is_whole()).then(|| CloseFrame::decode(&self.payload))
    }
}

/// For `explain frames --json` and for the wire view.
impl Serialize for Dissection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let header = self.header.ok().flatten();
        map.serialize_entry("opcode", &header.map(|header| header.opcode.name()))?;
        map.serialize_entry("fin", &header.map(|header| header.fin))?;
        map.serialize_entry("rsv1", &header.map(|header| header.rsv1))?;
        map.serialize_entry(
            "masking_key",
            &header
                .and_then(|header| header.masking_key)
                .map(|key| Hex(&key).to_string()),
        )?;
        map.serialize_entry(
            "payload_length",
            &header.map(|header| header.payload_length),
        )?;
        map.serialize_entry("header_bytes", &self.header_bytes)?;
        map.serialize_entry("frame_bytes", &self.frame_bytes())?;
        map.serialize_entry("whole", &self.is_whole())?;
        map.serialize_entry("fields", &self.fields)?;
        map.serialize_entry("payload", &Hex(&self.payload).to_string())?;
        match self.close_frame() {
            Some(Ok(CloseFrame {
                code: Some(code),
                reason,
            })) => {
                map.serialize_entry(
                    "close",
                    &(code.get(), CloseCode::name_of(code.get()), reason),
                )?;
            }
            _ => map.serialize_entry("close", &None::<()>)?,
        }
        map.serialize_entry(
            "violation",
            &self.header.err().map(|violation| violation.rule().reason),
        )?;
        map.end()
    }
}

fn fixed_meaning(name: &str, value: u8) -> String {
    let words = match (name, value) {
        ("FIN", 0) => "more frames of this message follow",
        ("FIN", _) => "the last frame of its message",
        ("RSV1", 1) => "the message is compressed, if that was agreed on (RFC 7692)",
        ("RSV1" | "RSV2" | "RSV3", 0) => "reserved, and not set",
        ("RSV2" | "RSV3", _) => "reserved, and has no meaning",
        ("opcode", opcode) => Opcode::try_from(opcode).map_or("no meaning", Opcode::name),
        ("MASK", 0) => "not masked, as a server sends",
        ("MASK", _) => "masked, as a client sends",
        (_, 126) => "the length stands in the next 2 bytes",
        (_, 127) => "the length stands in the next 8 bytes",
        (_, length) => return bytes_of(u64::from(length)),
    };
    format!("{value}: {words}")
}

fn bytes_of(length: u64) -> String {
    format!(
        "{length} {} of payload",
        if length == 1 { "byte" } else { "bytes" }
    )
}

fn bits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:08b}")).collect()
}

/// What a frame means to the end that receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its message goes on.
    Fragment,
    /// Its end has not come, and nothing is wrong so far.
    Unfinished,
    /// Something is whole: a message (put together and inflated), or a control frame. Of a close
    /// frame the bytes are the reason.
    Whole(Opcode, Vec<u8>),
    /// A rule is broken, and nothing more is read.
    Broken(Violation),
    /// It stands behind a close frame, and nobody reads it.
    Unread,
}

/// One frame of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it begins.
    pub at: usize,
    /// The frame.
    pub frame: Dissection,
    /// What the receiver makes of it.
    pub outcome: Outcome,
    /// What the receiver answers by itself: its close frame. (That a ping gets a pong is for its
    /// owner to see to.)
    pub answer: Vec<u8>,
}

/// Walks over frames, as the given end of a connection receives them, to the first broken rule.
///
/// ```
/// use parlor::websocket::{Violation, WebSocket, dissect::{Outcome, walk}};
/// // A ping, and a continuation of nothing.
/// let steps: Vec<_> = walk(b"\x89\x00\x80\x00", WebSocket::client(1024, || [0; 4])).collect();
/// assert_eq!((steps[1].at, &steps[1].outcome), (2, &Outcome::Broken(Violation::NothingToContinue)));
/// ```
pub fn walk(bytes: &[u8], websocket: WebSocket) -> Walk<'_> {
    Walk {
        bytes,
        at: 0,
        websocket,
        scratch: Scratch::default(),
        is_over: false,
    }
}

/// See [`walk`].
pub struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    websocket: WebSocket,
    scratch: Scratch,
    is_over: bool,
}

impl Iterator for Walk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let rest = self
            .bytes
            .get(self.at..)
            .filter(|rest| !rest.is_empty() && !self.is_over)?;
        let (at, frame, mut answer) = (self.at, Dissection::of(rest), Vec::new());
        let length = frame
            .frame_bytes()
            .map_or(rest.len(), |length| length.min(rest.len() as u64) as usize);
        self.at += length;
        let is_unread = self.websocket.is_closed();
        // The machine unmasks where it reads.
        let mut copy = rest[..length].to_vec();
        let outcome = match self
            .websocket
            .receive(&mut copy, &mut self.scratch, &mut answer)
        {
            Ok(Received::Event { event, .. }) => whole(event),
            Err(violation) => Outcome::Broken(violation),
            Ok(Received::Nothing) if is_unread => Outcome::Unread,
            Ok(Received::Nothing) if frame.is_whole() => Outcome::Fragment,
            Ok(Received::Nothing) => Outcome::Unfinished,
        };
        if let Outcome::Broken(violation) = outcome {
            self.websocket.close(violation.close_frame(), &mut answer);
            self.is_over = true;
        }
        Some(Step {
            at,
            frame,
            outcome,
            answer,
        })
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

    #[test]
    fn fields_lie_one_behind_the_other() {
        type Row<'a> = (&'a [u8], &'a [(&'a str, usize, usize)]);
        let table: &[Row<'_>] = &[
            (b"\x81", &[("opcode", 0, 1)]),
            (
                b"\x81\x05Hello",
                &[("payload length", 1, 2), ("payload", 2, 7)],
            ),
            (b"\x81\x05He", &[("payload", 2, 4)]),
            (
                b"\x82\xfe\x01\x00\x01\x02\x03\x04abc",
                &[
                    ("extended payload length", 2, 4),
                    ("masking key", 4, 8),
                    ("payload", 8, 11),
                ],
            ),
            (
                b"\x82\x7f\0\0\0\0\0\x01\0\0",
                &[("payload length", 1, 2), ("extended payload length", 2, 10)],
            ),
            (
                b"\x81\x7f\0\0\0",
                &[("payload length", 1, 2), ("unfinished header", 2, 5)],
            ),
            (
                b"\x81\x7e\0\x05Hello",
                &[("payload length", 1, 2), ("extended payload length", 2, 4)],
            ),
            (
                b"\x88\x05\x03\xe9bye",
                &[("close code", 2, 4), ("close reason", 4, 7)],
            ),
            (b"\x88\x80\x01\x02\x03\x04", &[("masking key", 2, 6)]),
            (b"\x83\x80", &[("opcode", 0, 1)]),
        ];
        for (bytes, expected) in table {
            let dissection = Dissection::of(bytes);
            let tail = &dissection.fields[dissection.fields.len() - expected.len()..];
            let found: Vec<_> = tail
                .iter()
                .map(|field| (field.name, field.from, field.to))
                .collect();
            assert_eq!(&found, expected, "{}", Hex(bytes));
            assert!(
                dissection
                    .fields
                    .windows(2)
                    .all(|two| two[0].to == two[1].from || two[0].from == two[1].from)
            );
            let bits: usize = dissection.fields.iter().map(|field| field.bits.len()).sum();
            assert_eq!(
                bits,
                8 * dissection.header_bytes,
                "each bit of the header is in one field"
            );
        }
    }

    #[test]
    fn a_wrong_header_is_shown_as_far_as_it_was_looked_at() {
        let ping = Dissection::of(b"\x89\xfe\x00\x7e\x01\x02\x03\x04");
        assert_eq!(
            (ping.header, ping.header_bytes),
            (Err(Violation::LongControlFrame), 2)
        );
        assert_eq!(
            (ping.frame_bytes(), ping.is_whole(), ping.close_frame()),
            (None, false, None)
        );
    }

    #[test]
    fn closes_are_named_even_where_they_may_not_be_sent() {
        let close = Dissection::of(b"\x88\x02\x03\xed");
        assert!(
            close
                .fields
                .iter()
                .any(|field| field.meaning == "1005: no status code (never in a frame)")
        );
        assert_eq!(
            close.close_frame(),
            Some(Err(Violation::CloseCode { code: 1005 }))
        );
        let json = serde_json::to_value(Dissection::of(b"\x88\x03\x03\xe8x"))
            .expect("it has no map with odd keys");
        assert_eq!(
            json["close"],
            serde_json::json!([1000, "normal closure", "x"])
        );
    }

    #[test]
    fn a_walk_sees_what_the_machine_sees() {
        // A text in two fragments with a ping between; half a frame behind it.
        let bytes = b"\x01\x02\xc3\xa4\x89\x01p\x80\x01b\x82\x05x";
        let steps: Vec<_> = walk(bytes, WebSocket::client(1024, || [0; 4]))
            .map(|step| (step.at, step.outcome))
            .collect();
        let whole = |opcode, bytes: &[u8]| Outcome::Whole(opcode, bytes.to_vec());
        let expected = [
            (0, Outcome::Fragment),
            (4, whole(Opcode::Ping, b"p")),
            (7, whole(Opcode::Text, "äb".as_bytes())),
            (10, Outcome::Unfinished),
        ];
        assert_eq!(steps, expected);
        let closed: Vec<_> =
            walk(b"\x88\x00\x89\x00", WebSocket::client(1024, || [0; 4])).collect();
        assert_eq!(
            closed[0].answer, b"\x88\x80\0\0\0\0",
            "the machine's own answer"
        );
        assert_eq!(closed[1].outcome, Outcome::Unread);
        let broken: Vec<_> = walk(b"\x81\x00\x81\x00", WebSocket::server(1024)).collect();
        assert_eq!(
            (broken.len(), &broken[0].outcome),
            (1, &Outcome::Broken(Violation::UnmaskedFrame))
        );
        assert!(broken[0].answer.starts_with(b"\x88"));
    }
}
