//! A minimal chat server on `tokio-tungstenite`: `hello`, `join`, `message` and `direct` of
//! parlor's protocol, in one thread. An event is encoded once for all receivers. The queue of a
//! connection is written together and flushed once.

#[path = "../../chat.rs"]
mod chat;

use chat::{Chat, Own};
use futures_util::{SinkExt, StreamExt};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let spawn = |stream, chat| drop(tokio::task::spawn_local(serve(stream, chat)));
    chat::listen("tokio-tungstenite", spawn).await
}

async fn serve(stream: TcpStream, chat: Rc<RefCell<Chat<Utf8Bytes>>>) {
    let mut echo = false;
    #[allow(clippy::result_large_err)]
    let look = |request: &Request, response: Response| {
        echo = request.uri().path() == "/echo";
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else { return };
    let (mut out, mut messages) = socket.split();
    if echo {
        while let Some(Ok(message)) = messages.next().await {
            if (message.is_text() || message.is_binary()) && out.send(message).await.is_err() {
                return;
            }
        }
        return;
    }
    let (sender, mut receiver) = unbounded_channel::<Utf8Bytes>();
    tokio::task::spawn_local(async move {
        while let Some(text) = receiver.recv().await {
            if out.feed(Message::Text(text)).await.is_err() {
                return;
            }
            while let Ok(text) = receiver.try_recv() {
                if out.feed(Message::Text(text)).await.is_err() {
                    return;
                }
            }
            if out.flush().await.is_err() {
                return;
            }
        }
    });
    let mut own = Own::default();
    while let Some(Ok(message)) = messages.next().await {
        if let Message::Text(text) = message {
            chat.borrow_mut().apply(&mut own, &sender, text.as_bytes());
        }
    }
    chat.borrow_mut().gone(&own);
}
