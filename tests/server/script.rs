//! Plays a conversation that is written as text. Each line has a client and what it does:
//!
//! * `Ada hello`: opens `/chat` and sends `hello`; `Tab of Ada`: opens a second tab of a session.
//! * `Ada > TEXT`: sends a text message, by `/chat` without `hello` if the client is new.
//! * `Ada < EVENT`: takes the next event of this type, which has these fields; `Ada = EVENT`: which
//!   has these fields and no others.
//! * `Ada quiet`: no other event came; `Ada closed 1000`: is closed.
//!
//! A line that begins with a space continues the one before it. A word with `$` is a variable: an
//! event sets it, and compares it from then on.

use std::collections::HashMap;

use serde_json::Value;

use crate::harness::{GATHERED, Person, Server};

type Variables = HashMap<String, Value>;

/// Plays a script on a server with these options, and returns the server.
pub(crate) fn play(options: &str, script: &str) -> Server {
    let server = Server::with(options);
    let (mut people, mut variables) = (HashMap::new(), Variables::new());
    for line in script.trim().replace("\n ", " ").lines() {
        let (name, action) = line.split_once(' ').expect("a client and an action");
        let (word, rest) = action.split_once(' ').unwrap_or((action, ""));
        if word == "hello" {
            people.insert(name, server.enter(name));
        } else if word == "of" {
            let tab = people[rest].tab(&server);
            people.insert(name, tab);
        }
        let person = people.entry(name).or_insert_with(|| Person::guest(&server));
        match word {
            "hello" | "of" => {}
            ">" => {
                let set = |text: String, (name, value): (&String, &Value)| {
                    text.replace(&format!("\"{name}\""), &value.to_string())
                };
                person.line(&variables.iter().fold(rest.to_owned(), set));
            }
            "<" | "=" => {
                let wanted: Value = serde_json::from_str(rest).expect(line);
                if GATHERED.contains(&wanted["type"].as_str().expect(line)) {
                    person.take_where(line, |event| includes(event, &wanted));
                    continue;
                }
                let event = person.take_where(line, |event| event["type"] == wanted["type"]);
                assert!(matches(&wanted, &event, &mut variables), "{line}: {event}");
                let count = |value: &Value| value.as_object().map(serde_json::Map::len);
                let same = word == "<" || count(&wanted) == count(&event);
                assert!(same, "{line}: {event}");
            }
            "quiet" => person.assert_quiet(line),
            "closed" => {
                let code = person.wire.skip_to_close(line).map(|code| code.to_string());
                assert_eq!(code.as_deref(), Some(rest), "{line}");
            }
            _ => panic!("what is {line}?"),
        }
    }
    server
}

/// Whether gathered changes include the wanted ones.
fn includes(event: &Value, wanted: &Value) -> bool {
    let mut fields = wanted.as_object().unwrap().iter();
    fields.all(|(key, wanted)| match (wanted, &event[key]) {
        (Value::Array(names), Value::Array(got)) => names.iter().all(|name| got.contains(name)),
        (wanted, got) => wanted == got,
    })
}

/// Whether the event has the wanted fields. Sets the variables that have no value yet.
fn matches(wanted: &Value, event: &Value, variables: &mut Variables) -> bool {
    match (wanted, event) {
        (Value::String(name), _) if name.starts_with('$') => {
            let value = variables.entry(name.clone());
            value.or_insert_with(|| event.clone()) == event
        }
        (Value::Object(wanted), Value::Object(event)) => wanted
            .iter()
            .all(|(key, value)| matches(value, event.get(key).unwrap_or(&Value::Null), variables)),
        (Value::Array(wanted), Value::Array(event)) => {
            let mut pairs = wanted.iter().zip(event);
            wanted.len() == event.len() && pairs.all(|(a, b)| matches(a, b, variables))
        }
        _ => wanted == event,
    }
}
