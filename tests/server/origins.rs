//! `Origin` and `--origin`: from which pages a browser may open a WebSocket. Without this rule any
//! page that somebody
//! visits could speak to a parlor on their machine, and by DNS rebinding under a name of its own.

use crate::harness::{Response, Server, Wire};

fn open(server: &Server, path: &str, host: &str, origins: &[&str]) -> Response {
    let origin: String = origins
        .iter()
        .map(|origin| format!("Origin: {origin}\r\n"))
        .collect();
    let request =
        Wire::handshake(path).replace("Host: localhost\r\n", &format!("Host: {host}\r\n{origin}"));
    let mut raw = server.raw();
    raw.send(request);
    let response = raw.response();
    if response.status != 101 {
        raw.assert_ended("a refused upgrade closes");
    }
    response
}

fn assert_row(server: &Server, name: &str, host: &str, origins: &[&str], accepted: bool) {
    for path in ["/chat", "/echo"] {
        let response = open(server, path, host, origins);
        if accepted {
            assert_eq!(response.status, 101, "{path}: {name}: {}", response.text());
        } else {
            let statuses: &[u16] = if origins.len() > 1 {
                &[400, 403]
            } else {
                &[403]
            };
            response.assert_refusal(name, statuses);
            assert!(
                response.status == 400 || response.text().contains("--origin"),
                "{name}: {}",
                response.text()
            );
        }
    }
}

#[test]
fn where_none_is_given_the_same_host_may() {
    let server = Server::start(&[]);
    let table: &[(&str, &str, &[&str], bool)] = &[
        ("no browser", "localhost:8080", &[], true),
        (
            "no browser, a name of the network",
            "chat.example.com",
            &[],
            true,
        ),
        (
            "an address",
            "127.0.0.1:8080",
            &["http://127.0.0.1:8080"],
            true,
        ),
        (
            "an address of the house",
            "192.168.1.5:8080",
            &["http://192.168.1.5:8080"],
            true,
        ),
        (
            "an IPv6 address",
            "[::1]:8080",
            &["http://[::1]:8080"],
            true,
        ),
        (
            "an IPv6 address with another port",
            "[::1]:8080",
            &["http://[::1]:8081"],
            false,
        ),
        (
            "localhost",
            "localhost:8080",
            &["http://localhost:8080"],
            true,
        ),
        (
            "in another case",
            "LocalHost:8080",
            &["http://localhost:8080"],
            true,
        ),
        ("https, by a proxy", "chat.lan", &["https://chat.lan"], true),
        (
            "https with its default port",
            "chat.lan:443",
            &["https://chat.lan"],
            true,
        ),
        (
            "http with its default port",
            "chat.lan:80",
            &["http://chat.lan"],
            true,
        ),
        (
            "the default port in the origin",
            "chat.lan",
            &["http://chat.lan:80"],
            true,
        ),
        (
            "a name without a dot",
            "raspberry:8080",
            &["http://raspberry:8080"],
            true,
        ),
        (
            "under .localhost",
            "parlor.localhost:8080",
            &["http://parlor.localhost:8080"],
            true,
        ),
        (
            "under .local",
            "pi.local:8080",
            &["http://pi.local:8080"],
            true,
        ),
        ("under .lan", "pi.lan:8080", &["http://pi.lan:8080"], true),
        (
            "under .home.arpa",
            "pi.home.arpa:8080",
            &["http://pi.home.arpa:8080"],
            true,
        ),
        (
            "under .internal",
            "pi.internal:8080",
            &["http://pi.internal:8080"],
            true,
        ),
        (
            "another port",
            "localhost:8080",
            &["http://localhost:9090"],
            false,
        ),
        ("no port", "localhost:8080", &["http://localhost"], false),
        (
            "another host",
            "localhost:8080",
            &["http://xyzzy.example:8080"],
            false,
        ),
        ("no page of a site", "localhost:8080", &["null"], false),
        ("a file", "localhost:8080", &["file://"], false),
        (
            "another scheme",
            "localhost:8080",
            &["ftp://localhost:8080"],
            false,
        ),
        (
            "an extension",
            "localhost:8080",
            &["chrome-extension://localhost:8080"],
            false,
        ),
        ("an empty one", "localhost:8080", &[""], false),
        ("no scheme", "localhost:8080", &["localhost:8080"], false),
        (
            "a path",
            "localhost:8080",
            &["http://localhost:8080/xyzzy"],
            false,
        ),
        (
            "a user",
            "localhost:8080",
            &["http://xyzzy@localhost:8080"],
            false,
        ),
        (
            "a host that only begins so",
            "localhost:8080",
            &["http://localhost:8080.xyzzy.example"],
            false,
        ),
        (
            "two of them",
            "localhost:8080",
            &["http://localhost:8080", "http://xyzzy.example"],
            false,
        ),
        (
            "two in one",
            "localhost:8080",
            &["http://localhost:8080 http://xyzzy.example"],
            false,
        ),
        (
            "a name that could be rebound",
            "xyzzy.example:8080",
            &["http://xyzzy.example:8080"],
            false,
        ),
        (
            "the same by https",
            "xyzzy.example",
            &["https://xyzzy.example"],
            false,
        ),
        (
            "an address in front of it",
            "127.0.0.1.xyzzy.example:8080",
            &["http://127.0.0.1.xyzzy.example:8080"],
            false,
        ),
        (
            "localhost in front of it",
            "localhost.xyzzy.example",
            &["http://localhost.xyzzy.example"],
            false,
        ),
        (
            "a suffix without its dot",
            "xyzzylocal.example",
            &["http://xyzzylocal.example"],
            false,
        ),
        (
            "a suffix that only ends so",
            "a.xyzzylan",
            &["http://a.xyzzylan"],
            false,
        ),
        (
            "a dot at the end",
            "xyzzy.example.:8080",
            &["http://xyzzy.example.:8080"],
            false,
        ),
    ];
    for (name, host, origins, accepted) in table {
        assert_row(&server, name, host, origins, *accepted);
    }
}

#[test]
fn where_some_are_given_these_may() {
    let server = Server::start(&[
        "--origin",
        "https://chat.example.com",
        "--origin=http://other.example:8080",
    ]);
    let table: &[(&str, &str, &[&str], bool)] = &[
        (
            "the first",
            "chat.example.com",
            &["https://chat.example.com"],
            true,
        ),
        (
            "with its default port",
            "chat.example.com",
            &["https://chat.example.com:443"],
            true,
        ),
        (
            "whatever the Host is",
            "127.0.0.1:8080",
            &["https://chat.example.com"],
            true,
        ),
        (
            "the second",
            "127.0.0.1:8080",
            &["http://other.example:8080"],
            true,
        ),
        ("no browser", "127.0.0.1:8080", &[], true),
        (
            "another scheme",
            "chat.example.com",
            &["http://chat.example.com"],
            false,
        ),
        (
            "another port",
            "chat.example.com",
            &["https://chat.example.com:8443"],
            false,
        ),
        (
            "a name below it",
            "chat.example.com",
            &["https://xyzzy.chat.example.com"],
            false,
        ),
        (
            "a name that begins so",
            "chat.example.com",
            &["https://chat.example.com.xyzzy.example"],
            false,
        ),
        (
            "the same host is none of them",
            "localhost:8080",
            &["http://localhost:8080"],
            false,
        ),
        ("no page of a site", "chat.example.com", &["null"], false),
    ];
    for (name, host, origins, accepted) in table {
        assert_row(&server, name, host, origins, *accepted);
    }
}

#[test]
fn any_may_where_an_asterisk_is_given() {
    let server = Server::start(&["--origin", "*"]);
    for origin in [
        "http://evil.example",
        "https://chat.example.com:8443",
        "http://localhost",
    ] {
        assert_row(&server, origin, "chat.example.com", &[origin], true);
    }
}

#[test]
fn the_authority_of_an_absolute_target_replaces_host() {
    let server = Server::start(&[]);
    for (name, target, host, accepted) in [
        (
            "the origin is the target's",
            "http://localhost:8080/chat",
            "xyzzy.example",
            true,
        ),
        (
            "the origin is the Host's",
            "http://xyzzy.example/chat",
            "localhost:8080",
            false,
        ),
    ] {
        let response = open(&server, target, host, &["http://localhost:8080"]);
        assert_eq!(response.status, if accepted { 101 } else { 403 }, "{name}");
    }
}

/// A page that was loaded under a name that can't work learns why before it tries.
#[test]
fn a_get_without_upgrade_says_what_an_upgrade_would() {
    let get = |server: &Server, host: &str| {
        let mut raw = server.raw();
        raw.send(format!("GET /chat HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        raw.response()
    };
    let server = Server::start(&[]);
    get(&server, "localhost:8080").assert_refusal("a host that could match", &[426]);
    let response = get(&server, "xyzzy.example:8080");
    response.assert_refusal("a host that could not", &[403]);
    assert!(response.text().contains("--origin"), "{}", response.text());
    let server = Server::start(&["--origin", "*"]);
    get(&server, "xyzzy.example:8080").assert_refusal("any may", &[426]);
}
