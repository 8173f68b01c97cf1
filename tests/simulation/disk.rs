//! A disk that outlives its server, and fails when the plan requires it.
//!
//! It keeps a history in memory, or in a real SQLite file. Its log has every message that was ever
//! stored, in order, and the owner's decisions. The answers of the server and the state of the
//! clients are compared with this log. A server that crashes leaves the disk in the state of its
//! last commit.

use parlor::history::{
    Author, Decision, Epoch, History, Kind, Memory, Place, Proposal, Refusal, Remembered, Sanction,
    SessionRow, StoreError, Stored, Writing,
};
use parlor::time::Now;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// The number of writes and commits until the server crashes. No later write leaves it.
#[derive(Default)]
pub(crate) struct CrashPoint {
    pub(crate) crashes_after: Option<u32>,
}

impl CrashPoint {
    /// Counts a write or a commit. Returns whether it takes effect.
    pub(crate) fn takes_effect(&mut self) -> bool {
        match &mut self.crashes_after {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// The result of a storage call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is stored, and the call returns an error.
    Fails,
    /// It is stored, but the call returns an error.
    FailsAfterwards,
}

/// A message that is stored, or a change of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedMessage {
    pub(crate) kind: Kind,
    pub(crate) author: u64,
    /// The texts that a message had, the present one last, each with the number of the commit that
    /// removed it: by an edit, a deletion, or a cleared channel.
    pub(crate) texts: Vec<(String, Option<u64>)>,
    /// Whether it was deleted, or is a change of a deleted message.
    pub(crate) deleted: bool,
    pub(crate) nonce: Option<String>,
    /// The number of the commit that stored it.
    pub(crate) commit: u64,
}

impl LoggedMessage {
    /// Returns the text that every client must have at the end.
    pub(crate) fn present(&self) -> Option<&str> {
        let text = self.texts.last().filter(|_| !self.deleted);
        text.map(|(text, _)| text.as_str())
    }

    /// Returns the number of the commit that removed its last text.
    pub(crate) fn gone_at(&self) -> Option<u64> {
        self.texts.last().and_then(|(_, gone)| *gone)
    }

    fn forget(&mut self, commit: u64, gone: &mut BTreeSet<u64>) {
        if let Some((text, at)) = self.texts.last_mut().filter(|(_, at)| at.is_none()) {
            *at = Some(commit);
            gone.extend(numbers(text.as_bytes()));
        }
    }
}

/// Returns the numbers of the simulation's texts, `text-N;`, that some bytes contain.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let digits = |rest: &[u8]| {
        let end = rest.iter().position(|byte| *byte == b';')?;
        str::from_utf8(&rest[..end]).ok()?.parse().ok()
    };
    let starts = bytes.windows(5).enumerate();
    let starts = starts.filter(|(_, word)| word == b"text-");
    starts.filter_map(move |(start, _)| digits(&bytes[start + 5..]))
}

/// The disk and its faults.
pub(crate) struct Disk {
    pub(crate) store: Box<dyn History>,
    /// The files that must not contain a removed text.
    pub(crate) files: Vec<PathBuf>,
    /// Every message that was ever stored, by place. The first has number 1.
    pub(crate) log: BTreeMap<String, Vec<LoggedMessage>>,
    /// The number of the oldest message of a channel that the owner cleared.
    pub(crate) firsts: BTreeMap<String, u64>,
    /// The numbers of the removed texts.
    gone: BTreeSet<u64>,
    sanctions: BTreeMap<u64, Sanction>,
    /// The writing rule of each channel, with the number of commits before the decision.
    writing: BTreeMap<String, (Writing, u64)>,
    door_is_open: bool,
    /// Makes the n-th storage call from now fail.
    pub(crate) fault: Option<(u32, Fault)>,
    pub(crate) calls: u64,
    pub(crate) commits: u64,
    authors: u64,
}

impl Disk {
    pub(crate) fn new(store: Box<dyn History>) -> Self {
        Self {
            store,
            files: Vec::new(),
            log: BTreeMap::new(),
            firsts: BTreeMap::new(),
            gone: BTreeSet::new(),
            sanctions: BTreeMap::new(),
            writing: BTreeMap::new(),
            door_is_open: true,
            fault: None,
            calls: 0,
            commits: 0,
            authors: 0,
        }
    }

    /// Returns what is stored under the place and number of an event.
    pub(crate) fn stored(&self, place: &str, seq: u64) -> &LoggedMessage {
        let log = self.log.get(place);
        let stored = log.and_then(|messages| messages.get(seq as usize - 1));
        stored.unwrap_or_else(|| panic!("{place}/{seq} is not stored"))
    }

    pub(crate) fn count(&self, place: &str) -> u64 {
        self.log.get(place).map_or(0, |log| log.len() as u64)
    }

    /// Returns why a change must not be stored.
    fn refusal(&self, what: &Proposal) -> Option<Refusal> {
        let of = what.changes()?.0;
        let place = key(&what.place);
        let first = self.firsts.get(&place).copied().unwrap_or(1);
        let messages = self.log.get(&place).map_or(&[][..], Vec::as_slice);
        let target = messages.get((of as usize).wrapping_sub(1));
        let kept = target.filter(|it| of >= first && !it.deleted && it.kind == Kind::Message);
        let Some(target) = kept else {
            return Some(Refusal::NoSuchMessage);
        };
        let is_delete = matches!(what.kind, Kind::Delete { .. });
        let is_owner = what.owner && is_delete && matches!(what.place, Place::Channel(_));
        let is_allowed = target.author == what.author.0 || is_owner;
        let is_reaction = matches!(what.kind, Kind::React { .. });
        (!is_allowed && !is_reaction).then_some(Refusal::NotYours)
    }

    /// Drops sanctions that have expired by the wall clock. The server drops them too, so a clock
    /// that goes back does not restore them.
    fn expire(&mut self, now: Now) {
        self.sanctions.retain(|_, it| it.until() > now.unix);
    }

    /// Checks the store's result for a proposal, and appends the message to the log.
    fn check_stored(&mut self, what: &Proposal, stored: &Stored, now: Now) {
        let name = key(&what.place);
        let nonce = what.nonce.as_deref().map(str::to_owned);
        let is_reaction = matches!(what.kind, Kind::React { .. });
        if stored.repeated {
            let first = self.stored(&name, stored.seq.0);
            // Either the nonce is the author's own, or the reaction was set already.
            let is_same = (&first.nonce, first.author) == (&nonce, what.author.0);
            assert!(is_same || is_reaction, "{what:?}, {first:?}");
            return;
        }
        if stored.refused.is_some() || !is_reaction {
            assert_eq!(stored.refused, self.refusal(what), "{what:?}");
        }
        if stored.refused.is_some() {
            return;
        }
        let is_delete = matches!(what.kind, Kind::Delete { .. });
        if let Some(sanction) = self.sanctions.get(&what.author.0) {
            let is_muted = sanction.muted_until > now.unix && !what.owner && !is_delete;
            let is_kicked = sanction.kicked_until > now.unix;
            assert!(!is_muted && !is_kicked, "{what:?} at {now:?}, {sanction:?}");
        }
        // The next commit may have messages that were sent before the decision.
        let writing = self.writing.get(&name);
        let is_read_only = writing
            .is_some_and(|(who, before)| *who == Writing::Owner && before + 1 < self.commits);
        assert!(!is_read_only || what.owner || is_delete, "{what:?}");
        let (commit, text) = (self.commits, what.text.to_string());
        let place = self.log.entry(name).or_default();
        // Numbers go up by one.
        assert_eq!(stored.seq.0 as usize, place.len() + 1);
        assert_eq!(stored.at, now.unix, "the wall clock's time");
        let has_text = |it: &LoggedMessage| it.texts.iter().any(|(known, _)| *known == text);
        assert!(!place.iter().any(has_text), "{text:?} is stored twice");
        let mut texts = Vec::new();
        match what.kind {
            Kind::Message => texts.push((text, None)),
            Kind::Edit { of } => {
                let target = &mut place[of.0 as usize - 1];
                target.forget(commit, &mut self.gone);
                target.texts.push((text, None));
            }
            Kind::Delete { of } => {
                place[of.0 as usize - 1].forget(commit, &mut self.gone);
                for (said, seq) in place.iter_mut().zip(1..) {
                    let about = match said.kind {
                        Kind::Edit { of } | Kind::React { of, .. } => of.0,
                        _ => seq,
                    };
                    said.deleted |= about == of.0;
                }
            }
            Kind::React { .. } | Kind::Deleted => {}
        }
        place.push(LoggedMessage {
            kind: what.kind,
            author: what.author.0,
            texts,
            deleted: false,
            nonce,
            commit,
        });
    }

    /// Records an owner's decision.
    fn decided(&mut self, decision: &Decision) {
        match decision {
            Decision::Sanction(sanction) => {
                self.sanctions.insert(sanction.author.0, sanction.clone());
            }
            Decision::Door { is_open } => self.door_is_open = *is_open,
            Decision::Settings(channel, settings) => {
                let known = self.writing.get(&**channel);
                if known.is_none_or(|(who, _)| *who != settings.writing) {
                    let decided = (settings.writing, self.commits);
                    self.writing.insert(channel.to_string(), decided);
                }
            }
            Decision::Clear(channel) | Decision::Remove(channel) => {
                if let Decision::Remove(_) = decision {
                    self.writing.remove(&**channel);
                }
                let place = self.log.entry(channel.to_string()).or_default();
                // The turn of the last commit may still send answers with these texts.
                for said in place.iter_mut() {
                    said.forget(self.commits + 1, &mut self.gone);
                }
                let first = place.len() as u64 + 1;
                self.firsts.insert(channel.to_string(), first);
            }
        }
    }

    /// Maintains the history, and checks that no file contains a removed text.
    pub(crate) fn check_removed_texts(&mut self, now: Now) {
        self.store.maintain(now).expect("the disk works");
        for path in &self.files {
            let bytes = std::fs::read(path).unwrap_or_default();
            let found = numbers(&bytes).find(|number| self.gone.contains(number));
            assert_eq!(found, None, "this text is still in {}", path.display());
        }
    }

    pub(crate) fn memory() -> Self {
        Self::new(Box::new(Memory::new("epoch".into(), Author(0))))
    }

    /// Returns the history for a server that starts.
    pub(crate) fn mount(
        disk: &Rc<RefCell<Self>>,
        crash_point: &Rc<RefCell<CrashPoint>>,
    ) -> Mounted {
        Mounted {
            disk: disk.clone(),
            crash_point: crash_point.clone(),
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        self.calls += 1;
        let (left, fault) = self.fault.as_mut()?;
        *left = left.saturating_sub(1);
        let fault = *fault;
        if *left > 0 {
            return None;
        }
        self.fault = None;
        Some(fault)
    }
}

/// A place's key in the log: a channel's name, a conversation's two sessions.
pub(crate) fn key(place: &Place) -> String {
    match place {
        Place::Channel(name) => name.to_string(),
        Place::Conversation(one, other) => format!("c{}-{}", one.0, other.0),
    }
}

/// The disk as one server sees it.
pub(crate) struct Mounted {
    disk: Rc<RefCell<Disk>>,
    crash_point: Rc<RefCell<CrashPoint>>,
}

impl Mounted {
    /// Makes one call, which may fail.
    fn call<R>(
        &self,
        call: impl FnOnce(&mut dyn History) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut disk = self.disk.borrow_mut();
        match disk.fault() {
            Some(_) => Err(StoreError("the disk fails".to_owned())),
            None => call(&mut *disk.store),
        }
    }
}

impl History for Mounted {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut disk = self.disk.borrow_mut();
        let fault = disk.fault();
        if fault == Some(Fault::Fails) || !self.crash_point.borrow_mut().takes_effect() {
            return Err(StoreError("the disk fails".to_owned()));
        }
        disk.commits += 1;
        let stored = disk.store.commit(proposals, sessions, now)?;
        assert_eq!(stored.len(), proposals.len());
        disk.expire(now);
        for (what, stored) in proposals.iter().zip(&stored) {
            disk.check_stored(what, stored, now);
        }
        match fault {
            Some(_) => Err(StoreError("the disk says that it failed".to_owned())),
            None => Ok(stored),
        }
    }

    fn decide(
        &mut self,
        decision: &Decision,
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<(), StoreError> {
        if !self.crash_point.borrow_mut().takes_effect() {
            return Err(StoreError("the machine is dead".to_owned()));
        }
        self.call(|store| store.decide(decision, sessions, now))?;
        let mut disk = self.disk.borrow_mut();
        disk.decided(decision);
        disk.expire(now);
        Ok(())
    }

    parlor::forward_history!();

    fn remembered(&mut self, channels: usize, seen_within: Duration, now: Now) -> Remembered {
        let mut disk = self.disk.borrow_mut();
        disk.expire(now);
        disk.store.remembered(channels, seen_within, now)
    }

    fn next_maintenance(&self) -> Option<Duration> {
        self.disk.borrow().store.next_maintenance()
    }

    fn epoch(&self) -> Epoch {
        self.disk.borrow().store.epoch()
    }

    /// After a crash the store may not know some numbers that were already used.
    fn next_author(&mut self) -> Author {
        let mut disk = self.disk.borrow_mut();
        assert!(disk.door_is_open, "the door is closed for new sessions");
        disk.authors += 1;
        Author(disk.authors)
    }
}
