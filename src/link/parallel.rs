//! Work on all processors. Where no further thread is to be had the calling one does it.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// What two pieces of work make, done at the same time; the first may be done on another thread.
pub(super) fn both<A: Send, B>(one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let running = thread::Builder::new().spawn_scoped(scope, &one);
        let other = other();
        let one = running
            .map_or_else(|_| one(), |running| running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        (one, other)
    })
}

/// What `work` makes of each thing, in their order.
pub(super) fn map<T: Send, R: Send>(things: impl IntoIterator<Item = T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let Ok(done) = map_read(things.into_iter().map(Ok::<T, Infallible>), work);
    done
}

/// The same of things that the calling thread reads one after the other, while others work on those that are read.
///
/// # Errors
/// The first that reading gives.
pub(super) fn map_read<T: Send, R: Send, E>(
    things: impl Iterator<Item = Result<T, E>>,
    work: impl Fn(T) -> R + Sync,
) -> Result<Vec<R>, E> {
    let most = things.size_hint().1.unwrap_or(usize::MAX);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(most);
    let (give, take) = mpsc::channel::<(usize, T)>();
    let take = Mutex::new(take);
    let next = || take.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let run = || std::iter::from_fn(next).map(|(place, thing)| (place, work(thing))).collect::<Vec<(usize, R)>>();
    let mut done = thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, run).ok();
        let others: Vec<_> = (1..workers).map_while(start).collect();
        let read = things.enumerate().try_for_each(|(place, thing)| {
            // Nobody is gone who takes: the receiver is here.
            let _ = give.send((place, thing?));
            Ok(())
        });
        drop(give);
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        read.map(|()| done)
    })?;
    done.sort_unstable_by_key(|one| one.0);
    Ok(done.into_iter().map(|one| one.1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_worked_on_once_and_the_order_stays() {
        let doubled = map(0..1000, |n: u32| 2 * n);
        assert_eq!(doubled, (0..1000).map(|n| 2 * n).collect::<Vec<u32>>());
        assert!(map(Vec::<u32>::new(), |n| n).is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_the_answer() {
        let of = |bad: Option<u32>| map_read((0..50).map(|n| if Some(n) == bad { Err(n) } else { Ok(n) }), |n| n + 1);
        assert_eq!(of(None), Ok((1..=50).collect()));
        assert_eq!(of(Some(17)), Err(17));
    }

    #[test]
    fn both_are_done() {
        assert_eq!(both(|| 1, || 2), (1, 2));
    }
}
