//! One search on its way through the history: which messages it reads next, and which ones it has
//! found. `search.rs` has the command, and gives each search its turn.
//!
//! A search always reads on in the place whose unread messages are the newest, so the newest
//! results are known before everything is read.

use super::event::{Sender, conversation_id, conversation_of};
use crate::history::{Author, History, Place, Seq, StoreError};
use crate::limits::SEARCH_BEFORE_BYTES;
use crate::time::UnixMillis;
use std::collections::BinaryHeap;

/// Rows that are read from a place at once, at first; then twice as many each time.
const FIRST_ROWS: u32 = 4;
const MOST_ROWS: u32 = 256;
/// The part of the budget that a query uses in addition to the rows that it reads, in bytes.
const QUERY_BYTES: usize = 1 << 10;

/// A search that is underway.
pub(super) struct Search {
    pub(super) sender: Sender,
    pub(super) author: Author,
    pub(super) text: Box<str>,
    pub(super) limit: usize,
    /// The message after which it begins: the last one of the answer to an earlier search.
    pub(super) begin: Option<Position>,
    /// The places with unread messages; `None` before its first slice if it reads all places.
    pub(super) unread: Option<BinaryHeap<Unread>>,
    /// The messages found so far, newest first.
    pub(super) found: Vec<Position>,
    /// Whether messages were removed from `found` because they were more than `limit`.
    pub(super) has_more: bool,
}

/// The messages of a place that a search has yet to read.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unread {
    /// The position that all of them are below. Its time is `u64::MAX` until the search has read
    /// from the place.
    pub(super) below: Position,
    rows: u32,
}

impl Unread {
    pub(super) fn all(place: Place) -> Self {
        let (at, seq) = (UnixMillis(u64::MAX), Seq(u64::MAX));
        Self {
            below: Position { at, place, seq },
            rows: FIRST_ROWS,
        }
    }
}

/// A message's place in the order of an answer: the newest is the greatest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    at: UnixMillis,
    pub(super) place: Place,
    pub(super) seq: Seq,
}

impl Position {
    /// Returns the text for `before`.
    pub(super) fn encode(&self) -> Box<str> {
        let place = match &self.place {
            Place::Channel(name) => format!("#{name}"),
            Place::Conversation(one, other) => conversation_id(*one, *other),
        };
        format!("{}.{}.{place}", self.at.0, self.seq.0).into()
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        let (at, rest) = text.split_once('.')?;
        let (seq, place) = rest.split_once('.')?;
        if text.len() > SEARCH_BEFORE_BYTES {
            return None;
        }
        Some(Self {
            at: UnixMillis(at.parse().ok()?),
            place: match place.strip_prefix('#') {
                Some(name) => Place::Channel(name.into()),
                None => conversation_of(place)?,
            },
            seq: Seq(seq.parse().ok()?),
        })
    }
}

impl Search {
    /// Reads until the budget is used up. Returns whether the search is done.
    pub(super) fn read_slice(
        &mut self,
        history: &mut dyn History,
        budget: &mut usize,
    ) -> Result<bool, StoreError> {
        let Self { found, unread, .. } = self;
        let unread = unread.get_or_insert_default();
        let mut buffer = String::new();
        while let Some(next) = unread.peek() {
            if found.len() == self.limit && found.last() >= Some(&next.below) {
                break;
            }
            if *budget == 0 {
                return Ok(false);
            }
            let Some(Unread { mut below, rows }) = unread.pop() else {
                break;
            };
            if below.at == UnixMillis(u64::MAX)
                && let Some(begin) = &self.begin
            {
                below.seq = begin_of(history, &below.place, begin, budget)?;
            }
            let Position { at, place, seq } = below;
            let mut oldest = at;
            *budget = budget.saturating_sub(QUERY_BYTES);
            let rest = history.scan(&place, seq, rows, budget, &mut |seq, at, text| {
                // A clock that went back must not change the order within a place.
                oldest = oldest.min(at);
                if text.is_some_and(|text| contains(text, &self.text, &mut buffer)) {
                    let (at, place) = (oldest, place.clone());
                    let hit = Position { at, place, seq };
                    let index = found.partition_point(|it| *it > hit);
                    found.insert(index, hit);
                    self.has_more |= found.len() > self.limit;
                    found.truncate(self.limit);
                }
            })?;
            unread.extend(rest.map(|seq| Unread {
                below: Position {
                    at: oldest,
                    place,
                    seq,
                },
                rows: (2 * rows).min(MOST_ROWS),
            }));
        }
        Ok(true)
    }
}

/// Returns the number in a place below which the messages come after `begin`.
fn begin_of(
    history: &mut dyn History,
    place: &Place,
    begin: &Position,
    budget: &mut usize,
) -> Result<Seq, StoreError> {
    if *place == begin.place {
        return Ok(begin.seq);
    }
    let span = history.span(place)?;
    let (mut low, mut high) = (span.first.0, span.newest.0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let mut is_later = false;
        let mut look = |_, at, _: Option<&str>| {
            is_later = at > begin.at || at == begin.at && *place > begin.place;
        };
        *budget = budget.saturating_sub(QUERY_BYTES);
        history.scan(place, Seq(middle + 1), 1, budget, &mut look)?;
        match is_later {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    Ok(Seq(low))
}

/// Returns whether a text contains a folded one.
pub(super) fn contains(text: &str, wanted: &str, buffer: &mut String) -> bool {
    fold(text, buffer);
    buffer.contains(wanted)
}

/// Writes a text to `folded` in the form in which cases and compatible characters are equal.
pub(super) fn fold(text: &str, folded: &mut String) {
    folded.clear();
    #[cfg(feature = "unicode")]
    if !text.is_ascii() {
        use unicode_normalization::UnicodeNormalization;
        // By way of upper case, `ß` becomes `ss`, and a final sigma a sigma.
        let upper = text.nfkc().flat_map(char::to_uppercase);
        folded.extend(upper.flat_map(char::to_lowercase).nfkc());
        return;
    }
    folded.push_str(text);
    folded.make_ascii_lowercase();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_is_read_as_it_was_written() {
        for place in [
            Place::Channel("a.b-c".into()),
            Place::between(Author(7), Author(2)),
        ] {
            let (at, seq) = (UnixMillis(5), Seq(9));
            let position = Position { at, place, seq };
            assert_eq!(Position::decode(&position.encode()), Some(position));
        }
        let long = format!("5.9.#{}", "a".repeat(SEARCH_BEFORE_BYTES));
        for wrong in [
            &*long, "", "5", "5.9", "5.x.#a", "-1.9.#a", "5.9.a", "5.9.c1", "5.9.c1-x",
        ] {
            assert_eq!(Position::decode(wrong), None, "{wrong}");
        }
    }

    #[cfg(feature = "unicode")]
    #[test]
    fn texts_are_compared_without_case_in_every_script() {
        let table = [
            ("Straße", "STRASSE", true),
            ("ΟΔΟΣ", "οδος", true),
            ("cafe\u{301}", "CAFÉ", true),
            ("ｆｕｌｌ ｗｉｄｔｈ", "full width", true),
            ("ﬁn", "fin", true),
            ("Привет, мир", "ПРИВЕТ", true),
            ("東京タワー", "京タ", true),
            ("100% sure", "100%", true),
            ("resume", "résumé", false),
            ("ab", "abc", false),
        ];
        for (text, wanted, expected) in table {
            let mut folded = String::new();
            fold(wanted, &mut folded);
            let found = contains(text, &folded, &mut String::new());
            assert_eq!(found, expected, "{text} and {wanted}");
        }
    }
}
