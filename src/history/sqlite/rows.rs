//! Reads and writes rows: pages, numbers, sessions, conversations, and the transaction of a turn.
//! Each query is bounded by an index and a number of rows.

use crate::history::{
    Author, Changes, ConversationRow, Kind, PageRequest, Place, Proposal, Reaction, Record, Seq,
    SessionRow, Stored, Visit, cost,
};
use crate::limits::NONCE_AGE;
use crate::time::UnixMillis;
use rusqlite::{
    Connection, OptionalExtension, Params, Result, Row, ToSql, Transaction, TransactionBehavior,
    params,
};
use std::collections::HashMap;
use std::rc::Rc;

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

/// Reads the columns of `sessions` in the order of [`SessionRow`].
pub(super) fn session_row(row: &Row<'_>) -> Result<SessionRow> {
    Ok(SessionRow {
        author: Author(row.get(0)?),
        secret: row.get(1)?,
        name: row.get(2)?,
        seen: UnixMillis(row.get(3)?),
        quit: row.get(4)?,
        password: row.get(5)?,
    })
}

pub(super) fn session(connection: &Connection, author: Author) -> Result<Option<SessionRow>> {
    let select = "SELECT author, secret, name, seen, quit, password FROM sessions
        WHERE author = ?1";
    let mut select = connection.prepare_cached(select)?;
    select.query_row([author.0], session_row).optional()
}

pub(super) fn session_with_mark(
    connection: &Connection,
    mark: &[u8; 20],
    oldest: UnixMillis,
) -> Result<Option<Author>> {
    let select = "SELECT author FROM sessions WHERE password = ?1 AND seen >= ?2
        ORDER BY seen DESC LIMIT 1";
    let mut select = connection.prepare_cached(select)?;
    let found = select.query_row((mark, oldest.0), |row| row.get(0));
    Ok(found.optional()?.map(Author))
}

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

/// The columns that [`record`] reads. `?1` is the reader.
const RECORD: &str = "m.seq, m.at, m.author, m.sender, m.recipient,
    CASE m.kind WHEN 1 THEN (SELECT text FROM messages o
        WHERE o.place = m.place AND o.seq = m.of AND o.kind = 0) ELSE m.text END,
    m.action, m.nonce, m.owner, m.kind, m.of, m.edited,
    CASE WHEN m.reacted THEN (SELECT json_group_array(json_array(emoji, n, mine)) FROM (
        SELECT emoji, count(*) AS n, max(author = ?1) AS mine FROM reactions r
        WHERE r.place = m.place AND r.seq = m.seq GROUP BY emoji ORDER BY min(by))) END";

fn record(place: &Place, row: &Row<'_>) -> Result<Record> {
    let text: Option<Box<str>> = row.get(5)?;
    let of = || row.get(10).map(Seq);
    let kind = match row.get(9)? {
        0 => Kind::Message,
        1 if text.is_some() => Kind::Edit { of: of()? },
        2 => Kind::Delete { of: of()? },
        on @ (3 | 4) => Kind::React {
            of: of()?,
            on: on == 3,
        },
        // Deleted, or an edit of a message that was pruned.
        _ => Kind::Deleted,
    };
    let what = Rc::new(Proposal {
        kind,
        place: place.clone(),
        author: Author(row.get(2)?),
        from: row.get(3)?,
        to: row.get(4)?,
        text: text.unwrap_or_default(),
        action: row.get(6)?,
        nonce: row.get(7)?,
        owner: row.get(8)?,
    });
    let edited_at = row.get::<_, Option<u64>>(11)?.map(UnixMillis);
    let json = row.get_ref(12)?.as_str_or_null()?.unwrap_or("[]");
    let reactions: Vec<(Box<str>, u64, u8)> = serde_json::from_str(json).unwrap_or_default();
    let reaction = |(emoji, count, mine)| Reaction {
        emoji,
        count,
        mine: mine != 0,
    };
    let reactions: Vec<_> = reactions.into_iter().map(reaction).collect();
    let is_changed = edited_at.is_some() || !reactions.is_empty();
    let changes = is_changed.then(|| {
        Box::new(Changes {
            edited_at,
            reactions,
        })
    });
    Ok(Record {
        what,
        seq: Seq(row.get(0)?),
        at: UnixMillis(row.get(1)?),
        changes,
    })
}

pub(super) fn page(
    connection: &Connection,
    place: &Place,
    ask: PageRequest,
    out: &mut Vec<Record>,
) -> Result<bool> {
    let Some(Known { id, first, .. }) = known(connection, place)? else {
        return Ok(false);
    };
    // Messages below `first` are those of a cleared channel that are not pruned yet.
    let after = ask.after.max(Seq(first.0 - 1));
    let order = if ask.from_oldest { "ASC" } else { "DESC" };
    let select = format!(
        "SELECT {RECORD} FROM messages m
        WHERE place = ?2 AND seq > ?3 AND seq < ?4 ORDER BY seq {order} LIMIT ?5"
    );
    let mut select = connection.prepare_cached(&select)?;
    let [after, before] = [after, ask.before].map(|seq| seq.0.min(i64::MAX as u64));
    let most = ask.rows.max(1) as usize;
    // One more than is wanted shows whether there are more.
    let mut rows = select.query((ask.reader.0, id, after, before, most + 1))?;
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

pub(super) fn scan(
    connection: &Connection,
    place: &Place,
    before: Seq,
    most: u32,
    budget: &mut usize,
    visit: &mut Visit<'_>,
) -> Result<Option<Seq>> {
    let Some(Known { id, first, .. }) = known(connection, place)? else {
        return Ok(None);
    };
    let select = "SELECT seq, at, kind, text FROM messages
        WHERE place = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4";
    let mut select = connection.prepare_cached(select)?;
    let before = before.0.min(i64::MAX as u64);
    let mut rows = select.query((id, first.0, before, most))?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (seq, at) = (Seq(row.get(0)?), UnixMillis(row.get(1)?));
        let kind: u8 = row.get(2)?;
        let text = row.get_ref(3)?.as_str()?;
        visit(seq, at, (kind == 0).then_some(text));
        *budget = budget.saturating_sub(cost(text));
        last = Some(seq).filter(|seq| *seq > first);
        if *budget == 0 {
            break;
        }
    }
    Ok(last)
}

/// Returns the message `of` as the author of `what` sees it.
fn one(connection: &Connection, place: i64, what: &Proposal, of: Seq) -> Result<Option<Record>> {
    // Messages below `first` are those of a cleared channel that are not pruned yet.
    let select = format!(
        "SELECT {RECORD} FROM messages m WHERE place = ?2 AND seq = ?3
        AND seq >= (SELECT first FROM places WHERE id = ?2)"
    );
    let mut select = connection.prepare_cached(&select)?;
    let row = (what.author.0, place, of.0.min(i64::MAX as u64));
    select
        .query_row(row, |row| record(&what.place, row))
        .optional()
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
    /// The rows that it overwrote, oldest change first.
    pub(super) undo: Vec<Overwritten>,
}

/// The rows of a message and of its changes, as they were before another change of it.
pub(super) struct Overwritten {
    place: i64,
    of: Seq,
    rows: Vec<Content>,
}

/// The columns of a row that may be overwritten: `seq`, `kind`, `text`, `of`, `edited` and `owner`.
type Content = (u64, u8, Box<str>, Option<u64>, Option<u64>, bool);

impl Overwritten {
    pub(super) fn has_text(&self) -> bool {
        !self.rows.is_empty()
    }

    pub(super) fn restore(&self, connection: &Connection) -> Result<()> {
        for (seq, kind, text, of, edited, owner) in &self.rows {
            let update = "UPDATE messages
                SET kind = ?3, text = ?4, of = ?5, edited = ?6, owner = ?7
                WHERE place = ?1 AND seq = ?2";
            let row = (self.place, seq, kind, text, of, edited, owner);
            connection.execute(update, row)?;
        }
        Ok(())
    }

    /// Computes the current reactions to the message again.
    pub(super) fn count_reactions(&self, connection: &Connection) -> Result<()> {
        let delete = "DELETE FROM reactions WHERE place = ?1 AND seq = ?2";
        connection.execute(delete, (self.place, self.of.0))?;
        let which = "place = ?1 AND of = ?2";
        count_reactions(connection, which, (self.place, self.of.0))
    }
}

/// Fills the table of current reactions from the messages that `which` selects. The table must
/// have no rows for them.
pub(crate) fn count_reactions(
    connection: &Connection,
    which: &str,
    values: impl Params,
) -> Result<()> {
    let insert = format!(
        "INSERT INTO reactions SELECT place, of, text, author, by FROM (
            SELECT place, of, text, author, max(seq) AS by, kind FROM messages
            WHERE kind IN (3, 4) AND {which} GROUP BY place, of, text, author
        ) WHERE kind = 3"
    );
    connection.execute(&insert, values)?;
    let update = "UPDATE messages SET reacted = 1
        WHERE NOT reacted AND (place, seq) IN (SELECT place, seq FROM reactions)";
    connection.execute(update, [])?;
    Ok(())
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
        let known = update.query_row((id, self.stamp.0, self.uses), Known::read)?;
        let (seq, at) = (known.newest, self.now);
        let place = self.places.entry(what.place.clone());
        place.or_insert((Seq(seq.0 - 1), known)).1 = known;
        let insert = "INSERT INTO messages
            (place, seq, at, author, sender, recipient, text, action, nonce, stamp, kind, of, owner)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, nullif(?10, ?3), ?11, ?12, ?13)";
        let (kind, text) = match what.kind {
            Kind::Message => (0, &*what.text),
            Kind::Edit { .. } => (1, ""),
            Kind::Delete { .. } => (2, ""),
            Kind::React { on, .. } => (if on { 3 } else { 4 }, &*what.text),
            Kind::Deleted => (5, ""),
        };
        let of = what.changes().map(|of| of.0);
        let Proposal {
            author,
            from,
            to,
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
            kind,
            of,
            owner,
        );
        connection.prepare_cached(insert)?.execute(row)?;
        self.change(connection, id, what, seq)?;
        Ok(Stored {
            seq,
            at,
            repeated: false,
            refused: None,
        })
    }

    /// Applies a change, which is message `by`, to the earlier message.
    fn change(
        &mut self,
        connection: &Connection,
        place: i64,
        what: &Proposal,
        by: Seq,
    ) -> Result<()> {
        let execute = |sql: &str, values: &[&dyn ToSql]| -> Result<usize> {
            connection.prepare_cached(sql)?.execute(values)
        };
        let Proposal {
            author,
            text,
            owner,
            ..
        } = what;
        match what.kind {
            Kind::Message | Kind::Deleted => {}
            Kind::Edit { of } => {
                self.remember(connection, place, of, &["seq = ?2"])?;
                let update = "UPDATE messages SET text = ?3, edited = ?4, owner = ?5
                    WHERE place = ?1 AND seq = ?2";
                execute(update, params![place, of.0, text, self.now.0, owner])?;
            }
            Kind::Delete { of } => {
                let about = ["seq = ?2", "of = ?2 AND kind <> 2"];
                self.remember(connection, place, of, &about)?;
                for which in about {
                    let delete = format!(
                        "UPDATE messages
                        SET kind = 5, text = '', of = NULL, edited = NULL
                        WHERE place = ?1 AND {which}"
                    );
                    execute(&delete, params![place, of.0])?;
                }
                let delete = "DELETE FROM reactions WHERE place = ?1 AND seq = ?2";
                execute(delete, params![place, of.0])?;
                let unpin = "UPDATE places SET pinned = NULL WHERE id = ?1 AND pinned = ?2";
                execute(unpin, params![place, of.0])?;
            }
            Kind::React { of, on } => {
                self.remember(connection, place, of, &[])?;
                let update = match on {
                    true => "INSERT OR REPLACE INTO reactions VALUES (?1, ?2, ?3, ?4, ?5)",
                    false => {
                        "DELETE FROM reactions
                        WHERE place = ?1 AND seq = ?2 AND emoji = ?3 AND author = ?4 AND by < ?5"
                    }
                };
                execute(update, params![place, of.0, text, author.0, by.0])?;
                let update = "UPDATE messages SET reacted = 1
                    WHERE place = ?1 AND seq = ?2 AND NOT reacted";
                execute(update, params![place, of.0])?;
            }
        }
        Ok(())
    }

    /// Saves the rows that a change of `of` will overwrite.
    fn remember(
        &mut self,
        connection: &Connection,
        place: i64,
        of: Seq,
        which: &[&str],
    ) -> Result<()> {
        let mut rows = Vec::new();
        for which in which {
            let select = format!(
                "SELECT seq, kind, text, of, edited, owner FROM messages
                WHERE place = ?1 AND {which}"
            );
            let mut select = connection.prepare_cached(&select)?;
            let row = |row: &Row<'_>| row.try_into();
            for row in select.query_map((place, of.0), row)? {
                rows.push(row?);
            }
        }
        self.undo.push(Overwritten { place, of, rows });
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
        let row = |row: &Row<'_>| {
            let (seq, at) = (Seq(row.get(0)?), UnixMillis(row.get(1)?));
            Ok(Stored {
                seq,
                at,
                repeated: true,
                refused: None,
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
