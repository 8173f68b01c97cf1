//! parlor is a live chat in the browser: one small binary that speaks WebSocket itself, written to
//! be read. Its WebSocket layer is a library of its own.
//!
//! # The library
//!
//! `cargo add parlor --no-default-features -F deflate`
//!
//! * [`websocket`] is the protocol without I/O, and has an introduction with examples.
//! * [`blocking`] puts a WebSocket on any stream that has `Read` and `Write`.
//! * [`http`] has the heads of requests and responses.
//!
//! The other modules belong to the chat, and are there with the feature `server` alone.
//!
//! # Layers
//!
//! Each module uses those above it in this table, and never those below it; only `cli` and `tools`
//! use each other.
//!
//! | module | contents |
//! | --- | --- |
//! | `limits`, `time`, `metrics` | bounds, clocks, counters |
//! | `text`, [`progress`] | escapes and hex, the result of incremental parsers |
//! | [`http`] | request heads, responses, the files of the page (RFC 9112) |
//! | [`websocket`] | handshake, frames, messages, close, compression (RFC 6455, RFC 7692) |
//! | [`blocking`] | a WebSocket on a stream |
//! | `history` | messages and sessions, in SQLite or in memory |
//! | `chat` | users, channels, messages: commands in, events out |
//! | `hub` | connections: parsing of input, delivery of events, timeouts, limits |
//! | `server` | sockets, the event loop, files and signals: the only module that waits |
//! | `cli` | options and subcommands |
//! | `tools` | the subcommands, the recorder of `--record`, and the wire view |
//!
//! Everything above `server` in this table is sans-I/O: it uses no sockets, no clock and no random
//! source, so tests and the simulation run it with a network and a time of their own. Two modules
//! differ: the history in SQLite has a file, and measures how long a commit takes; [`blocking`]
//! draws masking keys.
//!
//! # A turn
//!
//! One thread serves all connections in turns. Each turn has eight steps:
//!
//! 1. **wait** until a socket is readable or writable, or until the next deadline;
//! 2. **read** bytes from the sockets, and parse them into frames and commands;
//! 3. **due**: close or ping the connections whose deadline has passed;
//! 4. **apply** the commands to the chat, in their order;
//! 5. **commit** the new messages to the history, which gives them their numbers and times;
//! 6. **share** the events: each is encoded once, and all its receivers refer to the same bytes;
//! 7. **flush** the bytes to the sockets; bytes that a socket does not accept are queued;
//! 8. **free** closed connections and buffers.
//!
//! The server, the simulation, the fuzzer and the replay all drive a `hub::Hub` by the same four
//! calls: `next_deadline`, `handle`, `next_read` and `end_turn`. The head of `hub` is the contract.
//!
//! # Where to start
//!
//! * To learn WebSocket: `websocket`, beside RFC 6455. `examples/echo.rs` is a server of its own.
//! * To follow one message from socket to socket: `docs/tour.md`.
//! * For the reasons behind the design: `docs/architecture.md`.
//! * To write a client: `docs/protocol.md`, and `examples/client.rs`.
#![forbid(unsafe_code)]

pub mod blocking;
#[cfg(feature = "server")]
pub mod chat;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod history;
pub mod http;
#[cfg(feature = "server")]
pub mod hub;
#[cfg(feature = "server")]
pub mod limits;
#[cfg(feature = "server")]
pub mod metrics;
pub mod progress;
#[cfg(any(test, feature = "testing", feature = "tools"))]
pub mod random;
#[cfg(feature = "server")]
pub mod server;
#[cfg(all(feature = "server", any(test, feature = "testing")))]
pub mod testing;
#[cfg(feature = "server")]
pub mod text;
#[cfg(feature = "server")]
pub mod time;
#[cfg(feature = "tools")]
pub mod tools;
pub mod websocket;
