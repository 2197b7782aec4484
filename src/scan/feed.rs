//! Where workers take their hosts from: the order itself, or what discovery has let through.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::dispatch::{Dispatcher, Pull};
use crate::observation::Presences;

/// What a worker that asks for work gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A host by its index, and what is known of its services.
    Host(u64, Presences),
    /// Nothing just now: wait until the feed has moved.
    Wait,
    /// There is and will be no more.
    End,
}

/// The workers' end of the line.
#[derive(Debug)]
pub(super) enum Feed {
    /// Workers pull from the order; their first connection is the question.
    Order,
    /// Discovery pulls from the order, and workers from what answered it.
    Sifted(Sifted),
}

/// Hosts that answered. Never more than the window of the order, whose indices are outstanding here.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<(u64, Presences)>,
    ended: bool,
}

impl Feed {
    pub(super) fn order() -> Self {
        Self::Order
    }

    pub(super) fn sifted() -> Self {
        Self::Sifted(Sifted::default())
    }

    /// The next host to work on.
    pub(super) fn pull(&self, dispatcher: &Dispatcher) -> Work {
        match self {
            Self::Order => match dispatcher.pull() {
                Pull::Host(index) => Work::Host(index, Presences::NONE),
                Pull::Full => Work::Wait,
                Pull::End => Work::End,
            },
            Self::Sifted(sifted) => {
                let mut state = sifted.lock();
                match state.ready.pop_front() {
                    Some((index, known)) => Work::Host(index, known),
                    None if state.ended => Work::End,
                    None => Work::Wait,
                }
            }
        }
    }

    /// Ready when there may be more work than when this future was made, polled or not.
    pub(super) fn moved<'a>(&'a self, dispatcher: &'a Dispatcher) -> Notified<'a> {
        match self {
            Self::Order => dispatcher.moved(),
            Self::Sifted(sifted) => sifted.moved.notified(),
        }
    }

    /// Hands hosts to the workers.
    pub(super) fn push(&self, hosts: &mut Vec<(u64, Presences)>) {
        if let Self::Sifted(sifted) = self
            && !hosts.is_empty()
        {
            sifted.lock().ready.extend(hosts.drain(..));
            sifted.moved.notify_waiters();
        }
    }

    /// No more will come.
    pub(super) fn end(&self) {
        if let Self::Sifted(sifted) = self {
            sifted.lock().ended = true;
            sifted.moved.notify_waiters();
        }
    }
}

impl Sifted {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Presence;
    use crate::store::Position;

    #[test]
    fn workers_get_what_answered_and_then_the_end() {
        let (feed, dispatcher) = (Feed::sifted(), Dispatcher::new(10, 64, Position::default()));
        assert_eq!(feed.pull(&dispatcher), Work::Wait);
        let known: Presences = [Presence::Heard].into_iter().collect();
        feed.push(&mut vec![(7, known)]);
        feed.end();
        assert_eq!(feed.pull(&dispatcher), Work::Host(7, known));
        assert_eq!(feed.pull(&dispatcher), Work::End);
        assert_eq!(dispatcher.pull(), Pull::Host(0), "the order is discovery's to pull from");
    }
}
