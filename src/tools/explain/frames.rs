//! `parlor explain frames`: a stream of bytes, frame by frame, to its end or to the first broken
//! rule.
//!
//! Not here: what a frame is (`tools::dissect`, which asks the decoder), where the bytes come
//! from (`explain`).

use super::Asked;
use crate::text::EscapedText;
use crate::text::{Hex, parse_hex};
use crate::tools::Failure;
use crate::tools::dissect::{Dissection, Outcome, Step, walk};
use crate::tools::terminal::{Style, Terminal};
use crate::websocket::{CloseCode, CloseFrame, DeflateParameters, Opcode, WebSocket};

/// A longer message is too big, for an inflated one too: a bomb would else take all memory.
const MESSAGE_BYTES: usize = 256 << 20;
/// What is shown of a long payload.
const SHOWN_BYTES: usize = 48;
const SHOWN_CHARS: usize = 400;
const BYTES_IN_A_ROW: usize = 8;
/// What stands behind a close frame. The machine passes it over, as a server does, so it has no
/// violation of its own.
const AFTER_CLOSE: &str = "RFC 6455 5.5.1: no data frame may follow a close frame";

/// Explains them. `false`: a rule is broken.
pub(super) fn explain(
    asked: &Asked,
    bytes: &[u8],
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    // No frame begins like the digits of one: in ASCII those are reserved bits or unknown opcodes.
    let digits = str::from_utf8(bytes)
        .ok()
        .filter(|_| asked.hex.is_none())
        .and_then(|text| parse_hex(text).ok());
    let (bytes, was_hex) = digits
        .as_deref()
        .map_or((bytes, false), |bytes| (bytes, true));
    if bytes.is_empty() {
        return Err(Failure::wrong("there are no bytes to explain".to_owned()));
    }
    let first = Dissection::of(bytes);
    let is_masked = first
        .fields
        .iter()
        .any(|field| field.name == "MASK" && field.bits == "1");
    let from_client = asked.from_client.unwrap_or(is_masked);
    // What a client sends is received by the server's end.
    let websocket = if from_client {
        WebSocket::server(MESSAGE_BYTES)
    } else {
        WebSocket::client(MESSAGE_BYTES, || [0; 4])
    };
    let websocket = websocket.with_deflate(asked.has_deflate.then(DeflateParameters::default));
    let sender = if from_client { "client" } else { "server" };
    if !asked.is_json {
        let by = if asked.from_client.is_some() {
            ""
        } else {
            ", as the first one's MASK bit says"
        };
        let read = if was_hex {
            "; the digits were read as bytes"
        } else {
            ""
        };
        terminal.line(&terminal.paint(Style::Faint, &format!("Frames of a {sender}{by}{read}.")));
    }
    let (mut end, mut frames, mut broken, mut is_open, mut message_goes_on) =
        (0, 0, None, false, false);
    for step in walk(bytes, websocket) {
        frames += 1;
        end = step.at
            + step
                .frame
                .frame_bytes()
                .map_or(step.frame.header_bytes, |_| {
                    step.frame.header_bytes + step.frame.payload.len()
                });
        broken = broken_rule(&step);
        is_open = step.outcome == Outcome::Unfinished;
        message_goes_on = match step.outcome {
            Outcome::Fragment => true,
            Outcome::Whole(opcode, _) if !opcode.is_control() => false,
            _ => message_goes_on,
        };
        if asked.is_json {
            let line = serde_json::to_string(&Line::of(frames, &step, broken.as_ref()));
            terminal.line(&line.map_err(|error| Failure::failed(error.to_string()))?);
        } else {
            show(frames, &step, bytes, terminal);
        }
        if broken.is_some() {
            break;
        }
    }
    if !asked.is_json {
        terminal.line("");
        let notes = Notes {
            frames,
            sender,
            is_open,
            message_goes_on,
            rest_bytes: bytes.len() - end,
        };
        verdict(broken.as_ref(), &notes, terminal);
    }
    Ok(broken.is_none())
}

/// A rule that a frame breaks: the close code, and the sentence with its section.
fn broken_rule(step: &Step) -> Option<(u16, &'static str)> {
    let header = step.frame.header.ok().flatten();
    match step.outcome {
        Outcome::Broken(violation) => Some((violation.rule().code.get(), violation.rule().reason)),
        Outcome::Unread if header.is_some_and(|header| !header.opcode.is_control()) => {
            Some((CloseCode::PROTOCOL_ERROR.get(), AFTER_CLOSE))
        }
        _ => None,
    }
}

/// One line of `--json`.
#[derive(serde::Serialize)]
struct Line<'a> {
    frame: usize,
    at: usize,
    #[serde(flatten)]
    dissection: &'a Dissection,
    outcome: &'static str,
    /// Of a message that is whole, put together and inflated, and of a close: the text.
    text: Option<&'a str>,
    broken: Option<Broken>,
    /// What the receiver answers by itself.
    answer: String,
}

#[derive(serde::Serialize)]
struct Broken {
    code: u16,
    section: &'static str,
    rule: &'static str,
}

impl<'a> Line<'a> {
    fn of(frame: usize, step: &'a Step, broken: Option<&(u16, &'static str)>) -> Self {
        let outcome = match &step.outcome {
            _ if broken.is_some() => "broken",
            Outcome::Fragment => "fragment",
            Outcome::Unfinished => "unfinished",
            Outcome::Whole(opcode, _) if opcode.is_control() => "control",
            Outcome::Whole(..) => "message",
            Outcome::Broken(_) => "broken",
            Outcome::Unread => "unread",
        };
        let text = match &step.outcome {
            Outcome::Whole(Opcode::Text | Opcode::Close, bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        };
        let broken = broken.map(|(code, rule)| {
            let (section, rule) = rule.split_once(": ").unwrap_or(("", rule));
            Broken {
                code: *code,
                section,
                rule,
            }
        });
        Self {
            frame,
            at: step.at,
            dissection: &step.frame,
            outcome,
            text,
            broken,
            answer: Hex(&step.answer).to_string(),
        }
    }
}

/// A frame for a person.
fn show(number: usize, step: &Step, bytes: &[u8], terminal: &mut Terminal<'_>) {
    terminal.line("");
    terminal.line(&terminal.paint(
        Style::Strong,
        &format!(
            "Frame {number}, at byte {}: {}",
            step.at,
            step.frame.title()
        ),
    ));
    let (mut shown_to, mut bit) = (0, 0);
    for (number, field) in step.frame.fields.iter().enumerate() {
        // Several fields share each of the first two bytes, which is shown with the first of them.
        let is_first = field.from >= shown_to;
        bit = if is_first { 0 } else { bit };
        let (place, own) = match is_first {
            true => (
                field.from.to_string(),
                shortened(
                    &bytes[step.at + field.from..step.at + field.to],
                    BYTES_IN_A_ROW,
                ),
            ),
            false => (String::new(), String::new()),
        };
        let bits = if field.bits.len() < 8 && !field.bits.is_empty() {
            placed(bit, &field.bits)
        } else {
            String::new()
        };
        row(
            terminal,
            Style::Part(number),
            [&place, &own, &bits, field.name, &field.meaning],
        );
        (shown_to, bit) = (field.to, bit + field.bits.len());
    }
    let is_masked = step
        .frame
        .header
        .ok()
        .flatten()
        .is_some_and(|header| header.masking_key.is_some());
    if is_masked && !step.frame.payload.is_empty() {
        let last = Style::Part(step.frame.fields.len() - 1);
        row(
            terminal,
            last,
            [
                "",
                &shortened(&step.frame.payload, BYTES_IN_A_ROW),
                "",
                "unmasked",
                "",
            ],
        );
    }
    let (style, says) = outcome(step);
    terminal.line(&format!("  {}", terminal.paint(style, &says)));
}

/// Where it stands, its bytes, its bits, its name, what it says.
fn row(terminal: &mut Terminal<'_>, style: Style, [place, own, bits, name, meaning]: [&str; 5]) {
    let (own, bits) = (
        terminal.paint(style, &format!("{own:25}")),
        terminal.paint(style, &format!("{bits:9}")),
    );
    let name = terminal.paint(style, &format!("{name:23}"));
    let line = format!("{place:>6}  {own}  {bits}  {name}  {meaning}");
    terminal.line(line.trim_end());
}

/// `..0. ....`: some bits at their place in their byte.
fn placed(before: usize, bits: &str) -> String {
    let mut text = format!("{}{bits}", ".".repeat(before));
    text.push_str(&".".repeat(8_usize.saturating_sub(text.len())));
    format!("{} {}", &text[..4], &text[4..])
}

fn shortened(bytes: &[u8], most: usize) -> String {
    let more = if bytes.len() > most { " …" } else { "" };
    format!("{}{more}", Hex(&bytes[..bytes.len().min(most)]))
}

/// What a frame comes to.
fn outcome(step: &Step) -> (Style, String) {
    if let Some((code, rule)) = broken_rule(step) {
        return (Style::Wrong, format!("broken: {rule} ({code})"));
    }
    let says = match &step.outcome {
        Outcome::Fragment => "a fragment of a message, which goes on".to_owned(),
        Outcome::Unfinished => match step.frame.frame_bytes() {
            Some(length) => {
                let missing = length - (step.frame.header_bytes + step.frame.payload.len()) as u64;
                format!("not whole: {} of it have not come", plural(missing, "byte"))
            }
            None => "not whole: more of the header has to come".to_owned(),
        },
        Outcome::Whole(Opcode::Text, bytes) => format!("a text message: \"{}\"", quoted(bytes)),
        Outcome::Whole(Opcode::Ping, bytes) => {
            format!(
                "a ping; a pong with the same {} is due (RFC 6455 §5.5.2)",
                plural(bytes.len(), "byte")
            )
        }
        Outcome::Whole(Opcode::Pong, bytes) => {
            format!("a pong with {}", plural(bytes.len(), "byte"))
        }
        Outcome::Whole(Opcode::Close, _) => match step.frame.close_frame() {
            Some(Ok(CloseFrame {
                code: Some(code),
                reason,
            })) => {
                format!(
                    "a close: {}, {}: \"{}\"",
                    code.get(),
                    CloseCode::name_of(code.get()),
                    EscapedText(reason)
                )
            }
            _ => "a close without a code".to_owned(),
        },
        Outcome::Whole(_, bytes) => format!(
            "a binary message of {}: {}",
            plural(bytes.len(), "byte"),
            shortened(bytes, SHOWN_BYTES)
        ),
        Outcome::Unread => "it stands behind a close frame, and nobody reads it".to_owned(),
        Outcome::Broken(_) => String::new(),
    };
    (Style::Right, says)
}

/// The beginning of a text, fit for a terminal.
fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let end = text
        .char_indices()
        .nth(SHOWN_CHARS)
        .map_or(text.len(), |(end, _)| end);
    format!(
        "{}{}",
        EscapedText(&text[..end]),
        if end < text.len() { " …" } else { "" }
    )
}

fn plural(count: impl TryInto<u64>, word: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// What the last lines tell.
struct Notes {
    frames: usize,
    sender: &'static str,
    is_open: bool,
    message_goes_on: bool,
    rest_bytes: usize,
}

fn verdict(broken: Option<&(u16, &str)>, notes: &Notes, terminal: &mut Terminal<'_>) {
    let Some((code, rule)) = broken else {
        let text = format!("{}, all legal.", plural(notes.frames, "frame"));
        terminal.line(&terminal.paint(Style::Right, &text));
        if notes.is_open {
            terminal.line("The last one is not whole, which is not wrong: it may still come.");
        }
        if notes.message_goes_on {
            terminal.line("The last message has not ended: a frame with FIN is still to come (RFC 6455 §5.4).");
        }
        return;
    };
    terminal.line(&terminal.paint(
        Style::Wrong,
        &format!("Frame {} breaks a rule: {rule}.", notes.frames),
    ));
    let receiver = if notes.sender == "client" {
        "server"
    } else {
        "client"
    };
    terminal.line(&format!(
        "The {receiver} closes with {code}, {} (RFC 6455 §7.1.7).",
        CloseCode::name_of(*code)
    ));
    if notes.rest_bytes > 0 {
        terminal.line(&format!(
            "{} behind it were not looked at.",
            plural(notes.rest_bytes, "byte")
        ));
    }
}
