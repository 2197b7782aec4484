//! Which host is next: indices of the seeded order, handed out inside a window.
//!
//! The position of a run is an index, not an address. Everything below `low` is committed; above it at most `window`
//! indices are outstanding, so a host that holds out cannot make the run's memory grow, and a kill repeats at most the
//! window.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::store::Position;

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
    /// What is committed.
    position: Position,
}

impl Dispatcher {
    /// Goes on from a position.
    pub(super) fn new(total: u64, window: u64, position: Position) -> Self {
        Self { total, window, state: Mutex::new(State { next: position.low, position }), moved: Notify::new() }
    }

    /// The next index to work on.
    pub(super) fn pull(&self) -> Pull {
        let mut state = self.lock();
        loop {
            if state.next >= self.total {
                return Pull::End;
            }
            if state.next - state.position.low >= self.window {
                return Pull::Full;
            }
            let index = state.next;
            state.next += 1;
            if !state.position.is_done(index) {
                return Pull::Host(index);
            }
        }
    }

    /// The position once `indices` are committed too: what goes into their own transaction.
    pub(super) fn position_with(&self, indices: impl Iterator<Item = u64>) -> Position {
        let mut position = self.lock().position.clone();
        for index in indices {
            position.mark(index);
        }
        position
    }

    /// This position is committed.
    pub(super) fn committed(&self, position: Position) {
        self.lock().position = position;
        self.moved.notify_waiters();
    }

    /// Ready when the window has moved since this future was made, polled or not: an `async fn` would begin to listen
    /// only when polled.
    pub(super) fn moved(&self) -> Notified<'_> {
        self.moved.notified()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_skips_what_is_done_and_repeats_nothing_else() {
        let mut position = Position::from(1);
        position.mark(2);
        position.mark(4);
        let dispatcher = Dispatcher::new(6, 100, position);
        let pulled: Vec<Pull> = std::iter::repeat_with(|| dispatcher.pull()).take(5).collect();
        assert_eq!(pulled, [Pull::Host(1), Pull::Host(3), Pull::Host(5), Pull::End, Pull::End]);
    }

    #[test]
    fn a_commit_between_the_pull_and_the_wait_is_not_missed() {
        let dispatcher = Dispatcher::new(100, 8, Position::default());
        let moved = dispatcher.moved();
        dispatcher.committed(dispatcher.position_with(0..8));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let waited = runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(1), moved).await });
        assert!(waited.is_ok(), "a worker with a full window would wait for ever");
    }

    #[test]
    fn the_window_holds_until_its_lowest_indices_are_committed() {
        let dispatcher = Dispatcher::new(100, 8, Position::default());
        assert!((0..8).all(|index| dispatcher.pull() == Pull::Host(index)));
        assert_eq!(dispatcher.pull(), Pull::Full);
        dispatcher.committed(dispatcher.position_with(1..8));
        assert_eq!(dispatcher.pull(), Pull::Full);
        dispatcher.committed(dispatcher.position_with(0..1));
        assert_eq!(dispatcher.pull(), Pull::Host(8));
    }
}
