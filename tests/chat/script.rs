//! Plays a conversation that is written as text. Each line has a client, or several with commas
//! between them, and what it does:
//!
//! * `Ada enters tea chess`: connects, says hello and joins channels, and discards what comes.
//! * `Tab of Ada`: connects with the token of Ada's session, which is `$Ada` in texts.
//! * `Ada > TEXT`: sends a request in a turn of its own, which has no error as an answer;
//!   `Ada + TEXT`: sends it without ending the turn. A new client is connected first.
//! * `Ada ! CODE TEXT`: sends a request that is answered by this error alone.
//! * `Ada < EVENT`: received an event of this type, and the first one has these fields;
//!   `Ada = EVENT`: has these fields and no others. `Ada types A B`: received these, in order.
//! * `Ada quiet`: received nothing else. `Ada drops`, `Ada quits`: loses or closes the connection.
//! * `wait MS`, `commit`, `skip`: lets time pass, ends the turn, discards what was received.
//! * `cost 5`, `online 2`, `kept 2`, `channels 2`: compares a number.
//!
//! A line that begins with a space continues the one before it.

use crate::harness::{START, Tab, World, hello_again};
use parlor::limits::Limits;
use serde_json::Value;
use std::collections::BTreeMap;

/// A world whose clients have names.
pub(crate) struct Script {
    pub(crate) world: World,
    tabs: BTreeMap<String, Tab>,
    /// The tokens in `welcome`, by the client's name.
    sessions: BTreeMap<String, String>,
}

/// Makes a test of each conversation, which is played with the default limits except these.
macro_rules! conversations {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident($($limit:ident = $value:expr)?) $script:literal
    )*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            let limits = parlor::testing::limits(|_it| { $(_it.$limit = $value;)? });
            crate::script::play_with(limits, $script);
        }
    )*};
}

/// Plays a script with the default limits.
pub(crate) fn play(script: &str) -> Script {
    play_with(Limits::DEFAULT, script)
}

/// Plays a script, and returns the world after it.
pub(crate) fn play_with(limits: Limits, script: &str) -> Script {
    let mut played = Script::new(World::with(limits));
    played.play(script);
    played
}

impl Script {
    pub(crate) fn new(world: World) -> Self {
        let (tabs, sessions) = (BTreeMap::new(), BTreeMap::new());
        Self {
            world,
            tabs,
            sessions,
        }
    }

    /// Plays more lines of a script.
    pub(crate) fn play(&mut self, script: &str) {
        for line in script.trim().replace("\n ", " ").lines() {
            let (names, action) = line.split_once(' ').unwrap_or((line, ""));
            let chat = &self.world.chat;
            let found = match names {
                "cost" => self.world.outcome.cost as usize,
                "online" => chat.online(),
                "kept" => chat.users_kept(),
                "channels" => chat.channels(),
                "wait" => {
                    self.world.wait(action.parse().expect(line));
                    continue;
                }
                "commit" => {
                    self.world.commit();
                    continue;
                }
                "skip" => {
                    let tabs = self.tabs.values();
                    tabs.for_each(|tab| drop(self.world.take(*tab)));
                    continue;
                }
                _ => {
                    names.split(',').for_each(|name| self.act(name, action));
                    continue;
                }
            };
            assert_eq!(found.to_string(), action, "{line}");
        }
    }

    /// Returns the connection of a client, which is made if it is new.
    pub(crate) fn tab(&mut self, name: &str) -> Tab {
        let connect = || self.world.connect();
        *self.tabs.entry(name.to_owned()).or_insert_with(connect)
    }

    /// Returns the token of a client that entered.
    pub(crate) fn session(&self, name: &str) -> &str {
        &self.sessions[name]
    }

    fn act(&mut self, name: &str, action: &str) {
        let (word, rest) = action.split_once(' ').unwrap_or((action, ""));
        if word == "enters" {
            let channels: Vec<_> = rest.split_whitespace().collect();
            let (tab, session) = self.world.enter(name, &channels);
            self.tabs.insert(name.to_owned(), tab);
            self.sessions.insert(name.to_owned(), session);
            return;
        }
        let tab = self.tab(name);
        let mut rest = rest.replace("$START", &START.to_string());
        for (name, session) in &self.sessions {
            rest = rest.replace(&format!("${name}"), session);
        }
        let line = format!("{name} {word} {rest}");
        match word {
            "of" => {
                let hello = hello_again("anyone", &self.sessions[&rest]);
                self.world.ask_ok(tab, &hello);
            }
            ">" => _ = self.world.ask_ok(tab, &rest),
            "+" => self.world.say(tab, &rest),
            "!" => {
                let (code, request) = rest.split_once(' ').unwrap_or((&rest, ""));
                assert_eq!(self.world.error(tab, request), code, "{line}");
            }
            "<" | "=" => {
                let wanted: Value = serde_json::from_str(&rest).expect(&line);
                let event = self.world.take_first(tab, &wanted["type"]);
                let event = event.unwrap_or_else(|| panic!("nothing was received: {line}"));
                let same = event == wanted || word == "<" && includes(&event, &wanted);
                assert!(same, "{line}: {event}");
            }
            "types" => {
                let events = self.world.take(tab);
                let types = events.iter().filter_map(|event| event["type"].as_str());
                assert_eq!(types.collect::<Vec<_>>().join(" "), rest, "{line}");
            }
            "quiet" => assert_eq!(self.world.take(tab), [] as [Value; 0], "{line}"),
            "drops" | "quits" => {
                self.tabs.remove(name);
                self.world.disconnect(tab, word == "quits");
            }
            _ => panic!("unknown line: {line}"),
        }
    }
}

/// Whether the event has the expected fields, and its lists as many expected entries.
fn includes(event: &Value, wanted: &Value) -> bool {
    match (event, wanted) {
        (Value::Object(event), Value::Object(wanted)) => {
            let null = Value::Null;
            let mut fields = wanted.iter();
            fields.all(|(key, wanted)| includes(event.get(key).unwrap_or(&null), wanted))
        }
        (Value::Array(event), Value::Array(wanted)) => {
            let mut pairs = event.iter().zip(wanted);
            event.len() == wanted.len() && pairs.all(|(event, wanted)| includes(event, wanted))
        }
        _ => event == wanted,
    }
}
