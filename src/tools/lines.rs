//! A history as lines of JSON: the format of `parlor export` and `parlor import`.
//!
//! The first line names the format. Then come the sessions, by their numbers, and the places, the
//! least recently used first, each followed by its messages, oldest first.
//!
//! ```text
//! {"type":"parlor","version":1}
//! {"type":"session","author":1,"secret":"9f86…","name":"Ada","seen":1700000000000,"quit":false}
//! {"type":"channel","name":"general","newest":3}
//! {"type":"message","seq":1,"at":1700000000000,"author":1,"from":"Ada","text":"hello"}
//! {"type":"message","seq":2,"at":1700000000001,"author":1,"from":"Ada","text":"hi","action":true}
//! {"type":"message","seq":3,"at":1700000000002,"author":1,"from":"Ada","change":{"edit":1}}
//! {"type":"conversation","between":[1,2],"newest":0}
//! ```

use crate::chat::name::Name;
use crate::chat::text::{is_blank, is_emoji, is_nonce, is_text};
use crate::limits::NONCE_CHARS;
use crate::text::decode_hex;
use serde::Deserialize;

/// The maximum length of a line, in bytes: JSON needs six at most for each of a text's million.
pub const LINE_BYTES: usize = 8 << 20;
/// The version of this format.
pub const VERSION: u32 = 1;
/// Authors, numbers and times are below this. JavaScript reads those below 2^53 exactly; half of
/// them is left for the server that goes on from here.
const NUMBERS: u64 = 1 << 52;

/// One line of an export.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the fields are those of `history`
pub enum Line {
    /// The first line, which names the format.
    Parlor { version: u32 },
    /// A session, before all places.
    Session(Session),
    /// A channel, with the number of its newest message.
    Channel {
        name: String,
        newest: u64,
        pinned: Option<u64>,
        /// The column `writing` of the table `places`.
        writing: Option<i64>,
    },
    /// A conversation of two sessions, the smaller number first.
    Conversation { between: [u64; 2], newest: u64 },
    /// A message of the last channel or conversation.
    Message(Message),
}

/// A session that sent or received a message.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Session {
    pub author: u64,
    /// A hash, in hexadecimal digits.
    pub secret: String,
    pub name: String,
    pub seen: u64,
    pub quit: bool,
}

/// A message, or a change of one.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Message {
    pub seq: u64,
    pub at: u64,
    pub author: u64,
    pub from: String,
    pub to: Option<String>,
    /// The present text, or the emoji of a reaction.
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub action: bool,
    pub nonce: Option<String>,
    #[serde(default)]
    pub owner: bool,
    pub change: Option<Change>,
}

/// A change of the earlier message that has this number, or a message that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Change {
    Edit(u64),
    Delete(u64),
    React(u64),
    Unreact(u64),
    Deleted,
}

impl Change {
    /// Returns the number of the message that is changed.
    pub fn of(self) -> Option<u64> {
        match self {
            Self::Edit(of) | Self::Delete(of) | Self::React(of) | Self::Unreact(of) => Some(of),
            Self::Deleted => None,
        }
    }
}

/// Reads the lines of a file one after another, and checks each against those before it.
#[derive(Debug, Default)]
pub struct Lines {
    has_begun: bool,
    newest_session: u64,
    place: Option<Ahead>,
}

/// The last place, and what may follow.
#[derive(Debug)]
struct Ahead {
    /// The two sessions of a conversation.
    between: Option<[u64; 2]>,
    /// The number of the next message; `None` before the first, since older ones may be pruned.
    next: Option<u64>,
    newest: u64,
}

impl Lines {
    /// Reads the next line, without its line feed. The error says what is wrong with it.
    pub fn read(&mut self, line: &[u8]) -> Result<Line, String> {
        let line: Line = serde_json::from_slice(line)
            .map_err(|error| format!("it is not a line of an export: {error}"))?;
        match &line {
            Line::Parlor { .. } if self.has_begun => {
                Err("there is only one line of the type parlor, the first")?;
            }
            Line::Parlor { version } if *version != VERSION => Err(format!(
                "it was exported by a newer parlor (version {version} of the format)"
            ))?,
            Line::Parlor { .. } => self.has_begun = true,
            _ if !self.has_begun => Err("an export begins with a line of the type parlor")?,
            Line::Session(session) => {
                below(session.author, "an author")?;
                below(session.seen, "a time")?;
                if self.place.is_some() || session.author <= self.newest_session {
                    Err("sessions come before the places, each once, the smallest number first")?;
                }
                let secret = decode_hex(session.secret.as_bytes());
                if secret.is_none_or(|secret| secret.len() != 20) {
                    Err("a secret is 40 hexadecimal digits")?;
                }
                check_user(&session.name)?;
                self.newest_session = session.author;
            }
            Line::Channel {
                name,
                newest,
                pinned,
                ..
            } => {
                pinned.map_or(Ok(()), |pinned| below(pinned, "a pinned number"))?;
                match Name::of_channel(name) {
                    Ok(parsed) if *parsed.shown == **name => {}
                    Ok(parsed) => {
                        Err(format!("the channel {name:?} is called {:?}", parsed.shown))?
                    }
                    Err(error) => Err(format!("{name:?}: {}", error.message))?,
                }
                self.begin(None, *newest)?;
            }
            Line::Conversation { between, newest } => {
                below(between[0].max(between[1]), "an author")?;
                if between[0] > between[1] {
                    Err("the smaller session number of a conversation comes first")?;
                }
                self.begin(Some(*between), *newest)?;
            }
            Line::Message(message) => self.check_message(message)?,
        }
        Ok(line)
    }

    /// Checks at the end of the file that nothing is missing.
    pub fn end(&self) -> Result<(), String> {
        if !self.has_begun {
            return Err("it is empty".to_owned());
        }
        self.is_whole()
    }

    fn begin(&mut self, between: Option<[u64; 2]>, newest: u64) -> Result<(), String> {
        self.is_whole()?;
        below(newest, "the newest number")?;
        self.place = Some(Ahead {
            between,
            next: None,
            newest,
        });
        Ok(())
    }

    /// Checks that the last place has its newest message, or none at all.
    fn is_whole(&self) -> Result<(), String> {
        match &self.place {
            Some(Ahead {
                next: Some(next),
                newest,
                ..
            }) if *next != newest + 1 => Err(format!(
                "the place before it has messages up to {} and says that there are {newest}",
                next - 1
            )),
            _ => Ok(()),
        }
    }

    fn check_message(&mut self, message: &Message) -> Result<(), String> {
        let Some(Ahead {
            between,
            next,
            newest,
        }) = &mut self.place
        else {
            return Err("a message comes after the line of its place".to_owned());
        };
        let seq = message.seq;
        below(message.author, "an author")?;
        below(message.at, "a time")?;
        let text = &*message.text;
        let has_right_text = match message.change {
            None => is_text(text) && !text.chars().all(is_blank),
            Some(Change::React(_) | Change::Unreact(_)) => is_emoji(text),
            Some(_) => text.is_empty(),
        };
        let has_bad_nonce = message.nonce.as_ref().is_some_and(|it| !is_nonce(it));
        let of = message.change.and_then(Change::of);
        let wrong = match between {
            Some(between) if !between.contains(&message.author) => {
                "its author is not in the conversation"
            }
            Some(_) if message.to.is_none() => "a private message has a recipient",
            Some(_) if message.action || message.owner => {
                "a private message has no `action` and no `owner`"
            }
            None if message.to.is_some() => "a message in a channel has no recipient",
            _ if !has_right_text => {
                "a text is not empty, and has no control characters but line feed and tab; an \
                 edit, a deletion and a deleted message have no text"
            }
            _ if of.is_some_and(|of| of == 0 || of >= seq) => "a change is of an earlier message",
            _ if has_bad_nonce => {
                return Err(format!(
                    "a nonce has 1 to {NONCE_CHARS} characters, and no control characters"
                ));
            }
            _ if seq == 0 || seq > *newest || next.is_some_and(|next| next != seq) => {
                return Err(format!(
                    "the numbers of a place go up by one, as far as {newest}; {seq} is out of order"
                ));
            }
            _ => {
                check_user(&message.from)?;
                message.to.as_deref().map_or(Ok(()), check_user)?;
                *next = Some(seq + 1);
                return Ok(());
            }
        };
        Err(wrong.to_owned())
    }
}

fn check_user(name: &str) -> Result<(), String> {
    let wrong = Name::of_user(name).err();
    wrong.map_or(Ok(()), |error| Err(format!("{name:?}: {}", error.message)))
}

fn below(value: u64, what: &str) -> Result<(), String> {
    match value < NUMBERS {
        true => Ok(()),
        false => Err(format!("{what} is below 2^52")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rows;

    const HEAD: &str = r#"{"type":"parlor","version":1}"#;
    const ADA: &str = concat!(
        r#"{"type":"session","author":1,"secret":"000102030405060708090a0b0c0d0e0f10111213","#,
        r#""name":"Ada","seen":5,"quit":false}"#,
    );

    #[test]
    fn lines_of_each_type_are_read() {
        let texts = [
            HEAD,
            ADA,
            r#"{"type":"channel","name":"general","newest":7,"pinned":2,"writing":-1}"#,
            r#"{"type":"message","seq":2,BY_ADA,"text":"a \"b\"\n","nonce":"n"}"#,
            r#"{"type":"message","seq":3,BY_ADA,"text":"waves","action":true,"owner":true}"#,
            r#"{"type":"message","seq":4,BY_ADA,"change":{"edit":2}}"#,
            r#"{"type":"message","seq":5,BY_ADA,"text":"👍","change":{"react":3}}"#,
            r#"{"type":"message","seq":6,BY_ADA,"nonce":"m","change":"deleted"}"#,
            r#"{"type":"message","seq":7,BY_ADA,"change":{"delete":6}}"#,
            r#"{"type":"channel","name":"empty","newest":9}"#,
            r#"{"type":"conversation","between":[1,2],"newest":1}"#,
            r#"{"type":"message","seq":1,"at":7,"author":2,"from":"Ben","to":"Ada","text":"psst"}"#,
        ];
        let mut lines = Lines::default();
        for text in texts {
            let text = text.replace("BY_ADA", r#""at":7,"author":1,"from":"Ada""#);
            lines.read(text.as_bytes()).expect(&text);
        }
        assert_eq!(lines.end(), Ok(()));
    }

    /// The wrong line, the lines before it, and a part of the error. Two words after the name of a
    /// line are a text in it and its replacement. `C` is a channel, `T` a conversation, and `M` the
    /// message number 1.
    const WRONG: &str = r#"
        ADA                                        |              | begins with
        HEAD                                       | HEAD         | only one
        {"type":"parlor","version":2}              |              | newer
        general: hello                             | HEAD         | not a line
        {"type":"edit"}                            | HEAD         | not a line
        {"type":"channel","name":"a","newest":2,"topic":"b"} | HEAD | not a line
        {"type":"channel","name":"A","newest":2}   | HEAD         | is called "a"
        ADA                                        | HEAD ADA     | each once
        ADA                                        | HEAD C       | before the places
        ADA 1213 12                                | HEAD         | 40 hex
        ADA 1213 é13                               | HEAD         | 40 hex
        ADA :1, :4503599627370496,                 | HEAD         | 2^52
        M                                          | HEAD         | after the line of its place
        M                                          | HEAD C M     | out of order
        M "seq":1 "seq":3                          | HEAD C M     | out of order
        M "seq":1 "seq":0                          | HEAD C       | out of order
        C                                          | HEAD C M     | up to 1
        M "a"} "\t"}                               | HEAD C       | not empty
        M "a"} "a\u0007"}                          | HEAD C       | control
        M "a"} "a","nonce":""}                     | HEAD C       | nonce
        M "a"} "a","to":"Ben"}                     | HEAD C       | no recipient
        M                                          | HEAD T       | has a recipient
        M :1,"from" :3,"from"                      | HEAD T       | not in the
        T [1,2] [2,1]                              | HEAD         | smaller"#;

    #[test]
    fn lines_out_of_place_are_refused() {
        let line = |word: &str| match word {
            "HEAD" => HEAD.to_owned(),
            "ADA" => ADA.to_owned(),
            "C" => r#"{"type":"channel","name":"general","newest":2}"#.to_owned(),
            "T" => r#"{"type":"conversation","between":[1,2],"newest":2}"#.to_owned(),
            "M" => {
                r#"{"type":"message","seq":1,"at":7,"author":1,"from":"Ada","text":"a"}"#.to_owned()
            }
            other => other.to_owned(),
        };
        for [wrong, before, expected] in rows(WRONG) {
            let mut lines = Lines::default();
            for word in before.split_whitespace() {
                lines.read(line(word).as_bytes()).unwrap();
            }
            let wrong = match wrong.split(' ').collect::<Vec<_>>()[..] {
                [word, from, to] => line(word).replace(from, to),
                _ => line(&wrong),
            };
            let error = lines.read(wrong.as_bytes()).expect_err(&wrong);
            assert!(error.contains(&expected), "{wrong}: {error}");
        }
        assert!(Lines::default().end().is_err());
    }
}
