//! `parlor client`: a WebSocket client for a terminal, on the same code as the server.
//!
//! Each line of standard input is sent as a text message; parlor's server understands lines such
//! as `/nick` and `/join`. Received messages go to standard output, one a line, with control
//! characters escaped. Remarks go to standard error.
//!
//! One loop waits for the keyboard, the socket and Ctrl-C. While the server doesn't read, the
//! keyboard is not read either, so that a long file can be piped in.

use super::address::Address;
use super::terminal::{Style, Terminal};
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::progress::Progress;
use crate::text::{EscapedText, Hex};
use crate::tools::dissect::{Dissection, shortened};
use crate::websocket::{
    CloseCode, Event, FrameHeader, Opcode, Received, Scratch, WebSocket, encode_masked_message,
};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A longer message is refused with 1009.
const MESSAGE_BYTES: usize = 64 << 20;
/// A longer line is not sent.
const LINE_BYTES: usize = 16 << 20;
/// While more bytes than this wait for the socket, the keyboard is not read.
const WAITING_BYTES: usize = 64 << 10;
/// At the end of the input, the client says goodbye after this long without an answer.
const QUIET: Duration = Duration::from_millis(500);
/// The time for the server's close frame, and for the end of the connection after it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The bytes of a frame that are shown.
const SHOWN_BYTES: usize = 32;

const HELP: &str = "\
Usage: parlor client [--hex] URL

Opens a WebSocket, sends each line that you type as a message, and prints the
messages that it receives. To chat on a parlor server:
  parlor client ws://127.0.0.1:8080/chat
  /nick ada
  /join general
  hello
Ctrl-D, Ctrl-C or /quit says goodbye.

  --hex           show each frame, in both directions

Exit status: 0 after a goodbye, 1 if the connection failed or the server broke a
rule, 2 for a wrong option.";

pub(super) const TOOL: Tool = Tool {
    usage: "client URL",
    help: "chat, or talk to any WebSocket server, in the terminal",
    manual: HELP,
    options: &["hex"],
    operands: 1,
    run,
};

/// Runs until the connection has ended.
fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let address = Address::operand(given, false)?;
    let interrupts = interrupts().map_err(|error| format!("can't wait for Ctrl-C: {error}"))?;
    let (stream, received) = address.open(Some("chat"))?;
    let Address {
        authority, target, ..
    } = &address;
    remark(&format!("connected to {authority}{target}"));
    let mut client = Client {
        stream,
        websocket: WebSocket::client(MESSAGE_BYTES, masking_key),
        scratch: Scratch::default(),
        terminal,
        line: Vec::new(),
        is_too_long: false,
        out: Vec::new(),
        written: 0,
        partial_frame: given.has("hex").then(Vec::new),
        is_leaving: false,
        closed: None,
        broken: None,
    };
    client.receive(received);
    client.run(&interrupts)
}

/// Makes SIGINT readable as a byte.
fn interrupts() -> io::Result<UnixStream> {
    let (readable, writable) = UnixStream::pair()?;
    readable.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, writable)?;
    Ok(readable)
}

/// Returns a new key for each frame, from a strong source of randomness (RFC 6455 §5.3).
fn masking_key() -> [u8; 4] {
    random().expect("the system's random number generator failed")
}

fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// An open connection and its state.
struct Client<'a, 'b> {
    stream: TcpStream,
    websocket: WebSocket,
    scratch: Scratch,
    terminal: &'a mut Terminal<'b>,
    /// The typed line, as far as it goes.
    line: Vec<u8>,
    /// The rest of the line is dropped.
    is_too_long: bool,
    /// Bytes to send, of which `written` were sent.
    out: Vec<u8>,
    written: usize,
    /// With `--hex`: a received frame that is not complete.
    partial_frame: Option<Vec<u8>>,
    /// The user's close frame was sent. `websocket` doesn't know, because it would then ignore the
    /// messages that still come.
    is_leaving: bool,
    /// The server's close code and reason.
    closed: Option<(Option<CloseCode>, String)>,
    /// The rule that the server broke.
    broken: Option<&'static str>,
}

impl Client<'_, '_> {
    /// Runs until the end of the connection. `Ok` means that both ends said goodbye.
    fn run(&mut self, mut interrupts: &UnixStream) -> Result<bool, Failure> {
        let lost = |error: io::Error| Failure::failed(format!("the connection is lost: {error}"));
        self.stream.set_nonblocking(true).map_err(lost)?;
        let (mut input_ended, mut last_event, mut give_up) = (false, Instant::now(), None);
        loop {
            self.flush().map_err(lost)?;
            let is_over = self.closed.is_some() || self.broken.is_some();
            if is_over || self.is_leaving {
                let deadline = *give_up.get_or_insert_with(|| Instant::now() + CLOSE_TIMEOUT);
                if Instant::now() >= deadline {
                    return self.verdict();
                }
            } else if input_ended && self.out.is_empty() && last_event.elapsed() >= QUIET {
                self.say_goodbye();
                continue;
            }
            let reads_input = !input_ended && give_up.is_none() && self.out.len() < WAITING_BYTES;
            let has_deadline = input_ended || give_up.is_some();
            let [socket, interrupt, input] = self.wait(interrupts, reads_input, has_deadline)?;
            if interrupt {
                let _ = interrupts.read(&mut [0; 16]);
                if self.is_leaving {
                    return self.verdict();
                }
                self.say_goodbye();
            }
            if input {
                input_ended = !self.read_input();
                last_event = Instant::now();
            }
            if socket {
                let mut buffer = vec![0; 64 << 10];
                match self.stream.read(&mut buffer) {
                    Ok(0) => return self.verdict(),
                    Ok(length) => {
                        buffer.truncate(length);
                        last_event = Instant::now();
                        self.receive(buffer);
                    }
                    Err(error) if is_temporary(&error) => {}
                    Err(_) if is_over => return self.verdict(),
                    Err(error) => return Err(lost(error)),
                }
            }
        }
    }

    /// Waits for the socket, Ctrl-C and standard input, and returns which of them are ready.
    fn wait(
        &self,
        interrupts: &UnixStream,
        reads_input: bool,
        has_deadline: bool,
    ) -> Result<[bool; 3], Failure> {
        let stdin = io::stdin();
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, !self.out.is_empty());
        let mut descriptors = vec![
            PollFd::new(&self.stream, flags),
            PollFd::new(interrupts, PollFlags::IN),
        ];
        if reads_input {
            descriptors.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let briefly = Duration::from_millis(50).try_into().ok();
        let briefly = briefly.as_ref().filter(|_| has_deadline);
        match poll(&mut descriptors, briefly) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::failed(format!("can't wait for events: {error}"))),
        }
        Ok([0, 1, 2].map(|index| {
            let events = descriptors.get(index).map(PollFd::revents);
            events.is_some_and(|events| !(events - PollFlags::OUT).is_empty())
        }))
    }

    /// Reads standard input and sends the lines in it. `false`: the input has ended.
    fn read_input(&mut self) -> bool {
        let mut stdin = io::stdin().lock();
        let bytes = match stdin.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if is_temporary(&error) => return true,
            Err(_) => &[],
        };
        let length = bytes.len();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.add_to_line(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") {
                self.send_line();
            }
        }
        stdin.consume(length);
        if length == 0 && (self.is_too_long || !self.line.is_empty()) {
            self.send_line();
        }
        length > 0
    }

    fn add_to_line(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.line.len() + bytes.len() > LINE_BYTES;
        match self.is_too_long {
            true => self.line.clear(),
            false => self.line.extend_from_slice(bytes),
        }
    }

    fn send_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if std::mem::take(&mut self.is_too_long) {
            remark("that line was not sent: it is longer than 16 MiB");
        } else if str::from_utf8(line).is_err() {
            remark("that line was not sent: it is not UTF-8 (RFC 6455 §8.1)");
        } else {
            self.send(Opcode::Text, line);
        }
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::new();
        encode_masked_message(opcode, payload, masking_key(), &mut frame);
        self.send_frame(&frame);
    }

    fn send_frame(&mut self, frame: &[u8]) {
        if self.partial_frame.is_some() && !frame.is_empty() {
            self.show("->", frame);
        }
        self.out.extend_from_slice(frame);
    }

    fn say_goodbye(&mut self) {
        if !self.is_leaving && !self.websocket.close_sent() {
            self.send(Opcode::Close, &CloseCode::NORMAL.get().to_be_bytes());
        }
        self.is_leaving = true;
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server may have hung up after its close frame, which can still be read.
                Err(_) if self.closed.is_some() || self.is_leaving => break,
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Prints the messages in received bytes, and answers pings and a close frame.
    fn receive(&mut self, mut bytes: Vec<u8>) {
        self.show_received(&bytes);
        let mut rest = &mut bytes[..];
        loop {
            let (mut answer, mut pong, mut length) = (Vec::new(), None, rest.len());
            match self.websocket.receive(rest, &mut self.scratch, &mut answer) {
                Ok(Received::Nothing) => return,
                Ok(Received::Event { event, used }) => {
                    length = used;
                    match event {
                        Event::Text(text) => self.terminal.line(&EscapedText(text).to_string()),
                        Event::Binary(bytes) => {
                            let line = format!("binary, {} bytes: {}", bytes.len(), Hex(bytes));
                            self.terminal.line(&line);
                        }
                        Event::Ping(payload) => pong = Some(payload.to_vec()),
                        Event::Pong(_) => {}
                        Event::Close(frame) => {
                            self.closed = Some((frame.code, EscapedText(frame.reason).to_string()));
                        }
                    }
                }
                Err(violation) => {
                    self.broken = Some(violation.rule().reason);
                    self.websocket.close(violation.close_frame(), &mut answer);
                }
            }
            if !self.is_leaving {
                self.send_frame(&answer);
                if let Some(payload) = pong {
                    self.send(Opcode::Pong, &payload);
                }
            }
            rest = &mut rest[length..];
        }
    }

    /// With `--hex`: shows each received frame once it is complete, or invalid.
    fn show_received(&mut self, bytes: &[u8]) {
        let Some(mut partial) = self.partial_frame.take() else {
            return;
        };
        partial.extend_from_slice(bytes);
        while !partial.is_empty() {
            let length = match FrameHeader::decode(&partial) {
                Ok(Progress::Done { value, used }) => value.payload_length + used as u64,
                Ok(Progress::NeedMore) => break,
                Err(_) => partial.len() as u64,
            };
            if length > partial.len() as u64 {
                break;
            }
            let rest = partial.split_off(length as usize);
            self.show("<-", &partial);
            partial = rest;
        }
        self.partial_frame = Some(partial);
    }

    /// Prints a frame on one line.
    fn show(&mut self, arrow: &str, frame: &[u8]) {
        let hex = shortened(frame, SHOWN_BYTES);
        let title = Dissection::of(frame).title();
        let arrow = self.terminal.paint(Style::Strong, arrow);
        let title = self.terminal.paint(Style::Faint, &title);
        self.terminal.line(&format!("{arrow} {hex}  {title}"));
    }

    /// Says how the connection ended.
    fn verdict(&self) -> Result<bool, Failure> {
        if let Some(rule) = self.broken {
            return Err(Failure::Failed(format!("the server broke a rule: {rule}")));
        }
        let Some((code, reason)) = &self.closed else {
            return Err(Failure::failed(match self.is_leaving {
                true => "the server did not answer the close frame",
                false => "the server ended the connection without a close frame (1006)",
            }));
        };
        let code = code.map_or(1005, CloseCode::get);
        let colon = if reason.is_empty() { "" } else { ": " };
        let text = format!(
            "closed with {code}, {}{colon}{reason}",
            CloseCode::name_of(code)
        );
        if !matches!(code, 1000 | 1001 | 1005) {
            return Err(Failure::Failed(text));
        }
        remark(&text);
        Ok(true)
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
