//! Flags narrow a scope and never widen it.

use std::sync::Arc;

use ipnet::IpNet;

use super::address::AddressSet;
use super::error::{FlagProblem, ScopeError};
use super::{Reach, Scope, open};
use crate::observation::Speech;

/// What flags ask for; whatever is `None` stays as the scope has it.
#[derive(Clone, Debug, Default)]
pub struct Narrowing {
    /// Only these protocols.
    pub speeches: Option<Vec<Speech>>,
    /// At most this many connections per second in the whole run.
    pub connections_per_second: Option<f64>,
    /// Only these networks.
    pub networks: Option<Vec<IpNet>>,
    /// How many shards share the scope's rates: machines that each scan one part at the same time. Rates of the run, of
    /// networks and of ASes are divided by it; each host is in one shard alone, so its limits stay.
    pub shards: Option<u32>,
}

/// A scope narrowed, and what there is to say about it.
#[derive(Debug)]
pub struct Narrowed {
    /// Never wider than the one it came from.
    pub scope: Scope,
    /// Where a flag asked for more than the scope permits, in plain words.
    pub notes: Vec<String>,
}

impl Scope {
    /// The scope as these flags narrow it. A rate above the scope's leaves the scope's in force, with a note.
    ///
    /// # Errors
    /// [`ScopeError::Flag`] when nothing is left, or when a rate is none.
    pub fn narrow(&self, by: &Narrowing) -> Result<Narrowed, ScopeError> {
        let mut scope = self.clone();
        let mut notes = Vec::new();
        if let Some(shards) = by.shards {
            if shards == 0 {
                return Err(ScopeError::Flag(FlagProblem::NoShards));
            }
            let share = |rate: Option<f64>| rate.map(|rate| rate / f64::from(shards));
            scope.limits.connections_per_second = share(scope.limits.connections_per_second);
            scope.limits.per_network_per_second = share(scope.limits.per_network_per_second);
            scope.limits.per_asn_per_second = share(scope.limits.per_asn_per_second);
        }
        if let Some(rate) = by.connections_per_second {
            if !(rate.is_finite() && rate > 0.0) {
                return Err(ScopeError::Flag(FlagProblem::Rate(rate.to_string())));
            }
            match scope.limits.connections_per_second {
                Some(permitted) if rate > permitted => {
                    let share = by.shards.filter(|shards| *shards > 1);
                    let share = share.map_or_else(String::new, |shards| format!(" to one of {shards} shards"));
                    notes.push(format!(
                        "the scope permits {permitted} connections per second{share}; {rate} were asked for, and {permitted} stay in force"
                    ));
                }
                _ => scope.limits.connections_per_second = Some(rate),
            }
        }
        let only = by.networks.as_ref().map(|networks| AddressSet::new(networks.iter().copied()));
        let narrowed = |reach: &Reach| {
            let services = reach.services.iter().copied();
            let wanted = |speech: Speech| by.speeches.as_ref().is_none_or(|wanted| wanted.contains(&speech));
            Reach {
                addresses: only
                    .as_ref()
                    .map_or_else(|| reach.addresses.clone(), |only| reach.addresses.intersect(only)),
                services: services.filter(|(speech, _)| wanted(*speech)).collect(),
            }
        };
        let reach: Vec<Reach> = self.reach.iter().map(narrowed).collect();
        if by.speeches.is_some() && reach.iter().all(|one| one.services.is_empty()) {
            let granted = Speech::ALL.iter().filter(|speech| self.grants_speech(**speech));
            let granted = granted.map(|speech| speech.as_str()).collect::<Vec<_>>().join(", ");
            return Err(ScopeError::Flag(FlagProblem::Nothing { granted }));
        }
        scope.open = Arc::new(open(&reach));
        scope.reach = Arc::new(reach);
        Ok(Narrowed { scope, notes })
    }

    fn grants_speech(&self, speech: Speech) -> bool {
        self.reach.iter().any(|one| one.services.iter().any(|(other, _)| *other == speech))
    }
}
