//! How a history is kept on disk.
//!
//! Not here: the options' names and bounds (`cli/options.rs`).

use std::path::PathBuf;

/// What an `ack` survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// The death of the process.
    #[default]
    Normal,
    /// The death of the machine.
    Full,
}

/// How a history is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--history`: the database.
    pub path: PathBuf,
    /// `--sync`.
    pub sync: Sync,
    /// `--history-keep`: messages of a channel or a conversation.
    pub keep: u64,
    /// `--history-days`: days before the newest message; 0: for ever.
    pub days: u32,
    /// `--history-bytes`: of the whole file.
    pub bytes: u64,
    /// `--session-days`: days after a session was last seen.
    pub session_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: "parlor.db".into(),
            sync: Sync::Normal,
            keep: 100_000,
            days: 0,
            bytes: 10 << 30,
            session_days: 30,
        }
    }
}
