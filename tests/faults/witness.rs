//! Two who talk while something happens to their server, and must not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::{Person, Server};
use crate::memory::{Memory, most_during};

/// One says something ten times a second, the other has to hear it, in order and each once.
pub(crate) struct Witness {
    over: Arc<AtomicBool>,
    talk: JoinHandle<u64>,
}

impl Witness {
    pub(crate) fn begin(server: &Server) -> Self {
        let [mut wanda, mut will] = ["Wanda", "Will"].map(|name| server.enter(name));
        let next = [&mut wanda, &mut will]
            .map(|person| person.join("witness")["seq"].as_u64().expect("a number"))[0]
            + 1;
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let talk = thread::spawn(move || {
            let mut seq = next;
            loop {
                let last = stop.load(Ordering::Relaxed);
                assert_eq!(wanda.say("witness", "still here?")["seq"], seq, "the ack");
                for person in [&mut wanda, &mut will] {
                    let heard = person.take_where("a message", |event| {
                        event["type"] == "message" && event["channel"] == "witness"
                    });
                    assert_eq!(heard["seq"], seq, "each once and in order");
                }
                if last {
                    return seq + 1 - next;
                }
                seq += 1;
                thread::sleep(Duration::from_millis(100));
            }
        });
        Self { over, talk }
    }

    /// After one more message. Returns how many there were.
    pub(crate) fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.talk
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Does something to a server while two talk, and holds it to a limit: what it may allocate
/// meanwhile, beyond what it held at rest, in
/// KiB. Prints a row of the table that `tests/faults/run` shows.
pub(crate) fn withstand(
    name: &str,
    options: &[&str],
    limit_kib: u64,
    attack: impl FnOnce(&Server),
) {
    let server = Server::start(&[&["--max-connections-per-ip", "0"], options].concat());
    let rest = Memory::of(server.pid());
    let witness = Witness::begin(&server);
    let most = most_during(server.pid(), || attack(&server));
    let said = witness.end();
    println!(
        "| {name} | {} | {} | {most} | {limit_kib} | {said} |",
        rest.pss, rest.anonymous
    );
    let grown = most.saturating_sub(rest.anonymous);
    assert!(
        grown <= limit_kib,
        "{name}: it grew by {grown} KiB, and {limit_kib} KiB is the limit"
    );
}

/// Somebody who says more than one person would and reads all that comes, until the server ends it.
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
