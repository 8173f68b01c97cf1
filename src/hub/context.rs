//! The parts of the hub that a connection may use while its input is processed.

use super::admission::Admission;
use super::backlog::Buffered;
use super::inbox::Inbox;
use super::outbox::{Encoding, KEPT_BYTES, Turn, recycle};
use super::routes::Router;
use super::topics::Topics;
use super::wire::WireView;
use crate::chat::codec;
use crate::chat::command::RequestId;
use crate::chat::event::Event;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::time::Now;
use crate::websocket::{self, Deflate, DeflateParameters, Opcode, Scratch};

/// Everything that is shared by all connections.
pub(super) struct Context {
    pub(super) limits: Limits,
    pub(super) now: Now,
    pub(super) turn: Turn,
    pub(super) topics: Topics,
    pub(super) inbox: Inbox,
    pub(super) admission: Admission,
    pub(super) router: Router,
    pub(super) encoder: Encoder,
    pub(super) scratch: Scratch,
    pub(super) metrics: Metrics,
    pub(super) buffered: Buffered,
    pub(super) wire: Option<Box<dyn WireView>>,
    /// There are as many users as may be: `/chat` is answered 503.
    pub(super) is_full: bool,
}

/// Encodes events as frames.
#[derive(Default)]
pub(super) struct Encoder {
    pub(super) deflate: Deflate,
    /// An event before it is compressed.
    payload: Vec<u8>,
}

impl Encoder {
    /// Appends an event as one frame.
    pub(super) fn encode(
        &mut self,
        event: &Event,
        id: Option<RequestId>,
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) {
        // A welcome holds a secret beside names that other users choose: its compressed length
        // would leak the token (RFC 7692 §8: CRIME).
        if encoding == Encoding::Plain || matches!(event, Event::Welcome(_)) {
            websocket::write_message(Opcode::Text, out, |out| codec::encode(event, id, out));
            return;
        }
        recycle(&mut self.payload, KEPT_BYTES);
        codec::encode(event, id, &mut self.payload);
        let agreed = Some(DeflateParameters::default());
        encode_message(&mut self.deflate, agreed, Opcode::Text, &self.payload, out);
    }
}

/// Appends a message as one frame, compressed if that was agreed on and makes it shorter.
pub(super) fn encode_message(
    deflate: &mut Deflate,
    agreed: Option<DeflateParameters>,
    opcode: Opcode,
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let mut compress = |agreed| deflate.compress(opcode, payload, agreed, out);
    if !agreed.is_some_and(&mut compress) {
        websocket::encode_message(opcode, payload, out);
    }
}
