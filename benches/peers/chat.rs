//! The common part of the peers in Rust: `hello`, `join`, `message` and `direct` of parlor's
//! protocol. An event is encoded once for all receivers. `T` is the type with which the library
//! shares a text.
//!
//! The peers themselves handle the WebSocket protocol.

use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::LocalSet;

/// Prints the address, and passes each connection to `serve`, which spawns its tasks. Runs in one
/// thread, and never returns.
pub(crate) async fn listen<T: From<String> + Clone>(
    server: &'static str,
    serve: impl Fn(TcpStream, Rc<RefCell<Chat<T>>>),
) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{server} listening on http://{}", listener.local_addr()?);
    let chat = Rc::new(RefCell::new(Chat::new(server)));
    let accept = async move {
        loop {
            let (stream, _) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            serve(stream, Rc::clone(&chat));
        }
    };
    LocalSet::new().run_until(accept).await
}

pub(crate) struct Chat<T> {
    server: &'static str,
    users: HashMap<String, UnboundedSender<T>>,
    channels: HashMap<String, Channel<T>>,
    authors: u64,
}

struct Channel<T> {
    members: HashMap<u64, UnboundedSender<T>>,
    seq: u64,
}

/// The user of a connection.
#[derive(Default)]
pub(crate) struct Own {
    name: String,
    author: u64,
}

impl<T: From<String> + Clone> Chat<T> {
    fn new(server: &'static str) -> Self {
        Self {
            server,
            users: HashMap::new(),
            channels: HashMap::new(),
            authors: 0,
        }
    }

    pub(crate) fn gone(&mut self, own: &Own) {
        self.users.remove(&own.name);
        self.channels
            .values_mut()
            .for_each(|channel| drop(channel.members.remove(&own.author)));
    }

    pub(crate) fn apply(&mut self, own: &mut Own, sender: &UnboundedSender<T>, request: &[u8]) {
        let Ok(request) = serde_json::from_slice::<Value>(request) else {
            return;
        };
        let text = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
        let answer = |event: Value| drop(sender.send(event.to_string().into()));
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64);
        let refused = |code: &str, message: &str| {
            let id = &request["id"];
            json!({"type": "error", "code": code, "message": message, "id": id})
        };
        match request["type"].as_str() {
            Some("hello") if self.users.contains_key(&text("name")) => {
                answer(refused("name_taken", "that name is taken"));
            }
            Some("hello") => {
                self.authors += 1;
                *own = Own {
                    name: text("name"),
                    author: self.authors,
                };
                self.users.insert(own.name.clone(), sender.clone());
                answer(json!({
                    "type": "welcome", "id": request["id"], "name": own.name, "author": own.author,
                    "session": own.author.to_string(), "channels": [], "users": [],
                    "online": self.users.len(), "directs": [], "epoch": "0", "time": at,
                    "limits": {"text": 4000, "message_bytes": 65536}, "server": self.server,
                }));
            }
            Some("join") => {
                let channel = self
                    .channels
                    .entry(text("channel"))
                    .or_insert_with(|| Channel {
                        members: HashMap::new(),
                        seq: 0,
                    });
                channel.members.insert(own.author, sender.clone());
                answer(json!({
                    "type": "joined", "id": request["id"], "channel": request["channel"],
                    "seq": channel.seq, "first": channel.seq + 1, "members": [own.name],
                    "count": channel.members.len(), "history": [], "more": false,
                }));
            }
            Some("message") => {
                let channel = self
                    .channels
                    .get_mut(&text("channel"))
                    .filter(|channel| channel.members.contains_key(&own.author));
                let Some(channel) = channel else {
                    return answer(refused("not_in_channel", "join first"));
                };
                channel.seq += 1;
                let event = json!({
                    "type": "message", "channel": request["channel"], "from": own.name,
                    "author": own.author, "text": request["text"], "seq": channel.seq, "at": at,
                });
                let event = T::from(event.to_string());
                channel
                    .members
                    .values()
                    .for_each(|member| drop(member.send(event.clone())));
                if !request["id"].is_null() {
                    answer(json!({
                        "type": "ack", "id": request["id"], "channel": request["channel"],
                        "seq": channel.seq, "at": at,
                    }));
                }
            }
            Some("direct") => match self.users.get(&text("to")) {
                Some(to) => {
                    let mut both = [own.name.clone(), text("to")];
                    both.sort();
                    let event = json!({
                        "type": "direct", "conversation": both.join("-"), "from": own.name,
                        "author": own.author, "to": request["to"], "text": request["text"],
                        "seq": 1, "at": at,
                    });
                    let event = T::from(event.to_string());
                    drop((to.send(event.clone()), sender.send(event)));
                }
                None => answer(refused("no_such_user", "no user has that name")),
            },
            _ => {}
        }
    }
}
