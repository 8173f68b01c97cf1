//! Writing: the turn's transaction.

use super::{Known, Sqlite, if_any, millis, read};
use crate::history::{
    Author, ConversationRow, Epoch, History, PageRequest, Place, Proposal, Record, Remembered, Seq,
    SessionRow, Span, StoreError, Stored, UnixMillis,
};
use crate::limits::NONCE_AGE;
use rusqlite::{Connection, Result, Transaction, TransactionBehavior};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a transaction does to places, until it is through.
struct Draft<'a> {
    transaction: Transaction<'a>,
    places: HashMap<Place, Known>,
    uses: u64,
    now: UnixMillis,
}

impl History for Sqlite {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: UnixMillis,
    ) -> std::result::Result<Vec<Stored>, StoreError> {
        self.ready_to_write()?;
        let began = Instant::now();
        let before = self.known_before(proposals)?;
        let stored = match self.store(proposals, sessions, &before, now) {
            Ok(stored) => stored,
            Err(error) => {
                let touched = before
                    .into_iter()
                    .map(|(place, known)| (place, known.map_or(Seq(0), |known| known.newest)));
                return Err(self.write_failed(&error, touched));
            }
        };
        self.tend_log();
        self.commit_time = Some(began.elapsed());
        Ok(stored)
    }

    fn page(
        &mut self,
        place: &Place,
        ask: PageRequest,
        out: &mut Vec<Record>,
    ) -> std::result::Result<bool, StoreError> {
        self.read_page(place, ask, out)
    }

    fn span(&mut self, place: &Place) -> std::result::Result<Span, StoreError> {
        self.read_span(place)
    }

    fn session(&mut self, author: Author) -> std::result::Result<Option<SessionRow>, StoreError> {
        self.read_session(author)
    }

    fn conversations(
        &mut self,
        of: Author,
        most: usize,
    ) -> std::result::Result<Vec<ConversationRow>, StoreError> {
        self.read_conversations(of, most)
    }

    fn remembered(&mut self, channels: usize, since: UnixMillis) -> Remembered {
        // It was read from a moment ago, when it was opened; where that fails now, joins still find
        // what there is.
        self.read_remembered(channels, since).unwrap_or_default()
    }

    fn wants_pruning(&self) -> bool {
        self.pruning.is_wanted()
    }

    fn prune(&mut self) -> std::result::Result<(), StoreError> {
        self.prune_a_little()
    }

    fn take_commit_time(&mut self) -> Option<Duration> {
        self.commit_time.take()
    }

    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn newest_author(&self) -> Author {
        self.newest_author
    }
}

impl Sqlite {
    /// The places that are about to be written to, as they are now.
    fn known_before(
        &mut self,
        proposals: &[Rc<Proposal>],
    ) -> std::result::Result<HashMap<Place, Option<Known>>, StoreError> {
        let mut before = HashMap::new();
        for proposal in proposals {
            if !before.contains_key(&proposal.place) {
                let known = self
                    .known(&proposal.place)
                    .map_err(|error| StoreError(super::sentence(&error)))?;
                before.insert(proposal.place.clone(), known);
            }
        }
        Ok(before)
    }

    fn store(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        before: &HashMap<Place, Option<Known>>,
        now: UnixMillis,
    ) -> Result<Vec<Stored>> {
        let uses = self.uses;
        // As with messages: a clock that went back (a Pi's, until it has asked the network) makes
        // nobody long unseen.
        let seen = |row: &SessionRow| SessionRow {
            seen: row.seen.max(self.newest_seen),
            ..row.clone()
        };
        let sessions: Vec<_> = sessions.iter().map(seen).collect();
        let (stored, places, uses) =
            write(self.connection()?, proposals, &sessions, before, uses, now)?;
        let newest = stored.iter().rev().find(|stored| !stored.repeated);
        self.newest_at = newest.map_or(self.newest_at, |stored| stored.at);
        self.newest_seen = sessions
            .iter()
            .map(|row| row.seen)
            .fold(self.newest_seen, Ord::max);
        self.pruning.stored(uses - self.uses, self.newest_at);
        self.uses = uses;
        let keep = self.settings.keep;
        for (place, known) in places {
            if known.newest.0 + 1 - known.first.0 > keep + keep / 64 {
                self.pruning.too_long(known.id);
            }
            self.remember(place, known);
        }
        Ok(stored)
    }
}

/// One transaction: what became of each proposal, the places as they are now, and how often places
/// were used.
fn write(
    connection: &Connection,
    proposals: &[Rc<Proposal>],
    sessions: &[SessionRow],
    before: &HashMap<Place, Option<Known>>,
    uses: u64,
    now: UnixMillis,
) -> Result<(Vec<Stored>, HashMap<Place, Known>, u64)> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for row in sessions {
        keep_session(&transaction, row)?;
    }
    let places = before
        .iter()
        .filter_map(|(place, known)| Some((place.clone(), (*known)?)))
        .collect();
    let mut draft = Draft {
        transaction,
        places,
        uses,
        now,
    };
    let stored = proposals
        .iter()
        .map(|proposal| draft.store(proposal))
        .collect::<Result<_>>()?;
    let Draft {
        transaction,
        places,
        uses,
        ..
    } = draft;
    transaction.commit()?;
    Ok((stored, places, uses))
}

impl Draft<'_> {
    fn store(&mut self, what: &Proposal) -> Result<Stored> {
        let known = self.places.get(&what.place).copied();
        if let (Some(known), Some(nonce)) = (known, &what.nonce)
            && let Some((seq, at)) = self.repeated(known.id, what.author, nonce)?
        {
            return Ok(Stored {
                seq,
                at,
                repeated: true,
            });
        }
        let mut known = match known {
            Some(known) => known,
            None => self.make(&what.place)?,
        };
        // The wall clock may go back; within a place time does not.
        let (seq, at) = (Seq(known.newest.0 + 1), self.now.max(known.at));
        let is_first = known.first > known.newest;
        self.uses += 1;
        insert(&self.transaction, known.id, seq, at, what)?;
        let mut update = self.transaction.prepare_cached(
            "UPDATE places SET newest = ?2, at = ?3, used = ?4, first_at = CASE WHEN ?5 THEN ?3 ELSE first_at END WHERE id = ?1",
        )?;
        update.execute((
            known.id,
            seq.0 as i64,
            at.0 as i64,
            self.uses as i64,
            is_first,
        ))?;
        drop(update);
        (known.newest, known.at) = (seq, at);
        self.places.insert(what.place.clone(), known);
        Ok(Stored {
            seq,
            at,
            repeated: false,
        })
    }

    /// The message that this nonce stands for, if it was sent within the last 24 hours.
    fn repeated(
        &self,
        place: i64,
        author: Author,
        nonce: &str,
    ) -> Result<Option<(Seq, UnixMillis)>> {
        let select = "SELECT seq, at FROM messages WHERE place = ?1 AND author = ?2 AND nonce = ?3 ORDER BY seq DESC LIMIT 1";
        let mut select = self.transaction.prepare_cached(select)?;
        let found = select.query_row((place, author.0 as i64, nonce), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        let found = if_any(found)?.map(|(seq, at)| (Seq(seq as u64), millis(at)));
        Ok(found
            .filter(|(_, at)| u128::from(self.now.0.saturating_sub(at.0)) < NONCE_AGE.as_millis()))
    }

    fn make(&self, place: &Place) -> Result<Known> {
        make_place(&self.transaction, place, self.uses + 1)?;
        // Its first message finds it as every other one does.
        read::known(&self.transaction, place)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

/// A row for a place in which nothing was said yet.
pub(super) fn make_place(connection: &Connection, place: &Place, used: u64) -> Result<()> {
    let (name, one, other) = match place {
        Place::Channel(name) => (Some(&**name), None, None),
        Place::Conversation(one, other) => (None, Some(one.0 as i64), Some(other.0 as i64)),
    };
    let insert = "INSERT INTO places (name, one, other, first, newest, first_at, at, used) VALUES (?1, ?2, ?3, 1, 0, NULL, 0, ?4)";
    connection
        .prepare_cached(insert)?
        .execute((name, one, other, used as i64))?;
    Ok(())
}

/// A message's row.
pub(super) fn insert(
    connection: &Connection,
    place: i64,
    seq: Seq,
    at: UnixMillis,
    what: &Proposal,
) -> Result<()> {
    let insert =
        "INSERT INTO messages (place, seq, at, author, sender, recipient, text, action, nonce)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (to, nonce) = (what.to.as_deref(), what.nonce.as_deref());
    let row = (
        place,
        seq.0 as i64,
        at.0 as i64,
        what.author.0 as i64,
        &*what.from,
        to,
        &*what.text,
        what.action,
        nonce,
    );
    connection.prepare_cached(insert)?.execute(row)?;
    Ok(())
}

/// A session's row, new or brought up to date.
pub(super) fn keep_session(connection: &Connection, row: &SessionRow) -> Result<()> {
    let keep = "INSERT INTO sessions (author, secret, name, seen, quit) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (author) DO UPDATE SET secret = ?2, name = ?3, seen = ?4, quit = ?5";
    connection.prepare_cached(keep)?.execute((
        row.author.0 as i64,
        row.secret,
        &*row.name,
        row.seen.0 as i64,
        row.quit,
    ))?;
    Ok(())
}
