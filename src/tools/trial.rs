//! The command `try`: frames made by hand go through a fresh copy of the server's own code.
//!
//! A page can't send an invalid frame itself, and one would end its connection. So the frames come
//! as hex, and nothing is kept.

use super::dissect::{Outcome, Step, walk};
use crate::chat::error::CommandError;
use crate::limits::{TRACE_FRAME_BYTES, TRY_FRAMES};
use crate::text::{Hex, parse_hex};
use crate::websocket::{DeflateParameters, WebSocket};
use serde::Deserialize;
use serde_json::{Value, json};

/// The bytes of a message that are shown.
const SHOWN_BYTES: usize = 1 << 10;

/// The fields of the command `try`.
#[derive(Deserialize)]
struct Fields {
    frames: String,
    role: Option<Role>,
    deflate: Option<bool>,
    limit: Option<usize>,
}

/// The end that sends the frames.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Role {
    Client,
    Server,
}

/// Runs the command and returns the answer, `tried`. Messages have at most `message_bytes`.
pub(super) fn answer(json: &str, message_bytes: usize) -> Result<Value, CommandError> {
    const WRONG: &str = "try needs frames (1 to 4096 bytes, each as two hexadecimal digits), and \
                         takes role (client or server), deflate (true or false) and limit (a \
                         number)";
    let wrong = CommandError::bad_field(WRONG);
    let Ok(fields) = serde_json::from_str::<Fields>(json) else {
        return Err(wrong);
    };
    let bytes = parse_hex(&fields.frames).unwrap_or_default();
    if !(1..=TRACE_FRAME_BYTES).contains(&bytes.len()) {
        return Err(wrong);
    }
    let limit = fields.limit.unwrap_or(usize::MAX).min(message_bytes);
    let machine = match fields.role {
        // The answer is shown, so the masking key is one that is easily undone.
        Some(Role::Server) => WebSocket::client(limit, || [0; 4]),
        _ => WebSocket::server(limit),
    };
    let deflate = fields.deflate == Some(true);
    let machine = machine.with_deflate(deflate.then(DeflateParameters::default));
    let mut walk = walk(&bytes, machine);
    let steps = walk.by_ref().take(TRY_FRAMES);
    let steps: Vec<_> = steps.map(|step| show(step, &bytes)).collect();
    // Further frames are not looked at.
    Ok(json!({ "type": "tried", "steps": steps, "more": walk.next().is_some() }))
}

fn show(step: Step, bytes: &[u8]) -> Value {
    let mut shown = json!({
        "at": step.at,
        "bytes": Hex(&bytes[step.at..step.at + step.length]).to_string(),
        "frame": step.frame,
        "outcome": step.outcome.name(),
        "answer": Hex(&step.answer).to_string(),
    });
    match step.outcome {
        Outcome::Whole(opcode, payload) => {
            let start = Hex(payload.get(..SHOWN_BYTES).unwrap_or(&payload)).to_string();
            let (opcode, length) = (opcode.name(), payload.len());
            shown["message"] = json!({ "opcode": opcode, "length": length, "bytes": start });
        }
        Outcome::Broken(violation) => {
            let rule = violation.rule();
            let (code, section, sentence) = (rule.code.get(), rule.section, rule.sentence);
            let rule = json!({ "code": code, "section": section, "sentence": sentence });
            shown["violation"] = rule;
        }
        Outcome::Fragment | Outcome::Unfinished | Outcome::Unread => {}
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(hex: &str, deflate: bool, limit: Option<usize>) -> Value {
        let json = serde_json::json!({"frames": hex, "deflate": deflate, "limit": limit});
        answer(&json.to_string(), 1 << 16).expect("an answer")
    }

    #[test]
    fn trial_with_wrong_fields_is_refused() {
        let long = "00".repeat(TRACE_FRAME_BYTES + 1);
        let frames = ["", "8", "xy", &long].map(|frames| format!(r#"{{"frames":"{frames}"}}"#));
        let fields = [r#""role":"both""#, r#""limit":-1"#, r#""deflate":1"#]
            .map(|field| format!(r#"{{"frames":"00",{field}}}"#));
        for json in frames.iter().chain(&fields) {
            let parsed = answer(json, 1 << 16);
            assert_eq!(parsed.unwrap_err().code, "bad_field", "{json:.60}");
        }
    }

    #[test]
    fn trial_has_limits() {
        let long = outcome("81 85 37 fa 21 3d 7f 9f 4d 51 58", false, Some(4));
        assert_eq!(long["steps"][0]["violation"]["code"], 1009);
        for (frames, more) in [(TRY_FRAMES, false), (TRY_FRAMES + 1, true)] {
            let tried = outcome(&"8a 80 00 00 00 00 ".repeat(frames), false, None);
            assert_eq!(tried["steps"].as_array().map(Vec::len), Some(TRY_FRAMES));
            assert_eq!(tried["more"], more);
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn trial_inflates_compressed_messages() {
        // RFC 7692 §7.2.3.1: "Hello".
        let tried = outcome("c1 87 00 00 00 00 f2 48 cd c9 c9 07 00", true, None);
        assert_eq!(tried["steps"][0]["message"]["bytes"], "48 65 6c 6c 6f");
    }
}
