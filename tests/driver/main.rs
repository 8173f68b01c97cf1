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

/// A running server; it dies with the test.
struct Parlor {
    child: Child,
    address: SocketAddr,
    stdout: BufReader<ChildStdout>,
}

impl Parlor {
    fn start(arguments: &[&str]) -> Self {
        Self::of(
            Command::new(env!("CARGO_BIN_EXE_parlor"))
                .args(["--listen", "127.0.0.1:0"])
                .args(arguments),
        )
    }

    /// By way of a shell, which sets something up and then becomes the server.
    fn after(shell: &str, arguments: &[&str]) -> Self {
        let script = format!("{shell}; exec \"$0\" --listen 127.0.0.1:0 \"$@\"");
        Self::of(
            Command::new("sh")
                .args(["-c", &script, env!("CARGO_BIN_EXE_parlor")])
                .args(arguments),
        )
    }

    fn of(command: &mut Command) -> Self {
        let command = command.env("PARLOR_NO_HISTORY", "1").stdin(Stdio::null());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix(concat!(
            "parlor ",
            env!("CARGO_PKG_VERSION"),
            " listening on http://"
        ));
        Self {
            child,
            address: url.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap(),
            stdout,
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it, and waits until it stands still.
    fn freeze(&self) {
        self.signal(Signal::STOP);
        sleep(Duration::from_millis(100));
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    }

    fn is_well(&self) -> bool {
        ask(&mut self.connect()).starts_with("HTTP/1.1 200 ")
    }

    /// The status that it ends with, and what it wrote; `None`: killed by a signal, or it did not
    /// end in time.
    fn end(&mut self) -> (Option<i32>, String, String) {
        let status = ends(&mut self.child, Duration::from_secs(10));
        let _ = self.child.kill();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        (status, stdout, stderr)
    }

    /// What it has computed, in clock ticks (proc_pid_stat(5): 100 a second).
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

fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(HEALTH.as_bytes()).unwrap();
    answer(stream)
}

/// What comes until the body of `/healthz`, or the end.
fn answer(stream: &mut TcpStream) -> String {
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\nok") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

/// Runs to the end: status, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_parlor"))
        .env("PARLOR_NO_HISTORY", "1")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn signal_ends_the_server_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut parlor = Parlor::start(&["--drain", "60"]);
        let (mut one, mut other) = (parlor.connect(), parlor.connect());
        assert!(
            ask(&mut one).ends_with("ok")
                && ask(&mut other).ends_with("ok")
                && ask(&mut one).ends_with("ok")
        );
        parlor.signal(signal);
        assert_eq!(
            one.read(&mut [0]).unwrap(),
            0,
            "an idle connection is closed"
        );
        let (status, stdout, stderr) = parlor.end();
        assert_eq!((status, stdout.as_str()), (Some(0), ""), "{signal:?}");
        assert!(
            stderr.lines().count() <= 3,
            "three lines about the start and the stop, none about peers: {stderr}"
        );
        assert!(TcpStream::connect(parlor.address).is_err());
    }
}

#[test]
fn stalled_reader_is_awaited_until_drain_or_second_signal() {
    let folder = std::env::temp_dir().join(format!("parlor-driver-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::File::create(folder.join("big"))
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    for (drain, signals) in [("60", 2), ("0.3", 1), ("0", 1)] {
        let mut parlor = Parlor::start(&[
            "--send-queue-bytes=1073741824",
            "--drain",
            drain,
            "--www",
            folder.to_str().unwrap(),
        ]);
        let mut lazy = parlor.connect();
        lazy.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
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
    let mut parlor = Parlor::after("trap '' HUP", &[]);
    parlor.signal(Signal::HUP);
    sleep(Duration::from_millis(100));
    assert!(parlor.is_well());
    parlor.signal(Signal::TERM);
    assert_eq!(parlor.end().0, Some(0));
}

#[test]
fn exhausted_descriptors_neither_spin_nor_stop_the_server() {
    let mut parlor = Parlor::after(
        "ulimit -n 30",
        &["--drain", "0", "--handshake-timeout", "60"],
    );
    // Those beyond thirty wait in the kernel's queue.
    let mut streams: Vec<_> = (0..50).map(|_| parlor.connect()).collect();
    assert!(ask(&mut streams[0]).ends_with("ok"));
    streams[49]
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let before = parlor.ticks();
    assert_eq!(ask(&mut streams[49]), "");
    let spent = parlor.ticks() - before;
    assert!(
        spent < 10,
        "{spent} hundredths of a second computed in half a second of waiting"
    );
    streams[49]
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    streams.drain(..40);
    assert!(
        answer(streams.last_mut().unwrap()).ends_with("ok"),
        "it is served as soon as others have left"
    );
    drop(streams);
    assert!(parlor.is_well());
    parlor.signal(Signal::TERM);
    let (status, _, stderr) = parlor.end();
    let told = stderr
        .lines()
        .filter(|line| line.contains("can't accept"))
        .count();
    assert_eq!(
        (status, told),
        (Some(0), usize::from(cfg!(feature = "log-output"))),
        "{stderr}"
    );
}

#[test]
fn suspended_process_reads_before_it_judges_deadlines() {
    parlor::server::raise_open_files();
    let parlor = Parlor::start(&["--handshake-timeout", "3", "--max-connections-per-ip", "0"]);
    let (half, rest) = HEALTH.split_at(20);
    // More than one poll tells of.
    let mut streams: Vec<_> = (0..1_500).map(|_| parlor.connect()).collect();
    streams
        .iter_mut()
        .for_each(|stream| stream.write_all(half.as_bytes()).unwrap());
    assert!(
        parlor.is_well(),
        "all that came before this one have been accepted"
    );
    parlor.freeze();
    streams
        .iter_mut()
        .for_each(|stream| stream.write_all(rest.as_bytes()).unwrap());
    let mut silent = streams.split_off(1_490);
    sleep(Duration::from_millis(4_500));
    parlor.signal(Signal::CONT);
    for (index, stream) in streams.iter_mut().enumerate() {
        assert!(answer(stream).starts_with("HTTP/1.1 200 "), "{index}");
    }
    assert!(
        silent
            .iter_mut()
            .all(|stream| answer(stream).ends_with("ok"))
    );
    let mut late = parlor.connect();
    late.write_all(half.as_bytes()).unwrap();
    assert!(
        answer(&mut late).starts_with("HTTP/1.1 408 "),
        "deadlines hold again"
    );
}

#[test]
fn deadline_in_a_short_suspension_is_judged_after_reading() {
    let parlor = Parlor::start(&["--handshake-timeout", "1"]);
    let mut stream = parlor.connect();
    let (half, rest) = HEALTH.split_at(20);
    stream.write_all(half.as_bytes()).unwrap();
    sleep(Duration::from_millis(300));
    parlor.freeze();
    stream.write_all(rest.as_bytes()).unwrap();
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
    let port = free_port();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec \"$0\" --listen \"$1\" >&- 2>&-",
        env!("CARGO_BIN_EXE_parlor"),
        &format!("127.0.0.1:{port}"),
    ]);
    let closed = command.env("PARLOR_NO_HISTORY", "1").spawn().unwrap();
    serves_until_terminated(closed, port);

    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .env("PARLOR_LOG", "trace")
        .env("PARLOR_NO_HISTORY", "1");
    let mut broken = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((broken.stdout.take(), broken.stderr.take()));
    serves_until_terminated(broken, port);

    for argument in ["--help", "--version", "--nonsense"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
        let mut broken = command
            .arg(argument)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((broken.stdout.take(), broken.stderr.take()));
        assert_eq!(
            ends(&mut broken, Duration::from_secs(10)),
            Some(if argument == "--nonsense" { 2 } else { 0 }),
            "{argument}"
        );
    }
}

fn serves_until_terminated(mut child: Child, port: u16) {
    let began = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "{error}"),
        }
        sleep(Duration::from_millis(5));
    };
    assert!(ask(&mut stream).ends_with("ok"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(ends(&mut child, Duration::from_secs(10)), Some(0));
}

/// A pipe holds 64 KiB; a terminal that somebody stopped holds less.
#[test]
#[cfg(feature = "log-output")]
fn full_log_pipe_blocks_nothing() {
    let mut parlor = Parlor::after("export PARLOR_LOG=trace", &[]);
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
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let table: &[(&str, &[&str], i32, &str)] = &[
        ("the port is taken", &["--listen", &address], 1, &address),
        (
            "an address of another machine",
            &["--listen", "192.0.2.1:0"],
            1,
            "192.0.2.1:0",
        ),
        (
            "a name that nobody has",
            &["--listen", "nothing.invalid:0"],
            1,
            "nothing.invalid",
        ),
        (
            "a folder that is none",
            &["--www", "/dev/null"],
            1,
            "/dev/null",
        ),
        (
            "a folder that is not there",
            &["--www", "/nothing here"],
            1,
            "/nothing here",
        ),
        ("a wrong option", &["--nonsense"], 2, "--nonsense"),
        (
            "a wrong option on two lines",
            &["--non\nsense"],
            2,
            "--non sense",
        ),
        (
            "a wrong value",
            &["--rate", "fast"],
            2,
            "--rate must be a whole number",
        ),
    ];
    for (name, arguments, status, mentioned) in table {
        let (ended, stdout, stderr) = run(arguments);
        assert_eq!(
            (ended, stdout.as_str()),
            (Some(*status), ""),
            "{name}: {stderr}"
        );
        assert!(
            stderr.starts_with("parlor: ") && stderr.ends_with('\n') && stderr.lines().count() == 1,
            "{name}: {stderr}"
        );
        assert!(stderr.contains(mentioned), "{name}: {stderr}");
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
    let names: &[&str] = &["localhost:0", "[::1]:0", "0.0.0.0:0"];
    for name in names {
        let Parlor { address, .. } =
            &Parlor::of(Command::new(env!("CARGO_BIN_EXE_parlor")).args(["--listen", name]));
        assert!(
            TcpStream::connect(address).is_ok() && address.port() != 0,
            "{name}: {address}"
        );
    }
    let variable =
        Parlor::of(Command::new(env!("CARGO_BIN_EXE_parlor")).env("PARLOR_LISTEN", "127.0.0.1:0"));
    assert!(variable.is_well());
}
