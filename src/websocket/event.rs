//! What a WebSocket receives and sends.

use super::close::CloseFrame;

/// A message or control frame, received or to be sent.
///
/// ```
/// use parlor::websocket::{CloseFrame, Event};
/// assert_eq!(Event::from("Hello"), Event::Text("Hello"));
/// assert_eq!(Event::from(&String::from("Hello")), Event::Text("Hello"));
/// assert_eq!(Event::from(b"Hello"), Event::Binary(b"Hello"));
/// assert_eq!(Event::from(&vec![1, 2]), Event::Binary(&[1, 2]));
/// let closing = Event::Close(CloseFrame { code: None, reason: "" });
/// assert_ne!(closing, Event::Ping(b"are you there?"));
/// ```
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

macro_rules! from {
    ($($type:ty => $variant:ident),+) => {
        $(impl<'a> From<&'a $type> for Event<'a> {
            fn from(value: &'a $type) -> Self {
                Self::$variant(value)
            }
        })+
    };
}

from!(str => Text, String => Text, [u8] => Binary, Vec<u8> => Binary);

impl<'a, const N: usize> From<&'a [u8; N]> for Event<'a> {
    fn from(payload: &'a [u8; N]) -> Self {
        Self::Binary(payload)
    }
}
