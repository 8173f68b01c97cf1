//! A WebSocket echo server on `parlor::websocket` and `std::net` alone, one client at a time.
//! `cargo run --example echo`, then
//! in a browser's console: `w = new WebSocket("ws://127.0.0.1:9001"); w.onmessage = console.log`
//! and `w.send("hello")`.

use parlor::websocket::{Event, Opcode, Received, Scratch, WebSocket, check, encode_message, pong};
use parlor::{http::Head, progress::Progress};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(
        std::env::args()
            .nth(1)
            .as_deref()
            .unwrap_or("127.0.0.1:9001"),
    )?;
    println!("ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        serve(stream?).unwrap_or_else(|error| eprintln!("{error}"));
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let (mut buffer, mut length, mut out) = (vec![0; 64 << 10], 0, Vec::new());
    // The opening handshake: one head, judged, and the answer to it.
    let (head_length, deflate) = loop {
        let more = stream.read(&mut buffer[length..])?;
        length += more;
        match Head::parse(&buffer[..length], 8192)
            .map_err(|refusal| io::Error::other(refusal.sentence))?
        {
            Progress::NeedMore if more == 0 => return Ok(()),
            Progress::NeedMore => {}
            Progress::Done { value: head, used } => {
                let upgrade = check(&head).map_err(|refusal| io::Error::other(refusal.sentence))?;
                upgrade.response(&mut out);
                break (used, upgrade.deflate());
            }
        }
    };
    // From here on bytes become events, until the close frames are through.
    let (mut websocket, mut scratch) = (
        WebSocket::server(64 << 10).with_deflate(deflate),
        Scratch::default(),
    );
    let mut bytes = &mut buffer[head_length..length];
    loop {
        match websocket.receive(bytes, &mut scratch, &mut out) {
            Ok(Received::Event { event, used }) => {
                match event {
                    Event::Text(text) => encode_message(Opcode::Text, text.as_bytes(), &mut out),
                    Event::Binary(payload) => encode_message(Opcode::Binary, payload, &mut out),
                    Event::Ping(payload) => pong(payload, &mut out),
                    Event::Pong(_) | Event::Close(_) => {}
                }
                bytes = &mut bytes[used..];
                continue;
            }
            Ok(Received::Nothing) => {}
            Err(violation) => websocket.close(violation.close_frame(), &mut out),
        }
        stream.write_all(&std::mem::take(&mut out))?;
        match if websocket.close_sent() {
            0
        } else {
            stream.read(&mut buffer)?
        } {
            0 => return Ok(()),
            length => bytes = &mut buffer[..length],
        }
    }
}
