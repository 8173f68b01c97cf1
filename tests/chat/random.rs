//! Random commands of several clients against a simple model of a client, for many seeds.
//!
//! A client that applies the events it receives knows what `who` and `channels` would answer. It
//! receives each channel's messages in order, each once, and the same as everyone else.

use crate::harness::{Tab, World, list, names, number, text};
use parlor::limits::Limits;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const WINDOW_MS: u64 = 700;
const SEEDS: u64 = 100;

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const NAMES: &[&str] = &["ada", "Ada", "ben", "cleo", "dan", "eve", "fay", "gil"];
const CHANNELS: &[&str] = &["general", "tea", "chess", "rust", "music", "RUST"];

type Names = BTreeSet<String>;

/// What a client knows.
#[derive(Default)]
struct Model {
    session: String,
    /// The users online, where `renamed` only replaces a known name.
    online: Names,
    /// The same, where `renamed` adds the new name in any case.
    online_loosely: Names,
    channels: Names,
    joined: BTreeMap<String, (Names, u64)>,
}

/// All messages, by place and number.
#[derive(Default)]
struct Messages(BTreeMap<(String, u64), String>);

impl Messages {
    fn check(&mut self, place: &Value, message: &Value) {
        let key = (text(place), number(&message["seq"]));
        let said = text(&message["text"]);
        let known = self.0.entry(key.clone()).or_insert_with(|| said.clone());
        assert_eq!(*known, said, "two messages have the number {key:?}");
    }
}

fn set(value: &Value) -> Names {
    let found: Names = names(value).into_iter().map(str::to_owned).collect();
    assert_eq!(found.len(), list(value).len(), "{value} has a name twice");
    found
}

fn apply(known: &mut Names, left: &Value, joined: &Value) {
    let (left, joined) = (set(left), set(joined));
    assert!(
        left.is_disjoint(&joined),
        "{left:?} left and {joined:?} joined at once"
    );
    known.retain(|name| !left.contains(name));
    known.extend(joined);
}

impl Model {
    fn receive(&mut self, event: &Value, all: &mut Messages) {
        match text(&event["type"]).as_str() {
            "welcome" => {
                self.session = text(&event["session"]);
                self.online = set(&event["users"]);
                self.online_loosely = self.online.clone();
                self.channels = list(&event["channels"])
                    .iter()
                    .map(|channel| text(&channel["name"]))
                    .collect();
            }
            "presence" => {
                apply(&mut self.online, &event["left"], &event["joined"]);
                apply(&mut self.online_loosely, &event["left"], &event["joined"]);
                assert_eq!(event["online"], self.online.len());
                assert_eq!(event["online"], self.online_loosely.len());
            }
            "channels_changed" => apply(&mut self.channels, &event["gone"], &event["created"]),
            "renamed" => {
                let (from, to) = (text(&event["from"]), text(&event["to"]));
                let lists = self
                    .joined
                    .values_mut()
                    .map(|(members, _)| members)
                    .chain([&mut self.online]);
                for list in lists {
                    if list.remove(&from) {
                        list.insert(to.clone());
                    }
                }
                self.online_loosely.remove(&from);
                self.online_loosely.insert(to);
            }
            "joined" => {
                let (channel, seq) = (text(&event["channel"]), number(&event["seq"]));
                let history = list(&event["history"]);
                assert_eq!(history.last().map_or(0, |last| number(&last["seq"])), seq);
                history
                    .iter()
                    .for_each(|message| all.check(&message["channel"], message));
                let members = set(&event["members"]);
                assert_eq!(event["count"], members.len());
                if let Some((_, known)) = self.joined.insert(channel, (members, seq)) {
                    assert_eq!(known, seq, "joining again shows nothing new");
                }
            }
            "left" => assert!(self.joined.remove(&text(&event["channel"])).is_some()),
            "members" => {
                let (members, _) = self
                    .joined
                    .get_mut(&text(&event["channel"]))
                    .expect("members only of joined channels");
                apply(members, &event["left"], &event["joined"]);
            }
            "message" => {
                let (_, seq) = self
                    .joined
                    .get_mut(&text(&event["channel"]))
                    .expect("messages only of joined channels");
                *seq += 1;
                assert_eq!(event["seq"], *seq, "each message once, in order");
                all.check(&event["channel"], event);
            }
            "direct" => all.check(&event["conversation"], event),
            "ack" | "users" | "channels" | "history" | "typing" => {}
            "error" => assert_ne!(event["code"], "storage_failed"),
            other => panic!("{other} is no event"),
        }
    }
}

struct Game {
    world: World,
    random: Random,
    models: BTreeMap<Tab, Model>,
    messages: Messages,
    sessions: Vec<String>,
    said: u64,
}

impl Game {
    fn new(seed: u64) -> Self {
        let limits = Limits {
            rate: 0,
            channels: 4,
            resume_window: Duration::from_millis(WINDOW_MS),
            ..Limits::DEFAULT
        };
        let (world, random) = (
            World::with(limits),
            Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        );
        Self {
            world,
            random,
            models: BTreeMap::new(),
            messages: Messages::default(),
            sessions: Vec::new(),
            said: 0,
        }
    }

    fn turn(&mut self) {
        let ms = [0, 1, 20, 125, 250, 400][self.random.below(6)];
        self.world.topic_order = self.random.below(2) == 0;
        self.world.begin_turn(ms);
        let mut proposed = BTreeSet::new();
        for _ in 0..self.random.below(5) {
            self.step(&mut proposed);
        }
        self.world.commit();
        for (tab, model) in &mut self.models {
            self.world
                .take(*tab)
                .iter()
                .for_each(|event| model.receive(event, &mut self.messages));
        }
        self.sessions.extend(
            self.models
                .values()
                .map(|model| model.session.clone())
                .filter(|session| !session.is_empty()),
        );
        self.sessions.sort();
        self.sessions.dedup();
    }

    fn step(&mut self, proposed: &mut BTreeSet<Tab>) {
        let tabs: Vec<_> = self.models.keys().copied().collect();
        if tabs.is_empty() || (tabs.len() < 8 && self.random.below(6) == 0) {
            return self.come();
        }
        let tab = tabs[self.random.below(tabs.len())];
        let channel = self.random.pick(CHANNELS);
        let id = self.random.below(1_000);
        self.said += 1;
        let n = self.said;
        let command = match self.random.below(20) {
            0..6 => format!(r#"{{"type":"message","channel":"{channel}","text":"{n}","id":{id}}}"#),
            6 => format!(
                r#"{{"type":"message","channel":"{channel}","text":"{n}","nonce":"{}"}}"#,
                id % 50
            ),
            7 => format!(
                r#"{{"type":"direct","to":"{}","text":"{n}","id":{id}}}"#,
                self.random.pick(NAMES)
            ),
            8 => format!(r#"{{"type":"typing","channel":"{channel}"}}"#),
            _ if proposed.contains(&tab) => return,
            9..13 => format!(r#"{{"type":"join","channel":"{channel}"}}"#),
            13 | 14 => format!(r#"{{"type":"leave","channel":"{channel}"}}"#),
            15 | 16 => format!(
                r#"{{"type":"rename","name":"{}"}}"#,
                self.random.pick(NAMES)
            ),
            17 => ["/who", "/channels", "/history", "/who general"][id % 4].to_owned(),
            18 => {
                self.models.remove(&tab);
                return self
                    .world
                    .disconnect_in_turn(tab, parlor::chat::Departure::Lost);
            }
            _ => {
                self.models.remove(&tab);
                return self
                    .world
                    .disconnect_in_turn(tab, parlor::chat::Departure::Quit);
            }
        };
        self.world.say(tab, &command);
        if self.world.outcome.proposed {
            proposed.insert(tab);
        }
    }

    fn come(&mut self) {
        let tab = self.world.connect();
        let name = self.random.pick(NAMES);
        let session = match self.sessions.len() {
            0 => String::new(),
            known => match self.random.below(2) {
                0 => format!(
                    r#","session":"{}""#,
                    self.sessions[self.random.below(known)]
                ),
                _ => String::new(),
            },
        };
        self.world.say(
            tab,
            &format!(r#"{{"type":"hello","name":"{name}"{session}}}"#),
        );
        if self.world.is_welcome(tab) {
            self.models.insert(tab, Model::default());
        } else {
            self.world
                .disconnect_in_turn(tab, parlor::chat::Departure::Lost);
        }
    }

    /// When all windows have ended, every client knows everything.
    fn check(&mut self) {
        self.world.wait(WINDOW_MS + 2_500);
        // What remains is the timer for the rows of silent users.
        let next = self.world.chat.next_deadline();
        assert!(
            next.is_none_or(
                |at| at.since(self.world.now.mono) > std::time::Duration::from_secs(3_600)
            ),
            "{next:?}"
        );
        for (tab, model) in &mut self.models {
            self.world
                .take(*tab)
                .iter()
                .for_each(|event| model.receive(event, &mut self.messages));
            let who = self.world.ask_ok(*tab, "/who");
            assert_eq!(set(&who["users"]), model.online);
            assert_eq!(set(&who["users"]), model.online_loosely);
            assert_eq!(who["count"], model.online.len());
            let channels = self.world.ask_ok(*tab, "/channels");
            let listed: Names = list(&channels["channels"])
                .iter()
                .map(|channel| text(&channel["name"]))
                .collect();
            assert_eq!(listed, model.channels);
            assert!(listed.len() <= 4);
            for (channel, (members, seq)) in &model.joined {
                let who = self.world.ask_ok(*tab, &format!("/who {channel}"));
                assert_eq!(&set(&who["users"]), members, "members of {channel}");
                assert_eq!(who["count"], members.len());
                let row = list(&channels["channels"])
                    .iter()
                    .find(|row| row["name"] == *channel)
                    .expect("a listed channel");
                assert_eq!(row["seq"], *seq);
                assert_eq!(row["members"], members.len());
            }
            self.world.take(*tab);
        }
        let online: Names = self
            .models
            .values()
            .flat_map(|model| model.online.iter().cloned())
            .collect();
        assert_eq!(self.world.chat.online(), online.len());
        assert_eq!(
            self.world.chat.channels(),
            self.models
                .values()
                .next()
                .map_or(self.world.chat.channels(), |model| model.channels.len())
        );
    }
}

#[test]
fn clients_that_apply_events_know_the_state() {
    let mut said = 0;
    for seed in 1..=SEEDS {
        let played = std::panic::catch_unwind(|| {
            let mut game = Game::new(seed);
            for _ in 0..6 {
                (0..40).for_each(|_| game.turn());
                game.check();
            }
            game.messages.0.len()
        });
        match played {
            Ok(messages) => said += messages,
            Err(_) => panic!("seed {seed} failed"),
        }
    }
    assert!(said > 20 * SEEDS as usize, "only {said} messages");
}
