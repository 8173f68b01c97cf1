//! The decisions of owners: who is muted or kicked, the door, the settings of channels.

use super::rows::keep_sessions;
use crate::history::{ChannelSettings, Decision, SessionRow, Writing};
use crate::time::UnixMillis;
use rusqlite::{Connection, Result, Row, Transaction, TransactionBehavior};

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
    let make = "INSERT INTO places (name, first, newest, at, used) VALUES (?1, 1, 0, 0, 0)
        ON CONFLICT DO NOTHING";
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
            transaction.execute(make, [channel])?;
            let writing = match settings.writing {
                Writing::All => 0,
                Writing::Owner => -1,
                Writing::Slow(seconds) => i64::from(seconds),
            };
            let update = "UPDATE places SET writing = ?2, pinned = ?3, removed = 0 WHERE name = ?1";
            transaction.execute(update, (channel, writing, settings.pinned))?;
        }
        Decision::Clear(channel) | Decision::Remove(channel) => {
            transaction.execute(make, [channel])?;
            let update = "UPDATE places SET first = newest + 1, first_at = NULL, pinned = NULL,
                cleared = 1, removed = ?2, writing = CASE WHEN ?2 THEN 0 ELSE writing END
                WHERE name = ?1";
            let is_removed = matches!(decision, Decision::Remove(_));
            transaction.execute(update, (channel, is_removed))?;
        }
    }
    transaction.commit()
}

/// Reads the columns `writing` and `pinned`.
pub(super) fn read_settings(row: &Row<'_>) -> Result<ChannelSettings> {
    Ok(ChannelSettings {
        writing: match u32::try_from(row.get::<_, i64>(0)?) {
            Ok(0) => Writing::All,
            Ok(seconds) => Writing::Slow(seconds),
            Err(_) => Writing::Owner,
        },
        pinned: row.get(1)?,
    })
}
