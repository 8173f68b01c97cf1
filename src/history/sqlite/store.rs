//! The methods of the history. Each query is bounded by an index and a number of rows.

use super::Sqlite;
use super::connection::{is_busy, select_all, select_one};
use super::decisions::{self, read_settings};
use super::prune::oldest_session;
use super::rows::{PlaceRow, RECORD, Turn, place_row, record, session_row};
use crate::history::{
    Author, ChannelRow, ChannelSettings, ConversationRow, Decision, Epoch, History, Kind,
    PageRequest, Place, Proposal, Record, Remembered, Result, Sanction, Seq, SessionRow, Span,
    StoreError, Stored, Visit, cost,
};
use crate::time::{Now, UnixMillis};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Author numbers that are reserved by one write. A clean stop gives back the unused ones.
const AUTHORS_AT_ONCE: u64 = 16;
/// The interval in which the file is checked while nothing is stored, and cleaned of deleted texts.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// The time between two attempts to restore a file: copying may take long.
const RESTORE_AGAIN: Duration = Duration::from_secs(60);
/// The wait for another program's lock when an owner has decided something.
const DECISION_WAIT: Duration = Duration::from_millis(250);
/// The believed time is stored this often while nothing else is, in milliseconds.
const STORE_TIME: u64 = 30 * 60 * 1_000;
/// The maximum number of sessions whose names are reserved after a restart.
const REMEMBERED_SESSIONS: usize = 20_000;

impl History for Sqlite {
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>> {
        self.observe(now);
        self.is_locked = false;
        self.ready_to_write(now)?;
        let began = Instant::now();
        let mut turn = Turn {
            now: now.unix,
            stamp: self.clock.stamp(now.unix),
            believed: self.clock.believed(),
            uses: self.uses,
            grown: Vec::new(),
        };
        let written = turn.write(&self.connection, proposals, sessions);
        let stored = written.map_err(|error| self.write_failed(error))?;
        self.pruning.count(&turn.grown, self.settings.keep);
        self.uses = turn.uses;
        let is_deleting =
            |what: &Rc<Proposal>| matches!(what.kind, Kind::Edit { .. } | Kind::Delete { .. });
        self.holds_deleted |= proposals.iter().any(is_deleting);
        self.checkpoint_if_due();
        self.commit_time = Some(began.elapsed());
        Ok(stored)
    }

    fn decide(&mut self, decision: &Decision, sessions: &[SessionRow], now: Now) -> Result<()> {
        self.observe(now);
        self.ready_to_write(now)?;
        let times = (now.unix, self.clock.stamp(now.unix));
        // Decisions are rare, so this one may wait.
        self.connection.busy_timeout(DECISION_WAIT)?;
        let written = decisions::store(&self.connection, decision, sessions, times);
        self.connection.busy_timeout(Duration::ZERO)?;
        written.map_err(|error| self.write_failed(error))?;
        self.checkpoint_if_due();
        Ok(())
    }

    fn settings(&mut self, channel: &Rc<str>) -> Result<ChannelSettings> {
        let select = "SELECT writing, pinned FROM places WHERE name = ?1";
        let found = select_one(&self.connection, select, [channel], read_settings);
        Ok(found?.unwrap_or_default())
    }

    fn each(
        &mut self,
        place: &Place,
        ask: PageRequest,
        visit: &mut dyn FnMut(Record) -> bool,
    ) -> Result<()> {
        let Some(PlaceRow { id, first, .. }) = place_row(&self.connection, place)? else {
            return Ok(());
        };
        // Messages below `first` are those of a cleared channel that are not pruned yet.
        let after = ask.after.max(Seq(first.0 - 1));
        let order = if ask.from_oldest { "ASC" } else { "DESC" };
        let select = format!(
            "SELECT {RECORD} FROM messages m
            WHERE place = ?2 AND seq > ?3 AND seq < ?4 ORDER BY seq {order} LIMIT ?5"
        );
        let mut select = self.connection.prepare_cached(&select)?;
        let most = u64::from(ask.rows.max(1)) + 1;
        let mut rows = select.query((ask.reader, id, after, ask.before, most))?;
        while let Some(row) = rows.next()?
            && visit(record(place, row)?)
        {}
        Ok(())
    }

    fn scan(
        &mut self,
        place: &Place,
        before: Seq,
        rows: u32,
        budget: &mut usize,
        visit: &mut Visit<'_>,
    ) -> Result<Option<Seq>> {
        let Some(PlaceRow { id, first, .. }) = place_row(&self.connection, place)? else {
            return Ok(None);
        };
        let select = "SELECT seq, at, kind, text FROM messages
            WHERE place = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4";
        let mut select = self.connection.prepare_cached(select)?;
        let mut rows = select.query((id, first, before, rows))?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (seq, kind): (Seq, u8) = (row.get(0)?, row.get(2)?);
            let text = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
            visit(seq, row.get(1)?, (kind == 0).then_some(text));
            *budget = budget.saturating_sub(cost(text));
            last = Some(seq).filter(|seq| *seq > first);
            if *budget == 0 {
                break;
            }
        }
        Ok(last)
    }

    fn span(&mut self, place: &Place) -> Result<Span> {
        let row = place_row(&self.connection, place)?;
        Ok(row.map_or(Span::EMPTY, |it| Span {
            first: it.first,
            newest: it.newest,
        }))
    }

    fn session(&mut self, author: Author) -> Result<Option<SessionRow>> {
        let oldest = oldest_session(&self.connection, &self.settings, &self.clock)?;
        let select = "SELECT author, secret, name, seen, quit, password FROM sessions
            WHERE author = ?1 AND seen >= ?2";
        let values = (author, oldest);
        Ok(select_one(&self.connection, select, values, session_row)?)
    }

    fn session_with_mark(&mut self, mark: &[u8; 20]) -> Result<Option<Author>> {
        let oldest = oldest_session(&self.connection, &self.settings, &self.clock)?;
        let select = "SELECT author FROM sessions WHERE password = ?1 AND seen >= ?2
            ORDER BY seen DESC LIMIT 1";
        let author = |row: &rusqlite::Row<'_>| row.get(0);
        Ok(select_one(
            &self.connection,
            select,
            (mark, oldest),
            author,
        )?)
    }

    fn conversations(&mut self, of: Author, most: usize) -> Result<Vec<ConversationRow>> {
        let select = "SELECT CASE WHEN one = ?1 THEN other ELSE one END, newest FROM (
                SELECT * FROM (SELECT one, other, newest, used FROM places
                    WHERE name IS NULL AND one = ?1 AND newest > 0 ORDER BY used DESC LIMIT ?2)
                UNION ALL SELECT * FROM (SELECT one, other, newest, used FROM places
                    WHERE name IS NULL AND other = ?1 AND one <> ?1 AND newest > 0
                    ORDER BY used DESC LIMIT ?2)
            ) ORDER BY used DESC LIMIT ?2";
        let rows = select_all(&self.connection, select, (of, most), |row| {
            let (other, newest) = row.try_into()?;
            Ok(ConversationRow { other, newest })
        });
        Ok(rows?)
    }

    fn remembered(&mut self, channels: usize, seen_within: Duration, now: Now) -> Remembered {
        self.observe(now);
        let within = seen_within.as_millis() as u64;
        let since = UnixMillis(self.clock.believed().0.saturating_sub(within));
        let read = || -> rusqlite::Result<Remembered> {
            let select = "SELECT writing, pinned, name, newest FROM places
                WHERE name IS NOT NULL AND (newest > 0 OR writing <> 0) AND NOT removed
                ORDER BY used DESC LIMIT ?1";
            let channels = select_all(&self.connection, select, [channels], |row| {
                Ok(ChannelRow {
                    settings: read_settings(row)?,
                    name: row.get(2)?,
                    newest: row.get(3)?,
                })
            })?;
            let select = "SELECT author, secret, name, seen, quit, password FROM sessions
                WHERE seen > ?1 AND NOT quit ORDER BY seen DESC LIMIT ?2";
            let values = (since, REMEMBERED_SESSIONS);
            let sessions = select_all(&self.connection, select, values, session_row)?;
            let select = "SELECT author, name, muted_until, kicked_until FROM sanctions";
            let sanctions = select_all(&self.connection, select, [], |row| {
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
                door_is_closed: self.connection.query_row(door, [], |row| row.get(0))?,
            })
        };
        // An error is unlikely: the file was read when it was opened, a moment ago.
        read().unwrap_or_default()
    }

    fn maintain(&mut self, now: Now) -> Result<()> {
        self.observe(now);
        if let Some((what, at)) = self.lost {
            if self.file.check(&self.epoch).is_ok() {
                // It was moved back.
                (self.lost, self.must_reopen) = (None, true);
            } else if now.mono >= at {
                self.lost = Some((what, now.mono.after(RESTORE_AGAIN)));
                let restored = self.restore(now.unix);
                let error = |why| StoreError(format!("its file {what}; not restored: {why}"));
                restored.map_err(error)?;
            }
        }
        self.check_file(now)?;
        if self.holds_deleted && now.mono.since(self.emptied_at) >= FILE_CHECK {
            self.emptied_at = now.mono;
            self.checkpoint(true);
        }
        if self.ready_to_write(now).is_err() {
            // The next commit reports it.
            return Ok(());
        }
        let is_old = self.clock.believed().0.abs_diff(self.stored_time.0) >= STORE_TIME;
        let stored = if is_old { self.store_time() } else { Ok(()) };
        let (settings, clock) = (&self.settings, &self.clock);
        let pruned = stored.and_then(|()| {
            self.pruning
                .step(&self.connection, settings, clock, now.mono)
        });
        match pruned {
            Ok(has_deleted) => self.holds_deleted |= has_deleted,
            // The next step comes soon.
            Err(error) if is_busy(&error) => {}
            Err(error) => return Err(self.write_failed(error)),
        }
        self.checkpoint_if_due();
        Ok(())
    }

    fn next_maintenance(&self) -> Option<Duration> {
        let pruning = self.pruning.interval().filter(|_| self.lost.is_none());
        Some(pruning.unwrap_or(FILE_CHECK))
    }

    fn is_locked(&self) -> bool {
        self.is_locked
    }

    fn take_commit_time(&mut self) -> Option<Duration> {
        self.commit_time.take()
    }

    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    /// A number that could not be reserved is given all the same: a full disk keeps no user out.
    fn next_author(&mut self) -> Author {
        self.newest_author.0 += 1;
        let reserved = self.reserved_authors;
        if self.newest_author.0 > reserved && self.lost.is_none() && !self.must_reopen {
            self.reserved_authors = self.newest_author.0 + AUTHORS_AT_ONCE - 1;
            if let Err(error) = self.store_time() {
                self.reserved_authors = reserved;
                self.write_failed(error);
            }
        }
        self.newest_author
    }
}
