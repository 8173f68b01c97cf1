//! Backpressure and fairness, in simulated time: who does not read is not heard, and costs the
//! others nothing.

use crate::network::*;
use parlor::limits::{Limits, READ_BYTES, TURN_QUESTIONS};
use parlor::websocket::Opcode;

fn message(text: &str) -> String {
    format!(r#"{{"type":"message","channel":"general","text":"{text}"}}"#)
}

/// Two members of `general`, who have been told all that follows from their coming.
fn two(limits: Limits, names: [&str; 2]) -> (World, [Client; 2]) {
    let mut world = World::new(limits);
    let mut both = names.map(|name| world.enter(name));
    world.pass(1_000);
    world.turn();
    both.iter_mut().for_each(|client| drop(client.take()));
    (world, both)
}

/// While a queue is above half of its limit its owner's own commands are not read, to the byte.
#[test]
fn with_more_than_half_a_queue_its_owner_is_not_heard() {
    let (mut world, [mut ada, mut slow]) = two(
        Limits {
            rate: 0,
            send_queue_bytes: 10_000,
            ..Limits::DEFAULT
        },
        ["Ada", "Slow"],
    );
    slow.wire.borrow_mut().room = 0;
    let mut waiting = 0;
    while waiting <= 5_000 {
        assert!(world.hub.wants_read(slow.id()), "{waiting} bytes wait");
        ada.say(&mut world, &message("what both get"));
        world.turn();
        // The same frames.
        waiting += ada.wire.borrow().sent.len();
        assert_eq!(ada.events_of("message").len(), 1);
    }
    assert!(!world.hub.wants_read(slow.id()), "{waiting} bytes wait");
    // What the driver had read before it knew is kept, and not taken.
    let heard = world.hub.metrics().messages_received;
    slow.say(&mut world, &message("not yet"));
    world.turn();
    assert_eq!(
        (world.hub.metrics().messages_received, ada.take().len()),
        (heard, 0)
    );
    // One byte too many waits, then none.
    slow.make_room(&mut world, waiting - 5_001);
    world.turn();
    assert!(!world.hub.wants_read(slow.id()));
    assert_eq!(ada.take().len(), 0);
    slow.make_room(&mut world, 1);
    world.turn();
    assert_eq!(ada.events_of("message").len(), 1, "it is heard now");
    slow.make_room(&mut world, usize::MAX);
    world.turn();
    assert!(
        world.hub.wants_read(slow.id()) && slow.take().len() > 1 && slow.close.is_none(),
        "and nothing was lost"
    );
}

/// A slow reader never slows the loop: its socket is not tried before it says that there is room,
/// nothing is left to be done
/// because of it, and no deadline of its own makes the loop spin.
#[test]
fn a_reader_that_stands_still_costs_the_others_nothing() {
    let (mut world, [mut ada, mut slow]) = two(
        Limits {
            rate: 0,
            ..Limits::DEFAULT
        },
        ["Ada", "Slow"],
    );
    slow.wire.borrow_mut().room = 0;
    let before = slow.wire.borrow().writes;
    for n in 0..200 {
        ada.say(&mut world, &message(&format!("{n}")));
        world.hub.end_turn(world.now);
        assert_eq!(
            ada.events_of("message").len(),
            1,
            "message {n}, in its own turn"
        );
        assert!(!world.hub.has_work(), "nothing is left over");
        assert!(
            world
                .hub
                .next_deadline()
                .is_none_or(|deadline| deadline > world.now.mono),
            "and nothing is due"
        );
        world.pass(10);
    }
    assert_eq!(
        slow.wire.borrow().writes - before,
        1,
        "that one told that there is no room"
    );
    slow.make_room(&mut world, usize::MAX);
    world.turn();
    assert_eq!(slow.events_of("message").len(), 200);
}

/// One that floods is heard as far as one read goes, and of questions so many as a turn has answers
/// for; who comes behind it is
/// heard in the same turn.
#[test]
fn a_flood_is_heard_a_little_in_each_turn_and_the_others_in_the_same() {
    let (mut world, [mut flood, mut ada]) = two(
        Limits {
            rate: 0,
            ..Limits::DEFAULT
        },
        ["Flood", "Ada"],
    );
    let question = masked(Opcode::Text, br#"{"type":"channels"}"#);
    let mut packet = question.repeat(READ_BYTES / question.len());
    packet.truncate(READ_BYTES);
    world.hub.received(flood.id(), &mut packet, world.now);
    assert!(
        !world.hub.wants_read(flood.id()),
        "there is something left of it"
    );
    for turn in 0..10 {
        ada.say(&mut world, &message("hello"));
        world.hub.end_turn(world.now);
        assert_eq!(ada.events_of("message").len(), 1, "turn {turn}");
        let answers = flood.events_of("channels").len();
        assert_eq!(answers, usize::from(TURN_QUESTIONS), "turn {turn}");
        assert!(!world.hub.wants_read(flood.id()));
    }
}

/// After a load one turn more gives up the buffers; then there is nothing to wake up for.
#[test]
fn after_a_load_one_turn_more_comes_and_then_silence() {
    let mut world = World::new(Limits {
        ping_interval: std::time::Duration::ZERO,
        ..Limits::DEFAULT
    });
    let mut echo = world.open("/echo");
    // What is left of the handshake is seen to, once.
    world.pass(60_000);
    world.turn();
    assert_eq!(world.hub.next_deadline(), None);
    echo.send(&mut world, &masked(Opcode::Binary, &[0; 100]));
    world.turn();
    assert_eq!(
        world.hub.next_deadline(),
        None,
        "a little traffic leaves nothing that is to be given up"
    );
    for _ in 0..3 {
        echo.send(&mut world, &masked(Opcode::Binary, &[0; 100_000]));
        world.turn();
        world.pass(10);
    }
    assert_eq!(echo.take().len(), 4);
    let at = world
        .hub
        .next_deadline()
        .expect("its buffers have room for much");
    world.pass(at.0 - world.now.mono.0);
    world.turn();
    assert_eq!(world.hub.next_deadline(), None);
}

/// What a message is inflated to counts as read: one packet can't hold many times what one read
/// brings.
#[cfg(feature = "deflate")]
#[test]
fn what_is_inflated_counts_as_read() {
    use parlor::websocket::{Deflate, DeflateParameters};
    let mut world = World::new(Limits {
        send_queue_bytes: 1 << 30,
        ..Limits::DEFAULT
    });
    let mut client = world.connect();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    client.send(
        &mut world,
        handshake("/echo")
            .replacen("\r\n\r\n", &format!("\r\n{offer}"), 1)
            .as_bytes(),
    );
    world.turn();
    client.wire.borrow_mut().sent.clear();
    let mut plain = Vec::new();
    assert!(Deflate::default().compress(
        Opcode::Binary,
        &vec![0; READ_BYTES],
        DeflateParameters::default(),
        &mut plain
    ));
    // As a client sends it: masked, by a key that changes nothing.
    let length = plain.len() - 2;
    assert!(length < 126 && usize::from(plain[1]) == length);
    let frame = [&[plain[0], plain[1] | 0x80, 0, 0, 0, 0], &plain[2..]].concat();
    let count = 40;
    let before = world.hub.metrics().messages_received;
    client.send(&mut world, &frame.repeat(count));
    let mut turns = 0;
    while world.hub.metrics().messages_received - before < count as u64 {
        let heard = world.hub.metrics().messages_received;
        world.hub.end_turn(world.now);
        assert!(
            world.hub.metrics().messages_received - heard <= 2,
            "{turns}"
        );
        turns += 1;
        assert!(turns <= count, "it comes on");
    }
    assert!(turns >= count / 2 - 1, "{turns} turns");
}
