//! A disk that outlives its server, and fails when it is told to.
//!
//! What is on it is a memory, or a real SQLite file. Beside it stands the log of everything that
//! was ever stored, in its order:
//! the truth that clients are held to. A server that dies leaves the disk as its last commit left
//! it.

use parlor::history::{
    Author, ChannelSettings, ConversationRow, Decision, Epoch, History, Memory, PageRequest, Place,
    Proposal, Record, Remembered, SessionRow, Span, StoreError, Stored,
};
use parlor::time::Now;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// When the server dies: after this many more writes and commits, nothing leaves it.
#[derive(Default)]
pub(crate) struct Fate {
    pub(crate) dies_after: Option<u32>,
}

impl Fate {
    /// Counts a write or a commit; whether the world still sees it.
    pub(crate) fn lives(&mut self) -> bool {
        match &mut self.dies_after {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// What becomes of a storage call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing happens, and it says so.
    Fails,
    /// It is stored, and the server is told that it failed.
    FailsAfterwards,
}

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) author: u64,
    pub(crate) text: String,
    pub(crate) nonce: Option<String>,
    pub(crate) at: u64,
}

/// The disk, and what is done to it.
pub(crate) struct Disk {
    pub(crate) store: Box<dyn History>,
    /// Everything that was ever stored, by place, number 1 first.
    pub(crate) log: BTreeMap<String, Vec<Said>>,
    /// The n-th storage call from now fails.
    pub(crate) fault: Option<(u32, Fault)>,
    pub(crate) calls: u64,
    pub(crate) commits: u64,
    authors: u64,
}

impl Disk {
    pub(crate) fn new(store: Box<dyn History>) -> Self {
        Self {
            store,
            log: BTreeMap::new(),
            fault: None,
            calls: 0,
            commits: 0,
            authors: 0,
        }
    }

    pub(crate) fn memory() -> Self {
        Self::new(Box::new(Memory::new("epoch".into(), Author(0))))
    }

    /// What a server that starts is given.
    pub(crate) fn mount(disk: &Rc<RefCell<Self>>, fate: &Rc<RefCell<Fate>>) -> Mounted {
        Mounted {
            disk: disk.clone(),
            fate: fate.clone(),
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
    fate: Rc<RefCell<Fate>>,
}

impl Mounted {
    /// One call, which may fail.
    fn call<R>(
        &self,
        call: impl FnOnce(&mut Disk) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut disk = self.disk.borrow_mut();
        match disk.fault() {
            Some(_) => Err(StoreError("the disk fails".to_owned())),
            None => call(&mut disk),
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
        if fault == Some(Fault::Fails) || !self.fate.borrow_mut().lives() {
            return Err(StoreError("the disk fails".to_owned()));
        }
        disk.commits += 1;
        let stored = disk.store.commit(proposals, sessions, now)?;
        assert_eq!(stored.len(), proposals.len());
        for (what, stored) in proposals.iter().zip(&stored) {
            let said = Said {
                author: what.author.0,
                text: what.text.to_string(),
                nonce: what.nonce.as_deref().map(str::to_owned),
                at: stored.at.0,
            };
            let place = disk.log.entry(key(&what.place)).or_default();
            if stored.repeated {
                let first = &place[stored.seq.0 as usize - 1];
                // A repeated nonce is its own.
                assert_eq!((&first.nonce, first.author), (&said.nonce, said.author));
            } else {
                // Numbers go up by one.
                assert_eq!(stored.seq.0 as usize, place.len() + 1);
                assert_eq!(said.at, now.unix.0, "the wall clock's time");
                assert!(
                    place.iter().all(|other| other.text != said.text),
                    "{:?} is stored twice",
                    said.text
                );
                place.push(said);
            }
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
        self.call(|disk| disk.store.decide(decision, sessions, now))
    }

    fn settings(&mut self, channel: &Rc<str>) -> Result<ChannelSettings, StoreError> {
        self.call(|disk| disk.store.settings(channel))
    }

    fn page(
        &mut self,
        place: &Place,
        ask: PageRequest,
        out: &mut Vec<Record>,
    ) -> Result<bool, StoreError> {
        self.call(|disk| disk.store.page(place, ask, out))
    }

    fn span(&mut self, place: &Place) -> Result<Span, StoreError> {
        self.call(|disk| disk.store.span(place))
    }

    fn session(&mut self, author: Author) -> Result<Option<SessionRow>, StoreError> {
        self.call(|disk| disk.store.session(author))
    }

    fn conversations(
        &mut self,
        of: Author,
        most: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        self.call(|disk| disk.store.conversations(of, most))
    }

    fn remembered(&mut self, channels: usize, seen_within: Duration, now: Now) -> Remembered {
        self.disk
            .borrow_mut()
            .store
            .remembered(channels, seen_within, now)
    }

    fn next_maintenance(&self) -> Option<Duration> {
        self.disk.borrow().store.next_maintenance()
    }

    fn maintain(&mut self, now: Now) -> Result<(), StoreError> {
        self.call(|disk| disk.store.maintain(now))
    }

    fn epoch(&self) -> Epoch {
        self.disk.borrow().store.epoch()
    }

    /// The store may have forgotten numbers that were given before it died.
    fn next_author(&mut self) -> Author {
        let mut disk = self.disk.borrow_mut();
        disk.authors += 1;
        Author(disk.authors)
    }
}
