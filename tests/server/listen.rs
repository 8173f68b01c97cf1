//! Several addresses and Unix sockets to listen on.

use crate::harness::{Folder, Raw, Server, Wire, handshake, output, parlor};
use rustix::process::Signal;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Starts a server on a free port and on a Unix socket.
fn start(path: &Path, options: &[&str]) -> Server {
    let unix = format!("unix:{}", path.display());
    Server::start(&[&["--listen", &unix], options].concat())
}

fn connect(path: &Path) -> Raw {
    let stream = UnixStream::connect(path).expect("the server accepts");
    let buffer = Vec::new();
    let stream = TcpStream::from(OwnedFd::from(stream));
    Raw { stream, buffer }
}

#[test]
fn each_address_serves_the_same_chat() {
    let folder = Folder::new("listen");
    let path = folder.0.join("parlor.sock");
    let server = start(&path, &["--listen", "127.0.0.2:0"]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    let mut wire = Wire::open(connect(&path), "/chat");
    wire.send(crate::harness::frame(0x81, "/nick Ben"));
    let welcome = String::from_utf8(wire.message("a welcome").1).unwrap();
    assert!(welcome.contains("Ada"), "{welcome}");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    #[cfg(feature = "tools")]
    {
        let mut health = parlor();
        health.arg("health").arg(format!("unix:{}", path.display()));
        assert_eq!(output(&mut health), (Some(0), "ok\n".into(), "".into()));
    }
}

/// A peer on a Unix socket has no address of its own.
#[test]
fn peer_on_a_socket_counts_as_a_trusted_proxy() {
    let folder = Folder::new("listen-proxy");
    let path = folder.0.join("parlor.sock");
    let options = ["--max-connections-per-ip=1", "--user-header=X-User"];
    let server = start(&path, &options);
    let get = |mut raw: Raw| {
        raw.send("GET /user.json HTTP/1.1\r\nHost: localhost\r\nX-User: Ada\r\n\r\n");
        raw.response().status
    };
    assert_eq!((get(server.raw()), get(connect(&path))), (403, 200));
    let upgrade = |client: &str| {
        let mut raw = connect(&path);
        let host = format!("Host: localhost\r\nX-User: Ada\r\n{client}");
        raw.send(handshake("/chat").replace("Host: localhost\r\n", &host));
        (raw.response().status, raw)
    };
    let [one, other] = ["1", "2"].map(|n| format!("X-Forwarded-For: 192.0.2.{n}\r\n"));
    let (one, other) = (&*one, &*other);
    let first = upgrade(one);
    let status = [first.0, upgrade(one).0, upgrade(other).0, upgrade("").0];
    assert_eq!(status, [101, 429, 101, 101]);
}

#[test]
fn socket_file_of_a_killed_server_is_replaced() {
    let folder = Folder::new("listen-stale");
    let path = folder.0.join("parlor.sock");
    let unix = format!("unix:{}", path.display());
    let mut server = start(&path, &[]);
    let refused = || {
        let mut command = parlor();
        command.args(["--no-history", "--listen", &unix]);
        output(&mut command)
    };
    let (status, _, error) = refused();
    assert!(status == Some(1), "{error}");
    assert!(error.contains("another program"), "{error}");
    server.signal(Signal::KILL);
    server.wait();
    assert!(path.exists());
    let mut server = start(&path, &[]);
    let mut raw = connect(&path);
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(raw.response().status, 200);
    server.signal(Signal::TERM);
    server.wait();
    assert!(!path.exists(), "it is removed at the end");
    std::fs::write(&path, "a letter").unwrap();
    let (status, _, error) = refused();
    assert!(status == Some(1) && error.contains("no socket"), "{error}");
    assert!(path.exists());
}
