//! The real binary on real sockets: wiring, options, limits, restarts. One test for each feature;
//! rules without sockets are tested in tests/chat, tests/hub, tests/websocket and tests/http_heads.
//!
//! Each test starts a server of its own. Every read has a timeout, and no test measures speed.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)] // all of this is a test

mod access;
mod chat;
mod cli;
#[cfg(feature = "tools")]
mod client;
#[cfg(feature = "tools")]
mod explain;
mod folder;
#[cfg_attr(not(feature = "tools"), allow(dead_code))]
mod harness;
mod http;
mod lifecycle;
mod limits;
mod listen;
#[cfg(feature = "history")]
mod owner;
mod pages;
#[cfg(feature = "tools")]
mod replay;
#[cfg(feature = "history")]
mod restart;
#[cfg(feature = "tools")]
mod say;
mod systemd;
#[cfg(feature = "tools")]
mod test;
#[cfg(feature = "tools")]
mod trace;
mod websocket;
