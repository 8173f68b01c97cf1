//! Plays a case against a server or client and records what comes back.

use super::cases::{Case, Expected, Script, Step};
use super::model::Message;
use super::server::{KEY, Server};
use super::session::{End, Log, PING_DELAY, Reaction, Session};
use crate::tools::dissect::plural;
use crate::websocket::Opcode;
use std::time::{Duration, Instant};

/// The length of a pause within an input.
const PAUSE: Duration = Duration::from_millis(400);
/// The time for which a slow reader reads nothing.
const DEAF_TIME: Duration = Duration::from_millis(600);
/// The time after which an unfinished head is ended by the server, in timeouts.
const SLOW_TIMEOUTS: u32 = 3;
/// The bytes of each direction that are kept for a report.
const REPORTED_BYTES: usize = 256;

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

/// Creates the outcome of a case that was not played.
impl From<End> for Outcome {
    fn from(end: End) -> Self {
        Self {
            end,
            ..Self::default()
        }
    }
}

impl Outcome {
    /// Creates the outcome of a case that ended this way on this stream.
    fn new(end: End, mut session: Session) -> Self {
        for log in [&mut session.sent, &mut session.received] {
            log.start.truncate(REPORTED_BYTES);
        }
        Self {
            answers: session.answers,
            sent: session.sent,
            received: session.received,
            ..Self::from(end)
        }
    }

    /// Returns whether the answers are those that the case demands. Messages are compared in their
    /// order, and pongs in theirs, because a pong may come before the echo of an earlier message
    /// (RFC 6455 §5.5.2: as soon as is practical).
    pub(super) fn is_expected(&self) -> bool {
        in_kinds(&self.answers) == in_kinds(&self.expected)
    }

    /// Returns whether the messages are not the first ones that the case demands. Pongs don't
    /// count: one that answers no ping is allowed (RFC 6455 §5.5.3).
    pub(super) fn has_other_message(&self) -> bool {
        let [(messages, _), (expected, _)] =
            [&self.answers, &self.expected].map(|all| in_kinds(all));
        !expected.starts_with(&messages)
    }

    /// Returns whether only pongs are missing, and not the last one: a peer that has not answered
    /// several pings may answer the latest alone (RFC 6455 §5.5.3).
    pub(super) fn lacks_only_pongs(&self) -> bool {
        let ((messages, pongs), (expected, demanded)) =
            (in_kinds(&self.answers), in_kinds(&self.expected));
        let mut rest = demanded.iter();
        let is_in_order = pongs.iter().all(|pong| rest.any(|one| one == pong));
        messages == expected && is_in_order && pongs.last() == demanded.last()
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
        let is_wrong = !self.is_expected() && !self.expected.is_empty();
        match self.end {
            End::Answers | End::Pong if is_wrong => {
                let (answers, expected) = (names(&self.answers), names(&self.expected));
                format!("answered with {answers} instead of {expected}")
            }
            _ => self.end.sentence(),
        }
    }
}

/// Splits answers into messages and pongs.
fn in_kinds(answers: &[Message]) -> (Vec<&Message>, Vec<&Message>) {
    answers.iter().partition(|(opcode, _)| *opcode != 0xa)
}

/// Plays a case on a connection of its own.
pub(super) fn play(case: &Case, server: &Server) -> Outcome {
    let start = Instant::now();
    let played = match case.is_of_handshake() {
        true => play_handshake(case, server),
        false => play_script(case, server),
    };
    let mut outcome = played.unwrap_or_else(|error| End::NotOpened(error).into());
    if case.expected == Expected::Survives
        && let Err(error) = server.open(None)
    {
        outcome.end = End::NotOpened(format!("no connection can be opened then: {error}"));
    }
    outcome.time = start.elapsed();
    outcome
}

fn play_handshake(case: &Case, server: &Server) -> Result<Outcome, String> {
    let mut request = server.request(KEY);
    request.edit(&case.input);
    let timeout = match case.expected {
        Expected::Ends => SLOW_TIMEOUTS * server.timeout,
        _ => server.timeout,
    };
    let (session, response) = server.shake_hands(&request, timeout, |head| {
        let has_extension = head.values("sec-websocket-extensions").next().is_some();
        Ok(End::Status(head.status(), has_extension))
    })?;
    Ok(Outcome::new(response.unwrap_or_else(|end| end), session))
}

fn play_script(case: &Case, server: &Server) -> Result<Outcome, String> {
    let offer = case.offer();
    let session = server.open_patiently(offer.as_deref())?;
    if offer.is_some() && session.compressor.is_none() {
        return Ok(End::NotApplicable("the server does not compress").into());
    }
    let mut case = case.clone();
    if case.input.contains("LIMIT") {
        let Some(limit) = server.refused_length() else {
            return Ok(End::NotApplicable("no message is too long").into());
        };
        case.input = case.input.replace("LIMIT", &limit.to_string());
    }
    play_in(session, &case, server.reactions)
}

/// Plays an opening handshake, to which this is the response, with a client.
pub(super) fn play_response(mut session: Session, response: &[u8]) -> Outcome {
    session.send(response);
    session.ping();
    let end = match session.end.take() {
        None => End::Pong,
        Some(End::HungUp) => End::Refused,
        Some(end) => end,
    };
    Outcome::new(end, session)
}

/// Plays a case on an open connection, for a peer with these reactions to text and to binary
/// messages.
pub(super) fn play_in(
    mut session: Session,
    case: &Case,
    reactions: [Reaction; 2],
) -> Result<Outcome, String> {
    let is_server = session.masks;
    let is_echo = reactions.contains(&Reaction::Echoes);
    let script = Script::parse_with(&case.input, session.compressor.as_mut(), is_echo, is_server);
    let mut script = script.ok_or_else(|| format!("a wrong input: {}", case.input))?;
    let has = |reaction| {
        let mut messages = script.answers.iter().filter(|(opcode, _)| *opcode != 0xa);
        messages.any(|(opcode, _)| reactions[usize::from(*opcode - 1)] == reaction)
    };
    // A server that takes no text at all does not show whether it checks it.
    let is_about_text = matches!(&case.expected, Expected::Fails(codes) if codes[0] == 1007);
    let takes_no_text = is_about_text && reactions[0] == Reaction::Closes;
    if has(Reaction::Closes) || takes_no_text && !case.input.contains("88:") {
        return Ok(End::NotApplicable("the server takes no such messages").into());
    }
    let is_echo = !has(Reaction::GoesOn);
    if !is_echo {
        script.answers.retain(|(opcode, _)| *opcode == 0xa);
    }
    let mut pauses = 0;
    for step in &script.steps {
        play_step(&mut session, step, is_echo);
        if session.end.is_some() {
            break;
        }
        pauses += usize::from(*step == Step::Wait);
    }
    let expected = if is_echo { script.answers.len() } else { 0 };
    match case.expected {
        Expected::Closes(_) => session.receive(None, |_| false),
        Expected::GoesOn if expected > 0 => {
            session.receive(None, |session| session.answers.len() >= expected);
        }
        Expected::GoesOn | Expected::NewKeys => session.ping(),
        _ => {
            session.receive(Some(PING_DELAY), |_| false);
            session.ping();
            // Some servers answer pings before they check text that came earlier.
            session.receive(Some(PAUSE), |_| false);
        }
    }
    if case.expected == Expected::NewKeys
        && let Some(error) = session.received.repeated_key()
    {
        session.end = Some(End::Invalid(error));
    }
    let end = match session.end.take() {
        None if session.is_answered => End::Pong,
        None => End::Answers,
        Some(end) => end,
    };
    let must_go_on = matches!(case.expected, Expected::GoesOn | Expected::NewKeys);
    if must_go_on && matches!(end, End::Pong | End::Answers) {
        session.close();
    }
    let closing = session.end.take();
    let is_closed = matches!(closing.as_ref().unwrap_or(&end), End::Close(..));
    // The server closes the stream first (RFC 6455 §7.1.1).
    let mut is_dropped = !is_server;
    if case.number().is_some() && is_closed && is_server {
        let until = Instant::now() + session.timeout.min(Duration::from_secs(1));
        while Instant::now() < until && !is_dropped {
            is_dropped = session.receive_more(until) == Some(0);
        }
    }
    if !is_echo {
        session.answers.retain(|(opcode, _)| *opcode == 0xa);
    }
    Ok(Outcome {
        expected: script.answers,
        closing,
        is_dropped,
        pauses,
        ..Outcome::new(end, session)
    })
}

fn play_step(session: &mut Session, step: &Step, is_echo: bool) {
    match step {
        Step::Send(bytes, chop, times) => {
            for piece in (0..*times).flat_map(|_| bytes.chunks(*chop)) {
                session.send(piece);
                // The server may end the connection meanwhile.
                session.receive(Some(Duration::ZERO), |_| false);
                if session.end.is_some() {
                    break;
                }
            }
        }
        Step::Wait => session.receive(Some(PAUSE), |_| false),
        Step::Answers(count) if is_echo => {
            session.receive(None, |session| session.answers.len() >= *count);
        }
        Step::Answers(_) => {}
        Step::Deaf => session.deaf_until = Instant::now() + DEAF_TIME,
        Step::HangUp => session.end = Some(End::HungUp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges answers to a message, a ping and a message: whether they are those demanded, and
    /// whether another message is among them.
    fn judged(answers: &[(u8, &str)]) -> (bool, bool) {
        let list = |all: &[(u8, &str)]| {
            let messages = all.iter().map(|(opcode, text)| (*opcode, (*text).into()));
            messages.collect()
        };
        let outcome = Outcome {
            answers: list(answers),
            expected: list(&[(0x1, "one"), (0xa, ""), (0x1, "two")]),
            ..Outcome::default()
        };
        (outcome.is_expected(), outcome.has_other_message())
    }

    #[test]
    fn pong_may_overtake_an_echo_but_messages_keep_their_order() {
        let [one, two, pong] = [(0x1, "one"), (0x1, "two"), (0xa, "")];
        assert_eq!(judged(&[one, pong, two]), (true, false));
        assert_eq!(judged(&[pong, one, two]), (true, false));
        assert_eq!(judged(&[pong]), (false, false));
        assert_eq!(judged(&[one, pong, pong]), (false, false));
        assert_eq!(judged(&[two, one, pong]), (false, true));
        assert_eq!(judged(&[one, two, pong, two]), (false, true));
    }
}
