//! `parlor client`: a WebSocket client for a terminal, on the same code as the server.
//!
//! Each line of standard input is sent as a text message; parlor's server understands lines such
//! as `/nick` and `/join`. Received messages go to standard output, one a line, with control
//! characters escaped. Remarks go to standard error.
//!
//! One loop waits for the keyboard and the socket (`link`). While the server doesn't read, the
//! keyboard is not read either, so that a long file can be piped in.

use super::address::Address;
use super::link::{self, Tapped, failure, is_temporary, remark};
use super::terminal::{Style, Terminal};
use super::tool::{Failure, Tool};
use crate::blocking::{Connection, Error, Message};
use crate::cli::args::Arguments;
use crate::progress::Progress;
use crate::text::{EscapedText, Hex};
use crate::tools::dissect::{Dissection, code_name, shortened};
use crate::websocket::{CloseCode, FrameHeader};
use signal_hook::{consts::SIGINT, flag};
use std::io;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// At the end of the input, the client says goodbye after this long without an answer.
const QUIET: Duration = Duration::from_millis(500);
/// The longest wait until Ctrl-C and the end of the input are noticed.
const WAIT: Duration = Duration::from_millis(50);
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
    let interrupted = Arc::new(AtomicBool::new(false));
    // The second Ctrl-C ends the process at once.
    flag::register_conditional_shutdown(SIGINT, 1, Arc::clone(&interrupted))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&interrupted)))
        .map_err(|error| format!("can't wait for Ctrl-C: {error}"))?;
    let connection = link::open(&address, given.has("hex"))?;
    remark(&format!(
        "connected to {}{}",
        address.authority, address.target
    ));
    Client {
        connection,
        terminal,
        partial: Default::default(),
    }
    .run(&interrupted)
}

struct Client<'a, 'b> {
    connection: Connection<Tapped>,
    terminal: &'a mut Terminal<'b>,
    /// With `--hex`: the bytes of frames that are not complete, sent and received.
    partial: [Vec<u8>; 2],
}

impl Client<'_, '_> {
    /// Runs until the end of the connection. `Ok` means that both ends said goodbye.
    fn run(&mut self, interrupted: &AtomicBool) -> Result<bool, Failure> {
        let (mut partial_line, stdin) = (Vec::new(), io::stdin());
        let (mut has_input, mut last_event) = (true, Instant::now());
        loop {
            if interrupted.load(Ordering::Relaxed) {
                return self.say_goodbye();
            }
            let read = self.connection.read();
            self.show_frames();
            match read {
                Ok(Some(message)) => {
                    self.terminal.line(&match message {
                        Message::Text(text) => EscapedText(&text).to_string(),
                        Message::Binary(bytes) => {
                            format!("binary, {} bytes: {}", bytes.len(), Hex(&bytes))
                        }
                    });
                    last_event = Instant::now();
                    continue;
                }
                Ok(None) => return self.verdict(),
                Err(Error::Io(error)) if is_temporary(&error) => {}
                Err(error) => return Err(Failure::Failed(failure(&error))),
            }
            let is_full = self.connection.flush().is_err();
            let is_quiet = !has_input && !is_full && last_event.elapsed() >= QUIET;
            if is_quiet {
                return self.say_goodbye();
            }
            let input = (has_input && !is_full).then_some(&stdin);
            if link::wait(&self.connection, is_full, input, WAIT) {
                has_input =
                    link::read_lines(&mut partial_line, |line| match str::from_utf8(line) {
                        // The next read reports an error.
                        Ok(line) => _ = self.connection.send(line),
                        Err(_) => remark("that line was not sent: it is not UTF-8 (RFC 6455 §8.1)"),
                    });
                last_event = Instant::now();
            }
        }
    }

    /// Closes the connection. The stream has a timeout once it blocks.
    fn say_goodbye(&mut self) -> Result<bool, Failure> {
        let _ = self.connection.get_ref().stream.set_nonblocking(false);
        let closed = self.connection.close(CloseCode::NORMAL, "");
        self.show_frames();
        closed.map_err(|_| Failure::failed("the server did not answer the close frame"))?;
        self.verdict()
    }

    /// With `--hex`: shows each frame that is complete, or invalid.
    fn show_frames(&mut self) {
        let tapped = self.connection.get_mut().tap.iter_mut().flat_map(take);
        for (is_received, tapped) in tapped {
            let arrow = if is_received { "<-" } else { "->" };
            let bytes = &mut self.partial[usize::from(is_received)];
            bytes.extend(tapped);
            while !bytes.is_empty() {
                let length = match FrameHeader::decode(bytes) {
                    Ok(Progress::Done { value, used }) => value.payload_length + used as u64,
                    Ok(Progress::NeedMore) => break,
                    Err(_) => bytes.len() as u64,
                };
                if length > bytes.len() as u64 {
                    break;
                }
                let frame: Vec<u8> = bytes.drain(..length as usize).collect();
                let hex = shortened(&frame, SHOWN_BYTES);
                let title = Dissection::of(&frame).title();
                let arrow = self.terminal.paint(Style::Strong, arrow);
                let title = self.terminal.paint(Style::Faint, &title);
                self.terminal.line(&format!("{arrow} {hex}  {title}"));
            }
        }
    }

    /// Judges the server's close frame.
    fn verdict(&self) -> Result<bool, Failure> {
        let (code, reason) = self.connection.peer_close().unwrap_or((None, ""));
        let code = code.map_or(1005, CloseCode::get);
        let colon = if reason.is_empty() { "" } else { ": " };
        let reason = EscapedText(reason);
        let text = format!("closed with {code}, {}{colon}{reason}", code_name(code));
        if !matches!(code, 1000 | 1001 | 1005) {
            return Err(Failure::Failed(text));
        }
        remark(&text);
        Ok(true)
    }
}
