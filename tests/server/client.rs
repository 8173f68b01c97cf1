//! `parlor client` against parlor, and against servers that break rules.

use crate::harness::{PATIENCE, Server, parlor, rows};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// A running client, with the lines of its standard output and standard error.
struct Client {
    child: Child,
    keyboard: Option<ChildStdin>,
    lines: Receiver<String>,
    remarks: Receiver<String>,
}

impl Client {
    fn start(arguments: &[&str]) -> Self {
        let mut command = parlor();
        command.arg("client").args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let lines = read_lines(child.stdout.take().expect("stdout is piped"));
        let remarks = read_lines(child.stderr.take().expect("stderr is piped"));
        Self {
            keyboard: child.stdin.take(),
            child,
            lines,
            remarks,
        }
    }

    fn types(&mut self, line: &str) {
        self.sends(format!("{line}\n").as_bytes());
    }

    fn sends(&mut self, bytes: &[u8]) {
        let keyboard = self.keyboard.as_mut().expect("it was not closed");
        keyboard.write_all(bytes).expect("it reads");
    }

    /// Waits for a line that contains `part`.
    fn until(&self, part: &str) -> String {
        wait_for(&self.lines, part)
    }

    fn until_remark(&self, part: &str) -> String {
        wait_for(&self.remarks, part)
    }

    fn status(&mut self) -> Option<i32> {
        drop(self.keyboard.take());
        crate::harness::wait(&mut self.child).code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(lines: &Receiver<String>, part: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line.contains(part) => return line,
            Ok(line) => seen.push(line),
            Err(_) => panic!("no line with {part:?}, but {seen:?}"),
        }
    }
}

fn read_lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (say, heard) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(pipe)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| say.send(line))
    });
    heard
}

fn url(server: &Server, path: &str) -> String {
    format!("ws://{}{path}", server.address)
}

#[test]
fn lines_become_messages_until_quit() {
    let server = Server::start(&[]);
    let mut ada = Client::start(&[&url(&server, "/chat")]);
    ada.until_remark("connected to");
    ada.types("/nick Ada");
    ada.until("\"welcome\"");
    ada.types("/join general");
    ada.until("\"joined\"");
    ada.types("Gr\u{fc}\u{df}e");
    ada.until("\"text\":\"Gr\u{fc}\u{df}e\"");
    ada.types("/quit");
    ada.until_remark("closed with 1000");
    assert_eq!(ada.status(), Some(0));
}

#[test]
fn end_of_input_says_goodbye_after_all_lines() {
    let server = Server::start(&[]);
    let mut client = Client::start(&[&url(&server, "/echo")]);
    client.sends(b"one\ntwo\x1b[2J\r\n\xff\nwithout a line end");
    drop(client.keyboard.take());
    for line in ["one", "two\\u{1b}[2J", "without a line end"] {
        assert_eq!(client.until(""), line);
    }
    client.until_remark("not UTF-8");
    client.until_remark("closed with 1000");
    assert_eq!(client.status(), Some(0));
}

/// Without a bound it would hold the line whole, and search it from its start for each read.
#[test]
fn line_over_16_mib_is_dropped() {
    let server = Server::start(&[]);
    let mut client = Client::start(&[&url(&server, "/echo")]);
    for _ in 0..64 {
        client.sends(&[b'a'; 1 << 20]);
    }
    client.types("");
    client.types("after");
    client.until_remark("longer than 16 MiB");
    assert_eq!(client.until(""), "after");
    let path = format!("/proc/{}/status", client.child.id());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.map(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap());
    assert!(peak.is_none_or(|kib| kib < 48 << 10), "{peak:?} KiB");
}

#[test]
fn frames_are_shown_in_both_directions() {
    let server = Server::start(&["--ping-interval", "0.2"]);
    let mut client = Client::start(&["--hex", &url(&server, "/echo")]);
    client.types("Hello");
    let sent = client.until("-> 81 85");
    assert!(sent.contains("text, 5 bytes, masked"), "{sent}");
    let received = client.until("<- 81 05 48 65 6c 6c 6f");
    assert!(received.contains("text, 5 bytes, not masked"), "{received}");
    client.until("Hello");
    client.until("<- 89 00");
    client.until("-> 8a 80");
    let pid = rustix::process::Pid::from_child(&client.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    client.until("-> 88 82");
    client.until("<- 88 02 03 e8");
    client.until_remark("closed with 1000");
    assert_eq!(client.status(), Some(0));
}

#[test]
fn failed_start_says_why() {
    let server = Server::start(&[]);
    let table = "
        ws://ADDRESS/         | 101                               | 1
        ws://127.0.0.1:1/     | can't connect                     | 1
        ws://nothing.invalid/ | can't find                        | 1
        http://ADDRESS/       | begins with ws://                 | 2
        wss://127.0.0.1/      | TLS (wss://) is not supported     | 2
                              | an address is missing             | 2
        --shout ws://ADDRESS/ | shout                             | 2";
    for [words, part, status] in rows(table) {
        let words = words.replace("ADDRESS", &server.address.to_string());
        let mut client = Client::start(&words.split_whitespace().collect::<Vec<_>>());
        client.until_remark(&part);
        assert_eq!(client.status().unwrap().to_string(), status, "{words}");
    }
}

/// The broken rule is named, and the client closes with its code.
#[test]
fn rules_broken_by_the_server_are_named() {
    let valid = |key: &str| {
        let accept = ::parlor::websocket::accept(key);
        format!(
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
    };
    // The response to this key, or none; what follows it; the remark; the client's close code.
    type Row<'a> = (Option<&'a str>, &'a [u8], &'a str, Option<u16>);
    const ITS: Option<&str> = Some("");
    let masked = "RFC 6455 5.1: a server must not mask";
    let table: &[Row<'_>] = &[
        (ITS, b"\x81\x80\0\0\0\0", masked, Some(1002)),
        (ITS, b"\x81\x01\xff", "RFC 6455 8.1", Some(1007)),
        (ITS, b"\xc1\x01\0", "RFC 6455 5.2", Some(1002)),
        (ITS, b"", "without a close frame (1006)", None),
        (
            Some("k"),
            b"",
            "doesn't match this request's key (RFC 6455 §4.1",
            None,
        ),
        (
            None,
            b"HTTP/1.1 503 x\r\n\r\nFull\x1b[2J.\n",
            "503: Full\\u{1b}[2J.",
            None,
        ),
        (None, b"SSH-2.0-x\r\n\r\n", "HTTP/1.1", None),
        (None, b"", "instead of an answer", None),
    ];
    for (key, bytes, remark, code) in table {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = Client::start(&[&format!("ws://{}/", listener.local_addr().unwrap())]);
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let mut keys = request
            .iter()
            .filter_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let response = match *key {
            ITS => valid(keys.next().unwrap()),
            other => other.map(valid).unwrap_or_default(),
        };
        stream
            .write_all(&[response.as_bytes(), bytes].concat())
            .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut sent = Vec::new();
        let _ = stream.read_to_end(&mut sent);
        client.until_remark(remark);
        assert_eq!(client.status(), Some(1), "{remark}");
        if let Some(code) = code {
            assert_eq!(sent[0], 0x88, "{remark}: a close frame");
            let payload = [sent[6] ^ sent[2], sent[7] ^ sent[3]];
            assert_eq!(u16::from_be_bytes(payload), *code, "{remark}");
        }
    }
}
