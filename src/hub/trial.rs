//! Frames made by hand: the command `try` gives them to a fresh machine of the server's own code,
//! and tells what it makes of them.
//!
//! A page can't send a wrong frame itself, and a wrong one would end its connection. So they come
//! as hex, are walked over by
//! [`dissect::walk`], and leave no trace: the machine is gone with the answer.
//!
//! Not here: the machine (`websocket::connection`), what the command may ask (`chat::json`).

use crate::chat::command::RequestId;
use crate::chat::error::CommandError;
use crate::limits::{Limits, TRACE_FRAME_BYTES, TRY_FRAMES};
use crate::text::{Hex, parse_hex};
use crate::tools::dissect::{Dissection, Outcome, Step, walk};
use crate::websocket::{DeflateParameters, Opcode, WebSocket};
use serde::{Deserialize, Serialize};

/// Of what a message is put together to, so many bytes are shown.
const SHOWN_BYTES: usize = 1 << 10;

/// The fields of the command `try`.
#[derive(Deserialize)]
struct Fields {
    frames: String,
    role: Option<Role>,
    deflate: Option<bool>,
    limit: Option<usize>,
}

/// Which end sends the frames.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Role {
    Client,
    Server,
}

/// A parsed `try`.
pub(super) struct Trial {
    frames: Vec<u8>,
    role: Role,
    deflate: bool,
    limit: usize,
}

impl Trial {
    /// Parses the command's JSON.
    pub(super) fn parse(json: &str, limits: &Limits) -> Result<Self, CommandError> {
        const WRONG: &str = "try needs frames (1 to 4096 bytes, each as two hexadecimal digits), \
             and takes role (client or server), deflate (true or false) and limit (a number)";
        let parsed = serde_json::from_str(json).ok().and_then(|fields: Fields| {
            let frames = parse_hex(&fields.frames).ok()?;
            (1..=TRACE_FRAME_BYTES)
                .contains(&frames.len())
                .then_some(Self {
                    frames,
                    role: fields.role.unwrap_or(Role::Client),
                    deflate: fields.deflate.unwrap_or(false),
                    limit: fields.limit.unwrap_or(usize::MAX).min(limits.message_bytes),
                })
        });
        parsed.ok_or(CommandError::BadField(WRONG))
    }
}

#[derive(Serialize)]
struct Tried {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    steps: Vec<ShownStep>,
    /// There are frames behind them that were not looked at.
    more: bool,
}

#[derive(Serialize)]
struct ShownStep {
    at: usize,
    bytes: String,
    frame: Dissection,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<ShownViolation>,
    answer: String,
}

#[derive(Serialize)]
struct Message {
    opcode: &'static str,
    length: usize,
    bytes: String,
}

#[derive(Serialize)]
struct ShownViolation {
    code: u16,
    section: &'static str,
    sentence: &'static str,
}

/// Appends the event that answers a trial.
pub(super) fn tried(trial: &Trial, id: Option<RequestId>, out: &mut Vec<u8>) {
    let machine = match trial.role {
        // It is seen what it would answer, so its masking key is one that is easily undone.
        Role::Server => WebSocket::client(trial.limit, || [0; 4]),
        Role::Client => WebSocket::server(trial.limit),
    };
    let machine = machine.with_deflate(trial.deflate.then(DeflateParameters::default));
    let mut walk = walk(&trial.frames, machine);
    let steps: Vec<_> = walk
        .by_ref()
        .take(TRY_FRAMES)
        .map(|step| shown(step, &trial.frames))
        .collect();
    let tried = Tried {
        r#type: "tried",
        id: id.map(|id| id.0),
        steps,
        more: walk.next().is_some(),
    };
    let written = serde_json::to_writer(out, &tried);
    debug_assert!(written.is_ok(), "{written:?}");
}

fn shown(step: Step, frames: &[u8]) -> ShownStep {
    let Step {
        at,
        frame,
        outcome,
        answer,
    } = step;
    let rest = &frames[at..];
    // Of a frame with a wrong header nobody knows where it ends.
    let end = frame
        .frame_bytes()
        .map_or(rest.len(), |length| length.min(rest.len() as u64) as usize);
    let (word, message, violation) = match outcome {
        Outcome::Fragment => ("fragment", None, None),
        Outcome::Unfinished => ("unfinished", None, None),
        Outcome::Unread => ("unread", None, None),
        Outcome::Whole(opcode, bytes) => ("whole", Some(message(opcode, &bytes)), None),
        Outcome::Broken(violation) => {
            let rule = violation.rule();
            (
                "broken",
                None,
                Some(ShownViolation {
                    code: rule.code.get(),
                    section: rule.section,
                    sentence: rule.sentence,
                }),
            )
        }
    };
    ShownStep {
        at,
        bytes: Hex(&rest[..end]).to_string(),
        frame,
        outcome: word,
        message,
        violation,
        answer: Hex(&answer).to_string(),
    }
}

fn message(opcode: Opcode, bytes: &[u8]) -> Message {
    Message {
        opcode: opcode.name(),
        length: bytes.len(),
        bytes: Hex(&bytes[..bytes.len().min(SHOWN_BYTES)]).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn outcome(hex: &str, from_server: bool, deflate: bool, limit: Option<usize>) -> Value {
        let role = if from_server { "server" } else { "client" };
        let json = serde_json::json!({"type": "try", "frames": hex, "role": role, "deflate": deflate, "limit": limit});
        let trial = Trial::parse(&json.to_string(), &Limits::DEFAULT).expect("a trial");
        let mut out = Vec::new();
        tried(&trial, Some(RequestId(7)), &mut out);
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn trial_with_wrong_fields_is_refused() {
        let long = "00".repeat(TRACE_FRAME_BYTES + 1);
        let frames = ["", "8", "xy", &long].map(|frames| format!(r#"{{"frames":"{frames}"}}"#));
        let fields = [r#""role":"both""#, r#""limit":-1"#, r#""deflate":1"#]
            .map(|field| format!(r#"{{"frames":"00",{field}}}"#));
        for json in frames.iter().chain(&fields) {
            let parsed = Trial::parse(json, &Limits::DEFAULT);
            assert!(
                matches!(parsed, Err(CommandError::BadField(_))),
                "{json:.60}"
            );
        }
    }

    #[test]
    fn each_broken_rule_is_named_with_its_section() {
        let table = [
            (
                "a message",
                "81 85 37 fa 21 3d 7f 9f 4d 51 58",
                false,
                "whole",
                "",
            ),
            (
                "unmasked",
                "81 05 48 65 6c 6c 6f",
                false,
                "broken",
                "RFC 6455 5.1",
            ),
            (
                "the same from a server",
                "81 05 48 65 6c 6c 6f",
                true,
                "whole",
                "",
            ),
            (
                "masked by a server",
                "81 80 00 00 00 00",
                true,
                "broken",
                "RFC 6455 5.1",
            ),
            (
                "a reserved bit",
                "c1 80 00 00 00 00",
                false,
                "broken",
                "RFC 6455 5.2",
            ),
            (
                "bad UTF-8",
                "81 81 00 00 00 00 ff",
                false,
                "broken",
                "RFC 6455 8.1",
            ),
            (
                "a fragmented ping",
                "09 80 00 00 00 00",
                false,
                "broken",
                "RFC 6455 5.5",
            ),
            (
                "a long ping",
                "89 fe 00 7e 00 00 00 00",
                false,
                "broken",
                "RFC 6455 5.5",
            ),
            ("half a frame", "81 85 37", false, "unfinished", ""),
            ("a fragment", "01 80 00 00 00 00", false, "fragment", ""),
        ];
        for (name, hex, from_server, expected, section) in table {
            let tried = outcome(hex, from_server, false, None);
            let step = &tried["steps"][0];
            assert_eq!(
                (step["outcome"].as_str(), tried["id"].as_u64()),
                (Some(expected), Some(7)),
                "{name}: {tried}"
            );
            assert_eq!(
                step["violation"]["section"].as_str().unwrap_or_default(),
                section,
                "{name}"
            );
            assert_eq!(
                step["answer"]
                    .as_str()
                    .is_some_and(|answer| answer.starts_with("88")),
                expected == "broken",
                "{name}"
            );
        }
    }

    #[test]
    fn limits_and_many_frames() {
        let long = outcome("81 85 37 fa 21 3d 7f 9f 4d 51 58", false, false, Some(4));
        assert_eq!(long["steps"][0]["violation"]["code"], 1009);
        let many = outcome(
            &"8a 80 00 00 00 00 ".repeat(TRY_FRAMES + 1),
            false,
            false,
            None,
        );
        assert_eq!(
            (
                many["steps"].as_array().map(Vec::len),
                many["more"].as_bool()
            ),
            (Some(TRY_FRAMES), Some(true))
        );
        let last = outcome(&"8a 80 00 00 00 00 ".repeat(TRY_FRAMES), false, false, None);
        assert_eq!(last["more"], false);
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn what_is_compressed_is_inflated() {
        // RFC 7692 §7.2.3.1: "Hello".
        let tried = outcome("c1 87 00 00 00 00 f2 48 cd c9 c9 07 00", false, true, None);
        assert_eq!(
            tried["steps"][0]["message"]["bytes"], "48 65 6c 6c 6f",
            "{tried}"
        );
    }
}
