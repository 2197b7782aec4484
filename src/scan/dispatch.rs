//! Which host is next: indices of the seeded order, handed out inside a window.
//!
//! The position of a run is an index, not an address. Everything below `low` is committed; above it at most `window`
//! indices are outstanding, so a host that holds out cannot make the run's memory grow, and a kill repeats at most the
//! window.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a worker that asks for work gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pull {
    /// The host at this index of the order.
    Host(u64),
    /// The window is full: wait for a commit.
    Full,
    /// All indices are handed out.
    End,
}

/// Hands out indices and keeps the position.
#[derive(Debug)]
pub(super) struct Dispatcher {
    total: u64,
    window: u64,
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug)]
struct State {
    next: u64,
    low: u64,
    /// Committed indices above `low`.
    done: BTreeSet<u64>,
}

impl Dispatcher {
    /// Starts at a position: all below `low` done, and `done` above it.
    pub(super) fn new(total: u64, window: u64, low: u64, done: BTreeSet<u64>) -> Self {
        Self { total, window, state: Mutex::new(State { next: low, low, done }), moved: Notify::new() }
    }

    /// The next index to work on.
    pub(super) fn pull(&self) -> Pull {
        let mut state = self.lock();
        loop {
            if state.next >= self.total {
                return Pull::End;
            }
            if state.next - state.low >= self.window {
                return Pull::Full;
            }
            let index = state.next;
            state.next += 1;
            if !state.done.contains(&index) {
                return Pull::Host(index);
            }
        }
    }

    /// The position once `indices` are committed too: what goes into their own transaction.
    pub(super) fn position_with(&self, indices: &[u64]) -> (u64, BTreeSet<u64>) {
        let state = self.lock();
        let mut done = state.done.clone();
        done.extend(indices);
        let low = advance(state.low, &mut done);
        (low, done)
    }

    /// `indices` are committed.
    pub(super) fn committed(&self, low: u64, done: BTreeSet<u64>) {
        let mut state = self.lock();
        state.low = low;
        state.done = done;
        drop(state);
        self.moved.notify_waiters();
    }

    /// Returns when the window has moved since this future was made.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Indices handed out and not yet committed.
    pub(super) fn outstanding(&self) -> u64 {
        let state = self.lock();
        (state.next - state.low).saturating_sub(state.done.len() as u64)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn advance(mut low: u64, done: &mut BTreeSet<u64>) -> u64 {
    while done.remove(&low) {
        low += 1;
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_skips_what_is_done_and_repeats_nothing_else() {
        let dispatcher = Dispatcher::new(6, 100, 1, BTreeSet::from([2, 4]));
        let pulled: Vec<Pull> = std::iter::repeat_with(|| dispatcher.pull()).take(5).collect();
        assert_eq!(pulled, [Pull::Host(1), Pull::Host(3), Pull::Host(5), Pull::End, Pull::End]);
    }

    #[test]
    fn the_window_holds_until_its_lowest_index_is_committed() {
        let dispatcher = Dispatcher::new(10, 2, 0, BTreeSet::new());
        assert_eq!(dispatcher.pull(), Pull::Host(0));
        assert_eq!(dispatcher.pull(), Pull::Host(1));
        assert_eq!(dispatcher.pull(), Pull::Full);
        let (low, done) = dispatcher.position_with(&[1]);
        assert_eq!((low, done.len()), (0, 1));
        dispatcher.committed(low, done);
        assert_eq!(dispatcher.pull(), Pull::Full);
        let (low, done) = dispatcher.position_with(&[0]);
        assert_eq!((low, done.len()), (2, 0));
        dispatcher.committed(low, done);
        assert_eq!(dispatcher.pull(), Pull::Host(2));
    }
}
