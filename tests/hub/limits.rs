//! Limits on connections, commands and memory.

use crate::network::*;
use parlor::chat::Keys;
use parlor::http::Body;
use parlor::http::pages::{Page, Pages};
use parlor::hub::{Driven, Setup};
use parlor::limits::Limits;
use parlor::testing::{self, limits};
use parlor::websocket::Opcode;
use serde_json::Value;
use std::rc::Rc;

#[test]
fn flood_of_commands_is_refused_then_closed() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.enter("Ada");
    ada.take();
    for _ in 0..60 {
        ada.say(&mut world, r#"{"type":"channels","id":1}"#);
    }
    world.settle();
    let errors = ada.events_of("error");
    // `hello` and `join` used two of the burst of forty.
    assert_eq!(errors.len(), 60 - 38);
    let is_limited = |error: &Value| {
        let wait = error["retry_ms"].as_u64().unwrap();
        error["code"] == "rate_limited" && (1..=50).contains(&wait)
    };
    assert!(errors.iter().all(is_limited));
    for _ in 0..80 {
        ada.say(&mut world, r#"{"type":"channels","id":1}"#);
    }
    world.settle();
    assert_eq!(ada.closed(), Some(1008));
}

#[test]
fn flood_of_pings_counts_as_commands() {
    let mut world = World::new(Limits::DEFAULT);
    let mut ada = world.enter("Ada");
    ada.take();
    let pings = masked(Opcode::Ping, &[]).repeat(200);
    ada.settle(&mut world, &pings);
    let sent = ada.wire.borrow().sent.clone();
    let pongs = sent.windows(2).filter(|two| *two == [0x8A, 0]).count();
    // Ten are free, the others use up the remaining tokens.
    assert_eq!(pongs, 10 + 38);
    assert_eq!(ada.closed(), Some(1008));
}

fn small_buffers() -> Limits {
    limits(|it| (it.buffered_bytes, it.connections_per_ip) = (300_000, 0))
}

#[test]
fn largest_connections_are_closed_when_the_buffers_are_full() {
    let mut world = World::new(small_buffers());
    let mut clients: Vec<_> = (0..10).map(|_| world.open("/echo")).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        let message = masked(Opcode::Binary, &vec![0; 60_000]);
        client.settle(&mut world, &message[..20_000 + 4_000 * n]);
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.take();
        assert_eq!(client.close.is_some(), n >= 8, "{n}: {:?}", client.close);
    }
    assert!(world.buffered() <= 300_000);
}

/// A turn can receive much more than one connection's share.
#[test]
fn buffers_overfull_after_one_turn_fit_after_the_next() {
    let mut world = World::new(small_buffers());
    let mut clients: Vec<_> = (0..50).map(|_| world.open("/echo")).collect();
    for opcode in [Opcode::Binary, Opcode::Continuation, Opcode::Continuation] {
        for client in &mut clients {
            client.send(&mut world, &frame(false, opcode, &vec![0; 20_000]));
        }
        world.turn();
        world.turn();
        let held = world.buffered();
        assert!((150_000..=300_000).contains(&held), "{held}");
    }
}

#[test]
fn closed_connection_that_holds_a_half_frame_is_reset_first() {
    let mut world = World::new(small_buffers());
    let mut ada = world.enter("Ada");
    let (mut echo, mut idle) = (world.open("/echo"), world.connect());
    let mut slow: Vec<_> = (0..5).map(|_| world.open("/echo")).collect();
    for client in &mut slow {
        client.wire.borrow_mut().room = 100;
        client.send(&mut world, &masked(Opcode::Binary, &vec![0; 100_000]));
        world.settle();
    }
    assert!(world.buffered() <= 300_000);
    drop((ada.take(), echo.take(), idle.take()));
    assert_eq!((ada.close, echo.close), (None, None));
    assert!(!idle.wire.borrow().shut);
}

#[test]
fn failed_write_leaves_nothing_in_the_buffers_of_the_next_turn() {
    let mut world = World::new(Limits::DEFAULT);
    let [mut ada, slow] = world.enter_all(["Ada", "Slow"]);
    let mut echoes: Vec<_> = (0..10).map(|_| world.open("/echo")).collect();
    slow.wire.borrow_mut().room = 0;
    ada.say(&mut world, &message("becomes a backlog"));
    world.settle();
    // Its queue is written, and fails, in a turn in which it gets one more event.
    let mut bob = world.open("/chat");
    bob.say(&mut world, r#"{"type":"hello","name":"Bob"}"#);
    ada.say(&mut world, &message("is lost"));
    slow.wire.borrow_mut().broken = true;
    world.writable(slow.id());
    world.turn();
    // In the next turn all members get an event before the end of the connection is handled.
    world.jump(1_000);
    for (n, echo) in echoes.iter_mut().enumerate() {
        echo.say(&mut world, &format!("echo {n}"));
    }
    world.settle();
    for (n, echo) in echoes.iter_mut().enumerate() {
        // It gets no bytes of other connections.
        assert_eq!(echo.take(), [format!("echo {n}")]);
    }
}

/// A folder with one large file, held once.
struct Large(Rc<Vec<u8>>);

impl Pages for Large {
    fn page(&mut self, path: &str) -> Option<Page> {
        (path == "/big").then(|| Page {
            media_type: "application/octet-stream",
            etag: "\"1\"".to_owned(),
            bytes: Body::Shared(Rc::clone(&self.0)),
            is_immutable: false,
        })
    }
}

#[test]
fn file_that_many_ask_for_is_held_once_and_counts() {
    let world = World::new(Limits::DEFAULT);
    let setup = testing::setup(Limits::DEFAULT, world.now);
    let pages = Box::new(Large(Rc::new(vec![7; 16 << 20])));
    let mut world = World::of(Setup { pages, ..setup });
    let mut clients: Vec<_> = (0..100).map(|_| world.connect()).collect();
    for client in &mut clients {
        client.wire.borrow_mut().room = 0;
        client.send(&mut world, b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    world.turn();
    let has_written = |client: &&Client| client.wire.borrow().writes > 0;
    assert_eq!(clients.iter().filter(has_written).count(), 1, "in a turn");
    world.settle();
    assert!(clients.iter().all(|client| has_written(&client)));
    assert_eq!(world.buffered() >> 20, 16);
    clients.iter().for_each(|client| client.reset(&mut world));
    world.settle();
    assert_eq!((world.buffered(), world.hub.connections()), (0, 0));
}

#[test]
fn wrong_keys_count_for_the_address_that_the_proxy_names() {
    let setup = testing::setup(Limits::DEFAULT, Default::default());
    let proxy = parlor::hub::Network::parse("10.0.0.1");
    let mut world = World::of(Setup {
        keys: Keys::new(Some("key"), None),
        trusted_proxies: proxy.into_iter().collect(),
        ..setup
    });
    let mut enter = |name: &str, address: &str| {
        let mut client = world.connect();
        let with = format!("Host: localhost\r\nX-Forwarded-For: {address}\r\n");
        let head = handshake("/chat").replace("Host: localhost\r\n", &with);
        client.send(&mut world, head.as_bytes());
        client.say(&mut world, &format!("/nick {name}"));
        world.settle();
        client.take();
        client
    };
    let [mut ada, mut eve] =
        [("Ada", "192.0.2.7"), ("Eve", "192.0.2.8")].map(|(name, at)| enter(name, at));
    for n in 0..11 {
        world.pass(250);
        eve.say(&mut world, &format!("/own {n}"));
    }
    for client in [&mut ada, &mut eve] {
        client.say(&mut world, "/own key");
    }
    world.settle();
    let events = eve.events();
    let codes: Vec<_> = events.iter().filter_map(|it| it["code"].as_str()).collect();
    assert_eq!(codes[..10], ["bad_key"; 10]);
    assert_eq!(codes[10..], ["rate_limited"; 2]);
    assert!(ada.events().iter().any(|it| it["type"] == "owned"));
    assert_eq!(world.hub.metrics().wrong_keys, 10);
}
