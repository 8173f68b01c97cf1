//! `--rate`: how many commands a client may give, what counts, and what happens to one that does
//! not stop.

use serde_json::{Value, json};

use crate::harness::{Person, Server, frame};

/// Sends `count` times the same in one packet.
fn burst(person: &mut Person, count: usize, bytes: &[u8]) {
    person.wire.send(bytes.repeat(count));
}

/// Takes so many answers of these kinds, and counts the refused.
fn refused(person: &mut Person, count: usize, kind: &str) -> usize {
    (0..count)
        .filter(|_| {
            let event = person.take_where("an answer", |event| {
                event["type"] == kind || event["type"] == "error"
            });
            assert!(
                event["type"] == kind || event["code"] == "rate_limited",
                "{event}"
            );
            event["type"] == "error"
        })
        .count()
}

#[test]
fn twenty_a_second_with_a_burst_of_forty() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    let command = json!({"type": "channels", "id": 7}).to_string();
    burst(&mut ada, 90, &frame(0x81, &command));
    let (mut answered, mut limited) = (0, 0);
    for _ in 0..90 {
        let event = ada.take_where("an answer", |event| event["id"] == 7);
        if event["type"] == "channels" {
            answered += 1;
            continue;
        }
        assert_eq!(event["code"], "rate_limited", "{event}");
        assert!(
            event["retry_ms"]
                .as_u64()
                .is_some_and(|retry| (1..=5000).contains(&retry)),
            "{event}"
        );
        limited += 1;
    }
    assert!(
        answered >= 39 && limited >= 1,
        "{answered} answered, {limited} refused"
    );
    assert!(server.metric("parlor_rate_limited_total") >= f64::from(limited));
}

#[test]
fn every_text_message_counts_whatever_is_answered() {
    let server = Server::start(&["--rate", "1"]);
    for (name, line, code) in [
        ("no JSON", "{", "bad_json"),
        ("a bad id", r#"{"type":"channels","id":-1}"#, "bad_field"),
        ("an error", r#"{"type":"unknown"}"#, "unknown_type"),
        ("a blank line", " ", "hello_first"),
    ] {
        let mut guest = Person::guest(&server);
        let other = frame(0x81, "/unknown");
        guest
            .wire
            .send([frame(0x81, line), frame(0x81, line), other.clone(), other].concat());
        let codes: Vec<Value> = (0..4)
            .map(|_| guest.take("error")["code"].clone())
            .collect();
        assert_eq!(codes[..2], [json!(code), json!(code)], "{name}");
        assert!(
            codes[2..].contains(&json!("rate_limited")),
            "{name}: {codes:?}"
        );
    }
}

#[test]
fn what_comes_before_rate_limited_is_told_first() {
    let server = Server::start(&["--rate", "1"]);
    let mut guest = Person::guest(&server);
    burst(&mut guest, 5, &frame(0x81, r#"{"type":"unknown"}"#));
    guest.wire.send(
        [
            frame(0x81, "{"),
            frame(0x81, r#"{"type":"x","id":-1}"#),
            frame(0x81, r#"{"type":"x","id":3}"#),
        ]
        .concat(),
    );
    let codes: Vec<Value> = (0..8)
        .map(|_| guest.take("error")["code"].clone())
        .collect();
    assert_eq!(
        codes[5..],
        [json!("bad_json"), json!("bad_field"), json!("rate_limited")],
        "{codes:?}"
    );
}

#[test]
fn what_is_limited_has_no_effect() {
    let server = Server::start(&["--rate", "5"]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    ada.line("/join general");
    bob.line("/join general");
    bob.take("joined");
    ada.take("joined");
    burst(
        &mut ada,
        30,
        &frame(
            0x81,
            json!({"type": "message", "channel": "general", "text": "x", "id": 9}).to_string(),
        ),
    );
    let limited = (0..30)
        .filter(|_| ada.take_where("an answer", |event| event["id"] == 9)["type"] == "error")
        .count();
    assert!(limited > 0);
    for n in 1..=30 - limited {
        assert_eq!(bob.take("message")["seq"], n as u64);
    }
    std::thread::sleep(std::time::Duration::from_millis(450));
    bob.assert_quiet("nothing of what was refused");
}

/// What reaches everybody counts as five: a `join` that creates, a `rename`.
#[test]
fn what_reaches_everybody_counts_as_five() {
    let server = Server::start(&["--rate", "6"]); // a burst of 12, of which `hello` takes one
    for (name, lines, answer, limited) in [
        ("creating two", ["/join a1", "/join a2"], "joined", true),
        (
            "joining what is there",
            ["/join general", "/join general"],
            "joined",
            false,
        ),
        ("renaming twice", ["/nick b1", "/nick b2"], "renamed", true),
    ] {
        let mut ada = server.enter(name.split(' ').next().unwrap());
        let start = std::time::Instant::now();
        ada.wire.send(
            lines
                .iter()
                .flat_map(|line| frame(0x81, line))
                .collect::<Vec<u8>>(),
        );
        for _ in lines {
            ada.take(answer);
        }
        burst(&mut ada, 6, &frame(0x81, "/channels"));
        let refused = refused(&mut ada, 6, "channels");
        // One is left of the twelve, or eight: unless this machine was so slow that new ones came
        // in.
        assert!(
            !limited || refused > 0 || start.elapsed().as_millis() > 500,
            "{name}"
        );
        assert!(limited || refused == 0, "{name}: {refused}");
    }
}

#[test]
fn who_does_not_stop_is_closed_with_1008() {
    let server = Server::start(&[]);
    let mut ada = server.enter("Ada");
    burst(&mut ada, 400, &frame(0x81, "/unknown"));
    let mut limited = 0;
    let closed = loop {
        let next = ada.wire.frame("an answer or the close");
        if next.opcode == 8 {
            break next.payload;
        }
        limited += usize::from(String::from_utf8_lossy(&next.payload).contains("rate_limited"));
    };
    assert_eq!(closed.get(..2), Some(&1008u16.to_be_bytes()[..]));
    assert!(closed.len() > 2, "with a reason");
    assert!(
        (99..=101).contains(&limited),
        "{limited} were refused before"
    );
}

#[test]
fn rate_0_is_no_limit() {
    let server = Server::start(&["--rate", "0"]);
    let mut ada = server.enter("Ada");
    burst(&mut ada, 1000, &frame(0x81, "/channels"));
    assert_eq!(refused(&mut ada, 1000, "channels"), 0);
    for n in 0..1000 {
        ada.wire.send(frame(0x89, format!("{n}")));
    }
    for n in 0..1000 {
        let mut pong = ada.wire.frame("pong");
        while pong.opcode == 1 {
            pong = ada.wire.frame("pong"); // what is gathered came in between
        }
        assert_eq!(
            (pong.opcode, pong.payload),
            (10, format!("{n}").into_bytes()),
            "control frames neither"
        );
    }
}

#[test]
fn pings_beyond_ten_a_second_count() {
    let server = Server::start(&["--rate", "1"]);
    let mut guest = Person::guest(&server);
    burst(&mut guest, 60, &frame(0x89, "p"));
    guest.line("/help"); // refused, but answered: after it no pong comes
    let mut pongs = 0;
    while guest.wire.frame("a pong or the answer").opcode == 10 {
        pongs += 1;
    }
    assert!((10..=20).contains(&pongs), "{pongs} of 60 were answered");

    let mut guest = Person::guest(&server);
    burst(&mut guest, 400, &frame(0x89, "p"));
    let last = loop {
        let frame = guest.wire.frame("a pong or the close");
        if frame.opcode != 10 {
            break frame;
        }
    };
    assert_eq!(
        (last.opcode, last.payload.get(..2)),
        (8, Some(&1008u16.to_be_bytes()[..])),
        "a flood of them is closed"
    );
}

#[test]
fn fragments_beyond_ten_a_second_count() {
    let server = Server::start(&["--rate", "1"]);
    let mut guest = Person::guest(&server);
    let mut bytes = frame(0x01, "/");
    bytes.extend(frame(0x00, "").repeat(400));
    bytes.extend(frame(0x80, "help"));
    guest.wire.send(bytes);
    let mut last = guest.wire.frame("an answer or the close");
    while last.opcode == 1 {
        last = guest.wire.frame("the close");
    }
    assert_eq!(
        (last.opcode, last.payload.get(..2)),
        (8, Some(&1008u16.to_be_bytes()[..]))
    );
}

/// One that is refused takes nothing from another one.
#[test]
fn each_connection_has_its_own_rate() {
    let server = Server::start(&["--rate", "2"]);
    let [mut ada, mut bob] = ["Ada", "Bob"].map(|name| server.enter(name));
    burst(&mut ada, 20, &frame(0x81, "/channels"));
    assert!(refused(&mut ada, 20, "channels") > 10);
    bob.line("/channels");
    bob.take("channels");
}
