//! Close frames (RFC 6455 §5.5.1) and their codes (§7.4).
//!
//! Three codes are reserved for APIs and must never be in a frame: 1005 (no code), 1006 (no close
//! frame), 1015 (TLS failure). That is why a [`CloseCode`] can't be made from every number.

use super::frame::{Opcode, write_message};
use super::violation::Violation;
use crate::limits::CONTROL_PAYLOAD_MAX;

/// A code that may be in a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// Normal closure.
    pub const NORMAL: Self = Self(1000);
    /// The server stops, or the user leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// This endpoint does not accept this type of message.
    pub const UNSUPPORTED: Self = Self(1003);
    /// The payload does not match the type of the message: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The peer broke a rule of the application.
    pub const POLICY: Self = Self(1008);
    /// The message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// The server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// Returns the code of this number if it may be in a frame: those defined by RFC 6455 §7.4.1
    /// and IANA's registry (§11.7), and the ranges for libraries (3000–3999) and applications
    /// (4000–4999).
    ///
    /// ```
    /// use parlor::websocket::CloseCode;
    /// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
    /// assert_eq!(CloseCode::new(1005), None);
    /// ```
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the meaning of a number, including those that may not be in a frame (§7.4.1, §7.4.2,
    /// §11.7).
    pub const fn name_of(code: u16) -> &'static str {
        match code {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1004 => "reserved (never in a frame)",
            1005 => "no status code (never in a frame)",
            1006 => "no close frame (never in a frame)",
            1007 => "invalid payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension not negotiated",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS failure (never in a frame)",
            3000..=3999 => "a library's or a framework's code",
            4000..=4999 => "an application's code",
            _ => "unassigned (never in a frame)",
        }
    }

    /// Returns the number of the code.
    pub const fn get(self) -> u16 {
        self.0
    }
}

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

    /// Appends the payload without a header.
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
    fn every_number_is_a_code_or_none() {
        for number in 0..=u16::MAX {
            let legal = (1000..=1003).contains(&number)
                || (1007..=1014).contains(&number)
                || (3000..=4999).contains(&number);
            assert_eq!(
                CloseCode::new(number).map(CloseCode::get),
                legal.then_some(number)
            );
            assert_eq!(
                CloseCode::name_of(number).contains("never in a frame"),
                !legal,
                "{number}"
            );
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
