//! Checks that no compiler makes: layers, import circles, line counts, words that readers stumble
//! over, and documents that say what the code says.
//!
//! Text search, not a parser: rustfmt has brought every file into one form.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the files of a folder may import beside each other. Every file may import [`SHARED`].
const LAYERS: &str = "
    websocket: http
    http:
    history:
    chat: history
    hub: chat history http websocket
    server: hub http
    tools: chat cli history http hub server websocket
    cli: chat history http hub server tools websocket
    main: cli
";

const SHARED: [&str; 5] = ["limits", "metrics", "progress", "text", "time"];

/// Words of code, and the only paths where they are allowed.
const ONLY_IN: &str = "
    mio::          src/server/
    httparse::     src/http/
    rusqlite       src/history/sqlite/ src/tools/
    Instant::now   src/server/ src/cli/ src/tools/ src/history/sqlite/
    SystemTime     src/server/ src/cli/ src/tools/
    TcpStream      src/server/ src/cli/ src/tools/
    TcpListener    src/server/ src/cli/ src/tools/
    std::fs        src/server/ src/cli/ src/tools/ src/history/sqlite/
    std::env       src/cli/ src/tools/ src/main.rs
    std::thread    src/cli/ src/tools/
    getrandom      src/cli/ src/server/ src/tools/
    rustix         src/server/ src/cli/ src/tools/ src/history/sqlite/
    signal_hook    src/server/ src/tools/
    log::          src/hub/ src/server/ src/cli/ src/tools/ src/history/sqlite/
    env_logger     src/cli/ src/main.rs
    RefCell
    unwrap(
    todo!
    unimplemented!
    print!
    println!
";

/// Forms that readers stumble over, in lower case.
const BANNED: &str = "so many, so much, any more, is told, are told, be told, whoever, nobody, \
    somebody, anew, see off, sees off, seen off, take up, takes up, taken up, not here:";

/// How many problems of each kind are still there, at most. Ends up empty.
const LEFT: &[(&str, usize)] = &[
    ("words", 1000),
    ("circles", 50),
    ("documents", 150),
    ("layers", 30),
    ("lines", 40),
];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|_| panic!("{path} is missing"))
}

/// Every file of a folder with one of these endings, as path and text.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_dir() {
            if name != "node_modules" && name != "target" {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push((path.clone(), text(&path)));
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(String, String)> {
    files("src", &[".rs"])
}

fn documents() -> Vec<(String, String)> {
    let mut documents = files("docs", &[".md"]);
    documents.push(("README.md".to_owned(), text("README.md")));
    documents
}

#[track_caller]
fn none(kind: &str, problems: impl IntoIterator<Item = String>) {
    let problems: Vec<_> = problems.into_iter().collect();
    let left = LEFT
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(0, |(_, most)| *most);
    assert!(problems.len() <= left, "\n{}\n", problems.join("\n"));
    if !problems.is_empty() {
        print(&format!("{kind}: {} problems left", problems.len()));
        println!("{}", problems.join("\n"));
    }
}

/// Prints past the capture of `cargo test`.
fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A file without the tests at its end.
fn without_tests(text: &str) -> &str {
    let end = text.find("\n#[cfg(test)]\nmod tests {\n");
    &text[..end.unwrap_or(text.len())]
}

/// The code of a file without tests and comments, in one line.
fn code(text: &str) -> String {
    let lines = without_tests(text).lines().map(str::trim);
    let lines = lines.filter(|line| !line.starts_with("//"));
    let code: Vec<_> = lines
        .map(|line| line.split(" // ").next().unwrap())
        .collect();
    code.join(" ")
}

/// The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((stem, rest)) = tree.split_once('{') else {
        return vec![tree.trim().to_owned()];
    };
    let inner = &rest[..rest.rfind('}').unwrap_or(rest.len())];
    let mut depth = 0;
    let parts = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let parts = parts.filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| leaves(&format!("{}{}", stem.trim(), part.trim())))
        .collect()
}

/// The module of a file, as a path from the root: `hub::connection`.
fn module(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").replace('/', "::")
}

/// Paths that a module imports or names, and paths that it exports again, all from the root.
fn named(module: &str, code: &str, modules: &BTreeSet<String>) -> [Vec<String>; 2] {
    let from_root = |path: &str| {
        let path = path.split(' ').next()?;
        let (mut base, mut rest) = (module, path);
        if let Some(path) = path.strip_prefix("crate::") {
            return Some(path.to_owned());
        }
        while let Some(path) = rest.strip_prefix("super::") {
            (base, rest) = (base.rsplit_once("::").map_or("", |(base, _)| base), path);
        }
        let child = format!("{module}::{}", path.split("::").next()?);
        let is_here = rest != path || path.contains("::") && modules.contains(&child);
        is_here.then(|| format!("{base}::{rest}"))
    };
    let (mut needs, mut exports) = (Vec::new(), Vec::new());
    for statement in code.split(';').map(|statement| format!(" {statement}")) {
        let (before, tree) = statement.rsplit_once(" use ").unwrap_or((&statement, ""));
        let words = before.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        needs.extend(words.filter_map(from_root));
        let is_export = ["pub", "pub(crate)", "pub(super)"]
            .iter()
            .any(|end| before.ends_with(end));
        let paths = if is_export { &mut exports } else { &mut needs };
        paths.extend(leaves(tree).iter().filter_map(|path| from_root(path)));
    }
    [needs, exports]
}

/// Which files of a folder each file needs. A name that a `mod.rs` only exports again belongs to
/// the file that defines it.
fn imports(sources: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let modules = sources.iter().map(|(path, _)| module(path)).collect();
    let (mut graph, mut exported) = (BTreeMap::new(), BTreeMap::new());
    for (path, text) in sources {
        let module = module(path);
        let [needs, exports] = named(&module, &code(text), &modules);
        for path in exports {
            let (_, name) = path.rsplit_once("::").unwrap();
            exported.insert(format!("{module}::{name}"), path);
        }
        graph.insert(module, needs);
    }
    let file_of = |path: String| {
        let mut path = exported.get(&path).cloned().unwrap_or(path);
        while !modules.contains(&path) && !path.is_empty() {
            path.truncate(path.rfind("::").unwrap_or(0));
        }
        path
    };
    let top = |module: &str| module.split("::").next().unwrap().to_owned();
    let graph = graph.into_iter().map(|(module, needs)| {
        let files = needs.into_iter().map(file_of);
        let own = files
            .filter(|file| *file != module && top(file) == top(&module))
            .collect();
        (module, own)
    });
    graph.collect()
}

/// One circle of a graph, if it has any.
fn circle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left = graph.clone();
    while let Some(end) = left.iter().find(|(_, needs)| needs.is_empty()) {
        let end = end.0.clone();
        left.remove(&end);
        left.values_mut().for_each(|needs| _ = needs.remove(&end));
    }
    let mut path = vec![left.keys().next()?.clone()];
    loop {
        let next = left[path.last()?].first()?.clone();
        if let Some(at) = path.iter().position(|module| *module == next) {
            return Some(path.split_off(at));
        }
        path.push(next);
    }
}

#[test]
fn imports_follow_the_layers() {
    let rows = LAYERS
        .lines()
        .filter_map(|line| line.trim().split_once(':'));
    let allowed: BTreeMap<&str, Vec<&str>> = rows
        .map(|(layer, below)| (layer, below.split_whitespace().collect()))
        .collect();
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let module = module(&path);
        let layer = module.split("::").next().unwrap();
        for name in named(&module, &code(&text), &BTreeSet::new()).concat() {
            let top = name.split("::").next().unwrap();
            let below = allowed.get(layer).is_some_and(|below| below.contains(&top));
            if top != layer && !below && (allowed.contains_key(top) || !SHARED.contains(&top)) {
                problems.push(format!("{path} imports {name}"));
            }
        }
    }
    none("layers", problems);
}

#[test]
fn imports_form_no_circle() {
    let mut graph = imports(&sources());
    let mut problems = Vec::new();
    while let Some(circle) = circle(&graph) {
        problems.push(format!("a circle: {}", circle.join(" -> ")));
        graph
            .get_mut(circle.last().unwrap())
            .unwrap()
            .remove(&circle[0]);
    }
    none("circles", problems);
}

#[test]
fn circles_are_found() {
    let table = [
        ("no circle", "use crate::chat::{Chat};\n// super::a", false),
        ("two files", "use crate::hub::{x, a::{A}};", true),
        ("an exported name", "use super::{X};", true),
        ("a path in the code", "fn x() { super::a::x() }", true),
        ("the parent, which needs both", "use super::Hub;", true),
        (
            "tests",
            "x\n\n#[cfg(test)]\nmod tests {\n    use super::super::a;",
            false,
        ),
    ];
    for (name, b, expected) in table {
        let files = [
            (
                "src/hub/mod.rs",
                "mod a;\nmod b;\npub use a::{A, X};\nuse b::B;",
            ),
            (
                "src/hub/a.rs",
                "use crate::http::Head;\nuse super::b::{\n    B,\n};",
            ),
            ("src/hub/b.rs", b),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(circle(&imports(&files)).is_some(), expected, "{name}");
    }
}

#[test]
fn sockets_clocks_and_panics_stay_where_they_belong() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        for row in ONLY_IN.trim().lines() {
            let mut words = row.split_whitespace();
            let word = words.next().unwrap();
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let found = code
                .match_indices(word)
                .any(|(at, _)| !code[..at].ends_with(is_part));
            if found && !words.any(|place| path.starts_with(place)) {
                problems.push(format!("{path} has {word}: {row}"));
            }
        }
    }
    none("places", problems);
}

#[test]
fn lines_and_files_are_short() {
    let mut problems = Vec::new();
    for folder in ["src", "tests", "fuzz", "benches", "examples"] {
        for (path, text) in files(folder, &[".rs"]) {
            let lines = text.lines().count();
            let has_head = text.starts_with("//! ") || text.starts_with("#![no_main]");
            if !has_head || lines > 700 {
                problems.push(format!("{path} has {lines} lines, or no head comment"));
            }
            // A string can't be broken.
            let is_wide = |line: &str| line.chars().count() > 100 && !line.contains('"');
            if let Some(row) = text.lines().position(is_wide) {
                problems.push(format!("{path}:{} is wider than 100", row + 1));
            }
        }
    }
    none("lines", problems);
}

#[test]
fn code_is_as_short_as_promised() {
    let lines = |text: &String| text.lines().count();
    let of = |folder: &str| files(folder, &[".rs"]).into_iter().map(|(_, text)| text);
    let short = |folder: &str| {
        of(folder)
            .map(|text| without_tests(&text).lines().count())
            .sum()
    };
    let (src, tools): (usize, usize) = (short("src"), short("src/tools"));
    let tests = of("tests")
        .chain(of("src"))
        .map(|text| lines(&text))
        .sum::<usize>()
        - src;
    let tour = text("docs/tour.md");
    let quoted: BTreeSet<_> = tour.split('`').skip(1).step_by(2).collect();
    let of_tour = quoted
        .iter()
        .filter(|path| path.starts_with("src/") && path.ends_with(".rs"));
    let of_tour = of_tour.filter(|path| root(path).exists());
    let lines_of = |path: &&&str| without_tests(&text(path)).lines().count();
    for (name, figure, most) in [
        ("lines of src without tests", src, 15_000),
        ("the same without tools", src - tools, 11_500),
        ("of these websocket", short("src/websocket"), 2_200),
        ("lines of tests and inline tests", tests, 14_000),
        ("files of the tour", of_tour.clone().count(), 12),
        (
            "lines of the tour",
            of_tour.map(|path| lines_of(&path)).sum(),
            3_000,
        ),
    ] {
        print(&format!("{name}: {figure}, at most {most}"));
    }
}

/// Banned forms, short doc comments, and documents that are not there.
fn words(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let plain = |line: &str| {
        let line = line.trim_start_matches([' ', '/', '!', '*']).to_lowercase();
        line.replace(|c: char| !c.is_alphanumeric() && c != ':', " ") + " "
    };
    let lines: Vec<_> = text.lines().collect();
    for (row, line) in lines.iter().enumerate() {
        let mut problem = |what: &str| problems.push(format!("{path}:{}: {what}", row + 1));
        // A form may begin on this line and end on the next.
        let next = lines.get(row + 1).map_or(String::new(), |next| plain(next));
        let (here, next) = (format!(" {}", plain(line)), format!(" {next}"));
        let both = here.clone() + next.trim_start();
        for form in BANNED.split(", ").map(|form| format!(" {form} ")) {
            if here.contains(&form) || both.contains(&form) && !next.contains(&form) {
                problem(&form);
            }
        }
        let is_doc = |line: &&&str| line.trim_start().starts_with("/// ");
        let begins = row == 0 || !lines[row - 1].trim_start().starts_with("///");
        let block = lines[row..].iter().take_while(is_doc);
        let count: usize = block.map(|line| line.split_whitespace().count() - 1).sum();
        if path.ends_with(".rs") && begins && (1..4).contains(&count) {
            problem(&format!(
                "a doc comment of fewer than four words: {}",
                line.trim()
            ));
        }
        let parts = line.split(|c: char| !c.is_alphanumeric() && !"_-.".contains(c));
        for name in parts.filter(|part| part.len() > 3 && part.ends_with(".md")) {
            if !["", "docs", "fuzz", "www"]
                .iter()
                .any(|at| root(at).join(name).exists())
            {
                problem(&format!("there is no {name}"));
            }
        }
        if ["PROTOCOL", "DESIGN", "READING"]
            .iter()
            .any(|name| line.contains(name))
        {
            problem("cites a document that is not here");
        }
    }
    problems
}

#[test]
fn words_are_plain() {
    let (code, www) = (sources(), files("www", &[".js", ".html", ".css"]));
    let texts = [code, www, documents()].concat();
    let texts = texts
        .iter()
        .filter(|(path, _)| !path.starts_with("docs/solutions/"));
    let problems = texts.flat_map(|(path, text)| words(path, text));
    none("words", problems);
}

/// The first table under a heading of any document, without its head: the cells of each row.
fn table(heading: &str) -> Vec<Vec<String>> {
    for (_, text) in documents() {
        let is_head =
            |line: &str| line.starts_with('#') && line.trim_matches(['#', ' ']) == heading;
        let below = text.lines().skip_while(|line| !is_head(line)).skip(1);
        let below = below.take_while(|line| !line.starts_with('#'));
        let rows = below.skip_while(|line| !line.starts_with('|'));
        let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
        let cells = |row: &str| {
            let cells = row.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        };
        let rows: Vec<_> = rows.map(cells).collect();
        if !rows.is_empty() {
            return rows;
        }
    }
    panic!("no document has a table under {heading:?}");
}

/// Compares the first columns of a table with the code.
#[track_caller]
fn assert_documented(heading: &str, columns: usize, real: impl IntoIterator<Item = String>) {
    let real: BTreeSet<String> = real.into_iter().collect();
    let documented: Vec<_> = table(heading)
        .iter()
        .map(|row| row[..columns].join(" "))
        .collect();
    let set: BTreeSet<_> = documented.iter().cloned().collect();
    assert_eq!(documented.len(), set.len(), "{heading}: a row comes twice");
    assert!(!real.is_empty(), "{heading}: nothing was found in the code");
    let missing = real
        .difference(&set)
        .map(|row| format!("{heading} lacks {row}"));
    let unknown = set
        .difference(&real)
        .map(|row| format!("{heading}: the code has no {row}"));
    none(heading, missing.chain(unknown));
}

/// What stands between two marks, everywhere in a text.
fn between(text: &str, before: &str, after: &str) -> Vec<String> {
    let rests = text.split(before).skip(1);
    rests
        .filter_map(|rest| Some(rest.split_once(after)?.0.to_owned()))
        .collect()
}

/// The words of a `match`, up to the arm for all others.
fn arms(text: &str, begin: &str) -> Vec<String> {
    let arms = between(text, begin, "_ =>").concat();
    let words = arms
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" =>"));
    words.map(|(word, _)| word.to_owned()).collect()
}

/// The variants of an enum, in snake case.
fn variants(text: &str, begin: &str) -> Vec<String> {
    let variants = between(text, begin, "\n}").concat();
    let names = variants
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    let names = names.filter(|name| name.starts_with(char::is_uppercase));
    let names = names.map(|name| name.split(|c: char| !c.is_alphanumeric()).next().unwrap());
    let snake = |name: &str| {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        snake
    };
    names.map(snake).collect()
}

/// The value of a constant as documents write it: `64 << 10` is 64 KiB.
fn shown(value: &str) -> String {
    let Some(seconds) = value.strip_prefix("Duration::from_secs(") else {
        let value = value
            .replace("Duration::from_millis(", "")
            .replace(')', " ms");
        return value
            .replace(" << 10", " KiB")
            .replace(" << 20", " MiB")
            .replace('_', ",");
    };
    let factors = seconds.trim_end_matches(')').split(" * ");
    match factors
        .map(|factor| factor.replace('_', "").parse::<u64>().unwrap())
        .product::<u64>()
    {
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds => format!("{seconds} s"),
    }
}

#[test]
fn documented_options_limits_and_metrics_are_those_of_the_code() {
    let rows = parlor::cli::options::ROWS.iter();
    let options = rows
        .clone()
        .map(|row| format!("{} {}", row.usage(), row.default()));
    assert_documented(
        "Options",
        2,
        options.chain(["--version ".into(), "--help ".into()]),
    );
    let is_limit = |group: &str| group == "Limits" || group.starts_with("Times");
    let limits = rows.filter(|row| is_limit(row.group) || row.value == "N");
    assert_documented(
        "Limits that are options",
        1,
        limits.map(|row| format!("--{}", row.name)),
    );
    let limits = between(&text("src/limits.rs"), "\npub const ", ";");
    let constants = limits.iter().filter_map(|constant| {
        let (name, value) = (constant.split(": ").next()?, constant.split_once(" = ")?.1);
        Some(format!("{name} {}", shown(value)))
    });
    assert_documented("Fixed limits", 2, constants);
    let rendered = parlor::metrics::Metrics::default().render();
    let metrics = between(&rendered, "# TYPE ", "\n")
        .into_iter()
        .map(|metric| {
            let (name, kind) = metric.split_once(' ').unwrap();
            let label = between(&rendered, &format!("\n{name}{{"), "=")
                .into_iter()
                .next();
            format!(
                "{name}{} {kind}",
                label
                    .map(|label| format!("{{{label}}}"))
                    .unwrap_or_default()
            )
        });
    assert_documented("Metrics", 2, metrics);
}

#[test]
fn documented_protocol_is_that_of_the_code() {
    let json = text("src/chat/codec/json.rs");
    let errors = code(&text("src/chat/error.rs"));
    let errors = between(&errors.replace("( ", "("), "=> (\"", "\",");
    assert_documented("Error codes", 1, errors);
    let traces = sources()
        .into_iter()
        .flat_map(|(_, text)| between(&text, "r#type: \"", "\""));
    assert_documented(
        "Events",
        1,
        traces
            .chain(variants(&text("src/chat/event.rs"), "pub enum Event {"))
            .chain(["direct".to_owned()]),
    );
    assert_documented("Commands", 1, arms(&json, "match kind {"));
    let codes = between(&text("src/websocket/close.rs"), ": Self = Self(", ");");
    assert_documented("Close codes", 1, codes);
    let lines = table("Typed lines").into_iter();
    let words = lines.map(|row| {
        row[0]
            .split(' ')
            .next()
            .unwrap()
            .trim_matches('/')
            .to_owned()
    });
    let known = arms(&text("src/chat/codec/line.rs"), "match word {");
    assert_eq!(words.collect::<BTreeSet<_>>(), known.into_iter().collect());
    let manifest = between(&text("Cargo.toml"), "\n[dependencies]\n", "\n[").concat();
    let names = manifest
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()));
    assert_documented("Dependencies", 1, names);
}

/// Links, paths, tests as `` `tests/a.rs`: `test_name` `` or `` `tests/a.rs::test_name` ``, and
/// what `cargo test --test NAME` runs.
#[test]
fn documents_name_what_is_there() {
    let mut problems = Vec::new();
    for (path, text) in documents() {
        let mut problem = |what: &str| problems.push(format!("{path} names {what}"));
        let folder = root(&path).parent().unwrap().to_owned();
        for link in between(&text, "](", ")")
            .iter()
            .filter(|link| !link.contains("://"))
        {
            if !folder.join(link.split('#').next().unwrap()).exists() {
                problem(link);
            }
        }
        for line in text.lines() {
            let mut file = String::new();
            for quoted in line.split('`').skip(1).step_by(2) {
                let (name, item) = quoted.split_once("::").unwrap_or((quoted, quoted));
                let top = name.split('/').next().unwrap();
                let folders = ["src", "tests", "www", "docs", "examples", "fuzz", "benches"];
                if name.contains('/') && folders.contains(&top) {
                    let name = root(name.split([' ', '*']).next().unwrap());
                    file = fs::read_to_string(&name).unwrap_or_default();
                    if !name.exists() {
                        problem(quoted);
                    }
                }
                let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                let is_test = item.matches('_').count() > 1 && item.chars().all(is_part);
                if is_test && !file.is_empty() && !file.contains(&format!("fn {item}(")) {
                    problem(item);
                }
            }
            for (option, folder) in [("--example ", "examples"), ("--test ", "tests")] {
                let rests = line.split(option).skip(1);
                for name in rests.filter_map(|rest| rest.split([' ', '`']).next()) {
                    let name = root(folder).join(name);
                    if !name.join("main.rs").exists() && !name.with_extension("rs").exists() {
                        problem(&name.display().to_string());
                    }
                }
            }
        }
    }
    none("documents", problems);
}
