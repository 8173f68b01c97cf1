//! Tools to study WebSocket with and to maintain a server: the chat works without them.
//!
//! Everything here is behind the cargo feature `tools` (on by default). Nothing but `cli` uses this
//! folder; the hub knows the wire view only by a trait of its own.

pub mod dissect;
pub mod headers;
pub mod lines;
pub mod test;

mod address;
#[cfg(feature = "history")]
mod backup;
mod client;
mod doctor;
mod explain;
mod health;
mod link;
pub(crate) mod record;
mod replay;
mod say;
mod shell;
pub(crate) mod terminal;
pub(crate) mod tool;
#[cfg(feature = "history")]
mod transcript;
mod trial;
mod tunnel;
pub(crate) mod wire;

/// Every tool, in the order of `--help`.
pub(crate) const TOOLS: &[tool::Tool] = &[
    #[cfg(feature = "history")]
    backup::EXPORT,
    #[cfg(feature = "history")]
    backup::IMPORT,
    client::TOOL,
    shell::COMPLETIONS,
    doctor::TOOL,
    explain::TOOL,
    health::TOOL,
    shell::MAN,
    replay::TOOL,
    say::TOOL,
    test::TOOL,
];
