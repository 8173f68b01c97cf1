//! Bytes as they come from the network, to either end of a connection (RFC 6455 §5.2).
//!
//! Input: the bytes; the last two say how they are cut. Asserted:
//! - a header's beginning is never wrong where the header is right, and what is wrong stays wrong
//!   whatever follows;
//! - `encode(decode(x)) = x`, for headers and for what was made of whole frames;
//! - any cutting gives the same events, the same error, the same replies;
//! - the answer to a close frame is one that the other end takes, with the same code;
//! - taken apart for a person (`dissect`) they are the same frames, each bit of a header in one
//!   field, and a walk over them comes to the same messages and the same broken rule;
//! - what `machine` asserts: held bytes, and silence after the end.

use parlor::progress::Progress;
use parlor::tools::dissect::{Outcome, walk};
use parlor::tools::test::model::Message;
use parlor::websocket::{
    FrameHeader, Opcode, Violation, encode_masked_message, encode_message,
};

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
            "written out again"
        );
        let answered = Machine::of(!client, None, &whole.replies, [usize::MAX; 2]);
        match whole.seen.last() {
            Some((8, payload)) => {
                assert_eq!(answered.seen, [(8, payload[..payload.len().min(2)].to_vec())])
            }
            _ => assert!(whole.replies.is_empty(), "nothing else is answered here"),
        }
    }
}

fn taken_apart(client: bool, bytes: &[u8], whole: &Machine) {
    let (mut seen, mut failed, mut end, mut is_lost) = (0, None, 0, false);
    for step in walk(bytes, Machine::with(client, None).websocket) {
        assert_eq!(step.at, end, "one frame behind the other");
        end += step.frame.header_bytes + step.frame.payload.len();
        let bits: usize = step.frame.fields.iter().map(|field| field.bits.len()).sum();
        assert_eq!(bits, 8 * step.frame.header_bytes, "each bit of the header");
        assert!(
            step.frame
                .fields
                .last()
                .is_some_and(|field| step.at + field.to == end),
            "up to the last byte"
        );
        // Behind a close frame nobody reads, and so nobody knows where a frame ends whose header is
        // wrong.
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
        "to the end"
    );
}

fn results(machine: &Machine) -> (&[Message], Option<Violation>, &[u8]) {
    (&machine.seen, machine.failed, &machine.replies)
}

/// The frame that says this to the given end.
fn encode((opcode, payload): &Message, to_client: bool, out: &mut Vec<u8>) {
    let opcode = Opcode::try_from(*opcode).expect("an opcode that was taken");
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
        "a beginning is never wrong"
    );
    assert!(
        (end..=longest.len()).all(|end| FrameHeader::decode(&longest[..end]) == whole),
        "what follows changes nothing"
    );
}
