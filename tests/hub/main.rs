//! The whole server without a socket: a hub on a network of memory.
#![cfg(feature = "server")]
#![allow(unreachable_pub, clippy::unwrap_used)]

mod chat;
mod closing;
mod fairness;
mod limits;
mod network;
