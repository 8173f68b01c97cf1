//! The WebSocket protocol without I/O (RFC 6455, RFC 7692): bytes go in, events and bytes come out.
//!
//! To read the code beside the standard: [`handshake`] and [`client`] (§4), [`frame`] (§5.2),
//! `mask` (§5.3), `utf8` (§8.1), [`close`] and [`close_code`] (§5.5.1, §7.4), [`violation`] (the
//! rules), [`connection`] (§5.4, §5.5, §7), [`deflate`] (RFC 7692).
#![doc = include_str!("../../docs/library.md")]

pub mod client;
pub mod close;
pub mod close_code;
pub mod config;
pub mod connection;
pub mod deflate;
mod event;
pub mod frame;
pub mod handshake;
mod mask;
mod send;
mod utf8;
pub mod violation;

#[doc(inline)]
pub use self::{
    client::ClientHandshake,
    close::CloseFrame,
    close_code::CloseCode,
    config::{Accepted, Config, HandshakeError},
    connection::{Scratch, WebSocket},
    deflate::{Compression, Deflate, DeflateParameters},
    event::Event,
    frame::{FrameHeader, Opcode, encode_masked_message, encode_message, write_message},
    handshake::{ServerHandshake, accept},
    send::SendError,
    violation::{Rule, Violation},
};
pub use crate::progress::Progress;

/// Shows no contents: they are private, and some have no `Debug`.
macro_rules! opaque {
    ($($type:ident),+) => {
        $(impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type)).finish_non_exhaustive()
            }
        })+
    };
}

opaque!(WebSocket, Scratch, Deflate);
