//! The command `try`: frames made by hand are given to a fresh machine of the server's own code.
//!
//! A page can't send a wrong frame itself, and a wrong one would end its connection. So the frames
//! come as hex, and nothing of the machine is kept.

use super::dissect::{Dissection, Outcome, Step, walk};
use crate::chat::command::RequestId;
use crate::chat::error::CommandError;
use crate::limits::{TRACE_FRAME_BYTES, TRY_FRAMES};
use crate::text::{Hex, parse_hex};
use crate::websocket::{DeflateParameters, WebSocket};
use serde::{Deserialize, Serialize};

/// How many bytes of a message are shown.
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
    pub(super) fn parse(json: &str, message_bytes: usize) -> Result<Self, CommandError> {
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
                    limit: fields.limit.unwrap_or(usize::MAX).min(message_bytes),
                })
        });
        parsed.ok_or(CommandError::BadField(WRONG))
    }
}

/// The answer.
#[derive(Serialize)]
pub(super) struct Tried {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    steps: Vec<ShownStep>,
    /// There are further frames that were not looked at.
    more: bool,
}

/// One frame, and what the machine made of it.
#[derive(Serialize)]
struct ShownStep {
    at: usize,
    bytes: String,
    frame: Dissection,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<ShownMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<ShownViolation>,
    answer: String,
}

#[derive(Serialize)]
struct ShownMessage {
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

impl Trial {
    /// Runs the frames through a machine.
    pub(super) fn run(&self, id: Option<RequestId>) -> Tried {
        let machine = match self.role {
            // The answer is shown, so the masking key is one that is easily undone.
            Role::Server => WebSocket::client(self.limit, || [0; 4]),
            Role::Client => WebSocket::server(self.limit),
        };
        let machine = machine.with_deflate(self.deflate.then(DeflateParameters::default));
        let mut walk = walk(&self.frames, machine);
        let steps = walk.by_ref().take(TRY_FRAMES);
        Tried {
            r#type: "tried",
            id: id.map(|id| id.0),
            steps: steps.map(|step| show(step, &self.frames)).collect(),
            more: walk.next().is_some(),
        }
    }
}

fn show(step: Step, frames: &[u8]) -> ShownStep {
    let rest = &frames[step.at..];
    // Where a frame with a wrong header ends is unknown.
    let length = step.frame.frame_bytes();
    let end = length.map_or(rest.len(), |length| length.min(rest.len() as u64) as usize);
    let (mut message, mut violation) = (None, None);
    let outcome = match step.outcome {
        Outcome::Fragment => "fragment",
        Outcome::Unfinished => "unfinished",
        Outcome::Unread => "unread",
        Outcome::Whole(opcode, bytes) => {
            message = Some(ShownMessage {
                opcode: opcode.name(),
                length: bytes.len(),
                bytes: Hex(&bytes[..bytes.len().min(SHOWN_BYTES)]).to_string(),
            });
            "whole"
        }
        Outcome::Broken(broken) => {
            let rule = broken.rule();
            violation = Some(ShownViolation {
                code: rule.code.get(),
                section: rule.section,
                sentence: rule.sentence,
            });
            "broken"
        }
    };
    ShownStep {
        at: step.at,
        bytes: Hex(&rest[..end]).to_string(),
        frame: step.frame,
        outcome,
        message,
        violation,
        answer: Hex(&step.answer).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn outcome(hex: &str, from_server: bool, deflate: bool, limit: Option<usize>) -> Value {
        let role = if from_server { "server" } else { "client" };
        let json = serde_json::json!({"type": "try", "frames": hex, "role": role, "deflate": deflate, "limit": limit});
        let trial = Trial::parse(&json.to_string(), 1 << 16).expect("a trial");
        serde_json::to_value(trial.run(Some(RequestId(7)))).expect("JSON")
    }

    #[test]
    fn trial_with_wrong_fields_is_refused() {
        let long = "00".repeat(TRACE_FRAME_BYTES + 1);
        let frames = ["", "8", "xy", &long].map(|frames| format!(r#"{{"frames":"{frames}"}}"#));
        let fields = [r#""role":"both""#, r#""limit":-1"#, r#""deflate":1"#]
            .map(|field| format!(r#"{{"frames":"00",{field}}}"#));
        for json in frames.iter().chain(&fields) {
            let parsed = Trial::parse(json, 1 << 16);
            assert!(
                matches!(parsed, Err(CommandError::BadField(_))),
                "{json:.60}"
            );
        }
    }

    #[test]
    fn trial_names_the_broken_rule_and_its_section() {
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
    fn trial_has_limits() {
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
    fn trial_inflates_compressed_messages() {
        // RFC 7692 §7.2.3.1: "Hello".
        let tried = outcome("c1 87 00 00 00 00 f2 48 cd c9 c9 07 00", false, true, None);
        assert_eq!(
            tried["steps"][0]["message"]["bytes"], "48 65 6c 6c 6f",
            "{tried}"
        );
    }
}
