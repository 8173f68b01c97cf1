//! Giving up what is not to be kept any more, a step at a time: a step is a few hundred rows, and
//! between two the loop turns.
//!
//! Days are counted back from the newest message, and those of sessions from whoever was seen last:
//! a clock that jumped (a Pi
//! has none that runs while it is off) takes nothing away by itself.

use super::{PlaceIds, Sqlite, if_any, millis};
use crate::history::{StoreError, UnixMillis};
use crate::limits::DAY_MILLIS;
use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

/// Messages that one step takes.
const STEP: i64 = 200;
/// Places that one step looks at.
const LOOK: i64 = 1_000;
/// After so many messages, or so many milliseconds of the messages' time, age and size are looked
/// at again.
const MESSAGES_BETWEEN_LOOKS: u64 = 256;
const MILLIS_BETWEEN_LOOKS: u64 = 60_000;

/// What is to be looked at.
pub(super) struct Pruning {
    /// Places that have more messages than are kept.
    too_long: PlaceIds,
    /// After a start `--history-keep` may be another: places up to here were looked at.
    looked_up_to: Option<i64>,
    /// Age and size are to be looked at.
    look: bool,
    stored: u64,
    looked_at: UnixMillis,
}

impl Default for Pruning {
    fn default() -> Self {
        Self {
            too_long: PlaceIds::new(),
            looked_up_to: Some(0),
            look: true,
            stored: 0,
            looked_at: UnixMillis(0),
        }
    }
}

impl Pruning {
    pub(super) fn is_wanted(&self) -> bool {
        self.look || self.looked_up_to.is_some() || !self.too_long.is_empty()
    }

    pub(super) fn too_long(&mut self, place: i64) {
        self.too_long.insert(place);
    }

    /// So many messages came, the newest at this time.
    pub(super) fn stored(&mut self, count: u64, at: UnixMillis) {
        self.stored += count;
        self.look |= self.stored >= MESSAGES_BETWEEN_LOOKS
            || at.0.abs_diff(self.looked_at.0) >= MILLIS_BETWEEN_LOOKS;
    }
}

/// A place as pruning sees it.
struct Old {
    id: i64,
    first: i64,
    newest: i64,
}

impl Sqlite {
    pub(super) fn prune_a_little(&mut self) -> std::result::Result<(), StoreError> {
        self.ready_to_write()?;
        match self.connection().map(|_| ()).and_then(|()| self.step()) {
            Ok(cut) => {
                if let Some(place) = cut {
                    self.places.retain(|_, known| known.id != place);
                }
                self.tend_log();
                Ok(())
            }
            Err(error) => Err(self.write_failed(&error, [])),
        }
    }

    /// One step. Returns the place that became shorter, if any.
    fn step(&mut self) -> Result<Option<i64>> {
        let Self {
            connection: Some(connection),
            pruning,
            settings,
            newest_at,
            newest_seen,
            ..
        } = self
        else {
            return Ok(None);
        };
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let keep = i64::try_from(settings.keep).unwrap_or(i64::MAX);
        let mut cut = None;
        if let Some(from) = pruning.looked_up_to {
            pruning.looked_up_to = find_too_long(&transaction, from, keep, &mut pruning.too_long)?;
        } else if let Some(id) = pruning.too_long.first().copied() {
            let old = place(&transaction, "WHERE id = ?1", id)?;
            match old.filter(|old| old.newest + 1 - old.first > keep) {
                Some(old) => {
                    shorten(&transaction, &old, old.newest + 1 - keep)?;
                    cut = Some(id);
                }
                None => _ = pruning.too_long.remove(&id),
            }
        } else if let Some(old) = too_old(&transaction, settings.days, *newest_at)? {
            let until = transaction.query_row(
                "SELECT min(seq) FROM messages WHERE place = ?1 AND seq < ?2 AND at >= ?3",
                (
                    old.id,
                    old.first + STEP,
                    oldest_kept(settings.days, *newest_at).0 as i64,
                ),
                |row| row.get::<_, Option<i64>>(0),
            )?;
            shorten(&transaction, &old, until.unwrap_or(old.newest + 1))?;
            cut = Some(old.id);
        } else if let Some(old) = too_big(&transaction, settings.bytes)? {
            shorten(&transaction, &old, old.newest + 1)?;
            cut = Some(old.id);
        } else if !forget_session(&transaction, settings.session_days, *newest_seen, &mut cut)? {
            (pruning.look, pruning.stored, pruning.looked_at) = (false, 0, *newest_at);
        }
        transaction.commit()?;
        Ok(cut)
    }
}

fn oldest_kept(days: u32, newest: UnixMillis) -> UnixMillis {
    UnixMillis(newest.0.saturating_sub(u64::from(days) * DAY_MILLIS))
}

/// Looks at some places behind `from`; returns how far it came, if there are others.
fn find_too_long(
    connection: &Connection,
    from: i64,
    keep: i64,
    found: &mut PlaceIds,
) -> Result<Option<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT id, newest + 1 - first FROM places WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = select.query((from, LOOK))?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (id, messages): (i64, i64) = (row.get(0)?, row.get(1)?);
        if messages > keep {
            found.insert(id);
        }
        last = Some(id);
    }
    Ok(last)
}

/// The place with the oldest message, if that is older than is kept.
fn too_old(connection: &Connection, days: u32, newest: UnixMillis) -> Result<Option<Old>> {
    if days == 0 {
        return Ok(None);
    }
    place(
        connection,
        "WHERE first_at < ?1 ORDER BY first_at LIMIT 1",
        oldest_kept(days, newest).0 as i64,
    )
}

/// The place with the oldest message, if all of them take more than is allowed.
fn too_big(connection: &Connection, bytes: u64) -> Result<Option<Old>> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let used = (number("page_count")? - number("freelist_count")?) * number("page_size")?;
    match u64::try_from(used).is_ok_and(|used| used > bytes) {
        true => place(
            connection,
            "WHERE first_at >= ?1 ORDER BY first_at LIMIT 1",
            0,
        ),
        false => Ok(None),
    }
}

fn place(connection: &Connection, which: &str, value: i64) -> Result<Option<Old>> {
    let mut select =
        connection.prepare_cached(&format!("SELECT id, first, newest FROM places {which}"))?;
    if_any(select.query_row([value], |row| {
        Ok(Old {
            id: row.get(0)?,
            first: row.get(1)?,
            newest: row.get(2)?,
        })
    }))
}

/// Takes a step's messages from a place's beginning, and none from `until` on.
fn shorten(connection: &Connection, old: &Old, until: i64) -> Result<()> {
    let first = until.min(old.first + STEP).min(old.newest + 1);
    connection
        .prepare_cached("DELETE FROM messages WHERE place = ?1 AND seq < ?2")?
        .execute((old.id, first))?;
    let update = "UPDATE places SET first = ?2, first_at = (SELECT at FROM messages WHERE place = ?1 AND seq = ?2) WHERE id = ?1";
    connection
        .prepare_cached(update)?
        .execute((old.id, first))?;
    Ok(())
}

/// Forgets a session that was not seen for long, or a step of what nobody can read once it is gone.
/// Returns whether there was one.
fn forget_session(
    connection: &Connection,
    days: u32,
    newest: UnixMillis,
    cut: &mut Option<i64>,
) -> Result<bool> {
    let select = "SELECT author, seen FROM sessions WHERE seen < ?1 ORDER BY seen LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, millis(row.get(1)?)));
    let found = connection
        .prepare_cached(select)?
        .query_row([oldest_kept(days, newest).0 as i64], row);
    let Some((author, _)) = if_any(found)? else {
        return Ok(false);
    };
    // With two sessions of which none is known a conversation has no reader; its row goes with its
    // last message.
    let unreadable = "WHERE name IS NULL AND id = (SELECT id FROM places WHERE name IS NULL AND (one = ?1 OR other = ?1)
        AND (one = other OR NOT EXISTS
            (SELECT 1 FROM sessions WHERE author = CASE WHEN one = ?1 THEN other ELSE one END)) LIMIT 1)";
    match place(connection, unreadable, author)? {
        Some(old) if old.first <= old.newest => {
            shorten(connection, &old, old.newest + 1)?;
            *cut = Some(old.id);
        }
        Some(old) => {
            connection.execute("DELETE FROM places WHERE id = ?1", [old.id])?;
            *cut = Some(old.id);
        }
        None => {
            _ = connection
                .prepare_cached("DELETE FROM sessions WHERE author = ?1")?
                .execute([author])?
        }
    }
    Ok(true)
}
