//! The server without sockets: bytes and time go in, bytes and decisions come out.
//!
//! A turn has eight steps. The driver (`server`) waits and reads; what follows is
//! [`Hub::end_turn`], and its steps stand there
//! one under the other:
//!
//! 1. **wait** and 2. **read** are the driver's: it gives what came to [`Hub::received`], which
//!    changes one slot and puts
//!    requests into the inbox. What had to wait since an earlier turn is taken up first.
//! 3. **due**: connections whose deadline has come are looked at.
//! 4. **apply**: the chat takes the requests in their order and says what follows.
//! 5. **commit**: the turn's proposals are stored in one transaction, which numbers them; only now
//!    do they exist.
//! 6. **share**: what a topic's subscribers get is one buffer; each is handed a range of it.
//! 7. **flush**: each connection with something to get has one vectored write; what does not fit
//!    becomes its backlog.
//! 8. **free**: closed slots leave, buffers are emptied.
//!
//! Invariants, which the simulation checks too:
//! * A slot is freed in *free* only, after all events of its turn; so a token needs no generation.
//! * Whatever is kept beyond a turn names a connection by [`ConnectionId`]; a look-up compares the
//!   serial.
//! * Between the steps goes owned data. No reference crosses a step.
//! * Topics and the turn's arena are empty between turns.
//! * Every connection has a live reminder that is not later than its true deadline.

mod admission;
mod backlog;
mod connection;
mod deadlines;
mod due;
mod endpoint;
mod inbox;
mod outbox;
mod partings;
mod pressure;
mod proxies;
mod rate;
pub mod record;
mod requests;
mod routes;
mod seldom;
mod share;
mod steps;
mod tap;
mod topics;
mod trace;
mod trial;
mod warnings;

pub use inbox::ConnectionId;
pub use proxies::Network;
pub use routes::{Origin, Origins};
pub use warnings::Warning;

use crate::chat::Chat;
use crate::chat::event::Effect;
use crate::history::History;
use crate::http::pages::Pages;
use crate::limits::{Limits, TURN_ECHO_BYTES};
use crate::metrics::Metrics;
use crate::tables::Slots;
use crate::time::{Millis, Now};
use crate::websocket::Scratch;
use admission::{Admission, Admitted};
use connection::{Connection, Stage};
use deadlines::Deadlines;
use endpoint::Desk;
use inbox::{Inbox, Parting};
use outbox::Turn;
use routes::Router;
use share::Encoder;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;
use topics::Topics;

/// Where a connection's bytes go. Reading is the driver's.
pub trait Socket {
    /// Writes as much as goes without waiting, as `write(2)` and `writev(2)` do. `WouldBlock` and a
    /// short write mean the same:
    /// [`Hub::writable`] is called when there is room again.
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Says that nothing more will be written (a FIN); reading goes on.
    fn shutdown_write(&mut self);
}

/// What a hub is made of.
pub struct Setup {
    /// What peers may make grow.
    pub limits: Limits,
    /// Which pages may open `/chat` and `/echo`.
    pub origins: Origins,
    /// Proxies that are believed about whom they speak for.
    pub trusted_proxies: Vec<Network>,
    /// The files that are served.
    pub pages: Box<dyn Pages>,
    /// What remembers.
    pub history: Box<dyn History>,
    /// 128 unguessable bits, anew at each call.
    pub tokens: Box<dyn FnMut() -> [u8; 16]>,
    /// When it starts: windows that begin with that count from here.
    pub now: Now,
}

/// Why there is nothing more to be read from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer shut down its sending side; answers may still reach it.
    EndOfStream,
    /// A reset, or another error: the socket is of no use any more.
    Failed,
}

/// The server without sockets.
pub struct Hub<S> {
    limits: Limits,
    connections: Slots<Connection<S>>,
    next_serial: u32,
    admission: Admission,
    router: Router,
    chat: Chat,
    topics: Topics,
    turn: Turn,
    inbox: Inbox,
    encoder: Encoder,
    scratch: Scratch,
    effects: Vec<Effect>,
    /// Connections that the chat has just dismissed.
    farewells: Vec<(ConnectionId, Parting)>,
    /// Connections that *apply* did something for in this turn.
    touched: Vec<ConnectionId>,
    deadlines: Deadlines<ConnectionId>,
    /// Connections with bytes that were read and can be taken in the next turn.
    to_take_up: Vec<ConnectionId>,
    /// Connections that wait for the inbox to become shorter.
    owed_by_inbox: Vec<ConnectionId>,
    resumed: Vec<ConnectionId>,
    doomed: Vec<ConnectionId>,
    metrics: Metrics,
    buffered: usize,
    /// `--max-buffered-bytes` was reached.
    too_much: Warning,
    now: Now,
    judging: bool,
    storage_warning: Warning,
    /// When the buffers of a turn are given up, if no other turn comes before.
    rest_at: Option<Millis>,
}

/// So long after the last turn of a load its buffers are given up, …
const REST: Duration = Duration::from_millis(250);
/// … if they have room for more bytes than this.
const ROOM_AT_REST: usize = 64 << 10;

/// With more than this in the inbox after a turn, nothing is read until it is shorter.
const INBOX_LENGTH: usize = 4_096;

impl<S: Socket> Hub<S> {
    /// A server that nobody is connected to.
    pub fn new(setup: Setup) -> Self {
        Self {
            chat: Chat::new(&setup.limits, setup.history, setup.tokens, setup.now),
            router: Router::new(setup.origins, setup.pages),
            limits: setup.limits,
            connections: Slots::new(),
            next_serial: 0,
            admission: Admission::new(setup.trusted_proxies),
            topics: Topics::default(),
            turn: Turn::default(),
            inbox: Inbox::new(),
            encoder: Encoder::default(),
            scratch: Scratch::default(),
            effects: Vec::new(),
            farewells: Vec::new(),
            touched: Vec::new(),
            deadlines: Deadlines::new(),
            to_take_up: Vec::new(),
            owed_by_inbox: Vec::new(),
            resumed: Vec::new(),
            doomed: Vec::new(),
            metrics: Metrics::default(),
            buffered: 0,
            too_much: Warning::default(),
            now: Now::default(),
            judging: true,
            storage_warning: Warning::default(),
            rest_at: None,
        }
    }

    /// The slab index, and so the mio token, that the next connection gets.
    pub fn vacant_index(&self) -> usize {
        self.connections.vacant()
    }

    /// Takes a connection. `None`: too many are being refused already, and the socket is dropped.
    pub fn accepted(&mut self, socket: S, peer: SocketAddr, now: Now) -> Option<ConnectionId> {
        let (seat, refusal) = match self.admission.enter(peer.ip(), &self.limits) {
            Admitted::Welcome(seat) => (seat, None),
            Admitted::Refused(seat, refusal) => (seat, Some(refusal)),
            Admitted::Dropped => return None,
        };
        let id = ConnectionId {
            index: self.connections.vacant() as u32,
            serial: self.next_serial,
        };
        self.next_serial = self.next_serial.wrapping_add(1);
        log::debug!("connection {}: accepted from {seat}", id.serial);
        self.connections
            .insert(Connection::new(socket, id, seat, now));
        if let Some(refusal) = refusal {
            log::debug!("connection {}: refused with {}", id.serial, refusal.status);
            self.at_desk(id, now, |connection, desk| {
                connection.refuse(&refusal, desk)
            });
        }
        self.remind(id);
        Some(id)
    }

    /// Sockets that it holds.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The connection that has this index now.
    pub fn id(&self, index: usize) -> Option<ConnectionId> {
        self.connections.get(index).map(|connection| connection.id)
    }

    /// A connection's socket, to read from.
    pub fn socket(&mut self, id: ConnectionId) -> Option<&mut S> {
        self.connection(id).map(|connection| &mut connection.socket)
    }

    /// Takes what was read from a connection, at most `READ_BYTES` at a time. Only this slot and
    /// the inbox change.
    pub fn received(&mut self, id: ConnectionId, bytes: &mut [u8], now: Now) {
        self.metrics.bytes_received += bytes.len() as u64;
        self.at_desk(id, now, |connection, desk| connection.receive(bytes, desk));
        self.remind(id);
    }

    /// Nothing more can be read from a connection.
    pub fn ended(&mut self, id: ConnectionId, why: Ended, now: Now) {
        match why {
            Ended::Failed => self.failed(id),
            Ended::EndOfStream => {
                if self.at_desk(id, now, |connection, desk| connection.end_of_stream(desk))
                    == Some(true)
                {
                    self.doom(id);
                }
                self.remind(id);
            }
        }
    }

    /// A connection's socket has room again: its backlog is tried in this turn.
    pub fn writable(&mut self, id: ConnectionId) {
        let Self {
            connections, turn, ..
        } = self;
        if let Some(connection) = connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id)
        {
            connection.outbox.set_writable();
            if !connection.outbox.is_empty() {
                turn.list(id.index, &mut connection.outbox);
            }
        }
    }

    /// Whether a connection is to be read now. Where not, [`Hub::take_resumed`] tells when.
    pub fn wants_read(&mut self, id: ConnectionId) -> bool {
        let (crowded, now) = (self.is_crowded(), self.now.mono);
        let Some(connection) = self
            .connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id)
        else {
            return false;
        };
        if connection.doomed || connection.read_closed {
            return false;
        }
        let own =
            connection.waiting > 0 || connection.has_kept() || connection.must_wait(&self.limits);
        if own || crowded {
            if !own && !connection.owed {
                self.owed_by_inbox.push(id);
            }
            connection.owed = true;
            connection.pause(now);
            return false;
        }
        connection.resume(now);
        // What it has begun may be due again.
        self.remind(id);
        true
    }

    /// Connections that are to be read although no event will tell.
    pub fn take_resumed(&mut self) -> impl Iterator<Item = ConnectionId> {
        self.resumed.drain(..)
    }

    /// Whether a turn must begin at once: something is left over.
    pub fn has_work(&self) -> bool {
        !self.inbox.is_empty() || !self.to_take_up.is_empty() || !self.resumed.is_empty()
    }

    /// When the loop must wake up at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        [
            self.deadlines.next(),
            self.chat.next_deadline(),
            self.rest_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// After a pause of the whole process nothing is due until what came meanwhile has been read:
    /// the driver says so.
    pub fn set_judge_deadlines(&mut self, judge: bool) {
        self.judging = judge;
    }

    /// The server is about to stop: what was taken is stored and answered, then every connection is
    /// closed with 1001.
    pub fn drain(&mut self, now: Now) {
        self.end_turn(now);
        while !self.inbox.is_empty() {
            self.end_turn(now);
        }
        let ids: Vec<_> = self
            .connections
            .iter()
            .map(|connection| connection.id)
            .collect();
        for id in ids {
            self.dismiss_for_good(id, now);
        }
        self.end_turn(now);
    }

    /// Whether every connection is gone.
    pub fn is_drained(&self) -> bool {
        self.connections.is_empty()
    }

    /// The driver tells how long the turn took.
    pub fn turn_took(&mut self, took: Duration) {
        self.metrics.turn_seconds.observe(took);
    }

    /// What `/metrics` tells.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection<S>> {
        self.connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id)
    }

    /// Lets a connection work with what it may change, and keeps the sum of what is held.
    fn at_desk<R>(
        &mut self,
        id: ConnectionId,
        now: Now,
        work: impl FnOnce(&mut Connection<S>, &mut Desk<'_>) -> R,
    ) -> Option<R> {
        let full = self.chat.users_kept() >= 2 * self.limits.connections as usize;
        let Self {
            limits,
            connections,
            admission,
            router,
            turn,
            inbox,
            encoder,
            scratch,
            metrics,
            buffered,
            ..
        } = self;
        let connection = connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id && !connection.doomed)?;
        let deflate = &mut encoder.deflate;
        let done = work(
            connection,
            &mut Desk {
                limits,
                turn,
                inbox,
                admission,
                router,
                deflate,
                scratch,
                metrics,
                now,
                full,
            },
        );
        connection.recount(buffered);
        if connection.doomed {
            self.doomed.push(id);
        }
        Some(done)
    }

    /// Sees to it that the connection is looked at in time.
    fn remind(&mut self, id: ConnectionId) {
        let Self {
            limits,
            connections,
            deadlines,
            ..
        } = self;
        if let Some(connection) = connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id && !connection.doomed)
            && let Some((at, _)) = connection.deadline(limits)
            && at < connection.reminder
        {
            connection.reminder = at;
            deadlines.remind(at, id);
        }
    }

    /// Whether so much is left over, or to be put out, that reading has to wait.
    pub fn is_crowded(&self) -> bool {
        self.inbox.len() > INBOX_LENGTH || self.turn.private_bytes() >= TURN_ECHO_BYTES
    }

    /// The socket is of no use any more.
    fn failed(&mut self, id: ConnectionId) {
        let Self {
            connections, inbox, ..
        } = self;
        let Some(connection) = connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id)
        else {
            return;
        };
        match &connection.stage {
            Stage::Open { .. } if !connection.parting => connection.part(Parting::Failed, inbox),
            Stage::Open { .. } => {}
            Stage::Http { .. } | Stage::Closing { .. } => self.doom(id),
        }
    }

    /// Has a connection freed at the end of the turn.
    fn doom(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connection(id)
            && !connection.doomed
        {
            connection.doomed = true;
            self.doomed.push(id);
        }
    }
}
