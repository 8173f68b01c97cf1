//! The table of connections.

use super::connection::Connection;
use super::inbox::ConnectionId;
use slab::Slab;

/// All connections, by index. A look-up by [`ConnectionId`] compares the serial number, so that a
/// stale id never finds another connection.
pub(super) struct Connections<S> {
    slots: Slab<Connection<S>>,
    next_serial: u32,
}

impl<S> Connections<S> {
    pub(super) fn new() -> Self {
        let (slots, next_serial) = (Slab::new(), 0);
        Self { slots, next_serial }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn next_id(&self) -> ConnectionId {
        let (index, serial) = (self.slots.vacant_key() as u32, self.next_serial);
        ConnectionId { index, serial }
    }

    /// Adds a connection that was made with [`Connections::next_id`].
    pub(super) fn insert(&mut self, connection: Connection<S>) {
        if self.slots.len() == self.slots.capacity() {
            // Small steps: with doubling, half of the table could be empty for good.
            self.slots.reserve_exact((self.slots.len() / 16).max(64));
        }
        self.slots.insert(connection);
        self.next_serial = self.next_serial.wrapping_add(1);
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection<S>> {
        self.at(id.index).filter(|connection| connection.id == id)
    }

    /// Returns the connection that has this index now.
    pub(super) fn at(&mut self, index: u32) -> Option<&mut Connection<S>> {
        self.slots.get_mut(index as usize)
    }

    pub(super) fn id(&self, index: usize) -> Option<ConnectionId> {
        self.slots.get(index).map(|connection| connection.id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection<S>> {
        self.slots.iter().map(|(_, connection)| connection)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection<S>> {
        self.get_mut(id)?;
        self.slots.try_remove(id.index())
    }

    /// Frees what a crowd took, as far as no connection with a high index is left.
    pub(super) fn shrink(&mut self) {
        if self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to_fit();
        }
    }
}
