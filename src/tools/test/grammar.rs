//! Random sequences for `parlor test --fuzz`, what a server may answer to them, and the shortest
//! sequence that still fails.

use super::cases::Case;
use super::model::{Frame, Message, Receiver, Rule, shortest_form};
use super::transport::End;
use crate::random::Random;
use crate::websocket::frame::CONTROL_PAYLOAD_MAX;
use serde::{Deserialize, Serialize};

/// The input on one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sequence {
    /// The name of the case that makes the opening handshake invalid.
    pub(super) case: Option<String>,
    /// Valid variations of the opening handshake, in the grammar of cases.
    pub(super) edits: Vec<String>,
    pub(super) frames: Vec<Frame>,
    /// The lengths of the first pieces in which the bytes are sent.
    pub(super) pieces: Vec<usize>,
}

/// The demand on a server that gets only valid frames.
pub(super) const LEGAL: &str = "RFC 6455: valid frames are accepted";
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

impl Sequence {
    /// Makes sequence `number` of a run. `opcodes` are those of the messages that the server
    /// accepts, `cases` the invalid handshakes.
    pub(super) fn new(seed: u64, number: u64, opcodes: &[u8], cases: &[Case]) -> Self {
        let random = &mut Random::new(seed << 32 ^ number);
        let mut sequence = Self::default();
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
        for _ in 0..random.pick(&[0, 0, 1, 2, 5]) {
            let most = random.pick(&[2, 16, 300]);
            sequence.pieces.push(1 + random.below(most));
        }
        for _ in 0..random.below(3) {
            sequence.edits.push(random.pick(&EDITS).to_owned());
        }
        if random.below(16) == 0 && !cases.is_empty() {
            sequence.case = Some(cases[random.below(cases.len())].name.to_string());
            sequence.frames.clear();
        }
        sequence
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.frames.iter().flat_map(Frame::bytes).collect()
    }

    pub(super) fn demand(&self) -> Demand {
        let meaning = |checks_late| {
            let receiver = Receiver {
                is_client: false,
                limit: usize::MAX,
                inflate: None,
                closes_before: usize::MAX,
                checks_late,
            };
            receiver.read(&self.frames).unwrap_or_default()
        };
        let (early, late) = (meaning(false), meaning(true));
        let broken = [early.broken, late.broken].into_iter().flatten();
        let codes = broken.clone().flat_map(|rule| rule.codes).copied();
        let rule = broken.clone().next().map_or(LEGAL, |rule| rule.demand);
        let closes = late.messages.iter().any(|(opcode, _)| *opcode == 8)
            || broken.clone().any(Rule::is_of_close);
        let is_close = |frame: &Frame| frame.first_byte & 0x0f == 8;
        let close_at = self.frames.iter().position(is_close);
        Demand {
            rule,
            codes: codes.collect(),
            closes,
            has_rest: close_at.is_some_and(|at| at + 1 < self.frames.len()),
            may_go_on: !closes && late.broken.is_none(),
            is_within_message: late.is_within_message,
            has_data: self.frames.iter().any(|frame| frame.first_byte & 8 == 0),
            echoes: late.messages.into_iter().filter(|it| it.0 < 8).collect(),
        }
    }

    /// Returns smaller sequences, the smallest first.
    fn smaller(&self) -> Vec<Self> {
        let (mut smaller, count) = (Vec::new(), self.frames.len());
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut sequence = self.clone();
            change(&mut sequence);
            if sequence != *self {
                smaller.push(sequence);
            }
        };
        let mut length = count;
        while length > 0 {
            for start in (0..count).step_by(length) {
                let end = count.min(start + length);
                add(&|it| drop(it.frames.drain(start..end)));
            }
            length /= 2;
        }
        add(&|it| it.pieces.clear());
        for at in 0..self.edits.len() {
            add(&|it| drop(it.edits.remove(at)));
        }
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

/// The demand of the standard on the answer to a sequence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// The first broken rule, or [`LEGAL`].
    pub(super) rule: &'static str,
    /// The codes for the broken rules.
    codes: Vec<u16>,
    /// A close frame ends the sequence, right or wrong.
    pub(super) closes: bool,
    /// Frames follow the first close frame. A server that doesn't read them resets the connection,
    /// which can lose its answer.
    has_rest: bool,
    /// The connection may go on: no rule is broken, or not for a server that checks text late.
    pub(super) may_go_on: bool,
    is_within_message: bool,
    /// The application gets data, and may close the connection for what it says.
    pub(super) has_data: bool,
    /// The messages, for a server that sends them back.
    pub(super) echoes: Vec<Message>,
}

impl Demand {
    /// Returns whether another sequence may follow on the same connection.
    pub(super) fn is_reusable(&self, is_echo: bool) -> bool {
        let is_complete = self.may_go_on && !self.is_within_message;
        self.rule == LEGAL && is_complete && (is_echo || !self.has_data)
    }

    /// Returns what is wrong with an answer. `is_echo`: the server sends messages back.
    pub(super) fn fault(&self, end: &End, received: &[Message], is_echo: bool) -> Option<String> {
        let is_legal = self.rule == LEGAL;
        // A server may close for reasons of its own: policy, limits, types, overload, a restart.
        let is_choice = |code: &u16| matches!(code, 1001 | 1003 | 1008 | 1009 | 1012..);
        let is_wrong = match end {
            _ if is_echo && !self.echoes.starts_with(received) => {
                return Some("sent back another message".to_owned());
            }
            End::Pong => !self.may_go_on,
            End::Close(Some(code), _) if is_choice(code) => false,
            // After a close frame, right or wrong, every code ends the connection.
            End::Close(..) if self.closes => false,
            End::Close(Some(code), _) if !is_legal => !self.codes.contains(code),
            End::Close(..) | End::HungUp if !is_legal => false,
            End::HungUp if self.has_rest => false,
            // The application may have ended it.
            End::Close(None | Some(1000 | 1011), _) | End::HungUp => is_echo || !self.has_data,
            _ => true,
        };
        is_wrong.then(|| match end {
            End::Close(Some(code), _) => format!("closed with {code}"),
            end => end.sentence(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Head;
    use crate::progress::Progress;
    use crate::tools::dissect::{Outcome, walk};
    use crate::tools::test::cases::Request;
    use crate::tools::test::session::KEY;
    use crate::websocket::{Config, Opcode, ServerHandshake, WebSocket};
    use std::collections::BTreeSet;

    #[test]
    fn sequences_depend_on_seed_and_number_alone() {
        let sequence = |seed, number| Sequence::new(seed, number, &[1, 2], &[]);
        assert_eq!(sequence(1, 5), sequence(1, 5));
        assert_ne!(sequence(1, 5), sequence(2, 5));
        assert_ne!(sequence(1, 5), sequence(1, 6));
    }

    #[test]
    fn demands_break_every_rule_and_agree_with_parlor() {
        let mut rules = BTreeSet::new();
        for number in 0..1_000 {
            let sequence = Sequence::new(7, number, &[1, 2], &[]);
            let demand = sequence.demand();
            let mut end = End::Pong;
            for step in walk(&sequence.bytes(), WebSocket::server(1 << 20)) {
                match step.outcome {
                    Outcome::Broken(it) => end = End::Close(Some(it.rule().code.get()), "".into()),
                    Outcome::Whole(Opcode::Close, _) => end = End::Close(None, "".into()),
                    _ => {}
                }
            }
            assert_eq!(demand.fault(&end, &[], false), None, "{sequence:?}");
            assert_eq!(demand.rule == LEGAL, demand.codes.is_empty());
            rules.insert(demand.rule);
        }
        assert_eq!(rules.len(), 13, "{rules:?}");
    }

    #[test]
    fn faults_are_found_and_free_answers_are_none() {
        let sequence = |frames: &[(u8, &[u8])]| {
            let frame =
                |(first, payload): &(u8, &[u8])| Frame::new(*first, Some([1; 4]), payload.to_vec());
            let frames = frames.iter().map(frame).collect();
            Sequence {
                frames,
                ..Sequence::default()
            }
        };
        let close = |code| End::Close(Some(code), String::new());
        let nothing = || End::Nothing(std::time::Duration::ZERO);
        let (ping, text) = (sequence(&[(0x89, b"")]), sequence(&[(0x81, b"a")]));
        let (reserved, late) = (sequence(&[(0xd1, b"a")]), sequence(&[(0x01, b"\xff")]));
        let closed = sequence(&[(0x88, b"\x03\xe8"), (0x81, b"a")]);
        let begun = sequence(&[(0x02, b"a"), (0x89, b"")]);
        let closing = sequence(&[(0x88, b"\x03\xe8")]);
        for (sequence, end, is_echo, is_fault) in [
            (&ping, End::Pong, true, false),
            (&ping, End::HungUp, false, true),
            (&ping, close(1002), false, true),
            (&text, close(1003), true, false),
            (&text, close(1007), false, true),
            (&text, End::HungUp, true, true),
            (&text, End::HungUp, false, false),
            (&begun, End::HungUp, false, false),
            (&text, nothing(), false, true),
            (&reserved, close(1002), true, false),
            (&reserved, End::HungUp, true, false),
            (&reserved, close(1000), true, true),
            (&reserved, End::Pong, true, true),
            (&reserved, nothing(), true, true),
            (&late, End::Pong, true, false),
            (&late, close(1007), true, false),
            (&late, close(1002), true, true),
            (&closing, close(1001), true, false),
            (&closing, End::HungUp, true, true),
            (&closed, End::HungUp, true, false),
        ] {
            let fault = sequence.demand().fault(&end, &[], is_echo);
            assert_eq!(fault.is_some(), is_fault, "{sequence:?}: {end:?}");
        }
        let other = [(1, b"b".to_vec())];
        assert!(text.demand().fault(&End::Pong, &other, true).is_some());
    }

    #[test]
    fn failing_sequence_is_shrunk_to_the_frame_that_fails() {
        // The planted fault: a server that accepts unmasked pings.
        let fails = |sequence: &Sequence| {
            let is_planted = |frame: &Frame| frame.first_byte == 0x89 && frame.key.is_none();
            sequence.frames.iter().any(is_planted)
        };
        let sequence = (0..).map(|number| Sequence::new(1, number, &[1, 2], &[]));
        let sequence = sequence
            .into_iter()
            .find(|one| one.frames.len() > 8 && fails(one));
        let shrunk = sequence.expect("a sequence that fails").shrink(1000, fails);
        let frames = vec![Frame::new(0x89, None, Vec::new())];
        assert_eq!(
            shrunk,
            Sequence {
                frames,
                ..Sequence::default()
            }
        );
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
