//! HTTP on real sockets: refusals arrive, connections are kept or closed. The grammar of heads is
//! in tests/http_heads.rs.

use std::time::Duration;

use crate::harness::{Server, Wire};

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

/// One row for each kind of refusal. A request behind it is answered if the connection is kept.
#[test]
fn refusals_arrive_and_are_counted() {
    let server = Server::start(&["--max-header-bytes", "1000"]);
    let body = "xyzzy".repeat(20_000);
    let announced = format!("Content-Length: {}\r\n", body.len());
    let table = [
        ("the first byte of TLS", "\u{16}".to_owned(), 400),
        ("a bare line feed", "GET / HTTP/1.1\n".to_owned(), 400),
        ("no Host", "GET /xyzzy HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("two Hosts", get("/", "Host: xyzzy\r\n"), 400),
        ("a body", get("/", &announced) + &body, 400),
        ("chunks", get("/", "Transfer-Encoding: chunked\r\n"), 400),
        ("a path that is not there", get("/xyzzy", ""), 404),
        ("a path out of the folder", get("/../Cargo.toml", ""), 404),
        ("another method", get("/", "").replace("GET", "XYZZY"), 405),
        ("a long head", get("/", &format!("X-A: {body}\r\n")), 431),
        ("101 header lines", get("/", &"A: b\r\n".repeat(100)), 431),
        ("another version", "GET / HTTP/2.0\r\n".to_owned(), 505),
    ];
    for (name, request, status) in table {
        let mut raw = server.raw();
        raw.send(request);
        let response = raw.response();
        response.assert_refusal(name, &[status]);
        assert_eq!(response.has_token("allow", "GET"), status == 405, "{name}");
        if response.has_token("connection", "close") {
            raw.assert_ended(name);
        } else {
            assert!(status == 404 || status == 405, "{name}");
            raw.send(get("/healthz", ""));
            assert_eq!(raw.response().text().trim_end(), "ok", "{name}");
        }
    }
    for (status, count) in [
        ("400", 6.0),
        ("404", 2.0),
        ("405", 1.0),
        ("431", 2.0),
        ("505", 1.0),
    ] {
        let name = format!("parlor_refused_total{{status=\"{status}\"}}");
        assert_eq!(server.metric(&name), count, "{name}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(
        [
            get("/", ""),
            get("/metrics", ""),
            get("/healthz", "").repeat(100),
        ]
        .concat(),
    );
    assert!(
        raw.response()
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert!(raw.response().text().contains("parlor_connections"));
    for n in 0..100 {
        assert_eq!(raw.response().text().trim_end(), "ok", "{n}");
    }
    // Nothing of this announces a body.
    let lines = "Content-Length: 0\r\nContent_Length: 5\r\nTE: chunked\r\nExpect: 100-continue\r\n";
    raw.send_slowly(get("http://localhost/healthz", lines).repeat(2));
    assert_eq!((raw.response().status, raw.response().status), (200, 200));
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let server = Server::start(&[]);
    for path in ["/", "/healthz", "/xyzzy"] {
        let whole = server.get(path);
        let mut raw = server.raw();
        raw.send(get(path, "").replace("GET", "HEAD"));
        let response = raw.response_head();
        assert_eq!(response.status, whole.status, "{path}");
        for name in ["content-length", "content-type", "etag", "cache-control"] {
            assert_eq!(response.header(name), whole.header(name), "{path}: {name}");
        }
        raw.send(get("/healthz", ""));
        assert_eq!(raw.response().text().trim_end(), "ok", "{path}");
    }
}

/// A client shuts down its sending side after each of these, and gets these statuses and the end.
#[test]
fn half_closed_clients_get_their_answers() {
    let server = Server::start(&[]);
    let health = || get("/healthz", "");
    let table: &[(&str, String, &[u16])] = &[
        ("nothing", String::new(), &[]),
        ("three requests", get("/", "").repeat(3), &[200; 3]),
        ("a request and a half", health() + "GET / HT", &[200, 400]),
        (
            "a head without its last line",
            health().trim_end().to_owned(),
            &[400],
        ),
        (
            "a refusal that goes on",
            get("/xyzzy", "") + &health(),
            &[404, 200],
        ),
        (
            "a body, cut short",
            get("/", "Content-Length: 5\r\n") + "he",
            &[400],
        ),
        (
            "one that closes",
            get("/", "Connection: x, CLOSE\r\n") + &health(),
            &[200],
        ),
        (
            "HTTP/1.0",
            "GET /healthz HTTP/1.0\r\n\r\n".repeat(2),
            &[200],
        ),
        (
            "a refused upgrade",
            Wire::handshake("/echo").replace("13", "12"),
            &[426],
        ),
    ];
    for (name, sent, statuses) in table {
        let mut raw = server.raw();
        raw.send(sent);
        raw.half_close();
        for status in *statuses {
            assert_eq!(raw.response().status, *status, "{name}");
        }
        raw.assert_ended(name);
    }
}

#[test]
fn kept_connection_that_is_idle_is_closed() {
    let server = Server::start(&["--handshake-timeout", "0.3"]);
    let mut raw = server.raw();
    for _ in 0..2 {
        raw.send(get("/healthz", ""));
        assert_eq!(raw.response().status, 200);
        std::thread::sleep(Duration::from_millis(100));
    }
    raw.assert_ended("idle, without an answer");
}
