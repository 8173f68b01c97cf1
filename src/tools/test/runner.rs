//! Runs work on several threads at once, and shows the progress.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

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
        for _ in 0..jobs.min(count) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                let mut indices = indices.take_while(|index| *index < count);
                indices.all(|index| send.send((index, work(index))).is_ok())
            });
        }
        drop(send);
        receive.iter().all(|(index, result)| done(index, result));
        next.store(count, Ordering::Relaxed);
    });
}

/// Replaces the line of progress on standard error, if that is a terminal.
pub(super) fn show_progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}
