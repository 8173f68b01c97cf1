//! The same bytes to parlor and to tungstenite: the same messages in the same order, and both go on
//! or both refuse.
//!
//! Input: the bytes; the last one's low bit says which end takes them. Allowed to differ, and
//! nothing else:
//! - §5.2, lengths in more bytes than they need: tungstenite takes them, here they are refused,
//!   since the standard says MUST (and §5.5: a control frame's length never stands in such a form,
//!   which is refused before it has come). Where that is what parlor refuses, the messages up to
//!   there are still compared;
//! - §7.4, close codes: tungstenite hands out a close frame whose code may not be sent, with 1002
//!   in its place; and 1014, which the registry of §11.7 got later (Bad Gateway), is among those
//!   for it;
//! - when: parlor refuses at the first byte that tells, tungstenite at the end of the frame (§5.2,
//!   §5.5), of the fragment (§8.1) or of the payload (a length beyond the limit in sum). So where
//!   parlor refused, the frame is filled up with zeros before tungstenite is asked. Which rule it
//!   names where several are broken follows from that: a code that may not be sent with a reason
//!   that is not UTF-8 is refused for the reason.

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
        (Some(Violation::CloseCode { .. }), seen)
        | (None, [seen @ .., (8, _)])
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

/// Whether it ended with a close frame of the code 1014.
fn is_1014(machine: &Machine) -> bool {
    let payload = machine.seen.last().map(|(_, payload)| payload);
    payload.is_some_and(|payload| payload.starts_with(&1014_u16.to_be_bytes()))
}

/// What tungstenite makes of these bytes, up to a close frame, and whether it refused.
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
            Ok(Theirs::Frame(_)) => unreachable!("tungstenite hands out no raw frames"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (seen, false);
            }
            Err(_) => return (seen, true),
        });
    }
}

/// A socket of memory: all the bytes are there, and no more come.
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
