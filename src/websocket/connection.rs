//! Assembles frames into messages (RFC 6455 §5.4), and runs the closing handshake (§7).
//!
//! Most messages are complete in the input. They are unmasked in place and borrowed from it:
//! nothing is copied or allocated. A message that arrives in pieces is collected in a buffer, which
//! grows with the bytes that arrive, never with the length that a header announces. A compressed
//! message is inflated once it is complete, into a [`Scratch`] that all connections share.
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
use super::deflate::{DeflateParameters, Scratch};
use super::frame::{FrameHeader, Opcode, RSV1, encode_masked_message};
use super::mask::apply_mask;
use super::utf8;
use super::violation::Violation;
use crate::progress::Progress;
use std::ops::Range;

/// A message or control frame from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A complete text message.
    Text(&'a str),
    /// A complete binary message.
    Binary(&'a [u8]),
    /// A ping. The caller answers it by a [`pong`](super::pong) with the same payload, and can
    /// limit the rate of its answers.
    Ping(&'a [u8]),
    /// The answer to a ping, or an unsolicited sign of life (§5.5.3).
    Pong(&'a [u8]),
    /// The peer's close frame. The answer, if one is due, is already in `replies`.
    Close(CloseFrame<'a>),
}

impl Event<'_> {
    /// Returns the length of the payload in bytes, inflated and unmasked; for a close frame, that
    /// of the reason.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(payload) | Self::Ping(payload) | Self::Pong(payload) => payload.len(),
            Self::Close(frame) => frame.reason.len(),
        }
    }
}

/// The result of [`WebSocket::receive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// All input was consumed, and nothing is complete yet.
    Nothing,
    /// A message or control frame is complete.
    Event {
        /// The message or control frame.
        event: Event<'a>,
        /// The number of input bytes consumed. The rest belongs to the next event.
        used: usize,
    },
}

/// One end of an open WebSocket connection: bytes in, events out.
pub struct WebSocket {
    role: Role,
    phase: Phase,
    max_message_bytes: usize,
    deflate: Option<DeflateParameters>,
    /// Exists only while a frame or message is incomplete, and until its event has been used.
    partial: Option<Box<Partial>>,
    /// The number that [`WebSocket::take_fragments`] returns.
    fragments: u32,
}

/// The role of this end: a client masks its frames, a server must not (§5.1).
enum Role {
    Server,
    /// Holds the source of the masking keys.
    Client(Box<dyn FnMut() -> [u8; 4]>),
}

/// The states of the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
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
    /// The complete message or control frame that the last event borrows from.
    done: Option<Message>,
}

/// A collected message or control frame.
struct Message {
    opcode: Opcode,
    compressed: bool,
    payload: Vec<u8>,
    /// The number of bytes of an uncompressed text that are valid UTF-8 so far.
    valid: usize,
}

/// A complete message or control frame, either in the input or collected.
enum Complete {
    Input {
        opcode: Opcode,
        compressed: bool,
        payload: Range<usize>,
    },
    Gathered(Message),
}

impl WebSocket {
    /// Creates the server's end, after the opening handshake. A message of more than
    /// `max_message_bytes` is a violation, reported as soon as a frame header shows it.
    pub fn server(max_message_bytes: usize) -> Self {
        Self::new(Role::Server, max_message_bytes)
    }

    /// Creates the client's end. `key` returns a new, unpredictable key at each call (RFC
    /// 6455 §5.3), for the close frame.
    pub fn client(max_message_bytes: usize, key: impl FnMut() -> [u8; 4] + 'static) -> Self {
        Self::new(Role::Client(Box::new(key)), max_message_bytes)
    }

    fn new(role: Role, max_message_bytes: usize) -> Self {
        Self {
            role,
            phase: Phase::Open,
            max_message_bytes,
            deflate: None,
            partial: None,
            fragments: 0,
        }
    }

    /// Sets the negotiated compression ([`Upgrade::deflate`](super::Upgrade::deflate)). The message
    /// limit holds for the bytes on the wire and for the inflated message.
    pub fn with_deflate(self, deflate: Option<DeflateParameters>) -> Self {
        Self { deflate, ..self }
    }

    /// Returns the negotiated compression, for [`Deflate::compress`](super::Deflate::compress).
    pub fn deflate(&self) -> Option<DeflateParameters> {
        self.deflate
    }

    /// Parses received bytes, in pieces of any length, and unmasks them in place. The answer to a
    /// close frame is appended to `replies`. `scratch` is shared by all connections; the event of
    /// a compressed message is borrowed from it.
    ///
    /// Call it again with the rest of the input until it returns `Nothing`, even if the rest is
    /// empty: only that frees the memory of the last event. After an error no more input is
    /// read; call [`WebSocket::close`] with [`Violation::close_frame`].
    ///
    /// ```
    /// use parlor::websocket::{Event, Received, Scratch, WebSocket};
    /// // RFC 6455 §5.7: a masked "Hello".
    /// let mut bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    /// let mut websocket = WebSocket::server(1 << 16);
    /// let mut scratch = Scratch::default();
    /// let received = websocket.receive(&mut bytes, &mut scratch, &mut Vec::new());
    /// assert_eq!(received, Ok(Received::Event { event: Event::Text("Hello"), used: 11 }));
    /// ```
    pub fn receive<'a>(
        &'a mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
        replies: &mut Vec<u8>,
    ) -> Result<Received<'a>, Violation> {
        scratch.shrink();
        self.free_done();
        if matches!(self.phase, Phase::Failed | Phase::Closed) {
            return Ok(Received::Nothing);
        }
        let complete = self.advance(input);
        if matches!(complete, Ok(None)) {
            self.free_done();
        }
        let (event, used) = match complete {
            Ok(None) => return Ok(Received::Nothing),
            Ok(Some((complete, used))) => {
                let partial = &mut self.partial;
                let event = event(complete, input, partial, scratch, self.max_message_bytes);
                (event, used)
            }
            Err(violation) => (Err(violation), 0),
        };
        match (&event, self.phase) {
            (Ok(Event::Close(frame)), Phase::Open) => {
                // §5.5.1: the answer echoes the code, or has none if there was none.
                let code = frame.code;
                self.role
                    .write_close(CloseFrame { code, reason: "" }, replies);
                self.phase = Phase::Closed;
            }
            (Ok(Event::Close(_)) | Err(_), Phase::CloseSent) => self.phase = Phase::Closed,
            (Err(_), _) => self.phase = Phase::Failed,
            (Ok(_), _) => {}
        }
        event.map(|event| Received::Event { event, used })
    }

    /// Appends our close frame, the last frame that we send, unless one was sent before. From now
    /// on the peer's messages are discarded, and only its close frame counts.
    pub fn close(&mut self, frame: CloseFrame<'_>, out: &mut Vec<u8>) {
        self.phase = match self.phase {
            Phase::Open => Phase::CloseSent,
            Phase::Failed => Phase::Closed,
            Phase::CloseSent | Phase::Closed => return,
        };
        self.role.write_close(frame, out);
        if let Some(partial) = &mut self.partial {
            (partial.message, partial.done) = (None, None);
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
        let partial = self.partial.as_deref();
        partial.map_or(0, Partial::allocated_bytes)
    }

    /// Returns the number of non-final fragments since the last call, so that the caller can limit
    /// them: each costs more than its bytes.
    pub fn take_fragments(&mut self) -> u32 {
        std::mem::take(&mut self.fragments)
    }

    /// Frees the message or control frame of the last event.
    fn free_done(&mut self) {
        if let Some(partial) = &mut self.partial {
            partial.done = None;
            if !partial.in_progress() {
                self.partial = None;
            }
        }
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
        match (&self.role, header.masking_key) {
            (Role::Server, None) => return Err(Violation::UnmaskedFrame),
            (Role::Client(_), Some(_)) => return Err(Violation::MaskedFrame),
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
            return Ok(Some(Complete::Input {
                opcode,
                compressed,
                payload,
            }));
        }
        let partial = self.partial.get_or_insert_default();
        let bytes = &input[payload];
        if opcode.is_control() {
            partial.control.extend_from_slice(bytes);
            if !ends {
                return Ok(None);
            }
            let payload = std::mem::take(&mut partial.control);
            let message = Message::new(header, payload);
            return Ok(Some(Complete::Gathered(message)));
        }
        // The first frame determines the type of the message.
        let new = || Message::new(header, Vec::new());
        let message = partial.message.get_or_insert_with(new);
        message.payload.extend_from_slice(bytes);
        if message.opcode == Opcode::Text && !message.compressed {
            message.valid += utf8::valid_up_to(&message.payload[message.valid..])?;
        }
        let is_complete = ends && header.fin;
        let message = partial.message.take_if(|_| is_complete);
        Ok(message.map(Complete::Gathered))
    }
}

impl Role {
    fn write_close(&mut self, frame: CloseFrame<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Server => frame.encode(out),
            Self::Client(masking_key) => {
                let mut payload = Vec::new();
                frame.encode_payload(&mut payload);
                encode_masked_message(Opcode::Close, &payload, masking_key(), out);
            }
        }
    }
}

impl Partial {
    fn in_progress(&self) -> bool {
        self.header_length > 0 || self.frame.is_some() || self.message.is_some()
    }

    fn allocated_bytes(&self) -> usize {
        let messages = [&self.message, &self.done].into_iter().flatten();
        let payloads = messages.map(|message| message.payload.capacity());
        size_of::<Self>() + self.control.capacity() + payloads.sum::<usize>()
    }
}

impl Message {
    fn new(header: &FrameHeader, payload: Vec<u8>) -> Self {
        let (opcode, compressed) = (header.opcode, header.rsv1);
        Self {
            opcode,
            compressed,
            payload,
            valid: 0,
        }
    }
}

/// Inflates and validates a complete message or control frame. A collected one moves to
/// [`Partial::done`], because the event borrows from it.
fn event<'a>(
    complete: Complete,
    input: &'a [u8],
    partial: &'a mut Option<Box<Partial>>,
    scratch: &'a mut Scratch,
    max_message_bytes: usize,
) -> Result<Event<'a>, Violation> {
    let (opcode, compressed, payload) = match complete {
        Complete::Input {
            opcode,
            compressed,
            payload,
        } => (opcode, compressed, &input[payload]),
        Complete::Gathered(message) => {
            let message = partial.get_or_insert_default().done.insert(message);
            (message.opcode, message.compressed, &message.payload[..])
        }
    };
    let payload = match compressed {
        true => scratch.inflate(opcode, payload, max_message_bytes)?,
        false => payload,
    };
    Ok(match opcode {
        Opcode::Text => Event::Text(utf8::text(payload)?),
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(CloseFrame::decode(payload)?),
    })
}
