//! How the process sleeps, is suspended and ends; a new start, metrics and logs. Outputs and
//! descriptors are in tests/faults.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Folder, Person, Server, eventually, frame, shell};

/// Whether SIGHUP was ignored when this process started (`nohup`). The server inherits it.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| mask.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']))
}

#[test]
fn signal_closes_with_1001_and_waits_for_the_closes() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        if signal == Signal::HUP && hangups_are_ignored() {
            continue;
        }
        let mut server = Server::start(&["--drain", "60"]);
        let (mut echo, mut ada) = (server.open("/echo"), server.enter("Ada"));
        let mut idle = server.raw();
        idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(idle.response().status, 200);
        server.signal(signal);
        assert_eq!(echo.close_code("going away"), Some(1001), "{signal:?}");
        idle.assert_ended("an idle connection");
        let refused = || std::net::TcpStream::connect(server.address).is_err();
        eventually("no connection is accepted", refused);
        echo.send(frame(0x88, b"\x03\xe9"));
        echo.raw.assert_ended("echo");
        ada.wire.assert_failed("going away", 1001);
        drop((echo, ada));
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        assert!(server.logs().lines().count() <= 3, "{}", server.logs());
    }
}

/// Without this, a restart behind a socket that stays open would lose requests.
#[test]
fn connection_accepted_before_a_stop_gets_its_response() {
    let is_answered = |_| {
        let server = Server::start(&[]);
        let mut raw = server.raw();
        // It was accepted when a later one is answered.
        assert_eq!(server.get("/healthz").status, 200);
        server.signal(Signal::TERM);
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        raw.fill().is_ok()
    };
    // This process may be late itself.
    assert!((0..5).any(is_answered));
}

#[test]
fn stalled_reader_is_awaited_until_drain_or_second_signal() {
    let folder = Folder::new("www-drain");
    let big = std::fs::File::create(folder.0.join("big")).unwrap();
    big.set_len(16 << 20).unwrap();
    let www = folder.0.to_str().unwrap();
    for (drain, signals) in [("60", 2), ("0.3", 1), ("0", 1)] {
        let queue = "--send-queue-bytes=1073741824";
        let mut server = Server::start(&[queue, "--drain", drain, "--www", www]);
        let mut lazy = server.raw();
        lazy.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
        lazy.fill().unwrap();
        for _ in 0..signals {
            sleep(Duration::from_millis(200));
            assert!(server.is_running(), "--drain {drain}");
            server.signal(Signal::TERM);
        }
        assert_eq!(server.wait().code(), Some(0), "--drain {drain}");
    }
}

#[test]
fn ignored_hangup_stays_ignored() {
    let mut server = Server::spawn(shell("trap '' HUP"));
    server.signal(Signal::HUP);
    sleep(Duration::from_millis(100));
    assert!(server.is_running());
}

#[test]
fn idle_server_sleeps() {
    let server = Server::start(&[]);
    let _open = server.open("/echo");
    // Clock ticks, a hundred a second (proc_pid_stat(5)).
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        fields
            .skip(11)
            .take(2)
            .map(|it| it.parse::<u64>().unwrap())
            .sum()
    };
    let before = ticks();
    sleep(Duration::from_millis(500));
    assert!(ticks() - before < 5);
}

#[test]
fn start_without_a_history_has_a_new_epoch() {
    let mut server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    ada.say("general", "before");
    let address = server.address.to_string();
    server.signal(Signal::KILL);
    server.wait();
    let server = Server::listening(&address, &[]);
    let mut back = Person::return_of(&server, &ada.session(), "Ada");
    assert_ne!(back.welcome["epoch"], ada.welcome["epoch"]);
    assert_eq!(back.join("general")["seq"], 0);
}

#[test]
fn metrics_count_what_happens_without_names() {
    let server = Server::start(&[]);
    let names = [
        "parlor_connections",
        "parlor_users_online",
        "parlor_channels",
        "parlor_handshakes_total",
        "parlor_messages_received_total",
    ];
    let values = || names.map(|name| server.metric(name));
    assert_eq!(values(), [0.0, 0.0, 1.0, 0.0, 0.0]);
    let mut ada = server.enter("xyzzy");
    let tab = ada.tab(&server);
    let mut echo = server.open("/echo");
    ada.join("xyzzy");
    echo.send(frame(0x82, vec![0; 100_000]));
    echo.message("large");
    assert_eq!(values(), [3.0, 1.0, 2.0, 3.0, 4.0]);
    for name in ["parlor_bytes_received_total", "parlor_bytes_sent_total"] {
        assert!(server.metric(name) > 100_000.0, "{name}");
    }
    let delivered = || server.metric("parlor_messages_delivered_total");
    let before = delivered();
    ada.say("xyzzy", "xyzzy");
    assert!(delivered() > before);
    ada.quit();
    tab.quit();
    echo.leave();
    eventually("all have left", || values()[..2] == [0.0, 0.0]);
    server.request("XYZZY /xyzzy HTTP/1.1\r\nHost: xyzzy\r\n\r\n");
    let mut wire = server.open("/echo");
    wire.send(frame(0x88, b"\x10\xe1xyzzy"));
    wire.close_code("4321");
    let response = server.get("/metrics");
    let media = response.header("content-type").unwrap();
    assert!(media.starts_with("text/plain; version=0.0.4"), "{media}");
    let text = response.text();
    assert!(!text.contains("xyzzy"), "{text}");
    for line in ["{code=\"1000\"} 3\n", "{code=\"other\"} 1\n"] {
        assert!(
            text.contains(&format!("parlor_closed_total{line}")),
            "{text}"
        );
    }
    let labels = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('=').next());
    let expected = BTreeSet::from(["code", "le", "status"]);
    assert_eq!(labels.collect::<BTreeSet<_>>(), expected);
}

/// With every log line enabled: no texts, no session tokens, no control characters.
#[test]
fn logs_hold_no_secrets() {
    let mut server = Server::with_variables(&[("RUST_LOG", "trace")]);
    let [mut ada, bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.join("general");
    ada.say("general", "plugh-in-a-channel");
    ada.whisper("Bob", "plugh-in-private");
    ada.line("{plugh-that-is-no-json");
    ada.ask(json!({"type": "history", "channel": "general"}));
    ada.tab(&server).quit();
    server.request("GET /plugh-\u{1b}[31m HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let reason = frame(0x88, b"\x03\xe8plugh-\x1b[31m");
    for bytes in [frame(0x81, b"plugh-\xff"), reason] {
        let mut wire = server.open("/chat");
        wire.send(bytes);
        wire.close_code("a close");
    }
    let sessions = [ada.session(), bob.session()];
    drop((ada, bob));
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let logs = server.logs();
    let secrets = sessions.iter().map(|session| session.as_str().unwrap());
    for secret in secrets.chain(["plugh-", "\u{1b}["]) {
        assert!(!logs.contains(secret), "{secret:?} in {logs}");
    }
}

#[test]
fn nothing_is_logged_about_peers_by_default() {
    let server = Server::start(&[]);
    for _ in 0..30 {
        server.request("\0");
        let mut wire = server.open("/echo");
        wire.send(frame(0xf1, ""));
        wire.assert_failed("reserved bits", 1002);
        server.enter("Ada").quit();
    }
    assert!(server.logs().lines().count() < 10, "{}", server.logs());
}
