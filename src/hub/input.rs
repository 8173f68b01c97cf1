//! Parses a connection's input: requests while it speaks HTTP, frames once it is a WebSocket.
//!
//! A *tap* copies a connection's bytes for the wire view, while a user has that open. A *question*
//! is a command whose answer may contain messages ([`Request::waits_for_commit`]).

use super::connection::{Connection, Endpoint, Exchange, Life};
use super::context::{Context, encode_message};
use super::inbox::{CloseReason, Entry};
use super::outbox::Source;
use super::rate::Verdict;
use super::routes::{Path, Reply, asks_for_upgrade};
use crate::chat::command::{Command, Request};
use crate::http::{Refusal, Requests, Response};
use crate::limits::READ_BYTES;
use crate::progress::Progress;
use crate::time::imf_fixdate;
use crate::websocket::{self, CloseCode, Event, Opcode};

impl<S> Connection<S> {
    pub(super) fn receive(&mut self, bytes: &mut [u8], cx: &mut Context) {
        self.on_life_sign(cx.now.mono);
        if let Some(tap) = self.tap() {
            tap.received(bytes, cx.now.unix);
            cx.turn.mark_dirty(&mut self.outbox);
        }
        self.parse(bytes, cx);
    }

    /// Processes bytes that were read earlier and kept.
    pub(super) fn resume_unparsed(&mut self, cx: &mut Context) {
        let rare = self.rare.as_mut();
        let mut bytes = rare.map_or(Vec::new(), |rare| std::mem::take(&mut rare.unparsed));
        self.parse(&mut bytes, cx);
        if self.input_ended {
            self.on_end_of_stream(cx);
        }
    }

    fn parse(&mut self, mut bytes: &mut [u8], cx: &mut Context) {
        let mut inflated_bytes = 0;
        while !bytes.is_empty() {
            // Inflated bytes count as read: the rest is left for the next turn.
            if inflated_bytes > READ_BYTES || self.must_not_parse(&cx.limits) {
                self.rare.get_or_insert_default().unparsed = bytes.to_vec();
                break;
            }
            let had_tap = self.tap().is_some();
            let used = match &mut self.life {
                Life::Http(_) => self.read_request(bytes, cx),
                Life::Open(_) => {
                    let (used, message_bytes) = self.read_frames(bytes, cx);
                    inflated_bytes += message_bytes.saturating_sub(used);
                    used
                }
                Life::Closing(closing) => {
                    if let Some(left) = &mut closing.discard {
                        match left.checked_sub(bytes.len()) {
                            Some(rest) => *left = rest,
                            None => self.kill(),
                        }
                    }
                    bytes.len()
                }
                Life::Dead => bytes.len(),
            };
            bytes = &mut bytes[used..];
            // A tap that was made by these bytes begins after them.
            if !had_tap && let Some(tap) = self.tap() {
                tap.received(bytes, cx.now.unix);
            }
        }
        if let Life::Open(open) = &mut self.life {
            // An empty input completes no event; it frees the buffer of the last message.
            let websocket = &mut open.websocket;
            let nothing = websocket.receive(&mut [], &mut cx.scratch, &mut Vec::new());
            debug_assert!(matches!(nothing, Ok(Progress::NeedMore)));
            if websocket.in_progress() {
                let rare = self.rare.get_or_insert_default();
                rare.message_since.get_or_insert(cx.now.mono);
            } else if let Some(rare) = &mut self.rare {
                rare.message_since = None;
            }
        }
    }

    /// Reads at most one request. Returns how many bytes it took.
    fn read_request(&mut self, bytes: &[u8], cx: &mut Context) -> usize {
        let Life::Http(http) = &mut self.life else {
            return bytes.len();
        };
        let begins = http.requests.held_bytes() == 0;
        let (head, used) = match http.requests.receive(bytes, cx.limits.request_head_bytes) {
            Ok(Progress::NeedMore) => {
                // The deadline of a head counts from the accept or from the head's first byte.
                // Later bytes don't extend it.
                if begins && http.exchange == Exchange::Next {
                    self.since = cx.now.mono;
                }
                return bytes.len();
            }
            Ok(Progress::Done { value: head, used }) => (head, used),
            Err(refusal) => {
                self.refuse(&refusal, cx);
                return bytes.len();
            }
        };
        let (seat, now) = (&mut self.seat, cx.now);
        let admitted = cx.admission.request(seat, &head, &cx.limits);
        let reply = admitted.and_then(|()| cx.router.route(&head, seat, &cx.metrics, now.mono));
        let reply = reply.and_then(|reply| match reply {
            Reply::Upgrade(_, Path::Chat(_)) if cx.is_full => {
                Err(Refusal::new(503, "the server is full (--max-connections)"))
            }
            Reply::Upgrade(..) => cx.admission.upgrade(seat, &cx.limits).map(|()| reply),
            Reply::Response(_) => Ok(reply),
        });
        // A client that asks for an upgrade may send frames without waiting for the response, so
        // any other response than a 101 closes the connection.
        let keep_alive = head.keeps_alive() && !asks_for_upgrade(&head);
        let bodiless = head.method == "HEAD";
        match reply {
            Ok(Reply::Upgrade(upgrade, path)) => {
                let mut response = Vec::new();
                upgrade.response(&mut response);
                let tap = cx.wire.as_ref().zip(head.query);
                let tap = tap.and_then(|(wire, query)| {
                    let client = cx.admission.client(seat, &head);
                    wire.tap_handshake(query, [head.bytes, &response], client, now.unix)
                });
                if tap.is_some() {
                    self.rare.get_or_insert_default().tap = tap;
                }
                let append = |out: &mut Vec<u8>| out.extend_from_slice(&response);
                cx.turn.write(&mut self.outbox, Source::Http, append);
                self.upgrade(&upgrade, path, cx);
            }
            Ok(Reply::Response(response)) => self.respond(response, keep_alive, bodiless, cx),
            Err(refusal) => {
                let keep_alive = keep_alive && !refusal.closes;
                cx.metrics.refused.count(refusal.status);
                self.respond(refusal.response(), keep_alive, bodiless, cx);
            }
        }
        used
    }

    /// Responds with a refusal and closes the connection.
    pub(super) fn refuse(&mut self, refusal: &Refusal, cx: &mut Context) {
        cx.metrics.refused.count(refusal.status);
        self.respond(refusal.response(), false, false, cx);
    }

    fn respond(&mut self, response: Response, keep_alive: bool, bodiless: bool, cx: &mut Context) {
        let (outbox, now) = (&mut self.outbox, cx.now);
        let response = response.with("Date", imf_fixdate(now.unix));
        cx.turn.write(outbox, Source::Http, |out| {
            response.encode_head(keep_alive, out)
        });
        if !bodiless {
            cx.turn.write_body(outbox, response.body);
        }
        match &mut self.life {
            Life::Http(http) if keep_alive => {
                // Frees the buffer of a head that arrived in pieces.
                *http.requests = Requests::default();
                http.exchange = Exchange::Answering;
                self.since = now.mono;
            }
            _ => self.begin_closing(cx),
        }
    }

    /// Reads frames until one event is complete. Returns the number of bytes that it took, and the
    /// length of a message after inflation.
    fn read_frames(&mut self, bytes: &mut [u8], cx: &mut Context) -> (usize, usize) {
        let (all, now) = (bytes.len(), cx.now.mono);
        let Life::Open(open) = &mut self.life else {
            return (all, 0);
        };
        let is_chat = open.endpoint != Endpoint::Echo;
        let deflate = open.websocket.deflate();
        let mut echo = |opcode, payload: &[u8]| {
            cx.metrics.messages_delivered += 1;
            cx.turn.write(&mut self.outbox, Source::Frames, |out| {
                encode_message(&mut cx.encoder.deflate, deflate, opcode, payload, out)
            });
        };
        // `chores` counts control frames and fragments, which have a rate limit of their own.
        let (mut chores, mut ping) = (0, None);
        let (mut reply, mut end) = (Vec::new(), None);
        let received = open.websocket.receive(bytes, &mut cx.scratch, &mut reply);
        let (used, message_bytes) = match received {
            Ok(Progress::NeedMore) => (all, 0),
            Ok(Progress::Done { value: event, used }) => {
                match event {
                    Event::Text(text) if is_chat => {
                        let request = Request::parse(text);
                        open.pending.entries += 1;
                        open.pending.questions += u8::from(request.waits_for_commit());
                        // A tap must begin with the next frame, and only here is known where
                        // that begins.
                        if let Ok(Command::Trace { on: true }) = &request.command
                            && let Some(wire) = &cx.wire
                        {
                            let rare = self.rare.get_or_insert_default();
                            if rare.tap.is_none() {
                                (rare.tap, rare.tap_waits) = (Some(wire.tap()), true);
                            }
                        }
                        cx.inbox.push_back((self.id, Entry::Request(request)));
                    }
                    Event::Binary(_) if is_chat => {
                        let reason = "only text messages are accepted";
                        end = Some(CloseReason::Ours(CloseCode::UNSUPPORTED, reason));
                    }
                    Event::Text(text) => echo(Opcode::Text, text.as_bytes()),
                    Event::Binary(payload) => echo(Opcode::Binary, payload),
                    Event::Ping(payload) => (chores, ping) = (1, Some(payload.to_vec())),
                    Event::Pong(_) => chores = 1,
                    Event::Close(frame) => {
                        let code = frame.code.map(CloseCode::get);
                        let reply = reply.into();
                        end = Some(CloseReason::Peer { reply, code });
                    }
                }
                let message_bytes = match event {
                    Event::Text(text) => Some(text.len()),
                    Event::Binary(payload) => Some(payload.len()),
                    Event::Ping(_) | Event::Pong(_) | Event::Close(_) => None,
                };
                if message_bytes.is_some() {
                    cx.metrics.messages_received += 1;
                    if let Some(rare) = &mut self.rare {
                        rare.message_since = None;
                    }
                }
                (used, message_bytes.unwrap_or(0))
            }
            Err(violation) => {
                end = Some(CloseReason::Violation(violation));
                (all, 0)
            }
        };
        chores += open.websocket.take_fragments();
        let rate = if is_chat { cx.limits.rate } else { 0 };
        for _ in 0..chores {
            let verdict = open.rate.chore(rate, now);
            cx.metrics.rate_limited += u64::from(verdict != Verdict::Allowed);
            // The first chore is the ping. Over the rate it gets no pong.
            let answered = ping.take().filter(|_| verdict == Verdict::Allowed);
            if let Some(payload) = answered {
                cx.turn.write(&mut self.outbox, Source::Frames, |out| {
                    websocket::encode_message(Opcode::Pong, &payload, out)
                });
            }
            if verdict == Verdict::Flooding {
                end.get_or_insert(CloseReason::FLOODING);
                break;
            }
        }
        if let Some(reason) = end {
            self.end(reason, false, cx);
        }
        (used, message_bytes)
    }
}
