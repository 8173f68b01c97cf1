//! Faults around the real binary, and attacks by peers, while other users talk.
//!
//! Each test has a short form for `cargo test`. `tests/faults/run` runs the long forms on the
//! release build and prints the memory that each flood costs. A test that can't run on this machine
//! reports so. Single limits are in `tests/server`, a simulated world in `tests/simulation`.
#![cfg(feature = "server")]
#![cfg(target_os = "linux")]
#![cfg_attr(not(feature = "log-output"), allow(unused_imports))]
#![allow(clippy::unwrap_used)]

mod floods;
#[allow(dead_code, unused_imports)] // the harness of tests/server; not all of it is needed here
#[path = "../server/harness/mod.rs"]
mod harness;
#[cfg(feature = "history")]
mod machine;
mod process;
#[cfg(feature = "history")]
mod storage;
mod witness;

/// Returns the number of repetitions in the short form or the long one.
fn times(short: usize, long: usize) -> usize {
    match std::env::var_os("PARLOR_FAULTS").is_some_and(|form| form == "long") {
        true => long,
        false => short,
    }
}

/// Reports a test that can't run on this machine, also in the file that `tests/faults/run` prints.
#[cfg(feature = "history")]
fn not_tried(what: &str, why: &str) {
    use std::io::Write;
    let line = format!("not tried: {what}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("PARLOR_NOT_TRIED") {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}
