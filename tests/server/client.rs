//! `parlor client` against parlor, and against servers that break rules.

use crate::harness::{PATIENCE, Server, check_tool, parlor, rows};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};

fn start(arguments: &[&str]) -> Child {
    let mut command = parlor();
    command.arg("client").args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// Waits for the end. Returns the status and everything that was printed.
fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).unwrap())
}

#[test]
fn lines_become_messages_until_quit() {
    let server = Server::start(&[]);
    let lines = "/nick Ada\n/join general\nGr\u{fc}\u{df}e\n/quit\n";
    let parts = "connected to, \"welcome\", \"text\":\"Gr\u{fc}\u{df}e\", closed with 1000";
    check_tool(
        &format!("client {}", server.url("/chat")),
        lines.as_bytes(),
        "0",
        parts,
    );
}

#[test]
fn end_of_input_closes_after_all_lines() {
    let server = Server::start(&[]);
    let lines = b"one\ntwo\x1b[2J\r\n\xff\nwithout a line end";
    let words = format!("client {}", server.url("/echo"));
    let text = check_tool(&words, lines, "0", "not UTF-8, closed with 1000");
    let echoed = "one\ntwo\\u{1b}[2J\nwithout a line end\n";
    assert!(text.starts_with(echoed), "{text}");
}

#[test]
fn frames_of_both_directions_are_shown_in_their_order() {
    let server = Server::start(&["--ping-interval", "0.2"]);
    let mut client = start(&["--hex", &server.url("/echo")]);
    let mut keyboard = client.stdin.take().unwrap();
    keyboard.write_all(b"Hello\n").unwrap();
    let mut printed = BufReader::new(client.stdout.take().unwrap());
    let mut text = String::new();
    let is_pinged = |(_, after): (&str, &str)| after.contains("-> 8a 80");
    while !text.split_once("\nHello\n").is_some_and(is_pinged) {
        assert_ne!(printed.read_line(&mut text).unwrap(), 0, "{text}");
    }
    kill_process(Pid::from_child(&client), Signal::INT).unwrap();
    printed.read_to_string(&mut text).unwrap();
    let mut rest = &*text;
    for part in [
        "-> 81 85",
        "text, 5 bytes, masked",
        "<- 81 05 48 65 6c 6c 6f",
        "text, 5 bytes, not masked",
        "\nHello\n",
        "<- 89 00",
        "-> 8a 80",
        "-> 88 82",
        "<- 88 02 03 e8",
    ] {
        let found = rest.split_once(part);
        (_, rest) = found.unwrap_or_else(|| panic!("{part} is missing, or too early, in {text}"));
    }
    let (status, remarks) = ended(client);
    assert!(status == Some(0) && remarks.contains("closed with 1000"));
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
        check_tool(&format!("client {words}"), b"", &status, &part);
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
        let client = start(&[&format!("ws://{}/", listener.local_addr().unwrap())]);
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
        let (status, text) = ended(client);
        assert!(status == Some(1), "{remark}: {text}");
        assert!(text.contains(remark), "{remark}: {text}");
        if let Some(code) = code {
            assert_eq!(sent[0], 0x88, "{remark}: a close frame");
            let payload = [sent[6] ^ sent[2], sent[7] ^ sent[3]];
            assert_eq!(u16::from_be_bytes(payload), *code, "{remark}");
        }
    }
}
