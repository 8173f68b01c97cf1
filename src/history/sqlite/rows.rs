//! Reads and writes rows: pages, numbers, sessions, conversations, and the transaction of a turn.
//! Each query is bounded by an index and a number of rows.

use crate::history::{
    Author, ChannelRow, ChannelSettings, ConversationRow, PageRequest, Place, Proposal, Record,
    Remembered, Seq, SessionRow, Stored,
};
use crate::limits::NONCE_AGE;
use crate::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, TransactionBehavior};
use std::collections::HashMap;
use std::rc::Rc;

/// The maximum number of sessions whose names are reserved after a restart.
const REMEMBERED_SESSIONS: i64 = 20_000;

/// The numbers of a place that has a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) id: i64,
    pub(super) first: Seq,
    pub(super) newest: Seq,
}

impl Known {
    fn read(row: &Row<'_>) -> Result<Self> {
        let (first, newest) = (Seq(row.get(1)?), Seq(row.get(2)?));
        Ok(Self {
            id: row.get(0)?,
            first,
            newest,
        })
    }
}

/// Returns the numbers of a place, if it has a row.
pub(super) fn known(connection: &Connection, place: &Place) -> Result<Option<Known>> {
    let found = match place {
        Place::Channel(name) => connection
            .prepare_cached("SELECT id, first, newest FROM places WHERE name = ?1")?
            .query_row([name], Known::read),
        Place::Conversation(one, other) => connection
            .prepare_cached(
                "SELECT id, first, newest FROM places
                WHERE name IS NULL AND one = ?1 AND other = ?2",
            )?
            .query_row([one.0, other.0], Known::read),
    };
    found.optional()
}

fn session_row(row: &Row<'_>) -> Result<SessionRow> {
    Ok(SessionRow {
        author: Author(row.get(0)?),
        secret: row.get(1)?,
        name: row.get(2)?,
        seen: UnixMillis(row.get(3)?),
        quit: row.get(4)?,
        password: row.get(5)?,
    })
}

/// Returns a session, if it has a row.
pub(super) fn session(connection: &Connection, author: Author) -> Result<Option<SessionRow>> {
    let select = "SELECT author, secret, name, seen, quit, password FROM sessions
        WHERE author = ?1";
    let mut select = connection.prepare_cached(select)?;
    select.query_row([author.0], session_row).optional()
}

/// Returns the conversations of a session, the most recently used first, at most `most`.
pub(super) fn conversations(
    connection: &Connection,
    of: Author,
    most: usize,
) -> Result<Vec<ConversationRow>> {
    let select = "SELECT CASE WHEN one = ?1 THEN other ELSE one END, newest FROM (
            SELECT * FROM (SELECT one, other, newest, used FROM places
                WHERE name IS NULL AND one = ?1 AND newest > 0 ORDER BY used DESC LIMIT ?2)
            UNION ALL SELECT * FROM (SELECT one, other, newest, used FROM places
                WHERE name IS NULL AND other = ?1 AND one <> ?1 AND newest > 0
                ORDER BY used DESC LIMIT ?2)
        ) ORDER BY used DESC LIMIT ?2";
    let row = |row: &Row<'_>| {
        let (other, newest) = (Author(row.get(0)?), Seq(row.get(1)?));
        Ok(ConversationRow { other, newest })
    };
    let mut select = connection.prepare_cached(select)?;
    select.query_map((of.0, most), row)?.collect()
}

/// Returns the channels used last and the sessions seen after `since`, without decisions.
pub(super) fn remembered(
    connection: &Connection,
    channels: usize,
    since: UnixMillis,
) -> Result<Remembered> {
    let row = |row: &Row<'_>| {
        let (name, newest) = (row.get(0)?, Seq(row.get(1)?));
        Ok(ChannelRow {
            name,
            newest,
            settings: ChannelSettings::default(),
        })
    };
    let select = "SELECT name, newest FROM places
        WHERE name IS NOT NULL AND (newest > 0 OR writing <> 0) AND NOT removed
        ORDER BY used DESC LIMIT ?1";
    let mut select = connection.prepare(select)?;
    let channels = select.query_map([channels], row)?.collect::<Result<_>>()?;
    let select = "SELECT author, secret, name, seen, quit, password FROM sessions
        WHERE seen > ?1 AND NOT quit ORDER BY seen DESC LIMIT ?2";
    let mut select = connection.prepare(select)?;
    let sessions = select.query_map((since.0, REMEMBERED_SESSIONS), session_row)?;
    let sessions = sessions.collect::<Result<_>>()?;
    Ok(Remembered {
        channels,
        sessions,
        ..Remembered::default()
    })
}

fn record(place: &Place, row: &Row<'_>) -> Result<Record> {
    let what = Rc::new(Proposal {
        place: place.clone(),
        author: Author(row.get(2)?),
        from: row.get(3)?,
        to: row.get(4)?,
        text: row.get(5)?,
        action: row.get(6)?,
        nonce: row.get(7)?,
        owner: row.get(8)?,
    });
    let (seq, at) = (Seq(row.get(0)?), UnixMillis(row.get(1)?));
    Ok(Record { what, seq, at })
}

/// Appends a page of a place to `out`, oldest first. Returns whether there are more messages on the
/// side away from where the page begins.
pub(super) fn page(
    connection: &Connection,
    place: &Place,
    ask: PageRequest,
    out: &mut Vec<Record>,
) -> Result<bool> {
    let Some(Known { id, first, .. }) = known(connection, place)? else {
        return Ok(false);
    };
    // Messages below `first` may be left of a channel that was cleared.
    let after = ask.after.max(Seq(first.0 - 1));
    let order = if ask.from_oldest { "ASC" } else { "DESC" };
    let select = format!(
        "SELECT seq, at, author, sender, recipient, text, action, nonce, owner FROM messages
        WHERE place = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq {order} LIMIT ?4"
    );
    let mut select = connection.prepare_cached(&select)?;
    let [after, before] = [after, ask.before].map(|seq| seq.0.min(i64::MAX as u64));
    let most = ask.rows.max(1) as usize;
    // One more than is wanted shows whether there are more.
    let mut rows = select.query((id, after, before, most + 1))?;
    let (start, mut bytes, mut more) = (out.len(), 0, false);
    while let Some(row) = rows.next()? {
        let record = record(place, row)?;
        bytes += record.weight();
        let taken = out.len() - start;
        if taken == most || (taken > 0 && bytes > ask.bytes) {
            more = true;
            break;
        }
        out.push(record);
    }
    if !ask.from_oldest {
        out[start..].reverse();
    }
    Ok(more)
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
    /// Places that got messages: the newest number before the turn, and the numbers since.
    pub(super) places: HashMap<Place, (Seq, Known)>,
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
        let id = match known(connection, &what.place)? {
            Some(Known { id, .. }) => match self.repeated(connection, id, what)? {
                Some(first) => return Ok(first),
                None => id,
            },
            None => make(connection, &what.place)?,
        };
        self.uses += 1;
        let update = "UPDATE places SET newest = newest + 1, at = ?2, used = ?3, removed = 0,
            first_at = CASE WHEN first > newest THEN ?2 ELSE first_at END
            WHERE id = ?1 RETURNING id, first, newest";
        let mut update = connection.prepare_cached(update)?;
        let known = update.query_row((id, self.stamp.0, self.uses), Known::read)?;
        let (seq, at, repeated) = (known.newest, self.now, false);
        let place = self.places.entry(what.place.clone());
        place.or_insert((Seq(seq.0 - 1), known)).1 = known;
        let insert = "INSERT INTO messages
            (place, seq, at, author, sender, recipient, text, action, nonce, stamp, owner)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, nullif(?10, ?3), ?11)";
        let Proposal {
            author,
            from,
            to,
            text,
            action,
            nonce,
            owner,
            ..
        } = what;
        let row = (
            id,
            seq.0,
            at.0,
            author.0,
            from,
            to,
            text,
            action,
            nonce,
            self.stamp.0,
            owner,
        );
        connection.prepare_cached(insert)?.execute(row)?;
        Ok(Stored { seq, at, repeated })
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
        let row = |row: &Row<'_>| {
            let (seq, at) = (Seq(row.get(0)?), UnixMillis(row.get(1)?));
            Ok(Stored {
                seq,
                at,
                repeated: true,
            })
        };
        let since = self.believed.0.cast_signed() - NONCE_AGE.as_millis() as i64;
        let mut select = connection.prepare_cached(select)?;
        let found = select.query_row((place, what.author.0, nonce, since), row);
        found.optional()
    }
}

/// Stores session rows, as seen at `stamp`.
pub(super) fn keep_sessions(
    connection: &Connection,
    sessions: &[SessionRow],
    stamp: UnixMillis,
) -> Result<()> {
    for row in sessions {
        let keep = "INSERT OR REPLACE INTO sessions (author, secret, name, seen, quit, password)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (author, secret, password) = (row.author.0, row.secret, row.password);
        let row = (author, secret, &row.name, stamp.0, row.quit, password);
        connection.prepare_cached(keep)?.execute(row)?;
    }
    Ok(())
}

/// Inserts the row of a place without messages, and returns its id.
pub(super) fn make(connection: &Connection, place: &Place) -> Result<i64> {
    let (name, one, other) = match place {
        Place::Channel(name) => (Some(name), None, None),
        Place::Conversation(one, other) => (None, Some(one.0), Some(other.0)),
    };
    let insert = "INSERT INTO places (name, one, other, first, newest, at, used)
        VALUES (?1, ?2, ?3, 1, 0, 0, 0)";
    let mut insert = connection.prepare_cached(insert)?;
    insert.insert((name, one, other))
}
