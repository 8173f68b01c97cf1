//! The server without sockets: bytes and time go in, bytes and decisions come out.
//!
//! # The contract
//!
//! The server, the simulation, the fuzzer and the replay are drivers. Each of them repeats:
//!
//! 1. Wait until something happens, but at most until [`Driven::next_deadline`].
//! 2. Report everything that happened by [`Driven::handle`], in any order.
//! 3. Until [`Driven::next_read`] returns `None`: read from that connection's socket once, and
//!    report the result as [`Input::Received`] or [`Input::Ended`].
//! 4. Call [`Driven::end_turn`].
//!
//! A driver can rely on this:
//!
//! 5. Nothing but the calls of 2, 3 and 4 changes the hub, and it has no clock, socket or random
//!    source of its own: the same calls give the same result.
//! 6. Sockets are written to, and connections freed, in `end_turn` alone. So an index names the
//!    same connection through a whole turn.
//! 7. `next_deadline` is never later than the deadline of a connection.
//! 8. A slow or flooding connection delays the others by a few turns at most, and the bytes held
//!    for all of them stay within `--max-buffered-bytes`.
//!
//! The steps of a turn are in `turn.rs`, a connection's life in `connection.rs`, the parsing of its
//! bytes in `input.rs`, and the order of reading in `reading.rs`.

mod admission;
mod backlog;
mod closing;
mod connection;
mod connections;
mod context;
mod effects;
mod inbox;
mod input;
mod origins;
mod outbox;
mod proxies;
mod rate;
mod reading;
mod routes;
mod timers;
mod topics;
mod traces;
mod turn;
mod warnings;
mod wire;

#[cfg(feature = "tools")]
pub(crate) use backlog::frame_end;
pub use context::Setup;
pub use inbox::ConnectionId;
pub use origins::{Origin, Origins};
pub use outbox::Socket;
pub use proxies::Network;
#[cfg(feature = "tools")]
pub(crate) use routes::handshake_config;
pub use warnings::Warning;
pub use wire::{Client, Tap, WireView};

use crate::chat::Chat;
use crate::chat::event::Effect;
use crate::limits::{INBOX_REQUESTS, TURN_OUTPUT_BYTES};
use crate::metrics::Metrics;
use crate::time::{Millis, Now};
use connection::Connection;
use connections::Connections;
use context::Context;
use reading::ReadQueue;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that the outside reports.
pub enum Input<'a, S> {
    /// A connection was accepted. It gets the index [`Driven::next_index`]; if too many connections
    /// are being refused already, its socket is dropped.
    Accepted {
        /// The socket to write to.
        socket: S,
        /// The address of the other end. A peer on a Unix socket has the unspecified address, and
        /// counts as a trusted proxy, because the mode of the socket's file limits who connects.
        peer: SocketAddr,
    },
    /// There may be something to read: bytes, the end of the stream, or an error.
    Readable(ConnectionId),
    /// The bytes of one read, at most [`READ_BYTES`](crate::limits::READ_BYTES); empty if the read
    /// would have blocked. They are unmasked in place.
    Received {
        /// The connection that [`Driven::next_read`] returned.
        id: ConnectionId,
        /// The bytes that were read.
        bytes: &'a mut [u8],
        /// Whether the socket may hold more bytes. No event reports those, so the hub reads again.
        more: bool,
    },
    /// Nothing more can be read.
    Ended(ConnectionId, Ended),
    /// The socket has room again.
    Writable(ConnectionId),
    /// The last turn took this long, for the metrics.
    TurnTook(Duration),
    /// Graceful shutdown: commits and answers pending requests, then closes every connection with
    /// 1001.
    Drain,
}

/// Why nothing more can be read from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer shut down its sending side; responses may still reach it.
    EndOfStream,
    /// A reset, or another error: the socket is useless.
    Failed,
}

/// The interface to a driver, by the contract above. Implemented by [`Hub`], and by a recorder
/// around one.
pub trait Driven<S> {
    /// Handles one input (contract 2).
    fn handle(&mut self, input: Input<'_, S>, now: Now);

    /// Returns the next connection to read from in this turn (contract 3).
    fn next_read(&mut self, now: Now) -> Option<ConnectionId>;

    /// Ends the turn (contract 4).
    fn end_turn(&mut self, now: Now);

    /// Returns when the next turn must begin at the latest; a time in the past means at once.
    fn next_deadline(&self) -> Option<Millis>;

    /// Returns the index that the next connection gets.
    fn next_index(&self) -> usize;

    /// Returns the connection that has this index now.
    fn id(&self, index: usize) -> Option<ConnectionId>;

    /// Returns a connection's socket, to read from.
    fn socket(&mut self, id: ConnectionId) -> Option<&mut S>;

    /// Returns the number of connections.
    fn connections(&self) -> usize;
}

/// The server without sockets.
pub struct Hub<S> {
    connections: Connections<S>,
    /// The state that all connections share.
    cx: Context,
    chat: Chat,
    effects: Vec<Effect>,
    /// Connections with a request in this turn.
    touched: Vec<ConnectionId>,
    /// Connections to free at the end of the turn.
    dead: Vec<ConnectionId>,
    reading: ReadQueue,
    /// Times at which to check a connection's deadline. A deadline that moves later leaves its
    /// entry; one that moves earlier adds an entry. Only that at [`Connection::reminder`] counts.
    reminders: BinaryHeap<Reverse<(Millis, ConnectionId)>>,
    /// The value of `next_deadline` at the end of the last turn.
    promised: Option<Millis>,
    /// The time until which deadlines are held back, after the process was suspended.
    deadlines_from: Option<Millis>,
    /// This turn had an input.
    had_input: bool,
    draining: bool,
    buffers_full: Warning,
    storage_failed: Warning,
}

impl<S: Socket> Hub<S> {
    /// Makes a hub without connections.
    pub fn new(setup: Setup) -> Self {
        let (cx, chat) = setup.build();
        Self {
            connections: Connections::new(),
            cx,
            chat,
            effects: Vec::new(),
            touched: Vec::new(),
            dead: Vec::new(),
            reading: ReadQueue::default(),
            reminders: BinaryHeap::new(),
            promised: None,
            deadlines_from: None,
            had_input: false,
            draining: false,
            buffers_full: Warning::default(),
            storage_failed: Warning::default(),
        }
    }

    /// Returns the server's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.cx.metrics
    }

    /// Adds a connection, which is refused with a status if there are too many.
    fn accept(&mut self, socket: S, peer: SocketAddr) {
        let entered = self.cx.admission.enter(peer.ip(), &self.cx.limits);
        let Some((seat, refusal)) = entered else {
            return;
        };
        let id = self.connections.next_id();
        log::debug!("connection {}: accepted from {}", id.serial, seat.address);
        let mut connection = Connection::new(socket, id, seat, self.cx.now.mono);
        if let Some(refusal) = refusal {
            log::debug!("connection {}: refused with {}", id.serial, refusal.status);
            connection.refuse(&refusal, &mut self.cx);
        }
        self.connections.insert(connection);
        self.update_derived(id);
    }

    /// Returns whether this turn has enough work, so that no more connections are read.
    fn is_crowded(&self) -> bool {
        self.cx.inbox.len() > INBOX_REQUESTS || self.cx.turn.bytes() >= TURN_OUTPUT_BYTES
    }

    /// Runs `work` on a connection, and then [`Hub::update_derived`].
    fn on_connection(
        &mut self,
        id: ConnectionId,
        work: impl FnOnce(&mut Connection<S>, &mut Context),
    ) {
        self.cx.is_full = self.chat.users_kept() >= 2 * self.cx.limits.connections as usize;
        if let Some(connection) = self.connections.get_mut(id) {
            work(connection, &mut self.cx);
            self.update_derived(id);
        }
    }

    /// Updates what the hub derives from a connection's state: the count of buffered bytes, the
    /// queue of connections to read, and the reminder of its next deadline.
    fn update_derived(&mut self, id: ConnectionId) {
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

    /// Queues a connection to be read.
    fn queue(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            self.reading.push(connection, &self.cx);
        }
    }
}

impl<S: Socket> Driven<S> for Hub<S> {
    fn handle(&mut self, input: Input<'_, S>, now: Now) {
        self.cx.now = now;
        self.had_input |= !matches!(input, Input::TurnTook(_));
        match input {
            Input::Accepted { socket, peer } => self.accept(socket, peer),
            Input::Readable(id) => self.queue(id),
            Input::Received { id, bytes, more } => {
                self.reading.bytes += bytes.len();
                self.cx.metrics.bytes_received += bytes.len() as u64;
                if !bytes.is_empty() {
                    self.on_connection(id, |connection, cx| connection.receive(bytes, cx));
                }
                if more {
                    self.queue(id);
                }
            }
            Input::Ended(id, Ended::EndOfStream) => {
                self.on_connection(id, |connection, cx| connection.on_end_of_stream(cx));
            }
            Input::Ended(id, Ended::Failed) => {
                self.on_connection(id, |connection, cx| connection.on_failed(cx));
            }
            Input::Writable(id) => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.outbox.writable = true;
                    if !connection.outbox.is_empty() {
                        self.cx.turn.mark_dirty(&mut connection.outbox);
                    }
                }
            }
            Input::TurnTook(took) => self.cx.metrics.turn_seconds.observe(took),
            Input::Drain => self.draining = true,
        }
    }

    fn next_read(&mut self, now: Now) -> Option<ConnectionId> {
        self.cx.now = now;
        while !self.is_crowded() {
            let id = self.reading.next(&mut self.connections, &self.cx)?;
            let connection = self.connections.get_mut(id)?;
            if !connection.has_unparsed() {
                return Some(id);
            }
            // Bytes that were read earlier come first. After them the socket is read again.
            self.on_connection(id, |connection, cx| connection.resume_unparsed(cx));
            self.queue(id);
        }
        None
    }

    fn end_turn(&mut self, now: Now) {
        self.cx.now = now;
        self.run_turn();
    }

    fn next_deadline(&self) -> Option<Millis> {
        let has_work = self.reading.has_work() || self.chat.is_searching();
        if (has_work || !self.cx.inbox.is_empty()) && !self.chat.is_waiting() {
            return Some(Millis(0));
        }
        self.wake_at()
    }

    fn next_index(&self) -> usize {
        self.connections.next_id().index()
    }

    fn id(&self, index: usize) -> Option<ConnectionId> {
        self.connections.id(index)
    }

    fn socket(&mut self, id: ConnectionId) -> Option<&mut S> {
        let connection = self.connections.get_mut(id);
        connection.map(|connection| &mut connection.socket)
    }

    fn connections(&self) -> usize {
        self.connections.len()
    }
}
