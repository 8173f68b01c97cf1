//! The table of inputs that a server must reject, each with the section that says so. `parlor poke`
//! sends them to a server; parlor's own tests and fuzzers use them too.

use crate::websocket::{Opcode, encode_masked_message};

/// One input that a server must reject.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The name for `--case`.
    pub name: &'static str,
    /// The section of the standard.
    pub section: &'static str,
    /// The behavior that the section requires of a server.
    pub demand: &'static str,
    /// The input to be sent.
    pub attempt: Attempt,
}

/// An input that breaks a rule.
#[derive(Clone, Copy, Debug)]
pub enum Attempt {
    /// An opening handshake, which has to be refused: the request line with `{target}` for the
    /// path, the name of a header that is left out, and header lines that are added.
    Handshake(&'static str, &'static str, &'static str),
    /// Frames after a valid handshake. The connection has to fail with one of these close codes.
    Frames(&'static [u16], fn() -> Vec<u8>),
}

/// The request of RFC 6455 §1.2, as far as a server needs it.
const HEADERS: [(&str, &str); 5] = [
    ("Host", "{host}"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

impl Case {
    /// Returns the bytes of a handshake; `None` if the case is about frames.
    pub fn request(&self, host: &str, target: &str) -> Option<Vec<u8>> {
        let Attempt::Handshake(line, without, with) = self.attempt else {
            return None;
        };
        let mut text = format!("{line}\r\n");
        for (name, value) in HEADERS.iter().filter(|(name, _)| *name != without) {
            text += &format!("{name}: {value}\r\n");
        }
        let text = text.replace("{host}", host).replace("{target}", target);
        Some(format!("{text}{with}\r\n").into_bytes())
    }
}

/// Makes a masked frame with this first byte: FIN, RSV and opcode, valid or not.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d]; // RFC 6455 §5.7
    let mut bytes = Vec::new();
    encode_masked_message(Opcode::Binary, payload, key, &mut bytes);
    bytes[0] = first;
    bytes
}

/// Makes such a frame with these bytes instead of its one byte of length.
fn with_length(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(first, payload);
    bytes.splice(1..2, length.iter().copied());
    bytes
}

/// Makes several frames, each from its first byte and its payload.
fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    let frames = frames.iter();
    frames
        .flat_map(|(first, payload)| frame(*first, payload))
        .collect()
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload)
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}

const fn line(line: &'static str) -> Attempt {
    Attempt::Handshake(line, "", "")
}

const fn headers((without, with): (&'static str, &'static str)) -> Attempt {
    Attempt::Handshake("GET {target} HTTP/1.1", without, with)
}

const fn fails(bytes: fn() -> Vec<u8>) -> Attempt {
    Attempt::Frames(&[1002], bytes)
}

const fn not_utf8(bytes: fn() -> Vec<u8>) -> Attempt {
    Attempt::Frames(&[1007], bytes)
}

const fn fails_or_is_too_big(bytes: fn() -> Vec<u8>) -> Attempt {
    Attempt::Frames(&[1002, 1009], bytes)
}

macro_rules! cases {
    ($($kind:ident, $section:literal, $demand:literal { $($name:literal $what:expr;)* })*) => {
        /// Every case, in the order of the standard.
        pub const CASES: &[Case] = &[$($(Case {
            name: $name,
            section: $section,
            demand: $demand,
            attempt: $kind($what),
        },)*)*];
    };
}

cases! {
    line, "RFC 6455 §4.2.1, 1", "only a GET request of HTTP/1.1 opens a WebSocket" {
        "method-post" "POST {target} HTTP/1.1";
        "http-1.0" "GET {target} HTTP/1.0";
    }
    line, "RFC 9110 §15.6.6", "an unsupported version of HTTP must be refused" {
        "http-2.0-in-text" "GET {target} HTTP/2.0";
    }
    line, "RFC 9112 §3.2", "a request target must be a path or a URL" {
        "target-without-slash" "GET chat HTTP/1.1";
    }
    headers, "RFC 9112 §3.2", "a request must have exactly one Host header (400)" {
        "host-missing" ("Host", "");
        "host-twice" ("", "Host: elsewhere.example\r\n");
    }
    headers, "RFC 9112 §5.1", "white space between name and colon must be refused (400)" {
        "space-before-colon" ("", "X : y\r\n");
    }
    headers, "RFC 9112 §6.3", "an invalid Content-Length must be refused (400)" {
        "lengths-contradict" ("", "Content-Length: 0\r\nContent-Length: 7\r\n");
        "length-no-number" ("", "Content-Length: +0x7\r\n");
    }
    headers, "RFC 6455 §4.2.1, 3", "without Upgrade: websocket there must be no upgrade" {
        "upgrade-missing" ("Upgrade", "");
        "upgrade-to-another" ("Upgrade", "Upgrade: h2c\r\n");
        "upgrade-alike" ("Upgrade", "Upgrade: websockets\r\n");
    }
    headers, "RFC 6455 §4.2.1, 4",
        "Connection must contain Upgrade: otherwise a proxy in between may have added it" {
        "connection-missing" ("Connection", "");
        "connection-close" ("Connection", "Connection: close\r\n");
        "connection-alike" ("Connection", "Connection: upgraded\r\n");
    }
    headers, "RFC 6455 §4.2.1, 5", "a request without a key of 16 bytes in base64 must be refused" {
        "key-missing" ("Sec-WebSocket-Key", "");
        "key-empty" ("Sec-WebSocket-Key", "Sec-WebSocket-Key:\r\n");
        "key-of-15-bytes" ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n");
        "key-of-17-bytes" ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n");
        "key-no-base64" ("Sec-WebSocket-Key", "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n");
    }
    headers, "RFC 6455 §11.3.1", "a request must not have two keys" {
        "key-twice" ("", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n");
    }
    headers, "RFC 6455 §4.2.1, 6", "any version but 13 must be refused (426 names the right one)" {
        "version-missing" ("Sec-WebSocket-Version", "");
        "version-12" ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 12\r\n");
        "version-in-words" ("Sec-WebSocket-Version", "Sec-WebSocket-Version: thirteen\r\n");
    }
    fails, "RFC 6455 §5.1", "an unmasked frame of a client must fail the connection" {
        "mask-missing" || b"\x81\x05Hello".to_vec();
        "mask-missing-empty" || b"\x81\x00".to_vec();
        "mask-missing-ping" || b"\x89\x00".to_vec();
        "mask-missing-close" || b"\x88\x02\x03\xe8".to_vec();
        "mask-missing-later" || [frame(0x01, b"Hel"), b"\x80\x02lo".to_vec()].concat();
    }
    fails, "RFC 6455 §5.2", "a reserved bit that no extension defines must fail the connection" {
        "rsv1" || frame(0xc1, b"Hello");
        "rsv2" || frame(0xa1, b"Hello");
        "rsv3" || frame(0x91, b"Hello");
        "rsv-all-empty" || frame(0xf1, b"");
        "rsv1-ping" || frame(0xc9, b"Hello");
        "rsv3-close" || frame(0x98, b"\x03\xe8");
        "rsv2-continuation" || frames(&[(0x01, b"Hel"), (0xa0, b"lo")]);
    }
    fails, "RFC 6455 §5.2", "a reserved opcode must fail the connection" {
        "opcode-3" || frame(0x83, b"");
        "opcode-7" || frame(0x87, b"Hello");
        "opcode-11" || frame(0x8b, b"");
        "opcode-15" || frame(0x8f, b"Hello");
        "opcode-5-within-message" || frames(&[(0x01, b"Hel"), (0x85, b""), (0x80, b"lo")]);
    }
    fails, "RFC 6455 §5.2", "a length must be written in the fewest bytes that hold it" {
        "length-0-in-16-bits" || with_length(0x81, b"\xfe\0\0", b"");
        "length-125-in-16-bits" || with_length(0x81, b"\xfe\0\x7d", &[b'a'; 125]);
        "length-5-in-64-bits" || with_length(0x81, b"\xff\0\0\0\0\0\0\0\x05", b"Hello");
    }
    fails_or_is_too_big, "RFC 6455 §5.2", "a length of 64 bits must have its highest bit clear" {
        "length-2-63" || with_length(0x82, b"\xff\x80\0\0\0\0\0\0\0", b"");
        "length-2-64-less-1" || with_length(0x82, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"");
    }
    fails, "RFC 6455 §5.4", "a continuation belongs to a message that has begun and not ended" {
        "continuation-of-nothing" || frame(0x80, b"Hello");
        "continuation-of-nothing-open" || frame(0x00, b"Hello");
        "continuation-after-the-end" || frames(&[(0x01, b"a"), (0x80, b"b"), (0x80, b"c")]);
    }
    fails, "RFC 6455 §5.4", "a message must end before the next one begins" {
        "text-within-text" || frames(&[(0x01, b"a"), (0x81, b"b")]);
        "binary-within-text" || frames(&[(0x01, b"a"), (0x02, b"b"), (0x80, b"c")]);
        "text-within-text-after-ping" || frames(&[(0x01, b"a"), (0x89, b""), (0x81, b"b")]);
    }
    fails, "RFC 6455 §5.5", "a control frame must not be fragmented" {
        "ping-in-fragments" || frames(&[(0x09, b"Hel"), (0x80, b"lo")]);
        "pong-in-fragments" || frames(&[(0x0a, b"Hel"), (0x80, b"lo")]);
        "close-in-fragments" || frames(&[(0x08, b"\x03"), (0x80, b"\xe8")]);
    }
    fails, "RFC 6455 §5.5", "a control frame has at most 125 bytes of payload" {
        "ping-of-126-bytes" || frame(0x89, &[b'a'; 126]);
        "pong-of-126-bytes" || frame(0x8a, &[b'a'; 126]);
        "close-of-126-bytes" || close(1000, &[b'a'; 124]);
    }
    fails, "RFC 6455 §5.5.1", "a close frame is empty or begins with a code of two bytes" {
        "close-of-1-byte" || frame(0x88, b"\x03");
    }
    fails, "RFC 6455 §7.4.2", "a close code that may not be in a frame is a protocol error" {
        "close-0" || close(0, b"");
        "close-999" || close(999, b"");
    }
    fails, "RFC 6455 §7.4.1", "a close code that may not be in a frame is a protocol error" {
        "close-1004" || close(1004, b"");
        "close-1005" || close(1005, b"");
        "close-1006" || close(1006, b"");
        "close-1015" || close(1015, b"bye");
    }
    fails, "RFC 6455 §7.4.2", "a close code that may not be in a frame is a protocol error" {
        "close-1016" || close(1016, b"");
        "close-2999" || close(2999, b"");
        "close-5000" || close(5000, b"");
    }
    not_utf8, "RFC 6455 §8.1", "text that is not UTF-8 must fail the connection with 1007" {
        "close-reason-no-utf8" || close(1000, b"\xff");
        "close-reason-cut" || close(1000, b"a\xe2\x82");
        "byte-ff" || text(b"a\xff");
        "byte-80-alone" || text(b"\x80");
        "overlong-slash" || text(b"\xc0\xaf");
        "overlong-nul-in-4-bytes" || text(b"\xf0\x80\x80\x80");
        "surrogate" || text(b"\xed\xa0\x80");
        "surrogate-pair" || text(b"\xed\xa0\xbd\xed\xb8\x80");
        "beyond-unicode" || text(b"\xf4\x90\x80\x80");
        "character-cut-by-the-end" || text(b"a\xe2\x82");
        "character-cut-by-a-letter" || text(b"\xe2\x82a");
        "character-cut-by-the-last-fragment" || frames(&[(0x01, b"\xe2"), (0x80, b"\x82")]);
        "character-broken-between-fragments"
            || frames(&[(0x01, b"\xe2"), (0x89, b""), (0x80, b"a")]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Head;
    use crate::progress::Progress;
    use crate::tools::dissect::{Outcome, walk};
    use crate::websocket::{WebSocket, check};
    use std::collections::HashSet;

    #[test]
    fn cases_have_unique_names_and_break_their_rule() {
        let names: HashSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        assert!(CASES.len() >= 60);
        for case in CASES {
            let Attempt::Frames(codes, bytes) = case.attempt else {
                continue;
            };
            match walk(&bytes(), WebSocket::server(1 << 20))
                .last()
                .map(|step| step.outcome)
            {
                Some(Outcome::Broken(violation)) => {
                    let rule = violation.rule();
                    let (code, sentence) = (rule.code, rule.reason);
                    assert!(codes.contains(&code.get()), "{}: {sentence}", case.name);
                    let section = case.section.replace('§', "");
                    let family = section
                        .split(',')
                        .next()
                        .unwrap_or_default()
                        .trim_end_matches(".1")
                        .trim_end_matches(".2");
                    assert!(
                        sentence.starts_with(family),
                        "{}: {sentence} and not {}",
                        case.name,
                        case.section
                    );
                }
                other => panic!("{}: {other:?}", case.name),
            }
        }
    }

    #[test]
    fn requests_are_valid_without_their_fault() {
        let right = Case {
            name: "",
            section: "",
            demand: "",
            attempt: headers(("", "")),
        };
        let right = right.request("a", "/chat").expect("a request");
        let is_taken = |request: &[u8]| match Head::parse(request, 8192) {
            Ok(Progress::Done { value, .. }) => check(&value).is_ok(),
            _ => false,
        };
        assert!(is_taken(&right));
        for case in CASES {
            assert!(
                case.request("a", "/chat")
                    .is_none_or(|request| !is_taken(&request)),
                "{}",
                case.name
            );
        }
    }
}
