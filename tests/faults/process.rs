//! What happens to the process: no descriptors, a stop, outputs that nobody reads, signals, being
//! process 1.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Person, Raw, Server, eventually, frame, parlor, wait};
use crate::witness::Witness;
use crate::{not_tried, times};

/// Files that the process may open, as `ulimit -n` has it.
#[cfg(feature = "log-output")]
fn with_descriptors(most: usize) -> Server {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -n {most}; exec \"$0\" \"$@\""),
        env!("CARGO_BIN_EXE_parlor"),
    ]);
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--no-history",
        "--max-connections-per-ip",
        "0",
    ]);
    Server::spawn(command)
}

/// Connections that were accepted; the others wait in the kernel's queue.
#[cfg(feature = "log-output")]
fn accepted(server: &Server) -> usize {
    let sockets = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    sockets
        .filter(|entry| {
            entry.as_ref().is_ok_and(|entry| {
                std::fs::read_link(entry.path())
                    .is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
            })
        })
        .count()
}

#[cfg(feature = "log-output")] // the log tells when
#[test]
fn without_descriptors_it_goes_on_and_takes_others_later() {
    let server = with_descriptors(64);
    let witness = Witness::begin(&server);
    let mut waiting: Vec<Raw> = (0..80).map(|_| server.raw()).collect();
    let most = {
        let mut before = 0;
        eventually("no more are taken", || {
            thread::sleep(Duration::from_millis(150));
            std::mem::replace(&mut before, accepted(&server)) == before
        });
        before
    };
    assert!(
        (20..64 - 10).contains(&most),
        "{most} of 64: some are left for files"
    );
    eventually("the log says it", || {
        server.logs().contains("can't accept connections")
    });
    thread::sleep(Duration::from_millis(500));
    assert_eq!(
        server.logs().lines().count(),
        2,
        "once, beside the warning of the start: {}",
        server.logs()
    );
    // Whoever leaves makes room; each of those who waited is served in the end.
    while let Some(mut raw) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(raw.response().status, 200);
    }
    assert!(witness.end() > 3);
}

/// It does not spin: while it can't accept, it turns as often as it tries again, ten times a
/// second.
#[cfg(feature = "log-output")] // the log tells when
#[test]
fn without_descriptors_it_waits_and_does_not_spin() {
    let server = with_descriptors(64);
    let mut asking = server.raw();
    let mut turns = || {
        asking.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let text = asking.response().text();
        text.lines()
            .find_map(|line| line.strip_prefix("parlor_turn_seconds_count "))
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    turns();
    let _waiting: Vec<Raw> = (0..80).map(|_| server.raw()).collect();
    eventually("the log says it", || {
        server.logs().contains("can't accept connections")
    });
    let before = turns();
    thread::sleep(Duration::from_secs(1));
    let turned = turns() - before;
    assert!(
        turned < 200,
        "{turned} turns in a second in which nothing happened"
    );
}

#[test]
fn stopped_and_continued_again_and_again() {
    let server = Server::start(&[
        "--ping-interval",
        "1",
        "--pong-timeout",
        "1",
        "--handshake-timeout",
        "1",
        "--rate",
        "0",
    ]);
    let witness = Witness::begin(&server);
    let mut ada = server.enter("Ada");
    ada.join("general");
    for n in 1..=times(5, 50) {
        server.signal(Signal::STOP);
        for _ in 0..20 {
            ada.send(serde_json::json!({"type": "message", "channel": "general", "text": "said to a process that stands still"}));
        }
        let mut raw = server.raw();
        raw.send("GET /healthz HTTP/1.1\r\n");
        thread::sleep(Duration::from_millis([30, 300, 1_300][n % 3]));
        server.signal(Signal::CONT);
        raw.send("Host: localhost\r\n\r\n");
        assert_eq!(raw.response().status, 200, "its time was not over");
        for seq in 20 * (n - 1) + 1..=20 * n {
            assert_eq!(
                ada.take("message")["seq"],
                seq,
                "all was heard, in order, once"
            );
        }
    }
    assert!(witness.end() > 1);
}

/// Makes the server log much: one line and more for each connection.
fn make_it_log(address: SocketAddr, connections: usize) {
    for n in 0..connections {
        let mut raw = Raw::connect(address);
        raw.send(["\0", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"][n % 2]);
        assert!([200, 400].contains(&raw.response().status), "it answers");
    }
}

/// An address that no other test's server is given by chance: those listen on 127.0.0.1.
pub(crate) fn free_address(host: &str) -> SocketAddr {
    TcpListener::bind((host, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}

/// A pipe that is full and has a reader who never reads.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("flags");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("flags");
    while writer.write(&[b' '; 4_096]).is_ok() {}
    while writer.write(b" ").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).expect("flags");
    (reader, writer)
}

#[test]
fn outputs_that_nobody_reads_hold_nothing_up() {
    type Outputs = (Stdio, Stdio, Vec<std::io::PipeReader>);
    let full_both = || -> Outputs {
        let ((a, stdout), (b, stderr)) = (full_pipe(), full_pipe());
        (stdout.into(), stderr.into(), vec![a, b])
    };
    let gone = || -> Outputs {
        let ((_, stdout), (_, stderr)) = (full_pipe(), full_pipe());
        (stdout.into(), stderr.into(), Vec::new())
    };
    let full_disk = || -> Outputs {
        let full = || Stdio::from(std::fs::File::create("/dev/full").expect("Linux has it"));
        (full(), full(), Vec::new())
    };
    for (name, (stdout, stderr, _held)) in [
        ("full pipes", full_both()),
        ("pipes without a reader", gone()),
        ("a full disk", full_disk()),
    ] {
        let address = free_address("127.0.0.81");
        let mut child = parlor()
            .args([
                "--no-history",
                "--max-connections-per-ip",
                "0",
                "--listen",
                &address.to_string(),
            ])
            .env("PARLOR_LOG", "trace")
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        eventually(name, || std::net::TcpStream::connect(address).is_ok());
        make_it_log(address, times(200, 5_000));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(wait(&mut child).code(), Some(0), "{name}");
    }
}

#[test]
fn outputs_that_were_closed_before_it_began() {
    let address = free_address("127.0.0.82");
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec \"$0\" \"$@\" >&- 2>&- <&-",
        env!("CARGO_BIN_EXE_parlor"),
        "--no-history",
        "--listen",
        &address.to_string(),
    ]);
    let mut child = command.env("PARLOR_LOG", "trace").spawn().unwrap();
    eventually("it listens", || {
        std::net::TcpStream::connect(address).is_ok()
    });
    make_it_log(address, 100);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
}

/// A log that nobody reads for a while, and a witness: what is dropped is lines, not turns.
#[cfg(feature = "log-output")] // the log tells when
#[test]
fn a_log_that_is_not_read_is_not_waited_for() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let address = free_address("127.0.0.83");
    let mut child = parlor()
        .args([
            "--no-history",
            "--max-connections-per-ip",
            "0",
            "--listen",
            &address.to_string(),
        ])
        .env("PARLOR_LOG", "debug")
        .stdout(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    eventually("it listens", || {
        std::net::TcpStream::connect(address).is_ok()
    });
    // A pipe holds 64 KiB; each connection is worth a line of some 50 bytes.
    make_it_log(address, times(4_000, 20_000));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    let mut text = String::new();
    reader
        .read_to_string(&mut text)
        .expect("what went into the pipe, in whole lines");
    assert!(
        text.len() > 32 << 10
            && text
                .lines()
                .all(|line| line.starts_with("DEBUG ") || line.starts_with("INFO ")),
        "{}",
        text.len()
    );
}

/// People who talk while it is told to stop: each is told 1001, behind all that was acknowledged.
fn stops_in_order(server: &Server, stop: impl FnOnce()) {
    let mut people: Vec<Person> = (0..8)
        .map(|n| server.enter(&format!("Talker{n}")))
        .collect();
    people
        .iter_mut()
        .for_each(|person| drop(person.join("general")));
    let talk: Vec<_> = people
        .into_iter()
        .map(|mut person| {
            thread::spawn(move || {
                let mut said = 0;
                // A round of what it says is acknowledged before the next begins; the close comes
                // in between.
                loop {
                    said += 1;
                    let command = serde_json::json!({"type": "message", "channel": "general", "text": "x", "id": said});
                    let _ = person.wire.raw.stream.write_all(&frame(0x81, command.to_string()));
                    loop {
                        let next = person.wire.frame("an ack or the close");
                        match next.opcode {
                            8 => {
                                let _ = person.wire.raw.stream.write_all(&frame(0x88, b"\x03\xe9"));
                                return (said, next.payload.get(..2).map(<[u8]>::to_vec));
                            }
                            _ if String::from_utf8_lossy(&next.payload).contains("\"ack\"") => break,
                            _ => {}
                        }
                    }
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    stop();
    for talker in talk {
        let (said, close) = talker.join().unwrap();
        assert_eq!(
            close.as_deref(),
            Some(&b"\x03\xe9"[..]),
            "1001 for everybody"
        );
        assert!(said > 1, "there was talk");
    }
}

#[test]
fn a_stop_in_the_middle_of_talk() {
    let mut server = Server::start(&["--rate", "0", "--drain", "10"]);
    stops_in_order(&server, || server.signal(Signal::TERM));
    assert_eq!(server.wait().code(), Some(0));
}

/// As the first process of a container: the kernel gives it no default actions, and nobody else
/// reaps or forwards.
#[test]
fn as_process_1() {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--pid", "--fork", "--kill-child"]);
    let mut probe = Command::new(unshare.get_program());
    match probe
        .args(unshare.get_args())
        .arg("true")
        .stderr(Stdio::null())
        .status()
    {
        Ok(status) if status.success() => {}
        other => {
            return not_tried(
                "parlor as process 1",
                &format!("unshare --pid fails here ({other:?}); it takes root, or user namespaces"),
            );
        }
    }
    unshare.arg(env!("CARGO_BIN_EXE_parlor")).args([
        "--listen",
        "127.0.0.1:0",
        "--no-history",
        "--rate",
        "0",
        "--drain",
        "10",
    ]);
    let mut server = Server::spawn(unshare);
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid())).unwrap();
    let inner: i32 = children.trim().parse().expect("unshare has one child");
    let status = std::fs::read_to_string(format!("/proc/{inner}/status")).unwrap();
    assert!(
        status
            .lines()
            .any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")),
        "it is process 1: {status}"
    );
    stops_in_order(&server, || {
        kill_process(Pid::from_raw(inner).unwrap(), Signal::TERM).unwrap()
    });
    assert_eq!(
        server.wait().code(),
        Some(0),
        "unshare passes its status on"
    );
}

/// The listening line comes in any case where somebody reads it, late or not.
#[test]
fn the_listening_line_is_the_whole_output() {
    let mut child = parlor()
        .args(["--no-history", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("listening on http://127.0.0.1:"), "{line}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    stdout.read_to_string(&mut line).unwrap();
    assert_eq!(line.lines().count(), 1);
}
