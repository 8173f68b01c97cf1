//! Compressed messages: the extension permessage-deflate (RFC 7692).
//!
//! ```text
//! Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate
//! ```
//!
//! **Negotiation** (§5, §7.1). A client lists its offers in its order of preference; the server
//! accepts the first that it can. An unknown, repeated or invalid parameter declines its offer, and
//! a header with broken syntax declines all of them: the connection goes on without compression.
//! *Context takeover* lets a message refer to earlier ones, so that short messages shrink too. It
//! costs 32 KiB for each connection to read and 370 KiB to write (measured), and a message to many
//! clients can't be compressed once for all of them; so parlor's chat rules it out.
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
use std::fmt;

pub use codec::Deflate;
pub(super) use codec::Inflater;

/// The extension's name (RFC 7692 §7).
pub(super) const NAME: &str = "permessage-deflate";

/// The largest window as a power of two, and the default (RFC 7692 §7.1.2).
const WINDOW_BITS_MAX: u8 = 15;

/// The compression that an end offers or accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Every offer is declined, and none is made.
    #[default]
    Off,
    /// Each message is compressed by itself, so an idle connection holds no memory for it.
    EachMessage,
    /// Messages refer to earlier ones: the best ratio for many short messages, for about 400 KiB
    /// for each connection.
    ContextTakeover,
}

/// The parameters negotiated for one connection (RFC 7692 §7.1). The default is that of an offer
/// without parameters, answered without context takeover.
///
/// ```
/// use parlor::websocket::{DeflateParameters, WebSocket};
/// let parameters = DeflateParameters::default();
/// assert_eq!(parameters.compressible_bytes(), usize::MAX);
/// let websocket = WebSocket::server(1 << 16).with_deflate(Some(parameters));
/// assert_eq!(websocket.deflate(), Some(parameters));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateParameters {
    server: Side,
    client: Side,
}

/// The role of an end: a client masks its frames, a server must not (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// How one end compresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Side {
    /// The limit on its window, if the other end set one (§7.1.2).
    pub(crate) max_window_bits: Option<u8>,
    /// Whether its messages may refer to earlier ones (§7.1.1).
    pub(crate) takeover: bool,
}

impl DeflateParameters {
    /// Returns the longest payload that [`Deflate::compress`] compresses for this client, in bytes.
    /// No reference can go back beyond the beginning of the message, so a message no longer than
    /// the client's window fits into it.
    pub fn compressible_bytes(self) -> usize {
        match self.server.max_window_bits {
            Some(bits) if bits < WINDOW_BITS_MAX => 1 << bits,
            _ => usize::MAX,
        }
    }

    /// Returns our side of the parameters, and the peer's.
    pub(crate) fn sides(self, role: Role) -> (Side, Side) {
        match role {
            Role::Server => (self.server, self.client),
            Role::Client => (self.client, self.server),
        }
    }

    /// Returns what `compression` allows. Without the feature every offer is declined, as for an
    /// unknown extension (RFC 6455 §9.1).
    fn of(compression: Compression) -> Option<Self> {
        let side = Side {
            max_window_bits: None,
            takeover: compression == Compression::ContextTakeover,
        };
        let (server, client) = (side, side);
        let is_on = cfg!(feature = "deflate") && compression != Compression::Off;
        is_on.then_some(Self { server, client })
    }

    /// Returns the first acceptable offer of all values of the header, in their order.
    pub(super) fn negotiate<'a>(
        mut values: impl Iterator<Item = &'a [u8]>,
        compression: Compression,
    ) -> Option<Self> {
        let most = Self::of(compression)?;
        values.find_map(|value| first_acceptable(value, most, true).flatten())
    }

    /// Returns the value of the header that offers compression, unless it is off.
    pub(super) fn offer(compression: Compression) -> Option<String> {
        let most = Self::of(compression)?;
        Some(most.to_string() + "; client_max_window_bits")
    }

    /// Returns the server's answer to our offer; an error is an answer that is not allowed.
    pub(crate) fn agreed<'a>(
        mut values: impl Iterator<Item = &'a [u8]>,
        compression: Compression,
    ) -> Result<Option<Self>, ()> {
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let is_single = values.next().is_none() && !value.contains(&b',');
        let most = Self::of(compression).filter(|_| is_single).ok_or(())?;
        let agreed = first_acceptable(value, most, false).flatten();
        agreed.map(Some).ok_or(())
    }

    /// Adds one parameter of an offer or an answer; `None` declines it.
    fn with(mut self, name: &str, value: Option<&str>, is_offer: bool) -> Option<Self> {
        // 8 to 15, without leading zeros or signs (§7.1.2).
        let bits = value.and_then(|value| {
            let mut all = 8..=WINDOW_BITS_MAX;
            all.find(|bits| value == bits.to_string())
        });
        match (name, value) {
            ("server_no_context_takeover", None) => self.server.takeover = false,
            ("client_no_context_takeover", None) => self.client.takeover = false,
            ("server_max_window_bits", Some(_)) => self.server.max_window_bits = Some(bits?),
            // A server can read any window, so it limits none (§7.1.2.2).
            ("client_max_window_bits", None) if is_offer => {}
            ("client_max_window_bits", Some(_)) if is_offer => _ = bits?,
            ("client_max_window_bits", Some(_)) => self.client.max_window_bits = Some(bits?),
            _ => return None,
        }
        Some(self)
    }
}

/// Writes the value of the header that accepts the offer (§7.1).
impl fmt::Display for DeflateParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        for (name, side) in [("server", self.server), ("client", self.client)] {
            if !side.takeover {
                write!(f, "; {name}_no_context_takeover")?;
            }
        }
        match self.server.max_window_bits {
            Some(bits) => write!(f, "; server_max_window_bits={bits}"),
            None => Ok(()),
        }
    }
}

/// Returns the first acceptable element of one header value. The outer `None` means that its syntax
/// is broken (RFC 6455 §9.1).
fn first_acceptable(
    value: &[u8],
    most: DeflateParameters,
    is_offer: bool,
) -> Option<Option<DeflateParameters>> {
    let mut accepted = None;
    // A quoted string contains a token (RFC 6455 §9.1), so no comma or semicolon is within quotes.
    for element in str::from_utf8(value).ok()?.split(',').map(str::trim_ascii) {
        // RFC 9110 §5.6.1: empty elements of a list are ignored.
        if element.is_empty() {
            continue;
        }
        let mut parts = element.split(';').map(str::trim_ascii);
        let name = token(parts.next()?)?;
        let mut parsed = (name == NAME).then_some(most);
        let mut names = Vec::new();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_ascii(), Some(unquote(value.trim_ascii())?)),
                None => (part, None),
            };
            token(name)?;
            parsed = parsed.filter(|_| !names.contains(&name));
            parsed = parsed.and_then(|it| it.with(name, value.as_deref(), is_offer));
            // At most four names are collected: the list ends with the first unacceptable one.
            if parsed.is_some() {
                names.push(name);
            }
        }
        accepted = accepted.or(parsed);
    }
    Some(accepted)
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

/// Returns `text` if it is a token (RFC 9110 §5.6.2).
fn token(text: &str) -> Option<&str> {
    is_token(text).then_some(text)
}

/// The stand-ins for a build without the feature `deflate`: RSV1 is never negotiated.
#[cfg(not(feature = "deflate"))]
#[allow(missing_docs)]
mod codec {
    use super::*;
    use crate::websocket::{Opcode, Violation};

    type Out<'a> = &'a mut Vec<u8>;

    #[derive(Default)]
    pub struct Deflate {}

    impl Deflate {
        pub fn compress(&mut self, _: Opcode, _: &[u8], _: DeflateParameters, _: Out<'_>) -> bool {
            false
        }

        #[rustfmt::skip]
        pub(in crate::websocket) fn write(
            &mut self, _: Opcode, _: &[u8], _: Side, _: Option<[u8; 4]>, _: Out<'_>,
        ) -> bool {
            false
        }
    }

    #[derive(Default)]
    pub(in crate::websocket) struct Inflater {}

    impl Inflater {
        pub(in crate::websocket) fn shrink(&mut self) {}

        #[rustfmt::skip]
        pub(in crate::websocket) fn inflate(
            &mut self, _: Opcode, _: &[u8], _: usize, _: Option<Out<'_>>,
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
    use zlib_rs::{Deflate as Compressor, DeflateFlush, Inflate, InflateFlush, Status};

    /// Shorter payloads are not compressed: it takes 6 µs, and saves 12 of 100 bytes and 61 of 250.
    const COMPRESSED_BYTES_MIN: usize = 256;

    /// The same with context takeover, where earlier messages help.
    const TAKEOVER_BYTES_MIN: usize = 32;

    /// The farthest that a message can refer back, in bytes.
    const WINDOW_BYTES: usize = 1 << WINDOW_BITS_MAX;

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

    /// Compresses whole messages. Connections without context takeover can share one; it allocates
    /// 370 KiB with the first message.
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
            let is_short = payload.len() <= parameters.compressible_bytes();
            is_short && self.write(opcode, payload, Side::default(), None, out)
        }

        /// Like [`Deflate::compress`], for one connection. With context takeover a message that
        /// grows is sent compressed all the same, because the next one may refer to it.
        pub(in crate::websocket) fn write(
            &mut self,
            opcode: Opcode,
            payload: &[u8],
            side: Side,
            key: Option<[u8; 4]>,
            out: &mut Vec<u8>,
        ) -> bool {
            let bits = side.max_window_bits.unwrap_or(WINDOW_BITS_MAX);
            // The compressor has no window of 256 bytes; single messages fit into it.
            let takeover = side.takeover && bits > 8;
            let lengths = match takeover {
                true => TAKEOVER_BYTES_MIN..=usize::MAX,
                false if bits == 8 => COMPRESSED_BYTES_MIN..=256,
                false => COMPRESSED_BYTES_MIN..=usize::MAX,
            };
            if opcode.is_control() || !lengths.contains(&payload.len()) {
                return false;
            }
            let new = || Compressor::new(LEVEL, false, bits.max(9));
            let compressor = self.compressor.get_or_insert_with(new);
            let start = out.len();
            let (mut is_sent, mut is_complete) = (false, false);
            write_frame(true, opcode, key, out, |out| {
                if !takeover {
                    compressor.reset();
                }
                let (start, before) = (out.len(), compressor.total_out());
                // Room for all possible output. `reset` of zlib-rs 0.6.8 does not forget output
                // that did not fit, and panics some messages later.
                let room = zlib_rs::compress_bound(payload.len()) + FLUSH_BYTES_MAX;
                out.resize(start + room, 0);
                let flush = DeflateFlush::SyncFlush;
                let result = compressor.compress(payload, &mut out[start..], flush);
                let length = (compressor.total_out() - before) as usize;
                is_complete = result == Ok(Status::Ok)
                    && out[..start + length].ends_with(&FLUSHED)
                    && length < room;
                is_sent = is_complete && (takeover || length < payload.len());
                out.truncate(start + length.saturating_sub(FLUSHED.len()));
            });
            if !is_complete {
                self.compressor = None;
            }
            if !is_sent {
                out.truncate(start);
            }
            is_sent
        }
    }

    /// Inflates messages, and holds the result. All connections share one; between two messages it
    /// holds at most 112 KiB.
    #[derive(Default)]
    pub(in crate::websocket) struct Inflater {
        pub(super) inflater: Option<Inflate>,
        pub(super) inflated: Vec<u8>,
    }

    impl Inflater {
        /// Frees the memory of a long message.
        pub(in crate::websocket) fn shrink(&mut self) {
            if self.inflated.len() > KEPT_BYTES {
                self.inflated = Vec::new();
            }
        }

        /// Inflates the payload of a whole message (RFC 7692 §7.2.2). Stops at the first byte over
        /// `max_message_bytes`, and at the first that can't be UTF-8 in a text; the caller checks
        /// whether the text ends within a character. `window` is the end of earlier messages, if
        /// this one may refer to them.
        ///
        /// Incomplete blocks are a protocol error (1002) and not invalid data (1007), because they
        /// break the format of the extension, not the type of the message (RFC 6455 §7.4.1).
        pub(in crate::websocket) fn inflate(
            &mut self,
            opcode: Opcode,
            compressed: &[u8],
            max_message_bytes: usize,
            window: Option<&mut Vec<u8>>,
        ) -> Result<&[u8], Violation> {
            let Self { inflater, inflated } = self;
            let inflater = inflater.get_or_insert_with(|| Inflate::new(false, WINDOW_BITS_MAX));
            inflater.reset(false);
            if let Some(window) = window.as_deref().filter(|window| !window.is_empty()) {
                let set = inflater.set_dictionary(window);
                set.map_err(|_| Violation::InvalidDeflate)?;
            }
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
                        if let Some(window) = window {
                            remember(window, &inflated[..length]);
                        }
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

    /// Appends a message to the end of earlier ones.
    fn remember(window: &mut Vec<u8>, message: &[u8]) {
        let message = &message[message.len().saturating_sub(WINDOW_BYTES)..];
        let excess = (window.len() + message.len()).saturating_sub(WINDOW_BYTES);
        window.drain(..excess);
        window.extend_from_slice(message);
    }
}

#[cfg(feature = "deflate")]
#[cfg(test)]
mod tests {
    use super::WINDOW_BITS_MAX;
    use super::codec::{FLUSHED, Inflater, KEPT_BYTES};
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
                let mut scratch = Inflater::default();
                let inflated = scratch.inflate(opcode, &bomb, limit, None);
                assert_eq!(inflated, Err(Violation::MessageTooBig));
                let total_out = scratch.inflater.as_ref().expect("it was used").total_out();
                assert_eq!(total_out, limit as u64 + 1);
                assert_eq!(scratch.inflated.len(), limit + 1);
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
        let (mut used, long_compressed) = (Inflater::default(), cut(&long));
        for (name, payload, expected) in table {
            for scratch in [&mut Inflater::default(), &mut used] {
                let inflated = scratch.inflate(Opcode::Text, &payload, text.len(), None);
                assert_eq!(inflated, expected, "{name}");
            }
            assert_eq!(used.inflate(Opcode::Text, &long_compressed, 1 << 20, None), Ok(&long[..]));
        }
    }

    /// An inflater that builds a table for each block takes a minute for this.
    #[test]
    fn empty_blocks_cost_no_more_than_others() {
        // 52,000 blocks of ten bits each.
        let blocks = [&[0x02, 0x08, 0x20, 0x80, 0x00].repeat(13_107)[..], &[0]].concat();
        let mut scratch = Inflater::default();
        for _ in 0..20 {
            let inflated = scratch.inflate(Opcode::Text, &blocks, 65_536, None);
            assert_eq!(inflated, Ok(&b""[..]));
        }
    }
}
