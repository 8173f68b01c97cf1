//! Style that matters is a test: layers, lengths, words that stand where they may, and documents
//! that say what the code says.
//!
//! Plain text search, no parser: rustfmt has put everything where a line can be looked at. Each
//! check is a function from a path
//! and a text to a list of problems, so that it can be shown to fail; those tests stand at the end.
//!
//! Not here: what the compiler and clippy see themselves (`Cargo.toml`, `clippy.toml`).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// What every layer may name.
const FLOOR: &[&str] = &[
    "escaped", "few", "hex", "limits", "metrics", "ordered", "progress", "tables", "time",
];

/// What the files under a path may name beyond their own layer and the floor: the table of layers.
/// The longest path decides.
const MAY_NAME: &[(&str, &[&str])] = &[
    (
        "src/main.rs",
        &[
            "chat",
            "cli",
            "history",
            "http",
            "hub",
            "server",
            "tools",
            "websocket",
        ],
    ),
    (
        "src/cli/",
        &[
            "chat",
            "history",
            "http",
            "hub",
            "server",
            "tools",
            "websocket",
        ],
    ),
    (
        "src/tools/",
        &[
            "chat",
            "cli",
            "history",
            "http",
            "hub",
            "server",
            "websocket",
        ],
    ),
    // The wire view's server side, until it is behind a hook.
    (
        "src/hub/trace.rs",
        &[
            "chat",
            "http",
            "tools::dissect",
            "tools::headers",
            "websocket",
        ],
    ),
    (
        "src/hub/trial.rs",
        &["chat", "http", "tools::dissect", "websocket"],
    ),
    ("src/server/", &["hub", "http::pages"]),
    // A page of a folder has bytes of its own.
    ("src/server/folder.rs", &["http::Body", "http::pages"]),
    ("src/hub/", &["chat", "http", "websocket"]),
    // It is given the history that it hands to the chat.
    (
        "src/hub/mod.rs",
        &["chat", "history::History", "http", "websocket"],
    ),
    ("src/chat/", &["history"]),
    ("src/history/", &[]),
    ("src/http/", &[]),
    ("src/websocket/", &[]),
    // The opening handshake is a request's head, and a response's; all else of `websocket` stands
    // alone.
    ("src/websocket/client.rs", &["http::ResponseHead"]),
    (
        "src/websocket/handshake.rs",
        &[
            "http::Body",
            "http::Head",
            "http::Refusal",
            "http::Response",
        ],
    ),
];

/// Words that stand under these paths only.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("mio::", &["src/server/"]),
    ("httparse::", &["src/http/"]),
    ("rusqlite", &["src/history/sqlite/"]),
    // A history on disk times its commits.
    (
        "Instant::now",
        &[
            "src/server/",
            "src/cli/",
            "src/tools/",
            "src/history/sqlite/commit.rs",
        ],
    ),
    ("SystemTime", &["src/server/", "src/cli/"]),
    ("TcpStream", &["src/server/", "src/cli/", "src/tools/"]),
    ("TcpListener", &["src/server/", "src/cli/", "src/tools/"]),
    (
        "std::fs",
        &[
            "src/server/",
            "src/cli/",
            "src/tools/",
            "src/history/sqlite/",
        ],
    ),
    ("std::env", &["src/cli/", "src/main.rs"]),
    ("std::thread", &["src/cli/", "src/tools/"]),
    ("getrandom", &["src/cli/", "src/tools/", "src/server/"]),
    ("rustix", &["src/server/", "src/cli/", "src/tools/"]),
    ("signal_hook", &["src/server/", "src/tools/client.rs"]),
    ("log::", &["src/hub/", "src/server/", "src/cli/"]),
    ("env_logger", &["src/cli/", "src/main.rs"]),
    ("RefCell", &[]),
    ("unwrap(", &[]),
    ("todo!", &[]),
    ("unimplemented!", &[]),
    ("dbg!", &[]),
    // They panic where nobody reads; `writeln!` says so as a value.
    ("print!", &[]),
    ("println!", &[]),
];

const LINES_OF_CODE: usize = 400;
const LINES_OF_A_FILE: usize = 500;
const LINES_OF_A_FUNCTION: usize = 70;

/// The part of a file that is not tests: those stand at its end.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {\n")
        .next()
        .unwrap_or_default()
}

/// The lines that are code, with their numbers; comments and tests are left out.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = without_tests(text)
        .lines()
        .enumerate()
        .map(|(row, line)| (row + 1, line));
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(row, line)| (row, line.split(" // ").next().unwrap_or(line)))
}

/// Everything that is named after `crate::`, with groups taken apart: `crate::http::{Head,
/// pages::Page}` is two names.
fn named(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let (stem, group) = match rest.split_once('{') {
            Some((stem, group)) if stem.is_empty() || stem.ends_with("::") => {
                (stem, group.split('}').next().unwrap_or_default())
            }
            _ => (
                "",
                rest.split(|c: char| !c.is_alphanumeric() && !"_:".contains(c))
                    .next()
                    .unwrap_or_default(),
            ),
        };
        names.extend(
            group
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(|name| format!("{stem}{name}")),
        );
    }
    names
}

/// Imports obey the table of layers.
fn layers(path: &str, text: &str) -> Vec<String> {
    let layer = path
        .trim_start_matches("src/")
        .split(['/', '.'])
        .next()
        .unwrap_or_default();
    let row = MAY_NAME
        .iter()
        .filter(|(prefix, _)| path.starts_with(prefix))
        .max_by_key(|(prefix, _)| prefix.len());
    let allowed = row.map_or(&[][..], |(_, allowed)| allowed);
    let below = |name: &str, root: &str| {
        name.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let ups = if path.ends_with("/mod.rs") || path.matches('/').count() == 1 {
        "super::"
    } else {
        "super::super::"
    };
    let mut problems = Vec::new();
    // An import that rustfmt broke into lines is one statement.
    let statements = code(text)
        .map(|(_, line)| line.trim_start())
        .collect::<Vec<_>>()
        .join(" ");
    for name in statements.split(';').flat_map(named) {
        let own = below(&name, layer) && row.is_some();
        let floor = row.is_some() && FLOOR.iter().any(|root| below(&name, root));
        if !own && !floor && !allowed.iter().any(|root| below(&name, root)) {
            problems.push(format!("{path} names crate::{name}, which is not below it"));
        }
    }
    problems.extend(
        code(text)
            .filter(|(_, line)| line.contains(ups))
            .map(|(row, _)| format!("{path}:{row} climbs out of its layer by {ups}")),
    );
    problems
}

/// Words that belong to one layer, or to none.
fn words(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (row, line) in code(text) {
        for (word, places) in ONLY_IN {
            let stands = line
                .match_indices(word)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if stands && !places.iter().any(|place| path.starts_with(place)) {
                problems.push(format!(
                    "{path}:{row} has {word:?}, which stands in {places:?} only"
                ));
            }
        }
    }
    problems
}

/// A head comment, a length, and tests at the end and nowhere else.
fn shape(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if !text.starts_with("//! ") {
        problems.push(format!("{path} has no head comment"));
    }
    let (of_code, of_all) = (without_tests(text).lines().count(), text.lines().count());
    if of_code > LINES_OF_CODE || of_all > LINES_OF_A_FILE {
        problems.push(format!(
            "{path} has {of_code} lines without its tests and {of_all} with them"
        ));
    }
    if without_tests(text).contains("#[cfg(test)]") {
        problems.push(format!(
            "{path} has #[cfg(test)] before `mod tests`, which is the last thing of a file"
        ));
    }
    let tests = &text[without_tests(text).len()..];
    if tests.trim_end().split("\n}").count() > 2 {
        problems.push(format!("{path} goes on behind its tests"));
    }
    for vague in ["utils", "util", "helpers", "common", "types", "misc"] {
        if path
            .trim_end_matches(".rs")
            .split('/')
            .any(|part| part == vague)
        {
            problems.push(format!("{path}: what has no name has no room"));
        }
    }
    problems
}

/// No function is longer than a screen. It ends where a brace stands as deep as it began.
fn functions(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let mut problems = Vec::new();
    for (row, line) in lines.iter().enumerate() {
        let depth = line.len() - line.trim_start().len();
        let begins = [
            "fn ",
            "pub fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "const fn ",
            "pub const fn ",
            "pub(super) const fn ",
        ];
        if !begins.iter().any(|begin| line[depth..].starts_with(begin))
            || line.ends_with(['}', ';'])
        {
            continue;
        }
        let end = format!("{}}}", &line[..depth]);
        let length = lines[row..].iter().position(|line| {
            **line == end
                || line.ends_with(';') && line.starts_with(&format!("{}) ", &end[..depth]))
        });
        if let Some(length) = length
            .map(|length| length + 1)
            .filter(|length| *length > LINES_OF_A_FUNCTION)
        {
            problems.push(format!(
                "{path}:{} has a function of {length} lines",
                row + 1
            ));
        }
    }
    problems
}

/// The first table under a heading of a Markdown text, without its head: the cells of each row.
fn table<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let is_heading =
        |line: &&str| line.starts_with('#') && line.trim_start_matches('#').trim() == heading;
    let below = text
        .lines()
        .skip_while(|line| !is_heading(line))
        .skip(1)
        .take_while(|line| !line.starts_with('#'));
    let rows = below
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// Two lists that must be the same, in any order.
fn same(what: &str, mut documented: Vec<String>, mut real: Vec<String>) -> Vec<String> {
    documented.sort();
    real.sort();
    let missing = real
        .iter()
        .filter(|row| !documented.contains(row))
        .map(|row| format!("{what}: the README lacks {row}"));
    let invented = documented
        .iter()
        .filter(|row| !real.contains(row))
        .map(|row| format!("{what}: only the README has {row}"));
    let twice = documented
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| format!("{what}: the README has {} twice", pair[0]));
    let empty = real
        .is_empty()
        .then(|| format!("{what}: the code has none, so the search for them is broken"));
    missing.chain(invented).chain(twice).chain(empty).collect()
}

/// The chosen cells of a table's rows, without back quotes.
fn cells(rows: &[Vec<&str>], columns: &[usize]) -> Vec<String> {
    let cell = |row: &Vec<&str>, column: usize| row.get(column).unwrap_or(&"").replace('`', "");
    rows.iter()
        .map(|row| {
            columns
                .iter()
                .map(|column| cell(row, *column))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// What stands between two marks, everywhere in a text.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split_once(after))
        .map(|(inside, _)| inside)
        .collect()
}

/// The words that a `match` knows, to the one for all others.
fn arms(text: &str, begin: &str) -> Vec<String> {
    let arms = between(text, begin, "_ =>").concat();
    arms.lines()
        .filter_map(|line| {
            Some(
                line.trim_start()
                    .strip_prefix('"')?
                    .split_once("\" =>")?
                    .0
                    .to_owned(),
            )
        })
        .collect()
}

/// The constants of `limits.rs`, each with its value as a person writes it.
fn constants(limits: &str) -> Vec<String> {
    let rows = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "));
    rows.filter_map(|row| {
        row.split_once(": ")?
            .1
            .split_once(" = ")
            .map(|(_, value)| (row, value))
    })
    .map(|(row, value)| {
        format!(
            "{} {}",
            row.split(':').next().unwrap_or_default(),
            shown(value.trim_end_matches(';'))
        )
    })
    .collect()
}

/// `64 << 10` is 64 KiB, `Duration::from_secs(5)` is 5 s.
fn shown(value: &str) -> String {
    let number = |text: &str| {
        text.split(" * ")
            .map(|factor| factor.replace('_', "").parse::<u64>())
            .product::<Result<u64, _>>()
    };
    if let Some(seconds) = value
        .strip_prefix("Duration::from_secs(")
        .and_then(|rest| number(rest.trim_end_matches(')')).ok())
    {
        return if seconds >= 3600 && seconds % 3600 == 0 {
            format!("{} h", seconds / 3600)
        } else {
            format!("{seconds} s")
        };
    }
    if let Some(millis) = value.strip_prefix("Duration::from_millis(") {
        return format!("{} ms", millis.trim_end_matches(')'));
    }
    value
        .replace(" << 10", " KiB")
        .replace(" << 20", " MiB")
        .replace('_', ",")
}

/// What a tour names is there: paths, names of functions in the file that was named last, and what
/// `cargo` is asked for.
fn tour(path: &str, text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let (mut problems, mut file, mut in_block) = (Vec::new(), String::new(), false);
    for (row, line) in text.lines().enumerate() {
        let mut missing = |what: String| problems.push(format!("{path}:{}: {what}", row + 1));
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            for (option, folder) in [("--example ", "examples"), ("--test ", "tests")] {
                for name in line
                    .split(option)
                    .skip(1)
                    .filter_map(|rest| rest.split_whitespace().next())
                {
                    if read(&format!("{folder}/{name}.rs"))
                        .or_else(|| read(&format!("{folder}/{name}/main.rs")))
                        .is_none()
                    {
                        missing(format!("there is no {folder}/{name}.rs"));
                    }
                }
            }
            continue;
        }
        for quoted in line.split('`').skip(1).step_by(2) {
            if let Some(tests) = quoted.strip_prefix("cargo test ") {
                if !is_a_test(tests, read) {
                    missing(format!("there is no test for cargo test {tests}"));
                }
                continue;
            }
            let top = quoted.split('/').next().unwrap_or_default();
            let function = quoted
                .rsplit("::")
                .next()
                .unwrap_or_default()
                .trim_end_matches("()");
            if quoted.contains('/')
                && [
                    "src", "tests", "www", "docs", "examples", "fuzz", "benches", ".ci",
                ]
                .contains(&top)
            {
                match read(quoted) {
                    Some(found) => file = found,
                    None => missing(format!("there is no {quoted}")),
                }
            } else if quoted.ends_with("()")
                || quoted.contains("::") && quoted.starts_with(char::is_uppercase)
            {
                let definition = [
                    "fn ", "struct ", "enum ", "trait ", "const ", "type ", "    ",
                ]
                .iter()
                .any(|kind| {
                    file.match_indices(&format!("{kind}{function}"))
                        .any(|(at, found)| {
                            !file[at + found.len()..]
                                .starts_with(|c: char| c.is_alphanumeric() || c == '_')
                        })
                });
                if !definition {
                    missing(format!("the file that was named last has no {quoted}"));
                }
            }
        }
    }
    problems
}

/// Whether a file has a test of this name.
fn has_test(file: &str, name: &str) -> bool {
    // What stands between a test's attribute and its name is other attributes at most.
    let of_a_test = |before: &str| {
        before
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.trim() == "#[test]")
    };
    file.split_once(&format!("fn {name}() {{"))
        .is_some_and(|(before, _)| of_a_test(before))
}

/// The last cell of each row of limits names a test that is there, as `path::name`.
fn limits_are_shown(rows: &[Vec<&str>], read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let is_shown = |cell: &&str| {
        let named = cell
            .split('`')
            .skip(1)
            .step_by(2)
            .map(|quoted| quoted.split_once("::"));
        let mut there = named.map(|named| {
            named.is_some_and(|(path, test)| read(path).is_some_and(|file| has_test(&file, test)))
        });
        there.next() == Some(true) && there.all(|there| there)
    };
    let unshown = rows.iter().filter(|row| !row.last().is_some_and(is_shown));
    unshown
        .map(|row| {
            format!(
                "limits: no test that is there shows {}: {}",
                row[0],
                row.last().unwrap_or(&"")
            )
        })
        .collect()
}

/// Whether `cargo test` finds something by these words: `--test BINARY [NAME]`, where the name is
/// one of a file or of a test, or
/// `--lib NAME`.
fn is_a_test(words: &str, read: &dyn Fn(&str) -> Option<String>) -> bool {
    let main = |binary: &str| {
        read(&format!("tests/{binary}.rs")).or_else(|| read(&format!("tests/{binary}/main.rs")))
    };
    match words.split(' ').collect::<Vec<_>>()[..] {
        ["--test", binary] => main(binary).is_some(),
        ["--test", binary, name] => main(binary).is_some_and(|text| {
            let is_there = |text: &str| {
                text.contains(&format!("mod {name};")) || text.contains(&format!("fn {name}"))
            };
            let files = between(&text, "\nmod ", ";")
                .into_iter()
                .filter_map(|file| read(&format!("tests/{binary}/{file}.rs")));
            is_there(&text) || files.into_iter().any(|text| is_there(&text))
        }),
        ["--lib", name] => sources("src").iter().any(|(path, text)| {
            path.ends_with(&format!("/{name}.rs")) || text.contains(&format!("fn {name}()"))
        }),
        _ => false,
    }
}

/// Of the mistakes of others each names tests that are there, by file and function, and files that
/// are there.
fn mistakes(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (row, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| ---"))
    {
        let mut missing =
            |what: String| problems.push(format!("docs/mistakes.md:{}: {what}", row + 1));
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_, _, _, shown_by] = cells[..] else {
            missing(format!("a row of {} cells", cells.len()));
            continue;
        };
        if shown_by == "shown by" {
            continue;
        }
        for path in line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|quoted| quoted.ends_with(".rs"))
        {
            if read(path).is_none() {
                missing(format!("there is no {path}"));
            }
        }
        let (mut file, mut tests) = (String::new(), 0);
        for quoted in shown_by.split('`').skip(1).step_by(2) {
            if quoted.ends_with(".rs") {
                file = read(quoted).unwrap_or_default();
                continue;
            }
            tests += 1;
            if !has_test(&file, quoted) {
                missing(format!("the file that was named last has no test {quoted}"));
            }
        }
        if tests == 0 {
            missing("no test shows it".to_owned());
        }
    }
    problems
}

/// Every Rust file of a folder, with its path from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(sources(&path));
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// A file of the tree; of a folder the list of what is in it.
fn read(path: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if path.is_dir() {
        Some(String::new())
    } else {
        fs::read_to_string(path).ok()
    }
}

fn text(path: &str) -> String {
    read(path).unwrap_or_else(|| panic!("{path} is missing"))
}

#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn every_source(check: fn(&str, &str) -> Vec<String>) {
    let sources = sources("src");
    assert!(sources.len() > 30, "the search for sources is broken");
    none(
        sources
            .iter()
            .flat_map(|(path, text)| check(path, text))
            .collect(),
    );
}

#[test]
fn every_import_obeys_the_table_of_layers() {
    every_source(layers);
}

#[test]
fn words_stand_where_they_may() {
    every_source(words);
}

#[test]
fn files_have_a_head_and_a_bearable_length() {
    every_source(shape);
}

#[test]
fn functions_fit_on_a_screen() {
    every_source(functions);
}

#[test]
fn the_readme_has_the_options_of_the_code() {
    let rows = parlor::cli::options::ROWS
        .iter()
        .map(|row| format!("{} {}", row.usage(), row.default()));
    let real = rows
        .chain(["--version ".to_owned(), "--help ".to_owned()])
        .collect();
    none(same(
        "options",
        cells(&table(&text("README.md"), "Options"), &[0, 1]),
        real,
    ));
}

#[test]
fn the_readme_has_the_limits_of_the_code() {
    let readme = text("README.md");
    none(same(
        "fixed limits",
        cells(&table(&readme, "Fixed limits"), &[0, 1]),
        constants(&text("src/limits.rs")),
    ));
    let of_limits = |group: &str| group == "Limits" || group.starts_with("Times");
    // `N` is how much of something there may be, in whatever group.
    let limits = parlor::cli::options::ROWS
        .iter()
        .filter(|row| of_limits(row.group) || row.value == "N");
    let options = limits.map(|row| format!("--{}", row.name));
    none(same(
        "limits that are options",
        cells(&table(&readme, "Limits that are options"), &[0]),
        options.collect(),
    ));
}

#[test]
fn each_limit_names_a_test_that_is_there() {
    let readme = text("README.md");
    for heading in ["Limits that are options", "Fixed limits"] {
        let rows = table(&readme, heading);
        assert!(rows.len() > 10, "the search for rows is broken");
        none(limits_are_shown(&rows, &read));
    }
}

#[test]
fn the_readme_has_the_error_codes_of_the_code() {
    let errors = text("src/chat/error.rs");
    let mut codes: Vec<_> = between(&errors, "=> (\"", "\", ")
        .into_iter()
        .map(str::to_owned)
        .collect();
    codes.sort();
    codes.dedup();
    none(same(
        "error codes",
        cells(&table(&text("README.md"), "Error codes"), &[0]),
        codes,
    ));
}

#[test]
fn the_readme_has_the_commands_and_events_of_the_code() {
    let (readme, json, line) = (
        text("README.md"),
        text("src/chat/json.rs"),
        text("src/chat/line.rs"),
    );
    let mut events: Vec<_> = between(&json, ".put(\"type\", \"", "\")")
        .into_iter()
        .map(str::to_owned)
        .collect();
    // The wire view's are the hub's own.
    let of_the_hub = ["src/hub/trace.rs", "src/hub/trial.rs"].map(text);
    events.extend(
        of_the_hub
            .iter()
            .flat_map(|text| between(text, "r#type: \"", "\""))
            .map(str::to_owned),
    );
    events.sort();
    events.dedup();
    none(same(
        "events",
        cells(&table(&readme, "Events"), &[0]),
        events,
    ));
    none(same(
        "commands",
        cells(&table(&readme, "Commands"), &[0]),
        arms(&json, "match kind {"),
    ));
    let lines = cells(&table(&readme, "Write a client"), &[0]);
    let words = lines
        .iter()
        .filter_map(|line| Some(line.split(' ').next()?.trim_start_matches('/').to_owned()));
    none(same(
        "typed lines",
        words.collect(),
        arms(&line, "match word {"),
    ));
}

#[test]
fn the_readme_has_the_close_codes_of_the_code() {
    let real = between(&text("src/websocket/close.rs"), ": Self = Self(", ");")
        .into_iter()
        .map(str::to_owned)
        .collect();
    none(same(
        "close codes",
        cells(&table(&text("README.md"), "Close codes"), &[0]),
        real,
    ));
}

#[test]
fn the_readme_has_the_metrics_of_the_code() {
    let rendered = parlor::metrics::Metrics::default().render();
    let mut real = Vec::new();
    for metric in between(&rendered, "# TYPE ", "\n") {
        let (name, kind) = metric.split_once(' ').unwrap();
        let label = between(&rendered, &format!("\n{name}{{"), "=")
            .first()
            .map(|label| format!("{{{label}}}"))
            .unwrap_or_default();
        real.push(format!("{name}{label} {kind}"));
    }
    none(same(
        "metrics",
        cells(&table(&text("README.md"), "Metrics"), &[0, 1]),
        real,
    ));
}

#[test]
fn the_readme_has_a_reason_for_each_dependency() {
    let manifest = text("Cargo.toml");
    let section = between(&manifest, "\n[dependencies]\n", "\n[").concat();
    let names = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.to_owned())
        .collect();
    let readme = text("README.md");
    let rows = table(&readme, "Dependencies");
    none(same("dependencies", cells(&rows, &[0]), names));
    assert!(
        rows.iter().all(|row| row.len() == 2 && row[1].len() > 20),
        "each has a reason"
    );
}

#[test]
fn the_readme_names_files_that_are_there() {
    let readme = text("README.md");
    let links = between(&readme, "](", ")")
        .into_iter()
        .filter(|link| !link.contains("://") && !link.starts_with('#'));
    let missing: Vec<_> = links
        .filter(|link| !Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists())
        .collect();
    assert!(missing.is_empty(), "README.md links to {missing:?}");
}

#[test]
fn the_tours_name_what_is_there() {
    for path in ["docs/tour.md", "docs/lesson.md"] {
        none(tour(path, &text(path), &read));
    }
}

#[test]
fn the_lesson_has_the_lines_of_code_that_it_promises() {
    let lesson = text("docs/lesson.md");
    let files: Vec<_> = between(&lesson, " Code: `", "`")
        .into_iter()
        .chain(between(&lesson, "\nCode: `", "`"))
        .collect();
    assert_eq!(files.len(), 5, "{files:?}");
    let lines: usize = files
        .iter()
        .map(|path| without_tests(&text(path)).lines().count())
        .sum();
    assert!(
        (800..1_000).contains(&lines),
        "the lesson says nine hundred lines, and there are {lines}"
    );
    let echo = text("examples/echo.rs").lines().count();
    assert!(
        echo == 58,
        "the lesson says that examples/echo.rs has fifty-eight lines, and there are {echo}"
    );
}

#[test]
fn the_mistakes_of_others_name_tests_that_are_there() {
    let text = text("docs/mistakes.md");
    assert!(
        text.lines().filter(|line| line.starts_with("| ")).count() > 20,
        "the search for rows is broken"
    );
    none(mistakes(&text, &read));
}

#[test]
fn the_floor_that_stands_alone_is_shown_in_under_sixty_lines() {
    let echo = text("examples/echo.rs");
    assert!(
        echo.lines().count() < 60,
        "examples/echo.rs has {} lines",
        echo.lines().count()
    );
}

/// That the checks can fail: each row is something that must be refused, or must pass.
mod each_check {
    use super::*;

    #[test]
    fn of_layers_refuses_what_is_above() {
        let table = [
            (
                "the codec knows no hub",
                "src/websocket/frame.rs",
                "use crate::hub::X;",
                false,
            ),
            (
                "nor in the middle of a line",
                "src/websocket/frame.rs",
                "    let x = crate::chat::Chat::new();",
                false,
            ),
            (
                "nor in a group",
                "src/http/head.rs",
                "use crate::{limits, websocket::Violation};",
                false,
            ),
            (
                "nor in a group over lines",
                "src/chat/mod.rs",
                "use crate::{\n    http::Head,\n    limits,\n};",
                false,
            ),
            (
                "nor by climbing",
                "src/history/mod.rs",
                "use super::chat::Chat;",
                false,
            ),
            (
                "nor by climbing twice",
                "src/chat/name.rs",
                "use super::super::hub::Hub;",
                false,
            ),
            (
                "the floor names nothing",
                "src/limits.rs",
                "use crate::time::Millis;",
                false,
            ),
            (
                "the server knows pages, no heads",
                "src/server/mod.rs",
                "use crate::http::Head;",
                false,
            ),
            (
                "one exception is for one name",
                "src/hub/mod.rs",
                "use crate::history::Memory;",
                false,
            ),
            (
                "and for one file",
                "src/hub/steps.rs",
                "use crate::history::History;",
                false,
            ),
            (
                "a handshake reads a head",
                "src/websocket/handshake.rs",
                "use crate::http::{Head, Refusal};",
                true,
            ),
            (
                "but no pages",
                "src/websocket/handshake.rs",
                "use crate::http::{Head, pages::Page};",
                false,
            ),
            (
                "what only begins alike",
                "src/server/mod.rs",
                "use crate::hubris::X;",
                false,
            ),
            (
                "the own layer",
                "src/chat/json.rs",
                "use crate::chat::command::Request;",
                true,
            ),
            (
                "the floor is for all",
                "src/websocket/frame.rs",
                "use crate::progress::Progress;",
                true,
            ),
            (
                "a comment names what it likes",
                "src/http/head.rs",
                "/// See [`crate::hub::Hub`].",
                true,
            ),
            (
                "tests too",
                "src/http/head.rs",
                "//! x\n\n#[cfg(test)]\nmod tests {\n    use crate::hub::Hub;\n}\n",
                true,
            ),
            (
                "the driver",
                "src/server/mod.rs",
                "use crate::hub::{Hub, Socket};\nuse crate::http::pages::Pages;",
                true,
            ),
        ];
        for (name, path, text, fine) in table {
            assert_eq!(
                layers(path, text).is_empty(),
                fine,
                "{name}: {:?}",
                layers(path, text)
            );
        }
    }

    #[test]
    fn of_words_refuses_them_elsewhere() {
        let table = [
            (
                "sockets",
                "src/hub/mod.rs",
                "use mio::net::TcpStream;",
                false,
            ),
            (
                "a parser",
                "src/websocket/handshake.rs",
                "    httparse::parse(x)",
                false,
            ),
            (
                "a clock",
                "src/hub/steps.rs",
                "    let now = Instant::now();",
                false,
            ),
            (
                "a clock of the driver",
                "src/server/mod.rs",
                "    let now = Instant::now();",
                true,
            ),
            ("a file", "src/chat/mod.rs", "use std::fs;", false),
            (
                "a log line of a pure layer",
                "src/chat/mod.rs",
                "    log::warn!(\"x\");",
                false,
            ),
            (
                "a log line of the hub",
                "src/hub/mod.rs",
                "    log::warn!(\"x\");",
                true,
            ),
            (
                "what only ends alike",
                "src/chat/mod.rs",
                "    catalog::find();",
                true,
            ),
            ("unwrap", "src/cli/mod.rs", "    x.unwrap();", false),
            (
                "its harmless relatives",
                "src/cli/mod.rs",
                "    x.unwrap_or_default();",
                true,
            ),
            (
                "in a test",
                "src/cli/mod.rs",
                "//! x\n\n#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\n",
                true,
            ),
            (
                "in an example of a doc comment",
                "src/cli/mod.rs",
                "/// x.unwrap();",
                true,
            ),
            (
                "printing",
                "src/cli/serve.rs",
                "    println!(\"x\");",
                false,
            ),
            (
                "printing errors",
                "src/cli/serve.rs",
                "    eprintln!(\"x\");",
                true,
            ),
            (
                "interior mutability",
                "src/hub/mod.rs",
                "    x: Rc<RefCell<Hub>>,",
                false,
            ),
        ];
        for (name, path, text, fine) in table {
            assert_eq!(
                words(path, text).is_empty(),
                fine,
                "{name}: {:?}",
                words(path, text)
            );
        }
    }

    #[test]
    fn of_shape_and_functions_counts() {
        let lines = |count: usize| format!("//! x\n{}", "x();\n".repeat(count - 1));
        let tests = "\n#[cfg(test)]\nmod tests {\n    x();\n}\n";
        let table = [
            ("no head", "src/a.rs", "use x;\n".to_owned(), false),
            ("a file of 400 lines", "src/a.rs", lines(400), true),
            ("one more", "src/a.rs", lines(401), false),
            (
                "tests make it longer than 500",
                "src/a.rs",
                format!(
                    "{}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
                    lines(399),
                    "    x();\n".repeat(100)
                ),
                false,
            ),
            (
                "tests at the end",
                "src/a.rs",
                format!("{}{tests}", lines(5)),
                true,
            ),
            (
                "code behind them",
                "src/a.rs",
                format!("{}{tests}fn x() {{\n}}\n", lines(5)),
                false,
            ),
            (
                "test code in the midst",
                "src/a.rs",
                "//! x\n#[cfg(test)]\nuse x;\n".to_owned(),
                false,
            ),
            ("a name that says nothing", "src/utils.rs", lines(5), false),
            ("even as a folder", "src/common/a.rs", lines(5), false),
        ];
        for (name, path, text, fine) in table {
            assert_eq!(
                shape(path, &text).is_empty(),
                fine,
                "{name}: {:?}",
                shape(path, &text)
            );
        }
        let function = |head: &str, count: usize, end: &str| {
            format!("{head}\n{}{end}\n", "        x();\n".repeat(count - 2))
        };
        let table = [
            (
                "seventy lines",
                function("    pub fn x() {", 70, "    }"),
                true,
            ),
            ("one more", function("    pub fn x() {", 71, "    }"), false),
            ("at the margin", function("fn x(", 71, "}"), false),
            (
                "a declaration ends where it ends",
                format!("    fn x();\n{}    }}\n", "        x();\n".repeat(80)),
                true,
            ),
        ];
        for (name, text, fine) in table {
            assert_eq!(functions("src/a.rs", &text).is_empty(), fine, "{name}");
        }
    }

    #[test]
    fn of_tables_sees_what_differs() {
        let readme = "# x\n\n## Words\n\n| word | means |\n| --- | --- |\n| `a` | b |\n| `c` | d |\n\n## Other\n\n| x | y |\n|---|---|\n| `e` | f |\n";
        assert_eq!(cells(&table(readme, "Words"), &[0]), ["a", "c"]);
        assert_eq!(cells(&table(readme, "Words"), &[1, 0]), ["b a", "d c"]);
        assert_eq!(
            table("# A\n\n| x | y | z |\n|---|---|---|\n| a | | c |\n", "A"),
            [["a", "", "c"]],
            "an empty cell is a cell"
        );
        assert!(table(readme, "Nothing").is_empty());
        let list = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        assert!(same("x", list(&["a", "b"]), list(&["b", "a"])).is_empty());
        for (documented, real) in [
            (&["a"][..], &["a", "b"][..]),
            (&["a", "b"], &["a"]),
            (&["a", "a"], &["a"]),
            (&[], &[]),
        ] {
            assert!(
                !same("x", list(documented), list(real)).is_empty(),
                "{documented:?}, {real:?}"
            );
        }
    }

    #[test]
    fn of_a_match_reads_its_words() {
        let text = "match word {\n    \"a\" => x(\"b\"),\n    \"c\" => match y {\n        \"d\" => 1,\n    },\n    _ => z,\n    \"e\" => 1,";
        assert_eq!(arms(text, "match word {"), ["a", "c", "d"]);
        assert!(
            arms(text, "match kind {").is_empty(),
            "and so `same` says that the search is broken"
        );
    }

    #[test]
    fn of_limits_reads_their_values() {
        let table = [
            ("pub const A: usize = 64 << 10;", "A 64 KiB"),
            ("pub const A: u64 = 16 << 20;", "A 16 MiB"),
            ("pub const A: usize = 100_000;", "A 100,000"),
            ("pub const A: Duration = Duration::from_secs(5);", "A 5 s"),
            (
                "pub const A: Duration = Duration::from_secs(24 * 60 * 60);",
                "A 24 h",
            ),
            (
                "pub const A: Duration = Duration::from_millis(250);",
                "A 250 ms",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(constants(line), [expected]);
        }
        assert!(constants("    pub const DEFAULT: Self = Self {").is_empty());
    }

    #[test]
    fn of_limits_misses_a_test_that_is_gone() {
        let read = |path: &str| {
            (path == "tests/a.rs")
                .then(|| "#[test]\nfn it_ends() {\n}\n\nfn harness() {\n}\n".to_owned())
        };
        let table = [
            ("a test that is there", "`tests/a.rs::it_ends`", true),
            ("a test that is gone", "`tests/a.rs::it_ended`", false),
            (
                "one that is there and one that is gone",
                "`tests/a.rs::it_ends`, `tests/a.rs::gone`",
                false,
            ),
            ("a function that is no test", "`tests/a.rs::harness`", false),
            ("a file that is gone", "`tests/b.rs::it_ends`", false),
            ("a file and no test", "`tests/a.rs`", false),
            ("words", "what it bounds", false),
            ("nothing", "", false),
        ];
        for (name, cell, fine) in table {
            assert_eq!(
                limits_are_shown(&[vec!["`LIMIT`", "1", cell]], &read).is_empty(),
                fine,
                "{name}"
            );
        }
    }

    #[test]
    fn of_the_mistakes_misses_a_test_that_is_gone() {
        let read = |path: &str| {
            match path {
            "src/a.rs" => Some("pub fn open() {}\n".to_owned()),
            "tests/a.rs" => Some("#[test]\nfn it_opens() {\n}\n\nfn harness() {\n}\n    #[test]\n    fn it_shuts() {\n".to_owned()),
            _ => None,
        }
        };
        let table = [
            (
                "a test that is there",
                "| x | y | `src/a.rs` | `tests/a.rs`: `it_opens`, `it_shuts` |",
                true,
            ),
            (
                "the head of a table",
                "| known as | what happened | what excludes it here | shown by |",
                true,
            ),
            ("a line that is no row", "parlor has none of it", true),
            (
                "a test that is gone",
                "| x | y | `src/a.rs` | `tests/a.rs`: `it_opened` |",
                false,
            ),
            (
                "the beginning of a name is not the name",
                "| x | y | `src/a.rs` | `tests/a.rs`: `it_open` |",
                false,
            ),
            (
                "a function that is no test",
                "| x | y | `src/a.rs` | `tests/a.rs`: `harness` |",
                false,
            ),
            (
                "a test of another file",
                "| x | y | z | `tests/a.rs`: `it_opens`; `src/a.rs`: `it_opens` |",
                false,
            ),
            ("a test of no file", "| x | y | z | `it_opens` |", false),
            (
                "a file that is gone",
                "| x | y | `src/b.rs` | `tests/a.rs`: `it_opens` |",
                false,
            ),
            ("a file and no test", "| x | y | z | `tests/a.rs` |", false),
            ("nothing", "| x | y | z | |", false),
            (
                "a cell too few",
                "| x | y | `tests/a.rs`: `it_opens` |",
                false,
            ),
        ];
        for (name, text, fine) in table {
            assert_eq!(
                mistakes(text, &read).is_empty(),
                fine,
                "{name}: {:?}",
                mistakes(text, &read)
            );
        }
    }

    #[test]
    fn of_the_tour_misses_what_is_gone() {
        let read = |path: &str| match path {
            "src/a.rs" => Some("pub fn open(&self) {}\nenum Stage {\n    Http,\n}\n".to_owned()),
            "examples/echo.rs" => Some(String::new()),
            "tests/a/main.rs" => Some("//! x\nmod b;\n".to_owned()),
            "tests/a/b.rs" => Some("#[test]\nfn opens() {}\n".to_owned()),
            _ => None,
        };
        let table = [
            ("a file that is there", "see `src/a.rs`", true),
            ("one that is not", "see `src/b.rs`", false),
            ("a function", "see `src/a.rs`, `A::open`", true),
            ("with its brackets", "see `src/a.rs`, `open()`", true),
            ("one that was renamed", "see `src/a.rs`, `A::shut`", false),
            (
                "the beginning of a name is not the name",
                "see `src/a.rs`, `A::ope`",
                false,
            ),
            ("a variant", "see `src/a.rs`, `Stage::Http`", true),
            (
                "an example that is there",
                "```sh\ncargo run --example echo\n```",
                true,
            ),
            (
                "one that is not",
                "```sh\ncargo run --example gone\n```",
                false,
            ),
            (
                "a test that is not",
                "```sh\ncargo test --test gone\n```",
                false,
            ),
            (
                "a test in a sentence",
                "`cargo test --test a`, `cargo test --test a opens`, `cargo test --test a b`",
                true,
            ),
            (
                "one of a file that is not",
                "`cargo test --test gone opens`",
                false,
            ),
            ("one of another name", "`cargo test --test a shuts`", false),
            (
                "a test of the library",
                "`cargo test --lib headers_of_section_5_2`",
                true,
            ),
            ("a file of the library", "`cargo test --lib mask`", true),
            (
                "none of the library",
                "`cargo test --lib gone_for_ever`",
                false,
            ),
        ];
        for (name, text, fine) in table {
            assert_eq!(tour("docs/tour.md", text, &read).is_empty(), fine, "{name}");
        }
    }
}
