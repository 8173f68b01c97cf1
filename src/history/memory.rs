//! The newest messages of each place, in memory alone.
//!
//! Everything here has a limit, and where one is reached the oldest goes: a place's messages beyond
//! its share, the oldest
//! message of the place that holds most (so that a flood in one channel takes nothing from the
//! others), the oldest nonce,
//! the session seen longest ago, the conversation used longest ago. A place keeps its numbers when
//! its messages are gone:
//! `first` moves, `seq` goes on.
//!
//! Not here: a place's own messages (`kept`), which channels are listed (`chat`). A channel's
//! numbers are kept until [`History::forget`].

use super::kept::{Kept, Use};
use super::nonces::{Nonce, Nonces};
use super::{
    Author, ChannelRow, ConversationRow, Epoch, History, PageRequest, Place, Proposal, Record,
    Remembered, Seq, SessionRow, Span, StoreError, Stored,
};
use crate::limits::{
    CONVERSATIONS_IN_MEMORY, DAY_MILLIS, HISTORY_IN_MEMORY, Limits, MESSAGES_IN_MEMORY,
    NONCES_IN_MEMORY, SESSIONS_IN_MEMORY,
};
use crate::time::UnixMillis;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// How much is kept.
struct Bounds {
    messages: usize,
    bytes: usize,
    nonces: usize,
    sessions: usize,
    /// How long a session is known after it was last seen.
    session_millis: u64,
    conversations: usize,
}

const BOUNDS: Bounds = Bounds {
    messages: MESSAGES_IN_MEMORY,
    bytes: HISTORY_IN_MEMORY,
    nonces: NONCES_IN_MEMORY,
    sessions: SESSIONS_IN_MEMORY,
    session_millis: Limits::DEFAULT.session_days as u64 * DAY_MILLIS,
    conversations: CONVERSATIONS_IN_MEMORY,
};

/// A history that ends with the process.
pub struct Memory {
    epoch: Epoch,
    newest_author: Author,
    bounds: Bounds,
    numbers: HashMap<Place, PlaceNumber>,
    places: BTreeMap<PlaceNumber, Kept>,
    next_place: PlaceNumber,
    /// Places by the bytes that they hold: the last one gives up its oldest message when there are
    /// too many.
    heaviest: BTreeSet<(usize, PlaceNumber)>,
    bytes: usize,
    nonces: Nonces,
    sessions: HashMap<Author, SessionRow>,
    by_seen: BTreeSet<(UnixMillis, Author)>,
    /// The others of each session's conversations, by when they were used.
    conversations: HashMap<Author, BTreeMap<Use, Author>>,
    by_use: BTreeMap<Use, (Author, Author)>,
    uses: Use,
}

/// A place's own number, never given twice: what is left of a place that was forgotten can't be
/// taken for another's.
pub(super) type PlaceNumber = u64;
impl Memory {
    /// A memory of nothing. `epoch` is one that no history had before; authors after
    /// `newest_author` were never given.
    pub fn new(epoch: Epoch, newest_author: Author) -> Self {
        Self::within(BOUNDS, epoch, newest_author)
    }

    /// The same, where a session is known for so many days after it was last seen.
    pub fn knowing_sessions_for(mut self, days: u32) -> Self {
        self.bounds.session_millis = u64::from(days) * DAY_MILLIS;
        self
    }

    fn within(bounds: Bounds, epoch: Epoch, newest_author: Author) -> Self {
        Self {
            epoch,
            newest_author,
            bounds,
            numbers: HashMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
            heaviest: BTreeSet::new(),
            bytes: 0,
            nonces: Nonces::default(),
            sessions: HashMap::new(),
            by_seen: BTreeSet::new(),
            conversations: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    fn store(&mut self, what: &Rc<Proposal>, now: UnixMillis) -> Stored {
        let number = self.number(&what.place);
        let asked = what.nonce.as_ref().map(|nonce| {
            Rc::new(Nonce {
                place: number,
                author: what.author,
                text: nonce.clone(),
            })
        });
        if let Some((seq, at)) = asked
            .as_ref()
            .and_then(|nonce| self.nonces.known(nonce, now))
        {
            return Stored {
                seq,
                at,
                repeated: true,
            };
        }
        let used = match what.place {
            Place::Conversation(one, other) => self.use_conversation(number, one, other),
            Place::Channel(_) => self.next_use(),
        };
        let kept = self.places.entry(number).or_default();
        // The wall clock may go back; within a place time does not.
        let (seq, at) = (Seq(kept.newest.0 + 1), now.max(kept.at));
        (kept.newest, kept.at, kept.used) = (seq, at, used);
        let before = kept.bytes;
        kept.push(Record {
            what: what.clone(),
            seq,
            at,
        });
        if kept.records.len() > self.bounds.messages {
            kept.drop_oldest();
        }
        let after = kept.bytes;
        self.weigh(number, before, after);
        while self.bytes > self.bounds.bytes
            && let Some((before, heaviest)) = self.heaviest.last().copied()
            && let Some(kept) = self.places.get_mut(&heaviest)
        {
            kept.drop_oldest();
            let after = kept.bytes;
            self.weigh(heaviest, before, after);
        }
        if let Some(nonce) = asked {
            self.nonces.remember(nonce, seq, at, self.bounds.nonces);
        }
        Stored {
            seq,
            at,
            repeated: false,
        }
    }

    fn number(&mut self, place: &Place) -> PlaceNumber {
        *self.numbers.entry(place.clone()).or_insert_with(|| {
            self.next_place += 1;
            self.next_place
        })
    }

    fn kept(&self, place: &Place) -> Option<&Kept> {
        self.places.get(self.numbers.get(place)?)
    }

    /// Puts a place where it belongs among the others, after `before` bytes became `after`.
    fn weigh(&mut self, number: PlaceNumber, before: usize, after: usize) {
        if before == after {
            return;
        }
        self.heaviest.remove(&(before, number));
        if after > 0 {
            self.heaviest.insert((after, number));
        }
        self.bytes = self.bytes - before + after;
    }

    fn next_use(&mut self) -> Use {
        self.uses += 1;
        self.uses
    }

    fn use_conversation(&mut self, number: PlaceNumber, one: Author, other: Author) -> Use {
        let used = self.next_use();
        let before = self.places.get(&number).map_or(0, |kept| kept.used);
        self.by_use.remove(&before);
        self.by_use.insert(used, (one, other));
        for (of, with) in [(one, other), (other, one)] {
            let conversations = self.conversations.entry(of).or_default();
            conversations.remove(&before);
            conversations.insert(used, with);
        }
        if self.by_use.len() > self.bounds.conversations
            && let Some((_, (one, other))) = self.by_use.pop_first()
        {
            self.drop_place(&Place::Conversation(one, other));
        }
        used
    }

    fn drop_place(&mut self, place: &Place) {
        let Some(number) = self.numbers.remove(place) else {
            return;
        };
        let Some(kept) = self.places.remove(&number) else {
            return;
        };
        self.weigh(number, kept.bytes, 0);
        if let Place::Conversation(one, other) = place {
            self.by_use.remove(&kept.used);
            for of in [one, other] {
                if let Some(conversations) = self.conversations.get_mut(of) {
                    conversations.remove(&kept.used);
                    if conversations.is_empty() {
                        self.conversations.remove(of);
                    }
                }
            }
        }
    }

    fn keep_session(&mut self, row: &SessionRow) {
        if let Some(before) = self.sessions.insert(row.author, row.clone()) {
            self.by_seen.remove(&(before.seen, before.author));
        }
        self.by_seen.insert((row.seen, row.author));
        while let Some((seen, author)) = self.by_seen.first().copied()
            && (self.sessions.len() > self.bounds.sessions
                || seen.0.saturating_add(self.bounds.session_millis) < row.seen.0)
        {
            self.by_seen.pop_first();
            self.forget_session(author);
        }
    }

    /// Its conversations stay for the others, as long as those are known themselves.
    fn forget_session(&mut self, author: Author) {
        self.sessions.remove(&author);
        let others = self
            .conversations
            .get(&author)
            .into_iter()
            .flat_map(|conversations| conversations.values().copied());
        let unreadable: Vec<_> = others
            .filter(|other| !self.sessions.contains_key(other))
            .collect();
        for other in unreadable {
            self.drop_place(&Place::between(author, other));
        }
    }
}

impl History for Memory {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: UnixMillis,
    ) -> Result<Vec<Stored>, StoreError> {
        for row in sessions {
            self.newest_author = self.newest_author.max(row.author);
            self.keep_session(row);
        }
        Ok(proposals.iter().map(|what| self.store(what, now)).collect())
    }

    fn page(
        &mut self,
        place: &Place,
        ask: PageRequest,
        out: &mut Vec<Record>,
    ) -> Result<bool, StoreError> {
        let Some(kept) = self.kept(place) else {
            return Ok(false);
        };
        let first = kept.span().first;
        let from = ask.after.0.saturating_add(1).max(first.0);
        let to = ask.before.0.min(kept.newest.0.saturating_add(1));
        if from >= to {
            return Ok(false);
        }
        // Both are within what is kept, of which there are at most `MESSAGES_IN_MEMORY`.
        let wanted = kept
            .records
            .range((from - first.0) as usize..(to - first.0) as usize);
        let available = wanted.len();
        let start = out.len();
        let mut bytes = 0;
        let mut fits = |record: &&Record| {
            bytes += record.weight();
            bytes <= ask.bytes || bytes == record.weight()
        };
        let rows = ask.rows.max(1) as usize;
        if ask.from_oldest {
            out.extend(wanted.take(rows).take_while(&mut fits).cloned());
        } else {
            out.extend(wanted.rev().take(rows).take_while(&mut fits).cloned());
            out[start..].reverse();
        }
        Ok(out.len() - start < available)
    }

    fn span(&mut self, place: &Place) -> Result<Span, StoreError> {
        Ok(self.kept(place).map_or(
            Span {
                first: Seq(1),
                newest: Seq(0),
            },
            Kept::span,
        ))
    }

    fn session(&mut self, author: Author) -> Result<Option<SessionRow>, StoreError> {
        Ok(self.sessions.get(&author).cloned())
    }

    fn conversations(
        &mut self,
        of: Author,
        most: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let others = self
            .conversations
            .get(&of)
            .into_iter()
            .flat_map(|conversations| conversations.values().rev());
        let row = |other: &Author| {
            let newest = self
                .kept(&Place::between(of, *other))
                .map_or(Seq(0), |kept| kept.newest);
            ConversationRow {
                other: *other,
                newest,
            }
        };
        Ok(others.take(most).map(row).collect())
    }

    /// A memory that is handed to another chat, as the simulation does it, is found by that one as
    /// a file would be.
    fn remembered(&mut self, channels: usize, since: UnixMillis) -> Remembered {
        let row = |(place, number): (&Place, &PlaceNumber)| match (place, self.places.get(number)) {
            (Place::Channel(name), Some(kept)) => Some((
                kept.used,
                ChannelRow {
                    name: name.clone(),
                    newest: kept.newest,
                },
            )),
            _ => None,
        };
        let mut rows: Vec<_> = self.numbers.iter().filter_map(row).collect();
        rows.sort_by(|(one, _), (other, _)| other.cmp(one));
        let sessions = self
            .by_seen
            .iter()
            .rev()
            .take_while(|(seen, _)| *seen > since);
        let sessions = sessions
            .filter_map(|(_, author)| self.sessions.get(author))
            .filter(|row| !row.quit)
            .cloned()
            .collect();
        Remembered {
            channels: rows
                .into_iter()
                .take(channels)
                .map(|(_, row)| row)
                .collect(),
            sessions,
        }
    }

    fn forget(&mut self, place: &Place) {
        self.drop_place(place);
    }

    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn newest_author(&self) -> Author {
        self.newest_author
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::NONCE_AGE;

    const SMALL: Bounds = Bounds {
        messages: 5,
        bytes: 100_000,
        nonces: 3,
        sessions: 3,
        session_millis: DAY_MILLIS,
        conversations: 3,
    };
    const ADA: Author = Author(1);
    const BEN: Author = Author(2);
    const CLEO: Author = Author(3);

    fn memory(bounds: Bounds) -> Memory {
        Memory::within(bounds, "e".into(), Author(0))
    }

    fn channel(name: &str) -> Place {
        Place::Channel(name.into())
    }

    fn proposal(place: &Place, author: Author, text: &str, nonce: Option<&str>) -> Rc<Proposal> {
        let (text, nonce) = (text.into(), nonce.map(Into::into));
        Rc::new(Proposal {
            place: place.clone(),
            author,
            from: "ada".into(),
            to: None,
            text,
            action: false,
            nonce,
        })
    }

    fn say(memory: &mut Memory, place: &Place, text: &str, at: u64) -> Stored {
        memory
            .commit(&[proposal(place, ADA, text, None)], &[], UnixMillis(at))
            .unwrap()[0]
    }

    fn row(author: Author, seen: u64) -> SessionRow {
        SessionRow {
            author,
            secret: [0; 20],
            name: "ada".into(),
            seen: UnixMillis(seen),
            quit: false,
        }
    }

    fn page(memory: &mut Memory, place: &Place, ask: PageRequest) -> (Vec<u64>, bool) {
        let mut out = Vec::new();
        let more = memory.page(place, ask, &mut out).unwrap();
        (out.iter().map(|record| record.seq.0).collect(), more)
    }

    #[test]
    fn pages_of_a_place_that_keeps_6_to_10() {
        let mut memory = memory(SMALL);
        let place = channel("general");
        for n in 1..=10 {
            assert_eq!(say(&mut memory, &place, "text", n).seq, Seq(n));
        }
        assert_eq!(
            memory.span(&place),
            Ok(Span {
                first: Seq(6),
                newest: Seq(10)
            })
        );
        let all = PageRequest {
            after: Seq(0),
            before: Seq(u64::MAX),
            from_oldest: false,
            rows: 200,
            bytes: 100_000,
        };
        let table: &[(&str, PageRequest, &[u64], bool)] = &[
            ("everything", all, &[6, 7, 8, 9, 10], false),
            (
                "the newest two",
                PageRequest { rows: 2, ..all },
                &[9, 10],
                true,
            ),
            (
                "two before 8",
                PageRequest {
                    rows: 2,
                    before: Seq(8),
                    ..all
                },
                &[6, 7],
                false,
            ),
            (
                "before the first",
                PageRequest {
                    before: Seq(6),
                    ..all
                },
                &[],
                false,
            ),
            (
                "after what is gone",
                PageRequest {
                    after: Seq(2),
                    from_oldest: true,
                    rows: 2,
                    ..all
                },
                &[6, 7],
                true,
            ),
            (
                "no bytes: one message, the next",
                PageRequest {
                    bytes: 0,
                    after: Seq(7),
                    from_oldest: true,
                    ..all
                },
                &[8],
                true,
            ),
            (
                "bytes for two and a half",
                PageRequest { bytes: 520, ..all },
                &[9, 10],
                true,
            ),
        ];
        for (name, ask, expected, more) in table {
            assert_eq!(
                page(&mut memory, &place, *ask),
                (expected.to_vec(), *more),
                "{name}"
            );
        }
        assert_eq!(
            page(&mut memory, &channel("elsewhere"), all),
            (vec![], false)
        );
        assert_eq!(
            memory.span(&channel("elsewhere")),
            Ok(Span {
                first: Seq(1),
                newest: Seq(0)
            })
        );
    }

    #[test]
    fn too_many_bytes_are_taken_from_the_place_that_holds_most() {
        let mut memory = memory(Bounds {
            messages: 1_000,
            bytes: 10_000,
            ..SMALL
        });
        let (quiet, loud) = (channel("quiet"), channel("loud"));
        for n in 0..5 {
            say(&mut memory, &quiet, "hello", n);
        }
        for n in 0..500 {
            say(&mut memory, &loud, "HELLO", n);
            assert!(memory.bytes <= 10_000);
        }
        assert_eq!(
            memory.span(&quiet),
            Ok(Span {
                first: Seq(1),
                newest: Seq(5)
            })
        );
        let span = memory.span(&loud).unwrap();
        assert_eq!(span.newest, Seq(500));
        assert!(span.first > Seq(400) && span.first < Seq(500), "{span:?}");
        assert_eq!(
            memory
                .heaviest
                .iter()
                .map(|(bytes, _)| bytes)
                .sum::<usize>(),
            memory.bytes
        );
    }

    #[test]
    fn numbers_go_on_when_every_message_is_gone() {
        let mut memory = memory(Bounds { bytes: 0, ..SMALL });
        let place = channel("general");
        say(&mut memory, &place, "one", 1);
        assert_eq!(
            memory.span(&place),
            Ok(Span {
                first: Seq(2),
                newest: Seq(1)
            })
        );
        assert_eq!(say(&mut memory, &place, "two", 2).seq, Seq(2));
        memory.forget(&place);
        assert_eq!(say(&mut memory, &place, "one", 3).seq, Seq(1));
        assert_eq!(memory.bytes, 0);
    }

    #[test]
    fn time_does_not_go_back_within_a_place() {
        let mut memory = memory(SMALL);
        let at = [50, 40, 60].map(|now| say(&mut memory, &channel("general"), "text", now).at.0);
        assert_eq!(at, [50, 50, 60]);
        assert_eq!(
            say(&mut memory, &channel("other"), "text", 40).at,
            UnixMillis(40)
        );
    }

    #[test]
    fn a_nonce_is_known_for_a_day_in_its_place_from_its_author() {
        let mut memory = memory(SMALL);
        let (general, other) = (channel("general"), channel("other"));
        let once = [
            proposal(&general, ADA, "text", Some("n")),
            proposal(&general, ADA, "another text", Some("n")),
            proposal(&general, BEN, "text", Some("n")),
            proposal(&other, ADA, "text", Some("n")),
        ];
        let stored = memory.commit(&once, &[], UnixMillis(7)).unwrap();
        let seen: Vec<_> = stored
            .iter()
            .map(|stored| (stored.seq.0, stored.repeated))
            .collect();
        assert_eq!(
            seen,
            [(1, false), (1, true), (2, false), (1, false)],
            "known from this very call"
        );
        let day = NONCE_AGE.as_millis() as u64;
        let table = [
            ("within a day", 7 + day - 1, 1, 7, true),
            ("a day later", 7 + day, 3, 7 + day, false),
            ("and again", 8 + day, 3, 7 + day, true),
        ];
        for (name, now, seq, at, repeated) in table {
            let stored = memory.commit(&once[..1], &[], UnixMillis(now)).unwrap();
            assert_eq!(
                stored,
                [Stored {
                    seq: Seq(seq),
                    at: UnixMillis(at),
                    repeated
                }],
                "{name}"
            );
        }
    }

    #[test]
    fn the_oldest_nonces_are_forgotten() {
        let mut memory = memory(SMALL);
        let mut send = |nonce: &str| {
            memory
                .commit(
                    &[proposal(&channel("general"), ADA, "text", Some(nonce))],
                    &[],
                    UnixMillis(1),
                )
                .unwrap()[0]
        };
        for nonce in ["a", "b", "c", "d"] {
            assert!(!send(nonce).repeated);
        }
        assert!(send("b").repeated, "three are remembered");
        assert!(!send("a").repeated, "the fourth was not");
        assert_eq!(
            (memory.nonces.known.len(), memory.nonces.oldest_first.len()),
            (3, 3)
        );
    }

    #[test]
    fn sessions_seen_longest_ago_are_forgotten() {
        let mut memory = memory(SMALL);
        memory
            .commit(
                &[],
                &[row(Author(1), 10), row(Author(2), 20), row(Author(3), 30)],
                UnixMillis(30),
            )
            .unwrap();
        memory
            .commit(
                &[],
                &[SessionRow {
                    name: "eve".into(),
                    ..row(Author(1), 40)
                }],
                UnixMillis(40),
            )
            .unwrap();
        memory
            .commit(&[], &[row(Author(4), 50)], UnixMillis(50))
            .unwrap();
        let kept: Vec<_> = (0..10)
            .filter(|author| memory.session(Author(*author)).unwrap().is_some())
            .collect();
        assert_eq!(kept, [1, 3, 4]);
        assert_eq!(
            memory.session(Author(1)),
            Ok(Some(SessionRow {
                name: "eve".into(),
                ..row(Author(1), 40)
            }))
        );
        assert_eq!(memory.newest_author(), Author(4));
    }

    #[test]
    fn conversations_are_found_by_both_and_the_most_recently_used_comes_first() {
        let mut memory = memory(SMALL);
        memory
            .commit(
                &[],
                &[row(ADA, 1), row(BEN, 2), row(CLEO, 3)],
                UnixMillis(3),
            )
            .unwrap();
        for (one, other) in [(ADA, BEN), (CLEO, ADA), (ADA, ADA), (BEN, ADA)] {
            say(&mut memory, &Place::between(one, other), "text", 5);
        }
        let found = |memory: &mut Memory, of, most| -> Vec<_> {
            memory
                .conversations(of, most)
                .unwrap()
                .into_iter()
                .map(|row| (row.other, row.newest.0))
                .collect()
        };
        assert_eq!(
            found(&mut memory, ADA, 200),
            [(BEN, 2), (ADA, 1), (CLEO, 1)]
        );
        assert_eq!(found(&mut memory, ADA, 1), [(BEN, 2)]);
        assert_eq!(found(&mut memory, BEN, 200), [(ADA, 2)]);
        say(&mut memory, &Place::between(BEN, CLEO), "text", 6);
        assert_eq!(
            found(&mut memory, ADA, 200),
            [(BEN, 2), (ADA, 1)],
            "three are kept: the one with Cleo was used longest ago"
        );
        assert_eq!(found(&mut memory, CLEO, 200), [(BEN, 1)]);
    }

    #[test]
    fn a_conversation_goes_when_neither_side_is_known() {
        let mut memory = memory(SMALL);
        memory
            .commit(
                &[],
                &[row(ADA, 1), row(BEN, 2), row(CLEO, 3)],
                UnixMillis(3),
            )
            .unwrap();
        let place = Place::between(ADA, BEN);
        say(&mut memory, &place, "text", 4);
        memory
            .commit(&[], &[row(Author(4), 4)], UnixMillis(4))
            .unwrap();
        assert_eq!(
            memory.span(&place).unwrap().newest,
            Seq(1),
            "Ben can still read it"
        );
        memory
            .commit(&[], &[row(Author(5), 5)], UnixMillis(5))
            .unwrap();
        assert_eq!(memory.span(&place).unwrap().newest, Seq(0));
        assert!(
            memory.places.is_empty()
                && memory.conversations.is_empty()
                && memory.by_use.is_empty()
                && memory.bytes == 0
        );
    }
}
