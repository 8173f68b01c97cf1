//! Slow readers and floods: they are limited, and do not delay other clients.

use crate::network::*;
use parlor::limits::{CONNECTION_OUTPUT_BYTES, Limits, READ_BYTES, TURN_OUTPUT_BYTES};
use parlor::testing::limits;
use parlor::websocket::Opcode;

/// A world without a rate limit, for any number of connections from one address.
fn unlimited(change: impl FnOnce(&mut Limits)) -> World {
    World::new(limits(|it| {
        (it.rate, it.connections_per_ip) = (0, 0);
        change(it);
    }))
}

#[test]
fn slow_reader_is_closed_alone_after_a_whole_frame() {
    let mut world = unlimited(|it| it.send_queue_bytes = 10_000);
    let [mut ada, mut slow] = world.enter_all(["Ada", "Slow"]);
    slow.wire.borrow_mut().room = 333;
    let mut received = 0;
    for n in 0..200 {
        ada.say(&mut world, &message(&format!("{n:0>100}")));
        world.settle();
        received += ada.events_of("message").len();
        assert!(world.buffered() < 60_000);
    }
    assert_eq!(received, 200, "other clients do not wait");
    slow.make_room(&mut world, usize::MAX);
    let messages = slow.take();
    // Whole frames, and the close frame last.
    assert_eq!(slow.close, Some(1013));
    assert!((1..10).contains(&messages.len()), "{}", messages.len());
}

/// Its socket is not written to before it is writable, no work is left because of it, and its
/// deadlines don't make the loop spin.
#[test]
fn stalled_reader_costs_the_others_nothing() {
    let mut world = unlimited(|_| {});
    let [mut ada, mut slow] = world.enter_all(["Ada", "Slow"]);
    slow.wire.borrow_mut().room = 0;
    let before = slow.wire.borrow().writes;
    for n in 0..200 {
        ada.say(&mut world, &message(&format!("{n}")));
        world.turn();
        assert_eq!(ada.events_of("message").len(), 1, "in its own turn");
        assert!(!world.has_work());
        world.jump(10);
    }
    // The one write that failed.
    assert_eq!(slow.wire.borrow().writes - before, 1);
    slow.make_room(&mut world, usize::MAX);
    assert_eq!(slow.events_of("message").len(), 200);
}

#[test]
fn half_full_queue_stops_reading_to_the_byte() {
    let mut world = unlimited(|it| it.send_queue_bytes = 10_000);
    let [mut ada, mut slow] = world.enter_all(["Ada", "Slow"]);
    slow.wire.borrow_mut().room = 0;
    let mut waiting = 0;
    while waiting <= 5_000 {
        slow.send(&mut world, &masked(Opcode::Pong, &[]));
        ada.say(&mut world, &message("what both get"));
        world.settle();
        assert!(slow.is_read(&world), "{waiting} bytes wait");
        waiting += ada.wire.borrow().sent.len();
        assert_eq!(ada.events_of("message").len(), 1);
    }
    slow.say(&mut world, &message("not yet"));
    world.settle();
    assert!(!slow.is_read(&world) && ada.take().is_empty());
    // One byte too many waits, then none.
    slow.make_room(&mut world, waiting - 5_001);
    assert!(!slow.is_read(&world));
    slow.make_room(&mut world, 1);
    assert!(slow.is_read(&world));
    assert_eq!(ada.events_of("message").len(), 1);
    slow.make_room(&mut world, usize::MAX);
    // Nothing was lost.
    assert!(slow.take().len() > 1 && slow.close.is_none());
}

/// A turn answers only a few requests of a flooding connection, and other clients get their answers
/// in the same turn.
#[test]
fn flood_of_requests_is_bounded_in_each_turn() {
    let mut world = unlimited(|_| {});
    let [mut flood, mut ada] = world.enter_all(["Flood", "Ada"]);
    let question = masked(Opcode::Text, br#"{"type":"channels"}"#);
    let count = 2 * READ_BYTES / question.len();
    flood.send(&mut world, &question.repeat(count));
    for turn in 0..10 {
        ada.say(&mut world, &message("hello"));
        world.turn();
        assert_eq!(ada.events_of("message").len(), 1, "turn {turn}");
        assert_eq!(flood.events_of("channels").len(), 16, "turn {turn}");
    }
}

#[test]
fn long_answers_of_a_turn_stay_within_the_connections_budget() {
    let mut world = unlimited(|_| {});
    let [mut ada, mut ben] = world.enter_all(["Ada", "Ben"]);
    for _ in 0..100 {
        ada.say(&mut world, &message(&"x".repeat(3_900)));
        world.settle();
    }
    drop((ada.take(), ben.take()));
    let question = r#"{"type":"history","channel":"general","limit":200}"#;
    (0..20).for_each(|_| ada.say(&mut world, question));
    ben.say(&mut world, r#"{"type":"channels"}"#);
    let (mut answers, mut turns) = (0, 0);
    while answers < 20 {
        let before = world.hub.metrics().bytes_sent;
        world.turn();
        let sent = (world.hub.metrics().bytes_sent - before) as usize;
        assert!(sent < CONNECTION_OUTPUT_BYTES + 25_000, "{sent} bytes");
        if turns == 0 {
            assert_eq!(ben.events_of("channels").len(), 1, "in the same turn");
        }
        answers += ada.events_of("history").len();
        turns += 1;
        assert!(turns < 30, "it makes progress");
    }
}

/// A single packet can ask for much more than a queue holds. A slow reader gets all of it.
#[test]
fn requests_of_one_packet_are_all_answered() {
    let mut world = unlimited(|_| {});
    let name = |n| format!("user-with-a-long-name-{n}");
    let _crowd: Vec<_> = (0..200).map(|n| world.enter(&name(n))).collect();
    let [mut ada] = world.enter_all(["Ada"]);
    ada.wire.borrow_mut().room = 0;
    let count = 1_000;
    for n in 0..count {
        ada.say(&mut world, &format!(r#"{{"type":"who","id":{n}}}"#));
    }
    let mut answers = 0;
    while answers < count {
        world.settle();
        assert!(world.buffered() < 2 << 20, "{}", world.buffered());
        ada.make_room(&mut world, 100_000);
        let events = ada.events_of("users");
        assert!(ada.close.is_none() && !events.is_empty(), "{answers}");
        for event in events {
            assert_eq!(event["id"], answers, "in order");
            answers += 1;
        }
    }
}

#[test]
fn reading_stops_when_the_turn_has_enough_to_write() {
    let mut world = unlimited(|_| {});
    let mut clients: Vec<_> = (0..20).map(|_| world.open("/echo")).collect();
    for client in &mut clients {
        client.send(&mut world, &masked(Opcode::Binary, &[7; 60_000]));
    }
    let mut first = TURN_OUTPUT_BYTES.div_ceil(60_000);
    // Connections that were not read come first in the next turn.
    for _ in 0..20_usize.div_ceil(first) {
        world.turn();
        first = first.min(clients.len());
        let mut reached = clients.drain(..first);
        assert!(reached.all(|mut client| client.take().len() == 1));
    }
    assert!(clients.is_empty());
}

#[test]
fn buffered_input_of_many_is_not_resumed_in_one_turn() {
    let mut world = unlimited(|it| (it.send_queue_bytes, it.buffered_bytes) = (1_000, usize::MAX));
    let mut clients: Vec<_> = (0..20).map(|_| world.open("/echo")).collect();
    for client in &mut clients {
        client.wire.borrow_mut().room = 0;
        let short = masked(Opcode::Binary, &[0; 600]);
        let long = masked(Opcode::Binary, &vec![0; 60_000]);
        client.send(&mut world, &[short, long].concat());
    }
    world.settle();
    for client in &clients {
        client.wire.borrow_mut().room = usize::MAX;
        world.writable(client.id());
    }
    let mut before = 0;
    for _ in 0..10 {
        world.turn();
        let sent = clients.iter().map(|client| client.wire.borrow().sent.len());
        let sent: usize = sent.sum();
        assert!(sent - before < TURN_OUTPUT_BYTES + 100_000, "{sent}");
        before = sent;
    }
    assert!(clients.iter_mut().all(|client| client.take().len() == 2));
}

/// A compressed packet can't hold more than a few reads.
#[cfg(feature = "deflate")]
#[test]
fn inflated_bytes_count_as_read() {
    use parlor::websocket::{Deflate, DeflateParameters};
    let mut world = World::new(limits(|it| it.send_queue_bytes = 1 << 30));
    let mut client = world.connect();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let head = handshake("/echo").replacen("\r\n\r\n", &format!("\r\n{offer}"), 1);
    client.settle(&mut world, head.as_bytes());
    let (zeros, agreed) = (vec![0; READ_BYTES], DeflateParameters::default());
    let mut plain = Vec::new();
    assert!(Deflate::default().compress(Opcode::Binary, &zeros, agreed, &mut plain));
    // As a client sends it: masked, by a key that changes nothing.
    assert!(plain.len() < 126);
    let frame = [&[plain[0], plain[1] | 0x80, 0, 0, 0, 0], &plain[2..]].concat();
    client.send(&mut world, &frame.repeat(40));
    let (mut turns, start) = (0, world.hub.metrics().messages_received);
    while world.hub.metrics().messages_received - start < 40 {
        let before = world.hub.metrics().messages_received;
        world.turn();
        assert!(world.hub.metrics().messages_received - before <= 2);
        turns += 1;
        assert!(turns <= 40, "it makes progress");
    }
}
