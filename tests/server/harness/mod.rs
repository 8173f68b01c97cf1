//! Starts the real binary on a free port and stops it at the end of the test.
//!
//! `raw` sends bytes and HTTP requests, `wire` frames, `person` chat commands. tests/faults uses
//! this harness too.

mod person;
mod raw;
mod wire;

#[allow(unused_imports)] // used by tests/faults
pub(crate) use person::{GATHERED, Person, assert_fields};
pub(crate) use raw::{Raw, Response};
#[allow(unused_imports)]
pub(crate) use wire::{Wire, frame, frame_with, header};

#[allow(unused_imports)]
pub(crate) use ::parlor::testing::{handshake, rows};

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The time after which a waiting test fails. It is long, because no test here measures speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running server, which is killed at the end of the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    logs: Arc<Mutex<String>>,
}

/// The binary, without the `PARLOR_` variables of this process.
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

/// A server without a history on a free port. A shell runs a script first, and then the server in
/// its place.
pub(crate) fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{script}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_parlor")]);
    command.args(["--listen=127.0.0.1:0", "--no-history"]);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end. Returns its status, standard output and standard error.
pub(crate) fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Runs a tool with these words and this standard input. Returns everything that it prints, and its
/// status.
#[cfg(feature = "tools")]
pub(crate) fn run_tool(words: &str, input: &[u8]) -> (String, i32) {
    use std::io::Write;
    let mut command = parlor();
    command.args(words.split_whitespace()).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // It need not read its input.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let text = stdout + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.code().expect("it is not killed"))
}

/// Runs a tool; checks its status, and that it prints these parts, which commas divide.
#[cfg(feature = "tools")]
#[track_caller]
pub(crate) fn check_tool(words: &str, input: &[u8], status: &str, parts: &str) -> String {
    let (text, ended) = run_tool(words, input);
    assert_eq!(ended.to_string(), status, "{words}: {text}");
    for part in parts.split(", ") {
        assert!(text.contains(part), "{words}: {part:?} in {text}");
    }
    text
}

/// Checks that other users of the machine can't use a file.
#[cfg(any(feature = "history", feature = "tools"))]
pub(crate) fn assert_private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::metadata(file).expect("a file").permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600, "{}", file.display());
}

impl Server {
    /// Starts a server on a free port, without a history on disk.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::listening("127.0.0.1:0", arguments)
    }

    /// Starts a server at another address. A server listens at each `--listen`, so there is one.
    pub(crate) fn listening(address: &str, arguments: &[&str]) -> Self {
        let mut command = parlor();
        command.args(["--listen", address, "--no-history"]);
        command.args(arguments);
        Self::spawn(command)
    }

    /// Starts a server with variables and no options.
    pub(crate) fn with_variables(variables: &[(&str, &str)]) -> Self {
        let mut command = parlor();
        command.args(["--listen=127.0.0.1:0", "--no-history"]);
        command.envs(variables.iter().copied());
        Self::spawn(command)
    }

    /// Starts a server with its options in one text.
    pub(crate) fn with(options: &str) -> Self {
        Self::start(&options.split(' ').collect::<Vec<_>>())
    }

    /// Runs the command and waits for the listening line.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = sender.send(line);
            // Keeps reading, so that the server can write.
            let _ = stdout.read_to_string(&mut String::new());
        });
        let logs = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&logs);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]);
                kept.lock().expect("not poisoned").push_str(&text);
            }
        });
        let line = receiver.recv_timeout(PATIENCE).unwrap_or_default();
        let start = concat!(
            "parlor ",
            env!("CARGO_PKG_VERSION"),
            " listening on http://"
        );
        let url = line.strip_prefix(start);
        let address = url.and_then(|url| url.split([',', '\n']).next()?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            let logs = logs.lock().expect("not poisoned");
            panic!("the listening line is {line:?}; standard error: {logs}");
        };
        Self {
            child,
            address,
            logs,
        }
    }

    /// The process id of the command.
    #[allow(dead_code)] // used by tests/faults
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address of a WebSocket on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Opens a connection without sending anything.
    pub(crate) fn raw(&self) -> Raw {
        Raw::connect(self.address)
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn request(&self, request: impl AsRef<[u8]>) -> Response {
        let mut raw = self.raw();
        raw.send(request);
        raw.response()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// Opens a WebSocket on `/chat` or `/echo`.
    pub(crate) fn open(&self, path: &str) -> Wire {
        Wire::open(self.raw(), path)
    }

    /// Opens `/chat` and sends `hello`.
    pub(crate) fn enter(&self, name: &str) -> Person {
        Person::enter(self, name)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the child is there");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_none()
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Standard error so far.
    pub(crate) fn logs(&self) -> String {
        self.logs.lock().expect("not poisoned").clone()
    }

    /// The value of one line of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let value = self.raw().metric(name);
        value.unwrap_or_else(|| panic!("no metric {name}"))
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

/// Waits for the end of a process. Kills it and fails if it does not end.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("a status") {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("the process did not end");
}

/// Repeats a check until it holds.
pub(crate) fn eventually(name: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not in time: {name}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder that is removed at the end of the test.
pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = path.join(format!("{name}-{}", std::process::id()));
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
