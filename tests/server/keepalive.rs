//! Many requests on one connection: keep-alive, pipelining, `HEAD`, HTTP/1.0, half-closed clients,
//! absolute-form.

use std::time::Duration;

use crate::harness::{Server, Wire};

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

#[test]
fn one_after_another() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for _ in 0..5 {
        raw.send(get("/healthz", ""));
        let response = raw.response();
        assert_eq!((response.status, response.text().trim_end()), (200, "ok"));
        assert!(!response.has_token("connection", "close"));
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(
        [
            get("/", ""),
            get("/healthz", ""),
            get("/metrics", ""),
            get("/healthz", ""),
        ]
        .concat(),
    );
    assert!(
        raw.response()
            .header("content-type")
            .is_some_and(|media| media.starts_with("text/html"))
    );
    assert_eq!(raw.response().text().trim_end(), "ok");
    assert!(raw.response().text().contains("parlor_connections"));
    assert_eq!(raw.response().text().trim_end(), "ok");
}

#[test]
fn a_hundred_pipelined_requests_in_one_packet() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(get("/healthz", "").repeat(100));
    for n in 0..100 {
        assert_eq!(raw.response().text().trim_end(), "ok", "{n}");
    }
    raw.send(get("/healthz", ""));
    assert_eq!(raw.response().status, 200);
}

#[test]
fn byte_by_byte() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send_slowly(get("/healthz", "X-A: b\r\n").repeat(2));
    for _ in 0..2 {
        assert_eq!(raw.response().text().trim_end(), "ok");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let server = Server::start(&[]);
    for path in ["/", "/healthz", "/xyzzy"] {
        let whole = server.get(path);
        let mut raw = server.raw();
        raw.send(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let response = raw.response_head();
        assert_eq!(response.status, whole.status, "{path}");
        for name in ["content-length", "content-type", "etag", "cache-control"] {
            assert_eq!(response.header(name), whole.header(name), "{path}: {name}");
        }
        if whole.status == 200 {
            raw.send(get("/healthz", ""));
            assert_eq!(
                raw.response().text().trim_end(),
                "ok",
                "{path}: no body stood between"
            );
        }
    }
}

#[test]
fn connection_close() {
    let server = Server::start(&[]);
    for (name, more) in [
        ("alone", "Connection: close\r\n"),
        ("in another case", "connection: CLOSE\r\n"),
        ("in a list", "Connection: keep-alive, close\r\n"),
        (
            "in a second header",
            "Connection: keep-alive\r\nConnection: close\r\n",
        ),
    ] {
        let mut raw = server.raw();
        // What is pipelined behind it is not answered.
        raw.send([get("/healthz", more), get("/metrics", "")].concat());
        let response = raw.response();
        assert_eq!(response.status, 200, "{name}");
        assert!(
            response.has_token("connection", "close"),
            "{name}: {}",
            response.head
        );
        raw.assert_ended(name);
    }
}

#[test]
fn http_1_0() {
    let server = Server::start(&[]);
    for (name, request) in [
        ("without a Host", "GET /healthz HTTP/1.0\r\n\r\n"),
        (
            "with one",
            "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
        ),
    ] {
        let mut raw = server.raw();
        raw.send(request);
        let response = raw.response();
        assert_eq!(
            (response.status, response.text().trim_end()),
            (200, "ok"),
            "{name}"
        );
        raw.assert_ended(name);
    }
    let mut raw = server.raw();
    raw.send("GET / HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n\r\n");
    raw.response()
        .assert_refusal("two hosts are wrong in 1.0 too", &[400]);
}

#[test]
fn a_client_that_shut_its_sending_side_gets_its_answers() {
    let server = Server::start(&[]);
    let page = server.get("/").body;
    let mut raw = server.raw();
    raw.send(get("/", "").repeat(3));
    raw.half_close();
    for n in 0..3 {
        assert_eq!(raw.response().body, page, "answer {n}");
    }
    raw.assert_ended("after the answers");
    let mut raw = server.raw();
    raw.send("GET /xyzzy HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw.half_close();
    raw.response().assert_refusal("a refusal too", &[404]);
    raw.assert_ended("after the refusal");
    let mut raw = server.raw();
    raw.send("GET / HT");
    raw.half_close();
    raw.until_the_end(); // half a request: a refusal or nothing, but an end
}

/// The statuses that a client gets which says all this and then that it will say no more.
#[test]
fn half_closed_clients() {
    let server = Server::start(&[]);
    let upgrade = Wire::handshake("/echo");
    let table: &[(&str, String, &[u16])] = &[
        ("nothing", String::new(), &[]),
        ("one request", get("/healthz", ""), &[200]),
        (
            "a request and half of another",
            get("/healthz", "") + "GET / HT",
            &[200, 400],
        ),
        ("half a request line", "GET".to_owned(), &[400]),
        (
            "a head without its last line",
            get("/healthz", "").trim_end().to_owned() + "\r\n",
            &[400],
        ),
        (
            "the first half of the last line end",
            get("/healthz", "").trim_end_matches('\n').to_owned(),
            &[400],
        ),
        (
            "a refusal that goes on",
            get("/xyzzy", "") + &get("/healthz", ""),
            &[404, 200],
        ),
        (
            "a refusal that does not",
            get("/healthz", "Content-Length: 5\r\n") + "hello",
            &[400],
        ),
        (
            "a body that is shorter than announced",
            get("/healthz", "Content-Length: 5\r\n") + "he",
            &[400],
        ),
        (
            "a request that closes, and one behind it",
            get("/healthz", "Connection: close\r\n") + &get("/", ""),
            &[200],
        ),
        (
            "HTTP/1.0",
            "GET /healthz HTTP/1.0\r\n\r\n".to_owned(),
            &[200],
        ),
        ("a refused upgrade", upgrade.replace("13", "12"), &[426]),
    ];
    for (name, said, statuses) in table {
        let mut raw = server.raw();
        raw.send(said);
        raw.half_close();
        for status in *statuses {
            assert_eq!(raw.response().status, *status, "{name}");
        }
        raw.assert_ended(name);
    }
    let mut raw = server.raw();
    raw.send(upgrade);
    raw.half_close();
    assert_eq!(raw.response().status, 101, "an upgrade, and not one frame");
    let rest = raw.until_the_end();
    assert!(
        rest.is_empty() || rest[0] == 0x88,
        "a close at most: {rest:?}"
    );
}

#[test]
fn absolute_form() {
    let server = Server::start(&[]);
    for (name, target) in [
        ("this host", "http://localhost/healthz"),
        (
            "another host than Host says",
            "http://other.example/healthz",
        ),
        ("a port", "http://localhost:8080/healthz"),
        ("a scheme in another case", "HTTP://localhost/healthz"),
        ("a query", "http://localhost/healthz?a"),
    ] {
        let mut raw = server.raw();
        raw.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let response = raw.response();
        assert_eq!(
            (response.status, response.text().trim_end()),
            (200, "ok"),
            "{name}"
        );
    }
    let mut raw = server.raw();
    raw.send("GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(raw.response().status, 200, "no path is the path /");
    for (name, target) in [
        ("no authority", "http:///healthz"),
        ("a malformed one", "http://a b/"),
        ("a fragment", "http://localhost/#a"),
    ] {
        let mut raw = server.raw();
        raw.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        raw.response().assert_refusal(name, &[400]);
    }
}

#[test]
fn a_kept_connection_that_says_nothing_is_closed() {
    let server = Server::start(&["--handshake-timeout", "0.3"]);
    let mut raw = server.raw();
    for _ in 0..2 {
        raw.send(get("/healthz", ""));
        assert_eq!(raw.response().status, 200);
        std::thread::sleep(Duration::from_millis(100)); // the time begins anew with each request
    }
    raw.assert_ended("idle, without a word: nothing was asked");
}
