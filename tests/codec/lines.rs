//! Typed lines, each beside the command that it stands for.

use parlor::chat::command::{Command, Draft, Query, Range, Request, Target};
use parlor::chat::error::CommandError;
use parlor::history::{Kind, Seq, Writing};

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
    check("", true, Err(CommandError::Empty));
    check(" \t\r\n\u{FEFF}", true, Err(CommandError::Empty));
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

#[test]
fn line_with_a_slash_is_a_command() {
    let join = |channel: &str| Command::Join {
        channel: channel.into(),
        since: None,
    };
    let leave = |channel: Option<&str>| Command::Leave {
        channel: channel.map(Into::into),
    };
    let who = |channel: Option<&str>| Command::Who {
        channel: channel.map(Into::into),
    };
    let history = |limit| {
        let (target, range) = (Target::JoinedLast, Range::Newest);
        Command::History(Query {
            target,
            range,
            limit,
        })
    };
    let sanction = |kick, user: &str, minutes| Command::Sanction {
        kick,
        user: user.into(),
        minutes,
    };
    let writing = |channel: Option<&str>, who| Command::Writing {
        channel: channel.map(Into::into),
        who,
    };
    let clear = |channel: Option<&str>| Command::Clear {
        channel: channel.map(Into::into),
    };
    let remove = |channel: &str| Command::RemoveChannel {
        channel: channel.into(),
    };
    let own = |key: Option<&str>| Command::Own {
        key: key.map(Into::into),
    };
    let pin = |seq| {
        let channel = None;
        Command::Pin { channel, seq }
    };
    let change = |kind, text: &str| match send(Target::JoinedLast, text, false) {
        Ok(Command::Send(draft)) => Command::Change(kind, draft),
        other => panic!("{other:?}"),
    };
    let react = |on| change(Kind::React { of: Seq(7), on }, "👍");
    let table = [
        ("/join #rust", join("#rust")),
        ("/join\nrust", join("rust")),
        ("\u{FEFF}\t/join rust", join("rust")),
        ("/leave rust", leave(Some("rust"))),
        ("/leave ", leave(None)),
        ("/history", history(50)),
        ("/history 1", history(1)),
        ("/history  200", history(200)),
        ("/who", who(None)),
        ("/who rust", who(Some("rust"))),
        ("/channels", Command::Channels),
        (
            "/edit 7 new text",
            change(Kind::Edit { of: Seq(7) }, "new text"),
        ),
        ("/delete 7", change(Kind::Delete { of: Seq(7) }, "")),
        ("/react 7 👍", react(true)),
        ("/unreact 7 👍", react(false)),
        ("/pin 7", pin(Some(Seq(7)))),
        ("/pin none", pin(None)),
        ("/own 12ab", own(Some("12ab"))),
        ("/own", own(None)),
        ("/mute Ben  10", sanction(false, "Ben", 10)),
        ("/kick Ben 525600", sanction(true, "Ben", 525_600)),
        ("/door open", Command::Door { open: true }),
        ("/door closed", Command::Door { open: false }),
        ("/writing owner", writing(None, Writing::Owner)),
        ("/writing rust  all", writing(Some("rust"), Writing::All)),
        (
            "/writing #rust 30",
            writing(Some("#rust"), Writing::Slow(30)),
        ),
        ("/clear", clear(None)),
        ("/clear rust", clear(Some("rust"))),
        ("/remove rust", remove("rust")),
    ];
    for (line, command) in table {
        check(line, true, Ok(command));
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
        check(line, false, Err(CommandError::UnknownType));
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
        assert!(
            matches!(request.command, Err(CommandError::BadField(_))),
            "{line:?}"
        );
        assert_eq!(request.needs_user, line != "/nick", "{line:?}");
    }
}
