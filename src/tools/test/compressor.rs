//! Compresses messages of all lengths (RFC 7692). `websocket::Deflate` leaves short ones as they
//! are.

use crate::websocket::deflate::{DeflateParameters, Role};
use zlib_rs::{Deflate, DeflateFlush};

/// The compression of one direction of a connection.
pub(super) struct Compressor {
    deflate: Deflate,
    takes_over: bool,
}

impl Compressor {
    pub(super) fn new(parameters: DeflateParameters) -> Self {
        let (ours, _) = parameters.sides(Role::Client);
        Self {
            deflate: Deflate::new(3, false, ours.max_window_bits.unwrap_or(15).max(9)),
            takes_over: ours.takeover,
        }
    }

    pub(super) fn compress(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takes_over {
            self.deflate.reset();
        }
        let before = self.deflate.total_out();
        let mut out = vec![0; zlib_rs::compress_bound(payload.len()) + 64];
        let _ = self
            .deflate
            .compress(payload, &mut out, DeflateFlush::SyncFlush);
        let length = (self.deflate.total_out() - before) as usize;
        // The end of a flush is omitted (RFC 7692 §7.2.1).
        out.truncate(length.saturating_sub(4));
        if out.is_empty() {
            // A second flush writes nothing, but an empty message has a block (§7.2.3.6).
            out.push(0);
        }
        out
    }
}
