//! News that is gathered: who came and went since it was last told.
//!
//! Clients keep lists of names: who is online, who is in a channel, which channels there are. What
//! changes in such a list is
//! told at most four times a second, and who came and went in between is not told at all. For that,
//! news keeps for each name
//! that changed whether the clients have it. They may differ in that: one that was given the whole
//! list in between (`welcome`,
//! `joined`, `users`) has what was true then. A name of which it is not sure that every client has
//! it right is told again,
//! which does no harm to those that do.
//!
//! Not here: when news is told, and to whom (`mod.rs`).

use std::collections::BTreeMap;
use std::rc::Rc;

/// What changed in one list of names since it was last told.
#[derive(Debug, Default)]
pub(super) struct News {
    names: BTreeMap<Rc<str>, Change>,
    /// How often somebody was given the whole list since.
    given: u32,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    /// Whether the name is in the list now.
    here: bool,
    clients: Clients,
    /// The value of `given` when `here` became what it is.
    given: u32,
}

/// Whether the clients have a name in their lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    Have,
    Lack,
    Differ,
}

/// What is to be told: names in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) came: Vec<Rc<str>>,
    pub(super) went: Vec<Rc<str>>,
}

impl News {
    /// The name is in the list from here on.
    pub(super) fn came(&mut self, name: &Rc<str>) {
        self.change(name, true);
    }

    /// The name is not in the list any more.
    pub(super) fn went(&mut self, name: &Rc<str>) {
        self.change(name, false);
    }

    /// Somebody is given the whole list as it is now.
    pub(super) fn list_given(&mut self) {
        self.given = self.given.wrapping_add(1);
    }

    /// The same for a client of a user who is in the list. It has that user's name, of course, and
    /// will not have a list any
    /// more when the user is no longer in it: with regard to that name it does not count.
    pub(super) fn list_given_to(&mut self, own: &Rc<str>) {
        let before = self.given;
        self.list_given();
        if let Some(change) = self.names.get_mut(own) {
            *change = Change {
                given: self.given,
                ..change.settled(before)
            };
        }
    }

    /// Everybody is told that a name became another one, and puts it into its list where the old
    /// one stood.
    /// `here`: whether its user is in the list.
    pub(super) fn renamed(&mut self, from: &Rc<str>, to: &Rc<str>, here: bool) {
        let old = match self.names.remove(from) {
            Some(change) => change.settled(self.given).clients,
            None if here => Clients::Have,
            None => return,
        };
        let new = self
            .names
            .remove(to)
            .map_or(Clients::Lack, |change| change.settled(self.given).clients);
        let clients = match (old, new) {
            (Clients::Have, _) | (_, Clients::Have) => Clients::Have,
            // Some clients put a name into their list that they did not have, some don't.
            _ => Clients::Differ,
        };
        self.keep(
            to,
            Change {
                here,
                clients,
                given: self.given,
            },
        );
    }

    /// The same, where what was told last and the renaming may reach clients in any order.
    pub(super) fn renamed_meanwhile(&mut self, from: &Rc<str>, to: &Rc<str>, here: bool) {
        let given = self.given;
        self.keep(
            from,
            Change {
                here: false,
                clients: Clients::Differ,
                given,
            },
        );
        self.keep(
            to,
            Change {
                here,
                clients: Clients::Differ,
                given,
            },
        );
    }

    /// What is to be told; after that the clients have it.
    pub(super) fn tell(self) -> Told {
        let mut told = Told::default();
        for (name, change) in self.names {
            if change.here {
                told.came.push(name)
            } else {
                told.went.push(name)
            }
        }
        told
    }

    fn change(&mut self, name: &Rc<str>, here: bool) {
        let before = match self.names.remove(name) {
            Some(change) => change.settled(self.given).clients,
            None if here => Clients::Lack,
            None => Clients::Have,
        };
        self.keep(
            name,
            Change {
                here,
                clients: before,
                given: self.given,
            },
        );
    }

    /// Nothing needs to be told where the clients have it right.
    fn keep(&mut self, name: &Rc<str>, change: Change) {
        let right = if change.here {
            Clients::Have
        } else {
            Clients::Lack
        };
        if change.clients != right {
            self.names.insert(name.clone(), change);
        }
    }
}

impl Change {
    /// Who was given the list since the change has what was true until now.
    fn settled(mut self, given: u32) -> Self {
        let true_until_now = if self.here {
            Clients::Have
        } else {
            Clients::Lack
        };
        if self.given != given && self.clients != true_until_now {
            self.clients = Clients::Differ;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        Came(&'static str),
        Went(&'static str),
        Given,
        GivenTo(&'static str),
        Renamed(&'static str, &'static str, bool),
        Meanwhile(&'static str, &'static str, bool),
    }
    use Step::*;

    /// `+` who came, `-` who went.
    fn told_of(steps: &[Step]) -> String {
        let mut news = News::default();
        for step in steps {
            match *step {
                Came(name) => news.came(&name.into()),
                Went(name) => news.went(&name.into()),
                Given => news.list_given(),
                GivenTo(name) => news.list_given_to(&name.into()),
                Renamed(from, to, here) => news.renamed(&from.into(), &to.into(), here),
                Meanwhile(from, to, here) => news.renamed_meanwhile(&from.into(), &to.into(), here),
            }
        }
        let told = news.tell();
        let signed = |sign: char, names: Vec<Rc<str>>| {
            names.into_iter().map(move |name| format!("{sign}{name}"))
        };
        signed('+', told.came)
            .chain(signed('-', told.went))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_is_told_of_what_happened() {
        let table: &[(&str, &[Step], &str)] = &[
            (
                "one came, one went",
                &[Came("ada"), Went("ben")],
                "+ada -ben",
            ),
            (
                "names have an order",
                &[Came("c"), Came("a"), Came("b")],
                "+a +b +c",
            ),
            (
                "who came and went is not told",
                &[Came("ada"), Went("ada")],
                "",
            ),
            (
                "who went and came is not told",
                &[Went("ada"), Came("ada")],
                "",
            ),
            (
                "but who was seen in between",
                &[Came("ada"), Given, Went("ada")],
                "-ada",
            ),
            (
                "or missed in between",
                &[Went("ada"), Given, Came("ada")],
                "+ada",
            ),
            (
                "and came again",
                &[Came("ada"), Given, Went("ada"), Came("ada")],
                "+ada",
            ),
            (
                "but not by itself alone",
                &[Came("ada"), GivenTo("ada"), Went("ada")],
                "",
            ),
            (
                "nor by itself, but by others",
                &[Came("ada"), Given, GivenTo("ada"), Went("ada")],
                "-ada",
            ),
            (
                "nor by itself, but by who came then",
                &[Came("ada"), Came("ben"), GivenTo("ben"), Went("ada")],
                "+ben -ada",
            ),
            (
                "went, and came to see itself",
                &[Went("ada"), Came("ada"), GivenTo("ada")],
                "",
            ),
            (
                "a list that was right changes nothing",
                &[Came("ada"), Given, Given],
                "+ada",
            ),
            (
                "renamed alone is told by itself",
                &[Renamed("ada", "eve", true)],
                "",
            ),
            (
                "came, then renamed",
                &[Came("ada"), Renamed("ada", "eve", true)],
                "+eve",
            ),
            (
                "renamed, then went",
                &[Renamed("ada", "eve", true), Went("eve")],
                "-eve",
            ),
            (
                "came, renamed, went",
                &[Came("ada"), Renamed("ada", "eve", true), Went("eve")],
                "-eve",
            ),
            (
                "went, then renamed",
                &[Went("ada"), Renamed("ada", "eve", false)],
                "-eve",
            ),
            (
                "went, renamed, came back",
                &[Went("ada"), Renamed("ada", "eve", false), Came("eve")],
                "",
            ),
            (
                "renamed to a name that just went",
                &[Went("eve"), Renamed("ada", "eve", true)],
                "",
            ),
            (
                "renamed and its old name came",
                &[Renamed("ada", "eve", true), Came("ada")],
                "+ada",
            ),
            (
                "there and back",
                &[
                    Came("ada"),
                    Renamed("ada", "eve", true),
                    Renamed("eve", "ada", true),
                ],
                "+ada",
            ),
            ("renamed elsewhere", &[Renamed("ada", "eve", false)], ""),
            (
                "in any order, still here",
                &[Meanwhile("ada", "eve", true)],
                "+eve -ada",
            ),
            (
                "in any order, gone",
                &[Meanwhile("ada", "eve", false)],
                "-ada -eve",
            ),
        ];
        for (name, steps, expected) in table {
            assert_eq!(told_of(steps), *expected, "{name}");
        }
    }
}
