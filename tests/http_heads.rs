//! Request heads against RFC 9112, as a table: what is refused, with which status, and *at which
//! byte*.
//!
//! Every row is played whole, byte by byte, and cut in two at every place. All must agree: how a
//! network cuts a stream is
//! never seen in the answer (the prefix rule), and a refusal comes with the first byte that settles
//! it, not by a timeout.

use parlor::http::{Head, Refusal, Requests};
use parlor::progress::Progress;

const LIMIT: usize = 8192;

/// An answer that can be compared across calls: the end of the head in the whole stream, and all
/// its fields.
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
        assert_eq!(requests.held_bytes(), before);
        assert!(before <= limit);
    }
    Ok(Progress::NeedMore)
}

/// Plays one stream in every way it can be cut in two, and byte by byte.
fn all_ways(name: &str, bytes: &[u8], limit: usize) -> Answer {
    let answer = at_once(bytes, limit);
    for split in 0..=bytes.len() {
        let (first, second) = bytes.split_at(split);
        assert_eq!(
            in_pieces([first, second], limit),
            answer,
            "{name}: cut at {split}"
        );
    }
    assert_eq!(
        in_pieces(bytes.chunks(1), limit),
        answer,
        "{name}: byte by byte"
    );
    answer
}

/// Refused with `status` at the last byte of `until`, never before, and just the same whatever
/// follows.
fn refused_at(name: &str, until: &[u8], status: u16, limit: usize) {
    let Err(refusal) = all_ways(name, until, limit) else {
        panic!("{name}: is not refused")
    };
    assert_eq!(refusal.status, status, "{name}: {}", refusal.sentence);
    assert!(
        refusal.closes,
        "{name}: where the next request begins is not certain"
    );
    for shorter in 0..until.len() {
        assert_eq!(
            at_once(&until[..shorter], limit),
            Ok(Progress::NeedMore),
            "{name}: after {shorter} bytes"
        );
    }
    for behind in [&b"\r\n\r\n"[..], b"Host: a\r\n\r\n", b"\0\xff \n"] {
        assert_eq!(
            at_once(&[until, behind].concat(), limit),
            Err(refusal.clone()),
            "{name}: with more behind it"
        );
    }
}

#[test]
fn refused_at_the_first_impossible_byte() {
    let table: &[(&str, &[u8], u16)] = &[
        ("TLS ClientHello", b"\x16", 400),
        ("an empty line before the request", b"\r", 400),
        ("a bare line feed before the request", b"\n", 400),
        ("a space before the request", b" ", 400),
        ("NUL before the request", b"\0", 400),
        ("a byte beyond ASCII", b"\x80", 400),
        ("SSH", b"SSH-2.0-OpenSSH_9.9\r", 400),
        ("a header in place of a request", b"Host:", 400),
        ("a method with a slash", b"GET/", 400),
        ("a method with a tab behind it", b"GET\t", 400),
        ("a method alone", b"GET\r", 400),
        ("a control character in the method", b"G\x01", 400),
        ("two spaces before the target", b"GET  ", 400),
        ("a target without slash", b"GET i", 400),
        ("an empty target, and a bare line feed", b"GET \n", 400),
        ("a target that is a query", b"GET ?", 400),
        ("a target that is a fragment", b"GET #", 400),
        ("asterisk-form", b"OPTIONS *", 400),
        ("authority-form", b"CONNECT a", 400),
        ("authority-form of an address", b"CONNECT 1", 400),
        ("authority-form of an IPv6 address", b"CONNECT [", 400),
        ("the preface of HTTP/2", b"PRI *", 400),
        ("a fragment", b"GET /a#", 400),
        ("a tab in the target", b"GET /a\t", 400),
        ("NUL in the target", b"GET /a\0", 400),
        ("NUL in the method", b"G\0", 400),
        ("NUL in the version", b"GET / HTTP/1.\0", 400),
        ("NUL behind the version", b"GET / HTTP/1.1\0", 400),
        ("a carriage return in the target", b"GET /a\r", 400),
        ("a carriage return in a name", b"GET / HTTP/1.1\r\nX\r", 400),
        ("DEL in the target", b"GET /a\x7f", 400),
        ("UTF-8 in the target", b"GET /\xc3", 400),
        ("HTTP/0.9 without a version", b"GET /\r", 400),
        ("HTTP/0.9 with a bare line feed", b"GET /\n", 400),
        ("two spaces before the version", b"GET /  ", 400),
        ("another protocol", b"GET / HTTQ", 400),
        ("the protocol in lower case", b"GET / h", 400),
        ("no slash in the version", b"GET / HTTP1", 400),
        ("a letter for the major version", b"GET / HTTP/x", 400),
        ("a major version of two digits", b"GET / HTTP/11", 400),
        ("no minor version", b"GET / HTTP/1\r", 400),
        ("a letter for the minor version", b"GET / HTTP/1.x", 400),
        ("a minor version of two digits", b"GET / HTTP/1.10", 400),
        ("a space behind the version", b"GET / HTTP/1.1 ", 400),
        (
            "a bare line feed behind the version",
            b"GET / HTTP/1.1\n",
            400,
        ),
        (
            "a bare carriage return behind the version",
            b"GET / HTTP/1.1\rH",
            400,
        ),
        ("HTTP/2.0", b"GET / HTTP/2.0\r", 505),
        ("HTTP/0.9, spelled out", b"GET / HTTP/0.9\r", 505),
        ("HTTP/1.2", b"GET / HTTP/1.2\r", 505),
        ("HTTP/3.1", b"GET / HTTP/3.1\r", 505),
        (
            "another version with a bare line feed",
            b"GET / HTTP/2.0\n",
            400,
        ),
        (
            "white space before the first header",
            b"GET / HTTP/1.1\r\n ",
            400,
        ),
        (
            "a tab before the first header",
            b"GET / HTTP/1.1\r\n\t",
            400,
        ),
        ("an empty name", b"GET / HTTP/1.1\r\n:", 400),
        ("a space before the colon", b"GET / HTTP/1.1\r\nHost ", 400),
        ("a tab before the colon", b"GET / HTTP/1.1\r\nHost\t", 400),
        ("a line without colon", b"GET / HTTP/1.1\r\nHost\r", 400),
        (
            "a line without colon, bare line feed",
            b"GET / HTTP/1.1\r\nHost\n",
            400,
        ),
        ("a name with a parenthesis", b"GET / HTTP/1.1\r\nHo(", 400),
        ("a name beyond ASCII", b"GET / HTTP/1.1\r\nH\xc3", 400),
        ("NUL in a name", b"GET / HTTP/1.1\r\nHo\0", 400),
        (
            "a control character for a name",
            b"GET / HTTP/1.1\r\n\x01",
            400,
        ),
        ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\0", 400),
        (
            "a vertical tab before a length",
            b"GET / HTTP/1.1\r\nContent-Length: \x0b",
            400,
        ),
        (
            "a form feed behind a length",
            b"GET / HTTP/1.1\r\nContent-Length: 0\x0c",
            400,
        ),
        (
            "a space before the colon of Transfer-Encoding",
            b"GET / HTTP/1.1\r\nTransfer-Encoding ",
            400,
        ),
        (
            "a folded Transfer-Encoding",
            b"GET / HTTP/1.1\r\nTransfer-Encoding:\r\n ",
            400,
        ),
        (
            "a control character in a value",
            b"GET / HTTP/1.1\r\nHost: a\x1b",
            400,
        ),
        ("DEL in a value", b"GET / HTTP/1.1\r\nHost: a\x7f", 400),
        (
            "a bare line feed behind a value",
            b"GET / HTTP/1.1\r\nHost: a\n",
            400,
        ),
        (
            "a bare carriage return in a value",
            b"GET / HTTP/1.1\r\nHost: a\rb",
            400,
        ),
        (
            "two carriage returns",
            b"GET / HTTP/1.1\r\nHost: a\r\r",
            400,
        ),
        ("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\n ", 400),
        (
            "a line folded with a tab",
            b"GET / HTTP/1.1\r\nHost: a\r\n\t",
            400,
        ),
        (
            "a bare line feed for the empty line",
            b"GET / HTTP/1.1\r\nHost: a\r\n\n",
            400,
        ),
        (
            "a bare carriage return for the empty line",
            b"GET / HTTP/1.1\r\nHost: a\r\n\rx",
            400,
        ),
    ];
    for (name, until, status) in table {
        refused_at(name, until, *status, LIMIT);
    }
}

#[test]
fn refused_when_the_head_is_whole() {
    let table: &[(&str, &str)] = &[
        ("no Host", ""),
        ("two Hosts", "Host: a\r\nHost: b\r\n"),
        ("the same Host twice", "Host: a\r\nhost: a\r\n"),
        ("an empty Host", "Host:\r\n"),
        ("a Host of white space", "Host: \t \r\n"),
        ("a list of Hosts", "Host: a, b\r\n"),
        ("a Host with a path", "Host: a/b\r\n"),
        ("a Host with a scheme", "Host: http://a\r\n"),
        ("a Host with a user", "Host: me@a\r\n"),
        ("a Host with a space", "Host: a b\r\n"),
        ("a Host with a port beyond 16 bits", "Host: a:65536\r\n"),
        ("a Host with a word for a port", "Host: a:b\r\n"),
        ("an IPv6 Host without brackets", "Host: ::1\r\n"),
        ("an IPv6 Host that is none", "Host: [1::2::3]\r\n"),
        ("a Host beyond ASCII", "Host: \u{e4}\r\n"),
        (
            "Transfer-Encoding",
            "Host: a\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "Transfer-Encoding that says nothing",
            "Host: a\r\ntransfer-encoding:\r\n",
        ),
        (
            "Transfer-Encoding: identity",
            "Host: a\r\nTransfer-Encoding: identity\r\n",
        ),
        (
            "Transfer-Encoding, chunks in quotes",
            "Host: a\r\nTransfer-Encoding: \"chunked\"\r\n",
        ),
        (
            "Transfer-Encoding, compressed chunks",
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
        ),
        (
            "Transfer-Encoding, chunks that are not last",
            "Host: a\r\nTransfer-Encoding: chunked, identity\r\n",
        ),
        (
            "Transfer-Encoding, a misspelled coding",
            "Host: a\r\nTransfer-Encoding: xchunked\r\n",
        ),
        (
            "Transfer-Encoding in a second header",
            "Host: a\r\nTransfer-Encoding:\r\nTRANSFER-ENCODING: chunked\r\n",
        ),
        (
            "Expect and a body",
            "Host: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n",
        ),
        (
            "both, chunks first",
            "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        ),
        (
            "both lengths",
            "Host: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        ),
        ("a body", "Host: a\r\nContent-Length: 1\r\n"),
        (
            "a body beyond 64 bits",
            "Host: a\r\nContent-Length: 99999999999999999999\r\n",
        ),
        ("a list that differs", "Host: a\r\nContent-Length: 0, 5\r\n"),
        (
            "two lengths that differ",
            "Host: a\r\nContent-Length: 0\r\ncontent-length: 5\r\n",
        ),
        ("a length with a plus", "Host: a\r\nContent-Length: +0\r\n"),
        ("a length with a minus", "Host: a\r\nContent-Length: -0\r\n"),
        (
            "a length with two zeros",
            "Host: a\r\nContent-Length: 00\r\n",
        ),
        (
            "a length of 64 bits and one",
            "Host: a\r\nContent-Length: 18446744073709551616\r\n",
        ),
        (
            "a length with white space alone",
            "Host: a\r\nContent-Length: \t \r\n",
        ),
        (
            "a length with a space within",
            "Host: a\r\nContent-Length: 0 0\r\n",
        ),
        (
            "a length with a parameter",
            "Host: a\r\nContent-Length: 0;a\r\n",
        ),
        ("a length in quotes", "Host: a\r\nContent-Length: \"0\"\r\n"),
        (
            "a length with a fraction",
            "Host: a\r\nContent-Length: 0.0\r\n",
        ),
        (
            "a length with an exponent",
            "Host: a\r\nContent-Length: 0e0\r\n",
        ),
        (
            "a length in digits of another script",
            "Host: a\r\nContent-Length: \u{ff10}\r\n",
        ),
        ("a length in hex", "Host: a\r\nContent-Length: 0x0\r\n"),
        ("an empty length", "Host: a\r\nContent-Length:\r\n"),
        ("a list of lengths", "Host: a\r\nContent-Length: 0, 0\r\n"),
        (
            "two lengths",
            "Host: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
        ),
    ];
    for (name, lines) in table {
        refused_at(
            name,
            format!("GET / HTTP/1.1\r\n{lines}\r\n").as_bytes(),
            400,
            LIMIT,
        );
    }
    let targets: &[(&str, &str)] = &[
        ("a word that begins like http", "hello"),
        ("one slash behind the scheme", "http:/a"),
        ("a target with another scheme", "htcpcp://a/"),
        ("authority-form of a host that begins like http", "h:80"),
        ("no host in the target", "http:///a"),
        ("a port alone in the target", "http://:80/"),
        ("a user in the target", "http://me@a/"),
        ("a port of letters in the target", "http://a:b/"),
    ];
    for (name, target) in targets {
        refused_at(
            name,
            format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
            400,
            LIMIT,
        );
    }
    refused_at(
        "an absolute target without Host",
        b"GET http://a/ HTTP/1.1\r\n\r\n",
        400,
        LIMIT,
    );
    refused_at(
        "an absolute target with a malformed Host",
        b"GET http://a/ HTTP/1.1\r\nHost: [\r\n\r\n",
        400,
        LIMIT,
    );
    refused_at(
        "HTTP/1.0 with two Hosts",
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        400,
        LIMIT,
    );
    refused_at(
        "HTTP/1.0 with a body",
        b"GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
        400,
        LIMIT,
    );
}

#[test]
fn accepted_and_no_byte_behind_is_taken() {
    let browser = "GET /chat HTTP/1.1\r\nHost: 192.168.1.2:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\nUpgrade: websocket\r\n\
        Origin: http://192.168.1.2:8080\r\nSec-WebSocket-Version: 13\r\nAccept-Language: de,en;q=0.9\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    let table: &[(&str, &str)] = &[
        (
            "the smallest of HTTP/1.1",
            "GET / HTTP/1.1\r\nHost:a\r\n\r\n",
        ),
        ("the smallest of HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"),
        ("a browser's opening handshake", browser),
        (
            "a method nobody knows is a token all the same",
            "brew / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "a plain zero for a length",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "Expect without a body asks nothing",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        ),
        (
            "letters that browsers send as they are",
            "GET /?q={\"a\"|[b]^`\\<>} HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "an absolute target",
            "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "an absolute target of HTTP/1.0 without Host",
            "GET https://b HTTP/1.0\r\n\r\n",
        ),
        ("an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
        (
            "values that are empty, or not ASCII, or have tabs",
            "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \u{e4}\r\nZ: a\tb\t\r\n\r\n",
        ),
    ];
    for (name, text) in table {
        let bytes = text.as_bytes();
        let whole = all_ways(name, bytes, LIMIT);
        assert!(
            matches!(whole, Ok(Progress::Done { used, .. }) if used == bytes.len()),
            "{name}: {whole:?}"
        );
        for shorter in 0..bytes.len() {
            assert_eq!(
                at_once(&bytes[..shorter], LIMIT),
                Ok(Progress::NeedMore),
                "{name}: after {shorter} bytes"
            );
        }
        for behind in [&b"\x82\x80"[..], b"\r\n", b"GET / HTTP/1.1\r\n"] {
            assert_eq!(
                all_ways(name, &[bytes, behind].concat(), LIMIT),
                whole,
                "{name}: with more behind it"
            );
        }
    }
}

#[test]
fn a_head_has_a_limit_in_bytes() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(matches!(
        all_ways("exactly the limit", head, head.len()),
        Ok(Progress::Done { .. })
    ));
    refused_at(
        "one byte more, before its last byte has come",
        &head[..head.len() - 1],
        431,
        head.len() - 1,
    );
    refused_at(
        "a request line without end",
        &[b"GET /", &[b'a'; 95][..]].concat(),
        431,
        100,
    );
    refused_at("a method without end", &[b'A'; 100], 431, 100);
    refused_at(
        "a header without end",
        &[b"GET / HTTP/1.1\r\nA: ", &[b'a'; 81][..]].concat(),
        431,
        100,
    );
    refused_at(
        "what is impossible at the limit is impossible first",
        &[&[b'A'; 99][..], b"\0"].concat(),
        400,
        100,
    );
}

/// A megabyte, a byte at a time. Whoever looks at the beginning again for each byte looks at 500
/// billion of them, and this test
/// takes minutes.
#[test]
fn a_head_in_a_million_pieces_is_looked_at_once() {
    let head = [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
        &[b'x'; 1_000_000][..],
        b"\r\n\r\n",
    ]
    .concat();
    let mut requests = Requests::default();
    for (at, byte) in head.iter().enumerate() {
        let whole = matches!(
            requests.receive(&[*byte], 1 << 20),
            Ok(Progress::Done { .. })
        );
        assert_eq!(whole, at + 1 == head.len(), "byte {at}");
    }
}

#[test]
fn a_head_has_a_limit_in_lines() {
    let head = |lines: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}",
            "A: b\r\n".repeat(lines - 1)
        )
    };
    let hundred = head(100) + "\r\n";
    assert!(
        matches!(at_once(hundred.as_bytes(), LIMIT), Ok(Progress::Done { used, .. }) if used == hundred.len())
    );
    refused_at(
        "the first byte of line 101",
        (head(100) + "A").as_bytes(),
        431,
        LIMIT,
    );
}

/// One-sided against a parser that we did not write: what is accepted here, it accepts with the
/// same fields, also where the
/// table's rows are mangled a little.
#[test]
fn what_is_accepted_httparse_reads_the_same_way() {
    let seed = b"GET /a?b HTTP/1.1\r\nHost: a:80\r\nA:  b c \r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n";
    let mut accepted = 0;
    for at in 0..seed.len() {
        for byte in 0..=u8::MAX {
            let mut replaced = seed.to_vec();
            replaced[at] = byte;
            let mut inserted = seed.to_vec();
            inserted.insert(at, byte);
            let mut removed = seed.to_vec();
            removed.remove(at);
            for bytes in [replaced, inserted, removed] {
                let Ok(Progress::Done { value: head, used }) = Head::parse(&bytes, LIMIT) else {
                    continue;
                };
                let mut headers = [httparse::EMPTY_HEADER; 100];
                let mut request = httparse::Request::new(&mut headers);
                assert_eq!(
                    request.parse(&bytes),
                    Ok(httparse::Status::Complete(used)),
                    "{}",
                    bytes.escape_ascii()
                );
                assert_eq!(
                    (request.method, request.version),
                    (Some(head.method()), Some(head.minor_version()))
                );
                for header in &*request.headers {
                    assert!(
                        head.values(header.name).any(|value| value == header.value),
                        "{}",
                        bytes.escape_ascii()
                    );
                }
                accepted += 1;
            }
        }
    }
    assert!(
        accepted > 1000,
        "the mangling leaves something to compare: {accepted}"
    );
}
