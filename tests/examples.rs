//! Builds and starts the examples, and lets them talk to each other.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)] // all of this is a test

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Builds an example in the same way as this test, and returns its path.
fn example(name: &str) -> PathBuf {
    let profile = Path::new(env!("CARGO_BIN_EXE_parlor")).parent().unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--offline",
        "--example",
        name,
    ]);
    if !cfg!(feature = "deflate") {
        cargo.args(["--no-default-features", "--features", "tools"]);
    }
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "{name} does not build");
    profile.join("examples").join(name)
}

/// A process that is killed at the end of its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command with this input, and returns its output.
fn run(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn client_and_both_echo_servers_talk() {
    for server in ["echo", "tokio"] {
        talks(server);
    }
}

fn talks(server: &str) {
    let mut echo = Command::new(example(server));
    let echo = echo.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn();
    let mut echo = Running(echo.unwrap());
    let mut line = String::new();
    let mut stdout = BufReader::new(echo.0.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let url = line.trim();
    for text in ["Hello", "Gr\u{fc}\u{df}e \u{1b}[2J"] {
        let mut client = Command::new(example("client"));
        client.args([url, text]);
        let output = run(client, b"");
        let expected = format!("{}\n", text.replace('\u{1b}', "\\u{1b}"));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        assert!(output.status.success());
    }
    if cfg!(feature = "tools") {
        let mut client = Command::new(env!("CARGO_BIN_EXE_parlor"));
        client.args(["client", url]);
        let output = run(client, b"from the terminal\n");
        assert_eq!(output.stdout, b"from the terminal\n");
        assert!(output.status.success());
    }
}

#[test]
#[cfg(feature = "tools")]
fn capture_is_decoded_to_the_first_broken_rule() {
    let decode = |bytes: &[u8]| {
        let output = run(Command::new(example("decode")), bytes);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (is_valid, stdout, _) = decode(b"\x01\x03Hel\x89\x00\x80\x02lo\x88\x02\x03\xe8");
    assert!(is_valid, "{stdout}");
    let lines: Vec<_> = stdout.lines().map(str::trim_start).collect();
    assert!(lines[0].ends_with("masked, more to follow: a fragment"));
    assert_eq!(lines[2], "7  continuation, 2 bytes, not masked: \"Hello\"");
    assert!(lines[3].starts_with("11  close"), "{stdout}");
    let unmasked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x00";
    let (is_valid, stdout, stderr) = decode(unmasked);
    assert!(!is_valid && stdout.contains("\"Hello\""), "{stdout}");
    assert!(stderr.contains("RFC 6455 5.1"), "{stderr}");
}
