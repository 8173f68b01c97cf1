//! Frames and the events of an endpoint, whole and in pieces. For random frames see `frames` in
//! fuzz/checks, which tests/corpus.rs runs.

use parlor::websocket::{
    DeflateParameters, Event, Opcode, Progress, Scratch, WebSocket, encode_masked_message,
};

/// The longest message that is accepted in these tests, in bytes.
pub const LIMIT: usize = 300;

pub const FIN: u8 = 0x80;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const PING: u8 = 9;

/// Frames as a client sends them, as first bytes and payloads.
pub type Frames<'a> = &'a [(u8, &'a [u8])];

pub fn bytes(frames: Frames<'_>) -> Vec<u8> {
    let frames = frames.iter().map(|(first, payload)| frame(*first, payload));
    frames.collect::<Vec<_>>().concat()
}

/// Returns a frame as a client sends it, with any first byte.
pub fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let key = [0x37, 0xfa, 0x21, 0x3d];
    encode_masked_message(Opcode::Binary, payload, key, &mut frame);
    frame[0] = first_byte;
    frame
}

/// Returns the events of a server for these bytes, which must be the same in pieces of any length.
pub fn in_pieces(deflate: Option<DeflateParameters>, bytes: &[u8]) -> Vec<String> {
    let server = || WebSocket::server(LIMIT).with_deflate(deflate);
    let whole = events(server(), bytes, || bytes.len());
    for length in 1..bytes.len().min(20) {
        let pieces = events(server(), bytes, || length);
        assert_eq!(pieces, whole, "in pieces of {length}");
    }
    whole
}

/// Returns the events of an endpoint, in pieces of these lengths.
pub fn events(
    websocket: WebSocket,
    bytes: &[u8],
    mut piece_length: impl FnMut() -> usize,
) -> Vec<String> {
    let mut websocket = websocket.answering_pings(false);
    let (mut seen, mut scratch, mut replies) = (Vec::new(), Scratch::default(), Vec::new());
    let (mut rest, mut failed) = (&mut bytes.to_vec()[..], false);
    while !rest.is_empty() && !failed {
        let (mut piece, next) = rest.split_at_mut(piece_length().min(rest.len()));
        loop {
            match websocket.receive(piece, &mut scratch, &mut replies) {
                Ok(Progress::NeedMore) => break,
                Ok(Progress::Done { value: event, used }) => {
                    seen.push(match event {
                        Event::Close(frame) => {
                            let code = frame.code.map(|code| code.get());
                            let hex: String =
                                replies.iter().map(|it| format!("{it:02x}")).collect();
                            format!("Close({code:?}), replied {hex}")
                        }
                        event => format!("{event:?}"),
                    });
                    piece = &mut piece[used..];
                }
                Err(violation) => {
                    assert!(replies.is_empty() && !failed, "no more input is read");
                    seen.push(format!("{violation:?}"));
                    failed = true;
                }
            }
        }
        rest = next;
        assert!(websocket.held_bytes() <= 2 * bytes.len() + 300);
    }
    seen
}
