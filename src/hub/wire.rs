//! The hub's only hook for the wire view, which shows a connection its own frames.
//!
//! It is implemented in `tools`; without it the commands `trace` and `try` do not exist.

use crate::chat::error::CommandError;
use crate::time::UnixMillis;
use crate::websocket::DeflateParameters;
use serde_json::Value;
use std::net::IpAddr;

/// The client that a request counts for.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The address, unless a trusted proxy sent the request and named none.
    pub address: Option<IpAddr>,
    /// A trusted proxy sent the request.
    pub is_by_proxy: bool,
}

/// Answers the wire view's commands and makes its taps.
pub trait WireView {
    /// Returns a tap for a connection whose request target asks for one (`?trace=1`). `heads` are
    /// the request and the response of the opening handshake.
    fn tap_handshake(
        &self,
        query: &str,
        heads: [&[u8]; 2],
        client: Client,
        now: UnixMillis,
    ) -> Option<Box<dyn Tap>>;

    /// Returns a tap for a connection that sent the command `trace`.
    fn tap(&self) -> Box<dyn Tap>;

    /// Returns the answer to `try`; `command` is its JSON.
    fn answer_try(&self, command: &str) -> Result<Value, CommandError>;
}

/// Sees the frames of one connection and describes them.
pub trait Tap {
    /// Sees bytes that were received, still masked. The first ones begin a frame.
    fn received(&mut self, bytes: &[u8], now: UnixMillis);

    /// Sees whole frames that are sent.
    fn sent(&mut self, frames: &[u8], now: UnixMillis);

    /// Describes the next frame as an event.
    fn next_trace(&mut self, deflate: Option<DeflateParameters>) -> Option<Value>;

    /// Skips and counts the frames that were not described yet.
    fn skip(&mut self);

    /// Returns the bytes that it holds.
    fn held_bytes(&self) -> usize;
}
