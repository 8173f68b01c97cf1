//! Close frames (RFC 6455 §5.5.1).

use super::close_code::CloseCode;
use super::frame::{CONTROL_PAYLOAD_MAX, Opcode, write_message};
use super::violation::Violation;

/// The content of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The code; a frame without a payload has none.
    pub code: Option<CloseCode>,
    /// The reason, for a person who debugs; at most 123 bytes. Empty if there is no code.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Creates a frame with a code and a reason.
    pub const fn new(code: CloseCode, reason: &'a str) -> Self {
        let code = Some(code);
        Self { code, reason }
    }

    /// Parses the unmasked payload of a close frame (RFC 6455 §5.5.1): empty, or a code and a
    /// reason.
    ///
    /// ```
    /// use parlor::websocket::{CloseCode, CloseFrame, Violation};
    /// let frame = CloseFrame::new(CloseCode::NORMAL, "bye");
    /// assert_eq!(CloseFrame::decode(b"\x03\xE8bye"), Ok(frame));
    /// assert_eq!(CloseFrame::decode(b"\x03"), Err(Violation::CloseLength));
    /// ```
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let (code, reason) = match payload {
            [] => (None, &[][..]),
            [_] => return Err(Violation::CloseLength),
            [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
        };
        let code = code
            .map(|code| CloseCode::new(code).ok_or(Violation::CloseCode { code }))
            .transpose()?;
        let reason = str::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
        Ok(Self { code, reason })
    }

    /// Appends the whole frame as a server sends it. A reason that is too long for a control frame
    /// is cut between two characters.
    ///
    /// ```
    /// use parlor::websocket::{CloseCode, CloseFrame};
    /// let mut out = Vec::new();
    /// CloseFrame::new(CloseCode::NORMAL, "bye").encode(&mut out);
    /// assert_eq!(out, b"\x88\x05\x03\xE8bye");
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_message(Opcode::Close, out, |out| self.encode_payload(out));
    }

    pub(super) fn encode_payload(&self, out: &mut Vec<u8>) {
        let Some(code) = self.code else { return };
        out.extend_from_slice(&code.get().to_be_bytes());
        let mut end = self.reason.len().min(CONTROL_PAYLOAD_MAX - 2);
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }
        out.extend_from_slice(&self.reason.as_bytes()[..end]);
    }
}

impl Violation {
    /// Returns the close frame that reports this violation to the peer.
    pub const fn close_frame(self) -> CloseFrame<'static> {
        let rule = self.rule();
        CloseFrame::new(rule.code, rule.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn payloads_of_section_5_5_1() {
        let frame = |code, reason| {
            Ok(CloseFrame {
                code: CloseCode::new(code),
                reason,
            })
        };
        let table: &[(&str, &[u8], Result<CloseFrame<'_>, Violation>)] = &[
            ("nothing at all", b"", Ok(CloseFrame { code: None, reason: "" })),
            ("half a code", b"\x03", Err(Violation::CloseLength)),
            ("a code alone", b"\x03\xE8", frame(1000, "")),
            ("a code and a reason",
                "\u{3}\u{F}tsch\u{fc}ss".as_bytes(), Err(Violation::CloseCode { code: 783 })),
            ("a reason in UTF-8", b"\x03\xE9tsch\xC3\xBCss", frame(1001, "tsch\u{fc}ss")),
            ("a reason that is not UTF-8", b"\x03\xE8\xFF", Err(Violation::InvalidUtf8)),
            ("an application's code", b"\x13\x87", frame(4999, "")),
        ];
        for (name, payload, expected) in table {
            assert_eq!(&CloseFrame::decode(payload), expected, "{name}");
        }
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let reason = "\u{20AC}".repeat(60); // three bytes each; 123 is 41 of them
        let mut out = Vec::new();
        CloseFrame::new(CloseCode::NORMAL, &reason).encode(&mut out);
        assert_eq!(out[..4], [0x88, 125, 0x03, 0xE8]);
        assert_eq!(str::from_utf8(&out[4..]), Ok(&reason[..123]));
    }
}
