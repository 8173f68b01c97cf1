//! Bytes in any pieces give the same events: the property, and helpers for other tests.

use parlor::random::Random;
use parlor::websocket::{
    DeflateParameters, Event, Opcode, Progress, Scratch, WebSocket, encode_masked_message,
};

/// The longest message that is accepted in these tests, in bytes.
pub const LIMIT: usize = 300;

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

#[test]
fn random_frames_give_the_same_events_in_random_pieces() {
    let text = "Gr\u{fc}\u{df}e \u{20ac} \u{1d11e} ".repeat(20);
    for seed in 1..=2_000 {
        let mut random = Random::new(seed);
        let (mut bytes, mut in_message) = (Vec::new(), false);
        for _ in 0..1 + random.below(8) {
            // Mostly legal frames; a few break a rule.
            let fin = random.below(3) > 0;
            let (opcode, fin) = match random.below(10) {
                0 | 1 => (9 + random.below(2) as u8, true),
                2 if random.below(4) == 0 => (8, true),
                3 if random.below(4) == 0 => (random.below(16) as u8, fin),
                _ if in_message => (0, fin),
                _ => (1 + random.below(2) as u8, fin),
            };
            if opcode < 3 {
                in_message = !fin;
            }
            let lengths = if opcode > 7 { 5 } else { 8 };
            let length = [0, 1, 2, 5, 60, 125, 126, 200][random.below(lengths)];
            let mut payload = text.as_bytes()[..length].to_vec();
            if random.below(12) == 0
                && let Some(byte) = payload.last_mut()
            {
                *byte = random.below(256) as u8;
            }
            bytes.extend(frame(u8::from(fin) << 7 | opcode, &payload));
        }
        let whole = events(WebSocket::server(LIMIT), &bytes, || bytes.len());
        for _ in 0..5 {
            let pieces = events(WebSocket::server(LIMIT), &bytes, || 1 + random.below(40));
            assert_eq!(pieces, whole, "seed {seed}");
        }
    }
}
