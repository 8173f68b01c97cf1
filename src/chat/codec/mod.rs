//! Requests from the text of messages, and events as JSON.

mod json;
mod line;

pub(super) use line::HELP;

use super::command::{Request, RequestId};
use super::error::CommandError;
use super::event::Event;
use super::text::is_blank;

impl Request {
    /// Parses one text message: JSON if it begins with `{`, otherwise a typed line.
    pub fn parse(text: &str) -> Self {
        let text = text.trim_start_matches(is_blank);
        let parsed = if text.starts_with('{') {
            json::parse(text)
        } else {
            Ok(line::parse(text))
        };
        parsed.unwrap_or_else(|error: CommandError| Self::failed(None, error))
    }
}

/// Appends an event as one JSON object, with the id of the command that it answers.
pub fn encode(event: &Event, id: Option<RequestId>, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(&mut *out, event);
    // Writing to a Vec can't fail, and neither can an event's Serialize.
    debug_assert!(written.is_ok(), "{written:?}");
    if let Some(RequestId(id)) = id {
        out.pop();
        out.extend_from_slice(format!(r#","id":{id}}}"#).as_bytes());
    }
}
