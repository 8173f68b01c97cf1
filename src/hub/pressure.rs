//! What is done where one connection, or all of them together, hold too much.
//!
//! Not here: what is held (`backlog`, and the machines of `websocket`), and what is too much
//! (`limits`).

use super::connection::Stage;
use super::inbox::{ConnectionId, Parting, Said};
use super::{Hub, Socket};
use crate::websocket::CloseCode;
use std::cmp::Reverse;

impl<S: Socket> Hub<S> {
    /// Closes a connection with 1013. Through the front of the inbox: the buffers of this turn are
    /// not to be touched any more.
    pub(super) fn too_slow(&mut self, id: ConnectionId, why: &'static str) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        match &connection.stage {
            Stage::Open { websocket, .. } if !websocket.close_sent() && !connection.parting => {
                connection.parting = true;
                connection.waiting += 1;
                self.inbox.push_front((
                    id,
                    Said::Went(Parting::Ours(CloseCode::TRY_AGAIN_LATER, why)),
                ));
            }
            // Its end has begun; what it does not take of that is bounded.
            Stage::Open { .. } => {}
            Stage::Http { .. } | Stage::Closing { .. } => self.doom(id),
        }
    }

    /// All connections together hold too much: those that hold most go, as many as it takes. A turn
    /// can bring more than one
    /// connection's share, so one a turn would not do.
    ///
    /// What several share is given back only by the last of them; should that be so, the next turn
    /// goes on.
    pub(super) fn close_largest(&mut self) {
        let mut excess = self.buffered.saturating_sub(self.limits.buffered_bytes);
        let connections = self
            .connections
            .iter()
            .filter(|connection| !connection.doomed);
        // Whose end stands in the inbox gives it back in the next turn; of those first.
        let mut holders: Vec<_> = connections
            .map(|connection| {
                (
                    Reverse((connection.parting, connection.held_bytes())),
                    connection.id,
                )
            })
            .collect();
        holders.sort_unstable_by_key(|(held, id)| (*held, id.index));
        for (Reverse((parting, held)), id) in holders {
            if excess == 0 || held == 0 && !parting {
                return;
            }
            excess = excess.saturating_sub(held);
            if !parting {
                self.close_for_all(id);
            }
        }
    }

    fn close_for_all(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        // Who was told to go may still hold half a frame. It is reset, or it would cost others
        // their place.
        if matches!(&connection.stage, Stage::Open { websocket, .. } if websocket.close_sent()) {
            return self.failed(id);
        }
        self.too_much.tell(
            self.now.mono,
            "all connections together hold more than --max-buffered-bytes; the largest is closed",
        );
        self.too_slow(
            id,
            "too much is waiting on this server, and most of it here",
        );
    }
}
