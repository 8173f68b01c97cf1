//! Every rule of RFC 6455 and RFC 7692 that a peer can break on an open connection: the code it is
//! closed with, the section, the sentence.
//!
//! One `match` is the table; the close frame's reason and the log come from it.
//!
//! Not here: what is wrong with an opening handshake; that is an HTTP refusal (`handshake`).

use super::close::{CloseCode, CloseFrame};

/// A rule that the peer broke. The connection fails with it (RFC 6455 §7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// RSV1, RSV2 or RSV3 is set where no extension that was agreed on has a meaning for it.
    ReservedBits,
    /// 3–7 and 11–15.
    UnknownOpcode {
        /// Which.
        opcode: u8,
    },
    /// From a client.
    UnmaskedFrame,
    /// From a server.
    MaskedFrame,
    /// A length in more bytes than it needs, or with its highest bit set.
    LengthForm,
    /// Control frames come whole.
    FragmentedControlFrame,
    /// More than 125 bytes.
    LongControlFrame,
    /// A continuation where no message has begun.
    NothingToContinue,
    /// A new message before the last one's end.
    UnfinishedMessage,
    /// Text, or a close reason.
    InvalidUtf8,
    /// Longer than we take, by its header already, or inflated.
    MessageTooBig,
    /// A compressed message that does not consist of whole DEFLATE blocks.
    InvalidDeflate,
    /// A close frame's payload of one byte.
    CloseLength,
    /// A code that must not be in a frame.
    CloseCode {
        /// Which.
        code: u16,
    },
}

impl Violation {
    /// The code to close with, and section and sentence for a person.
    pub const fn rule(self) -> (CloseCode, &'static str) {
        use CloseCode as Code;
        match self {
            Self::ReservedBits => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.2: a reserved bit is set and no extension gave it a meaning",
            ),
            Self::UnknownOpcode { .. } => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.2: the opcode has no meaning",
            ),
            Self::UnmaskedFrame => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.1: a client must mask every frame",
            ),
            Self::MaskedFrame => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.1: a server must not mask any frame",
            ),
            Self::LengthForm => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.2: the payload length must take its shortest form, below 2^63",
            ),
            Self::FragmentedControlFrame => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.5: a control frame must not be fragmented",
            ),
            Self::LongControlFrame => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.5: a control frame has at most 125 bytes",
            ),
            Self::NothingToContinue => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.4: there is no message to continue",
            ),
            Self::UnfinishedMessage => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.4: a message must end before the next one begins",
            ),
            Self::InvalidUtf8 => (Code::INVALID_PAYLOAD, "RFC 6455 8.1: text must be UTF-8"),
            Self::MessageTooBig => (
                Code::TOO_BIG,
                "RFC 6455 7.4.1: the message is longer than this server takes",
            ),
            Self::InvalidDeflate => (
                Code::PROTOCOL_ERROR,
                "RFC 7692 7.2.2: a compressed message must consist of whole DEFLATE blocks",
            ),
            Self::CloseLength => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 5.5.1: a close frame has no payload, or begins with a code of two bytes",
            ),
            Self::CloseCode { .. } => (
                Code::PROTOCOL_ERROR,
                "RFC 6455 7.4: this close code must not be sent",
            ),
        }
    }

    /// What the peer is told.
    pub const fn close_frame(self) -> CloseFrame<'static> {
        let (code, reason) = self.rule();
        CloseFrame::new(code, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CONTROL_PAYLOAD_MAX;

    #[test]
    fn every_sentence_fits_into_a_close_frame_and_names_its_section() {
        let all = [
            Violation::ReservedBits,
            Violation::UnknownOpcode { opcode: 3 },
            Violation::UnmaskedFrame,
            Violation::MaskedFrame,
            Violation::LengthForm,
            Violation::FragmentedControlFrame,
            Violation::LongControlFrame,
            Violation::NothingToContinue,
            Violation::UnfinishedMessage,
            Violation::InvalidUtf8,
            Violation::MessageTooBig,
            Violation::InvalidDeflate,
            Violation::CloseLength,
            Violation::CloseCode { code: 1005 },
        ];
        for violation in all {
            let (_, reason) = violation.rule();
            assert!(
                reason.len() <= CONTROL_PAYLOAD_MAX - 2 && reason.starts_with("RFC "),
                "{reason}"
            );
        }
    }
}
