//! Names by Unicode's rules.

use parlor::chat::error::CommandError;
use parlor::chat::name::Name;
use std::time::Instant;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_security::GeneralSecurityProfile;

fn user(written: &str) -> Name {
    Name::of_user(written).unwrap_or_else(|error| panic!("{written:?}: {}", error.message))
}

fn channel(written: &str) -> Name {
    Name::of_channel(written).unwrap_or_else(|error| panic!("{written:?}: {}", error.message))
}

fn share(one: [u64; 2], other: [u64; 2]) -> bool {
    one.iter().any(|key| other.contains(key))
}

#[test]
fn names_are_normalized_and_channels_lower_case() {
    let table = [
        ("Zoë", "Zoë", "zoë"),
        ("Zoe\u{308}", "Zoë", "zoë"),
        ("Ａｄａ９", "Ada9", "ada9"),
        ("ﬁn", "fin", "fin"),
        ("Ада", "Ада", "ада"),
        ("ΟΔΟΣ", "ΟΔΟΣ", "οδος"),
        ("東京", "東京", "東京"),
        ("\u{1112}\u{1161}\u{11ab}", "한", "한"),
        ("हिन्दी", "हिन्दी", "हिन्दी"),
        ("Nguyễn", "Nguyễn", "nguyễn"),
        ("a٣", "a٣", "a٣"),
        ("İ", "İ", "i\u{307}"),
        ("Ϊ\u{301}", "Ϊ\u{301}", "ΐ"),
    ];
    for (written, as_user, as_channel) in table {
        assert_eq!(&*user(written).shown, as_user);
        assert_eq!(&*channel(written).shown, as_channel);
    }
    for sign in ['#', '\u{FF03}', '\u{FE5F}'] {
        assert_eq!(&*channel(&format!("{sign}General")).shown, "general");
    }
}

#[test]
fn invalid_names_say_what_is_wrong() {
    let long = "ё".repeat(33);
    let table = [
        ("33 characters of two bytes", &*long, "up to 32"),
        ("a mark first", "\u{301}a", "must start with"),
        ("a spacing mark first", "\u{93e}क", "must start with"),
        ("three stacked marks", "x\u{323}\u{331}\u{302}", "accents"),
        (
            "five marks",
            "क\u{93e}\u{93e}\u{93e}\u{93e}\u{93e}",
            "accents",
        ),
        ("a filler without a glyph", "a\u{3164}", "U+1160"),
        ("a zero-width joiner", "a\u{200d}b", "U+200D"),
        ("a right-to-left override", "a\u{202e}b", "U+202E"),
        ("a soft hyphen", "a\u{ad}b", "U+00AD"),
        ("a middle dot", "a\u{b7}b", "U+00B7"),
        ("a katakana middle dot", "ア\u{30fb}ア", "U+30FB"),
        ("a historic script", "\u{10330}", "U+10330"),
        ("a private character", "a\u{e000}", "U+E000"),
        ("a noncharacter", "a\u{ffff}", "U+FFFF"),
        ("two number signs", "#\u{FF03}a", "the character #"),
        ("a no-break space", "a\u{a0}b", "spaces"),
    ];
    for (name, written, part) in table {
        let sentence = |error: CommandError| error.message.into_owned();
        let user = Name::of_user(written).map_err(sentence).unwrap_err();
        assert!(user.contains(part), "{name}: {user}");
        let channel = Name::of_channel(written).map_err(sentence).unwrap_err();
        assert!(channel.contains(part), "{name}, as a channel: {channel}");
    }
}

#[test]
fn limits_on_characters_and_marks_are_exact() {
    let stacked: String = "a\u{323}\u{302}\u{301}".nfd().collect();
    let hangul = "\u{1112}\u{1161}\u{11ab}";
    let four_marks = "क\u{93e}\u{93e}\u{94d}\u{94d}".to_owned();
    // Valid as a user's name, and as a channel's.
    let table = [
        ("\u{2070E}".repeat(32), [true, true]),
        (stacked.repeat(10), [true, true]),
        (hangul.repeat(32), [true, true]),
        (hangul.repeat(33), [false, false]),
        // Becomes three characters.
        ("㈱".repeat(11), [false, false]),
        // Becomes two in lower case.
        ("İ".repeat(16), [true, true]),
        ("İ".repeat(17), [true, false]),
        // Is one only in lower case.
        ("Ϊ\u{301}".repeat(32), [false, false]),
        (four_marks, [true, true]),
        // The third stacked mark comes with lower case.
        ("İ\u{331}\u{326}".to_owned(), [true, false]),
        (format!("#{}", "ü".repeat(32)), [false, true]),
    ];
    for (written, expected) in table {
        let user = Name::of_user(&written).is_ok();
        let channel = Name::of_channel(&written).is_ok();
        assert_eq!([user, channel], expected, "{written}");
    }
}

#[test]
fn names_that_look_alike_share_a_key() {
    let same = "Ada ada|Ada Ad\u{430}|сор cop|Ida lda|Ida ida|generaI general|rnarco Marco|\
        B0B BOB|ΟΔΟΣ οδος|Ϊ\u{301}αν ΐαν";
    let different = "ida lda|Zoe Zoë|Ada Bob|a-b a_b";
    for (pairs, expected) in [(same, true), (different, false)] {
        for (one, other) in pairs.split('|').map(|pair| pair.split_once(' ').unwrap()) {
            let users = share(user(one).keys, user(other).keys);
            let channels = share(channel(one).keys, channel(other).keys);
            assert_eq!([users, channels], [expected; 2], "{one} {other}");
        }
    }
}

/// Checks what holds for every name.
fn check(written: &str) {
    if let Ok(name) = Name::of_user(written) {
        let again = user(&name.shown);
        assert_eq!(name.shown, again.shown, "{written:?}");
        assert_eq!(name.keys, again.keys, "{written:?}");
        assert!(name.shown.chars().count() <= 32, "{written:?}");
    }
    if let Ok(name) = Name::of_channel(written) {
        let again = channel(&name.shown);
        assert_eq!(name.shown, again.shown, "{written:?}");
        assert_eq!(name.keys[1], again.keys[1], "{written:?}");
        assert!(name.shown.chars().count() <= 32, "{written:?}");
        let upper = name.shown.to_uppercase();
        for other in [upper, format!("#{written}"), format!("#{}", name.shown)] {
            if let Ok(other) = Name::of_channel(&other) {
                let same = share(name.keys, other.keys);
                assert!(same || other.shown != name.shown, "{written:?}");
            }
        }
    }
}

/// Returns the characters of the planes that are in use.
fn every_character() -> impl Iterator<Item = char> {
    ('\0'..='\u{33FFF}').chain('\u{E0000}'..='\u{E0FFF}')
}

#[test]
fn every_character_is_handled_in_a_name() {
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
        let allowed = Name::of_user(&format!("a{character}")).is_ok();
        let refused = character
            .nfkc()
            .any(|part| !part.identifier_allowed() && !"-_.".contains(part));
        assert!(!(allowed && refused), "{character:?}");
        // The limit on a name's bytes relies on this.
        assert!(character.nfd().count() <= 4, "{character:?}");
    }
}

#[test]
fn long_text_is_rejected_fast() {
    let begun = Instant::now();
    for piece in "a|\u{301}|\u{FDFA}|\u{1112}\u{1161}\u{11ab}|\u{331}\u{301}".split('|') {
        let written = piece.repeat((1 << 20) / piece.len());
        for _ in 0..100 {
            let (user, channel) = (Name::of_user(&written), Name::of_channel(&written));
            assert_eq!(user.unwrap_err().code, "bad_name");
            assert_eq!(channel.unwrap_err().code, "bad_name");
        }
    }
    let time = begun.elapsed();
    assert!(
        time.as_millis() < 1_000,
        "a thousand texts of a megabyte took {time:?}"
    );
}
