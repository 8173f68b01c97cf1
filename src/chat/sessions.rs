//! Sessions, and the users that they are while they are online.
//!
//! A session is an identity; a token proves it, of which only a hash is kept. A user is a session
//! that is online under a name: from its first connection until the resume window after its last
//! one has passed. Sessions with messages are stored in the history; others are known while their
//! user is online, and for one more window if the user left by `/quit`.

use super::event::Address;
use super::name::{Name, NameIndex};
use crate::history::{Author, SessionRow};
use crate::limits::LIST_NAMES;
use crate::time::Millis;
use sha1::{Digest, Sha1};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The SHA-1 of a token's secret part, of a key or of a password.
pub(super) type Secret = [u8; 20];

/// A session that is online.
pub(super) struct User {
    pub(super) name: Name,
    pub(super) secret: Secret,
    pub(super) clients: SmallVec<[Address; 2]>,
    /// When its row in the history was last written, if it has one.
    pub(super) row_written: Option<Millis>,
}

/// All sessions in memory. Lists of users are in the order of their author numbers.
#[derive(Default)]
pub(super) struct Sessions {
    /// Added, removed and renamed only by the methods here, which keep the index of names.
    pub(super) users: BTreeMap<Author, Box<User>>,
    names: NameIndex<Author>,
    /// Sessions without messages whose users left by `/quit`, which can be resumed for a while.
    pub(super) departed: BTreeMap<Author, SessionRow>,
    /// Names held for sessions that were online before a restart.
    held: BTreeMap<Author, Name>,
}

impl Sessions {
    /// Returns at most 500 names of users online.
    pub(super) fn list(&self) -> Vec<Rc<str>> {
        let users = self.users.values().take(LIST_NAMES);
        users.map(|user| user.name.shown.clone()).collect()
    }

    pub(super) fn find(&self, name: &Name) -> Option<Author> {
        let mut owners = self.names.owners(name);
        owners.find(|author| self.users.contains_key(author))
    }

    /// Returns whether the name belongs to no one, or to `author`.
    pub(super) fn is_free(&self, name: &Name, author: Option<Author>) -> bool {
        let mut owners = self.names.owners(name);
        owners.all(|owner| Some(owner) == author)
    }

    /// Makes a session online under a name that is free for it.
    pub(super) fn add(&mut self, author: Author, user: User) {
        if let Some(held) = self.held.remove(&author) {
            self.names.remove(&held, author);
        }
        self.names.insert(&user.name, author);
        self.users.insert(author, Box::new(user));
        self.departed.remove(&author);
    }

    /// Makes a user offline, and frees the name.
    pub(super) fn remove(&mut self, author: Author) -> Option<User> {
        let user = self.users.remove(&author)?;
        self.names.remove(&user.name, author);
        Some(*user)
    }

    /// Gives a user another name that is free for it. Returns the old and the new name as shown.
    pub(super) fn rename(&mut self, author: Author, name: Name) -> Option<(Rc<str>, Rc<str>)> {
        let user = self.users.get_mut(&author)?;
        self.names.remove(&user.name, author);
        self.names.insert(&name, author);
        let old = std::mem::replace(&mut user.name, name);
        Some((old.shown, user.name.shown.clone()))
    }

    /// Holds a name for a session that is offline, if no one else has it.
    pub(super) fn hold(&mut self, author: Author, name: Name) {
        if self.is_free(&name, Some(author)) {
            self.names.insert(&name, author);
            self.held.insert(author, name);
        }
    }

    pub(super) fn release_held(&mut self) {
        for (author, name) in std::mem::take(&mut self.held) {
            self.names.remove(&name, author);
        }
    }
}

/// The proof of a session: its author number and 128 random bits.
pub(super) struct Token {
    pub(super) author: Author,
    pub(super) bits: [u8; 16],
}

impl Token {
    /// Parses a token. Returns `None` for a text that [`Token::text`] never returns.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (author, bits) = text.split_once('-')?;
        let token = Self {
            author: Author(author.parse().ok()?),
            bits: u128::from_str_radix(bits, 16).ok()?.to_be_bytes(),
        };
        (*token.text() == *text).then_some(token)
    }

    pub(super) fn text(&self) -> Box<str> {
        format!("{}-{:032x}", self.author.0, u128::from_be_bytes(self.bits)).into()
    }

    pub(super) fn secret(&self) -> Secret {
        Sha1::digest(self.bits).into()
    }

    pub(super) fn matches(&self, secret: &Secret) -> bool {
        same(&self.secret(), secret)
    }
}

/// Compares two hashes in constant time.
pub(super) fn same(one: &Secret, other: &Secret) -> bool {
    let differences = one.iter().zip(other).map(|(one, other)| one ^ other);
    differences.fold(0, |all, difference| all | difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_parsed_only_as_it_was_written() {
        let token = |author, byte| Token {
            author: Author(author),
            bits: [byte; 16],
        };
        let other = token(42, 0xac);
        let longest = token((1 << 53) - 1, 0xff).text();
        let token = token(42, 0xab);
        let text = token.text();
        assert_eq!(&*text, "42-abababababababababababababababab");
        let parsed = Token::parse(&text).unwrap();
        assert!(parsed.author == Author(42) && parsed.matches(&token.secret()));
        assert!(!other.matches(&token.secret()));
        assert!(longest.len() <= 64, "{longest}");
        let table = [
            ("nothing", ""),
            ("no secret", "42"),
            ("an empty secret", "42-"),
            ("a short secret", "42-ab"),
            ("capital letters", "42-ABABABABABABABABABABABABABABABAB"),
            ("a leading zero", "042-abababababababababababababababab"),
            ("a plus", "+42-abababababababababababababababab"),
            ("a long secret", "42-ababababababababababababababababab"),
            ("no author", "-abababababababababababababababab"),
        ];
        for (name, text) in table {
            assert!(Token::parse(text).is_none(), "{name}");
        }
    }
}
