//! One end of a WebSocket connection that receives bytes in pieces, and its results.
//!
//! It asserts what holds for all inputs: the held bytes are bounded, and after an error or a close
//! frame there are no events and no replies.

use parlor::tools::test::model::Message;
use parlor::websocket::{
    CloseCode, DeflateParameters, Event, Progress, Scratch, Violation, WebSocket,
};

/// The longest message that is accepted, in bytes. It is small, so that inputs exceed it.
pub const LIMIT: usize = 300;
/// The most bytes held beside an unfinished message: the machine's own fields, and a control frame
/// between fragments.
const BESIDES: usize = 300;

pub struct Machine {
    pub websocket: WebSocket,
    pub seen: Vec<Message>,
    pub failed: Option<Violation>,
    pub replies: Vec<u8>,
    scratch: Scratch,
}

impl Machine {
    /// `client`: whether this end masks its frames and receives unmasked ones. `deflate`: the
    /// agreed parameters of compression.
    pub fn with(client: bool, deflate: Option<DeflateParameters>) -> Self {
        let websocket = if client {
            WebSocket::client(LIMIT, || [0x37, 0xfa, 0x21, 0x3d])
        } else {
            WebSocket::server(LIMIT)
        };
        let websocket = websocket.with_deflate(deflate).answering_pings(false);
        Self {
            websocket,
            seen: Vec::new(),
            failed: None,
            replies: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// The results of one end for these bytes. The pieces have the two lengths in `pieces` by
    /// turns.
    pub fn of(
        client: bool,
        deflate: Option<DeflateParameters>,
        bytes: &[u8],
        pieces: [usize; 2],
    ) -> Self {
        let mut machine = Self::with(client, deflate);
        machine.feed(bytes, pieces);
        machine
    }

    pub fn feed(&mut self, bytes: &[u8], pieces: [usize; 2]) {
        let mut bytes = bytes.to_vec();
        let (mut at, mut turn) = (0, 0);
        while at < bytes.len() {
            let end = at.saturating_add(pieces[turn % 2]).min(bytes.len());
            turn += 1;
            self.feed_piece(&mut bytes[at..end]);
            at = end;
        }
    }

    fn feed_piece(&mut self, mut rest: &mut [u8]) {
        let is_closed = matches!(self.seen.last(), Some((8, _)));
        let had_ended = self.failed.is_some() || is_closed;
        let before = (self.seen.len(), self.replies.len());
        loop {
            match self
                .websocket
                .receive(rest, &mut self.scratch, &mut self.replies)
            {
                Ok(Progress::NeedMore) => break,
                Ok(Progress::Done { value: event, used }) => {
                    self.seen.push(message(event));
                    rest = &mut rest[used..];
                }
                Err(violation) => {
                    assert!(self.failed.is_none(), "a second error: {violation:?}");
                    self.failed = Some(violation);
                }
            }
        }
        let held_bytes = self.websocket.held_bytes();
        assert!(
            held_bytes <= 2 * LIMIT + BESIDES,
            "{held_bytes} bytes are held"
        );
        if had_ended {
            assert_eq!(
                before,
                (self.seen.len(), self.replies.len()),
                "an event or a reply after the end"
            );
        }
    }
}

fn message(event: Event<'_>) -> Message {
    match event {
        Event::Text(text) => (1, text.as_bytes().to_vec()),
        Event::Binary(bytes) => (2, bytes.to_vec()),
        Event::Ping(bytes) => (9, bytes.to_vec()),
        Event::Pong(bytes) => (10, bytes.to_vec()),
        Event::Close(frame) => (8, close(frame.code.map(CloseCode::get), frame.reason)),
    }
}

/// The payload of a close frame (RFC 6455 §5.5.1).
pub fn close(code: Option<u16>, reason: &str) -> Vec<u8> {
    let code = code.map(u16::to_be_bytes);
    [code.as_slice().concat(), reason.as_bytes().to_vec()].concat()
}
