//! Runs work on several threads at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// Does `work` for each item, on at most `jobs` threads, and passes each result with the item's
/// index to `done` on this thread, in the order in which they finish. `done` returns `false` to
/// stop.
pub(super) fn in_parallel<T: Sync, R: Send>(
    jobs: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(usize, R) -> bool,
) {
    let (next, work) = (AtomicUsize::new(0), &work);
    let (send, receive) = channel();
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    if send.send((index, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        while let Ok((index, result)) = receive.recv() {
            if !done(index, result) {
                next.store(items.len(), Ordering::Relaxed);
                break;
            }
        }
    });
}
