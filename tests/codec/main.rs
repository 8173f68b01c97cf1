//! What the chat parses and writes: names, commands from JSON and typed lines, events.

mod events;
mod json;
mod lines;
#[cfg(feature = "unicode")]
mod names;
