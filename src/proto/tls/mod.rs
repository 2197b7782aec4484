//! TLS: the full session, and the row `tls` in which JARM, certificates and session stand together.
//!
//! In: a capture with [`Step::Jarm`], [`Step::OldHello`] and [`Step::Session`] connections, any of them missing. Out:
//! `tls.*` and `cert.*` facets. Whether the far side holds the key of a certificate is checked again at each reading,
//! from the signature as heard; whom a chain leads to is not.

mod clear;
mod session;
mod words;

pub use session::{Request, SessionConversation, SessionError, Whole};

use super::{Protocol, Reading, flight, jarm, x509};
use crate::facet::{Facet, FacetKind};
use crate::observation::{Capture, End, Exchange, Outcome, Session, Speech, Step};

/// Alert `no_application_protocol` (RFC 7301).
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// The full session alone.
#[derive(Debug)]
pub struct Tls;

impl Protocol for Tls {
    fn id(&self) -> &'static str {
        "tls"
    }

    fn speech(&self) -> Speech {
        Speech::Tls
    }

    fn read(&self, capture: &Capture) -> Reading {
        let session = SessionReading::of(&capture.exchanges);
        let (mut facets, mut leaves) = (Vec::new(), Vec::new());
        if let Some(session) = &session {
            facets.extend(session.facets());
            leaves.extend(session.leaf());
        }
        facets.extend(leaves_facets(&leaves));
        let (outcome, detail) = session.map_or((Outcome::Incomplete, Some("not asked".into())), |one| one.ended());
        finished(capture, outcome, detail, facets)
    }
}

/// The row `tls` of a capture.
///
/// Each distinct leaf gives its own set of `cert.*` facets. One that was seen in clear and in the full session appears
/// once, with source `handshake`; it is `proven` when either way proved it, not `proven` when a signature did not fit or
/// it was only shown, and without this remark when no signature could be checked. With more than one leaf, each facet carries
/// the remark `leaf`, a number from 1: the session's leaf first, then those of JARM's connections in order.
///
/// The outcome is `Incomplete` when JARM was asked and is incomplete, otherwise `Answered` when either way was answered;
/// a capture that was cut short says so instead.
#[must_use]
pub fn read_row(capture: &Capture) -> Reading {
    let exchanges = &capture.exchanges;
    let session = SessionReading::of(exchanges);
    let jarm_asked = exchanges.iter().any(|one| matches!(one.step, Step::Jarm(_)));
    let old_asked = exchanges.iter().any(|one| one.step == Step::OldHello);
    let jarm = (jarm_asked || old_asked).then(|| jarm::read(exchanges));

    let mut facets = Vec::new();
    let mut leaves: Vec<Leaf<'_>> = Vec::new();
    if let Some(session) = &session {
        facets.extend(session.facets());
        leaves.extend(session.leaf());
    }
    if let Some(jarm) = &jarm {
        if jarm_asked {
            facets.extend(jarm.facets.iter().cloned());
        }
        for clear in &jarm.leaves {
            let sent = exchanges.get(clear.exchange).map(|one| one.sent.as_slice()).unwrap_or_default();
            add_clear_leaf(&mut leaves, sent, &clear.flight);
        }
    }
    facets.extend(leaves_facets(&leaves));

    let session_end = session.map(|one| one.ended());
    let jarm_end = jarm.map(|one| match (jarm_asked, one.leaves.is_empty()) {
        (true, _) => (one.outcome, one.detail),
        (false, false) => (Outcome::Answered, None),
        (false, true) => (Outcome::Closed, None),
    });
    let (outcome, detail) = both_ends(jarm_end, session_end);
    finished(capture, outcome, detail, facets)
}

/// True when a session failed in a way that leaving out ALPN may mend: the far side refused every offered protocol, or
/// hung up on the hello without a word. The caller then asks once more without ALPN.
#[must_use]
pub fn alpn_refused(session: &Session) -> bool {
    let silent = session.version == 0 && session.alert.is_none() && session.error.as_deref() == Some(session::HUNG_UP);
    !session.complete && (session.alert == Some(NO_APPLICATION_PROTOCOL) || silent)
}

/// A leaf, where it was seen, and what came with it.
struct Leaf<'a> {
    chain: Vec<&'a [u8]>,
    source: &'static str,
    proven: Option<bool>,
}

impl Leaf<'_> {
    fn facets(&self) -> Vec<Facet> {
        let leaf = self.chain.first().copied().unwrap_or_default();
        let mut facets = x509::leaf_facets(leaf, self.source, self.proven);
        facets.push(x509::chain_facet(self.chain.iter().copied(), self.source));
        facets
    }
}

fn add_clear_leaf<'a>(leaves: &mut Vec<Leaf<'a>>, sent: &[u8], flight: &'a flight::Flight) {
    let Some(first) = flight.chain.first() else { return };
    let known = leaves.iter_mut().find(|one| one.chain.first() == Some(&first.as_slice()));
    match known {
        Some(leaf) => {
            if leaf.proven != Some(true) && clear::proof(sent, flight) == Some(true) {
                leaf.proven = Some(true);
            }
        }
        None => leaves.push(Leaf {
            chain: flight.chain.iter().map(Vec::as_slice).collect(),
            source: "jarm",
            proven: Some(clear::proof(sent, flight) == Some(true)),
        }),
    }
}

fn leaves_facets(leaves: &[Leaf<'_>]) -> Vec<Facet> {
    let several = leaves.len() > 1;
    let numbered = (1i64..).zip(leaves);
    let mark = |number: i64, facet: Facet| if several { facet.with("leaf", number) } else { facet };
    numbered.flat_map(|(number, leaf)| leaf.facets().into_iter().map(move |facet| mark(number, facet))).collect()
}

/// What the [`Step::Session`] connections say: of several (with and without ALPN) the one that got furthest.
struct SessionReading<'a> {
    exchange: &'a Exchange,
    session: &'a Session,
}

impl<'a> SessionReading<'a> {
    fn of(exchanges: &'a [Exchange]) -> Option<Self> {
        static NONE: Session = Session {
            version: 0,
            cipher_suite: 0,
            alpn: None,
            chain: Vec::new(),
            proof: None,
            alert: None,
            complete: false,
            error: None,
        };
        exchanges
            .iter()
            .filter(|one| matches!(one.step, Step::Session(_)))
            .map(|exchange| Self { exchange, session: exchange.session.as_ref().unwrap_or(&NONE) })
            .max_by_key(|one| (one.session.complete, !one.session.chain.is_empty(), one.session.alert.is_some()))
    }

    fn facets(&self) -> Vec<Facet> {
        let Session { version, cipher_suite, alpn, complete: true, .. } = self.session else { return Vec::new() };
        let mut facets = vec![
            Facet::new(FacetKind::TlsVersion, words::version_name(*version)),
            Facet::new(FacetKind::TlsCipher, words::cipher_name(*cipher_suite)),
        ];
        facets.extend(alpn.as_ref().map(|name| Facet::new(FacetKind::TlsAlpn, name.as_slice())));
        facets
    }

    fn leaf(&self) -> Option<Leaf<'a>> {
        let leaf = self.session.chain.first()?;
        let signed = self.session.proof.as_ref();
        let proven = signed.and_then(|proof| {
            x509::verify_handshake_signature(&leaf.0, proof.scheme, &proof.message, &proof.signature)
        });
        let chain = self.session.chain.iter().map(|one| one.0.as_slice()).collect();
        Some(Leaf { chain, source: "handshake", proven })
    }

    fn ended(&self) -> (Outcome, Option<String>) {
        let Session { alert, error, .. } = self.session;
        let said = alert.map(flight::alert_words).or_else(|| error.clone());
        let heard = self.exchange.heard.as_slice();
        if self.session.complete || !self.session.chain.is_empty() {
            return (Outcome::Answered, said);
        }
        if alert.is_some() {
            return (Outcome::TlsAlert, said);
        }
        if heard.is_empty() {
            return (self.exchange.end.outcome(), self.exchange.note.clone());
        }
        if !is_tls_record(heard) {
            return (Outcome::Mismatch, Some("not TLS".into()));
        }
        match (self.exchange.end, error.as_deref()) {
            // It spoke TLS; what it said is what our own library does not take.
            (End::Done, Some(_)) => (Outcome::Answered, said),
            (end, _) => (end.outcome(), Some("handshake not finished".into())),
        }
    }
}

/// Content type 20 to 24 and major version 3.
fn is_tls_record(heard: &[u8]) -> bool {
    matches!(heard, [20..=24, 3, ..] | [20..=24])
}

fn both_ends(
    jarm: Option<(Outcome, Option<String>)>,
    session: Option<(Outcome, Option<String>)>,
) -> (Outcome, Option<String>) {
    let (jarm, session) = match (jarm, session) {
        (None, None) => return (Outcome::Incomplete, Some("not asked".into())),
        (Some(one), None) | (None, Some(one)) => return one,
        (Some(jarm), Some(session)) => (jarm, session),
    };
    // The first of these that either says: what was heard outranks what was not.
    let ranked = [Outcome::Answered, Outcome::TlsAlert, Outcome::Mismatch];
    let either = ranked.into_iter().find(|outcome| [jarm.0, session.0].contains(outcome));
    let outcome = match jarm.0 {
        Outcome::Incomplete => Outcome::Incomplete,
        other => either.unwrap_or(other),
    };
    let words = |who: &str, words: Option<String>| words.map(|words| format!("{who}: {words}"));
    let details: Vec<String> = [words("jarm", jarm.1), words("session", session.1)].into_iter().flatten().collect();
    (outcome, (!details.is_empty()).then(|| details.join("; ")))
}

fn finished(capture: &Capture, outcome: Outcome, detail: Option<String>, mut facets: Vec<Facet>) -> Reading {
    let outcome = capture.ended(outcome);
    facets.sort_by_key(|facet| facet.kind);
    Reading { outcome, detail, facets }
}

#[cfg(test)]
mod tests;
