//! A list of frames, mostly legal ones, against a small model of what such a list means (RFC 6455 §5.4 to §5.6, §7, §8.1).
//!
//! Input: a list made by `arbitrary`. The model knows nothing of bytes, lengths' forms or masks; it says what the messages
//! are and with which code it ends. Asserted: the machine says the same, whoever's end it is, however the bytes are cut,
//! and wherever in between we closed ourselves.
//!
//! Room is left for compression: RSV1 and a payload that is deflated (RFC 7692) are one more row of `Payload` and of `model`.

use arbitrary::{Arbitrary, Unstructured};
use parlor::websocket::{CloseCode, CloseFrame};

#[path = "machine.rs"]
mod machine;
use machine::{LIMIT, Machine, Seen};

#[derive(Arbitrary, Debug)]
struct Input {
    client: bool,
    pieces: [u8; 2],
    /// Before which frame we close ourselves, if that many come.
    close_before: u8,
}

#[derive(Arbitrary, Debug)]
struct Choice {
    kind: u8,
    fin: bool,
    /// Which rule is broken; most values break none.
    fault: u8,
    number: u64,
    payload: Payload,
}

#[derive(Arbitrary, Debug)]
enum Payload {
    /// So many bytes of a text, from where the last one stopped: cut within characters, but right if it goes on.
    Next(u8),
    /// So many characters of that text.
    Characters(u8),
    Bytes(Vec<u8>),
    Long(u16),
    Close(u16, u8),
}

/// A frame as it is sent. `announced` differs from the payload's length only in the last one.
#[derive(Debug)]
struct Frame {
    first_byte: u8,
    masked: bool,
    form: u8,
    announced: u64,
    payload: Vec<u8>,
}

const TEXT: &str = "a\u{fc}\u{20ac}\u{1d11e}zz\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff} \u{0}";

pub fn check(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(input) = Input::arbitrary(&mut data) else { return };
    let frames = frames(&input, &mut data);
    let (expected, code) = model(&input, &frames);
    let pieces = input.pieces.map(|length| 1 + usize::from(length % 40));
    for pieces in [pieces, [usize::MAX; 2]] {
        let mut machine = Machine::new(input.client);
        for (index, frame) in frames.iter().enumerate() {
            if index == usize::from(input.close_before) {
                machine.websocket.close(CloseFrame::new(CloseCode::GOING_AWAY, "bye"), &mut Vec::new());
            }
            machine.feed(&frame.bytes(), pieces);
        }
        assert_eq!((&machine.seen, failed_code(&machine)), (&expected, code), "in pieces of {pieces:?}: {frames:?}");
    }
    // The same without the ends of frames being ends of pieces.
    if frames.len() <= usize::from(input.close_before) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        let machine = Machine::of(input.client, &bytes, pieces);
        assert_eq!((&machine.seen, failed_code(&machine)), (&expected, code), "as one stream: {frames:?}");
    }
}

fn failed_code(machine: &Machine) -> Option<u16> {
    machine.failed.map(|violation| violation.rule().0.get())
}

/// What a list of frames means: the messages, and the code that it fails with.
fn model(input: &Input, frames: &[Frame]) -> (Vec<Seen>, Option<u16>) {
    let mut seen = Vec::new();
    let mut message: Option<(u8, Vec<u8>)> = None;
    for (index, frame) in frames.iter().enumerate() {
        let (fin, reserved, opcode) = (frame.first_byte & 0x80 != 0, frame.first_byte & 0x70, frame.first_byte & 0x0F);
        let (is_control, cut) = (opcode >= 8, frame.announced != frame.payload.len() as u64);
        if reserved != 0 || !matches!(opcode, 0..=2 | 8..=10) || frame.form != shortest_form(frame.announced) {
            return (seen, Some(1002));
        }
        if is_control && (!fin || frame.announced > 125) || frame.announced >> 63 != 0 || frame.masked == input.client {
            return (seen, Some(1002));
        }
        if index >= usize::from(input.close_before) && opcode != 8 {
            continue; // §7.1.1: only the peer's close frame still counts
        }
        if is_control && cut {
            continue; // it is the last one, and never becomes whole
        }
        match (opcode, frame.payload.as_slice(), &message) {
            (8, [], _) => return (close(seen, None, ""), None),
            (8, [_], _) => return (seen, Some(1002)),
            (8, [high, low, reason @ ..], _) => match (u16::from_be_bytes([*high, *low]), str::from_utf8(reason)) {
                (code @ (1000..=1003 | 1007..=1014 | 3000..=4999), Ok(reason)) => return (close(seen, Some(code), reason), None),
                (1000..=1003 | 1007..=1014 | 3000..=4999, Err(_)) => return (seen, Some(1007)),
                _ => return (seen, Some(1002)),
            },
            (9, payload, _) => seen.push(Seen::Ping(payload.to_vec())),
            (10, payload, _) => seen.push(Seen::Pong(payload.to_vec())),
            (0, _, None) | (1 | 2, _, Some(_)) => return (seen, Some(1002)),
            _ => {
                let (kind, mut bytes) = message.take().unwrap_or((opcode, Vec::new()));
                if bytes.len() as u64 + frame.announced > LIMIT as u64 {
                    return (seen, Some(1009));
                }
                bytes.extend(&frame.payload);
                match (kind, fin && !cut, String::from_utf8(bytes)) {
                    (1, true, Ok(text)) => seen.push(Seen::Text(text)),
                    (1, ends, Err(error)) if ends || error.utf8_error().error_len().is_some() => return (seen, Some(1007)),
                    (2, true, bytes) => seen.push(Seen::Binary(bytes.map_or_else(|error| error.into_bytes(), String::into_bytes))),
                    (kind, _, bytes) => message = Some((kind, bytes.map_or_else(|error| error.into_bytes(), String::into_bytes))),
                }
            }
        }
    }
    (seen, None)
}

fn close(mut seen: Vec<Seen>, code: Option<u16>, reason: &str) -> Vec<Seen> {
    seen.push(Seen::Close(code, reason.to_owned()));
    seen
}

fn shortest_form(length: u64) -> u8 {
    match length {
        0..=125 => 7,
        126..=0xFFFF => 16,
        _ => 64,
    }
}

fn frames(input: &Input, data: &mut Unstructured<'_>) -> Vec<Frame> {
    let (mut frames, mut begun, mut at) = (Vec::new(), false, 0);
    while frames.len() < 24
        && !data.is_empty()
        && let Ok(choice) = Choice::arbitrary(data)
    {
        let opcode = match choice.kind % 8 {
            0 => 8,
            1 => 9,
            2 => 10,
            3 => choice.kind >> 4,
            _ if begun => 0,
            kind => 1 + (kind & 1),
        };
        let fin = choice.fin || (opcode >= 8 && choice.fault % 32 != 31);
        let payload = choice.payload.bytes(&mut at);
        let length = payload.len() as u64;
        let mut frame = Frame {
            first_byte: u8::from(fin) << 7 | opcode,
            masked: !input.client,
            form: shortest_form(length),
            announced: length,
            payload,
        };
        match choice.fault % 32 {
            1 => frame.first_byte |= 0x10 << (choice.number % 3),
            2 => frame.masked = !frame.masked,
            3 if length <= 0xFFFF => frame.form = 16,
            4 => frame.form = 64,
            5 => frame.announced = length.saturating_add(1 + choice.number % (2 * LIMIT as u64)),
            6 => frame.announced = length.saturating_add(choice.number),
            _ => {}
        }
        if matches!(choice.fault % 32, 5 | 6) {
            frame.form = shortest_form(frame.announced);
        }
        begun = if opcode < 8 { !fin } else { begun };
        let is_last = frame.announced != length;
        frames.push(frame);
        if is_last {
            break; // what came behind it would be taken for its payload
        }
    }
    frames
}

impl Payload {
    fn bytes(&self, at: &mut usize) -> Vec<u8> {
        let text = TEXT.as_bytes().iter().copied().cycle();
        match self {
            Self::Next(length) => {
                let payload = text.skip(*at % TEXT.len()).take(usize::from(*length)).collect();
                *at += usize::from(*length);
                payload
            }
            Self::Characters(count) => TEXT.chars().cycle().take(usize::from(count % 64)).collect::<String>().into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Long(length) => text.take(usize::from(length % 400)).collect(),
            Self::Close(code, reason) => code.to_be_bytes().into_iter().chain(text.take(usize::from(reason % 130))).collect(),
        }
    }
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let mask = u8::from(self.masked) << 7;
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
        let key = if self.masked { [0x37, 0xfa, 0x21, 0x3d] } else { [0; 4] };
        if self.masked {
            bytes.extend(key);
        }
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}
