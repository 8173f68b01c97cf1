//! The history on disk, by its trait: what a restart keeps, what is refused, what is pruned, and
//! the effects of a wrong clock or a changed file. Errors of the disk are in `tests/faults`.

#![cfg(feature = "history")]
#![allow(clippy::unwrap_used)]

mod changes;
mod clock;
mod decisions;
#[cfg(feature = "tools")]
mod export;
mod file;
mod prune;
mod store;

use parlor::history::sqlite::Sqlite;
use parlor::history::{
    Author, History, Kind, Memory, PageRequest, Place, Proposal, Seq, SessionRow, Settings, Span,
    Stored,
};
use parlor::time::{Millis, Now, UnixMillis};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

const DAY: u64 = 24 * 60 * 60 * 1_000;
const BEGIN: u64 = 1_700_000_000_000;
const ALL: PageRequest = PageRequest {
    after: Seq(0),
    before: Seq(u64::MAX),
    from_oldest: false,
    rows: 200,
    bytes: 1 << 20,
    reader: Author(0),
};

/// A folder that is removed after the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("parlor-history-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // A killed process with the same number may have left it.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("parlor.db")
    }

    fn settings(&self) -> Settings {
        Settings {
            path: self.file(),
            ..Settings::default()
        }
    }

    fn open(&self) -> Sqlite {
        self.open_with(|_| {})
    }

    fn open_with(&self, change: impl FnOnce(&mut Settings)) -> Sqlite {
        let mut settings = self.settings();
        change(&mut settings);
        let open = || Sqlite::open(settings.clone(), "0123456789abcdef");
        for _ in 0..100 {
            match open() {
                // A program that another test starts holds each lock until it calls `exec`.
                Err(error) if error.to_string().contains("another parlor") => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                opened => return opened.unwrap(),
            }
        }
        open().unwrap()
    }

    /// Opens another file of the folder.
    fn open_file(&self, name: &str) -> Sqlite {
        self.open_with(|settings| settings.path = self.0.join(name))
    }

    /// Returns the names of the files in the folder.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|it| name(it).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Both clocks, this many milliseconds after the start.
fn now(millis: u64) -> Now {
    wrong(millis, 0)
}

/// The same with a wall clock that is this many milliseconds ahead.
fn wrong(millis: u64, ahead: i64) -> Now {
    let unix = UnixMillis((BEGIN + millis).saturating_add_signed(ahead));
    Now {
        mono: Millis(millis),
        unix,
    }
}

fn channel(name: &str) -> Place {
    Place::Channel(name.into())
}

fn proposal(place: &Place, author: u64, text: &str, nonce: Option<&str>) -> Rc<Proposal> {
    Rc::new(Proposal {
        kind: Kind::Message,
        place: place.clone(),
        author: Author(author),
        from: "ada".into(),
        to: matches!(place, Place::Conversation(..)).then(|| "ben".into()),
        text: text.into(),
        action: false,
        nonce: nonce.map(Into::into),
        owner: false,
    })
}

/// Runs a check on a history on disk, and on one in memory.
fn on_both(check: impl Fn(&mut dyn History)) {
    check(&mut Folder::new().open());
    check(&mut Memory::new("first".into(), Author(0)));
}

/// Returns the request for a page of everything with a change.
fn ask(change: impl FnOnce(&mut PageRequest)) -> PageRequest {
    let mut ask = ALL;
    change(&mut ask);
    ask
}

fn say(history: &mut dyn History, place: &Place, now: Now) -> Stored {
    let text = [proposal(place, 1, "text", None)];
    history.commit(&text, &[], now).unwrap()[0]
}

fn repeats(history: &mut dyn History, nonce: &str, now: Now) -> bool {
    let text = [proposal(&channel("tea"), 1, "text", Some(nonce))];
    history.commit(&text, &[], now).unwrap()[0].repeated
}

fn row(author: u64, name: &str, quit: bool) -> SessionRow {
    SessionRow {
        author: Author(author),
        secret: [author as u8; 20],
        name: name.into(),
        seen: UnixMillis(0),
        quit,
        password: None,
    }
}

fn seqs(history: &mut dyn History, place: &Place, ask: PageRequest) -> (Vec<u64>, bool) {
    let mut out = Vec::new();
    let more = history.page(place, ask, &mut out).unwrap();
    (out.iter().map(|record| record.seq.0).collect(), more)
}

fn span(history: &mut dyn History, place: &Place) -> (u64, u64) {
    let Span { first, newest } = history.span(place).unwrap();
    (first.0, newest.0)
}

/// Prunes until no work is left.
fn prune(history: &mut dyn History, now: Now) {
    for _ in 0..10_000 {
        history.maintain(now).unwrap();
        if history.next_maintenance().unwrap().as_secs() > 0 {
            return;
        }
    }
    panic!("pruning never ends");
}
