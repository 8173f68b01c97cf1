//! The reference model: the messages that a list of frames means, and the rule that it breaks (RFC
//! 6455 §5 to §8, RFC 7692).
//!
//! It is written from the standards a second time, as plainly as possible: whole frames, one after
//! another. It uses no decoder of `websocket`. The fuzz targets compare parlor with it, and
//! `parlor test --fuzz` any server.

use crate::websocket::{CloseCode, Event};
use serde::{Deserialize, Serialize};

/// A frame as it is sent. Each part can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first_byte: u8,
    /// The masking key, if the frame is masked.
    pub key: Option<[u8; 4]>,
    /// The bits in which the length is written: 7, 16 or 64.
    pub form: u8,
    /// The length that the header gives.
    pub announced: u64,
    /// The payload, before it is masked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns a frame with the right length in its shortest form.
    pub fn new(first_byte: u8, key: Option<[u8; 4]>, payload: Vec<u8>) -> Self {
        let announced = payload.len() as u64;
        Self {
            first_byte,
            key,
            form: shortest_form(announced),
            announced,
            payload,
        }
    }

    /// Returns the bytes of the frame (RFC 6455 §5.2).
    pub fn bytes(&self) -> Vec<u8> {
        let mask = u8::from(self.key.is_some()) << 7;
        let mut bytes = vec![self.first_byte];
        match self.form {
            7 => bytes.push(mask | self.announced as u8),
            16 => {
                bytes.push(mask | 126);
                bytes.extend((self.announced as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend(self.announced.to_be_bytes());
            }
        }
        bytes.extend(self.key.iter().flatten());
        let key = self.key.unwrap_or_default();
        let masked = self.payload.iter().zip(key.iter().cycle());
        bytes.extend(masked.map(|(byte, key)| byte ^ key));
        bytes
    }
}

/// Returns the bits of the shortest form of a length.
pub fn shortest_form(length: u64) -> u8 {
    match length {
        0..=125 => 7,
        126..=0xFFFF => 16,
        _ => 64,
    }
}

/// A message or control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message, whole.
    Text(String),
    /// A binary message, whole.
    Binary(Vec<u8>),
    /// The payload of a ping.
    Ping(Vec<u8>),
    /// The payload of a pong.
    Pong(Vec<u8>),
    /// A close frame: its code and reason.
    Close(Option<u16>, String),
}

impl From<Event<'_>> for Message {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(frame) => {
                Self::Close(frame.code.map(CloseCode::get), frame.reason.to_owned())
            }
        }
    }
}

/// A rule: its section, and the codes with which a receiver may close when it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The section and the demand.
    pub demand: &'static str,
    /// The codes, the most exact one first.
    pub codes: &'static [u16],
}

const fn rule(demand: &'static str, codes: &'static [u16]) -> Rule {
    Rule { demand, codes }
}

impl Rule {
    /// Returns whether the rule is about the payload of a close frame.
    pub fn is_of_close(self) -> bool {
        [CLOSE_LENGTH, CLOSE_CODE, CLOSE_REASON].contains(&self)
    }
}

const RESERVED_BITS: Rule = rule("RFC 6455 §5.2: reserved bits are 0", &[1002]);
const OPCODE: Rule = rule("RFC 6455 §5.2: an opcode has a meaning", &[1002]);
const FORM: Rule = rule("RFC 6455 §5.2: a length is in its shortest form", &[1002]);
const HIGHEST_BIT: Rule = rule("RFC 6455 §5.2: a length is below 2^63", &[1002, 1009]);
const MASK: Rule = rule("RFC 6455 §5.1: a client masks, a server does not", &[1002]);
const CONTROL_FIN: Rule = rule("RFC 6455 §5.5: a control frame is not fragmented", &[1002]);
const CONTROL_LENGTH: Rule = rule("RFC 6455 §5.5: a control frame has 125 bytes", &[1002]);
const ORDER: Rule = rule("RFC 6455 §5.4: messages are not interleaved", &[1002]);
const TOO_BIG: Rule = rule("RFC 6455 §7.4.1: a message is within the limit", &[1009]);
const UTF8: Rule = rule("RFC 6455 §8.1: text is UTF-8", &[1007]);
const BLOCKS: Rule = rule("RFC 7692 §7.2.2: whole blocks", &[1002, 1007]);
const CLOSE_LENGTH: Rule = rule("RFC 6455 §5.5.1: a close code has two bytes", &[1002]);
const CLOSE_CODE: Rule = rule("RFC 6455 §7.4: a close code may be sent", &[1002]);
const CLOSE_REASON: Rule = rule("RFC 6455 §5.5.1: a close reason is UTF-8", &[1007]);

/// A message after inflating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// The bytes, up to the first wrong block.
    pub bytes: Vec<u8>,
    /// The blocks are whole, and the message ends with the last one.
    pub is_right: bool,
}

/// Inflates a message; `None` if it can't.
pub type Inflate = fn(&[u8]) -> Option<Inflated>;

/// The receiver of the frames.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    /// It is the client.
    pub is_client: bool,
    /// The longest message that it accepts, in bytes.
    pub limit: usize,
    /// The function that inflates a message, if compression was negotiated.
    pub inflate: Option<Inflate>,
    /// The frame before which it sends a close frame itself.
    pub closes_before: usize,
    /// It checks text only at the end of the message.
    pub checks_late: bool,
}

/// The meaning of a list of frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The messages, up to a close frame or the broken rule.
    pub messages: Vec<Message>,
    /// The first rule that is broken.
    pub broken: Option<Rule>,
    /// A message has begun and not ended.
    pub is_within_message: bool,
}

/// Why the receiver reads no further frame.
enum Stop {
    Closed,
    Broken(Rule),
    /// The model can't inflate the message.
    Unknown,
}

impl Receiver {
    /// Returns what the frames mean; `None` if the model can't inflate a message.
    pub fn read(&self, frames: &[Frame]) -> Option<Meaning> {
        let (mut meaning, mut message) = (Meaning::default(), None);
        for (index, frame) in frames.iter().enumerate() {
            match self.take(frame, index, &mut message, &mut meaning.messages) {
                Ok(()) => continue,
                Err(Stop::Unknown) => return None,
                Err(Stop::Broken(rule)) => meaning.broken = Some(rule),
                Err(Stop::Closed) => {}
            }
            break;
        }
        meaning.is_within_message = message.is_some();
        Some(meaning)
    }

    fn check_header(&self, frame: &Frame, index: usize, is_within: bool) -> Result<(), Stop> {
        let (fin, opcode) = (frame.first_byte & 0x80 != 0, frame.first_byte & 0x0F);
        let is_compressed = self.inflate.is_some() && matches!(opcode, 1 | 2);
        let reserved = frame.first_byte & if is_compressed { 0x30 } else { 0x70 };
        let is_control = opcode >= 8;
        let is_interleaved = !is_control && (opcode == 0) != is_within;
        let rules = [
            (reserved != 0, RESERVED_BITS),
            (!matches!(opcode, 0..=2 | 8..=10), OPCODE),
            (frame.form != shortest_form(frame.announced), FORM),
            (frame.announced >> 63 != 0, HIGHEST_BIT),
            (is_control && !fin, CONTROL_FIN),
            (is_control && frame.announced > 125, CONTROL_LENGTH),
            (frame.key.is_some() == self.is_client, MASK),
            // §7.1.1: after its own close frame only the peer's counts.
            (is_interleaved && index < self.closes_before, ORDER),
        ];
        let broken = rules.into_iter().find(|(is_broken, _)| *is_broken);
        broken.map_or(Ok(()), |(_, rule)| Err(Stop::Broken(rule)))
    }

    fn take(
        &self,
        frame: &Frame,
        index: usize,
        message: &mut Option<(u8, Vec<u8>)>,
        messages: &mut Vec<Message>,
    ) -> Result<(), Stop> {
        self.check_header(frame, index, message.is_some())?;
        let (first_byte, payload) = (frame.first_byte, &frame.payload);
        let is_cut = frame.announced != payload.len() as u64;
        match first_byte & 0x0F {
            opcode if index >= self.closes_before && opcode != 8 => return Ok(()),
            // It is the last frame, and is never complete.
            8.. if is_cut => return Ok(()),
            8 => {
                messages.push(close(payload).map_err(Stop::Broken)?);
                return Err(Stop::Closed);
            }
            9 => messages.push(Message::Ping(payload.clone())),
            10 => messages.push(Message::Pong(payload.clone())),
            _ => {
                let new = (first_byte & 0x4F, Vec::new());
                let (kind, mut bytes) = message.take().unwrap_or(new);
                if bytes.len() as u64 + frame.announced > self.limit as u64 {
                    return Err(Stop::Broken(TOO_BIG));
                }
                bytes.extend(payload);
                let ends = first_byte & 0x80 != 0 && !is_cut;
                let inflate = self.inflate.filter(|_| kind & 0x40 != 0);
                let plain = match inflate {
                    Some(inflate) if ends => inflate(&bytes).ok_or(Stop::Unknown)?,
                    _ => Inflated {
                        bytes: bytes.clone(),
                        is_right: true,
                    },
                };
                let is_unchecked = !ends && (inflate.is_some() || self.checks_late);
                match self.whole(kind & 0x0F == 1, ends, plain) {
                    _ if is_unchecked => *message = Some((kind, bytes)),
                    Ok(None) => *message = Some((kind, bytes)),
                    Ok(whole) => messages.extend(whole),
                    Err(rule) => return Err(Stop::Broken(rule)),
                }
            }
        }
        Ok(())
    }

    /// Judges a message so far, or a whole one if it `ends`.
    fn whole(&self, is_text: bool, ends: bool, plain: Inflated) -> Result<Option<Message>, Rule> {
        let Inflated { bytes, is_right } = plain;
        match str::from_utf8(&bytes[..bytes.len().min(self.limit)]) {
            Err(error) if is_text && error.error_len().is_some() => Err(UTF8),
            _ if bytes.len() > self.limit => Err(TOO_BIG),
            _ if !is_right => Err(BLOCKS),
            _ if !ends => Ok(None),
            Ok(text) if is_text => Ok(Some(Message::Text(text.to_owned()))),
            Err(_) if is_text => Err(UTF8),
            _ => Ok(Some(Message::Binary(bytes))),
        }
    }
}

/// Judges the payload of a close frame (RFC 6455 §5.5.1, §7.4).
fn close(payload: &[u8]) -> Result<Message, Rule> {
    let [high, low, reason @ ..] = payload else {
        let close = payload
            .is_empty()
            .then(|| Message::Close(None, String::new()));
        return close.ok_or(CLOSE_LENGTH);
    };
    let code = u16::from_be_bytes([*high, *low]);
    match (code, str::from_utf8(reason)) {
        (1000..=1003 | 1007..=1014 | 3000..=4999, Ok(reason)) => {
            Ok(Message::Close(Some(code), reason.to_owned()))
        }
        (1000..=1003 | 1007..=1014 | 3000..=4999, Err(_)) => Err(CLOSE_REASON),
        _ => Err(CLOSE_CODE),
    }
}

/// Inflates stored blocks (RFC 1951 §3.2.4), after adding the end that the sender left out (RFC
/// 7692 §7.2.2): the header of an empty block. `None`: there are other blocks.
pub fn inflate_stored(compressed: &[u8]) -> Option<Inflated> {
    let whole = [compressed, &[0, 0, 0xFF, 0xFF]].concat();
    let (mut at, mut bytes, mut is_right) = (0, Vec::new(), true);
    while is_right && at < whole.len() {
        match (whole[at] >> 1 & 3, &whole[at + 1..]) {
            (0, [low, high, not_low, not_high, ..]) if [!low, !high] == [*not_low, *not_high] => {
                let (start, length) = (at + 5, usize::from(u16::from_le_bytes([*low, *high])));
                bytes.extend(compressed.iter().skip(start).take(length));
                at = start + length;
                is_right = length == 0 || at <= compressed.len();
            }
            (0 | 3, _) => is_right = false,
            _ => return None,
        }
    }
    Some(Inflated { bytes, is_right })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_the_standards_are_read() {
        let server = Receiver {
            is_client: false,
            limit: 1000,
            inflate: None,
            closes_before: usize::MAX,
            checks_late: false,
        };
        let late = Receiver {
            checks_late: true,
            ..server
        };
        let deflate = Receiver {
            inflate: Some(inflate_stored),
            ..server
        };
        // RFC 7692 §7.2.3.3: "Hello" in a block without compression.
        const STORED: &[u8] = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
        type Row<'a> = (Receiver, &'a [(u8, &'a [u8])], &'a str);
        let table: &[Row<'_>] = &[
            (server, &[(0x81, b"Hello")], r#"Text("Hello")"#),
            (server, &[(0x01, b"Hel"), (0x80, b"lo")], r#"Text("Hello")"#),
            (server, &[(0x02, b""), (0x89, b"")], "Ping([]) …"),
            (
                server,
                &[(0x88, b"\x03\xe8bye")],
                r#"Close(Some(1000), "bye")"#,
            ),
            (server, &[(0x88, b"\x03\xed")], "§7.4"),
            (server, &[(0x01, b"\xff"), (0x81, b"")], "§8.1"),
            (late, &[(0x01, b"\xff"), (0x81, b"")], "§5.4"),
            (late, &[(0x01, b"\xff")], " …"),
            (server, &[(0xc1, STORED)], "§5.2"),
            (deflate, &[(0xc1, STORED)], r#"Text("Hello")"#),
            (deflate, &[(0xc1, &STORED[..9])], "§7.2.2"),
        ];
        for (receiver, frames, expected) in table {
            let frame = |(first_byte, payload): &(u8, &[u8])| {
                Frame::new(*first_byte, Some([0; 4]), payload.to_vec())
            };
            let frames: Vec<_> = frames.iter().map(frame).collect();
            let meaning = receiver.read(&frames).expect("stored blocks are inflated");
            let messages = meaning
                .messages
                .iter()
                .map(|message| format!("{message:?}"));
            let mut found = messages.collect::<Vec<_>>().join(", ");
            found += meaning.broken.map_or("", |rule| rule.demand);
            found += if meaning.is_within_message {
                " …"
            } else {
                ""
            };
            assert!(found.contains(expected), "{frames:?}: {found}");
            assert!(!found.is_empty());
        }
    }
}
