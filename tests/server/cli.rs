//! The command line and the environment of the real binary. `tests/options.rs` has every option and
//! wrong value.

use crate::harness::{output, parlor};
use std::process::Stdio;

#[test]
fn failed_start_says_why_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (status, option, value, mentioned) in [
        (1, "--listen", &*taken, &*taken),
        (1, "--listen", "192.0.2.1:0", "192.0.2.1:0"),
        (1, "--listen", "nothing.invalid:0", "nothing.invalid"),
        (1, "--www", "/dev/null", "/dev/null"),
        (1, "--www", "/nothing here", "/nothing here"),
        #[cfg(feature = "history")]
        (1, "--history", "/", "directory"),
        (2, "--drain=1", "--nonsense", "--nonsense"),
        (2, "--drain=1", "--non\nsense", "--non sense"),
        (2, "--rate", "fast", "--rate must be a whole number"),
        (2, "PARLOR_RATE", "many", "PARLOR_RATE must be"),
    ] {
        let mut command = parlor();
        match option.starts_with('-') {
            true => command.args([option, value]),
            false => command.env(option, value),
        };
        let (ended, stdout, stderr) = output(&mut command);
        assert_eq!((ended, &*stdout), (Some(status), ""), "{value}: {stderr}");
        let is_line = stderr.starts_with("parlor: ") && stderr.ends_with('\n');
        assert!(is_line && stderr.lines().count() == 1, "{value}: {stderr}");
        assert!(stderr.contains(mentioned), "{value}: {stderr}");
    }
}

#[test]
fn version_and_help_go_to_standard_output() {
    let version = concat!("parlor ", env!("CARGO_PKG_VERSION"), "\nfeatures: ").to_owned();
    for (option, text) in [("--version", version), ("--help", ::parlor::cli::help())] {
        let mut command = parlor();
        command.arg(option);
        let (status, stdout, stderr) = output(&mut command);
        assert_eq!((status, &*stderr), (Some(0), ""));
        assert!(stdout.starts_with(&text), "{stdout}");
        let names_sqlite = stdout.contains("\nSQLite 3.") || !cfg!(feature = "history");
        assert!(option == "--help" || names_sqlite, "{stdout}");
        let mut closed = parlor();
        closed.arg(option).stdout(Stdio::piped());
        let mut child = closed.spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{option}: a closed pipe");
    }
}

#[cfg(feature = "log-output")]
#[test]
fn start_is_logged_with_its_time_but_not_in_the_journal() {
    use crate::harness::{Server, eventually, shell};
    let server = Server::start(&["--max-text-chars=70000"]);
    let join = format!("http://{}/join", server.address);
    eventually("everything is logged", || server.logs().contains(&join));
    let logs = server.logs();
    let (time, first) = logs.lines().next().unwrap().split_once(' ').unwrap();
    assert!(first.starts_with("INFO  messages are kept in memory only"));
    let is_digit = |c: char| c.is_ascii_digit();
    assert_eq!(time.replace(is_digit, "0"), "0000-00-00T00:00:00Z");
    assert!(logs.contains("WARN  texts of --max-text-chars 70000"));
    let journal = "export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr)";
    let server = Server::spawn(shell(journal));
    eventually("no time", || server.logs().starts_with("INFO  "));
}

#[cfg(feature = "tools")]
#[test]
fn health_is_that_of_the_server_asked() {
    use crate::harness::Server;
    let mut server = Server::start(&[]);
    let url = format!("http://{}", server.address);
    let health = |url: &str, variable: &str| {
        let mut command = parlor();
        command.arg("health").args(url.split_whitespace());
        output(command.env("PARLOR_LISTEN", variable))
    };
    let ok = (Some(0), "ok\n".to_owned(), String::new());
    assert_eq!(health(&url, "127.0.0.1:1"), ok);
    assert_eq!(health("", &server.address.to_string()), ok);
    let (status, _, error) = health(&format!("{url}/nothing"), "");
    assert!(status == Some(1), "{error}");
    assert!(error.contains("answers 404"), "{error}");
    assert_eq!(health("ftp://localhost", "").0, Some(2));
    server.signal(rustix::process::Signal::KILL);
    server.wait();
    let (status, _, error) = health(&url, "");
    assert!(status == Some(1), "{error}");
    assert!(error.contains("can't connect"), "{error}");
}
