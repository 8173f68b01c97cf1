//! The whole server without sockets: a hub on an in-memory network.
#![cfg(feature = "server")]
#![allow(unreachable_pub, clippy::unwrap_used)]

mod chat;
mod closing;
mod fairness;
mod limits;
mod network;
