//! A history in memory: the newest messages of each place, until the process ends.
//!
//! Everything has a limit, and the oldest goes first: the messages of a place beyond its share, the
//! messages of the place that holds most (a flood in one channel takes nothing from the others),
//! nonces, sessions, conversations. A place keeps its numbers when its messages are gone.

use super::messages::Messages;
use super::{
    Author, ChannelRow, ChannelSettings, ConversationRow, Decision, Epoch, History, Kind,
    PageRequest, Place, Proposal, Record, Remembered, Result, Sanction, Seq, SessionRow, Span,
    Stored, Visit, cost,
};
use crate::limits::{
    CONVERSATIONS_IN_MEMORY, HISTORY_IN_MEMORY, Limits, MESSAGES_IN_MEMORY, NONCE_AGE,
    NONCES_IN_MEMORY, SESSIONS_IN_MEMORY,
};
use crate::time::{DAY_MILLIS, Now, TrustedClock, UnixMillis};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

struct Bounds {
    messages: usize,
    bytes: usize,
    nonces: usize,
    sessions: usize,
    /// How long a session is known after it was last seen, in milliseconds.
    session_millis: u64,
    conversations: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            messages: MESSAGES_IN_MEMORY,
            bytes: HISTORY_IN_MEMORY,
            nonces: NONCES_IN_MEMORY,
            sessions: SESSIONS_IN_MEMORY,
            session_millis: u64::from(Limits::DEFAULT.session_days) * DAY_MILLIS,
            conversations: CONVERSATIONS_IN_MEMORY,
        }
    }
}

/// Identifies a place. Never given twice, so that leftovers of a place that was forgotten (nonces)
/// don't apply to a new one of the same name.
type PlaceId = u64;

/// A nonce belongs to its author and to a place.
type Nonce = (PlaceId, Author, Box<str>);

/// A history that ends with the process.
#[derive(Default)]
pub struct Memory {
    epoch: Epoch,
    newest_author: Author,
    bounds: Bounds,
    clock: TrustedClock,
    ids: HashMap<Place, PlaceId>,
    places: HashMap<PlaceId, Messages>,
    /// Places by the bytes they hold.
    by_bytes: BTreeSet<(usize, PlaceId)>,
    bytes: usize,
    /// The message that a nonce stands for, and when it was stored by the trusted clock.
    nonces: HashMap<Rc<Nonce>, (Stored, UnixMillis)>,
    /// A nonce that was used again after a day is in here twice.
    oldest_nonces: VecDeque<(Rc<Nonce>, Seq)>,
    sessions: HashMap<Author, SessionRow>,
    sanctions: BTreeMap<Author, Sanction>,
    door_is_closed: bool,
    by_seen: BTreeSet<(UnixMillis, Author)>,
    /// The conversations of each session, by use: (session, use, other session).
    conversations: BTreeSet<(Author, u64, Author)>,
    conversations_by_use: BTreeMap<u64, (Author, Author)>,
    /// Counts messages of all places, and the places themselves.
    uses: u64,
}

impl Memory {
    /// Makes an empty history. `epoch` must be new; authors up to `newest_author` were given.
    pub fn new(epoch: Epoch, newest_author: Author) -> Self {
        Self {
            epoch,
            newest_author,
            ..Self::default()
        }
    }

    /// Sets how many days a session is known after it was last seen.
    pub fn knowing_sessions_for(mut self, days: u32) -> Self {
        self.bounds.session_millis = u64::from(days) * DAY_MILLIS;
        self
    }

    fn store(&mut self, what: &Rc<Proposal>, at: UnixMillis) -> Stored {
        if !self.ids.contains_key(&what.place)
            && let Some(refused) = Stored::without_change(what, None)
        {
            return refused;
        }
        self.uses += 1;
        let used = self.uses;
        let id = *self.ids.entry(what.place.clone()).or_insert(used);
        let nonce = what.nonce.as_ref();
        let nonce = nonce.map(|text| Rc::new((id, what.author, text.clone())));
        if let Some(first) = nonce.as_ref().and_then(|nonce| self.repeated(nonce)) {
            return first;
        }
        let target = what.changes().and_then(|of| {
            let place = self.places.get(&id)?;
            Some(place.present(place.get(of)?, what.author))
        });
        if let Some(stored) = Stored::without_change(what, target.as_ref()) {
            return stored;
        }
        if let Place::Conversation(one, other) = what.place {
            self.use_conversation(id, one, other);
        }
        self.change(id, |place| {
            (place.used, place.is_removed) = (used, false);
            place.push(what, at);
        });
        let place = &self.places[&id];
        let stored = Stored {
            seq: place.newest,
            at,
            repeated: false,
            refused: None,
        };
        if place.records.len() > self.bounds.messages {
            self.change(id, Messages::drop_oldest);
        }
        while self.bytes > self.bounds.bytes
            && let Some((_, heaviest)) = self.by_bytes.last()
        {
            self.change(*heaviest, Messages::drop_oldest);
        }
        if let Some(nonce) = nonce {
            self.remember(nonce, stored);
        }
        stored
    }

    /// Changes a place's messages, and updates the sums of bytes.
    fn change(&mut self, id: PlaceId, change: impl FnOnce(&mut Messages)) {
        let place = self.places.entry(id).or_default();
        self.by_bytes.remove(&(place.bytes, id));
        self.bytes -= place.bytes;
        change(place);
        self.bytes += place.bytes;
        if place.bytes > 0 {
            self.by_bytes.insert((place.bytes, id));
        }
    }

    /// Returns the result of the message that used this nonce within the last 24 hours.
    fn repeated(&self, nonce: &Nonce) -> Option<Stored> {
        let (first, stamp) = self.nonces.get(nonce)?;
        let age = self.clock.believed().0.saturating_sub(stamp.0);
        let repeated = true;
        (u128::from(age) < NONCE_AGE.as_millis()).then_some(Stored { repeated, ..*first })
    }

    fn remember(&mut self, nonce: Rc<Nonce>, stored: Stored) {
        let entry = (stored, self.clock.stamp(stored.at));
        self.nonces.insert(nonce.clone(), entry);
        self.oldest_nonces.push_back((nonce, stored.seq));
        if self.oldest_nonces.len() > self.bounds.nonces
            && let Some((oldest, seq)) = self.oldest_nonces.pop_front()
            && self
                .nonces
                .get(&oldest)
                .is_some_and(|(first, _)| first.seq == seq)
        {
            self.nonces.remove(&oldest);
        }
    }

    fn messages(&self, place: &Place) -> Option<&Messages> {
        self.places.get(self.ids.get(place)?)
    }

    /// Makes a conversation the most recently used one.
    fn use_conversation(&mut self, id: PlaceId, one: Author, other: Author) {
        let before = self.places.get(&id).map_or(0, |place| place.used);
        self.unlist(before, one, other);
        self.conversations_by_use.insert(self.uses, (one, other));
        self.conversations.insert((one, self.uses, other));
        self.conversations.insert((other, self.uses, one));
        if self.conversations_by_use.len() > self.bounds.conversations
            && let Some((_, (one, other))) = self.conversations_by_use.pop_first()
        {
            self.forget(&Place::Conversation(one, other));
        }
    }

    fn unlist(&mut self, used: u64, one: Author, other: Author) {
        self.conversations_by_use.remove(&used);
        self.conversations.remove(&(one, used, other));
        self.conversations.remove(&(other, used, one));
    }

    /// The other sessions of a session's conversations, the most recently used first.
    fn others(&self, of: Author) -> impl Iterator<Item = Author> {
        let range = (of, 0, Author(0))..=(of, u64::MAX, Author(u64::MAX));
        self.conversations
            .range(range)
            .rev()
            .map(|(_, _, other)| *other)
    }

    fn keep_session(&mut self, row: &SessionRow, seen: UnixMillis) {
        let row = SessionRow {
            seen,
            ..row.clone()
        };
        let author = row.author;
        if let Some(before) = self.sessions.insert(author, row) {
            self.by_seen.remove(&(before.seen, author));
        }
        self.by_seen.insert((seen, author));
    }

    /// Forgets sessions beyond the limits. A conversation stays as long as one of its two sessions
    /// is known.
    fn forget_sessions(&mut self) {
        let believed = self.clock.believed().0;
        // Stamps of a clock that was ahead for a while.
        while let Some((seen, author)) = self.by_seen.last().copied()
            && self.clock.agrees()
            && seen.0 > believed
            && let Some(row) = self.sessions.get(&author).cloned()
        {
            self.keep_session(&row, UnixMillis(believed));
        }
        while let Some((seen, author)) = self.by_seen.first().copied()
            && (self.sessions.len() > self.bounds.sessions
                || seen.0.saturating_add(self.bounds.session_millis) < believed)
        {
            self.by_seen.pop_first();
            self.sessions.remove(&author);
            let is_known = |other: &Author| self.sessions.contains_key(other);
            let unreadable: Vec<_> = self.others(author).filter(|one| !is_known(one)).collect();
            for other in unreadable {
                self.forget(&Place::between(author, other));
            }
        }
    }
}

impl History for Memory {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>> {
        self.clock.observe(now);
        let seen = self.clock.stamp(now.unix);
        for row in sessions {
            self.keep_session(row, seen);
        }
        self.forget_sessions();
        let stored = proposals.iter().map(|what| self.store(what, now.unix));
        Ok(stored.collect())
    }

    fn decide(&mut self, decision: &Decision, sessions: &[SessionRow], now: Now) -> Result<()> {
        self.commit(&[], sessions, now)?;
        let (channel, settings) = match decision {
            Decision::Sanction(sanction) => {
                self.sanctions.retain(|_, it| it.until() > now.unix);
                self.sanctions.insert(sanction.author, sanction.clone());
                return Ok(());
            }
            Decision::Door { is_open } => {
                self.door_is_closed = !is_open;
                return Ok(());
            }
            Decision::Settings(channel, settings) => (channel, *settings),
            Decision::Clear(channel) => {
                let (writing, pinned) = (self.settings(channel)?.writing, None);
                (channel, ChannelSettings { writing, pinned })
            }
            Decision::Remove(channel) => (channel, ChannelSettings::default()),
        };
        self.uses += 1;
        let place = Place::Channel(channel.clone());
        let id = *self.ids.entry(place).or_insert(self.uses);
        self.change(id, |place| {
            place.settings = settings;
            place.is_removed = matches!(decision, Decision::Remove(_));
            if !matches!(decision, Decision::Settings(..)) {
                (place.records, place.bytes) = (VecDeque::new(), 0);
            }
        });
        Ok(())
    }

    fn settings(&mut self, channel: &Rc<str>) -> Result<ChannelSettings> {
        let place = self.messages(&Place::Channel(channel.clone()));
        Ok(place.map_or(ChannelSettings::default(), |place| place.settings))
    }

    fn page(&mut self, place: &Place, ask: PageRequest, out: &mut Vec<Record>) -> Result<bool> {
        let Some(place) = self.messages(place) else {
            return Ok(false);
        };
        let Span { first, newest } = place.span();
        let from = ask.after.0.saturating_add(1).max(first.0);
        let to = ask.before.0.min(newest.0.saturating_add(1));
        if from >= to {
            return Ok(false);
        }
        let wanted = (from - first.0) as usize..(to - first.0) as usize;
        let (start, available) = (out.len(), wanted.len());
        let present = |record| place.present(record, ask.reader);
        let wanted = place.records.range(wanted).map(present);
        let mut bytes = 0;
        let mut fits = |record: &Record| {
            bytes += record.weight();
            bytes <= ask.bytes || bytes == record.weight()
        };
        let rows = ask.rows.max(1) as usize;
        if ask.from_oldest {
            out.extend(wanted.take(rows).take_while(&mut fits));
        } else {
            out.extend(wanted.rev().take(rows).take_while(&mut fits));
            out[start..].reverse();
        }
        Ok(out.len() - start < available)
    }

    fn scan(
        &mut self,
        place: &Place,
        before: Seq,
        rows: u32,
        budget: &mut usize,
        visit: &mut Visit<'_>,
    ) -> Result<Option<Seq>> {
        let Some(place) = self.messages(place) else {
            return Ok(None);
        };
        let Span { first, newest } = place.span();
        let count = before.0.min(newest.0 + 1).saturating_sub(first.0) as usize;
        let newest_first = place.records.range(..count).rev();
        let mut last = None;
        for record in newest_first.take(rows as usize) {
            let text = &*record.what.text;
            let is_message = record.what.kind == Kind::Message;
            visit(record.seq, record.at, is_message.then_some(text));
            *budget = budget.saturating_sub(cost(text));
            last = Some(record.seq).filter(|seq| *seq > first);
            if *budget == 0 {
                break;
            }
        }
        Ok(last)
    }

    fn span(&mut self, place: &Place) -> Result<Span> {
        Ok(self.messages(place).map_or(Span::EMPTY, Messages::span))
    }

    fn session(&mut self, author: Author) -> Result<Option<SessionRow>> {
        Ok(self.sessions.get(&author).cloned())
    }

    fn session_with_mark(&mut self, mark: &[u8; 20]) -> Result<Option<Author>> {
        let marked = self.sessions.values();
        let marked = marked.filter(|row| row.password.as_ref() == Some(mark));
        Ok(marked.max_by_key(|row| row.seen).map(|row| row.author))
    }

    fn conversations(&mut self, of: Author, most: usize) -> Result<Vec<ConversationRow>> {
        let row = |other| {
            let messages = self.messages(&Place::between(of, other));
            let newest = messages.map_or(Seq(0), |place| place.newest);
            ConversationRow { other, newest }
        };
        Ok(self.others(of).take(most).map(row).collect())
    }

    /// Used where one process runs several servers on one memory: in tests.
    fn remembered(&mut self, channels: usize, seen_within: Duration, now: Now) -> Remembered {
        self.clock.observe(now);
        let within = seen_within.as_millis() as u64;
        let since = self.clock.believed().0.saturating_sub(within);
        let row = |(place, id): (&Place, &PlaceId)| match (place, self.places.get(id)) {
            (Place::Channel(name), Some(place)) if !place.is_removed => {
                let (name, newest, settings) = (name.clone(), place.newest, place.settings);
                let row = ChannelRow {
                    name,
                    newest,
                    settings,
                };
                Some((place.used, row))
            }
            _ => None,
        };
        let mut rows: Vec<_> = self.ids.iter().filter_map(row).collect();
        rows.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        let rows = rows.into_iter().take(channels).map(|(_, row)| row);
        let late = self
            .by_seen
            .iter()
            .rev()
            .take_while(|(seen, _)| seen.0 > since);
        let late = late.filter_map(|(_, author)| self.sessions.get(author));
        Remembered {
            channels: rows.collect(),
            sessions: late.filter(|row| !row.quit).cloned().collect(),
            sanctions: self.sanctions.values().cloned().collect(),
            door_is_closed: self.door_is_closed,
        }
    }

    fn forget(&mut self, place: &Place) {
        let Some(id) = self.ids.remove(place) else {
            return;
        };
        let used = self.places.get(&id).map_or(0, |place| place.used);
        self.change(id, |place| *place = Messages::default());
        self.places.remove(&id);
        if let Place::Conversation(one, other) = *place {
            self.unlist(used, one, other);
        }
    }

    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn next_author(&mut self) -> Author {
        self.newest_author.0 += 1;
        self.newest_author
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Refusal;
    use crate::time::Millis;

    const SMALL: Bounds = Bounds {
        messages: 5,
        bytes: 100_000,
        nonces: 3,
        sessions: 3,
        session_millis: DAY_MILLIS,
        conversations: 3,
    };
    const ALL: PageRequest = PageRequest {
        after: Seq(0),
        before: Seq(u64::MAX),
        from_oldest: false,
        rows: 200,
        bytes: 100_000,
        reader: Author(0),
    };
    const ADA: Author = Author(1);
    const BEN: Author = Author(2);
    const CLEO: Author = Author(3);

    fn memory(bounds: Bounds) -> Memory {
        Memory {
            bounds,
            ..Memory::default()
        }
    }

    /// Both clocks, some milliseconds after the start.
    fn now(millis: u64) -> Now {
        let unix = UnixMillis(1_700_000_000_000 + millis);
        Now {
            mono: Millis(millis),
            unix,
        }
    }

    fn channel(name: &str) -> Place {
        Place::Channel(name.into())
    }

    fn say(memory: &mut Memory, place: &Place, nonce: Option<&str>) -> Stored {
        propose(memory, place, Kind::Message, nonce)
    }

    fn propose(memory: &mut Memory, place: &Place, kind: Kind, nonce: Option<&str>) -> Stored {
        let proposal = Proposal {
            kind,
            place: place.clone(),
            author: ADA,
            from: "ada".into(),
            to: None,
            text: "hello".into(),
            action: false,
            nonce: nonce.map(Into::into),
            owner: false,
        };
        memory.commit(&[Rc::new(proposal)], &[], now(0)).unwrap()[0]
    }

    fn see(memory: &mut Memory, author: Author, millis: u64) {
        let row = SessionRow {
            author,
            secret: [0; 20],
            name: "ada".into(),
            seen: UnixMillis(0),
            quit: false,
            password: None,
        };
        memory.commit(&[], &[row], now(millis)).unwrap();
    }

    fn others(memory: &mut Memory, of: Author) -> Vec<u64> {
        let rows = memory.conversations(of, 200).unwrap();
        rows.iter().map(|row| row.other.0).collect()
    }

    #[test]
    fn place_keeps_its_newest_messages() {
        let mut memory = memory(SMALL);
        let place = channel("general");
        for n in 1..=10 {
            assert_eq!(say(&mut memory, &place, None).seq, Seq(n));
        }
        assert_eq!(memory.span(&place).unwrap().first, Seq(6));
        let before = PageRequest {
            before: Seq(6),
            ..ALL
        };
        let after = PageRequest {
            after: Seq(2),
            from_oldest: true,
            rows: 2,
            ..ALL
        };
        let table: &[(&str, PageRequest, &[u64], bool)] = &[
            ("all", ALL, &[6, 7, 8, 9, 10], false),
            ("newest two", PageRequest { rows: 2, ..ALL }, &[9, 10], true),
            ("before the first", before, &[], false),
            ("after pruned ones", after, &[6, 7], true),
            (
                "two and a half",
                PageRequest { bytes: 530, ..ALL },
                &[9, 10],
                true,
            ),
        ];
        for (name, ask, expected, more) in table {
            let mut out = Vec::new();
            assert_eq!(memory.page(&place, *ask, &mut out), Ok(*more), "{name}");
            let seqs: Vec<_> = out.iter().map(|record| record.seq.0).collect();
            assert_eq!(seqs, *expected, "{name}");
        }
    }

    #[test]
    fn change_in_an_unknown_place_leaves_nothing() {
        let mut memory = memory(SMALL);
        let of = Seq(1);
        for kind in [Kind::Edit { of }, Kind::Delete { of }] {
            let stored = propose(&mut memory, &channel("tea"), kind, None);
            assert_eq!(stored.refused, Some(Refusal::NoSuchMessage));
        }
        assert!(memory.ids.is_empty());
    }

    #[test]
    fn bytes_are_taken_from_the_place_that_holds_most() {
        let mut memory = memory(Bounds {
            messages: 1_000,
            bytes: 10_000,
            ..SMALL
        });
        let (quiet, loud) = (channel("quiet"), channel("loud"));
        (0..5).for_each(|_| _ = say(&mut memory, &quiet, None));
        for _ in 0..500 {
            say(&mut memory, &loud, None);
            assert!(memory.bytes <= 10_000);
        }
        assert_eq!(memory.span(&quiet).unwrap().first, Seq(1));
        let span = memory.span(&loud).unwrap();
        assert!(
            span.newest == Seq(500) && (401..500).contains(&span.first.0),
            "{span:?}"
        );
        let sum: usize = memory.by_bytes.iter().map(|(bytes, _)| bytes).sum();
        assert_eq!(sum, memory.bytes);
    }

    #[test]
    fn numbers_go_on_after_pruning_but_not_after_forget() {
        let mut memory = memory(Bounds { bytes: 0, ..SMALL });
        let place = channel("general");
        say(&mut memory, &place, Some("n"));
        let (first, newest) = (Seq(2), Seq(1));
        assert_eq!(memory.span(&place), Ok(Span { first, newest }));
        assert_eq!(say(&mut memory, &place, None).seq, Seq(2));
        memory.forget(&place);
        let stored = say(&mut memory, &place, Some("n"));
        assert!(stored.seq == Seq(1) && !stored.repeated);
        assert_eq!(memory.bytes, 0);
    }

    #[test]
    fn oldest_nonces_are_forgotten() {
        let mut memory = memory(SMALL);
        let mut repeated = |nonce| say(&mut memory, &channel("general"), Some(nonce)).repeated;
        assert_eq!(["a", "b", "c", "d"].map(&mut repeated), [false; 4]);
        assert!(repeated("b"), "three are kept");
        assert!(!repeated("a"), "the fourth is not");
        assert_eq!((memory.nonces.len(), memory.oldest_nonces.len()), (3, 3));
    }

    #[test]
    fn sessions_seen_longest_ago_are_forgotten() {
        let mut memory = memory(SMALL);
        for (author, millis) in [(1, 10), (2, 20), (3, 30), (1, 40), (4, 50)] {
            see(&mut memory, Author(author), millis);
        }
        let known = |memory: &mut Memory| -> Vec<u64> {
            let is_known = |one: &u64| memory.session(Author(*one)).unwrap().is_some();
            (0..10).filter(is_known).collect()
        };
        assert_eq!(known(&mut memory), [1, 3, 4], "the limit is three");
        see(&mut memory, Author(4), DAY_MILLIS + 35);
        assert_eq!(known(&mut memory), [1, 4], "not seen for a day");
    }

    #[test]
    fn clock_that_is_ahead_for_a_moment_forgets_no_session() {
        let mut memory = memory(SMALL);
        see(&mut memory, ADA, 0);
        let wrong = UnixMillis(now(40 * DAY_MILLIS).unix.0);
        memory.clock.observe(Now {
            unix: wrong,
            ..now(10)
        });
        let row = memory.session(ADA).unwrap().unwrap();
        let at = Now {
            unix: wrong,
            ..now(20)
        };
        let ben = SessionRow { author: BEN, ..row };
        memory.commit(&[], &[ben], at).unwrap();
        assert!(memory.session(ADA).unwrap().is_some());
        see(&mut memory, CLEO, 30);
        let seen = memory.session(BEN).unwrap().unwrap().seen;
        assert_eq!(seen, now(30).unix, "a stamp from the future is corrected");
    }

    #[test]
    fn conversations_used_longest_ago_are_forgotten() {
        let mut memory = memory(SMALL);
        for (one, other) in [(ADA, BEN), (CLEO, ADA), (ADA, ADA), (BEN, ADA)] {
            say(&mut memory, &Place::between(one, other), None);
        }
        assert_eq!(others(&mut memory, ADA), [2, 1, 3]);
        assert_eq!(others(&mut memory, BEN), [1]);
        say(&mut memory, &Place::between(BEN, CLEO), None);
        assert_eq!(others(&mut memory, ADA), [2, 1], "the limit is three");
        assert_eq!(others(&mut memory, CLEO), [2]);
    }

    #[test]
    fn conversation_stays_while_one_side_is_known() {
        let mut memory = memory(SMALL);
        for one in [ADA, BEN, CLEO] {
            see(&mut memory, one, one.0);
        }
        let place = Place::between(ADA, BEN);
        say(&mut memory, &place, None);
        see(&mut memory, Author(4), 4);
        assert_eq!(memory.span(&place).unwrap().newest, Seq(1));
        see(&mut memory, Author(5), 5);
        assert_eq!(memory.span(&place), Ok(Span::EMPTY));
        assert!(memory.places.is_empty() && memory.conversations.is_empty());
        assert!(memory.conversations_by_use.is_empty() && memory.bytes == 0);
    }
}
