//! The wire view's server side: a connection sees its own frames, as the command `trace` or
//! `?trace=1` in the target asks, and `try` checks frames made by hand.
//!
//! A trace is a text message of its own, `{"type":"trace",…}`, on `/echo` too. It follows the frame
//! that it describes; only the trace of our close frame precedes it, since nothing may follow a
//! close frame (RFC 6455 §5.5.1). Traces are never traced. Frames beyond the limits are only
//! counted.

use super::dissect::{Dissection, Outcome, walk};
use super::headers::purpose;
use super::trial;
use crate::chat::error::CommandError;
use crate::hub::{Client, Tap, WireView, frame_end};
use crate::limits::{TRACE_FRAME_BYTES, TRACE_FRAMES};
use crate::progress::Progress;
use crate::text::Hex;
use crate::time::UnixMillis;
use crate::websocket::handshake::{GUID, accept, accept_sha1};
use crate::websocket::{DeflateParameters, FrameHeader, Opcode, WebSocket};
use serde_json::{Value, json};
use std::collections::VecDeque;

pub(crate) struct Wire {
    /// The longest message of the chat.
    pub(crate) message_bytes: usize,
}

impl WireView for Wire {
    fn tap_handshake(
        &self,
        query: &str,
        heads: [&[u8]; 2],
        client: Client,
        now: UnixMillis,
    ) -> Option<Box<dyn Tap>> {
        query.split('&').find(|word| *word == "trace=1")?;
        Some(Box::new(Frames {
            message_bytes: self.message_bytes,
            handshake: Some(Handshake {
                at: now,
                heads: heads.map(Box::from),
                client,
            }),
            ..Frames::default()
        }))
    }

    fn tap(&self) -> Box<dyn Tap> {
        Box::new(Frames {
            message_bytes: self.message_bytes,
            ..Frames::default()
        })
    }

    fn answer_try(&self, command: &str) -> Result<Value, CommandError> {
        trial::answer(command, self.message_bytes)
    }
}

/// The tap of one connection: its frames, until they are described.
#[derive(Default)]
struct Frames {
    message_bytes: usize,
    handshake: Option<Handshake>,
    /// Frames described so far.
    number: u64,
    /// Frames skipped since the last one that was described.
    missed: u64,
    seen: VecDeque<Seen>,
    incoming: Incoming,
}

/// The opening handshake, until it is described.
struct Handshake {
    at: UnixMillis,
    /// The request and the response.
    heads: [Box<[u8]>; 2],
    client: Client,
}

struct Seen {
    is_sent: bool,
    at: UnixMillis,
    /// As many of its bytes as are shown.
    bytes: Box<[u8]>,
    /// The frames of the compressed message that ends with this one, if they can be shown whole.
    compressed: Option<Box<[u8]>>,
}

/// The frame whose end has not been received, and the compressed message that it belongs to.
#[derive(Default)]
struct Incoming {
    /// As many of its bytes as are shown.
    bytes: Vec<u8>,
    /// The rest of the payload, in bytes; unknown until the header is whole.
    missing: Option<u64>,
    /// Gathered frames of a compressed message; dropped if they are too long to be shown.
    message: Option<Vec<u8>>,
    /// A header was wrong: where the next frame begins is unknown.
    is_over: bool,
}

impl Tap for Frames {
    fn received(&mut self, mut bytes: &[u8], now: UnixMillis) {
        while !bytes.is_empty() && !self.incoming.is_over {
            bytes = &bytes[self.incoming.take(bytes)..];
            let incoming = &mut self.incoming;
            if incoming.missing.take_if(|missing| *missing == 0).is_some() || incoming.is_over {
                let bytes = std::mem::take(&mut incoming.bytes);
                let compressed = gather(&mut incoming.message, &bytes);
                self.add(Seen {
                    is_sent: false,
                    at: now,
                    bytes: bytes.into(),
                    compressed,
                });
            }
        }
    }

    fn sent(&mut self, frames: &[u8], now: UnixMillis) {
        let mut start = 0;
        while start < frames.len() {
            let end = frame_end(frames, start);
            let shown = &frames[start..end.min(start + TRACE_FRAME_BYTES)];
            start = end;
            self.add(Seen {
                is_sent: true,
                at: now,
                bytes: shown.into(),
                compressed: gather(&mut None, shown),
            });
        }
    }

    fn next_trace(&mut self, deflate: Option<DeflateParameters>) -> Option<Value> {
        if let Some(Handshake { at, heads, client }) = self.handshake.take() {
            let mut handshake = show_handshake(&heads);
            let (address, is_by_proxy) = (client.address, client.is_by_proxy);
            handshake["client"] = json!({ "address": address, "trusted_proxy": is_by_proxy });
            let trace = json!({ "type": "trace", "n": 0, "at": at.0, "handshake": handshake });
            return Some(trace);
        }
        let seen = self.seen.pop_front()?;
        self.number += 1;
        let mut trace = self.show(&seen, deflate);
        if self.missed > 0 {
            trace["missed"] = std::mem::take(&mut self.missed).into();
        }
        Some(trace)
    }

    fn skip(&mut self) {
        let skipped = self.seen.drain(..).count() as u64;
        self.number += skipped;
        self.missed += skipped;
    }

    fn held_bytes(&self) -> usize {
        let heads = self.handshake.iter().flat_map(|it| &it.heads);
        let compressed = self.seen.iter().flat_map(|seen| &seen.compressed);
        let seen = self.seen.iter().map(|seen| &seen.bytes);
        let boxes = heads.chain(seen).chain(compressed).map(|bytes| bytes.len());
        let message = self.incoming.message.as_ref().map_or(0, Vec::capacity);
        let own = size_of::<Self>() + self.seen.capacity() * size_of::<Seen>();
        own + boxes.sum::<usize>() + self.incoming.bytes.capacity() + message
    }
}

impl Frames {
    /// Keeps a frame until it is described; of those that pass in one turn, a fixed number.
    fn add(&mut self, seen: Seen) {
        let all = self.seen.iter();
        if all.filter(|other| other.is_sent == seen.is_sent).count() < TRACE_FRAMES {
            self.seen.push_back(seen);
        } else {
            self.missed += 1;
        }
    }

    fn show(&self, seen: &Seen, deflate: Option<DeflateParameters>) -> Value {
        let frame = Dissection::of(&seen.bytes);
        let shown = seen.bytes.len() as u64;
        let length = frame.frame_bytes().unwrap_or(shown);
        let mut trace = json!({
            "type": "trace",
            "n": self.number,
            "at": seen.at.0,
            "direction": if seen.is_sent { "out" } else { "in" },
            "length": length,
            "cut": length - shown,
            "bytes": Hex(&seen.bytes).to_string(),
            "frame": frame,
        });
        let frames = seen.compressed.as_deref();
        if let Some(inflated) = frames.and_then(|it| self.inflate(it, seen.is_sent, deflate)) {
            trace["inflated"] = inflated;
        }
        trace
    }

    /// Inflates a compressed message; `None` if it breaks a rule.
    fn inflate(
        &self,
        frames: &[u8],
        is_sent: bool,
        deflate: Option<DeflateParameters>,
    ) -> Option<Value> {
        let receiver = match is_sent {
            // It writes nothing, so the masking key is never used.
            true => WebSocket::client(self.message_bytes, || [0; 4]),
            false => WebSocket::server(self.message_bytes),
        };
        let last = walk(frames, receiver.with_deflate(deflate)).last();
        let Outcome::Whole(_, payload) = last?.outcome else {
            return None;
        };
        let start = payload.get(..TRACE_FRAME_BYTES).unwrap_or(&payload);
        Some(json!({ "length": payload.len(), "bytes": Hex(start).to_string() }))
    }
}

impl Incoming {
    /// Takes bytes of one frame: those of its header one by one. Returns how many.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let Some(missing) = &mut self.missing else {
            self.bytes.push(bytes[0]);
            match FrameHeader::decode(&self.bytes) {
                Ok(Progress::NeedMore) => {}
                Ok(Progress::Done { value, .. }) => self.missing = Some(value.payload_length),
                Err(_) => self.is_over = true,
            }
            return 1;
        };
        let used = (*missing).min(bytes.len() as u64) as usize;
        let shown = used.min(TRACE_FRAME_BYTES - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..shown]);
        *missing -= used as u64;
        used
    }
}

/// Gathers the frames of a compressed message (RFC 7692 §6). Returns them with its last one.
fn gather(message: &mut Option<Vec<u8>>, frame: &[u8]) -> Option<Box<[u8]>> {
    let Ok(Progress::Done { value, used }) = FrameHeader::decode(frame) else {
        return None;
    };
    if value.opcode.is_control() {
        return None;
    }
    if value.opcode != Opcode::Continuation {
        *message = value.rsv1.then(Vec::new);
    }
    let gathered = message.as_mut()?;
    gathered.extend_from_slice(frame);
    let is_cut = ((frame.len() - used) as u64) < value.payload_length;
    if is_cut || gathered.len() > TRACE_FRAME_BYTES {
        *message = None;
    }
    message.take_if(|_| value.fin).map(Vec::into_boxed_slice)
}

/// Shows the request and the response, and how the accept value is computed (RFC 6455 §4.2.2, 5.4).
fn show_handshake([request, response]: &[Box<[u8]>; 2]) -> Value {
    const REQUEST: &str = "method (must be GET), request target, HTTP version";
    const STATUS: &str = "101: after the blank line, this connection speaks WebSocket";
    let key = lines(request).filter_map(|line| line.split_once(':'));
    let mut key = key.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let key = key.next().map_or("", |(_, key)| key.trim());
    let sha1 = format!("{:x}", Hex(&accept_sha1(key)));
    json!({
        "request": show_head(request, ("RFC 9112 §3", REQUEST)),
        "response": show_head(response, ("RFC 9110 §15.2.2", STATUS)),
        "accept": { "key": key, "guid": GUID, "sha1": sha1, "value": accept(key) },
    })
}

fn lines(head: &[u8]) -> impl Iterator<Item = &str> {
    let lines = head
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(|line| str::from_utf8(line).unwrap_or("(not UTF-8: see the bytes)"))
}

fn show_head(head: &[u8], first: (&str, &str)) -> Value {
    let lines = lines(head).enumerate().map(|(row, text)| {
        let mut line = json!({ "text": text });
        let name = text.split(':').next().unwrap_or_default();
        if let Some((section, purpose)) = if row == 0 { Some(first) } else { purpose(name) } {
            line["section"] = section.into();
            line["purpose"] = purpose.into();
        }
        line
    });
    json!({ "bytes": Hex(head).to_string(), "lines": lines.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(pieces: &[&[u8]]) -> Frames {
        let mut frames = Frames::default();
        let each = pieces.iter();
        each.for_each(|piece| frames.received(piece, UnixMillis(1)));
        frames
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let stream =
            b"\x81\x82\x01\x02\x03\x04ab\x89\x80\x05\x06\x07\x08\x82\xfe\x00\x7e\x01\x02\x03\x04";
        let stream = [stream, &[7; 126][..], b"\x8a\x80\0\0\0\0"].concat();
        for size in (1..20).chain([stream.len()]) {
            let frames = frames_of(&stream.chunks(size).collect::<Vec<_>>());
            let found: Vec<_> = frames.seen.iter().map(|seen| seen.bytes.len()).collect();
            assert_eq!(found, [8, 6, 134, 6], "in pieces of {size}");
            let bytes = frames.seen.iter().flat_map(|seen| &seen.bytes);
            assert!(bytes.eq(&stream), "in pieces of {size}");
        }
    }

    #[test]
    fn long_frame_keeps_its_beginning_and_the_next_is_found() {
        let length = 3 * TRACE_FRAME_BYTES;
        let size = (length as u16).to_be_bytes();
        let frame = [b"\x82\x7e", &size[..], &vec![9; length], b"\x81\x00"].concat();
        let frames = frames_of(&frame.chunks(1000).collect::<Vec<_>>());
        let lengths = frames.seen.iter().map(|seen| seen.bytes.len());
        assert!(lengths.eq([TRACE_FRAME_BYTES, 2]));
    }

    #[test]
    fn nothing_is_seen_after_a_wrong_header() {
        let wrong = b"\x81\x80\0\0\0\0\xf1\x80\0\0\0\0\x81\x80\0\0\0\0";
        assert_eq!(frames_of(&[wrong, b"\x81\x80"]).seen.len(), 2);
    }

    #[test]
    fn frames_over_the_limit_are_counted() {
        let frames = frames_of(&[&b"\x8a\x80\0\0\0\0".repeat(TRACE_FRAMES + 5)]);
        assert_eq!((frames.seen.len(), frames.missed), (TRACE_FRAMES, 5));
    }

    #[test]
    fn compressed_messages_are_gathered_over_their_fragments() {
        let stream = b"\x41\x02ab\x89\x00\x80\x01c\x81\x01x\x01\x01y\x80\x01z";
        let frames = frames_of(&[stream]);
        let gathered = frames.seen.iter().map(|seen| seen.compressed.as_deref());
        let message = Some(&b"\x41\x02ab\x80\x01c"[..]);
        assert!(gathered.eq([None, None, message, None, None, None]));
    }
}
