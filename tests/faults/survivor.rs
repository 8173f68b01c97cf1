//! Clients that hold on: they come back as the same session and send again what had no answer. In
//! the end all that was acknowledged and received must be in the history, once.
//!
//! The WebSocket is tungstenite's, which is not ours.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket};

use crate::harness::{Person, Server};

/// Messages that may be on their way without an answer.
const WINDOW: usize = 8;
/// The time in which everything must be answered in the end.
const PATIENCE: Duration = Duration::from_secs(60);
const NAMES: [&str; 6] = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"];

/// The place and the number of each message, by its nonce.
type Numbers = HashMap<String, (String, u64)>;

/// Six clients, each in a thread of its own.
pub(crate) struct Survivors {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Survivor>>,
}

impl Survivors {
    /// They talk all together in `general`, and in pairs privately.
    pub(crate) fn begin(address: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let begin = |(at, name): (usize, &&str)| {
            let partner = NAMES[at ^ 1].to_owned();
            let survivor = Survivor {
                name: (*name).to_owned(),
                partner,
                ..Default::default()
            };
            let over = Arc::clone(&over);
            thread::spawn(move || survivor.live(address, &over))
        };
        let threads = NAMES.iter().enumerate().map(begin).collect();
        Self { over, threads }
    }

    /// Waits until everything is answered, and compares it with the history. Returns how many
    /// messages were acknowledged, and how often clients came back.
    pub(crate) fn end(self, server: &Server) -> (usize, usize) {
        self.over.store(true, Ordering::Relaxed);
        let (mut acknowledged, mut returns) = (0, 0);
        for thread in self.threads {
            let it = thread.join();
            let it = it.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let mut reader = Person::return_of(server, &it.session, &it.name);
            let mut history = Numbers::new();
            read(&mut reader, "channel", "general", &mut history);
            for (place, _) in it.acknowledged.values() {
                if !history.values().any(|(known, _)| known == place) {
                    read(&mut reader, "conversation", place, &mut history);
                }
            }
            for (nonce, number) in it.acknowledged.iter().chain(&it.received) {
                assert_eq!(history.get(nonce), Some(number), "{nonce} for {}", it.name);
            }
            acknowledged += it.acknowledged.len();
            returns += it.returns;
        }
        (acknowledged, returns)
    }
}

/// Reads a place from its beginning: numbers without a gap, each nonce once.
pub(crate) fn read(reader: &mut Person, kind: &str, place: &str, into: &mut Numbers) {
    let mut after = 0_u64;
    loop {
        let ask = json!({"type": "history", kind: place, "after": after, "limit": 200});
        let page = reader.ask(ask);
        for message in page["messages"].as_array().expect("messages") {
            after += 1;
            assert_eq!(message["seq"], after, "no gap");
            let nonce = message["nonce"].as_str().expect("a nonce").to_owned();
            let before = into.insert(nonce, (place.to_owned(), after));
            assert_eq!(before, None, "stored twice: {message}");
        }
        if page["more"] == false {
            return;
        }
    }
}

#[derive(Default)]
struct Survivor {
    name: String,
    partner: String,
    session: Value,
    epoch: Value,
    said: u64,
    /// Commands without an answer, and whether they were sent on this connection.
    pending: VecDeque<(Value, bool)>,
    retry_at: Option<Instant>,
    acknowledged: Numbers,
    received: Numbers,
    returns: usize,
}

impl Survivor {
    fn live(mut self, address: SocketAddr, over: &AtomicBool) -> Self {
        let mut deadline = None;
        loop {
            let _ = self.connected(address, over);
            let is_over = over.load(Ordering::Relaxed);
            if is_over && self.pending.is_empty() && !self.session.is_null() {
                return self;
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
            let is_late = is_over && Instant::now() >= deadline;
            assert!(!is_late, "{:?} unanswered", self.pending);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Talks until the connection is gone, or everything is over and answered.
    fn connected(&mut self, address: SocketAddr, over: &AtomicBool) -> Result<(), Error> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let handshake = tungstenite::client(format!("ws://{address}/chat"), stream);
        let (mut socket, _) = handshake.map_err(|_| Error::ConnectionClosed)?;
        let briefly = Some(Duration::from_millis(20));
        socket.get_ref().set_read_timeout(briefly)?;
        self.pending.iter_mut().for_each(|(_, sent)| *sent = false);
        self.retry_at = None;
        let hello = json!({"type": "hello", "name": self.name, "session": self.session});
        send(&mut socket, &hello)?;
        let mut joined = false;
        while !(over.load(Ordering::Relaxed) && joined && self.pending.is_empty()) {
            if joined && self.retry_at.is_none_or(|at| at <= Instant::now()) {
                if self.pending.len() < WINDOW && !over.load(Ordering::Relaxed) {
                    let command = self.next_command();
                    self.pending.push_back((command, false));
                }
                for (command, sent) in &mut self.pending {
                    if !std::mem::replace(sent, true) {
                        send(&mut socket, command)?;
                    }
                }
            }
            match socket.read() {
                Ok(Message::Text(text)) => {
                    let event = serde_json::from_str(&text).expect("an event is JSON");
                    joined |= self.hear(&mut socket, &event)?;
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn next_command(&mut self) -> Value {
        self.said += 1;
        let (id, nonce) = (self.said, format!("{}-{}", self.name, self.said));
        let (kind, field, place) = match id % 5 {
            0 => ("direct", "to", &*self.partner),
            _ => ("message", "channel", "general"),
        };
        json!({"type": kind, field: place, "text": "x", "nonce": nonce, "id": id})
    }

    /// Takes an event. Returns whether the client is now in the channel.
    fn hear(&mut self, socket: &mut WebSocket<TcpStream>, event: &Value) -> Result<bool, Error> {
        let is_pending = |(command, _): &(Value, bool)| command["id"] == event["id"];
        match event["type"].as_str().expect("an event has a type") {
            "welcome" => {
                let is_same = self.epoch.is_null() || self.epoch == event["epoch"];
                assert!(is_same, "the history is another one");
                (self.session, self.epoch) = (event["session"].clone(), event["epoch"].clone());
                self.returns += 1;
                send(socket, &json!({"type": "join", "channel": "general"}))?;
            }
            "joined" => return Ok(true),
            "message" | "direct" => {
                let nonce = event["nonce"].as_str().expect("a nonce").to_owned();
                let before = self.received.insert(nonce, number(event));
                let is_same = before.is_none_or(|before| before == number(event));
                assert!(is_same, "{event}");
            }
            "ack" => {
                if let Some(at) = self.pending.iter().position(is_pending) {
                    let (command, _) = self.pending.remove(at).expect("it is there");
                    let nonce = command["nonce"].as_str().expect("a nonce").to_owned();
                    self.acknowledged.insert(nonce, number(event));
                }
            }
            // The partner, or the disk, is away for a moment.
            "error" if ["no_such_user", "storage_failed"].contains(&code(event)) => {
                self.retry_at = Some(Instant::now() + Duration::from_millis(50));
                let again = self.pending.iter_mut().filter(|it| is_pending(it));
                again.for_each(|(_, sent)| *sent = false);
            }
            // The answer to the first hello was lost, and with it the session.
            "error" if code(event) == "name_taken" && self.session.is_null() => {
                self.name.push('x');
                return Err(Error::ConnectionClosed);
            }
            "error" => panic!("{} was refused: {event}", self.name),
            _ => {}
        }
        Ok(false)
    }
}

fn code(event: &Value) -> &str {
    event["code"].as_str().expect("a code")
}

fn number(event: &Value) -> (String, u64) {
    let place = event["channel"].as_str().or(event["conversation"].as_str());
    let seq = event["seq"].as_u64().expect("a number");
    (place.expect("a place").to_owned(), seq)
}

fn send(socket: &mut WebSocket<TcpStream>, command: &Value) -> Result<(), Error> {
    socket.send(Message::text(command.to_string()))
}
