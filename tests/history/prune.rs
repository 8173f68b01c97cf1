//! Pruning by number, by age and by size, and what it keeps.

use crate::{ALL, DAY, Folder, channel, now, proposal, prune, repeats, row, say, seqs, span};
use parlor::history::{Author, History, Place, Seq, Settings};

#[test]
fn keep_prunes_a_little_at_a_time() {
    let folder = Folder::new();
    let (general, tea) = (channel("general"), channel("tea"));
    {
        let mut history = folder.open();
        let turn = vec![proposal(&general, 1, "text", None); 1_000];
        history.commit(&turn, &[], now(1)).unwrap();
        say(&mut history, &tea, now(1));
    }
    let mut history = folder.open_with(|settings| settings.keep = 10);
    assert_eq!(span(&mut history, &general).0, 1, "not at the start");
    for _ in 0..2 {
        history.maintain(now(2)).unwrap();
    }
    assert!((2..500).contains(&span(&mut history, &general).0));
    prune(&mut history, now(3));
    assert_eq!(span(&mut history, &general), (991, 1_000));
    let kept = (991..=1_000).collect();
    assert_eq!(seqs(&mut history, &general, ALL), (kept, false));
    assert_eq!(span(&mut history, &tea), (1, 1));
    say(&mut history, &general, now(4));
    prune(&mut history, now(4));
    assert_eq!(span(&mut history, &general), (992, 1_001));
}

#[test]
fn days_count_back_from_the_newest_message() {
    let folder = Folder::new();
    let mut history = folder.open_with(|settings| settings.days = 2);
    let (general, tea) = (channel("general"), channel("tea"));
    for (place, day) in [(&general, 1), (&general, 2), (&tea, 1), (&general, 3)] {
        say(&mut history, place, now(day * DAY));
    }
    prune(&mut history, now(300 * DAY));
    assert_eq!(span(&mut history, &tea), (1, 1), "however late it is");
    say(&mut history, &general, now(301 * DAY));
    prune(&mut history, now(301 * DAY));
    assert_eq!(span(&mut history, &general), (4, 4));
    assert_eq!(span(&mut history, &tea), (2, 1));
    assert_eq!(say(&mut history, &tea, now(302 * DAY)).seq, Seq(2));
    assert_eq!(span(&mut history, &tea), (2, 2));
}

#[test]
fn bytes_prune_the_oldest_messages() {
    let folder = Folder::new();
    let mut history = folder.open_with(|settings| settings.bytes = 1 << 20);
    let text = "x".repeat(4_000);
    let general = channel("general");
    let turn = vec![proposal(&general, 1, &text, None); 50];
    for n in 1..=20 {
        history.commit(&turn, &[], now(n)).unwrap();
        prune(&mut history, now(n));
    }
    let (first, newest) = span(&mut history, &general);
    assert!(newest == 1_000 && (700..1_000).contains(&first), "{first}");
    assert!(std::fs::metadata(folder.file()).unwrap().len() < 4 << 20);
}

#[test]
fn sessions_not_seen_for_long_are_forgotten() {
    let folder = Folder::new();
    let mut history = folder.open_with(|settings| settings.session_days = 10);
    let both = Place::between(Author(1), Author(2));
    let one = Place::between(Author(1), Author(3));
    let texts = [proposal(&both, 1, "a", None), proposal(&one, 1, "b", None)];
    let sessions = [(1, "Ada"), (2, "Ben"), (3, "Cleo")].map(|(n, name)| row(n, name, false));
    history.commit(&texts, &sessions, now(DAY)).unwrap();
    prune(&mut history, now(DAY));
    assert!(history.session(Author(1)).unwrap().is_some());
    let cleo = [row(3, "Cleo", false)];
    history.commit(&[], &cleo, now(12 * DAY)).unwrap();
    assert_eq!(history.session(Author(1)).unwrap(), None, "at once");
    say(&mut history, &channel("tea"), now(13 * DAY));
    prune(&mut history, now(13 * DAY));
    let conversations = history.conversations(Author(3), 9).unwrap();
    assert_eq!(conversations.len(), 1, "Cleo is known and can read it");
    assert_eq!(history.conversations(Author(2), 9).unwrap(), []);
    assert_eq!(span(&mut history, &both), (1, 0));
}

#[test]
fn nonces_outlive_pruned_messages_for_a_day() {
    type Kind = (&'static str, fn(&mut Settings));
    let kinds: [Kind; 3] = [
        ("keep", |settings| settings.keep = 1),
        ("days", |settings| settings.days = 1),
        ("bytes", |settings| settings.bytes = 64 << 10),
    ];
    for (name, set) in kinds {
        let folder = Folder::new();
        let mut history = folder.open_with(set);
        assert!(!repeats(&mut history, "first", now(0)));
        // Makes the first message too old, one too many, or too large.
        let later = if name == "days" { DAY + 1 } else { 1 };
        let mut second = now(later);
        if name == "days" {
            // If the message is pruned some milliseconds later, the nonce is too old.
            assert!(!repeats(&mut history, "second", now(10)));
            second = now(DAY + 5);
        }
        let text = "x".repeat(4_000);
        let turn = vec![proposal(&channel("tea"), 2, &text, None); 50];
        history.commit(&turn, &[], second).unwrap();
        prune(&mut history, second);
        let nonce = if name == "days" { "second" } else { "first" };
        assert!(span(&mut history, &channel("tea")).0 > 1, "{name}");
        assert!(repeats(&mut history, nonce, second), "{name}");
        drop(history);
        let mut history = folder.open_with(set);
        prune(&mut history, second);
        assert!(repeats(&mut history, nonce, second), "{name}, restarted");
        let next_day = now(DAY + 20);
        assert!(!repeats(&mut history, nonce, next_day), "{name}: a day");
    }
}
