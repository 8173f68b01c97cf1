//! Edits, deletions and reactions: what is stored, what is refused, and what is read.

use crate::{Folder, ask, channel, now, on_both, proposal, seqs};
use parlor::history::{Author, Decision, History, Kind, Place, Proposal, Refusal, Seq};
use parlor::testing::{Random, rows};
use serde_json::{Value, json};
use std::rc::Rc;

pub(crate) fn change(place: &Place, author: u64, kind: Kind, text: &str) -> Rc<Proposal> {
    let mut change = proposal(place, author, text, None);
    Rc::make_mut(&mut change).kind = kind;
    change
}

/// Returns the numbers of the results: 0 for a refused change, negative for a repeated proposal.
fn commit(history: &mut dyn History, proposals: &[Rc<Proposal>], at: u64) -> Vec<i64> {
    let stored = history.commit(proposals, &[], now(at)).unwrap();
    let number = |it: &parlor::history::Stored| match it.repeated {
        true => -(it.seq.0 as i64),
        false => it.seq.0 as i64,
    };
    stored.iter().map(number).collect()
}

/// Returns a page as its reader's client gets it, without the fields that all rows share.
pub(crate) fn page(history: &mut dyn History, place: &Place, reader: u64) -> Vec<Value> {
    let (mut out, ask) = (Vec::new(), ask(|it| it.reader = Author(reader)));
    history.page(place, ask, &mut out).unwrap();
    let fields = |record: &parlor::history::Record| {
        let mut fields = serde_json::to_value(record).unwrap();
        for key in ["channel", "from", "at", "nonce", "edited_at"] {
            fields.as_object_mut().unwrap().remove(key);
        }
        fields
    };
    out.iter().map(fields).collect()
}

#[test]
fn changes_are_rows_and_messages_have_their_present_form() {
    let tea = channel("tea");
    let edit = |author, of, text| change(&tea, author, Kind::Edit { of: Seq(of) }, text);
    let delete = |author, of| change(&tea, author, Kind::Delete { of: Seq(of) }, "");
    let react = |author, of, on, emoji| {
        let of = Seq(of);
        change(&tea, author, Kind::React { of, on }, emoji)
    };
    on_both(|history| {
        let texts = ["one", "two", "three"].map(|text| proposal(&tea, 1, text, None));
        assert_eq!(commit(history, &texts, 1), [1, 2, 3]);
        let changes = [
            edit(1, 1, "uno"),
            react(1, 1, true, "🎉"),
            react(2, 1, true, "👍"),
            react(1, 1, true, "👍"),
            react(1, 1, true, "👍"),
            react(1, 1, false, "🎉"),
            react(1, 1, false, "🎉"),
            edit(1, 2, "due"),
            react(2, 2, true, "👍"),
            delete(1, 2),
        ];
        let stored = commit(history, &changes, 2);
        assert_eq!(stored, [4, 5, 6, 7, -1, 8, -1, 9, 10, 11]);
        let thumbs = |mine| json!([{"emoji": "👍", "count": 2, "mine": mine}]);
        let message = |seq: u64, text: &str| {
            let kind = "message";
            json!({"type": kind, "author": 1, "seq": seq, "text": text})
        };
        let with = |mut message: Value, reactions: Value| {
            message["reactions"] = reactions;
            message
        };
        let reacted = |seq: u64, author: u64, emoji: &str, on: bool| {
            let kind = "reacted";
            json!({"type": kind, "author": author, "of": 1, "emoji": emoji, "on": on, "seq": seq})
        };
        let gone = |seq: u64| json!({"type": "deleted_message", "seq": seq});
        let expected = vec![
            with(message(1, "uno"), thumbs(true)),
            gone(2),
            message(3, "three"),
            json!({"type": "edited", "author": 1, "of": 1, "text": "uno", "seq": 4}),
            reacted(5, 1, "🎉", true),
            reacted(6, 2, "👍", true),
            reacted(7, 1, "👍", true),
            reacted(8, 1, "🎉", false),
            gone(9),
            gone(10),
            json!({"type": "deleted", "by": "ada", "of": 2, "seq": 11}),
        ];
        assert_eq!(page(history, &tea, 1), expected);
        assert_eq!(page(history, &tea, 3)[0]["reactions"], thumbs(false));
        commit(history, &[edit(1, 1, "un"), edit(1, 1, "eins")], 3);
        let texts = [0, 3, 11, 12].map(|row| page(history, &tea, 1)[row]["text"].clone());
        assert_eq!(texts, ["eins"; 4], "one text alone is kept");
    });
}

#[test]
fn edited_message_has_the_owner_mark_of_its_newest_edit() {
    let tea = channel("tea");
    let marked = |kind, owner| {
        let mut row = change(&tea, 1, kind, "text");
        Rc::make_mut(&mut row).owner = owner;
        row
    };
    on_both(|history| {
        for (owner, edited_by_owner) in [(true, false), (false, true), (true, true)] {
            let sent = commit(history, &[marked(Kind::Message, owner)], 1)[0];
            let of = Seq(sent as u64);
            for mark in [owner, edited_by_owner] {
                commit(history, &[marked(Kind::Edit { of }, mark)], 2);
                let read = page(history, &tea, 2);
                let is_marked = |row: &Value| row["owner"] == true;
                let shown = [&read[of.0 as usize - 1], &read[read.len() - 1]].map(is_marked);
                assert_eq!(shown, [mark; 2], "{owner}, {edited_by_owner}");
            }
        }
    });
}

#[test]
fn change_in_an_unknown_place_leaves_nothing() {
    let folder = Folder::new();
    let mut disk = folder.open();
    let edit = change(&channel("tea"), 1, Kind::Edit { of: Seq(1) }, "uno");
    let stored = disk.commit(&[edit], &[], now(1)).unwrap();
    assert_eq!(stored[0].refused, Some(Refusal::NoSuchMessage));
    drop(disk);
    let file = rusqlite::Connection::open(folder.file()).unwrap();
    let places = file.query_row("SELECT count(*) FROM places", [], |row| row.get(0));
    assert_eq!(places, Ok(0));
}

#[test]
fn repeated_reaction_does_not_undo_a_later_one() {
    let tea = channel("tea");
    let react = |on, nonce: &str| {
        let mut react = change(&tea, 1, Kind::React { of: Seq(1), on }, "👍");
        Rc::make_mut(&mut react).nonce = Some(nonce.into());
        react
    };
    on_both(|history| {
        assert_eq!(commit(history, &[proposal(&tea, 1, "one", None)], 1), [1]);
        let changes = [react(false, "a"), react(true, "b")];
        assert_eq!(commit(history, &changes, 2), [2, 3]);
        assert_eq!(commit(history, &changes, 3), [-2, -3]);
        assert_eq!(commit(history, &[react(true, "c")], 4), [4]);
        let once = json!([{"emoji": "👍", "count": 1, "mine": true}]);
        assert_eq!(page(history, &tea, 1)[0]["reactions"], once);
    });
}

#[test]
fn page_of_many_reactions_is_shorter() {
    let tea = channel("tea");
    let react = |n: u64| {
        let of = Seq(n % 3 + 1);
        change(&tea, n, Kind::React { of, on: true }, "👍")
    };
    let texts = ["one", "two", "three"].map(|text| proposal(&tea, 1, text, None));
    let reactions: Vec<_> = (0..300).map(react).collect();
    let three = ask(|it| (it.before, it.bytes) = (Seq(4), 4_000));
    on_both(|history| {
        commit(history, &texts, 1);
        assert_eq!(seqs(history, &tea, three), (vec![1, 2, 3], false));
        commit(history, &reactions, 2);
        assert_eq!(seqs(history, &tea, three), (vec![2, 3], true));
    });
}

#[test]
fn refused_changes_are_not_stored() {
    let (tea, private) = (channel("tea"), Place::between(Author(1), Author(2)));
    let kind_of = |word: &str, of| match word {
        "edit" => Kind::Edit { of },
        "delete" => Kind::Delete { of },
        _ => Kind::React { of, on: true },
    };
    let [edit, delete, react] =
        ["edit", "delete", "react"].map(|word| move |of| kind_of(word, Seq(of)));
    let by_owner = |place: &Place, kind| {
        let mut change = change(place, 2, kind, "👍");
        Rc::make_mut(&mut change).owner = true;
        change
    };
    // A name, the place, who changes which message and how, and the refusal.
    const TABLE: &str = "
        an edit by another     | tea     | 2     | edit 1                    | NotYours
        an owner's edit        | tea     | owner | edit 1                    | NotYours
        a deletion by another  | tea     | 2     | delete 1                  | NotYours
        an owner's in private  | private | owner | delete 1                  | NotYours
        number 0               | tea     | 1     | delete 0                  | NoSuchMessage
        a later one            | tea     | 1     | edit 99                   | NoSuchMessage
        the largest            | tea     | 1     | edit 18446744073709551615 | NoSuchMessage
        a reaction             | tea     | 1     | delete 3                  | NoSuchMessage
        another place          | x       | 1     | edit 1                    | NoSuchMessage
        an emoji too many      | tea     | 2     | react 1                   | TooManyReactions";
    on_both(|history| {
        let texts = [&tea, &tea, &private].map(|place| proposal(place, 1, "text", None));
        commit(history, &texts, 1);
        let emojis = (0..20).map(|n| change(&tea, 1, react(1), &n.to_string()));
        commit(history, &emojis.collect::<Vec<_>>(), 1);
        for [name, place, author, what, expected] in rows(TABLE) {
            let place = match &*place {
                "private" => private.clone(),
                name => channel(name),
            };
            let (word, of) = what.split_once(' ').unwrap();
            let kind = kind_of(word, Seq(of.parse().unwrap()));
            let change = match author.parse() {
                Ok(author) => change(&place, author, kind, "👍"),
                Err(_) => by_owner(&place, kind),
            };
            let stored = history.commit(&[change], &[], now(2)).unwrap()[0];
            let refused = stored.refused.map(|it| format!("{it:?}"));
            assert_eq!(refused, Some(expected), "{name}");
        }
        let known = [change(&tea, 2, react(1), "7")];
        assert_eq!(commit(history, &known, 2), [23]);
        // The owner's deletion is stored. A later edit in the same commit is refused.
        let changes = [by_owner(&tea, delete(2)), change(&tea, 1, edit(2), "a")];
        let stored = history.commit(&changes, &[], now(2)).unwrap();
        let refused = [stored[0].refused, stored[1].refused];
        assert_eq!(refused, [None, Some(Refusal::NoSuchMessage)]);
        assert_eq!(stored[0].seq, Seq(24));
        assert_eq!(crate::span(history, &tea), (1, 24), "no number was used");
        // A repeated nonce gets its first result although the message is deleted by now.
        let nonce = |of: u64, nonce: &str| {
            let mut change = change(&tea, 1, delete(of), "");
            Rc::make_mut(&mut change).nonce = Some(nonce.into());
            change
        };
        let twice = [nonce(1, "n"), nonce(1, "n")];
        assert_eq!(commit(history, &twice, 3), [25, -25]);
    });
}

/// Rows are long and many, so that SQLite moves them between pages and leaves their bytes there.
#[test]
fn deleted_texts_are_in_no_file() {
    let folder = Folder::new();
    let mut random = Random::new(3);
    let places = ["a", "b", "c", "d", "e"].map(channel);
    let mut history = folder.open_with(|settings| settings.keep = 500);
    let (mut texts, mut at) = (vec![Vec::new(); places.len()], 0);
    for n in 0..4_000 {
        let place = random.below(places.len());
        let text = format!("<{n:016x}>").repeat(1 + random.below(60));
        let nonce = format!("n{n}");
        at += 1;
        let message = [proposal(&places[place], 1, &text, Some(&nonce))];
        history.commit(&message, &[], now(at)).unwrap();
        texts[place].push(format!("<{n:016x}>"));
    }
    crate::prune(&mut history, now(at));
    let mut gone = Vec::new();
    for (place, texts) in places.iter().zip(&texts) {
        let newest = texts.len();
        for (index, text) in texts.iter().enumerate() {
            let of = Seq(index as u64 + 1);
            let kind = match (newest - index, random.below(3)) {
                (..450, 0) => Kind::Edit { of },
                (..450, 1) => Kind::Delete { of },
                (..600, _) => continue,
                _ => {
                    gone.push(text); // pruned
                    continue;
                }
            };
            let change = [change(place, 1, kind, "new")];
            let stored = history.commit(&change, &[], now(at)).unwrap()[0];
            assert_eq!(stored.refused, None);
            gone.push(text);
        }
    }
    // While a reader reads, SQLite keeps the log.
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM messages")
        .unwrap();
    history.maintain(now(at + 1_000)).unwrap();
    reader.execute_batch("COMMIT").unwrap();
    history.maintain(now(at + 2_000)).unwrap();
    let clear = Decision::Clear("a".into());
    history.decide(&clear, &[], now(at + 3_000)).unwrap();
    crate::prune(&mut history, now(at + 4_000));
    history.maintain(now(at + 5_000)).unwrap();
    gone.extend(&texts[0]);
    let found = || {
        let read = |ending: &str| std::fs::read(format!("{}{ending}", folder.file().display()));
        let bytes = [read("").unwrap(), read("-wal").unwrap_or_default()].concat();
        let markers = bytes.split(|byte| *byte == b'<');
        let markers = markers.map(|it| it.get(..16).unwrap_or(it));
        let markers: std::collections::HashSet<_> = markers.collect();
        let is_left = |text: &&&String| markers.contains(&text.as_bytes()[1..17]);
        gone.iter().filter(is_left).count()
    };
    assert!(gone.len() > 2_000);
    assert_eq!(found(), 0);
    drop(history);
    assert_eq!(found(), 0, "after a stop");
    let check: String = reader
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

/// SQLite caches pages. It must not write a page from before the cleaning.
#[test]
fn deleted_text_does_not_come_back_with_its_page() {
    let folder = Folder::new();
    let mut random = Random::new(5);
    let places: Vec<_> = (0..30).map(|n| channel(&format!("c{n}"))).collect();
    let mut history = folder.open();
    for round in 1..30 {
        let at = round * 10_000;
        let mut secrets = Vec::new();
        for n in 0..90 {
            let place = &places[random.below(places.len())];
            let text = match n % 3 {
                0 => "<secret>".repeat(1 + random.below(40)),
                _ => "text".repeat(1 + random.below(80)),
            };
            let message = [proposal(place, 1, &text, None)];
            let stored = history.commit(&message, &[], now(at)).unwrap()[0];
            if n % 3 == 0 {
                secrets.push((place, stored.seq));
            }
        }
        for (place, of) in secrets {
            let delete = [change(place, 1, Kind::Delete { of }, "")];
            history.commit(&delete, &[], now(at)).unwrap();
        }
        history.maintain(now(at + 1_000)).unwrap();
        for place in &places {
            crate::say(&mut history, place, now(at + 1_000));
        }
        for ending in ["", "-wal"] {
            let bytes = std::fs::read(format!("{}{ending}", folder.file().display())).unwrap();
            let is_found = bytes.windows(8).any(|it| it == b"<secret>");
            assert!(!is_found, "round {round}, parlor.db{ending}");
        }
    }
}
