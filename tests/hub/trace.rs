//! Traces on a network of memory: what they cost others.

use crate::network::*;
use parlor::limits::{Limits, TRACE_TURN_BYTES};
use parlor::websocket::Opcode;

fn told(client: &mut Client) -> (usize, u64) {
    let traces = client.events_of("trace");
    let missed = traces
        .iter()
        .map(|trace| trace["missed"].as_u64().unwrap_or(0))
        .sum();
    (traces.len(), missed)
}

#[test]
fn a_turn_tells_256_kib_of_traces_and_counts_the_rest() {
    let mut world = World::new(Limits::DEFAULT);
    let mut clients: Vec<_> = (0..20).map(|_| world.open("/echo?trace=1")).collect();
    let frames: Vec<u8> = (0..50).flat_map(|_| masked(Opcode::Ping, b"")).collect();
    for client in &mut clients {
        client.send(&mut world, &frames);
    }
    let before = world.hub.metrics().bytes_sent;
    world.turn();
    let sent = (world.hub.metrics().bytes_sent - before) as usize;
    assert!(
        (TRACE_TURN_BYTES..TRACE_TURN_BYTES + 20_000).contains(&sent),
        "{sent}"
    );
    let in_turn: usize = clients.iter_mut().map(|client| told(client).0).sum();
    assert!(in_turn < 20 * 100);
    // What was passed over is told with the next frame.
    let mut missed = 0;
    for client in &mut clients {
        client.send(&mut world, &masked(Opcode::Pong, b""));
        world.turn();
        let (now, before) = told(client);
        assert_eq!(now, 1);
        missed += before;
    }
    assert_eq!(
        in_turn as u64 + missed,
        20 * 100,
        "each frame is told or counted"
    );
}

#[test]
fn what_is_held_for_a_trace_is_given_back() {
    let mut world = World::new(Limits::DEFAULT);
    let mut client = world.open("/echo?trace=1");
    client.send(&mut world, &masked(Opcode::Text, &[b'x'; 3_000])[..2_000]);
    world.turn();
    assert!(
        world.hub.metrics().buffered_bytes > 4_000,
        "half a frame, twice"
    );
    client.reset(&mut world);
    world.turn();
    world.turn();
    assert_eq!(world.hub.metrics().buffered_bytes, 0);
}
