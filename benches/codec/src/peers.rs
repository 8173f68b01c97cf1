//! The libraries. Each encodes a payload to bytes in memory, and decodes a copied frame, which
//! includes a UTF-8 check for text. The streams are always ready, so a future is polled once.

use bytes::BytesMut;
use fastwebsockets::{FragmentCollector, Frame, Payload, Role};
use parlor::websocket::{
    ClientHandshake, Compression, Config, Event, Progress, Scratch, ServerHandshake, WebSocket,
};
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{CompressedProtocol, DeflateConfig};
use std::future::Future;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;

/// The parameters of one row.
pub struct Row {
    pub size: usize,
    pub is_text: bool,
    /// The sender is a client.
    pub is_masked: bool,
    pub deflate: bool,
}

pub trait Peer {
    fn encode(&mut self);
    fn decode(&mut self);
}

pub const NAMES: [&str; 5] = [
    "parlor",
    "tungstenite",
    "soketto",
    "fastwebsockets",
    "sockudo-ws",
];

/// The longest message, in bytes, with some room.
const LIMIT: usize = 4 << 20;

impl Row {
    /// Returns text like that of a chat, with a number in each sentence, so that it compresses as
    /// such text does.
    pub fn payload(&self) -> String {
        let mut text = String::new();
        for number in 0.. {
            if text.len() >= self.size {
                break;
            }
            text += &format!(
                "{{\"user\":\"Ada\",\"number\":{},\"text\":\"Gr\u{fc}\u{df}e\"}} ",
                number * 7919 % 10_007
            );
        }
        let mut end = self.size;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        while text.len() < self.size {
            text.push('.');
        }
        text
    }

    /// Returns the frame to decode. parlor compresses it if that makes it shorter.
    fn frame(&self) -> Vec<u8> {
        let (mut sender, payload, mut out) = (parlor_ends(self).0, self.payload(), Vec::new());
        sender
            .send(event(self.is_text, &payload), &mut out)
            .expect("the connection is open");
        out
    }
}

/// Returns every library in the order of [`NAMES`]; `None` if it can't do the work.
pub fn all(row: &Row) -> Vec<Option<Box<dyn Peer>>> {
    let plain = |make: fn(&Row) -> Box<dyn Peer>| (!row.deflate).then(|| make(row));
    vec![
        Some(Box::new(Parlor::new(row))),
        plain(|row| Box::new(Tungstenite::new(row))),
        plain(|row| Box::new(Soketto::new(row))),
        plain(|row| Box::new(Fast::new(row))),
        Some(Box::new(Sockudo::new(row))),
    ]
}

fn event(is_text: bool, payload: &str) -> Event<'_> {
    match is_text {
        true => Event::Text(payload),
        false => Event::Binary(payload.as_bytes()),
    }
}

/// The sender and the receiver.
fn parlor_ends(row: &Row) -> (WebSocket, WebSocket) {
    let compression = if row.deflate {
        Compression::EachMessage
    } else {
        Compression::Off
    };
    let config = Config::default().compression(compression);
    let client = ClientHandshake::new("a", "/", [7; 16], &config).expect("a valid address");
    let (mut request, mut response) = (Vec::new(), Vec::new());
    client.request(&mut request);
    let Ok(Progress::Done { value: server, .. }) = ServerHandshake::parse(&request, &config) else {
        panic!("the request is complete")
    };
    server.response(&mut response);
    let Ok(Progress::Done {
        value: accepted, ..
    }) = client.parse(&response)
    else {
        panic!("the response is complete")
    };
    let ends = (
        accepted.client(parlor::blocking::masking_keys()),
        server.accepted.server(),
    );
    if row.is_masked {
        ends
    } else {
        (ends.1, ends.0)
    }
}

struct Parlor {
    ends: (WebSocket, WebSocket),
    is_text: bool,
    payload: String,
    frame: Vec<u8>,
    input: Vec<u8>,
    scratch: Scratch,
    out: Vec<u8>,
}

impl Parlor {
    fn new(row: &Row) -> Self {
        Self {
            ends: parlor_ends(row),
            is_text: row.is_text,
            payload: row.payload(),
            frame: row.frame(),
            input: Vec::new(),
            scratch: Scratch::default(),
            out: Vec::new(),
        }
    }
}

impl Peer for Parlor {
    fn encode(&mut self) {
        self.out.clear();
        let event = event(self.is_text, black_box(&self.payload));
        self.ends
            .0
            .send(event, &mut self.out)
            .expect("the connection is open");
        black_box(&self.out);
    }

    fn decode(&mut self) {
        self.input.clear();
        self.input.extend_from_slice(black_box(&self.frame));
        let (input, out) = (&mut self.input[..], &mut self.out);
        let received = self.ends.1.receive(input, &mut self.scratch, out);
        let Ok(Progress::Done { value, .. }) = received else {
            panic!("{received:?}")
        };
        black_box(value);
    }
}

/// An in-memory stream: one read returns one frame, and writes are discarded.
struct Memory {
    frame: Vec<u8>,
    at: usize,
    out: Vec<u8>,
}

impl Memory {
    fn new(row: &Row) -> Self {
        Self {
            frame: row.frame(),
            at: 0,
            out: Vec::new(),
        }
    }

    fn next_bytes(&mut self, most: usize) -> &[u8] {
        let (start, end) = (self.at, self.frame.len().min(self.at + most));
        self.at = end % self.frame.len();
        &self.frame[start..end]
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        if self.out.len() > LIMIT {
            self.out.clear();
        }
        self.out.extend_from_slice(black_box(bytes));
        bytes.len()
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next_bytes(buffer.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.put(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.clear();
        Ok(())
    }
}

impl tokio::io::AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = buffer.remaining();
        buffer.put_slice(self.next_bytes(most));
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.put(bytes)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.read(buffer))
    }
}

impl futures_io::AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.put(bytes)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("an in-memory stream is always ready"),
    }
}

struct Tungstenite {
    sender: tungstenite::WebSocket<Memory>,
    receiver: tungstenite::WebSocket<Memory>,
    message: tungstenite::Message,
}

impl Tungstenite {
    fn new(row: &Row) -> Self {
        use tungstenite::protocol::{Role, WebSocket};
        let (client, server) = (Role::Client, Role::Server);
        let (from, to) = if row.is_masked {
            (client, server)
        } else {
            (server, client)
        };
        let payload = row.payload();
        Self {
            sender: WebSocket::from_raw_socket(Memory::new(row), from, None),
            receiver: WebSocket::from_raw_socket(Memory::new(row), to, None),
            // Its payloads are reference-counted, so a clone copies nothing.
            message: match row.is_text {
                true => tungstenite::Message::text(payload),
                false => tungstenite::Message::binary(payload.into_bytes()),
            },
        }
    }
}

impl Peer for Tungstenite {
    fn encode(&mut self) {
        self.sender
            .send(black_box(self.message.clone()))
            .expect("a write to memory succeeds");
    }

    fn decode(&mut self) {
        black_box(self.receiver.read().expect("a valid frame"));
    }
}

struct Soketto {
    sender: soketto::Sender<Memory>,
    receiver: soketto::Receiver<Memory>,
    is_text: bool,
    payload: String,
    message: Vec<u8>,
}

impl Soketto {
    fn new(row: &Row) -> Self {
        use soketto::connection::{Builder, Mode};
        let (from, to) = match row.is_masked {
            true => (Mode::Client, Mode::Server),
            false => (Mode::Server, Mode::Client),
        };
        Self {
            sender: Builder::new(Memory::new(row), from).finish().0,
            receiver: Builder::new(Memory::new(row), to).finish().1,
            is_text: row.is_text,
            payload: row.payload(),
            message: Vec::new(),
        }
    }
}

impl Peer for Soketto {
    fn encode(&mut self) {
        let sent = match self.is_text {
            true => ready(self.sender.send_text(black_box(self.payload.as_str()))),
            false => ready(self.sender.send_binary(black_box(&self.payload))),
        };
        sent.and(ready(self.sender.flush()))
            .expect("a write to memory succeeds");
    }

    fn decode(&mut self) {
        self.message.clear();
        ready(self.receiver.receive_data(&mut self.message)).expect("a valid frame");
        if self.is_text {
            // The library leaves the UTF-8 check to its user.
            black_box(str::from_utf8(&self.message).expect("it is UTF-8"));
        }
        black_box(&self.message);
    }
}

struct Fast {
    sender: fastwebsockets::WebSocket<Memory>,
    receiver: FragmentCollector<Memory>,
    is_text: bool,
    payload: String,
}

impl Fast {
    fn new(row: &Row) -> Self {
        let (from, to) = if row.is_masked {
            (Role::Client, Role::Server)
        } else {
            (Role::Server, Role::Client)
        };
        Self {
            sender: fastwebsockets::WebSocket::after_handshake(Memory::new(row), from),
            receiver: FragmentCollector::new(fastwebsockets::WebSocket::after_handshake(
                Memory::new(row),
                to,
            )),
            is_text: row.is_text,
            payload: row.payload(),
        }
    }
}

impl Peer for Fast {
    fn encode(&mut self) {
        let payload = Payload::Borrowed(black_box(self.payload.as_bytes()));
        let frame = if self.is_text {
            Frame::text(payload)
        } else {
            Frame::binary(payload)
        };
        ready(self.sender.write_frame(frame)).expect("a write to memory succeeds");
        ready(self.sender.flush()).expect("a write to memory succeeds");
    }

    fn decode(&mut self) {
        black_box(
            ready(self.receiver.read_frame())
                .expect("a valid frame")
                .payload
                .len(),
        );
    }
}

enum Codec {
    Plain(Protocol),
    Compressed(CompressedProtocol),
}

struct Sockudo {
    ends: (Codec, Codec),
    message: sockudo_ws::Message,
    frame: Vec<u8>,
    input: BytesMut,
    messages: Vec<sockudo_ws::Message>,
    out: BytesMut,
}

impl Sockudo {
    fn new(row: &Row) -> Self {
        let config = DeflateConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            // The level that parlor uses.
            compression_level: 3,
            compression_threshold: 256,
            ..DeflateConfig::default()
        };
        let end = |is_client: bool| match (row.deflate, is_client) {
            (true, true) => {
                Codec::Compressed(CompressedProtocol::client(LIMIT, LIMIT, config.clone()))
            }
            (true, false) => {
                Codec::Compressed(CompressedProtocol::server(LIMIT, LIMIT, config.clone()))
            }
            (false, true) => Codec::Plain(Protocol::new(sockudo_ws::Role::Client, LIMIT, LIMIT)),
            (false, false) => Codec::Plain(Protocol::new(sockudo_ws::Role::Server, LIMIT, LIMIT)),
        };
        let payload = row.payload();
        Self {
            ends: (end(row.is_masked), end(!row.is_masked)),
            message: match row.is_text {
                true => sockudo_ws::Message::text(payload),
                false => sockudo_ws::Message::binary(payload.into_bytes()),
            },
            frame: row.frame(),
            input: BytesMut::new(),
            messages: Vec::new(),
            out: BytesMut::new(),
        }
    }
}

impl Peer for Sockudo {
    fn encode(&mut self) {
        self.out.clear();
        let message = black_box(&self.message);
        let encoded = match &mut self.ends.0 {
            Codec::Plain(protocol) => protocol.encode_message(message, &mut self.out),
            Codec::Compressed(protocol) => protocol.encode_message(message, &mut self.out),
        };
        encoded.expect("the connection is open");
        black_box(&self.out);
    }

    fn decode(&mut self) {
        self.messages.clear();
        self.input.extend_from_slice(black_box(&self.frame));
        let (input, messages) = (&mut self.input, &mut self.messages);
        let decoded = match &mut self.ends.1 {
            Codec::Plain(protocol) => protocol.process_into(input, messages),
            Codec::Compressed(protocol) => protocol.process_into(input, messages),
        };
        decoded.expect("a valid frame");
        assert_eq!(self.messages.len(), 1);
        black_box(&self.messages);
    }
}
