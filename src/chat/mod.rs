//! To be written.

pub mod command;
pub mod error;
pub mod event;
pub mod json;
pub mod line;
pub mod name;
