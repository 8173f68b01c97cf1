//! Request heads by RFC 9112: which are refused, with which status, and at which byte.
//!
//! Each row is parsed whole, byte by byte, and cut in two at every place. The result must be the
//! same: it never depends on how the network cuts a stream.

use parlor::http::{Head, Refusal, Requests};
use parlor::progress::Progress;

const LIMIT: usize = 8192;

/// A result that can be compared: the end of the head in the whole stream, and all its fields.
type Answer = Result<Progress<String>, Refusal>;

fn shown(head: &Head<'_>) -> String {
    format!("{head:?}")
}

fn at_once(bytes: &[u8], limit: usize) -> Answer {
    Ok(match Head::parse(bytes, limit)? {
        Progress::NeedMore => Progress::NeedMore,
        Progress::Done { value, used } => Progress::Done {
            value: shown(&value),
            used,
        },
    })
}

fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Answer {
    let (mut requests, mut before) = (Requests::default(), 0);
    for piece in pieces {
        match requests.receive(piece, limit)? {
            Progress::Done { value, used } => {
                return Ok(Progress::Done {
                    value: shown(&value),
                    used: before + used,
                });
            }
            Progress::NeedMore => before += piece.len(),
        }
        assert!(before <= limit && requests.held_bytes() <= 2 * limit);
    }
    Ok(Progress::NeedMore)
}

/// Parses one stream in every way it can be cut in two, and byte by byte.
fn all_ways(name: &str, bytes: &[u8], limit: usize) -> Answer {
    let answer = at_once(bytes, limit);
    for split in 0..=bytes.len() {
        let (first, second) = bytes.split_at(split);
        let cut = in_pieces([first, second], limit);
        assert_eq!(cut, answer, "{name}: cut at {split}");
    }
    let slowly = in_pieces(bytes.chunks(1), limit);
    assert_eq!(slowly, answer, "{name}: byte by byte");
    answer
}

/// Checks that a head is refused with `status` at the last byte of `until`, never before, and also
/// with more bytes after it.
fn refused_at(name: &str, until: &[u8], status: u16, limit: usize) {
    let Err(refusal) = all_ways(name, until, limit) else {
        panic!("{name} is accepted")
    };
    assert_eq!(refusal.status, status, "{name}: {}", refusal.sentence);
    assert!(refusal.closes, "{name}: the connection must close");
    for shorter in 0..until.len() {
        let answer = at_once(&until[..shorter], limit);
        assert_eq!(answer, Ok(Progress::NeedMore), "{name}: {shorter} bytes");
    }
    for behind in [&b"\r\n\r\n"[..], b"Host: a\r\n\r\n", b"\0\xff \n"] {
        let answer = at_once(&[until, behind].concat(), limit);
        assert_eq!(answer, Err(refusal.clone()), "{name}: with more after it");
    }
}

/// Each row has a name, and the bytes up to the one that is refused.
#[test]
#[rustfmt::skip]
fn refused_at_the_first_impossible_byte() {
    let table: &[(&str, &[u8])] = &[
        ("TLS ClientHello", b"\x16"),
        ("a second blank line before the request", b"\r\n\r"),
        ("a bare carriage return before the request", b"\rG"),
        ("a bare line feed before the request", b"\n"),
        ("a space before the request", b" "),
        ("NUL before the request", b"\0"),
        ("a byte beyond ASCII", b"\x80"),
        ("a control character in the method", b"G\x01"),
        ("NUL in the target", b"GET /a\0"),
        ("DEL in the target", b"GET /a\x7f"),
        ("NUL in the version", b"GET / HTTP/1.\0"),
        ("HTTP/0.9 with a bare line feed", b"GET /\n"),
        ("a bare line feed after the version", b"GET / HTTP/1.1\n"),
        ("a bare carriage return after the version", b"GET / HTTP/1.1\rH"),
        ("a bare line feed in a name", b"GET / HTTP/1.1\r\nHost\n"),
        ("NUL in a name", b"GET / HTTP/1.1\r\nHo\0"),
        ("a control character for a name", b"GET / HTTP/1.1\r\n\x01"),
        ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\0"),
        ("a control character in a value", b"GET / HTTP/1.1\r\nHost: a\x1b"),
        ("DEL in a value", b"GET / HTTP/1.1\r\nHost: a\x7f"),
        ("a vertical tab before a length", b"GET / HTTP/1.1\r\nContent-Length: \x0b"),
        ("a form feed after a length", b"GET / HTTP/1.1\r\nContent-Length: 0\x0c"),
        ("a bare line feed after a value", b"GET / HTTP/1.1\r\nHost: a\n"),
        ("a bare carriage return in a value", b"GET / HTTP/1.1\r\nHost: a\rb"),
        ("two carriage returns", b"GET / HTTP/1.1\r\nHost: a\r\r"),
        ("a bare line feed for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
        ("a bare carriage return for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\rx"),
    ];
    for (name, until) in table {
        refused_at(name, until, 400, LIMIT);
    }
}

#[test]
#[rustfmt::skip]
fn refused_at_the_end_of_the_request_line() {
    let table: &[(&str, &str, u16)] = &[
        ("SSH", "SSH-2.0-OpenSSH_9.9", 400),
        ("a header in place of a request", "Host: a", 400),
        ("a method with a slash", "GET/ / HTTP/1.1", 400),
        ("a method followed by a tab", "GET\t/ HTTP/1.1", 400),
        ("a method alone", "GET", 400),
        ("two spaces before the target", "GET  / HTTP/1.1", 400),
        ("two spaces before the version", "GET /  HTTP/1.1", 400),
        ("a space after the version", "GET / HTTP/1.1 ", 400),
        ("a target without slash", "GET i HTTP/1.1", 400),
        ("an empty target", "GET HTTP/1.1", 400),
        ("a target that is a query", "GET ?a HTTP/1.1", 400),
        ("a target that is a fragment", "GET #a HTTP/1.1", 400),
        ("a fragment", "GET /a#b HTTP/1.1", 400),
        ("a tab in the target", "GET /a\tb HTTP/1.1", 400),
        ("UTF-8 in the target", "GET /\u{e4} HTTP/1.1", 400),
        ("asterisk form of GET", "GET * HTTP/1.1", 400),
        ("asterisk form with a path", "OPTIONS *a HTTP/1.1", 400),
        ("authority form", "CONNECT a:80 HTTP/1.1", 400),
        ("authority form of a host that begins like http", "GET h:80 HTTP/1.1", 400),
        ("a word that begins like http", "GET hello HTTP/1.1", 400),
        ("one slash after the scheme", "GET http:/a HTTP/1.1", 400),
        ("a target with another scheme", "GET htcpcp://a/ HTTP/1.1", 400),
        ("no host in the target", "GET http:///a HTTP/1.1", 400),
        ("the preface of HTTP/2", "PRI * HTTP/2.0", 400),
        ("HTTP/0.9 without a version", "GET /", 400),
        ("another protocol", "GET / HTTQ/1.1", 400),
        ("the protocol in lower case", "GET / http/1.1", 400),
        ("no slash in the version", "GET / HTTP1.1", 400),
        ("a letter for the major version", "GET / HTTP/x.1", 400),
        ("a major version of two digits", "GET / HTTP/11.1", 400),
        ("no minor version", "GET / HTTP/1", 400),
        ("a letter for the minor version", "GET / HTTP/1.x", 400),
        ("a minor version of two digits", "GET / HTTP/1.10", 400),
        ("HTTP/2.0", "GET / HTTP/2.0", 505),
        ("HTTP/0.9, spelled out", "GET / HTTP/0.9", 505),
        ("HTTP/3.1", "GET / HTTP/3.1", 505),
    ];
    for (name, line, status) in table {
        refused_at(name, format!("{line}\r\n").as_bytes(), *status, LIMIT);
    }
}

#[test]
#[rustfmt::skip]
fn refused_when_the_head_is_complete() {
    let table: &[(&str, &str)] = &[
        ("white space before the first header", " Host: a\r\n"),
        ("a tab before the first header", "\tHost: a\r\n"),
        ("an empty name", "Host: a\r\n: b\r\n"),
        ("a space before the colon", "Host : a\r\n"),
        ("a tab before the colon", "Host\t: a\r\n"),
        ("a line without colon", "Host: a\r\nHost\r\n"),
        ("a name with a parenthesis", "Host: a\r\nHo(: a\r\n"),
        ("a name beyond ASCII", "Host: a\r\nH\u{e4}: a\r\n"),
        ("a space before the colon of a coding", "Host: a\r\nTransfer-Encoding : chunked\r\n"),
        ("a folded coding", "Host: a\r\nTransfer-Encoding:\r\n chunked\r\n"),
        ("a folded line", "Host: a\r\nA: b\r\n c\r\n"),
        ("a line folded with a tab", "Host: a\r\nA: b\r\n\tc\r\n"),
        ("no Host", ""),
        ("two Hosts", "Host: a\r\nHost: b\r\n"),
        ("the same Host twice", "Host: a\r\nhost: a\r\n"),
        ("an empty Host", "Host:\r\n"),
        ("a Host with a path", "Host: a/b\r\n"),
        ("a Host with a word for a port", "Host: a:b\r\n"),
        ("Transfer-Encoding", "Host: a\r\nTransfer-Encoding: chunked\r\n"),
        ("Transfer-Encoding: identity", "Host: a\r\nTransfer-Encoding: identity\r\n"),
        ("Transfer-Encoding, compressed chunks", "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n"),
        ("a second coding", "Host: a\r\nTransfer-Encoding:\r\nTRANSFER-ENCODING: chunked\r\n"),
        ("Expect and a body", "Host: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"),
        ("both, chunks first", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
        ("both lengths", "Host: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
        ("a body", "Host: a\r\nContent-Length: 1\r\n"),
        ("a body beyond 64 bits", "Host: a\r\nContent-Length: 99999999999999999999\r\n"),
        ("a list that differs", "Host: a\r\nContent-Length: 0, 5\r\n"),
        ("two lengths that differ", "Host: a\r\nContent-Length: 0\r\ncontent-length: 5\r\n"),
        ("a length with a plus", "Host: a\r\nContent-Length: +0\r\n"),
        ("a length with two zeros", "Host: a\r\nContent-Length: 00\r\n"),
        ("a length of 64 bits and one", "Host: a\r\nContent-Length: 18446744073709551616\r\n"),
        ("a length with white space alone", "Host: a\r\nContent-Length: \t \r\n"),
        ("a length with a space within", "Host: a\r\nContent-Length: 0 0\r\n"),
        ("a length in hex", "Host: a\r\nContent-Length: 0x0\r\n"),
        ("an empty length", "Host: a\r\nContent-Length:\r\n"),
        ("a list of lengths", "Host: a\r\nContent-Length: 0, 0\r\n"),
        ("two lengths", "Host: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n"),
    ];
    for (name, lines) in table {
        refused_at(name, format!("GET / HTTP/1.1\r\n{lines}\r\n").as_bytes(), 400, LIMIT);
    }
    let table: &[(&str, &str)] = &[
        ("an absolute target without Host", "GET http://a/ HTTP/1.1\r\n"),
        ("an absolute target with a malformed Host", "GET http://a/ HTTP/1.1\r\nHost: [\r\n"),
        ("HTTP/1.0 with two Hosts", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n"),
        ("HTTP/1.0 with a body", "GET / HTTP/1.0\r\nContent-Length: 5\r\n"),
        ("HTTP/1.2 without Host", "GET / HTTP/1.2\r\n"),
    ];
    for (name, lines) in table {
        refused_at(name, format!("{lines}\r\n").as_bytes(), 400, LIMIT);
    }
}

#[test]
#[rustfmt::skip]
fn head_is_accepted_at_its_last_byte() {
    let browser = "GET /chat HTTP/1.1\r\nHost: 192.168.1.2:8080\r\nConnection: Upgrade\r\n\
        Pragma: no-cache\r\nUpgrade: websocket\r\nOrigin: http://192.168.1.2:8080\r\n\
        Sec-WebSocket-Version: 13\r\nAccept-Language: de,en;q=0.9\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    let table: &[(&str, &str)] = &[
        ("the smallest of HTTP/1.1", "GET / HTTP/1.1\r\nHost:a\r\n\r\n"),
        ("the smallest of HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"),
        ("a browser's opening handshake", browser),
        ("an unknown method", "brew / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a plain zero for a length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        ("Expect without a body", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
        ("characters that browsers don't escape",
            "GET /?q={\"a\"|[b]^`\\<>} HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("an absolute target", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("an absolute target of HTTP/1.0 without Host", "GET https://b HTTP/1.0\r\n\r\n"),
        ("an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
        ("empty values, tabs, other bytes",
            "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \u{e4}\r\nZ: a\tb\t\r\n\r\n"),
        ("a later minor version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        ("asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    for (name, text) in table {
        for before in ["", "\r\n"] {
            let bytes = &[before.as_bytes(), text.as_bytes()].concat()[..];
            let whole = all_ways(name, bytes, LIMIT);
            let Ok(Progress::Done { value, used }) = &whole else { panic!("{name}: {whole:?}") };
            assert_eq!(*used, bytes.len(), "{name}");
            let Ok(Progress::Done { value: bare, .. }) = at_once(text.as_bytes(), LIMIT) else {
                panic!("{name}")
            };
            assert_eq!(*value, bare, "{name}: a blank line before it");
            for shorter in 0..bytes.len() {
                let prefix = at_once(&bytes[..shorter], LIMIT);
                assert_eq!(prefix, Ok(Progress::NeedMore), "{name}: after {shorter} bytes");
            }
            for next in [&b"\x82\x80"[..], b"\r\n", b"GET / HTTP/1.1\r\n"] {
                let answer = all_ways(name, &[bytes, next].concat(), LIMIT);
                assert_eq!(answer, whole, "{name}: with more after it");
            }
        }
    }
}

#[test]
fn blank_line_between_requests_begins_no_request() {
    let mut requests = Requests::default();
    assert_eq!(requests.receive(b"\r", LIMIT), Ok(Progress::NeedMore));
    assert_eq!(requests.receive(b"\n", LIMIT), Ok(Progress::NeedMore));
    assert_eq!(requests.held_bytes(), 0);
    let received = requests.receive(b"GET / HTTP/1.0\r\n\r\n", LIMIT);
    assert!(matches!(received, Ok(Progress::Done { used: 18, .. })));
}

#[test]
fn head_has_a_limit_in_bytes() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let whole = all_ways("exactly the limit", head, head.len());
    assert!(matches!(whole, Ok(Progress::Done { .. })));
    let (_, shorter) = head.split_last().unwrap();
    refused_at("before its last byte has come", shorter, 431, shorter.len());
    for (name, begin, filler, end, status) in [
        (
            "a request line without end",
            &b"GET /"[..],
            95,
            &b"a"[..0],
            431,
        ),
        ("a method without end", b"A", 99, b"", 431),
        (
            "a header without end",
            b"GET / HTTP/1.1\r\nA: ",
            81,
            b"",
            431,
        ),
        ("what is impossible at the limit", b"A", 98, b"\0", 400),
    ] {
        let head = [begin, &b"A".repeat(filler), end].concat();
        refused_at(name, &head, status, 100);
    }
}

/// A megabyte, a byte at a time. A parser that starts again for each byte reads 500 GB, and this
/// test takes minutes.
#[test]
fn head_in_a_million_pieces_is_searched_once() {
    let begin = b"GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let head = [begin, &[b'x'; 1_000_000][..], b"\r\n\r\n"].concat();
    let mut requests = Requests::default();
    for (at, byte) in head.iter().enumerate() {
        let byte = [*byte];
        let received = requests.receive(&byte, 1 << 20);
        let is_whole = matches!(received, Ok(Progress::Done { .. }));
        assert_eq!(is_whole, at + 1 == head.len(), "byte {at}");
    }
}

#[test]
fn head_has_a_limit_in_lines() {
    let head = |lines: usize| {
        let lines = "A: b\r\n".repeat(lines - 1);
        format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
    };
    let hundred = at_once(head(100).as_bytes(), LIMIT);
    assert!(matches!(hundred, Ok(Progress::Done { .. })));
    refused_at("101 lines", head(101).as_bytes(), 431, LIMIT);
}
