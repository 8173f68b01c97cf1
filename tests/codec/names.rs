//! Names by Unicode's rules (PROTOCOL, «Names»).

use crate::random::Random;
use parlor::chat::error::CommandError;
use parlor::chat::name::{ChannelName, UserName};
use std::time::Instant;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_security::GeneralSecurityProfile;

fn user(written: &str) -> UserName {
    UserName::parse(written).unwrap_or_else(|error| panic!("{written:?}: {}", error.sentence()))
}

fn channel(written: &str) -> ChannelName {
    ChannelName::parse(written).unwrap_or_else(|error| panic!("{written:?}: {}", error.sentence()))
}

fn share(one: [&str; 2], other: [&str; 2]) -> bool {
    one.iter().any(|key| other.contains(key))
}

#[test]
fn how_names_are_shown() {
    let table: &[(&str, &str, &str, &str)] = &[
        ("letters of Latin-1", "Zoë", "Zoë", "zoë"),
        ("composed where it was not", "Zoe\u{308}", "Zoë", "zoë"),
        ("fullwidth becomes plain", "Ａｄａ９", "Ada9", "ada9"),
        ("a ligature is taken apart", "ﬁn", "fin", "fin"),
        ("Cyrillic", "Ада", "Ада", "ада"),
        (
            "Greek, with the sigma that ends a word",
            "ΟΔΟΣ",
            "ΟΔΟΣ",
            "οδος",
        ),
        ("Han", "東京", "東京", "東京"),
        ("Hangul is composed", "\u{1112}\u{1161}\u{11ab}", "한", "한"),
        (
            "Devanagari: two spacing marks and a virama",
            "हिन्दी",
            "हिन्दी",
            "हिन्दी",
        ),
        ("Vietnamese", "Nguyễn", "Nguyễn", "nguyễn"),
        ("Arabic digits", "a٣", "a٣", "a٣"),
        (
            "a capital that becomes two characters",
            "İ",
            "İ",
            "i\u{307}",
        ),
        (
            "a small letter with a form that its capital lacks",
            "Ϊ\u{301}",
            "Ϊ\u{301}",
            "ΐ",
        ),
    ];
    for (name, written, as_user, as_channel) in table {
        assert_eq!(user(written).shown(), *as_user, "{name}");
        assert_eq!(channel(written).shown(), *as_channel, "{name}");
    }
    for sign in ['#', '\u{FF03}', '\u{FE5F}'] {
        assert_eq!(
            channel(&format!("{sign}General")).shown(),
            "general",
            "{sign} is dropped"
        );
    }
}

#[test]
fn what_is_no_name() {
    let table: &[(&str, &str, &str)] = &[
        ("33 characters of two bytes", &"ё".repeat(33), "at most 32"),
        ("a mark first", "\u{301}a", "begins with"),
        ("a spacing mark first", "\u{93e}क", "begins with"),
        (
            "three marks that stack",
            "x\u{323}\u{331}\u{302}",
            "marks in a row",
        ),
        (
            "five marks in a row",
            "क\u{93e}\u{93e}\u{93e}\u{93e}\u{93e}",
            "marks in a row",
        ),
        (
            "a filler that shows nothing, as NFKC makes it",
            "a\u{3164}",
            "U+1160",
        ),
        ("a zero-width joiner", "a\u{200d}b", "U+200D"),
        ("a right-to-left override", "a\u{202e}b", "U+202E"),
        ("a soft hyphen", "a\u{ad}b", "U+00AD"),
        (
            "a middle dot, which UTS #39 allows and PROTOCOL does not",
            "a\u{b7}b",
            "U+00B7",
        ),
        ("a katakana middle dot, likewise", "ア\u{30fb}ア", "U+30FB"),
        ("a script of the past", "\u{10330}", "U+10330"),
        ("a private character", "a\u{e000}", "U+E000"),
        ("not a character", "a\u{ffff}", "U+FFFF"),
        (
            "two number signs, of two kinds",
            "#\u{FF03}a",
            "the character #",
        ),
        ("a no-break space", "a\u{a0}b", "a space"),
    ];
    for (name, written, part) in table {
        let why = |error: CommandError| error.sentence().into_owned();
        let user = UserName::parse(written).map_err(why).unwrap_err();
        assert!(user.contains(part), "{name}: {user}");
        let channel = ChannelName::parse(written).map_err(why).unwrap_err();
        assert!(channel.contains(part), "{name}, as a channel: {channel}");
    }
}

#[test]
fn limits_are_reached_exactly() {
    let table: &[(&str, String, bool, bool)] = &[
        (
            "32 characters of four bytes",
            "\u{2070E}".repeat(32),
            true,
            true,
        ),
        (
            "30 characters that were 40",
            "a\u{323}\u{302}\u{301}"
                .nfd()
                .collect::<String>()
                .repeat(10),
            true,
            true,
        ),
        (
            "32 Hangul syllables in 96 pieces",
            "\u{1112}\u{1161}\u{11ab}".repeat(32),
            true,
            true,
        ),
        (
            "33 of them",
            "\u{1112}\u{1161}\u{11ab}".repeat(33),
            false,
            false,
        ),
        (
            "11 of a character that NFKC makes three",
            "㈱".repeat(11),
            false,
            false,
        ),
        (
            "16 capitals that become two each in lower case",
            "İ".repeat(16),
            true,
            true,
        ),
        ("17 of them", "İ".repeat(17), true, false),
        (
            "32 composed in small letters only are 64 in capitals",
            "Ϊ\u{301}".repeat(32),
            false,
            false,
        ),
        (
            "four marks, two of which stack",
            "क\u{93e}\u{93e}\u{94d}\u{94d}".into(),
            true,
            true,
        ),
        (
            "two stacked marks, and one more in lower case",
            "İ\u{331}\u{326}".into(),
            true,
            false,
        ),
        (
            "32 behind a number sign",
            format!("#{}", "ü".repeat(32)),
            false,
            true,
        ),
    ];
    for (name, written, as_user, as_channel) in table {
        assert_eq!(UserName::parse(written).is_ok(), *as_user, "{name}");
        assert_eq!(
            ChannelName::parse(written).is_ok(),
            *as_channel,
            "{name}, as a channel"
        );
    }
}

#[test]
fn names_that_are_the_same() {
    let table: &[(&str, &str, &str, bool)] = &[
        ("upper and lower case", "Ada", "ada", true),
        ("all capitals", "ADA", "ada", true),
        ("a Cyrillic а", "Ada", "Ad\u{430}", true),
        ("Cyrillic altogether", "сор", "cop", true),
        ("a capital I for a small l", "Ida", "lda", true),
        ("a capital I and a small i", "Ida", "ida", true),
        (
            "a channel's name with a capital I at its end",
            "generaI",
            "general",
            true,
        ),
        ("rn for m", "rnarco", "Marco", true),
        ("a zero for a capital O", "B0B", "BOB", true),
        ("a sigma at the end of the word", "ΟΔΟΣ", "οδος", true),
        (
            "a capital with a mark that its small letter swallows",
            "Ϊ\u{301}αν",
            "ΐαν",
            true,
        ),
        ("i and l", "ida", "lda", false),
        ("an accent makes a difference", "Zoe", "Zoë", false),
        ("other letters", "Ada", "Bob", false),
        ("a hyphen and an underscore", "a-b", "a_b", false),
    ];
    for (name, one, other, same) in table {
        assert_eq!(share(user(one).keys(), user(other).keys()), *same, "{name}");
        assert_eq!(
            share(channel(one).keys(), channel(other).keys()),
            *same,
            "{name}, as channels"
        );
    }
    assert_eq!(
        user("Ida").keys()[1],
        "ida",
        "the second key is the name that one types without looking"
    );
}

/// What holds for every name that there is.
fn check(written: &str) {
    if let Ok(name) = UserName::parse(written) {
        let again = user(name.shown());
        assert_eq!(
            (name.shown(), name.keys()),
            (again.shown(), again.keys()),
            "{written:?}"
        );
        assert!(name.shown().chars().count() <= 32, "{written:?}");
    }
    if let Ok(name) = ChannelName::parse(written) {
        let again = channel(name.shown());
        assert_eq!(
            (name.shown(), name.keys()[1]),
            (again.shown(), again.keys()[1]),
            "{written:?}"
        );
        assert!(name.shown().chars().count() <= 32, "{written:?}");
        for other in [
            name.shown().to_uppercase(),
            format!("#{written}"),
            format!("#{}", name.shown()),
        ] {
            if let Ok(other) = ChannelName::parse(&other) {
                assert!(
                    share(name.keys(), other.keys()) || other.shown() != name.shown(),
                    "{written:?}"
                );
            }
        }
    }
}

/// The planes that have characters with a meaning.
fn every_character() -> impl Iterator<Item = char> {
    ('\0'..='\u{33FFF}').chain('\u{E0000}'..='\u{E0FFF}')
}

#[test]
fn every_character_in_a_name() {
    for character in every_character() {
        let itself = [character];
        if character.to_lowercase().ne(itself)
            || character.nfkd().ne(itself)
            || canonical_combining_class(character) != 0
        {
            check(&format!("Σ{character}"));
            check(&format!("{character}\u{307}\u{323}"));
            check(&format!("A{character}Σ"));
        }
        let allowed = UserName::parse(&format!("a{character}")).is_ok();
        let refused = character
            .nfkc()
            .any(|part| !part.identifier_allowed() && !"-_.".contains(part));
        assert!(!(allowed && refused), "U+{:04X}", u32::from(character));
        // What the limit on a name's bytes relies on.
        assert!(
            character.nfd().count() <= 4,
            "U+{:04X}",
            u32::from(character)
        );
    }
}

#[test]
fn what_identifier_status_allows_and_a_name_does_not() {
    // (Beyond the first plane stand letters that Rust's own tables may be too old for.)
    let beyond = ('\0'..='\u{FFFF}').filter(|character| {
        let written = format!("a{character}");
        character.identifier_allowed()
            && written.nfkc().eq(written.chars())
            && UserName::parse(&written).is_err()
    });
    let beyond: Vec<String> = beyond
        .map(|character| format!("{:04X}", u32::from(character)))
        .collect();
    assert_eq!(
        beyond.join(" "),
        "0027 003A 00B7 058A 05F3 05F4 06FD 06FE 0F0B 2010 2019 2027 30A0 30FB",
        "punctuation and signs"
    );
}

#[test]
fn made_up_names() {
    let pieces = [
        "a",
        "A",
        "I",
        "l",
        "i",
        "İ",
        "ı",
        "ß",
        "ẞ",
        "Σ",
        "σ",
        "ς",
        "J",
        "\u{30c}",
        "\u{301}",
        "\u{323}",
        "\u{307}",
        "\u{316}",
        "ẛ",
        "ſ",
        "Ω",
        "K",
        "Å",
        "ﬃ",
        "Ⅷ",
        "ǆ",
        "ǅ",
        "а",
        "А",
        "Ё",
        "क",
        "\u{93e}",
        "\u{94d}",
        "한",
        "\u{1112}",
        "\u{1161}",
        "\u{11ab}",
        "-",
        ".",
        "_",
        "9",
        "٣",
        "ᾼ",
        "\u{345}",
        "\u{344}",
        "㈱",
        "\u{20000}",
        "ŉ",
        "ʼ",
        "#",
        "ٱ",
        "\u{654}",
        "א",
        "\u{5b0}",
        "อ",
        "\u{e33}",
        "ຳ",
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for most in [4, 8, 40] {
        for _ in 0..10_000 {
            check(&random.text(&pieces, most));
        }
    }
}

#[test]
fn a_long_text_costs_nothing() {
    let begun = Instant::now();
    for piece in [
        "a",
        "\u{301}",
        "\u{FDFA}",
        "\u{1112}\u{1161}\u{11ab}",
        "\u{331}\u{301}",
    ] {
        let written = piece.repeat((1 << 20) / piece.len());
        for _ in 0..100 {
            assert!(matches!(
                UserName::parse(&written),
                Err(CommandError::BadName(_))
            ));
            assert!(matches!(
                ChannelName::parse(&written),
                Err(CommandError::BadName(_))
            ));
        }
    }
    assert!(
        begun.elapsed().as_millis() < 1_000,
        "a thousand texts of a megabyte took {:?}",
        begun.elapsed()
    );
}
