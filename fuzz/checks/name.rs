//! Texts as names of users and channels (`docs/protocol.md`, *Names*).
//!
//! Input: the text, as a user wrote it. Asserted:
//! - what is shown leads back to the name: it is a name, it is shown so again, and its keys are the
//!   same;
//! - the rules hold for what is shown: 1 to 32 characters, a letter or a digit first, at most four
//!   marks in a row, and no character that shows nothing, controls something or turns the direction
//!   of writing;
//! - case makes no other name, and the number sign no other channel.
//!
//! The lists here are written by hand from Unicode's `PropList` and `DerivedCoreProperties`, so
//! that the tables that parlor is built with are not asked about themselves.

use parlor::chat::name::Name;

pub fn check(data: &[u8]) {
    let Ok(written) = str::from_utf8(data) else {
        return;
    };
    if let Ok(name) = Name::of_user(written) {
        shown_is_right(&name.shown);
        let again = Name::of_user(&name.shown).expect("what is shown is a name");
        assert_eq!(
            (&again.shown, again.keys),
            (&name.shown, name.keys),
            "{written:?}"
        );
        if let Ok(lower) = Name::of_user(&name.shown.to_lowercase()) {
            assert_eq!(
                lower.keys[1],
                name.keys[1],
                "case makes no other name: {written:?}"
            );
        }
    }
    match Name::of_channel(written) {
        Ok(name) => {
            shown_is_right(&name.shown);
            let again = Name::of_channel(&name.shown).expect("what is shown is a name");
            assert_eq!(
                (&again.shown, again.keys[1]),
                (&name.shown, name.keys[1]),
                "{written:?}"
            );
            let signed = Name::of_channel(&format!("#{}", name.shown))
                .expect("with its number sign too");
            assert_eq!(
                (&signed.shown, signed.keys[1]),
                (&name.shown, name.keys[1]),
                "{written:?}"
            );
            let as_user = Name::of_user(&name.shown).expect("one rule for both");
            assert_eq!(as_user.shown, name.shown);
        }
        // Its lower case may be longer, so the other way round nothing follows.
        Err(error) => assert_eq!(error.code, "bad_name"),
    }
}

fn shown_is_right(shown: &str) {
    assert!((1..=32).contains(&shown.chars().count()), "{shown:?}");
    assert!(
        shown
            .chars()
            .all(|c| c.is_alphanumeric() || !c.is_ascii() || "_-.".contains(c)),
        "{shown:?}"
    );
    assert!(
        shown.chars().next().is_some_and(char::is_alphanumeric),
        "{shown:?}"
    );
    assert!(
        !shown
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || is_invisible(c)),
        "{shown:?}"
    );
    let in_a_row = shown
        .split(|c: char| !is_common_mark(c))
        .map(|marks| marks.chars().count())
        .max();
    assert!(in_a_row <= Some(2), "{shown:?}");
}

/// Default_Ignorable_Code_Point and Bidi_Control, and the private and the unassigned ends of
/// planes.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{E000}'..='\u{F8FF}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFF}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{10FFFF}')
}

/// Combining Diacritical Marks without its joiner: each has a combining class other than 0.
fn is_common_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{34E}' | '\u{350}'..='\u{36F}')
}
