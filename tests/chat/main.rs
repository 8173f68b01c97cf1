//! The chat's rules, sentence by sentence of PROTOCOL.md: commands go in as JSON or typed lines,
//! effects are compared.

mod channels;
mod directs;
mod harness;
mod hello;
mod history;
mod limits;
mod messages;
mod names;
mod presence;
mod random;
