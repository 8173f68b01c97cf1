//! One connection: the stages of its life, what its bytes mean in each, and its deadline.
//!
//! ```text
//!            accepted                     [Connection::new]
//!                v
//!              Http ------- 101 -------> Open: Running          [upgrade]
//!                |                         |      | its end is in the inbox   [end]
//!                |                         |      v
//!                |                         |    Leaving
//!                | refusal, or             |      | our close frame is sent   [close_sent]
//!                | Connection: close       |      v
//!                |                         |    CloseSent
//!                v                         v      v peer's close frame, violation, end of stream
//!              Closing <-----------------------------            [begin_closing]
//!                v
//!              Dead                                              [kill], from any stage
//! ```
//!
//! * `Http`: requests are answered one after another.
//! * `Open`: frames are read. In `CloseSent`, messages are ignored and only the peer's close frame
//!   counts (RFC 6455 §7.1.1).
//! * `Closing`: input is discarded. When everything is sent, the sending side is shut down, and the
//!   server waits for the peer's end: a socket that is closed with unread input sends a reset,
//!   which can destroy the last bytes on their way.
//! * `Dead`: freed at the end of the turn.

use super::Socket;
use super::admission::Seat;
use super::backlog::Buffered;
use super::context::Context;
use super::inbox::{CloseReason, ConnectionId, Entry};
use super::outbox::{Encoding, Outbox, Source};
use super::rate::Rate;
use super::routes::Path;
use super::wire::Tap;
use crate::http::{Refusal, Requests};
use crate::limits::{CLOSE_TIMEOUT, LINGER_BYTES, LINGER_TIMEOUT, Limits};
use crate::time::Millis;
use crate::websocket::{self, CloseCode, Opcode, ServerHandshake, WebSocket};

/// The stage of a connection. Only the functions that the diagram names assign it.
pub(super) enum Life {
    Http(Http),
    Open(Open),
    Closing(Closing),
    Dead,
}

/// A connection that speaks HTTP.
pub(super) struct Http {
    pub(super) requests: Box<Requests>,
    pub(super) exchange: Exchange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// No request was answered yet.
    First,
    /// The next request may begin.
    Next,
    /// A response is being sent.
    Answering,
}

/// A connection that speaks WebSocket.
pub(super) struct Open {
    pub(super) websocket: WebSocket,
    pub(super) endpoint: Endpoint,
    pub(super) phase: Phase,
    /// A ping was sent, and nothing was received since.
    pinged: bool,
    pub(super) rate: Rate,
    pub(super) pending: Pending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The chat, and whether it knows the connection: from `Entry::Opened` until the close.
    Chat(bool),
    Echo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// `Entry::Closed` is in the inbox; no more input is processed.
    Leaving,
    /// Our close frame is sent, and the chat has forgotten the connection.
    CloseSent,
}

/// A connection's entries in the inbox.
#[derive(Default)]
pub(super) struct Pending {
    /// All entries. One read holds fewer than 2^16, because a request takes at least seven bytes.
    pub(super) entries: u16,
    /// The entries that may have a long answer.
    pub(super) questions: u8,
    /// The connection has a proposal in this turn.
    pub(super) proposed: bool,
    /// One of its requests, and so all that follow, wait for the next turn.
    pub(super) deferred: bool,
}

/// A connection whose last bytes are being sent.
pub(super) struct Closing {
    /// Everything is sent, and the sending side is shut down.
    shut: bool,
    /// The bytes of input that may still be discarded. `None`: no limit, after a WebSocket (RFC
    /// 6455 §7.1.1).
    pub(super) discard: Option<usize>,
}

/// State that most connections don't have. Boxed, so an idle connection pays one pointer.
#[derive(Default)]
pub(super) struct RareState {
    /// Bytes that were read and are not parsed yet; at most one read.
    pub(super) unparsed: Vec<u8>,
    /// Bytes of this connection that are counted in [`Buffered`], without its backlog.
    counted: usize,
    /// The time from which the deadline of the unfinished message is counted.
    pub(super) message_since: Option<Millis>,
    pub(super) tap: Option<Box<dyn Tap>>,
    /// The `trace` that made the tap is not applied yet.
    pub(super) tap_waits: bool,
}

/// Whether a connection is in the queue of connections to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadState {
    /// An event will report when there is something to read.
    Idle,
    /// The connection is in the queue.
    Queued,
    /// There is, or may be, something to read, but the connection must wait.
    Blocked,
}

pub(super) struct Connection<S> {
    pub(super) socket: S,
    pub(super) id: ConnectionId,
    pub(super) seat: Seat,
    pub(super) life: Life,
    pub(super) outbox: Outbox,
    pub(super) rare: Option<Box<RareState>>,
    /// The time of the connection's only valid reminder.
    pub(super) reminder: Millis,
    /// The time from which the deadline is counted.
    pub(super) since: Millis,
    pub(super) read_state: ReadState,
    /// The peer has shut down its sending side.
    pub(super) input_ended: bool,
}

/// What happens at a deadline.
enum Due {
    /// A message is not complete: the WebSocket is closed.
    CloseSlowMessage,
    /// Nothing was received: a ping is sent.
    Ping,
    /// The connection is dropped, if no request head has begun.
    Drop,
}

// The stages and the transitions between them.
impl<S> Connection<S> {
    pub(super) fn new(socket: S, id: ConnectionId, seat: Seat, now: Millis) -> Self {
        Self {
            socket,
            id,
            seat,
            life: Life::Http(Http {
                requests: Box::default(),
                exchange: Exchange::First,
            }),
            outbox: Outbox::new(id.index),
            rare: None,
            reminder: Millis(u64::MAX),
            since: now,
            read_state: ReadState::Idle,
            input_ended: false,
        }
    }

    /// Http → Open: switches to WebSocket.
    pub(super) fn upgrade(&mut self, upgrade: &ServerHandshake, path: Path, cx: &mut Context) {
        debug_assert!(matches!(self.life, Life::Http(_)));
        cx.metrics.handshakes += 1;
        cx.metrics.connections += 1;
        let mut pending = Pending::default();
        let (limit, endpoint) = match path {
            Path::Chat(user) => {
                pending.entries = 1;
                cx.inbox.push_back((self.id, Entry::Opened(user)));
                (cx.limits.message_bytes, Endpoint::Chat(false))
            }
            Path::Echo => (cx.limits.echo_bytes, Endpoint::Echo),
        };
        // Shared events are compressed once, for a full window. A connection with a smaller window
        // gets them uncompressed.
        let deflate = upgrade.accepted.deflate;
        if deflate.is_some_and(|it| it.compressible_bytes() == usize::MAX) {
            self.outbox.encoding = Encoding::Deflated;
        }
        self.since = cx.now.mono;
        self.life = Life::Open(Open {
            websocket: WebSocket::server(limit)
                .with_deflate(deflate)
                .answering_pings(false),
            endpoint,
            phase: Phase::Running,
            pinged: false,
            rate: Rate::default(),
            pending,
        });
    }

    /// Running → Leaving: puts the end of a WebSocket into the inbox, after its requests; with
    /// `first`, before them. After our close frame the connection ends at once.
    pub(super) fn end(&mut self, reason: CloseReason, first: bool, cx: &mut Context) {
        let Life::Open(open) = &mut self.life else {
            debug_assert!(false, "the connection is no WebSocket");
            return;
        };
        match (open.phase, &reason) {
            (Phase::Running, _) => {
                open.phase = Phase::Leaving;
                open.pending.entries += 1;
                let entry = (self.id, Entry::Closed(reason));
                if first {
                    cx.inbox.push_front(entry);
                } else {
                    cx.inbox.push_back(entry);
                }
            }
            (Phase::Leaving, _) | (Phase::CloseSent, CloseReason::Ours(..)) => {}
            (Phase::CloseSent, CloseReason::Failed) => self.kill(),
            (Phase::CloseSent, _) => self.begin_closing(cx),
        }
    }

    /// Running or Leaving → CloseSent: waits for the peer's close frame.
    pub(super) fn close_sent(&mut self, now: Millis) {
        if let Life::Open(open) = &mut self.life {
            debug_assert_ne!(open.phase, Phase::CloseSent);
            open.phase = Phase::CloseSent;
        }
        self.since = now;
    }

    /// Http or Open → Closing: sends what is in the outbox, and discards input.
    pub(super) fn begin_closing(&mut self, cx: &mut Context) {
        let discard = match &self.life {
            Life::Http(_) => Some(LINGER_BYTES),
            Life::Open(_) => None,
            Life::Closing(_) | Life::Dead => {
                debug_assert!(false, "the connection is closing already");
                return;
            }
        };
        let shut = false;
        self.life = Life::Closing(Closing { shut, discard });
        self.since = cx.now.mono;
        cx.turn.mark_dirty(&mut self.outbox);
        if let Some(rare) = &mut self.rare {
            rare.unparsed = Vec::new();
            rare.tap = None;
            rare.message_since = None;
        }
    }

    /// Any stage → Dead. The chat must have forgotten a WebSocket.
    pub(super) fn kill(&mut self) {
        debug_assert!(!self.is_open(), "the chat has not forgotten it");
        self.life = Life::Dead;
    }

    pub(super) fn on_failed(&mut self, cx: &mut Context) {
        match &self.life {
            Life::Open(_) => self.end(CloseReason::Failed, false, cx),
            Life::Http(_) | Life::Closing(_) | Life::Dead => self.kill(),
        }
    }

    /// Handles the end of the peer's stream, once all input is processed.
    pub(super) fn on_end_of_stream(&mut self, cx: &mut Context) {
        self.input_ended = true;
        match &self.life {
            _ if self.has_unparsed() => {}
            Life::Http(http) if http.exchange == Exchange::Answering => {}
            Life::Http(http) if http.requests.held_bytes() > 0 => {
                let refusal = Refusal::bad_request("the request headers were cut off");
                self.refuse(&refusal, cx);
            }
            Life::Http(_) => self.kill(),
            Life::Closing(closing) if closing.shut => self.kill(),
            Life::Open(_) => self.end(CloseReason::EndOfStream, false, cx),
            Life::Closing(_) | Life::Dead => {}
        }
    }

    /// Handles an outbox that became empty: the next request may come, or the sending side is shut
    /// down.
    pub(super) fn on_sent(&mut self, cx: &mut Context)
    where
        S: Socket,
    {
        let is_last = self.input_ended && !self.has_unparsed();
        match &mut self.life {
            Life::Http(http) if http.exchange == Exchange::Answering => {
                http.exchange = Exchange::Next;
                cx.admission.answered(&mut self.seat);
            }
            Life::Closing(closing) if !closing.shut => {
                closing.shut = true;
                self.socket.shutdown_write();
            }
            _ => return,
        }
        self.since = cx.now.mono;
        if is_last {
            self.kill();
        }
    }

    /// Returns whether frames can be sent: not after our close frame.
    pub(super) fn is_open(&self) -> bool {
        matches!(&self.life, Life::Open(open) if open.phase != Phase::CloseSent)
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.life, Life::Dead)
    }

    pub(super) fn is_in(&self, phase: Phase) -> bool {
        matches!(&self.life, Life::Open(open) if open.phase == phase)
    }
}

// Time and memory.
impl<S> Connection<S> {
    /// Restarts the timers of a connection that had to wait, and is read again.
    pub(super) fn resume(&mut self, now: Millis) {
        if let Some(since) = self
            .rare
            .as_mut()
            .and_then(|rare| rare.message_since.as_mut())
        {
            *since = now;
        }
        // A ping that was sent meanwhile must still be answered.
        if matches!(&self.life, Life::Open(open) if !open.pinged) {
            self.on_life_sign(now);
        }
    }

    /// Restarts the time of silence.
    pub(super) fn on_life_sign(&mut self, now: Millis) {
        if let Life::Open(open) = &mut self.life
            && open.phase != Phase::CloseSent
        {
            open.pinged = false;
            self.since = now;
        }
    }

    /// Notes that the socket accepted some bytes.
    pub(super) fn on_progress(&mut self, now: Millis) {
        match &self.life {
            Life::Http(_) | Life::Closing(Closing { shut: false, .. }) => self.since = now,
            // While the hub does not read from it, this is the only sign of life.
            Life::Open(_) if self.read_state == ReadState::Blocked => self.on_life_sign(now),
            Life::Open(_) | Life::Closing(_) | Life::Dead => {}
        }
    }

    fn deadline(&self, limits: &Limits) -> Option<(Millis, Due)> {
        let wait = match &self.life {
            Life::Http(_) | Life::Closing(Closing { shut: false, .. }) => limits.handshake_timeout,
            Life::Closing(it) if it.discard.is_some() => LINGER_TIMEOUT,
            Life::Closing(_) => CLOSE_TIMEOUT,
            Life::Open(open) => match open.phase {
                Phase::Running => return self.running_deadline(open.pinged, limits),
                // `Entry::Closed` is applied in this turn or the next.
                Phase::Leaving => return None,
                Phase::CloseSent => CLOSE_TIMEOUT,
            },
            Life::Dead => return None,
        };
        Some((self.since.after(wait), Due::Drop))
    }

    fn running_deadline(&self, pinged: bool, limits: &Limits) -> Option<(Millis, Due)> {
        let silence = match pinged {
            true => Some((self.since.after(limits.pong_timeout), Due::Drop)),
            false if limits.ping_interval.is_zero() => None,
            false => Some((self.since.after(limits.ping_interval), Due::Ping)),
        };
        let is_read = self.read_state != ReadState::Blocked;
        let message = self.rare.as_ref().and_then(|rare| rare.message_since);
        let message = message.filter(|_| is_read);
        let message =
            message.map(|since| (since.after(limits.message_timeout), Due::CloseSlowMessage));
        let deadlines = silence.into_iter().chain(message);
        deadlines.min_by_key(|(at, _)| *at)
    }

    /// Moves the reminder if the deadline is earlier, and returns its new time. So the reminder is
    /// never later than the deadline.
    pub(super) fn next_reminder(&mut self, limits: &Limits) -> Option<Millis> {
        let (at, _) = self
            .deadline(limits)
            .filter(|(at, _)| *at < self.reminder)?;
        self.reminder = at;
        Some(at)
    }

    pub(super) fn check_deadline(&mut self, cx: &mut Context) {
        let deadline = self.deadline(&cx.limits);
        let Some((_, due)) = deadline.filter(|(at, _)| *at <= cx.now.mono) else {
            return;
        };
        match (due, &mut self.life) {
            (Due::Ping, Life::Open(open)) => {
                // From here on silence counts against the peer.
                open.pinged = true;
                self.since = cx.now.mono;
                let outbox = &mut self.outbox;
                cx.turn.write(outbox, Source::Frames, |out| {
                    websocket::encode_message(Opcode::Ping, &[], out)
                });
            }
            (Due::CloseSlowMessage, _) => {
                let why = "message not completed within --message-timeout";
                self.end(CloseReason::Ours(CloseCode::POLICY, why), false, cx);
            }
            (Due::Drop, Life::Http(http))
                if http.exchange == Exchange::First || http.requests.held_bytes() > 0 =>
            {
                let sentence = "the head of the request did not arrive within --handshake-timeout";
                self.refuse(&Refusal::new(408, sentence), cx);
            }
            (Due::Ping | Due::Drop, _) => {
                log::debug!("connection {}: timed out", self.id.serial);
                self.on_failed(cx);
            }
        }
    }

    /// Counts the bytes held for the connection beside its backlog, and frees an empty
    /// [`RareState`].
    pub(super) fn recount(&mut self, buffered: &mut Buffered) {
        let unfinished = match &self.life {
            Life::Http(http) => http.requests.held_bytes(),
            Life::Open(open) => open.websocket.held_bytes(),
            Life::Closing(_) | Life::Dead => 0,
        };
        if unfinished == 0 && self.rare.is_none() {
            return;
        }
        let rare = self.rare.get_or_insert_default();
        let tap = rare.tap.as_ref().map_or(0, |tap| tap.held_bytes());
        let held = unfinished + rare.unparsed.capacity() + tap;
        buffered.replace(rare.counted, held);
        rare.counted = held;
        self.rare.take_if(|rare| {
            rare.counted == 0 && rare.tap.is_none() && rare.message_since.is_none()
        });
    }

    /// Returns all bytes held for the connection, including what it shares with others.
    pub(super) fn held_bytes(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.counted) + self.outbox.backlog_bytes()
    }

    /// Frees everything, at the end of the connection.
    pub(super) fn release(&mut self, buffered: &mut Buffered) {
        debug_assert!(self.is_dead());
        if let Some(backlog) = self.outbox.backlog.take() {
            backlog.release(buffered);
        }
        if let Some(rare) = self.rare.take() {
            buffered.replace(rare.counted, 0);
        }
    }
}
