//! A whole hub on in-memory sockets: up to three connections, any bytes in any pieces, a clock,
//! short writes, and ends of connections.
//!
//! Input: how much of the beginning three clients have done already, and a list of steps made by
//! `arbitrary`. The steps reach the hub by the same calls that every driver makes. Asserted after
//! each step:
//! - nothing is written after the FIN (`MemorySocket`), and the loop comes to rest;
//! - all connections together hold no more than the sum of their limits.
//!
//! Asserted at the end, after all connections have closed and time has passed:
//! - no connection is left, no deadline, and no byte is held;
//! - the output of each connection is whole HTTP responses, then frames that our own client
//!   accepts. On `/chat`, their texts are JSON.

use arbitrary::{Arbitrary, Unstructured};
use parlor::chat::Keys;
use parlor::hub::{ConnectionId, Driven, Ended, Input};
use parlor::limits::Limits;
use parlor::testing::{self, MemorySocket, Wire};
use parlor::websocket::{Event, Opcode, Progress, Scratch, WebSocket, encode_masked_message};
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Arbitrary, Debug)]
enum Step {
    /// The bytes of these items arrive in pieces of this length.
    Say(u8, Vec<Sentence>, u8),
    Tick(u16),
    /// The socket accepts this many more bytes, and at most that many in one write.
    Room(u8, u16, u8),
    HalfClose(u8),
    Reset(u8),
    Drain,
}

#[derive(Arbitrary, Debug)]
enum Sentence {
    Handshake(u8),
    Known(u8, u8),
    Line(u8),
    Text(String),
    Frame(u8, Vec<u8>),
    Long(u16),
    Raw(Vec<u8>),
}

const LIMITS: Limits = Limits {
    message_bytes: 400,
    echo_bytes: 600,
    send_queue_bytes: 4_000,
    buffered_bytes: 12_000,
    request_head_bytes: 512,
    connections: 6,
    connections_per_ip: 5,
    channels: 3,
    text_chars: 100,
    ..Limits::DEFAULT
};
const PATHS: [&str; 8] = [
    "/chat", "/chat", "/chat", "/echo", "/", "/metrics", "/healthz", "/none",
];
const COMMANDS: [&str; 15] = [
    r#""hello","name":"Ada""#,
    r#""join","channel":"general""#,
    r#""message","channel":"general","text":"hi","nonce":"1""#,
    r#""hello","name":"Bob""#,
    r#""join","channel":"x","since":0"#,
    r#""direct","to":"Ada","text":"psst""#,
    r#""history","channel":"general","limit":200"#,
    r#""hello","name":"Eve""#,
    r#""leave","channel":"general""#,
    r#""typing","channel":"general""#,
    r#""rename","name":"Eve""#,
    r#""who""#,
    r#""channels""#,
    r#""message","channel":"x","text":" ""#,
    r#""direct","to":"Bob","text":"yes","nonce":"2""#,
];
/// The commands of owners, and those that refer to earlier messages.
const MORE_COMMANDS: [&str; 15] = [
    r#""own","key":"key""#,
    r#""edit","channel":"general","seq":1,"text":"hello""#,
    r#""delete","channel":"general","seq":1"#,
    r#""react","channel":"general","seq":1,"emoji":"+1""#,
    r#""mute","user":"Bob","minutes":1"#,
    r#""kick","user":"Eve","minutes":1"#,
    r#""door","open":false"#,
    r#""writing","channel":"general","who":"owner""#,
    r#""writing","channel":"x","who":2"#,
    r#""clear","channel":"general""#,
    r#""remove_channel","channel":"x""#,
    r#""own","key":"wrong""#,
    r#""pin","channel":"general","seq":1"#,
    r#""search","text":"h""#,
    r#""search","text":"hello","channel":"general","limit":1"#,
];
const LINES: [&str; 8] = [
    "hello",
    "/nick Cy",
    "/join general",
    "/me waves",
    "/msg Ada hi",
    "/history 200",
    "/quit",
    "/help",
];

pub fn check(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let mut world = World::new();
    world.begin(data.arbitrary().unwrap_or(0));
    for _ in 0..60 {
        if data.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut data) else {
            break;
        };
        world.step(step);
        world.settle();
    }
    for peer in &world.peers {
        peer.wire.borrow_mut().broken = true;
        world.server.end(peer.id, Ended::Failed);
    }
    for _ in 0..10_000 {
        world.settle();
        let Some(next) = world.server.hub.next_deadline() else {
            break;
        };
        world.server.jump(next.0 - world.server.now.mono.0);
    }
    let hub = &world.server.hub;
    assert_eq!((hub.next_deadline(), hub.connections()), (None, 0));
    let metrics = hub.metrics();
    assert_eq!(
        (
            metrics.buffered_bytes,
            metrics.connections,
            metrics.users_online
        ),
        (0, 0, 0)
    );
    world
        .peers
        .iter()
        .for_each(|peer| output_is_legal(&peer.wire.borrow().sent));
}

struct World {
    server: testing::World<MemorySocket>,
    peers: Vec<Peer>,
}

struct Peer {
    id: ConnectionId,
    wire: Rc<RefCell<Wire>>,
    ended: bool,
}

impl World {
    fn new() -> Self {
        let now = testing::World::<MemorySocket>::with_limits(LIMITS).now;
        let mut setup = testing::setup(LIMITS, now);
        setup.keys = Keys::new(Some("key"), None);
        Self {
            server: testing::World::new(setup),
            peers: Vec::new(),
        }
    }

    /// Two bits for each connection: it is opened later, has done the handshake, has sent `hello`,
    /// or has joined a channel.
    fn begin(&mut self, begun: u8) {
        for who in 0..3_u8 {
            let hello = Sentence::Known([0, 3, 7][usize::from(who)], who);
            let sentences = [Sentence::Handshake(0), hello, Sentence::Known(1, who)];
            let count = usize::from(begun >> (2 * who) & 3);
            if count > 0 {
                let sentences = sentences.into_iter().take(count).collect();
                self.step(Step::Say(who, sentences, u8::MAX));
                self.settle();
            }
        }
    }

    /// Opens the connection when a step first names it.
    fn peer(&mut self, who: u8) -> Option<usize> {
        let who = usize::from(who % 3);
        while self.peers.len() <= who {
            let socket = MemorySocket::default();
            let wire = Rc::clone(&socket.0);
            let id = self.server.accept(socket, "10.0.0.1:1")?;
            self.peers.push(Peer {
                id,
                wire,
                ended: false,
            });
        }
        Some(who)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Tick(millis) => self.server.jump(u64::from(millis)),
            Step::Drain => self.server.hub.handle(Input::Drain, self.server.now),
            Step::Say(who, sentences, piece) => {
                let Some(who) = self.peer(who).filter(|who| !self.peers[*who].ended) else {
                    return;
                };
                let mut bytes = Vec::new();
                let sentences = sentences.iter().take(16);
                sentences.for_each(|sentence| sentence.write(&mut bytes));
                self.server
                    .set_piece(self.peers[who].id, 1 + usize::from(piece));
                self.server.send(self.peers[who].id, &bytes);
            }
            Step::Room(who, room, most) => {
                let Some(who) = self.peer(who) else { return };
                let mut wire = self.peers[who].wire.borrow_mut();
                wire.room = if room == u16::MAX {
                    usize::MAX
                } else {
                    usize::from(room)
                };
                wire.write_most = 1 + usize::from(most);
                drop(wire);
                self.server.writable(self.peers[who].id);
            }
            Step::HalfClose(who) | Step::Reset(who) => {
                let Some(who) = self.peer(who).filter(|who| !self.peers[*who].ended) else {
                    return;
                };
                let peer = &mut self.peers[who];
                peer.ended = true;
                if let Step::Reset(_) = step {
                    peer.wire.borrow_mut().broken = true;
                    self.server.end(peer.id, Ended::Failed);
                } else {
                    self.server.end(peer.id, Ended::EndOfStream);
                }
            }
        }
    }

    /// Runs turns until no work is left, and checks what holds between turns.
    fn settle(&mut self) {
        self.server.settle();
        // Each connection may hold an unfinished message or head, one read, and its queue with one
        // message that was queued last.
        let held = self.server.hub.metrics().buffered_bytes;
        assert!(
            held <= 3 * (LIMITS.send_queue_bytes + 60_000) as u64,
            "{held} bytes are held"
        );
    }
}

impl Sentence {
    fn write(&self, out: &mut Vec<u8>) {
        let text = match self {
            Self::Raw(bytes) => return out.extend(bytes.iter().take(2_000)),
            Self::Handshake(path) => {
                let path = PATHS[usize::from(*path) % PATHS.len()];
                let plain = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let is_upgrade = path.len() == 5;
                let head = if is_upgrade {
                    testing::handshake(path)
                } else {
                    plain
                };
                return out.extend(head.into_bytes());
            }
            Self::Frame(first_byte, payload) => {
                let start = out.len();
                encode_masked_message(
                    Opcode::Text,
                    &payload[..payload.len().min(125)],
                    [1, 2, 3, 0xFF],
                    out,
                );
                return out[start] = *first_byte;
            }
            Self::Known(command, id) => {
                // Seeds use the smaller numbers for `COMMANDS`.
                let fields = match command.checked_sub(150).map(usize::from) {
                    Some(more) => MORE_COMMANDS[more % MORE_COMMANDS.len()],
                    None => COMMANDS[usize::from(*command) % COMMANDS.len()],
                };
                format!(r#"{{"type":{fields},"id":{id}}}"#)
            }
            Self::Line(line) => LINES[usize::from(*line) % LINES.len()].to_owned(),
            Self::Text(text) => text.clone(),
            Self::Long(length) => "x".repeat(usize::from(length % 700)),
        };
        encode_masked_message(Opcode::Text, text.as_bytes(), [1, 2, 3, 0xFF], out);
    }
}

/// Asserts whole responses, and whole frames after a 101. The last response or frame may be cut
/// off.
fn output_is_legal(mut bytes: &[u8]) {
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = str::from_utf8(&bytes[..end]).expect("response heads are ASCII");
        assert!(
            head.starts_with("HTTP/1.1 101 ")
                || head.starts_with("HTTP/1.1 ")
                    && head.contains("\r\nDate: ")
                    && head.contains("\r\nX-Content-Type-Options: nosniff"),
            "{head}"
        );
        bytes = &bytes[end + 4..];
        if head.starts_with("HTTP/1.1 101 ") {
            return frames_are_legal(bytes);
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |length| length.parse().expect("a number"));
        // The response to a HEAD gives the length of a body but has none.
        let has_body = !bytes.starts_with(b"HTTP/1.1 ");
        bytes = if has_body {
            bytes.get(length..).unwrap_or_default()
        } else {
            bytes
        };
    }
    assert!(
        bytes.is_empty() || bytes.starts_with(&b"HTTP/1.1 "[..bytes.len().min(9)]),
        "\"{}\"",
        bytes.escape_ascii()
    );
}

fn frames_are_legal(bytes: &[u8]) {
    let (mut bytes, mut at, mut closed) = (bytes.to_vec(), 0, false);
    let mut scratch = Scratch::default();
    let mut client = WebSocket::client(1 << 20, || [0; 4]).answering_pings(false);
    while let Progress::Done { value: event, used } = client
        .receive(&mut bytes[at..], &mut scratch, &mut Vec::new())
        .expect("the server's frames are legal")
    {
        assert!(!closed, "a close frame is the last one");
        closed = matches!(event, Event::Close(_));
        if let Event::Text(text) = event
            && text.starts_with(r#"{"type":"#)
        {
            assert!(
                serde_json::from_str::<serde_json::Value>(text).is_ok(),
                "{text}"
            );
        }
        at += used;
    }
}
