//! The command line and the environment of the real binary. `tests/driver/options.rs` has every
//! option and wrong value.

use crate::harness::{Server, Wire, header, parlor, wait};
use std::process::{Command, Stdio};

/// Runs the binary to its end. Returns status, standard output and standard error.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = parlor();
    command.args(arguments).envs(variables.iter().copied());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait(&mut child);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn wrong_option_ends_with_one_line_and_status_2() {
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let table: &[Row<'_>] = &[
        (&["--unknown"], &[], "--unknown"),
        (&["unknown"], &[], "unknown"),
        (&["--rate", "many"], &[], "--rate must be"),
        #[cfg(feature = "history")]
        (&["--history", "x.db"], &[], "exclude each other"),
        (&[], &[("PARLOR_RATE", "many")], "PARLOR_RATE must be"),
        (
            &[],
            &[("PARLOR_ORIGIN", "nothing")],
            "PARLOR_ORIGIN must be",
        ),
        (
            &["--max-text-chars=9", "--max-message-bytes=8"],
            &[],
            "--max-message-bytes 8",
        ),
    ];
    for (arguments, variables, part) in table {
        let arguments = [&["--no-history", "--listen", "127.0.0.1:0"], *arguments].concat();
        let (status, stdout, stderr) = run(&arguments, variables);
        assert_eq!(
            (status, stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}: {stderr}"
        );
        assert!(
            stderr.contains(part) && stderr.lines().count() == 1,
            "{arguments:?}: {stderr}"
        );
    }
}

#[test]
fn version_and_help_are_printed() {
    let version = concat!("parlor ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(
        run(&["--version"], &[]),
        (Some(0), version.to_owned(), String::new())
    );
    let help = ::parlor::cli::help();
    assert_eq!(run(&["--help"], &[]), (Some(0), help, String::new()));
}

/// Whether a frame that announces this many bytes is not refused at once.
fn accepts_bytes(server: &Server, length: u64) -> bool {
    let mut wire = server.open("/chat");
    wire.send(header(0x81, length));
    let briefly = std::time::Duration::from_millis(200);
    wire.raw.stream.set_read_timeout(Some(briefly)).unwrap();
    wire.try_frame().is_err()
}

#[test]
fn options_win_over_variables() {
    let variables = [
        ("PARLOR_MAX_MESSAGE_BYTES", "200"),
        ("PARLOR_NO_HISTORY", "1"),
    ];
    for (arguments, most) in [(&[][..], 200), (&["--max-message-bytes=300"], 300)] {
        let mut command = parlor();
        command
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(variables);
        let server = Server::spawn(command);
        assert!(accepts_bytes(&server, most), "{most}");
        assert!(!accepts_bytes(&server, most + 1), "{most}");
    }
}

#[test]
fn list_is_read_from_a_variable() {
    let mut command = parlor();
    command.args(["--listen", "127.0.0.1:0", "--no-history"]);
    command.env("PARLOR_ORIGIN", "https://a.example,http://b.example:8080");
    let server = Server::spawn(command);
    for (origin, status) in [
        ("https://a.example", 101),
        ("http://b.example:8080", 101),
        ("http://localhost", 403),
    ] {
        let mut raw = server.raw();
        let with = format!("Upgrade: websocket\r\nOrigin: {origin}\r\n");
        raw.send(Wire::handshake("/chat").replace("Upgrade: websocket\r\n", &with));
        assert_eq!(raw.response().status, status, "{origin}");
    }
}

#[test]
fn listening_line_has_the_real_port() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        if std::net::TcpListener::bind(listen).is_err() {
            continue; // a machine without IPv6
        }
        let mut command = parlor();
        command.args(["--no-history", "--listen", listen]);
        let server = Server::spawn(command);
        assert_ne!(server.port(), 0, "{listen}");
        assert_eq!(server.get("/healthz").status, 200, "{listen}");
    }
}

#[test]
fn start_logs_time_history_and_join_page() {
    if !cfg!(feature = "log-output") {
        return;
    }
    let server = Server::start(&["--max-text-chars=70000"]);
    let join = format!("http://{}/join", server.address);
    crate::harness::eventually("everything is logged", || server.logs().contains(&join));
    let logs = server.logs();
    let first = logs.lines().next().unwrap_or_default();
    assert!(
        first.contains("Z INFO  messages are kept in memory only"),
        "{logs}"
    );
    let shape: String = first
        .chars()
        .take(20)
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z", "{logs}");
    assert!(
        logs.contains("WARN  texts of --max-text-chars 70000"),
        "{logs}"
    );
}

#[test]
fn log_lines_have_no_time_in_the_journal() {
    if !cfg!(feature = "log-output") {
        return;
    }
    let mut command = Command::new("sh");
    let script = "JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr) exec \"$0\" \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_parlor")]);
    command.args(["--listen=127.0.0.1:0", "--no-history"]);
    let server = Server::spawn(command);
    crate::harness::eventually("the start is logged", || {
        server.logs().starts_with("INFO  ")
    });
}
