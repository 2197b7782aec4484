//! Why a connection was not permitted, and the exchange that says so.

use crate::observation::{End, Exchange, Step};
use crate::scope::Refusal;

/// The note of a connection that was not made because its network had said no.
pub(super) const WITHHELD: &str = "this network said no, so it is not asked any more in this run";

/// Why there is no permit.
pub(super) enum Refused {
    Stopped,
    Exhausted,
    Withheld,
    Scope(Refusal),
}

impl Refused {
    pub(super) fn into_exchange(self, step: Step) -> Exchange {
        match self {
            Self::Stopped => Exchange::unsent(step, End::Stopped, None),
            Self::Exhausted => {
                let note = "this host has had all the connections the scope allows".to_owned();
                Exchange::unsent(step, End::OutOfScope, Some(note))
            }
            Self::Withheld => Exchange::unsent(step, End::OutOfScope, Some(WITHHELD.to_owned())),
            Self::Scope(refusal) => Exchange::unsent(step, End::OutOfScope, Some(refusal.to_string())),
        }
    }
}
