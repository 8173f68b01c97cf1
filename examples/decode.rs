//! Decodes a capture: the bytes that one end of a WebSocket connection sent after its handshake,
//! frame by frame, up to the first broken rule.
//! `cargo run --example decode -- capture.bin`, or from standard input.

use parlor::text::EscapedText;
use parlor::tools::dissect::{Outcome, walk};
use parlor::websocket::{Opcode, WebSocket};
use std::io::{self, Read};

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    match std::env::args().nth(1) {
        Some(path) => std::fs::File::open(path)?.read_to_end(&mut bytes)?,
        None => io::stdin().read_to_end(&mut bytes)?,
    };
    // Frames of a client are masked, and the server's end receives them.
    let is_masked = bytes.get(1).is_some_and(|byte| byte & 0x80 != 0);
    let receiver = match is_masked {
        true => WebSocket::server(1 << 24),
        false => WebSocket::client(1 << 24, || [0; 4]),
    };
    for step in walk(&bytes, receiver) {
        print!("{:8}  {}: ", step.at, step.frame.title());
        match step.outcome {
            Outcome::Whole(Opcode::Text | Opcode::Close, text) => {
                println!("\"{}\"", EscapedText(&String::from_utf8_lossy(&text)));
            }
            Outcome::Whole(_, payload) => println!("{} bytes", payload.len()),
            Outcome::Fragment => println!("a fragment"),
            Outcome::Unfinished => println!("incomplete"),
            Outcome::Unread => println!("ignored, after a close frame"),
            Outcome::Broken(violation) => {
                println!("broken");
                return Err(io::Error::other(violation.rule().reason));
            }
        }
    }
    Ok(())
}
