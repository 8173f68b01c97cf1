//! Random sequences for `parlor test --fuzz` as rows of the table of cases, with the demand of the
//! reference model, and the shortest sequence that still fails.

use super::cases::{Case, parse};
use super::model::{Frame, Receiver, shortest_form};
use crate::random::Random;
use crate::text::Hex;
use crate::websocket::frame::CONTROL_PAYLOAD_MAX;

/// The input on one connection: frames, or without any an opening handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequence<'a> {
    /// The case that makes the opening handshake invalid.
    refused: Option<&'a Case>,
    /// Valid variations of the opening handshake.
    edits: Vec<&'static str>,
    frames: Vec<Frame>,
    /// The length of the pieces in which it is sent; 0 if it is not cut.
    chop: usize,
}

/// The demand on a server that gets only valid frames.
pub(super) const LEGAL: &str = "valid frames are accepted";
/// The demand on a server that gets a valid opening handshake.
const OPENED: &str =
    "RFC 6455 §4.2.2 | interoperability | opened | a valid opening handshake is accepted";
/// Valid variations of the opening handshake (RFC 6455 §4.2.1, RFC 9110 §5.5).
const EDITS: [&str; 5] = [
    "- Upgrade & + UPGRADE: WebSocket",
    "- Upgrade & + upgrade:\\x20\\x09websocket\\x20\\x09",
    "- Connection & + connection: keep-alive, upgrade",
    "- Connection & + Connection:Upgrade\\x20\\x20",
    "- Sec-WebSocket-Version & + SEC-WEBSOCKET-VERSION:13",
];
/// Characters of every length in UTF-8.
const TEXT: &str = "aZ\0\u{fc}\u{7ff}\u{20ac}\u{ffff}\u{1d11e}\u{10ffff}";
/// The most pieces of one sequence. More would take most of the time, and a server receives many of
/// them at once anyway.
const PIECES: usize = 256;
/// Close codes that a client may send, and some that it must not (RFC 6455 §7.4).
const CODES: [u16; 9] = [1000, 1001, 1003, 1007, 1011, 3000, 3999, 4000, 4999];
const WRONG_CODES: [u16; 6] = [0, 999, 1004, 1005, 1006, 1015];

fn frame(random: &mut Random, first_byte: u8, payload: Vec<u8>) -> Frame {
    let key = (random.number() as u32).to_be_bytes();
    Frame::new(first_byte, Some(key), payload)
}

/// Returns a payload of at most `most` bytes, usually a short one.
fn payload(random: &mut Random, is_text: bool, most: usize) -> Vec<u8> {
    let bound = random.pick(&[1, 20, 20, 126, 130, 400, 400, 66_000]);
    let length = random.below(bound.min(most) + 1);
    if !is_text {
        return (0..length).map(|_| random.number() as u8).collect();
    }
    let (characters, mut text) = (Vec::from_iter(TEXT.chars()), String::new());
    while text.len() < length {
        text.push(random.pick(&characters));
    }
    text.into_bytes()
}

fn control(random: &mut Random) -> Frame {
    let payload = payload(random, false, CONTROL_PAYLOAD_MAX);
    let first_byte = random.pick(&[0x89, 0x8a]);
    frame(random, first_byte, payload)
}

/// Appends the fragments of a message, with control frames between them.
fn message(random: &mut Random, mut opcode: u8, frames: &mut Vec<Frame>) {
    let mut rest = payload(random, opcode == 1, usize::MAX - 1);
    for _ in 0..random.pick(&[0, 0, 1, 3]) {
        let after = rest.split_off(random.below(rest.len() + 1));
        frames.push(frame(random, opcode, rest));
        (rest, opcode) = (after, 0);
        if random.below(3) == 0 {
            frames.push(control(random));
        }
    }
    frames.push(frame(random, 0x80 | opcode, rest));
}

/// Changes a frame. Most changes break a rule; the model knows which do.
fn damage(random: &mut Random, frames: &mut Vec<Frame>) {
    let (at, other) = (random.below(frames.len()), random.below(frames.len()));
    let changed = &mut frames[at];
    let opcode = changed.first_byte & 0x0f;
    match random.below(13) {
        0 => changed.first_byte ^= random.pick(&[0x10, 0x20, 0x40, 0x70]),
        1 => changed.first_byte ^= opcode ^ random.pick(&[3, 4, 5, 6, 7, 11, 12, 13, 14, 15]),
        2 => changed.key = None,
        3 => changed.form = 64,
        4 if changed.form == 7 => changed.form = 16,
        5 => (changed.announced, changed.form) = (random.number() | 1 << 63, 64),
        6 => changed.first_byte ^= 0x80,
        7 => changed.first_byte ^= opcode ^ random.pick(&[0, 1, 2, 9]),
        8 => drop(frames.remove(at)),
        9 => {
            let copy = changed.clone();
            frames.insert(other, copy);
        }
        10 if !changed.payload.is_empty() => {
            let byte = random.below(changed.payload.len());
            changed.payload[byte] ^= random.pick(&[0x80, 0x40, 0xff]);
        }
        11 => {
            let code = random.pick(&WRONG_CODES).to_be_bytes();
            let payload = random.pick(&[&[3][..], &code, b"\x03\xe8\xff"]);
            *changed = frame(random, 0x88, payload.to_vec());
        }
        _ => {
            let (opcode, length) = (random.pick(&[8, 9, 10]), 126 + random.below(80));
            *changed = frame(random, 0x80 | opcode, vec![3; length]);
        }
    }
}

/// Returns the word of a frame in the input of a case.
fn word(frame: &Frame) -> String {
    let escaped = |bytes: &[u8]| match bytes {
        [] => String::new(),
        _ => format!("\\x{}", Hex(bytes).to_string().replace(' ', "\\x")),
    };
    let (first, payload) = (frame.first_byte, escaped(&frame.payload));
    let valid = Frame::new(first, frame.key, frame.payload.clone());
    match frame.form {
        _ if frame.key.is_none() => format!("raw:{}", escaped(&frame.bytes())),
        _ if *frame == valid => format!("{first:02x}:{payload}"),
        16 => format!("{first:02x}/{:04x}:{payload}", frame.announced),
        _ => format!("{first:02x}/{:016x}:{payload}", frame.announced),
    }
}

impl<'a> Sequence<'a> {
    /// Makes a sequence. `opcodes` are those of the messages that the server accepts, `cases` the
    /// invalid handshakes.
    pub(super) fn new(random: &mut Random, opcodes: &[u8], cases: &'a [Case]) -> Self {
        let bound = random.pick(&[1, 1, 2, 16, 300]);
        let mut sequence = Self {
            chop: random.below(bound),
            ..Self::default()
        };
        if random.below(16) == 0 {
            let count = random.below(3);
            sequence.edits = (0..count).map(|_| random.pick(&EDITS)).collect();
            sequence.refused = cases.get(random.below(2 * cases.len()));
            return sequence;
        }
        let frames = &mut sequence.frames;
        for _ in 0..1 + random.below(4) {
            match random.below(3) {
                0 => frames.push(control(random)),
                _ => {
                    let opcode = random.pick(opcodes);
                    message(random, opcode, frames);
                }
            }
        }
        if random.below(8) == 0 {
            let code = random.pick(&CODES).to_be_bytes();
            let payload = random.pick(&[&code[..], &[], b"\x03\xe8bye"]).to_vec();
            frames.push(frame(random, 0x88, payload));
        }
        if random.below(2) == 0 {
            damage(random, frames);
        }
        // A server that reads nothing after a close frame resets the connection, which can lose its
        // answer.
        let is_close = |frame: &Frame| frame.first_byte & 0x0f == 8;
        if let Some(at) = frames.iter().position(is_close) {
            frames.truncate(at + 1);
        }
        if sequence.chop > 0 {
            let length: usize = frames.iter().map(|frame| frame.payload.len()).sum();
            sequence.chop = sequence.chop.max(length / PIECES);
        }
        sequence
    }

    /// Returns the sequence as a table of one case. `None`: correct servers can differ, because
    /// they check text early or late.
    pub(super) fn table(&self) -> Option<String> {
        let chop = (self.chop > 0).then(|| format!("chop={}", self.chop));
        if self.frames.is_empty() {
            let refused = self.refused.iter().map(|case| &*case.input);
            let edits = self.edits.iter().copied().chain(refused).map(str::to_owned);
            let input = chop
                .into_iter()
                .chain(edits)
                .collect::<Vec<_>>()
                .join(" & ");
            let head = match self.refused {
                Some(case) => format!(
                    "{} | interoperability | refused | {}",
                    case.section, case.demand
                ),
                None => OPENED.to_owned(),
            };
            return Some(format!("# {head}\nrandom | {input}\n"));
        }
        let meaning = |count: usize, checks_late| {
            let receiver = Receiver {
                is_client: false,
                limit: usize::MAX,
                inflate: None,
                closes_before: usize::MAX,
                checks_late,
            };
            receiver.read(&self.frames[..count]).unwrap_or_default()
        };
        let count = self.frames.len();
        let (early, late) = (meaning(count, false), meaning(count, true));
        if early.broken != late.broken {
            return None;
        }
        let is_broken_by = |at: &usize| meaning(at + 1, true).broken.is_some();
        let valid = late.broken.and_then(|_| (0..count).find(is_broken_by));
        let mut words: Vec<_> = self.frames.iter().map(word).collect();
        words.insert(valid.unwrap_or(count), "!".to_owned());
        words.splice(..0, chop);
        let is_close = late.messages.last().is_some_and(|(opcode, _)| *opcode == 8);
        let (section, demand) = match late.broken {
            Some(rule) => rule.demand.split_once(": ").unwrap_or_default(),
            None => ("RFC 6455", LEGAL),
        };
        let codes = late.broken.map_or(&[1000][..], |rule| rule.codes).iter();
        let codes = codes.map(u16::to_string).collect::<Vec<_>>().join(" ");
        let expected = match (section, late.broken) {
            ("RFC 6455 §5.5.1" | "RFC 6455 §7.4", _) => format!("closes {codes}"),
            (_, Some(_)) => codes,
            _ if is_close => format!("closes {codes}"),
            _ => "goes on".to_owned(),
        };
        let head = format!("{section} | interoperability | {expected} | {demand}");
        Some(format!("# {head}\nrandom | {}\n", words.join(" ")))
    }

    /// Returns the case of that table.
    pub(super) fn case(&self) -> Option<Case> {
        parse(&self.table()?).ok()?.pop()
    }

    /// Returns sequences that are smaller in one part.
    fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut sequence = self.clone();
            change(&mut sequence);
            if sequence != *self {
                smaller.push(sequence);
            }
        };
        for at in 0..self.frames.len() {
            add(&|it| drop(it.frames.remove(at)));
        }
        add(&|it| it.chop = 0);
        add(&|it| it.edits.truncate(self.edits.len().saturating_sub(1)));
        add(&|it| it.edits.truncate(0));
        for (at, frame) in self.frames.iter().enumerate() {
            let length = frame.payload.len();
            for shorter in [0, length / 2, length.saturating_sub(1)] {
                let payload = frame.payload[..shorter].to_vec();
                let mut shorter = Frame::new(frame.first_byte, frame.key, payload);
                if frame.form != shortest_form(frame.announced) {
                    shorter.form = frame.form;
                }
                add(&|it| it.frames[at] = shorter.clone());
            }
        }
        smaller
    }

    /// Returns the smallest sequence found that still fails, after at most `tries` tries.
    pub(super) fn shrink(mut self, mut tries: usize, fails: impl Fn(&Self) -> bool) -> Self {
        while let Some(smaller) = self.smaller().into_iter().find(|one| {
            tries = tries.saturating_sub(1);
            tries > 0 && fails(one)
        }) {
            self = smaller;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Head;
    use crate::progress::Progress;
    use crate::tools::dissect::{Outcome, walk};
    use crate::tools::test::cases::{Expected, Request, Script};
    use crate::tools::test::server::KEY;
    use crate::websocket::{Config, Opcode, ServerHandshake, WebSocket};
    use std::collections::BTreeSet;

    fn sequences(seed: u64) -> impl Iterator<Item = Sequence<'static>> {
        let mut random = Random::new(seed);
        std::iter::repeat_with(move || Sequence::new(&mut random, &[1, 2], &[]))
    }

    #[test]
    fn cases_break_every_rule_and_agree_with_parlor() {
        let mut rules = BTreeSet::new();
        for case in sequences(7)
            .take(1_000)
            .filter_map(|sequence| sequence.case())
        {
            if case.is_of_handshake() {
                continue;
            }
            let script = Script::parse(&case.input).expect("a valid input");
            let mut expected = Expected::GoesOn;
            for step in walk(&script.bytes(), WebSocket::server(1 << 20)) {
                match step.outcome {
                    Outcome::Broken(it) => expected = Expected::Fails(vec![it.rule().code.get()]),
                    Outcome::Whole(Opcode::Close, _) => expected = Expected::Closes(vec![1000]),
                    _ => {}
                }
            }
            match (&case.expected, &expected) {
                (Expected::Fails(codes), Expected::Fails(code)) => {
                    assert!(codes.contains(&code[0]))
                }
                (Expected::Closes(codes), Expected::Fails(code)) => assert_eq!(codes, code),
                _ => assert_eq!(case.expected, expected, "{case:?}"),
            }
            rules.insert(case.demand);
        }
        assert_eq!(rules.len(), 13, "{rules:?}");
    }

    #[test]
    fn failing_sequence_is_shrunk_to_the_frame_that_fails() {
        // The planted fault: a server that accepts unmasked pings.
        let fails = |sequence: &Sequence<'_>| {
            let is_planted = |frame: &Frame| frame.first_byte == 0x89 && frame.key.is_none();
            sequence.frames.iter().any(is_planted)
        };
        let sequence = sequences(1).find(|one| one.frames.len() > 8 && fails(one));
        let shrunk = sequence.expect("a sequence that fails").shrink(1000, fails);
        let frames = vec![Frame::new(0x89, None, Vec::new())];
        let expected = Sequence {
            frames,
            ..Sequence::default()
        };
        assert_eq!(shrunk, expected);
    }

    #[test]
    fn varied_requests_are_valid() {
        for edit in EDITS {
            let mut request = Request::new("a", "/", KEY);
            request.edit(edit);
            let request = request.bytes();
            let shown = request.escape_ascii();
            let Ok(Progress::Done { value, .. }) = Head::parse(&request, 8192) else {
                panic!("{shown}");
            };
            let handshake = ServerHandshake::from_head(&value, &Config::default());
            assert!(handshake.is_ok(), "{shown}");
        }
    }
}
