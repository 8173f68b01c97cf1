//! Random commands of several clients, compared with a simple model of a client, for many seeds.
//!
//! A client that applies the events it receives knows what `who` and `channels` would answer. It
//! receives the messages of each channel in order, each once, and the same as all other clients.

use crate::harness::{Tab, World, hello_again, list, names, number, text};
use parlor::chat::Departure;
use parlor::limits::Limits;
use parlor::testing::Random;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const WINDOW_MS: u64 = 700;
const SEEDS: u64 = 100;

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
                let channels = list(&event["channels"]).iter();
                self.channels = channels.map(|channel| text(&channel["name"])).collect();
            }
            "presence" => {
                for online in [&mut self.online, &mut self.online_loosely] {
                    apply(online, &event["left"], &event["joined"]);
                    assert_eq!(event["online"], online.len());
                }
            }
            "channels_changed" => apply(&mut self.channels, &event["gone"], &event["created"]),
            "renamed" => {
                let (from, to) = (text(&event["from"]), text(&event["to"]));
                let members = self.joined.values_mut().map(|(members, _)| members);
                for list in members.chain([&mut self.online]) {
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
                for message in history {
                    all.check(&message["channel"], message);
                }
                let members = set(&event["members"]);
                assert_eq!(event["count"], members.len());
                if let Some((_, known)) = self.joined.insert(channel, (members, seq)) {
                    assert_eq!(known, seq, "joining again shows nothing new");
                }
            }
            "left" => assert!(self.joined.remove(&text(&event["channel"])).is_some()),
            "members" => {
                let joined = self.joined.get_mut(&text(&event["channel"]));
                let (members, _) = joined.expect("members only of joined channels");
                apply(members, &event["left"], &event["joined"]);
            }
            "message" => {
                let joined = self.joined.get_mut(&text(&event["channel"]));
                let (_, seq) = joined.expect("messages only of joined channels");
                *seq += 1;
                assert_eq!(event["seq"], *seq, "each message once, in order");
                all.check(&event["channel"], event);
            }
            "direct" => all.check(&event["conversation"], event),
            "ack" | "users" | "channels" | "history" | "typing" => {}
            "error" => assert_ne!(event["code"], "storage_failed"),
            other => panic!("unknown event {other}"),
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
        Self {
            world: World::with(limits),
            random: Random::new(seed),
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
            let events = self.world.take(*tab).into_iter();
            events.for_each(|event| model.receive(&event, &mut self.messages));
            if !model.session.is_empty() && !self.sessions.contains(&model.session) {
                self.sessions.push(model.session.clone());
            }
        }
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
            leaves => {
                self.models.remove(&tab);
                let departure = [Departure::Lost, Departure::Quit][leaves - 18];
                return self.world.disconnect_in_turn(tab, departure);
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
        let session = self.random.below(2 * self.sessions.len());
        let session = self.sessions.get(session).map_or("", String::as_str);
        self.world.say(tab, &hello_again(name, session));
        if self.world.is_welcome(tab) {
            self.models.insert(tab, Model::default());
        } else {
            self.world.disconnect_in_turn(tab, Departure::Lost);
        }
    }

    /// Checks that every client knows the whole state after all windows have ended.
    fn check(&mut self) {
        self.world.wait(WINDOW_MS + 2_500);
        // What remains is the timer for the rows of silent users.
        let next = self.world.chat.next_deadline();
        let hour = Duration::from_secs(3_600);
        assert!(next.is_none_or(|at| at.since(self.world.now.mono) > hour));
        for (tab, model) in &mut self.models {
            let events = self.world.take(*tab).into_iter();
            events.for_each(|event| model.receive(&event, &mut self.messages));
            let who = self.world.ask_ok(*tab, "/who");
            assert_eq!(set(&who["users"]), model.online);
            assert_eq!(set(&who["users"]), model.online_loosely);
            assert_eq!(who["count"], model.online.len());
            let channels = self.world.ask_ok(*tab, "/channels");
            let listed = list(&channels["channels"]).iter();
            let listed: Names = listed.map(|channel| text(&channel["name"])).collect();
            assert_eq!(listed, model.channels);
            assert!(listed.len() <= 4);
            for (channel, (members, seq)) in &model.joined {
                let who = self.world.ask_ok(*tab, &format!("/who {channel}"));
                assert_eq!(&set(&who["users"]), members, "members of {channel}");
                assert_eq!(who["count"], members.len());
                let mut rows = list(&channels["channels"]).iter();
                let row = rows.find(|row| row["name"] == *channel).expect(channel);
                assert_eq!(row["seq"], *seq);
                assert_eq!(row["members"], members.len());
            }
            self.world.take(*tab);
        }
        let models = self.models.values();
        let online = models.clone().flat_map(|model| &model.online);
        let online = online.collect::<BTreeSet<_>>().len();
        assert_eq!(self.world.chat.online(), online);
        let channels = self.world.chat.channels();
        assert!(
            models
                .into_iter()
                .all(|model| model.channels.len() == channels)
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
        said += played.unwrap_or_else(|_| panic!("seed {seed} failed"));
    }
    assert!(said > 20 * SEEDS as usize, "only {said} messages");
}
