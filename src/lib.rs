//! parlor: a live chat in the browser on one small binary that speaks raw WebSocket.
#![forbid(unsafe_code)]

pub mod chat;
pub mod cli;

mod few;

pub mod history;
pub mod http;
pub mod hub;
pub mod limits;
pub mod metrics;
pub mod progress;
pub mod server;
mod tables;
pub mod text;
pub mod time;
pub mod tools;
pub mod websocket;
