//! The verdict on what came back.

use super::cases::{Case, Expected, Severity};
use super::play::Outcome;
use super::session::End;
use crate::websocket::Opcode;

/// Every server has to accept messages of this length, in bytes.
const LIMIT_BYTES: usize = 64 << 10;

/// Whether a server did what a case demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// The answer is the one demanded.
    Held,
    /// It went on as if nothing was wrong, or failed although nothing was wrong.
    Violated,
    /// It rejected the input, but in another way.
    Other,
    /// The case is not for this server.
    NotApplicable,
}

impl Verdict {
    /// Every verdict with its word, in the order of the columns.
    pub(super) const WORDS: [(Self, &'static str); 4] = [
        (Self::Held, "held"),
        (Self::Violated, "violated"),
        (Self::Other, "other"),
        (Self::NotApplicable, "n/a"),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::WORDS[self as usize].1
    }
}

pub(super) fn judge(case: &Case, outcome: &Outcome) -> Verdict {
    let is_failure = |code: &u16| matches!(code, 1002 | 1003 | 1007..=1011);
    let is_right = outcome.is_expected();
    match (&case.expected, &outcome.end) {
        (_, End::NotApplicable(_)) => Verdict::NotApplicable,
        (Expected::Survives, End::NotOpened(_)) => Verdict::Violated,
        (_, End::NotOpened(_)) => Verdict::Other,
        (Expected::Refused, End::Status(400.., _) | End::Refused) => Verdict::Held,
        (Expected::Opened, End::Status(101, false) | End::Pong) => Verdict::Held,
        (Expected::Opened, End::Status(400.., _)) => Verdict::Other,
        (Expected::Refused, End::Status(101, _) | End::Pong | End::Nothing(_)) => Verdict::Violated,
        (Expected::Refused, _) => Verdict::Other,
        (Expected::Ends, End::Status(400.., _) | End::HungUp) => Verdict::Held,
        // It went on behind the broken rule.
        (Expected::Fails(_), _) if outcome.answers.len() > outcome.expected.len() => {
            Verdict::Violated
        }
        (Expected::Fails(codes), End::Close(Some(code), _)) if codes.contains(code) => {
            Verdict::Held
        }
        (Expected::Fails(_), End::Close(Some(code), _)) if is_failure(code) => Verdict::Other,
        // An invalid close frame that is answered like a valid one was accepted.
        (Expected::Fails(_), End::Close(..)) if begins_with_close(outcome) => Verdict::Violated,
        // An invalid frame is the echo of the invalid input.
        (Expected::Fails(_), End::Invalid(_)) => Verdict::Violated,
        (Expected::Fails(_), End::Close(..) | End::HungUp) => Verdict::Other,
        (Expected::GoesOn, End::Pong | End::Answers) if is_right => Verdict::Held,
        (Expected::GoesOn, _) if is_limited(outcome) => Verdict::Held,
        (Expected::Closes(codes), End::Close(code, _)) if is_right => {
            match code.is_none_or(|code| codes.contains(&code)) {
                true => Verdict::Held,
                false => Verdict::Other,
            }
        }
        (Expected::NewKeys, End::Invalid(_)) => Verdict::Violated,
        (Expected::Survives | Expected::NewKeys, _) => Verdict::Held,
        _ => Verdict::Violated,
    }
}

/// Returns whether the server refused a long message, or one of many fragments, which it may (RFC
/// 6455 §10.4).
fn is_limited(outcome: &Outcome) -> bool {
    matches!(outcome.end, End::Close(Some(1008 | 1009 | 1013), _))
        && outcome.sent.total > LIMIT_BYTES
}

/// Returns the severity of a verdict. An attacker gains nothing by input that is rejected in
/// another way.
pub(super) fn severity(case: &Case, verdict: Verdict, outcome: &Outcome) -> Severity {
    match (verdict, &outcome.end) {
        (Verdict::Other, end) if !matches!(end, End::NotOpened(_)) => {
            case.severity.min(Severity::Pedantic)
        }
        _ => case.severity,
    }
}

/// Returns the two verdicts of Autobahn's report: on the messages, and on the end.
pub(super) fn autobahn(case: &Case, outcome: &Outcome) -> (&'static str, &'static str) {
    let number = case.number().unwrap_or_default();
    let is_of = |section: &str| number.starts_with(section);
    match outcome.end {
        _ if case.severity == Severity::Informational => return ("INFORMATIONAL", "INFORMATIONAL"),
        End::NotApplicable(_) => return ("UNIMPLEMENTED", "OK"),
        End::NotOpened(_) => return ("FAILED", "FAILED"),
        _ => {}
    }
    let is_ended = matches!(outcome.end, End::Close(..) | End::HungUp | End::Invalid(_));
    // Autobahn begins the closing handshake after a valid input, and section 7 is about that.
    let (codes, ends_it) = match &case.expected {
        Expected::Fails(codes) => (&codes[..], is_of("7.") || !is_ended),
        Expected::Closes(codes) => (&codes[..], true),
        _ => (&[1000][..], !is_ended),
    };
    let must_end_it = is_of("7.") || !matches!(case.expected, Expected::Fails(_));
    let must_be_clean = !matches!(case.expected, Expected::Fails(_));
    let (is_clean, code) = match outcome.closing_end() {
        End::Close(code, _) => (outcome.is_dropped, *code),
        _ => (false, None),
    };
    let close = match code {
        _ if ends_it != must_end_it => "FAILED",
        _ if must_be_clean && !is_clean => "UNCLEAN",
        Some(code) if !codes.contains(&code) => "WRONG CODE",
        _ => "OK",
    };
    let is_late = is_of("6.4.") && outcome.pauses == 2;
    let is_lost = outcome.answers.is_empty() && !must_be_clean;
    let behavior = match outcome.answers == outcome.expected {
        _ if is_of("6.") && ends_it && !must_be_clean => "FAILED",
        _ if is_of("7.") && close == "WRONG CODE" => "FAILED",
        true if is_of("6.4.") && outcome.pauses == 0 => "FAILED",
        true if is_late => "NON-STRICT",
        true => "OK",
        false if is_lost => "NON-STRICT",
        false => "FAILED",
    };
    (behavior, close)
}

fn begins_with_close(outcome: &Outcome) -> bool {
    let first = outcome.sent.start.first();
    first.is_some_and(|byte| byte & 0x0f == Opcode::Close.bits())
}
