//! Bytes from the network, for either end of a connection (RFC 6455 §5.2).
//!
//! Input: the bytes; the last two say how they are cut into pieces. Asserted:
//! - a part of a header gives no error if the whole header gives none. An error stays the same
//!   whatever bytes follow;
//! - `encode(decode(x)) = x` for headers, and for the messages of whole frames;
//! - any cutting gives the same events, the same error and the same replies;
//! - the other end accepts the reply to a close frame, and it has the same code;
//! - `dissect` gives the same frames and puts each bit of a header into one field. Walking over
//!   them gives as many messages, and the same broken rule;
//! - the bound on held bytes and the silence after the end, which `machine` asserts.

use parlor::progress::Progress;
use parlor::tools::dissect::{Outcome, walk};
use parlor::tools::test::model::Message;
use parlor::websocket::{FrameHeader, Opcode, Violation, encode_masked_message, encode_message};

#[path = "machine.rs"]
mod machine;
use machine::Machine;

pub fn check(data: &[u8]) {
    let [bytes @ .., first, second] = data else {
        return;
    };
    header(bytes);
    for client in [false, true] {
        let whole = Machine::of(client, None, bytes, [usize::MAX; 2]);
        for pieces in [
            [1, 1],
            [1 + usize::from(first % 24), 1 + usize::from(second % 24)],
        ] {
            assert_eq!(
                results(&Machine::of(client, None, bytes, pieces)),
                results(&whole),
                "in pieces of {pieces:?}"
            );
        }
        taken_apart(client, bytes, &whole);
        let mut frames = Vec::new();
        whole
            .seen
            .iter()
            .for_each(|seen| encode(seen, client, &mut frames));
        assert_eq!(
            Machine::of(client, None, &frames, [usize::MAX; 2]).seen,
            whole.seen,
            "after encoding the messages again"
        );
        let answered = Machine::of(!client, None, &whole.replies, [usize::MAX; 2]);
        match whole.seen.last() {
            Some((8, payload)) => {
                assert_eq!(
                    answered.seen,
                    [(8, payload[..payload.len().min(2)].to_vec())]
                )
            }
            _ => assert!(whole.replies.is_empty(), "only a close frame is answered"),
        }
    }
}

fn taken_apart(client: bool, bytes: &[u8], whole: &Machine) {
    let (mut seen, mut failed, mut end, mut is_lost) = (0, None, 0, false);
    for step in walk(bytes, Machine::with(client, None).websocket) {
        assert_eq!(step.at, end, "frames follow each other without a gap");
        end += step.frame.header_bytes + step.frame.payload.len();
        let bits: usize = step.frame.fields.iter().map(|field| field.bits.len()).sum();
        assert_eq!(
            bits,
            8 * step.frame.header_bytes,
            "each bit is in one field"
        );
        assert!(
            step.frame
                .fields
                .last()
                .is_some_and(|field| step.at + field.to == end),
            "the fields cover the frame up to its last byte"
        );
        // After a close frame nothing is parsed, so the end of a frame with an invalid header is
        // not known.
        is_lost = step.frame.header.is_err();
        match step.outcome {
            Outcome::Whole(..) => seen += 1,
            Outcome::Broken(violation) => failed = Some(violation),
            Outcome::Fragment | Outcome::Unfinished | Outcome::Unread => {}
        }
    }
    assert_eq!((seen, failed), (whole.seen.len(), whole.failed));
    assert!(
        failed.is_some() || is_lost || end == bytes.len(),
        "the frames cover all bytes"
    );
}

fn results(machine: &Machine) -> (&[Message], Option<Violation>, &[u8]) {
    (&machine.seen, machine.failed, &machine.replies)
}

/// Encodes a message as one frame for the given end.
fn encode((opcode, payload): &Message, to_client: bool, out: &mut Vec<u8>) {
    let opcode = Opcode::try_from(*opcode).expect("the opcode was accepted");
    if to_client {
        encode_message(opcode, payload, out)
    } else {
        encode_masked_message(opcode, payload, [1, 2, 3, 0xFF], out)
    }
}

fn header(bytes: &[u8]) {
    let longest = &bytes[..bytes.len().min(FrameHeader::BYTES_MAX)];
    let whole = FrameHeader::decode(longest);
    let end = match whole {
        Ok(Progress::Done { value, used }) => {
            let mut encoded = Vec::new();
            value.encode(&mut encoded);
            assert_eq!(encoded, longest[..used]);
            used
        }
        Ok(Progress::NeedMore) => longest.len(),
        Err(_) => (0..=longest.len())
            .find(|&end| FrameHeader::decode(&longest[..end]).is_err())
            .unwrap_or_default(),
    };
    assert!(
        (0..end).all(|end| FrameHeader::decode(&longest[..end]) == Ok(Progress::NeedMore)),
        "a part of a header gives no error"
    );
    assert!(
        (end..=longest.len()).all(|end| FrameHeader::decode(&longest[..end]) == whole),
        "the bytes after a header change nothing"
    );
}
