//! What a WebSocket receives and sends.

use super::close::CloseFrame;

/// A message or control frame, received or to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A complete text message.
    Text(&'a str),
    /// A complete binary message.
    Binary(&'a [u8]),
    /// A ping, which [`WebSocket::receive`](super::WebSocket::receive) has answered, unless
    /// [`WebSocket::answering_pings`](super::WebSocket::answering_pings) says otherwise.
    Ping(&'a [u8]),
    /// The answer to a ping, or an unsolicited sign of life (§5.5.3).
    Pong(&'a [u8]),
    /// A close frame. The answer to the peer's, if one is due, is already in `out`.
    Close(CloseFrame<'a>),
}

impl<'a> From<&'a str> for Event<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Event<'a> {
    fn from(payload: &'a [u8]) -> Self {
        Self::Binary(payload)
    }
}
