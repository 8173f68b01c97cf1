//! The examples do what they say: they are built, started, and talk to each other.
#![allow(clippy::unwrap_used)] // all of this is a test

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// Builds an example as this test was built, and says where it is. (`cargo test` has built it
/// already; `cargo test --test
/// examples` has not.)
fn example(name: &str) -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "build",
            "--quiet",
            "--locked",
            "--offline",
            "--example",
            name,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(feature = "deflate") {
        cargo.arg("--no-default-features");
    }
    let parlor = PathBuf::from(env!("CARGO_BIN_EXE_parlor"));
    let profile = parlor.parent().unwrap();
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(
        cargo.status().unwrap().success(),
        "examples/{name}.rs does not build"
    );
    profile.join("examples").join(name)
}

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn decode(bytes: &[u8]) -> Output {
    let mut child = Command::new(example("decode"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_client_and_the_echo_talk() {
    let mut echo = Running(
        Command::new(example("echo"))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(echo.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("ws://")
        .unwrap_or_else(|| panic!("an address and not {line:?}"));
    for text in ["Hello", "Gr\u{fc}\u{df}e \u{1b}[2J"] {
        let output = Command::new(example("client"))
            .args([address, text])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("{}\n", text.replace('\u{1b}', "\\u{1b}"))
        );
    }
    // The client of the command line speaks to it too.
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command
        .args(["client", line.trim()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut client = command.spawn().unwrap();
    client
        .stdin
        .take()
        .unwrap()
        .write_all(b"from the terminal\n")
        .unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap().as_str()
        ),
        (Some(0), "from the terminal\n")
    );
}

#[test]
fn a_capture_is_decoded() {
    let output = decode(b"\x01\x03Hel\x89\x00\x80\x02lo\x88\x02\x03\xe8");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    assert!(
        lines[0].starts_with("0  text, 3 bytes, not masked, more to follow: the message goes on"),
        "{text}"
    );
    assert_eq!(lines[2], "7  continuation, 2 bytes, not masked: \"Hello\"");
    assert!(lines[3].starts_with("11  close"), "{text}");
    let output = decode(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x00");
    assert!(
        !output.status.success()
            && String::from_utf8(output.stdout)
                .unwrap()
                .contains("\"Hello\"")
    );
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("RFC 6455 5.1"),
        "and the rule"
    );
}
