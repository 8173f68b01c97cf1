//! Frames become messages (RFC 6455 §5.4), and the two closings meet (§7).
//!
//! A message that lies whole in the bytes that were read, as nearly all do, is unmasked where it
//! lies and handed out from
//! there: nothing is copied and nothing allocated. Only what is cut, by the network or into
//! fragments, is gathered, and the
//! machine holds memory for it only as long as it is unfinished: it grows with what arrived, never
//! with what was announced.
//! A compressed message is gathered as it is, and inflated when it is whole, into a [`Scratch`]
//! that all connections share.
//!
//! ```text
//!              close()                      the peer's close frame
//!      open ------------> close sent ---------------------------------> deaf
//!        |                    a close frame that comes now is the answer    ^
//!        +------------------------------------------------------------------+
//!               the peer's close frame (answered), or a violation
//! ```
//!
//! After our close frame the peer's messages are passed over, but its frames are still walked,
//! since its close frame is the
//! one thing that is awaited (§7.1.1). After a violation nothing can be told from anything, and
//! nothing more is read (§7.1.7).
//!
//! Not here: when to close, when to ping, and how fast somebody may send (`hub`).

use super::close::CloseFrame;
use super::deflate::Scratch;
use super::frame::{FrameHeader, Opcode, RSV1, encode_masked_message};
use super::mask::apply_mask;
use super::offer::DeflateParameters;
use super::unfinished::{Message, Unfinished};
use super::utf8;
use super::violation::Violation;
use crate::progress::Progress;
use std::ops::Range;

/// What came from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message of text.
    Text(&'a str),
    /// A whole message of bytes.
    Binary(&'a [u8]),
    /// Asks for a [`pong`](super::pong) with the same payload. Whether it gets one is not for this
    /// floor: somebody might ask
    /// for a million.
    Ping(&'a [u8]),
    /// The answer to a ping, or a sign of life that nobody asked for (§5.5.3).
    Pong(&'a [u8]),
    /// The peer closes, or answers our close. Our own answer, where one is due, was written.
    Close(CloseFrame<'a>),
}

impl Event<'_> {
    /// The length of the payload, inflated and unmasked; of a close frame the reason alone.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(payload) | Self::Ping(payload) | Self::Pong(payload) => payload.len(),
            Self::Close(frame) => frame.reason.len(),
        }
    }
}

/// How far [`WebSocket::receive`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// All bytes are taken, and nothing is whole.
    Nothing,
    /// This is whole.
    Event {
        /// What came.
        event: Event<'a>,
        /// How many bytes of the input are done with; the rest belongs to what comes next.
        used: usize,
    },
}

/// One end of an open WebSocket connection: bytes in, events out.
pub struct WebSocket {
    role: Role,
    max_message_bytes: usize,
    deflate: Option<DeflateParameters>,
    /// Exists exactly while something has begun and not ended, and until the event that was made of
    /// it is done with.
    unfinished: Option<Box<Unfinished>>,
    fragments: u32,
    close_sent: bool,
    /// The peer's close frame came, or a violation: nothing more is read.
    deaf: bool,
}

/// Which end this is. A client masks, a server must not (§5.1).
enum Role {
    Server,
    /// With the source of its masking keys.
    Client(Box<MaskingKeys>),
}

/// Boxed once more: a server, which has many of these machines, pays for one pointer and not for
/// two.
struct MaskingKeys(Box<dyn FnMut() -> [u8; 4]>);

/// Something whole, and where its payload is.
enum Whole {
    /// In the input.
    Here(Opcode, Range<usize>),
    /// In the input, compressed.
    CompressedHere(Opcode, Range<usize>),
    /// A control frame that was gathered.
    GatheredControl(Opcode),
    /// A message that was gathered.
    GatheredMessage,
}

impl WebSocket {
    /// The server's end, after the opening handshake. A message of more than `max_message_bytes` is
    /// a violation, which its
    /// header already shows.
    pub fn server(max_message_bytes: usize) -> Self {
        Self::new(Role::Server, max_message_bytes)
    }

    /// The client's end. `masking_key` makes a new key, which nobody can foresee, at each call (RFC
    /// 6455 §5.3); the machine
    /// itself needs one for its close frame.
    pub fn client(
        max_message_bytes: usize,
        masking_key: impl FnMut() -> [u8; 4] + 'static,
    ) -> Self {
        Self::new(
            Role::Client(Box::new(MaskingKeys(Box::new(masking_key)))),
            max_message_bytes,
        )
    }

    fn new(role: Role, max_message_bytes: usize) -> Self {
        Self {
            role,
            max_message_bytes,
            deflate: None,
            unfinished: None,
            fragments: 0,
            close_sent: false,
            deaf: false,
        }
    }

    /// With what was agreed on about compression in the opening handshake
    /// ([`Upgrade::deflate`](super::Upgrade::deflate)).
    /// The limit holds for what comes over the wire, and for what is inflated.
    pub fn with_deflate(self, deflate: Option<DeflateParameters>) -> Self {
        Self { deflate, ..self }
    }

    /// What was agreed on about compression: what [`Deflate::compress`](super::Deflate::compress)
    /// has to know.
    pub fn deflate(&self) -> Option<DeflateParameters> {
        self.deflate
    }

    /// Takes bytes that came, in any pieces, and unmasks them where they lie. The answer to a close
    /// frame is appended to
    /// `replies`. `scratch` is the same for all connections; a compressed message's event is
    /// borrowed from it.
    ///
    /// Call it again with the rest until it says `Nothing`, with an empty rest too: what an event
    /// was borrowed from is given
    /// back only then. After an error nothing more is read; [`WebSocket::close`] with
    /// [`Violation::close_frame`] is what is
    /// left to do.
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
        scratch.forget();
        self.forget_what_ended();
        if self.deaf {
            return Ok(Received::Nothing);
        }
        let whole = self.advance(input);
        if matches!(whole, Ok(None)) {
            self.forget_what_ended();
        }
        let Self {
            role,
            max_message_bytes,
            unfinished,
            close_sent,
            deaf,
            ..
        } = self;
        let event = match whole {
            Ok(None) => return Ok(Received::Nothing),
            Ok(Some((whole, used))) => event(
                whole,
                input,
                unfinished.as_deref(),
                scratch,
                *max_message_bytes,
            )
            .map(|event| (event, used)),
            Err(violation) => Err(violation),
        };
        *deaf = matches!(event, Err(_) | Ok((Event::Close(_), _)));
        let (event, used) = event?;
        if let Event::Close(frame) = event
            && !std::mem::replace(close_sent, true)
        {
            // §5.5.1: the answer echoes the code that it got; a frame without one is answered
            // without one.
            role.write_close(
                CloseFrame {
                    code: frame.code,
                    reason: "",
                },
                replies,
            );
        }
        Ok(Received::Event { event, used })
    }

    /// Appends our close frame, the last frame that we send; where one went out already, none. From
    /// here on the peer's
    /// messages are passed over, and only its close frame counts.
    pub fn close(&mut self, frame: CloseFrame<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.close_sent, true) {
            return;
        }
        self.role.write_close(frame, out);
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.message = Message::None;
        }
    }

    /// Whether our close frame went out.
    pub fn close_sent(&self) -> bool {
        self.close_sent
    }

    /// Whether both close frames went over the wire: the TCP connection has no further use
    /// (§7.1.1).
    pub fn is_closed(&self) -> bool {
        self.close_sent && self.deaf
    }

    /// Whether a frame or a message has begun whose end has not come.
    pub fn in_progress(&self) -> bool {
        self.unfinished
            .as_ref()
            .is_some_and(|unfinished| !unfinished.message_ended)
    }

    /// Memory that is held for what has begun, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.unfinished.as_deref().map_or(0, Unfinished::held_bytes)
    }

    /// How many fragments with another one behind them came since this was asked last: each is work
    /// that one message less
    /// in pieces would not have made.
    pub fn take_fragments(&mut self) -> u32 {
        std::mem::take(&mut self.fragments)
    }

    fn forget_what_ended(&mut self) {
        let Some(unfinished) = &mut self.unfinished else {
            return;
        };
        if std::mem::take(&mut unfinished.message_ended) {
            unfinished.message = Message::None;
        }
        if unfinished.frame.is_none() {
            unfinished.control = Vec::new();
        }
        if unfinished.is_idle() {
            self.unfinished = None;
        }
    }

    /// Walks the frames of `input` until something is whole. Returns what, and how many bytes that
    /// took.
    fn advance(&mut self, input: &mut [u8]) -> Result<Option<(Whole, usize)>, Violation> {
        let mut at = 0;
        loop {
            let under_way = self
                .unfinished
                .as_deref_mut()
                .and_then(|unfinished| unfinished.frame.take());
            let is_new = under_way.is_none();
            let (header, done) = match under_way {
                Some(under_way) => under_way,
                None => match self.read_header(&input[at..])? {
                    None => return Ok(None),
                    Some((header, used)) => {
                        at += used;
                        self.check(&header)?;
                        (header, 0)
                    }
                },
            };
            // The smaller of the two is no longer than the input.
            let length = (header.payload_length - done).min((input.len() - at) as u64) as usize;
            let payload = at..at + length;
            if let Some(masking_key) = header.masking_key {
                apply_mask(&mut input[payload.clone()], masking_key, done);
            }
            at = payload.end;
            let ends = done + length as u64 == header.payload_length;
            let whole = self.take_payload(&header, is_new && ends, ends, payload, input)?;
            if let Some(whole) = whole {
                return Ok(Some((whole, at)));
            }
            if !ends {
                self.unfinished.get_or_insert_default().frame =
                    Some((header, done + length as u64));
                return Ok(None);
            }
        }
    }

    /// The next header, and how many bytes of `input` it took. `None`: its end has not come, and
    /// its beginning is kept.
    fn read_header(&mut self, input: &[u8]) -> Result<Option<(FrameHeader, usize)>, Violation> {
        let kept = self
            .unfinished
            .as_deref()
            .map_or(0, |unfinished| unfinished.header_length);
        if kept == 0 {
            if self.deflate.is_none() && input.first().is_some_and(|first| first & RSV1 != 0) {
                return Err(Violation::ReservedBits);
            }
            return Ok(match FrameHeader::decode(input)? {
                Progress::Done { value, used } => Some((value, used)),
                Progress::NeedMore if input.is_empty() => None,
                Progress::NeedMore => {
                    let unfinished = self.unfinished.get_or_insert_default();
                    unfinished.header[..input.len()].copy_from_slice(input);
                    unfinished.header_length = input.len();
                    None
                }
            });
        }
        let unfinished = self.unfinished.get_or_insert_default();
        let more = input.len().min(FrameHeader::BYTES_MAX - kept);
        unfinished.header[kept..kept + more].copy_from_slice(&input[..more]);
        Ok(
            match FrameHeader::decode(&unfinished.header[..kept + more])? {
                Progress::Done { value, used } => {
                    unfinished.header_length = 0;
                    Some((value, used - kept))
                }
                Progress::NeedMore => {
                    unfinished.header_length = kept + more;
                    None
                }
            },
        )
    }

    /// Judges a header by what came before it and by whose it is, before any of its payload has
    /// come.
    fn check(&mut self, header: &FrameHeader) -> Result<(), Violation> {
        match (&self.role, header.masking_key) {
            (Role::Server, None) => return Err(Violation::UnmaskedFrame),
            (Role::Client(_), Some(_)) => return Err(Violation::MaskedFrame),
            _ => {}
        }
        if header.opcode.is_control() || self.close_sent {
            return Ok(());
        }
        let before = match (
            self.unfinished
                .as_deref()
                .map(|unfinished| &unfinished.message),
            header.opcode,
        ) {
            (None | Some(Message::None), Opcode::Continuation) => {
                return Err(Violation::NothingToContinue);
            }
            (None | Some(Message::None), _) => 0,
            (Some(message), Opcode::Continuation) => message.length(),
            (Some(_), _) => return Err(Violation::UnfinishedMessage),
        };
        if header.payload_length > (self.max_message_bytes - before) as u64 {
            return Err(Violation::MessageTooBig);
        }
        self.fragments += u32::from(!header.fin);
        Ok(())
    }

    /// Takes a payload, or a piece of one. `is_whole`: it is all of its frame; `ends`: it is the
    /// last of it.
    fn take_payload(
        &mut self,
        header: &FrameHeader,
        is_whole: bool,
        ends: bool,
        payload: Range<usize>,
        input: &[u8],
    ) -> Result<Option<Whole>, Violation> {
        if self.close_sent && header.opcode != Opcode::Close {
            return Ok(None);
        }
        if is_whole
            && (header.opcode.is_control() || (header.fin && header.opcode != Opcode::Continuation))
        {
            let here = if header.rsv1 {
                Whole::CompressedHere
            } else {
                Whole::Here
            };
            return Ok(Some(here(header.opcode, payload)));
        }
        let unfinished = self.unfinished.get_or_insert_default();
        let bytes = &input[payload];
        if header.opcode.is_control() {
            unfinished.control.extend_from_slice(bytes);
            return Ok(ends.then_some(Whole::GatheredControl(header.opcode)));
        }
        unfinished.message.begin(header);
        match &mut unfinished.message {
            Message::None => {}
            Message::Text(text) => text.feed(bytes)?,
            Message::Binary(gathered) | Message::Compressed(_, gathered) => {
                gathered.extend_from_slice(bytes)
            }
        }
        unfinished.message_ended = ends && header.fin;
        Ok(unfinished.message_ended.then_some(Whole::GatheredMessage))
    }
}

impl Role {
    fn write_close(&mut self, frame: CloseFrame<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Server => frame.encode(out),
            Self::Client(keys) => {
                let mut payload = Vec::new();
                frame.encode_payload(&mut payload);
                encode_masked_message(Opcode::Close, &payload, (keys.0)(), out);
            }
        }
    }
}

/// What something whole means.
fn event<'a>(
    whole: Whole,
    input: &'a [u8],
    unfinished: Option<&'a Unfinished>,
    scratch: &'a mut Scratch,
    max_message_bytes: usize,
) -> Result<Event<'a>, Violation> {
    let gathered = unfinished.map_or(&Message::None, |unfinished| &unfinished.message);
    let (opcode, payload) = match (whole, gathered) {
        (Whole::Here(opcode, payload), _) => (opcode, &input[payload]),
        (Whole::CompressedHere(opcode, payload), _) => (
            opcode,
            scratch.inflate(opcode, &input[payload], max_message_bytes)?,
        ),
        (Whole::GatheredMessage, Message::Compressed(opcode, payload)) => (
            *opcode,
            scratch.inflate(*opcode, payload, max_message_bytes)?,
        ),
        (Whole::GatheredControl(opcode), _) => (
            opcode,
            unfinished.map_or(&[][..], |unfinished| &unfinished.control),
        ),
        (Whole::GatheredMessage, Message::Text(text)) => return text.finish().map(Event::Text),
        (Whole::GatheredMessage, Message::Binary(bytes)) => (Opcode::Binary, bytes.as_slice()),
        (Whole::GatheredMessage, Message::None) => (Opcode::Binary, &[][..]),
    };
    Ok(match opcode {
        Opcode::Text => Event::Text(utf8::text(payload)?),
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(CloseFrame::decode(payload)?),
    })
}
