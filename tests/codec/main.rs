//! What the chat parses and writes: names, commands from JSON and typed lines, events.
#![cfg(feature = "server")]

mod events;
mod json;
mod lines;
#[cfg(feature = "unicode")]
mod names;
