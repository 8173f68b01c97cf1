//! Texts as names of users and channels (`docs/protocol.md`, *Names*).
//!
//! Input: the text as a user typed it. Asserted:
//! - the displayed form is a name again, with the same displayed form and the same keys;
//! - the displayed form has 1 to 32 characters and begins with a letter or digit. At most two marks
//!   that are drawn above or below each other follow one another. No character is invisible, a
//!   control, or changes the direction of writing;
//! - names that differ in case only are the same, and so are channels with and without `#`.
//!
//! The lists here are written by hand from Unicode's `PropList` and `DerivedCoreProperties`, so
//! that they are independent of the tables that parlor uses.

use parlor::chat::name::Name;

pub fn check(data: &[u8]) {
    let Ok(written) = str::from_utf8(data) else {
        return;
    };
    if let Ok(name) = Name::of_user(written) {
        shown_is_right(&name.shown);
        let again = Name::of_user(&name.shown).expect("the displayed form is a name");
        assert_eq!(
            (&again.shown, again.keys),
            (&name.shown, name.keys),
            "{written:?}"
        );
        if let Ok(lower) = Name::of_user(&name.shown.to_lowercase()) {
            assert_eq!(
                lower.keys[1], name.keys[1],
                "the same name in another case: {written:?}"
            );
        }
    }
    match Name::of_channel(written) {
        Ok(name) => {
            shown_is_right(&name.shown);
            let again = Name::of_channel(&name.shown).expect("the displayed form is a name");
            assert_eq!(
                (&again.shown, again.keys[1]),
                (&name.shown, name.keys[1]),
                "{written:?}"
            );
            let signed =
                Name::of_channel(&format!("#{}", name.shown)).expect("a name with # is a name");
            assert_eq!(
                (&signed.shown, signed.keys[1]),
                (&name.shown, name.keys[1]),
                "{written:?}"
            );
            let as_user =
                Name::of_user(&name.shown).expect("users and channels have the same rule");
            assert_eq!(as_user.shown, name.shown);
        }
        // The lower case form may be longer, so a user's name may be valid where the channel's is
        // not.
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

/// Default_Ignorable_Code_Point, Bidi_Control, private use, and the unassigned ends of planes.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{E000}'..='\u{F8FF}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFF}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{10FFFF}')
}

/// The block Combining Diacritical Marks without the joiner: each has a combining class other than
/// 0.
fn is_common_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{34E}' | '\u{350}'..='\u{36F}')
}
