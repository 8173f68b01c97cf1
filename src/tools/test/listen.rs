//! `parlor test --listen ADDR:PORT [-- CMD ARGS…]`: tests clients. parlor is the server, and each
//! connection gets one case.
//!
//! A command is started once for each case. Without one, clients connect by themselves: to any
//! path, for the next case, or as test clients of Autobahn do, to `/getCaseCount`,
//! `/runCase?case=N&agent=NAME`, `/getCaseStatus?case=N&agent=NAME` and `/updateReports`.

use super::cases::{Case, Request};
use super::judge::autobahn;
use super::play::{End, Outcome, Reaction, Session, play_in};
use super::transport::{Transport, stop};
use crate::http::Head;
use crate::progress::Progress;
use crate::tools::tool::Failure;
use crate::websocket::check;
use serde_json::json;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const HEAD_BYTES: usize = 64 << 10;
/// The interval in which connections and the command are looked for.
const POLL: Duration = Duration::from_millis(2);
/// The time in which a client has to connect again, in timeouts.
const IDLE_TIMEOUTS: u32 = 6;

/// A server for the clients under test.
pub(super) struct Listener<'a> {
    socket: TcpListener,
    cases: &'a [Case],
    timeout: Duration,
    outcomes: Vec<Option<Outcome>>,
    /// What the client does with text, and with binary messages.
    reactions: [Reaction; 2],
    /// A test client of Autobahn connects, and says when it is done.
    is_autobahn: bool,
    is_over: bool,
}

impl<'a> Listener<'a> {
    /// Listens on an address, for clients that send messages back or not.
    pub(super) fn new(
        address: &str,
        cases: &'a [Case],
        timeout: Duration,
        is_echo: bool,
    ) -> Result<Self, Failure> {
        let socket = TcpListener::bind(address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let wrong =
            |error: io::Error| Failure::Wrong(format!("can't listen on {address}: {error}"));
        Ok(Self {
            socket: socket.map_err(wrong)?,
            cases,
            timeout,
            outcomes: vec![None; cases.len()],
            reactions: [if is_echo {
                Reaction::Echoes
            } else {
                Reaction::GoesOn
            }; 2],
            is_autobahn: false,
            is_over: false,
        })
    }

    pub(super) fn url(&self) -> String {
        let address = self.socket.local_addr().ok();
        format!(
            "ws://{}",
            address
                .as_ref()
                .map_or(String::new(), SocketAddr::to_string)
        )
    }

    /// Plays the cases, each with a command or with the clients that connect.
    pub(super) fn play(mut self, command: &[OsString]) -> Result<Vec<Outcome>, Failure> {
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
        let outcomes = self.outcomes.into_iter();
        Ok(outcomes
            .map(|outcome| outcome.unwrap_or_else(|| not_opened("the client did not connect")))
            .collect())
    }

    fn play_with(&mut self, command: &[OsString]) -> Result<(), Failure> {
        for number in 0..=self.cases.len() {
            // The first connection shows what the client does with messages.
            let path = match number {
                0 => "/getClient".to_owned(),
                number => format!("/runCase?case={number}&agent=client"),
            };
            let words = command.iter().map(|word| {
                word.to_string_lossy()
                    .replace("{url}", &(self.url() + &path))
            });
            let words: Vec<_> = words.collect();
            let mut child = Command::new(&words[0]);
            child
                .args(&words[1..])
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut child = child
                .spawn()
                .map_err(|error| Failure::Wrong(format!("can't run {}: {error}", words[0])))?;
            let is_served = self.serve_one(Some(Instant::now() + self.timeout), Some(&mut child));
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
            let is_ended = child
                .as_mut()
                .is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            match self.socket.accept() {
                Ok((stream, _)) => {
                    // A connection that breaks off concerns its own case.
                    let served = stream.set_nodelay(true).map_err(|it| it.to_string());
                    let _ = served.and_then(|()| self.serve(Transport::of(stream)?));
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

    fn serve(&mut self, mut transport: Transport) -> Result<(), String> {
        let (mut received, until) = (Vec::new(), Instant::now() + self.timeout);
        let (path, query, key, protocol, used) = loop {
            let bytes = transport.exchange(until).ok_or("no request")?;
            received.extend_from_slice(&bytes);
            match Head::parse(&received, HEAD_BYTES) {
                Ok(Progress::Done { value: head, used }) => {
                    check(&head).map_err(|refusal| refusal.sentence.into_owned())?;
                    let text = |name| head.values(name).next().map(String::from_utf8_lossy);
                    let protocol = head
                        .tokens("sec-websocket-protocol")
                        .next()
                        .map(str::to_owned);
                    let key = text("sec-websocket-key").unwrap_or_default().into_owned();
                    break (
                        head.path.to_owned(),
                        head.query.unwrap_or_default().to_owned(),
                        key,
                        protocol,
                        used,
                    );
                }
                Ok(Progress::NeedMore) if !bytes.is_empty() => {}
                _ => return Err("no valid request".to_owned()),
            }
        };
        let number = query
            .split('&')
            .find_map(|part| part.strip_prefix("case=")?.parse().ok());
        let index = number.unwrap_or(0_usize).wrapping_sub(1);
        let case = self.cases.get(index);
        let mut response = Request::response(&key);
        if let Some(protocol) = protocol {
            let name = "Sec-WebSocket-Protocol".to_owned();
            response.headers.push((name, protocol.to_owned()));
        }
        let text = match (path.as_str(), case) {
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
                transport.send(&response.bytes(""));
                let mut session = Session::new(transport, &received[used..], true, self.timeout);
                self.reactions =
                    [1, 2].map(|opcode| session.probe(&(opcode, b"parlor test".to_vec())));
                return Ok(());
            }
            ("/runCase", case) => {
                return self.play_case(case.map(|_| index), transport, response, &received[used..]);
            }
            _ => {
                let next = self.outcomes.iter().position(Option::is_none);
                return self.play_case(next, transport, response, &received[used..]);
            }
        };
        transport.send(&response.bytes(""));
        let mut session = Session::new(transport, &received[used..], true, self.timeout);
        if !text.is_empty() {
            session.send(0x81, text.as_bytes());
        }
        session.send(0x88, &1000_u16.to_be_bytes());
        session.receive(None, |_| false);
        Ok(())
    }

    fn play_case(
        &mut self,
        index: Option<usize>,
        mut transport: Transport,
        mut response: Request,
        rest: &[u8],
    ) -> Result<(), String> {
        let Some((index, case)) = index.and_then(|index| Some((index, self.cases.get(index)?)))
        else {
            return Err("there is no such case".to_owned());
        };
        let start = Instant::now();
        let mut outcome = if case.is_of_handshake() {
            case.apply(&mut response);
            let session = Session::new(transport, rest, true, self.timeout);
            session.play_response(&response.bytes(""))
        } else {
            transport.send(&response.bytes(""));
            transport.forget();
            let session = Session::new(transport, rest, true, self.timeout);
            play_in(session, case, self.reactions)?
        };
        outcome.time = start.elapsed();
        self.outcomes[index] = Some(outcome);
        Ok(())
    }
}

fn not_opened(reason: &str) -> Outcome {
    Outcome {
        end: End::NotOpened(reason.to_owned()),
        ..Outcome::default()
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

    /// Answers the ping, whatever came before it, if the opening handshake is right.
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
        stream.write_all(&pong).ok()?;
        stream.read_to_end(&mut received).ok().map(drop)
    }

    #[test]
    fn client_is_judged_by_its_answer() {
        let mut cases = for_clients();
        let names = [
            "mask-set",
            "accept-of-another-key",
            "response-in-another-case",
        ];
        cases.retain(|case| names.contains(&&*case.name));
        let listener = Listener::new("127.0.0.1:0", &cases, Duration::from_secs(5), false);
        let listener = listener.expect("a free port");
        let url = listener.url();
        let clients = thread::spawn(move || names.map(|_| careless_client(&url)));
        let outcomes = listener.play(&[]).expect("outcomes");
        clients.join().expect("clients");
        let verdicts = cases.iter().zip(&outcomes);
        let verdicts = verdicts.map(|(case, outcome)| (&*case.name, judge(case, outcome)));
        assert_eq!(
            verdicts.collect::<Vec<_>>(),
            [
                ("accept-of-another-key", Verdict::Held),
                ("response-in-another-case", Verdict::Held),
                ("mask-set", Verdict::Violated),
            ]
        );
    }
}
