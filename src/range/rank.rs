//! Candidate ranges in order: expected new hosts of the provider per thousand connections, with what speaks for and against.
//!
//! Reasons of a range are joined as independent chances that an occupied address in it is the provider's (noisy or); what
//! speaks against lowers the result by a factor. Hosts of the case that were looked at in the range correct it: the
//! expectation counts like eight hosts seen. All working values stand in this file and in [`super::reason`]; they set an
//! order and are no promise.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::dataset::DatasetId;
use super::density::{Densities, listed_in, longevity};
use super::fact::{Asn, Listed, Use};
use super::hazard::Hazard;
use super::knowledge::Knowledge;
use super::links::{Links, Start, links};
use super::reason::{Link, Reason};
use super::sibling::Siblings;
use super::span::AddressRange;

/// Share of addresses of a hosting network that answer on one of the ports asked.
const OCCUPIED: f64 = 0.4;
/// Connections that an address costs that is not the provider's: SSH, HTTP and TLS once each.
const PER_ADDRESS: f64 = 3.0;
/// Connections more for a host that is captured in full.
const PER_HOST: f64 = 10.0;
/// How many hosts seen the expectation counts for.
const FIRM: f64 = 8.0;
/// Candidates kept; the rest is counted.
const MOST: usize = 5_000;
/// The largest IPv4 range that is asked for its density block by block.
const LARGEST_DENSE: u128 = 1 << 16;
/// Listed addresses that make a /24 dense, at the least.
const DENSE: u64 = 4;

/// One candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its number in this ranking, from 1.
    pub number: usize,
    /// The addresses.
    pub range: AddressRange,
    /// Who announces it.
    pub origins: Vec<Asn>,
    /// Why, strongest first.
    pub reasons: Vec<Reason>,
    /// What speaks against, in words.
    pub against: Vec<String>,
    /// Who else would be met: clouds, CDNs, people's access lines, well-known names.
    pub collateral: Vec<String>,
    /// Share of occupied addresses expected to be the provider's.
    pub share: f64,
    /// New hosts of the provider to expect.
    pub expected: f64,
    /// Connections that asking all of it costs.
    pub connections: f64,
    /// Expected new hosts per thousand connections: the order.
    pub per_thousand: f64,
    /// The newest day that its reasons rest on; `None` without dated files.
    pub as_of: Option<Date>,
}

/// Hosts of the case, as far as ranking needs them.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Hosts that have been observed and whether the linkage counts them with the seed; ascending by address.
    pub hosts: Vec<(IpAddr, bool)>,
}

impl Looked {
    /// Hosts observed inside a range, and those of them that are the provider's.
    fn inside(&self, range: &AddressRange) -> (f64, f64) {
        let from = self.hosts.partition_point(|(host, _)| *host < range.start());
        let inside = self.hosts.iter().skip(from).take_while(|(host, _)| *host <= range.end());
        inside.fold((0.0, 0.0), |(all, ours), (_, is_ours)| (all + 1.0, ours + f64::from(u8::from(*is_ours))))
    }
}

/// Candidates and what else was found.
#[derive(Debug, Default)]
pub struct Ranking {
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// Candidates beyond those kept.
    pub left_out: usize,
    /// What was not followed, and why.
    pub refused: Vec<String>,
    /// Evidence that widens nothing.
    pub evidence: Vec<String>,
    /// ASes tied to the seeds.
    pub ases: BTreeSet<Asn>,
}

/// Finds and ranks candidate ranges.
#[must_use]
pub fn rank(knowledge: &Knowledge, starts: &[Start], looked: &Looked, now: Option<Date>) -> Ranking {
    rank_with(knowledge, starts, looked, now, &|_| 1.0)
}

/// The same with each kind's working value multiplied: to see whether an order hangs on them.
#[must_use]
pub fn rank_with(
    knowledge: &Knowledge,
    starts: &[Start],
    looked: &Looked,
    now: Option<Date>,
    times: &dyn Fn(Link) -> f64,
) -> Ranking {
    let siblings = Siblings::new(knowledge, now, true);
    let Links { mut ranges, refused, mut evidence, ases } = links(knowledge, starts, &siblings, now);
    let densities = Densities::new(knowledge, now);
    let hazard = Hazard::new(knowledge, now, &ases);
    dense_blocks(knowledge, &densities, &mut ranges, now);
    let judge = Judge { knowledge, looked, now, densities: &densities, hazard: &hazard, times };
    let mut candidates: Vec<Candidate> =
        ranges.into_iter().map(|(range, reasons)| judge.judge(range, reasons)).collect();
    candidates.sort_by(|a, b| {
        let order = b.per_thousand.total_cmp(&a.per_thousand).then(b.expected.total_cmp(&a.expected));
        order.then(a.range.cmp(&b.range))
    });
    let left_out = candidates.len().saturating_sub(MOST);
    candidates.truncate(MOST);
    for (number, candidate) in (1..).zip(&mut candidates) {
        candidate.number = number;
    }
    if knowledge.datasets().next().is_none() {
        evidence.push("no public file was imported: only what lies next to the seeds is proposed".to_owned());
    }
    Ranking { candidates, left_out, refused, evidence, ases }
}

/// /24s inside the ranges found that lists name densely: candidates of their own, with the reasons of what holds them.
fn dense_blocks(
    knowledge: &Knowledge,
    densities: &Densities,
    ranges: &mut std::collections::BTreeMap<AddressRange, Vec<Reason>>,
    now: Option<Date>,
) {
    let mut blocks: Vec<(AddressRange, Vec<Reason>)> = Vec::new();
    for (range, reasons) in ranges.iter() {
        if !range.start().is_ipv4() || range.count() <= 256 || range.count() > LARGEST_DENSE {
            continue;
        }
        let mut inside: BTreeSet<IpNet> = BTreeSet::new();
        for (_, listing) in knowledge.listings_in(range, now) {
            let Listed::Addresses(one) = &listing.listed else { continue };
            let first = one.start().max(range.start());
            if let Ok(block) = IpNet::new(first, 24) {
                inside.insert(block.trunc());
            }
        }
        for block in inside {
            let block = AddressRange::of(block);
            let count = listed_in(knowledge, &block, now);
            if count.listed >= DENSE
                && range.holds(&block)
                && densities.shrunk(count) > 3.0 * densities.usual(count).mean()
            {
                blocks.push((block, reasons.clone()));
            }
        }
    }
    for (block, reasons) in blocks {
        let known = ranges.entry(block).or_default();
        for reason in reasons {
            if !known.iter().any(|one| one.link == reason.link) {
                known.push(reason);
            }
        }
    }
}

struct Judge<'a> {
    knowledge: &'a Knowledge,
    looked: &'a Looked,
    now: Option<Date>,
    densities: &'a Densities,
    hazard: &'a Hazard,
    times: &'a dyn Fn(Link) -> f64,
}

impl Judge<'_> {
    fn judge(&self, range: AddressRange, mut reasons: Vec<Reason>) -> Candidate {
        reasons.extend(self.listed(&range));
        reasons.extend(self.dense(&range));
        reasons.extend(self.hazard(&range));
        reasons.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.link.cmp(&b.link)));
        let (collateral, mut against, factor) = self.against(&range);
        // Several reasons of one kind are one reason told twice.
        let mut kinds = BTreeSet::new();
        let told = reasons.iter().filter(|one| kinds.insert(one.link));
        let missed: f64 = told.map(|one| 1.0 - (one.share * (self.times)(one.link)).clamp(0.0, 0.95)).product();
        let prior = (1.0 - missed) * factor;
        let (seen, ours) = self.looked.inside(&range);
        let share = (prior * FIRM + ours) / (FIRM + seen);
        if seen > 0.0 && ours == 0.0 {
            let hosts = if seen == 1.0 { "host in it was" } else { "hosts in it were" };
            against.push(format!("{seen:.0} {hosts} looked at and none is counted with the seed"));
        }
        let addresses = range.count() as f64;
        let new = (addresses * OCCUPIED - seen).max(0.0);
        let expected = if range.start().is_ipv4() || addresses <= 65_536.0 { new * share } else { 0.0 };
        if expected == 0.0 && !range.start().is_ipv4() {
            against.push("too many addresses to ask one by one: give known addresses to `scan --targets`".to_owned());
        }
        let connections = addresses * PER_ADDRESS + expected * PER_HOST;
        let days = reasons.iter().flat_map(|one| &one.datasets).filter_map(|id| self.knowledge.dataset(*id));
        Candidate {
            number: 0,
            range,
            origins: self.origins(range.start()),
            as_of: days.map(|one| one.date).max(),
            reasons,
            against,
            collateral,
            share,
            expected,
            connections,
            per_thousand: 1000.0 * expected / connections.max(1.0),
        }
    }

    fn origins(&self, address: IpAddr) -> Vec<Asn> {
        self.knowledge.origins_at(address, self.now).map(|found| found.origins.to_vec()).unwrap_or_default()
    }

    /// Deny lists that name the range or a network in it; single addresses are density.
    fn listed(&self, range: &AddressRange) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut lists: Vec<(DatasetId, String, AddressRange, Option<String>)> = Vec::new();
        for (dataset, listing) in self.knowledge.listings_in(range, self.now) {
            if let Listed::Addresses(one) = &listing.listed
                && one.count() >= 256
            {
                lists.push((dataset.id, listing.list.clone(), *one, listing.reason.clone()));
            }
        }
        let whole = lists.iter().find(|(_, _, one, _)| one.holds(range));
        if let Some((id, list, one, reason)) = whole {
            let reason = reason.as_deref().map(|reason| format!(" as {reason}")).unwrap_or_default();
            let wider = if one == range { String::new() } else { format!(", which names {one}") };
            let words = format!("on the deny list {list}{reason}{wider}{}", self.for_how_long(range, list));
            reasons.push(Reason { share: 0.15, ..Reason::new(Link::Listed, words, 1, vec![*id]) });
        } else if let Some((id, list, first, _)) = lists.first() {
            let listed: u128 = lists.iter().map(|(_, _, one, _)| one.count()).sum();
            let part = (listed as f64 / range.count() as f64).min(1.0);
            let words = match lists.len() {
                1 => format!("the deny list {list} names a part of it, {first}"),
                many => format!("deny lists name {many} parts of it, {first} among them"),
            };
            reasons.push(Reason { share: 0.15 * part, ..Reason::new(Link::Listed, words, 1, vec![*id]) });
        }
        reasons
    }

    fn for_how_long(&self, range: &AddressRange, list: &str) -> String {
        let found = longevity(self.knowledge, range, self.now).into_iter().find(|one| one.list == list);
        match found {
            Some(one) if one.states > 1 => {
                let times = match one.states - one.named_in {
                    0 => format!("all {}", one.states),
                    _ => format!("{} of the {}", one.named_in, one.states),
                };
                let days = if one.first == one.last {
                    format!("on {}", one.first)
                } else {
                    format!("from {} to {}", one.first, one.last)
                };
                format!(", in {times} dated copies of the list on file, {days}")
            }
            _ => String::new(),
        }
    }

    /// Single addresses on deny lists.
    fn dense(&self, range: &AddressRange) -> Option<Reason> {
        if !range.start().is_ipv4() || range.count() > LARGEST_DENSE {
            return None;
        }
        let mut datasets: BTreeSet<DatasetId> = BTreeSet::new();
        let mut hosts: BTreeSet<IpAddr> = BTreeSet::new();
        for (dataset, listing) in self.knowledge.listings_in(range, self.now) {
            if let Listed::Addresses(one) = &listing.listed
                && one.count() < 256
            {
                datasets.insert(dataset.id);
                hosts.insert(one.start());
            }
        }
        if hosts.is_empty() {
            return None;
        }
        let count = listed_in(self.knowledge, range, self.now);
        let (share, usual) = (self.densities.shrunk(count), self.densities.usual(count).mean());
        let times = share / usual.max(1e-9);
        let words = format!(
            "{} of its addresses {} on deny lists by themselves: {times:.1} times what is usual for a network of its size",
            hosts.len(),
            if hosts.len() == 1 { "is" } else { "are" }
        );
        let worth = Link::Dense.share() * ((times - 1.0) / 20.0).clamp(0.0, 1.0);
        Some(Reason { link: Link::Dense, words, share: worth, datasets: datasets.into_iter().collect() })
    }

    /// What the forecast on the deny list says of a range of this kind.
    fn hazard(&self, range: &AddressRange) -> Option<Reason> {
        let (IpAddr::V4(first), IpAddr::V4(last)) = (range.start(), range.end()) else { return None };
        if self.hazard.listed_networks() == 0 || range.count() > LARGEST_DENSE {
            return None;
        }
        let blocks = (first.to_bits() >> 8)..=(last.to_bits() >> 8);
        let free: Vec<u32> = blocks.filter(|block| !self.hazard.is_listed(*block)).collect();
        let chance = free.iter().map(|block| self.hazard.chance(*block)).sum::<f64>() / (free.len() as f64).max(1.0);
        if chance < 0.001 {
            return None;
        }
        let words = format!(
            "lies where deny-listed networks are: of 1,000 networks of 256 addresses in a place like this, {:.0} came to the list within half a year ({})",
            1000.0 * chance,
            if free.iter().any(|block| self.hazard.is_reported(*block)) {
                "measured on 2025 with lists of ASes made later: rather too high"
            } else {
                "measured on 2025"
            }
        );
        // Being listed is not being this provider's: a part of it counts.
        Some(Reason { link: Link::Hazard, words, share: chance * 0.5, datasets: Vec::new() })
    }

    /// Who else would be met, what speaks against, and by what factor that lowers the expectation.
    fn against(&self, range: &AddressRange) -> (Vec<String>, Vec<String>, f64) {
        let (mut collateral, mut against, mut factor) = (Vec::new(), Vec::new(), 1.0f64);
        let mut named: BTreeSet<(Use, &str)> = BTreeSet::new();
        for one in self.knowledge.named_in(range, self.now) {
            if one.used_for != Use::ReverseName {
                named.insert((one.used_for, &one.name));
            }
        }
        for (used_for, name) in named {
            let (words, lowers) = match used_for {
                Use::Cloud => ("a mainstream hosting company: most of its customers are innocent", 0.2),
                Use::Cdn => ("a content delivery network: many innocent names behind one address", 0.02),
                Use::Access => ("an access network: people at home or on telephones", 0.1),
                Use::WellKnown => ("a well-known service", 0.1),
                Use::Scanner => ("a research scanner", 0.1),
                Use::Tor => ("Tor exits: listed for what their users do", 0.3),
                Use::ReverseName => continue,
            };
            collateral.push(format!("{name}: {words}"));
            factor = factor.min(lowers);
        }
        let origins = self.origins(range.start());
        let large = origins.iter().map(|asn| self.densities.count(*asn).addresses).max().unwrap_or(0);
        if large > 1 << 20 {
            against.push(format!(
                "announced by a carrier or large hoster ({large} addresses): its customers are strangers to each other"
            ));
            factor *= 0.3;
        }
        if origins.is_empty() && self.knowledge.announces(range.start().is_ipv4(), self.now) {
            against.push("no file says that it is announced now: nothing may answer there".to_owned());
            factor *= 0.5;
        }
        (collateral, against, factor)
    }
}
