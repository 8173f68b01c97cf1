//! Lists of frames, mostly valid ones, compared with the reference model
//! (`src/tools/test/model.rs`; RFC 6455 §5.4 to §5.6, §7, §8.1).
//!
//! Input: a list made by `arbitrary`. Asserted: at either end, the machine gives the messages of
//! the model and fails with its code. This holds for any cutting of the bytes, and also after this
//! end has sent a close frame.
//!
//! Half of the inputs are compressed (RFC 7692). The model inflates stored blocks only; the check
//! ends at a message with other blocks. Received messages are then compressed by parlor, and must
//! be the same after inflating.

use arbitrary::{Arbitrary, Unstructured};
use parlor::tools::test::model::{Frame, Message, Receiver, shortest_form};
use parlor::websocket::{CloseCode, CloseFrame, Deflate, DeflateParameters, Opcode};
use std::sync::OnceLock;

#[path = "machine.rs"]
mod machine;
use machine::{LIMIT, Machine};

#[derive(Arbitrary, Debug)]
struct Input {
    client: bool,
    pieces: [u8; 2],
    /// The index of the frame before which this end sends a close frame.
    close_before: u8,
    deflate: bool,
}

#[derive(Arbitrary, Debug)]
struct Choice {
    kind: u8,
    fin: bool,
    /// The rule that the frame breaks; most values break none.
    fault: u8,
    number: u64,
    payload: Payload,
}

#[derive(Arbitrary, Debug)]
enum Payload {
    /// This many bytes of `TEXT`, from where the last one stopped. Characters may be cut in two,
    /// but the fragments together are valid.
    Next(u8),
    /// This many characters of `TEXT`.
    Characters(u8),
    Bytes(Vec<u8>),
    Long(u16),
    Close(u16, u8),
    /// Two stored blocks with this many bytes of `TEXT`. `left`: how many bytes at the end are left
    /// for the next fragment. `ends`: whether the message has the required end. `last`: whether the
    /// last block is marked as the last.
    Stored {
        lengths: [u8; 2],
        left: u8,
        ends: bool,
        last: bool,
    },
    /// The compressed form of one of `BOMBS`.
    Bomb(u8),
}

/// The lengths of messages that repeat one letter and so compress to a few bytes.
const BOMBS: [usize; 5] = [LIMIT - 1, LIMIT, LIMIT + 1, 10 * LIMIT, 100_000];

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const TEXT: &str = "a\u{fc}\u{20ac}\u{1d11e}zz\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff} \u{0}";

pub fn check(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(mut input) = Input::arbitrary(&mut data) else {
        return;
    };
    input.deflate &= !bombs()[0].is_empty(); // parlor may be built without compression
    let frames = frames(&input, &mut data);
    let receiver = Receiver {
        is_client: input.client,
        limit: LIMIT,
        inflate: input.deflate.then_some(inflate),
        closes_before: usize::from(input.close_before),
        checks_late: false,
    };
    let Some(meaning) = receiver.read(&frames) else {
        return;
    };
    let (expected, code) = (meaning.messages, meaning.broken.map(|rule| rule.codes[0]));
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
    // The same bytes with pieces that cross the ends of frames.
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

fn is_the_same_compressed(message: &Message) {
    let (opcode, payload) = match message {
        (1, payload) => (Opcode::Text, payload),
        (2, payload) => (Opcode::Binary, payload),
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

/// Inflates stored blocks, and the messages of `BOMBS`.
fn inflate(compressed: &[u8]) -> Option<(Vec<u8>, bool)> {
    match bombs().iter().position(|bomb| bomb == compressed) {
        Some(index) => Some((vec![b'a'; BOMBS[index]], true)),
        None => inflate_stored(compressed),
    }
}

/// Inflates stored blocks (RFC 1951 §3.2.4), after adding the end that the sender leaves out: the
/// header of an empty block (RFC 7692 §7.2.2).
fn inflate_stored(compressed: &[u8]) -> Option<(Vec<u8>, bool)> {
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
    Some((bytes, is_right))
}

/// The messages of `BOMBS`, compressed by parlor, so that the check knows their contents.
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
        let (key, no_key) = match input.client {
            true => (None, Some(KEY)),
            false => (Some(KEY), None),
        };
        let mut frame = Frame::new(u8::from(fin) << 7 | opcode, key, payload);
        if matches!(choice.payload, Payload::Stored { .. } | Payload::Bomb(_))
            && matches!(opcode, 1 | 2)
        {
            frame.first_byte |= 0x40;
        }
        match choice.fault % 32 {
            1 => frame.first_byte |= 0x10 << (choice.number % 3),
            2 => frame.key = no_key,
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
            break; // the bytes of another frame would be read as its payload
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
