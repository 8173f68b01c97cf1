//! The WebSocket layer by its public interface: the standard's examples, every rule that can be
//! broken, and bytes in any pieces.

#![allow(unreachable_pub, clippy::unwrap_used)]

#[cfg(feature = "deflate")]
mod deflate;
mod ends;
mod handshakes;
mod machine;
mod pieces;
mod vectors;
