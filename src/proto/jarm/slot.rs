//! The ten slots of a JARM: each is answered, void for a reason, or unknown. Unknown is never filled in.

use std::fmt;

use super::answer::{self, Part, Seen};
use super::hello::PROBES;
use crate::observation::{End, Exchange, Outcome, Step};
use crate::proto::flight::alert_words;

/// What one probe of the ten gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A `ServerHello` that could be read.
    Answered(Part),
    /// Settled, and there is nothing to read: the reference's `|||`.
    Void(VoidReason),
    /// Not settled: time or patience ran out, the run was stopped, or it was not asked. To be asked again.
    Unknown,
}

/// Why a slot is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VoidReason {
    /// TLS was refused: level and description of the alert.
    Alert(u8, u8),
    /// The bytes heard are not TLS.
    NotTls,
    /// TLS, but something else than a `ServerHello` came first.
    NoHello,
    /// A `ServerHello` on which the reference fails.
    Unreadable,
    /// The far side closed before its first record was whole.
    CutOff,
    /// The far side reset before its first record was whole.
    ResetWithin,
    /// Reset without a byte.
    Reset,
    /// Closed without a byte.
    Closed,
    /// The connection was refused.
    Refused,
    /// The network said no.
    Unreachable,
}

impl VoidReason {
    /// The outcome of a probe all of whose slots are void for this reason.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Alert(..) => Outcome::TlsAlert,
            Self::NotTls | Self::NoHello | Self::Unreadable => Outcome::Mismatch,
            Self::Reset | Self::ResetWithin => Outcome::Reset,
            Self::Closed | Self::CutOff => Outcome::Closed,
            Self::Refused => Outcome::Refused,
            Self::Unreachable => Outcome::Unreachable,
        }
    }

    /// True when the far side said something that was whole.
    pub(super) fn was_heard(self) -> bool {
        matches!(self, Self::Alert(..) | Self::NotTls | Self::NoHello | Self::Unreadable)
    }
}

impl fmt::Display for VoidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert(_, description) => return f.write_str(&alert_words(*description)),
            Self::NotTls => "not TLS",
            Self::NoHello => "no ServerHello",
            Self::Unreadable => "unreadable ServerHello",
            Self::CutOff => "cut off",
            Self::ResetWithin => "cut off by a reset",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
        })
    }
}

/// What one connection for one of the ten hellos says.
///
/// The bytes decide if they can, however the connection ended; otherwise its end does.
#[must_use]
pub fn slot(exchange: &Exchange) -> Slot {
    let undecided = match answer::seen(&exchange.heard, exchange.first()) {
        Seen::Hello(bytes) => return answer::parse(bytes).map_or(Slot::Void(VoidReason::Unreadable), Slot::Answered),
        Seen::Alert(level, description) => return Slot::Void(VoidReason::Alert(level, description)),
        Seen::NoHello => return Slot::Void(VoidReason::NoHello),
        Seen::NotTls => return Slot::Void(VoidReason::NotTls),
        Seen::Undecided => exchange.heard.as_slice(),
    };
    let nothing = undecided.is_empty();
    Slot::Void(match exchange.end {
        End::Done | End::Closed if nothing => VoidReason::Closed,
        End::Done | End::Closed => VoidReason::CutOff,
        End::Reset if nothing => VoidReason::Reset,
        End::Reset => VoidReason::ResetWithin,
        End::Refused => VoidReason::Refused,
        End::Unreachable => VoidReason::Unreachable,
        End::ConnectTimedOut | End::ReadTimedOut | End::Full | End::OutOfScope | End::Stopped | End::Failed => {
            return Slot::Unknown;
        }
    })
}

/// What a parser of the first read alone, capped as in the reference, makes of the same connection.
#[must_use]
pub fn first_read_part(exchange: &Exchange) -> Option<Part> {
    let first = exchange.first();
    answer::parse(first.get(..answer::FIRST_READ).unwrap_or(first))
}

/// One slot with the connection it rests on: the last settled one, or else the last.
#[derive(Clone, Debug)]
pub(super) struct Settled<'a> {
    pub(super) slot: Slot,
    /// `None` when the probe was never sent.
    pub(super) exchange: Option<&'a Exchange>,
}

/// The ten slots with their connections.
pub(super) fn settle(exchanges: &[Exchange]) -> [Settled<'_>; PROBES as usize] {
    let mut slots = [const { Settled { slot: Slot::Unknown, exchange: None } }; PROBES as usize];
    for exchange in exchanges {
        let Step::Jarm(probe) = exchange.step else { continue };
        let Some(settled) = slots.get_mut(usize::from(probe)) else { continue };
        let slot = slot(exchange);
        if slot != Slot::Unknown || settled.slot == Slot::Unknown {
            *settled = Settled { slot, exchange: Some(exchange) };
        }
    }
    slots
}

/// The ten slots in probe order. The last settled connection of each counts; connections of other steps are passed over.
#[must_use]
pub fn slots(exchanges: &[Exchange]) -> [Slot; PROBES as usize] {
    settle(exchanges).map(|settled| settled.slot)
}

/// True when the first two of JARM's connections timed out without a byte heard and none was settled: the service is
/// silent, and no more hellos need be sent.
#[must_use]
pub fn silent_at_start(exchanges: &[Exchange]) -> bool {
    let mut jarm = exchanges.iter().filter(|one| matches!(one.step, Step::Jarm(_)));
    let silent = |one: &Exchange| one.end.is_timeout() && one.heard.is_empty();
    let first_two = jarm.by_ref().take(2).filter(|one| silent(one)).count();
    first_two == 2 && jarm.all(|one| one.heard.is_empty() && slot(one) == Slot::Unknown)
}

/// True when the first two of JARM's connections timed out and what was heard on them decides nothing: silent, or so slow
/// that each further hello would only cost its whole deadline once more. Ten of them, asked twice, would hold one host's
/// place for four minutes.
#[must_use]
pub fn stalled_at_start(exchanges: &[Exchange]) -> bool {
    let jarm = exchanges.iter().filter(|one| matches!(one.step, Step::Jarm(_)));
    jarm.take(2).filter(|one| one.end.is_timeout() && slot(one) == Slot::Unknown).count() == 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(probe: u8, bytes: &[u8], end: End) -> Exchange {
        let first_read = u32::try_from(bytes.len()).unwrap();
        Exchange { heard: bytes.to_vec(), first_read, ..Exchange::unsent(Step::Jarm(probe), end, None) }
    }

    fn hello() -> Vec<u8> {
        let mut bytes = vec![22, 3, 3, 0, 44, 2, 0, 0, 40, 3, 3];
        bytes.extend([7; 32]);
        bytes.extend([0, 0xc0, 0x2f, 0, 0, 4, 0, 23, 0, 0]);
        bytes[4] = u8::try_from(bytes.len() - 5).unwrap();
        bytes[8] = bytes[4] - 4;
        bytes
    }

    #[test]
    fn the_end_decides_only_where_the_bytes_do_not() {
        use VoidReason as V;
        let cases = [
            (End::Refused, Slot::Void(V::Refused), Slot::Void(V::Refused)),
            (End::Reset, Slot::Void(V::Reset), Slot::Void(V::ResetWithin)),
            (End::Closed, Slot::Void(V::Closed), Slot::Void(V::CutOff)),
            (End::Unreachable, Slot::Void(V::Unreachable), Slot::Void(V::Unreachable)),
            (End::ConnectTimedOut, Slot::Unknown, Slot::Unknown),
            (End::ReadTimedOut, Slot::Unknown, Slot::Unknown),
            (End::Stopped, Slot::Unknown, Slot::Unknown),
            (End::OutOfScope, Slot::Unknown, Slot::Unknown),
            (End::Failed, Slot::Unknown, Slot::Unknown),
        ];
        let whole = hello();
        for (end, nothing, cut) in cases {
            assert_eq!(slot(&heard(0, b"", end)), nothing, "{end:?}, nothing heard");
            assert_eq!(slot(&heard(0, &whole[..whole.len() - 1], end)), cut, "{end:?}, cut");
            assert!(matches!(slot(&heard(0, &whole, end)), Slot::Answered(_)), "{end:?}, whole");
            assert_eq!(slot(&heard(0, b"SSH-2.0-x\r\n", end)), Slot::Void(V::NotTls), "{end:?}, not TLS");
        }
    }

    #[test]
    fn the_last_settled_attempt_counts() {
        let alert = &[21, 3, 3, 0, 2, 2, 40];
        let mut exchanges = vec![heard(3, b"", End::ReadTimedOut), heard(3, &hello(), End::Done)];
        exchanges.push(heard(3, b"", End::ReadTimedOut));
        assert!(matches!(slots(&exchanges)[3], Slot::Answered(_)));
        exchanges.push(heard(3, alert, End::Done));
        assert_eq!(slots(&exchanges)[3], Slot::Void(VoidReason::Alert(2, 40)));
        assert_eq!(slots(&exchanges)[4], Slot::Unknown);
    }

    #[test]
    fn silence_is_two_timeouts_at_the_start_with_nothing_heard_ever() {
        let timeout = |probe| heard(probe, b"", End::ReadTimedOut);
        assert!(!silent_at_start(&[]));
        assert!(!silent_at_start(&[timeout(0)]));
        assert!(silent_at_start(&[timeout(0), timeout(0)]));
        assert!(silent_at_start(&[timeout(0), heard(1, b"", End::ConnectTimedOut)]));
        assert!(!silent_at_start(&[timeout(0), heard(0, &[22, 3], End::ReadTimedOut)]), "it spoke, slowly");
        assert!(!silent_at_start(&[timeout(0), timeout(1), heard(2, &hello(), End::Done)]));
        assert!(!silent_at_start(&[timeout(0), timeout(1), heard(2, b"", End::Refused)]));
    }

    #[test]
    fn two_timeouts_at_the_start_that_decide_nothing_are_a_stall_and_one_answer_is_none() {
        let slow = heard(0, &[22, 3, 3, 0], End::ReadTimedOut);
        let silent = heard(1, b"", End::ReadTimedOut);
        assert!(stalled_at_start(&[slow.clone(), silent.clone()]));
        assert!(!silent_at_start(&[slow.clone(), silent.clone()]), "it is not silent");
        assert!(!stalled_at_start(std::slice::from_ref(&slow)));
        assert!(!stalled_at_start(&[slow.clone(), heard(1, &hello(), End::ReadTimedOut)]), "late, but it answered");
        assert!(!stalled_at_start(&[heard(0, b"", End::Reset), slow, silent]), "not at the start");
    }

    #[test]
    fn a_step_that_is_no_probe_of_jarm_is_passed_over() {
        let mut other = heard(0, &hello(), End::Done);
        other.step = Step::OldHello;
        assert!(slots(&[other, heard(77, &hello(), End::Done)]).iter().all(|one| *one == Slot::Unknown));
    }

    proptest! {
        #[test]
        fn any_exchange_gives_a_slot(
            bytes in proptest::collection::vec(any::<u8>(), 0..100), first_read: u32, cut in 0..60_usize,
        ) {
            let mut exchange = heard(0, &bytes, End::Closed);
            exchange.first_read = first_read;
            let _ = (slot(&exchange), first_read_part(&exchange));
            let whole = hello();
            exchange.heard = whole[..cut.min(whole.len())].to_vec();
            prop_assert_eq!(matches!(slot(&exchange), Slot::Answered(_)), cut >= whole.len());
        }
    }
}
