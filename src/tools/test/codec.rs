//! Compression of messages (RFC 7692) as a client does it, with context takeover and small windows:
//! the server's own codec (`websocket::deflate`) has neither.

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

const LEVEL: i32 = 3;
/// The end of a flush, which the sender omits (§7.2.1).
const FLUSHED: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// A longer message of the peer breaks off the case.
pub(super) const MESSAGE_BYTES: usize = 64 << 20;

/// Both directions of one connection.
pub(super) struct Codec {
    deflate: Deflate,
    inflate: Inflate,
    /// Whether each of our messages, and of the server's, is compressed on its own.
    is_reset: (bool, bool),
}

impl Codec {
    /// Creates the codec that the server's answer asks for; `None` if it declined.
    pub(super) fn negotiated(extensions: &str) -> Option<Self> {
        let bits = parameter(extensions, "client_max_window_bits");
        let bits = bits.and_then(|bits| bits.parse().ok()).unwrap_or(15);
        let has = |name| parameter(extensions, name).is_some();
        has("permessage-deflate").then(|| Self {
            deflate: Deflate::new(LEVEL, false, u8::clamp(bits, 9, 15)),
            inflate: Inflate::new(false, 15),
            is_reset: (
                has("client_no_context_takeover"),
                has("server_no_context_takeover"),
            ),
        })
    }

    pub(super) fn compress(&mut self, payload: &[u8]) -> Vec<u8> {
        if self.is_reset.0 {
            self.deflate.reset();
        }
        let before = self.deflate.total_out();
        let mut out = vec![0; zlib_rs::compress_bound(payload.len()) + 64];
        let _ = self
            .deflate
            .compress(payload, &mut out, DeflateFlush::SyncFlush);
        let length = (self.deflate.total_out() - before) as usize;
        out.truncate(length.saturating_sub(FLUSHED.len()));
        if out.is_empty() {
            // A second flush writes nothing, but an empty message has a block (§7.2.3.6).
            out.push(0);
        }
        out
    }

    /// Decompresses the payload of a message. An error is the rule that the server broke.
    pub(super) fn inflate(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, String> {
        if self.is_reset.1 {
            self.inflate.reset(false);
        }
        let (input, mut used) = ([payload, FLUSHED.to_vec()].concat(), 0);
        let (mut out, mut length) = (vec![0; 4 * input.len()], 0);
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let flush = InflateFlush::NoFlush;
            let status = self
                .inflate
                .decompress(&input[used..], &mut out[length..], flush);
            used += (self.inflate.total_in() - read) as usize;
            length += (self.inflate.total_out() - written) as usize;
            match status {
                Ok(_) if length == out.len() && length < MESSAGE_BYTES => {
                    out.resize(2 * length, 0);
                }
                Ok(Status::StreamEnd) if used < input.len() => self.inflate.reset(false),
                Ok(_) if used == input.len() => {
                    out.truncate(length);
                    return Ok(out);
                }
                _ => return Err("RFC 7692 7.2.2: invalid compressed data".to_owned()),
            }
        }
    }
}

/// Returns the value of a parameter in the server's answer, empty if it has none.
fn parameter<'a>(extensions: &'a str, name: &str) -> Option<&'a str> {
    extensions.split(';').find_map(|part| {
        let (known, value) = part.split_once('=').unwrap_or((part, ""));
        (known.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}
