//! Plays a case against a server and records what comes back.

use super::cases::{Case, Expected, Script, Step, frame};
use super::codec::{Codec, MESSAGE_BYTES};
use super::model::Message;
use super::transport::{HEAD_BYTES, Log, Target, Transport};
use crate::http::ResponseHead;
use crate::progress::Progress;
use crate::text::EscapedText;
use crate::tools::dissect::plural;
use crate::websocket::{CloseCode, CloseFrame, FrameHeader, Opcode};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The time from invalid frames to the ping. A server that hangs up before it has read the ping
/// resets the connection, which could lose its close frame.
const PING_DELAY: Duration = Duration::from_millis(200);
/// The length of a pause within an input.
const PAUSE: Duration = Duration::from_millis(400);
/// The time for which a slow reader reads nothing.
const DEAF_TIME: Duration = Duration::from_millis(600);
pub(super) const PING: &[u8] = b"still there?";
/// A valid `Sec-WebSocket-Key` (RFC 6455 §1.2).
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The longest time of a case, however slowly it goes on, in timeouts.
const CASE_TIMEOUTS: u32 = 20;
/// The time after which an unfinished head is ended by the server, in timeouts.
const SLOW_TIMEOUTS: u32 = 3;

/// How a case ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// The response to an opening handshake, and whether it has an extension.
    Status(u16, bool),
    /// A close frame with this code and reason.
    Close(Option<u16>, String),
    /// The end of the stream without a close frame or response.
    #[default]
    HungUp,
    /// The end of the stream after our response to a client's opening handshake.
    Refused,
    /// The ping that followed was answered.
    Pong,
    /// Silence until the timeout.
    Nothing(Duration),
    /// A frame or response that breaks a rule itself.
    Invalid(String),
    /// The opening handshake failed.
    NotOpened(String),
    /// All answers came that were expected.
    Answers,
    /// The case is not for this server.
    NotApplicable(&'static str),
}

impl End {
    pub(super) fn close(payload: &[u8]) -> Self {
        match CloseFrame::decode(payload) {
            Ok(frame) => {
                let reason = EscapedText(frame.reason).to_string();
                Self::Close(frame.code.map(CloseCode::get), reason)
            }
            Err(violation) => Self::Invalid(violation.rule().reason.to_owned()),
        }
    }

    /// Returns what came back in one sentence.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Status(101, false) => "answered 101: it is open".to_owned(),
            Self::Status(101, true) => "answered 101 and chose an extension".to_owned(),
            Self::Status(status @ 400.., _) => format!("refused with {status}"),
            Self::Status(status, _) => format!("no upgrade, but {status}"),
            Self::Close(None, _) => "closed without a code".to_owned(),
            Self::Close(Some(code), reason) => match reason.as_str() {
                "" => format!(
                    "closed with {code}, {}",
                    crate::tools::dissect::code_name(*code)
                ),
                reason => format!("closed with {code}: {reason}"),
            },
            Self::Refused => "ended the connection".to_owned(),
            Self::HungUp => "hung up without an answer".to_owned(),
            Self::Pong => "answered the ping that followed: it goes on".to_owned(),
            Self::Nothing(time) => format!("sent nothing for {time:?}: it waits for more"),
            Self::Invalid(rule) => format!("broke a rule itself: {rule}"),
            Self::NotOpened(error) => error.clone(),
            Self::Answers => "gave an answer".to_owned(),
            Self::NotApplicable(reason) => (*reason).to_owned(),
        }
    }
}

/// The course of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) end: End,
    /// The messages and pongs received, each with its opcode.
    pub(super) answers: Vec<Message>,
    /// The ones that the case demands of this server.
    pub(super) expected: Vec<Message>,
    /// The answer to the close frame that we sent after a case that went on.
    pub(super) closing: Option<End>,
    /// Whether the server closed the stream after the closing handshake.
    pub(super) is_dropped: bool,
    /// The pauses of the input that passed without an end.
    pub(super) pauses: usize,
    pub(super) sent: Log,
    pub(super) received: Log,
    pub(super) time: Duration,
}

impl Outcome {
    /// Creates the outcome of a case that ended this way on this stream.
    fn new(end: End, transport: &Transport) -> Self {
        Self {
            end,
            sent: transport.sent.clone(),
            received: transport.received.clone(),
            ..Self::default()
        }
    }

    /// Creates the outcome of a case that was not played.
    pub(super) fn not_played(end: End) -> Self {
        Self {
            end,
            ..Self::default()
        }
    }

    /// Returns how the connection ended, after our close frame if we sent one.
    pub(super) fn closing_end(&self) -> &End {
        self.closing.as_ref().unwrap_or(&self.end)
    }

    /// Returns what came back in one sentence.
    pub(super) fn sentence(&self) -> String {
        let names = |answers: &[Message]| {
            let names = answers.iter().map(|(opcode, payload)| {
                let name = Opcode::try_from(*opcode).map_or("", Opcode::name);
                format!("{name} of {}", plural(payload.len() as u64, "byte"))
            });
            match answers.len() {
                0 => "nothing".to_owned(),
                1..=3 => names.collect::<Vec<_>>().join(", "),
                more => format!("{more} answers"),
            }
        };
        match (&self.end, self.answers == self.expected) {
            (End::Answers | End::Pong, false) if !self.expected.is_empty() => {
                let (answers, expected) = (names(&self.answers), names(&self.expected));
                format!("answered with {answers} instead of {expected}")
            }
            (end, _) => end.sentence(),
        }
    }
}

/// Messages and control frames from the bytes of a server, or of a client.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) is_of_client: bool,
    bytes: Vec<u8>,
    /// The part of `bytes` that was read.
    read: usize,
    /// The message that has begun, and whether it is compressed.
    message: Option<(u8, Vec<u8>, bool)>,
    codec: Option<Codec>,
}

impl Reader {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.read));
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next message or control frame with its opcode. An error is the rule that the
    /// peer broke.
    pub(super) fn next(&mut self) -> Result<Option<Message>, String> {
        loop {
            let bytes = &self.bytes[self.read..];
            let decoded = FrameHeader::decode(bytes);
            let decoded = decoded.map_err(|violation| violation.rule().reason.to_owned())?;
            let Progress::Done {
                value: header,
                used,
            } = decoded
            else {
                return Ok(None);
            };
            if header.masking_key.is_some() != self.is_of_client {
                return Err("RFC 6455 5.1: a client masks every frame, a server none".to_owned());
            }
            if header.payload_length > MESSAGE_BYTES as u64 {
                return Err(format!("a frame of {} bytes", header.payload_length));
            }
            let end = used + header.payload_length as usize;
            if bytes.len() < end {
                return Ok(None);
            }
            let key = header.masking_key.unwrap_or_default();
            let payload = bytes[used..end].iter().zip(key.iter().cycle());
            let payload: Vec<u8> = payload.map(|(byte, key)| byte ^ key).collect();
            self.read += end;
            match (header.opcode, &mut self.message) {
                (opcode, _) if opcode.is_control() => return Ok(Some((opcode.bits(), payload))),
                (Opcode::Continuation, Some((_, message, _))) => message.extend(payload),
                (Opcode::Continuation, None) | (_, Some(_)) => {
                    return Err("RFC 6455 5.4: fragments out of order".to_owned());
                }
                (opcode, None) => self.message = Some((opcode.bits(), payload, header.rsv1)),
            }
            let Some((opcode, mut message, is_compressed)) = self.message.take_if(|_| header.fin)
            else {
                continue;
            };
            if is_compressed {
                let rule = "RFC 6455 5.2: a reserved bit is set and no extension gave it a meaning";
                message = self.codec.as_mut().ok_or(rule)?.inflate(message)?;
            }
            if opcode == Opcode::Text.bits() && str::from_utf8(&message).is_err() {
                return Err("RFC 6455 8.1: text must be UTF-8".to_owned());
            }
            return Ok(Some((opcode, message)));
        }
    }
}

/// The reaction of a peer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    Echoes,
    GoesOn,
    Closes,
}

/// A server, and what was found out about it before its cases are played.
pub(super) struct Plan {
    pub(super) target: Target,
    /// Its reactions to text and to binary messages.
    pub(super) reactions: [Reaction; 2],
    /// Whether it sends messages before it has received one.
    pub(super) speaks_first: bool,
}

impl Plan {
    /// Checks that the server answers a ping. An error is what came instead.
    pub(super) fn ping(&self) -> Result<(), String> {
        let mut session = Session::open(self, None)?.0;
        session.ping();
        session.end.map_or(Ok(()), |end| Err(end.sentence()))
    }

    pub(super) fn reaction_to(&self, opcode: u8) -> Reaction {
        match Session::open(self, None) {
            Ok((mut session, _)) => session.probe(opcode),
            Err(_) => Reaction::Closes,
        }
    }

    /// Returns the shortest message that the server refuses as too long, of some lengths in bytes.
    fn refused_length(&self) -> Option<usize> {
        (17..=23).map(|bits| 1 << bits).find(|length| {
            let Ok((mut session, _)) = Session::open(self, None) else {
                return false;
            };
            session.send(0x82, &vec![0; *length]);
            session.send(0x80, b"");
            session.receive(None, |_| false);
            matches!(session.end, Some(End::Close(Some(1009), _)))
        })
    }
}

/// An open connection with what came back so far.
pub(super) struct Session {
    pub(super) transport: Transport,
    reader: Reader,
    pub(super) answers: Vec<Message>,
    /// Whether the ping was answered that judges the connection.
    pub(super) is_answered: bool,
    pub(super) end: Option<End>,
    timeout: Duration,
    give_up: Instant,
}

impl Session {
    /// Opens a connection with this offer; returns whether it was accepted.
    fn open(plan: &Plan, offer: Option<&str>) -> Result<(Self, Option<Codec>), String> {
        // One more try: a server may have a limit, and close others late.
        let opened = plan.target.open(offer).or_else(|_| {
            sleep(PAUSE);
            plan.target.open(offer)
        })?;
        let session = Self::with_server(plan, opened.transport);
        Ok((session, Codec::negotiated(&opened.extensions)))
    }

    /// Creates the state of a connection to a server, after the messages that it sends first.
    pub(super) fn with_server(plan: &Plan, transport: Transport) -> Self {
        let mut session = Self::new(transport, false, plan.target.timeout);
        if plan.speaks_first {
            session.ping();
            (session.answers, session.is_answered) = (Vec::new(), false);
            session.transport.forget();
        }
        session
    }

    /// Creates the state of a connection after its opening handshake.
    pub(super) fn new(transport: Transport, is_of_client: bool, timeout: Duration) -> Self {
        Self {
            transport,
            reader: Reader {
                is_of_client,
                ..Reader::default()
            },
            answers: Vec::new(),
            is_answered: false,
            end: None,
            timeout,
            give_up: Instant::now() + CASE_TIMEOUTS * timeout,
        }
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.answers.iter().filter(|(opcode, _)| *opcode < 8)
    }

    pub(super) fn send(&mut self, first: u8, payload: &[u8]) {
        let masks = !self.reader.is_of_client;
        self.transport
            .send(&frame(first, payload.to_vec(), masks).bytes());
    }

    /// Sends a ping, and waits for its pong.
    pub(super) fn ping(&mut self) {
        self.send(0x89, PING);
        self.receive(None, |session| session.is_answered);
    }

    /// Sends a close frame, and waits for the answer.
    pub(super) fn close(&mut self) {
        self.send(0x88, &1000_u16.to_be_bytes());
        self.receive(None, |_| false);
    }

    /// Plays an opening handshake, to which this is the response.
    pub(super) fn play_response(mut self, response: &[u8]) -> Outcome {
        self.transport.send(response);
        self.ping();
        let end = match self.end.take() {
            None => End::Pong,
            Some(End::HungUp) => End::Refused,
            Some(end) => end,
        };
        Outcome::new(end, &self.transport)
    }

    /// Sends a message of this opcode, and returns the peer's reaction.
    pub(super) fn probe(&mut self, opcode: u8) -> Reaction {
        let message = &(opcode, b"parlor test".to_vec());
        self.send(0x80 | opcode, &message.1);
        self.ping();
        self.receive(Some(PING_DELAY), |session| {
            session.answers.contains(message)
        });
        match self.end {
            _ if self.answers.contains(message) => Reaction::Echoes,
            None => Reaction::GoesOn,
            Some(_) => Reaction::Closes,
        }
    }

    /// Sends and receives until `is_done`, at most for `time`, and as long as the server does
    /// something. Sets `end` if the connection ends.
    pub(super) fn receive(&mut self, time: Option<Duration>, is_done: impl Fn(&Self) -> bool) {
        let until = time.map(|time| Instant::now() + time);
        while !is_done(self) && self.end.is_none() {
            match self.reader.next() {
                Err(rule) => self.end = Some(End::Invalid(rule)),
                Ok(Some((0xa, payload))) if payload == PING => self.is_answered = true,
                Ok(Some((0x8, payload))) => self.end = Some(End::close(&payload)),
                Ok(Some((0x9, _))) => {}
                Ok(Some(answer)) => self.answers.push(answer),
                Ok(None) => {
                    let next = self.deadline().min(until.unwrap_or(self.give_up));
                    match self.transport.exchange_or_flush(next) {
                        Some(bytes) if bytes.is_empty() => self.end = Some(End::HungUp),
                        Some(bytes) => self.reader.add(&bytes),
                        None if Instant::now() >= self.deadline() => {
                            self.end = Some(End::Nothing(self.timeout));
                        }
                        None if until.is_some_and(|until| Instant::now() >= until) => return,
                        None => {}
                    }
                }
            }
        }
    }

    /// Returns the time at which a server that does nothing is given up.
    fn deadline(&self) -> Instant {
        (self.transport.progress + self.timeout).min(self.give_up)
    }
}

/// Plays a case on a connection of its own.
pub(super) fn play(case: &Case, plan: &Plan) -> Outcome {
    let start = Instant::now();
    let played = match case.is_of_handshake() {
        true => play_handshake(case, plan),
        false => play_script(case, plan),
    };
    let not_opened = |error| Outcome::not_played(End::NotOpened(error));
    let mut outcome = played.unwrap_or_else(not_opened);
    if case.expected == Expected::Survives
        && let Err(error) = plan.target.open(None)
    {
        outcome.end = End::NotOpened(format!("no connection can be opened then: {error}"));
    }
    outcome.time = start.elapsed();
    outcome
}

fn play_handshake(case: &Case, plan: &Plan) -> Result<Outcome, String> {
    let (mut transport, mut request) = (plan.target.connect()?, plan.target.request(KEY));
    case.apply(&mut request);
    transport.send(&request.bytes());
    let timeout = match case.expected {
        Expected::Ends => SLOW_TIMEOUTS * plan.target.timeout,
        _ => plan.target.timeout,
    };
    let end = read_response(&mut transport, timeout);
    Ok(Outcome::new(end, &transport))
}

/// Reads the response to an opening handshake.
pub(super) fn read_response(transport: &mut Transport, timeout: Duration) -> End {
    let Some(received) = transport.receive_response(timeout) else {
        return End::Nothing(timeout);
    };
    match ResponseHead::parse(&received, HEAD_BYTES) {
        Ok(Progress::NeedMore) => End::HungUp,
        Ok(Progress::Done { value, used }) => {
            let has_extension = value.values("sec-websocket-extensions").next().is_some();
            transport.unread(&received[used..]);
            End::Status(value.status(), has_extension)
        }
        Err(error) => End::Invalid(error.to_owned()),
    }
}

fn play_script(case: &Case, plan: &Plan) -> Result<Outcome, String> {
    let offer = case.offer();
    let (mut session, codec) = Session::open(plan, offer.as_deref())?;
    session.reader.codec = codec;
    let not_applicable = |reason| Ok(Outcome::not_played(End::NotApplicable(reason)));
    if offer.is_some() && session.reader.codec.is_none() {
        return not_applicable("the server does not compress");
    }
    let mut case = case.clone();
    if case.input.contains("LIMIT") {
        let Some(limit) = plan.refused_length() else {
            return not_applicable("no message is too long");
        };
        case.input = case.input.replace("LIMIT", &limit.to_string());
    }
    play_in(session, &case, plan.reactions)
}

/// Plays a case on an open connection, for a peer with these reactions to text and to binary
/// messages.
pub(super) fn play_in(
    mut session: Session,
    case: &Case,
    reactions: [Reaction; 2],
) -> Result<Outcome, String> {
    let is_echo = reactions.contains(&Reaction::Echoes);
    let masks = !session.reader.is_of_client;
    let script = Script::parse_with(&case.input, session.reader.codec.as_mut(), is_echo, masks);
    let mut script = script.ok_or_else(|| format!("a wrong input: {}", case.input))?;
    let has = |reaction| {
        let mut answers = script.answers.iter().filter(|(opcode, _)| *opcode != 0xa);
        answers.any(|(opcode, _)| reactions[usize::from(*opcode - 1)] == reaction)
    };
    // A server that takes no text at all does not show whether it checks it.
    let is_about_text = matches!(&case.expected, Expected::Fails(codes) if codes[0] == 1007);
    let takes_no_text = is_about_text && reactions[0] == Reaction::Closes;
    if has(Reaction::Closes) || takes_no_text && !case.input.contains("88:") {
        let end = End::NotApplicable("the server takes no such messages");
        return Ok(Outcome::not_played(end));
    }
    let is_echo = !has(Reaction::GoesOn);
    if !is_echo {
        script.answers.retain(|(opcode, _)| *opcode == 0xa);
    }
    let mut pauses = 0;
    for step in &script.steps {
        match step {
            Step::Send(bytes, chop, times) => {
                for piece in (0..*times).flat_map(|_| bytes.chunks(*chop)) {
                    session.transport.send(piece);
                    if *times > 1 {
                        session.receive(None, |session| session.transport.is_flushed());
                    }
                    if session.end.is_some() {
                        break;
                    }
                }
            }
            Step::Wait => {
                session.receive(None, |session| session.transport.is_flushed());
                session.receive(Some(PAUSE), |_| false);
                pauses += usize::from(session.end.is_none());
            }
            Step::Answers(count) if is_echo => {
                session.receive(None, |session| session.answers.len() >= *count);
            }
            Step::Answers(_) => {}
            Step::Deaf => session.transport.deaf_until = Instant::now() + DEAF_TIME,
            Step::HangUp => session.end = Some(End::HungUp),
        }
        if session.end.is_some() {
            break;
        }
    }
    match case.expected {
        Expected::Closes(_) => session.receive(None, |_| false),
        Expected::GoesOn if is_echo && !script.answers.is_empty() => {
            session.receive(None, |session| {
                session.answers.len() >= script.answers.len()
            });
        }
        _ => {
            if case.expected != Expected::GoesOn {
                session.receive(None, |session| session.transport.is_flushed());
                session.receive(Some(PING_DELAY), |_| false);
            }
            session.ping();
            // Some servers answer pings before they check text that came earlier.
            if case.expected != Expected::GoesOn {
                session.receive(Some(PAUSE), |_| false);
            }
        }
    }
    let end = match session.end.take() {
        None if session.is_answered => End::Pong,
        None => End::Answers,
        Some(end) => end,
    };
    let goes_on = matches!(end, End::Pong | End::Answers);
    if goes_on && case.expected == Expected::GoesOn {
        session.close();
    }
    let closing = session.end.take();
    // The server closes the stream first (RFC 6455 §7.1.1).
    let mut is_dropped = session.reader.is_of_client;
    let is_closed = matches!(closing.as_ref().unwrap_or(&end), End::Close(..));
    if case.number().is_some() && is_closed && !is_dropped {
        let until = Instant::now() + session.timeout.min(Duration::from_secs(1));
        let transport = &mut session.transport;
        while transport
            .exchange(until)
            .is_some_and(|bytes| !bytes.is_empty())
        {}
        is_dropped = Instant::now() < until;
    }
    if !is_echo {
        session.answers.retain(|(opcode, _)| *opcode == 0xa);
    }
    Ok(Outcome {
        answers: session.answers,
        expected: script.answers,
        closing,
        is_dropped,
        pauses,
        ..Outcome::new(end, &session.transport)
    })
}
