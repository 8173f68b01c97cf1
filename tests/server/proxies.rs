//! Behind a proxy that is believed, and before one that is not.
//!
//! Not here: Caddy and nginx themselves (`tests/proxies/run`).

#[cfg(feature = "log-output")]
use crate::harness::parlor;
use crate::harness::{Raw, Server, Wire, eventually};

/// An opening handshake with these lines besides.
fn handshake(lines: &str) -> String {
    Wire::handshake("/chat").replace(
        "Host: localhost\r\n",
        &format!("Host: localhost\r\n{lines}\r\n"),
    )
}

fn upgrade(server: &Server, lines: &str) -> (Raw, u16) {
    let mut raw = server.raw();
    raw.send(handshake(lines));
    let response = raw.response();
    if response.status == 429 {
        response.assert_refusal(lines, &[429]);
        raw.assert_ended(lines);
    }
    (raw, response.status)
}

#[test]
fn clients_of_a_trusted_proxy_are_counted_by_their_own_address() {
    let server = Server::start(&[
        "--trusted-proxy",
        "127.0.0.1",
        "--max-connections-per-ip",
        "2",
    ]);
    let table = [
        ("the first", "X-Forwarded-For: 127.0.0.2", 101),
        ("its second", "Forwarded: for=127.0.0.2", 101),
        ("its third", "X-Forwarded-For: 127.0.0.2", 429),
        (
            "what it makes up does not help",
            "X-Forwarded-For: 9.9.9.9, 127.0.0.2",
            429,
        ),
        (
            "nor beside it",
            "X-Forwarded-For: 127.0.0.2\r\nForwarded: for=9.9.9.9",
            429,
        ),
        (
            "another address",
            "X-Forwarded-For: 127.0.0.2, 127.0.0.3",
            101,
        ),
        (
            "another address, over two proxies",
            "X-Forwarded-For: 127.0.0.3\r\nX-Forwarded-For: 127.0.0.1",
            101,
        ),
        ("IPv6, one household", "X-Forwarded-For: 2001:db8::1", 101),
        (
            "IPv6, the same",
            "Forwarded: for=\"[2001:db8::2]:4711\"",
            101,
        ),
        (
            "IPv6, the third of the same",
            "X-Forwarded-For: 2001:db8::3",
            429,
        ),
    ];
    let mut open = Vec::new();
    for (name, lines, expected) in table {
        let (raw, status) = upgrade(&server, lines);
        assert_eq!(status, expected, "{name}");
        open.push(raw);
    }
    // The proxy itself has as many as it needs.
    open.extend((0..5).map(|_| server.raw()));
    open.extend((0..5).map(|_| server.open("/echo").raw));
    assert_eq!(server.get("/healthz").status, 200);
    drop(open.drain(..1));
    eventually("who left makes room", || {
        upgrade(&server, "X-Forwarded-For: 127.0.0.2").1 == 101
    });
    assert!(
        !server.logs().contains("--trusted-proxy"),
        "{}",
        server.logs()
    );
}

/// A proxy's connection carries one request after another, of different clients.
#[test]
fn a_kept_connection_of_a_proxy_counts_for_whom_it_asks() {
    let server = Server::start(&[
        "--trusted-proxy",
        "127.0.0.0/8",
        "--max-connections-per-ip",
        "1",
    ]);
    let mut kept = [server.raw(), server.raw()];
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
        for raw in &mut kept {
            raw.send(format!(
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\r\n"
            ));
            assert_eq!(raw.response().status, 200, "{client}");
        }
    }
    let _open = upgrade(&server, "X-Forwarded-For: 192.0.2.1");
    kept[0].send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
    kept[0]
        .response()
        .assert_refusal("one more of this address", &[429]);
    kept[1].send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n");
    assert_eq!(kept[1].response().status, 200, "the other one");
}

#[test]
fn odd_values_are_harmless() {
    let server = Server::start(&[
        "--trusted-proxy",
        "127.0.0.1",
        "--max-connections-per-ip",
        "1",
    ]);
    let odd = [
        "X-Forwarded-For:",
        "X-Forwarded-For: ,,, ,",
        "X-Forwarded-For: unknown",
        "X-Forwarded-For: 1.2.3.4.5",
        "X-Forwarded-For: 300.1.1.1",
        "X-Forwarded-For: 0.0.0.0",
        "X-Forwarded-For: ::ffff:999.1.1.1, [::1, ::1]",
        "X-Forwarded-For: \u{e9}\u{1f600}",
        "Forwarded: for=",
        "Forwarded: for=\"",
        "Forwarded: for=\"[\", ;;;=,\"\\",
        "Forwarded: for=_secret;by=_hidden",
        "Forwarded: proto=https",
    ];
    let mut open = Vec::new();
    for lines in odd {
        for _ in 0..2 {
            let (raw, status) = upgrade(&server, lines);
            assert_eq!(status, 101, "{lines}");
            open.push(raw);
        }
    }
    let (raw, status) = upgrade(
        &server,
        &format!("X-Forwarded-For: {}192.0.2.1", "a,".repeat(3_000)),
    );
    assert_eq!(status, 101, "a long list");
    assert_eq!(upgrade(&server, "X-Forwarded-For: 192.0.2.1").1, 429);
    drop(raw);
}

#[cfg(feature = "log-output")] // the log tells
#[test]
fn who_is_not_trusted_is_not_believed_and_the_log_says_so_once() {
    let server = Server::start(&[
        "--trusted-proxy",
        "192.0.2.1",
        "--max-connections-per-ip",
        "3",
    ]);
    let _open: Vec<_> = (2..5)
        .map(|n| upgrade(&server, &format!("X-Forwarded-For: 127.0.0.{n}")))
        .collect();
    server
        .raw()
        .response()
        .assert_refusal("all of them come from one address", &[429]);
    eventually("the log tells it", || {
        server.logs().contains("--trusted-proxy 127.0.0.1")
    });
    assert_eq!(
        server.logs().matches("--trusted-proxy").count(),
        1,
        "{}",
        server.logs()
    );
}

#[cfg(feature = "log-output")] // the log tells
#[test]
fn the_log_names_the_client_and_not_the_proxy() {
    let mut command = parlor();
    command.args(["--listen", "127.0.0.1:0", "--no-history"]);
    command
        .env("PARLOR_TRUSTED_PROXY", "192.0.2.1, 127.0.0.0/8")
        .env("PARLOR_LOG", "debug");
    let server = Server::spawn(command);
    let (raw, status) = upgrade(&server, "X-Forwarded-For: 198.51.100.7");
    assert_eq!(status, 101);
    drop(raw);
    eventually("its end is logged", || {
        server.logs().contains(" of 198.51.100.7: closes with 1006")
    });
}
