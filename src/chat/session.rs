//! Sessions, and the users that they are while they are online.
//!
//! A session is who somebody is; a token, its author number and 128 random bits, is the proof, and
//! only the hash of the bits
//! is kept. A user is a session that is online under a name: from its first client until the resume
//! window after its last one
//! went. A session that has written or was written to is in the history; another one is known while
//! its user is online, and
//! for one window more where the user left by `/quit`.
//!
//! Not here: what is told of all this (`welcome.rs`), which channels a user is in (`channel.rs`,
//! `membership.rs`).

use super::claims::{Claims, Name};
use super::event::{ChannelId, ClientId};
use super::name::UserName;
use crate::few::Few;
use crate::history::Author;
use crate::limits::{HELD_NAMES, RENAME_INTERVAL, RENAMES};
use crate::ordered::Ordered;
use crate::tables::Slots;
use crate::time::{Millis, Sometime};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

/// The hash of a token's secret half.
pub(super) type Secret = [u8; 20];

/// A session that is online under a name.
pub(super) struct User {
    pub(super) name: Name,
    pub(super) secret: Secret,
    pub(super) clients: Few<ClientId>,
    /// When its row in the history was last brought up to date, if it has one.
    pub(super) stored: Sometime,
    /// Most users have nothing of the kind most of the time.
    ends: Option<Box<Ends>>,
}

/// What of a user ends by itself.
#[derive(Default)]
pub(super) struct Ends {
    /// The end of the resume window, where no client is left.
    pub(super) gone_at: Option<Millis>,
    /// Channels that a client was in when it dropped, and how long that still makes the user a
    /// member.
    pub(super) dropped_from: BTreeMap<ChannelId, Millis>,
    /// Names that were given up, and until when nobody else may have them; oldest first.
    held: Vec<(Name, Millis)>,
    pub(super) renames: Renames,
    /// When the user is looked at next.
    reminder: Option<Millis>,
}

/// How often a session may still rename: three at once, then one in ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Renames {
    full_at: Millis,
}

/// A session that is not online: one that is not in the history, for the rest of its resume window;
/// one that is, while it is
/// not known by that how often it may rename.
pub(super) struct Parted {
    pub(super) secret: Secret,
    pub(super) name: Rc<str>,
    pub(super) renames: Renames,
    /// When its row in the history was last brought up to date, if it has one.
    pub(super) stored: Option<Millis>,
    pub(super) until: Millis,
}

/// The text that proves who somebody is.
pub(super) struct Token {
    pub(super) author: Author,
    bits: [u8; 16],
}

/// Everybody who is online. Lists of users are in the order of their authors: who has been known
/// longest comes first.
pub(super) struct Sessions {
    users: Slots<User>,
    /// Where they stand.
    by_author: Ordered<Author, u32>,
    names: Claims<Author>,
    parted: BTreeMap<Author, Parted>,
    newest_author: Author,
}

impl Sessions {
    /// Nobody. Authors up to `newest_author` have been given.
    pub(super) fn new(newest_author: Author) -> Self {
        Self {
            users: Slots::new(),
            by_author: Ordered::new(),
            names: Claims::new(),
            parted: BTreeMap::new(),
            newest_author,
        }
    }

    pub(super) fn user(&self, author: Author) -> Option<&User> {
        self.users.get(*self.by_author.get(author)? as usize)
    }

    pub(super) fn user_mut(&mut self, author: Author) -> Option<&mut User> {
        self.users.get_mut(*self.by_author.get(author)? as usize)
    }

    pub(super) fn parted(&self, author: Author) -> Option<&Parted> {
        self.parted.get(&author)
    }

    pub(super) fn online(&self) -> usize {
        self.users.len()
    }

    pub(super) fn kept(&self) -> usize {
        self.users.len() + self.parted.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Rc<str>> {
        self.in_order().map(|(_, user)| &user.name.shown)
    }

    fn in_order(&self) -> impl Iterator<Item = (Author, &User)> {
        self.by_author
            .iter()
            .filter_map(|(author, place)| Some((author, self.users.get(*place as usize)?)))
    }

    /// The user whose name this is now; a name that is only held finds nobody.
    pub(super) fn find(&self, name: &UserName) -> Option<Author> {
        self.names.owners(name.keys()).find(|author| {
            self.user(*author)
                .is_some_and(|user| user.name.is(name.keys()))
        })
    }

    pub(super) fn is_free_for(&self, author: Author, name: &UserName) -> bool {
        self.names.is_free_for(author, name.keys())
    }

    pub(super) fn next_author(&mut self) -> Author {
        self.newest_author = Author(self.newest_author.0 + 1);
        self.newest_author
    }

    /// A session comes online; returns what is left to be forgotten of its time offline.
    pub(super) fn come(
        &mut self,
        author: Author,
        name: &UserName,
        secret: Secret,
        stored: Option<Millis>,
    ) -> Option<Parted> {
        let parted = self.parted.remove(&author);
        let name = Name::from(name);
        self.names.claim(&name, author);
        let user = User {
            name,
            secret,
            clients: Few::default(),
            stored: stored.into(),
            ends: parted
                .as_ref()
                .filter(|parted| parted.renames != Renames::default())
                .map(Ends::after),
        };
        self.by_author
            .insert(author, self.users.insert(user) as u32);
        parted
    }

    /// A user goes offline, and all of its names are free.
    pub(super) fn go(&mut self, author: Author) -> Option<User> {
        let user = self.users.remove(self.by_author.remove(author)? as usize)?;
        self.names.release(&user.name);
        user.ends()
            .held
            .iter()
            .for_each(|(name, _)| self.names.release(name));
        Some(user)
    }

    /// Holds a name that is free for a session which is not online.
    pub(super) fn hold(&mut self, author: Author, name: &UserName) -> Name {
        let name = Name::from(name);
        self.names.claim(&name, author);
        name
    }

    pub(super) fn release(&mut self, name: &Name) {
        self.names.release(name);
    }

    /// Users who have a client and a row, and when that was last brought up to date.
    pub(super) fn present(&self) -> impl Iterator<Item = (Author, Millis)> {
        self.in_order()
            .filter(|(_, user)| !user.clients.is_empty())
            .filter_map(|(author, user)| Some((author, user.stored.get()?)))
    }

    /// Remembers a session that left by itself.
    pub(super) fn remember(&mut self, author: Author, parted: Parted) {
        self.parted.insert(author, parted);
    }

    pub(super) fn forget(&mut self, author: Author) {
        self.parted.remove(&author);
    }

    /// Gives a user another name, free for it, and holds the old one until `hold`. Returns both.
    pub(super) fn rename(
        &mut self,
        author: Author,
        name: &UserName,
        hold: Millis,
    ) -> Option<(Rc<str>, Rc<str>)> {
        let name = Name::from(name);
        let Self {
            users,
            by_author,
            names,
            ..
        } = self;
        let user = users.get_mut(*by_author.get(author)? as usize)?;
        names.claim(&name, author);
        let old = std::mem::replace(&mut user.name, name);
        let renamed = (old.shown.clone(), user.name.shown.clone());
        let held = &mut user.ends_mut().held;
        if held.len() == HELD_NAMES {
            names.release(&held.remove(0).0);
        }
        held.push((old, hold));
        Some(renamed)
    }

    /// Lets go of names that were held long enough.
    pub(super) fn release_held(&mut self, author: Author, now: Millis) {
        let Some(ends) = self.user_mut(author).and_then(|user| user.ends.as_mut()) else {
            return;
        };
        let over = ends
            .held
            .iter()
            .take_while(|(_, until)| *until <= now)
            .count();
        let over: Vec<_> = ends.held.drain(..over).collect();
        over.iter().for_each(|(name, _)| self.names.release(name));
    }

    /// A user may rename as often as any again.
    pub(super) fn forget_renames(&mut self, author: Author, now: Millis) {
        let Some(ends) = self.user_mut(author).and_then(|user| user.ends.as_mut()) else {
            return;
        };
        if ends.renames.full_at() <= now {
            ends.renames = Renames::default();
        }
    }
}

impl User {
    pub(super) fn ends(&self) -> &Ends {
        const NOTHING: &Ends = &Ends {
            gone_at: None,
            dropped_from: BTreeMap::new(),
            held: Vec::new(),
            renames: Renames { full_at: Millis(0) },
            reminder: None,
        };
        self.ends.as_deref().unwrap_or(NOTHING)
    }

    /// To add something that ends by itself; the user is then to be reminded of it.
    pub(super) fn ends_mut(&mut self) -> &mut Ends {
        self.ends.get_or_insert_default()
    }

    /// No client that dropped makes the user a member of this channel any more.
    pub(super) fn forget_drop(&mut self, channel: ChannelId) {
        if let Some(ends) = &mut self.ends {
            ends.dropped_from.remove(&channel);
        }
    }

    /// Sets the reminder to when the next thing ends; returns what it was and what it is.
    pub(super) fn remind(&mut self) -> (Option<Millis>, Option<Millis>) {
        let Some(ends) = &mut self.ends else {
            return (None, None);
        };
        let held = ends.held.first().map(|(_, until)| *until);
        let dropped = ends.dropped_from.values().min().copied();
        let renames = (ends.renames != Renames::default()).then(|| ends.renames.full_at());
        let next = [held, dropped, renames, ends.gone_at]
            .into_iter()
            .flatten()
            .min();
        let before = std::mem::replace(&mut ends.reminder, next);
        if next.is_none() {
            self.ends = None;
        }
        (before, next)
    }

    /// When the user is looked at next.
    pub(super) fn reminder(&self) -> Option<Millis> {
        self.ends().reminder
    }

    /// A client came: the resume window does not end.
    pub(super) fn stays(&mut self) {
        if let Some(ends) = &mut self.ends {
            ends.gone_at = None;
        }
    }
}

impl Ends {
    /// What of a session's time before it was offline still counts.
    fn after(parted: &Parted) -> Box<Self> {
        Box::new(Self {
            renames: parted.renames,
            ..Self::default()
        })
    }
}

impl Renames {
    /// Whether one more is allowed, or in how many milliseconds it will be.
    pub(super) fn check(self, now: Millis) -> Result<(), u64> {
        let allowed = now.after(RENAME_INTERVAL * RENAMES);
        let wanted = self.full_at.max(now).after(RENAME_INTERVAL);
        if wanted <= allowed {
            Ok(())
        } else {
            Err(wanted
                .since(allowed)
                .max(Duration::from_millis(1))
                .as_millis() as u64)
        }
    }

    /// From when on nothing of them is used up.
    pub(super) fn full_at(self) -> Millis {
        self.full_at
    }

    pub(super) fn count(&mut self, now: Millis) {
        self.full_at = self.full_at.max(now).after(RENAME_INTERVAL);
    }
}

impl Token {
    pub(super) fn new(author: Author, bits: [u8; 16]) -> Self {
        Self { author, bits }
    }

    /// Reads a token. None: it can't be one of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (author, bits) = text.split_once('-')?;
        let token = Self {
            author: Author(author.parse().ok()?),
            bits: u128::from_str_radix(bits, 16).ok()?.to_be_bytes(),
        };
        (*token.text() == *text).then_some(token)
    }

    pub(super) fn text(&self) -> Box<str> {
        let mut text = String::with_capacity(64);
        // A String takes everything.
        let _ = write!(
            text,
            "{}-{:032x}",
            self.author.0,
            u128::from_be_bytes(self.bits)
        );
        text.into()
    }

    pub(super) fn secret(&self) -> Secret {
        Sha1::digest(self.bits).into()
    }

    /// Whether it is this one's. Takes as long for a wrong one: the time tells nothing of how much
    /// of it was right.
    pub(super) fn proves(&self, secret: &Secret) -> bool {
        self.secret()
            .iter()
            .zip(secret)
            .fold(0, |differ, (one, other)| differ | (one ^ other))
            == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else() {
        let token = Token::new(Author(42), [0xab; 16]);
        let text = token.text();
        assert_eq!(&*text, "42-abababababababababababababababab");
        assert!(
            Token::parse(&text)
                .is_some_and(|read| read.author == Author(42) && read.proves(&token.secret()))
        );
        assert!(!Token::new(Author(42), [0xac; 16]).proves(&token.secret()));
        let longest = Token::new(Author((1 << 53) - 1), [0xff; 16]).text();
        assert!(longest.len() <= 64, "{longest}");
        let table = [
            ("nothing", ""),
            ("no secret", "42"),
            ("an empty secret", "42-"),
            ("a short one", "42-ab"),
            ("capital letters", "42-ABABABABABABABABABABABABABABABAB"),
            ("a zero before", "042-abababababababababababababababab"),
            ("a plus", "+42-abababababababababababababababab"),
            ("more behind", "42-ababababababababababababababababab"),
            ("no author", "-abababababababababababababababab"),
        ];
        for (name, text) in table {
            assert!(Token::parse(text).is_none(), "{name}");
        }
    }

    #[test]
    fn three_renames_then_one_in_ten_seconds() {
        let mut renames = Renames::default();
        for n in 0..3 {
            assert_eq!(renames.check(Millis(5)), Ok(()), "rename {n}");
            renames.count(Millis(5));
        }
        assert_eq!(renames.check(Millis(5)), Err(10_000));
        assert_eq!(renames.check(Millis(10_004)), Err(1));
        assert_eq!(renames.check(Millis(10_005)), Ok(()));
        renames.count(Millis(10_005));
        assert_eq!(renames.check(Millis(10_005)), Err(10_000));
        assert_eq!(renames.check(Millis(40_005)), Ok(()));
    }

    /// Its largest parts; `tests/allocations.rs` has what all of it comes to, in the other layers
    /// too.
    #[test]
    fn who_is_online_and_silent_is_small() {
        let table = [
            ("a user", size_of::<User>(), 80),
            ("… of that: the name and its keys", size_of::<Name>(), 32),
            (
                "apart, while something of it ends by itself",
                size_of::<Ends>(),
                88,
            ),
            ("a client", size_of::<super::super::Client>(), 40),
            (
                "its place in the order of users, or of members",
                size_of::<(Author, u32)>(),
                16,
            ),
        ];
        for (what, bytes, most) in table {
            println!("{bytes:5} bytes: {what}");
            assert!(bytes <= most, "{what}: {bytes} bytes");
        }
    }
}
