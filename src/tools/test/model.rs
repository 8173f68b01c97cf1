//! The reference model: the messages that a list of frames means, and the rule that it breaks (RFC
//! 6455 §5 to §8, RFC 7692).
//!
//! It is written from the standards a second time, as plainly as possible: whole frames, one after
//! another. It uses nothing of `websocket`. The fuzz targets compare parlor with it, and
//! `parlor test --fuzz` any server.

/// A frame as it is sent. Each part can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A message or control frame: its opcode and payload.
pub type Message = (u8, Vec<u8>);

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

const RESERVED_BITS: Rule = rule("RFC 6455 §5.2: reserved bits are 0", &[1002]);
const OPCODE: Rule = rule("RFC 6455 §5.2: an opcode has a meaning", &[1002]);
const FORM: Rule = rule("RFC 6455 §5.2: a length is in its shortest form", &[1002]);
const HIGHEST_BIT: Rule = rule("RFC 6455 §5.2: a length is below 2^63", &[1002, 1009]);
const MASK: Rule = rule("RFC 6455 §5.1: a client masks, a server does not", &[1002]);
const CONTROL_FIN: Rule = rule("RFC 6455 §5.5: a control frame is not fragmented", &[1002]);
const CONTROL_LENGTH: Rule = rule(
    "RFC 6455 §5.5: a control frame has up to 125 bytes",
    &[1002],
);
const ORDER: Rule = rule("RFC 6455 §5.4: messages are not interleaved", &[1002]);
const TOO_BIG: Rule = rule("RFC 6455 §7.4.1: a message is within the limit", &[1009]);
const UTF8: Rule = rule("RFC 6455 §8.1: text is UTF-8", &[1007]);
const BLOCKS: Rule = rule("RFC 7692 §7.2.2: whole blocks", &[1002, 1007]);
const CLOSE_LENGTH: Rule = rule("RFC 6455 §5.5.1: a close code has two bytes", &[1002]);
const CLOSE_CODE: Rule = rule("RFC 6455 §7.4: a close code may be sent", &[1002]);
const CLOSE_REASON: Rule = rule("RFC 6455 §5.5.1: a close reason is UTF-8", &[1007]);

/// Inflates a message: the bytes up to the first wrong block, and whether all blocks are right and
/// end where the message does. `None`: the function can't inflate such blocks.
pub type Inflate = fn(&[u8]) -> Option<(Vec<u8>, bool)>;

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
}

impl Receiver {
    /// Returns what the frames mean; `None` if the model can't inflate a message.
    pub fn read(&self, frames: &[Frame]) -> Option<Meaning> {
        let (mut meaning, mut message) = (Meaning::default(), None);
        for (index, frame) in frames.iter().enumerate() {
            match self.take(frame, index, &mut message, &mut meaning.messages) {
                Ok(true) => {}
                Ok(false) => break,
                Err(rule) => {
                    meaning.broken = Some(rule?);
                    break;
                }
            }
        }
        Some(meaning)
    }

    fn check_header(&self, frame: &Frame, index: usize, is_within: bool) -> Result<(), Rule> {
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
        broken.map_or(Ok(()), |(_, rule)| Err(rule))
    }

    /// Reads a frame; `false` after a close frame. `Err(None)`: it can't inflate the message.
    fn take(
        &self,
        frame: &Frame,
        index: usize,
        message: &mut Option<Message>,
        messages: &mut Vec<Message>,
    ) -> Result<bool, Option<Rule>> {
        self.check_header(frame, index, message.is_some())?;
        let (first_byte, payload) = (frame.first_byte, frame.payload.clone());
        let is_cut = frame.announced != payload.len() as u64;
        match first_byte & 0x0F {
            opcode if index >= self.closes_before && opcode != 8 => {}
            // It is the last frame, and is never complete.
            8.. if is_cut => {}
            8 => {
                check_close(&payload)?;
                messages.push((8, payload));
                return Ok(false);
            }
            opcode @ 9.. => messages.push((opcode, payload)),
            _ => {
                let new = || (first_byte & 0x4F, Vec::new());
                let (kind, bytes) = message.get_or_insert_with(new);
                if bytes.len() as u64 + frame.announced > self.limit as u64 {
                    return Err(Some(TOO_BIG));
                }
                bytes.extend(payload);
                let (ends, opcode) = (first_byte & 0x80 != 0 && !is_cut, *kind & 0x0F);
                let inflate = self.inflate.filter(|_| *kind & 0x40 != 0);
                let (plain, is_right) = match inflate {
                    Some(inflate) if ends => inflate(bytes).ok_or(None)?,
                    _ => (bytes.clone(), true),
                };
                if ends || inflate.is_none() && !self.checks_late {
                    self.check_message(opcode == 1, ends, &plain, is_right)?;
                }
                if ends {
                    *message = None;
                    messages.push((opcode, plain));
                }
            }
        }
        Ok(true)
    }

    /// Checks a message so far, or a whole one if it `ends`.
    fn check_message(&self, text: bool, ends: bool, bytes: &[u8], right: bool) -> Result<(), Rule> {
        match str::from_utf8(&bytes[..bytes.len().min(self.limit)]) {
            Err(error) if text && error.error_len().is_some() => Err(UTF8),
            _ if bytes.len() > self.limit => Err(TOO_BIG),
            _ if !right => Err(BLOCKS),
            Err(_) if text && ends => Err(UTF8),
            _ => Ok(()),
        }
    }
}

/// Checks the payload of a close frame (RFC 6455 §5.5.1, §7.4).
fn check_close(payload: &[u8]) -> Result<(), Rule> {
    let (code, reason) = match payload {
        [] => return Ok(()),
        [_] => return Err(CLOSE_LENGTH),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 if str::from_utf8(reason).is_ok() => Ok(()),
        1000..=1003 | 1007..=1014 | 3000..=4999 => Err(CLOSE_REASON),
        _ => Err(CLOSE_CODE),
    }
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
        type Row<'a> = (Receiver, &'a [(u8, &'a [u8])], &'a str);
        let table: &[Row<'_>] = &[
            (server, &[(0x81, b"Hello")], r#"1 "Hello""#),
            (server, &[(0x01, b"Hel"), (0x80, b"lo")], r#"1 "Hello""#),
            (server, &[(0x02, b""), (0x89, b"")], r#"9 """#),
            (server, &[(0x88, b"\x03\xe8bye")], r#"8 "\x03\xe8bye""#),
            (server, &[(0x88, b"\x03\xed")], "§7.4"),
            (server, &[(0x01, b"\xff"), (0x81, b"")], "§8.1"),
            (late, &[(0x01, b"\xff"), (0x81, b"")], "§5.4"),
            (late, &[(0x01, b"\xff"), (0x89, b"")], r#"9 """#),
            (server, &[(0xc1, b"Hello")], "§5.2"),
        ];
        for (receiver, frames, expected) in table {
            let frame = |(first_byte, payload): &(u8, &[u8])| {
                Frame::new(*first_byte, Some([0; 4]), payload.to_vec())
            };
            let frames: Vec<_> = frames.iter().map(frame).collect();
            let meaning = receiver.read(&frames).expect("nothing is compressed");
            let show =
                |(opcode, payload): &Message| format!("{opcode} \"{}\"", payload.escape_ascii());
            let mut found: String = meaning.messages.iter().map(show).collect();
            found += meaning.broken.map_or("", |rule| rule.demand);
            assert!(found.contains(expected), "{frames:?}: {found}");
            assert!(!found.is_empty());
        }
    }
}
