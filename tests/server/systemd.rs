//! The protocols of systemd without systemd: its messages, sockets and credentials.
//! `tests/packages/run` starts the unit by systemd itself.

use crate::harness::{Folder, PATIENCE, Person, Server, eventually, output, parlor};
use rustix::process::Signal;
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

#[test]
fn manager_is_notified_of_start_life_and_stop() {
    let folder = Folder::new("notify");
    let path = folder.0.join("notify").display().to_string();
    let name = format!("parlor-test-{}", std::process::id());
    for (variable, address) in [
        (path.clone(), SocketAddr::from_pathname(&path)),
        (format!("@{name}"), SocketAddr::from_abstract_name(&name)),
    ] {
        let manager = UnixDatagram::bind_addr(&address.unwrap()).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let next = || {
            let mut buffer = [0; 200];
            let length = manager.recv(&mut buffer).expect("a message");
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let variables = [("NOTIFY_SOCKET", &*variable), ("WATCHDOG_USEC", "200000")];
        let mut server = Server::with_variables(&variables);
        assert_eq!(next(), "READY=1\nSTATUS=0 connections");
        assert_eq!(next(), "WATCHDOG=1\nSTATUS=0 connections");
        let _open = server.open("/echo");
        let status = "WATCHDOG=1\nSTATUS=1 connections";
        eventually("the status", || next() == status);
        server.signal(Signal::TERM);
        eventually("the stop", || next().starts_with("STOPPING=1\n"));
        drop(_open);
        assert_eq!(server.wait().code(), Some(0));
    }
}

/// Clients that connect between two runs wait in the queue of the socket.
#[cfg(feature = "systemd")]
#[test]
fn restart_with_a_passed_socket_refuses_no_connection() {
    use crate::harness::Raw;
    use std::net::TcpListener;
    use std::process::{Command, Stdio};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let start = || {
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --no-history";
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_parlor")]);
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(
            listener.try_clone().unwrap(),
        )));
        Server::spawn(command)
    };
    let mut server = start();
    assert_eq!(server.address, address);
    assert_eq!(server.get("/healthz").status, 200);
    server.signal(Signal::TERM);
    server.wait();
    let mut waiting = Raw::connect(address);
    waiting.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let _server = start();
    assert_eq!(waiting.response().status, 200);
}

/// systemd gives the service an access list, so the mode seems to let in the group.
#[test]
fn credentials_are_the_owners_key_and_the_password() {
    let folder = Folder::new("credentials");
    for name in ["owner-key", "password"] {
        fs::write(folder.0.join(name), name).unwrap();
        fs::set_permissions(folder.0.join(name), Permissions::from_mode(0o440)).unwrap();
    }
    let path = folder.0.to_str().unwrap();
    let server = Server::with_variables(&[("CREDENTIALS_DIRECTORY", path)]);
    let mut ada = Person::guest(&server);
    let hello = |password: &str| json!({"type": "hello", "name": "Ada", "password": password});
    assert_eq!(ada.refused(hello("")), "bad_password");
    ada.welcome = ada.ask(hello("password"));
    let own = ada.ask(json!({"type": "own", "key": "owner-key"}));
    assert_eq!(own["on"], true);
}

#[test]
fn empty_variables_of_the_manager_mean_nothing() {
    let folder = Folder::new("empty-variables");
    let key = folder.0.join("key");
    fs::write(&key, "key").unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let mut command = parlor();
    command.args(["--listen=127.0.0.1:0", "--no-history", "--owner-key"]);
    command.arg(&key).env("CREDENTIALS_DIRECTORY", "");
    let (status, _, errors) = output(&mut command);
    assert_eq!(status, Some(1), "{errors}");
    assert!(errors.contains("its mode is 644"), "{errors}");

    let path = folder.0.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = ("NOTIFY_SOCKET", path.to_str().unwrap());
    let _server = Server::with_variables(&[socket, ("WATCHDOG_USEC", "0")]);
    let mut buffer = [0; 200];
    assert!(manager.recv(&mut buffer).is_ok(), "the start");
    let briefly = Some(Duration::from_millis(200));
    manager.set_read_timeout(briefly).unwrap();
    assert!(manager.recv(&mut buffer).is_err(), "no watchdog");
}
