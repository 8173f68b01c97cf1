//! The decisions of owners: who is muted or kicked, the door, and the settings of channels.

use super::rows::{keep_sessions, known, make};
use crate::history::{
    Author, ChannelSettings, Decision, Place, Remembered, Sanction, Seq, SessionRow, Writing,
};
use crate::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, TransactionBehavior};
use std::rc::Rc;

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
            transaction.execute(expired, [now.0])?;
            let keep = "INSERT OR REPLACE INTO sanctions VALUES (?1, ?2, ?3, ?4)";
            let until = [sanction.muted_until, sanction.kicked_until].map(|until| until.0);
            let row = (sanction.author.0, &sanction.name, until[0], until[1]);
            transaction.execute(keep, row)?;
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
            let pinned = settings.pinned.map(|seq| seq.0);
            transaction.execute(update, (id, writing, pinned))?;
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

/// Returns the settings of a channel.
pub(super) fn settings(connection: &Connection, channel: &str) -> Result<ChannelSettings> {
    let row = |row: &Row<'_>| {
        let (writing, pinned): (i64, Option<u64>) = row.try_into()?;
        Ok(ChannelSettings {
            writing: match u32::try_from(writing) {
                Ok(0) => Writing::All,
                Ok(seconds) => Writing::Slow(seconds),
                Err(_) => Writing::Owner,
            },
            pinned: pinned.map(Seq),
        })
    };
    let select = "SELECT writing, pinned FROM places WHERE name = ?1";
    let mut select = connection.prepare_cached(select)?;
    let found = select.query_row([channel], row).optional()?;
    Ok(found.unwrap_or_default())
}

/// Adds the decisions to what a server restores.
pub(super) fn restore(connection: &Connection, to: &mut Remembered) -> Result<()> {
    for channel in &mut to.channels {
        channel.settings = settings(connection, &channel.name)?;
    }
    let row = |row: &Row<'_>| {
        Ok(Sanction {
            author: Author(row.get(0)?),
            name: row.get(1)?,
            muted_until: UnixMillis(row.get(2)?),
            kicked_until: UnixMillis(row.get(3)?),
        })
    };
    let select = "SELECT author, name, muted_until, kicked_until FROM sanctions";
    let mut select = connection.prepare(select)?;
    to.sanctions = select.query_map([], row)?.collect::<Result<_>>()?;
    let door = "SELECT NOT door FROM history";
    to.door_is_closed = connection.query_row(door, [], |row| row.get(0))?;
    Ok(())
}
