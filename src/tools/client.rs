//! `parlor client`: a WebSocket client for a terminal, on the same code as the server.
//!
//! Each line of standard input is sent as a text message; parlor's server understands lines such
//! as `/nick` and `/join`. Received messages go to standard output, one a line, with control
//! characters escaped. Remarks go to standard error.
//!
//! One loop waits for the keyboard, the socket and Ctrl-C (`link`). While the server doesn't read,
//! the keyboard is not read either, so that a long file can be piped in.

use super::address::Address;
use super::link::{InputLines, Link, remark};
use super::terminal::{Style, Terminal};
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::progress::Progress;
use crate::text::{EscapedText, Hex};
use crate::tools::dissect::{Dissection, shortened};
use crate::websocket::{CloseCode, Event, FrameHeader, Opcode};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

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

fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let address = Address::operand(given, false)?;
    let interrupts = interrupts().map_err(|error| format!("can't wait for Ctrl-C: {error}"))?;
    let (mut link, received) = Link::open(&address)?;
    remark(&format!(
        "connected to {}{}",
        address.authority, address.target
    ));
    link.shown = given.has("hex").then(Vec::new);
    let mut client = Client {
        link,
        terminal,
        partial_frame: Vec::new(),
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

struct Client<'a, 'b> {
    link: Link,
    terminal: &'a mut Terminal<'b>,
    /// With `--hex`: a received frame that is not complete.
    partial_frame: Vec<u8>,
    /// The server's close code and reason.
    closed: Option<(Option<CloseCode>, String)>,
    /// The rule that the server broke.
    broken: Option<&'static str>,
}

impl Client<'_, '_> {
    /// Runs until the end of the connection. `Ok` means that both ends said goodbye.
    fn run(&mut self, mut interrupts: &UnixStream) -> Result<bool, Failure> {
        let lost = |error: io::Error| Failure::failed(format!("the connection is lost: {error}"));
        let (mut input_ended, mut last_event, mut give_up) = (false, Instant::now(), None);
        let (mut lines, stdin) = (InputLines::default(), io::stdin());
        loop {
            self.show_sent();
            self.link.flush().map_err(lost)?;
            let is_over = self.closed.is_some() || self.broken.is_some();
            if is_over || self.link.is_closing {
                let deadline = *give_up.get_or_insert_with(|| Instant::now() + CLOSE_TIMEOUT);
                if Instant::now() >= deadline {
                    return self.verdict();
                }
            } else if input_ended && self.link.waiting() == 0 && last_event.elapsed() >= QUIET {
                self.link.send_close();
                continue;
            }
            let reads_input = !input_ended && give_up.is_none();
            let reads_input = reads_input && self.link.waiting() < WAITING_BYTES;
            let input = reads_input.then(|| stdin.as_fd());
            let has_deadline = input_ended || give_up.is_some();
            let briefly = has_deadline.then_some(Duration::from_millis(50));
            let others = [Some(interrupts.as_fd()), input];
            let (socket, [interrupt, input]) = self.link.wait(others, briefly)?;
            if interrupt {
                let _ = interrupts.read(&mut [0; 16]);
                if self.link.is_closing {
                    return self.verdict();
                }
                self.link.send_close();
            }
            if input {
                input_ended = !lines.read(|line| match str::from_utf8(line) {
                    Ok(_) => self.link.send(Opcode::Text, line),
                    Err(_) => remark("that line was not sent: it is not UTF-8 (RFC 6455 §8.1)"),
                });
                last_event = Instant::now();
            }
            if socket {
                match self.link.read() {
                    Ok(None) => {}
                    Ok(Some(bytes)) if bytes.is_empty() => return self.verdict(),
                    Ok(Some(bytes)) => {
                        last_event = Instant::now();
                        self.receive(bytes);
                    }
                    Err(_) if is_over => return self.verdict(),
                    Err(error) => return Err(lost(error)),
                }
            }
        }
    }

    fn receive(&mut self, mut bytes: Vec<u8>) {
        self.show_received(&bytes);
        let received = self.link.receive(&mut bytes, |event| match event {
            Event::Text(text) => self.terminal.line(&EscapedText(text).to_string()),
            Event::Binary(bytes) => {
                let line = format!("binary, {} bytes: {}", bytes.len(), Hex(bytes));
                self.terminal.line(&line);
            }
            Event::Ping(_) | Event::Pong(_) => {}
            Event::Close(frame) => {
                self.closed = Some((frame.code, EscapedText(frame.reason).to_string()));
            }
        });
        self.broken = self.broken.or(received.err());
    }

    /// With `--hex`: shows the frames that were sent.
    fn show_sent(&mut self) {
        let frames = self.link.shown.as_mut().map(std::mem::take);
        frames
            .into_iter()
            .flatten()
            .for_each(|frame| self.show("->", &frame));
    }

    /// With `--hex`: shows each received frame once it is complete, or invalid.
    fn show_received(&mut self, bytes: &[u8]) {
        if self.link.shown.is_none() {
            return;
        }
        self.show_sent();
        let mut partial = std::mem::take(&mut self.partial_frame);
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
        self.partial_frame = partial;
    }

    fn show(&mut self, arrow: &str, frame: &[u8]) {
        let hex = shortened(frame, SHOWN_BYTES);
        let title = Dissection::of(frame).title();
        let arrow = self.terminal.paint(Style::Strong, arrow);
        let title = self.terminal.paint(Style::Faint, &title);
        self.terminal.line(&format!("{arrow} {hex}  {title}"));
    }

    fn verdict(&self) -> Result<bool, Failure> {
        if let Some(rule) = self.broken {
            return Err(Failure::Failed(format!("the server broke a rule: {rule}")));
        }
        let Some((code, reason)) = &self.closed else {
            return Err(Failure::failed(match self.link.is_closing {
                true => "the server did not answer the close frame",
                false => "the server ended the connection without a close frame (1006)",
            }));
        };
        let code = code.map_or(1005, CloseCode::get);
        let colon = if reason.is_empty() { "" } else { ": " };
        let text = format!(
            "closed with {code}, {}{colon}{reason}",
            crate::tools::dissect::code_name(code)
        );
        if !matches!(code, 1000 | 1001 | 1005) {
            return Err(Failure::Failed(text));
        }
        remark(&text);
        Ok(true)
    }
}
