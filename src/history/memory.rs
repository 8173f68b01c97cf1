//! A history in memory: the newest messages of each place, until the process ends.
//!
//! Everything has a limit, and the oldest goes first: the messages of a place beyond its share, the
//! messages of the place that holds most (a flood in one channel takes nothing from the others),
//! nonces, sessions, conversations. A place keeps its numbers when its messages are gone.
//! Ages are judged by the monotonic clock.

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
use crate::time::{DAY_MILLIS, Millis, Now};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

struct Bounds {
    messages: usize,
    bytes: usize,
    nonces: usize,
    sessions: usize,
    /// How long a session is known after it was last seen.
    session_age: Duration,
    conversations: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            messages: MESSAGES_IN_MEMORY,
            bytes: HISTORY_IN_MEMORY,
            nonces: NONCES_IN_MEMORY,
            sessions: SESSIONS_IN_MEMORY,
            session_age: days(Limits::DEFAULT.session_days),
            conversations: CONVERSATIONS_IN_MEMORY,
        }
    }
}

fn days(days: u32) -> Duration {
    Duration::from_millis(u64::from(days) * DAY_MILLIS)
}

/// A nonce belongs to its author and to a place.
type Nonce = (Place, Author, Box<str>);

/// A history that ends with the process.
#[derive(Default)]
pub struct Memory {
    epoch: Epoch,
    newest_author: Author,
    bounds: Bounds,
    places: HashMap<Place, Messages>,
    /// Places by the bytes they hold.
    by_bytes: BTreeSet<(usize, Place)>,
    bytes: usize,
    /// The message that a nonce stands for.
    nonces: HashMap<Rc<Nonce>, Stored>,
    oldest_nonces: VecDeque<(Rc<Nonce>, Millis)>,
    sessions: HashMap<Author, (SessionRow, Millis)>,
    by_seen: BTreeSet<(Millis, Author)>,
    sanctions: BTreeMap<Author, Sanction>,
    door_is_closed: bool,
    /// The conversations of each session, by the other session.
    conversations: BTreeSet<(Author, Author)>,
    conversations_by_use: BTreeMap<u64, Place>,
    /// Counts messages of all places.
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
    pub fn knowing_sessions_for(mut self, session_days: u32) -> Self {
        self.bounds.session_age = days(session_days);
        self
    }

    fn store(&mut self, what: &Rc<Proposal>, now: Now) -> Stored {
        let place = &what.place;
        let nonce = what.nonce.as_ref();
        let nonce = nonce.map(|text| Rc::new((place.clone(), what.author, text.clone())));
        if let Some(first) = nonce.as_ref().and_then(|nonce| self.nonces.get(nonce)) {
            let repeated = true;
            return Stored { repeated, ..*first };
        }
        let target = what.changes().and_then(|of| {
            let messages = self.places.get(place)?;
            Some(messages.present(messages.get(of)?, what.author))
        });
        if let Some(stored) = Stored::without_change(what, target.as_ref()) {
            return stored;
        }
        self.uses += 1;
        if let Place::Conversation(..) = place {
            self.use_conversation(place);
        }
        let (used, most) = (self.uses, self.bounds.messages);
        let seq = self.change(place, |messages| {
            (messages.used, messages.is_removed) = (used, false);
            messages.push(what, now.unix);
            if messages.records.len() > most {
                messages.drop_oldest();
            }
            messages.newest
        });
        while self.bytes > self.bounds.bytes
            && let Some((_, heaviest)) = self.by_bytes.last().cloned()
        {
            self.change(&heaviest, Messages::drop_oldest);
        }
        let stored = Stored {
            seq,
            at: now.unix,
            ..Stored::default()
        };
        if let Some(nonce) = nonce {
            self.oldest_nonces.push_back((nonce.clone(), now.mono));
            self.nonces.insert(nonce, stored);
        }
        stored
    }

    /// Changes a place's messages, and updates the sums of bytes.
    fn change<R>(&mut self, place: &Place, change: impl FnOnce(&mut Messages) -> R) -> R {
        let messages = self.places.entry(place.clone()).or_default();
        let before = messages.bytes;
        let result = change(messages);
        let after = messages.bytes;
        self.bytes = self.bytes - before + after;
        self.by_bytes.remove(&(before, place.clone()));
        if after > 0 {
            self.by_bytes.insert((after, place.clone()));
        }
        result
    }

    /// Makes a conversation the most recently used one.
    fn use_conversation(&mut self, place: &Place) {
        let before = self.places.get(place).map_or(0, |messages| messages.used);
        self.conversations_by_use.remove(&before);
        self.conversations_by_use.insert(self.uses, place.clone());
        if let Place::Conversation(one, other) = *place {
            self.conversations.extend([(one, other), (other, one)]);
        }
        if self.conversations_by_use.len() > self.bounds.conversations
            && let Some((_, oldest)) = self.conversations_by_use.pop_first()
        {
            self.forget(&oldest);
        }
    }

    /// Returns the other sessions of a session's conversations.
    fn others(&self, of: Author) -> impl Iterator<Item = Author> {
        let range = (of, Author(0))..=(of, Author(u64::MAX));
        self.conversations.range(range).map(|(_, other)| *other)
    }

    fn keep_session(&mut self, row: &SessionRow, now: Now) {
        let (author, seen) = (row.author, now.unix);
        let row = SessionRow {
            seen,
            ..row.clone()
        };
        if let Some((_, before)) = self.sessions.insert(author, (row, now.mono)) {
            self.by_seen.remove(&(before, author));
        }
        self.by_seen.insert((now.mono, author));
    }

    /// Forgets sessions and nonces beyond the limits. A conversation stays as long as one of its
    /// sessions is known.
    fn forget_old(&mut self, now: Millis) {
        while let Some((seen, author)) = self.by_seen.first().copied()
            && (self.sessions.len() > self.bounds.sessions
                || now.since(seen) > self.bounds.session_age)
        {
            self.by_seen.pop_first();
            self.sessions.remove(&author);
            let is_known = |other: &Author| self.sessions.contains_key(other);
            let unreadable: Vec<_> = self.others(author).filter(|one| !is_known(one)).collect();
            for other in unreadable {
                self.forget(&Place::between(author, other));
            }
        }
        while let Some((nonce, used)) = self.oldest_nonces.front()
            && (self.nonces.len() > self.bounds.nonces || now.since(*used) >= NONCE_AGE)
        {
            self.nonces.remove(nonce);
            self.oldest_nonces.pop_front();
        }
    }
}

/// Returns at most `most` rows, the most recently used first.
fn by_use<T>(mut rows: Vec<(u64, T)>, most: usize) -> Vec<T> {
    rows.sort_unstable_by_key(|(used, _)| std::cmp::Reverse(*used));
    rows.into_iter().take(most).map(|(_, row)| row).collect()
}

impl History for Memory {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>> {
        for row in sessions {
            self.keep_session(row, now);
        }
        self.forget_old(now.mono);
        let stored = proposals.iter().map(|what| self.store(what, now));
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
        self.change(&Place::Channel(channel.clone()), |messages| {
            messages.settings = settings;
            messages.is_removed = matches!(decision, Decision::Remove(_));
            if !matches!(decision, Decision::Settings(..)) {
                (messages.records, messages.bytes) = (VecDeque::new(), 0);
            }
        });
        Ok(())
    }

    fn settings(&mut self, channel: &Rc<str>) -> Result<ChannelSettings> {
        let messages = self.places.get(&Place::Channel(channel.clone()));
        Ok(messages.map_or(ChannelSettings::default(), |it| it.settings))
    }

    fn each(
        &mut self,
        place: &Place,
        ask: PageRequest,
        visit: &mut dyn FnMut(Record) -> bool,
    ) -> Result<()> {
        let Some(messages) = self.places.get(place) else {
            return Ok(());
        };
        let mut visit = |record| visit(messages.present(record, ask.reader));
        let mut wanted = messages.range(ask.after, ask.before);
        match ask.from_oldest {
            true => wanted.all(&mut visit),
            false => wanted.rev().all(&mut visit),
        };
        Ok(())
    }

    fn scan(
        &mut self,
        place: &Place,
        before: Seq,
        rows: u32,
        budget: &mut usize,
        visit: &mut Visit<'_>,
    ) -> Result<Option<Seq>> {
        let Some(messages) = self.places.get(place) else {
            return Ok(None);
        };
        let newest_first = messages.range(Seq(0), before).rev();
        let mut last = None;
        for record in newest_first.take(rows as usize) {
            let text = &*record.what.text;
            let is_message = record.what.kind == Kind::Message;
            visit(record.seq, record.at, is_message.then_some(text));
            *budget = budget.saturating_sub(cost(text));
            last = Some(record.seq).filter(|seq| *seq > messages.span().first);
            if *budget == 0 {
                break;
            }
        }
        Ok(last)
    }

    fn span(&mut self, place: &Place) -> Result<Span> {
        Ok(self.places.get(place).map_or(Span::EMPTY, Messages::span))
    }

    fn session(&mut self, author: Author) -> Result<Option<SessionRow>> {
        Ok(self.sessions.get(&author).map(|(row, _)| row.clone()))
    }

    fn session_with_mark(&mut self, mark: &[u8; 20]) -> Result<Option<Author>> {
        let marked = self.sessions.values();
        let marked = marked.filter(|(row, _)| row.password.as_ref() == Some(mark));
        let newest = marked.max_by_key(|(_, seen)| *seen);
        Ok(newest.map(|(row, _)| row.author))
    }

    fn conversations(&mut self, of: Author, most: usize) -> Result<Vec<ConversationRow>> {
        let row = |other| {
            let messages = self.places.get(&Place::between(of, other))?;
            let newest = messages.newest;
            Some((messages.used, ConversationRow { other, newest }))
        };
        Ok(by_use(self.others(of).filter_map(row).collect(), most))
    }

    /// Used where one process runs several servers on one memory: in tests.
    fn remembered(&mut self, channels: usize, seen_within: Duration, now: Now) -> Remembered {
        let row = |(place, messages): (&Place, &Messages)| match place {
            Place::Channel(name) if !messages.is_removed => {
                let row = ChannelRow {
                    name: name.clone(),
                    newest: messages.newest,
                    settings: messages.settings,
                };
                Some((messages.used, row))
            }
            _ => None,
        };
        let late = self.by_seen.iter().rev();
        let late = late.take_while(|(seen, _)| now.mono.since(*seen) < seen_within);
        let late = late.filter_map(|(_, author)| self.sessions.get(author));
        let late = late.filter(|(row, _)| !row.quit);
        Remembered {
            channels: by_use(self.places.iter().filter_map(row).collect(), channels),
            sessions: late.map(|(row, _)| row.clone()).collect(),
            sanctions: self.sanctions.values().cloned().collect(),
            door_is_closed: self.door_is_closed,
        }
    }

    fn forget(&mut self, place: &Place) {
        let Some(messages) = self.places.remove(place) else {
            return;
        };
        self.bytes -= messages.bytes;
        self.by_bytes.remove(&(messages.bytes, place.clone()));
        self.conversations_by_use.remove(&messages.used);
        if let Place::Conversation(one, other) = *place {
            self.conversations.remove(&(one, other));
            self.conversations.remove(&(other, one));
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
    use crate::time::UnixMillis;

    const SMALL: Bounds = Bounds {
        messages: 5,
        bytes: 100_000,
        nonces: 3,
        sessions: 3,
        session_age: Duration::from_millis(DAY_MILLIS),
        conversations: 3,
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
        let (first, newest) = (Seq(6), Seq(10));
        assert_eq!(memory.span(&place), Ok(Span { first, newest }));
        let ask = PageRequest {
            after: Seq(2),
            before: Seq(u64::MAX),
            from_oldest: true,
            rows: 2,
            bytes: 100_000,
            reader: Author(0),
        };
        let mut out = Vec::new();
        assert_eq!(memory.page(&place, ask, &mut out), Ok(true));
        let seqs: Vec<_> = out.iter().map(|record| record.seq.0).collect();
        assert_eq!(seqs, [6, 7], "after pruned ones");
    }

    #[test]
    fn change_in_an_unknown_place_leaves_nothing() {
        let mut memory = memory(SMALL);
        let of = Seq(1);
        for kind in [Kind::Edit { of }, Kind::Delete { of }] {
            let stored = propose(&mut memory, &channel("tea"), kind, None);
            assert_eq!(stored.refused, Some(Refusal::NoSuchMessage));
        }
        assert!(memory.places.is_empty());
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
        assert_eq!(span.newest, Seq(500));
        assert!((401..500).contains(&span.first.0), "{span:?}");
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
        assert_eq!(say(&mut memory, &place, None).seq, Seq(1));
        assert_eq!(memory.bytes, 0);
    }

    #[test]
    fn oldest_nonces_are_forgotten() {
        let mut memory = memory(SMALL);
        let mut repeated = |nonce| say(&mut memory, &channel("general"), Some(nonce)).repeated;
        assert_eq!(["a", "b", "c", "d"].map(&mut repeated), [false; 4]);
        assert!(repeated("b"), "three are kept");
        assert!(!repeated("a"), "the fourth is not");
        memory.forget_old(Millis(0));
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
