//! The history on disk, by its trait: what is there after a restart, what is refused, what is given
//! up.
//!
//! Not here: the server around it (`tests/server/restart.rs`), errors of the disk
//! (`tests/faults/`).

#![cfg(feature = "history")]
#![allow(clippy::unwrap_used)]

use parlor::history::sqlite::{Export, Import, Sqlite};
use parlor::history::{
    Author, ConversationRow, History, Line, Lines, Memory, PageRequest, Place, Proposal, Seq,
    SessionRow, Settings, Span, Stored,
};
use parlor::time::UnixMillis;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

const DAY: u64 = 24 * 60 * 60 * 1_000;
const ALL: PageRequest = PageRequest {
    after: Seq(0),
    before: Seq(u64::MAX),
    from_oldest: false,
    rows: 200,
    bytes: 1 << 20,
};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "parlor-history-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
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
        Sqlite::open(self.settings(), "first").unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn channel(name: &str) -> Place {
    Place::Channel(name.into())
}

fn proposal(place: &Place, author: u64, text: &str, nonce: Option<&str>) -> Rc<Proposal> {
    let to = matches!(place, Place::Conversation(..)).then(|| "ben".into());
    let (author, text, nonce) = (Author(author), text.into(), nonce.map(Into::into));
    Rc::new(Proposal {
        place: place.clone(),
        author,
        from: "ada".into(),
        to,
        text,
        action: false,
        nonce,
    })
}

fn say(history: &mut dyn History, place: &Place, text: &str, at: u64) -> Stored {
    history
        .commit(&[proposal(place, 1, text, None)], &[], UnixMillis(at))
        .unwrap()[0]
}

fn row(author: u64, name: &str, seen: u64, quit: bool) -> SessionRow {
    SessionRow {
        author: Author(author),
        secret: [author as u8; 20],
        name: name.into(),
        seen: UnixMillis(seen),
        quit,
    }
}

fn numbers(history: &mut dyn History, place: &Place, ask: PageRequest) -> (Vec<u64>, bool) {
    let mut out = Vec::new();
    let more = history.page(place, ask, &mut out).unwrap();
    (out.iter().map(|record| record.seq.0).collect(), more)
}

fn prune(history: &mut dyn History) {
    for _ in 0..10_000 {
        if !history.wants_pruning() {
            return;
        }
        history.prune().unwrap();
    }
    panic!("it never ends");
}

#[test]
fn a_disk_and_a_memory_answer_alike() {
    let folder = Folder::new();
    let mut disk = folder.open();
    let mut memory = Memory::new("first".into(), Author(0));
    let (general, private) = (channel("general"), Place::between(Author(2), Author(1)));
    for history in [&mut disk as &mut dyn History, &mut memory] {
        for n in 1..=10 {
            assert_eq!(say(history, &general, "text", 1_000 + n).seq, Seq(n));
        }
        assert_eq!(
            say(history, &general, "the clock went back", 5).at,
            UnixMillis(1_010)
        );
        let proposals = [
            proposal(&general, 1, "a", Some("n")),
            proposal(&private, 1, "b", Some("n")),
            proposal(&general, 1, "a again", Some("n")),
            proposal(&general, 2, "another's", Some("n")),
        ];
        let sessions = [row(1, "Ada", 2_000, false), row(2, "Ben", 1_500, true)];
        let stored = history
            .commit(&proposals, &sessions, UnixMillis(2_000))
            .unwrap();
        let stored: Vec<_> = stored
            .iter()
            .map(|stored| (stored.seq.0, stored.repeated))
            .collect();
        assert_eq!(stored, [(12, false), (1, false), (12, true), (13, false)]);
        let late = UnixMillis(2_000 + DAY);
        assert!(
            history
                .commit(
                    &[proposal(&general, 1, "c", Some("n"))],
                    &[],
                    UnixMillis(late.0 - 1)
                )
                .unwrap()[0]
                .repeated
        );
        assert!(
            !history
                .commit(&[proposal(&general, 1, "c", Some("n"))], &[], late)
                .unwrap()[0]
                .repeated,
            "a day is over"
        );
        assert_eq!(
            history.span(&general).unwrap(),
            Span {
                first: Seq(1),
                newest: Seq(14)
            }
        );
        assert_eq!(
            history.span(&channel("elsewhere")).unwrap(),
            Span {
                first: Seq(1),
                newest: Seq(0)
            }
        );
        let table: &[(&str, PageRequest, Vec<u64>, bool)] = &[
            ("everything", ALL, (1..=14).collect(), false),
            (
                "the newest two",
                PageRequest { rows: 2, ..ALL },
                vec![13, 14],
                true,
            ),
            (
                "two before 8",
                PageRequest {
                    rows: 2,
                    before: Seq(8),
                    ..ALL
                },
                vec![6, 7],
                true,
            ),
            (
                "after 12",
                PageRequest {
                    after: Seq(12),
                    from_oldest: true,
                    ..ALL
                },
                vec![13, 14],
                false,
            ),
            (
                "the oldest two after 3",
                PageRequest {
                    after: Seq(3),
                    rows: 2,
                    from_oldest: true,
                    ..ALL
                },
                vec![4, 5],
                true,
            ),
            (
                "after the newest",
                PageRequest {
                    after: Seq(14),
                    from_oldest: true,
                    ..ALL
                },
                vec![],
                false,
            ),
            (
                "after what is to come",
                PageRequest {
                    after: Seq(u64::MAX),
                    from_oldest: true,
                    ..ALL
                },
                vec![],
                false,
            ),
            (
                "no bytes: one message",
                PageRequest { bytes: 0, ..ALL },
                vec![14],
                true,
            ),
        ];
        for (name, ask, expected, more) in table {
            assert_eq!(
                numbers(history, &general, *ask),
                (expected.clone(), *more),
                "{name}"
            );
        }
        for who in [1, 2] {
            let other = ConversationRow {
                other: Author(3 - who),
                newest: Seq(1),
            };
            assert_eq!(history.conversations(Author(who), 9).unwrap(), [other]);
        }
        assert_eq!(
            history.session(Author(2)).unwrap(),
            Some(row(2, "Ben", 1_500, true))
        );
        let remembered = history.remembered(10, UnixMillis(0));
        assert_eq!(
            remembered.sessions,
            [row(1, "Ada", 2_000, false)],
            "who quit does not come back by itself"
        );
        assert_eq!(remembered.channels.len(), 1);
    }
}

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let folder = Folder::new();
    let (general, tea) = (channel("general"), channel("tea"));
    let (author, epoch) = {
        let mut history = folder.open();
        say(&mut history, &tea, "first", 10);
        say(&mut history, &general, "second", 20);
        let (nonce, session) = (
            [proposal(&tea, 1, "third", Some("n"))],
            [row(1, "Ada", 30, false)],
        );
        history.commit(&nonce, &session, UnixMillis(30)).unwrap();
        (history.newest_author(), history.epoch())
    };
    let mut history = Sqlite::open(folder.settings(), "second").unwrap();
    assert_eq!(history.epoch(), epoch);
    assert!(
        history.newest_author().0 >= author.0 + (1 << 32),
        "numbers that may have been given are not given again"
    );
    let names: Vec<_> = history
        .remembered(10, UnixMillis(0))
        .channels
        .iter()
        .map(|row| row.name.to_string())
        .collect();
    assert_eq!(names, ["tea", "general"], "the most recently used first");
    let later = history.remembered(1, UnixMillis(30));
    assert_eq!(
        (later.channels.len(), later.sessions.len()),
        (1, 0),
        "as many as are wanted, and who was seen since"
    );
    let mut page = Vec::new();
    history.page(&tea, ALL, &mut page).unwrap();
    assert_eq!(
        page.iter()
            .map(|record| &*record.what.text)
            .collect::<Vec<_>>(),
        ["first", "third"]
    );
    let again = history
        .commit(
            &[proposal(&tea, 1, "third", Some("n"))],
            &[],
            UnixMillis(40),
        )
        .unwrap()[0];
    assert_eq!(
        again,
        Stored {
            seq: Seq(2),
            at: UnixMillis(30),
            repeated: true
        }
    );
    assert_eq!(
        say(&mut history, &tea, "fourth", 5),
        Stored {
            seq: Seq(3),
            at: UnixMillis(30),
            repeated: false
        }
    );
}

#[test]
fn files_that_are_refused_stay_as_they_are() {
    let folder = Folder::new();
    let path = folder.file();
    let refused = |what: &str| {
        let before = std::fs::read(&path).unwrap();
        let error = Sqlite::open(folder.settings(), "epoch")
            .err()
            .unwrap_or_default();
        assert!(
            error.contains(what) && error.contains("parlor.db") && !error.contains('\n'),
            "{what}: {error}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), before, "{what}");
        assert_eq!(
            std::fs::read_dir(&folder.0).unwrap().count(),
            1,
            "{what}: nothing was made beside it"
        );
        std::fs::remove_file(&path).unwrap();
    };
    std::fs::write(&path, "Dear diary, today I wrote a chat.").unwrap();
    refused("not a database");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE notes (text)")
        .unwrap();
    refused("another program");
    drop(folder.open());
    let raised = rusqlite::Connection::open(&path).unwrap();
    raised
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 1000")
        .unwrap();
    drop(raised);
    refused("newer parlor");
    let missing = Settings {
        path: folder.0.join("no/folder/parlor.db"),
        ..Settings::default()
    };
    assert!(
        Sqlite::open(missing, "epoch")
            .err()
            .unwrap()
            .contains("No such file")
    );
    let not_a_file = Settings {
        path: folder.0.clone(),
        ..Settings::default()
    };
    assert!(Sqlite::open(not_a_file, "epoch").is_err());
}

#[test]
fn one_writer_and_many_readers() {
    let folder = Folder::new();
    let mut history = folder.open();
    say(&mut history, &channel("general"), "first", 1);
    assert!(
        Sqlite::open(folder.settings(), "epoch")
            .err()
            .unwrap()
            .contains("another parlor uses it")
    );
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = |reader: &rusqlite::Connection| {
        reader
            .query_row("SELECT count(*) FROM messages", [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap()
    };
    assert_eq!(count(&reader), 1);
    say(&mut history, &channel("general"), "second", 2);
    assert_eq!(
        count(&reader),
        1,
        "a reader is let in, sees what was when it began, and is in nobody's way"
    );
    let copy = folder.0.join("copy.db");
    reader.execute_batch("COMMIT").unwrap();
    reader
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    assert_eq!(count(&rusqlite::Connection::open(&copy).unwrap()), 2);
    let mut restored = Sqlite::open(
        Settings {
            path: copy,
            ..Settings::default()
        },
        "epoch",
    )
    .unwrap();
    assert_eq!(restored.span(&channel("general")).unwrap().newest, Seq(2));
}

#[test]
fn a_lock_is_an_error_at_once_and_over_when_it_is_over() {
    let folder = Folder::new();
    let mut history = folder.open();
    let general = channel("general");
    say(&mut history, &general, "first", 1);
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = history
        .commit(
            &[proposal(&general, 1, "second", Some("n"))],
            &[],
            UnixMillis(2),
        )
        .unwrap_err();
    assert!(error.0.contains("locked"), "{error}");
    assert_eq!(
        numbers(&mut history, &general, ALL),
        (vec![1], false),
        "what there is can be read"
    );
    other.execute_batch("COMMIT").unwrap();
    let stored = history
        .commit(
            &[proposal(&general, 1, "second", Some("n"))],
            &[],
            UnixMillis(3),
        )
        .unwrap()[0];
    assert_eq!((stored.seq, stored.repeated), (Seq(2), false));
}

#[test]
fn the_log_stays_small_even_with_a_reader_that_never_ends() {
    let folder = Folder::new();
    let mut history = folder.open();
    let general = channel("general");
    say(&mut history, &general, "first", 1);
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    let wal = folder.0.join("parlor.db-wal");
    let fill = |history: &mut Sqlite| {
        let text = "x".repeat(4_000);
        let turn: Vec<_> = (0..100)
            .map(|_| proposal(&channel("general"), 1, &text, None))
            .collect();
        (0..100)
            .filter(|n| history.commit(&turn, &[], UnixMillis(10 + n)).is_err())
            .count()
    };
    assert_eq!(fill(&mut history), 0);
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM messages")
        .unwrap();
    assert!(
        fill(&mut history) > 0,
        "rather than to let the log grow for ever"
    );
    assert!(std::fs::metadata(&wal).unwrap().len() < 16 << 20);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(
        fill(&mut history),
        0,
        "it goes on when the reader has ended"
    );
    assert!(std::fs::metadata(&wal).unwrap().len() < 16 << 20);
}

#[test]
fn more_messages_than_are_kept_go_a_little_at_a_time() {
    let folder = Folder::new();
    let (general, tea) = (channel("general"), channel("tea"));
    {
        let mut history = folder.open();
        for n in 1..=1_000 {
            say(&mut history, &general, "text", n);
        }
        say(&mut history, &tea, "text", 1);
    }
    let mut history = Sqlite::open(
        Settings {
            keep: 10,
            ..folder.settings()
        },
        "epoch",
    )
    .unwrap();
    assert_eq!(
        history.span(&general).unwrap().first,
        Seq(1),
        "not at the start"
    );
    history.prune().unwrap();
    history.prune().unwrap();
    assert!(
        history.span(&general).unwrap().first < Seq(500),
        "and not at once"
    );
    prune(&mut history);
    assert_eq!(
        history.span(&general).unwrap(),
        Span {
            first: Seq(991),
            newest: Seq(1_000)
        }
    );
    assert_eq!(
        numbers(&mut history, &general, ALL),
        ((991..=1_000).collect(), false)
    );
    assert_eq!(
        history.span(&tea).unwrap(),
        Span {
            first: Seq(1),
            newest: Seq(1)
        }
    );
    say(&mut history, &general, "one more", 2_000);
    assert!(history.wants_pruning());
    prune(&mut history);
    assert_eq!(history.span(&general).unwrap().first, Seq(992));
}

#[test]
fn days_are_counted_back_from_the_newest_message() {
    let folder = Folder::new();
    let mut history = Sqlite::open(
        Settings {
            days: 2,
            ..folder.settings()
        },
        "epoch",
    )
    .unwrap();
    let (general, tea) = (channel("general"), channel("tea"));
    for (place, day) in [(&general, 1), (&general, 2), (&tea, 1), (&general, 3)] {
        say(&mut history, place, "text", day * DAY);
    }
    prune(&mut history);
    assert_eq!(
        history.span(&tea).unwrap(),
        Span {
            first: Seq(1),
            newest: Seq(1)
        },
        "whatever the clock says now"
    );
    say(&mut history, &general, "text", 4 * DAY);
    prune(&mut history);
    assert_eq!(
        history.span(&general).unwrap(),
        Span {
            first: Seq(2),
            newest: Seq(4)
        }
    );
    assert_eq!(
        history.span(&tea).unwrap(),
        Span {
            first: Seq(2),
            newest: Seq(1)
        },
        "a channel keeps its numbers"
    );
    assert_eq!(numbers(&mut history, &tea, ALL), (vec![], false));
    assert_eq!(say(&mut history, &tea, "text", 4 * DAY).seq, Seq(2));
    assert_eq!(
        history.span(&tea).unwrap(),
        Span {
            first: Seq(2),
            newest: Seq(2)
        }
    );
}

#[test]
fn a_file_that_is_too_large_gives_up_the_oldest() {
    let folder = Folder::new();
    let mut history = Sqlite::open(
        Settings {
            bytes: 1 << 20,
            ..folder.settings()
        },
        "epoch",
    )
    .unwrap();
    let text = "x".repeat(4_000);
    for n in 1..=20 {
        let turn: Vec<_> = (0..50)
            .map(|_| proposal(&channel("general"), 1, &text, None))
            .collect();
        history.commit(&turn, &[], UnixMillis(n)).unwrap();
        prune(&mut history);
    }
    let span = history.span(&channel("general")).unwrap();
    assert!(
        span.newest == Seq(1_000) && span.first.0 > 700 && span.first.0 < 1_000,
        "{span:?}"
    );
    assert!(std::fs::metadata(folder.file()).unwrap().len() < 4 << 20);
}

#[test]
fn sessions_that_were_not_seen_for_long_are_forgotten() {
    let folder = Folder::new();
    let mut history = Sqlite::open(
        Settings {
            session_days: 10,
            ..folder.settings()
        },
        "epoch",
    )
    .unwrap();
    let (both, one) = (
        Place::between(Author(1), Author(2)),
        Place::between(Author(1), Author(3)),
    );
    let sessions = [
        row(1, "Ada", DAY, false),
        row(2, "Ben", DAY, false),
        row(3, "Cleo", 5 * DAY, false),
    ];
    history
        .commit(
            &[proposal(&both, 1, "a", None), proposal(&one, 1, "b", None)],
            &sessions,
            UnixMillis(DAY),
        )
        .unwrap();
    prune(&mut history);
    assert!(history.session(Author(1)).unwrap().is_some());
    history
        .commit(
            &[proposal(&channel("tea"), 3, "c", None)],
            &[row(3, "Cleo", 12 * DAY, false)],
            UnixMillis(12 * DAY),
        )
        .unwrap();
    assert_eq!(history.session(Author(1)).unwrap(), None, "at once");
    prune(&mut history);
    assert_eq!(
        history.conversations(Author(3), 9).unwrap().len(),
        1,
        "who is still known can read on"
    );
    assert_eq!(
        history.conversations(Author(2), 9).unwrap(),
        [],
        "what nobody can read is gone"
    );
    assert_eq!(history.span(&both).unwrap().newest, Seq(0));
}

#[test]
fn a_clock_that_went_back_makes_nobody_unknown() {
    let folder = Folder::new();
    let (tea, year) = (channel("tea"), 365 * DAY);
    let mut history = folder.open();
    history
        .commit(
            &[proposal(&tea, 1, "a", None)],
            &[row(1, "Ada", 50 * year, false)],
            UnixMillis(50 * year),
        )
        .unwrap();
    drop(history);
    // The machine starts at the beginning of time, until it has asked the network.
    let mut history = folder.open();
    let sessions = [row(1, "Ada", 5, false), row(2, "Ben", 5, false)];
    history
        .commit(
            &[proposal(&tea, 1, "b", None), proposal(&tea, 2, "c", None)],
            &sessions,
            UnixMillis(5),
        )
        .unwrap();
    prune(&mut history);
    for author in [1, 2] {
        assert_eq!(
            history.session(Author(author)).unwrap().map(|row| row.seen),
            Some(UnixMillis(50 * year))
        );
    }
}

#[test]
fn an_import_is_whole_or_nothing() {
    let folder = Folder::new();
    let run = |arguments: &[&Path]| {
        let [word, database, file] = arguments else {
            panic!("three of them")
        };
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_parlor"));
        command
            .arg(word)
            .arg("--history")
            .arg(database)
            .arg(file)
            .output()
            .unwrap()
    };
    {
        let mut history = folder.open();
        for n in 1..=3_000 {
            let place = if n % 3 == 0 {
                Place::between(Author(1), Author(2))
            } else {
                channel(["general", "tea"][n % 2])
            };
            let nonce = format!("n{n}");
            history
                .commit(
                    &[proposal(&place, 1, "a \"text\"\n", Some(&nonce))],
                    &[],
                    UnixMillis(n as u64),
                )
                .unwrap();
        }
        history
            .commit(
                &[],
                &[row(1, "Ada", 5, false), row(2, "Ben", 6, true)],
                UnixMillis(9_000),
            )
            .unwrap();
        // Exported while a server has it.
        let exported = run(&[Path::new("export"), &folder.file(), &folder.0.join("lines")]);
        assert!(exported.status.success(), "{exported:?}");
    }
    let lines = std::fs::read_to_string(folder.0.join("lines")).unwrap();
    assert_eq!(lines.lines().count(), 1 + 2 + 3 + 3_000);
    let copy = folder.0.join("copy.db");
    let imported = run(&[Path::new("import"), &copy, &folder.0.join("lines")]);
    assert!(imported.status.success(), "{imported:?}");
    let again = run(&[Path::new("export"), &copy, &folder.0.join("again")]);
    assert!(again.status.success(), "{again:?}");
    assert!(
        std::fs::read_to_string(folder.0.join("again")).unwrap() == lines,
        "the same lines, and in the same order"
    );
    let history = Sqlite::open(
        Settings {
            path: copy.clone(),
            ..Settings::default()
        },
        "x",
    )
    .unwrap();
    assert_ne!(
        history.epoch(),
        "first".into(),
        "who remembers the old one's numbers has to forget them"
    );
    drop(history);

    let wrong = lines.replacen("\"seq\":700,", "\"seq\":701,", 1);
    let number = wrong
        .lines()
        .position(|line| line.contains("\"seq\":701,"))
        .unwrap()
        + 1;
    std::fs::write(folder.0.join("wrong"), &wrong).unwrap();
    let files = || std::fs::read_dir(&folder.0).unwrap().count();
    let before = files();
    let table: &[(&str, PathBuf, &str, String)] = &[
        (
            "a wrong line",
            folder.0.join("new.db"),
            "wrong",
            format!("line {number}:"),
        ),
        ("there is one already", copy, "lines", "already".to_owned()),
        (
            "no such file",
            folder.0.join("new.db"),
            "nothing",
            "nothing".to_owned(),
        ),
    ];
    for (name, database, file, expected) in table {
        let refused = run(&[Path::new("import"), database, &folder.0.join(file)]);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{name}");
        assert!(
            error.contains(expected) && error.lines().count() == 1,
            "{name}: {error}"
        );
        assert_eq!(files(), before, "{name}: nothing was made");
    }
}

/// The lines of an export, and what happens at the `at`th.
fn exported_meanwhile(
    folder: &Folder,
    at: usize,
    mut meanwhile: impl FnMut(),
) -> Result<Vec<Vec<u8>>, String> {
    let mut lines = Vec::new();
    Export::open(&folder.file())?.each(|line| {
        if lines.len() == at {
            meanwhile();
        }
        let mut text = Vec::new();
        line.encode(&mut text);
        lines.push(text);
        Ok(())
    })?;
    Ok(lines)
}

#[test]
fn an_export_has_every_place_once_whatever_is_said_meanwhile() {
    let folder = Folder::new();
    let mut history = folder.open();
    let (general, tea) = (channel("general"), channel("tea"));
    for (n, place) in [&general, &tea].into_iter().enumerate() {
        say(&mut history, place, "before", n as u64);
    }
    // The head, general, its message: then somebody writes there again, and in a new place.
    let lines = exported_meanwhile(&folder, 3, || {
        say(&mut history, &general, "meanwhile", 10);
        say(&mut history, &channel("new"), "meanwhile", 11);
    });
    let mut read = Lines::default();
    let places = |line: &Vec<u8>| match read.read(line).unwrap() {
        Line::Place(place, _) => Some(place),
        _ => None,
    };
    assert_eq!(
        lines.unwrap().iter().filter_map(places).collect::<Vec<_>>(),
        [general, tea]
    );
}

#[test]
fn an_export_that_was_overtaken_by_pruning_says_so() {
    let folder = Folder::new();
    let mut history = Sqlite::open(
        Settings {
            keep: 10,
            ..folder.settings()
        },
        "epoch",
    )
    .unwrap();
    for n in 0..15 {
        let turn: Vec<_> = (0..100)
            .map(|_| proposal(&channel("general"), 1, "text", None))
            .collect();
        history.commit(&turn, &[], UnixMillis(n)).unwrap();
    }
    let error = exported_meanwhile(&folder, 500, || prune(&mut history)).unwrap_err();
    assert!(error.contains("again"), "{error}");
    assert_eq!(
        exported_meanwhile(&folder, 500, || {}).unwrap().len(),
        2 + 10
    );
}

#[test]
fn an_import_does_not_go_under_the_log_of_another_history() {
    let folder = Folder::new();
    let log = folder.0.join("parlor.db-wal");
    std::fs::write(&log, "of a server that was killed").unwrap();
    let error = Import::begin(&folder.file(), "epoch").err().unwrap();
    assert!(
        error.contains("parlor.db-wal") && !folder.file().exists(),
        "{error}"
    );
    std::fs::remove_file(&log).unwrap();
    assert!(Import::begin(&folder.file(), "epoch").is_ok());
}

#[test]
fn an_import_of_the_greatest_numbers_leaves_room_for_more() {
    let folder = Folder::new();
    let mut import = Import::begin(&folder.file(), "epoch").unwrap();
    let most = (1 << 52) - 1;
    import
        .take(&Line::Session(row(most, "Ada", most, false)))
        .unwrap();
    for n in 0..5_000 {
        import
            .take(&Line::Place(channel(&format!("c{n}")), Seq(most)))
            .unwrap();
    }
    import.finish().unwrap();
    let mut history = folder.open();
    assert_eq!(history.newest_author(), Author(most));
    assert_eq!(
        say(&mut history, &channel("c0"), "text", 1).seq,
        Seq(most + 1)
    );
    let newest = history.remembered(2, UnixMillis(0)).channels;
    assert_eq!(
        newest.iter().map(|row| &*row.name).collect::<Vec<_>>(),
        ["c0", "c4999"]
    );
}
