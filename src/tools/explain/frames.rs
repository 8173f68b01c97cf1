//! `parlor explain frames`: a stream of bytes frame by frame, up to the first broken rule.

use crate::cli::args::Arguments;
use crate::text::{EscapedText, Hex, parse_hex};
use crate::tools::dissect::{Outcome, Step, plural, shortened, walk};
use crate::tools::terminal::{Style, Terminal};
use crate::tools::tool::Failure;
use crate::websocket::{CloseCode, DeflateParameters, Opcode, Rule, WebSocket};
use serde_json::{Value, json};
use std::ffi::OsStr;

/// The longest message, inflated too: a decompression bomb could take all memory.
const MESSAGE_BYTES: usize = 256 << 20;
/// The bytes of a binary message, the characters of a text, and the bytes in a row that are shown.
const SHOWN_BYTES: usize = 48;
const SHOWN_CHARS: usize = 400;
const ROW_BYTES: usize = 8;

/// A server ignores such frames, so there is no `Violation` for them.
const DATA_AFTER_CLOSE: Rule = Rule {
    code: CloseCode::PROTOCOL_ERROR,
    section: "RFC 6455 5.5.1",
    sentence: "no data frame may follow a close frame",
    reason: "RFC 6455 5.5.1: no data frame may follow a close frame",
};

fn broken_rule(step: &Step) -> Option<Rule> {
    let mut header = step.frame.decoded().into_iter();
    match step.outcome {
        Outcome::Broken(violation) => Some(violation.rule()),
        Outcome::Unread if header.any(|header| !header.opcode.is_control()) => {
            Some(DATA_AFTER_CLOSE)
        }
        _ => None,
    }
}

pub(super) fn explain(
    given: &Arguments,
    mut bytes: Vec<u8>,
    is_hex: bool,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let (is_json, has_deflate) = (given.has("json"), given.has("deflate"));
    let mut source = "";
    // No valid frame begins with an ASCII digit or a letter from a to f.
    let text = str::from_utf8(&bytes).ok().filter(|_| !is_hex);
    if let Some(parsed) = text.and_then(|text| parse_hex(text).ok()) {
        (bytes, source) = (parsed, "; the digits were read as bytes");
    }
    if bytes.is_empty() {
        return Err(Failure::wrong("there are no bytes to explain"));
    }
    let is_masked = bytes.get(1).is_some_and(|byte| byte & 0x80 != 0);
    const GUESSED: &str = ", according to the first one's MASK bit";
    let (from_client, guess) = match given.value("from").map(OsStr::to_str) {
        None | Some(Some("auto")) => (is_masked, GUESSED),
        Some(Some("client")) => (true, ""),
        Some(Some("server")) => (false, ""),
        _ => return Err(Failure::wrong("--from must be client, server or auto")),
    };
    if !is_json {
        let sender = if from_client { "client" } else { "server" };
        let line = format!("Frames of a {sender}{guess}{source}.");
        terminal.styled(Style::Faint, &line);
    }
    Ok(explain_from(
        &bytes,
        from_client,
        has_deflate,
        is_json,
        terminal,
    ))
}

/// Explains the frames of a client or server. `false`: a rule is broken.
pub(crate) fn explain_from(
    bytes: &[u8],
    from_client: bool,
    has_deflate: bool,
    is_json: bool,
    terminal: &mut Terminal<'_>,
) -> bool {
    let (receiver, websocket) = match from_client {
        true => ("server", WebSocket::server(MESSAGE_BYTES)),
        false => ("client", WebSocket::client(MESSAGE_BYTES, || [0; 4])),
    };
    let websocket = websocket.with_deflate(has_deflate.then(DeflateParameters::default));
    let (mut frames, mut is_incomplete, mut message_goes_on) = (0, false, false);
    let mut broken = None;
    for step in walk(bytes, websocket) {
        frames += 1;
        is_incomplete = step.outcome == Outcome::Unfinished;
        message_goes_on = match step.outcome {
            Outcome::Fragment => true,
            Outcome::Whole(opcode, _) if !opcode.is_control() => false,
            _ => message_goes_on,
        };
        let rule = broken_rule(&step);
        if is_json {
            terminal.line(&in_json(frames, &step, rule).to_string());
        } else {
            show(frames, &step, &bytes[step.at..], rule, terminal);
        }
        if let Some(rule) = rule {
            let end = step.at + step.frame.header_bytes + step.frame.payload.len();
            broken = Some((rule, bytes.len() - end));
            break;
        }
    }
    if is_json {
        return broken.is_none();
    }
    terminal.line("");
    let Some((rule, rest)) = broken else {
        let valid = format!("{}, all legal.", plural(frames, "frame"));
        terminal.styled(Style::Right, &valid);
        if is_incomplete {
            terminal.line("The last frame is incomplete; more bytes may follow.");
        }
        if message_goes_on {
            let line = "The last message has not ended: a frame with FIN must follow";
            terminal.line(&format!("{line} (RFC 6455 §5.4)."));
        }
        return true;
    };
    let line = format!("Frame {frames} breaks a rule: {}.", rule.reason);
    terminal.styled(Style::Wrong, &line);
    let code = named(rule.code);
    terminal.line(&format!(
        "The {receiver} closes with {code} (RFC 6455 §7.1.7)."
    ));
    if rest > 0 {
        let rest = plural(rest as u64, "byte");
        terminal.line(&format!("{rest} after it: ignored."));
    }
    false
}

fn named(code: CloseCode) -> String {
    format!(
        "{}, {}",
        code.get(),
        crate::tools::dissect::code_name(code.get())
    )
}

fn in_json(number: u64, step: &Step, broken: Option<Rule>) -> Value {
    let outcome = match &step.outcome {
        _ if broken.is_some() => "broken",
        Outcome::Whole(opcode, _) if opcode.is_control() => "control",
        Outcome::Whole(..) => "message",
        outcome => outcome.name(),
    };
    // A complete message is put together and inflated. Of a close frame it is the reason.
    let text = match &step.outcome {
        Outcome::Whole(Opcode::Text | Opcode::Close, bytes) => str::from_utf8(bytes).ok(),
        _ => None,
    };
    let rule = |rule: Rule| {
        let (code, section, sentence) = (rule.code.get(), rule.section, rule.sentence);
        json!({ "code": code, "section": section, "rule": sentence })
    };
    let mut line = json!(step.frame);
    line["frame"] = number.into();
    line["at"] = step.at.into();
    line["outcome"] = outcome.into();
    line["text"] = text.into();
    line["broken"] = broken.map(rule).into();
    line["answer"] = Hex(&step.answer).to_string().into();
    line
}

/// Prints a frame for a person. `bytes` begin with it.
fn show(number: u64, step: &Step, bytes: &[u8], rule: Option<Rule>, terminal: &mut Terminal<'_>) {
    let frame = &step.frame;
    terminal.line("");
    let title = format!("Frame {number}, at byte {}: {}", step.at, frame.title());
    terminal.styled(Style::Strong, &title);
    let (mut shown_to, mut bit) = (0, 0);
    for (number, field) in frame.fields.iter().enumerate() {
        let (mut place, mut hex, mut bits) = (String::new(), String::new(), String::new());
        // Several fields share each of the first two bytes, which is shown with the first of them.
        if field.from >= shown_to {
            place = field.from.to_string();
            hex = shortened(&bytes[field.from..field.to], ROW_BYTES);
            bit = 0;
        }
        if (1..8).contains(&field.bits.len()) {
            bits = format!("{}{:.<rest$}", ".".repeat(bit), field.bits, rest = 8 - bit);
            bits.insert(4, ' ');
        }
        let columns = [&place, &hex, &bits, field.name, &field.meaning];
        show_row(Style::Part(number), columns, terminal);
        (shown_to, bit) = (field.to, bit + field.bits.len());
    }
    let key = frame.decoded().and_then(|header| header.masking_key);
    if key.is_some() && !frame.payload.is_empty() {
        let hex = shortened(&frame.payload, ROW_BYTES);
        let style = Style::Part(frame.fields.len() - 1);
        show_row(style, ["", &hex, "", "unmasked", ""], terminal);
    }
    let (style, outcome) = match rule {
        Some(rule) => (
            Style::Wrong,
            format!("broken: {} ({})", rule.reason, rule.code.get()),
        ),
        None => (Style::Right, outcome(step)),
    };
    terminal.line(&format!("  {}", terminal.paint(style, &outcome)));
}

/// Prints the columns of one field: place, bytes, bits, name, meaning.
fn show_row(style: Style, columns: [&str; 5], terminal: &mut Terminal<'_>) {
    let [place, hex, bits, name, meaning] = columns;
    let hex = terminal.paint(style, &format!("{hex:25}"));
    let bits = terminal.paint(style, &format!("{bits:9}"));
    let name = terminal.paint(style, &format!("{name:23}"));
    let line = format!("{place:>6}  {hex}  {bits}  {name}  {meaning}");
    terminal.line(line.trim_end());
}

/// Returns the result of a valid frame for the receiver, as a sentence.
fn outcome(step: &Step) -> String {
    let frame = &step.frame;
    let bytes = match &step.outcome {
        Outcome::Whole(_, bytes) => bytes.as_slice(),
        _ => &[],
    };
    let count = plural(bytes.len() as u64, "byte");
    match step.outcome {
        Outcome::Fragment => "a fragment; the message goes on".to_owned(),
        Outcome::Unfinished => match frame.frame_bytes() {
            Some(length) => {
                let received = frame.header_bytes + frame.payload.len();
                let missing = plural(length - received as u64, "byte");
                format!("incomplete: {missing} missing")
            }
            None => "incomplete: more of the header must follow".to_owned(),
        },
        Outcome::Whole(Opcode::Text, _) => {
            let text = String::from_utf8_lossy(bytes);
            let shown: String = text.chars().take(SHOWN_CHARS).collect();
            let more = if shown.len() < text.len() { " …" } else { "" };
            format!("a text message: \"{}{more}\"", EscapedText(&shown))
        }
        Outcome::Whole(Opcode::Ping, _) => {
            format!("a ping; needs a pong with the same {count} (RFC 6455 §5.5.2)")
        }
        Outcome::Whole(Opcode::Pong, _) => format!("a pong with {count}"),
        Outcome::Whole(Opcode::Close, _) => {
            let close = frame.close_frame().and_then(Result::ok);
            match close.and_then(|close| Some((named(close.code?), close.reason))) {
                Some((code, reason)) => format!("a close: {code}: \"{}\"", EscapedText(reason)),
                None => "a close without a code".to_owned(),
            }
        }
        Outcome::Whole(..) => {
            let shown = shortened(bytes, SHOWN_BYTES);
            format!("a binary message of {count}: {shown}")
        }
        Outcome::Unread => "it follows a close frame and is ignored".to_owned(),
        Outcome::Broken(violation) => violation.rule().reason.to_owned(),
    }
}
