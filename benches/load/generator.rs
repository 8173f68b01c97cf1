//! The load: connections that send messages and count what they receive. It has one thread, as the
//! servers have.
//!
//! The generator itself is never measured: the figures are CPU time of the server (see the head of
//! `main`). The generator's share of its core is printed beside them.
//!
//! The scenarios are in `scenarios`, the messages in `text`.

use crate::text;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use parlor::progress::Progress;
use parlor::websocket::FrameHeader;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Blocking};
use std::time::{Duration, Instant};

/// The path that connections open, and what they send first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Opens `/echo` and sends nothing.
    Echo,
    /// Opens `/chat` and sends `hello`.
    Hello,
    /// Opens `/chat` and sends `hello` and `join`.
    Join,
}

/// The event after which a sender sends again.
#[derive(Clone, Copy)]
pub(crate) enum Drive {
    /// Its own message opened back, so that each sender has this many in flight.
    Own { window: usize },
    /// It has received this many messages from each client.
    Rounds { batch: usize },
    /// It has received a message: all of them are its own.
    Echo { window: usize },
}

/// Connections opened at a time: enough to keep the server busy, and fewer than its listen backlog.
const WAVE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(30);
/// Silence after which the server is at rest and has sent its presence events.
const QUIET: Duration = Duration::from_millis(350);

struct Client {
    socket: TcpStream,
    number: usize,
    /// The frame that it sends, prepared.
    frame: Vec<u8>,
    /// Whether it recognizes its own messages by their mark.
    marks: bool,
    partial: Vec<u8>,
    /// Bytes of a payload left to skip, and whether the payload counts as a message.
    skip: usize,
    skip_counts: bool,
    unsent: Vec<u8>,
    /// Frames of this round received so far.
    round: usize,
    received: usize,
}

/// All connections of one run.
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    /// The time that it wastes in each turn of its loop (`--slower`).
    slower: Duration,
}

/// The results of a closed loop.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
}

impl Crowd {
    /// Connects this many clients, numbered from `first` on, in waves.
    pub(crate) fn gather(
        address: SocketAddr,
        entry: Entry,
        first: usize,
        count: usize,
    ) -> io::Result<Self> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(4_096));
        let mut crowd = Self {
            poll,
            events,
            buffer: vec![0; 256 << 10],
            clients: Vec::new(),
            slower: Duration::ZERO,
        };
        let numbers: Vec<_> = (first..first + count).collect();
        for wave in numbers.chunks(WAVE) {
            let mut opened = Vec::new();
            for number in wave {
                let mut stream = Blocking::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(&text::head(if entry == Entry::Echo {
                    "/echo"
                } else {
                    "/chat"
                }))?;
                opened.push((stream, *number, Vec::new()));
            }
            for (stream, number, held) in &mut opened {
                until_head(stream, held)?;
                if entry != Entry::Echo {
                    stream.write_all(&text::hello(*number))?;
                }
            }
            if entry != Entry::Echo {
                for (stream, _, held) in &mut opened {
                    until_event(stream, held, "\"welcome\"")?;
                    if entry == Entry::Join {
                        stream.write_all(&text::join())?;
                    }
                }
            }
            if entry == Entry::Join {
                for (stream, _, held) in &mut opened {
                    until_event(stream, held, "\"joined\"")?;
                }
            }
            for (stream, number, held) in opened {
                crowd.add(stream, number, held)?;
            }
        }
        Ok(crowd)
    }

    /// Makes the generator slower, to show whether a figure depends on it.
    pub(crate) fn slow_down(&mut self, slower: Duration) {
        self.slower = slower;
    }

    fn add(&mut self, stream: Blocking, number: usize, partial: Vec<u8>) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(stream);
        self.poll.registry().register(
            &mut socket,
            Token(self.clients.len()),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let (frame, unsent) = (Vec::new(), Vec::new());
        self.clients.push(Client {
            socket,
            number,
            frame,
            marks: false,
            partial,
            skip: 0,
            skip_counts: true,
            unsent,
            round: 0,
            received: 0,
        });
        Ok(())
    }

    /// Reads and discards until the server is silent.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < QUIET {
            self.poll.poll(&mut self.events, Some(QUIET / 4))?;
            let tokens: Vec<_> = self.events.iter().map(|event| event.token().0).collect();
            for token in tokens {
                self.clients[token].read(&mut self.buffer)?;
                quiet_since = Instant::now();
            }
            if until < Instant::now() {
                return Err(io::Error::other(
                    "the server keeps sending without requests",
                ));
            }
        }
        Ok(())
    }

    /// Lets the first `senders` connections send texts until the time is over, then waits for all
    /// messages in flight.
    pub(crate) fn closed_loop(
        &mut self,
        senders: usize,
        bytes: usize,
        drive: Drive,
        time: Duration,
    ) -> io::Result<Done> {
        let echo = matches!(drive, Drive::Echo { .. });
        let (Drive::Own { window } | Drive::Echo { window } | Drive::Rounds { batch: window }) =
            drive;
        let until = Instant::now() + time;
        let mut done = Done::default();
        for client in &mut self.clients[..senders] {
            client.frame = if echo {
                text::client_frame(&"x".repeat(bytes))
            } else {
                text::message(client.number, bytes)
            };
            client.marks = matches!(drive, Drive::Own { .. });
            client.round = 0;
            client.send(window)?;
            done.messages += window as u64;
        }
        let receivers = if echo { 1 } else { self.clients.len() as u64 };
        loop {
            let goes_on = Instant::now() < until;
            if !goes_on && done.deliveries == done.messages * receivers {
                return Ok(done);
            }
            if until + PATIENCE < Instant::now() {
                let Done {
                    messages,
                    deliveries,
                } = done;
                return Err(io::Error::other(format!(
                    "{messages} messages to {receivers} are not {deliveries} deliveries"
                )));
            }
            self.poll
                .poll(&mut self.events, Some(Duration::from_millis(50)))?;
            let awake = Instant::now();
            while awake.elapsed() < self.slower {
                std::hint::spin_loop();
            }
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                if event.is_writable() {
                    client.send(0)?;
                }
                let (frames, own) = client.read(&mut self.buffer)?;
                done.deliveries += frames as u64;
                let again = match drive {
                    Drive::Own { .. } => own,
                    Drive::Echo { .. } => frames,
                    Drive::Rounds { batch } => {
                        client.round += frames;
                        let whole = client.round >= senders * batch;
                        client.round -= if whole { senders * batch } else { 0 };
                        if whole { batch } else { 0 }
                    }
                };
                if goes_on && again > 0 {
                    client.send(again)?;
                    done.messages += again as u64;
                }
            }
        }
    }

    /// Sends at a fixed rate, whether answers arrive or not. Returns for each message when it was
    /// due, and how long after that each member received it, in microseconds.
    pub(crate) fn open_loop(
        &mut self,
        bytes: usize,
        interval: Duration,
        messages: usize,
    ) -> io::Result<Vec<Vec<u32>>> {
        let began = Instant::now() + Duration::from_millis(20);
        let mut took = vec![Vec::with_capacity(self.clients.len()); messages];
        let (mut sent, mut missing) = (0, messages * self.clients.len());
        self.clients
            .iter_mut()
            .for_each(|client| client.received = 0);
        self.clients[0].frame = text::message(self.clients[0].number, bytes);
        while missing > 0 {
            while sent < messages && began + interval * sent as u32 <= Instant::now() {
                self.clients[0].send(1)?;
                sent += 1;
            }
            if began + interval * messages as u32 + PATIENCE < Instant::now() {
                return Err(io::Error::other(format!(
                    "{missing} deliveries did not arrive"
                )));
            }
            // Doesn't wait: the timeout of a poll is too coarse for the rate.
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                let before = client.received;
                let (frames, _) = client.read(&mut self.buffer)?;
                let now = Instant::now();
                for (number, took) in took.iter_mut().enumerate().skip(before).take(frames) {
                    let meant = began + interval * number as u32;
                    took.push(now.saturating_duration_since(meant).as_micros() as u32);
                }
                missing = missing.saturating_sub(frames);
            }
        }
        Ok(took)
    }
}

impl Client {
    /// Sends its message this many times, in one write.
    fn send(&mut self, times: usize) -> io::Result<()> {
        if times == 1 && self.unsent.is_empty() {
            match self.socket.write(&self.frame) {
                Ok(count) => self.unsent.extend_from_slice(&self.frame[count..]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.extend_from_slice(&self.frame)
                }
                Err(error) => return Err(error),
            }
            return Ok(());
        }
        for _ in 0..times {
            self.unsent.extend_from_slice(&self.frame);
        }
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads all available bytes. Returns how many messages ended in them, and how many of those
    /// were its own.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<(usize, usize)> {
        let (mut frames, mut own) = (0, 0);
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server closed a connection")),
                Ok(count) => {
                    let (more, more_own) = self.take(&buffer[..count]);
                    (frames, own) = (frames + more, own + more_own);
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.received += frames;
        Ok((frames, own))
    }

    fn take(&mut self, bytes: &[u8]) -> (usize, usize) {
        let passed = self.skip.min(bytes.len());
        let mut frames = usize::from(self.skip > 0 && passed == self.skip && self.skip_counts);
        self.skip -= passed;
        let bytes = &bytes[passed..];
        if self.partial.is_empty() {
            let (more, own, used) = self.walk(bytes);
            self.partial
                .extend_from_slice(&bytes[used.min(bytes.len())..]);
            (frames + more, own)
        } else {
            let mut gathered = std::mem::take(&mut self.partial);
            gathered.extend_from_slice(bytes);
            let (more, own, used) = self.walk(&gathered);
            gathered.drain(..used.min(gathered.len()));
            self.partial = gathered;
            frames += more;
            (frames, own)
        }
    }

    /// Reads frame by frame. Returns how many messages there are, how many are its own, and how
    /// many bytes the frames have.
    fn walk(&mut self, bytes: &[u8]) -> (usize, usize, usize) {
        let (mut frames, mut own, mut at) = (0, 0, 0);
        while let Ok(Progress::Done { value, used }) = FrameHeader::decode(&bytes[at..]) {
            let (begin, end) = (at + used, at + used + value.payload_length as usize);
            if bytes.len() < end.min(begin + NEWS_BYTES) {
                break;
            }
            let counts = !is_news(&bytes[begin..]);
            if end > bytes.len() {
                if !self.marks {
                    (self.skip, self.skip_counts) = (end - bytes.len(), counts);
                    at = bytes.len();
                }
                break;
            }
            if self.marks && is_of(self.number, &bytes[begin..end]) {
                own += 1;
            }
            (frames, at) = (frames + usize::from(counts), end);
        }
        (frames, own, at)
    }
}

/// The bytes of a payload that tell a presence event from a message.
const NEWS_BYTES: usize = 12;

/// Whether an event is about presence: `presence`, `members`, `channels_changed`. On a busy machine
/// they arrive late, after everything else.
fn is_news(payload: &[u8]) -> bool {
    let kind = payload.strip_prefix(br#"{"type":""#).unwrap_or(&[]);
    kind.starts_with(b"p") || kind.starts_with(b"c") || kind.starts_with(b"mem")
}

/// Whether a message has this sender's mark.
fn is_of(number: usize, payload: &[u8]) -> bool {
    let Some(mark) = payload.iter().position(|byte| *byte == text::MARK) else {
        return false;
    };
    let digits = payload.get(mark + 1..mark + 6).unwrap_or(&[]);
    digits.iter().fold(0, |sum, digit| {
        sum * 10 + usize::from(digit.wrapping_sub(b'0'))
    }) == number
}

/// Reads the answer to the opening handshake. Later bytes are kept.
fn until_head(stream: &mut Blocking, held: &mut Vec<u8>) -> io::Result<()> {
    loop {
        if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            if !held.starts_with(b"HTTP/1.1 101") {
                return Err(io::Error::other(String::from_utf8_lossy(held).into_owned()));
            }
            held.drain(..end + 4);
            return Ok(());
        }
        more(stream, held)?;
    }
}

/// Reads until this event has arrived. Earlier bytes are discarded, later ones kept.
fn until_event(stream: &mut Blocking, held: &mut Vec<u8>, kind: &str) -> io::Result<()> {
    loop {
        while let Ok(Progress::Done { value, used }) = FrameHeader::decode(held) {
            let end = used + value.payload_length as usize;
            if end > held.len() {
                break;
            }
            let found =
                std::str::from_utf8(&held[used..end]).is_ok_and(|event| event.contains(kind));
            held.drain(..end);
            if found {
                return Ok(());
            }
        }
        more(stream, held)?;
    }
}

fn more(stream: &mut Blocking, held: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    match stream.read(&mut buffer)? {
        0 => Err(io::Error::other(
            "the server closed a connection before it was ready",
        )),
        count => {
            held.extend_from_slice(&buffer[..count]);
            Ok(())
        }
    }
}
