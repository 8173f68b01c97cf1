//! One end of a WebSocket connection that is fed with bytes in pieces, and what came out of it.
//!
//! It asserts by itself what holds whatever is sent: the machine never holds more than its limit
//! and a little, and after an error or a close frame it hears nothing and says nothing.

use parlor::tools::test::model::Message;
use parlor::websocket::{
    CloseCode, DeflateParameters, Event, Progress, Scratch, Violation, WebSocket,
};

/// The longest message that is taken, in bytes: small, so that inputs get beyond it.
pub const LIMIT: usize = 300;
/// What an unfinished message may cost beyond its bytes: the machine's own fields, and a control
/// frame between its fragments.
const BESIDES: usize = 300;

pub struct Machine {
    pub websocket: WebSocket,
    pub seen: Vec<Message>,
    pub failed: Option<Violation>,
    pub replies: Vec<u8>,
    scratch: Scratch,
}

impl Machine {
    /// `client`: the end that masks and must not be sent masks. `deflate`: what was agreed on about
    /// compression.
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

    /// What an end makes of these bytes. The lengths of the pieces are those of `pieces`, in turn.
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
        let was_deaf = self.failed.is_some() || is_closed;
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
        assert!(held_bytes <= 2 * LIMIT + BESIDES, "{held_bytes} bytes are held");
        if was_deaf {
            assert_eq!(
                before,
                (self.seen.len(), self.replies.len()),
                "nothing is heard after the end"
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
