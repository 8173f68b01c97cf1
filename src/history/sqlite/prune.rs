//! Pruning: deletes what need not be kept, a few hundred rows at a time, between two turns.
//!
//! Days are counted back from the newest message, and for sessions from the last one seen, but
//! never from a time that the trusted clock does not believe.

use super::{Sqlite, millis};
use crate::history::SessionRow;
use crate::limits::{NONCE_AGE, PRUNED_NONCES};
use crate::time::DAY_MILLIS;
use crate::time::{Millis, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior};
use std::collections::BTreeSet;
use std::time::Duration;

/// The maximum number of messages that one step deletes.
const STEP: i64 = 200;
/// Age and size are examined again after this many messages,
const MESSAGES_BETWEEN_LOOKS: u64 = 256;
/// or after this time, in milliseconds.
const MILLIS_BETWEEN_LOOKS: u64 = 60_000;
/// The time between two steps.
const INTERVAL: Duration = Duration::from_millis(50);
/// The time before the next step if one failed.
const RETRY: Duration = Duration::from_secs(60);

/// What pruning has to examine.
#[derive(Default)]
pub(super) struct Pruning {
    /// Places that have more messages than are kept.
    too_long: BTreeSet<i64>,
    /// Whether age and size were examined, and nothing was left to do.
    rests: bool,
    /// Messages stored since then.
    stored: u64,
    rests_since: UnixMillis,
    /// No step before this time, because the last one failed.
    retry_at: Millis,
}

impl Pruning {
    /// Finds the places that are too long at the start, since `--history-keep` may have changed.
    pub(super) fn begin(connection: &Connection, keep: u64) -> Result<Self> {
        let select = "SELECT id FROM places WHERE newest + 1 - first > ?1";
        let mut select = connection.prepare(select)?;
        let too_long = select.query_map([keep], |row| row.get(0))?;
        let too_long = too_long.collect::<Result<_>>()?;
        Ok(Self {
            too_long,
            ..Self::default()
        })
    }

    pub(super) fn interval(&self) -> Option<Duration> {
        let is_wanted = !self.rests || !self.too_long.is_empty();
        is_wanted.then_some(INTERVAL)
    }

    pub(super) fn add_too_long(&mut self, place: i64) {
        self.too_long.insert(place);
    }

    /// Counts messages that were stored at this time.
    pub(super) fn count(&mut self, messages: u64, now: UnixMillis) {
        self.stored += messages;
        self.rests &= self.stored < MESSAGES_BETWEEN_LOOKS
            && now.0.abs_diff(self.rests_since.0) < MILLIS_BETWEEN_LOOKS;
    }
}

/// A place as pruning sees it.
struct Old {
    id: i64,
    first: i64,
    newest: i64,
}

impl Sqlite {
    /// Does one step of pruning, unless the last one failed lately.
    pub(super) fn prune(&mut self, now: Millis) -> Result<()> {
        if self.pruning.interval().is_none() || now < self.pruning.retry_at {
            return Ok(());
        }
        self.pruning.retry_at = now.after(RETRY);
        if let Some(place) = self.step()? {
            self.places.retain(|_, known| known.id != place);
        }
        self.pruning.retry_at = now;
        Ok(())
    }

    /// Returns whether a session was seen within `--session-days`.
    pub(super) fn is_known(&self, row: &SessionRow) -> bool {
        row.seen >= self.oldest_kept(self.settings.session_days, self.newest_seen)
    }

    /// Returns the time that is some days before the newest stamp, or before the believed time if
    /// that is earlier.
    fn oldest_kept(&self, days: u32, newest: UnixMillis) -> UnixMillis {
        let newest = newest.min(self.clock.believed());
        UnixMillis(newest.0.saturating_sub(u64::from(days) * DAY_MILLIS))
    }

    /// Does one step. Returns the place that became shorter, if any.
    fn step(&mut self) -> Result<Option<i64>> {
        let keep = i64::try_from(self.settings.keep).unwrap_or(i64::MAX);
        let oldest_message = self.oldest_kept(self.settings.days, self.newest_at);
        let oldest_session = self.oldest_kept(self.settings.session_days, self.newest_seen);
        let Self {
            connection: Some(connection),
            pruning,
            settings,
            clock,
            ..
        } = self
        else {
            return Ok(None);
        };
        let believed = clock.believed();
        let nonces_since = believed.0.cast_signed() - NONCE_AGE.as_millis() as i64;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let step = Step {
            connection: &transaction,
            nonces_since,
        };
        let mut cut = None;
        if let Some(id) = pruning.too_long.first().copied() {
            let old = step.place("WHERE id = ?1", id)?;
            match old.filter(|old| old.newest + 1 - old.first > keep) {
                Some(old) => cut = step.shorten(&old, old.newest + 1 - keep)?,
                None => _ = pruning.too_long.remove(&id),
            }
        } else if settings.days > 0
            && let Some(old) = step.place(
                "WHERE first_at < ?1 ORDER BY first_at LIMIT 1",
                oldest_message.0 as i64,
            )?
        {
            if clock.agrees() {
                step.correct_stamps(&old, believed)?;
            }
            let until = "SELECT min(seq) FROM messages
                WHERE place = ?1 AND seq < ?2 AND coalesce(stamp, at) >= ?3";
            let row = (old.id, old.first + STEP, oldest_message.0);
            let until: Option<i64> = step.connection.query_row(until, row, |row| row.get(0))?;
            cut = step.shorten(&old, until.unwrap_or(old.newest + 1))?;
        } else if step.bytes()? > settings.bytes
            && let Some(old) = step.place("WHERE first_at >= ?1 ORDER BY first_at LIMIT 1", 0)?
        {
            cut = step.shorten(&old, old.newest + 1)?;
        } else if let Some(author) = step.old_session(oldest_session)? {
            cut = step.forget_session(author)?;
        } else if !step.forget_nonces()? {
            if clock.agrees() {
                step.correct_all(believed)?;
            }
            (pruning.rests, pruning.stored, pruning.rests_since) = (true, 0, believed);
        }
        transaction.commit()?;
        Ok(cut)
    }
}

/// A step's transaction.
struct Step<'a> {
    connection: &'a Connection,
    /// Nonces used before this time are no longer needed.
    nonces_since: i64,
}

impl Step<'_> {
    fn place(&self, which: &str, value: i64) -> Result<Option<Old>> {
        let select = format!("SELECT id, first, newest FROM places {which}");
        let row = |row: &rusqlite::Row<'_>| {
            let (id, first, newest) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Old { id, first, newest })
        };
        self.connection
            .prepare_cached(&select)?
            .query_row([value], row)
            .optional()
    }

    /// Deletes messages from a place's beginning, at most [`STEP`], and none from `until` on. Their
    /// nonces are kept. Returns the place.
    fn shorten(&self, old: &Old, until: i64) -> Result<Option<i64>> {
        let first = until.min(old.first + STEP).min(old.newest + 1);
        let keep = "INSERT OR REPLACE INTO pruned_nonces (place, author, nonce, seq, at, stamp)
            SELECT place, author, nonce, seq, at, coalesce(stamp, at) FROM messages
            WHERE place = ?1 AND seq < ?2 AND nonce IS NOT NULL AND coalesce(stamp, at) > ?3
            ORDER BY seq";
        let row = (old.id, first, self.nonces_since);
        self.connection.prepare_cached(keep)?.execute(row)?;
        let delete = "DELETE FROM messages WHERE place = ?1 AND seq < ?2";
        self.connection
            .prepare_cached(delete)?
            .execute((old.id, first))?;
        let update = "UPDATE places SET first = ?2, first_at = (SELECT coalesce(stamp, at)
            FROM messages WHERE place = ?1 AND seq = ?2) WHERE id = ?1";
        self.connection
            .prepare_cached(update)?
            .execute((old.id, first))?;
        Ok(Some(old.id))
    }

    /// Corrects the stamps of a step's messages that were stored under a clock that was ahead: they
    /// would hold up all that follows them.
    fn correct_stamps(&self, old: &Old, believed: UnixMillis) -> Result<()> {
        let update = "UPDATE messages SET stamp = ?3
            WHERE place = ?1 AND seq < ?2 AND coalesce(stamp, at) > ?3";
        let row = (old.id, old.first + STEP, believed.0);
        self.connection.prepare_cached(update)?.execute(row)?;
        Ok(())
    }

    /// The same for sessions and for the oldest messages of places.
    fn correct_all(&self, believed: UnixMillis) -> Result<()> {
        for update in [
            "UPDATE sessions SET seen = ?1 WHERE seen > ?1",
            "UPDATE places SET first_at = ?1 WHERE first_at > ?1",
        ] {
            self.connection
                .prepare_cached(update)?
                .execute([believed.0])?;
        }
        Ok(())
    }

    /// Returns the size of the database without free pages, and without kept nonces.
    fn bytes(&self) -> Result<u64> {
        let number = |pragma| {
            let value = self
                .connection
                .pragma_query_value(None, pragma, |row| row.get(0));
            value.map(|value: i64| value.max(0) as u64)
        };
        let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
        let nonces = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM pruned_nonces";
        let nonces: i64 = self.connection.query_row(nonces, [], |row| row.get(0))?;
        Ok((pages * number("page_size")?).saturating_sub(nonces as u64 * 128))
    }

    fn old_session(&self, oldest: UnixMillis) -> Result<Option<i64>> {
        let select = "SELECT author FROM sessions WHERE seen < ?1 ORDER BY seen LIMIT 1";
        let mut select = self.connection.prepare_cached(select)?;
        select.query_row([oldest.0], |row| row.get(0)).optional()
    }

    /// Forgets a session, or first a step of a conversation that has no reader without it. Returns
    /// the place that became shorter.
    fn forget_session(&self, author: i64) -> Result<Option<i64>> {
        let unreadable = "WHERE name IS NULL AND id = (
            SELECT id FROM places WHERE name IS NULL AND (one = ?1 OR other = ?1)
            AND (one = other OR NOT EXISTS (SELECT 1 FROM sessions
                WHERE author = CASE WHEN one = ?1 THEN other ELSE one END)) LIMIT 1)";
        let Some(old) = self.place(unreadable, author)? else {
            self.connection
                .execute("DELETE FROM sessions WHERE author = ?1", [author])?;
            return Ok(None);
        };
        if old.first <= old.newest {
            return self.shorten(&old, old.newest + 1);
        }
        self.connection
            .execute("DELETE FROM pruned_nonces WHERE place = ?1", [old.id])?;
        self.connection
            .execute("DELETE FROM places WHERE id = ?1", [old.id])?;
        Ok(Some(old.id))
    }

    /// Forgets a step of kept nonces that are older than a day, or too many. Returns whether there
    /// were any.
    fn forget_nonces(&self) -> Result<bool> {
        let delete = "DELETE FROM pruned_nonces
            WHERE id IN (SELECT id FROM pruned_nonces ORDER BY id LIMIT ?1)
            AND (stamp <= ?2 OR id <= (SELECT max(id) FROM pruned_nonces) - ?3)";
        let row = (STEP, self.nonces_since, PRUNED_NONCES);
        Ok(self.connection.prepare_cached(delete)?.execute(row)? > 0)
    }
}

/// Reads the newest stamps of messages and sessions.
pub(super) fn newest_stamps(connection: &Connection) -> Result<[UnixMillis; 2]> {
    let stamp = |select| {
        let stamp = connection.query_row(select, [], |row| row.get::<_, Option<i64>>(0));
        Ok::<_, rusqlite::Error>(millis(stamp.optional()?.flatten().unwrap_or(0)))
    };
    Ok([
        stamp("SELECT at FROM places ORDER BY used DESC LIMIT 1")?,
        stamp("SELECT max(seen) FROM sessions")?,
    ])
}
