//! Faults of the process: no free descriptors, stops, and outputs that are not read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Person, Raw, Server, eventually, frame, parlor, shell, wait};
use crate::times;
use crate::witness::{Witness, descriptors};

/// Without free descriptors the server waits without spinning, and later serves all clients.
#[cfg(feature = "log-output")] // the log shows when
#[test]
fn server_without_descriptors_waits_and_goes_on() {
    let mut command = shell("ulimit -n 64");
    command.arg("--max-connections-per-ip=0");
    let server = Server::spawn(command);
    let witness = Witness::begin(&server);
    let mut asking = server.raw();
    let mut turns = || asking.metric("parlor_turn_seconds_count").unwrap();
    turns();
    let mut waiting: Vec<Raw> = (0..80).map(|_| server.raw()).collect();
    eventually("the log says it", || {
        server.logs().contains("can't accept connections")
    });
    let (before, lines) = (turns(), server.logs().lines().count());
    thread::sleep(Duration::from_secs(1));
    let turned = turns() - before;
    assert!(turned < 200.0, "{turned} turns in a second");
    assert_eq!(server.logs().lines().count(), lines, "logged once");
    let open = descriptors(server.pid());
    assert!(open < 64 - 4, "{open} of 64: the rest is for files");
    while let Some(mut raw) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(raw.response().status, 200);
    }
    assert!(witness.end() > 3);
}

#[test]
fn stopped_and_continued_process_keeps_connections() {
    let server = Server::with("--ping-interval 1 --pong-timeout 1 --handshake-timeout 1 --rate 0");
    let witness = Witness::begin(&server);
    let mut ada = server.enter("Ada");
    ada.join("general");
    for n in 1..=times(3, 50) {
        server.signal(Signal::STOP);
        for _ in 0..20 {
            ada.send(json!({"type": "message", "channel": "general", "text": "are you there?"}));
        }
        let mut raw = server.raw();
        raw.send("GET /healthz HTTP/1.1\r\n");
        thread::sleep(Duration::from_millis([30, 300, 1_300][n % 3]));
        server.signal(Signal::CONT);
        raw.send("Host: localhost\r\n\r\n");
        assert_eq!(raw.response().status, 200, "its deadline had not passed");
        for seq in 20 * (n - 1) + 1..=20 * n {
            assert_eq!(
                ada.take("message")["seq"],
                seq,
                "each message once and in order"
            );
        }
    }
    assert!(witness.end() > 1);
}

/// Makes the server log at least one line for each connection.
fn make_it_log(address: SocketAddr, connections: usize) {
    for n in 0..connections {
        let mut raw = Raw::connect(address);
        raw.send(["\0", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"][n % 2]);
        assert!([200, 400].contains(&raw.response().status), "it responds");
    }
}

/// Returns an address that no other test's server gets by chance: they listen on 127.0.0.1.
pub(crate) fn free_address(host: &str) -> SocketAddr {
    TcpListener::bind((host, 0))
        .and_then(|it| it.local_addr())
        .expect("a free port")
}

/// Returns a full pipe whose reader never reads.
fn full_pipe() -> (std::io::PipeReader, Stdio) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("flags");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("flags");
    while writer.write(&[b' '; 4_096]).is_ok() {}
    while writer.write(b" ").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).expect("flags");
    (reader, writer.into())
}

#[test]
fn unread_outputs_do_not_block_the_server() {
    let full_disk = || Stdio::from(std::fs::File::create("/dev/full").expect("Linux has it"));
    let mut held = Vec::new();
    for name in [
        "full pipes",
        "pipes without a reader",
        "a full disk",
        "closed",
    ] {
        let mut command = parlor();
        match name {
            "a full disk" => _ = command.stdout(full_disk()).stderr(full_disk()),
            "closed" => command = shell("exec >&- 2>&- <&-"),
            _ => {
                let ((one, stdout), (two, stderr)) = (full_pipe(), full_pipe());
                command.stdout(stdout).stderr(stderr);
                if name == "full pipes" {
                    held.push((one, two));
                }
            }
        }
        let address = free_address("127.0.0.81");
        command.args(["--no-history", "--max-connections-per-ip", "0", "--listen"]);
        let command = command.arg(address.to_string()).env("PARLOR_LOG", "trace");
        let mut child = command.spawn().unwrap();
        eventually(name, || TcpStream::connect(address).is_ok());
        make_it_log(address, times(100, 5_000));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(wait(&mut child).code(), Some(0), "{name}");
    }
}

/// While the log is not read, it drops whole lines. The listening line is the only output.
#[cfg(feature = "log-output")]
#[test]
fn log_that_is_not_read_loses_whole_lines() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = parlor();
    command.args([
        "--no-history",
        "--max-connections-per-ip=0",
        "--listen=127.0.0.1:0",
    ]);
    command.env("PARLOR_LOG", "debug");
    let command = command.stdout(Stdio::piped()).stderr(writer);
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line
        .trim()
        .rsplit('/')
        .next()
        .and_then(|it| it.parse().ok());
    let address = address.expect("an address");
    // A pipe holds 64 KiB; each connection logs a line of about 80 bytes.
    make_it_log(address, times(2_000, 20_000));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    stdout.read_to_string(&mut line).unwrap();
    assert_eq!(line.lines().count(), 1);
    let mut text = String::new();
    // Drops the command, which still holds the pipe's other end.
    drop(std::mem::replace(command, Command::new("true")));
    reader.read_to_string(&mut text).expect("whole lines");
    let is_whole = |line: &str| line.contains(" DEBUG ") || line.contains(" INFO ");
    assert!(text.len() > 32 << 10 && text.lines().all(is_whole));
}

/// Users send messages while the server is stopped. Each receives 1001 after all of its acks.
#[test]
fn stop_under_load_closes_in_order() {
    let mut server = Server::with("--rate 0 --drain 10");
    let talk = |mut person: Person| {
        let mut said = 0;
        loop {
            said += 1;
            let text = json!({"type": "message", "channel": "general", "text": "x", "id": said});
            let text = frame(0x81, text.to_string());
            let _ = person.wire.raw.stream.write_all(&text);
            loop {
                let next = person.wire.frame("an ack or the close");
                if next.opcode == 8 {
                    let _ = person.wire.raw.stream.write_all(&frame(0x88, b"\x03\xe9"));
                    return (said, next.code());
                }
                if String::from_utf8_lossy(&next.payload).contains("\"ack\"") {
                    break;
                }
            }
        }
    };
    let people = (0..8).map(|n| {
        let mut person = server.enter(&format!("Talker{n}"));
        person.join("general");
        thread::spawn(move || talk(person))
    });
    let people: Vec<_> = people.collect();
    thread::sleep(Duration::from_millis(300));
    server.signal(Signal::TERM);
    for person in people {
        let (said, code) = person.join().unwrap();
        assert!(said > 1 && code == Some(1001), "{said} {code:?}");
    }
    assert_eq!(server.wait().code(), Some(0));
}
