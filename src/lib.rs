//! parlor: a live chat in the browser on one small binary that speaks raw WebSocket.
#![forbid(unsafe_code)]

pub mod chat;
pub mod cli;
pub mod history;
pub mod http;
pub mod hub;
pub mod limits;
pub mod metrics;
pub mod progress;
pub mod server;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;
#[cfg(feature = "tools")]
pub mod tools;
pub mod websocket;
