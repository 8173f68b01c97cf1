//! What the hub derives from the state of its connections: the count of buffered bytes, the queue
//! of connections to read, and the next deadline.

use super::connection::Connection;
use super::context::Context;
use super::inbox::ConnectionId;
use super::{Hub, Socket};
use crate::time::Millis;
use std::cmp::Reverse;
use std::time::Duration;

/// The time until a commit is repeated, while another program has locked the history.
const COMMIT_RETRY: Duration = Duration::from_millis(10);

impl<S: Socket> Hub<S> {
    /// Runs `work` on a connection, and then updates what depends on it.
    pub(super) fn on_connection(
        &mut self,
        id: ConnectionId,
        work: impl FnOnce(&mut Connection<S>, &mut Context),
    ) {
        self.cx.is_full = self.chat.users_kept() >= 2 * self.cx.limits.connections as usize;
        if let Some(connection) = self.connections.get_mut(id) {
            work(connection, &mut self.cx);
            self.settle(id);
        }
    }

    /// Updates what the hub derives from a connection's state: the count of buffered bytes, the
    /// queue of connections to read, and the reminder of its next deadline.
    pub(super) fn settle(&mut self, id: ConnectionId) {
        let cx = &mut self.cx;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.is_dead() {
            self.dead.push(id);
            return;
        }
        connection.recount(&mut cx.buffered);
        if connection.has_unparsed() {
            self.reading.push(connection, cx);
        }
        self.reading.update(connection, cx);
        if let Some(at) = connection.next_reminder(&cx.limits) {
            self.reminders.push(Reverse((at, id)));
        }
    }

    pub(super) fn queue(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            self.reading.push(connection, &self.cx);
        }
    }

    /// Returns the next deadline of a connection or of the chat.
    pub(super) fn wake_at(&self) -> Option<Millis> {
        let reminder = self.reminders.peek().map(|Reverse((at, _))| *at);
        let is_waiting = self.chat.is_waiting();
        let retry = is_waiting.then(|| self.cx.now.mono.after(COMMIT_RETRY));
        let deadlines = [reminder, retry, self.chat.next_deadline()];
        deadlines.into_iter().flatten().min()
    }
}
