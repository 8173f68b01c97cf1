//! What has begun on a connection and not ended: the beginning of a header, of a frame, of a
//! message.
//!
//! It grows with what arrived, never with what was announced. A connection without it has nothing
//! half done.
//!
//! Not here: which of it may follow on which, and how long it may become (`connection`).

use super::frame::{FrameHeader, Opcode};
use super::utf8::Text;

/// What has begun.
#[derive(Default)]
pub(super) struct Unfinished {
    /// The first bytes of a header whose end has not come.
    pub(super) header: [u8; FrameHeader::BYTES_MAX],
    pub(super) header_length: usize,
    /// The frame whose payload is arriving, and how much of it has come.
    pub(super) frame: Option<(FrameHeader, u64)>,
    /// The payload so far of a control frame, which may stand between the fragments of a message.
    pub(super) control: Vec<u8>,
    pub(super) message: Message,
    /// Its event was handed out; the next call throws it away.
    pub(super) message_ended: bool,
}

/// The payload so far of a message.
#[derive(Default)]
pub(super) enum Message {
    #[default]
    None,
    Text(Text),
    Binary(Vec<u8>),
    /// What it is once it is inflated.
    Compressed(Opcode, Vec<u8>),
}

impl Unfinished {
    pub(super) fn is_idle(&self) -> bool {
        self.header_length == 0 && self.frame.is_none() && matches!(self.message, Message::None)
    }

    /// Memory that it takes, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.control.len() + self.message.length()
    }
}

impl Message {
    /// The first fragment says what it will be.
    pub(super) fn begin(&mut self, header: &FrameHeader) {
        match (&*self, header.opcode) {
            (Self::None, opcode) if header.rsv1 => *self = Self::Compressed(opcode, Vec::new()),
            (Self::None, Opcode::Text) => *self = Self::Text(Text::default()),
            (Self::None, Opcode::Binary) => *self = Self::Binary(Vec::new()),
            _ => {}
        }
    }

    pub(super) fn length(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Text(text) => text.length(),
            Self::Binary(bytes) | Self::Compressed(_, bytes) => bytes.len(),
        }
    }
}
