//! Runs work on several threads at once, and shows the progress.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// More threads would take the machine's descriptors.
const MOST_JOBS: usize = 500;

/// Does `work` for each index below `count`, on at most `jobs` threads, and passes each result with
/// its index to `done` on this thread, in the order in which they finish. `done` returns `false` to
/// stop.
pub(super) fn in_parallel<R: Send>(
    jobs: usize,
    count: usize,
    work: impl Fn(usize) -> R + Sync,
    mut done: impl FnMut(usize, R) -> bool,
) {
    let (next, work) = (AtomicUsize::new(0), &work);
    let (send, receive) = channel();
    thread::scope(|scope| {
        for _ in 0..jobs.min(count).min(MOST_JOBS) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                let mut indices = indices.take_while(|index| *index < count);
                indices.all(|index| send.send((index, work(index))).is_ok())
            });
        }
        drop(send);
        // Without the receiver, the other threads end.
        let mut results = receive.into_iter();
        results.all(|(index, result)| done(index, result));
    });
}

/// Replaces the line of progress on standard error, if that is a terminal.
pub(super) fn show_progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_work_ends_when_done_says_so() {
        let mut results = 0;
        let done = |_, _| {
            results += 1;
            results < 10
        };
        in_parallel(4, usize::MAX, |index| index, done);
        assert_eq!(results, 10);
    }
}
