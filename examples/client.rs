//! A WebSocket client on `parlor::websocket` and `std::net` alone. It says one thing, prints what
//! comes back, and closes:
//! `cargo run --example echo`, and beside it `cargo run --example client -- 127.0.0.1:9001 Hello`.

use parlor::websocket::client::{Asked, check_response, key, request};
use parlor::websocket::{
    CloseCode, CloseFrame, Event, Opcode, Received, Scratch, WebSocket, encode_masked_message,
};
use parlor::{http::ResponseHead, progress::Progress};
use std::io::{self, Read, Write};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let text = arguments.next().unwrap_or_else(|| "Hello".to_owned());
    let (mut stream, mut buffer, mut length, mut out) = (
        TcpStream::connect(&address)?,
        vec![0; 64 << 10],
        0,
        Vec::new(),
    );
    // The opening handshake: a request with a key by chance, and an answer that proves to have read
    // it.
    let key = key(random());
    request(&address, "/", &key, None, &mut out);
    stream.write_all(&std::mem::take(&mut out))?;
    let head_length = loop {
        let more = stream.read(&mut buffer[length..])?;
        length += more;
        match ResponseHead::parse(&buffer[..length], 8192).map_err(io::Error::other)? {
            Progress::NeedMore if more == 0 => return Err(io::Error::other("the server hung up")),
            Progress::NeedMore => {}
            Progress::Done { value: head, used } => {
                check_response(
                    &head,
                    &Asked {
                        key: &key,
                        subprotocols: &[],
                        extensions: &[],
                    },
                )
                .map_err(io::Error::other)?;
                break used;
            }
        }
    };
    // A message, masked with a key that nobody can foresee; then events, until the close frames are
    // through.
    encode_masked_message(Opcode::Text, text.as_bytes(), random(), &mut out);
    let (mut websocket, mut scratch) = (WebSocket::client(64 << 10, random), Scratch::default());
    let mut bytes = &mut buffer[head_length..length];
    while !websocket.is_closed() {
        match websocket.receive(bytes, &mut scratch, &mut out) {
            Ok(Received::Event { event, used }) => {
                let is_answer = matches!(event, Event::Text(_));
                match event {
                    Event::Text(text) => println!("{}", text.escape_debug()),
                    Event::Ping(payload) => {
                        encode_masked_message(Opcode::Pong, payload, random(), &mut out)
                    }
                    Event::Binary(_) | Event::Pong(_) | Event::Close(_) => {}
                }
                if is_answer {
                    websocket.close(CloseFrame::new(CloseCode::NORMAL, "that was all"), &mut out);
                }
                bytes = &mut bytes[used..];
                continue;
            }
            Ok(Received::Nothing) => {}
            Err(violation) => return Err(io::Error::other(violation.rule().reason)),
        }
        stream.write_all(&std::mem::take(&mut out))?;
        match stream.read(&mut buffer)? {
            0 => return Err(io::Error::other("the server hung up without a close frame")),
            length => bytes = &mut buffer[..length],
        }
    }
    Ok(())
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}
