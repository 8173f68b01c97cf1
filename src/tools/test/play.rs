//! Plays a case against a server and records what comes back.

use super::cases::{Case, Expected, Script, Step, frame};
use super::transport::{Log, Opened, Target, Transport};
use crate::http::ResponseHead;
use crate::progress::Progress;
use crate::text::EscapedText;
use crate::websocket::{CloseCode, CloseFrame, FrameHeader, Opcode};
use std::time::{Duration, Instant};

/// The time from invalid frames to the ping. A server that hangs up before it has read the ping
/// resets the connection, which could lose its close frame.
const PING_DELAY: Duration = Duration::from_millis(200);
/// The length of a pause within an input.
const PAUSE: Duration = Duration::from_millis(400);
pub(super) const PING: &[u8] = b"still there?";
/// A longer message of the server breaks off the case.
const MESSAGE_BYTES: u64 = 64 << 20;
const HEAD_BYTES: usize = 64 << 10;
/// A valid `Sec-WebSocket-Key` (RFC 6455 §1.2).
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The response to an opening handshake.
    Status(u16),
    /// A close frame with this code and reason.
    Close(Option<u16>, String),
    /// The end of the stream without a close frame or response.
    HungUp,
    /// The ping that followed was answered.
    Pong,
    /// Silence until the timeout.
    Nothing(Duration),
    /// A frame or response that breaks a rule itself.
    Invalid(String),
    /// The opening handshake failed.
    NotOpened(String),
}

impl End {
    /// Judges the payload of a close frame.
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
            Self::Status(101) => "answered 101: it is open".to_owned(),
            Self::Status(status @ 400..) => format!("refused with {status}"),
            Self::Status(status) => format!("no upgrade, but {status}"),
            Self::Close(None, _) => "closed without a code".to_owned(),
            Self::Close(Some(code), reason) => match reason.as_str() {
                "" => format!("closed with {code}, {}", CloseCode::name_of(*code)),
                reason => format!("closed with {code}: {reason}"),
            },
            Self::HungUp => "hung up without an answer".to_owned(),
            Self::Pong => "answered the ping that followed: it goes on".to_owned(),
            Self::Nothing(time) => format!("sent nothing for {time:?}: it waits for more"),
            Self::Invalid(rule) => format!("broke a rule itself: {rule}"),
            Self::NotOpened(error) => error.clone(),
        }
    }
}

/// The course of a case.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) end: End,
    pub(super) sent: Log,
    pub(super) received: Log,
}

/// Messages and control frames from the bytes of a server.
#[derive(Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    /// The part of `bytes` that was read.
    read: usize,
    /// The message that has begun.
    message: Option<(u8, Vec<u8>)>,
}

impl Reader {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.read));
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next message or control frame with its opcode. An error is the rule that the
    /// server broke.
    pub(super) fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
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
            if header.masking_key.is_some() {
                return Err("RFC 6455 5.1: a server must not mask any frame".to_owned());
            }
            if header.payload_length > MESSAGE_BYTES {
                return Err(format!("a frame of {} bytes", header.payload_length));
            }
            let end = used + header.payload_length as usize;
            if bytes.len() < end {
                return Ok(None);
            }
            let payload = bytes[used..end].to_vec();
            self.read += end;
            match (header.opcode, &mut self.message) {
                (opcode, _) if opcode.is_control() => return Ok(Some((opcode.bits(), payload))),
                (Opcode::Continuation, Some((_, message))) => message.extend(payload),
                (Opcode::Continuation, None) | (_, Some(_)) => {
                    return Err("RFC 6455 5.4: fragments out of order".to_owned());
                }
                (opcode, None) => self.message = Some((opcode.bits(), payload)),
            }
            if let Some((opcode, message)) = self.message.take_if(|_| header.fin) {
                match opcode == Opcode::Text.bits() && str::from_utf8(&message).is_err() {
                    true => return Err("RFC 6455 8.1: text must be UTF-8".to_owned()),
                    false => return Ok(Some((opcode, message))),
                }
            }
        }
    }
}

/// Plays a case on a connection of its own.
pub(super) fn play(case: &Case, target: &Target) -> Outcome {
    let failed = |error: String| Outcome {
        end: End::NotOpened(error),
        sent: Log::default(),
        received: Log::default(),
    };
    if case.expected.is_of_handshake() {
        return match target.connect() {
            Ok(transport) => play_handshake(case, target, transport),
            Err(error) => failed(error),
        };
    }
    let Some(script) = Script::parse(&case.input) else {
        return failed(format!("the table has a wrong input: {}", case.input));
    };
    match target.open(script.offer.as_deref()) {
        Ok(opened) => play_script(case, &script, target, opened),
        Err(error) => failed(error),
    }
}

fn play_handshake(case: &Case, target: &Target, mut transport: Transport) -> Outcome {
    let mut request = target.request("");
    case.apply(&mut request);
    transport.send(&request.bytes(KEY));
    let (end, _) = read_response(&mut transport, target.timeout);
    let (sent, received) = (transport.sent.clone(), transport.received.clone());
    Outcome {
        end,
        sent,
        received,
    }
}

/// Reads the response to an opening handshake. Returns the bytes after it, too.
pub(super) fn read_response(transport: &mut Transport, timeout: Duration) -> (End, Vec<u8>) {
    let (mut received, until) = (Vec::new(), Instant::now() + timeout);
    let end = loop {
        match transport.exchange(until) {
            None => break End::Nothing(timeout),
            Some(bytes) if bytes.is_empty() => break End::HungUp,
            Some(bytes) => received.extend_from_slice(&bytes),
        }
        match ResponseHead::parse(&received, HEAD_BYTES) {
            Ok(Progress::NeedMore) => {}
            Ok(Progress::Done { value, used }) => {
                let status = value.status();
                return (End::Status(status), received.split_off(used));
            }
            Err(error) => break End::Invalid(error.to_owned()),
        }
    };
    (end, Vec::new())
}

fn play_script(case: &Case, script: &Script, target: &Target, opened: Opened) -> Outcome {
    let Opened {
        mut transport,
        rest,
    } = opened;
    let mut reader = Reader::default();
    reader.add(&rest);
    for step in &script.steps {
        match step {
            Step::Send(bytes, chop) => bytes.chunks(*chop).for_each(|piece| transport.send(piece)),
            Step::Wait => {
                if let Some(bytes) = transport.exchange(Instant::now() + PAUSE) {
                    reader.add(&bytes);
                }
            }
        }
    }
    let delay = match case.expected {
        Expected::Fails(_) | Expected::Survives => PING_DELAY,
        _ => Duration::ZERO,
    };
    let mut ping_at = Some(Instant::now() + delay);
    let mut until = Instant::now() + target.timeout;
    let end = loop {
        if ping_at.is_some_and(|at| Instant::now() >= at) && transport.is_flushed() {
            transport.send(&frame(0x89, PING, &[]));
            ping_at = None;
        }
        match reader.next() {
            Err(rule) => break End::Invalid(rule),
            Ok(Some((0xa, payload))) if payload == PING => break End::Pong,
            Ok(Some((0x8, payload))) => break End::close(&payload),
            Ok(Some(_)) => continue,
            Ok(None) => {}
        }
        match transport.exchange(ping_at.unwrap_or(until)) {
            Some(bytes) if bytes.is_empty() => break End::HungUp,
            Some(bytes) => {
                reader.add(&bytes);
                until = Instant::now() + target.timeout;
            }
            None if Instant::now() >= until => break End::Nothing(target.timeout),
            None => {}
        }
    };
    let (sent, received) = (transport.sent.clone(), transport.received.clone());
    Outcome {
        end,
        sent,
        received,
    }
}
