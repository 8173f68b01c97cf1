//! One connection's life: what bytes mean in each stage of it, and what its deadline is.
//!
//! ```text
//!             accepted                    [Connection::new]            reminder: handshake timeout
//!                v
//!              Http ---- 101 ---------> Open                           [Connection::upgrade]  reminder: ping, then pong; a message's end
//!                |                        |  we close: 1001, 1008, 1013, …
//!                |                        |     it stays Open, but its machine is CloseSent: frames are read, messages dropped,
//!                | refusal, or            |     only the peer's close frame counts          reminder: close timeout
//!                | Connection: close      | both close frames are through, or a violation was answered (RFC 6455 §7.1.7)
//!                v                        v
//!                +-------------------> Closing                         [Connection::begin_closing]  reminder: 1 s after the outbox is empty
//!                                         |
//!    end of stream, error, or reminder    v
//!    (from any stage)                  (freed)                         [Hub::free]
//! ```
//!
//! * `Http`: what is kept is the unfinished head; answers go out in the order of their requests,
//!   one under way.
//! * `Open`: what is kept is an unfinished frame's header and message.
//! * `Closing`: nothing is kept and nothing is read as anything; writing is shut once the outbox is
//!   empty, then the peer's end
//!   is awaited. A socket that is closed with input unread sends a reset, which can destroy our
//!   last words on their way.
//!
//! Two closings and not one: if input were ignored while we wait for the peer's close frame, a
//! client that answered it and
//! waits for us to close TCP (§7.1.1) would wait for a reminder.
//!
//! Not here: what a message means (`endpoint`), and what follows from it: requests and partings go
//! into the turn's inbox.

use super::admission::Seat;
use super::endpoint::{Desk, Ear, Endpoint, count_chores};
use super::inbox::{ConnectionId, Inbox, Parting, Said};
use super::outbox::{Outbox, Source};
use super::rate::Rate;
use super::routes::Path;
use super::seldom::Seldom;
use super::tap::Tap;
use super::topics::{Encoding, Subscriptions};
use crate::http::{Refusal, Requests};
use crate::limits::{LINGER_BYTES, Limits, READ_BYTES, TURN_QUESTIONS};
use crate::time::{Millis, Now};
use crate::websocket::{CloseCode, DeflateParameters, Event, Received, Upgrade, WebSocket};

/// Where a connection is in its life. Assigned in this file only, by the functions that the diagram
/// names.
pub(super) enum Stage {
    Http {
        requests: Box<Requests>,
        answering: bool,
        served: bool,
    },
    Open {
        websocket: WebSocket,
        endpoint: Endpoint,
    },
    Closing {
        thrown_away: usize,
        shut: bool,
    },
}

/// A slot of the slab.
pub(super) struct Connection<S> {
    pub(super) socket: S,
    pub(super) id: ConnectionId,
    pub(super) seat: Seat,
    pub(super) stage: Stage,
    pub(super) outbox: Outbox,
    pub(super) subscriptions: Subscriptions,
    pub(super) rate: Rate,
    /// What only few have.
    pub(super) seldom: Option<Box<Seldom>>,
    /// When its one live reminder comes up.
    pub(super) reminder: Millis,
    /// Since when it is waited for. Open: since its last byte came; or since the ping, or our close
    /// frame, went out.
    pub(super) since: Millis,
    pub(super) pinged: bool,
    /// Its end is in the inbox; nothing more is taken from it.
    pub(super) parting: bool,
    /// The peer has shut down its sending side.
    pub(super) read_closed: bool,
    /// The chat and the topics have forgotten it, and its end is counted.
    pub(super) parted: bool,
    /// What is kept is taken up in the next turn.
    pub(super) taken_up_next: bool,
    /// It is freed at the end of the turn.
    pub(super) doomed: bool,
    /// The driver wanted to read and was told to wait.
    pub(super) owed: bool,
    /// Its entries in the inbox.
    pub(super) waiting: u32,
    /// Those of them whose answers may be long: at most [`TURN_QUESTIONS`].
    pub(super) questions: u8,
    /// It has a proposal in this turn.
    pub(super) proposed: bool,
    /// A request of its own, and so all behind it, waits for the next turn.
    pub(super) deferred: bool,
}

impl<S> Connection<S> {
    pub(super) fn new(socket: S, id: ConnectionId, seat: Seat, now: Now) -> Self {
        Self {
            socket,
            id,
            seat,
            stage: Stage::Http {
                requests: Box::default(),
                answering: false,
                served: false,
            },
            outbox: Outbox::new(),
            subscriptions: Subscriptions::default(),
            rate: Rate::default(),
            seldom: None,
            reminder: Millis(u64::MAX),
            since: now.mono,
            pinged: false,
            parting: false,
            parted: false,
            taken_up_next: false,
            read_closed: false,
            doomed: false,
            owed: false,
            waiting: 0,
            questions: 0,
            proposed: false,
            deferred: false,
        }
    }

    /// Takes bytes that came from the socket.
    pub(super) fn receive(&mut self, bytes: &mut [u8], desk: &mut Desk<'_>) {
        self.heard(desk.now.mono);
        if let Some(tap) = self.tap_mut() {
            tap.came(bytes, desk.now.unix);
            desk.turn.list(self.id.index, &mut self.outbox);
        }
        self.take(bytes, desk);
    }

    /// Takes up what had to wait.
    pub(super) fn take_up(&mut self, desk: &mut Desk<'_>) {
        self.resume(desk.now.mono);
        let mut kept = self
            .seldom
            .as_mut()
            .map(|seldom| std::mem::take(&mut seldom.kept))
            .unwrap_or_default();
        self.take(&mut kept, desk);
    }

    fn take(&mut self, mut bytes: &mut [u8], desk: &mut Desk<'_>) {
        let mut inflated_bytes = 0;
        while !bytes.is_empty() {
            // What a message was inflated to counts as read: the rest is left for the next turn,
            // after the others.
            if inflated_bytes > READ_BYTES || self.must_wait(desk.limits) {
                self.pause(desk.now.mono);
                self.seldom_mut().kept.extend_from_slice(bytes);
                break;
            }
            let was_tapped = self.is_tapped();
            let used = match &mut self.stage {
                Stage::Http { .. } => self.take_request(bytes, desk),
                Stage::Open { .. } => {
                    let (used, payload_bytes) = self.take_frames(bytes, desk);
                    inflated_bytes += payload_bytes.saturating_sub(used);
                    used
                }
                Stage::Closing { thrown_away, .. } => {
                    *thrown_away += bytes.len();
                    self.doomed |= *thrown_away > LINGER_BYTES;
                    bytes.len()
                }
            };
            bytes = &mut bytes[used..];
            if self.is_tapped() && !was_tapped {
                self.tap_begins(bytes, desk.now);
            }
        }
        if let Stage::Open { websocket, .. } = &mut self.stage {
            // Gives back what the last message was gathered in; nothing else can come of no bytes.
            let nothing = websocket.receive(&mut [], desk.scratch, &mut Vec::new());
            debug_assert!(matches!(nothing, Ok(Received::Nothing)));
            if websocket.in_progress() {
                self.seldom_mut().message_since.get_or_insert(desk.now.mono);
            } else {
                self.message_ended();
            }
        }
    }

    /// Bytes that are kept for this connection beside its outbox, newly counted: `buffered` is the
    /// sum of all.
    pub(super) fn recount(&mut self, buffered: &mut usize) {
        let unfinished = match &self.stage {
            Stage::Http { requests, .. } => requests.held_bytes(),
            Stage::Open { websocket, .. } => websocket.held_bytes(),
            Stage::Closing { .. } => 0,
        };
        if unfinished == 0 && self.seldom.is_none() {
            return;
        }
        let seldom = self.seldom_mut();
        let held = unfinished + seldom.held_bytes();
        *buffered = *buffered - seldom.counted + held;
        seldom.counted = held;
        self.drop_nothing();
    }

    /// All that is held for this connection, what it shares with others too.
    pub(super) fn held_bytes(&self) -> usize {
        self.seldom.as_ref().map_or(0, |seldom| seldom.counted) + self.outbox.backlog_bytes()
    }

    /// Whether what it says may not be taken now: one answer is under way, its end is in the inbox,
    /// it has asked enough for this
    /// turn (or it could not be seen in time that it does not read), or it does not read what it is
    /// sent. After our close frame it is read in any case, since its own may come (RFC 6455
    /// §7.1.2).
    pub(super) fn must_wait(&self, limits: &Limits) -> bool {
        match &self.stage {
            Stage::Http { answering, .. } => *answering,
            Stage::Open { websocket, .. } => {
                let slow = self.outbox.waiting_bytes() > limits.send_queue_bytes / 2;
                self.parting
                    || ((slow || self.questions >= TURN_QUESTIONS) && !websocket.close_sent())
            }
            Stage::Closing { .. } => false,
        }
    }

    /// Goes on in the other protocol.
    pub(super) fn upgrade(
        &mut self,
        upgrade: &Upgrade,
        path: Path,
        traced: Option<Vec<u8>>,
        desk: &mut Desk<'_>,
    ) {
        let now = desk.now.unix;
        desk.turn
            .write(self.id.index, &mut self.outbox, Source::Http, |out| {
                upgrade.response(now, out)
            });
        if let Some(request) = traced {
            let mut response = Vec::new();
            upgrade.response(now, &mut response);
            self.seldom_mut().tap = Some(Box::new(Tap::with_handshake(request, response)));
        }
        desk.metrics.handshakes += 1;
        desk.metrics.connections += 1;
        let (limit, endpoint) = match path {
            Path::Chat => (desk.limits.message_bytes, Endpoint::Chat(None)),
            Path::Echo => (desk.limits.echo_bytes, Endpoint::Echo),
        };
        self.stage = Stage::Open {
            websocket: WebSocket::server(limit).with_deflate(upgrade.deflate()),
            endpoint,
        };
        self.since = desk.now.mono;
        if endpoint != Endpoint::Echo {
            self.say(Said::Came, desk.inbox);
        }
    }

    /// How what is said reaches it. What many get is compressed once, for a whole window; who has a
    /// smaller one gets it as it is.
    pub(super) fn encoding(&self) -> Encoding {
        match &self.stage {
            Stage::Open { websocket, .. }
                if websocket
                    .deflate()
                    .is_some_and(DeflateParameters::has_full_window) =>
            {
                Encoding::Deflated
            }
            _ => Encoding::Plain,
        }
    }

    /// No more is read as anything; what is in the outbox still goes out.
    pub(super) fn begin_closing(&mut self, now: Millis) {
        self.stage = Stage::Closing {
            thrown_away: 0,
            shut: false,
        };
        self.since = now;
        if let Some(seldom) = &mut self.seldom {
            seldom.nothing_is_read();
        }
    }

    /// Returns how many bytes it took, and how many the message has that was in them.
    fn take_frames(&mut self, bytes: &mut [u8], desk: &mut Desk<'_>) -> (usize, usize) {
        let all = bytes.len();
        let Stage::Open {
            websocket,
            endpoint,
        } = &mut self.stage
        else {
            return (all, 0);
        };
        // Taken off the desk, since a message may be borrowed from it while the rest of the desk is
        // worked at.
        let mut scratch = std::mem::take(desk.scratch);
        let mut payload_bytes = 0;
        let deflate = websocket.deflate();
        // The machine's own answer to a close frame; it goes out behind the answers to what was
        // asked before.
        let mut reply = Vec::new();
        let (used, went) = match websocket.receive(bytes, &mut scratch, &mut reply) {
            Err(violation) => (all, Some(Parting::Broken(violation))),
            Ok(Received::Nothing) => (all, None),
            Ok(Received::Event {
                event: Event::Close(frame),
                used,
            }) => {
                let code = frame.code.map(CloseCode::get);
                (
                    used,
                    Some(Parting::Closed {
                        reply: reply.into(),
                        code,
                    }),
                )
            }
            Ok(Received::Event { event, used }) => {
                if let Event::Text(_) | Event::Binary(_) = event {
                    desk.metrics.messages_received += 1;
                    self.seldom
                        .iter_mut()
                        .for_each(|seldom| seldom.message_since = None);
                }
                let Self {
                    id,
                    outbox,
                    rate,
                    waiting,
                    questions,
                    seldom,
                    ..
                } = self;
                let mut ear = Ear {
                    id: *id,
                    outbox,
                    rate,
                    waiting,
                    questions,
                    seldom,
                    desk,
                };
                payload_bytes = event.payload_bytes();
                let went = match *endpoint {
                    Endpoint::Chat(_) => ear.hear(event),
                    Endpoint::Echo => ear.echo(event, deflate),
                };
                (used, went)
            }
        };
        *desk.scratch = scratch;
        let fragments = websocket.take_fragments();
        let flood = match *endpoint {
            Endpoint::Chat(_) => count_chores(fragments, &mut self.rate, &mut self.seldom, desk),
            Endpoint::Echo => None,
        };
        if let Some(parting) = went.or(flood) {
            self.part(parting, desk.inbox);
        }
        (used, payload_bytes)
    }

    /// Puts this connection's end into the inbox, behind all that it asked; later ones don't count.
    pub(super) fn part(&mut self, parting: Parting, inbox: &mut Inbox) {
        if !self.parting {
            self.parting = true;
            self.say(Said::Went(parting), inbox);
        }
    }

    fn say(&mut self, said: Said, inbox: &mut Inbox) {
        self.waiting += 1;
        inbox.push_back((self.id, said));
    }

    /// Our close frame went out: from now on the peer's own is awaited.
    pub(super) fn close_sent(&mut self, now: Millis) {
        (self.since, self.parting) = (now, false);
        self.message_ended();
    }

    /// What was to be written is written. Returns whether the connection is through with
    /// everything.
    pub(super) fn emptied(&mut self, now: Millis) -> Emptied {
        match &mut self.stage {
            Stage::Http { answering, .. } if *answering => {
                *answering = false;
                self.since = now;
                if self.read_closed && !self.has_kept() {
                    Emptied::Through
                } else {
                    Emptied::Answered
                }
            }
            Stage::Closing { shut, .. } if !*shut => {
                *shut = true;
                self.since = now;
                if self.read_closed {
                    Emptied::Through
                } else {
                    Emptied::Shut
                }
            }
            _ => Emptied::GoesOn,
        }
    }

    /// The peer has shut down its sending side. Returns whether there is nothing to wait for.
    pub(super) fn end_of_stream(&mut self, desk: &mut Desk<'_>) -> bool {
        self.read_closed = true;
        match &self.stage {
            Stage::Http { answering, .. } if *answering || self.has_kept() => false,
            Stage::Http { requests, .. } if requests.held_bytes() > 0 => {
                self.refuse(
                    &Refusal::bad_request("the request ended before its head did"),
                    desk,
                );
                false
            }
            Stage::Http { .. } => self.outbox.is_empty(),
            Stage::Closing { shut, .. } => *shut,
            Stage::Open { .. } => {
                self.part(Parting::EndOfStream, desk.inbox);
                false
            }
        }
    }
}

/// What became of a connection whose outbox is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// It goes on.
    GoesOn,
    /// A request was answered, and another one may come.
    Answered,
    /// All is said: the sending side is to be shut.
    Shut,
    /// All is said, and the peer has nothing to say either.
    Through,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::seldom::Seldom;

    /// Its largest parts; `tests/allocations.rs` has what all of it comes to, in the other layers
    /// too.
    #[test]
    fn an_idle_connection_is_small() {
        let table = [
            (
                "the slot, beside its socket",
                size_of::<Connection<()>>(),
                176,
            ),
            ("… of that: what it is counted as", size_of::<Seat>(), 18),
            (
                "… its stage, and the machine of the WebSocket",
                size_of::<Stage>(),
                48,
            ),
            ("… what it is sent", size_of::<Outbox>(), 24),
            ("… what it subscribes to", size_of::<Subscriptions>(), 24),
            ("… its rate", size_of::<Rate>(), 16),
            (
                "apart, while there is something in it: what only few have",
                size_of::<Seldom>(),
                120,
            ),
            (
                "apart, before the upgrade: its requests",
                size_of::<Requests>(),
                40,
            ),
        ];
        for (what, bytes, most) in table {
            println!("{bytes:5} bytes: {what}");
            assert!(bytes <= most, "{what}: {bytes} bytes");
        }
    }
}
