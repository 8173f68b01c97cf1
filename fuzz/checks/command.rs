//! Text messages as commands, in JSON and as typed lines.
//!
//! Input: the text. Asserted:
//! - JSON: the error is `bad_json` if and only if the text is invalid JSON, or has a known key
//!   twice. Otherwise the id is returned, also with an error. A command is accepted if and only if
//!   a table of fields allows it, and an error has the code that the table gives;
//! - lines: there is no id, and the error is never `bad_json`;
//! - an accepted command is the same command after it is written as JSON and parsed again. The same
//!   holds for a typed line, if the command can be typed.

use parlor::chat::command::{
    Command, Draft, Hello, Query, Request, RequestId, SearchQuery, Target,
};
use parlor::chat::error::CommandError;
use parlor::history::{Kind, Writing};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};

/// Each type with its fields and their kinds: `s` is a string, `t` a text, `n` a number, `b` a
/// boolean, `x` a nonce, `l` the limit of `history`, `r` the limit of `search`, `m` minutes, `w`
/// who may write, `e` an emoji. `!` marks a required field. Of two fields joined by `|` exactly one
/// is required. Of two joined by `^` (numbers) or `?` (strings) at most one is allowed.
const TABLE: [(&str, &str); 22] = [
    ("hello", "name:s! session:s password:s key:s"),
    ("rename", "name:s!"),
    ("join", "channel:s! since:n"),
    ("leave", "channel:s!"),
    ("message", "channel:s! text:t! action:b nonce:x"),
    ("direct", "to|conversation text:t! nonce:x"),
    ("edit", "channel|conversation seq:n! text:t! nonce:x"),
    ("delete", "channel|conversation seq:n! nonce:x"),
    ("react", "channel|conversation seq:n! emoji:e! on:b nonce:x"),
    ("typing", "channel|conversation"),
    ("history", "channel|conversation before^after limit:l"),
    ("search", "text:s! channel?conversation before:s limit:r"),
    ("pin", "channel:s! seq:n"),
    ("who", "channel:s"),
    ("channels", ""),
    ("own", "key:s"),
    ("mute", "user:s! minutes:m!"),
    ("kick", "user:s! minutes:m!"),
    ("door", "open:b!"),
    ("writing", "channel:s! who:w!"),
    ("clear", "channel:s!"),
    ("remove_channel", "channel:s!"),
];
const KEYS: &str = "type id name session channel since text action nonce to conversation before \
    after limit key password user minutes open who seq emoji on";

pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let request = Request::parse(text);
    let begun = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
    if begun.starts_with('{') {
        json_is_judged_by_the_table(begun, &request);
    } else {
        assert!(request.id.is_none() && !request.is_unreadable());
    }
    if let Ok(command) = &request.command {
        is_the_same_as_json(command, request.id);
        is_the_same_typed(command);
    }
}

fn json_is_judged_by_the_table(text: &str, request: &Request) {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return assert_eq!(request.command, Err(CommandError::BAD_JSON));
    }
    let mut keys = serde_json::from_str::<Keys>(text).map_or(Vec::new(), |keys| keys.0);
    keys.retain(|key| KEYS.split(' ').any(|known| known == key));
    keys.sort();
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
        return;
    }; // nested too deeply, or a number is too large
    if keys.windows(2).any(|two| two[0] == two[1]) {
        return assert_eq!(request.command, Err(CommandError::BAD_JSON));
    }
    let id = fields.get("id").filter(|id| !id.is_null());
    let expected = match id.map(is_number) {
        Some(false) => Some("bad_field"),
        _ => {
            assert_eq!(
                request.id,
                id.and_then(Value::as_u64).map(RequestId),
                "{text}"
            );
            error(&fields)
        }
    };
    assert_eq!(
        request.command.as_ref().err().map(|error| error.code),
        expected,
        "{text}"
    );
}

/// The error code by the table; `None` if the command is accepted.
fn error(fields: &Map<String, Value>) -> Option<&'static str> {
    let Some(kind) = fields.get("type").and_then(Value::as_str) else {
        return Some("bad_field");
    };
    let Some((_, wanted)) = TABLE.iter().find(|(known, _)| *known == kind) else {
        return Some("unknown_type");
    };
    let value = |key: &str| fields.get(key).filter(|value| !value.is_null());
    let fits = |field: &str| {
        if let Some((one, other)) = field.split_once('|') {
            return matches!(
                (value(one), value(other)),
                (Some(Value::String(_)), None) | (None, Some(Value::String(_)))
            );
        }
        if let Some((one, other)) = field.split_once(['^', '?']) {
            let both = value(one).is_some() && value(other).is_some();
            let is_right = match field.contains('^') {
                true => is_number,
                false => Value::is_string,
            };
            let mut given = [one, other].into_iter().filter_map(value);
            return !both && given.all(is_right);
        }
        let (key, kind) = field.split_once(':').expect("the table");
        match (value(key), kind.trim_end_matches('!')) {
            (None, _) => !kind.ends_with('!'),
            (Some(value), "n") => is_number(value),
            (Some(value), "l" | "r") => {
                let most = if kind == "l" { 200 } else { 50 };
                value
                    .as_u64()
                    .is_some_and(|limit| (1..=most).contains(&limit))
            }
            (Some(value), "m") => value.as_u64().is_some_and(|minutes| minutes <= 525_600),
            (Some(value), "w") => {
                let seconds = value.as_u64();
                seconds.is_some_and(|seconds| (1..=86_400).contains(&seconds))
                    || matches!(value.as_str(), Some("all" | "owner"))
            }
            (Some(value), "b") => value.is_boolean(),
            (Some(Value::String(text)), "t") => !text
                .chars()
                .any(|c| c.is_control() && c != '\n' && c != '\t'),
            (Some(Value::String(emoji)), "e") => {
                let is_word = |c: char| c.is_ascii_alphabetic() || is_blank(c) || c.is_control();
                (1..=32).contains(&emoji.len()) && !emoji.contains(is_word)
            }
            (Some(Value::String(text)), "x") => {
                (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
            }
            (Some(value), _) => kind.starts_with('s') && value.is_string(),
        }
    };
    (!wanted.split_whitespace().all(fits)).then_some("bad_field")
}

fn is_number(value: &Value) -> bool {
    value.as_u64().is_some_and(|number| number < 1 << 53)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{FEFF}'
}

/// Asserts that the command survives JSON. A typed line may leave the channel out; JSON can't, so
/// both get the same one here.
fn is_the_same_as_json(command: &Command, id: Option<RequestId>) {
    let mut command = command.clone();
    match &mut command {
        Command::Leave { channel }
        | Command::Writing { channel, .. }
        | Command::Pin { channel, .. }
        | Command::Clear { channel } => {
            channel.get_or_insert_with(|| "general".into());
        }
        Command::Send(Draft { to: target, .. })
        | Command::Change(_, Draft { to: target, .. })
        | Command::History(Query { target, .. })
            if *target == Target::JoinedLast =>
        {
            *target = Target::Channel("general".into())
        }
        _ => {}
    }
    let target = |target: &Target| match target {
        Target::Channel(name) => ("channel", name.clone()),
        Target::Conversation(name) => ("conversation", name.clone()),
        Target::User(name) => ("to", name.clone()),
        Target::JoinedLast => {
            panic!("only typed lines have this target, and it was replaced above")
        }
    };
    let mut json = match &command {
        Command::Hello(Hello {
            name,
            session,
            password,
            key,
        }) => {
            json!({"type": "hello", "name": name, "session": session, "password": password,
                "key": key})
        }
        Command::Rename { name } => json!({"type": "rename", "name": name}),
        Command::Join { channel, since } => {
            json!({"type": "join", "channel": channel, "since": since.map(|seq| seq.0)})
        }
        Command::Leave { channel } => json!({"type": "leave", "channel": channel}),
        Command::Search(SearchQuery {
            text,
            target: of,
            before,
            limit,
        }) => {
            let mut json = json!({"type": "search", "text": text, "before": before,
                "limit": limit});
            if let Some(of) = of {
                json[target(of).0] = json!(target(of).1);
            }
            json
        }
        Command::Pin { channel, seq } => {
            json!({"type": "pin", "channel": channel, "seq": seq.map(|seq| seq.0)})
        }
        Command::Send(Draft {
            to,
            text,
            action,
            nonce,
        }) => {
            // Both types accept a conversation. Only `message` has an action and accepts a channel.
            let kind = match to {
                Target::Channel(_) => "message",
                _ => "direct",
            };
            json!({"type": kind, target(to).0: target(to).1, "text": text, "action": action,
                "nonce": nonce})
        }
        Command::Change(
            kind,
            Draft {
                to, text, nonce, ..
            },
        ) => {
            let (kind, of, on) = match kind {
                Kind::Edit { of } => ("edit", of, None),
                Kind::Delete { of } => ("delete", of, None),
                Kind::React { of, on } => ("react", of, Some(on)),
                Kind::Message | Kind::Deleted => panic!("no command has this kind"),
            };
            let (field, place) = target(to);
            let [text, emoji] = match kind {
                "edit" => [Some(text), None],
                "react" => [None, Some(text)],
                _ => [None, None],
            };
            json!({"type": kind, field: place, "seq": of.0, "text": text, "emoji": emoji,
                "on": on, "nonce": nonce})
        }
        Command::Typing { target: of } => json!({"type": "typing", target(of).0: target(of).1}),
        Command::History(Query {
            target: of,
            before,
            after,
            limit,
        }) => {
            json!({"type": "history", target(of).0: target(of).1, "before": before,
                "after": after, "limit": limit})
        }
        Command::Who { channel } => json!({"type": "who", "channel": channel}),
        Command::Channels => json!({"type": "channels"}),
        Command::Own { key } => json!({"type": "own", "key": key}),
        Command::Sanction {
            kick,
            user,
            minutes,
        } => {
            let kind = if *kick { "kick" } else { "mute" };
            json!({"type": kind, "user": user, "minutes": minutes})
        }
        Command::Door { open } => json!({"type": "door", "open": open}),
        Command::Writing { channel, who } => {
            let who = match who {
                Writing::All => json!("all"),
                Writing::Owner => json!("owner"),
                Writing::Slow(seconds) => json!(seconds),
            };
            json!({"type": "writing", "channel": channel, "who": who})
        }
        Command::Clear { channel } => json!({"type": "clear", "channel": channel}),
        Command::RemoveChannel { channel } => json!({"type": "remove_channel", "channel": channel}),
        Command::Trace { on } => json!({"type": "trace", "on": on}),
        Command::Try(_) => return, // raw JSON, checked by the wire view
        Command::Nick { .. } | Command::Help | Command::Quit => return, // only typed
    };
    json["id"] = id.map(|id| id.0).into();
    let again = Request::parse(&json.to_string());
    assert_eq!((again.command, again.id), (Ok(command), id), "{json}");
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.contains(is_blank)
}

/// Asserts that the command survives as a typed line, if it can be typed.
fn is_the_same_typed(command: &Command) {
    let (line, expected) = match command {
        Command::Send(Draft {
            to: Target::Channel(_) | Target::JoinedLast,
            text,
            action,
            nonce: None,
        }) if !text.is_empty() && text.trim_matches(is_blank) == &**text => {
            let line = match (action, text.starts_with('/'), text.starts_with('{')) {
                (true, ..) => format!("/me {text}"),
                (false, true, _) => format!("/{text}"),
                (false, _, true) => return,
                (false, ..) => text.to_string(),
            };
            let command = Command::Send(Draft {
                to: Target::JoinedLast,
                text: text.clone(),
                action: *action,
                nonce: None,
            });
            (line, command)
        }
        Command::Send(Draft {
            to: Target::User(to),
            text,
            nonce: None,
            ..
        }) if is_word(to) && text.trim_matches(is_blank) == &**text => {
            (format!("/msg {to} {text}"), command.clone())
        }
        Command::Change(
            kind,
            Draft {
                to: Target::Channel(_) | Target::JoinedLast,
                text,
                nonce: None,
                ..
            },
        ) if text.trim_matches(is_blank) == &**text => {
            let line = match kind {
                Kind::Edit { of } => format!("/edit {} {text}", of.0),
                Kind::Delete { of } => format!("/delete {}", of.0),
                Kind::React { of, on } => {
                    format!("/{}react {} {text}", ["un", ""][usize::from(*on)], of.0)
                }
                Kind::Message | Kind::Deleted => panic!("no command has this kind"),
            };
            let draft = Draft {
                to: Target::JoinedLast,
                text: text.clone(),
                action: false,
                nonce: None,
            };
            (line, Command::Change(*kind, draft))
        }
        Command::Sanction {
            kick,
            user,
            minutes,
        } if is_word(user) => {
            let word = if *kick { "kick" } else { "mute" };
            (format!("/{word} {user} {minutes}"), command.clone())
        }
        Command::Search(SearchQuery {
            text,
            target: None,
            before: None,
            limit: 20,
        }) if !text.is_empty() && text.trim_matches(is_blank) == &**text => {
            (format!("/search {text}"), command.clone())
        }
        Command::Pin { seq, .. } => {
            let number = seq.map_or("none".to_owned(), |seq| seq.0.to_string());
            let (channel, seq) = (None, *seq);
            (format!("/pin {number}"), Command::Pin { channel, seq })
        }
        _ => return,
    };
    assert_eq!(Request::parse(&line).command, Ok(expected), "{line:?}");
}

/// The keys of an object in order, with duplicates.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Keys;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
