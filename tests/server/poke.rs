//! `parlor poke` against parlor, which must reject every case, and against a server that accepts
//! everything.

use crate::explain::run;
use crate::harness::{PATIENCE, Server};
use ::parlor::http::Head;
use ::parlor::progress::Progress;
use ::parlor::tools::cases::{Attempt, CASES, Case};
use ::parlor::websocket::{CloseCode, CloseFrame, FrameHeader, Opcode, accept, encode_message};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

#[test]
fn parlor_rejects_every_case() {
    let server = Server::start(&[]);
    for path in ["/echo", "/chat"] {
        let (text, status) = run(
            &["poke", "--json", &format!("ws://{}{path}", server.address)],
            b"",
        );
        let lines = lines(&text);
        assert_eq!((lines.len(), status), (CASES.len(), 0), "{text}");
        for line in &lines {
            assert_eq!(line["verdict"], "kept", "{path}: {line}");
            let came = line["came"].as_str().unwrap();
            assert!(
                came.starts_with("refused with 4")
                    || came.starts_with("refused with 505")
                    || came.contains("RFC 6455"),
                "{line}"
            );
        }
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn one_case_is_poked_and_all_are_listed() {
    let server = Server::start(&[]);
    let url = format!("ws://{}/echo", server.address);
    let (text, status) = run(&["poke", "--case", "rsv2", &url], b"");
    assert_eq!(status, 0, "{text}");
    for part in [
        "rejected     rsv2",
        "a reserved bit that no extension defines must fail the connection (RFC 6455 §5.2)",
        "closed with 1002: RFC 6455 5.2",
        "1 case: 1 rejected correctly, 0 rejected differently, 0 accepted",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (text, status) = run(&["poke", "--list"], b"");
    assert_eq!((text.lines().count(), status), (CASES.len(), 0));
    let is_listed = |(case, line): (&Case, &str)| {
        line.starts_with(case.name) && line.contains(case.section) && line.ends_with(case.demand)
    };
    assert!(CASES.iter().zip(text.lines()).all(is_listed), "{text}");
    let (text, status) = run(&["poke", "--list", "--json"], b"");
    assert_eq!((lines(&text).len(), status), (CASES.len(), 0));
}

#[test]
fn unsuitable_server_is_refused() {
    let server = Server::start(&[]);
    let no_websocket = format!("ws://{}/", server.address);
    for (arguments, part, status) in [
        // 192.0.2.0/24 is for documentation (RFC 5737).
        (&["ws://192.0.2.1/echo"][..], "elsewhere", 2),
        (&["--case", "nothing", "ws://127.0.0.1/"], "no case", 2),
        (&[], "address is missing", 2),
        (&["ws://127.0.0.1:1/"], "can't connect", 1),
        (&[&no_websocket], "101", 1),
    ] {
        let (text, ended) = run(&[&["poke"], arguments].concat(), b"");
        assert!(
            ended == status && text.lines().count() == 1,
            "{arguments:?}: {ended}, {text}"
        );
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
    for name in ["client", "explain", "poke"] {
        assert!(
            run(&[name, "--help"], b"").0.starts_with("Usage: parlor "),
            "{name}"
        );
    }
}

/// Answers any handshake, any ping after any bytes, and any close frame.
fn careless(listener: &TcpListener) {
    for stream in listener.incoming().map_while(Result::ok) {
        thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
    while !came.windows(4).any(|four| four == b"\r\n\r\n") {
        let length = stream.read(&mut buffer)?;
        came.extend_from_slice(&buffer[..length]);
        if length == 0 {
            return Ok(());
        }
    }
    let key = match Head::parse(&came, 8192) {
        Ok(Progress::Done { value, .. }) => value
            .values("sec-websocket-key")
            .next()
            .map(|key| String::from_utf8_lossy(key).into_owned()),
        _ => None,
    };
    let accept = accept(&key.unwrap_or_default());
    write!(
        stream,
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    loop {
        let length = stream.read(&mut buffer)?;
        let mut out = Vec::new();
        match FrameHeader::decode(&buffer[..length]) {
            _ if length == 0 => return Ok(()),
            Ok(Progress::Done { value, used })
                if value.opcode == Opcode::Ping && length == used + 12 =>
            {
                let key = value.masking_key.unwrap_or_default();
                let payload: Vec<u8> = buffer[used..length]
                    .iter()
                    .zip(key.iter().cycle())
                    .map(|(byte, key)| byte ^ key)
                    .collect();
                encode_message(Opcode::Pong, &payload, &mut out);
            }
            _ if buffer[0] & 0x0F == 8 => CloseFrame::new(CloseCode::NORMAL, "").encode(&mut out),
            _ => {}
        }
        stream.write_all(&out)?;
    }
}

#[test]
fn careless_server_is_found_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || careless(&listener));
    let some = CASES
        .iter()
        .filter(|case| !case.name.starts_with("opcode") && case.name.len() < 20);
    let mut arguments = vec!["poke", "--json", &url];
    let names: Vec<_> = some.map(|case| case.name).collect();
    names
        .iter()
        .for_each(|name| arguments.extend(["--case", name]));
    let (text, status) = run(&arguments, b"");
    let lines = lines(&text);
    assert_eq!((lines.len(), status), (names.len(), 1), "{text}");
    for line in lines {
        assert_eq!(line["verdict"], "let pass", "{line}");
    }
    assert!(CASES.iter().any(
        |case| names.contains(&case.name) && matches!(case.attempt, Attempt::Handshake { .. })
    ));
}
