//! Time as the server is told it. Nothing below `server` asks a clock: the driver reads both once a
//! turn.
//!
//! Deadlines run on the monotonic clock, which no administrator and no NTP can move; what people
//! read (`at`, `Date`)
//! comes from the wall clock. They are two types, so that neither is taken for the other.

use std::time::Duration;

/// Milliseconds since the server started, on the monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

/// A moment to the second, or none, in four bytes where an `Option` of [`Millis`] takes sixteen. It
/// lasts 136 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sometime(u32);

impl Sometime {
    /// No moment.
    pub const NEVER: Self = Self(u32::MAX);

    /// The second in which it was, if there is one.
    ///
    /// ```
    /// use parlor::time::{Millis, Sometime};
    /// assert_eq!(Sometime::from(Some(Millis(5_999))).get(), Some(Millis(5_000)));
    /// assert_eq!(Sometime::from(None).get(), None);
    /// ```
    pub fn get(self) -> Option<Millis> {
        (self != Self::NEVER).then_some(Millis(u64::from(self.0) * 1_000))
    }
}

impl From<Option<Millis>> for Sometime {
    fn from(at: Option<Millis>) -> Self {
        at.map_or(Self::NEVER, |Millis(at)| {
            Self(
                u32::try_from(at / 1_000)
                    .unwrap_or(u32::MAX - 1)
                    .min(u32::MAX - 1),
            )
        })
    }
}

/// Milliseconds since 1970-01-01 00:00 UTC, on the wall clock, which may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

/// Both clocks, read together at the beginning of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines.
    pub mono: Millis,
    /// For people.
    pub unix: UnixMillis,
}

impl Millis {
    /// This moment and `wait` more; a sum that does not fit is the end of time, never the
    /// beginning.
    ///
    /// ```
    /// use parlor::time::Millis;
    /// use std::time::Duration;
    /// assert_eq!(Millis(1_000).after(Duration::from_secs(2)), Millis(3_000));
    /// assert_eq!(Millis(1).after(Duration::MAX), Millis(u64::MAX));
    /// ```
    pub fn after(self, wait: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How long it is since `earlier`; nothing where `earlier` is in fact later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
