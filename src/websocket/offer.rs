//! What both ends agree on about compression (RFC 7692 §5, §7.1): the header
//! `Sec-WebSocket-Extensions`.
//!
//! ```text
//! Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate; client_max_window_bits
//! Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10
//! ```
//!
//! A client lists its offers, the one that it likes best first; the first that can be accepted as
//! it stands is. A parameter
//! that is unknown, comes twice or has a wrong value declines its offer, and the connection goes on
//! without (§7.1). So does
//! a header whose syntax is broken, all of it: RFC 6455 §9.1 would fail the connection there, but a
//! peer that can't spell
//! an offer can still chat.
//!
//! The answer always rules out *context takeover*, that a message refers back to the ones before.
//! It would save some more
//! bytes, and cost 47 KiB for each connection to read and 370 KiB to write (measured); and what
//! goes to many could not be
//! compressed once for all of them.
//!
//! Not here: compression itself (`deflate`).

/// The extension's name (RFC 7692 §7).
const NAME: &[u8] = b"permessage-deflate";

/// DEFLATE's own window as a power of two, which nobody needs to ask for (RFC 7692 §7.1.2).
const WINDOW_BITS_MAX: u8 = 15;

/// What was agreed on for one connection (RFC 7692 §7.1). Context takeover is off on both sides.
/// The default is the plain
/// offer, without any demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateParameters {
    /// What the client asked for; an answer must repeat it (§7.1.2.1).
    server_max_window_bits: Option<u8>,
}

impl DeflateParameters {
    /// Whether the client can read whatever any client can: what is compressed once for many is for
    /// those.
    pub fn has_full_window(self) -> bool {
        self.server_max_window_bits
            .is_none_or(|bits| bits == WINDOW_BITS_MAX)
    }

    /// The longest payload that may be compressed for this client, in bytes. A reference can't go
    /// back further than to its
    /// message's beginning, so that a message no longer than the window keeps within it, whatever
    /// the compressor does.
    pub fn compressible_bytes(self) -> usize {
        match self.server_max_window_bits {
            Some(bits) if bits < WINDOW_BITS_MAX => 1 << bits,
            _ => usize::MAX,
        }
    }

    /// The first offer that can be accepted, of all values of the header in their order.
    pub(super) fn negotiate<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        values.find_map(|value| first_acceptable(value).flatten())
    }

    /// The value of the header that accepts it (§7.1).
    pub(super) fn answer(self) -> String {
        let mut answer =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover".to_owned();
        if let Some(bits) = self.server_max_window_bits {
            answer.push_str(&format!("; server_max_window_bits={bits}"));
        }
        answer
    }

    /// Takes one parameter of an offer; `None` declines the offer. That a client can do without
    /// context takeover, or with a
    /// small window of ours, is granted to it; what it can do with its own window needs no answer
    /// (§7.1.2.2), since a whole
    /// one is there to read it.
    fn with(self, name: &[u8], value: Option<&[u8]>) -> Option<Self> {
        match (name, value) {
            (
                b"server_no_context_takeover"
                | b"client_no_context_takeover"
                | b"client_max_window_bits",
                None,
            ) => Some(self),
            (b"client_max_window_bits", Some(value)) => window_bits(value).map(|_| self),
            (b"server_max_window_bits", Some(value)) => window_bits(value).map(|bits| Self {
                server_max_window_bits: Some(bits),
            }),
            _ => None,
        }
    }
}

/// 8 to 15, without leading zeros (§7.1.2).
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// The first acceptable offer of one value. The outer `None`: its syntax is broken (RFC 6455 §9.1).
fn first_acceptable(value: &[u8]) -> Option<Option<DeflateParameters>> {
    let mut rest = Rest(value);
    let mut agreed = None;
    loop {
        // RFC 9110 §5.6.1: empty elements of a list are passed over.
        while rest.take(b',') {}
        if rest.is_empty() {
            return Some(agreed);
        }
        let offer = rest.offer()?;
        agreed = agreed.or(offer);
        if !rest.is_empty() && !rest.take(b',') {
            return None;
        }
    }
}

/// What is left of a header's value.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// One element of the list: a name and its parameters. The inner `None`: not acceptable.
    fn offer(&mut self) -> Option<Option<DeflateParameters>> {
        let mut offer = (self.token()? == NAME).then(DeflateParameters::default);
        let mut names = Vec::new();
        while self.take(b';') {
            let name = self.token()?;
            let value = if self.take(b'=') {
                Some(self.value()?)
            } else {
                None
            };
            let is_new = !names.contains(&name);
            offer = offer
                .filter(|_| is_new)
                .and_then(|offer| offer.with(name, value.as_deref()));
            // Names are only remembered while the offer stands, so there are four at most.
            if offer.is_some() {
                names.push(name);
            }
        }
        Some(offer)
    }

    /// A token, or a quoted string that has one in it (RFC 6455 §9.1).
    fn value(&mut self) -> Option<Vec<u8>> {
        if !self.take(b'"') {
            return self.token().map(<[u8]>::to_vec);
        }
        let mut value = Vec::new();
        loop {
            let (byte, rest) = match self.0 {
                [b'\\', escaped, rest @ ..] => (escaped, rest),
                [b'"', rest @ ..] if !value.is_empty() => {
                    self.0 = rest;
                    return Some(value);
                }
                [byte, rest @ ..] => (byte, rest),
                [] => return None,
            };
            value.push(*byte);
            self.0 = rest;
            if !is_token_byte(*byte) {
                return None;
            }
        }
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        self.skip_white_space();
        let length = self
            .0
            .iter()
            .take_while(|byte| is_token_byte(**byte))
            .count();
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        (length > 0).then_some(token)
    }

    /// Takes this byte if it is the next, white space apart.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_white_space();
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn is_empty(&mut self) -> bool {
        self.skip_white_space();
        self.0.is_empty()
    }

    fn skip_white_space(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
