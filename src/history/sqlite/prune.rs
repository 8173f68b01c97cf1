//! Pruning: deletes what need not be kept, a few hundred rows at a time, between two turns.
//!
//! Days are counted back from the newest message, and for sessions from the last one seen, but
//! never from a time that the trusted clock does not believe.

use super::connection::{execute, select_all, select_one};
use super::rows::PlaceRow;
use crate::history::{Author, Settings};
use crate::limits::{NONCE_AGE, PRUNED_NONCES};
use crate::time::{DAY_MILLIS, Millis, TrustedClock, UnixMillis};
use rusqlite::{Connection, Params, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// The maximum number of messages that one step deletes.
const STEP: u64 = 200;
/// The time between two steps.
const INTERVAL: Duration = Duration::from_millis(50);
/// The time before the next step if one failed.
const RETRY: Duration = Duration::from_secs(60);

/// Which places have to be pruned, and when.
#[derive(Default)]
pub(super) struct Pruning {
    /// Places that have more messages than are kept.
    too_long: BTreeSet<i64>,
    /// Whether the last step deleted something, so that there may be more.
    is_busy: bool,
    /// No step before this time, because the last one failed.
    retry_at: Millis,
}

impl Pruning {
    /// Finds the places that are too long at the start, since `--history-keep` may have changed.
    pub(super) fn begin(connection: &Connection, keep: u64) -> Result<Self> {
        let too_long = "SELECT id FROM places WHERE newest + 1 - first > ?1";
        let too_long = select_all(connection, too_long, [keep], |row| row.get(0))?;
        Ok(Self {
            too_long: too_long.into_iter().collect(),
            ..Self::default()
        })
    }

    /// Returns the time until the next step; `None` if it may come at any time.
    pub(super) fn interval(&self) -> Option<Duration> {
        let is_wanted = self.is_busy || !self.too_long.is_empty();
        is_wanted.then_some(INTERVAL)
    }

    /// Takes note of places that got messages.
    pub(super) fn count(&mut self, grown: &[PlaceRow], keep: u64) {
        let too_long = grown.iter();
        let too_long = too_long.filter(|place| place.length() > keep + keep / 64);
        self.too_long.extend(too_long.map(|place| place.id));
    }

    /// Does one step of pruning, unless the last one failed lately. Returns whether it deleted
    /// something.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        settings: &Settings,
        clock: &TrustedClock,
        now: Millis,
    ) -> Result<bool> {
        if now < self.retry_at {
            return Ok(false);
        }
        self.retry_at = now.after(RETRY);
        let believed = clock.believed();
        let nonces_since = believed.0.cast_signed() - NONCE_AGE.as_millis() as i64;
        let oldest_message = oldest(settings.days, newest(connection, NEWEST_AT)?, clock);
        let oldest_session = oldest_session(connection, settings, clock)?;
        let transaction = connection.unchecked_transaction()?;
        self.is_busy = true;
        let step = Step {
            connection: &transaction,
            nonces_since,
        };
        if let Some(old) = step.place("WHERE cleared LIMIT 1", [])? {
            step.clear(&old)?;
        } else if let Some(id) = self.too_long.first().copied() {
            let old = step.place("WHERE id = ?1", [id])?;
            match old.filter(|old| old.length() > settings.keep) {
                Some(old) => step.shorten(&old, old.newest.0 + 1 - settings.keep)?,
                None => _ = self.too_long.remove(&id),
            }
        } else if settings.days > 0
            && let Some(old) = step.place(
                "WHERE first_at < ?1 ORDER BY first_at LIMIT 1",
                [oldest_message],
            )?
        {
            let end = old.first.0 + STEP;
            if clock.agrees() {
                // Stamps of a clock that was ahead would hold up all that follows them.
                let update = "UPDATE messages SET stamp = ?3
                    WHERE place = ?1 AND seq < ?2 AND coalesce(stamp, at) > ?3";
                execute(&transaction, update, (old.id, end, believed))?;
            }
            let until = "SELECT min(seq) FROM messages
                WHERE place = ?1 AND seq < ?2 AND coalesce(stamp, at) >= ?3";
            let row = (old.id, end, oldest_message);
            let until: Option<u64> = transaction.query_row(until, row, |row| row.get(0))?;
            step.shorten(&old, until.unwrap_or(end))?;
        } else if step.bytes()? > settings.bytes
            && let Some(old) = step.place("WHERE first_at >= 0 ORDER BY first_at LIMIT 1", [])?
        {
            step.shorten(&old, old.newest.0 + 1)?;
        } else if let Some(author) = select_one(
            &transaction,
            "SELECT author FROM sessions WHERE seen < ?1 ORDER BY seen LIMIT 1",
            [oldest_session],
            |row| row.get(0),
        )? {
            step.forget_session(author)?;
        } else if !step.forget_nonces()? {
            if clock.agrees() {
                let correct = "UPDATE sessions SET seen = ?1 WHERE seen > ?1";
                execute(&transaction, correct, [believed])?;
                let correct = "UPDATE places SET first_at = ?1 WHERE first_at > ?1";
                execute(&transaction, correct, [believed])?;
            }
            self.is_busy = false;
        }
        transaction.commit()?;
        self.retry_at = now;
        Ok(self.is_busy)
    }
}

/// Selects the age stamp of the newest message.
pub(super) const NEWEST_AT: &str = "SELECT at FROM places ORDER BY used DESC LIMIT 1";
/// Selects the age stamp of the session that was seen last.
pub(super) const NEWEST_SEEN: &str = "SELECT seen FROM sessions ORDER BY seen DESC LIMIT 1";

/// Returns the age stamp that `select` finds, if any.
pub(super) fn newest(connection: &Connection, select: &str) -> Result<UnixMillis> {
    Ok(select_one(connection, select, [], |row| row.get(0))?.unwrap_or_default())
}

/// Returns the time after which a session was last seen if it is still known.
pub(super) fn oldest_session(
    connection: &Connection,
    settings: &Settings,
    clock: &TrustedClock,
) -> Result<UnixMillis> {
    let newest = newest(connection, NEWEST_SEEN)?;
    Ok(oldest(settings.session_days, newest, clock))
}

/// Returns the time that is some days before the newest stamp, or before the believed time if that
/// is earlier.
fn oldest(days: u32, newest: UnixMillis, clock: &TrustedClock) -> UnixMillis {
    let newest = newest.min(clock.believed());
    UnixMillis(newest.0.saturating_sub(u64::from(days) * DAY_MILLIS))
}

/// One step in its transaction.
struct Step<'a> {
    connection: &'a Connection,
    /// Nonces used before this time are no longer needed.
    nonces_since: i64,
}

impl Step<'_> {
    fn place(&self, which: &str, values: impl Params) -> Result<Option<PlaceRow>> {
        let select = format!("SELECT id, first, newest FROM places {which}");
        select_one(self.connection, &select, values, PlaceRow::read)
    }

    /// Deletes messages from a place's beginning, at most [`STEP`], and none from `until` on. Their
    /// nonces are kept.
    fn shorten(&self, old: &PlaceRow, until: u64) -> Result<()> {
        let first = until.min(old.first.0 + STEP).min(old.newest.0 + 1);
        self.delete_below(old.id, first)?;
        let update = "UPDATE places SET first = ?2, first_at = (SELECT coalesce(stamp, at)
            FROM messages WHERE place = ?1 AND seq = ?2) WHERE id = ?1";
        execute(self.connection, update, (old.id, first))?;
        Ok(())
    }

    /// Deletes [`STEP`] messages of a place that was cleared.
    fn clear(&self, old: &PlaceRow) -> Result<()> {
        let oldest = "SELECT min(seq) FROM messages WHERE place = ?1 HAVING min(seq) < ?2";
        let values = (old.id, old.first);
        let oldest = select_one(self.connection, oldest, values, |row| row.get::<_, u64>(0))?;
        if let Some(oldest) = oldest {
            return self.delete_below(old.id, old.first.0.min(oldest + STEP));
        }
        let done = "UPDATE places SET cleared = 0 WHERE id = ?1";
        execute(self.connection, done, [old.id])?;
        Ok(())
    }

    fn delete_below(&self, place: i64, first: u64) -> Result<()> {
        let keep = "INSERT OR REPLACE INTO pruned_nonces (place, author, nonce, seq, at, stamp)
            SELECT place, author, nonce, seq, at, coalesce(stamp, at) FROM messages
            WHERE place = ?1 AND seq < ?2 AND nonce IS NOT NULL AND coalesce(stamp, at) > ?3
            ORDER BY seq";
        execute(self.connection, keep, (place, first, self.nonces_since))?;
        for table in ["messages", "reactions"] {
            let delete = format!("DELETE FROM {table} WHERE place = ?1 AND seq < ?2");
            execute(self.connection, &delete, (place, first))?;
        }
        Ok(())
    }

    /// Returns the size of the database without free pages, and without kept nonces.
    fn bytes(&self) -> Result<u64> {
        let select = "SELECT max(0, (page_count - freelist_count) * page_size
            - 128 * (SELECT coalesce(max(id) - min(id) + 1, 0) FROM pruned_nonces))
            FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let bytes = select_one(self.connection, select, [], |row| row.get(0))?;
        Ok(bytes.unwrap_or(0))
    }

    /// Forgets a session, or first a step of a conversation that has no reader without it.
    fn forget_session(&self, author: Author) -> Result<()> {
        let unreadable = "WHERE name IS NULL AND id = (
            SELECT id FROM places WHERE name IS NULL AND (one = ?1 OR other = ?1)
            AND (one = other OR NOT EXISTS (SELECT 1 FROM sessions
                WHERE author = CASE WHEN one = ?1 THEN other ELSE one END)) LIMIT 1)";
        match self.place(unreadable, [author])? {
            Some(old) if old.length() > 0 => self.shorten(&old, old.newest.0 + 1)?,
            Some(old) => {
                execute(
                    self.connection,
                    "DELETE FROM pruned_nonces WHERE place = ?1",
                    [old.id],
                )?;
                execute(
                    self.connection,
                    "DELETE FROM places WHERE id = ?1",
                    [old.id],
                )?;
            }
            None => {
                let forget = "DELETE FROM sessions WHERE author = ?1";
                execute(self.connection, forget, [author])?;
            }
        }
        Ok(())
    }

    /// Forgets a step of kept nonces that are older than a day, or too many. Returns whether there
    /// were any.
    fn forget_nonces(&self) -> Result<bool> {
        let delete = "DELETE FROM pruned_nonces
            WHERE id IN (SELECT id FROM pruned_nonces ORDER BY id LIMIT ?1)
            AND (stamp <= ?2 OR id <= (SELECT max(id) FROM pruned_nonces) - ?3)";
        let values = (STEP, self.nonces_since, PRUNED_NONCES);
        Ok(execute(self.connection, delete, values)? > 0)
    }
}
