//! The whole server without a socket: a hub on a network of memory.

#![allow(unreachable_pub, clippy::unwrap_used)]

mod chat;
mod limits;
mod network;
mod pressure;
mod seeds;
mod trace;
