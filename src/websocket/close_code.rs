//! The codes of close frames (RFC 6455 §7.4).
//!
//! Three codes are reserved for APIs and must never be in a frame: 1005 (no code), 1006 (no close
//! frame), 1015 (TLS failure). That is why a [`CloseCode`] can't be made from every number.

/// A code that may be in a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The normal end of a connection.
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
    /// The server failed internally.
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
    /// assert_eq!(CloseCode::new(4000).map(CloseCode::get), Some(4000));
    /// ```
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the number of the code.
    pub const fn get(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
    }
}
