//! The driver and the command line, by the real binary: signals, descriptors that run out, a
//! suspended process, closed outputs, how it ends.

#![allow(clippy::unwrap_used)]

mod options;

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LOCAL: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Returns the command of a server that a shell becomes after it has set something up.
fn command(shell: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{shell}; exec \"$0\" \"$@\"");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_parlor")])
        .args(arguments);
    command.env("PARLOR_NO_HISTORY", "1").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running server; it dies with the test.
struct Parlor {
    child: Child,
    address: SocketAddr,
    stdout: BufReader<ChildStdout>,
}

impl Parlor {
    fn start(arguments: &[&str]) -> Self {
        Self::after(":", &[&LOCAL, arguments].concat())
    }

    fn after(shell: &str, arguments: &[&str]) -> Self {
        let mut child = command(shell, arguments).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let start = concat!(
            "parlor ",
            env!("CARGO_PKG_VERSION"),
            " listening on http://"
        );
        let address = line.trim_end().strip_prefix(start).expect(&line);
        let address = address.parse().unwrap();
        Self {
            child,
            address,
            stdout,
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Suspends the process, and waits until it is.
    fn freeze(&self) {
        self.signal(Signal::STOP);
        sleep(Duration::from_millis(100));
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    fn is_well(&self) -> bool {
        ask(&mut self.connect()).starts_with("HTTP/1.1 200 ")
    }

    /// Returns the status that it ends with, and its output; `None`: killed by a signal, or it did
    /// not end in time.
    fn end(&mut self) -> (Option<i32>, String, String) {
        let status = ends(&mut self.child, LONG);
        let _ = self.child.kill();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        let errors = self.child.stderr.as_mut().unwrap();
        errors.read_to_string(&mut stderr).unwrap();
        (status, stdout, stderr)
    }

    /// Returns the time that it computed, in clock ticks (proc_pid_stat(5): 100 a second).
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Parlor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LONG: Duration = Duration::from_secs(10);

fn ends(child: &mut Child, within: Duration) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < within {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        sleep(Duration::from_millis(5));
    }
    None
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn ask(stream: &mut TcpStream) -> String {
    send(stream, HEALTH);
    answer(stream)
}

/// Returns what comes until the body of `/healthz`, or the end.
fn answer(stream: &mut TcpStream) -> String {
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\nok") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

/// Runs to the end: status, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(":", arguments).output().unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    (output.status.code(), out, error)
}

#[test]
fn signal_ends_the_server_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut parlor = Parlor::start(&["--drain", "60"]);
        let (mut one, mut other) = (parlor.connect(), parlor.connect());
        for _ in 0..2 {
            assert!(ask(&mut one).ends_with("ok") && ask(&mut other).ends_with("ok"));
        }
        parlor.signal(signal);
        // An idle connection is closed.
        assert_eq!(one.read(&mut [0]).unwrap(), 0);
        let (status, stdout, stderr) = parlor.end();
        assert_eq!((status, stdout.as_str()), (Some(0), ""), "{signal:?}");
        // About the start and the stop; none about peers.
        assert!(stderr.lines().count() <= 3, "{stderr}");
        assert!(TcpStream::connect(parlor.address).is_err());
    }
}

#[test]
fn stalled_reader_is_awaited_until_drain_or_second_signal() {
    let folder = std::env::temp_dir().join(format!("parlor-driver-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let big = std::fs::File::create(folder.join("big")).unwrap();
    big.set_len(16 << 20).unwrap();
    for (drain, signals) in [("60", 2), ("0.3", 1), ("0", 1)] {
        let queue = "--send-queue-bytes=1073741824";
        let www = folder.to_str().unwrap();
        let mut parlor = Parlor::start(&[queue, "--drain", drain, "--www", www]);
        let mut lazy = parlor.connect();
        send(&mut lazy, "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
        lazy.read_exact(&mut [0; 8]).unwrap();
        for _ in 0..signals {
            assert!(ends(&mut parlor.child, Duration::from_millis(200)).is_none());
            parlor.signal(Signal::TERM);
        }
        let began = Instant::now();
        assert_eq!(parlor.end().0, Some(0), "--drain {drain}");
        assert!(began.elapsed() < Duration::from_secs(5), "--drain {drain}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn ignored_hangup_stays_ignored() {
    let mut parlor = Parlor::after("trap '' HUP", &LOCAL);
    parlor.signal(Signal::HUP);
    sleep(Duration::from_millis(100));
    assert!(parlor.is_well());
    parlor.signal(Signal::TERM);
    assert_eq!(parlor.end().0, Some(0));
}

#[test]
fn exhausted_descriptors_neither_spin_nor_stop_the_server() {
    let options = ["--drain", "0", "--handshake-timeout", "60"];
    let mut parlor = Parlor::after("ulimit -n 30", &[&LOCAL[..], &options].concat());
    // Those beyond thirty wait in the kernel's queue.
    let mut streams: Vec<_> = (0..50).map(|_| parlor.connect()).collect();
    assert!(ask(&mut streams[0]).ends_with("ok"));
    let mut waiting = streams.pop().unwrap();
    waiting
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let before = parlor.ticks();
    assert_eq!(ask(&mut waiting), "");
    let spent = parlor.ticks() - before;
    assert!(
        spent < 10,
        "{spent} hundredths of a second of half a second"
    );
    waiting.set_read_timeout(Some(LONG)).unwrap();
    streams.drain(..40);
    // It is served when others have left.
    assert!(answer(&mut waiting).ends_with("ok"));
    drop((streams, waiting));
    assert!(parlor.is_well());
    parlor.signal(Signal::TERM);
    let (status, _, stderr) = parlor.end();
    let reports = stderr.matches("can't accept").count();
    let expected = usize::from(cfg!(feature = "log-output"));
    assert_eq!((status, reports), (Some(0), expected), "{stderr}");
}

#[test]
fn suspended_process_reads_before_checking_deadlines() {
    parlor::server::raise_open_files();
    let parlor = Parlor::start(&["--handshake-timeout", "3", "--max-connections-per-ip", "0"]);
    let (half, rest) = HEALTH.split_at(20);
    // More than one poll reports.
    let mut streams: Vec<_> = (0..1_500).map(|_| parlor.connect()).collect();
    streams.iter_mut().for_each(|stream| send(stream, half));
    // All that came before this one have been accepted.
    assert!(parlor.is_well());
    parlor.freeze();
    streams.iter_mut().for_each(|stream| send(stream, rest));
    sleep(Duration::from_millis(4_500));
    parlor.signal(Signal::CONT);
    for (index, stream) in streams.iter_mut().enumerate() {
        assert!(answer(stream).starts_with("HTTP/1.1 200 "), "{index}");
    }
    let mut late = parlor.connect();
    send(&mut late, half);
    // Deadlines hold again.
    assert!(answer(&mut late).starts_with("HTTP/1.1 408 "));
}

#[test]
fn deadline_in_a_short_suspension_is_judged_after_reading() {
    let parlor = Parlor::start(&["--handshake-timeout", "1"]);
    let mut stream = parlor.connect();
    let (half, rest) = HEALTH.split_at(20);
    send(&mut stream, half);
    sleep(Duration::from_millis(300));
    parlor.freeze();
    send(&mut stream, rest);
    sleep(Duration::from_millis(1_200));
    parlor.signal(Signal::CONT);
    assert!(answer(&mut stream).starts_with("HTTP/1.1 200 "));
}

#[test]
fn idle_server_sleeps() {
    let parlor = Parlor::start(&[]);
    let mut stream = parlor.connect();
    assert!(ask(&mut stream).ends_with("ok"));
    let before = parlor.ticks();
    sleep(Duration::from_millis(500));
    assert!(parlor.ticks() - before < 5);
}

#[test]
fn closed_outputs_do_not_stop_the_server() {
    let broken = |shell, arguments: &[&str]| {
        let mut child = command(shell, arguments).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        child
    };
    for shell in ["exec >&- 2>&-", "export PARLOR_LOG=trace"] {
        // A port that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut child = broken(shell, &["--listen", &free.to_string()]);
        let began = Instant::now();
        let mut stream = loop {
            match TcpStream::connect(free) {
                Ok(stream) => break stream,
                Err(error) => assert!(began.elapsed() < LONG, "{error}"),
            }
            sleep(Duration::from_millis(5));
        };
        assert!(ask(&mut stream).ends_with("ok"));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(ends(&mut child, LONG), Some(0));
    }
    for (argument, status) in [("--help", 0), ("--version", 0), ("--nonsense", 2)] {
        assert_eq!(
            ends(&mut broken(":", &[argument]), LONG),
            Some(status),
            "{argument}"
        );
    }
}

/// A pipe holds 64 KiB; a stopped terminal holds less.
#[test]
#[cfg(feature = "log-output")]
fn full_log_pipe_blocks_nothing() {
    let mut parlor = Parlor::after("export PARLOR_LOG=trace", &LOCAL);
    for _ in 0..2_000 {
        assert!(parlor.is_well());
    }
    parlor.signal(Signal::TERM);
    let (status, _, stderr) = parlor.end();
    assert_eq!(status, Some(0));
    assert!(
        stderr.len() > 32 << 10,
        "the pipe was full: {}",
        stderr.len()
    );
}

#[test]
fn failed_start_says_why_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    // Status, option, value, and what the line mentions.
    for (status, option, value, mentioned) in [
        (1, "--listen", &*taken, &*taken),
        (1, "--listen", "192.0.2.1:0", "192.0.2.1:0"),
        (1, "--listen", "nothing.invalid:0", "nothing.invalid"),
        (1, "--www", "/dev/null", "/dev/null"),
        (1, "--www", "/nothing here", "/nothing here"),
        (2, "--drain=1", "--nonsense", "--nonsense"),
        (2, "--drain=1", "--non\nsense", "--non sense"),
        (2, "--rate", "fast", "--rate must be a whole number"),
    ] {
        let (ended, stdout, stderr) = run(&[option, value]);
        assert_eq!(
            (ended, stdout.as_str()),
            (Some(status), ""),
            "{value}: {stderr}"
        );
        let is_line = stderr.starts_with("parlor: ") && stderr.ends_with('\n');
        assert!(is_line && stderr.lines().count() == 1, "{value}: {stderr}");
        assert!(stderr.contains(mentioned), "{value}: {stderr}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let version = concat!("parlor ", env!("CARGO_PKG_VERSION"), "\n").to_owned();
    assert_eq!(run(&["--version"]), (Some(0), version, String::new()));
    assert_eq!(
        run(&["--help"]),
        (Some(0), parlor::cli::help(), String::new())
    );
}

#[test]
fn server_listens_on_other_addresses() {
    for name in ["localhost:0", "[::1]:0", "0.0.0.0:0"] {
        let parlor = Parlor::after(":", &["--listen", name]);
        assert!(parlor.address.port() != 0 && parlor.is_well(), "{name}");
    }
    assert!(Parlor::after("export PARLOR_LISTEN=127.0.0.1:0", &[]).is_well());
}
