//! The WebSocket protocol, to be read beside RFC 6455. It is sans-I/O: bytes go in, events come
//! out, and nothing here uses sockets or clocks.
//!
//! Reading order:
//! 1. [`handshake`], §4.2: an HTTP request asks for another protocol, and the answer proves that
//!    the server understood it. [`client`], §4.1: the same from the other end.
//! 2. [`frame`], §5.2: the headers of frames.
//! 3. `mask`, §5.3: how a client's payload is masked, and why.
//! 4. `utf8`, §8.1: validation of text that arrives in pieces.
//! 5. [`close`], §5.5.1, and [`close_code`], §7.4: close frames, their codes and reasons.
//! 6. [`violation`]: one table of the rules that a peer can break, with their close codes.
//! 7. [`connection`], §5.4, §5.5, §7: frames become messages; the closing handshake.
//! 8. [`deflate`], RFC 7692: compressed messages.
//!
//! This module needs nothing of the chat: `examples/echo.rs` is a server made of it and `std::net`.

pub mod client;
pub mod close;
pub mod close_code;
pub mod connection;
pub mod deflate;
pub mod frame;
pub mod handshake;
mod mask;
mod utf8;
pub mod violation;

pub use close::CloseFrame;
pub use close_code::CloseCode;
pub use connection::{Event, Received, WebSocket};
pub use deflate::{Deflate, DeflateParameters, Scratch};
pub use frame::{
    FrameHeader, Opcode, encode_masked_message, encode_message, frame_end, ping, pong,
    write_message,
};
pub use handshake::{Upgrade, accept, check};
pub use violation::{Rule, Violation};
