//! Bytes as the head of a request (RFC 9112 §2 to §6).
//!
//! Input: the bytes; the last one gives the length of the pieces. Asserted:
//! - any pieces give the same result, decided at the same byte;
//! - the result does not depend on the bytes after that one, and is not given before it;
//! - parlor accepts exactly the heads that `reference` accepts, with the same fields;
//! - `httparse` accepts each head that parlor accepts, with the same fields, except later minor
//!   versions;
//! - a head that is written again in canonical form is the same head;
//! - the memory held is bounded by the limit, and is empty after the end of a head.

use parlor::http::{Head, Refusal, Requests};
use parlor::progress::Progress;

#[path = "reference.rs"]
mod reference;

/// The longest head, in bytes.
const LIMIT: usize = 1024;

pub fn check(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_last() else {
        return;
    };
    let whole = Head::parse(bytes, LIMIT);
    in_pieces(bytes, 1 + usize::from(cut % 32), &whole);
    let decided = in_pieces(bytes, 1, &whole);
    assert_eq!(
        Head::parse(&bytes[..decided], LIMIT),
        whole,
        "the bytes after the end change nothing"
    );
    let before = if whole == Ok(Progress::NeedMore) {
        decided
    } else {
        decided - 1
    };
    assert_eq!(
        Head::parse(&bytes[..before], LIMIT),
        Ok(Progress::NeedMore),
        "the result was given too early"
    );
    let expected = reference::parse(bytes).filter(|request| request.head_bytes <= LIMIT);
    match (whole, expected) {
        (Ok(Progress::Done { value, used }), Some(request)) => {
            assert_eq!(used, request.length);
            has_fields(&value, &request);
            if !request.is_later_version {
                agrees_with_httparse(&bytes[..used], &request);
            }
            is_the_same_written_out_again(&value, &request);
        }
        (Ok(Progress::NeedMore), None) => {
            let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
            assert!(bytes.len() < LIMIT && !bytes.windows(4).any(|four| four == b"\r\n\r\n"))
        }
        (Err(refusal), None) => assert!(
            refusal.closes && matches!(refusal.status, 400 | 431 | 505),
            "{refusal:?}"
        ),
        (ours, reference) => panic!("{ours:?}, and the reference says {reference:?}"),
    }
}

/// Asserts that pieces give the same result as the whole. Returns after how many bytes it was
/// decided.
fn in_pieces(
    bytes: &[u8],
    piece_length: usize,
    whole: &Result<Progress<Head<'_>>, Refusal>,
) -> usize {
    let mut requests = Requests::default();
    let mut at = 0;
    for piece in bytes.chunks(piece_length) {
        match requests.receive(piece, LIMIT) {
            Ok(Progress::NeedMore) => at += piece.len(),
            Ok(Progress::Done { value, used }) => {
                at += used;
                assert_eq!(
                    &Ok(Progress::Done { value, used: at }),
                    whole,
                    "in pieces of {piece_length}"
                );
                assert_eq!(requests.held_bytes(), 0);
                return at;
            }
            Err(refusal) => {
                assert_eq!(&Err(refusal), whole, "in pieces of {piece_length}");
                return at + piece.len();
            }
        }
        assert!(requests.held_bytes() <= 2 * LIMIT && at < LIMIT + 2);
    }
    assert_eq!(
        &Ok(Progress::NeedMore),
        whole,
        "in pieces of {piece_length}"
    );
    at
}

fn has_fields(head: &Head<'_>, request: &reference::Request<'_>) {
    assert_eq!(
        (head.method, head.minor_version),
        (request.method, request.minor_version)
    );
    let path = head.query.map_or(head.path.to_owned(), |query| {
        format!("{}?{query}", head.path)
    });
    assert!(head.path.starts_with('/') || (head.path, head.method) == ("*", "OPTIONS"));
    let tail = path.strip_prefix('/').unwrap_or(&path);
    assert!(
        request.target.ends_with(tail),
        "{path} is the end of {}",
        request.target
    );
    for (name, _) in &request.fields {
        let same_name = request
            .fields
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        assert!(
            head.values(name).eq(same_name.map(|(_, value)| *value)),
            "{name}"
        );
    }
}

fn agrees_with_httparse(bytes: &[u8], expected: &reference::Request<'_>) {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut headers);
    assert_eq!(
        request.parse(bytes),
        Ok(httparse::Status::Complete(bytes.len()))
    );
    assert_eq!(
        (request.method, request.path, request.version),
        (
            Some(expected.method),
            Some(expected.target),
            Some(expected.minor_version)
        )
    );
    assert!(
        request
            .headers
            .iter()
            .map(|header| (header.name, header.value))
            .eq(expected.fields.iter().copied())
    );
}

fn is_the_same_written_out_again(head: &Head<'_>, request: &reference::Request<'_>) {
    let mut bytes = format!(
        "{} {} HTTP/1.{}\r\n",
        request.method, request.target, request.minor_version
    )
    .into_bytes();
    for (name, value) in &request.fields {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    let Ok(Progress::Done { value, used }) = Head::parse(&bytes, usize::MAX) else {
        panic!("{bytes:?}")
    };
    assert_eq!((used, value.bytes), (bytes.len(), &bytes[..]));
    let fields = |head: &Head<'_>| {
        format!(
            "{:?}",
            (
                head.method,
                head.path,
                head.query,
                head.minor_version,
                head.host
            )
        )
    };
    assert_eq!(fields(&value), fields(head));
    assert!(value.headers().eq(head.headers()));
}
