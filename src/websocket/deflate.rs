//! Compressed messages (RFC 7692 §7.2): a message as one run of DEFLATE blocks (RFC 1951), marked
//! by RSV1 in its first frame.
//!
//! DEFLATE is a stream and has no end of a message. So the sender flushes after each one, which
//! leaves an empty block whose
//! last four bytes are always `00 00 FF FF`; these are not sent, and the receiver puts them back
//! (§7.2.1, §7.2.2).
//!
//! There is one compressor and one inflater for all connections, since none may refer to what it
//! sent before (`offer`). What
//! goes to many is compressed once. Inflating stops with the first byte above the limit, whatever
//! would still come.
//!
//! Why `zlib-rs`, by messages of JSON and English; microseconds to compress and inflate, and what
//! is left of the length:
//!
//! | bytes  | zlib-rs 0.6 level 3 | miniz_oxide 0.9 level 3 |
//! | ------ | ------------------- | ----------------------- |
//! | 100    | 4.4, 0.7, 89 %      | 3.8, 1.8, 88 %          |
//! | 300    | 6.4, 1.3, 73 %      | 5.6, 2.4, 73 %          |
//! | 1,000  | 12, 2.5, 58 %       | 11, 3.5, 58 %           |
//! | 5,000  | 43, 8.0, 48 %       | 52, 17, 49 %            |
//! | 65,536 | 497, 76, 41 %       | 800, 141, 41 %          |
//! | 65,536 of empty blocks with fixed, with own codes | 551, 1,580 | 52,500, 6,500 |
//!
//! The last row decides: `miniz_oxide` builds the same table anew for each block, and a byte from
//! somebody who sends nothing
//! but empty blocks costs it 150 times what a byte of text does. Both are written in Rust, one
//! crate and two; `miniz_oxide`
//! has no `unsafe` code, `zlib-rs` has some behind a safe face. Through `flate2` either would be
//! two crates more, for nothing.
//!
//! **Secrets** (§8): who sees lengths and can put words of his own beside a secret into one
//! compressed message finds the
//! secret out, letter by letter (CRIME, BREACH). Which messages must not be compressed for that,
//! the caller knows.
//!
//! Not here: what both ends agree on (`offer`), gathering fragments and limits from headers
//! (`connection`), who gets which
//! encoding (`hub`). Built without the feature `deflate`, `no_deflate` stands in this place.

use super::frame::{Opcode, write_frame};
use super::offer::DeflateParameters;
use super::violation::Violation;
use zlib_rs::{Deflate as Compressor, DeflateFlush, Inflate as Inflater, InflateFlush, Status};

/// Shorter payloads are not worth the work, some 6 µs: of 100 bytes 12 are saved, of 200 43, of 250
/// 61, of 300 81, and the
/// packet around them has 52 bytes of headers.
const WORTH_IT_BYTES: usize = 256;

/// Level 6 leaves a hundredth less and takes up to half as much time again; level 1 leaves a fifth
/// more.
const LEVEL: i32 = 3;

/// How far back DEFLATE can refer, as a power of two.
const WINDOW_BITS: u8 = 15;

/// What a flush leaves at the end, and the sender leaves out (RFC 7692 §7.2.1).
const FLUSHED: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The same, put back, and behind it an empty block that is marked as the last: only what ends
/// between two blocks goes on with
/// that and ends there. So a message that breaks off within a block shows.
const END: [u8; 9] = [0x00, 0x00, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0xFF, 0xFF];

/// What a flush adds beyond the bound of a whole stream, and more.
const ROOM_OF_A_FLUSH: usize = 64;

/// What a message is inflated into at first, in bytes; it doubles as it fills.
const FIRST_BYTES: usize = 4 << 10;

/// What is kept for the next message; the memory for a longer one is given back.
const KEPT_BYTES: usize = 64 << 10;

/// Compresses whole messages. One for all connections; it takes its memory, 370 KiB, with the first
/// message.
#[derive(Default)]
pub struct Deflate {
    compressor: Option<Compressor>,
}

impl Deflate {
    /// Appends a message as a server sends it, compressed, in one frame: to those that agreed on
    /// `parameters`, or on more.
    /// `false`: it is not worth it (it is short, or it would not become shorter) or it must not be,
    /// and nothing was appended;
    /// [`encode_message`](super::encode_message) it is then, which may always be sent (RFC 7692
    /// §6).
    ///
    /// A message that holds a secret beside words that others choose must not come here (§8).
    ///
    /// ```
    /// use parlor::websocket::{Deflate, DeflateParameters, Opcode};
    /// let (mut deflate, mut out) = (Deflate::default(), Vec::new());
    /// assert!(!deflate.compress(Opcode::Text, b"Hello", DeflateParameters::default(), &mut out));
    /// assert!(deflate.compress(Opcode::Text, &[b'o'; 1000], DeflateParameters::default(), &mut out));
    /// assert!(out.starts_with(b"\xC1") && out.len() < 20);
    /// ```
    pub fn compress(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        parameters: DeflateParameters,
        out: &mut Vec<u8>,
    ) -> bool {
        if opcode.is_control()
            || payload.len() < WORTH_IT_BYTES
            || payload.len() > parameters.compressible_bytes()
        {
            return false;
        }
        let compressor = self
            .compressor
            .get_or_insert_with(|| Compressor::new(LEVEL, false, WINDOW_BITS));
        let start = out.len();
        let (mut is_shorter, mut is_through) = (false, false);
        write_frame(true, opcode, out, |out| {
            compressor.reset();
            let start = out.len();
            // Room for all that can come of it, the flush too: zlib-rs 0.6.8 forgets in `reset` how
            // far what it could not
            // write had come, and some messages later panics for want of room.
            out.resize(
                start + zlib_rs::compress_bound(payload.len()) + ROOM_OF_A_FLUSH,
                0,
            );
            let result = compressor.compress(payload, &mut out[start..], DeflateFlush::SyncFlush);
            let length = compressor.total_out() as usize;
            is_through = result == Ok(Status::Ok)
                && out[..start + length].ends_with(&FLUSHED)
                && start + length < out.len();
            is_shorter = is_through && length < payload.len();
            out.truncate(start + length.saturating_sub(FLUSHED.len()));
        });
        if !is_through {
            self.compressor = None;
        }
        if !is_shorter {
            out.truncate(start);
        }
        is_shorter
    }
}

/// What compressed messages are inflated with and into. One for all connections: it holds nothing
/// between two messages but
/// its memory, at most 112 KiB, and none before the first.
#[derive(Default)]
pub struct Scratch {
    inflater: Option<Inflater>,
    inflated: Vec<u8>,
}

impl Scratch {
    /// Gives back the memory of a long message.
    pub(super) fn forget(&mut self) {
        if self.inflated.len() > KEPT_BYTES {
            self.inflated = Vec::new();
        }
    }

    /// Inflates the payload of a whole message (RFC 7692 §7.2.2). It stops at the first byte above
    /// `max_message_bytes`, and
    /// where a text can't be UTF-8 any more; that it does not end within a character is for the
    /// caller to look at.
    ///
    /// What does not consist of whole blocks is refused with 1002 and not with 1007: it is the
    /// extension's form that is
    /// broken, before there is a message that could contradict its type (RFC 6455 §7.4.1).
    pub(super) fn inflate(
        &mut self,
        opcode: Opcode,
        compressed: &[u8],
        max_message_bytes: usize,
    ) -> Result<&[u8], Violation> {
        let Self { inflater, inflated } = self;
        let inflater = inflater.get_or_insert_with(|| Inflater::new(false, WINDOW_BITS));
        inflater.reset(false);
        let too_much = max_message_bytes.saturating_add(1);
        let (mut input, mut end) = (compressed, &END[..]);
        let (mut length, mut right) = (0, 0);
        loop {
            if length == inflated.len() {
                inflated.resize((2 * length).max(FIRST_BYTES).min(too_much), 0);
            }
            let room = inflated.len().min(too_much) - length;
            let (taken, given) = (inflater.total_in(), inflater.total_out());
            let status = inflater.decompress(
                input,
                &mut inflated[length..length + room],
                InflateFlush::NoFlush,
            );
            input = &input[(inflater.total_in() - taken) as usize..];
            let more = (inflater.total_out() - given) as usize;
            // Between two blocks nothing comes out of `END`; what does is the rest of a block that
            // breaks off.
            if end.is_empty() && more > 0 {
                return Err(Violation::InvalidDeflate);
            }
            length += more;
            // What came out is judged before what is wrong behind it, so that the verdict does not
            // hang on the room there was.
            if opcode == Opcode::Text {
                right += right_utf8(&inflated[right..length.min(max_message_bytes)])?;
            }
            if length > max_message_bytes {
                return Err(Violation::MessageTooBig);
            }
            match status {
                Ok(Status::StreamEnd) if input.is_empty() && end.is_empty() => {
                    return Ok(&inflated[..length]);
                }
                // A block that was marked as the last (§7.2.3.4). The next one begins with the next
                // byte.
                Ok(Status::StreamEnd) => inflater.reset(false),
                Ok(_) if more == room && room > 0 => {}
                Ok(_) if input.is_empty() && !end.is_empty() => input = std::mem::take(&mut end),
                Ok(_) | Err(_) => return Err(Violation::InvalidDeflate),
            }
        }
    }
}

/// How many of the bytes are right, up to a character whose end may be still to come.
fn right_utf8(bytes: &[u8]) -> Result<usize, Violation> {
    match str::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(Violation::InvalidUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a compressor makes of it that marks its end or flushes.
    fn compressed(payload: &[u8], flush: DeflateFlush) -> Vec<u8> {
        let mut out = vec![0; payload.len() + 100];
        let mut compressor = Compressor::new(9, false, WINDOW_BITS);
        compressor
            .compress(payload, &mut out, flush)
            .expect("room enough");
        out.truncate(compressor.total_out() as usize);
        out.truncate(
            out.len()
                - if flush == DeflateFlush::SyncFlush {
                    FLUSHED.len()
                } else {
                    0
                },
        );
        out
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let bomb = compressed(&vec![0; 64 << 20], DeflateFlush::SyncFlush);
        assert!(bomb.len() < 70_000, "a thousandth");
        for limit in [0, 1, 100, 4096, 5000, 65_536, 1 << 20] {
            for opcode in [Opcode::Text, Opcode::Binary] {
                let mut scratch = Scratch::default();
                assert_eq!(
                    scratch.inflate(opcode, &bomb, limit),
                    Err(Violation::MessageTooBig)
                );
                assert_eq!(
                    scratch.inflater.as_ref().expect("it was used").total_out(),
                    limit as u64 + 1,
                    "and not one byte more"
                );
                assert_eq!(scratch.inflated.len(), limit + 1);
                scratch.forget();
                assert!(
                    scratch.inflated.capacity() <= KEPT_BYTES,
                    "memory is given back"
                );
            }
        }
    }

    #[test]
    fn what_was_inflated_before_changes_no_verdict() {
        let text = "Gr\u{fc}\u{df}e \u{20ac} ".repeat(1000);
        let mut wrong_at_5000 = text.clone().into_bytes();
        wrong_at_5000[5000] = 0xFF;
        let cut = compressed(text.as_bytes(), DeflateFlush::SyncFlush);
        let then_nonsense =
            |payload: &[u8]| [&compressed(payload, DeflateFlush::Finish)[..], &[0xFF; 9]].concat();
        let table = [
            ("right", cut.clone(), Ok(text.as_bytes())),
            (
                "marked as the last",
                [&compressed(text.as_bytes(), DeflateFlush::Finish)[..], &[0]].concat(),
                Ok(text.as_bytes()),
            ),
            (
                "cut",
                cut[..cut.len() / 2].to_vec(),
                Err(Violation::InvalidDeflate),
            ),
            (
                "nonsense behind it",
                then_nonsense(text.as_bytes()),
                Err(Violation::InvalidDeflate),
            ),
            (
                "not UTF-8",
                compressed(&wrong_at_5000, DeflateFlush::SyncFlush),
                Err(Violation::InvalidUtf8),
            ),
            (
                "not UTF-8, then nonsense",
                then_nonsense(&wrong_at_5000),
                Err(Violation::InvalidUtf8),
            ),
            (
                "too big, then nonsense",
                then_nonsense(&vec![b'a'; text.len() + 1]),
                Err(Violation::MessageTooBig),
            ),
            (
                "not UTF-8, then too big",
                compressed(&wrong_at_5000.repeat(2), DeflateFlush::SyncFlush),
                Err(Violation::InvalidUtf8),
            ),
            (
                "not UTF-8 beyond what is taken",
                compressed(&[text.as_bytes(), b"\xFF"].concat(), DeflateFlush::Finish),
                Err(Violation::MessageTooBig),
            ),
        ];
        let mut used = Scratch::default();
        let long = vec![b'x'; 1 << 20];
        let long = (compressed(&long, DeflateFlush::SyncFlush), long);
        for (name, payload, expected) in table {
            assert_eq!(
                Scratch::default().inflate(Opcode::Text, &payload, text.len()),
                expected,
                "{name}"
            );
            assert_eq!(
                used.inflate(Opcode::Text, &payload, text.len()),
                expected,
                "{name}, after others"
            );
            assert_eq!(
                used.inflate(Opcode::Text, &long.0, 1 << 20),
                Ok(&long.1[..])
            );
        }
    }

    #[test]
    fn blocks_without_content_cost_no_more_than_others() {
        // Ten bits each: 52,000 blocks of the fixed code in 64 KiB. With an inflater that builds
        // its table for each of them
        // this test takes a minute without optimisation.
        let empty_blocks = [0x02, 0x08, 0x20, 0x80, 0x00].repeat(13_107);
        let mut scratch = Scratch::default();
        for _ in 0..20 {
            assert_eq!(
                scratch.inflate(Opcode::Text, &[&empty_blocks[..], &[0]].concat(), 65_536),
                Ok(&b""[..])
            );
        }
    }
}
