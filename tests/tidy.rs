//! Checks that no compiler makes: layers, import circles, line counts, hard words, and documents
//! that must agree with the code.
//!
//! Text search, not a parser: rustfmt has brought every file into one form.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folders whose files a folder may import, beside its own and the files of src/ itself.
const LAYERS: &str = "
    websocket: http
    blocking: http websocket
    http:
    history:
    chat: history
    hub: chat history http websocket
    server: hub http
    tools: chat cli history http hub server websocket
    cli: chat history http hub server tools websocket
    main: cli
";

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
    RefCell        src/testing.rs src/tools/
    unwrap(
    todo!
    unimplemented!
    print!
    println!
";

/// Support for tests, which counts as tests and may import every layer.
const TESTING: &str = "src/testing.rs";

/// Forms that are hard to read, in lower case.
const BANNED: &str = "so many, so much, any more, any longer, is told, are told, be told, whoever, \
    nobody, somebody, anybody, everybody, anew, see off, sees off, seen off, take up, takes up, \
    taken up, makes of, gives way, not here:";

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
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
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
    let (mut code, mut is_inline) = (String::new(), false);
    for line in without_tests(text).lines() {
        // In a module within the file, `super` is the file.
        is_inline |= line.starts_with("mod ") && line.ends_with('{');
        is_inline &= line != "}";
        let line = line.trim();
        if !line.starts_with("//") {
            let line = line.split(" // ").next().unwrap();
            code += &line.replace("super::", if is_inline { "self::" } else { "super::" });
            code.push(' ');
        }
    }
    code
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
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    let paths = parts.flat_map(|part| leaves(&format!("{}{part}", stem.trim())));
    paths.collect()
}

/// The module of a file, as a path from the root: `hub::connection`.
fn module(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").replace('/', "::")
}

/// The paths that a module imports or names, and those that it re-exports, all from the root.
fn named(module: &str, code: &str, modules: &BTreeSet<String>) -> [Vec<String>; 2] {
    let from_root = |path: &str| {
        let path = path.split(' ').next()?;
        let path = path.strip_prefix("self::").unwrap_or(path);
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
        let leaves = leaves(tree);
        let paths = leaves.iter().filter_map(|path| from_root(path));
        let before = before.rsplit(' ').next().unwrap();
        if ["pub", "pub(crate)", "pub(super)"].contains(&before) {
            exports.extend(paths);
        } else {
            needs.extend(paths);
        }
    }
    [needs, exports]
}

/// The files of the same folder that each file needs. A name that a `mod.rs` re-exports belongs to
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
    let mut files = BTreeMap::new();
    for (module, needs) in graph {
        let mut needs: BTreeSet<_> = needs.into_iter().map(file_of).collect();
        needs.retain(|file| *file != module && top(file) == top(&module));
        files.insert(module, needs);
    }
    files
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
    let mut allowed = BTreeMap::new();
    for (layer, below) in LAYERS.lines().filter_map(|line| line.split_once(':')) {
        let below: Vec<_> = below.split(' ').collect();
        allowed.insert(layer.trim(), below);
    }
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let module = module(&path);
        let layer = module.split("::").next().unwrap();
        let named = named(&module, &code(&text), &BTreeSet::new()).concat();
        for name in named.into_iter().filter(|_| path != TESTING) {
            let top = name.split("::").next().unwrap();
            let below = allowed.get(layer).is_some_and(|below| below.contains(&top));
            if top != layer && !below && root("src").join(top).is_dir() {
                problems.push(format!(
                    "{path} imports {name}, which LAYERS does not allow"
                ));
            }
        }
    }
    none(problems);
}

#[test]
fn imports_form_no_circle() {
    let mut graph = imports(&sources());
    let mut problems = Vec::new();
    while let Some(circle) = circle(&graph) {
        problems.push(format!("a circle: {}", circle.join(" -> ")));
        let last = graph.get_mut(circle.last().unwrap());
        last.unwrap().remove(&circle[0]);
    }
    none(problems);
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
            let mut places = code.match_indices(word);
            let found = places.any(|(at, _)| !code[..at].ends_with(is_part));
            if found && !words.any(|place| path.starts_with(place)) {
                problems.push(format!(
                    "{path} has {word}, against this row of ONLY_IN: {}",
                    row.trim()
                ));
            }
        }
    }
    none(problems);
}

/// rustfmt wraps code but no comments, and no JavaScript.
#[test]
fn files_have_a_head_and_short_lines() {
    let mut problems = Vec::new();
    for folder in ["src", "tests", "fuzz", "benches", "examples"] {
        for (path, text) in files(folder, &[".rs"]) {
            let has_head = text.starts_with("//! ") || text.starts_with("#![no_main]");
            let is_wide = |line: &str| line.chars().count() > 100 && !line.contains('"');
            if !has_head || text.lines().any(is_wide) || text.lines().count() > 700 {
                problems.push(format!(
                    "{path} needs a head comment, at most 100 characters a line, and at most 700 lines"
                ));
            }
        }
    }
    // The files of the languages hold sentences.
    let is_table = |path: &str| {
        let name = path.strip_prefix("www/texts/").unwrap_or_default();
        ["ar", "de", "emoji", "en", "es", "fr", "ja", "pt-BR"]
            .iter()
            .any(|table| name == format!("{table}.js"))
    };
    for folder in ["www", "tests", "examples", "benches"] {
        for (path, text) in files(folder, &[".js", ".mjs", ".cjs", ".css"]) {
            // Long strings, regular expressions and imports (see build.rs) stay on one line.
            let is_literal = |line: &str| {
                line.contains("import ")
                    || line.trim().starts_with('/')
                    || line.split(['\'', '"', '`']).any(|it| it.len() > 60)
            };
            let is_comment = |line: &str| line.trim().starts_with("//");
            let is_wide =
                |line: &str| line.chars().count() > 100 && (is_comment(line) || !is_literal(line));
            if !is_table(&path) && text.lines().any(is_wide) {
                problems.push(format!("{path} needs at most 100 characters a line"));
            }
        }
    }
    none(problems);
}

/// The most lines of the library, without tests and doc tests. It is meant to be read.
const WEBSOCKET_LINES: usize = 2_200;

/// The lines of all examples in the doc comments of a file, with the empty line before each.
fn doc_tests(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    // Whether the current block is a test.
    let (mut block, mut last) = (None, "");
    for line in without_tests(text).lines().map(str::trim_start) {
        let is_fence = line.starts_with("/// ```") || line.starts_with("//! ```");
        let opened = (is_fence && block.is_none()).then(|| line.ends_with("```"));
        if block.or(opened).unwrap_or_default() {
            lines.extend((last == "///").then_some(last));
            lines.push(line);
        }
        last = if block.is_none() { line } else { "" };
        block = if is_fence { opened } else { block };
    }
    lines
}

/// The doc tests of the library use each of its functions, structs and enums.
#[test]
fn doc_tests_show_every_item_of_the_library() {
    let mut library = files("src/websocket", &[".rs"]);
    for path in [
        "blocking",
        "progress",
        "http/authority",
        "http/fields",
        "http/request",
        "http/response",
    ] {
        let path = format!("src/{path}.rs");
        library.push((path.clone(), text(&path)));
    }
    let is_part = |it: char| !it.is_alphanumeric() && it != '_';
    let page = text("docs/library.md").replace("```rust\n", "```\n");
    let page: String = page.lines().map(|line| format!("/// {line}\n")).collect();
    let shown = library.iter().flat_map(|(_, text)| doc_tests(text));
    let shown = shown.chain(doc_tests(&page));
    let shown: BTreeSet<_> = shown.flat_map(|line| line.split(is_part)).collect();
    let mut problems = Vec::new();
    for (path, text) in &library {
        for line in without_tests(text).lines().map(str::trim_start) {
            let Some(item) = line.strip_prefix("pub ") else {
                continue;
            };
            let mut words = item.split(is_part).filter(|word| *word != "const");
            let name = match words.next() {
                Some("fn" | "struct" | "enum") => words.next().unwrap_or_default(),
                _ => continue,
            };
            if !shown.contains(name) {
                problems.push(format!("{path}: no doc test shows {name}"));
            }
        }
    }
    none(problems);
}

#[test]
fn websocket_is_short_enough_to_be_read() {
    let files = files("src/websocket", &[".rs"]);
    let lines: usize = files
        .iter()
        .map(|(_, it)| without_tests(it).lines().count())
        .sum();
    let examples: usize = files.iter().map(|(_, it)| doc_tests(it).len()).sum();
    let lines = lines - examples;
    assert!(
        lines <= WEBSOCKET_LINES,
        "src/websocket has {lines} lines without tests"
    );
}

/// The goals are not reached yet, so nothing is asserted.
#[test]
fn line_counts_are_printed_with_their_goals() {
    let count = |files: &[(String, String)]| {
        let all: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
        let code = files.iter().filter(|(path, _)| path != TESTING);
        let code = code.map(|(_, text)| without_tests(text));
        let code: usize = code.map(|text| text.lines().count()).sum();
        (all, code)
    };
    let folder = |folder: &str| count(&files(folder, &[".rs"]));
    let ((all, src), (_, tools)) = (folder("src"), folder("src/tools"));
    let tour = text("docs/tour.md");
    let mut toured = sources();
    toured.retain(|(path, _)| {
        let mut stops = tour.lines().filter(|line| line.starts_with("## ★"));
        stops.any(|stop| stop.ends_with(&format!("`{path}`")))
    });
    for (name, figure, goal) in [
        ("lines of src without tests", src, 15_000),
        ("the same without tools", src - tools, 11_500),
        ("lines of tests", folder("tests").0 + all - src, 14_000),
        ("files of the tour", toured.len(), 12),
        ("lines of the tour", count(&toured).1, 3_000),
    ] {
        print(&format!("{name}: {figure}, goal {goal}"));
    }
}

/// Finds banned forms, short doc comments, and documents that do not exist.
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
                problem(&format!("write `{}` in other words", form.trim()));
            }
        }
        let is_doc = |line: &&&str| line.trim_start().starts_with("/// ");
        let begins = row == 0 || !lines[row - 1].trim_start().starts_with("///");
        let block = lines[row..].iter().take_while(is_doc);
        let count: usize = block.map(|line| line.split_whitespace().count() - 1).sum();
        if path.ends_with(".rs") && begins && (1..4).contains(&count) {
            problem(&format!(
                "delete this doc comment, or say more: {}",
                line.trim()
            ));
        }
        for name in ["PROTOCOL", "DESIGN", "READING", "STYLE"] {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| word == name) {
                problem(&format!("there is no document {name}"));
            }
        }
    }
    problems
}

#[test]
fn words_are_plain() {
    let www = files("www", &[".js", ".html", ".css"]);
    let mut texts = [sources(), documents(), www].concat();
    for folder in ["tests", "fuzz", "benches", "examples"] {
        let endings = [".rs", ".js", ".mjs", ".cjs", ".py", "run"];
        texts.extend(files(folder, &endings));
    }
    texts.retain(|(path, _)| path != "tests/tidy.rs"); // it lists the forms
    let problems = texts.iter().flat_map(|(path, text)| words(path, text));
    none(problems.collect());
}

/// The first columns of the first table under a heading of any document.
fn table(heading: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for (_, text) in documents() {
        let mut lines = text.lines();
        lines.find(|line| line.starts_with('#') && line.trim_matches(['#', ' ']) == heading);
        let lines = lines.take_while(|line| !line.starts_with('#'));
        for row in lines.filter(|line| line.starts_with('|')).skip(2) {
            let cells = row.trim_matches('|').split('|').take(columns);
            let cells: Vec<_> = cells.map(|cell| cell.trim().replace('`', "")).collect();
            rows.push(cells.join(" "));
        }
    }
    rows
}

/// Compares a table with the names in the code. Underscores are ignored.
#[track_caller]
fn assert_documented(heading: &str, columns: usize, real: Vec<String>) {
    let rows = table(heading, columns);
    let set = |words: &[String]| -> BTreeSet<String> {
        words.iter().map(|word| word.replace('_', "")).collect()
    };
    let (documented, real) = (set(&rows), set(&real));
    assert!(!rows.is_empty(), "no document has a table {heading}");
    assert_eq!(documented.len(), rows.len(), "{heading}: a row comes twice");
    let different: Vec<_> = documented.symmetric_difference(&real).collect();
    assert!(different.is_empty(), "{heading}: {different:?}");
}

/// The texts between two marks.
fn between(text: &str, before: &str, after: &str) -> Vec<String> {
    let rests = text.split(before).skip(1);
    let found = rests.filter_map(|rest| Some(rest.split_once(after)?.0.to_owned()));
    found.collect()
}

/// The words of a `match`, up to the arm for all others.
fn arms(text: &str, begin: &str) -> Vec<String> {
    let arms = between(text, begin, "_ =>").concat();
    let arms = arms.replace('\n', " ").replace("\" | \"", "\" => \"");
    between(&arms, " \"", "\" =>")
}

/// The value of a constant as documents write it: `64 << 10` is 64 KiB.
fn shown(value: &str) -> String {
    let value = value.replace('_', ",").replace(" << 10", " KiB");
    let value = value.replace(" << 20", " MiB");
    let Some((unit, number)) = value.split_once('(') else {
        return value;
    };
    let number = number.trim_end_matches(')');
    match (unit, number) {
        ("Duration::from,secs", "24 * 60 * 60") => "24 h".to_owned(),
        ("Duration::from,secs", _) => format!("{number} s"),
        _ => format!("{number} ms"),
    }
}

#[test]
fn documented_options_limits_and_metrics_are_those_of_the_code() {
    let (mut options, mut limits) = (vec!["--version ".to_owned(), "--help ".to_owned()], vec![]);
    for row in parlor::cli::options::ROWS.iter() {
        options.push(format!("{} {}", row.usage(), row.default()));
        if row.group == "Limits" || row.group.starts_with("Times") || row.value == "N" {
            limits.push(format!("--{}", row.name));
        }
    }
    assert_documented("Options", 2, options);
    assert_documented("Limits that are options", 1, limits);
    let places = [
        "src/limits.rs",
        "src/http/fields.rs",
        "src/websocket/frame.rs",
    ];
    let mut constants = between(&places.map(text).concat(), "\npub const ", ";");
    for constant in &mut constants {
        let (name, value) = constant.split_once(" = ").unwrap();
        let name = name.split(':').next().unwrap();
        *constant = format!("{name} {}", shown(value));
    }
    assert_documented("Fixed limits", 2, constants);
    let rendered = parlor::metrics::Metrics::default().render();
    let mut metrics = between(&rendered, "# TYPE ", "\n");
    for metric in &mut metrics {
        let (name, kind) = metric.split_once(' ').unwrap();
        let labels = between(&rendered, &format!("\n{name}{{"), "=");
        let label = labels.first().map(|label| format!("{{{label}}}"));
        *metric = format!("{name}{} {kind}", label.unwrap_or_default());
    }
    assert_documented("Metrics", 2, metrics);
}

#[test]
fn documented_protocol_is_that_of_the_code() {
    let rows = between(&text("src/chat/error.rs"), "\nerrors! {", "\n}").concat();
    let errors = rows
        .lines()
        .filter_map(|row| row.strip_prefix("    ")?.split('"').nth(1));
    let errors = errors.filter(|code| !code.contains(' ')).map(str::to_owned);
    let errors = errors.chain(["bad_name".to_owned(), "too_long".to_owned()]);
    assert_documented("Error codes", 1, errors.collect());
    let mut events = between(&text("src/chat/event.rs"), "=> (\"", "\",");
    for (_, text) in sources() {
        events.extend(between(&text, "r#type: \"", "\""));
        events.extend(between(&text, "json!({ \"type\": \"", "\""));
    }
    let variants = between(&text("src/chat/event.rs"), "pub enum Event {", "\n}").concat();
    for line in variants.lines().filter_map(|it| it.strip_prefix("    ")) {
        if line.starts_with(char::is_uppercase) {
            let name = line.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            events.push(name.to_lowercase());
        }
    }
    assert_documented("Events", 1, events);
    let commands = arms(&text("src/chat/codec/json.rs"), "match kind {");
    assert_documented("Commands", 1, commands);
    let codes = between(&text("src/websocket/close_code.rs"), ": Self = Self(", ");");
    assert_documented("Close codes", 1, codes);
    let first = |row: String| row.split(' ').next().unwrap().trim_matches('/').to_owned();
    let lines: BTreeSet<_> = table("Typed lines", 1).into_iter().map(first).collect();
    let words = arms(&text("src/chat/codec/line.rs"), "match word {");
    assert_eq!(lines, words.into_iter().collect());
    let manifest = between(&text("Cargo.toml"), "\n[dependencies]\n", "\n[").concat();
    let rows = manifest.lines().filter_map(|line| line.split_once(" = "));
    let names = rows.map(|(name, _)| name.to_owned());
    assert_documented("Dependencies", 1, names.collect());
}

/// Links, paths, and tests as `` `tests/a.rs`: `test_name` `` or `` `tests/a.rs::test_name` ``.
#[test]
fn documents_name_what_is_there() {
    let mut problems = Vec::new();
    let folders = ["src", "tests", "www", "docs", "examples", "fuzz", "benches"];
    for (path, text) in documents() {
        let mut problem =
            |what: &str| problems.push(format!("{path} names {what}, which does not exist"));
        let folder = root(&path).parent().unwrap().to_owned();
        for link in between(&text, "](", ")") {
            let file = link.split('#').next().unwrap();
            if !link.contains("://") && !folder.join(file).exists() {
                problem(&link);
            }
        }
        for line in text.lines() {
            let mut file = String::new();
            for quoted in line.split('`').skip(1).step_by(2) {
                let (name, item) = quoted.split_once("::").unwrap_or((quoted, quoted));
                let top = name.split_once('/').unwrap_or_default().0;
                if folders.contains(&top) {
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
        }
    }
    none(problems);
}
