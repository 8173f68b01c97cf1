//! The same chat under a hundred seeds: bytes come in any pieces, sockets take any part of a write,
//! connections are reset
//! in the middle of everything. In the end everyone has every message, once, in order.

use crate::network::*;
use parlor::limits::Limits;
use std::collections::BTreeSet;
use std::time::Duration;

/// Somebody who comes back as often as the connection is lost, and asks for what was missed.
struct Member {
    client: Client,
    token: String,
    /// Bytes on their way to the server.
    outgoing: Vec<u8>,
    /// The texts that are not acknowledged yet, by nonce.
    pending: Vec<usize>,
    seen: Vec<(u64, String)>,
    joined: bool,
}

impl Member {
    fn newest(&self) -> u64 {
        self.seen.last().map_or(0, |(seq, _)| *seq)
    }

    fn ask(&mut self, text: &str) {
        self.outgoing
            .extend(masked(parlor::websocket::Opcode::Text, text.as_bytes()));
    }

    fn message(&mut self, n: usize) {
        self.ask(&format!(
            r#"{{"type":"message","channel":"general","text":"text {n}","nonce":"{n}","id":{n}}}"#
        ));
    }

    fn begin(&mut self, world: &mut World, name: &str) {
        self.client = world.connect();
        self.joined = false;
        self.outgoing = handshake("/chat").into_bytes();
        self.ask(&format!(
            r#"{{"type":"hello","name":"{name}","session":"{}"}}"#,
            self.token
        ));
        self.ask(&format!(
            r#"{{"type":"join","channel":"general","since":{}}}"#,
            self.newest()
        ));
        self.pending
            .clone()
            .into_iter()
            .for_each(|n| self.message(n));
    }

    fn take(&mut self) {
        for event in self.client.events() {
            match event["type"].as_str().unwrap() {
                "welcome" => self.token = event["session"].as_str().unwrap().to_owned(),
                "joined" => {
                    self.joined = true;
                    assert_eq!(event["more"], false);
                    event["history"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .for_each(|message| self.see(message));
                }
                "message" => self.see(&event),
                "ack" => self.pending.retain(|n| event["id"] != *n),
                "presence" | "members" => {}
                _ => panic!("{event}"),
            }
        }
    }

    fn see(&mut self, message: &serde_json::Value) {
        let seq = message["seq"].as_u64().unwrap();
        assert_eq!(
            seq,
            self.newest() + 1,
            "each message once, in order, without a gap"
        );
        self.seen
            .push((seq, message["text"].as_str().unwrap().to_owned()));
    }
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let limits = Limits {
        rate: 0,
        resume_window: Duration::from_secs(3_600),
        connections_per_ip: 0,
        ..Limits::DEFAULT
    };
    let mut world = World::new(limits);
    let mut members: Vec<Member> = (0..3)
        .map(|n| {
            let client = world.connect();
            let mut member = Member {
                client,
                token: String::new(),
                outgoing: Vec::new(),
                pending: Vec::new(),
                seen: Vec::new(),
                joined: false,
            };
            member.begin(&mut world, &format!("m{n}"));
            member
        })
        .collect();
    let mut said = 0;
    for step in 0..400 {
        let calm = step > 300;
        let who = random.below(members.len());
        let member = &mut members[who];
        match random.below(100) {
            0..30 if !calm => {
                said += 1;
                member.pending.push(said);
                member.message(said);
            }
            30..34 if !calm && member.joined => {
                member.take();
                member.client.reset(&mut world);
                world.hub.end_turn(world.now);
                member.begin(&mut world, &format!("m{who}"));
            }
            34..60 => {
                let room = if calm { usize::MAX } else { random.below(200) };
                member.client.wire.borrow_mut().write_most = if calm {
                    usize::MAX
                } else {
                    random.below(50) + 1
                };
                member.client.make_room(&mut world, room);
            }
            _ => {
                let some = if calm {
                    member.outgoing.len()
                } else {
                    random.below(member.outgoing.len() + 1)
                };
                let bytes: Vec<u8> = member.outgoing.drain(..some).collect();
                if !bytes.is_empty() {
                    member.client.send(&mut world, &bytes);
                }
            }
        }
        world.pass(random.below(20) as u64);
        world.hub.end_turn(world.now);
        world.hub.take_resumed().for_each(drop);
        members.iter_mut().for_each(Member::take);
    }
    for member in &mut members {
        member.client.wire.borrow_mut().write_most = usize::MAX;
        member.client.make_room(&mut world, usize::MAX);
        let bytes: Vec<u8> = member.outgoing.drain(..).collect();
        member.client.send(&mut world, &bytes);
    }
    world.turn();
    for _ in 0..3 {
        for member in &mut members {
            member.client.make_room(&mut world, usize::MAX);
            member.take();
        }
        world.turn();
    }
    let all: BTreeSet<String> = (1..=said).map(|n| format!("text {n}")).collect();
    for member in &mut members {
        member.take();
        assert!(member.pending.is_empty(), "everything was acknowledged");
        assert_eq!(member.seen.len(), said);
        assert_eq!(
            member
                .seen
                .iter()
                .map(|(_, text)| text.clone())
                .collect::<BTreeSet<_>>(),
            all
        );
    }
    assert!(
        members.windows(2).all(|two| two[0].seen == two[1].seen),
        "one order for all"
    );
}

#[test]
fn a_hundred_seeds_of_splits_short_writes_and_resets() {
    for seed in 0..100 {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "seed {seed} failed: see above");
    }
}
