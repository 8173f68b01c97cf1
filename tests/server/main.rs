//! The server from outside: the real binary, started on a free port, and bytes on real sockets.
//!
//! What is asked here comes from PROTOCOL.md and the standards, not from the code. One binary, one
//! link; each test has a
//! server of its own, so all run at the same time. Every read has a timeout: nothing can hang, and
//! no test is about speed.
#![allow(clippy::unwrap_used)] // all of this is a test

mod channels;
mod chat;
mod cli;
#[cfg(feature = "tools")]
mod client;
mod conversations;
mod errors;
#[cfg(feature = "tools")]
mod explain;
mod folder;
mod frames;
mod handshake;
mod harness;
mod history;
mod http;
mod keepalive;
mod lifecycle;
mod limits;
mod lines;
mod metrics;
mod names;
mod origins;
mod pages;
#[cfg(feature = "tools")]
mod poke;
mod pressure;
mod proxies;
mod rates;
#[cfg(feature = "tools")]
mod replay;
#[cfg(feature = "history")]
mod restart;
mod timeouts;
mod trace;
mod users;
mod violations;
