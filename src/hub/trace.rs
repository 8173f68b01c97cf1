//! The wire view: a connection is told what passes on it, as the command `trace` or `?trace=1` in
//! the target asks.
//!
//! A trace is a text message of its own, `{"type":"trace",…}`, on `/echo` too. It stands in the
//! stream behind the frame that
//! it tells of, so whoever reads it knows that the frame went out; the trace of our close frame
//! stands before it, since
//! nothing may follow that (RFC 6455 §5.5.1). Traces are never traced: they are written when the
//! turn's frames have been looked at.
//!
//! A connection sees only itself: what is looked at are the bytes that it sent, and the pieces that
//! it was handed. Traces
//! count towards its send queue like anything else. They are left out, and counted, while that is a
//! quarter full, and where a
//! turn has told so many that it would keep others waiting.
//!
//! Not here: how frames are seen (`tap`), how they are taken apart (`tools::dissect`), frames
//! made by hand (`trial`).

use super::connection::{Connection, Stage};
use super::inbox::ConnectionId;
use super::outbox::{Source, Turn};
use super::seldom::Seldom;
use super::tap::{self, Direction, Handshake, Seen, Tap};
use super::topics::Topics;
use super::trial::{Trial, tried};
use super::{Hub, Socket};
use crate::chat::command::{Command, Request, RequestId};
use crate::chat::error::CommandError;
use crate::chat::event::Event;
use crate::limits::{COST_OF_EVERYBODY, Limits, TRACE_FRAME_BYTES, TRACE_TURN_BYTES};
use crate::text::Hex;
use crate::time::Now;
use crate::tools::dissect::Dissection;
use crate::tools::headers::purpose;
use crate::websocket::handshake::{GUID, accept, accept_sha1};
use crate::websocket::{self, DeflateParameters, Opcode, Received, Scratch, WebSocket};
use serde::Serialize;

/// Whether a target asks to be traced from the handshake on.
pub(super) fn is_asked_for(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|word| word == "trace=1"))
}

/// One trace.
#[derive(Serialize)]
struct Trace<'a> {
    r#type: &'static str,
    n: u64,
    at: u64,
    #[serde(flatten)]
    what: What<'a>,
    #[serde(skip_serializing_if = "is_nothing")]
    missed: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Handshake {
        handshake: ShownHandshake<'a>,
    },
    Frame {
        direction: &'static str,
        length: u64,
        cut: u64,
        bytes: String,
        frame: Box<Dissection>,
        #[serde(skip_serializing_if = "Option::is_none")]
        inflated: Option<Inflated>,
    },
}

/// What a compressed message says.
#[derive(Serialize)]
struct Inflated {
    length: usize,
    bytes: String,
}

#[derive(Serialize)]
struct ShownHandshake<'a> {
    request: ShownHead<'a>,
    response: ShownHead<'a>,
    accept: Accept<'a>,
}

#[derive(Serialize)]
struct ShownHead<'a> {
    bytes: String,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'static str>,
}

/// How the accept value comes about (RFC 6455 §4.2.2, 5.4).
#[derive(Serialize)]
struct Accept<'a> {
    key: &'a str,
    guid: &'static str,
    sha1: String,
    value: String,
}

fn is_nothing(missed: &u64) -> bool {
    *missed == 0
}

/// What telling needs beside the connection.
pub(super) struct Teller<'a> {
    pub(super) turn: &'a mut Turn,
    pub(super) topics: &'a Topics,
    pub(super) scratch: &'a mut Scratch,
    pub(super) limits: &'a Limits,
    pub(super) now: Now,
    /// What may still be told in this turn, in bytes.
    pub(super) room: usize,
}

impl Teller<'_> {
    /// Tells a connection what passed on it in this turn. `last` is a close frame that is about to
    /// be written.
    pub(super) fn tell<S>(&mut self, connection: &mut Connection<S>, last: &[u8]) {
        let Connection {
            seldom: Some(seldom),
            outbox,
            stage: Stage::Open { websocket, .. },
            id,
            ..
        } = connection
        else {
            return;
        };
        let Some(tap) = &mut seldom.tap else { return };
        if tap.armed_only {
            return;
        }
        let (at, agreed) = (self.now.unix, websocket.deflate());
        let mut seen = tap.take_seen();
        for frames in self.turn.frames(outbox, self.topics).chain([last]) {
            tap::went(frames, at, &mut seen, &mut tap.missed);
        }
        if let Some(handshake) = tap.handshake.take() {
            let what = What::Handshake {
                handshake: shown_handshake(&handshake),
            };
            let trace = Trace {
                r#type: "trace",
                n: 0,
                at: at.0,
                what,
                missed: 0,
            };
            self.turn
                .write(id.index, outbox, Source::Frames, |out| write(&trace, out));
        }
        for seen in seen {
            tap.number += 1;
            if self.room == 0 || outbox.waiting_bytes() > self.limits.send_queue_bytes / 4 {
                tap.missed += 1;
                continue;
            }
            let missed = std::mem::take(&mut tap.missed);
            let what = shown_frame(&seen, agreed, self.limits.message_bytes, self.scratch);
            let trace = Trace {
                r#type: "trace",
                n: tap.number,
                at: seen.at.0,
                what,
                missed,
            };
            let range = self
                .turn
                .write(id.index, outbox, Source::Frames, |out| write(&trace, out));
            self.room = self.room.saturating_sub(range.len());
        }
    }
}

fn write(trace: &Trace<'_>, out: &mut Vec<u8>) {
    websocket::write_message(Opcode::Text, out, |out| {
        let written = serde_json::to_writer(out, trace);
        debug_assert!(written.is_ok(), "{written:?}");
    });
}

fn shown_frame(
    seen: &Seen,
    agreed: Option<DeflateParameters>,
    limit: usize,
    scratch: &mut Scratch,
) -> What<'static> {
    What::Frame {
        direction: match seen.direction {
            Direction::In => "in",
            Direction::Out => "out",
        },
        length: seen.length,
        cut: seen.length - seen.bytes.len() as u64,
        bytes: Hex(&seen.bytes).to_string(),
        frame: Box::new(Dissection::of(&seen.bytes)),
        inflated: seen
            .compressed
            .as_deref()
            .and_then(|frames| inflated(frames, seen.direction, agreed, limit, scratch)),
    }
}

/// What the connection's own kind of machine makes of a compressed message; nothing where a rule is
/// broken.
fn inflated(
    frames: &[u8],
    direction: Direction,
    agreed: Option<DeflateParameters>,
    limit: usize,
    scratch: &mut Scratch,
) -> Option<Inflated> {
    let machine = match direction {
        Direction::In => WebSocket::server(limit),
        // It writes nothing, and so makes no keys.
        Direction::Out => WebSocket::client(limit, || [0; 4]),
    };
    let mut copy = frames.to_vec();
    let mut machine = machine.with_deflate(agreed);
    let Ok(Received::Event { event, .. }) = machine.receive(&mut copy, scratch, &mut Vec::new())
    else {
        return None;
    };
    let payload = match event {
        websocket::Event::Text(text) => text.as_bytes(),
        websocket::Event::Binary(payload) => payload,
        _ => return None,
    };
    Some(Inflated {
        length: payload.len(),
        bytes: Hex(&payload[..payload.len().min(TRACE_FRAME_BYTES)]).to_string(),
    })
}

fn shown_handshake(handshake: &Handshake) -> ShownHandshake<'_> {
    const REQUEST: (&str, &str) = (
        "RFC 9112 §3",
        "the method, which must be GET; the target, which says what is spoken about; the version",
    );
    const STATUS: (&str, &str) = (
        "RFC 9110 §15.2.2",
        "101: from the empty line on this connection speaks another protocol",
    );
    let request = shown_head(&handshake.request, REQUEST);
    let name = |line: &&str| {
        line.split_once(':')
            .is_some_and(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
    };
    let key = request
        .lines
        .iter()
        .map(|line| line.text)
        .find(name)
        .and_then(|line| line.split_once(':'))
        .map_or("", |(_, key)| key.trim());
    let sha1 = format!("{:x}", Hex(&accept_sha1(key)));
    let accept = Accept {
        key,
        guid: GUID,
        sha1,
        value: accept(key),
    };
    ShownHandshake {
        response: shown_head(&handshake.response, STATUS),
        request,
        accept,
    }
}

fn shown_head<'a>(head: &'a [u8], first: (&'static str, &'static str)) -> ShownHead<'a> {
    let lines = head
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty());
    let lines = lines.enumerate().map(|(row, line)| {
        // Where a line is no text, its bytes are what there is to be seen.
        let text = str::from_utf8(line).unwrap_or("(not UTF-8: see the bytes)");
        let said = if row == 0 {
            Some(first)
        } else {
            text.split_once(':').and_then(|(name, _)| purpose(name))
        };
        Line {
            text,
            section: said.map(|said| said.0),
            purpose: said.map(|said| said.1),
        }
    });
    ShownHead {
        lines: lines.collect(),
        bytes: Hex(head).to_string(),
    }
}

impl<S: Socket> Hub<S> {
    /// Takes the commands that are the hub's own; gives back all others. With `--no-trace` it takes
    /// none, and the chat does
    /// not know them.
    pub(super) fn study(&mut self, id: ConnectionId, request: Request) -> Option<Request> {
        if !self.limits.trace {
            return Some(request);
        }
        match request.command {
            Ok(Command::Trace { on }) => self.trace(id, request.id, on),
            Ok(Command::Try(trial)) => {
                let (rate, now) = (self.limits.rate, self.now.mono);
                if let Some(connection) = self.connection(id) {
                    connection.rate.charge(COST_OF_EVERYBODY - 1, rate, now);
                }
                match Trial::parse(&trial, &self.limits) {
                    Ok(trial) => self.answer_with(id, |_, out| tried(&trial, request.id, out)),
                    Err(error) => self.answer(id.address(), &Event::Error(error), request.id),
                }
            }
            command => return Some(Request { command, ..request }),
        }
        None
    }

    fn trace(&mut self, id: ConnectionId, request: Option<RequestId>, on: bool) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        match (on, connection.tap_mut()) {
            (true, Some(tap)) => tap.armed_only = false,
            // The command before it, which was refused, took away what this one had begun.
            (true, None) => {
                let error = Event::Error(CommandError::RateLimited { retry_ms: 0 });
                return self.answer(id.address(), &error, request);
            }
            (false, _) => connection.drop_tap(),
        }
        #[derive(Serialize)]
        struct Tracing {
            r#type: &'static str,
            on: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<u64>,
        }
        let answer = Tracing {
            r#type: "tracing",
            on,
            id: request.map(|id| id.0),
        };
        self.answer_with(id, |_, out| {
            let written = serde_json::to_writer(out, &answer);
            debug_assert!(written.is_ok(), "{written:?}");
        });
    }

    fn answer_with(&mut self, id: ConnectionId, encode: impl FnOnce(&Limits, &mut Vec<u8>)) {
        let Self {
            connections,
            topics,
            turn,
            metrics,
            limits,
            ..
        } = self;
        let Some(connection) = connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id)
        else {
            return;
        };
        topics.catch_up(&connection.subscriptions, &mut connection.outbox, turn);
        turn.write(id.index, &mut connection.outbox, Source::Frames, |out| {
            websocket::write_message(Opcode::Text, out, |out| encode(limits, out));
        });
        metrics.messages_delivered += 1;
    }

    /// The last words of a connection: its traces, with that of our close frame, which stands
    /// behind them.
    pub(super) fn tell_last(&mut self, id: ConnectionId, close: &[u8]) {
        let Self {
            connections,
            turn,
            topics,
            scratch,
            limits,
            now,
            ..
        } = self;
        let Some(connection) = connections
            .get_mut(id.index())
            .filter(|connection| connection.id == id)
        else {
            return;
        };
        Teller {
            turn,
            topics,
            scratch,
            limits,
            now: *now,
            room: TRACE_TURN_BYTES,
        }
        .tell(connection, close);
        connection.drop_tap();
    }
}

impl<S> Connection<S> {
    /// A command was refused by the rate: what it had begun at once is taken back.
    pub(super) fn disarm(&mut self, command: &Result<Command, CommandError>) {
        if matches!(command, Ok(Command::Trace { .. })) {
            self.seldom
                .iter_mut()
                .for_each(|seldom| drop(seldom.tap.take_if(|tap| tap.armed_only)));
        }
    }

    /// The first bytes behind the command, or behind the handshake: this is where its frames begin
    /// to be seen.
    pub(super) fn tap_begins(&mut self, rest: &[u8], now: Now) {
        if let Some(tap) = self.tap_mut() {
            tap.came(rest, now.unix);
        }
    }
}

/// A message was heard: the command `trace` is seen here already, since only now is known where the
/// next frame begins.
pub(super) fn hear(request: &Request, seldom: &mut Option<Box<Seldom>>, limits: &Limits) {
    if let Ok(Command::Trace { on: true }) = request.command
        && limits.trace
    {
        seldom
            .get_or_insert_default()
            .tap
            .get_or_insert_with(|| Box::new(Tap::armed()));
    }
}
