//! What every parser of parlor answers: there is one contract, and this is it.
//!
//! Bytes arrive in any pieces, so a parser that has not seen the end has done nothing wrong. That
//! is why *need more*
//! is a value here and not an error: errors are for what can never become right, however much still
//! comes.

/// How far a parser came with the bytes it was given. Parsers return `Result<Progress<T>, E>`,
/// where `E` is the rule
/// that the peer broke (`http::Refusal`, `websocket::Violation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// Nothing is wrong so far, and the end has not come.
    NeedMore,
    /// Here it is.
    Done {
        /// What was read.
        value: T,
        /// How many bytes of the input it took; what stands behind them belongs to whatever comes
        /// next.
        used: usize,
    },
}
