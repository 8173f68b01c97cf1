//! A list of frames, mostly legal ones, against a small model of what such a list means (RFC 6455
//! §5.4 to §5.6, §7, §8.1).
//!
//! Input: a list made by `arbitrary`. The model knows nothing of bytes, lengths' forms or masks; it
//! says what the messages
//! are and with which code it ends. Asserted: the machine says the same, whoever's end it is,
//! however the bytes are cut,
//! and wherever in between we closed ourselves.
//!
//! With and without compression (RFC 7692): the model inflates blocks that are stored, which takes
//! five lines, and says nothing
//! where a message has others. What was taken is then compressed by parlor, and has to be the same
//! message again.

use arbitrary::{Arbitrary, Unstructured};
use parlor::websocket::{CloseCode, CloseFrame, Deflate, DeflateParameters, Opcode};
use std::sync::OnceLock;

#[path = "machine.rs"]
mod machine;
use machine::{LIMIT, Machine, Seen};

#[derive(Arbitrary, Debug)]
struct Input {
    client: bool,
    pieces: [u8; 2],
    /// Before which frame we close ourselves, if that many come.
    close_before: u8,
    deflate: bool,
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
    /// So many bytes of a text, from where the last one stopped: cut within characters, but right
    /// if it goes on.
    Next(u8),
    /// So many characters of that text.
    Characters(u8),
    Bytes(Vec<u8>),
    Long(u16),
    Close(u16, u8),
    /// Stored blocks with so many bytes of the text, how many of the last bytes are left for the
    /// next fragment, whether it ends
    /// as a message has to, and whether the last block says that it is the last.
    Stored {
        lengths: [u8; 2],
        left: u8,
        ends: bool,
        last: bool,
    },
    /// One of `BOMBS`.
    Bomb(u8),
}

/// Messages of so many times the same letter, of which next to nothing is left when they are
/// compressed.
const BOMBS: [usize; 5] = [LIMIT - 1, LIMIT, LIMIT + 1, 10 * LIMIT, 100_000];

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
    let Ok(mut input) = Input::arbitrary(&mut data) else {
        return;
    };
    input.deflate &= !bombs()[0].is_empty(); // parlor may have been built without it
    let frames = frames(&input, &mut data);
    let Some((expected, code)) = model(&input, &frames) else {
        return;
    };
    let agreed = input.deflate.then(DeflateParameters::default);
    let pieces = input.pieces.map(|length| 1 + usize::from(length % 40));
    for pieces in [pieces, [usize::MAX; 2]] {
        let mut machine = Machine::with(input.client, agreed);
        for (index, frame) in frames.iter().enumerate() {
            if index == usize::from(input.close_before) {
                machine.websocket.close(
                    CloseFrame::new(CloseCode::GOING_AWAY, "bye"),
                    &mut Vec::new(),
                );
            }
            machine.feed(&frame.bytes(), pieces);
        }
        assert_eq!(
            (&machine.seen, failed_code(&machine)),
            (&expected, code),
            "in pieces of {pieces:?}: {frames:?}"
        );
    }
    // The same without the ends of frames being ends of pieces.
    if frames.len() <= usize::from(input.close_before) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        let machine = Machine::of(input.client, agreed, &bytes, pieces);
        assert_eq!(
            (&machine.seen, failed_code(&machine)),
            (&expected, code),
            "as one stream: {frames:?}"
        );
    }
    if input.deflate {
        expected.iter().for_each(is_the_same_compressed);
    }
}

fn is_the_same_compressed(message: &Seen) {
    let (opcode, payload) = match message {
        Seen::Text(text) => (Opcode::Text, text.as_bytes()),
        Seen::Binary(bytes) => (Opcode::Binary, bytes.as_slice()),
        _ => return,
    };
    let mut bytes = Vec::new();
    if Deflate::default().compress(opcode, payload, DeflateParameters::default(), &mut bytes) {
        let client = Machine::of(
            true,
            Some(DeflateParameters::default()),
            &bytes,
            [usize::MAX; 2],
        );
        assert!(
            bytes.len() < payload.len() + 4
                && client.seen == [message.clone()]
                && client.failed.is_none()
        );
    }
}

fn failed_code(machine: &Machine) -> Option<u16> {
    machine.failed.map(|violation| violation.rule().code.get())
}

type Verdict = (Vec<Seen>, Option<u16>);

/// What a list of frames means: the messages, and the code that it fails with. `None`: this model
/// does not know.
fn model(input: &Input, frames: &[Frame]) -> Option<Verdict> {
    let mut seen = Vec::new();
    let mut message: Option<(u8, Vec<u8>)> = None; // with the first frame's opcode and RSV1
    for (index, frame) in frames.iter().enumerate() {
        let (fin, reserved, opcode) = (
            frame.first_byte & 0x80 != 0,
            frame.first_byte & 0x70,
            frame.first_byte & 0x0F,
        );
        let (is_control, cut) = (opcode >= 8, frame.announced != frame.payload.len() as u64);
        let compressed = reserved == 0x40 && input.deflate && matches!(opcode, 1 | 2);
        if (reserved != 0 && !compressed)
            || !matches!(opcode, 0..=2 | 8..=10)
            || frame.form != shortest_form(frame.announced)
        {
            return Some((seen, Some(1002)));
        }
        if is_control && (!fin || frame.announced > 125)
            || frame.announced >> 63 != 0
            || frame.masked == input.client
        {
            return Some((seen, Some(1002)));
        }
        if index >= usize::from(input.close_before) && opcode != 8 {
            continue; // §7.1.1: only the peer's close frame still counts
        }
        if is_control && cut {
            continue; // it is the last one, and never becomes whole
        }
        match (opcode, &message) {
            (8, _) => return Some(closed(seen, &frame.payload)),
            (9, _) => seen.push(Seen::Ping(frame.payload.clone())),
            (10, _) => seen.push(Seen::Pong(frame.payload.clone())),
            (0, None) | (1 | 2, Some(_)) => return Some((seen, Some(1002))),
            _ => {
                let (kind, mut bytes) = message.take().unwrap_or((opcode | reserved, Vec::new()));
                if bytes.len() as u64 + frame.announced > LIMIT as u64 {
                    return Some((seen, Some(1009)));
                }
                bytes.extend(&frame.payload);
                let ends = fin && !cut;
                match (kind, ends) {
                    (0x40.., false) => message = Some((kind, bytes)),
                    (0x40.., true) => match judged(kind & 0x0F, true, &inflated(&bytes)?) {
                        Ok(whole) => seen.extend(whole),
                        Err(code) => return Some((seen, Some(code))),
                    },
                    _ => match judged(
                        kind,
                        ends,
                        &Inflated {
                            bytes: bytes.clone(),
                            right: true,
                        },
                    ) {
                        Ok(None) => message = Some((kind, bytes)),
                        Ok(whole) => seen.extend(whole),
                        Err(code) => return Some((seen, Some(code))),
                    },
                }
            }
        }
    }
    Some((seen, None))
}

/// §5.5.1, §7.4.
fn closed(mut seen: Vec<Seen>, payload: &[u8]) -> Verdict {
    let (code, reason) = match payload {
        [] => (None, Ok("")),
        [high, low, reason @ ..] => (
            Some(u16::from_be_bytes([*high, *low])),
            str::from_utf8(reason),
        ),
        [_] => return (seen, Some(1002)),
    };
    match (code, reason) {
        (None | Some(1000..=1003 | 1007..=1014 | 3000..=4999), Ok(reason)) => {
            seen.push(Seen::Close(code, reason.to_owned()));
            (seen, None)
        }
        (Some(1000..=1003 | 1007..=1014 | 3000..=4999), Err(_)) => (seen, Some(1007)),
        _ => (seen, Some(1002)),
    }
}

/// A message so far, or all of it (`ends`).
fn judged(kind: u8, ends: bool, inflated: &Inflated) -> Result<Option<Seen>, u16> {
    let Inflated { bytes, right } = inflated;
    let text = str::from_utf8(&bytes[..bytes.len().min(LIMIT)]);
    match text {
        Err(error) if kind == 1 && error.error_len().is_some() => Err(1007),
        _ if bytes.len() > LIMIT => Err(1009),
        _ if !right => Err(1002),
        _ if !ends => Ok(None),
        Ok(text) if kind == 1 => Ok(Some(Seen::Text(text.to_owned()))),
        Err(_) if kind == 1 => Err(1007),
        _ => Ok(Some(Seen::Binary(bytes.clone()))),
    }
}

struct Inflated {
    bytes: Vec<u8>,
    /// The blocks were whole ones, and ended where the message does.
    right: bool,
}

/// Stored blocks (RFC 1951 §3.2.4), with the end that the sender left out (RFC 7692 §7.2.2), which
/// is that of an empty block and
/// never what stands in one. `None`: there are other blocks among them.
fn inflated(compressed: &[u8]) -> Option<Inflated> {
    if let Some(index) = bombs().iter().position(|bomb| bomb == compressed) {
        return Some(Inflated {
            bytes: vec![b'a'; BOMBS[index]],
            right: true,
        });
    }
    let whole = [compressed, &[0, 0, 0xFF, 0xFF]].concat();
    let (mut at, mut bytes) = (0, Vec::new());
    while at < whole.len() {
        match (whole[at] >> 1 & 3, &whole[at + 1..]) {
            (0, [low, high, not_low, not_high, ..]) if [!low, !high] == [*not_low, *not_high] => {
                let (start, length) = (at + 5, usize::from(u16::from_le_bytes([*low, *high])));
                bytes.extend(compressed.iter().skip(start).take(length));
                if length > 0 && start + length > compressed.len() {
                    return Some(Inflated {
                        bytes,
                        right: false,
                    });
                }
                at = start + length;
            }
            (0 | 3, _) => {
                return Some(Inflated {
                    bytes,
                    right: false,
                });
            }
            _ => return None,
        }
    }
    Some(Inflated { bytes, right: true })
}

/// What parlor's own compressor makes of `BOMBS`: there the check can be sure of what it holds.
fn bombs() -> &'static [Vec<u8>] {
    static BYTES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let compressed = |length: &usize| {
            let mut frame = Vec::new();
            Deflate::default().compress(
                Opcode::Binary,
                &vec![b'a'; *length],
                DeflateParameters::default(),
                &mut frame,
            );
            frame.split_off(
                frame
                    .len()
                    .min(if frame.get(1) == Some(&126) { 4 } else { 2 }),
            )
        };
        BOMBS.iter().map(compressed).collect()
    })
}

fn shortest_form(length: u64) -> u8 {
    match length {
        0..=125 => 7,
        126..=0xFFFF => 16,
        _ => 64,
    }
}

fn frames(input: &Input, data: &mut Unstructured<'_>) -> Vec<Frame> {
    let (mut frames, mut begun, mut at, mut left) = (Vec::new(), false, 0, Vec::new());
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
        let payload = choice.payload.bytes(&mut at, &mut left);
        let length = payload.len() as u64;
        let mut frame = Frame {
            first_byte: u8::from(fin) << 7 | opcode,
            masked: !input.client,
            form: shortest_form(length),
            announced: length,
            payload,
        };
        if matches!(choice.payload, Payload::Stored { .. } | Payload::Bomb(_))
            && matches!(opcode, 1 | 2)
        {
            frame.first_byte |= 0x40;
        }
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
    fn bytes(&self, at: &mut usize, rest: &mut Vec<u8>) -> Vec<u8> {
        let text = TEXT.as_bytes().iter().copied().cycle();
        match self {
            Self::Next(length) => {
                let payload = text
                    .skip(*at % TEXT.len())
                    .take(usize::from(*length))
                    .collect();
                *at += usize::from(*length);
                payload
            }
            Self::Characters(count) => TEXT
                .chars()
                .cycle()
                .take(usize::from(count % 64))
                .collect::<String>()
                .into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Long(length) => text.take(usize::from(length % 400)).collect(),
            Self::Stored {
                lengths,
                left,
                ends,
                last,
            } => {
                let mut payload = std::mem::take(rest);
                for (index, length) in lengths.iter().enumerate() {
                    payload.push(u8::from(*last && index == 1));
                    payload.extend([*length, 0, !*length, 0xFF]);
                    payload.extend(
                        text.clone()
                            .skip(*at % TEXT.len())
                            .take(usize::from(*length)),
                    );
                    *at += usize::from(*length);
                }
                if *ends {
                    payload.push(0);
                }
                *rest = payload.split_off(payload.len().saturating_sub(usize::from(left % 16)));
                payload
            }
            Self::Bomb(which) => bombs()[usize::from(*which) % BOMBS.len()].clone(),
            Self::Close(code, reason) => code
                .to_be_bytes()
                .into_iter()
                .chain(text.take(usize::from(reason % 130)))
                .collect(),
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
        let key = if self.masked {
            [0x37, 0xfa, 0x21, 0x3d]
        } else {
            [0; 4]
        };
        if self.masked {
            bytes.extend(key);
        }
        bytes.extend(
            self.payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        bytes
    }
}
