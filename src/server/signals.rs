//! Signals as input of the event loop: the handler writes a byte into a pipe, and the loop reads
//! it. A handler may do hardly anything else.

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Read};

/// The readable end of the pipe.
pub(super) struct Signals {
    pipe: UnixStream,
}

impl Signals {
    /// Installs handlers for SIGTERM, SIGINT and SIGHUP.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let (pipe, sender) = std::os::unix::net::UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let mut pipe = UnixStream::from_std(pipe);
        registry.register(&mut pipe, token, Interest::READABLE)?;
        // Under `nohup`, SIGHUP is ignored and stays so. Only Linux shows that in a file; elsewhere
        // SIGHUP keeps its action.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            if signal != SIGHUP || ignores(&status, SIGHUP) == Some(false) {
                signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
            }
        }
        Ok(Self { pipe })
    }

    /// Returns the number of signals since the last call. No event reports them again.
    pub(super) fn take(&mut self) -> usize {
        let (mut bytes, mut count) = ([0; 16], 0);
        while let Ok(read @ 1..) = self.pipe.read(&mut bytes) {
            count += read;
        }
        count
    }
}

/// Returns whether a signal is ignored, from the text of `/proc/PID/status` (proc_pid_status(5)):
/// bit `n - 1` of a number in base 16.
fn ignores(status: &str, signal: i32) -> Option<bool> {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn ignored_signals_are_read_from_the_status() {
        let table = [
            ("SIGHUP alone",
                "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\n", SIGHUP, Some(true)),
            ("SIGPIPE, as in every Rust program",
                "SigIgn:\t0000000000001000\n", SIGHUP, Some(false)),
            ("SIGTERM", "SigIgn:\t0000000000004000\n", SIGTERM, Some(true)),
            ("no such line", "SigBlk:\t0000000000000001\n", SIGHUP, None),
            ("no number", "SigIgn:\tx\n", SIGHUP, None),
        ];
        for (name, status, signal, expected) in table {
            assert_eq!(ignores(status, signal), expected, "{name}");
        }
    }
}
