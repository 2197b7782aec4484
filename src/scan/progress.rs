//! How far a run is, and its summary (DESIGN 4.7).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::observation::{Outcome, Presence};
use crate::probe::hunt::Verdict;
use crate::store::{AskedState, HostDone, QuietHost};

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
    /// Services not asked because their network had said no.
    pub withheld: AtomicU64,
    /// Times that a network was slowed or stopped.
    pub backed_off: AtomicU64,
    /// Answering hosts that a hunt found to be like a seed, the seeds themselves among them.
    pub like: AtomicU64,
    /// Answering hosts that a hunt ruled out.
    pub ruled_out: AtomicU64,
    /// Hosts not asked, since their network was given up.
    pub left_out: AtomicU64,
    /// Answering hosts of which a hunt could not tell.
    pub open: AtomicU64,
    /// Answers to discovery's SYNs that came faster than they could be taken.
    pub answers_lost: AtomicU64,
    outcomes: Mutex<BTreeMap<String, u64>>,
}

impl Progress {
    /// Counts what hosts gave, as they go into the case.
    pub(super) fn count(&self, hosts: &[HostDone], quiet: &[QuietHost]) {
        let (mut asked, mut services, mut silent, mut refused) = (0, 0, 0, 0);
        let mut heard: BTreeMap<&str, u64> = BTreeMap::new();
        for host in quiet {
            let [here, no] = [Presence::Silent, Presence::Refused].map(|one| u64::from(host.services.count(one)));
            silent += here;
            refused += no;
            services += here + no;
            asked += u64::from(here + no > 0);
        }
        for host in hosts {
            // One that opted out since the plan was made is done, but was not asked.
            let count = |state| host.services.iter().filter(|one| one.state == state).count() as u64;
            silent += count(AskedState::Silent);
            refused += count(AskedState::Refused);
            let here = host.services.len() as u64 - count(AskedState::NotAsked);
            services += here;
            asked += u64::from(here > 0);
            // A scan has observations of what was heard and of our own faults, of nothing else.
            for (observation, _) in host.services.iter().flat_map(|service| &service.heard) {
                *heard.entry(observation.outcome.as_str()).or_default() += 1;
            }
        }
        self.hosts_asked.fetch_add(asked, Ordering::Relaxed);
        self.services.fetch_add(services, Ordering::Relaxed);
        let of = |outcome: Outcome| heard.get(outcome.as_str()).copied().unwrap_or(0);
        self.answered.fetch_add(of(Outcome::Answered), Ordering::Relaxed);
        self.failed.fetch_add(of(Outcome::Failed), Ordering::Relaxed);
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = [(Outcome::TimedOut.as_str(), silent), (Outcome::Refused.as_str(), refused)];
        for (word, count) in heard.into_iter().chain(dead).filter(|(_, count)| *count > 0) {
            *outcomes.entry(word.to_owned()).or_default() += count;
        }
    }

    /// Counts what a hunt made of one host that answered.
    pub(super) fn count_verdict(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Like => &self.like,
            Verdict::RuledOut => &self.ruled_out,
            Verdict::Open => &self.open,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Outcomes so far, by word.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<String, u64> {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // The network said that they cannot be reached, if not of each one by itself.
        let withheld = self.withheld.load(Ordering::Relaxed);
        if withheld > 0 {
            *outcomes.entry(Outcome::Unreachable.as_str().to_owned()).or_default() += withheld;
        }
        outcomes
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
    /// SYNs sent by discovery alone, beside the connections; left out of the text where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub syns: u64,
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
    /// Connections and discovery's SYNs a second reached.
    pub rate_reached: f64,
    /// Seed of the order.
    pub seed: u64,
    /// Which shard of how many, `1/1` for all.
    pub shard: String,
    /// How services were discovered: `connect` or `syn`.
    pub discovery: String,
    /// Why not otherwise, and what discovery may have missed; left out when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_note: Option<String>,
    /// Digest of the scope.
    pub scope_sha256: String,
    /// This program's version.
    pub version: String,
    /// Services and observations by outcome.
    pub outcomes: BTreeMap<String, u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::store::ServiceDone;

    fn host(index: u64, states: [AskedState; 2]) -> HostDone {
        let services = (0..).zip(states).map(|(ordinal, state)| ServiceDone { ordinal, state, heard: Vec::new() });
        HostDone { index, address: Ipv4Addr::LOCALHOST.into(), asn: None, prefix: None, services: services.collect() }
    }

    fn quiet<const N: usize>(services: [Presence; N]) -> QuietHost {
        QuietHost { index: 7, address: Ipv4Addr::LOCALHOST.into(), services: services.into_iter().collect() }
    }

    #[test]
    fn a_host_that_nothing_was_asked_of_was_not_asked() {
        let progress = Progress::default();
        progress.count(
            &[
                host(0, [AskedState::NotAsked, AskedState::NotAsked]),
                host(1, [AskedState::NotAsked, AskedState::Refused]),
            ],
            &[quiet([]), quiet([Presence::Silent, Presence::Unasked, Presence::Silent])],
        );
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!((read(&progress.hosts_asked), read(&progress.services)), (2, 3));
        assert_eq!(progress.outcomes(), BTreeMap::from([("refused".to_owned(), 1), ("timed_out".to_owned(), 2)]));
    }
}
