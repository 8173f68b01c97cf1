//! The chat as the hub sees it: requests in, effects out.
#![cfg(feature = "server")]

#[macro_use]
mod script;

mod changes;
mod channels;
mod directs;
mod harness;
mod hello;
mod history;
mod messages;
mod owner;
mod random;
mod search;
mod users;
