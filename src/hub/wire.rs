//! The hub's only hook for the wire view, which shows a connection its own frames.
//!
//! It is implemented in `tools`; without it the commands `trace` and `try` do not exist.

use crate::chat::command::RequestId;
use crate::chat::error::CommandError;
use crate::time::UnixMillis;
use crate::websocket::DeflateParameters;
use std::net::IpAddr;

/// For whom a request counts.
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

    /// Appends the answer to `trace`.
    fn answer_trace(&self, on: bool, id: Option<RequestId>, out: &mut Vec<u8>);

    /// Appends the answer to `try`; `json` is the whole command.
    fn answer_try(
        &self,
        json: &str,
        id: Option<RequestId>,
        out: &mut Vec<u8>,
    ) -> Result<(), CommandError>;
}

/// Sees the frames of one connection and describes them.
pub trait Tap {
    /// Sees bytes that were received, still masked. The first ones begin a frame.
    fn received(&mut self, bytes: &[u8], now: UnixMillis);

    /// Sees whole frames that are sent.
    fn sent(&mut self, frames: &[u8], now: UnixMillis);

    /// Appends the next trace, an event's JSON. Returns whether there was one. Without room it is
    /// skipped and counted.
    fn next_trace(
        &mut self,
        has_room: bool,
        deflate: Option<DeflateParameters>,
        out: &mut Vec<u8>,
    ) -> bool;

    /// Returns the bytes that it holds.
    fn held_bytes(&self) -> usize;
}
