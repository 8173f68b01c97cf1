//! The table of options: every option by argument and by variable, wrong values, and `--help`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use parlor::cli::help;
use parlor::cli::options::{Asked, ROWS, ServeOptions, parse};
use parlor::hub::{Network, Origin, Origins};
use parlor::limits::Limits;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn asked(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Asked, String> {
    let variable = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    parse(arguments.iter().map(OsString::from), variable)
}

fn options(arguments: &[&str], environment: &[(&str, &str)]) -> ServeOptions {
    match asked(arguments, environment) {
        Ok(Asked::Serve(options)) => *options,
        other => panic!("{arguments:?}, {environment:?}: {other:?}"),
    }
}

#[test]
fn shown_defaults_are_the_real_defaults() {
    let defaults = options(&[], &[]);
    assert_eq!(defaults, ServeOptions::default());
    assert_eq!(defaults.limits, Limits::DEFAULT);
    let words = help().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut checked = 0;
    for row in ROWS {
        let (name, default) = (format!("--{}", row.name), row.default());
        let is_shown = words.contains(&format!("[{default}]"));
        assert!(default.is_empty() || is_shown, "{name}");
        let is_value = !["", "same host", "built in", "no limit"].contains(&default.as_str());
        if !is_value
            || row.name == "listen"
            || (row.name == "history" && !cfg!(feature = "history"))
        {
            continue;
        }
        let other = match row.name {
            "sync" => "full",
            "history-bytes" => "2000000",
            _ => "7",
        };
        assert_ne!(options(&[&name, other], &[]), defaults, "{name}");
        let mut back = options(&[&name, other, &name, &default], &[]);
        back.warnings.clear();
        assert_eq!(back, defaults, "{name} {default}: the last one counts");
        checked += 1;
    }
    assert_eq!(
        checked,
        ROWS.len() - if cfg!(feature = "history") { 11 } else { 12 }
    );
}

/// Each row with a number sets the field of its own name and no other.
#[test]
fn options_set_their_own_field() {
    let fields = |arguments: &[&str]| {
        let found = options(arguments, &[]);
        format!("{:#?}\n{:#?}", found.limits, found.history)
    };
    let before = fields(&[]);
    for row in ROWS.iter().filter(|row| ["N", "S"].contains(&row.value)) {
        let field = match row.name {
            "max-header-bytes" => "request-head-bytes",
            name => name
                .trim_start_matches("max-")
                .trim_start_matches("history-"),
        };
        let value = if field == "bytes" { "2000000" } else { "7" };
        let field = format!("{}: {value}", field.replace('-', "_"));
        let after = fields(&[&format!("--{}", row.name), value]);
        let mut lines = before.lines().zip(after.lines());
        let changed: Vec<_> = lines.by_ref().filter(|(one, other)| one != other).collect();
        let is_right = changed.len() == 1 && changed[0].1.trim().starts_with(&field);
        assert!(is_right, "--{}: {changed:?}", row.name);
    }
    assert_eq!(options(&["--listen", "[::1]:0"], &[]).listen, ["[::1]:0"]);
    assert_eq!(options(&["--www", "a b"], &[]).www, Some("a b".into()));
    let files = options(&["--owner-key=k", "--password-file=p"], &[]);
    assert_eq!(files.owner_key, Some("k".into()));
    assert_eq!(files.password_file, Some("p".into()));
    let header = options(&["--user-header=X-User", "--trusted-proxy=::1"], &[]);
    assert_eq!(header.user_header, Some("X-User".to_owned()));
    assert!(options(&["--no-history"], &[]).in_memory);
    assert!(!options(&["--no-trace"], &[]).limits.trace);
    let fraction = options(&["--drain=0.25", "--pong-timeout=0.0001"], &[]).limits;
    assert_eq!(fraction.drain.as_micros(), 250_000);
    assert_eq!(fraction.pong_timeout.as_micros(), 1_000, "never zero");
}

#[test]
#[cfg(feature = "tools")]
fn recording_keeps_the_options_it_was_given() {
    let arguments = ["--record", "a b", "--no-history", "--rate=5"];
    let recorded = options(&arguments, &[("PARLOR_DRAIN", "1")]);
    assert_eq!(recorded.record, Some("a b".into()));
    assert_eq!(
        recorded.given,
        ["--no-history", "--rate=5", "--drain=1", "--record=a b"]
    );
}

#[test]
fn zero_is_accepted_where_it_makes_sense() {
    let sensible = "max-connections-per-ip rate hello-timeout ping-interval resume-window drain";
    let sensible: Vec<_> = sensible.split(' ').collect();
    for row in ROWS.iter().filter(|row| ["N", "S"].contains(&row.value)) {
        for zero in ["0", "00", "0.0"] {
            let is_accepted = asked(&[&format!("--{}", row.name), zero], &[]).is_ok();
            let is_whole = row.value == "S" || !zero.contains('.');
            let expected = sensible.contains(&row.name) && is_whole;
            assert_eq!(is_accepted, expected, "{} {zero}", row.name);
        }
    }
}

/// A description of the input, and the arguments.
const WRONG: &str = "\
a fraction of a count               | --max-channels 1.5
more than a gibibyte                | --max-message-bytes 1073741825
more than thirty years              | --drain 1000000000.1
no port                             | --listen 127.0.0.1
no address                          | --listen :8080
a star as an address                | --listen *:8080
a port above 65535                  | --listen 127.0.0.1:65536
a port by name                      | --listen localhost:http
a port with a sign                  | --listen localhost:+80
an invalid IPv4 address             | --listen 256.0.0.1:80
an IPv6 address without brackets    | --listen ::1:80
a URL to listen on                  | --listen http://localhost:80
a socket without a path             | --listen unix:
a socket with a relative path       | --listen unix:parlor.sock
no value                            | --listen
an origin without a scheme          | --origin chat.example
an origin with a path               | --origin https://chat.example/
an origin in other letters          | --origin https://bücher.example
a wrong origin after a star         | --origin * --origin x
a list of origins in one argument   | --origin http://a,http://b
a proxy by name                     | --trusted-proxy proxy.example
a prefix of 33 bits                 | --trusted-proxy 10.0.0.0/33
a list of proxies in one argument   | --trusted-proxy 127.0.0.1,::1
an empty folder                     | --www=
an empty database                   | --history=
a flag with a value                 | --no-history=1
an empty recording                  | --record= --no-history
an unknown mode                     | --sync=half
an abbreviated option               | --lis 127.0.0.1:0
an option in capitals               | --RATE 5
an option with one dash             | -listen 127.0.0.1:0
an operand                          | serve
an operand after two dashes         | -- --help
a wrong value before a good one     | --rate wrong --rate=5
characters that can't fit the bytes | --max-text-chars=500 --max-message-bytes=499
a database and none                 | --history x.db --no-history
a recording beside a folder         | --record x --no-history --www www
a header of no proxy                | --user-header Remote-User
a header that is none               | --user-header a:b --trusted-proxy ::1
a header beside a password          | --user-header a --trusted-proxy ::1 --password-file p";

#[test]
fn wrong_values_are_refused_by_name() {
    let wrong = "x -1 +1 1e3 0x10 1_000 1,000 1s nan inf 1. .5 1.2.3 99999999999999999999";
    for row in ROWS.iter().filter(|row| ["N", "S"].contains(&row.value)) {
        let variable = row.variable();
        for value in wrong.split(' ').chain(["", " "]) {
            let argument = format!("--{}={value}", row.name);
            let error = asked(&[&argument], &[]).expect_err(&argument);
            let begins = format!("--{} must be ", row.name);
            assert!(error.starts_with(&begins), "{error}");
            assert!(error.ends_with(&format!(", not {value:?}")), "{error}");
            if !value.is_empty() {
                let error = asked(&[], &[(&variable, value)]).expect_err(&variable);
                let begins = format!("{variable} must be ");
                assert!(error.starts_with(&begins), "{error}");
            }
        }
    }
    for line in WRONG.lines() {
        let (name, arguments) = line.split_once(" | ").unwrap();
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let error = asked(&arguments, &[]).expect_err(name);
        let is_line = !error.is_empty() && !error.contains('\n');
        assert!(is_line, "{name}: {error}");
    }
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    for option in ["--rate", "--origin", "--listen"] {
        let parsed = parse([option.into(), bytes(b"\xff")], |_| None);
        assert!(parsed.is_err(), "{option}: no UTF-8");
    }
    let folder = parse([bytes(b"--www"), bytes(b"/\xff")], |_| None);
    assert!(matches!(folder, Ok(Asked::Serve(o)) if o.www == Some(bytes(b"/\xff").into())));
}

/// Parses arguments with a space between them, and variables as `NAME=value; NAME=value`.
fn words(arguments: &str, variables: &str) -> Result<ServeOptions, String> {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let variables = variables.split("; ").filter_map(|it| it.split_once('='));
    match asked(&arguments, &variables.collect::<Vec<_>>())? {
        Asked::Serve(options) => Ok(*options),
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn contradictions_are_refused_or_warned_about() {
    let mut refused = vec![(
        "--max-text-chars=500 --max-message-bytes=499",
        "500 is more than fits into --max-message-bytes 499",
    )];
    if cfg!(feature = "history") {
        refused.push(("--history x.db --no-history", "--history and --no-history"));
    }
    if cfg!(all(feature = "history", feature = "tools")) {
        refused.push(("--record x", "--record needs --no-history"));
    }
    for (arguments, part) in refused {
        let error = words(arguments, "").expect_err(part);
        assert!(error.contains(part), "{error}");
    }
    for (argument, part) in [
        (
            "--max-text-chars=70000",
            "--max-text-chars 70000 may be longer",
        ),
        ("--max-message-bytes=4096", "; 16512 bytes are enough"),
        ("--max-message-bytes=16512", ""),
        ("--max-buffered-bytes=65535", "--max-buffered-bytes 65535"),
        ("--sync=full", "--sync has no effect without a history"),
    ] {
        let warnings = words(&format!("--no-history {argument}"), "")
            .unwrap()
            .warnings;
        let expected = usize::from(!part.is_empty());
        assert_eq!(warnings.len(), expected, "{warnings:?}");
        assert!(warnings.concat().contains(part), "{warnings:?}");
    }
}

#[test]
fn arguments_win_over_variables() {
    for (arguments, variables, rate) in [
        ("", "PARLOR_RATE=3", 3),
        ("--rate 4", "PARLOR_RATE=wrong", 4),
        ("--rate 4 --rate=5", "PARLOR_RATE=3", 5),
        ("", "PARLOR_RATE=", 20),
        ("", "PARLOR_HELP=1; PARLOR_NOTHING=x", 20),
    ] {
        let options = words(arguments, variables).unwrap();
        assert_eq!(options.limits.rate, rate, "{arguments} {variables}");
    }
    let in_memory = |arguments, variables| words(arguments, variables).map(|it| it.in_memory);
    assert_eq!(in_memory("", "PARLOR_NO_HISTORY=1"), Ok(true));
    if cfg!(feature = "history") {
        assert_eq!(in_memory("", "PARLOR_NO_HISTORY=0"), Ok(false));
        assert_eq!(in_memory("--history=x", "PARLOR_NO_HISTORY=1"), Ok(false));
        assert_eq!(in_memory("--no-history", "PARLOR_HISTORY=x"), Ok(true));
        assert!(words("", "PARLOR_HISTORY=x; PARLOR_NO_HISTORY=1").is_err());
    }
    for value in ["yes", "true", "2"] {
        let variable = format!("PARLOR_NO_HISTORY={value}");
        assert!(words("", &variable).is_err(), "{value}");
    }
}

#[test]
fn repeatable_options_are_lists() {
    let origins = |arguments, variable| words(arguments, variable).unwrap().origins;
    let listed = |list: &str| {
        let origins = list.split(' ').map(|origin| Origin::parse(origin).unwrap());
        Origins::Listed(origins.collect())
    };
    let variable = "PARLOR_ORIGIN=http://a, http://b:81";
    let both = listed("http://a http://b:81");
    assert_eq!(origins("--origin http://a --origin=http://b:81", ""), both);
    assert_eq!(origins("", variable), both);
    assert_eq!(origins("--origin http://c", variable), listed("http://c"));
    let any = "--origin http://c --origin * --origin http://d";
    assert_eq!(origins(any, ""), Origins::Any);
    assert!(words("", "PARLOR_ORIGIN=http://a,,http://b").is_err());
    let listen = "--listen [::1]:0 --listen=unix:/run/x";
    assert_eq!(
        words(listen, "").unwrap().listen,
        ["[::1]:0", "unix:/run/x"]
    );
    let networks = ["::1", "10.0.0.0/8"].map(|it| Network::parse(it).unwrap());
    for (arguments, variable) in [
        ("--trusted-proxy ::1 --trusted-proxy=10.0.0.0/8", ""),
        ("", "PARLOR_TRUSTED_PROXY=::1,10.0.0.0/8"),
    ] {
        let options = words(arguments, variable).unwrap();
        assert_eq!(options.trusted_proxies, networks);
    }
}

#[test]
fn help_and_version_win_over_later_errors() {
    for (argument, expected) in [
        ("--help", Asked::Help),
        ("-h", Asked::Help),
        ("--version", Asked::Version),
        ("-V", Asked::Version),
    ] {
        let arguments = ["--rate", "3", argument, "--nonsense"];
        let asked = asked(&arguments, &[("PARLOR_DRAIN", "x")]);
        assert_eq!(asked, Ok(expected));
    }
}

#[test]
fn help_fits_80_columns() {
    let text = help();
    for row in ROWS {
        let entry = format!("\n  {} ", row.usage());
        assert!(text.contains(&entry), "{}", row.name);
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80 && !line.ends_with(' '), "{line}");
    }
}
