//! Two users who send messages while their server is attacked, and the memory that the server uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::{Person, Server};

/// A user who sends ten messages a second. Both users receive each message once and in order.
pub(crate) struct Witness {
    over: Arc<AtomicBool>,
    talk: JoinHandle<u64>,
}

impl Witness {
    pub(crate) fn begin(server: &Server) -> Self {
        let mut people = ["Wanda", "Will"].map(|name| server.enter(name));
        for person in &mut people {
            person.join("witness");
        }
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let talk = thread::spawn(move || {
            for seq in 1.. {
                let is_last = stop.load(Ordering::Relaxed);
                assert_eq!(people[0].say("witness", "hello")["seq"], seq);
                for person in &mut people {
                    let heard = person.take_where("a message", |event| {
                        event["type"] == "message" && event["channel"] == "witness"
                    });
                    assert_eq!(heard["seq"], seq, "each message once and in order");
                }
                if is_last {
                    return seq;
                }
                thread::sleep(Duration::from_millis(100));
            }
            0
        });
        Self { over, talk }
    }

    /// Sends one more message and stops. Returns the number of messages.
    pub(crate) fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        let said = self.talk.join();
        said.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Returns the KiB in the named line of a process's `smaps_rollup` (proc_pid_smaps(5)).
fn kibibytes(pid: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("a process");
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(name));
    let number = line.expect("its line").trim().trim_end_matches(" kB");
    number.parse().expect("a number")
}

/// Counts the open descriptors of a process.
pub(crate) fn descriptors(pid: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"));
    open.expect("a process").count()
}

/// Attacks a server while two users talk, and checks how much memory it allocates beyond what it
/// held before. Prints a row of the table of `tests/faults/run`.
pub(crate) fn withstand(name: &str, options: &str, limit_kib: u64, attack: impl FnOnce(&Server)) {
    let mut arguments = vec!["--max-connections-per-ip", "0"];
    arguments.extend(options.split_whitespace());
    let server = Server::start(&arguments);
    let pid = server.pid();
    let (pss, rest) = (kibibytes(pid, "Pss:"), kibibytes(pid, "Anonymous:"));
    let witness = Witness::begin(&server);
    let (over, most) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(kibibytes(pid, "Anonymous:"), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        // The measurement must also end if the attack panics.
        let attack = std::panic::AssertUnwindSafe(|| attack(&server));
        let done = std::panic::catch_unwind(attack);
        over.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let (most, said) = (most.into_inner(), witness.end());
    println!("| {name} | {pss} | {rest} | {most} | {limit_kib} | {said} |");
    let grown = most.saturating_sub(rest);
    assert!(
        grown <= limit_kib,
        "{name}: {grown} KiB; the limit is {limit_kib} KiB"
    );
}

/// Reads all that a connection receives until the server ends it.
pub(crate) fn reads_everything(person: &Person) -> JoinHandle<u64> {
    let mut stream = person.wire.raw.stream.try_clone().expect("a second handle");
    thread::spawn(move || {
        let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
        while let Ok(count @ 1..) = std::io::Read::read(&mut stream, &mut buffer) {
            bytes += count as u64;
        }
        bytes
    })
}
