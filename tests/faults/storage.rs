//! A disk that fails or is full, and `kill -9` under load. What can't be stored is not
//! acknowledged, what was acknowledged is kept, and the server continues when the disk works again.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Person, Server, parlor, wait};
use crate::machine::{Call, Machine};
use crate::process::free_address;
use crate::{not_tried, times};
use parlor::testing::Random;

/// Checks a copy of the database, as a backup after a crash would be: SQLite finds no damage.
fn assert_whole(database: &Path) {
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    let folder = Folder::new(&format!("copy-{}", COPIES.fetch_add(1, Ordering::Relaxed)));
    let copy = folder.0.join("parlor.db");
    for ending in ["", "-wal"] {
        let path = |path: &Path| format!("{}{ending}", path.display());
        if Path::new(&path(database)).exists() {
            std::fs::copy(path(database), path(&copy)).expect("a copy");
        }
    }
    let connection = rusqlite::Connection::open(&copy).expect("SQLite opens it");
    let check = |sql| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    assert_eq!(check("PRAGMA integrity_check").as_deref(), Ok("ok"));
    assert_eq!(
        check("SELECT count(*) > 0 FROM history").map_err(|_| ()),
        Err(()),
        "a number"
    );
}

/// Starts a server with its history in a file, at the same address each time.
fn serve(mut command: Command, database: &Path, address: SocketAddr, more: &[&str]) -> Server {
    command.args([
        "--rate=0",
        "--resume-window=1",
        &format!("--listen={address}"),
    ]);
    command.arg("--history").arg(database).args(more);
    Server::spawn(command)
}

/// Returns the messages of `general`, whose numbers have no gap.
fn stored(server: &Server) -> Vec<Value> {
    let (mut reader, mut messages) = (server.enter("Reader"), Vec::new());
    loop {
        let after = messages.len();
        let page = json!({"type": "history", "channel": "general", "after": after, "limit": 200});
        let page = reader.ask(page);
        messages.extend_from_slice(page["messages"].as_array().expect("messages"));
        if page["more"] == false {
            break;
        }
    }
    let numbers = messages
        .iter()
        .filter_map(|message| message["seq"].as_u64());
    assert!(numbers.eq(1..=messages.len() as u64));
    messages
}

/// `parlor say` sends each line until it is acknowledged. At the end each is stored once, in order.
#[cfg(feature = "tools")]
#[test]
fn kill_under_load_loses_nothing() {
    let kills = times(10, 150);
    let folder = Folder::new("kill");
    let (database, address) = (folder.0.join("parlor.db"), free_address("127.0.0.84"));
    let mut dice = Random::new(11);
    let mut server = serve(parlor(), &database, address, &[]);
    let begin = |n| {
        let (url, name) = (format!("ws://{address}/chat"), format!("Talker{n}"));
        let mut command = parlor();
        command.args(["say", &url, "general", "--name", &name]);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let mut talkers: Vec<_> = (0..6).map(begin).collect();
    for kill in 0..kills {
        let lines: String = (0..200).map(|n| format!("{}\n", 200 * kill + n)).collect();
        for talker in &mut talkers {
            let input = talker.stdin.as_mut().expect("a pipe");
            input
                .write_all(lines.as_bytes())
                .expect("the input is read");
        }
        let mut witness = server.enter(&format!("Witness{kill}"));
        witness.join("general");
        witness.take("message");
        thread::sleep(Duration::from_millis(dice.below(100) as u64));
        server.signal(Signal::KILL);
        server.wait();
        assert_whole(&database);
        server = serve(parlor(), &database, address, &[]);
    }
    let mut returns = 0;
    for talker in talkers {
        let output = talker.wait_with_output().expect("its output");
        let remarks = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{remarks}");
        returns += remarks.matches("connecting again").count();
    }
    assert!(returns >= kills, "{returns} returns");
    let stored = stored(&server);
    for n in 0..6 {
        let own = stored
            .iter()
            .filter(|it| it["from"] == format!("Talker{n}"));
        let lines = own.filter_map(|it| it["text"].as_str()?.parse::<usize>().ok());
        assert!(lines.eq(0..200 * kills), "each line of {n} once, in order");
    }
    println!("result: {kills} kills, {} messages stored", stored.len());
}

/// A first start that is killed at any time leaves a file that the next start opens.
#[test]
fn kill_in_a_first_start_leaves_a_usable_history() {
    let mut dice = Random::new(5);
    for n in 0..times(25, 600) {
        let folder = Folder::new(&format!("first-{n}"));
        let start = || {
            let mut command = parlor();
            command.args(["--listen", "127.0.0.1:0", "--history"]);
            command.arg(folder.0.join("parlor.db"));
            command.stderr(Stdio::null()).stdout(Stdio::null());
            command
        };
        let mut child = start().spawn().expect("it starts");
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read_dir(&folder.0).unwrap().count() == 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_micros(50));
        }
        thread::sleep(Duration::from_micros(dice.below(20_000) as u64));
        child.kill().expect("it is killed");
        wait(&mut child);
        drop(Server::spawn(start()));
    }
}

/// Sends a message until it is acknowledged. Returns its number, and how often it was refused.
fn send_until_stored(person: &mut Person, nonce: &str) -> (u64, usize) {
    let began = Instant::now();
    for refused in 0.. {
        let answer = say(person, nonce, 100);
        if answer["type"] == "ack" {
            return (answer["seq"].as_u64().expect("a number"), refused);
        }
        assert_eq!(answer["code"], "storage_failed", "{answer}");
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the server does not recover: {answer}"
        );
        thread::sleep(Duration::from_millis(5));
    }
    (0, 0)
}

fn say(person: &mut Person, nonce: &str, length: usize) -> Value {
    let text = "x".repeat(length);
    person.ask(json!({"type": "message", "channel": "general", "text": text, "nonce": nonce}))
}

/// Checks that the history holds these nonces and nothing else, in this order.
#[track_caller]
fn assert_history(server: &Server, said: &[String]) {
    let stored = stored(server);
    let nonces = stored
        .iter()
        .filter_map(|message| message["nonce"].as_str());
    assert!(nonces.eq(said.iter().map(String::as_str)), "{stored:?}");
}

fn enter(server: &Server, before: Option<&Person>) -> Person {
    let session = before.map_or(Value::Null, Person::session);
    let mut ada = Person::return_of(server, &session, "Ada");
    ada.join("general");
    ada
}

/// The n-th call of a kind fails, once, for every n up to `most`.
fn each_call_fails_once(call: Call, options: &[&str], errors: &[Errno], most: usize) {
    let name = format!("fails-{}", call as u64);
    let (folder, machine) = (Folder::new(&name), Machine::new(&name));
    let (database, address) = (folder.0.join("parlor.db"), free_address("127.0.0.85"));
    let start = || serve(machine.run(parlor()), &database, address, options);
    let mut server = start();
    let mut ada = enter(&server, None);
    let (mut said, mut refused) = (Vec::new(), 0);
    for n in 1..=most {
        machine.fail(call, n as i64, 1, errors[n % errors.len()]);
        let due = machine.calls(call) + n as i64;
        // Continues until the failing call has returned, and for one message more.
        let mut is_over = false;
        while !is_over {
            is_over = machine.calls(call) >= due;
            said.push(format!("n{}", said.len() + 1));
            let (seq, times_refused) = send_until_stored(&mut ada, &said[said.len() - 1]);
            assert_eq!(seq, said.len() as u64, "each message once");
            refused += times_refused;
        }
        machine.clear_fault(call);
        if n % 12 == 0 {
            server.signal(Signal::KILL);
            server.wait();
            assert_whole(&database);
            server = start();
            ada = enter(&server, Some(&ada));
        }
    }
    assert_history(&server, &said);
    server.signal(Signal::TERM);
    drop((ada, server.wait()));
    assert_whole(&database);
    println!(
        "result: {name}: {most} failures, {refused} refused, {} acknowledged",
        said.len()
    );
    assert!(refused > 0, "at least one message was refused");
}

#[test]
fn every_nth_write_that_fails_loses_nothing() {
    each_call_fails_once(Call::Write, &[], &[Errno::IO, Errno::NOSPC], times(25, 400));
}

#[test]
fn every_nth_sync_that_fails_loses_nothing() {
    let most = times(13, 200);
    each_call_fails_once(Call::Sync, &["--sync=full"], &[Errno::IO], most);
}

#[test]
fn disk_with_failing_writes_serves_stored_messages() {
    let (folder, machine) = (Folder::new("no-writes"), Machine::new("no-writes"));
    let address = free_address("127.0.0.88");
    let database = folder.0.join("parlor.db");
    let server = serve(machine.run(parlor()), &database, address, &[]);
    let mut ada = enter(&server, None);
    for n in 1..=20 {
        send_until_stored(&mut ada, &format!("n{n}"));
    }
    ada.drain();
    for (nonce_after, error) in [("n21", Errno::NOSPC), ("n22", Errno::IO)] {
        machine.fail(Call::Write, 1, i64::MAX / 2, error);
        for nonce in ["lost", "lost", "lost, too"] {
            assert_eq!(say(&mut ada, nonce, 5)["code"], "storage_failed");
        }
        let page = ada.ask(json!({"type": "history", "channel": "general", "limit": 5}));
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(5), "{page}");
        let mut guest = server.enter("Guest");
        assert_eq!(
            guest.join("general")["history"].as_array().unwrap().len(),
            20
        );
        guest.quit();
        let heard = ada.drain();
        assert!(heard.iter().all(|event| event["type"] != "message"));
        machine.clear_fault(Call::Write);
        send_until_stored(&mut ada, nonce_after);
        ada.take("message");
        if error == Errno::NOSPC {
            // The guest counts the stored messages again.
            let target = json!({"type": "history", "channel": "general", "before": 2});
            assert_eq!(ada.ask(target)["first"], 1);
            break;
        }
    }
    machine.fail(Call::Write, 1, i64::MAX / 2, Errno::IO);
    assert_eq!(say(&mut ada, "lost", 5)["code"], "storage_failed");
    let mut guest = server.enter("Guest");
    assert_eq!(guest.join("general")["seq"], 21);
    machine.clear_fault(Call::Write);
    send_until_stored(&mut ada, "n22");
    let said: Vec<_> = (1..=22).map(|n| format!("n{n}")).collect();
    assert_history(&server, &said);
    let warnings = server.logs().matches(" WARN ").count() + server.logs().matches("ERROR").count();
    assert!(warnings < 10, "{}", server.logs());
}

/// A small file system, and the process that holds it.
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
        let script = format!("mount -t tmpfs -o size={size} tmpfs \"$0\" && touch \"$0/mounted\"");
        let script = format!("{script} && exec sleep 1000");
        unshare.args(["--mount", "--kill-child", "--fork", "sh", "-c", &script]);
        let holder = unshare.arg(&folder.0).stderr(Stdio::null()).spawn();
        let disk = Self {
            holder: holder.map_err(|error| error.to_string())?,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        let mounted = |inside: String| disk.path(&inside, "mounted").exists();
        while !disk.inside().is_some_and(mounted) {
            if Instant::now() > deadline {
                return Err("it takes root, or user namespaces".to_owned());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(disk)
    }

    /// Returns the process in whose mount namespace the file system is.
    fn inside(&self) -> Option<String> {
        let children = format!("/proc/{0}/task/{0}/children", self.holder.id());
        let children = std::fs::read_to_string(children).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    }

    /// Returns the path of a file on it, as seen from outside.
    fn path(&self, inside: &str, name: &str) -> PathBuf {
        let within = self.folder.0.join(name);
        PathBuf::from(format!("/proc/{inside}/root{}", within.display()))
    }

    /// Returns the command of a server inside.
    fn parlor(&self, inside: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", inside, "--mount", "--root"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["--", env!("CARGO_BIN_EXE_parlor")]);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn full_disk_refuses_and_recovers() {
    let disk = match SmallDisk::new("2m") {
        Ok(disk) => disk,
        Err(why) => return not_tried("a full disk", &format!("no tmpfs can be mounted: {why}")),
    };
    let inside = disk.inside().expect("the holder has a child");
    // Space that the test frees later.
    for ballast in ["ballast-1", "ballast-2"] {
        std::fs::write(disk.path(&inside, ballast), vec![1; 400 << 10]).expect("it fits");
    }
    let (database, address) = (disk.folder.0.join("parlor.db"), free_address("127.0.0.86"));
    let mut server = serve(disk.parlor(&inside), &database, address, &[]);
    let mut ada = enter(&server, None);
    let mut said: Vec<String> = Vec::new();
    for round in 1..=2 {
        loop {
            let nonce = format!("n{}", said.len() + 1);
            let answer = say(&mut ada, &nonce, 3_900);
            if answer["type"] != "ack" {
                assert_eq!(answer["code"], "storage_failed", "{answer}");
                break;
            }
            said.push(nonce);
            assert!(said.len() < 10_000, "2 MiB must be full by now");
        }
        for _ in 0..20 {
            assert_eq!(say(&mut ada, "again", 3_900)["code"], "storage_failed");
        }
        let mut guest = server.enter("Guest");
        assert_eq!(guest.join("general")["seq"], said.len() as u64);
        guest.quit();
        if round == 2 {
            // The server is killed while its disk is full. The next start succeeds, or is refused
            // with one line.
            server.signal(Signal::KILL);
            server.wait();
            assert_whole(&disk.path(&inside, "parlor.db"));
            let mut again = disk.parlor(&inside);
            let listen = format!("--listen={address}");
            again.args([&listen, "--history"]).arg(&database);
            let again = again.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
            let mut again = again.unwrap();
            thread::sleep(Duration::from_millis(500));
            let _ = again.kill();
            let output = again.wait_with_output().expect("its output");
            let errors = String::from_utf8_lossy(&output.stderr);
            let errors = errors.lines().filter(|it| it.starts_with("parlor: "));
            let errors: Vec<_> = errors.collect();
            let is_refused = errors.len() == 1 && errors[0].contains("full");
            assert!(errors.is_empty() || is_refused, "{errors:?}");
        }
        let ballast = disk.path(&inside, &format!("ballast-{round}"));
        std::fs::remove_file(ballast).expect("it was there");
        if round == 2 {
            server = serve(disk.parlor(&inside), &database, address, &[]);
            ada = enter(&server, Some(&ada));
        }
        said.push(format!("n{}", said.len() + 1));
        send_until_stored(&mut ada, &said[said.len() - 1]);
        assert_history(&server, &said);
    }
    println!("result: a full disk: {} messages acknowledged", said.len());
}
