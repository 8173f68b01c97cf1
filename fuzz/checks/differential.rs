//! Passes the same bytes to parlor and to tungstenite. Asserted: both give the same messages in the
//! same order, and both continue or both fail.
//!
//! Input: the bytes; the lowest bit of the last one says which end receives them. Only these
//! differences are allowed:
//! - §5.2, a length in more bytes than it needs: the standard forbids it (MUST), and parlor fails.
//!   tungstenite accepts it. A control frame's length never has a long form (§5.5), and parlor
//!   fails before all of it has arrived. In both cases the messages before it are compared;
//! - §7.4, close codes: for a code that must not be sent, tungstenite returns a close frame with
//!   1002 instead. It counts 1014 among these; the registry of §11.7 got 1014 (Bad Gateway) later;
//! - the moment: parlor fails at the first byte that shows the error. tungstenite fails later: at
//!   the end of the frame (§5.2, §5.5), of the fragment (§8.1), or of the payload (lengths that
//!   exceed the limit together). So after parlor has failed, zeros complete the frame for
//!   tungstenite. If a frame breaks several rules, the two may name different ones: a forbidden
//!   close code with an invalid reason fails as invalid UTF-8.

use std::io::{self, Read, Write};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message as Theirs};

use parlor::tools::test::model::Message;
use parlor::websocket::Violation;

#[path = "machine.rs"]
mod machine;
use machine::{LIMIT, Machine, close};

pub fn check(data: &[u8]) {
    let Some((&end, bytes)) = data.split_last() else {
        return;
    };
    let client = end & 1 == 1;
    let ours = Machine::of(client, None, bytes, [usize::MAX; 2]);
    let padding = if ours.failed.is_some() { LIMIT + 16 } else { 0 };
    let (theirs, refused) = tungstenite(client, [bytes, &vec![0; padding]].concat());
    let replaced = (8, close(Some(1002), "Protocol violation"));
    match (ours.failed, ours.seen.as_slice()) {
        (Some(Violation::LengthForm | Violation::LongControlFrame), seen) => {
            assert!(theirs.starts_with(seen), "{theirs:?}, and not {seen:?}")
        }
        (Some(Violation::CloseCode { .. }), seen) | (None, [seen @ .., (8, _)])
            if ours.failed.is_some() || is_1014(&ours) =>
        {
            assert!(
                theirs == [seen, &[replaced]].concat() || (refused && theirs == seen),
                "{theirs:?}, and not {seen:?}"
            );
        }
        (failed, seen) => assert_eq!(
            (seen, failed.is_some()),
            (theirs.as_slice(), refused),
            "{failed:?}"
        ),
    }
}

/// Whether the last message is a close frame with code 1014.
fn is_1014(machine: &Machine) -> bool {
    let payload = machine.seen.last().map(|(_, payload)| payload);
    payload.is_some_and(|payload| payload.starts_with(&1014_u16.to_be_bytes()))
}

/// The messages that tungstenite gives for these bytes, up to a close frame, and whether it failed.
fn tungstenite(client: bool, bytes: Vec<u8>) -> (Vec<Message>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT))
        .read_buffer_size(1024);
    let role = if client { Role::Client } else { Role::Server };
    let mut websocket = WebSocket::from_raw_socket(Wire { bytes, at: 0 }, role, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match websocket.read() {
            Ok(Theirs::Text(text)) => (1, text.as_bytes().to_vec()),
            Ok(Theirs::Binary(bytes)) => (2, bytes.to_vec()),
            Ok(Theirs::Ping(bytes)) => (9, bytes.to_vec()),
            Ok(Theirs::Pong(bytes)) => (10, bytes.to_vec()),
            Ok(Theirs::Close(frame)) => {
                let (code, reason) = frame.map_or((None, String::new()), |frame| {
                    (Some(frame.code.into()), frame.reason.to_string())
                });
                seen.push((8, close(code, &reason)));
                return (seen, false);
            }
            Ok(Theirs::Frame(_)) => unreachable!("tungstenite returns no raw frames"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (seen, false);
            }
            Err(_) => return (seen, true),
        });
    }
}

/// An in-memory socket that has these bytes and then no more.
struct Wire {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.bytes[self.at..]).read(buffer)?;
        self.at += read;
        if read == 0 {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            Ok(read)
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
