//! The newest messages of each place, in memory alone. To be written.

/// To be written.
pub struct Memory;
