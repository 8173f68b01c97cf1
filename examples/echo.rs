//! A WebSocket echo server on `std::net`, a thread for each client.
//! `cargo run --example echo`, then in a browser's console:
//! `w = new WebSocket("ws://127.0.0.1:9001"); w.onmessage = console.log` and `w.send("hello")`.

use parlor::blocking::{Error, accept};
use parlor::websocket::{Compression, Config};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9001"))?;
    println!("ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(|| serve(stream).unwrap_or_else(|error| eprintln!("{error}")));
    }
    Ok(())
}

fn serve(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config = Config::default().compression(Compression::ContextTakeover);
    let mut websocket = accept(stream, &config)?;
    while let Some(message) = websocket.read()? {
        websocket.send(&message)?;
    }
    Ok(())
}
