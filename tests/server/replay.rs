//! `--record` and `parlor replay`: what happened happens again, byte for byte.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::harness::{Folder, PATIENCE, Server, Wire, eventually, frame, parlor};

/// A client that keeps every byte that it was sent.
struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    fn on(server: &Server, path: &str) -> Self {
        let mut client = Self::connect(server);
        client.send(Wire::handshake(path));
        client.until("\r\n\r\n");
        client
    }

    fn enter(server: &Server, name: &str) -> Self {
        let mut client = Self::on(server, "/chat");
        client.say(&format!(r#"{{"type":"hello","name":"{name}"}}"#));
        client.say(r#"{"type":"join","channel":"general","id":1}"#);
        client.until(r#""type":"joined""#);
        client
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    fn say(&mut self, text: &str) {
        self.send(frame(0x81, text));
    }

    /// Reads until this has come.
    fn until(&mut self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        while !self
            .received
            .windows(words.len())
            .any(|window| window == words.as_bytes())
        {
            assert!(
                Instant::now() < deadline,
                "{words} did not come: {}",
                String::from_utf8_lossy(&self.received)
            );
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("the end before {words}"),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) => panic!("{error} before {words}"),
            }
        }
    }

    /// Everything that is still to come.
    fn until_the_end(&mut self) {
        let mut buffer = [0; 65536];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Exit status, standard output and standard error of a replay.
fn replay(file: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = parlor()
        .arg("replay")
        .args(arguments)
        .arg(file)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// What went out on a connection, by the lines of a replay.
fn went_out(lines: &str, number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines.lines() {
        let words: Vec<_> = line.split(' ').collect();
        if words.get(1) == Some(&&*format!("#{number}")) && words.get(2) == Some(&"out") {
            bytes.extend(
                words[4..]
                    .iter()
                    .map(|byte| u8::from_str_radix(byte, 16).unwrap()),
            );
        }
    }
    bytes
}

fn recorded(folder: &Folder, options: &[&str]) -> (Server, PathBuf) {
    let file = folder.0.join("recording");
    let server = Server::start(&[&["--record", file.to_str().unwrap()], options].concat());
    (server, file)
}

#[test]
fn a_session_is_replayed_as_the_clients_saw_it() {
    let folder = Folder::new("replay");
    let (mut server, file) = recorded(
        &folder,
        &[
            "--send-queue-bytes",
            "20000",
            "--rate",
            "0",
            "--drain",
            "10",
        ],
    );
    eventually("it says so", || server.logs().contains("WARNING"));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let mut page = Client::connect(&server);
    page.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    page.until("</html>");
    let mut ada = Client::enter(&server, "Ada");
    let mut bob = Client::enter(&server, "Bob");
    ada.say(r#"{"type":"message","channel":"general","text":"Gr\u00fc\u00dfe","id":7}"#);
    bob.until("Grüße");
    ada.until(r#""type":"ack""#);
    // In pieces; a wrong frame; a reset; a name that is taken.
    let mut eve = Client::on(&server, "/echo");
    for byte in frame(0x81, "in pieces") {
        eve.send([byte]);
    }
    eve.until("in pieces");
    eve.send([0xf1, 0x80, 0, 0, 0, 0]);
    eve.until_the_end();
    let mut reset = Client::on(&server, "/chat");
    reset.say(r#"{"type":"hello","name":"Ada"}"#);
    reset.until("name_taken");
    rustix::net::sockopt::set_socket_linger(&reset.stream, Some(std::time::Duration::ZERO))
        .unwrap();
    drop(reset.stream);
    bob.say("/leave");
    bob.until(r#""type":"left""#);
    // A reader that is too slow.
    let mut slow = Client::enter(&server, "Slow");
    rustix::net::sockopt::set_socket_recv_buffer_size(&slow.stream, 65_536).unwrap();
    let text = "x".repeat(3_000);
    while server.metric(r#"parlor_closed_total{code="1013"}"#) == 0.0 {
        for _ in 0..50 {
            ada.say(&format!(
                r#"{{"type":"message","channel":"general","text":"{text}"}}"#
            ));
        }
        ada.stream.set_nonblocking(true).unwrap();
        let mut buffer = [0; 1 << 16];
        while let Ok(count @ 1..) = ada.stream.read(&mut buffer) {
            ada.received.extend_from_slice(&buffer[..count]);
        }
        ada.stream.set_nonblocking(false).unwrap();
    }
    slow.until_the_end();
    server.signal(rustix::process::Signal::TERM);
    for client in [&mut page, &mut ada, &mut bob] {
        if !client.received.starts_with(b"HTTP/1.1 200") {
            client.send(frame(0x88, 1001_u16.to_be_bytes()));
        }
        client.until_the_end();
    }
    assert!(server.wait().success());

    let (status, lines, errors) = replay(&file, &["--hex"]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert_eq!(replay(&file, &["--hex"]).1, lines, "the same every time");
    for (number, client) in [(0, &page), (1, &ada), (2, &bob), (3, &eve), (5, &slow)] {
        let out = went_out(&lines, number);
        assert!(
            !client.received.is_empty() && out.starts_with(&client.received),
            "connection {number}: {} and {}",
            out.len(),
            client.received.len()
        );
        // What a reset took away on its way was sent all the same.
        assert!(
            number == 5 || out.len() == client.received.len(),
            "connection {number}"
        );
    }
    assert!(
        lines.contains("#5 takes nothing now") || lines.contains("#5 out"),
        "short writes come back"
    );
    assert!(lines.contains("#4 reading failed"), "the reset");
    assert!(
        lines
            .lines()
            .last()
            .is_some_and(|last| last.starts_with("end: ") && last.ends_with("0 of them open")),
        "{:?}",
        lines.lines().last()
    );
}

#[test]
fn a_server_that_died_left_a_recording() {
    let folder = Folder::new("replay-died");
    let (mut server, file) = recorded(&folder, &[]);
    let mut ada = Client::enter(&server, "Ada");
    ada.say(r#"{"type":"message","channel":"general","text":"last words"}"#);
    ada.until("last words");
    server.signal(rustix::process::Signal::KILL);
    server.wait();
    let (status, lines, _) = replay(&file, &["--hex"]);
    assert_eq!(status, Some(0));
    assert!(went_out(&lines, 0).starts_with(&ada.received));
    let (_, text, _) = replay(&file, &[]);
    assert!(text.contains(r#"\"text\":\"last words\""#), "{text}");
}

#[test]
fn odd_and_cut_files_are_told() {
    let folder = Folder::new("replay-odd");
    let head = |options: &str| {
        format!(
            r#"{{"parlor_recording":1,"server":"{}","seed":"{}","epoch":"e","newest_author":1,"started":1,"options":[{options}]}}"#,
            env!("CARGO_PKG_VERSION"),
            "00".repeat(16)
        )
    };
    let good = head(r#""--no-history""#);
    let table = [
        ("nothing", String::new(), "line 1: the file is empty"),
        (
            "no recording",
            "GET / HTTP/1.1\n".to_owned(),
            "line 1: this is no recording",
        ),
        (
            "a head that does not end",
            "x".repeat(100_000),
            "line 1: it is longer",
        ),
        (
            "another version",
            format!("{}\n", good.replace("recording\":1", "recording\":2")),
            "version 2",
        ),
        (
            "a seed that is none",
            format!("{}\n", good.replace("00000000", "x")),
            "seed",
        ),
        (
            "an option that is none",
            format!("{}\n", head(r#""--fly""#)),
            "--fly",
        ),
        #[cfg(feature = "history")]
        ("a database", format!("{}\n", head("")), "--no-history"),
        (
            "an odd line",
            format!("{good}\nU\nhello\n"),
            "line 3: this is no call",
        ),
        (
            "a connection that is not there",
            format!("{good}\nQ 5\n"),
            "line 2: there is no connection 5",
        ),
        (
            "a clock that goes back",
            format!("{good}\nT 5 5\nT 4 5\n"),
            "line 3: the clock goes back",
        ),
        (
            "the middle of a line",
            format!("{good}\nT 5"),
            "line 2: the file ends in the middle",
        ),
        (
            "an endless line",
            format!("{good}\nR 0 1 1 {}", "0".repeat(300_000)),
            "line 2: it is longer",
        ),
        (
            "a write outside of a turn",
            format!("{good}\nU\nS 5\n"),
            "line 3: a socket took something",
        ),
        (
            "a write too many",
            format!("{good}\nT 5 5\nS 5\n"),
            "line 2: sockets took more",
        ),
    ];
    for (name, text, error) in table {
        let file = folder.0.join("odd");
        fs::write(&file, text).unwrap();
        let (status, _, errors) = replay(&file, &[]);
        assert_eq!(status, Some(1), "{name}: {errors}");
        assert!(
            errors.contains(error) && errors.lines().count() == 1,
            "{name}: {errors}"
        );
    }
    for arguments in [&["--fly"][..], &["/nowhere", "/nowhere"]] {
        let output = parlor().arg("replay").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn what_can_not_be_brought_back_is_not_recorded() {
    let folder = Folder::new("record-wrong");
    let file = folder.0.join("recording");
    let file = file.to_str().unwrap();
    let www = folder.0.to_str().unwrap();
    let table: &[&[&str]] = &[
        #[cfg(feature = "history")]
        &["--record", file],
        &["--record=", "--no-history"],
        &["--record", file, "--no-history", "--www", www],
    ];
    for arguments in table {
        let output = parlor().args(*arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("--record"),
            "{arguments:?}"
        );
    }
    let output = parlor()
        .args([
            "--no-history",
            "--listen",
            "127.0.0.1:0",
            "--record",
            "/nowhere/recording",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
}
