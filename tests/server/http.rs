//! Requests that are refused (RFC 9112, RFC 9110), as tables: which status, and that the answer arrives.
//!
//! What is planted as `xyzzy` in a request must not be seen in the answer. Not here: upgrades (`handshake`), one connection's
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
        ("bare line feeds", "GET / HTTP/1.1\nHost: localhost\nX-A: xyzzy\n\n"),
        ("one bare line feed after the request line", "GET / HTTP/1.1\nHost: localhost\r\n\r\n"),
        ("one bare line feed after a header", "GET / HTTP/1.1\r\nHost: localhost\nX-A: xyzzy\r\n\r\n"),
        ("a bare line feed as the end", "GET / HTTP/1.1\r\nHost: localhost\r\n\n"),
        ("a bare carriage return in a value", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\rxyzzy\r\n\r\n"),
        ("a blank line before the request", "\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a space before the request", " GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a folded header", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n xyzzy\r\n\r\n"),
        ("a folded header, by a tab", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n\txyzzy\r\n\r\n"),
        ("a folded first header", "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
        ("white space before the colon", "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n"),
        ("a tab before the colon", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A\t: xyzzy\r\n\r\n"),
        ("a header without a colon", "GET / HTTP/1.1\r\nHost: localhost\r\nxyzzy\r\n\r\n"),
        ("a header without a name", "GET / HTTP/1.1\r\nHost: localhost\r\n: xyzzy\r\n\r\n"),
        ("a header name that is no token", "GET / HTTP/1.1\r\nHost: localhost\r\nX(A): xyzzy\r\n\r\n"),
        ("a NUL in a value", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \0xyzzy\r\n\r\n"),
        ("a control character in a value", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \u{1}xyzzy\r\n\r\n"),
        ("a DEL in a value", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \u{7f}xyzzy\r\n\r\n"),
        ("two spaces in the request line", "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("two spaces before the version", "GET /  HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a space behind the version", "GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n"),
        ("a request line without a version", "GET /\r\nHost: localhost\r\n\r\n"),
        ("a version in lower case", "GET / http/1.1\r\nHost: localhost\r\n\r\n"),
        ("another protocol", "GET / XTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a method that is no token", "G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("no method", "/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a target without a slash", "GET xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a target with a fragment", "GET /#xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a target with a fragment after a query", "GET /?a#xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("an asterisk for GET", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a DEL in the target", "GET /\u{7f} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a control character in the target", "GET /\u{1} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}xyzzy\r\n\r\n"),
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
        ("two of them, the second in another case", with("hOST: localhost")),
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
        ("absolute-form does not replace a Host that is missing", "GET http://localhost/ HTTP/1.1\r\n\r\n".to_owned()),
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

#[test]
fn bodies_are_refused_by_their_announcement() {
    let server = Server::start(&[]);
    for (name, line) in [
        ("a length", "Content-Length: 5"),
        ("a large length", "Content-Length: 99999999999999999999"),
        ("a sign", "Content-Length: +0"),
        ("below zero", "Content-Length: -1"),
        ("a list", "Content-Length: 0, 0"),
        ("hexadecimal", "Content-Length: 0x0"),
        ("no number", "Content-Length: xyzzy"),
        ("nothing", "Content-Length:"),
        ("a space within", "Content-Length: 0 0"),
        ("two of them that differ", "Content-Length: 0\r\nContent-Length: 5"),
        ("chunks", "Transfer-Encoding: chunked"),
        ("chunks in another case", "tRANSFER-eNCODING: Chunked"),
        ("chunks and a length", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        ("an unknown coding", "Transfer-Encoding: xyzzy"),
        ("identity", "Transfer-Encoding: identity"),
    ] {
        assert_refused(&server, name, with(line), 400);
    }
    // The body is on its way already; the answer arrives all the same.
    let body = "xyzzy".repeat(10_000);
    let request = format!("{START}Content-Length: {}\r\n\r\n{body}", body.len());
    assert_refused(&server, "with the body in the same packets", request, 400);
    let mut raw = server.raw();
    raw.send(with("Content-Length: 0"));
    assert_eq!(raw.response().status, 200, "a length of 0 announces no body");
}

#[test]
fn methods() {
    let server = Server::start(&[]);
    for path in ["/", "/healthz", "/metrics", "/chat", "/echo"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "XYZZY"] {
            let mut raw = server.raw();
            raw.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            let response = raw.response();
            response.assert_refusal(&format!("{method} {path}"), &[405]);
            for allowed in ["GET", "HEAD"] {
                assert!(response.has_token("allow", allowed), "{method} {path}: {}", response.head);
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
        assert_refused(&server, path, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404);
    }
}

#[test]
fn versions() {
    let server = Server::start(&[]);
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"] {
        assert_refused(&server, version, format!("GET / {version}\r\nHost: localhost\r\n\r\n"), 505);
    }
    for version in ["HTTP/11", "HTTP/1.", "HTTP/1.11", "HTTP/1.1x", "HTTP/", "HTTP/one"] {
        assert_refused(&server, version, format!("GET / {version}\r\nHost: localhost\r\n\r\n"), 400);
    }
}

#[test]
fn heads_that_are_too_large() {
    let server = Server::start(&["--max-header-bytes", "4096"]);
    let lines = |count: usize| format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: b\r\n".repeat(count - 1));
    let long = |bytes: usize| {
        let line = "X-A: \r\n\r\n".len();
        format!("{START}X-A: {}\r\n\r\n", "b".repeat(bytes - START.len() - line))
    };
    for (name, request) in [("100 header lines", lines(100)), ("4,096 bytes", long(4096))] {
        let mut raw = server.raw();
        raw.send(request);
        assert_eq!(raw.response().status, 200, "{name}");
    }
    for (name, request) in [
        ("101 header lines", lines(101)),
        ("one byte more", long(4097)),
        ("a long target", format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "xyzzy".repeat(1000))),
        ("a head without an end", format!("{START}X-A: {}", "xyzzy".repeat(1000))),
        ("a method without an end", "X".repeat(5000)),
    ] {
        let status = if name.starts_with("a method") { [431, 400] } else { [431, 431] };
        let mut raw = server.raw();
        raw.send(request);
        raw.response().assert_refusal(name, &status);
        raw.assert_ended(name);
    }
}

/// The client says no more and waits: what can't become a request is refused with the byte that shows it.
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
        ("white space before the colon", "GET / HTTP/1.1\r\nHost ", 400),
        ("a folded header", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n ", 400),
        ("a NUL in a value", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \0", 400),
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
    assert_eq!(server.get("/healthz?a=b").status, 200, "a query changes nothing");
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
