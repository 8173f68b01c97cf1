//! To be written.

pub mod command;
pub mod error;
pub mod event;
