//! `parlor explain frames`: a stream of bytes frame by frame, up to the first broken
//! rule.

use crate::text::{EscapedText, Hex, parse_hex};
use crate::tools::Failure;
use crate::tools::dissect::{Outcome, Step, plural, shortened, walk};
use crate::tools::terminal::{Style, Terminal};
use crate::websocket::{CloseCode, CloseFrame, DeflateParameters, Opcode, WebSocket};
use serde::Serialize;

/// The longest message, inflated too: a decompression bomb could take all memory.
const MESSAGE_BYTES: usize = 256 << 20;
/// The bytes of a binary message, the characters of a text, and the bytes in a row that are shown.
const SHOWN_BYTES: usize = 48;
const SHOWN_CHARS: usize = 400;
const ROW_BYTES: usize = 8;

/// The options of the command line.
pub(super) struct Options {
    /// The bytes were given in hexadecimal.
    pub(super) is_hex: bool,
    pub(super) is_json: bool,
    pub(super) has_deflate: bool,
    /// Whether a client sent the frames. `None`: if the first one is masked.
    pub(super) from_client: Option<bool>,
}

/// A broken rule.
#[derive(Clone, Copy, Serialize)]
struct Broken {
    code: u16,
    section: &'static str,
    rule: &'static str,
}

impl Broken {
    fn by(step: &Step) -> Option<Self> {
        let header = step.frame.decoded();
        match step.outcome {
            Outcome::Broken(violation) => Some(Self {
                code: violation.rule().code.get(),
                section: violation.rule().section,
                rule: violation.rule().sentence,
            }),
            // A server ignores these frames, so there is no `Violation` for them.
            Outcome::Unread if header.is_some_and(|header| !header.opcode.is_control()) => {
                Some(Self {
                    code: CloseCode::PROTOCOL_ERROR.get(),
                    section: "RFC 6455 5.5.1",
                    rule: "no data frame may follow a close frame",
                })
            }
            _ => None,
        }
    }
}

/// Explains the frames. `false`: a rule is broken.
pub(super) fn explain(
    options: &Options,
    bytes: &[u8],
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    // No valid frame begins with an ASCII digit or a letter from a to f.
    let text = str::from_utf8(bytes).ok().filter(|_| !options.is_hex);
    let parsed = text.and_then(|text| parse_hex(text).ok());
    let bytes = parsed.as_deref().unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(Failure::wrong("there are no bytes to explain"));
    }
    let is_masked = bytes.get(1).is_some_and(|byte| byte & 0x80 != 0);
    let (sender, receiver, websocket) = match options.from_client.unwrap_or(is_masked) {
        true => ("client", "server", WebSocket::server(MESSAGE_BYTES)),
        false => (
            "server",
            "client",
            WebSocket::client(MESSAGE_BYTES, || [0; 4]),
        ),
    };
    let websocket = websocket.with_deflate(options.has_deflate.then(DeflateParameters::default));
    if !options.is_json {
        let guess = match options.from_client {
            Some(_) => "",
            None => ", according to the first one's MASK bit",
        };
        let digits = parsed
            .as_ref()
            .map_or("", |_| "; the digits were read as bytes");
        let line = format!("Frames of a {sender}{guess}{digits}.");
        terminal.line(&terminal.paint(Style::Faint, &line));
    }
    let (mut frames, mut broken, mut end) = (0, None, 0);
    let (mut is_incomplete, mut message_goes_on) = (false, false);
    for step in walk(bytes, websocket) {
        frames += 1;
        broken = Broken::by(&step);
        end = step.at + step.frame.header_bytes + step.frame.payload.len();
        is_incomplete = step.outcome == Outcome::Unfinished;
        message_goes_on = match step.outcome {
            Outcome::Fragment => true,
            Outcome::Whole(opcode, _) if !opcode.is_control() => false,
            _ => message_goes_on,
        };
        if options.is_json {
            terminal.line(&json(frames, &step, broken)?);
        } else {
            show(frames, &step, bytes, terminal);
        }
        if broken.is_some() {
            break;
        }
    }
    if options.is_json {
        return Ok(broken.is_none());
    }
    terminal.line("");
    let Some(Broken {
        code,
        section,
        rule,
    }) = broken
    else {
        let valid = format!("{}, all legal.", plural(frames, "frame"));
        terminal.line(&terminal.paint(Style::Right, &valid));
        if is_incomplete {
            terminal.line("The last frame is incomplete; more bytes may follow.");
        }
        if message_goes_on {
            terminal.line(
                "The last message has not ended: a frame with FIN must follow (RFC 6455 §5.4).",
            );
        }
        return Ok(true);
    };
    let line = format!("Frame {frames} breaks a rule: {section}: {rule}.");
    terminal.line(&terminal.paint(Style::Wrong, &line));
    let name = CloseCode::name_of(code);
    terminal.line(&format!(
        "The {receiver} closes with {code}, {name} (RFC 6455 §7.1.7)."
    ));
    if end < bytes.len() {
        let rest = plural((bytes.len() - end) as u64, "byte");
        terminal.line(&format!("{rest} after it: ignored."));
    }
    Ok(false)
}

/// Returns a line of `--json`.
fn json(number: u64, step: &Step, broken: Option<Broken>) -> Result<String, Failure> {
    let outcome = match &step.outcome {
        _ if broken.is_some() => "broken",
        Outcome::Fragment => "fragment",
        Outcome::Unfinished => "unfinished",
        Outcome::Whole(opcode, _) if opcode.is_control() => "control",
        Outcome::Whole(..) => "message",
        Outcome::Broken(_) => "broken",
        Outcome::Unread => "unread",
    };
    // A complete message is put together and inflated. Of a close frame it is the reason.
    let text = match &step.outcome {
        Outcome::Whole(Opcode::Text | Opcode::Close, bytes) => str::from_utf8(bytes).ok(),
        _ => None,
    };
    let mut line = serde_json::to_value(&step.frame).map_err(Failure::failed)?;
    line["frame"] = number.into();
    line["at"] = step.at.into();
    line["outcome"] = outcome.into();
    line["text"] = text.into();
    line["broken"] = serde_json::to_value(broken).map_err(Failure::failed)?;
    line["answer"] = Hex(&step.answer).to_string().into();
    Ok(line.to_string())
}

/// Prints a frame for a person.
fn show(number: u64, step: &Step, bytes: &[u8], terminal: &mut Terminal<'_>) {
    let (frame, bytes) = (&step.frame, &bytes[step.at..]);
    terminal.line("");
    let title = format!("Frame {number}, at byte {}: {}", step.at, frame.title());
    terminal.line(&terminal.paint(Style::Strong, &title));
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
    let is_masked = frame
        .decoded()
        .is_some_and(|header| header.masking_key.is_some());
    if is_masked && !frame.payload.is_empty() {
        let hex = shortened(&frame.payload, ROW_BYTES);
        let style = Style::Part(frame.fields.len() - 1);
        show_row(style, ["", &hex, "", "unmasked", ""], terminal);
    }
    let (style, outcome) = match Broken::by(step) {
        Some(Broken {
            code,
            section,
            rule,
        }) => (Style::Wrong, format!("broken: {section}: {rule} ({code})")),
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

/// Says what the receiver makes of a frame that breaks no rule.
fn outcome(step: &Step) -> String {
    let count = |bytes: &[u8]| plural(bytes.len() as u64, "byte");
    match &step.outcome {
        Outcome::Fragment => "a fragment; the message goes on".to_owned(),
        Outcome::Unfinished => match step.frame.frame_bytes() {
            Some(length) => {
                let received = step.frame.header_bytes + step.frame.payload.len();
                format!(
                    "incomplete: {} missing",
                    plural(length - received as u64, "byte")
                )
            }
            None => "incomplete: more of the header must follow".to_owned(),
        },
        Outcome::Whole(Opcode::Text, bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let shown: String = text.chars().take(SHOWN_CHARS).collect();
            let more = if shown.len() < text.len() { " …" } else { "" };
            format!("a text message: \"{}{more}\"", EscapedText(&shown))
        }
        Outcome::Whole(Opcode::Ping, bytes) => {
            format!(
                "a ping; needs a pong with the same {} (RFC 6455 §5.5.2)",
                count(bytes)
            )
        }
        Outcome::Whole(Opcode::Pong, bytes) => format!("a pong with {}", count(bytes)),
        Outcome::Whole(Opcode::Close, _) => match step.frame.close_frame() {
            Some(Ok(CloseFrame {
                code: Some(code),
                reason,
            })) => {
                let (code, name) = (code.get(), CloseCode::name_of(code.get()));
                format!("a close: {code}, {name}: \"{}\"", EscapedText(reason))
            }
            _ => "a close without a code".to_owned(),
        },
        Outcome::Whole(_, bytes) => {
            format!(
                "a binary message of {}: {}",
                count(bytes),
                shortened(bytes, SHOWN_BYTES)
            )
        }
        Outcome::Unread => "it follows a close frame and is ignored".to_owned(),
        Outcome::Broken(violation) => violation.rule().reason.to_owned(),
    }
}
