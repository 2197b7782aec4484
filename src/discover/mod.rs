//! Who answers, before any protocol is spoken.
//!
//! [`Discovery::Connect`] sends nothing of its own: the first connection of a service's first conversation is the
//! question, which saves one connection to every live port. [`Discovery::Syn`] is a stage before the workers: it asks
//! every port by a SYN alone, and only hosts that answer get connections.

mod cookie;
mod kind;
mod parked;
mod sift;
mod syn;

pub use cookie::Cookies;
pub use kind::Kind;
pub use sift::{Figures, Job, Patience, Sift, Sifted};
pub use syn::{Next, Stage, Syn};

/// How a run finds out who answers.
#[derive(Debug)]
pub enum Discovery {
    /// By the first connection itself.
    Connect,
    /// By SYNs.
    Syn(Box<Syn>),
}

impl Discovery {
    /// The stable name in summaries.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Syn(_) => "syn",
        }
    }

    /// The same for the run of this number.
    #[must_use]
    pub fn for_run(self, run: i64) -> Self {
        match self {
            Self::Connect => Self::Connect,
            Self::Syn(syn) => Self::Syn(Box::new(syn.for_run(run.unsigned_abs()))),
        }
    }
}
