//! The verdict on what came back.

use super::cases::{Case, Expected};
use super::play::{End, Outcome};
use crate::websocket::Opcode;

/// Whether a server did what a case demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// The answer is the one demanded.
    Held,
    /// It went on as if nothing was wrong, or failed although nothing was wrong.
    Violated,
    /// It rejected the input, but in another way.
    Other,
}

impl Verdict {
    pub(super) const ALL: [Self; 3] = [Self::Held, Self::Violated, Self::Other];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Other => "other",
        }
    }
}

/// Judges the outcome of a case.
pub(super) fn judge(case: &Case, outcome: &Outcome) -> Verdict {
    let is_failure = |code: &u16| matches!(code, 1002 | 1003 | 1007..=1011);
    match (&case.expected, &outcome.end) {
        (_, End::NotOpened(_)) => Verdict::Other,
        (Expected::Refused, End::Status(400..)) => Verdict::Held,
        (Expected::Opened, End::Status(101)) => Verdict::Held,
        (Expected::Refused, End::Status(101) | End::Nothing(_)) => Verdict::Violated,
        (Expected::Refused, _) => Verdict::Other,
        (Expected::Fails(codes), End::Close(Some(code), _)) if codes.contains(code) => {
            Verdict::Held
        }
        (Expected::Fails(_), End::Close(Some(code), _)) if is_failure(code) => Verdict::Other,
        // An invalid close frame that is answered like a valid one was accepted.
        (Expected::Fails(_), End::Close(..)) if sends_close(case) => Verdict::Violated,
        (Expected::Fails(_), End::Close(..) | End::HungUp | End::Invalid(_)) => Verdict::Other,
        (Expected::GoesOn, End::Pong) => Verdict::Held,
        (Expected::Closes(_), End::Close(None, _)) => Verdict::Held,
        (Expected::Closes(codes), End::Close(Some(code), _)) if codes.contains(code) => {
            Verdict::Held
        }
        (Expected::Survives, End::Pong | End::Close(..)) => Verdict::Held,
        _ => Verdict::Violated,
    }
}

/// Returns whether a close frame is the case's first frame.
fn sends_close(case: &Case) -> bool {
    let first = case
        .input
        .split(' ')
        .find(|word| *word != "!")
        .unwrap_or_default();
    let byte = first
        .get(..2)
        .and_then(|byte| u8::from_str_radix(byte, 16).ok());
    byte.is_some_and(|byte| byte & 0x0f == Opcode::Close.bits()) || first.starts_with("raw:\\x88")
}
