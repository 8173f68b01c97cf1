//! `parlor test`: sends valid and invalid inputs to a WebSocket server and judges its answers.
//!
//! `cases` is the table, `play` plays one case on a `session`, and `judge` compares the answer with
//! the demand. Each case has a connection of its own, and several run at once.

pub mod cases;
pub mod model;

mod compressor;
mod fuzz;
mod grammar;
mod judge;
mod listen;
mod play;
mod report;
mod runner;
mod server;
mod session;

use super::address::Address;
use super::terminal::Terminal;
use super::tool::{Failure, Tool, check_headers, number};
use crate::cli::args::Arguments;
use cases::{Case, Expected, Severity};
use judge::{Verdict, judge, severity};
use listen::Listener;
use play::{Outcome, play};
use report::{Played, Report};
use runner::{in_parallel, show_progress};
use serde_json::json;
use server::Server;
use session::Reaction;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The longest silence, unless `--timeout` is given.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The connections at once, unless `--jobs` is given.
const JOBS: usize = 16;

const HELP: &str = "\
Usage: parlor test [OPTIONS] URL
       parlor test [OPTIONS] --listen ADDR:PORT [-- CMD ARGS...]
       parlor test [--case GLOB]... [--json] --list

Sends valid and invalid inputs to a WebSocket server, each on its own connection, and
prints each case that fails: what the standard demands, what came back, and the bytes.
Cases that fail alike are printed once, the most severe ones first.
  held        the server did what the standard demands
  violated    it accepted what it must reject, or the reverse
  other       it rejected the input, but for another reason or without one
  n/a         the case is not for this server, which lacks an extension for example

Which cases
  --case GLOB       only these, such as 'mask-*' or '9.*'; repeatable. The cases of
                    Autobahn have its numbers, and 'autobahn' is all of them
  --skip GLOB       not these; repeatable
  --section NUMBER  only those of this section, such as 5.2 or 7692; repeatable
  --list            print the cases, one a line

Which server
  --header LINE     send this header, such as 'Authorization: Bearer x'; repeatable.
                    Host replaces that of the URL
  --origin ORIGIN   send this Origin
  --subprotocol P   offer this subprotocol; repeatable
  --connect CMD     use standard input and output of this command as the connection:
                    'openssl s_client -quiet -connect localhost:443' for wss://localhost/
  --allow-remote    test a server on another machine. Test only servers that are yours, or
                    whose owner asked you to: some inputs are those of an attacker
  --echo            the server echoes messages; otherwise one of each kind shows it
  --binary-only     the server takes no text
  --server-speaks-first  ignore what the server sends before the first input
  --timeout S       the longest silence in seconds (5)
  --jobs N          connections at once (16)

Random sequences instead of the cases
  --fuzz S          send random sequences of frames for this time in seconds
  --sequences N     send this number of random sequences
  --seed N          the sequences of an earlier run; without it, those of a random seed
  --replay FILE     play a sequence that failed, from the file that --fuzz wrote

Which client
  --listen ADDR:PORT  be the server, and test the clients that connect, one case for
                    each connection. A command is started once for each case, with {url}
                    replaced; test clients of Autobahn find its paths. Cases of text and
                    binary messages need a client that echoes (--echo without a command)

What counts
  --fail-on WORD    only this severity or a higher one fails: security, interoperability
                    or pedantic (the default)
  --strict          informational cases fail, too
  --write-expected FILE  write the verdicts of this run
  --expect FILE     fail only for verdicts that are not those of FILE

Output
  --verbose         print all cases, and each on its own
  --json            one object a line for each case, and one for all
  --junit FILE      JUnit XML, which GitHub and GitLab read
  --autobahn DIR    an index.json as Autobahn writes it
  --agent NAME      the name of the server or client in it; without it, the URL

Exit status: 0 if no case failed, 1 if one did, 2 for a wrong option, 3 if the server
can't be reached or answers no ping.";

#[rustfmt::skip]
pub(super) const TOOL: Tool = Tool {
    usage: "test URL",
    help: "test a WebSocket server against the standard",
    manual: HELP,
    options: &[
        "case=", "skip=", "section=", "list", "header=", "origin=", "subprotocol=", "connect=",
        "allow-remote", "echo", "binary-only", "server-speaks-first", "timeout=", "jobs=",
        "fuzz=", "sequences=", "seed=", "replay=", "listen=", "fail-on=", "strict",
        "write-expected=", "expect=", "verbose", "json", "junit=", "autobahn=", "agent=",
    ],
    operands: usize::MAX,
    run,
};

/// Options without an effect on random sequences.
#[rustfmt::skip]
const OF_CASES: [&str; 11] = [
    "case", "skip", "section", "fail-on", "strict", "write-expected", "expect", "verbose", "junit",
    "autobahn", "agent",
];
/// Options without an effect on clients.
#[rustfmt::skip]
const OF_SERVERS: [&str; 11] = [
    "header", "origin", "subprotocol", "connect", "allow-remote", "binary-only",
    "server-speaks-first", "jobs", "fuzz", "sequences", "replay",
];

/// Plays the cases. `false`: one failed.
fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let listen = texts(given, "listen").pop();
    let (cases, is_json) = (selected(given, listen.is_some())?, given.has("json"));
    if given.has("list") {
        let lines = cases.iter().map(|case| listed(case, is_json));
        lines.for_each(|line| terminal.line(&line));
        return Ok(true);
    }
    let random = ["fuzz", "sequences", "replay"];
    let is_random = random.iter().any(|option| given.has(option));
    let (input, unused) = match (&listen, is_random) {
        (Some(_), _) => ("clients", &OF_SERVERS[..]),
        (None, true) => ("random sequences", &OF_CASES[..]),
        (None, false) => ("cases", &["seed"][..]),
    };
    if let Some(option) = unused.iter().find(|option| given.has(option)) {
        return Err(Failure::Wrong(format!("--{option} is not for {input}")));
    }
    let (expected, fail_on) = (expected(given)?, fail_on(given)?);
    let jobs = number(given, "jobs")?.unwrap_or(JOBS);
    let (start, mut server) = (Instant::now(), None);
    let mut agent = texts(given, "agent").pop();
    let (outcomes, url, name, files) = if let Some(address) = listen {
        let listener = Listener::new(&address, &cases, timeout(given)?, given.has("echo"));
        let listener = listener.map_err(Failure::Wrong)?;
        let (url, files) = (listener.url(), files(given)?);
        let (outcomes, own) = listener.play(&given.operands)?;
        agent = agent.or(own);
        (outcomes, url, String::new(), files)
    } else {
        let (found, name) = explored(given)?;
        if is_random {
            return fuzz::run(given, &found, jobs, terminal);
        }
        let (url, files) = (found.address.to_string(), files(given)?);
        let outcomes = play_all(&cases, &found, jobs);
        server = Some(found);
        (outcomes, url, name, files)
    };
    let seconds = start.elapsed().as_secs_f64();
    let played = cases.iter().zip(outcomes).map(|(case, outcome)| {
        let verdict = judge(case, &outcome);
        let severity = severity(case, verdict, &outcome);
        let expected = expected.as_ref();
        let expected = expected.map(|all| *all.get(&case.name).unwrap_or(&Verdict::Held));
        let is_wrong = match expected {
            Some(expected) => verdict != expected,
            None => matches!(verdict, Verdict::Violated | Verdict::Other),
        };
        Played {
            case,
            outcome,
            verdict,
            expected,
            severity,
            is_failure: is_wrong && severity >= fail_on,
        }
    });
    let report = Report {
        played: played.collect(),
        agent: agent.unwrap_or_else(|| url.clone()),
        url,
        server: name,
        seconds,
    };
    let texts = [report.junit(), report.autobahn(), report.baseline()];
    for (path, text) in files.iter().zip(texts) {
        if let Some(path) = path {
            fs::write(path, text).map_err(unwritable(path))?;
        }
    }
    match is_json {
        true => report.print_json(terminal),
        false => report.print(given.has("verbose"), terminal),
    }
    if let Some(Err(end)) = server.map(|server| server.ping()) {
        let error = format!("{} no longer answers: {end}", report.url);
        return Err(Failure::Unreachable(error));
    }
    Ok(report.failed().next().is_none())
}

/// Returns a line of `--list`.
fn listed(case: &Case, is_json: bool) -> String {
    let (name, section, demand) = (&case.name, &case.section, &case.demand);
    let (severity, number) = (case.severity.word(), case.number());
    let json = json!({ "name": name, "autobahn": number, "section": section,
                       "severity": severity, "demand": demand });
    match is_json {
        true => json.to_string(),
        false => format!("{name:35} {section:22} {severity:17} {demand}"),
    }
}

/// Returns the paths of `--junit`, `--autobahn` and `--write-expected`, after a check that they can
/// be written.
fn files(given: &Arguments) -> Result<[Option<PathBuf>; 3], Failure> {
    let path = |option| given.value(option).map(PathBuf::from);
    let index = path("autobahn").map(|folder| folder.join("index.json"));
    let files = [path("junit"), index, path("write-expected")];
    for path in files.iter().flatten() {
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        let opened = made.and_then(|()| File::options().create(true).append(true).open(path));
        opened.map_err(unwritable(path))?;
    }
    Ok(files)
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Wrong(format!("can't write {}: {error}", path.display()))
}

/// Plays all cases and shows the progress. Those that only wait do so meanwhile; those with long
/// messages come last and one by one, so that they don't delay others into a timeout.
fn play_all(cases: &[Case], server: &Server, jobs: usize) -> Vec<Outcome> {
    let is_waiting = |at: &usize| cases[*at].expected == Expected::Ends;
    let (waiting, rest): (Vec<_>, Vec<_>) = (0..cases.len()).partition(is_waiting);
    let (long, short): (Vec<_>, Vec<_>) = rest.into_iter().partition(|at| cases[*at].is_long());
    let (mut outcomes, mut done) = (vec![Outcome::default(); cases.len()], 0);
    thread::scope(|scope| {
        let play_waiting = |at: usize| (at, play(&cases[at], server));
        let waiting =
            scope.spawn(move || waiting.into_iter().map(play_waiting).collect::<Vec<_>>());
        for (order, jobs) in [(short, jobs), (long, 1)] {
            let work = |at: usize| play(&cases[order[at]], server);
            in_parallel(jobs, order.len(), work, |at, outcome| {
                outcomes[order[at]] = outcome;
                done += 1;
                show_progress(&format!("{done} of {} cases", cases.len()));
                true
            });
        }
        for (at, outcome) in waiting.join().into_iter().flatten() {
            outcomes[at] = outcome;
        }
    });
    show_progress("");
    outcomes
}

/// Finds out what the server does with messages. Returns its name, too.
fn explored(given: &Arguments) -> Result<(Server, String), Failure> {
    let mut server = server(given)?;
    let (_, name) = server.open(None).map_err(Failure::Unreachable)?;
    // If valid input didn't work, every rejection would mean nothing.
    let authority = &server.address.authority;
    let dead = |end| Failure::Unreachable(format!("{authority} answers no ping: {end}"));
    server.ping().map_err(dead)?;
    if !given.has("echo") {
        server.reactions = [server.reaction_to(0x1), server.reaction_to(0x2)];
    }
    if given.has("binary-only") {
        server.reactions[0] = Reaction::Closes;
    }
    Ok((server, name))
}

/// Returns the lowest severity that counts.
fn fail_on(given: &Arguments) -> Result<Severity, Failure> {
    if given.has("strict") {
        return Ok(Severity::Informational);
    }
    let Some(word) = given.value("fail-on") else {
        return Ok(Severity::Pedantic);
    };
    let severity = word.to_str().and_then(Severity::parse);
    severity.ok_or_else(|| Failure::wrong("--fail-on needs security, interoperability or pedantic"))
}

fn expected(given: &Arguments) -> Result<Option<BTreeMap<String, Verdict>>, Failure> {
    let Some(path) = texts(given, "expect").pop() else {
        return Ok(None);
    };
    let text = fs::read_to_string(&path);
    let text = text.map_err(|error| Failure::Wrong(format!("can't read {path}: {error}")))?;
    let wrong = |line| Failure::Wrong(format!("{path}: {line:?} is not a name and a verdict"));
    report::parse_baseline(&text).map(Some).map_err(wrong)
}

fn texts(given: &Arguments, name: &str) -> Vec<String> {
    let values = given.values(name).map(|value| value.to_string_lossy());
    values.map(Cow::into_owned).collect()
}

fn selected(given: &Arguments, is_for_clients: bool) -> Result<Vec<Case>, Failure> {
    let [wanted, skipped, sections] = ["case", "skip", "section"].map(|name| texts(given, name));
    let mut cases = match is_for_clients {
        true => cases::for_clients(),
        false => cases::all(),
    };
    let is_named = |glob: &String, case: &Case| match glob.as_str() {
        "autobahn" => case.number().is_some(),
        glob => is_match(glob, &case.name),
    };
    for glob in wanted.iter().chain(&skipped) {
        if !cases.iter().any(|case| is_named(glob, case)) {
            let error = format!("there is no case {glob:?}; parlor test --list prints them");
            return Err(Failure::Wrong(error));
        }
    }
    cases.retain(|case| {
        let is_any = |globs: &[String]| globs.iter().any(|glob| is_named(glob, case));
        (wanted.is_empty() || is_any(&wanted))
            && !is_any(&skipped)
            && (sections.is_empty() || sections.iter().any(|it| is_of(it, &case.section)))
    });
    match cases.is_empty() {
        true => Err(Failure::wrong("these options leave no case")),
        false => Ok(cases),
    }
}

/// Returns whether a section such as `RFC 6455 §5.2` has this number, or is a part of the section
/// that has it.
fn is_of(number: &str, section: &str) -> bool {
    section.match_indices(number).any(|(at, _)| {
        let (before, after) = (&section[..at], &section[at + number.len()..]);
        let is_within = |c: char| c.is_ascii_digit() || c == '.';
        !before.ends_with(is_within) && !after.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Returns whether a name matches a glob, in which `*` is any number of characters.
fn is_match(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| is_match(rest, &name[at..]))
        }),
    }
}

fn timeout(given: &Arguments) -> Result<Duration, Failure> {
    let seconds = number(given, "timeout")?.map(|seconds| Duration::from_secs(seconds as u64));
    Ok(seconds.unwrap_or(TIMEOUT))
}

fn server(given: &Arguments) -> Result<Server, Failure> {
    if let [_, other, ..] = &given.operands[..] {
        return Err(Failure::Wrong(format!("unexpected argument {other:?}")));
    }
    let origins = texts(given, "origin")
        .into_iter()
        .map(|origin| format!("Origin: {origin}"));
    let headers: Vec<_> = texts(given, "header").into_iter().chain(origins).collect();
    check_headers(&headers)?;
    let command = texts(given, "connect").pop();
    let server = Server {
        address: Address::operand(given, command.is_some())?,
        command,
        headers,
        subprotocols: texts(given, "subprotocol"),
        timeout: timeout(given)?,
        reactions: [Reaction::Echoes; 2],
        speaks_first: given.has("server-speaks-first"),
    };
    if server.command.is_none() && !given.has("allow-remote") {
        server.check_is_local()?;
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_match_whole_numbers() {
        for (number, section, expected) in [
            ("5.2", "RFC 6455 §5.2", true),
            ("5.2", "RFC 6455 §5.5.2", false),
            ("5.5", "RFC 6455 §5.5.2", true),
            ("§1", "RFC 6455 §10.2", false),
            ("7692", "RFC 7692 §7.1", true),
            ("RFC 6455 §4.2.1", "RFC 6455 §4.2.1, 3", true),
        ] {
            assert_eq!(is_of(number, section), expected, "{number} {section}");
        }
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, name, expected) in [
            ("rsv1", "rsv1", true),
            ("rsv1", "rsv1-ping", false),
            ("rsv*", "rsv", true),
            ("*-ping", "rsv1-ping", true),
            ("12.*.1", "12.3.1", true),
            ("12.*.1", "12.3.10", false),
            ("*a*b*", "xaybz", true),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(is_match(glob, name), expected, "{glob} {name}");
        }
    }
}
