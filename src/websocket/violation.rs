//! Every rule of RFC 6455 and RFC 7692 that a peer can break on an open connection, in one table:
//! the code that the connection is closed with, the section, and a sentence.
//!
//! A wrong opening handshake is an HTTP error instead; see [`handshake`](super::handshake).

use super::close_code::CloseCode;
use std::error::Error;
use std::fmt;

/// A rule that the peer broke. The connection fails with it (RFC 6455 §7.1.7).
///
/// ```
/// use parlor::websocket::{CloseCode, Rule, Violation};
/// let rule: Rule = Violation::UnmaskedFrame.rule();
/// assert_eq!((rule.code, rule.section), (CloseCode::PROTOCOL_ERROR, "RFC 6455 5.1"));
/// assert_eq!(Violation::UnmaskedFrame.close_frame().reason, rule.reason);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// RSV1, RSV2 or RSV3 is set, and no negotiated extension defines it.
    ReservedBits,
    /// An opcode from 3 to 7 or from 11 to 15.
    UnknownOpcode {
        /// The opcode of the frame.
        opcode: u8,
    },
    /// A frame from a client without a masking key.
    UnmaskedFrame,
    /// A frame from a server with a masking key.
    MaskedFrame,
    /// A length in more bytes than it needs, or with its highest bit set.
    LengthForm,
    /// A control frame without FIN.
    FragmentedControlFrame,
    /// A control frame with more than 125 bytes.
    LongControlFrame,
    /// A continuation frame although no message has begun.
    NothingToContinue,
    /// A new message before the end of the last one.
    UnfinishedMessage,
    /// Text or a close reason that is not UTF-8.
    InvalidUtf8,
    /// A message over the limit, by its frame headers or once inflated.
    MessageTooBig,
    /// A compressed message that does not consist of whole DEFLATE blocks.
    InvalidDeflate,
    /// A close frame with a payload of one byte.
    CloseLength,
    /// A close code that must not be in a frame.
    CloseCode {
        /// The code of the frame.
        code: u16,
    },
}

/// One row of the table of violations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The code to close the connection with.
    pub code: CloseCode,
    /// The section of the standard, such as `RFC 6455 5.2`.
    pub section: &'static str,
    /// The rule in one sentence, for a person.
    pub sentence: &'static str,
    /// Section and sentence together: the reason in the close frame, and what is logged.
    pub reason: &'static str,
}

macro_rules! rule {
    ($code:ident, $section:literal, $sentence:literal) => {
        Rule {
            code: CloseCode::$code,
            section: $section,
            sentence: $sentence,
            reason: concat!($section, ": ", $sentence),
        }
    };
}

impl Violation {
    /// Returns the row of the table for this violation.
    #[rustfmt::skip] // one row a line or two, as a table
    pub const fn rule(self) -> Rule {
        match self {
            Self::ReservedBits => rule!(PROTOCOL_ERROR, "RFC 6455 5.2",
                "a reserved bit is set and no extension gave it a meaning"),
            Self::UnknownOpcode { .. } => rule!(PROTOCOL_ERROR, "RFC 6455 5.2",
                "the opcode has no meaning"),
            Self::UnmaskedFrame => rule!(PROTOCOL_ERROR, "RFC 6455 5.1",
                "a client must mask every frame"),
            Self::MaskedFrame => rule!(PROTOCOL_ERROR, "RFC 6455 5.1",
                "a server must not mask any frame"),
            Self::LengthForm => rule!(PROTOCOL_ERROR, "RFC 6455 5.2",
                "the payload length must take its shortest form, below 2^63"),
            Self::FragmentedControlFrame => rule!(PROTOCOL_ERROR, "RFC 6455 5.5",
                "a control frame must not be fragmented"),
            Self::LongControlFrame => rule!(PROTOCOL_ERROR, "RFC 6455 5.5",
                "a control frame has at most 125 bytes"),
            Self::NothingToContinue => rule!(PROTOCOL_ERROR, "RFC 6455 5.4",
                "there is no message to continue"),
            Self::UnfinishedMessage => rule!(PROTOCOL_ERROR, "RFC 6455 5.4",
                "a message must end before the next one begins"),
            Self::InvalidUtf8 => rule!(INVALID_PAYLOAD, "RFC 6455 8.1",
                "text must be UTF-8"),
            Self::MessageTooBig => rule!(TOO_BIG, "RFC 6455 7.4.1",
                "the message is longer than the receiver accepts"),
            Self::InvalidDeflate => rule!(PROTOCOL_ERROR, "RFC 7692 7.2.2",
                "a compressed message must consist of whole DEFLATE blocks"),
            Self::CloseLength => rule!(PROTOCOL_ERROR, "RFC 6455 5.5.1",
                "a close frame is empty or begins with a code of two bytes"),
            Self::CloseCode { .. } => rule!(PROTOCOL_ERROR, "RFC 6455 7.4",
                "this close code must not be sent"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().reason)
    }
}

impl Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::frame::CONTROL_PAYLOAD_MAX;

    #[test]
    fn every_reason_fits_into_a_close_frame() {
        use Violation::*;
        let constant = [ReservedBits, LengthForm, MessageTooBig, InvalidDeflate];
        for violation in constant.into_iter().chain([CloseLength]) {
            let length = violation.rule().reason.len();
            assert!(length <= CONTROL_PAYLOAD_MAX - 2, "{violation:?}");
        }
    }
}
