//! Clients talk, before there is a real socket.

use crate::network::*;
use parlor::limits::Limits;
use parlor::websocket::Opcode;
use serde_json::json;

#[test]
fn two_clients_chat() {
    let mut world = World::new(Limits::DEFAULT);
    let (mut ada, mut bob) = (world.enter("Ada"), world.enter("Bob"));
    assert_eq!(ada.events_of("welcome")[0]["name"], "Ada");
    bob.take();

    ada.say(
        &mut world,
        r#"{"type":"message","channel":"general","text":"hello","id":7}"#,
    );
    world.turn();
    let (at_ada, at_bob) = (ada.events(), bob.events());
    assert_eq!(at_bob.len(), 1);
    assert_eq!(
        (&at_bob[0]["type"], &at_bob[0]["from"], &at_bob[0]["text"]),
        (&json!("message"), &json!("Ada"), &json!("hello"))
    );
    assert_eq!(
        at_ada[0], at_bob[0],
        "the sender gets the very same message, and its ack behind it"
    );
    assert_eq!(
        (&at_ada[1]["type"], &at_ada[1]["id"], &at_ada[1]["seq"]),
        (&json!("ack"), &json!(7), &json!(1))
    );

    bob.say(
        &mut world,
        r#"{"type":"direct","to":"ada","text":"psst","id":1}"#,
    );
    world.turn();
    assert_eq!(ada.events_of("direct")[0]["text"], "psst");
    assert_eq!(
        bob.events()
            .iter()
            .map(|event| event["type"].clone())
            .collect::<Vec<_>>(),
        ["direct", "ack"]
    );
}

#[test]
fn what_one_pipelines_takes_effect_in_its_order() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.open("/chat");
    let lines = [
        r#"{"type":"hello","name":"Ada","id":1}"#,
        r#"{"type":"join","channel":"general","id":2}"#,
        r#"{"type":"message","channel":"general","text":"one","id":3}"#,
        r#"{"type":"history","channel":"general","id":4}"#,
        r#"{"type":"message","channel":"general","text":"two","id":5}"#,
        r#"{"type":"leave","channel":"general","id":6}"#,
    ];
    let bytes: Vec<u8> = lines
        .iter()
        .flat_map(|line| masked(Opcode::Text, line.as_bytes()))
        .chain(masked(Opcode::Close, &[]))
        .collect();
    ada.send(&mut world, &bytes);
    world.turn();
    let events = ada.events();
    let of_type = |kind: &str| {
        events
            .iter()
            .filter(|event| event["type"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of_type("history")[0]["messages"][0]["text"],
        "one",
        "it sees what it said before"
    );
    assert_eq!(of_type("message").len(), 2);
    assert_eq!(
        of_type("ack")
            .iter()
            .map(|ack| ack["id"].clone())
            .collect::<Vec<_>>(),
        [3, 5]
    );
    assert_eq!(of_type("left").len(), 1);
    assert_eq!(
        ada.close,
        Some(1005),
        "the close is answered behind all of that"
    );
    assert!(ada.wire.borrow().shut);
}

#[test]
fn frames_in_the_packet_of_the_handshake_are_not_lost() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.connect();
    let mut bytes = handshake("/chat").into_bytes();
    bytes.extend(masked(Opcode::Text, br#"{"type":"hello","name":"Ada"}"#));
    ada.send(&mut world, &bytes);
    world.turn();
    assert_eq!(ada.events_of("welcome").len(), 1);
}

#[test]
fn one_turn_is_one_write_for_each() {
    let mut world = World::new(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    let mut clients: Vec<_> = (0..20).map(|n| world.enter(&format!("c{n}"))).collect();
    world.pass(1_000);
    world.turn();
    clients
        .iter_mut()
        .for_each(|client| drop((client.take(), client.wire.borrow_mut().writes = 0)));
    for (n, client) in clients.iter_mut().enumerate() {
        for m in 0..5 {
            client.say(
                &mut world,
                &format!(
                    r#"{{"type":"message","channel":"general","text":"{m} of {n}","id":{m}}}"#
                ),
            );
        }
    }
    world.turn();
    for client in &mut clients {
        assert_eq!(client.wire.borrow().writes, 1);
        let events = client.events();
        let seqs: Vec<_> = events
            .iter()
            .filter(|event| event["type"] == "message")
            .map(|event| event["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
        assert_eq!(
            events.iter().filter(|event| event["type"] == "ack").count(),
            5
        );
    }
}

/// Its length would tell of the token in it by the names beside it, which others choose (RFC 7692
/// §8: CRIME, BREACH).
#[test]
fn a_welcome_is_never_compressed_and_a_long_message_is() {
    let mut world = World::new(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    let _others: Vec<_> = (0..50)
        .map(|n| world.enter(&format!("somebody-with-a-long-name-{n}")))
        .collect();
    let mut ada = world.connect();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    ada.send(
        &mut world,
        handshake("/chat")
            .replace("\r\n\r\n", &format!("\r\n{offer}"))
            .as_bytes(),
    );
    world.turn();
    let answer = String::from_utf8(std::mem::take(&mut ada.wire.borrow_mut().sent)).unwrap();
    assert_eq!(
        answer.contains("permessage-deflate"),
        cfg!(feature = "deflate"),
        "{answer}"
    );
    ada.say(&mut world, r#"{"type":"hello","name":"Ada"}"#);
    world.turn();
    let sent = std::mem::take(&mut ada.wire.borrow_mut().sent);
    let text = String::from_utf8_lossy(&sent);
    assert!(
        sent[0] == 0x81 && sent.len() > 1_000 && text.contains(r#""type":"welcome""#),
        "{text}"
    );
    ada.say(&mut world, r#"{"type":"join","channel":"quiet"}"#);
    world.turn();
    ada.wire.borrow_mut().sent.clear();
    ada.say(
        &mut world,
        &format!(
            r#"{{"type":"message","channel":"quiet","text":"{}"}}"#,
            "x".repeat(1_000)
        ),
    );
    world.turn();
    let (first, length) = (ada.wire.borrow().sent[0], ada.wire.borrow().sent.len());
    let compressed = (
        first == 0xC1 && length < 300,
        first == 0x81 && length > 1_000,
    );
    assert_eq!(
        compressed,
        (cfg!(feature = "deflate"), cfg!(not(feature = "deflate"))),
        "{first:x}, {length} bytes"
    );
}

#[test]
fn the_echo_sends_everything_back() {
    let mut world = World::new(Limits::DEFAULT);
    let mut client = world.open("/echo");
    client.send(&mut world, &masked(Opcode::Text, "grüße".as_bytes()));
    client.send(&mut world, &masked(Opcode::Binary, &[1, 2, 3]));
    client.send(&mut world, &frame(false, Opcode::Text, b"in "));
    client.send(&mut world, &masked(Opcode::Ping, b"!"));
    client.send(&mut world, &frame(true, Opcode::Continuation, b"pieces"));
    world.turn();
    assert_eq!(client.take(), ["grüße", "binary [1, 2, 3]", "in pieces"]);
}

#[test]
fn a_second_tab_gets_everything_too_and_its_typing_is_not_told_to_the_first() {
    let mut world = World::new(Limits::DEFAULT);
    let mut first = world.enter("Ada");
    let token = first.events_of("welcome")[0]["session"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut bob = world.enter("Bob");
    let mut second = world.open("/chat");
    second.say(
        &mut world,
        &format!(r#"{{"type":"hello","name":"Somebody","session":"{token}"}}"#),
    );
    second.say(&mut world, r#"{"type":"join","channel":"general"}"#);
    world.turn();
    assert_eq!(second.events_of("welcome")[0]["name"], "Ada");
    drop((first.take(), bob.take()));
    second.say(&mut world, r#"{"type":"typing","channel":"general"}"#);
    second.say(
        &mut world,
        r#"{"type":"message","channel":"general","text":"from the second tab"}"#,
    );
    world.turn();
    let types = |client: &mut Client| {
        client
            .events()
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(types(&mut bob), ["typing", "message"]);
    assert_eq!(types(&mut first), ["message"]);
    assert_eq!(types(&mut second), ["message"]);
}

#[test]
fn a_drain_answers_what_was_asked_and_says_1001() {
    let mut world = World::new(Limits::DEFAULT);
    let (mut ada, mut idle) = (world.enter("Ada"), world.connect());
    ada.take();
    ada.say(
        &mut world,
        r#"{"type":"message","channel":"general","text":"last words","id":1}"#,
    );
    world.hub.drain(world.now);
    assert_eq!(ada.events_of("ack").len(), 1);
    assert_eq!(ada.close, Some(1001));
    assert!(!world.hub.is_drained(), "its close frame is awaited");
    ada.send(&mut world, &masked(Opcode::Close, &1001_u16.to_be_bytes()));
    world.turn();
    ada.reset(&mut world);
    world.turn();
    assert!(world.hub.is_drained());
    assert!(idle.take().is_empty());
}
