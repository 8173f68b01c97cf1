//! Requests that are refused (RFC 9112, RFC 9110), as tables: which status, and that the answer
//! arrives.
//!
//! What is planted as `xyzzy` in a request must not be seen in the answer. Not here: upgrades
//! (`handshake`), one connection's
//! many requests (`keepalive`).

use crate::harness::Server;

const START: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n";

/// A request with one more header line.
fn with(line: &str) -> String {
    format!("{START}{line}\r\n\r\n")
}

/// A request to this host.
fn host(value: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n")
}

fn assert_refused(server: &Server, name: &str, request: impl AsRef<[u8]>, status: u16) {
    let mut raw = server.raw();
    raw.send(request);
    raw.response().assert_refusal(name, &[status]);
    if status == 400 || status == 431 || status == 505 {
        raw.assert_ended(name); // where the next request would begin can't be known
    }
}

#[test]
fn heads_that_are_no_http() {
    let server = Server::start(&[]);
    let table: &[(&str, &str)] = &[
        (
            "bare line feeds",
            "GET / HTTP/1.1\nHost: localhost\nX-A: xyzzy\n\n",
        ),
        (
            "one bare line feed after the request line",
            "GET / HTTP/1.1\nHost: localhost\r\n\r\n",
        ),
        (
            "one bare line feed after a header",
            "GET / HTTP/1.1\r\nHost: localhost\nX-A: xyzzy\r\n\r\n",
        ),
        (
            "a bare line feed as the end",
            "GET / HTTP/1.1\r\nHost: localhost\r\n\n",
        ),
        (
            "a bare carriage return in a value",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\rxyzzy\r\n\r\n",
        ),
        (
            "a blank line before the request",
            "\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a space before the request",
            " GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a folded header",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n xyzzy\r\n\r\n",
        ),
        (
            "a folded header, by a tab",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n\txyzzy\r\n\r\n",
        ),
        (
            "a folded first header",
            "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
        ),
        (
            "white space before the colon",
            "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        ),
        (
            "a tab before the colon",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A\t: xyzzy\r\n\r\n",
        ),
        (
            "a header without a colon",
            "GET / HTTP/1.1\r\nHost: localhost\r\nxyzzy\r\n\r\n",
        ),
        (
            "a header without a name",
            "GET / HTTP/1.1\r\nHost: localhost\r\n: xyzzy\r\n\r\n",
        ),
        (
            "a header name that is no token",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX(A): xyzzy\r\n\r\n",
        ),
        (
            "carriage returns alone as line ends",
            "GET / HTTP/1.1\rHost: localhost\rX-A: xyzzy\r\r",
        ),
        (
            "a carriage return alone behind the request line",
            "GET / HTTP/1.1\rHost: localhost\r\n\r\n",
        ),
        (
            "a carriage return alone behind a header",
            "GET / HTTP/1.1\r\nHost: localhost\rX-A: xyzzy\r\n\r\n",
        ),
        (
            "a carriage return alone as the end",
            "GET / HTTP/1.1\r\nHost: localhost\r\n\rxyzzy",
        ),
        (
            "a carriage return alone in a header's name",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX\rA: xyzzy\r\n\r\n",
        ),
        (
            "a carriage return alone in the target",
            "GET /\rxyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "two carriage returns before the line feed",
            "GET / HTTP/1.1\r\nHost: localhost\r\r\n\r\n",
        ),
        (
            "a line feed before the carriage return",
            "GET / HTTP/1.1\n\rHost: localhost\n\r\n\r",
        ),
        (
            "a NUL in a value",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \0xyzzy\r\n\r\n",
        ),
        (
            "a NUL as a value",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A:\0\r\n\r\n",
        ),
        (
            "a NUL in the host",
            "GET / HTTP/1.1\r\nHost: localhost\0xyzzy\r\n\r\n",
        ),
        (
            "a NUL in a header's name",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-\0A: xyzzy\r\n\r\n",
        ),
        (
            "a NUL before the colon",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A\0: xyzzy\r\n\r\n",
        ),
        (
            "a NUL in the target",
            "GET /\0xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a NUL in the method",
            "G\0T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a NUL behind the version",
            "GET / HTTP/1.1\0\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a NUL for a line end",
            "GET / HTTP/1.1\r\nHost: localhost\0\0\r\n",
        ),
        (
            "a control character in a value",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \u{1}xyzzy\r\n\r\n",
        ),
        (
            "a DEL in a value",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \u{7f}xyzzy\r\n\r\n",
        ),
        (
            "two spaces in the request line",
            "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "two spaces before the version",
            "GET /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a tab in the request line",
            "GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a space behind the version",
            "GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
        ),
        (
            "a request line without a version",
            "GET /\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a version in lower case",
            "GET / http/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "another protocol",
            "GET / XTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a method that is no token",
            "G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        ("no method", "/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            "a target without a slash",
            "GET xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a target with a fragment",
            "GET /#xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a target with a fragment after a query",
            "GET /?a#xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "an asterisk for GET",
            "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "an asterisk for OPTIONS",
            "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "an asterisk and a query",
            "OPTIONS *?xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        ("an asterisk of HTTP/1.0", "OPTIONS * HTTP/1.0\r\n\r\n"),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (
            "authority-form, for a tunnel",
            "CONNECT xyzzy.example:443 HTTP/1.1\r\nHost: xyzzy.example:443\r\n\r\n",
        ),
        (
            "authority-form, of this host",
            "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
        ),
        (
            "authority-form, of an address",
            "CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "authority-form, of an IPv6 address",
            "CONNECT [::1]:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "authority-form for GET",
            "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "authority-form with a path",
            "GET localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "absolute-form of another scheme",
            "GET ftp://localhost/xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "absolute-form of a WebSocket, which is no request target",
            "GET ws://localhost/chat HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a DEL in the target",
            "GET /\u{7f} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "a control character in the target",
            "GET /\u{1} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            "TLS",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}xyzzy\r\n\r\n",
        ),
    ];
    for (name, request) in table {
        assert_refused(&server, name, request, 400);
    }
}

#[test]
fn hosts() {
    let server = Server::start(&[]);
    let refused: &[(&str, String)] = &[
        ("no Host", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        ("two of them", with("Host: xyzzy")),
        ("two of them, the same", with("Host: localhost")),
        (
            "two of them, the second in another case",
            with("hOST: localhost"),
        ),
        ("a space", host("xyzzy localhost")),
        ("a path", host("localhost/xyzzy")),
        ("a user", host("xyzzy@localhost")),
        ("a port that is no number", host("localhost:xyzzy")),
        ("a port that is too large", host("localhost:65536")),
        ("two ports", host("localhost:80:80")),
        ("an IPv6 address that doesn't end", host("[::1")),
        ("an IPv6 address without brackets", host("::1")),
        ("something behind the bracket", host("[::1]xyzzy")),
        ("a query", host("localhost?xyzzy")),
        ("a fragment", host("localhost#xyzzy")),
        ("a backslash", host("localhost\\xyzzy")),
        ("a port alone", host(":80")),
        (
            "absolute-form does not replace a Host that is missing",
            "GET http://localhost/ HTTP/1.1\r\n\r\n".to_owned(),
        ),
    ];
    for (name, request) in refused {
        assert_refused(&server, name, request, 400);
    }
    for (name, value) in [
        ("a name", "localhost"),
        ("a name with a port", "localhost:8080"),
        ("an address", "127.0.0.1:8080"),
        ("an IPv6 address", "[::1]"),
        ("an IPv6 address with a port", "[::1]:8080"),
        ("white space around it", "  localhost \t"),
        ("a name of the network", "chat.example.com"),
    ] {
        let mut raw = server.raw();
        raw.send(format!("GET /healthz HTTP/1.1\r\nHost: {value}\r\n\r\n"));
        assert_eq!(raw.response().status, 200, "{name}");
    }
}

/// Behind each stands a request that a server would answer which read the announcement in another
/// way.
#[test]
fn bodies_are_refused_by_their_announcement() {
    let server = Server::start(&[]);
    for (name, line) in [
        ("a length", "Content-Length: 5"),
        ("in another case", "cONTENT-lENGTH: 5"),
        ("a large length", "Content-Length: 99999999999999999999"),
        (
            "2^64, which a careless sum takes for 0",
            "Content-Length: 18446744073709551616",
        ),
        ("2^32", "Content-Length: 4294967296"),
        ("a sign", "Content-Length: +0"),
        ("a sign before a body", "Content-Length: +5"),
        ("below zero", "Content-Length: -1"),
        ("zero below zero", "Content-Length: -0"),
        ("two zeros", "Content-Length: 00"),
        ("a zero before", "Content-Length: 05"),
        ("a list", "Content-Length: 0, 0"),
        ("a list that differs", "Content-Length: 0, 5"),
        ("a list with an empty end", "Content-Length: 0,"),
        ("a list with an empty beginning", "Content-Length: ,0"),
        ("a parameter", "Content-Length: 0;xyzzy"),
        ("hexadecimal", "Content-Length: 0x0"),
        ("octal", "Content-Length: 0o0"),
        ("a digit group", "Content-Length: 0_0"),
        ("a fraction", "Content-Length: 0.0"),
        ("an exponent", "Content-Length: 0e0"),
        ("quoted", "Content-Length: \"0\""),
        ("digits of another script", "Content-Length: \u{ff10}"),
        ("no number", "Content-Length: xyzzy"),
        ("nothing", "Content-Length:"),
        ("white space", "Content-Length: \t "),
        ("a space within", "Content-Length: 0 0"),
        ("a tab within", "Content-Length: 0\t5"),
        ("a vertical tab before", "Content-Length: \u{b}0"),
        ("a form feed behind", "Content-Length: 0\u{c}"),
        ("a space before the colon", "Content-Length : 0"),
        ("a folded one", "Content-Length:\r\n 5"),
        ("two of them", "Content-Length: 0\r\nContent-Length: 0"),
        (
            "two of them that differ",
            "Content-Length: 0\r\nContent-Length: 5",
        ),
        (
            "two of them, the second in another case",
            "Content-Length: 0\r\ncontent-length: 5",
        ),
        ("chunks", "Transfer-Encoding: chunked"),
        ("chunks in another case", "tRANSFER-eNCODING: Chunked"),
        (
            "chunks and a length",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
        ),
        (
            "chunks before a length",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
        ),
        (
            "chunks and a length of 0",
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
        ),
        (
            "chunks that are not last",
            "Transfer-Encoding: chunked, identity",
        ),
        ("chunks twice", "Transfer-Encoding: chunked, chunked"),
        (
            "chunks in a second header",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        ),
        ("compressed chunks", "Transfer-Encoding: gzip, chunked"),
        (
            "an empty element before chunks",
            "Transfer-Encoding: ,chunked",
        ),
        (
            "a parameter of chunks",
            "Transfer-Encoding: chunked;xyzzy=1",
        ),
        ("quoted chunks", "Transfer-Encoding: \"chunked\""),
        ("chunks behind a tab", "Transfer-Encoding:\tchunked"),
        (
            "chunks behind a vertical tab",
            "Transfer-Encoding: \u{b}chunked",
        ),
        (
            "chunks behind a space before the colon",
            "Transfer-Encoding : chunked",
        ),
        ("folded chunks", "Transfer-Encoding:\r\n chunked"),
        (
            "what only begins like chunks",
            "Transfer-Encoding: chunkedxyzzy",
        ),
        ("what only ends like chunks", "Transfer-Encoding: xchunked"),
        ("an unknown coding", "Transfer-Encoding: xyzzy"),
        ("identity", "Transfer-Encoding: identity"),
        ("no coding", "Transfer-Encoding:"),
        (
            "a body that waits to be asked for",
            "Expect: 100-continue\r\nContent-Length: 5",
        ),
        (
            "chunks that wait to be asked for",
            "Expect: 100-continue\r\nTransfer-Encoding: chunked",
        ),
    ] {
        assert_refused(
            &server,
            name,
            with(line) + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            400,
        );
    }
    for (name, line) in [
        ("a length in HTTP/1.0", "Content-Length: 5"),
        ("chunks in HTTP/1.0", "Transfer-Encoding: chunked"),
    ] {
        assert_refused(
            &server,
            name,
            with(line).replace("HTTP/1.1", "HTTP/1.0"),
            400,
        );
    }
    // The body is on its way already; the answer arrives all the same.
    let body = "xyzzy".repeat(10_000);
    let request = format!("{START}Content-Length: {}\r\n\r\n{body}", body.len());
    assert_refused(&server, "with the body in the same packets", request, 400);
}

/// Each is answered at once, with nothing before the answer, and the next request is the one that
/// stands behind it.
#[test]
fn what_announces_no_body() {
    let server = Server::start(&[]);
    for (name, line) in [
        ("a length of 0", "Content-Length: 0"),
        ("white space around it", "Content-Length: \t 0 \t"),
        (
            "a name with an underscore is another name",
            "Content_Length: 5",
        ),
        ("and so is this one", "Transfer_Encoding: chunked"),
        ("a name that only ends so", "X-Content-Length: 5"),
        (
            "a coding that the client would take",
            "TE: trailers, chunked",
        ),
        ("Trailer alone", "Trailer: X-A"),
        (
            "an expectation without a body (RFC 9110 §10.1.1)",
            "Expect: 100-continue",
        ),
        ("an expectation in another case", "eXPECT: 100-Continue"),
        (
            "an expectation that nobody knows, which may be passed over",
            "Expect: xyzzy",
        ),
    ] {
        let mut raw = server.raw();
        raw.send(format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{line}\r\n\r\nGET /xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let response = raw.response();
        assert_eq!(
            (response.status, response.text().trim_end()),
            (200, "ok"),
            "{name}"
        );
        assert_eq!(raw.response().status, 404, "{name}: the request behind it");
    }
}

#[test]
fn methods() {
    let server = Server::start(&[]);
    for path in ["/", "/healthz", "/metrics", "/chat", "/echo"] {
        for method in [
            "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "XYZZY",
        ] {
            let mut raw = server.raw();
            raw.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            ));
            let response = raw.response();
            response.assert_refusal(&format!("{method} {path}"), &[405]);
            for allowed in ["GET", "HEAD"] {
                assert!(
                    response.has_token("allow", allowed),
                    "{method} {path}: {}",
                    response.head
                );
            }
        }
    }
}

#[test]
fn paths_that_are_not_there() {
    let server = Server::start(&[]);
    for path in [
        "/xyzzy",
        "/healthz/xyzzy",
        "/chat/",
        "/CHAT",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/.git/config",
        "//etc/passwd",
        "/xyzzy?/healthz",
        "/index.html/",
    ] {
        assert_refused(
            &server,
            path,
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            404,
        );
    }
}

#[test]
fn versions() {
    let server = Server::start(&[]);
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"] {
        assert_refused(
            &server,
            version,
            format!("GET / {version}\r\nHost: localhost\r\n\r\n"),
            505,
        );
    }
    for version in [
        "HTTP/11",
        "HTTP/1.",
        "HTTP/1.11",
        "HTTP/1.1x",
        "HTTP/",
        "HTTP/one",
    ] {
        assert_refused(
            &server,
            version,
            format!("GET / {version}\r\nHost: localhost\r\n\r\n"),
            400,
        );
    }
}

#[test]
fn heads_that_are_too_large() {
    let server = Server::start(&["--max-header-bytes", "4096"]);
    let lines = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X-A: b\r\n".repeat(count - 1)
        )
    };
    let long = |bytes: usize| {
        let line = "X-A: \r\n\r\n".len();
        format!(
            "{START}X-A: {}\r\n\r\n",
            "b".repeat(bytes - START.len() - line)
        )
    };
    for (name, request) in [
        ("100 header lines", lines(100)),
        ("4,096 bytes", long(4096)),
    ] {
        let mut raw = server.raw();
        raw.send(request);
        assert_eq!(raw.response().status, 200, "{name}");
    }
    for (name, request) in [
        ("101 header lines", lines(101)),
        ("one byte more", long(4097)),
        (
            "a long target",
            format!(
                "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "xyzzy".repeat(1000)
            ),
        ),
        (
            "a head without an end",
            format!("{START}X-A: {}", "xyzzy".repeat(1000)),
        ),
        ("a method without an end", "X".repeat(5000)),
    ] {
        let status = if name.starts_with("a method") {
            [431, 400]
        } else {
            [431, 431]
        };
        let mut raw = server.raw();
        raw.send(request);
        raw.response().assert_refusal(name, &status);
        raw.assert_ended(name);
    }
}

/// The client says no more and waits: what can't become a request is refused with the byte that
/// shows it.
#[test]
fn what_cannot_become_a_request_is_refused_at_once() {
    let server = Server::start(&["--handshake-timeout", "60"]);
    let table: &[(&str, &str, u16)] = &[
        ("the first byte of TLS", "\u{16}", 400),
        ("a line feed", "\n", 400),
        ("a carriage return", "\r", 400),
        ("a space", " ", 400),
        ("a NUL", "\0", 400),
        ("a tab behind the method", "GET\t", 400),
        ("a second space", "GET  ", 400),
        ("a fragment in the target", "GET /#", 400),
        ("another protocol", "GET / X", 400),
        ("a bare line feed", "GET / HTTP/1.1\n", 400),
        ("another version", "GET / HTTP/2.0\r\n", 505),
        (
            "white space before the colon",
            "GET / HTTP/1.1\r\nHost ",
            400,
        ),
        (
            "a folded header",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n ",
            400,
        ),
        (
            "a NUL in a value",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \0",
            400,
        ),
        ("a NUL in the target", "GET /\0", 400),
        (
            "a carriage return alone",
            "GET / HTTP/1.1\r\nHost: localhost\rX",
            400,
        ),
        ("authority-form", "CONNECT l", 400),
        ("asterisk-form", "OPTIONS *", 400),
    ];
    for (name, beginning, status) in table {
        assert_refused(&server, name, beginning, *status);
    }
}

#[test]
fn health() {
    let server = Server::start(&[]);
    let response = server.get("/healthz");
    assert_eq!((response.status, response.text().trim_end()), (200, "ok"));
    assert_eq!(
        server.get("/healthz?a=b").status,
        200,
        "a query changes nothing"
    );
}

#[test]
fn refusals_are_counted_and_the_server_goes_on() {
    let server = Server::start(&[]);
    for _ in 0..50 {
        assert_refused(&server, "nonsense", "\0", 400);
    }
    assert_eq!(server.metric("parlor_refused_total{status=\"400\"}"), 50.0);
    assert_eq!(server.get("/healthz").status, 200);
}
