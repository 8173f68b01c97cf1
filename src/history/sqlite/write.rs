//! Writing: the one transaction of a turn.

use super::{Known, read};
use crate::history::{Author, Place, Proposal, Seq, SessionRow, Stored};
use crate::limits::NONCE_AGE;
use crate::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior};
use std::collections::HashMap;
use std::rc::Rc;

/// The places of a transaction, and the numbers of those that have a row.
pub(super) type Places = HashMap<Place, Option<Known>>;

/// A turn's transaction while it is being written.
pub(super) struct Turn<'a> {
    transaction: Transaction<'a>,
    /// The places as they are after the transaction.
    pub(super) places: Places,
    /// The greatest `used` of a place.
    pub(super) uses: u64,
    /// The wall clock.
    pub(super) now: UnixMillis,
    /// The time by which the age of what is stored now will be judged.
    pub(super) stamp: UnixMillis,
    /// The time by which the age of nonces is judged now.
    pub(super) believed: UnixMillis,
}

impl<'a> Turn<'a> {
    pub(super) fn begin(
        connection: &'a Connection,
        places: Places,
        uses: u64,
        [now, stamp, believed]: [UnixMillis; 3],
    ) -> Result<Self> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        Ok(Self {
            transaction,
            places,
            uses,
            now,
            stamp,
            believed,
        })
    }

    /// Stores everything. Returns the results, the places, and the greatest `used`.
    pub(super) fn write(
        mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
    ) -> Result<(Vec<Stored>, Places, u64)> {
        for row in sessions {
            keep_session(&self.transaction, row, self.stamp)?;
        }
        let stored = proposals.iter().map(|proposal| self.store(proposal));
        let stored = stored.collect::<Result<_>>()?;
        self.transaction.commit()?;
        Ok((stored, self.places, self.uses))
    }

    fn store(&mut self, what: &Proposal) -> Result<Stored> {
        let known = self.places.get(&what.place).copied().flatten();
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
        let is_first = known.first > known.newest;
        known.newest.0 += 1;
        self.uses += 1;
        let (seq, at) = (known.newest, self.now);
        self.insert(known.id, seq, what)?;
        let update = "UPDATE places SET newest = ?2, at = ?3, used = ?4,
            first_at = CASE WHEN ?5 THEN ?3 ELSE first_at END WHERE id = ?1";
        let row = (known.id, seq.0, self.stamp.0, self.uses, is_first);
        self.transaction.prepare_cached(update)?.execute(row)?;
        self.places.insert(what.place.clone(), Some(known));
        Ok(Stored {
            seq,
            at,
            repeated: false,
        })
    }

    /// Returns the message that used this nonce within the last 24 hours.
    fn repeated(
        &self,
        place: i64,
        author: Author,
        nonce: &str,
    ) -> Result<Option<(Seq, UnixMillis)>> {
        let select = "SELECT seq, at FROM (
                SELECT seq, at, coalesce(stamp, at) AS stamp FROM messages
                    WHERE place = ?1 AND author = ?2 AND nonce = ?3
                UNION ALL SELECT seq, at, stamp FROM pruned_nonces
                    WHERE place = ?1 AND author = ?2 AND nonce = ?3
            ) WHERE stamp > ?4 ORDER BY seq DESC LIMIT 1";
        let mut select = self.transaction.prepare_cached(select)?;
        let since = self.believed.0.cast_signed() - NONCE_AGE.as_millis() as i64;
        let row = |row: &rusqlite::Row<'_>| Ok((Seq(row.get(0)?), super::millis(row.get(1)?)));
        select
            .query_row((place, author.0, nonce, since), row)
            .optional()
    }

    /// Makes the row of a place without messages.
    fn make(&self, place: &Place) -> Result<Known> {
        let (name, one, other) = match place {
            Place::Channel(name) => (Some(&**name), None, None),
            Place::Conversation(one, other) => (None, Some(one.0), Some(other.0)),
        };
        let insert = "INSERT INTO places (name, one, other, first, newest, at, used)
            VALUES (?1, ?2, ?3, 1, 0, 0, ?4)";
        let mut insert = self.transaction.prepare_cached(insert)?;
        insert.execute((name, one, other, self.uses + 1))?;
        read::known(&self.transaction, place)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    fn insert(&self, place: i64, seq: Seq, what: &Proposal) -> Result<()> {
        let insert = "INSERT INTO messages
            (place, seq, at, author, sender, recipient, text, action, nonce, stamp)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let row = (
            place,
            seq.0,
            self.now.0,
            what.author.0,
            &*what.from,
            what.to.as_deref(),
            &*what.text,
            what.action,
            what.nonce.as_deref(),
            (self.stamp != self.now).then_some(self.stamp.0),
        );
        self.transaction.prepare_cached(insert)?.execute(row)?;
        Ok(())
    }
}

/// Inserts or updates a session's row.
fn keep_session(connection: &Connection, row: &SessionRow, seen: UnixMillis) -> Result<()> {
    let keep = "INSERT INTO sessions (author, secret, name, seen, quit) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (author) DO UPDATE SET secret = ?2, name = ?3, seen = ?4, quit = ?5";
    let row = (row.author.0, row.secret, &*row.name, seen.0, row.quit);
    connection.prepare_cached(keep)?.execute(row)?;
    Ok(())
}
