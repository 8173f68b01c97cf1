//! What is allocated, and what is kept: counted, on a hub whose sockets swallow everything.
//!
//! * A delivery costs no allocation and no copy: a turn allocates as much for ten members as for a thousand.
//! * An echo costs none at all.
//! * A member that says nothing takes at most 500 bytes.
//! * What grew in a burst does not stay grown.
#![allow(unsafe_code)] // A global allocator can't be written without.

use parlor::history::{Author, Memory};
use parlor::http::pages::BuiltIn;
use parlor::hub::{ConnectionId, Ended, Hub, Origins, Setup, Socket};
use parlor::limits::Limits;
use parlor::time::{Millis, Now, UnixMillis};
use parlor::websocket::{Opcode, encode_masked_message};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::time::Duration;

/// Counts for each thread: tests run side by side.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static COPIED: Cell<usize> = const { Cell::new(0) };
}

/// What the C library takes for a block: a header of eight bytes, in steps of sixteen (glibc; others take no less).
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
        let _ = LIVE.try_with(|live| live.set(live.get().wrapping_add(taken(size)).wrapping_sub(taken(layout.size()))));
        // SAFETY: as the caller's.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// As large as a real one, and takes everything.
struct Swallows([u64; 2]);

impl Socket for Swallows {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0[0] = self.0[0].wrapping_add(1);
        Ok(pieces.iter().map(|piece| piece.len()).sum())
    }

    fn shutdown_write(&mut self) {}
}

struct World {
    hub: Hub<Swallows>,
    now: Now,
    members: Vec<ConnectionId>,
}

const HEAD: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

impl World {
    fn new() -> Self {
        let limits = Limits {
            rate: 0,
            connections: 1 << 20,
            connections_per_ip: 0,
            channels: 1 << 20,
            resume_window: Duration::ZERO,
            ..Limits::DEFAULT
        };
        let mut token = 0_u128;
        let tokens = Box::new(move || {
            token += 1;
            token.to_be_bytes()
        });
        let now = Now { mono: Millis(1_000), unix: UnixMillis(1_700_000_000_000) };
        let hub = Hub::new(Setup {
            limits,
            origins: Origins::SameHost,
            trusted_proxies: Vec::new(),
            pages: Box::new(BuiltIn::new()),
            history: Box::new(Memory::new("epoch".into(), Author(0))),
            tokens,
            now,
        });
        Self { hub, now, members: Vec::new() }
    }

    /// One that shook hands.
    fn open(&mut self, path: &str) -> ConnectionId {
        let peer = std::net::SocketAddr::from(([10, 0, 0, 1], 1));
        let id = self.hub.accepted(Swallows([0; 2]), peer, self.now).expect("there is room");
        self.hub.received(id, &mut HEAD.replace("/chat", path).into_bytes(), self.now);
        id
    }

    /// So many more come in, a hundred in a turn, each into a channel.
    fn enter(&mut self, count: usize, channel: impl Fn(usize) -> String) {
        let first = self.members.len();
        for number in first..first + count {
            let id = self.open("/chat");
            self.members.push(id);
            self.ask(number, &format!(r#"{{"type":"hello","name":"member{number:05}"}}"#));
            self.ask(number, &format!(r#"{{"type":"join","channel":"{}"}}"#, channel(number)));
            if number % 100 == 99 {
                self.turn();
                self.pass(20);
            }
        }
        self.rest();
    }

    /// All but the first so many go.
    fn leave(&mut self, stay: usize) {
        for id in self.members.split_off(stay) {
            self.hub.ended(id, Ended::Failed, self.now);
        }
        self.members.shrink_to_fit();
        self.rest();
    }

    fn ask(&mut self, member: usize, text: &str) {
        let mut frame = Vec::new();
        encode_masked_message(Opcode::Text, text.as_bytes(), [1, 2, 3, 4], &mut frame);
        self.hub.received(self.members[member], &mut frame, self.now);
    }

    fn turn(&mut self) {
        self.hub.end_turn(self.now);
        while self.hub.has_work() {
            self.hub.take_resumed().for_each(drop);
            self.hub.end_turn(self.now);
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now.mono.0 += millis;
        self.now.unix.0 += millis;
    }

    /// What was gathered is told.
    fn rest(&mut self) {
        for _ in 0..4 {
            self.turn();
            self.pass(300);
        }
    }
}

/// Allocations that `work` makes.
fn allocations(work: impl FnOnce()) -> usize {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

fn in_one(_: usize) -> String {
    "general".to_owned()
}

const MESSAGE: &str = r#"{"type":"message","channel":"general","text":"what is said to everybody"}"#;

/// Allocations of a turn in which so much is said to so many, from the bytes that came to those that go.
fn turn_of(members: usize, messages: usize) -> usize {
    let mut world = World::new();
    world.enter(members, in_one);
    let mut frame = Vec::new();
    encode_masked_message(Opcode::Text, MESSAGE.as_bytes(), [1, 2, 3, 4], &mut frame);
    let mut counts = Vec::new();
    for _ in 0..8 {
        let mut came = frame.repeat(messages);
        counts.push(allocations(|| {
            world.hub.received(world.members[0], &mut came, world.now);
            world.hub.end_turn(world.now);
        }));
        world.pass(1);
    }
    // What grows for good has grown by then, and what the history keeps grows seldom.
    counts.into_iter().min().unwrap_or(usize::MAX)
}

#[test]
fn a_delivery_allocates_nothing() {
    for messages in [1, 10] {
        let few = turn_of(10, messages);
        for members in [100, 1_000, 5_000] {
            let many = turn_of(members, messages);
            let each = (many as f64 - few as f64) / ((members - 10) * messages) as f64;
            println!("{messages} messages to {members} members: {many} allocations in the turn, {each} for each further delivery");
            assert_eq!(many, few, "{messages} messages to {members} members");
        }
        // The text, the channel's name as it was said, the proposal; and for all together what the commit gives.
        assert!(few <= 3 * messages + 1, "{few} allocations for {messages} messages");
    }
}

/// Whoever echoes long messages in every turn has room for them in every turn: whatever is taken from the kernel anew must be
/// cleared by it first, which costs more than all that is done with it.
#[test]
fn an_echo_allocates_nothing() {
    for bytes in [64, 16 << 10, 60_000] {
        let mut world = World::new();
        let clients: Vec<_> = (0..64).map(|_| world.open("/echo")).collect();
        world.turn();
        let mut frame = Vec::new();
        encode_masked_message(Opcode::Binary, &vec![7; bytes], [1, 2, 3, 4], &mut frame);
        let mut buffer = frame.clone();
        let mut round = |world: &mut World| {
            for id in &clients {
                // As the driver does it.
                if world.hub.is_crowded() {
                    world.hub.end_turn(world.now);
                }
                buffer.copy_from_slice(&frame);
                world.hub.received(*id, &mut buffer, world.now);
            }
            world.turn();
        };
        round(&mut world);
        assert_eq!(allocations(|| (0..10).for_each(|_| round(&mut world))), 0, "640 messages of {bytes} bytes");
    }
}

/// Bytes that each of so many members takes, with all that the hub keeps for nobody in particular.
fn bytes_of_a_member(members: usize, channel: impl Fn(usize) -> String) -> usize {
    let mut world = World::new();
    world.members.reserve_exact(members);
    let before = LIVE.get();
    world.enter(members, channel);
    LIVE.get().wrapping_sub(before) / members
}

#[test]
fn a_member_that_says_nothing_takes_at_most_500_bytes() {
    // The larger crowd takes a minute where nothing is optimised: `cargo test --release --test allocations` has it.
    let crowds = if cfg!(debug_assertions) { &[10_000][..] } else { &[10_000, 50_000] };
    for &members in crowds {
        let bytes = bytes_of_a_member(members, in_one);
        println!("{members} members: {bytes} bytes each");
        assert!(bytes <= 500, "{bytes} bytes for each of {members} members");
    }
}

#[test]
fn what_grew_in_a_burst_does_not_stay_grown() {
    let mut world = World::new();
    world.enter(100, in_one);
    let mut burst = |crowd: usize| {
        world.enter(crowd, |number| format!("c{}", number % 700));
        world.leave(100);
        world.pass(120_000);
        world.rest();
        LIVE.get()
    };
    // The buffers of a turn have their room after it, and no more after a larger one.
    let before = burst(1_000);
    for crowd in [2_000, 5_000] {
        let kept = burst(crowd).saturating_sub(before);
        println!("{kept} bytes are kept of a burst of {crowd}");
        assert!(kept < 16 << 10, "{kept} bytes are kept of a burst of {crowd}");
    }
}
