//! A history as lines of JSON: what `parlor export` writes and `parlor import` reads.
//!
//! The first line says what it is. Then come the sessions, by their numbers, and the places, the
//! least recently used first, each
//! with its messages, oldest first, behind it. A line is bounded, so that a file is read in the
//! memory of one line.
//!
//! ```text
//! {"type":"parlor","version":1}
//! {"type":"session","author":1,"secret":"9f86…","name":"Ada","seen":1700000000000,"quit":false}
//! {"type":"channel","name":"general","newest":2}
//! {"type":"message","seq":1,"at":1700000000000,"author":1,"from":"Ada","text":"hello"}
//! {"type":"message","seq":2,"at":1700000000001,"author":1,"from":"Ada","text":"waves","action":true,"nonce":"n1"}
//! {"type":"conversation","between":[1,2],"newest":0}
//! ```
//!
//! Not here: names, which are the chat's to judge (`cli/backup.rs`), and where the lines go
//! (`sqlite/dump.rs`).

use super::{Author, Place, Proposal, Record, Seq, SessionRow, UnixMillis};
use crate::limits::NONCE_CHARS;
use crate::text::{Hex, decode_hex};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::rc::Rc;

/// Longer lines are refused: a text of a million bytes has six at most for each of them, and some
/// for the rest.
pub const LINE_BYTES: usize = 8 << 20;
/// Of this format.
const VERSION: u32 = 1;
/// Authors, numbers and times are below this one: every program reads those below 2^53 as they are,
/// and half of them is left for
/// the server that goes on from here.
const NUMBERS: u64 = 1 << 52;

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The first.
    Head,
    /// A session that is kept.
    Session(SessionRow),
    /// A place begins; its newest message has this number.
    Place(Place, Seq),
    /// A message of the place that began last.
    Message(Record),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Wire<'a> {
    Parlor {
        version: u32,
    },
    Session {
        author: u64,
        secret: Cow<'a, str>,
        name: Cow<'a, str>,
        seen: u64,
        quit: bool,
    },
    Channel {
        name: Cow<'a, str>,
        newest: u64,
    },
    Conversation {
        between: [u64; 2],
        newest: u64,
    },
    Message {
        seq: u64,
        at: u64,
        author: u64,
        from: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Cow<'a, str>>,
        text: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        action: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
}

impl Line {
    /// Appends the line, with its line feed.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let wire = match self {
            Self::Head => Wire::Parlor { version: VERSION },
            Self::Session(row) => Wire::Session {
                author: row.author.0,
                secret: format!("{:x}", Hex(&row.secret)).into(),
                name: Cow::Borrowed(&row.name),
                seen: row.seen.0,
                quit: row.quit,
            },
            Self::Place(Place::Channel(name), newest) => Wire::Channel {
                name: Cow::Borrowed(name),
                newest: newest.0,
            },
            Self::Place(Place::Conversation(one, other), newest) => Wire::Conversation {
                between: [one.0, other.0],
                newest: newest.0,
            },
            Self::Message(Record { what, seq, at }) => Wire::Message {
                seq: seq.0,
                at: at.0,
                author: what.author.0,
                from: Cow::Borrowed(&what.from),
                to: what.to.as_deref().map(Cow::Borrowed),
                text: Cow::Borrowed(&what.text),
                action: what.action,
                nonce: what.nonce.as_deref().map(Cow::Borrowed),
            },
        };
        // There is nothing in it that JSON could not say, and a `Vec` takes everything.
        let written = serde_json::to_writer(&mut *out, &wire);
        debug_assert!(written.is_ok());
        out.push(b'\n');
    }
}

/// Reads lines one after another and remembers what the next one has to fit to.
#[derive(Debug, Default)]
pub struct Lines {
    begun: bool,
    newest_session: Author,
    /// The place that began last, the numbers that its next message may have, and the time that it
    /// may not be before.
    place: Option<Ahead>,
}

#[derive(Debug)]
struct Ahead {
    place: Place,
    /// `None`: it may begin with any, since older ones were given up.
    next: Option<Seq>,
    newest: Seq,
    at: UnixMillis,
}

impl Lines {
    /// Reads the next line, without its line feed. The error says what is wrong with it.
    pub fn read(&mut self, line: &[u8]) -> Result<Line, String> {
        let wire: Wire<'_> = serde_json::from_slice(line)
            .map_err(|error| format!("it is not a line of an export: {error}"))?;
        if !self.begun {
            return match wire {
                Wire::Parlor { version: VERSION } => {
                    self.begun = true;
                    Ok(Line::Head)
                }
                Wire::Parlor { version } => Err(format!(
                    "it was exported by a newer parlor (version {version} of the format)"
                )),
                _ => Err("an export begins with a line of the type parlor".to_owned()),
            };
        }
        match wire {
            Wire::Parlor { .. } => {
                Err("there is only one line of the type parlor, the first".to_owned())
            }
            Wire::Session {
                author,
                secret,
                name,
                seen,
                quit,
            } => self.session(author, &secret, &name, seen, quit),
            Wire::Channel { name, newest } => self.begin(Place::Channel((*name).into()), newest),
            Wire::Conversation {
                between: [one, other],
                newest,
            } => {
                if one > other {
                    return Err(
                        "of the two sessions of a conversation the smaller number comes first"
                            .to_owned(),
                    );
                }
                self.begin(Place::Conversation(number(one)?, number(other)?), newest)
            }
            Wire::Message {
                seq,
                at,
                author,
                from,
                to,
                text,
                action,
                nonce,
            } => {
                let what = self.proposal(
                    author,
                    &from,
                    to.as_deref(),
                    &text,
                    action,
                    nonce.as_deref(),
                )?;
                self.message(what, seq, at)
            }
        }
    }

    /// The end of the file: whether nothing is missing.
    pub fn end(&self) -> Result<(), String> {
        if !self.begun {
            return Err("it is empty".to_owned());
        }
        self.is_whole()
    }

    fn session(
        &mut self,
        author: u64,
        secret: &str,
        name: &str,
        seen: u64,
        quit: bool,
    ) -> Result<Line, String> {
        let author = number(author)?;
        if self.place.is_some() || author <= self.newest_session {
            return Err(
                "sessions stand before the places, each once, the smallest number first".to_owned(),
            );
        }
        self.newest_session = author;
        let bytes = decode_hex(secret.as_bytes())
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("a secret is 40 hexadecimal digits")?;
        Ok(Line::Session(SessionRow {
            author,
            secret: bytes,
            name: name.into(),
            seen: time(seen)?,
            quit,
        }))
    }

    fn begin(&mut self, place: Place, newest: u64) -> Result<Line, String> {
        self.is_whole()?;
        let newest = Seq(below(newest, "the newest number")?);
        self.place = Some(Ahead {
            place: place.clone(),
            next: None,
            newest,
            at: UnixMillis(0),
        });
        Ok(Line::Place(place, newest))
    }

    /// Whether the place that began last has its newest message, or none at all.
    fn is_whole(&self) -> Result<(), String> {
        match &self.place {
            Some(Ahead {
                next: Some(next),
                newest,
                ..
            }) if next.0 != newest.0 + 1 => Err(format!(
                "the place before it has messages up to {} and says that there are {}",
                next.0 - 1,
                newest.0
            )),
            _ => Ok(()),
        }
    }

    fn proposal(
        &self,
        author: u64,
        from: &str,
        to: Option<&str>,
        text: &str,
        action: bool,
        nonce: Option<&str>,
    ) -> Result<Rc<Proposal>, String> {
        let Some(Ahead { place, .. }) = &self.place else {
            return Err("a message stands behind the line of its place".to_owned());
        };
        let author = number(author)?;
        match place {
            Place::Conversation(one, other) if author != *one && author != *other => {
                return Err("its author is not one of the conversation's two".to_owned());
            }
            Place::Conversation(..) if to.is_none() => {
                return Err("a private message says to whom it was".to_owned());
            }
            Place::Conversation(..) if action => {
                return Err("a private message is no action".to_owned());
            }
            Place::Channel(_) if to.is_some() => {
                return Err("a message in a channel is to nobody".to_owned());
            }
            _ => {}
        }
        if text.chars().all(char::is_whitespace)
            || text
                .chars()
                .any(|one| one.is_control() && one != '\n' && one != '\t')
        {
            return Err(
                "a text is not empty, and has no control characters but line feed and tab"
                    .to_owned(),
            );
        }
        if nonce.is_some_and(|nonce| {
            nonce.is_empty()
                || nonce.chars().count() > NONCE_CHARS
                || nonce.chars().any(char::is_control)
        }) {
            return Err(format!(
                "a nonce has 1 to {NONCE_CHARS} characters, and no control characters"
            ));
        }
        let (from, to) = (from.into(), to.map(Into::into));
        Ok(Rc::new(Proposal {
            place: place.clone(),
            author,
            from,
            to,
            text: text.into(),
            action,
            nonce: nonce.map(Into::into),
        }))
    }

    fn message(&mut self, what: Rc<Proposal>, seq: u64, at: u64) -> Result<Line, String> {
        let at = time(at)?;
        let Some(ahead) = &mut self.place else {
            return Err("a message stands behind the line of its place".to_owned());
        };
        let seq = Seq(seq);
        if seq.0 == 0 || seq > ahead.newest || ahead.next.is_some_and(|next| next != seq) {
            return Err(format!(
                "the numbers of a place go up by one, as far as {}; {} is out of order",
                ahead.newest.0, seq.0
            ));
        }
        if at < ahead.at {
            return Err("time does not go back within a place".to_owned());
        }
        (ahead.next, ahead.at) = (Some(Seq(seq.0 + 1)), at);
        Ok(Line::Message(Record { what, seq, at }))
    }
}

fn below(value: u64, what: &str) -> Result<u64, String> {
    if value < NUMBERS {
        Ok(value)
    } else {
        Err(format!("{what} is below 2^52"))
    }
}

fn number(author: u64) -> Result<Author, String> {
    below(author, "an author").map(Author)
}

fn time(millis: u64) -> Result<UnixMillis, String> {
    below(millis, "a time").map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"type":"parlor","version":1}"#;
    const ADA: &str = r#"{"type":"session","author":1,"secret":"000102030405060708090a0b0c0d0e0f10111213","name":"Ada","seen":5,"quit":false}"#;

    #[test]
    fn what_is_written_is_read_again() {
        let texts = [
            HEAD,
            ADA,
            r#"{"type":"channel","name":"general","newest":3}"#,
            r#"{"type":"message","seq":2,"at":7,"author":1,"from":"Ada","text":"a \"b\"\n","nonce":"n"}"#,
            r#"{"type":"message","seq":3,"at":7,"author":1,"from":"Ada","text":"waves","action":true}"#,
            r#"{"type":"channel","name":"empty","newest":9}"#,
            r#"{"type":"conversation","between":[1,2],"newest":1}"#,
            r#"{"type":"message","seq":1,"at":7,"author":2,"from":"Ben","to":"Ada","text":"psst"}"#,
        ];
        let mut lines = Lines::default();
        for text in texts {
            let mut again = Vec::new();
            lines.read(text.as_bytes()).unwrap().encode(&mut again);
            assert_eq!(String::from_utf8(again).unwrap(), format!("{text}\n"));
        }
        assert_eq!(lines.end(), Ok(()));
    }

    #[test]
    fn lines_that_are_refused() {
        let channel = r#"{"type":"channel","name":"general","newest":2}"#;
        let talk = r#"{"type":"conversation","between":[1,2],"newest":2}"#;
        let message =
            |more: &str| format!(r#"{{"type":"message","at":7,"author":1,"from":"Ada"{more}}}"#);
        let first = message(r#","seq":1,"text":"a""#);
        let table: &[(&str, &[&str], &str)] = &[
            ("no head", &[ADA], "begins with"),
            ("two heads", &[HEAD, HEAD], "only one"),
            (
                "a newer format",
                &[r#"{"type":"parlor","version":2}"#],
                "newer",
            ),
            ("no JSON", &[HEAD, "general: hello"], "not a line"),
            (
                "an unknown type",
                &[HEAD, r#"{"type":"edit"}"#],
                "not a line",
            ),
            (
                "an unknown field",
                &[
                    HEAD,
                    r#"{"type":"channel","name":"a","newest":1,"topic":"b"}"#,
                ],
                "not a line",
            ),
            ("a session twice", &[HEAD, ADA, ADA], "each once"),
            (
                "a session behind a place",
                &[HEAD, channel, ADA],
                "before the places",
            ),
            (
                "a short secret",
                &[HEAD, &ADA.replace("1213", "12")],
                "40 hex",
            ),
            (
                "a secret that is no number",
                &[HEAD, &ADA.replace("1213", "é13")],
                "40 hex",
            ),
            (
                "an author that is too large",
                &[HEAD, &ADA.replace(r#":1,"#, ":4503599627370496,")],
                "2^52",
            ),
            (
                "a message of no place",
                &[HEAD, &first],
                "behind the line of its place",
            ),
            (
                "a number twice",
                &[HEAD, channel, &first, &first],
                "out of order",
            ),
            (
                "a gap",
                &[HEAD, channel, &first, &message(r#","seq":3,"text":"a""#)],
                "out of order",
            ),
            (
                "number 0",
                &[HEAD, channel, &message(r#","seq":0,"text":"a""#)],
                "out of order",
            ),
            (
                "messages that are missing",
                &[HEAD, channel, &first, channel],
                "up to 1",
            ),
            (
                "time that goes back",
                &[
                    HEAD,
                    channel,
                    &first,
                    &message(r#","seq":2,"text":"a""#).replace(":7", ":6"),
                ],
                "go back",
            ),
            (
                "an empty text",
                &[HEAD, channel, &message(r#","seq":1,"text":" ""#)],
                "not empty",
            ),
            (
                "a control character",
                &[HEAD, channel, &message(r#","seq":1,"text":"a\u0007""#)],
                "control",
            ),
            (
                "an empty nonce",
                &[HEAD, channel, &message(r#","seq":1,"text":"a","nonce":"""#)],
                "nonce",
            ),
            (
                "a recipient in a channel",
                &[HEAD, channel, &message(r#","seq":1,"text":"a","to":"Ben""#)],
                "to nobody",
            ),
            (
                "a private message to nobody",
                &[HEAD, talk, &first],
                "to whom",
            ),
            (
                "a stranger's",
                &[
                    HEAD,
                    talk,
                    &message(r#","seq":1,"text":"a","to":"Ben""#).replace(":1,", ":3,"),
                ],
                "not one of",
            ),
            (
                "the wrong way round",
                &[HEAD, &talk.replace("[1,2]", "[2,1]")],
                "smaller",
            ),
        ];
        for (name, texts, expected) in table {
            let mut lines = Lines::default();
            let (last, before) = texts.split_last().unwrap();
            before
                .iter()
                .for_each(|line| drop(lines.read(line.as_bytes()).unwrap()));
            let error = lines.read(last.as_bytes()).expect_err(name);
            assert!(error.contains(expected), "{name}: {error}");
        }
        assert!(Lines::default().end().is_err());
    }
}
