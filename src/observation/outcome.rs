//! How one probe of one service ended.

use std::fmt;
use std::str::FromStr;

use super::UnknownWord;

/// How one probe of one service ended. A row in the store, not an `Err`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The far side spoke the protocol.
    Answered,
    /// It spoke, but not this protocol.
    Mismatch,
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// The far side closed without an answer.
    Closed,
    /// Nothing came in time.
    TimedOut,
    /// TLS was refused by an alert.
    TlsAlert,
    /// The network said the host cannot be reached.
    Unreachable,
    /// The scope does not permit this; nothing was sent.
    OutOfScope,
    /// The run was stopped first.
    Stopped,
    /// Some slots of a probe stayed unknown after retries.
    Incomplete,
    /// A hunt ruled the host out before the probe was whole.
    Pruned,
    /// Our own fault; `detail` says which.
    Failed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 13] = [
        Self::Answered,
        Self::Mismatch,
        Self::Refused,
        Self::Reset,
        Self::Closed,
        Self::TimedOut,
        Self::TlsAlert,
        Self::Unreachable,
        Self::OutOfScope,
        Self::Stopped,
        Self::Incomplete,
        Self::Pruned,
        Self::Failed,
    ];

    /// The stable word for rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Mismatch => "mismatch",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::TimedOut => "timed_out",
            Self::TlsAlert => "tls_alert",
            Self::Unreachable => "unreachable",
            Self::OutOfScope => "out_of_scope",
            Self::Stopped => "stopped",
            Self::Incomplete => "incomplete",
            Self::Pruned => "pruned",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}
