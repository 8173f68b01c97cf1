//! Tools to study WebSocket with and to maintain a server: the chat works without them.
//!
//! Everything here is behind the cargo feature `tools` (on by default). Nothing but `cli` uses this
//! folder; the hub knows the wire view only by a trait of its own.
