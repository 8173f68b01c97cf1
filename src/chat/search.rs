//! Searches the texts of all channels and of one's own conversations.
//!
//! A search reads the messages themselves, newest first, in slices: a turn reads a fixed number of
//! bytes for all searches together. It always reads on in the place whose unread messages are the
//! newest, so the newest results are known before everything is read. The messages found are read
//! again when the answer is sent. So a message that was deleted meanwhile is not in it, and one
//! that was edited has its new text.
//!
//! A text contains another one if it does after NFKC and without regard to case.

use super::command::SearchQuery;
use super::error::CommandError;
use super::event::{Effect, Event, conversation_id, conversation_of};
use super::text::is_blank;
use super::{Applied, Chat, Context, Sender};
use crate::history::{Author, History, Kind, PageRequest, Place, Record, Seq, StoreError};
use crate::limits::{
    COST_OF_HEAVY_COMMAND, LIST_CONVERSATIONS, SEARCH_CHARS, SEARCH_PAGE_BYTES, SEARCH_TURN_BYTES,
    SEARCHES_SIDE_BY_SIDE,
};
use crate::time::UnixMillis;
use std::collections::BinaryHeap;

/// Rows that are read from a place at once, at first; then twice as many each time.
const FIRST_ROWS: u32 = 4;
const MOST_ROWS: u32 = 256;
/// The part of the budget that a query uses in addition to the rows that it reads, in bytes.
const QUERY_BYTES: usize = 1 << 10;
/// The longest text of a position: two numbers, and a name of 32 characters or two more numbers.
const POSITION_BYTES: usize = 256;

/// A search that is underway.
pub(super) struct Search {
    sender: Sender,
    author: Author,
    text: Box<str>,
    limit: usize,
    /// The message after which it begins: the last one of the answer to an earlier search.
    begin: Option<Position>,
    /// The places with unread messages; `None` before its first slice if it reads all places.
    unread: Option<BinaryHeap<Unread>>,
    /// The messages found so far, newest first.
    found: Vec<Position>,
    /// Whether messages were removed from `found` because they were more than `limit`.
    has_more: bool,
}

/// The messages of a place that a search has yet to read.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Unread {
    /// They are below this number, and come later in the answer. The time is the largest one
    /// before the search has read from the place.
    below: Position,
    rows: u32,
}

impl Unread {
    fn all(place: Place) -> Self {
        let (at, seq) = (UnixMillis(u64::MAX), Seq(u64::MAX));
        Self {
            below: Position { at, place, seq },
            rows: FIRST_ROWS,
        }
    }
}

/// A message's place in the order of an answer: the newest is the greatest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    at: UnixMillis,
    place: Place,
    seq: Seq,
}

impl Position {
    /// Returns the text for `before`.
    fn encode(&self) -> Box<str> {
        let place = match &self.place {
            Place::Channel(name) => format!("#{name}"),
            Place::Conversation(one, other) => conversation_id(*one, *other),
        };
        format!("{}.{}.{place}", self.at.0, self.seq.0).into()
    }

    fn decode(text: &str) -> Option<Self> {
        let (at, rest) = text.split_once('.')?;
        let (seq, place) = rest.split_once('.')?;
        if text.len() > POSITION_BYTES {
            return None;
        }
        Some(Self {
            at: UnixMillis(at.parse().ok()?),
            place: match place.strip_prefix('#') {
                Some(name) => Place::Channel(name.into()),
                None => conversation_of(place).map(|(one, other)| Place::between(one, other))?,
            },
            seq: Seq(seq.parse().ok()?),
        })
    }
}

impl Chat {
    /// Begins a search. It is answered at the end of this turn or a later one.
    pub(super) fn search(&mut self, context: &mut Context<'_>, query: &SearchQuery) -> Applied {
        const BEFORE: &str = "before must come from the answer to an earlier search";
        context.outcome.cost = COST_OF_HEAVY_COMMAND;
        let author = context.author()?;
        if query.text.chars().all(is_blank) {
            return Err(CommandError::EMPTY);
        }
        if query.text.chars().nth(SEARCH_CHARS).is_some() {
            return Err(CommandError::too_long(SEARCH_CHARS));
        }
        let decode = |before| Position::decode(before).ok_or(CommandError::bad_field(BEFORE));
        let begin = query.before.as_deref().map(decode).transpose()?;
        let target = query.target.as_ref();
        let place = target.map(|target| self.readable_place(context, target));
        let unread = place.transpose()?.map(|place| [Unread::all(place)].into());
        let mut text = String::new();
        fold(&query.text, &mut text);
        let mut searches = self.searches.iter();
        let old = searches.position(|it| it.sender.address == context.address);
        if let Some(old) = old.and_then(|old| self.searches.remove(old)) {
            let answer = self.found(&old).map_err(|error| self.failed(error))?;
            self.answer_sender(&old.sender, answer, context.effects);
        }
        self.searches.push_back(Search {
            sender: context.sender(None),
            author,
            text: text.into(),
            limit: query.limit as usize,
            begin,
            unread,
            found: Vec::new(),
            has_more: false,
        });
        Ok(())
    }

    /// Returns whether a search is underway, so that the next turn begins at once.
    pub fn is_searching(&self) -> bool {
        !self.searches.is_empty()
    }

    /// Reads for the searches in turn until the budget is used up, and answers those that are done.
    pub(super) fn continue_searches(&mut self, effects: &mut Vec<Effect>) {
        let mut budget = SEARCH_TURN_BYTES;
        while budget > 0
            && let Some(mut search) = self.searches.pop_front()
        {
            if !self.is_connected(&search.sender) {
                continue;
            }
            let answer = match self.read_slice(&mut search, &mut budget) {
                Ok(false) => {
                    let turn = self.searches.len().min(SEARCHES_SIDE_BY_SIDE - 1);
                    self.searches.insert(turn, search);
                    continue;
                }
                Ok(true) => self.found(&search),
                Err(error) => Err(error),
            };
            budget = budget.saturating_sub(SEARCH_PAGE_BYTES / 4);
            let answer = answer.unwrap_or_else(|error| Event::Error(self.failed(error)));
            self.answer_sender(&search.sender, answer, effects);
        }
    }

    /// Returns all places that a session can read.
    fn all_unread(&mut self, author: Author) -> Result<BinaryHeap<Unread>, StoreError> {
        let others = self.history.conversations(author, LIST_CONVERSATIONS)?;
        let conversations = others.iter().map(|row| Place::between(author, row.other));
        let channels = self.channels.summaries().map(|it| Place::Channel(it.name));
        Ok(channels.chain(conversations).map(Unread::all).collect())
    }

    /// Reads until the budget is used up. Returns whether the search is done.
    fn read_slice(&mut self, search: &mut Search, budget: &mut usize) -> Result<bool, StoreError> {
        let unread = match &mut search.unread {
            Some(unread) => unread,
            none => none.insert(self.all_unread(search.author)?),
        };
        let (history, found) = (&mut *self.history, &mut search.found);
        let mut buffer = String::new();
        while let Some(next) = unread.peek() {
            if found.len() == search.limit && found.last() >= Some(&next.below) {
                break;
            }
            if *budget == 0 {
                return Ok(false);
            }
            let Some(Unread { mut below, rows }) = unread.pop() else {
                break;
            };
            if below.at == UnixMillis(u64::MAX)
                && let Some(begin) = &search.begin
            {
                below.seq = begin_of(history, &below.place, begin, budget)?;
            }
            let Position { at, place, seq } = below;
            let mut oldest = at;
            *budget = budget.saturating_sub(QUERY_BYTES);
            let rest = history.scan(&place, seq, rows, budget, &mut |seq, at, text| {
                // A clock that went back must not change the order within a place.
                oldest = oldest.min(at);
                if text.is_some_and(|text| contains(text, &search.text, &mut buffer)) {
                    let (at, place) = (oldest, place.clone());
                    let hit = Position { at, place, seq };
                    let index = found.partition_point(|it| *it > hit);
                    found.insert(index, hit);
                    search.has_more |= found.len() > search.limit;
                    found.truncate(search.limit);
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

    /// Makes the answer from the messages that come before all unread ones.
    fn found(&mut self, search: &Search) -> Result<Event, StoreError> {
        let unread = search.unread.as_ref().and_then(BinaryHeap::peek);
        let unread = unread.map(|next| &next.below);
        let is_final = |it: &&Position| Some(*it) >= unread;
        let hits: Vec<_> = search.found.iter().take_while(is_final).collect();
        let (mut results, mut last, mut bytes) = (Vec::new(), None, 0);
        let mut buffer = String::new();
        for hit in &hits {
            let wanted = PageRequest::one(hit.seq, search.author);
            let mut page = Vec::new();
            self.history.page(&hit.place, wanted, &mut page)?;
            let matches = |it: &Record| {
                it.what.kind == Kind::Message && contains(&it.what.text, &search.text, &mut buffer)
            };
            if let Some(record) = page.pop().filter(matches) {
                bytes += record.weight();
                if bytes > SEARCH_PAGE_BYTES && !results.is_empty() {
                    break;
                }
                results.push(record);
            }
            last = Some(*hit);
        }
        let is_complete = last == hits.last().copied() && hits.len() == search.found.len();
        let is_read = search.unread.is_some() && unread.is_none();
        let more = !is_read || search.has_more || !is_complete;
        let before = last.or(search.begin.as_ref()).filter(|_| more);
        Ok(Event::Found {
            results,
            more,
            before: before.map(Position::encode),
        })
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
        let long = format!("5.9.#{}", "a".repeat(POSITION_BYTES));
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
