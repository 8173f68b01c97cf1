//! `parlor say`: each line of standard input becomes a message in a channel of a parlor server,
//! exactly once.
//!
//! A line is sent with a nonce, and again with the same one until it is acknowledged, over as many
//! connections as that takes. The server stores a nonce of a session once.

use super::address::Address;
use super::link::{self, Tapped, failure, remark};
use super::record::create;
use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use crate::blocking::{Connection, Error};
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::text::{EscapedText, Hex};
use crate::websocket::CloseCode;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest time without a connection, and the longest wait that a server may ask for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// The time until a command is sent again that failed with `storage_failed`.
const RETRY: Duration = Duration::from_millis(500);
/// The time without an answer after which a connection counts as lost.
const SILENCE: Duration = Duration::from_secs(20);
/// The longest wait for a line of standard input until the connection is read.
const WAIT: Duration = Duration::from_millis(100);

const HELP: &str = "\
Usage: parlor say URL CHANNEL [--name NAME] [--session FILE]

Sends each line of standard input as a message to a channel, and waits until the
server has stored it. If the connection is lost it connects again, for a minute,
and sends again what was not acknowledged; each line arrives once. Empty lines are
left out, and so are control characters.
  make 2>&1 | tail -1 | parlor say ws://127.0.0.1:8080/chat general --name ci

  --name NAME     the name of the sender (default say)
  --session FILE  keeps the session, so that the next run is the same user; the file
                  is a secret

Exit status: 0 if every line was stored, 1 if one was not, 2 for a wrong option.";

pub(super) const TOOL: Tool = Tool {
    usage: "say URL CHANNEL",
    help: "send each line of standard input to a channel, exactly once",
    manual: HELP,
    options: &["name=", "session="],
    operands: 2,
    run,
};

fn run(given: &Arguments, _: &mut Terminal<'_>) -> Result<bool, Failure> {
    let address = Address::operand(given, false)?;
    let channel = given.operands.get(1).and_then(|channel| channel.to_str());
    let channel = channel.ok_or_else(|| Failure::wrong("the channel is missing"))?;
    let file = given.value("session").map(PathBuf::from);
    let salt = random::<8>()?;
    let mut say = Say {
        channel,
        name: given.value("name").and_then(OsStr::to_str).unwrap_or("say"),
        session: file.as_deref().map(read_session).transpose()?.flatten(),
        file,
        salt: format!("{:x}", Hex(&salt)),
        partial_line: Vec::new(),
        has_input: true,
        lines: VecDeque::new(),
        number: 1,
        refused: 0,
    };
    // The first connection must succeed, so that a wrong address is an error at once.
    let mut opened = link::open(&address, false)?;
    loop {
        let why = match say.talk(&mut opened) {
            Ok(()) => return Ok(say.refused == 0),
            Err(Trouble::Failed(why)) => return Err(Failure::Failed(why)),
            Err(Trouble::Lost(why)) => why,
        };
        remark(&format!("{why}; connecting again"));
        let since = Instant::now();
        opened = loop {
            sleep(PAUSE);
            match link::open(&address, false) {
                Ok(opened) => break opened,
                Err(why) if since.elapsed() > PATIENCE => return Err(Failure::Failed(why)),
                Err(_) => {}
            }
        };
    }
}

fn read_session(file: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(file) {
        Ok(token) => Ok(Some(token.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("can't read {}: {error}", file.display())),
    }
}

/// Why a connection ended before all lines were acknowledged.
enum Trouble {
    /// The connection is lost; the lines are sent again on another one.
    Lost(String),
    /// Another connection would not help.
    Failed(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Violation(_) => Self::Failed(failure(&error)),
            error => Self::Lost(failure(&error)),
        }
    }
}

struct Say<'a> {
    channel: &'a str,
    name: &'a str,
    session: Option<String>,
    /// The file that keeps the session.
    file: Option<PathBuf>,
    /// The beginning of each nonce of this run.
    salt: String,
    /// The beginning of a line of standard input whose end was not read yet.
    partial_line: Vec<u8>,
    has_input: bool,
    /// Lines that are not acknowledged, the oldest first.
    lines: VecDeque<String>,
    /// The number of the oldest line, from 1.
    number: u64,
    refused: u64,
}

impl Say<'_> {
    /// Sends lines until all are acknowledged, then closes the connection.
    fn talk(&mut self, connection: &mut Connection<Tapped>) -> Result<(), Trouble> {
        let refused = |why| Trouble::Failed(format!("the server refuses: {why}"));
        let hello = json!({"type": "hello", "name": self.name, "session": self.session});
        let welcome = self.ask(connection, hello)?.map_err(refused)?;
        self.session = welcome["session"].as_str().map(str::to_owned);
        self.keep_session().map_err(Trouble::Failed)?;
        let join = json!({"type": "join", "channel": self.channel});
        self.ask(connection, join)?.map_err(refused)?;
        while self.has_input || !self.lines.is_empty() {
            let Some(text) = self.lines.front() else {
                while link::next_text(connection, Instant::now())?.is_some() {}
                if link::wait(connection, false, Some(&io::stdin()), WAIT) {
                    self.read_lines();
                }
                continue;
            };
            let (channel, nonce) = (self.channel, format!("{}-{}", self.salt, self.number));
            let message = json!({"type": "message", "channel": channel, "text": text,
                "nonce": nonce});
            if let Err(why) = self.ask(connection, message)? {
                remark(&format!("line {} was refused: {why}", self.number));
                self.refused += 1;
            }
            self.lines.pop_front();
            self.number += 1;
        }
        // The stream has a timeout once it blocks. All lines are stored, so no error counts.
        let _ = connection.get_ref().stream.set_nonblocking(false);
        let _ = connection.close(CloseCode::NORMAL, "");
        Ok(())
    }

    /// Sends a command, and again later if that can help. Returns its answer, or why the server
    /// refuses it.
    fn ask(
        &self,
        connection: &mut Connection<Tapped>,
        mut command: Value,
    ) -> Result<Result<Value, String>, Trouble> {
        command["id"] = self.number.into();
        loop {
            // The next read reports an error.
            let _ = connection.send(command.to_string().as_str());
            let until = Instant::now() + SILENCE;
            let answer = loop {
                let text = link::next_text(connection, until)?;
                let silent = || Trouble::Lost("the server does not answer".to_owned());
                let event: Value =
                    serde_json::from_str(&text.ok_or_else(silent)?).unwrap_or_default();
                if event["id"] == self.number {
                    break event;
                }
            };
            if answer["type"] != "error" {
                return Ok(Ok(answer));
            }
            let wait = match answer["retry_ms"].as_u64() {
                Some(millis) => Some(Duration::from_millis(millis)),
                None => (answer["code"] == "storage_failed").then_some(RETRY),
            };
            let Some(wait) = wait.filter(|wait| *wait <= PATIENCE) else {
                let why = answer["message"].as_str().unwrap_or_default();
                return Ok(Err(EscapedText(why).to_string()));
            };
            let until = Instant::now() + wait;
            while link::next_text(connection, until)?.is_some() {}
        }
    }

    /// Reads standard input once, and keeps its lines without control characters.
    fn read_lines(&mut self) {
        let lines = &mut self.lines;
        self.has_input = link::read_lines(&mut self.partial_line, |line| {
            let line = String::from_utf8_lossy(line);
            let is_kept = |c: &char| !c.is_control() || *c == '\t';
            let line: String = line.chars().filter(is_kept).collect();
            if !line.trim().is_empty() {
                lines.push_back(line);
            }
        });
    }

    /// Writes the session's token into its file, readable for its owner alone.
    fn keep_session(&self) -> Result<(), String> {
        let (Some(file), Some(session)) = (&self.file, &self.session) else {
            return Ok(());
        };
        let written = create(file, session).map(drop);
        written.map_err(|error| format!("can't write {}: {error}", file.display()))
    }
}
