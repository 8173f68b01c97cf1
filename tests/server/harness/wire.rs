//! A WebSocket with an encoder and a decoder of its own (RFC 6455 §5.2), independent of the
//! server's. The decoder checks what holds for every frame of a server: no mask, no reserved bits,
//! the shortest length.

use std::io::Write;
use std::net::Shutdown;

use super::handshake;
use super::raw::{Nothing, Raw};

/// A WebSocket after its opening handshake.
pub(crate) struct Wire {
    pub(crate) raw: Raw,
}

/// One frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of a close frame.
    pub(crate) fn code(&self) -> Option<u16> {
        self.payload
            .first_chunk()
            .map(|code| u16::from_be_bytes(*code))
    }
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The header of a masked frame with the shortest length; `first` has FIN, RSV and opcode.
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

/// Encodes a masked frame with the shortest length.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    frame_with(header(first, payload.len() as u64), payload)
}

/// A header and a payload, masked with the key of [`header`].
pub(crate) fn frame_with(mut header: Vec<u8>, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let masked = payload.as_ref().iter().zip(KEY.iter().cycle());
    header.extend(masked.map(|(byte, key)| byte ^ key));
    header
}

impl Wire {
    pub(crate) fn open(mut raw: Raw, path: &str) -> Self {
        raw.send(handshake(path));
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

    /// Reads the next frame, or returns why there is none.
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
        let frame = self.try_frame();
        frame.unwrap_or_else(|nothing| panic!("{name}: {nothing:?} instead of a frame"))
    }

    /// Reads a message: its opcode and payload.
    pub(crate) fn message(&mut self, name: &str) -> (u8, Vec<u8>) {
        let mut message = self.frame(name);
        assert!([1, 2].contains(&message.opcode), "{name}: {message:?}");
        while !message.fin {
            let next = self.frame(name);
            assert_eq!(next.opcode, 0, "{name}: a continuation was expected");
            message.payload.extend_from_slice(&next.payload);
            message.fin = next.fin;
        }
        (message.opcode, message.payload)
    }

    /// Skips other frames until the close frame, and returns its code.
    pub(crate) fn skip_to_close(&mut self, name: &str) -> Option<u16> {
        loop {
            let frame = self.frame(name);
            if frame.opcode == 8 {
                return frame.code();
            }
        }
    }

    /// Reads a close frame.
    pub(crate) fn close_code(&mut self, name: &str) -> Option<u16> {
        let frame = self.frame(name);
        assert_eq!(frame.opcode, 8, "{name}: {frame:?} instead of a close");
        frame.code()
    }

    /// Checks that the server closes with a code and a reason; answers, and reads the end.
    pub(crate) fn assert_failed(&mut self, name: &str, code: u16) {
        let frame = self.frame(name);
        assert!(frame.opcode == 8 && frame.payload.len() > 2, "{frame:?}");
        assert_eq!(frame.code(), Some(code), "{name}");
        // The server may have ended already (RFC 6455 §7.1.7). Within a frame no answer is read.
        let close = super::frame(0x88, code.to_be_bytes());
        let _ = self.raw.stream.write_all(&close);
        let _ = self.raw.stream.shutdown(Shutdown::Write);
        match self.try_frame() {
            Err(Nothing::Ended | Nothing::Reset) => {}
            other => panic!("{name}: {other:?} after the close"),
        }
    }

    /// Closes with 1000 and reads the server's answer.
    pub(crate) fn leave(mut self) {
        self.send(frame(0x88, 1000u16.to_be_bytes()));
        self.skip_to_close("leaving");
        self.raw.assert_ended("after the closing handshake");
    }
}

/// Decodes a frame at the beginning of the bytes, and its length.
fn decode(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else {
        return None;
    };
    assert_eq!(second & 0x80, 0, "a server does not mask (§5.1)");
    assert_eq!(first & 0x70, 0, "reserved bits (§5.2)");
    let (opcode, fin) = (first & 0x0f, first & 0x80 != 0);
    assert!(matches!(opcode, 0..=2 | 8..=10), "opcode {opcode} (§5.2)");
    let (length, form) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    let shortest = match length {
        0..126 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    assert_eq!(form, shortest, "a length in a longer form (§5.2)");
    assert!(opcode < 8 || fin && length < 126, "a control frame (§5.5)");
    let length = usize::try_from(length).expect("it fits");
    let frame = Frame {
        fin,
        opcode,
        payload: rest[form..].get(..length)?.to_vec(),
    };
    Some((frame, 2 + form + length))
}
