//! Names of users and channels: what may be one, how it is shown, and which are the same.

use serde_json::json;

use crate::harness::{Person, Server};

/// What `hello` makes of a name: as it is shown, or the error's code.
fn hello(server: &Server, name: &str) -> Result<String, String> {
    let mut guest = Person::guest(server);
    let answer = guest.ask(json!({"type": "hello", "name": name}));
    match answer["type"].as_str() {
        Some("welcome") => {
            let shown = answer["name"].as_str().unwrap().to_owned();
            guest.quit();
            Ok(shown)
        }
        _ => Err(answer["code"].as_str().unwrap().to_owned()),
    }
}

const UNICODE: bool = cfg!(feature = "unicode");

#[test]
fn names_that_may_be() {
    let server = Server::start(&["--max-connections-per-ip", "0"]);
    for name in [
        "Ada",
        "a",
        "0",
        "42nd",
        "a_b-c.d",
        "A-",
        "a..",
        "x_",
        &"x".repeat(32),
        "constructor",
    ] {
        assert_eq!(hello(&server, name), Ok(name.to_owned()), "{name}");
    }
    if !UNICODE {
        return;
    }
    let long = "日".repeat(32);
    for (what, name, shown) in [
        ("Cyrillic", "Ольга", "Ольга"),
        ("Han", "李雷", "李雷"),
        ("Hiragana", "さくら", "さくら"),
        ("Hangul", "지민", "지민"),
        ("Arabic", "ليلى", "ليلى"),
        ("Devanagari, with its marks", "हिन्दी", "हिन्दी"),
        ("Thai, with its marks", "ที่นี่", "ที่นี่"),
        ("32 characters, however many bytes", &long, &long),
        ("composed", "é", "é"),
        ("decomposed: shown composed", "e\u{301}", "é"),
        ("full width: shown narrow", "Ａｄａ", "Ada"),
        ("a ligature: shown as letters", "ﬁn", "fin"),
        ("two marks that stay", "q\u{301}\u{302}", "q\u{301}\u{302}"),
        ("a capital I with a dot", "İ", "İ"),
        ("Arabic digits", "a٣", "a٣"),
        ("half width: shown wide", "ｱｲ", "アイ"),
    ] {
        assert_eq!(hello(&server, name), Ok(shown.to_owned()), "{what}");
    }
}

#[test]
fn names_that_may_not_be() {
    let server = Server::start(&["--max-connections-per-ip", "0"]);
    let (long, long_marks) = ("x".repeat(33), format!("q{}", "\u{301}".repeat(40)));
    for (what, name) in [
        ("nothing", ""),
        ("a space", " "),
        ("a space in front", " Ada"),
        ("a space behind", "Ada "),
        ("a space within", "A da"),
        ("a line feed", "Ada\n"),
        ("a tab", "A\tda"),
        ("a NUL", "A\0da"),
        ("an underscore in front", "_a"),
        ("a hyphen in front", "-a"),
        ("a dot in front", ".a"),
        ("33 characters", &long),
        ("markup", "<script>"),
        ("an ampersand", "a&b"),
        ("quotes", "\"a\""),
        ("an at sign", "@ada"),
        ("a slash", "a/b"),
        ("a colon", "a:b"),
        ("a number sign within", "a#b"),
        ("an emoji", "😀"),
        ("a no-break space", "a\u{a0}b"),
        ("a zero width space", "a\u{200b}b"),
        ("a zero width joiner", "a\u{200d}b"),
        ("a soft hyphen", "a\u{ad}b"),
        ("a byte order mark", "\u{feff}a"),
        ("a letter that shows nothing, of Hangul", "\u{3164}"),
        ("another", "\u{115f}"),
        ("a third, half width", "\u{ffa0}"),
        ("right-to-left override", "a\u{202e}b"),
        ("a variation selector", "a\u{fe0f}"),
        ("a tag", "a\u{e0041}"),
        ("a mark in front", "\u{301}a"),
        ("three marks with a class", "q\u{301}\u{302}\u{300}"),
        ("forty marks", &long_marks),
        ("a private letter", "\u{e000}"),
        ("a letter that is not assigned", "\u{378}"),
        ("a mathematical letter that grows", "\u{fdfa}"),
        ("a symbol", "★"),
        ("a currency sign", "€"),
        ("a script that is out of use", "\u{10330}"),
    ] {
        assert_eq!(hello(&server, name), Err("bad_name".to_owned()), "{what}");
        let mut guest = server.enter("guest");
        assert_eq!(
            guest.refused(json!({"type": "join", "channel": name})),
            "bad_name",
            "channel: {what}"
        );
        guest.quit();
    }
}

#[test]
fn names_that_are_the_same() {
    let server = Server::start(&["--max-connections-per-ip", "0"]);
    let mut rows = vec![("another case", "Ada", "aDA"), ("the same", "x-1", "x-1")];
    if UNICODE {
        rows.extend([
            ("a Cyrillic a", "Ada", "Ad\u{430}"),
            ("a Cyrillic capital A", "Ada", "\u{410}da"),
            (
                "all letters of another script",
                "paypal",
                "\u{440}\u{430}ураl",
            ),
            ("a capital i and a small L", "Ida", "lda"),
            ("a digit one and a small L", "a1", "al"),
            ("a zero and a capital O", "B0b", "BOb"),
            ("rn and m", "modern", "modem"),
            ("composed and decomposed", "\u{e9}a", "e\u{301}a"),
            ("full width", "Ada", "ＡＤＡ"),
            ("Greek omicron", "Bob", "B\u{3bf}b"),
            ("a long s", "simon", "ſimon"),
        ]);
    }
    for (what, first, second) in rows {
        for (have, want) in [(first, second), (second, first)] {
            let person = server.enter(have);
            assert_eq!(
                hello(&server, want),
                Err("name_taken".to_owned()),
                "{what}: {want} while {have} is there"
            );
            person.quit();
        }
    }
    let _ada = server.enter("Ada");
    for different in ["Adam", "Ad", "Ada1", "A-da", "Ada."] {
        assert_eq!(
            hello(&server, different),
            Ok(different.to_owned()),
            "{different}"
        );
    }
}

#[test]
fn a_user_is_found_by_any_spelling_of_the_name() {
    let server = Server::start(&[]);
    let [mut ada, mut bob] = ["Ida", "Bob"].map(|name| server.enter(name));
    for name in if UNICODE {
        vec!["ida", "IDA", "Ida", "lda", "Ｉｄａ"]
    } else {
        vec!["ida", "IDA", "Ida"]
    } {
        let ack = bob.whisper(name, name);
        assert_eq!(ack["to"], "Ida", "{name}");
        assert_eq!(
            ada.take("direct")["to"],
            "Ida",
            "{name}: told by the name as it was first written"
        );
    }
}

#[test]
fn a_channel_is_shown_in_lower_case_without_its_sign() {
    let server = Server::start(&["--rate", "0"]);
    let mut ada = server.enter("Ada");
    let mut rows = vec![
        ("#Rust", "rust"),
        ("RUST", "rust"),
        ("#general", "general"),
        ("a_B-c.D", "a_b-c.d"),
    ];
    if UNICODE {
        rows.extend([
            ("#ÄÖ", "äö"),
            ("Москва", "москва"),
            ("ＷＩＤＥ", "wide"),
            ("#CAFE\u{301}", "café"),
        ]);
    }
    for (written, shown) in rows {
        assert_eq!(ada.join(written)["channel"], shown, "{written}");
    }
    if UNICODE {
        // The lower case of this letter is two characters, one of them a mark: what is shown leads
        // back to the channel.
        let shown = ada.join("İstanbul")["channel"].clone();
        ada.say("İstanbul", "hi");
        let joined = ada.join(shown.as_str().unwrap());
        assert_eq!((&joined["channel"], &joined["seq"]), (&shown, &json!(1)));
    }
    assert_eq!(
        ada.refused(json!({"type": "join", "channel": "##rust"})),
        "bad_name",
        "one sign is dropped"
    );
}

/// What is written with markup in it is a text like any other; a name can't have any.
#[test]
fn a_name_of_an_object_is_a_name() {
    let server = Server::start(&["--rate", "0"]);
    let mut ada = server.enter("toString");
    for name in ["constructor", "hasownproperty", "null", "undefined", "0"] {
        assert_eq!(ada.join(name)["channel"], name);
        ada.say(name, "hi");
        assert_eq!(ada.take("message")["channel"], name);
    }
}
