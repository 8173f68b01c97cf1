//! Bytes in any pieces give the same events: the property, and what other tests need of it.

use parlor::websocket::{
    DeflateParameters, Event, Opcode, Received, Scratch, WebSocket, encode_masked_message,
};

/// The longest message that is taken in these tests, in bytes.
pub const LIMIT: usize = 300;

/// A frame as a client sends it, with any first byte.
pub fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_message(
        Opcode::Binary,
        payload,
        [0x37, 0xfa, 0x21, 0x3d],
        &mut frame,
    );
    frame[0] = first_byte;
    frame
}

/// What a server makes of these bytes, however they are cut; it holds no more than its limit
/// meanwhile.
pub fn in_pieces(bytes: &[u8]) -> Vec<String> {
    in_pieces_with(None, bytes)
}

/// The same, where something was agreed on about compression.
pub fn in_pieces_with(deflate: Option<DeflateParameters>, bytes: &[u8]) -> Vec<String> {
    let whole = events(deflate, bytes, |_| bytes.len());
    for piece_length in 1..bytes.len().min(20) {
        assert_eq!(
            events(deflate, bytes, |_| piece_length),
            whole,
            "in pieces of {piece_length}"
        );
    }
    whole
}

pub fn events(
    deflate: Option<DeflateParameters>,
    bytes: &[u8],
    mut piece_length: impl FnMut(usize) -> usize,
) -> Vec<String> {
    let mut websocket = WebSocket::server(LIMIT).with_deflate(deflate);
    let mut bytes = bytes.to_vec();
    let (mut seen, mut scratch, mut replies, mut at) =
        (Vec::new(), Scratch::default(), Vec::new(), 0);
    while at < bytes.len() {
        let end = bytes.len().min(at + piece_length(at));
        loop {
            match websocket.receive(&mut bytes[at..end], &mut scratch, &mut replies) {
                Ok(Received::Nothing) => break,
                Ok(Received::Event {
                    event: Event::Close(frame),
                    used,
                }) => {
                    at += used;
                    let code = frame
                        .code
                        .map_or("none".to_owned(), |code| code.get().to_string());
                    let replies: String =
                        replies.iter().map(|byte| format!("{byte:02x}")).collect();
                    seen.push(format!("Close({code}), replied {replies}"));
                }
                Ok(Received::Event { event, used }) => {
                    at += used;
                    seen.push(format!("{event:?}"));
                }
                Err(violation) => {
                    assert!(
                        replies.is_empty()
                            && websocket.receive(&mut bytes[at..end], &mut scratch, &mut replies)
                                == Ok(Received::Nothing)
                    );
                    seen.push(format!("{violation:?}"));
                    return seen;
                }
            }
        }
        at = end;
        assert!(
            websocket.held_bytes() <= 2 * LIMIT + 300,
            "{} bytes are held",
            websocket.held_bytes()
        );
    }
    seen
}

/// A small generator (xorshift64*): the same seed gives the same bytes.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }
}

#[test]
fn random_frames_in_random_pieces() {
    for seed in 1..=2_000 {
        let mut random = Random(seed);
        let mut bytes = Vec::new();
        let (mut begun, count) = (false, 1 + random.below(8));
        for _ in 0..count {
            // Mostly legal, so that it goes on; a rule is broken here and there.
            let fin = random.below(3) > 0;
            let (opcode, fin) = match random.below(10) {
                0 | 1 => (9 + random.below(2) as u8, true),
                2 if random.below(4) == 0 => (8, true),
                3 if random.below(4) == 0 => (random.below(16) as u8, fin),
                _ if begun => (0, fin),
                _ => (1 + random.below(2) as u8, fin),
            };
            if opcode < 3 {
                begun = !fin;
            }
            let length =
                [0, 1, 2, 5, 60, 125, 126, 200][random.below(if opcode > 7 { 5 } else { 8 })];
            let text = "Gr\u{fc}\u{df}e \u{20ac} \u{1d11e} ".repeat(20);
            let mut payload = text.as_bytes()[..length.min(text.len())].to_vec();
            if random.below(12) == 0
                && let Some(byte) = payload.last_mut()
            {
                *byte = random.below(256) as u8;
            }
            bytes.extend(frame(if fin { 0x80 } else { 0 } | opcode, &payload));
        }
        let whole = events(None, &bytes, |_| bytes.len());
        for _ in 0..5 {
            assert_eq!(
                events(None, &bytes, |_| 1 + random.below(40)),
                whole,
                "seed {seed}"
            );
        }
    }
}
