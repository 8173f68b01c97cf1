//! The command line and the environment.

use std::process::{Output, Stdio};

use crate::harness::{Server, header, parlor, wait};

/// Runs it until it ends, which it must.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut child = parlor()
        .args(arguments)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait(&mut child);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const OPTIONS: [&str; 19] = [
    "--max-connections",
    "--max-connections-per-ip",
    "--max-header-bytes",
    "--max-message-bytes",
    "--max-text-chars",
    "--max-echo-bytes",
    "--max-channels",
    "--max-buffered-bytes",
    "--rate",
    "--send-queue-bytes",
    "--handshake-timeout",
    "--message-timeout",
    "--hello-timeout",
    "--ping-interval",
    "--pong-timeout",
    "--resume-window",
    "--drain",
    "--listen",
    "--origin",
];

/// Where zero makes sense.
const ZERO: [&str; 6] = [
    "--max-connections-per-ip",
    "--rate",
    "--hello-timeout",
    "--ping-interval",
    "--resume-window",
    "--drain",
];

fn assert_wrong(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(
        &[&["--no-history", "--listen", "127.0.0.1:0"], arguments].concat(),
        variables,
    );
    let error = text(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(2),
        "{name}: {arguments:?}: {error}"
    );
    assert_eq!(
        error.trim_end().lines().count(),
        1,
        "{name}: one clear line: {error}"
    );
    assert!(output.stdout.is_empty(), "{name}");
    error
}

#[test]
fn what_is_wrong_is_told_in_one_line() {
    let table: &[(&str, &[&str])] = &[
        ("an unknown option", &["--unknown"]),
        ("an unknown short one", &["-x"]),
        ("an argument", &["unknown"]),
        ("a value that is missing", &["--rate"]),
        ("an empty value", &["--rate="]),
        ("no number", &["--rate", "many"]),
        ("below zero", &["--rate=-1"]),
        (
            "a fraction where none can be",
            &["--max-connections", "1.5"],
        ),
        (
            "a number that is too large",
            &["--max-connections", "99999999999999999999999"],
        ),
        ("a number with a unit", &["--max-message-bytes", "64k"]),
        ("seconds that are none", &["--drain", "soon"]),
        ("seconds below zero", &["--drain=-1"]),
        ("seconds without an end", &["--drain", "inf"]),
        ("seconds that are no number", &["--drain", "NaN"]),
        ("an address without a port", &["--listen", "127.0.0.1"]),
        (
            "an address that is none",
            &["--listen", "nowhere at all:80"],
        ),
        ("a port that is too large", &["--listen", "127.0.0.1:65536"]),
        ("an origin that is none", &["--origin", "chat.example.com"]),
        (
            "an origin with a path",
            &["--origin", "https://chat.example.com/path"],
        ),
        ("an empty origin", &["--origin", ""]),
        ("a flag with a value", &["--no-history=maybe"]),
        (
            "both of two that exclude each other",
            &["--history", "x.db"],
        ),
        (
            "a proxy that is no address",
            &["--trusted-proxy", "proxy.example"],
        ),
        ("how much is kept, in words", &["--history-keep", "all"]),
        ("a recording without a name", &["--record="]),
        ("an option in capitals", &["--RATE", "5"]),
        ("half of an option", &["--max-conn", "5"]),
    ];
    for (name, arguments) in table {
        assert_wrong(name, arguments, &[]);
    }
    for option in OPTIONS
        .iter()
        .filter(|option| !matches!(**option, "--listen" | "--origin") && !ZERO.contains(option))
    {
        let error = assert_wrong("zero makes no sense here", &[option, "0"], &[]);
        assert!(error.contains(option), "{error}");
    }
}

#[test]
fn variables_that_are_wrong() {
    for (name, value) in [
        ("PARLOR_RATE", "many"),
        ("PARLOR_MAX_CONNECTIONS", "0"),
        ("PARLOR_ORIGIN", "nothing"),
    ] {
        let error = assert_wrong(name, &[], &[(name, value)]);
        assert!(error.contains(name), "it is named: {error}");
    }
    let output = run(
        &["--listen", "127.0.0.1:0"],
        &[("PARLOR_NO_HISTORY", "perhaps")],
    );
    assert_eq!(output.status.code(), Some(2), "a flag's is 1 or 0");
}

#[test]
fn zero_where_it_makes_sense() {
    let arguments: Vec<&str> = ZERO.iter().flat_map(|option| [*option, "0"]).collect();
    assert_eq!(Server::start(&arguments).get("/healthz").status, 200);
    let seconds = [
        "--drain",
        "0.25",
        "--hello-timeout=1.5",
        "--ping-interval",
        "30",
        "--resume-window=0.001",
    ];
    assert_eq!(Server::start(&seconds).get("/healthz").status, 200);
}

#[test]
fn version_and_help() {
    let version = run(&["--version"], &[]);
    assert_eq!(
        (version.status.code(), text(&version.stdout).trim_end()),
        (Some(0), concat!("parlor ", env!("CARGO_PKG_VERSION")))
    );
    let help = run(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    let help = text(&help.stdout);
    for option in OPTIONS
        .iter()
        .chain(&["--no-history", "--www", "--version", "--help"])
    {
        assert!(
            help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .any(|word| word == *option),
            "{option} in {help}"
        );
    }
    for default in [
        "127.0.0.1:8080",
        "10000",
        "65536",
        "4000",
        "1048576",
        "67108864",
    ] {
        assert!(
            help.replace([',', '_'], "").contains(default),
            "{default} in {help}"
        );
    }
    assert!(
        help.lines().all(|line| line.chars().count() <= 120),
        "lines that fit a terminal: {help}"
    );
}

/// How long a message may be shows which setting counts.
fn accepts_bytes(server: &Server, length: u64) -> bool {
    let mut wire = server.open("/chat");
    wire.send(header(0x81, length));
    wire.raw
        .stream
        .set_read_timeout(Some(std::time::Duration::from_millis(200)))
        .unwrap();
    wire.try_frame().is_err()
}

#[test]
fn options_and_variables() {
    let start = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = parlor();
        command
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(variables.iter().copied());
        Server::spawn(command)
    };
    let variable = ("PARLOR_MAX_MESSAGE_BYTES", "200");
    let history = ("PARLOR_NO_HISTORY", "1");
    for (name, server, most) in [
        (
            "the option",
            start(&["--no-history", "--max-message-bytes", "300"], &[]),
            300,
        ),
        (
            "with an equals sign",
            start(&["--no-history", "--max-message-bytes=300"], &[]),
            300,
        ),
        (
            "the last one counts",
            start(
                &[
                    "--no-history",
                    "--max-message-bytes=100",
                    "--max-message-bytes",
                    "300",
                ],
                &[],
            ),
            300,
        ),
        ("the variable", start(&["--no-history"], &[variable]), 200),
        (
            "the option wins",
            start(&["--no-history", "--max-message-bytes", "300"], &[variable]),
            300,
        ),
        (
            "a flag by a variable",
            start(&[], &[variable, history]),
            200,
        ),
    ] {
        assert!(accepts_bytes(&server, most), "{name}: {most}");
        assert!(!accepts_bytes(&server, most + 1), "{name}: {}", most + 1);
    }
}

#[test]
fn a_list_by_a_variable() {
    let mut command = parlor();
    command
        .args(["--listen", "127.0.0.1:0", "--no-history"])
        .env("PARLOR_ORIGIN", "https://a.example,http://b.example:8080");
    let server = Server::spawn(command);
    for (origin, status) in [
        ("https://a.example", 101),
        ("http://b.example:8080", 101),
        ("http://localhost", 403),
    ] {
        let mut raw = server.raw();
        raw.send(crate::harness::Wire::handshake("/chat").replace(
            "Upgrade: websocket\r\n",
            &format!("Upgrade: websocket\r\nOrigin: {origin}\r\n"),
        ));
        assert_eq!(raw.response().status, status, "{origin}");
    }
}

#[test]
fn where_it_listens() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        if listen.starts_with('[') && std::net::TcpListener::bind(listen).is_err() {
            continue; // a machine without it
        }
        let mut command = parlor();
        command.args(["--no-history", "--listen", listen]);
        let server = Server::spawn(command);
        assert_ne!(server.port(), 0, "{listen}: the real port is told");
        assert_eq!(server.get("/healthz").status, 200, "{listen}");
    }
}
