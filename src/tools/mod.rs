//! Tools to study WebSocket with and to maintain a server: the chat works without them.
//!
//! Everything here is behind the cargo feature `tools` (on by default). Nothing but `cli` uses this
//! folder; the hub knows the wire view only by a trait of its own.

pub mod dissect;
pub mod headers;

#[cfg(feature = "tools")]
mod address;
#[cfg(all(feature = "history", feature = "tools"))]
mod backup;
#[cfg(feature = "tools")]
pub mod cases;
#[cfg(feature = "tools")]
mod client;
#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
pub mod lines;
#[cfg(feature = "tools")]
mod poke;
#[cfg(feature = "tools")]
pub(crate) mod record;
#[cfg(feature = "tools")]
mod replay;
#[cfg(feature = "tools")]
mod subcommands;
#[cfg(feature = "tools")]
pub(crate) mod terminal;

#[cfg(feature = "tools")]
pub(crate) use subcommands::{Failure, TOOLS, arguments, find};
