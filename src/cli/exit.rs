//! Exit codes (DESIGN 4.1), never renumbered.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A fault: ours, the machine's, or a check that found something wrong.
    Fault = 1,
    /// Wrongly called.
    Usage = 2,
    /// The scope refused and nothing was sent.
    Scope = 3,
    /// Done in part.
    Part = 4,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with the exit code it means.
#[derive(Debug)]
pub(super) struct Stop {
    /// The code.
    pub(super) exit: Exit,
    /// Why.
    pub(super) error: anyhow::Error,
}

impl Stop {
    /// Wrongly called.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// The scope refused.
    pub(super) fn scope(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Scope, error: error.into() }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self { exit: Exit::Fault, error: error.into() }
    }
}
