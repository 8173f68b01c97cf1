//! A WebSocket echo server on tokio, a task for each client: the protocol does no I/O, so its bytes
//! can come from anywhere. `cargo run --example tokio`.

use parlor::websocket::{
    Compression, Config, Event, Progress, Scratch, ServerHandshake, WebSocket,
};
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let address = std::env::args().nth(1);
        let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9001")).await?;
        println!("ws://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async {
                if let Err(error) = serve(stream).await {
                    eprintln!("{error}");
                }
            });
        }
    })
}

async fn serve(mut stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut out) = (Vec::with_capacity(16 << 10), Vec::new());
    let config = Config::default().compression(Compression::ContextTakeover);
    let handshake = loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        match ServerHandshake::parse(&buffer, &config) {
            Ok(Progress::NeedMore) => {}
            Ok(Progress::Done { value, used }) => {
                buffer.drain(..used);
                break value;
            }
            Err(refusal) => {
                refusal.encode(&mut out);
                stream.write_all(&out).await?;
                return Err(refusal.into());
            }
        }
    };
    handshake.response(&mut out);
    let (mut websocket, mut scratch) = (handshake.accepted.server(), Scratch::default());
    loop {
        echo(&mut websocket, &mut buffer, &mut scratch, &mut out);
        stream.write_all(&out).await?;
        out.clear();
        buffer.clear();
        if websocket.is_closed() || stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Answers everything that has arrived.
fn echo(websocket: &mut WebSocket, input: &mut [u8], scratch: &mut Scratch, out: &mut Vec<u8>) {
    let mut at = 0;
    loop {
        match websocket.receive(&mut input[at..], scratch, out) {
            Ok(Progress::NeedMore) => return,
            Ok(Progress::Done { value, used }) => {
                at += used;
                if let Event::Text(_) | Event::Binary(_) = value {
                    // An error says that we are closing: then there is nothing to answer.
                    let _ = websocket.send(value, out);
                }
            }
            Err(violation) => websocket.close(violation.close_frame(), out),
        }
    }
}
