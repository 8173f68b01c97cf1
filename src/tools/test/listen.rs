//! `parlor test --listen ADDR:PORT [-- CMD ARGS…]`: tests clients. parlor is the server, and each
//! connection gets one case.
//!
//! A command is started once for each case. Without one, clients connect by themselves: to any
//! path, for the next case, or as test clients of Autobahn do, to `/getCaseCount`,
//! `/runCase?case=N&agent=NAME`, `/getCaseStatus?case=N&agent=NAME` and `/updateReports`.

use super::cases::{Case, Request};
use super::judge::autobahn;
use super::play::{Outcome, play_in, play_response};
use super::session::{End, HEAD_BYTES, Reaction, Session};
use crate::http::{Head, Refusal};
use crate::tools::tool::Failure;
use crate::tools::tunnel::{Tunnel, stop};
use crate::websocket::{Config, ServerHandshake};
use serde_json::json;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The interval in which connections and the command are looked for.
const POLL: Duration = Duration::from_millis(2);
/// The time in which a client has to connect again, in timeouts.
const IDLE_TIMEOUTS: u32 = 6;

pub(super) struct Listener<'a> {
    socket: TcpListener,
    cases: &'a [Case],
    timeout: Duration,
    outcomes: Vec<Option<Outcome>>,
    /// The client's reactions to text and to binary messages.
    reactions: [Reaction; 2],
    /// A test client of Autobahn connects, and says when it is done.
    is_autobahn: bool,
    /// The name that it gives itself.
    agent: Option<String>,
    is_over: bool,
}

impl<'a> Listener<'a> {
    /// Listens on an address, for clients that send messages back or not.
    pub(super) fn new(
        address: &str,
        cases: &'a [Case],
        timeout: Duration,
        is_echo: bool,
    ) -> Result<Self, String> {
        let socket = TcpListener::bind(address);
        let socket = socket.and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        Ok(Self {
            socket: socket.map_err(|error| format!("can't listen on {address}: {error}"))?,
            cases,
            timeout,
            outcomes: vec![None; cases.len()],
            reactions: [if is_echo {
                Reaction::Echoes
            } else {
                Reaction::GoesOn
            }; 2],
            is_autobahn: false,
            agent: None,
            is_over: false,
        })
    }

    pub(super) fn url(&self) -> String {
        let address = self.socket.local_addr();
        address.map_or(String::new(), |address| format!("ws://{address}"))
    }

    /// Plays the cases. Returns the name of a test client of Autobahn, too.
    pub(super) fn play(
        mut self,
        command: &[OsString],
    ) -> Result<(Vec<Outcome>, Option<String>), Failure> {
        if command.is_empty() {
            let _ = writeln!(io::stderr(), "Listening on {}", self.url());
            let mut until = None;
            let is_left = |it: &Self| it.is_autobahn || it.outcomes.iter().any(Option::is_none);
            while !self.is_over && is_left(&self) && self.serve_one(until, None) {
                until = Some(Instant::now() + IDLE_TIMEOUTS * self.timeout);
            }
        } else {
            self.play_with(command)?;
        }
        let missing = || "the client sent no valid opening handshake".to_owned();
        let outcomes = self.outcomes.into_iter();
        let outcomes = outcomes.map(|it| it.unwrap_or_else(|| End::NotOpened(missing()).into()));
        Ok((outcomes.collect(), self.agent))
    }

    fn play_with(&mut self, command: &[OsString]) -> Result<(), Failure> {
        for number in 0..=self.cases.len() {
            // The first connection shows what the client does with messages.
            let url = match number {
                0 => self.url() + "/getClient",
                number => format!("{}/runCase?case={number}", self.url()),
            };
            let words = command
                .iter()
                .map(|it| it.to_string_lossy().replace("{url}", &url));
            let words: Vec<_> = words.collect();
            let mut child = Command::new(&words[0]);
            child
                .args(&words[1..])
                .process_group(0)
                .stdin(Stdio::null());
            let child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let wrong = |error| Failure::Wrong(format!("can't run {}: {error}", words[0]));
            let mut child = child.map_err(wrong)?;
            let until = Instant::now() + self.timeout;
            let is_served = self.serve_one(Some(until), Some(&mut child));
            stop(&mut child);
            if number == 0 && !is_served {
                return Err(Failure::Unreachable(
                    "the command did not connect".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Serves the next connection, if there is one before `until` and before the command ends.
    fn serve_one(&mut self, until: Option<Instant>, mut child: Option<&mut Child>) -> bool {
        loop {
            let status = child.as_mut().map(|child| child.try_wait());
            let is_ended = !matches!(status, None | Some(Ok(None)));
            match self.socket.accept() {
                Ok((stream, _)) => {
                    // A connection that breaks off concerns its own case.
                    let session = Session::new(stream, Tunnel::default(), self.timeout, false);
                    let _ = session.ok().and_then(|session| self.serve(session));
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            if is_ended || until.is_some_and(|until| Instant::now() >= until) {
                return false;
            }
            sleep(POLL);
        }
    }

    /// Answers an opening handshake, and plays the case that its path asks for. `None`: there is no
    /// such case, or no valid handshake.
    fn serve(&mut self, mut session: Session) -> Option<()> {
        let request = session.receive_head(self.timeout, |bytes| {
            Head::parse(bytes, HEAD_BYTES)?.try_map(|head| {
                ServerHandshake::from_head(&head, &Config::default())?;
                let key = head.values("sec-websocket-key").next().unwrap_or_default();
                let mut response = Request::response(&String::from_utf8_lossy(key));
                if let Some(protocol) = head.tokens("sec-websocket-protocol").next() {
                    response.add("Sec-WebSocket-Protocol", protocol);
                }
                let mut query = head.query.unwrap_or_default().split('&');
                let number = query
                    .clone()
                    .find_map(|part| part.strip_prefix("case=")?.parse().ok());
                let agent = query.find_map(|part| part.strip_prefix("agent="));
                let (path, agent) = (head.path.to_owned(), agent.map(str::to_owned));
                Ok::<_, Refusal>((path, number.unwrap_or(0_usize), agent, response))
            })
        });
        let (path, number, agent, response) = request.ok()?;
        self.agent = agent.or(self.agent.take());
        let index = number.wrapping_sub(1);
        let text = match (&*path, self.cases.get(index)) {
            ("/getCaseCount", _) => {
                self.is_autobahn = true;
                self.reactions = [Reaction::Echoes; 2];
                self.cases.len().to_string()
            }
            ("/getCaseInfo", Some(case)) => {
                json!({ "id": case.name, "description": case.demand }).to_string()
            }
            ("/getCaseStatus", Some(case)) => {
                let outcome = self.outcomes[index].as_ref();
                let behavior = outcome.map_or("FAILED", |outcome| autobahn(case, outcome).0);
                json!({ "behavior": behavior }).to_string()
            }
            ("/updateReports", _) => {
                self.is_over = true;
                String::new()
            }
            ("/getClient", _) => {
                session.accept(&response);
                self.reactions = [1, 2].map(|opcode| session.probe(opcode));
                return Some(());
            }
            ("/runCase", _) => return self.play_case(index, session, response),
            _ => {
                let next = self.outcomes.iter().position(Option::is_none)?;
                return self.play_case(next, session, response);
            }
        };
        session.accept(&response);
        if !text.is_empty() {
            session.send_frame(0x81, text.as_bytes());
        }
        session.close();
        Some(())
    }

    fn play_case(
        &mut self,
        index: usize,
        mut session: Session,
        mut response: Request,
    ) -> Option<()> {
        let (case, start) = (self.cases.get(index)?, Instant::now());
        let mut outcome = if case.is_of_handshake() {
            response.edit(&case.input);
            play_response(session, &response.bytes())
        } else {
            session.accept(&response);
            play_in(session, case, self.reactions).ok()?
        };
        outcome.time = start.elapsed();
        self.outcomes[index] = Some(outcome);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::address::Address;
    use crate::tools::test::cases::for_clients;
    use crate::tools::test::judge::{Verdict, judge};
    use crate::websocket::{Opcode, encode_masked_message};
    use std::io::Read;
    use std::thread;

    /// Answers the ping twice, whatever came before it, if the opening handshake is right.
    fn careless_client(url: &str) -> Option<()> {
        const PING: &[u8] = b"still there?";
        let (mut stream, mut received) = Address::parse(url).ok()?.open(None).ok()?;
        let mut buffer = [0; 1024];
        while !received.ends_with(PING) {
            let length = stream.read(&mut buffer).ok().filter(|length| *length > 0)?;
            received.extend_from_slice(&buffer[..length]);
        }
        let mut pong = Vec::new();
        encode_masked_message(Opcode::Pong, PING, [1, 2, 3, 4], &mut pong);
        stream.write_all(&pong.repeat(2)).ok()?;
        stream.read_to_end(&mut received).ok().map(drop)
    }

    #[test]
    fn client_is_judged_by_its_answer() {
        let mut cases = for_clients();
        let names = [
            "mask-set",
            "accept-of-another-key",
            "response-in-another-case",
            "masking-keys",
        ];
        cases.retain(|case| names.contains(&&*case.name));
        let listener = Listener::new("127.0.0.1:0", &cases, Duration::from_secs(5), false);
        let listener = listener.expect("a free port");
        let url = listener.url();
        let clients = thread::spawn(move || names.map(|_| careless_client(&url)));
        let (outcomes, _) = listener.play(&[]).expect("outcomes");
        clients.join().expect("clients");
        let verdicts = cases.iter().zip(&outcomes);
        let verdicts = verdicts.map(|(case, outcome)| (&*case.name, judge(case, outcome)));
        assert_eq!(
            verdicts.collect::<Vec<_>>(),
            [
                ("accept-of-another-key", Verdict::Held),
                ("response-in-another-case", Verdict::Held),
                ("mask-set", Verdict::Violated),
                ("masking-keys", Verdict::Violated),
            ]
        );
    }
}
