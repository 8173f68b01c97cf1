//! Echo servers and an echo client on other Rust libraries.
//!
//! `peers tungstenite` and `peers fastwebsockets` print their port, and end when standard input
//! ends. `peers client URL` runs all cases of a server with Autobahn's control paths.

use bytes::Bytes;
use fastwebsockets::upgrade::upgrade;
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, io, process, thread};
use tungstenite::{Message, WebSocket};

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["client", url] => client(url),
        ["tungstenite"] => {
            for stream in listen()?.incoming() {
                thread::spawn(|| tungstenite::accept(stream?).map_or(Ok(()), echo));
            }
            Ok(())
        }
        ["fastwebsockets"] => {
            let listener = listen()?;
            listener.set_nonblocking(true)?;
            tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()?
                .block_on(serve(listener))
        }
        _ => Err("usage: peers tungstenite | fastwebsockets | client URL".into()),
    }
}

/// Prints the port. Ends the process when standard input ends.
fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0)
    });
    Ok(listener)
}

fn echo<S: Read + Write>(mut socket: WebSocket<S>) -> io::Result<()> {
    // An error is the end of the connection.
    while let Ok(message) = socket.read() {
        if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
            break;
        }
    }
    Ok(())
}

async fn serve(listener: TcpListener) -> Done {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let tasks = tokio::task::LocalSet::new();
    tasks
        .run_until(async {
            loop {
                let stream = TokioIo::new(listener.accept().await?.0);
                let service = http1::Builder::new().serve_connection(stream, service_fn(upgraded));
                tokio::task::spawn_local(service.with_upgrades());
            }
        })
        .await
}

async fn upgraded(
    mut request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgrade) = upgrade(&mut request)?;
    tokio::task::spawn_local(async move {
        let mut socket = FragmentCollector::new(upgrade.await?);
        loop {
            let frame = socket.read_frame().await?;
            match frame.opcode {
                OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
                OpCode::Close => return Ok::<_, WebSocketError>(()),
                _ => {}
            }
        }
    });
    Ok(response)
}

fn client(url: &str) -> Done {
    let open = |path: &str| -> Result<_, Box<dyn Error>> {
        let stream = TcpStream::connect(url.trim_start_matches("ws://"))?;
        Ok(tungstenite::client(format!("{url}{path}"), stream).map(|(socket, _)| socket))
    };
    let Message::Text(count) = open("/getCaseCount")??.read()? else {
        return Err("no number of cases".into());
    };
    for case in 1..=count.parse::<u32>()? {
        // A handshake that the client refuses ends the case.
        if let Ok(socket) = open(&format!("/runCase?case={case}&agent=tungstenite"))? {
            echo(socket)?;
        }
    }
    let _ = open("/updateReports?agent=tungstenite")??.read();
    Ok(())
}
