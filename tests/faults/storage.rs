//! A disk that fails, or is full: what can't be stored is not acknowledged, what was stays, and it
//! goes on when the disk does.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Person, Server, parlor, wait};
use crate::kill::{assert_whole, serve};
use crate::machine::Machine;
use crate::survivor::{Survivors, compare};
use crate::{not_tried, times};

/// What may fail, and where the orders for it stand in the file of machine.c.
#[derive(Clone, Copy)]
enum Call {
    Write = 0,
    Sync = 4,
}

impl Machine {
    /// How many calls of a kind there were.
    fn calls(&self, call: Call) -> i64 {
        let mut bytes = [0; 8];
        self.orders
            .read_exact_at(&mut bytes, call as u64 * 8)
            .expect("the orders can be read");
        i64::from_ne_bytes(bytes)
    }

    /// From the n-th call from now on, so many fail.
    fn fail(&self, call: Call, n: i64, count: i64, error: Errno) {
        let at = call as u64;
        self.set(at + 3, error.raw_os_error().into());
        self.set(at + 2, count);
        self.set(at + 1, self.calls(call) + n);
    }

    /// No call fails any more.
    fn mend(&self, call: Call) {
        self.set(call as u64 + 1, 0);
    }
}

/// Says something until it is acknowledged, as a careful client does. Returns its number, and how
/// often it was refused.
fn insist(person: &mut Person, nonce: &str, text: &str) -> (u64, usize) {
    let began = Instant::now();
    let mut refused = 0;
    loop {
        let answer = person
            .ask(json!({"type": "message", "channel": "general", "text": text, "nonce": nonce}));
        if answer["type"] == "ack" {
            return (answer["seq"].as_u64().expect("a number"), refused);
        }
        assert_eq!(answer["code"], "storage_failed", "{answer}");
        refused += 1;
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it does not recover: {answer}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// All that is kept of `general`, as somebody who comes anew is told: the nonces in their order.
fn all_nonces(server: &Server) -> Vec<String> {
    let mut reader = server.enter("Reader");
    let mut nonces = Vec::new();
    loop {
        let page = reader.ask(
            json!({"type": "history", "channel": "general", "after": nonces.len(), "limit": 200}),
        );
        let messages = page["messages"]
            .as_array()
            .unwrap_or_else(|| panic!("{page}"));
        for message in messages {
            assert_eq!(message["seq"], nonces.len() as u64 + 1, "no gap");
            nonces.push(message["nonce"].as_str().expect("a nonce").to_owned());
        }
        if page["more"] == false {
            return nonces;
        }
    }
}

/// The n-th call of a kind fails, once, for every n up to some; the server is killed and started
/// anew now and then.
fn each_call_fails_once(name: &str, call: Call, options: &[&str], errors: &[Errno], most: usize) {
    let folder = Folder::new(name);
    let database = folder.0.join("parlor.db");
    let machine = Machine::new(name);
    let address = crate::process::free_address("127.0.0.85");
    let start = || {
        let mut command = parlor();
        machine.run(&mut command);
        serve(command, &database, address, options)
    };
    let mut server = start();
    let mut ada = server.enter("Ada");
    ada.join("general");
    let (mut said, mut refused) = (Vec::new(), 0);
    for n in 1..=most {
        machine.fail(call, n as i64, 1, errors[n % errors.len()]);
        let due = machine.calls(call) + n as i64;
        // Until the call that fails is over, and one more.
        loop {
            let over = machine.calls(call) >= due;
            let nonce = format!("n{}", said.len() + 1);
            let (seq, times_refused) = insist(&mut ada, &nonce, "something to be stored");
            said.push(nonce);
            refused += times_refused;
            assert_eq!(seq, said.len() as u64, "each once, whatever failed");
            if over {
                break;
            }
        }
        machine.mend(call);
        if n % 25 == 0 {
            server.signal(Signal::KILL);
            server.wait();
            assert_whole(&database);
            server = start();
            ada = Person::return_of(&server, &ada.session(), "Ada");
            ada.join("general");
        }
    }
    assert_eq!(
        all_nonces(&server),
        said,
        "what was acknowledged, and nothing else"
    );
    server.signal(Signal::TERM);
    drop((ada, server.wait()));
    assert_whole(&database);
    println!(
        "result: {name}: {most} failures, {refused} commands refused, {} messages acknowledged and there",
        said.len()
    );
    assert!(refused > 0, "the failures were felt");
}

#[test]
fn every_nth_write_fails() {
    each_call_fails_once(
        "write-fails",
        Call::Write,
        &[],
        &[Errno::IO, Errno::NOSPC],
        times(50, 400),
    );
}

#[test]
fn every_nth_sync_fails() {
    each_call_fails_once(
        "sync-fails",
        Call::Sync,
        &["--sync", "full"],
        &[Errno::IO],
        times(25, 200),
    );
}

/// No write goes any more, for a while: it says so to whoever writes, serves what it has to whoever
/// reads, and recovers.
#[test]
fn while_nothing_can_be_written_it_serves_what_it_has() {
    let folder = Folder::new("no-writes");
    let machine = Machine::new("no-writes");
    let mut command = parlor();
    machine.run(&mut command);
    let server = serve(
        command,
        &folder.0.join("parlor.db"),
        "127.0.0.1:0".parse().unwrap(),
        &[],
    );
    let mut ada = server.enter("Ada");
    ada.join("general");
    for n in 1..=20 {
        insist(&mut ada, &format!("n{n}"), "before");
    }
    ada.drain();
    for (nonce_after, error) in [("n21", Errno::NOSPC), ("n22", Errno::IO)] {
        machine.fail(Call::Write, 1, i64::MAX / 2, error);
        for nonce in ["lost", "lost", "lost, too"] {
            let command = json!({"type": "message", "channel": "general", "text": "not stored", "nonce": nonce});
            assert_eq!(ada.refused(command), "storage_failed");
        }
        let page = ada.ask(json!({"type": "history", "channel": "general", "limit": 5}));
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(5), "{page}");
        let mut guest = server.enter("Guest");
        assert_eq!(guest.join("general")["history"][0]["text"], "before");
        guest.quit();
        assert!(
            ada.drain().iter().all(|event| event["type"] != "message"),
            "nothing was delivered that was not stored"
        );
        machine.mend(Call::Write);
        insist(&mut ada, nonce_after, "after");
        assert_eq!(ada.take("message")["text"], "after");
    }
    assert_eq!(all_nonces(&server).len(), 22);
    assert!(
        server
            .logs()
            .lines()
            .filter(|line| line.starts_with("WARN") || line.starts_with("ERROR"))
            .count()
            < 10,
        "{}",
        server.logs()
    );
}

/// A small file system that is gone with its holder, and the folder that it is mounted on.
struct SmallDisk {
    holder: Child,
    folder: Folder,
}

impl SmallDisk {
    fn new(size: &str) -> Result<Self, String> {
        let folder = Folder::new("small-disk");
        let mut unshare = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs \"$0\" && echo mounted && exec sleep 1000"
        );
        unshare
            .args(["--mount", "--kill-child", "--fork", "sh", "-c", &script])
            .arg(&folder.0);
        let mut holder = unshare
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let _ = std::io::BufRead::read_line(
            &mut std::io::BufReader::new(holder.stdout.take().expect("piped")),
            &mut line,
        );
        if line == "mounted\n" {
            return Ok(Self { holder, folder });
        }
        let output = holder
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        Err(String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', "; "))
    }

    /// The process in whose world the file system is.
    fn inside(&self) -> String {
        let children =
            std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.holder.id()))
                .expect("unshare has a child");
        children.trim().to_owned()
    }

    /// A file on it, as it is called from outside.
    fn path(&self, name: &str) -> PathBuf {
        let within = self.folder.0.join(name);
        PathBuf::from(format!("/proc/{}/root{}", self.inside(), within.display()))
    }

    /// The server within.
    fn parlor(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.inside(), "--mount"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
            .arg("--")
            .arg(env!("CARGO_BIN_EXE_parlor"))
            .stdin(Stdio::null());
        command
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Starts a server that may refuse to: then it says why in one line, and its status is 1.
fn starts(mut command: Command) -> bool {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it is there");
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().expect("piped")),
        &mut line,
    )
    .expect("text");
    if line.is_empty() {
        assert_eq!(wait(&mut child).code(), Some(1));
        let errors =
            String::from_utf8(child.wait_with_output().expect("its output").stderr).expect("text");
        let said: Vec<_> = errors
            .lines()
            .filter(|line| line.starts_with("parlor: "))
            .collect();
        assert!(said.len() == 1 && said[0].contains("full"), "{errors}");
        return false;
    }
    let _ = child.kill();
    let _ = child.wait();
    true
}

#[test]
fn a_full_disk() {
    let disk = match SmallDisk::new("2m") {
        Ok(disk) => disk,
        Err(why) => {
            return not_tried(
                "a full disk",
                &format!("no tmpfs can be mounted ({why}); it takes root, or user namespaces"),
            );
        }
    };
    // Room that can be given back, and the server's history beside it.
    for ballast in ["ballast-1", "ballast-2"] {
        std::fs::write(disk.path(ballast), vec![1; 400 << 10]).expect("it fits");
    }
    let database = disk.folder.0.join("parlor.db");
    let address = crate::process::free_address("127.0.0.86");
    let mut server = serve(disk.parlor(), &database, address, &[]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    let mut said: Vec<String> = Vec::new();
    let say = |ada: &mut Person, nonce: &str| -> Value {
        ada.ask(json!({"type": "message", "channel": "general", "text": "x".repeat(3_900), "nonce": nonce}))
    };
    for round in 1..=2 {
        loop {
            let nonce = format!("n{}", said.len() + 1);
            let answer = say(&mut ada, &nonce);
            if answer["type"] != "ack" {
                assert_eq!(answer["code"], "storage_failed", "{answer}");
                break;
            }
            said.push(nonce);
            assert!(said.len() < 10_000, "2 MiB are never full");
        }
        // Full: it says so again and again, and serves what it has.
        for _ in 0..20 {
            assert_eq!(say(&mut ada, "again")["code"], "storage_failed");
        }
        let mut guest = server.enter("Guest");
        assert_eq!(guest.join("general")["seq"], said.len() as u64);
        guest.quit();
        if round == 2 {
            // It dies while its disk is full.
            server.signal(Signal::KILL);
            server.wait();
            assert_whole(&disk.path("parlor.db"));
            let mut again = disk.parlor();
            again
                .args(["--listen", &address.to_string(), "--history"])
                .arg(&database);
            let started = starts(again);
            println!(
                "result: a start on a full disk {}",
                if started {
                    "succeeds"
                } else {
                    "is refused in one line"
                }
            );
        }
        std::fs::remove_file(disk.path(&format!("ballast-{round}"))).expect("it was there");
        if round == 2 {
            server = serve(disk.parlor(), &database, address, &[]);
            ada = Person::return_of(&server, &ada.session(), "Ada");
            ada.join("general");
        }
        let nonce = format!("n{}", said.len() + 1);
        insist(&mut ada, &nonce, "there is room again");
        said.push(nonce);
        assert_eq!(all_nonces(&server), said);
    }
    println!(
        "result: a full disk: {} messages acknowledged and there",
        said.len()
    );
}

/// Told to stop in the middle of talk, again and again: what was acknowledged is there.
#[test]
fn stopped_in_the_middle_of_load() {
    let folder = Folder::new("stop");
    let database = folder.0.join("parlor.db");
    let address = crate::process::free_address("127.0.0.87");
    let mut server = serve(parlor(), &database, address, &["--drain", "1"]);
    let survivors = Survivors::begin(address);
    for _ in 0..times(3, 30) {
        thread::sleep(Duration::from_millis(200));
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
        assert_whole(&database);
        server = serve(parlor(), &database, address, &["--drain", "1"]);
    }
    let acknowledged = compare(&survivors.end());
    println!(
        "result: {} stops, {acknowledged} messages acknowledged and there",
        times(3, 30)
    );
}
