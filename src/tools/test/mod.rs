//! `parlor test`: sends valid and invalid inputs to a WebSocket server and judges its answers.
//!
//! `cases` is the table, `play` sends one case over a `transport`, and `judge` compares the answer
//! with the demand. Each case has a connection of its own, and several run at once.

pub mod cases;
pub mod model;

mod fuzz;
mod grammar;
mod judge;
mod play;
mod runner;
mod transport;

use super::address::Address;
use super::terminal::{Style, Terminal};
use super::tool::{Failure, Tool, number};
use crate::cli::args::Arguments;
use crate::text::Hex;
use cases::{Case, Expected, Severity};
use judge::{Verdict, judge};
use play::{End, play};
use std::borrow::Cow;
use std::time::Duration;
use transport::Target;

/// The longest silence, unless `--timeout` is given.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The connections at once, unless `--jobs` is given.
const JOBS: usize = 16;

const HELP: &str = "\
Usage: parlor test [OPTIONS] URL
       parlor test [OPTIONS] --list

Sends valid and invalid inputs to a WebSocket server, each on its own connection, and
prints what the standard demands and what came back:
  held        the server did what the standard demands
  violated    it accepted what it must reject, or the reverse
  other       it rejected the input, but for another reason or without one

  --case GLOB     only these cases; can be repeated
  --skip GLOB     not these cases; can be repeated
  --section TEXT  only cases of sections that contain this, such as 5.2
  --list          print the cases, one a line
  --header LINE   send this header, such as 'Authorization: Bearer x'; can be repeated
  --subprotocol NAME  offer this subprotocol; can be repeated
  --origin URL    send this Origin
  --connect CMD   use the standard input and output of this command as the stream,
                  such as 'openssl s_client -quiet -connect localhost:443'
  --allow-remote  test a server on another machine. Test only servers that are yours,
                  or whose owner asked you to: the inputs are those of an attacker
  --timeout S     the longest silence in seconds; 5 without this option
  --jobs N        connections at once; 16 without this option
  --fail-on WORD  fail only for cases of this severity or a higher one: security,
                  interoperability or pedantic, which is the default
  --strict        informational cases count too
  --fuzz S        send random sequences of frames for this time in seconds
  --sequences N   send this number of random sequences
  --seed N        the sequences of an earlier run; without it, those of a random seed
  --replay FILE   play a sequence that failed, from the file that --fuzz wrote
  --json          print one object a line

Exit status: 0 if all cases held, 1 if one did not, 2 for a wrong option, 3 if the
server can't be reached or answers no ping.";

pub(super) const TOOL: Tool = Tool {
    usage: "test URL",
    help: "test a WebSocket server against the standard",
    manual: HELP,
    options: &[
        "case=",
        "skip=",
        "section=",
        "list",
        "header=",
        "subprotocol=",
        "origin=",
        "connect=",
        "allow-remote",
        "timeout=",
        "jobs=",
        "fail-on=",
        "strict",
        "fuzz=",
        "sequences=",
        "seed=",
        "replay=",
        "json",
    ],
    operands: 1,
    run,
};

/// Plays the cases. `false`: one failed.
fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let cases = selected(given)?;
    if given.has("list") {
        for case in &cases {
            let Case {
                name,
                section,
                demand,
                ..
            } = case;
            let severity = case.severity.word();
            terminal.line(&format!("{name:37} {section:22} {severity:17} {demand}"));
        }
        return Ok(true);
    }
    let (target, jobs) = (target(given)?, number(given, "jobs")?.unwrap_or(JOBS));
    // If valid input didn't work, every rejection would mean nothing.
    let ping = Case {
        name: Cow::Borrowed("ping"),
        section: "",
        severity: Severity::Interoperability,
        expected: Expected::GoesOn,
        demand: "",
        input: Cow::Borrowed(""),
    };
    match play(&ping, &target).end {
        End::Pong => {}
        End::NotOpened(error) => return Err(Failure::Unreachable(error)),
        other => {
            let (server, answer) = (&target.address.authority, other.sentence());
            return Err(Failure::Unreachable(format!(
                "{server} answers no ping: {answer}"
            )));
        }
    }
    if ["fuzz", "sequences", "replay"]
        .iter()
        .any(|name| given.has(name))
    {
        return fuzz::run(given, &target, jobs, terminal);
    }
    let mut counts = [0; Verdict::ALL.len()];
    let mut lines = vec![None; cases.len()];
    runner::in_parallel(
        jobs,
        &cases,
        |case| play(case, &target),
        |index, outcome| {
            lines[index] = Some((judge(&cases[index], &outcome), outcome));
            true
        },
    );
    for (case, (verdict, outcome)) in cases.iter().zip(lines.into_iter().flatten()) {
        counts[verdict as usize] += 1;
        if verdict != Verdict::Held {
            let answer = outcome.end.sentence();
            terminal.styled(Style::Wrong, &format!("{:9} {}", verdict.word(), case.name));
            terminal.line(&format!("          {} ({})", case.demand, case.section));
            terminal.line(&format!("          {answer}"));
            for (word, log) in [("sent", &outcome.sent), ("received", &outcome.received)] {
                let (shown, total) = (Hex(&log.start), log.total);
                terminal.line(&format!("          {word} {total} bytes: {shown}"));
            }
        }
    }
    let [held, violated, other] = counts;
    terminal.line(&format!("{held} held, {violated} violated, {other} other"));
    Ok(violated + other == 0)
}

/// Returns the cases that the options ask for.
fn selected(given: &Arguments) -> Result<Vec<Case>, Failure> {
    let globs = |name| {
        let values = given
            .values(name)
            .map(|value| value.to_string_lossy().into_owned());
        values.collect::<Vec<_>>()
    };
    let (wanted, skipped, sections) = (globs("case"), globs("skip"), globs("section"));
    let mut cases = cases::all();
    for glob in wanted.iter().chain(&skipped) {
        if !cases.iter().any(|case| is_match(glob, &case.name)) {
            let error = format!("there is no case {glob:?}; parlor test --list prints them");
            return Err(Failure::Wrong(error));
        }
    }
    let is_any = |globs: &[String], name: &str| globs.iter().any(|glob| is_match(glob, name));
    cases.retain(|case| {
        (wanted.is_empty() || is_any(&wanted, &case.name))
            && !is_any(&skipped, &case.name)
            && (sections.is_empty() || sections.iter().any(|part| case.section.contains(part)))
    });
    Ok(cases)
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

/// Returns the server that the options describe.
fn target(given: &Arguments) -> Result<Target, Failure> {
    let texts = |name| {
        let values = given
            .values(name)
            .map(|value| value.to_string_lossy().into_owned());
        values.collect::<Vec<_>>()
    };
    let mut headers = String::new();
    for line in texts("header") {
        if !line.contains(':') || line.contains(['\r', '\n']) {
            return Err(Failure::Wrong(format!(
                "{line:?} is not a header such as 'Name: value'"
            )));
        }
        headers += &format!("{line}\r\n");
    }
    for origin in texts("origin") {
        headers += &format!("Origin: {origin}\r\n");
    }
    let seconds = number(given, "timeout")?.map(|seconds| Duration::from_secs(seconds as u64));
    let command = texts("connect").pop();
    let target = Target {
        address: Address::operand(given, command.is_some())?,
        command,
        headers,
        subprotocols: texts("subprotocol"),
        timeout: seconds.unwrap_or(TIMEOUT),
    };
    if target.command.is_none() && !given.has("allow-remote") {
        target.check_is_local().map_err(Failure::Wrong)?;
    }
    Ok(target)
}
