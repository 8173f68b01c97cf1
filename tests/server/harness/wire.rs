//! Frames on a connection: a writer and a reader of RFC 6455 §5.2 of our own, so that the server is
//! not checked by itself.
//!
//! The reader also checks what holds for every frame that a server sends: no mask, no reserved bit,
//! the shortest length.

use super::raw::{Nothing, Raw};

/// A WebSocket whose opening handshake is done.
pub(crate) struct Wire {
    pub(crate) raw: Raw,
}

/// One frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// How the server closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The header of a masked frame, in the shortest form; `first` has FIN, RSV and opcode.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | length as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&KEY);
    bytes
}

/// A masked frame in the shortest form.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    frame_with(header(first, payload.len() as u64), payload)
}

/// A frame with a header made by hand, and a payload masked with the key that all headers of
/// [`header`] have.
pub(crate) fn frame_with(mut header: Vec<u8>, payload: impl AsRef<[u8]>) -> Vec<u8> {
    header.extend(
        payload
            .as_ref()
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    header
}

impl Wire {
    pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    /// The bytes of an opening handshake.
    pub(crate) fn handshake(path: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n\r\n",
            Self::KEY
        )
    }

    pub(crate) fn open(mut raw: Raw, path: &str) -> Self {
        raw.send(Self::handshake(path));
        let response = raw.response();
        assert_eq!(response.status, 101, "{}{}", response.head, response.text());
        Self { raw }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.raw.send(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.send(frame(0x81, text));
    }

    /// The next frame, or what came instead.
    pub(crate) fn try_frame(&mut self) -> Result<Frame, Nothing> {
        loop {
            if let Some((frame, used)) = decode(&self.raw.buffer) {
                self.raw.buffer.drain(..used);
                return Ok(frame);
            }
            self.raw.fill()?;
        }
    }

    pub(crate) fn frame(&mut self, name: &str) -> Frame {
        match self.try_frame() {
            Ok(frame) => frame,
            Err(nothing) => panic!("{name}: {nothing:?} instead of a frame"),
        }
    }

    /// The next message, whole: its opcode and payload.
    pub(crate) fn message(&mut self, name: &str) -> (u8, Vec<u8>) {
        let first = self.frame(name);
        let (opcode, mut fin, mut payload) = (first.opcode, first.fin, first.payload);
        assert!(
            opcode == 1 || opcode == 2,
            "{name}: a message was expected, not opcode {opcode}: {}",
            String::from_utf8_lossy(&payload)
        );
        while !fin {
            let next = self.frame(name);
            assert_eq!(next.opcode, 0, "{name}: a continuation was expected");
            payload.extend_from_slice(&next.payload);
            fin = next.fin;
        }
        (opcode, payload)
    }

    /// The server's close frame, next.
    pub(crate) fn close_frame(&mut self, name: &str) -> Closed {
        let frame = self.frame(name);
        assert_eq!(
            frame.opcode,
            8,
            "{name}: a close was expected: {:?}",
            String::from_utf8_lossy(&frame.payload)
        );
        let Some((code, reason)) = frame.payload.split_first_chunk() else {
            assert!(frame.payload.is_empty(), "{name}: half a code");
            return Closed {
                code: None,
                reason: String::new(),
            };
        };
        Closed {
            code: Some(u16::from_be_bytes(*code)),
            reason: String::from_utf8(reason.to_vec()).expect("a reason in UTF-8"),
        }
    }

    /// The server fails the connection: a close frame with this code and a reason, answered, and
    /// the end after it.
    pub(crate) fn assert_failed(&mut self, name: &str, code: u16) -> Closed {
        let closed = self.close_frame(name);
        assert_eq!(closed.code, Some(code), "{name}: {closed:?}");
        assert!(!closed.reason.is_empty(), "{name}: a close explains itself");
        // The server may have ended already, and need no answer (RFC 6455 §7.1.7).
        let _ = std::io::Write::write_all(&mut self.raw.stream, &frame(0x88, code.to_be_bytes()));
        match self.try_frame() {
            Err(Nothing::Ended | Nothing::Reset) => closed,
            other => panic!("{name}: {other:?} after the close"),
        }
    }

    /// The same for a client that stands within a frame: it can't answer, it can only end.
    pub(crate) fn assert_cut_off(&mut self, name: &str, code: u16) {
        let closed = self.close_frame(name);
        assert_eq!(closed.code, Some(code), "{name}: {closed:?}");
        assert!(!closed.reason.is_empty(), "{name}: a close explains itself");
        let _ = self.raw.stream.shutdown(std::net::Shutdown::Write);
        assert!(
            matches!(self.try_frame(), Err(Nothing::Ended | Nothing::Reset)),
            "{name}: only the end follows"
        );
    }

    /// A closing handshake that the client begins with 1000.
    pub(crate) fn leave(mut self) {
        self.send(frame(0x88, 1000u16.to_be_bytes()));
        loop {
            match self.frame("leaving").opcode {
                8 => break,
                _ => continue,
            }
        }
        self.raw.assert_ended("after the closing handshake");
    }
}

/// A frame at the beginning of the bytes, and how many it has.
fn decode(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else {
        return None;
    };
    assert_eq!(second & 0x80, 0, "a server does not mask (§5.1)");
    assert_eq!(
        first & 0x70,
        0,
        "a reserved bit without an extension (§5.2)"
    );
    let (opcode, fin) = (first & 0x0f, first & 0x80 != 0);
    assert!(matches!(opcode, 0..=2 | 8..=10), "opcode {opcode} (§5.2)");
    let (length, form) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    let shortest = if length < 126 {
        0
    } else {
        2 + 6 * usize::from(length > 0xffff)
    };
    assert_eq!(
        form, shortest,
        "{length} is not in the shortest form (§5.2)"
    );
    assert!(
        opcode < 8 || (fin && length < 126),
        "a control frame is short and whole (§5.5)"
    );
    let payload = rest[form..]
        .get(..usize::try_from(length).expect("it fits"))?
        .to_vec();
    let used = 2 + form + payload.len();
    Some((
        Frame {
            fin,
            opcode,
            payload,
        },
        used,
    ))
}
