//! `parlor test` against parlor, which holds every case, and against a server that accepts
//! everything.

use crate::explain::run;
use crate::harness::{PATIENCE, Server};
use ::parlor::http::Head;
use ::parlor::progress::Progress;
use ::parlor::websocket::{CloseCode, CloseFrame, FrameHeader, Opcode, accept, encode_message};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

#[test]
fn parlor_holds_every_case() {
    let server = Server::start(&[]);
    for path in ["/echo", "/chat"] {
        let url = format!("ws://{}{path}", server.address);
        let (text, status) = run(&["test", &url], b"");
        assert_eq!(status, 0, "{path}: {text}");
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn random_sequences_find_no_fault_in_parlor() {
    let server = Server::start(&["--rate", "0"]);
    for path in ["/echo", "/chat"] {
        let url = format!("ws://{}{path}", server.address);
        let arguments = ["test", "--sequences", "300", "--seed", "1", &url];
        let (text, status) = run(&arguments, b"");
        assert_eq!(status, 0, "{path}: {text}");
        assert!(
            text.contains("300 sequences with seed 1: 0 faults"),
            "{text}"
        );
    }
}

#[test]
fn unsuitable_server_is_refused() {
    let server = Server::start(&[]);
    let no_websocket = format!("ws://{}/", server.address);
    let echo = format!("ws://{}/echo", server.address);
    for (arguments, part, status) in [
        // 192.0.2.0/24 is for documentation (RFC 5737).
        (&["ws://192.0.2.1/echo"][..], "elsewhere", 2),
        (&["--case", "nothing", "ws://127.0.0.1/"], "no case", 2),
        (&[], "address is missing", 2),
        (&["--replay", "/nowhere", &echo], "replay /nowhere", 2),
        (&["ws://127.0.0.1:1/"], "can't connect", 3),
        (&[&no_websocket], "101", 3),
    ] {
        let (text, ended) = run(&[&["test"], arguments].concat(), b"");
        assert!(
            ended == status && text.lines().count() == 1,
            "{arguments:?}: {ended}, {text}"
        );
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
    for name in ["client", "explain", "test"] {
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
    let (text, status) = run(&["test", "--case", "rsv*", "--case", "close-1*", &url], b"");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("0 held, 12 violated, 0 other"), "{text}");
}
