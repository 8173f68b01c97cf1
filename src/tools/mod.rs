//! Tools to study WebSocket with and to maintain a server: the chat works without them.
//!
//! Everything here is behind the cargo feature `tools` (on by default). Nothing but `cli` uses this
//! folder; the hub knows the wire view only by a trait of its own.

pub mod dissect;
pub mod headers;

mod address;
#[cfg(feature = "history")]
mod backup;
pub mod cases;
mod client;
mod explain;
mod failure;
pub mod lines;
mod poke;
pub(crate) mod record;
mod replay;
mod subcommands;
pub(crate) mod terminal;
mod trial;
pub(crate) mod wire;

use failure::{Failure, arguments};
pub(crate) use subcommands::{TOOLS, find};
