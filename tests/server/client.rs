//! `parlor client` against parlor, and against servers that break rules.

use crate::harness::{PATIENCE, Server, parlor};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// A running client, with its lines as they come: standard output, then standard error.
struct Client {
    child: Child,
    keyboard: Option<ChildStdin>,
    lines: Receiver<String>,
    remarks: Receiver<String>,
}

impl Client {
    fn start(arguments: &[&str]) -> Self {
        let mut command = parlor();
        let command = command
            .arg("client")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
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
        writeln!(self.keyboard.as_mut().expect("it was not closed"), "{line}").expect("it reads");
    }

    /// Waits for a line that has this in it.
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
fn a_person_chats() {
    let server = Server::start(&[]);
    let mut ada = Client::start(&[&url(&server, "/chat")]);
    ada.until_remark("connected to");
    ada.types("/nick Ada");
    ada.until("\"welcome\"");
    ada.types("/join general");
    ada.until("\"joined\"");
    let mut bob = server.enter("Bob");
    bob.join("general");
    ada.types("Gr\u{fc}\u{df}e");
    assert!(
        ada.until("\"text\":\"Gr").contains("Gr\u{fc}\u{df}e"),
        "letters stay letters"
    );
    ada.types("/quit");
    ada.until_remark("closed with 1000");
    assert_eq!(ada.status(), Some(0));
}

#[test]
fn the_end_of_the_input_is_a_goodbye_and_nothing_is_lost() {
    let server = Server::start(&[]);
    let mut client = Client::start(&[&url(&server, "/echo")]);
    client.types("one");
    client.types("two\u{1b}[2J");
    write!(client.keyboard.as_mut().unwrap(), "without a line end").unwrap();
    drop(client.keyboard.take());
    assert_eq!(client.until(""), "one");
    assert_eq!(client.until(""), "two\\u{1b}[2J");
    assert_eq!(client.until(""), "without a line end");
    client.until_remark("closed with 1000");
    assert_eq!(client.status(), Some(0));
    crate::harness::eventually("it is counted", || {
        server.metric("parlor_closed_total{code=\"1000\"}") == 1.0
    });
}

#[test]
fn frames_are_shown_in_both_directions() {
    let server = Server::start(&["--ping-interval", "0.2"]);
    let mut client = Client::start(&["--hex", &url(&server, "/echo")]);
    client.types("Hello");
    let sent = client.until("-> 81 85");
    assert!(sent.contains("text, 5 bytes, masked"), "{sent}");
    assert!(
        client
            .until("<- 81 05 48 65 6c 6c 6f")
            .contains("text, 5 bytes, not masked")
    );
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
fn a_line_that_is_no_text_is_not_sent() {
    let server = Server::start(&[]);
    let mut client = Client::start(&[&url(&server, "/echo")]);
    client
        .keyboard
        .as_mut()
        .unwrap()
        .write_all(b"\xff\nafter\n")
        .unwrap();
    client.until_remark("not UTF-8");
    assert_eq!(client.until(""), "after");
}

#[test]
fn what_can_not_be_opened_is_said() {
    let server = Server::start(&[]);
    let http = url(&server, "/").replace("ws://", "http://");
    for (arguments, part, status) in [
        (vec![url(&server, "/")], "101", 1),
        (vec!["ws://127.0.0.1:1/".to_owned()], "can't connect", 1),
        (vec!["ws://nothing.invalid/".to_owned()], "can't find", 1),
        (vec![http], "begins with ws://", 2),
        (
            vec!["wss://127.0.0.1/".to_owned()],
            "TLS is not spoken here",
            2,
        ),
        (vec![], "an address is missing", 2),
        (
            vec!["--shout".to_owned(), url(&server, "/echo")],
            "shout",
            2,
        ),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut client = Client::start(&arguments);
        client.until_remark(part);
        assert_eq!(client.status(), Some(status), "{arguments:?}");
    }
}

/// What a server must not do is named, and closes with its code.
#[test]
fn servers_that_break_rules() {
    let accept = |key: &str| parlor::websocket::accept(key);
    let right = |key: &str| {
        format!("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n", accept(key)).into_bytes()
    };
    type Answer<'a> = &'a (dyn Fn(&str) -> Vec<u8> + Sync);
    let table: &[(&str, Answer<'_>, &str, Option<&[u8]>)] = &[
        (
            "a masked frame",
            &|key| [right(key), b"\x81\x80\0\0\0\0".to_vec()].concat(),
            "RFC 6455 5.1: a server must not mask",
            Some(b"\x03\xea"),
        ),
        (
            "no UTF-8",
            &|key| [right(key), b"\x81\x01\xff".to_vec()].concat(),
            "RFC 6455 8.1",
            Some(b"\x03\xef"),
        ),
        (
            "compression nobody asked for",
            &|key| [right(key), b"\xc1\x01\0".to_vec()].concat(),
            "RFC 6455 5.2",
            Some(b"\x03\xea"),
        ),
        (
            "no close frame",
            &|key| right(key),
            "without a close frame (1006)",
            None,
        ),
        (
            "another accept",
            &|_| right("another"),
            "doesn't match this request's key (RFC 6455 §4.1",
            None,
        ),
        (
            "an error",
            &|_| b"HTTP/1.1 503 x\r\n\r\nFull\x1b[2J.\n".to_vec(),
            "503: Full\\u{1b}[2J.",
            None,
        ),
        (
            "no HTTP",
            &|_| b"SSH-2.0-x\r\n\r\n".to_vec(),
            "HTTP/1.1",
            None,
        ),
        ("nothing", &|_| Vec::new(), "instead of an answer", None),
    ];
    for (name, answer, part, code) in table {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = Client::start(&[&format!("ws://{}/", listener.local_addr().unwrap())]);
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).unwrap();
        let key = request
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
        stream.write_all(&answer(key)).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        client.until_remark(part);
        assert_eq!(client.status(), Some(1), "{name}");
        if let Some(code) = code {
            assert_eq!(said[0], 0x88, "{name}: a close frame");
            let (key, payload) = (&said[2..6], &said[6..8]);
            assert_eq!([payload[0] ^ key[0], payload[1] ^ key[1]], **code, "{name}");
        }
    }
}
