//! Names of users and channels: which there may be, how each is shown, and which are the same.
//!
//! A name is brought to NFKC (UAX #15), so that what is only another way to encode or to typeset it
//! is gone; then each
//! character must be one that Unicode's security profile allows (UTS #39). Two names that look
//! alike are one name: they
//! share a *key*, and keys are all that is ever compared.
//!
//! Without the feature `unicode` a name is ASCII, and its one key is its lower-case form.
//!
//! Not here: who has which name (`session.rs`, `channel.rs`).

use super::error::CommandError;
use crate::limits::NAME_CHARS;

/// A user's name: shown as it was written.
#[derive(Clone, Debug)]
pub struct UserName(Name);

/// A channel's name: shown in lower case, without the `#`.
#[derive(Clone, Debug)]
pub struct ChannelName(Name);

/// What both are.
#[derive(Clone, Debug)]
struct Name {
    shown: Box<str>,
    keys: [Box<str>; 2],
}

/// A longer text can't be a name, so that nothing is done with it. No character of NFKC was more
/// than four before (the
/// longest canonical decomposition), none of these has more than four bytes, and there may be a
/// `#`, of three bytes where
/// it is fullwidth.
const NAME_BYTES: usize = NAME_CHARS * 4 * 4 + 3;
/// Marks that may follow one another, …
const MARKS: usize = 4;
/// … and those of them that stand above or below others (combining class other than 0). Real names
/// need no more, and
/// what piles them up writes over its neighbours.
const STACKED_MARKS: usize = 2;

impl UserName {
    /// The name that is written so (PROTOCOL, «Names»); `BadName` says what is wrong with it.
    pub fn parse(written: &str) -> Result<Self, CommandError> {
        let shown = normalised(written)?;
        check(&shown)?;
        let keys = keys(&shown);
        Ok(Self(Name {
            shown: shown.into(),
            keys,
        }))
    }

    /// As it is told to everybody; parsing it gives the same name.
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Names that share one are the same. A user is looked for by the second one first.
    pub fn keys(&self) -> [&str; 2] {
        self.0.keys()
    }
}

impl ChannelName {
    /// The name that is written so, with or without a `#` before it (PROTOCOL, «Names»); `BadName`
    /// says what is wrong.
    pub fn parse(written: &str) -> Result<Self, CommandError> {
        let normalised = normalised(written)?;
        // Not before: there are wide and small number signs, and they become this one.
        let name = normalised.strip_prefix('#').unwrap_or(&normalised);
        check(name)?;
        let shown = alphabet::normalise(&alphabet::lower_case(name));
        // Lower case may be longer (`İ` becomes two characters), and what is shown must be a name
        // too.
        check(&shown)?;
        Ok(Self(Name {
            keys: keys(name),
            shown: shown.into(),
        }))
    }

    /// As it is told to everybody; parsing it gives a name that is shown so, too, and shares its
    /// second key.
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Names that share one are the same, or look so: `generaI`, written with a capital I, has
    /// `general` as its first one.
    /// A channel's own is the second one.
    pub fn keys(&self) -> [&str; 2] {
        self.0.keys()
    }
}

impl Name {
    fn keys(&self) -> [&str; 2] {
        let [first, second] = &self.keys;
        [first, second]
    }
}

/// Lower-case forms of the skeleton, and of the lower-case form's skeleton: `Ida` looks like `lda`,
/// and is `ida`.
fn keys(name: &str) -> [Box<str>; 2] {
    let key = |name: &str| alphabet::lower_case(&alphabet::skeleton(name)).into_boxed_str();
    [key(name), key(&alphabet::lower_case(name))]
}

/// The first step. Work and memory are bounded, however long the text is.
fn normalised(written: &str) -> Result<String, CommandError> {
    if written.len() > NAME_BYTES {
        Err(too_long())
    } else {
        Ok(alphabet::normalise(written))
    }
}

/// The rules, for a name that is normalised.
fn check(name: &str) -> Result<(), CommandError> {
    let Some(first) = name.chars().next() else {
        return Err(bad("a name has at least one character"));
    };
    if name.chars().nth(NAME_CHARS).is_some() {
        return Err(too_long());
    }
    let (mut marks, mut stacked) = (0, 0);
    for character in name.chars() {
        if !alphabet::allows(character) && !is_joiner(character) {
            return Err(CommandError::BadName(refused(character).into()));
        }
        if alphabet::is_mark(character) {
            marks += 1;
            stacked += usize::from(alphabet::is_stacked(character));
        } else {
            (marks, stacked) = (0, 0);
        }
        if marks > MARKS || stacked > STACKED_MARKS {
            return Err(bad(
                "a name has at most four marks in a row, two of them above or below one another",
            ));
        }
    }
    if is_joiner(first) || alphabet::is_mark(first) {
        return Err(bad("a name begins with a letter or a digit"));
    }
    Ok(())
}

/// What may stand between letters and digits.
fn is_joiner(character: char) -> bool {
    matches!(character, '_' | '-' | '.')
}

/// Names the character, and shows only one that every terminal and font can show.
fn refused(character: char) -> String {
    let character = match character {
        ' ' => "a space".to_owned(),
        visible if visible.is_ascii_graphic() => format!("the character {visible}"),
        other => format!("the character U+{:04X}", u32::from(other)),
    };
    format!(
        "a name can't have {character}: only {}, and _ - . between them",
        alphabet::ALLOWED
    )
}

fn too_long() -> CommandError {
    const _: () = assert!(NAME_CHARS == 32, "the sentence says so");
    bad("a name has at most 32 characters")
}

fn bad(sentence: &'static str) -> CommandError {
    CommandError::BadName(sentence.into())
}

/// Unicode's own rules.
#[cfg(feature = "unicode")]
mod alphabet {
    use unicode_normalization::UnicodeNormalization;
    use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
    use unicode_security::GeneralSecurityProfile;

    pub(super) const ALLOWED: &str = "letters, marks and digits that Unicode recommends for names";

    pub(super) fn normalise(text: &str) -> String {
        if text.is_ascii() {
            text.to_owned()
        } else {
            text.nfkc().collect()
        }
    }

    pub(super) fn lower_case(text: &str) -> String {
        text.to_lowercase()
    }

    /// UTS #39 §4: equal for texts that look alike.
    pub(super) fn skeleton(text: &str) -> String {
        if text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || super::is_joiner(byte.into()))
        {
            return skeleton_of_ascii(text);
        }
        unicode_security::skeleton(text).collect()
    }

    /// Most names are of ASCII, and of that only these look like something else: the tables of
    /// Unicode say the same.
    fn skeleton_of_ascii(text: &str) -> String {
        let mut skeleton = String::with_capacity(2 * text.len());
        for character in text.chars() {
            match character {
                '0' => skeleton.push('O'),
                '1' | 'I' => skeleton.push('l'),
                'm' => skeleton.push_str("rn"),
                other => skeleton.push(other),
            }
        }
        skeleton
    }

    /// A letter, mark or digit with `Identifier_Status` «Allowed», which some punctuation (an
    /// apostrophe) has too.
    pub(super) fn allows(character: char) -> bool {
        if character.is_ascii() {
            return character.is_ascii_alphanumeric();
        }
        (character.is_alphanumeric() || is_combining_mark(character))
            && character.identifier_allowed()
    }

    pub(super) fn is_mark(character: char) -> bool {
        !character.is_ascii() && is_combining_mark(character)
    }

    pub(super) fn is_stacked(mark: char) -> bool {
        canonical_combining_class(mark) != 0
    }
}

/// ASCII, where the build has no tables of Unicode.
#[cfg(not(feature = "unicode"))]
mod alphabet {
    pub(super) const ALLOWED: &str = "the letters a to z and digits";

    pub(super) fn normalise(text: &str) -> String {
        text.to_owned()
    }

    pub(super) fn lower_case(text: &str) -> String {
        text.to_ascii_lowercase()
    }

    pub(super) fn skeleton(text: &str) -> String {
        text.to_owned()
    }

    pub(super) fn allows(character: char) -> bool {
        character.is_ascii_alphanumeric()
    }

    pub(super) fn is_mark(_: char) -> bool {
        false
    }

    pub(super) fn is_stacked(_: char) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why_not<T>(parsed: Result<T, CommandError>) -> String {
        match parsed {
            Err(CommandError::BadName(why)) => why.into_owned(),
            Err(other) => panic!("{other:?}"),
            Ok(_) => "it is a name".to_owned(),
        }
    }

    #[test]
    fn plain_names_in_every_build() {
        let table: &[(&str, &str, &str)] = &[
            (
                "a user's name stays as written",
                "Ada_Lovelace-1815.",
                "ada_lovelace-1815.",
            ),
            ("one character", "x", "x"),
            ("a digit may be first", "007", "007"),
            (
                "32 characters",
                "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
                "abcdefghijklmnopqrstuvwxyz012345",
            ),
        ];
        for (name, written, lower) in table {
            assert_eq!(
                UserName::parse(written).unwrap().shown(),
                *written,
                "{name}"
            );
            assert_eq!(
                ChannelName::parse(written).unwrap().shown(),
                *lower,
                "{name}"
            );
            assert_eq!(
                ChannelName::parse(&format!("#{written}")).unwrap().shown(),
                *lower,
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_no_name_in_any_build() {
        let table: &[(&str, &str, &str)] = &[
            ("nothing", "", "at least one"),
            (
                "33 characters",
                "abcdefghijklmnopqrstuvwxyz0123456",
                "at most 32",
            ),
            ("a space", "Ada Lovelace", "a space"),
            ("white space around it is not dropped", " Ada", "a space"),
            ("an underscore first", "_ada", "begins with"),
            ("a hyphen first", "-ada", "begins with"),
            ("a dot first", "..", "begins with"),
            ("a number sign within", "a#b", "the character #"),
            ("two number signs", "##ada", "the character #"),
            ("markup", "<script>", "the character <"),
            (
                "an apostrophe, which UTS #39 allows and PROTOCOL does not",
                "o'hara",
                "the character '",
            ),
            ("a control character", "a\u{7}b", "U+0007"),
            ("NUL", "a\0", "U+0000"),
            ("a line feed", "a\nb", "U+000A"),
            ("a face", "ada\u{1F600}", "U+1F600"),
        ];
        for (name, written, part) in table {
            let why = why_not(UserName::parse(written));
            assert!(why.contains(part), "{name}: {why}");
            let why = why_not(ChannelName::parse(&format!("#{written}")));
            assert!(why.contains(part), "{name}, as a channel: {why}");
        }
        assert!(
            why_not(UserName::parse("#ada")).contains("the character #"),
            "a user's name has no number sign"
        );
    }

    #[test]
    fn names_are_compared_without_case_in_every_build() {
        let (ada, small) = (
            UserName::parse("Ada").unwrap(),
            UserName::parse("ada").unwrap(),
        );
        assert_eq!(ada.keys()[1], small.keys()[1]);
        assert_ne!(ada.keys()[1], UserName::parse("Adam").unwrap().keys()[1]);
    }

    #[cfg(not(feature = "unicode"))]
    #[test]
    fn only_ascii_without_unicode() {
        for written in ["Zoë", "Ада", "\u{FF03}general", "a\u{301}"] {
            assert!(
                why_not(UserName::parse(written)).contains("a to z"),
                "{written}"
            );
            assert!(
                why_not(ChannelName::parse(written)).contains("a to z"),
                "{written}"
            );
        }
        let (ida, lda) = (
            UserName::parse("Ida").unwrap(),
            UserName::parse("lda").unwrap(),
        );
        assert_eq!(ida.keys(), ["ida", "ida"]);
        assert_eq!(lda.keys(), ["lda", "lda"]);
    }

    /// The short ways for ASCII are those of the tables, for each character alone and for each
    /// pair.
    #[cfg(feature = "unicode")]
    #[test]
    fn ascii_is_as_unicode_has_it() {
        use unicode_normalization::UnicodeNormalization;
        use unicode_normalization::char::is_combining_mark;
        use unicode_security::GeneralSecurityProfile;
        for one in '\0'..='\x7F' {
            assert_eq!(
                alphabet::allows(one),
                one.is_alphanumeric() && one.identifier_allowed(),
                "{one:?}"
            );
            assert!(!is_combining_mark(one), "{one:?}");
            for other in '\0'..='\x7F' {
                let text = String::from_iter([one, other]);
                assert_eq!(
                    alphabet::normalise(&text),
                    text.nfkc().collect::<String>(),
                    "{text:?}"
                );
                assert_eq!(
                    alphabet::skeleton(&text),
                    unicode_security::skeleton(&text).collect::<String>(),
                    "{text:?}"
                );
            }
        }
    }
}
