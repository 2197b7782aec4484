//! Back-off: slower where a network's failures rise, and no more where it says no.
//!
//! A sample is one service that was there, and how its last connection went. Each network (IPv4 /24, IPv6 /48) and each
//! AS keeps its last 64 samples; when the share of failures among them is more than twice the network's usual one, with
//! at least 16 samples and 6 failures, its rate is halved and the samples start anew. The usual share is what came before
//! those 64, and as long as that is little, what is usual in the rest of the run. The rate grows back by 5 % of the
//! limit a minute and never passes it; without a limit there is nothing to halve.
//!
//! A network says no by ICMP "administratively prohibited" from somewhere other than the host (a host's own firewall
//! speaks for that host alone), or our own machine's rules do: it is not asked any more in this run.
//!
//! Pure but for a lock: time comes with each call. Memory is bounded; the least used networks are forgotten first.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod state;

use self::state::{Key, State};
use super::limits::{Rates, network_of};
use crate::clock::{Clock, Timestamp};
use crate::observation::{End, Exchange};

/// How asking one service went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It was there to the end.
    Fine,
    /// It was there, and then fell silent, hung up by a reset, or could not be reached again.
    Failed,
}

impl Sample {
    /// The sample that the connections to one service make; `None` when it was never there, or nothing of it was asked.
    #[must_use]
    pub fn of(exchanges: &[Exchange]) -> Option<Self> {
        let asked = |one: &&Exchange| !matches!(one.end, End::OutOfScope | End::Stopped | End::Failed);
        let stood = |one: &Exchange| {
            !one.heard.is_empty()
                || matches!(one.end, End::Done | End::Closed | End::Reset | End::ReadTimedOut | End::Full)
        };
        let last = exchanges.iter().rev().find(asked)?;
        if !exchanges.iter().any(stood) {
            return None;
        }
        let failed = last.heard.is_empty() && !matches!(last.end, End::Done | End::Closed | End::Full);
        Some(if failed { Self::Failed } else { Self::Fine })
    }
}

/// A network that was slowed or is not asked any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// Which: `192.0.2.0/24`, `AS64496`.
    pub network: String,
    /// The part of its limit it may have now; 0 when it is not asked any more.
    pub part: f64,
    /// Why, in words.
    pub why: String,
}

/// Where every network stands.
#[derive(Debug)]
pub struct BackOff {
    /// Whether there is a limit to halve.
    networks: bool,
    systems: bool,
    /// False as long as nothing is slowed or stopped, so that most calls need no lock.
    acts: AtomicBool,
    withheld: AtomicU64,
    state: Mutex<State>,
}

impl BackOff {
    /// For these limits.
    #[must_use]
    pub fn new(rates: &Rates) -> Self {
        Self {
            networks: rates.network.is_some(),
            systems: rates.asn.is_some(),
            acts: AtomicBool::new(false),
            withheld: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Takes in how asking a service went.
    pub fn learn(&self, address: IpAddr, asn: Option<u32>, sample: Sample, clock: &dyn Clock) {
        let (now, failed) = (clock.elapsed(), sample == Sample::Failed);
        let keys =
            [self.networks.then(|| Key::Network(network_of(address))), asn.filter(|_| self.systems).map(Key::System)];
        let mut state = self.lock();
        for key in keys.into_iter().flatten() {
            if let Some((part, why)) = state.sample(key, failed, now) {
                self.acts.store(true, Ordering::Release);
                state.tell(Notice { at: clock.now(), network: key.to_string(), part, why });
            }
        }
    }

    /// The network of `address` said no: it is not asked any more.
    pub fn stop(&self, address: IpAddr, why: &str, clock: &dyn Clock) {
        let network = network_of(address);
        let mut state = self.lock();
        if state.stopped.put(network) {
            state.tell(Notice {
                at: clock.now(),
                network: Key::Network(network).to_string(),
                part: 0.0,
                why: why.to_owned(),
            });
        }
        self.acts.store(true, Ordering::Release);
    }

    /// Takes over what an earlier part of the run was told; nothing is recorded again.
    pub fn restore(&self, networks: impl IntoIterator<Item = IpAddr>) {
        let mut state = self.lock();
        for network in networks {
            state.stopped.put(network_of(network));
            self.acts.store(true, Ordering::Release);
        }
    }

    /// True when the network of `address` is not asked any more.
    #[must_use]
    pub fn is_stopped(&self, address: IpAddr) -> bool {
        self.acts.load(Ordering::Acquire) && self.lock().stopped.has(network_of(address))
    }

    /// The rate that the network of `address` may have of its limit now.
    #[must_use]
    pub fn network_rate(&self, address: IpAddr, limit: f64, now: Duration) -> f64 {
        self.rate(Key::Network(network_of(address)), limit, now)
    }

    /// The rate that an AS may have of its limit now.
    #[must_use]
    pub fn system_rate(&self, asn: u32, limit: f64, now: Duration) -> f64 {
        self.rate(Key::System(asn), limit, now)
    }

    fn rate(&self, key: Key, limit: f64, now: Duration) -> f64 {
        if !self.acts.load(Ordering::Acquire) {
            return limit;
        }
        self.lock().cells.get(&key).map_or(limit, |cell| limit * cell.part(now))
    }

    /// Counts a service that was not asked because its network said no.
    pub(super) fn withhold(&self) {
        self.withheld.fetch_add(1, Ordering::Relaxed);
    }

    /// Services not asked because their network said no.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// What happened since this was last asked, oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        if !self.acts.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.lock().notices.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "halves are exact")]
mod tests;
