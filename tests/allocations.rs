//! Counts allocations and memory on a hub with sockets that accept everything:
//!
//! * A delivery needs no allocation and no copy: a turn allocates as much for ten members as for a
//!   thousand.
//! * An echo needs no allocation.
//! * A silent member takes at most 620 bytes.
//! * Memory that grew in a burst is freed afterwards.
#![cfg(feature = "server")]
#![allow(unsafe_code)] // a global allocator needs it

#[allow(dead_code)]
#[path = "../benches/micro/world.rs"]
mod world;

use parlor::hub::Driven;
use parlor::websocket::{Opcode, encode_masked_message};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use world::{World, in_one};

/// Counts for each thread, because tests run in parallel.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static COPIED: Cell<usize> = const { Cell::new(0) };
}

/// Returns the bytes that the C library uses for a block: with a header of eight bytes, in steps of
/// sixteen (glibc; others use no less).
fn taken(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(16).max(32)
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        let _ = LIVE.try_with(|live| live.set(live.get().wrapping_add(taken(layout.size()))));
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get().wrapping_sub(taken(layout.size()))));
        // SAFETY: as the caller's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        let grown = taken(size).wrapping_sub(taken(layout.size()));
        let _ = LIVE.try_with(|live| live.set(live.get().wrapping_add(grown)));
        // SAFETY: as the caller's.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the numbers of members. Large ones take minutes in a debug build, so only `cargo test
/// --release` has them.
fn crowds(debug: &'static [usize], release: &'static [usize]) -> &'static [usize] {
    if cfg!(debug_assertions) {
        debug
    } else {
        release
    }
}

/// Counts the allocations of `work`.
fn allocations(work: impl FnOnce()) -> usize {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

const MESSAGE: &str =
    r#"{"type":"message","channel":"general","text":"what is said to all users"}"#;

/// Counts the allocations of a turn with this many members and messages, from the received bytes to
/// the written ones.
fn turn_of(members: usize, messages: usize) -> usize {
    let mut world = World::new();
    world.enter(members, in_one);
    let mut frame = Vec::new();
    encode_masked_message(Opcode::Text, MESSAGE.as_bytes(), [1, 2, 3, 4], &mut frame);
    let mut counts = Vec::new();
    for _ in 0..8 {
        let mut came = frame.repeat(messages);
        counts.push(allocations(|| {
            world.ask(0, &mut came);
            world.hub.end_turn(world.now);
        }));
        world.pass(1);
    }
    // The minimum excludes collections that grow once, and what the history keeps.
    counts.into_iter().min().unwrap_or(usize::MAX)
}

#[test]
fn delivery_allocates_nothing() {
    for messages in [1, 10] {
        let few = turn_of(10, messages);
        for &members in crowds(&[100, 1_000], &[100, 1_000, 5_000]) {
            let many = turn_of(members, messages);
            let each = (many as f64 - few as f64) / ((members - 10) * messages) as f64;
            println!("{messages} messages to {members}: {many} allocations, {each} a delivery");
            assert_eq!(many, few, "{messages} messages to {members} members");
        }
        // Per message: its text, the channel's name and the proposal. Per commit: the result.
        assert!(few <= 3 * messages + 1, "{few} allocations");
    }
}

/// A client that echoes long messages in every turn keeps its buffers. The kernel clears new memory
/// before it is used, which costs more than the echo itself.
#[test]
fn echo_allocates_nothing() {
    for bytes in [64, 16 << 10, 60_000] {
        let mut world = World::new();
        let clients: Vec<_> = (0..64).map(|_| world.open("/echo")).collect();
        world.turn();
        let mut frame = Vec::new();
        encode_masked_message(Opcode::Binary, &vec![7; bytes], [1, 2, 3, 4], &mut frame);
        let mut buffer = frame.clone();
        let mut round = |world: &mut World| {
            for id in &clients {
                buffer.copy_from_slice(&frame);
                world.receive(*id, &mut buffer);
            }
            world.turn();
        };
        round(&mut world);
        let count = allocations(|| (0..10).for_each(|_| round(&mut world)));
        assert_eq!(count, 0, "640 messages of {bytes} bytes");
    }
}

/// Returns the memory of one of `members` members in bytes, including its share of the hub's.
fn bytes_of_a_member(members: usize, channel: impl Fn(usize) -> String) -> usize {
    let mut world = World::new();
    world.members.reserve_exact(members);
    let before = LIVE.get();
    world.enter(members, channel);
    LIVE.get().wrapping_sub(before) / members
}

#[test]
fn silent_member_takes_at_most_620_bytes() {
    for &members in crowds(&[3_000], &[10_000, 50_000]) {
        let bytes = bytes_of_a_member(members, in_one);
        println!("{members} members: {bytes} bytes each");
        assert!(bytes <= 620, "{bytes} bytes for each of {members} members");
    }
}

#[test]
fn memory_of_a_burst_is_freed() {
    let mut world = World::new();
    world.enter(100, in_one);
    let mut burst = |crowd: usize| {
        world.enter(crowd, |number| format!("c{}", number % 700));
        world.leave(100);
        world.pass(120_000);
        world.rest();
        LIVE.get()
    };
    // The buffers of a turn keep a normal capacity after it, but not that of a larger turn.
    let before = burst(1_000);
    for &crowd in crowds(&[2_000], &[2_000, 5_000]) {
        let kept = burst(crowd).saturating_sub(before);
        println!("{kept} bytes are kept of a burst of {crowd}");
        assert!(kept < 16 << 10, "{kept} bytes of a burst of {crowd}");
    }
}
