//! The cases, as data: each is an input for a server and what the standard demands of the answer.
//!
//! In `cases.txt` a line that begins with `#` gives section, severity, expectation and demand of
//! the lines after it, each of which is a name and an input:
//!
//! ```text
//! # RFC 6455 §5.2 | security | 1002 | a reserved bit that no extension defines must …
//! rsv2-continuation | 01:Hel a0:lo
//! # RFC 9112 §3.2 | security | refused | a request must have exactly one Host header
//! host-twice | + Host: elsewhere.example
//! ```
//!
//! A name that is a number is that of the same case of the Autobahn test suite. Rows that differ
//! only in a value are one line: after ` @` and the first number, if it is not 1, come the values,
//! or the name of a list of them, a line that begins with `=`. In the input `@` is the value, and
//! `@1` and `@2` are its parts. The grammar of inputs is that of [`Request::edit`] and
//! [`Script::parse`].

use super::compressor::Compressor;
use super::model::{Frame, Message};
use crate::random::Random;
use crate::websocket::accept;
use std::collections::HashMap;
use std::num::NonZero;

/// An input with a number from this one on is played alone.
const MANY: usize = 2_000;
/// Repeated frames of more bytes are sent one after another, and not made at once.
const LONG_BYTES: usize = 1 << 20;
/// The key of every masked frame (RFC 6455 §5.7).
const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What it means if a server does something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The standard leaves it open. Counts only with `--strict`.
    Informational,
    /// A rule without a consequence that is known.
    Pedantic,
    /// Correct clients can fail.
    Interoperability,
    /// An attacker gains something.
    Security,
}

impl Severity {
    /// Every severity with its word, the lowest first.
    pub const WORDS: [(Self, &'static str); 4] = [
        (Self::Informational, "informational"),
        (Self::Pedantic, "pedantic"),
        (Self::Interoperability, "interoperability"),
        (Self::Security, "security"),
    ];

    /// Parses the word of a severity.
    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(severity, _)| *severity)
    }

    /// Returns the word of the severity.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize].1
    }
}

/// The answer that a case demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The opening handshake is refused with a status from 400 on.
    Refused,
    /// The opening handshake succeeds, and no extension is chosen.
    Opened,
    /// The connection fails, with one of these codes.
    Fails(Vec<u16>),
    /// Messages are echoed, pings are answered, and the connection goes on.
    GoesOn,
    /// Our close frame is answered, with one of these codes or without one.
    Closes(Vec<u16>),
    /// The connection goes on or fails, and the server accepts another one.
    Survives,
    /// The server ends the connection in time.
    Ends,
    /// The masking key of each frame differs from that of the frame before it.
    NewKeys,
}

impl Expected {
    fn parse(words: &str) -> Option<Self> {
        let codes = words.trim_start_matches("closes ").split(' ');
        let codes = codes
            .map(|code| code.parse().ok())
            .collect::<Option<Vec<u16>>>();
        Some(match words {
            "refused" => Self::Refused,
            "opened" => Self::Opened,
            "goes on" => Self::GoesOn,
            "survives" => Self::Survives,
            "ends" => Self::Ends,
            "new keys" => Self::NewKeys,
            words if words.starts_with("closes ") => Self::Closes(codes?),
            _ => Self::Fails(codes?),
        })
    }
}

/// One case of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name for `--case`: words, or the number of a case of Autobahn.
    pub name: String,
    /// The section of the standard.
    pub section: String,
    /// What a different answer means.
    pub severity: Severity,
    /// The answer that the section demands.
    pub expected: Expected,
    /// The behavior that the section demands of a server, in one sentence.
    pub demand: String,
    /// The input, in the grammar of the table.
    pub input: String,
}

/// Returns every case for servers, in the order of the table.
pub fn all() -> Vec<Case> {
    parse(include_str!("cases.txt")).unwrap_or_default()
}

/// Returns every case for clients: those of the table that fit, and those of its own.
pub(super) fn for_clients() -> Vec<Case> {
    let mut cases = all();
    cases.retain(|case| {
        let is_of_server = case.input.contains("raw:") || case.offer().is_some();
        let goes_elsewhere = case.is_of_handshake() || case.is_long();
        !is_of_server && !goes_elsewhere && case.expected != Expected::Survives
    });
    cases.extend(parse(include_str!("clients.txt")).unwrap_or_default());
    cases
}

/// Parses a table. `Err` holds the wrong line.
pub(super) fn parse(table: &str) -> Result<Vec<Case>, &str> {
    let (mut head, mut lists, mut cases) = (None, HashMap::new(), Vec::new());
    for line in table.lines() {
        if let Some(list) = line.strip_prefix("= ") {
            lists.extend(list.split_once(' '));
            continue;
        }
        let columns: Vec<_> = line.trim_start_matches("# ").split(" | ").collect();
        match (&columns[..], &head) {
            ([section, severity, expected, demand], _) => {
                let severity = Severity::parse(severity).ok_or(line)?;
                head = Some((*section, severity, *expected, *demand));
            }
            ([name, input], Some((section, severity, expected, demand))) => {
                for (name, value) in expand(name, &lists) {
                    let (first, second) = value.split_once('/').unwrap_or((value, ""));
                    // A row without values may contain `@`.
                    let fill = |text: &str| match value {
                        "" => text.to_owned(),
                        _ => {
                            let text = text.replace("@1", first).replace("@2", second);
                            text.replace('@', value)
                        }
                    };
                    cases.push(Case {
                        name,
                        section: (*section).to_owned(),
                        severity: *severity,
                        expected: Expected::parse(&fill(expected)).ok_or(line)?,
                        demand: (*demand).to_owned(),
                        input: fill(input),
                    });
                }
            }
            _ => return Err(line),
        }
    }
    Ok(cases)
}

/// Returns the names of a row, each with its value.
fn expand<'a>(name: &'a str, lists: &HashMap<&str, &'a str>) -> Vec<(String, &'a str)> {
    let Some((name, values)) = name.split_once(" @") else {
        return vec![(name.to_owned(), "")];
    };
    let (start, values) = values.split_once(' ').unwrap_or((values, ""));
    let values = lists.get(start).unwrap_or(&values);
    let numbers = start.parse().unwrap_or(1)..;
    let rows = numbers.zip(values.split(' '));
    rows.map(|(number, value): (u32, _)| (format!("{name}{number}"), value))
        .collect()
}

impl Case {
    /// Returns the number of the case in the Autobahn test suite.
    pub fn number(&self) -> Option<&str> {
        let is_number = self.name.starts_with(|c: char| c.is_ascii_digit());
        is_number.then_some(self.name.as_str())
    }

    /// Returns whether the input is an opening handshake.
    pub fn is_of_handshake(&self) -> bool {
        let is_of_handshake = [Expected::Refused, Expected::Opened, Expected::Ends];
        is_of_handshake.contains(&self.expected) || self.input.starts_with(['+', '-'])
    }

    /// Returns whether the input is long, or has many frames.
    pub(super) fn is_long(&self) -> bool {
        let parts = self.input.split(['{', '}', '*', ' ', '=']);
        let largest = parts.filter_map(|part| part.parse().ok()).max();
        self.input.contains("bomb=") || largest.unwrap_or(0) >= MANY
    }

    /// Returns the offer of compression, if the input begins with one.
    pub(super) fn offer(&self) -> Option<String> {
        let word = self.input.split(' ').next()?;
        Some(word.strip_prefix("offer=")?.replace(';', "; "))
    }
}

fn is_header(line: &[u8], name: &str) -> bool {
    let start = line.split(|byte| *byte == b':').next();
    start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
}

/// The request of an opening handshake (RFC 6455 §1.2), or the response to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    target: String,
    /// The first line and the headers.
    pub(super) lines: Vec<Vec<u8>>,
    end: &'static str,
    /// The length of the pieces in which it is sent, in bytes.
    pub(super) chop: usize,
}

impl Request {
    /// Creates a valid request, with this value of `Sec-WebSocket-Key`.
    pub fn new(host: &str, target: &str, key: &str) -> Self {
        let lines = format!(
            "GET {target} HTTP/1.1\nHost: {host}\nUpgrade: websocket\nConnection: Upgrade\n\
             Sec-WebSocket-Key: {key}\nSec-WebSocket-Version: 13"
        );
        Self::of(target, &lines)
    }

    /// Creates, instead of a request, a valid response to one with this key (RFC 6455 §1.3).
    pub(super) fn response(key: &str) -> Self {
        let lines = format!(
            "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n\
             Sec-WebSocket-Accept: {}",
            accept(key)
        );
        Self::of("", &lines)
    }

    fn of(target: &str, lines: &str) -> Self {
        Self {
            target: target.to_owned(),
            lines: lines.lines().map(Vec::from).collect(),
            end: "\r\n\r\n",
            chop: usize::MAX,
        }
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.lines.push(format!("{name}: {value}").into());
    }

    /// Applies the input of a case. Its parts are separated by ` & `: `- Name` leaves a header out,
    /// `+ Name: value` adds one (`N*+` N times), `unfinished` leaves the end out, `chop=N` sends
    /// it in pieces of N bytes, and any other is the first line, with `{target}` for the path.
    pub fn edit(&mut self, input: &str) {
        for part in input.split(" & ").filter(|part| !part.is_empty()) {
            let (times, header) = part.split_once("*+ ").unwrap_or(("1", part));
            let header = header.trim_start_matches("+ ");
            if let Some(name) = part.strip_prefix("- ") {
                self.lines.retain(|line| !is_header(line, name));
            } else if header.len() < part.len() {
                let times = times.parse().unwrap_or(1);
                self.lines
                    .extend(std::iter::repeat_n(unescape(header), times));
            } else if part == "unfinished" {
                self.end = "\r\n";
            } else if let Some(length) = part.strip_prefix("chop=") {
                self.chop = length.parse().map_or(usize::MAX, NonZero::get);
            } else {
                self.lines[0] = unescape(&part.replace("{target}", &self.target));
            }
        }
    }

    /// Returns the bytes of the request.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.lines.join(&b"\r\n"[..]), self.end.as_bytes()].concat()
    }
}

/// Decodes `\xNN`, and `c{N}`, which is N times the byte c; `ab{N:2}` repeats two bytes.
fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let escape = match first {
            '{' => rest[1..].split_once('}'),
            '\\' if rest.starts_with("\\x") => rest[2..].split_at_checked(2),
            _ => None,
        };
        let Some((digits, after)) = escape else {
            bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = after;
        if first == '\\' {
            bytes.push(u8::from_str_radix(digits, 16).unwrap_or_default());
        } else {
            let (count, width) = digits.split_once(':').unwrap_or((digits, "1"));
            let start = bytes.len().saturating_sub(width.parse().unwrap_or(1));
            let last = bytes.split_off(start);
            bytes.extend(last.repeat(count.parse().unwrap_or(1)));
        }
    }
    bytes
}

/// One step of a case after the opening handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends these bytes in pieces of at most N bytes, M times.
    Send(Vec<u8>, usize, usize),
    /// Waits for an answer, or a moment if there is none.
    Wait,
    /// Waits until N answers have arrived.
    Answers(usize),
    /// Reads nothing for a while, but sends.
    Deaf,
    /// Ends the connection without a close frame.
    HangUp,
}

/// The input of a case on an open connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The input, in order.
    pub steps: Vec<Step>,
    /// The echoes and pongs to be received, each with its opcode, before the first broken rule.
    pub answers: Vec<Message>,
}

impl Script {
    /// Parses an input: words in the order in which they take effect.
    ///
    /// | word | meaning |
    /// | --- | --- |
    /// | `81:Hello` | a masked frame with this first byte and payload; `3*` before it repeats it |
    /// | `81/0005:Hello` | the same with this length, of 4 or 16 hexadecimal digits |
    /// | `raw:\x81\x00` | bytes as they are |
    /// | `!` | a rule is broken from here on, so no more answers are expected |
    /// | `wait` | a pause |
    /// | `deaf` | from here on, nothing is read for a while |
    /// | `hangup` | the connection is ended without a close frame |
    /// | `sync` | from here on, each frame is sent on its own, and not together with the next |
    /// | `answers` | waits for the answers to what was sent |
    /// | `chop=N` | from here on, frames are sent in pieces of N bytes |
    /// | `slow=N` | the same, with a pause after each |
    /// | `frag=N` | from here on, messages are cut into fragments of N bytes |
    /// | `offer=…` | compression is offered, with these parameters; it must come first |
    /// | `load=json,16,9` | 9 messages of 16 bytes, each after the echo of the last one |
    /// | `bomb=N` | a compressed message of N MiB |
    /// | `LIMIT` | the shortest power of two that is too long for a message |
    pub fn parse(input: &str) -> Option<Self> {
        Self::parse_with(&input.replace("LIMIT", "131072"), None, true, true)
    }

    /// Parses an input. `compressor` compresses messages of `load` and `bomb`; a server that does
    /// not echo gets only one of them. `masks`: the frames are those of a client.
    pub(super) fn parse_with(
        input: &str,
        mut compressor: Option<&mut Compressor>,
        is_echo: bool,
        masks: bool,
    ) -> Option<Self> {
        let (mut script, mut chop, mut fragment) = (Self::default(), usize::MAX, usize::MAX);
        let (mut is_valid, mut is_synced, mut is_slow, mut message) = (true, false, false, None);
        for word in input.split(' ').filter(|word| !word.is_empty()) {
            match word.split_once(['=', ':']).unwrap_or((word, "")) {
                ("!", _) => is_valid = false,
                ("sync", _) => is_synced = true,
                ("deaf", _) => script.steps.push(Step::Deaf),
                ("hangup", _) => script.steps.push(Step::HangUp),
                ("wait", _) => script.steps.push(Step::Wait),
                ("answers", _) => script.steps.push(Step::Answers(script.answers.len())),
                ("chop" | "slow", number) => {
                    is_slow = word.starts_with("slow");
                    chop = number.parse().map(NonZero::get).ok()?;
                }
                ("frag", "") => {}
                ("frag", number) => fragment = number.parse().map(NonZero::get).ok()?,
                ("offer", _) => {}
                ("raw", bytes) => script.steps.push(Step::Send(unescape(bytes), chop, 1)),
                ("bomb", number) => {
                    let zeros = vec![0; 1 << 20];
                    let block = compressor.as_mut().map(|it| it.compress(&zeros));
                    let block = [block.unwrap_or_default(), vec![0, 0, 0xff, 0xff]].concat();
                    let bomb = frame(0xc2, block.repeat(number.parse().ok()?), masks);
                    script.steps.push(Step::Send(bomb.bytes(), chop, 1));
                }
                ("load", parameters) => {
                    let mut parameters = parameters.split(',');
                    let (kind, size) = (parameters.next()?, parameters.next()?.parse().ok()?);
                    let count: u64 = parameters.next()?.parse().ok()?;
                    for seed in 1..=if is_echo { count } else { 1 } {
                        let (first, payload) = data(kind, size, seed);
                        let compressed = compressor.as_mut().map(|it| it.compress(&payload));
                        let frames = match &compressed {
                            Some(payload) => fragments(first | 0x40, payload, fragment, masks),
                            None => fragments(first, &payload, fragment, masks),
                        };
                        script.steps.push(Step::Send(bytes(&frames), chop, 1));
                        script.answers.push((first & 0x0f, payload));
                        script.steps.push(Step::Answers(script.answers.len()));
                    }
                }
                (head, payload) => {
                    let (times, head) = head.split_once('*').unwrap_or(("1", head));
                    let (first, length) = head.split_once('/').unwrap_or((head, ""));
                    let first = u8::from_str_radix(first, 16).ok()?;
                    let payload = unescape(payload);
                    let mut frames = fragments(first, &payload, fragment, masks);
                    if !length.is_empty() {
                        frames[0].form = 4 * length.len() as u8;
                        frames[0].announced = u64::from_str_radix(length, 16).ok()?;
                    }
                    let bytes = bytes(&frames);
                    let times: usize = times.parse().ok()?;
                    match script.steps.last_mut() {
                        _ if is_slow => {
                            script.steps.extend(bytes.chunks(chop).flat_map(|piece| {
                                [Step::Send(piece.to_vec(), chop, 1), Step::Wait]
                            }))
                        }
                        _ if times * bytes.len() > LONG_BYTES => {
                            script.steps.push(Step::Send(bytes, chop, times));
                        }
                        Some(Step::Send(last, before, 1)) if *before == chop && !is_synced => {
                            last.extend(bytes.repeat(times));
                        }
                        _ => script.steps.push(Step::Send(bytes.repeat(times), chop, 1)),
                    }
                    let answers = (0..times).filter_map(|_| answer(first, &payload, &mut message));
                    script.answers.extend(answers.filter(|_| is_valid));
                }
            }
        }
        Some(script)
    }

    /// Returns all bytes that are sent.
    pub fn bytes(&self) -> Vec<u8> {
        let sent = self.steps.iter().map(|step| match step {
            Step::Send(bytes, _, times) => bytes.repeat(*times),
            _ => Vec::new(),
        });
        sent.collect::<Vec<_>>().concat()
    }
}

/// Returns the answer that a valid frame completes. `message` is the one that has begun.
fn answer(first: u8, payload: &[u8], message: &mut Option<Message>) -> Option<Message> {
    let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
    match opcode {
        0x9 => return Some((0xa, payload.to_vec())),
        0x0 => message.as_mut()?.1.extend_from_slice(payload),
        0x1 | 0x2 => *message = Some((opcode, payload.to_vec())),
        _ => return None,
    }
    message.take_if(|_| is_last)
}

/// Returns the first byte and the payload of a message of this kind, of about as much redundancy as
/// the files of Autobahn's sections 12 and 13.
fn data(kind: &str, size: usize, seed: u64) -> (u8, Vec<u8>) {
    #[rustfmt::skip]
    let (first, words) = match kind {
        "json" => (0x81, r#"{"id":_"name":"_"tags":[_],"active":true,_},{"_"_null,_0.5,_":"#),
        "html" => (0x81,
            r#"<div class="_">_</div>_<p>_</p>_<a href="/_<td>_</td></tr>_&nbsp;_the "#),
        "prose" => (0x82,
            "Habe _nun, _ach! _Philosophie, _Juristerei _und _Medizin _leider _auch_\n"),
        "picture" => (0x82, "\x10\x11_\x12\x13_\x14\x14_\x20_\x21_\x22\x23_\x10\x10\x10"),
        "text" => (0x81, "*"),
        _ => (0x82, "\x7e"),
    };
    let words: Vec<_> = words.split('_').collect();
    let (mut payload, mut random) = (Vec::with_capacity(size + 32), Random::new(seed));
    while payload.len() < size {
        match kind {
            "noise" => payload.push(random.number() as u8),
            _ => payload.extend_from_slice(random.pick(&words).as_bytes()),
        }
        if words.len() > 1 && random.below(5) == 0 {
            payload.extend_from_slice(random.below(1000).to_string().as_bytes());
        }
    }
    payload.truncate(size);
    (first, payload)
}

/// Makes a frame, or several fragments. The last one is shorter than the others, and can be empty.
fn fragments(first: u8, payload: &[u8], most: usize, masks: bool) -> Vec<Frame> {
    if payload.len() < most || first & 0x08 != 0 {
        return vec![frame(first, payload.to_vec(), masks)];
    }
    let last = payload.len() / most;
    let fragment = |index: usize| {
        let opcode = if index == 0 { first & 0x7f } else { 0x00 };
        let fin = if index == last { 0x80 } else { 0x00 };
        let end = payload.len().min((index + 1) * most);
        frame(fin | opcode, payload[index * most..end].to_vec(), masks)
    };
    (0..=last).map(fragment).collect()
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

/// Makes a frame with this first byte, which is FIN, RSV and opcode, valid or not.
pub(super) fn frame(first: u8, payload: Vec<u8>, masks: bool) -> Frame {
    Frame::new(first, masks.then_some(MASKING_KEY), payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::dissect::{Outcome, walk};
    use crate::websocket::{DeflateParameters, WebSocket};
    use std::collections::BTreeSet;

    #[test]
    fn tables_are_valid_and_have_autobahns_numbers() {
        let cases = parse(include_str!("cases.txt")).expect("a valid table");
        let names: BTreeSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "a name is there twice");
        let numbers: BTreeSet<_> = cases.iter().filter_map(Case::number).collect();
        let autobahn = include_str!("../../../tests/autobahn/expected.json").lines();
        assert_eq!(
            numbers,
            autobahn.filter_map(|line| line.split('"').nth(1)).collect()
        );
        let clients = parse(include_str!("clients.txt")).expect("a valid table");
        for case in cases
            .iter()
            .chain(&clients)
            .filter(|case| !case.is_of_handshake())
        {
            assert!(
                case.is_long() || Script::parse(&case.input).is_some(),
                "{}",
                case.input
            );
        }
    }

    #[test]
    fn cases_break_exactly_the_rules_that_they_name() {
        let is_fast = |case: &&Case| !case.is_long() && !case.input.contains("load=");
        for case in all()
            .iter()
            .filter(is_fast)
            .filter(|case| !case.is_of_handshake())
        {
            let script = Script::parse(&case.input).expect("a valid input");
            let deflate = case.offer().map(|_| DeflateParameters::default());
            let machine = WebSocket::server(1 << 20).with_deflate(deflate);
            let broken = walk(&script.bytes(), machine).find_map(|step| match step.outcome {
                Outcome::Broken(violation) => Some(violation.rule().code.get()),
                _ => None,
            });
            match (&case.expected, broken) {
                (Expected::Fails(codes), Some(code)) => assert!(codes.contains(&code), "{case:?}"),
                (Expected::Fails(_), None) => panic!("nothing is wrong: {case:?}"),
                (Expected::Closes(_), Some(_)) if case.severity == Severity::Informational => {}
                (_, broken) => assert_eq!(broken, None, "{case:?}"),
            }
        }
    }

    #[test]
    fn inputs_are_decoded() {
        assert_eq!(unescape("a\\x00b{3}ä"), b"a\0bbb\xc3\xa4");
        assert_eq!(unescape("\\x0d\\x0a{2:2}c{0}"), b"\r\n\r\n");
        let script = Script::parse("01:a 89:b frag=2 80:cde ! 89:f").expect("valid");
        let answers = [(0xa, b"b".to_vec()), (0x1, b"acde".to_vec())];
        assert_eq!(script.answers, answers);
    }
}
