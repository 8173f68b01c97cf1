//! Clients that hold on: they come back as who they were, fetch what they missed, send again what
//! had no answer, and remember all
//! that they were told, so that it can be compared in the end.
//!
//! The WebSocket is tungstenite's, which we did not write.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Messages that may be under way without an answer.
const WINDOW: usize = 8;
/// How long one may take to come to an end after it was told to.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was said in a place, as far as somebody knows: the nonce and the text of each number.
pub(crate) type Told = BTreeMap<u64, (String, String)>;

/// What one of them knows in the end.
#[derive(Default)]
pub(crate) struct Memories {
    /// What was said in the channel and in the conversation.
    pub(crate) channel: Told,
    pub(crate) private: Told,
    /// The numbers that were acknowledged, by nonce.
    pub(crate) acknowledged: HashMap<String, u64>,
    /// The same for what was said privately.
    pub(crate) acknowledged_privately: HashMap<String, u64>,
    pub(crate) returns: usize,
    /// Commands that were answered with `storage_failed`.
    pub(crate) failed: usize,
}

/// Some of them.
pub(crate) struct Survivors {
    quiet: Arc<AtomicBool>,
    settled: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Memories>>,
}

const NAMES: [&str; 6] = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"];

impl Survivors {
    /// They talk in pairs privately, and all together in `general`.
    pub(crate) fn begin(address: SocketAddr) -> Self {
        let (quiet, settled, over) = Default::default();
        let mut survivors = Self {
            quiet,
            settled,
            over,
            threads: Vec::new(),
        };
        for (at, name) in NAMES.iter().enumerate() {
            let client = Client {
                address,
                name: (*name).to_owned(),
                partner: NAMES[at ^ 1].to_owned(),
                quiet: Arc::clone(&survivors.quiet),
                settled: Arc::clone(&survivors.settled),
                over: Arc::clone(&survivors.over),
                session: Value::Null,
                epoch: Value::Null,
                conversation: None,
                said: 0,
                pending: VecDeque::new(),
                asked: [false; 2],
                newest: [0; 2],
                joined: false,
                is_settled: false,
                last_asked: false,
                last_heard: 0,
                wait_until: None,
                memories: Memories::default(),
            };
            survivors.threads.push(thread::spawn(move || client.live()));
        }
        survivors
    }

    /// They say nothing new, have what they said acknowledged, fetch the rest, and tell what they
    /// know.
    pub(crate) fn end(self) -> Vec<Memories> {
        self.quiet.store(true, Ordering::Relaxed);
        let began = Instant::now();
        while self.settled.load(Ordering::Relaxed) < self.threads.len()
            && !self.threads.iter().any(JoinHandle::is_finished)
        {
            assert!(began.elapsed() < PATIENCE, "not everything is answered");
            thread::sleep(Duration::from_millis(10));
        }
        self.over.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    }
}

/// Something that was said and has no answer.
struct Said {
    id: u64,
    private: bool,
    /// It went out on this connection.
    sent: bool,
}

struct Client {
    address: SocketAddr,
    name: String,
    partner: String,
    quiet: Arc<AtomicBool>,
    settled: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    session: Value,
    epoch: Value,
    conversation: Option<String>,
    said: u64,
    pending: VecDeque<Said>,
    /// Of the channel, and of the conversation: whether a page was asked for, and the newest number
    /// heard of.
    asked: [bool; 2],
    newest: [u64; 2],
    joined: bool,
    /// It is quiet, and all that it said has an answer.
    is_settled: bool,
    /// When all are: whether it asked once more what there is, and how many of its questions were
    /// answered.
    last_asked: bool,
    last_heard: usize,
    wait_until: Option<Instant>,
    memories: Memories,
}

type Socket = WebSocket<TcpStream>;

impl Client {
    fn live(mut self) -> Memories {
        let mut patience = None;
        loop {
            if let Some(mut socket) = self.connect() {
                self.memories.returns += 1;
                while self.turn(&mut socket).is_ok() && !self.is_done() {}
            }
            if self.is_done() {
                return self.memories;
            }
            if self.over.load(Ordering::Relaxed) {
                let since = *patience.get_or_insert_with(Instant::now);
                assert!(
                    since.elapsed() < PATIENCE,
                    "{} does not come to an end: {} pending",
                    self.name,
                    self.pending.len()
                );
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_done(&self) -> bool {
        let caught_up = |place: usize, told: &Told| told.len() as u64 == self.newest[place];
        self.last_heard == 1 + usize::from(self.conversation.is_some())
            && caught_up(0, &self.memories.channel)
            && caught_up(1, &self.memories.private)
    }

    fn connect(&mut self) -> Option<Socket> {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.set_nodelay(true).ok()?;
        let (mut socket, _) =
            tungstenite::client(format!("ws://{}/chat", self.address), stream).ok()?;
        (self.joined, self.asked, self.last_asked, self.last_heard) = (false, [false; 2], false, 0);
        self.pending.iter_mut().for_each(|said| said.sent = false);
        send(
            &mut socket,
            &json!({"type": "hello", "name": self.name, "session": self.session}),
        )
        .ok()?;
        socket
            .get_ref()
            .set_read_timeout(Some(Duration::from_millis(20)))
            .ok()?;
        Some(socket)
    }

    /// Says something, hears something. An error: the connection is gone.
    fn turn(&mut self, socket: &mut Socket) -> Result<(), tungstenite::Error> {
        let waits = self.wait_until.is_some_and(|until| Instant::now() < until);
        if self.joined && !waits {
            if self.pending.len() < WINDOW && !self.quiet.load(Ordering::Relaxed) {
                self.said += 1;
                self.pending.push_back(Said {
                    id: self.said,
                    private: self.said.is_multiple_of(5),
                    sent: false,
                });
            }
            for at in 0..self.pending.len() {
                if !std::mem::replace(&mut self.pending[at].sent, true) {
                    send(socket, &self.command(&self.pending[at]))?;
                }
            }
        }
        if self.quiet.load(Ordering::Relaxed) && self.pending.is_empty() && !self.is_settled {
            self.is_settled = true;
            self.settled.fetch_add(1, Ordering::Relaxed);
        }
        if self.over.load(Ordering::Relaxed)
            && self.joined
            && !std::mem::replace(&mut self.last_asked, true)
        {
            for place in 0..=usize::from(self.conversation.is_some()) {
                self.ask_for_page(socket, place)?;
            }
        }
        match socket.read() {
            Ok(Message::Text(text)) => self.hear(
                socket,
                &serde_json::from_str(&text).expect("an event is JSON"),
            ),
            Ok(_) => Ok(()),
            Err(tungstenite::Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn nonce(&self, id: u64) -> String {
        format!("{}-{id}", self.name)
    }

    fn command(&self, said: &Said) -> Value {
        let (nonce, text) = (
            self.nonce(said.id),
            format!("{} says number {}", self.name, said.id),
        );
        match (&self.conversation, said.private) {
            (_, false) => {
                json!({"type": "message", "channel": "general", "text": text, "nonce": nonce, "id": said.id})
            }
            (Some(conversation), true) => {
                json!({"type": "direct", "conversation": conversation, "text": text, "nonce": nonce, "id": said.id})
            }
            (None, true) => {
                json!({"type": "direct", "to": self.partner, "text": text, "nonce": nonce, "id": said.id})
            }
        }
    }

    fn hear(&mut self, socket: &mut Socket, event: &Value) -> Result<(), tungstenite::Error> {
        match event["type"].as_str().expect("an event has a type") {
            "welcome" => {
                assert!(
                    self.epoch.is_null() || self.epoch == event["epoch"],
                    "the history is another one"
                );
                (self.session, self.epoch) = (event["session"].clone(), event["epoch"].clone());
                let since = self.memories.channel.len();
                send(
                    socket,
                    &json!({"type": "join", "channel": "general", "since": since}),
                )?;
                for direct in event["directs"].as_array().expect("a list") {
                    self.conversation = direct["conversation"].as_str().map(str::to_owned);
                    self.newest[1] = self.newest[1].max(direct["seq"].as_u64().expect("a number"));
                }
                self.ask(socket, 1)
            }
            "joined" => {
                self.joined = true;
                self.newest[0] = self.newest[0].max(event["seq"].as_u64().expect("a number"));
                self.remember(socket, 0, event["history"].as_array().expect("a list"))
            }
            "history" => {
                let place = usize::from(event["conversation"].is_string());
                self.asked[place] = false;
                self.last_heard += usize::from(self.last_asked);
                self.remember(socket, place, event["messages"].as_array().expect("a list"))
            }
            "message" => self.remember(socket, 0, std::slice::from_ref(event)),
            "direct" => {
                self.conversation = event["conversation"].as_str().map(str::to_owned);
                self.remember(socket, 1, std::slice::from_ref(event))
            }
            "ack" => {
                self.acknowledged(event);
                Ok(())
            }
            "error" => {
                self.refused(event);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn acknowledged(&mut self, event: &Value) {
        let seq = event["seq"].as_u64().expect("a number");
        // The second one of what was sent again is no news, but it says the same.
        let at = self.pending.iter().position(|said| event["id"] == said.id);
        let private = event["conversation"].is_string();
        let nonce = self.nonce(event["id"].as_u64().expect("an id"));
        let known = if private {
            &mut self.memories.acknowledged_privately
        } else {
            &mut self.memories.acknowledged
        };
        let first = *known.entry(nonce.clone()).or_insert(seq);
        assert_eq!(first, seq, "{nonce} was acknowledged with another number");
        if let Some(at) = at {
            self.pending.remove(at);
        }
    }

    fn refused(&mut self, event: &Value) {
        let code = event["code"].as_str().expect("a code");
        self.memories.failed += usize::from(code == "storage_failed");
        match code {
            // The partner, or the disk, is away for a moment.
            "no_such_user" | "storage_failed" => {
                self.wait_until = Some(Instant::now() + Duration::from_millis(50));
                self.pending
                    .iter_mut()
                    .filter(|said| event["id"] == said.id)
                    .for_each(|said| said.sent = false);
                if event["id"].is_null() {
                    // A page, or the way in.
                    self.asked = [false; 2];
                }
            }
            // The answer to the first hello was lost, and nobody else can prove to be that one.
            "name_taken" if self.session.is_null() => self.name.push('x'),
            _ => panic!("{} was refused: {event}", self.name),
        }
    }

    /// Keeps what comes next in its order; what was there already has to be the same, and what is
    /// missing is asked for.
    fn remember(
        &mut self,
        socket: &mut Socket,
        place: usize,
        events: &[Value],
    ) -> Result<(), tungstenite::Error> {
        for event in events {
            let told = if place == 0 {
                &mut self.memories.channel
            } else {
                &mut self.memories.private
            };
            let seq = event["seq"].as_u64().expect("a number");
            let what = [&event["nonce"], &event["text"]]
                .map(|value| value.as_str().expect("a text").to_owned());
            let what = what.into();
            self.newest[place] = self.newest[place].max(seq);
            if let Some(known) = told.get(&seq) {
                assert_eq!(known, &what, "{seq} was something else before");
            } else if seq == told.len() as u64 + 1 {
                told.insert(seq, what);
            }
        }
        self.ask(socket, place)
    }

    fn ask(&mut self, socket: &mut Socket, place: usize) -> Result<(), tungstenite::Error> {
        let told = if place == 0 {
            &self.memories.channel
        } else {
            &self.memories.private
        };
        let after = told.len() as u64;
        if after >= self.newest[place] || self.asked[place] {
            return Ok(());
        }
        self.asked[place] = true;
        self.ask_for_page(socket, place)
    }

    fn ask_for_page(&self, socket: &mut Socket, place: usize) -> Result<(), tungstenite::Error> {
        let after = [&self.memories.channel, &self.memories.private][place].len();
        let mut command = json!({"type": "history", "after": after, "limit": 200});
        match (place, &self.conversation) {
            (1, Some(conversation)) => command["conversation"] = json!(conversation),
            _ => command["channel"] = json!("general"),
        }
        send(socket, &command)
    }
}

fn send(socket: &mut Socket, command: &Value) -> Result<(), tungstenite::Error> {
    socket.send(Message::text(command.to_string()))
}

/// What all of them know must be one story: numbers without a gap, each nonce once, everything
/// acknowledged in its place, and all
/// know the same. Returns how many messages were acknowledged.
pub(crate) fn compare(all: &[Memories]) -> usize {
    let story = &all[0].channel;
    assert_eq!(
        story.keys().copied().collect::<Vec<_>>(),
        (1..=story.len() as u64).collect::<Vec<_>>(),
        "a gap"
    );
    let mut acknowledged = 0;
    let mut check = |told: &Told, acks: &HashMap<String, u64>| {
        let nonces: HashMap<&String, u64> =
            told.iter().map(|(seq, (nonce, _))| (nonce, *seq)).collect();
        assert_eq!(nonces.len(), told.len(), "something was said twice");
        for (nonce, seq) in acks {
            assert_eq!(
                nonces.get(nonce),
                Some(seq),
                "{nonce} was acknowledged and is not there"
            );
        }
        acknowledged += acks.len();
    };
    for memories in all {
        assert!(memories.channel == *story, "they tell different stories");
        check(&memories.channel, &memories.acknowledged);
        check(&memories.private, &memories.acknowledged_privately);
    }
    for pair in all.chunks(2) {
        assert!(
            pair.iter()
                .all(|memories| memories.private == pair[0].private),
            "two that talked privately tell different stories"
        );
    }
    acknowledged
}
