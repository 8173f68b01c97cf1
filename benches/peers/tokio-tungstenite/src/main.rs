//! A minimal chat server on `tokio-tungstenite`: hello, join, message and direct of parlor's protocol, one thread. What is
//! published is encoded once and shared; what waits for a connection is fed to it together and flushed once.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

type Sender = UnboundedSender<Utf8Bytes>;

#[derive(Default)]
struct Chat {
    users: HashMap<String, Sender>,
    channels: HashMap<String, Channel>,
    authors: u64,
}

#[derive(Default)]
struct Channel {
    members: HashMap<u64, Sender>,
    seq: u64,
}

#[derive(Default)]
struct Own {
    name: String,
    author: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("tokio-tungstenite listening on http://{}", listener.local_addr()?);
    let chat = Rc::new(RefCell::new(Chat::default()));
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                tokio::task::spawn_local(serve(stream, Rc::clone(&chat)));
            }
        })
        .await
}

async fn serve(stream: TcpStream, chat: Rc<RefCell<Chat>>) {
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
        if let Message::Text(text) = message
            && let Ok(request) = serde_json::from_str::<Value>(&text)
        {
            apply(&mut chat.borrow_mut(), &mut own, &sender, &request);
        }
    }
    let mut chat = chat.borrow_mut();
    chat.users.remove(&own.name);
    chat.channels.values_mut().for_each(|channel| drop(channel.members.remove(&own.author)));
}

fn apply(chat: &mut Chat, own: &mut Own, sender: &Sender, request: &Value) {
    let text = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
    let answer = |event: Value| drop(sender.send(event.to_string().into()));
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    match request["type"].as_str() {
        Some("hello") if chat.users.contains_key(&text("name")) => {
            answer(json!({"type": "error", "code": "name_taken", "message": "that name is taken", "id": request["id"]}));
        }
        Some("hello") => {
            chat.authors += 1;
            *own = Own { name: text("name"), author: chat.authors };
            chat.users.insert(own.name.clone(), sender.clone());
            answer(json!({"type": "welcome", "id": request["id"], "name": own.name, "author": own.author, "session": own.author.to_string(),
                "channels": [], "users": [], "online": chat.users.len(), "directs": [], "limits": {"text": 4000, "message_bytes": 65536},
                "epoch": "0", "time": at, "server": "tokio-tungstenite"}));
        }
        Some("join") => {
            let channel = chat.channels.entry(text("channel")).or_default();
            channel.members.insert(own.author, sender.clone());
            answer(json!({"type": "joined", "id": request["id"], "channel": request["channel"], "seq": channel.seq, "first": channel.seq + 1,
                "members": [own.name], "count": channel.members.len(), "history": [], "more": false}));
        }
        Some("message") => {
            let channel = chat.channels.get_mut(&text("channel")).filter(|channel| channel.members.contains_key(&own.author));
            let Some(channel) = channel else {
                return answer(json!({"type": "error", "code": "not_in_channel", "message": "join first", "id": request["id"]}));
            };
            channel.seq += 1;
            let event = json!({"type": "message", "channel": request["channel"], "from": own.name, "author": own.author,
                "text": request["text"], "seq": channel.seq, "at": at});
            let event = Utf8Bytes::from(event.to_string());
            channel.members.values().for_each(|member| drop(member.send(event.clone())));
            if !request["id"].is_null() {
                answer(json!({"type": "ack", "id": request["id"], "channel": request["channel"], "seq": channel.seq, "at": at}));
            }
        }
        Some("direct") => match chat.users.get(&text("to")) {
            Some(to) => {
                let event = json!({"type": "direct", "conversation": text("to"), "from": own.name, "author": own.author, "to": request["to"],
                    "text": request["text"], "seq": 1, "at": at});
                let event = Utf8Bytes::from(event.to_string());
                drop((to.send(event.clone()), sender.send(event)));
            }
            None => answer(json!({"type": "error", "code": "no_such_user", "message": "nobody has that name", "id": request["id"]})),
        },
        _ => {}
    }
}
