//! Peers that send much and read nothing, or close at any point. Each uses up its own limits only.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::*;
use crate::times;
use crate::witness::{descriptors, reads_everything, withstand};
use parlor::testing::Random;

/// The buffers of a turn, and memory that the allocator keeps.
const SLACK_KIB: u64 = 6 << 10;
/// `--send-queue-bytes`, and one read that is kept back.
const QUEUE_KIB: u64 = (1 << 10) + 64;

/// What happened to bytes sent on a connection that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poured {
    /// The server received all.
    Taken,
    /// The server does not read.
    Held,
    /// The server ended the connection.
    Ended,
}

/// Sends bytes repeatedly, and reads nothing.
fn pour(raw: &mut Raw, bytes: &[u8], times: usize) -> Poured {
    pour_within(Duration::from_millis(300), raw, bytes, times)
}

/// The same, with the pause (`patience`) after which the server counts as not reading.
fn pour_within(patience: Duration, raw: &mut Raw, bytes: &[u8], times: usize) -> Poured {
    raw.stream.set_nonblocking(true).expect("no waiting");
    let mut outcome = Poured::Taken;
    'all: for _ in 0..times {
        let (mut rest, mut since) = (bytes, Instant::now());
        while !rest.is_empty() {
            let is_patient = since.elapsed() < patience;
            match raw.stream.write(rest) {
                Ok(count) => (rest, since) = (&rest[count..], Instant::now()),
                Err(error) if error.kind() == ErrorKind::WouldBlock && is_patient => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => {
                    outcome = match error.kind() {
                        ErrorKind::WouldBlock => Poured::Held,
                        _ => Poured::Ended,
                    };
                    break 'all;
                }
            }
        }
    }
    raw.stream.set_nonblocking(false).expect("waiting");
    outcome
}

/// Reads up to the close frame. Returns its code; `None` if a reset came first.
fn close_code(wire: &mut Wire) -> Option<u16> {
    loop {
        match wire.try_frame() {
            Ok(frame) if frame.opcode == 8 => return frame.code(),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// Returns the number of connections that were closed with this code. The metric has no line for a
/// code that never occurred.
fn closed(server: &Server, code: u16) -> usize {
    let name = format!("parlor_closed_total{{code=\"{code}\"}}");
    server.raw().metric(&name).unwrap_or_default() as usize
}

#[test]
fn unread_pongs_and_responses_stop_the_reading() {
    let pings = frame(0x89, [b'p'; 125]).repeat(500);
    let requests = "GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
    let peers = times(4, 50);
    let limit = peers as u64 * QUEUE_KIB + SLACK_KIB;
    withstand("pings to /echo, pongs unread", "", limit, |server| {
        let mut wires: Vec<_> = (0..peers).map(|_| server.open("/echo")).collect();
        for wire in &mut wires {
            assert_eq!(pour(&mut wire.raw, &pings, 500), Poured::Held);
        }
    });
    let limit = peers as u64 * 2 * 64 + SLACK_KIB;
    let options = "--handshake-timeout 600";
    withstand("requests, unread", options, limit, |server| {
        let mut peers: Vec<_> = (0..peers).map(|_| server.raw()).collect();
        for raw in &mut peers {
            assert_eq!(pour(raw, requests.as_bytes(), 1_000), Poured::Held);
        }
    });
}

#[test]
fn control_frames_and_fragments_to_chat_are_commands() {
    let pings = frame(0x89, [b'p'; 125]).repeat(100);
    let fragments = frame(0x00, "").repeat(2_000);
    withstand("pings and fragments to /chat", "", SLACK_KIB, |server| {
        for n in 0..times(20, 500) {
            let mut wire = server.open("/chat");
            if n % 2 == 0 {
                let _ = pour(&mut wire.raw, &pings, 20);
            } else {
                wire.send(frame(0x01, "{"));
                let _ = pour(&mut wire.raw, &fragments, 5);
            }
            assert!([Some(1008), None].contains(&close_code(&mut wire)));
        }
        assert_eq!(closed(server, 1008), times(20, 500));
    });
}

#[test]
fn fragments_to_echo_cost_their_bytes() {
    let empty = frame(0x00, "").repeat(2_000);
    withstand("empty fragments to /echo", "", SLACK_KIB, |server| {
        let mut wires: Vec<_> = (0..5).map(|_| server.open("/echo")).collect();
        for wire in &mut wires {
            wire.send(frame(0x01, "x"));
            let poured = pour_within(PATIENCE, &mut wire.raw, &empty, times(20, 1_000));
            assert_eq!(poured, Poured::Taken);
            wire.send(frame(0x80, "y"));
            assert_eq!(wire.message("all of them together").1, b"xy");
        }
    });
    let single = frame(0x00, "x").repeat(4_096);
    let peers = times(4, 40);
    let limit = peers as u64 * 2 * 1_024 + SLACK_KIB;
    withstand("fragments of one byte to /echo", "", limit, |server| {
        let mut wires: Vec<_> = (0..peers).map(|_| server.open("/echo")).collect();
        for wire in &mut wires {
            wire.send(frame(0x02, "x"));
            let poured = pour_within(PATIENCE, &mut wire.raw, &single, 255);
            assert_eq!(poured, Poured::Taken, "it is less than 1 MiB");
        }
        for wire in &mut wires {
            let _ = pour(&mut wire.raw, &single, 2);
            assert!([Some(1009), None].contains(&close_code(wire)));
        }
        assert_eq!(closed(server, 1009), peers);
    });
}

#[test]
fn unfinished_input_shares_one_limit() {
    let (buffered, peers) = (8 << 20, times(20, 100));
    let options = format!("--max-buffered-bytes {buffered} --handshake-timeout 60");
    // A growing buffer has up to twice the capacity that it uses.
    let limit = 2 * buffered / 1_024 + SLACK_KIB;
    withstand("messages that never end", &options, limit, |server| {
        let mut wires: Vec<_> = (0..peers).map(|_| server.open("/echo")).collect();
        let begin = frame_with(header(0x82, 1_000_000), vec![7; 900_000]);
        for wire in &mut wires {
            let _ = pour(&mut wire.raw, &begin, 1);
        }
        eventually("the largest are closed", || {
            closed(server, 1013) >= peers - 9
                && server.metric("parlor_buffered_bytes") <= buffered as f64
        });
    });
    let peers = times(200, 2_000);
    let limit = peers as u64 * 2 * 8 + SLACK_KIB;
    let options = "--handshake-timeout 60";
    withstand("heads that never end", options, limit, |server| {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}",
            "x".repeat(8_000)
        );
        let mut peers: Vec<_> = (0..peers).map(|_| server.raw()).collect();
        peers.iter_mut().for_each(|raw| raw.send(&head));
        let sent = (peers.len() * head.len()) as f64;
        eventually("all have come", || {
            server.metric("parlor_buffered_bytes") >= sent
        });
    });
}

/// Commands with long answers, a thousand in one write. No answer is read.
#[test]
fn unread_answers_are_bounded() {
    let (users, peers) = (times(50, 600), times(4, 40));
    let history = r#"{"type":"history","channel":"general","limit":200}"#;
    for (name, command) in [
        ("history, unread", history),
        ("who, unread", r#"{"type":"who"}"#),
        ("errors, unread", r#"{"type":"nonsense","id":1}"#),
    ] {
        let limit = peers as u64 * QUEUE_KIB + 6_000 + 2 * SLACK_KIB;
        withstand(name, "--rate 0", limit, |server| {
            let name = |n| format!("username-with-a-long-name-{n}");
            let _users: Vec<_> = (0..users).map(|n| server.enter(&name(n))).collect();
            let mut ada = server.enter("Ada");
            ada.join("general");
            for n in 0..times(100, 1_000) {
                ada.say("general", &format!("{n:0>4000}"));
            }
            let enter = |n| server.enter(&format!("Asker{n}"));
            let mut people: Vec<_> = (0..peers).map(enter).collect();
            let packet = frame(0x81, command).repeat(1_000);
            for person in &mut people {
                let _ = pour(&mut person.wire.raw, &packet, 100);
            }
            // A peer that begins to read receives whole answers.
            for _ in 0..20 {
                let text = people[0].wire.message("an answer").1;
                let event: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
                let kind = event["type"].as_str().unwrap_or_default();
                let known = ["history", "users", "error", "channels"];
                assert!(known.contains(&kind) || GATHERED.contains(&kind), "{event}");
            }
        });
    }
}

/// Sends commands without waiting for answers, which another thread reads.
fn storm(server: &Server, people: usize, commands: impl Fn(usize) -> Vec<u8>, times: usize) {
    let enter = |n| server.enter(&format!("Storm{n}"));
    let mut people: Vec<Person> = (0..people).map(enter).collect();
    let readers: Vec<_> = people.iter().map(reads_everything).collect();
    for n in 0..times {
        for person in &mut people {
            person.wire.send(commands(n));
        }
    }
    for (person, reader) in people.iter().zip(readers) {
        person.wire.raw.half_close();
        assert!(reader.join().unwrap() > 0);
    }
}

#[test]
fn storms_of_joins_and_new_channels_are_bounded() {
    let commands = |words: &[&str], channel: String| -> Vec<u8> {
        let command = |word: &&str| json!({"type": word, "channel": channel, "text": "x"});
        let frames = words
            .iter()
            .map(|word| frame(0x81, command(word).to_string()));
        frames.collect::<Vec<_>>().concat()
    };
    let (both, all) = (&["join", "leave"][..], &["join", "message", "leave"][..]);
    let limit = 4 * SLACK_KIB;
    withstand("joins and leaves, read", "--rate 0", limit, |server| {
        let packet = |_| {
            (0..20)
                .flat_map(|n| commands(both, format!("c{n}")))
                .collect()
        };
        storm(server, 20, packet, times(10, 200));
    });
    for (name, words, limit, times) in [
        (
            "channels made and left",
            both,
            SLACK_KIB,
            times(2_000, 100_000),
        ),
        (
            "channels made and written in",
            all,
            3 * SLACK_KIB,
            times(1_000, 30_000),
        ),
    ] {
        withstand(name, "--rate 0 --max-channels 200", limit, |server| {
            let packet = |n| commands(words, format!("made-{n}"));
            storm(server, 1, packet, times);
            assert!(server.metric("parlor_channels") <= 200.0);
        });
    }
}

fn reset(raw: &Raw) {
    rustix::net::sockopt::set_socket_linger(&raw.stream, Some(Duration::ZERO)).expect("a reset");
}

#[test]
fn vanished_users_and_excess_connections_are_bounded() {
    let options = "--max-connections 100 --resume-window 1";
    withstand("hello and gone", options, SLACK_KIB, |server| {
        let mut refused = 0;
        for n in 0..times(500, 20_000) {
            let mut raw = server.raw();
            raw.send(handshake("/chat"));
            match raw.response().status {
                101 => {
                    raw.send(frame(0x81, format!("/nick guest-{n}")));
                    reset(&raw);
                }
                503 => refused += 1,
                other => panic!("{other}"),
            }
        }
        assert!(refused > 0, "users without a connection are limited");
        assert!(server.metric("parlor_users_online") <= 203.0);
    });
    let (name, options) = ("connections beyond the limit", "--max-connections 50");
    withstand(name, options, SLACK_KIB, |server| {
        let mut held: Vec<Raw> = (0..40).map(|_| server.raw()).collect();
        for _ in 0..times(600, 20_000) {
            held.push(server.raw());
            if held.len() > 400 {
                held.drain(40..240);
            }
        }
        assert!(descriptors(server.pid()) < 50 + 64 + 40);
    });
}

#[test]
fn reader_that_stops_is_closed_alone() {
    let options = "--rate 0 --resume-window 0.2";
    // The history keeps 4 MB.
    let limit = QUEUE_KIB + 6_000 + SLACK_KIB;
    withstand("one reader that stops", options, limit, |server| {
        let mut slow = server.enter("Slow");
        slow.wire.raw.narrow();
        slow.join("loud");
        let mut talkers = ["T1", "T2", "T3", "T4"].map(|name| server.enter(name));
        for talker in &mut talkers {
            talker.join("loud");
        }
        let text = "x".repeat(4_000);
        let said = talkers.len() * times(450, 5_000);
        for n in 0..said {
            talkers[n % 4].say("loud", &text);
        }
        for talker in &mut talkers {
            for seq in 1..=said {
                assert_eq!(talker.take("message")["seq"], seq, "all messages in order");
            }
        }
        assert!([Some(1013), None].contains(&close_code(&mut slow.wire)));
        assert_eq!(closed(server, 1013), 1, "no other connection");
    });
}

/// Connections are reset anywhere: before the first byte, in the head, in a frame, between two
/// messages.
#[test]
fn resets_leave_nothing_behind() {
    withstand("resets", "--resume-window 0.1", SLACK_KIB, |server| {
        let before = descriptors(server.pid());
        let mut dice = Random::new(7);
        for n in 0..times(500, 20_000) {
            let mut raw = server.raw();
            let talk = [
                handshake(["/chat", "/echo"][n % 2]).into_bytes(),
                frame(0x81, format!("/nick n{n}")),
                frame(0x81, "/join general"),
                frame(0x81, "hello"),
            ]
            .concat();
            raw.send(&talk[..dice.below(talk.len() + 1)]);
            if dice.below(3) == 0 {
                let briefly = Some(Duration::from_millis(1));
                raw.stream.set_read_timeout(briefly).expect("a timeout");
                let _ = raw.fill();
            }
            reset(&raw);
        }
        eventually("connections, descriptors and users are gone", || {
            server.metric("parlor_connections") == 2.0
                && descriptors(server.pid()) == before
                && server.metric("parlor_users_online") == 2.0
        });
        assert!(server.metric("parlor_buffered_bytes") == 0.0);
    });
}
