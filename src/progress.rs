//! The result of every incremental parser in this crate.

/// The progress of a parser through its input. Parsers return `Result<Progress<T>, E>`, where `E`
/// is the rule that the peer broke (`http::Refusal`, `websocket::Violation`).
///
/// Bytes arrive in pieces of any length, so an incomplete input is no error: errors are for input
/// that can't become right, whatever follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// Nothing is wrong so far, and the end has not arrived.
    NeedMore,
    /// The value is complete, and the rest of the input belongs to the next one.
    Done {
        /// The value that was parsed.
        value: T,
        /// The number of input bytes that it took.
        used: usize,
    },
}
