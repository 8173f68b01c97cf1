//! A wall clock that is wrong deletes nothing.

use crate::{BEGIN, DAY, Folder, channel, now, proposal, prune, repeats, row, say, span, wrong};
use parlor::history::sqlite::Sqlite;
use parlor::history::{Author, History, Place};
use parlor::time::Now;

/// How far a wrong clock is off.
const JUMPS: [i64; 6] = [
    2 * 60 * 60 * 1_000,
    2 * DAY as i64,
    40 * DAY as i64,
    80 * 365 * DAY as i64,
    -40 * DAY as i64,
    -(BEGIN as i64),
];

fn open(folder: &Folder) -> Sqlite {
    folder.open_with(|settings| settings.days = 30)
}

/// Ada and Ben write, in public and privately, and leave.
fn prepare(history: &mut Sqlite) {
    let private = Place::between(Author(1), Author(2));
    let texts = [
        proposal(&channel("tea"), 1, "a", Some("n")),
        proposal(&private, 1, "b", None),
    ];
    let sessions = [row(1, "Ada", false), row(2, "Ben", false)];
    history.commit(&texts, &sessions, now(1)).unwrap();
}

/// Cleo writes, and everything that is due is pruned.
fn disturb(history: &mut Sqlite, now: Now) {
    let texts = [proposal(&channel("tea"), 3, "c", None)];
    let cleo = [row(3, "Cleo", false)];
    let stored = history.commit(&texts, &cleo, now).unwrap();
    assert_eq!(stored[0].at, now.unix, "the time is the wall clock's");
    prune(history, now);
}

#[track_caller]
fn assert_whole(history: &mut Sqlite, now: Now) {
    prune(history, now);
    assert_eq!(span(history, &channel("tea")).0, 1);
    assert_eq!(span(history, &Place::between(Author(1), Author(2))), (1, 1));
    assert_eq!(history.conversations(Author(2), 9).unwrap().len(), 1);
    for author in [1, 2] {
        assert!(history.session(Author(author)).unwrap().is_some());
    }
    assert!(repeats(history, "n", now), "the nonce is known");
}

#[test]
fn clock_wrong_for_a_moment_deletes_nothing() {
    for jump in JUMPS {
        // Wrong while the server runs.
        let folder = Folder::new();
        let mut history = open(&folder);
        prepare(&mut history);
        for n in 0..5 {
            disturb(&mut history, wrong(10 + n, jump));
            assert_whole(&mut history, wrong(20 + n, jump));
        }
        disturb(&mut history, now(30));
        assert_whole(&mut history, now(40));
        drop(history);
        // Wrong at three starts.
        for start in 0..3 {
            let mut history = open(&folder);
            disturb(&mut history, wrong(50 + start, jump));
            assert_whole(&mut history, wrong(60 + start, jump));
        }
        let mut history = open(&folder);
        disturb(&mut history, now(100));
        assert_whole(&mut history, now(110));
        // Wrong from the start, and corrected later.
        let folder = Folder::new();
        let mut history = open(&folder);
        disturb(&mut history, wrong(0, jump));
        prepare(&mut history);
        disturb(&mut history, now(20));
        assert_whole(&mut history, now(30));
    }
}

#[test]
fn jump_that_lasts_a_day_is_believed() {
    let folder = Folder::new();
    let mut history = open(&folder);
    prepare(&mut history);
    let jump = 40 * DAY as i64;
    disturb(&mut history, wrong(10, jump));
    disturb(&mut history, wrong(DAY - 60_000, jump));
    assert!(history.session(Author(1)).unwrap().is_some());
    disturb(&mut history, wrong(DAY + 60_000, jump));
    prune(&mut history, wrong(DAY + 60_000, jump));
    assert!(history.session(Author(1)).unwrap().is_none());
    assert_eq!(span(&mut history, &channel("tea")).0, 2);
}

#[test]
fn times_of_a_wrong_clock_do_not_stop_pruning() {
    let folder = Folder::new();
    let mut history = open(&folder);
    let ahead = 80 * 365 * DAY as i64;
    say(&mut history, &channel("tea"), now(0));
    disturb(&mut history, wrong(10, ahead));
    say(&mut history, &channel("tea"), now(20));
    disturb(&mut history, now(DAY));
    // All of that is old, in spite of the wrong times.
    let later = now(70 * DAY);
    for n in 0..40 {
        let (dan, now) = ([row(4, "Dan", false)], now((30 + n) * DAY));
        history.commit(&[], &dan, now).unwrap();
        say(&mut history, &channel("general"), now);
        prune(&mut history, now);
    }
    prune(&mut history, later);
    assert_eq!(span(&mut history, &channel("tea")), (5, 4));
    assert!(history.session(Author(3)).unwrap().is_none());
}
