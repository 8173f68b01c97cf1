//! Faults on the real binary: what breaks around it, and what peers do to it, while others talk.
//!
//! Each test runs in a short form with `cargo test`; `tests/faults/run` runs the long ones, in the
//! release build, and prints what
//! memory each flood costs. What a machine can't do (root's part of it) is said, and never passes
//! for done.
//!
//! Not here: what each limit does on its own (`tests/server`), and faults in a simulated world
//! (`tests/simulation`).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // all of this is a test

mod clock;
mod floods;
#[allow(dead_code, unused_imports)] // it is the harness of tests/server; not all of it is needed here
#[path = "../server/harness/mod.rs"]
mod harness;
#[cfg(feature = "history")]
mod kill;
mod machine;
mod memory;
mod peers;
mod process;
#[cfg(feature = "history")]
mod storage;
#[cfg(feature = "history")]
mod survivor;
mod witness;

/// How many of something: few in the short form, many in the long one.
fn times(short: usize, long: usize) -> usize {
    if std::env::var_os("PARLOR_FAULTS").is_some_and(|form| form == "long") {
        long
    } else {
        short
    }
}

/// A counter with a label, which is not there before it has counted something.
fn counted(server: &harness::Server, name: &str) -> f64 {
    let text = server.get("/metrics").text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

/// A test that this machine can't do says so, on standard error and in the file that
/// `tests/faults/run` shows.
fn not_tried(what: &str, why: &str) {
    use std::io::Write;
    let line = format!("not tried: {what}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("PARLOR_NOT_TRIED") {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the file that PARLOR_NOT_TRIED names can be written");
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        // xorshift64 (Marsaglia, 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
