//! Reading: pages, numbers, sessions and conversations. Each query is bounded by an index and a
//! number of rows.

use super::{Known, millis};
use crate::history::{
    Author, ChannelRow, ConversationRow, PageRequest, Place, Proposal, Record, Remembered, Seq,
    SessionRow, UnixMillis,
};
use rusqlite::{Connection, OptionalExtension, Result, Row};
use std::rc::Rc;

/// The maximum number of sessions whose names are reserved after a restart.
const REMEMBERED_SESSIONS: i64 = 20_000;

/// Returns the numbers of a place, if it has a row.
pub(super) fn known(connection: &Connection, place: &Place) -> Result<Option<Known>> {
    let read = |row: &Row<'_>| {
        Ok(Known {
            id: row.get(0)?,
            first: Seq(row.get(1)?),
            newest: Seq(row.get(2)?),
        })
    };
    let row = match place {
        Place::Channel(name) => connection
            .prepare_cached("SELECT id, first, newest FROM places WHERE name = ?1")?
            .query_row([&**name], read),
        Place::Conversation(one, other) => connection
            .prepare_cached(
                "SELECT id, first, newest FROM places
                WHERE name IS NULL AND one = ?1 AND other = ?2",
            )?
            .query_row([one.0, other.0], read),
    };
    row.optional()
}

fn session_row(row: &Row<'_>) -> Result<SessionRow> {
    Ok(SessionRow {
        author: Author(row.get(0)?),
        secret: row.get(1)?,
        name: row.get::<_, String>(2)?.into(),
        seen: millis(row.get(3)?),
        quit: row.get(4)?,
    })
}

/// Returns a session, if it has a row.
pub(super) fn session(connection: &Connection, author: Author) -> Result<Option<SessionRow>> {
    let select = "SELECT author, secret, name, seen, quit FROM sessions WHERE author = ?1";
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
        Ok(ConversationRow {
            other: Author(row.get(0)?),
            newest: Seq(row.get(1)?),
        })
    };
    let mut select = connection.prepare_cached(select)?;
    select.query_map((of.0, most), row)?.collect()
}

/// Returns the channels used last and the sessions seen after `since`.
pub(super) fn remembered(
    connection: &Connection,
    channels: usize,
    since: UnixMillis,
) -> Result<Remembered> {
    let row = |row: &Row<'_>| {
        Ok(ChannelRow {
            name: row.get::<_, String>(0)?.into(),
            newest: Seq(row.get(1)?),
        })
    };
    let select = "SELECT name, newest FROM places WHERE name IS NOT NULL AND newest > 0
        ORDER BY used DESC LIMIT ?1";
    let mut select = connection.prepare(select)?;
    let channels = select.query_map([channels], row)?.collect::<Result<_>>()?;
    let select = "SELECT author, secret, name, seen, quit FROM sessions
        WHERE seen > ?1 AND NOT quit ORDER BY seen DESC LIMIT ?2";
    let mut select = connection.prepare(select)?;
    let sessions = select.query_map((since.0 as i64, REMEMBERED_SESSIONS), session_row)?;
    let sessions = sessions.collect::<Result<_>>()?;
    Ok(Remembered { channels, sessions })
}

fn record(place: &Place, row: &Row<'_>) -> Result<Record> {
    let what = Proposal {
        place: place.clone(),
        author: Author(row.get(2)?),
        from: row.get_ref(3)?.as_str()?.into(),
        to: row.get_ref(4)?.as_str_or_null()?.map(Into::into),
        text: row.get_ref(5)?.as_str()?.into(),
        action: row.get(6)?,
        nonce: row.get_ref(7)?.as_str_or_null()?.map(Into::into),
    };
    Ok(Record {
        what: Rc::new(what),
        seq: Seq(row.get(0)?),
        at: millis(row.get(1)?),
    })
}

/// Appends a page of a place to `out`, oldest first. Returns whether there are more messages on the
/// side away from where the page begins.
pub(super) fn page(
    connection: &Connection,
    place: &Place,
    id: i64,
    ask: PageRequest,
    out: &mut Vec<Record>,
) -> Result<bool> {
    let order = if ask.from_oldest { "ASC" } else { "DESC" };
    let select = format!(
        "SELECT seq, at, author, sender, recipient, text, action, nonce FROM messages
        WHERE place = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq {order} LIMIT ?4"
    );
    let mut select = connection.prepare_cached(&select)?;
    let bound = |seq: Seq| i64::try_from(seq.0).unwrap_or(i64::MAX);
    let most = ask.rows.max(1) as usize;
    // One more than is wanted, to know whether there are more.
    let mut rows = select.query((id, bound(ask.after), bound(ask.before), most + 1))?;
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
