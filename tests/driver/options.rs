//! The table of options: every option by every way, every wrong value, and the text of `--help`.

use parlor::cli::help;
use parlor::cli::options::{Asked, ROWS, ServeOptions, parse};
use parlor::hub::{Network, Origin, Origins};
use parlor::limits::Limits;
use std::collections::HashSet;
use std::ffi::OsString;
use std::time::Duration;

fn asked(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Asked, String> {
    let variable = |name: &str| {
        environment
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| OsString::from(value))
    };
    parse(arguments.iter().map(OsString::from), variable)
}

fn options(arguments: &[&str], environment: &[(&str, &str)]) -> ServeOptions {
    match asked(arguments, environment) {
        Ok(Asked::Serve(options)) => *options,
        other => panic!("{arguments:?}, {environment:?}: {other:?}"),
    }
}

/// An option, and where its value ends up.
type Reader<T> = (&'static str, fn(&Limits) -> T);

#[test]
fn the_defaults_that_are_shown_are_those_that_hold() {
    assert_eq!(options(&[], &[]), ServeOptions::default());
    assert_eq!(ServeOptions::default().limits, Limits::DEFAULT);
    let shown = ROWS
        .iter()
        .filter(|row| !["", "same host", "built in", "no limit"].contains(&row.default));
    let arguments: Vec<_> = shown
        .map(|row| format!("--{}={}", row.name, row.default))
        .collect();
    assert_eq!(arguments.len(), ROWS.len() - 7);
    // One by one, each set over a value that it is not. A build without the history has no use for
    // its file.
    let usable =
        |argument: &&String| cfg!(feature = "history") || !argument.starts_with("--history=");
    for argument in arguments.iter().filter(usable) {
        let (name, _) = argument.split_once('=').unwrap();
        let other = match name {
            "--listen" => "[::1]:1",
            "--sync" => "full",
            "--history-bytes" => "2000000",
            _ => "7",
        };
        assert_ne!(
            options(&[name, other], &[]),
            ServeOptions::default(),
            "{name}"
        );
        assert_eq!(
            options(&[name, other, argument], &[]),
            ServeOptions::default(),
            "{argument}"
        );
    }
}

#[test]
fn every_option_sets_what_it_says() {
    let whole: &[Reader<u64>] = &[
        ("max-connections", |limits| limits.connections.into()),
        ("max-connections-per-ip", |limits| {
            limits.connections_per_ip.into()
        }),
        ("max-header-bytes", |limits| {
            limits.request_head_bytes as u64
        }),
        ("max-message-bytes", |limits| limits.message_bytes as u64),
        ("max-text-chars", |limits| limits.text_chars as u64),
        ("max-echo-bytes", |limits| limits.echo_bytes as u64),
        ("max-channels", |limits| limits.channels as u64),
        ("max-buffered-bytes", |limits| limits.buffered_bytes as u64),
        ("rate", |limits| limits.rate.into()),
        ("send-queue-bytes", |limits| limits.send_queue_bytes as u64),
    ];
    let seconds: &[Reader<Duration>] = &[
        ("handshake-timeout", |limits| limits.handshake_timeout),
        ("message-timeout", |limits| limits.message_timeout),
        ("hello-timeout", |limits| limits.hello_timeout),
        ("ping-interval", |limits| limits.ping_interval),
        ("pong-timeout", |limits| limits.pong_timeout),
        ("resume-window", |limits| limits.resume_window),
        ("drain", |limits| limits.drain),
    ];
    for (name, get) in whole {
        assert_eq!(
            get(&options(&[&format!("--{name}=7")], &[]).limits),
            7,
            "{name}"
        );
    }
    for (name, get) in seconds {
        assert_eq!(
            get(&options(&[&format!("--{name}"), "0.25"], &[]).limits),
            Duration::from_millis(250),
            "{name}"
        );
    }
    assert_eq!(options(&["--listen", "[::1]:0"], &[]).listen, "[::1]:0");
    assert_eq!(
        options(&["--www", "a b"], &[]).www.as_deref(),
        Some("a b".as_ref())
    );
    assert!(options(&["--no-history"], &[]).in_memory);
    assert!(!options(&["--no-trace"], &[]).limits.trace && ServeOptions::default().limits.trace);
    let recorded = options(
        &["--record", "a b", "--no-history", "--rate=5"],
        &[("PARLOR_DRAIN", "1")],
    );
    assert_eq!(recorded.record.as_deref(), Some("a b".as_ref()));
    assert_eq!(
        recorded.given,
        ["--no-history", "--rate=5", "--drain=1", "--record=a b"],
        "what it is replayed with"
    );
    let of_the_history = [
        "history",
        "no-history",
        "sync",
        "history-keep",
        "history-days",
        "history-bytes",
        "session-days",
    ];
    let others = [
        "listen",
        "origin",
        "trusted-proxy",
        "www",
        "record",
        "no-trace",
    ]
    .into_iter()
    .chain(of_the_history);
    let known: HashSet<_> = whole
        .iter()
        .map(|(name, _)| *name)
        .chain(seconds.iter().map(|(name, _)| *name))
        .chain(others)
        .collect();
    assert_eq!(
        known,
        ROWS.iter().map(|row| row.name).collect(),
        "no option is left out here"
    );
}

#[test]
fn zero_where_it_makes_sense_and_nowhere_else() {
    let sensible = [
        "max-connections-per-ip",
        "rate",
        "hello-timeout",
        "ping-interval",
        "resume-window",
        "drain",
    ];
    for row in ROWS.iter().filter(|row| ["N", "S"].contains(&row.value)) {
        for zero in ["0", "00", "0.0"] {
            let taken = asked(&[&format!("--{}", row.name), zero], &[]).is_ok();
            assert_eq!(
                taken,
                sensible.contains(&row.name) && (row.value == "S" || !zero.contains('.')),
                "--{} {zero}",
                row.name
            );
        }
    }
}

#[test]
fn values_that_are_wrong() {
    for row in ROWS.iter().filter(|row| ["N", "S"].contains(&row.value)) {
        for value in [
            "",
            " ",
            "x",
            "-1",
            "+1",
            "1e3",
            "0x10",
            "1_000",
            "1,000",
            "1s",
            "nan",
            "inf",
            "1.",
            ".5",
            "1.2.3",
            "99999999999999999999",
        ] {
            let argument = format!("--{}={value}", row.name);
            let error = asked(&[&argument], &[]).expect_err(&argument);
            assert!(
                error.starts_with(&format!("--{} must be ", row.name))
                    && error.ends_with(&format!(", not {value:?}")),
                "{error}"
            );
            let variable = row.variable();
            if !value.is_empty() {
                let error = asked(&[], &[(&variable, value)]).expect_err(&variable);
                assert!(
                    error.starts_with(&format!("{variable} must be ")),
                    "{error}"
                );
            }
        }
    }
    let table: &[(&str, &[&str])] = &[
        ("a fraction of a thing", &["--max-channels", "1.5"]),
        (
            "more than a gibibyte",
            &["--max-message-bytes", "1073741825"],
        ),
        ("longer than anybody lives", &["--drain", "1000000000.1"]),
        ("no port", &["--listen", "127.0.0.1"]),
        ("no address", &["--listen", ":8080"]),
        (
            "any address, but not in our spelling",
            &["--listen", "*:8080"],
        ),
        ("a port beyond the last", &["--listen", "127.0.0.1:65536"]),
        ("a port that is none", &["--listen", "localhost:http"]),
        ("a port with a sign", &["--listen", "localhost:+80"]),
        ("an address that is none", &["--listen", "256.0.0.1:80"]),
        ("an IPv6 address without brackets", &["--listen", "::1:80"]),
        ("a URL", &["--listen", "http://localhost:80"]),
        ("no value at all", &["--listen"]),
        ("an origin without a scheme", &["--origin", "chat.example"]),
        (
            "an origin with a path",
            &["--origin", "https://chat.example/"],
        ),
        (
            "an origin among good ones",
            &["--origin", "*", "--origin", "x"],
        ),
        (
            "a list where one is wanted",
            &["--origin", "http://a,http://b"],
        ),
        ("a proxy by its name", &["--trusted-proxy", "proxy.example"]),
        (
            "a range beyond the last bit",
            &["--trusted-proxy", "10.0.0.0/33"],
        ),
        (
            "a list where one is wanted, too",
            &["--trusted-proxy", "127.0.0.1,::1"],
        ),
        ("no folder", &["--www="]),
        ("a flag with a value", &["--no-history=1"]),
        (
            "a database, and none",
            &["--history", "parlor.db", "--no-history"],
        ),
        #[cfg(feature = "history")]
        ("a recording of a database", &["--record", "x"]),
        ("a recording without a name", &["--record=", "--no-history"]),
        ("a word that is none of two", &["--sync=half"]),
        ("an abbreviation", &["--lis", "127.0.0.1:0"]),
        ("one dash", &["-listen", "127.0.0.1:0"]),
        ("no option", &["serve"]),
        ("no option, behind the last one", &["--", "--help"]),
    ];
    for (name, arguments) in table {
        let error = asked(arguments, &[]).expect_err(name);
        assert!(
            !error.is_empty() && !error.contains('\n'),
            "{name}: {error}"
        );
    }
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let listed = |origins: &[&str]| {
        Origins::Listed(
            origins
                .iter()
                .map(|origin| Origin::parse(origin).unwrap())
                .collect(),
        )
    };
    let rate = |arguments: &[&str], environment: &[(&str, &str)]| {
        options(arguments, environment).limits.rate
    };
    assert_eq!(rate(&[], &[("PARLOR_RATE", "3")]), 3);
    assert_eq!(rate(&["--rate", "4"], &[("PARLOR_RATE", "3")]), 4);
    assert_eq!(rate(&["--rate", "4"], &[("PARLOR_RATE", "wrong")]), 4);
    assert_eq!(
        rate(&["--rate", "4", "--rate=5"], &[]),
        5,
        "the last one counts"
    );
    assert!(
        asked(&["--rate", "wrong", "--rate=5"], &[]).is_err(),
        "but none may be wrong"
    );
    assert_eq!(
        rate(&[], &[("PARLOR_RATE", "")]),
        20,
        "an empty variable is as none"
    );

    let origins =
        |arguments: &[&str], environment: &[(&str, &str)]| options(arguments, environment).origins;
    assert_eq!(
        origins(&["--origin", "http://a", "--origin=http://b:81"], &[]),
        listed(&["http://a", "http://b:81"])
    );
    assert_eq!(
        origins(&[], &[("PARLOR_ORIGIN", "http://a, http://b:81")]),
        listed(&["http://a", "http://b:81"])
    );
    assert_eq!(
        origins(&["--origin", "http://c"], &[("PARLOR_ORIGIN", "http://a")]),
        listed(&["http://c"])
    );
    assert_eq!(
        origins(
            &[
                "--origin", "http://c", "--origin", "*", "--origin", "http://d"
            ],
            &[]
        ),
        Origins::Any
    );
    let networks = |list: &[&str]| {
        list.iter()
            .map(|text| Network::parse(text).unwrap())
            .collect::<Vec<_>>()
    };
    let proxies = |arguments: &[&str], environment: &[(&str, &str)]| {
        options(arguments, environment).trusted_proxies
    };
    assert_eq!(
        proxies(
            &["--trusted-proxy", "::1", "--trusted-proxy=10.0.0.0/8"],
            &[]
        ),
        networks(&["::1", "10.0.0.0/8"])
    );
    assert_eq!(
        proxies(&[], &[("PARLOR_TRUSTED_PROXY", "::1, 10.0.0.0/8")]),
        networks(&["::1", "10.0.0.0/8"])
    );
    assert!(asked(&[], &[("PARLOR_ORIGIN", "http://a,,http://b")]).is_err());

    for (value, taken) in [
        ("1", true),
        ("0", true),
        ("", true),
        ("yes", false),
        ("true", false),
        ("2", false),
    ] {
        assert_eq!(
            asked(&[], &[("PARLOR_NO_HISTORY", value)]).is_ok(),
            taken,
            "{value}"
        );
    }
    assert_eq!(
        asked(&[], &[("PARLOR_HELP", "1"), ("PARLOR_NOTHING", "x")]),
        Ok(Asked::Serve(Box::default()))
    );
}

#[test]
fn help_and_version() {
    for (argument, expected) in [
        ("--help", Asked::Help),
        ("-h", Asked::Help),
        ("--version", Asked::Version),
        ("-V", Asked::Version),
    ] {
        assert_eq!(
            asked(
                &["--rate", "3", argument, "--nonsense"],
                &[("PARLOR_DRAIN", "x")]
            ),
            Ok(expected)
        );
    }
    let text = help();
    // A line may end within it.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for row in ROWS {
        assert!(
            text.contains(&format!("\n  {} ", row.usage())),
            "{}",
            row.name
        );
        assert!(
            row.default.is_empty() || words.contains(&format!("[{}]", row.default)),
            "{}",
            row.name
        );
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80 && !line.ends_with(' '), "{line}");
    }
}

#[test]
#[cfg(unix)]
fn what_is_not_unicode() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let folder = parse([bytes(b"--www"), bytes(b"/\xff")], |_| None);
    assert!(
        matches!(folder, Ok(Asked::Serve(options)) if options.www == Some(bytes(b"/\xff").into())),
        "a folder may be called anything"
    );
    for arguments in [
        [bytes(b"--rate"), bytes(b"\xff")],
        [bytes(b"--\xff"), bytes(b"1")],
        [bytes(b"--origin"), bytes(b"http://\xff")],
    ] {
        assert!(parse(arguments, |_| None).is_err());
    }
}
