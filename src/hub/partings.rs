//! How open connections end: what the peer is told, who forgets it, and what is still awaited.
//!
//! Not here: why they end (`connection`, `due`, the chat), when a slot becomes free (`steps`).

use super::connection::Stage;
use super::endpoint::Endpoint;
use super::inbox::{ConnectionId, Parting};
use super::outbox::Source;
use super::{Hub, Socket};
use crate::chat::Departure;
use crate::time::Now;
use crate::websocket::{CloseCode, CloseFrame};

impl<S: Socket> Hub<S> {
    /// An open connection ends. What the peer is told goes out behind all that it was told before.
    pub(super) fn went(&mut self, id: ConnectionId, parting: Parting) {
        let departure = match &parting {
            Parting::Closed {
                code: Some(1000), ..
            }
            | Parting::Ours(CloseCode::NORMAL, _) => Departure::Quit,
            _ => Departure::Lost,
        };
        let code = match &parting {
            Parting::Closed { code, .. } => code.unwrap_or(1005),
            Parting::Broken(violation) => violation.rule().code.get(),
            Parting::Ours(code, _) => code.get(),
            Parting::EndOfStream | Parting::Failed => 1006,
        };
        self.say_goodbye(id, departure, code);
        let mut close = Vec::new();
        let Some(connection) = self.connection(id) else {
            return;
        };
        let Stage::Open { websocket, .. } = &mut connection.stage else {
            return;
        };
        let awaited = match &parting {
            Parting::Closed { reply, .. } => {
                close.extend_from_slice(reply);
                false
            }
            Parting::Broken(violation) => {
                websocket.close(violation.close_frame(), &mut close);
                false
            }
            Parting::Ours(code, reason) => {
                websocket.close(
                    CloseFrame {
                        code: Some(*code),
                        reason,
                    },
                    &mut close,
                );
                !connection.read_closed
            }
            Parting::EndOfStream => false,
            Parting::Failed => return self.doom(id),
        };
        self.say_last(id, &parting, &close);
        let now = self.now.mono;
        let Self {
            connections,
            turn,
            buffered,
            ..
        } = self;
        let Some(connection) = connections.get_mut(id.index()) else {
            return;
        };
        match awaited {
            true => connection.close_sent(now),
            false => connection.begin_closing(now),
        }
        turn.list(id.index, &mut connection.outbox);
        connection.recount(buffered);
        self.remind(id);
    }

    /// Writes our close frame, behind all that was said, and told of it, before.
    fn say_last(&mut self, id: ConnectionId, parting: &Parting, close: &[u8]) {
        let Self {
            connections,
            buffered,
            ..
        } = self;
        let Some(connection) = connections.get_mut(id.index()) else {
            return;
        };
        if matches!(parting, Parting::Ours(CloseCode::TRY_AGAIN_LATER, _)) {
            connection.outbox.cut(buffered);
            connection.drop_tap();
        }
        if connection.is_tapped() {
            self.tell_last(id, close);
        }
        let Self {
            connections, turn, ..
        } = self;
        if let Some(connection) = connections.get_mut(id.index()) {
            turn.write(id.index, &mut connection.outbox, Source::Frames, |out| {
                out.extend_from_slice(close)
            });
        }
    }

    /// The chat and the topics forget a connection, and its end is counted, once.
    fn say_goodbye(&mut self, id: ConnectionId, departure: Departure, code: u16) {
        self.unsubscribe_all(id);
        let Some(connection) = self.connection(id).filter(|connection| !connection.parted) else {
            return;
        };
        let Stage::Open { endpoint, .. } = &mut connection.stage else {
            return;
        };
        let client = match endpoint {
            Endpoint::Chat(client) => client.take(),
            Endpoint::Echo => None,
        };
        connection.parted = true;
        log::debug!(
            "connection {} of {}: closes with {code}",
            id.serial,
            connection.seat
        );
        self.metrics.closed.count(code);
        self.metrics.connections -= 1;
        if let Some(client) = client {
            self.chat.disconnected(client, departure, self.now);
        }
    }

    /// Ends the connections that the chat has dismissed.
    pub(super) fn see_off(&mut self) {
        while let Some((id, parting)) = self.farewells.pop() {
            self.went(id, parting);
        }
    }

    /// Says 1001 to an open connection, and closes an idle one; an answer that is under way still
    /// goes out.
    pub(super) fn dismiss_for_good(&mut self, id: ConnectionId, now: Now) {
        self.now = now;
        let Some(connection) = self.connection(id) else {
            return;
        };
        match &connection.stage {
            Stage::Open { websocket, .. } if websocket.close_sent() => {}
            Stage::Open { .. } => self.went(
                id,
                Parting::Ours(CloseCode::GOING_AWAY, "the server is going away"),
            ),
            Stage::Http {
                answering: false, ..
            } => self.doom(id),
            Stage::Http { .. } => connection.begin_closing(now.mono),
            Stage::Closing { .. } => {}
        }
    }
}
