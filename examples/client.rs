//! A WebSocket client on `std::net`. It sends one message, prints the answer, and closes:
//! `cargo run --example echo`, and beside it
//! `cargo run --example client -- ws://127.0.0.1:9001 Hello`.

use parlor::blocking::{Error, Message, connect};
use parlor::websocket::{CloseCode, Compression, Config};
use std::net::TcpStream;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let url = url.unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let text = arguments.next().unwrap_or_else(|| "Hello".to_owned());
    let host = url.trim_start_matches("ws://");
    let stream = TcpStream::connect(host.split('/').next().unwrap_or_default())?;
    let config = Config::default().compression(Compression::ContextTakeover);
    let mut websocket = connect(stream, &url, &config)?;
    websocket.send(text.as_str())?;
    match websocket.read()? {
        Some(Message::Text(text)) => println!("{}", text.escape_debug()),
        Some(Message::Binary(payload)) => println!("{} bytes", payload.len()),
        None => println!("closed: {:?}", websocket.peer_close()),
    }
    websocket.close(CloseCode::NORMAL, "that was all")
}
