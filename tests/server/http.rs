//! HTTP on real sockets: refusals arrive, connections are kept or closed. The grammar of heads is
//! in tests/http_heads.rs.

use std::time::Duration;

use crate::harness::{Server, handshake, rows};

const HOST: &str = "HTTP/1.1\r\nHost: localhost\r\n";

fn get(path: &str, more: &str) -> String {
    format!("GET {path} {HOST}{more}\r\n")
}

/// One row for each kind of refusal. A request behind it is answered if the connection is kept.
#[test]
fn refusals_arrive_and_are_counted() {
    let server = Server::start(&["--max-header-bytes", "1000"]);
    let (long, lines) = ("xyzzy".repeat(20_000), "A: b\r\n".repeat(101));
    let table = r"
        the first byte of TLS    | TLS                                                     | 400
        a bare line feed         | GET / HTTP/1.1\n                                        | 400
        no Host                  | GET /xyzzy HTTP/1.1\r\n\r\n                             | 400
        two Hosts                | GET / HTTP/1.1\r\nHost: xyzzy\r\nHost: a\r\n\r\n          | 400
        a body                   | GET / HOSTContent-Length: 100000\r\n\r\nLONG            | 400
        chunks                   | GET / HOSTTransfer-Encoding: chunked\r\n\r\n            | 400
        a path that is not there | GET /xyzzy HOST\r\n                                     | 404
        a path out of the folder | GET /../Cargo.toml HOST\r\n                             | 404
        another method           | XYZZY / HOST\r\n                                        | 405
        a long head              | GET / HTTP/1.1\r\nX-A: LONG                             | 431
        101 header lines         | GET / HTTP/1.1\r\nLINES\r\n                             | 431
        another version          | GET / HTTP/2.0\r\n                                      | 505";
    for [name, request, status] in rows(table) {
        let request = request.replace("TLS", "\u{16}").replace("HOST", HOST);
        let mut raw = server.raw();
        raw.send(request.replace("LONG", &long).replace("LINES", &lines));
        let response = raw.response();
        response.assert_refusal(&name, &[status.parse().unwrap()]);
        assert_eq!(
            response.has_token("allow", "GET"),
            status == "405",
            "{name}"
        );
        if response.has_token("connection", "close") {
            raw.assert_ended(&name);
        } else {
            assert!(status == "404" || status == "405", "{name}");
            raw.send(get("/healthz", ""));
            assert_eq!(raw.response().text().trim_end(), "ok", "{name}");
        }
    }
    for (status, count) in [(400, 6.0), (404, 2.0), (405, 1.0), (431, 2.0)] {
        let name = format!("parlor_refused_total{{status=\"{status}\"}}");
        assert_eq!(server.metric(&name), count, "{name}");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let server = Server::start(&[]);
    for path in ["/", "/healthz", "/chat", "/xyzzy"] {
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

/// A client shuts down its sending side after each of these. It gets these statuses and the end.
#[test]
fn half_closed_clients_get_their_answers() {
    let server = Server::start(&[]);
    let table = r"
        nothing                     |                                                 |
        three requests              | HEALTHHEALTHHEALTH                              | 200 200 200
        a request and a half        | HEALTHGET / HT                                  | 200 400
        no empty line               | GET / HTTP/1.1\r\nHost: a\r\n                   | 400
        a refusal that keeps        | GET /xyzzy HOST\r\nHEALTH                       | 404 200
        a body, cut short           | GET / HOSTContent-Length: 5\r\n\r\nhe           | 400
        one that closes, by a list  | GET / HOSTConnection: x, CLOSE\r\n\r\nHEALTH    | 200
        HTTP/1.0                    | GET / HTTP/1.0\r\n\r\nHEALTH                    | 200
        a refused upgrade           | UPGRADE                                         | 426";
    let upgrade = handshake("/echo").replace("13", "12");
    for [name, sent, statuses] in rows(table) {
        let sent = sent
            .replace("UPGRADE", &upgrade)
            .replace("HEALTH", &get("/healthz", ""));
        let mut raw = server.raw();
        raw.send(sent.replace("HOST", HOST));
        raw.half_close();
        for status in statuses.split_whitespace() {
            assert_eq!(raw.response().status.to_string(), status, "{name}");
        }
        raw.assert_ended(&name);
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
