//! Close frames (RFC 6455 §5.5.1) and their codes (§7.4).
//!
//! Some codes exist only for programs to tell each other about themselves and must never be in a
//! frame: 1005 (there was no
//! code), 1006 (there was no close frame), 1015 (TLS failed). That is why [`CloseCode`] can't be
//! made of any number.

use super::frame::{Opcode, write_message};
use super::violation::Violation;
use crate::limits::CONTROL_PAYLOAD_MAX;

/// A code that may stand in a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// All is said.
    pub const NORMAL: Self = Self(1000);
    /// The server stops, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A message of a kind that this endpoint does not take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// A message that is not what its kind says: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The peer broke a rule of ours.
    pub const POLICY: Self = Self(1008);
    /// A message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// The server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// Too much for this server now.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// The code of this number, if it may stand in a frame: those that RFC 6455 §7.4.1 and the
    /// registry behind it (§11.7)
    /// define for it, and what libraries (3000–3999) and applications (4000–4999) agree on.
    ///
    /// ```
    /// use parlor::websocket::CloseCode;
    /// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
    /// assert_eq!(CloseCode::new(1005), None); // "there was no code" is no code
    /// ```
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// What a number says, also one that may not stand in a frame (§7.4.1, §7.4.2, §11.7).
    pub const fn name_of(code: u16) -> &'static str {
        match code {
            1000 => "all is said",
            1001 => "going away",
            1002 => "a rule of the protocol was broken",
            1003 => "a message of a kind that is not taken",
            1004 => "reserved (never in a frame)",
            1005 => "no code was there (never in a frame)",
            1006 => "no close frame was there (never in a frame)",
            1007 => "a message that is not what its kind says",
            1008 => "a rule of the application was broken",
            1009 => "a message too big",
            1010 => "the server did not agree on an extension",
            1011 => "the server failed",
            1012 => "the server starts anew",
            1013 => "try again later",
            1014 => "a gateway got a wrong answer",
            1015 => "TLS failed (never in a frame)",
            3000..=3999 => "a library's or a framework's code",
            4000..=4999 => "an application's code",
            _ => "no code of the standard (never in a frame)",
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// What a close frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why; a frame without a payload has none.
    pub code: Option<CloseCode>,
    /// The same for a person who looks for the fault; at most 123 bytes. Without a code there is
    /// none.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// A frame that says why.
    pub const fn new(code: CloseCode, reason: &'a str) -> Self {
        Self {
            code: Some(code),
            reason,
        }
    }

    /// Reads the payload of a close frame, unmasked (RFC 6455 §5.5.1): nothing, or a code and a
    /// reason.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        match payload {
            [] => Ok(Self {
                code: None,
                reason: "",
            }),
            [_] => Err(Violation::CloseLength),
            [high, low, reason @ ..] => {
                let number = u16::from_be_bytes([*high, *low]);
                let code = CloseCode::new(number).ok_or(Violation::CloseCode { code: number })?;
                let reason = str::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
                Ok(Self {
                    code: Some(code),
                    reason,
                })
            }
        }
    }

    /// Appends the whole frame as a server sends it. A reason that is too long for a control frame
    /// is cut between two
    /// characters.
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

    /// Appends the payload alone.
    pub(super) fn encode_payload(&self, out: &mut Vec<u8>) {
        let Some(code) = self.code else { return };
        out.extend_from_slice(&code.get().to_be_bytes());
        let room = CONTROL_PAYLOAD_MAX - 2;
        let mut end = self.reason.len().min(room);
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
    fn payloads_of_section_5_5_1() {
        let frame = |code, reason| {
            Ok(CloseFrame {
                code: CloseCode::new(code),
                reason,
            })
        };
        let table: &[(&str, &[u8], Result<CloseFrame<'_>, Violation>)] = &[
            (
                "nothing at all",
                b"",
                Ok(CloseFrame {
                    code: None,
                    reason: "",
                }),
            ),
            ("half a code", b"\x03", Err(Violation::CloseLength)),
            ("a code alone", b"\x03\xE8", frame(1000, "")),
            (
                "a code and a reason",
                "\u{3}\u{F}tsch\u{fc}ss".as_bytes(),
                Err(Violation::CloseCode { code: 783 }),
            ),
            (
                "a reason in UTF-8",
                b"\x03\xE9tsch\xC3\xBCss",
                frame(1001, "tsch\u{fc}ss"),
            ),
            (
                "a reason that is not UTF-8",
                b"\x03\xE8\xFF",
                Err(Violation::InvalidUtf8),
            ),
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
