//! `parlor poke` against parlor: its table of cases is a regression test; and against a server that
//! lets everything pass, to
//! see that it can tell.

use crate::explain::run;
use crate::harness::{PATIENCE, Server, parlor};
use ::parlor::http::Head;
use ::parlor::progress::Progress;
use ::parlor::tools::cases::{Attempt, CASES};
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
fn parlor_lets_nothing_pass() {
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
fn one_case_for_a_person_and_the_list() {
    let server = Server::start(&[]);
    let (text, status) = run(
        &[
            "poke",
            "--case",
            "rsv2",
            &format!("ws://{}/echo", server.address),
        ],
        b"",
    );
    assert_eq!(status, 0, "{text}");
    for part in [
        "kept       rsv2",
        "RFC 6455 §5.2",
        "a reserved bit",
        "closed with 1002",
        "1 case: 1 kept",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (text, status) = run(&["poke", "--list"], b"");
    assert_eq!((text.lines().count(), status), (CASES.len(), 0));
    assert!(
        CASES
            .iter()
            .zip(text.lines())
            .all(|(case, line)| line.starts_with(case.name) && line.contains(case.section))
    );
    let (text, status) = run(&["poke", "--list", "--json"], b"");
    assert_eq!((lines(&text).len(), status), (CASES.len(), 0));
}

#[test]
fn what_can_not_be_poked_is_said() {
    let server = Server::start(&[]);
    for (arguments, part, status) in [
        // 192.0.2.0/24 is nobody's (RFC 5737).
        (vec!["poke", "ws://192.0.2.1/echo"], "elsewhere", 2),
        (
            vec!["poke", "--case", "nothing", "ws://127.0.0.1/"],
            "no case",
            2,
        ),
        (vec!["poke"], "address is missing", 2),
        (vec!["poke", "ws://127.0.0.1:1/"], "can't connect", 1),
        (vec!["poke", &format!("ws://{}/", server.address)], "101", 1),
    ] {
        let (text, ended) = run(&arguments, b"");
        assert!(
            ended == status && text.contains(part) && text.lines().count() == 1,
            "{arguments:?}: {ended}, {text}"
        );
    }
    let help = String::from_utf8(parlor().arg("--help").output().unwrap().stdout).unwrap();
    for name in ["client", "explain", "poke"] {
        assert!(help.contains(&format!("  {name} ")), "{name} in {help}");
        assert!(run(&[name, "--help"], b"").0.starts_with("Usage: parlor "));
    }
}

/// It answers any handshake, any ping behind whatever bytes, and any close.
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
fn a_careless_server_is_found_out() {
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
