//! Readers that do not read, and what is held for all together.

use std::io::Write;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Person, Server, eventually, frame, frame_with, header};

/// So that the system holds little of what is on its way.
fn narrow(person: &crate::harness::Raw) {
    rustix::net::sockopt::set_socket_recv_buffer_size(&person.stream, 65_536)
        .expect("a small buffer");
}

#[test]
fn a_reader_that_is_too_slow_is_closed_with_1013_and_the_others_are_not() {
    let server = Server::start(&[
        "--rate",
        "0",
        "--send-queue-bytes",
        "100000",
        "--resume-window",
        "0.2",
    ]);
    let [mut ada, mut bob, mut slow] = ["Ada", "Bob", "Slow"].map(|name| server.enter(name));
    narrow(&slow.wire.raw);
    for person in [&mut ada, &mut bob, &mut slow] {
        person.join("general");
    }
    let text = "😀".repeat(4000);
    let message = json!({"type": "message", "channel": "general", "text": text}).to_string();
    let sent = 600; // 10 MB: more than the system holds for one that does not read
    for _ in 0..sent {
        ada.line(&message);
        assert_eq!(
            ada.take("message")["text"].as_str().map(str::len),
            Some(16_000)
        );
        bob.take("message");
    }
    // What it was sent is whole frames, a gapless beginning of what was said, and then the close.
    let mut seq = 0;
    let closed = loop {
        let next = slow.wire.frame("a message or the close");
        if next.opcode == 8 {
            break next.payload;
        }
        let event: serde_json::Value = serde_json::from_slice(&next.payload).expect("whole events");
        if event["type"] == "message" {
            seq += 1;
            assert_eq!(event["seq"], seq);
        }
    };
    assert_eq!(closed.get(..2), Some(&1013u16.to_be_bytes()[..]));
    assert!(closed.len() > 2, "with a reason");
    assert!(seq < sent);
    eventually("it is offline after the resume window", || {
        ada.ask(json!({"type": "who"}))["count"] == 2
    });
    bob.assert_quiet("each message once");
}

#[test]
fn who_does_not_read_is_not_read() {
    let server = Server::start(&["--send-queue-bytes", "50000"]);
    for (count, length) in [(1000, 20_000), (300, 60_000)] {
        let mut wire = server.open("/echo");
        let mut writer = wire.raw.stream.try_clone().unwrap();
        let message = frame(0x82, vec![b'x'; length]);
        let sending = thread::spawn(move || (0..count).all(|_| writer.write_all(&message).is_ok()));
        thread::sleep(Duration::from_millis(300)); // everything is full now
        assert!(
            server.metric("parlor_buffered_bytes") < 400_000.0,
            "20 MB are not held"
        );
        for n in 0..count {
            assert_eq!(
                wire.message(&format!("echo {n} of {length}")).1.len(),
                length
            );
        }
        assert!(
            sending.join().unwrap(),
            "it is read again when the client reads"
        );
        wire.leave();
    }
}

/// The largest messages that may be sent, pipelined, by a client that reads slowly after it has
/// written: with the limits as
/// they are without options. It is not read while it doesn't read; it is no reason to close it.
#[test]
fn pipelined_messages_of_a_mebibyte_come_back() {
    let server = Server::start(&[]);
    let mut wire = server.open("/echo");
    narrow(&wire.raw);
    let mut writer = wire.raw.stream.try_clone().unwrap();
    let message = frame(0x82, vec![7; 1 << 20]);
    let sending = thread::spawn(move || (0..12).all(|_| writer.write_all(&message).is_ok()));
    thread::sleep(Duration::from_millis(200));
    let mut got = 0;
    while got + wire.raw.buffer.len() < 12 * ((1 << 20) + 10) && wire.raw.fill().is_ok() {
        if wire.raw.buffer.len() > 600_000 {
            got += std::mem::take(&mut wire.raw.buffer).len();
            thread::sleep(Duration::from_millis(20)); // time enough for the server to do what it may
        }
    }
    got += wire.raw.buffer.len();
    assert_eq!(got, 12 * ((1 << 20) + 10), "all came back");
    assert!(sending.join().unwrap(), "all was taken");
}

#[test]
fn an_empty_queue_takes_any_one_message() {
    let server = Server::start(&["--send-queue-bytes", "1000", "--rate", "0"]);
    let mut wire = server.open("/echo");
    for length in [999, 1001, 1 << 20] {
        wire.send(frame(0x82, vec![7; length]));
        assert_eq!(wire.message("large").1.len(), length);
    }
    let mut ada = server.enter("Ada");
    ada.join("general");
    for _ in 0..5 {
        ada.say("general", &"x".repeat(4000));
        ada.take("message");
    }
    assert_eq!(
        ada.ask(json!({"type": "history", "channel": "general"}))["messages"]
            .as_array()
            .map(Vec::len),
        Some(5)
    );
}

/// Beyond what may be held for all together, the one that holds most is closed.
#[test]
fn the_largest_holder_goes_when_there_is_too_much() {
    let server = Server::start(&["--max-buffered-bytes", "300000"]);
    let mut large = server.open("/echo");
    large.send(frame_with(header(0x82, 290_000), vec![7; 200_000]));
    eventually("it is held", || {
        server.metric("parlor_buffered_bytes") >= 200_000.0
    });
    let mut small = server.open("/echo");
    small.send(frame_with(header(0x82, 200_000), vec![7; 150_000]));
    large.assert_cut_off("the largest", 1013);
    // The rest of the same masked payload: 150,000 is a multiple of the key's 4 bytes.
    small.send(frame_with(vec![], vec![7; 50_000]));
    assert_eq!(small.message("the other one").1, vec![7; 200_000]);
    eventually("nothing is held", || {
        server.metric("parlor_buffered_bytes") == 0.0
    });
}

/// A length that is only announced costs nothing.
#[test]
fn memory_grows_with_what_arrived() {
    let server = Server::start(&[
        "--max-connections-per-ip",
        "0",
        "--max-echo-bytes",
        "100000000",
    ]);
    let mut wires: Vec<_> = (0..200).map(|_| server.open("/echo")).collect();
    for wire in &mut wires {
        wire.send(frame_with(header(0x82, 90_000_000), "abc"));
    }
    eventually("all have come", || {
        server.metric("parlor_bytes_received_total") >= 200.0 * 17.0
    });
    assert!(
        server.metric("parlor_buffered_bytes") < 200_000.0,
        "18 GB were announced"
    );
    wires[99]
        .raw
        .assert_silent(Duration::from_millis(50), "it is waited for");
}

/// A flood of one client does not starve another.
#[test]
fn a_flood_starves_nobody() {
    let server = Server::start(&["--rate", "0"]);
    let flood = server.open("/echo");
    let mut writer = flood.raw.stream.try_clone().unwrap();
    let mut reader = flood;
    let sending = thread::spawn(move || {
        let packet = frame(0x81, "x").repeat(5000);
        for _ in 0..20 {
            writer.write_all(&packet).expect("the flood is taken");
        }
    });
    let reading = thread::spawn(move || {
        for _ in 0..100_000 {
            reader.message("of the flood");
        }
    });
    let mut ada = Person::enter(&server, "Ada");
    ada.join("general");
    for n in 1..=20 {
        assert_eq!(ada.say("general", "hi")["seq"], n);
    }
    sending.join().unwrap();
    reading.join().unwrap();
}

/// However many have sent something while the process stood still: what is read of all of them in a
/// turn has a bound. (Who is
/// read in which turn: `src/server/round.rs`.)
#[test]
fn a_turn_reads_at_most_four_mebibytes() {
    // On a busy machine it may take long: nothing is due in it.
    let patient = [
        "--handshake-timeout",
        "600",
        "--message-timeout",
        "600",
        "--ping-interval",
        "0",
    ];
    let server = Server::start(&[&["--max-connections-per-ip", "0"][..], &patient].concat());
    let mut raw = server.raw();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let numbers = |raw: &mut crate::harness::Raw| {
        let text = raw.response().text();
        let number = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap()
                .trim()
                .parse::<u64>()
                .unwrap()
        };
        (
            number("parlor_bytes_received_total "),
            number("parlor_turn_seconds_count "),
        )
    };
    let mut wires: Vec<_> = (0..300).map(|_| server.open("/echo")).collect();
    raw.send(request);
    let (bytes_before, turns_before) = numbers(&mut raw);
    server.signal(rustix::process::Signal::STOP);
    for wire in &mut wires {
        wire.send(frame_with(header(0x82, 1 << 20), vec![7; 60_000]));
    }
    // Last in the row: it is answered in the turn in which all before it have been read.
    raw.send(request);
    server.signal(rustix::process::Signal::CONT);
    let (bytes, turns) = numbers(&mut raw);
    let (bytes, turns) = (bytes - bytes_before, turns + 1 - turns_before);
    assert!(
        bytes <= turns * (4 << 20) + (64 << 10),
        "{bytes} bytes in {turns} turns"
    );
    eventually("all is read", || {
        server.metric("parlor_bytes_received_total") - bytes_before as f64 > 300.0 * 60_000.0
    });
}
