//! When the next turn must begin, and which deadlines count in it.

use super::{Hub, Socket};
use crate::time::Millis;
use std::cmp::Reverse;
use std::time::Duration;

/// The time until a commit is repeated, while another program has locked the history.
const COMMIT_RETRY: Duration = Duration::from_millis(10);
/// A deadline that is noticed this late was missed because the process was suspended. After that,
/// deadlines are held back no longer than this.
const SUSPENSION: Duration = Duration::from_secs(1);

impl<S: Socket> Hub<S> {
    /// Returns the next deadline of a connection or of the chat.
    pub(super) fn wake_at(&self) -> Option<Millis> {
        let reminder = self.reminders.peek().map(|Reverse((at, _))| *at);
        let is_waiting = self.chat.is_waiting();
        let retry = is_waiting.then(|| self.cx.now.mono.after(COMMIT_RETRY));
        let deadlines = [reminder, retry, self.chat.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Returns whether deadlines count in this turn. After a suspension of the process they don't,
    /// until what peers sent meanwhile has been read: until a turn without input, or for a second.
    fn deadlines_count(&mut self) -> bool {
        let now = self.cx.now.mono;
        let is_quiet = !std::mem::take(&mut self.had_input) && !self.reading.has_work();
        match self.deadlines_from {
            None if self.promised.is_some_and(|at| at.after(SUSPENSION) < now) => {
                self.deadlines_from = Some(now.after(SUSPENSION));
            }
            Some(from) if is_quiet || from <= now => self.deadlines_from = None,
            _ => {}
        }
        self.deadlines_from.is_none()
    }

    /// Step 3: pings, closes or drops the connections whose deadline has passed, and runs the
    /// chat's timers.
    pub(super) fn due(&mut self) {
        if !self.deadlines_count() {
            return;
        }
        let now = self.cx.now;
        while let Some(Reverse((at, id))) = self.reminders.peek().copied()
            && at <= now.mono
        {
            self.reminders.pop();
            let Some(connection) = self.connections.get_mut(id) else {
                continue;
            };
            if connection.reminder != at {
                continue;
            }
            connection.reminder = Millis(u64::MAX);
            connection.check_deadline(&mut self.cx);
            self.update_derived(id);
        }
        if self.chat.next_deadline().is_some_and(|at| at <= now.mono) {
            self.chat.tick(now, &mut self.effects);
            self.carry_out();
        }
    }
}
