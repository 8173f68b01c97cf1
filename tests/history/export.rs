//! `parlor export` and `parlor import` on the real binary.

use crate::changes::change;
use crate::{DAY, Folder, channel, now, proposal, row, say, span};
use parlor::history::{Author, History, Kind, Place, Seq};
use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn run(word: &str, database: &Path, file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command.args([word, "--history"]).args([database, file]);
    command.output().unwrap()
}

#[test]
fn import_is_whole_or_nothing() {
    let folder = Folder::new();
    let file = |name: &str| folder.0.join(name);
    let coffee = channel("coffee");
    let react = |author, on| {
        let of = Seq(1);
        change(&coffee, author, Kind::React { of, on }, "👍")
    };
    let changes = [
        proposal(&coffee, 1, "typo", None),
        proposal(&coffee, 1, "hidden", Some("n")),
        change(&coffee, 1, Kind::Edit { of: Seq(1) }, "right"),
        react(1, true),
        react(2, true),
        react(1, false),
        change(&coffee, 1, Kind::Delete { of: Seq(2) }, ""),
    ];
    {
        let mut history = folder.open();
        for n in 1..=3_000 {
            let place = match n % 3 {
                0 => Place::between(Author(1), Author(2)),
                _ => channel(["general", "tea"][n % 2]),
            };
            let text = [proposal(&place, 1, "a \"text\"\n", Some(&format!("n{n}")))];
            // The clock goes back now and then.
            history.commit(&text, &[], now((n % 7) as u64)).unwrap();
        }
        let sessions = [row(1, "Ada", false), row(2, "Ben", true)];
        history.commit(&changes, &sessions, now(9_000)).unwrap();
        // Exported while a server uses it.
        let exported = run("export", &folder.file(), &file("lines"));
        assert!(exported.status.success(), "{exported:?}");
    }
    let lines = std::fs::read_to_string(file("lines")).unwrap();
    assert_eq!(lines.lines().count(), 1 + 2 + 4 + 3_000 + 7);
    assert!(!["typo", "hidden"].iter().any(|gone| lines.contains(gone)));
    let imported = run("import", &file("copy.db"), &file("lines"));
    assert!(imported.status.success(), "{imported:?}");
    let again = run("export", &file("copy.db"), &file("again"));
    assert!(again.status.success(), "{again:?}");
    let same = std::fs::read_to_string(file("again")).unwrap() == lines;
    assert!(same, "the same lines in the same order");
    let mut history = folder.open_file("copy.db");
    assert_ne!(&*history.epoch(), "0123456789abcdef");
    assert_eq!(history.next_author(), Author(3));
    let known = history.commit(&[react(2, true), changes[1].clone()], &[], now(9_001));
    let numbers = known.unwrap().into_iter().map(|it| (it.seq, it.repeated));
    assert!(numbers.eq([(Seq(1), true), (Seq(2), true)]));
    drop(history);

    let wrong = lines.replacen("\"seq\":700,", "\"seq\":701,", 1);
    let is_wrong = |line: &str| line.contains("\"seq\":701,");
    let number = wrong.lines().position(is_wrong).unwrap() + 1;
    std::fs::write(file("wrong"), &wrong).unwrap();
    std::fs::write(file("log.db-wal"), "of a server that was killed").unwrap();
    let files = folder.files();
    for (database, lines, expected) in [
        ("new.db", "wrong", &*format!("line {number}:")),
        ("copy.db", "lines", "already"),
        ("log.db", "lines", "log.db-wal"),
        ("new.db", "nothing", "nothing"),
    ] {
        let refused = run("import", &file(database), &file(lines));
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{expected}");
        assert!(error.contains(expected) && error.lines().count() == 1);
        assert_eq!(folder.files(), files, "{expected}: nothing was made");
    }
}

#[test]
fn import_of_the_greatest_numbers_leaves_room() {
    let folder = Folder::new();
    let most = (1_u64 << 52) - 1;
    let secret = "00".repeat(20);
    let lines = format!(
        r#"{{"type":"parlor","version":1}}
{{"type":"session","author":{most},"secret":"{secret}","name":"Ada","seen":{most},"quit":false}}
{{"type":"channel","name":"tea","newest":{most}}}
"#
    );
    let file = folder.0.join("lines");
    std::fs::write(&file, lines).unwrap();
    let imported = run("import", &folder.file(), &file);
    assert!(imported.status.success(), "{imported:?}");
    let mut history = folder.open();
    assert_eq!(history.next_author(), Author(most + 1));
    assert_eq!(say(&mut history, &channel("tea"), now(1)).seq.0, most + 1);
    assert_eq!(span(&mut history, &channel("tea")), (most + 1, most + 1));
}

#[test]
fn names_of_sqlite_are_paths_for_the_tools() {
    let folder = Folder::new();
    drop(folder.open());
    std::fs::rename(folder.file(), folder.0.join(":memory:")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command.current_dir(&folder.0);
    command.args(["export", "--history", ":memory:", "-"]);
    let output = command.output().unwrap().stdout;
    assert_eq!(output, b"{\"type\":\"parlor\",\"version\":1}\n");
}

#[test]
fn channel_is_exported_as_html_in_its_present_form() {
    let folder = Folder::new();
    let tea = channel("tea");
    let edit = |of, text: &str| change(&tea, 1, Kind::Edit { of: Seq(of) }, text);
    let mut history = folder.open();
    let first = [
        proposal(&tea, 1, "typo", None),
        proposal(&tea, 1, "secret", None),
        edit(1, "<b>1 & 2</b>\n\u{5d0}"),
        change(&tea, 1, Kind::Delete { of: Seq(2) }, ""),
        change(
            &tea,
            2,
            Kind::React {
                of: Seq(1),
                on: true,
            },
            "👍",
        ),
    ];
    history.commit(&first, &[], now(0)).unwrap();
    let next = [proposal(&tea, 1, "the next day", None)];
    history.commit(&next, &[], now(DAY)).unwrap();
    let export = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
        command.args(["export", "--history"]).arg(folder.file());
        let output = command.args(arguments).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let (status, html) = export(&["--html", "#Tea"]);
    assert_eq!(status, Some(0), "{html}");
    for part in [
        "<title>#tea</title>",
        "<h2>2023-11-14</h2>",
        "22:13 · edited</small>",
        "&lt;b&gt;1 &amp; 2&lt;/b&gt;\n\u{5d0}</span> <small>👍 1</small>",
        "a deleted message",
        "the next day",
    ] {
        assert_eq!(html.matches(part).count(), 1, "{part}: {html}");
    }
    assert!(!html.contains("typo") && !html.contains("secret"), "{html}");
    // The arguments, the exit status, a text in the output, and a text that is not in it.
    for (arguments, status, part, not) in [
        ("--html tea --from 2023-11-15", 0, "next day", "deleted"),
        ("--html tea --to 2023-11-14 -", 0, "deleted", "next day"),
        ("--html coffee", 1, "no channel #coffee", "<h1>"),
        ("--html tea --from today", 2, "--from needs a date", "<h1>"),
        ("--html tea --to 2023-13-01", 2, "--to needs a date", "<h1>"),
        ("--html !", 2, "name", "<h1>"),
        ("--from 2023-11-15 -", 2, "need --html", "<h1>"),
    ] {
        let (code, text) = export(&arguments.split(' ').collect::<Vec<_>>());
        let is_right = code == Some(status) && text.contains(part) && !text.contains(not);
        assert!(is_right, "{arguments}: {code:?} {text}");
    }
    let file = folder.0.join("tea.html");
    assert_eq!(
        export(&["--html", "tea", file.to_str().unwrap()]).0,
        Some(0)
    );
    assert_eq!(std::fs::read_to_string(file).unwrap(), html);

    // A history that is not upgraded yet.
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    let (code, text) = export(&["-"]);
    assert!(code == Some(1), "{text}");
    assert!(text.contains("an older parlor wrote it"), "{text}");
}
