//! Deny lists that can be defended: single addresses unless a range's own hosts support the range, each entry with reason,
//! evidence, holder at the time, an end, and who else would be hit. The allow list has the last word.
//!
//! Who is listed: hosts of seeded clusters that a person confirmed, or that the linkage gives at least [`Rules::least_score`]
//! at the level of the provider and that look like nobody else's too; never one that a person rejected. Nothing is wider
//! than a /24 (IPv4) or /64 (IPv6), so no list of ours speaks of a whole AS.

mod format;
mod range;
mod text;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::dossier::{Dossier, SharedCluster, SharedHost, Standing};
use super::uuid::HOSTKIN;
use crate::clock::Timestamp;
use crate::facet::{FacetKind, show_percent};
use crate::finding::Level;
use crate::link::shared_address;

pub use format::{Change, Format};

/// What a list goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Least probability of a host that no person confirmed.
    pub least_score: f64,
    /// Days an entry holds after the last sight.
    pub days: i64,
    /// True: ranges where their hosts support them. False: single addresses.
    pub ranges: bool,
    /// Never listed, whatever speaks for it.
    pub allow: Vec<IpNet>,
    /// Entries that ended before this are left out.
    pub at: Timestamp,
}

/// Who else an entry hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Collateral {
    /// Listed hosts inside.
    pub hosts: u64,
    /// Addresses inside at which the case knows no host. Hosts of others it knows are never inside.
    pub unknown: u128,
    /// Names on the certificates of the hosts inside: sites that may share them.
    pub names: u64,
}

/// One line of a list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is listed.
    pub network: IpNet,
    /// Names the entry in every format and file.
    pub id: String,
    /// The cluster it belongs to.
    pub cluster: String,
    /// Why, in a sentence or two.
    pub reason: String,
    /// SHA-256 of captures that the reason rests on.
    pub evidence: Vec<String>,
    /// Who held it, and who says so.
    pub holder: Option<String>,
    /// Origin AS.
    pub asn: Option<u32>,
    /// Last sight of a host inside.
    pub last_seen: Timestamp,
    /// When it ends unless it is renewed.
    pub valid_until: Timestamp,
    /// Who else is hit.
    pub collateral: Collateral,
}

/// A list.
#[derive(Clone, Debug, Default)]
pub struct Denylist {
    /// In the order of addresses.
    pub entries: Vec<Entry>,
    /// What was left out, and why.
    pub left_out: Vec<(IpAddr, String)>,
}

/// A host that may be listed.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    host: &'a SharedHost,
    cluster: &'a SharedCluster,
    last_seen: Timestamp,
    valid_until: Timestamp,
}

/// Makes the list. `others` are all hosts that the case has seen, members included.
#[must_use]
pub fn denylist(dossier: &Dossier, others: &BTreeSet<IpAddr>, rules: &Rules) -> Denylist {
    let mut list = Denylist::default();
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for cluster in &dossier.clusters {
        for host in &cluster.hosts {
            match candidate(dossier, cluster, host, rules) {
                Ok(candidate) => candidates.push(candidate),
                Err(why) => list.left_out.push((host.address, why)),
            }
        }
    }
    candidates.sort_by_key(|one| (one.host.address, std::cmp::Reverse(one.host.percent())));
    candidates.dedup_by_key(|one| one.host.address);
    let listed: BTreeSet<IpAddr> = candidates.iter().map(|one| one.host.address).collect();
    let strangers: BTreeSet<IpAddr> = others.difference(&listed).copied().collect();
    let groups = if rules.ranges {
        range::widened(&candidates, &strangers, &rules.allow)
    } else {
        candidates.iter().map(|one| (IpNet::from(one.host.address), vec![*one])).collect()
    };
    list.entries = groups.iter().filter_map(|(network, inside)| entry(dossier, *network, inside)).collect();
    list.entries.sort_by_key(|entry| entry.network);
    list.left_out.sort();
    list
}

fn candidate<'a>(
    dossier: &Dossier,
    cluster: &'a SharedCluster,
    host: &'a SharedHost,
    rules: &Rules,
) -> Result<Candidate<'a>, String> {
    let last_seen = host.last_seen.unwrap_or(dossier.case.as_of);
    let valid_until = last_seen.saturating_add(jiff::SignedDuration::from_hours(24 * rules.days)).unwrap_or(last_seen);
    if !cluster.seeded {
        return Err(format!("cluster {} has no confirmed seed", cluster.id));
    }
    if host.standing == Standing::Rejected {
        return Err("rejected by an analyst".to_owned());
    }
    if host.standing != Standing::Confirmed && host.level != Level::Provider {
        return Err(format!("the evidence is at the level of the {}, not of the provider", host.level.as_str()));
    }
    if host.standing != Standing::Confirmed && host.score < rules.least_score {
        return Err(format!("probability {} is below {}", show_percent(host.score), show_percent(rules.least_score)));
    }
    let texts = |kind| dossier.services(host.address).iter().flat_map(move |one| one.all(kind)).map(|one| &*one.text);
    if host.standing != Standing::Confirmed
        && let Some(why) = shared_address(texts(FacetKind::HttpServer), texts(FacetKind::CertSan))
    {
        return Err(format!("perhaps shared with others: {why}; a person who knows better confirms it"));
    }
    if valid_until < rules.at {
        return Err(format!("last seen {}, which is over {} days ago", day(last_seen), rules.days));
    }
    if let Some(allow) = rules.allow.iter().find(|allow| allow.contains(&host.address)) {
        return Err(format!("on the allow list, or set aside for special purposes ({allow})"));
    }
    Ok(Candidate { host, cluster, last_seen, valid_until })
}

fn entry(dossier: &Dossier, network: IpNet, inside: &[Candidate<'_>]) -> Option<Entry> {
    let best = inside.iter().max_by(|one, other| {
        one.host.score.total_cmp(&other.host.score).then(other.host.address.cmp(&one.host.address))
    })?;
    let mut evidence: Vec<String> = Vec::new();
    let mut names = BTreeSet::new();
    for service in inside.iter().flat_map(|one| dossier.services(one.host.address)) {
        evidence.extend(service.captures.iter().cloned());
        names.extend(service.name.clone());
        names
            .extend(service.all(FacetKind::CertSan).filter_map(|san| san.text.strip_prefix("DNS:")).map(str::to_owned));
    }
    evidence.sort();
    evidence.dedup();
    let hosts = u64::try_from(inside.len()).unwrap_or(u64::MAX);
    let confirmed = if best.host.standing == Standing::Confirmed { ", confirmed by a person" } else { "" };
    let first = best.host.reasons.iter().find(|reason| !reason.starts_with("confirmed")).or(best.host.reasons.first());
    let first = first.map(|reason| format!(": {reason}")).unwrap_or_default();
    let reason = if hosts == 1 {
        format!("host of \"{}\", probability {}{confirmed}{first}", best.cluster.id, show_percent(best.host.score))
    } else {
        format!(
            "all {hosts} hosts seen here are of \"{}\", probability up to {}{first}",
            best.cluster.id,
            show_percent(best.host.score)
        )
    };
    let size = 1_u128 << (u32::from(network.max_prefix_len()) - u32::from(network.prefix_len())).min(127);
    Some(Entry {
        network,
        id: HOSTKIN.v5(&format!("denylist/{network}")).to_string().chars().take(8).collect(),
        cluster: best.cluster.id.clone(),
        reason,
        evidence,
        holder: best
            .host
            .holder
            .as_ref()
            .map(|holder| format!("{} ({}, {})", holder.name, holder.network, holder.source)),
        asn: best.host.asn,
        last_seen: inside.iter().map(|one| one.last_seen).max()?,
        valid_until: inside.iter().map(|one| one.valid_until).max()?,
        collateral: Collateral {
            hosts,
            unknown: size.saturating_sub(u128::from(hosts)),
            names: u64::try_from(names.len()).unwrap_or(u64::MAX),
        },
    })
}

impl Denylist {
    /// What is new against an earlier list of networks.
    #[must_use]
    pub fn added(&self, before: &BTreeSet<IpNet>) -> Vec<Entry> {
        self.entries.iter().filter(|entry| !before.contains(&entry.network)).cloned().collect()
    }

    /// What an earlier list had and this one has not.
    #[must_use]
    pub fn removed(&self, before: &BTreeSet<IpNet>) -> Vec<IpNet> {
        let now: BTreeSet<IpNet> = self.entries.iter().map(|entry| entry.network).collect();
        before.difference(&now).copied().collect()
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
pub(super) mod tests;
