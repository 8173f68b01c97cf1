//! WebSocket, to be read beside RFC 6455: bytes come in, events go out, and nothing here knows what
//! a socket is.
//!
//! Reading order:
//! 1. [`handshake`], §4.2: an HTTP request asks for another protocol, and the answer proves that it
//!    was understood.
//! 2. [`frame`], §5.2: from here on everything is frames; this is how their headers look.
//! 3. `mask`, §5.3: why a client's payload is disguised, and how.
//! 4. `utf8`, §8.1: text that comes in pieces is judged byte by byte.
//! 5. [`close`], §7.4: the closing handshake's frame, its codes and its reason.
//! 6. [`violation`]: every rule that a peer can break, with the code that it is closed with.
//! 7. [`connection`], §5.4, §5.5, §7: frames become messages, and the machine that must not be
//!    confused; `unfinished` is what
//!    it keeps meanwhile.
//! 8. [`offer`] and [`deflate`], RFC 7692: messages that are compressed, if both ends agreed on it.
//! 9. [`client`], §4.1: the handshake from the other end.
//!
//! The floor stands alone: `examples/echo.rs` is a server on it with `std::net` and nothing else.
//!
//! Not here: sockets and time, what a message means (`chat`), which pages may open a connection
//! (`hub::routes`).

pub mod client;
pub mod close;
pub mod connection;
#[cfg_attr(not(feature = "deflate"), path = "no_deflate.rs")]
pub mod deflate;
pub mod frame;
pub mod handshake;
mod mask;
pub mod offer;
mod unfinished;
mod utf8;
pub mod violation;

pub use close::{CloseCode, CloseFrame};
pub use connection::{Event, Received, WebSocket};
pub use deflate::{Deflate, Scratch};
pub use frame::{
    FrameHeader, Opcode, encode_masked_message, encode_message, frame_end, ping, pong,
    write_message,
};
pub use handshake::{Upgrade, accept, check};
pub use offer::DeflateParameters;
pub use violation::Violation;
