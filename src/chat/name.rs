//! Names of users and channels: which are valid, how they are shown, and which count as the same.
//!
//! A name is normalized to NFKC (UAX #15). Each character must then be allowed by Unicode's
//! security profile for identifiers (UTS #39 §3.1). Names that look alike share a *key*, which is
//! derived from the skeleton (UTS #39 §4), and only keys are compared.
//!
//! Without the feature `unicode`, names are ASCII and the lower-case form is the only key.

use super::error::CommandError;
use crate::limits::{NAME_CHARS, NAME_MARKS, NAME_STACKED_MARKS};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// A valid name, of a user or a channel, small and cheap to clone.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name as it is shown: a user's as it was written, a channel's in lower case and without
    /// the `#`. Parsing it gives a name that is shown the same and has the same second key.
    pub shown: Rc<str>,
    /// The keys. Names that share one are the same or look alike: `generaI`, with a capital I, has
    /// the first key of `general`. Names are looked up by the second key first.
    ///
    /// A key is a 64-bit hash, to save memory. Two names with the same hash count as the same name,
    /// which does not happen by chance.
    pub keys: [u64; 2],
}

/// Longer input is rejected before it is normalized. A character of NFKC comes from at most four
/// characters (the longest canonical decomposition) of at most four bytes, and there may be a `#`,
/// which has three bytes in its fullwidth form.
const NAME_BYTES: usize = NAME_CHARS * 4 * 4 + 3;

impl Name {
    /// Parses a user's name. Fails with `bad_name`.
    pub fn of_user(written: &str) -> Result<Self, CommandError> {
        let shown = normalized(written)?;
        check(&shown, written)?;
        Ok(Self {
            keys: keys(&shown),
            shown: shown.into(),
        })
    }

    /// Parses a channel's name, with or without a leading `#`. Fails with `bad_name`.
    pub fn of_channel(written: &str) -> Result<Self, CommandError> {
        let normalized = normalized(written)?;
        // After the normalization, which also makes a `#` of its fullwidth and small forms.
        let name = normalized.strip_prefix('#').unwrap_or(&normalized);
        check(name, written)?;
        let shown = alphabet::normalize(&name.to_lowercase());
        // Lower case may be longer: `İ` becomes two characters.
        check(&shown, written)?;
        Ok(Self {
            keys: keys(name),
            shown: shown.into(),
        })
    }
}

/// Returns the hashes of two skeletons in lower case: of the name, and of its lower-case form.
/// `Ida` looks like `lda`, and is the same as `ida`.
fn keys(name: &str) -> [u64; 2] {
    [name, &name.to_lowercase()].map(|name| {
        let mut hasher = DefaultHasher::new();
        alphabet::skeleton(name).to_lowercase().hash(&mut hasher);
        hasher.finish()
    })
}

/// Names and their owners. A key has at most one owner.
pub(super) struct NameIndex<Owner>(BTreeMap<u64, Owner>);

impl<Owner> Default for NameIndex<Owner> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Owner: Copy + PartialEq> NameIndex<Owner> {
    /// Returns the owners of names that count as the same: of the second key's first.
    pub(super) fn owners(&self, name: &Name) -> impl Iterator<Item = Owner> {
        let keys = name.keys.into_iter().rev();
        keys.filter_map(|key| self.0.get(&key).copied())
    }

    /// Adds a name. Keys that have an owner keep it.
    pub(super) fn insert(&mut self, name: &Name, owner: Owner) {
        for key in name.keys {
            self.0.entry(key).or_insert(owner);
        }
    }

    pub(super) fn remove(&mut self, name: &Name, owner: Owner) {
        for key in name.keys {
            if self.0.get(&key) == Some(&owner) {
                self.0.remove(&key);
            }
        }
    }
}

fn normalized(written: &str) -> Result<String, CommandError> {
    if written.len() > NAME_BYTES {
        Err(too_long())
    } else {
        Ok(alphabet::normalize(written))
    }
}

/// Checks a normalized name against the rules. `written` is for the error.
fn check(name: &str, written: &str) -> Result<(), CommandError> {
    let Some(first) = name.chars().next() else {
        return Err(CommandError::bad_name("enter a name"));
    };
    if name.chars().nth(NAME_CHARS).is_some() {
        return Err(too_long());
    }
    let (mut marks, mut stacked) = (0, 0);
    for character in name.chars() {
        if !alphabet::allows(character) && !is_joiner(character) {
            return Err(CommandError::bad_name(not_allowed(character, written)));
        }
        (marks, stacked) = match alphabet::is_stacked_mark(character) {
            Some(is_stacked) => (marks + 1, stacked + usize::from(is_stacked)),
            None => (0, 0),
        };
        if marks > NAME_MARKS || stacked > NAME_STACKED_MARKS {
            return Err(CommandError::bad_name("too many accents on one letter"));
        }
    }
    if is_joiner(first) || alphabet::is_stacked_mark(first).is_some() {
        let sentence = "names must start with a letter or digit";
        return Err(CommandError::bad_name(sentence));
    }
    Ok(())
}

/// Returns whether `character` may stand between letters and digits.
fn is_joiner(character: char) -> bool {
    matches!(character, '_' | '-' | '.')
}

/// Makes the sentence about a forbidden character. It shows only characters that every font has,
/// and proposes the name with hyphens instead of spaces if that is valid.
fn not_allowed(character: char, written: &str) -> String {
    let first_is_space = character.is_whitespace();
    let character = match character {
        ' ' => "spaces".to_owned(),
        visible if visible.is_ascii_graphic() => format!("the character {visible}"),
        other => format!("the character U+{:04X}", u32::from(other)),
    };
    let allowed = alphabet::ALLOWED;
    let mut sentence =
        format!("names can't contain {character}; use {allowed}, with _ - or . in between");
    let hyphenated = written.split_whitespace().collect::<Vec<_>>().join("-");
    if hyphenated != written
        && first_is_space
        && let Ok(name) = normalized(&hyphenated)
        && check(name.strip_prefix('#').unwrap_or(&name), &hyphenated).is_ok()
    {
        sentence += &format!(". Try {name}");
    }
    sentence
}

fn too_long() -> CommandError {
    const _: () = assert!(NAME_CHARS == 32, "the sentence says so");
    CommandError::bad_name("names can be up to 32 characters")
}

/// The rules of Unicode, from its tables.
#[cfg(feature = "unicode")]
mod alphabet {
    use unicode_normalization::UnicodeNormalization;
    use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
    use unicode_security::GeneralSecurityProfile;

    pub(super) const ALLOWED: &str = "letters and digits";

    pub(super) fn normalize(text: &str) -> String {
        text.nfkc().collect()
    }

    /// Returns the skeleton of a valid name (UTS #39 §4), which is equal for names that look alike.
    pub(super) fn skeleton(text: &str) -> String {
        // The tables say the same, and take a microsecond or more.
        if text.is_ascii() {
            return text
                .replace('0', "O")
                .replace(['1', 'I'], "l")
                .replace('m', "rn");
        }
        unicode_security::skeleton(text).collect()
    }

    /// Returns whether it is a letter, mark or digit with `Identifier_Status` Allowed, which some
    /// punctuation (an apostrophe) has too.
    pub(super) fn allows(character: char) -> bool {
        (character.is_alphanumeric() || is_combining_mark(character))
            && character.identifier_allowed()
    }

    /// Returns whether a mark has a combining class other than 0; `None` if it is no mark.
    pub(super) fn is_stacked_mark(character: char) -> Option<bool> {
        is_combining_mark(character).then(|| canonical_combining_class(character) != 0)
    }
}

/// ASCII, for builds without Unicode's tables.
#[cfg(not(feature = "unicode"))]
mod alphabet {
    pub(super) const ALLOWED: &str = "the letters a to z and digits";

    pub(super) fn normalize(text: &str) -> String {
        text.to_owned()
    }

    pub(super) fn skeleton(text: &str) -> String {
        text.to_owned()
    }

    pub(super) fn allows(character: char) -> bool {
        character.is_ascii_alphanumeric()
    }

    pub(super) fn is_stacked_mark(_: char) -> Option<bool> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence<T>(parsed: Result<T, CommandError>) -> String {
        match parsed {
            Err(error) => error.message.into_owned(),
            Ok(_) => "valid".to_owned(),
        }
    }

    #[test]
    fn ascii_names_are_valid_in_every_build() {
        let longest = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
        for written in ["Ada_Lovelace-1815.", "x", "007", longest] {
            assert_eq!(&*Name::of_user(written).unwrap().shown, written);
            let lower = written.to_lowercase();
            for channel in [written.to_owned(), format!("#{written}")] {
                assert_eq!(&*Name::of_channel(&channel).unwrap().shown, lower);
            }
        }
        let key = |name| Name::of_user(name).unwrap().keys[1];
        assert_eq!(key("Ada"), key("ada"));
        assert_ne!(key("Ada"), key("Adam"));
    }

    #[cfg(feature = "unicode")]
    #[test]
    fn skeleton_of_ascii_is_that_of_the_tables() {
        let ascii = (0..128_u8).map(char::from);
        let allowed = ascii.filter(|one| alphabet::allows(*one) || is_joiner(*one));
        let allowed = String::from_iter(allowed);
        for (one, other) in allowed
            .chars()
            .flat_map(|one| allowed.chars().map(move |it| (one, it)))
        {
            let name = format!("{one}{other}");
            let expected: String = unicode_security::skeleton(&name).collect();
            assert_eq!(alphabet::skeleton(&name), expected, "{name}");
        }
    }

    #[test]
    fn invalid_names_say_what_is_wrong() {
        let table = [
            ("nothing", "", "enter a name"),
            ("33 characters", &"a".repeat(33), "up to 32"),
            ("a space", "Ada Lovelace", "spaces; use"),
            ("an underscore first", "_ada", "must start with"),
            ("a dot first", "..", "must start with"),
            ("a number sign within", "a#b", "the character #"),
            ("two number signs", "##ada", "the character #"),
            ("markup", "<script>", "the character <"),
            ("an apostrophe", "o'hara", "the character '"),
            ("NUL", "a\0", "U+0000"),
            ("a line feed", "a\nb", "U+000A"),
            ("an emoji", "ada\u{1F600}", "U+1F600"),
        ];
        for (name, written, part) in table {
            let user = sentence(Name::of_user(written));
            let channel = sentence(Name::of_channel(&format!("#{written}")));
            assert!(user.contains(part), "{name}: {user}");
            assert!(channel.contains(part), "{name}, as a channel: {channel}");
        }
        assert!(sentence(Name::of_user("#ada")).contains("the character #"));
    }

    #[test]
    fn name_with_spaces_is_proposed_with_hyphens() {
        let table = [
            ("Ada Lovelace", Some(". Try Ada-Lovelace")),
            ("  a  b\tc ", Some(". Try a-b-c")),
            ("- b", None),
            ("a b!", None),
            ("a!", None),
            (&format!("{} b", "a".repeat(31)), None),
        ];
        for (written, proposal) in table {
            let sentence = sentence(Name::of_user(written));
            match proposal {
                Some(proposal) => assert!(sentence.ends_with(proposal), "{sentence}"),
                None => assert!(!sentence.contains("Try"), "{sentence}"),
            }
        }
        let channel = sentence(Name::of_channel("#my channel"));
        assert!(channel.ends_with(". Try #my-channel"), "{channel}");
        #[cfg(feature = "unicode")]
        assert!(sentence(Name::of_user("Zoë Müller")).ends_with("Try Zoë-Müller"));
    }

    #[cfg(not(feature = "unicode"))]
    #[test]
    fn without_unicode_only_ascii_is_valid() {
        for written in ["Zoë", "Ада", "\u{FF03}general", "a\u{301}"] {
            assert!(sentence(Name::of_user(written)).contains("a to z"));
            assert!(sentence(Name::of_channel(written)).contains("a to z"));
        }
        let keys = |name| Name::of_user(name).unwrap().keys;
        assert_eq!(keys("Ida"), keys("ida"));
        assert!(keys("Ida").iter().all(|key| !keys("lda").contains(key)));
    }
}
