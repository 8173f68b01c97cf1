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

impl<T> Progress<T> {
    /// Converts the value, if it is complete.
    ///
    /// ```
    /// use parlor::progress::Progress;
    /// let done = Progress::Done { value: "8", used: 1 };
    /// assert_eq!(done.try_map(str::parse), Ok(Progress::Done { value: 8, used: 1 }));
    /// ```
    pub fn try_map<U, E>(self, convert: impl FnOnce(T) -> Result<U, E>) -> Result<Progress<U>, E> {
        Ok(match self {
            Self::NeedMore => Progress::NeedMore,
            Self::Done { value, used } => {
                let value = convert(value)?;
                Progress::Done { value, used }
            }
        })
    }
}
