//! Typed lines and their commands.

use parlor::chat::command::{Command, Draft, Request, Target};
use parlor::chat::error::CommandError;

#[track_caller]
fn check(line: &str, needs_user: bool, command: Result<Command, CommandError>) {
    let expected = Request {
        id: None,
        needs_user,
        command,
    };
    assert_eq!(Request::parse(line), expected, "{line:?}");
}

fn send(to: Target, text: &str, action: bool) -> Result<Command, CommandError> {
    Ok(Command::Send(Draft {
        to,
        text: text.into(),
        action,
        nonce: None,
    }))
}

#[test]
fn line_without_a_command_is_a_message() {
    let table = [
        ("hello, world", "hello, world"),
        (" \t hello \r\n", "hello"),
        ("\u{FEFF} \u{FEFF}hello\u{FEFF}", "hello"),
        ("\u{3000}\u{A0}hello\u{2028}", "hello"),
        ("a  b\tc", "a  b\tc"),
        ("one\n/quit", "one\n/quit"),
        ("//etc/hosts", "/etc/hosts"),
        ("see //etc", "see //etc"),
        ("//", "/"),
        ("///", "//"),
        ("http://x/", "http://x/"),
        ("x {\"type\":\"who\"}", "x {\"type\":\"who\"}"),
        ("[1]", "[1]"),
    ];
    for (line, text) in table {
        check(line, true, send(Target::JoinedLast, text, false));
    }
    check("", true, Err(CommandError::EMPTY));
    check(" \t\r\n\u{FEFF}", true, Err(CommandError::EMPTY));
    for (line, text) in [("/me waves", "waves"), ("/me a\nb", "a\nb"), ("/me", "")] {
        check(line, true, send(Target::JoinedLast, text, true));
    }
    let table = [
        ("/msg Ada hi there", "hi there"),
        ("/msg \t Ada \n  hi  there ", "hi  there"),
        ("/msg Ada", ""),
    ];
    for (line, text) in table {
        check(line, true, send(Target::User("Ada".into()), text, false));
    }
}

/// A line, and its command as `{:?}` prints it. `LAST` and `CHANGE` are short for fields.
const COMMANDS: &str = r##"
/join #rust         = Join { channel: "#rust", since: None }
/join\nrust         = Join { channel: "rust", since: None }
/leave rust         = Leave { channel: Some("rust") }
/leave              = Leave { channel: None }
/history            = History(Query { LAST, before: None, after: None, limit: 50 })
/history 1          = History(Query { LAST, before: None, after: None, limit: 1 })
/history  200       = History(Query { LAST, before: None, after: None, limit: 200 })
/who                = Who { channel: None }
/who rust           = Who { channel: Some("rust") }
/channels           = Channels
/edit 7 new text    = Change(Edit { of: Seq(7) }, Draft { LAST, text: "new text", CHANGE })
/delete 7           = Change(Delete { of: Seq(7) }, Draft { LAST, text: "", CHANGE })
/react 7 👍         = Change(React { of: Seq(7), on: true }, Draft { LAST, text: "👍", CHANGE })
/unreact 7 👍       = Change(React { of: Seq(7), on: false }, Draft { LAST, text: "👍", CHANGE })
/pin 7              = Pin { channel: None, seq: Some(Seq(7)) }
/pin none           = Pin { channel: None, seq: None }
/own 12ab           = Own { key: Some("12ab") }
/own                = Own { key: None }
/mute Ben  10       = Sanction { kick: false, user: "Ben", minutes: 10 }
/kick Ben 525600    = Sanction { kick: true, user: "Ben", minutes: 525600 }
/door open          = Door { open: true }
/door closed        = Door { open: false }
/writing owner      = Writing { channel: None, who: Owner }
/writing rust  all  = Writing { channel: Some("rust"), who: All }
/writing #rust 30   = Writing { channel: Some("#rust"), who: Slow(30) }
/clear              = Clear { channel: None }
/clear rust         = Clear { channel: Some("rust") }
/remove rust        = RemoveChannel { channel: "rust" }"##;

#[test]
fn line_with_a_slash_is_a_command() {
    let table = COMMANDS.replace("LAST", "target: JoinedLast");
    let table = table.replace("Draft { target", "Draft { to");
    let table = table.replace("CHANGE", "action: false, nonce: None");
    for (line, command) in table.lines().filter_map(|row| row.split_once(" = ")) {
        let line = line.replace("\\n", "\n");
        for line in [format!("\u{FEFF}\t{line}"), line] {
            let request = Request::parse(&line);
            let parsed = format!("{:?}", request.command);
            assert_eq!(parsed, format!("Ok({command})"), "{line:?}");
            assert!(request.id.is_none() && request.needs_user, "{line:?}");
        }
    }
    // A name's characters are checked later, so that the error is about the name.
    for name in ["Ada", "Ada Lovelace", "A\u{7}"] {
        let line = format!("/nick  {name} ");
        check(&line, false, Ok(Command::Nick { name: name.into() }));
    }
    for (line, command) in [("/help", Command::Help), ("/quit", Command::Quit)] {
        check(line, false, Ok(command.clone()));
        check(&format!("{line} something"), false, Ok(command));
    }
    for line in "/frobnicate|/JOIN rust|/|/ join rust|/joinrust|/typing".split('|') {
        check(line, false, Err(CommandError::UNKNOWN_TYPE));
    }
}

#[test]
fn invalid_arguments_are_bad_fields() {
    let arguments = "/nick|/join|/join \t|/msg|/history 0|/history 201|/history -1|/history 1.5|\
        /history 5 6|/history ten|/history 99999999999999999999|/mute|/mute Ben|/mute Ben ten|\
        /mute Ben 525601|/kick Ben -1|/door|/door ajar|/writing|/writing rust|/writing 0|\
        /writing rust 86401|/remove|/edit|/edit x text|/delete|/delete -1|/pin|/pin x|/react 7|\
        /react 7 ok|/react 👍|/search";
    let control = "a\u{7}b|a\0b|a\rb|a\u{7F}|a\u{85}b|/me \u{1B}[2J|/msg Ada \u{9B}2J|//\u{8}x";
    for line in arguments.split('|').chain(control.split('|')) {
        let request = Request::parse(line);
        assert_eq!(request.command.unwrap_err().code, "bad_field", "{line:?}");
        assert_eq!(request.needs_user, line != "/nick", "{line:?}");
    }
}
