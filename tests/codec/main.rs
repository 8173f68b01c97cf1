//! What the chat reads and writes: names, requests as JSON and as typed lines, events.
//!
//! Tables of examples, and properties over many made-up inputs; the random numbers are the same in
//! every run.

mod events;
mod json;
mod lines;
#[cfg(feature = "unicode")]
mod names;
mod random;
