//! The same work on several things, on all processors.

use std::sync::Mutex;
use std::thread;

/// What `work` makes of each thing, in their order.
pub(super) fn map<T: Send, R: Send>(things: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(things.len());
    let left = Mutex::new(things.into_iter().enumerate());
    let next = || left.lock().ok().and_then(|mut left| left.next());
    let run = || std::iter::from_fn(next).map(|(place, thing)| (place, work(thing))).collect::<Vec<(usize, R)>>();
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        ended.flat_map(|one| one.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    done.sort_unstable_by_key(|one| one.0);
    done.into_iter().map(|one| one.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_worked_on_once_and_the_order_stays() {
        let doubled = map((0..1000).collect(), |n: u32| 2 * n);
        assert_eq!(doubled, (0..1000).map(|n| 2 * n).collect::<Vec<u32>>());
        assert!(map(Vec::<u32>::new(), |n| n).is_empty());
    }
}
