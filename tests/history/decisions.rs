//! The decisions of owners, in memory and on disk.

use crate::{ALL, Folder, channel, now, proposal, prune, row, say, seqs, span};
use parlor::history::{
    Author, ChannelSettings, Decision, History, Kind, Memory, Proposal, Refusal, Remembered,
    Sanction, Seq, Writing,
};
use parlor::time::UnixMillis;
use std::rc::Rc;
use std::time::Duration;

fn remembered(history: &mut dyn History) -> Remembered {
    history.remembered(10, Duration::from_secs(1), now(1_000))
}

fn sanction(author: u64, muted: u64, kicked: u64) -> Sanction {
    Sanction {
        author: Author(author),
        name: "Ada".into(),
        muted_until: UnixMillis(now(muted).unix.0),
        kicked_until: UnixMillis(now(kicked).unix.0),
    }
}

fn names(remembered: &Remembered) -> Vec<&str> {
    let rows = remembered.channels.iter();
    rows.map(|row| &*row.name).collect()
}

#[test]
fn decisions_are_remembered() {
    let folder = Folder::new();
    let mut memory = Memory::new("first".into(), Author(0));
    let rules = ChannelSettings {
        writing: Writing::Slow(30),
        pinned: Some(Seq(2)),
    };
    let decide = |history: &mut dyn History| {
        for place in ["tea", "chess", "general"] {
            say(history, &channel(place), now(1));
            say(history, &channel(place), now(2));
        }
        let owner = ChannelSettings {
            writing: Writing::Owner,
            pinned: None,
        };
        for decision in [
            Decision::Sanction(sanction(1, 5, 0)),
            Decision::Sanction(sanction(2, 9_000, 0)),
            Decision::Sanction(sanction(2, 9_000, 8_000)),
            Decision::Door { is_open: false },
            Decision::Settings("tea".into(), rules),
            Decision::Settings("quiet".into(), owner),
            Decision::Settings("chess".into(), rules),
            Decision::Remove("chess".into()),
        ] {
            let rows = [row(7, "Ada", false)];
            history.decide(&decision, &rows, now(10)).unwrap();
        }
    };
    decide(&mut memory);
    decide(&mut folder.open());
    let mut disk = folder.open();
    for history in [&mut disk as &mut dyn History, &mut memory] {
        let found = remembered(history);
        assert_eq!(found.sanctions, [sanction(2, 9_000, 8_000)], "1's is over");
        assert!(found.door_is_closed);
        assert_eq!(found.sessions.len(), 1);
        let mut listed = names(&found);
        listed.sort_unstable();
        assert_eq!(listed, ["general", "quiet", "tea"]);
        let tea = found.channels.iter().find(|row| *row.name == *"tea");
        assert_eq!(tea.unwrap().settings, rules);
        let quiet = history.settings(&"quiet".into()).unwrap();
        assert_eq!(quiet.writing, Writing::Owner);
        for name in ["chess", "general", "elsewhere"] {
            let settings = history.settings(&name.into());
            assert_eq!(settings, Ok(ChannelSettings::default()), "{name}");
        }
        let opened = Decision::Door { is_open: true };
        history.decide(&opened, &[], now(20)).unwrap();
        assert!(!remembered(history).door_is_closed);
    }
}

#[test]
fn cleared_channel_is_empty_and_its_numbers_go_on() {
    let folder = Folder::new();
    let mut disk = folder.open();
    let mut memory = Memory::new("first".into(), Author(0));
    let (tea, chess) = (channel("tea"), channel("chess"));
    let again = [proposal(&tea, 1, "again", Some("n"))];
    for history in [&mut disk as &mut dyn History, &mut memory] {
        history.commit(&again, &[], now(1)).unwrap();
        for n in 2..=500 {
            say(history, &tea, now(n));
            say(history, &chess, now(n));
        }
        let rules = ChannelSettings {
            writing: Writing::Owner,
            pinned: Some(Seq(3)),
        };
        let settings = Decision::Settings("tea".into(), rules);
        history.decide(&settings, &[], now(600)).unwrap();
        let (clear, remove) = (
            Decision::Clear("tea".into()),
            Decision::Remove("chess".into()),
        );
        for decision in [clear, remove] {
            history.decide(&decision, &[], now(600)).unwrap();
        }
        let kept = history.settings(&"tea".into()).unwrap();
        assert_eq!((kept.writing, kept.pinned), (rules.writing, None));
        assert_eq!(names(&remembered(history)), ["tea"]);
        let edit = Rc::new(Proposal {
            kind: Kind::Edit { of: Seq(500) },
            nonce: None,
            ..(*again[0]).clone()
        });
        let edited = history.commit(&[edit], &[], now(650)).unwrap()[0];
        assert_eq!(edited.refused, Some(Refusal::NoSuchMessage));
        for (place, newest) in [(&tea, 500), (&chess, 499)] {
            assert_eq!(span(history, place), (newest + 1, newest));
            assert_eq!(seqs(history, place, ALL), (vec![], false));
            assert_eq!(say(history, place, now(700)).seq.0, newest + 1);
            assert_eq!(seqs(history, place, ALL), (vec![newest + 1], false));
        }
        let first = history.commit(&again, &[], now(800)).unwrap()[0];
        let found = (first.seq, first.repeated);
        assert_eq!(found, (Seq(1), true), "its nonces hold");
        assert_eq!(names(&remembered(history)), ["chess", "tea"]);
    }
    prune(&mut disk, now(900));
    drop(disk);
    let file = rusqlite::Connection::open(folder.file()).unwrap();
    let count = "SELECT count(*) FROM messages";
    let count: i64 = file.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2, "pruning deleted the messages");
    assert_eq!(span(&mut folder.open(), &tea), (501, 501));
}
