//! Which conversations a host gets, in which order, and when to stop.
//!
//! One host's connections are made one after the other. The first connection to a port is also the question whether
//! anybody is there. What was heard is read only when the probe has ended; the order of connections depends on what the
//! pure readers of `proto` say about what came so far.

mod http;
pub mod hunt;
mod prune;
mod settings;
mod ssh;
mod tls;

use std::sync::OnceLock;
use std::time::Duration;

pub use prune::hunted;
pub use settings::{Costs, HuntSettings, Proof, Settings, SshKeys, Want};

use crate::clock::Timestamp;
use crate::facet::FacetKind;
use crate::net::Door;
use crate::observation::{Capture, CutShort, End, Exchange, Observation, Presence, Presences, Service, Speech, Step};
use crate::proto::{self, Conversation, Reading};
use crate::target::Host;

/// What asking one service came to.
#[derive(Debug)]
pub struct Asked {
    /// The service.
    pub service: Service,
    /// Whether anybody was there.
    pub presence: Presence,
    /// What was heard, with what it says: none when nobody was there.
    pub observations: Vec<(Observation, Reading)>,
    /// True when a stop cut the probe off: what is here is not the whole.
    pub stopped: bool,
}

/// Asks everything `settings` want of one host. `known` is what discovery saw, one word per service.
///
/// A service is asked only if its scope still permits; one that nobody answers gives no observation, unless `every` is
/// set (the `probe` verb answers for each service asked).
pub async fn host(door: &Door, host: &Host, known: Presences, settings: &Settings, every: bool) -> Vec<Asked> {
    let mut all = Vec::with_capacity(host.services.len());
    for (place, service) in host.services.iter().enumerate() {
        let seen = known.get(place);
        if !settings.want.speech(service.speech) {
            all.push(Asked {
                service: service.clone(),
                presence: Presence::Unasked,
                observations: Vec::new(),
                stopped: false,
            });
            continue;
        }
        if matches!(seen, Presence::Silent | Presence::Refused) && !every {
            all.push(Asked { service: service.clone(), presence: seen, observations: Vec::new(), stopped: false });
            continue;
        }
        let mut probe = Probe::new(door, service, settings);
        probe.all().await;
        all.push(probe.finish(every));
    }
    all
}

/// One service's probe under way.
struct Probe<'a> {
    door: &'a Door,
    service: &'a Service,
    settings: &'a Settings,
    since: Duration,
    started_at: Timestamp,
    capture: Capture,
    /// JARM's X25519 share: one a host, made when somebody is there.
    key_share: OnceLock<[u8; 32]>,
    /// The page inside TLS, when there was one.
    over_tls: Option<Capture>,
}

/// Whether the probe goes on after a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Go {
    On,
    Enough,
}

/// What an ended connection means for those that would follow.
fn go_after(exchange: &Exchange) -> Go {
    if matches!(exchange.end, End::Stopped | End::OutOfScope | End::Failed) { Go::Enough } else { Go::On }
}

impl<'a> Probe<'a> {
    fn new(door: &'a Door, service: &'a Service, settings: &'a Settings) -> Self {
        let capture = empty_capture(service);
        let (since, started_at) = (door.clock().elapsed(), door.clock().now());
        Self { door, service, settings, since, started_at, capture, key_share: OnceLock::new(), over_tls: None }
    }

    /// Everything wanted of this service that was not asked yet.
    async fn all(&mut self) {
        match self.service.speech {
            Speech::Tls => self.tls().await,
            Speech::Http => self.http().await,
            Speech::Ssh => self.ssh().await,
        }
    }

    /// True when the last connection reached nobody.
    fn was_unreached(&self) -> bool {
        self.capture.exchanges.last().is_some_and(|last| matches!(last.end, End::ConnectTimedOut | End::Unreachable))
    }

    /// Has one conversation. `Enough`: stopped or no longer permitted, so no further one may follow.
    async fn converse(&self, step: Step, conversation: &mut dyn Conversation) -> (Exchange, Go) {
        // The first connection is the question who is there; only further ones need a place.
        let _place = if self.capture.exchanges.is_empty() { None } else { self.door.talker().await };
        let exchange = self.door.converse(self.service, step, conversation, self.since).await;
        let go = go_after(&exchange);
        (exchange, go)
    }

    /// Whether a further connection may follow the last one made.
    fn go(&self) -> Go {
        self.capture.exchanges.last().map_or(Go::On, go_after)
    }

    /// True when the first connection found nobody: further ones would only repeat the question.
    fn nobody_there(&self) -> bool {
        matches!(self.capture.exchanges.as_slice(), [only] if only.heard.is_empty() && matches!(
            only.end, End::Refused | End::Unreachable | End::ConnectTimedOut))
    }

    fn finish(mut self, every: bool) -> Asked {
        let presence = presence(&self.capture);
        self.door.heed(self.service.address, &self.capture.exchanges);
        // A scope that ended under way is a stop: who was not asked for that reason is to be asked under the next one.
        let over = self.door.is_over();
        let is_stopped = |capture: &Capture| {
            capture.exchanges.iter().any(|one| one.end == End::Stopped || over && one.end == End::OutOfScope)
        };
        let stopped = is_stopped(&self.capture) || self.over_tls.as_ref().is_some_and(is_stopped);
        if stopped {
            self.capture.cut_short = Some(CutShort::Stopped);
        }
        let mut observations = Vec::new();
        // Our own fault says nothing of the host, so it must not pass for a host that was asked.
        let failed = self.capture.exchanges.last().is_some_and(|one| one.end == End::Failed);
        if presence == Presence::Heard || every || failed {
            let capture = std::mem::take(&mut self.capture);
            observations.push(self.observe(self.service.speech, capture, false));
        }
        if let Some(page) = self.over_tls.take() {
            observations.push(self.observe(Speech::Http, page, true));
        }
        Asked { service: self.service.clone(), presence, observations, stopped }
    }

    fn observe(&self, speech: Speech, capture: Capture, over_tls: bool) -> (Observation, Reading) {
        let reading = read(speech, &capture);
        let observation = Observation {
            service: Service { speech, ..self.service.clone() },
            over_tls,
            started_at: self.started_at,
            outcome: reading.outcome,
            detail: reading.detail.clone(),
            capture,
        };
        (observation, reading)
    }
}

/// A capture in which nothing was heard yet.
fn empty_capture(service: &Service) -> Capture {
    Capture { asked_as: service.asked_as(), exchanges: Vec::new(), request_version: 1, cut_short: None }
}

/// Reads a capture; where no connection came about by the scope's word, ours or the network's, that is the outcome.
#[must_use]
pub fn read(speech: Speech, capture: &Capture) -> Reading {
    let mut reading = proto::read(speech, capture);
    match capture.cut_short {
        Some(CutShort::Pruned) => pruned(&mut reading, capture),
        Some(CutShort::Failed) => {
            reading.detail = Some("a bug in hostkin ended this probe; please report it".to_owned());
        }
        Some(CutShort::Stopped) | None => {}
    }
    if let [.., last] = capture.exchanges.as_slice()
        && capture.exchanges.iter().all(|one| one.end == last.end)
        && matches!(last.end, End::OutOfScope | End::Failed | End::Unreachable)
    {
        reading.outcome = last.end.outcome();
        reading.detail = last.note.clone().or(reading.detail);
    }
    reading
}

/// What a hunt cut off: the last connection is the one that ruled the host out, and a JARM that was cut off is none, even
/// where it was the tenth hello that did.
fn pruned(reading: &mut Reading, capture: &Capture) {
    reading.detail = capture.exchanges.last().map(|one| format!("ruled out by {}", one.step));
    let jarm = [FacetKind::TlsJarm, FacetKind::TlsJarmRaw, FacetKind::TlsJarmFirstRead];
    reading.facets.retain(|facet| !jarm.contains(&facet.kind));
}

/// Whether anybody was there, by the first connection that was made.
fn presence(capture: &Capture) -> Presence {
    let mut best = Presence::Unasked;
    for exchange in &capture.exchanges {
        let this = match exchange.end {
            _ if !exchange.heard.is_empty() || exchange.session.is_some() => Presence::Heard,
            End::Done | End::Closed | End::Reset | End::ReadTimedOut | End::Full => Presence::Heard,
            End::Refused | End::Unreachable => Presence::Refused,
            End::ConnectTimedOut => Presence::Silent,
            End::OutOfScope | End::Stopped | End::Failed => Presence::Unasked,
        };
        best = best.max(this);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Outcome;

    #[test]
    fn a_probe_that_a_bug_ended_is_read_again_as_it_was() {
        for speech in Speech::ALL {
            let reading = read(speech, &Capture { cut_short: Some(CutShort::Failed), ..Capture::default() });
            assert_eq!(reading.outcome, Outcome::Failed);
            assert!(reading.detail.is_some_and(|words| words.contains("a bug in hostkin")), "{speech}");
        }
    }
}
