//! The commands of the wire view as JSON: `trace`, and `try`, which has frames as hex.
//!
//! Not here: what becomes of them (`hub::trace`, `hub::trial`).

use super::command::{Command, Trial};
use super::error::CommandError;
use super::json::{Fields, flag, number, required, string};
use crate::hex;
use crate::limits::TRACE_FRAME_BYTES;

pub(super) fn trace(fields: &Fields<'_>) -> Result<Command, CommandError> {
    Ok(Command::Trace {
        on: flag(fields.on, "on must be true or false")?.unwrap_or(true),
    })
}

pub(super) fn trial(fields: &Fields<'_>) -> Result<Command, CommandError> {
    const FRAMES: &str = "frames must be 1 to 4096 bytes, each as two hexadecimal digits";
    const LIMIT: &str = "limit must be an unsigned integer below 2^53";
    const ROLE: &str = "role must be client or server: whose frames these are";
    let frames = hex::parse(&required(fields.frames, FRAMES)?)
        .map_err(|_| CommandError::BadField(FRAMES))?;
    if frames.is_empty() || frames.len() > TRACE_FRAME_BYTES {
        return Err(CommandError::BadField(FRAMES));
    }
    let from_server = match string(fields.role, ROLE)?.as_deref() {
        None | Some("client") => false,
        Some("server") => true,
        Some(_) => return Err(CommandError::BadField(ROLE)),
    };
    let limit =
        number(fields.limit, LIMIT)?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let deflate = flag(fields.deflate, "deflate must be true or false")?.unwrap_or(false);
    Ok(Command::Try(Trial {
        frames: frames.into(),
        from_server,
        deflate,
        limit,
    }))
}

#[cfg(test)]
mod tests {
    use crate::chat::command::{Command, Request, Trial};
    use crate::chat::error::CommandError;

    #[test]
    fn commands_of_the_wire_view() {
        let trial = |frames: &[u8], from_server, deflate, limit| {
            Ok(Command::Try(Trial {
                frames: frames.into(),
                from_server,
                deflate,
                limit,
            }))
        };
        let table = [
            (r#"{"type":"trace"}"#, Ok(Command::Trace { on: true })),
            (
                r#"{"type":"trace","on":false}"#,
                Ok(Command::Trace { on: false }),
            ),
            (
                r#"{"type":"try","frames":"81 00"}"#,
                trial(b"\x81\0", false, false, None),
            ),
            (
                r#"{"type":"try","frames":"8100","role":"server","deflate":true,"limit":9}"#,
                trial(b"\x81\0", true, true, Some(9)),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(Request::parse(text).command, expected, "{text}");
        }
        let wrong = [r#""on":1"#, r#""on":"true""#]
            .map(|field| format!(r#"{{"type":"trace",{field}}}"#))
            .into_iter();
        let frames = ["", "8", "xy", &"00".repeat(4097)]
            .map(|frames| format!(r#"{{"type":"try","frames":"{frames}"}}"#));
        let fields = [r#""role":"both""#, r#""limit":-1"#, r#""deflate":1"#]
            .map(|field| format!(r#"{{"type":"try","frames":"00",{field}}}"#));
        for text in wrong.chain(frames).chain(fields) {
            assert!(
                matches!(
                    Request::parse(&text).command,
                    Err(CommandError::BadField(_))
                ),
                "{text:.60}"
            );
        }
    }
}
