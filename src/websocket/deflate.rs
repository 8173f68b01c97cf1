//! Compressed messages: the extension permessage-deflate (RFC 7692).
//!
//! ```text
//! Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate
//! ```
//!
//! **Negotiation** (§5, §7.1). A client lists its offers in its order of preference; the server
//! accepts the first that it can. An unknown, repeated or invalid parameter declines its offer, and
//! a header with broken syntax declines all of them: the connection goes on without compression.
//! The answer always rules out *context takeover*, which lets a message refer to earlier ones: it
//! would cost 47 KiB for each connection to read and 370 KiB to write (measured), and a message to
//! many clients could not be compressed once for all of them.
//!
//! **Messages** (§7.2). A compressed message is a sequence of DEFLATE blocks (RFC 1951), marked by
//! RSV1 in its first frame. DEFLATE does not mark the end of a message, so the sender flushes after
//! each one. A flush leaves an empty block that ends with `00 00 FF FF`; the sender omits these
//! four bytes, and the receiver appends them.
//!
//! **Secrets** (§8). An attacker who sees the length of a compressed message, and controls some
//! text in it, can guess a secret in it letter by letter (CRIME, BREACH). The caller must not
//! compress such a message.
//!
//! The codec is `zlib-rs`, because its time for a hostile message is bounded: `miniz_oxide` takes
//! 100 times as long for one of empty blocks.

use crate::http::is_token;

pub use codec::{Deflate, Scratch};

/// The extension's name (RFC 7692 §7).
const NAME: &str = "permessage-deflate";

/// The largest window as a power of two, and the default (RFC 7692 §7.1.2).
const WINDOW_BITS_MAX: u8 = 15;

/// The parameters negotiated for one connection (RFC 7692 §7.1), without context takeover. The
/// default is that of an offer without parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateParameters {
    /// The parameter of the offer; an answer must repeat it (§7.1.2.1).
    server_max_window_bits: Option<u8>,
}

impl DeflateParameters {
    /// Returns whether the client can read messages compressed with the full window, such as one
    /// that is compressed once for many clients.
    pub fn has_full_window(self) -> bool {
        self.compressible_bytes() == usize::MAX
    }

    /// Returns the longest payload that may be compressed for this client, in bytes. No reference
    /// can go back beyond the beginning of the message, so a message no longer than the client's
    /// window fits into it.
    pub fn compressible_bytes(self) -> usize {
        match self.server_max_window_bits {
            Some(bits) if bits < WINDOW_BITS_MAX => 1 << bits,
            _ => usize::MAX,
        }
    }

    /// Returns the first acceptable offer of all values of the header, in their order.
    pub(super) fn negotiate<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        // Without the feature every offer is declined, as for an unknown extension (RFC 6455 §9.1).
        let accepted = values.find_map(|value| first_acceptable(value).flatten());
        accepted.filter(|_| cfg!(feature = "deflate"))
    }

    /// Returns the value of the header that accepts the offer (§7.1).
    pub(super) fn answer(self) -> String {
        let bits = self.server_max_window_bits;
        let bits = bits.map_or(String::new(), |bits| {
            format!("; server_max_window_bits={bits}")
        });
        format!("{NAME}; server_no_context_takeover; client_no_context_takeover{bits}")
    }

    /// Adds one parameter of an offer; `None` declines the offer. The client's window needs no
    /// answer (§7.1.2.2), because the server can read any window.
    fn with(self, name: &str, value: Option<&str>) -> Option<Self> {
        // 8 to 15, without leading zeros or signs (§7.1.2).
        let bits = value.and_then(|value| {
            let mut all = 8..=WINDOW_BITS_MAX;
            all.find(|bits| value == bits.to_string())
        });
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => Some(self),
            ("client_max_window_bits", None) => Some(self),
            ("client_max_window_bits", Some(_)) => bits.map(|_| self),
            ("server_max_window_bits", Some(_)) => {
                let server_max_window_bits = Some(bits?);
                Some(Self {
                    server_max_window_bits,
                })
            }
            _ => None,
        }
    }
}

/// Returns the first acceptable offer of one header value. The outer `None` means that its syntax
/// is broken (RFC 6455 §9.1).
fn first_acceptable(value: &[u8]) -> Option<Option<DeflateParameters>> {
    let mut accepted = None;
    // A quoted string contains a token (RFC 6455 §9.1), so no comma or semicolon is within quotes.
    for element in str::from_utf8(value).ok()?.split(',').map(trim) {
        // RFC 9110 §5.6.1: empty elements of a list are ignored.
        if !element.is_empty() {
            let offer = parse_offer(element)?;
            accepted = accepted.or(offer);
        }
    }
    Some(accepted)
}

/// Parses one element of the list: a name and its parameters. The inner `None` means that the
/// offer is not acceptable.
fn parse_offer(element: &str) -> Option<Option<DeflateParameters>> {
    let mut parts = element.split(';').map(trim);
    let name = token(parts.next()?)?;
    let mut offer = (name == NAME).then(DeflateParameters::default);
    let mut names = Vec::new();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (trim(name), Some(unquote(trim(value))?)),
            None => (part, None),
        };
        token(name)?;
        let is_new = !names.contains(&name);
        offer = offer.filter(|_| is_new);
        offer = offer.and_then(|offer| offer.with(name, value.as_deref()));
        // At most four names are collected: the list ends with the first unacceptable one.
        if offer.is_some() {
            names.push(name);
        }
    }
    Some(offer)
}

/// Returns the token of a value that is a token or a quoted string.
fn unquote(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else {
        return token(value).map(str::to_owned);
    };
    let mut characters = quoted.strip_suffix('"')?.chars();
    let mut unquoted = String::new();
    while let Some(character) = characters.next() {
        unquoted.push(match character {
            '\\' => characters.next()?,
            character => character,
        });
    }
    token(&unquoted).is_some().then_some(unquoted)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Returns `text` if it is a token (RFC 9110 §5.6.2).
fn token(text: &str) -> Option<&str> {
    is_token(text).then_some(text)
}

#[cfg(not(feature = "deflate"))]
mod codec {
    use super::*;
    use crate::websocket::{Opcode, Violation};

    /// The stand-in for the compressor in a build without the feature `deflate`.
    #[derive(Default)]
    pub struct Deflate {}

    impl Deflate {
        /// Returns `false`: nothing is compressed.
        pub fn compress(
            &mut self,
            _: Opcode,
            _: &[u8],
            _: DeflateParameters,
            _: &mut Vec<u8>,
        ) -> bool {
            false
        }
    }

    /// The stand-in for the inflater in a build without the feature `deflate`.
    #[derive(Default)]
    pub struct Scratch {}

    impl Scratch {
        pub(in crate::websocket) fn shrink(&mut self) {}

        /// RSV1 is never negotiated.
        pub(in crate::websocket) fn inflate(
            &mut self,
            _: Opcode,
            _: &[u8],
            _: usize,
        ) -> Result<&[u8], Violation> {
            Err(Violation::ReservedBits)
        }
    }
}

#[cfg(feature = "deflate")]
mod codec {
    use super::*;
    use crate::websocket::frame::{Opcode, write_frame};
    use crate::websocket::utf8::valid_up_to;
    use crate::websocket::violation::Violation;
    use zlib_rs::{Deflate as Compressor, DeflateFlush, Inflate as Inflater, InflateFlush, Status};

    /// Shorter payloads are not compressed: it takes 6 µs, and saves 12 of 100 bytes and 61 of 250.
    const COMPRESSED_BYTES_MIN: usize = 256;

    /// Level 6 takes half as much time again for one percent; level 1 leaves a fifth more.
    const LEVEL: i32 = 3;

    /// The end of a flush, which the sender omits (RFC 7692 §7.2.1).
    pub(super) const FLUSHED: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

    /// The bytes of a flush that the receiver appends, followed by an empty block that is marked as
    /// the last. Only a message that ends between two blocks ends there too.
    const END: [u8; 9] = [0x00, 0x00, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0xFF, 0xFF];

    /// More than a flush adds to the bound of a whole stream, in bytes.
    const FLUSH_BYTES_MAX: usize = 64;

    /// The first size of the buffer that a message is inflated into, in bytes; it doubles.
    const FIRST_BYTES: usize = 4 << 10;

    /// The size up to which that buffer is kept for the next message, in bytes.
    pub(super) const KEPT_BYTES: usize = 64 << 10;

    /// Compresses whole messages. All connections share one; it allocates 370 KiB with the first
    /// message.
    #[derive(Default)]
    pub struct Deflate {
        compressor: Option<Compressor>,
    }

    impl Deflate {
        /// Appends a message as a server sends it, compressed, in one frame, for clients that
        /// negotiated `parameters` or a larger window. Returns `false` and appends nothing if the
        /// message is short, would not shrink, or does not fit into the window; then use
        /// [`encode_message`](crate::websocket::encode_message), which is always allowed (§6).
        ///
        /// Don't pass a message that contains a secret beside text of other users (§8).
        ///
        /// ```
        /// use parlor::websocket::{Deflate, DeflateParameters, Opcode};
        /// let (mut deflate, mut out) = (Deflate::default(), Vec::new());
        /// let parameters = DeflateParameters::default();
        /// assert!(!deflate.compress(Opcode::Text, b"Hello", parameters, &mut out));
        /// assert!(deflate.compress(Opcode::Text, &[b'o'; 1000], parameters, &mut out));
        /// assert!(out.starts_with(b"\xC1") && out.len() < 20);
        /// ```
        pub fn compress(
            &mut self,
            opcode: Opcode,
            payload: &[u8],
            parameters: DeflateParameters,
            out: &mut Vec<u8>,
        ) -> bool {
            let lengths = COMPRESSED_BYTES_MIN..=parameters.compressible_bytes();
            if opcode.is_control() || !lengths.contains(&payload.len()) {
                return false;
            }
            let new = || Compressor::new(LEVEL, false, WINDOW_BITS_MAX);
            let compressor = self.compressor.get_or_insert_with(new);
            let start = out.len();
            let (mut is_shorter, mut is_complete) = (false, false);
            write_frame(true, opcode, out, |out| {
                compressor.reset();
                let start = out.len();
                // Room for all possible output. `reset` of zlib-rs 0.6.8 does not forget output
                // that did not fit, and panics some messages later.
                let room = zlib_rs::compress_bound(payload.len()) + FLUSH_BYTES_MAX;
                out.resize(start + room, 0);
                let flush = DeflateFlush::SyncFlush;
                let result = compressor.compress(payload, &mut out[start..], flush);
                let length = compressor.total_out() as usize;
                is_complete = result == Ok(Status::Ok)
                    && out[..start + length].ends_with(&FLUSHED)
                    && length < room;
                is_shorter = is_complete && length < payload.len();
                out.truncate(start + length.saturating_sub(FLUSHED.len()));
            });
            if !is_complete {
                self.compressor = None;
            }
            if !is_shorter {
                out.truncate(start);
            }
            is_shorter
        }
    }

    /// Inflates messages, and holds the result. All connections share one; between two messages it
    /// holds at most 112 KiB.
    #[derive(Default)]
    pub struct Scratch {
        pub(super) inflater: Option<Inflater>,
        pub(super) inflated: Vec<u8>,
    }

    impl Scratch {
        /// Frees the memory of a long message.
        pub(in crate::websocket) fn shrink(&mut self) {
            if self.inflated.len() > KEPT_BYTES {
                self.inflated = Vec::new();
            }
        }

        /// Inflates the payload of a whole message (RFC 7692 §7.2.2). Stops at the first byte over
        /// `max_message_bytes`, and at the first that can't be UTF-8 in a text; the caller checks
        /// whether the text ends within a character.
        ///
        /// Incomplete blocks are a protocol error (1002) and not invalid data (1007), because they
        /// break the format of the extension, not the type of the message (RFC 6455 §7.4.1).
        pub(in crate::websocket) fn inflate(
            &mut self,
            opcode: Opcode,
            compressed: &[u8],
            max_message_bytes: usize,
        ) -> Result<&[u8], Violation> {
            let Self { inflater, inflated } = self;
            let inflater = inflater.get_or_insert_with(|| Inflater::new(false, WINDOW_BITS_MAX));
            inflater.reset(false);
            let bytes_max = max_message_bytes.saturating_add(1);
            let (mut input, mut end) = (compressed, &END[..]);
            let (mut length, mut valid) = (0, 0);
            loop {
                if length == inflated.len() {
                    inflated.resize((2 * length).max(FIRST_BYTES).min(bytes_max), 0);
                }
                let room = inflated.len().min(bytes_max) - length;
                let (total_in, total_out) = (inflater.total_in(), inflater.total_out());
                let output = &mut inflated[length..length + room];
                let status = inflater.decompress(input, output, InflateFlush::NoFlush);
                input = &input[(inflater.total_in() - total_in) as usize..];
                let more = (inflater.total_out() - total_out) as usize;
                // `END` inflates to nothing after a whole block; output is the rest of a cut one.
                if end.is_empty() && more > 0 {
                    return Err(Violation::InvalidDeflate);
                }
                length += more;
                // Check the output before the status, so that the verdict does not depend on the
                // size of the buffer.
                if opcode == Opcode::Text {
                    valid += valid_up_to(&inflated[valid..length.min(max_message_bytes)])?;
                }
                if length > max_message_bytes {
                    return Err(Violation::MessageTooBig);
                }
                match status {
                    Ok(Status::StreamEnd) if input.is_empty() && end.is_empty() => {
                        return Ok(&inflated[..length]);
                    }
                    // A block that is marked as the last (§7.2.3.4); another may follow.
                    Ok(Status::StreamEnd) => inflater.reset(false),
                    Ok(_) if more == room && room > 0 => {}
                    Ok(_) if input.is_empty() && !end.is_empty() => {
                        input = std::mem::take(&mut end)
                    }
                    Ok(_) | Err(_) => return Err(Violation::InvalidDeflate),
                }
            }
        }
    }
}

#[cfg(feature = "deflate")]
#[cfg(test)]
mod tests {
    use super::WINDOW_BITS_MAX;
    use super::codec::{FLUSHED, KEPT_BYTES, Scratch};
    use crate::websocket::{Opcode, Violation};
    use zlib_rs::{Deflate as Compressor, DeflateFlush};

    /// Compresses a payload, and ends it with BFINAL or with a flush without its last bytes.
    fn compressed(payload: &[u8], flush: DeflateFlush) -> Vec<u8> {
        let mut out = vec![0; payload.len() + 100];
        let mut compressor = Compressor::new(9, false, WINDOW_BITS_MAX);
        compressor
            .compress(payload, &mut out, flush)
            .expect("the buffer is large enough");
        out.truncate(compressor.total_out() as usize);
        if flush == DeflateFlush::SyncFlush {
            out.truncate(out.len() - FLUSHED.len());
        }
        out
    }

    #[test]
    fn bombs_are_inflated_up_to_the_limit() {
        let bomb = compressed(&vec![0; 64 << 20], DeflateFlush::SyncFlush);
        assert!(bomb.len() < 70_000);
        for limit in [0, 1, 100, 4096, 5000, 65_536, 1 << 20] {
            for opcode in [Opcode::Text, Opcode::Binary] {
                let mut scratch = Scratch::default();
                let inflated = scratch.inflate(opcode, &bomb, limit);
                assert_eq!(inflated, Err(Violation::MessageTooBig));
                let total_out = scratch.inflater.as_ref().expect("it was used").total_out();
                assert_eq!(
                    (total_out, scratch.inflated.len()),
                    (limit as u64 + 1, limit + 1)
                );
                scratch.shrink();
                assert!(scratch.inflated.capacity() <= KEPT_BYTES);
            }
        }
    }

    #[test]
    #[rustfmt::skip]
    fn earlier_messages_change_no_verdict() {
        use Violation::*;
        let text = "Gr\u{fc}\u{df}e \u{20ac} ".repeat(1000).into_bytes();
        let mut wrong = text.clone();
        wrong[5000] = 0xFF;
        let cut = |payload: &[u8]| compressed(payload, DeflateFlush::SyncFlush);
        let last = |payload: &[u8], after: &[u8]| {
            [&compressed(payload, DeflateFlush::Finish)[..], after].concat()
        };
        let (long_text, nonsense) = (vec![b'a'; text.len() + 1], &[0xFF; 9][..]);
        let wrong_end = [&text[..], b"\xFF"].concat();
        let table = [
            ("right", cut(&text), Ok(&text[..])),
            ("marked as the last", last(&text, &[0]), Ok(&text)),
            ("cut off", cut(&text)[..30].to_vec(), Err(InvalidDeflate)),
            ("followed by nonsense", last(&text, nonsense), Err(InvalidDeflate)),
            ("not UTF-8", cut(&wrong), Err(InvalidUtf8)),
            ("not UTF-8, then nonsense", last(&wrong, nonsense), Err(InvalidUtf8)),
            ("too big, then nonsense", last(&long_text, nonsense), Err(MessageTooBig)),
            ("not UTF-8, then too big", cut(&wrong.repeat(2)), Err(InvalidUtf8)),
            ("not UTF-8 after the limit", last(&wrong_end, &[]), Err(MessageTooBig)),
        ];
        let long = vec![b'x'; 1 << 20];
        let (mut used, long_compressed) = (Scratch::default(), cut(&long));
        for (name, payload, expected) in table {
            for scratch in [&mut Scratch::default(), &mut used] {
                assert_eq!(scratch.inflate(Opcode::Text, &payload, text.len()), expected, "{name}");
            }
            assert_eq!(used.inflate(Opcode::Text, &long_compressed, 1 << 20), Ok(&long[..]));
        }
    }

    /// An inflater that builds a table for each block takes a minute for this.
    #[test]
    fn empty_blocks_cost_no_more_than_others() {
        // 52,000 blocks of ten bits each.
        let blocks = [&[0x02, 0x08, 0x20, 0x80, 0x00].repeat(13_107)[..], &[0]].concat();
        let mut scratch = Scratch::default();
        for _ in 0..20 {
            assert_eq!(scratch.inflate(Opcode::Text, &blocks, 65_536), Ok(&b""[..]));
        }
    }
}
