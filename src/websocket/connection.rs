//! Assembles frames into messages (RFC 6455 §5.4), and runs the closing handshake (§7).
//!
//! Most messages are complete in the input. They are unmasked in place and borrowed from it:
//! nothing is copied or allocated. A message that arrives in pieces is collected in a buffer, which
//! grows with the bytes that arrive, never with the length that a header announces. A compressed
//! message is inflated once it is complete. Both kinds are borrowed from a [`Scratch`], which all
//! connections of a thread can share.
//!
//! ```text
//!            close()                   the peer's close frame, or a violation
//!   Open -------------> CloseSent ------------------------------------------> Closed
//!    | |                                                                        ^ ^
//!    | |  a violation                              close()                      | |
//!    | +---------------> Failed ------------------------------------------------+ |
//!    +----------------------------------------------------------------------------+
//!               the peer's close frame, which is answered at once
//! ```
//!
//! In `CloseSent` the peer's messages are discarded, but its frames are still parsed to find its
//! close frame (§7.1.1). After a violation the frame boundaries are unknown, so no more input is
//! read (§7.1.7).

use super::close::CloseFrame;
use super::deflate::{Deflate, DeflateParameters, Inflater, Role};
use super::event::Event;
use super::frame::{FrameHeader, Opcode, RSV1};
use super::mask::apply_mask;
use super::utf8;
use super::violation::Violation;
use crate::progress::Progress;
use std::ops::Range;

/// One end of an open WebSocket connection: bytes in, events and bytes out.
///
/// It is made by a handshake ([`ServerHandshake`](super::ServerHandshake),
/// [`ClientHandshake`](super::ClientHandshake)), or by [`WebSocket::server`] and
/// [`WebSocket::client`] where another library did the handshake.
///
/// ```
/// use parlor::websocket::{CloseCode, CloseFrame, Event, Progress, Scratch, WebSocket};
/// let mut server = WebSocket::server(1 << 16);
/// let mut client = WebSocket::client(1 << 16, || [7; 4]);
/// let (mut scratch, mut to_server, mut to_client) = (Scratch::default(), Vec::new(), Vec::new());
/// client.send("Hello", &mut to_server)?;
/// let received = server.receive(&mut to_server, &mut scratch, &mut to_client)?;
/// let Progress::Done { value: Event::Text("Hello"), used: 11 } = received else { panic!() };
/// server.close(CloseFrame::new(CloseCode::NORMAL, "bye"), &mut to_client);
/// assert_eq!(to_client, b"\x88\x05\x03\xE8bye");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WebSocket {
    pub(super) role: Role,
    pub(super) phase: Phase,
    answers_pings: bool,
    pub(super) deflate: Option<DeflateParameters>,
    /// The number that [`WebSocket::take_fragments`] returns.
    fragments: u32,
    max_message_bytes: usize,
    /// Exists only while a frame or message is incomplete.
    partial: Option<Box<Partial>>,
    /// Exists at a client, and with compression that is not shared by several connections.
    pub(super) rare: Option<Box<RareState>>,
}

/// State that a server's end has only with compression.
#[derive(Default)]
pub(super) struct RareState {
    /// The source of a client's masking keys.
    pub(super) masking_key: Option<Box<dyn FnMut() -> [u8; 4] + Send>>,
    pub(super) deflate: Deflate,
    /// The end of what was inflated, if the peer's messages may refer to it: at most 32 KiB.
    window: Vec<u8>,
}

/// Buffers that events are borrowed from. One is enough for all connections of a thread. Each
/// [`WebSocket::receive`] first shrinks it to at most 112 KiB.
#[derive(Default)]
pub struct Scratch {
    /// A message or control frame that arrived in pieces.
    gathered: Vec<u8>,
    inflater: Inflater,
}

/// The states of the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    CloseSent,
    /// The peer broke a rule, and our close frame is not sent yet.
    Failed,
    Closed,
}

/// A header, frame or message whose end has not arrived.
#[derive(Default)]
struct Partial {
    header: [u8; FrameHeader::BYTES_MAX],
    header_length: usize,
    /// The frame whose payload is arriving, and the number of payload bytes so far.
    frame: Option<(FrameHeader, u64)>,
    /// The payload of an incomplete control frame, which may come between fragments of a message.
    control: Vec<u8>,
    message: Option<Message>,
}

struct Message {
    opcode: Opcode,
    compressed: bool,
    payload: Vec<u8>,
    /// The number of bytes of an uncompressed text that are valid UTF-8 so far.
    valid: usize,
}

/// A complete message or control frame, and whether it is compressed.
type Complete = (Opcode, bool, Payload);

enum Payload {
    /// A part of the input.
    Input(Range<usize>),
    /// A payload that arrived in pieces.
    Gathered(Vec<u8>),
}

impl WebSocket {
    /// Creates the server's end, after the opening handshake. A message of more than
    /// `max_message_bytes` is a violation, reported as soon as a frame header shows it.
    pub fn server(max_message_bytes: usize) -> Self {
        Self {
            role: Role::Server,
            phase: Phase::Open,
            answers_pings: true,
            deflate: None,
            fragments: 0,
            max_message_bytes,
            partial: None,
            rare: None,
        }
    }

    /// Creates the client's end. `masking_key` returns four new, unpredictable bytes at each call
    /// (RFC 6455 §5.3).
    pub fn client(
        max_message_bytes: usize,
        masking_key: impl FnMut() -> [u8; 4] + Send + 'static,
    ) -> Self {
        let rare = RareState {
            masking_key: Some(Box::new(masking_key)),
            ..RareState::default()
        };
        Self {
            role: Role::Client,
            rare: Some(Box::new(rare)),
            ..Self::server(max_message_bytes)
        }
    }

    /// Sets the negotiated compression ([`Accepted::deflate`](super::Accepted::deflate)). The
    /// message limit holds for the bytes on the wire and for the inflated message.
    pub fn with_deflate(self, deflate: Option<DeflateParameters>) -> Self {
        Self { deflate, ..self }
    }

    /// Sets whether [`WebSocket::receive`] answers pings, as it does by default. A caller that
    /// limits the rate of the answers sends an [`Event::Pong`] itself.
    pub fn answering_pings(self, answers_pings: bool) -> Self {
        Self {
            answers_pings,
            ..self
        }
    }

    /// Returns the negotiated compression, for [`Deflate::compress`](super::Deflate::compress).
    pub fn deflate(&self) -> Option<DeflateParameters> {
        self.deflate
    }

    /// Parses received bytes, in pieces of any length, and unmasks them in place. Answers to pings
    /// and close frames are appended to `out`. The event is borrowed from `input` or `scratch`.
    ///
    /// Call it again with the rest of the input until it returns `NeedMore`. After an error no more
    /// input is read; call [`WebSocket::close`] with [`Violation::close_frame`].
    ///
    /// ```
    /// use parlor::websocket::{Event, Progress, Scratch, WebSocket};
    /// // RFC 6455 §5.7: a masked "Hello".
    /// let mut bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    /// let mut websocket = WebSocket::server(1 << 16);
    /// let mut scratch = Scratch::default();
    /// let received = websocket.receive(&mut bytes, &mut scratch, &mut Vec::new());
    /// assert_eq!(received, Ok(Progress::Done { value: Event::Text("Hello"), used: 11 }));
    /// ```
    pub fn receive<'a>(
        &mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Progress<Event<'a>>, Violation> {
        // The last event, which borrowed from these, is gone.
        scratch.gathered = Vec::new();
        scratch.inflater.shrink();
        if matches!(self.phase, Phase::Failed | Phase::Closed) {
            return Ok(Progress::NeedMore);
        }
        let (event, used) = match self.advance(input) {
            Ok(None) => {
                self.free_partial();
                return Ok(Progress::NeedMore);
            }
            Ok(Some((complete, used))) => (self.event(complete, input, scratch), used),
            Err(violation) => (Err(violation), 0),
        };
        match (&event, self.phase) {
            (Ok(Event::Close(frame)), Phase::Open) => {
                // §5.5.1: the answer echoes the code, or has none if there was none.
                let code = frame.code;
                self.write_close(CloseFrame { code, reason: "" }, out);
                self.phase = Phase::Closed;
            }
            (Ok(Event::Close(_)) | Err(_), Phase::CloseSent) => self.phase = Phase::Closed,
            (Err(_), _) => self.phase = Phase::Failed,
            (Ok(Event::Ping(payload)), Phase::Open) if self.answers_pings => {
                self.write(Opcode::Pong, payload, out);
            }
            (Ok(_), _) => {}
        }
        event.map(|value| Progress::Done { value, used })
    }

    /// Appends our close frame, the last frame that we send, unless one was sent before. From now
    /// on the peer's messages are discarded, and only its close frame counts.
    pub fn close(&mut self, frame: CloseFrame<'_>, out: &mut Vec<u8>) {
        self.phase = match self.phase {
            Phase::Open => Phase::CloseSent,
            Phase::Failed => Phase::Closed,
            Phase::CloseSent | Phase::Closed => return,
        };
        self.write_close(frame, out);
        if let Some(partial) = &mut self.partial {
            partial.message = None;
        }
    }

    /// Returns whether our close frame was sent.
    pub fn close_sent(&self) -> bool {
        matches!(self.phase, Phase::CloseSent | Phase::Closed)
    }

    /// Returns whether the closing handshake is complete, so that the TCP connection has no further
    /// use (§7.1.1).
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Returns whether a frame or message is incomplete.
    pub fn in_progress(&self) -> bool {
        let partial = self.partial.as_deref();
        partial.is_some_and(Partial::in_progress)
    }

    /// Returns the memory allocated for incomplete input, in bytes.
    pub fn held_bytes(&self) -> usize {
        let Some(partial) = self.partial.as_deref() else {
            return 0;
        };
        let message = partial.message.as_ref();
        let payload = message.map_or(0, |message| message.payload.capacity());
        size_of::<Partial>() + partial.control.capacity() + payload
    }

    /// Returns the number of non-final fragments since the last call, so that the caller can limit
    /// them: each costs more than its bytes.
    pub fn take_fragments(&mut self) -> u32 {
        std::mem::take(&mut self.fragments)
    }

    fn free_partial(&mut self) {
        self.partial.take_if(|partial| !partial.in_progress());
    }

    /// Parses the frames of `input` until a message or control frame is complete. Returns it, and
    /// the number of bytes consumed.
    fn advance(&mut self, input: &mut [u8]) -> Result<Option<(Complete, usize)>, Violation> {
        let mut at = 0;
        loop {
            let partial = self.partial.as_mut();
            let begun = partial.and_then(|partial| partial.frame.take());
            let is_new = begun.is_none();
            let (header, done) = if let Some(begun) = begun {
                begun
            } else if let Some((header, used)) = self.read_header(&input[at..])? {
                at += used;
                self.check(&header)?;
                (header, 0)
            } else {
                return Ok(None);
            };
            // The smaller of the two fits into usize, because the input does.
            let length = (header.payload_length - done).min((input.len() - at) as u64) as usize;
            let payload = at..at + length;
            if let Some(masking_key) = header.masking_key {
                apply_mask(&mut input[payload.clone()], masking_key, done);
            }
            at = payload.end;
            let done = done + length as u64;
            let ends = done == header.payload_length;
            let complete = self.take_payload(&header, is_new && ends, ends, payload, input)?;
            if let Some(complete) = complete {
                self.free_partial();
                return Ok(Some((complete, at)));
            }
            if !ends {
                self.partial.get_or_insert_default().frame = Some((header, done));
                return Ok(None);
            }
        }
    }

    /// Reads the next header. Returns it and the number of bytes of `input` consumed, or `None` if
    /// its end has not arrived; in that case the beginning is kept.
    fn read_header(&mut self, input: &[u8]) -> Result<Option<(FrameHeader, usize)>, Violation> {
        let partial = self.partial.as_ref();
        let kept = partial.map_or(0, |partial| partial.header_length);
        if kept == 0 {
            if self.deflate.is_none() && input.first().is_some_and(|first| first & RSV1 != 0) {
                return Err(Violation::ReservedBits);
            }
            match FrameHeader::decode(input)? {
                Progress::Done { value, used } => return Ok(Some((value, used))),
                Progress::NeedMore if input.is_empty() => return Ok(None),
                Progress::NeedMore => {}
            }
        }
        let partial = self.partial.get_or_insert_default();
        let end = FrameHeader::BYTES_MAX.min(kept + input.len());
        partial.header[kept..end].copy_from_slice(&input[..end - kept]);
        Ok(match FrameHeader::decode(&partial.header[..end])? {
            Progress::Done { value, used } => {
                partial.header_length = 0;
                Some((value, used - kept))
            }
            Progress::NeedMore => {
                partial.header_length = end;
                None
            }
        })
    }

    /// Checks a header against the sender's role and the frames before it, before any of its
    /// payload has arrived.
    fn check(&mut self, header: &FrameHeader) -> Result<(), Violation> {
        match (self.role, header.masking_key) {
            (Role::Server, None) => return Err(Violation::UnmaskedFrame),
            (Role::Client, Some(_)) => return Err(Violation::MaskedFrame),
            _ => {}
        }
        if header.opcode.is_control() || self.phase == Phase::CloseSent {
            return Ok(());
        }
        let partial = self.partial.as_ref();
        let message = partial.and_then(|partial| partial.message.as_ref());
        let before = match (message, header.opcode) {
            (None, Opcode::Continuation) => return Err(Violation::NothingToContinue),
            (None, _) => 0,
            (Some(message), Opcode::Continuation) => message.payload.len(),
            (Some(_), _) => return Err(Violation::UnfinishedMessage),
        };
        if header.payload_length > (self.max_message_bytes - before) as u64 {
            return Err(Violation::MessageTooBig);
        }
        self.fragments += u32::from(!header.fin);
        Ok(())
    }

    /// Processes the next piece of a frame's payload. `is_whole`: the piece is the whole payload.
    /// `ends`: the piece is the last one.
    fn take_payload(
        &mut self,
        header: &FrameHeader,
        is_whole: bool,
        ends: bool,
        payload: Range<usize>,
        input: &[u8],
    ) -> Result<Option<Complete>, Violation> {
        let (opcode, compressed) = (header.opcode, header.rsv1);
        if self.phase == Phase::CloseSent && opcode != Opcode::Close {
            return Ok(None);
        }
        let is_unfragmented = header.fin && opcode != Opcode::Continuation;
        if is_whole && is_unfragmented {
            return Ok(Some((opcode, compressed, Payload::Input(payload))));
        }
        let partial = self.partial.get_or_insert_default();
        let bytes = &input[payload];
        if opcode.is_control() {
            partial.control.extend_from_slice(bytes);
            if !ends {
                return Ok(None);
            }
            let payload = std::mem::take(&mut partial.control);
            return Ok(Some((opcode, compressed, Payload::Gathered(payload))));
        }
        // The first frame determines the type of the message.
        let message = partial.message.get_or_insert_with(|| Message {
            opcode,
            compressed,
            payload: Vec::new(),
            valid: 0,
        });
        message.payload.extend_from_slice(bytes);
        if message.opcode == Opcode::Text && !message.compressed {
            message.valid += utf8::valid_up_to(&message.payload[message.valid..])?;
        }
        let is_complete = ends && header.fin;
        let message = partial.message.take_if(|_| is_complete);
        Ok(message.map(|it| (it.opcode, it.compressed, Payload::Gathered(it.payload))))
    }

    /// Inflates and validates a complete message or control frame.
    fn event<'a>(
        &mut self,
        (opcode, compressed, payload): Complete,
        input: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Event<'a>, Violation> {
        let mut payload = match payload {
            Payload::Input(range) => &input[range],
            Payload::Gathered(payload) => {
                scratch.gathered = payload;
                &scratch.gathered[..]
            }
        };
        if compressed {
            let takeover = self
                .deflate
                .is_some_and(|it| it.sides(self.role).1.takeover);
            let window = takeover.then(|| &mut self.rare.get_or_insert_default().window);
            let (inflater, limit) = (&mut scratch.inflater, self.max_message_bytes);
            payload = inflater.inflate(opcode, payload, limit, window)?;
        }
        Ok(match opcode {
            Opcode::Text => Event::Text(utf8::text(payload)?),
            Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            Opcode::Close => Event::Close(CloseFrame::decode(payload)?),
        })
    }
}

impl Partial {
    fn in_progress(&self) -> bool {
        self.header_length > 0 || self.frame.is_some() || self.message.is_some()
    }
}
