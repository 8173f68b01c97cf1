//! The sending side of a WebSocket: events become frames.

use super::close::CloseFrame;
use super::connection::{Phase, WebSocket};
use super::deflate::Role;
use super::event::Event;
use super::frame::{CONTROL_PAYLOAD_MAX, Opcode, encode_masked_message, encode_message};
use std::fmt;

/// Why an event could not be sent.
///
/// ```
/// use parlor::websocket::{Event, SendError, WebSocket};
/// let mut websocket = WebSocket::server(1 << 16);
/// let sent = websocket.send(Event::Ping(&[0; 126]), &mut Vec::new());
/// assert_eq!(sent, Err(SendError::LongControlFrame));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// Our close frame was sent, or the peer broke a rule: nothing may follow.
    Closed,
    /// A ping or pong with more than 125 bytes (RFC 6455 §5.5).
    LongControlFrame,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the WebSocket is closing: nothing can be sent after the close frame",
            Self::LongControlFrame => "a ping or pong has at most 125 bytes",
        })
    }
}

impl std::error::Error for SendError {}

impl WebSocket {
    /// Appends an event as one frame, masked at a client, and compressed if that was negotiated and
    /// is worth it. `&str` and `&String` are text, `&[u8]` and `&Vec<u8>` are binary; the rest is
    /// an [`Event`].
    ///
    /// Don't compress a message that contains a secret beside text of other users (RFC 7692 §8).
    ///
    /// ```
    /// use parlor::websocket::{Event, WebSocket};
    /// let (mut websocket, mut out) = (WebSocket::server(1 << 16), Vec::new());
    /// websocket.send("Hello", &mut out)?;
    /// websocket.send(&[1, 2][..], &mut out)?;
    /// websocket.send(Event::Ping(b""), &mut out)?;
    /// assert_eq!(out, b"\x81\x05Hello\x82\x02\x01\x02\x89\x00");
    /// # Ok::<(), parlor::websocket::SendError>(())
    /// ```
    pub fn send<'a>(
        &mut self,
        event: impl Into<Event<'a>>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        let (opcode, payload) = match event.into() {
            Event::Text(text) => (Opcode::Text, text.as_bytes()),
            Event::Binary(payload) => (Opcode::Binary, payload),
            Event::Ping(payload) => (Opcode::Ping, payload),
            Event::Pong(payload) => (Opcode::Pong, payload),
            Event::Close(frame) => {
                self.close(frame, out);
                return Ok(());
            }
        };
        if opcode.is_control() {
            if payload.len() > CONTROL_PAYLOAD_MAX {
                return Err(SendError::LongControlFrame);
            }
        } else if let Some(parameters) = self.deflate {
            let (side, key) = (parameters.sides(self.role).0, self.masking_key());
            let rare = self.rare.get_or_insert_default();
            if rare.deflate.write(opcode, payload, side, key, out) {
                return Ok(());
            }
        }
        self.write(opcode, payload, out);
        Ok(())
    }

    /// Returns the key of the next frame; a server has none.
    fn masking_key(&mut self) -> Option<[u8; 4]> {
        let rare = self.rare.as_mut().filter(|_| self.role == Role::Client)?;
        rare.masking_key.as_mut().map(|masking_key| masking_key())
    }

    pub(super) fn write(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        match self.masking_key() {
            Some(key) => encode_masked_message(opcode, payload, key, out),
            None => encode_message(opcode, payload, out),
        }
    }

    pub(super) fn write_close(&mut self, frame: CloseFrame<'_>, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        frame.encode_payload(&mut payload);
        self.write(Opcode::Close, &payload, out);
    }
}
