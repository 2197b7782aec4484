//! How far a run is, and its summary (DESIGN 4.7).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::observation::{Outcome, Presence};
use crate::probe::Asked;

/// Counters of a run, read while it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Hosts in this shard.
    pub hosts_total: AtomicU64,
    /// Hosts committed, those of earlier parts of the run included.
    pub hosts_done: AtomicU64,
    /// Hosts asked by this part of the run.
    pub hosts_asked: AtomicU64,
    /// Services asked.
    pub services: AtomicU64,
    /// Observations that answered.
    pub answered: AtomicU64,
    /// Observations that failed by our own fault.
    pub failed: AtomicU64,
    /// Hosts being worked on.
    pub in_flight: AtomicU64,
    /// Hosts waiting for the writer.
    pub queued: AtomicU64,
    outcomes: Mutex<BTreeMap<String, u64>>,
}

impl Progress {
    /// Counts what one host gave.
    pub(super) fn count(&self, asked: &[Asked]) {
        // One that opted out since the plan was made is done, but was not asked.
        if asked.iter().any(|one| one.presence != Presence::Unasked) {
            self.hosts_asked.fetch_add(1, Ordering::Relaxed);
        }
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut add = |word: &str| *outcomes.entry(word.to_owned()).or_default() += 1;
        for one in asked {
            if one.presence != Presence::Unasked {
                self.services.fetch_add(1, Ordering::Relaxed);
            }
            match one.presence {
                Presence::Silent => add("timed_out"),
                Presence::Refused => add("refused"),
                Presence::Unasked | Presence::Heard => {}
            }
            // A scan has observations of what was heard and of our own faults, of nothing else.
            for (observation, _) in &one.observations {
                add(observation.outcome.as_str());
                match observation.outcome {
                    Outcome::Answered => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
                    Outcome::Failed => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
                    _ => {}
                }
            }
        }
    }

    /// Outcomes so far, by word.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<String, u64> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a run did, as `--summary` writes it. Counts cover this call of `scan`, and `run` says which run it belongs to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The run's number in the case.
    pub run: i64,
    /// True when every host of the shard is done.
    pub complete: bool,
    /// Hosts asked.
    pub hosts: u64,
    /// Services asked.
    pub services: u64,
    /// Connections opened.
    pub connections: u64,
    /// Observations that answered.
    pub answered: u64,
    /// Bytes sent, on top of TCP.
    pub bytes_sent: u64,
    /// Bytes heard, on top of TCP.
    pub bytes_heard: u64,
    /// Wall seconds.
    pub seconds: f64,
    /// Processor seconds, user and system.
    pub cpu_seconds: f64,
    /// Peak resident memory in bytes.
    pub peak_rss_bytes: u64,
    /// Connections a second that the scope and flags permit; null when unlimited.
    pub rate_asked: Option<f64>,
    /// Connections a second reached.
    pub rate_reached: f64,
    /// Seed of the order.
    pub seed: u64,
    /// Which shard of how many, `1/1` for all.
    pub shard: String,
    /// How services were discovered.
    pub discovery: String,
    /// Digest of the scope.
    pub scope_sha256: String,
    /// This program's version.
    pub version: String,
    /// Services and observations by outcome.
    pub outcomes: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::observation::{Service, Speech};

    fn asked(presence: Presence) -> Asked {
        let service = Service { address: Ipv4Addr::LOCALHOST.into(), port: 80, speech: Speech::Http, name: None };
        Asked { service, presence, observations: Vec::new(), stopped: false }
    }

    #[test]
    fn a_host_that_nothing_was_asked_of_was_not_asked() {
        let progress = Progress::default();
        progress.count(&[asked(Presence::Unasked), asked(Presence::Unasked)]);
        progress.count(&[asked(Presence::Unasked), asked(Presence::Refused)]);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!((read(&progress.hosts_asked), read(&progress.services)), (1, 1));
    }
}
