//! The decisions of owners (who is muted or kicked, the door, the settings of channels), and the
//! state that a server restores when it starts.

use super::connection::{select_all, select_one};
use super::rows::{keep_sessions, known, make, session_row};
use crate::history::{
    ChannelRow, ChannelSettings, Decision, Place, Remembered, Sanction, SessionRow, Writing,
};
use crate::time::UnixMillis;
use rusqlite::{Connection, Result, Row, Transaction, TransactionBehavior};
use std::rc::Rc;

/// The maximum number of sessions whose names are reserved after a restart.
const REMEMBERED_SESSIONS: i64 = 20_000;

/// Stores a decision and session rows in one transaction. The messages of a cleared channel can no
/// longer be read; pruning deletes them.
pub(super) fn store(
    connection: &Connection,
    decision: &Decision,
    sessions: &[SessionRow],
    (now, stamp): (UnixMillis, UnixMillis),
) -> Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    keep_sessions(&transaction, sessions, stamp)?;
    match decision {
        Decision::Sanction(sanction) => {
            let expired = "DELETE FROM sanctions WHERE max(muted_until, kicked_until) <= ?1";
            transaction.execute(expired, [now])?;
            let keep = "INSERT OR REPLACE INTO sanctions VALUES (?1, ?2, ?3, ?4)";
            let (muted, kicked) = (sanction.muted_until, sanction.kicked_until);
            transaction.execute(keep, (sanction.author, &sanction.name, muted, kicked))?;
        }
        Decision::Door { is_open } => {
            transaction.execute("UPDATE history SET door = ?1", [is_open])?;
        }
        Decision::Settings(channel, settings) => {
            let id = place(&transaction, channel)?;
            let writing = match settings.writing {
                Writing::All => 0,
                Writing::Owner => -1,
                Writing::Slow(seconds) => i64::from(seconds),
            };
            let update = "UPDATE places SET writing = ?2, pinned = ?3, removed = 0 WHERE id = ?1";
            transaction.execute(update, (id, writing, settings.pinned))?;
        }
        Decision::Clear(channel) | Decision::Remove(channel) => {
            let id = place(&transaction, channel)?;
            let update = "UPDATE places SET first = newest + 1, first_at = NULL, pinned = NULL,
                cleared = 1, removed = ?2, writing = CASE WHEN ?2 THEN 0 ELSE writing END
                WHERE id = ?1";
            let is_removed = matches!(decision, Decision::Remove(_));
            transaction.execute(update, (id, is_removed))?;
        }
    }
    transaction.commit()
}

/// Returns the id of a channel, with or without messages.
fn place(connection: &Connection, channel: &Rc<str>) -> Result<i64> {
    let place = Place::Channel(channel.clone());
    match known(connection, &place)? {
        Some(known) => Ok(known.id),
        None => make(connection, &place),
    }
}

pub(super) fn settings(connection: &Connection, channel: &str) -> Result<ChannelSettings> {
    let select = "SELECT writing, pinned FROM places WHERE name = ?1";
    let found = select_one(connection, select, [channel], |row| read_settings(row, 0));
    Ok(found?.unwrap_or_default())
}

/// Reads the columns `writing` and `pinned`, which begin with column `at`.
fn read_settings(row: &Row<'_>, at: usize) -> Result<ChannelSettings> {
    let writing: i64 = row.get(at)?;
    Ok(ChannelSettings {
        writing: match u32::try_from(writing) {
            Ok(0) => Writing::All,
            Ok(seconds) => Writing::Slow(seconds),
            Err(_) => Writing::Owner,
        },
        pinned: row.get(at + 1)?,
    })
}

/// Returns the channels used last, the sessions seen after `since`, and the decisions.
pub(super) fn remembered(
    connection: &Connection,
    channels: usize,
    since: UnixMillis,
) -> Result<Remembered> {
    let select = "SELECT name, newest, writing, pinned FROM places
        WHERE name IS NOT NULL AND (newest > 0 OR writing <> 0) AND NOT removed
        ORDER BY used DESC LIMIT ?1";
    let channels = select_all(connection, select, [channels], |row| {
        Ok(ChannelRow {
            name: row.get(0)?,
            newest: row.get(1)?,
            settings: read_settings(row, 2)?,
        })
    })?;
    let select = "SELECT author, secret, name, seen, quit, password FROM sessions
        WHERE seen > ?1 AND NOT quit ORDER BY seen DESC LIMIT ?2";
    let sessions = select_all(
        connection,
        select,
        (since, REMEMBERED_SESSIONS),
        session_row,
    )?;
    let select = "SELECT author, name, muted_until, kicked_until FROM sanctions";
    let sanctions = select_all(connection, select, [], |row| {
        Ok(Sanction {
            author: row.get(0)?,
            name: row.get(1)?,
            muted_until: row.get(2)?,
            kicked_until: row.get(3)?,
        })
    })?;
    let door = "SELECT NOT door FROM history";
    Ok(Remembered {
        channels,
        sessions,
        sanctions,
        door_is_closed: connection.query_row(door, [], |row| row.get(0))?,
    })
}
