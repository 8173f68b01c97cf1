//! Peers that send much and read nothing: each spends its own limit and nobody else's.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Person, Raw, Server, frame, frame_with, header};
use crate::witness::{reads_everything, withstand};
use crate::{counted, times};

/// Beside what a peer is given by its limits: the turn's own buffers, and what the allocator keeps
/// of what was freed.
const SLACK_KIB: u64 = 6 << 10;
/// `--send-queue-bytes`, and one read that is kept.
const QUEUE_KIB: u64 = (1 << 10) + 64;

/// What became of bytes that were poured into a socket whose other direction nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poured {
    /// All were taken.
    Taken,
    /// Nothing more is taken: the server does not read.
    Held,
    /// The server has ended it.
    Ended,
}

/// Sends something again and again, and reads nothing.
fn pour(raw: &mut Raw, bytes: &[u8], times: usize) -> Poured {
    raw.stream.set_nonblocking(true).expect("no waiting");
    let mut outcome = Poured::Taken;
    'all: for _ in 0..times {
        let (mut rest, mut since) = (bytes, Instant::now());
        while !rest.is_empty() {
            match raw.stream.write(rest) {
                Ok(count) => (rest, since) = (&rest[count..], Instant::now()),
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock
                        && since.elapsed() < Duration::from_secs(2) =>
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => {
                    outcome = if error.kind() == ErrorKind::WouldBlock {
                        Poured::Held
                    } else {
                        Poured::Ended
                    };
                    break 'all;
                }
            }
        }
    }
    raw.stream.set_nonblocking(false).expect("waiting");
    outcome
}

/// Reads what the server has said until its close frame, and gives its code.
fn close_code(person: &mut crate::harness::Wire) -> Option<u16> {
    loop {
        match person.try_frame() {
            Ok(frame) if frame.opcode == 8 => {
                return frame
                    .payload
                    .first_chunk()
                    .map(|code| u16::from_be_bytes(*code));
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[test]
fn pings_that_nobody_reads_the_answers_of() {
    let packet = frame(0x89, [b'p'; 125]).repeat(500);
    let peers = times(10, 50);
    withstand(
        "pings to /echo, answers unread",
        &[],
        peers as u64 * QUEUE_KIB + SLACK_KIB,
        |server| {
            let mut wires: Vec<_> = (0..peers).map(|_| server.open("/echo")).collect();
            for wire in &mut wires {
                assert_eq!(
                    pour(&mut wire.raw, &packet, 500),
                    Poured::Held,
                    "30 MB of pings: it is not read while it does not read"
                );
            }
        },
    );
}

#[test]
fn pings_to_the_chat_are_commands() {
    let packet = frame(0x89, [b'p'; 125]).repeat(100);
    withstand("pings to /chat", &[], SLACK_KIB, |server| {
        for _ in 0..times(20, 500) {
            let mut wire = server.open("/chat");
            let _ = pour(&mut wire.raw, &packet, 20);
            assert!(
                [Some(1008), None].contains(&close_code(&mut wire)),
                "closed for flooding, or reset with the close on its way"
            );
        }
        assert!(counted(server, "parlor_closed_total{code=\"1008\"}") >= times(20, 500) as f64);
    });
}

#[test]
fn empty_fragments_cost_nothing_each() {
    let packet = frame(0x00, "").repeat(2_000);
    withstand("empty fragments to /echo", &[], SLACK_KIB, |server| {
        let mut wires: Vec<_> = (0..5).map(|_| server.open("/echo")).collect();
        for wire in &mut wires {
            wire.send(frame(0x01, "x"));
            assert_eq!(
                pour(&mut wire.raw, &packet, times(50, 1_000)),
                Poured::Taken
            );
            wire.send(frame(0x80, "y"));
            assert_eq!(wire.message("all of them together").1, b"xy");
        }
    });
    withstand("empty fragments to /chat", &[], SLACK_KIB, |server| {
        for _ in 0..5 {
            let mut wire = server.open("/chat");
            wire.send(frame(0x01, "{"));
            let _ = pour(&mut wire.raw, &packet, 5);
            assert!([Some(1008), None].contains(&close_code(&mut wire)));
        }
    });
}

#[test]
fn fragments_of_one_byte_end_at_the_limit() {
    let packet = frame(0x00, "x").repeat(4_096);
    let peers = times(4, 40);
    withstand(
        "fragments of one byte to /echo",
        &[],
        peers as u64 * 2 * 1_024 + SLACK_KIB,
        |server| {
            let mut wires: Vec<_> = (0..peers).map(|_| server.open("/echo")).collect();
            for wire in &mut wires {
                wire.send(frame(0x02, "x"));
                assert_eq!(
                    pour(&mut wire.raw, &packet, 255),
                    Poured::Taken,
                    "a mebibyte less some"
                );
            }
            for wire in &mut wires {
                let _ = pour(&mut wire.raw, &packet, 2);
                assert!([Some(1009), None].contains(&close_code(wire)));
            }
            assert_eq!(
                counted(server, "parlor_closed_total{code=\"1009\"}"),
                peers as f64
            );
        },
    );
}

/// Messages that begin and never end, each within its own limit.
#[test]
fn unfinished_messages_share_one_limit() {
    let buffered = 8 << 20;
    // A buffer that grows has up to twice what is in it.
    let limit = 2 * buffered / 1_024 + SLACK_KIB;
    withstand(
        "messages that never end",
        &["--max-buffered-bytes", &buffered.to_string()],
        limit,
        |server| {
            let mut wires: Vec<_> = (0..times(20, 100)).map(|_| server.open("/echo")).collect();
            let begin = frame_with(header(0x82, 1_000_000), vec![7; 900_000]);
            for wire in &mut wires {
                let _ = pour(&mut wire.raw, &begin, 1);
            }
            crate::harness::eventually("the largest are closed", || {
                counted(server, "parlor_closed_total{code=\"1013\"}") >= times(20, 100) as f64 - 9.0
                    && server.metric("parlor_buffered_bytes") <= buffered as f64
            });
        },
    );
}

/// A thousand commands in one write, again and again, and not a word of the answers is read.
fn ask_without_reading(server: &Server, peers: usize, command: &str) {
    let mut people: Vec<_> = (0..peers)
        .map(|n| server.enter(&format!("Asker{n}")))
        .collect();
    let packet = frame(0x81, command).repeat(1_000);
    for person in &mut people {
        // It is held, or closed with 1013 and what it says thrown away: without a rate, what a
        // single read asks for can be more than
        // a queue takes.
        let _ = pour(&mut person.wire.raw, &packet, 100);
    }
    // Who begins to read finds whole answers.
    let first = &mut people[0];
    for _ in 0..20 {
        let event: serde_json::Value =
            serde_json::from_slice(&first.wire.message("an answer").1).expect("JSON");
        assert!(
            [
                "history",
                "users",
                "error",
                "presence",
                "members",
                "channels",
                "channels_changed"
            ]
            .iter()
            .any(|kind| event["type"] == *kind),
            "{event}"
        );
    }
}

#[test]
fn history_that_nobody_reads() {
    let peers = times(8, 40);
    // What is kept: 1,000 messages of 4,000 characters and what each record weighs besides.
    let limit = peers as u64 * QUEUE_KIB + 6_000 + 2 * SLACK_KIB;
    withstand("history, unread", &["--rate", "0"], limit, |server| {
        let mut ada = server.enter("Ada");
        ada.join("general");
        for n in 0..1_000 {
            ada.say("general", &format!("{n:0>4000}"));
            ada.take("message");
        }
        ask_without_reading(
            server,
            peers,
            r#"{"type":"history","channel":"general","limit":200}"#,
        );
    });
}

#[test]
fn lists_that_nobody_reads() {
    let (users, peers) = (times(100, 600), times(8, 40));
    let limit = peers as u64 * QUEUE_KIB + users as u64 * 16 + 2 * SLACK_KIB;
    withstand("who, unread", &["--rate", "0"], limit, |server| {
        let _users: Vec<_> = (0..users)
            .map(|n| server.enter(&format!("somebody-with-a-long-name-{n}")))
            .collect();
        ask_without_reading(server, peers, r#"{"type":"who"}"#);
    });
}

#[test]
fn errors_that_nobody_reads() {
    let peers = times(8, 40);
    withstand(
        "errors, unread",
        &["--rate", "0"],
        peers as u64 * QUEUE_KIB + 2 * SLACK_KIB,
        |server| {
            ask_without_reading(server, peers, r#"{"type":"nonsense","id":1}"#);
        },
    );
}

#[test]
fn joins_and_leaves() {
    withstand(
        "joins and leaves, read",
        &["--rate", "0"],
        4 * SLACK_KIB,
        |server| {
            let mut people: Vec<_> = (0..20)
                .map(|n| server.enter(&format!("Storm{n}")))
                .collect();
            let readers: Vec<_> = people.iter().map(reads_everything).collect();
            let storm: String = (0..20)
                .flat_map(|n| {
                    ["join", "leave"].map(|what| format!(r#"{{"type":"{what}","channel":"c{n}"}}"#))
                })
                .fold(String::new(), |all, command| all + &command + "\n");
            let packet: Vec<u8> = storm
                .lines()
                .flat_map(|command| frame(0x81, command))
                .collect();
            for _ in 0..times(10, 200) {
                for person in &mut people {
                    person.wire.send(&packet);
                }
            }
            for person in &mut people {
                person
                    .wire
                    .raw
                    .stream
                    .shutdown(Shutdown::Write)
                    .expect("the end");
            }
            readers
                .into_iter()
                .for_each(|reader| assert!(reader.join().unwrap() > 0));
        },
    );
}

#[test]
fn channels_without_end() {
    // An empty channel without a history goes away; what is left of it is news that is gathered.
    withstand(
        "channels made and left",
        &["--rate", "0", "--max-channels", "200"],
        SLACK_KIB,
        |server| {
            let mut maker = server.enter("Maker");
            let reader = reads_everything(&maker);
            for n in 0..times(5_000, 100_000) {
                maker
                    .wire
                    .text(&json!({"type": "join", "channel": format!("made-{n}")}).to_string());
                maker
                    .wire
                    .text(&json!({"type": "leave", "channel": format!("made-{n}")}).to_string());
            }
            maker
                .wire
                .raw
                .stream
                .shutdown(Shutdown::Write)
                .expect("the end");
            assert!(reader.join().unwrap() > 0);
            assert!(server.metric("parlor_channels") <= 200.0);
        },
    );
    // One that was written in stays, put away; of those there are ten thousand at most.
    withstand(
        "channels made and written in",
        &["--rate", "0", "--max-channels", "200"],
        3 * SLACK_KIB,
        |server| {
            let mut maker = server.enter("Maker");
            let reader = reads_everything(&maker);
            for n in 0..times(2_000, 30_000) {
                for command in ["join", "message", "leave"] {
                    maker.wire.text(
                        &json!({"type": command, "channel": format!("made-{n}"), "text": "x"})
                            .to_string(),
                    );
                }
            }
            maker
                .wire
                .raw
                .stream
                .shutdown(Shutdown::Write)
                .expect("the end");
            assert!(reader.join().unwrap() > 0);
            assert!(server.metric("parlor_channels") <= 200.0);
        },
    );
}

#[test]
fn people_who_come_and_vanish() {
    withstand(
        "hello and gone",
        &["--max-connections", "100", "--resume-window", "1"],
        SLACK_KIB,
        |server| {
            let mut refused = 0;
            for n in 0..times(1_000, 20_000) {
                let mut raw = server.raw();
                raw.send(crate::harness::Wire::handshake("/chat"));
                match raw.response().status {
                    101 => {
                        raw.send(frame(0x81, format!("/nick guest-{n}")));
                        rustix::net::sockopt::set_socket_linger(&raw.stream, Some(Duration::ZERO))
                            .expect("a reset");
                    }
                    503 => refused += 1,
                    other => panic!("{other}"),
                }
            }
            assert!(
                refused > 0,
                "there is a limit for users whose connection is gone"
            );
            assert!(server.metric("parlor_users_online") <= 203.0);
        },
    );
}

#[test]
fn a_reader_that_stops_is_closed_alone() {
    withstand(
        "one reader that stops",
        &["--rate", "0", "--resume-window", "0.2"],
        QUEUE_KIB + SLACK_KIB,
        |server| {
            let mut slow = server.enter("Slow");
            rustix::net::sockopt::set_socket_recv_buffer_size(&slow.wire.raw.stream, 65_536)
                .expect("a small buffer");
            slow.join("loud");
            let mut talkers: Vec<Person> = (0..4)
                .map(|n| server.enter(&format!("Talker{n}")))
                .collect();
            talkers
                .iter_mut()
                .for_each(|talker| drop(talker.join("loud")));
            // What is kept is the same for all: 1,000 messages, 4 MB, before it is measured how
            // much its queue adds.
            let text = "x".repeat(4_000);
            for _ in 0..times(1_500, 5_000) {
                for talker in &mut talkers {
                    talker.say("loud", &text);
                }
            }
            // Each heard all, in order; nobody waited.
            let said = talkers.len() * times(1_500, 5_000);
            for talker in &mut talkers {
                for seq in 1..=said {
                    assert_eq!(
                        talker.take_where("all that was said", |event| event["channel"] == "loud"
                            && event["type"] == "message")["seq"],
                        seq
                    );
                }
            }
            // After five seconds the close is not waited for any more, and what was on its way is
            // lost.
            assert!([Some(1013), None].contains(&close_code(&mut slow.wire)));
            assert_eq!(
                counted(server, "parlor_closed_total{code=\"1013\"}"),
                1.0,
                "it alone"
            );
        },
    );
}

/// Pages are asked for in one long row, and not one of them is read.
#[test]
fn pages_that_nobody_reads() {
    let peers = times(20, 200);
    // One answer is under way on each connection, and one read is kept.
    withstand(
        "requests, unread",
        &["--handshake-timeout", "600"],
        peers as u64 * 2 * 64 + SLACK_KIB,
        |server| {
            let packet = "GET /styles/chat.css HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
            let mut peers: Vec<_> = (0..peers).map(|_| server.raw()).collect();
            for raw in &mut peers {
                assert_eq!(
                    pour(raw, packet.as_bytes(), 1_000),
                    Poured::Held,
                    "45 MB of requests: one answer is under way at a time"
                );
            }
        },
    );
}

#[test]
fn heads_that_do_not_end() {
    let peers = times(200, 2_000);
    withstand(
        "heads that never end",
        &["--handshake-timeout", "60"],
        peers as u64 * 2 * 8 + SLACK_KIB,
        |server| {
            let head = format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}",
                "x".repeat(8_000)
            );
            let mut peers: Vec<_> = (0..peers).map(|_| server.raw()).collect();
            for raw in &mut peers {
                raw.send(&head);
            }
            crate::harness::eventually("all have come", || {
                server.metric("parlor_buffered_bytes") >= (peers.len() * head.len()) as f64
            });
        },
    );
}

/// Far more connections than may be: few are told why not, the others are just closed.
#[test]
fn connections_beyond_the_limit() {
    withstand(
        "connections beyond the limit",
        &["--max-connections", "50"],
        SLACK_KIB,
        |server| {
            let mut held: Vec<Raw> = (0..40).map(|_| server.raw()).collect();
            for _ in 0..times(1_000, 20_000) {
                held.push(server.raw());
                if held.len() > 400 {
                    held.drain(40..240);
                }
            }
            assert!(
                crate::memory::descriptors(server.pid()) < 50 + 64 + 40,
                "no more than may be, and those who are told"
            );
        },
    );
}

/// A message that is a megabyte of zeros for every six kilobytes of it (RFC 1951 §3.2.6): a
/// literal, and then the longest match at
/// distance 1, again and again.
#[cfg(feature = "deflate")]
fn bomb(compressed_bytes: usize) -> Vec<u8> {
    let (mut bytes, mut bit) = (vec![0], 0);
    // Codes are packed from their first bit on, into bytes from their lowest bit on.
    let mut put = |code: u32, length: u32| {
        for at in (0..length).rev() {
            if bit == 8 {
                bytes.push(0);
                bit = 0;
            }
            *bytes.last_mut().expect("one") |= ((code >> at & 1) as u8) << bit;
            bit += 1;
        }
        bytes.len()
    };
    put(0b010, 3); // not the last block, and with the fixed codes: BTYPE is 01, its lower bit first
    put(0b0011_0000, 8); // a zero
    while put(0b1100_0101 << 5, 13) < compressed_bytes {} // 258 bytes from distance 1
    put(0, 7 + 3); // its end, and an empty block without compression, whose four bytes are left out (RFC 7692 §7.2.1)
    bytes
}

#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_that_become_large() {
    use crate::harness::Wire;
    let bomb = frame(0xc2, bomb(1_000_000));
    // What is gathered of a message, up to twice, and what is inflated, once for all, up to the
    // limit.
    withstand(
        "compressed bombs to /echo",
        &[],
        3 * 1_024 + SLACK_KIB,
        |server| {
            for _ in 0..times(10, 200) {
                let mut raw = server.raw();
                let offer = "Host: localhost\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
                raw.send(Wire::handshake("/echo").replace("Host: localhost\r\n", offer));
                let response = raw.response();
                assert!(
                    response.header("sec-websocket-extensions").is_some(),
                    "{}",
                    response.head
                );
                let mut wire = Wire { raw };
                wire.send(&bomb);
                assert_eq!(close_code(&mut wire), Some(1009), "160 MB");
            }
        },
    );
}
