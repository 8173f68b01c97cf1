//! `parlor explain` as a person uses it: bytes in, sentences, sections and an exit status out.

use crate::harness::parlor;
use std::io::Write;
use std::process::Stdio;

/// What it prints, and its status.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> (String, i32) {
    let mut command = parlor();
    let command = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // It may not read all of it, or nothing.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    let text =
        String::from_utf8(output.stdout).expect("UTF-8") + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.code().expect("it is not killed"))
}

#[test]
fn frames_with_the_first_broken_rule() {
    let table: &[(&str, &[&str], &[&str], i32)] = &[
        (
            "a masked text",
            &["818537fa213d7f9f4d5158"],
            &[
                "FIN",
                "37 fa 21 3d",
                "48 65 6c 6c 6f",
                "\"Hello\"",
                "1 frame, all legal",
            ],
            0,
        ),
        (
            "in several words",
            &["81", "05", "48:65:6c", "0x6c", "0x6f"],
            &["\"Hello\"", "server"],
            0,
        ),
        (
            "a fragmented text with a ping between",
            &["0103 48656c 8900 8002 6c6f"],
            &["fragment", "a ping", "\"Hello\""],
            0,
        ),
        (
            "a letter cut by a fragment",
            &["0101 c3 8001 a4"],
            &["\"ä\""],
            0,
        ),
        (
            "a letter cut by the end",
            &["8101 c3"],
            &["RFC 6455 8.1", "1007"],
            1,
        ),
        (
            "reserved bits",
            &["b105"],
            &["RFC 6455 5.2", "reserved bit", "1002"],
            1,
        ),
        (
            "compression that nobody agreed on",
            &["c107 f248cdc9c90700"],
            &["RFC 6455 5.2", "reserved bit"],
            1,
        ),
        (
            "compression that was agreed on",
            &["c107 f248cdc9c90700", "--deflate"],
            &["\"Hello\""],
            0,
        ),
        (
            "the second frame is wrong",
            &["8900 89fe"],
            &["Frame 2 breaks a rule: RFC 6455 5.5", "125"],
            1,
        ),
        (
            "a mixture of both ends",
            &["8900 898000000000"],
            &["RFC 6455 5.1", "must not mask"],
            1,
        ),
        (
            "a server's where a client's were meant",
            &["8100", "--from", "client"],
            &["RFC 6455 5.1", "must mask"],
            1,
        ),
        (
            "close code 1005",
            &["880203ed"],
            &["1005", "RFC 6455 7.4"],
            1,
        ),
        (
            "a close by its name",
            &["880203e9"],
            &["1001", "going away"],
            0,
        ),
        (
            "a text behind a close",
            &["8800 810161"],
            &["RFC 6455 5.5.1"],
            1,
        ),
        (
            "a ping behind a close",
            &["8800 8900"],
            &["nobody reads it"],
            0,
        ),
        (
            "half a frame",
            &["8105 48"],
            &["4 bytes of it have not come", "may still come"],
            0,
        ),
        ("half a header", &["817e01"], &["more of the header"], 0),
        ("half a message", &["010161"], &["has not ended"], 0),
        (
            "an escape sequence",
            &["81041b5b324a"],
            &["\"\\u{1b}[2J\""],
            0,
        ),
        ("no hex", &["81 xx"], &["hexadecimal"], 2),
    ];
    for (name, hex, parts, status) in table {
        if hex.contains(&"--deflate") && !cfg!(feature = "deflate") {
            let (text, ended) = run(&[&["explain", "frames", "--hex"], *hex].concat(), b"");
            assert!(
                ended == 2 && text.contains("built without compression"),
                "{name}: {text}"
            );
            continue;
        }
        let (text, ended) = run(&[&["explain", "frames", "--hex"], *hex].concat(), b"");
        assert_eq!(ended, *status, "{name}: {text}");
        for part in *parts {
            assert!(text.contains(part), "{name}: {part:?} in {text}");
        }
        assert!(!text.contains('\x1b'), "{name}: no colours in a pipe");
    }
}

#[test]
fn frames_from_a_file_and_from_standard_input() {
    let file = std::env::temp_dir().join(format!("parlor-explain-{}", std::process::id()));
    for (bytes, expected) in [
        (&b"\x81\x02hi"[..], "\"hi\""),
        (b"81 02\n68 69\n", "digits were read"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        for (arguments, input) in [
            (vec![file.to_str().unwrap()], &b""[..]),
            (vec!["-"], bytes),
            (vec![], bytes),
        ] {
            let (text, status) = run(&[&["explain", "frames"], &arguments[..]].concat(), input);
            assert!(
                status == 0 && text.contains(expected) && text.contains("\"hi\""),
                "{arguments:?}: {text}"
            );
        }
    }
    std::fs::remove_file(&file).unwrap();
    for (arguments, input, part) in [
        (
            vec!["explain", "frames", file.to_str().unwrap()],
            &b""[..],
            "can't read",
        ),
        (vec!["explain", "frames"], b"", "nothing in standard input"),
        (
            vec!["explain", "frames", "--from", "me"],
            b"",
            "--from must be",
        ),
        (vec!["explain", "frames", "--nonsense"], b"", "nonsense"),
        (vec!["explain", "poetry"], b"", "poetry"),
        (vec!["explain"], b"", "explain what"),
        (vec!["explain", "handshake", "--json"], b"", "no options"),
    ] {
        let (text, status) = run(&arguments, input);
        assert!(
            status == 2 && text.contains(part) && text.lines().count() == 1,
            "{arguments:?}: {status}, {text}"
        );
    }
}

#[test]
fn frames_as_json_are_one_object_a_line() {
    let (text, status) = run(
        &[
            "explain",
            "frames",
            "--json",
            "--hex",
            "8183000000006869c3 8985000000002e2e2e2e2e 8000",
        ],
        b"",
    );
    assert_eq!(status, 1, "{text}");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines.len(),
        1,
        "nothing is read behind the broken rule: {text}"
    );
    assert_eq!(lines[0]["broken"]["section"], "RFC 6455 8.1");
    assert_eq!(lines[0]["broken"]["code"], 1007);
    let (text, status) = run(
        &[
            "explain",
            "frames",
            "--json",
            "--hex",
            "81826162636409 0b 8980 00000000",
        ],
        b"",
    );
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!((status, lines.len()), (0, 2), "{text}");
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["text"], &lines[0]["at"]),
        (&"message".into(), &"hi".into(), &0.into())
    );
    assert_eq!(
        (&lines[1]["opcode"], &lines[1]["at"], &lines[1]["fin"]),
        (&"ping".into(), &8.into(), &true.into())
    );
    let names: Vec<_> = lines[0]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "FIN",
            "RSV1",
            "RSV2",
            "RSV3",
            "opcode",
            "MASK",
            "payload length",
            "masking key",
            "payload"
        ]
    );
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

#[test]
fn handshakes() {
    let steps = [
        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
        "b37a4f2cc0624f1690f64606cf385945b2bec4ea",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ];
    let without = |line: &str| {
        REQUEST
            .lines()
            .filter(|known| !known.starts_with(line))
            .map(|line| format!("{line}\r\n"))
            .collect()
    };
    let with = |from: &str, to: &str| REQUEST.replace(from, to);
    let both = format!("{REQUEST}{RESPONSE}");
    let curl = both
        .lines()
        .enumerate()
        .map(|(n, line)| format!("{} {line}\n", if n < 9 { '>' } else { '<' }))
        .collect::<String>();
    let table: &[(&str, String, &[&str], i32)] = &[
        ("the standard's", REQUEST.to_owned(), &steps, 0),
        (
            "a page of another host",
            REQUEST.to_owned(),
            &["answer 101", "refuses with 403", "--origin"],
            0,
        ),
        ("with its response", both.clone(), &steps, 0),
        (
            "as an editor writes it",
            both.replace('\r', "").trim().to_owned(),
            &["CR LF", steps[2]],
            0,
        ),
        (
            "as curl -v prints it",
            format!("* Trying\n{curl}"),
            &["CR LF", steps[2]],
            0,
        ),
        (
            "no upgrade",
            without("Upgrade"),
            &["wrong", "Upgrade: websocket", "§4.2.1, 3", "426"],
            1,
        ),
        (
            "no connection",
            without("Connection"),
            &["wrong", "§4.2.1, 4"],
            1,
        ),
        (
            "no key",
            without("Sec-WebSocket-Key"),
            &["wrong", "no Sec-WebSocket-Key", "§4.2.1, 5", "400"],
            1,
        ),
        (
            "a key of 15 bytes",
            with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"),
            &["wrong", "16 bytes", "§4.2.1, 5"],
            1,
        ),
        (
            "version 8",
            with("Version: 13", "Version: 8"),
            &["wrong", "§4.2.1, 6", "426"],
            1,
        ),
        (
            "a POST",
            with("GET", "POST"),
            &["wrong", "§4.2.1, 1", "405"],
            1,
        ),
        (
            "HTTP/1.0",
            with("HTTP/1.1", "HTTP/1.0"),
            &["wrong", "§4.2.1, 1"],
            1,
        ),
        ("no host", without("Host"), &["wrong", "Host", "400"], 1),
        (
            "several wrong things are all told",
            with("Version: 13", "Version: 8").replace("Upgrade: web", "Upgrade: cob"),
            &["§4.2.1, 3", "§4.2.1, 6"],
            1,
        ),
        (
            "an escape sequence",
            with("superchat", "\u{e9}x"),
            &["\\xc3\\xa9"],
            0,
        ),
        (
            "another accept",
            both.replace("s3pP", "s3pQ"),
            &["wrong", "doesn't match"],
            1,
        ),
        (
            "a protocol of its own",
            format!("{}{RESPONSE}", without("Sec-WebSocket-Protocol")),
            &["wrong", "not offered"],
            1,
        ),
        (
            "a refusal",
            format!("{REQUEST}HTTP/1.1 403 No\r\n\r\n"),
            &["wrong", "101"],
            1,
        ),
        (
            "no end",
            REQUEST.trim_end().to_owned(),
            &["wrong", "empty line"],
            1,
        ),
        (
            "no end of the response",
            both.trim_end().to_owned(),
            &["wrong", "the response has no end"],
            1,
        ),
        ("no HTTP", "hello\r\n\r\n".to_owned(), &["wrong"], 1),
        (
            "a response alone",
            RESPONSE.to_owned(),
            &["the request has to stand before it"],
            2,
        ),
    ];
    for (name, input, parts, status) in table {
        let (text, ended) = run(&["explain", "handshake"], input.as_bytes());
        assert_eq!(ended, *status, "{name}: {text}");
        for part in *parts {
            assert!(text.contains(part), "{name}: {part:?} in {text}");
        }
        assert_eq!(text.contains("wrong  "), *status == 1, "{name}: {text}");
    }
}
