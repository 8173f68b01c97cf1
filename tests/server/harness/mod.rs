//! A server to test: the real binary on a free port, stopped when the test lets go of it.
//!
//! tests/faults has this file too. Not here: bytes on a socket (`raw`), frames (`wire`), somebody
//! who chats (`person`).

mod person;
mod raw;
mod wire;

pub(crate) use person::Person;
pub(crate) use raw::{Raw, Response};
pub(crate) use wire::{Closed, Wire, frame, frame_with, header};

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Generous: it is no measurement.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it printed after the listening line; comes when it ends.
    rest_of_stdout: Receiver<String>,
    logs: Arc<Mutex<String>>,
}

/// The binary, with none of this process's settings for it.
pub(crate) fn parlor() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PARLOR_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

impl Server {
    /// Starts it on a free port, without a history, with these options besides.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = parlor();
        command
            .args(["--listen", "127.0.0.1:0", "--no-history"])
            .args(arguments);
        Self::spawn(command)
    }

    /// Without limits on how much a client says: for tests that are about something else and say a
    /// lot.
    pub(crate) fn unhurried() -> Self {
        Self::start(&["--rate", "0"])
    }

    /// Starts what was made ready, and waits for the line that says where it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (say, heard) = mpsc::channel();
        thread::spawn(move || {
            let (mut line, mut rest) = (String::new(), String::new());
            let _ = stdout.read_line(&mut line);
            let _ = say.send(line);
            let _ = stdout.read_to_string(&mut rest);
            let _ = say.send(rest);
        });
        let logs = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&logs);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut buffer) {
                kept.lock()
                    .expect("no panic while it is held")
                    .push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        let line = heard.recv_timeout(PATIENCE).unwrap_or_default();
        let Some(address) = line
            .strip_prefix(concat!(
                "parlor ",
                env!("CARGO_PKG_VERSION"),
                " listening on http://"
            ))
            .and_then(|rest| rest.strip_suffix('\n')?.parse().ok())
        else {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "the listening line is {line:?}; standard error: {}",
                logs.lock().expect("no panic")
            );
        };
        Self {
            child,
            address,
            rest_of_stdout: heard,
            logs,
        }
    }

    /// The process's number: the binary's own, where nothing else was started that starts it.
    #[allow(dead_code)] // tests/faults asks for it
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// A connection on which nothing was said yet.
    pub(crate) fn raw(&self) -> Raw {
        Raw::connect(self.address)
    }

    /// One request on its own connection.
    pub(crate) fn get(&self, path: &str) -> Response {
        let mut raw = self.raw();
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        raw.response()
    }

    /// A WebSocket on `/chat` or `/echo`.
    pub(crate) fn open(&self, path: &str) -> Wire {
        Wire::open(self.raw(), path)
    }

    /// Somebody who said `hello`.
    pub(crate) fn enter(&self, name: &str) -> Person {
        Person::enter(self, name)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the child is there to be told");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the child can be asked")
            .is_some()
    }

    /// What it printed to standard output after the listening line. Only after its end.
    pub(crate) fn rest_of_stdout(&self) -> String {
        self.rest_of_stdout
            .recv_timeout(PATIENCE)
            .expect("the end of its output")
    }

    /// What it has printed to standard error.
    pub(crate) fn logs(&self) -> String {
        self.logs.lock().expect("no panic while it is held").clone()
    }

    /// The value of one line of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .parse()
            .expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.logs());
        }
    }
}

/// Waits for the end of a process, and ends it where it doesn't come.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            return status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the process did not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Asks again and again until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < PATIENCE,
            "it never came to be that {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder that is gone with the test.
pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
