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
//! * `Closing`: input is discarded. When the outbox is empty, the sending side is shut down; then
//!   the peer's end is awaited, because a socket that is closed with unread input sends a reset,
//!   which can destroy our last bytes on their way.
//! * `Dead`: freed at the end of the turn.

use super::admission::Seat;
use super::backlog::Buffered;
use super::context::Context;
use super::inbox::{CloseReason, ConnectionId, Entry};
use super::outbox::{Outbox, Source};
use super::rate::{Rate, Refusals};
use super::routes::Path;
use super::topics::{Encoding, Subscriptions};
use super::wire::Tap;
use crate::chat::event::ClientId;
use crate::http::{Refusal, Requests};
use crate::limits::{CLOSE_TIMEOUT, LINGER_BYTES, LINGER_TIMEOUT, Limits};
use crate::time::Millis;
use crate::websocket::{self, CloseCode, DeflateParameters, Upgrade, WebSocket};

/// The close for a client that goes on after a hundred refusals.
pub(super) const FLOODING: CloseReason =
    CloseReason::Ours(CloseCode::POLICY, "too many messages (--rate)");

/// A connection's stage. Assigned by the functions that the diagram names, and nowhere else.
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

/// Where HTTP is between requests and responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// No request was answered yet.
    First,
    /// The next request may begin.
    Next,
    /// A response is being sent.
    Answering,
}

/// The state of a WebSocket connection.
pub(super) struct Open {
    pub(super) websocket: WebSocket,
    pub(super) endpoint: Endpoint,
    pub(super) phase: Phase,
    /// Silence is counted since a ping.
    pinged: bool,
    pub(super) rate: Rate,
    pub(super) pending: Pending,
}

/// The service that a WebSocket is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The chat; without a client before `Opened` is applied, and after the close.
    Chat(Option<ClientId>),
    Echo,
}

/// How far a WebSocket's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Its end is in the inbox; no more input is processed.
    Leaving,
    /// Our close frame is sent, and the chat has forgotten it.
    CloseSent,
}

/// A connection's entries in the inbox.
#[derive(Default)]
pub(super) struct Pending {
    /// At most what one read holds: a request takes seven bytes of it.
    pub(super) entries: u16,
    /// Those that may have a long answer.
    pub(super) questions: u8,
    /// It has a proposal in this turn.
    pub(super) proposed: bool,
    /// One of its requests, and so all that follow, wait for the next turn.
    pub(super) deferred: bool,
}

/// A connection whose last bytes are being sent.
pub(super) struct Closing {
    /// Everything is sent, and the sending side is shut down.
    shut: bool,
    /// How many bytes may still be discarded; `None` after a WebSocket: any number (RFC 6455
    /// §7.1.1).
    pub(super) discard: Option<usize>,
}

/// State that most connections don't have. Boxed, so an idle connection pays one pointer.
#[derive(Default)]
pub(super) struct RareState {
    /// Bytes that were read and must wait; at most one read.
    pub(super) unparsed: Vec<u8>,
    /// Bytes of this connection counted in [`Buffered`], beside its backlog.
    counted: usize,
    /// When the unfinished message began.
    pub(super) message_since: Option<Millis>,
    /// Since when it is not read, for reasons of ours.
    paused_since: Option<Millis>,
    pub(super) tap: Option<Box<dyn Tap>>,
    refusals: Refusals,
}

/// A connection's place in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadState {
    /// An event will report when there is something to read.
    Idle,
    /// It is in the queue.
    Queued,
    /// There is, or may be, something to read, and it must wait.
    Blocked,
}

/// A row of the hub's table.
pub(super) struct Connection<S> {
    pub(super) socket: S,
    pub(super) id: ConnectionId,
    pub(super) seat: Seat,
    pub(super) life: Life,
    pub(super) outbox: Outbox,
    pub(super) subscriptions: Subscriptions,
    pub(super) rare: Option<Box<RareState>>,
    /// When its one valid reminder comes up.
    pub(super) reminder: Millis,
    /// The start of the time until its deadline.
    pub(super) since: Millis,
    pub(super) read_state: ReadState,
    /// The peer has shut down its sending side.
    pub(super) input_ended: bool,
}

/// A deadline that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// No whole request head was received.
    Head,
    /// A message began and did not end.
    Message,
    /// Nothing was received: a ping is sent.
    Ping,
    /// There is nothing left to wait for.
    Gone,
}

/// The next action when the outbox is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    /// A response is sent, and another request may come.
    Response,
    /// Everything is sent: the sending side must be shut down.
    Everything,
}

/// Whether a command or control frame is within the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Refused { retry_ms: u64 },
    Flooding,
}

impl RareState {
    fn is_empty(&self) -> bool {
        self.unparsed.capacity() == 0
            && self.counted == 0
            && self.message_since.is_none()
            && self.paused_since.is_none()
            && self.tap.is_none()
            && self.refusals.is_empty()
    }
}

impl Open {
    /// Takes one command, or one control frame or fragment, from the rate.
    pub(super) fn charge(
        &mut self,
        is_command: bool,
        rare: &mut Option<Box<RareState>>,
        rate: u32,
        now: Millis,
    ) -> Verdict {
        let taken = if is_command {
            self.rate.command(rate, now)
        } else {
            self.rate.chore(rate, now)
        };
        match taken {
            Ok(()) => Verdict::Allowed,
            Err(_) if rare.get_or_insert_default().refusals.add(now) => Verdict::Flooding,
            Err(retry_ms) => Verdict::Refused { retry_ms },
        }
    }
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
            outbox: Outbox::new(),
            subscriptions: Subscriptions::default(),
            rare: None,
            reminder: Millis(u64::MAX),
            since: now,
            read_state: ReadState::Idle,
            input_ended: false,
        }
    }

    /// Http → Open: switches to WebSocket.
    pub(super) fn upgrade(&mut self, upgrade: &Upgrade, path: Path, cx: &mut Context) {
        debug_assert!(matches!(self.life, Life::Http(_)));
        cx.metrics.handshakes += 1;
        cx.metrics.connections += 1;
        let (limit, endpoint) = match path {
            Path::Chat => (cx.limits.message_bytes, Endpoint::Chat(None)),
            Path::Echo => (cx.limits.echo_bytes, Endpoint::Echo),
        };
        let mut pending = Pending::default();
        if path == Path::Chat {
            pending.entries = 1;
            cx.inbox.push_back((self.id, Entry::Opened));
        }
        self.since = cx.now.mono;
        self.life = Life::Open(Open {
            websocket: WebSocket::server(limit).with_deflate(upgrade.deflate()),
            endpoint,
            phase: Phase::Running,
            pinged: false,
            rate: Rate::default(),
            pending,
        });
    }

    /// Running → Leaving: puts the end of a WebSocket into the inbox, after its requests; with
    /// `first`, before them. After our close frame nothing has to be in order, and it ends at once.
    pub(super) fn end(&mut self, reason: CloseReason, first: bool, cx: &mut Context) {
        let Life::Open(open) = &mut self.life else {
            debug_assert!(false, "only a WebSocket has an end to be put in order");
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

    /// Running or Leaving → CloseSent: the peer's close frame is awaited.
    pub(super) fn close_sent(&mut self, now: Millis) {
        if let Life::Open(open) = &mut self.life {
            debug_assert_ne!(open.phase, Phase::CloseSent);
            open.phase = Phase::CloseSent;
        }
        self.since = now;
        if let Some(rare) = &mut self.rare {
            rare.message_since = None;
        }
    }

    /// Http or Open → Closing: what is in the outbox is still sent, and input is discarded.
    pub(super) fn begin_closing(&mut self, cx: &mut Context) {
        let discard = match &self.life {
            Life::Http(_) => Some(LINGER_BYTES),
            Life::Open(_) => None,
            Life::Closing(_) | Life::Dead => {
                debug_assert!(false, "it is closing already");
                return;
            }
        };
        let shut = false;
        self.life = Life::Closing(Closing { shut, discard });
        self.since = cx.now.mono;
        cx.turn.mark_dirty(self.id.index, &mut self.outbox);
        if let Some(rare) = &mut self.rare {
            rare.unparsed = Vec::new();
            rare.tap = None;
            (rare.message_since, rare.paused_since) = (None, None);
        }
    }

    /// Any stage → Dead. The chat must have forgotten a WebSocket.
    pub(super) fn kill(&mut self) {
        debug_assert!(!self.is_open(), "the chat has not forgotten it");
        self.life = Life::Dead;
    }

    /// Handles a socket that failed.
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
                self.refuse(
                    &Refusal::bad_request("the request headers were cut off"),
                    cx,
                );
            }
            Life::Http(_) => self.kill(),
            Life::Closing(closing) if closing.shut => self.kill(),
            Life::Open(_) => self.end(CloseReason::EndOfStream, false, cx),
            Life::Closing(_) | Life::Dead => {}
        }
    }

    /// Handles an outbox that became empty.
    pub(super) fn on_sent(&mut self, now: Millis) -> Sent {
        let is_last = self.input_ended && !self.has_unparsed();
        let sent = match &mut self.life {
            Life::Http(http) if http.exchange == Exchange::Answering => {
                http.exchange = Exchange::Next;
                Sent::Response
            }
            Life::Closing(closing) if !closing.shut => {
                closing.shut = true;
                Sent::Everything
            }
            _ => return Sent::Nothing,
        };
        self.since = now;
        if is_last {
            self.kill();
            return Sent::Nothing;
        }
        sent
    }

    /// Returns whether it is a WebSocket that the chat knows: nothing may follow a close frame.
    pub(super) fn is_open(&self) -> bool {
        matches!(&self.life, Life::Open(open) if open.phase != Phase::CloseSent)
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.life, Life::Dead)
    }

    /// Returns whether its end is in the inbox.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(&self.life, Life::Open(open) if open.phase == Phase::Leaving)
    }

    /// Returns how events reach it. Shared events are compressed once, for a full window; a
    /// connection with a smaller one gets them uncompressed.
    pub(super) fn encoding(&self) -> Encoding {
        match &self.life {
            Life::Open(open)
                if open
                    .websocket
                    .deflate()
                    .is_some_and(DeflateParameters::has_full_window) =>
            {
                Encoding::Deflated
            }
            _ => Encoding::Plain,
        }
    }
}

// Time and memory.
impl<S> Connection<S> {
    /// Notes that it is not read, for reasons of ours.
    pub(super) fn pause(&mut self, now: Millis) {
        self.rare
            .get_or_insert_default()
            .paused_since
            .get_or_insert(now);
    }

    /// Notes that it is read again. The time between does not count against its message.
    pub(super) fn resume(&mut self, now: Millis) {
        let Some(rare) = &mut self.rare else { return };
        let Some(paused_since) = rare.paused_since.take() else {
            return;
        };
        if let Some(began) = &mut rare.message_since {
            *began = began.after(now.since(paused_since));
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

    /// Notes that the socket took some bytes.
    pub(super) fn on_progress(&mut self, now: Millis) {
        match &self.life {
            Life::Http(_) | Life::Closing(Closing { shut: false, .. }) => self.since = now,
            // While it is not read, taking bytes is its only sign of life.
            Life::Open(_) if self.is_paused() => self.on_life_sign(now),
            Life::Open(_) | Life::Closing(_) | Life::Dead => {}
        }
    }

    fn is_paused(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.paused_since.is_some())
    }

    /// Returns its deadline and what that means. The reminder is never later.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<(Millis, Due)> {
        let (wait, due) = match &self.life {
            Life::Http(http) if http.exchange == Exchange::Answering => {
                (limits.handshake_timeout, Due::Gone)
            }
            Life::Http(_) => (limits.handshake_timeout, Due::Head),
            Life::Closing(Closing { shut: false, .. }) => (limits.handshake_timeout, Due::Gone),
            Life::Closing(Closing {
                discard: Some(_), ..
            }) => (LINGER_TIMEOUT, Due::Gone),
            Life::Closing(_) => (CLOSE_TIMEOUT, Due::Gone),
            Life::Open(open) if open.phase == Phase::CloseSent => (CLOSE_TIMEOUT, Due::Gone),
            Life::Open(open) if open.phase == Phase::Running => {
                let silence = match open.pinged {
                    true => Some((self.since.after(limits.pong_timeout), Due::Gone)),
                    false if limits.ping_interval.is_zero() => None,
                    false => Some((self.since.after(limits.ping_interval), Due::Ping)),
                };
                let rare = self.rare.as_ref().filter(|_| !self.is_paused());
                let message = rare.and_then(|rare| rare.message_since);
                let message =
                    message.map(|began| (began.after(limits.message_timeout), Due::Message));
                return [silence, message]
                    .into_iter()
                    .flatten()
                    .min_by_key(|(at, _)| *at);
            }
            // Its end is in the inbox, and is applied in this turn or the next.
            Life::Open(_) | Life::Dead => return None,
        };
        Some((self.since.after(wait), due))
    }

    /// Sends a ping. From here on silence counts against the peer.
    pub(super) fn ping(&mut self, cx: &mut Context) {
        self.since = cx.now.mono;
        if let Life::Open(open) = &mut self.life {
            open.pinged = true;
        }
        if let Some(rare) = &mut self.rare {
            rare.refusals.expire(cx.now.mono);
        }
        let outbox = &mut self.outbox;
        cx.turn
            .write(self.id.index, outbox, Source::Frames, websocket::ping);
    }

    /// Handles a request head that is late. Between two requests there is nothing to refuse.
    pub(super) fn on_head_timeout(&mut self, cx: &mut Context) {
        match &self.life {
            Life::Http(http)
                if http.exchange == Exchange::First || http.requests.held_bytes() > 0 =>
            {
                let sentence = "the head of the request did not arrive within --handshake-timeout";
                self.refuse(&Refusal::new(408, sentence), cx)
            }
            _ => self.kill(),
        }
    }

    /// Counts the bytes that are held for it beside its backlog, and frees [`RareState`] if nothing
    /// of it is left.
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
        self.rare.take_if(|rare| rare.is_empty());
    }

    /// Returns all bytes held for it, including what it shares with others.
    pub(super) fn held_bytes(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.counted) + self.outbox.backlog_bytes()
    }

    /// Frees everything, at its end.
    pub(super) fn release(&mut self, buffered: &mut Buffered) {
        debug_assert!(self.is_dead());
        self.outbox.release(buffered);
        if let Some(rare) = self.rare.take() {
            buffered.replace(rare.counted, 0);
        }
    }
}
