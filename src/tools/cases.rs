//! **The** table of things that a server must not let pass, each with the section that says so, as
//! bytes to be sent.
//!
//! `parlor poke` plays it against a server; it is also parlor's own regression test
//! (tests/server/poke.rs) and stands among
//! the seeds of the fuzzers (tests/corpus.rs).
//!
//! What the standard leaves to a server (when bad UTF-8 has to show, how long a message may be) is
//! not here.
//!
//! Not here: playing it (`poke`).

use crate::websocket::{Opcode, encode_masked_message};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What `--case` calls it.
    pub name: &'static str,
    /// Where the standard says so.
    pub section: &'static str,
    /// What it demands of a server.
    pub demand: &'static str,
    /// What is sent.
    pub attempt: Attempt,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub enum Attempt {
    /// An opening handshake, which has to be refused.
    Handshake {
        /// The request line; `{target}` stands for the path.
        line: &'static str,
        /// A header that is left out.
        without: &'static str,
        /// Header lines that are added.
        with: &'static str,
    },
    /// Frames behind a right handshake. The connection has to fail.
    Frames {
        /// The close codes that say why.
        codes: &'static [u16],
        /// The frames.
        bytes: fn() -> Vec<u8>,
    },
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
    /// The bytes of a handshake; none where it is about frames.
    pub fn request(&self, host: &str, target: &str) -> Option<Vec<u8>> {
        let Attempt::Handshake {
            line,
            without,
            with,
        } = self.attempt
        else {
            return None;
        };
        let kept = HEADERS.iter().filter(|(name, _)| *name != without);
        let headers: String = kept
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let text = format!("{line}\r\n{headers}{with}\r\n");
        Some(
            text.replace("{host}", host)
                .replace("{target}", target)
                .into_bytes(),
        )
    }
}

/// The key of RFC 6455 §5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame with this first byte: FIN, RSV and opcode, right or wrong.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_masked_message(Opcode::Binary, payload, KEY, &mut bytes);
    bytes[0] = first;
    bytes
}

/// The same with these bytes in the place of its one byte of length.
fn with_length(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(first, payload);
    bytes.splice(1..2, length.iter().copied());
    bytes
}

/// A masked text.
fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload)
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}

const fn refused(
    name: &'static str,
    section: &'static str,
    demand: &'static str,
    without: &'static str,
    with: &'static str,
) -> Case {
    Case {
        name,
        section,
        demand,
        attempt: Attempt::Handshake {
            line: "GET {target} HTTP/1.1",
            without,
            with,
        },
    }
}

const fn refused_line(
    name: &'static str,
    section: &'static str,
    demand: &'static str,
    line: &'static str,
) -> Case {
    Case {
        name,
        section,
        demand,
        attempt: Attempt::Handshake {
            line,
            without: "",
            with: "",
        },
    }
}

const fn fails(
    name: &'static str,
    section: &'static str,
    demand: &'static str,
    bytes: fn() -> Vec<u8>,
) -> Case {
    Case {
        name,
        section,
        demand,
        attempt: Attempt::Frames {
            codes: &[1002],
            bytes,
        },
    }
}

/// A text, or a reason, that is no UTF-8.
const fn no_utf8(name: &'static str, bytes: fn() -> Vec<u8>) -> Case {
    let demand = "text that is not UTF-8 must fail the connection, with 1007";
    Case {
        name,
        section: "RFC 6455 §8.1",
        demand,
        attempt: Attempt::Frames {
            codes: &[1007],
            bytes,
        },
    }
}

const KEY_OF_16: &str = "a request without a key of 16 bytes in base64 must be refused";
const VERSION_13: &str =
    "a request for another version than 13 must be refused (426 says which would do)";
const UPGRADE: &str = "what does not ask for an upgrade to websocket must not get one";
const CONNECTION: &str = "Connection must name Upgrade, or a proxy between did not mean it";
const MASK: &str = "a frame of a client that is not masked must fail the connection";
const RESERVED: &str = "a reserved bit that no extension gave a meaning must fail the connection";
const OPCODE: &str = "an opcode without a meaning must fail the connection";
const WHOLE: &str = "a control frame must not be fragmented";
const SHORT: &str = "a control frame has at most 125 bytes";
const SHORTEST: &str = "a length must be written in the fewest bytes that hold it";
const SIXTY_THREE: &str = "a length of 64 bits must have its highest bit clear";
const ORDER: &str = "a continuation belongs to a message that has begun and not ended";
const ONE_AT_A_TIME: &str = "a message must end before the next one begins";
const CODE: &str = "a close code that must not be in a frame is a protocol error";

/// All of them, in the order of the standard.
pub const CASES: &[Case] = &[
    refused_line(
        "method-post",
        "RFC 6455 §4.2.1, 1",
        "only a GET opens a WebSocket",
        "POST {target} HTTP/1.1",
    ),
    refused_line(
        "http-1.0",
        "RFC 6455 §4.2.1, 1",
        "HTTP/1.0 knows no upgrade",
        "GET {target} HTTP/1.0",
    ),
    refused_line(
        "http-2.0-in-text",
        "RFC 9110 §15.6.6",
        "a version of HTTP that is not spoken must be refused",
        "GET {target} HTTP/2.0",
    ),
    refused_line(
        "target-without-slash",
        "RFC 9112 §3.2",
        "a target must be a path or an address",
        "GET chat HTTP/1.1",
    ),
    refused(
        "host-missing",
        "RFC 9112 §3.2",
        "a request of HTTP/1.1 without Host must be refused (400)",
        "Host",
        "",
    ),
    refused(
        "host-twice",
        "RFC 9112 §3.2",
        "a request with two Host headers must be refused (400)",
        "",
        "Host: elsewhere.example\r\n",
    ),
    refused(
        "space-before-colon",
        "RFC 9112 §5.1",
        "white space between name and colon must be refused (400)",
        "",
        "X : y\r\n",
    ),
    refused(
        "lengths-contradict",
        "RFC 9112 §6.3",
        "two lengths that differ must be refused (400)",
        "",
        "Content-Length: 0\r\nContent-Length: 7\r\n",
    ),
    refused(
        "length-no-number",
        "RFC 9112 §6.3",
        "a length that is no number must be refused (400)",
        "",
        "Content-Length: +0x7\r\n",
    ),
    refused(
        "upgrade-missing",
        "RFC 6455 §4.2.1, 3",
        UPGRADE,
        "Upgrade",
        "",
    ),
    refused(
        "upgrade-to-another",
        "RFC 6455 §4.2.1, 3",
        UPGRADE,
        "Upgrade",
        "Upgrade: h2c\r\n",
    ),
    refused(
        "upgrade-alike",
        "RFC 6455 §4.2.1, 3",
        UPGRADE,
        "Upgrade",
        "Upgrade: websockets\r\n",
    ),
    refused(
        "connection-missing",
        "RFC 6455 §4.2.1, 4",
        CONNECTION,
        "Connection",
        "",
    ),
    refused(
        "connection-close",
        "RFC 6455 §4.2.1, 4",
        CONNECTION,
        "Connection",
        "Connection: close\r\n",
    ),
    refused(
        "connection-alike",
        "RFC 6455 §4.2.1, 4",
        CONNECTION,
        "Connection",
        "Connection: upgraded\r\n",
    ),
    refused(
        "key-missing",
        "RFC 6455 §4.2.1, 5",
        KEY_OF_16,
        "Sec-WebSocket-Key",
        "",
    ),
    refused(
        "key-empty",
        "RFC 6455 §4.2.1, 5",
        KEY_OF_16,
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Key:\r\n",
    ),
    refused(
        "key-of-15-bytes",
        "RFC 6455 §4.2.1, 5",
        KEY_OF_16,
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n",
    ),
    refused(
        "key-of-17-bytes",
        "RFC 6455 §4.2.1, 5",
        KEY_OF_16,
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n",
    ),
    refused(
        "key-no-base64",
        "RFC 6455 §4.2.1, 5",
        KEY_OF_16,
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n",
    ),
    refused(
        "key-twice",
        "RFC 6455 §11.3.1",
        "the key must not stand in a request twice",
        "",
        "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n",
    ),
    refused(
        "version-missing",
        "RFC 6455 §4.2.1, 6",
        VERSION_13,
        "Sec-WebSocket-Version",
        "",
    ),
    refused(
        "version-12",
        "RFC 6455 §4.2.1, 6",
        VERSION_13,
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Version: 12\r\n",
    ),
    refused(
        "version-in-words",
        "RFC 6455 §4.2.1, 6",
        VERSION_13,
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Version: thirteen\r\n",
    ),
    fails("mask-missing", "RFC 6455 §5.1", MASK, || {
        b"\x81\x05Hello".to_vec()
    }),
    fails("mask-missing-empty", "RFC 6455 §5.1", MASK, || {
        b"\x81\x00".to_vec()
    }),
    fails("mask-missing-ping", "RFC 6455 §5.1", MASK, || {
        b"\x89\x00".to_vec()
    }),
    fails("mask-missing-close", "RFC 6455 §5.1", MASK, || {
        b"\x88\x02\x03\xe8".to_vec()
    }),
    fails("mask-missing-later", "RFC 6455 §5.1", MASK, || {
        [frame(0x01, b"Hel"), b"\x80\x02lo".to_vec()].concat()
    }),
    fails("rsv1", "RFC 6455 §5.2", RESERVED, || frame(0xc1, b"Hello")),
    fails("rsv2", "RFC 6455 §5.2", RESERVED, || frame(0xa1, b"Hello")),
    fails("rsv3", "RFC 6455 §5.2", RESERVED, || frame(0x91, b"Hello")),
    fails("rsv-all-empty", "RFC 6455 §5.2", RESERVED, || {
        frame(0xf1, b"")
    }),
    fails("rsv1-ping", "RFC 6455 §5.2", RESERVED, || {
        frame(0xc9, b"Hello")
    }),
    fails("rsv3-close", "RFC 6455 §5.2", RESERVED, || {
        frame(0x98, b"\x03\xe8")
    }),
    fails("rsv2-continuation", "RFC 6455 §5.2", RESERVED, || {
        [frame(0x01, b"Hel"), frame(0xa0, b"lo")].concat()
    }),
    fails("opcode-3", "RFC 6455 §5.2", OPCODE, || frame(0x83, b"")),
    fails("opcode-7", "RFC 6455 §5.2", OPCODE, || {
        frame(0x87, b"Hello")
    }),
    fails("opcode-11", "RFC 6455 §5.2", OPCODE, || frame(0x8b, b"")),
    fails("opcode-15", "RFC 6455 §5.2", OPCODE, || {
        frame(0x8f, b"Hello")
    }),
    fails("opcode-5-within-message", "RFC 6455 §5.2", OPCODE, || {
        [frame(0x01, b"Hel"), frame(0x85, b""), frame(0x80, b"lo")].concat()
    }),
    fails("length-0-in-16-bits", "RFC 6455 §5.2", SHORTEST, || {
        with_length(0x81, b"\xfe\0\0", b"")
    }),
    fails("length-125-in-16-bits", "RFC 6455 §5.2", SHORTEST, || {
        with_length(0x81, b"\xfe\0\x7d", &[b'a'; 125])
    }),
    fails("length-5-in-64-bits", "RFC 6455 §5.2", SHORTEST, || {
        with_length(0x81, b"\xff\0\0\0\0\0\0\0\x05", b"Hello")
    }),
    Case {
        name: "length-2-63",
        section: "RFC 6455 §5.2",
        demand: SIXTY_THREE,
        attempt: Attempt::Frames {
            codes: &[1002, 1009],
            bytes: || with_length(0x82, b"\xff\x80\0\0\0\0\0\0\0", b""),
        },
    },
    Case {
        name: "length-2-64-less-1",
        section: "RFC 6455 §5.2",
        demand: SIXTY_THREE,
        attempt: Attempt::Frames {
            codes: &[1002, 1009],
            bytes: || with_length(0x82, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", b""),
        },
    },
    fails("continuation-of-nothing", "RFC 6455 §5.4", ORDER, || {
        frame(0x80, b"Hello")
    }),
    fails(
        "continuation-of-nothing-open",
        "RFC 6455 §5.4",
        ORDER,
        || frame(0x00, b"Hello"),
    ),
    fails(
        "continuation-after-the-end",
        "RFC 6455 §5.4",
        ORDER,
        || [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")].concat(),
    ),
    fails("text-within-text", "RFC 6455 §5.4", ONE_AT_A_TIME, || {
        [frame(0x01, b"a"), text(b"b")].concat()
    }),
    fails(
        "binary-within-text",
        "RFC 6455 §5.4",
        ONE_AT_A_TIME,
        || [frame(0x01, b"a"), frame(0x02, b"b"), frame(0x80, b"c")].concat(),
    ),
    fails(
        "text-within-text-after-ping",
        "RFC 6455 §5.4",
        ONE_AT_A_TIME,
        || [frame(0x01, b"a"), frame(0x89, b""), text(b"b")].concat(),
    ),
    fails("ping-in-fragments", "RFC 6455 §5.5", WHOLE, || {
        [frame(0x09, b"Hel"), frame(0x80, b"lo")].concat()
    }),
    fails("pong-in-fragments", "RFC 6455 §5.5", WHOLE, || {
        [frame(0x0a, b"Hel"), frame(0x80, b"lo")].concat()
    }),
    fails("close-in-fragments", "RFC 6455 §5.5", WHOLE, || {
        [frame(0x08, b"\x03"), frame(0x80, b"\xe8")].concat()
    }),
    fails("ping-of-126-bytes", "RFC 6455 §5.5", SHORT, || {
        frame(0x89, &[b'a'; 126])
    }),
    fails("pong-of-126-bytes", "RFC 6455 §5.5", SHORT, || {
        frame(0x8a, &[b'a'; 126])
    }),
    fails("close-of-126-bytes", "RFC 6455 §5.5", SHORT, || {
        close(1000, &[b'a'; 124])
    }),
    fails(
        "close-of-1-byte",
        "RFC 6455 §5.5.1",
        "a close frame is empty or begins with a code of two bytes",
        || frame(0x88, b"\x03"),
    ),
    fails("close-0", "RFC 6455 §7.4.2", CODE, || close(0, b"")),
    fails("close-999", "RFC 6455 §7.4.2", CODE, || close(999, b"")),
    fails("close-1004", "RFC 6455 §7.4.1", CODE, || close(1004, b"")),
    fails("close-1005", "RFC 6455 §7.4.1", CODE, || close(1005, b"")),
    fails("close-1006", "RFC 6455 §7.4.1", CODE, || close(1006, b"")),
    fails("close-1015", "RFC 6455 §7.4.1", CODE, || {
        close(1015, b"bye")
    }),
    fails("close-1016", "RFC 6455 §7.4.2", CODE, || close(1016, b"")),
    fails("close-2999", "RFC 6455 §7.4.2", CODE, || close(2999, b"")),
    fails("close-5000", "RFC 6455 §7.4.2", CODE, || close(5000, b"")),
    no_utf8("close-reason-no-utf8", || close(1000, b"\xff")),
    no_utf8("close-reason-cut", || close(1000, b"a\xe2\x82")),
    no_utf8("byte-ff", || text(b"a\xff")),
    no_utf8("byte-80-alone", || text(b"\x80")),
    no_utf8("overlong-slash", || text(b"\xc0\xaf")),
    no_utf8("overlong-nul-in-4-bytes", || text(b"\xf0\x80\x80\x80")),
    no_utf8("surrogate", || text(b"\xed\xa0\x80")),
    no_utf8("surrogate-pair", || text(b"\xed\xa0\xbd\xed\xb8\x80")),
    no_utf8("beyond-unicode", || text(b"\xf4\x90\x80\x80")),
    no_utf8("character-cut-by-the-end", || text(b"a\xe2\x82")),
    no_utf8("character-cut-by-a-letter", || text(b"\xe2\x82a")),
    no_utf8("character-cut-by-the-last-fragment", || {
        [frame(0x01, b"\xe2"), frame(0x80, b"\x82")].concat()
    }),
    no_utf8("character-broken-between-fragments", || {
        [frame(0x01, b"\xe2"), frame(0x89, b""), frame(0x80, b"a")].concat()
    }),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Head;
    use crate::progress::Progress;
    use crate::tools::dissect::{Outcome, walk};
    use crate::websocket::{WebSocket, check};
    use std::collections::HashSet;

    #[test]
    fn each_has_its_own_name_and_breaks_one_rule() {
        let names: HashSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        assert!(CASES.len() >= 60);
        for case in CASES {
            let Attempt::Frames { codes, bytes } = case.attempt else {
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
    fn without_its_fault_a_request_is_right() {
        let right = refused("", "", "", "", "")
            .request("a", "/chat")
            .expect("a request");
        let is_taken = |request: &[u8]| matches!(Head::parse(request, 8192), Ok(Progress::Done { value, .. }) if check(&value).is_ok());
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
