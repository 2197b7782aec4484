//! What ranking starts from: the case's seeds, its matches, and the hosts that were looked at.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::cli::exit::Stop;
use crate::clock::Timestamp;
use crate::finding::{Level, Subject};
use crate::range::{Looked, Start};
use crate::store::{Case, StoreError};

/// The seeds, and the hosts that the linkage counts with them.
pub(in crate::cli) fn starts(case: &Case) -> Result<Vec<Start>, Stop> {
    let mut starts = Vec::new();
    for seed in case.seeds()? {
        if let Subject::Host(address) = seed.subject {
            let date = seed.date.map(day);
            starts.push(Start { address, date, is_seed: true });
        }
    }
    for (address, ours) in matches(case)? {
        if ours && !starts.iter().any(|start| start.address == address) {
            starts.push(Start { address, date: None, is_seed: false });
        }
    }
    Ok(starts)
}

/// Hosts that the last linkage ranks, and whether it counts them as a provider's.
fn matches(case: &Case) -> Result<BTreeMap<IpAddr, bool>, Stop> {
    let findings = case.findings()?.map(|(findings, _)| findings).unwrap_or_default();
    let mut hosts = BTreeMap::new();
    for one in &findings.ranking {
        let ours = one.score >= 0.5 && one.level != Level::Chance;
        let known = hosts.entry(one.address).or_insert(false);
        *known |= ours;
    }
    for verdict in case.verdicts()? {
        hosts.insert(verdict.address, verdict.confirmed);
    }
    Ok(hosts)
}

/// Every host on record, as ranking needs it.
pub(in crate::cli) fn looked(case: &Case) -> Result<Looked, Stop> {
    let mut ours = matches(case)?;
    for seed in case.seeds()? {
        if let Subject::Host(address) = seed.subject {
            ours.insert(address, true);
        }
    }
    let mut hosts = Vec::new();
    case.host_facts::<StoreError>(|host| {
        hosts.push((host.address, ours.get(&host.address).copied().unwrap_or(false)));
        Ok(())
    })?;
    hosts.sort_unstable();
    Ok(Looked { hosts })
}

/// The day of a moment, UTC.
pub(in crate::cli) fn day(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}
