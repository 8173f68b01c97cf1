//! What connections had to say in a turn, in its order: one list for coming, asking and going, so
//! that an upgrade and the
//! frames behind it in the same packet, and a close frame behind them, take effect one after
//! another.
//!
//! Not here: who puts it in (`connection`, `endpoint`), who takes it out (`steps`).

use crate::chat::command::Request;
use crate::chat::event::Address;
use crate::websocket::{CloseCode, Violation};
use std::collections::VecDeque;

/// Names a connection for as long as anybody may remember it: a slot is used again, a serial is
/// not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(super) index: u32,
    pub(super) serial: u32,
}

impl ConnectionId {
    /// The slab index, which is the mio token.
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

/// What a connection had to say in this turn, in its order.
pub(super) enum Said {
    /// It shook hands on `/chat`.
    Came,
    /// It asked something.
    Asked(Request),
    /// It is over.
    Went(Parting),
}

/// The turn's inbox.
pub(super) type Inbox = VecDeque<(ConnectionId, Said)>;

/// How a WebSocket connection ends.
#[derive(Debug)]
pub(super) enum Parting {
    /// The peer closed; our close frame is the answer.
    Closed { reply: Box<[u8]>, code: Option<u16> },
    /// The peer broke a rule.
    Broken(Violation),
    /// We close, and wait for the peer's close frame.
    Ours(CloseCode, &'static str),
    /// The peer shut down its sending side without a close frame; what was asked before is still
    /// answered.
    EndOfStream,
    /// The socket is of no use any more.
    Failed,
}
