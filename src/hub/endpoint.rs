//! What a message means to the chat and to the echo, and what it costs its sender.
//!
//! Not here: how bytes become messages (`websocket`), what becomes of a request (`steps`, `chat`).

use super::admission::Admission;
use super::inbox::{ConnectionId, Inbox, Parting, Said};
use super::outbox::{Outbox, Source, Turn};
use super::rate::{Rate, Refused};
use super::routes::Router;
use super::seldom::Seldom;
use super::trace;
use crate::chat::command::Request;
use crate::chat::event::ClientId;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::time::Now;
use crate::websocket::{self, CloseCode, Deflate, DeflateParameters, Event, Opcode, Scratch};

/// Who is behind a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The chat; it has no client before `Came` was applied, and none after `Went`.
    Chat(Option<ClientId>),
    /// The echo.
    Echo,
}

/// What a connection works with while its bytes are taken.
pub(super) struct Desk<'a> {
    pub(super) limits: &'a Limits,
    pub(super) turn: &'a mut Turn,
    pub(super) inbox: &'a mut Inbox,
    pub(super) admission: &'a mut Admission,
    pub(super) router: &'a mut Router,
    pub(super) deflate: &'a mut Deflate,
    pub(super) scratch: &'a mut Scratch,
    pub(super) metrics: &'a mut Metrics,
    pub(super) now: Now,
    /// No more users: `/chat` is answered 503.
    pub(super) full: bool,
}

/// How a flood ends.
pub(super) const FLOODING: Parting = Parting::Ours(
    CloseCode::POLICY,
    "kept sending more than --rate lets through",
);

/// What hears a message: a connection without its stage, which the message is borrowed from.
pub(super) struct Ear<'a, 'd> {
    pub(super) id: ConnectionId,
    pub(super) outbox: &'a mut Outbox,
    pub(super) rate: &'a mut Rate,
    pub(super) waiting: &'a mut u32,
    pub(super) questions: &'a mut u8,
    pub(super) seldom: &'a mut Option<Box<Seldom>>,
    pub(super) desk: &'a mut Desk<'d>,
}

impl Ear<'_, '_> {
    /// `/echo`: everything comes back as it came, and nothing is counted against a rate.
    pub(super) fn echo(
        &mut self,
        event: Event<'_>,
        agreed: Option<DeflateParameters>,
    ) -> Option<Parting> {
        let (opcode, payload) = match event {
            Event::Text(text) => (Opcode::Text, text.as_bytes()),
            Event::Binary(payload) => (Opcode::Binary, payload),
            Event::Ping(payload) => {
                self.pong(payload);
                return None;
            }
            Event::Pong(_) | Event::Close(_) => return None,
        };
        let Desk {
            turn,
            deflate,
            metrics,
            ..
        } = &mut *self.desk;
        metrics.messages_delivered += 1;
        turn.write(self.id.index, self.outbox, Source::Frames, |out| {
            if !agreed.is_some_and(|agreed| deflate.compress(opcode, payload, agreed, out)) {
                websocket::encode_message(opcode, payload, out);
            }
        });
        None
    }

    /// `/chat`: a text message is a request, which goes into the inbox.
    pub(super) fn hear(&mut self, event: Event<'_>) -> Option<Parting> {
        match event {
            // Whether it comes too fast is judged when it is applied: only then is known what those
            // before it cost.
            Event::Text(text) => {
                *self.waiting += 1;
                let request = Request::parse(text);
                *self.questions += u8::from(request.waits_for_commit());
                trace::hear(&request, self.seldom, self.desk.limits);
                self.desk.inbox.push_back((self.id, Said::Asked(request)));
            }
            Event::Binary(_) => {
                return Some(Parting::Ours(
                    CloseCode::UNSUPPORTED,
                    "the chat takes text messages alone",
                ));
            }
            Event::Ping(payload) => {
                match self
                    .rate
                    .chore(self.desk.limits.rate, self.desk.now.mono, self.seldom)
                {
                    Ok(()) => self.pong(payload),
                    Err(Refused::Wait { .. }) => self.desk.metrics.rate_limited += 1,
                    Err(Refused::Flooding) => return Some(FLOODING),
                }
            }
            Event::Pong(_) => return count_chores(1, self.rate, self.seldom, self.desk),
            Event::Close(_) => {}
        }
        None
    }

    fn pong(&mut self, payload: &[u8]) {
        self.desk
            .turn
            .write(self.id.index, self.outbox, Source::Frames, |out| {
                websocket::pong(payload, out)
            });
    }
}

/// Control frames and fragments that have no answer cost as much as those that have one.
pub(super) fn count_chores(
    chores: u32,
    rate: &mut Rate,
    seldom: &mut Option<Box<Seldom>>,
    desk: &mut Desk<'_>,
) -> Option<Parting> {
    for _ in 0..chores {
        match rate.chore(desk.limits.rate, desk.now.mono, seldom) {
            Ok(()) => {}
            Err(Refused::Wait { .. }) => desk.metrics.rate_limited += 1,
            Err(Refused::Flooding) => return Some(FLOODING),
        }
    }
    None
}
