//! Deadlines, and how connections end.

use crate::network::*;
use parlor::hub::Driven;
use parlor::limits::Limits;
use parlor::testing::limits;
use parlor::websocket::Opcode;
use std::time::Duration;

#[test]
fn silent_connection_is_pinged_then_dropped() {
    let mut world = World::new(limits(|it| it.resume_window = Duration::ZERO));
    let mut ada = world.enter("Ada");
    world.pass(1_000);
    world.settle();
    ada.take();
    world.pass(28_999);
    world.settle();
    assert!(ada.wire.borrow().sent.is_empty(), "nothing is due yet");
    world.pass(1);
    world.settle();
    assert_eq!(ada.wire.borrow().sent, [0x89, 0], "a ping");
    ada.settle(&mut world, &masked(Opcode::Pong, &[]));
    world.pass(30_000);
    world.settle();
    // The pong counted as activity.
    assert_eq!(ada.wire.borrow().sent, [0x89, 0, 0x89, 0]);
    world.pass(20_000);
    world.settle();
    let metrics = world.hub.metrics();
    assert_eq!((metrics.connections, metrics.users_online), (0, 0));
    assert_eq!(world.hub.connections(), 0);
    world.pass(250);
    world.settle();
    // An empty server never wakes up.
    assert_eq!(world.hub.next_deadline(), None);
}

#[test]
fn suspended_hub_reads_before_checking_deadlines() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.enter("Ada");
    world.pass(31_000);
    world.settle();
    ada.take();
    // Its answer to the ping came while the process was suspended.
    world.jump(3_600_000);
    world.turn();
    assert_eq!(world.hub.connections(), 1);
    ada.say(&mut world, r#"{"type":"channels"}"#);
    world.turn();
    assert_eq!(ada.events_of("channels").len(), 1);
    world.settle();
    world.pass(29_000);
    ada.take();
    assert_eq!((ada.close, world.hub.connections()), (None, 1));
}

/// A turn that reads nothing because of its budget doesn't prove that a peer is silent.
#[test]
fn suspended_process_that_can_not_read_closes_nothing() {
    let mut world = World::new(limits(|it| (it.rate, it.connections_per_ip) = (0, 0)));
    let mut clients: Vec<_> = (0..257).map(|n| world.enter(&format!("User{n}"))).collect();
    for _ in 0..12 {
        clients[0].say(&mut world, &message(&"x".repeat(4_000)));
    }
    let mut late = world.connect();
    late.send(&mut world, b"GET /healthz HTTP/1.1\r\n");
    world.settle();
    world.jump(3_600_000);
    // A turn reads 16 requests of one connection. With 4,096 in the inbox, reading stops.
    let question = br#"{"type":"history","channel":"general","before":13}"#;
    let question = masked(Opcode::Text, question);
    for client in &mut clients {
        client.send(&mut world, &question.repeat(16));
    }
    late.send(&mut world, b"Host: a\r\n\r\n");
    for _ in 0..2 {
        world.turn();
        assert!(!late.is_read(&world));
    }
    late.take();
    assert_eq!(late.http, None, "its head arrived in time");
}

#[test]
fn head_message_and_hello_have_deadlines() {
    let mut world = World::new(Limits::DEFAULT);
    let (mut head, mut silent) = (world.connect(), world.open("/chat"));
    let (mut message, mut slow) = (world.open("/echo"), world.open("/echo"));
    head.send(&mut world, b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
    message.send(&mut world, &frame(false, Opcode::Text, b"never "));
    slow.send(&mut world, &masked(Opcode::Binary, &[7; 500])[..100]);
    for _ in 0..61 {
        world.pass(1_000);
        // Neither single bytes nor a pong between fragments extend a deadline.
        head.send(&mut world, b"x");
        slow.send(&mut world, b"x");
        message.settle(&mut world, &masked(Opcode::Pong, &[]));
    }
    drop((head.take(), silent.take(), message.take(), slow.take()));
    assert!(head.head().starts_with("HTTP/1.1 408 "));
    assert_eq!([silent, message, slow].map(|it| it.close), [Some(1008); 3]);
    world.pass(10_000);
    world.settle();
    // Connections also end if their close frame is not answered.
    assert_eq!(world.hub.connections(), 0);
}

#[test]
fn refused_connection_is_read_for_a_second_or_64_kib() {
    let mut world = World::new(Limits::DEFAULT);
    for (sent, stays) in [(0, true), (64 << 10, true), ((64 << 10) + 1, false)] {
        let mut client = world.connect();
        let request = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client.settle(&mut world, request);
        assert!(client.wire.borrow().shut, "the answer was sent");
        client.send(&mut world, &vec![b'x'; sent]);
        world.settle();
        let is_open = world.hub.socket(client.id()).is_some();
        assert_eq!(is_open, stays, "{sent} bytes");
    }
    world.pass(999);
    world.settle();
    assert_eq!(world.hub.connections(), 2);
    world.pass(1);
    world.settle();
    assert_eq!(world.hub.connections(), 0);
}

/// The header of a text of 5 MB is refused. The client sends all of it before it reads the close
/// frame, and must not get a reset until then.
#[test]
fn closed_websocket_is_read_for_five_seconds() {
    let mut world = World::new(Limits::DEFAULT);
    let text = masked(Opcode::Text, &vec![b'x'; 5_000_000]);
    let zeros = vec![0; 200_000];
    for (frames, code) in [
        (text, 1009),
        (masked(Opcode::Binary, b"no"), 1003),
        (
            [masked(Opcode::Text, b"\xff"), zeros.clone()].concat(),
            1007,
        ),
        ([b"\x81\x02hi".to_vec(), zeros].concat(), 1002),
    ] {
        let mut client = world.open("/chat");
        client.settle(&mut world, &frames);
        client.take();
        assert_eq!((client.close, client.is_read(&world)), (Some(code), true));
        world.pass(4_999);
        client.send(&mut world, &masked(Opcode::Text, &[b'x'; 60_000]));
        world.settle();
        assert_eq!(world.hub.connections(), 1, "{code}");
        world.pass(1);
        world.settle();
        assert_eq!(world.hub.connections(), 0, "{code}");
    }
}

#[test]
fn requests_are_answered_in_order_and_a_refused_upgrade_closes() {
    let mut world = World::new(Limits::DEFAULT);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let upgraded = format!("GET /healthz {upgrade}");
    let health = "GET /healthz ";
    let refused = [
        health,
        "HEAD /healthz ",
        "POST / ",
        "GET /chat Upgrade: x\r\n",
        health,
    ];
    let table: [(&str, &[&str], &[&str]); 2] = [
        ("a refused upgrade", &refused, &["200", "200", "405", "426"]),
        (
            "an upgrade of a page",
            &[health, &upgraded, health],
            &["200", "200"],
        ),
    ];
    for (name, requests, expected) in table {
        let mut client = world.connect();
        for request in requests {
            let [method, path, headers] = request.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("{request}")
            };
            let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
            client.send(&mut world, request.as_bytes());
        }
        world.settle();
        let sent = String::from_utf8(client.wire.borrow().sent.clone()).unwrap();
        let statuses = sent.match_indices("HTTP/1.1 ");
        let statuses = statuses.map(|(at, _)| &sent[at + 9..at + 12]);
        assert!(statuses.eq(expected.iter().copied()), "{name}: {sent}");
        assert!(client.wire.borrow().shut, "{name}");
    }
}

#[test]
fn message_begun_before_a_pause_keeps_its_time() {
    let none = Duration::ZERO;
    let mut world = World::new(limits(|it| {
        (it.send_queue_bytes, it.ping_interval) = (1_000, none);
    }));
    let mut client = world.open("/echo");
    client.send(&mut world, &frame(false, Opcode::Text, b"begun"));
    client.wire.borrow_mut().room = 0;
    let pings = masked(Opcode::Ping, &[b'p'; 100]).repeat(6);
    client.settle(&mut world, &pings);
    client.settle(&mut world, &masked(Opcode::Pong, &[]));
    assert!(!client.is_read(&world), "it does not read its pongs");
    world.pass(70_000);
    world.settle();
    client.make_room(&mut world, usize::MAX);
    client.take();
    // Pauses do not count.
    assert!(client.is_read(&world) && client.close.is_none());
    world.pass(61_000);
    world.settle();
    assert_eq!(client.closed(), Some(1008), "then the deadline continues");
}
