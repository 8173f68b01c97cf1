//! Which pages may connect (`--origin`), and whose address counts (`--trusted-proxy`). The rules
//! are in `src/hub`; Caddy and nginx in tests/proxies/run.

use crate::harness::{Raw, Server, handshake, rows};

/// Sends an opening handshake with this Host and these lines.
fn upgrade(server: &Server, host: &str, lines: &str) -> (Raw, u16) {
    let mut raw = server.raw();
    let head = format!("Host: {host}\r\n{lines}\r\n");
    raw.send(handshake("/chat").replace("Host: localhost\r\n", &head));
    let response = raw.response();
    if response.status != 101 {
        response.assert_refusal(lines, &[403, 429]);
        raw.assert_ended(lines);
    }
    let text = response.text();
    assert_eq!(response.status == 403, text.contains("--origin"), "{lines}");
    (raw, response.status)
}

#[test]
fn origin_must_be_allowed() {
    let table = "
        --rate 20                              | localhost | http://localhost    | 101 | 426
        --rate 20                              | localhost | http://evil.example | 403 | 426
        --rate 20                              | a.example | http://a.example    | 403 | 403
        --origin https://a.b --origin http://b | localhost | https://a.b:443     | 101 | 426
        --origin https://a.b --origin http://b | localhost | http://localhost    | 403 | 426
        --origin *                             | a.example | http://evil.example | 101 | 426";
    for [options, host, origin, upgraded, plain] in rows(table) {
        let server = Server::with(&options);
        let (_, status) = upgrade(&server, &host, &format!("Origin: {origin}"));
        assert_eq!(status.to_string(), upgraded, "{options} {host} {origin}");
        // A page under a name that can't work gets the reason before it connects.
        let response = server.request(format!("GET /chat HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        response.assert_refusal(&host, &[plain.parse().unwrap()]);
    }
}

#[cfg(feature = "log-output")]
#[test]
fn log_names_untrusted_proxies_once_and_clients_of_trusted_ones() {
    use crate::harness::eventually;
    let server = Server::with("--max-connections-per-ip 3");
    let forwarded =
        |server, n| upgrade(server, "localhost", &format!("X-Forwarded-For: 9.9.9.{n}"));
    let _open: Vec<_> = (0..3).map(|n| forwarded(&server, n)).collect();
    let logged = |text| eventually(text, || server.logs().contains(text));
    logged("--trusted-proxy 127.0.0.1");
    server.raw().response().assert_refusal("4th", &[429]);
    assert_eq!(server.logs().matches("--trusted-proxy").count(), 1);

    let proxies = ("PARLOR_TRUSTED_PROXY", "192.0.2.1, 127.0.0.0/8");
    let server = Server::with_variables(&[proxies, ("PARLOR_LOG", "debug")]);
    drop(forwarded(&server, 7));
    eventually("its end is logged", || {
        server.logs().contains(" of 9.9.9.7: closes with 1006")
    });
}
