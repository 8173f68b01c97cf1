//! Reading: pages, numbers, sessions and conversations. Each query is bounded by an index and a
//! number of rows.

use super::{KNOWN_PLACES, Known, Sqlite, if_any, millis, sentence};
use crate::history::{
    Author, ChannelRow, ConversationRow, PageRequest, Place, Proposal, Record, Remembered, Seq,
    SessionRow, Span, StoreError, UnixMillis,
};
use rusqlite::{Connection, Result, Row};
use std::rc::Rc;

/// Sessions whose names are held after a restart.
const REMEMBERED_SESSIONS: i64 = 20_000;

/// The columns that [`record`] reads.
pub(super) const COLUMNS: &str = "seq, at, author, sender, recipient, text, action, nonce";

/// The numbers of a place, if it has a row.
pub(super) fn known(connection: &Connection, place: &Place) -> Result<Option<Known>> {
    let read = |row: &Row<'_>| {
        let [first, newest]: [i64; 2] = [row.get(1)?, row.get(2)?];
        Ok(Known {
            id: row.get(0)?,
            first: Seq(first as u64),
            newest: Seq(newest as u64),
            at: millis(row.get(3)?),
        })
    };
    if_any(match place {
        Place::Channel(name) => {
            connection.prepare_cached("SELECT id, first, newest, at FROM places WHERE name = ?1")?.query_row([&**name], read)
        }
        Place::Conversation(one, other) => connection
            .prepare_cached("SELECT id, first, newest, at FROM places WHERE name IS NULL AND one = ?1 AND other = ?2")?
            .query_row((one.0 as i64, other.0 as i64), read),
    })
}

/// A message, from a row of [`COLUMNS`].
pub(super) fn record(place: &Place, row: &Row<'_>) -> Result<Record> {
    let text = |column| {
        row.get_ref(column)
            .and_then(|value| Ok(value.as_str_or_null()?.map(str::to_owned)))
    };
    let what = Proposal {
        place: place.clone(),
        author: Author(row.get::<_, i64>(2)? as u64),
        from: row.get_ref(3)?.as_str()?.into(),
        to: text(4)?.map(Into::into),
        text: row.get_ref(5)?.as_str()?.into(),
        action: row.get(6)?,
        nonce: text(7)?.map(Into::into),
    };
    Ok(Record {
        what: Rc::new(what),
        seq: Seq(row.get::<_, i64>(0)? as u64),
        at: millis(row.get(1)?),
    })
}

pub(super) fn session(row: &Row<'_>) -> Result<SessionRow> {
    let (author, seen): (i64, i64) = (row.get(0)?, row.get(3)?);
    let (secret, name): ([u8; 20], String) = (row.get(1)?, row.get(2)?);
    Ok(SessionRow {
        author: Author(author as u64),
        secret,
        name: name.into(),
        seen: millis(seen),
        quit: row.get(4)?,
    })
}

/// Turns an error of the database into one of the history.
fn told<T>(found: Result<T>) -> std::result::Result<T, StoreError> {
    found.map_err(|error| StoreError(sentence(&error)))
}

impl Sqlite {
    /// The numbers of a place, from memory where they are known.
    pub(super) fn known(&mut self, place: &Place) -> Result<Option<Known>> {
        if let Some(known) = self.places.get(place) {
            return Ok(Some(*known));
        }
        let found = known(self.connection()?, place)?;
        if let Some(known) = found {
            self.remember(place.clone(), known);
        }
        Ok(found)
    }

    pub(super) fn remember(&mut self, place: Place, known: Known) {
        if self.places.len() >= KNOWN_PLACES {
            self.places.clear();
        }
        self.places.insert(place, known);
    }

    pub(super) fn read_span(&mut self, place: &Place) -> std::result::Result<Span, StoreError> {
        let known = told(self.known(place))?;
        Ok(known.map_or(
            Span {
                first: Seq(1),
                newest: Seq(0),
            },
            |known| Span {
                first: known.first,
                newest: known.newest,
            },
        ))
    }

    pub(super) fn read_page(
        &mut self,
        place: &Place,
        ask: PageRequest,
        out: &mut Vec<Record>,
    ) -> std::result::Result<bool, StoreError> {
        let Some(known) = told(self.known(place))? else {
            return Ok(false);
        };
        told(
            self.connection()
                .and_then(|connection| page(connection, place, known.id, ask, out)),
        )
    }

    pub(super) fn read_session(
        &mut self,
        author: Author,
    ) -> std::result::Result<Option<SessionRow>, StoreError> {
        let select = "SELECT author, secret, name, seen, quit FROM sessions WHERE author = ?1";
        let found = self.connection().and_then(|connection| {
            let mut select = connection.prepare_cached(select)?;
            if_any(select.query_row([author.0 as i64], session))
        });
        Ok(told(found)?.filter(|row| self.is_known_session(row)))
    }

    pub(super) fn read_conversations(
        &mut self,
        of: Author,
        most: usize,
    ) -> std::result::Result<Vec<ConversationRow>, StoreError> {
        let select = "SELECT CASE WHEN one = ?1 THEN other ELSE one END, newest FROM (
                SELECT * FROM (SELECT one, other, newest, used FROM places
                    WHERE name IS NULL AND one = ?1 AND newest > 0 ORDER BY used DESC LIMIT ?2)
                UNION ALL SELECT * FROM (SELECT one, other, newest, used FROM places
                    WHERE name IS NULL AND other = ?1 AND one <> ?1 AND newest > 0 ORDER BY used DESC LIMIT ?2)
            ) ORDER BY used DESC LIMIT ?2";
        let rows = self.connection().and_then(|connection| {
            let mut select = connection.prepare_cached(select)?;
            let row = |row: &Row<'_>| {
                let (other, newest): (i64, i64) = (row.get(0)?, row.get(1)?);
                Ok(ConversationRow {
                    other: Author(other as u64),
                    newest: Seq(newest as u64),
                })
            };
            select.query_map((of.0 as i64, most as i64), row)?.collect()
        });
        told(rows)
    }

    pub(super) fn read_remembered(
        &mut self,
        most: usize,
        since: UnixMillis,
    ) -> std::result::Result<Remembered, StoreError> {
        let channels = "SELECT name, newest FROM places WHERE name IS NOT NULL AND newest > 0 ORDER BY used DESC LIMIT ?1";
        let sessions = "SELECT author, secret, name, seen, quit FROM sessions WHERE seen > ?1 AND NOT quit ORDER BY seen DESC LIMIT ?2";
        let read = |connection: &Connection| {
            let row = |row: &Row<'_>| {
                let (name, newest): (String, i64) = (row.get(0)?, row.get(1)?);
                Ok(ChannelRow {
                    name: name.into(),
                    newest: Seq(newest as u64),
                })
            };
            let channels = connection
                .prepare(channels)?
                .query_map([most as i64], row)?
                .collect::<Result<_>>()?;
            let mut sessions = connection.prepare(sessions)?;
            let sessions = sessions
                .query_map((since.0 as i64, REMEMBERED_SESSIONS), session)?
                .collect::<Result<_>>()?;
            Ok(Remembered { channels, sessions })
        };
        told(self.connection().and_then(read))
    }
}

/// A page of a place, oldest first; says whether there are others on the side away from where it
/// began.
fn page(
    connection: &Connection,
    place: &Place,
    id: i64,
    ask: PageRequest,
    out: &mut Vec<Record>,
) -> Result<bool> {
    let order = if ask.from_oldest { "ASC" } else { "DESC" };
    let select = format!(
        "SELECT {COLUMNS} FROM messages WHERE place = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq {order} LIMIT ?4"
    );
    let mut select = connection.prepare_cached(&select)?;
    let bound = |seq: Seq| i64::try_from(seq.0).unwrap_or(i64::MAX);
    let most = ask.rows.max(1) as usize;
    // One more than is wanted, to know whether there is one.
    let mut rows = select.query((id, bound(ask.after), bound(ask.before), most as i64 + 1))?;
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
