//! `parlor client`: a WebSocket client for a terminal, on the same code as the server, in the other
//! role.
//!
//! Each typed line is a text message, and parlor's server makes commands of those (`/nick`,
//! `/join`; RFC 6455 knows nothing of
//! that). What comes goes to standard output, one line for each message, with control characters
//! escaped; the client's own
//! remarks go to standard error.
//!
//! One loop waits for three things: the keyboard, the socket, Ctrl-C. Nothing is sent that the
//! socket does not take, so
//! whoever pipes a file into it reads on while the server is slow.
//!
//! Not here: the address and the handshake (`address`), frames (`websocket`).

use super::Failure;
use super::address::Address;
use super::terminal::{Style, Terminal};
use crate::text::EscapedText;
use crate::text::Hex;
use crate::tools::dissect::Dissection;
use crate::websocket::{
    CloseCode, Event, Opcode, Received, Scratch, WebSocket, encode_masked_message,
};
use lexopt::Arg;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A longer message is refused (1009).
const MESSAGE_BYTES: usize = 64 << 20;
/// What may wait to be sent before no more is read from the keyboard.
const WAITING_BYTES: usize = 64 << 10;
/// After the last line the answers to it are waited for: until so long nothing came.
const QUIET: Duration = Duration::from_millis(500);
/// For the server's close frame, and for the end of the connection behind it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// What is shown of a frame.
const SHOWN_BYTES: usize = 32;

const HELP: &str = "\
Usage: parlor client [--hex] URL

Opens a WebSocket, sends each line that you type as a message, and prints what comes.
To parlor that is a chat:
  parlor client ws://127.0.0.1:8080/chat
  /nick ada
  /join general
  hello
Ctrl-D, Ctrl-C or /quit: goodbye.

  --hex           show each frame, in both directions

Exit status: 0 after a goodbye, 1 where the connection failed or a rule was broken,
2 for a wrong option.";

/// Runs until the connection has ended.
pub(super) fn run(
    arguments: Vec<OsString>,
    _: &mut dyn Read,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut url, mut shows_frames) = (None, false);
    while let Some(argument) = parser
        .next()
        .map_err(|error| Failure::wrong(error.to_string()))?
    {
        match argument {
            Arg::Long("help") | Arg::Short('h') => {
                terminal.line(HELP);
                return Ok(true);
            }
            Arg::Long("hex") => shows_frames = true,
            Arg::Value(value) if url.is_none() => url = Some(value.to_string_lossy().into_owned()),
            other => return Err(Failure::wrong(other.unexpected().to_string())),
        }
    }
    let address = Address::parse(&url.ok_or_else(|| {
        Failure::wrong("an address is missing, such as ws://127.0.0.1:8080/chat".to_owned())
    })?)?;
    let interrupts =
        interrupts().map_err(|error| Failure::failed(format!("can't wait for Ctrl-C: {error}")))?;
    crate::cli::serve::random::<4>().map_err(Failure::failed)?;
    let (stream, came) = address.open(Some("chat"))?;
    remark(&format!(
        "connected to {}{}",
        address.authority, address.target
    ));
    let mut client = Client::new(stream, terminal, shows_frames);
    client.receive(came)?;
    client.talk(&interrupts)
}

/// From now on SIGINT is a byte to be read here.
fn interrupts() -> io::Result<UnixStream> {
    let (readable, writable) = UnixStream::pair()?;
    readable.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, writable)?;
    Ok(readable)
}

/// RFC 6455 §5.3: from a strong source of chance, a new one for each frame.
fn masking_key() -> [u8; 4] {
    // It worked at the start, and a kernel that could once always can.
    crate::cli::serve::random().expect("the system has no random numbers any more")
}

fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// An open connection.
struct Client<'a, 'b> {
    stream: TcpStream,
    websocket: WebSocket,
    scratch: Scratch,
    terminal: &'a mut Terminal<'b>,
    /// What was typed and has no line end yet.
    typed: Vec<u8>,
    /// What the socket has not taken yet.
    out: Vec<u8>,
    /// With `--hex`: what came of a frame that is not whole.
    unshown: Option<Vec<u8>>,
    /// Our close frame went out by the user's wish. The machine is not told, since it would pass
    /// over what still comes.
    said_goodbye: bool,
    /// How the server closed.
    closed: Option<(Option<CloseCode>, String)>,
    broken: Option<&'static str>,
}

impl<'a, 'b> Client<'a, 'b> {
    fn new(stream: TcpStream, terminal: &'a mut Terminal<'b>, shows_frames: bool) -> Self {
        let websocket = WebSocket::client(MESSAGE_BYTES, masking_key);
        let unshown = shows_frames.then(Vec::new);
        Self {
            stream,
            websocket,
            scratch: Scratch::default(),
            terminal,
            typed: Vec::new(),
            out: Vec::new(),
            unshown,
            said_goodbye: false,
            closed: None,
            broken: None,
        }
    }

    /// The loop. `Ok`: both said goodbye.
    fn talk(&mut self, mut interrupts: &UnixStream) -> Result<bool, Failure> {
        let lost = |error: io::Error| Failure::failed(format!("the connection is lost: {error}"));
        self.stream.set_nonblocking(true).map_err(lost)?;
        let (mut keyboard_ended, mut last_sign, mut give_up) = (false, Instant::now(), None);
        loop {
            self.flush().map_err(lost)?;
            let is_over = self.closed.is_some() || self.broken.is_some();
            if (is_over || self.said_goodbye) && give_up.is_none() {
                give_up = Some(Instant::now() + CLOSE_TIMEOUT);
            }
            if give_up.is_some_and(|at| Instant::now() >= at) {
                return self.verdict();
            }
            let hears_keyboard =
                !keyboard_ended && give_up.is_none() && self.out.len() < WAITING_BYTES;
            let is_quiet = keyboard_ended && last_sign.elapsed() >= QUIET && self.out.is_empty();
            if is_quiet && give_up.is_none() {
                self.goodbye();
                continue;
            }
            let [typed, came, interrupted] = self.wait(
                interrupts,
                hears_keyboard,
                keyboard_ended || give_up.is_some(),
            )?;
            if interrupted {
                let _ = interrupts.read(&mut [0; 16]);
                if self.said_goodbye {
                    return self.verdict();
                }
                self.goodbye();
            }
            if typed && !self.read_keyboard() {
                keyboard_ended = true;
                last_sign = Instant::now();
            }
            if came {
                let mut buffer = vec![0; 64 << 10];
                match self.stream.read(&mut buffer) {
                    Ok(0) => return self.verdict(),
                    Ok(length) => {
                        buffer.truncate(length);
                        last_sign = Instant::now();
                        self.receive(buffer)?;
                    }
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::WouldBlock | ErrorKind::Interrupted
                        ) => {}
                    Err(_) if is_over => return self.verdict(),
                    Err(error) => return Err(lost(error)),
                }
            }
        }
    }

    /// Which of keyboard, socket and Ctrl-C have something. `briefly`: a deadline is to be looked
    /// at.
    fn wait(
        &self,
        interrupts: &UnixStream,
        hears_keyboard: bool,
        briefly: bool,
    ) -> Result<[bool; 3], Failure> {
        let stdin = io::stdin();
        let flags = if self.out.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        };
        let mut descriptors = vec![
            PollFd::new(&self.stream, flags),
            PollFd::new(interrupts, PollFlags::IN),
        ];
        if hears_keyboard {
            descriptors.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        match poll(&mut descriptors, briefly.then_some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::failed(format!("can't wait for events: {error}"))),
        }
        let has = |index: usize| {
            descriptors
                .get(index)
                .is_some_and(|one| !(one.revents() - PollFlags::OUT).is_empty())
        };
        Ok([has(2), has(0), has(1)])
    }

    /// Sends the lines that were typed. `false`: there will be no more.
    fn read_keyboard(&mut self) -> bool {
        let mut stdin = io::stdin().lock();
        let length = match stdin.fill_buf() {
            Ok(bytes) => {
                self.typed.extend_from_slice(bytes);
                bytes.len()
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            Err(_) => 0,
        };
        stdin.consume(length);
        if length == 0 && !self.typed.is_empty() {
            self.typed.push(b'\n');
        }
        while let Some(end) = self.typed.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.typed.drain(..=end).collect();
            let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
            match str::from_utf8(line) {
                Ok(text) => self.send(Opcode::Text, text.as_bytes()),
                Err(_) => remark(
                    "that line is not UTF-8, which a text message must be (RFC 6455 §8.1): it was not sent",
                ),
            }
        }
        length > 0
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let start = self.out.len();
        encode_masked_message(opcode, payload, masking_key(), &mut self.out);
        self.show_sent(start);
    }

    fn goodbye(&mut self) {
        if !std::mem::replace(&mut self.said_goodbye, true) && !self.websocket.close_sent() {
            self.send(Opcode::Close, &CloseCode::NORMAL.get().to_be_bytes());
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server may have gone behind its close frame, which is still to be read.
                Err(_) if self.closed.is_some() || self.said_goodbye => self.out.clear(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what came.
    fn receive(&mut self, mut bytes: Vec<u8>) -> Result<(), Failure> {
        self.show_received(&bytes);
        let mut rest = &mut bytes[..];
        loop {
            let mut answer = Vec::new();
            let mut pong = None;
            let used = match self.websocket.receive(rest, &mut self.scratch, &mut answer) {
                Ok(Received::Nothing) => return Ok(()),
                Ok(Received::Event { event, used }) => {
                    match event {
                        Event::Text(text) => self.terminal.line(&EscapedText(text).to_string()),
                        Event::Binary(bytes) => self.terminal.line(&format!(
                            "binary, {} bytes: {}",
                            bytes.len(),
                            Hex(bytes)
                        )),
                        Event::Ping(payload) => pong = Some(payload.to_vec()),
                        Event::Pong(_) => {}
                        Event::Close(frame) => {
                            self.closed = Some((frame.code, EscapedText(frame.reason).to_string()))
                        }
                    }
                    used
                }
                Err(violation) => {
                    self.broken = Some(violation.rule().reason);
                    self.websocket.close(violation.close_frame(), &mut answer);
                    rest.len()
                }
            };
            if !self.said_goodbye {
                let start = self.out.len();
                self.out.extend_from_slice(&answer);
                self.show_sent(start);
                if let Some(payload) = pong {
                    self.send(Opcode::Pong, &payload);
                }
            }
            rest = &mut rest[used..];
        }
    }

    fn show_sent(&mut self, start: usize) {
        if self.unshown.is_some() && start < self.out.len() {
            let line = shown("->", &self.out[start..], self.terminal);
            self.terminal.line(&line);
        }
    }

    fn show_received(&mut self, bytes: &[u8]) {
        let Some(mut unshown) = self.unshown.take() else {
            return;
        };
        unshown.extend_from_slice(bytes);
        while !unshown.is_empty() {
            let frame = Dissection::of(&unshown);
            let is_wrong = frame.header.is_err();
            if !frame.is_whole() && !is_wrong {
                break;
            }
            let end = if is_wrong {
                unshown.len()
            } else {
                frame.header_bytes + frame.payload.len()
            };
            let line = shown("<-", &unshown[..end], self.terminal);
            self.terminal.line(&line);
            unshown.drain(..end);
        }
        self.unshown = Some(unshown);
    }

    /// How it ended.
    fn verdict(&self) -> Result<bool, Failure> {
        if let Some(rule) = self.broken {
            return Err(Failure::failed(format!("the server broke a rule: {rule}")));
        }
        match &self.closed {
            Some((code, reason)) => {
                let number = code.map_or(1005, CloseCode::get);
                let reason = if reason.is_empty() {
                    String::new()
                } else {
                    format!(": {reason}")
                };
                let text = format!(
                    "closed with {number}, {}{reason}",
                    CloseCode::name_of(number)
                );
                match number {
                    1000 | 1001 | 1005 => remark(&text),
                    _ => return Err(Failure::failed(text)),
                }
                Ok(true)
            }
            None if self.said_goodbye => Err(Failure::failed(
                "the server did not answer the close".to_owned(),
            )),
            None => Err(Failure::failed(
                "the server ended the connection without a close frame (1006)".to_owned(),
            )),
        }
    }
}

/// A frame on one line.
fn shown(arrow: &str, bytes: &[u8], terminal: &Terminal<'_>) -> String {
    let frame = Dissection::of(bytes);
    let more = if bytes.len() > SHOWN_BYTES {
        " …"
    } else {
        ""
    };
    let hex = format!("{}{more}", Hex(&bytes[..bytes.len().min(SHOWN_BYTES)]));
    format!(
        "{} {hex}  {}",
        terminal.paint(Style::Strong, arrow),
        terminal.paint(Style::Faint, &frame.title())
    )
}
