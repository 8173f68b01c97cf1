//! The rows of places, messages and sessions, and the transaction of a turn.

use super::connection::{execute, select_one};
use crate::history::{
    Author, Changes, Kind, Place, Proposal, Reaction, Record, Seq, SessionRow, Stored,
};
use crate::limits::NONCE_AGE;
use crate::time::UnixMillis;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result, Row, Transaction, TransactionBehavior, params};
use std::rc::Rc;

/// Stores numbers in columns. A number that SQLite can't hold becomes the largest one.
macro_rules! columns {
    ($($number:ident),*) => {$(
        impl ToSql for $number {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
            }
        }
        impl FromSql for $number {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                u64::column_result(value).map(Self)
            }
        }
    )*};
}
columns!(Author, Seq, UnixMillis);

/// The id of a place, and its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaceRow {
    pub(super) id: i64,
    pub(super) first: Seq,
    pub(super) newest: Seq,
}

impl PlaceRow {
    /// Reads the columns `id`, `first` and `newest`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let (id, first, newest) = row.try_into()?;
        Ok(Self { id, first, newest })
    }

    /// Returns the number of messages.
    pub(super) fn length(&self) -> u64 {
        self.newest.0 + 1 - self.first.0
    }
}

/// Returns the row of a place, if it has one.
pub(super) fn place_row(connection: &Connection, place: &Place) -> Result<Option<PlaceRow>> {
    match place {
        Place::Channel(name) => {
            let select = "SELECT id, first, newest FROM places WHERE name = ?1";
            select_one(connection, select, [name], PlaceRow::read)
        }
        Place::Conversation(one, other) => {
            let select = "SELECT id, first, newest FROM places
                WHERE name IS NULL AND one = ?1 AND other = ?2";
            select_one(connection, select, (one, other), PlaceRow::read)
        }
    }
}

/// Reads the columns of `sessions` in the order of [`SessionRow`].
pub(super) fn session_row(row: &Row<'_>) -> Result<SessionRow> {
    Ok(SessionRow {
        author: row.get(0)?,
        secret: row.get(1)?,
        name: row.get(2)?,
        seen: row.get(3)?,
        quit: row.get(4)?,
        password: row.get(5)?,
    })
}

/// The columns that [`record`] reads. `?1` is the reader.
pub(super) const RECORD: &str = "m.seq, m.at, m.author, m.sender, m.recipient,
    CASE m.kind WHEN 1 THEN (SELECT text FROM messages o
        WHERE o.place = m.place AND o.seq = m.of AND o.kind = 0) ELSE m.text END,
    m.action, m.nonce, m.owner, m.kind, m.of, m.edited,
    CASE WHEN m.reacted THEN (SELECT json_group_array(
        json_object('emoji', emoji, 'count', n, 'mine', json(iif(mine, 'true', 'false')))) FROM (
        SELECT emoji, count(*) AS n, max(author = ?1) AS mine FROM reactions r
        WHERE r.place = m.place AND r.seq = m.seq GROUP BY emoji ORDER BY min(by))) END";

/// Reads the columns [`RECORD`].
pub(super) fn record(place: &Place, row: &Row<'_>) -> Result<Record> {
    let text: Option<Box<str>> = row.get(5)?;
    let kind = match row.get(9)? {
        0 => Kind::Message,
        1 if text.is_some() => Kind::Edit { of: row.get(10)? },
        2 => Kind::Delete { of: row.get(10)? },
        on @ (3 | 4) => {
            let (of, on) = (row.get(10)?, on == 3);
            Kind::React { of, on }
        }
        // Deleted, or an edit of a message that was pruned.
        _ => Kind::Deleted,
    };
    let what = Rc::new(Proposal {
        kind,
        place: place.clone(),
        author: row.get(2)?,
        from: row.get(3)?,
        to: row.get(4)?,
        text: text.unwrap_or_default(),
        action: row.get(6)?,
        nonce: row.get(7)?,
        owner: row.get(8)?,
    });
    let edited_at: Option<UnixMillis> = row.get(11)?;
    let json = row.get_ref(12)?.as_str_or_null()?.unwrap_or("[]");
    let reactions: Vec<Reaction> = serde_json::from_str(json).unwrap_or_default();
    let is_changed = edited_at.is_some() || !reactions.is_empty();
    let changes = is_changed.then_some(Changes {
        edited_at,
        reactions,
    });
    Ok(Record {
        what,
        seq: row.get(0)?,
        at: row.get(1)?,
        changes: changes.map(Box::new),
    })
}

/// Returns the message `of` as the author of `what` sees it.
fn one(connection: &Connection, place: i64, what: &Proposal, of: Seq) -> Result<Option<Record>> {
    // Messages below `first` are those of a cleared channel that are not pruned yet.
    let select = format!(
        "SELECT {RECORD} FROM messages m WHERE place = ?2 AND seq = ?3
        AND seq >= (SELECT first FROM places WHERE id = ?2)"
    );
    let row = |row: &Row<'_>| record(&what.place, row);
    select_one(connection, &select, (what.author, place, of), row)
}

/// The transaction of a turn.
pub(super) struct Turn {
    /// The time of its messages, by the wall clock.
    pub(super) now: UnixMillis,
    /// The time by which the age of what is stored now will be judged.
    pub(super) stamp: UnixMillis,
    /// The time by which the age of nonces is judged now.
    pub(super) believed: UnixMillis,
    /// The greatest `used` of a place.
    pub(super) uses: u64,
    /// The numbers of places that got messages, after each of them.
    pub(super) grown: Vec<PlaceRow>,
}

impl Turn {
    /// Stores everything or nothing, and returns the results of the proposals.
    pub(super) fn write(
        &mut self,
        connection: &Connection,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
    ) -> Result<Vec<Stored>> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        keep_sessions(&transaction, sessions, self.stamp)?;
        let stored = proposals.iter().map(|what| self.store(&transaction, what));
        let stored = stored.collect::<Result<_>>()?;
        transaction.commit()?;
        Ok(stored)
    }

    fn store(&mut self, connection: &Connection, what: &Proposal) -> Result<Stored> {
        let id = match place_row(connection, &what.place)? {
            Some(PlaceRow { id, .. }) => match self.repeated(connection, id, what)? {
                Some(first) => return Ok(first),
                None => id,
            },
            None => match Stored::without_change(what, None) {
                Some(refused) => return Ok(refused),
                None => make(connection, &what.place)?,
            },
        };
        let target = match what.changes() {
            Some(of) => one(connection, id, what, of)?,
            None => None,
        };
        if let Some(stored) = Stored::without_change(what, target.as_ref()) {
            return Ok(stored);
        }
        self.uses += 1;
        let update = "UPDATE places SET newest = newest + 1, at = ?2, used = ?3, removed = 0,
            first_at = CASE WHEN first > newest THEN ?2 ELSE first_at END
            WHERE id = ?1 RETURNING id, first, newest";
        let mut update = connection.prepare_cached(update)?;
        let grown = update.query_row((id, self.stamp, self.uses), PlaceRow::read)?;
        self.grown.push(grown);
        let (seq, at) = (grown.newest, self.now);
        let (kind, text) = match what.kind {
            Kind::Message => (0, &*what.text),
            Kind::Edit { .. } => (1, ""),
            Kind::Delete { .. } => (2, ""),
            Kind::React { on, .. } => (if on { 3 } else { 4 }, &*what.text),
            Kind::Deleted => (5, ""),
        };
        let insert = "INSERT INTO messages
            (place, seq, at, author, sender, recipient, text, action, nonce, stamp, kind, of, owner)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, nullif(?10, ?3), ?11, ?12, ?13)";
        let row = params![
            id,
            seq,
            at,
            what.author,
            what.from,
            what.to,
            text,
            what.action,
            what.nonce,
            self.stamp,
            kind,
            what.changes(),
            what.owner,
        ];
        execute(connection, insert, row)?;
        self.change(connection, id, what, seq)?;
        Ok(Stored {
            seq,
            at,
            ..Stored::default()
        })
    }

    /// Applies a change, which is message `by`, to the earlier message.
    fn change(&self, connection: &Connection, place: i64, what: &Proposal, by: Seq) -> Result<()> {
        let (author, text) = (what.author, &what.text);
        match what.kind {
            Kind::Message | Kind::Deleted => {}
            Kind::Edit { of } => {
                let update = "UPDATE messages SET text = ?3, edited = ?4, owner = ?5
                    WHERE place = ?1 AND seq = ?2";
                execute(connection, update, (place, of, text, self.now, what.owner))?;
            }
            Kind::Delete { of } => {
                for sql in [
                    "UPDATE messages SET kind = 5, text = '', of = NULL, edited = NULL
                        WHERE place = ?1 AND seq = ?2",
                    "UPDATE messages SET kind = 5, text = '', of = NULL, edited = NULL
                        WHERE place = ?1 AND of = ?2 AND kind <> 2",
                    "DELETE FROM reactions WHERE place = ?1 AND seq = ?2",
                    "UPDATE places SET pinned = NULL WHERE id = ?1 AND pinned = ?2",
                ] {
                    execute(connection, sql, (place, of))?;
                }
            }
            Kind::React { of, on } => {
                let update = match on {
                    true => "INSERT OR REPLACE INTO reactions VALUES (?1, ?2, ?3, ?4, ?5)",
                    false => {
                        "DELETE FROM reactions
                        WHERE place = ?1 AND seq = ?2 AND emoji = ?3 AND author = ?4 AND by < ?5"
                    }
                };
                execute(connection, update, (place, of, text, author, by))?;
                let update = "UPDATE messages SET reacted = 1
                    WHERE place = ?1 AND seq = ?2 AND NOT reacted";
                execute(connection, update, (place, of))?;
            }
        }
        Ok(())
    }

    /// Returns the result of the message that used this nonce within the last 24 hours.
    fn repeated(
        &self,
        connection: &Connection,
        place: i64,
        what: &Proposal,
    ) -> Result<Option<Stored>> {
        let Some(nonce) = &what.nonce else {
            return Ok(None);
        };
        let select = "SELECT seq, at FROM (
                SELECT seq, at, coalesce(stamp, at) AS stamp FROM messages
                    WHERE place = ?1 AND author = ?2 AND nonce = ?3
                UNION ALL SELECT seq, at, stamp FROM pruned_nonces
                    WHERE place = ?1 AND author = ?2 AND nonce = ?3
            ) WHERE stamp > ?4 ORDER BY seq DESC LIMIT 1";
        let since = self.believed.0.cast_signed() - NONCE_AGE.as_millis() as i64;
        let values = (place, what.author, nonce, since);
        select_one(connection, select, values, |row| {
            let (seq, at) = row.try_into()?;
            Ok(Stored {
                seq,
                at,
                repeated: true,
                ..Stored::default()
            })
        })
    }
}

/// Stores session rows, as seen at `stamp`.
pub(super) fn keep_sessions(
    connection: &Connection,
    sessions: &[SessionRow],
    stamp: UnixMillis,
) -> Result<()> {
    let keep = "INSERT OR REPLACE INTO sessions (author, secret, name, seen, quit, password)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    for row in sessions {
        let (author, secret, password) = (row.author, row.secret, row.password);
        let row = (author, secret, &row.name, stamp, row.quit, password);
        execute(connection, keep, row)?;
    }
    Ok(())
}

/// Inserts the row of a place without messages, and returns its id.
fn make(connection: &Connection, place: &Place) -> Result<i64> {
    let (name, one, other) = match place {
        Place::Channel(name) => (Some(name), None, None),
        Place::Conversation(one, other) => (None, Some(one), Some(other)),
    };
    let insert = "INSERT INTO places (name, one, other, first, newest, at, used)
        VALUES (?1, ?2, ?3, 1, 0, 0, 0)";
    connection
        .prepare_cached(insert)?
        .insert((name, one, other))
}
