//! Decodes a capture: the bytes that one end of a WebSocket connection sent behind its handshake,
//! frame by frame, to the first
//! broken rule. `cargo run --example decode -- capture.bin`, or from standard input.

use parlor::text::EscapedText;
use parlor::tools::dissect::{Dissection, Outcome, walk};
use parlor::websocket::{Opcode, WebSocket};
use std::io::{self, Read};

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    match std::env::args().nth(1) {
        Some(path) => std::fs::File::open(path)?.read_to_end(&mut bytes)?,
        None => io::stdin().read_to_end(&mut bytes)?,
    };
    // A client masks its frames, and it is the server's end that reads them.
    let is_from_client = Dissection::of(&bytes)
        .header
        .is_ok_and(|header| header.is_some_and(|header| header.masking_key.is_some()));
    let end = if is_from_client {
        WebSocket::server(1 << 24)
    } else {
        WebSocket::client(1 << 24, || [0; 4])
    };
    for step in walk(&bytes, end) {
        print!("{:8}  {}: ", step.at, step.frame.title());
        match step.outcome {
            Outcome::Whole(Opcode::Text | Opcode::Close, text) => {
                println!("\"{}\"", EscapedText(&String::from_utf8_lossy(&text)))
            }
            Outcome::Whole(_, payload) => println!("{} bytes", payload.len()),
            Outcome::Fragment => println!("the message goes on"),
            Outcome::Unfinished => println!("its end has not come"),
            Outcome::Unread => println!("it stands behind a close frame"),
            Outcome::Broken(violation) => {
                println!("broken");
                return Err(io::Error::other(violation.rule().reason));
            }
        }
    }
    Ok(())
}
