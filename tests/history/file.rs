//! Which files are opened, and what happens when one changes under a running server.

use crate::{ALL, Folder, channel, now, proposal, row, say, seqs, span};
use parlor::history::sqlite::Sqlite;
use parlor::history::{Author, History, Settings};
use std::fs;
use std::path::Path;

/// A change of a file, and its name.
type Change = (&'static str, fn(&Path));

#[test]
fn refused_files_stay_as_they_are() {
    let folder = Folder::new();
    let path = folder.file();
    let refused = |what: &str| {
        let before = fs::read(&path).unwrap();
        let error = Sqlite::open(folder.settings(), "epoch")
            .err()
            .unwrap_or_default();
        let is_one_line = error.contains("parlor.db") && !error.contains('\n');
        assert!(error.contains(what) && is_one_line, "{what}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{what}");
        assert_eq!(folder.files(), ["parlor.db"], "{what}: nothing else");
        fs::remove_file(&path).unwrap();
    };
    fs::write(&path, "Dear diary, today I wrote a chat.").unwrap();
    refused("not a database");
    let foreign = |sql: &str| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    foreign("CREATE TABLE notes (text)");
    refused("another program");
    foreign("PRAGMA journal_mode = WAL; CREATE TABLE notes (text)");
    refused("another program");
    drop(folder.open());
    foreign("PRAGMA journal_mode = DELETE; PRAGMA user_version = 1000");
    refused("newer parlor");
    for (path, expected) in [
        (folder.0.join("no/folder/parlor.db"), "No such file"),
        (folder.0.clone(), "directory"),
        ("".into(), "empty path"),
    ] {
        let default = Settings::default();
        let settings = Settings { path, ..default };
        let error = Sqlite::open(settings, "epoch").err().unwrap_or_default();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn unfinished_files_are_finished() {
    let unfinished: [Change; 2] = [
        ("empty", |path| fs::write(path, "").unwrap()),
        ("a start that left its new file", |path| {
            fs::write(path.with_extension("db.new"), "half").unwrap();
        }),
    ];
    for (name, leave) in unfinished {
        let folder = Folder::new();
        leave(&folder.file());
        let mut history = folder.open();
        let seq = say(&mut history, &channel("tea"), now(1)).seq.0;
        assert_eq!(seq, 1, "{name}");
        drop(history);
        assert_eq!(span(&mut folder.open(), &channel("tea")), (1, 1), "{name}");
    }
}

/// Names that SQLite would not read as plain paths.
#[test]
fn names_of_sqlite_are_paths() {
    let folder = Folder::new();
    for name in ":memory: file:x?mode=memory file::memory: a?b#c%20d".split(' ') {
        say(&mut folder.open_file(name), &channel("tea"), now(1));
        assert!(folder.0.join(name).is_file(), "{name}");
        let span = span(&mut folder.open_file(name), &channel("tea"));
        assert_eq!(span, (1, 1), "{name}");
    }
}

/// Sends three messages, changes the file, and checks that the next commit fails. Returns the
/// result of the repair.
fn disturb(folder: &Folder, change: impl FnOnce(&Path)) -> (Sqlite, Result<(), String>) {
    let mut history = folder.open();
    let tea = channel("tea");
    for n in 1..=3 {
        let (text, ada) = ([proposal(&tea, 1, "text", None)], [row(1, "Ada", false)]);
        history.commit(&text, &ada, now(n)).unwrap();
    }
    change(&folder.file());
    let fourth = [proposal(&tea, 1, "text", Some("n"))];
    let error = history.commit(&fourth, &[], now(10)).unwrap_err();
    assert!(error.0.contains("its file"), "{error}");
    assert!(
        history.maintain(now(1_000)).is_err(),
        "it is not restored yet"
    );
    assert_eq!(seqs(&mut history, &tea, ALL).0.len(), 3, "reads still work");
    let restored = history.maintain(now(2_100)).map_err(|error| error.0);
    if restored.is_ok() {
        let stored = history.commit(&fourth, &[], now(2_200)).unwrap()[0];
        assert_eq!((stored.seq.0, stored.repeated), (4, false));
    }
    (history, restored)
}

#[track_caller]
fn assert_has(folder: &Folder, messages: u64) {
    let mut history = folder.open();
    assert_eq!(span(&mut history, &channel("tea")), (1, messages));
    assert!(history.session(Author(1)).unwrap().is_some());
}

#[test]
fn lost_file_is_noticed_and_restored() {
    let beside = |path: &Path, ending: &str| format!("{}{ending}", path.display());
    let changes: [Change; 5] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("removed with its log", |path| {
            for ending in ["", "-wal", "-shm"] {
                fs::remove_file(format!("{}{ending}", path.display())).unwrap();
            }
        }),
        ("only its log removed", |path| {
            fs::remove_file(format!("{}-wal", path.display())).unwrap();
        }),
        ("moved", |path| {
            fs::rename(path, path.with_extension("moved")).unwrap()
        }),
        ("replaced by a copy", |path| {
            fs::copy(path, path.with_extension("copy")).unwrap();
            fs::rename(path.with_extension("copy"), path).unwrap();
        }),
    ];
    for (name, change) in changes {
        let folder = Folder::new();
        let (history, restored) = disturb(&folder, change);
        assert_eq!(restored, Ok(()), "{name}");
        drop(history);
        let log = beside(&folder.file(), "-wal");
        assert!(!Path::new(&log).exists(), "{name}");
        assert_has(&folder, 4);
    }
}

/// Because of the reader, only the log has the newest message.
#[test]
fn log_removed_beside_a_reader_loses_nothing() {
    let folder = Folder::new();
    let mut history = folder.open();
    say(&mut history, &channel("tea"), now(1));
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM messages")
        .unwrap();
    say(&mut history, &channel("tea"), now(2));
    fs::remove_file(format!("{}-wal", folder.file().display())).unwrap();
    assert!(history.maintain(now(10)).is_err());
    assert_eq!(history.maintain(now(3_000)), Ok(()));
    assert_eq!(say(&mut history, &channel("tea"), now(3_001)).seq.0, 3);
    drop((history, reader));
    assert_eq!(span(&mut folder.open(), &channel("tea")), (1, 3));
}

#[test]
fn moved_file_is_whole_and_taken_back() {
    let folder = Folder::new();
    let moved = folder.0.join("moved.db");
    let (history, restored) = disturb(&folder, |path| fs::rename(path, &moved).unwrap());
    assert_eq!(restored, Ok(()));
    let mut other = folder.open_file("moved.db");
    assert_eq!(span(&mut other, &channel("tea")), (1, 3));
    drop((history, other));

    // Moved back before the server has repaired anything.
    let folder = Folder::new();
    let mut history = folder.open();
    say(&mut history, &channel("tea"), now(1));
    fs::rename(folder.file(), folder.0.join("moved.db")).unwrap();
    assert!(history.maintain(now(10)).is_err());
    fs::rename(folder.0.join("moved.db"), folder.file()).unwrap();
    assert_eq!(history.maintain(now(3_000)), Ok(()));
    assert_eq!(say(&mut history, &channel("tea"), now(3_001)).seq.0, 2);
}

#[test]
fn foreign_file_in_its_place_is_renamed() {
    let folder = Folder::new();
    let (history, restored) = disturb(&folder, |path| {
        fs::write(path.with_extension("new"), "a diary").unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    });
    assert_eq!(restored, Ok(()));
    drop(history);
    assert_has(&folder, 4);
    let files = folder.files();
    let renamed = files.iter().find(|name| name.contains(".replaced-"));
    let renamed = folder.0.join(renamed.expect("the file is renamed"));
    assert_eq!(fs::read(renamed).unwrap(), b"a diary");
}

#[test]
fn history_of_another_server_in_its_place_is_left_alone() {
    let folder = Folder::new();
    let mut other = None;
    let (history, restored) = disturb(&folder, |path| {
        fs::rename(path, path.with_extension("old")).unwrap();
        other = Some(folder.open());
    });
    let why = restored.unwrap_err();
    assert!(why.contains("another parlor uses it; it is saved as"));
    let mut other = other.unwrap();
    assert_eq!(say(&mut other, &channel("chess"), now(1)).seq.0, 1);
    drop((history, other));
    assert_eq!(span(&mut folder.open(), &channel("chess")), (1, 1));
    let mut saved = folder.open_file("parlor.db.restored");
    assert_eq!(span(&mut saved, &channel("tea")), (1, 3));
}

/// Damaged data can't be restored, but no more messages are acknowledged.
#[test]
fn damaged_file_is_noticed() {
    let other = Folder::new();
    drop(Sqlite::open(other.settings(), "another epoch"));
    let foreign = fs::read(other.file()).unwrap();
    let truncate = |path: &Path, bytes: u64| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(bytes).unwrap();
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&Path));
    let changes: [Change<'_>; 3] = [
        ("truncated", &|path| truncate(path, 0)),
        ("half of it", &|path| {
            truncate(path, fs::metadata(path).unwrap().len() / 2)
        }),
        // Longer than the file, so that its length doesn't reveal the damage.
        ("overwritten", &|path| {
            fs::write(path, [&foreign[..], &[0; 1 << 20]].concat()).unwrap()
        }),
    ];
    for (name, change) in changes {
        let folder = Folder::new();
        let mut damaged = Vec::new();
        let (history, restored) = disturb(&folder, |path| {
            change(path);
            damaged = fs::read(path).unwrap();
        });
        drop(history);
        match restored {
            Ok(()) => assert_has(&folder, 4),
            Err(_) => assert!(fs::read(folder.file()).unwrap() == damaged, "{name}"),
        }
    }
}

#[test]
fn file_removed_before_the_stop_is_restored_by_it() {
    let folder = Folder::new();
    let mut history = folder.open();
    let ada = [row(1, "Ada", false)];
    history.commit(&[], &ada, now(1)).unwrap();
    (0..3).for_each(|n| _ = say(&mut history, &channel("tea"), now(n + 2)));
    fs::remove_file(folder.file()).unwrap();
    drop(history);
    assert_has(&folder, 3);
}
