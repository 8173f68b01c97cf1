//! What is stored and read, in one process and after a restart.

use crate::{ALL, BEGIN, DAY, Folder, ask, channel, now, on_both, proposal, row, say, seqs, span};
use parlor::history::sqlite::Sqlite;
use parlor::history::{Author, ConversationRow, History, PageRequest, Place, Seq, SessionRow};
use parlor::time::UnixMillis;
use std::time::Duration;

#[test]
fn disk_and_memory_answer_alike() {
    let (general, private) = (channel("general"), Place::between(Author(2), Author(1)));
    on_both(|history| {
        for n in 1..=11 {
            assert_eq!(say(history, &general, now(n)).seq, Seq(n));
        }
        let proposals = [
            proposal(&general, 1, "a", Some("n")),
            proposal(&private, 1, "b", Some("n")),
            proposal(&general, 1, "a again", Some("n")),
            proposal(&general, 2, "another's", Some("n")),
        ];
        let sessions = [row(1, "Ada", false), row(2, "Ben", true)];
        let stored = history.commit(&proposals, &sessions, now(2_000)).unwrap();
        let results: Vec<_> = stored.iter().map(|it| (it.seq.0, it.repeated)).collect();
        assert_eq!(results, [(12, false), (1, false), (12, true), (13, false)]);
        let again = [proposal(&general, 1, "c", Some("n"))];
        let stored = history.commit(&again, &[], now(1_999 + DAY)).unwrap()[0];
        let found = (stored.seq.0, stored.at.0, stored.repeated);
        assert_eq!(found, (12, BEGIN + 2_000, true));
        let stored = history.commit(&again, &[], now(2_000 + DAY)).unwrap()[0];
        assert!(!stored.repeated, "a day is over");
        assert_eq!(span(history, &general), (1, 14));
        assert_eq!(span(history, &channel("elsewhere")), (1, 0));
        assert_eq!(seqs(history, &channel("elsewhere"), ALL), (vec![], false));
        let two = ask(|it| it.rows = 2);
        let before = ask(|it| (it.rows, it.before) = (2, Seq(8)));
        let after = |seq| ask(|it| (it.rows, it.after, it.from_oldest) = (2, Seq(seq), true));
        let none = ask(|it| it.bytes = 0);
        let all: Vec<u64> = (1..=14).collect();
        let table: &[(&str, PageRequest, &[u64], bool)] = &[
            ("all", ALL, &all, false),
            ("the newest two", two, &[13, 14], true),
            ("two before 8", before, &[6, 7], true),
            ("the oldest two after 3", after(3), &[4, 5], true),
            ("after the end of numbers", after(u64::MAX), &[], false),
            ("one without bytes", none, &[14], true),
        ];
        for (name, ask, expected, more) in table {
            let found = seqs(history, &general, *ask);
            assert_eq!(found, (expected.to_vec(), *more), "{name}");
        }
        for author in [1, 2] {
            let other = ConversationRow {
                other: Author(3 - author),
                newest: Seq(1),
            };
            assert_eq!(history.conversations(Author(author), 9).unwrap(), [other]);
        }
        let seen = UnixMillis(BEGIN + 2_000);
        let ben = history.session(Author(2)).unwrap();
        let expected = row(2, "Ben", true);
        assert_eq!(ben, Some(SessionRow { seen, ..expected }));
        let remembered = history.remembered(10, Duration::from_secs(86_401), now(2_000 + DAY));
        let ada = SessionRow {
            seen,
            ..row(1, "Ada", false)
        };
        assert_eq!(remembered.sessions, [ada], "Ben quit");
        assert_eq!(remembered.channels.len(), 1);
        let authors = [history.next_author().0, history.next_author().0];
        assert_eq!(authors[1], authors[0] + 1);
    });
}

#[test]
fn stored_messages_are_there_after_a_restart() {
    let folder = Folder::new();
    let (general, tea) = (channel("general"), channel("tea"));
    let third = [proposal(&tea, 1, "third", Some("n"))];
    let epoch = {
        let mut history = folder.open();
        say(&mut history, &tea, now(10));
        say(&mut history, &general, now(20));
        history
            .commit(&third, &[row(1, "Ada", false)], now(30))
            .unwrap();
        history.epoch()
    };
    let mut history = Sqlite::open(folder.settings(), "second").unwrap();
    assert_eq!(history.epoch(), epoch);
    let remembered = history.remembered(10, Duration::from_millis(20), now(40));
    let names: Vec<_> = remembered.channels.iter().map(|row| &*row.name).collect();
    assert_eq!(names, ["tea", "general"], "the most recently used first");
    assert_eq!(remembered.sessions.len(), 1);
    let later = history.remembered(1, Duration::from_millis(10), now(40));
    assert_eq!((later.channels.len(), later.sessions.len()), (1, 0));
    assert_eq!(seqs(&mut history, &tea, ALL).0, [1, 2]);
    let again = history.commit(&third, &[], now(50)).unwrap()[0];
    let found = (again.seq.0, again.at.0, again.repeated);
    assert_eq!(found, (2, BEGIN + 30, true));
    assert_eq!(say(&mut history, &tea, now(60)).seq, Seq(3));
}

#[test]
fn author_numbers_are_spent_as_they_are_used() {
    let folder = Folder::new();
    for expected in 1..=20 {
        let mut history = folder.open();
        assert_eq!(history.next_author(), Author(expected));
    }
    let mut newest = 20;
    for start in 0..3 {
        let mut history = folder.open();
        let first = history.next_author().0;
        assert!(first > newest, "no number is given twice");
        newest = first;
        assert!(first <= 21 + start * 16, "a crash loses sixteen: {first}");
        // The files after `kill -9`: the database and its log.
        let left = ["", "-wal"].map(|ending| {
            let path = format!("{}{ending}", folder.file().display());
            (std::fs::read(&path).unwrap(), path)
        });
        drop(history);
        left.iter()
            .for_each(|(bytes, path)| std::fs::write(path, bytes).unwrap());
    }
}

#[test]
fn one_writer_and_many_readers() {
    let folder = Folder::new();
    let mut history = folder.open();
    say(&mut history, &channel("general"), now(1));
    let second = Sqlite::open(folder.settings(), "epoch").err().unwrap();
    assert!(second.contains("another parlor uses it"), "{second}");
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = |reader: &rusqlite::Connection| {
        let count = "SELECT count(*) FROM messages";
        let count = reader.query_row(count, [], |row| row.get::<_, i64>(0));
        count.unwrap()
    };
    assert_eq!(count(&reader), 1);
    say(&mut history, &channel("general"), now(2));
    assert_eq!(count(&reader), 1);
    let copy = folder.0.join("copy.db");
    reader.execute_batch("COMMIT").unwrap();
    let copied = reader.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]);
    copied.unwrap();
    let mut restored = folder.open_file("copy.db");
    assert_eq!(span(&mut restored, &channel("general")), (1, 2));
}

#[test]
fn lock_of_another_program_is_recognized_at_once() {
    let folder = Folder::new();
    let mut history = folder.open();
    let general = channel("general");
    say(&mut history, &general, now(1));
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let second = [proposal(&general, 1, "second", Some("n"))];
    let error = history.commit(&second, &[], now(2)).unwrap_err();
    assert!(error.0.contains("locked") && history.is_locked(), "{error}");
    assert_eq!(seqs(&mut history, &general, ALL), (vec![1], false));
    other.execute_batch("COMMIT").unwrap();
    let stored = history.commit(&second, &[], now(3)).unwrap()[0];
    assert_eq!((stored.seq, stored.repeated), (Seq(2), false));
}

#[test]
fn start_waits_for_the_lock_of_another_program() {
    let folder = Folder::new();
    say(&mut folder.open(), &channel("general"), now(1));
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        other.execute_batch("COMMIT").unwrap();
    });
    say(&mut folder.open(), &channel("general"), now(2));
    release.join().unwrap();
}

#[test]
fn log_that_another_program_restarted_has_room() {
    let folder = Folder::new();
    let mut history = folder.open_with(|settings| settings.log_bytes = 12 << 20);
    let [first, second] = [0; 2].map(|_| rusqlite::Connection::open(folder.file()).unwrap());
    let read = "BEGIN; SELECT count(*) FROM messages";
    first.execute_batch(read).unwrap();
    let turn = vec![proposal(&channel("general"), 1, &"x".repeat(4_000), None); 100];
    while history.commit(&turn, &[], now(1)).is_ok() {}
    // As Litestream does it: a checkpoint, a read transaction that lasts, and a write.
    first
        .execute_batch("COMMIT; PRAGMA wal_checkpoint; CREATE TABLE other (n)")
        .unwrap();
    second.execute_batch("PRAGMA wal_checkpoint").unwrap();
    second.execute_batch(read).unwrap();
    first.execute_batch("INSERT INTO other VALUES (1)").unwrap();
    history.commit(&turn, &[], now(2)).unwrap();
}

#[test]
fn log_stays_small_with_a_reader_that_never_ends() {
    let folder = Folder::new();
    let mut history = folder.open_with(|settings| settings.log_bytes = 12 << 20);
    let general = channel("general");
    say(&mut history, &general, now(1));
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    let text = "x".repeat(4_000);
    let turn = vec![proposal(&general, 1, &text, None); 100];
    let failures = |history: &mut Sqlite| {
        let fails = |n: &u64| history.commit(&turn, &[], now(10 + n)).is_err();
        (0..60).filter(fails).count()
    };
    let log = folder.0.join("parlor.db-wal");
    let log = || std::fs::metadata(&log).unwrap().len();
    assert_eq!(failures(&mut history), 0);
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM messages")
        .unwrap();
    assert!(failures(&mut history) > 0);
    assert!(log() < 16 << 20);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(failures(&mut history), 0);
    assert!(log() < 16 << 20);
}
