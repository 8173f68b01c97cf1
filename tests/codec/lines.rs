//! Typed lines, each beside the command that it stands for (PROTOCOL, «A typed line»).

use parlor::chat::command::{Command, Range, Recipient, Request, Target, When};
use parlor::chat::error::CommandError;

type Row = (
    &'static str,
    &'static str,
    When,
    Result<Command, CommandError>,
);

fn check(table: Vec<Row>) {
    for (name, line, when, command) in table {
        assert_eq!(
            Request::parse(line),
            Request {
                id: None,
                when,
                command
            },
            "{name}: {line:?}"
        );
    }
}

fn say(text: &str) -> Result<Command, CommandError> {
    Ok(Command::Message {
        channel: None,
        text: text.into(),
        action: false,
        nonce: None,
    })
}

fn act(text: &str) -> Result<Command, CommandError> {
    Ok(Command::Message {
        channel: None,
        text: text.into(),
        action: true,
        nonce: None,
    })
}

fn msg(user: &str, text: &str) -> Result<Command, CommandError> {
    Ok(Command::Direct {
        to: Recipient::User(user.into()),
        text: text.into(),
        nonce: None,
    })
}

fn history(limit: u32) -> Result<Command, CommandError> {
    Ok(Command::History {
        target: Target::JoinedLast,
        range: Range::Newest,
        limit,
    })
}

fn join(channel: &str) -> Result<Command, CommandError> {
    Ok(Command::Join {
        channel: channel.into(),
        since: None,
    })
}

fn nick(name: &str) -> Result<Command, CommandError> {
    Ok(Command::Nick { name: name.into() })
}

/// Any `BadField`: its sentence is not part of the protocol.
fn is_bad_field(request: &Request) -> bool {
    matches!(request.command, Err(CommandError::BadField(sentence)) if !sentence.is_empty())
}

#[test]
fn what_is_said() {
    let after = When::AfterHello;
    check(vec![
        ("a plain line", "hello, world", after, say("hello, world")),
        (
            "white space around it is dropped",
            " \t hello \r\n",
            after,
            say("hello"),
        ),
        (
            "U+FEFF around it too",
            "\u{FEFF} \u{FEFF}hello\u{FEFF}",
            after,
            say("hello"),
        ),
        (
            "white space of other scripts too",
            "\u{3000}\u{A0}hello\u{2028}",
            after,
            say("hello"),
        ),
        ("white space within stays", "a  b\tc", after, say("a  b\tc")),
        (
            "a line feed belongs to the text",
            "one\n/quit",
            after,
            say("one\n/quit"),
        ),
        (
            "two slashes are one",
            "//etc/hosts",
            after,
            say("/etc/hosts"),
        ),
        ("only at the start", "see //etc", after, say("see //etc")),
        ("two slashes alone", "//", after, say("/")),
        ("three", "///", after, say("//")),
        ("not behind a slash", "http://x/", after, say("http://x/")),
        (
            "a brace later is no JSON",
            "x {\"type\":\"who\"}",
            after,
            say("x {\"type\":\"who\"}"),
        ),
        ("a bracket is no JSON either", "[1]", after, say("[1]")),
        ("nothing", "", after, Err(CommandError::Empty)),
        (
            "white space alone",
            " \t\r\n\u{FEFF}",
            after,
            Err(CommandError::Empty),
        ),
        ("an action", "/me waves", after, act("waves")),
        (
            "an action in lines",
            "/me waves\nand goes",
            after,
            act("waves\nand goes"),
        ),
        ("an action that is missing is empty", "/me", after, act("")),
        (
            "a private message",
            "/msg Ada hi there",
            after,
            msg("Ada", "hi there"),
        ),
        (
            "with white space as it likes",
            "/msg \t Ada \n  hi  there ",
            after,
            msg("Ada", "hi  there"),
        ),
        (
            "one whose text is missing is empty",
            "/msg Ada",
            after,
            msg("Ada", ""),
        ),
    ]);
    for line in [
        "a\u{7}b",
        "a\0b",
        "a\rb",
        "a\u{7F}",
        "a\u{85}b",
        "/me \u{1B}[2J",
        "/msg Ada \u{9B}2J",
        "//\u{8}x",
    ] {
        let request = Request::parse(line);
        assert!(
            is_bad_field(&request) && request.when == after,
            "a control character in {line:?}: {request:?}"
        );
    }
}

#[test]
fn commands() {
    let (after, always) = (When::AfterHello, When::Always);
    check(vec![
        ("a name", "/nick Ada", always, nick("Ada")),
        (
            "a name of two words is for the chat to refuse",
            "/nick  Ada Lovelace ",
            always,
            nick("Ada Lovelace"),
        ),
        (
            "a name with a control character likewise",
            "/nick A\u{7}",
            always,
            nick("A\u{7}"),
        ),
        ("a channel", "/join #rust", after, join("#rust")),
        (
            "the word ends at any white space",
            "/join\nrust",
            after,
            join("rust"),
        ),
        (
            "white space before the slash",
            "\u{FEFF}\t/join rust",
            after,
            join("rust"),
        ),
        (
            "leave one",
            "/leave rust",
            after,
            Ok(Command::Leave {
                channel: Some("rust".into()),
            }),
        ),
        (
            "leave the last",
            "/leave ",
            after,
            Ok(Command::Leave { channel: None }),
        ),
        ("history", "/history", after, history(50)),
        ("history of one", "/history 1", after, history(1)),
        ("history of 200", "/history  200", after, history(200)),
        (
            "who is online",
            "/who",
            after,
            Ok(Command::Who { channel: None }),
        ),
        (
            "who is in a channel",
            "/who rust",
            after,
            Ok(Command::Who {
                channel: Some("rust".into()),
            }),
        ),
        ("channels", "/channels", after, Ok(Command::Channels)),
        ("help", "/help", always, Ok(Command::Help)),
        (
            "help with something",
            "/help join",
            always,
            Ok(Command::Help),
        ),
        ("quit", "/quit", always, Ok(Command::Quit)),
        (
            "quit with a farewell",
            "/quit good bye",
            always,
            Ok(Command::Quit),
        ),
        (
            "an unknown word",
            "/frobnicate",
            always,
            Err(CommandError::UnknownType),
        ),
        (
            "capitals",
            "/JOIN rust",
            always,
            Err(CommandError::UnknownType),
        ),
        ("a slash alone", "/", always, Err(CommandError::UnknownType)),
        (
            "a slash and white space",
            "/ join rust",
            always,
            Err(CommandError::UnknownType),
        ),
        (
            "a word that goes on",
            "/joinrust",
            always,
            Err(CommandError::UnknownType),
        ),
        (
            "a command of JSON alone",
            "/typing",
            always,
            Err(CommandError::UnknownType),
        ),
    ]);
}

#[test]
fn what_is_missing_or_wrong() {
    let table = [
        ("/nick", When::Always),
        ("/join", When::AfterHello),
        ("/join \t", When::AfterHello),
        ("/msg", When::AfterHello),
        ("/history 0", When::AfterHello),
        ("/history 201", When::AfterHello),
        ("/history -1", When::AfterHello),
        ("/history 1.5", When::AfterHello),
        ("/history 5 6", When::AfterHello),
        ("/history ten", When::AfterHello),
        ("/history 99999999999999999999", When::AfterHello),
    ];
    for (line, when) in table {
        let request = Request::parse(line);
        assert!(is_bad_field(&request), "{line}: {request:?}");
        assert_eq!((request.when, request.id), (when, None), "{line}");
    }
}
