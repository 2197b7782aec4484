//! The same work on several things, on all processors.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// What `work` makes of each thing, in their order. Where no further thread is to be had the calling one does all.
pub(super) fn map<T: Send, R: Send>(things: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(things.len());
    let left = Mutex::new(things.into_iter().enumerate());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || std::iter::from_fn(next).map(|(place, thing)| (place, work(thing))).collect::<Vec<(usize, R)>>();
    let mut done = thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, run).ok();
        let others: Vec<_> = (1..workers).map_while(start).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
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
