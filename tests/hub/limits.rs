//! Slow readers, silence, floods and crowds: what each limit does on a network of memory.

use crate::network::*;
use parlor::limits::Limits;
use parlor::websocket::Opcode;
use std::time::Duration;

#[test]
fn a_reader_that_stops_is_closed_alone_and_no_frame_is_left_half_written() {
    let limits = Limits {
        send_queue_bytes: 10_000,
        rate: 0,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let (mut ada, mut slow) = (world.enter("Ada"), world.enter("Slow"));
    drop((ada.take(), slow.take()));
    slow.wire.borrow_mut().room = 333;
    let mut received = 0;
    for n in 0..200 {
        ada.say(
            &mut world,
            &format!(r#"{{"type":"message","channel":"general","text":"{n:0>100}"}}"#),
        );
        world.turn();
        received += ada.events_of("message").len();
        assert!(world.hub.metrics().buffered_bytes < 40_000);
    }
    assert_eq!(received, 200, "nobody waits for it");
    slow.make_room(&mut world, usize::MAX);
    world.turn();
    let messages = slow.take();
    assert_eq!(
        slow.close,
        Some(1013),
        "what came are whole frames, the close frame last"
    );
    assert!((1..10).contains(&messages.len()), "{}", messages.len());
}

#[test]
fn a_slow_reader_that_catches_up_has_missed_nothing() {
    let mut world = World::new(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    let (mut ada, mut slow) = (world.enter("Ada"), world.enter("Slow"));
    slow.take();
    slow.wire.borrow_mut().room = 10;
    for n in 0..500 {
        ada.say(
            &mut world,
            &format!(r#"{{"type":"message","channel":"general","text":"{n}"}}"#),
        );
        world.turn();
        if n % 7 == 0 {
            slow.make_room(&mut world, n);
            world.turn();
        }
    }
    slow.make_room(&mut world, usize::MAX);
    world.turn();
    let seqs: Vec<_> = slow
        .events_of("message")
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=500).collect::<Vec<_>>());
    assert_eq!(
        world.hub.metrics().buffered_bytes,
        0,
        "what was shared is counted out again"
    );
}

#[test]
fn an_echo_that_is_not_read_is_not_heard_either() {
    let limits = Limits {
        send_queue_bytes: 1_000,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let mut client = world.open("/echo");
    client.wire.borrow_mut().room = 0;
    let messages: Vec<u8> = (0..100)
        .flat_map(|_| masked(Opcode::Text, &[b'x'; 90]))
        .collect();
    client.send(&mut world, &messages);
    world.turn();
    assert!(!world.hub.wants_read(client.id()));
    assert_eq!(client.close, None);
    for _ in 0..100 {
        client.make_room(&mut world, 500);
        world.turn();
    }
    assert!(world.hub.wants_read(client.id()));
    assert_eq!(client.take().len(), 100);
}

#[test]
fn silence_is_asked_and_then_dropped() {
    let mut world = World::new(Limits {
        resume_window: Duration::ZERO,
        ..Limits::DEFAULT
    });
    let mut ada = world.enter("Ada");
    world.pass(1_000);
    world.turn();
    ada.take();
    world.pass(28_999);
    world.turn();
    assert!(ada.wire.borrow().sent.is_empty(), "nothing is due yet");
    world.pass(1);
    world.turn();
    assert_eq!(ada.wire.borrow().sent, [0x89, 0], "a ping");
    ada.send(&mut world, &masked(Opcode::Pong, &[]));
    world.pass(30_000);
    world.turn();
    assert_eq!(
        ada.wire.borrow().sent,
        [0x89, 0, 0x89, 0],
        "the pong was a sign of life"
    );
    world.pass(20_000);
    world.turn();
    assert_eq!(
        (
            world.hub.metrics().connections,
            world.hub.metrics().users_online
        ),
        (0, 0)
    );
    assert!(world.hub.is_drained());
    world.pass(250);
    world.turn();
    assert_eq!(
        world.hub.next_deadline(),
        None,
        "an empty server has nothing to wake up for"
    );
}

#[test]
fn after_a_pause_of_the_process_nothing_is_due_before_it_was_read() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.enter("Ada");
    ada.take();
    world.pass(3_600_000);
    world.hub.set_judge_deadlines(false);
    world.turn();
    ada.say(&mut world, r#"{"type":"channels"}"#);
    world.hub.set_judge_deadlines(true);
    world.turn();
    assert_eq!(ada.events_of("channels").len(), 1);
    assert_eq!(ada.close, None);
}

#[test]
fn deadlines_of_heads_messages_hellos_and_closes() {
    let mut world = World::new(Limits::DEFAULT);
    let mut head = world.connect();
    head.send(&mut world, b"GET / HTTP/1.1\r\n");
    let mut silent = world.open("/chat");
    let mut message = world.open("/echo");
    message.send(&mut world, &frame(false, Opcode::Text, b"never "));
    for _ in 0..61 {
        world.pass(1_000);
        head.wire.borrow_mut().room = usize::MAX;
        // A byte now and then, and pongs: neither ends the message.
        message.send(&mut world, &masked(Opcode::Pong, &[]));
        world.turn();
    }
    head.take();
    assert!(
        head.http
            .as_deref()
            .is_some_and(|head| head.starts_with("HTTP/1.1 408 ")),
        "{:?}",
        head.http
    );
    drop((silent.take(), message.take()));
    assert_eq!(silent.close, Some(1008));
    assert_eq!(message.close, Some(1008));
    world.pass(10_000);
    world.turn();
    assert!(
        world.hub.is_drained(),
        "who does not answer a close is dropped"
    );
}

#[test]
fn a_flood_is_refused_and_then_closed() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.enter("Ada");
    ada.take();
    for _ in 0..60 {
        ada.say(&mut world, r#"{"type":"channels","id":1}"#);
    }
    world.turn();
    let events = ada.events();
    let limited: Vec<_> = events
        .iter()
        .filter(|event| event["code"] == "rate_limited")
        .collect();
    assert_eq!(
        limited.len(),
        60 - 38,
        "hello and join took two of the burst of forty"
    );
    assert!(limited.iter().all(|event| {
        event["retry_ms"]
            .as_u64()
            .is_some_and(|wait| (1..=50).contains(&wait))
            && event["id"] == 1
    }));
    for _ in 0..80 {
        ada.say(&mut world, r#"{"type":"channels","id":1}"#);
    }
    world.turn();
    ada.take();
    assert_eq!(ada.close, Some(1008));
}

#[test]
fn a_flood_of_pings_is_a_flood_too() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.enter("Ada");
    ada.take();
    let pings: Vec<u8> = (0..200).flat_map(|_| masked(Opcode::Ping, &[])).collect();
    ada.send(&mut world, &pings);
    world.turn();
    let pongs = ada
        .wire
        .borrow()
        .sent
        .windows(2)
        .filter(|two| *two == [0x8A, 0])
        .count();
    assert_eq!(
        pongs,
        10 + 38,
        "ten are free, the others take the tokens that are left"
    );
    ada.take();
    assert_eq!(ada.close, Some(1008));
}

#[test]
fn all_queues_together_have_a_limit_too() {
    let limits = Limits {
        buffered_bytes: 300_000,
        connections_per_ip: 0,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let mut clients: Vec<_> = (0..10).map(|_| world.open("/echo")).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(
            &mut world,
            &masked(Opcode::Binary, &vec![0; 60_000])[..20_000 + 4_000 * n],
        );
        world.turn();
    }
    let closed: Vec<_> = clients
        .iter_mut()
        .enumerate()
        .filter_map(|(n, client)| (client.take(), client.close == Some(1013)).1.then_some(n))
        .collect();
    assert_eq!(closed, [8, 9], "those that held most");
    assert!(world.hub.metrics().buffered_bytes <= 300_000);
}

#[test]
fn one_too_many_is_told_so() {
    let limits = Limits {
        connections: 2,
        connections_per_ip: 1,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let _first = world.connect_from("10.0.0.1:1");
    let mut same = world.connect_from("10.0.0.1:2");
    let _second = world.connect_from("10.0.0.2:1");
    let mut third = world.connect_from("10.0.0.3:1");
    world.turn();
    for (client, status) in [(&mut same, "429"), (&mut third, "503")] {
        client.take();
        assert!(
            client
                .http
                .as_deref()
                .is_some_and(|head| head.contains(status)),
            "{:?}",
            client.http
        );
        assert!(client.wire.borrow().shut);
    }
}

#[test]
fn requests_are_answered_one_after_another() {
    let mut world = World::new(Limits::DEFAULT);
    let mut client = world.connect();
    client.send(&mut world, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nHEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\nGET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    world.turn();
    let sent = String::from_utf8(client.wire.borrow().sent.clone()).unwrap();
    let statuses: Vec<_> = sent
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &sent[at + 9..at + 12])
        .collect();
    assert_eq!(
        statuses,
        ["200", "200", "405", "426"],
        "a refused upgrade closes: what stands behind it is never answered"
    );
    assert!(client.wire.borrow().shut);
    client.take();
}

#[test]
fn an_echo_that_fills_every_turn_does_not_silence_the_chat() {
    let mut world = World::new(Limits::DEFAULT);
    let (mut ada, mut echo) = (world.enter("Ada"), world.open("/echo"));
    ada.take();
    ada.say(&mut world, r#"{"type":"channels"}"#);
    echo.send(&mut world, &masked(Opcode::Binary, &vec![0; 1 << 20]));
    world.hub.end_turn(world.now);
    assert_eq!(ada.events_of("channels").len(), 1, "in the same turn");
}

#[test]
fn what_was_kept_of_many_is_not_taken_up_in_one_turn() {
    let limits = Limits {
        send_queue_bytes: 1_000,
        buffered_bytes: usize::MAX,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let mut clients: Vec<_> = (0..20).map(|_| world.open("/echo")).collect();
    for client in &mut clients {
        client.wire.borrow_mut().room = 0;
        let messages = [
            masked(Opcode::Binary, &[0; 600]),
            masked(Opcode::Binary, &vec![0; 1 << 20]),
        ]
        .concat();
        client.send(&mut world, &messages);
    }
    world.turn();
    clients
        .iter()
        .for_each(|client| client.make_room(&mut world, usize::MAX));
    let mut before = 0;
    for _ in 0..40 {
        world.hub.end_turn(world.now);
        let sent: usize = clients
            .iter()
            .map(|client| client.wire.borrow().sent.len())
            .sum();
        assert!(
            sent - before < 3 << 20,
            "{} bytes in one turn",
            sent - before
        );
        before = sent;
    }
    assert!(
        clients.iter_mut().all(|client| client.take().len() == 2),
        "and all of it comes"
    );
}

#[test]
fn echoes_are_written_before_more_is_read() {
    let mut world = World::new(Limits::DEFAULT);
    let mut clients: Vec<_> = (0..20).map(|_| world.open("/echo")).collect();
    let message = masked(Opcode::Binary, &[7; 16 << 10]);
    for client in &mut clients[..8] {
        assert!(world.hub.wants_read(client.id()));
        client.send(&mut world, &message);
    }
    assert!(
        !world.hub.wants_read(clients[8].id()),
        "128 KiB are to be written first"
    );
    world.hub.end_turn(world.now);
    assert!(
        clients[..8]
            .iter_mut()
            .all(|client| client.take().len() == 1)
    );
    assert!(
        world.hub.take_resumed().eq([clients[8].id()]),
        "whose turn it was comes next"
    );
    assert!(world.hub.wants_read(clients[8].id()));
}

#[test]
fn a_socket_that_breaks_in_a_write_leaves_nothing_in_the_buffers_of_the_next_turn() {
    let mut world = World::new(Limits::DEFAULT);
    let (mut ada, mut slow) = (world.enter("Ada"), world.enter("Slow"));
    let mut echoes: Vec<_> = (0..10).map(|_| world.open("/echo")).collect();
    world.pass(1_000);
    world.turn();
    drop((ada.take(), slow.take()));
    slow.wire.borrow_mut().room = 0;
    ada.say(
        &mut world,
        r#"{"type":"message","channel":"general","text":"becomes a backlog"}"#,
    );
    world.turn();
    // Its queue is tried, and fails, in a turn in which it is to get something more.
    let mut bob = world.open("/chat");
    bob.say(&mut world, r#"{"type":"hello","name":"Bob"}"#);
    ada.say(
        &mut world,
        r#"{"type":"message","channel":"general","text":"is lost"}"#,
    );
    slow.wire.borrow_mut().broken = true;
    world.hub.writable(slow.id());
    world.hub.end_turn(world.now);
    // In the next one news are told to everybody before its end is taken from the inbox.
    world.pass(1_000);
    for (n, echo) in echoes.iter_mut().enumerate() {
        echo.send(
            &mut world,
            &masked(Opcode::Text, format!("echo {n}").as_bytes()),
        );
    }
    world.turn();
    for (n, echo) in echoes.iter_mut().enumerate() {
        assert_eq!(
            echo.take(),
            [format!("echo {n}")],
            "nothing that was for another"
        );
    }
}

#[test]
fn half_frames_that_hold_too_much_cost_nobody_else_his_connection() {
    let limits = Limits {
        buffered_bytes: 300_000,
        connections_per_ip: 0,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let mut ada = world.enter("Ada");
    let mut echo = world.open("/echo");
    let mut idle = world.connect();
    let mut slow: Vec<_> = (0..5).map(|_| world.open("/echo")).collect();
    for client in &mut slow {
        client.wire.borrow_mut().room = 100;
        client.send(&mut world, &masked(Opcode::Binary, &vec![0; 100_000]));
        world.turn();
    }
    assert!(world.hub.metrics().buffered_bytes <= 300_000);
    drop((ada.take(), echo.take(), idle.take()));
    assert_eq!(
        (ada.close, echo.close, idle.wire.borrow().shut),
        (None, None, false)
    );
    assert!(world.hub.wants_read(idle.id()) && world.hub.wants_read(ada.id()));
}

#[test]
fn a_message_that_was_begun_before_a_pause_still_has_its_time() {
    let limits = Limits {
        send_queue_bytes: 1_000,
        ping_interval: Duration::ZERO,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let mut client = world.open("/echo");
    client.send(&mut world, &frame(false, Opcode::Text, b"begun"));
    client.wire.borrow_mut().room = 0;
    let pings: Vec<u8> = (0..5)
        .flat_map(|_| masked(Opcode::Ping, &[b'p'; 100]))
        .collect();
    client.send(&mut world, &pings);
    world.turn();
    assert!(!world.hub.wants_read(client.id()), "its pongs are not read");
    world.pass(70_000);
    world.turn();
    client.make_room(&mut world, usize::MAX);
    world.turn();
    client.take();
    assert!(
        world.hub.wants_read(client.id()) && client.close.is_none(),
        "time in which it was not read does not count"
    );
    world.pass(61_000);
    world.turn();
    client.take();
    assert_eq!(client.close, Some(1008), "and then the clock goes on");
}

#[test]
fn a_turn_reads_at_most_32_pages_of_history() {
    let mut world = World::new(Limits {
        rate: 0,
        ..Limits::DEFAULT
    });
    let mut clients = [world.enter("Ada"), world.enter("Ben")];
    clients[0].say(
        &mut world,
        r#"{"type":"message","channel":"general","text":"hello"}"#,
    );
    world.turn();
    for client in &mut clients {
        client.take();
        for _ in 0..50 {
            client.say(&mut world, r#"{"type":"history","channel":"general"}"#);
        }
    }
    for expected in [32, 32, 32, 4, 0] {
        world.hub.end_turn(world.now);
        let pages: usize = clients
            .iter_mut()
            .map(|client| client.events_of("history").len())
            .sum();
        assert_eq!(pages, expected);
    }
}

/// After a refusal what still comes is thrown away for a second, or 64 KiB.
#[test]
fn who_was_refused_is_listened_to_for_a_second_or_64_kib() {
    let mut world = World::new(Limits::DEFAULT);
    for (sent, stays) in [(0, true), (64 << 10, true), ((64 << 10) + 1, false)] {
        let mut client = world.connect();
        client.send(
            &mut world,
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        world.turn();
        assert!(client.wire.borrow().shut, "the answer is out");
        for piece in vec![b'x'; sent].chunks(10_000) {
            client.send(&mut world, piece);
        }
        world.turn();
        assert_eq!(
            world.hub.id(client.id().index()).is_some(),
            stays,
            "{sent} bytes"
        );
    }
    world.pass(999);
    world.turn();
    assert_eq!(world.hub.connections(), 2);
    world.pass(1);
    world.turn();
    assert!(world.hub.is_drained());
}

#[test]
fn the_answer_to_a_close_is_waited_for_five_seconds() {
    let mut world = World::new(Limits::DEFAULT);
    let mut client = world.open("/chat");
    client.send(&mut world, &masked(Opcode::Binary, b"no"));
    world.turn();
    client.take();
    assert_eq!(client.close, Some(1003));
    world.pass(4_999);
    // However much comes.
    for _ in 0..100 {
        client.send(&mut world, &masked(Opcode::Text, &[b'x'; 60_000]));
    }
    world.turn();
    assert_eq!(world.hub.connections(), 1);
    world.pass(1);
    world.turn();
    assert!(world.hub.is_drained());
}

/// A turn can bring much more than one connection's share: as many are closed as it takes, at once.
#[test]
fn what_a_turn_brings_too_much_is_given_back_in_the_next() {
    let limits = Limits {
        buffered_bytes: 300_000,
        connections_per_ip: 0,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let mut clients: Vec<_> = (0..50).map(|_| world.open("/echo")).collect();
    for opcode in [Opcode::Binary, Opcode::Continuation, Opcode::Continuation] {
        for client in &mut clients {
            client.send(&mut world, &frame(false, opcode, &vec![0; 20_000]));
        }
        world.hub.end_turn(world.now);
        world.hub.end_turn(world.now);
        assert!(
            world.hub.metrics().buffered_bytes <= 300_000,
            "{}",
            world.hub.metrics().buffered_bytes
        );
        assert!(
            world.hub.metrics().buffered_bytes >= 200_000,
            "and no more than that: {}",
            world.hub.metrics().buffered_bytes
        );
    }
}

/// What a single read asks for can be much more than a queue takes. Who reads, though slowly, gets
/// all of it.
#[test]
fn many_questions_in_one_packet_are_answered_as_fast_as_the_answers_are_read() {
    let mut world = World::new(Limits {
        rate: 0,
        connections_per_ip: 0,
        ..Limits::DEFAULT
    });
    let mut crowd: Vec<_> = (0..200)
        .map(|n| world.enter(&format!("somebody-with-a-long-name-{n}")))
        .collect();
    let mut ada = world.open("/chat");
    ada.say(&mut world, r#"{"type":"hello","name":"Ada"}"#);
    world.turn();
    ada.take();
    ada.wire.borrow_mut().room = 0;
    let count = 2_000;
    let packet: Vec<u8> = (0..count)
        .flat_map(|n| {
            masked(
                Opcode::Text,
                format!(r#"{{"type":"who","id":{n}}}"#).as_bytes(),
            )
        })
        .collect();
    for piece in packet.chunks(64 << 10) {
        ada.send(&mut world, piece);
    }
    let mut answers = 0;
    while answers < count {
        world.turn();
        assert!(
            world.hub.metrics().buffered_bytes < 2 << 20,
            "{}",
            world.hub.metrics().buffered_bytes
        );
        ada.make_room(&mut world, 100_000);
        world.turn();
        let came = ada.events_of("users");
        assert!(
            ada.close.is_none() && !came.is_empty(),
            "closed with {:?} after {answers} answers",
            ada.close
        );
        for answer in came {
            assert_eq!(answer["id"], answers, "in order");
            answers += 1;
        }
    }
    crowd.clear();
}
