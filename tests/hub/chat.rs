//! Clients chat: events reach the right connections, in order, in one write for each turn.

use crate::network::*;
use parlor::hub::{Driven, Input};
use parlor::limits::Limits;
use parlor::testing::limits;
use parlor::websocket::Opcode;
use serde_json::json;

#[test]
fn message_reaches_both_and_its_ack_follows() {
    let mut world = World::new(Limits::DEFAULT);
    let (mut ada, mut bob) = (world.enter("Ada"), world.enter("Bob"));
    assert_eq!(ada.events_of("welcome")[0]["name"], "Ada");
    bob.take();
    let text = r#"{"type":"message","channel":"general","text":"hello","id":7}"#;
    ada.say(&mut world, text);
    world.settle();
    let (at_ada, at_bob) = (ada.events(), bob.events());
    assert_eq!(at_bob.len(), 1);
    let message = &at_bob[0];
    let fields = ["type", "from", "text"].map(|field| &message[field]);
    assert_eq!(fields, ["message", "Ada", "hello"]);
    assert_eq!(at_ada[0], *message);
    let ack = json!({"type": "ack", "channel": "general", "id": 7, "seq": 1, "at": message["at"]});
    assert_eq!(at_ada[1], ack);
}

#[test]
fn pipelined_commands_take_effect_in_order() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.connect();
    let lines = [
        r#"{"type":"hello","name":"Ada","id":1}"#,
        r#"{"type":"join","channel":"general","id":2}"#,
        r#"{"type":"message","channel":"general","text":"one","id":3}"#,
        r#"{"type":"history","channel":"general","id":4}"#,
        r#"{"type":"message","channel":"general","text":"two","id":5}"#,
        r#"{"type":"leave","channel":"general","id":6}"#,
    ];
    // They are in the packet of the handshake, before a close frame.
    let frames = lines.map(|line| masked(Opcode::Text, line.as_bytes()));
    let close = masked(Opcode::Close, &[]);
    let bytes = [handshake("/chat").as_bytes(), &frames.concat(), &close].concat();
    ada.settle(&mut world, &bytes);
    let events = ada.events();
    let of_type = |kind: &str| {
        let events = events.iter().filter(|event| event["type"] == kind);
        events.collect::<Vec<_>>()
    };
    assert_eq!(of_type("history")[0]["messages"][0]["text"], "one");
    assert_eq!(of_type("message").len(), 2);
    let acks: Vec<_> = of_type("ack").iter().map(|ack| ack["id"].clone()).collect();
    assert_eq!(acks, [3, 5]);
    assert_eq!(of_type("left").len(), 1);
    // The close is answered after all of that.
    assert_eq!(ada.close, Some(1005));
    assert!(ada.wire.borrow().shut);
}

#[test]
fn turn_is_one_write_for_each_connection() {
    let mut world = World::new(limits(|it| it.rate = 0));
    let mut clients: Vec<_> = (0..20).map(|n| world.enter(&format!("c{n}"))).collect();
    world.pass(1_000);
    world.settle();
    for client in &mut clients {
        client.take();
        client.wire.borrow_mut().writes = 0;
    }
    for (n, client) in clients.iter_mut().enumerate() {
        for m in 0..5 {
            client.say(&mut world, &message(&format!("{m} of {n}")));
        }
    }
    world.turn();
    for client in &mut clients {
        assert_eq!(client.wire.borrow().writes, 1);
        let events = client.events_of("message");
        let seqs = events.iter().map(|event| event["seq"].as_u64().unwrap());
        assert!(seqs.eq(1..=100));
    }
}

/// Its length would reveal the token in it, because other users choose the names beside it (RFC
/// 7692 §8: CRIME, BREACH).
#[test]
fn welcome_is_never_compressed_and_a_long_message_is() {
    let mut world = World::new(limits(|it| it.rate = 0));
    let name = |n| format!("user-with-a-long-name-{n}");
    let _others: Vec<_> = (0..50).map(|n| world.enter(&name(n))).collect();
    let mut ada = world.connect();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let head = handshake("/chat").replace("\r\n\r\n", &format!("\r\n{offer}"));
    ada.settle(&mut world, head.as_bytes());
    let sent = |world: &mut World, client: &mut Client, text: &str| {
        client.wire.borrow_mut().sent.clear();
        client.say(world, text);
        world.settle();
        std::mem::take(&mut client.wire.borrow_mut().sent)
    };
    let welcome = sent(&mut world, &mut ada, r#"{"type":"hello","name":"Ada"}"#);
    let text = String::from_utf8_lossy(&welcome[4..]);
    assert!(welcome[0] == 0x81 && text.starts_with(r#"{"type":"welcome""#));
    sent(&mut world, &mut ada, "/join general");
    let long = sent(&mut world, &mut ada, &message(&"x".repeat(1_000)));
    let compressed = (long[0] == 0xC1, long.len() < 500);
    assert_eq!(
        compressed,
        (cfg!(feature = "deflate"), cfg!(feature = "deflate"))
    );
}

#[test]
fn echo_returns_everything() {
    let mut world = World::new(Limits::DEFAULT);
    let mut client = world.open("/echo");
    client.send(&mut world, &masked(Opcode::Text, "grüße".as_bytes()));
    client.send(&mut world, &masked(Opcode::Binary, &[1, 2, 3]));
    client.send(&mut world, &frame(false, Opcode::Text, b"in "));
    client.send(&mut world, &masked(Opcode::Ping, b"!"));
    client.settle(&mut world, &frame(true, Opcode::Continuation, b"pieces"));
    assert_eq!(client.take(), ["grüße", "binary [1, 2, 3]", "in pieces"]);
}

#[test]
fn second_tab_gets_everything_and_the_first_no_typing() {
    let mut world = World::new(Limits::DEFAULT);
    let mut first = world.enter("Ada");
    let welcome = &first.events_of("welcome")[0];
    let token = welcome["session"].as_str().unwrap().to_owned();
    let mut bob = world.enter("Bob");
    let mut second = world.open("/chat");
    let hello = format!(r#"{{"type":"hello","name":"X","session":"{token}"}}"#);
    second.say(&mut world, &hello);
    second.say(&mut world, r#"{"type":"join","channel":"general"}"#);
    world.settle();
    assert_eq!(second.events_of("welcome")[0]["name"], "Ada");
    drop((first.take(), bob.take()));
    second.say(&mut world, r#"{"type":"typing","channel":"general"}"#);
    second.say(&mut world, &message("from the second tab"));
    world.settle();
    assert_eq!(bob.types(), ["typing", "message"]);
    assert_eq!([first.types(), second.types()], [["message"]; 2]);
}

#[test]
fn drain_answers_pending_requests_then_closes_with_1001() {
    let mut world = World::new(Limits::DEFAULT);
    let (mut ada, mut idle) = (world.enter("Ada"), world.connect());
    ada.take();
    let last = r#"{"type":"message","channel":"general","text":"last words","id":1}"#;
    ada.say(&mut world, last);
    let now = world.now;
    world.hub.handle(Input::Drain, now);
    assert!(world.has_work());
    world.settle();
    assert_eq!((ada.events_of("ack").len(), ada.close), (1, Some(1001)));
    assert_eq!(world.hub.connections(), 1, "its close frame is awaited");
    ada.settle(&mut world, &masked(Opcode::Close, &1001_u16.to_be_bytes()));
    assert!(ada.wire.borrow().shut);
    ada.reset(&mut world);
    world.settle();
    assert_eq!((world.hub.connections(), idle.take().len()), (0, 0));
}

/// A request after a message waits for the commit, so the inbox is not empty after that turn.
#[test]
fn drain_does_not_wait_for_clients_that_keep_asking() {
    let mut world = World::new(limits(|it| it.rate = 0));
    let mut clients = world.enter_all(["Ada", "Bob"]);
    let now = world.now;
    for turn in 0..4 {
        let client = &mut clients[turn % 2];
        client.say(&mut world, &message("hello"));
        let question = r#"{"type":"history","channel":"general","before":9}"#;
        client.say(&mut world, question);
        if turn == 0 {
            world.hub.handle(Input::Drain, now);
        }
        world.turn();
    }
    let answers = clients[0].events_of("history").len();
    clients[1].take();
    let closes = clients.map(|client| client.close);
    assert_eq!((answers, closes), (1, [Some(1001); 2]));
}

#[cfg(feature = "tools")]
#[test]
fn turn_has_a_budget_of_traces_and_counts_the_rest() {
    use parlor::limits::TRACE_TURN_BYTES;
    let mut world = World::new(Limits::DEFAULT);
    let mut clients: Vec<_> = (0..20).map(|_| world.open("/echo?trace=1")).collect();
    let frames: Vec<u8> = (0..50).flat_map(|_| masked(Opcode::Ping, b"")).collect();
    let traced = |client: &mut Client| {
        let traces = client.events_of("trace");
        let missed = traces.iter().filter_map(|trace| trace["missed"].as_u64());
        (traces.len() as u64, missed.sum::<u64>())
    };
    for client in &mut clients {
        client.send(&mut world, &frames);
    }
    let before = world.hub.metrics().bytes_sent;
    world.settle();
    let sent = (world.hub.metrics().bytes_sent - before) as usize;
    assert!((0..20_000).contains(&(sent - TRACE_TURN_BYTES)), "{sent}");
    let mut in_all: u64 = clients.iter_mut().map(|client| traced(client).0).sum();
    assert!(in_all < 20 * 100);
    for client in &mut clients {
        client.settle(&mut world, &masked(Opcode::Pong, b""));
        in_all += traced(client).1;
    }
    assert_eq!(in_all, 20 * 100, "each frame is traced or counted");
    clients[0].send(&mut world, &masked(Opcode::Text, &[b'x'; 3_000])[..2_000]);
    world.settle();
    assert!(world.buffered() > 4_000, "half a frame, twice");
    clients.iter().for_each(|client| client.reset(&mut world));
    world.settle();
    assert_eq!(world.buffered(), 0);
}
