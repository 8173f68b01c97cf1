//! Runs work on several threads at once.

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
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || send.send((index, work(index))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        while let Ok((index, result)) = receive.recv() {
            if !done(index, result) {
                next.store(count, Ordering::Relaxed);
                break;
            }
        }
    });
}
