//! The requests of a turn, in the order in which they were received.
//!
//! Opening, requests and ends share one list, so that an upgrade, the frames after it in the same
//! packet and a close frame after those take effect one after another.

use crate::chat::command::Request;
use crate::chat::event::Address;
use crate::websocket::{CloseCode, Violation};
use std::collections::VecDeque;

/// Names a connection for as long as anything may refer to it: an index is used again, a serial
/// number is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(super) index: u32,
    pub(super) serial: u32,
}

impl ConnectionId {
    /// Returns the index in the hub's table, which is also the mio token.
    pub fn index(self) -> usize {
        self.index as usize
    }

    pub(super) fn address(self) -> Address {
        Address(u64::from(self.serial) << 32 | u64::from(self.index))
    }

    pub(super) fn of(Address(address): Address) -> Self {
        Self {
            index: address as u32,
            serial: (address >> 32) as u32,
        }
    }
}

pub(super) enum Entry {
    /// A WebSocket was opened on `/chat`, for the user whom a trusted proxy names.
    Opened(Option<Box<str>>),
    /// A message was received.
    Request(Request),
    /// The WebSocket connection ends.
    Closed(CloseReason),
}

/// The requests of a turn.
pub(super) type Inbox = VecDeque<(ConnectionId, Entry)>;

/// Why a WebSocket connection ends.
#[derive(Debug)]
pub(super) enum CloseReason {
    /// The peer sent a close frame; `reply` is ours.
    Peer { reply: Box<[u8]>, code: Option<u16> },
    /// The peer broke a rule (RFC 6455 §7.1.7).
    Violation(Violation),
    /// We close, and wait for the peer's close frame.
    Ours(CloseCode, &'static str),
    /// The peer shut down its sending side without a close frame. Its requests are still answered.
    EndOfStream,
    /// The socket reported an error.
    Failed,
}

impl CloseReason {
    /// The client continued to send after [`FLOOD_REFUSALS`](crate::limits::FLOOD_REFUSALS).
    pub(super) const FLOODING: Self = Self::Ours(CloseCode::POLICY, "too many messages (--rate)");

    /// Returns the close code for the metrics: 1005 for none in the frame, 1006 for no frame.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Peer { code, .. } => code.unwrap_or(1005),
            Self::Violation(violation) => violation.rule().code.get(),
            Self::Ours(code, _) => code.get(),
            Self::EndOfStream | Self::Failed => 1006,
        }
    }
}
