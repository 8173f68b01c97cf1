//! Signals as something to be read: the handler writes a byte into a pipe, and the loop finds it
//! among its events. So nothing
//! is done within a handler, where hardly anything may be done.
//!
//! Not here: what a signal leads to (`server/mod.rs`).

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Read};

/// The readable end.
pub(super) struct Signals {
    pipe: UnixStream,
}

impl Signals {
    /// From now on SIGTERM, SIGINT and SIGHUP are told here.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let (pipe, sender) = std::os::unix::net::UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let mut pipe = UnixStream::from_std(pipe);
        registry.register(&mut pipe, token, Interest::READABLE)?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            if signal != SIGHUP || may_hang_up() {
                signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
            }
        }
        Ok(Self { pipe })
    }

    /// How many came since the last call. All are taken: that there are others would not be told
    /// again.
    pub(super) fn take(&mut self) -> usize {
        let (mut bytes, mut came) = ([0; 16], 0);
        while let Ok(count @ 1..) = self.pipe.read(&mut bytes) {
            came += count;
        }
        came
    }
}

/// Whether SIGHUP may be taken over. `nohup` has it ignored, and a handler would undo that.
///
/// Without `unsafe` a process can't ask for a signal's action; Linux tells it in a file. Elsewhere
/// SIGHUP is left as it is:
/// then it kills as it always did, or is ignored as it was meant to be.
fn may_hang_up() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| ignores(&status, SIGHUP) == Some(false))
}

/// Whether a signal is ignored, as `/proc/PID/status` has it (proc_pid_status(5)): bit `n - 1` of a
/// number in base 16.
fn ignores(status: &str, signal: i32) -> Option<bool> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_stands_in_the_status() {
        let table = [
            (
                "SIGHUP alone",
                "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000000\n",
                SIGHUP,
                Some(true),
            ),
            (
                "SIGPIPE, as in every Rust program",
                "SigIgn:\t0000000000001000\n",
                SIGHUP,
                Some(false),
            ),
            (
                "SIGTERM",
                "SigIgn:\t0000000000004000\n",
                SIGTERM,
                Some(true),
            ),
            ("no such line", "SigBlk:\t0000000000000001\n", SIGHUP, None),
            ("no number", "SigIgn:\tx\n", SIGHUP, None),
        ];
        for (name, status, signal, expected) in table {
            assert_eq!(ignores(status, signal), expected, "{name}");
        }
    }
}
