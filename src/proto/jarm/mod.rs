//! JARM: ten hellos, each on its own connection, and the fingerprint of how a TLS stack answers them.
//!
//! In: the [`Step::Jarm`] connections of a capture, several per slot where a time-out was asked again. Out: `tls.jarm`
//! with its raw parts, JA3S of probe 0, and the certificates that came in clear. Defined by `jarm.py` of
//! salesforce/jarm, commit e00ad79; three departures, all so that the network's faults do not look like another server:
//! the key share is a real one ([`hello`]), the first record is read whole ([`answer::seen`]), and a time-out leaves one
//! slot unknown where `jarm.py` throws all ten away ([`Slot::Unknown`]). What a parser of the first segment alone would
//! have seen stands beside it as `tls.jarm_first_read` when it differs.
//!
//! It never finishes a handshake.

pub mod answer;
pub mod fold;
pub mod hello;
mod slot;
mod talk;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::{Digest, Md5};

pub use hello::{HelloRandom, PROBES};
pub use slot::{Slot, VoidReason, first_read_part, silent_at_start, slot, slots, stalled_at_start};
pub use talk::{OldHello, Probe};

use super::flight::{self, Flight};
use super::{Protocol, Reading};
use crate::facet::{Facet, FacetKind};
use crate::observation::{Capture, End, Exchange, Outcome, Speech, Step};
use answer::Part;
use slot::Settled;

/// JARM, whose facets stand in the row `tls`.
#[derive(Debug)]
pub struct Jarm;

impl Protocol for Jarm {
    fn id(&self) -> &'static str {
        "jarm"
    }

    fn speech(&self) -> Speech {
        Speech::Tls
    }

    fn read(&self, capture: &Capture) -> Reading {
        let JarmReading { outcome, detail, facets, .. } = read(&capture.exchanges);
        let outcome = capture.ended(outcome);
        Reading { outcome, detail, facets }
    }
}

/// What JARM's connections say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JarmReading {
    /// `Answered` when all ten slots are settled and at least one was answered; `Incomplete` when something was heard
    /// but slots stayed unknown; otherwise how it ended. Of void answers those in which something was said outrank the
    /// others.
    pub outcome: Outcome,
    /// The reasons of void answers, or which slots are unknown.
    pub detail: Option<String>,
    /// `tls.jarm`, `tls.jarm_raw`, `tls.jarm_first_read`, `tls.ja3s`, as far as there are any.
    pub facets: Vec<Facet>,
    /// Flights in which certificates came in clear, in the order of the connections; one leaf may come many times.
    pub leaves: Vec<ClearFlight>,
}

/// The cleartext flight of one connection, with at least one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearFlight {
    /// Which hello it answers: [`Step::Jarm`] or [`Step::OldHello`].
    pub step: Step,
    /// Place of the connection in the capture; its `sent` holds the client's random at bytes 11 to 43.
    pub exchange: usize,
    /// What was said.
    pub flight: Flight,
}

/// Reads JARM out of a capture's connections; those of other steps are passed over. Total.
#[must_use]
pub fn read(exchanges: &[Exchange]) -> JarmReading {
    let ten = slot::settle(exchanges);
    let verdict = Verdict::of(&ten, exchanges);
    let mut facets = Vec::new();
    if verdict.has_jarm {
        facets.extend(jarm_facets(&ten, verdict.zero_reason.as_deref()));
    }
    facets.extend(ja3s_facet(&ten));
    JarmReading { outcome: verdict.outcome, detail: verdict.detail, facets, leaves: clear_flights(exchanges) }
}

struct Verdict {
    outcome: Outcome,
    detail: Option<String>,
    has_jarm: bool,
    zero_reason: Option<String>,
}

impl Verdict {
    fn of(ten: &[Settled<'_>], exchanges: &[Exchange]) -> Self {
        let answered = ten.iter().any(|one| matches!(one.slot, Slot::Answered(_)));
        let all_settled = ten.iter().all(|one| one.slot != Slot::Unknown);
        let voids: Vec<VoidReason> =
            ten.iter().filter_map(|one| if let Slot::Void(reason) = one.slot { Some(reason) } else { None }).collect();
        if all_settled {
            let reason = (!answered).then(|| reason_words(&voids));
            let outcome = if answered { Outcome::Answered } else { void_outcome(&voids) };
            return Self { outcome, detail: reason.clone(), has_jarm: true, zero_reason: reason };
        }
        if silent_at_start(exchanges) {
            let reason = Some("silent".to_owned());
            return Self { outcome: Outcome::TimedOut, detail: reason.clone(), has_jarm: true, zero_reason: reason };
        }
        // Asked and not settled, as against never asked because an earlier answer made it pointless.
        let asked: Vec<&Exchange> =
            ten.iter().filter(|one| one.slot == Slot::Unknown).filter_map(|one| one.exchange).collect();
        let unasked = ten.iter().all(|one| one.exchange.is_none());
        let heard = !voids.is_empty() || asked.iter().any(|one| !one.heard.is_empty());
        let not_ours = asked.iter().map(|one| one.end).find(|end| !end.is_timeout() && *end != End::Full);
        let (outcome, detail) = if unasked {
            (Outcome::Incomplete, "not asked".to_owned())
        } else if answered {
            (Outcome::Incomplete, unknown_words(ten))
        } else if let Some(end) = not_ours {
            (end.outcome(), unknown_words(ten))
        } else if asked.is_empty() {
            (void_outcome(&voids), reason_words(&voids))
        } else if heard {
            (Outcome::Incomplete, unknown_words(ten))
        } else {
            (Outcome::TimedOut, unknown_words(ten))
        };
        Self { outcome, detail: Some(detail), has_jarm: false, zero_reason: None }
    }
}

/// The reasons by how often they came, with counts when they differ.
fn reason_words(voids: &[VoidReason]) -> String {
    let mut counts: BTreeMap<VoidReason, usize> = BTreeMap::new();
    for reason in voids {
        *counts.entry(*reason).or_default() += 1;
    }
    let mut counted: Vec<_> = counts.into_iter().collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    match counted.as_slice() {
        [(only, _)] => only.to_string(),
        all => all.iter().map(|(reason, count)| format!("{reason} ({count})")).collect::<Vec<_>>().join(", "),
    }
}

/// The commonest outcome of void answers, of those alone in which something was said if there are any.
fn void_outcome(voids: &[VoidReason]) -> Outcome {
    let heard: Vec<VoidReason> = voids.iter().copied().filter(|reason| reason.was_heard()).collect();
    let counted = if heard.is_empty() { voids } else { &heard };
    let count = |outcome| counted.iter().filter(|reason| reason.outcome() == outcome).count();
    let outcomes = counted.iter().map(|reason| reason.outcome());
    // Of outcomes as common as each other the one heard first.
    outcomes.rev().max_by_key(|outcome| count(*outcome)).unwrap_or(Outcome::Closed)
}

/// Which slots are unknown, and how their last connection ended.
fn unknown_words(ten: &[Settled<'_>]) -> String {
    let mut out = String::from("unknown slots:");
    for (probe, one) in ten.iter().enumerate().filter(|(_, one)| one.slot == Slot::Unknown) {
        let why = one.exchange.map_or("not asked", |exchange| exchange.end.outcome().as_str());
        let _ = write!(out, " {probe} {why},");
    }
    out.pop();
    out
}

fn jarm_facets(ten: &[Settled<'_>; 10], zero_reason: Option<&str>) -> Vec<Facet> {
    let parts = ten.each_ref().map(|one| if let Slot::Answered(part) = &one.slot { Some(part.clone()) } else { None });
    let jarm = fold::fold(&parts);
    let first_parts = ten.each_ref().map(|one| one.exchange.and_then(first_read_part));
    let first_read = if first_parts == parts { jarm.clone() } else { fold::fold(&first_parts) };

    let mut facet = Facet::new(FacetKind::TlsJarm, jarm.as_str());
    if let Some(reason) = zero_reason {
        facet = facet.with("reason", reason);
    }
    if let Some(odd) = odd_words(ten) {
        facet = facet.with("odd", odd);
    }
    let raw = parts.iter().map(|part| part.as_ref().map_or_else(|| "|||".to_owned(), Part::to_string).into_bytes());
    let mut facets = vec![facet, Facet::list(FacetKind::TlsJarmRaw, raw.collect())];
    if first_read != jarm {
        facets.push(Facet::new(FacetKind::TlsJarmFirstRead, first_read));
    }
    facets
}

/// What makes one of the answers doubtful.
fn odd_words(ten: &[Settled<'_>]) -> Option<String> {
    let mut odd = Vec::new();
    for (probe, one) in ten.iter().enumerate() {
        let (Slot::Answered(part), Some(exchange)) = (&one.slot, one.exchange) else { continue };
        if answer::is_split(&exchange.heard) {
            odd.push(format!("ServerHello split over records in slot {probe}"));
        }
        if fold::is_odd_version(part.version) {
            odd.push(format!("unknown version {:04x} in slot {probe}", part.version));
        }
    }
    (!odd.is_empty()).then(|| odd.join(", "))
}

/// JA3S of the answer to probe 0: MD5 of version, cipher and extension types in decimal (salesforce/ja3).
fn ja3s_facet(ten: &[Settled<'_>]) -> Option<Facet> {
    let flight = flight::read(&ten.first()?.exchange?.heard);
    let value = Md5::digest(ja3s(&flight)?);
    let hex: String = value.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    Some(Facet::new(FacetKind::TlsJa3s, hex).with("probe", 0))
}

/// The text that JA3S is the MD5 of; `None` without a readable `ServerHello`.
#[must_use]
pub fn ja3s(flight: &Flight) -> Option<String> {
    let hello = flight.hello.as_ref()?;
    let mut out = format!("{},{},", hello.legacy_version, flight.cipher);
    for (place, kind) in hello.extensions.iter().enumerate() {
        let dash = if place == 0 { "" } else { "-" };
        let _ = write!(out, "{dash}{kind}");
    }
    Some(out)
}

fn clear_flights(exchanges: &[Exchange]) -> Vec<ClearFlight> {
    let hellos = exchanges.iter().enumerate().filter(|(_, one)| matches!(one.step, Step::Jarm(_) | Step::OldHello));
    hellos
        .map(|(exchange, one)| ClearFlight { step: one.step.clone(), exchange, flight: flight::read(&one.heard) })
        .filter(|clear| !clear.flight.chain.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reasons_are_counted_only_when_they_differ() {
        use VoidReason as V;
        assert_eq!(reason_words(&[V::Reset; 10]), "reset");
        assert_eq!(reason_words(&[V::Closed, V::Reset, V::Reset]), "reset (2), closed (1)");
    }

    #[test]
    fn what_was_said_outranks_what_was_not() {
        use VoidReason as V;
        let alert = V::Alert(2, 40);
        assert_eq!(void_outcome(&[V::Closed, V::Closed, alert]), Outcome::TlsAlert);
        assert_eq!(void_outcome(&[V::Alert(2, 40), V::Alert(2, 70), V::NotTls]), Outcome::TlsAlert);
        assert_eq!(void_outcome(&[V::NotTls, V::Closed, V::Reset]), Outcome::Mismatch);
        assert_eq!(void_outcome(&[V::Closed, V::CutOff, V::Reset]), Outcome::Closed);
        assert_eq!(void_outcome(&[V::Reset, V::Closed]), Outcome::Reset, "as common as each other: the first");
    }

    proptest! {
        #[test]
        fn any_connections_give_a_reading_with_all_of_a_jarm_or_nothing_of_it(
            all in proptest::collection::vec((0..12_u8, 0..11_usize, proptest::collection::vec(any::<u8>(), 0..20)), 0..15),
        ) {
            let ends = [
                End::Done, End::Closed, End::Reset, End::Refused, End::Unreachable, End::ConnectTimedOut,
                End::ReadTimedOut, End::Full, End::OutOfScope, End::Stopped, End::Failed,
            ];
            let exchanges: Vec<Exchange> = all
                .into_iter()
                .map(|(probe, end, heard)| Exchange {
                    first_read: 9, heard, ..Exchange::unsent(Step::Jarm(probe), ends[end], None)
                })
                .collect();
            let reading = read(&exchanges);
            let has = |kind| reading.facets.iter().any(|facet| facet.kind == kind);
            prop_assert_eq!(has(FacetKind::TlsJarm), has(FacetKind::TlsJarmRaw));
            if has(FacetKind::TlsJarm) {
                let settled = slots(&exchanges).iter().all(|one| *one != Slot::Unknown);
                prop_assert!(settled || silent_at_start(&exchanges));
            }
        }
    }
}
