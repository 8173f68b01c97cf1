//! The chat's rules, sentence by sentence of PROTOCOL.md: commands go in as JSON or typed lines, effects are compared.

mod harness;
mod hello;
mod random;
