//! What a process holds, as the kernel counts it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Kibibytes of a process: `/proc/PID/smaps_rollup` (proc_pid_smaps(5)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Its share of all that is mapped, the program's own pages too.
    pub(crate) pss: u64,
    /// What it has allocated and written to: heap and stacks.
    pub(crate) anonymous: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Self {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
            .expect("the process can be looked at");
        let field = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_else(|| panic!("no {name} in {text}"));
            line.trim()
                .trim_end_matches(" kB")
                .parse()
                .expect("a number")
        };
        Self {
            pss: field("Pss:"),
            anonymous: field("Anonymous:"),
        }
    }
}

/// The most that a process has allocated while something is done to it, looked at every few
/// milliseconds.
pub(crate) fn most_during(pid: u32, work: impl FnOnce()) -> u64 {
    let (over, most) = (
        AtomicBool::new(false),
        AtomicU64::new(Memory::of(pid).anonymous),
    );
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(Memory::of(pid).anonymous, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        // The looking must end even if the work panics, or the panic would never be told.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    most.into_inner()
}

/// Open descriptors of a process.
pub(crate) fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("the process can be looked at")
        .count()
}
