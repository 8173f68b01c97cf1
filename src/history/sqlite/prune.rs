//! Pruning: deletes what need not be kept, a few hundred rows at a time, between two turns.
//!
//! Days are counted back from the newest message, and for sessions from the last one seen, but
//! never from a time that the trusted clock does not believe.

use super::rows::Turn;
use crate::history::Settings;
use crate::limits::{NONCE_AGE, PRUNED_NONCES};
use crate::time::{DAY_MILLIS, Millis, TrustedClock, UnixMillis};
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

/// The records that pruning has to examine.
#[derive(Default)]
pub(super) struct Pruning {
    /// The newest age stamps of messages and sessions.
    pub(super) newest_at: UnixMillis,
    newest_seen: UnixMillis,
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
        let mut select =
            connection.prepare("SELECT id FROM places WHERE newest + 1 - first > ?1")?;
        let too_long = select
            .query_map([keep], |row| row.get(0))?
            .collect::<Result<_>>()?;
        let stamps = "SELECT
            coalesce((SELECT at FROM places ORDER BY used DESC LIMIT 1), 0),
            coalesce((SELECT max(seen) FROM sessions), 0)";
        let (at, seen) = connection.query_row(stamps, [], |row| row.try_into())?;
        let (newest_at, newest_seen) = (UnixMillis(at), UnixMillis(seen));
        Ok(Self {
            newest_at,
            newest_seen,
            too_long,
            ..Self::default()
        })
    }

    /// Returns the newest age stamp of all.
    pub(super) fn newest(&self) -> UnixMillis {
        self.newest_at.max(self.newest_seen)
    }

    /// Returns the time until the next step; `None` if there is nothing to do.
    pub(super) fn interval(&self) -> Option<Duration> {
        let is_wanted = !self.rests || !self.too_long.is_empty();
        is_wanted.then_some(INTERVAL)
    }

    /// Takes note of a turn that stored `messages` messages, and sessions if `has_sessions`.
    pub(super) fn count(&mut self, turn: &Turn, messages: u64, has_sessions: bool, keep: u64) {
        if messages > 0 {
            self.newest_at = turn.stamp;
        }
        if has_sessions {
            self.newest_seen = turn.stamp;
        }
        self.stored += messages;
        self.rests &= self.stored < MESSAGES_BETWEEN_LOOKS
            && turn.believed.0.abs_diff(self.rests_since.0) < MILLIS_BETWEEN_LOOKS;
        let lengths = turn.places.values();
        let is_too_long = lengths.filter(|(_, it)| it.newest.0 + 1 - it.first.0 > keep + keep / 64);
        self.too_long.extend(is_too_long.map(|(_, it)| it.id));
    }

    /// Makes the next step look for something to delete.
    pub(super) fn wake(&mut self) {
        self.rests = false;
    }

    /// Returns the time after which a session was last seen if it is still known.
    pub(super) fn oldest_session(&self, settings: &Settings, clock: &TrustedClock) -> UnixMillis {
        oldest(settings.session_days, self.newest_seen, clock)
    }

    /// Does one step of pruning, unless the last one failed lately.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        settings: &Settings,
        clock: &TrustedClock,
        now: Millis,
    ) -> Result<()> {
        if self.interval().is_none() || now < self.retry_at {
            return Ok(());
        }
        self.retry_at = now.after(RETRY);
        let believed = clock.believed();
        let nonces_since = believed.0.cast_signed() - NONCE_AGE.as_millis() as i64;
        let keep = i64::try_from(settings.keep).unwrap_or(i64::MAX);
        let oldest_message = oldest(settings.days, self.newest_at, clock);
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let step = Step {
            connection: &transaction,
            nonces_since,
        };
        if let Some(old) = step.place("WHERE cleared AND id > ?1 LIMIT 1", 0)? {
            step.clear(&old)?;
        } else if let Some(id) = self.too_long.first().copied() {
            let old = step.place("WHERE id = ?1", id)?;
            match old.filter(|old| old.newest + 1 - old.first > keep) {
                Some(old) => step.shorten(&old, old.newest + 1 - keep)?,
                None => _ = self.too_long.remove(&id),
            }
        } else if settings.days > 0
            && let Some(old) = step.place(
                "WHERE first_at < ?1 ORDER BY first_at LIMIT 1",
                oldest_message.0 as i64,
            )?
        {
            if clock.agrees() {
                // Stamps of a clock that was ahead would hold up all that follows them.
                let update = "UPDATE messages SET stamp = ?3
                    WHERE place = ?1 AND seq < ?2 AND coalesce(stamp, at) > ?3";
                step.execute(update, (old.id, old.first + STEP, believed.0))?;
            }
            let until = "SELECT min(seq) FROM messages
                WHERE place = ?1 AND seq < ?2 AND coalesce(stamp, at) >= ?3";
            let row = (old.id, old.first + STEP, oldest_message.0);
            let until: Option<i64> = transaction.query_row(until, row, |row| row.get(0))?;
            step.shorten(&old, until.unwrap_or(old.newest + 1))?;
        } else if step.bytes()? > settings.bytes
            && let Some(old) = step.place("WHERE first_at >= ?1 ORDER BY first_at LIMIT 1", 0)?
        {
            step.shorten(&old, old.newest + 1)?;
        } else if let Some(author) = step.old_session(self.oldest_session(settings, clock))? {
            step.forget_session(author)?;
        } else if !step.forget_nonces()? {
            if clock.agrees() {
                let correct = "UPDATE sessions SET seen = ?1 WHERE seen > ?1";
                step.execute(correct, [believed.0])?;
                let correct = "UPDATE places SET first_at = ?1 WHERE first_at > ?1";
                step.execute(correct, [believed.0])?;
            }
            (self.rests, self.stored, self.rests_since) = (true, 0, believed);
        }
        transaction.commit()?;
        self.retry_at = now;
        Ok(())
    }
}

/// Returns the time that is some days before the newest stamp, or before the believed time if that
/// is earlier.
fn oldest(days: u32, newest: UnixMillis, clock: &TrustedClock) -> UnixMillis {
    let newest = newest.min(clock.believed());
    UnixMillis(newest.0.saturating_sub(u64::from(days) * DAY_MILLIS))
}

struct Old {
    id: i64,
    first: i64,
    newest: i64,
}

/// One step in its transaction.
struct Step<'a> {
    connection: &'a Connection,
    /// Nonces used before this time are no longer needed.
    nonces_since: i64,
}

impl Step<'_> {
    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        self.connection.prepare_cached(sql)?.execute(values)
    }

    fn place(&self, which: &str, value: i64) -> Result<Option<Old>> {
        let select = format!("SELECT id, first, newest FROM places {which}");
        let row = |row: &rusqlite::Row<'_>| {
            let (id, first, newest) = row.try_into()?;
            Ok(Old { id, first, newest })
        };
        let mut select = self.connection.prepare_cached(&select)?;
        select.query_row([value], row).optional()
    }

    /// Deletes messages from a place's beginning, at most [`STEP`], and none from `until` on. Their
    /// nonces are kept.
    fn shorten(&self, old: &Old, until: i64) -> Result<()> {
        let first = until.min(old.first + STEP).min(old.newest + 1);
        self.delete_below(old.id, first)?;
        let update = "UPDATE places SET first = ?2, first_at = (SELECT coalesce(stamp, at)
            FROM messages WHERE place = ?1 AND seq = ?2) WHERE id = ?1";
        self.execute(update, (old.id, first))?;
        Ok(())
    }

    /// Deletes [`STEP`] messages of a place that was cleared.
    fn clear(&self, old: &Old) -> Result<()> {
        let oldest = "SELECT min(seq) FROM messages WHERE place = ?1";
        let mut oldest = self.connection.prepare_cached(oldest)?;
        let oldest: Option<i64> = oldest.query_row([old.id], |row| row.get(0))?;
        match oldest.filter(|oldest| *oldest < old.first) {
            Some(oldest) => self.delete_below(old.id, old.first.min(oldest + STEP)),
            None => {
                let done = "UPDATE places SET cleared = 0 WHERE id = ?1";
                self.execute(done, [old.id]).map(|_| ())
            }
        }
    }

    fn delete_below(&self, place: i64, first: i64) -> Result<()> {
        let keep = "INSERT OR REPLACE INTO pruned_nonces (place, author, nonce, seq, at, stamp)
            SELECT place, author, nonce, seq, at, coalesce(stamp, at) FROM messages
            WHERE place = ?1 AND seq < ?2 AND nonce IS NOT NULL AND coalesce(stamp, at) > ?3
            ORDER BY seq";
        self.execute(keep, (place, first, self.nonces_since))?;
        let delete = "DELETE FROM messages WHERE place = ?1 AND seq < ?2";
        self.execute(delete, (place, first))?;
        let delete = "DELETE FROM reactions WHERE place = ?1 AND seq < ?2";
        self.execute(delete, (place, first))?;
        Ok(())
    }

    /// Returns the size of the database without free pages, and without kept nonces.
    fn bytes(&self) -> Result<u64> {
        let select = "SELECT (page_count - freelist_count) * page_size
            - 128 * (SELECT coalesce(max(id) - min(id) + 1, 0) FROM pruned_nonces)
            FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let bytes: i64 = self
            .connection
            .prepare_cached(select)?
            .query_row([], |row| row.get(0))?;
        Ok(bytes.max(0) as u64)
    }

    fn old_session(&self, oldest: UnixMillis) -> Result<Option<i64>> {
        let select = "SELECT author FROM sessions WHERE seen < ?1 ORDER BY seen LIMIT 1";
        let mut select = self.connection.prepare_cached(select)?;
        select.query_row([oldest.0], |row| row.get(0)).optional()
    }

    /// Forgets a session, or first a step of a conversation that has no reader without it.
    fn forget_session(&self, author: i64) -> Result<()> {
        let unreadable = "WHERE name IS NULL AND id = (
            SELECT id FROM places WHERE name IS NULL AND (one = ?1 OR other = ?1)
            AND (one = other OR NOT EXISTS (SELECT 1 FROM sessions
                WHERE author = CASE WHEN one = ?1 THEN other ELSE one END)) LIMIT 1)";
        match self.place(unreadable, author)? {
            Some(old) if old.first <= old.newest => self.shorten(&old, old.newest + 1)?,
            Some(old) => {
                self.execute("DELETE FROM pruned_nonces WHERE place = ?1", [old.id])?;
                self.execute("DELETE FROM places WHERE id = ?1", [old.id])?;
            }
            None => _ = self.execute("DELETE FROM sessions WHERE author = ?1", [author])?,
        }
        Ok(())
    }

    /// Forgets a step of kept nonces that are older than a day, or too many. Returns whether there
    /// were any.
    fn forget_nonces(&self) -> Result<bool> {
        let delete = "DELETE FROM pruned_nonces
            WHERE id IN (SELECT id FROM pruned_nonces ORDER BY id LIMIT ?1)
            AND (stamp <= ?2 OR id <= (SELECT max(id) FROM pruned_nonces) - ?3)";
        Ok(self.execute(delete, (STEP, self.nonces_since, PRUNED_NONCES))? > 0)
    }
}
