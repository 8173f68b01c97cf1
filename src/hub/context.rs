//! The parts of the hub that a connection may use while its input is processed, and what they are
//! made of.

use super::admission::Admission;
use super::backlog::Buffered;
use super::inbox::Inbox;
use super::origins::Origins;
use super::outbox::{Encoding, KEPT_BYTES, Turn, recycle};
use super::proxies::Network;
use super::routes::{Router, handshake_config};
use super::topics::Topics;
use super::wire::WireView;
use crate::chat::command::RequestId;
use crate::chat::error::CommandError;
use crate::chat::event::Event;
use crate::chat::{Chat, Keys, codec};
use crate::history::{History, Kind};
use crate::http::pages::Pages;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::time::Now;
use crate::websocket::{self, Deflate, DeflateParameters, Opcode, Scratch};

/// The parts that a hub is made of.
pub struct Setup {
    /// The limits on what peers can make grow.
    pub limits: Limits,
    /// The pages that may open `/chat` and `/echo`.
    pub origins: Origins,
    /// The owner's key and the room's password.
    pub keys: Keys,
    /// Proxies whose headers are trusted.
    pub trusted_proxies: Vec<Network>,
    /// The header in which a trusted proxy names the user; without one, users choose their names.
    pub user_header: Option<String>,
    /// The files to serve.
    pub pages: Box<dyn Pages>,
    /// The storage of messages and sessions.
    pub history: Box<dyn History>,
    /// Returns 128 unguessable bits at each call.
    pub tokens: Box<dyn FnMut() -> [u8; 16]>,
    /// The wire view, if there is one.
    pub wire: Option<Box<dyn WireView>>,
    /// The time of the start.
    pub now: Now,
}

impl Setup {
    pub(super) fn build(self) -> (Context, Chat) {
        let is_private = self.keys.password.is_some() || self.user_header.is_some();
        let mut chat = Chat::new(&self.limits, self.keys, self.history, self.tokens, self.now);
        if self.user_header.is_some() {
            chat.take_names_from_proxy();
        }
        let context = Context {
            admission: Admission::new(self.trusted_proxies),
            router: Router {
                origins: self.origins,
                pages: self.pages,
                gzip: Default::default(),
                user_header: self.user_header,
                is_private,
                refused_origin: Default::default(),
                config: handshake_config(),
            },
            wire: self.wire.filter(|_| self.limits.trace),
            limits: self.limits,
            now: self.now,
            turn: Default::default(),
            topics: Default::default(),
            inbox: Default::default(),
            encoder: Default::default(),
            scratch: Default::default(),
            metrics: Default::default(),
            buffered: Default::default(),
            is_full: false,
        };
        (context, chat)
    }
}

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
    /// The chat keeps twice as many users as there may be connections: `/chat` is answered 503.
    pub(super) is_full: bool,
}

impl Context {
    /// Counts an event that the chat sends, for the metrics.
    pub(super) fn count(&mut self, event: &Event) {
        let metrics = &mut self.metrics;
        match event {
            Event::Error(error) if *error == CommandError::BAD_KEY => metrics.wrong_keys += 1,
            Event::Error(error) if *error == CommandError::BAD_PASSWORD => {
                metrics.wrong_passwords += 1;
            }
            Event::Found { .. } => metrics.searches += 1,
            Event::Message(record) => match record.what.kind {
                Kind::Edit { .. } => metrics.edits += 1,
                Kind::Delete { .. } => metrics.deletions += 1,
                _ => {}
            },
            _ => {}
        }
    }
}

/// Encodes events as frames.
#[derive(Default)]
pub(super) struct Encoder {
    pub(super) deflate: Deflate,
    /// An event before it is compressed.
    payload: Vec<u8>,
}

impl Encoder {
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
